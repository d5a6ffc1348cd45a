/*-------------------------------------------------------------------------
 *
 * build_spill.c
 *	  Index builds in parts: rows go to files, and from there
 *	  through the partitions of partition.h to the writer of pages.
 *
 * Each process of the build writes the rows for which the block has no room to
 * a file of its own.  Then the leader moves what is in the block to its file,
 * too, gives the block to the partitions, and all rows.
 *
 *-------------------------------------------------------------------------
 */
#include "pg_compat.h"

#include <fcntl.h>

#include "commands/progress.h"
#include "hnsw/build.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "utils/memutils.h"

/*
 * Searches in partitions are narrower, by quarters: each row is searched for in
 * two of them, and gets the links of both.
 */
#define PART_WIDTH 3

/* The state of the partitions' hooks */
typedef struct Spill
{
	HnswBuild  *build;
	MemoryContext context;
	VdbQuantLayout layout;
	HnswPartitionPhase phase;
	bool		has_phase;
} Spill;

static void spill_nodes(HnswBuild *build);
static void add_rows(HnswBuild *build, HnswPartitions *partitions, BufFile *file, uint64 nrows);
static BufFile *open_spilled(HnswBuild *build, int process);
static void file_name(int process, char *name, size_t size);
static void *allocate(void *arg, Size size);
static void release(void *arg, void *memory);
static void *create_file(void *arg);
static void write_file(void *arg, void *file, const void *data, Size size);
static void read_file(void *arg, void *file, uint64 offset, void *data, Size size);
static void close_file(void *arg, void *file);
static void link_graph(void *arg, HnswGraph *g, HnswScratch *s);
static void fill_graph(void *arg, HnswGraph *g, HnswScratch *s, uint32 end);
static void report_progress(void *arg, HnswPartitionPhase phase, uint64 done, uint64 total);
static void emit_node(void *arg, const HnswPlacedNode *node);

/*
 * Writes a row to the file of this process: its stored vector and number.
 */
void
vdb_hnsw_spill_row(HnswBuild *build, const void *vector, uint64 row)
{
	if (build->spilled == NULL)
	{
		MemoryContext old = MemoryContextSwitchTo(build->context);

		if (vdb_hnsw_is_leader(build))
			build->spilled = BufFileCreateTemp(false);
		else
		{
			char		name[32];

			file_name(build->process, name, sizeof(name));
			build->spilled = BufFileCreateFileSet(&build->shared->files.fs, name);
		}
		MemoryContextSwitchTo(old);
	}
	BufFileWrite(build->spilled, &row, sizeof(row));
	BufFileWrite(build->spilled, unconstify(void *, vector), (Size) build->index->layout.vector_bytes);
	build->shared->loaded[build->process].nspilled++;
}

/*
 * Called when a process has loaded its rows: leaves a worker's file to the
 * leader.
 */
void
vdb_hnsw_end_spill(HnswBuild *build)
{
	if (build->spilled == NULL || vdb_hnsw_is_leader(build))
		return;
	BufFileExportFileSet(build->spilled);
	BufFileClose(build->spilled);
	build->spilled = NULL;
}

static void
file_name(int process, char *name, size_t size)
{
	snprintf(name, size, "rows.%d", process);
}

/*
 * What partitions are built with, but for the memory.  layout is filled, and
 * stays with them.
 */
HnswPartitionParams
vdb_hnsw_partition_params(const HnswIndex *index, VdbQuantLayout *layout)
{
	HnswPartitionParams params = {0};
	HnswParams	graph;

	vdb_hnsw_graph_params(&graph, index);
	*layout = index->layout;
	layout->slots = index->slots;
	layout->node_bytes = index->node_bytes;
	layout->nodes_per_page = index->nodes_per_page;
	layout->vector_pages = index->vector_pages;
	params.layout = layout;
	params.kernels = index->kernels;
	params.m = graph.m;
	params.level_ratio = graph.level_ratio;
	params.ef_construction = (graph.ef_construction * PART_WIDTH + 3) / 4;
	params.seed = graph.seed;
	return params;
}

/*
 * Builds the graphs of all rows that have been loaded, in the block or not.
 * The result is in the current context, and wants the block no more when it
 * has been emitted.
 */
HnswPartitions *
vdb_hnsw_build_partitions(HnswBuild *build, HnswPartitionResult *result)
{
	Spill	   *spill = (Spill *) palloc0(sizeof(Spill));
	HnswPartitionParams params = vdb_hnsw_partition_params(build->index, &spill->layout);
	HnswPartitionHooks hooks = {
		.arg = spill,
		.allocate = allocate,
		.release = release,
		.create_file = create_file,
		.write_file = write_file,
		.read_file = read_file,
		.close_file = close_file,
		.link = link_graph,
		.fill = fill_graph,
		.progress = report_progress
	};
	HnswPartitions *partitions;
	int			process;

	spill->build = build;
	spill->context = CurrentMemoryContext;
	build->is_partitioned = true;
	spill_nodes(build);

	/* from here on, what was loaded into the block is gone */
	params.memory = (char *) build->shared + vdb_hnsw_block_head();
	params.memory_size = build->shared->size.block - vdb_hnsw_block_head();
	partitions = vdb_hnsw_partition_begin(&params, &hooks);
	for (process = 0; process < build->nprocesses; process++)
	{
		uint64		nrows = build->shared->loaded[process].nspilled;
		BufFile    *file;

		if (nrows == 0)
			continue;
		file = open_spilled(build, process);
		add_rows(build, partitions, file, nrows);
		BufFileClose(file);
	}
	build->spilled = NULL;
	*result = vdb_hnsw_partition_build(partitions, vdb_hnsw_build_measure(build));
	return partitions;
}

