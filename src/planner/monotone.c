/*-------------------------------------------------------------------------
 *
 * monotone.c
 *	  Arithmetic around a distance that keeps or reverses its order.
 *
 * People sort by similarity, ORDER BY 1 - (a <=> b) DESC, and limit it,
 * WHERE 1 - (a <=> b) > 0.8.  Addition, subtraction, multiplication and
 * division with constants are monotonic in floating point as they are on paper,
 * since rounding is: what was less is not greater afterwards.  It may be equal,
 * which no order minds.  Overflow is an error in PostgreSQL, and NaN stays NaN.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <float.h>
#include <math.h>

#include "catalog/pg_type.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "planner/path.h"
#include "utils/fmgroids.h"

/*
 * Share of the operands by which a limit that went through a step is moved
 * outwards.  Each of its two roundings errs by 1.1e-16 of the result, which may
 * be smaller than the operands but not greater than their sum.
 */
#define ROUNDING 1.0e-15

/* Beyond these, undoing a step might overflow */
#define MAX_VALUE 1.0e100
#define MIN_VALUE 1.0e-100

static bool peel_step(VdbMonotone *monotone);
static bool find_call(Expr *expr, Oid *function, List **args);
static bool find_number(Expr *expr, double *value);
static bool reverses(const VdbArith *step);
static Expr *undo_step(const VdbArith *step, Expr *value, bool is_upper);
static Expr *undo_step_now(const VdbArith *step, const Const *con, bool is_upper);
static Expr *call(Oid function, Expr *left, Expr *right);
static Expr *make_number(double value);

/*
 * Takes an expression apart, as far as it is arithmetic with constants.
 */
void
vdb_peel_steps(Expr *expr, VdbMonotone *monotone)
{
	monotone->number = expr;
	monotone->is_falling = false;
	monotone->nsteps = 0;
	while (peel_step(monotone))
		;
}

/*
 * Adds an innermost step.  False if there are too many.
 */
bool
vdb_push_step(VdbMonotone *monotone, VdbArithKind kind, double value)
{
	VdbArith   *step;

	if (monotone->nsteps == VDB_MAX_ARITH)
		return false;
	step = &monotone->steps[monotone->nsteps++];
	step->kind = kind;
	step->value = value;
	if (reverses(step))
		monotone->is_falling = !monotone->is_falling;
	return true;
}

/*
 * Does what a step makes fall with what it is given?
 */
static bool
reverses(const VdbArith *step)
{
	switch (step->kind)
	{
		case VDB_ARITH_NEGATE:
		case VDB_ARITH_SUBTRACT_FROM:
			return true;
		case VDB_ARITH_MULTIPLY:
		case VDB_ARITH_DIVIDE:
			return step->value < 0;
		case VDB_ARITH_ADD:
			break;
	}
	return false;
}

/*
 * A limit of the number, given that the expression's is value: an upper one
 * that is the expression's upper limit if it rises, else its lower one.  No
 * number above it passes.  NULL if it cannot be said without danger of an error
 * that the query does not have.
 */
Expr *
vdb_undo_steps(const VdbMonotone *monotone, Expr *value)
{
	bool		is_upper = !monotone->is_falling;

	for (int i = 0; i < monotone->nsteps && value != NULL; i++)
	{
		const VdbArith *step = &monotone->steps[i];

		if (reverses(step))
			is_upper = !is_upper;
		value = undo_step(step, value, is_upper);
	}
	Assert(value == NULL || is_upper);
	return value;
}

/*
 * Takes off one step.  False if there is none.
 */
static bool
peel_step(VdbMonotone *monotone)
{
	Oid			function;
	List	   *args;
	Expr	   *inner;
	double		value;
	bool		is_left;

	if (!find_call(monotone->number, &function, &args))
		return false;
	inner = linitial(args);
	if (function == F_FLOAT8UP || function == F_FLOAT8UM)
	{
		if (function == F_FLOAT8UM && !vdb_push_step(monotone, VDB_ARITH_NEGATE, 0))
			return false;
		monotone->number = inner;
		return true;
	}

	/* which of the two is the constant? */
	is_left = find_number(inner, &value);
	if (is_left)
		inner = lsecond(args);
	else if (!find_number(lsecond(args), &value))
		return false;

	switch (function)
	{
		case F_FLOAT8PL:
			if (!vdb_push_step(monotone, VDB_ARITH_ADD, value))
				return false;
			break;
		case F_FLOAT8MI:
			if (!vdb_push_step(monotone,
							   is_left ? VDB_ARITH_SUBTRACT_FROM : VDB_ARITH_ADD,
							   is_left ? value : -value))
				return false;
			break;
		case F_FLOAT8MUL:
			if (value == 0 || !vdb_push_step(monotone, VDB_ARITH_MULTIPLY, value))
				return false;
			break;
		case F_FLOAT8DIV:
			if (is_left || value == 0 || !vdb_push_step(monotone, VDB_ARITH_DIVIDE, value))
				return false;
			break;
		default:
			return false;
	}
	monotone->number = inner;
	return true;
}

