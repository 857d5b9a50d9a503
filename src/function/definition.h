/*
 * definition.h
 *		What a cached function's pg_proc row says, parsed and kept.
 */
#ifndef DC_DEFINITION_H
#define DC_DEFINITION_H

#include "access/htup.h"
#include "access/tupdesc.h"
#include "coherence/template.h"
#include "executor/functions.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "monitor/stats.h"
#include "nodes/pg_list.h"

/* #ttl infinity; a function without #ttl has DC_TTL_DEFAULT. */
#define DC_TTL_DEFAULT (-1)
#define DC_TTL_INFINITE (-2)

/* The header lines. */
typedef struct DcOptions
{
	int64		ttl;			/* microseconds, or one of the above */
	DcTemplate *key;
	List	   *tags;			/* of DcTemplate */
	List	   *vary;			/* of char *: names of settings */
	List	   *slices;			/* of DcSliceOption */
	bool		cache_nulls;
} DcOptions;

/* What the value of a type looks like in memory. */
typedef struct DcType
{
	Oid			oid;
	int16		length;
	bool		by_value;
} DcType;

/* Kept for the backend's life, or until the function is redefined. */
typedef struct DcFunction
{
	Oid			oid;
	Oid			collation;		/* of the call: it decides comparisons */
	MemoryContext context;		/* all of this; NULL in the validator */
	int			use_count;		/* calls that run its query */
	bool		replaced;		/* by a new definition, while in use */

	/* From the pg_proc row, and which row that was. */
	TransactionId row_xmin;
	ItemPointerData row_tid;
	char	   *name;
	const char *query;			/* the source with its header blanked */
	uint64		source_hash[2];
	DcOptions	options;
	int			n_args;
	DcType	   *args;
	DcType		result;
	bool		returns_set;

	/* From the catalogs, which can change under it. */
	uint64		types_generation;
	uint64		types_hash;		/* how values of its types are laid out */
	TupleDesc	columns;		/* of a composite or a set; else NULL */
	bool		is_composite;	/* one value is a row of these columns */
	struct DcWire *wire;		/* for function/wire.c; NULL: not yet */

	SQLFunctionParseInfoPtr parse_info;
	SPIPlanPtr	plan;			/* NULL until it has to run */
	uint64		roles_generation;	/* for which it was made */
	uint64		temporary_generation;
	uint64		definitions;	/* and the last that changed some by then */
	DcStats    *stats;			/* NULL when not preloaded */
	uint64		reported;		/* a hash of what inspect.c has told last */
} DcFunction;

extern void dc_definition_register(void);

/*
 * The function that is called; raises the errors of the validator if its
 * definition got past that.
 */
extern DcFunction *dc_function_of(FunctionCallInfo fcinfo);

/*
 * By who keeps it and is about to run its query: takes in what definitions
 * have changed, and plans anew if any have.  False if it may nevertheless run
 * with older ones than its snapshot knows: its result is not to be kept.
 */
extern bool dc_function_renew_plan(DcFunction *function);

/* In microseconds, or DC_TTL_INFINITE. */
extern int64 dc_function_ttl(const DcFunction *function);

/* Whoever runs the function's query keeps it for that time. */
extern void dc_function_keep(DcFunction *function);
extern void dc_function_release(DcFunction *function);

/*
 * The names of the input arguments, NULL for those without; returns how many
 * there are, or 0 if none has a name.
 */
extern int	dc_argument_names(HeapTuple row, char ***names);

/* A new one, for the validator: parsed in the current context. */
extern DcFunction *dc_function_parse(HeapTuple row, Oid collation);

#endif							/* DC_DEFINITION_H */
