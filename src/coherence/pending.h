/*
 * pending.h
 *		What this transaction has invalidated and not yet published.
 */
#ifndef DC_PENDING_H
#define DC_PENDING_H

#include "coherence/pattern.h"

extern void dc_pending_register(void);

/*
 * Take effect at the transaction's commit and are undone with it, or with the
 * subtransaction.  Give the transaction an id.  Do nothing when the library
 * is not preloaded.
 */
extern void dc_pending_add_tag(DcTag tag);

/* What no snapshot hides from a query: beside the tag that says what it is. */
extern void dc_pending_add_unversioned(void);

/* The transaction commits definitions that another one has published. */
extern void dc_pending_begin_defining(void);
extern void dc_pending_add_pattern(const DcPattern *pattern);

/* Has this transaction invalidated what the entry depends on? */
extern bool dc_pending_touches(const DcDependencies *entry);

#endif							/* DC_PENDING_H */
