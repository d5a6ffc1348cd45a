/*-------------------------------------------------------------------------
 *
 * index.c
 *	  An open index: its layout from the metapage, its rotation and kernels,
 *	  and values in the form that it stores.
 *
 * What never changes of the metapage is kept in the relation's cache, so that
 * opening an index costs no page.
 *
 *-------------------------------------------------------------------------
 */
#include "pg_compat.h"

#include "distance/distance.h"
#include "hnsw/index.h"
#include "hnsw/options.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

/*
 * The rotation's seed is the same in every index: the graph of the same rows is
 * the same, and no test depends on luck.
 */
#define ROTATION_SEED UINT64CONST(0x9D5A2C71E8B34F06)

/* Elements that sparse vectors have room for if nothing is known of them */
#define DEFAULT_ELEMENTS 300

static const HnswMeta *cached_meta(Relation relation);
static void request_layout(VdbLayoutRequest *request, const HnswMeta *meta);
static void check_column_type(Relation relation);
static const char *meta_fault(const HnswMeta *meta, VdbQuantLayout *layout);

/*
 * Opens the index of a relation.  The result is one chunk of memory of the
 * current context.  Raises an error if the metapage is damaged or of another
 * version.
 */
HnswIndex *
vdb_hnsw_open(Relation relation)
{
	/* a copy: the catalogs will be read, which may empty the cache */
	HnswMeta	meta = *cached_meta(relation);

	return vdb_hnsw_open_meta(relation, &meta);
}

/*
 * The same for a metapage that is not on disk yet.
 */
HnswIndex *
vdb_hnsw_open_meta(Relation relation, const HnswMeta *meta)
{
	const HnswType *type = vdb_hnsw_type(relation);
	VdbQuantLayout layout;
	const char *fault = meta_fault(meta, &layout);
	bool		is_rotated;
	Size		signs;
	HnswIndex  *index;

	if (fault == NULL && (VdbMetric) meta->metric != type->metric)
		fault = "metric";
	if (fault == NULL && type->codec != (vdb_codec_is_rotated(layout.codec) ? VDB_CODEC_NONE : layout.codec))
		fault = "layout";
	if (fault != NULL)
		vdb_hnsw_corrupted(relation, HNSW_META_BLOCK, fault);

	is_rotated = vdb_codec_is_rotated(layout.codec);
	signs = is_rotated ? vdb_quant_rotation_size((int) meta->dim) : 0;
	index = (HnswIndex *) palloc0(MAXALIGN(sizeof(HnswIndex)) + signs);
	index->relation = relation;
	index->type = type;
	index->layout = layout;
	index->layout.is_split = meta->vector_pages > 0;
	index->kernels = vdb_quant_kernels_like(vdb_kernels());
	index->seed = meta->seed;
	index->m = meta->m;
	index->ef_construction = meta->ef_construction;
	index->slots = meta->slots;
	index->node_bytes = meta->node_bytes;
	index->nodes_per_page = meta->nodes_per_page;
	index->vector_pages = meta->vector_pages;
	if (is_rotated)
		vdb_quant_init_rotation(&index->rotation, (int) meta->dim, meta->seed,
								(uint32 *) ((char *) index + MAXALIGN(sizeof(HnswIndex))),
								index->kernels);
	return index;
}

/*
 * The metapage as the relation's cache has it; only what never changes may be
 * taken from it.  It is there until the next look at the catalogs.
 */
static const HnswMeta *
cached_meta(Relation relation)
{
	if (relation->rd_amcache == NULL)
	{
		HnswIndex	probe = {0};
		HnswMeta   *meta = (HnswMeta *) MemoryContextAlloc(relation->rd_indexcxt,
														   sizeof(HnswMeta));

		probe.relation = relation;
		vdb_hnsw_read_meta(&probe, meta);
		relation->rd_amcache = meta;
	}
	return (const HnswMeta *) relation->rd_amcache;
}

/*
 * What an index asks of the layout chooser: slots for the links that m stands
 * for on level 0.
 */
