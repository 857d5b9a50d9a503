/*
 * reads.c
 *		Which relations the cached functions have read: for people to see.
 *
 * Nothing that is served depends on it.  Calls add to a function's rows; when
 * definitions change, all entries become invalid, and what is read from then
 * on replaces the rows.
 *
 * Locks: reads_lock, exclusively to add, shared to look.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "storage/lwlock.h"
#include "storage/shmem.h"
#include "utils/hsearch.h"

#include "monitor/reads.h"
#include "shmem.h"

#define DC_READS_ROWS 8192

#define DC_READS_KEY_SIZE offsetof(DcReadsRow, any_column)

static HTAB *reads = NULL;

Size
dc_reads_shmem_size(void)
{
	return hash_estimate_size(DC_READS_ROWS, sizeof(DcReadsRow));
}

void
dc_reads_shmem_init(void)
{
	HASHCTL		control = {
		.keysize = DC_READS_KEY_SIZE,
		.entrysize = sizeof(DcReadsRow),
	};

	reads = ShmemInitHash("dashboard_cache reads", DC_READS_ROWS,
						  DC_READS_ROWS, &control,
						  HASH_ELEM | HASH_BLOBS | HASH_FIXED_SIZE);
}

static void
dc_reads_remove(const DcReadsRow *row)
{
	hash_search(reads, row, HASH_REMOVE, NULL);
}

void
dc_reads_clear(void)
{
	HASH_SEQ_STATUS status;
	DcReadsRow *row;

	hash_seq_init(&status, reads);
	while ((row = hash_seq_search(&status)) != NULL)
		dc_reads_remove(row);
}

/* In the postmaster, when nobody else is there. */
bool
dc_reads_save(FILE *file)
{
	HASH_SEQ_STATUS status;
	DcReadsRow *row;
	int64		n = hash_get_num_entries(reads);

	if (fwrite(&n, sizeof(n), 1, file) != 1)
		return false;
	hash_seq_init(&status, reads);
	while ((row = hash_seq_search(&status)) != NULL)
	{
		if (fwrite(row, sizeof(*row), 1, file) != 1)
		{
			hash_seq_term(&status);
			return false;
		}
	}
	return true;
}

static void
dc_reads_put(const DcReadsRow *row)
{
	DcReadsRow *there = hash_search(reads, row, HASH_ENTER_NULL, NULL);

	if (there != NULL)
		*there = *row;
}

bool
dc_reads_load(FILE *file)
{
	DcReadsRow	row;
	int64		n;

	if (fread(&n, sizeof(n), 1, file) != 1)
		return false;
	for (int64 i = 0; i < n; i++)
	{
		if (fread(&row, sizeof(row), 1, file) != 1)
			return false;
		dc_reads_put(&row);
	}
	return true;
}

/* Forgets what belongs to an older state of the function. */
static void
dc_reads_forget_older(const DcReadsRow *than)
{
	HASH_SEQ_STATUS status;
	DcReadsRow *row;

	hash_seq_init(&status, reads);
	while ((row = hash_seq_search(&status)) != NULL)
	{
		if (row->database == than->database &&
			row->function == than->function &&
			(row->source != than->source ||
			 row->definitions < than->definitions))
			dc_reads_remove(row);
	}
}

static void
dc_reads_merge(const DcReadsRow *row)
{
	bool		found;
	DcReadsRow *there;

	if (hash_get_num_entries(reads) >= DC_READS_ROWS)
		dc_reads_clear();
	there = hash_search(reads, row, HASH_ENTER_NULL, &found);
	if (there == NULL)
		return;
	if (!found)
	{
		*there = *row;
		return;
	}
	there->any_column |= row->any_column;
	for (int i = 0; i < lengthof(row->columns); i++)
		there->columns[i] |= row->columns[i];
}

void
dc_reads_add(const DcReadsRow *rows, int n)
{
	if (n == 0)
		return;
	LWLockAcquire(dc_shared->reads_lock, LW_EXCLUSIVE);
	dc_reads_forget_older(&rows[0]);
	for (int i = 0; i < n; i++)
		dc_reads_merge(&rows[i]);
	LWLockRelease(dc_shared->reads_lock);
}

DcReadsRow *
dc_reads_copy(int *n)
{
	DcReadsRow *copy = palloc(DC_READS_ROWS * sizeof(DcReadsRow));
	HASH_SEQ_STATUS status;
	DcReadsRow *row;

	*n = 0;
	LWLockAcquire(dc_shared->reads_lock, LW_SHARED);
	hash_seq_init(&status, reads);
	while ((row = hash_seq_search(&status)) != NULL)
	{
		if (row->database == MyDatabaseId)
			copy[(*n)++] = *row;
	}
	LWLockRelease(dc_shared->reads_lock);
	return copy;
}
