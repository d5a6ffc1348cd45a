/*-------------------------------------------------------------------------
 *
 * pg_compat.h
 *	  The only file that knows PostgreSQL versions (15 to 19), but for what
 *	  pg_compat_plan.h knows of the planner's.
 *
 * Wrappers carry the newest signature; each block names the version and the
 * reason.  `make lint` rejects PG_VERSION_NUM anywhere else.
 *
 *-------------------------------------------------------------------------
 */
#ifndef VDB_PG_COMPAT_H
#define VDB_PG_COMPAT_H

#include "postgres.h"

#include "fmgr.h"

/* 16: varatt.h split off postgres.h */
#if PG_VERSION_NUM >= 160000
#include "varatt.h"
#endif

/* 18: the magic block carries name and version */
#if PG_VERSION_NUM >= 180000
#define VDB_MODULE_MAGIC(modname, modversion) \
	PG_MODULE_MAGIC_EXT(.name = modname, .version = modversion)
#else
#define VDB_MODULE_MAGIC(modname, modversion) PG_MODULE_MAGIC
#endif

/*
 * 17: palloc_array() and friends expand to functions that older minor
 * releases lack, so arrays are allocated through this checked product.
 * Callers bound n far below the overflow (16,000 dimensions).
 */
#define vdb_palloc_array(type, n) ((type *) palloc(sizeof(type) * (Size) (n)))

/* 18: pg_noreturn, written before the declaration, replaced an older macro */
#ifndef pg_noreturn
#define pg_noreturn pg_attribute_noreturn()
#endif

/*
 * Parsing JSON with semantic actions.
 *
 * 16: actions return a result, which makes soft errors possible
 * 17: the lexing context may be the caller's, lengths are size_t
 *
 * An action is declared "VDB_JSON_ACTION f(...)" and left by
 * VDB_JSON_ACTION_RETURN(ok); not ok means that it has reported an error.
 */
#include "common/jsonapi.h"
#include "mb/pg_wchar.h"
#include "nodes/nodes.h"
#include "utils/jsonfuncs.h"

#if PG_VERSION_NUM >= 160000
#define VDB_JSON_ACTION JsonParseErrorType
#define VDB_JSON_ACTION_RETURN(ok) \
	return (ok) ? JSON_SUCCESS : JSON_SEM_ACTION_FAILED
#else
#define VDB_JSON_ACTION void
#define VDB_JSON_ACTION_RETURN(ok) \
	do { (void) (ok); return; } while (0)
#endif

/* A lexer for text in the database's encoding; strings are de-escaped. */
static inline JsonLexContext *
vdb_json_lexer(char *json, int len)
{
#if PG_VERSION_NUM >= 170000
	return makeJsonLexContextCstringLen(NULL, json, len, GetDatabaseEncoding(), true);
#else
	return makeJsonLexContextCstringLen(json, len, GetDatabaseEncoding(), true);
#endif
}

/*
 * Raises the error of a lexer or parser that has failed.  Other errors than
 * JSON_EXPECTED_MORE quote the token, and at its end the text has none.
 */
static inline void
vdb_json_report(JsonParseErrorType error, JsonLexContext *lex)
{
	if (lex->token_type == JSON_TOKEN_END)
		error = JSON_EXPECTED_MORE;
#if PG_VERSION_NUM >= 160000
	json_errsave_error(error, lex, NULL);
#else
	json_ereport_error(error, lex);
#endif
}

/*
 * Parses text in the database's encoding, strings de-escaped.  Raises an error
 * where it is not JSON, or returns false if escontext takes soft errors.
 */
static inline bool
vdb_json_parse(char *json, int len, JsonSemAction *actions, Node *escontext)
{
	JsonLexContext *lex = vdb_json_lexer(json, len);

#if PG_VERSION_NUM >= 160000
	return pg_parse_json_or_errsave(lex, actions, escontext);
#else
	pg_parse_json_or_ereport(lex, actions);
	return true;
#endif
}

/*
 * 16: input functions may report an error softly; before, escontext is unused
 * and every error is raised.
 */
#ifndef ereturn
#define ereturn(escontext, dummy_value, ...) \
	do { \
		(void) (escontext); \
		ereport(ERROR, __VA_ARGS__); \
		return dummy_value; \
	} while (0)
