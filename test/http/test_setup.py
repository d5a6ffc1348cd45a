"""http/setup.sql: what it makes, and that it can be run again."""

import pytest

from client import TOP, assert_error

SETUP = TOP / "http" / "setup.sql"


def test_running_again_changes_nothing(cluster, http, collection):
    state = """SELECT p.oid::regprocedure::text, p.proacl::text, p.proowner FROM pg_proc p
        WHERE pronamespace::regnamespace::text LIKE 'vecdb_%'
        UNION ALL SELECT relname, relacl::text, relowner FROM pg_class WHERE relnamespace::regnamespace::text LIKE 'vecdb_%'
        UNION ALL SELECT nspname, nspacl::text, nspowner FROM pg_namespace WHERE nspname LIKE 'vecdb_%'
        UNION ALL SELECT role, level, builtin::int::oid FROM vecdb_auth.roles
        UNION ALL SELECT name, encode(hash, 'hex'), 0 FROM vecdb_auth.api_keys ORDER BY 1, 2"""
    cluster.psql("SELECT vecdb_auth.create_key('stays', 'reader')")
    cluster.psql(f"SELECT vecdb_auth.revoke_collection('{collection}', 'vecdb_reader')")
    before = cluster.psql(state)
    cluster.psql(file=SETUP)
    assert cluster.psql(state) == before
    assert http.get(f"/collections/{collection}").json["count"] == 3
    cluster.psql("SELECT vecdb_auth.revoke_key('stays')")


def test_nothing_is_public(cluster):
    """No function of ours may be called by a role that was not given it."""
    cluster.psql("DROP ROLE IF EXISTS stranger; CREATE ROLE stranger")
    open_ = cluster.psql("""SELECT p.oid::regprocedure FROM pg_proc p JOIN pg_namespace n ON n.oid = pronamespace
        WHERE nspname IN ('vecdb_auth', 'vecdb_api', 'vecdb_http')
          AND (has_function_privilege('stranger', p.oid, 'EXECUTE') OR has_schema_privilege('stranger', n.oid, 'USAGE'))""")
    assert open_ == ""
    assert cluster.psql("""SELECT has_table_privilege('stranger', 'vecdb_auth.api_keys', 'SELECT')
        OR has_any_column_privilege('vecdb_admin', 'vecdb_auth.api_keys', 'SELECT')""") == "f"


def test_anonymous_role_may_call_only_healthz(cluster):
    assert cluster.psql("""SELECT string_agg(oid::regprocedure::text, ' ') FROM pg_proc
        WHERE pronamespace::regnamespace::text IN ('vecdb_api', 'vecdb_http')
          AND has_function_privilege('vecdb_anonymous', oid, 'EXECUTE')""") == "vecdb_http.healthz()"


def test_every_function_pins_its_search_path(cluster):
    loose = cluster.psql("""SELECT oid::regprocedure FROM pg_proc
        WHERE pronamespace::regnamespace::text IN ('vecdb_auth', 'vecdb_api', 'vecdb_http')
          AND NOT coalesce('search_path=pg_catalog, pg_temp' = ANY (proconfig), false)""")
    assert loose == ""


def test_one_function_runs_with_its_owner_s_rights(cluster):
    assert cluster.psql("""SELECT string_agg(oid::regprocedure::text, ' ') FROM pg_proc
        WHERE pronamespace::regnamespace::text LIKE 'vecdb%' AND prosecdef""") == "vecdb_auth.find_key(text)"


def test_authenticator_is_powerless(cluster):
    assert cluster.psql("""SELECT rolcanlogin, rolinherit, rolsuper, rolcreaterole, rolcreatedb, rolbypassrls
        FROM pg_roles WHERE rolname = 'vecdb_authenticator'""") == "t|f|f|f|f|f"
    assert cluster.psql("""SELECT count(*) FROM pg_roles WHERE rolname ~ '^vecdb_(anonymous|reader|writer|admin)$'
        AND NOT rolcanlogin AND NOT rolsuper AND NOT rolcreaterole AND NOT rolbypassrls""") == "4"


def test_search_path_attack_by_the_admin_role(cluster, http, collection):
    """Objects in a schema that comes first do not replace what the functions call."""
    cluster.psql("""CREATE SCHEMA IF NOT EXISTS evil; GRANT USAGE ON SCHEMA evil TO PUBLIC;
        CREATE FUNCTION evil.format(text, VARIADIC text[]) RETURNS text LANGUAGE sql AS $$SELECT 'evil'$$;
        CREATE FUNCTION evil.row_to_json(record) RETURNS json LANGUAGE plpgsql AS $$BEGIN RETURN '"evil"'; END$$;
        ALTER ROLE vecdb_authenticator SET search_path = evil, public""")
    try:
        assert http.get(f"/collections/{collection}").json["name"] == collection
        assert_error(http.get("/collections/nobody"), 404, "42P01", '^collection "nobody" does not exist$')
    finally:
        cluster.psql("ALTER ROLE vecdb_authenticator RESET search_path; DROP SCHEMA evil CASCADE")


def test_needs_the_extension(cluster):
    cluster.psql("CREATE DATABASE bare", db="postgres")
    done = cluster.psql(db="bare", file=SETUP, check=False)
    assert done.returncode != 0 and "CREATE EXTENSION vecdb" in done.stderr
    assert cluster.psql("SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'vecdb%'", db="bare") == "0"


