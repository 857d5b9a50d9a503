/*
 * shared_store.c
 *		Entries in shared memory: a hash table of fixed size, with the entries
 *		themselves in a DSA area beside it.
 *
 * The server's own shared hash table leads from an identity's hash to a row;
 * the row points to the body, which holds everything else in one block.  The
 * rows are an array, so that the clock's hand can go around over it: a hit
 * marks its row, and when room is needed the hand takes the first row that
 * has not been marked since it last came by.
 *
 * A table that is full, or an area, is never an error: something is evicted,
 * or the result is not kept.  That is why the table is a dynahash of fixed
 * size and no dshash, which throws when its area is full.
 *
 * Locks: a partition's lock protects the table's elements with that partition's
 * hashes, the rows that they lead to and the bodies.  Bodies do not change
 * while a row points to them.  No two partition locks are held at once; DSA's
 * own locks and the spinlock of the free rows are taken inside.  row->hash and
 * row->body may be read without the lock, as a hint.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "storage/shmem.h"
#include "storage/spin.h"
#include "utils/dsa.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"

#include "coherence/pending.h"
#include "settings.h"
#include "shmem.h"
#include "store/shared_store.h"

/* There is a row for so many bytes of the tier's size. */
#define DC_BYTES_PER_ROW 1024

#define DC_NO_ROW (-1)

typedef struct DcRow
{
	uint64		hash[2];		/* of the identity */
	dsa_pointer body;			/* DcBody; invalid: the row is free */
	pg_atomic_uint32 referenced;	/* hit since the hand came by? */
	int			next_free;		/* under free_lock */
} DcRow;

/* The table's element. */
typedef struct DcElement
{
	uint64		hash[2];		/* the key */
	int			row;
} DcElement;

/*
 * An entry.  The sections follow each other, each on a MAXALIGN boundary, in
 * the order of these sizes.
 */
typedef struct DcBody
{
	Size		size;			/* of all */
	Oid			database;
	bool		isnull;
	bool		row_security;
	TimestampTz expires_at;
	Size		stamp_size;
	Size		n_tags;
	Size		value_size;
	Size		identity_size;
	Size		key_size;
} DcBody;

typedef struct DcStore
{
	int			n_rows;
	slock_t		free_lock;
	int			first_free;
	pg_atomic_uint32 hand;
	pg_atomic_uint32 n_used;	/* a hint */
	void	   *area;			/* where the DSA area lies, within this block */
	DcRow		rows[FLEXIBLE_ARRAY_MEMBER];
} DcStore;

static DcStore *store = NULL;
static HTAB *table = NULL;
static dsa_area *area = NULL;	/* this process's */

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
dc_store_area_size(void)
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
	bool		found;

	if (dc_shared_memory_size == 0)
		return;
	table = ShmemInitHash("dashboard_cache entries", n_rows, n_rows, &control,
						  HASH_ELEM | HASH_FUNCTION | HASH_PARTITION |
						  HASH_FIXED_SIZE);
	store = ShmemInitStruct("dashboard_cache store",
							dc_store_index_size() + dc_store_area_size(),
							&found);
	if (found)
		return;

	store->n_rows = n_rows;
	SpinLockInit(&store->free_lock);
	store->first_free = 0;
	pg_atomic_init_u32(&store->hand, 0);
	pg_atomic_init_u32(&store->n_used, 0);
	for (int i = 0; i < n_rows; i++)
	{
		store->rows[i].body = InvalidDsaPointer;
		pg_atomic_init_u32(&store->rows[i].referenced, 0);
		store->rows[i].next_free = i + 1 < n_rows ? i + 1 : DC_NO_ROW;
	}
	store->area = (char *) store + dc_store_index_size();
	area = dsa_create_in_place(store->area, dc_store_area_size(),
							   dc_shared->dsa_tranche, NULL);
	dsa_pin(area);
	dsa_set_size_limit(area, dc_store_area_size());
	dsa_detach(area);
	area = NULL;
}

