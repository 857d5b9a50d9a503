-- The dashboard, as it is before there is a cache: one function, which reads
-- all of the tables.  Since the date is an argument, with today's as its
-- default, a result does not depend on when it was computed.

CREATE FUNCTION dashboard_stats(days int DEFAULT 30,
								reference_date date DEFAULT CURRENT_DATE)
RETURNS jsonb
LANGUAGE sql STABLE
AS $$
WITH period AS (
	SELECT reference_date - days + 1 AS first, reference_date AS last,
		   (reference_date - days + 1)::timestamptz AS since,
		   (reference_date + 1)::timestamptz AS until
), by_tenant AS (
	SELECT tenant_id,
		   count(*) FILTER (WHERE opened_at >= since) AS opened,
		   count(*) FILTER (WHERE resolved_at >= since) AS resolved,
		   count(*) FILTER (WHERE resolved_at IS NULL
								OR resolved_at >= until) AS open,
		   count(*) FILTER (WHERE priority = 'urgent'
								AND (resolved_at IS NULL
									 OR resolved_at >= until)) AS urgent,
		   round(extract(epoch FROM avg(resolved_at - opened_at)
						 FILTER (WHERE resolved_at >= since)) / 3600, 1)
			   AS mean_hours
	FROM issues, period
	WHERE opened_at < until
	GROUP BY tenant_id
), by_service AS (
	SELECT service,
		   count(*) FILTER (WHERE asked_at >= since) AS asked,
		   count(*) FILTER (WHERE fulfilled_at IS NULL) AS waiting
	FROM requests, period
	WHERE asked_at < until
	GROUP BY service
), by_risk AS (
	SELECT risk,
		   count(*) FILTER (WHERE planned_at >= since) AS planned,
		   round(100.0 * count(*) FILTER (WHERE outcome = 'done')
				 / count(*), 1) AS done_percent
	FROM changes, period
	WHERE planned_at < until
	GROUP BY risk
), by_day AS (
	SELECT day::date,
		   (SELECT count(*) FROM issues
			WHERE opened_at >= day
			AND opened_at < day + interval '1 day') AS opened,
		   (SELECT count(*) FROM requests
			WHERE asked_at >= day
			AND asked_at < day + interval '1 day') AS asked
	FROM period, generate_series(period.first::timestamptz,
								 period.last::timestamptz, '1 day') day
)
SELECT jsonb_build_object(
	'from', (SELECT first FROM period),
	'to', (SELECT last FROM period),
	'open_issues', (SELECT sum(open) FROM by_tenant),
	'tenants', (SELECT jsonb_object_agg(name, to_jsonb(by_tenant) - 'tenant_id')
				FROM by_tenant JOIN tenants ON tenants.id = tenant_id),
	'requests', (SELECT jsonb_object_agg(service, to_jsonb(by_service) - 'service')
				 FROM by_service),
	'changes', (SELECT jsonb_object_agg(risk, to_jsonb(by_risk) - 'risk')
				FROM by_risk),
	'daily', (SELECT jsonb_agg(to_jsonb(by_day) ORDER BY day) FROM by_day))
$$;
