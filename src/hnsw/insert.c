/*-------------------------------------------------------------------------
 *
 * insert.c
 *	  aminsert: a row joins the node of its vector, or gets a new one.
 *
 * README.md, "Insert", has the whole; the search and the levels are here, the
 * choice of neighbours in choose.c, the records that make a node in place.c,
 * links to it in link.c.
 *
 *-------------------------------------------------------------------------
 */
#include "pg_compat.h"

#include <math.h>

#include "access/generic_xlog.h"
#include "common/hashfn.h"
#include "hnsw/am.h"
#include "hnsw/graph.h"
#include "hnsw/insert.h"
#include "hnsw/posting.h"
#include "hnsw/stats.h"
#include "miscadmin.h"
#include "utils/memutils.h"

/*
 * Width of a search for each of ef_construction: estimates blur the order of
 * candidates, as in scans.  Measured in README.md, "Links back".
 */
#define WIDTH_PER_EF 1.8

/* A search goes on through so many nodes that are dying, times the width. */
#define DEAD_PER_WIDTH 8

/*
 * If others take all places that a search has found, it is done again.  So often
 * that happens only where damage leaves no place to anchor a node.
 */
#define MAX_TRIES 200

static HnswInsert *open_insert(Relation relation, IndexInfo *info);
static void insert_row(HnswInsert *insert);
static bool insert_level0(HnswInsert *insert);
static void insert_upper(HnswInsert *insert, int level);
static void search_level(HnswInsert *insert, int level);
static bool note_visit(HnswWalk *walk, const HnswNodeView *view, float distance);
static int	level_of(const HnswInsert *insert);
static void raise_entry(HnswInsert *insert, int level);

/*
 * aminsert.  Nothing is unique, so the result means nothing.
 */
bool
vdb_hnsw_insert(Relation relation, Datum *values, bool *isnull, ItemPointer heap_tid,
				Relation heap, IndexUniqueCheck check_unique, bool index_unchanged,
				IndexInfo *info)
{
	HnswInsert *insert;
	MemoryContext old;

	if (isnull[0])
		return false;
	insert = (HnswInsert *) info->ii_AmCache;
	if (insert == NULL)
	{
		insert = open_insert(relation, info);
		info->ii_AmCache = insert;
	}
	insert->index->relation = relation;
	insert->tid = *heap_tid;

	old = MemoryContextSwitchTo(insert->context);
	if (vdb_hnsw_form_value(insert->index, values[0], &insert->value))
		insert_row(insert);
	MemoryContextSwitchTo(old);
	MemoryContextReset(insert->context);
	return false;
}

/*
 * What stays for all rows of a statement; freed with info.
 */
static HnswInsert *
open_insert(Relation relation, IndexInfo *info)
{
	MemoryContext old = MemoryContextSwitchTo(info->ii_Context);
	HnswInsert *insert = (HnswInsert *) palloc0(sizeof(HnswInsert));
	HnswIndex  *index = vdb_hnsw_open(relation);

	insert->index = index;
	vdb_hnsw_value_attach(index, &insert->value, palloc(vdb_hnsw_value_size(index)));
	insert->image = (HnswNode *) palloc((Size) index->node_bytes);
	insert->slot = (char *) palloc0((Size) index->layout.slot_bytes);
	if (index->layout.bits > 0)
		insert->encoder_memory = palloc(vdb_quant_encoder_size(&index->layout));
	if (index->layout.metric == VDB_METRIC_IP)
		insert->query_memory = palloc(vdb_quant_query_size(&index->layout));
	insert->estimates = vdb_palloc_array(float, index->slots);
	insert->to_node = vdb_palloc_array(double, index->slots);
	insert->to_new = vdb_palloc_array(double, index->slots);
	insert->chosen = vdb_palloc_array(int, index->slots);
	insert->context = AllocSetContextCreate(info->ii_Context, "hnsw insert",
											ALLOCSET_DEFAULT_SIZES);
	MemoryContextSwitchTo(old);
	return insert;
}

/*
 * Inserts the row whose value was formed.
 */
static void
insert_row(HnswInsert *insert)
{
	HnswIndex  *index = insert->index;
	HnswRef		below;
	int			top;

	insert->visited = NULL;
	insert->room = 0;
	vdb_hnsw_read_meta(index, &insert->meta);
	insert->walk = vdb_hnsw_walk_begin(index, &insert->value.rotated, insert->meta.typical_norm);
	if (!insert_level0(insert))
		return;
	vdb_hnsw_stats.inserts++;

	/* one level above the highest at most: more would lead nowhere */
	top = Min(level_of(insert), Min(insert->meta.entry_level + 1, HNSW_MAX_LEVEL));
	for (int level = 1; level <= top; level++)
	{
		CHECK_FOR_INTERRUPTS();
		below = insert->self;
		insert_upper(insert, level);
		vdb_hnsw_form_image(insert, below);
		vdb_hnsw_place_upper(insert);
		vdb_hnsw_insert_links(insert);
	}
	if (top > insert->meta.entry_level)
		raise_entry(insert, top);
}

/*
 * Makes the row's node on level 0, with links both ways; false if its TID
 * joined another node.
 */
