/*-------------------------------------------------------------------------
 *
 * build.h
 *	  What the files of an index build share, and what its processes share.
 *
 * A build has these steps.  All processes take part in those marked with *;
 * between steps they wait for each other.
 *
 *	  load *	rows of the table become nodes: vectors and lists of rows
 *	  prepare	equal vectors of different processes are united, and the nodes
 *				get their numbers, in an order that is random but always the
 *				same
 *	  link *	the graph (README.md, "The graph of a build")
 *	  connect	a path to every node
 *	  fill *	places that are left are filled with links
 *	  write		pages
 *
 * All of it is in one block of memory, private or a shared segment.
 *
 *-------------------------------------------------------------------------
 */
#ifndef VDB_HNSW_BUILD_H
#define VDB_HNSW_BUILD_H

#include "access/tableam.h"
#include "hnsw/graph.h"
#include "hnsw/index.h"
#include "hnsw/partition.h"
#include "nodes/execnodes.h"
#include "port/atomics.h"
#include "storage/barrier.h"
#include "storage/buffile.h"
#include "storage/condition_variable.h"
#include "storage/sharedfileset.h"

/* A row of the table, in the list of the rows of a node */
typedef struct HnswRow
{
	ItemPointerData tid;
	uint16		unused;
	uint32		next;
} HnswRow;

#define HNSW_NO_ROW PG_UINT32_MAX

/* What can be seen in pg_stat_progress_create_index */
typedef enum HnswPhase
{
	HNSW_PHASE_LOAD = 2,		/* 1 is the server's "initializing" */
	HNSW_PHASE_CLUSTER,
	HNSW_PHASE_DIVIDE,
	HNSW_PHASE_LINK,
	HNSW_PHASE_CONNECT,
	HNSW_PHASE_FILL,
	HNSW_PHASE_WRITE,
	HNSW_PHASE_LOG
} HnswPhase;

/* Processes of a build, the leader among them */
#define HNSW_MAX_PROCESSES 64

/* What one process has loaded */
typedef struct HnswLoaded
{
	double		nrows;			/* of the table, as the scan counts them */
	double		nindexed;		/* with a vector that is in the index */
	double		norm_sum;		/* of those */
	double		max_norm;
	uint64		nspilled;		/* rows in this process's file */
	bool		has_broken_chain; /* of HOT updates */
} HnswLoaded;

/* What the leader tells the others to do */
typedef enum HnswCommand
{
	HNSW_COMMAND_LINK,			/* all nodes of a graph */
	HNSW_COMMAND_FILL,			/* places for links */
	HNSW_COMMAND_END
} HnswCommand;

/* The sizes of a build */
typedef struct HnswBuildSize
{
	HnswParams	params;			/* capacity: nodes that can be loaded */
	uint32		row_capacity;
	int			nprocesses;
	Size		block;			/* bytes of the block */
	Size		wanted;			/* bytes that it would use, block and other */
	bool		is_limited;		/* what does not fit goes to files */
	bool		is_in_parts;	/* by choice, as long as it has many rows */
	bool		is_short;		/* of maintenance_work_mem */
} HnswBuildSize;

/*
 * The head of the block.  The first part is set before other processes see
 * it.
 */
typedef struct HnswBuildShared
{
	HnswBuildSize size;
	HnswMeta	meta;

	/* load: rows with a vector, and nodes; more than fit where there was no room */
	pg_atomic_uint64 nrows;
	pg_atomic_uint64 nnodes;
	HnswLoaded	loaded[HNSW_MAX_PROCESSES];
	SharedFileSet files;		/* of workers, for rows that do not fit */

	/* prepare: factor that brings distances into float's range */
	double		scale;

	/* the command to follow, and the graph in the block that it is for */
	HnswCommand command;
	HnswParams	params;
	Size		graph_offset;

	/* the nodes in work, and the next one that nobody has taken */
	uint32		first;
	uint32		end;
	pg_atomic_uint64 next;

	/* how many processes there are is known after their start */
	slock_t		mutex;			/* protects nstarted */
	int			nstarted;		/* 0: not known yet */
	ConditionVariable started;
	Barrier		barrier;		/* of nstarted processes */
} HnswBuildShared;

/* A build as one process sees it */
typedef struct HnswBuild
{
	Relation	heap;
	IndexInfo  *info;
	HnswIndex  *index;
	int			process;		/* 0: the leader */
	int			nprocesses;

	/* parts of the block */
	HnswBuildShared *shared;
	void	   *graph_memory;
	HnswGraph	graph;			/* in it */
	HnswRow    *rows;
	uint32	   *first_row;		/* of a node: the newest of its rows */
	uint32	   *hashes;			/* of a node's vector; until they are prepared */
	uint32	   *parent;			/* from connect on, in the same place */
	uint32	   *order;			/* in which nodes are written */

	MemoryContext context;		/* of the whole build */
	BufFile    *spilled;		/* rows of this process that do not fit */
	bool		is_partitioned; /* the graph is one of many */
} HnswBuild;

/* The processes of a build, as its leader sees them */
typedef struct HnswTeam HnswTeam;

