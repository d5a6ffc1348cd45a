/*-------------------------------------------------------------------------
 *
 * path_cost.c
 *	  What a VecdbScan costs, as far as that can be known beforehand.
 *
 * The node does what is cheapest: it walks the graph until enough rows have
 * passed the conditions, or computes the distances of all rows that match.
 * How many match is the planner's weakest guess, above all with parameters and
 * JSON, and the node is the one plan that notices when it was wrong.  So it
 * must win wherever it can do what another plan does: its cost is honest, but
 * not above that of the cheapest other way to the rows that the query wants
 * (COMPETITION).  Only where the graph could not be worthwhile whatever the
 * conditions, on small tables, reading the whole table may win.
 *
 * A path has two costs, and for the rows between the first and the last the
 * planner interpolates.  Total is the exact answer in full, so that sorting
 * wins where all rows are wanted.  Startup is such that the rows that are
 * wanted cost what they should.
 *
 *-------------------------------------------------------------------------
 */
#include "pg_compat_plan.h"

#include <float.h>

#include "miscadmin.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/cost.h"
#include "optimizer/optimizer.h"
#include "optimizer/pathnode.h"
#include "planner/path.h"
#include "utils/selfuncs.h"

/*
 * Of the cheapest other way's cost.  The planner takes costs for equal that differ
 * by one percent.
 */
#define COMPETITION 0.9

/*
 * The share of a table that a limit of the distance leaves, where the planner's
 * own guess is a third.  Nobody searches for a third of a table by distance;
 * and if somebody does, the node changes to the exact answer in time.
 */
#define BOUND_SHARE DEFAULT_RANGE_INEQ_SEL

/* Startup is at least this share of what the rows wanted cost */
#define MIN_STARTUP 0.5

/*
 * The costs of the rows wanted by several ways.  Those ways that do not sort
 * are charged for the output's distances above us, row by row; the others
 * compute those of all rows that match, which is added here.
 */
typedef struct Costs
{
	double		rows;			/* that match */
	double		wanted;			/* of them */
	bool		is_limited;		/* wanted is known */
	Cost		distances;		/* of the rows that match */
	Cost		output;			/* of the rows wanted */
	Cost		sort;
	Cost		graph;			/* by the graph */
	Cost		graph_bare;		/* likewise if all rows of the table matched */
	Cost		exact;			/* by the node's exact strategy */
	Cost		sequential;		/* by other plans, reading the whole table */
	Cost		selective;		/* by other plans, not reading it; or infinite */
} Costs;

static IndexPath *make_index_path(PlannerInfo *root, const VdbOrder *order);
static void fill_costs(PlannerInfo *root, const VdbScanPath *path, Costs *costs);
static void fill_rows(PlannerInfo *root, const VdbScanPath *path, Costs *costs);
static void fill_graph_costs(PlannerInfo *root, const VdbScanPath *path, Costs *costs);
static void fill_other_costs(PlannerInfo *root, const VdbScanPath *path, Costs *costs);
static Cost sort_cost(PlannerInfo *root, RelOptInfo *rel, const Costs *costs);

/*
 * The cost of the first rows of an order's index, to choose between indexes.
 */
Cost
vdb_order_cost(PlannerInfo *root, const VdbOrder *order)
{
	return make_index_path(root, order)->path.startup_cost;
}

/*
 * Fills in rows and costs of a path that is complete otherwise.  The table's
 * pathlist has the competition.
 */
void
vdb_cost_scan_path(PlannerInfo *root, VdbScanPath *path)
{
	Costs		costs;
	Cost		wanted_cost;
	Cost		startup;
	Cost		total;
	double		share;

	fill_costs(root, path, &costs);
	wanted_cost = Min(costs.graph, costs.exact);
	wanted_cost = Min(wanted_cost, COMPETITION * costs.selective - costs.output);
	if (costs.graph_bare < costs.sequential)
		wanted_cost = Min(wanted_cost, COMPETITION * costs.sequential - costs.output);
	wanted_cost = Max(wanted_cost, cpu_tuple_cost);

	total = Max(costs.exact, wanted_cost);
	if (path->plan.bounds != NIL)
		total = Max(Min(total, costs.graph_bare), wanted_cost);

	/* startup + share * (total - startup) = wanted_cost */
	share = costs.wanted / costs.rows;
	if (share < 1)
	{
		startup = (wanted_cost - share * total) / (1 - share);
		if (startup < MIN_STARTUP * wanted_cost)
		{
			startup = MIN_STARTUP * wanted_cost;
			if (costs.is_limited)
				total = startup + (wanted_cost - startup) / share;
		}
	}
	else
	{
		startup = wanted_cost;
		if (costs.is_limited)
			total = wanted_cost;
	}

	path->path.path.rows = path->path.path.parent->rows;
	path->path.path.startup_cost = startup;
	path->path.path.total_cost = total;
}

