/*-------------------------------------------------------------------------
 *
 * check_link.c
 *	  Verification, P1 to P3 and P11: where links lead, and what their slots
 *	  say.
 *
 * A node is copied under its lock, and its targets are read later.  Meanwhile
 * a target may be freed, which makes the link stale; that is legal, but for
 * anchors, and before one of those is reported its node is read again.
 *
 *-------------------------------------------------------------------------
 */
#include "pg_compat.h"

#include "hnsw/check.h"
#include "miscadmin.h"

static void check_node(HnswCheck *check, uint32 number);
static bool check_ref(HnswCheck *check, const HnswCheckNode *node, int i);
static void check_target(HnswCheck *check, const HnswCheckNode *node, int i,
						 const VdbSlotEncoder *encoder);
static void check_stale(HnswCheck *check, const HnswCheckNode *node, int i, HnswPresence found);
static bool is_known(const HnswCheck *check, HnswRef ref, int level);
static void check_below(HnswCheck *check, const HnswCheckNode *node);
static bool still_has(HnswCheck *check, const HnswCheckNode *node, HnswRef ref);

/*
 * Checks the links and the heap TIDs of all nodes.
 */
void
vdb_hnsw_check_links(HnswCheck *check)
{
	for (BlockNumber block = 0; block < check->nblocks; block++)
	{
		CHECK_FOR_INTERRUPTS();
		if (check->kinds[block] != HNSW_PAGE_NODES)
			continue;
		for (int place = 0; place < check->index->nodes_per_page; place++)
			check_node(check, vdb_hnsw_number(check->index, block, place));
	}
}

static void
check_node(HnswCheck *check, uint32 number)
{
	HnswIndex  *index = check->index;
	HnswCheckNode *node = &check->node;
	VdbSlotEncoder encoder;
	bool		with_slots;

	/* what is bad by itself was reported when pages were read */
	if (vdb_hnsw_check_read(check, number, node) != HNSW_FOUND_NODE)
		return;
	if (!node->has_vector)
	{
		const char *fault = index->vector_pages > 0 ? "stored vector is incomplete or damaged" :
													  vdb_quant_vector_fault(&index->layout, index->kernels, node->stored);

		vdb_hnsw_check_report_node(check, number, "%s", fault);
	}
	with_slots = check->with_slots && index->layout.bits > 0 && node->has_vector;
	if (with_slots)
		vdb_quant_init_encoder(&encoder, &index->layout, index->kernels, node->stored,
							   check->encoder);
	for (int i = 0; i < node->node.nlinks; i++)
	{
		CHECK_FOR_INTERRUPTS();
		check->counts.links++;
		if (check_ref(check, node, i))
			check_target(check, node, i, with_slots ? &encoder : NULL);
	}
	if (node->node.level == 0)
		vdb_hnsw_check_tids(check, node);
	else
		check_below(check, node);
}

/*
 * Checks a link without looking at its target; false if there is no point in
 * looking.
 */
static bool
check_ref(HnswCheck *check, const HnswCheckNode *node, int i)
{
	HnswIndex  *index = check->index;
	HnswRef		ref = vdb_hnsw_link(index, node->slots, i);
	uint32		target = vdb_hnsw_ref_number(ref);

	/* with another version it is stale: it led to what was there before */
	if (target == node->number && vdb_hnsw_ref_version(ref) == node->node.version)
	{
		vdb_hnsw_check_report_node(check, node->number, "link %d leads to its own node", i);
		return false;
	}
	if (vdb_hnsw_ref_is_anchor(ref) && node->node.level > 0)
		vdb_hnsw_check_report_node(check, node->number,
								   "link %d is an anchor, on level %d", i, node->node.level);
	for (int j = 0; j < i; j++)
	{
		if (vdb_hnsw_ref_equals(ref, vdb_hnsw_link(index, node->slots, j)))
		{
			vdb_hnsw_check_report_node(check, node->number,
									   "links %d and %d lead to the same node %u", j, i, target);
			return false;
		}
	}
	return true;
}

/*
 * Checks a link against the node that it leads to; its slot, too, if there is
 * an encoder.
 */
