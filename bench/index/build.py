"""Index builds: time, CPU time, memory, size."""

import os
import threading
import time
from pathlib import Path

from . import figures, search, tables
from .systems import OURS

SAMPLE_SECONDS = 0.05
MEMORY_STEP = 0.25          # of the peak, for a build that has too little
PEER_ROWS = 100000          # a peer's such build takes hours above (--patient)


class MemoryWatch(threading.Thread):
    """Follows the memory of a backend and its parallel workers: what is theirs
    alone, and the dynamic shared memory between them (not shared_buffers)."""

    def __init__(self, session):
        super().__init__(daemon=True)
        self.leader = session.pid
        self.postmaster = session.server.postmaster()
        self.peak = 0
        self.workers = set()
        self.ended = threading.Event()
        self.start_bytes = self.now()

    def worker_pids(self):
        """Returns the leader's parallel workers, by the titles of the
        postmaster's children."""
        children = Path(f"/proc/{self.postmaster}/task/{self.postmaster}/children")
        title = f"parallel worker for PID {self.leader}"
        found = []
        for pid in children.read_text().split():
            try:
                if title in Path(f"/proc/{pid}/cmdline").read_text():
                    found.append(int(pid))
            except OSError:
                pass                    # has just ended
        return found

    def shared(self):
        """Returns the bytes in use of the leader's dynamic shared memory."""
        total = 0
        for line in Path(f"/proc/{self.leader}/maps").read_text().splitlines():
            if "/dev/shm/PostgreSQL." in line:
                try:
                    total += os.stat(line.split()[-1]).st_blocks * 512
                except OSError:
                    pass                # has just been removed
        return total

    def now(self):
        workers = self.worker_pids()
        self.workers.update(workers)
        total = self.shared()
        for pid in (self.leader, *workers):
            try:
                status = Path(f"/proc/{pid}/status").read_text()
                total += figures.parse_status_kb(status, "RssAnon")
            except OSError:
                pass
        return total

    def run(self):
        while not self.ended.wait(SAMPLE_SECONDS):
            try:
                self.peak = max(self.peak, self.now() - self.start_bytes)
            except OSError:
                return

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        self.join()


def enough_memory(dataset):
    """Returns maintenance_work_mem in kB that no system's graph exceeds."""
    return int(1.5 * dataset.rows * (4 * dataset.dim + 1200)) // 1024 + 65536


def build(server, system, dataset, ef_construction, workers, memory_kb, name=None):
    """Builds an index, under its usual name or another one, and returns what it
    took."""
    database = tables.ensure_table(server, system, dataset)
    name = name or tables.index_name(ef_construction)
    with server.session(database) as session:
        session.run(f"DROP INDEX IF EXISTS {name}")
        session.run("CHECKPOINT")
        tables.prewarm(session, "items")
        session.run(f"SET maintenance_work_mem = {memory_kb}")
        session.run(f"SET max_parallel_maintenance_workers = {workers}")
        notices = []
        session.connection.add_notice_handler(lambda d: notices.append(d.message_primary))
        lsn, ended, cpu = session.lsn(), server.ended_cpu(), session.cpu()
        start = time.perf_counter()
        with MemoryWatch(session) as watch:
            session.run(system.create_index(name, "items", dataset.metric, ef_construction))
        wall = time.perf_counter() - start
        cpu = session.cpu() - cpu
        time.sleep(0.2)                 # the postmaster reaps the workers
        values = {"wall": wall, "cpu": cpu + server.ended_cpu() - ended,
                  "workers": len(watch.workers), "memory": watch.peak,
                  "memory_kb_allowed": memory_kb, "wal": session.lsn() - lsn,
                  "size": session.value("SELECT pg_relation_size(%s::regclass)", [name]),
                  "heap": session.value("SELECT pg_table_size('items')"),
                  "notices": notices}
        tables.mark_index(session, system, name)
    values["recall40"] = search.recall_once(server, system, dataset, name, 40)
    return values


def drop(server, system, dataset, name):
    with server.session(tables.database_name(system, dataset)) as session:
        session.run(f"DROP INDEX {name}")


def ensure_index(server, system, dataset, ef_construction):
    """Has the index, with whatever it takes; nothing is measured."""
    database = tables.ensure_table(server, system, dataset)
    name = tables.index_name(ef_construction)
    with server.session(database) as session:
        if tables.has_index(session, system, name):
            return
        print(f"   building {system.name}'s index, not measured", flush=True)
        session.run(f"DROP INDEX IF EXISTS {name}")
        session.run(f"SET maintenance_work_mem = {enough_memory(dataset)}")
        session.run("SET max_parallel_maintenance_workers = 1")
        session.run(system.create_index(name, "items", dataset.metric, ef_construction))
        tables.mark_index(session, system, name)


def measure_builds(bench, dataset, ef_construction):
    """The cells of a dataset's builds, all systems one after the other unless all
    have been measured.  The index of the build with one process stays."""
    enough = enough_memory(dataset)
    for workers in (0, 1):
        keys = {system: tables.index_key(system, dataset, ef_construction) | {
            "kind": "build", "processes": workers + 1} for system in bench.systems.values()}
        if all(bench.done(key, system) for system, key in keys.items()):
            continue
        for system, key in keys.items():
            bench.say(key)
            name = None if workers == 0 else "items_parallel"
            values = build(bench.server, system, dataset, ef_construction, workers,
                           enough, name)
            if values["workers"] != workers:
                print(f"   {system.name} started {values['workers']} workers, not {workers}",
                      flush=True)
            bench.add(key, system, values)
            if name is not None:
                drop(bench.server, system, dataset, name)


def measure_small_memory(bench, dataset, ef_construction):
    """Builds in a quarter of the memory that the same build used at most."""
    for system in bench.systems.values():
        key = tables.index_key(system, dataset, ef_construction) | {
            "kind": "build_quarter"}
        if bench.done(key, system):
            continue
        if system.name != OURS and dataset.rows > PEER_ROWS and not bench.patient:
            continue
        whole = bench.store.find(
            key | {"kind": "build", "processes": 1}, system.stamp)
        if whole is None:
            print(f"   {system.name}: a quarter of the memory is unknown before the "
                  "build with enough", flush=True)
            continue
        bench.say(key)
        kb = max(int(whole["memory"] * MEMORY_STEP) // 1024, 1024)
        bench.add(key, system, build(bench.server, system, dataset, ef_construction, 0,
                                     kb, "items_quarter"))
        drop(bench.server, system, dataset, "items_quarter")
