/*-------------------------------------------------------------------------
 *
 * index_count.c
 *	  How many rows of an index have a key, about.
 *
 * GIN keeps with a key its rows, or, where they are many, the root of a tree of
 * them.  So their number is one descent away: exact for few rows, and from the
 * tree's fan-out for many.  Of a range of keys the two ends are looked up, and
 * some pages between them.
 *
 * For estimates: pages are locked one at a time, keys that move meanwhile are
 * missed or counted twice, and rows that are dead, or on the pending list, count
 * or do not.  Each function reads a few dozen pages at most.
 *
 *-------------------------------------------------------------------------
 */
#include "pg_compat.h"

#include "access/gin_private.h"
#include "filter/index_count.h"
#include "miscadmin.h"
#include "storage/bufmgr.h"

/* Trees of rows that are looked into for one range; others are like them */
#define MAX_TREES 12

/* Pages between the ends of a range that are looked at */
#define MAX_SAMPLES 6

/* No tree is deeper, unless it is damaged */
#define MAX_DEPTH 32

struct VdbKeyCounter
{
	Relation	index;
	OffsetNumber column;		/* of the index, from 1 */
	GinState	gin;
};

/* One end of a range, on the way down */
typedef struct Cursor
{
	GinBtreeData tree;
	BlockNumber block;
	OffsetNumber offset;		/* on that page */
	OffsetNumber last;			/* offset of that page */
	BlockNumber child;			/* InvalidBlockNumber: it is a leaf */
	bool		is_found;		/* there, the key itself */
} Cursor;

/* Rows of the keys that have been seen */
typedef struct Sum
{
	double		rows;			/* of keys without a tree */
	double		tree_rows;		/* of the trees that were looked into */
	int			ntrees;
	int			max_trees;		/* to be looked into */
	double		nskipped;		/* trees */
} Sum;

static void init_cursor(VdbKeyCounter *counter, Cursor *cursor, Datum key);
static bool step(VdbKeyCounter *counter, Cursor *cursor);
static double count_between(VdbKeyCounter *counter, const Cursor *begin, const Cursor *end);
static BlockNumber find_child(VdbKeyCounter *counter, BlockNumber block, OffsetNumber offset);
static BlockNumber find_leaf(VdbKeyCounter *counter, BlockNumber block, double *nleaves);
static void count_leaf(VdbKeyCounter *counter, BlockNumber block, OffsetNumber first,
					   OffsetNumber last, Sum *sum);
static double total(const Sum *sum);
static double count_tree(Relation index, BlockNumber root);
static double count_tree_leaf(Page page);
static Buffer read_page(Relation index, BlockNumber block);

/*
 * Counts keys of a column, from 1, of a GIN index, in the current memory
 * context.
 */
VdbKeyCounter *
vdb_key_counter_create(Relation index, AttrNumber column)
{
	VdbKeyCounter *counter = palloc(sizeof(VdbKeyCounter));

	counter->index = index;
	counter->column = (OffsetNumber) column;
	initGinState(&counter->gin, index);
	return counter;
}

/*
 * Rows that have a key.
 */
double
vdb_count_key(VdbKeyCounter *counter, Datum key)
{
	Cursor		cursor;
	Sum			sum = {.max_trees = 1};

	init_cursor(counter, &cursor, key);
	for (int depth = 0; depth < MAX_DEPTH && !step(counter, &cursor); depth++)
		cursor.block = cursor.child;
	if (cursor.is_found)
		count_leaf(counter, cursor.block, cursor.offset, cursor.offset, &sum);
	return total(&sum);
}

/*
 * Rows that have a key from begin up to end, which is outside; such with several
 * of them count several times.
 *
 * Both ends go down together.  Where pages lie between them, some of those are
 * looked at; otherwise both ends reach the same leaf, or neighbours.
 */
