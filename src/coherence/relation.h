/*
 * relation.h
 *		Tables as tags know them: which rows there are, and what is in a
 *		column.
 */
#ifndef DC_RELATION_H
#define DC_RELATION_H

#include "coherence/tag.h"
#include "nodes/bitmapset.h"
#include "nodes/pg_list.h"

/*
 * A topmost ancestor of a table, or the table itself.  A partition's tags are
 * those of its root, and so are those of a table that inherits, since its
 * rows are read through that too.
 */
typedef struct DcRoot
{
	Oid			oid;
	DcTag		rows;			/* rows come and go */
	DcTag		any_column;		/* some column changes */
	DcTag		wide;			/* all slices */
	DcTag	   *columns;		/* by the relation's attribute number, less 1 */
	bool		slices_known;	/* are these? */
	List	   *slices;			/* by which it is watched: char * */
} DcRoot;

typedef struct DcRelation
{
	Oid			oid;
	int			n_roots;		/* 0: it is nothing that has tags */
	DcRoot	   *roots;
	int			n_columns;
	NameData   *names;			/* of the columns; empty: dropped */
	bool	   *is_virtual;		/* computed when they are read */
	bool		is_partitioned;
	bool		parts_known;	/* are these?  By dc_relation_find_parts() */
	bool		parts_set_columns;
	int			n_other_roots;
	DcTag	   *other_roots;	/* of each two: rows, and all slices */
} DcRelation;

/*
 * The rows of a table that an entry says it reads: where column = value, or
 * one of the values if there are several for a column.
 */
typedef struct DcSlice
{
	Oid			relation;
	const char *column;
	bool		all;			/* it says nothing of this column */
	uint64		value;			/* its hash */
} DcSlice;

extern void dc_relation_register(void);

/* The topmost ancestors, or the relation itself; palloc'd. */
extern List *dc_relation_roots(Oid oid);

/* Good until the next call; can raise errors. */
extern DcRelation *dc_relation(Oid oid);

/* From 1 on; 0 if there is none of that name. */
extern int	dc_relation_column(const DcRelation *relation, const char *name);

/*
 * Finds what a writer has to know of the relation's parts.  May an UPDATE set
 * other columns than it names, by a BEFORE trigger, or a generated column of a
 * part?  And whose rows, too, are the rows of tables that inherit from this one
 * and others?
 */
extern void dc_relation_find_parts(DcRelation *relation);

/* Is the root, and all that is part of it, watched by slices of the column? */
extern bool dc_root_has_slice(DcRoot *root, const char *column);

/*
 * In relation_tags.c.
 */

/* The same tag for the rows with this value in a slice column. */
extern DcTag dc_tag_of_slice(DcTag tag, DcTag column, uint64 value);

/*
 * The tags of what an entry reads: which rows there are, and the columns in
 * the set (offset as in RTEPermissionInfo.selectedCols), or, if it may depend
 * on more than those, any column.  Returns how many there are, at most
 * dc_relation_max_tags().
 */
extern int	dc_relation_tags(DcRelation *relation, const Bitmapset *columns,
							 bool any_column, const DcSlice *slices,
							 int n_slices, DcTag *tags);
extern int	dc_relation_max_tags(const DcRelation *relation, int n_slices);

/* Do the tags depend on any column rather than on those in the set? */
extern bool dc_relation_reads_any(const DcRelation *relation,
								  const Bitmapset *columns);

#endif							/* DC_RELATION_H */
