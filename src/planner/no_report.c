/*-------------------------------------------------------------------------
 *
 * no_report.c
 *	  Stand-ins for the reports of searches, until there is a node to report.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "planner/planner.h"

__attribute__((weak)) const VdbSearchReport *
vdb_last_search_report(void)
{
	return NULL;
}

__attribute__((weak)) void
vdb_reset_search_report(void)
{
}