def test_refuses_a_schema_of_somebody_else(cluster):
    cluster.create_database("squatted", setup=False)
    cluster.psql("CREATE ROLE squatter; CREATE ROLE owner2 LOGIN CREATEROLE; ALTER DATABASE squatted OWNER TO owner2")
    cluster.psql("CREATE SCHEMA vecdb_auth AUTHORIZATION squatter", db="squatted")
    for user in ("owner2", "postgres"):
        done = cluster.psql(db="squatted", user=user, file=SETUP, check=False)
        assert done.returncode != 0 and 'schema "vecdb_auth" belongs to role "squatter"' in done.stderr


def test_names_of_ones_own_and_types_elsewhere(cluster, make_serve):
    """Other role names, which a second run keeps; another schema for the types."""
    cluster.create_database("custom", "CREATE SCHEMA types; CREATE EXTENSION vecdb SCHEMA types", setup=False)
    names = {k: f"my_{k}" for k in ("authenticator", "anonymous", "reader", "writer", "admin")}
    cluster.psql(db="custom", file=SETUP, variables=[f"{k}={v}" for k, v in names.items()])
    cluster.psql(db="custom", file=SETUP)
    assert cluster.psql("SELECT string_agg(role, ' ' ORDER BY role) FROM vecdb_auth.roles", db="custom") == \
        "my_admin my_anonymous my_authenticator my_reader my_writer"
    key = cluster.psql("SELECT vecdb_auth.create_key('k', 'writer')", db="custom")
    s = make_serve("custom", "--auth", "on", "--db-user", "my_authenticator", "--anonymous-role", "my_anonymous",
                   "--db-types", "types", db="custom")
    http = s.client(headers={"X-API-Key": key})
    assert_error(http.post("/collections", {"name": "x", "dimension": 2}), 403, "42501", "my_writer")
    cluster.psql("SET ROLE my_admin; SELECT vecdb.create_collection('x', 2)", db="custom")
    point = {"id": "a", "vector": [1, 2], "metadata": {"y": 1}}
    assert http.post("/collections/x/upsert", {"points": [point]}).json["upserted"] == 1
    assert http.post("/collections/x/search", {"vector": [1, 2], "filter": {"y": 1}}).json["results"][0]["id"] == "a"
    r = http.post("/rpc/search", {"collection": "x", "vector": [1, 2], "filter": {"y": 1}, "include_vector": True})
    assert r.json == [{"id": "a", "score": 1, "metadata": {"y": 1}, "vector": [1, 2]}]
    assert http.get("/collections/x/points/a").json == point
    assert http.post("/collections/x/count", {"filter": {"y": 2}}).json == {"count": 0}
    assert_error(s.client().get("/collections"), 401, "28000")
    s.stop()


def test_run_by_an_owner_who_is_no_superuser(cluster, make_serve):
    """vecdb is a trusted extension; CREATEROLE is enough for the rest."""
    cluster.psql("CREATE ROLE landlord LOGIN CREATEROLE", db="postgres")
    cluster.psql("CREATE DATABASE rented OWNER landlord", db="postgres")
    cluster.psql("CREATE EXTENSION vecdb", db="rented", user="landlord")
    cluster.psql("SELECT vecdb.create_collection('before', 2)", db="rented", user="landlord")
    names = [f"{k}=rented_{k}" for k in ("authenticator", "anonymous", "reader", "writer", "admin")]
    for _ in range(2):
        cluster.psql(db="rented", user="landlord", file=SETUP, variables=names)
    s = make_serve("rented", "--db-user", "rented_authenticator", "--open-role", "rented_admin",
                   "--anonymous-role", "rented_anonymous", db="rented")
    http = s.client()
    assert [c["name"] for c in http.get("/collections").json["collections"]] == ["before"]
    assert http.post("/collections", {"name": "after", "dimension": 2}).status == 201
    assert http.post("/collections/before/upsert", {"points": [{"id": "a", "vector": [1, 2]}]}).json["upserted"] == 1
    assert http.delete("/collections/after").status == 200
    assert http.delete("/collections/before").status == 200
    s.stop()


@pytest.mark.parametrize("code, status, message", [
    ("40001", 503, "collided"), ("40P01", 503, "collided"), ("53100", 503, "short of resources"),
    ("55P03", 503, "collided"), ("XX000", 500, "internal error"), ("42883", 500, "internal error"),
    ("25006", 503, "read-only"), ("23514", 400, "broken"), ("P0001", 400, "broken"), ("54000", 400, "broken"),
])
def test_errors_of_triggers(cluster, http, collection, code, status, message):
    """Whatever a collection's table raises gets a status; 40001 in particular,
    which PostgREST 12 would try again for ever."""
    table = cluster.psql(f"SELECT vecdb_auth.known_table('{collection}')")
    message_of_trigger = "broken" if code in ("P0001", "54000") else f'broken: relation "{table.split(".")[1]}" fails'
    cluster.psql(f"""CREATE SCHEMA IF NOT EXISTS triggers; GRANT USAGE ON SCHEMA triggers TO PUBLIC;
        CREATE OR REPLACE FUNCTION triggers.fail() RETURNS trigger LANGUAGE plpgsql AS
        $$BEGIN RAISE SQLSTATE '{code}' USING MESSAGE = '{message_of_trigger}'; END$$;
        CREATE TRIGGER t BEFORE INSERT ON {table} EXECUTE FUNCTION triggers.fail()""")
    for r in (http.post(f"/collections/{collection}/upsert", {"points": [{"id": "n", "vector": [1, 2, 3]}]}),
              http.post("/rpc/upsert", {"collection": collection, "points": [{"id": "n", "vector": [1, 2, 3]}]})):
        assert_error(r, status, code, message)
        assert ("Retry-After" in r.headers) == (status == 503)
    assert http.get(f"/collections/{collection}").json["count"] == 3
