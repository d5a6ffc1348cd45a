"""Bad requests: status, code, a message that names the field, nothing written."""

import pytest

from client import assert_error

DEEP = '{"vector":[1,0,0],"filter":' + '{"a":' * 20000 + "1" + "}" * 20000 + "}"


@pytest.mark.parametrize("body, code, message", [
    ({"dimension": 3}, "22023", "^name: field is missing$"),
    ({"name": "x"}, "22023", "^dimension: field is missing$"),
    ({"name": "x", "dimension": 3, "metric": "dot"}, "22023", "^metric: unknown field$"),
    ('{"name":"x","dimension":3,"name":"y"}', "22023", "^name: field is given twice$"),
    ({"name": 7, "dimension": 3}, "22023", "^name: must be a string$"),
    ({"name": None, "dimension": 3}, "22023", "^name: must be a string$"),
    ({"name": "x", "dimension": "3"}, "22023", "^dimension: must be a whole number"),
    ({"name": "x", "dimension": 3.5}, "22023", "^dimension: must be a whole number"),
    ({"name": "x", "dimension": True}, "22023", "^dimension: must be a whole number"),
    ({"name": "x", "dimension": None}, "22023", "^dimension: must be a whole number"),
    ({"name": "x", "dimension": 0}, "22023", "^dimension: must be a whole number from 1 to 16000, not 0$"),
    ({"name": "x", "dimension": -1}, "22023", "^dimension: must be"),
    ({"name": "x", "dimension": 16001}, "22023", "^dimension: must be"),
    ({"name": "x", "dimension": 99999999999}, "22023", "^dimension: must be a whole number from 1 to 16000, not 99999999999$"),
    ('{"name":"x","dimension":1e999999}', "22023", "^dimension: must be .*, not 1e999999$"),
    ({"name": "x", "dimension": 3, "distance": "manhattan"}, "22023", '^distance: unknown distance "manhattan"$'),
    ({"name": "x", "dimension": 3, "distance": 1}, "22023", "^distance: must be a string$"),
    ({"name": "", "dimension": 3}, "22023", "^name: invalid collection name"),
    ({"name": "a b", "dimension": 3}, "22023", "^name: invalid collection name"),
    ({"name": "a/b", "dimension": 3}, "22023", "^name: invalid collection name"),
    ({"name": "a\r\nSet-Cookie: x=y", "dimension": 3}, "22023", "^name: invalid collection name"),
    ({"name": "ü", "dimension": 3}, "22023", "^name: invalid collection name"),
    ({"name": "n" * 64, "dimension": 3}, "22023", "^name: invalid collection name"),
    ([], "22023", "^request body must be a JSON object$"),
    ("7", "22023", "^request body must be a JSON object$"),
    ("null", "22023", "^request body must be a JSON object$"),
    ("{", "22P02", "invalid input syntax for type json"),
    ("", "22P02", "invalid input syntax for type json"),
    ("{}{}", "22P02", "invalid input syntax for type json"),
    (b'{"name":"\xff","dimension":3}', "22021", "invalid byte sequence"),
])
def test_create_errors(http, body, code, message):
    before = http.get("/collections").json
    assert_error(http.post("/collections", body), 400, code, message)
    assert http.get("/collections").json == before


def test_create_existing(http, collection):
    r = http.post("/collections", {"name": collection, "dimension": 9})
    assert_error(r, 409, "42P07", f'^collection "{collection}" already exists$')
    assert http.get(f"/collections/{collection}").json["dimension"] == 3


OK = {"id": "n1", "vector": [1, 2, 3]}


