"""What the index has to reach, judged from the results.

judge() returns, for one dataset and ef_construction, a list of verdicts in the
order of TARGETS; what was not measured has no verdict.
"""

import dataclasses

from . import figures
from .systems import HNSWLIB, OURS

PEER = "pgvector"
WIDE = 384                  # dimensions from which searches have to gain more
RECALLS = (0.95, 0.99)
NOISE = 0.001               # of a recall, between two builds of one system


@dataclasses.dataclass
class Verdict:
    target: str
    needed: str
    measured: str
    met: bool | None        # None: shown, not judged


@dataclasses.dataclass
class Results:
    """The results of one dataset and ef_construction."""
    dim: int
    curves: dict            # by system: points
    builds: dict            # by (system, processes)
    quarter: dict           # by system, and so on
    insert: dict
    small_cache: dict
    churn: dict


def judge_ratio(target, needed, value, how="exact", at=None):
    """A verdict on a ratio that has to be at least so much; a lower bound that
    is not enough is not judged.  at: the recall, where it is not the target's."""
    if value is None:
        return Verdict(target, f"≥ {needed:g}x", how, False)
    met = True if value >= needed else None if how == "at least" else False
    measured = ("≥ " if how == "at least" else "") + f"{value:.3g}x"
    if at is not None:
        measured += f" at {at:.3f}"
    return Verdict(target, f"≥ {needed:g}x", measured, met)


def judge_at_recall(target, needed, ours, theirs, recall, cost):
    """A verdict on the ratio of a cost at a recall."""
    value, how, at = figures.ratio_at_recall(ours, theirs, recall, cost)
    return judge_ratio(target, needed, value, how, at if at > recall else None)


def judge_most(target, most, value, form="{:.3g}"):
    return Verdict(target, "≤ " + form.format(most), form.format(value), value <= most)


def judge_searches(r):
    ours, theirs = r.curves.get(OURS), r.curves.get(PEER)
    if not ours:
        return
    needed = 5 if r.dim >= WIDE else 3
    for recall in RECALLS if theirs else ():
        yield judge_at_recall(f"queries per CPU second at recall {recall}, to pgvector",
                              needed, ours, theirs, recall, "cpu_us")
    in_process = r.curves.get(HNSWLIB)
    for recall in RECALLS if in_process and r.dim >= 768 else ():
        yield judge_at_recall(f"queries per CPU second at recall {recall}, to hnswlib in process",
                              1, ours, in_process, recall, "cpu_us")
    worst = max(ours, key=lambda p: p["cpu_p99_us"] / p["cpu_p50_us"])
    yield judge_most("p99 / p50 of the CPU time, worst ef_search", 3,
                     worst["cpu_p99_us"] / worst["cpu_p50_us"])
    mine, other = figures.at_ef(ours, 40), figures.at_ef(theirs or [], 80)
    if mine and other:
        yield Verdict("5th percentile of recall at ef_search 40, pgvector's at 80",
                      f"≥ {other['recall_p5']:.1f}", f"{mine['recall_p5']:.1f}",
                      mine["recall_p5"] >= other["recall_p5"])
    lag, ef = figures.recall_lag(ours, theirs or [])
    if lag is not None:
        yield Verdict("recall below pgvector's at an equal ef_search, most", "≤ 0.01",
                      f"{lag:.3f} (ef {ef})", lag <= 0.01)
    short = sum(p["short"] for p in ours)
    repeated = sum(p["duplicates"] for p in ours)
    yield Verdict("searches that returned fewer than 10 rows; repeated rows", "0; 0",
                  f"{short}; {repeated}", short == repeated == 0)
    counters = [p.get("counters", {}) for p in ours]
    if all("sweeps" in c for c in counters):
        sweeps = max(c["sweeps"] for c in counters)
        yield Verdict("sweeps per search", "0", f"{sweeps:.4g}", sweeps == 0)


def judge_pages(r):
    flat = {name: [p | {"graph": p["pages"]["graph"][0]} for p in curve]
            for name, curve in r.curves.items() if name != HNSWLIB}
    if OURS in flat and PEER in flat:
        for recall in RECALLS:
            yield judge_at_recall(f"graph pages at recall {recall}, pgvector's to ours", 8,
                                  flat[OURS], flat[PEER], recall, "graph")
    if OURS in r.small_cache and PEER in r.small_cache:
        yield judge_at_recall(
            "graph pages read at recall 0.95, shared_buffers a tenth of the index", 8,
            r.small_cache[OURS]["points"], r.small_cache[PEER]["points"], 0.95, "graph_read")


def judge_builds(r):
    for processes, measure in ((1, "cpu"), (2, "wall")):
        mine, other = r.builds.get((OURS, processes)), r.builds.get((PEER, processes))
        if mine and other:
            what = "CPU time" if measure == "cpu" else "wall time"
            yield judge_ratio(f"build, {what}, processes: {processes}", 3,
                              other[measure] / mine[measure])
            yield Verdict(f"recall of that index at ef_search 40, processes: {processes}",
                          f"≥ {other['recall40']:.3f} - {NOISE}", f"{mine['recall40']:.3f}",
                          mine["recall40"] >= other["recall40"] - NOISE)
    mine, other = r.builds.get((OURS, 1)), r.builds.get((PEER, 1))
    if mine and other:
        yield judge_most("index size, to pgvector's", 1 if r.dim >= 256 else 1.5,
                         mine["size"] / other["size"], "{:.3f}x")
    if mine and OURS in r.quarter:
        yield judge_most("build in a quarter of the memory, CPU time", 2.5,
                         r.quarter[OURS]["cpu"] / mine["cpu"], "{:.2f}x")


def index_wal(values, when):
    """Returns the WAL bytes of a row that are the index's."""
    return values[when]["wal"] - values["plain"][when]["wal"]


def judge_writes(r):
    mine, other = r.insert.get(OURS), r.insert.get(PEER)
    if mine and other:
        yield judge_ratio("single-row inserts per CPU second, to pgvector", 3,
                          other["no_images"]["cpu_us"] / mine["no_images"]["cpu_us"])
        yield judge_most("index's WAL of an insert after a checkpoint, to pgvector's", 0.5,
                         index_wal(mine, "after_checkpoint")
                         / index_wal(other, "after_checkpoint"), "{:.2f}x")
        yield judge_most("index's WAL of an insert without page images, to pgvector's", 1.5,
                         index_wal(mine, "no_images") / index_wal(other, "no_images"), "{:.2f}x")
    if OURS in r.churn:
        c = r.churn[OURS]
        yield judge_most("all rows replaced: recall lost, to a fresh build", 0.01,
                         c["fresh"]["recall"] - c["churned"]["recall"], "{:.3f}")
        yield judge_most("all rows replaced: size, to a fresh build", 1.1,
                         c["churned"]["size"] / c["fresh"]["size"], "{:.2f}x")
        if c["check"] is not None:
            yield Verdict("all rows replaced: vecdb_index_check", "sound",
                          "sound" if not c["check"] else f"{len(c['check'])} faults",
                          not c["check"])


def judge(results):
    return [*judge_searches(results), *judge_pages(results), *judge_builds(results),
            *judge_writes(results)]