/*
 * Moves the nodes in the block to the leader's file, each of their rows.
 */
static void
spill_nodes(HnswBuild *build)
{
	HnswBuildShared *shared = build->shared;
	uint64		nnodes = Min(pg_atomic_read_u64(&shared->nnodes), shared->size.params.capacity);
	uint32		node;

	for (node = 0; node < nnodes; node++)
	{
		uint32		row = build->first_row[node];

		for (; row != HNSW_NO_ROW; row = build->rows[row].next)
			vdb_hnsw_spill_row(build, vdb_hnsw_vector(&build->graph, node),
							   vdb_hnsw_tid_row(&build->rows[row].tid));
		CHECK_FOR_INTERRUPTS();
	}
}

/*
 * The file of a process, at its begin.
 */
static BufFile *
open_spilled(HnswBuild *build, int process)
{
	char		name[32];

	if (process == 0)
	{
		if (BufFileSeek(build->spilled, 0, 0, SEEK_SET) != 0)
			ereport(ERROR, (errcode_for_file_access(), errmsg("could not rewind temporary file")));
		return build->spilled;
	}
	file_name(process, name, sizeof(name));
	return BufFileOpenFileSet(&build->shared->files.fs, name, O_RDONLY, false);
}

/*
 * Gives the rows of a file to the partitions.
 */
static void
add_rows(HnswBuild *build, HnswPartitions *partitions, BufFile *file, uint64 nrows)
{
	Size		bytes = (Size) build->index->layout.vector_bytes;
	void	   *vector = palloc(bytes);
	uint64		i;

	for (i = 0; i < nrows; i++)
	{
		uint64		row;

		vdb_buffile_read(file, &row, sizeof(row));
		vdb_buffile_read(file, vector, bytes);
		vdb_hnsw_partition_add(partitions, vector, row);
		CHECK_FOR_INTERRUPTS();
	}
	pfree(vector);
}

/*
 * Writes the index of partitions, and ends them.
 */
void
vdb_hnsw_emit_partitions(HnswBuild *build, HnswPartitions *partitions,
						 const HnswPartitionResult *result, HnswMeta *meta)
{
	HnswWriterRoots roots;
	HnswWriter	writer;

	roots.entry = result->entry;
	roots.entry_level = result->max_level;
	roots.root = result->root;
	vdb_hnsw_build_phase(HNSW_PHASE_WRITE, (int64) result->nupper + result->nnodes);
	vdb_hnsw_write_begin(&writer, build->index, result->nupper, result->nnodes);
	vdb_hnsw_partition_emit(partitions, emit_node, &writer);
	vdb_hnsw_partition_end(partitions);
	vdb_hnsw_write_end(&writer, meta, &roots);
}

static void
emit_node(void *arg, const HnswPlacedNode *node)
{
	vdb_hnsw_write_node((HnswWriter *) arg, node);
}

/*
 * The partitions' hooks.
 */
static void *
allocate(void *arg, Size size)
{
	return MemoryContextAllocHuge(((Spill *) arg)->context, size);
}

static void
release(void *arg, void *memory)
{
	pfree(memory);
}

static void *
create_file(void *arg)
{
	MemoryContext old = MemoryContextSwitchTo(((Spill *) arg)->context);
	BufFile    *file = BufFileCreateTemp(false);

	MemoryContextSwitchTo(old);
	return file;
}

static void
write_file(void *arg, void *file, const void *data, Size size)
{
	BufFileWrite((BufFile *) file, unconstify(void *, data), size);
}

static void
read_file(void *arg, void *file, uint64 offset, void *data, Size size)
{
	if (BufFileSeek((BufFile *) file, 0, (off_t) offset, SEEK_SET) != 0)
		ereport(ERROR, (errcode_for_file_access(), errmsg("could not seek to position " UINT64_FORMAT " of a temporary file", offset)));
	vdb_buffile_read((BufFile *) file, data, size);
}

static void
close_file(void *arg, void *file)
{
	BufFileClose((BufFile *) file);
}

static void
link_graph(void *arg, HnswGraph *g, HnswScratch *s)
{
	vdb_hnsw_link_together(((Spill *) arg)->build, g, s);
}

static void
fill_graph(void *arg, HnswGraph *g, HnswScratch *s, uint32 end)
{
	vdb_hnsw_fill_together(((Spill *) arg)->build, g, s, end);
}

static void
report_progress(void *arg, HnswPartitionPhase phase, uint64 done, uint64 total)
{
	static const HnswPhase phases[] = {
		[HNSW_PARTITION_CLUSTER] = HNSW_PHASE_CLUSTER,
		[HNSW_PARTITION_UPPER] = HNSW_PHASE_LINK,
		[HNSW_PARTITION_DIVIDE] = HNSW_PHASE_DIVIDE,
		[HNSW_PARTITION_GRAPHS] = HNSW_PHASE_LINK,
		[HNSW_PARTITION_EMIT] = HNSW_PHASE_WRITE
	};
	Spill	   *spill = (Spill *) arg;

	CHECK_FOR_INTERRUPTS();
	if (phase != HNSW_PARTITION_EMIT && (!spill->has_phase || spill->phase != phase))
		vdb_hnsw_build_phase(phases[phase], (int64) total);
	spill->phase = phase;
	spill->has_phase = true;
	pgstat_progress_update_param(PROGRESS_CREATEIDX_TUPLES_DONE, (int64) done);
}
