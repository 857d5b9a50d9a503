-- The same in transactions that are longer: savepoints, rolled back and
-- released, REPEATABLE READ, and looks at what the transaction itself has written
\set how random(1, 5)
\set n random(1, 6)
\set m random(1, 6)
\set t random_exponential(1, 8, 3)
\set u random(1, 8)
\set id random(1, 40)
\set ms random(0, 20)
\if :how = 1
BEGIN ISOLATION LEVEL REPEATABLE READ;
\else
BEGIN;
\endif
SELECT compare_table(:n, :t);
SAVEPOINT a;
UPDATE w:n SET v = v + 1 WHERE id = :id;
UPDATE w:m SET tenant = :u WHERE id = :id + 1;
SELECT compare_table(:m, :u);
\if :how <= 2
ROLLBACK TO a;
SELECT compare_table(:n, :t);
UPDATE w:n SET v = v + 1 WHERE id = :id + 2;
\else
RELEASE a;
\endif
\sleep :ms ms
UPDATE w:m SET note = note + 1 WHERE id = :id + 3;
SELECT compare_table(:n, :t);
SELECT compare_table(:m, :u);
\if :how = 3
ROLLBACK;
\else
COMMIT;
\endif
SELECT compare_table(:n, :t);
SELECT compare_table(:m, :u);
\sleep :ms ms
