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
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/rel.h"

/* Of the levels of nodes; any number will do. */
#define LEVEL_SEED UINT64CONST(0x2545F4914F6CDD1D)

/*
 * From so many rows on the graph is built in parts, though all of it may fit:
 * that gives the better graph (README.md, "Builds in parts").
 */
#define MANY_ROWS 20000
#define PARTS_OF_MEMORY 4

/* Blocks of the table that are looked at to estimate its rows */
#define SAMPLE_BLOCKS 256

static Size block_size(const HnswBuildSize *size);
static Size other_size(const HnswBuildSize *size);
static void set_capacity(HnswBuildSize *size, double nnodes, double nrows);
static bool is_better_in_parts(const HnswBuildSize *size, const HnswIndex *index, double nrows);
static void limit_size(HnswBuildSize *size, const HnswIndex *index, double nrows, Size limit);
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
 * Bytes that the parts of the block take.
 */
static Size
block_size(const HnswBuildSize *size)
{
	HnswBuild	build;

	return lay_out(&build, size, NULL);
}

/*
 * Bytes that a build takes beside the block, in all its processes.
 */
static Size
other_size(const HnswBuildSize *size)
{
	Size		nodes = size->params.capacity;
	Size		map = (sizeof(uint32) * 2 + 4) * 2 * nodes; /* of equal vectors */

	return map + (Size) size->nprocesses * vdb_hnsw_scratch_size(&size->params);
}

/*
 * The head of the block, which other memory follows in a build in partitions.
 */
Size
vdb_hnsw_block_head(void)
{
	return MAXALIGN(sizeof(HnswBuildShared));
}

/*
 * Sizes for a build with at most nrows rows by some processes, within
 * maintenance_work_mem.
 */
void
vdb_hnsw_plan_size(HnswBuildSize *size, const HnswIndex *index, double nrows, int nprocesses)
{
	Size		limit = (Size) maintenance_work_mem * 1024;

	memset(size, 0, sizeof(*size));
	size->nprocesses = nprocesses;
	vdb_hnsw_graph_params(&size->params, index);
	set_capacity(size, nrows, nrows);
	size->is_in_parts = is_better_in_parts(size, index, nrows);
	if (size->is_in_parts)
	{
		Size		wanted = size->wanted / PARTS_OF_MEMORY;

		limit_size(size, index, nrows, Min(limit, wanted));
		size->wanted = wanted;
	}
	else if (size->wanted > limit)
		limit_size(size, index, nrows, limit);
	size->is_short = size->wanted > limit;
}

/*
 * Whether a graph shall be built in parts if all of it fits.  Not where their
 * files would exceed temp_file_limit: the vectors three times, and the nodes
 * with their lists.
 */
static bool
is_better_in_parts(const HnswBuildSize *size, const HnswIndex *index, double nrows)
{
	double		bytes = nrows * (3.0 * size->params.stride + 1.5 * (index->layout.vector_bytes + index->slots * index->layout.slot_bytes));

	return nrows >= MANY_ROWS && (temp_file_limit < 0 || bytes / 1024 < temp_file_limit);
}

/*
 * What the graph of an index is made with, but for its capacity.
 */
void
vdb_hnsw_graph_params(HnswParams *params, const HnswIndex *index)
{
	memset(params, 0, sizeof(*params));
	params->stride = (Size) index->layout.vector_bytes;
	params->proxy_bytes = vdb_quant_proxy_size(&index->layout);
	params->m = Min(index->m, index->slots);
	params->max_links0 = index->slots;
	params->level_ratio = vdb_hnsw_level_ratio(index->m);
	params->ef_construction = index->ef_construction;
	params->seed = LEVEL_SEED;
}

static void
set_capacity(HnswBuildSize *size, double nnodes, double nrows)
{
	size->params.capacity = (uint32) Min(Max(nnodes, 1), HNSW_NO_ROW - 1);
	size->row_capacity = (uint32) Min(Max(nrows, 1), HNSW_NO_ROW - 1);
	size->block = block_size(size);
	size->wanted = size->block + other_size(size);
}

/*
 * Makes a size as large as the limit allows.  If it turns out that many rows
 * have equal vectors, all may fit.  If not, partitions are built in the block,
 * and need some memory for each row beside it.
 */
static void
limit_size(HnswBuildSize *size, const HnswIndex *index, double nrows, Size limit)
{
	Size		wanted = size->wanted;
	double		for_rows = Min(nrows, (double) limit / 8 / sizeof(HnswRow));
	double		per_node;
	double		left;
	VdbQuantLayout layout;
	HnswPartitionParams partitions = vdb_hnsw_partition_params(index, &layout);

	per_node = ((double) wanted - sizeof(HnswBuildShared)) / size->params.capacity - sizeof(HnswRow);
	left = (double) limit - (for_rows + nrows) * sizeof(HnswRow);
	set_capacity(size, Max(left, (double) limit / 4) / per_node, for_rows);
	size->block = Max(size->block,
					  vdb_hnsw_block_head() + vdb_hnsw_partition_least_memory(&partitions));
	size->wanted = wanted;
	size->is_limited = true;
}

/*
 * Tells the user how much memory a build will take, and what would be better.
 */
void
vdb_hnsw_announce_size(const HnswBuildSize *size, const HnswIndex *index)
{
	const char *name = RelationGetRelationName(index->relation);
	int64		megabytes = (int64) (size->wanted / (1024 * 1024) + 1);

	if (!size->is_short)
	{
		ereport(DEBUG1,
				(errmsg_internal("building index \"%s\" takes about " INT64_FORMAT " MB of memory",
								 name, megabytes)));
		return;
	}
	ereport(NOTICE,
			(errmsg("the graph of index \"%s\" does not fit into maintenance_work_mem", name),
			 errdetail("It is built in parts, through temporary files, which takes longer."),
			 size->is_in_parts ?
				 errhint("With maintenance_work_mem = '" INT64_FORMAT "MB' the parts are fewer.",
						 megabytes) :
				 errhint("With maintenance_work_mem = '" INT64_FORMAT "MB' it is built at once.",
						 megabytes)));
}

/*
 * Makes build use the block at memory, maxaligned and of size->block bytes; an
 * empty one if is_new.
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
