-- Savepoints, rolled back to and released
\set k random_exponential(1, 20, 4)
\set i random(1, 4)
\set d random(1, 20)
\set how random(1, 13)
BEGIN;
UPDATE by_row SET v = v + 1 WHERE k = :k AND i = :i;
SAVEPOINT a;
SELECT write_by_hand(:k, :i, :how);
SELECT compare(6, :k, :d);
ROLLBACK TO a;
SELECT compare(6, :k, :d);
SELECT compare(1, :k, :d);
SAVEPOINT b;
UPDATE by_glob SET v = v + 1 WHERE k = :k AND i = :i;
SAVEPOINT c;
UPDATE by_row SET v = v + 1 WHERE k = :k + 1 AND i = :i;
RELEASE c;
SELECT compare(5, :k, :d);
RELEASE b;
SELECT write_in_vain(:k);
SELECT compare(1, :k + 1, :d);
COMMIT;
SELECT compare(5, :k, :d);
SELECT compare(1, :k + 1, :d);
SELECT compare(6, :k, :d);
\set ms random(1, 10)
\sleep :ms ms
