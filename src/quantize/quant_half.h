/*-------------------------------------------------------------------------
 *
 * quant_half.h
 *	  The formats of 16 bits: float16 (vector/half.h) and the radius, in plain C.
 *
 *-------------------------------------------------------------------------
 */
#ifndef VDB_QUANT_HALF_H
#define VDB_QUANT_HALF_H

#include "vector/half.h"

/* Exponent bias of a radius */
#define VDB_RADIUS_BIAS 32

/*
 * 2^exponent; -126 <= exponent <= 127.
 */
static inline float
vdb_power_of_two(int exponent)
{
	return vdb_bits_float((uint32) (exponent + 127) << 23);
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
