-- Results that are too many for shared memory, and seldom written
\set k random(1, 24)
\set d random(1, 12)
SELECT compare(10, :k, :d);
