/*-------------------------------------------------------------------------
 *
 * insert.h
 *	  An insert under way: what insert.c, choose.c, place.c and link.c share.
 *
 *-------------------------------------------------------------------------
 */
#ifndef VDB_HNSW_INSERT_H
#define VDB_HNSW_INSERT_H

#include "hnsw/search.h"

/*
 * Pages that get links to a new node, that of its anchor included.  Measured in
 * README.md, "Links back".
 */
#define HNSW_BACK_LINKS 4

/* A node that the search visited */
typedef struct HnswVisited
{
	HnswRef		ref;
	bool		is_live;
	float		distance;		/* to the new vector, in the query's unit */
	double		exact;			/* the same, as vdb_quant_vector_distance() has it */
	const void *stored;			/* copy */
} HnswVisited;

/*
 * What stays from row to row of a statement, and the row at hand.
 */
typedef struct HnswInsert
{
	HnswIndex  *index;
	MemoryContext context;		/* for one row */
	HnswValue	value;
	HnswNode   *image;			/* the new node as it will be on its page */
	char	   *slot;			/* the slot that will lead to it */
	void	   *encoder_memory;
	void	   *query_memory;	/* of a neighbour's own query: inner product only */
	float	   *estimates;		/* of a node's links: memory */
	double	   *to_node;		/* of a node's links: distance to the node, */
	double	   *to_new;			/* and to the new vector */

	/* this row, or this row on a level */
	ItemPointerData tid;
	HnswMeta	meta;
	HnswWalk   *walk;
	int			level;
	HnswRef		equal;			/* a LIVE node with the same stored vector */
	int			ndead;			/* visited nodes that are no results */
	HnswVisited *visited;
	int			nvisited;
	int			room;			/* of visited */
	int		   *by_number;		/* visited, in order of their numbers */
	int		   *chosen;			/* the neighbours, among visited */
	int			nchosen;
	HnswRef		self;			/* the new node, once it is on its page */
	uint32		parent;			/* number of the node with its anchor */
} HnswInsert;

/* insert.c */
extern void vdb_hnsw_note_visited(HnswInsert *insert, const HnswNodeView *view, float distance);

/* choose.c */
extern void vdb_hnsw_choose(HnswInsert *insert);
extern const HnswVisited *vdb_hnsw_find_visited(const HnswInsert *insert, uint32 number);
extern void vdb_hnsw_form_image(HnswInsert *insert, HnswRef next);
extern void vdb_hnsw_image_anchor(HnswInsert *insert, const HnswVisited *child);

/* place.c */
extern bool vdb_hnsw_place_first(HnswInsert *insert);
extern bool vdb_hnsw_place_anchored(HnswInsert *insert);
extern void vdb_hnsw_place_upper(HnswInsert *insert);

/* link.c */
extern void vdb_hnsw_prepare_link(HnswInsert *insert, const HnswVisited *from,
								  VdbQuery *own_query);
extern int	vdb_hnsw_choose_slot(HnswInsert *insert, const HnswVisited *from,
								 const VdbQuery *own_query, const HnswNodeView *view,
								 int max_anchors);
extern void vdb_hnsw_put_link(HnswInsert *insert, HnswNode *node, int slot, uint16 anchor);
extern void vdb_hnsw_insert_links(HnswInsert *insert);

#endif							/* VDB_HNSW_INSERT_H */
