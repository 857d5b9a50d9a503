/*
 * pass_by.h
 *		Whether a call may look into the cache at all.
 */
#ifndef DC_PASS_BY_H
#define DC_PASS_BY_H

#include "function/definition.h"
#include "monitor/reason.h"
#include "utils/snapshot.h"

/* DC_REASON_NONE if it may, in this snapshot, else why not. */
extern DcReason dc_pass_by(const DcFunction *function,
						   FunctionCallInfo fcinfo, Snapshot snapshot);

#endif							/* DC_PASS_BY_H */