@pytest.mark.parametrize("body, code, message", [
    ({}, "22023", "^points: field is missing$"),
    ([OK], "22023", "^request body must be a JSON object$"),
    ({"points": OK}, "22023", "^points: must be a JSON array$"),
    ({"points": [OK], "more": 1}, "22023", "^more: unknown field$"),
    ({"points": [OK, 7]}, "22023", r"^points\[1\]: must be a JSON object$"),
    ({"points": [OK, {"vector": [1, 2, 3]}]}, "22023", r"^points\[1\]\.id: field is missing$"),
    ({"points": [OK, {"id": "b"}]}, "22023", r"^points\[1\]\.vector: field is missing$"),
    ({"points": [OK, {"id": 5, "vector": [1, 2, 3]}]}, "22023", r"^points\[1\]\.id: must be a string$"),
    ({"points": [OK, {"id": "", "vector": [1, 2, 3]}]}, "22023", r"^points\[1\]\.id: "),
    ({"points": [OK, {"id": "x" * 1025, "vector": [1, 2, 3]}]}, "22023", r"^points\[1\]\.id: must have 1 to 1024 bytes"),
    ({"points": [OK, {"id": "b", "vector": [1, 2]}]}, "22000", r"^points\[1\]\.vector: expected 3 dimensions, not 2$"),
    ({"points": [OK, {"id": "b", "vector": "[1,2,3]"}]}, "22023", r"^points\[1\]\.vector: must be an array of numbers$"),
    ({"points": [OK, {"id": "b", "vector": [1, None, 3]}]}, "22023", r"^points\[1\]\.vector: element 1 is not a number$"),
    ({"points": [OK, {"id": "b", "vector": [1, 1e60, 3]}]}, "22003", r"^points\[1\]\.vector: element 1, 1e\+?60, is out of range"),
    ('{"points":[{"id":"b","vector":[1,NaN,3]}]}', "22P02", "json"),
    ({"points": [OK, {"id": "b", "vector": [1, 2, 3], "metadata": 7}]}, "22023", r"^points\[1\]\.metadata: must be a JSON object$"),
    ({"points": [OK, {"id": "b", "vector": [1, 2, 3], "extra": 7}]}, "22023", r"^points\[1\]\.extra: unknown field$"),
    ({"points": [OK, OK]}, "21000|22023", r'^points\[1\]\.id: "n1" is the id of points\[0\], too$'),
    ('{"points":[{"id":"b","id":"c","vector":[1,2,3]}]}', "22023", r"^points\[0\]\.id: field is given twice$"),
    ('{"points":[', "22P02", "json"),
    ('{"points":[{"id":"b\\u0000","vector":[1,2,3]}]}', "22P05", ""),
])
def test_upsert_errors(http, collection, body, code, message):
    r = http.post(f"/collections/{collection}/upsert", body)
    assert r.json["code"] in code.split("|"), r
    assert_error(r, 400, r.json["code"], message)
    assert http.get(f"/collections/{collection}").json["count"] == 3


@pytest.mark.parametrize("body, code, message", [
    ({}, "22023", "^vector: field is missing$"),
    ({"vector": None}, "22023", "^vector: "),
    ({"vector": [1, 2]}, "22000", "^vector: expected 3 dimensions, not 2$"),
    ({"vector": []}, "22023", "^vector: vector must have at least 1 dimension$"),
    ({"vector": [0, 0, 0]}, "22023", "^vector: a zero vector has no direction"),
    ({"vector": [1, "2", 3]}, "22023", "^vector: element 1 is not a number$"),
    ({"vector": [1, 2, 3], "top_k": 0}, "22023", "^top_k: must be"),
    ({"vector": [1, 2, 3], "top_k": 10001}, "22023", "^top_k: must be a whole number from 1 to 10000, not 10001$"),
    ({"vector": [1, 2, 3], "top_k": "5"}, "22023", "^top_k: must be"),
    ({"vector": [1, 2, 3], "top_k": 1.5}, "22023", "^top_k: must be"),
    ({"vector": [1, 2, 3], "offset": -1}, "22023", "^offset: must be"),
    ({"vector": [1, 2, 3], "include_metadata": "yes"}, "22023", "^include_metadata: must be true or false$"),
    ({"vector": [1, 2, 3], "include_vector": 1}, "22023", "^include_vector: must be true or false$"),
    ({"vector": [1, 2, 3], "score_threshold": "x"}, "22023", "^score_threshold: must be a number$"),
    ({"vector": [1, 2, 3], "filter": []}, "22023", "^filter: must be a JSON object$"),
    ({"vector": [1, 2, 3], "filter": {"year": {"$near": 1}}}, "22023", r'unknown operator "\$near" at "year\.\$near"'),
    ({"vector": [1, 2, 3], "filter": {"$or": 1}}, "22023", "filter"),
    ({"vector": [1, 2, 3], "limit": 5}, "22023", "^limit: unknown field$"),
    ('{"vector":[1,2,3],"top_k":1,"top_k":2}', "22023", "^top_k: field is given twice$"),
    ("[1,2,3]", "22023", "^request body must be a JSON object$"),
])
def test_search_errors(http, collection, body, code, message):
    assert_error(http.post(f"/collections/{collection}/search", body), 400, code, message)


