/*
 * directory.c
 *		The keys in Redis that the worker has to clear one day: a table of
 *		fixed size, with what is needed to tell whether each is stale.
 *
 * A row is found by the name's sum, among a few places scattered by it.
 * When all of them are taken, the one that expires first is forgotten; what is
 * in Redis and not known here is cleared by pattern, or by its expiry.  The
 * directory serves tidiness only: no answer depends on it.
 *
 * Locks: the directory lock, exclusively to change a row, shared to read.
 */
#include "postgres.h"

#include "nodes/pg_list.h"
#include "storage/lwlock.h"
#include "storage/shmem.h"

#include "coherence/clearing.h"
#include "shmem.h"
#include "store/directory.h"

#define DC_DIRECTORY_ROWS 16384

/* In so many places a name may stand. */
#define DC_DIRECTORY_WAYS 32

/* How long the lock is held by who looks at all rows, in rows. */
#define DC_DIRECTORY_STEP 256

/* Bytes for running ids, slots and the key. */
#define DC_DIRECTORY_DATA 311

/* More running ids than these are not kept; see dc_row_pack(). */
#define DC_DIRECTORY_RUNNING 8

/* The ledger has no more slots than this can tell. */
typedef uint16 DcShortTag;

typedef struct DcDirectoryRow
{
	uint8		sum[DC_NAME_SUM];
	TimestampTz expires_at;		/* 0: the row is free */
	uint64		xmin;
	uint64		xmax;
	Oid			database;
	uint16		key_length;
	uint8		n_running;
	uint8		n_tags;
	bool		has_inner;
	char		data[DC_DIRECTORY_DATA];	/* running, tags, key */
} DcDirectoryRow;

typedef struct DcDirectory
{
	pg_atomic_uint32 n_used;
	pg_atomic_uint64 n_cleared;
	bool		has_orphans;	/* the worker's */
	DcDirectoryRow rows[DC_DIRECTORY_ROWS];
} DcDirectory;

static DcDirectory *directory = NULL;

Size
dc_directory_shmem_size(void)
{
	return sizeof(DcDirectory);
}

void
dc_directory_shmem_init(void)
{
	bool		found;

	directory = ShmemInitStruct("dashboard_cache directory",
								dc_directory_shmem_size(), &found);
	if (!found)
		dc_directory_clear();
}

void
dc_directory_clear(void)
{
	pg_atomic_init_u32(&directory->n_used, 0);
	pg_atomic_init_u64(&directory->n_cleared, 0);
	directory->has_orphans = true;
	memset(directory->rows, 0, sizeof(directory->rows));
}

/* In the postmaster, when nobody else is there. */
bool
dc_directory_save(FILE *file)
{
	TimestampTz unknown_until = dc_clearing_unknown_until();

	return fwrite(&unknown_until, sizeof(unknown_until), 1, file) == 1 &&
		fwrite(directory, sizeof(DcDirectory), 1, file) == 1;
}

bool
dc_directory_load(FILE *file)
{
	TimestampTz unknown_until;

	if (fread(&unknown_until, sizeof(unknown_until), 1, file) != 1 ||
		fread(directory, sizeof(DcDirectory), 1, file) != 1)
		return false;
	dc_clearing_note_unknown(unknown_until);
	pg_atomic_write_u64(&directory->n_cleared, 0);
	return true;
}

int64
dc_directory_count(void)
{
	return pg_atomic_read_u32(&directory->n_used);
}

void
dc_directory_count_cleared(int64 n)
{
	pg_atomic_fetch_add_u64(&directory->n_cleared, n);
}

int64
dc_directory_cleared(void)
{
	return (int64) pg_atomic_read_u64(&directory->n_cleared);
}

bool
dc_directory_has_orphans(void)
{
	return directory->has_orphans;
}

void
dc_directory_no_orphans(void)
{
	directory->has_orphans = false;
}

/*
 * Adding.
 */

static bool
dc_row_is_of(const DcDirectoryRow *row, const DcName *name)
{
	return row->expires_at != 0 &&
		memcmp(row->sum, name->sum, DC_NAME_SUM) == 0;
}

/* The i-th place where the name may stand. */
static DcDirectoryRow *
dc_row_of(const DcName *name, int i)
{
	uint32		hashes[2];

	/* An odd step comes by other places than its neighbours' do. */
	memcpy(hashes, name->sum, sizeof(hashes));
	return &directory->rows[(hashes[0] + i * (hashes[1] | 1)) %
							DC_DIRECTORY_ROWS];
}

