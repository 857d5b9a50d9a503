/*
 * settings.h
 *		The dashboard_cache.* settings.
 */
#ifndef DC_SETTINGS_H
#define DC_SETTINGS_H

#include "redis/url.h"

extern bool dc_enabled;
extern int	dc_default_ttl;		/* seconds; -1: infinite */
extern int	dc_max_entry_size;	/* kB */
extern int	dc_shared_memory_size;	/* kB; 0: no shared-memory tier */
extern int	dc_max_slices_per_statement;

/* What redis_tls_verify asks for. */
typedef enum DcTlsVerify
{
	DC_TLS_VERIFY_NONE,
	DC_TLS_VERIFY_CA,			/* the chain, not the host name */
	DC_TLS_VERIFY_FULL,
} DcTlsVerify;

extern const DcUrl *dc_redis_url;	/* NULL: no Redis tier */
extern const char *dc_redis_password;	/* for a URL without; may be empty */
extern int	dc_redis_timeout;	/* milliseconds */
extern int	dc_redis_connect_timeout;	/* milliseconds */
extern char *dc_redis_tls_ca_file;	/* empty: the system's authorities */
extern char *dc_redis_tls_cert_file;	/* empty: none */
extern char *dc_redis_tls_key_file;
extern int	dc_redis_tls_verify;	/* a DcTlsVerify */
extern char *dc_key_prefix;
extern int	dc_compress_threshold;	/* bytes; -1: never */
extern int	dc_sweep_interval;	/* milliseconds */

extern void dc_settings_define(void);

static inline Size
dc_max_entry_bytes(void)
{
	return (Size) dc_max_entry_size * 1024;
}

/* A hash of all that decides which server is talked to, and how. */
extern uint64 dc_redis_settings(void);

#endif							/* DC_SETTINGS_H */