#endif

/* 18: the delay point is told whether it is in ANALYZE */
#include "commands/vacuum.h"

static inline void
vdb_vacuum_delay_point(void)
{
#if PG_VERSION_NUM >= 180000
	vacuum_delay_point(false);
#else
	vacuum_delay_point();
#endif
}

/*
 * Index access methods.
 *
 * 17: amcanbuildparallel (before, core never plans workers for a build that
 *	   is not btree's; a build asks for them itself)
 * 19: core keeps a pointer to a static struct, and never frees it
 */
#include "access/amapi.h"

#if PG_VERSION_NUM >= 170000
#define VDB_AM_PARALLEL(scan, build) \
	.amcanparallel = (scan), .amcanbuildparallel = (build)
#else
#define VDB_AM_PARALLEL(scan, build) .amcanparallel = (scan)
#endif

static inline const IndexAmRoutine *
vdb_index_am_routine(const IndexAmRoutine *routine)
{
#if PG_VERSION_NUM >= 190000
	return routine;
#else
	IndexAmRoutine *copy = makeNode(IndexAmRoutine);

	*copy = *routine;
	return copy;
#endif
}

/*
 * Marks a path that must not be chosen while there is any other.
 *
 * 18: disabled_nodes counts before cost does; more than the one of a scan
 * that the user has switched off
 */
#include "nodes/pathnodes.h"

static inline void
vdb_disable_path(Path *path)
{
#if PG_VERSION_NUM >= 180000
	path->disabled_nodes = 2;
#else
	(void) path;
#endif
}

/*
 * The record of a setting, placeholders included, or NULL.  It stays where it
 * is as long as the process lives, unless it is a placeholder's.
 *
 * 16: settings are in a hash table, find_option() is exported
 */
#include "utils/guc_tables.h"

static inline const struct config_generic *
vdb_find_setting(const char *name)
{
#if PG_VERSION_NUM >= 160000
	return find_option(name, false, true, DEBUG1);
#else
	struct config_generic **settings = get_guc_variables();
	int			nsettings = GetNumConfigOptions();

	for (int i = 0; i < nsettings; i++)
	{
		if (pg_strcasecmp(settings[i]->name, name) == 0)
			return settings[i];
	}
	return NULL;
#endif
}

/*
 * 16: a fork is extended by a function.  The new page is pinned, locked
 * exclusively, and all zeroes.  Nobody else extends the fork meanwhile.
 */
#include "storage/bufmgr.h"
#include "utils/rel.h"

static inline Buffer
vdb_extend_fork(Relation relation, ForkNumber fork, BufferAccessStrategy strategy)
{
#if PG_VERSION_NUM >= 160000
	return ExtendBufferedRel(BMR_REL(relation), fork, strategy, EB_LOCK_FIRST);
#else
	return ReadBufferExtended(relation, fork, P_NEW, RBM_ZERO_AND_LOCK, strategy);
#endif
}

/*
 * 16: reading from a temporary file may insist on the whole size; before, the
 * caller checks.
 */
#include "storage/buffile.h"

static inline void
vdb_buffile_read(BufFile *file, void *data, size_t size)
{
#if PG_VERSION_NUM >= 160000
	BufFileReadExact(file, data, size);
#else
	size_t		n = BufFileRead(file, data, size);

	if (n != size)
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not read from temporary file: read only %zu of %zu bytes", n, size)));
#endif
}

/*
 * May the current user maintain an index of a table?
 *
 * 16: one function asks for the owner of any object
 * 17: MAINTAIN, which the owner has, and members of pg_maintain
 */
#include "catalog/pg_class.h"
#include "miscadmin.h"
#include "utils/acl.h"

static inline bool
vdb_may_maintain(Oid index, Oid table)
{
#if PG_VERSION_NUM >= 170000
	(void) index;
	return pg_class_aclcheck(table, GetUserId(), ACL_MAINTAIN) == ACLCHECK_OK;
#elif PG_VERSION_NUM >= 160000
	(void) table;
	return object_ownercheck(RelationRelationId, index, GetUserId());
#else
	(void) table;
	return pg_class_ownercheck(index, GetUserId());
#endif
}

