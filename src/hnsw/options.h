/*-------------------------------------------------------------------------
 *
 * options.h
 *	  Storage parameters of an hnsw index, and the settings hnsw.*.
 *
 *-------------------------------------------------------------------------
 */
#ifndef VDB_HNSW_OPTIONS_H
#define VDB_HNSW_OPTIONS_H

#include "postgres.h"

#include <math.h>

#include "utils/rel.h"

#define HNSW_DEFAULT_M 16
#define HNSW_MIN_M 2
#define HNSW_MAX_M 100
#define HNSW_DEFAULT_EF_CONSTRUCTION 64
#define HNSW_MIN_EF_CONSTRUCTION 4
#define HNSW_MAX_EF_CONSTRUCTION 1000
#define HNSW_DEFAULT_EF_SEARCH 40
#define HNSW_MIN_EF_SEARCH 1
#define HNSW_MAX_EF_SEARCH 1000

/* WITH (...) of an index */
typedef struct HnswOptions
{
	int32		vl_len_;		/* varlena header (do not touch directly!) */
	int			m;
	int			ef_construction;
	int			ef_search;		/* 0: not given */
} HnswOptions;

/* hnsw.iterative_scan */
typedef enum HnswIterativeScan
{
	HNSW_ITERATIVE_OFF,
	HNSW_ITERATIVE_RELAXED,
	HNSW_ITERATIVE_STRICT
} HnswIterativeScan;

/*
 * A scan's first walk looks for so many nearest nodes, and is done when no
 * estimate promises one within the slack of them (search.h).  Measured together:
 * README.md, "Search".
 */
#define HNSW_WIDTH_PER_EF 0.8
#define HNSW_MIN_WIDTH 10
#define HNSW_SLACK 0.12			/* reached at this ef_search, less below: */
#define HNSW_SLACK_EF 40

static inline int
vdb_hnsw_width(int ef_search)
{
	return Max(HNSW_MIN_WIDTH, (int) ceil(HNSW_WIDTH_PER_EF * ef_search));
}

static inline double
vdb_hnsw_slack(int ef_search)
{
	return 1 + HNSW_SLACK * Min(1, (ef_search + 50) / (HNSW_SLACK_EF + 50.0));
}

/* options.c; defaults where the index has no options */
extern int	vdb_hnsw_option_m(Relation index);
extern int	vdb_hnsw_option_ef_construction(Relation index);

/*
 * The setting if it was SET, else the index's option, else the default; doubled
 * until it is at least vecdb.expected_rows.
 */
extern int	vdb_hnsw_ef_search(Relation index);

extern HnswIterativeScan vdb_hnsw_iterative_scan(void);

/* nodes after which an iterative scan ends; 0: none */
extern int	vdb_hnsw_max_scan_tuples(void);

/* bytes that a scan may take: work_mem times hnsw.scan_mem_multiplier */
extern Size vdb_hnsw_scan_memory(void);

#endif							/* VDB_HNSW_OPTIONS_H */
