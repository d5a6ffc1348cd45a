/*-------------------------------------------------------------------------
 *
 * partition_recall.h
 *	  What searches find in graphs built in partitions, and in memory.
 *
 *-------------------------------------------------------------------------
 */
#ifndef VDB_PARTITION_RECALL_H
#define VDB_PARTITION_RECALL_H

#include "postgres.h"

#include "partition_case.h"

/* Results of a level that a descent keeps, as a scan of an index does */
#define DESCENT_WIDTH 4

/* Where level 0 is entered: found by the upper levels of one graph or the other */
typedef struct Descent
{
	const Result *result;		/* NULL: a graph in memory */
	Adjacency	upper;			/* of its upper levels, by place */
	const HnswGraph *g;
	HnswScratch *s;
	void	   *proxy;			/* memory for a query's proxy, if vectors have them */
} Descent;

static inline uint32
descend(Descent *d, const void *query)
{
	HnswFound	found[DESCENT_WIDTH + 1];
	uint32		at;
	HnswPoint	point = {query, d->proxy};

	if (d->result == NULL)
	{
		at = d->g->shared->entry;
		for (int level = d->g->shared->max_level; level > 0; level--)
		{
			vdb_hnsw_search_level(d->g, d->s, point, at, level, DESCENT_WIDTH);
			at = d->s->found[0].node;
		}
		return at;
	}
	at = d->result->r.entry;
	while (d->result->nodes[at].level > 0)
	{
		d->upper.entry = at;
		search_adjacency(&d->upper, query, DESCENT_WIDTH, found);
		at = d->result->nodes[found[0].node].below;
	}
	return at - d->result->r.nupper;
}

/* Nodes of a result from first on, up to end, as a graph whose targets begin there */
static inline Adjacency
result_adjacency(const Result *result, uint32 first, uint32 end)
{
	Adjacency	a = new_adjacency(end - first, result->c->form.layout.slots);

	for (uint32 i = 0; i < a.n; i++)
	{
		const Taken *node = &result->nodes[first + i];

		a.vectors[i] = node->vector;
		for (int j = 0; j < node->nlinks; j++)
			a.targets[i * (uint32) a.slots + (uint32) j] = node->targets[j] - first;
	}
	a.distance = stored_distance;
	a.distance_arg = &result->c->form;
	return a;
}

/* Part of the 10 nearest, by stored vectors, that searches find. */
static inline double
find_nearest(Adjacency *a, const Case *c, Descent *descent, int ef)
{
	HnswFound	found[256];
	int			hits = 0;
	char	   *query = malloc((size_t) c->form.layout.vector_bytes);
	float	   *distances = malloc(sizeof(float) * a->n);

	for (int q = 0; q < 100; q++)
	{
		float		x[DIM];
		float		bound;
		int			nfound;

		random_state = (uint64) q + 1000;
		for (int j = 0; j < DIM; j++)
			x[j] = c->queries[(uint32) (q * 37) % c->n * DIM + (uint32) j] + 0.1f * random_float();
		form_encode(&c->form, x, query);
		for (uint32 i = 0; i < a->n; i++)
			distances[i] = stored_distance(&c->form, query, a->vectors[i]);
		/* the tenth smallest */
		bound = -INFINITY;
		for (int k = 0; k < 10; k++)
		{
			float		next = INFINITY;

			for (uint32 i = 0; i < a->n; i++)
				if (distances[i] > bound && distances[i] < next)
					next = distances[i];
			bound = next;
		}
		if (descent->proxy != NULL)
			stored_proxy(&c->form, query, descent->proxy);
		a->entry = descend(descent, query);
		nfound = search_adjacency(a, query, ef, found);
		for (int i = 0; i < Min(nfound, 10); i++)
			hits += found[i].distance <= bound;
	}
	free(query);
	free(distances);
	return hits / 1000.0;
}

static inline double
partition_recall(const Result *result, int ef)
{
	uint32		first = result->r.nupper;
	Adjacency	a = result_adjacency(result, first, result->nnodes);
	Descent		descent = {.result = result, .upper = result_adjacency(result, 0, first)};
	double		recall = find_nearest(&a, result->c, &descent, ef);

	free_adjacency(&a);
	free_adjacency(&descent.upper);
	return recall;
}

/* The same of a graph built in memory */
static inline double
memory_recall(const Case *c, int ef)
{
	HnswParams	params = graph_params(c, c->n);
	HnswGraph	g;
	HnswScratch s;
	char	   *memory = malloc(vdb_hnsw_graph_size(&params));
	void	   *scratch = calloc(1, vdb_hnsw_scratch_size(&params));
	Adjacency	a = new_adjacency(c->n, c->form.layout.slots);
	uint32	   *work = malloc(sizeof(uint32) * c->n * 3);
	Descent		descent = {.g = &g, .s = &s};
	double		recall;

	vdb_hnsw_graph_attach(&g, &params, memory, true);
	vdb_hnsw_scratch_attach(&s, &params, scratch);
	g.measure = case_measure(c);
	if (params.proxy_bytes > 0)
		descent.proxy = malloc(params.proxy_bytes);
	for (uint32 i = 0; i < c->n; i++)
		vdb_hnsw_add_node(&g, row_vector(c, i));
	vdb_hnsw_link_all(&g, &s);
	vdb_hnsw_connect(&g, &s, work, work + c->n, (uint16 *) (work + 2 * c->n));
	vdb_hnsw_fill_all(&g, &s, c->n);
	for (uint32 i = 0; i < c->n; i++)
	{
		const HnswLinks *links = vdb_hnsw_links(&g, i, 0);

		a.vectors[i] = vdb_hnsw_vector(&g, i);
		for (int j = 0; j < links->count; j++)
			a.targets[i * (uint32) a.slots + (uint32) j] = links->link[j].node;
	}
	a.distance = stored_distance;
	a.distance_arg = &c->form;
	recall = find_nearest(&a, c, &descent, ef);
	free_adjacency(&a);
	free(descent.proxy);
	free(memory);
	free(scratch);
	free(work);
	return recall;
}

#endif							/* VDB_PARTITION_RECALL_H */
