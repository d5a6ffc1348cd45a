/*-------------------------------------------------------------------------
 *
 * partition_graph.c
 *	  Builds the graphs of all partitions, and writes their nodes to files.
 *
 * A partition's graph has its own nodes, numbered first, and those that it
 * borrows.  Own nodes are written with all their links, in the order of pages;
 * of a borrowed node the chosen links are, to be merged with those that it gets
 * in its own partition.  Anchors lead from own nodes to own nodes, and from the
 * root of each partition to that of the next.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "hnsw/partition_internal.h"

static inline int
compare_shared_rows(const HnswSharedRow *l, const HnswSharedRow *r)
{
	if (l->node != r->node)
		return l->node < r->node ? -1 : 1;
	return (l->id > r->id) - (l->id < r->id);
}

#define ST_SORT sort_shared_rows
#define ST_ELEMENT_TYPE HnswSharedRow
#define ST_COMPARE(a, b) compare_shared_rows(a, b)
#define ST_SCOPE static
#define ST_DEFINE
#include "lib/sort_template.h"

static void build_graph(HnswPartitions *p, HnswWork *w, bool has_next);
static void number_nodes(HnswPartitions *p, const HnswWork *w);
static void write_own(HnswPartitions *p, HnswWork *w, const char *next_root);
static void write_rows(HnswPartitions *p, const HnswWork *w, uint32 node, uint64 first,
					   uint64 end);
static void write_lists(HnswPartitions *p, const HnswWork *w);
static Size form_links(HnswPartitions *p, const HnswWork *w, uint32 node, int n,
					   HnswNodeHead *head, char *out);
static void add_root_link(HnswPartitions *p, const HnswWork *w, const char *next_root,
						  HnswNodeHead *head, HnswFileLink *links);

/*
 * The parameters of a partition's graph.
 */
HnswParams
vdb_hnsw_partition_graph_params(const HnswPartitionParams *params, uint32 capacity)
{
	HnswParams	graph;

	graph.capacity = capacity;
	graph.stride = (Size) params->layout->vector_bytes;
	graph.proxy_bytes = vdb_quant_proxy_size(params->layout);
	graph.m = params->m;
	graph.max_links0 = params->layout->slots;
	graph.level_ratio = params->level_ratio;
	graph.ef_construction = params->ef_construction;
	graph.seed = params->seed;
	return graph;
}

/*
 * Builds all partitions, one after the other.  What does not fit its partition
 * is a partition behind the others, or several.
 */
void
vdb_hnsw_partition_graphs(HnswPartitions *p)
{
	HnswParams	params = vdb_hnsw_partition_graph_params(&p->params, p->capacity);
	int		   *path = p->hooks.allocate(p->hooks.arg, sizeof(int) * (Size) p->nparts);
	int			n = vdb_hnsw_partition_path(p, path);
	char	   *roots = p->hooks.allocate(p->hooks.arg, 2 * p->record_bytes);
	HnswPartition rest = {.root = roots};
	int			i;

	p->phase = HNSW_PARTITION_GRAPHS;
	for (i = 0; i < n || rest.own.size > 0; i++)
	{
		HnswPartition part = i < n ? p->parts[path[i]] : rest;
		const char *next_root = NULL;
		HnswWork	w;

		if (i >= n)
		{
			memset(&rest, 0, sizeof(rest));
			rest.root = roots + (i - n + 1) % 2 * p->record_bytes;
		}
		vdb_hnsw_partition_work_attach(p, &w, &params);
		vdb_hnsw_partition_load_own(p, &w, &part.own, part.root, &rest);
		vdb_hnsw_partition_load_borrowed(p, &w, &part.borrowed);
		if (i + 1 < n)
			next_root = p->parts[path[i + 1]].root;
		else if (rest.own.size > 0)
			next_root = rest.root;

		build_graph(p, &w, next_root != NULL);
		number_nodes(p, &w);
		write_own(p, &w, next_root);
		write_lists(p, &w);
		vdb_hnsw_partition_work_end(p, &w);
		vdb_hnsw_partition_close(p, &part.own);
		vdb_hnsw_partition_close(p, &part.borrowed);
		if (i < n)
			p->parts[path[i]].own = p->parts[path[i]].borrowed = part.own;
		p->rows_done += w.nown + w.nshared_rows;
		p->result.nnodes += w.nown;
		p->result.npartitions++;
	}
	p->hooks.release(p->hooks.arg, roots);
	p->hooks.release(p->hooks.arg, path);
}

