/*-------------------------------------------------------------------------
 *
 * stats.h
 *	  What this backend's use of hnsw indexes has counted.
 *
 *-------------------------------------------------------------------------
 */
#ifndef VDB_HNSW_STATS_H
#define VDB_HNSW_STATS_H

#include "postgres.h"

/* Shown, in this order, by the function vecdb_hnsw_stats() */
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
	uint64		sweeps;			/* scans that found rows by reading the index in page
								 * order, which no link led to */
	uint64		memory_limited; /* scans that reached their memory limit */
	uint64		inserts;		/* new nodes */
	uint64		tid_appends;	/* rows that joined a node */
} HnswStats;

extern HnswStats vdb_hnsw_stats;

#endif							/* VDB_HNSW_STATS_H */
