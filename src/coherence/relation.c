/*
 * relation.c
 *		Tables as tags know them.
 *
 * A table has a tag for which rows there are, which INSERT, DELETE and
 * TRUNCATE touch; one for each column, which an UPDATE of that column touches;
 * and one for any column, which every UPDATE touches.  Columns go by their
 * names, since attribute numbers differ between partitions.
 *
 * What is found in the catalogs is kept until something changes there.  No
 * locks are taken on a table's ancestors and parts, so they are looked for in
 * the catalogs alone.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/relation.h"
#include "access/sysattr.h"
#include "access/table.h"
#include "access/transam.h"
#include "catalog/pg_attribute.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_trigger.h"
#include "utils/fmgroids.h"
#include "utils/hsearch.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/syscache.h"

#include "coherence/relation.h"
#include "coherence/watch_state.h"
#include "compat.h"

static HTAB *relations = NULL;
static HTAB *looked_at = NULL;	/* oids of all that was found out by */
static MemoryContext context = NULL;
static bool outdated = false;

/*
 * When a table gets or loses a parent or a part, a trigger or a column, the
 * server tells of the table, or of one that had been looked at before.
 */
static void
dc_relations_outdated(Datum arg, Oid relation)
{
	if (!OidIsValid(relation) || looked_at == NULL ||
		hash_search(looked_at, &relation, HASH_FIND, NULL) != NULL)
		outdated = true;
}

/* Before its catalog rows are read.  Returns whether it is new. */
static bool
dc_look_at(Oid oid)
{
	bool		found = false;

	if (looked_at != NULL)
		(void) hash_search(looked_at, &oid, HASH_ENTER, &found);
	return !found;
}

/* The relation and its parts, all of which have been looked at before. */
static List *
dc_look_at_parts(Oid oid)
{
	for (;;)
	{
		List	   *parts = find_all_inheritors(oid, NoLock, NULL);
		bool		any_new = false;
		ListCell   *cell;

		foreach(cell, parts)
			any_new |= dc_look_at(lfirst_oid(cell));
		if (!any_new || looked_at == NULL)
			return parts;
		list_free(parts);
	}
}

void
dc_relation_register(void)
{
	CacheRegisterRelcacheCallback(dc_relations_outdated, (Datum) 0);
}

/*
 * Ancestors.
 */

/* Those that it inherits from directly. */
static List *
dc_parents(Oid oid)
{
	Relation	inherits = table_open(InheritsRelationId, AccessShareLock);
	List	   *parents = NIL;
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	row;

	ScanKeyInit(&key, Anum_pg_inherits_inhrelid, BTEqualStrategyNumber,
				F_OIDEQ, ObjectIdGetDatum(oid));
	scan = systable_beginscan(inherits, InheritsRelidSeqnoIndexId, true, NULL,
							  1, &key);
	while (HeapTupleIsValid(row = systable_getnext(scan)))
		parents = lappend_oid(parents,
							  ((Form_pg_inherits) GETSTRUCT(row))->inhparent);
	systable_endscan(scan);
	table_close(inherits, AccessShareLock);
	return parents;
}

static List *
dc_add_roots(List *roots, Oid oid)
{
	List	   *parents;
	ListCell   *cell;

	(void) dc_look_at(oid);
	parents = dc_parents(oid);
	if (parents == NIL)
		return list_append_unique_oid(roots, oid);
	foreach(cell, parents)
		roots = dc_add_roots(roots, lfirst_oid(cell));
	return roots;
}

List	   *
dc_relation_roots(Oid oid)
{
	return dc_add_roots(NIL, oid);
}

/*
 * Keeping.
 */

static DcTag
dc_tag_in(DcTagKind kind, Oid root, const char *column)
{
	char		name[sizeof(Oid) + NAMEDATALEN];
	size_t		length = strlen(column);

	memcpy(name, &root, sizeof(Oid));
	memcpy(name + sizeof(Oid), column, length);
	return dc_tag(kind, name, sizeof(Oid) + length);
}