double
vdb_count_range(VdbKeyCounter *counter, Datum begin_key, Datum end_key)
{
	Cursor		begin;
	Cursor		end;
	Sum			sum = {.max_trees = MAX_TREES};

	init_cursor(counter, &begin, begin_key);
	init_cursor(counter, &end, end_key);
	for (int depth = 0; depth < MAX_DEPTH; depth++)
	{
		bool		is_leaf = step(counter, &begin);

		if (step(counter, &end) != is_leaf)
			return 0;			/* the root was split meanwhile */
		if (is_leaf)
			break;
		if (begin.block == end.block ? end.offset > begin.offset + 2 :
									   (begin.last - begin.offset) + end.offset > 2)
			return count_between(counter, &begin, &end);
		begin.block = begin.child;
		end.block = end.child;
	}
	if (begin.block == end.block)
		count_leaf(counter, begin.block, begin.offset, OffsetNumberPrev(end.offset), &sum);
	else
	{
		count_leaf(counter, begin.block, begin.offset, begin.last, &sum);
		count_leaf(counter, end.block, FirstOffsetNumber, OffsetNumberPrev(end.offset), &sum);
	}
	return total(&sum);
}

static void
init_cursor(VdbKeyCounter *counter, Cursor *cursor, Datum key)
{
	memset(cursor, 0, sizeof(Cursor));
	ginPrepareEntryScan(&cursor->tree, counter->column, key, GIN_CAT_NORM_KEY, &counter->gin);
	cursor->block = GIN_ROOT_BLKNO;
}

/*
 * Looks for the key on the cursor's page: the child that leads to it or, on a
 * leaf, which returns true, the place of the first key that is not less.
 */
static bool
step(VdbKeyCounter *counter, Cursor *cursor)
{
	Buffer		buffer = read_page(counter->index, cursor->block);
	Page		page = BufferGetPage(buffer);
	GinBtreeStack stack = {0};
	bool		is_leaf = GinPageIsLeaf(page);

	/* it may have been split since its parent was read */
	while (cursor->tree.isMoveRight(&cursor->tree, page))
	{
		CHECK_FOR_INTERRUPTS();
		buffer = ginStepRight(buffer, counter->index, GIN_SHARE);
		page = BufferGetPage(buffer);
		cursor->block = BufferGetBlockNumber(buffer);
	}
	stack.buffer = buffer;
	stack.blkno = cursor->block;
	cursor->child = InvalidBlockNumber;
	if (is_leaf)
		cursor->is_found = cursor->tree.findItem(&cursor->tree, &stack);
	else
		cursor->child = cursor->tree.findChildPage(&cursor->tree, &stack);
	cursor->offset = stack.off;
	cursor->last = PageGetMaxOffsetNumber(page);
	UnlockReleaseBuffer(buffer);
	return is_leaf;
}

/*
 * Rows below the children between two ends on the same inner page, or on
 * neighbours.  Of the children at the ends themselves one half is within.
 */
static double
count_between(VdbKeyCounter *counter, const Cursor *begin, const Cursor *end)
{
	bool		is_one_page = begin->block == end->block;
	int			nfirst = (is_one_page ? end->offset - 1 : begin->last) - begin->offset;
	int			nchildren = nfirst + (is_one_page ? 0 : end->offset - 1);
	int			nsamples = Min(nchildren, MAX_SAMPLES);
	double		rows = 0;

	for (int i = 0; i < nsamples; i++)
	{
		int			n = (2 * i + 1) * nchildren / (2 * nsamples);
		BlockNumber child = n < nfirst ?
			find_child(counter, begin->block, (OffsetNumber) (begin->offset + 1 + n)) :
			find_child(counter, end->block, (OffsetNumber) (FirstOffsetNumber + n - nfirst));
		double		nleaves = 1;
		Sum			sum = {.max_trees = MAX_TREES / MAX_SAMPLES};

		if (child == InvalidBlockNumber)
			continue;
		child = find_leaf(counter, child, &nleaves);
		count_leaf(counter, child, FirstOffsetNumber, MaxOffsetNumber, &sum);
		rows += nleaves * total(&sum);
	}
	return rows / Max(nsamples, 1) * (nchildren + 1);
}

/*
 * A child of an inner page, or InvalidBlockNumber if there is none any more.
 */
static BlockNumber
find_child(VdbKeyCounter *counter, BlockNumber block, OffsetNumber offset)
{
	Buffer		buffer = read_page(counter->index, block);
	Page		page = BufferGetPage(buffer);
	BlockNumber child = InvalidBlockNumber;

	if (!GinPageIsLeaf(page) && offset <= PageGetMaxOffsetNumber(page))
		child = GinGetDownlink((IndexTuple) PageGetItem(page, PageGetItemId(page, offset)));
	UnlockReleaseBuffer(buffer);
	return child;
}

/*
 * A leaf in the middle below a page; *nleaves is multiplied by how many are there.
 */