static void
check_target(HnswCheck *check, const HnswCheckNode *node, int i, const VdbSlotEncoder *encoder)
{
	HnswIndex  *index = check->index;
	HnswRef		ref = vdb_hnsw_link(index, node->slots, i);
	HnswCheckNode *target = &check->other;
	HnswPresence found;

	if (encoder == NULL && is_known(check, ref, node->node.level))
		return;
	found = vdb_hnsw_check_read(check, vdb_hnsw_ref_number(ref), target);
	if (found == HNSW_FOUND_BAD)
		return;					/* reported with the target */
	if (found == HNSW_FOUND_NO_PAGE)
	{
		vdb_hnsw_check_report_node(check, node->number,
								   "link %d leads to %u, where there is no node", i,
								   vdb_hnsw_ref_number(ref));
		return;
	}
	if (found == HNSW_FOUND_FREE || target->node.version != vdb_hnsw_ref_version(ref))
	{
		check_stale(check, node, i, found);
		return;
	}
	if (target->node.level != node->node.level)
		vdb_hnsw_check_report_node(check, node->number,
								   "link %d leads from level %d to node %u on level %d", i,
								   node->node.level, target->number, target->node.level);
	else if (encoder != NULL && target->has_vector)
	{
		vdb_quant_encode_slot(encoder, target->stored, check->encoded);
		if (memcmp(check->encoded, vdb_hnsw_factors(index, node->slots, i),
				   (Size) index->layout.slot_bytes - HNSW_LINK_BYTES) != 0)
			vdb_hnsw_check_report_node(check, node->number,
									   "slot %d is not what follows from the vectors of node and neighbour %u",
									   i, target->number);
	}
}

/*
 * Do the facts of all nodes say that ref leads to one on the level?
 */
static bool
is_known(const HnswCheck *check, HnswRef ref, int level)
{
	uint32		number = vdb_hnsw_ref_number(ref);
	const HnswNodeFact *fact;

	if (vdb_hnsw_block(check->index, number) >= check->nblocks)
		return false;
	fact = &check->facts[number];
	return (fact->state & HNSW_FACT_STATE) != HNSW_FREE &&
		fact->version == vdb_hnsw_ref_version(ref) && fact->level == level;
}

/*
 * Link i is stale: what it led to is gone (check->other is there now).
 */
static void
check_stale(HnswCheck *check, const HnswCheckNode *node, int i, HnswPresence found)
{
	HnswRef		ref = vdb_hnsw_link(check->index, node->slots, i);
	uint32		number = node->number;
	bool		same = check->other.node.version == vdb_hnsw_ref_version(ref);

	check->counts.stale++;
	if (found == HNSW_FOUND_FREE && same)
		vdb_hnsw_check_report_node(check, number, "link %d leads to node %u, which is free", i,
								   vdb_hnsw_ref_number(ref));
	else if (vdb_hnsw_ref_is_anchor(ref) && still_has(check, node, ref))
		vdb_hnsw_check_report_node(check, number, "anchor %d leads to node %u, which is gone", i,
								   vdb_hnsw_ref_number(ref));
}

/*
 * Is the node that was copied LIVE now, with the same link?  One that is DYING
 * may anchor others that vacuum has freed before it.  Uses check->other.
 */
static bool
still_has(HnswCheck *check, const HnswCheckNode *node, HnswRef ref)
{
	HnswCheckNode *now = &check->other;

	if (vdb_hnsw_check_read(check, node->number, now) != HNSW_FOUND_NODE ||
		now->node.version != node->node.version || now->node.state != HNSW_LIVE)
		return false;
	for (int i = 0; i < now->node.nlinks; i++)
	{
		HnswRef		link = vdb_hnsw_link(check->index, now->slots, i);

		if (memcmp(&link, &ref, sizeof(ref)) == 0)
			return true;
	}
	return false;
}

/*
 * Checks the way of an upper node down: to a node one level below that holds
 * the same vector, or to one that is gone (P11).
 */
static void
check_below(HnswCheck *check, const HnswCheckNode *node)
{
	HnswRef		ref = node->node.next;
	HnswCheckNode *below = &check->other;
	HnswPresence found = vdb_hnsw_check_read(check, vdb_hnsw_ref_number(ref), below);

	if (found == HNSW_FOUND_BAD)
		return;
	if (found == HNSW_FOUND_NO_PAGE)
		vdb_hnsw_check_report_node(check, node->number,
								   "node leads down to %u, where there is no node",
								   vdb_hnsw_ref_number(ref));
	else if (found == HNSW_FOUND_FREE || below->node.version != vdb_hnsw_ref_version(ref))
		check->counts.stale_lower++;
	else if (below->node.level != node->node.level - 1)
		vdb_hnsw_check_report_node(check, node->number,
								   "node on level %d leads down to node %u on level %d",
								   node->node.level, below->number, below->node.level);
	else if (node->has_vector && below->has_vector &&
			 memcmp(node->stored, below->stored, (Size) check->index->layout.vector_bytes) != 0)
		vdb_hnsw_check_report_node(check, node->number,
								   "node on level %d leads down to node %u, which has another vector",
								   node->node.level, below->number);
}
