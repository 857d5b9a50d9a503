/*
 * temporary.h
 *		Which temporary relations the session has.
 */
#ifndef DC_TEMPORARY_H
#define DC_TEMPORARY_H

#include "nodes/nodes.h"

extern void dc_temporary_register(void);

/*
 * Changes whenever the session's temporary relations may have, which come
 * before others of their names.
 */
extern uint64 dc_temporary_generation(void);

/* After any utility statement. */
extern void dc_temporary_after(const Node *statement);

#endif							/* DC_TEMPORARY_H */
