/*
 * shared_store.c
 *		Entries in shared memory: a hash table of fixed size, with the entries
 *		in pages beside it.
 *
 * The server's own shared hash table leads from an identity's hash to a row;
 * the row points to the entry.  The rows are an array, so that the clock's
 * hand can go around over it: a hit marks its row, and when room is needed the
 * hand takes the first row that has not been marked since it last came by.
 *
 * A table that is full, or the pages, is never an error: something is evicted,
 * or the result is not kept.  That is why the table is a dynahash of fixed
 * size and no dshash, which throws when its area is full.
 *
 * Locks: a partition's lock protects the table's elements with the partition's
 * hashes, the rows that they lead to and the entries.  No two partition locks
 * are held at once; the page lock and the spinlock of the free rows are taken
 * inside.  row->hash and row->entry may be read without the lock, as a
 * hint.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "storage/shmem.h"
#include "storage/spin.h"
#include "utils/hsearch.h"

#include "settings.h"
#include "shmem.h"
#include "store/pages.h"
#include "store/shared_store.h"

/* There is a row for so many bytes of the tier's size: an entry takes a page. */
#define DC_BYTES_PER_ROW 4096

#define DC_NO_ROW (-1)

/* In how many places room for a large entry is made before giving up. */
#define DC_WINDOWS 4

/* Larger entries do not ask the clock what to evict. */
#define DC_CLOCK_PAGES 16

typedef struct DcRow
{
	uint64		hash[2];		/* of the identity */
	DcPage		entry;			/* where it lies; 0: the row is free */
	pg_atomic_uint32 referenced;	/* hit since the hand came by? */
	int			next_free;		/* under free_lock */
} DcRow;

/* The table's element. */
typedef struct DcElement
{
	uint64		hash[2];		/* the key */
	int			row;
} DcElement;

typedef struct DcStore
{
	int			n_rows;
	slock_t		free_lock;
	int			first_free;
	pg_atomic_uint32 hand;
	pg_atomic_uint32 n_used;	/* a hint */
	pg_atomic_uint64 window;	/* where to make room for a large entry next */
	DcRow		rows[FLEXIBLE_ARRAY_MEMBER];
} DcStore;

static DcStore *store = NULL;
static HTAB *table = NULL;

static Size
dc_store_bytes(void)
{
	return (Size) dc_shared_memory_size * 1024;
}

static int
dc_store_n_rows(void)
{
	return (int) Min(dc_store_bytes() / DC_BYTES_PER_ROW, INT_MAX / 2);
}

static Size
dc_store_index_size(void)
{
	return MAXALIGN(offsetof(DcStore, rows) +
					(Size) dc_store_n_rows() * sizeof(DcRow));
}

/* What is left of the tier's size for the entries. */
static Size
dc_store_pages_size(void)
{
	return dc_store_bytes() - dc_store_index_size() -
		hash_estimate_size(dc_store_n_rows(), sizeof(DcElement));
}

Size
dc_store_shmem_size(void)
{
	return dc_store_bytes();
}

/* The hash is one already. */
static uint32
dc_element_hash(const void *key, Size size)
{
	return (uint32) *(const uint64 *) key;
}

void
dc_store_shmem_init(void)
{
	HASHCTL		control = {
		.keysize = sizeof(uint64[2]),
		.entrysize = sizeof(DcElement),
		.hash = dc_element_hash,
		.num_partitions = DC_PARTITIONS,
	};
	int			n_rows = dc_store_n_rows();
	char	   *pages;
	bool		found;

	if (dc_shared_memory_size == 0)
		return;
	table = ShmemInitHash("dashboard_cache entries", n_rows, n_rows, &control,
						  HASH_ELEM | HASH_FUNCTION | HASH_PARTITION |
						  HASH_FIXED_SIZE);
	store = ShmemInitStruct("dashboard_cache store",
							dc_store_index_size() + dc_store_pages_size(),
							&found);
	pages = (char *) store + dc_store_index_size();
	dc_pages_use(pages, dc_store_pages_size());
	if (found)
		return;

	dc_pages_init(pages, dc_store_pages_size());
	store->n_rows = n_rows;
	SpinLockInit(&store->free_lock);
	store->first_free = 0;
	pg_atomic_init_u32(&store->hand, 0);
	pg_atomic_init_u32(&store->n_used, 0);
	pg_atomic_init_u64(&store->window, 0);
	for (int i = 0; i < n_rows; i++)
	{
		store->rows[i].entry = 0;
		pg_atomic_init_u32(&store->rows[i].referenced, 0);
		store->rows[i].next_free = i + 1 < n_rows ? i + 1 : DC_NO_ROW;
	}
}

