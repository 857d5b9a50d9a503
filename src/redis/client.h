/*
 * client.h
 *		What a process asks of Redis, as far as the breaker allows.
 */
#ifndef DC_CLIENT_H
#define DC_CLIENT_H

#include "redis/connection.h"

/* What became of a call. */
typedef enum DcRedisCall
{
	DC_REDIS_ANSWERED,
	DC_REDIS_NO_ANSWER,			/* it cannot be used */
	DC_REDIS_TOO_LONG,			/* its answer cannot be taken */
} DcRedisCall;

/*
 * Sends the commands over the process's connection, which is opened if need
 * be, and takes n replies, which live until the next call.  If Redis cannot be
 * used, nothing else needs to be done about it: the breaker is open then, or
 * the worker asked to have a look, unless the trouble is this process's own.
 * The only errors that it raises are those of whoever cancels the query.
 */
extern DcRedisCall dc_redis_call(const StringInfoData *commands, int n,
								 DcReply **replies);

/* Gives back the memory of the last call's replies. */
extern void dc_redis_forget(void);

/*
 * Is the reply an error?  Then it is noted, and if it says that Redis is of
 * no use at all, the breaker opened.  The replies may be gone then.
 */
extern bool dc_redis_refused(const DcReply *reply);

/*
 * For the worker: finds the server, tries whether it answers, and opens or
 * closes the breaker accordingly.
 */
extern bool dc_redis_probe(void);

#endif							/* DC_CLIENT_H */
