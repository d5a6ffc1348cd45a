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

/* Trees of the keys of a leaf that are looked into */
#define MAX_TREES 8

/* Pages below a tree's root that are looked at */
#define MAX_CHILDREN 3

/* Children of an inner page that are looked at */
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

static void init_cursor(VdbKeyCounter *counter, Cursor *cursor, Datum key);
static bool step(VdbKeyCounter *counter, Cursor *cursor);
static double count_side(VdbKeyCounter *counter, Cursor *cursor, bool is_behind);
static double count_children(VdbKeyCounter *counter, BlockNumber block, int first, int last);
static BlockNumber find_child(VdbKeyCounter *counter, BlockNumber block, OffsetNumber offset);
static BlockNumber find_leaf(VdbKeyCounter *counter, BlockNumber block, double *nleaves);
static double count_entries(VdbKeyCounter *counter, BlockNumber block, OffsetNumber first,
							OffsetNumber last);
static double count_tree(Relation index, BlockNumber root);
static double count_below(Relation index, BlockNumber block);
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

	init_cursor(counter, &cursor, key);
	for (int depth = 0; depth < MAX_DEPTH && !step(counter, &cursor); depth++)
		cursor.block = cursor.child;
	if (!cursor.is_found)
		return 0;
	return count_entries(counter, cursor.block, cursor.offset, cursor.offset);
}

/*
 * Rows that have a key from begin up to end, which is outside; such with several
 * of them count several times.
 *
 * Both ends go down together as far as they have the same pages.  Where they
 * part, what lies between is counted, and what lies on the inner side of each
 * below.
 */
double
vdb_count_range(VdbKeyCounter *counter, Datum begin_key, Datum end_key)
{
	Cursor		begin;
	Cursor		end;

	init_cursor(counter, &begin, begin_key);
	init_cursor(counter, &end, end_key);
	for (int depth = 0; depth < MAX_DEPTH; depth++)
	{
		bool		is_leaf = step(counter, &begin);

		end.block = begin.block;
		if (step(counter, &end) != is_leaf)
			return 0;			/* the root was split meanwhile */
		if (is_leaf && begin.block == end.block)
			return count_entries(counter, begin.block, begin.offset, OffsetNumberPrev(end.offset));
		if (is_leaf)
			return count_entries(counter, begin.block, begin.offset, begin.last) +
				count_entries(counter, end.block, FirstOffsetNumber, OffsetNumberPrev(end.offset));
		if (begin.child != end.child)
			return count_children(counter, begin.block, begin.offset + 1, end.offset - 1) +
				count_side(counter, &begin, true) + count_side(counter, &end, false);
		begin.block = begin.child;
	}
	return 0;
}

/*
 * Rows below a cursor's child that have a key behind the cursor's, itself
 * included, or one before it.
 */
