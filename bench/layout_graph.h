/*-------------------------------------------------------------------------
 *
 * layout_graph.h
 *	  The vectors and the graph of bench_layout.c: reading, building by exact
 *	  distances, and the true neighbours of the queries.
 *
 *-------------------------------------------------------------------------
 */
#ifndef VDB_LAYOUT_GRAPH_H
#define VDB_LAYOUT_GRAPH_H

#include "postgres.h"

#include <math.h>
#include <stdio.h>

#include "quantize/quant_half.h"
#include "quantize/quant_kernels.h"

#undef printf
#undef fprintf

#define NQUERIES 500
#define K 10
#define SAMPLE 256
#define MAX_LINKS 64
#define MAX_BEAM 1024
#define CONSTRUCTION 100
#define BITS_RANDOM (rng = rng * UINT64CONST(6364136223846793005) + 1442695040888963407)

typedef struct Found
{
	float		distance;
	uint32		id;
	bool		done;
} Found;

typedef struct Beam
{
	int			n;
	int			limit;
	Found		item[MAX_BEAM + 1];
} Beam;

static int	nrows;
static int	dim;
static int	links = 32;
static VdbMetric metric = VDB_METRIC_COSINE;
static float *vectors;			/* nrows + NQUERIES of them */
static uint32 *graph;			/* nrows * links */
static uint16 *degree;
static uint32 *seen;			/* number of the last search that saw a node */
static uint32 search_number;
static uint32 truth[NQUERIES][K];
static uint64 rng = 1;
static const VdbKernels *exact;

static const float *
row(uint32 id)
{
	return vectors + (size_t) id * dim;
}

static float
distance(const float *a, const float *b)
{
	return metric == VDB_METRIC_IP ? -exact->ip(dim, a, b) : exact->l2sq(dim, a, b);
}

/*
 * Adds to a beam in order; returns false if it is full of better ones.
 */
static bool
beam_add(Beam *beam, float d, uint32 id)
{
	int			i = beam->n;

	if (i == beam->limit && d >= beam->item[i - 1].distance)
		return false;
	if (i == beam->limit)
		i--;
	else
		beam->n++;
	for (; i > 0 && beam->item[i - 1].distance > d; i--)
		beam->item[i] = beam->item[i - 1];
	beam->item[i] = (Found){d, id, false};
	return true;
}

/*
 * The position of the best item that is not done, or -1.
 */
static int
beam_next(const Beam *beam)
{
	for (int i = 0; i < beam->n; i++)
	{
		if (!beam->item[i].done)
			return i;
	}
	return -1;
}

/*
 * Exact search among the first count nodes, from the best of some.
 */
static void
search_exact(const float *query, int count, Beam *beam)
{
	int			next;

	search_number++;
	beam->n = 0;
	for (int i = 0; i < Min(SAMPLE / 4, count); i++)
	{
		uint32		id = (BITS_RANDOM >> 33) % count;

		if (seen[id] != search_number)
			beam_add(beam, distance(row(id), query), id);
		seen[id] = search_number;
	}
	while ((next = beam_next(beam)) >= 0)
	{
		uint32		node = beam->item[next].id;

		beam->item[next].done = true;
		for (int i = 0; i < degree[node]; i++)
		{
			uint32		id = graph[(size_t) node * links + i];

			if (seen[id] == search_number)
				continue;
			seen[id] = search_number;
			beam_add(beam, distance(row(id), query), id);
		}
	}
}

/*
 * Keeps up to limit of the n candidates, which are in order of distance, that
 * are nearer to the node than to any kept before.
 */
static int
select_links(const Found *candidates, int n, int limit, uint32 *out)
{
	int			kept = 0;

	for (int i = 0; i < n && kept < limit; i++)
	{
		bool		occluded = false;

		for (int j = 0; j < kept && !occluded; j++)
			occluded = distance(row(out[j]), row(candidates[i].id)) < candidates[i].distance;
		if (!occluded)
			out[kept++] = candidates[i].id;
	}
	return kept;
}

