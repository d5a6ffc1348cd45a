/*-------------------------------------------------------------------------
 *
 * check_posting.c
 *	  Verification, P6 and P8: the heap TIDs of nodes and their segments.
 *
 * A chain of segments is read with one lock at a time.  Where it breaks off,
 * node and chain are read again, since vacuum may have freed a segment.
 *
 *-------------------------------------------------------------------------
 */
#include "pg_compat.h"

#include "hnsw/check.h"
#include "lib/qunique.h"
#include "miscadmin.h"

/* Readings of a chain that must all have failed alike */
#define TRIES 5

static const char not_its_own[] = "belongs to another node or to none";

/* Why a chain could not be read to its end */
typedef struct ChainFault
{
	const char *what;			/* NULL: it could */
	bool		is_other;		/* the segment at is not the node's */
	HnswRef		at;
} ChainFault;

static bool was_freeing(const HnswCheckNode *node, ChainFault fault);
static ChainFault read_tids(HnswCheck *check, const HnswCheckNode *node, bool do_mark);
static const char *read_segment(HnswCheck *check, HnswRef at, HnswRef owner, HnswRef *next);
static void add_tids(HnswCheck *check, const ItemPointerData *tids, int n);
static void mark_segment(HnswCheck *check, HnswRef at);
static void check_segments(HnswCheck *check, BlockNumber block);
static bool is_in_chain(HnswCheck *check, HnswRef owner, HnswRef segment);
static void check_room(HnswCheck *check);

