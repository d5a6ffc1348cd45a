/*-------------------------------------------------------------------------
 *
 * build_parallel.c
 *	  The processes of an index build: how many, start, shared memory, end.
 *
 * The block of the build is a segment of its own beside the small one of the
 * parallel context.  Where there is no room for it, the build goes on in one
 * process.
 *
 * Who waits for others looks for interrupts meanwhile.  A worker that fails
 * sends its error to the leader, and one that vanishes is missed there, too, so
 * the leader fails; and when it does, the workers are told to end.
 *
 *-------------------------------------------------------------------------
 */
#include "pg_compat.h"

#include <sys/statvfs.h>

#include "access/genam.h"
#include "access/parallel.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/index.h"
#include "executor/instrument.h"
#include "hnsw/build.h"
#include "miscadmin.h"
#include "nodes/pathnodes.h"
#include "optimizer/clauses.h"
#include "optimizer/optimizer.h"
#include "optimizer/paths.h"
#include "pgstat.h"
#include "storage/dsm.h"
#include "storage/dsm_impl.h"
#include "tcop/tcopprot.h"
#include "utils/guc.h"
#include "utils/resowner.h"
#include "utils/snapmgr.h"
#include "utils/wait_event.h"

#define KEY_START UINT64CONST(0xA000000000000001)
#define KEY_SCAN UINT64CONST(0xA000000000000002)
#define KEY_QUERY UINT64CONST(0xA000000000000003)
#define KEY_WAL UINT64CONST(0xA000000000000004)
#define KEY_BUFFERS UINT64CONST(0xA000000000000005)

/* Room that the server's own segment needs, beside ours */
#define OTHER_SEGMENTS (1024 * 1024)

/* What a worker is told at its start */
typedef struct Start
{
	Oid			heap;
	Oid			index;
	bool		is_concurrent;
	dsm_handle	block;
	HnswBuildSize size;
} Start;

struct HnswTeam
{
	ParallelContext *context;
	dsm_segment *block;
	Snapshot	snapshot;
	ParallelTableScanDesc scan;
	WalUsage   *wal;
	BufferUsage *buffers;
};

extern PGDLLEXPORT void vdb_hnsw_build_worker(dsm_segment *segment, shm_toc *toc);

static bool is_parallel_safe_index(Relation index);
static BlockNumber data_blocks(Relation heap);
static bool has_shared_memory(Size size);
static dsm_segment *try_create_segment(Size size);
static void init_context(HnswTeam *team, HnswBuild *build, const HnswBuildSize *size);
static void announce_start(HnswBuild *build, int nprocesses);
static void await_start(HnswBuild *build);

/*
 * The number of workers for an index build.  The size of the table says how
 * much work there is, its vectors included, which may be out of line: a table
 * of TOASTed vectors looks tiny to the planner.
 */
int
vdb_hnsw_plan_workers(Relation heap, Relation index)
{
	int			wanted = RelationGetParallelWorkers(heap, -1);

	if (max_parallel_maintenance_workers == 0 || !IsUnderPostmaster ||
		heap->rd_rel->relpersistence == RELPERSISTENCE_TEMP ||
		IsInParallelMode() || !is_parallel_safe_index(index))
		return 0;
	if (wanted < 0)
		wanted = (int) Min(HNSW_MAX_PROCESSES,
						   data_blocks(heap) / (BlockNumber) Max(1, min_parallel_table_scan_size));
	return Min(Min(wanted, max_parallel_maintenance_workers), HNSW_MAX_PROCESSES - 1);
}

/*
 * Whether workers may compute the index's expressions and predicate.
 */
static bool
is_parallel_safe_index(Relation index)
{
	PlannerInfo *root = makeNode(PlannerInfo);

	root->parse = makeNode(Query);
	root->parse->commandType = CMD_SELECT;
	root->glob = makeNode(PlannerGlobal);
	root->query_level = 1;
	root->planner_cxt = CurrentMemoryContext;
	root->wt_param_id = -1;
	return is_parallel_safe(root, (Node *) RelationGetIndexExpressions(index)) &&
		is_parallel_safe(root, (Node *) RelationGetIndexPredicate(index));
}

/*
 * Blocks of a table and of what is stored out of line.
 */
static BlockNumber
data_blocks(Relation heap)
{
	uint64		nblocks = RelationGetNumberOfBlocks(heap);

	if (OidIsValid(heap->rd_rel->reltoastrelid))
	{
		Relation	toast = table_open(heap->rd_rel->reltoastrelid, AccessShareLock);

		nblocks += RelationGetNumberOfBlocks(toast);
		table_close(toast, AccessShareLock);
	}
	return (BlockNumber) Min(nblocks, MaxBlockNumber);
}

/*
 * Starts workers for a build, and makes build use a block of the given size in
 * shared memory.  Returns NULL, with nothing started, if there is no shared
 * memory for it.  size->nprocesses says how many are wanted; build->nprocesses
 * how many there are, perhaps only this one.
 */
