/*-------------------------------------------------------------------------
 *
 * build_graph.c
 *	  The steps of an index build from loaded nodes to a finished graph.
 *
 * The same code runs in the one process of a serial build and in all of a
 * parallel one; the graph's own functions never wait or look for interrupts.
 *
 *-------------------------------------------------------------------------
 */
#include "pg_compat.h"

#include "commands/progress.h"
#include "hnsw/build.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "utils/memutils.h"
#include "utils/wait_event.h"

/* Nodes that a process takes at a time: few, so that all finish together */
#define LINK_CHUNK 4
#define FILL_CHUNK 64

/* At most so many nodes are linked between two looks for interrupts. */
#define MAX_BATCH 32768

static void attach_scratch(HnswBuild *build);
static float node_distance(const void *arg, const void *a, const void *b);
static void wait_for_others(HnswBuild *build);
static void set_work(HnswBuild *build, uint32 first, uint32 end);
static bool take_work(HnswBuild *build, uint32 chunk, uint32 *first, uint32 *end);
static void link_batches(HnswBuild *build);
static void connect_nodes(HnswBuild *build);
static void fill_nodes(HnswBuild *build);
static void order_nodes(HnswBuild *build);

/*
 * Links all nodes, gives each a path, and fills the places that are left.
 * Called in every process, when the nodes have been prepared.  The leader
 * returns when all is done.
 */
void
vdb_hnsw_link_nodes(HnswBuild *build)
{
	HnswGraph  *g = &build->graph;

	wait_for_others(build);
	attach_scratch(build);
	g->distance = node_distance;
	g->distance_arg = build;

	if (vdb_hnsw_is_leader(build))
		vdb_hnsw_build_phase(HNSW_PHASE_LINK, g->shared->count);
	link_batches(build);
	wait_for_others(build);

	if (vdb_hnsw_is_leader(build))
	{
		vdb_hnsw_build_phase(HNSW_PHASE_CONNECT, g->shared->count);
		connect_nodes(build);
		set_work(build, 0, g->shared->count);
		vdb_hnsw_build_phase(HNSW_PHASE_FILL, g->shared->count);
	}
	wait_for_others(build);
	fill_nodes(build);
	wait_for_others(build);
	if (vdb_hnsw_is_leader(build))
		order_nodes(build);
}

/*
 * The scratch memory of this process.
 */
static void
attach_scratch(HnswBuild *build)
{
	HnswParams	params = build->graph.params;

	params.capacity = Max(1, build->graph.shared->count);
	vdb_hnsw_scratch_attach(&build->scratch, &params,
							MemoryContextAllocExtended(CurrentMemoryContext,
													   vdb_hnsw_scratch_size(&params),
													   MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO));
}

/*
 * The distance of two stored vectors, scaled to float's range.
 */
static float
node_distance(const void *arg, const void *a, const void *b)
{
	const HnswBuild *build = (const HnswBuild *) arg;
	const HnswIndex *index = build->index;

	return (float) (build->shared->scale *
					vdb_quant_vector_distance(&index->layout, index->kernels, a, b));
}

/*
 * Waits until all processes are here.
 */
static void
wait_for_others(HnswBuild *build)
{
	if (build->nprocesses > 1)
		BarrierArriveAndWait(&build->shared->barrier, PG_WAIT_EXTENSION);
}

/*
 * Called by the leader while the others wait: nodes for all to work on.
 */
static void
set_work(HnswBuild *build, uint32 first, uint32 end)
{
	build->shared->first = first;
	build->shared->end = end;
	pg_atomic_write_u64(&build->shared->next, first);
}

/*
 * The next nodes for this process, at most chunk of them; false if there are
 * none left.
 */
static bool
take_work(HnswBuild *build, uint32 chunk, uint32 *first, uint32 *end)
{
	uint64		next = pg_atomic_fetch_add_u64(&build->shared->next, chunk);

	CHECK_FOR_INTERRUPTS();
	if (next >= build->shared->end)
		return false;
	*first = (uint32) next;
	*end = (uint32) Min(next + chunk, build->shared->end);
	return true;
}

/*
 * Links all nodes, batch after batch, with the barriers that G1 asks for.
 */
static void
link_batches(HnswBuild *build)
{
	HnswGraph  *g = &build->graph;
	HnswBuildShared *shared = build->shared;

	for (;;)
	{
		uint32		node;
		uint32		end;

		if (vdb_hnsw_is_leader(build))
			set_work(build, g->shared->linked,
					 Min(vdb_hnsw_next_batch(g), g->shared->linked + MAX_BATCH));
		wait_for_others(build);
		if (shared->first == shared->end)
			return;

		while (take_work(build, LINK_CHUNK, &node, &end))
		{
			for (; node < end; node++)
				vdb_hnsw_link_forward(g, &build->scratch, node);
		}
		wait_for_others(build);
		vdb_hnsw_link_back(g, &build->scratch, shared->first, shared->end,
						   build->process, build->nprocesses);
		wait_for_others(build);
		if (vdb_hnsw_is_leader(build))
		{
			vdb_hnsw_finish_batch(g, shared->end);
			pgstat_progress_update_param(PROGRESS_CREATEIDX_TUPLES_DONE, shared->end);
		}
	}
}

/*
 * Finds the anchors.  build->order is working memory here.
 */
static void
connect_nodes(HnswBuild *build)
{
	HnswGraph  *g = &build->graph;
	uint16	   *nchildren = (uint16 *)
		palloc_extended(sizeof(uint16) * Max(1, g->shared->count), MCXT_ALLOC_HUGE);

	vdb_hnsw_connect(g, &build->scratch, build->parent, build->order, nchildren);
	pfree(nchildren);
}

/*
 * Fills the nodes' free places.
 */
static void
fill_nodes(HnswBuild *build)
{
	uint32		node;
	uint32		end;

	while (take_work(build, FILL_CHUNK, &node, &end))
	{
		for (; node < end; node++)
			vdb_hnsw_fill(&build->graph, &build->scratch, node);
		if (vdb_hnsw_is_leader(build))
			pgstat_progress_update_param(PROGRESS_CREATEIDX_TUPLES_DONE, end);
	}
}

/*
 * Finds the order in which nodes are written.
 */
static void
order_nodes(HnswBuild *build)
{
	HnswParams	params = build->graph.params;
	void	   *work;

	params.capacity = Max(1, build->graph.shared->count);
	work = palloc_extended(vdb_hnsw_order_size(&params), MCXT_ALLOC_HUGE);
	vdb_hnsw_order(&build->graph, &build->scratch, build->index->nodes_per_page, work,
				   build->order);
	pfree(work);
}
