/*-------------------------------------------------------------------------
 *
 * read_ahead.c
 *	  Brings near what a bitmap scan will read: from disk, and from memory.
 *
 * A row by bitmap is a page that nobody has looked at lately: the buffer table,
 * the page's header, the row's and its vector each wait for memory in turn,
 * a microsecond in all.  So some pages ahead of the one being read each page is
 * looked up, which asks the disk for it if it is not there, and nearer by it is
 * pinned and its rows asked of the memory, while other rows are computed.
 *
 * These are hints, and may come to nothing: a page's contents are read without
 * its lock, so nothing that they say is believed beyond an address within the
 * page.
 *
 * 18's tables go through bitmaps themselves.
 *
 *-------------------------------------------------------------------------
 */
#include "pg_compat.h"

#include "planner/node.h"
#include "storage/bufmgr.h"
#include "utils/spccache.h"

#ifndef VDB_TABLE_ITERATES_BITMAP

/* Pages between the one being read and that which is looked up; a power of 2 */
#define LOOK_UP 8
/* and that which is pinned */
#define PIN 4

/* Rows of a page, and lines of the cache of each, that are asked for */
#define MAX_ROWS 4
#define MAX_LINES 24

typedef struct AheadPage
{
	BlockNumber block;
	Buffer		buffer;			/* where it was last; or InvalidBuffer */
	bool		is_pinned;
	int			noffsets;
	OffsetNumber offsets[MAX_ROWS];
} AheadPage;

struct VdbReadAhead
{
	Relation	table;
	TBMIterator *iterator;		/* NULL: at its end */
	AheadPage	pages[LOOK_UP]; /* a ring: [passed, looked_up) */
	uint64		passed;
	uint64		looked_up;
	uint64		pinned;			/* or not found when it was its turn */
	uint64		target;			/* pages ahead: at the start few will do */
};

static TBMIterateResult *next_page(VdbReadAhead *ahead);
static void look_up(VdbReadAhead *ahead);
static void pin(const VdbReadAhead *ahead, AheadPage *page);
static void bring_rows(const AheadPage *page);
static void unpin(AheadPage *page);

/*
 * Begins ahead of whoever reads a table by a bitmap; NULL where the tablespace's
 * effective_io_concurrency says that nothing is to be prefetched.
 */
VdbReadAhead *
vdb_ahead_begin(Relation table, TIDBitmap *bitmap)
{
	VdbReadAhead *ahead;

	if (get_tablespace_io_concurrency(table->rd_rel->reltablespace) == 0)
		return NULL;
	ahead = (VdbReadAhead *) palloc0(sizeof(VdbReadAhead));
	ahead->table = table;
	ahead->iterator = tbm_begin_iterate(bitmap);
	return ahead;
}

/*
 * The reader comes to its next page.
 */
void
vdb_ahead_pass(VdbReadAhead *ahead)
{
	if (ahead->passed == ahead->looked_up)
	{
		(void) next_page(ahead); /* the reader's first */
		return;
	}
	unpin(&ahead->pages[ahead->passed++ % LOOK_UP]);
	ahead->pinned = Max(ahead->pinned, ahead->passed);
}

/*
 * Goes on to the pages that come next.
 */
void
vdb_ahead_go_on(VdbReadAhead *ahead)
{
	ahead->target = Min(2 * ahead->target + 1, LOOK_UP);
	while (ahead->iterator != NULL && ahead->looked_up - ahead->passed < ahead->target)
		look_up(ahead);
	while (ahead->pinned < ahead->looked_up && ahead->pinned - ahead->passed < PIN)
		pin(ahead, &ahead->pages[ahead->pinned++ % LOOK_UP]);
}

void
vdb_ahead_end(VdbReadAhead *ahead)
{
	for (; ahead->passed < ahead->looked_up; ahead->passed++)
		unpin(&ahead->pages[ahead->passed % LOOK_UP]);
	if (ahead->iterator != NULL)
		tbm_end_iterate(ahead->iterator);
	pfree(ahead);
}

/*
 * The next page of the bitmap, or NULL.
 */
static TBMIterateResult *
next_page(VdbReadAhead *ahead)
{
	TBMIterateResult *next = NULL;

	if (ahead->iterator != NULL)
		next = tbm_iterate(ahead->iterator);
	if (next == NULL && ahead->iterator != NULL)
	{
		tbm_end_iterate(ahead->iterator);
		ahead->iterator = NULL;
	}
	return next;
}

/*
 * Asks the buffer table, or the disk, for the next page.
 */
static void
look_up(VdbReadAhead *ahead)
{
	TBMIterateResult *next = next_page(ahead);
	AheadPage  *page = &ahead->pages[ahead->looked_up % LOOK_UP];

	if (next == NULL)
		return;
	ahead->looked_up++;
	page->block = next->blockno;
	page->is_pinned = false;
	page->noffsets = Max(Min(next->ntuples, MAX_ROWS), 0);
	memcpy(page->offsets, next->offsets, sizeof(OffsetNumber) * page->noffsets);
	page->buffer = PrefetchBuffer(ahead->table, MAIN_FORKNUM, page->block).recent_buffer;
	if (BufferIsValid(page->buffer) && !BufferIsLocal(page->buffer))
		vdb_prefetch_line(BufferGetBlock(page->buffer));
	else
		page->buffer = InvalidBuffer;
}

/*
 * Pins a page, if it still is where it was, and brings its rows.
 */
static void
pin(const VdbReadAhead *ahead, AheadPage *page)
{
	if (!BufferIsValid(page->buffer) || page->noffsets == 0 ||
		!ReadRecentBuffer(vdb_file_locator(ahead->table), MAIN_FORKNUM, page->block, page->buffer))
		return;
	page->is_pinned = true;
	bring_rows(page);
}

static void
bring_rows(const AheadPage *page)
{
	const char *contents = (const char *) BufferGetBlock(page->buffer);
	const ItemIdData *items = ((PageHeader) contents)->pd_linp;

	for (int i = 0; i < page->noffsets; i++)
	{
		ItemIdData	item = items[page->offsets[i] - 1];
		Size		begin = ItemIdGetOffset(&item);
		Size		end = Min(begin + ItemIdGetLength(&item), BLCKSZ);

		if (!ItemIdIsNormal(&item))
			continue;
		end = Min(end, begin + MAX_LINES * VDB_CACHE_LINE);
		for (Size at = begin; at < end; at += VDB_CACHE_LINE)
			vdb_prefetch_line(contents + at);
	}
}

static void
unpin(AheadPage *page)
{
	if (page->is_pinned)
		ReleaseBuffer(page->buffer);
	page->is_pinned = false;
}

#endif							/* VDB_TABLE_ITERATES_BITMAP */