/*
 * 17: what maintains a table runs with pg_catalog as the search path.  Before,
 * nothing did, and functions of indexes may rely on the caller's.
 */
#include "utils/guc.h"

static inline void
vdb_restrict_search_path(void)
{
#if PG_VERSION_NUM >= 170000
	RestrictSearchPath();
#endif
}

/*
 * Begins to read a table in order, with a snapshot of the caller's.
 *
 * 19: scans take flags
 */
#include "access/tableam.h"

static inline TableScanDesc
vdb_begin_snapshot_scan(Relation table, Snapshot snapshot)
{
#if PG_VERSION_NUM >= 190000
	return table_beginscan_strat(table, snapshot, 0, NULL, true, false, 0);
#else
	return table_beginscan_strat(table, snapshot, 0, NULL, true, false);
#endif
}

/* The share of one process in a parallel scan, alike */
static inline TableScanDesc
vdb_beginscan_parallel(Relation relation, ParallelTableScanDesc scan)
{
#if PG_VERSION_NUM >= 190000
	return table_beginscan_parallel(relation, scan, 0);
#else
	return table_beginscan_parallel(relation, scan);
#endif
}

/*
 * The planner's hook that may change what is known of a table, called by it
 * for each one: VDB_TABLE_HOOK, of type VDB_TABLE_HOOK_TYPE, which takes
 * VDB_TABLE_HOOK_PARAMS; the table is VDB_TABLE_HOOK_OID then, and all is passed
 * on as VDB_TABLE_HOOK_ARGS.
 *
 * 19: get_relation_info_hook made way for one at another place
 */
#if PG_VERSION_NUM >= 190000
#include "optimizer/pathnode.h"

#define VDB_TABLE_HOOK build_simple_rel_hook
#define VDB_TABLE_HOOK_TYPE build_simple_rel_hook_type
#define VDB_TABLE_HOOK_PARAMS PlannerInfo *root, RelOptInfo *rel, RangeTblEntry *rte
#define VDB_TABLE_HOOK_ARGS root, rel, rte
#define VDB_TABLE_HOOK_OID (rte->relid)
#else
#include "optimizer/plancat.h"

#define VDB_TABLE_HOOK get_relation_info_hook
#define VDB_TABLE_HOOK_TYPE get_relation_info_hook_type
#define VDB_TABLE_HOOK_PARAMS \
	PlannerInfo *root, Oid table_oid, bool is_parent, RelOptInfo *rel
#define VDB_TABLE_HOOK_ARGS root, table_oid, is_parent, rel
#define VDB_TABLE_HOOK_OID table_oid
#endif

/*
 * SIMD: instruction sets that a function may be compiled for although the
 * file is not (no -m flags: the binary runs on the baseline CPU).  18 has
 * pg_attribute_target, for single arguments only.  VDB_HAVE_VECTOR_EXT: the
 * compiler knows __attribute__((vector_size)), as gcc and clang do.
 */
#if defined(__GNUC__)
#define VDB_HAVE_VECTOR_EXT 1
#define vdb_attribute_target(isa) __attribute__((target(isa)))
#if defined(__x86_64__)
#define VDB_HAVE_X86_KERNELS 1
#elif defined(__aarch64__)
#define VDB_HAVE_NEON_KERNELS 1
#endif
#endif

/* 18: an index scan counts its searches for EXPLAIN */
#if PG_VERSION_NUM >= 180000
#define vdb_count_index_search(scan) \
	do { if ((scan)->instrument) (scan)->instrument->nsearches++; } while (0)
#else
#define vdb_count_index_search(scan) ((void) 0)
#endif

/* 16: RelFileNode becomes RelFileLocator */
#if PG_VERSION_NUM >= 160000
#define vdb_file_number(relation) ((relation)->rd_locator.relNumber)
#define vdb_file_locator(relation) ((relation)->rd_locator)
#else
#define vdb_file_number(relation) ((relation)->rd_node.relNode)
#define vdb_file_locator(relation) ((relation)->rd_node)
#endif

/* A hint to the CPU that a line of its cache will be read */
#define VDB_CACHE_LINE 64
#if defined(__GNUC__)
#define vdb_prefetch_line(address) __builtin_prefetch((address), 0, 2)
#else
#define vdb_prefetch_line(address) ((void) (address))
#endif