static void
add_reverse(uint32 node, uint32 target)
{
	uint32	   *list = graph + (size_t) node * links;
	static Beam all;

	if (degree[node] < links)
	{
		list[degree[node]++] = target;
		return;
	}
	all.n = 0;
	all.limit = MAX_BEAM;
	for (int i = 0; i < degree[node]; i++)
		beam_add(&all, distance(row(node), row(list[i])), list[i]);
	beam_add(&all, distance(row(node), row(target)), target);
	degree[node] = select_links(all.item, all.n, links, list);
}

static void
build(void)
{
	static Beam beam;
	double		total = 0;

	beam.limit = CONSTRUCTION;
	for (uint32 id = 1; id < nrows; id++)
	{
		uint32	   *list = graph + (size_t) id * links;

		search_exact(row(id), id, &beam);
		degree[id] = select_links(beam.item, beam.n, Max(links / 2, Min(links, 16)), list);
		for (int i = 0; i < degree[id]; i++)
			add_reverse(list[i], id);
	}
	for (int i = 0; i < nrows; i++)
		total += degree[i];
	printf("# %d rows, %d dimensions, %d links, mean degree %.1f\n", nrows, dim, links, total / nrows);
}

static void
find_truth(void)
{
	static Beam beam;

	beam.limit = K;
	for (int q = 0; q < NQUERIES; q++)
	{
		beam.n = 0;
		for (int i = 0; i < nrows; i++)
			beam_add(&beam, distance(row(i), row(nrows + q)), i);
		for (int i = 0; i < K; i++)
			truth[q][i] = beam.item[i].id;
	}
}

static int
hits(int q, const Beam *beam)
{
	int			n = 0;

	for (int i = 0; i < Min(K, beam->n); i++)
	{
		for (int j = 0; j < K; j++)
			n += beam->item[i].id == truth[q][j];
	}
	return n;
}

/*
 * Reads rows of a float32 or float16 .npy, the last ones as the queries.
 */
static void
read_vectors(const char *path, int limit, int use_dim)
{
	FILE	   *file = fopen(path, "rb");
	unsigned char head[10];
	char		text[4096] = "";
	char	   *shape;
	int			length;
	int			rows = 0;
	int			columns = 0;
	bool		half;
	char	   *raw;

	if (file == NULL || fread(head, 10, 1, file) != 1 || memcmp(head, "\x93NUMPY\x01", 7) != 0 ||
		(length = head[8] + 256 * head[9]) >= sizeof(text) || fread(text, length, 1, file) != 1 ||
		(shape = strstr(text, "'shape': (")) == NULL ||
		sscanf(shape + 10, "%d, %d", &rows, &columns) != 2)
	{
		printf("cannot read %s as .npy\n", path);
		exit(1);
	}
	half = strstr(text, "f2") != NULL;
	rows = Min(rows, limit + NQUERIES);
	dim = use_dim > 0 ? Min(use_dim, columns) : columns;
	nrows = rows - NQUERIES;
	vectors = malloc((size_t) rows * dim * sizeof(float));
	raw = malloc(columns * sizeof(float));
	for (int i = 0; i < rows; i++)
	{
		float	   *x = vectors + (size_t) i * dim;
		double		norm = 0;

		if (fread(raw, columns * (half ? 2 : 4), 1, file) != 1)
			exit(1);
		for (int j = 0; j < dim; j++)
		{
			x[j] = half ? vdb_half_to_float(((uint16 *) raw)[j]) : ((float *) raw)[j];
			norm += (double) x[j] * x[j];
		}
		for (int j = 0; j < dim && metric == VDB_METRIC_COSINE; j++)
			x[j] /= sqrt(Max(norm, 1e-30));
	}
	free(raw);
	fclose(file);
}

#endif							/* VDB_LAYOUT_GRAPH_H */
