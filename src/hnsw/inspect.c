/*-------------------------------------------------------------------------
 *
 * inspect.c
 *	  What the functions that look at an index for its operator share:
 *	  opening the index that the caller names, telling pages apart.
 *
 *-------------------------------------------------------------------------
 */
#include "pg_compat.h"

#include "access/genam.h"
#include "access/table.h"
#include "access/xlog.h"
#include "catalog/index.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_class.h"
#include "hnsw/am.h"
#include "hnsw/index.h"
#include "hnsw/inspect.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/lsyscache.h"

static void check_right(Relation index, Oid heap, HnswRight right);
static void check_readable(Relation index);

/*
 * Opens an hnsw index and its table, with AccessShareLocks that are kept until
 * the end of the transaction.  Raises an error if it is no such index, or if
 * the caller lacks the right.
 */
HnswTarget
vdb_hnsw_open_target(Oid oid, HnswRight right)
{
	HnswTarget	target;
	char	   *name = get_rel_name(oid);
	char		kind = get_rel_relkind(oid);
	Oid			heap;

	if (name == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("relation with OID %u does not exist", oid)));
	if (kind == RELKIND_PARTITIONED_INDEX)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("index \"%s\" is partitioned and has no content of its own", name),
				 errhint("Name the index of a partition; pg_partition_tree() lists them.")));
	if (kind != RELKIND_INDEX)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("\"%s\" is not an hnsw index", name)));

	/* the table before the index, as everybody does */
	heap = IndexGetRelation(oid, false);
	target.heap = table_open(heap, AccessShareLock);
	target.index = index_open(oid, AccessShareLock);
	if (target.index->rd_indam->ambuild != vdb_hnsw_build)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("\"%s\" is not an hnsw index of vecdb",
						RelationGetRelationName(target.index))));
	check_right(target.index, heap, right);
	check_readable(target.index);
	return target;
}

void
vdb_hnsw_close_target(HnswTarget *target)
{
	index_close(target->index, NoLock);
	table_close(target->heap, NoLock);
}

static void
check_right(Relation index, Oid heap, HnswRight right)
{
	Oid			oid = RelationGetRelid(index);

	if (right == HNSW_RIGHT_SELECT)
	{
		AclResult	result = pg_class_aclcheck(heap, GetUserId(), ACL_SELECT);

		if (result != ACLCHECK_OK)
			aclcheck_error(result, OBJECT_TABLE, get_rel_name(heap));
		return;
	}
	if (vdb_may_maintain(oid, heap) ||
		(right == HNSW_RIGHT_STATS &&
		 has_privs_of_role(GetUserId(), ROLE_PG_STAT_SCAN_TABLES)))
		return;
	aclcheck_error(ACLCHECK_NOT_OWNER, OBJECT_INDEX, RelationGetRelationName(index));
}

/*
 * Rejects an index that has no file, or none that this session can read.
 */
static void
check_readable(Relation index)
{
	if (RELATION_IS_OTHER_TEMP(index))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("cannot access temporary indexes of other sessions")));
	if (RecoveryInProgress() && !RelationIsPermanent(index))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("cannot access unlogged index \"%s\" during recovery",
						RelationGetRelationName(index))));
}

/*
 * The kind of a locked page: HnswPageKind, HNSW_PAGE_UNUSED, or
 * HNSW_PAGE_DAMAGED with what is wrong in *problem.
 */
uint8
vdb_hnsw_page_kind(Page page, const char **problem)
{
	PageHeader	header = (PageHeader) page;
	HnswOpaque	opaque;

	*problem = NULL;
	if (PageIsNew(page))
		return HNSW_PAGE_UNUSED;
	if (header->pd_special != BLCKSZ - MAXALIGN(sizeof(HnswOpaque)) ||
		PageGetPageSize(page) != BLCKSZ)
		*problem = "page has no special space of an hnsw index";
	else if (header->pd_lower < MAXALIGN(SizeOfPageHeaderData) || header->pd_lower > header->pd_upper ||
			 header->pd_upper != header->pd_special)
		*problem = "page header has invalid bounds";
	if (*problem != NULL)
		return HNSW_PAGE_DAMAGED;

	memcpy(&opaque, (char *) page + header->pd_special, sizeof(opaque));
	if (opaque.page_id != HNSW_PAGE_ID)
		*problem = "page is not one of an hnsw index";
	else if (opaque.kind < HNSW_PAGE_META || opaque.kind > HNSW_PAGE_VECTOR)
		*problem = "page has an unknown kind";
	return *problem != NULL ? HNSW_PAGE_DAMAGED : opaque.kind;
}

/*
 * The name of a metric, as vecdb.create_collection() has it.
 */
const char *
vdb_hnsw_metric_name(int metric)
{
	static const char *const names[] = {
		[VDB_METRIC_L2] = "euclidean",
		[VDB_METRIC_IP] = "dot",
		[VDB_METRIC_COSINE] = "cosine",
		[VDB_METRIC_L1] = "taxicab",
		[VDB_METRIC_HAMMING] = "hamming",
		[VDB_METRIC_JACCARD] = "jaccard",
	};

	return metric >= 0 && metric < lengthof(names) ? names[metric] : "unknown";
}
