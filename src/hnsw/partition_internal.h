/*-------------------------------------------------------------------------
 *
 * partition_internal.h
 *	  What the files of a build in partitions share.
 *
 *-------------------------------------------------------------------------
 */
#ifndef VDB_HNSW_PARTITION_INTERNAL_H
#define VDB_HNSW_PARTITION_INTERNAL_H

#include "hnsw/partition.h"

/* Before a vector in the files of vectors; rows are numbered as they come */
typedef struct HnswRecord
{
	uint64		row;			/* the caller's id of the row */
	uint32		id;				/* its number */
	uint32		part;			/* the partition that it is a node of */
} HnswRecord;

/* A temporary file */
typedef struct HnswFile
{
	void	   *handle;			/* NULL: not created yet */
	uint64		size;
} HnswFile;

/* A link in the files of links; its factors follow all of a node's links */
typedef struct HnswFileLink
{
	uint32		id;				/* upper levels: place */
	float		distance;
	uint32		is_anchor;
} HnswFileLink;

/*
 * Before a node in a file of nodes: its vector, links, their factors, and rows
 * follow.  In a file of lists it stands before links and factors only.
 */
typedef struct HnswNodeHead
{
	uint32		id;
	uint32		below;			/* upper levels: place; level 1: unknown yet */
	uint32		nrows;
	uint16		level;
	uint16		nlinks;
	uint32		nchosen;
} HnswNodeHead;

/* A partition */
typedef struct HnswPartition
{
	char	   *centroid;		/* a stored vector */
	double		penalty;		/* added to distances from it, for balance */
	HnswFile	own;			/* records of its nodes */
	HnswFile	borrowed;		/* and of nodes of others near it */
	HnswFile	lists;			/* links that its nodes got where borrowed */
	char	   *root;			/* record of the node that its anchors lead from */
	double		root_cost;		/* that node's distance from the centroid */
	bool		is_placed;		/* in the order of partitions */
} HnswPartition;

/* Rows of the partition in memory that share a node with another row */
typedef struct HnswSharedRow
{
	uint32		node;
	uint32		id;
	uint64		row;
} HnswSharedRow;

struct HnswPartitions
{
	HnswPartitionParams params;
	HnswPartitionHooks hooks;
	HnswMeasure measure;
	Size		vector_bytes;
	Size		record_bytes;	/* HnswRecord and the vector */
	Size		factor_bytes;	/* of a slot */
	Size		node_bytes;		/* at most, in a file, without rows */
	char	   *buffer;			/* a record */
	char	   *node;			/* a node, as in a file */
	const void **targets;		/* vectors that a node's links lead to */
	void	   *encoder_memory;

	/* rows as they came, those of upper levels again, and some of them */
	uint64		nrows;
	HnswFile	all;
	HnswFile	upper;
	uint64		nsample;		/* vectors in params.memory */
	uint64		sample_size;	/* that fit */

	/* of partitions and their graphs in params.memory */
	uint32		capacity;		/* nodes */
	int			nparts;
	HnswPartition *parts;
	uint32	   *position;		/* of a row's node, by number of the row */
	uint64	   *list_at;		/* of a row: in which lists, and where */
	uint32		entry_id;
	HnswPartitionPhase phase;	/* that loads vectors */
	uint64		rows_done;		/* of the partitions before the one in work */

	/* results */
	HnswFile	nodes;			/* level 0, in order */
	HnswFile	upper_nodes;	/* other levels, in order */
	HnswPartitionResult result;
};

/* list_at: the partition in the upper 16 bits, an offset below */
#define HNSW_NO_LIST PG_UINT64_MAX
#define HNSW_MAX_PARTS 65534

/* The graph of a partition, in params.memory */
typedef struct HnswWork
{
	HnswGraph	g;
	HnswScratch s;
	uint32		nown;			/* nodes before this one are the partition's */
	uint32	   *ids;			/* of nodes */
	uint32	   *parts;			/* that they belong to */
	uint64	   *rows;
	uint32	   *parent;
	uint32	   *order;
	void	   *work;			/* for several things in turn */
	HnswSharedRow *shared_rows;
	uint64		nshared_rows;
	uint64		max_shared_rows;
} HnswWork;

/* partition.c */
extern void vdb_hnsw_partition_write(HnswPartitions *p, HnswFile *file,
									 const void *data, Size size);
extern void vdb_hnsw_partition_close(HnswPartitions *p, HnswFile *file);
extern float vdb_hnsw_partition_distance(const HnswPartitions *p, const void *a,
										 const void *b);

/* partition_cluster.c */
extern void vdb_hnsw_partition_cluster(HnswPartitions *p, int nparts);
extern double vdb_hnsw_partition_nearest(const HnswPartitions *p, const void *vector,
										 int *first, int *second);

/* partition_divide.c */
extern void vdb_hnsw_partition_divide(HnswPartitions *p);
extern int	vdb_hnsw_partition_path(HnswPartitions *p, int *path);

/* partition_load.c */
extern Size vdb_hnsw_partition_work_size(const HnswPartitionParams *params,
										 const HnswParams *graph);
extern void vdb_hnsw_partition_work_attach(HnswPartitions *p, HnswWork *w,
										   const HnswParams *graph);
extern void vdb_hnsw_partition_load_own(HnswPartitions *p, HnswWork *w,
										HnswFile *file, const char *root,
										HnswPartition *rest);
extern void vdb_hnsw_partition_load_borrowed(HnswPartitions *p, HnswWork *w,
											 HnswFile *file);
extern void vdb_hnsw_partition_work_end(HnswPartitions *p, HnswWork *w);

/* partition_graph.c */
extern HnswParams vdb_hnsw_partition_graph_params(const HnswPartitionParams *params,
												  uint32 capacity);
extern void vdb_hnsw_partition_graphs(HnswPartitions *p);
extern void vdb_hnsw_partition_encode(HnswPartitions *p, const void *vector, int n,
									  char *factors);

/* partition_upper.c */
extern void vdb_hnsw_partition_upper(HnswPartitions *p);

#endif							/* VDB_HNSW_PARTITION_INTERNAL_H */
