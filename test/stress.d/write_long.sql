-- A writer that is in progress for long, and stays behind those who come later
\set table random(1, 3)
\set k random_exponential(1, 24, 4)
\set d random(1, 20)
\set how random(1, 13)
\set ms random(20, 400)
\set end random(1, 3)
BEGIN;
\if :table = 1
UPDATE by_row SET v = v + 1 WHERE k = :k AND i = 10 + :client_id;
\elif :table = 2
UPDATE by_glob SET v = v + 1 WHERE k = :k AND i = 10 + :client_id;
\else
SELECT write_by_hand(:k, 10 + :client_id, :how);
\endif
\sleep :ms ms
SELECT compare(2 * :table - 1, :k, :d);
\sleep :ms ms
\if :end = 1
ROLLBACK;
\else
COMMIT;
\endif
SELECT compare(1, :k, :d);
SELECT compare(5, :k, :d);
SELECT compare(6, :k, :d);
