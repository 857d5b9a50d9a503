/*
 * socket.h
 *		A socket that never blocks, with TLS or without.
 */
#ifndef DC_SOCKET_H
#define DC_SOCKET_H

#include "redis/breaker.h"
#include "redis/tls.h"

/* All zeros: not open. */
typedef struct DcSocket
{
	bool		has_fd;
	pgsocket	fd;
	DcTls	   *tls;			/* NULL: none */
	struct WaitEventSet *events;	/* NULL: not open */
	int			event;			/* the socket's, among them */
	uint32		waits_for;		/* what that is set to */
	bool		is_local;		/* the failure says nothing about the server */
	char		error[DC_REDIS_ERROR];	/* why something failed */
} DcSocket;

/*
 * Connects, and with a rediss URL makes sure of the server.  Half open, if it
 * fails.
 */
extern bool dc_socket_open(DcSocket *sock, const DcAddress *address,
						   TimestampTz deadline);
extern bool dc_socket_is_open(const DcSocket *sock);
extern void dc_socket_close(DcSocket *sock);

/* Waits for WL_SOCKET_ events; false if the deadline has passed. */
extern bool dc_socket_wait(DcSocket *sock, uint32 for_what,
						   TimestampTz deadline);

/* On DC_IO_DONE *done is how many bytes went. */
extern DcIo dc_socket_send(DcSocket *sock, const char *bytes, Size size,
						   Size *done);
extern DcIo dc_socket_receive(DcSocket *sock, char *bytes, Size room,
							  Size *done);

/* Notes why something failed; returns false. */
extern bool dc_socket_fail(DcSocket *sock, const char *error);

#endif							/* DC_SOCKET_H */
