/*-------------------------------------------------------------------------
 *
 * test_kernels.c
 *	  Every SIMD level that this CPU has, with elements of float32 and float16,
 *	  against a double-precision reference.
 *
 * The arrays lie between two pages that cannot be read, once ending at the
 * very last byte and once starting at the very first, so a kernel that reads
 * outside its arguments crashes.  The bound is the one that
 * src/distance/kernel_template.h derives.
 *
 *-------------------------------------------------------------------------
 */
/* LINK: src/distance/kernels_scalar.o src/distance/kernels_avx2.o src/distance/kernels_avx512.o src/distance/kernels_neon.o src/distance/kernel_choose.o */
#include "postgres.h"

#include <math.h>

#include "distance/kernels.h"
#include "vector/half.h"
#include "guarded.h"
#include "unit.h"

#define MAX_DIM 4097
#define UNIT_ROUNDOFF 5.9604644775390625e-8 /* 2^-24 */

/* The kernels of a level for one element type */
typedef struct Kernels
{
	const VdbKernels *level;
	bool		is_half;
	Size		element_size;
} Kernels;

typedef enum Data
{
	DATA_UNIFORM,				/* -1 .. 1 */
	DATA_WIDE,					/* magnitudes 2^-20 .. 2^20, or 2^-25 .. 2^15 */
	DATA_POSITIVE,				/* 0 .. 1: errors cannot cancel */
	DATA_CLOSE,					/* b differs from a in the last bits */
	DATA_LAST
} Data;

/* A sum in double precision and the sum of the magnitudes of its terms */
typedef struct Reference
{
	double		sum;
	double		magnitude;
} Reference;

typedef struct References
{
	Reference	l2sq;
	Reference	ip;
	Reference	l1;
	Reference	norm_a;
	Reference	norm_b;
} References;

static uint64 rng_state = UINT64CONST(0x9E3779B97F4A7C15);

/* One readable area between two guard pages */
static char *area_start;
static char *area_end;
static char *other_start;
static char *other_end;

static void
check(bool ok, const Kernels *k, const char *what, int dim, double got,
	  double expected)
{
	CHECK(ok, "%s %s %s, dimension %d: got %.9g, expected %.9g",
		  k->level->name, k->is_half ? "float16" : "float32", what, dim, got, expected);
}

static double
random_unit(void)
{
	rng_state ^= rng_state << 13;
	rng_state ^= rng_state >> 7;
	rng_state ^= rng_state << 17;
	return (double) (rng_state >> 11) / 9007199254740992.0;
}

/*
 * Calls the kernels by either type.
 */
#define CALL(k, what, dim, a, b) \
	((k)->is_half ? (k)->level->half.what((dim), (const uint16 *) (a), (const uint16 *) (b)) : \
					(k)->level->what((dim), (const float *) (a), (const float *) (b)))

static float
l2sq(const Kernels *k, int dim, const void *a, const void *b)
{
	return CALL(k, l2sq, dim, a, b);
}

static float
ip(const Kernels *k, int dim, const void *a, const void *b)
{
	return CALL(k, ip, dim, a, b);
}

static float
l1(const Kernels *k, int dim, const void *a, const void *b)
{
	return CALL(k, l1, dim, a, b);
}

static VdbCosineSums
cosine(const Kernels *k, int dim, const void *a, const void *b)
{
	return CALL(k, cosine, dim, a, b);
}

static void
set(const Kernels *k, void *p, int i, double value)
{
	if (k->is_half)
		((uint16 *) p)[i] = vdb_half_from_float((float) value);
	else
		((float *) p)[i] = (float) value;
}

static double
get(const Kernels *k, const void *p, int i)
{
	return k->is_half ? vdb_half_to_float(((const uint16 *) p)[i]) : ((const float *) p)[i];
}

static double
random_wide(const Kernels *k)
{
	return ldexp(2 * random_unit() - 1, (int) (40 * random_unit()) - (k->is_half ? 25 : 20));
}

