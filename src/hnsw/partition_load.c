/*-------------------------------------------------------------------------
 *
 * partition_load.c
 *	  Loads the vectors of a partition as the nodes of a graph.
 *
 * First the partition's own, then those that it borrows; each in a random
 * order, always the same, because nodes of a batch, which do not see each
 * other, must not be neighbours.  Own rows with the same stored bytes share a
 * node; of borrowed ones the first stands for all.  What does not fit is left:
 * own rows go to another partition, borrowed ones do without.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "hnsw/partition_internal.h"

#define NO_ENTRY PG_UINT32_MAX

/* Nodes by the hash of their vectors, in w->work */
typedef struct Known
{
	uint32		size;
	uint32	   *nodes;
	uint32		first;			/* nodes before this one are not in it */
} Known;

static Size lay_out(HnswWork *w, const HnswPartitionParams *params,
					const HnswParams *graph, char *memory);
static void forget_all(HnswWork *w, Known *known, uint32 first);
static uint32 *find_known(HnswPartitions *p, HnswWork *w, Known *known,
						  const void *vector);
static void put_node(HnswPartitions *p, HnswWork *w, uint32 node);
static void share_node(HnswPartitions *p, HnswWork *w, uint32 node);
static void add_shuffled(HnswPartitions *p, HnswWork *w, uint32 first, uint32 end);

/*
 * Bytes of the memory of a graph and all that is done with it.
 */
Size
vdb_hnsw_partition_work_size(const HnswPartitionParams *params, const HnswParams *graph)
{
	HnswWork	w;

	return lay_out(&w, params, graph, NULL);
}

/*
 * The parts of the memory; returns its size.  memory NULL: measures only.
 */
static Size
lay_out(HnswWork *w, const HnswPartitionParams *params, const HnswParams *graph,
		char *memory)
{
	Size		n = graph->capacity;
	Size		at = MAXALIGN(vdb_hnsw_graph_size(graph));
	Size		scratch = at;
	Size		ids;
	Size		rows;
	Size		work;

	at += MAXALIGN(vdb_hnsw_scratch_size(graph));
	ids = at;
	at += MAXALIGN(4 * n * sizeof(uint32));
	rows = at;
	at += n * sizeof(uint64);
	work = at;
	/* the map of vectors, then children's numbers, then the order's memory */
	at += MAXALIGN(Max(vdb_hnsw_order_size(graph), 2 * n * sizeof(uint32)));
	if (memory == NULL)
		return at;

	memset(w, 0, sizeof(*w));
	memset(memory + scratch, 0, vdb_hnsw_scratch_size(graph));
	vdb_hnsw_graph_attach(&w->g, graph, memory, true);
	vdb_hnsw_scratch_attach(&w->s, graph, memory + scratch);
	w->ids = (uint32 *) (memory + ids);
	w->parts = w->ids + n;
	w->parent = w->parts + n;
	w->order = w->parent + n;
	w->rows = (uint64 *) (memory + rows);
	w->work = memory + work;
	return at;
}

/*
 * Makes w an empty graph in the memory of the build.
 */
void
vdb_hnsw_partition_work_attach(HnswPartitions *p, HnswWork *w, const HnswParams *graph)
{
	lay_out(w, &p->params, graph, (char *) p->params.memory);
	w->g.measure = p->measure;
}

/*
 * Releases what is not in the memory of the build.
 */
void
vdb_hnsw_partition_work_end(HnswPartitions *p, HnswWork *w)
{
	if (w->shared_rows != NULL)
		p->hooks.release(p->hooks.arg, w->shared_rows);
	w->shared_rows = NULL;
}

/*
 * Loads the rows of a file as own nodes, the record at root (if not NULL) as
 * the first.  Rows for which there is no room go to rest (NULL: nowhere).
 */
void
vdb_hnsw_partition_load_own(HnswPartitions *p, HnswWork *w, HnswFile *file,
							const char *root, HnswPartition *rest)
{
	uint32		capacity = w->g.params.capacity;
	uint32		n = 0;
	uint32		root_id = HNSW_NO_NODE;
	uint64		at;
	Known		known;

	forget_all(w, &known, 0);
	if (root != NULL)
	{
		memcpy(p->buffer, root, p->record_bytes);
		put_node(p, w, n);
		root_id = w->ids[n];
		*find_known(p, w, &known, vdb_hnsw_vector(&w->g, n)) = n;
		n++;
	}
	for (at = 0; at < file->size; at += p->record_bytes)
	{
		HnswRecord	record;
		uint32	   *place;

		if (at % (256 * p->record_bytes) == 0)
			p->hooks.progress(p->hooks.arg, p->phase, p->rows_done, p->nrows);
		p->hooks.read_file(p->hooks.arg, file->handle, at, p->buffer, p->record_bytes);
		memcpy(&record, p->buffer, sizeof(record));
		if (record.id == root_id)
			continue;
		place = find_known(p, w, &known, p->buffer + sizeof(record));
		if (*place != NO_ENTRY)
			share_node(p, w, *place);
		else if (n < capacity)
		{
			put_node(p, w, n);
			*place = n++;
		}
		else if (rest != NULL)
		{
			if (rest->own.size == 0)
				memcpy(rest->root, p->buffer, p->record_bytes);
			vdb_hnsw_partition_write(p, &rest->own, p->buffer, p->record_bytes);
		}
	}
	w->nown = n;
	add_shuffled(p, w, root != NULL, n);
	for (at = 0; at < w->nshared_rows; at++)
		w->shared_rows[at].node = w->order[w->shared_rows[at].node];
}

