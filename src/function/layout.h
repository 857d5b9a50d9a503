/*
 * layout.h
 *		How values of a type lie in memory, as a hash.
 */
#ifndef DC_LAYOUT_H
#define DC_LAYOUT_H

#include "access/tupdesc.h"

/*
 * Both return the hash with the type's or the columns' layout added.  They go
 * down to base types, since the parts of a value can change their layout too.
 */
extern uint64 dc_layout_add_type(uint64 hash, Oid type);
extern uint64 dc_layout_add_columns(uint64 hash, TupleDesc columns);

#endif							/* DC_LAYOUT_H */
