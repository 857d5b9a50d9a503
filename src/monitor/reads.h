/*
 * reads.h
 *		Which relations the cached functions have read: for people to see.
 */
#ifndef DC_READS_H
#define DC_READS_H

/* Columns with higher numbers are not told apart. */
#define DC_READS_COLUMNS 192

/* One relation that a function has read. */
typedef struct DcReadsRow
{
	/* The key. */
	Oid			database;
	Oid			function;
	Oid			relation;		/* a topmost ancestor */

	bool		any_column;
	uint8		columns[DC_READS_COLUMNS / 8];	/* by attribute number */
	uint64		source;			/* a hash of the function's source */
	uint64		definitions;	/* the last that changed any, before */
} DcReadsRow;

extern Size dc_reads_shmem_size(void);
extern void dc_reads_shmem_init(void);
extern void dc_reads_clear(void);
extern bool dc_reads_save(FILE *file);
extern bool dc_reads_load(FILE *file);

static inline void
dc_reads_row_add_column(DcReadsRow *row, int number)
{
	if (number > 0 && number <= DC_READS_COLUMNS)
		row->columns[(number - 1) / 8] |= 1 << (number - 1) % 8;
	else
		row->any_column = true;
}

static inline bool
dc_reads_row_has_column(const DcReadsRow *row, int number)
{
	return number > 0 && number <= DC_READS_COLUMNS &&
		(row->columns[(number - 1) / 8] & 1 << (number - 1) % 8) != 0;
}

/*
 * Adds what a call has read to what is known of its function, or replaces that
 * if definitions have changed since.  When there is no room, something is
 * forgotten.
 */
extern void dc_reads_add(const DcReadsRow *rows, int n);

/* All rows of this database; palloc'd. */
extern DcReadsRow *dc_reads_copy(int *n);

#endif							/* DC_READS_H */
