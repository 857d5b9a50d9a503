-- Writes to what is watched, in many ways, and a look at once after them.  The
-- rows 60 to 62 are prepare.sql's, who may keep them locked for ever.
\set how random(1, 36)
\set n random(1, 6)
\set m random(1, 6)
\set t random_exponential(1, 8, 3)
\set u random(1, 8)
\set r random(1, 3)
\set id random(1, 40)
\set mine 100 + :client_id
\set next 200 + :client_id
\set ms random(0, 5)
\if :how <= 6
UPDATE w:n SET v = v + 1 WHERE id = :id;
\elif :how <= 8
UPDATE w:n SET v = v + 1 WHERE tenant = :t AND id NOT BETWEEN 60 AND 62;
\elif :how <= 10
UPDATE w:n SET note = note + 1 WHERE id = :id;
\elif :how = 11
UPDATE w:n SET note = note + 1, pad = 1 - pad WHERE tenant = :t AND id < 30;
\elif :how = 12
UPDATE w:n SET tenant = :u WHERE id = :id;
\elif :how = 13
UPDATE w:n SET tenant = :u, v = v + 1 WHERE tenant = :t AND id BETWEEN :id AND :id + 8;
\elif :how = 14
UPDATE w:n SET region = :r WHERE id = :id;
\elif :how = 15
INSERT INTO w:n (tenant, region, v, note) VALUES (:t, :r, 1, 1), (:u, :r, 1, 1);
\elif :how = 16
INSERT INTO w:n (id, tenant, region, v, note) VALUES (100 + :id, :t, :r, 1, 1)
	ON CONFLICT (id, tenant, region) DO UPDATE SET v = w:n.v + 1;
\elif :how = 17
INSERT INTO w:n (tenant, region, v, note) SELECT tenant, :r, v + 1, note FROM w:m WHERE id = :id;
\elif :how <= 19
DELETE FROM w:n WHERE id BETWEEN 10000 AND 1999999 AND tenant IN (:t, :u);
\elif :how = 20
COPY w:n (tenant, region, v, note) FROM ':rows' (FORMAT csv);
\elif :how = 21
MERGE INTO w:n w USING (VALUES (:id)) s (id) ON w.id = s.id
	WHEN MATCHED AND w.tenant = :t THEN UPDATE SET tenant = :u, v = w.v + 1
	WHEN MATCHED THEN UPDATE SET v = w.v + 1;
\elif :how = 22
MERGE INTO w:n w USING (VALUES (10000)) s (id) ON w.id >= s.id AND w.tenant = :t
	WHEN MATCHED THEN DELETE
	WHEN NOT MATCHED THEN INSERT (tenant, region, v, note) VALUES (:t, :r, 1, 1);
\elif :how = 23
WITH gone AS (DELETE FROM w:n WHERE id BETWEEN 10000 AND 1999999 AND tenant = :t RETURNING tenant, region, v, note)
	INSERT INTO w:m (tenant, region, v, note) SELECT :u, region, v + 1, note FROM gone;
\elif :how = 24
WITH u AS (UPDATE w:n SET v = v + 1 WHERE id = :id RETURNING v),
	i AS (INSERT INTO w:m (tenant, region, v, note) VALUES (:t, :r, 1, 1) RETURNING v)
	SELECT count(*) FROM u, i;
\elif :how = 25
UPDATE v1 SET v = v + 1, tenant = :t WHERE id = :id;
\elif :how = 26
UPDATE v3 SET v = v + 1 WHERE tenant = :t;
\elif :how = 27
UPDATE ruled SET v = v + 1 WHERE id = :id;
\elif :how = 28
UPDATE w3_extra SET v = v + 1;
UPDATE w4_extra SET v = v + 1;
UPDATE w4_1_2 SET v = v + 1 WHERE id = :id;
SELECT write_new();
SELECT compare_watched(11, 10);
SELECT compare_watched(21, 9);
\set n random(3, 4)
\set t 9
\elif :how = 29
BEGIN;
SET LOCAL session_replication_role = replica;
UPDATE w:n SET v = v + 1 WHERE id = :id;
UPDATE w:m SET tenant = :u WHERE id = :id;
COMMIT;
\elif :how = 30
INSERT INTO cust VALUES (:mine, 1) ON CONFLICT DO NOTHING;
INSERT INTO orders (v, cust) SELECT 1, id FROM cust WHERE id = :mine;
SELECT compare_watched(34, :mine);
SELECT compare_watched(35, 1);
\elif :how = 31
UPDATE cust SET id = :next WHERE id = :mine
	AND NOT EXISTS (SELECT FROM cust WHERE id = :next);
SELECT compare_watched(34, :mine);
SELECT compare_watched(34, :next);
\elif :how = 32
DELETE FROM cust WHERE id IN (:mine, :next);
SELECT compare_watched(34, :mine);
SELECT compare_watched(34, :next);
\elif :how = 33
UPDATE orders SET v = v + 1 WHERE cust = :t;
UPDATE cust SET rate = rate + 1 WHERE id = :u;
SELECT compare_watched(34, :t);
SELECT compare_watched(35, 1);
\elif :how = 34
WITH u AS (UPDATE w:n SET v = v + 1 WHERE id = :id)
	UPDATE w:n SET note = note + 1 WHERE id = :id + 1;
\elif :how = 35
UPDATE w:n SET v = v + bump(:u) WHERE id = :id;
SELECT compare_watched(34, :u);
\else
UPDATE s1.items SET v = v + 1;
UPDATE secrets SET v = v + 1 WHERE tenant = :t;
UPDATE secured SET v = v + 1 WHERE tenant = :t;
\endif
SELECT compare_table(:n, :t);
SELECT compare_table(:n, :u);
SELECT compare_watched(1 + 5 * (:n - 1), :t);
\sleep :ms ms
