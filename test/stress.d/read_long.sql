-- A REPEATABLE READ snapshot that grows old, and holds back xmin
\set a random(1, 10)
\set b random(1, 10)
\set k random_exponential(1, 24, 2)
\set l random_exponential(1, 24, 4)
\set d random(1, 20)
\set ms random(50, 500)
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT compare(:a, :k, :d);
\sleep :ms ms
SELECT compare(:a, :k, :d);
SELECT compare(:b, :l, :d);
\sleep :ms ms
SELECT compare(:b, :l, :d);
SELECT compare(1, :l, :d);
\sleep :ms ms
SELECT compare(:a, :k, :d);
SELECT compare(:b, :l, :d);
COMMIT;
