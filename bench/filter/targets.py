"""What filtered searches have to reach, judged from the results of one dataset."""

import math

from index.systems import OURS
from index.targets import PEER, Verdict

from .measure import is_good

AUTO = (OURS, "auto")
MOST_OF_FORCED, MOST_OF_PEER, GAIN, MOST_P99 = 2.0, 1.1, 4.0, 4.0
RECALL, RECALL_P5 = 0.95, 0.8
GRAPH_CASE, GRAPH_GAIN = "equal 10 %", 3.0


def cheapest(ways, system, but=()):
    """Returns (way, CPU us) of the cheapest complete answers of a system, or None."""
    good = [(v["cpu_us"], way) for (s, way), v in ways.items()
            if s == system and way not in but and is_good(v)
            and v["queries"] == max(v["queries"] for v in ways.values())]
    return (min(good)[1], min(good)[0]) if good else None


def worst(cells, measure, most=True):
    """Returns (value, cell) of the largest (smallest) measure, None where none has one."""
    values = [(value, cell) for cell, ways in cells.items()
              if AUTO in ways and (value := measure(ways)) is not None]
    return (max if most else min)(values, default=(None, None))


def of_forced(ways):
    found = cheapest(ways, OURS, but=("auto",))
    return ways[AUTO]["cpu_us"] / found[1] if found else None


def of_peer(ways):
    found = cheapest(ways, PEER)
    return ways[AUTO]["cpu_us"] / found[1] if found else None


def of_median(ways):
    return ways[AUTO]["cpu_p99_us"] / ways[AUTO]["cpu_p50_us"]


def gains(cells):
    """Returns how often cheaper than the peer each cell is."""
    return [1 / r for ways in cells.values() if AUTO in ways and (r := of_peer(ways)) is not None]


def geometric_mean(values):
    return math.exp(sum(map(math.log, values)) / len(values)) if values else None


def judge_worst(target, cells, measure, limit, most=True):
    value, cell = worst(cells, measure, most)
    if value is None:
        return None
    met = value <= limit if most else value >= limit
    return Verdict(target, f"{'≤' if most else '≥'} {limit:g}",
                   f"{value:.3g} ({cell[0]}, {cell[1]})", met)


def missed(cells, measure, limit):
    """Returns how many cells have more than the limit, as text."""
    values = [v for ways in cells.values() if AUTO in ways and (v := measure(ways)) is not None]
    return f"{sum(v > limit for v in values)} of {len(values)} above"


def judge(cells):
    """cells: (case, mode) -> (system, way) -> values.  Returns the verdicts."""
    autos = [ways[AUTO] for ways in cells.values() if AUTO in ways]
    if not autos:
        return []
    total = lambda name: sum(a[name] for a in autos)
    verdicts = [Verdict(
        "searches short of min(10, matches); rows that do not match; rows twice", "0; 0; 0",
        f"{total('short')}; {total('wrong')}; {total('duplicates')}",
        total("short") == total("wrong") == total("duplicates") == 0)]
    verdicts += [
        judge_worst("mean recall@10, least", cells, lambda w: w[AUTO]["recall"], RECALL, most=False),
        judge_worst("5th percentile of recall, least", cells, lambda w: w[AUTO]["recall_p5"], RECALL_P5,
                    most=False)]
    for target, measure, limit in (
            ("CPU time, to the cheapest forced strategy, most", of_forced, MOST_OF_FORCED),
            ("CPU time, to pgvector's cheapest complete plan, most", of_peer, MOST_OF_PEER),
            ("p99 to median of the CPU time, most", of_median, MOST_P99)):
        verdict = judge_worst(target, cells, measure, limit)
        if verdict is not None:
            verdict.measured += "; " + missed(cells, measure, limit)
        verdicts.append(verdict)
    mean = geometric_mean(gains(cells))
    if mean is not None:
        verdicts.append(Verdict("CPU time, pgvector's cheapest to ours, geometric mean", f"≥ {GAIN:g}x",
                                f"{mean:.2f}x", mean >= GAIN))
    verdicts += judge_graph(cells)
    return [v for v in verdicts if v is not None]


def judge_graph(cells):
    """At 10 % random selectivity the graph is searched, for a third of the exact cost."""
    for (case, mode), ways in cells.items():
        exact, graph = ways.get((OURS, "exact")), ways.get((OURS, "graph"))
        if case != GRAPH_CASE or not exact or not graph or AUTO not in ways:
            continue
        gain = exact["cpu_us"] / graph["cpu_us"]
        yield Verdict(f"10 % random, {mode}: exact to in-graph", f"≥ {GRAPH_GAIN:g}x", f"{gain:.2f}x",
                      gain >= GRAPH_GAIN)
        taken = ways[AUTO].get("strategies", {})
        yield Verdict(f"10 % random, {mode}: strategies taken", "graph",
                      ", ".join(f"{n} {s}" for s, n in taken.items()),
                      bool(taken) and all("graph" in s for s in taken))
