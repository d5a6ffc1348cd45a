"""The state directory: results, cached arrays, the lock.

    results.jsonl   one JSON object a line: key, about (versions, time), values;
                    of several with the same key the last one counts
    cache/          generated vectors and exact answers (.npy)
    cluster/        the private server's data directory
"""

import fcntl
import json
import os
import sys
import time
from pathlib import Path

import numpy as np


def default_directory():
    """Returns where the state is unless --state says otherwise."""
    if os.environ.get("VECDB_BENCH_STATE"):
        return Path(os.environ["VECDB_BENCH_STATE"])
    if os.geteuid() == 0:
        return Path("/var/lib/vecdb/bench")
    home = os.environ.get("XDG_STATE_HOME") or os.path.expanduser("~/.local/state")
    return Path(home) / "vecdb" / "bench"


def canonical(key):
    """Returns the text that tells keys apart, whatever their order."""
    return json.dumps(key, sort_keys=True, separators=(",", ":"))


class Store:
    def __init__(self, directory):
        self.directory = Path(directory).resolve()
        self.cache = self.directory / "cache"
        self.file = self.directory / "results.jsonl"
        self.cache.mkdir(parents=True, exist_ok=True)
        self.lock_file = None
        self.records = {}
        if self.file.exists():
            for number, line in enumerate(self.file.read_text().splitlines(), 1):
                # a run that was killed may have left half a line
                try:
                    record = json.loads(line)
                    self.records[canonical(record["key"])] = record
                except (ValueError, KeyError):
                    print(f"{self.file}:{number}: skipped, not a result", file=sys.stderr)

    def lock(self):
        """Makes sure that this is the only run on this state."""
        self.lock_file = open(self.directory / "lock", "w", encoding="utf-8")
        try:
            fcntl.flock(self.lock_file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            sys.exit(f"another benchmark is at work in {self.directory}")

    def find(self, key, stamp=None):
        """Returns the values of a result, or None if there is none or if its
        stamp (what it was measured with) is another."""
        record = self.records.get(canonical(key))
        if record is None or (stamp is not None and record["about"].get("stamp") != stamp):
            return None
        return record["values"]

    def about(self, key):
        record = self.records.get(canonical(key))
        return record["about"] if record else None

    def add(self, key, about, values):
        """Writes one result."""
        record = {"key": key, "about": about | {"time": time.strftime("%Y-%m-%dT%H:%M:%S")},
                  "values": values}
        line = json.dumps(record, separators=(",", ":"))
        with open(self.file, "ab+") as f:
            # begin a new line after half a one
            size = f.seek(0, os.SEEK_END)
            if size > 0:
                f.seek(size - 1)
                if f.read(1) != b"\n":
                    f.write(b"\n")
            f.write(line.encode() + b"\n")
            f.flush()
            os.fsync(f.fileno())
        self.records[canonical(key)] = record

    def all(self, **wanted):
        """Returns the records whose key has all these entries."""
        return [r for r in self.records.values()
                if all(r["key"].get(k) == v for k, v in wanted.items())]

    def array(self, name, make):
        """Returns a cached array (memory-mapped), made by make() at first."""
        path = self.cache / f"{name}.npy"
        if not path.exists():
            part = path.with_suffix(".part")
            with open(part, "wb") as f:
                np.save(f, make())
            part.rename(path)
        return np.load(path, mmap_mode="r")
