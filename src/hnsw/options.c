/*-------------------------------------------------------------------------
 *
 * options.c
 *	  Storage parameters of an hnsw index, and the settings hnsw.*.
 *
 * The settings are pgvector's.  When its library was loaded first, they are
 * defined already, a second definition would be an error, and their values
 * are asked for by name.  A setting that nobody has set has our default then,
 * too, and not the one that its definition shows.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <limits.h>

#include "access/reloptions.h"
#include "hnsw/am.h"
#include "hnsw/hnsw.h"
#include "hnsw/options.h"
#include "hnsw/recall.h"
#include "hnsw/stats.h"
#include "miscadmin.h"
#include "pg_compat.h"
#include "utils/guc.h"
#include "utils/memutils.h"

#define MAX_EXPECTED_ROWS 1000000

#define EF_SEARCH_NAME "hnsw.ef_search"
#define ITERATIVE_SCAN_NAME "hnsw.iterative_scan"
#define MAX_SCAN_TUPLES_NAME "hnsw.max_scan_tuples"
#define SCAN_MEM_MULTIPLIER_NAME "hnsw.scan_mem_multiplier"

#define DEFAULT_MAX_SCAN_TUPLES 0
#define DEFAULT_SCAN_MEM_MULTIPLIER 1.0
#define MAX_SCAN_MEM_MULTIPLIER 1000.0

/* One of hnsw.* */
typedef struct Setting
{
	const char *name;
	const struct config_generic *record;
	bool		is_ours;		/* else another library has defined it */
} Setting;

static Setting ef_search = {.name = EF_SEARCH_NAME};
static Setting iterative_scan = {.name = ITERATIVE_SCAN_NAME};
static Setting max_scan_tuples = {.name = MAX_SCAN_TUPLES_NAME};
static Setting scan_mem_multiplier = {.name = SCAN_MEM_MULTIPLIER_NAME};

/* Values of those that are ours */
static int	ef_search_value = HNSW_DEFAULT_EF_SEARCH;
static int	expected_rows = 0;
static int	iterative_scan_value = HNSW_ITERATIVE_RELAXED;
static int	max_scan_tuples_value = DEFAULT_MAX_SCAN_TUPLES;
static double scan_mem_multiplier_value = DEFAULT_SCAN_MEM_MULTIPLIER;

static const struct config_enum_entry iterative_scan_options[] = {
	{"off", HNSW_ITERATIVE_OFF, false},
	{"relaxed_order", HNSW_ITERATIVE_RELAXED, false},
	{"strict_order", HNSW_ITERATIVE_STRICT, false},
	{NULL, 0, false}
};

static relopt_kind hnsw_relopt_kind;

static void define_reloptions(void);
static bool is_free(Setting *setting);
static bool is_set(const Setting *setting);
static int	int_value(const Setting *setting, int own, int min, int max, int unset);

/*
 * Called once from _PG_init.
 */