static BlockNumber
find_leaf(VdbKeyCounter *counter, BlockNumber block, double *nleaves)
{
	for (int depth = 0; depth < MAX_DEPTH; depth++)
	{
		Buffer		buffer = read_page(counter->index, block);
		Page		page = BufferGetPage(buffer);
		OffsetNumber last = PageGetMaxOffsetNumber(page);
		BlockNumber child = InvalidBlockNumber;

		if (!GinPageIsLeaf(page) && last >= FirstOffsetNumber)
		{
			*nleaves *= last;
			child = GinGetDownlink((IndexTuple) PageGetItem(page, PageGetItemId(page, (last + 1) / 2)));
		}
		UnlockReleaseBuffer(buffer);
		if (child == InvalidBlockNumber)
			break;
		block = child;
	}
	return block;
}

/*
 * Adds the rows of the entries from first to last of a leaf, as far as there are
 * such.  Trees are looked into when the leaf is unlocked, as GIN's order of locks
 * has it.
 */
static void
count_leaf(VdbKeyCounter *counter, BlockNumber block, OffsetNumber first, OffsetNumber last,
		   Sum *sum)
{
	BlockNumber trees[MAX_TREES];
	int			ntrees = 0;
	Buffer		buffer = read_page(counter->index, block);
	Page		page = BufferGetPage(buffer);

	last = GinPageIsLeaf(page) ? Min(last, PageGetMaxOffsetNumber(page)) : InvalidOffsetNumber;
	for (OffsetNumber offset = first; offset <= last; offset = OffsetNumberNext(offset))
	{
		IndexTuple	entry = (IndexTuple) PageGetItem(page, PageGetItemId(page, offset));

		if (!GinIsPostingTree(entry))
			sum->rows += GinGetNPosting(entry);
		else if (sum->ntrees + ntrees < sum->max_trees)
			trees[ntrees++] = GinGetPostingTree(entry);
		else
			sum->nskipped++;
	}
	UnlockReleaseBuffer(buffer);

	for (int i = 0; i < ntrees; i++)
		sum->tree_rows += count_tree(counter->index, trees[i]);
	sum->ntrees += ntrees;
}

/*
 * Trees that were not looked into are as large as the others.
 */
static double
total(const Sum *sum)
{
	double		skipped = sum->ntrees > 0 ? sum->nskipped * sum->tree_rows / sum->ntrees : 0;

	return sum->rows + sum->tree_rows + skipped;
}

/*
 * Rows in a tree: those of one leaf, as many times as there are leaves.
 */
static double
count_tree(Relation index, BlockNumber root)
{
	BlockNumber block = root;
	double		nleaves = 1;

	for (int depth = 0; depth < MAX_DEPTH; depth++)
	{
		Buffer		buffer = read_page(index, block);
		Page		page = BufferGetPage(buffer);
		OffsetNumber last = GinPageGetOpaque(page)->maxoff;
		double		rows = -1;

		if (!GinPageIsData(page))
			rows = 0;			/* it has been used for something else */
		else if (GinPageIsLeaf(page))
			rows = count_tree_leaf(page);
		else if (last >= FirstOffsetNumber)
		{
			nleaves *= last;
			block = PostingItemGetBlockNumber(GinDataPageGetPostingItem(page, (last + 1) / 2));
		}
		else
			rows = 0;
		UnlockReleaseBuffer(buffer);
		if (rows >= 0)
			return nleaves * rows;
	}
	return 0;
}

/*
 * Rows on a leaf, the first of its lists being like the others.
 */
static double
count_tree_leaf(Page page)
{
	GinPostingList *list = GinDataLeafPageGetPostingList(page);
	Size		size = GinDataLeafPageGetPostingListSize(page);
	int			nitems;

	if (!GinPageIsCompressed(page))
		return GinPageGetOpaque(page)->maxoff;
	if (GinDataLeafPageIsEmpty(page))
		return 0;
	pfree(ginPostingListDecode(list, &nitems));
	return (double) nitems * size / SizeOfGinPostingList(list);
}

static Buffer
read_page(Relation index, BlockNumber block)
{
	Buffer		buffer;

	CHECK_FOR_INTERRUPTS();
	buffer = ReadBuffer(index, block);
	LockBuffer(buffer, GIN_SHARE);
	return buffer;
}
