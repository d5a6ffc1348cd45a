/*-------------------------------------------------------------------------
 *
 * type.c
 *	  What the index knows of element types and distances: support function 1
 *	  of each operator class.
 *
 * An element type joins the index with two functions that read its values, and
 * for each of its metrics one entry of types[], one SQL function that returns
 * it, and the operator class.  See README.md, "Operator classes".
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "hnsw/type.h"
#include "sparse/sparse.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/regproc.h"
#include "utils/syscache.h"
#include "utils/varbit.h"

static const HnswType *type_of(FmgrInfo *function, Oid type_oid);
static bool is_named(Oid type_oid, const char *name);
static int	dense_dim(Datum value);
static const float *vector_elements(Datum value, float *buffer);
static const float *halfvec_elements(Datum value, float *buffer);
static int	sparse_dim(Datum value);
static VdbRotated sparse_view(Datum value);
static int	bit_dim(Datum value);
static VdbRotated bit_view(Datum value);

typedef enum HnswTypeId
{
	HNSW_VECTOR_L2,
	HNSW_VECTOR_IP,
	HNSW_VECTOR_COSINE,
	HNSW_VECTOR_L1,
	HNSW_HALFVEC_L2,
	HNSW_HALFVEC_IP,
	HNSW_HALFVEC_COSINE,
	HNSW_HALFVEC_L1,
	HNSW_SPARSE_L2,
	HNSW_SPARSE_IP,
	HNSW_SPARSE_COSINE,
	HNSW_SPARSE_L1,
	HNSW_BIT_HAMMING,
	HNSW_BIT_JACCARD,
	HNSW_NTYPES
} HnswTypeId;

#define VECTOR_TYPE(m) \
	{.type_name = "vector", .metric = (m), .max_dim = VDB_VECTOR_MAX_DIM, \
	 .other_dim = "different vector dimensions %d and %d", \
	 .dim = dense_dim, .elements = vector_elements}

#define HALFVEC_TYPE(m) \
	{.type_name = "halfvec", .metric = (m), .max_dim = VDB_VECTOR_MAX_DIM, \
	 .other_dim = "different halfvec dimensions %d and %d", \
	 .dim = dense_dim, .elements = halfvec_elements}

#define SPARSE_TYPE(m) \
	{.type_name = "sparsevec", .metric = (m), .codec = VDB_CODEC_SPARSE, \
	 .max_dim = VDB_SPARSE_MAX_DIM, \
	 .other_dim = "different sparsevec dimensions %d and %d", \
	 .dim = sparse_dim, .view = sparse_view}

/* pgvector's limit: eight pages of the table for a value */
#define BIT_MAX_DIM 64000

#define BIT_TYPE(m) \
	{.type_name = "bit", .metric = (m), .codec = VDB_CODEC_BITS, .max_dim = BIT_MAX_DIM, \
	 .other_dim = "different bit lengths %d and %d", \
	 .dim = bit_dim, .view = bit_view}

static const HnswType types[HNSW_NTYPES] = {
	[HNSW_VECTOR_L2] = VECTOR_TYPE(VDB_METRIC_L2),
	[HNSW_VECTOR_IP] = VECTOR_TYPE(VDB_METRIC_IP),
	[HNSW_VECTOR_COSINE] = VECTOR_TYPE(VDB_METRIC_COSINE),
	[HNSW_VECTOR_L1] = VECTOR_TYPE(VDB_METRIC_L1),
	[HNSW_HALFVEC_L2] = HALFVEC_TYPE(VDB_METRIC_L2),
	[HNSW_HALFVEC_IP] = HALFVEC_TYPE(VDB_METRIC_IP),
	[HNSW_HALFVEC_COSINE] = HALFVEC_TYPE(VDB_METRIC_COSINE),
	[HNSW_HALFVEC_L1] = HALFVEC_TYPE(VDB_METRIC_L1),
	[HNSW_SPARSE_L2] = SPARSE_TYPE(VDB_METRIC_L2),
	[HNSW_SPARSE_IP] = SPARSE_TYPE(VDB_METRIC_IP),
	[HNSW_SPARSE_COSINE] = SPARSE_TYPE(VDB_METRIC_COSINE),
	[HNSW_SPARSE_L1] = SPARSE_TYPE(VDB_METRIC_L1),
	[HNSW_BIT_HAMMING] = BIT_TYPE(VDB_METRIC_HAMMING),
	[HNSW_BIT_JACCARD] = BIT_TYPE(VDB_METRIC_JACCARD),
};

