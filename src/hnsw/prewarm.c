/*-------------------------------------------------------------------------
 *
 * prewarm.c
 *	  vecdb_index_prewarm(): reads an index into shared buffers.
 *
 * First what every search reads: the metapage and the nodes above level 0.
 * Then the rest in order, as far as shared buffers go: more would only push
 * out what was read before.
 *
 *-------------------------------------------------------------------------
 */
#include "pg_compat.h"

#include "fmgr.h"
#include "hnsw/index.h"
#include "hnsw/inspect.h"
#include "hnsw/options.h"
#include "hnsw/search.h"
#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/spccache.h"

typedef struct Prewarm
{
	HnswIndex  *index;
	HnswNumberSet blocks;		/* that were read */
	HnswNumberSet nodes;		/* that were ever in todo */
	uint32	   *todo;			/* upper nodes to visit */
	Size		ntodo;
	Size		capacity;
	int64		nread;			/* pages */
} Prewarm;

static void read_upper(Prewarm *prewarm);
static void visit(Prewarm *prewarm, uint32 number);
static void add_node(Prewarm *prewarm, HnswRef ref);
static void read_rest(Prewarm *prewarm);
static void note_block(Prewarm *prewarm, BlockNumber block);

/*
 * SQL: vecdb_index_prewarm(index regclass) RETURNS bigint, the pages that were
 * read
 */
PG_FUNCTION_INFO_V1(vdb_hnsw_index_prewarm);
Datum
vdb_hnsw_index_prewarm(PG_FUNCTION_ARGS)
{
	HnswTarget	target = vdb_hnsw_open_target(PG_GETARG_OID(0), HNSW_RIGHT_SELECT);
	Prewarm		prewarm = {0};
	HnswIndex  *index = vdb_hnsw_open(target.index);

	prewarm.index = index;
	index->nblocks = RelationGetNumberOfBlocks(target.index);
	vdb_hnsw_set_init(&prewarm.blocks, index->nblocks);
	vdb_hnsw_set_init(&prewarm.nodes, index->nblocks * (uint32) index->nodes_per_page);
	prewarm.capacity = 1024;
	prewarm.todo = vdb_palloc_array(uint32, prewarm.capacity);
	read_upper(&prewarm);
	read_rest(&prewarm);
	vdb_hnsw_close_target(&target);
	PG_RETURN_INT64(prewarm.nread);
}

/*
 * Reads the metapage, and from the entry whatever can be reached above level 0.
 */
static void
read_upper(Prewarm *prewarm)
{
	HnswMeta	meta;

	vdb_hnsw_read_meta(prewarm->index, &meta);
	note_block(prewarm, HNSW_META_BLOCK);
	if (vdb_hnsw_ref_is_valid(meta.entry))
		add_node(prewarm, meta.entry);
	while (prewarm->ntodo > 0 && prewarm->nread < NBuffers)
	{
		CHECK_FOR_INTERRUPTS();
		visit(prewarm, prewarm->todo[--prewarm->ntodo]);
	}
}

/*
 * Reads a node; where it leads to is to be visited, too, unless that is on
 * level 0.
 */
static void
visit(Prewarm *prewarm, uint32 number)
{
	HnswIndex  *index = prewarm->index;
	HnswNodeView view;
	Buffer		buffer;
	HnswRef		links[2 * HNSW_MAX_M + 1];
	int			nlinks;

	note_block(prewarm, vdb_hnsw_block(index, number));
	if (!vdb_hnsw_read_number(index, number, BUFFER_LOCK_SHARE, NULL, &buffer, &view))
		return;
	nlinks = view.node->level > 0 ? view.node->nlinks : 0;
	for (int i = 0; i < nlinks; i++)
		links[i] = vdb_hnsw_link(index, view.slots, i);
	if (view.node->level > 1)
		links[nlinks++] = view.node->next;
	UnlockReleaseBuffer(buffer);
	for (int i = 0; i < nlinks; i++)
		add_node(prewarm, links[i]);
}

static void
add_node(Prewarm *prewarm, HnswRef ref)
{
	uint32		number = vdb_hnsw_ref_number(ref);

	if (vdb_hnsw_block(prewarm->index, number) >= prewarm->index->nblocks)
		return;					/* newer than the beginning, or damage */
	if (!vdb_hnsw_set_add(&prewarm->nodes, number))
		return;
	if (prewarm->ntodo == prewarm->capacity)
	{
		prewarm->capacity *= 2;
		prewarm->todo = (uint32 *) repalloc_huge(prewarm->todo,
												 prewarm->capacity * sizeof(uint32));
	}
	prewarm->todo[prewarm->ntodo++] = number;
}

/*
 * Reads pages that were not, in order, asking the operating system for some
 * before they are needed.
 */
static void
read_rest(Prewarm *prewarm)
{
	Relation	relation = prewarm->index->relation;
	BlockNumber nblocks = prewarm->index->nblocks;
	int			ahead = get_tablespace_maintenance_io_concurrency(relation->rd_rel->reltablespace);
	BlockNumber asked = 0;

	for (BlockNumber block = 0; block < nblocks && prewarm->nread < NBuffers; block++)
	{
		CHECK_FOR_INTERRUPTS();
		for (; asked < nblocks && asked < block + (BlockNumber) ahead; asked++)
		{
			if (!vdb_hnsw_set_has(&prewarm->blocks, asked))
				PrefetchBuffer(relation, MAIN_FORKNUM, asked);
		}
		if (vdb_hnsw_set_has(&prewarm->blocks, block))
			continue;
		ReleaseBuffer(ReadBuffer(relation, block));
		note_block(prewarm, block);
	}
}

static void
note_block(Prewarm *prewarm, BlockNumber block)
{
	if (vdb_hnsw_set_add(&prewarm->blocks, block))
		prewarm->nread++;
}
