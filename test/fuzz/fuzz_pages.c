/*-------------------------------------------------------------------------
 *
 * fuzz_pages.c
 *	  Target: pages of hnsw indexes.
 *
 * An input says which index is damaged and how, in steps of eight bytes; then
 * whatever can be done with an index is done.  Allowed are answers of any kind
 * and the errors that name the damage.  Afterwards the index is as it was.
 *
 * The pages are changed in the buffers, so PostgreSQL's own checks of what is read
 * from disk do not come into it: headers are left alone.
 * test/t/040_hnsw_damage.pl damages files.
 *
 *-------------------------------------------------------------------------
 */
#include "pg_compat.h"

#include "access/genam.h"
#include "access/relscan.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/index.h"
#include "catalog/namespace.h"
#include "catalog/storage.h"
#include "executor/spi.h"
#include "executor/tuptable.h"
#include "fuzz.h"
#include "hnsw/page.h"
#include "storage/bufmgr.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/relcache.h"
#include "utils/resowner.h"
#include "utils/snapmgr.h"
#include "vector/vector.h"

/* Rows that a scan is asked for at most */
#define MAX_ROWS 2000

/* One step of damage, as it stands in an input */
typedef struct Step
{
	uint8		what;
	uint8		size;
	uint16		block;
	uint16		offset;
	uint16		value;
} Step;

/* All forms of nodes that there are */
typedef struct Case
{
	const char *name;
	const char *opclass;
	const char *operator;
	int			dim;
	int			rows;

	Oid			heap;
	Oid			index;
	BlockNumber nblocks;
	char	   *pages;			/* as they were */
	VdbVector  *vectors[4];		/* the first is a row's */
	FmgrInfo	distance;
} Case;

static Case cases[] = {
	{"codes", "vector_l2_ops", "<->", 24, 400},
	{"cosine", "vector_cosine_ops", "<=>", 48, 300},
	{"product", "vector_ip_ops", "<#>", 16, 300},
	{"taxicab", "vector_l1_ops", "<+>", 8, 300},
	{"split", "vector_l2_ops", "<->", 3072, 24}
};

static Case *current;

static void prepare_case(Case *c);
static void keep_pages(Case *c);
static void damage(const Case *c, const Step *steps, int nsteps);
static void restore(const Case *c);
static void attempt(void (*action)(Relation heap, Relation index));
static void scan(Relation heap, Relation index);
static void insert(Relation heap, Relation index);
static void clean(Relation heap, Relation index);
static void query(Relation heap, Relation index);
static bool is_dead(ItemPointer tid, void *state);

static void
run_sql(const char *fmt, ...)
{
	StringInfoData sql;
	va_list		args;

	initStringInfo(&sql);
	for (;;)
	{
		int			needed;

		va_start(args, fmt);
		needed = appendStringInfoVA(&sql, fmt, args);
		va_end(args);
		if (needed == 0)
			break;
		enlargeStringInfo(&sql, needed);
	}
	if (SPI_execute(sql.data, false, 0) < 0)
		elog(ERROR, "SPI_execute failed: %s", sql.data);
	pfree(sql.data);
}

/* Tables and indexes; they are there for the transaction only. */
static void
prepare_pages(void)
{
	int			i;

	SPI_connect();
	run_sql("SET enable_seqscan = off");
	run_sql("CREATE FUNCTION pg_temp.a_vector(seed int, dim int) RETURNS vector LANGUAGE sql IMMUTABLE "
			"RETURN (SELECT array_agg(round(sin(seed * 12.9898 + d * 78.233 + seed * d)::numeric, 3)) "
			"FROM generate_series(1, dim) d)::vector");
	for (i = 0; i < lengthof(cases); i++)
		prepare_case(&cases[i]);
	SPI_finish();
}