/*
 * SQL: support function 1 of vector_l2_ops, (internal) RETURNS internal.  The
 * argument has no meaning: SQL demands one of a function that returns internal,
 * so that nobody can call it by hand.
 */
PG_FUNCTION_INFO_V1(vdb_hnsw_vector_l2);
Datum
vdb_hnsw_vector_l2(PG_FUNCTION_ARGS)
{
	PG_RETURN_POINTER(&types[HNSW_VECTOR_L2]);
}

/* SQL: support function 1 of vector_ip_ops */
PG_FUNCTION_INFO_V1(vdb_hnsw_vector_ip);
Datum
vdb_hnsw_vector_ip(PG_FUNCTION_ARGS)
{
	PG_RETURN_POINTER(&types[HNSW_VECTOR_IP]);
}

/* SQL: support function 1 of vector_cosine_ops */
PG_FUNCTION_INFO_V1(vdb_hnsw_vector_cosine);
Datum
vdb_hnsw_vector_cosine(PG_FUNCTION_ARGS)
{
	PG_RETURN_POINTER(&types[HNSW_VECTOR_COSINE]);
}

/* SQL: support function 1 of vector_l1_ops */
PG_FUNCTION_INFO_V1(vdb_hnsw_vector_l1);
Datum
vdb_hnsw_vector_l1(PG_FUNCTION_ARGS)
{
	PG_RETURN_POINTER(&types[HNSW_VECTOR_L1]);
}

/* SQL: support function 1 of sparsevec_l2_ops */
PG_FUNCTION_INFO_V1(vdb_hnsw_sparse_l2);
Datum
vdb_hnsw_sparse_l2(PG_FUNCTION_ARGS)
{
	PG_RETURN_POINTER(&types[HNSW_SPARSE_L2]);
}

/* SQL: support function 1 of sparsevec_ip_ops */
PG_FUNCTION_INFO_V1(vdb_hnsw_sparse_ip);
Datum
vdb_hnsw_sparse_ip(PG_FUNCTION_ARGS)
{
	PG_RETURN_POINTER(&types[HNSW_SPARSE_IP]);
}

/* SQL: support function 1 of sparsevec_cosine_ops */
PG_FUNCTION_INFO_V1(vdb_hnsw_sparse_cosine);
Datum
vdb_hnsw_sparse_cosine(PG_FUNCTION_ARGS)
{
	PG_RETURN_POINTER(&types[HNSW_SPARSE_COSINE]);
}

/* SQL: support function 1 of sparsevec_l1_ops */
PG_FUNCTION_INFO_V1(vdb_hnsw_sparse_l1);
Datum
vdb_hnsw_sparse_l1(PG_FUNCTION_ARGS)
{
	PG_RETURN_POINTER(&types[HNSW_SPARSE_L1]);
}

/* SQL: support function 1 of bit_hamming_ops */
PG_FUNCTION_INFO_V1(vdb_hnsw_bit_hamming);
Datum
vdb_hnsw_bit_hamming(PG_FUNCTION_ARGS)
{
	PG_RETURN_POINTER(&types[HNSW_BIT_HAMMING]);
}

/* SQL: support function 1 of bit_jaccard_ops */
PG_FUNCTION_INFO_V1(vdb_hnsw_bit_jaccard);
Datum
vdb_hnsw_bit_jaccard(PG_FUNCTION_ARGS)
{
	PG_RETURN_POINTER(&types[HNSW_BIT_JACCARD]);
}

/* SQL: support function 1 of halfvec_l2_ops */
PG_FUNCTION_INFO_V1(vdb_hnsw_halfvec_l2);
Datum
vdb_hnsw_halfvec_l2(PG_FUNCTION_ARGS)
{
	PG_RETURN_POINTER(&types[HNSW_HALFVEC_L2]);
}

/* SQL: support function 1 of halfvec_ip_ops */
PG_FUNCTION_INFO_V1(vdb_hnsw_halfvec_ip);
Datum
vdb_hnsw_halfvec_ip(PG_FUNCTION_ARGS)
{
	PG_RETURN_POINTER(&types[HNSW_HALFVEC_IP]);
}

/* SQL: support function 1 of halfvec_cosine_ops */
PG_FUNCTION_INFO_V1(vdb_hnsw_halfvec_cosine);
Datum
vdb_hnsw_halfvec_cosine(PG_FUNCTION_ARGS)
{
	PG_RETURN_POINTER(&types[HNSW_HALFVEC_COSINE]);
}

/* SQL: support function 1 of halfvec_l1_ops */
PG_FUNCTION_INFO_V1(vdb_hnsw_halfvec_l1);
Datum
vdb_hnsw_halfvec_l1(PG_FUNCTION_ARGS)
{
	PG_RETURN_POINTER(&types[HNSW_HALFVEC_L1]);
}

