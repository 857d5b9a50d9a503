-- What is rolled back, or refused at commit
\set k random_exponential(1, 24, 4)
\set i random(1, 4)
\set d random(1, 20)
\set how random(1, 13)
BEGIN;
UPDATE by_row SET v = v + 1 WHERE k = :k AND i = :i;
SELECT write_by_hand(:k, :i, :how);
SELECT compare(1, :k, :d);
ROLLBACK;
SELECT compare(1, :k, :d);
SELECT compare(6, :k, :d);
\set ms random(1, 10)
\sleep :ms ms
BEGIN;
UPDATE by_row SET v = v + 1 WHERE k = :k AND i = :i;
SELECT write_by_hand(:k, :i, :how);
INSERT INTO refused VALUES (:k);
COMMIT;