/*
 * The function and the arguments of an operator or function of float8.
 */
static bool
find_call(Expr *expr, Oid *function, List **args)
{
	if (IsA(expr, OpExpr))
	{
		OpExpr	   *op = (OpExpr *) expr;

		set_opfuncid(op);
		*function = op->opfuncid;
		*args = op->args;
	}
	else if (IsA(expr, FuncExpr))
	{
		*function = ((FuncExpr *) expr)->funcid;
		*args = ((FuncExpr *) expr)->args;
	}
	else
		return false;

	switch (*function)
	{
		case F_FLOAT8UP:
		case F_FLOAT8UM:
			return list_length(*args) == 1;
		case F_FLOAT8PL:
		case F_FLOAT8MI:
		case F_FLOAT8MUL:
		case F_FLOAT8DIV:
			return list_length(*args) == 2;
		default:
			return false;
	}
}

/*
 * Is it a number that a step may have?
 */
static bool
find_number(Expr *expr, double *value)
{
	Const	   *con = (Const *) expr;

	if (!IsA(expr, Const) || con->constisnull || con->consttype != FLOAT8OID)
		return false;
	*value = DatumGetFloat8(con->constvalue);
	return isfinite(*value);
}

/*
 * What a number is that gives value in a step, moved up where limits from above
 * are sought, else down, so that rounding loses none.  NULL if that cannot be
 * said without danger of an error.
 */
static Expr *
undo_step(const VdbArith *step, Expr *value, bool is_upper)
{
	Expr	   *number;
	Expr	   *slack;
	double		con = step->value;
	double		size = fabs(con);

	if (IsA(value, Const))
		return undo_step_now(step, (Const *) value, is_upper);
	if (step->kind == VDB_ARITH_NEGATE)
		return call(F_FLOAT8UM, value, NULL);
	/* a product may overflow or underflow where the distance's does not */
	if (step->kind != VDB_ARITH_ADD && step->kind != VDB_ARITH_SUBTRACT_FROM)
		return NULL;
	if (con == 0 && step->kind == VDB_ARITH_ADD)
		return value;
	if (size < MIN_VALUE || size > MAX_VALUE)
		return NULL;

	if (step->kind == VDB_ARITH_ADD)
		number = call(F_FLOAT8MI, value, make_number(con));
	else
		number = call(F_FLOAT8MI, make_number(con), value);
	slack = call(F_FLOAT8PL, call(F_FLOAT8ABS, value, NULL), make_number(size));
	slack = call(F_FLOAT8MUL, slack, make_number(ROUNDING));
	return call(is_upper ? F_FLOAT8PL : F_FLOAT8MI, number, slack);
}

/*
 * undo_step() for a constant.
 */
static Expr *
undo_step_now(const VdbArith *step, const Const *con, bool is_upper)
{
	double		value;
	double		number = 0;
	double		slack = 0;

	if (con->constisnull)
		return (Expr *) con;
	value = DatumGetFloat8(con->constvalue);
	switch (step->kind)
	{
		case VDB_ARITH_NEGATE:
			return make_number(-value);
		case VDB_ARITH_ADD:
			number = value - step->value;
			slack = fabs(value) + fabs(step->value);
			break;
		case VDB_ARITH_SUBTRACT_FROM:
			number = step->value - value;
			slack = fabs(value) + fabs(step->value);
			break;
		case VDB_ARITH_MULTIPLY:
			number = value / step->value;
			slack = fabs(number);
			break;
		case VDB_ARITH_DIVIDE:
			number = value * step->value;
			slack = fabs(number);
			break;
	}
	/* denormal numbers have fewer digits than the slack is good for */
	slack = slack * ROUNDING + DBL_MIN;
	number += is_upper ? slack : -slack;
	return isfinite(number) ? make_number(number) : NULL;
}

/*
 * A call of a function of float8; right is NULL if it takes one argument.
 */
static Expr *
call(Oid function, Expr *left, Expr *right)
{
	List	   *args = right != NULL ? list_make2(left, right) : list_make1(left);

	return (Expr *) makeFuncExpr(function, FLOAT8OID, args, InvalidOid, InvalidOid,
								 COERCE_EXPLICIT_CALL);
}

static Expr *
make_number(double value)
{
	return (Expr *) makeConst(FLOAT8OID, -1, InvalidOid, sizeof(float8),
							  Float8GetDatum(value), false, FLOAT8PASSBYVAL);
}
