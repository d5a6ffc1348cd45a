-- http/setup.sql: roles, API keys and the functions that PostgREST exposes
--
-- Run by psql once in each database that is to be served over HTTP, as a
-- superuser or as the database's owner with CREATEROLE, after CREATE EXTENSION
-- vecdb.  Running it again is harmless and is the way to upgrade: keys, roles
-- and grants on collections stay.  The role names are psql variables:
--
--   psql -f http/setup.sql -v reader=my_reader -v writer=my_writer ...
--
-- (authenticator, anonymous, reader, writer, admin); a second run keeps the
-- names of the first.  http/README.md explains the whole.
--
-- Three schemas, all of them owned by whoever runs this:
--   vecdb_auth  private: roles, API keys, the check before each request
--   vecdb_api   exposed: named arguments, for /rpc and client libraries
--   vecdb_http  exposed: one function per route, called by nginx only

\set ON_ERROR_STOP on
\set QUIET on
\pset tuples_only on
SET client_min_messages = warning;

SELECT NOT EXISTS (SELECT FROM pg_catalog.pg_extension WHERE extname = 'vecdb') AS vdb_missing \gset
\if :vdb_missing
	\warn 'The extension vecdb is not installed in this database: run CREATE EXTENSION vecdb first.'
	-- an error, so that psql ends with a failure
	DO $$ BEGIN RAISE feature_not_supported USING MESSAGE = 'extension "vecdb" is not installed'; END $$;
\endif

BEGIN;
SET LOCAL search_path = pg_catalog, pg_temp;

-- A schema that exists must be a superuser's or that of whoever runs this: its
-- owner could replace what we put into it, and requests run with others' rights.
DO $$
DECLARE
	s record;
BEGIN
	FOR s IN SELECT nspname, rolname FROM pg_namespace n JOIN pg_roles r ON r.oid = n.nspowner
			 WHERE nspname IN ('vecdb_auth', 'vecdb_api', 'vecdb_http')
			   AND rolname <> current_user AND NOT rolsuper
	LOOP
		RAISE insufficient_privilege USING
			MESSAGE = format('schema "%s" belongs to role "%s"', s.nspname, s.rolname),
			HINT = 'Drop it, or run this script as that role.';
	END LOOP;
END $$;

SELECT to_regclass('vecdb_auth.roles') IS NOT NULL AS vdb_again \gset

-- Names: those given, else those of an earlier run, else the defaults.
\set vdb_names '(VALUES (NULL::text, NULL::name)) AS r (level, role)'
\if :vdb_again
	\set vdb_names '(SELECT level, role FROM vecdb_auth.roles WHERE builtin) AS r'
\endif
SELECT coalesce(max(role) FILTER (WHERE level = 'authenticator'), 'vecdb_authenticator') AS vdb_authenticator,
	   coalesce(max(role) FILTER (WHERE level = 'anonymous'), 'vecdb_anonymous') AS vdb_anonymous,
	   coalesce(max(role) FILTER (WHERE level = 'reader'), 'vecdb_reader') AS vdb_reader,
	   coalesce(max(role) FILTER (WHERE level = 'writer'), 'vecdb_writer') AS vdb_writer,
	   coalesce(max(role) FILTER (WHERE level = 'admin'), 'vecdb_admin') AS vdb_admin,
	   (SELECT quote_ident(nspname)
		FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace
		WHERE extname = 'vecdb') AS vdb_types
FROM :vdb_names \gset
\if :{?authenticator}
\else
	\set authenticator :vdb_authenticator
\endif
\if :{?anonymous}
\else
	\set anonymous :vdb_anonymous
\endif
\if :{?reader}
\else
	\set reader :vdb_reader
\endif
\if :{?writer}
\else
	\set writer :vdb_writer
\endif
\if :{?admin}
\else
	\set admin :vdb_admin
\endif

--
-- Schemas
--

CREATE SCHEMA IF NOT EXISTS vecdb_auth;
CREATE SCHEMA IF NOT EXISTS vecdb_api;
CREATE SCHEMA IF NOT EXISTS vecdb_http;
REVOKE ALL ON SCHEMA vecdb_auth, vecdb_api, vecdb_http FROM PUBLIC;
COMMENT ON SCHEMA vecdb_auth IS 'vecdb over HTTP: roles, API keys, checks (private)';
COMMENT ON SCHEMA vecdb_api IS 'vecdb over HTTP: functions with named arguments for /rpc';
COMMENT ON SCHEMA vecdb_http IS 'vecdb over HTTP: one function per route, called through nginx';

-- The schemas hold nothing but this script's functions: make them anew.  No
-- CASCADE, so that a foreign object which uses one stops the script.
DO $$
DECLARE
	f record;
BEGIN
	FOR f IN SELECT p.oid::regprocedure AS signature FROM pg_proc p
			 WHERE p.pronamespace IN ('vecdb_auth'::regnamespace, 'vecdb_api'::regnamespace,
									  'vecdb_http'::regnamespace)
	LOOP
		EXECUTE format('DROP FUNCTION %s', f.signature);
	END LOOP;