static void
dc_store_attach(void)
{
	MemoryContext old_context;

	if (likely(area != NULL))
		return;
	old_context = MemoryContextSwitchTo(TopMemoryContext);
	area = dsa_attach_in_place(store->area, NULL);
	dsa_pin_mapping(area);
	MemoryContextSwitchTo(old_context);
}

static void
dc_store_detach(void)
{
	dsa_detach(area);
	area = NULL;
}

static LWLock *
dc_partition_lock(const uint64 *hash)
{
	uint32		partition = dc_element_hash(hash, sizeof(uint64[2])) % DC_PARTITIONS;

	return &dc_shared->partition_locks[partition].lock;
}

/* Finds, enters (NULL: no room) or removes; the partition's lock is held. */
static DcElement *
dc_table_search(const uint64 *hash, HASHACTION action, bool *found)
{
	return hash_search_with_hash_value(table, hash,
									   dc_element_hash(hash, sizeof(uint64[2])),
									   action, found);
}

/*
 * The sections of a body.
 */

static inline char *
dc_body_stamp(const DcBody *body)
{
	return (char *) body + MAXALIGN(sizeof(DcBody));
}

static inline char *
dc_body_tags(const DcBody *body)
{
	return dc_body_stamp(body) + MAXALIGN(body->stamp_size);
}

static inline char *
dc_body_value(const DcBody *body)
{
	return dc_body_tags(body) + MAXALIGN(body->n_tags * sizeof(DcTag));
}

static inline char *
dc_body_identity(const DcBody *body)
{
	return dc_body_value(body) + MAXALIGN(body->value_size);
}

static inline char *
dc_body_key(const DcBody *body)
{
	return dc_body_identity(body) + MAXALIGN(body->identity_size);
}

static DcDependencies
dc_body_dependencies(const DcBody *body)
{
	DcDependencies dependencies = {
		.stamp = (const DcStamp *) dc_body_stamp(body),
		.tags = (const DcTag *) dc_body_tags(body),
		.n_tags = body->n_tags,
		.database = body->database,
		.key = dc_body_key(body),
		.key_length = body->key_size,
	};

	return dependencies;
}

static bool
dc_body_is(const DcBody *body, const DcIdentity *identity)
{
	return body->identity_size == identity->length &&
		memcmp(dc_body_identity(body), identity->bytes, identity->length) == 0;
}

/* The header of the body that the fill will have. */
static DcBody
dc_body_plan(const DcFill *fill)
{
	const DcDependencies *dependencies = &fill->dependencies;
	DcBody		body = {
		.database = dependencies->database,
		.isnull = fill->value.isnull,
		.row_security = fill->value.row_security,
		.expires_at = fill->expires_at,
		.stamp_size = dc_stamp_size(dependencies->stamp->n_running),
		.n_tags = dependencies->n_tags,
		.value_size = fill->value.size,
		.identity_size = fill->identity->length,
		.key_size = dependencies->key_length,
	};

	body.size = dc_body_key(&body) + MAXALIGN(body.key_size) - (char *) &body;
	return body;
}

static void
dc_body_write(DcBody *body, const DcBody *plan, const DcFill *fill)
{
	*body = *plan;
	memcpy(dc_body_stamp(body), fill->dependencies.stamp, body->stamp_size);
	memcpy(dc_body_tags(body), fill->dependencies.tags,
		   body->n_tags * sizeof(DcTag));
	if (body->value_size > 0)
		memcpy(dc_body_value(body), fill->value.bytes, body->value_size);
	memcpy(dc_body_identity(body), fill->identity->bytes, body->identity_size);
	memcpy(dc_body_key(body), fill->dependencies.key, body->key_size);
}

/*
 * Finding.
 */

static DcOutcome
dc_body_judge(const DcBody *body, const DcReader *reader, TimestampTz now)
{
	DcDependencies dependencies = dc_body_dependencies(body);

	if (body->expires_at <= now)
		return DC_EXPIRED;
	if (dc_pending_touches(&dependencies))
		return DC_OWN_WRITES;
	return dc_ledger_valid(&dependencies, reader) ? DC_HIT : DC_STALE;
}