/* The name's row, or else a free one, or else the one that expires first. */
static DcDirectoryRow *
dc_row_to_fill(const DcName *name)
{
	DcDirectoryRow *first = dc_row_of(name, 0);

	for (int i = 0; i < DC_DIRECTORY_WAYS; i++)
	{
		DcDirectoryRow *row = dc_row_of(name, i);

		if (dc_row_is_of(row, name))
			return row;
		if (row->expires_at < first->expires_at)
			first = row;
	}
	return first;
}

/*
 * Packs what validity depends on.  If the running ids are too many, xmax takes
 * the value of xmin: the entry is taken for older than it is, and may be
 * cleared for nothing.  False if it does not fit even so.
 */
static bool
dc_row_pack(DcDirectoryRow *row, const DcName *name,
			const DcDependencies *dependencies)
{
	const DcStamp *stamp = dependencies->stamp;
	bool		exact = stamp->n_running <= DC_DIRECTORY_RUNNING;
	uint32		n_running = exact ? stamp->n_running : 0;
	char	   *p = row->data;

	if (n_running * sizeof(uint64) +
		dependencies->n_tags * sizeof(DcShortTag) + name->key_length >
		DC_DIRECTORY_DATA)
		return false;
	memcpy(row->sum, name->sum, DC_NAME_SUM);
	row->xmin = stamp->xmin;
	row->xmax = exact ? stamp->xmax : stamp->xmin;
	row->database = name->database;
	row->key_length = name->key_length;
	row->n_running = n_running;
	row->n_tags = dependencies->n_tags;
	row->has_inner = dependencies->has_inner;
	memcpy(p, stamp->running, n_running * sizeof(uint64));
	p += n_running * sizeof(uint64);
	for (int i = 0; i < dependencies->n_tags; i++)
	{
		DcShortTag	tag = (DcShortTag) dependencies->tags[i];

		memcpy(p, &tag, sizeof(tag));
		p += sizeof(tag);
	}
	memcpy(p, name->key, name->key_length);
	return true;
}

static void
dc_row_forget(DcDirectoryRow *row)
{
	row->expires_at = 0;
	pg_atomic_fetch_sub_u32(&directory->n_used, 1);
}

/* Puts it into the row, which may hold something else. */
static void
dc_row_replace(DcDirectoryRow *row, const DcName *name,
			   const DcDependencies *dependencies, TimestampTz expires_at)
{
	if (row->expires_at != 0)
	{
		if (!dc_row_is_of(row, name))
			dc_clearing_note_unknown(row->expires_at);
		dc_row_forget(row);
	}
	if (dc_row_pack(row, name, dependencies))
	{
		row->expires_at = expires_at;
		pg_atomic_fetch_add_u32(&directory->n_used, 1);
	}
	else
		dc_clearing_note_unknown(expires_at);
}

/* Of two snapshots with the same bounds, the later has fewer running ids. */
static bool
dc_row_is_later(const DcDirectoryRow *row, const DcStamp *stamp)
{
	return row->xmax > stamp->xmax ||
		(row->xmax == stamp->xmax && row->n_running < stamp->n_running);
}

bool
dc_directory_add(const DcName *name, const DcDependencies *dependencies,
				 TimestampTz expires_at)
{
	DcDirectoryRow *row;
	bool		add;

	LWLockAcquire(dc_shared->directory_lock, LW_EXCLUSIVE);
	row = dc_row_to_fill(name);
	add = !dc_row_is_of(row, name) ||
		!dc_row_is_later(row, dependencies->stamp);
	if (add)
		dc_row_replace(row, name, dependencies, expires_at);
	LWLockRelease(dc_shared->directory_lock);
	return add;
}

bool
dc_directory_has(const DcName *name)
{
	bool		has = false;

	LWLockAcquire(dc_shared->directory_lock, LW_SHARED);
	for (int i = 0; i < DC_DIRECTORY_WAYS; i++)
		has |= dc_row_is_of(dc_row_of(name, i), name);
	LWLockRelease(dc_shared->directory_lock);
	return has;
}

/*
 * Sweeping.
 */

/* A row, unpacked to where it is aligned. */
typedef struct DcUnpackedRow
{
	DcDependencies dependencies;
	DcTag		tags[DC_DIRECTORY_DATA / sizeof(DcShortTag)];
	union
	{
		DcStamp		stamp;
		uint64		room[4 + DC_DIRECTORY_RUNNING];
	}			stamp;
} DcUnpackedRow;

