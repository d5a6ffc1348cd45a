"""A database for each system and dataset: the table items (id, v, metadata and two
plain columns) with an hnsw index on v and what serves conditions on metadata."""

import json

import numpy as np
import pgcopy
from index import systems, tables
from index.build import enough_memory

from .metadata import PLAIN

EF_CONSTRUCTION = 64
BLOCK = 4096


def database_name(system, dataset):
    return f"filter_{system.name}_{dataset.name}".replace("-", "_")


def metadata_indexes(session, system, meta):
    """Returns what indexes conditions on metadata, by name: in vecdb one GIN index
    (none where there is no operator class yet), in pgvector what its careful user
    has for these very filters."""
    if system.name == systems.OURS:
        if session.run("SELECT 1 FROM pg_opclass WHERE opcname = 'jsonb_filter_ops'"):
            return {"items_m": "USING gin (metadata jsonb_filter_ops) WITH (fastupdate = off)"}
        return {}
    expressions = {"u": "::integer", "r10": "", "c10": ""}
    if hasattr(meta, "sections"):
        expressions = {"installed_size": "::integer", "section": ""}
    return {"items_m": "USING gin (metadata jsonb_path_ops) WITH (fastupdate = off)"} | {
        f"items_{field}": f"(((metadata->>'{field}'){cast}))" for field, cast in expressions.items()}


def fill(session, system, dataset, meta):
    """Makes the table, its rows and its indexes."""
    session.run(f"CREATE EXTENSION {system.extension}")
    session.run("CREATE EXTENSION pg_prewarm")
    session.run(f"CREATE TABLE items (id bigint, v vector({dataset.dim}), metadata jsonb, "
                f"tenth bigint, thousandth bigint) WITH ({tables.storage_option(dataset.source)}"
                "autovacuum_enabled = false)")
    columns = ["n", "embedding", "metadata", *PLAIN]
    with session.connection.cursor() as cursor, cursor.copy(
            "COPY items FROM STDIN (FORMAT binary)") as copy:
        writer = pgcopy.CopyWriter(tables.CopyFile(copy), columns)
        for start in range(0, dataset.rows, BLOCK):
            part = slice(start, min(start + BLOCK, dataset.rows))
            writer.write({"n": range(part.start, part.stop), "embedding": np.asarray(dataset.base[part]),
                          "metadata": list(meta.documents(part.start, part.stop))}
                         | {name: meta.columns[name][part].tolist() for name in PLAIN})
        writer.close()
    session.run(f"SET maintenance_work_mem = {enough_memory(dataset)}")
    session.run("SET max_parallel_maintenance_workers = 1")
    session.run(system.create_index("items_v", "items", dataset.metric, EF_CONSTRUCTION))
    for name, how in metadata_indexes(session, system, meta).items():
        session.run(f"CREATE INDEX {name} ON items {how}")
    session.run("VACUUM (FREEZE, ANALYZE) items")


def ensure(server, system, dataset, meta):
    """Has the database with all its indexes; returns its name."""
    name = database_name(system, dataset)
    stamp = json.dumps({"rows": dataset.rows, "extension": system.stamp, "form": 1})
    with server.session("postgres") as session:
        if tables.comment(session, "DATABASE", name) == stamp:
            return name
        print(f"   loading {dataset.rows:,} x {dataset.dim} into {name}", flush=True)
        tables.drop_database(session, name)
        session.run(f'CREATE DATABASE "{name}" TEMPLATE template0')
        with server.session(name) as loader:
            fill(loader, system, dataset, meta)
        tables.set_comment(session, "DATABASE", name, stamp)
    return name
