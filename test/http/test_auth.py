"""Tokens, API keys, and what each role may do."""

import hashlib
import time

import jwt
import pytest

from client import assert_error
from conftest import SECRET


def token(role=None, secret=SECRET, algorithm="HS256", **claims):
    return jwt.encode({**({"role": role} if role else {}), **claims}, secret, algorithm)


@pytest.fixture
def anonymous(auth_server):
    return auth_server.client()


@pytest.fixture
def bearer(anonymous):
    def client(role=None, **kw):
        return anonymous.with_headers(Authorization="Bearer " + token(role, **kw))
    return client


@pytest.fixture
def make_key(cluster, anonymous, request):
    """Make an API key; the client that shows it."""
    made = []

    def client(role, name=None, expires="NULL"):
        name = name or f"{request.node.name}-{len(made)}"
        key = cluster.psql(f"SELECT vecdb_auth.create_key('{name}', '{role}', {expires})")
        made.append(key)
        return anonymous.with_headers(X_API_Key=key)
    yield client
    cluster.psql("UPDATE vecdb_auth.api_keys SET revoked = now() WHERE revoked IS NULL")


def requests_of(name):
    """Each route: level that it needs, method, path, body."""
    base = f"/collections/{name}"
    point = {"id": "new", "vector": [1, 2, 3]}
    return {
        "list": (1, "GET", "/collections", None),
        "get": (1, "GET", base, None),
        "search": (1, "POST", base + "/search", {"vector": [1, 0, 0]}),
        "count": (1, "POST", base + "/count", {}),
        "point": (1, "GET", base + "/points/a", None),
        "upsert": (2, "POST", base + "/upsert", {"points": [point]}),
        "delete": (2, "POST", base + "/points/delete", {"ids": ["new"]}),
        "create": (3, "POST", "/collections", {"name": "auth_made", "dimension": 2}),
        "drop": (3, "DELETE", "/collections/auth_made", None),
        "rpc list": (1, "POST", "/rpc/list_collections", {}),
        "rpc get": (1, "POST", "/rpc/get_collection", {"name": name}),
        "rpc search": (1, "POST", "/rpc/search", {"collection": name, "vector": [1, 0, 0]}),
        "rpc count": (1, "POST", "/rpc/count", {"collection": name}),
        "rpc point": (1, "POST", "/rpc/get_point", {"collection": name, "id": "a"}),
        "rpc upsert": (2, "POST", "/rpc/upsert", {"collection": name, "points": [point]}),
        "rpc delete": (2, "POST", "/rpc/delete_points", {"collection": name, "ids": ["new"]}),
        "rpc create": (3, "POST", "/rpc/create_collection", {"name": "auth_made", "dimension": 2}),
        "rpc drop": (3, "POST", "/rpc/drop_collection", {"name": "auth_made"}),
    }


LEVELS = {"vecdb_reader": 1, "vecdb_writer": 2, "vecdb_admin": 3}


@pytest.mark.parametrize("role", LEVELS)
@pytest.mark.parametrize("by", ["token", "key", "key as bearer"])
def test_each_right_of_each_role(bearer, make_key, anonymous, collection, role, by):
    if by == "token":
        client = bearer(role)
    else:
        client = make_key(role)
        if by == "key as bearer":
            client = anonymous.with_headers(Authorization="Bearer " + client.headers["X-API-Key"])
    for name, (level, method, path, body) in requests_of(collection).items():
        r = client.request(method, path, body)
        if level <= LEVELS[role]:
            assert r.status in (200, 201, 204), (name, r)
        else:
            assert_error(r, 403, "42501", f'^role "{role}" may not call ')


def test_anonymous_may_nothing(anonymous, collection):
    for name, (_, method, path, body) in requests_of(collection).items():
        r = anonymous.request(method, path, body)
        answer = assert_error(r, 401, "28000", "^authentication is required$")
        assert r.headers["WWW-Authenticate"] == "Bearer" and "X-API-Key" in answer["hint"], name


def test_anonymous_may_know_that_we_are_there(anonymous):
    assert anonymous.get("/healthz").json == {"status": "ok"}
    assert anonymous.get("/openapi").status == 200


def test_levels_by_name_make_keys(make_key):
    assert make_key("reader").get("/collections").status == 200


def test_bad_tokens(anonymous, bearer, collection):
    good = token("vecdb_reader")
    for bad in (token("vecdb_reader", secret="another secret of more than 32 bytes!"),
                token("vecdb_reader", exp=int(time.time()) - 3600), token("vecdb_reader", nbf=int(time.time()) + 3600),
                good[:-2], good.split(".")[0], "garbage", "a.b.c",
                jwt.encode({"role": "vecdb_admin"}, None, algorithm="none")):
        r = anonymous.get("/collections", headers={"Authorization": "Bearer " + bad})
        assert r.status == 401 and r.headers["WWW-Authenticate"].startswith("Bearer"), r


