/*
 * connection.c
 *		A connection to Redis: sends commands, and waits for the replies.
 *
 * hiredis formats the commands and parses the replies.  The socket is ours and
 * never blocks: whoever waits can be cancelled, notices the postmaster's end,
 * and has one deadline for all that an exchange needs.
 *
 * What is malloc'd (the reader's buffer, OpenSSL's session) hangs on the
 * connection, so an error that is raised while waiting loses nothing; the
 * replies are palloc'd and go with the next exchange.
 */
#include "postgres.h"

#include <fcntl.h>
#include <hiredis/hiredis.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <unistd.h>

#include "miscadmin.h"
#include "pgstat.h"
#include "storage/fd.h"
#include "storage/latch.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "compat.h"
#include "redis/breaker.h"
#include "redis/connection.h"
#include "redis/reply.h"
#include "redis/tls.h"
#include "settings.h"

/* Bytes that are read at once. */
#define DC_READ_SIZE 32768

/* More than a reply's strings take: their lengths, and what an error says. */
#define DC_REPLY_OVERHEAD 65536

/* A reader that has held more is replaced, so that its buffer goes. */
#define DC_KEEP_READER 32768

struct DcConnection
{
	pgsocket	socket;			/* PGINVALID_SOCKET: not open */
	DcTls	   *tls;			/* NULL: none */
	WaitEventSet *events;
	int			socket_event;
	uint32		waits_for;		/* what socket_event is set to */
	redisReader *reader;
	MemoryContext replies;
	Size		received;		/* bytes, in this exchange */
	char		error[DC_REDIS_ERROR];
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

		new->socket = PGINVALID_SOCKET;
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
	return connection->socket != PGINVALID_SOCKET;
}

const char *
dc_connection_error(const DcConnection *connection)
{
	return connection->error;
}

void
dc_connection_close(DcConnection *connection)
{
	dc_tls_free(connection->tls);
	connection->tls = NULL;
	if (connection->events != NULL)
		FreeWaitEventSet(connection->events);
	connection->events = NULL;
	if (connection->reader != NULL)
		redisReaderFree(connection->reader);
	connection->reader = NULL;
	if (connection->socket != PGINVALID_SOCKET)
	{
		closesocket(connection->socket);
		ReleaseExternalFD();
	}
	connection->socket = PGINVALID_SOCKET;
	MemoryContextReset(connection->replies);
}

/* Notes why something failed; returns false. */
static bool
dc_fail(DcConnection *connection, const char *error)
{
	strlcpy(connection->error, error, DC_REDIS_ERROR);
	return false;
}

static bool
dc_fail_errno(DcConnection *connection, const char *doing)
{
	int			error_number = errno;

	snprintf(connection->error, DC_REDIS_ERROR, "%s: %s", doing,
			 strerror(error_number));
	return false;
}

/*
 * Waiting.
 */

/* False if the deadline has passed. */
static bool
dc_wait(DcConnection *connection, uint32 for_what, TimestampTz deadline)
{
	WaitEvent	event;

	if (connection->waits_for != for_what)
		ModifyWaitEvent(connection->events, connection->socket_event, for_what,
						NULL);
	connection->waits_for = for_what;
	for (;;)
	{
		long		timeout = TimestampDifferenceMilliseconds(GetCurrentTimestamp(),
															  deadline);

		if (timeout <= 0 ||
			WaitEventSetWait(connection->events, timeout, &event, 1,
							 PG_WAIT_EXTENSION) == 0)
			return dc_fail(connection, "timeout");
		if (event.events & WL_LATCH_SET)
		{
			ResetLatch(MyLatch);
			CHECK_FOR_INTERRUPTS();
		}
		else
			return true;
	}
}

/* Waits for what an operation wants before it can go on. */
static bool
dc_wait_for(DcConnection *connection, DcIo want, TimestampTz deadline)
{
	return dc_wait(connection, want == DC_IO_WANTS_WRITE ?
				   WL_SOCKET_WRITEABLE : WL_SOCKET_READABLE, deadline);
}

/*
 * Sending and receiving, with TLS or without.
 */

static DcIo
dc_io_outcome(DcConnection *connection, ssize_t result, DcIo want,
			  const char *doing, Size *done)
{
	*done = Max(result, 0);
	if (result > 0)
		return DC_IO_DONE;
	if (result == 0 || errno == ECONNRESET || errno == EPIPE)
		return DC_IO_CLOSED;
	if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)
		return want;
	dc_fail_errno(connection, doing);
	return DC_IO_FAILED;
}