/*
 * The plain scan of the index, in the order of the distance.
 */
static IndexPath *
make_index_path(PlannerInfo *root, const VdbOrder *order)
{
	return create_index_path(root, order->index, NIL,
							 list_make1(order->distance), list_make1_int(0),
							 NIL, NoMovementScanDirection, false, NULL, 1.0, false);
}

static void
fill_costs(PlannerInfo *root, const VdbScanPath *path, Costs *costs)
{
	fill_rows(root, path, costs);
	fill_graph_costs(root, path, costs);
	fill_other_costs(root, path, costs);
}

/*
 * How many rows there are, how many are wanted, and what their distances cost.
 */
static void
fill_rows(PlannerInfo *root, const VdbScanPath *path, Costs *costs)
{
	RelOptInfo *rel = path->path.path.parent;
	QualCost	distance;
	double		wanted = 0;

	costs->rows = Max(rel->rows, 1);
	if (vdb_is_only_table(root, rel))
	{
		wanted = root->limit_tuples;
		if (wanted <= 0)
			wanted = root->tuple_fraction;
		if (wanted > 0 && wanted < 1)
			wanted *= costs->rows;
	}
	costs->is_limited = wanted > 0;
	costs->wanted = wanted > 0 ? Min(wanted, costs->rows) : 1;

	cost_qual_eval_node(&distance, (Node *) path->plan.distance, root);
	costs->distances = distance.startup + costs->rows * distance.per_tuple;
	costs->output = distance.startup + costs->wanted * distance.per_tuple;
	costs->sort = sort_cost(root, rel, costs);
}

/*
 * What the graph costs: as a plain scan of the index, which interpolates
 * likewise.
 */
static void
fill_graph_costs(PlannerInfo *root, const VdbScanPath *path, Costs *costs)
{
	RelOptInfo *rel = path->path.path.parent;
	Path	   *plain = &make_index_path(root, &path->order)->path;
	Cost		run = plain->total_cost - plain->startup_cost;
	double		all = Max(rel->tuples, costs->rows);
	double		bare = costs->is_limited ? costs->wanted / all : BOUND_SHARE;

	costs->graph = plain->startup_cost + run * costs->wanted / costs->rows;
	costs->graph_bare = plain->startup_cost + run * Min(bare, 1);
}

/*
 * What it costs to compute all distances and to sort.
 */
static void
fill_other_costs(PlannerInfo *root, const VdbScanPath *path, Costs *costs)
{
	RelOptInfo *rel = path->path.path.parent;
	Cost		above = costs->distances + costs->sort;
	Cost		table = create_seqscan_path(root, rel, NULL, 0)->total_cost;
	ListCell   *lc;

	costs->exact = table + above;
	costs->sequential = table + above;
	costs->selective = DBL_MAX;
	if (path->path.custom_paths != NIL)
	{
		costs->exact = ((Path *) linitial(path->path.custom_paths))->total_cost + above;
		costs->selective = costs->exact;
	}
	foreach(lc, rel->pathlist)
	{
		Path	   *other = (Path *) lfirst(lc);

		if (other->param_info == NULL && !IsA(other, CustomPath) &&
			other->pathtype != T_SeqScan)
			costs->selective = Min(costs->selective, other->total_cost + above);
	}
	foreach(lc, rel->partial_pathlist)
	{
		Path	   *other = (Path *) lfirst(lc);

		costs->sequential = Min(costs->sequential,
								other->total_cost + parallel_setup_cost +
									costs->rows * parallel_tuple_cost +
									above / (other->parallel_workers + 1));
	}
}

static Cost
sort_cost(PlannerInfo *root, RelOptInfo *rel, const Costs *costs)
{
	Path		path = {0};

	vdb_cost_sort(&path, root, root->query_pathkeys, 0, 0, costs->rows,
				  rel->reltarget->width, 0, work_mem,
				  costs->is_limited ? costs->wanted : -1);
	return path.total_cost;
}
