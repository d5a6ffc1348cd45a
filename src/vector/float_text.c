/*-------------------------------------------------------------------------
 *
 * float_text.c
 *	  Correctly rounded text to float4 conversion, faster than strtof().
 *
 * This is the way for numbers of any form: plain decimals of up to 19
 * significant digits here, the rest (more digits, hexadecimal, inf, nan,
 * subnormal results, ...) by strtof() itself.  float_text.h says why the result
 * is exact.
 *
 *-------------------------------------------------------------------------
 */
#include "c.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "vector/float_text.h"

#define MAX_DIGITS 19			/* 10^19 - 1 fits a uint64 */

/* 10^-VDB_MAX_POWER to 10^VDB_MAX_POWER */
const double vdb_power_of_ten[2 * VDB_MAX_POWER + 1] = {
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
	while (end - p >= 8)
	{
		uint64		word;
		int			n;

		memcpy(&word, p, sizeof(word));
		n = vdb_count_digits(word);
		d->digits = d->digits * vdb_shift_of(n) + vdb_join_digits(word, n);
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
 * Reads the exponent at p, which is an "e", if there is a complete one, and
 * adds it to *power.  Returns the first character after it; that is p where
 * the number ends before the "e".
 */
static const char *
scan_exponent(const char *p, const char *end, int *power)
{
	const char *q = p + 1;
	bool		negative = false;
	int			exponent = 0;

	if (q < end && (*q == '-' || *q == '+'))
		negative = *q++ == '-';
	if (q >= end || *q < '0' || *q > '9')
		return p;
	for (; q < end && *q >= '0' && *q <= '9'; q++)
		if (exponent < 10000)
			exponent = exponent * 10 + (*q - '0');

	*power += negative ? -exponent : exponent;
	return q;
}

/*
 * The rest of the short way for a number with an exponent: digits * 10^power
 * and the "e" at p.  Returns the first character after the number, or NULL if
 * this does not decide its value.
 */
const char *
vdb_float_parse_exponent(const char *p, const char *end, uint64 digits,
						 int power, bool negative, float *value)
{
	p = scan_exponent(p, end, &power);
	if (power < -VDB_MAX_POWER || power > VDB_MAX_POWER ||
		!vdb_round_to_float((double) digits * vdb_power_of_ten[power + VDB_MAX_POWER],
							negative, value))
		return NULL;
	return p;
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
			p = scan_exponent(p, end, &d->power);
		else if (*p == 'x' || *p == 'X')
			return NULL;		/* hexadecimal */
	}
	return p;
}

/*
 * Reads the number at p, whatever its form; the contract is that of
 * vdb_float_parse().
 */
const char *
vdb_float_parse_any(const char *p, const char *end, float *value,
					bool *is_out_of_range)
{
	Decimal		d;
	const char *after = scan_decimal(p, end, &d);
	char	   *stop;

	*is_out_of_range = false;
	if (after != NULL && d.digits == 0)
	{
		*value = d.negative ? -0.0f : 0.0f;
		return after;
	}
	if (after != NULL && d.power >= -VDB_MAX_POWER && d.power <= VDB_MAX_POWER &&
		vdb_round_to_float((double) d.digits * vdb_power_of_ten[d.power + VDB_MAX_POWER],
						   d.negative, value))
		return after;

	errno = 0;
	*value = strtof(p, &stop);
	*is_out_of_range = errno == ERANGE && isinf(*value);
	return stop;
}