static void
fill(const Kernels *k, Data data, int dim, void *a, void *b)
{
	for (int i = 0; i < dim; i++)
	{
		switch (data)
		{
			case DATA_UNIFORM:
				set(k, a, i, 2 * random_unit() - 1);
				set(k, b, i, 2 * random_unit() - 1);
				break;
			case DATA_WIDE:
				set(k, a, i, random_wide(k));
				set(k, b, i, random_wide(k));
				break;
			case DATA_POSITIVE:
				set(k, a, i, random_unit());
				set(k, b, i, random_unit());
				break;
			default:
				set(k, a, i, 1 + random_unit());
				set(k, b, i, get(k, a, i) * (1 + (k->is_half ? 3e-3 : 4e-7) * random_unit()));
				break;
		}
	}
}

static void
add_term(Reference *r, double term)
{
	r->sum += term;
	r->magnitude += fabs(term);
}

/*
 * All five sums of the kernels.
 */
static References
reference(const Kernels *k, int dim, const void *a, const void *b)
{
	References	r = {{0}};

	for (int i = 0; i < dim; i++)
	{
		double		x = get(k, a, i);
		double		y = get(k, b, i);

		add_term(&r.l2sq, (x - y) * (x - y));
		add_term(&r.ip, x * y);
		add_term(&r.l1, fabs(x - y));
		add_term(&r.norm_a, x * x);
		add_term(&r.norm_b, y * y);
	}
	return r;
}

/*
 * The promised bound, plus what the doubles of the reference may lose.
 */
static void
check_sum(const Kernels *k, const char *what, int dim, float got, Reference r)
{
	double		bound = (dim / 16.0 + 12) * UNIT_ROUNDOFF * r.magnitude +
		dim * 1e-15 * r.magnitude;

	check(fabs((double) got - r.sum) <= bound, k, what, dim, got, r.sum);
}

static void
check_exact(const Kernels *k, const char *what, int dim, float got,
			float expected)
{
	check(got == expected || (isnan(got) && isnan(expected)),
		  k, what, dim, got, expected);
}

/*
 * All kernels of a level on one pair of arrays.
 */
static void
check_pair(const Kernels *k, int dim, const void *a, const void *b,
		   const References *r)
{
	VdbCosineSums s = cosine(k, dim, a, b);
	VdbCosineSums t = cosine(k, dim, b, a);

	check_sum(k, "l2sq", dim, l2sq(k, dim, a, b), r->l2sq);
	check_sum(k, "ip", dim, ip(k, dim, a, b), r->ip);
	check_sum(k, "l1", dim, l1(k, dim, a, b), r->l1);
	check_sum(k, "cosine dot", dim, s.dot, r->ip);
	check_sum(k, "cosine norm a", dim, s.norm_a, r->norm_a);
	check_sum(k, "cosine norm b", dim, s.norm_b, r->norm_b);

	check_exact(k, "l2sq swapped", dim, l2sq(k, dim, b, a), l2sq(k, dim, a, b));
	check_exact(k, "ip swapped", dim, ip(k, dim, b, a), ip(k, dim, a, b));
	check_exact(k, "l1 swapped", dim, l1(k, dim, b, a), l1(k, dim, a, b));
	check_exact(k, "dot swapped", dim, t.dot, s.dot);
	check_exact(k, "norms swapped", dim, t.norm_a, s.norm_b);
	check_exact(k, "l2sq of itself", dim, l2sq(k, dim, a, a), 0);
	check_exact(k, "l1 of itself", dim, l1(k, dim, a, a), 0);
}

/*
 * Every dimension, arrays ending at the guard page and starting behind it.
 */
static void
test_dimensions(const Kernels *k)
{
	static float a[MAX_DIM];
	static float b[MAX_DIM];

	for (int dim = 1; dim <= MAX_DIM; dim++)
	{
		size_t		size = dim * k->element_size;

		for (Data data = DATA_UNIFORM; data < DATA_LAST; data++)
		{
			References	r;

			fill(k, data, dim, a, b);
			r = reference(k, dim, a, b);
			memcpy(area_end - size, a, size);
			memcpy(other_end - size, b, size);
			check_pair(k, dim, area_end - size,
					   other_end - size, &r);
			memcpy(area_start, a, size);
			memcpy(other_start, b, size);
			check_pair(k, dim, area_start, other_start, &r);
		}
	}
}

/*
 * Arrays at every byte offset within a cache line, different for a and b.
 */
