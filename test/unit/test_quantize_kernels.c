/*-------------------------------------------------------------------------
 *
 * test_quantize_kernels.c
 *	  Every kernel of the quantize room at every level: the same bits as the
 *	  scalar one, and the scalar one against plain definitions.
 *
 * Arrays that a kernel reads end at an unreadable page, so one that reads
 * beyond its arguments crashes; stored data is unaligned in half of the runs.
 *
 *-------------------------------------------------------------------------
 */
/* LINK: src/quantize/quant_scalar.o src/quantize/quant_avx2.o src/quantize/quant_avx512.o src/quantize/quant_neon.o src/quantize/quant_choose.o src/quantize/quant_layout.o src/quantize/quant_bits.o src/quantize/quant_sparse.o src/bit/bit_scalar.o src/bit/bit_popcnt.o src/bit/bit_avx512.o src/bit/bit_choose.o src/sparse/sparse_sums.o src/quantize/quant_rotate.o src/quantize/quant_vector.o src/distance/kernels_scalar.o src/distance/kernels_avx2.o src/distance/kernels_avx512.o src/distance/kernels_neon.o src/distance/kernel_choose.o */
#include "quant_unit.h"

#include "quantize/quant_half.h"

#define MAX_N 16384

static const VdbQuantKernels *const reference = &vdb_quant_kernels_scalar;

/* The ends of readable areas of MAX_N floats and more */
static char *end_a;
static char *end_b;
static char *end_c;
static float out_a[MAX_N];
static float out_b[MAX_N];

static const int sizes[] = {64, 128, 192, 320, 512, 576, 768, 1024, 1536, 4096, 15936, 16384};

/* An array of floats that ends at an unreadable page */
static float *
floats(char *end, int n, double size)
{
	float	   *x = (float *) (end - n * sizeof(float));

	fill_normal(n, x, size);
	return x;
}

/* The same of bytes, shift bytes before the end */
static void *
bytes(char *end, size_t n, int shift)
{
	uint8	   *x = (uint8 *) end - n - shift;

	for (size_t i = 0; i < n; i++)
		x[i] = random_bits() >> 32;
	return x;
}

/* float16 with finite values of all exponents */
static uint16 *
halves(char *end, int n, int shift)
{
	uint8	   *x = bytes(end, 2 * (size_t) n, shift);

	for (int i = 0; i < n; i++)
		x[2 * i + 1] = (x[2 * i + 1] & 0x80) | (x[2 * i + 1] & 0x3f);
	return (uint16 *) x;
}

static int8 *
small_ints(char *end, int n, int shift)
{
	int8	   *v = bytes(end, n, shift);

	for (int i = 0; i < n; i++)
		v[i] = v[i] == -128 ? 127 : v[i];
	return v;
}

static void
check_bits(const VdbQuantKernels *k, const char *what, int n, const void *got,
		   const void *expected, size_t size)
{
	CHECK(memcmp(got, expected, size) == 0, "%s %s of %d differs from scalar", k->name, what, n);
}

static void
check_float(const VdbQuantKernels *k, const char *what, int n, float got, float expected)
{
	CHECK(memcmp(&got, &expected, sizeof(got)) == 0, "%s %s of %d: %.9g, scalar %.9g",
		  k->name, what, n, got, expected);
}

static void
test_rotation_kernels(const VdbQuantKernels *k)
{
	for (int s = 0; s < lengthof(sizes); s++)
	{
		int			n = sizes[s];
		float	   *x = floats(end_a, n, 1);
		uint32	   *signs = bytes(end_b, (n + 511) / 512 * 64, 0);

		memcpy(out_a, x, n * sizeof(float));
		k->flip(n, x, signs);
		for (int i = 0; i < n; i++)
		{
			bool		flipped = signs[i / 512 * 16 + i % 16] >> (i % 512 / 16) & 1;

			CHECK(x[i] == (flipped ? -out_a[i] : out_a[i]), "%s flip %d of %d", k->name, i, n);
		}
		memcpy(out_a, x, n * sizeof(float));
		k->mix(n, x);
		reference->mix(n, out_a);
		check_bits(k, "mix", n, x, out_a, n * sizeof(float));
		if ((n & (n - 1)) == 0)
		{
			k->hadamard(n, x, 0.3f);
			reference->hadamard(n, out_a, 0.3f);
			check_bits(k, "hadamard", n, x, out_a, n * sizeof(float));
		}
		check_float(k, "max_abs", n, k->max_abs(n, x), reference->max_abs(n, x));
	}
}

