/*-------------------------------------------------------------------------
 *
 * partition.h
 *	  Builds of graphs that do not fit in memory: in overlapping partitions,
 *	  through temporary files.
 *
 * Plain C; files, memory, and the work that processes share are the caller's
 * (HnswPartitionHooks).  See README.md, "Builds in parts".  In
 * this order:
 *
 *	  vdb_hnsw_partition_begin
 *	  vdb_hnsw_partition_add		each row: its vector goes to a file
 *	  vdb_hnsw_partition_build	partitions, their graphs, to files again
 *	  vdb_hnsw_partition_emit	each node, in the order of the pages
 *	  vdb_hnsw_partition_end
 *
 *-------------------------------------------------------------------------
 */
#ifndef VDB_HNSW_PARTITION_H
#define VDB_HNSW_PARTITION_H

#include "hnsw/graph.h"
#include "quantize/quantize.h"

/* What vdb_hnsw_partition_build() and _emit() are doing, for the hook */
typedef enum HnswPartitionPhase
{
	HNSW_PARTITION_CLUSTER,		/* finding centroids; total: rounds */
	HNSW_PARTITION_UPPER,		/* levels above 0; total: rows */
	HNSW_PARTITION_DIVIDE,		/* total: rows */
	HNSW_PARTITION_GRAPHS,		/* total: rows */
	HNSW_PARTITION_EMIT			/* total: nodes of all levels */
} HnswPartitionPhase;

/*
 * What the caller does.  No hook returns unless it has done it; it may leave
 * by longjmp, and then the memory and the files are the caller's to free.
 */
typedef struct HnswPartitionHooks
{
	void	   *arg;			/* the first argument of each */

	/* memory without a limit of size, aligned for any type */
	void *(*allocate)(void *arg, Size size);
	void (*release)(void *arg, void *memory);

	/* temporary files: first written from end to end, then read anywhere */
	void *(*create_file)(void *arg);
	void (*write_file)(void *arg, void *file, const void *data, Size size);
	void (*read_file)(void *arg, void *file, uint64 offset, void *data,
					  Size size);
	void (*close_file)(void *arg, void *file);

	/*
	 * Link all nodes of a graph, and fill those before end.  The graph is at
	 * the start of HnswPartitionParams.memory, so that other processes can
	 * attach to it with g->params; s is this process's scratch memory.  By one
	 * process: vdb_hnsw_link_all, vdb_hnsw_fill_all.
	 */
	void (*link)(void *arg, HnswGraph *g, HnswScratch *s);
	void (*fill)(void *arg, HnswGraph *g, HnswScratch *s, uint32 end);

	/* called often, also with nothing new to say: the place for interrupts */
	void (*progress)(void *arg, HnswPartitionPhase phase, uint64 done,
					 uint64 total);
} HnswPartitionHooks;

typedef struct HnswPartitionParams
{
	const VdbQuantLayout *layout; /* with slots and nodes_per_page */
	const VdbQuantKernels *kernels;
	int			m;
	int			level_ratio;
	int			ef_construction;
	uint64		seed;

	/*
	 * Everything that grows with the size of partitions is here; maxaligned,
	 * of at least vdb_hnsw_partition_least_memory(), shared where processes
	 * share work.  Beside it, allocate() is asked for 12 bytes a row, for 16
	 * to 32 a row of the partition in work whose vector is there already, and
	 * for some vectors for each partition.
	 */
	void	   *memory;
	Size		memory_size;
} HnswPartitionParams;

/* A link of a node that is written */
typedef struct HnswPlacedLink
{
	uint32		target;			/* its place */
	bool		is_anchor;		/* never on upper levels */
	const void *factors;		/* and the code: what follows the link in a slot,
								 * nothing in a layout without codes */
} HnswPlacedLink;

/*
 * A node of the index, to be written at a place.  Places count the nodes of
 * all levels: those of the highest level first, those of level 0 last.  All
 * that it points to is gone when the hook returns.
 */
typedef struct HnswPlacedNode
{
	uint32		place;
	int			level;			/* the one that this node is on */
	uint32		below;			/* level > 0: place of the same vector's node on
								 * the level below; else HNSW_NO_NODE */
	const void *vector;
	uint32		nrows;			/* level 0: at least 1; above 0 */
	const uint64 *rows;
	int			nlinks;			/* at most layout->slots */
	const HnswPlacedLink *links; /* chosen ones nearest first, then filling ones */
} HnswPlacedNode;

/* What has been built */
typedef struct HnswPartitionResult
{
	uint32		nnodes;			/* on level 0 */
	uint32		nupper;			/* on all levels above together */
	int			max_level;
	uint32		entry;			/* place of the entry; HNSW_NO_NODE if no rows */
	uint32		root;			/* of the entry's node on level 0 */
	int			npartitions;
} HnswPartitionResult;

typedef struct HnswPartitions HnswPartitions;

/* partition.c */
extern Size vdb_hnsw_partition_least_memory(const HnswPartitionParams *params);
extern HnswPartitions *vdb_hnsw_partition_begin(const HnswPartitionParams *params,
												const HnswPartitionHooks *hooks);
extern void vdb_hnsw_partition_add(HnswPartitions *p, const void *vector, uint64 row);
extern HnswPartitionResult vdb_hnsw_partition_build(HnswPartitions *p,
													HnswMeasure measure);
extern void vdb_hnsw_partition_end(HnswPartitions *p);

/* partition_emit.c */
extern void vdb_hnsw_partition_emit(HnswPartitions *p,
									void (*emit)(void *arg, const HnswPlacedNode *node),
									void *arg);

#endif							/* VDB_HNSW_PARTITION_H */
