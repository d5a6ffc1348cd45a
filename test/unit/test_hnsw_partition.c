/*-------------------------------------------------------------------------
 *
 * test_hnsw_partition.c
 *	  Builds larger than memory: what comes out is a whole index, as good as one
 *	  from memory, always the same, and the memory suffices.
 *
 * LINK: src/hnsw/partition.o src/hnsw/partition_cluster.o src/hnsw/partition_divide.o src/hnsw/partition_load.o src/hnsw/partition_graph.o src/hnsw/partition_upper.o src/hnsw/partition_emit.o src/hnsw/graph_memory.o src/hnsw/graph_search.o src/hnsw/graph_link.o src/hnsw/graph_connect.o src/hnsw/graph_fill.o src/hnsw/graph_order.o src/quantize/quant_scalar.o src/quantize/quant_avx2.o src/quantize/quant_avx512.o src/quantize/quant_neon.o src/quantize/quant_choose.o src/quantize/quant_layout.o src/quantize/quant_rotate.o src/quantize/quant_vector.o src/quantize/quant_slot.o src/distance/kernels_scalar.o src/distance/kernels_avx2.o src/distance/kernels_avx512.o src/distance/kernels_neon.o src/distance/kernel_choose.o */
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

static float
stored_distance(const void *arg, const void *a, const void *b)
{
	const Form *form = arg;

	return (float) vdb_quant_vector_distance(&form->layout, form->kernels, a, b);
}

static Case *
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

static void
free_case(Case *c)
{
	free(c->stored);
	free(c->queries);
	free(c);
}

static const char *
row_vector(const Case *c, uint64 row)
{
	return c->stored + row * (uint64) c->form.layout.vector_bytes;
}

/* The memory of a build that fits n nodes; roughly */
static Size
memory_for(const Case *c, double n)
{
	HnswParams	params = {(uint32) Max(n, 1), (Size) c->form.layout.vector_bytes, M, c->form.layout.slots, 16, c->params.ef_construction, 5};

	return vdb_hnsw_graph_size(&params) + vdb_hnsw_scratch_size(&params) +
		(Size) params.capacity * 34 + 1024;
}

static uint64
hash_more(uint64 hash, const void *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		hash = (hash ^ ((const uint8 *) p)[i]) * UINT64CONST(1099511628211);
	return hash;
}

static void
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
static Result *
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
	result->r = vdb_hnsw_partition_build(p, stored_distance, &c->form);
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

static void
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
static void
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
static void
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
static void
check_entry(const Result *result)
{
	uint32		place = result->r.entry;

	CHECK(place == 0 && result->nodes[0].level == result->r.max_level, "the entry is %u", place);
	while (place < result->nnodes && result->nodes[place].level > 0)
		place = result->nodes[place].below;
	CHECK(place == result->r.root, "below the entry is %u, not the root", place);
}

static void
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

/* Where level 0 is entered: found by the upper levels of one graph or the other */
typedef struct Descent
{
	const Result *result;
	const HnswGraph *g;
	HnswScratch *s;
} Descent;

static uint32
descend(const Descent *d, const Case *c, const void *query)
{
	uint32		place;
	bool		moved;

	if (d->result == NULL)
		return vdb_hnsw_descend(d->g, d->s, query, 0);
	place = d->result->r.entry;
	while (d->result->nodes[place].level > 0)
	{
		const Taken *node = &d->result->nodes[place];
		float		least = stored_distance(&c->form, query, node->vector);

		moved = false;
		for (int i = 0; i < node->nlinks; i++)
		{
			float		distance = stored_distance(&c->form, query, d->result->nodes[node->targets[i]].vector);

			if (distance < least)
			{
				least = distance;
				place = node->targets[i];
				moved = true;
			}
		}
		if (!moved)
			place = node->below;
	}
	return place - d->result->r.nupper;
}