static bool
insert_level0(HnswInsert *insert)
{
	for (int try = 0;; try++)
	{
		bool		is_placed;

		CHECK_FOR_INTERRUPTS();
		if (try == MAX_TRIES)
			vdb_hnsw_corrupted(insert->index->relation, HNSW_META_BLOCK,
							   "root: no node can be anchored");
		search_level(insert, 0);
		if (vdb_hnsw_ref_is_valid(insert->equal) &&
			vdb_hnsw_append_tid(insert->index, insert->equal, &insert->tid))
		{
			vdb_hnsw_stats.tid_appends++;
			return false;
		}
		vdb_hnsw_choose(insert);
		vdb_hnsw_form_image(insert, vdb_hnsw_no_ref());
		if (vdb_hnsw_ref_is_valid(insert->meta.root))
			is_placed = vdb_hnsw_place_anchored(insert);
		else
			is_placed = vdb_hnsw_place_first(insert);
		if (is_placed)
			break;

		/* others were faster: look again */
		vdb_hnsw_read_meta(insert->index, &insert->meta);
	}
	vdb_hnsw_insert_links(insert);
	return true;
}

/*
 * Finds the neighbours of the row's node on a level above 0.
 */
static void
insert_upper(HnswInsert *insert, int level)
{
	if (level <= insert->meta.entry_level)
		search_level(insert, level);
	else
	{
		insert->level = level;
		insert->nvisited = 0;
	}
	vdb_hnsw_choose(insert);
}

/*
 * Walks a level, from the entry or else the root, and keeps what is visited.
 * Ends early at a LIVE node with the same stored vector.
 *
 * Where all is dying (a large DELETE, being vacuumed) the walk would go through
 * all of it to find its width of LIVE nodes; it is content with fewer.
 */
static void
search_level(HnswInsert *insert, int level)
{
	HnswIndex  *index = insert->index;
	HnswWalk   *walk = insert->walk;
	const HnswMeta *meta = &insert->meta;
	int			width = (int) ceil(WIDTH_PER_EF * index->ef_construction);
	HnswRef		at;

	insert->level = level;
	insert->equal = vdb_hnsw_no_ref();
	insert->nvisited = 0;
	insert->ndead = 0;
	at = vdb_hnsw_walk_descend(walk, meta->entry, meta->entry_level, level);
	walk->visitor = note_visit;
	walk->visitor_arg = insert;
	vdb_hnsw_walk_start(walk, level, width);
	vdb_hnsw_walk_add(walk, at);
	for (int from_root = 0; from_root < (level == 0 ? 2 : 1); from_root++)
	{
		if (from_root)
			vdb_hnsw_walk_add(walk, meta->root);
		while (!vdb_hnsw_walk_is_done(walk) && !vdb_hnsw_ref_is_valid(insert->equal) &&
			   insert->ndead < DEAD_PER_WIDTH * width)
			vdb_hnsw_walk_step(walk);
		if (insert->nvisited > insert->ndead)
			break;
	}
}

/*
 * Visitor: keeps the node.
 */
static bool
note_visit(HnswWalk *walk, const HnswNodeView *view, float distance)
{
	HnswInsert *insert = (HnswInsert *) walk->visitor_arg;

	vdb_hnsw_note_visited(insert, view, distance);
	return insert->visited[insert->nvisited - 1].is_live;
}

/*
 * Adds a node, whose page is locked, to the visited ones.
 */
void
vdb_hnsw_note_visited(HnswInsert *insert, const HnswNodeView *view, float distance)
{
	Size		size = (Size) insert->index->layout.vector_bytes;
	HnswVisited *visited;
	void	   *copy;

	if (insert->nvisited == insert->room)
	{
		Size		bytes;

		insert->room = Max(256, 2 * insert->room);
		bytes = sizeof(HnswVisited) * (Size) insert->room;
		insert->visited = (HnswVisited *) (insert->visited == NULL ? palloc(bytes) :
																	 repalloc(insert->visited, bytes));
	}
	copy = palloc(size);
	memcpy(copy, view->stored, size);
	visited = &insert->visited[insert->nvisited++];
	visited->ref = vdb_hnsw_make_ref(view->number, view->node->version);
	visited->is_live = view->node->state == HNSW_LIVE;
	visited->distance = distance;
	visited->stored = copy;
	if (!visited->is_live)
		insert->ndead++;
	else if (insert->level == 0 && memcmp(copy, insert->value.stored, size) == 0)
		insert->equal = visited->ref;
}

/*
 * The highest level of the row's node: one in vdb_hnsw_level_ratio() of a level
 * is on the next.  A function of the TID, so that equal inserts make equal
 * indexes.
 */
static int
level_of(const HnswInsert *insert)
{
	uint64		bits = hash_bytes_extended((const unsigned char *) &insert->tid,
										   sizeof(insert->tid), insert->index->seed);
	double		u = ((double) (bits >> 11) + 1) / 9007199254740992.0;

	return (int) (-log(u) / log(vdb_hnsw_level_ratio(insert->index->m)));
}

/*
 * Makes the new node the entry, if it is still on a higher level.
 */
static void
raise_entry(HnswInsert *insert, int level)
{
	HnswIndex  *index = insert->index;
	Buffer		buffer = vdb_hnsw_read(index, HNSW_META_BLOCK, BUFFER_LOCK_EXCLUSIVE,
									   HNSW_PAGE_META);

	if (vdb_hnsw_meta(BufferGetPage(buffer))->entry_level < level)
	{
		GenericXLogState *state = GenericXLogStart(index->relation);
		HnswMeta   *meta = vdb_hnsw_meta(GenericXLogRegisterBuffer(state, buffer, 0));

		meta->entry = insert->self;
		meta->entry_level = (uint16) level;
		GenericXLogFinish(state);
	}
	UnlockReleaseBuffer(buffer);
}
