/*
 * connection.c
 *		A connection to Redis: sends commands, and waits for the replies.
 *
 * hiredis formats the commands and parses the replies; the socket is ours
 * (socket.c).  hiredis's own blocking calls ignore a cancelled query, take a
 * signal for a failure, and have no deadline for a command as a whole.
 *
 * What is malloc'd hangs on the connection, so an error that is raised while
 * waiting loses nothing; the replies are palloc'd and go with the next
 * exchange.
 */
#include "postgres.h"

#include <hiredis/hiredis.h>

#include "miscadmin.h"
#include "storage/latch.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "redis/breaker.h"
#include "redis/connection.h"
#include "redis/reply.h"
#include "redis/socket.h"
#include "settings.h"

/* Bytes that are read at once. */
#define DC_READ_SIZE 32768

/* More than a reply's strings take: their lengths, and what an error says. */
#define DC_REPLY_OVERHEAD 65536

/* A reader that has held more is replaced, so that its buffer goes. */
#define DC_KEEP_READER 32768

struct DcConnection
{
	DcSocket	socket;
	redisReader *reader;
	MemoryContext replies;
	Size		received;		/* bytes, in this exchange */
	char		buffer[DC_READ_SIZE];
};

DcConnection *
dc_connection(void)
{
	static DcConnection *connection = NULL;

	if (connection == NULL)
	{
		DcConnection *new = MemoryContextAllocZero(TopMemoryContext,
												   sizeof(DcConnection));

		new->replies = AllocSetContextCreate(TopMemoryContext,
											 "dashboard_cache replies",
											 ALLOCSET_DEFAULT_SIZES);
		connection = new;
	}
	return connection;
}

bool
dc_connection_is_open(const DcConnection *connection)
{
	return dc_socket_is_open(&connection->socket);
}

const char *
dc_connection_error(const DcConnection *connection)
{
	return connection->socket.error;
}

bool
dc_connection_is_local(const DcConnection *connection)
{
	return connection->socket.is_local;
}

void
dc_connection_close(DcConnection *connection)
{
	dc_socket_close(&connection->socket);
	if (connection->reader != NULL)
		redisReaderFree(connection->reader);
	connection->reader = NULL;
	MemoryContextReset(connection->replies);
}

/*
 * Exchanging.
 */

static Size
dc_max_reply(void)
{
	return 2 * dc_max_entry_bytes() + DC_REPLY_OVERHEAD;
}

/* Gives what was received to the reader, and takes the replies there are. */
static bool
dc_take_replies(DcConnection *connection, Size received, int n,
				DcReply **replies, int *n_taken)
{
	void	   *reply = NULL;

	connection->received += received;
	if (redisReaderFeed(connection->reader, connection->buffer,
						received) != REDIS_OK)
		return dc_socket_fail(&connection->socket, "out of memory");
	while (*n_taken < n)
	{
		if (redisReaderGetReply(connection->reader, &reply) != REDIS_OK)
			return dc_socket_fail(&connection->socket, connection->reader->errstr);
		if (reply == NULL)
			return true;
		replies[(*n_taken)++] = reply;
	}

	/* What nobody has asked for shifts all that follows. */
	if (connection->reader->pos != connection->reader->len)
		return dc_socket_fail(&connection->socket, "unexpected reply");
	return true;
}

void
dc_connection_forget(DcConnection *connection)
{
	MemoryContextReset(connection->replies);
	if (connection->reader != NULL && connection->received > DC_KEEP_READER)
	{
		redisReaderFree(connection->reader);
		connection->reader = NULL;
	}
	connection->received = 0;
}

/* What a broken connection means depends on what has come before. */
static DcExchange
dc_broken(DcConnection *connection, DcIo outcome)
{
	if (outcome == DC_IO_CLOSED)
		dc_socket_fail(&connection->socket, "connection closed by the server");
	return outcome == DC_IO_CLOSED && connection->received == 0 ?
		DC_EXCHANGE_LOST : DC_EXCHANGE_FAILED;
}

