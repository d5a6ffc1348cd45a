-- http/sql/routes.sql: vecdb_http, one function per route
--
-- Included by setup.sql, inside its transaction.  Called through nginx, which
-- puts the route's collection into a header; the body comes as one unnamed json
-- argument, and the answer is the route's JSON.

--
-- vecdb_auth: what the route functions share
--

-- A header that nginx sets: the collection of the route, or the point's id as
-- the client wrote it, percent signs and all (nginx's own decoding would merge
-- slashes and resolve dots).
CREATE FUNCTION vecdb_auth.header(name text)
RETURNS text LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	raw text := current_setting('request.headers', true)::json ->> name;
BEGIN
	IF raw IS NULL THEN
		RAISE invalid_parameter_value USING MESSAGE = format('header %s is missing', name),
			HINT = 'The functions of schema vecdb_http are called by nginx; call those of vecdb_api instead.';
	ELSIF position('%' IN raw) = 0 THEN
		RETURN raw;
	END IF;
	RETURN (SELECT convert_from(string_agg(CASE WHEN m[1] ~ '^%..$' THEN decode(substr(m[1], 2), 'hex')
												ELSE convert_to(m[1], 'UTF8') END, '' ORDER BY n), 'UTF8')
			FROM regexp_matches(raw, '%[0-9A-Fa-f]{2}|[^%]+|%', 'g') WITH ORDINALITY AS t (m, n));
END $$;

-- Error unless a small request body is an object with all the required fields,
-- perhaps the optional ones, none twice and no other.
CREATE FUNCTION vecdb_auth.check_fields(body json, required text[], optional text[], example text)
RETURNS void LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	seen text[] := '{}';
	k text;
BEGIN
	IF json_typeof(body) <> 'object' THEN
		RAISE invalid_parameter_value USING
			MESSAGE = 'request body must be a JSON object', HINT = example;
	END IF;
	FOR k IN SELECT json_object_keys(body) LOOP
		IF k = ANY (seen) THEN
			RAISE invalid_parameter_value USING MESSAGE = format('%s: field is given twice', k), HINT = example;
		ELSIF k <> ALL (required || optional) THEN
			RAISE invalid_parameter_value USING MESSAGE = format('%s: unknown field', k), HINT = example;
		END IF;
		seen := seen || k;
	END LOOP;
	FOREACH k IN ARRAY required LOOP
		IF k <> ALL (seen) THEN
			RAISE invalid_parameter_value USING MESSAGE = format('%s: field is missing', k), HINT = example;
		END IF;
	END LOOP;
END $$;

-- A field that must be a JSON string.
CREATE FUNCTION vecdb_auth.text_field(body json, field text)
RETURNS text LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	IF json_typeof(body -> field) <> 'string' THEN
		RAISE invalid_parameter_value USING
			MESSAGE = format('%s: must be a string', field);
	END IF;
	RETURN body ->> field;
END $$;

-- A field that must be a whole number from lowest to highest: 3, 3.0 and 0.3e1
-- are the same number to JSON.  The pattern bounds what is converted.
CREATE FUNCTION vecdb_auth.whole_field(body json, field text, lowest integer, highest integer)
RETURNS integer LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	given text := coalesce(body ->> field, 'null');
	n numeric;
BEGIN
	IF json_typeof(body -> field) = 'number' AND given ~ '^-?[0-9]{1,20}(\.[0-9]{1,20})?([eE][+-]?[0-9]{1,2})?$' THEN
		n := given::numeric;
	END IF;
	IF n = trunc(n) AND n BETWEEN lowest AND highest THEN
		RETURN n;
	END IF;
	RAISE invalid_parameter_value USING
		MESSAGE = format('%s: must be a whole number from %s to %s, not %s', field, lowest, highest, left(given, 40));
END $$;

-- The filter of a request that has one, else (null as well) the one that lets
-- all pass.  A
-- function for the sake of its result type: no body here names its schema.
CREATE FUNCTION vecdb_auth.to_filter(body json)
RETURNS :vdb_types.vecdb_filter LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	RETURN CASE WHEN json_typeof(body) = 'object' THEN body::text ELSE '{}' END;
END $$;

