/*
 * worker_notes.c
 *		What parallel workers tell their leaders of what functions read.
 *
 * Each process has a place in shared memory, where its workers write.  A note
 * that comes late, or is another query's, costs no more than misses.
 */
#include "postgres.h"

#include "port/atomics.h"
#include "storage/shmem.h"

#include "coherence/worker_notes.h"
#include "compat.h"

#define DC_NOTE_RELATIONS 27

typedef struct DcNote
{
	pg_atomic_uint32 flags;
	pg_atomic_uint32 relations[DC_NOTE_RELATIONS];	/* oids; 0: free */
} DcNote;

static DcNote *notes = NULL;	/* one for each process */

Size
dc_worker_notes_shmem_size(void)
{
	return mul_size(dc_max_processes(), sizeof(DcNote));
}

void
dc_worker_notes_shmem_init(void)
{
	bool		found;

	notes = ShmemInitStruct("dashboard_cache notes",
							dc_worker_notes_shmem_size(), &found);
	for (int i = 0; !found && i < dc_max_processes(); i++)
	{
		pg_atomic_init_u32(&notes[i].flags, 0);
		for (int j = 0; j < DC_NOTE_RELATIONS; j++)
			pg_atomic_init_u32(&notes[i].relations[j], 0);
	}
}

void
dc_worker_note(uint32 flag)
{
	pg_atomic_fetch_or_u32(&notes[dc_leader_process()].flags, flag);
}

void
dc_worker_note_relation(Oid relation)
{
	DcNote	   *note = &notes[dc_leader_process()];

	for (int i = 0; i < DC_NOTE_RELATIONS; i++)
	{
		uint32		there = 0;

		if (pg_atomic_compare_exchange_u32(&note->relations[i], &there,
										   relation) || there == relation)
			return;
	}
	dc_worker_note(DC_NOTE_UNKNOWN);
}

void
dc_worker_notes_clear(void)
{
	DcNote	   *note = &notes[dc_my_process()];

	pg_atomic_write_u32(&note->flags, 0);
	for (int i = 0; i < DC_NOTE_RELATIONS; i++)
		pg_atomic_write_u32(&note->relations[i], 0);
}

uint32
dc_worker_notes(void)
{
	return pg_atomic_read_u32(&notes[dc_my_process()].flags);
}

Oid
dc_worker_noted_relation(int i)
{
	return i < DC_NOTE_RELATIONS ?
		pg_atomic_read_u32(&notes[dc_my_process()].relations[i]) : InvalidOid;
}
