-- Commits or rolls back what others have prepared, and looks at once
\set d random(1, 20)
\set ms random(1, 20)
\set end random(1, 4)
\sleep :ms ms
SELECT count(*) AS waiting, max(gid) AS gid, coalesce(max(split_part(gid, '.', 2)), '1') AS k FROM (SELECT gid FROM pg_prepared_xacts ORDER BY random() LIMIT 1) AS any_one \gset
\if :waiting > 0
\if :end = 1
ROLLBACK PREPARED ':gid';
\else
COMMIT PREPARED ':gid';
\endif
\endif
SELECT compare(1, :k, :d);
SELECT compare(6, :k, :d);
SELECT compare(5, :k, :d);