HnswTeam *
vdb_hnsw_start_team(HnswBuild *build, const HnswBuildSize *size, const HnswMeta *meta)
{
	HnswTeam   *team;
	dsm_segment *block = try_create_segment(size->block);

	if (block == NULL)
	{
		ereport(NOTICE,
				(errmsg("index \"%s\" is built without parallel workers",
						RelationGetRelationName(build->index->relation)),
				 errdetail("There is no dynamic shared memory of %zu MB.",
						   size->block / (1024 * 1024) + 1)));
		return NULL;
	}
	vdb_hnsw_build_attach(build, size, dsm_segment_address(block), true);
	build->shared->meta = *meta;
	SharedFileSetInit(&build->shared->files, block);

	team = (HnswTeam *) palloc0(sizeof(HnswTeam));
	team->block = block;
	EnterParallelMode();
	team->context = CreateParallelContext("vecdb", "vdb_hnsw_build_worker", size->nprocesses - 1);
	team->snapshot = build->info->ii_Concurrent ? RegisterSnapshot(GetTransactionSnapshot()) :
												  SnapshotAny;
	init_context(team, build, size);
	if (team->context->seg != NULL)
		LaunchParallelWorkers(team->context);
	announce_start(build, 1 + team->context->nworkers_launched);
	return team;
}

/*
 * Whether shared memory of this size can probably be had.  A segment that
 * grows beyond what is free would only fail halfway.
 */
static bool
has_shared_memory(Size size)
{
	struct statvfs fs;

	if (dynamic_shared_memory_type != DSM_IMPL_POSIX || statvfs("/dev/shm", &fs) != 0)
		return true;
	return (double) fs.f_bavail * fs.f_frsize >= (double) size + OTHER_SEGMENTS;
}

/*
 * Creates a segment, or returns NULL if there is no memory for it.
 *
 * The server reports that as an error.  It is caught here without a
 * subtransaction, which a build cannot have in every place: dsm_create() has
 * done nothing at that point but to enter the segment into the resource owner,
 * which is one of its own here.
 */
static dsm_segment *
try_create_segment(Size size)
{
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner old = CurrentResourceOwner;
	ResourceOwner owner;
	dsm_segment *volatile segment = NULL;

	if (!has_shared_memory(size))
		return NULL;
	owner = ResourceOwnerCreate(old, "hnsw build segment");
	PG_TRY();
	{
		CurrentResourceOwner = owner;
		segment = dsm_create(size, DSM_CREATE_NULL_IF_MAXSEGMENTS);
		CurrentResourceOwner = old;
	}
	PG_CATCH();
	{
		int			code = geterrcode();

		CurrentResourceOwner = old;
		if (code != ERRCODE_OUT_OF_MEMORY && code != ERRCODE_DISK_FULL &&
			code != ERRCODE_INSUFFICIENT_RESOURCES)
			PG_RE_THROW();
		MemoryContextSwitchTo(context);
		FlushErrorState();
		ResourceOwnerRelease(owner, RESOURCE_RELEASE_BEFORE_LOCKS, false, false);
		ResourceOwnerRelease(owner, RESOURCE_RELEASE_LOCKS, false, false);
		ResourceOwnerRelease(owner, RESOURCE_RELEASE_AFTER_LOCKS, false, false);
		ResourceOwnerDelete(owner);
	}
	PG_END_TRY();
	return segment;
}

/*
 * Fills the parallel context's segment with what workers need.
 */
static void
init_context(HnswTeam *team, HnswBuild *build, const HnswBuildSize *size)
{
	ParallelContext *context = team->context;
	Size		scan_size = table_parallelscan_estimate(build->heap, team->snapshot);
	const char *query = debug_query_string != NULL ? debug_query_string : "";
	Size		nworkers = (Size) context->nworkers;
	Start	   *start;
	char	   *text;

	shm_toc_estimate_chunk(&context->estimator, sizeof(Start));
	shm_toc_estimate_chunk(&context->estimator, scan_size);
	shm_toc_estimate_chunk(&context->estimator, strlen(query) + 1);
	shm_toc_estimate_chunk(&context->estimator, mul_size(sizeof(WalUsage), nworkers));
	shm_toc_estimate_chunk(&context->estimator, mul_size(sizeof(BufferUsage), nworkers));
	shm_toc_estimate_keys(&context->estimator, 5);
	InitializeParallelDSM(context);

	start = (Start *) shm_toc_allocate(context->toc, sizeof(Start));
	start->heap = RelationGetRelid(build->heap);
	start->index = RelationGetRelid(build->index->relation);
	start->is_concurrent = build->info->ii_Concurrent;
	start->block = dsm_segment_handle(team->block);
	start->size = *size;
	shm_toc_insert(context->toc, KEY_START, start);

	team->scan = (ParallelTableScanDesc) shm_toc_allocate(context->toc, scan_size);
	table_parallelscan_initialize(build->heap, team->scan, team->snapshot);
	shm_toc_insert(context->toc, KEY_SCAN, team->scan);

	text = (char *) shm_toc_allocate(context->toc, strlen(query) + 1);
	memcpy(text, query, strlen(query) + 1);
	shm_toc_insert(context->toc, KEY_QUERY, text);

	team->wal = (WalUsage *) shm_toc_allocate(context->toc, mul_size(sizeof(WalUsage), nworkers));
	shm_toc_insert(context->toc, KEY_WAL, team->wal);
	team->buffers = (BufferUsage *) shm_toc_allocate(context->toc,
													 mul_size(sizeof(BufferUsage), nworkers));
	shm_toc_insert(context->toc, KEY_BUFFERS, team->buffers);
}

