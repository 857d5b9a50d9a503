/*
 * breaker.h
 *		Whether Redis is used at all just now: one answer for all processes.
 */
#ifndef DC_BREAKER_H
#define DC_BREAKER_H

#include <sys/socket.h>

#include "datatype/timestamp.h"
#include "redis/url.h"

/* Room for an error's text. */
#define DC_REDIS_ERROR 256

/* So many addresses of a host name are tried. */
#define DC_MAX_ADDRESSES 8

typedef enum DcBreakerState
{
	DC_REDIS_OFF,				/* no redis_url */
	DC_REDIS_CONNECTING,		/* not tried yet, since the settings changed */
	DC_REDIS_UP,
	DC_REDIS_DOWN,
} DcBreakerState;

typedef struct DcAddress
{
	socklen_t	length;
	struct sockaddr_storage address;
} DcAddress;

typedef struct DcBreakerStatus
{
	DcBreakerState state;
	TimestampTz since;
	char		server[DC_URL_DESCRIPTION];
	char		last_error[DC_REDIS_ERROR]; /* empty: none */
	TimestampTz last_error_at;
} DcBreakerStatus;

extern Size dc_breaker_shmem_size(void);
extern void dc_breaker_shmem_init(void);
extern DcBreakerStatus dc_breaker_status(void);

/* May this process, with the settings that it knows, use Redis? */
extern bool dc_breaker_allows(void);

/* Where the server is, as found by the worker; at most DC_MAX_ADDRESSES. */
extern int	dc_breaker_addresses(DcAddress *addresses);

/*
 * For everybody: it cannot be used, as was found by what began at that time
 * (opens the breaker); it refused a command; it may be that it cannot be used
 * (the worker will have a look).
 */
extern void dc_breaker_open(const char *reason, TimestampTz began_at);
extern void dc_breaker_refused(const char *reason);
extern void dc_breaker_suspect(void);

/*
 * For the worker: the settings have changed; where the server may be; it
 * answers (closes the breaker).
 */
extern void dc_breaker_reset(void);
extern void dc_breaker_try(const DcAddress *addresses, int n);
extern void dc_breaker_close(void);
extern bool dc_breaker_is_suspected(void);

#endif							/* DC_BREAKER_H */