/*
 * The executor's side of a custom scan of a table.  Macros, since the headers
 * would bring plan nodes' names into every file.
 *
 * 16: a node may say which slots its rows come in, before it has a table
 * 19: a slot has flags, and so has fetching by TID
 */
#if PG_VERSION_NUM >= 160000
#define vdb_set_slot_ops(node, ops) ((node)->slotOps = (ops))
#else
#define vdb_set_slot_ops(node, ops) ((void) 0)
#endif

#if PG_VERSION_NUM >= 190000
#define vdb_init_scan_slot(estate, node, desc, ops) \
	ExecInitScanTupleSlot(estate, node, desc, ops, 0)
#define vdb_begin_index_fetch(table) table_index_fetch_begin(table, 0)
#else
#define vdb_init_scan_slot(estate, node, desc, ops) \
	ExecInitScanTupleSlot(estate, node, desc, ops)
#define vdb_begin_index_fetch(table) table_index_fetch_begin(table)
#endif

/* 16: what a query needs permission for is apart from its tables */
#if PG_VERSION_NUM >= 160000
#define vdb_copy_permissions(query, estate) \
	((query)->rteperminfos = (estate)->es_rteperminfos)
#else
#define vdb_copy_permissions(query, estate) ((void) 0)
#endif

/* 18: EXPLAIN's state and formats have their own headers */
#if PG_VERSION_NUM >= 180000
#include "commands/explain_format.h"
#include "commands/explain_state.h"
#endif

/*
 * Bitmaps of rows.
 *
 * 17: whoever reads a table by bitmap says that it wants the rows
 * 18: pages are unpacked by a function; VDB_TABLE_ITERATES_BITMAP: the table
 *	   goes through the bitmap itself, and prefetches
 * 19: scans take flags
 */
#include "access/htup_details.h"
#include "nodes/tidbitmap.h"

typedef struct VdbTidPage
{
	BlockNumber block;
	bool		is_lossy;		/* all of it */
	int			noffsets;
	OffsetNumber offsets[MaxHeapTuplesPerPage];
} VdbTidPage;

#if PG_VERSION_NUM >= 180000
#define VDB_TABLE_ITERATES_BITMAP 1
typedef TBMPrivateIterator VdbTidIterator;
#define vdb_tid_begin_iterate(bitmap) tbm_begin_private_iterate(bitmap)
#define vdb_tid_end_iterate(iterator) tbm_end_private_iterate(iterator)
#else
typedef TBMIterator VdbTidIterator;
#define vdb_tid_begin_iterate(bitmap) tbm_begin_iterate(bitmap)
#define vdb_tid_end_iterate(iterator) tbm_end_iterate(iterator)
#endif

/* The next page, in ascending order; false after the last */
static inline bool
vdb_tid_iterate(VdbTidIterator *iterator, VdbTidPage *page)
{
#if PG_VERSION_NUM >= 180000
	TBMIterateResult result;

	if (!tbm_private_iterate(iterator, &result))
		return false;
	page->is_lossy = result.lossy;
	page->noffsets = result.lossy ? 0 :
									tbm_extract_page_tuple(&result, page->offsets, MaxHeapTuplesPerPage);
	page->block = result.blockno;
#else
	TBMIterateResult *result = tbm_iterate(iterator);

	if (result == NULL)
		return false;
	page->is_lossy = result->ntuples < 0;
	page->noffsets = Max(result->ntuples, 0);
	memcpy(page->offsets, result->offsets, sizeof(OffsetNumber) * (Size) page->noffsets);
	page->block = result->blockno;
#endif
	return true;
}

static inline TableScanDesc
vdb_begin_bitmap_scan(Relation table, Snapshot snapshot)
{
#if PG_VERSION_NUM >= 190000
	return table_beginscan_bm(table, snapshot, 0, NULL, 0);
#elif PG_VERSION_NUM >= 170000 && PG_VERSION_NUM < 180000
	return table_beginscan_bm(table, snapshot, 0, NULL, true);
#else
	return table_beginscan_bm(table, snapshot, 0, NULL);
#endif
}

#endif							/* VDB_PG_COMPAT_H */
