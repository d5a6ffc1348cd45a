/*-------------------------------------------------------------------------
 *
 * search.h
 *	  A walk through the graph of an index, nearest candidates first.
 *
 * Scans, inserts and measurements are walks with a different visitor.
 *
 *-------------------------------------------------------------------------
 */
#ifndef VDB_HNSW_SEARCH_H
#define VDB_HNSW_SEARCH_H

#include "hnsw/index.h"

/* A node that is known of, but not visited: its distance is an estimate */
typedef struct HnswCandidate
{
	float		distance;
	HnswRef		ref;
	bool		is_visited;		/* only where neighbours have no estimates */
} HnswCandidate;

/* A binary heap, nearest first */
typedef struct HnswFrontier
{
	HnswCandidate *heap;
	Size		count;
	Size		capacity;
} HnswFrontier;

/* A set of node numbers, in chunks that come into being when needed */
typedef struct HnswNumberSet
{
	uint64	  **chunks;
	uint32		nchunks;
	Size		bytes;			/* of all memory it has */
	MemoryContext context;
} HnswNumberSet;

typedef struct HnswWalk HnswWalk;

/*
 * Called for every node that the walk visits, with its page locked for
 * sharing: takes what it needs and does no I/O.  Returns false for a node that
 * is no result (it leads on all the same).  A walk that starts on a level begins
 * with nothing seen; its visitor may be changed between runs.
 */
typedef bool (*HnswVisitor)(HnswWalk *walk, const HnswNodeView *view, float distance);

/* What walks count */
typedef struct HnswWalkCounts
{
	uint64		nodes;			/* visited, each one page */
	uint64		pages;			/* read for anything else */
	uint64		distances;		/* from stored vectors */
	uint64		estimates;		/* from codes */
} HnswWalkCounts;

struct HnswWalk
{
	HnswIndex  *index;
	VdbQuery	query;
	HnswVisitor visitor;
	void	   *visitor_arg;
	int			level;			/* that it walks on */
	HnswFrontier frontier;
	HnswNumberSet seen;			/* on this level: ever in the frontier */
	float	   *nearest;		/* heap of the nearest results, farthest first */
	int			nnearest;
	int			width;			/* room of nearest */
	int			nresults;		/* of this run */
	int			min_results;	/* that a run looks for, if there are as many */
	int			max_results;	/* and the most */
	double		slack;			/* of the estimates, 1 for none */
	void	   *vector;			/* memory for a vector that is split off */
	HnswRef    *links;			/* memory for the links of a node */
	float	   *estimates;
	HnswWalkCounts counts;
	MemoryContext context;		/* of all that it allocates */
};

/* search.c */
extern HnswWalk *vdb_hnsw_walk_begin(HnswIndex *index, const VdbRotated *query,
									 double typical_norm);
extern void vdb_hnsw_walk_start(HnswWalk *walk, int level, int width);
extern void vdb_hnsw_walk_widen(HnswWalk *walk, int width);
extern void vdb_hnsw_walk_set_slack(HnswWalk *walk, double slack, int min_results);
extern void vdb_hnsw_walk_add(HnswWalk *walk, HnswRef ref);
extern bool vdb_hnsw_walk_step(HnswWalk *walk);
extern void vdb_hnsw_walk_run(HnswWalk *walk);
extern bool vdb_hnsw_walk_is_done(const HnswWalk *walk);
extern HnswRef vdb_hnsw_walk_descend(HnswWalk *walk, HnswRef entry, int entry_level,
									 int to_level);
extern void vdb_hnsw_walk_count_result(HnswWalk *walk, float distance);
extern Size vdb_hnsw_walk_memory(const HnswWalk *walk);
extern void vdb_hnsw_walk_drop_half(HnswWalk *walk);
extern void vdb_hnsw_walk_end(HnswWalk *walk);

/* numberset.c */
extern void vdb_hnsw_set_init(HnswNumberSet *set, uint32 capacity);
extern bool vdb_hnsw_set_add(HnswNumberSet *set, uint32 number);
extern bool vdb_hnsw_set_has(const HnswNumberSet *set, uint32 number);
extern void vdb_hnsw_set_remove(HnswNumberSet *set, uint32 number);
extern void vdb_hnsw_set_clear(HnswNumberSet *set);

#endif							/* VDB_HNSW_SEARCH_H */
