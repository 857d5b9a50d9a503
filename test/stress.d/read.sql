-- READ COMMITTED, one statement
\set subject random(1, 10)
\set k random_exponential(1, 24, 4)
\set d random(1, 20)
SELECT compare(:subject, :k, :d);
\set k random_exponential(1, 24, 8)
SELECT note('by_row(' || :k || ')', cached_by_row(:k)::text, plain_by_row(:k)::text);
