"""The tables for RESULTS.md, from whatever has been measured so far."""

import re

from . import figures, targets
from .datasets import SOURCES
from .systems import HNSWLIB, OURS

BEGIN = "<!-- index benchmark: begin (written by bench_index.py) -->"
END = "<!-- index benchmark: end -->"
ORDER = [OURS, targets.PEER]
SHOWN_EF = (10, 20, 40, 80, 160, 400, 800)


def rank(system):
    """Orders systems: ours, pgvector, other peers, hnswlib."""
    return (ORDER.index(system) if system in ORDER else 2 + (system == HNSWLIB), system)


def table(header, rows):
    lines = ["| " + " | ".join(header) + " |", "|" + " --- |" * len(header)]
    lines += ["| " + " | ".join(str(c) for c in row) + " |" for row in rows]
    return "\n".join(lines)


def megabytes(value):
    return f"{value / 1e6:.1f}"


def dataset_rows(name):
    return int(name.rpartition("-")[2])


def choose_datasets(store, wanted=()):
    """Returns, per source, the name of the dataset with the most rows; with
    names wanted, those of them that have results."""
    names = {r["key"]["dataset"] for r in store.records.values()}
    found = {}
    for name in names & set(wanted) if wanted else names:
        source = name.rpartition("-")[0]
        if source not in found or dataset_rows(name) > dataset_rows(found[source]):
            found[source] = name
    return [found[s] for s in SOURCES if s in found]


def collect(store, dataset, ef_construction):
    """Returns the results of one dataset and ef_construction."""
    def by_system(kind):
        return {r["key"]["system"]: r["values"] for r in
                store.all(dataset=dataset, ef_construction=ef_construction, kind=kind)}
    curves = {}
    for r in store.all(dataset=dataset, ef_construction=ef_construction, kind="search"):
        curves.setdefault(r["key"]["system"], []).append(r["values"])
    for points in curves.values():
        points.sort(key=lambda p: p["ef"])
    builds = {(r["key"]["system"], r["key"]["processes"]): r["values"] for r in
              store.all(dataset=dataset, ef_construction=ef_construction, kind="build")}
    return targets.Results(
        dim=SOURCES[dataset.rpartition("-")[0]].dim,
        curves={s: curves[s] for s in sorted(curves, key=rank)},
        builds={k: builds[k] for k in sorted(builds, key=lambda k: (rank(k[0]), k[1]))},
        quarter=by_system("build_quarter"), insert=by_system("insert"),
        small_cache=by_system("small_cache"), churn=by_system("churn"))


def title(dataset):
    source = SOURCES[dataset.rpartition("-")[0]]
    return f"{dataset_rows(dataset):,} x {source.dim}"


def describe(store, datasets):
    """Says where, when and with which versions the results were measured."""
    records = [r for r in store.records.values() if r["key"]["dataset"] in datasets]
    lines = []
    for what in ("machine", "postgresql", "shared_buffers"):
        lines.append(f"{what.replace('_', ' ')}: "
                     + ", ".join(sorted({str(r["about"][what]) for r in records})))
    versions = {}
    for r in records:
        versions.setdefault(r["key"]["system"], set()).add(r["about"]["version"])
    for system in sorted(versions, key=rank):
        lines.append(f"{system}: " + ", ".join(sorted(versions[system])))
    days = sorted(r["about"]["time"][:10] for r in records)
    lines.append(f"measured: {days[0]} to {days[-1]}" if days[0] != days[-1]
                 else f"measured: {days[0]}")
    loads = sorted(r["about"]["load"] for r in records)
    lines.append(f"load average of the machine during it: median {loads[len(loads) // 2]:.1f}, "
                 f"most {loads[-1]:.1f}")
    return "\n".join(f"- {line}" for line in lines)


def verdict_table(columns):
    """columns: title -> verdicts.  A row for each target."""
    names = []
    for verdicts in columns.values():
        names += [v.target for v in verdicts if v.target not in names]
    rows = []
    for name in names:
        row = [name]
        for verdicts in columns.values():
            v = next((v for v in verdicts if v.target == name), None)
            mark = {True: "yes", False: "**no**", None: "open"}
            row.append("" if v is None else f"{mark[v.met]}: {v.measured} ({v.needed})")
        rows.append(row)
    return table(["target", *columns], rows)


