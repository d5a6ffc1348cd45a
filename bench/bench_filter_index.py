#!/usr/bin/env python3
"""Measures filters on metadata with an index: jsonb_filter_ops beside others.

    bench_filter_index.py --rows 1000000 > result.md

Connects by psql's environment variables to a server ON THIS MACHINE with the
extension vecdb (the CPU time of the backend is read from /proc, as a user who
may do so).  Makes a table of documents in the schema vecdb_bench, drops it at the
end.  One system after the other builds its indexes, answers every query that it
can express by them, inserts rows, and loses its indexes again:

  filter_ops  gin (d jsonb_filter_ops), d @~ filter
  path_ops    gin (d jsonb_path_ops), d @> document or d @@ path
  jsonb_ops   gin (d jsonb_ops), the same operators
  btree       an index on each expression that a query needs

A query is "SELECT count(*)".  "index" is the part that reads indexes, as EXPLAIN
ANALYZE tells it, the rest fetches and rechecks rows.  Figures are the best of the
runs, because other work on the machine can only add to them.  Sequential scans
are switched off; a plan that has no index condition for the filter counts as none.
Prints Markdown.  Needs numpy (for bench_query.py) and psql.
"""

import argparse
import json
import os

from bench_query import SCHEMA, Session, measure, plan_nodes, processor

TABLE = f"{SCHEMA}.docs"

# Numbers and strings that are spread over the table.  n is distinct; a multiple
# of a prime modulo another one.
DOCUMENT = """jsonb_build_object(
    'id', i, 'n', i::bigint * 7919 % 1000003,
    'hundredth', 'h' || (i::bigint * 104729 % 1000003) % 100,
    'tenth', 't' || (i::bigint * 15485863 % 1000003) % 10,
    'active', i % 2 = 0, 'year', 2000 + i % 20, 'title', 'Document number ' || i,
    'tags', jsonb_build_array('tag' || (i::bigint * 31337 % 1000003) % 1000,
                              'tag' || (i::bigint * 65537 % 1000003) % 1000))"""

BTREES = ["(d->>'hundredth')", "(d->>'tenth')", "((d->>'n')::numeric)",
          "((d->>'id')::numeric)", "((d->>'year')::numeric)"]

INDEXES = {
    "filter_ops": ["gin (d jsonb_filter_ops) WITH (fastupdate = off)"],
    "path_ops": ["gin (d jsonb_path_ops) WITH (fastupdate = off)"],
    "jsonb_ops": ["gin (d) WITH (fastupdate = off)"],
    "btree": [f"btree ({e})" for e in BTREES],
}

