/*
 * reply.h
 *		Replies of Redis, as hiredis's reader makes them.
 */
#ifndef DC_REPLY_H
#define DC_REPLY_H

#include <hiredis/read.h>

#include "redis/connection.h"

/*
 * A reader whose replies are palloc'd in the context, so that none is lost
 * when an error is raised; NULL if there is no memory.
 */
extern redisReader *dc_reader_create(MemoryContext context);

#endif							/* DC_REPLY_H */
