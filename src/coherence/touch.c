/*
 * touch.c
 *		The trigger function dashboard_cache.touch(), which watch() puts on
 *		tables: announces what a statement has changed.
 *
 * A statement trigger knows which columns an UPDATE has set, so entries that
 * have read others stay valid.  A row trigger stands in for it where no
 * statement triggers fire, in logical replication's apply and for sessions
 * that replicate by themselves.  Row triggers with the names of slice columns
 * as arguments announce the slices of the rows, the old ones and the new ones;
 * their WHEN clause lets through the first row of each slice only (slice.c).
 */
#include "postgres.h"

#include "access/sysattr.h"
#include "catalog/pg_trigger.h"
#include "commands/trigger.h"
#include "fmgr.h"
#include "utils/rel.h"

#include "coherence/pending.h"
#include "coherence/relation.h"
#include "coherence/slice.h"
#include "coherence/writing.h"

PG_FUNCTION_INFO_V1(dashboard_cache_touch);

/* How many of the tags of a root a statement touches. */
typedef struct DcChange
{
	DcRelation *relation;
	bool		rows;			/* which rows there are, else: */
	const Bitmapset *columns;	/* what is in these, offset as in
								 * tg_updatedcols */
} DcChange;

static DcChange
dc_change_of(const TriggerData *data)
{
	DcChange	change = {
		.relation = dc_relation(RelationGetRelid(data->tg_relation)),
		.columns = data->tg_updatedcols,
	};

	dc_relation_find_parts(change.relation);

	/*
	 * Of several updates of one table in one statement the server fires only
	 * the last one's statement trigger.
	 */
	change.rows = !TRIGGER_FIRED_BY_UPDATE(data->tg_event) ||
		change.columns == NULL ||
		(TRIGGER_FIRED_FOR_STATEMENT(data->tg_event) &&
		 dc_writing_hides_columns()) ||
		change.relation->parts_set_columns;
	return change;
}

/* Calls what is to be done with each tag of the root that is touched. */
static void
dc_change_tags(const DcChange *change, const DcRoot *root,
			   void (*touch) (DcTag tag, void *arg), void *arg)
{
	int			number = -1;

	if (change->rows)
	{
		touch(root->rows, arg);
		return;
	}
	touch(root->any_column, arg);
	while ((number = bms_next_member(change->columns, number)) >= 0)
	{
		int			column = number + FirstLowInvalidHeapAttributeNumber;

		if (column > 0 && column <= change->relation->n_columns)
			touch(root->columns[column - 1], arg);
	}
}

static void
dc_touch_tag(DcTag tag, void *arg)
{
	dc_pending_add_tag(tag);
}

static void
dc_touch_table(const TriggerData *data)
{
	DcChange	change = dc_change_of(data);

	for (int i = 0; i < change.relation->n_roots; i++)
	{
		dc_change_tags(&change, &change.relation->roots[i], dc_touch_tag,
					   NULL);
		if (TRIGGER_FIRED_BY_TRUNCATE(data->tg_event))
			dc_pending_add_tag(change.relation->roots[i].wide);
	}
	for (int i = 0; i < change.relation->n_other_roots; i++)
		dc_pending_add_tag(change.relation->other_roots[i]);
	if (TRIGGER_FIRED_BY_TRUNCATE(data->tg_event))
		dc_pending_add_unversioned();
}

/*
 * Slices.
 */

typedef struct DcSliceTouch
{
	DcTag		column;
	uint64		value;
} DcSliceTouch;

static void
dc_touch_tag_of_slice(DcTag tag, void *arg)
{
	const DcSliceTouch *slice = arg;

	dc_pending_add_tag(dc_tag_of_slice(tag, slice->column, slice->value));
}

static void
dc_touch_all_slices(const DcRelation *relation)
{
	for (int i = 0; i < relation->n_roots; i++)
		dc_pending_add_tag(relation->roots[i].wide);
}

static void
dc_touch_slice_of(const DcChange *change, Relation table, int column,
				  HeapTuple row, DcSliceSet *seen)
{
	Form_pg_attribute attribute = TupleDescAttr(RelationGetDescr(table),
												column - 1);
	DcSliceTouch slice;
	bool		isnull;
	Datum		value;

	value = heap_getattr(row, column, RelationGetDescr(table), &isnull);
	if (isnull)
		return;
	slice.value = dc_slice_hash(value, attribute->atttypid,
								attribute->attcollation);
	(void) dc_slice_set_add(seen, slice.value);
	for (int i = 0; i < change->relation->n_roots; i++)
	{
		const DcRoot *root = &change->relation->roots[i];

		slice.column = root->columns[column - 1];
		dc_change_tags(change, root, dc_touch_tag_of_slice, &slice);
	}
}

/* What a trigger keeps in fn_extra, for a statement: by argument. */
static DcSliceSet *
dc_slices_seen(FmgrInfo *flinfo, int n)
{
	if (flinfo->fn_extra == NULL)
	{
		DcSliceSet *seen = MemoryContextAlloc(flinfo->fn_mcxt,
											  n * sizeof(DcSliceSet));

		for (int i = 0; i < n; i++)
			dc_slice_set_init(&seen[i], flinfo->fn_mcxt);
		flinfo->fn_extra = seen;
	}
	return flinfo->fn_extra;
}

/* A row that moves to another slice comes and goes. */
static bool
dc_sets_column(const DcChange *change, int column)
{
	return !change->rows &&
		bms_is_member(column - FirstLowInvalidHeapAttributeNumber,
					  change->columns);
}

static void
dc_touch_slices(FmgrInfo *flinfo, const TriggerData *data)
{
	const Trigger *trigger = data->tg_trigger;
	DcSliceSet *seen = dc_slices_seen(flinfo, trigger->tgnargs);

	for (int i = 0; i < trigger->tgnargs; i++)
	{
		DcChange	change = dc_change_of(data);
		int			column = dc_relation_column(change.relation,
												trigger->tgargs[i]);

		/* It may have been renamed. */
		if (column == 0 || seen[i].too_many)
		{
			dc_touch_all_slices(change.relation);
			continue;
		}
		change.rows |= dc_sets_column(&change, column);
		dc_touch_slice_of(&change, data->tg_relation, column,
						  data->tg_trigtuple, &seen[i]);
		if (TRIGGER_FIRED_BY_UPDATE(data->tg_event))
			dc_touch_slice_of(&change, data->tg_relation, column,
							  data->tg_newtuple, &seen[i]);
		if (seen[i].too_many)
			dc_touch_all_slices(change.relation);
	}
}

/* dashboard_cache.touch() */
Datum
dashboard_cache_touch(PG_FUNCTION_ARGS)
{
	TriggerData *data = (TriggerData *) fcinfo->context;

	if (!CALLED_AS_TRIGGER(fcinfo) || !TRIGGER_FIRED_AFTER(data->tg_event) ||
		data->tg_trigger->tgdeferrable)
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("dashboard_cache.touch() must be called as an AFTER trigger that is not deferrable"),
				 errhint("Call dashboard_cache.watch(), which creates the triggers.")));
	if (TRIGGER_FIRED_FOR_ROW(data->tg_event) &&
		data->tg_trigger->tgnargs > 0)
		dc_touch_slices(fcinfo->flinfo, data);
	else
		dc_touch_table(data);
	return PointerGetDatum(NULL);
}
