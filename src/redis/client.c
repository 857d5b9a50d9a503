/*
 * client.c
 *		What a process asks of Redis, as far as the breaker allows.
 *
 * Each process has one connection, opened at its first use and kept.
 */
#include "postgres.h"

#include <hiredis/hiredis.h>
#include <netdb.h>
#include <sys/un.h>

#include "utils/timeout.h"
#include "utils/timestamp.h"

#include "redis/breaker.h"
#include "redis/client.h"
#include "settings.h"

/* What the process's connection was opened with. */
static uint64 connected_with = 0;

/* By when a call has to be done, and what for. */
typedef struct DcCallTime
{
	TimestampTz began_at;
	TimestampTz deadline;
	bool		is_short;		/* by the statement's time limit, not ours */
} DcCallTime;

/*
 * A statement with a time limit of its own must not spend all of it here: it
 * would never get to its query.
 */
static DcCallTime
dc_call_time(void)
{
	TimestampTz now = GetCurrentTimestamp();
	DcCallTime	time = {
		.began_at = now,
		.deadline = TimestampTzPlusMilliseconds(now, dc_redis_timeout),
	};

	if (get_timeout_active(STATEMENT_TIMEOUT))
	{
		TimestampTz end = get_timeout_finish_time(STATEMENT_TIMEOUT);
		TimestampTz half = now + (end - now) / 2;

		time.is_short = half < time.deadline;
		time.deadline = Min(time.deadline, half);
	}
	return time;
}

/* Is there a connection, with the settings that are in force? */
static bool
dc_client_open(DcConnection *connection, TimestampTz deadline)
{
	if (dc_connection_is_open(connection) &&
		connected_with == dc_redis_settings())
		return true;
	connected_with = dc_redis_settings();
	return dc_connection_open(connection, deadline);
}

/*
 * A connection that was idle may have been closed by the server, for reasons
 * of its own or since it was restarted.  That says nothing about how it is
 * now; all commands can be repeated.
 */
static DcExchange
dc_client_exchange(DcConnection *connection, const StringInfoData *commands,
				   int n, DcReply **replies, TimestampTz deadline)
{
	bool		reused = dc_connection_is_open(connection);
	DcExchange	outcome;

	if (!dc_client_open(connection, deadline))
		return DC_EXCHANGE_FAILED;
	outcome = dc_connection_exchange(connection, commands, n, replies,
									 deadline);
	if (outcome != DC_EXCHANGE_LOST || !reused)
		return outcome;
	dc_connection_close(connection);
	if (!dc_client_open(connection, deadline))
		return DC_EXCHANGE_FAILED;
	return dc_connection_exchange(connection, commands, n, replies, deadline);
}

/*
 * The same; whatever goes wrong, no half of a reply stays behind.  Who was
 * cancelled here may have waited for a server that hangs, and others will.
 */
static DcExchange
dc_client_call(DcConnection *connection, const StringInfoData *commands,
			   int n, DcReply **replies, TimestampTz deadline)
{
	DcExchange	outcome;

	PG_TRY();
	{
		outcome = dc_client_exchange(connection, commands, n, replies,
									 deadline);
	}
	PG_CATCH();
	{
		dc_connection_close(connection);
		dc_breaker_suspect();
		PG_RE_THROW();
	}
	PG_END_TRY();
	if (outcome != DC_EXCHANGED)
		dc_connection_close(connection);
	return outcome;
}

DcRedisCall
dc_redis_call(const StringInfoData *commands, int n, DcReply **replies)
{
	DcConnection *connection = dc_connection();
	DcCallTime	time;

	if (!dc_breaker_allows())
		return DC_REDIS_NO_ANSWER;
	time = dc_call_time();
	switch (dc_client_call(connection, commands, n, replies, time.deadline))
	{
		case DC_EXCHANGED:
			return DC_REDIS_ANSWERED;
		case DC_EXCHANGE_TOO_LONG:
			return DC_REDIS_TOO_LONG;
		case DC_EXCHANGE_LOST:
		case DC_EXCHANGE_FAILED:
			break;
	}
	if (time.is_short)
		dc_breaker_suspect();
	else if (!dc_connection_is_local(connection))
		dc_breaker_open(dc_connection_error(connection), time.began_at);
	return DC_REDIS_NO_ANSWER;
}

