/*
 * connection.h
 *		A connection to Redis: sends commands, and waits for the replies.
 */
#ifndef DC_CONNECTION_H
#define DC_CONNECTION_H

#include "datatype/timestamp.h"
#include "lib/stringinfo.h"

/* A reply; type is one of hiredis's REDIS_REPLY_ constants. */
typedef struct DcReply
{
	int			type;
	int64		integer;
	const char *bytes;			/* of a string, status or error */
	Size		length;
	Size		n;				/* of an array */
	struct DcReply **elements;
} DcReply;

typedef struct DcConnection DcConnection;

/* What became of an exchange. */
typedef enum DcExchange
{
	DC_EXCHANGED,
	DC_EXCHANGE_LOST,			/* closed before any answer came */
	DC_EXCHANGE_TOO_LONG,		/* it answers more than can be taken */
	DC_EXCHANGE_FAILED,
} DcExchange;

/* The process's only one; it is not open yet. */
extern DcConnection *dc_connection(void);
extern bool dc_connection_is_open(const DcConnection *connection);

/*
 * Connects with the settings that are in force, and introduces itself.  False
 * if that fails, with the reason in dc_connection_error().
 */
extern bool dc_connection_open(DcConnection *connection, TimestampTz deadline);
extern void dc_connection_close(DcConnection *connection);
extern const char *dc_connection_error(const DcConnection *connection);

/* Does the failure say nothing about the server? */
extern bool dc_connection_is_local(const DcConnection *connection);

/*
 * Sends the commands and takes n replies, which live until the next exchange.
 * The replies' types are unchecked, and errors among them.  If it fails, or
 * raises an error since the query was cancelled, the connection has to be
 * closed: what is still to come would be taken for other commands' replies.
 */
extern DcExchange dc_connection_exchange(DcConnection *connection,
										 const StringInfoData *commands,
										 int n, DcReply **replies,
										 TimestampTz deadline);

/* Gives back the replies' memory. */
extern void dc_connection_forget(DcConnection *connection);

/* Appends a command; the arguments may hold any bytes. */
extern void dc_append_command(StringInfo out, int n, const char **arguments,
							  const size_t *lengths);

#endif							/* DC_CONNECTION_H */
