-- Collections search by their hnsw index, once they are large enough.
CREATE FUNCTION points(first int, last int) RETURNS json LANGUAGE sql AS $$
	SELECT json_agg(json_build_object('id', 'p' || i, 'metadata', json_build_object('even', i % 2 = 0),
		'vector', (SELECT json_agg(round(sin(i * j + j * j)::numeric, 4)) FROM generate_series(1, 32) j)))
	FROM generate_series(first, last) i $$;
CREATE FUNCTION embedding_of(collection text, id text) RETURNS vector LANGUAGE sql AS $$
	SELECT vector FROM vecdb.get_point(collection, id) $$;

SELECT name, distance FROM vecdb.create_collection('near', 32, 'euclidean');
SELECT name, distance FROM vecdb.create_collection('angle', 32, 'cosine');
SELECT name, distance FROM vecdb.create_collection('product', 32, 'dot');
SELECT c.name, regexp_replace(pg_get_indexdef(i.indexrelid), '.* USING ', '') AS index
	FROM vecdb.collections c JOIN pg_index i ON i.indrelid = ('vecdb_data.c_' || c.id)::regclass
	WHERE NOT i.indisprimary ORDER BY 1, 2;
SELECT name, vecdb.upsert(name, points(1, 3000)) FROM vecdb.list_collections();
ANALYZE;

-- a search is an index scan, and finds a point by its own vector
SELECT vecdb_hnsw_stats_reset();
SELECT id, round(score::numeric, 4) AS score
	FROM vecdb.search('near', embedding_of('near', 'p1234'), top_k => 1);
SELECT id, round(score::numeric, 4) AS score
	FROM vecdb.search('angle', embedding_of('angle', 'p1234'), top_k => 1);
SELECT count(*) FROM vecdb.search('product', embedding_of('product', 'p1234'), top_k => 10);
SELECT scans, sweeps FROM vecdb_hnsw_stats;
-- pages of one result: what is on two of them only a wider search has found
SELECT count(*), count(DISTINCT id) >= 90 AS few_repeated FROM generate_series(0, 90, 10) page,
	vecdb.search('near', embedding_of('near', 'p7'), top_k => 10, "offset" => page);
-- filters get all the rows that they want
SELECT count(*), bool_and((metadata->>'even')::boolean) AS even
	FROM vecdb.search('angle', embedding_of('angle', 'p8'), top_k => 100, filter => '{"even": true}');
-- changes are seen at once
SELECT vecdb.delete_points('near', ARRAY['p1234']);
SELECT id <> 'p1234' AS another FROM vecdb.search('near', embedding_of('angle', 'p1234'), top_k => 1);
SELECT vecdb.upsert('near', points(1234, 1234));
SELECT id FROM vecdb.search('near', embedding_of('angle', 'p1234'), top_k => 1);
-- the same vectors again: nodes gain row addresses, the graph does not grow
SELECT vecdb.upsert('near', points(1, 1000));
SELECT max(r.oid::regclass::text) FILTER (WHERE a.amname = 'hnsw') AS near_index,
		max(r.oid::regclass::text) FILTER (WHERE a.amname = 'gin') AS near_filter_index
	FROM vecdb.collections c JOIN pg_index i ON i.indrelid = ('vecdb_data.c_' || c.id)::regclass
	JOIN pg_class r ON r.oid = i.indexrelid JOIN pg_am a ON a.oid = r.relam WHERE c.name = 'near' \gset
SELECT levels[1] FROM vecdb_index_info(:'near_index');
SELECT * FROM vecdb_index_check(:'near_index', heap_all_indexed => true);
-- counts and deletions by filter look into the index
BEGIN;
SELECT vecdb.count('near', '{"even": true}');
SELECT pg_stat_get_xact_numscans(:'near_filter_index'::regclass) AS scans;
SELECT vecdb.delete_points('near', filter => '{"even": false}');
SELECT pg_stat_get_xact_numscans(:'near_filter_index'::regclass) AS scans;
SELECT count(*), bool_and((metadata->>'even')::boolean) AS even
	FROM vecdb.search('near', embedding_of('angle', 'p9'), top_k => 1000);
ROLLBACK;

-- Pages of a result with many equal distances: every row once, equal ones by id.
SELECT name FROM vecdb.create_collection('ties', 2, 'euclidean');
SELECT vecdb.upsert('ties', json_agg(json_build_object('id', 'p' || i, 'vector', json_build_array(i / 40, 0),
	'metadata', json_build_object('even', i % 2 = 0)) ORDER BY i * 7 % 3000)) FROM generate_series(1, 3000) i;
ANALYZE;
WITH filters(filter) AS (VALUES ('{}'::vecdb_filter), ('{"even": true}')),
pages AS MATERIALIZED (
	SELECT filter::text, page + n AS n, id FROM filters, generate_series(0, 190, 10) page,
		vecdb.search('ties', '[20.4,0]', 10, filter, "offset" => page) WITH ORDINALITY s (id, score, metadata, vector, n)
), expected AS MATERIALIZED (
	SELECT filter::text, 'p' || i AS id, row_number() OVER (PARTITION BY filter::text
		ORDER BY abs(i / 40 - 20.4), ('p' || i) COLLATE "C") AS n
	FROM filters, generate_series(1, 3000) i WHERE json_build_object('even', i % 2 = 0)::jsonb @~ filter
)
SELECT filter, count(*), count(DISTINCT p.id), count(*) FILTER (WHERE p.id = e.id) AS as_expected
	FROM pages p JOIN expected e USING (filter, n) GROUP BY 1 ORDER BY 1;

SELECT vecdb.drop_collection(name) FROM vecdb.list_collections();
DROP FUNCTION points, embedding_of;
