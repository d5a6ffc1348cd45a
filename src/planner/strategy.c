/*-------------------------------------------------------------------------
 *
 * strategy.c
 *	  What to do next, by what has been seen: README.md, "Decisions".
 *
 * Each function compares the time that one way is predicted to take with that
 * of the others.  A way is left when its rest is predicted to cost more than
 * another, or when it has cost as much: so a wrong prediction costs at most as
 * much again.
 *
 *-------------------------------------------------------------------------
 */
#include "c.h"

#include "planner/strategy.h"

/*
 * Times on a machine of 2026 with all in memory, in seconds, where nothing has
 * been measured yet; README.md, "Constants".
 */
#define NODE_TIME 1.5e-6
#define ROW_TIME 1.5e-6
#define PAGE_TIME 5e-7
#define INDEX_ROW_TIME 2.5e-7
#define COST_UNIT_TIME 5e-6
#define BITMAP_ROW_TIME 2e-7

/* A single measurement of more than so many times these is not believed yet */
#define DUBIOUS 16.0

/*
 * The expected share of rows that pass is worth as many observations as it takes
 * to meet so many of them, within limits.
 */
#define EXPECTED_PASSES 1.0
#define LEAST_WEIGHT 2.0
#define MOST_WEIGHT 50.0

/* Less where a generic plan has guessed it (estimate.c asks again unless a way is forced) */
#define GENERIC_PASSES 0.25
#define MOST_GENERIC_WEIGHT 8.0

/* Where no search has been begun that knows better */
#define USUAL_EF_SEARCH 40.0
#define USUAL_VISITS 60.0

/* A row by sequential scan, against one by TID that the graph has found */
#define SEQUENTIAL_ROW 0.5

/*
 * What is so much quicker needs no better measurement: rows may be so much
 * quicker to read than was assumed, or, in TOAST, slower.
 */
#define PLAINLY 4.0
#define PLAINLY_TOASTED 16.0

/* What may fail has to be so much quicker than what cannot */
#define RISK 1.5

/*
 * What a first look at the graph and some of its rows takes.  What takes more
 * than so many of them is worth one.
 */
#define LOOK_TIME 1.5e-4
#define LOOKS 2.0

/* Nodes visited for each rank up to which all rows are found */
#define VISITS_TO_RANK 2.6

/* A walk beside which it is of no account to read some rows as a sample */
#define LONG_WALK 5e-4

/* After so many times the usual visits the rows lie away from the query */
#define MOST_VISITS 4.0

static double expected_share(const VdbScanFacts *facts, double rows);
static double needed_rows(const VdbScanFacts *facts, double rows, double wanted);
static VdbWay choose_way(const VdbScanFacts *facts, double wanted, double row_factor);
static double alternative_time(const VdbScanFacts *facts, double wanted);
static double all_time(const VdbScanFacts *facts, double rows, double wanted);
static double exact_time(const VdbScanFacts *facts, double rows);
static double sweep_time(const VdbScanFacts *facts, double rows, double wanted);
static double graph_time(const VdbScanFacts *facts, double rows, double wanted);
static double bitmap_time(const VdbScanFacts *facts, double rows);
static double node_time(const VdbScanFacts *facts);
static double row_time(const VdbScanFacts *facts);
static double rate_time(const VdbRate *rate, double assumed);

/*
 * The share of the rows of the graph that pass: of all near the query, or of
 * those of the bitmap once it is made.  Before anything is seen it is what the
 * plan expects; never 0.
 */
double
vdb_facts_pass_share(const VdbScanFacts *facts)
{
	double		rows = facts->is_made ? facts->bitmap_rows : facts->table_rows;
	double		expected = expected_share(facts, rows);
	double		weight = (facts->is_generic ? GENERIC_PASSES : EXPECTED_PASSES) / expected;
	double		most = facts->is_generic ? MOST_GENERIC_WEIGHT : MOST_WEIGHT;

	weight = Max(Min(weight, most), LEAST_WEIGHT);
	return (facts->passed + weight * expected) / (facts->checked + weight);
}

/*
 * The share of the rows near the query that the bitmap has: as of all rows,
 * unless those that were seen there say otherwise.
 */
double
vdb_facts_near_share(const VdbScanFacts *facts)
{
	double		passed = facts->is_made ? facts->near_passed : facts->passed;
	double		checked = facts->is_made ? facts->near_checked : facts->checked;
	double		expected = Max(facts->bitmap_rows, 0.5) / Max(facts->table_rows, 1);
	double		weight;

	expected = Min(expected, 1);
	weight = Max(Min(EXPECTED_PASSES / expected, MOST_WEIGHT), LEAST_WEIGHT);
	return (passed + weight * expected) / (checked + weight);
}

