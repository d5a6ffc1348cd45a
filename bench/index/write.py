"""Single-row inserts, and the replacement of all rows in rounds.

Both work on copies or tables of their own and leave the searched index alone.
"""

import contextlib
import time

import numpy as np

from . import build, figures, search, tables
from .datasets import K, exact, nearest
from .server import check

INSERTS = 1000
TURN = 250                  # rows that a system inserts before it is another's turn
CHURN_ROUNDS = 10
CHURN_ROWS = 40000
CHURN_EF = 40


class Inserter:
    """A session that inserts single rows, each a transaction of its own."""

    def __init__(self, server, database, table="items"):
        self.session = server.session(database)
        oid = tables.vector_oid(self.session)
        self.session.prepare("i", f"INSERT INTO {table} (id, v) VALUES ($1, $2)", [20, oid])

    def insert(self, ids, vectors):
        """Returns (wall seconds of each, CPU seconds of all, bytes of WAL)."""
        rows = [[tables.encode_id(i), v] for i, v in zip(ids, tables.encode(vectors))]
        results, walls = [], []
        lsn, cpu = self.session.lsn(), self.session.cpu()
        for row in rows:
            start = time.perf_counter()
            results.append(self.session.execute(b"i", row))
            walls.append(time.perf_counter() - start)
        cpu = self.session.cpu() - cpu
        lsn = self.session.lsn() - lsn
        for result in results:
            check(result)
        return walls, cpu, lsn

    def close(self):
        self.session.close()


def summary(walls, cpu, wal):
    """Returns the figures of one insert."""
    count = len(walls)
    return {"rows": count, "cpu_us": 1e6 * cpu / count, "wall_us": 1e6 * sum(walls) / count,
            "p50_us": 1e6 * figures.percentile(walls, 50),
            "p99_us": 1e6 * figures.percentile(walls, 99), "wal": wal / count}


def set_page_images(session, on):
    session.run(f"ALTER SYSTEM SET full_page_writes = {'on' if on else 'off'}")
    session.run("SELECT pg_reload_conf()")
    deadline = time.monotonic() + 10
    while session.value("SHOW full_page_writes") != ("on" if on else "off"):
        if time.monotonic() > deadline:
            raise RuntimeError("full_page_writes did not change")
        time.sleep(0.05)


def insert_rounds(server, inserters, dataset):
    """Inserts the dataset's extra rows: right after a checkpoint, one inserter
    after the other, then without page images, in turns."""
    ids = range(dataset.rows, dataset.rows + len(dataset.extra))
    values = {name: {} for name in inserters}
    admin = server.session("postgres")
    try:
        for name, inserter in inserters.items():
            # the first insert of a session reads catalogs and maps memory
            inserter.insert(ids[:TURN], dataset.extra[:TURN])
            admin.run("CHECKPOINT")
            part = slice(TURN, TURN + INSERTS)
            values[name]["after_checkpoint"] = summary(
                *inserter.insert(ids[part], dataset.extra[part]))
        set_page_images(admin, False)
        admin.run("CHECKPOINT")
        runs = {name: ([], 0.0, 0) for name in inserters}
        first = TURN + INSERTS
        for turn, start in enumerate(range(first, first + INSERTS, TURN)):
            names = list(inserters) if turn % 2 == 0 else list(inserters)[::-1]
            part = slice(start, start + TURN)
            for name in names:
                walls, cpu, wal = inserters[name].insert(ids[part], dataset.extra[part])
                before = runs[name]
                runs[name] = (before[0] + walls, before[1] + cpu, before[2] + wal)
        for name, run in runs.items():
            values[name]["no_images"] = summary(*run)
    finally:
        set_page_images(admin, True)
        admin.close()
    return values


def measure_inserts(bench, dataset, ef_construction):
    """The cells of single-row inserts, all systems in turns, into copies of their
    databases; the same into a table without an index, to be subtracted."""
    keys = {name: tables.index_key(s, dataset, ef_construction) | {"kind": "insert"}
            for name, s in bench.systems.items()}
    if all(bench.done(keys[name], s) for name, s in bench.systems.items()):
        return
    for name in keys:
        bench.say(keys[name])
    index = tables.index_name(ef_construction)
    with contextlib.ExitStack() as stack:
        inserters = {}
        for name, system in bench.systems.items():
            build.ensure_index(bench.server, system, dataset, ef_construction)
            copy = stack.enter_context(tables.copied_database(
                bench.server, tables.database_name(system, dataset), f"copy_{name}"))
            with bench.server.session(copy) as session:
                for other, in session.run(
                        "SELECT indexrelid::regclass::text FROM pg_index WHERE "
                        "indrelid = 'items'::regclass AND indexrelid <> %s::regclass", [index]):
                    session.run(f"DROP INDEX {other}")
                tables.show_index(session, index)
                tables.create_table(session, "plain", dataset)
                session.run("SET synchronize_seqscans = off")
                session.run("INSERT INTO plain SELECT * FROM items LIMIT 1000")
                tables.prewarm(session, "items", index)
            for table in ("items", "plain"):
                inserter = Inserter(bench.server, copy, table)
                stack.callback(inserter.close)
                inserters[name if table == "items" else f"{name}: no index"] = inserter
        values = insert_rounds(bench.server, inserters, dataset)
        for name, system in bench.systems.items():
            found = recall_of_inserted(bench.server, system, dataset, f"copy_{name}", index)
            bench.add(keys[name], system, values[name] | {
                "plain": values[f"{name}: no index"], "inserted_found": found})


