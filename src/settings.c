/*
 * settings.c
 *		The dashboard_cache.* settings: names, defaults, units and bounds.
 *
 * What a password is, nobody is shown: the setting's visible value is a row
 * of stars whether there is one or not, and the password itself is what the
 * check hook hands to the assign hook.  So the server, which logs settings
 * that a reload changes, sees no change.
 */
#include "postgres.h"

#include <limits.h>

#include "common/hashfn.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "utils/guc.h"

#include "compat.h"
#include "settings.h"
#include "store/shared_store.h"

/* What is shown for a password. */
#define DC_STARS "********"

/* The largest size that can be asked for: 1 TB. */
#define DC_MAX_STORE_KB (1024 * 1024 * 1024)

/* The longest key_prefix, in bytes. */
#define DC_MAX_KEY_PREFIX 128

bool		dc_enabled = true;
int			dc_default_ttl = 300;
int			dc_max_entry_size = 16 * 1024;
int			dc_shared_memory_size = 0;
int			dc_max_slices_per_statement = 1000;

const DcUrl *dc_redis_url = NULL;
const char *dc_redis_password = "";
int			dc_redis_timeout = 500;
int			dc_redis_connect_timeout = 500;
char	   *dc_redis_tls_ca_file = NULL;
char	   *dc_redis_tls_cert_file = NULL;
char	   *dc_redis_tls_key_file = NULL;
int			dc_redis_tls_verify = DC_TLS_VERIFY_FULL;
char	   *dc_key_prefix = NULL;
int			dc_compress_threshold = 10 * 1024;
int			dc_sweep_interval = 100;

/* What dc_redis_settings() has found; 0: has to look again. */
static uint64 redis_settings = 0;

/* What the settings of these names show. */
static char *shown_url = NULL;
static char *shown_password = NULL;

static const struct config_enum_entry tls_verify_options[] = {
	{"none", DC_TLS_VERIFY_NONE, false},
	{"ca", DC_TLS_VERIFY_CA, false},
	{"full", DC_TLS_VERIFY_FULL, false},
	{NULL, 0, false}
};

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

/* Replaces what is shown of a setting. */
static bool
dc_show_instead(char **new_value, const char *text)
{
	char	   *copy = dc_guc_alloc(strlen(text) + 1);

	if (copy == NULL)
		return false;
	strcpy(copy, text);
	dc_guc_free(*new_value);
	*new_value = copy;
	return true;
}

/*
 * Shows the URL without its password, but otherwise as it was written: what is
 * shown is what parallel workers are given, and has to be a URL.
 */
static bool
dc_hide_password(char **new_value)
{
	const char *begin = strstr(*new_value, "://") + strlen("://");
	size_t		length = strcspn(begin, "/");
	const char *at = begin + length;
	const char *colon = memchr(begin, ':', length);
	StringInfoData shown;
	bool		done;

	while (at > begin && *at != '@')
		at--;
	initStringInfo(&shown);
	appendBinaryStringInfo(&shown, *new_value, colon + 1 - *new_value);
	appendStringInfoString(&shown, DC_STARS);
	appendStringInfoString(&shown, at);
	done = dc_show_instead(new_value, shown.data);
	pfree(shown.data);
	return done;
}

/*
 * An empty URL is none.  The value of the rejected setting is in the server's
 * message, so a password is kept out of it.
 */
static bool
dc_check_redis_url(char **new_value, void **extra, GucSource source)
{
	DcUrl		parsed;
	const char *problem;

	if (**new_value == '\0')
		return true;
	if (!dc_url_parse(*new_value, &parsed, &problem))
	{
		GUC_check_errmsg("invalid value for parameter \"%s\"",
						 "dashboard_cache.redis_url");
		GUC_check_errdetail("%s", problem);
		GUC_check_errhint("Write \"redis://host:6379/0\", \"rediss://host:6379/0\" for TLS, or \"unix:///path/redis.sock\".");
		return false;
	}
	*extra = dc_guc_alloc(sizeof(DcUrl));
	if (*extra == NULL)
		return false;
	memcpy(*extra, &parsed, sizeof(DcUrl));
	return parsed.password[0] == '\0' || dc_hide_password(new_value);
}

static void
dc_assign_redis_url(const char *new_value, void *extra)
{
	dc_redis_url = extra;
	redis_settings = 0;
}

static bool
dc_check_redis_password(char **new_value, void **extra, GucSource source)
{
	Size		size = strlen(*new_value) + 1;

	if (size > DC_URL_NAME)
	{
		GUC_check_errmsg("invalid value for parameter \"%s\"",
						 "dashboard_cache.redis_password");
		GUC_check_errdetail("A password may have %d bytes.", DC_URL_NAME - 1);
		return false;
	}
	*extra = dc_guc_alloc(size);
	if (*extra == NULL)
		return false;
	memcpy(*extra, *new_value, size);
	return dc_show_instead(new_value, DC_STARS);
}

static void
dc_assign_redis_password(const char *new_value, void *extra)
{
	dc_redis_password = extra;
	redis_settings = 0;
}

static void
dc_assign_tls_file(const char *new_value, void *extra)
{
	redis_settings = 0;
}

static void
dc_assign_tls_verify(int new_value, void *extra)
{
	redis_settings = 0;
}

