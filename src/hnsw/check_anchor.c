/*-------------------------------------------------------------------------
 *
 * check_anchor.c
 *	  Verification, P4: along anchors every LIVE node of level 0 can be reached
 *	  from the root.
 *
 * Anchors move while pages are read one after the other, so that an anchor may
 * be on none of the pages when they are.  So the anchors of several rounds
 * are put together, and a node counts as lost only if it could be reached in
 * none of ROUNDS of them.  Some 9 bytes of memory a node.
 *
 *-------------------------------------------------------------------------
 */
#include "pg_compat.h"

#include "hnsw/check.h"
#include "miscadmin.h"

/* Readings of all pages in which a node must have been out of reach */
#define ROUNDS 3

/* Beside the state in a fact */
#define REACHED 0x10
#define LOST 0x20
#define ON_PATH 0x40
#define SHOWN 0x80
#define FLAGS (REACHED | LOST | ON_PATH | SHOWN)

static void resolve_all(HnswCheck *check);
static void resolve(HnswCheck *check, uint32 number);
static bool use_more_anchors(HnswCheck *check);
static void mark_root(HnswCheck *check, HnswRef root);
static bool is_in_use(const HnswCheck *check, uint32 number);
static bool is_wanted(const HnswCheck *check, uint32 number);
static void report_top(HnswCheck *check, uint32 number);

static Size
count_numbers(const HnswCheck *check)
{
	return (Size) check->nblocks * (Size) check->index->nodes_per_page;
}

/*
 * Makes room for numbers nodes, where there was room for the first before.
 */
void
vdb_hnsw_check_grow_anchors(HnswCheck *check, Size before, Size numbers)
{
	if (check->parents == NULL)
	{
		check->parents = (uint32 *) palloc_extended(numbers * sizeof(uint32), MCXT_ALLOC_HUGE);
		check->strikes = (uint8 *) palloc_extended(numbers, MCXT_ALLOC_HUGE);
	}
	else
	{
		check->parents = (uint32 *) repalloc_huge(check->parents, numbers * sizeof(uint32));
		check->strikes = (uint8 *) repalloc_huge(check->strikes, numbers);
	}
	/* HNSW_INVALID_NUMBER has all bits set */
	memset(check->parents + before, 0xFF, (numbers - before) * sizeof(uint32));
	memset(check->strikes + before, 0, numbers - before);
}

/*
 * Notes an anchor.  A node's first one is its parent; further ones, which it
 * has while anchors are moved, go to a list.
 */
void
vdb_hnsw_check_add_anchor(HnswCheck *check, uint32 parent, uint32 child)
{
	if (child >= count_numbers(check) || child == parent || check->parents[child] == parent)
		return;
	if (check->parents[child] == HNSW_INVALID_NUMBER)
	{
		check->parents[child] = parent;
		return;
	}
	if (check->more_anchors == NULL)
	{
		check->more_capacity = 1024;
		check->more_anchors = vdb_palloc_array(HnswAnchor, check->more_capacity);
	}
	else if (check->nmore_anchors == check->more_capacity)
	{
		check->more_capacity *= 2;
		check->more_anchors = (HnswAnchor *)
			repalloc_huge(check->more_anchors, check->more_capacity * sizeof(HnswAnchor));
	}
	check->more_anchors[check->nmore_anchors].parent = parent;
	check->more_anchors[check->nmore_anchors].child = child;
	check->nmore_anchors++;
}

/*
 * Finds what can be reached by the anchors of all pages read so far.  Returns
 * how many nodes cannot and may be lost: to be called again after another
 * round, until none is left or it returns 0 after ROUNDS of them, when those
 * that are lost can be reported.
 */
Size
vdb_hnsw_check_reach(HnswCheck *check)
{
	Size		numbers = count_numbers(check);
	HnswMeta	meta;
	Size		suspects = 0;

	for (Size i = 0; i < numbers; i++)
		check->facts[i].state &= (uint8) ~FLAGS;
	/* the root may change meanwhile; whichever it was, it was reachable */
	mark_root(check, check->meta.root);
	if (vdb_hnsw_check_copy_page(check, HNSW_META_BLOCK, HNSW_PAGE_META))
	{
		memcpy(&meta, vdb_hnsw_meta((Page) check->page.data), sizeof(meta));
		mark_root(check, meta.root);
	}

	do
	{
		resolve_all(check);
	} while (use_more_anchors(check));

	for (Size i = 0; i < numbers; i++)
	{
		if (!is_wanted(check, (uint32) i) || (check->facts[i].state & REACHED))
			check->strikes[i] = 0;
		else if (++check->strikes[i] == check->round)
			suspects++;			/* in every round so far */
	}
	return check->round < ROUNDS ? suspects : 0;
}

