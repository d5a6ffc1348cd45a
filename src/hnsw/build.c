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

/* Of the levels of nodes; any number will do. */
#define LEVEL_SEED UINT64CONST(0x2545F4914F6CDD1D)

/* Rows that may come beyond the estimate, before a second attempt is due */
#define ESTIMATE_MARGIN 1.15
#define ESTIMATE_EXTRA 1000

static void plan_size(HnswBuildSize *size, const HnswIndex *index, double nrows);
static void build_serial(HnswBuild *build, const HnswMeta *meta, const HnswBuildSize *size);
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

	if (RelationGetNumberOfBlocks(index) != 0)
		elog(ERROR, "index \"%s\" already contains data", RelationGetRelationName(index));

	memset(&build, 0, sizeof(build));
	vdb_hnsw_plan_layout(&meta, index);
	build.heap = heap;
	build.info = info;
	build.index = vdb_hnsw_open_meta(index, &meta);
	plan_size(&size, build.index,
			  vdb_hnsw_estimate_rows(heap) * ESTIMATE_MARGIN + ESTIMATE_EXTRA);

	build_serial(&build, &meta, &size);
	meta.typical_norm = typical_norm(&build);
	vdb_hnsw_emit_graph(&build, &meta);

	MemoryContextSwitchTo(old);
	result = form_result(&build);
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

	vdb_hnsw_plan_layout(&meta, index);
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
 * Sizes for a build with at most nrows rows.
 */
static void
plan_size(HnswBuildSize *size, const HnswIndex *index, double nrows)
{
	memset(size, 0, sizeof(*size));
	size->row_capacity = (uint32) Min(nrows, HNSW_NO_ROW - 1);
	size->nprocesses = 1;
	size->params.capacity = size->row_capacity;
	size->params.stride = (Size) index->layout.vector_bytes;
	size->params.m = Min(index->m, index->slots);
	size->params.max_links0 = index->slots;
	size->params.level_ratio = vdb_hnsw_level_ratio(index->m);
	size->params.ef_construction = index->ef_construction;
	size->params.seed = LEVEL_SEED;
}

/*
 * All steps but the last in this process, in private memory.
 */
static void
build_serial(HnswBuild *build, const HnswMeta *meta, const HnswBuildSize *size)
{
	HnswBuildSize try = *size;

	build->process = 0;
	build->nprocesses = 1;
	for (;;)
	{
		void	   *memory = MemoryContextAllocHuge(CurrentMemoryContext,
													vdb_hnsw_build_size(&try));

		vdb_hnsw_build_attach(build, &try, memory, true);
		build->shared->meta = *meta;
		vdb_hnsw_build_phase(HNSW_PHASE_LOAD, (int64) try.row_capacity);
		vdb_hnsw_load(build, NULL);
		if (vdb_hnsw_load_fits(build))
			break;

		/* more rows than estimated: now their number is known */
		plan_size(&try, build->index, (double) pg_atomic_read_u64(&build->shared->nrows));
		pfree(memory);
	}
	vdb_hnsw_prepare_nodes(build);
	vdb_hnsw_link_nodes(build);
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