static void
prepare_case(Case *c)
{
	int			i;

	run_sql("CREATE TABLE fuzz_%s (id serial, v vector(%d))", c->name, c->dim);
	run_sql("INSERT INTO fuzz_%s (v) SELECT pg_temp.a_vector(n, %d) FROM generate_series(1, %d) n",
			c->name, c->dim, c->rows);
	run_sql("INSERT INTO fuzz_%s (v) SELECT pg_temp.a_vector(n %% 3, %d) FROM generate_series(1, 200) n",
			c->name, c->dim);
	run_sql("CREATE INDEX fuzz_%s_index ON fuzz_%s USING hnsw (v %s)", c->name, c->name, c->opclass);
	run_sql("INSERT INTO fuzz_%s (v) SELECT pg_temp.a_vector(n, %d) FROM generate_series(1001, 1010) n",
			c->name, c->dim);
	c->heap = RelnameGetRelid(psprintf("fuzz_%s", c->name));
	c->index = RelnameGetRelid(psprintf("fuzz_%s_index", c->name));
	for (i = 0; i < lengthof(c->vectors); i++)
	{
		MemoryContext context;
		bool		isnull;
		Datum		datum;

		run_sql("SELECT pg_temp.a_vector(%d, %d)", i == 0 ? 1 : 5000 + i, c->dim);
		datum = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull);
		context = MemoryContextSwitchTo(TopMemoryContext);
		c->vectors[i] = (VdbVector *) PG_DETOAST_DATUM_COPY(datum);
		MemoryContextSwitchTo(context);
	}
	run_sql("SELECT oprcode::oid FROM pg_operator WHERE oprname = '%s' AND oprleft = 'vector'::regtype",
			c->operator);
	fmgr_info_cxt(DatumGetObjectId(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1,
												 &(bool){false})),
				  &c->distance, TopMemoryContext);

	/* some nodes are free, some posting segments too */
	current = c;
	attempt(clean);
	keep_pages(c);
}

static void
keep_pages(Case *c)
{
	Relation	index = index_open(c->index, AccessShareLock);
	BlockNumber block;

	c->nblocks = RelationGetNumberOfBlocks(index);
	c->pages = MemoryContextAllocHuge(TopMemoryContext, (Size) c->nblocks * BLCKSZ);
	for (block = 0; block < c->nblocks; block++)
	{
		Buffer		buffer = ReadBuffer(index, block);

		LockBuffer(buffer, BUFFER_LOCK_SHARE);
		memcpy(c->pages + (Size) block * BLCKSZ, BufferGetPage(buffer), BLCKSZ);
		UnlockReleaseBuffer(buffer);
	}
	index_close(index, AccessShareLock);
}

/* Damages the index, uses it, puts it back. */
static void
run_pages(const char *data, int len)
{
	int			nsteps = (len - 1) / (int) sizeof(Step);
	Step	   *steps;

	if (nsteps < 1)
		return;
	steps = (Step *) vdb_fuzz_copy(data + 1, nsteps * (int) sizeof(Step));
	current = &cases[(unsigned char) data[0] % lengthof(cases)];
	damage(current, steps, Min(nsteps, 64));
	attempt(scan);
	attempt(query);
	attempt(insert);
	attempt(clean);
	attempt(scan);
	attempt(insert);
	restore(current);
}

/*
 * One step after the other.  Blocks of no index, or offsets of no page, are taken
 * as others.
 */
static void
damage(const Case *c, const Step *steps, int nsteps)
{
	Relation	index = index_open(c->index, AccessShareLock);
	int			i;

	for (i = 0; i < nsteps; i++)
	{
		const Step *step = &steps[i];
		Buffer		buffer = ReadBuffer(index, step->block % c->nblocks);
		Page		page = BufferGetPage(buffer);
		int			from = SizeOfPageHeaderData +
			step->offset % (BLCKSZ - SizeOfPageHeaderData - sizeof(uint32));

		LockBuffer(buffer, BUFFER_LOCK_EXCLUSIVE);
		switch (step->what % 8)
		{
			case 0:
				page[from] = (char) step->value;
				break;
			case 1:
				memcpy(page + from, &step->value, sizeof(uint16));
				break;
			case 2:
				memset(page + from, step->value & 0xFF, Min(step->size, BLCKSZ - from));
				break;
			case 3:
				page[from] ^= (char) (1 << (step->value % 8));
				break;
			case 4:				/* a number as the index has them */
				memcpy(page + (from & ~1), &(uint16[2]){0, step->value}, sizeof(uint32));
				break;
			case 5:				/* another page */
				memcpy(page, c->pages + (Size) (step->value % c->nblocks) * BLCKSZ, BLCKSZ);
				break;
			case 6:				/* a page that a crash left */
				memset(page, 0, BLCKSZ);
				break;
			case 7:				/* what stands elsewhere on it */
				memmove(page + from, page + SizeOfPageHeaderData + step->value % (BLCKSZ - 512),
						Min(step->size, BLCKSZ - from));
				break;
		}
		UnlockReleaseBuffer(buffer);
	}
	index_close(index, AccessShareLock);
	RelationCacheInvalidateEntry(c->index);
}

