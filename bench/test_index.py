#!/usr/bin/env python3
"""Tests of what bench_index.py computes without a server: run it with the Python
environment of requirements.txt.
"""

import math
import sys
import tempfile
import unittest
from pathlib import Path
from types import SimpleNamespace

sys.dont_write_bytecode = True
import numpy as np

from index import datasets, figures, report, search, targets
from index.store import Store


def curve(*points):
    """A curve of (ef, recall, cost)."""
    return [{"ef": ef, "recall": recall, "cost": cost} for ef, recall, cost in points]


class Figures(unittest.TestCase):
    def test_percentile_is_a_value_that_occurred(self):
        self.assertEqual(figures.percentile([3, 1, 2], 50), 2)
        self.assertEqual(figures.percentile(range(1, 101), 99), 99)
        self.assertEqual(figures.percentile(range(1, 101), 5), 5)
        self.assertEqual(figures.percentile([7], 1), 7)
        self.assertEqual(figures.percentile([1, 2], 0), 1)
        with self.assertRaises(ValueError):
            figures.percentile([], 50)

    def test_recall_counts_ties_and_no_row_twice(self):
        distance = np.array([0.0, 1.0, 1.0, 2.0, 3.0])
        exact = lambda number, rows: distance[rows]
        truth = [[0.0, 1.0]]
        for found, want in (([0, 1], 1), ([0, 2], 1), ([1, 2], 1), ([0, 0], 0.5), ([0], 0.5),
                            ([0, 3], 0.5), ([3, 4], 0), ([], 0)):
            self.assertEqual(figures.recalls([found], exact, truth), [want], found)
        with self.assertRaises(ValueError):
            figures.recalls([[0], [1]], exact, truth)

    def test_at_recall_interpolates_geometrically(self):
        c = curve((40, 0.98, 400), (10, 0.90, 100))
        value, how = figures.at_recall(c, 0.94, "cost")
        self.assertAlmostEqual(value, 200)
        self.assertEqual(how, "exact")
        self.assertEqual(figures.at_recall(c, 0.98, "cost"), (400, "exact"))

    def test_at_recall_outside_of_the_curve(self):
        c = curve((10, 0.96, 100), (20, 0.98, 200))
        self.assertEqual(figures.at_recall(c, 0.95, "cost"), (100, "at most"))
        self.assertEqual(figures.at_recall(c, 0.96, "cost"), (100, "exact"))
        self.assertEqual(figures.at_recall(c, 0.99, "cost"), (None, "not reached"))
        self.assertEqual(figures.at_recall([], 0.5, "cost"), (None, "not reached"))

    def test_at_recall_takes_the_cheapest_crossing(self):
        c = curve((10, 0.90, 100), (20, 0.96, 200), (40, 0.94, 400), (80, 0.96, 800))
        value, _ = figures.at_recall(c, 0.95, "cost")
        self.assertTrue(100 < value < 200)
        # a cost of 0 has no logarithm
        value, _ = figures.at_recall(curve((1, 0.9, 0), (2, 1.0, 8)), 0.95, "cost")
        self.assertAlmostEqual(value, 4)

    def test_ratio_says_what_it_bounds(self):
        usual = curve((10, 0.90, 100), (20, 1.0, 100))
        slow = curve((10, 0.90, 500), (20, 1.0, 500))
        above = curve((10, 0.97, 50), (20, 1.0, 60))
        below = curve((10, 0.5, 10), (20, 0.9, 700))
        ratio = lambda a, b: figures.ratio_at_recall(a, b, 0.95, "cost")
        for a, b, value, how, at in (
                (usual, slow, 5, "exact", 0.95), (above, slow, 10, "at least", 0.95),
                (usual, above, 0.5, "exact", 0.97), (above, above, 1, "exact", 0.97),
                (usual, below, 7, "at least", 0.95), (above, below, 14, "at least", 0.95)):
            got = ratio(a, b)
            self.assertAlmostEqual(got[0], value)
            self.assertEqual(got[1:], (how, at))
        self.assertEqual(ratio(below, usual), (None, "not reached", 0.95))
        free = curve((10, 0.90, 0), (20, 1.0, 0))
        self.assertEqual(ratio(free, usual), (math.inf, "exact", 0.95))

    def test_recall_lag(self):
        ours = curve((10, 0.90, 1), (20, 0.95, 1), (40, 0.99, 1))
        theirs = curve((10, 0.91, 1), (20, 0.97, 1), (80, 1.0, 1))
        lag, ef = figures.recall_lag(ours, theirs)
        self.assertAlmostEqual(lag, 0.02)
        self.assertEqual(ef, 20)
        self.assertEqual(figures.recall_lag(ours, []), (None, None))

    def test_per_query_best(self):
        np.testing.assert_array_equal(figures.per_query_best([[1, 9], [5, 2]]), [1, 2])

    def test_parsers(self):
        self.assertAlmostEqual(figures.parse_schedstat("1500000000 77 8\n"), 1.5)
        stat = "42 (postgres: a) b) S " + " ".join(map(str, range(4, 30)))
        # fields 16 and 17 of the line, counted from 1
        self.assertEqual(figures.parse_children_cpu(stat, 100), (16 + 17) / 100)
        status = "VmRSS:\t  10 kB\nRssAnon:\t     123 kB\n"
        self.assertEqual(figures.parse_status_kb(status, "RssAnon"), 123 * 1024)
        self.assertEqual(figures.parse_status_kb(status, "Rss"), 0)
        self.assertEqual(figures.parse_lsn("16/B374D848"), 0x16B374D848)
        self.assertEqual(figures.parse_lsn("0/10") - figures.parse_lsn("0/F"), 1)