/*
 * Links the loaded nodes, and finds anchors and order of the own ones.
 */
static void
build_graph(HnswPartitions *p, HnswWork *w, bool has_next)
{
	p->hooks.link(p->hooks.arg, &w->g, &w->s);
	vdb_hnsw_connect_part(&w->g, &w->s, 0, w->nown, has_next, w->parent, w->order,
						  (uint16 *) w->work);
	p->hooks.fill(p->hooks.arg, &w->g, &w->s, w->nown);
	vdb_hnsw_order_part(&w->g, &w->s, 0, w->nown, p->params.layout->nodes_per_page,
						w->work, w->order);
}

/*
 * Gives the own nodes their positions, behind those of the partitions before.
 */
static void
number_nodes(HnswPartitions *p, const HnswWork *w)
{
	uint32		i;
	uint64		j;

	for (i = 0; i < w->nown; i++)
		p->position[w->ids[w->order[i]]] = p->result.nnodes + i;
	for (j = 0; j < w->nshared_rows; j++)
		p->position[w->shared_rows[j].id] = p->position[w->ids[w->shared_rows[j].node]];
}

/*
 * Writes the own nodes, in order.
 */
static void
write_own(HnswPartitions *p, HnswWork *w, const char *next_root)
{
	uint32		i;

	sort_shared_rows(w->shared_rows, w->nshared_rows);
	for (i = 0; i < w->nown; i++)
	{
		uint32		node = w->order[i];
		HnswNodeHead *head = (HnswNodeHead *) p->node;
		char	   *links = p->node + sizeof(HnswNodeHead) + p->vector_bytes;
		uint64		first = 0;
		uint64		end = w->nshared_rows;
		uint64		next;
		Size		size;

		/* the rows of node among the sorted ones */
		while (first < end)
		{
			uint64		middle = first + (end - first) / 2;

			if (w->shared_rows[middle].node < node)
				first = middle + 1;
			else
				end = middle;
		}
		for (next = first; next < w->nshared_rows && w->shared_rows[next].node == node;)
			next++;

		memset(head, 0, sizeof(*head));
		head->id = w->ids[node];
		head->below = HNSW_NO_NODE;
		head->nrows = 1 + (uint32) (next - first);
		memcpy(p->node + sizeof(HnswNodeHead), vdb_hnsw_vector(&w->g, node), p->vector_bytes);
		form_links(p, w, node, vdb_hnsw_links(&w->g, node, 0)->count, head, links);
		if (node == 0 && next_root != NULL)
			add_root_link(p, w, next_root, head, (HnswFileLink *) links);
		size = head->nlinks * sizeof(HnswFileLink);
		vdb_hnsw_partition_encode(p, vdb_hnsw_vector(&w->g, node), head->nlinks, links + size);
		size += head->nlinks * p->factor_bytes;
		vdb_hnsw_partition_write(p, &p->nodes, p->node,
								 sizeof(HnswNodeHead) + p->vector_bytes + size);
		write_rows(p, w, node, first, next);
		if (i % 256 == 0)
			p->hooks.progress(p->hooks.arg, HNSW_PARTITION_GRAPHS, p->rows_done + i, p->nrows);
	}
}

/*
 * Writes the rows of a node: its own, and shared ones from first up to end.
 */
static void
write_rows(HnswPartitions *p, const HnswWork *w, uint32 node, uint64 first, uint64 end)
{
	vdb_hnsw_partition_write(p, &p->nodes, &w->rows[node], sizeof(uint64));
	for (; first < end; first++)
		vdb_hnsw_partition_write(p, &p->nodes, &w->shared_rows[first].row, sizeof(uint64));
}

/*
 * Writes the chosen links of borrowed nodes to the lists of the partitions that
 * these belong to.
 */
