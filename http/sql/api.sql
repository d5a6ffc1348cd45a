-- http/sql/api.sql: vecdb_api, the functions for /rpc and client libraries
--
-- Included by setup.sql, inside its transaction.  Each is its namesake of schema
-- vecdb with the same arguments, run with the caller's rights, whose errors get
-- HTTP's codes.

CREATE FUNCTION vecdb_api.create_collection(name text, dimension integer, distance text DEFAULT 'cosine')
RETURNS vecdb.collection_info LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	m text;
	d text;
	h text;
BEGIN
	RETURN vecdb.create_collection(name, dimension, distance);
EXCEPTION WHEN query_canceled OR OTHERS THEN
	GET STACKED DIAGNOSTICS m = MESSAGE_TEXT, d = PG_EXCEPTION_DETAIL, h = PG_EXCEPTION_HINT;
	PERFORM vecdb_auth.fail(SQLSTATE, m, d, h, name);
END $$;
COMMENT ON FUNCTION vecdb_api.create_collection IS 'Create an empty collection';

CREATE FUNCTION vecdb_api.drop_collection(name text)
RETURNS void LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	m text;
	d text;
	h text;
BEGIN
	PERFORM vecdb.drop_collection(name);
EXCEPTION WHEN query_canceled OR OTHERS THEN
	GET STACKED DIAGNOSTICS m = MESSAGE_TEXT, d = PG_EXCEPTION_DETAIL, h = PG_EXCEPTION_HINT;
	PERFORM vecdb_auth.fail(SQLSTATE, m, d, h, name);
END $$;
COMMENT ON FUNCTION vecdb_api.drop_collection IS 'Drop a collection and its points';

CREATE FUNCTION vecdb_api.list_collections()
RETURNS SETOF vecdb.collection_info LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	m text;
	d text;
	h text;
BEGIN
	RETURN QUERY SELECT * FROM vecdb.list_collections();
EXCEPTION WHEN query_canceled OR OTHERS THEN
	GET STACKED DIAGNOSTICS m = MESSAGE_TEXT, d = PG_EXCEPTION_DETAIL, h = PG_EXCEPTION_HINT;
	PERFORM vecdb_auth.fail(SQLSTATE, m, d, h);
END $$;
COMMENT ON FUNCTION vecdb_api.list_collections IS 'Collections that the caller may read';

CREATE FUNCTION vecdb_api.get_collection(name text)
RETURNS vecdb.collection_info LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	m text;
	d text;
	h text;
BEGIN
	RETURN vecdb.get_collection(name);
EXCEPTION WHEN query_canceled OR OTHERS THEN
	GET STACKED DIAGNOSTICS m = MESSAGE_TEXT, d = PG_EXCEPTION_DETAIL, h = PG_EXCEPTION_HINT;
	PERFORM vecdb_auth.fail(SQLSTATE, m, d, h, name);
END $$;
COMMENT ON FUNCTION vecdb_api.get_collection IS 'One collection';

CREATE FUNCTION vecdb_api.upsert(collection text, points json)
RETURNS bigint LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	m text;
	d text;
	h text;
BEGIN
	RETURN vecdb.upsert(collection, points);
EXCEPTION WHEN query_canceled OR OTHERS THEN
	GET STACKED DIAGNOSTICS m = MESSAGE_TEXT, d = PG_EXCEPTION_DETAIL, h = PG_EXCEPTION_HINT;
	PERFORM vecdb_auth.fail(SQLSTATE, m, d, h, collection);
END $$;
COMMENT ON FUNCTION vecdb_api.upsert IS 'Insert points or replace those with the same id';

CREATE FUNCTION vecdb_api.search(collection text, vector :vdb_types.vector, top_k integer DEFAULT 10,
	filter :vdb_types.vecdb_filter DEFAULT '{}', include_metadata boolean DEFAULT true,
	include_vector boolean DEFAULT false, "offset" integer DEFAULT 0, score_threshold double precision DEFAULT NULL)
RETURNS SETOF vecdb.search_result LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	m text;
	d text;
	h text;
BEGIN
	RETURN QUERY SELECT s.id, vecdb_auth.json_score(s.score), s.metadata, s.vector
		FROM vecdb.search(collection, vector, top_k, filter, include_metadata, include_vector,
						  "offset", score_threshold) AS s;
EXCEPTION WHEN query_canceled OR OTHERS THEN
	GET STACKED DIAGNOSTICS m = MESSAGE_TEXT, d = PG_EXCEPTION_DETAIL, h = PG_EXCEPTION_HINT;
	PERFORM vecdb_auth.fail(SQLSTATE, m, d, h, collection);
END $$;
COMMENT ON FUNCTION vecdb_api.search IS 'Nearest points, best first';

CREATE FUNCTION vecdb_api.get_point(collection text, id text)
RETURNS SETOF vecdb.point LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	m text;
	d text;
	h text;
BEGIN
	RETURN QUERY SELECT * FROM vecdb.get_point(collection, id);
EXCEPTION WHEN query_canceled OR OTHERS THEN
	GET STACKED DIAGNOSTICS m = MESSAGE_TEXT, d = PG_EXCEPTION_DETAIL, h = PG_EXCEPTION_HINT;
	PERFORM vecdb_auth.fail(SQLSTATE, m, d, h, collection);
END $$;
COMMENT ON FUNCTION vecdb_api.get_point IS 'One point; no row if there is none';

CREATE FUNCTION vecdb_api.delete_points(collection text, ids text[] DEFAULT NULL,
	filter :vdb_types.vecdb_filter DEFAULT NULL)
RETURNS bigint LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	m text;
	d text;
	h text;
BEGIN
	RETURN vecdb.delete_points(collection, ids, filter);
EXCEPTION WHEN query_canceled OR OTHERS THEN
	GET STACKED DIAGNOSTICS m = MESSAGE_TEXT, d = PG_EXCEPTION_DETAIL, h = PG_EXCEPTION_HINT;
	PERFORM vecdb_auth.fail(SQLSTATE, m, d, h, collection);
END $$;
COMMENT ON FUNCTION vecdb_api.delete_points IS 'Delete points by id or by filter; the number that existed';

CREATE FUNCTION vecdb_api.count(collection text, filter :vdb_types.vecdb_filter DEFAULT '{}')
RETURNS bigint LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	m text;
	d text;
	h text;
BEGIN
	RETURN vecdb.count(collection, filter);
EXCEPTION WHEN query_canceled OR OTHERS THEN
	GET STACKED DIAGNOSTICS m = MESSAGE_TEXT, d = PG_EXCEPTION_DETAIL, h = PG_EXCEPTION_HINT;
	PERFORM vecdb_auth.fail(SQLSTATE, m, d, h, collection);
END $$;
COMMENT ON FUNCTION vecdb_api.count IS 'Number of points that match a filter';