static void
mark_root(HnswCheck *check, HnswRef root)
{
	if (vdb_hnsw_ref_number(root) < count_numbers(check))
		check->facts[vdb_hnsw_ref_number(root)].state |= REACHED;
}

/* Can the node be on the way from the root to others? */
static bool
is_in_use(const HnswCheck *check, uint32 number)
{
	return (check->facts[number].state & HNSW_FACT_STATE) != HNSW_FREE &&
		check->facts[number].level == 0;
}

/*
 * Must it be reached?  No anchor leads to a DYING one any more once vacuum has
 * led the anchors around it, and a vacuum that was interrupted leaves it so.
 */
static bool
is_wanted(const HnswCheck *check, uint32 number)
{
	return (check->facts[number].state & HNSW_FACT_STATE) == HNSW_LIVE &&
		check->facts[number].level == 0;
}

static void
resolve_all(HnswCheck *check)
{
	Size		numbers = count_numbers(check);

	for (Size i = 0; i < numbers; i++)
	{
		if (i % 65536 == 0)
			CHECK_FOR_INTERRUPTS();
		if (is_in_use(check, (uint32) i))
			resolve(check, (uint32) i);
	}
}

/*
 * Follows first anchors from a node up, until a node whose fate is known; all
 * on the way share it.  A circle leads nowhere.
 */
static void
resolve(HnswCheck *check, uint32 number)
{
	uint32		at = number;
	uint8		fate;

	while (at != HNSW_INVALID_NUMBER &&
		   (check->facts[at].state & (REACHED | LOST | ON_PATH)) == 0)
	{
		check->facts[at].state |= ON_PATH;
		at = check->parents[at];
	}
	fate = at != HNSW_INVALID_NUMBER && (check->facts[at].state & REACHED) ? REACHED : LOST;

	for (at = number;
		 at != HNSW_INVALID_NUMBER && (check->facts[at].state & ON_PATH);
		 at = check->parents[at])
		check->facts[at].state = (uint8) ((check->facts[at].state & ~ON_PATH) | fate);
}

/*
 * Makes further anchors the first ones of nodes that are lost, where they come
 * from one that is reached.  True if there was any: then what is lost is to be
 * found anew.
 */
static bool
use_more_anchors(HnswCheck *check)
{
	Size		numbers = count_numbers(check);
	bool		found = false;

	for (Size i = 0; i < check->nmore_anchors; i++)
	{
		HnswAnchor	anchor = check->more_anchors[i];

		if ((check->facts[anchor.parent].state & REACHED) &&
			(check->facts[anchor.child].state & LOST))
		{
			check->parents[anchor.child] = anchor.parent;
			check->facts[anchor.child].state |= REACHED;
			check->facts[anchor.child].state &= (uint8) ~LOST;
			found = true;
		}
	}
	for (Size i = 0; i < numbers && found; i++)
		check->facts[i].state &= (uint8) ~LOST;
	return found;
}

/*
 * Reports where the way from the root to the nodes that were lost in all
 * rounds breaks off, and how many they are.
 */
void
vdb_hnsw_check_report_unreached(HnswCheck *check)
{
	Size		numbers = count_numbers(check);
	Size		lost = 0;

	for (Size i = 0; i < numbers; i++)
	{
		if (i % 65536 == 0)
			CHECK_FOR_INTERRUPTS();
		if (check->strikes[i] < ROUNDS)
			continue;
		lost++;
		report_top(check, (uint32) i);
	}
	if (lost > 0)
		vdb_hnsw_check_report(check, InvalidBlockNumber, HNSW_INVALID_NUMBER,
							  "%zu nodes cannot be reached from the root along anchors", lost);
}

/*
 * Reports what is above a lost node, unless it was already.
 */
static void
report_top(HnswCheck *check, uint32 number)
{
	uint32		at = number;
	uint32		above = check->parents[number];

	while (above != HNSW_INVALID_NUMBER && (check->facts[at].state & (ON_PATH | SHOWN)) == 0)
	{
		check->facts[at].state |= ON_PATH;
		at = above;
		above = check->parents[at];
	}
	if ((check->facts[at].state & SHOWN) == 0)
	{
		if (above == HNSW_INVALID_NUMBER)
			vdb_hnsw_check_report_node(check, at, "node has no anchor");
		else
			vdb_hnsw_check_report_node(check, at, "node is anchored by nodes that it anchors itself");
	}
	check->facts[at].state |= SHOWN;
	for (at = number;
		 at != HNSW_INVALID_NUMBER && (check->facts[at].state & ON_PATH);
		 at = check->parents[at])
		check->facts[at].state = (uint8) ((check->facts[at].state & ~ON_PATH) | SHOWN);
}