void
vdb_hnsw_init(void)
{
	vdb_hnsw_stats_init();
	vdb_hnsw_recall_init();
	define_reloptions();

	if (is_free(&ef_search))
		DefineCustomIntVariable(EF_SEARCH_NAME,
								"Number of nearest candidates that a search of an hnsw index keeps.",
								"Higher is more exact and slower. Takes precedence over the index's storage parameter ef_search.",
								&ef_search_value,
								HNSW_DEFAULT_EF_SEARCH,
								HNSW_MIN_EF_SEARCH,
								HNSW_MAX_EF_SEARCH,
								PGC_USERSET, 0, NULL, NULL, NULL);
	if (is_free(&iterative_scan))
		DefineCustomEnumVariable(ITERATIVE_SCAN_NAME,
								 "What an hnsw index scan does when more rows are wanted than its first batch has.",
								 "\"relaxed_order\" continues, and may return a nearer row after a farther one; \"strict_order\" leaves such rows out; \"off\" ends.",
								 &iterative_scan_value,
								 HNSW_ITERATIVE_RELAXED,
								 iterative_scan_options,
								 PGC_USERSET, 0, NULL, NULL, NULL);
	if (is_free(&max_scan_tuples))
		DefineCustomIntVariable(MAX_SCAN_TUPLES_NAME,
								"Number of tuples after which an hnsw index scan does not continue.",
								"Zero means no limit. The first batch is never cut short.",
								&max_scan_tuples_value,
								DEFAULT_MAX_SCAN_TUPLES, 0, INT_MAX,
								PGC_USERSET, 0, NULL, NULL, NULL);
	if (is_free(&scan_mem_multiplier))
		DefineCustomRealVariable(SCAN_MEM_MULTIPLIER_NAME,
								 "Multiple of work_mem that an hnsw index scan may use.",
								 NULL,
								 &scan_mem_multiplier_value,
								 DEFAULT_SCAN_MEM_MULTIPLIER, 1, MAX_SCAN_MEM_MULTIPLIER,
								 PGC_USERSET, 0, NULL, NULL, NULL);

	DefineCustomIntVariable("vecdb.expected_rows",
							"Number of rows that searches are expected to return.",
							"An hnsw index scan doubles ef_search until it is as large, so that the rows come in one batch.",
							&expected_rows,
							0, 0, MAX_EXPECTED_ROWS,
							PGC_USERSET, 0, NULL, NULL, NULL);

	/* placeholders that were here have been replaced by now */
	ef_search.record = vdb_find_setting(EF_SEARCH_NAME);
	iterative_scan.record = vdb_find_setting(ITERATIVE_SCAN_NAME);
	max_scan_tuples.record = vdb_find_setting(MAX_SCAN_TUPLES_NAME);
	scan_mem_multiplier.record = vdb_find_setting(SCAN_MEM_MULTIPLIER_NAME);

	/* another library may have more settings than these */
	if (ef_search.is_ours && iterative_scan.is_ours &&
		max_scan_tuples.is_ours && scan_mem_multiplier.is_ours)
		MarkGUCPrefixReserved("hnsw");
}

static void
define_reloptions(void)
{
	hnsw_relopt_kind = add_reloption_kind();
	add_int_reloption(hnsw_relopt_kind, "m",
					  "Number of links of a node; level 0 has up to twice as many",
					  HNSW_DEFAULT_M, HNSW_MIN_M, HNSW_MAX_M,
					  AccessExclusiveLock);
	add_int_reloption(hnsw_relopt_kind, "ef_construction",
					  "Number of candidates for the links of a new node",
					  HNSW_DEFAULT_EF_CONSTRUCTION, HNSW_MIN_EF_CONSTRUCTION,
					  HNSW_MAX_EF_CONSTRUCTION, AccessExclusiveLock);
	/* read anew by every scan, so it may change under others */
	add_int_reloption(hnsw_relopt_kind, "ef_search",
					  "hnsw.ef_search of scans of this index, where it is not set",
					  0, HNSW_MIN_EF_SEARCH, HNSW_MAX_EF_SEARCH,
					  ShareUpdateExclusiveLock);
}

/*
 * Parses the options of an index: amoptions.
 */
bytea *
vdb_hnsw_options(Datum reloptions, bool validate)
{
	static const relopt_parse_elt elements[] = {
		{.optname = "m", .opttype = RELOPT_TYPE_INT, .offset = offsetof(HnswOptions, m)},
		{.optname = "ef_construction", .opttype = RELOPT_TYPE_INT, .offset = offsetof(HnswOptions, ef_construction)},
		{.optname = "ef_search", .opttype = RELOPT_TYPE_INT, .offset = offsetof(HnswOptions, ef_search)},
	};
	HnswOptions *options = build_reloptions(reloptions, validate, hnsw_relopt_kind,
											sizeof(HnswOptions), elements,
											lengthof(elements));

	if (validate && options != NULL && options->ef_construction < 2 * options->m)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("ef_construction must be greater than or equal to 2 * m")));
	return (bytea *) options;
}

