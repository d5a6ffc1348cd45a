/*-------------------------------------------------------------------------
 *
 * partition_case.h
 *	  Builds in partitions for unit tests, and what each of them must keep.
 *
 *-------------------------------------------------------------------------
 */
#ifndef VDB_PARTITION_CASE_H
#define VDB_PARTITION_CASE_H

#include "postgres.h"

#include "graph_unit.h"
#include "partition_unit.h"
#include "quant_unit.h"

#define M 8

/* Stored vectors, and how they are built */
typedef struct Case
{
	Form		form;
	uint32		n;
	char	   *stored;
	float	   *queries;		/* unstored */
	HnswPartitionParams params;
	int			ef;
} Case;

/* A node that has been handed out */
typedef struct Taken
{
	int			level;
	uint32		below;
	uint32		nrows;
	uint64		first_row;
	int			nlinks;
	uint32	   *targets;
	bool	   *is_anchor;
	char	   *factors;
	char	   *vector;
} Taken;

typedef struct Result
{
	HnswPartitionResult r;
	Usage		usage;
	Taken	   *nodes;
	uint32		nnodes;
	uint32	   *place_of_row;	/* PG_UINT32_MAX: none yet */
	uint64		hash;
	const Case *c;
} Result;

static int	distance_exponent;	/* brings distances into float's range */

static inline float
stored_distance(const void *arg, const void *a, const void *b)
{
	const Form *form = arg;

	return (float) ldexp(vdb_quant_vector_distance(&form->layout, form->kernels, a, b), distance_exponent);
}

static inline void
stored_distances(const void *arg, HnswPoint from, const HnswPoint *to, int n, float *out)
{
	const Form *form = arg;

	for (int i = 0; i < n; i++)
		vdb_quant_proxy_distances(&form->layout, form->kernels, ldexp(1, distance_exponent),
								  (VdbProxied){from.vector, from.proxy},
								  &(VdbProxied){to[i].vector, to[i].proxy}, 1, &out[i]);
}

static inline void
stored_proxy(const void *arg, const void *vector, void *proxy)
{
	const Form *form = arg;

	vdb_quant_make_proxy(&form->layout, form->kernels, vector, proxy);
}

static inline HnswMeasure
case_measure(const Case *c)
{
	return (HnswMeasure){stored_distance, stored_distances, stored_proxy, &c->form};
}

static inline Case *
make_case(VdbMetric metric, int n, int ncenters, float spread)
{
	static const VdbQuantKernels *kernels;
	Case	   *c = calloc(1, sizeof(Case));
	float	   *x = make_vectors(Max(n, 1), ncenters, spread);
	VdbLayoutRequest request = {.metric = metric, .dim = DIM, .min_slots = 10, .max_slots = 2 * M, .page_bytes = 8160, .node_bytes = 40, .link_bytes = 6};

	if (kernels == NULL)
		kernels = vdb_quant_find_kernels(VDB_SIMD_AUTO);
	if (!vdb_quant_choose_layout(&c->form.layout, &request))
		exit(1);
	c->form.kernels = kernels;
	vdb_quant_init_rotation(&c->form.rotation, DIM, 42, c->form.signs, kernels);
	c->n = (uint32) n;
	c->stored = malloc((size_t) (n + 1) * (size_t) c->form.layout.vector_bytes);
	for (int i = 0; i < n; i++)
		form_encode(&c->form, x + i * DIM, c->stored + (size_t) i * (size_t) c->form.layout.vector_bytes);
	c->queries = x;
	c->ef = 40;
	c->params = (HnswPartitionParams){.layout = &c->form.layout, .kernels = kernels, .m = M, .level_ratio = 16, .ef_construction = 40, .seed = 5};
	return c;
}

static inline void
free_case(Case *c)
{
	free(c->stored);
	free(c->queries);
	free(c);
}

static inline const char *
row_vector(const Case *c, uint64 row)
{
	return c->stored + row * (uint64) c->form.layout.vector_bytes;
}

/* Of a graph in memory */
static inline HnswParams
graph_params(const Case *c, uint32 capacity)
{
	HnswParams	params = {capacity, (Size) c->form.layout.vector_bytes, M, c->form.layout.slots, 16, c->params.ef_construction, 5, vdb_quant_proxy_size(&c->form.layout)};

	return params;
}

/* The memory of a build that fits n nodes; roughly */
static inline Size
memory_for(const Case *c, double n)
{
	HnswParams	params = graph_params(c, (uint32) Max(n, 1));

	return vdb_hnsw_graph_size(&params) + vdb_hnsw_scratch_size(&params) +
		(Size) params.capacity * 34 + 1024;
}