/* Part of the 10 nearest, by stored vectors, that searches find. */
static double
find_nearest(Adjacency *a, const Case *c, const Descent *descent, int ef)
{
	HnswFound	found[256];
	int			hits = 0;
	char	   *query = malloc((size_t) c->form.layout.vector_bytes);
	float	   *distances = malloc(sizeof(float) * a->n);

	for (int q = 0; q < 100; q++)
	{
		float		x[DIM];
		float		bound;
		int			nfound;

		random_state = (uint64) q + 1000;
		for (int j = 0; j < DIM; j++)
			x[j] = c->queries[(uint32) (q * 37) % c->n * DIM + (uint32) j] + 0.1f * random_float();
		form_encode(&c->form, x, query);
		for (uint32 i = 0; i < a->n; i++)
			distances[i] = stored_distance(&c->form, query, a->vectors[i]);
		/* the tenth smallest */
		bound = -INFINITY;
		for (int k = 0; k < 10; k++)
		{
			float		next = INFINITY;

			for (uint32 i = 0; i < a->n; i++)
				if (distances[i] > bound && distances[i] < next)
					next = distances[i];
			bound = next;
		}
		a->entry = descend(descent, c, query);
		nfound = search_adjacency(a, query, ef, found);
		for (int i = 0; i < Min(nfound, 10); i++)
			hits += found[i].distance <= bound;
	}
	free(query);
	free(distances);
	return hits / 1000.0;
}

static double
partition_recall(const Result *result, int ef)
{
	Adjacency	a = new_adjacency(result->r.nnodes, result->c->form.layout.slots);
	uint32		first = result->r.nupper;
	Descent		descent = {.result = result};
	double		recall;

	for (uint32 i = 0; i < a.n; i++)
	{
		const Taken *node = &result->nodes[first + i];

		a.vectors[i] = node->vector;
		for (int j = 0; j < node->nlinks; j++)
			a.targets[i * (uint32) a.slots + (uint32) j] = node->targets[j] - first;
	}
	a.distance = stored_distance;
	a.distance_arg = &result->c->form;
	recall = find_nearest(&a, result->c, &descent, ef);
	free_adjacency(&a);
	return recall;
}

/* The same of a graph built in memory */
static double
memory_recall(const Case *c, int ef)
{
	HnswParams	params = {c->n, (Size) c->form.layout.vector_bytes, M, c->form.layout.slots, 16, c->params.ef_construction, 5};
	HnswGraph	g;
	HnswScratch s;
	char	   *memory = malloc(vdb_hnsw_graph_size(&params));
	void	   *scratch = calloc(1, vdb_hnsw_scratch_size(&params));
	Adjacency	a = new_adjacency(c->n, c->form.layout.slots);
	uint32	   *work = malloc(sizeof(uint32) * c->n * 3);
	Descent		descent = {NULL, &g, &s};
	double		recall;

	vdb_hnsw_graph_attach(&g, &params, memory, true);
	vdb_hnsw_scratch_attach(&s, &params, scratch);
	g.distance = stored_distance;
	g.distance_arg = &c->form;
	for (uint32 i = 0; i < c->n; i++)
		vdb_hnsw_add_node(&g, row_vector(c, i));
	vdb_hnsw_link_all(&g, &s);
	vdb_hnsw_connect(&g, &s, work, work + c->n, (uint16 *) (work + 2 * c->n));
	vdb_hnsw_fill_all(&g, &s, c->n);
	for (uint32 i = 0; i < c->n; i++)
	{
		const HnswLinks *links = vdb_hnsw_links(&g, i, 0);

		a.vectors[i] = vdb_hnsw_vector(&g, i);
		for (int j = 0; j < links->count; j++)
			a.targets[i * (uint32) a.slots + (uint32) j] = links->link[j].node;
	}
	a.distance = stored_distance;
	a.distance_arg = &c->form;
	recall = find_nearest(&a, c, &descent, ef);
	free_adjacency(&a);
	free(memory);
	free(scratch);
	free(work);
	return recall;
}

