-- Everything at once, now and then
\set end random(1, 3)
\set ms random(500, 2500)
\sleep :ms ms
BEGIN;
\if :end = 1
SELECT dashboard_cache.invalidate_pattern('*');
\else
SELECT dashboard_cache.flush();
\endif
\if :end = 3
ROLLBACK;
\else
COMMIT;
\endif
SELECT compare(1, 1, 1);
