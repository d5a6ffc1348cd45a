/*-------------------------------------------------------------------------
 *
 * strategy.c
 *	  What to do next, by what has been seen: README.md, "Decisions".
 *
 * Each function compares the time that one way is predicted to take with that
 * of another.  A way is left when its rest is predicted to cost more than the
 * other, or when it has cost as much: so a wrong prediction costs at most as
 * much again.
 *
 *-------------------------------------------------------------------------
 */
#include "pg_compat.h"

#include "planner/strategy.h"

/*
 * Times on a machine of 2026 with all in memory, in seconds, where nothing has
 * been measured yet, and how many observations they are worth; README.md,
 * "Constants".
 */
#define NODE_TIME 2e-6
#define NODE_WEIGHT 16.0
#define ROW_TIME 5e-6
#define ROW_WEIGHT 4.0
#define COST_UNIT_TIME 5e-6
#define BITMAP_ROW_TIME 1e-7

/* How many observations the expected share of rows that pass is worth */
#define CUSTOM_WEIGHT 2.0
#define GENERIC_WEIGHT 0.5

/* Visits of a filtered walk, where no search has been begun that knows better */
#define FIRST_VISITS 60.0

/* A row by sequential scan, against one by TID that the graph has found */
#define SEQUENTIAL_ROW 0.5

/* What is so much quicker needs no better measurement */
#define PLAINLY 4.0

/* After so many times the usual visits the rows lie away from the query */
#define MOST_VISITS 4.0

static double alternative_time(const VdbScanFacts *facts, double wanted);
static double graph_time(const VdbScanFacts *facts, double rows, double wanted);
static double bitmap_time(const VdbScanFacts *facts, double rows);
static double node_time(const VdbScanFacts *facts);
static double row_time(const VdbScanFacts *facts);

/*
 * The share of the rows of the graph that pass, near the query.  Before
 * anything is seen it is what the plan expects; never 0.
 */
double
vdb_facts_pass_share(const VdbScanFacts *facts)
{
	double		weight = facts->is_generic ? GENERIC_WEIGHT : CUSTOM_WEIGHT;
	double		rows = facts->is_made ? facts->bitmap_rows : facts->table_rows;
	double		least = 0.5 / Max(facts->table_rows, 1);
	double		expected = Min(Max(facts->matching_rows / Max(rows, 1), least), 1);

	return (facts->passed + weight * expected) / (facts->checked + weight);
}

/*
 * The rank that the last of so many missing rows is expected to have, after
 * rank.
 */
double
vdb_facts_rank(const VdbScanFacts *facts, double rank, double missing)
{
	double		most = Max(facts->table_rows, rank + missing);

	return Min(rank + missing / vdb_facts_pass_share(facts), most);
}

/*
 * Time to read all rows of the bitmap, or of the table where there is none, and
 * to sort them.
 */
double
vdb_facts_exact_time(const VdbScanFacts *facts)
{
	if (facts->has_bitmap)
		return facts->bitmap_rows * row_time(facts);
	return facts->table_rows * row_time(facts) * SEQUENTIAL_ROW;
}

/*
 * At the start: is the bitmap so plainly the quicker way that the graph is not
 * even tried?
 */
bool
vdb_prefer_bitmap(const VdbScanFacts *facts, double wanted)
{
	double		rank = vdb_facts_rank(facts, 0, wanted);
	double		walk = rank * (NODE_TIME + ROW_TIME);

	if (!facts->has_bitmap || facts->is_generic)
		return false;
	return PLAINLY * (bitmap_time(facts, facts->bitmap_rows) + vdb_facts_exact_time(facts)) < walk;
}

/*
 * Vector first: go on, with so many more rows to be checked and nodes to be
 * visited?
 */
bool
vdb_prefer_walk(const VdbScanFacts *facts, double ranks_left, double nodes_left, double wanted)
{
	double		spent = facts->walk_time + facts->fetch_time;
	double		rest = nodes_left * node_time(facts) + ranks_left * row_time(facts);
	double		other = alternative_time(facts, wanted);

	return rest < other && spent < other;
}

/*
 * The time that it takes to make the bitmap and to go on with it, or to read
 * the table.
 */
static double
alternative_time(const VdbScanFacts *facts, double wanted)
{
	double		seen = 0;
	double		rows;
	double		exact;

	if (!facts->has_bitmap)
		return vdb_facts_exact_time(facts);

	/* many that pass near the query are a sign of a bitmap with many rows */
	if (facts->passed > 0)
		seen = vdb_facts_pass_share(facts) * facts->table_rows;
	rows = Max(facts->bitmap_rows, seen);
	exact = rows * row_time(facts);
	return bitmap_time(facts, rows) + Min(exact, graph_time(facts, rows, wanted));
}

/*
 * With the bitmap made: is the graph worth a try?
 */
bool
vdb_prefer_graph(const VdbScanFacts *facts, double wanted)
{
	return graph_time(facts, facts->bitmap_rows, wanted) < vdb_facts_exact_time(facts);
}

/*
 * Is that so close that the time per row should be measured before?
 */
bool
vdb_need_sample(const VdbScanFacts *facts, double wanted)
{
	double		graph = graph_time(facts, facts->bitmap_rows, wanted);
	double		exact = vdb_facts_exact_time(facts);

	return graph < exact * PLAINLY && exact < graph * PLAINLY;
}

/*
 * In graph: go on?  Not where the rows lie away from the query.  The graph gets
 * as much time as the exact answer would cost, that spent before included, but
 * at least half of it.
 */
bool
vdb_prefer_graph_still(const VdbScanFacts *facts, double nodes_expected)
{
	double		exact = vdb_facts_exact_time(facts);
	double		spent = facts->walk_time + facts->fetch_time;
	double		rest = (nodes_expected - facts->nodes) * node_time(facts);

	if (rest > exact || facts->nodes > MOST_VISITS * nodes_expected)
		return false;
	return spent < exact || spent - facts->spent_before < exact / 2;
}

/*
 * Time to find so many rows in the graph, where the bitmap has so many, beyond
 * what has been visited, and to check them.
 */
static double
graph_time(const VdbScanFacts *facts, double rows, double wanted)
{
	double		share = Min(Max(rows, 0.5) / Max(facts->table_rows, 1), 1);
	double		visits = facts->visits > 0 ? facts->visits : Max(FIRST_VISITS, 1.5 * wanted);
	double		nodes = Min(visits / share, facts->table_rows);

	return Max(nodes - facts->nodes, 0) * node_time(facts) + wanted * row_time(facts);
}

static double
bitmap_time(const VdbScanFacts *facts, double rows)
{
	if (facts->is_made)
		return 0;
	return Max(facts->bitmap_cost * COST_UNIT_TIME, rows * BITMAP_ROW_TIME);
}

static double
node_time(const VdbScanFacts *facts)
{
	return (facts->walk_time + NODE_WEIGHT * NODE_TIME) / (facts->nodes + NODE_WEIGHT);
}

/*
 * Time to fetch a row, to check it and to compute its distance: as measured on
 * rows of the bitmap, else on those of the graph.
 */
static double
row_time(const VdbScanFacts *facts)
{
	if (facts->rows_read > 0)
		return facts->read_time / facts->rows_read;
	return (facts->fetch_time + ROW_WEIGHT * ROW_TIME) / (facts->fetched + ROW_WEIGHT);
}
