"""HTTP client of the tests: checks every answer against http/openapi.json."""

import http.client
import json
import pathlib
import re
import socket
import ssl

from jsonschema import Draft202012Validator

TOP = pathlib.Path(__file__).resolve().parents[2]
OPENAPI = json.loads((TOP / "http" / "openapi.json").read_text())


def schema_validator(schema):
    """A validator whose local references find the document's components."""
    return Draft202012Validator({**schema, "components": OPENAPI["components"]})


ERROR = schema_validator({"$ref": "#/components/schemas/Error"})


def template_regex(template):
    return re.compile("^" + re.sub(r"\\{\w+\\}", "[^/]+", re.escape(template)) + "$")


# Literal paths before those with parameters: /points/delete is no {id} of POST.
TEMPLATES = sorted(((t, template_regex(t)) for t in OPENAPI["paths"]), key=lambda x: x[0].count("{"))


def find_operation(method, path):
    """(template, operation) of the document that a request belongs to."""
    path = path.split("?", 1)[0]
    for template, regex in TEMPLATES:
        if regex.match(path) and method.lower() in OPENAPI["paths"][template]:
            return template, OPENAPI["paths"][template][method.lower()]
    return None, None


def resolve(node):
    while "$ref" in node:
        ref, node = node["$ref"], OPENAPI
        for part in ref.removeprefix("#/").split("/"):
            node = node[part]
    return node


class Response:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f"<{self.status} {self.body[:500]!r}>"


class Client:
    """One server; `seen` collects the (operation, status) pairs that occurred."""

    def __init__(self, port, headers=None, tls=False, seen=None):
        self.port, self.headers, self.tls = port, headers or {}, tls
        self.seen = seen if seen is not None else set()

    def with_headers(self, **headers):
        more = {k.replace("_", "-"): v for k, v in headers.items()}
        return Client(self.port, {**self.headers, **more}, self.tls, self.seen)

    def request(self, method, path, body=None, headers=None, check=True):
        if self.tls:
            context = ssl.create_default_context()
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            conn = http.client.HTTPSConnection("127.0.0.1", self.port, timeout=60, context=context)
        else:
            conn = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        sent = {**self.headers, **(headers or {})}
        data = body
        if body is not None and not isinstance(body, (bytes, str)):
            data = json.dumps(body)
        if isinstance(data, str):
            data = data.encode()
        if method == "POST" and not any(k.lower() == "content-type" for k in sent):
            sent["Content-Type"] = "application/json"
        try:
            conn.request(method, path, data, sent)
            answer = conn.getresponse()
            response = Response(answer.status, answer.headers, answer.read())
        finally:
            conn.close()
        if check:
            self.check(method, path, body, response)
        return response

    def get(self, path, **kw):
        return self.request("GET", path, **kw)

    def post(self, path, body=None, **kw):
        return self.request("POST", path, body, **kw)

    def delete(self, path, **kw):
        return self.request("DELETE", path, **kw)

    def check(self, method, path, body, response):
        """Every error has the one shape; every answer is as documented."""
        if method == "HEAD":
            return
        if response.status >= 400:
            assert response.headers["Content-Type"].startswith("application/json"), response
            ERROR.validate(response.json)
            assert not re.search(r"\bc_\d+|vecdb_data|vecdb_http", response.body.decode()), response
        template, operation = find_operation(method, path)
        if operation is None or response.headers.get("Content-Encoding"):
            return
        assert str(response.status) in operation["responses"], (template, response)
        documented = resolve(operation["responses"][str(response.status)])
        if "content" not in documented:
            assert response.body == b""
        else:
            schema_validator(documented["content"]["application/json"]["schema"]).validate(response.json)
        if response.status < 300 and isinstance(body, (dict, list)):
            schema_validator(operation["requestBody"]["content"]["application/json"]["schema"]).validate(body)
        self.seen.add((template, method, response.status))

    def raw(self, data):
        """Bytes as they are, for requests that no client library would send."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=30) as s:
            s.sendall(data)
            answer = b""
            while chunk := s.recv(65536):
                answer += chunk
        head, _, body = answer.partition(b"\r\n\r\n")
        return int(head.split()[1]), head.decode("latin-1"), body


def assert_error(response, status, code, message=None):
    """The answer is this error; message is a regular expression."""
    assert (response.status, response.json["code"]) == (status, code), response
    if message is not None:
        assert re.search(message, response.json["message"]), response
    return response.json
