"""http/serve: starting, stopping, faults, limits, TLS, CORS."""

import gzip
import os
import pwd
import re
import signal
import socket
import subprocess
import time

import pytest

from client import OPENAPI, TOP, Client, assert_error
from conftest import Cluster, Serve, free_port


@pytest.fixture
def serve(make_serve, request):
    """A server of the test's own, not yet started; for http/serve's messages."""
    s = make_serve(request.node.name.split("[")[0][5:30] + str(free_port()), start=False)
    yield s
    s.stop()


def gone(pid):
    """No such process, or one that only waits to be reaped."""
    try:
        with open(f"/proc/{pid}/stat") as f:
            return f.read().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def until(condition, seconds=30):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


# --- answers -----------------------------------------------------------------

def test_gzip(http, collection):
    points = [{"id": f"g{i}", "vector": [i, 1, 2], "metadata": {"text": "the same text again " * 5}} for i in range(50)]
    http.post(f"/collections/{collection}/upsert", {"points": points})
    body = {"vector": [1, 2, 3], "top_k": 50, "include_metadata": True}
    plain = http.post(f"/collections/{collection}/search", body)
    packed = http.post(f"/collections/{collection}/search", body, headers={"Accept-Encoding": "gzip"})
    assert "Content-Encoding" not in plain.headers and packed.headers["Content-Encoding"] == "gzip"
    assert len(packed.body) < len(plain.body) / 4
    assert re.sub(rb'"took_ms":\d+', b"", gzip.decompress(packed.body)) == re.sub(rb'"took_ms":\d+', b"", plain.body)
    assert http.get("/openapi", headers={"Accept-Encoding": "gzip"}).headers["Content-Encoding"] == "gzip"


def test_headers_of_every_answer(http):
    for r in (http.get("/healthz"), http.get("/nope"), http.get("/collections/nobody")):
        assert r.headers["X-Content-Type-Options"] == "nosniff" and r.headers["Cache-Control"] == "no-store"
        assert r.headers["Server"] == "nginx" and "Content-Range" not in r.headers
        assert not any(h.lower().startswith(("access-control", "content-profile")) for h in r.headers)


def test_connections_are_kept_alive(server):
    import http.client
    conn = http.client.HTTPConnection("127.0.0.1", server.port)
    conn.connect()
    used = conn.sock
    for _ in range(3):
        conn.request("GET", "/healthz")
        assert conn.getresponse().read() == b'{"status":"ok"}'
    assert conn.sock is used
    conn.close()


def test_body_limit_of_64_megabytes(http, collection):
    r = http.post(f"/collections/{collection}/upsert", b" " * (64 * 1024 * 1024 + 1))
    assert_error(r, 413, "HTTP413", "64m")
    r = http.post(f"/collections/{collection}/upsert", b" " * (64 * 1024 * 1024 - 17) + b'{"points": [   ]}')
    assert r.json == {"status": "ok", "upserted": 0}


# --- CORS --------------------------------------------------------------------

ORIGIN = "https://app.example.org"


def cors(response):
    return {k.lower(): v for k, v in response.headers.items() if k.lower().startswith("access-control")}


def test_cors_is_off_unless_configured(http):
    for headers in ({"Origin": ORIGIN}, {"Origin": "http://localhost"}):
        assert cors(http.get("/collections", headers=headers)) == {}
        r = http.request("OPTIONS", "/collections", headers={**headers, "Access-Control-Request-Method": "POST"})
        assert_error(r, 405, "HTTP405")
        assert cors(r) == {}


def test_cors_for_one_origin(auth_server):
    http = auth_server.client()
    r = http.request("OPTIONS", "/collections", headers={"Origin": ORIGIN, "Access-Control-Request-Method": "DELETE",
                                                         "Access-Control-Request-Headers": "authorization"})
    assert (r.status, r.body) == (204, b"")
    allowed = cors(r)
    assert allowed["access-control-allow-origin"] == ORIGIN and "DELETE" in allowed["access-control-allow-methods"]
    assert {"Authorization", "X-API-Key", "Content-Type"} <= set(allowed["access-control-allow-headers"].split(", "))
    for r in (http.get("/healthz", headers={"Origin": ORIGIN}), http.get("/collections", headers={"Origin": ORIGIN}),
              http.get("/nope", headers={"Origin": ORIGIN})):
        assert cors(r)["access-control-allow-origin"] == ORIGIN and "Origin" in r.headers.get_all("Vary")
        assert "access-control-allow-credentials" not in cors(r)
    for other in ("https://evil.example", ORIGIN + ".evil.example", "null", ORIGIN.replace("https", "http")):
        assert cors(http.get("/healthz", headers={"Origin": other})) == {}
        assert http.request("OPTIONS", "/collections", headers={"Origin": other}).status == 405


# --- limits ------------------------------------------------------------------