void
vdb_hnsw_check_begin_postings(HnswCheck *check)
{
	check->segment_blocks = check->nblocks;
	check->segments = (uint32 *) palloc_extended(check->nblocks * sizeof(uint32),
												 MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	check->tids_capacity = 1024;
	check->tids = vdb_palloc_array(ItemPointerData, check->tids_capacity);
}

/*
 * Checks the heap TIDs of a node of level 0, and passes them on to be
 * compared with all others.  Uses check->other and check->page.
 */
void
vdb_hnsw_check_tids(HnswCheck *check, const HnswCheckNode *node)
{
	const HnswCheckNode *now = node;
	ChainFault	fault = read_tids(check, now, true);

	for (int i = 1; fault.what != NULL && i < TRIES; i++)
	{
		now = &check->other;
		if (vdb_hnsw_check_read(check, node->number, &check->other) != HNSW_FOUND_NODE ||
			now->node.version != node->node.version)
			return;				/* freed meanwhile */
		fault = read_tids(check, now, true);
	}
	if (fault.what != NULL && was_freeing(now, fault))
		fault.what = NULL;
	if (fault.what != NULL)
		vdb_hnsw_check_report_node(check, node->number, "segment %u of block %u %s",
								   fault.at.extra, vdb_hnsw_ref_number(fault.at), fault.what);
	else if (now->node.state == HNSW_DYING && check->ntids > 0)
		vdb_hnsw_check_report_node(check, node->number, "dying node has heap TIDs in segments");
	check->counts.tids += (int64) check->ntids;
	for (Size i = 0; i < check->ntids; i++)
	{
		ItemPointer tid = &check->tids[i];

		if (!ItemPointerIsValid(tid) ||
			ItemPointerGetOffsetNumberNoCheck(tid) > MaxOffsetNumber ||
			ItemPointerGetBlockNumberNoCheck(tid) > MaxBlockNumber)
			vdb_hnsw_check_report_node(check, node->number, "heap TID (%u,%u) is invalid",
									   ItemPointerGetBlockNumberNoCheck(tid),
									   ItemPointerGetOffsetNumberNoCheck(tid));
	}
	vdb_hnsw_check_put_tids(check, node);
}

/*
 * Vacuum frees the segments of a dying node before the node: after a crash
 * in between it still leads to its first one.
 */
static bool
was_freeing(const HnswCheckNode *node, ChainFault fault)
{
	return node->node.state == HNSW_DYING && fault.is_other &&
		vdb_hnsw_ref_equals(fault.at, node->node.next);
}

static int
compare_tids(const void *a, const void *b)
{
	return ItemPointerCompare((ItemPointer) a, (ItemPointer) b);
}

/*
 * Sets check->tids to the heap TIDs of a node as it was copied.
 */
static ChainFault
read_tids(HnswCheck *check, const HnswCheckNode *node, bool do_mark)
{
	HnswRef		owner = vdb_hnsw_make_ref(node->number, node->node.version);
	HnswRef		at = node->node.next;
	HnswRef		seen = vdb_hnsw_no_ref();
	ChainFault	fault = {NULL, false, at};

	check->ntids = 0;
	add_tids(check, node->node.tids, node->node.ntids);
	for (uint64 hops = 1; vdb_hnsw_ref_is_valid(at); hops++)
	{
		CHECK_FOR_INTERRUPTS();
		fault.at = at;
		fault.what = read_segment(check, at, owner, &at);
		if (fault.what != NULL)
		{
			fault.is_other = fault.what == not_its_own;
			break;
		}
		if (do_mark)
			mark_segment(check, fault.at);
		/* Brent's: keep a position, twice as long each time */
		if (vdb_hnsw_ref_is_valid(at) && memcmp(&at, &seen, sizeof(at)) == 0)
		{
			/* some of it was read again and again */
			qsort(check->tids, check->ntids, sizeof(ItemPointerData), compare_tids);
			check->ntids = qunique(check->tids, check->ntids, sizeof(ItemPointerData),
								   compare_tids);
			fault.what = "is in a chain that has no end";
			break;
		}
		if ((hops & (hops - 1)) == 0)
			seen = fault.at;
	}
	return fault;
}

/*
 * Adds the heap TIDs of a segment; returns what is wrong with it, or NULL.
 */
static const char *
read_segment(HnswCheck *check, HnswRef at, HnswRef owner, HnswRef *next)
{
	HnswSegment segment;

	if (at.extra >= HNSW_SEGMENTS_PER_PAGE)
		return "is not one of a page";
	if (!vdb_hnsw_check_copy_page(check, vdb_hnsw_ref_number(at), HNSW_PAGE_POSTINGS))
		return "is not on a page of postings";
	memcpy(&segment, vdb_hnsw_segment((Page) check->page.data, at.extra), sizeof(segment));
	if (memcmp(&segment.owner, &owner, sizeof(owner)) != 0)
		return not_its_own;
	if (segment.ntids > HNSW_SEGMENT_TIDS)
		return "has more heap TIDs than room for them";
	add_tids(check, segment.tids, segment.ntids);
	*next = segment.next;
	return NULL;
}

static void
add_tids(HnswCheck *check, const ItemPointerData *tids, int n)
{
	if (check->ntids + (Size) n > check->tids_capacity)
	{
		check->tids_capacity *= 2;
		check->tids = (ItemPointerData *)
			repalloc_huge(check->tids, check->tids_capacity * sizeof(ItemPointerData));
	}
	memcpy(check->tids + check->ntids, tids, (Size) n * sizeof(ItemPointerData));
	check->ntids += (Size) n;
}

/*
 * Notes that a segment is in the chain of a node.
 */
static void
mark_segment(HnswCheck *check, HnswRef at)
{
	if (vdb_hnsw_ref_number(at) < check->segment_blocks && at.extra < HNSW_SEGMENTS_PER_PAGE)
		check->segments[vdb_hnsw_ref_number(at)] |= (uint32) 1 << at.extra;
}

/*
 * After all nodes: checks that every segment that has an owner is in its
 * chain, and the list of pages with room.
 */
void
vdb_hnsw_check_postings(HnswCheck *check)
{
	for (BlockNumber block = 0; block < check->segment_blocks; block++)
	{
		CHECK_FOR_INTERRUPTS();
		if (check->kinds[block] == HNSW_PAGE_POSTINGS)
			check_segments(check, block);
	}
	check_room(check);
}

static void
check_segments(HnswCheck *check, BlockNumber block)
{
	HnswRef		owners[HNSW_SEGMENTS_PER_PAGE];

	if (!vdb_hnsw_check_copy_page(check, block, HNSW_PAGE_POSTINGS))
		return;					/* damaged since it was reported */
	for (int i = 0; i < HNSW_SEGMENTS_PER_PAGE; i++)
		owners[i] = vdb_hnsw_segment((Page) check->page.data, i)->owner;
	for (int i = 0; i < HNSW_SEGMENTS_PER_PAGE; i++)
	{
		if (vdb_hnsw_ref_is_valid(owners[i]) &&
			(check->segments[block] & (uint32) 1 << i) == 0 &&
			!is_in_chain(check, owners[i], vdb_hnsw_make_ref(block, (uint16) i)))
			vdb_hnsw_check_report(check, block, vdb_hnsw_ref_number(owners[i]),
								  "segment %d is not in the chain of its owner", i);
	}
}

/*
 * Looks for a segment in its owner's chain as it is now: true if it is there,
 * or the segment has another owner by now.  Not marked before, it is either
 * new or lost.
 */
static bool
is_in_chain(HnswCheck *check, HnswRef owner, HnswRef segment)
{
	HnswCheckNode *node = &check->other;
	HnswRef		at;
	HnswRef		now;

	if (vdb_hnsw_check_read(check, vdb_hnsw_ref_number(owner), node) == HNSW_FOUND_NODE &&
		node->node.level == 0 && vdb_hnsw_ref_version(owner) == node->node.version)
	{
		/* a new one is at the head; marks what it passes */
		(void) read_tids(check, node, true);
		if (check->segments[vdb_hnsw_ref_number(segment)] & (uint32) 1 << segment.extra)
			return true;
	}
	at = segment;
	if (!vdb_hnsw_check_copy_page(check, vdb_hnsw_ref_number(at), HNSW_PAGE_POSTINGS))
		return false;
	now = vdb_hnsw_segment((Page) check->page.data, at.extra)->owner;
	return memcmp(&now, &owner, sizeof(now)) != 0;
}

/*
 * Checks that the list of posting pages with room has posting pages only, and
 * an end.  It changes meanwhile, so a circle is told by its length.
 */
static void
check_room(HnswCheck *check)
{
	BlockNumber block;
	uint32		length = 0;

	if (!vdb_hnsw_check_copy_page(check, HNSW_META_BLOCK, HNSW_PAGE_META))
		return;
	block = vdb_hnsw_meta((Page) check->page.data)->postings;
	while (block != InvalidBlockNumber)
	{
		CHECK_FOR_INTERRUPTS();
		if (!vdb_hnsw_check_copy_page(check, block, HNSW_PAGE_POSTINGS))
		{
			vdb_hnsw_check_report(check, block, HNSW_INVALID_NUMBER,
								  "block in the list of posting pages with room is none");
			return;
		}
		if (length++ > check->index->nblocks)
		{
			vdb_hnsw_check_report(check, block, HNSW_INVALID_NUMBER,
								  "list of posting pages with room has no end");
			return;
		}
		block = vdb_hnsw_opaque((Page) check->page.data)->next;
	}
}

/*
 * How often the node at a number has a heap TID now.
 */
int
vdb_hnsw_check_count_tid(HnswCheck *check, uint32 number, ItemPointer tid)
{
	int			count = 0;

	for (int i = 0; i < TRIES; i++)
	{
		if (vdb_hnsw_check_read(check, number, &check->other) != HNSW_FOUND_NODE ||
			check->other.node.level > 0)
			return 0;
		if (read_tids(check, &check->other, false).what == NULL)
			break;
	}
	for (Size i = 0; i < check->ntids; i++)
	{
		/* ItemPointerEquals() asserts that there is no damage */
		if (ItemPointerCompare(&check->tids[i], tid) == 0)
			count++;
	}
	return count;
}
