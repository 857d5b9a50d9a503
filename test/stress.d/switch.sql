-- With the cache turned off, writes invalidate nevertheless
\set k random_exponential(1, 24, 4)
\set i random(1, 4)
\set d random(1, 20)
\set how random(1, 13)
SET dashboard_cache.enabled = off;
UPDATE by_row SET v = v + 1 WHERE k = :k AND i = :i;
SELECT compare(1, :k, :d);
SELECT write_by_hand(:k, :i, :how);
SET dashboard_cache.enabled = on;
SELECT compare(1, :k, :d);
SELECT compare(6, :k, :d);
\set ms random(1, 20)
\sleep :ms ms
