/*-------------------------------------------------------------------------
 *
 * bench_kernels.c
 *	  Speed of the distance kernels against a plain read of the same memory.
 *
 * One query against 100,000 contiguous rows of 768 floats (307 MB, far beyond
 * any cache), for every level that the CPU has and every metric.  The yardstick
 * is a loop that only reads those bytes with loads of the same width and ORs
 * them together; the target is 60 % of its speed.  Each figure is the best of
 * several rounds, taken in turns so that a noisy moment hits all of them.
 *
 * LINK: src/distance/kernels_scalar.o src/distance/kernels_avx2.o src/distance/kernels_avx512.o src/distance/kernels_neon.o src/distance/kernel_choose.o */
#include "postgres.h"

#include <stdio.h>
#include <time.h>

#include "distance/kernel_load.h"
#include "distance/kernels.h"

#undef printf
#undef fprintf

#define ROWS 100000
#define DIM 768
#define ROUNDS 9
#define NKERNELS 4
#define TARGET 0.60

/* Keeps results alive so that no loop is optimised away */
static volatile float float_sink;
static volatile uint64 int_sink;

static double
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double) t.tv_sec + (double) t.tv_nsec * 1e-9;
}

/*
 * Defines read_LEVEL(): reads size bytes, a multiple of 8 * LANES words, by
 * loads of LANES 4-byte words.
 */
#define DEFINE_READ(level, target, lanes) \
typedef uint32 Words_##level __attribute__((vector_size((lanes) * 4), aligned(4), may_alias)); \
target static void \
read_##level(const float *data, size_t size) \
{ \
	const Words_##level *p = (const Words_##level *) data; \
	const Words_##level *end = p + size / sizeof(*p); \
	Words_##level acc[4] = {{0}, {0}, {0}, {0}}; \
	for (; p < end; p += 8) \
	{ \
		acc[0] |= p[0] | p[4]; \
		acc[1] |= p[1] | p[5]; \
		acc[2] |= p[2] | p[6]; \
		acc[3] |= p[3] | p[7]; \
	} \
	acc[0] |= acc[1] | acc[2] | acc[3]; \
	int_sink = acc[0][0]; \
}

DEFINE_READ(scalar,, 4)
#ifdef VDB_HAVE_NEON_KERNELS
DEFINE_READ(neon,, 4)
#endif
#ifdef VDB_HAVE_X86_KERNELS
DEFINE_READ(avx2, vdb_attribute_target("avx2"), 8)
DEFINE_READ(avx512, vdb_attribute_target("avx512f"), 16)
#endif

static void
plain_read(VdbSimdLevel level, const float *data, size_t size)
{
	switch (level)
	{
#ifdef VDB_HAVE_NEON_KERNELS
		case VDB_SIMD_NEON:
			read_neon(data, size);
			break;
#endif
#ifdef VDB_HAVE_X86_KERNELS
		case VDB_SIMD_AVX2:
			read_avx2(data, size);
			break;
		case VDB_SIMD_AVX512:
			read_avx512(data, size);
			break;
#endif
		default:
			read_scalar(data, size);
			break;
	}
}

static double
time_pair(VdbDistanceKernel kernel, const float *data, const float *query)
{
	double		start = now();
	float		sum = 0;

	for (int row = 0; row < ROWS; row++)
		sum += kernel(DIM, data + (size_t) row * DIM, query);
	float_sink = sum;
	return now() - start;
}

static double
time_cosine(VdbCosineKernel kernel, const float *data, const float *query)
{
	double		start = now();
	float		sum = 0;

	for (int row = 0; row < ROWS; row++)
	{
		VdbCosineSums s = kernel(DIM, data + (size_t) row * DIM, query);

		sum += s.dot + s.norm_a + s.norm_b;
	}
	float_sink = sum;
	return now() - start;
}

/*
 * Measures one level; returns the slowest kernel's fraction of the plain read.
 */
static double
bench_level(VdbSimdLevel level, const float *data, const float *query)
{
	static const char *const names[NKERNELS] = {"l2sq", "ip", "cosine", "l1"};
	const VdbKernels *k = vdb_kernels_find(level);
	size_t		size = (size_t) ROWS * DIM * sizeof(float);
	double		best_read = 1e9;
	double		best[NKERNELS] = {1e9, 1e9, 1e9, 1e9};
	double		worst = 1e9;

	for (int round = 0; round < ROUNDS; round++)
	{
		double		start = now();

		plain_read(level, data, size);
		best_read = Min(best_read, now() - start);
		best[0] = Min(best[0], time_pair(k->l2sq, data, query));
		best[1] = Min(best[1], time_pair(k->ip, data, query));
		best[2] = Min(best[2], time_cosine(k->cosine, data, query));
		best[3] = Min(best[3], time_pair(k->l1, data, query));
	}

	printf("%-8s %-8s %8.2f GB/s\n", k->name, "read", size / best_read / 1e9);
	for (int i = 0; i < NKERNELS; i++)
	{
		double		ratio = best_read / best[i];

		printf("%-8s %-8s %8.2f GB/s  %4.0f %% of the read  %6.1f ns a row\n",
			   k->name, names[i], size / best[i] / 1e9, 100 * ratio,
			   best[i] / ROWS * 1e9);
		worst = Min(worst, ratio);
	}
	return worst;
}

int
main(void)
{
	size_t		count = (size_t) ROWS * DIM;
	float	   *data = malloc(count * sizeof(float));
	float		query[DIM];
	uint32		state = 1;
	double		worst = 0;

	if (data == NULL)
	{
		fprintf(stderr, "out of memory: the data need %zu MB\n",
				count * sizeof(float) / 1000000);
		return 1;
	}
	for (size_t i = 0; i < count; i++)
	{
		state = state * 1664525 + 1013904223;
		data[i] = (float) (state >> 8) / 16777216.0f - 0.5f;
	}
	memcpy(query, data + count / 2, sizeof(query));

	for (int level = VDB_SIMD_SCALAR; level <= VDB_SIMD_LAST; level++)
	{
		if (vdb_kernels_find((VdbSimdLevel) level) != NULL)
			worst = bench_level((VdbSimdLevel) level, data, query);
	}
	printf("%s: slowest kernel of level %s at %.0f %% of a plain read, target %.0f %%\n",
		   worst >= TARGET ? "ok" : "MISSED",
		   vdb_kernels_find(VDB_SIMD_AUTO)->name, 100 * worst, 100 * TARGET);
	free(data);
	return 0;
}