def recall_of_inserted(server, system, dataset, database, index):
    """Returns the share of the inserted rows that a search for their own vector
    returns (as one of the nearest ten, ef_search 40)."""
    searcher = search.Searcher(server, system, dataset, index, database)
    try:
        searcher.set_ef(CHURN_EF)
        rows = range(dataset.rows, dataset.rows + TURN + 2 * INSERTS)
        vectors = tables.encode(dataset.extra[:len(rows)])
        found = searcher.found(searcher.search_all(vectors)[0])
        return sum(row in answer for row, answer in zip(rows, found)) / len(rows)
    finally:
        searcher.close()


class Half:
    """The second half of a churned table's vectors, as a dataset whose row
    numbers are those of the whole."""

    def __init__(self, dataset, first, stop):
        self.name, self.metric, self.queries = dataset.name, dataset.metric, dataset.queries
        self.base, self.first, self.stop = dataset.base, first, stop
        self.nearest = nearest(dataset.base[first:stop], dataset.queries, dataset.metric)

    def truth(self):
        return self.nearest

    def distances(self, number, rows):
        if len(rows) and not (self.first <= rows.min() and rows.max() < self.stop):
            raise RuntimeError("a search returned a row that was deleted")
        return exact(np.asarray(self.base[rows]), self.queries[number], self.metric)


def churn_quality(server, system, half, database):
    searcher = search.Searcher(server, system, half, "churn_v", database, "churn")
    try:
        searcher.set_ef(CHURN_EF)
        results, _, cpus = searcher.search_all()
        return search.quality(half, searcher.found(results)) | {
            "cpu_us": 1e6 * sum(cpus) / len(cpus),
            "size": searcher.session.value("SELECT pg_relation_size('churn_v')")}
    finally:
        searcher.close()


def churn(bench, system, dataset, ef_construction, count):
    """Replaces `count` rows by as many others in rounds of delete, insert and
    VACUUM; compares the index with one built afresh."""
    database = tables.ensure_table(bench.server, system, dataset)
    create = system.create_index("churn_v", "churn", dataset.metric, ef_construction)
    step = count // CHURN_ROUNDS
    with bench.server.session(database) as session:
        session.run("DROP TABLE IF EXISTS churn")
        tables.create_table(session, "churn", dataset, " PRIMARY KEY")
        tables.copy_rows(session, "churn", range(count), dataset.base[:count])
        session.run("VACUUM (FREEZE, ANALYZE) churn")
        session.run(f"SET maintenance_work_mem = {build.enough_memory(dataset)}")
        session.run("SET max_parallel_maintenance_workers = 0")
        session.run(create)
        size = lambda: session.value("SELECT pg_relation_size('churn_v')")
        values = {"rows": count, "first_size": size(), "rounds": []}
        for start in range(0, step * CHURN_ROUNDS, step):
            clock, cpu = [time.perf_counter()], [session.cpu()]
            lap = lambda: (clock.append(time.perf_counter()), cpu.append(session.cpu()))
            session.run("DELETE FROM churn WHERE id >= %s AND id < %s", [start, start + step])
            lap()
            new = slice(count + start, count + start + step)
            tables.copy_rows(session, "churn", range(new.start, new.stop), dataset.base[new])
            lap()
            session.run("VACUUM churn")
            lap()
            values["rounds"].append(
                {"size": size(), "insert_cpu": cpu[2] - cpu[1], "insert_wall": clock[2] - clock[1],
                 "vacuum_cpu": cpu[3] - cpu[2], "vacuum_wall": clock[3] - clock[2]})
        session.run("ANALYZE churn")
        half = Half(dataset, count, count + step * CHURN_ROUNDS)
        values["churned"] = churn_quality(bench.server, system, half, database)
        values["check"] = index_check(session, "churn_v")
        session.run("DROP INDEX churn_v")
        session.run("VACUUM FULL churn")
        session.run(create)
        values["fresh"] = churn_quality(bench.server, system, half, database)
        session.run("DROP TABLE churn")
    return values


def index_check(session, index):
    """Returns what vecdb_index_check() reports ([] is sound), None without it."""
    if not session.run("SELECT 1 FROM pg_proc WHERE proname = 'vecdb_index_check'"):
        return None
    return [list(map(str, row)) for row in
            session.run("SELECT * FROM vecdb_index_check(%s::regclass)", [index])]


def measure_churn(bench, dataset, ef_construction):
    count = min(dataset.rows // 2, CHURN_ROWS) // CHURN_ROUNDS * CHURN_ROUNDS
    for system in bench.systems.values():
        key = tables.index_key(system, dataset, ef_construction) | {"kind": "churn"}
        if bench.done(key, system) or count < 10 * K:
            continue
        bench.say(key)
        bench.add(key, system, churn(bench, system, dataset, ef_construction, count))