class Costs(unittest.TestCase):
    def test_runs_of_all_queries(self):
        # two runs of four queries: (wall, CPU) seconds
        runs = [([4e-6, 4e-6, 4e-6, 8e-6], [1e-6, 2e-6, 3e-6, 90e-6]),
                ([4e-6, 4e-6, 4e-6, 4e-6], [2e-6, 2e-6, 2e-6, 10e-6])]
        # the least of each query: 1, 2, 2, 10
        got = search.cost(runs)
        for name, want in (("cpu_us", 3.75), ("cpu_us_median", 14), ("wall_us", 4),
                           ("cpu_p50_us", 2), ("cpu_p99_us", 10), ("wall_p50_us", 4),
                           ("wall_p99_us", 4)):
            self.assertAlmostEqual(got[name], want, msg=name)


class Exact(unittest.TestCase):
    def test_nearest_against_every_distance(self):
        rng = np.random.default_rng(5)
        base = rng.standard_normal((500, 24)).astype(np.float32)
        base[100:110] = base[0]                 # ties
        queries = np.concatenate([rng.standard_normal((7, 24)).astype(np.float32), base[:1]])
        for metric in ("l2", "cosine", "ip"):
            got = datasets.nearest(base, queries, metric)
            for row, query in zip(got, queries):
                want = np.sort(datasets.exact(base, query, metric))[:10]
                np.testing.assert_allclose(row, want, rtol=1e-12, atol=1e-12)
        self.assertAlmostEqual(datasets.nearest(base, queries, "cosine")[7][9], 0)

    def test_distances_are_those_of_the_operators(self):
        rows, query = np.array([[3.0, 4.0]], np.float32), np.array([0.0, 2.0], np.float32)
        for metric, want in (("l2", math.sqrt(13)), ("ip", -8), ("cosine", 0.2)):
            self.assertAlmostEqual(datasets.exact(rows, query, metric)[0], want)


