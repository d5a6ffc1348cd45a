/*-------------------------------------------------------------------------
 *
 * numberset.c
 *	  A set of node numbers.
 *
 * One bit a number, in chunks that are allocated when a number in them comes
 * in: a search touches few of the nodes of a large index, a full scan all.
 *
 *-------------------------------------------------------------------------
 */
#include "pg_compat.h"

#include "hnsw/search.h"
#include "utils/memutils.h"

#define CHUNK_WORDS 64
#define CHUNK_BITS (CHUNK_WORDS * 64)
#define CHUNK_BYTES (CHUNK_WORDS * sizeof(uint64))

static void make_room(HnswNumberSet *set, uint32 chunk);

/*
 * An empty set in the current memory context.  It grows beyond capacity when
 * larger numbers come in.
 */
void
vdb_hnsw_set_init(HnswNumberSet *set, uint32 capacity)
{
	set->context = CurrentMemoryContext;
	set->nchunks = capacity / CHUNK_BITS + 1;
	set->bytes = set->nchunks * sizeof(uint64 *);
	set->chunks = (uint64 **) MemoryContextAllocExtended(set->context, set->bytes,
														 MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
}

/*
 * Makes the directory large enough for a chunk, and half as large again.
 */
static void
make_room(HnswNumberSet *set, uint32 chunk)
{
	uint32		nchunks = chunk + chunk / 2 + 1;
	uint64	  **chunks = (uint64 **) MemoryContextAllocExtended(set->context,
																nchunks * sizeof(uint64 *),
																MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);

	memcpy(chunks, set->chunks, set->nchunks * sizeof(uint64 *));
	pfree(set->chunks);
	set->bytes += (nchunks - set->nchunks) * sizeof(uint64 *);
	set->chunks = chunks;
	set->nchunks = nchunks;
}

/*
 * Adds a number; false if it was there.
 */
bool
vdb_hnsw_set_add(HnswNumberSet *set, uint32 number)
{
	uint32		chunk = number / CHUNK_BITS;
	uint64		bit = UINT64CONST(1) << number % 64;
	uint64	   *word;

	if (chunk >= set->nchunks)
		make_room(set, chunk);
	if (set->chunks[chunk] == NULL)
	{
		set->chunks[chunk] = (uint64 *) MemoryContextAllocZero(set->context, CHUNK_BYTES);
		set->bytes += CHUNK_BYTES;
	}
	word = &set->chunks[chunk][number % CHUNK_BITS / 64];
	if (*word & bit)
		return false;
	*word |= bit;
	return true;
}

bool
vdb_hnsw_set_has(const HnswNumberSet *set, uint32 number)
{
	uint32		chunk = number / CHUNK_BITS;

	return chunk < set->nchunks && set->chunks[chunk] != NULL &&
		(set->chunks[chunk][number % CHUNK_BITS / 64] >> number % 64 & 1) != 0;
}

void
vdb_hnsw_set_remove(HnswNumberSet *set, uint32 number)
{
	if (vdb_hnsw_set_has(set, number))
		set->chunks[number / CHUNK_BITS][number % CHUNK_BITS / 64] &=
			~(UINT64CONST(1) << number % 64);
}

/*
 * Empties the set and gives its chunks back.
 */
void
vdb_hnsw_set_clear(HnswNumberSet *set)
{
	for (uint32 i = 0; i < set->nchunks; i++)
	{
		if (set->chunks[i] != NULL)
		{
			pfree(set->chunks[i]);
			set->chunks[i] = NULL;
			set->bytes -= CHUNK_BYTES;
		}
	}
}
