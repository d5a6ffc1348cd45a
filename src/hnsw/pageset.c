/*-------------------------------------------------------------------------
 *
 * pageset.c
 *	  Pages of nodes that are locked together and written in one record.
 *
 *-------------------------------------------------------------------------
 */
#include "pg_compat.h"

#include "hnsw/pageset.h"

/*
 * Adds a block in order, once.
 */
void
vdb_hnsw_add_page(HnswPageSet *pages, BlockNumber block)
{
	int			i;

	for (i = 0; i < pages->count; i++)
	{
		if (pages->blocks[i] == block)
			return;
	}
	for (i = pages->count++; i > 0 && pages->blocks[i - 1] > block; i--)
		pages->blocks[i] = pages->blocks[i - 1];
	pages->blocks[i] = block;
}

/*
 * Locks all blocks exclusively, in order.  False, and nothing locked, if one is
 * no page of nodes: what the free space map or the end of the relation promised
 * was something else.
 */
bool
vdb_hnsw_lock_pages(HnswIndex *index, HnswPageSet *pages)
{
	int			n = pages->count;

	for (int i = 0; i < n; i++)
	{
		pages->images[i] = NULL;
		if (!vdb_hnsw_try_read_nodes(index, pages->blocks[i], BUFFER_LOCK_EXCLUSIVE, NULL,
									 &pages->buffers[i]))
		{
			pages->count = i;
			vdb_hnsw_unlock_pages(pages);
			return false;
		}
	}
	return true;
}

void
vdb_hnsw_unlock_pages(HnswPageSet *pages)
{
	for (int i = pages->count - 1; i >= 0; i--)
		UnlockReleaseBuffer(pages->buffers[i]);
}

Page
vdb_hnsw_page_of(const HnswPageSet *pages, BlockNumber block)
{
	int			i = 0;

	while (pages->blocks[i] != block)
		i++;
	return BufferGetPage(pages->buffers[i]);
}

/*
 * The image of a locked page in a record, registered at first use.
 */
Page
vdb_hnsw_image_of(HnswPageSet *pages, GenericXLogState *state, BlockNumber block)
{
	int			i = 0;

	while (pages->blocks[i] != block)
		i++;
	if (pages->images[i] == NULL)
		pages->images[i] = GenericXLogRegisterBuffer(state, pages->buffers[i], 0);
	return pages->images[i];
}
