"""Each line of the HTTP contract."""

import math
from concurrent.futures import ThreadPoolExecutor

from client import assert_error

STRATEGIES = {"vector first", "in graph", "exact", "exact, from index", "exact, all rows"}


def test_create(http):
    r = http.post("/collections", {"name": "made-1_A", "dimension": 768, "distance": "cosine"})
    assert r.status == 201
    assert r.json == {"status": "created",
                      "collection": {"name": "made-1_A", "dimension": 768, "distance": "cosine", "count": 0}}
    assert http.delete("/collections/made-1_A").json == {"status": "dropped"}


def test_create_defaults_to_cosine(http):
    for body in ({"name": "plain", "dimension": 2}, {"name": "plain", "dimension": 2, "distance": None}):
        assert http.post("/collections", body).json["collection"]["distance"] == "cosine"
        http.delete("/collections/plain")


def test_whole_numbers_are_whole_however_they_are_written(http):
    for dimension in ("2.0", "2e0", "0.2E+1"):
        r = http.post("/collections", f'{{"name":"plain","dimension":{dimension}}}')
        assert r.status == 201 and r.json["collection"]["dimension"] == 2, dimension
        assert type(r.json["collection"]["dimension"]) is int
        http.delete("/collections/plain")


def test_create_once_among_many(http):
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: http.post("/collections", {"name": "race", "dimension": 2}), range(8)))
    assert sorted(a.status for a in answers) == [201] + [409] * 7
    assert http.get("/collections/race").json["count"] == 0
    http.delete("/collections/race")


def test_list_and_get(http, collection):
    one = {"name": collection, "dimension": 3, "distance": "cosine", "count": 3}
    assert http.get(f"/collections/{collection}").json == one
    r = http.get("/collections")
    assert r.status == 200 and list(r.json) == ["collections"]
    assert one in r.json["collections"]
    names = [c["name"] for c in r.json["collections"]]
    assert names == sorted(names)


def test_drop(http, collection):
    assert http.delete(f"/collections/{collection}").json == {"status": "dropped"}
    assert http.get(f"/collections/{collection}").status == 404
    assert collection not in [c["name"] for c in http.get("/collections").json["collections"]]


def test_upsert_inserts_and_replaces(http, collection):
    body = {"points": [{"id": "a", "vector": [0, 1, 0]}, {"id": "new", "vector": [0, 0, 1], "metadata": {"k": [1, None]}}]}
    assert http.post(f"/collections/{collection}/upsert", body).json == {"status": "ok", "upserted": 2}
    assert http.get(f"/collections/{collection}/points/a").json == {"id": "a", "vector": [0, 1, 0], "metadata": {}}
    assert http.get(f"/collections/{collection}/points/new").json["metadata"] == {"k": [1, None]}
    assert http.get(f"/collections/{collection}").json["count"] == 4
    assert http.post(f"/collections/{collection}/upsert", {"points": []}).json == {"status": "ok", "upserted": 0}


def test_search_with_filter_and_metadata(http, collection):
    r = http.post(f"/collections/{collection}/search",
                  {"vector": [1, 0, 0], "top_k": 5, "include_metadata": True,
                   "filter": {"year": {"$gte": 2015}, "tags": {"$contains": "y"}}})
    assert r.status == 200 and sorted(r.json) == ["results", "took_ms"]
    assert type(r.json["took_ms"]) is int and r.json["took_ms"] >= 0
    a, b = r.json["results"]
    assert a == {"id": "a", "score": 1, "metadata": {"year": 2015, "tags": ["x", "y"]}}
    assert b["id"] == "b" and math.isclose(b["score"], math.sqrt(0.5), rel_tol=1e-6)


def test_search_fields_only_when_asked_for(http, collection):
    def keys(**more):
        r = http.post(f"/collections/{collection}/search", {"vector": [1, 0, 0], **more})
        return [sorted(x) for x in r.json["results"]]

    assert keys() == [["id", "score"]] * 3
    assert keys(include_metadata=False) == [["id", "score"]] * 3
    assert keys(include_metadata=True) == [["id", "metadata", "score"]] * 3
    assert keys(include_vector=True) == [["id", "score", "vector"]] * 3
    assert keys(include_vector=True, include_metadata=True) == [["id", "metadata", "score", "vector"]] * 3


