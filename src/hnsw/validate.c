/*-------------------------------------------------------------------------
 *
 * validate.c
 *	  Operator classes: what must be in one, and what it gives an index.
 *
 * A family holds, for each of its types, operator 1, the distance by which
 * scans order, and support function 1, which says the same in C (type.c).
 * The two have to mean the same distance of the same type.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/amvalidate.h"
#include "access/htup_details.h"
#include "catalog/pg_am.h"
#include "catalog/pg_amop.h"
#include "catalog/pg_amproc.h"
#include "catalog/pg_opclass.h"
#include "catalog/pg_opfamily.h"
#include "catalog/pg_type.h"
#include "commands/defrem.h"
#include "hnsw/am.h"
#include "hnsw/index.h"
#include "hnsw/type.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/regproc.h"
#include "utils/syscache.h"

/* What is being validated; complaints are INFO messages, as in core's methods */
typedef struct Validation
{
	const char *family_name;
	Oid			sort_family;	/* btree's for double precision */
	bool		is_valid;
} Validation;

static char *name_of_family(Oid family);
static void check_function(Validation *validation, Form_pg_amproc proc);
static void check_operator(Validation *validation, Form_pg_amop operator);
static void check_groups(Validation *validation, Form_pg_opclass class,
						 CatCList *operators, CatCList *functions);
static void check_agreement(Validation *validation, Oid family, Oid type);

/*
 * amvalidate: says what is wrong with an operator class and its family.
 */
bool
vdb_hnsw_validate(Oid opclass)
{
	HeapTuple	tuple = SearchSysCache1(CLAOID, ObjectIdGetDatum(opclass));
	Form_pg_opclass class;
	CatCList   *operators;
	CatCList   *functions;
	Validation	validation = {.is_valid = true};

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for operator class %u", opclass);
	class = (Form_pg_opclass) GETSTRUCT(tuple);
	validation.family_name = name_of_family(class->opcfamily);
	validation.sort_family =
		get_opclass_family(GetDefaultOpClass(FLOAT8OID, BTREE_AM_OID));

	operators = SearchSysCacheList1(AMOPSTRATEGY, ObjectIdGetDatum(class->opcfamily));
	functions = SearchSysCacheList1(AMPROCNUM, ObjectIdGetDatum(class->opcfamily));

	for (int i = 0; i < functions->n_members; i++)
		check_function(&validation,
					   (Form_pg_amproc) GETSTRUCT(&functions->members[i]->tuple));
	for (int i = 0; i < operators->n_members; i++)
		check_operator(&validation,
					   (Form_pg_amop) GETSTRUCT(&operators->members[i]->tuple));
	check_groups(&validation, class, operators, functions);

	ReleaseCatCacheList(functions);
	ReleaseCatCacheList(operators);
	ReleaseSysCache(tuple);
	return validation.is_valid;
}

static char *
name_of_family(Oid family)
{
	HeapTuple	tuple = SearchSysCache1(OPFAMILYOID, ObjectIdGetDatum(family));
	char	   *result;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for operator family %u", family);
	result = pstrdup(NameStr(((Form_pg_opfamily) GETSTRUCT(tuple))->opfname));
	ReleaseSysCache(tuple);
	return result;
}

/* Reports a fault and goes on. */
static void
complain(Validation *validation, const char *message)
{
	ereport(INFO,
			(errcode(ERRCODE_INVALID_OBJECT_DEFINITION),
			 errmsg("operator family \"%s\" of access method hnsw %s",
					validation->family_name, message)));
	validation->is_valid = false;
}

/*
 * A support function: (internal) returns internal, for one type, number 1 (core
 * sees to the last unless catalogs were written by hand).
 */
static void
check_function(Validation *validation, Form_pg_amproc proc)
{
	const char *name = format_procedure(proc->amproc);

	if (proc->amproclefttype != proc->amprocrighttype)
		complain(validation,
				 psprintf("contains support function %s with different left and right input types",
						  name));
	if (proc->amprocnum != HNSW_TYPE_PROC)
		complain(validation,
				 psprintf("contains function %s with invalid support number %d",
						  name, proc->amprocnum));
	else if (!check_amproc_signature(proc->amproc, INTERNALOID, true, 1, 1, INTERNALOID))
		complain(validation,
				 psprintf("contains function %s with wrong signature for support number %d",
						  name, proc->amprocnum));
}

/*
 * An operator: a distance of two values of one type, in double precision,
 * by which scans order with the nearest first.
 */
