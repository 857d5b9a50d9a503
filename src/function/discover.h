/*
 * discover.h
 *		Watches what a cached function reads, for cache().
 */
#ifndef DC_DISCOVER_H
#define DC_DISCOVER_H

/*
 * Runs the function's query once, and watches the tables that it read; names
 * in one NOTICE those that cannot be, or not by this user.
 */
extern void dc_watch_what_is_read(Oid function);

#endif							/* DC_DISCOVER_H */
