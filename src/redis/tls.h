/*
 * tls.h
 *		TLS on a socket that does not block.
 */
#ifndef DC_TLS_H
#define DC_TLS_H

#include "redis/url.h"

/* What an operation on a socket that does not block came to. */
typedef enum DcIo
{
	DC_IO_DONE,
	DC_IO_WANTS_READ,			/* again, when there is something to read */
	DC_IO_WANTS_WRITE,
	DC_IO_CLOSED,				/* by the other side */
	DC_IO_FAILED,
} DcIo;

typedef struct DcTls DcTls;

/*
 * A session for the socket, malloc'd; NULL, with the reason in error, if the
 * settings allow none.  None of these throws.
 */
extern DcTls *dc_tls_new(int socket, const DcUrl *url, char *error,
						 Size error_room);
extern void dc_tls_free(DcTls *tls);

extern DcIo dc_tls_handshake(DcTls *tls, char *error, Size error_room);

/* Both set *done, the bytes that went, on DC_IO_DONE. */
extern DcIo dc_tls_send(DcTls *tls, const char *bytes, Size size, Size *done,
						char *error, Size error_room);
extern DcIo dc_tls_receive(DcTls *tls, char *bytes, Size room, Size *done,
						   char *error, Size error_room);

#endif							/* DC_TLS_H */
