/*-------------------------------------------------------------------------
 *
 * vacuum.h
 *	  The state of a vacuum, for the files that make it up.
 *
 *-------------------------------------------------------------------------
 */
#ifndef VDB_HNSW_VACUUM_H
#define VDB_HNSW_VACUUM_H

#include "access/generic_xlog.h"
#include "hnsw/search.h"

/*
 * A vacuum.  Only one runs in an index at a time (the table's lock sees to
 * that), and nobody else makes a node DYING or FREE: so what it has once seen
 * LIVE or DYING stays so until it changes that itself.
 */
typedef struct HnswVacuum
{
	HnswIndex  *index;
	BufferAccessStrategy strategy;
	IndexBulkDeleteResult *stats;
	IndexBulkDeleteCallback callback;
	void	   *callback_state;
	MemoryContext page_context; /* reset after each page */

	HnswNumberSet dying;		/* the DYING nodes that have not been freed */
	HnswNumberSet upper;		/* nodes above level 0 that pass 1 saw LIVE */
	HnswNumberSet postings;		/* blocks of POSTINGS */
	HnswNumberSet met;			/* DYING nodes below an anchor that pass 2 met */
	HnswNumberSet seen;			/* the same of one pass; nodes without children */
	uint64		ndying;			/* in the set dying */
	uint64		ndying_rows;	/* of them on level 0 */
	uint64		nmet;
	uint64		nunresolved;	/* anchors to DYING nodes that a pass had to leave */

	HnswRef		top;			/* a LIVE node on the highest level above 0 */
	int			top_level;

	double		norm_sum;		/* of the vectors that pass 1 saw */
	uint64		norm_count;
	double		typical_norm;	/* the metapage's when the vacuum began */

	struct HnswRepair *repair;	/* of the node whose links are repaired */

	/* working memory, each for one use at a time */
	VdbQuery	node_query;		/* the vector of a node whose links are repaired */
	VdbQuery	other_query;	/* that of a candidate */
	void	   *node_query_memory;
	void	   *other_query_memory;
	VdbSlotEncoder encoder;
	void	   *encoder_memory;
	float	   *decoded;
	void	   *vector;			/* for vectors that are split off */
} HnswVacuum;

/* A node with its vector, copied off its page */
typedef struct HnswNodeImage
{
	HnswRef		ref;
	HnswNode   *node;
	char	   *slots;
	const void *stored;
} HnswNodeImage;

static inline bool
vdb_hnsw_is_dying(const HnswVacuum *v, HnswRef ref)
{
	return vdb_hnsw_set_has(&v->dying, vdb_hnsw_ref_number(ref));
}

/* vacuum.c */
extern bool vdb_hnsw_vacuum_copy(HnswVacuum *v, HnswRef ref, HnswNodeImage *copy);
extern void vdb_hnsw_vacuum_query(HnswVacuum *v, const void *stored, VdbQuery *query,
								  void *memory);
extern char *vdb_hnsw_vacuum_encode(HnswVacuum *v, const void *node, const void *neighbour);
extern void vdb_hnsw_vacuum_set_slot(HnswVacuum *v, HnswNode *node, int i, HnswRef ref,
									 const char *factors);
extern int	vdb_hnsw_find_link(const HnswIndex *index, const HnswNode *node,
							   const char *slots, HnswRef ref);
extern int	vdb_hnsw_find_number(const HnswIndex *index, const HnswNode *node,
								 const char *slots, HnswRef ref);

/* remove.c */
extern void vdb_hnsw_remove_rows(HnswVacuum *v);
extern void vdb_hnsw_mark_upper(HnswVacuum *v);

/* repair.c */
extern bool vdb_hnsw_repair_page(HnswVacuum *v, BlockNumber block);

/* anchor.c */
extern void vdb_hnsw_lead_anchor(HnswVacuum *v, HnswRef holder, HnswRef dying);

/* reclaim.c */
extern void vdb_hnsw_reclaim_nodes(HnswVacuum *v, BlockNumber block);
extern void vdb_hnsw_reclaim_segments(HnswVacuum *v, BlockNumber block);
extern void vdb_hnsw_list_segments(HnswVacuum *v);

#endif							/* VDB_HNSW_VACUUM_H */