def test_roles_that_are_not_for_requests(bearer, cluster):
    cluster.psql("DROP ROLE IF EXISTS outsider; CREATE ROLE outsider")
    for role in ("postgres", "vecdb_authenticator", "outsider", "pg_read_all_data"):
        r = bearer(role).get("/collections")
        assert r.status == 403 and r.json["code"] == "42501", (role, r)
    assert bearer("no_such_role").get("/collections").status in (400, 401)
    for empty in (bearer(), bearer("vecdb_anonymous")):
        assert_error(empty.get("/collections"), 401, "28000")


def test_authenticator_itself_may_nothing(cluster):
    for sql in ("SELECT * FROM vecdb_auth.api_keys", "SELECT vecdb_auth.pre_request()", "SELECT * FROM vecdb_api.list_collections()"):
        done = cluster.psql(sql, user="vecdb_authenticator", check=False)
        assert done.returncode != 0 and "permission denied" in done.stderr


def test_keys_are_kept_as_hashes(cluster, make_key):
    key = make_key("reader", "hashed").headers["X-API-Key"]
    assert key.startswith("vdb_") and len(key) == 68
    stored = cluster.psql("SELECT encode(hash, 'hex') FROM vecdb_auth.api_keys WHERE name = 'hashed'")
    assert stored == hashlib.sha256(key.encode()).hexdigest()
    assert key not in cluster.psql("SELECT k::text FROM vecdb_auth.api_keys k")
    assert key not in cluster.psql("SELECT k::text FROM vecdb_auth.list_keys() k")
    assert key != make_key("reader").headers["X-API-Key"]


def test_wrong_keys(anonymous, make_key):
    key = make_key("reader").headers["X-API-Key"]
    for bad in ("x", key[:-1], key + "0", key.upper(), "vdb_" + "0" * 64, hashlib.sha256(key.encode()).hexdigest(), "ü"):
        r = anonymous.get("/collections", headers={"X-API-Key": bad.encode()})
        assert_error(r, 401, "28000", "^API key is not valid$")
    assert_error(anonymous.get("/collections", headers={"X-API-Key": ""}), 401, "28000", "authentication is required")


def test_revoked_key(cluster, make_key):
    client = make_key("reader", "to-revoke")
    assert client.get("/collections").status == 200
    cluster.psql("SELECT vecdb_auth.revoke_key('to-revoke')")
    assert_error(client.get("/collections"), 401, "28000", "^API key is not valid$")
    assert_error(client.get("/healthz", check=False), 401, "28000")
    assert "no live API key" in cluster.psql("SELECT vecdb_auth.revoke_key('to-revoke')", check=False).stderr
    assert make_key("reader", "to-revoke").get("/collections").status == 200, "the name is free again"


def test_expired_key(cluster, make_key):
    client = make_key("reader", "to-expire", "now() + interval '1 hour'")
    assert client.get("/collections").status == 200
    cluster.psql("UPDATE vecdb_auth.api_keys SET expires = now() WHERE name = 'to-expire'")
    assert_error(client.get("/collections"), 401, "28000", "^API key is not valid$")
    assert cluster.psql("SELECT live FROM vecdb_auth.list_keys() WHERE name = 'to-expire'") == "f"


def test_keys_that_cannot_be_made(cluster, make_key):
    make_key("reader", "taken")
    for call, message in (("'taken', 'reader'", "already exists"), ("'x', 'postgres'", "is no role for API keys"),
                          ("'x', 'anonymous'", "is no role for API keys"), ("'x', NULL", "is no role for API keys"),
                          ("'x', 'vecdb_authenticator'", "is no role for API keys"),
                          ("'x', 'reader', now() - interval '1 s'", "expiry is in the past")):
        assert message in cluster.psql(f"SELECT vecdb_auth.create_key({call})", check=False).stderr


def test_requests_cannot_manage_keys(cluster):
    for role in LEVELS:
        for sql in ("SELECT * FROM vecdb_auth.api_keys", "SELECT vecdb_auth.create_key('x', 'admin')",
                    "SELECT vecdb_auth.revoke_key('x')", "SELECT * FROM vecdb_auth.list_keys()",
                    "SELECT vecdb_auth.add_role('postgres', 'admin')", "INSERT INTO vecdb_auth.roles VALUES ('x', 'admin')",
                    "SELECT vecdb_auth.apply_grants()"):
            done = cluster.psql(f"SET ROLE {role}; {sql}", check=False)
            assert "permission denied" in done.stderr, (role, sql, done)


