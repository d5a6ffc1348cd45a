/*-------------------------------------------------------------------------
 *
 * repair.h
 *	  A node that loses its links to DYING nodes, and what it gets instead.
 *
 *-------------------------------------------------------------------------
 */
#ifndef VDB_HNSW_REPAIR_H
#define VDB_HNSW_REPAIR_H

#include "hnsw/vacuum.h"

/* Where a link may lead; the distance is an estimate */
typedef struct HnswLead
{
	float		distance;
	HnswRef		ref;
} HnswLead;

typedef struct HnswLeads
{
	HnswLead   *lead;
	int			count;
	int			room;
} HnswLeads;

/* A node that is linked, or may be; read */
typedef struct HnswCandidateNode
{
	HnswRef		ref;
	const void *stored;
	double		distance;		/* from the node that is repaired */
	bool		is_kept;		/* linked now */
	bool		is_diverse;		/* selected by Algorithm 4 */
} HnswCandidateNode;

/* Arrays have room for any node */
typedef struct HnswRepair
{
	HnswNodeView node;			/* in a copy of its page */
	HnswRef    *lost;			/* its links to DYING nodes, but for anchors */
	int			nlost;
	HnswCandidateNode **chosen; /* at most nlost */
	int			nchosen;

	/* replace.c's own, but for the estimates */
	HnswLeads	live;			/* candidates */
	HnswLeads	dying;			/* to be followed */
	uint32	   *followed;
	int			nfollowed;
	float	   *estimates;
	float	   *own_estimates;	/* backlink.c's */
	HnswRef    *links;			/* of a node that is followed */
	HnswCandidateNode *candidates;
	int			ncandidates;
} HnswRepair;

/* replace.c */
extern HnswRepair *vdb_hnsw_new_repair(HnswVacuum *v);
extern void vdb_hnsw_choose_replacements(HnswVacuum *v);

/* backlink.c */
extern void vdb_hnsw_repair_back(HnswVacuum *v, const HnswCandidateNode *from);

#endif							/* VDB_HNSW_REPAIR_H */
