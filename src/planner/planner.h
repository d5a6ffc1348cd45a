/*-------------------------------------------------------------------------
 *
 * planner.h
 *	  Public face of the planner room.
 *
 *-------------------------------------------------------------------------
 */
#ifndef VDB_PLANNER_H
#define VDB_PLANNER_H

#include "postgres.h"

/* What the last VecdbScan of this backend did, for those who cannot EXPLAIN */
typedef struct VdbSearchReport
{
	const char *strategy;		/* README.md, "Strategies" */
	const char *reason;
	const char *advice;			/* NULL, or which index to create */
	int64		bitmap_rows;	/* -1: no bitmap was made */
	int64		nodes;			/* of the graph, visited */
	int64		heap_fetches;
	int64		distances;		/* exact ones */
} VdbSearchReport;

/* node methods, the planner hook, settings: called from _PG_init */
extern void vdb_planner_init(void);

/* NULL if no VecdbScan has run since the last reset; valid until the next one runs */
extern const VdbSearchReport *vdb_last_search_report(void);
extern void vdb_reset_search_report(void);

#endif							/* VDB_PLANNER_H */
