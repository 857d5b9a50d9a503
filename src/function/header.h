/*
 * header.h
 *		The `#option value` lines that a cached function begins with.
 */
#ifndef DC_HEADER_H
#define DC_HEADER_H

#include "function/definition.h"

/*
 * Parses the header and blanks it in the source, so that what is left is the
 * query, at its place.  Allocates in the current context.  Raises an error,
 * with the line and a hint, for what it does not understand.
 */
extern void dc_header_parse(char *source, DcOptions *options,
							DcFieldNumber argument, void *arg);

#endif							/* DC_HEADER_H */
