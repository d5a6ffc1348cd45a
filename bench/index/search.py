"""Recall and cost of searches, with everything in memory and with little of it."""

import random
import time

import numpy as np

from . import build, figures, tables
from .datasets import K
from .server import check, evict
from .systems import HNSWLIB, M

EF_SEARCH = (10, 20, 30, 40, 60, 80, 120, 160, 240, 400, 800)
EF_SEARCH_COLD = (10, 20, 40, 80, 160, 320)
SMALL_CACHE = 0.1           # of the index
CALL = 50                   # queries in one call of hnswlib


class Searcher:
    """A session that searches with one index of one dataset."""

    def __init__(self, server, system, dataset, index, database=None, table="items"):
        self.system, self.dataset, self.index, self.table = system, dataset, index, table
        self.session = server.session(database or tables.database_name(system, dataset))
        run = self.session.run
        tables.show_index(self.session, index, table)
        self.oid = tables.vector_oid(self.session)
        self.statement = tables.query_statement(dataset.metric, K, table)
        self.queries = tables.encode(dataset.queries)
        # counters of the relations whose pages a search touches
        toast = self.session.value("SELECT reltoastrelid FROM pg_class WHERE oid = %s::regclass",
                                   [table])
        self.relations = {
            "graph": [self.session.value("SELECT %s::regclass::oid", [index])],
            "heap": [self.session.value("SELECT %s::regclass::oid", [table])],
            "toast": [r[0] for r in run("SELECT %s::oid WHERE %s <> 0 UNION ALL "
                                        "SELECT indexrelid FROM pg_index WHERE indrelid = %s",
                                        [toast, toast, toast])]}
        # the planner's own choice, then the index whatever the planner thinks
        run(f"SET hnsw.ef_search = {EF_SEARCH[0]}")
        self.session.prepare("q", self.statement, [self.oid])
        text = "[" + ",".join(map(str, np.asarray(dataset.queries[0]).tolist())) + "]"
        self.chosen = self.uses_index(text)
        if not self.chosen:
            run("SET enable_seqscan = off")
            run("SET enable_sort = off")
            run("DEALLOCATE q")
            self.session.prepare("q", self.statement, [self.oid])
            if not self.uses_index(text):
                raise RuntimeError(f"{system.name}: no plan uses the index {index}")

    def uses_index(self, text):
        plan = "\n".join(r[0] for r in self.session.run(f"EXPLAIN EXECUTE q('{text}')"))
        return f"using {self.index} " in plan

    def close(self):
        self.session.close()

    def set_ef(self, ef):
        self.session.run(f"SET hnsw.ef_search = {ef}")

    def search_all(self, queries=None):
        """Runs every query once.  Returns libpq's results, and for each query the
        wall and the CPU seconds."""
        execute, cpu, clock = self.session.execute, self.session.cpu, time.perf_counter
        results, walls, cpus = [], [], [cpu()]
        for query in self.queries if queries is None else queries:
            start = clock()
            result = execute(b"q", [query])
            walls.append(clock() - start)
            results.append(result)
            cpus.append(cpu())
        for result in results:
            check(result)
        return results, walls, np.diff(cpus).tolist()

    def pages(self):
        """Runs every query once more and returns the pages that a query fetched
        and read of each kind of relation."""
        count = len(self.queries)
        with self.session.connection.transaction():
            # inside a transaction the backend's own counters are not flushed
            before = self.counters()
            self.search_all()
            after = self.counters()
        return {kind: [(a - b) / count for a, b in zip(after[kind], before[kind])]
                for kind in after}

    def scan_counters(self):
        """Runs every query once more and returns what vecdb has counted of each
        query ({}: the extension counts nothing)."""
        if not self.session.run("SELECT 1 FROM pg_proc WHERE proname = 'vecdb_hnsw_stats'"):
            return {}
        def read():
            cursor = self.session.connection.execute("SELECT * FROM vecdb_hnsw_stats()")
            return dict(zip((c.name for c in cursor.description), cursor.fetchone()))
        before = read()
        self.search_all()
        return {name: (value - before[name]) / len(self.queries)
                for name, value in read().items() if isinstance(value, int)}

    def counters(self):
        ask = ("SELECT coalesce(sum(pg_stat_get_xact_blocks_fetched(r)), 0)::bigint, "
               "coalesce(sum(pg_stat_get_xact_blocks_fetched(r) "
               "- pg_stat_get_xact_blocks_hit(r)), 0)::bigint FROM unnest(%s::oid[]) r")
        return {kind: self.session.run(ask, [oids])[0]
                for kind, oids in self.relations.items()}

    def found(self, results):
        """Returns the row numbers that each query returned."""
        return [[int.from_bytes(r.get_value(i, 0), "big") for i in range(r.ntuples)]
                for r in results]


