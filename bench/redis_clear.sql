-- Many entries, which one pattern invalidates.
CREATE FUNCTION cached_page(i int) RETURNS text
LANGUAGE cached STABLE PARALLEL RESTRICTED AS $$
#ttl infinity
#key page:{i}
SELECT repeat('x', 100) || i
$$;
