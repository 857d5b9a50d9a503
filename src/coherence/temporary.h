/*
 * temporary.h
 *		Which temporary relations the session has.
 */
#ifndef DC_TEMPORARY_H
#define DC_TEMPORARY_H

#include "nodes/parsenodes.h"

extern void dc_temporary_register(void);

/*
 * Changes whenever the session's temporary relations may have, which come
 * before others of their names.
 */
extern uint64 dc_temporary_generation(void);

/* Are what it drops relations, temporary or not? */
extern bool dc_drops_relations(const DropStmt *statement);

/* After any utility statement. */
extern void dc_temporary_after(const Node *statement);

#endif							/* DC_TEMPORARY_H */
