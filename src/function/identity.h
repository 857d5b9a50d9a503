/*
 * identity.h
 *		Everything that the result of a call can depend on, but for the data.
 */
#ifndef DC_IDENTITY_H
#define DC_IDENTITY_H

#include "function/definition.h"
#include "store/shared_store.h"

/* Allocates in the current context. */
extern DcIdentity dc_identity_of(const DcFunction *function,
								 FunctionCallInfo fcinfo);

/* Whose call of what it is, from an identity's first bytes. */
extern void dc_identity_tell(const char *bytes, Oid *function, Oid *user);

/* The name that people see, made of #key, or of the function's name. */
extern StringInfo dc_key_of(const DcFunction *function,
							FunctionCallInfo fcinfo);

/* All tags that the call itself has, with room for more; sets *n. */
extern DcTag *dc_tags_of(const DcFunction *function, FunctionCallInfo fcinfo,
						 const StringInfoData *key, int more, int *n);

#endif							/* DC_IDENTITY_H */
