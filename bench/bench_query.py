#!/usr/bin/env python3
"""Measures exact search end to end: where does the time of a full scan go?

    bench_query.py --rows 100000 --dim 768 > result.md

Connects by psql's environment variables to a server ON THIS MACHINE with the
extension vecdb (the CPU time of its processes is read from /proc, as a user who
may do so).  Makes two tables of the same rows in the schema vecdb_bench, drops
them at the end:

  inline   toast_tuple_target = 8160: a row that fits a page is left alone, as in
           the tables of collections
  toasted  PostgreSQL's default: a row above 2 kB keeps its vector elsewhere

and runs on each, with everything in shared_buffers, in one process:

  scan      count(*): pages and tuples, no vector
  fetch     sum(vector_get(v, 1)): ... and the vector, detoasted if need be
  distance  min(v <=> q): ... and the distance
  top 10    ORDER BY v <=> q LIMIT 10: the query itself

then the top 10 with parallel workers.  "cpu" is the time that the processes
spent on a CPU, "wall" what the client waited.  Figures are the best of the
runs, because other work on the machine can only add to them; the median beside
it tells how much it did (the workers' CPU time is known as a mean only).
Prints Markdown.  Needs numpy and psql; with perf, also the functions that the
top 10 spends its time in.
"""

import argparse
import json
import os
import platform
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
SCHEMA = "vecdb_bench"
TABLES = {"inline": "toast_tuple_target = 8160", "toasted": "toast_tuple_target = 2032"}
OPERATORS = {"cosine": "<=>", "l2": "<->", "ip": "<#>", "l1": "<+>"}
END = "-- end of answer --"


