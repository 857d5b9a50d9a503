-- Definitions, partitions, triggers and privileges, and what is like them in
-- that it does not wait for snapshots.  Not too often, since most of it
-- invalidates everything.
\set what random(1, 26)
\set n random(1, 6)
\set how random(1, 4)
\set g random(1, 1000000)
\set ms random(20, 800)
SELECT compare_table(:n, :how);
SELECT compare_watched(36, :how);
\sleep :ms ms
SELECT nextval('changes_begun');
\if :what <= 14
SELECT change(:what, :n, :how);
\elif :what <= 17
CREATE OR REPLACE FUNCTION ratio() RETURNS int LANGUAGE sql STABLE AS 'SELECT :g';
\elif :what <= 20
CREATE OR REPLACE FUNCTION factor() RETURNS int LANGUAGE plpgsql STABLE AS 'BEGIN RETURN :g; END';
\elif :what = 21
BEGIN;
CREATE OR REPLACE FUNCTION ratio() RETURNS int LANGUAGE sql STABLE AS 'SELECT -:g';
REVOKE ALL ON secrets FROM r1, r2, r3, PUBLIC;
ROLLBACK;
\elif :what = 22
GRANT SELECT ON secrets TO r1;
\elif :what = 23
REVOKE ALL ON secrets FROM r1, r2, r3, PUBLIC;
\elif :what = 24
GRANT SELECT ON secrets TO r3;
GRANT r3 TO r1, r2;
\elif :what = 25
REVOKE r3 FROM r1, r2;
\elif :what = 26
GRANT SELECT (tenant, v) ON secrets TO r2;
\endif
SELECT nextval('changes_done');
SELECT compare_table(:n, :how);
SELECT compare_watched(32, :how);
SELECT compare_watched(33, :how);
SELECT compare_watched(36, :how);
SELECT compare_watched(11, 10);
SELECT compare_watched(21, 9);
SELECT write_new();
SELECT compare_watched(11, 10);
SELECT compare_watched(21, 9);
