/*-------------------------------------------------------------------------
 *
 * registry.c
 *	  Which table is a collection, and what the caller may do with it.
 *
 * vecdb.collections says that a collection is the table vecdb_data.c_<id>.
 * Rights on it are the caller's rights on that table.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/namespace.h"
#include "collection/registry.h"
#include "collection/statement.h"
#include "executor/spi.h"
#include "funcapi.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

PG_FUNCTION_INFO_V1(vdb_find_collection_sql);

#define DATA_SCHEMA "vecdb_data"

/* A message does not quote more of what it was given. */
#define MAX_QUOTED 100

static const char *const distance_names[] = {
	[VDB_COLLECTION_COSINE] = "cosine",
	[VDB_COLLECTION_EUCLIDEAN] = "euclidean",
	[VDB_COLLECTION_DOT] = "dot"
};

/* The privileges by their names, as has_table_privilege() knows them */
static const struct
{
	const char *name;
	AclMode		mode;
} privileges[] = {
	{"SELECT", ACL_SELECT},
	{"INSERT", ACL_INSERT},
	{"DELETE", ACL_DELETE},
	{"SELECT, INSERT, UPDATE, DELETE", VDB_ANY_PRIVILEGE}
};

static bool read_registry(text *name, bool read_only, VdbCollection *collection);
static VdbCollectionDistance parse_distance(const char *name);
static Oid	find_table(int64 id, LOCKMODE mode);
static bool has_any_privilege(Oid table, AclMode mode);
static const char *privilege_name(AclMode mode);
static AclMode parse_privilege(const char *name);
pg_noreturn static void unknown_collection(const char *name);

/*
 * Finds the collection that has a name, for somebody who has any of the
 * privileges in a mask.  Errors out if there is none, and for a role without
 * any right on it there is none, or if the role lacks the privilege.  Takes no
 * lock on the table, which may be gone by now: see vdb_lock_collection().
 *
 * SPI is connected.  read_only as for SPI_execute_plan().
 */
void
vdb_find_collection(text *name, AclMode privilege, bool read_only,
					VdbCollection *collection)
{
	if (name == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("collection: must not be null")));

	collection->name = text_to_cstring(name);
	collection->table = InvalidOid;
	if (read_registry(name, read_only, collection))
		collection->table = find_table(collection->id, NoLock);
	if (!OidIsValid(collection->table) ||
		!has_any_privilege(collection->table, VDB_ANY_PRIVILEGE))
		unknown_collection(collection->name);
	if (!has_any_privilege(collection->table, privilege))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied for collection \"%s\"", collection->name),
				 errdetail("The role \"%s\" lacks the privilege %s.",
						   GetUserNameFromId(GetUserId(), false), privilege_name(privilege))));
}

/*
 * Locks the table of a collection that was found, to the end of the
 * transaction: from here on it stays what it is.  Errors out if another
 * session has dropped it in the meantime.
 */
void
vdb_lock_collection(VdbCollection *collection, LOCKMODE mode)
{
	collection->table = find_table(collection->id, mode);
	if (!OidIsValid(collection->table))
		unknown_collection(collection->name);
}

/*
 * Raises the current error again, in a PG_CATCH block around a write to a
 * collection.  What says that permission is denied comes to speak of the
 * collection and not of its table.  context is the one outside of the block.
 */
void
vdb_rethrow_write_error(const VdbCollection *collection, MemoryContext context)
{
	ErrorData  *error;

	MemoryContextSwitchTo(context);
	error = CopyErrorData();
	if (error->sqlerrcode != ERRCODE_INSUFFICIENT_PRIVILEGE)
	{
		FreeErrorData(error);
		PG_RE_THROW();
	}
	FlushErrorState();

	error->message = psprintf("permission denied for collection \"%s\"", collection->name);
	error->detail = pstrdup("Writing needs the privileges SELECT, INSERT, UPDATE and DELETE, "
							"and the consent of the row-level security policies, if there are any.");
	error->hint = NULL;
	error->context = NULL;
	error->schema_name = NULL;
	error->table_name = NULL;
	error->column_name = NULL;
	error->datatype_name = NULL;
	error->constraint_name = NULL;
	ReThrowError(error);
	pg_unreachable();
}

/*
 * Reads what the registry has under a name; false if that is nothing.
 */
