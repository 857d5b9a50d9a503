/*
 * pending.c
 *		Collects a transaction's invalidations, and publishes them in the
 *		ledger just before it commits.
 *
 * Published before the commit, nobody can see the transaction's rows and
 * miss its id; if it aborts after all, that costs a spurious miss.  A
 * transaction that prepares publishes then: its id stays "not completed" in
 * every snapshot until COMMIT PREPARED, whoever runs that and when.
 *
 * The items lie in the order in which they were asked for.  A subtransaction's
 * items are therefore a tail of the array: a mark says where it begins, and
 * rolling back cuts it off.
 *
 * All of it lives in TopTransactionContext and dies with it.  After the commit
 * nothing happens here but the resetting of variables.
 */
#include "postgres.h"

#include "access/xact.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"
#include "utils/resowner.h"
#include "utils/timestamp.h"

#include "coherence/clearing.h"
#include "coherence/definitions.h"
#include "coherence/pending.h"
#include "compat.h"
#include "shmem.h"

/* More items than these are found by hash rather than one by one. */
#define DC_PENDING_SMALL 16

/* Beyond so many, the transaction invalidates the whole database. */
#define DC_PENDING_MAX 65536

typedef struct DcPendingItem
{
	DcTag		tag;
	bool		is_glob;		/* the tag does not say it all */
	const char *pattern;		/* with wildcards; or NULL */
	int			length;
} DcPendingItem;

/* Where the items of a subtransaction begin. */
typedef struct DcPendingMark
{
	int			level;
	int			first;
} DcPendingMark;

static DcPendingItem *items = NULL;
static int	n_items = 0;
static int	max_items = 0;
static int	n_globs = 0;

static DcPendingMark *marks = NULL; /* levels ascend */
static int	n_marks = 0;
static int	max_marks = 0;

static HTAB *by_tag = NULL;		/* once there are more than a few */

/* Are definitions to be announced, from the commit on? */
static bool has_unversioned = false;
static bool is_defining = false;

/* From the pre-commit callback on, what is added is published at once. */
static bool published = false;

static bool
dc_pending_has(DcTag tag)
{
	if (by_tag != NULL)
		return hash_search(by_tag, &tag, HASH_FIND, NULL) != NULL;
	for (int i = 0; i < n_items; i++)
	{
		if (items[i].tag == tag)
			return true;
	}
	return false;
}