CREATE FUNCTION vecdb_http.healthz()
RETURNS json LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
	SELECT '{"status":"ok"}'::json
$$;
COMMENT ON FUNCTION vecdb_http.healthz IS 'GET /healthz';

CREATE FUNCTION vecdb_http.create_collection(json)
RETURNS json LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	m text;
	d text;
	h text;
	collection text;
	dimension integer;
	made vecdb.collection_info;
BEGIN
	PERFORM vecdb_auth.check_fields($1, '{name,dimension}', '{distance}',
		'A new collection is {"name": "...", "dimension": 3, "distance": "cosine"}; distance may be left out.');
	collection := vecdb_auth.text_field($1, 'name');
	dimension := vecdb_auth.whole_field($1, 'dimension', 1, 16000);
	IF $1 ->> 'distance' IS NULL THEN
		made := vecdb.create_collection(collection, dimension);
	ELSE
		made := vecdb.create_collection(collection, dimension, vecdb_auth.text_field($1, 'distance'));
	END IF;
	PERFORM set_config('response.status', '201', true);
	RETURN row_to_json(r) FROM (SELECT 'created' AS status, made AS collection) AS r;
EXCEPTION WHEN query_canceled OR OTHERS THEN
	GET STACKED DIAGNOSTICS m = MESSAGE_TEXT, d = PG_EXCEPTION_DETAIL, h = PG_EXCEPTION_HINT;
	PERFORM vecdb_auth.fail(SQLSTATE, m, d, h, collection);
END $$;
COMMENT ON FUNCTION vecdb_http.create_collection IS 'POST /collections';

CREATE FUNCTION vecdb_http.list_collections()
RETURNS json LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	m text;
	d text;
	h text;
BEGIN
	RETURN row_to_json(r)
	FROM (SELECT coalesce(json_agg(c), '[]') AS collections FROM vecdb.list_collections() AS c) AS r;
EXCEPTION WHEN query_canceled OR OTHERS THEN
	GET STACKED DIAGNOSTICS m = MESSAGE_TEXT, d = PG_EXCEPTION_DETAIL, h = PG_EXCEPTION_HINT;
	PERFORM vecdb_auth.fail(SQLSTATE, m, d, h);
END $$;
COMMENT ON FUNCTION vecdb_http.list_collections IS 'GET /collections';

CREATE FUNCTION vecdb_http.get_collection()
RETURNS json LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	m text;
	d text;
	h text;
	collection text;
BEGIN
	collection := vecdb_auth.header('x-vecdb-collection');
	RETURN row_to_json(vecdb.get_collection(collection));
EXCEPTION WHEN query_canceled OR OTHERS THEN
	GET STACKED DIAGNOSTICS m = MESSAGE_TEXT, d = PG_EXCEPTION_DETAIL, h = PG_EXCEPTION_HINT;
	PERFORM vecdb_auth.fail(SQLSTATE, m, d, h, collection);
END $$;
COMMENT ON FUNCTION vecdb_http.get_collection IS 'GET /collections/{name}';

CREATE FUNCTION vecdb_http.drop_collection()
RETURNS json LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	m text;
	d text;
	h text;
	collection text;
BEGIN
	collection := vecdb_auth.header('x-vecdb-collection');
	PERFORM vecdb.drop_collection(collection);
	RETURN '{"status":"dropped"}';
EXCEPTION WHEN query_canceled OR OTHERS THEN
	GET STACKED DIAGNOSTICS m = MESSAGE_TEXT, d = PG_EXCEPTION_DETAIL, h = PG_EXCEPTION_HINT;
	PERFORM vecdb_auth.fail(SQLSTATE, m, d, h, collection);
END $$;
COMMENT ON FUNCTION vecdb_http.drop_collection IS 'DELETE /collections/{name}';

CREATE FUNCTION vecdb_http.upsert(json)
RETURNS json LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	m text;
	d text;
	h text;
	collection text;
