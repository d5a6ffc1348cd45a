/*-------------------------------------------------------------------------
 *
 * build_sample.c
 *	  How many elements the sparse vectors of a table have, before its index is
 *	  laid out.
 *
 *-------------------------------------------------------------------------
 */
#include "pg_compat.h"

#include "access/heapam.h"
#include "access/tableam.h"
#include "hnsw/build.h"
#include "miscadmin.h"
#include "utils/memutils.h"

/* Blocks that are read, and the part of the rows that shall fit as they are */
#define SAMPLE_BLOCKS 100
#define SHARE_THAT_FITS 0.99

/* Numbers of elements of the rows that were read */
typedef struct ElementSample
{
	const HnswType *type;
	MemoryContext row_context;
	int		   *counts;
	int			n;
	int			room;
} ElementSample;

static void sample_row(Relation relation, ItemPointer tid, Datum *values, bool *isnull,
					   bool is_alive, void *arg);

static int
compare_ints(const void *a, const void *b)
{
	int			l = *(const int *) a;
	int			r = *(const int *) b;

	return (l > r) - (l < r);
}

/*
 * The elements that a node's vector should have room for: of 99 in 100 rows of
 * a sample.  0 if the index's vectors are not sparse, or there are no rows.
 * A table of another access method than heap, which may not know blocks, is
 * read whole.
 */
int
vdb_hnsw_sample_elements(Relation heap, Relation index, IndexInfo *info)
{
	ElementSample sample = {0};
	BlockNumber nblocks;
	BlockNumber nsample;

	sample.type = vdb_hnsw_type(index);
	if (sample.type->codec != VDB_CODEC_SPARSE)
		return 0;
	sample.row_context = AllocSetContextCreate(CurrentMemoryContext, "hnsw sample",
											   ALLOCSET_DEFAULT_SIZES);
	sample.room = 1024;
	sample.counts = vdb_palloc_array(int, sample.room);
	if (heap->rd_tableam != GetHeapamTableAmRoutine())
		(void) table_index_build_scan(heap, index, info, false, false, sample_row, &sample, NULL);
	else
	{
		nblocks = RelationGetNumberOfBlocks(heap);
		nsample = Min(nblocks, SAMPLE_BLOCKS);
		for (BlockNumber i = 0; i < nsample; i++)
		{
			CHECK_FOR_INTERRUPTS();
			(void) table_index_build_range_scan(heap, index, info, false, false, false,
												(BlockNumber) ((uint64) i * nblocks / nsample), 1,
												sample_row, &sample, NULL);
		}
	}
	MemoryContextDelete(sample.row_context);

	/* what rows say here is said again when they are loaded */
	info->ii_BrokenHotChain = false;
	if (sample.n == 0)
		return 0;
	qsort(sample.counts, (size_t) sample.n, sizeof(int), compare_ints);
	return Max(sample.counts[(int) ((sample.n - 1) * SHARE_THAT_FITS + 0.999999)], 1);
}

static void
sample_row(Relation relation, ItemPointer tid, Datum *values, bool *isnull, bool is_alive,
		   void *arg)
{
	ElementSample *sample = (ElementSample *) arg;
	MemoryContext old;

	if (isnull[0])
		return;
	if (sample->n == sample->room)
	{
		sample->room *= 2;
		sample->counts = (int *) repalloc_huge(sample->counts,
											   sizeof(int) * (Size) sample->room);
	}
	old = MemoryContextSwitchTo(sample->row_context);
	sample->counts[sample->n++] =
		sample->type->view(PointerGetDatum(PG_DETOAST_DATUM(values[0]))).count;
	MemoryContextSwitchTo(old);
	MemoryContextReset(sample->row_context);
}
