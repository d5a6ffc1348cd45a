/*-------------------------------------------------------------------------
 *
 * float_text.h
 *	  Correctly rounded text to float4 conversion, faster than strtof().
 *
 * The value is what strtof() returns in the C locale for what it accepts.
 * Here, to be inlined into loops over elements, is the short way for the usual
 * element, "-0.0123456789": a digit, a dot, up to 19 digits.  float_text.c has
 * the way for all others.
 *
 * Why the short ways are right.  The digits form an integer w < 2^64 and the
 * value is w * 10^e.  Three roundings to double happen: of w, of 10^e (a table
 * of correctly rounded constants) and of the product, each with a relative
 * error of at most 2^-53, so the double d is within 3.01 * 2^-53 of the true
 * value relatively, which is less than 4 units in its last place.  Rounding d
 * to float4 gives the same float4 as rounding the true value does unless a
 * midpoint of two neighbouring float4 lies between them.  In the normal range
 * the midpoints are the doubles whose low 29 bits are 0x10000000, so it is
 * enough to leave to strtof() every d whose low bits are within
 * VDB_MIDPOINT_MARGIN of that: one number in 30 million at random.
 *
 * No PostgreSQL symbols: unit tests and fuzzers need float_text.c alone.
 *
 *-------------------------------------------------------------------------
 */
#ifndef VDB_FLOAT_TEXT_H
#define VDB_FLOAT_TEXT_H

#include <float.h>

#define VDB_MAX_POWER 64
#define VDB_MIDPOINT_MARGIN 8

/* Bytes that the short way may look at, from the number's sign on. */
#define VDB_SHORT_BYTES 28

/* float_text.c */
extern const double vdb_power_of_ten[2 * VDB_MAX_POWER + 1];
extern const char *vdb_float_parse_any(const char *p, const char *end,
									   float *value, bool *is_out_of_range);
extern const char *vdb_float_parse_exponent(const char *p, const char *end,
											uint64 digits, int power,
											bool negative, float *value);

/*
 * The number of digits, 0 to 8, that the eight characters in word begin with;
 * character i is byte i from the low end.
 *
 * Adding 0x46 carries into the high bit of a byte above '9', subtracting 0x30
 * borrows into it for a byte below '0'.  A carry or borrow out of a byte
 * disturbs the bytes above it only, and that byte is marked itself, so the
 * lowest mark is right.
 */
static inline int
vdb_count_digits(uint64 word)
{
	uint64		marks = ((word + UINT64CONST(0x4646464646464646)) |
						 (word - UINT64CONST(0x3030303030303030))) &
		UINT64CONST(0x8080808080808080);

	return marks == 0 ? 8 : __builtin_ctzll(marks) / 8;
}

/*
 * The value of the first n digits in word, n from 0 to 8.  They are moved to
 * the high end, behind zeros (in two shifts, as one by 64 is undefined); then
 * three steps join neighbours to pairs, fours and eights.
 */
static inline uint64
vdb_join_digits(uint64 word, int n)
{
	word -= UINT64CONST(0x3030303030303030);
	word = word << (32 - 4 * n) << (32 - 4 * n);
	word = (word * 10 + (word >> 8)) & UINT64CONST(0x00FF00FF00FF00FF);
	word = (word * 100 + (word >> 16)) & UINT64CONST(0x0000FFFF0000FFFF);
	return (word * 10000 + (word >> 32)) & UINT64CONST(0xFFFFFFFF);
}

/* 10^n for n from 0 to 8, as the number of digits that were read. */
static inline uint64
vdb_shift_of(int n)
{
	static const uint32 powers[] = {
		1, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000
	};

	return powers[n];
}

/*
 * The float4 that the double d decides, 0 < d.  Returns false if it decides
 * none, or none in the normal range.
 */
static inline bool
vdb_round_to_float(double d, bool negative, float *value)
{
	/* the doubles FLT_MIN * 1.0001 and FLT_MAX * 0.9999, about */
	const uint64 least = UINT64CONST(0x3810010000000000);
	const uint64 most = UINT64CONST(0x47EFFF0000000000);
	union
	{
		double		d;
		uint64		bits;
	} wide;
	union
	{
		float		f;
		uint32		bits;
	} narrow;

	wide.d = d;
	if (unlikely(wide.bits - least > most - least) ||
		unlikely((wide.bits & 0x1FFFFFFF) - (0x10000000 - VDB_MIDPOINT_MARGIN) <=
				 2 * VDB_MIDPOINT_MARGIN))
		return false;
	narrow.f = (float) d;
	narrow.bits |= (uint32) negative << 31;
	*value = narrow.f;
	return true;
}

/*
 * The short way.  Returns the first character after the number, or NULL for a
 * number of another form.
 */
static inline const char *
vdb_float_parse_short(const char *p, const char *end, float *value)
{
	bool		negative = *p == '-';
	const char *fraction;
	uint64		digits;
	uint64		word;
	int			power;
	int			n;

	p += negative;
	digits = (uint64) (unsigned char) p[0] - '0';
	if (digits > 9 || p[1] != '.')
		return NULL;

	fraction = p += 2;
	memcpy(&word, p, sizeof(word));
	n = vdb_count_digits(word);
	if (n == 8)
	{
		digits = digits * 100000000 + vdb_join_digits(word, 8);
		p += 8;
		memcpy(&word, p, sizeof(word));
		n = vdb_count_digits(word);
		if (n == 8)
		{
			digits = digits * 100000000 + vdb_join_digits(word, 8);
			p += 8;
			memcpy(&word, p, sizeof(word));
			n = vdb_count_digits(word);
			if (n > 3 || (n == 3 && fraction[-2] != '0'))
				return NULL;	/* might not fit a uint64 */
		}
	}
	digits = digits * vdb_shift_of(n) + vdb_join_digits(word, n);
	p += n;
	power = -(int) (p - fraction);
	if (unlikely((*p | 0x20) == 'e'))
		return vdb_float_parse_exponent(p, end, digits, power, negative, value);
	if (p == fraction || (int64) digits < 0 ||
		!vdb_round_to_float((double) (int64) digits *
								vdb_power_of_ten[power + VDB_MAX_POWER],
							negative, value))
		return NULL;
	return p;
}

/*
 * Converts the number at p, which ends before the NUL byte or other
 * terminator at end.
 *
 * Returns the first character after the number, or p itself if there is no
 * number; sets *value, and *is_out_of_range for a number beyond float4's range
 * (then *value is infinite; underflow to zero or a subnormal is no error).
 * Only numbers for which the short way does not serve can be NaN or infinite.
 * *end must be readable and no character that can continue a number.
 */
static inline const char *
vdb_float_parse(const char *p, const char *end, float *value,
				bool *is_out_of_range)
{
#ifndef WORDS_BIGENDIAN
	if (likely(end - p >= VDB_SHORT_BYTES))
	{
		const char *after = vdb_float_parse_short(p, end, value);

		if (likely(after != NULL))
		{
			*is_out_of_range = false;
			return after;
		}
	}
#endif
	return vdb_float_parse_any(p, end, value, is_out_of_range);
}

#endif							/* VDB_FLOAT_TEXT_H */
