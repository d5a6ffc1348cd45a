/*-------------------------------------------------------------------------
 *
 * build_memory.c
 *	  The block of memory of an index build, and how large it must be.
 *
 *-------------------------------------------------------------------------
 */
#include "pg_compat.h"

#include <math.h>

#include "access/tableam.h"
#include "hnsw/build.h"
#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/rel.h"

/* Blocks of the table that are looked at to estimate its rows */
#define SAMPLE_BLOCKS 256

static Size lay_out(HnswBuild *build, const HnswBuildSize *size, char *memory);
static double count_tuples(Relation heap, BlockNumber block, BufferAccessStrategy strategy);

/*
 * The next size bytes of the block at memory, aligned for any type; NULL if
 * memory is.
 */
static void *
take(char *memory, Size *used, Size size)
{
	char	   *result = memory == NULL ? NULL : memory + *used;

	*used += MAXALIGN(size);
	return result;
}

/*
 * Finds the parts of the block at memory (NULL: only measures).  Returns its
 * size.
 */
static Size
lay_out(HnswBuild *build, const HnswBuildSize *size, char *memory)
{
	Size		used = 0;
	Size		nodes = size->params.capacity;

	build->shared = (HnswBuildShared *) take(memory, &used, sizeof(HnswBuildShared));
	build->rows = (HnswRow *) take(memory, &used, sizeof(HnswRow) * (Size) size->row_capacity);
	build->first_row = (uint32 *) take(memory, &used, sizeof(uint32) * nodes);
	build->hashes = (uint32 *) take(memory, &used, sizeof(uint32) * nodes);
	build->parent = build->hashes;
	build->order = (uint32 *) take(memory, &used, sizeof(uint32) * nodes);
	build->graph_memory = take(memory, &used, vdb_hnsw_graph_size(&size->params));
	return used;
}

/*
 * Bytes of the block.
 */
Size
vdb_hnsw_build_size(const HnswBuildSize *size)
{
	HnswBuild	build;

	return lay_out(&build, size, NULL);
}

/*
 * Bytes that a build takes in all its processes.
 */
Size
vdb_hnsw_build_total(const HnswBuildSize *size)
{
	Size		nodes = size->params.capacity;
	Size		map = (sizeof(uint32) * 2 + 4) * 2 * nodes; /* of equal vectors */
	Size		numbers = sizeof(uint32) * nodes; /* on disk */

	return vdb_hnsw_build_size(size) + Max(map, numbers) +
		(Size) size->nprocesses * vdb_hnsw_scratch_size(&size->params);
}

/*
 * Makes build use the block at memory, maxaligned and of
 * vdb_hnsw_build_size() bytes; an empty one if is_new.
 */
void
vdb_hnsw_build_attach(HnswBuild *build, const HnswBuildSize *size, void *memory, bool is_new)
{
	HnswBuildShared *shared;

	lay_out(build, size, (char *) memory);
	vdb_hnsw_graph_attach(&build->graph, &size->params, build->graph_memory, is_new);
	if (!is_new)
		return;
	shared = build->shared;
	memset(shared, 0, sizeof(*shared));
	shared->size = *size;
	pg_atomic_init_u64(&shared->nrows, 0);
	pg_atomic_init_u64(&shared->nnodes, 0);
	pg_atomic_init_u64(&shared->next, 0);
	SpinLockInit(&shared->mutex);
	ConditionVariableInit(&shared->started);
}

/*
 * Estimates the rows that a scan of the table finds, dead ones that it must
 * index included.  The planner's figure is of no use: it may be old, and where
 * there is none it is guessed from a width that knows nothing of vectors.
 */
double
vdb_hnsw_estimate_rows(Relation heap)
{
	BlockNumber nblocks = RelationGetNumberOfBlocks(heap);
	BlockNumber nsample = Min(nblocks, SAMPLE_BLOCKS);
	BufferAccessStrategy strategy;
	double		ntuples = 0;
	BlockNumber i;

	if (heap->rd_tableam != GetHeapamTableAmRoutine())
	{
		BlockNumber pages;
		double		tuples;
		double		visible;

		table_relation_estimate_size(heap, NULL, &pages, &tuples, &visible);
		return tuples;
	}
	strategy = GetAccessStrategy(BAS_BULKREAD);
	for (i = 0; i < nsample; i++)
	{
		CHECK_FOR_INTERRUPTS();
		ntuples += count_tuples(heap, (BlockNumber) ((uint64) i * nblocks / nsample), strategy);
	}
	FreeAccessStrategy(strategy);
	return nsample == 0 ? 0 : ntuples / nsample * nblocks;
}

/*
 * Tuples of a page of a heap, dead ones included.
 */
static double
count_tuples(Relation heap, BlockNumber block, BufferAccessStrategy strategy)
{
	Buffer		buffer = ReadBufferExtended(heap, MAIN_FORKNUM, block, RBM_NORMAL, strategy);
	Page		page;
	int			n = 0;

	LockBuffer(buffer, BUFFER_LOCK_SHARE);
	page = BufferGetPage(buffer);
	if (!PageIsNew(page))
	{
		OffsetNumber max = PageGetMaxOffsetNumber(page);
		OffsetNumber offset;

		for (offset = FirstOffsetNumber; offset <= max; offset = OffsetNumberNext(offset))
			if (ItemIdIsNormal(PageGetItemId(page, offset)))
				n++;
	}
	UnlockReleaseBuffer(buffer);
	return n;
}