/* In the current context. */
static DcRoot
dc_root_make(Oid oid, const DcRelation *relation)
{
	DcRoot		root = {
		.oid = oid,
		.rows = dc_tag_in(DC_TAG_ROWS, oid, ""),
		.any_column = dc_tag_in(DC_TAG_COLUMN, oid, ""),
		.wide = dc_tag_in(DC_TAG_WIDE, oid, ""),
		.columns = palloc((relation->n_columns + 1) * sizeof(DcTag)),
	};

	for (int i = 0; i < relation->n_columns; i++)
		root.columns[i] = dc_tag_in(DC_TAG_COLUMN, oid,
									NameStr(relation->names[i]));
	return root;
}

static void
dc_relation_set_columns(DcRelation *relation, TupleDesc columns)
{
	relation->n_columns = columns->natts;
	relation->names = palloc0((columns->natts + 1) * sizeof(NameData));
	relation->is_virtual = palloc0(columns->natts + 1);
	for (int i = 0; i < columns->natts; i++)
	{
		Form_pg_attribute column = TupleDescAttr(columns, i);

		if (column->attisdropped)
			continue;
		relation->names[i] = column->attname;
		relation->is_virtual[i] = column->attgenerated == DC_GENERATED_VIRTUAL;
	}
}

static bool
dc_has_tags(Oid oid, char kind)
{
	return oid >= FirstNormalObjectId &&
		(kind == RELKIND_RELATION || kind == RELKIND_PARTITIONED_TABLE ||
		 kind == RELKIND_MATVIEW);
}

static void
dc_relation_fill(DcRelation *relation)
{
	Relation	opened;
	MemoryContext old_context;
	List	   *roots;
	ListCell   *cell;

	(void) dc_look_at(relation->oid);
	opened = try_relation_open(relation->oid, AccessShareLock);
	if (opened == NULL)
		return;
	if (dc_has_tags(relation->oid, opened->rd_rel->relkind))
	{
		relation->is_partitioned =
			opened->rd_rel->relkind == RELKIND_PARTITIONED_TABLE;
		roots = dc_relation_roots(relation->oid);
		old_context = MemoryContextSwitchTo(context);
		dc_relation_set_columns(relation, RelationGetDescr(opened));
		relation->roots = palloc(list_length(roots) * sizeof(DcRoot));
		foreach(cell, roots)
			relation->roots[relation->n_roots++] =
			dc_root_make(lfirst_oid(cell), relation);
		MemoryContextSwitchTo(old_context);
	}
	relation_close(opened, AccessShareLock);
}