/* The entry that begins on the page. */
static DcEntry *
dc_entry_at(DcPage page)
{
	return dc_page_address(page);
}

static void
dc_entry_free(DcPage page)
{
	dc_pages_put(page, dc_pages_for(dc_entry_at(page)->size));
}

static LWLock *
dc_partition_lock(const uint64 *hash)
{
	uint32		hash_code = dc_element_hash(hash, sizeof(uint64[2]));

	return &dc_shared->partition_locks[hash_code % DC_PARTITIONS].lock;
}

/* Finds, enters (NULL: no room) or removes; the partition's lock is held. */
static DcElement *
dc_table_search(const uint64 *hash, HASHACTION action, bool *found)
{
	uint32		hash_code = dc_element_hash(hash, sizeof(uint64[2]));

	return hash_search_with_hash_value(table, hash, hash_code, action, found);
}

/*
 * Finding.
 */

static DcOutcome
dc_store_judge(const DcEntry *entry, const DcReader *reader, TimestampTz now)
{
	DcDependencies dependencies = dc_entry_dependencies(entry);

	return dc_entry_judge(&dependencies, entry->expires_at, reader, now);
}

DcOutcome
dc_store_find(const DcIdentity *identity, const DcReader *reader,
			  TimestampTz now, bool with_tags, DcFound *found)
{
	LWLock	   *lock = dc_partition_lock(identity->hash);
	DcOutcome	outcome = DC_ABSENT;
	DcElement  *element;

	if (store == NULL)
		return DC_ABSENT;
	LWLockAcquire(lock, LW_SHARED);
	element = dc_table_search(identity->hash, HASH_FIND, NULL);
	if (element != NULL)
	{
		DcRow	   *row = &store->rows[element->row];
		const DcEntry *entry = dc_entry_at(row->entry);

		if (dc_entry_is(entry, identity))
			outcome = dc_store_judge(entry, reader, now);
		if (outcome == DC_HIT)
		{
			dc_entry_copy(entry, with_tags, found);
			if (pg_atomic_read_u32(&row->referenced) == 0)
				pg_atomic_write_u32(&row->referenced, 1);
		}
	}
	LWLockRelease(lock);
	return outcome;
}

/*
 * Takes the lock of the row's partition, and returns it, or NULL, without the
 * lock, if the row turns out to be free or another's by then.
 */
static LWLock *
dc_row_lock(DcRow *row, LWLockMode mode)
{
	uint64		hash[2] = {row->hash[0], row->hash[1]};
	LWLock	   *lock = dc_partition_lock(hash);

	if (row->entry == 0)
		return NULL;
	LWLockAcquire(lock, mode);
	if (row->entry != 0)
	{
		pg_read_barrier();
		if (row->hash[0] == hash[0] && row->hash[1] == hash[1])
			return lock;
	}
	LWLockRelease(lock);
	return NULL;
}

static void
dc_entry_view(const DcEntry *entry, const DcReader *reader, TimestampTz now,
			  DcEntryView *view)
{
	DcDependencies dependencies = dc_entry_dependencies(entry);

	dc_entry_copy_head(entry, view->identity);
	view->database = entry->database;
	view->key_length = Min(dependencies.key_length, DC_MAX_KEY);
	memcpy(view->key, dependencies.key, view->key_length);
	view->size = entry->size;
	view->expires_at = entry->expires_at;
	view->n_tags = entry->n_tags;
	view->valid = dc_store_judge(entry, reader, now) == DC_HIT;
}

bool
dc_store_view(int *i, const DcReader *reader, TimestampTz now,
			  DcEntryView *view)
{
	for (; store != NULL && *i < store->n_rows; (*i)++)
	{
		DcRow	   *row = &store->rows[*i];
		LWLock	   *lock = dc_row_lock(row, LW_SHARED);

		if (lock == NULL)
			continue;
		dc_entry_view(dc_entry_at(row->entry), reader, now, view);
		LWLockRelease(lock);
		return true;
	}
	return false;
}

/*
 * Making room.
 */