static DcValue
dc_body_copy_value(const DcBody *body)
{
	DcValue		value = {
		.isnull = body->isnull,
		.row_security = body->row_security,
		.size = body->value_size,
	};

	if (value.size > 0)
	{
		value.bytes = MemoryContextAllocHuge(CurrentMemoryContext, value.size);
		memcpy(value.bytes, dc_body_value(body), value.size);
	}
	return value;
}

DcOutcome
dc_store_find(const DcIdentity *identity, const DcReader *reader,
			  TimestampTz now, DcValue *value)
{
	LWLock	   *lock = dc_partition_lock(identity->hash);
	DcOutcome	outcome = DC_ABSENT;
	DcElement  *element;

	dc_store_attach();
	LWLockAcquire(lock, LW_SHARED);
	element = dc_table_search(identity->hash, HASH_FIND, NULL);
	if (element != NULL)
	{
		DcRow	   *row = &store->rows[element->row];
		const DcBody *body = dsa_get_address(area, row->body);

		if (dc_body_is(body, identity))
			outcome = dc_body_judge(body, reader, now);
		if (outcome == DC_HIT)
		{
			*value = dc_body_copy_value(body);
			if (pg_atomic_read_u32(&row->referenced) == 0)
				pg_atomic_write_u32(&row->referenced, 1);
		}
	}
	LWLockRelease(lock);
	return outcome;
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
	dsa_free(area, row->body);
	row->body = InvalidDsaPointer;
	dc_row_release(row - store->rows);
	pg_atomic_fetch_sub_u32(&store->n_used, 1);
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

	if (!DsaPointerIsValid(row->body))
		return NULL;
	LWLockAcquire(lock, mode);
	if (DsaPointerIsValid(row->body) &&
		row->hash[0] == hash[0] && row->hash[1] == hash[1])
		return lock;
	LWLockRelease(lock);
	return NULL;
}

/* Evicts one entry; false if the hand found none in two rounds. */
static bool
dc_store_evict(void)
{
	for (int i = 0; i < 2 * store->n_rows; i++)
	{
		uint32		hand = pg_atomic_fetch_add_u32(&store->hand, 1);
		DcRow	   *row = &store->rows[hand % store->n_rows];
		LWLock	   *lock;

		if (!DsaPointerIsValid(row->body) ||
			pg_atomic_exchange_u32(&row->referenced, 0) != 0)
			continue;
		lock = dc_row_lock(row, LW_EXCLUSIVE);
		if (lock == NULL)
			continue;
		dc_row_drop(row);
		LWLockRelease(lock);
		return true;
	}
	return false;
}

static dsa_pointer
dc_store_allocate(Size size)
{
	dsa_pointer body;

	if (size > dc_store_area_size() / 2)
		return InvalidDsaPointer;
	do
	{
		body = dsa_allocate_extended(area, size,
									 DSA_ALLOC_NO_OOM | DSA_ALLOC_HUGE);
	} while (!DsaPointerIsValid(body) && dc_store_evict());
	return body;
}

static int
dc_store_allocate_row(void)
{
	int			row;

	do
	{
		row = dc_row_take();
	} while (row == DC_NO_ROW && dc_store_evict());
	return row;
}

/*
 * Filling.
 */

/*
 * Puts the body in place; the partition's lock is held exclusively.  The spare
 * row is used if the hash has none yet.
 */
static DcFillOutcome
dc_store_install(const uint64 *hash, dsa_pointer pointer, int *spare)
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
		pg_atomic_fetch_add_u32(&store->n_used, 1);
	}
	else
	{
		const DcBody *old;
		const DcBody *new = dsa_get_address(area, pointer);
		uint64		old_xmax;
		uint64		new_xmax;

		row = &store->rows[element->row];
		old = dsa_get_address(area, row->body);
		old_xmax = ((const DcStamp *) dc_body_stamp(old))->xmax;
		new_xmax = ((const DcStamp *) dc_body_stamp(new))->xmax;
		if (old_xmax > new_xmax)
			return DC_NEWER_IS_THERE;
		dsa_free(area, row->body);
	}
	row->body = pointer;
	pg_atomic_write_u32(&row->referenced, 1);
	return DC_FILLED;
}