/*
 * Part of the memory is as good as all of it, unless there is no structure and
 * little memory.
 */
static void
test_recall(VdbMetric metric, int ncenters, float spread, double part, double allowed)
{
	Case	   *c = make_case(metric, 6000, ncenters, spread);
	Result	   *result = run(c, memory_for(c, c->n * part));
	double		whole = memory_recall(c, c->ef);
	double		parts = partition_recall(result, c->ef);

	check_all(result);
	CHECK(result->r.npartitions > 1, "%d partitions", result->r.npartitions);
	CHECK(parts >= whole - allowed, "recall %.3f in %d partitions, %.3f in memory", parts,
		  result->r.npartitions, whole);
	CHECK(result->usage.peak < 12 * (Size) c->n + (Size) result->r.npartitions * 2048 + 32768,
		  "%zu bytes beside the memory", result->usage.peak);
	printf("# %d partitions, recall %.3f, in memory %.3f, %zu bytes beside\n", result->r.npartitions,
		   parts, whole, result->usage.peak);
	free_result(result);
	free_case(c);
}

/* Same rows, same memory: the same index. */
static void
test_determinism(void)
{
	Case	   *c = make_case(VDB_METRIC_L2, 3000, 30, 0.5f);
	Result	   *one = run(c, memory_for(c, 700));
	Result	   *two = run(c, memory_for(c, 700));

	CHECK(one->hash == two->hash, "two builds differ");
	CHECK(one->r.npartitions > 4, "%d partitions", one->r.npartitions);
	free_result(one);
	free_result(two);
	free_case(c);
}

/* Any number of rows in any memory that is large enough at all */
static void
test_size(int n, int ncenters, float spread, double nodes)
{
	Case	   *c = make_case(VDB_METRIC_L2, n, ncenters, spread);
	Size		least = vdb_hnsw_partition_least_memory(&c->params);
	Result	   *result = run(c, Max(least, memory_for(c, nodes)));

	check_all(result);
	if (spread == 0)
		CHECK(result->r.nnodes == (uint32) Min(n, ncenters), "%u nodes", result->r.nnodes);
	else if (spread > 0.1f)
		CHECK(result->r.nnodes == (uint32) n, "%u nodes", result->r.nnodes);
	free_result(result);
	free_case(c);
}

int
main(void)
{
	RUN(test_size(0, 1, 1.0f, 100));
	RUN(test_size(1, 1, 1.0f, 0));
	RUN(test_size(5, 1, 1.0f, 0));
	RUN(test_size(100, 10, 1.0f, 0));
	RUN(test_size(1000, 10, 1.0f, 0));
	RUN(test_size(1000, 10, 1.0f, 2000));
	RUN(test_size(3000, 1, 1e-5f, 300));
	/* copies: one node for each vector, in one partition or several */
	RUN(test_size(5000, 1, 0, 100));
	RUN(test_size(5000, 10, 0, 100));
	RUN(test_size(5000, 700, 0, 200));
	RUN(test_determinism());
	RUN(test_recall(VDB_METRIC_L2, 100, 0.2f, 0.25, 0.01));
	RUN(test_recall(VDB_METRIC_L2, 100, 1.0f, 0.25, 0.01));
	RUN(test_recall(VDB_METRIC_L2, 100, 0.5f, 0.1, 0.01));
	RUN(test_recall(VDB_METRIC_L2, 1, 1.0f, 0.25, 0.05));
	RUN(test_recall(VDB_METRIC_COSINE, 100, 1.0f, 0.25, 0.01));
	RUN(test_recall(VDB_METRIC_IP, 100, 1.0f, 0.25, 0.01));
	RUN(test_recall(VDB_METRIC_L1, 100, 1.0f, 0.25, 0.01));
	return unit_report();
}