static inline uint64
hash_more(uint64 hash, const void *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		hash = (hash ^ ((const uint8 *) p)[i]) * UINT64CONST(1099511628211);
	return hash;
}

static inline void
take_node(void *arg, const HnswPlacedNode *node)
{
	Result	   *result = arg;
	const VdbQuantLayout *layout = &result->c->form.layout;
	Size		factor_bytes = (Size) layout->slot_bytes - 6;
	Taken	   *to = &result->nodes[result->nnodes];
	uint64		head[4] = {node->place, (uint64) node->level, node->below, (uint64) node->nlinks};

	CHECK(node->place == result->nnodes, "place %u after %u nodes", node->place, result->nnodes);
	CHECK(node->nlinks <= layout->slots, "place %u: %d links", node->place, node->nlinks);
	CHECK((node->nrows > 0) == (node->level == 0), "level %d: %u rows", node->level, node->nrows);
	result->nnodes++;
	result->hash = hash_more(result->hash, head, sizeof(head));
	result->hash = hash_more(result->hash, node->rows, node->nrows * sizeof(uint64));
	to->level = node->level;
	to->below = node->below;
	to->nrows = node->nrows;
	to->first_row = node->nrows > 0 ? node->rows[0] / 3 : 0;
	to->nlinks = node->nlinks;
	to->vector = malloc((size_t) layout->vector_bytes);
	memcpy(to->vector, node->vector, (size_t) layout->vector_bytes);
	to->targets = malloc(sizeof(uint32) * (size_t) (node->nlinks + 1));
	to->is_anchor = malloc((size_t) node->nlinks + 1);
	to->factors = malloc(factor_bytes * (size_t) node->nlinks + 1);
	for (uint32 i = 0; i < node->nrows; i++)
	{
		uint64		row = node->rows[i] / 3;

		CHECK(node->rows[i] % 3 == 1 && row < result->c->n, "row %llu", (unsigned long long) node->rows[i]);
		CHECK(result->place_of_row[row] == PG_UINT32_MAX, "row %llu twice", (unsigned long long) row);
		result->place_of_row[row] = node->place;
		CHECK(memcmp(row_vector(result->c, row), node->vector, (size_t) layout->vector_bytes) == 0,
			  "the vector of row %llu", (unsigned long long) row);
	}
	for (int i = 0; i < node->nlinks; i++)
	{
		to->targets[i] = node->links[i].target;
		to->is_anchor[i] = node->links[i].is_anchor;
		memcpy(to->factors + (size_t) i * factor_bytes, node->links[i].factors, factor_bytes);
		result->hash = hash_more(result->hash, &node->links[i].target, sizeof(uint32));
		result->hash = hash_more(result->hash, &node->links[i].is_anchor, 1);
	}
}

/* Builds with so much memory; row i is known as 3 i + 1. */
static inline Result *
run(Case *c, Size memory_size)
{
	Result	   *result = calloc(1, sizeof(Result));
	HnswPartitionHooks hooks = test_hooks(&result->usage);
	HnswPartitions *p;
	char	   *memory;

	c->params.memory_size = memory_size;
	c->params.memory = memory = malloc(memory_size + 64);
	memset(memory, 0xA5, memory_size + 64);
	result->c = c;
	result->place_of_row = malloc(sizeof(uint32) * (c->n + 1));
	memset(result->place_of_row, 0xFF, sizeof(uint32) * (c->n + 1));
	result->hash = 1;
	p = vdb_hnsw_partition_begin(&c->params, &hooks);
	for (uint32 i = 0; i < c->n; i++)
		vdb_hnsw_partition_add(p, row_vector(c, i), 3 * (uint64) i + 1);
	result->r = vdb_hnsw_partition_build(p, case_measure(c));
	result->nodes = calloc((size_t) result->r.nnodes + result->r.nupper + 1, sizeof(Taken));
	vdb_hnsw_partition_emit(p, take_node, result);
	vdb_hnsw_partition_end(p);
	CHECK(result->nnodes == result->r.nnodes + result->r.nupper, "%u nodes handed out", result->nnodes);
	for (int i = 0; i < 64; i++)
		CHECK(memory[memory_size + (Size) i] == (char) 0xA5, "written beyond the memory");
	CHECK(result->usage.nblocks == 0 && result->usage.nfiles == 0, "%d blocks and %d files are left",
		  result->usage.nblocks, result->usage.nfiles);
	free(memory);
	return result;
}