/* Pages as they are written */
typedef struct HnswWriter
{
	HnswIndex  *index;
	BufferAccessStrategy strategy;
	uint32		nupper;			/* nodes on upper levels */
	uint32		nnodes;			/* and on level 0 */
	uint64		upper_groups;	/* pages of nodes of upper levels */
	uint32		next_place;
	BlockNumber nblocks;		/* written so far */

	/* pages in work, in private memory: no lock is held while nodes come */
	Page		page;
	Page		nodes;
	int			ngroup;			/* places of it that have come */
	char	   *vectors;		/* of its nodes, if they are split off */

	/* segments of rows */
	BlockNumber first_posting;
	uint64		nsegments;
	BufFile    *segments;
} HnswWriter;

/* Where an index is entered: places of nodes */
typedef struct HnswWriterRoots
{
	uint32		entry;			/* on the highest level */
	int			entry_level;
	uint32		root;			/* of all anchors, on level 0 */
} HnswWriterRoots;

/* A heap TID as a number */
static inline uint64
vdb_hnsw_tid_row(const ItemPointerData *tid)
{
	return (uint64) ItemPointerGetBlockNumberNoCheck(tid) << 16 |
		ItemPointerGetOffsetNumberNoCheck(tid);
}

static inline ItemPointerData
vdb_hnsw_row_tid(uint64 row)
{
	ItemPointerData tid;

	ItemPointerSet(&tid, (BlockNumber) (row >> 16), (OffsetNumber) (row & 0xFFFF));
	return tid;
}

static inline bool
vdb_hnsw_is_leader(const HnswBuild *build)
{
	return build->process == 0;
}

/* build.c */
extern void vdb_hnsw_build_phase(HnswPhase phase, int64 total);

/* build_memory.c */
extern void vdb_hnsw_plan_size(HnswBuildSize *size, const HnswIndex *index, double nrows,
							   int nprocesses);
extern void vdb_hnsw_graph_params(HnswParams *params, const HnswIndex *index);
extern void vdb_hnsw_announce_size(const HnswBuildSize *size, const HnswIndex *index);
extern Size vdb_hnsw_block_head(void);
extern void vdb_hnsw_build_attach(HnswBuild *build, const HnswBuildSize *size,
								  void *memory, bool is_new);
extern double vdb_hnsw_estimate_rows(Relation heap);

/* build_sample.c */
extern int	vdb_hnsw_sample_elements(Relation heap, Relation index, IndexInfo *info);

/* build_load.c */
extern void vdb_hnsw_load(HnswBuild *build, TableScanDesc scan);
extern bool vdb_hnsw_load_fits(const HnswBuild *build);
extern void vdb_hnsw_set_scale(HnswBuild *build);
extern void vdb_hnsw_prepare_nodes(HnswBuild *build);

/* build_spill.c */
extern void vdb_hnsw_spill_row(HnswBuild *build, const void *vector, uint64 row);
extern void vdb_hnsw_end_spill(HnswBuild *build);
extern HnswPartitionParams vdb_hnsw_partition_params(const HnswIndex *index,
													 VdbQuantLayout *layout);
extern HnswPartitions *vdb_hnsw_build_partitions(HnswBuild *build,
												 HnswPartitionResult *result);
extern void vdb_hnsw_emit_partitions(HnswBuild *build, HnswPartitions *partitions,
									 const HnswPartitionResult *result, HnswMeta *meta);

/* build_graph.c */
extern void vdb_hnsw_meet(HnswBuild *build);
extern void vdb_hnsw_link_together(HnswBuild *build, HnswGraph *g, HnswScratch *s);
extern void vdb_hnsw_fill_together(HnswBuild *build, HnswGraph *g, HnswScratch *s, uint32 end);
extern void vdb_hnsw_dismiss(HnswBuild *build);
extern void vdb_hnsw_follow(HnswBuild *build);
extern void vdb_hnsw_build_scratch(const HnswGraph *g, HnswScratch *s);
extern HnswMeasure vdb_hnsw_build_measure(const HnswBuild *build);

/* build_parallel.c */
extern int	vdb_hnsw_plan_workers(Relation heap, Relation index);
extern HnswTeam *vdb_hnsw_start_team(HnswBuild *build, const HnswBuildSize *size,
									 const HnswMeta *meta);
extern void vdb_hnsw_load_together(HnswBuild *build, HnswTeam *team);
extern void vdb_hnsw_end_team(HnswBuild *build, HnswTeam *team);
extern void vdb_hnsw_free_team(HnswTeam *team);

/* build_emit.c */
extern void vdb_hnsw_emit_graph(HnswBuild *build, HnswMeta *meta);

/* build_write.c */
extern void vdb_hnsw_write_empty(Relation relation, ForkNumber fork, const HnswMeta *meta);
extern void vdb_hnsw_write_begin(HnswWriter *w, HnswIndex *index, uint32 nupper, uint32 nnodes);
extern void vdb_hnsw_write_node(HnswWriter *w, const HnswPlacedNode *placed);
extern void vdb_hnsw_write_end(HnswWriter *w, HnswMeta *meta, const HnswWriterRoots *roots);

#endif							/* VDB_HNSW_BUILD_H */
