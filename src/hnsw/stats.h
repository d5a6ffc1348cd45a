/*-------------------------------------------------------------------------
 *
 * stats.h
 *	  What the use of hnsw indexes has counted.
 *
 *-------------------------------------------------------------------------
 */
#ifndef VDB_HNSW_STATS_H
#define VDB_HNSW_STATS_H

#include "postgres.h"

/*
 * Shown, in this order, by the function vecdb_hnsw_stats(): a field more is a
 * column more of it and of vecdb_hnsw_stats_server().  Fields are uint64s.
 */
typedef struct HnswStats
{
	uint64		scans;			/* started (rescans count) */
	uint64		batches;		/* of results */
	uint64		nodes;			/* visited */
	uint64		pages;			/* read, nodes and all else */
	uint64		distances;		/* from stored vectors */
	uint64		estimates;		/* from codes */
	uint64		results;		/* heap TIDs returned */
	uint64		rechecks;		/* of them, to be put in order by the heap's value */
	uint64		sweeps;			/* scans that had to read the index in page order */
	uint64		memory_limited; /* scans that reached their memory limit */
	uint64		inserts;		/* new nodes */
	uint64		tid_appends;	/* rows that joined a node */
} HnswStats;

/*
 * Of this backend.  Whoever does something worth counting adds to it; what was
 * added is in the whole server's counts at the end of the transaction.
 */
extern HnswStats vdb_hnsw_stats;

/* stats.c; called from _PG_init */
extern void vdb_hnsw_stats_init(void);

#endif							/* VDB_HNSW_STATS_H */
