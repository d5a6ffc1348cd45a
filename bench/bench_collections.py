#!/usr/bin/env python3
"""Where the time of one search of a collection goes, in SQL and over HTTP.

    bench_collections.py                        50,000 points of 128 dimensions
    bench_collections.py --rows 200000 --dimension 768
    bench_collections.py --no-http              without PostgREST and nginx

Makes a PostgreSQL server of its own in a temporary directory, from the
installation that pg_config belongs to, which must have the extension vecdb and
pg_stat_statements.  CPU times are those of the processes; what is planning is
told by pg_stat_statements, in runs of their own, since it takes time itself.
Needs the packages of requirements.txt; for HTTP, PostgREST ($POSTGREST or on
PATH) and nginx.
"""

import argparse
import http.client
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parent))

import numpy as np

from index import figures
from index.server import Server, fail

TOP = Path(__file__).resolve().parents[1]
DATABASE = "collections"
# "u" of a point's metadata is a random number below a million
FILTERS = {
    "none": {},
    "50 %": {"u": {"$lt": 500000}},
    "10 %": {"u": {"$lt": 100000}},
    "1 %": {"u": {"$lt": 10000}},
    "0.1 %": {"u": {"$lt": 1000}},
    "one row": {"n": 4711},
    "1 %, two conditions": {"u": {"$lt": 100000}, "tenth": 3},
}
SEARCH = "SELECT id, score, metadata FROM vecdb.search('c', $1, 10, $2)"


def make_vectors(rng, n, dimension):
    """Returns clustered vectors of low intrinsic dimension, as embeddings are."""
    frame = rng.standard_normal((16, dimension))
    centres = rng.standard_normal((100, 16)) * 1.5
    latent = centres[rng.integers(100, size=n)] + rng.standard_normal((n, 16))
    return (latent @ frame + 0.3 * rng.standard_normal((n, dimension))).astype(np.float32)


def text_of(vector):
    return "[" + ",".join(f"{x:.6g}" for x in vector) + "]"


def load(session, a, vectors):
    """Makes the collection, with its indexes and statistics."""
    rng = np.random.default_rng(2)
    u = rng.integers(1000000, size=a.rows)
    session.run("CREATE EXTENSION vecdb")
    session.run("CREATE EXTENSION pg_stat_statements")
    session.run("SELECT vecdb.create_collection('c', %s)", (a.dimension,))
    table = session.value("SELECT vecdb.collection_table(id)::text FROM vecdb.collections")
    with session.connection.cursor() as cursor:
        with cursor.copy(f"COPY {table} (id, embedding, metadata) FROM STDIN") as copy:
            for i in range(a.rows):
                metadata = {"n": i, "u": int(u[i]), "tenth": i % 10, "title": f"point {i}"}
                copy.write_row((f"p{i}", text_of(vectors[i]), json.dumps(metadata)))
    session.run(f"VACUUM ANALYZE {table}")
    session.run(f"SELECT count(*) FROM {table}")
    return table


class Statements:
    """What pg_stat_statements has counted of a number of requests, in us each."""

    def __init__(self, session, requests, table):
        def total(what, condition):
            return session.value(
                f"SELECT coalesce(sum({what}), 0) FROM pg_stat_statements WHERE {condition}"
            ) * 1000 / requests

        ours = f"query LIKE '%FROM {table}%'"
        self.planning = total("total_plan_time", "true")
        self.plans = total("plans", "true") / 1000
        self.all = total("total_exec_time", "toplevel")
        self.search = total("total_exec_time", ours)
        self.registry = total("total_exec_time", "query LIKE '%FROM vecdb.collections%'")


def reset(session):
    session.run("SELECT pg_stat_statements_reset()")


def track(session, what):
    """Sets what is counted, in sessions that others have open, too."""
    session.run(f"ALTER SYSTEM SET pg_stat_statements.track = '{what}'")
    session.run("SELECT pg_reload_conf()")
    time.sleep(0.5)


def cpu_of(session, action, queries):
    """Returns the median CPU time in us that the session's backend spends."""
    times = []
    for query in queries:
        before = session.cpu()
        action(query)
        times.append((session.cpu() - before) * 1e6)
    return float(np.median(times))


