/*-------------------------------------------------------------------------
 *
 * graph.h
 *	  The graph of an index build, in memory that processes may share.
 *
 * Plain C on caller-provided memory, without pointers between its parts and
 * without locks: see README.md, "Build in batches".
 *
 *-------------------------------------------------------------------------
 */
#ifndef VDB_HNSW_GRAPH_H
#define VDB_HNSW_GRAPH_H

#include "c.h"

#define HNSW_MAX_LEVEL 15
#define HNSW_NO_NODE PG_UINT32_MAX
#define HNSW_CACHE_LINE 64

/* Distance between two stored vectors; smaller is nearer, never NaN. */
typedef float (*HnswDistance)(const void *arg, const void *a, const void *b);

/* A vector, and its proxy where vectors have them */
typedef struct HnswPoint
{
	const void *vector;
	const void *proxy;
} HnswPoint;

/*
 * The distances between one vector and n others, by way of their proxies if
 * that tells enough of them.
 */
typedef void (*HnswDistances)(const void *arg, HnswPoint from, const HnswPoint *to, int n,
							  float *out);

/* How the vectors of a graph are compared; each process has its own. */
typedef struct HnswMeasure
{
	HnswDistance distance;
	/* for graphs whose vectors have proxies */
	HnswDistances distances;
	void (*make_proxy)(const void *arg, const void *vector, void *proxy);
	const void *arg;
} HnswMeasure;

/* What a graph is made with; the same in every process. */
typedef struct HnswParams
{
	uint32		capacity;		/* nodes that fit */
	Size		stride;			/* bytes from vector to vector */
	int			m;				/* links of a node on upper levels, at least 2 */
	int			max_links0;		/* and on level 0, at least 2 */
	int			level_ratio;	/* of nodes from level to level, at least 2 */
	int			ef_construction;
	uint64		seed;			/* of the levels */
	Size		proxy_bytes;	/* of a vector's proxy, a multiple of
								 * HNSW_CACHE_LINE; 0: there are none */
} HnswParams;

/* A directed link as its source knows it. */
typedef struct HnswLink
{
	float		distance;
	uint32		node;
} HnswLink;

/*
 * The links of a node on one level: those chosen, nearest first, then those
 * that fill the places left, nearest first.
 */
typedef struct HnswLinks
{
	int16		count;			/* of both kinds */
	int16		nchosen;
	HnswLink	link[FLEXIBLE_ARRAY_MEMBER];
} HnswLinks;

/*
 * Where everything is.  Each process has one of its own over the same memory;
 * the state that changes is in *shared.
 */
typedef struct HnswShared
{
	uint32		count;			/* nodes with a vector */
	uint32		linked;			/* nodes before this one are in the graph */
	uint32		entry;			/* on the highest level, or HNSW_NO_NODE */
	int			max_level;
	uint64		upper_used;		/* bytes of the pool of upper levels */
} HnswShared;

typedef struct HnswGraph
{
	HnswParams	params;
	HnswShared *shared;
	char	   *vectors;
	char	   *proxies;		/* on cache lines */
	uint8	   *levels;
	char	   *links0;			/* level 0, one HnswLinks a node */
	uint64	   *upper_offset;	/* of a node's upper levels in the pool */
	char	   *upper;
	uint64		upper_size;
	HnswMeasure measure;
} HnswGraph;

/* One reverse link to make: target gets a link to source. */
typedef struct HnswEdge
{
	uint32		target;
	uint32		source;
	float		distance;
} HnswEdge;

/* An entry of the frontier. */
typedef struct HnswFound
{
	float		distance;
	uint32		node;
	bool		is_expanded;
} HnswFound;

/* What one process needs while it works on a graph. */
typedef struct HnswScratch
{
	uint32	   *visited;		/* the search that saw a node last */
	uint32		search;			/* number of the current one */
	HnswFound  *found;			/* ef_construction + 1 */
	uint32	   *unseen;			/* links of one node, or candidates */
	float	   *distances;		/* of them */
	HnswLink   *candidates;
	HnswEdge   *edges;			/* reverse links of a batch on one level */
	uint64		ndistances;		/* computed so far, for progress and tests */
} HnswScratch;

static inline const char *
vdb_hnsw_vector(const HnswGraph *g, uint32 node)
{
	return g->vectors + (Size) node * g->params.stride;
}

static inline HnswPoint
vdb_hnsw_point(const HnswGraph *g, uint32 node)
{
	HnswPoint	point;

	point.vector = vdb_hnsw_vector(g, node);
	point.proxy = g->proxies + (Size) node * g->params.proxy_bytes;
	return point;
}

/* A batch is at most this part of the graph before it. */
#define HNSW_BATCH_PART 32

/* The nodes of the largest batch. */
static inline uint32
vdb_hnsw_max_batch(const HnswParams *params)
{
	return Max(1, params->capacity / HNSW_BATCH_PART);
}

/* The candidates among which the links of a node are chosen. */
static inline int
vdb_hnsw_max_candidates(const HnswParams *params)
{
	return Max(params->ef_construction, Max(8 * params->m, 4 * params->max_links0));
}

