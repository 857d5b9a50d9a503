/*
 * compute.h
 *		Runs a cached function's query.
 */
#ifndef DC_COMPUTE_H
#define DC_COMPUTE_H

#include "function/result.h"

/*
 * In the caller's active snapshot, read-only.  Errors of the query pass
 * through.
 */
extern void dc_compute(DcFunction *function, FunctionCallInfo fcinfo,
					   DcResult *result);

/* The same for these arguments; what comes of it is thrown away. */
extern void dc_compute_nothing(DcFunction *function,
							   const NullableDatum *arguments);

/* The query, analysed; raises an error if it is no single SELECT. */
extern Query *dc_analyze(const DcFunction *function);

#endif							/* DC_COMPUTE_H */
