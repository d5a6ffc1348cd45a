/*-------------------------------------------------------------------------
 *
 * path.h
 *	  The planning half of the room, among itself.
 *
 *-------------------------------------------------------------------------
 */
#ifndef VDB_PLANNER_PATH_H
#define VDB_PLANNER_PATH_H

#include "postgres.h"

#include "nodes/pathnodes.h"
#include "planner/plan.h"

/* What one step of arithmetic does to a number */
typedef enum VdbArithKind
{
	VDB_ARITH_NEGATE,			/* - x */
	VDB_ARITH_ADD,				/* x + value */
	VDB_ARITH_SUBTRACT_FROM,	/* value - x */
	VDB_ARITH_MULTIPLY,			/* x * value, which is not zero */
	VDB_ARITH_DIVIDE			/* x / value, likewise */
} VdbArithKind;

typedef struct VdbArith
{
	VdbArithKind kind;
	double		value;			/* finite */
} VdbArith;

#define VDB_MAX_ARITH 8

/*
 * An expression as steps around a number, the outermost first.  It rises or
 * falls with the number, up to rounding, which may make equals of different
 * numbers but never changes their order.
 */
typedef struct VdbMonotone
{
	Expr	   *number;
	bool		is_falling;
	int			nsteps;
	VdbArith	steps[VDB_MAX_ARITH];
} VdbMonotone;

/* An order by distance that an index gives */
typedef struct VdbOrder
{
	IndexOptInfo *index;
	Expr	   *distance;		/* the index's operator, its column on the left */
	Expr	   *column;
	Expr	   *query;
	Expr	   *sorted;			/* what the query sorts by: distance, or made of it */
	bool		is_prefix;		/* the query sorts by more than that */
	bool		is_cores;		/* the planner has plain index paths for it */
} VdbOrder;

/* A path, with all that its plan will have */
typedef struct VdbScanPath
{
	CustomPath	path;
	VdbOrder	order;
	VdbScanPlan plan;			/* all but recheck and advice */
} VdbScanPath;

/* monotone.c */
extern void vdb_peel_steps(Expr *expr, VdbMonotone *monotone);
extern bool vdb_push_step(VdbMonotone *monotone, VdbArithKind kind, double value);
extern Expr *vdb_undo_steps(const VdbMonotone *monotone, Expr *value);

/* order.c */
extern bool vdb_has_index(const RelOptInfo *rel);
extern List *vdb_find_orders(PlannerInfo *root, RelOptInfo *rel);
extern Expr *vdb_match_distance(IndexOptInfo *index, VdbMonotone *monotone);

/* condition.c */
extern List *vdb_find_conditions(const VdbOrder *order);
extern List *vdb_find_bounds(const VdbOrder *order, List *conditions);
extern Expr *vdb_find_limit(PlannerInfo *root, RelOptInfo *rel);
extern bool vdb_is_only_table(PlannerInfo *root, RelOptInfo *rel);
extern int	vdb_more_rows(PlannerInfo *root, const VdbOrder *order);

/* bitmap_path.c */
extern BitmapHeapPath *vdb_find_bitmap(PlannerInfo *root, RelOptInfo *rel);

/* path_cost.c */
extern Cost vdb_order_cost(PlannerInfo *root, const VdbOrder *order);
extern void vdb_cost_scan_path(PlannerInfo *root, VdbScanPath *path);

/* advice.c */
extern char *vdb_index_advice(PlannerInfo *root, const VdbOrder *order);

/* plan.c */
extern const CustomPathMethods vdb_scan_path_methods;

#endif							/* VDB_PLANNER_PATH_H */
