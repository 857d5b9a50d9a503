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

#include "utils/timestamp.h"

#include "redis/breaker.h"
#include "redis/client.h"
#include "settings.h"

/* What the process's connection was opened with. */
static uint64 connected_with = 0;

static TimestampTz
dc_deadline(void)
{
	return TimestampTzPlusMilliseconds(GetCurrentTimestamp(), dc_redis_timeout);
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
static bool
dc_client_exchange(DcConnection *connection, const StringInfoData *commands,
				   int n, DcReply **replies)
{
	TimestampTz deadline = dc_deadline();
	bool		reused = dc_connection_is_open(connection);
	DcExchange	outcome;

	if (!dc_client_open(connection, deadline))
		return false;
	outcome = dc_connection_exchange(connection, commands, n, replies,
									 deadline);
	if (outcome == DC_EXCHANGE_LOST && reused)
	{
		dc_connection_close(connection);
		if (!dc_client_open(connection, deadline))
			return false;
		outcome = dc_connection_exchange(connection, commands, n, replies,
										 deadline);
	}
	return outcome == DC_EXCHANGED;
}

/* The same; whatever goes wrong, no half of a reply stays behind. */
static bool
dc_client_call(DcConnection *connection, const StringInfoData *commands,
			   int n, DcReply **replies)
{
	bool		done;

	PG_TRY();
	{
		done = dc_client_exchange(connection, commands, n, replies);
	}
	PG_CATCH();
	{
		dc_connection_close(connection);
		PG_RE_THROW();
	}
	PG_END_TRY();
	if (!done)
		dc_connection_close(connection);
	return done;
}

bool
dc_redis_call(const StringInfoData *commands, int n, DcReply **replies)
{
	DcConnection *connection = dc_connection();

	if (!dc_breaker_allows())
		return false;
	if (dc_client_call(connection, commands, n, replies))
		return true;
	dc_breaker_open(dc_connection_error(connection));
	return false;
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
		dc_breaker_open(reply->bytes);
		dc_connection_close(dc_connection());	/* and the reply with it */
	}
	else
		dc_breaker_refused(reply->bytes);
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
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM,.ai_flags = AI_ADDRCONFIG};
	struct addrinfo *found = NULL;
	char		port[16];
	int			n = 0;
	int			result;

	snprintf(port, sizeof(port), "%d", url->port);
	result = getaddrinfo(url->host, port, &hints, &found);

	/* A machine with nothing but a loopback interface has no address. */
	if (result != 0)
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
	bool		exchanged;

	initStringInfo(&command);
	dc_append_command(&command, 1, &word, &length);
	exchanged = dc_client_call(connection, &command, 1, &reply);
	pfree(command.data);
	*error = dc_connection_error(connection);
	if (!exchanged)
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
	dc_breaker_open(error);
	dc_connection_close(connection);
	return false;
}
