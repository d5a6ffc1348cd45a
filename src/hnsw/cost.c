/*-------------------------------------------------------------------------
 *
 * cost.c
 *	  What a scan costs: amcostestimate.
 *
 * Startup is the first batch, since a scan returns nothing before it has it.
 * Total is a scan to the end: every node, every row.  Between the two the
 * planner interpolates by the rows that it wants, which is about what a scan
 * does that goes on after its first batch.  So the index wins where few rows
 * are wanted, and where all are, sorting the table does.
 *
 * Costs are honest: no constant steers the planner.  Those here were measured
 * in units of a simple operator (cpu_operator_cost), which takes 5 ns where a
 * visit takes a microsecond; README.md has the figures.
 *
 *-------------------------------------------------------------------------
 */
#include "pg_compat.h"

#include <math.h>

#include "access/genam.h"
#include "hnsw/am.h"
#include "hnsw/hnsw.h"
#include "hnsw/index.h"
#include "hnsw/options.h"
#include "nodes/bitmapset.h"
#include "optimizer/cost.h"
#include "optimizer/optimizer.h"
#include "utils/memutils.h"
#include "utils/selfuncs.h"
#include "utils/spccache.h"

/* More than any plan, and unlike infinity it can be subtracted from itself */
#define NEVER 1.0e30

/* Multiples of cpu_operator_cost: a scan before its first node, */
#define SCAN_COST 2000.0
/* to find, pin and lock a node and to keep it as a result, */
#define NODE_COST 60.0
/* and with the bytes of its vector, */
#define VECTOR_BYTE_COST 0.05
/* each of its links, */
#define LINK_COST 4.0
/* and with the bytes of its code. */
#define CODE_BYTE_COST 0.03

/* Nodes that a walk visits for a node that it looks for */
#define VISITS_PER_WIDTH 2.4
#define VISITS_TO_START 12
/* and for a row beyond the first ef_search, until most have been visited */
#define VISITS_PER_ROW 1.8
/* Nodes that the descent visits on a level */
#define DESCENT_VISITS 6.0
/* The part of a node's links that lead to nodes not seen before */
#define NEW_LINKS 0.3

/* Rows whose place is certain only when the table's value is known */
#define RECHECKS_HALF 0.2
#define RECHECKS_INT8 0.8

/* What the costs depend on */
typedef struct ScanShape
{
	double		pages;			/* of the index */
	double		nodes;			/* of level 0 */
	double		tuples;
	double		levels;			/* above level 0 */
	int			ef_search;
	int			slots;
	bool		has_codes;
	int			pages_per_node;
	double		read_cost;		/* of a node and its own distance */
	double		links_cost;		/* of a node's links */
	double		rechecks;		/* part of the tuples */
} ScanShape;

static bool form_shape(ScanShape *shape, IndexOptInfo *info);
static void form_node_costs(ScanShape *shape, const VdbQuantLayout *layout,
							const HnswMeta *meta);
static void warn_once(Relation index, const char *problem);
static double first_reads(const ScanShape *shape);
static double all_reads(const ScanShape *shape, PlannerInfo *root, IndexPath *path);
static double wanted_tuples(const ScanShape *shape, PlannerInfo *root, IndexPath *path);
static Cost reading_cost(const ScanShape *shape, PlannerInfo *root, IndexOptInfo *info,
						 double reads, double loops);
static double disk_share(PlannerInfo *root, double pages);
static Cost recheck_cost(PlannerInfo *root, IndexPath *path);

/*
 * amcostestimate.  An index that cannot be read costs too much for any plan,
 * and so does a scan without order, for which nobody asks but the planner
 * when a partial index's predicate is all that a query wants.
 */
void
vdb_hnsw_cost_estimate(PlannerInfo *root, IndexPath *path, double loop_count,
					   Cost *startup_cost, Cost *total_cost,
					   Selectivity *selectivity, double *correlation, double *pages)
{
	IndexOptInfo *info = path->indexinfo;
	ScanShape	shape;
	double		reads;
	Cost		row_cost;

	*correlation = 0;
	*pages = info->pages;
	*selectivity = clauselist_selectivity(root, info->indpred, info->rel->relid,
										  JOIN_INNER, NULL);
	if (path->indexorderbys == NIL || !form_shape(&shape, info))
	{
		*startup_cost = *total_cost = NEVER;
		vdb_disable_path(&path->path);
		return;
	}

	reads = first_reads(&shape);
	*startup_cost = index_other_operands_eval_cost(root, path->indexorderbys) +
		SCAN_COST * cpu_operator_cost +
		reading_cost(&shape, root, info, reads, loop_count);

	row_cost = cpu_index_tuple_cost + shape.rechecks * recheck_cost(root, path);
	*total_cost = *startup_cost + shape.tuples * row_cost +
		Max(0, reading_cost(&shape, root, info, all_reads(&shape, root, path), loop_count) - reading_cost(&shape, root, info, reads, loop_count));
}

bool
vdb_hnsw_is_index(const IndexOptInfo *info)
{
	return info->amcostestimate == vdb_hnsw_cost_estimate;
}

bool
vdb_hnsw_is_readable(IndexOptInfo *info)
{
	ScanShape	shape;

	return form_shape(&shape, info);
}

/*
 * Fills in what the costs depend on.  False if the index cannot be read,
 * which has been said then.
 */
