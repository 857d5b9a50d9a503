/*
 * watch_state.h
 *		Which of watch()'s triggers are on a table.
 */
#ifndef DC_WATCH_STATE_H
#define DC_WATCH_STATE_H

#include "nodes/pg_list.h"

typedef struct DcWatchTrigger
{
	const char *name;
	const char *events;
	bool		for_row;
	char		enabled;		/* as in pg_trigger.tgenabled */
	bool		takes_slices;	/* as its arguments */
	const char *notes;			/* the function in its WHEN; or NULL */
	const char *rows[2];		/* that are noted */
} DcWatchTrigger;

#define DC_WATCH_TRIGGERS 5

extern const DcWatchTrigger dc_watch_triggers[DC_WATCH_TRIGGERS];

/* What is there of them on a table. */
typedef struct DcWatchState
{
	Oid			relation;
	bool		present[DC_WATCH_TRIGGERS];
	bool		enabled[DC_WATCH_TRIGGERS]; /* as they should be */
	bool		is_clone[DC_WATCH_TRIGGERS];	/* comes from the parent */
	List	   *slices[DC_WATCH_TRIGGERS];	/* columns, in order: char * */
} DcWatchState;

extern DcWatchState dc_watch_state(Oid relation);

/* Is it to be watched, whatever has become of that? */
extern bool dc_watch_is_begun(const DcWatchState *state);

/* All slice columns that any of the triggers has, and that there are. */
extern List *dc_watch_slices(const DcWatchState *state);
extern bool dc_names_has(const List *names, const char *name);

/* Those that the table should have: all of its roots'. */
extern List *dc_wanted_slices(Oid table);

/* Is a trigger as it should be, for these slices? */
extern bool dc_trigger_is_right(const DcWatchState *state, int i,
								const List *slices);

/* Is all that is wrong with it that it does not fire when it should? */
extern bool dc_trigger_is_only_off(const DcWatchState *state, int i,
								   const List *slices);

/* The table and its parts, but for foreign and temporary ones. */
extern List *dc_watch_tables(Oid relation);

/* Are all triggers of these as they should be? */
extern bool dc_tables_are_right(Oid relation);

/* Is every write to the relation announced, or is it one that is not written? */
extern bool dc_watch_is_complete(Oid relation);

/* By which slices are writes to the table, a root, announced? */
extern List *dc_watched_slices(Oid root);

#endif							/* DC_WATCH_STATE_H */
