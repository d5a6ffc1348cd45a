/*-------------------------------------------------------------------------
 *
 * build.c
 *	  CREATE INDEX: the steps of an index build.
 *
 *-------------------------------------------------------------------------
 */
#include "pg_compat.h"

#include "catalog/index.h"
#include "commands/progress.h"
#include "hnsw/am.h"
#include "hnsw/build.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "utils/memutils.h"

/* Rows that may come beyond the estimate, before a second attempt is due */
#define ESTIMATE_MARGIN 1.15
#define ESTIMATE_EXTRA 1000

static HnswTeam *load_rows(HnswBuild *build, HnswBuildSize *size, const HnswMeta *meta);
static void build_at_once(HnswBuild *build, HnswTeam *team, HnswMeta *meta);
static void build_in_parts(HnswBuild *build, HnswTeam *team, HnswMeta *meta);
static void connect_nodes(HnswBuild *build, HnswScratch *scratch);
static void order_nodes(HnswBuild *build, HnswScratch *scratch);
static double typical_norm(const HnswBuild *build);
static IndexBuildResult *form_result(const HnswBuild *build);

/*
 * Builds an index in its empty relation (ambuild).
 */
IndexBuildResult *
vdb_hnsw_build(Relation heap, Relation index, IndexInfo *info)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "hnsw build",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	IndexBuildResult *result;
	HnswMeta	meta;
	HnswBuild	build;
	HnswBuildSize size;
	HnswTeam   *team;

	if (RelationGetNumberOfBlocks(index) != 0)
		elog(ERROR, "index \"%s\" already contains data", RelationGetRelationName(index));

	memset(&build, 0, sizeof(build));
	vdb_hnsw_plan_layout(&meta, index, vdb_hnsw_sample_elements(heap, index, info));
	build.context = context;
	build.heap = heap;
	build.info = info;
	build.index = vdb_hnsw_open_meta(index, &meta);
	vdb_hnsw_plan_size(&size, build.index,
					   vdb_hnsw_estimate_rows(heap) * ESTIMATE_MARGIN + ESTIMATE_EXTRA,
					   1 + vdb_hnsw_plan_workers(heap, index));
	vdb_hnsw_announce_size(&size, build.index);

	team = load_rows(&build, &size, &meta);
	MemoryContextSwitchTo(old);
	result = form_result(&build);
	MemoryContextSwitchTo(context);
	meta.typical_norm = typical_norm(&build);
	vdb_hnsw_set_scale(&build);
	if (vdb_hnsw_load_fits(&build))
		build_at_once(&build, team, &meta);
	else
		build_in_parts(&build, team, &meta);
	if (team != NULL)
		vdb_hnsw_free_team(team);

	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
	return result;
}

/*
 * The init fork of an unlogged index (ambuildempty).
 */
void
vdb_hnsw_build_empty(Relation index)
{
	HnswMeta	meta;

	vdb_hnsw_plan_layout(&meta, index, 0);
	vdb_hnsw_write_empty(index, INIT_FORKNUM, &meta);
}

/*
 * Names of the phases in pg_stat_progress_create_index (ambuildphasename).
 */
char *
vdb_hnsw_build_phase_name(int64 phase)
{
	switch (phase)
	{
		case PROGRESS_CREATEIDX_SUBPHASE_INITIALIZE:
			return "initializing";
		case HNSW_PHASE_LOAD:
			return "loading tuples";
		case HNSW_PHASE_CLUSTER:
			return "finding partitions";
		case HNSW_PHASE_DIVIDE:
			return "dividing tuples";
		case HNSW_PHASE_LINK:
			return "building graph";
		case HNSW_PHASE_CONNECT:
			return "connecting nodes";
		case HNSW_PHASE_FILL:
			return "filling nodes";
		case HNSW_PHASE_WRITE:
			return "writing pages";
		case HNSW_PHASE_LOG:
			return "logging pages";
		default:
			return NULL;
	}
}

/*
 * Reports the begin of a phase of total tuples or nodes.
 */
void
vdb_hnsw_build_phase(HnswPhase phase, int64 total)
{
	const int	columns[] = {PROGRESS_CREATEIDX_SUBPHASE, PROGRESS_CREATEIDX_TUPLES_TOTAL,
						   PROGRESS_CREATEIDX_TUPLES_DONE
};
	const int64 values[] = {phase, total, 0};

	pgstat_progress_update_multi_param(lengthof(columns), columns, values);
}

/*
 * Loads all rows, by as many processes as size says if there is shared memory
 * for them.  Returns the team if there is one; build->nprocesses says how many
 * have loaded.
 */