/*
 * The share of so many rows that the plan expects to pass.
 */
static double
expected_share(const VdbScanFacts *facts, double rows)
{
	double		least = 0.5 / Max(facts->table_rows, 1);
	double		share = facts->matching_rows / Max(rows, 1);

	return Min(Max(share, least), 1);
}

/*
 * The rank that the last of so many missing rows is expected to have, after
 * rank.
 */
double
vdb_facts_rank(const VdbScanFacts *facts, double rank, double missing)
{
	double		rows = facts->is_made ? facts->bitmap_rows : facts->table_rows;

	return Min(rank + missing / vdb_facts_pass_share(facts), Max(rows, rank + missing));
}

/*
 * Rows of a bitmap, which has so many, that have to be looked at for those that
 * are wanted.
 */
static double
needed_rows(const VdbScanFacts *facts, double rows, double wanted)
{
	double		share = facts->is_made ? vdb_facts_pass_share(facts) :
									expected_share(facts, facts->bitmap_rows);

	return Max(Min(wanted / share, rows), Min(wanted, rows));
}

/*
 * Time that was spent on the graph and its rows.
 */
double
vdb_facts_spent(const VdbScanFacts *facts)
{
	return facts->nodes * node_time(facts) + facts->fetched * row_time(facts);
}

/*
 * At the start: is the bitmap so plainly the quicker way that the graph is not
 * even tried?
 */
bool
vdb_prefer_bitmap(const VdbScanFacts *facts, double wanted)
{
	double		walk = vdb_facts_rank(facts, 0, wanted) * (VISITS_TO_RANK * NODE_TIME + ROW_TIME);
	double		other;

	if (!facts->has_bitmap || facts->is_generic)
		return false;
	other = alternative_time(facts, wanted);
	return other < Min(LOOKS * LOOK_TIME, walk);
}

/*
 * Vector first: go on, with so many more rows to be checked and nodes to be
 * visited?
 */
bool
vdb_prefer_walk(const VdbScanFacts *facts, double ranks_left, double nodes_left, double wanted)
{
	double		spent = vdb_facts_spent(facts);
	double		rest = nodes_left * node_time(facts) + ranks_left * row_time(facts);
	double		other = alternative_time(facts, wanted);

	return rest < other && spent < other;
}

/*
 * With the bitmap made: the way that is predicted to be the quickest.
 */
VdbWay
vdb_choose_way(const VdbScanFacts *facts, double wanted)
{
	return choose_way(facts, wanted, 1);
}

static VdbWay
choose_way(const VdbScanFacts *facts, double wanted, double row_factor)
{
	double		graph = graph_time(facts, facts->bitmap_rows, wanted);
	double		sweep = sweep_time(facts, facts->bitmap_rows, wanted);
	double		exact = exact_time(facts, facts->bitmap_rows) * row_factor / RISK;

	if (graph < sweep && graph < exact)
		return VDB_WAY_GRAPH;
	return sweep < exact ? VDB_WAY_SWEEP : VDB_WAY_EXACT;
}

/*
 * The same without the graph.
 */
VdbWay
vdb_choose_way_of_all(const VdbScanFacts *facts, double wanted)
{
	double		sweep = sweep_time(facts, facts->bitmap_rows, wanted);
	double		exact = exact_time(facts, facts->bitmap_rows);

	return RISK * sweep < exact ? VDB_WAY_SWEEP : VDB_WAY_EXACT;
}

/*
 * Should the time per row be measured before?  Where the choice depends on it,
 * and where a walk takes so long that some rows do not count.
 */
bool
vdb_need_sample(const VdbScanFacts *facts, double wanted)
{
	if (facts->read_rate.n > 0)
		return false;
	return choose_way(facts, wanted, 1 / PLAINLY) != choose_way(facts, wanted, PLAINLY_TOASTED) ||
		(choose_way(facts, wanted, 1) != VDB_WAY_EXACT &&
		 graph_time(facts, facts->bitmap_rows, wanted) > LONG_WALK);
}

/*
 * In graph, with so many nodes to be visited in all as is usual for such a
 * bitmap, and as is expected by what was seen: go on?  Not where the rows lie
 * away from the query.  The graph gets less time than the quickest way to all
 * rows would take, that spent before included, but at least half of it.
 */
