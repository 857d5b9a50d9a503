/*
 * worker_notes.h
 *		What parallel workers tell their leaders of what functions read.
 */
#ifndef DC_WORKER_NOTES_H
#define DC_WORKER_NOTES_H

/* Flags. */
#define DC_NOTE_ROW_SECURITY 1
#define DC_NOTE_SNAPSHOT 2
#define DC_NOTE_TEMPORARY 4
#define DC_NOTE_UNKNOWN 8		/* more than can be told */

extern Size dc_worker_notes_shmem_size(void);
extern void dc_worker_notes_shmem_init(void);

/* By a worker. */
extern void dc_worker_note(uint32 flag);
extern void dc_worker_note_relation(Oid relation);

/* By a leader: the flags, and the relations from 0 on, up to InvalidOid. */
extern void dc_worker_notes_clear(void);
extern uint32 dc_worker_notes(void);
extern Oid	dc_worker_noted_relation(int i);

#endif							/* DC_WORKER_NOTES_H */