static bool
dc_check_key_prefix(char **new_value, void **extra, GucSource source)
{
	if (**new_value == '\0' || strlen(*new_value) > DC_MAX_KEY_PREFIX)
	{
		GUC_check_errdetail("The prefix must have 1 to %d bytes.",
							DC_MAX_KEY_PREFIX);
		return false;
	}
	return true;
}

static uint64
dc_hash_string(uint64 hash, const char *string)
{
	return hash_bytes_extended((const unsigned char *) string,
							   strlen(string), hash);
}

uint64
dc_redis_settings(void)
{
	uint64		hash;

	if (dc_redis_url == NULL)
		return 0;
	if (likely(redis_settings != 0))
		return redis_settings;
	hash = hash_bytes_extended((const unsigned char *) dc_redis_url,
							   sizeof(DcUrl), dc_redis_tls_verify);
	hash = dc_hash_string(hash, dc_redis_password);
	hash = dc_hash_string(hash, dc_redis_tls_ca_file);
	hash = dc_hash_string(hash, dc_redis_tls_cert_file);
	hash = dc_hash_string(hash, dc_redis_tls_key_file);
	redis_settings = Max(hash, 1);
	return redis_settings;
}

static void
dc_define_string(const char *name, const char *what, const char *more,
				 char **variable, const char *start, int flags,
				 GucStringCheckHook check, GucStringAssignHook assign)
{
	DefineCustomStringVariable(name, what, more, variable, start,
							   PGC_SIGHUP, flags, check, assign, NULL);
}

static void
dc_define_milliseconds(const char *name, const char *what, int *variable,
					   int start, int min, int max)
{
	DefineCustomIntVariable(name, what, NULL, variable, start, min, max,
							PGC_SIGHUP, GUC_UNIT_MS, NULL, NULL, NULL);
}

static void
dc_settings_define_redis(void)
{
	dc_define_string("dashboard_cache.redis_url",
					 "The Redis server that keeps results too.",
					 "redis://[user[:password]@]host[:port][/database], rediss://... for TLS, or unix:///path?db=database. Empty: none.",
					 &shown_url, "", GUC_SUPERUSER_ONLY,
					 dc_check_redis_url, dc_assign_redis_url);
	dc_define_string("dashboard_cache.redis_password",
					 "The password for Redis, if it is not in the URL.",
					 "It is never shown.",
					 &shown_password, "", GUC_SUPERUSER_ONLY,
					 dc_check_redis_password, dc_assign_redis_password);
	dc_define_string("dashboard_cache.redis_tls_ca_file",
					 "File with the certificate authorities that Redis's certificate may be of.",
					 "Empty: those that the system trusts.",
					 &dc_redis_tls_ca_file, "", GUC_SUPERUSER_ONLY,
					 NULL, dc_assign_tls_file);
	dc_define_string("dashboard_cache.redis_tls_cert_file",
					 "File with the certificate that is shown to Redis.", NULL,
					 &dc_redis_tls_cert_file, "", GUC_SUPERUSER_ONLY,
					 NULL, dc_assign_tls_file);
	dc_define_string("dashboard_cache.redis_tls_key_file",
					 "File with the key of that certificate.", NULL,
					 &dc_redis_tls_key_file, "", GUC_SUPERUSER_ONLY,
					 NULL, dc_assign_tls_file);
	DefineCustomEnumVariable("dashboard_cache.redis_tls_verify",
							 "What is verified of Redis's certificate.",
							 "full: its authority and the host name; ca: its authority; none: nothing.",
							 &dc_redis_tls_verify, DC_TLS_VERIFY_FULL,
							 tls_verify_options, PGC_SIGHUP, 0,
							 NULL, dc_assign_tls_verify, NULL);
	dc_define_string("dashboard_cache.key_prefix",
					 "What the names of all keys in Redis begin with.", NULL,
					 &dc_key_prefix, "dashboard_cache", 0,
					 dc_check_key_prefix, NULL);
	dc_define_milliseconds("dashboard_cache.redis_timeout",
						   "How long a command to Redis may take, connecting included.",
						   &dc_redis_timeout, 500, 1, 60000);
	dc_define_milliseconds("dashboard_cache.redis_connect_timeout",
						   "How long connecting to Redis may take.",
						   &dc_redis_connect_timeout, 500, 1, 60000);
	dc_define_milliseconds("dashboard_cache.sweep_interval",
						   "How long invalidated results may stay in Redis.",
						   &dc_sweep_interval, 100, 10, 60000);
	DefineCustomIntVariable("dashboard_cache.compress_threshold",
							"Longer values are compressed for Redis.",
							"-1 means never.",
							&dc_compress_threshold, 10 * 1024, -1, INT_MAX,
							PGC_SIGHUP, GUC_UNIT_BYTE, NULL, NULL, NULL);
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

	DefineCustomIntVariable("dashboard_cache.max_slices_per_statement",
							"A statement that writes to more slices of a table touches all of them.",
							NULL,
							&dc_max_slices_per_statement, 1000, 1, 1000000,
							PGC_USERSET, 0, NULL, NULL, NULL);

	dc_settings_define_redis();
	MarkGUCPrefixReserved("dashboard_cache");
}