/*
 * The scalar Hadamard transform by its definition.
 */
static void
test_hadamard_definition(void)
{
	for (int i = 0; i < 64; i++)
		out_a[i] = random_normal();
	memcpy(out_b, out_a, 64 * sizeof(float));
	reference->hadamard(64, out_b, 0.125f);
	for (int i = 0; i < 64; i++)
	{
		double		sum = 0;

		for (int j = 0; j < 64; j++)
			sum += (__builtin_popcount(i & j) & 1 ? -1 : 1) * 0.125 * out_a[j];
		CHECK(fabs(sum - out_b[i]) < 1e-5, "element %d: %g, expected %g", i, out_b[i], sum);
	}
}

static void
test_conversions(const VdbQuantKernels *k)
{
	static int16 words[2][MAX_N];

	for (int s = 0; s < lengthof(sizes); s++)
	{
		int			n = sizes[s];
		int			shift = s % 2;
		float	   *x = floats(end_a, n, 300);
		int8	   *v = small_ints(end_b, n, shift);
		uint16	   *h = halves(end_c, n, shift);

		k->to_int8(n, x, 0.05f, (int8 *) out_a);
		reference->to_int8(n, x, 0.05f, (int8 *) out_b);
		check_bits(k, "to_int8", n, out_a, out_b, n);
		for (int i = 0; i < n; i++)
			CHECK(((int8 *) out_b)[i] == (int8) rint(x[i] * 0.05f), "to_int8 of %g", x[i]);
		k->to_int16(n, x, 2.5f, words[0]);
		reference->to_int16(n, x, 2.5f, words[1]);
		check_bits(k, "to_int16", n, words[0], words[1], n * sizeof(int16));
		for (int i = 0; i < n; i++)
			CHECK(words[1][i] == (int16) rint(x[i] * 2.5f), "to_int16 of %g", x[i]);
		k->to_half(n, x, 1e-3f, (uint16 *) out_a);
		reference->to_half(n, x, 1e-3f, (uint16 *) out_b);
		check_bits(k, "to_half", n, out_a, out_b, 2 * n);
		k->from_int8(n, v, 0.37f, out_a);
		reference->from_int8(n, v, 0.37f, out_b);
		check_bits(k, "from_int8", n, out_a, out_b, n * sizeof(float));
		k->from_half(n, h, 0.37f, out_a);
		reference->from_half(n, h, 0.37f, out_b);
		check_bits(k, "from_half", n, out_a, out_b, n * sizeof(float));
	}
}

static void
test_float_sums(const VdbQuantKernels *k)
{
	for (int s = 0; s < lengthof(sizes); s++)
	{
		int			n = sizes[s];
		int			shift = s % 2;
		float	   *x = floats(end_a, n, 1);
		uint16	   *g = halves(end_b, n, shift);
		uint16	   *h = halves(end_c, n, shift);
		double		sum = 0;

		check_float(k, "l2sq_half", n, k->l2sq_half(n, x, h, 0.5f), reference->l2sq_half(n, x, h, 0.5f));
		check_float(k, "ip_half", n, k->ip_half(n, x, h), reference->ip_half(n, x, h));
		check_float(k, "l1_half", n, k->l1_half(n, x, h, 0.5f), reference->l1_half(n, x, h, 0.5f));
		check_float(k, "l2sq_halves", n, k->l2sq_halves(n, g, h, 0.5f), reference->l2sq_halves(n, g, h, 0.5f));
		check_float(k, "ip_halves", n, k->ip_halves(n, g, h), reference->ip_halves(n, g, h));
		check_float(k, "l1_halves", n, k->l1_halves(n, g, h, 0.5f), reference->l1_halves(n, g, h, 0.5f));
		check_float(k, "ip", n, k->ip(n, x, x), reference->ip(n, x, x));
		for (int i = 0; i < n; i++)
			sum += (double) x[i] * x[i];
		CHECK(fabs(reference->ip(n, x, x) - sum) < 1e-5 * sum, "ip of %d", n);
	}
}

