/*
 * entry.h
 *		An entry: a result and all that is needed to tell whether it may be
 *		served.
 */
#ifndef DC_ENTRY_H
#define DC_ENTRY_H

#include "coherence/ledger.h"
#include "datatype/timestamp.h"

/* An identity begins with so many bytes that say whose it is. */
#define DC_IDENTITY_HEAD 24

/* Which call's result it is; compared as a whole. */
typedef struct DcIdentity
{
	const char *bytes;
	Size		length;
	uint64		hash[2];
	bool		is_private;		/* no other session will ever have it */
} DcIdentity;

/* An entry's value: what function/result.c made of the result. */
typedef struct DcValue
{
	bool		isnull;
	bool		row_security;	/* policies decided, as far as #vary says */
	Size		size;
	char	   *bytes;
} DcValue;

/* What looking for an entry came to. */
typedef enum DcOutcome
{
	DC_ABSENT,
	DC_EXPIRED,
	DC_STALE,					/* a write has invalidated it */
	DC_OWN_WRITES,				/* this transaction has invalidated it */
	DC_HIT,
	DC_REJECTED,				/* in Redis: nothing that can be used */
	DC_NO_ANSWER,				/* Redis did not answer, or refused */
} DcOutcome;

typedef enum DcFillOutcome
{
	DC_FILLED,
	DC_NEWER_IS_THERE,			/* the entry in place has a newer snapshot */
	DC_NO_ROOM,
} DcFillOutcome;

/* An entry that was found. */
typedef struct DcFound
{
	DcValue		value;
	DcTag	   *tags;			/* NULL unless they were asked for */
	int			n_tags;
	TimestampTz expires_at;
} DcFound;

/* What to keep. */
typedef struct DcFill
{
	const DcIdentity *identity;
	DcDependencies dependencies;
	TimestampTz expires_at;		/* or DT_NOEND */
	DcValue		value;
} DcFill;

/* One block, without pointers; its sections are entry.c's business. */
typedef struct DcEntry
{
	Size		size;			/* of all */
	Oid			database;
	bool		isnull;
	bool		row_security;
	bool		has_inner;
	TimestampTz expires_at;
	Size		stamp_size;
	Size		n_tags;
	Size		value_size;
	Size		identity_size;
	Size		key_size;
} DcEntry;

/* The header of the entry that the fill will make; its size is set. */
extern DcEntry dc_entry_plan(const DcFill *fill);

/* Makes it at a place of plan->size bytes.  Can't fail. */
extern void dc_entry_write(DcEntry *entry, const DcEntry *plan,
						   const DcFill *fill);

/* May an entry with these be served? */
extern DcOutcome dc_entry_judge(const DcDependencies *dependencies,
								TimestampTz expires_at,
								const DcReader *reader, TimestampTz now);

extern bool dc_entry_is(const DcEntry *entry, const DcIdentity *identity);
extern DcDependencies dc_entry_dependencies(const DcEntry *entry);

/* Copies the identity's first bytes. */
extern void dc_entry_copy_head(const DcEntry *entry, char *head);

/* Copies; all palloc'd. */
extern void dc_entry_copy(const DcEntry *entry, bool with_tags,
						  DcFound *found);

#endif							/* DC_ENTRY_H */
