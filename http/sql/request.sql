-- http/sql/request.sql: errors, and the check before each request
--
-- Included by setup.sql, inside its transaction.

--
-- vecdb_auth: errors
--

-- The table of a collection, NULL if there is none.
CREATE FUNCTION vecdb_auth.table_of(collection text)
RETURNS regclass LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
	SELECT vecdb.collection_table(c.id) FROM vecdb.collections c WHERE c.name = $1
$$;

-- End the request with the HTTP status that belongs to an SQLSTATE.  PostgREST
-- takes both from an error of SQLSTATE PGRST; its own table says 500 for a
-- timeout, retries 40001 for ever, and knows no 409 for 42P07.  Texts of errors
-- that are the user's own go out as they are; of others only what cannot name
-- an internal table, with the original in the server's log.
CREATE FUNCTION vecdb_auth.fail(code text, message text, detail text DEFAULT '', hint text DEFAULT '',
								collection text DEFAULT NULL)
RETURNS void LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
	status integer;
	headers json := '{}';
BEGIN
	IF code = '42501' AND message ~ '^permission denied for (table|relation|schema|sequence) ' THEN
		message := format('permission denied for collection "%s"', collection);
		detail := '';
	ELSIF code = '42P01' THEN
		-- perhaps the table went away while the request ran
		IF message NOT LIKE 'collection%' THEN
			message := format('collection "%s" does not exist', collection);
		END IF;
		hint := 'The list of collections has those that you may use.';
	ELSIF code LIKE '23%' THEN
		message := regexp_replace(message, '(relation|table) "c_[0-9]+"', format('collection "%s"', collection));
		detail := '';
	END IF;

	status := CASE
		WHEN code IN ('42P01', 'P0002') THEN 404
		WHEN code IN ('42P07', '23505', '42710') THEN 409
		WHEN code = '28000' THEN 401
		WHEN code = '42501' THEN CASE WHEN vecdb_auth.is_anonymous() THEN 401 ELSE 403 END
		WHEN code = '57014' THEN 504
		-- PostgREST makes a GET a transaction that only reads
		WHEN code = '25006' AND current_setting('request.method', true) = 'GET' THEN 405
		WHEN code IN ('25006', '55P03', '55006') OR code LIKE '40%' OR code LIKE '53%' THEN 503
		WHEN code LIKE '22%' OR code LIKE '23%' OR code LIKE '54%'
			OR code IN ('21000', '0A000', 'P0001') THEN 400
		ELSE 500
	END;

	IF status = 405 THEN
		message := 'this function writes, so it is not called by GET';
		hint := 'Call it by POST.';
		headers := '{"Allow": "POST"}';
	ELSIF status = 401 THEN
		headers := '{"WWW-Authenticate": "Bearer"}';
	ELSIF status = 503 THEN
		headers := '{"Retry-After": "1"}';
	END IF;
	IF status = 504 AND hint = '' THEN
		hint := 'Ask for less in one request, or have the statement timeout raised.';
	ELSIF status IN (500, 503) THEN
		RAISE LOG 'vecdb over HTTP: % %', code, message USING DETAIL = detail;
		message := CASE WHEN status = 500 THEN 'internal error'
						WHEN code = '25006' THEN 'this server is a read-only replica'
						WHEN code LIKE '53%' THEN 'the database server is short of resources'
						ELSE 'the request collided with another one' END;
		detail := '';
		hint := CASE WHEN status = 500 THEN 'The server''s log has the details.'
					 WHEN code = '25006' THEN 'Send writes to the primary.'
					 ELSE 'Try again.' END;
	END IF;

	RAISE SQLSTATE 'PGRST' USING
		MESSAGE = json_build_object('code', code, 'message', message,
									'details', nullif(detail, ''), 'hint', nullif(hint, '')),
		DETAIL = json_build_object('status', status, 'headers', headers);
END $$;