static int
dc_row_take(void)
{
	int			row;

	SpinLockAcquire(&store->free_lock);
	row = store->first_free;
	if (row != DC_NO_ROW)
		store->first_free = store->rows[row].next_free;
	SpinLockRelease(&store->free_lock);
	return row;
}

static void
dc_row_release(int row)
{
	SpinLockAcquire(&store->free_lock);
	store->rows[row].next_free = store->first_free;
	store->first_free = row;
	SpinLockRelease(&store->free_lock);
}

/* Drops the row's entry; the partition's lock is held exclusively. */
static void
dc_row_drop(DcRow *row)
{
	dc_table_search(row->hash, HASH_REMOVE, NULL);
	dc_entry_free(row->entry);
	row->entry = 0;
	dc_row_release(row - store->rows);
	pg_atomic_fetch_sub_u32(&store->n_used, 1);
}

/* Evicts one entry and returns its size; 0 if the hand found none. */
static Size
dc_store_evict(void)
{
	for (int i = 0; i < 2 * store->n_rows; i++)
	{
		uint32		hand = pg_atomic_fetch_add_u32(&store->hand, 1);
		DcRow	   *row = &store->rows[hand % store->n_rows];
		LWLock	   *lock;
		Size		size;

		if (row->entry == 0 ||
			pg_atomic_exchange_u32(&row->referenced, 0) != 0)
			continue;
		lock = dc_row_lock(row, LW_EXCLUSIVE);
		if (lock == NULL)
			continue;
		size = dc_entry_at(row->entry)->size;
		dc_row_drop(row);
		LWLockRelease(lock);
		return size;
	}
	return 0;
}

/* Evicts all that lies, in whole or in part, on these pages. */
static void
dc_store_evict_window(DcPage first, Size n_pages)
{
	for (int i = 0; i < store->n_rows; i++)
	{
		DcRow	   *row = &store->rows[i];
		LWLock	   *lock = dc_row_lock(row, LW_EXCLUSIVE);
		DcPage		begin;
		DcPage		end;

		if (lock == NULL)
			continue;
		begin = row->entry;
		end = begin + dc_pages_for(dc_entry_at(begin)->size);
		if (begin < first + n_pages && end > first)
			dc_row_drop(row);
		LWLockRelease(lock);
	}
}

/* Where to make room for so many pages, another place each time. */
static DcPage
dc_store_next_window(Size n_pages)
{
	uint64		n = pg_atomic_fetch_add_u64(&store->window, n_pages);

	return 1 + n % (dc_pages_total() - n_pages);
}

/*
 * Evicts by the clock, about as much as is needed.  What that frees need not
 * lie side by side, so what needs several pages then clears a window; and what
 * needs many does so at once.
 */
static DcPage
dc_store_allocate(Size size)
{
	Size		n_pages = dc_pages_for(size);
	Size		evicted = 0;
	Size		last = 1;
	DcPage		page;

	if (n_pages > dc_pages_total() / 2)
		return 0;
	while ((page = dc_pages_get(n_pages)) == 0 &&
		   n_pages <= DC_CLOCK_PAGES && evicted < size && last > 0)
	{
		last = dc_store_evict();
		evicted += last;
	}
	for (int i = 0; page == 0 && i < DC_WINDOWS; i++)
	{
		dc_store_evict_window(dc_store_next_window(n_pages), n_pages);
		page = dc_pages_get(n_pages);
	}
	return page;
}

static int
dc_store_allocate_row(void)
{
	int			row;

	do
	{
		row = dc_row_take();
	} while (row == DC_NO_ROW && dc_store_evict() > 0);
	return row;
}

/*
 * Filling.
 */

static const DcStamp *
dc_stored_stamp(DcPage page)
{
	const DcEntry *entry = dc_entry_at(page);

	return dc_entry_dependencies(entry).stamp;
}

/*
 * Puts the entry in place; the partition's lock is held exclusively.  The
 * spare row is used if the hash has none yet.
 */
static DcFillOutcome
dc_store_install(const uint64 *hash, DcPage page, int *spare)
{
	DcElement  *element;
	DcRow	   *row;
	bool		found;

	element = dc_table_search(hash, HASH_ENTER_NULL, &found);
	if (element == NULL)
		return DC_NO_ROOM;
	if (!found)
	{
		element->row = *spare;
		*spare = DC_NO_ROW;
		row = &store->rows[element->row];
		memcpy(row->hash, hash, sizeof(row->hash));
		pg_write_barrier();		/* who sees the entry sees its hash */
		pg_atomic_fetch_add_u32(&store->n_used, 1);
	}
	else
	{
		row = &store->rows[element->row];
		if (dc_stamp_is_later(dc_stored_stamp(row->entry),
							  dc_stored_stamp(page)))
			return DC_NEWER_IS_THERE;
		dc_entry_free(row->entry);
	}
	row->entry = page;
	pg_atomic_write_u32(&row->referenced, 1);
	return DC_FILLED;
}