static HnswTeam *
load_rows(HnswBuild *build, HnswBuildSize *size, const HnswMeta *meta)
{
	for (;;)
	{
		HnswTeam   *team = NULL;
		void	   *memory = NULL;
		double		nrows;

		build->process = 0;
		build->nprocesses = 1;
		if (size->nprocesses > 1)
			team = vdb_hnsw_start_team(build, size, meta);
		vdb_hnsw_build_phase(HNSW_PHASE_LOAD, (int64) size->row_capacity);
		if (team != NULL)
			vdb_hnsw_load_together(build, team);
		else
		{
			size->nprocesses = 1;
			memory = MemoryContextAllocHuge(CurrentMemoryContext, size->block);
			vdb_hnsw_build_attach(build, size, memory, true);
			build->shared->meta = *meta;
			vdb_hnsw_load(build, NULL);
		}
		if (size->is_limited || vdb_hnsw_load_fits(build))
			return team;

		/* more rows than estimated: now their number is known */
		nrows = (double) pg_atomic_read_u64(&build->shared->nrows);
		if (team != NULL)
		{
			vdb_hnsw_end_team(build, team);
			vdb_hnsw_free_team(team);
		}
		else
			pfree(memory);
		vdb_hnsw_plan_size(size, build->index, nrows, size->nprocesses);
		vdb_hnsw_announce_size(size, build->index);
	}
}

/*
 * Makes the graph of the loaded nodes in memory, and writes it.
 */
static void
build_at_once(HnswBuild *build, HnswTeam *team, HnswMeta *meta)
{
	HnswGraph  *g = &build->graph;
	HnswScratch scratch;

	g->measure = vdb_hnsw_build_measure(build);
	vdb_hnsw_prepare_nodes(build);
	vdb_hnsw_build_scratch(g, &scratch);

	vdb_hnsw_build_phase(HNSW_PHASE_LINK, g->shared->count);
	vdb_hnsw_link_together(build, g, &scratch);
	vdb_hnsw_build_phase(HNSW_PHASE_CONNECT, g->shared->count);
	connect_nodes(build, &scratch);
	vdb_hnsw_build_phase(HNSW_PHASE_FILL, g->shared->count);
	vdb_hnsw_fill_together(build, g, &scratch, g->shared->count);
	order_nodes(build, &scratch);
	if (team != NULL)
		vdb_hnsw_end_team(build, team);
	vdb_hnsw_emit_graph(build, meta);
}

/*
 * The same for rows that memory has no room for.
 */
static void
build_in_parts(HnswBuild *build, HnswTeam *team, HnswMeta *meta)
{
	HnswPartitionResult result;
	HnswPartitions *partitions = vdb_hnsw_build_partitions(build, &result);

	if (team != NULL)
		vdb_hnsw_end_team(build, team);
	vdb_hnsw_emit_partitions(build, partitions, &result, meta);
}

/*
 * Finds the anchors.  build->order is working memory here.
 */
static void
connect_nodes(HnswBuild *build, HnswScratch *scratch)
{
	HnswGraph  *g = &build->graph;
	uint16	   *nchildren = (uint16 *)
		palloc_extended(sizeof(uint16) * Max(1, g->shared->count), MCXT_ALLOC_HUGE);

	vdb_hnsw_connect(g, scratch, build->parent, build->order, nchildren);
	pfree(nchildren);
}

/*
 * Finds the order in which nodes are written.
 */
static void
order_nodes(HnswBuild *build, HnswScratch *scratch)
{
	HnswParams	params = build->graph.params;
	void	   *work;

	params.capacity = Max(1, build->graph.shared->count);
	work = palloc_extended(vdb_hnsw_order_size(&params), MCXT_ALLOC_HUGE);
	vdb_hnsw_order(&build->graph, scratch, build->index->nodes_per_page, work, build->order);
	pfree(work);
}

/*
 * The mean norm of the vectors, 0 if there are none.
 */
static double
typical_norm(const HnswBuild *build)
{
	double		nindexed = 0;
	double		sum = 0;
	int			i;

	for (i = 0; i < build->nprocesses; i++)
	{
		nindexed += build->shared->loaded[i].nindexed;
		sum += build->shared->loaded[i].norm_sum;
	}
	return nindexed > 0 ? sum / nindexed : 0;
}

/*
 * What the server wants to know, in the current context.
 */
static IndexBuildResult *
form_result(const HnswBuild *build)
{
	IndexBuildResult *result = (IndexBuildResult *) palloc0(sizeof(IndexBuildResult));
	int			i;

	for (i = 0; i < build->nprocesses; i++)
	{
		const HnswLoaded *loaded = &build->shared->loaded[i];

		result->heap_tuples += loaded->nrows;
		result->index_tuples += loaded->nindexed;
		if (loaded->has_broken_chain)
			build->info->ii_BrokenHotChain = true;
	}
	return result;
}
