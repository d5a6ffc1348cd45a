/*-------------------------------------------------------------------------
 *
 * partition.c
 *	  Builds in parts: the steps from rows to files of nodes.
 *
 * See README.md, "Builds in parts".  Rows go to a file as they come;
 * then the upper levels are built, then centroids are found from a sample, the
 * rows are divided, and the graph of one partition after the other is built.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "hnsw/partition_internal.h"

/* Nodes that the memory must have room for at least */
#define LEAST_CAPACITY 64

/* Vectors that centroids are found from */
#define MAX_SAMPLE 65536

/* How full partitions shall be: their sizes vary about what the sample said. */
#define PART_FILL 0.8

static uint32 find_capacity(const HnswPartitionParams *params, uint64 nrows);
static int	count_parts(const HnswPartitions *p);

/*
 * The memory without which nothing can be built.
 */
Size
vdb_hnsw_partition_least_memory(const HnswPartitionParams *params)
{
	HnswParams	graph = vdb_hnsw_partition_graph_params(params, LEAST_CAPACITY);

	return vdb_hnsw_partition_work_size(params, &graph);
}

/*
 * Begins a build.  What params points to stays the caller's and stays there.
 */
HnswPartitions *
vdb_hnsw_partition_begin(const HnswPartitionParams *params,
						 const HnswPartitionHooks *hooks)
{
	HnswPartitions *p = hooks->allocate(hooks->arg, sizeof(HnswPartitions));
	const VdbQuantLayout *layout = params->layout;

	memset(p, 0, sizeof(*p));
	p->params = *params;
	p->hooks = *hooks;
	p->vector_bytes = (Size) layout->vector_bytes;
	p->record_bytes = sizeof(HnswRecord) + p->vector_bytes;
	p->factor_bytes = layout->bits == 0 ? 0 : VDB_SLOT_FACTOR_BYTES + (Size) layout->code_bytes;
	p->node_bytes = sizeof(HnswNodeHead) + p->vector_bytes +
		(Size) Max(layout->slots, params->m) * (sizeof(HnswFileLink) + p->factor_bytes);
	p->buffer = hooks->allocate(hooks->arg, MAXALIGN(p->record_bytes) + MAXALIGN(p->node_bytes));
	p->node = p->buffer + MAXALIGN(p->record_bytes);
	p->sample_size = Min(MAX_SAMPLE, params->memory_size / 2 / p->vector_bytes);
	p->targets = hooks->allocate(hooks->arg, sizeof(void *) * (Size) (Max(layout->slots, params->m) + 1));
	p->encoder_memory = hooks->allocate(hooks->arg, Max(1, vdb_quant_encoder_size(layout)));
	p->entry_id = HNSW_NO_NODE;
	return p;
}

/*
 * Takes a row: the stored form of its vector, and what the caller knows it by.
 * There are less than 2^32 - 1.
 */
void
vdb_hnsw_partition_add(HnswPartitions *p, const void *vector, uint64 row)
{
	HnswParams	graph = vdb_hnsw_partition_graph_params(&p->params, 0);
	HnswRecord	record = {row, (uint32) p->nrows, 0};
	uint64		place = p->nrows;

	memcpy(p->buffer, &record, sizeof(record));
	memcpy(p->buffer + sizeof(record), vector, p->vector_bytes);
	vdb_hnsw_partition_write(p, &p->all, p->buffer, p->record_bytes);
	if (vdb_hnsw_level_of(&graph, record.id) > 0)
		vdb_hnsw_partition_write(p, &p->upper, p->buffer, p->record_bytes);

	/* each row is in the sample with the same probability */
	if (place >= p->sample_size)
		place = vdb_hnsw_mix(p->params.seed + p->nrows) % (p->nrows + 1);
	if (place < p->sample_size)
		memcpy((char *) p->params.memory + place * p->vector_bytes, vector, p->vector_bytes);
	p->nrows++;
	p->nsample = Min(p->nrows, p->sample_size);
}

/*
 * Builds the graph of all rows, whose stored vectors are compared as measure
 * says.
 */
