/*-------------------------------------------------------------------------
 *
 * pageset.h
 *	  Pages of nodes that are locked together and written in one record.
 *
 *-------------------------------------------------------------------------
 */
#ifndef VDB_HNSW_PAGESET_H
#define VDB_HNSW_PAGESET_H

#include "postgres.h"

#include "access/generic_xlog.h"
#include "hnsw/index.h"

/* As many as a record may have, but for the metapage */
#define HNSW_MAX_PAGE_SET (MAX_GENERIC_XLOG_PAGES - 1)

/* In ascending order, which is that of locking; begins as all zeroes */
typedef struct HnswPageSet
{
	int			count;
	BlockNumber blocks[HNSW_MAX_PAGE_SET];
	Buffer		buffers[HNSW_MAX_PAGE_SET];
	Page		images[HNSW_MAX_PAGE_SET]; /* once registered */
} HnswPageSet;

extern void vdb_hnsw_add_page(HnswPageSet *pages, BlockNumber block);
extern bool vdb_hnsw_lock_pages(HnswIndex *index, HnswPageSet *pages);
extern void vdb_hnsw_unlock_pages(HnswPageSet *pages);
extern Page vdb_hnsw_page_of(const HnswPageSet *pages, BlockNumber block);
extern Page vdb_hnsw_image_of(HnswPageSet *pages, GenericXLogState *state, BlockNumber block);

#endif							/* VDB_HNSW_PAGESET_H */
