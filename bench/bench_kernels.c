/*-------------------------------------------------------------------------
 *
 * bench_kernels.c
 *	  Speed of the distance kernels against a plain read of the same memory.
 *
 * One query against 100,000 contiguous rows of 768 floats (307 MB, far beyond
 * any cache) and as many of 768 float16s, for every level that the CPU has and
 * every metric.  The yardstick
 * is a loop that only reads those bytes with the level's widest loads and ORs
 * them together; a ratio is given to the level's own read and to the fastest
 * read of any level, and the target is 60 % of the latter.  Each figure is the
 * best of several rounds, taken in turns so that a noisy moment hits all.
 *
 * LINK: src/distance/kernels_scalar.o src/distance/kernels_avx2.o src/distance/kernels_avx512.o src/distance/kernels_neon.o src/distance/kernel_choose.o */
#include "postgres.h"

#include <stdio.h>
#include <time.h>

#include "distance/kernel_load.h"
#include "distance/kernels.h"
#include "vector/half.h"

#undef printf
#undef fprintf

#define ROWS 100000
#define DIM 768
#define ROUNDS 40
#define NKERNELS 4
#define TARGET 0.60
#define SIZE ((size_t) ROWS * DIM * sizeof(float))

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

DEFINE_READ(scalar, , 4)
#ifdef VDB_HAVE_NEON_KERNELS
DEFINE_READ(neon, , 4)
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

static double
time_half_pair(VdbHalfDistanceKernel kernel, const uint16 *data, const uint16 *query)
{
	double		start = now();
	float		sum = 0;

	for (int row = 0; row < ROWS; row++)
		sum += kernel(DIM, data + (size_t) row * DIM, query);
	float_sink = sum;
	return now() - start;
}

static double
time_half_cosine(VdbHalfCosineKernel kernel, const uint16 *data, const uint16 *query)
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

/* Best times of one level */
typedef struct Times
{
	double		read;
	double		kernel[NKERNELS];
	double		half[NKERNELS];
} Times;

static void
run_round(VdbSimdLevel level, const float *data, const float *query,
		  const uint16 *halves, const uint16 *half_query, Times *best)
{
	const VdbKernels *k = vdb_kernels_find(level);
	double		start = now();

	plain_read(level, data, SIZE);
	best->read = Min(best->read, now() - start);
	best->kernel[0] = Min(best->kernel[0], time_pair(k->l2sq, data, query));
	best->kernel[1] = Min(best->kernel[1], time_pair(k->ip, data, query));
	best->kernel[2] = Min(best->kernel[2], time_cosine(k->cosine, data, query));
	best->kernel[3] = Min(best->kernel[3], time_pair(k->l1, data, query));
	best->half[0] = Min(best->half[0], time_half_pair(k->half.l2sq, halves, half_query));
	best->half[1] = Min(best->half[1], time_half_pair(k->half.ip, halves, half_query));
	best->half[2] = Min(best->half[2], time_half_cosine(k->half.cosine, halves, half_query));
	best->half[3] = Min(best->half[3], time_half_pair(k->half.l1, halves, half_query));
}

/*
 * Prints one level; returns its slowest kernel's fraction of the fastest read.
 */
static double
report(VdbSimdLevel level, const Times *best, double fastest_read)
{
	static const char *const names[NKERNELS] = {"l2sq", "ip", "cosine", "l1"};
	const char *name = vdb_kernels_find(level)->name;
	double		worst = 1e9;

	printf("%-8s read    %6.2f GB/s\n", name, SIZE / best->read / 1e9);
	for (int i = 0; i < NKERNELS; i++)
	{
		double		t = best->kernel[i];

		printf("%-8s %-7s %6.2f GB/s %4.0f %% of its read %4.0f %% of the fastest %6.1f ns a row\n",
			   name, names[i], SIZE / t / 1e9, 100 * best->read / t,
			   100 * fastest_read / t, t / ROWS * 1e9);
		worst = Min(worst, fastest_read / t);
	}
	for (int i = 0; i < NKERNELS; i++)
		printf("%-8s %-7s %6.2f GB/s of float16 %6.1f ns a row\n",
			   name, names[i], SIZE / 2 / best->half[i] / 1e9, best->half[i] / ROWS * 1e9);
	return worst;
}

int
main(void)
{
	float	   *data = malloc(SIZE);
	uint16	   *halves = malloc(SIZE / 2);
	float		query[DIM];
	uint16		half_query[DIM];
	Times		best[VDB_SIMD_LAST + 1];
	uint32		state = 1;
	double		fastest_read = 1e9;
	double		worst = 0;

	if (data == NULL || halves == NULL)
	{
		fprintf(stderr, "out of memory: the data need %zu MB\n", SIZE * 3 / 2 / 1000000);
		return 1;
	}
	for (size_t i = 0; i < SIZE / sizeof(float); i++)
	{
		state = state * 1664525 + 1013904223;
		data[i] = (float) (state >> 8) / 16777216.0f - 0.5f;
		halves[i] = vdb_half_from_float(data[i]);
	}
	memcpy(query, data + SIZE / sizeof(float) / 2, sizeof(query));
	memcpy(half_query, halves + SIZE / sizeof(float) / 2, sizeof(half_query));
	for (int level = 0; level <= VDB_SIMD_LAST; level++)
		best[level] = (Times){1e9, {1e9, 1e9, 1e9, 1e9}, {1e9, 1e9, 1e9, 1e9}};

	for (int round = 0; round < ROUNDS; round++)
	{
		for (int level = VDB_SIMD_SCALAR; level <= VDB_SIMD_LAST; level++)
		{
			if (vdb_kernels_find((VdbSimdLevel) level) == NULL)
				continue;
			run_round((VdbSimdLevel) level, data, query, halves, half_query,
					  &best[level]);
			fastest_read = Min(fastest_read, best[level].read);
		}
	}
	for (int level = VDB_SIMD_SCALAR; level <= VDB_SIMD_LAST; level++)
	{
		if (vdb_kernels_find((VdbSimdLevel) level) != NULL)
			worst = report((VdbSimdLevel) level, &best[level], fastest_read);
	}
	printf("%s: slowest kernel of level %s at %.0f %% of the fastest plain read, target %.0f %%\n",
		   worst >= TARGET ? "ok" : "MISSED",
		   vdb_kernels_find(VDB_SIMD_AUTO)->name, 100 * worst, 100 * TARGET);
	free(data);
	free(halves);
	return 0;
}
