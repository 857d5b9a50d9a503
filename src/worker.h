/*
 * worker.h
 *		The background worker.
 */
#ifndef DC_WORKER_H
#define DC_WORKER_H

extern void dc_worker_register(void);

#endif							/* DC_WORKER_H */
