-- Who was there before a change: with a snapshot from before it, and, at READ
-- COMMITTED, with what its session knew of definitions, which may be old until it
-- takes a lock.  What it fills then is for others to compare.
\set kind random(1, 3)
\set t random(1, 9)
\set a random(11, 37)
\set n random(3, 6)
\if :kind = 1
BEGIN;
SELECT compare_watched(33, :t);
SELECT await_change();
SELECT cached_factored(:t), cached_factored(:t % 9 + 1);
COMMIT;
SELECT compare_watched(33, :t);
SELECT compare_watched(33, :t % 9 + 1);
\else
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT await_change();
SELECT compare_watched(33, :t);
SELECT compare_watched(34, :t);
SELECT compare_table(:n, :t);
SELECT compare_watched(32, :t);
SELECT compare_watched(:a, :t);
SELECT compare_table(:n, :t);
COMMIT;
SELECT compare_watched(:a, :t);
\endif