static void
test_unaligned(const Kernels *k)
{
	static const int dims[] = {1, 3, 4, 7, 8, 15, 16, 17, 63, 64, 65, 128, 768, 1000};
	float		a[1000];
	float		b[1000];

	for (int d = 0; d < lengthof(dims); d++)
	{
		int			dim = dims[d];
		size_t		size = dim * k->element_size;
		References	r;

		fill(k, DATA_UNIFORM, dim, a, b);
		r = reference(k, dim, a, b);
		for (int offset = 1; offset < 64; offset++)
		{
			char	   *pa = area_end - size - offset;
			char	   *pb = other_start + (offset * 29) % 64;

			memcpy(pa, a, size);
			memcpy(pb, b, size);
			check_pair(k, dim, pa, pb, &r);
		}
	}
}

/*
 * Overflow, infinities, NaN, denormals and the sign of zero in every lane of
 * dimensions that use every part of the loops.
 */
static void
test_special_values(const Kernels *k)
{
	static const int dims[] = {1, 5, 8, 16, 31, 67, 150};
	float		a[150];
	float		b[150];

	for (int d = 0; d < lengthof(dims); d++)
	{
		int			dim = dims[d];

		for (int at = 0; at < dim; at++)
		{
			memset(a, 0, sizeof(a));
			memset(b, 0, sizeof(b));
			check_exact(k, "l2sq of zeros", dim, l2sq(k, dim, a, b), 0);
			a[at] = 3e38f;
			b[at] = -3e38f;
			check_exact(k, "l2sq overflow", dim, l2sq(k, dim, a, b), INFINITY);
			check_exact(k, "l1 overflow", dim, l1(k, dim, a, b), INFINITY);
			check_exact(k, "ip overflow", dim, ip(k, dim, a, b), -INFINITY);
			check_exact(k, "norm overflow", dim, cosine(k, dim, a, b).norm_b, INFINITY);
			b[at] = 3e38f;
			check_exact(k, "l2sq of equal", dim, l2sq(k, dim, a, b), 0);
			a[at] = INFINITY;
			check_exact(k, "l2sq infinity", dim, l2sq(k, dim, a, b), INFINITY);
			b[at] = INFINITY;
			check_exact(k, "l2sq inf - inf", dim, l2sq(k, dim, a, b), NAN);
			b[at] = 0;
			check_exact(k, "ip inf * 0", dim, ip(k, dim, a, b), NAN);
			check_exact(k, "dot inf * 0", dim, cosine(k, dim, a, b).dot, NAN);
			a[at] = NAN;
			check_exact(k, "l2sq nan", dim, l2sq(k, dim, a, b), NAN);
			check_exact(k, "l1 nan", dim, l1(k, dim, b, a), NAN);
			a[at] = 1e-45f;		/* the smallest denormal */
			b[at] = 0;
			check_exact(k, "l1 of b = 0", dim, l1(k, dim, a, b), 1e-45f);
			b[at] = -1e-45f;
			check_exact(k, "l1 denormal", dim, l1(k, dim, a, b), 2 * 1e-45f);
			check_exact(k, "l2sq underflow", dim, l2sq(k, dim, a, b), 0);
			a[at] = -0.0f;
			b[at] = 0.0f;
			check_exact(k, "l1 of zeros", dim, l1(k, dim, a, b), 0);
			a[at] = 3;
			b[at] = -4;
			check_exact(k, "l2sq 3 -4", dim, l2sq(k, dim, a, b), 49);
			check_exact(k, "ip 3 -4", dim, ip(k, dim, a, b), -12);
			check_exact(k, "l1 3 -4", dim, l1(k, dim, a, b), 7);
			check_exact(k, "norm a 3 -4", dim, cosine(k, dim, a, b).norm_a, 9);
			check_exact(k, "norm b 3 -4", dim, cosine(k, dim, a, b).norm_b, 16);
		}
	}
	check_exact(k, "l2sq of nothing", 0, l2sq(k, 0, a, b), 0);
	check_exact(k, "dot of nothing", 0, cosine(k, 0, a, b).dot, 0);
}

/*
 * The same for float16, of which nothing overflows or underflows a float32 sum.
 */
