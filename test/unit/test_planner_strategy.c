/*-------------------------------------------------------------------------
 *
 * test_planner_strategy.c
 *	  What a filtered search does next, by what it has seen.
 *
 * LINK: src/planner/strategy.o */
#include "c.h"

#include "planner/strategy.h"
#include "unit.h"

#define US 1e-6

/* 200,000 rows, a share of which is expected to pass, all served by a bitmap. */
static VdbScanFacts
facts_of(double share)
{
	VdbScanFacts facts;

	memset(&facts, 0, sizeof(facts));
	facts.table_rows = 200000;
	facts.matching_rows = facts.bitmap_rows = share * facts.table_rows;
	facts.bitmap_cost = 10 + facts.bitmap_rows / 200;
	facts.has_bitmap = true;
	facts.pages_left = 50000;
	facts.ef_search = 40;
	facts.visits = 60;
	return facts;
}

/* As after a first look, with so many of 16 rows passed. */
static VdbScanFacts
after_look(double share, int passed)
{
	VdbScanFacts facts = facts_of(share);

	facts.nodes = 60;
	vdb_rate_add(&facts.node_rate, 60 * 1.5 * US, 60);
	facts.fetched = facts.checked = 16;
	vdb_rate_add(&facts.fetch_rate, 16 * 2 * US, 16);
	facts.passed = passed;
	return facts;
}

/* With the bitmap made, and rows of so many microseconds. */
static VdbScanFacts
after_bitmap(double share, double row)
{
	VdbScanFacts facts = after_look(share, 0);

	facts.is_made = true;
	facts.checked = facts.passed = 0;
	facts.spent_before = vdb_facts_spent(&facts);
	for (int i = 0; i < 3; i++)
		vdb_rate_add(&facts.read_rate, 8 * row * US, 8);
	return facts;
}

static bool
goes_on(const VdbScanFacts *facts, double wanted)
{
	double		rank = vdb_facts_rank(facts, facts->checked, wanted - facts->passed);

	return vdb_prefer_walk(facts, rank - facts->checked, 1.3 * (1.5 * rank - 40), wanted);
}

/* The bitmap comes first only where it is plainly better, and known to be. */
static void
test_start(void)
{
	VdbScanFacts facts = facts_of(0.00001);

	CHECK(vdb_prefer_bitmap(&facts, 10), "2 rows");
	facts.is_generic = true;
	CHECK(!vdb_prefer_bitmap(&facts, 10), "2 rows, but that is a guess");
	facts = facts_of(0.1);
	CHECK(!vdb_prefer_bitmap(&facts, 10), "10 %%");
	facts = facts_of(1);
	CHECK(!vdb_prefer_bitmap(&facts, 10), "all");
	facts = facts_of(0.00001);
	facts.has_bitmap = false;
	CHECK(!vdb_prefer_bitmap(&facts, 10), "no bitmap");
}

/* What is seen counts more than what was expected. */
static void
test_share(void)
{
	VdbScanFacts facts = facts_of(0.1);
	double		share;

	CHECK(vdb_facts_pass_share(&facts) == 0.1, "before anything is seen");
	facts.checked = facts.passed = 100;
	CHECK(vdb_facts_pass_share(&facts) > 0.9, "all passed");
	facts = facts_of(0.000005);
	facts.checked = facts.passed = 16;
	CHECK(vdb_facts_pass_share(&facts) > 0.2, "much more than expected");
	facts.is_generic = true;
	CHECK(vdb_facts_pass_share(&facts) > 0.6, "more so if the expectation is a guess");
	facts = facts_of(0.03);
	facts.checked = 16;
	share = vdb_facts_pass_share(&facts);
	CHECK(share > 0.015 && share < 0.03, "none of 16 is no wonder at 3 %%: %g", share);
	facts = facts_of(0);
	facts.checked = 100000;
	CHECK(vdb_facts_pass_share(&facts) > 0, "never 0");
	CHECK(vdb_facts_rank(&facts, 100, 10) <= 200000, "never beyond the table");
}

/* What was seen near the query counts for the graph, too. */
static void
test_near_share(void)
{
	VdbScanFacts facts = after_bitmap(0.1, 20);

	CHECK(vdb_facts_near_share(&facts) == 0.1, "as everywhere, before anything is seen");
	facts.near_checked = 200;
	CHECK(vdb_facts_near_share(&facts) < 0.01, "none of 200");
	facts.near_passed = 200;
	CHECK(vdb_facts_near_share(&facts) > 0.9, "all of 200");

	facts = after_bitmap(0.05, 2);
	CHECK(vdb_choose_way(&facts, 10) == VDB_WAY_GRAPH, "10,000 rows");
	facts.near_checked = 1000;
	CHECK(vdb_choose_way(&facts, 10) == VDB_WAY_EXACT, "10,000 rows, none of them near");

	facts = after_bitmap(0.1, 20);
	CHECK(vdb_prefer_graph(&facts, 600, 1e4, 10), "more nodes than usual");
	CHECK(!vdb_prefer_graph(&facts, 600, 1e6, 10), "as many as it would take to read all rows");
}

