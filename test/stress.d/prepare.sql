-- Prepares a transaction, unless the last one has not been finished yet
\set table random(1, 6)
\set t random(1, 8)
\set k random_exponential(1, 24, 4)
\set d random(1, 20)
\set how random(1, 13)
\set ms random(1, 20)
SELECT count(*) AS waiting FROM pg_prepared_xacts WHERE gid LIKE ':client_id.%' \gset
\if :waiting = 0
BEGIN;
\if :table = 1
SAVEPOINT a;
UPDATE by_row SET v = v + 1 WHERE k = :k AND i = 20 + :client_id;
RELEASE a;
\elif :table = 2
UPDATE by_row SET v = v + 1 WHERE k = :k AND i = 20 + :client_id;
SAVEPOINT a;
SELECT write_by_hand(:k, 1, :how);
ROLLBACK TO a;
\elif :table = 3
UPDATE by_glob SET v = v + 1 WHERE k = :k AND i = 20 + :client_id;
\elif :table = 4
UPDATE w2 SET v = v + 1 WHERE id = 60 + :client_id;
\elif :table = 5
UPDATE w2 SET tenant = :t WHERE id = 60 + :client_id;
\else
SELECT write_by_hand(:k, 20 + :client_id, :how);
\endif
SELECT pg_advisory_lock(:client_id);
PREPARE TRANSACTION ':client_id.:k';
SELECT pg_advisory_unlock(:client_id);
\endif
SELECT compare(1, :k, :d);
SELECT compare(6, :k, :d);
SELECT compare_table(2, :t);
\sleep :ms ms
SELECT compare(5, :k, :d);
