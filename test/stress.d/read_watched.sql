-- READ COMMITTED, one statement
\set subject random(1, 37)
\set t random_exponential(1, 9, 2)
SELECT compare_watched(:subject, :t);
