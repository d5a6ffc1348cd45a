"""Recall, completeness, cost and plan of a case, in all ways to run it."""

import collections
import dataclasses
import json
import time

import numpy as np

from index import figures, search, systems
from index.datasets import K, OPERATORS
from index.server import check
from index.tables import encode, prewarm

from . import tables

MODES = ("custom", "generic")
FIRST = 5               # queries that show whether a way is hopeless
HOPELESS = 8.0          # times the cheapest way so far
EXPLAINED = 10          # queries whose plans are looked at
ENOUGH_RECALL = 0.95
PROPERTIES = ("Bitmap Rows", "Nodes Visited", "Heap Fetches", "Distances",
              "Rows Removed by Filter")


@dataclasses.dataclass(frozen=True)
class Way:
    """How a system is told to answer."""
    name: str
    settings: tuple = ()


def ways_of(system, has_strategy):
    """Returns the ways to run a query; the first is what it does by itself."""
    if system.name == systems.OURS:
        forced = ("exact", "graph", "vector") if has_strategy else ()
        return [Way("auto"), *(Way(s, (("vecdb.filter_strategy", s),)) for s in forced)]
    ways = [Way("default"), Way("bitmap", (("enable_indexscan", "off"),))]
    for order, ef, most in (("relaxed", 40, 20000), ("relaxed", 100, 20000), ("relaxed", 200, 20000),
                            ("relaxed", 400, 1000000), ("strict", 40, 20000), ("strict", 200, 20000),
                            ("strict", 400, 1000000)):
        ways.append(Way(f"{order} {ef}" + (", all tuples" if most > 20000 else ""),
                        (("hnsw.iterative_scan", f"{order}_order"), ("hnsw.ef_search", str(ef)),
                         ("hnsw.max_scan_tuples", str(most)),
                         *((("hnsw.scan_mem_multiplier", "8"),) if most > 20000 else ()))))
    return ways


class Runner:
    """A session that runs one case in one way."""

    def __init__(self, bench, system, case, way, mode):
        dataset = bench.dataset
        self.bench, self.case, self.mine = bench, case, system.name == systems.OURS
        self.session = bench.server.session(tables.database_name(system, dataset))
        run = self.session.run
        run(f"SET plan_cache_mode = force_{mode}_plan")
        run("SET max_parallel_workers_per_gather = 0")
        for name, value in way.settings:
            run(f"SET {name} = {value}")
        if case.plain or not self.mine:
            condition, types = case.plain or case.theirs, case.types
        else:
            condition, types = "metadata @~ $3", ("vecdb_filter",)
        oids = [self.session.value("SELECT %s::regtype::oid::bigint", [t])
                for t in ("vector", "bigint", *types)]
        self.session.prepare("q", f"SELECT id FROM items WHERE {condition} ORDER BY v "
                             f"{OPERATORS[dataset.metric]} $1 LIMIT $2", oids)

    def close(self):
        self.session.close()

    def parameters(self, number):
        ways = self.bench.filters[self.case.name][number]
        if self.mine and not self.case.plain:
            return [json.dumps(ways.ours).encode()]
        return [text.encode() for text in ways.theirs]

    def run(self, numbers):
        """Runs queries once; returns (rows found, wall seconds, CPU seconds) of each."""
        pgconn, cpu, clock = self.session.connection.pgconn, self.session.cpu, time.perf_counter
        found, walls, cpus = [], [], []
        for number in numbers:
            parameters = [self.bench.vectors[number], str(K).encode(), *self.parameters(number)]
            formats = [1] + [0] * (len(parameters) - 1)
            before, start = cpu(), clock()
            result = pgconn.exec_prepared(b"q", parameters, formats, 1)
            walls.append(clock() - start)
            cpus.append(cpu() - before)
            check(result)
            found.append([int.from_bytes(result.get_value(i, 0), "big") for i in range(result.ntuples)])
        return found, walls, cpus

    def plans(self, numbers):
        """Explains queries; returns how often each strategy was taken, why, and the
        node's figures."""
        strategies, reasons, totals = collections.Counter(), collections.Counter(), collections.Counter()
        for number in numbers:
            vector = "[" + ",".join(map(str, np.asarray(self.bench.queries[number]).tolist())) + "]"
            arguments = [vector, str(K), *(p.decode() for p in self.parameters(number))]
            text = ", ".join("'" + a.replace("'", "''") + "'" for a in arguments)
            plan = self.session.value(f"EXPLAIN (ANALYZE, TIMING off, FORMAT JSON) EXECUTE q({text})")
            node = searching_node(plan[0]["Plan"])
            strategies[node.get("Strategy") or node["Node Type"]] += 1
            reasons[node.get("Reason", "")] += 1
            for name in PROPERTIES:
                totals[name] += node.get(name, 0)
        return {"strategies": dict(strategies), "reasons": dict(reasons.most_common(3)),
                "figures": {name: total / len(numbers) for name, total in totals.items()}}


