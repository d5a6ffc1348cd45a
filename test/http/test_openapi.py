"""The OpenAPI document is valid, complete and true."""

import json

from jsonschema import Draft202012Validator
from openapi_spec_validator import validate

from client import OPENAPI, Client, resolve, schema_validator

CODES = {"get", "post", "put", "delete", "patch"}


def operations():
    for path, item in OPENAPI["paths"].items():
        for method in CODES & item.keys():
            yield path, method, item[method]


def test_document_is_valid():
    validate(OPENAPI)


def test_document_is_served(http):
    r = http.get("/openapi")
    assert r.status == 200 and r.headers["Content-Type"] == "application/json"
    assert r.json == OPENAPI


def test_schemas_are_schemas():
    for schema in OPENAPI["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)


def test_examples_match_their_schemas():
    n = 0
    bodies = [op["requestBody"] for _, _, op in operations() if "requestBody" in op]
    answers = [resolve(r) for _, _, op in operations() for r in op["responses"].values()]
    for described in bodies + answers:
        for media in described.get("content", {}).values():
            schema_validator(media["schema"]).validate(media["example"])
            n += 1
    assert n > 50


def test_every_operation_answers_as_documented(server):
    """The client checks each answer; here each operation is called."""
    http = Client(server.port)
    for path, method, op in sorted(operations(), key=lambda o: "/rpc" in o[0]):
        assert op["operationId"] and op["responses"], path
    base = "/collections/research_papers"

    def example(path, method):
        return OPENAPI["paths"][path][method]["requestBody"]["content"]["application/json"]["example"]

    for path, suffix in (("/collections", "s"), ("/collections/{name}/upsert", "/upsert"),
                         ("/collections/{name}/search", "/search"), ("/collections/{name}/count", "/count"),
                         ("/collections/{name}/points/delete", "/points/delete")):
        target = "/collections" if suffix == "s" else base + suffix
        assert http.post(target, example(path, "post")).status == (201 if suffix == "s" else 200)
    http.post(base + "/upsert", example("/collections/{name}/upsert", "post"))
    for path in ("/collections", base, base + "/points/paper_001", "/healthz", "/openapi"):
        assert http.get(path).status == 200
    assert http.delete(base).status == 200
    order = ["create_collection", "upsert", "list_collections", "get_collection", "search", "get_point", "count",
             "delete_points", "drop_collection"]
    for fn in order:
        assert http.post(f"/rpc/{fn}", example(f"/rpc/{fn}", "post")).status < 300
    called = {(t, m.lower()) for t, m, status in http.seen if status < 300}
    assert called == {(path, method) for path, method, _ in operations()}


def test_document_names_every_exposed_function(cluster):
    functions = cluster.psql("SELECT proname FROM pg_proc WHERE pronamespace = 'vecdb_api'::regnamespace").split()
    assert sorted(functions) == sorted(p.removeprefix("/rpc/") for p in OPENAPI["paths"] if p.startswith("/rpc/"))


