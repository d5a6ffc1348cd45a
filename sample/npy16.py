"""Reads a two-dimensional float16 .npy file with the standard library alone."""

import ast
import struct


def read(path):
    """Returns the rows of the file, each a tuple of floats.

    Raises ValueError for anything but a C-ordered, little-endian float16
    matrix of the size that its header promises.
    """
    with open(path, "rb") as f:
        raw = f.read()
    if raw[:6] != b"\x93NUMPY" or len(raw) < 12:
        raise ValueError(f"{path}: not a .npy file")
    if raw[6] == 1:
        size, start = struct.unpack_from("<H", raw, 8)[0], 10
    else:
        size, start = struct.unpack_from("<I", raw, 8)[0], 12
    head = ast.literal_eval(raw[start:start + size].decode("utf-8"))
    shape = head["shape"]
    if head["descr"] != "<f2" or head["fortran_order"] or len(shape) != 2:
        raise ValueError(f"{path}: expected a float16 matrix, found {head}")
    body = memoryview(raw)[start + size:]
    if len(body) != 2 * shape[0] * shape[1]:
        raise ValueError(f"{path}: {len(body)} bytes for shape {shape}")
    return list(struct.iter_unpack(f"<{shape[1]}e", body))


def text(row):
    """Returns a row as a JSON array; nine digits give back the same float32."""
    return "[" + ",".join(format(x, ".9g") for x in row) + "]"
