/*-------------------------------------------------------------------------
 *
 * points.c
 *	  vecdb.parse_points(): the points of an upsert, from JSON text to rows.
 *
 * Rows come out in the order of their ids, so that concurrent upserts lock
 * them in one order and cannot deadlock; sorting also finds duplicates.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "collection/json_reader.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/memutils.h"

PG_FUNCTION_INFO_V1(vdb_parse_points);

#define POINT_EXAMPLE \
	"A point is {\"id\": \"...\", \"vector\": [...], \"metadata\": {...}}; positions count from 0."

/* A btree page must hold three ids; the rest of its limit is room to spare. */
#define MAX_ID_BYTES 1024

enum PointField
{
	POINT_ID,
	POINT_VECTOR,
	POINT_METADATA
};

typedef struct Point
{
	char	   *id;
	int			index;			/* position in the list, from 0 */
	VdbVector  *vector;
	Datum		metadata;		/* jsonb */
} Point;

typedef struct PointList
{
	Point	   *points;
	int			npoints;
	int			capacity;
	MemoryContext scratch;		/* for one metadata document */
} PointList;

static void read_body(VdbJsonReader *r, PointList *list, int dim);
static void read_points(VdbJsonReader *r, PointList *list, int dim);
static void read_point(VdbJsonReader *r, Point *point, int dim,
					   MemoryContext scratch);
static char *read_id(VdbJsonReader *r);
static Datum read_metadata(VdbJsonReader *r, MemoryContext scratch);
static Datum parse_jsonb(char *json, MemoryContext scratch);
static int	compare_points(const void *a, const void *b);
static void sort_points(VdbJsonReader *r, PointList *list);

/*
 * vecdb.parse_points(points json, dimension integer)
 * returns table (id text, embedding vector, metadata jsonb)
 *
 * points is the list of points or an object whose one field "points" is that
 * list, the body of an HTTP request.  Errors out at the first fault, naming
 * the point's position and the field.
 */