# what: (for filter_ops, for path_ops and jsonb_ops, for btree); the shares are
# right for a million rows
QUERIES = {
    "equality, 1 %": (
        """d @~ '{"hundredth": "h7"}'""",
        """d @> '{"hundredth": "h7"}'""",
        "d->>'hundredth' = 'h7'"),
    "range over distinct numbers, 1 %": (
        """d @~ '{"n": {"$gte": 500000, "$lt": 510000}}'""",
        "d @@ '$.n >= 500000 && $.n < 510000'",
        "(d->>'n')::numeric >= 500000 AND (d->>'n')::numeric < 510000"),
    "equality 10 % and range 10 %, together 1 %": (
        """d @~ '{"tenth": "t3", "n": {"$gte": 500000, "$lt": 600000}}'""",
        """d @@ '$.tenth == "t3" && $.n >= 500000 && $.n < 600000'""",
        "d->>'tenth' = 't3' AND (d->>'n')::numeric >= 500000 AND (d->>'n')::numeric < 600000"),
    "equality 1 % and range 1 %": (
        """d @~ '{"hundredth": "h7", "n": {"$gte": 500000, "$lt": 510000}}'""",
        """d @@ '$.hundredth == "h7" && $.n >= 500000 && $.n < 510000'""",
        "d->>'hundredth' = 'h7' AND (d->>'n')::numeric >= 500000 AND (d->>'n')::numeric < 510000"),
    "equality 10 % and equality 1 %": (
        """d @~ '{"tenth": "t3", "hundredth": "h7"}'""",
        """d @> '{"tenth": "t3", "hundredth": "h7"}'""",
        "d->>'tenth' = 't3' AND d->>'hundredth' = 'h7'"),
    "one row": (
        """d @~ '{"id": 4711}'""", """d @> '{"id": 4711}'""", "(d->>'id')::numeric = 4711"),
    "one row and range, all rows": (
        """d @~ '{"id": 4711, "n": {"$gte": 0}}'""",
        "d @@ '$.id == 4711 && $.n >= 0'",
        "(d->>'id')::numeric = 4711 AND (d->>'n')::numeric >= 0"),
    "equality 1 %, and not another": (
        """d @~ '{"hundredth": "h7", "year": {"$ne": 2007}}'""",
        """d @@ '$.hundredth == "h7" && !($.year == 2007)'""",
        "d->>'hundredth' = 'h7' AND (d->>'year')::numeric IS DISTINCT FROM 2007"),
    "one of ten numbers, 10 rows": (
        """d @~ '{"n": {"$in": [10, 20010, 40010, 60010, 80010, 100010, 120010, 140010, 160010, 180010]}}'""",
        None,
        "(d->>'n')::numeric IN (10, 20010, 40010, 60010, 80010, 100010, 120010, 140010, 160010, 180010)"),
    "element of an array, 0.2 %": (
        """d @~ '{"tags": {"$contains": "tag7"}}'""", """d @> '{"tags": ["tag7"]}'""", None),
    "range of years, 5 %": (
        """d @~ '{"year": {"$gte": 2018, "$lt": 2019}}'""",
        "d @@ '$.year >= 2018 && $.year < 2019'",
        "(d->>'year')::numeric >= 2018 AND (d->>'year')::numeric < 2019"),
    "not, 99 %": (
        """d @~ '{"hundredth": {"$ne": "h7"}}'""", None, None),
}


def make_table(session, rows):
    session.run(f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE; CREATE SCHEMA {SCHEMA};"
                f"CREATE TABLE {TABLE} (i int, d jsonb) WITH (autovacuum_enabled = false);"
                f"INSERT INTO {TABLE} SELECT i, {DOCUMENT} FROM generate_series(1, {rows}) i;"
                f"VACUUM (FREEZE, ANALYZE) {TABLE};")


def build(session, system):
    """Builds the indexes of a system; returns CPU seconds and bytes."""
    before = session.cpu()
    for definition in INDEXES[system]:
        session.run(f"CREATE INDEX ON {TABLE} USING {definition};")
    seconds = session.cpu() - before
    # statistics of the btrees' expressions
    session.run(f"ANALYZE {TABLE};")
    return seconds, int(session.run(f"SELECT pg_indexes_size('{TABLE}');")[0])