static void
request_layout(VdbLayoutRequest *request, const HnswMeta *meta)
{
	memset(request, 0, sizeof(*request));
	request->metric = (VdbMetric) meta->metric;
	request->dim = (int) meta->dim;
	request->max_slots = 2 * meta->m;
	request->min_slots = (5 * meta->m + 3) / 4;
	request->page_bytes = HNSW_PAGE_BYTES;
	request->node_bytes = HNSW_NODE_HEADER;
	request->link_bytes = HNSW_LINK_BYTES;
	request->elements = meta->elements;
}

/*
 * What is wrong with a metapage, NULL if nothing is, and its layout: everything
 * that reads pages relies on sizes that fit each other.
 */
static const char *
meta_fault(const HnswMeta *meta, VdbQuantLayout *layout)
{
	VdbLayoutRequest request;
	Size		needed = HNSW_NODE_HEADER;

	request_layout(&request, meta);
	if (!vdb_quant_form_layout(layout, &request, (VdbVectorCodec) meta->codec,
							   meta->bits, (int) meta->code_dims))
		return "layout";
	if (meta->vector_pages == 0)
		needed += (Size) layout->vector_bytes;
	needed += (Size) meta->slots * (Size) layout->slot_bytes;
	if (meta->slots < 1 || meta->slots > 2 * HNSW_MAX_M ||
		meta->nodes_per_page < 1 || meta->node_bytes % MAXIMUM_ALIGNOF != 0 ||
		needed > meta->node_bytes ||
		(Size) meta->nodes_per_page * meta->node_bytes > HNSW_PAGE_BYTES ||
		meta->m < HNSW_MIN_M || meta->m > HNSW_MAX_M ||
		(meta->vector_pages > 0 &&
		 (Size) meta->vector_pages * HNSW_PAGE_BYTES < (Size) layout->vector_bytes))
		return "sizes";
	return NULL;
}

/*
 * What never changes of the metapage and the layout that follows from it, for
 * the planner: NULL, and why as a sentence in *problem, where others raise an
 * error.
 */
const HnswMeta *
vdb_hnsw_try_meta(Relation relation, VdbQuantLayout *layout, char **problem)
{
	HnswMeta	meta;
	const char *fault;

	if (relation->rd_amcache != NULL)
		meta = *(HnswMeta *) relation->rd_amcache;
	else if (!vdb_hnsw_try_read_meta(relation, &meta) || meta.magic != HNSW_MAGIC)
	{
		*problem = pstrdup("Its metapage is damaged.");
		return NULL;
	}
	if (meta.version != HNSW_FORMAT_VERSION)
	{
		*problem = psprintf("It has format version %u, and this library reads %u.",
							meta.version, HNSW_FORMAT_VERSION);
		return NULL;
	}
	fault = meta_fault(&meta, layout);
	if (fault != NULL)
	{
		*problem = psprintf("Its metapage is damaged: invalid %s.", fault);
		return NULL;
	}
	return cached_meta(relation);
}

/*
 * The dimension that the indexed column's type says, or its domain's; -1: none.
 */
int
vdb_hnsw_column_dim(Relation relation)
{
	Form_pg_attribute column = TupleDescAttr(RelationGetDescr(relation), 0);
	int32		typmod = column->atttypmod;

	(void) getBaseTypeAndTypmod(column->atttypid, &typmod);
	return typmod;
}

/*
 * Fills the metapage of a new index: dimension and options of the relation,
 * and the layout chosen for them; no nodes.  elements is how many a sparse
 * vector shall have room for, 0 if that is not known.
 */