class Session:
    """A psql that stays connected, so that one backend runs every query."""

    def __init__(self):
        self.psql = subprocess.Popen(
            ["psql", "-XAtq", "-v", "ON_ERROR_STOP=1"], text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.run("SET client_min_messages = warning;")
        self.pid = int(self.run("SELECT pg_backend_pid();")[0])
        try:
            stat = Path(f"/proc/{self.pid}/stat").read_text()
            Path(f"/proc/{self.pid}/schedstat").read_text()
        except OSError as e:
            sys.exit(f"bench_query.py: the server must run on this machine: {e}")
        if "(postgres)" not in stat:
            sys.exit("bench_query.py: the server must run on this machine: "
                     f"process {self.pid} here is no PostgreSQL")
        self.postmaster = int(stat.rpartition(")")[2].split()[1])

    def run(self, sql):
        """Runs statements and returns the lines that they printed."""
        self.psql.stdin.write(f"{sql}\n\\echo {END}\n")
        self.psql.stdin.flush()
        lines = []
        for line in self.psql.stdout:
            if line.rstrip("\n") == END:
                return lines
            lines.append(line.rstrip("\n"))
        sys.exit(f"bench_query.py: psql ended in: {sql[:100]}")

    def cpu(self):
        """Returns the seconds that the backend has spent on a CPU."""
        return int(Path(f"/proc/{self.pid}/schedstat").read_text().split()[0]) * 1e-9

    def workers_cpu(self):
        """Returns the CPU seconds of the postmaster's children that have ended,
        in ticks of 10 ms.  Measure over several queries."""
        stat = Path(f"/proc/{self.postmaster}/stat").read_text()
        fields = stat.rpartition(")")[2].split()
        return (int(fields[13]) + int(fields[14])) / os.sysconf("SC_CLK_TCK")


def make_tables(session, rows, dim):
    """Fills both tables with the same rows and reads them into memory."""
    session.run(f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE; CREATE SCHEMA {SCHEMA};")
    for table, option in TABLES.items():
        session.run(f"CREATE TABLE {SCHEMA}.{table} (id text, v vector({dim}), "
                    f"metadata jsonb) WITH ({option}, autovacuum_enabled = false);")
    generate = subprocess.Popen(
        [sys.executable, HERE / "generate.py", "-n", str(rows), "-d", str(dim)],
        stdout=subprocess.PIPE)
    copy = subprocess.run(
        ["psql", "-Xq", "-v", "ON_ERROR_STOP=1", "-c",
         f"COPY {SCHEMA}.inline FROM STDIN (FORMAT binary)"],
        stdin=generate.stdout, check=False)
    generate.stdout.close()
    if generate.wait() != 0 or copy.returncode != 0:
        sys.exit("bench_query.py: could not load the data")
    session.run(f"INSERT INTO {SCHEMA}.toasted SELECT * FROM {SCHEMA}.inline;")
    for table in TABLES:
        session.run(f"VACUUM (FREEZE, ANALYZE) {SCHEMA}.{table};")
    # a scan of a table above a quarter of shared_buffers does not fill them
    if session.run("SELECT FROM pg_available_extensions WHERE name = 'pg_prewarm';"):
        session.run("CREATE EXTENSION IF NOT EXISTS pg_prewarm SCHEMA vecdb_bench;")
        session.run(f"""SELECT count({SCHEMA}.pg_prewarm(r)) FROM (
            SELECT oid::regclass FROM pg_class WHERE relnamespace = '{SCHEMA}'::regnamespace
              AND relkind = 'r'
            UNION ALL SELECT reltoastrelid::regclass FROM pg_class
              WHERE oid = '{SCHEMA}.toasted'::regclass
            UNION ALL SELECT indexrelid::regclass FROM pg_index JOIN pg_class c
              ON indrelid = c.reltoastrelid WHERE c.oid = '{SCHEMA}.toasted'::regclass) t(r);""")


def queries(table, operator, vector):
    """Returns the steps of a search, each doing a little more."""
    name = f"{SCHEMA}.{table}"
    return {
        "scan": f"SELECT count(*) FROM {name};",
        "fetch": f"SELECT sum(vector_get(v, 1)) FROM {name};",
        "distance": f"SELECT min(v {operator} '{vector}') FROM {name};",
        "top 10": f"SELECT id FROM {name} ORDER BY v {operator} '{vector}' LIMIT 10;",
    }


def measure(session, statements, repeat):
    """Returns for each statement the (wall, backend's CPU) seconds of repeat
    runs.  The statements take turns, so that a disturbance from outside does
    not hit one of them alone; a first round does not count."""
    runs = [[] for _ in statements]
    for turn in range(repeat + 1):
        for sql, samples in zip(statements, runs):
            before = session.cpu()
            start = time.perf_counter()
            session.run(sql)
            if turn > 0:
                samples.append((time.perf_counter() - start, session.cpu() - before))
    return runs


def measure_parallel(session, sql, repeat):
    """Returns (best wall, median wall, mean CPU with the workers') seconds."""
    session.run(sql)
    time.sleep(0.1)
    workers = session.workers_cpu()
    samples = measure(session, [sql], repeat)[0]
    time.sleep(0.1)                     # the postmaster reaps the last worker
    # measure() ran the statement once more than it counted
    workers = (session.workers_cpu() - workers) / (repeat + 1)
    wall, cpu = zip(*samples)
    return min(wall), statistics.median(wall), statistics.mean(cpu) + workers


def plan_nodes(node):
    yield node
    for child in node.get("Plans", ()):
        yield from plan_nodes(child)


def explain(session, sql, analyze):
    """Returns the root of a plan and the number of workers launched or planned."""
    options = "ANALYZE, BUFFERS, TIMING OFF, FORMAT JSON" if analyze else "FORMAT JSON"
    root = json.loads("\n".join(session.run(f"EXPLAIN ({options}) {sql}")))[0]["Plan"]
    key = "Workers Launched" if analyze else "Workers Planned"
    return root, sum(node.get(key, 0) for node in plan_nodes(root))


def set_workers(session, workers):
    """Makes the planner use exactly so many workers; None: as it likes."""
    forced = workers is not None
    session.run(f"SET max_parallel_workers_per_gather = {workers if forced else 2};")
    for setting in ("parallel_setup_cost", "parallel_tuple_cost"):
        session.run(f"SET {setting} = 0;" if forced else f"RESET {setting};")
    for table in TABLES:
        session.run(f"ALTER TABLE {SCHEMA}.{table} "
                    + (f"SET (parallel_workers = {workers});" if forced
                       else "RESET (parallel_workers);"))


def memory_baseline(rows, dim):
    """Returns the seconds of one matrix-vector product over as many contiguous
    numbers in this process: BLAS, one thread, no database."""
    matrix = np.ones((rows, dim), np.float32)
    vector = np.ones(dim, np.float32)
    times = []
    for _ in range(4):
        start = time.perf_counter()
        matrix @ vector
        times.append(time.perf_counter() - start)
    return min(times)


def profile(session, sql, seconds):
    """Returns perf's (percent, symbol) of the backend during repeated runs of a
    query, or a sentence why there are none."""
    if not shutil.which("perf"):
        return "perf is not installed"
    with tempfile.TemporaryDirectory() as directory:
        data = os.path.join(directory, "perf.data")
        perf = subprocess.Popen(
            ["perf", "record", "-q", "-e", "cpu-clock", "-F", "999", "-o", data,
             "-p", str(session.pid)], stderr=subprocess.PIPE, text=True)
        end = time.monotonic() + seconds
        while time.monotonic() < end and perf.poll() is None:
            session.run(sql)
        perf.send_signal(signal.SIGINT)
        error = perf.communicate()[1]
        report = subprocess.run(
            ["perf", "report", "--stdio", "-i", data, "-F", "overhead,symbol"],
            capture_output=True, text=True, check=False).stdout
    found = re.findall(r"^\s*([0-9.]+)%\s+\[(.)\] (\S+)", report, re.MULTILINE)
    if not found:
        return f"perf: {error.strip() or 'no samples'}"
    shares = {}
    for percent, where, symbol in found:
        if symbol.startswith("0x"):
            symbol = "functions whose names the binary lacks"
        elif where == "k":
            symbol += " (kernel)"
        shares[symbol] = shares.get(symbol, 0) + float(percent)
    return sorted(((v, k) for k, v in shares.items()), reverse=True)


def processor():
    """Returns the CPU's model and the number of CPUs for this process."""
    text = subprocess.run(["lscpu"], capture_output=True, text=True,
                          check=False).stdout
    model = re.search(r"^Model name:\s*(.*)$", text, re.MULTILINE)
    return f"{model[1] if model else platform.machine()}, {os.cpu_count()} cores"


def print_head(session, a):
    version, buffers, jit = session.run(
        "SELECT current_setting('server_version'); SHOW shared_buffers; SHOW jit;")
    simd = session.run("SHOW vecdb.simd;")[0]
    print(f"{a.rows:,} rows, {a.dim} dimensions, {a.metric} distance; "
          f"PostgreSQL {version.split()[0]}, shared_buffers {buffers}, jit {jit}, "
          f"vecdb.simd {simd}; {processor()}, load {os.getloadavg()[0]:.1f} at the "
          f"start; best of {a.repeat} runs.\n")


def print_serial(session, a, vector):
    """Measures and prints the steps in one process."""
    set_workers(session, 0)
    steps = [(table, step, sql) for table in TABLES
             for step, sql in queries(table, OPERATORS[a.metric], vector).items()]
    runs = measure(session, [sql for _, _, sql in steps], a.repeat)
    print("| one process | wall ms | cpu ms (median) | cpu us a row "
          "| added by this step | pages a row: hit + read |")
    print("| --- | --- | --- | --- | --- | --- |")
    last = 0.0
    for (table, step, sql), samples in zip(steps, runs):
        wall, cpu = zip(*samples)
        root, _ = explain(session, sql, True)
        per_row = 1e6 * min(cpu) / a.rows
        added = per_row - (0 if step == "scan" else last)
        print(f"| {table}: {step} | {1e3 * min(wall):.1f} "
              f"| {1e3 * min(cpu):.1f} ({1e3 * statistics.median(cpu):.1f}) "
              f"| {per_row:.2f} | {added:+.2f} "
              f"| {root['Shared Hit Blocks'] / a.rows:.2f} + "
              f"{root['Shared Read Blocks'] / a.rows:.2f} |")
        last = per_row
    base = memory_baseline(a.rows, a.dim)
    print(f"| numpy: matrix times vector in memory | {1e3 * base:.1f} | | "
          f"{1e6 * base / a.rows:.2f} | | |")
    gigabytes = 4e-9 * a.rows * a.dim
    print(f"\nThe vectors are {gigabytes:.2f} GB; numpy reads them at "
          f"{gigabytes / base:.1f} GB/s.\n")


def print_parallel(session, a, vector):
    """Measures and prints the top 10 with workers, and the planner's own choice."""
    print("| top 10 | processes | wall ms (median) | cpu ms, all processes "
          "| planner's own choice |")
    print("| --- | --- | --- | --- | --- |")
    for table in TABLES:
        sql = queries(table, OPERATORS[a.metric], vector)["top 10"]
        set_workers(session, None)
        _, planned = explain(session, sql, False)
        for workers in range(a.workers + 1):
            set_workers(session, workers)
            _, launched = explain(session, sql, True)
            wall, median, cpu = measure_parallel(session, sql, a.repeat)
            chosen = f"{planned} workers" if workers == 0 else ""
            print(f"| {table} | {1 + launched} | {1e3 * wall:.1f} ({1e3 * median:.1f}) "
                  f"| {1e3 * cpu:.1f} | {chosen} |")
    print()


def print_profile(session, a, vector):
    """Prints what the top 10 spends its time in."""
    set_workers(session, 0)
    for table in TABLES:
        sql = queries(table, OPERATORS[a.metric], vector)["top 10"]
        found = profile(session, sql, a.profile)
        print(f"{table}, top 10, one process, by function: ", end="")
        if isinstance(found, str):
            print(f"not measured ({found})\n")
        else:
            print(", ".join(f"{symbol} {percent:.0f} %" for percent, symbol in found
                            if percent >= 1.5) + "\n")


def main():
    p = argparse.ArgumentParser(description=__doc__,
                                formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--rows", type=int, default=100000)
    p.add_argument("--dim", type=int, default=768)
    p.add_argument("--metric", choices=OPERATORS, default="cosine")
    p.add_argument("--repeat", type=int, default=9)
    p.add_argument("--workers", type=int, default=1,
                   help="measure 0 to this many parallel workers (default 1)")
    p.add_argument("--profile", type=float, default=5, metavar="SECONDS",
                   help="of perf on each table, 0 for none (default 5)")
    p.add_argument("--keep", action="store_true", help="leave the tables")
    a = p.parse_args()
    if a.rows < 1 or a.repeat < 1 or not 1 <= a.dim <= 2000 or a.workers < 0:
        p.error("--rows and --repeat are at least 1, --workers at least 0, --dim is "
                "1 to 2000 (a wider vector does not fit a page: it cannot be inline)")
    session = Session()
    make_tables(session, a.rows, a.dim)
    query = subprocess.run(
        [sys.executable, HERE / "generate.py", "-n", "1", "-d", str(a.dim),
         "--part", "queries", "--format", "npy"], stdout=subprocess.PIPE, check=True)
    vector = json.dumps(np.frombuffer(query.stdout[-4 * a.dim:], "<f4").tolist())
    print_head(session, a)
    print_serial(session, a, vector)
    print_parallel(session, a, vector)
    if a.profile > 0:
        print_profile(session, a, vector)
    if not a.keep:
        session.run(f"DROP SCHEMA {SCHEMA} CASCADE;")


if __name__ == "__main__":
    # numpy's baseline is that of one thread, as the backend's is
    if os.environ.get("OMP_NUM_THREADS") != "1":
        os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")
        os.execv(sys.executable, [sys.executable, *sys.argv])
    main()