def quality(dataset, found):
    """Returns what can be said of the rows found."""
    recalls = figures.recalls(found, dataset.distances, dataset.truth())
    return {"recall": float(recalls.mean()),
            "recall_p5": float(figures.percentile(recalls, 5)),
            "short": sum(len(rows) < K for rows in found),
            "duplicates": sum(len(rows) - len(set(rows)) for rows in found)}


def recall_once(server, system, dataset, index, ef):
    """Returns the recall of an index at one ef_search."""
    searcher = Searcher(server, system, dataset, index)
    try:
        searcher.set_ef(ef)
        return quality(dataset, searcher.found(searcher.search_all()[0]))["recall"]
    finally:
        searcher.close()


class InProcess:
    """hnswlib in this process, in the place of a Searcher."""

    def __init__(self, store, dataset, ef_construction):
        import hnswlib
        self.dataset = dataset
        self.index = hnswlib.Index(space=dataset.metric, dim=dataset.dim)
        path = store.cache / f"{dataset.vectors}.{dataset.metric}.{ef_construction}.hnswlib"
        self.build = None
        if path.exists():
            self.index.load_index(str(path), max_elements=dataset.rows)
        else:
            print("   building hnswlib's index", flush=True)
            self.index.init_index(dataset.rows, M=M, ef_construction=ef_construction,
                                  random_seed=1)
            wall, cpu = time.perf_counter(), time.process_time()
            self.index.add_items(np.asarray(dataset.base), num_threads=1)
            self.build = {"wall": time.perf_counter() - wall,
                          "cpu": time.process_time() - cpu, "workers": 0}
            self.index.save_index(str(path))
            self.build["size"] = path.stat().st_size
        self.queries = np.asarray(dataset.queries)
        self.chosen = True

    def set_ef(self, ef):
        self.index.set_ef(max(ef, K))

    def search_all(self):
        """As Searcher's, but many queries in one call, which suits hnswlib best;
        each gets the mean of its call."""
        labels, walls, cpus = [], [], []
        for start in range(0, len(self.queries), CALL):
            queries = self.queries[start:start + CALL]
            wall, cpu = time.perf_counter(), time.thread_time()
            labels += self.index.knn_query(queries, k=K, num_threads=1)[0].tolist()
            cpus += [(time.thread_time() - cpu) / len(queries)] * len(queries)
            walls += [(time.perf_counter() - wall) / len(queries)] * len(queries)
        return labels, walls, cpus

    def pages(self):
        return {}

    def scan_counters(self):
        return {}

    def found(self, labels):
        return labels

    def close(self):
        pass


def measure_point(searchers, ef, rounds):
    """Measures all systems in turns at one ef_search; returns values by name."""
    samples = {name: [] for name in searchers}
    values = {}
    for name, searcher in searchers.items():
        searcher.set_ef(ef)
        results, _, _ = searcher.search_all()       # warms up, and is judged
        values[name] = quality(searcher.dataset, searcher.found(results))
        values[name]["pages"] = searcher.pages()
        values[name]["counters"] = searcher.scan_counters()
        values[name]["planner_chose_it"] = searcher.chosen
    for turn in range(rounds):
        names = list(searchers) if turn % 2 == 0 else list(searchers)[::-1]
        for name in names:
            samples[name].append(searchers[name].search_all()[1:])
    for name, runs in samples.items():
        values[name] |= {"ef": ef} | cost(runs)
    return values