def curve_table(results):
    header = ["ef_search"]
    for system in results.curves:
        header += [f"{system}: recall (5 %)", "CPU us"]
        header += ["CPU p99", "wall p50 / p99 us", "pages: graph + heap"] if system != HNSWLIB else []
    efs = sorted({p["ef"] for c in results.curves.values() for p in c})
    rows = []
    for ef in efs:
        if ef not in SHOWN_EF:
            continue
        row = [ef]
        for system, curve in results.curves.items():
            p = figures.at_ef(curve, ef)
            if p is None:
                row += [""] * (2 if system == HNSWLIB else 5)
                continue
            row += [f"{p['recall']:.3f} ({p['recall_p5']:.1f})", f"{p['cpu_us']:.0f}"]
            if system != HNSWLIB:
                pages = p["pages"]
                row += [f"{p['cpu_p99_us']:.0f}",
                        f"{p['wall_p50_us']:.0f} / {p['wall_p99_us']:.0f}",
                        f"{pages['graph'][0]:.0f} + {pages['heap'][0] + pages['toast'][0]:.0f}"]
        rows.append(row)
    return table(header, rows)


def at_recall_table(results):
    rows = []
    for system, curve in results.curves.items():
        row = [system]
        for recall in targets.RECALLS:
            value, how = figures.at_recall(curve, recall, "cpu_us")
            row.append(how if value is None else
                       ("≤ " if how == "at most" else "") + f"{value:.0f} us, "
                       + ("≥ " if how == "at most" else "") + f"{1e6 / value:,.0f} /s")
        rows.append(row)
    return table(["CPU time of a query at recall", *map(str, targets.RECALLS)], rows)


def build_table(everything):
    rows = []
    for (dataset, ef_construction), r in everything.items():
        for (system, processes), b in r.builds.items():
            rows.append([title(dataset), ef_construction, system, processes,
                         f"{b['wall']:.1f}", f"{b['cpu']:.1f}",
                         megabytes(b["memory"]) if "memory" in b else "",
                         megabytes(b["size"]), megabytes(b["wal"]) if "wal" in b else "",
                         f"{b['recall40']:.3f}" if "recall40" in b else ""])
        for system in sorted(r.quarter, key=rank):
            b = r.quarter[system]
            rows.append([title(dataset), ef_construction, system, "1, a quarter of the memory",
                         f"{b['wall']:.1f}", f"{b['cpu']:.1f}", megabytes(b["memory"]),
                         megabytes(b["size"]), megabytes(b["wal"]), f"{b['recall40']:.3f}"])
    return table(["rows", "ef_construction", "", "processes", "wall s", "CPU s", "memory MB",
                  "index MB", "WAL MB", "recall at ef_search 40"], rows)


def insert_table(everything):
    rows = []
    for (dataset, ef_construction), r in everything.items():
        for system in sorted(r.insert, key=rank):
            i = r.insert[system]
            a, b, plain = i["after_checkpoint"], i["no_images"], i["plain"]
            rows.append([title(dataset), ef_construction, system, f"{b['cpu_us']:.0f}",
                         f"{b['p50_us']:.0f} / {b['p99_us']:.0f}",
                         f"{a['wal'] / 1e3:.1f} ({plain['after_checkpoint']['wal'] / 1e3:.1f})",
                         f"{b['wal'] / 1e3:.1f} ({plain['no_images']['wal'] / 1e3:.1f})",
                         f"{100 * i['inserted_found']:.1f} %"])
    return table(["rows", "ef_construction", "", "CPU us", "wall p50 / p99 us",
                  "WAL kB after a checkpoint (of the row)", "without page images (of the row)",
                  "found again"], rows)


