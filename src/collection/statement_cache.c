/*-------------------------------------------------------------------------
 *
 * statement_cache.c
 *	  Prepared statements of this backend, found by collection and shape.
 *
 * PostgreSQL's plan cache keeps the plans true: it makes them anew when a
 * table, a policy, a function or the role that they depend on has changed.
 * What is done here is finding them, and forgetting: of collections that are
 * gone, and of those that were not asked for lately when there are many.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "collection/collection.h"
#include "collection/statement_cache.h"
#include "utils/hsearch.h"
#include "utils/inval.h"
#include "utils/memutils.h"
#include "utils/syscache.h"

/*
 * A statement with its plan takes 16 to 60 kB, a backend's worth of them is
 * thus bounded by some 10 MB.
 */
#define MAX_STATEMENTS 200

static HTAB *statements = NULL;
static dlist_head recency = DLIST_STATIC_INIT(recency); /* latest first */
static int	nstatements = 0;
static bool has_suspects = false;

static void create_table(void);
static void note_change(Datum arg, Oid table);
static void forget_dropped(void);
static void make_room(void);
static void forget(VdbCachedStatement *statement);
static void prepare_new(VdbCachedStatement *statement, VdbPrepareStatement prepare,
						const void *arg);

/*
 * Called once from _PG_init.
 */
void
vdb_collection_init(void)
{
	CacheRegisterRelcacheCallback(note_change, (Datum) 0);
}

/*
 * The statement with a key, prepared by the function given if it is not there.
 * It stays until it is unpinned.  The caller holds a lock on the table.
 */
VdbCachedStatement *
vdb_statement_pin(const VdbStatementKey *key, VdbPrepareStatement prepare,
				  const void *arg)
{
	VdbCachedStatement *statement;

	if (statements == NULL)
		create_table();
	if (has_suspects)
		forget_dropped();

	statement = hash_search(statements, key, HASH_FIND, NULL);
	if (statement == NULL)
	{
		make_room();
		statement = hash_search(statements, key, HASH_ENTER, NULL);
		statement->plan = NULL;
		statement->pins = 0;
		statement->is_suspect = false;
		dlist_push_head(&recency, &statement->node);
		nstatements++;
	}
	else
		dlist_move_head(&recency, &statement->node);

	statement->pins++;
	if (statement->plan == NULL)
		prepare_new(statement, prepare, arg);
	return statement;
}

void
vdb_statement_unpin(VdbCachedStatement *statement)
{
	Assert(statement->pins > 0);
	statement->pins--;
}

/*
 * Prepares a statement that has just got its entry, for good; without it, the
 * entry goes again.
 */
static void
prepare_new(VdbCachedStatement *statement, VdbPrepareStatement prepare, const void *arg)
{
	PG_TRY();
	{
		prepare(statement, arg);
		if (SPI_keepplan(statement->plan) != 0)
			elog(ERROR, "could not keep a prepared statement");
	}
	PG_CATCH();
	{
		/* a plan that is not kept belongs to SPI */
		statement->plan = NULL;
		statement->pins--;
		forget(statement);
		PG_RE_THROW();
	}
	PG_END_TRY();
}

static void
create_table(void)
{
	HASHCTL		ctl = {0};

	ctl.keysize = sizeof(VdbStatementKey);
	ctl.entrysize = sizeof(VdbCachedStatement);
	statements = hash_create("vecdb prepared statements", MAX_STATEMENTS, &ctl,
							 HASH_ELEM | HASH_BLOBS);
}

/*
 * Something about a table, or about all of them, has changed.  Called at odd
 * moments, so it only takes a note.
 */
static void
note_change(Datum arg, Oid table)
{
	dlist_iter	iter;

	dlist_foreach(iter, &recency)
	{
		VdbCachedStatement *statement = dlist_container(VdbCachedStatement, node, iter.cur);

		if (table == InvalidOid || statement->key.table == table)
		{
			statement->is_suspect = true;
			has_suspects = true;
		}
	}
}

/*
 * Forgets the statements whose table is gone.
 */
static void
forget_dropped(void)
{
	dlist_mutable_iter iter;

	has_suspects = false;
	dlist_foreach_modify(iter, &recency)
	{
		VdbCachedStatement *statement = dlist_container(VdbCachedStatement, node, iter.cur);

		if (!statement->is_suspect)
			continue;
		statement->is_suspect = false;
		if (!OidIsValid(statement->key.table) ||
			SearchSysCacheExists1(RELOID, ObjectIdGetDatum(statement->key.table)))
			continue;
		if (statement->pins == 0)
			forget(statement);
		else
		{
			/* an outer query still runs it; next time, then */
			statement->is_suspect = true;
			has_suspects = true;
		}
	}
}

/*
 * Forgets what was not used for the longest time if there is no room for one
 * more; pinned statements stay, so there may be more of them for a while.
 */
static void
make_room(void)
{
	while (nstatements >= MAX_STATEMENTS)
	{
		VdbCachedStatement *oldest = NULL;
		dlist_iter	iter;

		dlist_reverse_foreach(iter, &recency)
		{
			VdbCachedStatement *statement = dlist_container(VdbCachedStatement, node, iter.cur);

			if (statement->pins == 0)
			{
				oldest = statement;
				break;
			}
		}
		if (oldest == NULL)
			return;
		forget(oldest);
	}
}

static void
forget(VdbCachedStatement *statement)
{
	SPIPlanPtr	plan = statement->plan;

	dlist_delete(&statement->node);
	nstatements--;
	hash_search(statements, &statement->key, HASH_REMOVE, NULL);
	if (plan != NULL)
		SPI_freeplan(plan);
}
