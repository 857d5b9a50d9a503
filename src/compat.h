/*
 * compat.h
 *		What differs between PostgreSQL 15 and 18, under the newest name.
 *
 * Every test of PG_VERSION_NUM in the project stands here.
 */
#ifndef DC_COMPAT_H
#define DC_COMPAT_H

#include "access/htup_details.h"
#include "access/transam.h"
#include "catalog/pg_class.h"
#include "miscadmin.h"
#include "nodes/plannodes.h"
#include "parser/parse_relation.h"
#include "storage/latch.h"
#include "utils/acl.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#if PG_VERSION_NUM >= 170000
#include "storage/procnumber.h"
#else
#include "storage/backendid.h"
#endif
#if PG_VERSION_NUM >= 160000
#include "varatt.h"
#endif
#if PG_VERSION_NUM >= 180000
#include "storage/waiteventset.h"
#endif

/* Brings a cache line near that is about to be written. */
static inline void
dc_prefetch_to_write(const void *line)
{
#if defined(__GNUC__)
	__builtin_prefetch(line, 1);
#endif
}

/* pg_attribute.attgenerated of a column that is not stored, from 18 on. */
#define DC_GENERATED_VIRTUAL 'v'

#if PG_VERSION_NUM < 150000
#error "dashboard_cache needs PostgreSQL 15 or later"
#endif

/*
 * A 64-bit transaction id that was the next one a moment ago.  Read without
 * XidGenLock where eight bytes are read at once: it only supplies the epoch
 * for ids that are known to be within two billion of it.
 */
static inline uint64
dc_next_xid_hint(void)
{
#if SIZEOF_VOID_P < 8
	return U64FromFullTransactionId(ReadNextFullTransactionId());
#elif PG_VERSION_NUM >= 170000
	return TransamVariables->nextXid.value;
#else
	return ShmemVariableCache->nextXid.value;
#endif
}

/* Memory for what a setting's check hook gives back; NULL if there is none. */
static inline void *
dc_guc_alloc(Size size)
{
#if PG_VERSION_NUM >= 160000
	return guc_malloc(LOG, size);
#else
	return malloc(size);
#endif
}

static inline void
dc_guc_free(void *memory)
{
#if PG_VERSION_NUM >= 160000
	guc_free(memory);
#else
	free(memory);
#endif
}

/* A set of events to wait for that lives as long as the process. */
static inline WaitEventSet *
dc_create_wait_events(int n)
{
#if PG_VERSION_NUM >= 170000
	return CreateWaitEventSet(NULL, n);
#else
	return CreateWaitEventSet(TopMemoryContext, n);
#endif
}

/* What an ExecutorRun hook takes and passes on. */
#if PG_VERSION_NUM >= 180000
#define DC_EXECUTOR_RUN_PARAMETERS \
	QueryDesc *queryDesc, ScanDirection direction, uint64 count
#define DC_EXECUTOR_RUN_ARGUMENTS queryDesc, direction, count
#else
#define DC_EXECUTOR_RUN_PARAMETERS \
	QueryDesc *queryDesc, ScanDirection direction, uint64 count, \
	bool execute_once
#define DC_EXECUTOR_RUN_ARGUMENTS queryDesc, direction, count, execute_once
#endif

/* What SYSTEM_USER says, or NULL. */
static inline const char *
dc_system_user(void)
{
#if PG_VERSION_NUM >= 160000
	return GetSystemUser();
#else
	return NULL;
#endif
}

/*
 * Numbers the processes, from 0 to dc_max_processes() - 1: this one, and the
 * one whose parallel worker this is.
 */
static inline int
dc_my_process(void)
{
#if PG_VERSION_NUM >= 170000
	return MyProcNumber;
#else
	return MyBackendId - 1;
#endif
}

static inline int
dc_leader_process(void)
{
#if PG_VERSION_NUM >= 170000
	return ParallelLeaderProcNumber;
#else
	return ParallelLeaderBackendId - 1;
#endif
}

static inline int
dc_max_processes(void)
{
	return MaxBackends;
}

/* The user whose rights a plan uses to read the relation, or InvalidOid. */
static inline Oid
dc_rte_check_as_user(PlannedStmt *plan, RangeTblEntry *rte)
{
#if PG_VERSION_NUM >= 160000
	if (rte->perminfoindex == 0)
		return InvalidOid;
	return getRTEPermissionInfo(plan->permInfos, rte)->checkAsUser;
#else
	return rte->checkAsUser;
#endif
}

/* The columns that a plan reads of a relation, as far as privileges tell. */
static inline Bitmapset *
dc_rte_selected_columns(PlannedStmt *plan, RangeTblEntry *rte)
{
#if PG_VERSION_NUM >= 160000
	if (rte->perminfoindex == 0)
		return NULL;
	return getRTEPermissionInfo(plan->permInfos, rte)->selectedCols;
#else
	return rte->selectedCols;
#endif
}

/* Does the plan say which columns it reads of a relation? */
static inline bool
dc_rte_tells_columns(RangeTblEntry *rte)
{
#if PG_VERSION_NUM >= 160000
	return rte->perminfoindex != 0;
#else
	return true;
#endif
}

/* Does the current user own it, or may act as if? */
static inline bool
dc_owns_relation(Oid relation)
{
#if PG_VERSION_NUM >= 160000
	return object_ownercheck(RelationRelationId, relation, GetUserId());
#else
	return pg_class_ownercheck(relation, GetUserId());
#endif
}

static inline MinimalTuple
dc_form_minimal_tuple(TupleDesc columns, Datum *values, bool *nulls)
{
#if PG_VERSION_NUM >= 180000
	return heap_form_minimal_tuple(columns, values, nulls, 0);
#else
	return heap_form_minimal_tuple(columns, values, nulls);
#endif
}

static inline MinimalTuple
dc_copy_minimal_tuple(MinimalTuple row)
{
#if PG_VERSION_NUM >= 180000
	return heap_copy_minimal_tuple(row, 0);
#else
	return heap_copy_minimal_tuple(row);
#endif
}

#endif							/* DC_COMPAT_H */
