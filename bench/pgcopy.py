"""Writers for streams of rows: PostgreSQL's binary COPY format, and .npy.

Both take blocks (dictionaries of columns of equal length) and write them at
once, so that memory does not depend on the number of rows.

Columns and their SQL types:
  n          bigint     row number, from 0
  id         text
  embedding  vector     a float32 matrix
  metadata   jsonb      a list of objects
  neighbors  integer[]  a matrix of row numbers
  distances  real[]     a float32 matrix
  tenth, thousandth  bigint  (bench_filter.py)
"""

import json
import struct

import numpy as np

SIGNATURE = b"PGCOPY\n\xff\r\n\0"
INT4_OID, FLOAT4_OID = 23, 700

# vector's binary format: int16 dimensions, int16 0, float4 each.
MAX_DIM = 16000


def encode_n(column):
    return [struct.pack(">q", n) for n in column]


def encode_id(column):
    return [i.encode("utf-8") for i in column]


def encode_embedding(column):
    rows, dim = column.shape
    if not 1 <= dim <= MAX_DIM:
        raise ValueError(f"a vector has 1 to {MAX_DIM} dimensions, not {dim}")
    if not np.isfinite(column).all():
        raise ValueError("a vector holds finite numbers only")
    head = struct.pack(">hh", dim, 0)
    body = np.ascontiguousarray(column, dtype=">f4").tobytes()
    return [head + body[i * 4 * dim:(i + 1) * 4 * dim] for i in range(rows)]


def encode_metadata(column):
    # jsonb's binary format: a version number, then the text
    return [b"\x01" + json.dumps(m, ensure_ascii=False,
                                 separators=(",", ":")).encode("utf-8")
            for m in column]


def encode_array(column, oid, dtype):
    """Encodes the rows of a matrix as one-dimensional SQL arrays."""
    head = struct.pack(">iiiii", 1, 0, oid, column.shape[1], 1)
    # each element: its length, then its value
    cells = np.empty(column.shape, dtype=[("length", ">i4"), ("value", dtype)])
    cells["length"] = 4
    cells["value"] = column
    return [head + row.tobytes() for row in cells]


ENCODERS = {
    "n": encode_n,
    "tenth": encode_n,
    "thousandth": encode_n,
    "id": encode_id,
    "embedding": encode_embedding,
    "metadata": encode_metadata,
    "neighbors": lambda c: encode_array(c, INT4_OID, ">i4"),
    "distances": lambda c: encode_array(c, FLOAT4_OID, ">f4"),
}


class CopyWriter:
    """COPY ... FROM ... (FORMAT binary) of the named columns, in their order."""

    def __init__(self, out, columns):
        self.out = out
        self.columns = columns
        out.write(SIGNATURE + struct.pack(">ii", 0, 0))

    def write(self, block):
        fields = struct.pack(">h", len(self.columns))
        encoded = [ENCODERS[name](block[name]) for name in self.columns]
        parts = []
        for row in zip(*encoded, strict=True):
            parts.append(fields)
            for value in row:
                parts.append(struct.pack(">i", len(value)))
                parts.append(value)
        self.out.write(b"".join(parts))

    def close(self):
        self.out.write(struct.pack(">h", -1))
        self.out.flush()


class NpyWriter:
    """A .npy file of one matrix column, whose number of rows is known before."""

    def __init__(self, out, column, rows):
        self.out = out
        self.column = column
        self.rows = rows
        self.started = False

    def write(self, block):
        matrix = np.ascontiguousarray(block[self.column])
        if not self.started:
            np.lib.format.write_array_header_1_0(self.out, {
                "descr": np.lib.format.dtype_to_descr(matrix.dtype),
                "fortran_order": False,
                "shape": (self.rows, matrix.shape[1])})
            self.started = True
        self.out.write(matrix.tobytes())

    def close(self):
        self.out.flush()
