/*-------------------------------------------------------------------------
 *
 * partition_upper.c
 *	  The levels above level 0 of a build in partitions.
 *
 * Few rows have them, so they are a graph of their own, in memory, whose level
 * 0 is the index's level 1.  Its entry is the index's.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "hnsw/partition_internal.h"

static void choose_rows(HnswPartitions *p);
static uint32 *place_of(const HnswWork *w, uint32 *places, uint32 node, int level);
static void place_nodes(HnswPartitions *p, HnswWork *w, uint32 *places);
static void write_node(HnswPartitions *p, const HnswWork *w, uint32 *places,
					   uint32 node, int level);

/*
 * Builds the upper levels and writes their nodes in the order of their places.
 */
void
vdb_hnsw_partition_upper(HnswPartitions *p)
{
	HnswParams	params = vdb_hnsw_partition_graph_params(&p->params, 0);
	HnswWork	w;
	uint32	   *places;
	uint32		i;
	int			level;

	p->phase = HNSW_PARTITION_UPPER;
	choose_rows(p);
	p->entry_id = 0;
	if (p->upper.size == 0)
		return;
	params.capacity = (uint32) Min(p->capacity, p->upper.size / p->record_bytes);
	params.max_links0 = Min(p->params.m, p->params.layout->slots);
	vdb_hnsw_partition_work_attach(p, &w, &params);
	vdb_hnsw_partition_load_own(p, &w, &p->upper, NULL, NULL);
	vdb_hnsw_partition_close(p, &p->upper);

	p->hooks.link(p->hooks.arg, &w.g, &w.s);
	vdb_hnsw_connect(&w.g, &w.s, w.parent, w.order, (uint16 *) w.work);
	vdb_hnsw_order(&w.g, &w.s, p->params.layout->nodes_per_page, w.work, w.order);
	p->entry_id = w.ids[w.g.shared->entry];
	p->result.max_level = w.g.shared->max_level + 1;

	places = p->hooks.allocate(p->hooks.arg, sizeof(uint32) * (w.nown + w.g.shared->upper_used / vdb_hnsw_links_size(params.m)));
	place_nodes(p, &w, places);
	for (level = w.g.shared->max_level; level >= 0; level--)
		for (i = 0; i < w.nown; i++)
			if (w.g.levels[w.order[i]] >= level)
				write_node(p, &w, places, w.order[i], level);
	p->hooks.release(p->hooks.arg, places);
	vdb_hnsw_partition_work_end(p, &w);
}

/*
 * If more rows have upper levels than fit in memory, leaves fewer of them:
 * those that would have the levels if these were sparser.
 */
static void
choose_rows(HnswPartitions *p)
{
	HnswParams	params = vdb_hnsw_partition_graph_params(&p->params, 0);
	HnswFile	all = p->upper;
	uint64		n = all.size / p->record_bytes;
	uint64		at;

	if (n <= p->capacity)
		return;
	for (; n > p->capacity; n /= 2)
		params.level_ratio = Min(params.level_ratio, PG_INT32_MAX / 2) * 2;
	memset(&p->upper, 0, sizeof(p->upper));
	for (at = 0; at < all.size; at += p->record_bytes)
	{
		HnswRecord	record;

		if (at % (256 * p->record_bytes) == 0)
			p->hooks.progress(p->hooks.arg, p->phase, 0, p->nrows);
		p->hooks.read_file(p->hooks.arg, all.handle, at, p->buffer, p->record_bytes);
		memcpy(&record, p->buffer, sizeof(record));
		if (vdb_hnsw_level_of(&params, record.id) > 0)
			vdb_hnsw_partition_write(p, &p->upper, p->buffer, p->record_bytes);
	}
	vdb_hnsw_partition_close(p, &all);
}

/*
 * Where the place of a node on a level of the graph is kept.
 */
static uint32 *
place_of(const HnswWork *w, uint32 *places, uint32 node, int level)
{
	if (level == 0)
		return &places[node];
	return &places[w->nown + w->g.upper_offset[node] / vdb_hnsw_links_size(w->g.params.m) +
				   (uint32) level - 1];
}

/*
 * Gives the nodes of all levels their places, highest level first.
 */
static void
place_nodes(HnswPartitions *p, HnswWork *w, uint32 *places)
{
	int			level;
	uint32		i;

	for (level = w->g.shared->max_level; level >= 0; level--)
		for (i = 0; i < w->nown; i++)
			if (w->g.levels[w->order[i]] >= level)
				*place_of(w, places, w->order[i], level) = p->result.nupper++;
}

/*
 * Writes a node on a level of the graph.  The place on level 0 is not known
 * yet.
 */
static void
write_node(HnswPartitions *p, const HnswWork *w, uint32 *places, uint32 node, int level)
{
	const HnswLinks *links = vdb_hnsw_links(&w->g, node, level);
	HnswNodeHead *head = (HnswNodeHead *) p->node;
	char	   *vector = p->node + sizeof(HnswNodeHead);
	HnswFileLink *to = (HnswFileLink *) (vector + p->vector_bytes);
	char	   *factors;
	int			i;

	memset(head, 0, sizeof(*head));
	head->id = w->ids[node];
	head->level = (uint16) (level + 1);
	head->below = level == 0 ? HNSW_NO_NODE : *place_of(w, places, node, level - 1);
	head->nlinks = (uint16) Min(links->count, p->params.layout->slots);
	memcpy(vector, vdb_hnsw_vector(&w->g, node), p->vector_bytes);
	for (i = 0; i < head->nlinks; i++)
	{
		to[i].id = *place_of(w, places, links->link[i].node, level);
		to[i].distance = links->link[i].distance;
		to[i].is_anchor = 0;
		p->targets[i] = vdb_hnsw_vector(&w->g, links->link[i].node);
	}
	factors = (char *) (to + head->nlinks);
	vdb_hnsw_partition_encode(p, vector, head->nlinks, factors);
	vdb_hnsw_partition_write(p, &p->upper_nodes, p->node,
							 (Size) (factors - p->node) + head->nlinks * p->factor_bytes);
}
