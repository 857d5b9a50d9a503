/*
 * slices.h
 *		The #slice option: which rows of a table a cached function reads.
 */
#ifndef DC_SLICES_H
#define DC_SLICES_H

#include "coherence/relation.h"
#include "function/definition.h"

/* `table.column = argument` */
typedef struct DcSliceOption
{
	List	   *table;			/* the name's parts, of String */
	char	   *column;
	int			argument;		/* from 0 on */
	const char *text;			/* "column = argument", for people */
} DcSliceOption;

/*
 * In the current context.  Raises an error, with what it is about and a hint,
 * for what is not of that form.
 */
extern DcSliceOption *dc_slice_parse(const char *text, const char *what,
									 DcFieldNumber argument, void *arg);

/*
 * For the validator: raises an error if a table or column does not exist, or
 * if the argument is not of a type like the column's.
 */
extern void dc_slices_check(const DcFunction *function);

/* The slices of a call, as far as its arguments say any; sets *n. */
extern DcSlice *dc_slices_of(const DcFunction *function,
							 FunctionCallInfo fcinfo, int *n);

/* The table of a slice in the current search_path, or InvalidOid. */
extern Oid	dc_slice_table(const DcSliceOption *slice);

#endif							/* DC_SLICES_H */
