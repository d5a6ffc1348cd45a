/*-------------------------------------------------------------------------
 *
 * replace.c
 *	  Pass 2 of a vacuum: what a node's links to DYING nodes are replaced by.
 *
 * Candidates are the DYING nodes' own neighbours, and beyond further DYING
 * nodes theirs.  The codes on a DYING node's page tell how far each of its
 * neighbours is from the node that loses the link, so only the candidates that
 * may win are read.
 *
 *-------------------------------------------------------------------------
 */
#include "pg_compat.h"

#include "hnsw/repair.h"

/*
 * DYING nodes that are followed beyond those that were linked, and candidates
 * that are read beyond those that are needed, for a node.
 */
#define MORE_STEPS 16
#define MORE_READS 4

/* Nearest first; ties by number, so that equal vectors make no accidents */
static inline int
compare_leads(const HnswLead *a, const HnswLead *b)
{
	uint32		l = vdb_hnsw_ref_number(a->ref);
	uint32		r = vdb_hnsw_ref_number(b->ref);

	if (a->distance != b->distance)
		return a->distance < b->distance ? -1 : 1;
	return (l > r) - (l < r);
}

#define ST_SORT sort_leads
#define ST_ELEMENT_TYPE HnswLead
#define ST_COMPARE(a, b) compare_leads(a, b)
#define ST_SCOPE static
#define ST_DEFINE
#include "lib/sort_template.h"

static void gather(HnswVacuum *v);
static bool follow(HnswVacuum *v, HnswRef dying);
static void estimate_by_reading(HnswVacuum *v, int n);
static void add_lead(HnswLeads *leads, float distance, HnswRef ref);
static HnswLead take_nearest(HnswLeads *leads);
static void choose(HnswVacuum *v);
static bool is_known(const HnswRepair *r, HnswRef ref);
static bool is_occluded(HnswVacuum *v, const void *stored);

/*
 * Memory for repairing nodes, in the current context.
 */
HnswRepair *
vdb_hnsw_new_repair(HnswVacuum *v)
{
	HnswRepair *r = (HnswRepair *) palloc0(sizeof(HnswRepair));
	int			slots = v->index->slots;

	r->lost = vdb_palloc_array(HnswRef, slots);
	r->followed = vdb_palloc_array(uint32, slots + MORE_STEPS);
	r->estimates = vdb_palloc_array(float, slots);
	r->links = vdb_palloc_array(HnswRef, slots);
	r->chosen = vdb_palloc_array(HnswReplacement, slots);
	r->spare = vdb_palloc_array(HnswReplacement, 2 * slots + MORE_READS);
	r->live.room = r->dying.room = slots * (slots + MORE_STEPS);
	r->live.lead = vdb_palloc_array(HnswLead, r->live.room);
	r->dying.lead = vdb_palloc_array(HnswLead, r->dying.room);
	return r;
}

/*
 * Chooses v->repair->chosen for v->repair->lost.  Takes memory of the current
 * context.  No locks are held on entry or exit.
 */
void
vdb_hnsw_choose_replacements(HnswVacuum *v)
{
	vdb_hnsw_vacuum_query(v, v->repair->node.stored, &v->node_query, v->node_query_memory);
	gather(v);
	choose(v);
}

/*
 * Finds candidates for the links that the node loses: what the DYING nodes
 * link to, and when those are DYING, too, and candidates are few, what they
 * link to, nearest first.
 */
static void
gather(HnswVacuum *v)
{
	HnswRepair *r = v->repair;
	int			steps = MORE_STEPS;

	r->live.count = r->dying.count = r->nfollowed = 0;
	for (int i = 0; i < r->nlost; i++)
		follow(v, r->lost[i]);
	while (r->live.count < 2 * r->nlost && r->dying.count > 0 && steps > 0)
	{
		if (follow(v, take_nearest(&r->dying).ref))
			steps--;
	}
}

/*
 * Adds the neighbours of a DYING node to the candidates, with their distances
 * from the node that is repaired.  False if it was followed before.
 */
static bool
follow(HnswVacuum *v, HnswRef dying)
{
	HnswIndex  *index = v->index;
	HnswRepair *r = v->repair;
	const HnswNode *node = r->node.node;
	uint32		number = vdb_hnsw_ref_number(dying);
	HnswNodeView view;
	Buffer		buffer;
	int			n;

	for (int i = 0; i < r->nfollowed; i++)
		if (r->followed[i] == number)
			return false;
	r->followed[r->nfollowed++] = number;
	if (!vdb_hnsw_read_node(index, dying, BUFFER_LOCK_SHARE, v->vector, &buffer, &view))
		return true;
	n = view.node->level == node->level ? view.node->nlinks : 0;
	for (int i = 0; i < n; i++)
		r->links[i] = vdb_hnsw_link(index, view.slots, i);
	if (index->layout.bits > 0 && n > 0)
		vdb_quant_estimate(&v->node_query, view.stored,
						   vdb_quant_query_distance(&v->node_query, view.stored),
						   vdb_hnsw_factors(index, view.slots, 0),
						   (Size) index->layout.slot_bytes, n, r->estimates);
	UnlockReleaseBuffer(buffer);
	if (index->layout.bits == 0)
		estimate_by_reading(v, n);

	for (int i = 0; i < n; i++)
	{
		HnswRef		ref = r->links[i];

		if (vdb_hnsw_is_dying(v, ref))
			add_lead(&r->dying, r->estimates[i], ref);
		else if (vdb_hnsw_ref_number(ref) != r->node.number &&
				 vdb_hnsw_find_number(index, node, r->node.slots, ref) < 0)
			add_lead(&r->live, r->estimates[i], ref);
	}
	return true;
}

