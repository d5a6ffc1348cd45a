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

#include "c.h"

/* What to do with the bitmap */
typedef enum VdbWay
{
	VDB_WAY_GRAPH,				/* walk, with the bitmap as allow-list */
	VDB_WAY_SWEEP,				/* read the index, with the bitmap as allow-list */
	VDB_WAY_EXACT				/* read the bitmap's rows */
} VdbWay;

/* Seconds that one of something takes, by the last measurements */
typedef struct VdbRate
{
	double		last[3];
	int			n;				/* measurements made */
} VdbRate;

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
	VdbRate		node_rate;
	double		ef_search;		/* 0: not known yet */
	double		visits;			/* expected for ef_search, if all are allowed */
	double		fetched;		/* rows of the graph */
	VdbRate		fetch_rate;		/* to fetch one and to check it */
	double		checked;		/* rows, of the bitmap since it is made */
	double		passed;			/* of these */
	double		near_checked;	/* with the bitmap: those near the query */
	double		near_passed;
	double		spent_before;	/* time until that was known */

	/* of the sweep */
	double		pages_left;
	double		pages_read;
	VdbRate		page_rate;

	/* also of earlier runs */
	double		bitmap_time;	/* to make it; 0: not known */
	VdbRate		read_rate;		/* of rows by bitmap or table */
} VdbScanFacts;

extern void vdb_rate_add(VdbRate *rate, double seconds, double n);
extern double vdb_facts_spent(const VdbScanFacts *facts);
extern double vdb_facts_pass_share(const VdbScanFacts *facts);
extern double vdb_facts_near_share(const VdbScanFacts *facts);
extern double vdb_facts_rank(const VdbScanFacts *facts, double rank, double missing);
extern bool vdb_prefer_bitmap(const VdbScanFacts *facts, double wanted);
extern bool vdb_prefer_walk(const VdbScanFacts *facts, double ranks_left, double nodes_left,
							double wanted);
extern VdbWay vdb_choose_way(const VdbScanFacts *facts, double wanted);
extern VdbWay vdb_choose_way_of_all(const VdbScanFacts *facts, double wanted);
extern bool vdb_need_sample(const VdbScanFacts *facts, double wanted);
extern bool vdb_prefer_graph(const VdbScanFacts *facts, double nodes_usual, double nodes_expected,
							 double wanted);
extern bool vdb_prefer_sweep(const VdbScanFacts *facts, double wanted);

#endif							/* VDB_PLANNER_STRATEGY_H */
