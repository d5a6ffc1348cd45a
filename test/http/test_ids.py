"""Ids of any kind, and what clients may try with paths and headers."""

import json
from urllib.parse import quote

import pytest

from client import assert_error

IDS = ["plain", "a/b", "a//b", "a&b=c", "a+b", "a b", "100%", "%41", "%2F", "ünïcødé", "猫", "😀", "..", "../../x", "./x",
       "x\r\nX-Vecdb-Collection: other", "quote\"'`", "semi;colon", "question?mark", "hash#tag", "back\\slash", "tab\there",
       "points", "delete", " leading", "trailing ", "{}", "[0]", "~!*()", "a" * 1024, "ä" * 512]


@pytest.mark.parametrize("point", IDS, ids=range(len(IDS)))
def test_any_id_round_trips(http, collection, point):
    body = {"points": [{"id": point, "vector": [1, 2, 3], "metadata": {"it": point}}]}
    assert http.post(f"/collections/{collection}/upsert", body).json["upserted"] == 1
    path = f"/collections/{collection}/points/{quote(point, safe='')}"
    if point == "..":
        path = f"/collections/{collection}/points/%2e%2e"
    r = http.get(path)
    assert r.json == {"id": point, "vector": [1, 2, 3], "metadata": {"it": point}}
    assert http.post(f"/collections/{collection}/points/delete", {"ids": [point]}).json["deleted"] == 1
    assert_error(http.get(path), 404, "P0002")


def test_unescaped_characters_are_taken_as_they_are(http, collection):
    for point in ("a+b", "a&b=c", "a:b@c", "x;y,z", "it's", "a~!$*()"):
        http.post(f"/collections/{collection}/upsert", {"points": [{"id": point, "vector": [1, 2, 3]}]})
        assert http.get(f"/collections/{collection}/points/{point}").json["id"] == point
    http.post(f"/collections/{collection}/upsert", {"points": [{"id": "a+b c", "vector": [1, 2, 3]}]})
    assert http.get(f"/collections/{collection}/points/a+b%20c").json["id"] == "a+b c"


def test_slashes_need_not_be_escaped(http, collection):
    """As quote() of Python leaves them; nothing is below a point."""
    for point in ("a/b", "a//b", "/a", "a/", "/", "delete/", "a/points/b", "upsert"):
        http.post(f"/collections/{collection}/upsert", {"points": [{"id": point, "vector": [1, 2, 3]}]})
        assert http.get(f"/collections/{collection}/points/{quote(point)}").json["id"] == point
    assert_error(http.get("/collections/nobody/points/x/y"), 404, "42P01")
    assert_error(http.get(f"/collections/{collection}/points/x/../../{collection}"), 404, "P0002")
    assert_error(http.delete(f"/collections/{collection}/points/a/b"), 405, "HTTP405")


def test_percent_signs_that_escape_nothing(http, collection):
    """nginx refuses these itself."""
    assert http.get(f"/collections/{collection}/points/100%").status == 400
    assert http.get(f"/collections/{collection}/points/%zz").status == 400


def test_impossible_ids(http, collection):
    assert_error(http.get(f"/collections/{collection}/points/%ff"), 400, "22021")
    assert_error(http.get(f"/collections/{collection}/points/%00"), 400, "HTTP400")


def test_dots_in_an_id_reach_no_other_route(http, collection):
    for path in (f"/collections/other/points/..%2f..%2f{collection}", f"/collections/other/points/..%2F..%2F..%2Fhealthz"):
        assert_error(http.get(path), 404, "42P01", '"other"')
        assert_error(http.delete(path), 405, "HTTP405")
    assert http.get(f"/collections/{collection}").status == 200


