/*-------------------------------------------------------------------------
 *
 * npy.h
 *	  Vectors for the benchmarks of graphs: from an .npy file, or made up.
 *
 *-------------------------------------------------------------------------
 */
#ifndef VDB_BENCH_NPY_H
#define VDB_BENCH_NPY_H

#include "postgres.h"

#include <stdio.h>

#include "quantize/quant_half.h"

#undef printf
#undef fprintf
#undef sscanf

typedef struct Data
{
	int			n;
	int			dim;
	float	   *x;
} Data;

static void
fail(const char *message)
{
	fprintf(stderr, "%s\n", message);
	exit(1);
}

static inline float *
data_row(const Data *d, int i)
{
	return d->x + (size_t) i * (size_t) d->dim;
}

/* Puts the rows in random order, always the same. */
static void
shuffle(const Data *d)
{
	float	   *row = malloc(sizeof(float) * (size_t) d->dim);

	srand(1);
	for (int i = d->n - 1; i > 0; i--)
	{
		int			j = rand() % (i + 1);
		size_t		size = sizeof(float) * (size_t) d->dim;

		memcpy(row, data_row(d, i), size);
		memmove(data_row(d, i), data_row(d, j), size);
		memcpy(data_row(d, j), row, size);
	}
	free(row);
}

/*
 * Reads a .npy file of float32 or float16: 10 bytes, a header whose length the
 * last two give, rows in C order.  They come shuffled.
 */
static Data
read_npy(const char *path)
{
	Data		d;
	FILE	   *file = fopen(path, "rb");
	unsigned char start[10];
	char		header[65536];
	const char *shape;
	bool		is_half;
	size_t		len;
	size_t		total;

	if (file == NULL || fread(start, 1, 10, file) != 10 || memcmp(start, "\x93NUMPY\1", 7) != 0)
		fail("cannot read an .npy file of version 1");
	len = start[8] + 256 * (size_t) start[9];
	if (len >= sizeof(header) || fread(header, 1, len, file) != len)
		fail("the header is cut short");
	header[len] = '\0';
	shape = strstr(header, "'shape': (");
	is_half = strstr(header, "'<f2'") != NULL;
	if ((!is_half && strstr(header, "'<f4'") == NULL) ||
		strstr(header, "'fortran_order': False") == NULL || shape == NULL ||
		sscanf(shape, "'shape': (%d, %d", &d.n, &d.dim) != 2 || d.n < 1 || d.dim < 1)
		fail("the array is not two-dimensional float32 or float16 in C order");
	total = (size_t) d.n * (size_t) d.dim;
	d.x = malloc(total * sizeof(float));
	if (d.x == NULL || fread(d.x, is_half ? 2 : 4, total, file) != total)
		fail("the array is cut short");
	fclose(file);
	for (size_t i = total; is_half && i-- > 0;)
		d.x[i] = vdb_half_to_float(((const uint16 *) d.x)[i]);
	shuffle(&d);
	return d;
}

/* n clustered vectors. */
static Data
make_up(int n)
{
	Data		d = {n, 128, NULL};
	float		centers[200][128];

	d.x = malloc(sizeof(float) * (size_t) d.n * (size_t) d.dim);
	srand(1);
	for (int i = 0; i < 200; i++)
		for (int j = 0; j < d.dim; j++)
			centers[i][j] = (float) rand() / (float) RAND_MAX;
	for (int i = 0; i < d.n; i++)
	{
		int			center = rand() % 200;

		/* a decaying spectrum: later coordinates vary less */
		for (int j = 0; j < d.dim; j++)
			data_row(&d, i)[j] = centers[center][j] * 0.5f +
				(float) rand() / (float) RAND_MAX / (1 + 0.1f * (float) j);
	}
	return d;
}

#endif							/* VDB_BENCH_NPY_H */
