/*
 * saved.h
 *		What survives a clean restart: the ledger and the entries.
 */
#ifndef DC_SAVED_H
#define DC_SAVED_H

/* In the postmaster, at its start and as an on_shmem_exit callback. */
extern void dc_saved_load(void);
extern void dc_saved_store(int code, Datum arg);

#endif							/* DC_SAVED_H */
