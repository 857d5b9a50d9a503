/*
 * ddl.h
 *		Definitions and privileges that change.
 */
#ifndef DC_DDL_H
#define DC_DDL_H

extern void dc_ddl_register(void);

/*
 * Changes whenever the session's temporary relations may have, which come
 * before others of their names.
 */
extern uint64 dc_temporary_generation(void);

#endif							/* DC_DDL_H */
