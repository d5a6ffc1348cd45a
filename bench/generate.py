#!/usr/bin/env python3
"""Generates vectors and metadata that resemble those of real collections.

    generate.py -n 1000000 -d 768 --format npy --out base.npy
    generate.py -n 1000 -d 768 --part queries --format npy --out queries.npy
    generate.py -n 100000 -d 768 | psql -c "COPY t FROM STDIN (FORMAT binary)"

Vectors: a mixture of clusters whose sizes follow Zipf's law, whose centres and
insides have a decaying spectrum (variance j^-decay along the j-th direction,
each cluster with its own variation of it), turned by a random rotation so that
no coordinate is special.  Queries come from the same mixture and are no rows.

Metadata, and the share of the rows that one value selects:
  lang       "en" 50 %, the rest spread over 9 others
  category   "c0" .. "c9"        10 % each
  source     "s0" .. "s99"        1 % each
  author     "a0" .. "a999"     0.1 % each
  batch      0 .. 9999         0.01 % each
  topic      the cluster ("t0" is the largest) for 90 % of the rows, else any
  tags       array of 1 to 5 different strings of 200, the commonest in 41 %
  price      number, nearly unique, median 100, long tail
  published  ISO 8601 date of 2000 to 2024
All but topic are independent of the vectors.

The rows depend on the seed and the distribution's options only: the first
thousand of a million are the thousand of -n 1000.  Memory depends on the
dimension and the number of clusters, not on n.  Needs numpy.
"""

import argparse
import datetime
import sys

import numpy as np

from pgcopy import CopyWriter, NpyWriter, MAX_DIM

BLOCK = 4096
PARTS = {"data": 1, "queries": 2}
MODEL_STREAM, METADATA_STREAM = 3, 4
LANGUAGES = ["en"] + ["de", "fr", "es", "it", "pl", "nl", "pt", "ja", "zh"]
TAGS = 200
FIRST_DAY = datetime.date(2000, 1, 1)
DAYS = (datetime.date(2025, 1, 1) - FIRST_DAY).days