def test_key_and_token_together(bearer, make_key):
    """The key decides."""
    key = make_key("reader").headers["X-API-Key"]
    r = bearer("vecdb_admin").post("/collections", {"name": "both", "dimension": 2}, headers={"X-API-Key": key})
    assert_error(r, 403, "42501", "vecdb_reader")


def test_key_on_a_server_without_authentication(http):
    r = http.get("/collections", headers={"X-API-Key": "vdb_" + "0" * 64})
    assert_error(r, 401, "28000", "switched off")


def test_token_on_a_server_without_tokens(http, make_serve, cluster):
    key = cluster.psql("SELECT vecdb_auth.create_key('only-keys', 'reader')")
    keys_only = make_serve("keysonly", "--auth", "on").client()
    for client in (http, keys_only):
        r = client.get("/collections", headers={"Authorization": "Bearer " + token("vecdb_admin")})
        assert_error(r, 401, "HTTP401", "tokens are switched off")
        assert r.headers.get_all("WWW-Authenticate") == ["Bearer"]
    for headers in ({"Authorization": "Bearer " + key}, {"X-API-Key": key}, {"X-API-Key": key, "Authorization": "Basic eA=="}):
        assert keys_only.get("/collections", headers=headers).status == 200
    r = keys_only.get("/collections")
    assert_error(r, 401, "28000", "authentication is required")
    assert r.headers.get_all("WWW-Authenticate") == ["Bearer"]
    cluster.psql("SELECT vecdb_auth.revoke_key('only-keys')")


def test_roles_do_not_stay_on_the_connection(anonymous, bearer, make_key):
    """Pooled connections forget who the last request was."""
    admin = make_key("admin")
    for _ in range(12):
        assert admin.get("/collections").status == 200
        assert anonymous.get("/collections").status == 401
        assert bearer("vecdb_reader").post("/collections", {"name": "x", "dimension": 2}).status == 403


def test_collection_revoked_from_a_role(cluster, bearer, make_key, collection):
    cluster.psql(f"SELECT vecdb_auth.revoke_collection('{collection}', 'vecdb_reader')")
    for reader in (bearer("vecdb_reader"), make_key("reader")):
        assert collection not in [c["name"] for c in reader.get("/collections").json["collections"]]
        for name, (level, method, path, body) in requests_of(collection).items():
            if level == 1 and "list" not in name:
                assert_error(reader.request(method, path, body), 404, "42P01", f'^collection "{collection}" does not exist$')
    assert bearer("vecdb_writer").get(f"/collections/{collection}").status == 200


def test_writer_who_may_only_read_one_collection(cluster, bearer, make_key, collection):
    cluster.psql(f"SELECT vecdb_auth.grant_collection('{collection}', 'vecdb_writer', 'reader')")
    for writer in (bearer("vecdb_writer"), make_key("writer")):
        assert writer.get(f"/collections/{collection}").json["count"] == 3
        for name, (level, method, path, body) in requests_of(collection).items():
            if level == 2:
                assert_error(writer.request(method, path, body), 403, "42501", f'^permission denied for collection "{collection}"$')
    assert bearer("vecdb_admin").get(f"/collections/{collection}").json["count"] == 3


@pytest.fixture
def tenant(cluster):
    cluster.psql("CREATE ROLE tenant; SELECT vecdb_auth.add_role('tenant', 'writer')")
    yield "tenant"
    cluster.psql("UPDATE vecdb_auth.api_keys SET revoked = now() WHERE role = 'tenant' AND revoked IS NULL;"
                 "SELECT vecdb_auth.remove_role('tenant'); DROP OWNED BY tenant; DROP ROLE tenant")


def test_role_of_ones_own(cluster, bearer, make_key, collection, tenant):
    """add_role gives the right to call, grant_collection that to one collection."""
    for client in (bearer(tenant), make_key(tenant)):
        cluster.psql(f"SELECT vecdb_auth.revoke_collection('{collection}', 'tenant')")
        assert client.get("/collections").json == {"collections": []}
        assert client.get(f"/collections/{collection}").status == 404
        cluster.psql(f"SELECT vecdb_auth.grant_collection('{collection}', 'tenant', 'writer')")
        assert [c["name"] for c in client.get("/collections").json["collections"]] == [collection]
        assert client.post(f"/collections/{collection}/upsert", {"points": [{"id": "t", "vector": [1, 2, 3]}]}).status == 200
        assert client.post("/collections", {"name": "x", "dimension": 2}).status == 403
        assert client.delete(f"/collections/{collection}").status == 403


