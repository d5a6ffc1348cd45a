/*-------------------------------------------------------------------------
 *
 * planner.h
 *	  Public face of the planner room.
 *
 *-------------------------------------------------------------------------
 */
#ifndef VDB_PLANNER_H
#define VDB_PLANNER_H

#include "pg_compat.h"

/* What the last filtered search of this backend did. */
typedef struct VdbSearchReport
{
	const char *strategy;
	const char *reason;			/* why this strategy */
	const char *advice;			/* what would make it faster, or NULL */
	int64		bitmap_rows;	/* rows that indexes on the filter gave */
	int64		nodes;			/* of the graph that were visited */
	int64		heap_fetches;
	int64		distances;		/* that were computed */
} VdbSearchReport;

/* NULL if there was none since the last reset. */
extern const VdbSearchReport *vdb_last_search_report(void);
extern void vdb_reset_search_report(void);

#endif							/* VDB_PLANNER_H */
