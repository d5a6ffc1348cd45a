/*-------------------------------------------------------------------------
 *
 * partition_unit.h
 *	  Hooks for builds in partitions, and what comes out of them, for tests and
 *	  benchmarks.
 *
 *-------------------------------------------------------------------------
 */
#ifndef VDB_PARTITION_UNIT_H
#define VDB_PARTITION_UNIT_H

#include "postgres.h"

#include <stdio.h>

#include "hnsw/partition.h"

#undef printf
#undef fprintf

/* What hooks use, counted */
typedef struct Usage
{
	Size		allocated;
	Size		peak;
	int			nblocks;
	int			nfiles;
	uint64		bytes_written;
	uint64		bytes_read;
	HnswPartitionPhase phase;
	uint64		done;
} Usage;

/* A file knows where it is, since stdio forgets what it has read when asked */
typedef struct TestFile
{
	FILE	   *file;
	uint64		at;
	bool		is_read;
} TestFile;

static void *
test_allocate(void *arg, Size size)
{
	Usage	   *usage = arg;
	Size	   *block = malloc(size + 16);

	block[0] = size;
	usage->allocated += size;
	usage->peak = Max(usage->peak, usage->allocated);
	usage->nblocks++;
	memset(block + 2, 0x5A, size);
	return block + 2;
}

static void
test_release(void *arg, void *memory)
{
	Usage	   *usage = arg;
	Size	   *block = (Size *) memory - 2;

	usage->allocated -= block[0];
	usage->nblocks--;
	free(block);
}

static void *
test_create_file(void *arg)
{
	TestFile   *file = calloc(1, sizeof(TestFile));

	file->file = tmpfile();
	if (file->file == NULL)
	{
		fprintf(stderr, "cannot create a temporary file\n");
		exit(1);
	}
	((Usage *) arg)->nfiles++;
	return file;
}

static void
test_write_file(void *arg, void *handle, const void *data, Size size)
{
	TestFile   *file = handle;

	if (file->is_read || fwrite(data, 1, size, file->file) != size)
	{
		fprintf(stderr, "cannot write\n");
		exit(1);
	}
	((Usage *) arg)->bytes_written += size;
}

static void
test_read_file(void *arg, void *handle, uint64 offset, void *data, Size size)
{
	TestFile   *file = handle;

	if (!file->is_read || file->at != offset)
		fseek(file->file, (long) offset, SEEK_SET);
	file->is_read = true;
	if (fread(data, 1, size, file->file) != size)
	{
		fprintf(stderr, "cannot read %zu bytes at %llu\n", size, (unsigned long long) offset);
		exit(1);
	}
	file->at = offset + size;
	((Usage *) arg)->bytes_read += size;
}

static void
test_close_file(void *arg, void *handle)
{
	fclose(((TestFile *) handle)->file);
	free(handle);
	((Usage *) arg)->nfiles--;
}

static void
test_link(void *arg, HnswGraph *g, HnswScratch *s)
{
	vdb_hnsw_link_all(g, s);
}

static void
test_fill(void *arg, HnswGraph *g, HnswScratch *s, uint32 end)
{
	vdb_hnsw_fill_all(g, s, end);
}

static void
test_progress(void *arg, HnswPartitionPhase phase, uint64 done, uint64 total)
{
	Usage	   *usage = arg;

	if (done > total || phase < usage->phase || (phase == usage->phase && done < usage->done))
	{
		fprintf(stderr, "phase %d: %llu of %llu\n", phase, (unsigned long long) done,
				(unsigned long long) total);
		exit(1);
	}
	usage->phase = phase;
	usage->done = done;
}

static inline HnswPartitionHooks
test_hooks(Usage *usage)
{
	HnswPartitionHooks hooks = {usage, test_allocate, test_release, test_create_file, test_write_file, test_read_file, test_close_file, test_link, test_fill, test_progress};

	return hooks;
}

/* Level 0 of a graph: so many targets of each node, then none */
typedef struct Adjacency
{
	uint32		n;
	int			slots;
	uint32		entry;
	uint32	   *targets;		/* HNSW_NO_NODE behind the last */
	const char **vectors;
	HnswDistance distance;
	const void *distance_arg;
	uint32	   *seen;
	uint32		search;
} Adjacency;

static inline Adjacency
new_adjacency(uint32 n, int slots)
{
	Adjacency	a = {n, slots, 0};

	a.targets = malloc(sizeof(uint32) * (size_t) slots * (n + 1));
	memset(a.targets, 0xFF, sizeof(uint32) * (size_t) slots * (n + 1));
	a.vectors = calloc(n + 1, sizeof(char *));
	a.seen = calloc(n + 1, sizeof(uint32));
	return a;
}

static inline void
free_adjacency(Adjacency *a)
{
	free(a->targets);
	free(a->vectors);
	free(a->seen);
}

/* The ef nodes that a search from the entry finds; found has room for ef + 1. */
static inline int
search_adjacency(Adjacency *a, const void *query, int ef, HnswFound *found)
{
	int			n = 1;
	int			next = 0;

	a->search++;
	a->seen[a->entry] = a->search;
	found[0] = (HnswFound){a->distance(a->distance_arg, query, a->vectors[a->entry]), a->entry, false};
	while (next < n)
	{
		const uint32 *targets = a->targets + (size_t) found[next].node * (size_t) a->slots;

		if (found[next].is_expanded)
		{
			next++;
			continue;
		}
		found[next].is_expanded = true;
		for (int i = 0; i < a->slots && targets[i] != HNSW_NO_NODE; i++)
		{
			float		distance;
			int			at;

			if (a->seen[targets[i]] == a->search)
				continue;
			a->seen[targets[i]] = a->search;
			distance = a->distance(a->distance_arg, query, a->vectors[targets[i]]);
			if (n == ef && distance >= found[n - 1].distance)
				continue;
			for (at = n < ef ? n++ : n - 1; at > 0 && found[at - 1].distance > distance; at--)
				found[at] = found[at - 1];
			found[at] = (HnswFound){distance, targets[i], false};
			next = Min(next, at);
		}
	}
	return n;
}

#endif							/* VDB_PARTITION_UNIT_H */
