/*
 * lookup.h
 *		A call of a cached function, from its arguments to its result.
 */
#ifndef DC_LOOKUP_H
#define DC_LOOKUP_H

#include "function/definition.h"

/* Returns what the handler is to return. */
extern Datum dc_call(DcFunction *function, FunctionCallInfo fcinfo);

#endif							/* DC_LOOKUP_H */
