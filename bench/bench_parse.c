/*-------------------------------------------------------------------------
 *
 * bench_parse.c
 *	  Time to parse the text of a vector: vdb_vector_text_parse() against the
 *	  same loop with strtof() for each element, in turns; the best round counts.
 *
 * LINK: src/vector/float_text.o src/vector/vector_text.o */
#include "c.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "vector/vector_text.h"

#undef printf
#undef snprintf

#define DIM 768
#define VECTORS 200
#define ROUNDS 60

static double
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double) t.tv_sec + (double) t.tv_nsec * 1e-9;
}

/* What a parser without our number reader does. */
static int
parse_by_strtof(const char *text, float *x)
{
	const char *p = text + 1;
	int			dim = 0;

	for (;;)
	{
		char	   *stop;

		while (vdb_text_is_space(*p))
			p++;
		x[dim] = strtof(p, &stop);
		if (stop == p || isnan(x[dim]) || isinf(x[dim]))
			return -1;
		dim++;
		p = stop;
		while (vdb_text_is_space(*p))
			p++;
		if (*p++ == ']')
			return dim;
	}
}

/* Vectors of norm about 1 in the given printf format of an element. */
static void
fill(char **texts, const char *format)
{
	int			i;
	int			j;

	srand(1);
	for (i = 0; i < VECTORS; i++)
	{
		char	   *p = texts[i];

		*p++ = '[';
		for (j = 0; j < DIM; j++)
		{
			double		value = ((double) rand() / RAND_MAX - 0.5) * 0.12;

			p += snprintf(p, 32, format, value);
			*p++ = j + 1 < DIM ? ',' : ']';
		}
		*p = '\0';
	}
}

static void
compare(char **texts, const char *name)
{
	static float x[DIM];
	static float y[DIM];
	double		ours = 1e9;
	double		theirs = 1e9;
	double		start;
	int			round;
	int			i;

	for (round = 0; round < ROUNDS; round++)
	{
		start = now();
		for (i = 0; i < VECTORS; i++)
			if (vdb_vector_text_parse(texts[i], texts[i] + strlen(texts[i]), x, DIM, INFINITY).dim != DIM)
				abort();
		ours = Min(ours, now() - start);

		start = now();
		for (i = 0; i < VECTORS; i++)
			if (parse_by_strtof(texts[i], y) != DIM)
				abort();
		theirs = Min(theirs, now() - start);

		if (memcmp(x, y, sizeof(x)) != 0)
			abort();
	}
	printf("%-28s %7.1f us  %7.1f us  %5.1fx\n", name,
		   ours / VECTORS * 1e6, theirs / VECTORS * 1e6,
		   theirs / ours);
}

int
main(void)
{
	char	   *texts[VECTORS];
	int			i;

	for (i = 0; i < VECTORS; i++)
		texts[i] = malloc(DIM * 32 + 3);

	printf("CPU time for the text of %d dimensions\n", DIM);
	printf("%-28s %10s  %10s  %6s\n", "elements", "vecdb", "strtof", "ratio");
	fill(texts, "%.9g");
	compare(texts, "float4 (0.0123456789)");
	fill(texts, "%.17g");
	compare(texts, "float8 (17 digits)");
	fill(texts, "%.6f");
	compare(texts, "6 decimals (0.012346)");
	fill(texts, "%.8e");
	compare(texts, "exponents (1.2345679e-02)");
	return 0;
}