def measure_sql(server, a, table, queries, condition):
    """Returns the figures of one filter in SQL."""
    with server.session(DATABASE) as session:
        def search(query):
            result = session.connection.pgconn.exec_prepared(
                b"search", [query.encode(), condition.encode()], [0, 0], 1)
            if result.ntuples == 0:
                raise RuntimeError(result.error_message.decode() or "nothing found")

        def find(_):
            session.connection.pgconn.exec_prepared(b"find", [], [], 1)

        def nothing(_):
            session.connection.pgconn.exec_prepared(b"nothing", [], [], 1)

        session.run("SET pg_stat_statements.track = 'none'")
        session.prepare("search", SEARCH)
        session.prepare("find", "SELECT * FROM vecdb.find_collection('c', 'SELECT')")
        session.prepare("nothing", "SELECT 1")
        values = {}
        before = session.cpu()
        search(queries[0])
        values["first"] = (session.cpu() - before) * 1e6
        for query in queries[:20]:
            search(query)
            find(query)
            nothing(query)
        values["search"] = cpu_of(session, search, queries)
        values["registry"] = cpu_of(session, find, queries) - cpu_of(session, nothing, queries)
        session.run("SET plan_cache_mode = force_custom_plan")
        search(queries[0])
        values["planned"] = cpu_of(session, search, queries)
        session.run("RESET plan_cache_mode")
        search(queries[0])
        values["strategy"] = session.value("SELECT strategy FROM vecdb.last_search()")

        session.run("SET pg_stat_statements.track = 'all'")
        reset(session)
        for query in queries:
            search(query)
        values["statements"] = Statements(session, len(queries), table)
        return values


