/*-------------------------------------------------------------------------
 *
 * choose.c
 *	  The neighbours of a new node, and the node's image.
 *
 *-------------------------------------------------------------------------
 */
#include "pg_compat.h"

#include "hnsw/insert.h"

/* Candidates that the choice looks at, for each slot */
#define CANDIDATES_PER_SLOT 4

static int	sort_candidates(HnswInsert *insert, int *order);
static bool is_occluded(const HnswInsert *insert, const HnswVisited *candidate);
static void set_slot(HnswInsert *insert, const VdbSlotEncoder *encoder, int slot,
					 const HnswVisited *neighbour, uint16 anchor);

static inline int
compare_distances(const int *a, const int *b, const HnswVisited *visited)
{
	const HnswVisited *l = &visited[*a];
	const HnswVisited *r = &visited[*b];

	if (l->exact != r->exact)
		return l->exact < r->exact ? -1 : 1;
	return (*a > *b) - (*a < *b);
}

static inline int
compare_numbers(const int *a, const int *b, const HnswVisited *visited)
{
	uint32		l = vdb_hnsw_ref_number(visited[*a].ref);
	uint32		r = vdb_hnsw_ref_number(visited[*b].ref);

	return (l > r) - (l < r);
}

#define ST_SORT sort_by_distance
#define ST_ELEMENT_TYPE int
#define ST_COMPARE_ARG_TYPE const HnswVisited
#define ST_COMPARE(a, b, visited) compare_distances(a, b, visited)
#define ST_SCOPE static
#define ST_DEFINE
#include "lib/sort_template.h"

#define ST_SORT sort_by_number
#define ST_ELEMENT_TYPE int
#define ST_COMPARE_ARG_TYPE const HnswVisited
#define ST_COMPARE(a, b, visited) compare_numbers(a, b, visited)
#define ST_SCOPE static
#define ST_DEFINE
#include "lib/sort_template.h"

/*
 * Chooses the neighbours of the new node among the visited LIVE ones: by the
 * paper's Algorithm 4 (a candidate is left out if one chosen before is nearer to
 * it than the new node is), then the nearest of those left out, as long as
 * there are slots.  A page has the places anyway, and whoever reads the node
 * sees all its links for one page.  Those that fill come last, so that links
 * back and the anchor go to neighbours on different sides of the new node first.
 */
void
vdb_hnsw_choose(HnswInsert *insert)
{
	HnswIndex  *index = insert->index;
	int		   *order = vdb_palloc_array(int, Max(insert->nvisited, 1));
	bool	   *is_chosen = (bool *) palloc0((Size) Max(insert->nvisited, 1));
	int			n = Min(sort_candidates(insert, order), CANDIDATES_PER_SLOT * index->slots);

	insert->nchosen = 0;
	for (int i = 0; i < n && insert->nchosen < index->slots; i++)
	{
		if (is_occluded(insert, &insert->visited[order[i]]))
			continue;
		insert->chosen[insert->nchosen++] = order[i];
		is_chosen[i] = true;
	}
	for (int i = 0; i < n && insert->nchosen < index->slots; i++)
	{
		if (!is_chosen[i])
			insert->chosen[insert->nchosen++] = order[i];
	}
	pfree(order);
	pfree(is_chosen);
}

/*
 * Puts the visited LIVE nodes into order, nearest first, and returns how many
 * there are; indexes all visited ones by number.
 */
static int
sort_candidates(HnswInsert *insert, int *order)
{
	int			n = 0;

	insert->by_number = vdb_palloc_array(int, Max(insert->nvisited, 1));
	for (int i = 0; i < insert->nvisited; i++)
	{
		HnswVisited *visited = &insert->visited[i];

		insert->by_number[i] = i;
		if (!visited->is_live)
			continue;
		visited->exact = vdb_quant_vector_distance(&insert->index->layout, insert->index->kernels,
												   insert->value.stored, visited->stored);
		order[n++] = i;
	}
	if (n > 0)
		sort_by_distance(order, (size_t) n, insert->visited);
	if (insert->nvisited > 0)
		sort_by_number(insert->by_number, (size_t) insert->nvisited, insert->visited);
	return n;
}

