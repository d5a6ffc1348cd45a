/*-------------------------------------------------------------------------
 *
 * bitmap_path.c
 *	  The bitmap of the rows that satisfy a table's conditions.
 *
 * The planner knows best which indexes serve conditions, and how: partial ones,
 * arrays, ANDs and ORs, row comparisons, operators that may be used under
 * row-level security.  So we let it make a BitmapHeapPath, and take its bitmap.
 *
 * It has made one already, where there is one, but may have dropped it since a
 * path is cheaper that cannot replace the bitmap, such as a plain scan.  Then it
 * makes another, into an empty list.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "hnsw/hnsw.h"
#include "optimizer/cost.h"
#include "optimizer/paths.h"
#include "planner/path.h"

static BitmapHeapPath *find_path(const List *paths);
static List *make_paths(PlannerInfo *root, RelOptInfo *rel);

/*
 * The bitmap scan of a table's conditions, a copy of the caller's, which
 * add_path() cannot free.  NULL if no index serves them, or if the user does
 * not want bitmap scans.
 */
BitmapHeapPath *
vdb_find_bitmap(PlannerInfo *root, RelOptInfo *rel)
{
	BitmapHeapPath *path;
	BitmapHeapPath *copy;

	if (!enable_bitmapscan)
		return NULL;
	path = find_path(rel->pathlist);
	if (path == NULL)
		path = find_path(make_paths(root, rel));
	if (path == NULL)
		return NULL;

	copy = makeNode(BitmapHeapPath);
	*copy = *path;
	return copy;
}

/*
 * The bitmap scan that depends on no other table: there is at most one.
 */
static BitmapHeapPath *
find_path(const List *paths)
{
	ListCell   *lc;

	foreach(lc, paths)
	{
		Path	   *path = (Path *) lfirst(lc);

		if (IsA(path, BitmapHeapPath) && path->param_info == NULL)
			return (BitmapHeapPath *) path;
	}
	return NULL;
}

/*
 * Has the planner make the index paths of a table, of bitmaps only, and leaves
 * everything as it was.  (An error needs no care: it ends the planning.)
 *
 * Without joins there are no parameterized paths, without an order no scans
 * for its sake, and an index without amhasgettuple is used for bitmaps only.
 */
static List *
make_paths(PlannerInfo *root, RelOptInfo *rel)
{
	RelOptInfo	saved = *rel;
	List	   *query_pathkeys = root->query_pathkeys;
	List	   *indexes = NIL;
	List	   *paths;
	ListCell   *lc;
	bool	   *has_gettuple;
	int			nindexes = 0;

	has_gettuple = palloc(sizeof(bool) * Max(list_length(rel->indexlist), 1));
	foreach(lc, rel->indexlist)
	{
		IndexOptInfo *index = lfirst_node(IndexOptInfo, lc);

		if (!index->amhasgetbitmap)
			continue;
		has_gettuple[nindexes++] = index->amhasgettuple;
		index->amhasgettuple = false;
		indexes = lappend(indexes, index);
	}

	root->query_pathkeys = NIL;
	rel->indexlist = indexes;
	rel->pathlist = NIL;
	rel->partial_pathlist = NIL;
	rel->joininfo = NIL;
	rel->has_eclass_joins = false;
	create_index_paths(root, rel);
	paths = rel->pathlist;

	root->query_pathkeys = query_pathkeys;
	rel->indexlist = saved.indexlist;
	rel->pathlist = saved.pathlist;
	rel->partial_pathlist = saved.partial_pathlist;
	rel->joininfo = saved.joininfo;
	rel->has_eclass_joins = saved.has_eclass_joins;
	nindexes = 0;
	foreach(lc, indexes)
		lfirst_node(IndexOptInfo, lc)->amhasgettuple = has_gettuple[nindexes++];
	return paths;
}