def searching_node(plan):
    """Returns the node of a plan that reads the table."""
    while plan["Node Type"] in ("Limit", "Sort", "Result", "Gather", "Gather Merge", "Incremental Sort"):
        plan = plan["Plans"][0]
    return plan


def quality(dataset, filters, found, truth, numbers):
    """Returns what can be said of the rows found by some queries."""
    distances, matches = truth
    recalls, short, wrong, duplicates = [], 0, 0, 0
    for rows, number in zip(found, numbers):
        rows = np.asarray(rows, dtype=int)
        unique = np.unique(rows)
        want = min(K, matches[number])
        short += len(rows) < want
        wrong += int((~filters[number].mask[unique]).sum())
        duplicates += len(rows) - len(unique)
        if want:
            limit = distances[number][want - 1]
            limit += figures.TIE * max(abs(limit), 1)
            hits = (dataset.distances(number, unique) <= limit).sum() if len(unique) else 0
            recalls.append(min(hits, want) / want)
    return {"queries": len(numbers), "short": int(short), "wrong": wrong, "duplicates": duplicates,
            "rows": float(np.mean([len(r) for r in found])),
            "recall": float(np.mean(recalls)) if recalls else 1.0,
            "recall_p5": float(figures.percentile(recalls, 5)) if recalls else 1.0}


def is_good(values):
    """Says whether an answer is complete and near enough."""
    return values["short"] == 0 and values["recall"] >= ENOUGH_RECALL


def measure_ways(bench, case, mode, cells):
    """Measures all ways to run a case, in turns; cells are (system, way).  A way
    that is far dearer than another that answers well is left after a few queries.
    Yields (system, way, values)."""
    numbers = list(range(len(bench.queries)))
    filters, truth = bench.filters[case.name], bench.truths[case.name]
    runners, samples, values = {}, {}, {}
    cheapest = float("inf")
    try:
        for cell in cells:
            runner = runners[cell] = Runner(bench, cell[0], case, cell[1], mode)
            if len(samples) == 0 or cell[0] != cells[0][0]:
                prewarm(runner.session, "items", "items_v")
            runner.run(numbers[:1])
            found, walls, cpus = runner.run(numbers[:FIRST])
            used = numbers[:FIRST]
            if np.mean(cpus) <= HOPELESS * cheapest:
                more = runner.run(numbers[FIRST:])
                found, walls, cpus = found + more[0], walls + more[1], cpus + more[2]
                used = numbers
            values[cell] = quality(bench.dataset, filters, found, truth, used)
            samples[cell] = [(walls, cpus)]
            if is_good(values[cell]) and used is numbers:
                cheapest = min(cheapest, np.mean(cpus))
        for turn in range(1, bench.rounds):
            for cell in list(cells)[::1 if turn % 2 else -1]:
                if values[cell]["queries"] == len(numbers):
                    samples[cell].append(runners[cell].run(numbers)[1:])
        for cell in cells:
            values[cell] |= search.cost(samples[cell])
            by_itself = cell[1].name in ("auto", "default")
            values[cell] |= runners[cell].plans(numbers[:EXPLAINED if by_itself else 1])
            yield *cell, values[cell]
    finally:
        for runner in runners.values():
            runner.close()
