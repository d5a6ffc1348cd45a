/*-------------------------------------------------------------------------
 *
 * test_bit.c
 *	  Every level of bit kernels that this CPU has against counting bit by bit.
 *
 * The strings lie between two pages that cannot be read, once ending at the very
 * last byte and once starting at the very first, so a kernel that reads outside
 * its arguments crashes.
 *
 *-------------------------------------------------------------------------
 */
/* LINK: src/bit/bit_scalar.o src/bit/bit_popcnt.o src/bit/bit_avx512.o src/bit/bit_choose.o src/distance/kernels_scalar.o src/distance/kernels_avx2.o src/distance/kernels_avx512.o src/distance/kernels_neon.o src/distance/kernel_choose.o */
#include "postgres.h"

#include "bit/bit.h"
#include "guarded.h"
#include "unit.h"

#define MOST_BYTES 1100

static uint64 rng_state = UINT64CONST(0x9E3779B97F4A7C15);

/* Two readable areas, each between guard pages */
static char *start_a;
static char *end_a;
static char *start_b;
static char *end_b;

static uint8
random_byte(void)
{
	rng_state ^= rng_state << 13;
	rng_state ^= rng_state >> 7;
	rng_state ^= rng_state << 17;
	return (uint8) (rng_state >> 32);
}

static int
bits_of(uint8 byte)
{
	int			n = 0;

	for (int i = 0; i < 8; i++)
		n += byte >> i & 1;
	return n;
}

static void
check_pair(const VdbBitKernels *k, int bytes, const uint8 *a, const uint8 *b)
{
	uint64		hamming = 0;
	VdbBitSums	sums = {0, 0};
	VdbBitSums	got = k->jaccard(bytes, a, b);

	for (int i = 0; i < bytes; i++)
	{
		hamming += bits_of(a[i] ^ b[i]);
		sums.both += bits_of(a[i] & b[i]);
		sums.either += bits_of(a[i] | b[i]);
	}
	CHECK(k->hamming(bytes, a, b) == hamming, "%s, %d bytes", k->name, bytes);
	CHECK(got.both == sums.both && got.either == sums.either, "%s, %d bytes", k->name, bytes);
	CHECK(k->hamming(bytes, a, a) == 0, "%s, %d bytes", k->name, bytes);
}

/*
 * All lengths up to 1,100 bytes, at both ends of the areas and at odd places;
 * bytes are random, all ones, or nearly all zero.
 */
static void
test_level(const VdbBitKernels *k)
{
	for (int bytes = 0; bytes <= MOST_BYTES; bytes++)
	{
		uint8	   *a = (uint8 *) end_a - bytes;
		uint8	   *b = (uint8 *) start_b;

		for (int i = 0; i < bytes; i++)
		{
			a[i] = bytes % 3 == 0 ? 0xFF : random_byte();
			b[i] = bytes % 3 == 1 ? 1 << (i & 7) : random_byte();
		}
		check_pair(k, bytes, a, b);
		memcpy(start_a, a, bytes);
		memcpy(end_b - bytes, b, bytes);
		check_pair(k, bytes, (uint8 *) start_a, (uint8 *) end_b - bytes);
		if (bytes > 1)
			check_pair(k, bytes - 1, (uint8 *) start_a + 1, (uint8 *) end_b - bytes);
	}
}

static void
test_jaccard_value(void)
{
	VdbBitSums	none = {0, 0};
	VdbBitSums	apart = {0, 5};
	VdbBitSums	half = {2, 4};
	VdbBitSums	same = {7, 7};

	CHECK(vdb_bit_jaccard(none) == 1, "no bits at all");
	CHECK(vdb_bit_jaccard(apart) == 1, "no common bits");
	CHECK(vdb_bit_jaccard(half) == 0.5, "half");
	CHECK(vdb_bit_jaccard(same) == 0, "equal");
}

static void
test_choice(void)
{
	CHECK(vdb_bit_find_kernels(VDB_SIMD_SCALAR) == &vdb_bit_kernels_scalar, "scalar");
	CHECK(vdb_bit_kernels_like(&vdb_kernels_scalar) == &vdb_bit_kernels_scalar, "like scalar");
	CHECK(vdb_bit_kernels_like(vdb_kernels_find(VDB_SIMD_AUTO)) != NULL, "auto");
	CHECK(vdb_bit_kernels_like(&vdb_kernels_scalar) == &vdb_bit_kernels_scalar, "scalar again");
}

int
main(void)
{
	const VdbBitKernels *last = NULL;

	map_guarded(MOST_BYTES, &start_a, &end_a);
	map_guarded(MOST_BYTES, &start_b, &end_b);
	for (int level = VDB_SIMD_AUTO; level <= VDB_SIMD_LAST; level++)
	{
		const VdbBitKernels *k = vdb_bit_find_kernels((VdbSimdLevel) level);

		if (k == last)
			continue;
		printf("level %s\n", k->name);
		RUN(test_level(k));
		last = k;
	}
	RUN(test_jaccard_value());
	RUN(test_choice());
	return unit_report();
}