def small_cache_table(everything):
    rows = []
    for (dataset, ef_construction), r in everything.items():
        for system in sorted(r.small_cache, key=rank):
            c = r.small_cache[system]
            for p in c["points"]:
                if p["ef"] in SHOWN_EF:
                    rows.append([title(dataset), ef_construction, system,
                                 megabytes(c["shared_buffers"]), p["ef"], f"{p['recall']:.3f}",
                                 f"{p['graph_read']:.0f}", f"{p['heap_read'] + p['toast_read']:.0f}",
                                 f"{p['wall_us']:.0f}"])
    return table(["rows", "ef_construction", "", "shared_buffers MB", "ef_search", "recall",
                  "graph pages read", "heap pages read", "wall us, cold"], rows)


def churn_table(everything):
    rows = []
    for (dataset, ef_construction), r in everything.items():
        for system in sorted(r.churn, key=rank):
            c = r.churn[system]
            inserts = sum(x["insert_cpu"] for x in c["rounds"]) / c["rows"]
            vacuum = sum(x["vacuum_cpu"] for x in c["rounds"]) / c["rows"]
            rows.append([f"{c['rows']:,} of {title(dataset)}", ef_construction, system,
                         f"{c['churned']['recall']:.3f}", f"{c['fresh']['recall']:.3f}",
                         megabytes(c["churned"]["size"]), megabytes(c["fresh"]["size"]),
                         f"{1e6 * inserts:.0f}", f"{1e6 * vacuum:.0f}"])
    return table(["rows", "ef_construction", "", "recall at ef_search 40", "fresh build",
                  "index MB", "fresh build", "CPU us per insert", "VACUUM, CPU us per dead row"],
                 rows)


NOTES = """\
The systems share one server, each with a database of its own, and take turns \
within a run, five times; the best of each query counts. CPU time is that of the backend, from \
/proc/PID/schedstat; hnswlib runs in the benchmark's process, without a protocol. \
One client, prepared statements, binary parameters, warm cache, LIMIT 10, m = 16. \
Recall counts a row that is as near as the tenth; "5 %" is the fifth percentile of \
the queries. Where pgvector's curve begins above the recall asked for, the comparison is \
made at its first recall; where vecdb's does, its cheapest point stands in (≥). p99 / p50 is taken of each query's least CPU time. Pages are those that \
PostgreSQL's counters show for the index, and for the table with its TOAST table. \
Memory of a build is what the processes have beyond shared_buffers; with two \
processes pgvector allocates all of maintenance_work_mem."""


def make(store, wanted=()):
    """Returns the section as Markdown, on the datasets wanted or the largest."""
    datasets = choose_datasets(store, wanted)
    if not datasets:
        return f"{BEGIN}\n\nNothing has been measured.\n\n{END}"
    everything = {}
    for dataset in datasets:
        for ef_construction in sorted({r["key"]["ef_construction"]
                                       for r in store.all(dataset=dataset)}):
            everything[dataset, ef_construction] = collect(store, dataset, ef_construction)
    parts = [BEGIN, "# The hnsw index", describe(store, datasets), NOTES]
    for ef_construction in sorted({e for _, e in everything}):
        columns = {f"{title(d)} ({d.rpartition('-')[0]})": targets.judge(r)
                   for (d, e), r in everything.items() if e == ef_construction}
        if any(columns.values()):
            parts += [f"## Targets, ef_construction = {ef_construction}", verdict_table(columns)]
    for (dataset, ef_construction), r in everything.items():
        if r.curves:
            source = SOURCES[dataset.rpartition("-")[0]]
            parts += [f"## Searches: {title(dataset)}, ef_construction = {ef_construction}",
                      f"{source.about}; {source.metric}.", at_recall_table(r), curve_table(r)]
    for heading, make_table, kind in (
            ("Builds", build_table, "builds"), ("Single-row inserts", insert_table, "insert"),
            ("shared_buffers a tenth of the index", small_cache_table, "small_cache"),
            ("All rows replaced in ten rounds", churn_table, "churn")):
        if any(getattr(r, kind) for r in everything.values()):
            parts += [f"## {heading}", make_table(everything)]
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
