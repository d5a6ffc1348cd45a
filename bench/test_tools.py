#!/usr/bin/env python3
"""Tests of generate.py and read_hdf5.py: run it with the Python environment of
requirements.txt.  With a server at hand (PGHOST, ... and the extension vecdb in
the database) the streams are loaded, too; without one that test is skipped.
"""

import os
import subprocess
import sys
import tempfile
import unittest
from io import BytesIO
from pathlib import Path

sys.dont_write_bytecode = True
import h5py
import numpy as np

from generate import Rotation, stream

HERE = Path(__file__).resolve().parent


def run(*args, text=False, fails=False):
    """Runs a tool; returns what it printed (on stderr, if it is to fail)."""
    done = subprocess.run([sys.executable, "-B", HERE / args[0], *args[1:]],
                          capture_output=True, text=text or fails, check=False)
    if fails != (done.returncode != 0):
        raise AssertionError(f"{args}: exit {done.returncode}: {done.stderr}")
    return done.stderr if fails else done.stdout


def generate(*args):
    return np.load(BytesIO(run("generate.py", "--format", "npy", "-d", "48", *args)))


def psql(sql, stdin=None):
    """Runs SQL; returns its output, or None without a server."""
    done = subprocess.run(["psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-c", sql],
                          input=stdin, capture_output=True, check=False)
    if done.returncode == 2:
        return None
    if done.returncode != 0:
        raise AssertionError(done.stderr.decode())
    return done.stdout.decode().strip()


class Generate(unittest.TestCase):
    def test_shape_norm_prefix_and_seed(self):
        few, many = generate("-n", "100"), generate("-n", "5000")
        self.assertEqual((many.shape, many.dtype), ((5000, 48), np.float32))
        np.testing.assert_allclose(np.linalg.norm(many, axis=1), 1, atol=1e-5)
        np.testing.assert_array_equal(few, many[:100])
        self.assertFalse(np.array_equal(few, generate("-n", "100", "--seed", "2")))
        raw = np.linalg.norm(generate("-n", "1000", "--norm", "raw"), axis=1)
        self.assertGreater(raw.max() / raw.min(), 3)

    def test_queries_are_held_out(self):
        rows, queries = generate("-n", "5000"), generate("-n", "200", "--part", "queries")
        nearest = (queries @ rows.T).max(axis=1)
        self.assertLess(nearest.max(), 0.9999)
        # but from the same clusters: far nearer than a random direction
        self.assertGreater(np.median(nearest), 0.6)

    def test_rotation_is_orthogonal(self):
        for dim in (1, 2, 7, 64, 301):
            m = Rotation(dim, stream(1, dim)).apply(np.eye(dim, dtype=np.float32))
            np.testing.assert_allclose(m @ m.T, np.eye(dim), atol=1e-5)

    def test_clusters_and_spectrum(self):
        rows = generate("-n", "4096", "--decay", "1.5", "--clusters", "20")
        v = np.linalg.svd(rows - rows.mean(axis=0), compute_uv=False) ** 2
        flat = generate("-n", "4096", "--decay", "0", "--clusters", "1", "--spread", "1")
        w = np.linalg.svd(flat - flat.mean(axis=0), compute_uv=False) ** 2
        self.assertGreater(v[:8].sum() / v.sum(), 1.4 * w[:8].sum() / w.sum())

    def test_bad_options(self):
        self.assertIn("1 to 16000", run("generate.py", "-d", "0", fails=True))
        self.assertIn("--columns takes", run("generate.py", "--columns", "x", fails=True))