/*
 * Distances of r->links where there are no codes; 0 for a stale link, which is
 * found out when it is read again.
 */
static void
estimate_by_reading(HnswVacuum *v, int n)
{
	HnswRepair *r = v->repair;

	for (int i = 0; i < n; i++)
	{
		HnswNodeView view;
		Buffer		buffer;

		r->estimates[i] = 0;
		if (!vdb_hnsw_read_node(v->index, r->links[i], BUFFER_LOCK_SHARE, v->vector,
								&buffer, &view))
			continue;
		r->estimates[i] = vdb_quant_query_distance(&v->node_query, view.stored);
		UnlockReleaseBuffer(buffer);
	}
}

static void
add_lead(HnswLeads *leads, float distance, HnswRef ref)
{
	Assert(leads->count < leads->room);
	leads->lead[leads->count].distance = distance;
	leads->lead[leads->count].ref = ref;
	leads->count++;
}

static HnswLead
take_nearest(HnswLeads *leads)
{
	int			nearest = 0;
	HnswLead	lead;

	for (int i = 1; i < leads->count; i++)
		if (leads->lead[i].distance < leads->lead[nearest].distance)
			nearest = i;
	lead = leads->lead[nearest];
	leads->lead[nearest] = leads->lead[--leads->count];
	return lead;
}

/*
 * Chooses replacements among the candidates, at most as many as links are
 * lost: nearest first those that no remaining link and no chosen one occludes
 * (Algorithm 4), then the nearest of the others.
 */
static void
choose(HnswVacuum *v)
{
	HnswIndex  *index = v->index;
	HnswRepair *r = v->repair;
	int			reads = 2 * r->nlost + MORE_READS;
	Size		factors_bytes = (Size) index->layout.slot_bytes - HNSW_LINK_BYTES;

	r->nchosen = r->nspare = 0;
	if (index->layout.bits > 0 && r->live.count > 0)
		vdb_quant_init_encoder(&v->encoder, &index->layout, index->kernels, r->node.stored,
							   v->encoder_memory);
	sort_leads(r->live.lead, (size_t) r->live.count);
	for (int i = 0; i < r->live.count && r->nchosen < r->nlost && reads > 0; i++)
	{
		HnswRef		ref = r->live.lead[i].ref;
		HnswNodeCopy copy;
		HnswReplacement candidate;

		if (is_known(r, ref))
			continue;
		reads--;
		if (!vdb_hnsw_vacuum_copy(v, ref, &copy) || copy.node->state != HNSW_LIVE ||
			copy.node->level != r->node.node->level)
			continue;
		candidate.ref = copy.ref;
		candidate.stored = copy.stored;
		candidate.factors = NULL;
		if (index->layout.bits > 0)
		{
			candidate.factors = (char *) palloc(factors_bytes);
			vdb_quant_encode_slot(&v->encoder, copy.stored, candidate.factors);
		}
		if (is_occluded(v, copy.stored))
			r->spare[r->nspare++] = candidate;
		else
			r->chosen[r->nchosen++] = candidate;
	}
	for (int i = 0; i < r->nspare && r->nchosen < r->nlost; i++)
		r->chosen[r->nchosen++] = r->spare[i];
}

/* HnswReplacement, or read and left */
static bool
is_known(const HnswRepair *r, HnswRef ref)
{
	for (int i = 0; i < r->nchosen; i++)
		if (vdb_hnsw_ref_equals(r->chosen[i].ref, ref))
			return true;
	for (int i = 0; i < r->nspare; i++)
		if (vdb_hnsw_ref_equals(r->spare[i].ref, ref))
			return true;
	return false;
}

/*
 * Whether a candidate is nearer to a link of the node, or to one chosen, than
 * to the node.  Without codes only the chosen are asked.
 */
static bool
is_occluded(HnswVacuum *v, const void *stored)
{
	HnswIndex  *index = v->index;
	HnswRepair *r = v->repair;
	int			n = r->node.node->nlinks;
	float		distance;

	vdb_hnsw_vacuum_query(v, stored, &v->other_query, v->other_query_memory);
	distance = vdb_quant_query_distance(&v->other_query, r->node.stored);
	for (int i = 0; i < r->nchosen; i++)
		if (vdb_quant_query_distance(&v->other_query, r->chosen[i].stored) < distance)
			return true;
	if (index->layout.bits == 0)
		return false;
	vdb_quant_estimate(&v->other_query, r->node.stored, distance,
					   vdb_hnsw_factors(index, r->node.slots, 0),
					   (Size) index->layout.slot_bytes, n, r->estimates);
	for (int i = 0; i < n; i++)
		if (r->estimates[i] < distance &&
			!vdb_hnsw_is_dying(v, vdb_hnsw_link(index, r->node.slots, i)))
			return true;
	return false;
}
