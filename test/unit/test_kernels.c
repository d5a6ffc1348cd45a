/*-------------------------------------------------------------------------
 *
 * test_kernels.c
 *	  Every SIMD level that this CPU has against a double-precision reference.
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
#include "guarded.h"
#include "unit.h"

#define MAX_DIM 4097
#define UNIT_ROUNDOFF 5.9604644775390625e-8 /* 2^-24 */

typedef enum Data
{
	DATA_UNIFORM,				/* -1 .. 1 */
	DATA_WIDE,					/* magnitudes 2^-20 .. 2^20 */
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
check(bool ok, const char *level, const char *what, int dim, double got,
	  double expected)
{
	CHECK(ok, "%s %s, dimension %d: got %.9g, expected %.9g",
		  level, what, dim, got, expected);
}

static double
random_unit(void)
{
	rng_state ^= rng_state << 13;
	rng_state ^= rng_state >> 7;
	rng_state ^= rng_state << 17;
	return (double) (rng_state >> 11) / 9007199254740992.0;
}

static void
fill(Data data, int dim, float *a, float *b)
{
	for (int i = 0; i < dim; i++)
	{
		switch (data)
		{
			case DATA_UNIFORM:
				a[i] = 2 * random_unit() - 1;
				b[i] = 2 * random_unit() - 1;
				break;
			case DATA_WIDE:
				a[i] = ldexp(2 * random_unit() - 1, (int) (40 * random_unit()) - 20);
				b[i] = ldexp(2 * random_unit() - 1, (int) (40 * random_unit()) - 20);
				break;
			case DATA_POSITIVE:
				a[i] = random_unit();
				b[i] = random_unit();
				break;
			default:
				a[i] = 1 + random_unit();
				b[i] = a[i] * (1 + 4e-7 * random_unit());
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
reference(int dim, const float *a, const float *b)
{
	References	r = {{0}};

	for (int i = 0; i < dim; i++)
	{
		double		x = a[i];
		double		y = b[i];

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
check_sum(const VdbKernels *k, const char *what, int dim, float got, Reference r)
{
	double		bound = (dim / 16.0 + 12) * UNIT_ROUNDOFF * r.magnitude +
		dim * 1e-15 * r.magnitude;

	check(fabs((double) got - r.sum) <= bound, k->name, what, dim, got, r.sum);
}

static void
check_exact(const VdbKernels *k, const char *what, int dim, float got,
			float expected)
{
	check(got == expected || (isnan(got) && isnan(expected)),
		  k->name, what, dim, got, expected);
}

/*
 * All kernels of a level on one pair of arrays.
 */
static void
check_pair(const VdbKernels *k, int dim, const float *a, const float *b,
		   const References *r)
{
	VdbCosineSums s = k->cosine(dim, a, b);
	VdbCosineSums t = k->cosine(dim, b, a);

	check_sum(k, "l2sq", dim, k->l2sq(dim, a, b), r->l2sq);
	check_sum(k, "ip", dim, k->ip(dim, a, b), r->ip);
	check_sum(k, "l1", dim, k->l1(dim, a, b), r->l1);
	check_sum(k, "cosine dot", dim, s.dot, r->ip);
	check_sum(k, "cosine norm a", dim, s.norm_a, r->norm_a);
	check_sum(k, "cosine norm b", dim, s.norm_b, r->norm_b);

	check_exact(k, "l2sq swapped", dim, k->l2sq(dim, b, a), k->l2sq(dim, a, b));
	check_exact(k, "ip swapped", dim, k->ip(dim, b, a), k->ip(dim, a, b));
	check_exact(k, "l1 swapped", dim, k->l1(dim, b, a), k->l1(dim, a, b));
	check_exact(k, "dot swapped", dim, t.dot, s.dot);
	check_exact(k, "norms swapped", dim, t.norm_a, s.norm_b);
	check_exact(k, "l2sq of itself", dim, k->l2sq(dim, a, a), 0);
	check_exact(k, "l1 of itself", dim, k->l1(dim, a, a), 0);
}

/*
 * Every dimension, arrays ending at the guard page and starting behind it.
 */
static void
test_dimensions(const VdbKernels *k)
{
	static float a[MAX_DIM];
	static float b[MAX_DIM];

	for (int dim = 1; dim <= MAX_DIM; dim++)
	{
		size_t		size = dim * sizeof(float);

		for (Data data = DATA_UNIFORM; data < DATA_LAST; data++)
		{
			References	r;

			fill(data, dim, a, b);
			r = reference(dim, a, b);
			memcpy(area_end - size, a, size);
			memcpy(other_end - size, b, size);
			check_pair(k, dim, (float *) (area_end - size),
					   (float *) (other_end - size), &r);
			memcpy(area_start, a, size);
			memcpy(other_start, b, size);
			check_pair(k, dim, (float *) area_start, (float *) other_start, &r);
		}
	}
}

/*
 * Arrays at every byte offset within a cache line, different for a and b.
 */
static void
test_unaligned(const VdbKernels *k)
{
	static const int dims[] = {1, 3, 4, 7, 8, 15, 16, 17, 63, 64, 65, 128, 768, 1000};
	float		a[1000];
	float		b[1000];

	for (int d = 0; d < lengthof(dims); d++)
	{
		int			dim = dims[d];
		size_t		size = dim * sizeof(float);
		References	r;

		fill(DATA_UNIFORM, dim, a, b);
		r = reference(dim, a, b);
		for (int offset = 1; offset < 64; offset++)
		{
			char	   *pa = area_end - size - offset;
			char	   *pb = other_start + (offset * 29) % 64;

			memcpy(pa, a, size);
			memcpy(pb, b, size);
			check_pair(k, dim, (const float *) pa, (const float *) pb, &r);
		}
	}
}

/*
 * Overflow, infinities, NaN, denormals and the sign of zero in every lane of
 * dimensions that use every part of the loops.
 */
static void
test_special_values(const VdbKernels *k)
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
			check_exact(k, "l2sq of zeros", dim, k->l2sq(dim, a, b), 0);
			a[at] = 3e38f;
			b[at] = -3e38f;
			check_exact(k, "l2sq overflow", dim, k->l2sq(dim, a, b), INFINITY);
			check_exact(k, "l1 overflow", dim, k->l1(dim, a, b), INFINITY);
			check_exact(k, "ip overflow", dim, k->ip(dim, a, b), -INFINITY);
			check_exact(k, "norm overflow", dim, k->cosine(dim, a, b).norm_b, INFINITY);
			b[at] = 3e38f;
			check_exact(k, "l2sq of equal", dim, k->l2sq(dim, a, b), 0);
			a[at] = INFINITY;
			check_exact(k, "l2sq infinity", dim, k->l2sq(dim, a, b), INFINITY);
			b[at] = INFINITY;
			check_exact(k, "l2sq inf - inf", dim, k->l2sq(dim, a, b), NAN);
			b[at] = 0;
			check_exact(k, "ip inf * 0", dim, k->ip(dim, a, b), NAN);
			check_exact(k, "dot inf * 0", dim, k->cosine(dim, a, b).dot, NAN);
			a[at] = NAN;
			check_exact(k, "l2sq nan", dim, k->l2sq(dim, a, b), NAN);
			check_exact(k, "l1 nan", dim, k->l1(dim, b, a), NAN);
			a[at] = 1e-45f;		/* the smallest denormal */
			b[at] = 0;
			check_exact(k, "l1 of b = 0", dim, k->l1(dim, a, b), 1e-45f);
			b[at] = -1e-45f;
			check_exact(k, "l1 denormal", dim, k->l1(dim, a, b), 2 * 1e-45f);
			check_exact(k, "l2sq underflow", dim, k->l2sq(dim, a, b), 0);
			a[at] = -0.0f;
			b[at] = 0.0f;
			check_exact(k, "l1 of zeros", dim, k->l1(dim, a, b), 0);
			a[at] = 3;
			b[at] = -4;
			check_exact(k, "l2sq 3 -4", dim, k->l2sq(dim, a, b), 49);
			check_exact(k, "ip 3 -4", dim, k->ip(dim, a, b), -12);
			check_exact(k, "l1 3 -4", dim, k->l1(dim, a, b), 7);
			check_exact(k, "norm a 3 -4", dim, k->cosine(dim, a, b).norm_a, 9);
			check_exact(k, "norm b 3 -4", dim, k->cosine(dim, a, b).norm_b, 16);
		}
	}
	check_exact(k, "l2sq of nothing", 0, k->l2sq(0, a, b), 0);
	check_exact(k, "dot of nothing", 0, k->cosine(0, a, b).dot, 0);
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
		printf("# kernels of level %s\n", k->name);
		RUN(test_dimensions(k));
		RUN(test_unaligned(k));
		RUN(test_special_values(k));
	}
	return unit_report();
}
