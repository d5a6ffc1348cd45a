/*-------------------------------------------------------------------------
 *
 * build_graph.c
 *	  Work on a graph that the processes of an index build do together.
 *
 * The leader gives a command, all processes follow it, and meet at its end.
 * The same code runs in the one process of a serial build, where nobody waits.
 * The graph's own functions never wait or look for interrupts.
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

/* Distances that are computed at once */
#define DISTANCE_CHUNK 8

/* The first nodes make batches that are not worth a meeting. */
#define ALONE_NODES 4096

/* At most so many nodes are linked between two looks for interrupts. */
#define MAX_BATCH 32768

static float distance(const void *arg, const void *a, const void *b);
static void distances(const void *arg, HnswPoint from, const HnswPoint *to, int n, float *out);
static void make_proxy(const void *arg, const void *vector, void *proxy);
static void give_command(HnswBuild *build, HnswCommand command, const HnswGraph *g);
static void set_work(HnswBuild *build, uint32 first, uint32 end);
static bool take_work(HnswBuild *build, uint32 chunk, uint32 *first, uint32 *end);
static void link_alone(HnswBuild *build, HnswGraph *g, HnswScratch *s, uint32 limit);
static void link_batches(HnswBuild *build, HnswGraph *g, HnswScratch *s);
static void fill_nodes(HnswBuild *build, HnswGraph *g, HnswScratch *s);

/*
 * Waits until all processes are here.
 */
void
vdb_hnsw_meet(HnswBuild *build)
{
	if (build->nprocesses > 1)
		BarrierArriveAndWait(&build->shared->barrier, PG_WAIT_EXTENSION);
}

/*
 * Links all nodes of a graph in the block.  Called by the leader.
 */
void
vdb_hnsw_link_together(HnswBuild *build, HnswGraph *g, HnswScratch *s)
{
	link_alone(build, g, s, Min(ALONE_NODES, g->shared->count));
	give_command(build, HNSW_COMMAND_LINK, g);
	link_batches(build, g, s);
}

/*
 * Links batches up to a node while the other processes wait.
 */
static void
link_alone(HnswBuild *build, HnswGraph *g, HnswScratch *s, uint32 limit)
{
	while (g->shared->linked < limit)
	{
		uint32		first = g->shared->linked;
		uint32		end = vdb_hnsw_next_batch(g);
		uint32		node;

		for (node = first; node < end; node++)
		{
			CHECK_FOR_INTERRUPTS();
			vdb_hnsw_link_forward(g, s, node);
		}
		vdb_hnsw_link_back(g, s, first, end, 0, 1);
		vdb_hnsw_finish_batch(g, end);
		if (!build->is_partitioned)
			pgstat_progress_update_param(PROGRESS_CREATEIDX_TUPLES_DONE, end);
	}
}

/*
 * Fills the places for links of the nodes before end.  Called by the leader.
 */
void
vdb_hnsw_fill_together(HnswBuild *build, HnswGraph *g, HnswScratch *s, uint32 end)
{
	set_work(build, 0, end);
	give_command(build, HNSW_COMMAND_FILL, g);
	fill_nodes(build, g, s);
}

/*
 * Lets the other processes end.
 */
void
vdb_hnsw_dismiss(HnswBuild *build)
{
	build->shared->command = HNSW_COMMAND_END;
	vdb_hnsw_meet(build);
}

/*
 * What a process that is not the leader does after loading: follow commands.
 */
void
vdb_hnsw_follow(HnswBuild *build)
{
	HnswBuildShared *shared = build->shared;
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "hnsw build command",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);

	for (;;)
	{
		HnswGraph	g;
		HnswScratch s;

		vdb_hnsw_meet(build);
		if (shared->command == HNSW_COMMAND_END)
			break;
		vdb_hnsw_graph_attach(&g, &shared->params, (char *) shared + shared->graph_offset, false);
		g.measure = vdb_hnsw_build_measure(build);
		vdb_hnsw_build_scratch(&g, &s);
		if (shared->command == HNSW_COMMAND_LINK)
			link_batches(build, &g, &s);
		else
			fill_nodes(build, &g, &s);
		MemoryContextReset(context);
	}
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
}

