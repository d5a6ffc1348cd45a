/*-------------------------------------------------------------------------
 *
 * float_text.c
 *	  Correctly rounded text to float4 conversion, faster than strtof().
 *
 * Accepts exactly what strtof() accepts in the C locale and returns exactly
 * what it returns.  Plain decimal numbers of up to 19 significant digits take
 * a short way; everything else (more digits, hexadecimal, inf, nan, subnormal
 * results, ...) is handed to strtof() itself.
 *
 * Why the short way is right.  The digits form an integer w < 10^19 and the
 * value is w * 10^e.  Three roundings to double happen: of w, of 10^e (a
 * table of correctly rounded constants) and of the product, each with a
 * relative error of at most 2^-53, so the double d is within 3.01 * 2^-53 of
 * the true value relatively, which is less than 4 units in its last place.  Rounding d to float4 gives the same float4 as rounding
 * the true value does unless a midpoint of two neighbouring float4 lies
 * between them.  The midpoints are the doubles whose low 29 bits are
 * 0x10000000, so it is enough to send every d whose low bits are within
 * MIDPOINT_MARGIN of that to strtof(): one number in 30 million at random.
 *
 * No PostgreSQL symbols: unit tests and fuzzers link this file alone.
 *
 *-------------------------------------------------------------------------
 */
#include "c.h"

#include <errno.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>

#include "vector/float_text.h"

#define MAX_DIGITS 19			/* 10^19 - 1 fits a uint64 */
#define MAX_POWER 64
#define MIDPOINT_MARGIN 8

/* The low bits of a double's significand that a float4 does not have. */
#define LOW_BITS UINT64CONST(0x1FFFFFFF)
#define MIDPOINT UINT64CONST(0x10000000)

/* 10^-MAX_POWER to 10^MAX_POWER */
static const double power_of_ten[2 * MAX_POWER + 1] = {
	1e-64, 1e-63, 1e-62, 1e-61, 1e-60, 1e-59, 1e-58, 1e-57, 1e-56,
	1e-55, 1e-54, 1e-53, 1e-52, 1e-51, 1e-50, 1e-49, 1e-48, 1e-47,
	1e-46, 1e-45, 1e-44, 1e-43, 1e-42, 1e-41, 1e-40, 1e-39, 1e-38,
	1e-37, 1e-36, 1e-35, 1e-34, 1e-33, 1e-32, 1e-31, 1e-30, 1e-29,
	1e-28, 1e-27, 1e-26, 1e-25, 1e-24, 1e-23, 1e-22, 1e-21, 1e-20,
	1e-19, 1e-18, 1e-17, 1e-16, 1e-15, 1e-14, 1e-13, 1e-12, 1e-11,
	1e-10, 1e-9, 1e-8, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2,
	1e-1, 1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7,
	1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16,
	1e17, 1e18, 1e19, 1e20, 1e21, 1e22, 1e23, 1e24, 1e25,
	1e26, 1e27, 1e28, 1e29, 1e30, 1e31, 1e32, 1e33, 1e34,
	1e35, 1e36, 1e37, 1e38, 1e39, 1e40, 1e41, 1e42, 1e43,
	1e44, 1e45, 1e46, 1e47, 1e48, 1e49, 1e50, 1e51, 1e52,
	1e53, 1e54, 1e55, 1e56, 1e57, 1e58, 1e59, 1e60, 1e61,
	1e62, 1e63, 1e64
};

/* What scan_decimal() found: the value is (-1)^negative * digits * 10^power. */
typedef struct Decimal
{
	uint64		digits;
	int			power;
	bool		negative;
} Decimal;

static inline bool
is_digit(char c)
{
	return (unsigned char) (c - '0') <= 9;
}

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
count_digits(uint64 word)
{
	uint64		marks = ((word + UINT64CONST(0x4646464646464646)) |
						 (word - UINT64CONST(0x3030303030303030))) &
		UINT64CONST(0x8080808080808080);

	return marks == 0 ? 8 : __builtin_ctzll(marks) / 8;
}

/*
 * The value of the first n digits in word, n from 1 to 8.  They are moved to
 * the high end, behind zeros; then three steps join neighbours to pairs, fours
 * and eights.
 */
static inline uint64
join_digits(uint64 word, int n)
{
	word = (word - UINT64CONST(0x3030303030303030)) << (64 - 8 * n);
	word = (word * 10 + (word >> 8)) & UINT64CONST(0x00FF00FF00FF00FF);
	word = (word * 100 + (word >> 16)) & UINT64CONST(0x0000FFFF0000FFFF);
	return (word * 10000 + (word >> 32)) & UINT64CONST(0xFFFFFFFF);
}

/*
 * Appends the digits at p to d->digits and returns the first character after
 * them.  The caller checks afterwards that not more than MAX_DIGITS counted.
 *
 * Eight at a time: how many digits an element has is the one thing that a
 * branch predictor cannot learn here.
 */
