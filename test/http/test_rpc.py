"""The same functions through PostgREST's own /rpc."""

import pathlib
import shutil
import subprocess
from urllib.parse import quote

import pytest

from client import assert_error
from test_auth import token

HERE = pathlib.Path(__file__).parent


def node(*args):
    if not shutil.which("node"):
        pytest.skip("node is not installed")
    if not (HERE / "node_modules" / "@supabase" / "postgrest-js").is_dir():
        pytest.fail("run npm ci in test/http first")
    done = subprocess.run(["node", HERE / "postgrest.mjs", *args], text=True, capture_output=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "21 checks\n"


def test_postgrest_js(server, http):
    http.delete("/collections/from_postgrest_js")
    node(f"http://127.0.0.1:{server.port}")


def test_postgrest_js_with_token(auth_server, http):
    http.delete("/collections/from_postgrest_js")
    node(f"http://127.0.0.1:{auth_server.port}", token("vecdb_admin"))


def test_plain_http(http, collection):
    def call(fn, **args):
        return http.post(f"/rpc/{fn}", args)

    assert call("get_collection", name=collection).json == {"name": collection, "dimension": 3, "distance": "cosine", "count": 3}
    assert call("upsert", collection=collection, points=[{"id": "d", "vector": [0, 1, 0]}]).json == 1
    assert call("count", collection=collection).json == 4
    assert [x["id"] for x in call("search", collection=collection, vector=[0, 1, 0], top_k=1).json] == ["d"]
    assert call("get_point", collection=collection, id="d").json == [{"id": "d", "vector": [0, 1, 0], "metadata": {}}]
    assert call("get_point", collection=collection, id="nobody").json == []
    assert call("delete_points", collection=collection, ids=["d", "e"]).json == 1
    assert call("delete_points", collection=collection, filter={"year": 2015}).json == 1
    assert call("drop_collection", name=collection).status == 204


def test_get_with_arguments_in_the_address(http, collection):
    r = http.get(f"/rpc/search?collection={collection}&vector={quote('[1,0,0]')}&top_k=2&select=id,score&score=gt.0.9")
    assert r.json == [{"id": "a", "score": 1}]
    condition = quote('{"year":2015}')
    assert http.get(f"/rpc/count?collection={collection}&filter={condition}").json == 1
    assert http.request("HEAD", f"/rpc/count?collection={collection}").status == 200


def test_reading_functions_are_read_only_and_writing_ones_refuse_get(http, cluster, collection):
    for call in (f"delete_points?collection={collection}&ids=" + quote("{a}"), f"drop_collection?name={collection}",
                 "create_collection?name=by_get&dimension=2"):
        r = http.get(f"/rpc/{call}", check=False)
        assert_error(r, 405, "25006", "not called by GET")
        assert r.headers.get_all("Allow") == ["POST"]
    assert http.get("/collections/by_get").status == 404
    assert http.get(f"/collections/{collection}").json["count"] == 3


def test_large_bodies_can_be_sent_undecoded(http, collection):
    """columns= names the arguments that the body has: PostgREST passes it on."""
    body = {"collection": collection, "points": [{"id": "d", "vector": [0, 1, 0]}]}
    assert http.post("/rpc/upsert?columns=collection,points", body).json == 1


def test_results_can_be_counted_and_cut(http, collection):
    r = http.post("/rpc/search?limit=2", {"collection": collection, "vector": [1, 0, 0]}, headers={"Prefer": "count=exact"},
                  check=False)
    assert r.status == 206 and len(r.json) == 2 and r.headers["Content-Range"] == "0-1/3"


@pytest.mark.parametrize("fn, args, status, code", [
    ("search", {"collection": "nobody", "vector": [1]}, 404, "42P01"),
    ("get_collection", {"name": None}, 400, "22004"),
    ("create_collection", {"name": "bad name", "dimension": 3}, 400, "22023"),
    ("create_collection", {"name": "x", "dimension": 0}, 400, "22023"),
    ("search", {"collection": "C", "vector": [1, 2]}, 400, "22000"),
    ("search", {"collection": "C", "vector": [1, None, 3]}, 400, "22P02"),
    ("search", {"collection": "C", "vector": "junk"}, 400, "22P02"),
    ("search", {"collection": "C", "vector": None}, 400, "22004"),
    ("search", {"collection": "C", "vector": [1, 2, 3], "top_k": 0}, 400, "22023"),
    ("search", {"collection": "C", "vector": [1, 2, 3], "filter": {"a": {"$x": 1}}}, 400, "22023"),
    ("upsert", {"collection": "C", "points": {}}, 400, "22023"),
    ("upsert", {"collection": "C", "points": None}, 400, "22004"),
    ("upsert", {"collection": "C", "points": [{"id": "x", "vector": [1]}]}, 400, "22000"),
    ("delete_points", {"collection": "C", "ids": None}, 400, "22004"),
    ("delete_points", {"collection": "C", "ids": "a"}, 400, "22P02"),
    ("delete_points", {"collection": "C"}, 400, "22004"),
    ("delete_points", {"collection": "C", "ids": ["a"], "filter": {}}, 400, "22023"),
    ("search", {"collection": "C"}, 404, "PGRST202"),
    ("nonsense", {}, 404, "PGRST202"),
    ("drop_collection", {"name": "nobody"}, 404, "42P01"),
])
def test_rpc_errors(http, collection, fn, args, status, code):
    args = {k: collection if v == "C" else v for k, v in args.items()}
    assert_error(http.post(f"/rpc/{fn}", args, check=fn != "nonsense"), status, code)
    assert http.get(f"/collections/{collection}").json["count"] == 3