static bool
read_registry(text *name, bool read_only, VdbCollection *collection)
{
	Datum		value = PointerGetDatum(name);
	bool		found;

	vdb_run_registry_query(value, read_only);
	found = SPI_processed > 0;
	if (found)
	{
		HeapTuple	tuple = SPI_tuptable->vals[0];
		TupleDesc	desc = SPI_tuptable->tupdesc;
		bool		isnull;

		collection->id = DatumGetInt64(SPI_getbinval(tuple, desc, 1, &isnull));
		collection->dimension = DatumGetInt32(SPI_getbinval(tuple, desc, 2, &isnull));
		collection->distance = parse_distance(SPI_getvalue(tuple, desc, 3));
	}
	SPI_freetuptable(SPI_tuptable);
	return found;
}

static VdbCollectionDistance
parse_distance(const char *name)
{
	int			i;

	for (i = 0; i < lengthof(distance_names); i++)
		if (strcmp(name, distance_names[i]) == 0)
			return (VdbCollectionDistance) i;
	elog(ERROR, "unrecognized distance in vecdb.collections: %s", name);
	return VDB_COLLECTION_COSINE;
}

/*
 * The table of the collection with a number, locked unless mode is NoLock;
 * InvalidOid if there is none.  Tables only: reading a view would run its
 * owner's functions with the rights of whoever searches.
 */
static Oid
find_table(int64 id, LOCKMODE mode)
{
	RangeVar   *name = makeRangeVar(DATA_SCHEMA, psprintf("c_" INT64_FORMAT, id), -1);
	Oid			table = RangeVarGetRelidExtended(name, mode, RVR_MISSING_OK, NULL, NULL);
	char		relkind = OidIsValid(table) ? get_rel_relkind(table) : '\0';

	if (relkind != RELKIND_RELATION && relkind != RELKIND_PARTITIONED_TABLE)
		return InvalidOid;
	return table;
}

/*
 * Has the caller any of some privileges on a table, which may be gone?
 */
static bool
has_any_privilege(Oid table, AclMode mode)
{
	bool		is_missing = false;

	return pg_class_aclcheck_ext(table, GetUserId(), mode, &is_missing) == ACLCHECK_OK &&
		!is_missing;
}

static const char *
privilege_name(AclMode mode)
{
	int			i;

	for (i = 0; i < lengthof(privileges); i++)
		if (privileges[i].mode == mode)
			return privileges[i].name;
	elog(ERROR, "unrecognized privileges of a collection: %u", (unsigned int) mode);
	return NULL;
}

static AclMode
parse_privilege(const char *name)
{
	int			i;

	for (i = 0; i < lengthof(privileges); i++)
		if (strcmp(privileges[i].name, name) == 0)
			return privileges[i].mode;
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("unrecognized privilege on a collection: \"%s\"", name)));
	return ACL_NO_RIGHTS;
}

static void
unknown_collection(const char *name)
{
	int			len = (int) strlen(name);

	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_TABLE),
			 errmsg("collection \"%.*s\" does not exist", pg_mbcharcliplen(name, len, MAX_QUOTED), name),
			 errhint("vecdb.list_collections() shows the collections that you may use.")));
	pg_unreachable();
}

/*
 * vecdb.find_collection(collection text, privilege text, out id bigint,
 * out dimension integer, out distance text, out tab text)
 */
Datum
vdb_find_collection_sql(PG_FUNCTION_ARGS)
{
	text	   *name = PG_ARGISNULL(0) ? NULL : PG_GETARG_TEXT_PP(0);
	AclMode		privilege = PG_ARGISNULL(1) ? VDB_ANY_PRIVILEGE :
										  parse_privilege(text_to_cstring(PG_GETARG_TEXT_PP(1)));
	VdbCollection collection;
	TupleDesc	tupdesc;
	Datum		values[4];
	bool		nulls[4] = {false};

	if (get_call_result_type(fcinfo, NULL, &tupdesc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");

	SPI_connect();
	vdb_find_collection(name, privilege, true, &collection);
	SPI_finish();

	values[0] = Int64GetDatum(collection.id);
	values[1] = Int32GetDatum(collection.dimension);
	values[2] = CStringGetTextDatum(distance_names[collection.distance]);
	values[3] = PointerGetDatum(cstring_to_text(psprintf(DATA_SCHEMA ".c_" INT64_FORMAT, collection.id)));
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(tupdesc), values, nulls)));
}
