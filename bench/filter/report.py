"""The tables of the filter benchmark for RESULTS.md."""

import re

from index.datasets import SOURCES
from index.report import choose_datasets, table, title, verdict_table
from index.systems import OURS
from index.targets import PEER

from . import targets

BEGIN = "<!-- filter benchmark: begin (written by bench_filter.py) -->"
END = "<!-- filter benchmark: end -->"

NOTES = """\
LIMIT 10; the vector, the limit and the values of the filter are parameters of a \
prepared statement, on custom plans (planned each time, which is in the CPU time) or on \
the generic plan. One client, warm cache, no parallel query; CPU time is the backend's, \
from /proc/PID/schedstat, the best of each query in several rounds, the systems in turns. Each query has \
its own values; "near" and "far" are regions of the vectors as seen from the query. \
pgvector has a jsonb_path_ops GIN index and btree indexes on the very expressions; of \
its plans (by itself; bitmap scan and sort; iterative scans at several ef_search) the \
cheapest counts that is complete with recall ≥ 0.95; its defaults are shown beside. A way \
is left after five queries where it costs eight times the cheapest. Recall counts a row \
that is as near as the last one wanted; "5 %" is the fifth percentile."""


def collect(store, dataset):
    """Returns (case, mode) -> (system, way) -> values, of the most queries measured."""
    records = store.all(dataset=dataset)
    queries = max(r["key"]["queries"] for r in records)
    cells = {}
    for r in records:
        k = r["key"]
        if k["queries"] == queries:
            cells.setdefault((k["case"], k["mode"]), {})[k["system"], k["way"]] = r["values"]
    return cells


def describe(store, datasets):
    records = [r for r in store.records.values() if r["key"]["dataset"] in datasets]
    lines = []
    for what in ("machine", "postgresql", "shared_buffers"):
        lines.append(f"{what.replace('_', ' ')}: "
                     + ", ".join(sorted({str(r["about"][what]) for r in records})))
    for system in (OURS, PEER):
        versions = sorted({r["about"]["version"] for r in records if r["key"]["system"] == system})
        if versions:
            lines.append(f"{system}: {', '.join(versions)}")
    days = sorted({r["about"]["time"][:10] for r in records})
    lines.append("measured: " + " to ".join(dict.fromkeys((days[0], days[-1]))))
    loads = sorted(r["about"]["load"] for r in records)
    lines.append(f"load average of the machine during it: median {loads[len(loads) // 2]:.1f}, "
                 f"most {loads[-1]:.1f}")
    return "\n".join(f"- {line}" for line in lines)


def milliseconds(value):
    return f"{value / 1e3:.2f}"


def answer(values):
    """Returns recall and completeness as text."""
    text = f"{values['recall']:.3f} ({values['recall_p5']:.1f})"
    return text + (f", **{values['short']} short**" if values["short"] else "")


def plan_of(values, way):
    """Names pgvector's plan: with any settings it may be another than asked for."""
    taken = next(iter(values["strategies"]))
    return {"Bitmap Heap Scan": "bitmap", "Seq Scan": "sequential",
            "Index Scan": f"index, {way}"}.get(taken, taken)


def case_rows(cells):
    for (case, mode), ways in cells.items():
        auto = ways.get(targets.AUTO)
        if auto is None:
            continue
        row = [case, f"{auto['matches']:,.0f}", mode, answer(auto), milliseconds(auto["cpu_us"]),
               f"{auto['cpu_p99_us'] / auto['cpu_p50_us']:.1f}",
               f"{milliseconds(auto['wall_p50_us'])} / {milliseconds(auto['wall_p99_us'])}",
               ", ".join(auto.get("strategies", {}))]
        for way in ("exact", "graph", "vector"):
            v = ways.get((OURS, way))
            row.append("" if v is None else milliseconds(v["cpu_us"])
                       + ("" if targets.is_good(v) else f" ({v['recall']:.2f}, {v['short']} short)"))
        default, best = ways.get((PEER, "default")), targets.cheapest(ways, PEER)
        row.append("" if default is None else
                   f"{default['rows']:.1f} rows, {default['recall']:.2f}, {milliseconds(default['cpu_us'])}")
        row += ["none", ""] if best is None else [
            f"{milliseconds(best[1])} ({plan_of(ways[PEER, best[0]], best[0])})",
            f"{best[1] / auto['cpu_us']:.1f}x"]
        yield row


HEADER = ["filter", "matches", "plan", "recall (5 %)", "CPU ms", "p99 / p50", "wall ms p50 / p99",
          "strategy", "exact", "graph", "vector", "pgvector by itself", "pgvector's cheapest", "gain"]


def make(store, wanted=()):
    """Returns the section as Markdown, on the datasets wanted or the largest."""
    datasets = choose_datasets(store, wanted)
    if not datasets:
        return f"{BEGIN}\n\nNothing has been measured.\n\n{END}"
    everything = {d: collect(store, d) for d in datasets}
    columns = {f"{title(d)} ({d.rpartition('-')[0]})": targets.judge(c) for d, c in everything.items()}
    parts = [BEGIN, "# Filtered searches", describe(store, datasets), NOTES, "## Targets, filtered",
             verdict_table(columns)]
    for dataset, cells in everything.items():
        source = SOURCES[dataset.rpartition("-")[0]]
        parts += [f"## Filters on {title(dataset)}", f"{source.about}; {source.metric}.",
                  table(HEADER, case_rows(cells))]
    return "\n\n".join([*parts, END])


def insert(path, text):
    """Puts the section into a Markdown file, in the place of the last one."""
    old = path.read_text(encoding="utf-8")
    pattern = re.compile(re.escape(BEGIN) + ".*?" + re.escape(END), re.DOTALL)
    if pattern.search(old):
        new = pattern.sub(lambda _: text, old)
    else:
        new = old.rstrip("\n") + "\n\n" + text + "\n"
    path.write_text(new, encoding="utf-8")