/* Gives back what was not needed. */
static DcFillOutcome
dc_store_place(const uint64 *hash, DcPage page)
{
	LWLock	   *lock = dc_partition_lock(hash);
	int			spare = dc_store_allocate_row();
	DcFillOutcome outcome = DC_NO_ROOM;

	if (spare != DC_NO_ROW)
	{
		LWLockAcquire(lock, LW_EXCLUSIVE);
		outcome = dc_store_install(hash, page, &spare);
		LWLockRelease(lock);
	}
	if (spare != DC_NO_ROW)
		dc_row_release(spare);
	if (outcome != DC_FILLED)
		dc_entry_free(page);
	return outcome;
}

DcFillOutcome
dc_store_fill(const DcFill *fill)
{
	DcEntry		plan = dc_entry_plan(fill);
	DcPage		page;

	if (store == NULL)
		return DC_NO_ROOM;
	page = dc_store_allocate(plan.size);
	if (page == 0)
		return DC_NO_ROOM;
	dc_entry_write(dc_entry_at(page), &plan, fill);
	return dc_store_place(fill->identity->hash, page);
}

/*
 * What the worker and the postmaster do.
 */

static bool
dc_row_is_useless(const DcRow *row, const DcReader *reader, TimestampTz now)
{
	const DcEntry *entry = dc_entry_at(row->entry);

	return dc_store_judge(entry, reader, now) != DC_HIT;
}

void
dc_store_sweep(const DcReader *reader, TimestampTz now)
{
	if (store == NULL || pg_atomic_read_u32(&store->n_used) == 0)
		return;
	for (int i = 0; i < store->n_rows; i++)
	{
		DcRow	   *row = &store->rows[i];
		LWLock	   *lock = dc_row_lock(row, LW_SHARED);
		bool		useless;

		if (lock == NULL)
			continue;
		useless = dc_row_is_useless(row, reader, now);
		LWLockRelease(lock);

		/* Meanwhile it may have been replaced: look again. */
		if (!useless || (lock = dc_row_lock(row, LW_EXCLUSIVE)) == NULL)
			continue;
		if (dc_row_is_useless(row, reader, now))
			dc_row_drop(row);
		LWLockRelease(lock);
		CHECK_FOR_INTERRUPTS();
	}
}

bool
dc_store_save(FILE *file)
{
	uint64		end[2] = {0, 0};

	for (int i = 0; store != NULL && i < store->n_rows; i++)
	{
		DcRow	   *row = &store->rows[i];
		DcEntry    *entry;

		if (row->entry == 0)
			continue;
		entry = dc_entry_at(row->entry);
		if (fwrite(row->hash, sizeof(row->hash), 1, file) != 1 ||
			fwrite(entry, entry->size, 1, file) != 1)
			return false;
	}
	return fwrite(end, sizeof(end), 1, file) == 1;
}

/* Reads one entry; the page is 0 if there is no room for it. */
static bool
dc_store_load_entry(FILE *file, DcPage *page)
{
	DcEntry		header;
	char	   *entry;

	*page = 0;
	if (fread(&header, sizeof(header), 1, file) != 1)
		return false;
	*page = dc_pages_get(dc_pages_for(header.size));
	if (!(*page != 0))
		return fseeko(file, header.size - sizeof(header), SEEK_CUR) == 0;
	entry = (char *) dc_entry_at(*page);
	memcpy(entry, &header, sizeof(header));
	return fread(entry + sizeof(header), header.size - sizeof(header), 1,
				 file) == 1;
}

bool
dc_store_load(FILE *file)
{
	uint64		hash[2];
	DcPage		page;
	bool		complete = false;

	if (store == NULL)
		return true;
	while (fread(hash, sizeof(hash), 1, file) == 1)
	{
		complete = hash[0] == 0 && hash[1] == 0;
		if (complete || !dc_store_load_entry(file, &page))
			break;
		if (page != 0)
			dc_store_place(hash, page);
	}
	return complete;
}