def test_search_top_k_offset_threshold(http, collection):
    def ids(**more):
        r = http.post(f"/collections/{collection}/search", {"vector": [1, 0, 0], **more})
        return [x["id"] for x in r.json["results"]]

    assert ids() == ["a", "b", "c"]
    assert ids(top_k=2) == ["a", "b"]
    assert ids(top_k=1, offset=1) == ["b"]
    assert ids(offset=3) == []
    assert ids(score_threshold=0.5) == ["a", "b"]
    assert ids(top_k=None, filter=None, include_metadata=None, offset=None, score_threshold=None) == ["a", "b", "c"]


def test_search_scores_of_each_distance(http):
    for distance, expected in (("euclidean", [("n", 0), ("m", 5)]), ("dot", [("m", 25), ("n", 0)])):
        http.post("/collections", {"name": "scores", "dimension": 2, "distance": distance})
        http.post("/collections/scores/upsert",
                  {"points": [{"id": "n", "vector": [0, 0]}, {"id": "m", "vector": [3, 4]}]})
        query = [0, 0] if distance == "euclidean" else [3, 4]
        r = http.post("/collections/scores/search", {"vector": query})
        assert [(x["id"], x["score"]) for x in r.json["results"]] == expected
        http.delete("/collections/scores")


def test_scores_beyond_all_numbers_are_numbers(http):
    """JSON has no infinity: PostgreSQL would write the string "Infinity"."""
    for distance, scores in (("euclidean", [1.7976931348623157e308]), ("dot", [1.7976931348623157e308, -1.7976931348623157e308])):
        http.post("/collections", {"name": "far", "dimension": 2, "distance": distance})
        far = [{"id": "p", "vector": [3e38, 3e38]}, {"id": "m", "vector": [-3e38, -3e38]}]
        http.post("/collections/far/upsert", {"points": far})
        r = http.post("/collections/far/search", {"vector": [3e38, 3e38]})
        assert [x["score"] for x in r.json["results"]][-len(scores):] == scores
        r = http.post("/rpc/search", {"collection": "far", "vector": [3e38, 3e38]})
        assert [x["score"] for x in r.json][-len(scores):] == scores
        http.delete("/collections/far")


def test_search_took_ms_measures(http, cluster, collection):
    """took_ms grows with the time that the search waits for a lock."""
    table = cluster.psql(f"SELECT vecdb_auth.known_table('{collection}')")
    lock = cluster.session(f"BEGIN; LOCK TABLE {table};")
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(http.post, f"/collections/{collection}/search", {"vector": [1, 0, 0]})
        waiting = f"SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = '{table}'::regclass"
        while cluster.psql(waiting) == "0":
            assert not answer.done()
        cluster.psql("SELECT pg_sleep(0.3)")
        lock.communicate("COMMIT;\n")
        assert answer.result().json["took_ms"] >= 300


def test_delete_points(http, collection):
    r = http.post(f"/collections/{collection}/points/delete", {"ids": ["a", "b", "nobody", "a"]})
    assert r.json == {"status": "ok", "deleted": 2}
    assert http.get(f"/collections/{collection}").json["count"] == 1
    assert http.post(f"/collections/{collection}/points/delete", {"ids": []}).json == {"status": "ok", "deleted": 0}


def test_delete_by_filter(http, collection):
    def delete(body):
        return http.post(f"/collections/{collection}/points/delete", body).json

    assert delete({"filter": {"year": {"$gte": 2016}}}) == {"status": "ok", "deleted": 1}
    assert delete({"filter": {"year": 1900}}) == {"status": "ok", "deleted": 0}
    assert [http.get(f"/collections/{collection}/points/{p}").status for p in "abc"] == [200, 404, 200]
    assert delete({"filter": {}}) == {"status": "ok", "deleted": 2}
    assert http.get(f"/collections/{collection}").json["count"] == 0