bool
vdb_prefer_graph(const VdbScanFacts *facts, double nodes_usual, double nodes_expected,
				 double wanted)
{
	double		other = all_time(facts, facts->bitmap_rows, wanted);
	double		spent = vdb_facts_spent(facts);
	double		rest = Max(nodes_expected - facts->nodes, 0) * node_time(facts);

	if (rest > other || facts->nodes > MOST_VISITS * nodes_usual)
		return false;
	return RISK * spent < other || spent - facts->spent_before < other / 2;
}

/*
 * Reading the index: go on?
 */
bool
vdb_prefer_sweep(const VdbScanFacts *facts, double wanted)
{
	double		exact = exact_time(facts, facts->bitmap_rows);

	double		spent = facts->pages_read * rate_time(&facts->page_rate, PAGE_TIME);

	return sweep_time(facts, facts->bitmap_rows, wanted) < exact && spent < exact;
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
	double		all;
	double		graph;

	if (!facts->has_bitmap)
		return exact_time(facts, facts->table_rows) * SEQUENTIAL_ROW;

	/* many that pass near the query are a sign of a bitmap with many rows */
	if (facts->passed > 0)
		seen = vdb_facts_pass_share(facts) * facts->table_rows;
	rows = Max(facts->bitmap_rows, seen);
	all = all_time(facts, rows, wanted);
	graph = graph_time(facts, rows, wanted);
	return bitmap_time(facts, rows) + Min(all, graph);
}

/*
 * Time to go through all rows of a bitmap that has so many.
 */
static double
all_time(const VdbScanFacts *facts, double rows, double wanted)
{
	double		exact = exact_time(facts, rows);
	double		sweep = sweep_time(facts, rows, wanted);

	return Min(exact, sweep);
}

/*
 * Time to read so many rows of the table and to compute their distances.  Those
 * of the graph tell little of that if they did not pass.
 */
static double
exact_time(const VdbScanFacts *facts, double rows)
{
	if (facts->read_rate.n > 0)
		return rows * rate_time(&facts->read_rate, ROW_TIME);
	return rows * Max(row_time(facts), ROW_TIME);
}

/*
 * Time to read the rest of the index, where so many rows are allowed, and the
 * rows that are wanted.
 */
static double
sweep_time(const VdbScanFacts *facts, double rows, double wanted)
{
	double		page = rate_time(&facts->page_rate, PAGE_TIME);
	double		share = facts->pages_left / Max(facts->pages_left + facts->pages_read, 1);

	return facts->pages_left * page + rows * share * INDEX_ROW_TIME +
		needed_rows(facts, rows, wanted) * row_time(facts);
}

/*
 * Time to find so many rows in the graph, where the bitmap has so many, beyond
 * what has been visited, and to check them.
 */
static double
graph_time(const VdbScanFacts *facts, double rows, double wanted)
{
	double		needed = needed_rows(facts, rows, wanted);
	double		share = vdb_facts_near_share(facts);
	double		ef_search = facts->ef_search > 0 ? facts->ef_search : USUAL_EF_SEARCH;
	double		visits = facts->ef_search > 0 ? facts->visits : USUAL_VISITS;
	double		nodes = Max(visits * Max(needed / ef_search, 1), VISITS_TO_RANK * needed) / share;

	nodes = Min(nodes, facts->table_rows);
	return Max(nodes - facts->nodes, 0) * node_time(facts) + needed * row_time(facts);
}

static double
bitmap_time(const VdbScanFacts *facts, double rows)
{
	if (facts->is_made)
		return 0;
	if (facts->bitmap_time > 0)
		return facts->bitmap_time;
	return Max(facts->bitmap_cost * COST_UNIT_TIME, rows * BITMAP_ROW_TIME);
}

static double
node_time(const VdbScanFacts *facts)
{
	return rate_time(&facts->node_rate, NODE_TIME);
}

/*
 * Time to fetch a row that the graph has found, and to check it; of those that
 * pass the distance is computed, too.
 */
static double
row_time(const VdbScanFacts *facts)
{
	return rate_time(&facts->fetch_rate, ROW_TIME);
}

/*
 * Adds a measurement: n of something have taken so many seconds.
 */
void
vdb_rate_add(VdbRate *rate, double seconds, double n)
{
	if (n > 0)
		rate->last[rate->n++ % lengthof(rate->last)] = seconds / n;
}

/*
 * Time that one of something takes: the median of the last measurements, as
 * another process may take the CPU during any of them.
 */
static double
rate_time(const VdbRate *rate, double assumed)
{
	const double *last = rate->last;

	if (rate->n == 0)
		return assumed;
	if (rate->n == 1)
		return Min(last[0], DUBIOUS * assumed);
	if (rate->n == 2)
		return Min(last[0], last[1]);
	return Max(Min(last[0], last[1]), Min(Max(last[0], last[1]), last[2]));
}