/* After a first look. */
static void
test_vector_first(void)
{
	VdbScanFacts facts = after_look(1, 16);

	CHECK(goes_on(&facts, 40), "all pass");
	facts = after_look(0.1, 2);
	CHECK(goes_on(&facts, 10), "10 %%");
	facts = after_look(0.1, 0);
	CHECK(goes_on(&facts, 10), "10 %%, by chance none of 16");
	facts = after_look(0.001, 0);
	CHECK(!goes_on(&facts, 10), "200 rows: exact");
	facts = after_look(0.001, 8);
	CHECK(goes_on(&facts, 10), "200 rows, and they are here");
	facts = after_look(0.0001, 0);
	facts.has_bitmap = false;
	CHECK(!goes_on(&facts, 10), "20 rows, and the table must be read");
	facts = after_look(0.01, 0);
	facts.has_bitmap = false;
	CHECK(goes_on(&facts, 10), "reading the table is no good at 1 %%");

	/* nothing is as cheap as it was expected to be */
	facts = after_look(0.02, 1);
	facts.nodes = facts.fetched = facts.checked = 50000;
	facts.passed = 9;
	CHECK(!goes_on(&facts, 10), "more was spent than the bitmap would cost");
}

static VdbWay
way(double share, double row, double wanted)
{
	VdbScanFacts facts = after_bitmap(share, row);

	return vdb_choose_way(&facts, wanted);
}

/* With the bitmap. */
static void
test_ways(void)
{
	VdbScanFacts facts;

	CHECK(way(0.0001, 2, 10) == VDB_WAY_EXACT, "20 rows");
	CHECK(way(0.005, 2, 10) == VDB_WAY_EXACT, "1,000 rows");
	CHECK(way(0.1, 20, 10) == VDB_WAY_GRAPH, "20,000 rows in TOAST");
	CHECK(way(0.1, 2, 10) == VDB_WAY_GRAPH, "20,000 rows");
	CHECK(way(0.1, 2, 20000) == VDB_WAY_EXACT, "all of them are wanted");
	CHECK(way(0.05, 50, 5000) == VDB_WAY_SWEEP, "half of them, slow to read");

	/* few rows of the bitmap pass the other conditions */
	facts = after_bitmap(0.1, 2);
	facts.matching_rows = 20;
	CHECK(vdb_choose_way(&facts, 10) == VDB_WAY_EXACT, "half of all that match");
	CHECK(vdb_choose_way_of_all(&facts, 10) == VDB_WAY_EXACT, "rows in memory");
	facts = after_bitmap(0.1, 50);
	CHECK(vdb_choose_way_of_all(&facts, 10) == VDB_WAY_SWEEP, "rows slow to read");
}

/* A sample is taken where it matters. */
static void
test_sample(void)
{
	VdbScanFacts facts = after_bitmap(0.1, 2);

	CHECK(!vdb_need_sample(&facts, 10), "taken before");
	facts.read_rate.n = 0;
	facts.visits = 20;
	CHECK(!vdb_need_sample(&facts, 10), "the graph is quick whatever rows cost");
	facts.bitmap_rows = facts.matching_rows = 1000;
	CHECK(vdb_need_sample(&facts, 10), "it depends");
	facts.bitmap_rows = facts.matching_rows = 20;
	CHECK(!vdb_need_sample(&facts, 10), "so few that nothing is quicker");
}

/* In graph. */
static void
test_in_graph(void)
{
	VdbScanFacts facts = after_bitmap(0.1, 20);

	CHECK(vdb_prefer_graph(&facts, 600, 600, 10), "at the start");
	facts.nodes = 1000;
	CHECK(vdb_prefer_graph(&facts, 600, 600, 10), "some more than expected");
	facts.nodes = 3000;
	CHECK(!vdb_prefer_graph(&facts, 600, 600, 10), "the rows lie elsewhere");
	facts.nodes = 1000;
	CHECK(!vdb_prefer_graph(&facts, 600, 1e6, 10), "few pass, so that it would take for ever");
	facts = after_bitmap(0.02, 2);
	facts.nodes = 8000;
	CHECK(!vdb_prefer_graph(&facts, 9000, 9000, 10), "as much was spent as all rows cost");
	facts.spent_before = vdb_facts_spent(&facts);
	CHECK(vdb_prefer_graph(&facts, 9000, 9000, 10), "but not in graph");
}

/* Reading the index. */
static void
test_sweep(void)
{
	VdbScanFacts facts = after_bitmap(0.1, 50);

	CHECK(vdb_prefer_sweep(&facts, 10), "at the start");
	facts.pages_read = 256;
	facts.pages_left -= 256;
	for (int i = 0; i < 3; i++)
		vdb_rate_add(&facts.page_rate, 256 * 100 * US, 256);
	CHECK(!vdb_prefer_sweep(&facts, 10), "pages come from a slow disk");
}

static bool
is_near(double a, double b)
{
	return a > b * 0.999 && a < b * 1.001;
}

/* One that is interrupted does not count. */
static void
test_rates(void)
{
	VdbScanFacts facts = facts_of(0.1);

	facts.nodes = 1000;
	vdb_rate_add(&facts.node_rate, 0, 0);
	CHECK(facts.node_rate.n == 0, "nothing was measured");
	vdb_rate_add(&facts.node_rate, 1, 10);
	CHECK(vdb_facts_spent(&facts) < 0.1, "one measurement is not believed: %g", vdb_facts_spent(&facts));
	vdb_rate_add(&facts.node_rate, 20 * US, 10);
	CHECK(is_near(vdb_facts_spent(&facts), 1000 * 2 * US), "the lower of two");
	vdb_rate_add(&facts.node_rate, 30 * US, 10);
	CHECK(is_near(vdb_facts_spent(&facts), 1000 * 3 * US), "the median of three");
	vdb_rate_add(&facts.node_rate, 40 * US, 10);
	CHECK(is_near(vdb_facts_spent(&facts), 1000 * 3 * US), "the oldest is forgotten");
}

int
main(void)
{
	RUN(test_start());
	RUN(test_share());
	RUN(test_near_share());
	RUN(test_vector_first());
	RUN(test_ways());
	RUN(test_sample());
	RUN(test_in_graph());
	RUN(test_sweep());
	RUN(test_rates());
	return unit_report();
}
