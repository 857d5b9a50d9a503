/*
 * worker.c
 *		The background worker: keeps shared memory and Redis tidy, and tries
 *		whether Redis is there.
 *
 * No answer depends on it: whether an entry may be served is decided by who
 * asks.
 */
#include "postgres.h"

#include "access/xact.h"
#include "common/pg_prng.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "utils/guc.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "coherence/clearing.h"
#include "redis/breaker.h"
#include "redis/client.h"
#include "settings.h"
#include "shmem.h"
#include "store/redis_clear.h"
#include "store/shared_store.h"
#include "worker.h"

/* How often shared memory is swept, and at least all else: milliseconds. */
#define DC_TIDY_INTERVAL 10000

/* How long to wait before trying Redis again, at first and at most. */
#define DC_MIN_BACK_OFF 100
#define DC_MAX_BACK_OFF 30000

PGDLLEXPORT void dashboard_cache_worker_main(Datum arg);

/* What is to be done, and when. */
typedef struct DcAgenda
{
	uint64		settings;		/* for which Redis was last looked for */
	bool		was_up;			/* when we looked last */
	TimestampTz up_since;
	int			back_off;		/* milliseconds */
	bool		suspects;		/* somebody has doubts that it is up */
	TimestampTz probe_at;		/* not before */
	TimestampTz tidy_at;
	TimestampTz sweep_at;		/* DT_NOEND: when something is touched */
	TimestampTz swept_at;
	bool		is_sweeping;	/* it goes on at once */
	TimestampTz scan_at;
} DcAgenda;

static TimestampTz
dc_in(TimestampTz now, int milliseconds)
{
	return TimestampTzPlusMilliseconds(now, milliseconds);
}

/* Takes up other settings, if there are. */
static void
dc_agenda_follow_settings(DcAgenda *agenda, TimestampTz now)
{
	if (agenda->settings == dc_redis_settings())
		return;
	agenda->settings = dc_redis_settings();
	agenda->was_up = false;
	agenda->back_off = 0;
	agenda->probe_at = now;
	dc_breaker_reset();
	dc_clearing_turn(dc_redis_url != NULL);
}

/*
 * The time until the next try doubles each time.  It goes on doubling if Redis
 * was not there for as long as it was waited for, and it differs a little each
 * time, so that several servers do not come all at once.
 */
static void
dc_agenda_back_off(DcAgenda *agenda, TimestampTz now)
{
	double		jitter = 0.75 + 0.5 * pg_prng_double(&pg_global_prng_state);

	agenda->back_off = Max(DC_MIN_BACK_OFF,
						   Min(agenda->back_off * 2, DC_MAX_BACK_OFF));
	agenda->probe_at = dc_in(now, (int) (agenda->back_off * jitter));
}

/* Looks for Redis; it does not matter whether it was there. */
static void
dc_agenda_look_for_redis(DcAgenda *agenda, TimestampTz now)
{
	agenda->suspects = false;
	if (!dc_redis_probe())
	{
		agenda->was_up = false;
		dc_agenda_back_off(agenda, GetCurrentTimestamp());
		return;
	}
	if (!agenda->was_up)
	{
		dc_redis_clear_afresh();
		agenda->up_since = agenda->sweep_at = agenda->scan_at = now;
	}
	agenda->was_up = true;
	agenda->probe_at = dc_in(now, DC_MIN_BACK_OFF);
}

/* Sees to it that Redis is found again, or missed. */
static void
dc_agenda_probe(DcAgenda *agenda, TimestampTz now)
{
	bool		is_up = dc_breaker_allows();

	if (dc_redis_url == NULL)
		return;
	if (agenda->was_up && !is_up)
	{
		if (TimestampDifferenceExceeds(agenda->up_since, now,
									   agenda->back_off))
			agenda->back_off = 0;
		dc_agenda_back_off(agenda, now);
	}
	agenda->was_up = is_up;
	agenda->suspects |= dc_breaker_is_suspected();
	if ((!is_up || agenda->suspects) && now >= agenda->probe_at)
		dc_agenda_look_for_redis(agenda, now);
}