static void
dc_row_unpack(const DcDirectoryRow *row, DcUnpackedRow *out)
{
	const char *p = row->data;
	DcStamp    *stamp = &out->stamp.stamp;

	stamp->xmin = row->xmin;
	stamp->xmax = row->xmax;
	stamp->n_running = row->n_running;
	memcpy(stamp->running, p, row->n_running * sizeof(uint64));
	p += row->n_running * sizeof(uint64);
	for (int i = 0; i < row->n_tags; i++)
	{
		DcShortTag	tag;

		memcpy(&tag, p, sizeof(tag));
		out->tags[i] = tag;
		p += sizeof(tag);
	}
	out->dependencies.stamp = stamp;
	out->dependencies.tags = out->tags;
	out->dependencies.n_tags = row->n_tags;
	out->dependencies.database = row->database;
	out->dependencies.key = p;
	out->dependencies.key_length = row->key_length;
	out->dependencies.has_inner = row->has_inner;
}

/* What is stale, found while the lock is held. */
typedef struct DcStaleRows
{
	int			n;
	int			rows[DC_DIRECTORY_STEP];
} DcStaleRows;

/* Looks at the rows from first up to end. */
static void
dc_directory_look(int first, int end, const DcReader *reader, TimestampTz now,
				  DcStaleRows *found, bool *in_doubt)
{
	DcUnpackedRow unpacked;

	found->n = 0;
	LWLockAcquire(dc_shared->directory_lock, LW_SHARED);
	for (int i = first; i < end; i++)
	{
		DcDirectoryRow *row = &directory->rows[i];

		if (row->expires_at == 0)
			continue;
		dc_row_unpack(row, &unpacked);
		if (row->expires_at <= now ||
			!dc_ledger_valid(&unpacked.dependencies, reader))
			found->rows[found->n++] = i;
		else
			*in_doubt |= dc_ledger_in_doubt(&unpacked.dependencies, reader);
	}
	LWLockRelease(dc_shared->directory_lock);
}

/* Copies what is needed to clear a row's key, if the row is still taken. */
static DcKnownKey *
dc_known_key(int i)
{
	DcKnownKey *known = palloc0(sizeof(DcKnownKey));
	char	   *key = palloc(DC_DIRECTORY_DATA);
	DcDirectoryRow *row = &directory->rows[i];
	bool		taken;

	LWLockAcquire(dc_shared->directory_lock, LW_SHARED);
	taken = row->expires_at != 0;
	if (taken)
	{
		known->row = i;
		known->xmin = row->xmin;
		known->xmax = row->xmax;
		known->n_running = row->n_running;
		known->name.database = row->database;
		known->name.key = key;
		known->name.key_length = row->key_length;
		memcpy(known->name.sum, row->sum, DC_NAME_SUM);
		memcpy(key, row->data + row->n_running * sizeof(uint64) +
			   row->n_tags * sizeof(DcShortTag), row->key_length);
	}
	LWLockRelease(dc_shared->directory_lock);
	return taken ? known : NULL;
}

DcDirectorySweep
dc_directory_sweep(int first, int max, const DcReader *reader,
				   TimestampTz now)
{
	DcDirectorySweep sweep = {.next = first};
	DcStaleRows found;

	if (dc_directory_count() == 0)
		sweep.next = DC_DIRECTORY_ROWS;
	while (sweep.next < DC_DIRECTORY_ROWS && list_length(sweep.stale) < max)
	{
		int			end = Min(sweep.next + DC_DIRECTORY_STEP,
							  DC_DIRECTORY_ROWS);

		dc_directory_look(sweep.next, end, reader, now, &found,
						  &sweep.in_doubt);
		for (int i = 0; i < found.n; i++)
		{
			DcKnownKey *known = dc_known_key(found.rows[i]);

			if (known != NULL)
				sweep.stale = lappend(sweep.stale, known);
		}
		sweep.next = end;
	}
	if (sweep.next >= DC_DIRECTORY_ROWS)
		sweep.next = -1;
	return sweep;
}

void
dc_directory_remove(const DcKnownKey *key)
{
	DcDirectoryRow *row = &directory->rows[key->row];

	LWLockAcquire(dc_shared->directory_lock, LW_EXCLUSIVE);
	if (dc_row_is_of(row, &key->name) && row->xmin == key->xmin &&
		row->xmax == key->xmax && row->n_running == key->n_running)
		dc_row_forget(row);
	LWLockRelease(dc_shared->directory_lock);
}
