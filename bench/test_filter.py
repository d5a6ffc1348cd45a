#!/usr/bin/env python3
"""Tests of what bench_filter.py computes without a server: run it with the Python
environment of requirements.txt.
"""

import sys
import tempfile
import unittest
from pathlib import Path
from types import SimpleNamespace

sys.dont_write_bytecode = True
sys.path.append(str(Path(__file__).resolve().parent.parent / "test" / "filter"))
import numpy as np

from check_filter import Num, matches
from filter import cases, measure, metadata, targets, truth
from index.datasets import exact
from index.store import Store

ROWS, QUERIES, DIM = 1500, 6, 8


def dataset(directory):
    rng = np.random.default_rng(3)
    base = rng.standard_normal((ROWS, DIM)).astype(np.float32)
    queries = rng.standard_normal((QUERIES, DIM)).astype(np.float32)
    return SimpleNamespace(
        store=Store(directory), name="small", vectors="small", metric="l2", rows=ROWS, base=base,
        queries=queries, source=SimpleNamespace(name="gen"),
        distances=lambda number, rows: exact(base[rows], queries[number], "l2"))


def as_filter(value):
    """The form in which check_filter.py has JSON values."""
    if isinstance(value, dict):
        return {k: as_filter(v) for k, v in value.items()}
    if isinstance(value, list):
        return [as_filter(v) for v in value]
    return Num(str(value)) if isinstance(value, (int, np.integer)) else value


class Cases(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.directory = tempfile.TemporaryDirectory()
        cls.dataset = dataset(cls.directory.name)
        cls.meta = metadata.metadata_of(cls.dataset)
        cls.cases = cases.cases_of(cls.meta, cls.dataset.queries)

    @classmethod
    def tearDownClass(cls):
        cls.directory.cleanup()

    def test_masks_are_what_the_filters_say(self):
        documents = [as_filter(d) for d in self.meta.documents(0, ROWS)]
        for case in self.cases:
            if case.plain:
                continue
            for number in (0, QUERIES - 1):
                ways = case.make(number)
                said = [matches(d, as_filter(ways.ours)) for d in documents]
                self.assertEqual(said, ways.mask.tolist(), case.name)
                self.assertEqual(len(ways.theirs), len(case.types), case.name)

    def test_shares(self):
        by_name = {c.name: np.mean([c.make(i).mask.mean() for i in range(QUERIES)]) for c in self.cases}
        for name, share in (("all", 1), ("equal 50 %", 0.5), ("equal 10 %", 0.1), ("range 1 %", 0.01),
                            ("not one", 0.9), ("single row", 1 / ROWS)):
            self.assertAlmostEqual(by_name[name], share, delta=share / 3, msg=name)

    def test_near_is_near_and_far_is_far(self):
        by_name = {c.name: c for c in self.cases}
        mean = lambda case, i: exact(self.dataset.base[by_name[case].make(i).mask],
                                     self.dataset.queries[i], "l2").mean()
        for i in range(QUERIES):
            self.assertLess(mean("near 10 %", i), mean("all", i))
            self.assertGreater(mean("far half", i), mean("all", i))
            self.assertGreater(mean("far 10 %", i), mean("near 10 %", i))

    def test_truth_and_quality(self):
        truths = truth.truths(self.dataset, self.cases, self.dataset.queries)
        for case in self.cases:
            filters = [case.make(i) for i in range(QUERIES)]
            found = []
            for i, ways in enumerate(filters):
                rows = np.flatnonzero(ways.mask)
                found.append(rows[np.argsort(self.dataset.distances(i, rows))][:10].tolist())
            numbers = list(range(QUERIES))
            judge = lambda f: measure.quality(self.dataset, filters, f, truths[case.name], numbers)
            right = judge(found)
            self.assertEqual((right["short"], right["wrong"], right["duplicates"], right["recall"]),
                             (0, 0, 0, 1), case.name)
            if all(found):
                self.assertEqual(judge([f[1:] for f in found])["short"], QUERIES)
                self.assertEqual(judge([f + f[:1] for f in found])["duplicates"], QUERIES)
        out = [int(np.flatnonzero(~ways.mask)[0]) for ways in filters]
        self.assertEqual(judge([[r] for r in out])["wrong"], QUERIES)


class Targets(unittest.TestCase):
    def values(self, cpu, recall=1.0, short=0, **more):
        return {"cpu_us": cpu, "recall": recall, "recall_p5": recall, "short": short, "wrong": 0,
                "duplicates": 0, "queries": 10, "cpu_p99_us": 3 * cpu, "cpu_p50_us": cpu} | more

    def verdicts(self, ways):
        return {v.target: v for v in targets.judge({("equal 10 %", "custom"): ways})}

    def test_met(self):
        found = self.verdicts({
            targets.AUTO: self.values(100, strategies={"graph": 10}), ("vecdb", "exact"): self.values(400),
            ("vecdb", "graph"): self.values(90), ("pgvector", "default"): self.values(10, 0.5),
            ("pgvector", "bitmap"): self.values(500), ("pgvector", "strict 40"): self.values(50, 1.0, 3)})
        self.assertTrue(all(v.met for v in found.values()), found)
        self.assertEqual(len(found), 9)

    def test_not_met(self):
        found = self.verdicts({
            targets.AUTO: self.values(100, 0.7, 1, strategies={"exact": 10}), ("vecdb", "exact"): self.values(40),
            ("vecdb", "graph"): self.values(90), ("pgvector", "bitmap"): self.values(50)})
        self.assertEqual([v.target for v in found.values() if v.met],
                         ["p99 to median of the CPU time, most"])

    def test_incomplete_ways_do_not_count(self):
        ways = {targets.AUTO: self.values(100), ("vecdb", "graph"): self.values(1, 0.9),
                ("vecdb", "vector"): self.values(1, 1.0, 1), ("vecdb", "exact"): self.values(1, queries=5)}
        self.assertIsNone(targets.of_forced(ways))
        self.assertIsNone(targets.of_peer(ways))
        ways["vecdb", "exact"]["queries"] = 10
        self.assertEqual(targets.of_forced(ways), 100)


if __name__ == "__main__":
    unittest.main()