class Stored(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.TemporaryDirectory()
        self.addCleanup(self.directory.cleanup)

    def test_results_survive_and_know_their_stamp(self):
        store = Store(self.directory.name)
        key = {"system": "vecdb", "dataset": "a-10", "kind": "build"}
        store.add(key, {"stamp": "1"}, {"wall": 2})
        store.add(key, {"stamp": "2"}, {"wall": 3})
        # half a line, as a killed run leaves it
        with open(store.file, "a", encoding="utf-8") as f:
            f.write('{"key": {"sys')
        again = Store(self.directory.name)
        turned = dict(reversed(key.items()))
        self.assertEqual(again.find(turned), {"wall": 3})
        self.assertEqual(again.find(key, "2"), {"wall": 3})
        self.assertIsNone(again.find(key, "1"))
        again.add(key | {"kind": "churn"}, {"stamp": "2"}, {"x": 1})
        third = Store(self.directory.name)
        self.assertEqual(third.find(key | {"kind": "churn"}), {"x": 1})
        self.assertEqual(len(third.all(system="vecdb")), 2)
        self.assertEqual(third.all(system="other"), [])

    def test_arrays_are_made_once(self):
        store = Store(self.directory.name)
        made = []
        for _ in "12":
            a = store.array("x", lambda: made.append(1) or np.arange(3))
            np.testing.assert_array_equal(a, [0, 1, 2])
        self.assertEqual(made, [1])

    def test_held_out_rows(self):
        store = Store(Path(self.directory.name) / "state")
        rng = np.random.default_rng(1)
        matrix = rng.standard_normal((9000, 256)).astype(np.float16)
        np.save(Path(self.directory.name) / "packages-256.f16.npy", matrix)
        source = datasets.SOURCES["packages"]
        d = datasets.Dataset(source, None, store, [self.directory.name]).load()
        self.assertEqual(d.name, "packages-5500")
        everything = np.concatenate([d.base, d.extra, d.queries])
        self.assertEqual(everything.shape, (9000, 256))
        # each row of the file is exactly one of them, the last 500 the queries
        tenth = datasets.normalise(matrix.astype(np.float32))
        np.testing.assert_array_equal(d.queries, tenth[-500:])
        key = lambda m: sorted(map(bytes, np.ascontiguousarray(m)))
        self.assertEqual(key(everything), key(tenth))
        with self.assertRaises(FileNotFoundError):
            datasets.Dataset(source, None, store, ["/nowhere"])


def point(ef, recall, cpu, pages, **more):
    return {"ef": ef, "recall": recall, "recall_p5": recall - 0.1, "cpu_us": cpu,
            "cpu_us_median": cpu, "wall_us": cpu, "wall_p50_us": cpu, "wall_p99_us": 2 * cpu,
            "cpu_p50_us": cpu, "cpu_p99_us": 2 * cpu, "short": 0, "duplicates": 0,
            "pages": {"graph": [pages, 0], "heap": [10, 0], "toast": [0, 0]}} | more


class Judged(unittest.TestCase):
    def results(self, **more):
        ours = [point(40, 0.90, 100, 50), point(80, 0.995, 200, 90)]
        theirs = [point(40, 0.90, 600, 500), point(80, 0.995, 1200, 900)]
        return targets.Results(768, {"vecdb": ours, "pgvector": theirs},
                               {}, {}, {}, {}, {}, **more)

    def verdict(self, results, target):
        found = [v for v in targets.judge(results) if v.target.startswith(target)]
        self.assertTrue(found, target)
        return found[0]

    def test_met_and_missed(self):
        r = self.results()
        self.assertTrue(self.verdict(r, "queries per CPU second at recall 0.95").met)
        self.assertTrue(self.verdict(r, "graph pages at recall 0.99").met)
        self.assertTrue(self.verdict(r, "p99 / p50").met)
        for p in r.curves["vecdb"]:
            p["cpu_us"] *= 1.3
            p["pages"]["graph"][0] *= 1.3
            p["cpu_p99_us"] *= 1.6
            p["recall"] -= 0.011
        self.assertFalse(self.verdict(r, "queries per CPU second at recall 0.95").met)
        self.assertFalse(self.verdict(r, "graph pages at recall 0.95").met)
        self.assertFalse(self.verdict(r, "p99 / p50").met)
        self.assertFalse(self.verdict(r, "recall below pgvector's").met)

    def test_a_bound_from_the_wrong_side_is_open(self):
        self.assertIsNone(targets.judge_ratio("t", 5, 4, "at least").met)
        self.assertTrue(targets.judge_ratio("t", 5, 6, "at least").met)
        self.assertFalse(targets.judge_ratio("t", 5, 4, "exact").met)
        self.assertFalse(targets.judge_ratio("t", 5, None, "not reached").met)
        self.assertEqual(targets.judge_ratio("t", 5, 4, "at least", 0.97).measured,
                         "≥ 4x at 0.970")

    def test_fewer_rows_than_asked_for(self):
        r = self.results()
        self.assertTrue(self.verdict(r, "searches that returned fewer").met)
        r.curves["vecdb"][0]["short"] = 1
        self.assertFalse(self.verdict(r, "searches that returned fewer").met)

    def test_writes(self):
        r = self.results()
        one = lambda cpu, wal: {"cpu_us": cpu, "wal": wal}
        plain = {"after_checkpoint": one(9, 100), "no_images": one(9, 100)}
        r.insert["pgvector"] = {"after_checkpoint": one(900, 1100), "no_images": one(900, 600),
                                "plain": plain}
        r.insert["vecdb"] = {"after_checkpoint": one(300, 600), "no_images": one(300, 900),
                             "plain": plain}
        self.assertTrue(self.verdict(r, "single-row inserts").met)
        self.assertTrue(self.verdict(r, "index's WAL of an insert after").met)
        self.assertFalse(self.verdict(r, "index's WAL of an insert without").met)
        r.churn["vecdb"] = {"fresh": {"recall": 0.98, "size": 100}, "check": [["fault"]],
                            "churned": {"recall": 0.975, "size": 111}}
        self.assertTrue(self.verdict(r, "all rows replaced: recall").met)
        self.assertFalse(self.verdict(r, "all rows replaced: size").met)
        self.assertFalse(self.verdict(r, "all rows replaced: vecdb_index_check").met)


class Reported(unittest.TestCase):
    def test_report_replaces_itself(self):
        with tempfile.TemporaryDirectory() as directory:
            store = Store(directory)
            about = {"stamp": "s", "version": "1.0", "machine": "m", "postgresql": "15",
                     "shared_buffers": "1GB", "load": 0.5}
            for rows in (1000, 20000):
                for system, factor in (("vecdb", 1), ("pgvector", 6)):
                    for ef, recall in ((10, 0.9), (40, 0.97)):
                        store.add({"system": system, "dataset": f"gen768-{rows}", "ef": ef,
                                   "ef_construction": 64, "kind": "search"}, about,
                                  point(ef, recall, ef * factor, ef * factor))
            text = report.make(store)
            # the larger table only, our figures first
            self.assertIn("20,000 x 768", text)
            self.assertNotIn("1,000 x 768", text)
            self.assertIn("| yes: 6x (≥ 5x) |", text)
            self.assertLess(text.index("| vecdb |"), text.index("| pgvector |"))
            path = Path(directory) / "RESULTS.md"
            path.write_text("# Results\n\nbefore\n", encoding="utf-8")
            report.insert(path, text)
            report.insert(path, text.replace("20,000", "30,000"))
            got = path.read_text(encoding="utf-8")
            self.assertTrue(got.startswith("# Results\n\nbefore\n\n" + report.BEGIN))
            self.assertEqual(got.count(report.BEGIN), 1)
            self.assertNotIn("20,000", got)
            self.assertTrue(got.endswith(report.END + "\n"))

    def test_nothing_measured(self):
        self.assertIn("Nothing has been measured", report.make(
            SimpleNamespace(records={}, all=lambda **_: [])))


if __name__ == "__main__":
    unittest.main()