def test_roles_that_cannot_be_added(cluster):
    for call, message in (("'postgres', 'reader'", "too powerful"), ("'nobody_there', 'reader'", "does not exist"),
                          ("'vecdb_reader', 'admin'", "from the set-up"), ("'pg_monitor', 'root'", "is no level")):
        assert message in cluster.psql(f"SELECT vecdb_auth.add_role({call})", check=False).stderr


def test_row_level_security(cluster, bearer, make_key, collection):
    """Policies on the collection's table hold for every route."""
    table = cluster.psql(f"SELECT vecdb_auth.known_table('{collection}')")
    cluster.psql(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY;"
                 f"CREATE POLICY recent ON {table} TO vecdb_reader, vecdb_writer USING (metadata OPERATOR(public.@~) '{{\"year\": {{\"$gte\": 2016}}}}')")
    base = f"/collections/{collection}"
    for reader in (bearer("vecdb_reader"), make_key("reader")):
        assert reader.get(base).json["count"] == 1
        assert [c["count"] for c in reader.get("/collections").json["collections"] if c["name"] == collection] == [1]
        assert reader.post(base + "/count", {}).json == {"count": 1}
        assert [x["id"] for x in reader.post(base + "/search", {"vector": [1, 0, 0]}).json["results"]] == ["b"]
        assert_error(reader.get(base + "/points/a"), 404, "P0002")
    writer = bearer("vecdb_writer")
    new = {"id": "new", "vector": [1, 2, 3], "metadata": {"year": 1999}}
    assert_error(writer.post(base + "/upsert", {"points": [new]}), 403, "42501", f'for collection "{collection}"')
    assert_error(writer.post(base + "/upsert", {"points": [{"id": "a", "vector": [1, 2, 3], "metadata": {"year": 2020}}]}),
                 403, "42501", f'for collection "{collection}"')
    assert writer.post(base + "/points/delete", {"ids": ["a", "b"]}).json["deleted"] == 1
    assert cluster.psql(f"SELECT vecdb.count('{collection}', '{{}}')") == "2"


def test_policies_can_tell_keys_and_claims_apart(cluster, bearer, make_key, collection):
    table = cluster.psql(f"SELECT vecdb_auth.known_table('{collection}')")
    cluster.psql(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY;"
                 f"CREATE POLICY own ON {table} TO vecdb_reader USING (id = current_setting('request.vecdb_key', true)"
                 " OR id = current_setting('request.jwt.claims', true)::json ->> 'sub')")
    path = f"/collections/{collection}/search"
    by_key, by_claim = make_key("reader", "a"), bearer("vecdb_reader", sub="c")
    for _ in range(3):
        assert [x["id"] for x in by_key.post(path, {"vector": [1, 1, 1]}).json["results"]] == ["a"]
        assert [x["id"] for x in by_claim.post(path, {"vector": [1, 1, 1]}).json["results"]] == ["c"]


def test_collections_made_in_sql_are_shared_and_droppable(cluster, bearer):
    """Those of whoever ran setup.sql; the admin role owns their schema."""
    cluster.psql("SELECT vecdb.create_collection('made_in_sql', 3)")
    assert bearer("vecdb_reader").get("/collections/made_in_sql").status == 200
    assert bearer("vecdb_writer").post("/collections/made_in_sql/upsert", {"points": []}).status == 200
    assert bearer("vecdb_admin").delete("/collections/made_in_sql").json == {"status": "dropped"}


def test_statement_timeout_of_a_role(cluster, bearer, make_key, collection):
    """ALTER ROLE ... SET statement_timeout holds for tokens and keys, and only there."""
    table = cluster.psql(f"SELECT vecdb_auth.known_table('{collection}')")
    cluster.psql("ALTER ROLE vecdb_reader SET statement_timeout = '200ms'")
    lock = cluster.session(f"BEGIN; LOCK TABLE {table};")
    try:
        for client in (bearer("vecdb_reader"), make_key("reader")):
            r = client.post(f"/collections/{collection}/search", {"vector": [1, 0, 0]})
            answer = assert_error(r, 504, "57014", "statement timeout")
            assert answer["hint"]
            r = client.post("/rpc/search", {"collection": collection, "vector": [1, 0, 0]})
            assert_error(r, 504, "57014", "statement timeout")
    finally:
        lock.communicate("COMMIT;\n")
        cluster.psql("ALTER ROLE vecdb_reader RESET statement_timeout")
