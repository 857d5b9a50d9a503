CREATE FUNCTION cached_entry(i int) RETURNS int
LANGUAGE cached STABLE PARALLEL RESTRICTED AS $$
#ttl infinity
#key dashboard:entry:{i}
SELECT i
$$;
