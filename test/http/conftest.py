"""A private cluster with vecdb, PostgREST and nginx for the tests.

PGBIN (or PG_CONFIG) names the PostgreSQL that has the extension installed,
POSTGREST the PostgREST to use unless it is on PATH.  Works as root, with
the servers as user postgres, and as any other user.
"""

import os
import pathlib
import shutil
import socket
import subprocess
import tempfile

import pytest

from client import TOP, Client

SECRET = "a secret for tests only, of more than 32 bytes"


def bindir():
    if os.environ.get("PGBIN"):
        return pathlib.Path(os.environ["PGBIN"])
    config = os.environ.get("PG_CONFIG", "pg_config")
    return pathlib.Path(subprocess.check_output([config, "--bindir"], text=True).strip())


def as_server():
    """Prefix of commands that must not run as root."""
    if os.getuid() != 0:
        return []
    return ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups"]


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def processes_of(where, names):
    """Command lines of living processes that name a directory and a program."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            line = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if f"{where}/" in line and any(name in line for name in names):
            found.append(line)
    return found


class Cluster:
    """A PostgreSQL server of our own, reached by its socket only."""

    def __init__(self, where):
        self.dir, self.bin, self.port = where, bindir(), 5432
        self.sock = where / "sock"
        self.env = {"PATH": f"{self.bin}:/usr/bin:/bin", "LANG": "C.UTF-8", "PGHOST": str(self.sock),
                    "PGPORT": str(self.port), "PGUSER": "postgres"}
        self.sock.mkdir()
        if os.getuid() == 0:
            shutil.chown(where, "postgres")
            shutil.chown(self.sock, "postgres")
        self.run("initdb", "-D", where / "data", "-A", "trust", "-U", "postgres", "-E", "UTF8",
                 "--locale=C.UTF-8", "--no-sync")
        self.start()

    def run(self, program, *args):
        subprocess.run([*as_server(), self.bin / program, *args], env=self.env, check=True, cwd="/",
                       stdout=subprocess.DEVNULL)

    def start(self):
        self.run("pg_ctl", "-D", self.dir / "data", "-l", self.dir / "log", "-w", "start", "-o",
                 f"-c listen_addresses= -c fsync=off -c max_connections=100 -k {self.sock} -p {self.port}")

    def stop(self, mode="fast"):
        self.run("pg_ctl", "-D", self.dir / "data", "-m", mode, "-w", "stop")

    def psql(self, sql=None, db="vecdb", user="postgres", file=None, variables=(), check=True):
        """Run SQL; the unaligned output, or the finished process with check=False."""
        source = ["-f", file] if file else ["-c", sql]
        args = [self.bin / "psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-d", db, "-U", user]
        for v in variables:
            args += ["-v", v]
        done = subprocess.run(args + source, env=self.env, text=True, capture_output=True)
        if not check:
            return done
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def create_database(self, name, extension="CREATE EXTENSION vecdb", setup=True):
        self.psql(f"CREATE DATABASE {name}", db="postgres")
        self.psql(extension, db=name)
        if setup:
            self.psql(file=TOP / "http" / "setup.sql", db=name)

    def session(self, sql, db="vecdb"):
        """A psql that has run sql and keeps its transaction until closed."""
        p = subprocess.Popen([self.bin / "psql", "-XAtq", "-d", db], env=self.env, text=True,
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        p.stdin.write(f"{sql}\n\\echo ready\n")
        p.stdin.flush()
        while p.stdout.readline().strip() != "ready":
            assert p.poll() is None
        return p


class Serve:
    """http/serve with a directory of its own."""

    def __init__(self, cluster, where, db="vecdb"):
        self.cluster, self.dir, self.db, self.port = cluster, where, db, free_port()

    def run(self, command, *options, check=True, env=None):
        done = subprocess.run([TOP / "http" / "serve", command, self.dir, *options], text=True,
                              stdin=subprocess.DEVNULL, capture_output=True, env={**os.environ, **(env or {})})
        if check:
            assert done.returncode == 0, done.stdout + done.stderr
        return done

    def start(self, *options, check=True, env=None):
        return self.run("start", "--port", str(self.port), "--db-host", str(self.cluster.sock),
                        "--db-port", str(self.cluster.port), "--db-name", self.db, *options,
                        check=check, env=env)

    def stop(self):
        return self.run("stop")

    def pid(self, program):
        return int((self.dir / "run" / f"{program}.pid").read_text())

    def client(self, **kw):
        return Client(self.port, **kw)


@pytest.fixture(scope="session")
def workdir():
    where = pathlib.Path(tempfile.mkdtemp(prefix="vecdb-http-"))
    where.chmod(0o755)
    yield where
    shutil.rmtree(where, ignore_errors=True)


@pytest.fixture(scope="session")
def cluster(workdir):
    where = workdir / "pg"
    where.mkdir()
    c = Cluster(where)
    c.create_database("vecdb")
    yield c
    c.stop("immediate")


@pytest.fixture(scope="session")
def make_serve(cluster, workdir):
    """A factory of servers, all of which are stopped in the end."""
    made = []

    def make(name, *options, db="vecdb", start=True):
        s = Serve(cluster, workdir / name, db)
        made.append(s)
        if start:
            s.start(*options)
        return s

    yield make
    failed = [done for done in [s.run("stop", check=False) for s in made] if done.returncode != 0]
    assert not failed
    assert not processes_of(workdir, ("postgrest", "nginx")), "http/serve stop left something"


@pytest.fixture(scope="session")
def server(make_serve):
    """The demo's server: everyone is admin."""
    return make_serve("open", "--wait", "60")


@pytest.fixture(scope="session")
def http(server):
    return server.client()


@pytest.fixture(scope="session")
def secret_file(workdir):
    f = workdir / "jwt-secret"
    f.write_text(SECRET + "\n")
    f.chmod(0o600)
    return f


@pytest.fixture(scope="session")
def auth_server(make_serve, secret_file):
    """A server that wants a token or a key, and lets one origin in."""
    return make_serve("auth", "--auth", "on", "--jwt-secret-file", str(secret_file),
                      "--cors-origin", "https://app.example.org", "--wait", "60",
                      # longer than the client waits: only a role's own timeout can strike
                      "--statement-timeout", "5min")


@pytest.fixture
def collection(cluster, http, request):
    """A fresh collection of three dimensions with three points; its name."""
    name = "t_" + request.node.name.replace("[", "_").replace("]", "").replace(".", "_")[:50]
    name = "".join(ch if ch.isalnum() or ch in "_-" else "-" for ch in name)
    assert http.post("/collections", {"name": name, "dimension": 3}).status == 201
    points = [
        {"id": "a", "vector": [1, 0, 0], "metadata": {"year": 2015, "tags": ["x", "y"]}},
        {"id": "b", "vector": [1, 1, 0], "metadata": {"year": 2017, "tags": ["y"]}},
        {"id": "c", "vector": [0, 0, 2], "metadata": {}},
    ]
    assert http.post(f"/collections/{name}/upsert", {"points": points}).json == {"status": "ok", "upserted": 3}
    yield name
    cluster.psql(f"SELECT vecdb.drop_collection(name) FROM vecdb.collections WHERE name = '{name}'")