/* Sends as much as the socket takes. */
static DcIo
dc_send_some(DcConnection *connection, const StringInfoData *commands,
			 Size *sent)
{
	DcIo		outcome = DC_IO_DONE;
	Size		done;

	while (*sent < commands->len && outcome == DC_IO_DONE)
	{
		outcome = dc_socket_send(&connection->socket, commands->data + *sent,
								 commands->len - *sent, &done);
		*sent += done;
	}

	/* It may have said why before it closed the connection. */
	if (outcome == DC_IO_CLOSED)
	{
		*sent = commands->len;
		outcome = DC_IO_DONE;
	}
	return outcome;
}

/*
 * While something is left to be sent, replies are taken all the same: the
 * other side may stop reading until they are.
 */
static DcExchange
dc_exchange(DcConnection *connection, const StringInfoData *commands, int n,
			DcReply **replies, TimestampTz deadline)
{
	Size		sent = 0;
	int			n_taken = 0;
	bool		may_read = false;	/* before it has answered, why try? */

	for (;;)
	{
		DcIo		sending = dc_send_some(connection, commands, &sent);
		DcIo		receiving = DC_IO_WANTS_READ;
		uint32		wait_for;
		Size		done;

		if (sending == DC_IO_FAILED)
			return DC_EXCHANGE_FAILED;

		/* What TLS has decrypted already, no socket announces. */
		if (may_read || connection->socket.tls != NULL)
			receiving = dc_socket_receive(&connection->socket,
										  connection->buffer, DC_READ_SIZE, &done);
		if (receiving >= DC_IO_CLOSED)
			return dc_broken(connection, receiving);
		if (receiving == DC_IO_DONE)
		{
			if (!dc_take_replies(connection, done, n, replies, &n_taken))
				return DC_EXCHANGE_FAILED;
			if (connection->received > dc_max_reply())
				return DC_EXCHANGE_TOO_LONG;
			if (n_taken == n)
				return DC_EXCHANGED;
			may_read = done == DC_READ_SIZE;
			if ((may_read || connection->socket.tls != NULL) &&
				GetCurrentTimestamp() < deadline)
				continue;
		}

		wait_for = WL_SOCKET_READABLE;
		if (sending == DC_IO_WANTS_WRITE || receiving == DC_IO_WANTS_WRITE)
			wait_for |= WL_SOCKET_WRITEABLE;
		if (!dc_socket_wait(&connection->socket, wait_for, deadline))
			return DC_EXCHANGE_FAILED;
		may_read = true;
	}
}

DcExchange
dc_connection_exchange(DcConnection *connection,
					   const StringInfoData *commands, int n,
					   DcReply **replies, TimestampTz deadline)
{
	connection->socket.error[0] = '\0';
	dc_connection_forget(connection);
	if (connection->reader == NULL)
		connection->reader = dc_reader_create(connection->replies);
	if (connection->reader == NULL)
	{
		dc_socket_fail(&connection->socket, "out of memory");
		return DC_EXCHANGE_FAILED;
	}
	return dc_exchange(connection, commands, n, replies, deadline);
}

/*
 * Connecting.
 */

void
dc_append_command(StringInfo out, int n, const char **arguments,
				  const size_t *lengths)
{
	Size		room = 16;
	char	   *command;
	int			length;

	/* Room first: nothing may throw while hiredis's memory is in hand. */
	for (int i = 0; i < n; i++)
		room += lengths[i] + 32;
	enlargeStringInfo(out, room);
	length = redisFormatCommandArgv(&command, n, arguments, (size_t *) lengths);
	if (length < 0)
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("out of memory")));
	memcpy(out->data + out->len, command, length);
	out->len += length;
	out->data[out->len] = '\0';
	redisFreeCommand(command);
}

/* A command of plain words. */
static void
dc_append_words(StringInfo out, int n, const char **words)
{
	size_t		lengths[3];

	for (int i = 0; i < n; i++)
		lengths[i] = strlen(words[i]);
	dc_append_command(out, n, words, lengths);
}

