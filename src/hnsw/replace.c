/*-------------------------------------------------------------------------
 *
 * replace.c
 *	  Pass 2 of a vacuum: what a node's links to DYING nodes are replaced by.
 *
 * Candidates are the DYING nodes' own neighbours, and beyond further DYING
 * nodes theirs.  The codes on a DYING node's page tell how far each of its
 * neighbours is from the node that loses the link, so only the nearest are
 * read.  Those and the nodes that the links left lead to are then chosen from
 * as in a build.
 *
 *-------------------------------------------------------------------------
 */
#include "pg_compat.h"

#include "hnsw/repair.h"

/*
 * DYING nodes that are followed beyond those that were linked, and candidates
 * that are read, for a node.  Recall after churn depends on the reads: with 2
 * and 4 it was 0.03 lower (README.md), with more than these not higher.
 */
#define MORE_STEPS 16
#define READS_PER_LINK 6
#define MORE_READS 20

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

static inline int
compare_candidates(const HnswCandidateNode *a, const HnswCandidateNode *b)
{
	uint32		l = vdb_hnsw_ref_number(a->ref);
	uint32		r = vdb_hnsw_ref_number(b->ref);

	if (a->distance != b->distance)
		return a->distance < b->distance ? -1 : 1;
	return (l > r) - (l < r);
}

#define ST_SORT sort_candidates
#define ST_ELEMENT_TYPE HnswCandidateNode
#define ST_COMPARE(a, b) compare_candidates(a, b)
#define ST_SCOPE static
#define ST_DEFINE
#include "lib/sort_template.h"

static void gather(HnswVacuum *v);
static bool follow(HnswVacuum *v, HnswRef dying);
static void estimate_by_reading(HnswVacuum *v, int n);
static void add_lead(HnswLeads *leads, float distance, HnswRef ref);
static HnswLead take_nearest(HnswLeads *leads);
static void read_kept(HnswVacuum *v);
static void read_leads(HnswVacuum *v);
static bool is_read(const HnswRepair *r, HnswRef ref);
static void read_candidate(HnswVacuum *v, HnswRef ref, bool is_kept);
static void choose(HnswVacuum *v);
static bool is_occluded(HnswVacuum *v, int candidate);

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
	r->own_estimates = vdb_palloc_array(float, slots);
	r->links = vdb_palloc_array(HnswRef, slots);
	r->chosen = vdb_palloc_array(HnswCandidateNode *, slots);
	r->candidates = vdb_palloc_array(HnswCandidateNode, (1 + READS_PER_LINK) * slots + MORE_READS);
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
	v->repair->ncandidates = 0;
	read_kept(v);
	read_leads(v);
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
 * Reads the LIVE nodes that the node links to, as far as they are no leads.
 */
static void
read_kept(HnswVacuum *v)
{
	HnswRepair *r = v->repair;

	for (int i = 0; i < r->node.node->nlinks; i++)
	{
		HnswRef		ref = vdb_hnsw_link(v->index, r->node.slots, i);

		if (!vdb_hnsw_is_dying(v, ref))
			read_candidate(v, ref, true);
	}
}

/*
 * Reads the nearest leads, as far as their estimates tell.
 */
static void
read_leads(HnswVacuum *v)
{
	HnswRepair *r = v->repair;
	int			reads = READS_PER_LINK * r->nlost + MORE_READS;

	sort_leads(r->live.lead, (size_t) r->live.count);
	for (int i = 0; i < r->live.count && reads > 0; i++)
	{
		if (is_read(r, r->live.lead[i].ref))
			continue;
		read_candidate(v, r->live.lead[i].ref, false);
		reads--;
	}
}

static bool
is_read(const HnswRepair *r, HnswRef ref)
{
	for (int i = 0; i < r->ncandidates; i++)
		if (vdb_hnsw_ref_equals(r->candidates[i].ref, ref))
			return true;
	return false;
}

static void
read_candidate(HnswVacuum *v, HnswRef ref, bool is_kept)
{
	HnswIndex  *index = v->index;
	HnswRepair *r = v->repair;
	HnswNodeImage image;
	HnswCandidateNode *candidate;

	if (!vdb_hnsw_vacuum_copy(v, ref, &image) || image.node->state != HNSW_LIVE ||
		image.node->level != r->node.node->level)
		return;
	candidate = &r->candidates[r->ncandidates++];
	candidate->ref = image.ref;
	candidate->stored = image.stored;
	candidate->distance = vdb_quant_vector_distance(&index->layout, index->kernels,
													r->node.stored, image.stored);
	candidate->is_kept = is_kept;
	candidate->is_diverse = false;
}

/*
 * Chooses the replacements, at most as many as links are lost.  Algorithm 4 runs
 * through the links that are kept and the leads, nearest first: those of the
 * leads that it selects are chosen first, then the nearest of the others.
 */
static void
choose(HnswVacuum *v)
{
	HnswRepair *r = v->repair;
	int			n = r->ncandidates;

	r->nchosen = 0;
	sort_candidates(r->candidates, (size_t) n);
	for (int i = 0; i < n && r->nchosen < r->nlost; i++)
	{
		r->candidates[i].is_diverse = !is_occluded(v, i);
		if (r->candidates[i].is_diverse && !r->candidates[i].is_kept)
			r->chosen[r->nchosen++] = &r->candidates[i];
	}
	for (int i = 0; i < n && r->nchosen < r->nlost; i++)
		if (!r->candidates[i].is_diverse && !r->candidates[i].is_kept)
			r->chosen[r->nchosen++] = &r->candidates[i];
}

/*
 * Whether a candidate is nearer to one that was selected before it than to the
 * node.
 */
static bool
is_occluded(HnswVacuum *v, int candidate)
{
	HnswIndex  *index = v->index;
	const HnswCandidateNode *all = v->repair->candidates;

	for (int i = 0; i < candidate; i++)
		if (all[i].is_diverse &&
			vdb_quant_vector_distance(&index->layout, index->kernels, all[candidate].stored,
									  all[i].stored) < all[candidate].distance)
			return true;
	return false;
}
