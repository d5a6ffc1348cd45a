-- http/sql/manage.sql: API keys, roles and rights, for the administrator
--
-- Included by setup.sql, inside its transaction.

-- Make an API key for a registered role (or a level: reader, writer, admin)
-- and return it; it cannot be shown again.  Two random UUIDs are 244 bits from
-- PostgreSQL's strong random source.
CREATE FUNCTION vecdb_auth.create_key(name text, role text, expires timestamptz DEFAULT NULL)
RETURNS text LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
	key text := 'vdb_' || encode(sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())), 'hex');
	target name;
BEGIN
	SELECT r.role INTO target FROM vecdb_auth.roles r
	WHERE r.level IN ('reader', 'writer', 'admin') AND (r.role = role OR (r.builtin AND r.level = role))
	ORDER BY r.role = role DESC LIMIT 1;
	IF target IS NULL THEN
		RAISE invalid_parameter_value USING
			MESSAGE = format('"%s" is no role for API keys', role),
			HINT = 'Give reader, writer, admin, or a role registered by vecdb_auth.add_role.';
	ELSIF expires <= clock_timestamp() THEN
		RAISE invalid_parameter_value USING MESSAGE = 'expiry is in the past';
	ELSIF EXISTS (SELECT FROM vecdb_auth.api_keys k WHERE k.name = name AND k.revoked IS NULL) THEN
		RAISE duplicate_object USING
			MESSAGE = format('API key "%s" already exists', name),
			HINT = 'Choose another name, or revoke that key first.';
	END IF;
	INSERT INTO vecdb_auth.api_keys (name, hash, role, expires)
	VALUES (name, sha256(convert_to(key, 'UTF8')), target, expires);
	RETURN key;
END $$;

-- End an API key at once: the next request that shows it is refused.
CREATE FUNCTION vecdb_auth.revoke_key(name text)
RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
BEGIN
	UPDATE vecdb_auth.api_keys k SET revoked = clock_timestamp() WHERE k.name = name AND k.revoked IS NULL;
	IF NOT FOUND THEN
		RAISE undefined_object USING MESSAGE = format('no live API key is called "%s"', name);
	END IF;
END $$;

-- All keys that ever were, without anything from which one could be made.
CREATE FUNCTION vecdb_auth.list_keys()
RETURNS TABLE (name text, role name, created timestamptz, expires timestamptz, revoked timestamptz, live boolean)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
	SELECT k.name, k.role, k.created, k.expires, k.revoked,
		   k.revoked IS NULL AND (k.expires IS NULL OR k.expires > clock_timestamp())
	FROM vecdb_auth.api_keys k ORDER BY k.id
$$;

-- Let an existing role call what a level may (level = reader, writer, admin),
-- by token or key.  It has no right on any collection yet.
CREATE FUNCTION vecdb_auth.add_role(role name, level text)
RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
BEGIN
	IF level IS NULL OR level NOT IN ('reader', 'writer', 'admin') THEN
		RAISE invalid_parameter_value USING
			MESSAGE = format('"%s" is no level', level), HINT = 'Levels are reader, writer and admin.';
	ELSIF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role) THEN
		RAISE undefined_object USING MESSAGE = format('role "%s" does not exist', role);
	ELSIF EXISTS (SELECT FROM pg_roles WHERE rolname = role AND (rolsuper OR rolbypassrls OR rolcreaterole)) THEN
		RAISE invalid_parameter_value USING
			MESSAGE = format('role "%s" is too powerful for requests', role),
			HINT = 'Use a role without SUPERUSER, BYPASSRLS and CREATEROLE.';
	ELSIF EXISTS (SELECT FROM vecdb_auth.roles r WHERE r.role = role AND r.builtin) THEN
		RAISE invalid_parameter_value USING MESSAGE = format('role "%s" has its level from the set-up', role);
	END IF;
	INSERT INTO vecdb_auth.roles AS r (role, level) VALUES (role, level)
	ON CONFLICT ON CONSTRAINT roles_pkey DO UPDATE SET level = excluded.level;
	PERFORM vecdb_auth.apply_grants();
END $$;

-- Undo add_role; the role's keys must have been revoked, and go.
CREATE FUNCTION vecdb_auth.remove_role(role name)
RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
BEGIN
	IF EXISTS (SELECT FROM vecdb_auth.api_keys k WHERE k.role = role AND k.revoked IS NULL) THEN
		RAISE dependent_objects_still_exist USING
			MESSAGE = format('role "%s" has live API keys', role),
			HINT = 'Revoke them first; vecdb_auth.list_keys() shows them.';
	END IF;
	DELETE FROM vecdb_auth.api_keys k WHERE k.role = role AND NOT EXISTS (
		SELECT FROM vecdb_auth.roles r WHERE r.role = role AND r.builtin);
	DELETE FROM vecdb_auth.roles r WHERE r.role = role AND NOT r.builtin;
	IF NOT FOUND THEN
		RAISE undefined_object USING MESSAGE = format('role "%s" was not added', role);
	END IF;
	EXECUTE format('REVOKE ALL ON ALL FUNCTIONS IN SCHEMA vecdb_auth, vecdb_api, vecdb_http FROM %I', role);
	EXECUTE format('REVOKE ALL ON SCHEMA vecdb_auth, vecdb_api, vecdb_http, vecdb_data FROM %I', role);
	EXECUTE (SELECT format('REVOKE %I FROM %I', role, r.role)
			 FROM vecdb_auth.roles r WHERE r.level = 'authenticator' AND r.builtin);
