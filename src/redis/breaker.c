/*
 * breaker.c
 *		Whether Redis is used at all just now: one answer for all processes.
 *
 * The first failure that any process meets opens the breaker for all of them,
 * so that a server which is dead or hangs costs one time limit and not one a
 * call.  From then on only the worker tries, and closes the breaker when the
 * server answers again (client.c).
 *
 * What stands here is about the settings whose hash stands beside it.  A
 * process that knows other settings, since a reload reaches the processes one
 * by one, keeps away from Redis until the worker has caught up.
 *
 * Locks: state and settings are atomics, so asking takes no lock.  The
 * spinlock protects the rest.  Whoever changes the state is who logs it, so
 * that there is one line in the log.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "port/atomics.h"
#include "storage/shmem.h"
#include "storage/spin.h"
#include "utils/timestamp.h"

#include "redis/breaker.h"
#include "settings.h"
#include "shmem.h"

/* How often refused commands are logged, in milliseconds. */
#define DC_REFUSED_LOG_INTERVAL 60000

typedef struct DcBreaker
{
	pg_atomic_uint32 state;		/* a DcBreakerState */
	pg_atomic_uint32 suspected; /* is the worker to have a look? */
	pg_atomic_uint64 settings;	/* dc_redis_settings() of whom this is about */
	slock_t		lock;			/* for what follows */
	TimestampTz since;			/* the state */
	TimestampTz last_error_at;
	TimestampTz refused_logged_at;
	char		last_error[DC_REDIS_ERROR];
	char		server[DC_URL_DESCRIPTION];
	int			n_addresses;
	DcAddress	addresses[DC_MAX_ADDRESSES];
} DcBreaker;

static DcBreaker *breaker = NULL;

Size
dc_breaker_shmem_size(void)
{
	return sizeof(DcBreaker);
}

void
dc_breaker_shmem_init(void)
{
	bool		found;

	breaker = ShmemInitStruct("dashboard_cache breaker",
							  dc_breaker_shmem_size(), &found);
	if (found)
		return;
	memset(breaker, 0, sizeof(*breaker));
	pg_atomic_init_u32(&breaker->state, DC_REDIS_OFF);
	pg_atomic_init_u32(&breaker->suspected, 0);
	pg_atomic_init_u64(&breaker->settings, 0);
	SpinLockInit(&breaker->lock);
	breaker->since = GetCurrentTimestamp();
}

DcBreakerStatus
dc_breaker_status(void)
{
	DcBreakerStatus status;

	SpinLockAcquire(&breaker->lock);
	status.state = pg_atomic_read_u32(&breaker->state);
	status.since = breaker->since;
	status.last_error_at = breaker->last_error_at;
	memcpy(status.last_error, breaker->last_error, DC_REDIS_ERROR);
	memcpy(status.server, breaker->server, DC_URL_DESCRIPTION);
	SpinLockRelease(&breaker->lock);
	return status;
}

/* Is what stands in shared memory about the settings that this process has? */
static bool
dc_breaker_is_mine(void)
{
	return pg_atomic_read_u64(&breaker->settings) == dc_redis_settings();
}

bool
dc_breaker_allows(void)
{
	return dc_redis_url != NULL &&
		pg_atomic_read_u32(&breaker->state) == DC_REDIS_UP &&
		dc_breaker_is_mine();
}

int
dc_breaker_addresses(DcAddress *addresses)
{
	uint64		settings = dc_redis_settings();
	int			n;

	/* Not where other settings lead, with these settings' password. */
	SpinLockAcquire(&breaker->lock);
	n = pg_atomic_read_u64(&breaker->settings) == settings ?
		breaker->n_addresses : 0;
	memcpy(addresses, breaker->addresses, n * sizeof(DcAddress));
	SpinLockRelease(&breaker->lock);
	return n;
}

/* What a server says is put into logs and views: nothing but ASCII. */
static void
dc_breaker_clean(const char *error, char *out)
{
	int			i;

	for (i = 0; error[i] != '\0' && i < DC_REDIS_ERROR - 1; i++)
		out[i] = error[i] >= ' ' && error[i] <= '~' ? error[i] : '?';
	out[i] = '\0';
}

/* Notes an error, and if so asked its logging; is it time to log one? */
static bool
dc_breaker_note(const char *error, bool log)
{
	TimestampTz now = GetCurrentTimestamp();
	bool		due;

	SpinLockAcquire(&breaker->lock);
	strlcpy(breaker->last_error, error, DC_REDIS_ERROR);
	breaker->last_error_at = now;
	due = TimestampDifferenceExceeds(breaker->refused_logged_at, now,
									 DC_REFUSED_LOG_INTERVAL);
	if (log && due)
		breaker->refused_logged_at = now;
	SpinLockRelease(&breaker->lock);
	return due;
}