void
vdb_hnsw_plan_layout(HnswMeta *meta, Relation relation, int elements)
{
	const HnswType *type = vdb_hnsw_type(relation);
	int			dim = vdb_hnsw_column_dim(relation);
	VdbLayoutRequest request;
	VdbQuantLayout layout;

	check_column_type(relation);
	if (dim < 0)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("column does not have dimensions"), errhint("Declare them in the column's type, such as %s(384), or cast the expression to it.", type->type_name)));
	if (dim > type->max_dim)
		ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED), errmsg("column cannot have more than %d dimensions for hnsw index", type->max_dim)));

	memset(meta, 0, sizeof(*meta));
	meta->magic = HNSW_MAGIC;
	meta->version = HNSW_FORMAT_VERSION;
	meta->dim = (uint32) dim;
	meta->metric = (uint16) type->metric;
	meta->m = (uint16) vdb_hnsw_option_m(relation);
	meta->ef_construction = (uint16) vdb_hnsw_option_ef_construction(relation);
	meta->seed = ROTATION_SEED;
	request_layout(&request, meta);
	request.codec = type->codec;
	if (type->codec == VDB_CODEC_SPARSE)
		request.elements = Min(elements > 0 ? elements : DEFAULT_ELEMENTS, dim);
	if (!vdb_quant_choose_layout(&layout, &request))
		ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED), errmsg("a page has no room for the links of a vector with %d dimensions and m = %d", dim, meta->m), errhint("Use a smaller m.")));
	meta->codec = (uint8) layout.codec;
	meta->bits = (uint8) layout.bits;
	meta->code_dims = (uint32) layout.code_dims;
	meta->elements = (uint16) layout.elements;
	meta->slots = (uint16) layout.slots;
	meta->node_bytes = (uint16) layout.node_bytes;
	meta->nodes_per_page = (uint16) layout.nodes_per_page;
	meta->vector_pages = (uint16) layout.vector_pages;
	meta->entry = vdb_hnsw_no_ref();
	meta->root = vdb_hnsw_no_ref();
	meta->postings = InvalidBlockNumber;
}

/*
 * Refuses a column whose type is only binary compatible with the operator
 * class's: values of bit varying have any length up to its type modifier.
 */
static void
check_column_type(Relation relation)
{
	Form_pg_attribute column = TupleDescAttr(RelationGetDescr(relation), 0);

	if (getBaseType(column->atttypid) != getBaseType(relation->rd_opcintype[0]))
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("type not supported for hnsw index")));
}

/* Bytes of the rotated vector, and of the elements before it */
static Size
value_floats(const HnswIndex *index)
{
	return MAXALIGN(sizeof(float) * (Size) index->layout.padded);
}

/*
 * Bytes that vdb_hnsw_value_attach() wants.
 */
Size
vdb_hnsw_value_size(const HnswIndex *index)
{
	return 2 * value_floats(index) + MAXALIGN((Size) index->layout.vector_bytes);
}

/*
 * Lays a value out in memory of vdb_hnsw_value_size() bytes, maxaligned.
 */
void
vdb_hnsw_value_attach(const HnswIndex *index, HnswValue *value, void *memory)
{
	memset(value, 0, sizeof(*value));
	value->x = (float *) memory;
	value->elements = (float *) ((char *) memory + value_floats(index));
	value->stored = (char *) memory + 2 * value_floats(index);
}

/*
 * Rotates and encodes a value that is not NULL.  Returns false if it is not
 * indexed: the zero vector has no direction.  Raises an error if it has another
 * dimension than the index.  May leave a detoasted copy, and what rotated points
 * at, in the current context.
 */
bool
vdb_hnsw_form_value(const HnswIndex *index, Datum datum, HnswValue *value)
{
	Datum		detoasted = PointerGetDatum(PG_DETOAST_DATUM(datum));
	int			dim = index->type->dim(detoasted);

	if (dim != index->layout.dim)
		ereport(ERROR, (errcode(ERRCODE_DATA_EXCEPTION), errmsg("expected %d dimensions, not %d", index->layout.dim, dim)));
	if (index->type->codec == VDB_CODEC_NONE)
		value->rotated = vdb_quant_rotate(&index->rotation, index->layout.metric,
										  index->type->elements(detoasted, value->elements),
										  value->x);
	else
	{
		VdbRotated	view = index->type->view(detoasted);

		value->rotated = vdb_quant_prepare(&index->layout, &view,
										   vdb_palloc_array(float, Max(view.count, 1)));
	}
	if (index->layout.metric == VDB_METRIC_COSINE && value->rotated.norm == 0)
		return false;
	vdb_quant_encode_vector(&index->layout, index->kernels, &value->rotated, value->stored);
	return true;
}
