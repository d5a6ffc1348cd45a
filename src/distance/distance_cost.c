/*-------------------------------------------------------------------------
 *
 * distance_cost.c
 *	  Planner support function of the distance functions: what a call costs.
 *
 * One cpu_operator_cost for every distance would make the planner think that
 * scanning 200 MB of vectors is not worth a second process.  The cost of a
 * call grows with the number of dimensions, and by far the most expensive
 * part, when there is one, is fetching a value that is stored out of line.
 * The constants were measured in units of a simple operator; README.md has
 * the figures.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/detoast.h"
#include "access/heaptoast.h"
#include "distance/distance.h"
#include "nodes/nodeFuncs.h"
#include "nodes/pathnodes.h"
#include "nodes/supportnodes.h"
#include "optimizer/optimizer.h"
#include "optimizer/cost.h"
#include "parser/parsetree.h"
#include "utils/lsyscache.h"

/* Multiples of cpu_operator_cost */
#define COST_CALL 8.0
#define COST_PER_DIMENSION 0.06
#define COST_DETOAST 200.0
#define COST_DETOAST_PER_BYTE 0.0625

/* Dimensions assumed where nothing tells: a common sentence model's */
#define DEFAULT_DIM 384

/* Bytes of a TOAST pointer in a column, as ANALYZE counts them */
#define TOASTED_WIDTH TOAST_POINTER_SIZE

/*
 * The number of dimensions of a value of so many bytes.
 */
static int
size_dim(VdbDenseType type, Size size)
{
	return (int) ((size - offsetof(VdbDense, x)) / vdb_dense_element_size(type));
}

/*
 * The number of dimensions of an argument, 0 if unknown.
 */
static int
arg_dim(VdbDenseType type, Node *arg)
{
	int32		typmod;

	if (IsA(arg, Const))
	{
		Const	   *con = (Const *) arg;

		if (con->constisnull)
			return 0;
		return size_dim(type, toast_raw_datum_size(con->constvalue));
	}
	typmod = exprTypmod(arg);
	return typmod > 0 ? typmod : 0;
}

/*
 * The average stored width of an argument that is a table's column, else 0.
 */
static int
arg_width(PlannerInfo *root, Node *arg)
{
	Var		   *var = (Var *) arg;
	RangeTblEntry *rte;

	if (root == NULL || !IsA(arg, Var) ||
		var->varlevelsup != 0 || IS_SPECIAL_VARNO(var->varno) ||
		var->varno >= root->simple_rel_array_size)
		return 0;
	rte = planner_rt_fetch(var->varno, root);
	if (rte == NULL || rte->rtekind != RTE_RELATION)
		return 0;
	return get_attavgwidth(rte->relid, var->varattno);
}

/*
 * The fraction of an argument's values that must be fetched from a TOAST
 * table: 0 for anything but a column.  Between all inline (width = size) and
 * all out of line (width = that of a pointer) the average width tells the mix.
 * Without statistics, what TOAST does by default.
 */
static double
arg_toasted_fraction(PlannerInfo *root, Node *arg, double size)
{
	int			width;

	if (!IsA(arg, Var) || size <= TOASTED_WIDTH)
		return 0;
	width = arg_width(root, arg);
	if (width <= 0)
		return size > TOAST_TUPLE_TARGET ? 1 : 0;
	if (width >= size - 3)		/* what a short header saves */
		return 0;
	return Min(1, (size - width) / (size - TOASTED_WIDTH));
}

/*
 * The number of dimensions of a call: what one argument says holds for both.
 * A column without type modifier tells by its width, unless it is toasted.
 */
static int
call_dim(PlannerInfo *root, VdbDenseType type, List *args)
{
	int			dim = 0;
	ListCell   *lc;

	foreach(lc, args)
		dim = Max(dim, arg_dim(type, (Node *) lfirst(lc)));
	if (dim > 0)
		return dim;

	foreach(lc, args)
	{
		int			width = arg_width(root, (Node *) lfirst(lc));

		if (width > TOASTED_WIDTH)
			dim = Max(dim, size_dim(type, (Size) width));
	}
	return dim > 0 ? dim : DEFAULT_DIM;
}

/*
 * The cost of one evaluation, as a multiple of cpu_operator_cost.
 */
static double
call_cost(PlannerInfo *root, VdbDenseType type, Node *call)
{
	List	   *args = NIL;
	int			dim;
	double		element_size = vdb_dense_element_size(type);
	double		size;
	double		cost;
	ListCell   *lc;

	if (call != NULL && IsA(call, OpExpr))
		args = ((OpExpr *) call)->args;
	else if (call != NULL && IsA(call, FuncExpr))
		args = ((FuncExpr *) call)->args;

	dim = call_dim(root, type, args);
	size = vdb_dense_size(type, dim);
	cost = COST_CALL + dim * COST_PER_DIMENSION;
	foreach(lc, args)
		cost += arg_toasted_fraction(root, (Node *) lfirst(lc), size) *
			(COST_DETOAST + dim * element_size * COST_DETOAST_PER_BYTE);
	return cost;
}

/*
 * Answers SupportRequestCost and leaves every other request to the planner.
 */
static Datum
answer(FunctionCallInfo fcinfo, VdbDenseType type)
{
	Node	   *request = (Node *) PG_GETARG_POINTER(0);

	if (IsA(request, SupportRequestCost))
	{
		SupportRequestCost *req = (SupportRequestCost *) request;

		req->startup = 0;
		req->per_tuple = call_cost(req->root, type, req->node) * cpu_operator_cost;
		PG_RETURN_POINTER(req);
	}
	PG_RETURN_POINTER(NULL);
}

PG_FUNCTION_INFO_V1(vdb_vector_distance_support);
Datum
vdb_vector_distance_support(PG_FUNCTION_ARGS)
{
	return answer(fcinfo, VDB_VECTOR);
}

PG_FUNCTION_INFO_V1(vdb_halfvec_distance_support);
Datum
vdb_halfvec_distance_support(PG_FUNCTION_ARGS)
{
	return answer(fcinfo, VDB_HALFVEC);
}
