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

/* A node that takes the place of a DYING one */
typedef struct HnswReplacement
{
	HnswRef		ref;
	char	   *factors;		/* its slot in the node, behind the link */
	const void *stored;
} HnswReplacement;

/* Arrays have room for any node */
typedef struct HnswRepair
{
	HnswNodeView node;			/* in a copy of its page */
	HnswRef    *lost;			/* its links to DYING nodes, but for anchors */
	int			nlost;
	HnswReplacement *chosen;	/* at most nlost */
	int			nchosen;

	/* replace.c's own */
	HnswLeads	live;			/* candidates */
	HnswLeads	dying;			/* to be followed */
	uint32	   *followed;
	int			nfollowed;
	float	   *estimates;
	HnswRef    *links;			/* of a node that is followed */
	HnswReplacement *spare;		/* nearer to another link than to the node */
	int			nspare;
} HnswRepair;

/* replace.c */
extern HnswRepair *vdb_hnsw_new_repair(HnswVacuum *v);
extern void vdb_hnsw_choose_replacements(HnswVacuum *v);

#endif							/* VDB_HNSW_REPAIR_H */
