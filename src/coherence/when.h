/*
 * when.h
 *		Keeps the WHEN clauses of watch()'s row triggers ready to run.
 */
#ifndef DC_WHEN_H
#define DC_WHEN_H

#include "executor/execdesc.h"

/* For a statement that has been started, and is to write. */
extern void dc_when_prepare(QueryDesc *query);

#endif							/* DC_WHEN_H */