@pytest.mark.parametrize("body, message", [
    ({}, "^ids or filter: one of them must be given$"),
    ({"ids": "a"}, "^ids: must be a JSON array$"),
    ({"ids": None}, "^ids: must be a JSON array$"),
    ({"ids": ["a", 1]}, r"^ids\[1\]: must be a string$"),
    ({"ids": ["a", None]}, r"^ids\[1\]: must be a string$"),
    ({"ids": ["a"], "filter": {}}, "^ids and filter: only one of them may be given$"),
    ({"ids": None, "filter": {}}, "^ids and filter: only one of them may be given$"),
    ({"filter": None}, "^filter: must be a JSON object$"),
    ({"filter": []}, "^filter: must be a JSON object$"),
    ({"filter": "{}"}, "^filter: must be a JSON object$"),
    ('{"filter":{"year":1},"filter":{}}', "^filter: field is given twice$"),
    ({"ids": ["a"], "where": {}}, "^where: unknown field$"),
    ('{"ids":["a"],"ids":["b"]}', "^ids: field is given twice$"),
    (["a"], "^request body must be a JSON object$"),
])
def test_delete_errors(http, collection, body, message):
    assert_error(http.post(f"/collections/{collection}/points/delete", body), 400, "22023", message)
    assert http.get(f"/collections/{collection}").json["count"] == 3


def test_errors_of_filters_name_their_place(http, collection):
    """By whatever route they come, and nothing is deleted."""
    bad = {"filter": {"$or": [{"year": 1}, {"year": {"$near": 2}}]}}
    search = http.post(f"/collections/{collection}/search", {"vector": [1, 0, 0], **bad})
    assert_error(search, 400, search.json["code"], r"\$or\[1\]\.year.*\$near")
    for route in ("count", "points/delete"):
        r = http.post(f"/collections/{collection}/{route}", bad)
        assert (r.status, r.json["code"]) == (400, search.json["code"])
        assert r.json["message"] in search.json["message"]
    r = http.post("/rpc/delete_points", {"collection": collection, **bad})
    assert r.status == 400 and r.json["message"] in search.json["message"]
    assert http.get(f"/collections/{collection}").json["count"] == 3


@pytest.mark.parametrize("body, message", [
    ({"filter": 1}, "^filter: must be a JSON object$"),
    ({"filter": {"a": {"$x": 1}}}, r"unknown operator"),
    ({"where": {}}, "^where: unknown field$"),
    ("[]", "^request body must be a JSON object$"),
])
def test_count_errors(http, collection, body, message):
    assert_error(http.post(f"/collections/{collection}/count", body), 400, "22023", message)


@pytest.mark.parametrize("method, route, body", [
    ("GET", "", None), ("DELETE", "", None), ("GET", "/points/a", None),
    ("POST", "/upsert", {"points": [OK]}), ("POST", "/search", {"vector": [1, 2, 3]}),
    ("POST", "/count", {}), ("POST", "/points/delete", {"ids": ["a"]}),
])
def test_unknown_collection(http, method, route, body):
    r = http.request(method, "/collections/nobody-knows" + route, body)
    assert_error(r, 404, "42P01", '^collection "nobody-knows" does not exist$')


def test_unknown_point(http, collection):
    assert_error(http.get(f"/collections/{collection}/points/zz"), 404, "P0002",
                 f'^point "zz" does not exist in collection "{collection}"$')


def test_collection_dropped_by_hand(http, cluster, collection):
    cluster.psql(f"DO $$ BEGIN EXECUTE 'DROP TABLE ' || vecdb_auth.known_table('{collection}'); END $$")
    assert_error(http.post(f"/collections/{collection}/search", {"vector": [1, 2, 3]}), 404, "42P01")
    assert collection not in [c["name"] for c in http.get("/collections").json["collections"]]
    assert http.post("/collections", {"name": collection, "dimension": 2}).status == 201


@pytest.mark.parametrize("path", ["/", "/nope", "/collections/", "/collections/a/", "/collections/a/nope",
                                  "/collections/a/points", "/collections/a/points/", 
                                  "/collections/%61", "/collections/" + "n" * 64, "/rpc", "/rpc/", "/-/404",
                                  "/-/openapi", "/healthz/x", "//collections", "/collections/../healthz"])
def test_unknown_routes(http, path):
    assert_error(http.get(path), 404, "HTTP404", "^no such route$")


