/*-------------------------------------------------------------------------
 *
 * test_hnsw_partition.c
 *	  Builds larger than memory: what comes out is a whole index, as good as one
 *	  from memory, always the same, and the memory suffices.
 *
 * LINK: src/hnsw/partition.o src/hnsw/partition_cluster.o src/hnsw/partition_divide.o src/hnsw/partition_load.o src/hnsw/partition_graph.o src/hnsw/partition_upper.o src/hnsw/partition_emit.o src/hnsw/graph_memory.o src/hnsw/graph_distance.o src/hnsw/graph_search.o src/hnsw/graph_link.o src/hnsw/graph_connect.o src/hnsw/graph_fill.o src/hnsw/graph_order.o src/quantize/quant_scalar.o src/quantize/quant_avx2.o src/quantize/quant_avx512.o src/quantize/quant_neon.o src/quantize/quant_choose.o src/quantize/quant_layout.o src/quantize/quant_bits.o src/quantize/quant_sparse.o src/bit/bit_scalar.o src/bit/bit_popcnt.o src/bit/bit_avx512.o src/bit/bit_choose.o src/sparse/sparse_sums.o src/quantize/quant_rotate.o src/quantize/quant_vector.o src/quantize/quant_proxy.o src/quantize/quant_slot.o src/distance/kernels_scalar.o src/distance/kernels_avx2.o src/distance/kernels_avx512.o src/distance/kernels_neon.o src/distance/kernel_choose.o */
#include "postgres.h"

#include "partition_case.h"
#include "partition_recall.h"

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

/* Vectors of any length, also zero, in one index */
static void
test_lengths(VdbMetric metric)
{
	Case	   *c = make_case(metric, 3000, 30, 0.5f);
	Result	   *result;

	for (uint32 i = 0; i < c->n; i++)
	{
		float		x[DIM];
		double		length = i % 50 == 0 ? 0 : pow(10, i % 60 - 30.0);

		for (int j = 0; j < DIM; j++)
			x[j] = (float) (c->queries[i * DIM + (uint32) j] * length);
		form_encode(&c->form, x, (char *) row_vector(c, i));
	}
	distance_exponent = -90;	/* 1e30^2 is about 2^200 */
	result = run(c, memory_for(c, 700));
	check_all(result);
	CHECK(result->place_of_row[0] == result->place_of_row[50], "two nodes for the zero vector");
	distance_exponent = 0;
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
	RUN(test_lengths(VDB_METRIC_L2));
	RUN(test_lengths(VDB_METRIC_IP));
	RUN(test_lengths(VDB_METRIC_L1));
	RUN(test_recall(VDB_METRIC_L2, 100, 0.2f, 0.25, 0.01));
	RUN(test_recall(VDB_METRIC_L2, 100, 1.0f, 0.25, 0.01));
	RUN(test_recall(VDB_METRIC_L2, 100, 0.5f, 0.1, 0.01));
	RUN(test_recall(VDB_METRIC_L2, 1, 1.0f, 0.25, 0.05));
	RUN(test_recall(VDB_METRIC_COSINE, 100, 1.0f, 0.25, 0.01));
	RUN(test_recall(VDB_METRIC_IP, 100, 1.0f, 0.25, 0.01));
	RUN(test_recall(VDB_METRIC_L1, 100, 1.0f, 0.25, 0.01));
	return unit_report();
}
