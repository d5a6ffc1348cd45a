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
 * value is w * 10^e.  Three roundings to double happen: of w, of 10^|e| (a
 * table of correctly rounded constants) and of the product or quotient, each
 * with a relative error of at most 2^-53, so the double d is within
 * 3.01 * 2^-53 of the true value relatively, which is less than 4 units in
 * its last place.  Rounding d to float4 gives the same float4 as rounding
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

static const double power_of_ten[MAX_POWER + 1] = {
	1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9,
	1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19,
	1e20, 1e21, 1e22, 1e23, 1e24, 1e25, 1e26, 1e27, 1e28, 1e29,
	1e30, 1e31, 1e32, 1e33, 1e34, 1e35, 1e36, 1e37, 1e38, 1e39,
	1e40, 1e41, 1e42, 1e43, 1e44, 1e45, 1e46, 1e47, 1e48, 1e49,
	1e50, 1e51, 1e52, 1e53, 1e54, 1e55, 1e56, 1e57, 1e58, 1e59,
	1e60, 1e61, 1e62, 1e63, 1e64
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
 * Eight characters at p as one number, if all are digits.
 *
 * Byte i of the little-endian word is digit i; three multiply-and-add steps
 * join neighbours (pairs, fours, eights).  The digit test: adding 0x46 carries
 * into the high bit for bytes above '9', subtracting 0x30 borrows into it for
 * bytes below '0'.
 */
static inline bool
scan_eight_digits(const char *p, uint32 *value)
{
#ifdef WORDS_BIGENDIAN
	return false;
#else
	uint64		word;

	memcpy(&word, p, sizeof(word));
	if (((word + UINT64CONST(0x4646464646464646)) |
		 (word - UINT64CONST(0x3030303030303030))) &
		UINT64CONST(0x8080808080808080))
		return false;

	word -= UINT64CONST(0x3030303030303030);
	word = (word * 10 + (word >> 8)) & UINT64CONST(0x00FF00FF00FF00FF);
	word = (word * 100 + (word >> 16)) & UINT64CONST(0x0000FFFF0000FFFF);
	*value = (uint32) (word * 10000 + (word >> 32));
	return true;
#endif
}

/*
 * Appends the digits at p to d->digits and returns the first character after
 * them.  The caller checks afterwards that not more than MAX_DIGITS counted.
 */
static inline const char *
scan_digits(const char *p, const char *end, Decimal *d)
{
	uint32		eight;

	while (end - p >= 8 && scan_eight_digits(p, &eight))
	{
		d->digits = d->digits * 100000000 + eight;
		p += 8;
	}
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
 * Reads a plain decimal number at p.  Returns the first character after it,
 * or NULL where the short way does not apply.
 */
static inline const char *
scan_decimal(const char *p, const char *end, Decimal *d)
{
	const char *first;
	const char *dot = NULL;
	int			ndigits;

	d->digits = 0;
	d->power = 0;
	d->negative = false;

	if (p < end && (*p == '-' || *p == '+'))
		d->negative = *p++ == '-';

	/* Leading zeros are no significant digits. */
	first = p;
	while (p < end && *p == '0')
		p++;
	if (p < end && (*p == 'x' || *p == 'X'))
		return NULL;			/* hexadecimal */

	ndigits = (int) (p - first);
	first = p;
	p = scan_digits(p, end, d);
	ndigits += (int) (p - first);

	if (p < end && *p == '.')
	{
		dot = ++p;
		if (first == dot - 1)	/* zeros only so far */
		{
			while (p < end && *p == '0')
				p++;
			first = p;
		}
		p = scan_digits(p, end, d);
		ndigits += (int) (p - dot);
		d->power = -(int) (p - dot);
	}

	/* A dot among the digits counts as one here, which errs safely. */
	if (ndigits == 0 || p - first > MAX_DIGITS)
		return NULL;

	if (p < end && (*p == 'e' || *p == 'E'))
		p = scan_exponent(p, end, d);
	return p;
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
		*value = d->negative ? -0.0f : 0.0f;
		return true;
	}
	if (d->power < -MAX_POWER || d->power > MAX_POWER)
		return false;

	result = (double) d->digits;
	if (d->power < 0)
		result /= power_of_ten[-d->power];
	else
		result *= power_of_ten[d->power];

	/* Outside the normal range the midpoints lie elsewhere. */
	if (result < FLT_MIN * 1.0001 || result > FLT_MAX * 0.9999)
		return false;

	memcpy(&bits, &result, sizeof(bits));
	if ((bits & LOW_BITS) - (MIDPOINT - MIDPOINT_MARGIN) <= 2 * MIDPOINT_MARGIN)
		return false;

	*value = (float) (d->negative ? -result : result);
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
