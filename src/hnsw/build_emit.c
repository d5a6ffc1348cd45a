/*-------------------------------------------------------------------------
 *
 * build_emit.c
 *	  Brings the nodes of a finished graph in memory to the writer of pages.
 *
 *-------------------------------------------------------------------------
 */
#include "pg_compat.h"

#include "hnsw/build.h"
#include "utils/memutils.h"

/* A node of an upper level */
typedef struct Upper
{
	uint32		node;
	int			level;
} Upper;

typedef struct Emitter
{
	HnswBuild  *build;
	HnswWriter	writer;
	uint32	   *places;			/* of nodes on level 0 */
	Upper	   *upper;			/* by place */
	uint32	   *upper_places;	/* by upper_index() */
	uint32		nupper;

	/* memory for one node */
	void	   *encoder;
	HnswPlacedLink *links;
	char	   *factors;
	uint64	   *rows;
	Size		rows_size;
} Emitter;

static void place_nodes(Emitter *e);
static uint32 upper_index(const HnswGraph *g, uint32 node, int level);
static uint32 place_of(const Emitter *e, uint32 node, int level);
static void emit_node(Emitter *e, uint32 node, int level);
static void encode_links(Emitter *e, uint32 node, int level, HnswPlacedNode *placed);
static void collect_rows(Emitter *e, uint32 node, HnswPlacedNode *placed);

/*
 * Writes the index of a finished graph.
 */
void
vdb_hnsw_emit_graph(HnswBuild *build, HnswMeta *meta)
{
	const HnswGraph *g = &build->graph;
	const VdbQuantLayout *layout = &build->index->layout;
	HnswWriterRoots roots = {0};
	Emitter		e;
	uint32		i;

	memset(&e, 0, sizeof(e));
	e.build = build;
	e.encoder = palloc(vdb_quant_encoder_size(layout));
	e.links = (HnswPlacedLink *) palloc(sizeof(HnswPlacedLink) * (Size) build->index->slots);
	e.factors = (char *) palloc((Size) layout->slot_bytes * (Size) build->index->slots);
	e.rows_size = 64;
	e.rows = (uint64 *) palloc(sizeof(uint64) * e.rows_size);
	place_nodes(&e);

	vdb_hnsw_build_phase(HNSW_PHASE_WRITE, (int64) e.nupper + g->shared->count);
	vdb_hnsw_write_begin(&e.writer, build->index, e.nupper, g->shared->count);
	for (i = 0; i < e.nupper; i++)
		emit_node(&e, e.upper[i].node, e.upper[i].level);
	for (i = 0; i < g->shared->count; i++)
		emit_node(&e, build->order[i], 0);
	if (g->shared->count > 0)
	{
		roots.entry = place_of(&e, g->shared->entry, g->shared->max_level);
		roots.entry_level = g->shared->max_level;
		roots.root = place_of(&e, g->shared->entry, 0);
	}
	vdb_hnsw_write_end(&e.writer, meta, &roots);
}

/*
 * Gives every node on each of its levels its place: the highest level first.
 */
static void
place_nodes(Emitter *e)
{
	const HnswGraph *g = &e->build->graph;
	const uint32 *order = e->build->order;
	uint32		n = g->shared->count;
	uint32		place = 0;
	uint32		i;
	int			level;

	e->nupper = (uint32) (g->shared->upper_used / vdb_hnsw_links_size(g->params.m));
	e->upper = (Upper *) palloc_extended(sizeof(Upper) * Max(1, e->nupper), MCXT_ALLOC_HUGE);
	e->upper_places = (uint32 *) palloc_extended(sizeof(uint32) * Max(1, e->nupper),
												 MCXT_ALLOC_HUGE);
	e->places = (uint32 *) palloc_extended(sizeof(uint32) * Max(1, n), MCXT_ALLOC_HUGE);

	for (level = g->shared->max_level; level > 0; level--)
	{
		for (i = 0; i < n; i++)
		{
			if (g->levels[order[i]] < level)
				continue;
			e->upper[place].node = order[i];
			e->upper[place].level = level;
			e->upper_places[upper_index(g, order[i], level)] = place;
			place++;
		}
	}
	Assert(place == e->nupper);
	for (i = 0; i < n; i++)
		e->places[order[i]] = place++;
}

/*
 * Upper levels of all nodes are counted in the order of the graph's pool.
 */
static uint32
upper_index(const HnswGraph *g, uint32 node, int level)
{
	return (uint32) (g->upper_offset[node] / vdb_hnsw_links_size(g->params.m)) +
		(uint32) level - 1;
}

static uint32
place_of(const Emitter *e, uint32 node, int level)
{
	return level == 0 ? e->places[node] :
						e->upper_places[upper_index(&e->build->graph, node, level)];
}

/*
 * Brings a node on one of its levels to the writer.
 */
static void
emit_node(Emitter *e, uint32 node, int level)
{
	HnswPlacedNode placed = {0};

	placed.place = place_of(e, node, level);
	placed.level = level;
	placed.below = level == 0 ? HNSW_NO_NODE : place_of(e, node, level - 1);
	placed.vector = vdb_hnsw_vector(&e->build->graph, node);
	if (level == 0)
		collect_rows(e, node, &placed);
	encode_links(e, node, level, &placed);
	vdb_hnsw_write_node(&e->writer, &placed);
}

/*
 * Encodes the links of a node.
 */
static void
encode_links(Emitter *e, uint32 node, int level, HnswPlacedNode *placed)
{
	HnswIndex  *index = e->build->index;
	const VdbQuantLayout *layout = &index->layout;
	const HnswGraph *g = &e->build->graph;
	const HnswLinks *links = vdb_hnsw_links(g, node, level);
	VdbSlotEncoder encoder;
	int			i;

	if (layout->bits > 0)
		vdb_quant_init_encoder(&encoder, layout, index->kernels, vdb_hnsw_vector(g, node),
							   e->encoder);
	placed->nlinks = Min(links->count, index->slots);
	placed->links = e->links;
	for (i = 0; i < placed->nlinks; i++)
	{
		uint32		target = links->link[i].node;
		char	   *factors = e->factors + i * layout->slot_bytes;

		/* the entry is the root, and its own parent, but has no link to itself */
		e->links[i].target = place_of(e, target, level);
		e->links[i].is_anchor = level == 0 && e->build->parent[target] == node;
		e->links[i].factors = factors;
		if (layout->bits > 0)
			vdb_quant_encode_slot(&encoder, vdb_hnsw_vector(g, target), factors);
	}
}

/*
 * Collects the rows of a node.
 */
static void
collect_rows(Emitter *e, uint32 node, HnswPlacedNode *placed)
{
	uint32		row;

	for (row = e->build->first_row[node]; row != HNSW_NO_ROW; row = e->build->rows[row].next)
	{
		if (placed->nrows == e->rows_size)
		{
			e->rows_size *= 2;
			e->rows = (uint64 *) repalloc_huge(e->rows, sizeof(uint64) * e->rows_size);
		}
		e->rows[placed->nrows++] = vdb_hnsw_tid_row(&e->build->rows[row].tid);
	}
	placed->rows = e->rows;
}
