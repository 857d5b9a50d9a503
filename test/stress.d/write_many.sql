-- So many invalidations that publishing them takes a while, and at times
-- more globs than the ledger keeps apart.  What others look at comes last.
\set k random_exponential(1, 24, 4)
\set i random(1, 4)
\set d random(1, 20)
\set globs random(1, 40)
BEGIN;
SELECT count(dashboard_cache.invalidate_key('many:' || n)) FROM generate_series(1, 2000) n;
\if :globs = 1
SELECT count(dashboard_cache.invalidate_pattern('many*' || n)) FROM generate_series(1, 150) n;
\endif
UPDATE by_row SET v = v + 1 WHERE k = :k AND i = :i;
SELECT write_by_hand(:k, :i, 1);
COMMIT;
SELECT compare(1, :k, :d);
\set ms random(10, 100)
\sleep :ms ms