/* Gives back what was not needed. */
static DcFillOutcome
dc_store_place(const uint64 *hash, dsa_pointer pointer)
{
	LWLock	   *lock = dc_partition_lock(hash);
	int			spare = dc_store_allocate_row();
	DcFillOutcome outcome = DC_NO_ROOM;

	if (spare != DC_NO_ROW)
	{
		LWLockAcquire(lock, LW_EXCLUSIVE);
		outcome = dc_store_install(hash, pointer, &spare);
		LWLockRelease(lock);
	}
	if (spare != DC_NO_ROW)
		dc_row_release(spare);
	if (outcome != DC_FILLED)
		dsa_free(area, pointer);
	return outcome;
}

DcFillOutcome
dc_store_fill(const DcFill *fill)
{
	DcBody		plan = dc_body_plan(fill);
	dsa_pointer pointer;

	dc_store_attach();
	pointer = dc_store_allocate(plan.size);
	if (!DsaPointerIsValid(pointer))
		return DC_NO_ROOM;
	dc_body_write(dsa_get_address(area, pointer), &plan, fill);
	return dc_store_place(fill->identity->hash, pointer);
}

/*
 * What the worker and the postmaster do.
 */

static bool
dc_row_is_useless(const DcRow *row, const DcReader *reader, TimestampTz now)
{
	const DcBody *body = dsa_get_address(area, row->body);

	return dc_body_judge(body, reader, now) != DC_HIT;
}

void
dc_store_sweep(const DcReader *reader, TimestampTz now)
{
	if (store == NULL || pg_atomic_read_u32(&store->n_used) == 0)
		return;
	dc_store_attach();
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

	if (store != NULL)
		dc_store_attach();
	for (int i = 0; store != NULL && i < store->n_rows; i++)
	{
		DcRow	   *row = &store->rows[i];
		DcBody	   *body;

		if (!DsaPointerIsValid(row->body))
			continue;
		body = dsa_get_address(area, row->body);
		if (fwrite(row->hash, sizeof(row->hash), 1, file) != 1 ||
			fwrite(body, body->size, 1, file) != 1)
			return false;
	}
	return fwrite(end, sizeof(end), 1, file) == 1;
}

/* Reads one entry's body; *fits is false if there is no room for it. */
static bool
dc_store_load_body(FILE *file, dsa_pointer *pointer)
{
	DcBody		header;
	char	   *body;

	*pointer = InvalidDsaPointer;
	if (fread(&header, sizeof(header), 1, file) != 1)
		return false;
	if (header.size <= dc_store_area_size() / 2)
		*pointer = dsa_allocate_extended(area, header.size,
										 DSA_ALLOC_NO_OOM | DSA_ALLOC_HUGE);
	if (!DsaPointerIsValid(*pointer))
		return fseeko(file, header.size - sizeof(header), SEEK_CUR) == 0;
	body = dsa_get_address(area, *pointer);
	memcpy(body, &header, sizeof(header));
	return fread(body + sizeof(header), header.size - sizeof(header), 1,
				 file) == 1;
}

bool
dc_store_load(FILE *file)
{
	uint64		hash[2];
	dsa_pointer pointer;
	bool		complete = false;

	if (store == NULL)
		return true;
	dc_store_attach();
	while (fread(hash, sizeof(hash), 1, file) == 1)
	{
		complete = hash[0] == 0 && hash[1] == 0;
		if (complete || !dc_store_load_body(file, &pointer))
			break;
		if (DsaPointerIsValid(pointer))
			dc_store_place(hash, pointer);
	}
	dc_store_detach();
	return complete;
}