class Web:
    """http/serve with one database connection for requests, so that all are alike."""

    def __init__(self, server, directory):
        self.server, self.directory = server, directory / "http"
        with server.session(DATABASE) as session:
            sql = [server.bin / "psql", "-Xq", "-v", "ON_ERROR_STOP=1", "-h", server.socket,
                   "-U", "postgres", "-d", DATABASE, "-f", TOP / "http" / "setup.sql"]
            done = subprocess.run(list(map(str, sql)), capture_output=True, text=True, check=False)
            if done.returncode != 0:
                fail(done.stderr.strip())
            session.run("SELECT vecdb_auth.grant_collection('c', r.role) FROM vecdb_auth.roles r "
                        "WHERE r.level IN ('reader', 'writer', 'admin')")
            self.port = self.free_port()
            self.serve("start", "--port", str(self.port), "--db-host", server.socket, "--db-port",
                       "5432", "--db-name", DATABASE, "--pool", "1", "--wait", "60")
            self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)

    @staticmethod
    def free_port():
        import socket
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            return s.getsockname()[1]

    def serve(self, command, *options):
        done = subprocess.run([TOP / "http" / "serve", command, self.directory, *options],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            fail(done.stderr.strip() or done.stdout.strip())

    def stop(self):
        self.connection.close()
        self.serve("stop")

    def post(self, body):
        self.connection.request("POST", "/collections/c/search", json.dumps(body),
                                {"Content-Type": "application/json"})
        answer = self.connection.getresponse()
        return answer.status, answer.read()

    def cpu(self, session, name):
        """Returns the CPU seconds of PostgREST, nginx or its backends."""
        if name == "backend":
            pids = [pid for pid, in session.run(
                "SELECT pid FROM pg_stat_activity WHERE application_name = 'vecdb-http'")]
        else:
            pid = int((self.directory / "run" / f"{name}.pid").read_text())
            children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
            pids = [pid, *map(int, children)]
        return sum(figures.parse_schedstat(task.read_text())
                   for pid in pids for task in Path(f"/proc/{pid}/task").glob("*/schedstat"))

    def measure(self, session, queries, condition, table):
        """Returns the figures of one filter over HTTP; times in us a request."""
        bodies = [{"vector": [float(x) for x in json.loads(q)], "top_k": 10,
                   "filter": json.loads(condition), "include_metadata": True} for q in queries]

        def run():
            times = []
            for body in bodies:
                started = time.perf_counter()
                status, answer = self.post(body)
                times.append((time.perf_counter() - started) * 1e6)
                if status != 200 or not json.loads(answer)["results"]:
                    raise RuntimeError(f"{status}: {answer[:200]}")
            return times

        run()
        names = ("backend", "postgrest", "nginx")
        before = {name: self.cpu(session, name) for name in names}
        times = run()
        values = {name: (self.cpu(session, name) - before[name]) * 1e6 / len(bodies) for name in names}
        values["wall"] = float(np.median(times))
        track(session, "all")
        run()
        reset(session)
        run()
        values["statements"] = Statements(session, len(bodies), table)
        track(session, "none")
        return values


def sql_row(name, v):
    s = v["statements"]
    return (f"| {name} | {v['search']:.0f} | {v['registry']:.1f} | {s.planning:.1f} | "
            f"{s.search:.0f} | {v['planned']:.0f} | {v['first']:.0f} | {v['strategy']} |")


def http_row(name, v):
    s = v["statements"]
    return (f"| {name} | {v['wall']:.0f} | {v['nginx']:.0f} | {v['postgrest']:.0f} | "
            f"{v['backend']:.0f} | {s.planning:.1f} | {s.plans:.2f} | {s.search:.0f} |")


def report_sql(a, sql):
    print(f"\n{a.rows:,} points, {a.dimension} dimensions, cosine, top_k 10, with metadata; "
          "us a search\n")
    print("| filter | all, CPU | registry, CPU | planning | search itself | all if planned each "
          "time, CPU | first of a session, CPU | strategy |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for name, values in sql.items():
        print(sql_row(name, values), flush=True)


def report_http(web):
    print("\nOver HTTP, one client; us a request\n")
    print("| filter | elapsed | nginx, CPU | PostgREST, CPU | backend, CPU | planning | plans "
          "made | search itself |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for name, values in web.items():
        print(http_row(name, values))


def parse_args():
    p = argparse.ArgumentParser(description=__doc__,
                                formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--rows", type=int, default=50000, help="(default %(default)s)")
    p.add_argument("--dimension", type=int, default=128, help="(default %(default)s)")
    p.add_argument("--queries", type=int, default=200, help="(default %(default)s)")
    p.add_argument("--no-http", action="store_true", help="SQL only")
    p.add_argument("--pg-config", default=os.environ.get("PG_CONFIG", "pg_config"))
    p.add_argument("--shared-buffers", default="1GB", help="(default %(default)s)")
    a = p.parse_args()
    if a.rows < 10000 or a.queries < 10:
        p.error("--rows is at least 10000, --queries at least 10")
    return a


def run(a, server, directory):
    with server.session("postgres") as session:
        session.run(f"CREATE DATABASE {DATABASE}")
    vectors = make_vectors(np.random.default_rng(1), a.rows + a.queries, a.dimension)
    queries = [text_of(v) for v in vectors[a.rows:]]
    sql, web = {}, {}
    with server.session(DATABASE) as session:
        track(session, "none")
        table = load(session, a, vectors)
        for name, condition in FILTERS.items():
            sql[name] = measure_sql(server, a, table, queries, json.dumps(condition))
        report_sql(a, sql)
        if not a.no_http:
            served = Web(server, directory)
            try:
                for name, condition in FILTERS.items():
                    web[name] = served.measure(session, queries, json.dumps(condition), table)
            finally:
                served.stop()
            report_http(web)


def main():
    a = parse_args()
    directory = Path(tempfile.mkdtemp(prefix="vecdb-bench-"))
    directory.chmod(0o755)
    server = Server(a.pg_config, directory, a.shared_buffers)
    if not (server.extensions / "pg_stat_statements.control").exists():
        fail("this PostgreSQL has no pg_stat_statements (Debian: postgresql-contrib)")
    try:
        server.start(**{"shared_preload_libraries": "pg_stat_statements",
                        "pg_stat_statements.track_planning": "on"})
        run(a, server, directory)
    finally:
        server.stop()
        shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    main()
