/*-------------------------------------------------------------------------
 *
 * index.h
 *	  An open hnsw index: its layout, its kernels, where its nodes are.
 *
 *-------------------------------------------------------------------------
 */
#ifndef VDB_HNSW_INDEX_H
#define VDB_HNSW_INDEX_H

#include "postgres.h"

#include "access/genam.h"
#include "storage/bufmgr.h"
#include "utils/rel.h"

#include "hnsw/page.h"
#include "quantize/quantize.h"

/*
 * What an operator class says of its element type and distance: support
 * function 1 returns a pointer to one.  Either a value becomes float32s, which
 * are rotated and quantized, or its form of storage is one of the quantize
 * room's others, which takes it as it is.  From there on all types are alike.
 * Values are detoasted.
 */
typedef struct HnswType
{
	const char *type_name;		/* for messages */
	VdbMetric	metric;
	VdbVectorCodec codec;		/* NONE: the index chooses; has elements then */
	int			max_dim;		/* that an index takes */
	const char *other_dim;		/* message: the query has another dimension */
	int (*dim)(Datum value);

	/* the value's elements; buffer has room for dim floats, if it is needed */
	const float *(*elements)(Datum value, float *buffer);

	/* or the value as its form takes it; points into the value */
	VdbRotated (*view)(Datum value);
} HnswType;

#define HNSW_TYPE_PROC 1
#define HNSW_NPROCS 1

/*
 * An open index.  One chunk of memory, which the caller owns: the relation's
 * own cache may go at any invalidation.
 */
typedef struct HnswIndex
{
	Relation	relation;		/* as open as the caller has it */
	const HnswType *type;
	VdbQuantLayout layout;
	VdbRotation rotation;
	const VdbQuantKernels *kernels; /* in force when it was opened */
	uint64		seed;
	int			m;
	int			ef_construction;
	int			slots;			/* of a node */
	int			node_bytes;
	int			nodes_per_page;
	int			vector_pages;	/* 0: vectors are in the nodes */
	BlockNumber nblocks;		/* of the relation when last asked */
	bool		had_room;		/* alloc.c: a page of this backend's was used up */
} HnswIndex;

/*
 * Nodes from one level to the next.  Sparser than the paper's m, since a node
 * of an upper level has as many links as one of level 0.  Builds and inserts
 * use the same.
 */
#define HNSW_LEVEL_RATIO 256

static inline int
vdb_hnsw_level_ratio(int m)
{
	return Max(HNSW_LEVEL_RATIO, 2 * m);
}

/* A vector in the form that the index stores, and the norm it had */
typedef struct HnswValue
{
	VdbRotated	rotated;
	float	   *x;				/* memory for its x, if it is rotated */
	void	   *stored;			/* layout.vector_bytes */
	float	   *elements;		/* working memory: what the type makes of it */
} HnswValue;

/*
 * A node on a page that the caller has pinned and locked.  stored is in the
 * page, or in the caller's memory for vectors that are split off.
 */
typedef struct HnswNodeView
{
	uint32		number;
	HnswNode   *node;
	char	   *slots;
	const void *stored;
} HnswNodeView;

/* Nodes are numbered by block and place; a split one's vectors follow it. */
static inline BlockNumber
vdb_hnsw_block(const HnswIndex *index, uint32 number)
{
	return number / (uint32) index->nodes_per_page;
}

static inline int
vdb_hnsw_place(const HnswIndex *index, uint32 number)
{
	return (int) (number % (uint32) index->nodes_per_page);
}

static inline uint32
vdb_hnsw_number(const HnswIndex *index, BlockNumber block, int place)
{
	return block * (uint32) index->nodes_per_page + (uint32) place;
}

/* The first of the pages of a split vector */
static inline BlockNumber
vdb_hnsw_vector_block(const HnswIndex *index, uint32 number)
{
	return vdb_hnsw_block(index, number) + 1 +
		(BlockNumber) (vdb_hnsw_place(index, number) * index->vector_pages);
}