static bool
form_shape(ScanShape *shape, IndexOptInfo *info)
{
	Relation	index;
	const HnswMeta *meta;
	VdbQuantLayout layout;
	char	   *problem = NULL;

	/* one that somebody wonders about has neither options nor pages */
	if (info->hypothetical)
		return false;

	index = index_open(info->indexoid, NoLock);
	meta = vdb_hnsw_try_meta(index, &layout, &problem);
	if (meta != NULL)
	{
		shape->pages = Max(info->pages, 1);
		shape->tuples = Max(info->tuples, 1);
		/* equal vectors share a node */
		shape->nodes = Min(shape->tuples, shape->pages * meta->nodes_per_page);
		shape->levels = log(shape->nodes) / log(vdb_hnsw_level_ratio(meta->m));
		shape->ef_search = vdb_hnsw_ef_search(index);
		form_node_costs(shape, &layout, meta);
	}
	else
		warn_once(index, problem);
	index_close(index, NoLock);
	return meta != NULL;
}

/*
 * What it takes to read a node and compute its distance, and to deal with its
 * links.
 */
static void
form_node_costs(ScanShape *shape, const VdbQuantLayout *layout, const HnswMeta *meta)
{
	shape->slots = meta->slots;
	shape->has_codes = layout->bits > 0;
	shape->pages_per_node = 1 + meta->vector_pages;
	shape->read_cost = NODE_COST + VECTOR_BYTE_COST * layout->vector_bytes;
	shape->links_cost = meta->slots * (LINK_COST + CODE_BYTE_COST * layout->code_bytes);
	shape->rechecks = layout->codec == VDB_CODEC_INT8 ? RECHECKS_INT8 : RECHECKS_HALF;
}

/*
 * Says that an index is left out: once in a session and for each of its
 * files, so that REINDEX starts afresh.
 */
static void
warn_once(Relation index, const char *problem)
{
	static List *warned = NIL;
	Oid			file = index->rd_rel->relfilenode;
	MemoryContext old;

	if (list_member_oid(warned, file))
		return;
	old = MemoryContextSwitchTo(TopMemoryContext);
	warned = lappend_oid(warned, file);
	MemoryContextSwitchTo(old);
	ereport(WARNING,
			(errcode(ERRCODE_INDEX_CORRUPTED),
			 errmsg("index \"%s\" cannot be used by queries", RelationGetRelationName(index)),
			 errdetail_internal("%s", problem),
			 errhint("Please REINDEX it.")));
}

/*
 * Nodes visited for the first batch: the descent, then the walk on level 0.
 */
static double
first_reads(const ScanShape *shape)
{
	double		visits = shape->levels * DESCENT_VISITS +
		VISITS_TO_START + VISITS_PER_WIDTH * vdb_hnsw_width(shape->ef_search);

	return Min(visits, shape->nodes);
}

/*
 * Nodes visited for all rows: every one.  Where it is known that the scan ends
 * sooner, each row after the first batch takes more visits than one; the
 * planner, which interpolates, is told so by more of them at the end.
 */
static double
all_reads(const ScanShape *shape, PlannerInfo *root, IndexPath *path)
{
	double		wanted = wanted_tuples(shape, root, path);

	if (wanted <= shape->ef_search || wanted >= shape->tuples)
		return shape->nodes;
	return shape->nodes * Min(VISITS_PER_ROW, shape->tuples / wanted);
}

/*
 * Index tuples that the query's LIMIT takes, 0 if it has none or if there is
 * more between it and this path than a filter.
 */
static double
wanted_tuples(const ScanShape *shape, PlannerInfo *root, IndexPath *path)
{
	RelOptInfo *rel = path->indexinfo->rel;
	Relids		relids = rel->top_parent_relids != NULL ? rel->top_parent_relids : rel->relids;

	if (root->limit_tuples < 0 || !bms_equal(relids, root->all_baserels))
		return 0;
	return root->limit_tuples * Max(1, shape->tuples / Max(rel->rows, 1));
}

/*
 * The cost of visiting a number of nodes, when the scan is run so many times.
 * A visit reads the node, and without codes those of its neighbours that have
 * not been read yet.
 */
static Cost
reading_cost(const ScanShape *shape, PlannerInfo *root, IndexOptInfo *info,
			 double visits, double loops)
{
	double		reads = visits;
	double		fetched;
	double		random_page_cost;

	if (!shape->has_codes)
		reads += Min(visits * NEW_LINKS * shape->slots, shape->nodes);
	fetched = index_pages_fetched(ceil(reads * shape->pages_per_node * loops),
								  (BlockNumber) shape->pages, shape->pages, root) /
		loops;
	get_tablespace_page_costs(info->reltablespace, &random_page_cost, NULL);
	return (reads * shape->read_cost + visits * shape->links_cost) * cpu_operator_cost +
		fetched * disk_share(root, shape->pages) * random_page_cost;
}

/*
 * The part of the pages that have to come from disk.  Searches of a graph read
 * much the same pages, so what has room in the cache is taken to be there,
 * unlike elsewhere in the planner; it shares the room with the query's tables.
 */
static double
disk_share(PlannerInfo *root, double pages)
{
	double		cached = effective_cache_size / (root->total_table_pages + pages);

	return cached >= 1 ? 0 : 1 - cached;
}

/*
 * The cost of one exact distance, with what fetching the value out of line
 * takes: the distance's own support function knows.
 */
static Cost
recheck_cost(PlannerInfo *root, IndexPath *path)
{
	QualCost	cost;

	cost_qual_eval_node(&cost, (Node *) path->indexorderbys, root);
	return cost.per_tuple;
}
