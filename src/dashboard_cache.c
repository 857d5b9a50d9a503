/*
 * dashboard_cache.c
 *		The library's start.
 *
 * A call comes in at function/language.c and is told in function/lookup.c;
 * whether an entry may be served is decided in coherence/ledger.c.
 */
#include "postgres.h"

#include "fmgr.h"
#include "miscadmin.h"

#include "coherence/ddl.h"
#include "coherence/dependency.h"
#include "coherence/pending.h"
#include "coherence/relation.h"
#include "coherence/slice.h"
#include "coherence/temporary.h"
#include "coherence/writing.h"
#include "function/definition.h"
#include "settings.h"
#include "shmem.h"
#include "worker.h"

PG_MODULE_MAGIC;

void		_PG_init(void);

void
_PG_init(void)
{
	dc_settings_define();
	dc_definition_register();
	dc_relation_register();

	/* Without shared memory there is nothing to keep exact. */
	if (!process_shared_preload_libraries_in_progress)
		return;
	dc_shmem_register();
	dc_pending_register();
	dc_dependency_register();
	dc_slice_register();
	dc_writing_register();
	dc_ddl_register();
	dc_temporary_register();
	dc_worker_register();
}
