-- What is not written all the time
\set k random(1, 24)
\set i random(1, 4)
\set d random(1, 12)
UPDATE by_prefix SET v = v + 1 WHERE k = :k AND i = :i;
SELECT compare(10, :k, :d);
\set ms random(1, 20)
\sleep :ms ms
