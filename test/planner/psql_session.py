"""A psql process as a session: no driver is needed, and a server that crashed
is told from a statement that failed.

The connection comes from the PG* environment variables.
"""

import os
import select
import subprocess
import time

MARK = '-- end of answer --'
SECONDS = 120           # without a word from the server: it hangs


class StatementError(Exception):
    """The server's answer was an error; the text begins with its SQLSTATE."""


class Crash(Exception):
    """The connection is gone, or the server says nothing any more."""


class Session:
    def __init__(self, database=None):
        self.database = database
        self.pending = b''
        self.process = None
        self.log = []           # what was sent, for reproductions
        self.connect()

    def connect(self):
        """Starts psql; waits for a server that is recovering."""
        for attempt in range(100):
            self.pending = b''
            self.process = subprocess.Popen(
                ['psql', '-XAtq', '-F', '|', '-v', 'VERBOSITY=verbose',
                 *(['-d', self.database] if self.database else [])],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                env=dict(os.environ, PGCLIENTENCODING='UTF8', PGOPTIONS='-c jit=off -c client_min_messages=warning'))
            try:
                self.run("SELECT 1")
                return
            except Crash:
                time.sleep(0.2)
        raise Crash('cannot connect')

    def close(self):
        if self.process.stdin:
            try:
                self.process.stdin.close()
            except OSError:
                pass
        self.process.stdout.close()
        self.process.wait()

    def run(self, sql):
        """Runs statements; returns the lines of their results."""
        self.log.append(sql)
        text = f"{sql.rstrip(';')};\n\\echo {MARK}\n"
        try:
            self.process.stdin.write(text.encode())
            self.process.stdin.flush()
        except OSError:
            raise Crash(self.rest()) from None
        lines = self.read()
        errors = [line for line in lines if line.startswith('ERROR:')]
        if errors:
            raise StatementError(errors[0].removeprefix('ERROR:').strip())
        # NOTICE, WARNING and their details are not rows
        return [line for line in lines if not line.startswith(('NOTICE:', 'WARNING:', 'LOCATION:'))]

    def read(self):
        """Returns the lines up to the mark."""
        end = f"{MARK}\n".encode()
        deadline = time.monotonic() + SECONDS
        while not self.pending.endswith(end):
            ready, _, _ = select.select([self.process.stdout], [], [], 1)
            if ready:
                part = os.read(self.process.stdout.fileno(), 1 << 20)
                if not part:
                    text = self.pending.decode(errors='replace')
                    self.close()
                    raise Crash(text.strip()[-500:] or 'psql ended')
                self.pending += part
                deadline = time.monotonic() + SECONDS
            elif time.monotonic() > deadline:
                self.process.kill()
                self.close()
                raise Crash(f'no answer for {SECONDS} s')
        text = self.pending[:-len(end)].decode(errors='replace')
        self.pending = b''
        return text.splitlines()

    def rest(self):
        text = self.process.stdout.read().decode(errors='replace')
        self.close()
        return text.strip()[-500:] or 'psql ended'