def stream(*key):
    """Returns the random generator of a key of small integers."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(key)))


class Rotation:
    """A random orthogonal map in O(d log d): signs, then a Hartley transform,
    twice, with a permutation between.  Any dimension, no d x d matrix."""

    def __init__(self, dim, rng):
        self.signs = [rng.choice(np.array([-1, 1], np.float32), dim) for _ in "12"]
        self.permutation = rng.permutation(dim)

    def apply(self, x):
        for signs in self.signs:
            f = np.fft.fft(x * signs, axis=1, norm="ortho")
            x = (f.real - f.imag).astype(np.float32)[:, self.permutation]
        return x


class Mixture:
    """The distribution that rows and queries are drawn from."""

    def __init__(self, dim, clusters, zipf, decay, spread, norm, seed):
        rng = stream(seed, MODEL_STREAM)
        self.dim = dim
        self.norm = norm
        self.seed = seed
        share = np.arange(1, clusters + 1, dtype=np.float64) ** -zipf
        self.cumulative = np.cumsum(share / share.sum())
        spectrum = np.arange(1, dim + 1, dtype=np.float64) ** (-decay / 2)
        spectrum /= np.sqrt((spectrum**2).sum())
        self.centres = (rng.standard_normal((clusters, dim), np.float32)
                        * spectrum.astype(np.float32))
        # each cluster is an ellipsoid of its own, and some are tighter
        inside = rng.standard_normal((clusters, dim), np.float32)
        np.exp(0.5 * inside, out=inside)
        inside *= spectrum.astype(np.float32)
        inside /= np.linalg.norm(inside, axis=1, keepdims=True)
        width = spread * np.exp(0.25 * rng.standard_normal((clusters, 1)))
        self.inside = inside * width.astype(np.float32)
        # a common offset, as embeddings of real models have
        self.offset = (0.5 * rng.standard_normal(dim) * spectrum).astype(np.float32)
        self.rotation = Rotation(dim, rng)

    def draw(self, part, number):
        """Returns (vectors, clusters) of one block of BLOCK rows."""
        rng = stream(self.seed, PARTS[part], number)
        cluster = np.searchsorted(self.cumulative, rng.random(BLOCK))
        cluster = np.minimum(cluster, len(self.cumulative) - 1)
        x = rng.standard_normal((BLOCK, self.dim), np.float32)
        x *= self.inside[cluster]
        x += self.centres[cluster]
        x += self.offset
        x = self.rotation.apply(x)
        if self.norm == "unit":
            x /= np.linalg.norm(x, axis=1, keepdims=True)
        else:
            # lengths of embeddings that are not normalised vary by a third or so
            x *= np.float32(10) * np.exp(
                0.3 * rng.standard_normal((BLOCK, 1))).astype(np.float32)
        return x, cluster


def draw_metadata(seed, part, number, cluster, clusters):
    """Returns the metadata objects of one block."""
    rng = stream(seed, METADATA_STREAM, PARTS[part], number)
    english = rng.random(BLOCK) < 0.5
    other = rng.integers(1, len(LANGUAGES), BLOCK)
    # four independent fields from one draw each
    category, source, author, batch = (rng.integers(0, n, BLOCK)
                                       for n in (10, 100, 1000, 10000))
    topic = np.where(rng.random(BLOCK) < 0.9, cluster,
                     rng.integers(0, clusters, BLOCK))
    tag_count = rng.integers(1, 6, BLOCK)
    tags = (TAGS * rng.random((BLOCK, 5)) ** 3).astype(int)
    price = np.round(100 * np.exp(rng.standard_normal(BLOCK)), 4)
    day = rng.integers(0, DAYS, BLOCK)
    days = [FIRST_DAY + datetime.timedelta(days=int(d)) for d in day]
    return [{"lang": LANGUAGES[0 if english[i] else other[i]],
             "category": f"c{category[i]}",
             "source": f"s{source[i]}",
             "author": f"a{author[i]}",
             "batch": int(batch[i]),
             "topic": f"t{topic[i]}",
             "tags": [f"g{t}" for t in dict.fromkeys(tags[i, :tag_count[i]])],
             "price": float(price[i]),
             "published": days[i].isoformat()} for i in range(BLOCK)]


def blocks(mixture, part, n, columns):
    """Yields the n rows of a part block by block, with the columns asked for."""
    for number, start in enumerate(range(0, n, BLOCK)):
        rows = min(BLOCK, n - start)
        x, cluster = mixture.draw(part, number)
        block = {"n": range(start, start + rows), "embedding": x[:rows]}
        if "id" in columns:
            letter = part[0]
            block["id"] = [f"{letter}{i:09}" for i in block["n"]]
        if "metadata" in columns:
            block["metadata"] = draw_metadata(mixture.seed, part, number, cluster,
                                              len(mixture.centres))[:rows]
        yield block


def print_stats(mixture):
    """Prints what one block looks like, to judge it beside real data."""
    x, cluster = mixture.draw("data", 0)
    norms = np.linalg.norm(x, axis=1)
    print("norm: min %.3f, median %.3f, max %.3f"
          % (norms.min(), np.median(norms), norms.max()))
    share = np.sort(np.bincount(cluster))[::-1] / BLOCK
    print("largest clusters: " + ", ".join(f"{100 * s:.1f} %" for s in share[:5]))
    values = np.linalg.svd(x - x.mean(axis=0), compute_uv=False) ** 2
    print("effective dimensions (participation ratio of the variances): %.0f of %d"
          % (values.sum() ** 2 / (values**2).sum(), x.shape[1]))
    print("neighbours among %d rows:" % BLOCK, neighbour_stats(x))


def neighbour_stats(x, sample=500, k=20):
    """Returns (local intrinsic dimension, contrast) of rows as text: the
    maximum-likelihood estimate over k neighbours, and the mean distance to
    any row over that to the nearest."""
    squares = (x.astype(np.float64) ** 2).sum(axis=1)
    d2 = squares[:sample, None] + squares - 2 * (x[:sample] @ x.T).astype(np.float64)
    np.fill_diagonal(d2, np.inf)
    near = np.sqrt(np.maximum(np.partition(d2, k, axis=1)[:, :k + 1], 1e-12))
    near.sort(axis=1)
    lid = -1 / np.log(near[:, :k] / near[:, k:]).mean(axis=1)
    np.fill_diagonal(d2, np.nan)
    contrast = np.nanmean(np.sqrt(np.maximum(d2, 0)), axis=1) / near[:, 0]
    return "local intrinsic dimension %.1f, contrast %.2f" % (
        np.median(lid), np.median(contrast))


def parse_args():
    p = argparse.ArgumentParser(description=__doc__,
                                formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("-n", type=int, default=100000, help="rows (default %(default)s)")
    p.add_argument("-d", "--dim", type=int, default=768,
                   help="dimensions, 1 to 16000 (default %(default)s)")
    p.add_argument("--part", choices=PARTS, default="data")
    p.add_argument("--format", choices=["copy", "npy"], default="copy",
                   help="binary COPY (default), or the vectors as float32 .npy")
    p.add_argument("--columns", default="id,embedding,metadata",
                   help="of COPY, in order, out of n, id, embedding, metadata "
                        "(default %(default)s, as in a collection's table)")
    p.add_argument("--out", default="-", help="file (default: standard output)")
    p.add_argument("--norm", choices=["unit", "raw"], default="unit")
    p.add_argument("--clusters", type=int, default=200, help="(default %(default)s)")
    p.add_argument("--zipf", type=float, default=0.8,
                   help="exponent of the cluster sizes, 0 = equal (default %(default)s)")
    p.add_argument("--decay", type=float, default=0.6,
                   help="exponent of the variances, 0 = none (default %(default)s)")
    p.add_argument("--spread", type=float, default=0.8,
                   help="size of a cluster relative to the distance between "
                        "clusters (default %(default)s)")
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--stats", action="store_true",
                   help="print what the data looks like instead of writing it")
    a = p.parse_args()
    a.columns = a.columns.split(",")
    if a.n < 0 or a.seed < 0 or a.clusters < 1 or not 1 <= a.dim <= MAX_DIM:
        p.error("-n and --seed are 0 or more, --clusters at least 1, "
                f"-d 1 to {MAX_DIM}")
    if min(a.zipf, a.decay, a.spread) < 0:
        p.error("--zipf, --decay and --spread are 0 or more")
    unknown = set(a.columns) - {"n", "id", "embedding", "metadata"}
    if unknown or len(set(a.columns)) != len(a.columns):
        p.error("--columns takes n, id, embedding, metadata, each at most once")
    if not a.stats and a.out == "-" and sys.stdout.isatty():
        p.error("standard output is a terminal: name a file with --out")
    return a


def main():
    a = parse_args()
    mixture = Mixture(a.dim, a.clusters, a.zipf, a.decay, a.spread, a.norm, a.seed)
    if a.stats:
        print_stats(mixture)
        return
    columns = ["embedding"] if a.format == "npy" else a.columns
    out = sys.stdout.buffer if a.out == "-" else open(a.out, "wb")
    try:
        with out:
            if a.format == "npy":
                writer = NpyWriter(out, "embedding", a.n)
            else:
                writer = CopyWriter(out, columns)
            for block in blocks(mixture, a.part, a.n, columns):
                writer.write(block)
            writer.close()
    except BrokenPipeError:
        sys.exit("generate.py: the reader of standard output has gone")


if __name__ == "__main__":
    main()