static inline const char *
scan_digits(const char *p, const char *end, Decimal *d)
{
#ifndef WORDS_BIGENDIAN
	static const uint32 powers[] = {
		1, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000
	};

	while (end - p >= 8)
	{
		uint64		word;
		int			n;

		memcpy(&word, p, sizeof(word));
		n = count_digits(word);
		if (n == 0)
			return p;
		d->digits = d->digits * powers[n] + join_digits(word, n);
		p += n;
		if (n < 8)
			return p;
	}
#endif
	while (p < end && is_digit(*p))
		d->digits = d->digits * 10 + (uint64) (*p++ - '0');
	return p;
}

/*
 * Reads the exponent after the digits, if there is a complete one, and adds
 * it to d->power.  Returns the first character after it.
 */
static const char *
scan_exponent(const char *p, const char *end, Decimal *d)
{
	const char *q = p + 1;
	bool		negative = false;
	int			exponent = 0;

	if (q < end && (*q == '-' || *q == '+'))
		negative = *q++ == '-';
	if (q >= end || !is_digit(*q))
		return p;				/* "1e" is the number 1 before an "e" */

	for (; q < end && is_digit(*q); q++)
		if (exponent < 10000)
			exponent = exponent * 10 + (*q - '0');

	d->power += negative ? -exponent : exponent;
	return q;
}

/*
 * Whether the digits from first to after, a dot among them perhaps, are too
 * many for a uint64 when leading zeros do not count.
 */
static bool
too_many_digits(const char *first, const char *after)
{
	while (first < after && (*first == '0' || *first == '.'))
		first++;
	return after - first > MAX_DIGITS;
}

/*
 * Reads a plain decimal number at p.  Returns the first character after it,
 * or NULL where the short way does not apply.
 */
static inline const char *
scan_decimal(const char *p, const char *end, Decimal *d)
{
	const char *first;
	int			ndots = 0;

	d->digits = 0;
	d->power = 0;

	/* *end is readable; no branch, since signs are random. */
	d->negative = *p == '-';
	p += d->negative | (*p == '+');

	first = p;
	p = scan_digits(p, end, d);
	if (p < end && *p == '.')
	{
		const char *fraction = p + 1;

		ndots = 1;
		p = scan_digits(fraction, end, d);
		d->power = -(int) (p - fraction);
	}

	if (p - first == ndots)
		return NULL;			/* no digits */
	if (p - first > MAX_DIGITS && too_many_digits(first, p))
		return NULL;

	if (p < end)
	{
		if (*p == 'e' || *p == 'E')
			p = scan_exponent(p, end, d);
		else if (*p == 'x' || *p == 'X')
			return NULL;		/* hexadecimal */
	}
	return p;
}

static inline float
with_sign(float magnitude, bool negative)
{
	uint32		bits;

	memcpy(&bits, &magnitude, sizeof(bits));
	bits |= (uint32) negative << 31;
	memcpy(&magnitude, &bits, sizeof(bits));
	return magnitude;
}

/*
 * Computes the value of d.  Returns false where the double precision result
 * does not decide the float4.
 */
static inline bool
decimal_to_float(const Decimal *d, float *value)
{
	double		result;
	uint64		bits;

	if (d->digits == 0)
	{
		*value = with_sign(0.0f, d->negative);
		return true;
	}
	if (d->power < -MAX_POWER || d->power > MAX_POWER)
		return false;

	result = (double) d->digits * power_of_ten[d->power + MAX_POWER];

	/* Outside the normal range the midpoints lie elsewhere. */
	if (result < FLT_MIN * 1.0001 || result > FLT_MAX * 0.9999)
		return false;

	memcpy(&bits, &result, sizeof(bits));
	if ((bits & LOW_BITS) - (MIDPOINT - MIDPOINT_MARGIN) <= 2 * MIDPOINT_MARGIN)
		return false;

	*value = with_sign((float) result, d->negative);
	return true;
}

/*
 * Converts the number at p, which ends before the NUL byte or other
 * terminator at end.
 *
 * Returns the first character after the number, or p itself if there is no
 * number; sets *value, and *range_error if the value is beyond float4's range
 * (then *value is infinite; underflow to zero or a subnormal is no error).
 * *end must be readable and no character that can continue a number.
 */
const char *
vdb_float_parse(const char *p, const char *end, float *value, int *range_error)
{
	Decimal		d;
	const char *after;
	char	   *stop;

	*range_error = 0;
	after = scan_decimal(p, end, &d);
	if (likely(after != NULL) && likely(decimal_to_float(&d, value)))
		return after;

	errno = 0;
	*value = strtof(p, &stop);
	if (errno == ERANGE && isinf(*value))
		*range_error = 1;
	return stop;
}
