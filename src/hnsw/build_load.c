/*-------------------------------------------------------------------------
 *
 * build_load.c
 *	  The first step of an index build: rows of the table become nodes.
 *
 * Each process scans a part of the table, and unites the rows whose vectors
 * are stored with the same bytes.  Places for nodes and rows come from
 * counters that all processes share.  When they have run out because more rows
 * came than were estimated, the rest is only counted, so that the next attempt
 * has the right size; when memory is at its limit, it goes to files.
 *
 *-------------------------------------------------------------------------
 */
#include "pg_compat.h"

#include <math.h>

#include "access/tableam.h"
#include "commands/progress.h"
#include "common/hashfn.h"
#include "common/pg_prng.h"
#include "hnsw/build.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "utils/memutils.h"

/* Of numbering the nodes; any number will do. */
#define ORDER_SEED UINT64CONST(0x5851F42D4C957F2D)

/* Distances are scaled so that none exceeds this power of two. */
#define MAX_DISTANCE_EXPONENT 122

/* A node in the map of vectors */
typedef struct KnownNode
{
	uint32		node;			/* CANDIDATE: the vector in question */
	uint32		hash;
	char		status;
} KnownNode;

#define CANDIDATE PG_UINT32_MAX

/* What the map needs to see the vectors */
typedef struct KnownVectors
{
	const HnswGraph *graph;
	const void *candidate;
	uint32		candidate_hash;
	Size		bytes;
} KnownVectors;

static inline const void *
known_vector(const KnownVectors *vectors, uint32 node)
{
	return node == CANDIDATE ? vectors->candidate : vdb_hnsw_vector(vectors->graph, node);
}

static inline bool
known_equal(const KnownVectors *vectors, uint32 a, uint32 b)
{
	return memcmp(known_vector(vectors, a), known_vector(vectors, b), vectors->bytes) == 0;
}

/* Only candidates are looked up. */
#define SH_PREFIX known
#define SH_ELEMENT_TYPE KnownNode
#define SH_KEY_TYPE uint32
#define SH_KEY node
#define SH_HASH_KEY(table, key) (((KnownVectors *) (table)->private_data)->candidate_hash)
#define SH_EQUAL(table, a, b) known_equal((KnownVectors *) (table)->private_data, a, b)
#define SH_STORE_HASH
#define SH_GET_HASH(table, element) ((element)->hash)
#define SH_SCOPE static inline
#define SH_DECLARE
#define SH_DEFINE
#include "lib/simplehash.h"

/* The load of one process */
typedef struct Load
{
	HnswBuild  *build;
	HnswValue	value;
	KnownVectors vectors;
	known_hash *known;
	MemoryContext row_context;	/* reset after each row */
	HnswLoaded *loaded;
} Load;

static void load_row(Relation relation, ItemPointer tid, Datum *values, bool *isnull,
					 bool is_alive, void *arg);
static uint32 find_node(Load *load);
static void unite_equal(HnswBuild *build);
static void number_nodes(HnswBuild *build);

/*
 * Loads the rows of this process: all of the table, from its first page on, if
 * scan is NULL, otherwise those that the parallel scan gives to it.
 */
void
vdb_hnsw_load(HnswBuild *build, TableScanDesc scan)
{
	HnswIndex  *index = build->index;
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "hnsw load",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	Load		load;

	load.build = build;
	vdb_hnsw_value_attach(index, &load.value, palloc0(vdb_hnsw_value_size(index)));
	load.vectors.graph = &build->graph;
	load.vectors.candidate = load.value.stored;
	load.vectors.candidate_hash = 0;
	load.vectors.bytes = (Size) index->layout.vector_bytes;
	load.known = known_create(context, 1024, &load.vectors);
	load.row_context = AllocSetContextCreate(context, "hnsw load of a row",
											 ALLOCSET_DEFAULT_SIZES);
	load.loaded = &build->shared->loaded[build->process];
	MemoryContextSwitchTo(old);

	load.loaded->nrows =
		table_index_build_scan(build->heap, index->relation, build->info, scan != NULL,
							   vdb_hnsw_is_leader(build), load_row, &load, scan);
	load.loaded->has_broken_chain = build->info->ii_BrokenHotChain;
	MemoryContextDelete(context);
	vdb_hnsw_end_spill(build);
}

/*
 * Takes a row that the scan has found.
 */
static void
load_row(Relation relation, ItemPointer tid, Datum *values, bool *isnull,
		 bool is_alive, void *arg)
{
	Load	   *load = (Load *) arg;
	HnswBuild  *build = load->build;
	HnswBuildShared *shared = build->shared;
	HnswLoaded *loaded = load->loaded;
	MemoryContext old;
	uint32		node;
	uint64		row;
	double		norm;

	if (isnull[0])
		return;
	old = MemoryContextSwitchTo(load->row_context);
	if (vdb_hnsw_form_value(build->index, values[0], &load->value))
	{
		row = pg_atomic_fetch_add_u64(&shared->nrows, 1);
		node = row < shared->size.row_capacity ? find_node(load) : HNSW_NO_NODE;
		if (node != HNSW_NO_NODE)
		{
			build->rows[row].tid = *tid;
			build->rows[row].unused = 0;
			build->rows[row].next = build->first_row[node];
			build->first_row[node] = (uint32) row;
		}
		else if (shared->size.is_limited)
			vdb_hnsw_spill_row(build, load->value.stored, vdb_hnsw_tid_row(tid));
		norm = ldexp(load->value.rotated.norm, load->value.rotated.exponent);
		loaded->norm_sum += norm;
		loaded->max_norm = Max(loaded->max_norm, norm);
		loaded->nindexed++;
		if (vdb_hnsw_is_leader(build))
			pgstat_progress_update_param(PROGRESS_CREATEIDX_TUPLES_DONE, (int64) row + 1);
	}
	MemoryContextSwitchTo(old);
	MemoryContextReset(load->row_context);
}