END $$;

-- Give a role its rights on one collection: level reader (search, read) or
-- writer (also upsert and delete).  For the collection's owner.
CREATE FUNCTION vecdb_auth.grant_collection(collection text, role name, level text DEFAULT 'reader')
RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	t regclass := vecdb_auth.known_table(collection);
BEGIN
	IF level IS NULL OR level NOT IN ('reader', 'writer') THEN
		RAISE invalid_parameter_value USING
			MESSAGE = format('"%s" is no level of rights on a collection', level),
			HINT = 'Levels are reader and writer; dropping is the owner''s.';
	END IF;
	EXECUTE format('REVOKE ALL ON %s FROM %I', t, role);
	EXECUTE format('GRANT %s ON %s TO %I',
				   CASE level WHEN 'reader' THEN 'SELECT' ELSE 'SELECT, INSERT, UPDATE, DELETE' END, t, role);
END $$;

-- Take a role's rights on one collection away: to it, the collection does not
-- exist any more.
CREATE FUNCTION vecdb_auth.revoke_collection(collection text, role name)
RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	EXECUTE format('REVOKE ALL ON %s FROM %I', vecdb_auth.known_table(collection), role);
END $$;

-- The table of a collection, an error if there is none.  It is what row-level
-- security is written on: ALTER TABLE, CREATE POLICY.
CREATE FUNCTION vecdb_auth.known_table(collection text)
RETURNS regclass LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	t regclass := vecdb_auth.table_of(collection);
BEGIN
	IF t IS NULL THEN
		RAISE undefined_table USING MESSAGE = format('collection "%s" does not exist', collection);
	END IF;
	RETURN t;
END $$;

-- Rank of the lowest level that may call an exposed function.
CREATE FUNCTION vecdb_auth.needed_rank(fn name)
RETURNS integer LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
	SELECT CASE WHEN fn = 'healthz' THEN 1
				WHEN fn IN ('upsert', 'delete_points') THEN 3
				WHEN fn IN ('create_collection', 'drop_collection') THEN 4
				ELSE 2 END
$$;

-- Give every registered role what its level may call, and nothing else.
CREATE FUNCTION vecdb_auth.apply_grants()
RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	r record;
	f record;
	authenticator name := (SELECT role FROM vecdb_auth.roles WHERE level = 'authenticator' AND builtin);
BEGIN
	FOR r IN SELECT role, array_position(ARRAY['anonymous', 'reader', 'writer', 'admin'], level) AS rank
			 FROM vecdb_auth.roles WHERE level <> 'authenticator'
	LOOP
		IF (SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = r.role) THEN
			RAISE invalid_parameter_value USING
				MESSAGE = format('role "%s" is too powerful for requests', r.role);
		END IF;
		EXECUTE format('REVOKE ALL ON ALL FUNCTIONS IN SCHEMA vecdb_auth, vecdb_api, vecdb_http FROM %I', r.role);
		EXECUTE format('GRANT %I TO %I', r.role, authenticator);
		EXECUTE format('GRANT USAGE ON SCHEMA vecdb_auth, vecdb_api, vecdb_http TO %I', r.role);
		IF r.rank > 1 THEN
			EXECUTE format('GRANT USAGE ON SCHEMA vecdb, vecdb_data TO %I', r.role);
		END IF;
		EXECUTE format('%s CREATE ON SCHEMA vecdb_data %s %I',
					   CASE r.rank WHEN 4 THEN 'GRANT' ELSE 'REVOKE' END,
					   CASE r.rank WHEN 4 THEN 'TO' ELSE 'FROM' END, r.role);

		FOR f IN SELECT p.oid::regprocedure AS signature
				 FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
				 WHERE CASE n.nspname
						   WHEN 'vecdb_auth' THEN proname IN ('fail', 'table_of', 'is_anonymous',
							   'find_key', 'pre_request', 'header', 'check_fields', 'text_field',
							   'whole_field', 'to_filter', 'json_score')
						   WHEN 'vecdb_api' THEN r.rank >= vecdb_auth.needed_rank(proname)
						   WHEN 'vecdb_http' THEN r.rank >= vecdb_auth.needed_rank(proname)
					   END
		LOOP
			EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO %I', f.signature, r.role);
		END LOOP;
	END LOOP;
END $$;