static void
dc_relations_begin(void)
{
	HASHCTL		control = {
		.keysize = sizeof(Oid),
		.entrysize = sizeof(DcRelation),
	};

	relations = NULL;
	looked_at = NULL;
	if (context == NULL)
		context = AllocSetContextCreate(CacheMemoryContext,
										"dashboard_cache relations",
										ALLOCSET_DEFAULT_SIZES);
	else
		MemoryContextReset(context);
	control.hcxt = context;
	relations = hash_create("dashboard_cache relations", 64, &control,
							HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	control.entrysize = sizeof(Oid);
	looked_at = hash_create("dashboard_cache oids", 256, &control,
							HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	outdated = false;
}

DcRelation *
dc_relation(Oid oid)
{
	DcRelation *relation = NULL;
	DcRelation	filled = {.oid = oid};

	if (likely(relations != NULL && !outdated))
		relation = hash_search(relations, &oid, HASH_FIND, NULL);
	if (likely(relation != NULL))
		return relation;

	/* Opening it may bring news from the catalogs: those are for the next. */
	if (relations == NULL || outdated)
		dc_relations_begin();
	dc_relation_fill(&filled);
	relation = hash_search(relations, &oid, HASH_ENTER, NULL);
	*relation = filled;
	return relation;
}

int
dc_relation_column(const DcRelation *relation, const char *name)
{
	for (int i = 0; i < relation->n_columns; i++)
	{
		if (*name != '\0' && strcmp(NameStr(relation->names[i]), name) == 0)
			return i + 1;
	}
	return 0;
}

/*
 * What an UPDATE sets.
 */

/* A row that moves to another partition is inserted there. */
static bool
dc_has_before_trigger(Oid oid, bool on_insert)
{
	Relation	triggers = table_open(TriggerRelationId, AccessShareLock);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	row;
	bool		has = false;

	ScanKeyInit(&key, Anum_pg_trigger_tgrelid, BTEqualStrategyNumber,
				F_OIDEQ, ObjectIdGetDatum(oid));
	scan = systable_beginscan(triggers, TriggerRelidNameIndexId, true, NULL,
							  1, &key);
	while (HeapTupleIsValid(row = systable_getnext(scan)))
	{
		int16		type = ((Form_pg_trigger) GETSTRUCT(row))->tgtype;

		has |= TRIGGER_FOR_ROW(type) && TRIGGER_FOR_BEFORE(type) &&
			(TRIGGER_FOR_UPDATE(type) ||
			 (on_insert && TRIGGER_FOR_INSERT(type)));
	}
	systable_endscan(scan);
	table_close(triggers, AccessShareLock);
	return has;
}

static bool
dc_has_generated_column(Oid oid)
{
	Relation	attributes = table_open(AttributeRelationId, AccessShareLock);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	row;
	bool		has = false;

	ScanKeyInit(&key, Anum_pg_attribute_attrelid, BTEqualStrategyNumber,
				F_OIDEQ, ObjectIdGetDatum(oid));
	scan = systable_beginscan(attributes, AttributeRelidNumIndexId, true,
							  NULL, 1, &key);
	while (HeapTupleIsValid(row = systable_getnext(scan)))
		has |= ((Form_pg_attribute) GETSTRUCT(row))->attgenerated != '\0';
	systable_endscan(scan);
	table_close(attributes, AccessShareLock);
	return has;
}

/* A table may inherit from several, so a row may have several roots. */
static List *
dc_other_roots(const DcRelation *relation, List *roots, Oid part)
{
	ListCell   *cell;

	if (get_rel_relispartition(part))
		return roots;
	foreach(cell, dc_relation_roots(part))
		roots = list_append_unique_oid(roots, lfirst_oid(cell));
	for (int i = 0; i < relation->n_roots; i++)
		roots = list_delete_oid(roots, relation->roots[i].oid);
	return roots;
}

static void
dc_relation_set_other_roots(DcRelation *relation, const List *roots)
{
	ListCell   *cell;

	relation->other_roots = MemoryContextAlloc(context,
											   (2 * list_length(roots) + 1) *
											   sizeof(DcTag));
	foreach(cell, roots)
	{
		Oid			root = lfirst_oid(cell);
		DcTag	   *tags = relation->other_roots + relation->n_other_roots;

		tags[0] = dc_tag_in(DC_TAG_ROWS, root, "");
		tags[1] = dc_tag_in(DC_TAG_WIDE, root, "");
		relation->n_other_roots += 2;
	}
}

/*
 * The server says which columns the statement sets, and which of the table's
 * generated columns follow.  It does not know what a BEFORE trigger makes of
 * the row, nor that a part may compute a column in its own way.
 */
void
dc_relation_find_parts(DcRelation *relation)
{
	List	   *parts;
	List	   *roots = NIL;
	ListCell   *cell;

	if (likely(relation->parts_known))
		return;
	parts = dc_look_at_parts(relation->oid);
	foreach(cell, parts)
	{
		Oid			part = lfirst_oid(cell);

		relation->parts_set_columns |=
			dc_has_before_trigger(part, relation->is_partitioned) ||
			(part != relation->oid && dc_has_generated_column(part));
		if (part != relation->oid)
			roots = dc_other_roots(relation, roots, part);
	}
	dc_relation_set_other_roots(relation, roots);
	list_free(parts);
	list_free(roots);
	relation->parts_known = true;
}

/*
 * Slices.
 */

bool
dc_root_has_slice(DcRoot *root, const char *column)
{
	if (!root->slices_known)
	{
		List	   *slices;
		MemoryContext old_context;
		ListCell   *cell;

		list_free(dc_look_at_parts(root->oid));
		slices = dc_watched_slices(root->oid);
		old_context = MemoryContextSwitchTo(context);
		root->slices = NIL;
		foreach(cell, slices)
			root->slices = lappend(root->slices, pstrdup(lfirst(cell)));
		MemoryContextSwitchTo(old_context);
		root->slices_known = true;
	}
	return dc_names_has(root->slices, column);
}