def insert_cost(session, system, rows):
    """Returns CPU microseconds for each row inserted into a table that has a
    tenth of the documents already."""
    fresh = f"{SCHEMA}.fresh"
    source = f"SELECT * FROM {TABLE} WHERE i"
    session.run(f"CREATE TABLE {fresh} (LIKE {TABLE}) WITH (autovacuum_enabled = false);"
                f"INSERT INTO {fresh} {source} <= {rows // 10};")
    for definition in INDEXES.get(system, []):
        session.run(f"CREATE INDEX ON {fresh} USING {definition};")
    count = max(rows // 50, 1)
    before = session.cpu()
    session.run(f"INSERT INTO {fresh} {source} > {rows - count};")
    seconds = session.cpu() - before
    session.run(f"DROP TABLE {fresh};")
    return 1e6 * seconds / count


def query(session, condition, repeat):
    """Returns (rows, best CPU ms, of it in indexes, rows removed by a recheck), or
    None if the condition is not served by an index."""
    sql = f"SELECT count(*) FROM {TABLE} WHERE {condition};"
    explain = f"EXPLAIN (ANALYZE, FORMAT JSON) {sql}"
    root = json.loads("\n".join(session.run(explain)))[0]["Plan"]
    nodes = list(plan_nodes(root))
    if not any("Index Cond" in node for node in nodes):
        return None
    removed = sum(node.get("Rows Removed by Index Recheck", 0)
                  + node.get("Rows Removed by Filter", 0) for node in nodes)
    times = []
    for _ in range(repeat):
        root = json.loads("\n".join(session.run(explain)))[0]["Plan"]
        times.append(sum(node["Actual Total Time"] for node in plan_nodes(root)
                         if node["Node Type"] == "Bitmap Index Scan"))
    samples = measure(session, [sql], repeat)[0]
    rows = int(session.run(sql)[0])
    return rows, 1e3 * min(cpu for _, cpu in samples), min(times), removed


def measure_systems(session, a):
    """Returns {system: (build seconds, bytes, insert us, {what: query's result})}."""
    results = {}
    for system in INDEXES:
        seconds, size = build(session, system)
        answers = {}
        for what, (filter_ops, jsonb, btree) in QUERIES.items():
            condition = {"filter_ops": filter_ops, "btree": btree}.get(system, jsonb)
            answers[what] = query(session, condition, a.repeat) if condition else None
        names = session.run(f"SELECT indexrelid::regclass FROM pg_index "
                            f"WHERE indrelid = '{TABLE}'::regclass;")
        session.run(f"DROP INDEX {', '.join(names)};")
        results[system] = seconds, size, insert_cost(session, system, a.rows), answers
    return results


def check_counts(results):
    """All systems must have counted the same rows."""
    for what in QUERIES:
        counts = {r[3][what][0] for r in results.values() if r[3][what]}
        if len(counts) > 1:
            raise SystemExit(f"bench_filter_index.py: different counts for {what}: {counts}")


def print_table(title, rows):
    print("| " + " | ".join(title) + " |")
    print("| " + " | ".join("---" for _ in title) + " |")
    for row in rows:
        print("| " + " | ".join(row) + " |")
    print()


def print_results(results, plain):
    print_table(
        ["", *results],
        [["size MB", *(f"{size / 1e6:.0f}" for _, size, _, _ in results.values())],
         ["build, CPU s", *(f"{seconds:.1f}" for seconds, _, _, _ in results.values())],
         ["insert, CPU us a row (without an index "
          f"{plain:.1f})", *(f"{us:.1f}" for _, _, us, _ in results.values())]])

    def cell(answer, base):
        if answer is None:
            return "-"
        rows, cpu, index, removed = answer
        text = f"{cpu:.2f} (index {index:.2f})" if index else f"{cpu:.2f}"
        if removed:
            text += f", {removed:,.0f} removed"
        if base and answer is not base:
            text += f": {cpu / base[1]:.2g}x"
        return text

    rows = []
    for what in QUERIES:
        answers = [r[3][what] for r in results.values()]
        count = next((f"{x[0]:,}" for x in answers if x), "-")
        rows.append([what, count, *(cell(x, answers[0]) for x in answers)])
    print_table(["CPU ms", "rows", *results], rows)


def main():
    p = argparse.ArgumentParser(description=__doc__,
                                formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--rows", type=int, default=1000000)
    p.add_argument("--repeat", type=int, default=5)
    p.add_argument("--keep", action="store_true", help="leave the table")
    a = p.parse_args()
    if a.rows < 50 or a.repeat < 1:
        p.error("--rows is at least 50, --repeat at least 1")

    session = Session()
    session.run("SET jit = off; SET enable_seqscan = off; SET work_mem = '64MB';"
                "SET max_parallel_workers_per_gather = 0;"
                "SET max_parallel_maintenance_workers = 0; SET maintenance_work_mem = '512MB';")
    version, buffers = session.run("SELECT current_setting('server_version');"
                                   "SHOW shared_buffers;")
    load = os.getloadavg()[0]
    make_table(session, a.rows)
    size = int(session.run(f"SELECT pg_table_size('{TABLE}');")[0])
    results = measure_systems(session, a)
    check_counts(results)
    plain = insert_cost(session, None, a.rows)
    print(f"{a.rows:,} documents of eight fields ({size / 1e6:.0f} MB), PostgreSQL "
          f"{version.split()[0]}, shared_buffers {buffers}; {processor()}, load {load:.1f} "
          f"at the start, {os.getloadavg()[0]:.1f} at the end; best of {a.repeat} runs.\n")
    print_results(results, plain)
    if not a.keep:
        session.run(f"DROP SCHEMA {SCHEMA} CASCADE;")


if __name__ == "__main__":
    main()
