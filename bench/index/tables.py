"""Databases, tables and indexes of a dataset.

A database for each system and dataset: vecdb and pgvector cannot be in one.
It holds the table items (id bigint, v vector), rows in the dataset's order and
id their number, and one index for each ef_construction, of which searches see
one at a time.  What is complete says so in its comment.
"""

import json
import struct
from contextlib import contextmanager

import numpy as np
import pgcopy
from psycopg import sql

from .datasets import OPERATORS

LOAD_BLOCK = 4096


def encode(vectors):
    """Returns vector's binary form of each row."""
    return pgcopy.encode_embedding(np.asarray(vectors))


def database_name(system, dataset):
    return f"{system.name}_{dataset.name}".replace("-", "_")


def index_name(ef_construction):
    return f"items_{ef_construction}"


def index_key(system, dataset, ef_construction):
    return {"system": system.name, "dataset": dataset.name,
            "ef_construction": ef_construction}


def storage_option(source):
    """Vectors inline where they fit a page, as vecdb's README recommends, in
    both systems alike; else as PostgreSQL does by itself."""
    return "toast_tuple_target = 8160, " if source.inline else ""


def create_table(session, name, dataset, option=""):
    # parallel_workers: a table of TOASTed vectors looks too small for workers
    session.run(f"CREATE TABLE {name} (id bigint{option}, v vector({dataset.dim})) WITH "
                f"({storage_option(dataset.source)}autovacuum_enabled = false, "
                f"parallel_workers = 8)")


def copy_rows(session, table, ids, vectors):
    """Loads rows by binary COPY."""
    with session.connection.cursor() as cursor:
        with cursor.copy(f"COPY {table} (id, v) FROM STDIN (FORMAT binary)") as copy:
            writer = pgcopy.CopyWriter(CopyFile(copy), ["n", "embedding"])
            for start in range(0, len(vectors), LOAD_BLOCK):
                part = slice(start, start + LOAD_BLOCK)
                writer.write({"n": ids[part], "embedding": np.asarray(vectors[part])})
            writer.close()


class CopyFile:
    """The two methods of a file that a CopyWriter calls."""

    def __init__(self, copy):
        self.write = copy.write

    def flush(self):
        pass


def comment(session, kind, name):
    """Returns the comment on a database or relation, None if it does not exist."""
    if kind == "DATABASE":
        rows = session.run("SELECT shobj_description(oid, 'pg_database') FROM pg_database "
                           "WHERE datname = %s", [name])
    else:
        rows = session.run("SELECT obj_description(oid, 'pg_class') FROM pg_class "
                           "WHERE oid = to_regclass(%s)", [name])
    return (rows[0][0] or "") if rows else None


def set_comment(session, kind, name, text):
    session.connection.execute(sql.SQL("COMMENT ON {} {} IS {}").format(
        sql.SQL(kind), sql.Identifier(name), sql.Literal(text)))


def drop_database(session, name):
    session.run(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


def ensure_table(server, system, dataset):
    """Has the database with the loaded table; returns the database's name."""
    name = database_name(system, dataset)
    stamp = json.dumps({"rows": dataset.rows, "extension": system.stamp})
    with server.session("postgres") as session:
        if comment(session, "DATABASE", name) == stamp:
            return name
        print(f"   loading {dataset.rows:,} x {dataset.dim} into {name}", flush=True)
        drop_database(session, name)
        session.run(f'CREATE DATABASE "{name}" TEMPLATE template0')
        with server.session(name) as loader:
            loader.run(f"CREATE EXTENSION {system.extension}")
            loader.run("CREATE EXTENSION pg_prewarm")
            create_table(loader, "items", dataset)
            copy_rows(loader, "items", range(dataset.rows), dataset.base)
            loader.run("VACUUM (FREEZE, ANALYZE) items")
        set_comment(session, "DATABASE", name, stamp)
    return name


def has_index(session, system, name):
    """Says whether the index is there, complete and made by this library."""
    return comment(session, "INDEX", name) == f"made by {system.stamp}"


def mark_index(session, system, name):
    set_comment(session, "INDEX", name, f"made by {system.stamp}")


def show_index(session, name, table="items"):
    """Makes this index the only one that plans may use."""
    session.run("UPDATE pg_index SET indisvalid = (indexrelid = %s::regclass) "
                "WHERE indrelid = %s::regclass AND NOT indisunique", [name, table])


def prewarm(session, *relations):
    """Reads relations, tables with their TOAST tables, into shared_buffers."""
    session.run("""
        WITH named AS (SELECT unnest(%s::text[])::regclass::oid AS r),
          toasts AS (SELECT reltoastrelid AS r FROM pg_class JOIN named ON oid = r
                     WHERE reltoastrelid <> 0)
        SELECT pg_prewarm(r::regclass) FROM (
          SELECT r FROM named UNION ALL SELECT r FROM toasts UNION ALL
          SELECT indexrelid FROM pg_index JOIN toasts ON indrelid = r) everything
        """, [list(relations)])


def relation_files(server, session, relation):
    """Returns the paths of a relation's segment files, main fork."""
    first = server.data / session.value("SELECT pg_relation_filepath(%s::regclass)", [relation])
    return [first, *sorted(first.parent.glob(first.name + ".[0-9]*"))]


@contextmanager
def copied_database(server, name, copy):
    """A copy of a database, for a benchmark that writes; dropped at the end."""
    with server.session("postgres") as session:
        drop_database(session, copy)
        session.run(f'CREATE DATABASE "{copy}" TEMPLATE "{name}" STRATEGY file_copy')
    try:
        yield copy
    finally:
        with server.session("postgres") as session:
            drop_database(session, copy)


def query_statement(metric, k, table="items"):
    return f"SELECT id FROM {table} ORDER BY v {OPERATORS[metric]} $1 LIMIT {k}"


def vector_oid(session):
    return session.value("SELECT 'vector'::regtype::oid")


def encode_id(number):
    return struct.pack(">q", number)