class ReadHdf5(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.dir = tempfile.TemporaryDirectory()
        rng = np.random.default_rng(3)
        cls.train = rng.standard_normal((5000, 12)).astype(np.float32)
        cls.train[17] = 0
        cls.test = rng.standard_normal((20, 12)).astype(np.float32)
        d = np.linalg.norm(cls.test[:, None] - cls.train[None], axis=2)
        cls.neighbors = np.argsort(d, axis=1)[:, :10].astype(np.int32)
        cls.distances = np.take_along_axis(d, cls.neighbors, axis=1)
        cls.file = cls.make("ok.hdf5", "euclidean")

    @classmethod
    def tearDownClass(cls):
        cls.dir.cleanup()

    @classmethod
    def make(cls, name, distance, **change):
        path = os.path.join(cls.dir.name, name)
        with h5py.File(path, "w") as f:
            f.attrs["distance"] = distance
            for part in ("train", "test", "neighbors", "distances"):
                data = change.get(part, getattr(cls, part))
                if data is not None:
                    f[part] = data
        return path

    def test_info(self):
        info = run("read_hdf5.py", self.file, "--info", text=True)
        self.assertIn("distance: euclidean (operator <->", info)
        self.assertIn("train: 5000 x 12 float32", info)
        self.assertIn("zero vectors in train: 1\n", info)

    def test_npy(self):
        for part, want in (("train", self.train), ("test", self.test),
                           ("truth", self.neighbors)):
            got = np.load(BytesIO(run("read_hdf5.py", self.file, "--part", part,
                                      "--format", "npy")))
            np.testing.assert_array_equal(got, want)
        some = np.load(BytesIO(run("read_hdf5.py", self.file, "-n", "4500",
                                   "--format", "npy")))
        np.testing.assert_array_equal(some, self.train[:4500])

    def test_refusals(self):
        for change, message in (
                ({"distance": "jaccard"}, "'jaccard' has no operator"),
                ({"distance": "angular", "train": self.train[:, :3]}, "3 dimensions"),
                ({"distance": "angular", "test": None}, "has no dataset test"),
                ({"distance": "dot", "train": self.train[0]}, "not a matrix")):
            path = self.make("bad.hdf5", **change)
            self.assertIn(message, run("read_hdf5.py", path, "--info", fails=True))
        path = self.make("bare.hdf5", "dot", neighbors=None)
        self.assertIn("no ground truth",
                      run("read_hdf5.py", path, "--part", "truth", fails=True))
        self.assertIn("cannot read", run("read_hdf5.py", __file__, fails=True))


class Load(unittest.TestCase):
    def test_streams_load(self):
        if psql("SELECT 1") is None:
            self.skipTest("no PostgreSQL server (set PGHOST, PGPORT, ...)")
        psql("DROP SCHEMA IF EXISTS vecdb_bench_test CASCADE; CREATE SCHEMA vecdb_bench_test;"
             "CREATE TABLE vecdb_bench_test.t (id text, embedding vector(48), metadata jsonb);"
             "CREATE TABLE vecdb_bench_test.h (n bigint, embedding vector);"
             "CREATE TABLE vecdb_bench_test.q (LIKE vecdb_bench_test.h);"
             "CREATE TABLE vecdb_bench_test.truth "
             "(n bigint, neighbors integer[], distances real[])")
        self.addCleanup(psql, "DROP SCHEMA vecdb_bench_test CASCADE")
        psql("COPY vecdb_bench_test.t FROM STDIN (FORMAT binary)",
             run("generate.py", "-n", "5000", "-d", "48"))
        lang, category, topic, tags, day = psql(
            "SELECT avg((metadata->>'lang' = 'en')::int), "
            "avg((metadata->>'category' = 'c3')::int), avg((metadata->>'topic' = 't0')::int), "
            "min(jsonb_array_length(metadata->'tags')), max(metadata->>'published') "
            "FROM vecdb_bench_test.t WHERE vector_norm(embedding) BETWEEN 0.999 AND 1.001"
        ).split("|")
        self.assertAlmostEqual(float(lang), 0.5, delta=0.03)
        self.assertAlmostEqual(float(category), 0.1, delta=0.02)
        self.assertGreater(float(topic), 0.05)
        self.assertEqual(tags, "1")
        self.assertRegex(day, r"^2024-1[12]-\d\d$")

        helper = ReadHdf5
        helper.setUpClass()
        self.addCleanup(helper.tearDownClass)
        for table, part in (("h", "train"), ("q", "test"), ("truth", "truth")):
            psql(f"COPY vecdb_bench_test.{table} FROM STDIN (FORMAT binary)",
                 run("read_hdf5.py", helper.file, "--part", part))
        # the file's truth is what exact search in SQL finds
        worst = psql(
            "SELECT count(*), max(abs(d - distances[r])), bool_and(h.n = neighbors[r]) "
            "FROM vecdb_bench_test.truth JOIN vecdb_bench_test.q USING (n), LATERAL "
            "(SELECT h.n, h.embedding <-> q.embedding AS d, row_number() OVER "
            "(ORDER BY h.embedding <-> q.embedding) AS r FROM vecdb_bench_test.h "
            "ORDER BY 2 LIMIT 10) h").split("|")
        self.assertEqual((worst[0], worst[2]), ("200", "t"))
        self.assertLess(float(worst[1]), 1e-5)


if __name__ == "__main__":
    unittest.main()
