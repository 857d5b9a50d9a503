/*
 * upkeep.h
 *		Keeps watched what is, when tables and their triggers are altered.
 */
#ifndef DC_UPKEEP_H
#define DC_UPKEEP_H

#include "nodes/nodes.h"

/* Before and after a utility statement that may change definitions. */
extern void dc_upkeep_before(const Node *statement);
extern void dc_upkeep_after(const Node *statement);

#endif							/* DC_UPKEEP_H */
