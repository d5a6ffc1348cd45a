/*-------------------------------------------------------------------------
 *
 * strategy.h
 *	  What to do next, by what has been seen: README.md, "Decisions".
 *
 * Pure arithmetic on facts, so that it can be tested without a server.
 *
 *-------------------------------------------------------------------------
 */
#ifndef VDB_PLANNER_STRATEGY_H
#define VDB_PLANNER_STRATEGY_H

#include "postgres.h"

/* What a run knows; times are in seconds */
typedef struct VdbScanFacts
{
	/* of the plan */
	double		table_rows;
	double		matching_rows;
	double		bitmap_rows;	/* of the bitmap itself once it is made */
	double		bitmap_cost;
	bool		has_bitmap;
	bool		is_made;		/* the bitmap */
	bool		is_generic;

	/* of the walk */
	double		nodes;			/* visited */
	double		walk_time;
	double		visits;			/* expected, if all are allowed; for s of them visits / s */
	double		fetched;		/* rows of the graph */
	double		fetch_time;		/* to fetch and check them */
	double		checked;		/* rows, since it is known which are allowed */
	double		passed;			/* of these */
	double		spent_before;	/* time until that was known */

	/* rows read by bitmap or table, as a sample */
	double		rows_read;
	double		read_time;
} VdbScanFacts;

extern double vdb_facts_pass_share(const VdbScanFacts *facts);
extern double vdb_facts_rank(const VdbScanFacts *facts, double rank, double missing);
extern double vdb_facts_exact_time(const VdbScanFacts *facts);
extern bool vdb_prefer_bitmap(const VdbScanFacts *facts, double wanted);
extern bool vdb_prefer_walk(const VdbScanFacts *facts, double ranks_left, double nodes_left,
							double wanted);
extern bool vdb_prefer_graph(const VdbScanFacts *facts, double wanted);
extern bool vdb_need_sample(const VdbScanFacts *facts, double wanted);
extern bool vdb_prefer_graph_still(const VdbScanFacts *facts, double nodes_expected);

#endif							/* VDB_PLANNER_STRATEGY_H */