static void
dc_pending_index(void)
{
	HASHCTL		control = {
		.keysize = sizeof(DcTag),
		.entrysize = sizeof(DcTag),
		.hcxt = TopTransactionContext,
	};

	HTAB	   *index;

	index = hash_create("dashboard_cache pending tags", 256, &control,
						HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	for (int i = 0; i < n_items; i++)
		hash_search(index, &items[i].tag, HASH_ENTER, NULL);
	by_tag = index;				/* now that it is complete */
}

/* Makes room for one more element. */
static void *
dc_pending_grow(void *array, int n, int *max, Size size)
{
	if (n < *max)
		return array;
	if (array == NULL)
	{
		*max = DC_PENDING_SMALL;
		return MemoryContextAlloc(TopTransactionContext, *max * size);
	}
	array = repalloc(array, *max * 2 * size);
	*max *= 2;
	return array;
}

/* Opens the current subtransaction's tail, unless it is open. */
static void
dc_pending_mark(void)
{
	int			level = GetCurrentTransactionNestLevel();

	if (level == 1 || (n_marks > 0 && marks[n_marks - 1].level == level))
		return;
	marks = dc_pending_grow(marks, n_marks, &max_marks, sizeof(DcPendingMark));
	marks[n_marks].level = level;
	marks[n_marks].first = n_items;
	n_marks++;
}

/* Returns whether entries in Redis may have to be cleared. */
static bool
dc_publish_item(const DcPendingItem *item, uint64 xid, uint32 now)
{
	bool		armed;

	if (item->is_glob)
	{
		dc_patterns_publish(item->pattern, item->length, xid);
		armed = dc_clearing_is_on();
	}
	else
		armed = dc_ledger_publish(item->tag, xid, now);
	if (armed && item->pattern != NULL)
		dc_clearing_add(item->pattern, item->length, xid);
	return armed;
}

static uint64
dc_own_xid(void)
{
	return U64FromFullTransactionId(GetTopFullTransactionId());
}

static void
dc_pending_add(DcPendingItem item)
{
	uint64		xid = dc_own_xid();

	if (dc_pending_has(item.tag))
		return;
	if (n_items >= DC_PENDING_MAX)
	{
		item.tag = dc_tag(DC_TAG_DATABASE, "", 0);
		item.is_glob = false;
		item.pattern = NULL;
		if (dc_pending_has(item.tag))
			return;
	}

	if (!item.is_glob)
		dc_ledger_prefetch(item.tag);
	dc_pending_mark();
	items = dc_pending_grow(items, n_items, &max_items, sizeof(DcPendingItem));
	if (item.pattern != NULL)
		item.pattern = memcpy(MemoryContextAlloc(TopTransactionContext,
												 item.length),
							  item.pattern, item.length);
	items[n_items++] = item;
	n_globs += item.is_glob;

	/* The array first: what only the hash knew would never be published. */
	if (by_tag != NULL)
		hash_search(by_tag, &item.tag, HASH_ENTER, NULL);
	else if (n_items > DC_PENDING_SMALL)
		dc_pending_index();

	if (published && dc_publish_item(&item, xid, dc_slot_time(GetCurrentTimestamp())))
		dc_clearing_wake();
}

void
dc_pending_add_tag(DcTag tag)
{
	DcPendingItem item = {.tag = tag};

	if (dc_shared != NULL)
		dc_pending_add(item);
}

/* Until its end, which comes also when the session has to end. */
void
dc_pending_begin_defining(void)
{
	if (is_defining)
		return;
	is_defining = true;
	dc_definitions_begin();
}

static void
dc_pending_publish_unversioned(void)
{
	dc_pending_begin_defining();
	dc_definitions_publish(dc_own_xid());
}

static void
dc_pending_end_defining(ResourceReleasePhase phase, bool is_commit,
						bool is_top_level, void *arg)
{
	if (!is_defining || phase != RESOURCE_RELEASE_AFTER_LOCKS ||
		!is_top_level)
		return;
	is_defining = false;
	dc_definitions_end();
}

void
dc_pending_add_unversioned(void)
{
	if (dc_shared == NULL)
		return;
	(void) dc_own_xid();
	has_unversioned = true;
	if (published)
		dc_pending_publish_unversioned();
}

void
dc_pending_add_pattern(const DcPattern *pattern)
{
	DcPendingItem item = {.tag = pattern->tag,.is_glob = pattern->is_glob};

	if (dc_shared == NULL)
		return;
	if (!pattern->is_key && pattern->length <= DC_MAX_GLOB)
	{
		item.pattern = pattern->text;
		item.length = pattern->length;
	}
	dc_pending_add(item);
}

bool
dc_pending_touches(const DcDependencies *entry)
{
	if (n_items == 0)
		return false;
	for (int i = 0; i < entry->n_tags; i++)
	{
		if (dc_pending_has(entry->tags[i]))
			return true;
	}
	for (int i = 0; n_globs > 0 && i < n_items; i++)
	{
		if (items[i].is_glob &&
			dc_glob_touches(items[i].pattern, items[i].length, entry))
			return true;
	}
	return false;
}

static void
dc_pending_publish(void)
{
	uint64		xid;
	uint32		now;
	bool		armed = false;

	published = true;
	if (n_items == 0)
		return;
	xid = dc_own_xid();
	now = dc_slot_time(GetCurrentTimestamp());
	if (has_unversioned)
		dc_pending_publish_unversioned();
	for (int i = 0; i < n_items; i++)
		armed |= dc_publish_item(&items[i], xid, now);
	if (armed)
		dc_clearing_wake();
}

static void
dc_pending_reset(void)
{
	items = NULL;
	n_items = max_items = n_globs = 0;
	marks = NULL;
	n_marks = max_marks = 0;
	by_tag = NULL;
	has_unversioned = false;
	published = false;
}

static void
dc_pending_xact_callback(XactEvent event, void *arg)
{
	switch (event)
	{
		case XACT_EVENT_PRE_COMMIT:
		case XACT_EVENT_PRE_PREPARE:
			dc_pending_publish();
			break;
		case XACT_EVENT_COMMIT:
		case XACT_EVENT_PREPARE:
		case XACT_EVENT_ABORT:
			dc_pending_reset();
			break;
		case XACT_EVENT_PARALLEL_PRE_COMMIT:
		case XACT_EVENT_PARALLEL_COMMIT:
		case XACT_EVENT_PARALLEL_ABORT:
			break;
	}
}

/* The subtransaction's items become its parent's. */
static void
dc_pending_release(int level)
{
	/* The top level has no mark: its items begin the array. */
	if (level == 2 ||
		(n_marks > 1 && marks[n_marks - 2].level == level - 1))
		n_marks--;
	else
		marks[n_marks - 1].level = level - 1;
}

static void
dc_pending_roll_back(void)
{
	int			first = marks[--n_marks].first;

	while (n_items > first)
	{
		n_items--;
		n_globs -= items[n_items].is_glob;
		if (by_tag != NULL)
			hash_search(by_tag, &items[n_items].tag, HASH_REMOVE, NULL);
	}
}

static void
dc_pending_subxact_callback(SubXactEvent event, SubTransactionId mine,
							SubTransactionId parent, void *arg)
{
	int			level;

	if (n_marks == 0)
		return;
	level = GetCurrentTransactionNestLevel();
	if (marks[n_marks - 1].level != level)
		return;
	if (event == SUBXACT_EVENT_COMMIT_SUB)
		dc_pending_release(level);
	else if (event == SUBXACT_EVENT_ABORT_SUB)
		dc_pending_roll_back();
}

void
dc_pending_register(void)
{
	RegisterXactCallback(dc_pending_xact_callback, NULL);
	RegisterSubXactCallback(dc_pending_subxact_callback, NULL);
	RegisterResourceReleaseCallback(dc_pending_end_defining, NULL);
}