/* Changes the state, if it is one of those in the set; was it? */
static bool
dc_breaker_change(uint32 from, DcBreakerState to)
{
	TimestampTz now = GetCurrentTimestamp();
	uint32		state = pg_atomic_read_u32(&breaker->state);

	do
	{
		if ((from & (1 << state)) == 0)
			return false;
	} while (!pg_atomic_compare_exchange_u32(&breaker->state, &state, to));

	SpinLockAcquire(&breaker->lock);
	breaker->since = now;
	SpinLockRelease(&breaker->lock);
	return true;
}

/* The name of the server that this process talks to. */
static const char *
dc_breaker_server(void)
{
	static char server[DC_URL_DESCRIPTION];

	server[0] = '\0';
	if (dc_redis_url != NULL)
		dc_url_describe(dc_redis_url, server);
	return server;
}

/* Has the server been found well since then? */
static bool
dc_breaker_closed_since(TimestampTz began_at)
{
	bool		closed;

	SpinLockAcquire(&breaker->lock);
	closed = pg_atomic_read_u32(&breaker->state) == DC_REDIS_UP &&
		breaker->since > began_at;
	SpinLockRelease(&breaker->lock);
	return closed;
}

void
dc_breaker_open(const char *reason, TimestampTz began_at)
{
	char		error[DC_REDIS_ERROR];

	if (!dc_breaker_is_mine() || dc_breaker_closed_since(began_at))
		return;
	dc_breaker_clean(reason, error);
	dc_breaker_note(error, false);
	if (dc_breaker_change(1 << DC_REDIS_UP | 1 << DC_REDIS_CONNECTING,
						  DC_REDIS_DOWN))
	{
		dc_wake_worker();
		ereport(LOG_SERVER_ONLY,
				(errmsg("Redis server \"%s\" is down: %s",
						dc_breaker_server(), error),
				 errdetail("Cached functions go on without it, and the background worker keeps trying."),
				 errhidestmt(true), errhidecontext(true)));
	}
}

void
dc_breaker_refused(const char *reason)
{
	char		error[DC_REDIS_ERROR];

	dc_breaker_clean(reason, error);
	if (dc_breaker_is_mine() && dc_breaker_note(error, true))
		ereport(LOG_SERVER_ONLY,
				(errmsg("Redis server \"%s\" refused a command: %s",
						dc_breaker_server(), error),
				 errhidestmt(true), errhidecontext(true)));
}

void
dc_breaker_suspect(void)
{
	pg_atomic_write_u32(&breaker->suspected, 1);
	dc_wake_worker();
}

bool
dc_breaker_is_suspected(void)
{
	return pg_atomic_read_u32(&breaker->suspected) != 0 &&
		pg_atomic_exchange_u32(&breaker->suspected, 0) != 0;
}

void
dc_breaker_reset(void)
{
	TimestampTz now = GetCurrentTimestamp();
	const char *server = dc_breaker_server();

	/* Nobody with the old settings matches from here on. */
	pg_atomic_write_u64(&breaker->settings, 0);
	pg_atomic_write_u32(&breaker->state, dc_redis_url == NULL ?
						DC_REDIS_OFF : DC_REDIS_CONNECTING);
	SpinLockAcquire(&breaker->lock);
	breaker->since = now;
	breaker->n_addresses = 0;
	breaker->last_error[0] = '\0';
	breaker->last_error_at = 0;
	breaker->refused_logged_at = 0;
	strlcpy(breaker->server, server, DC_URL_DESCRIPTION);
	SpinLockRelease(&breaker->lock);
	pg_atomic_write_u64(&breaker->settings, dc_redis_settings());
}

void
dc_breaker_try(const DcAddress *addresses, int n)
{
	SpinLockAcquire(&breaker->lock);
	breaker->n_addresses = n;
	memcpy(breaker->addresses, addresses, n * sizeof(DcAddress));
	SpinLockRelease(&breaker->lock);
}

void
dc_breaker_close(void)
{
	if (dc_breaker_change(1 << DC_REDIS_DOWN, DC_REDIS_UP))
		ereport(LOG_SERVER_ONLY,
				(errmsg("Redis server \"%s\" is up again",
						dc_breaker_server())));
	else
		(void) dc_breaker_change(1 << DC_REDIS_CONNECTING, DC_REDIS_UP);
}