/* Links that a node may have on a level. */
static inline int
vdb_hnsw_max_links(const HnswGraph *g, int level)
{
	return level == 0 ? g->params.max_links0 : g->params.m;
}

/*
 * Nodes that may be reached by way of one, so many of its links are anchors:
 * half of them, but more than one, where there are more than two, lest the tree
 * be a chain.
 */
static inline int
vdb_hnsw_max_children(const HnswParams *params)
{
	return Max(params->max_links0 / 2, Min(2, params->max_links0 - 1));
}

static inline Size
vdb_hnsw_links_size(int max_links)
{
	return offsetof(HnswLinks, link) + sizeof(HnswLink) * (Size) max_links;
}

static inline HnswLinks *
vdb_hnsw_links(const HnswGraph *g, uint32 node, int level)
{
	if (level == 0)
		return (HnswLinks *) (g->links0 +
							  (Size) node * vdb_hnsw_links_size(g->params.max_links0));
	return (HnswLinks *) (g->upper + g->upper_offset[node] +
						  (Size) (level - 1) * vdb_hnsw_links_size(g->params.m));
}

/*
 * splitmix64 (Steele, Lea, Flood 2014): a well-mixed function of its argument.
 */
static inline uint64
vdb_hnsw_mix(uint64 x)
{
	x += UINT64CONST(0x9E3779B97F4A7C15);
	x = (x ^ (x >> 30)) * UINT64CONST(0xBF58476D1CE4E5B9);
	x = (x ^ (x >> 27)) * UINT64CONST(0x94D049BB133111EB);
	return x ^ (x >> 31);
}

/*
 * The order of a node's links: nearest first, ties by number, so that it is
 * total.
 */
static inline int
vdb_hnsw_compare_links(const HnswLink *l, const HnswLink *r)
{
	if (l->distance != r->distance)
		return l->distance < r->distance ? -1 : 1;
	return (l->node > r->node) - (l->node < r->node);
}

/* graph_memory.c */
extern int	vdb_hnsw_level_of(const HnswParams *params, uint32 node);
extern Size vdb_hnsw_graph_size(const HnswParams *params);
extern void vdb_hnsw_graph_attach(HnswGraph *g, const HnswParams *params,
								  void *memory, bool is_new);
extern Size vdb_hnsw_scratch_size(const HnswParams *params);
extern void vdb_hnsw_scratch_attach(HnswScratch *s, const HnswParams *params,
									void *memory);
extern uint32 vdb_hnsw_add_node(HnswGraph *g, const void *vector);

/* graph_distance.c */
extern void vdb_hnsw_distances(const HnswGraph *g, HnswScratch *s, HnswPoint from,
							   const uint32 *nodes, int n, float *out);
extern float vdb_hnsw_distance(const HnswGraph *g, HnswScratch *s, HnswPoint from,
							   uint32 node);
extern void vdb_hnsw_prefetch_vector(const HnswGraph *g, uint32 node);

/* graph_search.c */
extern int	vdb_hnsw_search_level(const HnswGraph *g, HnswScratch *s,
								  HnswPoint query, uint32 entry, int level,
								  int ef);
extern uint32 vdb_hnsw_descend(const HnswGraph *g, HnswScratch *s,
							   HnswPoint query, int to_level);

/* graph_link.c */
extern int	vdb_hnsw_select(const HnswGraph *g, HnswScratch *s,
							HnswLink *candidates, int n, int max);
extern uint32 vdb_hnsw_next_batch(const HnswGraph *g);
extern void vdb_hnsw_link_forward(HnswGraph *g, HnswScratch *s, uint32 node);
extern void vdb_hnsw_link_back(HnswGraph *g, HnswScratch *s, uint32 first,
							   uint32 end, int part, int nparts);
extern void vdb_hnsw_finish_batch(HnswGraph *g, uint32 end);
extern void vdb_hnsw_link_all(HnswGraph *g, HnswScratch *s);

/* graph_fill.c */
extern void vdb_hnsw_fill(HnswGraph *g, HnswScratch *s, uint32 node);
extern void vdb_hnsw_fill_all(HnswGraph *g, HnswScratch *s, uint32 end);

/* graph_connect.c */
extern uint32 vdb_hnsw_connect(HnswGraph *g, HnswScratch *s, uint32 *parent,
							   uint32 *order, uint16 *nchildren);
extern uint32 vdb_hnsw_connect_part(HnswGraph *g, HnswScratch *s, uint32 root,
									uint32 end, int root_anchors, uint32 *parent,
									uint32 *order, uint16 *nchildren);

/* graph_order.c */
extern Size vdb_hnsw_order_size(const HnswParams *params);
extern void vdb_hnsw_order(const HnswGraph *g, HnswScratch *s, int per_page,
						   void *work, uint32 *order);
extern void vdb_hnsw_order_part(const HnswGraph *g, HnswScratch *s, uint32 first,
								uint32 end, int per_page, void *work, uint32 *order);

#endif							/* VDB_HNSW_GRAPH_H */