static void
test_int_sums(const VdbQuantKernels *k)
{
	static int16 t[MAX_N];

	for (int s = 0; s < lengthof(sizes); s++)
	{
		for (int extreme = 0; extreme <= 1; extreme++)
		{
			int			n = sizes[s];
			int			shift = s % 2;
			int8	   *a = small_ints(end_a, n, shift);
			int8	   *b = small_ints(end_b, n, 0);
			int16	   *words = (int16 *) (end_c - n * sizeof(int16));
			int64		sum[3] = {0};

			for (int i = 0; i < n; i++)
			{
				t[i] = (int) (random_bits() % 8191) - 4095;
				if (extreme)
				{
					a[i] = 127;
					b[i] = 127;
					t[i] = -4095;
				}
				words[i] = t[i];
				sum[0] += t[i] * a[i];
				sum[1] += a[i] * b[i];
				sum[2] += t[i] * t[i];
			}
			CHECK(k->dot_int16(n, words, a) == sum[0], "%s dot_int16 of %d", k->name, n);
			CHECK(k->dot_int8(n, a, b) == sum[1], "%s dot_int8 of %d", k->name, n);
			{
				const int8 *rows[3] = {b, a, b};
				int32		dots[4] = {0, 0, 0, 4711};

				k->dots_int8(n, a, rows, 3, dots);
				CHECK(dots[0] == sum[1] && dots[1] == k->dot_int8(n, a, a) && dots[2] == sum[1] && dots[3] == 4711,
					  "%s dots_int8 of %d", k->name, n);
			}
			CHECK(k->squares_int16(n, words) == sum[2], "%s squares_int16 of %d", k->name, n);
		}
	}
}

/*
 * The definition of the README: where dimension d of a code is.
 */
static int
code_level(const uint8 *code, int code_bytes, int bits, int d)
{
	int			fields = 8 / bits;
	int			first = d / (64 * fields) * 64;
	int			group = Min(64, code_bytes - first);
	int			within = d % (64 * fields);

	return code[first + within % group] >> (within / group * bits) & ((1 << bits) - 1);
}

static void
test_code_sums(const VdbQuantKernels *k)
{
	static int8 q8[MAX_N + 64];
	static const int counts[] = {1, 2, 5, 32};
	int32		sums[32];

	for (int bits = 1; bits <= 4; bits *= 2)
	{
		for (int dims = 64; dims <= 2048; dims += 64)
		{
			int			code_bytes = dims * bits / 8;
			int			stride = code_bytes + 12 + dims / 64 % 3;
			int			count = counts[dims / 64 % 4];
			bool		extreme = dims % 192 == 0;
			uint8	   *last = (uint8 *) end_a - code_bytes;
			VdbCodeRows rows = {last - (count - 1) * stride, stride, count, code_bytes};
			void (*kernel)(VdbCodeRows, const int8 *, int32 *) =
				bits == 1 ? k->sums1 : bits == 2 ? k->sums2 :
												   k->sums4;

			bytes(end_a, (count - 1) * stride + code_bytes, 0);
			/* what lies behind the last dimension must not count */
			for (int i = 0; i < dims + 64; i++)
				q8[i] = extreme ? -127 : (int) (random_bits() % 255) - 127;
			if (extreme)
				memset((void *) rows.first, 0xff, (count - 1) * stride + code_bytes);
			kernel(rows, q8, sums);
			for (int row = 0; row < count; row++)
			{
				int32		expected = 0;

				for (int d = 0; d < dims; d++)
					expected += q8[d] * code_level(rows.first + row * stride, code_bytes, bits, d);
				CHECK(sums[row] == expected, "%s, %d bits, %d dimensions, row %d: %d, expected %d",
					  k->name, bits, dims, row, sums[row], expected);
			}
		}
	}
}

