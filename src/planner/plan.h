/*-------------------------------------------------------------------------
 *
 * plan.h
 *	  What the planner tells the executor: the contents of a VecdbScan plan.
 *
 *-------------------------------------------------------------------------
 */
#ifndef VDB_PLANNER_PLAN_H
#define VDB_PLANNER_PLAN_H

#include "postgres.h"

#include "nodes/extensible.h"
#include "nodes/pathnodes.h"
#include "nodes/plannodes.h"

#define VDB_SCAN_NAME "VecdbScan"

/* vecdb.filter_strategy */
typedef enum VdbFilterStrategy
{
	VDB_STRATEGY_AUTO,
	VDB_STRATEGY_VECTOR,		/* graph first, filter on the rows */
	VDB_STRATEGY_EXACT,			/* all rows that the filter lets through */
	VDB_STRATEGY_GRAPH,			/* graph, with the bitmap as allow-list */
	VDB_STRATEGY_INDEX			/* the whole index, with the bitmap as allow-list */
} VdbFilterStrategy;

/* "distance < value" among the conditions: nothing beyond it is wanted */
typedef struct VdbScanBound
{
	Expr	   *value;			/* float8, without columns; NULL: no row at all */
	bool		is_inclusive;
} VdbScanBound;

/*
 * The scan's plan.qual holds the conditions that the bitmap does not answer, all
 * of them where there is none; recheck those that it does.  Both together are
 * what a row has to satisfy.
 */
typedef struct VdbScanPlan
{
	Oid			index;			/* hnsw */
	Expr	   *distance;		/* the operator's call; its columns are the table's */
	Expr	   *query;			/* its argument that is not the index's column */
	bool		has_bitmap;		/* custom_plans is one bitmap subplan */
	List	   *recheck;		/* implicitly ANDed; NIL without a bitmap */
	Expr	   *limit;			/* int8, LIMIT + OFFSET; NULL: not known.  A hint. */
	int			more_rows;		/* that whoever sorts above may ask for beyond limit */
	List	   *bounds;			/* of VdbScanBound * */

	/* estimates */
	double		table_rows;
	double		matching_rows;	/* that satisfy all conditions */
	double		bitmap_rows;	/* that the bitmap will have */
	double		bitmap_cost;	/* to make it, in the planner's units */
	bool		is_generic;		/* made without knowing the parameters' values */
	bool		has_policies;	/* of row-level security */
	char	   *advice;			/* NULL, or what index would serve the conditions */
} VdbScanPlan;

/*
 * Between the struct and a plan's custom_private and custom_exprs, which survive
 * copying, setrefs and the way to a parallel worker.
 */
extern void vdb_scan_plan_write(CustomScan *scan, const VdbScanPlan *plan);
extern void vdb_scan_plan_read(const CustomScan *scan, VdbScanPlan *plan);

/* node.c */
extern const CustomScanMethods vdb_scan_methods;

/* settings.c */
extern bool vdb_enable_scan;	/* vecdb.enable_scan */
extern int	vdb_filter_strategy; /* vecdb.filter_strategy */
extern void vdb_planner_init_settings(void);

/* path.c */
extern void vdb_planner_init_hook(void);

/* node.c */
extern void vdb_planner_init_node(void);

#endif							/* VDB_PLANNER_PLAN_H */
