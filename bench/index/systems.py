"""What is compared: which extension, which version, how an index is made."""

import dataclasses
import hashlib
import importlib.metadata
import subprocess

import psycopg

OURS = "vecdb"
HNSWLIB = "hnswlib"
M = 16
OPERATOR_CLASSES = {"l2": "vector_l2_ops", "cosine": "vector_cosine_ops",
                    "ip": "vector_ip_ops"}


@dataclasses.dataclass(frozen=True)
class System:
    """An extension in the server.  Its stamp changes when its library or its SQL
    does, so that results of another build do not pass for results of this one."""
    name: str
    extension: str
    version: str
    stamp: str

    def create_index(self, name, table, metric, ef_construction):
        return (f"CREATE INDEX {name} ON {table} USING hnsw "
                f"(v {OPERATOR_CLASSES[metric]}) "
                f"WITH (m = {M}, ef_construction = {ef_construction})")


def revision(directory):
    """Returns the commit of a source tree, with + if it has changes, or ""."""
    git = lambda *a: subprocess.run(["git", "-C", directory, *a], capture_output=True,
                                    text=True, check=False)
    head = git("rev-parse", "--short=10", "HEAD")
    if head.returncode != 0:
        return ""
    changed = git("status", "--porcelain", "--untracked-files=no", "--", "src").stdout
    return head.stdout.strip() + ("+" if changed else "")


def find_systems(server, peers, source):
    """Returns the systems that this server has, by name; prints a line for each
    that it lacks.  The server runs."""
    found = {}
    for extension in (OURS, *peers):
        name = "pgvector" if extension == "vector" else extension
        with server.session("postgres") as session:
            rows = session.run("SELECT default_version FROM pg_available_extensions "
                               "WHERE name = %s", [extension])
        library = server.libraries / f"{extension}.so"
        if not rows or not library.exists():
            print(f"{name}: left out, the extension {extension} is not installed in "
                  f"this server", flush=True)
            continue
        version = rows[0][0]
        script = server.extensions / f"{extension}--{version}.sql"
        digest = hashlib.sha256(library.read_bytes() + script.read_bytes()).hexdigest()[:12]
        built = source / "vecdb.so"
        # only where what is installed is what this tree has built
        if (extension == OURS and built.exists()
                and built.read_bytes() == library.read_bytes()
                and (commit := revision(source))):
            version += f" ({commit})"
        else:
            version += f" ({digest})" if extension == OURS else ""
        found[name] = System(name, extension, version, digest)
    for name, system in list(found.items()):
        if (reason := why_unusable(server, system)) is not None:
            print(f"{name}: left out, {reason}", flush=True)
            del found[name]
    return found


def why_unusable(server, system):
    """Says why the extension cannot be measured, None if it can."""
    with server.session("postgres") as session:
        session.run("DROP DATABASE IF EXISTS probe WITH (FORCE)")
        session.run("CREATE DATABASE probe TEMPLATE template0")
        try:
            with server.session("probe") as probe:
                probe.run(f"CREATE EXTENSION {system.extension}")
                if not probe.run("SELECT 1 FROM pg_am WHERE amname = 'hnsw'"):
                    return "it has no access method hnsw"
        except psycopg.Error as e:
            return f"it cannot be created: {e}"
        finally:
            session.run("DROP DATABASE probe WITH (FORCE)")
    return None


def hnswlib_version():
    """Returns hnswlib's version, or None where it is not installed."""
    try:
        import hnswlib  # noqa: F401  (may be installed and yet not load)
        return importlib.metadata.version("hnswlib")
    except (ImportError, importlib.metadata.PackageNotFoundError):
        return None
