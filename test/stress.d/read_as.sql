-- As others, with other search paths and settings
\set r random(1, 2)
\set s random(1, 2)
\set t random(1, 9)
\set subject random(1, 37)
SET stress.tenant = :t;
SELECT compare_watched(43, :t);
SET ROLE r:r;
SELECT compare_watched(42, :t);
SELECT compare_watched(43, :t);
SELECT compare_watched(:subject, :t);
SET search_path = watched, public, s:s;
SELECT compare_watched(41, :t);
RESET search_path;
RESET ROLE;
SELECT compare_watched(42, :t);