static void
test_encoding(const VdbQuantKernels *k)
{
	static uint8 u[2][MAX_N];

	for (int s = 0; s < lengthof(sizes); s++)
	{
		int			n = sizes[s];
		float	   *x = floats(end_a, n, 1);
		float	   *c = floats(end_b, n, 1);
		VdbCodeSums sums[2];

		/* ties and the value zero */
		x[0] = c[0];
		x[1] = -0.0f;
		check_float(k, "residual", n, k->residual(n, x, 0.5f, c, out_a), reference->residual(n, x, 0.5f, c, out_b));
		check_bits(k, "residual", n, out_a, out_b, n * sizeof(float));
		sums[0] = k->code_signs(n, x, c, u[0]);
		sums[1] = reference->code_signs(n, x, c, u[1]);
		check_bits(k, "sums of signs", n, &sums[0], &sums[1], sizeof(sums[0]));
		check_bits(k, "signs", n, u[0], u[1], n);
		for (int i = 0; i < n; i++)
			CHECK(u[0][i] == (x[i] > 0), "sign %d", i);
		sums[0] = k->code_levels(n, x, c, 3, 7.5f, u[0]);
		sums[1] = reference->code_levels(n, x, c, 3, 7.5f, u[1]);
		check_bits(k, "sums of levels", n, &sums[0], &sums[1], sizeof(sums[0]));
		check_bits(k, "levels", n, u[0], u[1], n);
		for (int i = 0; i < n; i++)
			CHECK(u[0][i] == Max(0, Min(15, floorf(x[i] * 3 + 8))), "level %d of %g", i, x[i]);
	}
}

/*
 * All float16 values, and floats at and around every rounding boundary, by
 * every level, against arithmetic on doubles.
 */
static void
test_half(const VdbQuantKernels *k)
{
	static uint16 half[65536];
	static uint16 got[65536];
	static float value[65536];

	for (int i = 0; i < 65536; i++)
		half[i] = i;
	k->from_half(65536, half, 1, value);
	for (int i = 0; i < 65536; i++)
	{
		int			exponent = i >> 10 & 31;
		double		mantissa = (i & 1023) + (exponent > 0 ? 1024 : 0);
		double		expected = ldexp(mantissa, Max(exponent, 1) - 25) * (i & 0x8000 ? -1 : 1);

		if (exponent == 31)
			CHECK((i & 1023) == 0 ? isinf(value[i]) : isnan(value[i]), "%s %04x: %g", k->name, i, value[i]);
		else
			CHECK(value[i] == (float) expected && (signbit(value[i]) != 0) == (i >> 15),
				  "%s %04x: %g, expected %g", k->name, i, value[i], expected);
	}
	k->to_half(65536, value, 1, got);
	for (int i = 0; i < 65536; i++)
	{
		/* a NaN becomes quiet */
		int			expected = (i & 0x7fff) > 0x7c00 ? i | 0x200 : i;

		CHECK(got[i] == expected, "%s round trip of %04x: %04x", k->name, i, got[i]);
	}

	/* halfway between neighbours, and one float to either side */
	for (int away = -1; away <= 1; away++)
	{
		for (int i = 0; i < 65536; i++)
		{
			int			h = i & 0x7fff;
			double		next = h + 1 < 0x7c00 ? vdb_half_to_float(h + 1) : 65536;
			float		middle = (vdb_half_to_float(Min(h, 0x7bff)) + next) / 2;

			middle = away == 0 ? middle : nextafterf(middle, away * INFINITY);
			value[i] = i & 0x8000 ? -middle : middle;
		}
		k->to_half(65536, value, 1, got);
		for (int i = 0; i < 65536; i++)
		{
			int			h = Min(i & 0x7fff, 0x7bff);
			int			expected = (h + (away > 0 || (away == 0 && (h & 1)) ? 1 : 0)) | (i & 0x8000);

			CHECK(got[i] == expected, "%s %.9g: %04x, expected %04x", k->name, value[i], got[i], expected);
		}
	}
	memset(value, 0, sizeof(value));
	for (int i = 0; i < 32; i++)
		value[i] = i % 4 == 0 ? 1e30f : i % 4 == 1 ? INFINITY :
			i % 4 == 2                             ? 1e-30f :
													 1e-45f;
	k->to_half(32, value, 1, got);
	for (int i = 0; i < 32; i++)
		CHECK(got[i] == (i % 4 < 2 ? 0x7c00 : 0), "%s %g: %04x", k->name, value[i], got[i]);
}