BEGIN
	collection := vecdb_auth.header('x-vecdb-collection');
	-- In SQL a bare list of points will do, too.
	IF json_typeof($1) <> 'object' THEN
		RAISE invalid_parameter_value USING
			MESSAGE = 'request body must be a JSON object', HINT = 'An upsert is {"points": [...]}.';
	END IF;
	RETURN row_to_json(r) FROM (SELECT 'ok' AS status, vecdb.upsert(collection, $1) AS upserted) AS r;
EXCEPTION WHEN query_canceled OR OTHERS THEN
	GET STACKED DIAGNOSTICS m = MESSAGE_TEXT, d = PG_EXCEPTION_DETAIL, h = PG_EXCEPTION_HINT;
	PERFORM vecdb_auth.fail(SQLSTATE, m, d, h, collection);
END $$;
COMMENT ON FUNCTION vecdb_http.upsert IS 'POST /collections/{name}/upsert';

CREATE FUNCTION vecdb_http.search(json)
RETURNS json LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	m text;
	d text;
	h text;
	collection text;
	q record;
	found json;
	took_ms integer;
	started timestamptz := clock_timestamp();
BEGIN
	collection := vecdb_auth.header('x-vecdb-collection');
	SELECT * INTO q FROM vecdb.search_request($1);
	SELECT coalesce(json_agg(CASE
			WHEN q.include_metadata AND q.include_vector THEN row_to_json(s)
			WHEN q.include_metadata THEN (SELECT row_to_json(r) FROM (SELECT s.id, s.score, s.metadata) AS r)
			WHEN q.include_vector THEN (SELECT row_to_json(r) FROM (SELECT s.id, s.score, s.vector) AS r)
			ELSE (SELECT row_to_json(r) FROM (SELECT s.id, s.score) AS r)
		END), '[]') INTO found
	FROM (SELECT id, vecdb_auth.json_score(score) AS score, metadata, vector
		  FROM vecdb.search(collection, q.vector, q.top_k, q.filter, q.include_metadata, q.include_vector,
							q."offset", q.score_threshold)) AS s;
	took_ms := extract(epoch FROM clock_timestamp() - started) * 1000;
	IF q.explain THEN
		RETURN row_to_json(r)
		FROM (SELECT found AS results, took_ms AS took_ms, vecdb.last_search() AS explain) AS r;
	END IF;
	RETURN row_to_json(r) FROM (SELECT found AS results, took_ms AS took_ms) AS r;
EXCEPTION WHEN query_canceled OR OTHERS THEN
	GET STACKED DIAGNOSTICS m = MESSAGE_TEXT, d = PG_EXCEPTION_DETAIL, h = PG_EXCEPTION_HINT;
	PERFORM vecdb_auth.fail(SQLSTATE, m, d, h, collection);
END $$;
COMMENT ON FUNCTION vecdb_http.search IS 'POST /collections/{name}/search';

CREATE FUNCTION vecdb_http.get_point()
RETURNS json LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	m text;
	d text;
	h text;
	collection text;
	point text;
	found json;
BEGIN
	collection := vecdb_auth.header('x-vecdb-collection');
	point := vecdb_auth.header('x-vecdb-point');
	SELECT row_to_json(p) INTO found FROM vecdb.get_point(collection, point) AS p;
	IF found IS NULL THEN
		RAISE no_data_found USING
			MESSAGE = format('point "%s" does not exist in collection "%s"', point, collection);
	END IF;
	RETURN found;
EXCEPTION WHEN query_canceled OR OTHERS THEN
	GET STACKED DIAGNOSTICS m = MESSAGE_TEXT, d = PG_EXCEPTION_DETAIL, h = PG_EXCEPTION_HINT;
	PERFORM vecdb_auth.fail(SQLSTATE, m, d, h, collection);
END $$;
COMMENT ON FUNCTION vecdb_http.get_point IS 'GET /collections/{name}/points/{id}';