def test_search_explains_itself_when_asked_to(http, collection):
    def search(**more):
        return http.post(f"/collections/{collection}/search", {"vector": [1, 0, 0], **more}).json

    for explain in ({}, {"explain": False}, {"explain": None}):
        assert sorted(search(**explain)) == ["results", "took_ms"]
    for more in ({}, {"filter": {"year": {"$gte": 2015}}}, {"filter": {"year": 1900}}, {"offset": 100}):
        plain, told = search(**more), search(explain=True, **more)
        assert list(told) == ["results", "took_ms", "explain"]
        assert told["results"] == plain["results"]
        assert set(told["explain"]["strategy"].split(", then ")) <= STRATEGIES


def test_explanation_names_the_missing_index(http, cluster, collection):
    """A search that has to read all rows says which index would help."""
    table = cluster.psql(f"SELECT vecdb_auth.known_table('{collection}')")
    for index in cluster.psql(f"SELECT indexrelid::regclass FROM pg_index "
                              f"WHERE indrelid = '{table}'::regclass AND NOT indisprimary").split():
        cluster.psql(f"DROP INDEX {index}")
    body = {"vector": [1, 0, 0], "filter": {"year": 2015}, "explain": True}
    told = http.post(f"/collections/{collection}/search", body).json["explain"]
    assert told["strategy"] == "exact, all rows"
    assert told["advice"].startswith(f"CREATE INDEX ON {table} USING ")
    cluster.psql(told["advice"])


def test_get_point(http, collection):
    r = http.get(f"/collections/{collection}/points/b")
    assert r.json == {"id": "b", "vector": [1, 1, 0], "metadata": {"year": 2017, "tags": ["y"]}}


def test_count(http, collection):
    def count(body):
        return http.post(f"/collections/{collection}/count", body).json

    assert count({"filter": {"year": {"$gte": 2016}}}) == {"count": 1}
    assert count({"filter": {}}) == count({}) == count({"filter": None}) == {"count": 3}


def test_count_needs_no_body(http, collection):
    path = f"/collections/{collection}/count"
    for headers in ({}, {"Content-Type": "application/json", "Content-Length": "0"}):
        r = http.request("POST", path, headers=headers)
        assert (r.status, r.json) == (200, {"count": 3})
    assert http.request("POST", path, b"").json == {"count": 3}
    assert_error(http.request("POST", "/collections/nobody/count"), 404, "42P01", '"nobody"')
    for route in ("upsert", "search", "points/delete"):
        assert_error(http.request("POST", f"/collections/{collection}/{route}"), 400, "22P02")
    chunked = (f"POST {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\n"
               "Transfer-Encoding: chunked\r\n\r\n18\r\n{\"filter\":{\"year\":2015}}\r\n0\r\n\r\n")
    assert b'{"count":1}' in http.raw(chunked.encode())[2]


def test_healthz(http):
    assert http.get("/healthz").json == {"status": "ok"}


def test_head_answers_like_get(http, collection):
    for path in ("/healthz", "/openapi", "/collections", f"/collections/{collection}", f"/collections/{collection}/points/a"):
        r = http.request("HEAD", path)
        assert (r.status, r.body) == (200, b""), path
    assert http.request("HEAD", f"/collections/{collection}/points/zz").status == 404


def test_thousand_points_of_768_dimensions(http):
    http.post("/collections", {"name": "large", "dimension": 768})
    points = [{"id": f"p{i}", "vector": [((i * 31 + j * 17) % 1000) / 999 for j in range(768)], "metadata": {"n": i}}
              for i in range(1000)]
    assert http.post("/collections/large/upsert", {"points": points}).json == {"status": "ok", "upserted": 1000}
    r = http.post("/collections/large/search", {"vector": points[123]["vector"], "top_k": 1})
    assert r.json["results"][0]["id"] == "p123"
    assert http.get("/collections/large").json["count"] == 1000
    http.delete("/collections/large")