static void
test_special_halves(const Kernels *k)
{
	static const int dims[] = {1, 5, 8, 16, 31, 67, 150};
	uint16		a[150];
	uint16		b[150];

	for (int d = 0; d < lengthof(dims); d++)
	{
		int			dim = dims[d];

		for (int at = 0; at < dim; at++)
		{
			memset(a, 0, sizeof(a));
			memset(b, 0, sizeof(b));
			check_exact(k, "l2sq of zeros", dim, l2sq(k, dim, a, b), 0);
			a[at] = 0x7bff;		/* 65504 */
			b[at] = 0xfbff;
			check_exact(k, "l2sq large", dim, l2sq(k, dim, a, b), 131008.0f * 131008.0f);
			check_exact(k, "l1 large", dim, l1(k, dim, a, b), 131008.0f);
			check_exact(k, "ip large", dim, ip(k, dim, a, b), -65504.0f * 65504.0f);
			check_exact(k, "norm large", dim, cosine(k, dim, a, b).norm_b, 65504.0f * 65504.0f);
			a[at] = 0x7c00;		/* infinity */
			check_exact(k, "l2sq infinity", dim, l2sq(k, dim, a, b), INFINITY);
			b[at] = 0x7c00;
			check_exact(k, "l2sq inf - inf", dim, l2sq(k, dim, a, b), NAN);
			b[at] = 0;
			check_exact(k, "ip inf * 0", dim, ip(k, dim, a, b), NAN);
			check_exact(k, "dot inf * 0", dim, cosine(k, dim, a, b).dot, NAN);
			a[at] = 0xfe00;		/* NaN */
			check_exact(k, "l2sq nan", dim, l2sq(k, dim, a, b), NAN);
			check_exact(k, "l1 nan", dim, l1(k, dim, b, a), NAN);
			a[at] = 0x0001;		/* 2^-24, the smallest subnormal */
			check_exact(k, "l1 of b = 0", dim, l1(k, dim, a, b), 0x1p-24f);
			check_exact(k, "norm of the smallest", dim, cosine(k, dim, a, b).norm_a, 0x1p-48f);
			b[at] = 0x83ff;		/* the largest subnormal, negative */
			check_exact(k, "l1 subnormal", dim, l1(k, dim, a, b), 0x1p-14f);
			check_exact(k, "ip subnormal", dim, ip(k, dim, a, b), -1023 * 0x1p-48f);
			a[at] = 0x8000;		/* -0 */
			b[at] = 0;
			check_exact(k, "l1 of zeros", dim, l1(k, dim, a, b), 0);
		}
	}
	check_exact(k, "l2sq of nothing", 0, l2sq(k, 0, a, b), 0);
	check_exact(k, "dot of nothing", 0, cosine(k, 0, a, b).dot, 0);
}

/*
 * The scalar level is always there, and AUTO is the last level that is.
 */
static void
test_choice(void)
{
	const VdbKernels *best = NULL;

	CHECK(vdb_kernels_find(VDB_SIMD_SCALAR) == &vdb_kernels_scalar, "scalar");
	for (int level = VDB_SIMD_SCALAR; level <= VDB_SIMD_LAST; level++)
	{
		const VdbKernels *k = vdb_kernels_find((VdbSimdLevel) level);

		if (k != NULL)
			best = k;
	}
	CHECK(vdb_kernels_find(VDB_SIMD_AUTO) == best, "auto is not the best");
}

static void
test_level(const VdbKernels *level)
{
	Kernels		floats = {level, false, sizeof(float)};
	Kernels		halves = {level, true, sizeof(uint16)};
	const Kernels *k = &floats;

	printf("# kernels of level %s\n", level->name);
	RUN(test_dimensions(k));
	RUN(test_unaligned(k));
	RUN(test_special_values(k));
	k = &halves;
	printf("# the same of float16\n");
	RUN(test_dimensions(k));
	RUN(test_unaligned(k));
	RUN(test_special_halves(k));
}

int
main(void)
{
	map_guarded(MAX_DIM * sizeof(float) + 64, &area_start, &area_end);
	map_guarded(MAX_DIM * sizeof(float) + 64, &other_start, &other_end);

	RUN(test_choice());
	for (int level = VDB_SIMD_SCALAR; level <= VDB_SIMD_LAST; level++)
	{
		const VdbKernels *k = vdb_kernels_find((VdbSimdLevel) level);

		if (k == NULL)
			continue;
		test_level(k);
	}
	return unit_report();
}