/* HnswType.dim of vector and halfvec; a value that is not detoasted costs a copy. */
static int
dense_dim(Datum value)
{
	return DatumGetVdbDense(value)->dim;
}

/* HnswType.elements of vector: they are float32s as they stand. */
static const float *
vector_elements(Datum value, float *buffer)
{
	return DatumGetVdbVector(value)->x;
}

/* HnswType.elements of halfvec */
static const float *
halfvec_elements(Datum value, float *buffer)
{
	const VdbHalfvec *v = DatumGetVdbHalfvec(value);

	for (int i = 0; i < v->dim; i++)
		buffer[i] = vdb_half_to_float(v->x[i]);
	return buffer;
}

/* HnswType.dim of sparsevec */
static int
sparse_dim(Datum value)
{
	return DatumGetVdbSparse(value)->dim;
}

/* HnswType.view of sparsevec */
static VdbRotated
sparse_view(Datum value)
{
	VdbSparseElements elements = vdb_sparse_elements(DatumGetVdbSparse(value));
	VdbRotated	result = {0};

	result.count = elements.count;
	result.indices = elements.indices;
	result.x = elements.values;
	return result;
}

/* HnswType.dim of bit */
static int
bit_dim(Datum value)
{
	return VARBITLEN(DatumGetVarBitP(value));
}

/* HnswType.view of bit */
static VdbRotated
bit_view(Datum value)
{
	VdbRotated	result = {0};

	result.bits = VARBITS(DatumGetVarBitP(value));
	return result;
}

/*
 * The type of an index's column, in static memory.
 */
const HnswType *
vdb_hnsw_type(Relation relation)
{
	FmgrInfo   *function = index_getprocinfo(relation, 1, HNSW_TYPE_PROC);
	const HnswType *type = type_of(function, relation->rd_opcintype[0]);

	if (type == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_OBJECT_DEFINITION),
				 errmsg("operator class of index \"%s\" has no usable support function %d",
						RelationGetRelationName(relation), HNSW_TYPE_PROC),
				 errdetail("Function %s does not describe the type %s to access method hnsw.",
						   format_procedure(function->fn_oid),
						   format_type_be(relation->rd_opcintype[0])),
				 errhint("Use one of the operator classes of the extension vecdb.")));
	return type;
}

/*
 * What a function, used as support function 1 for a type, says; NULL if it
 * cannot be one.
 */
const HnswType *
vdb_hnsw_type_of_function(Oid function, Oid type)
{
	FmgrInfo	info;

	fmgr_info(function, &info);
	return type_of(&info, type);
}

/* The name of the operator that goes with a type's metric. */
const char *
vdb_hnsw_operator_name(const HnswType *type)
{
	static const char *const names[] = {
		[VDB_METRIC_L2] = "<->",
		[VDB_METRIC_IP] = "<#>",
		[VDB_METRIC_COSINE] = "<=>",
		[VDB_METRIC_L1] = "<+>",
		[VDB_METRIC_HAMMING] = "<~>",
		[VDB_METRIC_JACCARD] = "<%>",
	};

	return names[type->metric];
}

/*
 * Asks a support function.  An operator class is whatever a superuser says it
 * is, so no function is called that has another signature, nothing that one
 * returns is looked into before it is known to be ours, and it must be for
 * the type whose values it would read.
 */
static const HnswType *
type_of(FmgrInfo *function, Oid type_oid)
{
	/* zeroes: a support function of another kind sees no request it knows */
	uint64		no_request[8] = {0};
	Datum		result;

	/* returning internal takes an argument of that type, so one is it */
	if (function->fn_nargs != 1 || get_func_rettype(function->fn_oid) != INTERNALOID)
		return NULL;

	result = FunctionCall1(function, PointerGetDatum(no_request));
	for (int i = 0; i < HNSW_NTYPES; i++)
	{
		if (DatumGetPointer(result) == (const void *) &types[i])
			return is_named(type_oid, types[i].type_name) ? &types[i] : NULL;
	}
	return NULL;
}

/* Is it the name of the type, in whatever schema? */
static bool
is_named(Oid type_oid, const char *name)
{
	HeapTuple	tuple = SearchSysCache1(TYPEOID, ObjectIdGetDatum(type_oid));
	bool		result;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for type %u", type_oid);
	result = strcmp(NameStr(((Form_pg_type) GETSTRUCT(tuple))->typname), name) == 0;
	ReleaseSysCache(tuple);
	return result;
}
