-- Commits or rolls back what others have prepared, and looks at once.  The
-- lock waits for a PREPARE that can be seen already but has not returned.
\set d random(1, 20)
\set ms random(1, 20)
\set end random(1, 4)
\set client 0
\set k 1
\sleep :ms ms
SELECT count(*) AS waiting FROM pg_prepared_xacts \gset
\if :waiting > 0
SELECT split_part(gid, '.', 1) AS client, split_part(gid, '.', 2) AS k FROM pg_prepared_xacts ORDER BY random() LIMIT 1 \gset
SELECT pg_advisory_lock(:client);
\if :end = 1
ROLLBACK PREPARED ':client.:k';
\else
COMMIT PREPARED ':client.:k';
\endif
SELECT pg_advisory_unlock(:client);
\endif
SELECT compare(1, :k, :d);
SELECT compare(6, :k, :d);
SELECT compare(5, :k, :d);
SELECT compare_table(2, :end);
SELECT compare_table(2, :end + 4);
