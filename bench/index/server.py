"""A private PostgreSQL server, and sessions whose CPU time is known.

The server is that of pg_config, with a cluster of its own in the state
directory; it listens on a socket in a directory that only its user may enter.
As root it runs as the user postgres.  Its settings suit a benchmark on a shared
disk (no fsync), not data that matters.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psycopg
from psycopg import pq

from . import figures

SETTINGS = {
    "listen_addresses": "",
    "port": "5432",
    "unix_socket_permissions": "0700",
    "max_connections": "20",
    "fsync": "off",
    "synchronous_commit": "off",
    "autovacuum": "off",
    "jit": "off",
    "max_wal_size": "16GB",
    "checkpoint_timeout": "1d",
    "max_parallel_workers": "8",
    "dynamic_shared_memory_type": "posix",
    "logging_collector": "off",
    "log_min_messages": "warning",
    "timezone": "UTC",
}


def fail(message):
    sys.exit(f"{Path(sys.argv[0]).name}: {message}")


class Server:
    def __init__(self, pg_config, directory, shared_buffers):
        ask = lambda option: subprocess.run(
            [pg_config, option], capture_output=True, text=True, check=True).stdout.strip()
        try:
            self.bin = Path(ask("--bindir"))
            self.libraries = Path(ask("--pkglibdir"))
            self.extensions = Path(ask("--sharedir")) / "extension"
            self.version = ask("--version")
        except (OSError, subprocess.CalledProcessError) as e:
            fail(f"cannot run {pg_config}: {e} (--pg-config names another one)")
        self.shared_buffers = shared_buffers
        self.data = directory / "cluster"
        self.log = directory / "server.log"
        self.directory = directory
        self.socket = None
        self.process = None

    def as_user(self, *command):
        """Returns the command as the user who runs the server."""
        if os.geteuid() != 0:
            return list(command)
        return ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups",
                "env", "-i", f"PATH={self.bin}:{os.environ['PATH']}", "LC_ALL=C.UTF-8",
                *command]

    def own(self, path):
        if os.geteuid() == 0:
            shutil.chown(path, "postgres", "postgres")

    def initialise(self):
        """Makes the cluster unless it is there."""
        if (self.data / "PG_VERSION").exists():
            return
        shutil.rmtree(self.data, ignore_errors=True)
        self.data.mkdir(mode=0o700)
        self.own(self.data)
        done = subprocess.run(
            self.as_user(self.bin / "initdb", "-D", self.data, "-U", "postgres", "-A",
                         "trust", "-E", "UTF8", "--no-locale", "--no-sync"),
            capture_output=True, text=True, check=False, cwd="/")
        if done.returncode != 0:
            fail(f"initdb: {done.stderr.strip()}")

    def start(self, **settings):
        """Starts the server, with settings that differ from the usual ones."""
        self.initialise()
        if (self.data / "postmaster.pid").exists():
            # a run that was killed has left its server
            self.pg_ctl("stop", "-m", "immediate")
        self.socket = tempfile.mkdtemp(prefix="vecdb-bench-")
        self.own(self.socket)
        options = SETTINGS | {"shared_buffers": self.shared_buffers,
                              "unix_socket_directories": self.socket} | settings
        command = [self.bin / "postgres", "-D", self.data]
        for name, value in options.items():
            command += ["-c", f"{name}={value}"]
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                self.as_user(*map(str, command)), stdout=log, stderr=log,
                stdin=subprocess.DEVNULL, cwd="/", start_new_session=True)
        deadline = time.monotonic() + 120
        while True:
            try:
                self.connect("postgres").close()
                return
            except psycopg.OperationalError as e:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    tail = self.log.read_text(errors="replace").splitlines()[-5:]
                    fail(f"the server does not start: {e}; its log ends:\n" + "\n".join(tail))
                time.sleep(0.1)

    def pg_ctl(self, *arguments):
        subprocess.run(self.as_user(self.bin / "pg_ctl", "-D", self.data, "-s", *arguments),
                       check=False, cwd="/", stderr=subprocess.DEVNULL)

    def stop(self):
        """Stops the server; its open sessions end."""
        if self.process is None:
            return
        self.pg_ctl("stop", "-m", "fast", "-t", "600")
        try:
            self.process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.socket, ignore_errors=True)
        self.process = None

    def restart(self, **settings):
        self.stop()
        self.start(**settings)

    def connect(self, database):
        return psycopg.connect(host=self.socket, port=5432, user="postgres", dbname=database,
                               autocommit=True)

    def session(self, database):
        return Session(self.connect(database), self)

    def postmaster(self):
        return int((self.data / "postmaster.pid").read_text().split()[0])

    def ended_cpu(self):
        """Returns the CPU seconds of the postmaster's children that have ended,
        such as parallel workers, in ticks of 10 ms."""
        stat = Path(f"/proc/{self.postmaster()}/stat").read_text()
        return figures.parse_children_cpu(stat, os.sysconf("SC_CLK_TCK"))


class Session:
    """A connection, and what its backend has consumed."""

    def __init__(self, connection, server):
        self.connection = connection
        self.server = server
        self.pid = connection.info.backend_pid
        try:
            self.schedstat = os.open(f"/proc/{self.pid}/schedstat", os.O_RDONLY)
            self.stat = os.open(f"/proc/{self.pid}/stat", os.O_RDONLY)
        except OSError as e:
            fail(f"cannot read the CPU time of the server's processes: {e}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        os.close(self.schedstat)
        os.close(self.stat)
        self.connection.close()

    def run(self, sql, parameters=None):
        """Runs one statement and returns its rows ([] if it has none)."""
        cursor = self.connection.execute(sql, parameters)
        return cursor.fetchall() if cursor.description else []

    def value(self, sql, parameters=None):
        return self.run(sql, parameters)[0][0]

    def cpu(self):
        """Returns the seconds that the backend, which has answered, has been on a
        CPU, once it waits for the next request."""
        # an answer arrives before the backend is done; the kernel adds the time
        # of a running process up only now and then
        while b") S" not in os.pread(self.stat, 100, 0):
            time.sleep(0.00002)
        return figures.parse_schedstat(os.pread(self.schedstat, 100, 0).decode())

    def lsn(self):
        return figures.parse_lsn(self.value("SELECT pg_current_wal_insert_lsn()::text"))

    def prepare(self, name, sql, types=()):
        """Prepares a statement on the protocol's level, for execute()."""
        result = self.connection.pgconn.prepare(name.encode(), sql.encode(), list(types))
        if result.status != pq.ExecStatus.COMMAND_OK:
            raise RuntimeError(f"{sql}: {result.error_message.decode()}")

    def execute(self, name, parameters):
        """Runs a prepared statement, binary both ways; returns libpq's result.
        The caller looks at its status (check)."""
        return self.connection.pgconn.exec_prepared(
            name, parameters, [1] * len(parameters), 1)


def check(result):
    """Raises what a statement run by execute() has raised."""
    if result.status not in (pq.ExecStatus.TUPLES_OK, pq.ExecStatus.COMMAND_OK):
        raise RuntimeError(result.error_message.decode())


def evict(paths):
    """Asks the kernel to forget the cached pages of files; they must have been
    written.  Returns the bytes that they have."""
    total = 0
    for path in paths:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
            total += os.fstat(descriptor).st_size
        finally:
            os.close(descriptor)
    return total
