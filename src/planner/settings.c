/*-------------------------------------------------------------------------
 *
 * settings.c
 *	  The settings of filtered search, and the room's entry.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "planner/plan.h"
#include "planner/planner.h"
#include "utils/guc.h"

bool		vdb_enable_scan = true;
int			vdb_filter_strategy = VDB_STRATEGY_AUTO;

static const struct config_enum_entry strategy_options[] = {
	{"auto", VDB_STRATEGY_AUTO, false},
	{"vector", VDB_STRATEGY_VECTOR, false},
	{"exact", VDB_STRATEGY_EXACT, false},
	{"graph", VDB_STRATEGY_GRAPH, false},
	{"index", VDB_STRATEGY_INDEX, false},
	{NULL, 0, false}
};

/*
 * Called once from _PG_init.
 */
void
vdb_planner_init(void)
{
	vdb_planner_init_settings();
	vdb_planner_init_node();
	vdb_planner_init_hook();
}

void
vdb_planner_init_settings(void)
{
	DefineCustomBoolVariable("vecdb.enable_scan",
							 "Lets the planner use VecdbScan for searches by distance.",
							 "Off leaves such queries to PostgreSQL's own plans.",
							 &vdb_enable_scan, true,
							 PGC_USERSET, GUC_EXPLAIN, NULL, NULL, NULL);
	DefineCustomEnumVariable("vecdb.filter_strategy",
							 "How VecdbScan combines a search by distance with conditions.",
							 "\"auto\" decides while it runs; \"vector\" searches the graph and checks the rows that it finds; \"exact\" computes the distances of all rows that match; \"graph\" searches the graph among the rows that match; \"index\" compares all of these by the vectors in the index.",
							 &vdb_filter_strategy, VDB_STRATEGY_AUTO, strategy_options,
							 PGC_USERSET, GUC_EXPLAIN, NULL, NULL, NULL);
}
