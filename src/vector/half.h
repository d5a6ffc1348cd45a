/*-------------------------------------------------------------------------
 *
 * half.h
 *	  float16 in plain C.
 *
 * The conversions give the bits that the instructions of F16C, AVX-512 and
 * NEON give: rounded to nearest, ties to even, subnormals included.  No
 * _Float16: clang 14 does not have it for baseline x86-64.
 *
 * No PostgreSQL symbols.
 *
 *-------------------------------------------------------------------------
 */
#ifndef VDB_HALF_H
#define VDB_HALF_H

#include "pg_compat.h"

/* The least float that rounds to infinity: half way from 65504 to 65536 */
#define VDB_HALF_OVERFLOW 65520.0f

static inline uint32
vdb_float_bits(float value)
{
	uint32		bits;

	memcpy(&bits, &value, sizeof(bits));
	return bits;
}

static inline float
vdb_bits_float(uint32 bits)
{
	float		value;

	memcpy(&value, &bits, sizeof(value));
	return value;
}

/*
 * value as float16; beyond 65504 (rounded) infinity.  Without branches, so that
 * loops can be vectorised and random numbers mispredict nothing.
 */
static inline uint16
vdb_half_from_float(float value)
{
	uint32		bits = vdb_float_bits(value);
	uint32		sign = (bits >> 16) & 0x8000;
	uint32		rest = bits & 0x7fffffff;

	/* The carry of the rounding may enter the exponent, up to infinity. */
	uint32		normal = (rest - 0x38000000 + 0xfff + ((rest >> 13) & 1)) >> 13;

	/* Below 2^-14: the addition rounds to a multiple of 2^-24. */
	uint32		subnormal = vdb_float_bits(vdb_bits_float(rest) + 0.5f) - 0x3f000000;

	/* NaN: quiet, its first bits kept */
	uint32		nan = 0x7e00 | ((rest >> 13) & 0x3ff);

	uint32		half = rest < 0x38800000 ? subnormal : normal;

	half = rest >= 0x47800000 ? 0x7c00 : half; /* 65536 */
	half = rest > 0x7f800000 ? nan : half;
	return (uint16) (sign | half);
}

/*
 * Is it a number, and not infinite?
 */
static inline bool
vdb_half_is_finite(uint16 half)
{
	return (half & 0x7c00) != 0x7c00;
}

/*
 * The value of a float16, without branches, too.
 */
static inline float
vdb_half_to_float(uint16 half)
{
	uint32		sign = (uint32) (half & 0x8000) << 16;
	uint32		rest = (uint32) (half & 0x7fff) << 13;

	/* 2^112 moves the exponent, and makes subnormals normal. */
	uint32		bits = vdb_float_bits(vdb_bits_float(rest) * 0x1p112f);

	/* What has the highest is infinity, or NaN, which becomes quiet. */
	bits |= rest >= 0x0f800000 ? 0x7f800000 : 0;
	bits |= rest > 0x0f800000 ? 0x00400000 : 0;
	return vdb_bits_float(sign | bits);
}

#endif							/* VDB_HALF_H */
