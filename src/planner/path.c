/*-------------------------------------------------------------------------
 *
 * path.c
 *	  Where a VecdbScan is offered.
 *
 * The hook is called for every table of every query once the library is loaded,
 * which it is before the first path of a table with an hnsw index is made: the
 * planner asks the access method's handler what the index can do.  So what
 * rules out most queries is looked at first.
 *
 *-------------------------------------------------------------------------
 */
#include "pg_compat_plan.h"

#include "catalog/pg_class.h"
#include "hnsw/hnsw.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/clauses.h"
#include "optimizer/cost.h"
#include "optimizer/optimizer.h"
#include "optimizer/pathnode.h"
#include "optimizer/paths.h"
#include "parser/parsetree.h"
#include "planner/path.h"

static set_rel_pathlist_hook_type previous_hook = NULL;

static void add_scan_path(PlannerInfo *root, RelOptInfo *rel, Index rti, RangeTblEntry *rte);
static bool is_scannable(RelOptInfo *rel, const RangeTblEntry *rte);
static bool is_sorted_by_rows(PlannerInfo *root);
static bool has_own_plan(PlannerInfo *root, RelOptInfo *rel);
static VdbOrder *choose_order(PlannerInfo *root, RelOptInfo *rel);
static VdbScanPath *make_path(PlannerInfo *root, RelOptInfo *rel, const VdbOrder *order,
							  List *conditions);
static bool has_params(Node *node, void *context);
static void remove_plain_paths(PlannerInfo *root, RelOptInfo *rel);
static List *without_plain_paths(List *paths);

void
vdb_planner_init_hook(void)
{
	previous_hook = set_rel_pathlist_hook;
	set_rel_pathlist_hook = add_scan_path;
}

/*
 * set_rel_pathlist_hook: adds a VecdbScan to the paths of a table where one is
 * of use.  Where there are conditions, plain scans of the index go: a search
 * that meets few matching rows has to change its way, and they cannot.
 *
 * They also go below groups and aggregates, without a VecdbScan: for these the
 * rows without a distance count, which only a sort has.
 */
static void
add_scan_path(PlannerInfo *root, RelOptInfo *rel, Index rti, RangeTblEntry *rte)
{
	VdbOrder   *order;
	VdbScanPath *path;
	List	   *conditions;

	if (previous_hook != NULL)
		previous_hook(root, rel, rti, rte);

	if (root->query_pathkeys == NIL || !vdb_enable_scan || !enable_indexscan ||
		!is_scannable(rel, rte) || !vdb_has_index(rel) || has_own_plan(root, rel))
		return;
	order = choose_order(root, rel);
	if (order == NULL)
		return;
	conditions = vdb_find_conditions(order);
	if (conditions == NIL && order->is_cores)
		return;

	if (!is_sorted_by_rows(root))
	{
		if (conditions != NIL)
			remove_plain_paths(root, rel);
		return;
	}
	path = make_path(root, rel, order, conditions);
	if (conditions != NIL)
		remove_plain_paths(root, rel);
	vdb_cost_scan_path(root, path);
	add_path(rel, (Path *) path);
}

/*
 * Is it a table whose rows the node can fetch?  Not the parent of an append
 * relation, whose children are offered theirs, nor a sample.
 */
static bool
is_scannable(RelOptInfo *rel, const RangeTblEntry *rte)
{
	return rel->rtekind == RTE_RELATION && !rte->inh && rte->tablesample == NULL &&
		(rte->relkind == RELKIND_RELATION || rte->relkind == RELKIND_MATVIEW) &&
		(rel->reloptkind == RELOPT_BASEREL || rel->reloptkind == RELOPT_OTHER_MEMBER_REL) &&
		rel->lateral_relids == NULL && !IS_DUMMY_REL(rel);
}

/*
 * Are rows sorted, for ORDER BY or a window?  Groups are another matter: rows
 * without a distance are one, and count in aggregates.
 */
static bool
is_sorted_by_rows(PlannerInfo *root)
{
	Query	   *parse = root->parse;

	return parse->groupClause == NIL && parse->groupingSets == NIL && !parse->hasAggs &&
		(root->query_pathkeys == root->sort_pathkeys ||
		 root->query_pathkeys == root->window_pathkeys) &&
		(root->sort_pathkeys != NIL || parse->distinctClause == NIL);
}

/*
 * Has a table conditions that say where its rows are, or which one it is, or
 * whose results depend on how often they are evaluated?
 */