static void
write_lists(HnswPartitions *p, const HnswWork *w)
{
	uint32		node;

	for (node = w->nown; node < w->g.shared->count; node++)
	{
		uint32		part = w->parts[node];
		HnswFile   *file = &p->parts[part].lists;
		HnswNodeHead *head = (HnswNodeHead *) p->node;
		char	   *links = p->node + sizeof(HnswNodeHead);
		Size		size;

		memset(head, 0, sizeof(*head));
		head->id = w->ids[node];
		size = form_links(p, w, node, vdb_hnsw_links(&w->g, node, 0)->nchosen, head, links);
		vdb_hnsw_partition_encode(p, vdb_hnsw_vector(&w->g, node), head->nlinks, links + size);
		size += head->nlinks * p->factor_bytes;
		p->list_at[head->id] = (uint64) part << 48 | file->size;
		vdb_hnsw_partition_write(p, file, p->node, sizeof(HnswNodeHead) + size);
		if (node % 256 == 0)
			p->hooks.progress(p->hooks.arg, HNSW_PARTITION_GRAPHS, p->rows_done + w->nown,
							  p->nrows);
	}
}

/*
 * Writes the first n links of a node to out, their numbers to head, and what
 * they lead to to p->targets.  Returns the bytes written.
 */
static Size
form_links(HnswPartitions *p, const HnswWork *w, uint32 node, int n, HnswNodeHead *head,
		   char *out)
{
	const HnswLinks *links = vdb_hnsw_links(&w->g, node, 0);
	HnswFileLink *to = (HnswFileLink *) out;
	int			i;

	for (i = 0; i < n; i++)
	{
		uint32		target = links->link[i].node;

		to[i].id = w->ids[target];
		to[i].distance = links->link[i].distance;
		to[i].is_anchor = node < w->nown && target < w->nown && target != 0 &&
			w->parent[target] == node;
		p->targets[i] = vdb_hnsw_vector(&w->g, target);
	}
	head->nlinks = (uint16) n;
	head->nchosen = (uint32) Min(n, links->nchosen);
	return (Size) n * sizeof(HnswFileLink);
}

/*
 * Adds the anchor from the root to that of the next partition, in place of the
 * last link that is not an anchor if there is no room.
 */
static void
add_root_link(HnswPartitions *p, const HnswWork *w, const char *next_root,
			  HnswNodeHead *head, HnswFileLink *links)
{
	HnswRecord	record;
	const void *vector = next_root + sizeof(record);
	HnswFileLink link;
	int			n = head->nlinks;
	int			i;

	memcpy(&record, next_root, sizeof(record));
	link.id = record.id;
	link.distance = vdb_hnsw_partition_distance(p, vdb_hnsw_vector(&w->g, 0), vector);
	link.is_anchor = 1;
	if (n == p->params.layout->slots)
	{
		for (i = n - 1; i > 0 && links[i].is_anchor; i--)
			;
		if (i < (int) head->nchosen)
			head->nchosen--;
		n--;
		memmove(&links[i], &links[i + 1], sizeof(HnswFileLink) * (Size) (n - i));
		memmove(&p->targets[i], &p->targets[i + 1], sizeof(void *) * (Size) (n - i));
	}
	for (i = 0; i < (int) head->nchosen && links[i].distance <= link.distance;)
		i++;
	memmove(&links[i + 1], &links[i], sizeof(HnswFileLink) * (Size) (n - i));
	memmove(&p->targets[i + 1], &p->targets[i], sizeof(void *) * (Size) (n - i));
	links[i] = link;
	p->targets[i] = vector;
	head->nlinks = (uint16) (n + 1);
	head->nchosen++;
}

/*
 * Writes what follows the links in n slots from a vector to p->targets.
 */
void
vdb_hnsw_partition_encode(HnswPartitions *p, const void *vector, int n, char *factors)
{
	VdbSlotEncoder encoder;
	int			i;

	if (p->factor_bytes == 0)
		return;
	vdb_quant_init_encoder(&encoder, p->params.layout, p->params.kernels, vector,
						   p->encoder_memory);
	for (i = 0; i < n; i++)
		vdb_quant_encode_slot(&encoder, p->targets[i], factors + (Size) i * p->factor_bytes);
}
