/*
 * inspect.h
 *		What people are shown of cached functions and their entries.
 */
#ifndef DC_INSPECT_H
#define DC_INSPECT_H

#include "coherence/dependency.h"
#include "function/definition.h"

/* After a call has run its query: what it has read. */
extern void dc_inspect_report(DcFunction *function, const DcReading *reading);

#endif							/* DC_INSPECT_H */