Datum
vdb_parse_points(PG_FUNCTION_ARGS)
{
	int			dim = PG_GETARG_INT32(1);
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	VdbJsonReader reader;
	PointList	list;
	int			i;

	vdb_dense_check_dim(VDB_VECTOR, dim);
	InitMaterializedSRF(fcinfo, 0);

	vdb_json_open(&reader, PG_GETARG_TEXT_PP(0), POINT_EXAMPLE);
	memset(&list, 0, sizeof(list));
	list.scratch = AllocSetContextCreate(CurrentMemoryContext,
										 "vecdb point", ALLOCSET_DEFAULT_SIZES);
	PG_TRY();
	{
		read_body(&reader, &list, dim);
		vdb_json_close(&reader);
	}
	PG_CATCH();
	{
		vdb_json_rethrow(&reader);
	}
	PG_END_TRY();
	sort_points(&reader, &list);

	for (i = 0; i < list.npoints; i++)
	{
		Datum		values[3];
		bool		nulls[3] = {false, false, false};

		CHECK_FOR_INTERRUPTS();
		values[0] = CStringGetTextDatum(list.points[i].id);
		values[1] = PointerGetDatum(list.points[i].vector);
		values[2] = list.points[i].metadata;
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
	return (Datum) 0;
}

/*
 * Reads the list itself or the object around it.
 */
static void
read_body(VdbJsonReader *r, PointList *list, int dim)
{
	bool		started = false;
	uint32		seen = 0;

	if (r->lex->token_type != JSON_TOKEN_OBJECT_START)
	{
		read_points(r, list, dim);
		return;
	}
	while (vdb_json_next_field(r, &started))
	{
		if (strcmp(r->key, "points") != 0)
			vdb_json_unknown_field(r);
		vdb_json_mark_field(r, &seen, 0);
		read_points(r, list, dim);
	}
	if (seen == 0)
		vdb_json_missing_field(r, "points");
}

/*
 * Reads the list of points and appends them to list.
 */
static void
read_points(VdbJsonReader *r, PointList *list, int dim)
{
	bool		started = false;

	r->list = "points";
	r->index = -1;
	r->key = NULL;
	while (vdb_json_next_element(r, &started))
	{
		CHECK_FOR_INTERRUPTS();
		if (list->npoints == list->capacity)
		{
			list->capacity = Max(64, list->capacity * 2);
			if (list->points == NULL)
				list->points = palloc_extended(sizeof(Point) * (Size) list->capacity,
											   MCXT_ALLOC_HUGE);
			else
				list->points = repalloc_huge(list->points,
											 sizeof(Point) * (Size) list->capacity);
		}
		r->index = list->npoints;
		read_point(r, &list->points[list->npoints], dim, list->scratch);
		list->npoints++;
		r->key = NULL;
	}
	r->list = NULL;
}

/*
 * Reads one point.  metadata may be left out and is {} then.
 */
static void
read_point(VdbJsonReader *r, Point *point, int dim, MemoryContext scratch)
{
	bool		started = false;
	uint32		seen = 0;

	memset(point, 0, sizeof(*point));
	point->index = r->index;
	while (vdb_json_next_field(r, &started))
	{
		if (strcmp(r->key, "id") == 0)
		{
			vdb_json_mark_field(r, &seen, POINT_ID);
			point->id = read_id(r);
		}
		else if (strcmp(r->key, "vector") == 0)
		{
			vdb_json_mark_field(r, &seen, POINT_VECTOR);
			point->vector = vdb_json_read_vector(r, dim);
		}
		else if (strcmp(r->key, "metadata") == 0)
		{
			vdb_json_mark_field(r, &seen, POINT_METADATA);
			point->metadata = read_metadata(r, scratch);
		}
		else
			vdb_json_unknown_field(r);
	}
	if (point->id == NULL)
		vdb_json_missing_field(r, "id");
	if (point->vector == NULL)
		vdb_json_missing_field(r, "vector");
	if (!(seen & (1 << POINT_METADATA)))
		point->metadata = parse_jsonb(pstrdup("{}"), scratch);
}

static char *
read_id(VdbJsonReader *r)
{
	char	   *id = vdb_json_read_string(r);
	Size		len = strlen(id);

	if (len < 1 || len > MAX_ID_BYTES)
		vdb_json_error(r, ERRCODE_INVALID_PARAMETER_VALUE,
					   "must have 1 to %d bytes, not %zu", MAX_ID_BYTES, len);
	return id;
}

static Datum
read_metadata(VdbJsonReader *r, MemoryContext scratch)
{
	char	   *json = vdb_json_read_slice(r, JSON_TOKEN_OBJECT_START,
										   "a JSON object");
	Datum		result = parse_jsonb(json, scratch);

	pfree(json);
	return result;
}

/*
 * jsonb from its text, in the current context; what building it needs is
 * freed.
 */
static Datum
parse_jsonb(char *json, MemoryContext scratch)
{
	MemoryContext caller = MemoryContextSwitchTo(scratch);
	Datum		built = DirectFunctionCall1(jsonb_in, CStringGetDatum(json));
	struct varlena *result;

	MemoryContextSwitchTo(caller);
	result = palloc(VARSIZE_ANY(DatumGetPointer(built)));
	memcpy(result, DatumGetPointer(built), VARSIZE_ANY(DatumGetPointer(built)));
	MemoryContextReset(scratch);
	return PointerGetDatum(result);
}

/*
 * The order of ids is their column's, COLLATE "C"; equal ids stay in the
 * order of the list.
 */
static int
compare_points(const void *a, const void *b)
{
	const Point *left = a;
	const Point *right = b;
	int			cmp = strcmp(left->id, right->id);

	return cmp != 0 ? cmp : left->index - right->index;
}

/*
 * Sorts the points by id and errors out if two have the same one.
 */
static void
sort_points(VdbJsonReader *r, PointList *list)
{
	int			i;

	if (list->npoints > 1)
		qsort(list->points, (size_t) list->npoints, sizeof(Point),
			  compare_points);
	for (i = 1; i < list->npoints; i++)
	{
		if (strcmp(list->points[i - 1].id, list->points[i].id) == 0)
		{
			r->list = "points";
			r->index = list->points[i].index;
			r->key = "id";
			vdb_json_error(r, ERRCODE_INVALID_PARAMETER_VALUE,
						   "\"%s\" is the id of points[%d], too",
						   list->points[i].id, list->points[i - 1].index);
		}
	}
}