static inline void
free_result(Result *result)
{
	for (uint32 i = 0; i < result->nnodes; i++)
	{
		free(result->nodes[i].vector);
		free(result->nodes[i].targets);
		free(result->nodes[i].is_anchor);
		free(result->nodes[i].factors);
	}
	free(result->nodes);
	free(result->place_of_row);
	free(result);
}

/* Links, levels, slots: as an index's pages must have them */
static inline void
check_nodes(const Result *result)
{
	const Form *form = &result->c->form;
	Size		factor_bytes = (Size) form->layout.slot_bytes - 6;
	void	   *buffer = malloc(vdb_quant_encoder_size(&form->layout));
	char		expected[256];
	VdbSlotEncoder encoder;

	for (uint32 i = 0; i < result->nnodes; i++)
	{
		const Taken *node = &result->nodes[i];

		CHECK((node->level == 0) == (i >= result->r.nupper), "place %u: level %d", i, node->level);
		CHECK(i == 0 || node->level <= node[-1].level, "level %d after %d", node->level, node[-1].level);
		if (node->level > 0)
			CHECK(node->below < result->nnodes && result->nodes[node->below].level == node->level - 1 &&
					  memcmp(result->nodes[node->below].vector, node->vector, (size_t) form->layout.vector_bytes) == 0,
				  "place %u: below is %u", i, node->below);
		if (factor_bytes > 0)
			vdb_quant_init_encoder(&encoder, &form->layout, form->kernels, node->vector, buffer);
		for (int j = 0; j < node->nlinks; j++)
		{
			uint32		target = node->targets[j];

			CHECK(target < result->nnodes && target != i && result->nodes[target].level == node->level,
				  "%u links to %u", i, target);
			for (int k = 0; k < j; k++)
				CHECK(node->targets[k] != target, "%u links to %u twice", i, target);
			if (target >= result->nnodes || factor_bytes == 0)
				continue;
			vdb_quant_encode_slot(&encoder, result->nodes[target].vector, expected);
			CHECK(memcmp(expected, node->factors + (size_t) j * factor_bytes, factor_bytes) == 0,
				  "the slot of %u for %u", i, target);
		}
	}
	for (uint32 i = 0; i < result->c->n; i++)
		CHECK(result->place_of_row[i] != PG_UINT32_MAX, "row %u has no node", i);
	free(buffer);
}

/* G4: anchors are a tree, and leave room for other links */
static inline void
check_anchors(const Result *result)
{
	uint32		first = result->r.nupper;
	uint32	   *parent = malloc(sizeof(uint32) * (result->nnodes + 1));
	HnswParams	params = {.max_links0 = result->c->form.layout.slots};

	memset(parent, 0xFF, sizeof(uint32) * (result->nnodes + 1));
	for (uint32 i = 0; i < result->nnodes; i++)
	{
		int			nanchors = 0;

		for (int j = 0; j < result->nodes[i].nlinks; j++)
		{
			uint32		target = result->nodes[i].targets[j];

			if (!result->nodes[i].is_anchor[j])
				continue;
			nanchors++;
			CHECK(i >= first && parent[target] == PG_UINT32_MAX, "%u has two anchors", target);
			parent[target] = i;
		}
		CHECK(nanchors <= vdb_hnsw_max_children(&params), "%u has %d anchors", i, nanchors);
	}
	for (uint32 i = first; i < result->nnodes; i++)
	{
		uint32		up = i;

		CHECK((parent[i] == PG_UINT32_MAX) == (i == result->r.root), "the anchor of %u", i);
		for (uint32 steps = 0; up != result->r.root && up != PG_UINT32_MAX && steps <= result->nnodes; steps++)
			up = parent[up];
		CHECK(up == result->r.root, "the anchors of %u do not lead to the root", i);
	}
	free(parent);
}

/* The entry is the highest node of the root. */
static inline void
check_entry(const Result *result)
{
	uint32		place = result->r.entry;

	CHECK(place == 0 && result->nodes[0].level == result->r.max_level, "the entry is %u", place);
	while (place < result->nnodes && result->nodes[place].level > 0)
		place = result->nodes[place].below;
	CHECK(place == result->r.root, "below the entry is %u, not the root", place);
}

static inline void
check_all(const Result *result)
{
	if (result->c->n == 0)
	{
		CHECK(result->nnodes == 0 && result->r.entry == HNSW_NO_NODE, "%u nodes of no rows", result->nnodes);
		return;
	}
	check_nodes(result);
	check_anchors(result);
	check_entry(result);
}

#endif							/* VDB_PARTITION_CASE_H */