/* The first that a new connection says; returns how many replies to expect. */
static int
dc_append_greeting(StringInfo out, bool *has_auth)
{
	const DcUrl *url = dc_redis_url;
	const char *password = url->password[0] ? url->password : dc_redis_password;
	const char *auth[] = {"AUTH", url->user, password};
	char		number[16];
	char		name[64];
	const char *select[] = {"SELECT", number};
	const char *set_name[] = {"CLIENT", "SETNAME", name};
	int			n = 0;

	if (url->user[0] != '\0')
	{
		dc_append_words(out, 3, auth);
		n++;
	}
	else if (password[0] != '\0')
	{
		auth[1] = password;
		dc_append_words(out, 2, auth);
		n++;
	}
	*has_auth = n > 0;
	if (url->database != 0)
	{
		snprintf(number, sizeof(number), "%d", url->database);
		dc_append_words(out, 2, select);
		n++;
	}
	snprintf(name, sizeof(name), "dashboard_cache:%d", MyProcPid);
	dc_append_words(out, 3, set_name);
	return n + 1;
}

/*
 * What name we have matters to nobody but who looks; not all servers have
 * names, and not everybody may have one.
 */
static bool
dc_is_about_name(const char *error)
{
	return strncmp(error, "NOPERM", 6) == 0 ||
		strncmp(error, "ERR unknown", 11) == 0;
}

/*
 * An error may quote its command, and so the password: of those that are not
 * known to, the first word has to do.
 */
static bool
dc_refused_auth(DcConnection *connection, const char *error)
{
	static const char *const harmless[] = {
		"WRONGPASS", "NOPERM", "LOADING", "DENIED", "ERR AUTH",
		"ERR Client sent AUTH", "ERR max number of clients",
	};

	for (int i = 0; i < lengthof(harmless); i++)
	{
		if (strncmp(error, harmless[i], strlen(harmless[i])) == 0)
			return dc_socket_fail(&connection->socket, error);
	}
	snprintf(connection->socket.error, DC_REDIS_ERROR,
			 "%.*s: AUTH was refused", (int) strcspn(error, " "), error);
	return false;
}

/* Is the reply to the greeting's i-th command of n what it should be? */
static bool
dc_is_welcome(DcConnection *connection, const DcReply *reply, int i, int n,
			  bool has_auth)
{
	if (reply->type == REDIS_REPLY_STATUS)
		return true;
	if (reply->type != REDIS_REPLY_ERROR)
		return dc_socket_fail(&connection->socket, "unexpected reply");
	if (i == 0 && has_auth)
		return dc_refused_auth(connection, reply->bytes);
	return (i == n - 1 && dc_is_about_name(reply->bytes)) ||
		dc_socket_fail(&connection->socket, reply->bytes);
}

/* Says who we are. */
static bool
dc_greet(DcConnection *connection, TimestampTz deadline)
{
	StringInfoData greeting;
	DcReply    *replies[3];
	DcExchange	outcome;
	bool		has_auth;
	int			n;

	initStringInfo(&greeting);
	n = dc_append_greeting(&greeting, &has_auth);
	outcome = dc_connection_exchange(connection, &greeting, n, replies,
									 deadline);
	explicit_bzero(greeting.data, greeting.len);
	pfree(greeting.data);
	if (outcome != DC_EXCHANGED)
		return false;
	for (int i = 0; i < n; i++)
	{
		if (!dc_is_welcome(connection, replies[i], i, n, has_auth))
			return false;
	}
	return true;
}

static bool
dc_connection_try(DcConnection *connection, const DcAddress *address,
				  TimestampTz deadline)
{
	return dc_socket_open(&connection->socket, address, deadline) &&
		dc_greet(connection, deadline);
}

bool
dc_connection_open(DcConnection *connection, TimestampTz deadline)
{
	DcAddress	addresses[DC_MAX_ADDRESSES];
	int			n = dc_breaker_addresses(addresses);
	TimestampTz give_up = TimestampTzPlusMilliseconds(GetCurrentTimestamp(),
													  dc_redis_connect_timeout);

	give_up = Min(give_up, deadline);
	dc_socket_fail(&connection->socket, "its address is not known");
	for (int i = 0; i < n; i++)
	{
		TimestampTz now = GetCurrentTimestamp();

		/* An address that does not answer leaves time for the others. */
		dc_connection_close(connection);
		if (dc_connection_try(connection, &addresses[i],
							  now + (give_up - now) / (n - i)))
			return true;
	}
	dc_connection_close(connection);
	return false;
}
