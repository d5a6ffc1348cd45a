/*-------------------------------------------------------------------------
 *
 * inspect.h
 *	  What the functions that look at an index for its operator share.
 *
 *-------------------------------------------------------------------------
 */
#ifndef VDB_HNSW_INSPECT_H
#define VDB_HNSW_INSPECT_H

#include "postgres.h"

#include "storage/block.h"
#include "utils/rel.h"

#include "hnsw/page.h"

/* What a caller must be allowed */
typedef enum HnswRight
{
	HNSW_RIGHT_OWNER,			/* the index is his, or he may maintain it */
	HNSW_RIGHT_STATS,			/* or he is a member of pg_stat_scan_tables */
	HNSW_RIGHT_SELECT			/* he may read the table */
} HnswRight;

/* The index that a caller has named, and its table */
typedef struct HnswTarget
{
	Relation	heap;
	Relation	index;
} HnswTarget;

/*
 * What is known of a node without its page.  A page's kind in a list of kinds
 * is HnswPageKind, or one of the following.
 */
typedef struct HnswNodeFact
{
	uint16		version;
	uint8		state;			/* HnswNodeState, and flags of whoever has it */
	uint8		level;
} HnswNodeFact;

#define HNSW_FACT_STATE 0x03

#define HNSW_PAGE_UNUSED 0		/* all zeroes */
#define HNSW_PAGE_DAMAGED 0xFF

/* inspect.c */
extern HnswTarget vdb_hnsw_open_target(Oid oid, HnswRight right);
extern void vdb_hnsw_close_target(HnswTarget *target);
extern uint8 vdb_hnsw_page_kind(Page page, const char **problem);
extern const char *vdb_hnsw_metric_name(int metric);

#endif							/* VDB_HNSW_INSPECT_H */