@pytest.mark.parametrize("method, path, allow", [
    ("PUT", "/collections", "GET, HEAD, POST"), ("DELETE", "/collections", "GET, HEAD, POST"),
    ("POST", "/collections/a", "GET, HEAD, DELETE"), ("PATCH", "/collections/a", "GET, HEAD, DELETE"),
    ("GET", "/collections/a/search", "POST"), ("GET", "/collections/a/upsert", "POST"),
    ("GET", "/collections/a/count", "POST"), ("DELETE", "/collections/a/points/x", "GET, HEAD"),
    ("PUT", "/collections/a/points/delete", "GET, HEAD, POST"), ("POST", "/healthz", "GET, HEAD"),
    ("POST", "/openapi", "GET, HEAD"), ("DELETE", "/rpc/search", "GET, HEAD, POST"),
    ("OPTIONS", "/collections", "GET, HEAD, POST"), ("TRACE", "/collections/a", "GET, HEAD, DELETE"),
])
def test_wrong_method(http, method, path, allow):
    r = http.request(method, path)
    assert_error(r, 405, "HTTP405")
    if method != "TRACE":
        assert r.headers["Allow"] == allow


CURL = ["", "application/x-www-form-urlencoded", "application/x-www-form-urlencoded; charset=utf-8"]


@pytest.mark.parametrize("media", [*CURL, "text/plain", "multipart/form-data",
                                   "application/jsonx", "text/json; application/json"])
def test_body_must_be_called_json(http, collection, media):
    """A web page can post these without asking first, but not without a trace."""
    for trace in ({"Origin": "https://evil.example"}, {"Origin": "null"}, {"Referer": "https://evil.example/"},
                  {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Mode": "no-cors"}, {}):
        if not trace and media in CURL:
            continue
        for path in (f"/collections/{collection}/points/delete", "/rpc/drop_collection", "/collections"):
            r = http.post(path, '{"ids":["a"]}', headers={"Content-Type": media, **trace})
            assert_error(r, 415, "HTTP415")
    assert http.get(f"/collections/{collection}").json["count"] == 3


@pytest.mark.parametrize("media", CURL)
def test_what_curl_and_bare_clients_say_is_taken_for_json(http, collection, media):
    """curl -d without -H, urllib, http.client."""
    for path, body in ((f"/collections/{collection}/points/delete", '{"ids":["a"]}'),
                       ("/rpc/delete_points", f'{{"collection":"{collection}","ids":["b"]}}')):
        head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {len(body)}\r\n"
        if media:
            head += f"Content-Type: {media}\r\n"
        assert http.raw(f"{head}\r\n{body}".encode())[0] == 200
    assert http.get(f"/collections/{collection}").json["count"] == 1


def test_json_with_charset_is_json(http, collection):
    r = http.post(f"/collections/{collection}/count", "{}", headers={"Content-Type": "application/JSON; charset=utf-8"})
    assert r.json == {"count": 3}


def test_compressed_body_is_refused(http, collection):
    r = http.post(f"/collections/{collection}/count", b"\x1f\x8b", headers={"Content-Encoding": "gzip"})
    assert_error(r, 415, "HTTP415")


def test_query_parameters_are_refused(http, collection):
    for method, path in (("GET", "/collections?limit=1"), ("POST", f"/collections/{collection}/search?top_k=1"),
                         ("GET", f"/collections/{collection}/points/a?select=id"),
                         ("DELETE", f"/collections/{collection}?x=1"), ("POST", f"/collections/{collection}/count?columns=y")):
        assert_error(http.request(method, path, "{}" if method == "POST" else None), 400, "HTTP400", "query")
    assert http.get(f"/collections/{collection}").json["count"] == 3


def test_bodies_where_none_belong(http, collection):
    for method in ("GET", "DELETE"):
        assert_error(http.request(method, f"/collections/{collection}", "{}"), 400, "HTTP400", "takes no body")
    chunked = (f"DELETE /collections/{collection} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
               "Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n")
    assert http.raw(chunked.encode())[0] == 400
    assert http.get(f"/collections/{collection}").status == 200


def test_deeply_nested_body(http, collection):
    r = http.post(f"/collections/{collection}/search", DEEP)
    assert r.status in (400, 413) and r.json["code"] in ("54001", "22023")


def test_no_response_splitting(http, collection):
    evil = "x\r\nSet-Cookie: stolen=1\r\n\r\n"
    for r in (http.post("/collections", {"name": evil, "dimension": 3}),
              http.post(f"/collections/{collection}/search", {"vector": [1, 2, 3], "filter": {"a": {evil: 1}}}),
              http.post(f"/collections/{collection}/count", {evil: 1}),
              http.get(f"/collections/{collection}/points/x%0d%0aSet-Cookie:%20stolen=1")):
        assert r.status in (400, 404) and "Set-Cookie" not in r.headers
