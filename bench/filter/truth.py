"""Exact answers to filtered searches."""

import numpy as np

from index.datasets import K, NEAR, exact

BLOCK = 10              # queries whose distances to all rows are in memory at once


def truths(dataset, cases, queries):
    """Returns by case (distances, matches): for each query the distances of its K
    nearest matching rows, ascending, inf where there are fewer; and how many rows
    match."""
    missing = [c for c in cases if not path_of(dataset, c, queries).exists()]
    if missing:
        print(f"   exact answers of {len(missing)} filters", flush=True)
        compute(dataset, missing, queries)
    result = {}
    for case in cases:
        stored = np.load(path_of(dataset, case, queries))
        result[case.name] = (stored[:, :K], stored[:, K].astype(int))
    return result


def path_of(dataset, case, queries):
    name = "".join(c if c.isalnum() else "_" for c in case.name)
    return dataset.store.cache / f"{dataset.name}.{len(queries)}.filter.{name}.npy"


def compute(dataset, cases, queries):
    base = np.ascontiguousarray(dataset.base, dtype=np.float32)
    squares = np.einsum("ij,ij->i", base, base)
    lengths = np.sqrt(squares)
    results = {c.name: np.full((len(queries), K + 1), np.inf) for c in cases}
    for start in range(0, len(queries), BLOCK):
        block = np.asarray(queries[start:start + BLOCK], dtype=np.float32)
        order = -(block @ base.T)
        if dataset.metric == "l2":
            order *= 2
            order += squares
        elif dataset.metric == "cosine":
            order /= lengths
        for i, query in enumerate(block):
            for case in cases:
                rows = np.flatnonzero(case.make(start + i).mask)
                results[case.name][start + i] = nearest(base, query, rows, order[i], dataset.metric)
    for case in cases:
        np.save(path_of(dataset, case, queries), results[case.name])


def nearest(base, query, rows, order, metric):
    """Returns the K distances of one query, and the number of rows."""
    result = np.full(K + 1, np.inf)
    result[K] = len(rows)
    if len(rows) > NEAR:
        candidates = rows[np.argpartition(order[rows], NEAR - 1)[:NEAR]]
    else:
        candidates = rows
    found = np.sort(exact(base[candidates], query, metric))[:K]
    result[:len(found)] = found
    return result
