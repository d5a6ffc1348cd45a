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

/*
 * What the links seen so far tell of a candidate: each estimates its distance
 * from another node, and all together do it better than one.
 */
typedef struct HnswSighting
{
	uint32		number;			/* 0: a free place of the table */
	float		weight;			/* of all estimates; infinite: visited */
	float		mean;			/* of them, weighted */
	float		key;			/* distance of its entry of the heap that counts */
} HnswSighting;

/*
 * Candidates: a binary heap, nearest first, and a table of sightings.  A
 * candidate that comes nearer gets another entry; the one whose distance is the
 * sighting's key counts.  The first of the heap always is one that counts, at
 * its mean.  Candidates without a sighting (beyond the most that the table takes,
 * or when memory was short) keep their first estimate.
 */
typedef struct HnswFrontier
{
	HnswCandidate *heap;
	Size		count;
	Size		capacity;
	HnswSighting *sightings;
	uint32		size;			/* of the table, a power of two: 2^(32 - shift) */
	int			shift;
	uint32		nsightings;
	bool		is_sighting;	/* new candidates get one */
	MemoryContext context;
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
	uint32		prefetched;		/* the last node to be */
	void	   *vector;			/* memory for a vector that is split off */
	HnswRef    *links;			/* memory for the links of a node */
	float	   *estimates;
	float	   *weights;		/* of the estimates */
	HnswWalkCounts counts;
	MemoryContext context;		/* of all that it allocates */
};

/* search.c */
extern HnswWalk *vdb_hnsw_walk_begin(HnswIndex *index, const VdbRotated *query,
									 double typical_norm);
extern void vdb_hnsw_walk_start(HnswWalk *walk, int level, int width);
extern void vdb_hnsw_walk_widen(HnswWalk *walk, int width);
extern int	vdb_hnsw_walk_width(const HnswIndex *index, int ef_search);
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

/* frontier.c */
extern void vdb_hnsw_frontier_init(HnswFrontier *frontier);
extern void vdb_hnsw_frontier_clear(HnswFrontier *frontier);
extern void vdb_hnsw_frontier_push(HnswFrontier *frontier, HnswCandidate candidate);
extern HnswCandidate vdb_hnsw_frontier_take(HnswFrontier *frontier);
extern void vdb_hnsw_frontier_settle(HnswFrontier *frontier);
extern void vdb_hnsw_frontier_sight(HnswFrontier *frontier, HnswNumberSet *seen,
									const char *links, Size stride, int n,
									const float *distances, const float *weights, float reach);
extern void vdb_hnsw_frontier_drop_half(HnswFrontier *frontier, HnswNumberSet *seen);
extern Size vdb_hnsw_frontier_memory(const HnswFrontier *frontier);

/* numberset.c */
extern void vdb_hnsw_set_init(HnswNumberSet *set, uint32 capacity);
extern bool vdb_hnsw_set_add(HnswNumberSet *set, uint32 number);
extern bool vdb_hnsw_set_has(const HnswNumberSet *set, uint32 number);
extern void vdb_hnsw_set_remove(HnswNumberSet *set, uint32 number);
extern void vdb_hnsw_set_clear(HnswNumberSet *set);

#endif							/* VDB_HNSW_SEARCH_H */