static void
restore(const Case *c)
{
	Relation	index = index_open(c->index, AccessExclusiveLock);
	BlockNumber block;

	if (RelationGetNumberOfBlocks(index) > c->nblocks)
		RelationTruncate(index, c->nblocks);
	for (block = 0; block < c->nblocks; block++)
	{
		Buffer		buffer = ReadBuffer(index, block);

		LockBuffer(buffer, BUFFER_LOCK_EXCLUSIVE);
		memcpy(BufferGetPage(buffer), c->pages + (Size) block * BLCKSZ, BLCKSZ);
		MarkBufferDirty(buffer);
		UnlockReleaseBuffer(buffer);
	}
	index_close(index, AccessExclusiveLock);
	RelationCacheInvalidateEntry(c->index);
}

/* Damage that is named, or found by PostgreSQL where distances contradict it */
static bool
is_allowed(const ErrorData *error)
{
	return error->sqlerrcode == ERRCODE_INDEX_CORRUPTED ||
		strcmp(error->message, "index returned tuples in wrong order") == 0;
}

/* Does something with the index, which may fail. */
static void
attempt(void (*action)(Relation heap, Relation index))
{
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(context);
	PG_TRY();
	{
		Relation	heap = table_open(current->heap, RowExclusiveLock);
		Relation	index = index_open(current->index, RowExclusiveLock);

		PushActiveSnapshot(GetTransactionSnapshot());
		action(heap, index);
		PopActiveSnapshot();
		index_close(index, NoLock);
		table_close(heap, NoLock);
		ReleaseCurrentSubTransaction();
	}
	PG_CATCH();
	{
		ErrorData  *error;

		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
		if (strncmp(unpack_sql_state(error->sqlerrcode), "XX", 2) == 0 && !is_allowed(error))
			vdb_fuzz_wrong("%s: %s", unpack_sql_state(error->sqlerrcode), error->message);
	}
	PG_END_TRY();
	MemoryContextSwitchTo(context);
	CurrentResourceOwner = owner;
}

/* A scan for some rows, and one for all of them */
static void
scan(Relation heap, Relation index)
{
	TupleTableSlot *slot = table_slot_create(heap, NULL);
	int			i;

	for (i = 0; i < 2; i++)
	{
		IndexScanDesc desc = index_beginscan(heap, index, GetActiveSnapshot(), 0, 1);
		ScanKeyData key;
		int			n = 0;

		ScanKeyEntryInitialize(&key, 0, 1, 1, InvalidOid, InvalidOid, current->distance.fn_oid,
							   PointerGetDatum(current->vectors[i]));
		index_rescan(desc, NULL, 0, &key, 1);
		while (n++ < (i == 0 ? 10 : MAX_ROWS) && index_getnext_slot(desc, ForwardScanDirection, slot))
			CHECK_FOR_INTERRUPTS();
		index_endscan(desc);
	}
	ExecDropSingleTupleTableSlot(slot);
}

/* New vectors, and one that a node has; TIDs of rows that are not there */
static void
insert(Relation heap, Relation index)
{
	IndexInfo  *info = BuildIndexInfo(index);
	int			i;

	for (i = 0; i < 2 * lengthof(current->vectors); i++)
	{
		Datum		value = PointerGetDatum(current->vectors[i % lengthof(current->vectors)]);
		bool		isnull = false;
		ItemPointerData tid;

		ItemPointerSet(&tid, 0, (OffsetNumber) (250 + i));
		index_insert(index, &value, &isnull, &tid, heap, UNIQUE_CHECK_NO, false, info);
	}
}

/* Some rows are dead; then what vacuum does in the end. */
static void
clean(Relation heap, Relation index)
{
	IndexVacuumInfo info = {.index = index, .message_level = DEBUG2, .estimated_count = true};
	IndexBulkDeleteResult *stats;

	stats = index_bulk_delete(&info, NULL, is_dead, NULL);
	index_vacuum_cleanup(&info, stats);
}

static bool
is_dead(ItemPointer tid, void *state)
{
	/* asserts that it is a TID, as vacuum's callback does */
	return ItemPointerGetOffsetNumber(tid) % 9 == 4;
}

/* What SQL has for an index: the verifier, estimates, filtered search */
static void
query(Relation heap, Relation index)
{
	const char *name = current->name;

	SPI_connect();
	run_sql("SELECT count(*) FROM vecdb_index_check('fuzz_%s_index')", name);
	run_sql("SELECT size FROM vecdb_index_info('fuzz_%s_index')", name);
	run_sql("SELECT count(*) FROM (SELECT id FROM fuzz_%s WHERE id %% 7 = 3 "
			"ORDER BY v %s pg_temp.a_vector(3, %d) LIMIT 5) s",
			name, current->operator, current->dim);
	SPI_finish();
}

const VdbFuzzTarget vdb_fuzz_pages = {
	.name = "pages", .prepare = prepare_pages, .run = run_pages, .allows = is_allowed
};