/*
 * Loads the rows of the table in all processes, and waits for them.
 */
void
vdb_hnsw_load_together(HnswBuild *build, HnswTeam *team)
{
	vdb_hnsw_load(build, vdb_beginscan_parallel(build->heap, team->scan));

	/* nobody must wait for one that failed to start */
	WaitForParallelWorkersToAttach(team->context);
	vdb_hnsw_meet(build);
}

/*
 * Ends the workers, which have nothing to do any more; then the block is gone.
 */
void
vdb_hnsw_end_team(HnswBuild *build, HnswTeam *team)
{
	int			i;

	vdb_hnsw_dismiss(build);
	WaitForParallelWorkersToFinish(team->context);
	for (i = 0; i < team->context->nworkers_launched; i++)
		InstrAccumParallelQuery(&team->buffers[i], &team->wal[i]);
	if (IsMVCCSnapshot(team->snapshot))
		UnregisterSnapshot(team->snapshot);
	DestroyParallelContext(team->context);
	ExitParallelMode();
	build->nprocesses = 1;
}

/*
 * Frees the block of a team that has ended.
 */
void
vdb_hnsw_free_team(HnswTeam *team)
{
	dsm_detach(team->block);
	pfree(team);
}

/*
 * Tells all processes how many they are.  Known only when workers have been
 * started, some of which may be at work already.
 */
static void
announce_start(HnswBuild *build, int nprocesses)
{
	HnswBuildShared *shared = build->shared;

	build->nprocesses = nprocesses;
	BarrierInit(&shared->barrier, nprocesses);
	SpinLockAcquire(&shared->mutex);
	shared->nstarted = nprocesses;
	SpinLockRelease(&shared->mutex);
	ConditionVariableBroadcast(&shared->started);
}

/*
 * Waits in a worker until it knows how many processes there are.
 */
static void
await_start(HnswBuild *build)
{
	HnswBuildShared *shared = build->shared;

	ConditionVariablePrepareToSleep(&shared->started);
	for (;;)
	{
		SpinLockAcquire(&shared->mutex);
		build->nprocesses = shared->nstarted;
		SpinLockRelease(&shared->mutex);
		if (build->nprocesses > 0)
			break;
		ConditionVariableSleep(&shared->started, PG_WAIT_EXTENSION);
	}
	ConditionVariableCancelSleep();
}

/*
 * A worker, from start to end.
 */
void
vdb_hnsw_build_worker(dsm_segment *segment, shm_toc *toc)
{
	Start	   *start = (Start *) shm_toc_lookup(toc, KEY_START, false);
	LOCKMODE	heap_lock = start->is_concurrent ? ShareUpdateExclusiveLock : ShareLock;
	LOCKMODE	index_lock = start->is_concurrent ? RowExclusiveLock : AccessExclusiveLock;
	ParallelTableScanDesc scan = (ParallelTableScanDesc) shm_toc_lookup(toc, KEY_SCAN, false);
	WalUsage   *wal = (WalUsage *) shm_toc_lookup(toc, KEY_WAL, false);
	BufferUsage *buffers = (BufferUsage *) shm_toc_lookup(toc, KEY_BUFFERS, false);
	Relation	heap;
	Relation	index;
	dsm_segment *block;
	HnswBuild	build;

	debug_query_string = (char *) shm_toc_lookup(toc, KEY_QUERY, false);
	pgstat_report_activity(STATE_RUNNING, debug_query_string);

	heap = table_open(start->heap, heap_lock);
	index = index_open(start->index, index_lock);
	block = dsm_attach(start->block);
	if (block == NULL)
		ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE), errmsg("could not map dynamic shared memory segment")));

	memset(&build, 0, sizeof(build));
	build.process = ParallelWorkerNumber + 1;
	build.context = CurrentMemoryContext;
	build.heap = heap;
	build.info = BuildIndexInfo(index);
	build.info->ii_Concurrent = start->is_concurrent;
	vdb_hnsw_build_attach(&build, &start->size, dsm_segment_address(block), false);
	SharedFileSetAttach(&build.shared->files, block);
	build.index = vdb_hnsw_open_meta(index, &build.shared->meta);

	InstrStartParallelQuery();
	vdb_hnsw_load(&build, vdb_beginscan_parallel(heap, scan));
	await_start(&build);
	vdb_hnsw_meet(&build);
	vdb_hnsw_follow(&build);
	InstrEndParallelQuery(&buffers[ParallelWorkerNumber], &wal[ParallelWorkerNumber]);

	dsm_detach(block);
	index_close(index, index_lock);
	table_close(heap, heap_lock);
}
