/*
 * relation_tags.c
 *		The tags of what an entry reads of a table.
 *
 * An entry that reads a slice has the same tags for the slice instead, and one
 * for all slices at once.
 */
#include "postgres.h"

#include "access/sysattr.h"

#include "coherence/relation.h"

/* More columns than these are taken for any. */
#define DC_MAX_COLUMN_TAGS 24

bool
dc_relation_reads_any(const DcRelation *relation, const Bitmapset *columns)
{
	int			number = -1;

	/* A part's rows come and go by what is set in a partition key. */
	for (int i = 0; i < relation->n_roots; i++)
	{
		if (relation->roots[i].oid != relation->oid)
			return true;
	}
	while ((number = bms_next_member(columns, number)) >= 0)
	{
		int			attribute = number + FirstLowInvalidHeapAttributeNumber;

		/* The whole row, or where and by whom it was written. */
		if (attribute <= 0 || attribute > relation->n_columns ||
			relation->is_virtual[attribute - 1])
			return true;
	}
	return bms_num_members(columns) > DC_MAX_COLUMN_TAGS;
}

int
dc_relation_max_tags(const DcRelation *relation, int n_slices)
{
	return relation->n_roots * Max(n_slices, 1) * (3 + DC_MAX_COLUMN_TAGS);
}

DcTag
dc_tag_of_slice(DcTag tag, DcTag column, uint64 value)
{
	uint64		name[3] = {tag, column, value};

	return dc_tag(DC_TAG_SLICE, (const char *) name, sizeof(name));
}

static bool
dc_slice_means(const DcSlice *slice, const DcRelation *relation,
			   const DcRoot *root)
{
	return slice->relation == relation->oid || slice->relation == root->oid;
}

/* Is the column one that tells the rows that are read from others? */
static bool
dc_slices_tell(const char *column, const DcRelation *relation, DcRoot *root,
			   const DcSlice *slices, int n_slices)
{
	for (int i = 0; i < n_slices; i++)
	{
		if (slices[i].all && dc_slice_means(&slices[i], relation, root) &&
			strcmp(slices[i].column, column) == 0)
			return false;
	}
	return dc_relation_column(relation, column) > 0 &&
		dc_root_has_slice(root, column);
}

/* The column of the slices of the root's rows that are read, or NULL: all. */
static const char *
dc_slice_column_of(const DcRelation *relation, DcRoot *root,
				   const DcSlice *slices, int n_slices)
{
	for (int i = 0; i < n_slices; i++)
	{
		if (dc_slice_means(&slices[i], relation, root) &&
			dc_slices_tell(slices[i].column, relation, root, slices,
						   n_slices))
			return slices[i].column;
	}
	return NULL;
}

static int
dc_root_tags(const DcRoot *root, const Bitmapset *columns, bool any_column,
			 DcTag *tags)
{
	int			number = -1;
	int			n = 0;

	tags[n++] = root->rows;
	if (any_column)
		tags[n++] = root->any_column;
	while (!any_column && (number = bms_next_member(columns, number)) >= 0)
		tags[n++] = root->columns[number +
								  FirstLowInvalidHeapAttributeNumber - 1];
	return n;
}

int
dc_relation_tags(DcRelation *relation, const Bitmapset *columns,
				 bool any_column, const DcSlice *slices, int n_slices,
				 DcTag *tags)
{
	int			n = 0;

	any_column |= dc_relation_reads_any(relation, columns);
	for (int i = 0; i < relation->n_roots; i++)
	{
		DcRoot	   *root = &relation->roots[i];
		const char *name = dc_slice_column_of(relation, root, slices,
											  n_slices);
		DcTag		column;

		if (name == NULL)
		{
			n += dc_root_tags(root, columns, any_column, tags + n);
			continue;
		}
		tags[n++] = root->wide;
		column = root->columns[dc_relation_column(relation, name) - 1];
		for (int j = 0; j < n_slices; j++)
		{
			int			first = n;

			if (!dc_slice_means(&slices[j], relation, root) ||
				strcmp(slices[j].column, name) != 0)
				continue;
			n += dc_root_tags(root, columns, any_column, tags + n);
			for (int k = first; k < n; k++)
				tags[k] = dc_tag_of_slice(tags[k], column, slices[j].value);
		}
	}
	return n;
}