/* Pages that a page of nodes takes with those of their vectors */
static inline int
vdb_hnsw_group_pages(const HnswIndex *index)
{
	return 1 + index->nodes_per_page * index->vector_pages;
}

static inline HnswNode *
vdb_hnsw_node_at(const HnswIndex *index, Page page, int place)
{
	return (HnswNode *) (PageGetContents(page) + place * index->node_bytes);
}

static inline char *
vdb_hnsw_slots_of(const HnswIndex *index, HnswNode *node)
{
	return (char *) node + HNSW_NODE_HEADER +
		(index->vector_pages > 0 ? 0 : index->layout.vector_bytes);
}

static inline char *
vdb_hnsw_slot(const HnswIndex *index, char *slots, int i)
{
	return slots + i * index->layout.slot_bytes;
}

static inline HnswRef
vdb_hnsw_link(const HnswIndex *index, const char *slots, int i)
{
	HnswRef		ref;

	memcpy(&ref, slots + i * index->layout.slot_bytes, sizeof(ref));
	return ref;
}

static inline void
vdb_hnsw_set_link(const HnswIndex *index, char *slots, int i, HnswRef ref)
{
	memcpy(slots + i * index->layout.slot_bytes, &ref, sizeof(ref));
}

/* Factors and code of a slot; only where the layout has codes */
static inline char *
vdb_hnsw_factors(const HnswIndex *index, char *slots, int i)
{
	return slots + i * index->layout.slot_bytes + HNSW_LINK_BYTES;
}

/* index.c */
extern HnswIndex *vdb_hnsw_open(Relation relation);
extern HnswIndex *vdb_hnsw_open_meta(Relation relation, const HnswMeta *meta);
extern const HnswMeta *vdb_hnsw_try_meta(Relation relation, VdbQuantLayout *layout,
										 char **problem);
extern const HnswType *vdb_hnsw_type(Relation relation);
extern int	vdb_hnsw_column_dim(Relation relation);
extern void vdb_hnsw_plan_layout(HnswMeta *meta, Relation relation, int elements);
extern Size vdb_hnsw_value_size(const HnswIndex *index);
extern void vdb_hnsw_value_attach(const HnswIndex *index, HnswValue *value, void *memory);
extern bool vdb_hnsw_form_value(const HnswIndex *index, Datum datum, HnswValue *value);

/* page.c */
extern void vdb_hnsw_init_page(Page page, HnswPageKind kind);
extern bool vdb_hnsw_is_kind(Page page, HnswPageKind kind);
extern Buffer vdb_hnsw_read(HnswIndex *index, BlockNumber block, int lockmode,
							HnswPageKind kind);
extern bool vdb_hnsw_try_read_nodes(HnswIndex *index, BlockNumber block, int lockmode,
									BufferAccessStrategy strategy, Buffer *buffer);
extern void vdb_hnsw_read_meta(HnswIndex *index, HnswMeta *meta);
extern bool vdb_hnsw_try_read_meta(Relation relation, HnswMeta *meta);
extern void vdb_hnsw_view(HnswIndex *index, Page page, int place,
						  uint32 number, void *vector_memory, HnswNodeView *view);
extern void vdb_hnsw_copy_vector(HnswIndex *index, uint32 number, void *out);
extern void vdb_hnsw_prefetch(HnswIndex *index, uint32 number);
extern bool vdb_hnsw_read_number(HnswIndex *index, uint32 number, int lockmode,
								 void *vector_memory, Buffer *buffer, HnswNodeView *view);
extern bool vdb_hnsw_read_node(HnswIndex *index, HnswRef ref, int lockmode,
							   void *vector_memory, Buffer *buffer, HnswNodeView *view);
pg_noreturn extern void vdb_hnsw_corrupted(Relation relation, BlockNumber block,
										   const char *what);

#endif							/* VDB_HNSW_INDEX_H */