static bool
has_own_plan(PlannerInfo *root, RelOptInfo *rel)
{
	ListCell   *lc;

	if (vdb_is_unique(root, rel))
		return true;
	foreach(lc, rel->pathlist)
	{
		if (IsA(lfirst(lc), TidPath) && ((Path *) lfirst(lc))->param_info == NULL)
			return true;
	}
	foreach(lc, rel->baserestrictinfo)
	{
		if (contain_volatile_functions((Node *) lfirst_node(RestrictInfo, lc)->clause))
			return true;
	}
	return false;
}

/*
 * The query's order by the index that gives it at the least cost, or NULL.
 */
static VdbOrder *
choose_order(PlannerInfo *root, RelOptInfo *rel)
{
	List	   *orders = vdb_find_orders(root, rel);
	VdbOrder   *best;
	ListCell   *lc;

	if (orders == NIL)
		return NULL;
	best = linitial(orders);
	if (best->is_prefix && !best->is_cores && !enable_incremental_sort)
		return NULL;
	for_each_from(lc, orders, 1)
	{
		VdbOrder   *order = lfirst(lc);

		if (vdb_order_cost(root, order) < vdb_order_cost(root, best))
			best = order;
	}
	return best;
}

/*
 * The path, but for its costs.
 */
static VdbScanPath *
make_path(PlannerInfo *root, RelOptInfo *rel, const VdbOrder *order, List *conditions)
{
	VdbScanPath *result = (VdbScanPath *) newNode(sizeof(VdbScanPath), T_CustomPath);
	Path	   *path = &result->path.path;
	VdbScanPlan *plan = &result->plan;
	BitmapHeapPath *bitmap = NULL;

	result->order = *order;
	plan->index = order->index->indexoid;
	plan->distance = order->distance;
	plan->query = order->query;
	plan->limit = vdb_find_limit(root, rel);
	plan->more_rows = vdb_more_rows(root, order);
	plan->bounds = vdb_find_bounds(order, conditions);
	plan->table_rows = rel->tuples;
	plan->matching_rows = rel->rows;
	plan->is_generic = has_params((Node *) conditions, NULL);
	plan->has_policies = planner_rt_fetch(rel->relid, root)->securityQuals != NIL;

	if (conditions != NIL)
		bitmap = vdb_find_bitmap(root, rel);
	if (bitmap != NULL)
	{
		Selectivity share;

		plan->has_bitmap = true;
		cost_bitmap_tree_node(bitmap->bitmapqual, &plan->bitmap_cost, &share);
		plan->bitmap_rows = clamp_row_est(share * rel->tuples);
		result->path.custom_paths = list_make1(bitmap);
	}

	path->pathtype = T_CustomScan;
	path->parent = rel;
	path->pathtarget = rel->reltarget;
	path->parallel_safe = rel->consider_parallel &&
		is_parallel_safe(root, (Node *) plan->distance) &&
		is_parallel_safe(root, (Node *) plan->limit);
	path->pathkeys = list_make1(linitial(root->query_pathkeys));
	result->path.flags = CUSTOMPATH_SUPPORT_PROJECTION;
	result->path.methods = &vdb_scan_path_methods;
	return result;
}

/*
 * Are there parameters in an expression, whose values nobody knows yet?
 */
static bool
has_params(Node *node, void *context)
{
	if (node == NULL)
		return false;
	if (IsA(node, Param))
		return true;
	if (IsA(node, RestrictInfo))
		return has_params((Node *) ((RestrictInfo *) node)->clause, context);
	return expression_tree_walker(node, has_params, context);
}

/*
 * Removes scans of hnsw indexes by distance from the paths of a table.  One may
 * have displaced the plain scan, which is added again then.
 */
static void
remove_plain_paths(PlannerInfo *root, RelOptInfo *rel)
{
	ListCell   *lc;

	rel->pathlist = without_plain_paths(rel->pathlist);
	rel->partial_pathlist = without_plain_paths(rel->partial_pathlist);
	foreach(lc, rel->pathlist)
	{
		if (((Path *) lfirst(lc))->pathtype == T_SeqScan)
			return;
	}
	add_path(rel, create_seqscan_path(root, rel, NULL, 0));
}

static List *
without_plain_paths(List *paths)
{
	List	   *result = NIL;
	ListCell   *lc;

	foreach(lc, paths)
	{
		Path	   *path = (Path *) lfirst(lc);

		if (!IsA(path, IndexPath) || ((IndexPath *) path)->indexorderbys == NIL ||
			!vdb_hnsw_is_index(((IndexPath *) path)->indexinfo))
			result = lappend(result, path);
	}
	return result;
}
