/*
 * writing.h
 *		Is a statement of this session in the middle of its writes?
 */
#ifndef DC_WRITING_H
#define DC_WRITING_H

#include "utils/snapshot.h"

extern void dc_writing_register(void);

/*
 * If so, and the snapshot is a later one: it may see rows that no trigger has
 * announced yet.
 */
extern bool dc_sees_unannounced(Snapshot snapshot);

/*
 * May the columns that a statement trigger is told be a part of those that
 * the statement has set?
 */
extern bool dc_writing_hides_columns(void);

/* From which of the notes in slice.h on do they belong to the statement? */
extern int	dc_writing_first_note(void);

#endif							/* DC_WRITING_H */