void
dc_redis_forget(void)
{
	dc_connection_forget(dc_connection());
}

/* Does the error say that no command would do? */
static bool
dc_is_outage(const char *error)
{
	static const char *const outages[] = {"LOADING", "BUSY ", "NOAUTH"};

	for (int i = 0; i < lengthof(outages); i++)
	{
		if (strncmp(error, outages[i], strlen(outages[i])) == 0)
			return true;
	}
	return false;
}

bool
dc_redis_refused(const DcReply *reply)
{
	if (reply->type != REDIS_REPLY_ERROR)
		return false;
	if (dc_is_outage(reply->bytes))
	{
		dc_breaker_open(reply->bytes, GetCurrentTimestamp());
		dc_connection_close(dc_connection());	/* and the reply with it */
		return true;
	}
	dc_breaker_refused(reply->bytes);

	/* The server that takes writes may be another one by now. */
	if (strncmp(reply->bytes, "READONLY", 8) == 0)
	{
		dc_breaker_suspect();
		dc_connection_close(dc_connection());
	}
	return true;
}

/*
 * The worker's part.
 */

static int
dc_resolve_unix(const char *path, DcAddress *addresses)
{
	struct sockaddr_un *address = (struct sockaddr_un *) &addresses[0].address;

	memset(address, 0, sizeof(*address));
	address->sun_family = AF_UNIX;
	strlcpy(address->sun_path, path, sizeof(address->sun_path));
	addresses[0].length = sizeof(*address);
	return 1;
}

/*
 * This may block for as long as the system's resolver likes, which is why
 * only the worker does it.
 */
static int
dc_resolve_host(const DcUrl *url, DcAddress *addresses, const char **error)
{
	struct addrinfo hints = {
		.ai_socktype = SOCK_STREAM,
		.ai_flags = AI_NUMERICHOST,
	};
	struct addrinfo *found = NULL;
	char		port[16];
	int			n = 0;
	int			result;

	snprintf(port, sizeof(port), "%d", url->port);
	result = getaddrinfo(url->host, port, &hints, &found);
	if (result == EAI_NONAME)
	{
		hints.ai_flags = 0;
		result = getaddrinfo(url->host, port, &hints, &found);
	}
	if (result != 0)
	{
		*error = gai_strerror(result);
		return 0;
	}
	for (struct addrinfo *a = found; a != NULL && n < DC_MAX_ADDRESSES;
		 a = a->ai_next)
	{
		memcpy(&addresses[n].address, a->ai_addr, a->ai_addrlen);
		addresses[n++].length = a->ai_addrlen;
	}
	freeaddrinfo(found);
	return n;
}

static bool
dc_ping(DcConnection *connection, const char **error)
{
	const char *word = "PING";
	size_t		length = strlen(word);
	StringInfoData command;
	DcReply    *reply;
	DcExchange	outcome;

	initStringInfo(&command);
	dc_append_command(&command, 1, &word, &length);
	outcome = dc_client_call(connection, &command, 1, &reply,
							 dc_call_time().deadline);
	pfree(command.data);
	*error = dc_connection_error(connection);
	if (outcome != DC_EXCHANGED)
		return false;
	*error = reply->type == REDIS_REPLY_ERROR ? reply->bytes : "unexpected reply";
	return reply->type == REDIS_REPLY_STATUS;
}

bool
dc_redis_probe(void)
{
	DcConnection *connection = dc_connection();
	DcAddress	addresses[DC_MAX_ADDRESSES];
	const char *error = "its host name has no address";
	int			n;

	/* A new connection: whether one can be made is part of the question. */
	dc_connection_close(connection);
	n = dc_redis_url->is_unix ? dc_resolve_unix(dc_redis_url->path, addresses) :
		dc_resolve_host(dc_redis_url, addresses, &error);
	dc_breaker_try(addresses, n);
	if (n > 0 && dc_ping(connection, &error))
	{
		dc_breaker_close();
		return true;
	}
	dc_breaker_open(error, GetCurrentTimestamp());
	dc_connection_close(connection);
	return false;
}