/* Clears Redis, if it is time for that. */
static void
dc_agenda_clear(DcAgenda *agenda, const DcReader *reader, TimestampTz now)
{
	TimestampTz next_sweep = dc_in(agenda->swept_at, dc_sweep_interval);

	if (dc_clearing_is_wanted())
		agenda->sweep_at = Min(agenda->sweep_at, next_sweep);
	if (!dc_breaker_allows())
		return;
	if (agenda->sweep_at <= now)
	{
		/*
		 * Whoever touches something from here on asks for another sweep; who
		 * did before has an id that this one sees, done or in doubt.
		 */
		if (!agenda->is_sweeping)
		{
			dc_clearing_begin();
			agenda->swept_at = now;
			agenda->scan_at = Min(agenda->scan_at, now);
		}
		agenda->sweep_at = dc_redis_clear_known(reader, now);
		agenda->is_sweeping = agenda->sweep_at == now;
		agenda->scan_at = Min(agenda->scan_at, agenda->sweep_at);
	}
	if (agenda->scan_at <= now)
		agenda->scan_at = dc_redis_clear_unknown(reader, now);
}

static void
dc_agenda_work(DcAgenda *agenda)
{
	TimestampTz now = GetCurrentTimestamp();
	DcReader	reader;

	dc_agenda_follow_settings(agenda, now);
	dc_agenda_probe(agenda, now);

	StartTransactionCommand();
	dc_reader_init(&reader, GetTransactionSnapshot());
	if (agenda->tidy_at <= now)
	{
		agenda->tidy_at = dc_in(now, DC_TIDY_INTERVAL);
		agenda->sweep_at = agenda->scan_at = now;
		dc_store_sweep(&reader, now);
	}
	if (dc_redis_url != NULL)
		dc_agenda_clear(agenda, &reader, now);
	CommitTransactionCommand();
}

/* Until when there is nothing to do, in milliseconds from now. */
static long
dc_agenda_pause(const DcAgenda *agenda)
{
	TimestampTz until = agenda->tidy_at;

	if (dc_redis_url != NULL && agenda->was_up)
		until = Min(until, Min(agenda->sweep_at, agenda->scan_at));
	if (dc_redis_url != NULL && (!agenda->was_up || agenda->suspects))
		until = Min(until, agenda->probe_at);
	return TimestampDifferenceMilliseconds(GetCurrentTimestamp(), until);
}

static void
dc_worker_exit(int code, Datum arg)
{
	dc_shared->worker_latch = NULL;
}

void
dashboard_cache_worker_main(Datum arg)
{
	DcAgenda	agenda = {
		.settings = PG_UINT64_MAX,	/* whatever was looked for, it was not us */
		.sweep_at = DT_NOEND,
		.scan_at = DT_NOEND,
	};

	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	pqsignal(SIGTERM, SignalHandlerForShutdownRequest);
	BackgroundWorkerUnblockSignals();
	BackgroundWorkerInitializeConnection(NULL, NULL, 0);

	dc_ledger_begin();
	dc_shared->worker_latch = MyLatch;
	before_shmem_exit(dc_worker_exit, (Datum) 0);

	while (!ShutdownRequestPending)
	{
		if (ConfigReloadPending)
		{
			ConfigReloadPending = false;
			ProcessConfigFile(PGC_SIGHUP);
		}
		dc_agenda_work(&agenda);
		(void) WaitLatch(MyLatch,
						 WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
						 dc_agenda_pause(&agenda), PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
	}

	/* With 0 it would not be started again, if it was ended by itself. */
	proc_exit(1);
}

void
dc_worker_register(void)
{
	BackgroundWorker worker = {
		.bgw_name = "dashboard_cache worker",
		.bgw_type = "dashboard_cache worker",
		.bgw_flags = BGWORKER_SHMEM_ACCESS |
		BGWORKER_BACKEND_DATABASE_CONNECTION,
		.bgw_start_time = BgWorkerStart_RecoveryFinished,
		.bgw_restart_time = 5,
		.bgw_library_name = "dashboard_cache",
		.bgw_function_name = "dashboard_cache_worker_main",
	};

	RegisterBackgroundWorker(&worker);
}