/*
 * A neighbour that is chosen already is nearer to the candidate than the new
 * node is.
 */
static bool
is_occluded(const HnswInsert *insert, const HnswVisited *candidate)
{
	const HnswIndex *index = insert->index;

	for (int i = 0; i < insert->nchosen; i++)
	{
		if (vdb_quant_vector_distance(&index->layout, index->kernels, candidate->stored,
									  insert->visited[insert->chosen[i]].stored) < candidate->exact)
			return true;
	}
	return false;
}

/*
 * The visited node that has a number, or NULL.
 */
const HnswVisited *
vdb_hnsw_find_visited(const HnswInsert *insert, uint32 number)
{
	int			low = 0;
	int			high = insert->nvisited;

	while (low < high)
	{
		int			middle = (low + high) / 2;
		const HnswVisited *visited = &insert->visited[insert->by_number[middle]];

		if (vdb_hnsw_ref_number(visited->ref) == number)
			return visited;
		if (vdb_hnsw_ref_number(visited->ref) < number)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

/*
 * Forms the new node, LIVE, with links to the chosen neighbours; next is its
 * node one level below, if there is one.  Its version is its place's.
 */
void
vdb_hnsw_form_image(HnswInsert *insert, HnswRef next)
{
	HnswIndex  *index = insert->index;
	HnswNode   *image = insert->image;
	VdbSlotEncoder encoder;

	memset(image, 0, (Size) index->node_bytes);
	image->state = HNSW_LIVE;
	image->level = (uint8) insert->level;
	image->nlinks = (uint8) insert->nchosen;
	image->next = next;
	if (insert->level == 0)
	{
		image->ntids = 1;
		image->tids[0] = insert->tid;
	}
	if (index->vector_pages == 0)
		memcpy((char *) image + HNSW_NODE_HEADER, insert->value.stored,
			   (Size) index->layout.vector_bytes);
	if (index->layout.bits > 0)
		vdb_quant_init_encoder(&encoder, &index->layout, index->kernels, insert->value.stored,
							   insert->encoder_memory);
	for (int i = 0; i < insert->nchosen; i++)
		set_slot(insert, &encoder, i, &insert->visited[insert->chosen[i]], 0);
}

static void
set_slot(HnswInsert *insert, const VdbSlotEncoder *encoder, int slot,
		 const HnswVisited *neighbour, uint16 anchor)
{
	HnswIndex  *index = insert->index;
	char	   *slots = vdb_hnsw_slots_of(index, insert->image);

	vdb_hnsw_set_link(index, slots, slot,
					  vdb_hnsw_make_ref(vdb_hnsw_ref_number(neighbour->ref),
										vdb_hnsw_ref_version(neighbour->ref) | anchor));
	if (index->layout.bits > 0)
		vdb_quant_encode_slot(encoder, neighbour->stored, vdb_hnsw_factors(index, slots, slot));
}

/*
 * Gives the image an anchored link to child: in place of the one it has, or
 * in a free slot, or in the last one.
 */
void
vdb_hnsw_image_anchor(HnswInsert *insert, const HnswVisited *child)
{
	HnswIndex  *index = insert->index;
	HnswNode   *image = insert->image;
	char	   *slots = vdb_hnsw_slots_of(index, image);
	VdbSlotEncoder encoder;
	int			slot;

	for (slot = 0; slot < image->nlinks; slot++)
	{
		if (vdb_hnsw_ref_equals(vdb_hnsw_link(index, slots, slot), child->ref))
			break;
	}
	slot = Min(slot, index->slots - 1);
	image->nlinks = Max(image->nlinks, (uint8) (slot + 1));
	if (index->layout.bits > 0)
		vdb_quant_init_encoder(&encoder, &index->layout, index->kernels, insert->value.stored,
							   insert->encoder_memory);
	set_slot(insert, &encoder, slot, child, HNSW_ANCHOR);
}