/*
 * Loads the rows of a file as borrowed nodes, as many as fit, behind the own.
 */
void
vdb_hnsw_partition_load_borrowed(HnswPartitions *p, HnswWork *w, HnswFile *file)
{
	uint32		n = w->nown;
	uint64		at;
	Known		known;

	forget_all(w, &known, n);
	for (at = 0; at < file->size && n < w->g.params.capacity; at += p->record_bytes)
	{
		uint32	   *place;

		if (at % (256 * p->record_bytes) == 0)
			p->hooks.progress(p->hooks.arg, p->phase, p->rows_done, p->nrows);
		p->hooks.read_file(p->hooks.arg, file->handle, at, p->buffer, p->record_bytes);
		place = find_known(p, w, &known, p->buffer + sizeof(HnswRecord));
		if (*place == NO_ENTRY)
		{
			put_node(p, w, n);
			*place = n++;
		}
	}
	add_shuffled(p, w, w->nown, n);
}

/*
 * Empties the map, which then knows nodes from first on.
 */
static void
forget_all(HnswWork *w, Known *known, uint32 first)
{
	known->nodes = w->work;
	known->size = 2 * w->g.params.capacity;
	known->first = first;
	memset(known->nodes, 0xFF, sizeof(uint32) * known->size);
}

/*
 * The place in the map of the node with this vector, or the place for it.
 * There is one, since the map is twice the nodes.
 */
static uint32 *
find_known(HnswPartitions *p, HnswWork *w, Known *known, const void *vector)
{
	const char *bytes = vector;
	uint64		hash = 0;
	uint64		word = 0;
	uint32		at;
	Size		i;

	for (i = 0; i + sizeof(word) <= p->vector_bytes; i += sizeof(word))
	{
		memcpy(&word, bytes + i, sizeof(word));
		hash = (hash ^ word) * UINT64CONST(0x9E3779B97F4A7C15);
		hash ^= hash >> 32;
	}
	word = 0;
	memcpy(&word, bytes + i, p->vector_bytes - i);
	hash = vdb_hnsw_mix(hash ^ word);

	for (at = (uint32) (hash % known->size); known->nodes[at] != NO_ENTRY;)
	{
		if (memcmp(vdb_hnsw_vector(&w->g, known->nodes[at]), vector, p->vector_bytes) == 0)
			break;
		if (++at == known->size)
			at = 0;
	}
	return &known->nodes[at];
}

/*
 * Makes the record in p->buffer a node.
 */
static void
put_node(HnswPartitions *p, HnswWork *w, uint32 node)
{
	HnswRecord	record;

	memcpy(&record, p->buffer, sizeof(record));
	w->ids[node] = record.id;
	w->parts[node] = record.part;
	w->rows[node] = record.row;
	memcpy(w->g.vectors + (Size) node * w->g.params.stride, p->buffer + sizeof(record),
		   p->vector_bytes);
}

/*
 * Makes the row in p->buffer one more of a node.
 */
static void
share_node(HnswPartitions *p, HnswWork *w, uint32 node)
{
	HnswRecord	record;
	HnswSharedRow *shared;

	memcpy(&record, p->buffer, sizeof(record));
	if (w->nshared_rows == w->max_shared_rows)
	{
		HnswSharedRow *more;

		w->max_shared_rows = Max(1024, 2 * w->max_shared_rows);
		more = p->hooks.allocate(p->hooks.arg, sizeof(HnswSharedRow) * w->max_shared_rows);
		if (w->nshared_rows > 0)
			memcpy(more, w->shared_rows, sizeof(HnswSharedRow) * w->nshared_rows);
		if (w->shared_rows != NULL)
			p->hooks.release(p->hooks.arg, w->shared_rows);
		w->shared_rows = more;
	}
	shared = &w->shared_rows[w->nshared_rows++];
	shared->node = node;
	shared->id = record.id;
	shared->row = record.row;
}

/*
 * Adds the nodes up to end to the graph, those from first on in random order.
 * w->order tells where a node has gone.
 */
static void
add_shuffled(HnswPartitions *p, HnswWork *w, uint32 first, uint32 end)
{
	uint32	   *old = w->parent;
	uint32	   *new = w->order;
	Size		stride = w->g.params.stride;
	uint32		i;

	for (i = w->g.shared->count; i < end; i++)
		old[i] = i;
	for (i = w->g.shared->count; i < end; i++)
	{
		uint32		other = i < first ? i : i + (uint32) (vdb_hnsw_mix(p->params.seed ^ i) % (end - i));
		uint64		row = w->rows[other];
		uint32		id = w->ids[other];
		uint32		part = w->parts[other];
		uint32		was = old[other];

		memcpy(p->buffer, vdb_hnsw_vector(&w->g, other), stride);
		if (other != i)
		{
			memcpy(w->g.vectors + (Size) other * stride, vdb_hnsw_vector(&w->g, i), stride);
			w->rows[other] = w->rows[i];
			w->ids[other] = w->ids[i];
			w->parts[other] = w->parts[i];
			old[other] = old[i];
		}
		vdb_hnsw_add_node(&w->g, p->buffer);
		w->rows[i] = row;
		w->ids[i] = id;
		w->parts[i] = part;
		new[was] = i;
	}
}
