-- REPEATABLE READ, while others write
\set a random(1, 10)
\set b random(1, 10)
\set k random_exponential(1, 24, 4)
\set d random(1, 20)
\set ms random(0, 15)
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT compare(:a, :k, :d);
SELECT compare(:b, :k, :d);
\sleep :ms ms
SELECT compare(:a, :k, :d);
SELECT compare(:b, :k, :d);
SELECT compare(1, :k, :d);
SELECT compare(9, :k, :d);
\sleep :ms ms
SELECT compare(:a, :k, :d);
SELECT compare(:b, :k, :d);
COMMIT;
