/*
 * socket.c
 *		A socket that never blocks, with TLS or without.
 *
 * Whoever waits can be cancelled, notices the postmaster's end, and gives up
 * at a deadline.  All that is opened or malloc'd hangs on the DcSocket, so an
 * error that is raised while waiting loses nothing, if it is closed then.
 */
#include "postgres.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "miscadmin.h"
#include "pgstat.h"
#include "storage/fd.h"
#include "storage/latch.h"
#include "utils/timestamp.h"

#include "compat.h"
#include "redis/socket.h"
#include "settings.h"

/* Notes why something failed; returns false. */
bool
dc_socket_fail(DcSocket *sock, const char *error)
{
	strlcpy(sock->error, error, DC_REDIS_ERROR);
	return false;
}

static bool
dc_socket_fail_errno(DcSocket *sock, const char *doing)
{
	int			error_number = errno;

	snprintf(sock->error, DC_REDIS_ERROR, "%s: %s", doing,
			 strerror(error_number));
	return false;
}

/*
 * Waiting.
 */

/* False if the deadline has passed. */
bool
dc_socket_wait(DcSocket *sock, uint32 for_what, TimestampTz deadline)
{
	WaitEvent	event;

	if (sock->waits_for != for_what)
		ModifyWaitEvent(sock->events, sock->event, for_what,
						NULL);
	sock->waits_for = for_what;
	for (;;)
	{
		long		timeout = TimestampDifferenceMilliseconds(GetCurrentTimestamp(),
															  deadline);

		if (timeout <= 0 ||
			WaitEventSetWait(sock->events, timeout, &event, 1,
							 PG_WAIT_EXTENSION) == 0)
			return dc_socket_fail(sock, "timeout");
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
dc_wait_for(DcSocket *sock, DcIo want, TimestampTz deadline)
{
	return dc_socket_wait(sock, want == DC_IO_WANTS_WRITE ?
						  WL_SOCKET_WRITEABLE : WL_SOCKET_READABLE, deadline);
}

/*
 * Sending and receiving, with TLS or without.
 */

static DcIo
dc_io_outcome(DcSocket *sock, ssize_t result, DcIo want,
			  const char *doing, Size *done)
{
	*done = Max(result, 0);
	if (result > 0)
		return DC_IO_DONE;
	if (result == 0 || errno == ECONNRESET || errno == EPIPE)
		return DC_IO_CLOSED;
	if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)
		return want;
	dc_socket_fail_errno(sock, doing);
	return DC_IO_FAILED;
}

DcIo
dc_socket_send(DcSocket *sock, const char *bytes, Size size, Size *done)
{
	if (sock->tls != NULL)
		return dc_tls_send(sock->tls, bytes, size, done,
						   sock->error, DC_REDIS_ERROR);
	return dc_io_outcome(sock,
						 send(sock->fd, bytes, size, MSG_NOSIGNAL),
						 DC_IO_WANTS_WRITE, "could not send", done);
}

DcIo
dc_socket_receive(DcSocket *sock, char *bytes, Size room, Size *done)
{
	if (sock->tls != NULL)
		return dc_tls_receive(sock->tls, bytes, room, done,
							  sock->error, DC_REDIS_ERROR);
	return dc_io_outcome(sock,
						 recv(sock->fd, bytes, room, 0),
						 DC_IO_WANTS_READ, "could not receive", done);
}

/*
 * Opening and closing.
 */

/* Makes the socket and what to wait with. */
static bool
dc_open_socket(DcSocket *sock, int family)
{
	pgsocket	new;
	int			on = 1;

	sock->is_local = true;

	/* Two are needed: the set of events has one of its own, or throws. */
	if (!AcquireExternalFD())
		return dc_socket_fail_errno(sock, "could not open a socket");
	if (!AcquireExternalFD())
	{
		ReleaseExternalFD();
		return dc_socket_fail_errno(sock, "could not open a socket");
	}
	ReleaseExternalFD();
	new = socket(family, SOCK_STREAM, 0);
	if (new == PGINVALID_SOCKET)
	{
		ReleaseExternalFD();
		return dc_socket_fail_errno(sock, "could not open a socket");
	}
	sock->fd = new;
	sock->has_fd = true;
	if (!pg_set_noblock(new) || fcntl(new, F_SETFD, FD_CLOEXEC) != 0 ||
		(family != AF_UNIX &&
		 setsockopt(new, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) != 0))
		return dc_socket_fail_errno(sock, "could not set up a socket");

	sock->events = dc_create_wait_events(3);
	AddWaitEventToSet(sock->events, WL_LATCH_SET, PGINVALID_SOCKET,
					  MyLatch, NULL);
	AddWaitEventToSet(sock->events, WL_EXIT_ON_PM_DEATH,
					  PGINVALID_SOCKET, NULL, NULL);
	sock->event =
		AddWaitEventToSet(sock->events, WL_SOCKET_WRITEABLE, new, NULL,
						  NULL);
	sock->waits_for = WL_SOCKET_WRITEABLE;
	sock->is_local = false;
	return true;
}

static bool
dc_connect(DcSocket *sock, const DcAddress *address,
		   TimestampTz deadline)
{
	const struct sockaddr *to = (const struct sockaddr *) &address->address;
	int			error = 0;
	socklen_t	length = sizeof(error);

	if (!dc_open_socket(sock, to->sa_family))
		return false;
	if (connect(sock->fd, to, address->length) == 0)
		return true;
	if (errno == EINPROGRESS || errno == EINTR)
	{
		if (!dc_socket_wait(sock, WL_SOCKET_WRITEABLE, deadline))
			return false;
		if (getsockopt(sock->fd, SOL_SOCKET, SO_ERROR, &error,
					   &length) == 0)
			errno = error;
		if (errno == 0)
			return true;
	}

	/* A unix socket's queue is full: too many come at once. */
	sock->is_local = errno == EAGAIN;
	return dc_socket_fail_errno(sock, "could not connect");
}

static bool
dc_start_tls(DcSocket *sock, TimestampTz deadline)
{
	DcIo		outcome;

	sock->tls = dc_tls_new(sock->fd, dc_redis_url,
						   sock->error, DC_REDIS_ERROR);
	if (sock->tls == NULL)
		return false;
	while ((outcome = dc_tls_handshake(sock->tls, sock->error,
									   DC_REDIS_ERROR)) != DC_IO_DONE)
	{
		if (outcome == DC_IO_CLOSED)
			dc_socket_fail(sock, "TLS handshake: connection closed by the server");
		if (outcome >= DC_IO_CLOSED ||
			!dc_wait_for(sock, outcome, deadline))
			return false;
	}
	return true;
}

bool
dc_socket_open(DcSocket *sock, const DcAddress *address, TimestampTz deadline)
{
	return dc_connect(sock, address, deadline) &&
		(!dc_redis_url->is_tls || dc_start_tls(sock, deadline));
}

bool
dc_socket_is_open(const DcSocket *sock)
{
	return sock->events != NULL;
}

void
dc_socket_close(DcSocket *sock)
{
	dc_tls_free(sock->tls);
	if (sock->events != NULL)
		FreeWaitEventSet(sock->events);
	if (sock->has_fd)
	{
		closesocket(sock->fd);
		ReleaseExternalFD();
	}
	sock->tls = NULL;
	sock->events = NULL;
	sock->has_fd = false;
}