-- Has the request shown neither a token nor a key?
CREATE FUNCTION vecdb_auth.is_anonymous()
RETURNS boolean LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
	SELECT coalesce(current_setting('request.vecdb_key', true), '') = ''
	   AND EXISTS (SELECT FROM pg_roles WHERE rolname = current_user
				   AND rolname = current_setting('app.settings.vecdb_anonymous', true))
$$;

--
-- vecdb_auth: what both exposed schemas share
--

-- A score that JSON can say: of vectors so long that their distance or product
-- is no finite number, the largest there is instead.
CREATE FUNCTION vecdb_auth.json_score(score double precision)
RETURNS double precision LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
RETURN least(greatest(score, -1.7976931348623157e308), 1.7976931348623157e308);

--
-- vecdb_auth: the check before each request (PostgREST's db-pre-request)
--

-- Role of an API key, and its name; no row if the key is unknown, revoked or
-- expired.  SECURITY DEFINER: requests cannot read the table.  Keys are found
-- by the index on their hash, which tells an attacker with a clock nothing
-- about the key itself.
CREATE FUNCTION vecdb_auth.find_key(key text, OUT name text, OUT role name)
RETURNS SETOF record LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
	SELECT k.name, k.role FROM vecdb_auth.api_keys k
	WHERE k.hash = sha256(convert_to(key, 'UTF8'))
	  AND k.revoked IS NULL AND (k.expires IS NULL OR k.expires > clock_timestamp())
$$;

-- Runs as the caller (SET ROLE is forbidden in SECURITY DEFINER): takes the
-- API key's role if one is given, sets the statement timeout (that of ALTER
-- ROLE ... SET statement_timeout, else the server's), and refuses functions
-- that the role may not call, which PostgREST would report as 401 for a key.
CREATE FUNCTION vecdb_auth.pre_request()
RETURNS void LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	headers json := current_setting('request.headers', true);
	key text := headers ->> 'x-api-key';
	key_name text := '';
	key_role name;
	fn text := substring(current_setting('request.path', true) FROM '^/rpc/(.*)$');
	allowed boolean;
	timeout text;
BEGIN
	IF key IS NOT NULL THEN
		IF current_setting('app.settings.vecdb_api_keys', true) IS DISTINCT FROM 'on' THEN
			PERFORM vecdb_auth.fail('28000', 'API keys are switched off on this server', '',
									'Start it with --api-keys on.');
		END IF;
		SELECT k.name, k.role INTO key_name, key_role FROM vecdb_auth.find_key(key) AS k;
		IF NOT FOUND THEN
			PERFORM vecdb_auth.fail('28000', 'API key is not valid', '',
									'It may be mistyped, revoked or expired.');
		END IF;
		PERFORM set_config('role', key_role, true);
	END IF;
	PERFORM set_config('request.vecdb_key', key_name, true);

	SELECT split_part(c, '=', 2) INTO timeout
	FROM pg_db_role_setting s JOIN pg_roles r ON r.oid = s.setrole, unnest(s.setconfig) AS c
	WHERE r.rolname = current_user AND c LIKE 'statement_timeout=%'
	  AND s.setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
	ORDER BY s.setdatabase DESC LIMIT 1;
	timeout := coalesce(timeout, nullif(current_setting('app.settings.vecdb_statement_timeout', true), ''));
	IF timeout IS NOT NULL THEN
		PERFORM set_config('statement_timeout', timeout, true);
	END IF;

	SELECT bool_or(has_function_privilege(oid, 'EXECUTE')) INTO allowed FROM pg_proc
	WHERE proname = fn AND pronamespace IN ('vecdb_api'::regnamespace, 'vecdb_http'::regnamespace);
	IF NOT allowed AND vecdb_auth.is_anonymous() THEN
		PERFORM vecdb_auth.fail('28000', 'authentication is required', '',
								'Send "Authorization: Bearer <token>" or "X-API-Key: <key>".');
	ELSIF NOT allowed THEN
		PERFORM vecdb_auth.fail('42501', format('role "%s" may not call %s', current_user, fn));
	END IF;
END $$;