def test_internal_headers_are_overwritten(http, collection):
    spoofed = {"X-Vecdb-Collection": "other", "X-Vecdb-Point": "c", "Accept-Profile": "vecdb_auth",
               "Content-Profile": "vecdb_auth", "X-Forwarded-For": "1.2.3.4", "Prefer": "tx=rollback",
               "Accept": "text/csv", "Range": "0-0", "Range-Unit": "items", "Origin": "https://evil.example",
               "X_Vecdb_Collection": "other", "X-HTTP-Method-Override": "DELETE"}
    r = http.get(f"/collections/{collection}/points/a", headers=spoofed)
    assert r.json["id"] == "a"
    assert http.get(f"/collections/{collection}", headers=spoofed).json["name"] == collection
    assert http.post(f"/collections/{collection}/points/delete", {"ids": ["a"]}, headers=spoofed).json["deleted"] == 1
    assert http.get(f"/collections/{collection}").json["count"] == 2
    r = http.get("/collections", headers=spoofed)
    assert r.status == 200 and "Content-Range" not in r.headers and "Access-Control-Allow-Origin" not in r.headers


def test_rpc_reaches_only_the_schema_for_it(http, collection):
    for profile in ("vecdb_http", "vecdb_auth", "pg_catalog", "public"):
        headers = {"Accept-Profile": profile, "Content-Profile": profile, "X-Vecdb-Collection": collection}
        assert_error(http.post("/rpc/healthz", {}, headers=headers), 404, "PGRST202")
        assert_error(http.post("/rpc/create_key", {"name": "x", "role": "admin"}, headers=headers), 404, "PGRST202")
        assert http.post("/rpc/count", {"collection": collection}, headers=headers).json == 3


def test_encoded_crlf_in_the_collection(http):
    for name in ("a%0d%0aX-Api-Key:%20x", "a%0D%0A", "a%00b", "a%20b"):
        r = http.get(f"/collections/{name}")
        assert r.status in (400, 404) and r.json["code"] in ("HTTP400", "HTTP404")


@pytest.mark.parametrize("request_line, status", [
    (b"GARBAGE", 400), (b"GET /collections HTTP/9.9", 505), (b"GET /a b HTTP/1.1", 400),
    (b"GET /collections/\x01 HTTP/1.1", 400), (b"G\xffT / HTTP/1.1", 400),
    (b"GET /" + b"a" * 70000 + b" HTTP/1.1", 414),
    (b"GET /healthz HTTP/1.1\r\nX-Long: " + b"a" * 70000, 400),
    (b"POST /collections HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: 5\r\nTransfer-Encoding: chunked", 400),
    (b"POST /collections HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: -1", 400),
    (b"POST /collections HTTP/1.1\r\nContent-Type: application/json\r\nTransfer-Encoding: gzip", 501),
])
def test_malformed_requests(http, request_line, status):
    got, head, body = http.raw(request_line + b"\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    assert got == status
    answer = json.loads(body)
    assert sorted(answer) == ["code", "details", "hint", "message"] and answer["code"] == f"HTTP{status}"


def test_absolute_address(http):
    got, _, body = http.raw(b"GET http://localhost/healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    assert (got, b'"ok"' in body) == (200, True)


def test_other_host_names_are_refused_without_authentication(http):
    """DNS rebinding: a page's own name may point at this machine."""
    for host in ("evil.example", "localhost.evil.example", "10.0.0.1", "127.0.0.1.evil.example:80"):
        assert_error(http.get("/collections", headers={"Host": host}), 421, "HTTP421")
    for host in ("localhost", "LOCALHOST:99", "127.0.0.1", "[::1]:8080"):
        assert http.get("/collections", headers={"Host": host}).status == 200


@pytest.mark.parametrize("path", ["", "/C/upsert", "/C/search", "/C/count", "/C/points/delete"])
def test_bodies_reach_the_database_undecoded(http, collection, path):
    """With columns=x, PostgREST hands the body on as it came: it is PostgreSQL
    that complains of what is no JSON, not PostgREST (PGRST102)."""
    r = http.post("/collections" + path.replace("C", collection), '{"broken": ')
    assert_error(r, 400, "22P02", "^invalid input syntax for type json$")


def test_preferences_and_ranges_are_no_part_of_the_routes(http, collection):
    for headers in ({"Prefer": "handling=strict, nonsense=1"}, {"Range": "5-9"}, {"Range": "5-9", "Range-Unit": "items"}):
        for method, path, body in (("GET", f"/collections/{collection}", None), ("GET", "/collections", None),
                                   ("POST", f"/collections/{collection}/count", {})):
            r = http.request(method, path, body, headers=headers)
            assert r.status == 200 and r.body not in (b"", b"null", b"[]"), (headers, r)
