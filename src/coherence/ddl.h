/*
 * ddl.h
 *		Definitions and privileges that change.
 */
#ifndef DC_DDL_H
#define DC_DDL_H

extern void dc_ddl_register(void);

#endif							/* DC_DDL_H */