static DcIo
dc_send(DcConnection *connection, const char *bytes, Size size, Size *done)
{
	if (connection->tls != NULL)
		return dc_tls_send(connection->tls, bytes, size, done,
						   connection->error, DC_REDIS_ERROR);
	return dc_io_outcome(connection,
						 send(connection->socket, bytes, size, MSG_NOSIGNAL),
						 DC_IO_WANTS_WRITE, "could not send", done);
}

static DcIo
dc_receive(DcConnection *connection, Size *done)
{
	if (connection->tls != NULL)
		return dc_tls_receive(connection->tls, connection->buffer,
							  DC_READ_SIZE, done,
							  connection->error, DC_REDIS_ERROR);
	return dc_io_outcome(connection,
						 recv(connection->socket, connection->buffer,
							  DC_READ_SIZE, 0),
						 DC_IO_WANTS_READ, "could not receive", done);
}

/*
 * Exchanging.
 */

static Size
dc_max_reply(void)
{
	return (Size) dc_max_entry_size * 1024 * 2 + DC_REPLY_OVERHEAD;
}

/* Gives what was received to the reader, and takes the replies there are. */
static bool
dc_take_replies(DcConnection *connection, Size received, int n,
				DcReply **replies, int *n_taken)
{
	void	   *reply = NULL;

	connection->received += received;
	if (connection->received > dc_max_reply())
		return dc_fail(connection, "reply is too long");
	if (redisReaderFeed(connection->reader, connection->buffer,
						received) != REDIS_OK)
		return dc_fail(connection, "out of memory");
	while (*n_taken < n)
	{
		if (redisReaderGetReply(connection->reader, &reply) != REDIS_OK)
			return dc_fail(connection, connection->reader->errstr);
		if (reply == NULL)
			return true;
		replies[(*n_taken)++] = reply;
	}

	/* What nobody has asked for shifts all that follows. */
	if (connection->reader->pos != connection->reader->len)
		return dc_fail(connection, "unexpected reply");
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
		dc_fail(connection, "connection closed by the server");
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
		outcome = dc_send(connection, commands->data + *sent,
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
		if (may_read || connection->tls != NULL)
			receiving = dc_receive(connection, &done);
		if (receiving >= DC_IO_CLOSED)
			return dc_broken(connection, receiving);
		if (receiving == DC_IO_DONE)
		{
			if (!dc_take_replies(connection, done, n, replies, &n_taken))
				return DC_EXCHANGE_FAILED;
			if (n_taken == n)
				return DC_EXCHANGED;
			may_read = done == DC_READ_SIZE;
			if (may_read || connection->tls != NULL)
				continue;
		}

		wait_for = WL_SOCKET_READABLE;
		if (sending == DC_IO_WANTS_WRITE || receiving == DC_IO_WANTS_WRITE)
			wait_for |= WL_SOCKET_WRITEABLE;
		if (!dc_wait(connection, wait_for, deadline))
			return DC_EXCHANGE_FAILED;
		may_read = true;
	}
}

DcExchange
dc_connection_exchange(DcConnection *connection,
					   const StringInfoData *commands, int n,
					   DcReply **replies, TimestampTz deadline)
{
	connection->error[0] = '\0';
	dc_connection_forget(connection);
	if (connection->reader == NULL)
		connection->reader = dc_reader_create(connection->replies);
	if (connection->reader == NULL)
	{
		dc_fail(connection, "out of memory");
		return DC_EXCHANGE_FAILED;
	}
	return dc_exchange(connection, commands, n, replies, deadline);
}

/*
 * Connecting.
 */

/* Makes the socket and what to wait with. */
static bool
dc_open_socket(DcConnection *connection, int family)
{
	pgsocket	new;
	int			on = 1;

	/* Two are needed: the set of events has one of its own, or throws. */
	if (!AcquireExternalFD())
		return dc_fail_errno(connection, "could not open a socket");
	if (!AcquireExternalFD())
	{
		ReleaseExternalFD();
		return dc_fail_errno(connection, "could not open a socket");
	}
	ReleaseExternalFD();
	new = socket(family, SOCK_STREAM, 0);
	if (new == PGINVALID_SOCKET)
	{
		ReleaseExternalFD();
		return dc_fail_errno(connection, "could not open a socket");
	}
	connection->socket = new;
	if (!pg_set_noblock(new) || fcntl(new, F_SETFD, FD_CLOEXEC) != 0 ||
		(family != AF_UNIX &&
		 setsockopt(new, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) != 0))
		return dc_fail_errno(connection, "could not set up a socket");

	connection->events = dc_create_wait_events(3);
	AddWaitEventToSet(connection->events, WL_LATCH_SET, PGINVALID_SOCKET,
					  MyLatch, NULL);
	AddWaitEventToSet(connection->events, WL_EXIT_ON_PM_DEATH,
					  PGINVALID_SOCKET, NULL, NULL);
	connection->socket_event =
		AddWaitEventToSet(connection->events, WL_SOCKET_WRITEABLE, new, NULL,
						  NULL);
	connection->waits_for = WL_SOCKET_WRITEABLE;
	return true;
}

