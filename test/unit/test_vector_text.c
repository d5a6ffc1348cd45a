/*-------------------------------------------------------------------------
 *
 * test_vector_text.c
 *	  The float parser against strtof(), bit by bit, and the vector parser.
 *
 * LINK: src/vector/float_text.o src/vector/vector_text.o */
#include "c.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "unit.h"
#include "vector/float_text.h"
#include "vector/vector_text.h"

static uint64 random_state = UINT64CONST(0x9E3779B97F4A7C15);

/* xorshift64*, so that every run tests the same numbers */
static uint64
random_bits(void)
{
	random_state ^= random_state >> 12;
	random_state ^= random_state << 25;
	random_state ^= random_state >> 27;
	return random_state * UINT64CONST(0x2545F4914F6CDD1D);
}

/* One number: same value, same end, same range error as strtof(). */
static void
check_number(const char *text)
{
	const char *end = text + strlen(text);
	char	   *expected_stop;
	float		expected;
	float		value = 12345.0f;
	bool		range_error;
	const char *stop;
	bool		expected_range;

	errno = 0;
	expected = strtof(text, &expected_stop);
	expected_range = errno == ERANGE && isinf(expected);
	stop = vdb_float_parse(text, end, &value, &range_error);

	CHECK(stop == expected_stop, "\"%s\" ends at %d, not %d", text,
		  (int) (stop - text), (int) (expected_stop - text));
	if (expected_stop == text)
		return;
	CHECK(memcmp(&value, &expected, sizeof(float)) == 0 ||
			  (isnan(value) && isnan(expected)),
		  "\"%s\" is %.9g, not %.9g", text, value, expected);
	CHECK(range_error == expected_range, "\"%s\"", text);
}

static void
test_odd_numbers(void)
{
	static const char *const numbers[] = {
		"0", "-0", "+0", "0.", ".0", ".", "-", "+", "", "e5", ".e5", "1e", "1e+",
		"1e-", "1.e5", "1.5e5x", "1e5.5", "00001", "0000.0001", "000000000000000000000001",
		"0.000000000000000000000000000001", "1_000", "1,5", "0x10", "0X1.8p3", "0x",
		"-0x1p-3", "inf", "-inf", "infinity", "nan", "NAN(123)", "1e38", "3.4028235e38",
		"3.4028236e38", "3.4028235677973366e38", "4e38", "-4e38", "1e39", "1e400", "1e-400",
		"1e99999999999999999999", "1e-99999999999999999999", "0e99999999999999999999",
		"1.17549435e-38", "1.17549428e-38", "1.4e-45", "7e-46", "7.1e-46",
		"16777216", "16777217", "16777219", "16777217.0000000000000000001",
		"9007199254740993", "18446744073709551615", "18446744073709551616",
		"9999999999999999999", "99999999999999999999", "123456789012345678901234567890",
		"0.1", "0.2", "0.3", "1e22", "1e23", "1e-22", "1e-23", "8.5e-30", "1234567890123456789e-45",
		"8589973504", "8589973504.5", "0.00000001490116119384765625", "2.5 ", " 2.5", "--1", "1-1",
		"12345678", "123456789", "1234567812345678", "1.12345678", "1.123456781234567812345678"
	};
	int			i;

	for (i = 0; i < (int) lengthof(numbers); i++)
		check_number(numbers[i]);
}

/* Random float4 in the forms that clients send: 6 to 20 digits, with and
 * without exponent; and neighbours of the midpoints between two float4. */
static void
test_random_numbers(int rounds)
{
	static const char *const formats[] = {
		"%.9g", "%.6g", "%.8f", "%.17g", "%.18g", "%.19g", "%.20g", "%.8e", "%.16e", "%g", "%.3f"
	};
	char		text[512];
	int			i;

	for (i = 0; i < rounds; i++)
	{
		uint64		bits = random_bits();
		uint32		fbits = (uint32) (bits >> 32);
		float		f;
		float		next;
		double		value;

		if (i % 2 == 0)			/* the range of embeddings */
			fbits = (fbits & 0x83FFFFFF) | 0x3C000000;
		memcpy(&f, &fbits, sizeof(f));
		if (!isfinite(f))
			continue;
		value = f;
		switch (i % 5)
		{
			case 0:				/* exactly the midpoint */
				next = nextafterf(f, INFINITY);
				value = ((double) f + next) / 2;
				break;
			case 1:				/* close to it */
				next = nextafterf(f, INFINITY);
				value = nextafter(((double) f + next) / 2, (bits & 1) ? 1e308 : -1e308);
				break;
			case 2:				/* a double of its own */
				value = f * (1 + (double) (bits & 0xFFFFFF) * 1e-9);
				break;
		}
		if (!isfinite(value))
			continue;
		snprintf(text, sizeof(text), formats[bits % lengthof(formats)], value);
		check_number(text);
	}
}