END $$;

--
-- Roles
--

SELECT format('CREATE ROLE %I LOGIN NOINHERIT', :'authenticator')
WHERE to_regrole(quote_ident(:'authenticator')) IS NULL \gexec
SELECT format('CREATE ROLE %I NOLOGIN', r)
FROM unnest(ARRAY[:'anonymous', :'reader', :'writer', :'admin']) AS r
WHERE to_regrole(quote_ident(r)) IS NULL \gexec

-- An owner who is no superuser must belong to the admin role to give it a
-- schema and default privileges.
SELECT format('GRANT %I TO %I', :'admin', current_user)
WHERE NOT pg_has_role(:'admin', 'USAGE') \gexec

CREATE TABLE IF NOT EXISTS vecdb_auth.roles (
	role		name PRIMARY KEY,
	level		text NOT NULL CHECK (level IN ('authenticator', 'anonymous', 'reader', 'writer', 'admin')),
	builtin		boolean NOT NULL DEFAULT false
);
COMMENT ON TABLE vecdb_auth.roles IS 'Roles that requests may run as, and what each may call';

CREATE TABLE IF NOT EXISTS vecdb_auth.api_keys (
	id			bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	name		text NOT NULL CHECK (name <> ''),
	hash		bytea NOT NULL UNIQUE CHECK (length(hash) = 32),
	role		name NOT NULL REFERENCES vecdb_auth.roles,
	created		timestamptz NOT NULL DEFAULT now(),
	expires		timestamptz,
	revoked		timestamptz
);
CREATE UNIQUE INDEX IF NOT EXISTS api_keys_live_name ON vecdb_auth.api_keys (name) WHERE revoked IS NULL;
COMMENT ON TABLE vecdb_auth.api_keys IS 'API keys: SHA-256 of the key only, the key itself is shown once';
REVOKE ALL ON vecdb_auth.roles, vecdb_auth.api_keys FROM PUBLIC;

DELETE FROM vecdb_auth.roles
WHERE builtin AND role NOT IN (:'authenticator', :'anonymous', :'reader', :'writer', :'admin')
  AND NOT EXISTS (SELECT FROM vecdb_auth.api_keys k WHERE k.role = roles.role);
INSERT INTO vecdb_auth.roles (role, level, builtin)
VALUES (:'authenticator', 'authenticator', true), (:'anonymous', 'anonymous', true),
	   (:'reader', 'reader', true), (:'writer', 'writer', true), (:'admin', 'admin', true)
ON CONFLICT (role) DO UPDATE SET level = excluded.level, builtin = true;

\ir sql/request.sql
\ir sql/manage.sql
\ir sql/api.sql
\ir sql/routes.sql

--
-- Rights.  Nothing is PUBLIC's; the transaction leaves no moment in between.
--

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA vecdb_auth, vecdb_api, vecdb_http FROM PUBLIC;

-- Collections live in a schema of the admin role, so that whoever may drop
-- over HTTP may drop them all, whoever made them.
SELECT format('CREATE SCHEMA vecdb_data AUTHORIZATION %I', :'admin')
WHERE to_regnamespace('vecdb_data') IS NULL \gexec
SELECT format('ALTER SCHEMA vecdb_data OWNER TO %I', :'admin')
WHERE 'vecdb_data'::regnamespace IN (SELECT oid FROM pg_namespace WHERE nspowner = quote_ident(current_user)::regrole) \gexec

SELECT format('GRANT USAGE ON SCHEMA %s TO %I', :'vdb_types', r)
FROM unnest(ARRAY[:'reader', :'writer', :'admin']) AS r
WHERE NOT has_schema_privilege(r, :'vdb_types', 'USAGE') \gexec

SELECT vecdb_auth.apply_grants() \g /dev/null

-- Collections made from now on by the admin role (over HTTP) or by whoever
-- runs this (in SQL) are everybody's, each by its level.  To keep one private,
-- revoke it: vecdb_auth.revoke_collection.
ALTER DEFAULT PRIVILEGES FOR ROLE :"admin", CURRENT_USER IN SCHEMA vecdb_data
	GRANT SELECT ON TABLES TO :"reader";
ALTER DEFAULT PRIVILEGES FOR ROLE :"admin", CURRENT_USER IN SCHEMA vecdb_data
	GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO :"writer", :"admin";

-- Those made before the first run likewise; a later run changes none.
\if :vdb_again
\else
	SELECT vecdb_auth.grant_collection(c.name, r.role, CASE r.level WHEN 'reader' THEN 'reader' ELSE 'writer' END)
	FROM vecdb.collections c, vecdb_auth.roles r
	WHERE r.level IN ('reader', 'writer', 'admin')
	  AND pg_has_role((SELECT relowner FROM pg_class WHERE oid = vecdb_auth.table_of(c.name)), 'USAGE')
	\g /dev/null
\endif

COMMIT;

-- A running PostgREST learns of the new functions.
NOTIFY pgrst, 'reload schema';
\echo vecdb over HTTP is set up in this database.
