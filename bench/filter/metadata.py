"""What the rows of a dataset carry beside their vectors: columns as numpy arrays,
and the JSON documents made of them."""

import gzip
import json

import numpy as np

PIVOTS = (10, 100, 1000)
META_FILE = "packages-meta.jsonl.gz"
BLOCK = 20000
PLAIN = {"tenth": 10, "thousandth": 1000}


def plain_columns(rng, rows):
    return {name: rng.integers(0, parts, rows) for name, parts in PLAIN.items()}


class Generated:
    """Fields for generated vectors.

      u                   the numbers 0 .. rows - 1, shuffled: ranges, single rows
      c2 .. c10000        independent of the vectors, each value 1/2 .. 1/10000 of the rows
      r10, r100, r1000    the nearest of so many rows: tied to the vectors
      tenth, thousandth   as c10 and c1000: plain columns that no index has
    """

    def __init__(self, dataset):
        self.dataset, self.rows = dataset, dataset.rows
        rng = np.random.default_rng(7)
        self.columns = {"u": rng.permutation(self.rows)}
        for parts in (2, 10, 100, 1000, 10000):
            self.columns[f"c{parts}"] = rng.integers(0, parts, self.rows)
        self.columns |= plain_columns(rng, self.rows)
        for pivots in PIVOTS:
            self.columns[f"r{pivots}"] = dataset.store.array(
                f"{dataset.vectors}.{dataset.metric}.r{pivots}",
                lambda p=pivots: nearest_pivot(dataset.base, self.pivots(p), dataset.metric))

    def pivots(self, number):
        """Returns the vectors around which the regions of r{number} are."""
        chosen = np.random.default_rng(number).choice(self.rows, min(number, self.rows),
                                                      replace=False)
        return np.asarray(self.dataset.base[np.sort(chosen)])

    def documents(self, start, stop):
        names = [name for name in self.columns if name not in PLAIN]
        parts = [self.columns[name][start:stop].tolist() for name in names]
        for values in zip(*parts):
            yield {name: value if name == "u" else f"{name}-{value}"
                   for name, value in zip(names, values)} | {"all": "x"}


def nearest_pivot(base, pivots, metric):
    """Returns the number of each row's nearest pivot."""
    result = np.empty(len(base), dtype=np.int32)
    for start in range(0, len(base), BLOCK):
        block = np.asarray(base[start:start + BLOCK], dtype=np.float32)
        result[start:start + BLOCK] = np.argmin(scores(block, pivots, metric), axis=1)
    return result


def scores(block, pivots, metric):
    """Returns a matrix that orders the pivots of each row as the distance does."""
    product = block @ pivots.T
    if metric == "l2":
        return (pivots ** 2).sum(axis=1) - 2 * product
    if metric == "cosine":
        return -product / np.linalg.norm(pivots, axis=1)
    return -product


class Packages:
    """The real metadata of the packages dataset."""

    def __init__(self, dataset):
        self.dataset, self.rows = dataset, dataset.rows
        path = dataset.path.parent / META_FILE
        if not path.exists():
            raise FileNotFoundError(path)
        with gzip.open(path, "rt", encoding="utf-8") as f:
            everything = [json.loads(line) for line in f]
        # the order in which Dataset.load has taken the rows
        kept = len(everything) - dataset.source.queries
        order = np.random.default_rng(1).permutation(kept)[:self.rows]
        self.all = [everything[i] for i in order]
        self.sections = sorted({d["section"] for d in self.all})
        number = {s: i for i, s in enumerate(self.sections)}
        self.columns = {
            "section": np.array([number[d["section"]] for d in self.all]),
            "installed_size": np.array([d["installed_size"] or 0 for d in self.all]),
            "has_size": np.array([isinstance(d["installed_size"], int) for d in self.all]),
            "priority": np.array([d["priority"] for d in self.all]),
            "package": np.array([d["package"] for d in self.all]),
            "tagged": np.array([bool(d["tags"]) for d in self.all])}
        rng = np.random.default_rng(7)
        self.columns |= plain_columns(rng, self.rows)

    def centres(self):
        """Returns the mean vector of each section."""
        base = np.asarray(self.dataset.base, dtype=np.float32)
        section = self.columns["section"]
        return np.array([base[section == s].mean(axis=0) for s in range(len(self.sections))])

    def documents(self, start, stop):
        yield from self.all[start:stop]

def metadata_of(dataset):
    return Packages(dataset) if dataset.source.name == "packages" else Generated(dataset)