def test_statement_timeout_and_limits(make_serve, cluster, collection):
    s = make_serve("limits", "--statement-timeout", "300ms", "--body-limit", "1k", "--rate-limit", "60r/m", "--rate-burst", "5")
    http = s.client()
    table = cluster.psql(f"SELECT vecdb_auth.known_table('{collection}')")
    lock = cluster.session(f"BEGIN; LOCK TABLE {table};")
    try:
        r = http.post(f"/collections/{collection}/search", {"vector": [1, 0, 0]})
        assert_error(r, 504, "57014", "statement timeout")
        assert "c_" not in r.body.decode()
        assert_error(http.post(f"/collections/{collection}/upsert", {"points": [{"id": "n", "vector": [1, 2, 3]}]}), 504, "57014")
    finally:
        lock.communicate("COMMIT;\n")
    assert_error(http.post(f"/collections/{collection}/count", b" " * 1025), 413, "HTTP413", "1k")
    answers = [http.get("/collections") for _ in range(12)]
    refused = [r for r in answers if r.status == 429]
    assert refused and answers[0].status == 200
    assert_error(refused[0], 429, "HTTP429")
    assert {http.get("/healthz").status for _ in range(12)} == {200}, "not limited"
    s.stop()


# --- faults ------------------------------------------------------------------

def test_postgrest_killed(make_serve):
    s = make_serve("killed")
    http = s.client()
    os.kill(s.pid("postgrest"), signal.SIGKILL)
    until(lambda: http.get("/healthz").status == 503)
    assert_error(http.get("/collections"), 503, "HTTP503", "not available")
    assert_error(http.post("/collections", {"name": "x", "dimension": 2}), 503, "HTTP503")
    assert http.get("/openapi").status == 200, "served without PostgREST"
    assert s.run("status", check=False).returncode == 1
    s.run("start")
    assert http.get("/healthz").json == {"status": "ok"}
    assert s.run("status").returncode == 0
    s.stop()


def test_nginx_killed(make_serve):
    s = make_serve("nginxkill")
    group = s.pid("nginx")
    children = subprocess.run(["pgrep", "-P", str(group)], capture_output=True, text=True).stdout.split()
    for pid in [group, *map(int, children)]:
        os.kill(pid, signal.SIGKILL)
    until(lambda: s.run("status", check=False).returncode == 1)
    s.run("start")
    assert s.client().get("/healthz").status == 200
    s.stop()


def test_database_stopped_and_back(workdir):
    (workdir / "pg2").mkdir()
    own = Cluster(workdir / "pg2")
    s = Serve(own, workdir / "dbdown", "other")
    try:
        own.create_database("other")
        s.start("--wait", "60")
        http = s.client()
        assert http.post("/collections", {"name": "kept", "dimension": 2}).status == 201
        own.stop("immediate")
        r = http.get("/collections")
        assert r.status == 503 and r.json["code"].startswith("PGRST"), r
        own.start()
        until(lambda: http.get("/collections").status == 200)
        assert [c["name"] for c in http.get("/collections").json["collections"]] == ["kept"]
    finally:
        s.stop()
        own.stop("immediate")


def test_new_functions_are_seen_without_restart(make_serve, cluster):
    """setup.sql tells a running PostgREST; reload does so by signal."""
    cluster.create_database("later")
    s = make_serve("later", db="later")
    http = s.client()
    assert_error(http.post("/rpc/added", {}, check=False), 404, "PGRST202")
    cluster.psql("CREATE FUNCTION vecdb_api.added() RETURNS int LANGUAGE sql AS 'SELECT 7'; GRANT EXECUTE ON FUNCTION vecdb_api.added() TO vecdb_admin", db="later")
    s.run("reload")
    until(lambda: http.post("/rpc/added", {}, check=False).status == 200)
    cluster.psql(file=TOP / "http" / "setup.sql", db="later")
    until(lambda: http.post("/rpc/added", {}, check=False).status == 404)
    s.stop()


# --- TLS ---------------------------------------------------------------------

def test_tls(make_serve, workdir):
    cert, key = workdir / "cert.pem", workdir / "key.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                    "-days", "2", "-subj", "/CN=localhost", "-keyout", key, "-out", cert], check=True, capture_output=True)
    s = make_serve("tls", "--tls-cert", str(cert), "--tls-key", str(key))
    assert s.client(tls=True).get("/healthz").json == {"status": "ok"}
    assert_error(s.client(tls=True).get("/healthz", headers={"Host": "evil.example"}), 421, "HTTP421")
    assert_error(s.client().get("/healthz", check=False), 400, "HTTP400", "speaks TLS")
    assert f"https://127.0.0.1:{s.port}" in s.run("status").stdout
    s.stop()


# --- the command -------------------------------------------------------------