CREATE FUNCTION vecdb_http.delete_points(json)
RETURNS json LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	m text;
	d text;
	h text;
	collection text;
	bad bigint;
BEGIN
	collection := vecdb_auth.header('x-vecdb-collection');
	PERFORM vecdb_auth.check_fields($1, '{}', '{ids,filter}',
		'A deletion is {"ids": ["...", "..."]} or {"filter": {...}}; the filter {} deletes all points.');
	IF $1 -> 'filter' IS NOT NULL AND $1 -> 'ids' IS NOT NULL THEN
		RAISE invalid_parameter_value USING MESSAGE = 'ids and filter: only one of them may be given';
	ELSIF $1 -> 'filter' IS NOT NULL THEN
		-- null is no filter: here that does not mean all points
		IF json_typeof($1 -> 'filter') <> 'object' THEN
			RAISE invalid_parameter_value USING MESSAGE = 'filter: must be a JSON object';
		END IF;
		RETURN row_to_json(r)
		FROM (SELECT 'ok' AS status, vecdb.delete_points(
				collection, filter => vecdb_auth.to_filter($1 -> 'filter')) AS deleted) AS r;
	ELSIF $1 -> 'ids' IS NULL THEN
		RAISE invalid_parameter_value USING
			MESSAGE = 'ids or filter: one of them must be given',
			HINT = 'A deletion is {"ids": ["...", "..."]} or {"filter": {...}}; the filter {} deletes all points.';
	ELSIF json_typeof($1 -> 'ids') <> 'array' THEN
		RAISE invalid_parameter_value USING MESSAGE = 'ids: must be a JSON array';
	END IF;
	SELECT t.n - 1 INTO bad FROM json_array_elements($1 -> 'ids') WITH ORDINALITY AS t (e, n)
	WHERE json_typeof(t.e) <> 'string' ORDER BY t.n LIMIT 1;
	IF FOUND THEN
		RAISE invalid_parameter_value USING MESSAGE = format('ids[%s]: must be a string', bad);
	END IF;
	RETURN row_to_json(r)
	FROM (SELECT 'ok' AS status, vecdb.delete_points(collection, ARRAY(
			SELECT json_array_elements_text($1 -> 'ids'))) AS deleted) AS r;
EXCEPTION WHEN query_canceled OR OTHERS THEN
	GET STACKED DIAGNOSTICS m = MESSAGE_TEXT, d = PG_EXCEPTION_DETAIL, h = PG_EXCEPTION_HINT;
	PERFORM vecdb_auth.fail(SQLSTATE, m, d, h, collection);
END $$;
COMMENT ON FUNCTION vecdb_http.delete_points IS 'POST /collections/{name}/points/delete';

CREATE FUNCTION vecdb_http.count(json)
RETURNS json LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	m text;
	d text;
	h text;
	collection text;
BEGIN
	collection := vecdb_auth.header('x-vecdb-collection');
	PERFORM vecdb_auth.check_fields($1, '{}', '{filter}', 'A count is {} or {"filter": {...}}.');
	IF json_typeof($1 -> 'filter') NOT IN ('object', 'null') THEN
		RAISE invalid_parameter_value USING MESSAGE = 'filter: must be a JSON object';
	END IF;
	RETURN row_to_json(r)
	FROM (SELECT vecdb.count(collection, vecdb_auth.to_filter($1 -> 'filter')) AS count) AS r;
EXCEPTION WHEN query_canceled OR OTHERS THEN
	GET STACKED DIAGNOSTICS m = MESSAGE_TEXT, d = PG_EXCEPTION_DETAIL, h = PG_EXCEPTION_HINT;
	PERFORM vecdb_auth.fail(SQLSTATE, m, d, h, collection);
END $$;
COMMENT ON FUNCTION vecdb_http.count IS 'POST /collections/{name}/count';

CREATE FUNCTION vecdb_http.count_all()
RETURNS json LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
	SELECT vecdb_http.count('{}')
$$;
COMMENT ON FUNCTION vecdb_http.count_all IS 'POST /collections/{name}/count without a body';
