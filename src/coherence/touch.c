/*
 * touch.c
 *		The trigger function dashboard_cache.touch(), which watch() puts on
 *		tables: announces what a statement has changed.
 *
 * A statement trigger knows which columns an UPDATE has set, so entries that
 * have read others stay valid.  A row trigger stands in for it where no
 * statement triggers fire, in logical replication's apply, and announces the
 * slices for sessions that replicate by themselves, where nothing is noted.
 *
 * The arguments are the names of slice columns.  A statement trigger announces
 * the slices that the WHEN clauses of other triggers have noted (slice.c), a
 * row trigger those of its row, the old one and the new one.
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
#include "settings.h"
#include "shmem.h"

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
		dc_writing_hides_columns() ||
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
dc_touch_table(const DcChange *change)
{
	for (int i = 0; i < change->relation->n_roots; i++)
		dc_change_tags(change, &change->relation->roots[i], dc_touch_tag,
					   NULL);
	for (int i = 0; i < change->relation->n_other_roots; i++)
		dc_pending_add_tag(change->relation->other_roots[i]);
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
dc_touch_slice(const DcChange *change, int column, uint64 value)
{
	DcSliceTouch slice = {.value = value};

	for (int i = 0; i < change->relation->n_roots; i++)
	{
		const DcRoot *root = &change->relation->roots[i];

		slice.column = root->columns[column - 1];
		dc_change_tags(change, root, dc_touch_tag_of_slice, &slice);
	}
}

static void
dc_touch_all_slices(const DcRelation *relation)
{
	for (int i = 0; i < relation->n_roots; i++)
		dc_pending_add_tag(relation->roots[i].wide);
}

/* The change, for a slice column: a row that moves on comes and goes. */
static DcChange
dc_change_of_slice(const DcChange *change, int column)
{
	DcChange	of_slice = *change;

	of_slice.rows |= bms_is_member(column - FirstLowInvalidHeapAttributeNumber,
								   change->columns);
	return of_slice;
}

/* So many notes that some may be the same.  Are they too many slices? */
static bool
dc_are_too_many(const DcSliceNote *notes, int n, int position)
{
	DcSliceSet	slices;

	if (n <= dc_max_slices_per_statement)
		return false;
	dc_slice_set_init(&slices, CurrentMemoryContext);
	for (int i = 0; i < n && !slices.too_many; i++)
	{
		if (notes[i].position == position)
			(void) dc_slice_set_add(&slices, notes[i].value);
	}
	return slices.too_many;
}

/* Of a statement: what has been noted since it began. */
static void
dc_touch_noted_slices(const DcChange *change, int column, int position)
{
	DcChange	of_slice = dc_change_of_slice(change, column);
	const DcSliceNote *notes;
	int			first = dc_writing_first_note();
	int			n = dc_slice_notes(&notes);
	bool		too_many = dc_are_too_many(notes + first, n - first, position);

	for (int i = first; i < n && !too_many; i++)
	{
		if (notes[i].position != position)
			continue;
		too_many = notes[i].too_many;
		dc_touch_slice(&of_slice, column, notes[i].value);
	}
	if (too_many)
		dc_touch_all_slices(change->relation);
}

static void
dc_touch_slice_of_row(const DcChange *change, Relation table, int column,
					  HeapTuple row)
{
	Form_pg_attribute attribute = TupleDescAttr(RelationGetDescr(table),
												column - 1);
	bool		isnull;
	Datum		value = heap_getattr(row, column, RelationGetDescr(table),
									 &isnull);

	if (!isnull)
		dc_touch_slice(change, column,
					   dc_slice_hash(value, attribute->atttypid,
									 attribute->attcollation));
}

static void
dc_touch_slices_of_row(const DcChange *change, const TriggerData *data,
					   int column)
{
	DcChange	of_slice = dc_change_of_slice(change, column);

	dc_touch_slice_of_row(&of_slice, data->tg_relation, column,
						  data->tg_trigtuple);
	if (TRIGGER_FIRED_BY_UPDATE(data->tg_event))
		dc_touch_slice_of_row(&of_slice, data->tg_relation, column,
							  data->tg_newtuple);
}

static void
dc_touch_slices(const DcChange *change, const TriggerData *data)
{
	const Trigger *trigger = data->tg_trigger;

	for (int i = 0; i < trigger->tgnargs; i++)
	{
		int			column = dc_relation_column(change->relation,
												trigger->tgargs[i]);

		/* It may have been renamed. */
		if (column == 0)
			dc_touch_all_slices(change->relation);
		else if (TRIGGER_FIRED_FOR_ROW(data->tg_event))
			dc_touch_slices_of_row(change, data, column);
		else
			dc_touch_noted_slices(change, column, i);
	}
}

/* dashboard_cache.touch() */
Datum
dashboard_cache_touch(PG_FUNCTION_ARGS)
{
	TriggerData *data = (TriggerData *) fcinfo->context;
	DcChange	change;

	if (!CALLED_AS_TRIGGER(fcinfo) || !TRIGGER_FIRED_AFTER(data->tg_event) ||
		data->tg_trigger->tgdeferrable)
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("dashboard_cache.touch() must be called as an AFTER trigger that is not deferrable"),
				 errhint("Call dashboard_cache.watch(), which creates the triggers.")));
	if (dc_shared == NULL)
		return PointerGetDatum(NULL);
	change = dc_change_of(data);
	dc_touch_table(&change);
	dc_touch_slices(&change, data);
	if (TRIGGER_FIRED_BY_TRUNCATE(data->tg_event))
	{
		dc_touch_all_slices(change.relation);
		dc_pending_add_unversioned();
	}
	return PointerGetDatum(NULL);
}
