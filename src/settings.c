/*
 * settings.c
 *		The dashboard_cache.* settings: names, defaults, units and bounds.
 */
#include "postgres.h"

#include <limits.h>

#include "miscadmin.h"
#include "utils/guc.h"

#include "settings.h"
#include "store/shared_store.h"

bool		dc_enabled = true;
int			dc_default_ttl = 300;
int			dc_max_entry_size = 16 * 1024;
int			dc_shared_memory_size = 0;

/* The largest size that can be asked for: 1 TB. */
#define DC_MAX_STORE_KB (1024 * 1024 * 1024)

static bool
dc_check_shared_memory_size(int *new_value, void **extra, GucSource source)
{
	if (*new_value > 0 && *new_value < DC_MIN_STORE_KB)
	{
		GUC_check_errdetail("%d kB are too small to hold anything.", *new_value);
		GUC_check_errhint("Set it to at least 1MB, or to 0 to keep nothing in shared memory.");
		return false;
	}
	return true;
}

static bool
dc_check_default_ttl(int *new_value, void **extra, GucSource source)
{
	if (*new_value == 0)
	{
		GUC_check_errdetail("A time to live of 0 would keep nothing.");
		GUC_check_errhint("Set it to a number of seconds, to -1 for no limit, or turn dashboard_cache.enabled off.");
		return false;
	}
	return true;
}

void
dc_settings_define(void)
{
	DefineCustomBoolVariable("dashboard_cache.enabled",
							 "Serves and keeps cached results.",
							 "If off, cached functions run their query each time. Invalidations are recorded nevertheless, so that the cache is right when it is turned on again.",
							 &dc_enabled, true,
							 PGC_USERSET, 0, NULL, NULL, NULL);

	DefineCustomIntVariable("dashboard_cache.default_ttl",
							"How long a result is kept if its function has no #ttl.",
							"-1 means until it is invalidated.",
							&dc_default_ttl, 300, -1, INT_MAX,
							PGC_USERSET, GUC_UNIT_S,
							dc_check_default_ttl, NULL, NULL);

	DefineCustomIntVariable("dashboard_cache.max_entry_size",
							"Larger results are not kept.",
							NULL,
							&dc_max_entry_size, 16 * 1024, 1, 1024 * 1024,
							PGC_SUSET, GUC_UNIT_KB, NULL, NULL, NULL);

	/* When not preloaded, the server refuses to define it as it should be. */
	DefineCustomIntVariable("dashboard_cache.shared_memory_size",
							"Memory for the cached results of all databases.",
							"0 turns the shared-memory tier off.",
							&dc_shared_memory_size, 64 * 1024, 0,
							DC_MAX_STORE_KB,
							process_shared_preload_libraries_in_progress ?
							PGC_POSTMASTER : PGC_SIGHUP,
							GUC_UNIT_KB,
							dc_check_shared_memory_size, NULL, NULL);

	MarkGUCPrefixReserved("dashboard_cache");
}
