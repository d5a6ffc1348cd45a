/*-------------------------------------------------------------------------
 *
 * test_hnsw_proxy.c
 *	  Proxies: how far their distances are from those of the stored vectors, and
 *	  what becomes of builds that compare them.
 *
 * LINK: src/hnsw/partition.o src/hnsw/partition_cluster.o src/hnsw/partition_divide.o src/hnsw/partition_load.o src/hnsw/partition_graph.o src/hnsw/partition_upper.o src/hnsw/partition_emit.o src/hnsw/graph_memory.o src/hnsw/graph_distance.o src/hnsw/graph_search.o src/hnsw/graph_link.o src/hnsw/graph_connect.o src/hnsw/graph_fill.o src/hnsw/graph_order.o src/quantize/quant_scalar.o src/quantize/quant_avx2.o src/quantize/quant_avx512.o src/quantize/quant_neon.o src/quantize/quant_choose.o src/quantize/quant_layout.o src/quantize/quant_bits.o src/quantize/quant_sparse.o src/bit/bit_scalar.o src/bit/bit_popcnt.o src/bit/bit_avx512.o src/bit/bit_choose.o src/sparse/sparse_sums.o src/quantize/quant_rotate.o src/quantize/quant_vector.o src/quantize/quant_proxy.o src/quantize/quant_slot.o src/distance/kernels_scalar.o src/distance/kernels_avx2.o src/distance/kernels_avx512.o src/distance/kernels_neon.o src/distance/kernel_choose.o */
#include "postgres.h"

#define DIM 200

#include "partition_case.h"
#include "partition_recall.h"

#define MAX_DIM 3000
#define N 20

static const VdbMetric metrics[] = {VDB_METRIC_L2, VDB_METRIC_IP, VDB_METRIC_COSINE};

static Form form;
static char stored[N][MAX_DIM * 2 + 256];
static char proxies[N][MAX_DIM + 256];

/* The first proxy's distances from all of them, at a level */
static void
proxy_distances(const VdbQuantKernels *kernels, double scale, float *out)
{
	VdbProxied	to[N];

	for (int i = 0; i < N; i++)
		to[i] = (VdbProxied){stored[i], proxies[i]};
	vdb_quant_proxy_distances(&form.layout, kernels, scale, to[0], to, N, out);
}

/*
 * Vectors at distances from that of the first one's copy to that of a vector
 * that has nothing to do with it.
 */
static void
make_vectors_around(int dim, double size, double offset)
{
	static float first[MAX_DIM];
	static float x[MAX_DIM];

	fill_normal(dim, first, size);
	for (int j = 0; j < dim; j++)
		first[j] += (float) (offset * size);
	for (int i = 0; i < N; i++)
	{
		fill_normal(dim, x, i == 0 ? 0 : size * pow(0.5, N - 1 - i) * sqrt(2));
		for (int j = 0; j < dim; j++)
			x[j] += first[j];
		form_encode(&form, x, stored[i]);
		/* not zero before, since all of it must be written */
		memset(proxies[i], 0xA5, sizeof(proxies[i]));
		vdb_quant_make_proxy(&form.layout, form.kernels, stored[i], proxies[i]);
		CHECK(proxies[i][vdb_quant_proxy_size(&form.layout)] == (char) 0xA5, "written beyond the proxy");
	}
}

/*
 * Distances by proxies are within 3 % of those of stored vectors, and the same
 * where the vectors are close together.
 */
static void
test_distances(VdbMetric metric, int dim, double size, double offset)
{
	double		scale = metric == VDB_METRIC_COSINE ? 1 : 1 / (size * size);
	const VdbQuantKernels *k;
	float		got[N];
	float		again[N];
	bool		all_same = true;

	form_init(&form, metric, dim, VDB_CODEC_HALF, 1, 64, vdb_quant_find_kernels(VDB_SIMD_AUTO));
	CHECK(vdb_quant_proxy_size(&form.layout) % 64 == 0 && vdb_quant_proxy_size(&form.layout) > 0,
		  "proxies of %d", dim);
	make_vectors_around(dim, size, offset);
	proxy_distances(form.kernels, scale, got);
	for (int i = 0; i < N; i++)
	{
		double		exact = scale * vdb_quant_vector_distance(&form.layout, form.kernels, stored[0], stored[i]);
		double		allowed = 0;
		double		square;

		/* of an inner product, the part that is the distance of the vectors */
		square = metric != VDB_METRIC_IP ? exact : exact + scale / 2 * (pow(vdb_quant_vector_norm(&form.layout, stored[0]), 2) + pow(vdb_quant_vector_norm(&form.layout, stored[i]), 2));
		if (i >= N / 2)
			allowed = 0.03 * square;
		CHECK(fabs(got[i] - (float) exact) <= allowed, "distance %d of %d: %.9g, expected %.9g", i, dim, got[i], exact);
		all_same = all_same && got[i] == (float) exact;
	}
	CHECK(!all_same, "proxies of %d have not been compared", dim);

	for (int i = 0; (k = vdb_quant_nth_kernels(i)) != NULL; i++)
	{
		char		proxy[sizeof(proxies[0])];

		proxy_distances(k, scale, again);
		CHECK(memcmp(again, got, sizeof(got)) == 0, "%s: other distances of %d", k->name, dim);
		memset(proxy, 0xA5, sizeof(proxy));
		vdb_quant_make_proxy(&form.layout, k, stored[3], proxy);
		CHECK(memcmp(proxy, proxies[3], sizeof(proxy)) == 0, "%s: another proxy of %d", k->name, dim);
	}
}

