"""The datasets: rows, held-out rows for inserts, queries, exact answers.

Of every dataset the queries are no rows of the table, and neither are the
`extra` rows, which the insert benchmark adds.  Vectors are float32.
"""

import dataclasses
import os
import subprocess
import sys
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
BENCH = HERE.parent
K = 10
BLOCK = 100          # queries whose distances to all rows are in memory at once
NEAR = 64            # candidates from float32 arithmetic, ordered in float64


@dataclasses.dataclass(frozen=True)
class Source:
    """What a dataset is made of."""
    name: str
    dim: int
    metric: str
    rows: int | None       # None: all that the file has
    quick: int
    queries: int
    extra: int
    file: str | None = None
    inline: bool = True
    about: str = ""


SOURCES = {s.name: s for s in (
    Source("packages", 256, "cosine", None, 20000, 500, 3000, "packages-256.f16.npy",
           about="real text: package descriptions, TF-IDF and SVD"),
    Source("sentences", 384, "cosine", None, 20000, 1000, 3000, "sentences-384.f16.npy",
           about="real sentence embeddings, all-MiniLM-L6-v2"),
    Source("gen128", 128, "l2", 1000000, 20000, 1000, 3000, about="generated"),
    Source("gen768", 768, "cosine", 200000, 10000, 1000, 3000, about="generated"),
    Source("gen768toast", 768, "cosine", 200000, 10000, 1000, 3000, inline=False,
           about="generated, vectors TOASTed as by PostgreSQL's default"),
    Source("gen1536", 1536, "cosine", 100000, 5000, 1000, 3000, about="generated"),
)}

OPERATORS = {"l2": "<->", "cosine": "<=>", "ip": "<#>"}


def find_file(name, directories):
    """Returns the path of a dataset's file, or None."""
    for directory in directories:
        if directory and (Path(directory) / name).exists():
            return Path(directory) / name
    return None


def normalise(x):
    return x / np.linalg.norm(x, axis=1, keepdims=True)


class Dataset:
    """One dataset at one size.  Its name, which keys results, holds the number
    of rows; `source` does not."""

    def __init__(self, source, rows, store, directories):
        self.source, self.store = source, store
        self.dim, self.metric = source.dim, source.metric
        if source.file is None:
            self.path = None
            self.rows = rows or source.rows
            # variants of one table (TOASTed or not) share their vectors
            self.vectors = f"gen{source.dim}-{self.rows}"
            total = self.rows + source.extra
        else:
            self.path = find_file(source.file, directories)
            if self.path is None:
                raise FileNotFoundError(source.file)
            available = np.load(self.path, mmap_mode="r").shape[0]
            most = available - source.queries - source.extra
            if most < 1000:
                raise FileNotFoundError(f"{self.path}: only {available} rows")
            self.rows = min(rows or most, most)
            self.vectors = f"{source.name}-{self.rows}"
            total = None
        self.total = total
        self.name = f"{source.name}-{self.rows}"

    def load(self):
        """Makes base, extra and queries available (matrices of float32)."""
        if self.path is None:
            everything = self.store.array(
                f"{self.vectors}.data", lambda: self.generate("data", self.total))
            self.queries = self.store.array(
                f"{self.vectors}.queries",
                lambda: self.generate("queries", self.source.queries))
            self.base = everything[:self.rows]
            self.extra = everything[self.rows:]
        else:
            # the first rows of a file need not be like the others, so a part of
            # it, and the rows to insert, are drawn from all over
            matrix = np.load(self.path, mmap_mode="r")
            kept = matrix.shape[0] - self.source.queries
            order = np.random.default_rng(1).permutation(kept)
            take = self.rows + self.source.extra
            everything = self.store.array(
                f"{self.vectors}.data",
                lambda: normalise(matrix[order[:take]].astype(np.float32)))
            self.base, self.extra = everything[:self.rows], everything[self.rows:]
            self.queries = normalise(matrix[kept:].astype(np.float32))
        return self

    def generate(self, part, n):
        command = [sys.executable, "-B", BENCH / "generate.py", "-n", str(n), "-d",
                   str(self.dim), "--part", part, "--format", "npy"]
        # BLAS is not used, but numpy's FFT would be slowed by other threads
        path = self.store.cache / "generate.part"
        subprocess.run([*command, "--out", path], check=True)
        matrix = np.load(path)
        path.unlink()
        return matrix

    def truth(self):
        """Returns the distances of the K nearest rows of each query, ascending."""
        return self.store.array(f"{self.vectors}.{self.metric}.truth",
                                lambda: nearest(self.base, self.queries, self.metric))

    def distances(self, number, rows):
        """Returns the exact distances of some rows to one query."""
        return exact(np.asarray(self.base[rows]), self.queries[number], self.metric)


def exact(rows, query, metric):
    """Returns float64 distances of a metric."""
    rows, query = rows.astype(np.float64), query.astype(np.float64)
    if metric == "l2":
        return np.sqrt(((rows - query) ** 2).sum(axis=1))
    product = rows @ query
    if metric == "ip":
        return -product
    return 1 - product / (np.linalg.norm(rows, axis=1) * np.linalg.norm(query))


def nearest(base, queries, metric, k=K):
    """Returns a matrix of the distances of the k nearest rows of each query."""
    base = np.ascontiguousarray(base, dtype=np.float32)
    result = np.empty((len(queries), k))
    squares = np.einsum("ij,ij->i", base, base)
    lengths = np.sqrt(squares)
    near = min(max(NEAR, 2 * k), len(base))
    for start in range(0, len(queries), BLOCK):
        block = np.asarray(queries[start:start + BLOCK], dtype=np.float32)
        score = -(block @ base.T)
        if metric == "l2":
            score *= 2
            score += squares
        elif metric == "cosine":
            score /= lengths
        candidates = np.argpartition(score, near - 1, axis=1)[:, :near]
        for i, rows in enumerate(candidates):
            result[start + i] = np.sort(exact(base[rows], block[i], metric))[:k]
    return result


def data_directories(option):
    """Returns where files of vectors are looked for."""
    return [option, os.environ.get("VECDB_BENCH_DATA"),
            BENCH.parent.parent / "shared" / "data", BENCH / "data"]
