/*
 * result.h
 *		A result between the query, the caller and the store.
 */
#ifndef DC_RESULT_H
#define DC_RESULT_H

#include "function/definition.h"
#include "store/shared_store.h"
#include "tcop/dest.h"
#include "utils/tuplestore.h"

/* A result as the query left it. */
typedef struct DcResult
{
	bool		isnull;
	Datum		value;			/* of a scalar: flat, palloc'd */
	MinimalTuple row;			/* of a single composite */
	Tuplestorestate *rows;		/* of a set */
	Size		size;			/* of what dc_result_flatten() makes */
} DcResult;

/*
 * Raises an error if rows of these columns cannot be the function's result
 * without a cast.
 */
extern void dc_result_check(const DcFunction *function, TupleDesc columns);

/*
 * Takes the rows of a query into the result.  The result's memory is of the
 * context that is current when this is called, for a set of the caller's
 * query.
 */
extern DestReceiver *dc_result_receiver(const DcFunction *function,
										FunctionCallInfo fcinfo,
										DcResult *result);

/* palloc'd bytes, as the store keeps them. */
extern DcValue dc_result_flatten(const DcFunction *function,
								 const DcResult *result);

/* Both return what the handler is to return. */
extern Datum dc_result_return(const DcFunction *function,
							  FunctionCallInfo fcinfo, DcResult *result);
extern Datum dc_result_return_value(const DcFunction *function,
									FunctionCallInfo fcinfo, DcValue *value);

#endif							/* DC_RESULT_H */