static bool
dc_connect(DcConnection *connection, const DcAddress *address,
		   TimestampTz deadline)
{
	const struct sockaddr *to = (const struct sockaddr *) &address->address;
	int			error = 0;
	socklen_t	length = sizeof(error);

	if (!dc_open_socket(connection, to->sa_family))
		return false;
	if (connect(connection->socket, to, address->length) == 0)
		return true;
	if (errno == EINPROGRESS || errno == EINTR)
	{
		if (!dc_wait(connection, WL_SOCKET_WRITEABLE, deadline))
			return false;
		if (getsockopt(connection->socket, SOL_SOCKET, SO_ERROR, &error,
					   &length) == 0)
			errno = error;
		if (errno == 0)
			return true;
	}
	return dc_fail_errno(connection, "could not connect");
}

static bool
dc_start_tls(DcConnection *connection, TimestampTz deadline)
{
	DcIo		outcome;

	connection->tls = dc_tls_new(connection->socket, dc_redis_url,
								 connection->error, DC_REDIS_ERROR);
	if (connection->tls == NULL)
		return false;
	while ((outcome = dc_tls_handshake(connection->tls, connection->error,
									   DC_REDIS_ERROR)) != DC_IO_DONE)
	{
		if (outcome == DC_IO_CLOSED)
			dc_fail(connection, "TLS handshake: connection closed by the server");
		if (outcome >= DC_IO_CLOSED ||
			!dc_wait_for(connection, outcome, deadline))
			return false;
	}
	return true;
}

void
dc_append_command(StringInfo out, int n, const char **arguments,
				  const size_t *lengths)
{
	char	   *command;
	int			length;

	/* Room first: nothing may throw while hiredis's memory is in hand. */
	enlargeStringInfo(out, 16);
	for (int i = 0; i < n; i++)
		enlargeStringInfo(out, out->maxlen - out->len + lengths[i] + 32);
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
dc_append_greeting(StringInfo out)
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
	snprintf(number, sizeof(number), "%d", url->database);
	dc_append_words(out, 2, select);
	snprintf(name, sizeof(name), "dashboard_cache:%d", MyProcPid);
	dc_append_words(out, 3, set_name);
	return n + 2;
}

/* Says who we are.  What name we have matters to nobody but who looks. */
static bool
dc_greet(DcConnection *connection, TimestampTz deadline)
{
	StringInfoData greeting;
	DcReply    *replies[3];
	DcExchange	outcome;
	int			n;

	initStringInfo(&greeting);
	n = dc_append_greeting(&greeting);
	outcome = dc_connection_exchange(connection, &greeting, n, replies,
									 deadline);
	explicit_bzero(greeting.data, greeting.len);
	pfree(greeting.data);
	if (outcome != DC_EXCHANGED)
		return false;
	for (int i = 0; i < n - 1; i++)
	{
		if (replies[i]->type == REDIS_REPLY_ERROR)
			return dc_fail(connection, replies[i]->bytes);
		if (replies[i]->type != REDIS_REPLY_STATUS)
			return dc_fail(connection, "unexpected reply");
	}
	return true;
}

static bool
dc_connection_try(DcConnection *connection, const DcAddress *address,
				  TimestampTz deadline)
{
	return dc_connect(connection, address, deadline) &&
		(!dc_redis_url->is_tls || dc_start_tls(connection, deadline)) &&
		dc_greet(connection, deadline);
}

bool
dc_connection_open(DcConnection *connection, TimestampTz deadline)
{
	DcAddress	addresses[DC_MAX_ADDRESSES];
	int			n = dc_breaker_addresses(addresses);
	TimestampTz give_up = TimestampTzPlusMilliseconds(GetCurrentTimestamp(),
													  dc_redis_connect_timeout);

	dc_fail(connection, "its address is not known");
	for (int i = 0; i < n; i++)
	{
		dc_connection_close(connection);
		if (dc_connection_try(connection, &addresses[i],
							  Min(deadline, give_up)))
			return true;
	}
	dc_connection_close(connection);
	return false;
}