static void
check_operator(Validation *validation, Form_pg_amop operator)
{
	const char *name = format_operator(operator->amopopr);

	if (operator->amopstrategy != HNSW_DISTANCE_STRATEGY)
		complain(validation,
				 psprintf("contains operator %s with invalid strategy number %d",
						  name, operator->amopstrategy));
	if (operator->amoppurpose != AMOP_ORDER)
		complain(validation,
				 psprintf("contains operator %s that is not for ordering", name));
	else if (operator->amopsortfamily != validation->sort_family)
		complain(validation,
				 psprintf("contains invalid ORDER BY specification for operator %s", name));
	if (operator->amoplefttype != operator->amoprighttype || !check_amop_signature(operator->amopopr, FLOAT8OID,
																									  operator->amoplefttype, operator->amoprighttype))
		complain(validation,
				 psprintf("contains operator %s with wrong signature", name));
}

/*
 * Every type has both members, the operator class's own first of all.
 */
static void
check_groups(Validation *validation, Form_pg_opclass class,
			 CatCList *operators, CatCList *functions)
{
	List	   *groups = identify_opfamily_groups(operators, functions);
	bool		has_own = false;
	ListCell   *lc;

	foreach(lc, groups)
	{
		OpFamilyOpFuncGroup *group = (OpFamilyOpFuncGroup *) lfirst(lc);
		char	   *type = format_type_be(group->lefttype);
		bool		has_operator =
			(group->operatorset & (UINT64CONST(1) << HNSW_DISTANCE_STRATEGY)) != 0;
		bool		has_function =
			(group->functionset & (UINT64CONST(1) << HNSW_TYPE_PROC)) != 0;

		/* said above */
		if (group->lefttype != group->righttype)
			continue;
		if (group->lefttype == class->opcintype)
			has_own = true;
		if (!has_operator)
			complain(validation,
					 psprintf("is missing operator %d for type %s",
							  HNSW_DISTANCE_STRATEGY, type));
		if (!has_function)
			complain(validation,
					 psprintf("is missing support function %d for type %s",
							  HNSW_TYPE_PROC, type));
		if (has_operator && has_function)
			check_agreement(validation, class->opcfamily, group->lefttype);
	}
	if (!has_own)
		complain(validation,
				 psprintf("has no members for type %s of operator class \"%s\"",
						  format_type_be(class->opcintype), NameStr(class->opcname)));
}

/*
 * The support function describes the type, and the operator's distance.
 */
static void
check_agreement(Validation *validation, Oid family, Oid type)
{
	Oid			function = get_opfamily_proc(family, type, type, HNSW_TYPE_PROC);
	Oid operator= get_opfamily_member(family, type, type,
									  HNSW_DISTANCE_STRATEGY);
	const char *operator_name = get_opname(operator);
	const HnswType *described;

	/* said above */
	if (!check_amproc_signature(function, INTERNALOID, true, 1, 1, INTERNALOID))
		return;
	described = vdb_hnsw_type_of_function(function, type);
	if (described == NULL)
		complain(validation,
				 psprintf("contains support function %s that does not describe type %s",
						  format_procedure(function), format_type_be(type)));
	else if (operator_name == NULL ||
			 strcmp(operator_name, vdb_hnsw_operator_name(described)) != 0)
		complain(validation,
				 psprintf("contains operator %s with support function %s, which is for operator %s",
						  format_operator(operator), format_procedure(function),
						  vdb_hnsw_operator_name(described)));
}

/*
 * amadjustmembers: refuses at once what no operator class of hnsw can have.
 * The default dependencies suit: members go with the operator class that
 * brought them, those of ALTER OPERATOR FAMILY ADD are loose.
 */
void
vdb_hnsw_adjust_members(Oid family, Oid opclass, List *operators, List *functions)
{
	ListCell   *lc;

	foreach(lc, operators)
	{
		OpFamilyMember *member = (OpFamilyMember *) lfirst(lc);

		if (!OidIsValid(member->sortfamily))
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_OBJECT_DEFINITION),
					 errmsg("access method hnsw does not support search operators"),
					 errdetail("Operator %s is not for ordering.",
							   format_operator(member->object)),
					 errhint("Use FOR ORDER BY float_ops with an operator that returns a distance.")));
	}
}

/*
 * amproperty: answers for pg_index_column_has_property(..., 'distance_orderable'),
 * which core leaves to the access method.
 */
bool
vdb_hnsw_property(Oid index, int attno, IndexAMProperty prop,
				  const char *name, bool *result, bool *isnull)
{
	Oid			opclass;
	Oid			family;
	Oid			type;

	if (prop != AMPROP_DISTANCE_ORDERABLE || attno == 0)
		return false;

	opclass = get_index_column_opclass(index, attno);
	if (!OidIsValid(opclass) ||
		!get_opclass_opfamily_and_input_type(opclass, &family, &type))
	{
		*isnull = true;
		return true;
	}
	*result = OidIsValid(get_opfamily_member(family, type, type, HNSW_DISTANCE_STRATEGY));
	return true;
}