/*
 * Makes s scratch memory for g in the current context.
 */
void
vdb_hnsw_build_scratch(const HnswGraph *g, HnswScratch *s)
{
	HnswParams	params = g->params;

	params.capacity = Max(1, g->shared->count);
	vdb_hnsw_scratch_attach(s, &params,
							MemoryContextAllocExtended(CurrentMemoryContext,
													   vdb_hnsw_scratch_size(&params),
													   MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO));
}

/*
 * How a process compares the vectors of a graph.
 */
HnswMeasure
vdb_hnsw_build_measure(const HnswBuild *build)
{
	HnswMeasure measure = {distance, distances, make_proxy, build};

	return measure;
}

/*
 * The distance of two stored vectors, scaled to float's range; arg is the
 * build.
 */
static float
distance(const void *arg, const void *a, const void *b)
{
	const HnswBuild *build = (const HnswBuild *) arg;
	const HnswIndex *index = build->index;

	return (float) (build->shared->scale *
					vdb_quant_vector_distance(&index->layout, index->kernels, a, b));
}

/*
 * The same from one vector to n others, which have proxies.
 */
static void
distances(const void *arg, HnswPoint from, const HnswPoint *to, int n, float *out)
{
	const HnswBuild *build = (const HnswBuild *) arg;
	const HnswIndex *index = build->index;
	VdbProxied	a = {from.vector, from.proxy};
	int			i;

	for (i = 0; i < n; i += DISTANCE_CHUNK)
	{
		int			count = Min(n - i, DISTANCE_CHUNK);
		VdbProxied	b[DISTANCE_CHUNK];
		int			j;

		for (j = 0; j < count; j++)
			b[j] = (VdbProxied){to[i + j].vector, to[i + j].proxy};
		vdb_quant_proxy_distances(&index->layout, index->kernels, build->shared->scale, a, b,
								  count, out + i);
	}
}

static void
make_proxy(const void *arg, const void *vector, void *proxy)
{
	const HnswIndex *index = ((const HnswBuild *) arg)->index;

	vdb_quant_make_proxy(&index->layout, index->kernels, vector, proxy);
}

static void
give_command(HnswBuild *build, HnswCommand command, const HnswGraph *g)
{
	build->shared->command = command;
	build->shared->params = g->params;
	build->shared->graph_offset = (Size) ((char *) g->shared - (char *) build->shared);
	vdb_hnsw_meet(build);
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
link_batches(HnswBuild *build, HnswGraph *g, HnswScratch *s)
{
	HnswBuildShared *shared = build->shared;

	for (;;)
	{
		uint32		node;
		uint32		end;

		if (vdb_hnsw_is_leader(build))
			set_work(build, g->shared->linked,
					 Min(vdb_hnsw_next_batch(g), g->shared->linked + MAX_BATCH));
		vdb_hnsw_meet(build);
		if (shared->first == shared->end)
			break;

		while (take_work(build, LINK_CHUNK, &node, &end))
		{
			for (; node < end; node++)
				vdb_hnsw_link_forward(g, s, node);
		}
		vdb_hnsw_meet(build);
		vdb_hnsw_link_back(g, s, shared->first, shared->end, build->process, build->nprocesses);
		vdb_hnsw_meet(build);
		if (vdb_hnsw_is_leader(build))
		{
			vdb_hnsw_finish_batch(g, shared->end);
			if (!build->is_partitioned)
				pgstat_progress_update_param(PROGRESS_CREATEIDX_TUPLES_DONE, shared->end);
		}
	}

	/* the leader changes the work only when all have seen its end */
	vdb_hnsw_meet(build);
}

/*
 * Fills the places of all nodes of the work.
 */
static void
fill_nodes(HnswBuild *build, HnswGraph *g, HnswScratch *s)
{
	uint32		node;
	uint32		end;

	while (take_work(build, FILL_CHUNK, &node, &end))
	{
		for (; node < end; node++)
			vdb_hnsw_fill(g, s, node);
		if (vdb_hnsw_is_leader(build) && !build->is_partitioned)
			pgstat_progress_update_param(PROGRESS_CREATEIDX_TUPLES_DONE, end);
	}
	vdb_hnsw_meet(build);
}
