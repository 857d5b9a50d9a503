/*
 * wire.h
 *		Values as Redis holds them.
 */
#ifndef DC_WIRE_H
#define DC_WIRE_H

#include "function/definition.h"
#include "store/entry.h"

/* Can results of the function be written and read, here and now? */
extern bool dc_wire_can_carry(DcFunction *function);

/*
 * palloc'd bytes; NULL if the value cannot be written.  json, jsonb and text
 * are written as they print, all else as its type's send function does, a row
 * column by column.
 */
extern char *dc_wire_write(DcFunction *function, const DcValue *value,
						   Size *size);

/*
 * Reads that back into what function/result.c keeps; value->isnull is set
 * already.  False if it cannot be read.
 */
extern bool dc_wire_read(DcFunction *function, const char *bytes, Size size,
						 DcValue *value);

#endif							/* DC_WIRE_H */
