"""Percentiles, recall, interpolation: plain functions without a database.

A curve is a list of points, dictionaries with "ef", "recall" and the costs of
a search at that ef_search.
"""

import math

import numpy as np

# Distances from float64 arithmetic, beside those that a system computes in
# float32: equal within this much (relative, and absolute near 0).
TIE = 1e-6


def percentile(values, q):
    """Returns the smallest value that at least q percent do not exceed."""
    ordered = sorted(values)
    if not ordered:
        raise ValueError("no values")
    return ordered[max(math.ceil(q / 100 * len(ordered)), 1) - 1]


def recalls(found, distances, truth):
    """Returns each query's recall.

    found      row numbers that each query returned, at most k each
    distances  function: (query number, row numbers) -> exact distances
    truth      distances of the k nearest rows of each query, ascending

    A row counts if it is as near as the k-th nearest, so that equal vectors may
    stand for each other.  A row returned twice counts once.
    """
    result = []
    for number, (rows, nearest) in enumerate(zip(found, truth, strict=True)):
        unique = np.unique(np.asarray(rows, dtype=np.int64))
        limit = nearest[-1] + TIE * max(abs(nearest[-1]), 1)
        hits = int((distances(number, unique) <= limit).sum()) if len(unique) else 0
        result.append(min(hits, len(nearest)) / len(nearest))
    return np.asarray(result)


def at_recall(curve, recall, cost):
    """Returns (value, how) of a cost where a curve reaches a recall.

    how is "exact" where two points of the curve enclose the recall (between
    them the cost grows geometrically with the recall), "at most" where even the
    cheapest point has more, and (None, "not reached") where none has as much.
    Of several crossings the cheapest counts.
    """
    points = [(p["recall"], p[cost]) for p in sorted(curve, key=lambda p: p["ef"])]
    if not points or max(r for r, _ in points) < recall:
        return None, "not reached"
    if points[0][0] >= recall:
        return points[0][1], "exact" if points[0][0] == recall else "at most"
    crossings = []
    for (r0, c0), (r1, c1) in zip(points, points[1:]):
        if r0 < recall <= r1:
            share = (recall - r0) / (r1 - r0)
            if c0 > 0 and c1 > 0:
                crossings.append(c0 * (c1 / c0) ** share)
            else:
                crossings.append(c0 + (c1 - c0) * share)
    return min(crossings), "exact"


def ratio_at_recall(ours, theirs, recall, cost):
    """Returns (theirs / ours, how, at) of a cost at a recall: above 1, ours is
    cheaper.  Where their curve begins above the recall, the comparison is made
    at its first recall; `at` says which it was.  how is "exact"; "at least"
    where the true ratio may be larger (ours has more recall even at its
    cheapest point, or theirs never gets there: then its dearest point stands
    in); "not reached" (ratio None) where ours does not get there."""
    first = min(theirs, key=lambda p: p["ef"])["recall"]
    at = max(recall, first)
    mine, how_mine = at_recall(ours, at, cost)
    if mine is None:
        return None, "not reached", at
    other, how_other = at_recall(theirs, at, cost)
    if other is None:
        other, how_other = max(p[cost] for p in theirs), "at least"
    how = "exact" if how_mine == how_other == "exact" else "at least"
    return (other / mine if mine > 0 else math.inf), how, at


def at_ef(curve, ef):
    """Returns the point of a curve with this ef_search, or None."""
    return next((p for p in curve if p["ef"] == ef), None)


def recall_lag(ours, theirs):
    """Returns (lag, ef): the most that ours falls below theirs in recall at an
    ef_search that both have (negative: ours is above everywhere)."""
    shared = [(theirs_point["recall"] - p["recall"], p["ef"]) for p in ours
              if (theirs_point := at_ef(theirs, p["ef"])) is not None]
    return max(shared) if shared else (None, None)


def per_query_best(runs):
    """Returns for each query its best time over several runs of all queries:
    what the query itself takes, without what else the machine did."""
    return np.min(np.asarray(runs), axis=0)


def parse_schedstat(text):
    """Returns the CPU seconds of a process from /proc/PID/schedstat."""
    return int(text.split()[0]) * 1e-9


def parse_children_cpu(stat, ticks):
    """Returns the CPU seconds of a process's children that have ended, from
    /proc/PID/stat."""
    fields = stat.rpartition(")")[2].split()
    return (int(fields[13]) + int(fields[14])) / ticks


def parse_status_kb(text, name):
    """Returns the bytes of a line "Name:  123 kB" of /proc/PID/status."""
    for line in text.splitlines():
        if line.startswith(name + ":"):
            return int(line.split()[1]) * 1024
    return 0


def parse_lsn(text):
    """Returns the byte position of a WAL location such as 16/B374D848."""
    high, low = text.split("/")
    return (int(high, 16) << 32) + int(low, 16)
