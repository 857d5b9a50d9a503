/*
 * settings.h
 *		The dashboard_cache.* settings.
 */
#ifndef DC_SETTINGS_H
#define DC_SETTINGS_H

extern bool dc_enabled;
extern int	dc_default_ttl;		/* seconds; -1: infinite */
extern int	dc_max_entry_size;	/* kB */
extern int	dc_shared_memory_size;	/* kB; 0: no shared-memory tier */

extern void dc_settings_define(void);

#endif							/* DC_SETTINGS_H */