/* Arbitrary strings over the alphabet of numbers. */
static void
test_random_strings(int rounds)
{
	static const char alphabet[] = "0123456789012345678900..eE+-x ,]";
	char		text[64];
	int			i;

	for (i = 0; i < rounds; i++)
	{
		int			len = (int) (random_bits() % 40);
		int			j;

		for (j = 0; j < len; j++)
			text[j] = alphabet[random_bits() % (sizeof(alphabet) - 1)];
		text[len] = '\0';
		check_number(text);
	}
}

/* The text parser: fault, dimensions, and where it stopped. */
static void
check_vector(const char *text, VdbTextFault fault, int dim, int at)
{
	float		x[4];
	VdbVectorText result;

	result = vdb_vector_text_parse(text, text + strlen(text), x, 4, INFINITY);
	CHECK(result.fault == fault, "\"%s\": fault %d", text, result.fault);
	CHECK(result.dim == dim, "\"%s\": dim %d", text, result.dim);
	CHECK(result.at - text == at, "\"%s\": at %d", text, (int) (result.at - text));
}

static void
test_vectors(void)
{
	check_vector("[1,2,3]", VDB_TEXT_OK, 3, 7);
	check_vector(" [ 1 , 2\t,\n3 ] x", VDB_TEXT_OK, 3, 14);
	check_vector("[1,2,3,4]", VDB_TEXT_OK, 4, 9);
	check_vector("[1,2,3,4,5]", VDB_TEXT_TOO_LONG, 4, 9);
	check_vector("", VDB_TEXT_NO_BRACKET, 0, 0);
	check_vector("1,2", VDB_TEXT_NO_BRACKET, 0, 0);
	check_vector("[]", VDB_TEXT_EMPTY, 0, 1);
	check_vector("[ ]", VDB_TEXT_EMPTY, 0, 2);
	check_vector("[", VDB_TEXT_SYNTAX, 0, 1);
	check_vector("[1", VDB_TEXT_SYNTAX, 1, 2);
	check_vector("[1,", VDB_TEXT_SYNTAX, 1, 3);
	check_vector("[1,]", VDB_TEXT_SYNTAX, 1, 3);
	check_vector("[,1]", VDB_TEXT_SYNTAX, 0, 1);
	check_vector("[1 2]", VDB_TEXT_SYNTAX, 1, 3);
	check_vector("[1,\"2\"]", VDB_TEXT_SYNTAX, 1, 3);
	check_vector("[1,[2]]", VDB_TEXT_SYNTAX, 1, 3);
	check_vector("[1,null]", VDB_TEXT_SYNTAX, 1, 3);
	check_vector("[1,nan]", VDB_TEXT_NAN, 1, 3);
	check_vector("[1,-inf]", VDB_TEXT_INFINITE, 1, 3);
	check_vector("[1,1e39]", VDB_TEXT_RANGE, 1, 3);
}

/* A limit below float4's: of a halfvec's elements. */
static void
check_limited(const char *text, VdbTextFault fault, int len)
{
	float		x[4];
	VdbVectorText result;

	result = vdb_vector_text_parse(text, text + strlen(text), x, 4, 65520);
	CHECK(result.fault == fault, "\"%s\": fault %d", text, result.fault);
	if (fault == VDB_TEXT_RANGE)
		CHECK(result.len == len, "\"%s\": len %d", text, result.len);
}

static void
test_limit(void)
{
	check_limited("[65519.99,-65519.99]", VDB_TEXT_OK, 0);
	check_limited("[1,65520]", VDB_TEXT_RANGE, 5);
	check_limited("[1,-65520 ]", VDB_TEXT_RANGE, 6);
	check_limited("[1,6.552e4,a]", VDB_TEXT_RANGE, 7);
	check_limited("[1e39]", VDB_TEXT_RANGE, 4);
	check_limited("[1,a,65520]", VDB_TEXT_SYNTAX, 0);
	check_limited("[nan]", VDB_TEXT_NAN, 0);
	check_limited("[inf]", VDB_TEXT_INFINITE, 0);
}

int
main(void)
{
	RUN(test_odd_numbers());
	RUN(test_random_numbers(1000000));
	RUN(test_random_strings(1000000));
	RUN(test_vectors());
	RUN(test_limit());
	return unit_report();
}