def test_start_twice_status_stop_twice(serve):
    assert serve.run("status", check=False).returncode == 3
    assert f"http://127.0.0.1:{serve.port}" in serve.start().stdout
    before = serve.pid("postgrest"), serve.pid("nginx")
    assert "already running" in serve.run("start").stdout
    assert (serve.pid("postgrest"), serve.pid("nginx")) == before
    other = serve.start("--pool", "3", check=False)
    assert other.returncode == 1 and "reload" in other.stderr
    assert "answering" in serve.run("status").stdout
    assert "stopped" in serve.stop().stdout
    assert "not running" in serve.stop().stdout
    for pid in before:
        assert gone(pid)


def test_busy_port(serve):
    with socket.socket() as s:
        s.bind(("127.0.0.1", serve.port))
        s.listen()
        done = serve.start(check=False)
    assert done.returncode == 1
    assert f"port {serve.port} on 127.0.0.1 is in use" in done.stderr and "--port" in done.stderr
    assert f"(process {os.getpid()})" in done.stderr
    assert not (serve.dir / "run" / "postgrest.pid").exists()


def test_no_database(serve):
    done = serve.start("--db-name", "no_such_database", "--wait", "5", check=False)
    assert done.returncode == 1 and "no_such_database" in done.stderr and "setup.sql" in done.stderr
    assert serve.run("status", check=False).returncode == 3


def test_database_without_setup(serve, cluster):
    cluster.psql("DROP DATABASE IF EXISTS unprepared", db="postgres")
    cluster.create_database("unprepared", setup=False)
    done = serve.start("--db-name", "unprepared", "--wait", "5", check=False)
    assert done.returncode == 1 and "setup.sql" in done.stderr


def test_reload_applies_options(serve):
    serve.start()
    http = serve.client()
    postgrest = serve.pid("postgrest")
    assert http.post("/collections", b" " * 2000).status == 400
    serve.run("reload", "--body-limit", "1k")
    until(lambda: http.post("/collections", b" " * 2000).status == 413)
    assert serve.pid("postgrest") == postgrest, "its configuration is the same"
    serve.run("reload", "--pool", "2")
    assert serve.pid("postgrest") != postgrest
    assert http.post("/collections", b" " * 2000).status == 413, "options of before are kept"
    serve.stop()
    serve.run("start")
    assert http.post("/collections", b" " * 2000).status == 413, "also over a restart"


def test_option_from_the_environment(serve):
    serve.start("--body-limit", "1k", env={"VECDB_HTTP_POOL": "3", "VECDB_HTTP_BODY_LIMIT": "2k", "PGRST_DB_POOL": "9"})
    assert "db-pool = 3" in (serve.dir / "postgrest.conf").read_text()
    assert "client_max_body_size 1k" in (serve.dir / "nginx.conf").read_text()


@pytest.mark.parametrize("options, message", [
    (["--listen", "0.0.0.0"], "needs --auth on"),
    (["--listen", "192.168.1.1"], "needs --auth on"),
    (["--cors-origin", "*"], "needs --auth on"),
    (["--auth", "on", "--api-keys", "off"], "Nobody could log in"),
    (["--auth", "on", "--jwt-secret-file", "SHORT"], "shorter than 32 bytes"),
    (["--auth", "on", "--jwt-secret-file", "/nonexistent"], "cannot read"),
    (["--jwt-secret-file", "SHORT"], "needs --auth on"),
    (["--tls-cert", "SHORT"], "--tls-cert needs --tls-key"),
    (["--nonsense", "1"], "unknown option: --nonsense"),
    (["nonsense"], "unknown argument"),
    (["--pool"], "needs a value"),
    (["--pool", "many"], "--pool: unsuitable value: many"),
    (["--pool", ""], "must not be empty"),
    (["--auth", "maybe"], "Expected on or off"),
    (["--body-limit", "64m; include /etc/passwd"], "--body-limit: unsuitable value"),
    (["--cors-origin", 'https://a"; return 200'], "--cors-origin: unsuitable value"),
    (["--server-name", "a; return 200"], "--server-name: unsuitable value"),
    (["--db-name", 'x"\ndb-anon-role = "postgres'], "--db-name: unsuitable value"),
    (["--db-name", "x user=postgres"], "--db-name: unsuitable value"),
    (["--statement-timeout", "0"], "--statement-timeout: unsuitable value"),
    (["--rate-limit", "lots"], "--rate-limit: unsuitable value"),
    (["--postgrest", "/nonexistent"], "PostgREST was not found: /nonexistent"),
    (["--nginx", "/nonexistent"], "nginx was not found: /nonexistent"),
])
def test_refused_options(serve, workdir, options, message):
    short = workdir / "short"
    short.write_text("too short")
    done = serve.start(*[str(short) if o == "SHORT" else o for o in options], check=False)
    assert done.returncode == 1 and message in done.stderr, done
    assert not serve.dir.exists() or not (serve.dir / "run" / "nginx.pid").exists()


