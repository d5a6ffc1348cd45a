/*-------------------------------------------------------------------------
 *
 * allow.c
 *	  Which rows are in a bitmap: a set that can be asked for one TID.
 *
 * A TIDBitmap can only be read in order.  The set is a table of chunks of
 * consecutive blocks; a chunk has a bit for each block of which all rows are
 * allowed, and for the others the place of their bits, one for each offset.
 * When its memory is used up it takes whole blocks.
 *
 *-------------------------------------------------------------------------
 */
#include "pg_compat.h"

#include "miscadmin.h"
#include "planner/node.h"

#define CHUNK_BLOCKS 256
#define WORD_BITS 64
#define WORDS(nbits) (((nbits) + WORD_BITS - 1) / WORD_BITS)
#define FIRST_WORDS 256

/* The bits of the offsets 1.. of a block: words[first .. first + nwords - 1] */
typedef struct AllowBlock
{
	uint32		first;
	uint16		nwords;			/* 0: no row */
} AllowBlock;

typedef struct AllowChunk
{
	uint64		whole[CHUNK_BLOCKS / WORD_BITS];
	AllowBlock *blocks;			/* NULL: no single rows */
} AllowChunk;

struct VdbAllowList
{
	AllowChunk **chunks;
	BlockNumber nchunks;
	uint64	   *words;
	uint32		nwords;
	uint32		words_room;
	Size		bytes;
	Size		memory;			/* that bytes should not exceed */
};

static AllowChunk *find_chunk(VdbAllowList *allowed, BlockNumber block);
static void add_block(VdbAllowList *allowed, BlockNumber block);
static void add_offsets(VdbAllowList *allowed, BlockNumber block, const OffsetNumber *offsets,
						int n);
static uint32 add_words(VdbAllowList *allowed, int n);

/*
 * Makes the set in the current memory context.
 */
VdbAllowList *
vdb_allow_create(TIDBitmap *bitmap, Size memory)
{
	VdbAllowList *allowed = (VdbAllowList *) palloc0(sizeof(VdbAllowList));
	VdbTidIterator *iterator = vdb_tid_begin_iterate(bitmap);
	VdbTidPage	page;

	allowed->memory = memory;
	while (vdb_tid_iterate(iterator, &page))
	{
		CHECK_FOR_INTERRUPTS();
		if (page.is_lossy)
			add_block(allowed, page.block);
		else
			add_offsets(allowed, page.block, page.offsets, page.noffsets);
	}
	vdb_tid_end_iterate(iterator);
	return allowed;
}

/*
 * A VdbHnswAllow.
 */
bool
vdb_allow_test(void *arg, ItemPointer tid)
{
	const VdbAllowList *allowed = (const VdbAllowList *) arg;
	BlockNumber block = ItemPointerGetBlockNumberNoCheck(tid);
	uint32		offset = ItemPointerGetOffsetNumberNoCheck(tid);
	const AllowChunk *chunk;
	const AllowBlock *entry;
	uint32		place = block % CHUNK_BLOCKS;

	if (block / CHUNK_BLOCKS >= allowed->nchunks)
		return false;
	chunk = allowed->chunks[block / CHUNK_BLOCKS];
	if (chunk == NULL)
		return false;
	if (chunk->whole[place / WORD_BITS] & (UINT64CONST(1) << (place % WORD_BITS)))
		return true;
	if (chunk->blocks == NULL)
		return false;
	entry = &chunk->blocks[place];
	if (offset / WORD_BITS >= entry->nwords)
		return false;
	return (allowed->words[entry->first + offset / WORD_BITS] >> (offset % WORD_BITS)) & 1;
}

/*
 * The chunk of a block, which comes into being if there is none.
 */
static AllowChunk *
find_chunk(VdbAllowList *allowed, BlockNumber block)
{
	BlockNumber number = block / CHUNK_BLOCKS;

	if (number >= allowed->nchunks)
	{
		BlockNumber room = Max(Max(number + 1, 2 * allowed->nchunks), 16);
		Size		size = (Size) room * sizeof(AllowChunk *);

		if (allowed->chunks == NULL)
			allowed->chunks = (AllowChunk **) MemoryContextAllocHuge(CurrentMemoryContext, size);
		else
			allowed->chunks = (AllowChunk **) repalloc_huge(allowed->chunks, size);
		memset(allowed->chunks + allowed->nchunks, 0,
			   (Size) (room - allowed->nchunks) * sizeof(AllowChunk *));
		allowed->bytes += (Size) (room - allowed->nchunks) * sizeof(AllowChunk *);
		allowed->nchunks = room;
	}
	if (allowed->chunks[number] == NULL)
	{
		allowed->chunks[number] = (AllowChunk *) palloc0(sizeof(AllowChunk));
		allowed->bytes += sizeof(AllowChunk);
	}
	return allowed->chunks[number];
}

/*
 * Allows all rows of a block.
 */
static void
add_block(VdbAllowList *allowed, BlockNumber block)
{
	uint32		place = block % CHUNK_BLOCKS;

	find_chunk(allowed, block)->whole[place / WORD_BITS] |= UINT64CONST(1) << (place % WORD_BITS);
}

/*
 * Allows some rows of a block, in ascending order of their offsets.
 */
static void
add_offsets(VdbAllowList *allowed, BlockNumber block, const OffsetNumber *offsets, int n)
{
	AllowChunk *chunk = find_chunk(allowed, block);
	AllowBlock *entry;

	if (n == 0)
		return;
	if (allowed->bytes >= allowed->memory)
	{
		add_block(allowed, block);
		return;
	}
	if (chunk->blocks == NULL)
	{
		chunk->blocks = (AllowBlock *) palloc0(CHUNK_BLOCKS * sizeof(AllowBlock));
		allowed->bytes += CHUNK_BLOCKS * sizeof(AllowBlock);
	}
	entry = &chunk->blocks[block % CHUNK_BLOCKS];
	entry->nwords = WORDS(offsets[n - 1] + 1);
	entry->first = add_words(allowed, entry->nwords);
	for (int i = 0; i < n; i++)
		allowed->words[entry->first + offsets[i] / WORD_BITS] |=
			UINT64CONST(1) << (offsets[i] % WORD_BITS);
}

/*
 * Makes room for n words, all zero; returns the first.
 */
static uint32
add_words(VdbAllowList *allowed, int n)
{
	uint32		first = allowed->nwords;

	if (allowed->nwords + n > allowed->words_room)
	{
		uint32		room = Max(2 * allowed->words_room, FIRST_WORDS);
		Size		size = (Size) room * sizeof(uint64);

		if (allowed->words == NULL)
			allowed->words = (uint64 *) palloc(size);
		else
			allowed->words = (uint64 *) repalloc_huge(allowed->words, size);
		allowed->bytes += (Size) (room - allowed->words_room) * sizeof(uint64);
		allowed->words_room = room;
	}
	memset(allowed->words + first, 0, (Size) n * sizeof(uint64));
	allowed->nwords += n;
	return first;
}
