/*-------------------------------------------------------------------------
 *
 * quant_half.h
 *	  float16 and the 16-bit radius, in plain C.
 *
 * The float16 conversions give the bits that the instructions of F16C, AVX-512
 * and NEON give: rounded to nearest, ties to even, subnormals included.  No
 * _Float16: clang 14 does not have it for baseline x86-64.
 *
 *-------------------------------------------------------------------------
 */
#ifndef VDB_QUANT_HALF_H
#define VDB_QUANT_HALF_H

#include "pg_compat.h"

/* Exponent bias of a radius */
#define VDB_RADIUS_BIAS 32

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
 * 2^exponent; -126 <= exponent <= 127.
 */
static inline float
vdb_power_of_two(int exponent)
{
	return vdb_bits_float((uint32) (exponent + 127) << 23);
}

/*
 * value as float16; beyond 65504 (rounded) infinity.
 */
static inline uint16
vdb_half_from_float(float value)
{
	uint32		bits = vdb_float_bits(value);
	uint32		sign = (bits >> 16) & 0x8000;
	uint32		rest = bits & 0x7fffffff;

	if (rest > 0x7f800000)		/* NaN: quiet, its first bits kept */
		return (uint16) (sign | 0x7e00 | ((rest >> 13) & 0x3ff));
	if (rest >= 0x47800000)		/* 65536 */
		return (uint16) (sign | 0x7c00);
	/* Below 2^-14: the addition rounds to a multiple of 2^-24. */
	if (rest < 0x38800000)
		return (uint16) (sign | (vdb_float_bits(vdb_bits_float(rest) + 0.5f) - 0x3f000000));
	/* The carry of the rounding may enter the exponent, up to infinity. */
	return (uint16) (sign | ((rest - 0x38000000 + 0xfff + ((rest >> 13) & 1)) >> 13));
}

/*
 * The value of a float16.
 */
static inline float
vdb_half_to_float(uint16 half)
{
	uint32		sign = (uint32) (half & 0x8000) << 16;
	uint32		rest = (uint32) (half & 0x7fff) << 13;

	if (rest >= 0x0f800000)		/* infinity, or NaN, which becomes quiet */
		return vdb_bits_float(sign | 0x7f800000 | rest |
							  (rest > 0x0f800000 ? 0x400000 : 0));
	/* 2^112 moves the exponent, and makes subnormals normal. */
	return vdb_bits_float(sign | vdb_float_bits(vdb_bits_float(rest) * 0x1p112f));
}

/*
 * A radius from a float >= 0, clamped to the range; 0 is 0.
 */
static inline uint16
vdb_radius_from_float(float value)
{
	uint32		bits = vdb_float_bits(value);
	uint32		base = (127 - VDB_RADIUS_BIAS) << 23;

	if (bits <= base)
		return value > 0 ? 1 : 0;
	bits = (bits - base + 0xfff + ((bits >> 13) & 1)) >> 13;
	return (uint16) Min(bits, 0xffff);
}

/*
 * The value of a radius.
 */
static inline float
vdb_radius_to_float(uint16 radius)
{
	if (radius == 0)
		return 0;
	return vdb_bits_float(((uint32) radius << 13) + ((127 - VDB_RADIUS_BIAS) << 23));
}

/*
 * The smallest radius whose value is at least value; for error bounds.
 */
static inline uint16
vdb_radius_above(float value)
{
	uint16		radius = vdb_radius_from_float(value);

	if (radius < 0xffff && vdb_radius_to_float(radius) < value)
		radius++;
	return radius;
}

#endif							/* VDB_QUANT_HALF_H */
