/*-------------------------------------------------------------------------
 *
 * page.h
 *	  The format of an hnsw index on disk, byte by byte; see README.md.
 *
 *-------------------------------------------------------------------------
 */
#ifndef VDB_HNSW_PAGE_H
#define VDB_HNSW_PAGE_H

#include "postgres.h"

#include "storage/bufpage.h"
#include "storage/itemptr.h"

#include "quantize/quantize.h"

/* Page kinds */
typedef enum HnswPageKind
{
	HNSW_PAGE_META = 1,
	HNSW_PAGE_NODES = 2,
	HNSW_PAGE_POSTINGS = 3,		/* heap TIDs beyond those in a node */
	HNSW_PAGE_VECTOR = 4		/* a part of a vector split off its node */
} HnswPageKind;

/*
 * Special space of every page.  The identifier stands at the very end, where
 * pg_filedump and the like look for it.
 */
typedef struct HnswOpaque
{
	BlockNumber next;			/* posting pages: the next one with room */
	uint8		kind;			/* HnswPageKind */
	uint8		is_listed;		/* posting pages: in the metapage's chain */
	uint16		page_id;
} HnswOpaque;

#define HNSW_PAGE_ID 0xFF8D
#define HNSW_PAGE_BYTES \
	(BLCKSZ - MAXALIGN(SizeOfPageHeaderData) - MAXALIGN(sizeof(HnswOpaque)))

#define HNSW_META_BLOCK 0
#define HNSW_MAGIC 0x48656476
#define HNSW_FORMAT_VERSION 1

/*
 * A reference: to a node by number and version, with the anchor flag in the
 * version's highest bit, or to a posting segment by block and index.  Made of
 * 16-bit parts because slots have no better alignment.
 */
typedef struct HnswRef
{
	uint16		high;
	uint16		low;
	uint16		extra;			/* version and anchor flag; index of a segment */
} HnswRef;

#define HNSW_ANCHOR 0x8000
#define HNSW_VERSION_MASK 0x7FFF
#define HNSW_INVALID_NUMBER PG_UINT32_MAX

static inline uint32
vdb_hnsw_ref_number(HnswRef ref)
{
	return (uint32) ref.high << 16 | ref.low;
}

static inline uint16
vdb_hnsw_ref_version(HnswRef ref)
{
	return ref.extra & HNSW_VERSION_MASK;
}

static inline bool
vdb_hnsw_ref_is_anchor(HnswRef ref)
{
	return (ref.extra & HNSW_ANCHOR) != 0;
}

static inline bool
vdb_hnsw_ref_is_valid(HnswRef ref)
{
	return vdb_hnsw_ref_number(ref) != HNSW_INVALID_NUMBER;
}

static inline HnswRef
vdb_hnsw_make_ref(uint32 number, uint16 extra)
{
	HnswRef		ref;

	ref.high = (uint16) (number >> 16);
	ref.low = (uint16) number;
	ref.extra = extra;
	return ref;
}

static inline HnswRef
vdb_hnsw_no_ref(void)
{
	return vdb_hnsw_make_ref(HNSW_INVALID_NUMBER, 0);
}

/* Same node, whether anchored or not */
static inline bool
vdb_hnsw_ref_equals(HnswRef a, HnswRef b)
{
	return a.high == b.high && a.low == b.low &&
		((a.extra ^ b.extra) & HNSW_VERSION_MASK) == 0;
}

/* What a slot of a node page holds */
typedef enum HnswNodeState
{
	HNSW_FREE = 0,				/* nothing; version is the next occupant's */
	HNSW_LIVE = 1,
	HNSW_DYING = 2				/* no heap TIDs; still a way to others, until
								 * vacuum has led the links around it */
} HnswNodeState;

#define HNSW_INLINE_TIDS 4

/*
 * A node: this header, the stored vector (unless split off), the slots.
 */
typedef struct HnswNode
{
	uint16		version;		/* 15 bits, advanced when the node is freed */
	uint8		state;			/* HnswNodeState */
	uint8		level;
	uint8		nlinks;			/* slots in use, the first ones */
	uint8		ntids;			/* of tids */
	HnswRef		next;			/* level 0: newest posting segment; above: the
								 * same vector's node one level below */
	ItemPointerData tids[HNSW_INLINE_TIDS];
	uint8		unused[4];
} HnswNode;

#define HNSW_NODE_HEADER 40

/* A slot: the link, and for layouts with codes VdbSlotFactors and the code */
#define HNSW_LINK_BYTES sizeof(HnswRef)

/*
 * Heap TIDs of a node with many rows: a chain of segments, newest first.
 * Segments of one size; a free one has owner invalid.
 */
#define HNSW_SEGMENT_TIDS 38

typedef struct HnswSegment
{
	HnswRef		owner;			/* the node, level 0 */
	HnswRef		next;			/* older segment */
	uint16		ntids;
	ItemPointerData tids[HNSW_SEGMENT_TIDS];
	uint16		unused[3];
} HnswSegment;

#define HNSW_SEGMENT_BYTES 248
#define HNSW_SEGMENTS_PER_PAGE ((int) (HNSW_PAGE_BYTES / HNSW_SEGMENT_BYTES))

/*
 * The metapage.  What stands before "changes" never does, but for what says so.
 */
typedef struct HnswMeta
{
	uint32		magic;
	uint32		version;		/* of the format */
	uint32		dim;
	uint32		code_dims;
	uint64		seed;			/* of the rotation */
	uint16		metric;			/* VdbMetric */
	uint16		m;
	uint16		ef_construction;
	uint16		slots;
	uint16		node_bytes;
	uint16		nodes_per_page;
	uint16		vector_pages;
	uint8		codec;			/* VdbVectorCodec */
	uint8		bits;

	/* changes */
	HnswRef		entry;			/* a node on the highest level */
	uint16		entry_level;
	HnswRef		root;			/* level 0: where all anchors lead from */
	uint16		elements;		/* never changes: room of a sparse vector; 0 of others */
	BlockNumber postings;		/* first posting page with room */
	double		typical_norm;	/* of the vectors; 0 if none is known */
} HnswMeta;

StaticAssertDecl(sizeof(HnswRef) == 6, "HnswRef has 6 bytes");
StaticAssertDecl(sizeof(HnswNode) == HNSW_NODE_HEADER, "HnswNode has 40 bytes");
StaticAssertDecl(sizeof(HnswSegment) == HNSW_SEGMENT_BYTES, "HnswSegment has 248 bytes");

static inline HnswOpaque *
vdb_hnsw_opaque(Page page)
{
	return (HnswOpaque *) PageGetSpecialPointer(page);
}

static inline HnswMeta *
vdb_hnsw_meta(Page page)
{
	return (HnswMeta *) PageGetContents(page);
}

static inline HnswSegment *
vdb_hnsw_segment(Page page, int index)
{
	return (HnswSegment *) (PageGetContents(page) + index * HNSW_SEGMENT_BYTES);
}

#endif							/* VDB_HNSW_PAGE_H */
