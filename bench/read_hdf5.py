#!/usr/bin/env python3
"""Reads the HDF5 files of the public ann-benchmarks into the streams of generate.py.

    read_hdf5.py FILE --info
    read_hdf5.py FILE | psql -c "COPY t (n, embedding) FROM STDIN (FORMAT binary)"
    read_hdf5.py FILE --part test -n 1000 --format npy --out queries.npy
    read_hdf5.py FILE --part truth | psql -c "COPY truth FROM STDIN (FORMAT binary)"

Such a file holds the datasets train (the rows), test (the queries), neighbors
(for each query the row numbers of its nearest rows, from 0) and distances, and
names its distance in an attribute.

COPY columns: of train and test, n bigint and embedding vector (--columns to
choose, id text is possible too); of truth, n bigint (number of the query),
neighbors integer[] and distances real[].  The truth is that of all of train:
with -n on train it does not hold, measure it anew.

Needs numpy and h5py.
"""

import argparse
import sys

import h5py
import numpy as np

from pgcopy import CopyWriter, NpyWriter, MAX_DIM

BLOCK = 4096

# the file's distance: (operator, collection's distance)
DISTANCES = {
    "euclidean": ("<->", "euclidean"),
    "angular": ("<=>", "cosine"),
    "dot": ("<#>", "dot"),
    "ip": ("<#>", "dot"),
}


def fail(message):
    sys.exit(f"read_hdf5.py: {message}")


def open_file(path):
    """Opens a file and checks that it is one of dense vectors that vecdb's
    type vector can hold; ends the program with a message if not."""
    try:
        f = h5py.File(path, "r")
    except OSError as e:
        fail(f"cannot read {path}: {e}")
    missing = [name for name in ("train", "test") if name not in f]
    if missing:
        fail(f"{path} has no dataset {' and no '.join(missing)}")
    distance = f.attrs.get("distance")
    if isinstance(distance, bytes):
        distance = distance.decode()
    if distance not in DISTANCES:
        fail(f"{path}: distance {distance!r} has no operator on vector; known "
             f"ones: {', '.join(DISTANCES)}")
    for name in ("train", "test"):
        if f[name].ndim != 2 or f[name].dtype.kind not in "fiu":
            fail(f"{path}: {name} is {f[name].dtype} {f[name].shape}, not a "
                 "matrix of numbers")
    if f["train"].shape[1] != f["test"].shape[1]:
        fail(f"{path}: train has {f['train'].shape[1]} dimensions, "
             f"test has {f['test'].shape[1]}")
    if not 1 <= f["train"].shape[1] <= MAX_DIM:
        fail(f"{path}: {f['train'].shape[1]} dimensions, a vector has 1 to {MAX_DIM}")
    return f, distance


def print_info(f, distance):
    """Prints shapes, distance, and rows that cosine leaves undefined."""
    operator, name = DISTANCES[distance]
    print(f"distance: {distance} (operator {operator}, collections: {name})")
    for dataset in ("train", "test", "neighbors", "distances"):
        if dataset in f:
            print(f"{dataset}: {f[dataset].shape[0]} x {f[dataset].shape[1]} "
                  f"{f[dataset].dtype}")
        else:
            print(f"{dataset}: none")
    zero = 0
    for start in range(0, len(f["train"]), BLOCK):
        zero += int((~f["train"][start:start + BLOCK].any(axis=1)).sum())
    print(f"zero vectors in train: {zero}")


def blocks(f, part, n):
    """Yields the first n rows of a part block by block."""
    for start in range(0, n, BLOCK):
        stop = min(start + BLOCK, n)
        block = {"n": range(start, stop)}
        if part == "truth":
            block["neighbors"] = f["neighbors"][start:stop].astype(np.int32)
            block["distances"] = f["distances"][start:stop].astype(np.float32)
        else:
            block["embedding"] = f[part][start:stop].astype(np.float32)
            block["id"] = [f"{'q' if part == 'test' else 'd'}{i:09}"
                           for i in block["n"]]
        yield block


def parse_args():
    p = argparse.ArgumentParser(description=__doc__,
                                formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("file")
    p.add_argument("--info", action="store_true", help="describe the file and stop")
    p.add_argument("--part", choices=["train", "test", "truth"], default="train")
    p.add_argument("-n", type=int, help="only the first N rows of the part")
    p.add_argument("--format", choices=["copy", "npy"], default="copy",
                   help="binary COPY (default), or .npy: vectors as float32, the "
                        "truth's row numbers as int32")
    p.add_argument("--columns", help="of COPY, in order (default: n,embedding, or "
                                     "n,neighbors,distances)")
    p.add_argument("--out", default="-", help="file (default: standard output)")
    a = p.parse_args()
    usual = ["n", "neighbors", "distances"] if a.part == "truth" else ["n", "embedding"]
    allowed = set(usual) if a.part == "truth" else set(usual) | {"id"}
    a.columns = a.columns.split(",") if a.columns else usual
    if set(a.columns) - allowed or len(set(a.columns)) != len(a.columns):
        p.error(f"--columns of {a.part} takes {', '.join(sorted(allowed))}, "
                "each at most once")
    if a.n is not None and a.n < 0:
        p.error("-n is 0 or more")
    if not a.info and a.out == "-" and sys.stdout.isatty():
        p.error("standard output is a terminal: name a file with --out")
    return a


def main():
    a = parse_args()
    f, distance = open_file(a.file)
    if a.info:
        print_info(f, distance)
        return
    if a.part == "truth" and not ("neighbors" in f and "distances" in f):
        fail(f"{a.file} has no ground truth (neighbors and distances)")
    rows = len(f["neighbors"] if a.part == "truth" else f[a.part])
    n = rows if a.n is None else min(a.n, rows)
    out = sys.stdout.buffer if a.out == "-" else open(a.out, "wb")
    try:
        with out:
            if a.format == "copy":
                writer = CopyWriter(out, a.columns)
            else:
                column = "neighbors" if a.part == "truth" else "embedding"
                writer = NpyWriter(out, column, n)
            for block in blocks(f, a.part, n):
                writer.write(block)
            writer.close()
    except BrokenPipeError:
        fail("the reader of standard output has gone")


if __name__ == "__main__":
    main()