HnswPartitionResult
vdb_hnsw_partition_build(HnswPartitions *p, HnswMeasure measure)
{
	Size		nrows = Max(1, (Size) p->nrows);

	p->measure = measure;
	p->result.entry = p->result.root = HNSW_NO_NODE;
	if (p->nrows == 0)
		return p->result;
	p->position = p->hooks.allocate(p->hooks.arg, nrows * sizeof(uint32));
	p->list_at = p->hooks.allocate(p->hooks.arg, nrows * sizeof(uint64));
	memset(p->list_at, 0xFF, nrows * sizeof(uint64));
	p->capacity = find_capacity(&p->params, p->nrows);

	/* the sample is in the memory that graphs need */
	vdb_hnsw_partition_cluster(p, count_parts(p));
	vdb_hnsw_partition_upper(p);
	vdb_hnsw_partition_divide(p);
	vdb_hnsw_partition_graphs(p);

	p->result.entry = 0;
	p->result.root = p->result.nupper;
	return p->result;
}

/*
 * Nodes that fit in the memory at a time; no more than there are rows.
 */
static uint32
find_capacity(const HnswPartitionParams *params, uint64 nrows)
{
	uint32		low = Min(LEAST_CAPACITY, (uint32) nrows); /* fits */
	uint32		high = (uint32) nrows; /* if it fits */

	while (low < high)
	{
		uint32		middle = low + (high - low + 1) / 2;
		HnswParams	graph = vdb_hnsw_partition_graph_params(params, middle);

		if ((Size) middle * graph.stride < params->memory_size &&
			vdb_hnsw_partition_work_size(params, &graph) <= params->memory_size)
			low = middle;
		else
			high = middle - 1;
	}
	return low;
}

/*
 * The number of partitions: each row is in two, unless there is only one.
 */
static int
count_parts(const HnswPartitions *p)
{
	double		parts = ceil(2 * (double) p->nrows / (p->capacity * PART_FILL));

	return p->capacity >= p->nrows ? 1 : (int) Min(parts, HNSW_MAX_PARTS);
}

/*
 * Ends a build, finished or not: closes its files and releases its memory.
 */
void
vdb_hnsw_partition_end(HnswPartitions *p)
{
	HnswPartitionHooks hooks = p->hooks;
	int			i;

	for (i = 0; i < p->nparts; i++)
	{
		vdb_hnsw_partition_close(p, &p->parts[i].own);
		vdb_hnsw_partition_close(p, &p->parts[i].borrowed);
		vdb_hnsw_partition_close(p, &p->parts[i].lists);
	}
	vdb_hnsw_partition_close(p, &p->all);
	vdb_hnsw_partition_close(p, &p->upper);
	vdb_hnsw_partition_close(p, &p->nodes);
	vdb_hnsw_partition_close(p, &p->upper_nodes);
	if (p->parts != NULL)
		hooks.release(hooks.arg, p->parts);
	if (p->position != NULL)
		hooks.release(hooks.arg, p->position);
	if (p->list_at != NULL)
		hooks.release(hooks.arg, p->list_at);
	hooks.release(hooks.arg, p->buffer);
	hooks.release(hooks.arg, p->targets);
	hooks.release(hooks.arg, p->encoder_memory);
	hooks.release(hooks.arg, p);
}

/*
 * Writes to the end of a file, which is created if need be.
 */
void
vdb_hnsw_partition_write(HnswPartitions *p, HnswFile *file, const void *data, Size size)
{
	if (file->handle == NULL)
		file->handle = p->hooks.create_file(p->hooks.arg);
	p->hooks.write_file(p->hooks.arg, file->handle, data, size);
	file->size += size;
}

/*
 * Closes a file, if it is there, which is then no more.
 */
void
vdb_hnsw_partition_close(HnswPartitions *p, HnswFile *file)
{
	if (file->handle != NULL)
		p->hooks.close_file(p->hooks.arg, file->handle);
	file->handle = NULL;
	file->size = 0;
}

float
vdb_hnsw_partition_distance(const HnswPartitions *p, const void *a, const void *b)
{
	return p->measure.distance(p->measure.arg, a, b);
}