static void
test_radius(void)
{
	uint16		last = 0;

	CHECK(vdb_radius_from_float(0) == 0, "zero");
	CHECK(vdb_radius_from_float(1e-45f) == 1, "the smallest is not zero");
	CHECK(vdb_radius_from_float(1e30f) == 0xffff, "clamped");
	for (int r = 1; r <= 0xffff; r++)
	{
		float		value = vdb_radius_to_float(r);

		CHECK(vdb_radius_from_float(value) == r, "radius %d", r);
		CHECK(vdb_radius_above(value) == r, "radius %d", r);
		if (r < 0xffff)
		{
			CHECK(vdb_radius_above(nextafterf(value, INFINITY)) == r + 1, "radius above %d", r);
			CHECK(vdb_radius_to_float(r + 1) <= value * (1 + 0x1p-10f), "step at %d", r);
		}
	}
	CHECK(vdb_radius_to_float(32 << 10) == 1, "one");
	for (float x = 1e-9f; x < 4e9f; x *= 1.01f)
	{
		uint16		r = vdb_radius_from_float(x);

		CHECK(fabsf(vdb_radius_to_float(r) - x) <= x * 0x1.01p-11f, "%g as %g", x, vdb_radius_to_float(r));
		CHECK(r >= last, "order at %g", x);
		last = r;
	}
}

/*
 * The level of each distance level, and every table once.
 */
static void
test_choice(void)
{
	VdbKernels	fake = {.name = "scalar"};
	int			n = 0;

	CHECK(vdb_quant_find_kernels(VDB_SIMD_SCALAR) == reference, "scalar");
	CHECK(vdb_quant_kernels_like(&fake) == reference, "like scalar");
	while (vdb_quant_nth_kernels(n) != NULL)
		n++;
	CHECK(vdb_quant_nth_kernels(0) == reference, "the first");
	CHECK(vdb_quant_find_kernels(VDB_SIMD_AUTO) == vdb_quant_nth_kernels(n - 1), "auto is not the best");
	for (VdbSimdLevel level = VDB_SIMD_AUTO; level <= VDB_SIMD_LAST; level++)
		CHECK(vdb_quant_find_kernels(level) != NULL, "level %d", level);
}

int
main(void)
{
	const VdbQuantKernels *k;
	char	   *start;

	map_guarded(MAX_N * sizeof(float) + 64, &start, &end_a);
	map_guarded(MAX_N * sizeof(float) + 64, &start, &end_b);
	map_guarded(MAX_N * sizeof(float) + 64, &start, &end_c);

	RUN(test_choice());
	RUN(test_radius());
	RUN(test_hadamard_definition());
	for (int i = 0; (k = vdb_quant_nth_kernels(i)) != NULL; i++)
	{
		printf("# kernels of level %s\n", k->name);
		RUN(test_half(k));
		RUN(test_rotation_kernels(k));
		RUN(test_conversions(k));
		RUN(test_float_sums(k));
		RUN(test_int_sums(k));
		RUN(test_code_sums(k));
		RUN(test_encoding(k));
	}
	return unit_report();
}
