-- REPEATABLE READ, and READ COMMITTED in one transaction, while others write
-- and definitions change
\set a random(1, 37)
\set b random(1, 37)
\set t random_exponential(1, 9, 2)
\set u random(1, 9)
\set isolation random(1, 3)
\set ms random(0, 40)
\if :isolation = 1
BEGIN;
\else
BEGIN ISOLATION LEVEL REPEATABLE READ;
\endif
SELECT compare_watched(:a, :t);
\sleep :ms ms
SELECT compare_watched(:b, :t);
SELECT compare_watched(:a, :u);
\sleep :ms ms
SELECT compare_watched(:b, :t);
SELECT compare_watched(:a, :t);
SELECT compare_watched(:a, :u);
COMMIT;