int
vdb_hnsw_option_m(Relation index)
{
	HnswOptions *options = (HnswOptions *) index->rd_options;

	return options != NULL ? options->m : HNSW_DEFAULT_M;
}

int
vdb_hnsw_option_ef_construction(Relation index)
{
	HnswOptions *options = (HnswOptions *) index->rd_options;

	return options != NULL ? options->ef_construction : HNSW_DEFAULT_EF_CONSTRUCTION;
}

int
vdb_hnsw_ef_search(Relation index)
{
	HnswOptions *options = (HnswOptions *) index->rd_options;
	int			unset = HNSW_DEFAULT_EF_SEARCH;
	int			ef;

	if (options != NULL && options->ef_search > 0)
		unset = options->ef_search;
	ef = int_value(&ef_search, ef_search_value,
				   HNSW_MIN_EF_SEARCH, HNSW_MAX_EF_SEARCH, unset);
	while (ef < expected_rows)
		ef *= 2;
	return ef;
}

HnswIterativeScan
vdb_hnsw_iterative_scan(void)
{
	const char *value;

	if (iterative_scan.is_ours)
		return (HnswIterativeScan) iterative_scan_value;
	if (is_set(&iterative_scan))
	{
		value = GetConfigOption(iterative_scan.name, true, false);
		for (const struct config_enum_entry *option = iterative_scan_options;
			 value != NULL && option->name != NULL; option++)
		{
			if (pg_strcasecmp(value, option->name) == 0)
				return (HnswIterativeScan) option->val;
		}
	}
	return HNSW_ITERATIVE_RELAXED;
}

int
vdb_hnsw_max_scan_tuples(void)
{
	return int_value(&max_scan_tuples, max_scan_tuples_value,
					 0, INT_MAX, DEFAULT_MAX_SCAN_TUPLES);
}

Size
vdb_hnsw_scan_memory(void)
{
	double		multiplier = DEFAULT_SCAN_MEM_MULTIPLIER;
	double		bytes;

	if (scan_mem_multiplier.is_ours)
		multiplier = scan_mem_multiplier_value;
	else if (is_set(&scan_mem_multiplier))
	{
		const char *value = GetConfigOption(scan_mem_multiplier.name, true, false);
		double		parsed;

		if (value != NULL && parse_real(value, &parsed, 0, NULL) &&
			parsed >= 1 && parsed <= MAX_SCAN_MEM_MULTIPLIER)
			multiplier = parsed;
	}
	bytes = work_mem * 1024.0 * multiplier;
	return bytes < (double) MaxAllocHugeSize ? (Size) bytes : MaxAllocHugeSize;
}

/*
 * May we define the setting?  Not if it exists as more than a placeholder,
 * which is what SET makes of a name that no library has defined yet.
 */
static bool
is_free(Setting *setting)
{
	const struct config_generic *record = vdb_find_setting(setting->name);

	setting->is_ours = record == NULL || (record->flags & GUC_CUSTOM_PLACEHOLDER) != 0;
	return setting->is_ours;
}

/* Has anybody said what the setting shall be, anywhere? */
static bool
is_set(const Setting *setting)
{
	return setting->record->source > PGC_S_DYNAMIC_DEFAULT;
}

/*
 * The value of a setting: own if it is ours; unset if nobody has set it, or
 * if another library lets it have a value that we cannot use.
 */
static int
int_value(const Setting *setting, int own, int min, int max, int unset)
{
	const char *value;
	int			parsed;

	if (!is_set(setting))
		return unset;
	if (setting->is_ours)
		return own;
	value = GetConfigOption(setting->name, true, false);
	if (value == NULL || !parse_int(value, &parsed, 0, NULL) ||
		parsed < min || parsed > max)
		return unset;
	return parsed;
}
