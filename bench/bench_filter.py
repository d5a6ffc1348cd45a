#!/usr/bin/env python3
"""Measures filtered searches: vecdb's beside pgvector's, with exact answers.

    bench_filter.py                         everything; takes hours, can be stopped
    bench_filter.py --quick                 the same with few rows and queries
    bench_filter.py --dataset packages --case "far half" --mode custom
    bench_filter.py --report                the tables so far, nothing is run

Makes a server of its own, as bench_index.py does, from the installation that
pg_config belongs to.  Every filter is run on custom and on generic plans, by vecdb as
it decides and with each of its strategies forced, and by pgvector in the ways that
its careful user has: bitmap scan and sort, iterative scans.  Every result is kept at
once; a run skips what is there, unless an extension has been built anew since.
"""

import argparse
import os
import signal
import sys
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parent))

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

import numpy as np
import psycopg

from bench_index import processor
from filter import cases, measure, metadata, report, tables, truth
from index import systems
from index.datasets import SOURCES, Dataset, data_directories
from index.server import Server
from index.store import Store, default_directory
from index.tables import encode

HERE = Path(__file__).resolve().parent
DATASETS = ("packages", "gen768", "gen128")


class Bench:
    """What every measurement needs, for one dataset at a time."""

    def __init__(self, options, store):
        self.options, self.store, self.rounds = options, store, options.rounds
        self.server = Server(options.pg_config, store.directory, options.shared_buffers)
        self.systems, self.has_strategy = {}, False

    def find_systems(self):
        found = systems.find_systems(self.server, self.options.peer, HERE.parent)
        self.systems = {n: s for n, s in found.items()
                        if not self.options.system or n in self.options.system}

    def load(self, dataset):
        """Has the dataset with its databases, filters and exact answers."""
        self.dataset = dataset.load()
        # the first queries of a file may be alike
        self.queries = np.asarray(dataset.queries[:self.options.queries])
        self.vectors = encode(self.queries)
        meta = metadata.metadata_of(dataset)
        self.cases = cases.cases_of(meta, self.queries)
        self.truths = truth.truths(dataset, self.cases, self.queries)
        for system in self.systems.values():
            name = tables.ensure(self.server, system, dataset, meta)
            if system.name == systems.OURS:
                with self.server.session(name) as session:
                    session.run("SELECT '[1]'::vector")
                    self.has_strategy = bool(session.run(
                        "SELECT 1 FROM pg_settings WHERE name = 'vecdb.filter_strategy'"))

    def key(self, system, case, mode, way):
        return {"system": system.name, "dataset": self.dataset.name, "case": case.name,
                "mode": mode, "way": way.name, "queries": len(self.queries)}

    def about(self, system):
        return {"stamp": system.stamp, "version": system.version, "load": os.getloadavg()[0],
                "postgresql": self.server.version, "machine": processor(),
                "shared_buffers": self.options.shared_buffers}

    def measure(self, case, mode):
        """Measures what is missing of a case; all systems if anything is, so that
        what is compared comes from one run."""
        cells = [(s, w) for s in self.systems.values() for w in measure.ways_of(s, self.has_strategy)]
        if not self.options.again and all(
                self.store.find(self.key(s, case, mode, w), s.stamp) is not None for s, w in cells):
            return
        print(f"-- {self.dataset.name} {case.name}, {mode}", flush=True)
        self.filters = {case.name: [case.make(i) for i in range(len(self.queries))]}
        for system, way, values in measure.measure_ways(self, case, mode, cells):
            values |= {"matches": float(self.truths[case.name][1].mean()),
                       "share": case.share, "kind": case.kind}
            self.store.add(self.key(system, case, mode, way), self.about(system), values)


def parse_args():
    p = argparse.ArgumentParser(description=__doc__,
                                formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--quick", action="store_true", help="few rows and queries")
    p.add_argument("--rows", type=int, help="rows of every dataset (default: its own number)")
    p.add_argument("--queries", type=int, help="of each filter (default 100, quick 30)")
    p.add_argument("--dataset", action="append", choices=DATASETS, default=[])
    p.add_argument("--case", action="append", default=[], help="only filters of this name")
    p.add_argument("--mode", action="append", choices=measure.MODES, default=[],
                   help="only custom or only generic plans")
    p.add_argument("--system", action="append", default=[], help="only vecdb, only pgvector")
    p.add_argument("--peer", action="append", metavar="EXTENSION", help="(default: vector)")
    p.add_argument("--rounds", type=int, default=3, help="(default %(default)s)")
    p.add_argument("--again", action="store_true", help="measure what has a result, too")
    p.add_argument("--data", metavar="DIRECTORY", help="where the files of real vectors are")
    p.add_argument("--state", metavar="DIRECTORY",
                   help=f"caches, results, cluster (default: {default_directory()})")
    p.add_argument("--pg-config", default=os.environ.get("PG_CONFIG", "pg_config"))
    p.add_argument("--shared-buffers", default="4GB", help="(default %(default)s)")
    p.add_argument("--report", action="store_true", help="print the tables, run nothing")
    p.add_argument("--write-results", metavar="FILE", help="put the tables into this Markdown file")
    a = p.parse_args()
    if a.rounds < 1 or (a.rows is not None and a.rows < 1000):
        p.error("--rounds is at least 1, --rows at least 1000")
    a.queries = a.queries or (30 if a.quick else 100)
    a.peer = a.peer or ["vector"]
    return a


def open_store(directory):
    """The state of this benchmark is below that of the index benchmark, whose
    vectors it shares."""
    store = Store(Path(directory) / "filter")
    store.cache = Path(directory).resolve() / "cache"
    store.cache.mkdir(exist_ok=True)
    return store


def choose_datasets(a, store):
    for name in a.dataset or DATASETS:
        source = SOURCES[name]
        try:
            yield Dataset(source, a.rows or (source.quick if a.quick else source.rows), store,
                          data_directories(a.data))
        except FileNotFoundError as e:
            print(f"{name}: left out, no file {e} (--data names its directory)", file=sys.stderr)


def run(bench, a):
    """Runs what was asked for; returns the number of measurements that failed."""
    failed = 0
    for dataset in choose_datasets(a, bench.store):
        print(f"{dataset.name}: {dataset.rows:,} rows, {dataset.dim} dimensions", flush=True)
        bench.load(dataset)
        for case in bench.cases:
            for mode in measure.MODES:
                if (a.case and case.name not in a.case) or (a.mode and mode not in a.mode):
                    continue
                try:
                    bench.measure(case, mode)
                except (psycopg.Error, RuntimeError) as e:
                    print(f"   FAILED: {case.name}: {e}", flush=True)
                    failed += 1
    return failed


def main():
    a = parse_args()
    store = open_store(a.state or default_directory())
    failed = 0
    if not a.report:
        store.lock()
        signal.signal(signal.SIGTERM, lambda *_: sys.exit("terminated"))
        bench = Bench(a, store)
        bench.server.start(max_connections="40")
        try:
            bench.find_systems()
            failed = run(bench, a)
        finally:
            bench.server.stop()
    wanted = a.dataset or a.rows or a.quick
    text = report.make(store, {d.name for d in choose_datasets(a, store)} if wanted else ())
    if a.write_results:
        report.insert(Path(a.write_results), text)
    print(text)
    if failed:
        sys.exit(f"{failed} measurements failed")


if __name__ == "__main__":
    main()