def cost(runs):
    """Returns the figures of several runs of all queries, each (wall, CPU) seconds
    of every query."""
    walls, cpus = 1e6 * np.array([r[0] for r in runs]), 1e6 * np.array([r[1] for r in runs])
    # the best of each query: what it takes by itself, without what else the
    # machine did to its caches
    best = figures.per_query_best(cpus)
    values = {"cpu_us": float(best.mean()),
              "cpu_us_median": float(np.median(cpus.mean(axis=1))),
              "wall_us": float(figures.per_query_best(walls).mean())}
    for q in (50, 99):
        values[f"wall_p{q}_us"] = min(figures.percentile(run, q) for run in walls.tolist())
        values[f"cpu_p{q}_us"] = figures.percentile(best.tolist(), q)
    return values


def curve_key(name, dataset, ef_construction, ef):
    return {"system": name, "dataset": dataset.name, "ef_construction": ef_construction,
            "kind": "search", "ef": ef}


def measure_curve(bench, dataset, ef_construction):
    """The cells of a curve.  One ef_search is measured in all systems or, if all
    have it, in none, so that what is compared comes from one run."""
    stamps = {name: s.stamp for name, s in bench.systems.items()}
    if bench.hnswlib:
        stamps[HNSWLIB] = bench.hnswlib
    wanted = [ef for ef in bench.ef_search
              if any(not bench.done_as(curve_key(name, dataset, ef_construction, ef), stamp)
                     for name, stamp in stamps.items())]
    if not wanted:
        return
    searchers = {}
    try:
        for name, system in bench.systems.items():
            build.ensure_index(bench.server, system, dataset, ef_construction)
            index = tables.index_name(ef_construction)
            searchers[name] = Searcher(bench.server, system, dataset, index)
            tables.prewarm(searchers[name].session, "items", index)
        if bench.hnswlib:
            searchers[HNSWLIB] = InProcess(bench.store, dataset, ef_construction)
            if (took := searchers[HNSWLIB].build) is not None:
                bench.store.add(
                    {"system": HNSWLIB, "dataset": dataset.name,
                     "ef_construction": ef_construction, "kind": "build", "processes": 1},
                    bench.about(stamps[HNSWLIB]), took)
        run = f"{time.time():.0f}-{random.randrange(10**6)}"
        for ef in wanted:
            bench.say(curve_key(",".join(searchers), dataset, ef_construction, ef))
            for name, values in measure_point(searchers, ef, bench.rounds).items():
                bench.store.add(curve_key(name, dataset, ef_construction, ef),
                                bench.about(stamps[name]) | {"run": run}, values)
    finally:
        for searcher in searchers.values():
            searcher.close()


def measure_small_cache(bench, dataset, ef_construction):
    """Searches with shared_buffers of a tenth of the index, the kernel's cache
    emptied first: pages that a query has to read."""
    for system in bench.systems.values():
        key = tables.index_key(system, dataset, ef_construction) | {"kind": "small_cache"}
        if bench.done(key, system):
            continue
        build.ensure_index(bench.server, system, dataset, ef_construction)
        bench.say(key)
        database = tables.database_name(system, dataset)
        index = tables.index_name(ef_construction)
        with bench.server.session(database) as session:
            size = session.value("SELECT pg_relation_size(%s::regclass)", [index])
            session.run("CHECKPOINT")
            files = [f for r in (index, "items") for f in
                     tables.relation_files(bench.server, session, r)]
        buffers = max(int(SMALL_CACHE * size) // 8192, 128)
        bench.server.restart(shared_buffers=f"{8 * buffers}kB")
        try:
            searcher = Searcher(bench.server, system, dataset, index)
            points = []
            for ef in EF_SEARCH_COLD:
                searcher.set_ef(ef)
                evict(files)
                results, walls, cpus = searcher.search_all()
                point = quality(dataset, searcher.found(results)) | {
                    "ef": ef, "cpu_us": 1e6 * sum(cpus) / len(cpus),
                    "wall_us": 1e6 * sum(walls) / len(walls)}
                for kind, (fetched, read) in searcher.pages().items():
                    point[f"{kind}_fetched"], point[f"{kind}_read"] = fetched, read
                points.append(point)
            searcher.close()
            bench.add(key, system, {"shared_buffers": 8192 * buffers, "size": size,
                                    "points": points})
        finally:
            bench.server.restart()
