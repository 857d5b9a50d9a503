/*
 * wire_type.h
 *		How values of a function's result type are written and read.
 */
#ifndef DC_WIRE_TYPE_H
#define DC_WIRE_TYPE_H

#include "function/definition.h"

/* How values of a type are written and read. */
typedef struct DcWireType
{
	Oid			oid;			/* under all domains */
	bool		as_stored;		/* its bytes are all there is to it */
	FmgrInfo	write;
	FmgrInfo	read;
	Oid			io_parameter;
	int16		length;
	bool		by_value;
} DcWireType;

/* Those of the function's result: one, or one for each column. */
typedef struct DcWire
{
	Oid			scalar;			/* what prints as it is; else InvalidOid */
	bool		can_carry;		/* all types come back as they were */
	int			n;
	int			n_live;			/* columns that are not dropped */
	DcWireType	types[FLEXIBLE_ARRAY_MEMBER];
} DcWire;

/* Kept with the function. */
extern DcWire *dc_wire_of(DcFunction *function);

#endif							/* DC_WIRE_TYPE_H */