def test_saved_options_are_data_not_code(serve, workdir):
    serve.start("--pool", "4")
    serve.stop()
    with open(serve.dir / "options", "a") as f:
        f.write(f"pool=$(touch {workdir}/owned)\n`touch {workdir}/owned`=x\n")
    done = serve.run("start", check=False)
    assert done.returncode == 1 and "--pool: unsuitable value" in done.stderr
    assert not (workdir / "owned").exists()


def test_unsuitable_directory(serve):
    serve.dir = serve.dir.parent / 'a "b'
    assert "unsuitable directory name" in serve.start(check=False).stderr
    serve.dir = serve.dir.parent / ("n" * 90)
    assert "too long" in serve.start(check=False).stderr
    serve.dir = serve.dir.parent / "unused"


def test_usage(serve):
    assert "Usage" in serve.run("help").stdout
    assert "unknown command: fly" in serve.run("fly", check=False).stderr


def test_everything_is_below_its_directory(server):
    """The system's nginx is not involved: no file of it is open or named."""
    config = (server.dir / "nginx.conf").read_text() + (server.dir / "nginx-errors.conf").read_text()
    assert not re.search(r"@[A-Z_]+@", config + (server.dir / "postgrest.conf").read_text())
    for path in re.findall(r"[ :](/[a-z][\w/.-]+)", config):
        assert path.startswith((str(server.dir), "/rpc", "/collections", "/healthz", "/openapi")), path
    for fd in os.listdir(f"/proc/{server.pid('nginx')}/fd"):
        target = os.readlink(f"/proc/{server.pid('nginx')}/fd/{fd}")
        assert not target.startswith(("/etc/nginx", "/var/log", "/var/lib/nginx", "/run/nginx")), target


def test_nothing_runs_as_root(server):
    """Started by root, the programs run as postgres; else as whoever started them."""
    uid = os.getuid() or pwd.getpwnam("postgres").pw_uid
    assert os.stat(f"/proc/{server.pid('postgrest')}").st_uid == uid
    workers = subprocess.run(["pgrep", "-P", str(server.pid("nginx"))], capture_output=True, text=True).stdout.split()
    assert workers and all(os.stat(f"/proc/{w}").st_uid == uid for w in workers)
    assert os.stat(server.dir / "nginx.conf").st_uid == os.getuid()
    if os.getuid() == 0:
        refused = server.run("reload", "--user", "root", check=False)
        assert refused.returncode == 1 and "must not run as root" in refused.stderr


def test_secrets_are_readable_by_nobody_else(auth_server, serve, workdir):
    secret = auth_server.dir / "run" / "jwt-secret"
    assert os.stat(secret).st_mode & 0o077 == 0 and not secret.read_text().endswith("\n")
    password = workdir / "password"
    password.write_text("with : and \\ in it\n")
    serve.start("--db-password-file", str(password))
    pgpass = serve.dir / "run" / "pgpass"
    assert os.stat(pgpass).st_mode & 0o077 == 0
    assert pgpass.read_text() == "*:*:*:*:with \\: and \\\\ in it\n"
    assert "with" not in (serve.dir / "postgrest.conf").read_text() + (serve.dir / "options").read_text()


def test_password_is_used(workdir, cluster, serve):
    """A database that wants the authenticator's password over TCP."""
    hba = cluster.dir / "data" / "pg_hba.conf"
    old = hba.read_text()
    owner = hba.stat()
    try:
        hba.write_text("local all vecdb_authenticator scram-sha-256\n" + old)
        os.chown(hba, owner.st_uid, owner.st_gid)
        cluster.psql("ALTER ROLE vecdb_authenticator PASSWORD 'p:w\\d'; SELECT pg_reload_conf(); SELECT pg_sleep(0.2)")
        done = serve.start("--wait", "5", check=False)
        assert done.returncode == 1 and "password" in done.stderr
        password = workdir / "password2"
        password.write_text("p:w\\d\n")
        serve.start("--db-password-file", str(password))
        assert serve.client().get("/healthz").status == 200
    finally:
        hba.write_text(old)
        os.chown(hba, owner.st_uid, owner.st_gid)
        cluster.psql("ALTER ROLE vecdb_authenticator PASSWORD NULL; SELECT pg_reload_conf()")


def test_another_host_name(serve):
    serve.start("--server-name", "db.example.org")
    http = serve.client()
    assert http.get("/healthz", headers={"Host": "db.example.org"}).status == 200
    assert http.get("/healthz", headers={"Host": "localhost"}).status == 200
    assert http.get("/healthz", headers={"Host": "other.example.org"}).status == 421


def test_openapi_is_what_the_checkout_has(server):
    assert Client(server.port).get("/openapi").json == OPENAPI
