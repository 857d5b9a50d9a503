-- Several keys and tables in one transaction, with looks at own writes
\set k random(1, 20)
\set l random(:k + 1, 24)
\set i random(1, 4)
\set d random(1, 20)
\set how random(1, 13)
BEGIN;
UPDATE by_row SET v = v + 1 WHERE k IN (:k, :l) AND i = :i;
SELECT compare(1, :k, :d);
UPDATE by_statement SET v = v + 1 WHERE k BETWEEN :k AND :k + 2 AND i = :i;
SELECT compare(8, :k, :d);
DELETE FROM by_statement WHERE k = :k AND i > 40;
INSERT INTO by_statement VALUES (:k, 41, 1) ON CONFLICT (k, i) DO UPDATE SET v = by_statement.v + 1;
SELECT write_by_hand(:l, :i, :how);
SELECT compare(6, :l, :d);
COMMIT;
SELECT compare(8, :k, :d);
SELECT compare(1, :l, :d);
\set ms random(1, 10)
\sleep :ms ms
