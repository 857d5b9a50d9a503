-- A REPEATABLE READ transaction that looks before and after it writes; it
-- may have to give way to another writer
\set k random_exponential(1, 24, 4)
\set i random(1, 4)
\set d random(1, 20)
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT compare(1, :k, :d);
SELECT compare(9, :k, :d);
UPDATE by_row SET v = v + 1 WHERE k = :k AND i = :i;
SELECT compare(1, :k, :d);
SELECT compare(8, :k, :d);
COMMIT;
SELECT compare(1, :k, :d);
\set ms random(1, 10)
\sleep :ms ms
