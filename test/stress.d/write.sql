-- Short writes, each its own transaction, and a look at once after it
\set table random(1, 10)
\set k random_exponential(1, 24, 4)
\set i random(1, 4)
\set d random(1, 20)
\if :table <= 4
UPDATE by_row SET v = v + 1 WHERE k = :k AND i = :i;
SELECT compare(1, :k, :d);
\elif :table <= 6
UPDATE by_statement SET v = v + 1 WHERE k = :k AND i = :i;
SELECT compare(3, :k, :d);
\elif :table = 7
UPDATE by_guess SET v = v + 1 WHERE k = :k AND i = :i;
SELECT compare(4, :k, :d);
\elif :table = 8
UPDATE by_glob SET v = v + 1 WHERE k = :k AND i = :i;
SELECT compare(5, :k, :d);
\else
\set how random(1, 13)
SELECT write_by_hand(:k, :i, :how);
SELECT compare(6, :k, :d);
\endif
\set ms random(0, 3)
\sleep :ms ms
