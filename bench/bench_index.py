#!/usr/bin/env python3
"""Measures vecdb's hnsw index beside pgvector's, and hnswlib in process.

    bench_index.py                          everything; takes hours, can be stopped
    bench_index.py --quick                  the same with few rows
    bench_index.py --dataset packages --system vecdb --cell search
    bench_index.py --report > report.md     the tables so far, nothing is run; of the
                                            largest tables, or of those asked for

Makes a PostgreSQL server of its own in the state directory (--state), from the
installation that pg_config belongs to, which must have the extension vecdb and,
for the comparison, vector.  Every result goes to a file there; a run skips what
is in it, unless the extension has been built anew since.  Needs the packages of
requirements.txt.
"""

import argparse
import os
import platform
import re
import signal
import subprocess
import sys
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parent))

# numpy's answers are to come from one thread, beside other work on the machine
for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

import psycopg

from index import build, report, search, systems, write
from index.datasets import SOURCES, Dataset, data_directories
from index.server import Server
from index.store import Store, default_directory

HERE = Path(__file__).resolve().parent
CELLS = {
    "build": build.measure_builds,
    "search": search.measure_curve,
    "insert": write.measure_inserts,
    "small_cache": search.measure_small_cache,
    "churn": write.measure_churn,
    "build_quarter": build.measure_small_memory,
}
# measured with the first ef_construction only
ONCE = {"churn", "build_quarter"}
QUICK_EF_SEARCH = (10, 20, 40, 80, 160, 400)


def processor():
    """Returns the CPU's model and the number of CPUs for this process."""
    text = subprocess.run(["lscpu"], capture_output=True, text=True, check=False).stdout
    model = re.search(r"^Model name:\s*(.*)$", text, re.MULTILINE)
    return f"{model[1] if model else platform.machine()}, {os.cpu_count()} cores"


class Bench:
    """What every measurement needs: where, what, and how to keep the results."""

    def __init__(self, options, store):
        self.options, self.store = options, store
        self.rounds = options.rounds
        self.patient = options.patient
        self.ef_search = QUICK_EF_SEARCH if options.quick else search.EF_SEARCH
        self.server = Server(options.pg_config, store.directory, options.shared_buffers)
        self.systems, self.hnswlib = {}, None

    def find_systems(self):
        found = systems.find_systems(self.server, self.options.peer, HERE.parent)
        wanted = self.options.system
        self.systems = {n: s for n, s in found.items() if not wanted or n in wanted}
        if not wanted or systems.HNSWLIB in wanted:
            self.hnswlib = systems.hnswlib_version()
            if self.hnswlib is None:
                print("hnswlib: left out, the Python package is not installed", flush=True)

    def done(self, key, system):
        return self.done_as(key, system.stamp)

    def done_as(self, key, stamp):
        return not self.options.again and self.store.find(key, stamp) is not None

    def about(self, stamp, version=None):
        load = os.getloadavg()[0]
        return {"stamp": stamp, "version": version or self.version(stamp), "load": load,
                "postgresql": self.server.version, "machine": processor(),
                "shared_buffers": self.options.shared_buffers}

    def version(self, stamp):
        return next((s.version for s in self.systems.values() if s.stamp == stamp), stamp)

    def add(self, key, system, values):
        self.store.add(key, self.about(system.stamp), values)

    def say(self, key):
        print("-- " + " ".join(f"{v}" if k in ("system", "dataset", "kind") else f"{k}={v}"
                               for k, v in key.items()), flush=True)


def parse_args():
    p = argparse.ArgumentParser(description=__doc__,
                                formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--quick", action="store_true", help="few rows, few ef_search")
    p.add_argument("--rows", type=int, help="rows of every dataset (default: its own number)")
    p.add_argument("--dataset", action="append", choices=SOURCES, default=[],
                   help="only this one (may be repeated)")
    p.add_argument("--system", action="append", default=[],
                   help="only this one: vecdb, pgvector, hnswlib, or a --peer")
    p.add_argument("--cell", action="append", choices=CELLS, default=[],
                   help="only these measurements")
    p.add_argument("--ef-construction", type=int, action="append", default=[],
                   help="(default: 64 and 200)")
    p.add_argument("--ef-search", type=int, action="append", default=[],
                   help="only these points of a curve")
    p.add_argument("--peer", action="append", metavar="EXTENSION",
                   help="another extension with an access method hnsw and pgvector's "
                        "names (default: vector)")
    p.add_argument("--rounds", type=int, default=5, help="of a search (default %(default)s)")
    p.add_argument("--again", action="store_true", help="measure what has a result, too")
    p.add_argument("--patient", action="store_true",
                   help="peers build above %d rows with little memory, too" % build.PEER_ROWS)
    p.add_argument("--data", metavar="DIRECTORY", help="where the files of real vectors are "
                   "(default: $VECDB_BENCH_DATA, ../shared/data beside the sources, bench/data)")
    p.add_argument("--state", metavar="DIRECTORY",
                   help=f"results, caches, cluster (default: {default_directory()})")
    p.add_argument("--pg-config", default=os.environ.get("PG_CONFIG", "pg_config"))
    p.add_argument("--shared-buffers", default="4GB", help="(default %(default)s)")
    p.add_argument("--report", action="store_true", help="print the tables, run nothing")
    p.add_argument("--write-results", metavar="FILE",
                   help="put the tables into this Markdown file")
    a = p.parse_args()
    if a.rounds < 1 or (a.rows is not None and a.rows < 1000):
        p.error("--rounds is at least 1, --rows at least 1000")
    if a.ef_search and not all(1 <= ef <= 1000 for ef in a.ef_search):
        p.error("--ef-search is 1 to 1000")
    a.peer = a.peer or ["vector"]
    a.ef_construction = a.ef_construction or [64, 200]
    return a


def choose_datasets(a, store):
    """Returns the datasets that were asked for and can be had."""
    chosen = []
    for name in a.dataset or SOURCES:
        source = SOURCES[name]
        rows = a.rows or (source.quick if a.quick else source.rows)
        try:
            chosen.append(Dataset(source, rows, store, data_directories(a.data)))
        except FileNotFoundError as e:
            if not a.report:
                print(f"{name}: left out, no file {e} (--data names its directory)", flush=True)
    return chosen


def run_cells(bench, a):
    """Runs what was asked for; returns the number of measurements that failed.
    One that fails leaves its place open, and the others go on."""
    failed = 0
    for dataset in choose_datasets(a, bench.store):
        print(f"{dataset.name}: {dataset.rows:,} rows, {dataset.dim} dimensions, "
              f"{dataset.metric}", flush=True)
        dataset.load().truth()
        for number, ef_construction in enumerate(a.ef_construction):
            for cell, measure in CELLS.items():
                if (a.cell and cell not in a.cell) or (cell in ONCE and number > 0):
                    continue
                try:
                    measure(bench, dataset, ef_construction)
                except (psycopg.Error, RuntimeError) as e:
                    print(f"   FAILED: {cell}: {e}", flush=True)
                    failed += 1
    return failed


def main():
    a = parse_args()
    store = Store(a.state or default_directory())
    failed = 0
    if not a.report:
        store.lock()
        # so that the server stops with us
        signal.signal(signal.SIGTERM, lambda *_: sys.exit("terminated"))
        bench = Bench(a, store)
        if a.ef_search:
            bench.ef_search = sorted(set(a.ef_search))
        bench.server.start()
        try:
            bench.find_systems()
            failed = run_cells(bench, a)
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
