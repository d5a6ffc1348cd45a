/*-------------------------------------------------------------------------
 *
 * partition_divide.c
 *	  Divides rows among partitions, and puts these in order.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "hnsw/partition_internal.h"

static void offer_root(HnswPartitions *p, HnswPartition *part, uint32 id, double cost);

/*
 * Writes every row to the file of its partition, and to that of the next
 * nearest one, which borrows it.  With one partition the file of all rows is
 * its own.  Each partition gets its root: the row nearest to the centroid, or
 * the entry.
 */
void
vdb_hnsw_partition_divide(HnswPartitions *p)
{
	uint64		i;

	for (i = 0; i < p->nrows; i++)
	{
		HnswRecord	record;
		const void *vector = p->buffer + sizeof(record);
		int			first;
		int			second;
		double		cost;

		if (i % 256 == 0)
			p->hooks.progress(p->hooks.arg, HNSW_PARTITION_DIVIDE, i, p->nrows);
		p->hooks.read_file(p->hooks.arg, p->all.handle, i * p->record_bytes, p->buffer,
						   p->record_bytes);
		memcpy(&record, p->buffer, sizeof(record));
		cost = vdb_hnsw_partition_nearest(p, vector, &first, &second);
		offer_root(p, &p->parts[first], record.id, cost);
		if (p->nparts == 1)
			continue;
		record.part = (uint32) first;
		memcpy(p->buffer, &record, sizeof(record));
		vdb_hnsw_partition_write(p, &p->parts[first].own, p->buffer, p->record_bytes);
		vdb_hnsw_partition_write(p, &p->parts[second].borrowed, p->buffer, p->record_bytes);
	}
	if (p->nparts == 1)
	{
		p->parts[0].own = p->all;
		p->all.handle = NULL;
	}
	vdb_hnsw_partition_close(p, &p->all);
}

/*
 * Makes the row in p->buffer the root of its partition if it is the best.
 */
static void
offer_root(HnswPartitions *p, HnswPartition *part, uint32 id, double cost)
{
	if (id == p->entry_id)
		cost = -INFINITY;
	else if (cost >= part->root_cost)
		return;
	part->root_cost = cost;
	memcpy(part->root, p->buffer, p->record_bytes);
}

/*
 * Writes the numbers of all partitions with rows of their own to path: that of
 * the entry, then always the nearest one that is left.  Returns their number.
 */
int
vdb_hnsw_partition_path(HnswPartitions *p, int *path)
{
	int			n = 0;
	int			next = 0;
	int			i;

	/* is_placed marks those that are on the path */
	for (i = 0; i < p->nparts; i++)
	{
		p->parts[i].is_placed = p->parts[i].own.size == 0;
		if (p->parts[i].root_cost == -INFINITY)
			next = i;
	}
	while (next >= 0)
	{
		float		least = INFINITY;
		int			last = next;

		path[n++] = last;
		p->parts[last].is_placed = true;
		next = -1;
		for (i = 0; i < p->nparts; i++)
		{
			float		distance;

			if (p->parts[i].is_placed)
				continue;
			distance = vdb_hnsw_partition_distance(p, p->parts[last].centroid,
												   p->parts[i].centroid);
			if (next < 0 || distance < least)
			{
				least = distance;
				next = i;
			}
		}
	}
	return n;
}