/*
 * The node of the value at hand: one of this process that has the same stored
 * bytes, or a new one; HNSW_NO_NODE if there is no room for it.
 */
static uint32
find_node(Load *load)
{
	HnswBuild  *build = load->build;
	HnswBuildShared *shared = build->shared;
	KnownNode  *entry;
	uint64		node;
	bool		found;

	load->vectors.candidate_hash = hash_bytes(load->value.stored, (int) load->vectors.bytes);
	entry = known_insert(load->known, CANDIDATE, &found);
	if (found)
		return entry->node;

	node = pg_atomic_fetch_add_u64(&shared->nnodes, 1);
	if (node >= shared->size.params.capacity)
	{
		known_delete_item(load->known, entry);
		return HNSW_NO_NODE;
	}
	entry->node = (uint32) node;
	memcpy(build->graph.vectors + node * build->graph.params.stride, load->value.stored,
		   load->vectors.bytes);
	build->hashes[node] = load->vectors.candidate_hash;
	build->first_row[node] = HNSW_NO_ROW;
	return (uint32) node;
}

/*
 * Whether there was room for all rows, when all processes have loaded theirs.
 */
bool
vdb_hnsw_load_fits(const HnswBuild *build)
{
	HnswBuildShared *shared = build->shared;

	return pg_atomic_read_u64(&shared->nrows) <= shared->size.row_capacity &&
		pg_atomic_read_u64(&shared->nnodes) <= shared->size.params.capacity;
}

/*
 * Makes what all processes have loaded the nodes of the graph.
 */
void
vdb_hnsw_prepare_nodes(HnswBuild *build)
{
	if (build->nprocesses > 1)
		unite_equal(build);
	number_nodes(build);
}

/*
 * Unites nodes with the same stored bytes.  Each process has none, but two
 * processes may have the same.
 */
static void
unite_equal(HnswBuild *build)
{
	uint32		n = (uint32) pg_atomic_read_u64(&build->shared->nnodes);
	KnownVectors vectors;
	known_hash *known;
	uint32		node = 0;

	vectors.graph = &build->graph;
	vectors.bytes = (Size) build->index->layout.vector_bytes;
	known = known_create(CurrentMemoryContext, n, &vectors);
	while (node < n)
	{
		KnownNode  *entry;
		bool		found;

		CHECK_FOR_INTERRUPTS();
		vectors.candidate = vdb_hnsw_vector(&build->graph, node);
		vectors.candidate_hash = build->hashes[node];
		entry = known_insert(known, CANDIDATE, &found);
		if (!found)
		{
			entry->node = node++;
			continue;
		}

		/* its rows join the other node's, and the last node takes its place */
		while (build->first_row[node] != HNSW_NO_ROW)
		{
			uint32		row = build->first_row[node];

			build->first_row[node] = build->rows[row].next;
			build->rows[row].next = build->first_row[entry->node];
			build->first_row[entry->node] = row;
		}
		if (node != --n)
		{
			memcpy(build->graph.vectors + (Size) node * build->graph.params.stride,
				   vdb_hnsw_vector(&build->graph, n), vectors.bytes);
			build->hashes[node] = build->hashes[n];
			build->first_row[node] = build->first_row[n];
		}
	}
	known_destroy(known);
	pg_atomic_write_u64(&build->shared->nnodes, n);
}

/*
 * Puts the nodes into a random order, always the same, and adds them to the
 * graph.  The nodes of a batch do not see each other, so neighbours in the
 * table, which may be neighbours in space, must not be in the same batch.
 */
static void
number_nodes(HnswBuild *build)
{
	uint32		n = (uint32) pg_atomic_read_u64(&build->shared->nnodes);
	HnswGraph  *g = &build->graph;
	char	   *vector = (char *) palloc(g->params.stride);
	pg_prng_state random;
	uint32		i;

	pg_prng_seed(&random, ORDER_SEED);
	for (i = 0; i < n; i++)
	{
		uint32		other = (uint32) pg_prng_uint64_range(&random, i, n - 1);
		uint32		first_row = build->first_row[other];

		if (i % 1024 == 0)
			CHECK_FOR_INTERRUPTS();
		memcpy(vector, vdb_hnsw_vector(g, other), g->params.stride);
		if (other != i)
		{
			memcpy(g->vectors + (Size) other * g->params.stride, vdb_hnsw_vector(g, i),
				   g->params.stride);
			build->first_row[other] = build->first_row[i];
			build->first_row[i] = first_row;
		}
		vdb_hnsw_add_node(g, vector);
	}
	pfree(vector);
}

/*
 * Sets the scale of distances, when all rows are loaded: a power of two that
 * brings all of them into the range of float.  Squares of the largest vectors
 * may exceed it, and those of the smallest may vanish.
 */
void
vdb_hnsw_set_scale(HnswBuild *build)
{
	double		max_norm = 0;
	int			exponent;
	int			i;

	for (i = 0; i < build->nprocesses; i++)
		max_norm = Max(max_norm, build->shared->loaded[i].max_norm);
	build->shared->scale = 1;
	if (max_norm == 0)
		return;
	if (build->index->layout.metric == VDB_METRIC_L1)
		(void) frexp(2 * max_norm * sqrt(build->index->layout.padded), &exponent);
	else
		(void) frexp(4 * max_norm * max_norm, &exponent);
	build->shared->scale = ldexp(1, MAX_DISTANCE_EXPONENT - exponent);
}
