-- Does not wait for snapshots either, but invalidates no more than it hits
\set what random(15, 18)
\set t random(1, 9)
\set ms random(50, 400)
\sleep :ms ms
SELECT nextval('changes_begun');
SELECT change(:what, 0, 0);
SELECT nextval('changes_done');
SELECT compare_table(3, :t);
SELECT compare_table(5, :t);
SELECT compare_table(6, :t);
SELECT compare_watched(34, :t);