/* Zero vectors, which have no direction, and very small ones beside large ones */
static void
test_extremes(VdbMetric metric, double unit)
{
	static float x[256];
	static const double sizes[] = {0, 0, 1, 1e4, 1e8};
	double		scale = 1e-16 / (unit * unit);
	float		got[N] = {0};

	form_init(&form, metric, 256, VDB_CODEC_HALF, 1, 256, vdb_quant_find_kernels(VDB_SIMD_AUTO));
	for (int a = 0; a < lengthof(sizes); a++)
	{
		for (int i = 0; i < N; i++)
		{
			fill_normal(256, x, unit * (i == 0 ? sizes[a] : sizes[i % lengthof(sizes)]));
			form_encode(&form, x, stored[i]);
			vdb_quant_make_proxy(&form.layout, form.kernels, stored[i], proxies[i]);
		}
		proxy_distances(form.kernels, scale, got);
		for (int i = 0; i < N; i++)
		{
			double		exact = scale * vdb_quant_vector_distance(&form.layout, form.kernels, stored[0], stored[i]);
			double		product = scale * vdb_quant_vector_norm(&form.layout, stored[0]) * vdb_quant_vector_norm(&form.layout, stored[i]);
			double		allowed = 0.005 * product + 0.03 * fabs(exact) + 1e-37;

			CHECK(isfinite(got[i]) && fabs(got[i] - exact) <= allowed, "size %g and %g: %g, expected %g", sizes[a],
				  sizes[i % lengthof(sizes)], got[i], exact);
		}
	}
}

/* Which vectors have proxies */
static void
test_forms(void)
{
	form_init(&form, VDB_METRIC_L2, 256, VDB_CODEC_INT8, 1, 256, vdb_quant_find_kernels(VDB_SIMD_AUTO));
	CHECK(vdb_quant_proxy_size(&form.layout) == 0, "int8");
	form_init(&form, VDB_METRIC_L1, 256, VDB_CODEC_HALF, 0, 0, vdb_quant_find_kernels(VDB_SIMD_AUTO));
	CHECK(vdb_quant_proxy_size(&form.layout) == 0, "L1");
	form_init(&form, VDB_METRIC_L2, 64, VDB_CODEC_HALF, 1, 64, vdb_quant_find_kernels(VDB_SIMD_AUTO));
	CHECK(vdb_quant_proxy_size(&form.layout) == 0, "64 dimensions");
}

/*
 * A build is the same at every level, and finds as much as one that compares
 * stored vectors; also where clusters are too small for proxies.
 */
static void
test_build(VdbMetric metric, int ncenters, float spread, double least)
{
	Case	   *c = make_case(metric, 2000, ncenters, spread);
	Result	   *result = run(c, memory_for(c, 500));
	double		parts = partition_recall(result, c->ef);
	double		whole = memory_recall(c, c->ef);
	const VdbQuantKernels *k;

	CHECK(vdb_quant_proxy_size(&c->form.layout) > 0, "no proxies");
	CHECK(result->r.npartitions > 1, "%d partitions", result->r.npartitions);
	check_all(result);
	CHECK(parts >= least && whole >= least, "recall %.3f, in memory %.3f", parts, whole);
	printf("# %d partitions, recall %.3f, in memory %.3f\n", result->r.npartitions, parts, whole);
	for (int i = 0; (k = vdb_quant_nth_kernels(i)) != NULL; i++)
	{
		Result	   *other;

		c->form.kernels = c->params.kernels = k;
		other = run(c, c->params.memory_size);
		CHECK(other->hash == result->hash, "%s: another graph", k->name);
		free_result(other);
	}
	free_result(result);
	free_case(c);
}

int
main(void)
{
	static const int dims[] = {192, 250, 768, 1536, 2000};

	for (int m = 0; m < lengthof(metrics); m++)
	{
		for (int d = 0; d < lengthof(dims); d++)
		{
			RUN(test_distances(metrics[m], dims[d], 1, 0));
			RUN(test_distances(metrics[m], dims[d], 1e-15, 0.5));
		}
		RUN(test_build(metrics[m], 30, 1.0f, 0.95));
		RUN(test_build(metrics[m], 30, 0.02f, 0.95));
	}
	RUN(test_extremes(VDB_METRIC_L2, 1));
	RUN(test_extremes(VDB_METRIC_L2, 1e28));
	RUN(test_extremes(VDB_METRIC_IP, 1));
	RUN(test_extremes(VDB_METRIC_IP, 1e28));
	RUN(test_forms());
	return unit_report();
}