static double
count_side(VdbKeyCounter *counter, Cursor *cursor, bool is_behind)
{
	double		rows = 0;

	for (int depth = 0; depth < MAX_DEPTH; depth++)
	{
		bool		is_leaf;

		cursor->block = cursor->child;
		is_leaf = step(counter, cursor);
		if (is_leaf)
			return rows + (is_behind ? count_entries(counter, cursor->block, cursor->offset, cursor->last) : count_entries(counter, cursor->block, FirstOffsetNumber, OffsetNumberPrev(cursor->offset)));
		rows += is_behind ?
			count_children(counter, cursor->block, cursor->offset + 1, cursor->last) :
			count_children(counter, cursor->block, FirstOffsetNumber, cursor->offset - 1);
	}
	return rows;
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
 * Rows below the children from first to last of an inner page: of a leaf below
 * some of them, as many times as there are leaves.
 */
static double
count_children(VdbKeyCounter *counter, BlockNumber block, int first, int last)
{
	int			nchildren = Max(last - first + 1, 0);
	int			nsamples = Min(nchildren, MAX_SAMPLES);
	double		rows = 0;

	for (int i = 0; i < nsamples; i++)
	{
		int			n = first + (2 * i + 1) * nchildren / (2 * nsamples);
		BlockNumber child = find_child(counter, block, (OffsetNumber) n);
		double		nleaves = 1;

		if (child == InvalidBlockNumber)
			continue;
		child = find_leaf(counter, child, &nleaves);
		rows += nleaves * count_entries(counter, child, FirstOffsetNumber, MaxOffsetNumber);
	}
	return rows * nchildren / Max(nsamples, 1);
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
 * Rows of the entries from first to last of a leaf, as far as there are such.
 * Some trees are looked into, the others are as large, when the leaf is
 * unlocked, as GIN's order of locks has it.
 */
static double
count_entries(VdbKeyCounter *counter, BlockNumber block, OffsetNumber first, OffsetNumber last)
{
	BlockNumber trees[MAX_TREES];
	int			ntrees = 0;
	double		rows = 0;
	double		tree_rows = 0;
	Buffer		buffer = read_page(counter->index, block);
	Page		page = BufferGetPage(buffer);

	last = GinPageIsLeaf(page) ? Min(last, PageGetMaxOffsetNumber(page)) : InvalidOffsetNumber;
	for (OffsetNumber offset = first; offset <= last; offset = OffsetNumberNext(offset))
	{
		IndexTuple	entry = (IndexTuple) PageGetItem(page, PageGetItemId(page, offset));

		if (!GinIsPostingTree(entry))
			rows += GinGetNPosting(entry);
		else if (ntrees++ < MAX_TREES)
			trees[ntrees - 1] = GinGetPostingTree(entry);
	}
	UnlockReleaseBuffer(buffer);

	for (int i = 0; i < Min(ntrees, MAX_TREES); i++)
		tree_rows += count_tree(counter->index, trees[i]);
	return rows + tree_rows * ntrees / Max(Min(ntrees, MAX_TREES), 1);
}

/*
 * Rows in a tree: those of some of the root's children, as many times as there
 * are children.
 */
static double
count_tree(Relation index, BlockNumber root)
{
	BlockNumber children[MAX_CHILDREN];
	int			nchildren = 0;
	double		rows = 0;
	Buffer		buffer = read_page(index, root);
	Page		page = BufferGetPage(buffer);
	OffsetNumber last = GinPageGetOpaque(page)->maxoff;

	if (!GinPageIsData(page))
		last = 0;				/* it has been used for something else */
	else if (GinPageIsLeaf(page))
	{
		rows = count_tree_leaf(page);
		last = 0;
	}
	nchildren = Min(last, MAX_CHILDREN);
	for (int i = 0; i < nchildren; i++)
	{
		OffsetNumber offset = (OffsetNumber) (FirstOffsetNumber + (2 * i + 1) * last / (2 * nchildren));

		children[i] = PostingItemGetBlockNumber(GinDataPageGetPostingItem(page, offset));
	}
	UnlockReleaseBuffer(buffer);
	for (int i = 0; i < nchildren; i++)
		rows += count_below(index, children[i]) * last / nchildren;
	return rows;
}

/*
 * Rows below a page of a tree: those of one leaf, as many times as there are
 * leaves.
 */
static double
count_below(Relation index, BlockNumber block)
{
	double		nleaves = 1;

	for (int depth = 0; depth < MAX_DEPTH; depth++)
	{
		Buffer		buffer = read_page(index, block);
		Page		page = BufferGetPage(buffer);
		OffsetNumber last = GinPageGetOpaque(page)->maxoff;
		double		rows = 0;
		bool		is_inner = GinPageIsData(page) && !GinPageIsLeaf(page) && last >= FirstOffsetNumber;

		if (is_inner)
		{
			nleaves *= last;
			block = PostingItemGetBlockNumber(GinDataPageGetPostingItem(page, (last + 1) / 2));
		}
		else if (GinPageIsData(page) && GinPageIsLeaf(page))
			rows = count_tree_leaf(page);
		UnlockReleaseBuffer(buffer);
		if (!is_inner)
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
