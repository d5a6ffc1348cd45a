-- vecdb_index_info(), vecdb_index_recall(), vecdb_index_prewarm(), counters
CREATE FUNCTION a_vector(seed int, dim int) RETURNS vector LANGUAGE sql IMMUTABLE
	RETURN (SELECT array_agg(round(sin(seed * 12.9898 + d * 78.233 + seed * d)::numeric, 3))
		FROM generate_series(1, dim) d)::vector;
CREATE TABLE t (id int PRIMARY KEY, v vector(16));
INSERT INTO t SELECT n, a_vector(n, 16) FROM generate_series(1, 500) n;
INSERT INTO t SELECT n, a_vector(1, 16) FROM generate_series(501, 600) n;
CREATE INDEX t_index ON t USING hnsw (v vector_cosine_ops) WITH (m = 8, ef_construction = 32);

-- the layout is the library's choice; what must hold for any
SELECT format_version, type, dimensions, metric, m, ef_construction, codec IN ('int8', 'float16') AS codec,
	slots BETWEEN 8 AND 16 AS slots, bits > 0 AS bits, code_dimensions, vector_pages_per_node
FROM vecdb_index_info('t_index');
SELECT live_nodes - levels[2] AS rows, dying_nodes, levels[1], array_length(levels, 1) > 1 AS has_upper,
	live_nodes = (SELECT sum(n) FROM unnest(levels) n) AS adds_up, heap_tids, links > 0 AS links,
	average_links BETWEEN 2 AND slots AS average, stale_links, anchors, max_anchors <= slots AS anchors_fit
FROM vecdb_index_info('t_index');
SELECT size = pg_relation_size('t_index') AS size,
	1 + node_pages + vector_pages + posting_pages + unused_pages + damaged_pages =
		size / current_setting('block_size')::int AS pages, posting_pages, unused_pages, damaged_pages,
	header_bytes + vector_bytes + link_bytes + code_bytes + tid_bytes + free_bytes = size AS bytes,
	tid_bytes, vector_bytes > 0 AS vectors, code_bytes > 0 AS codes, free_bytes >= 0 AS free,
	(live_nodes + free_nodes) / nodes_per_page <= node_pages AS nodes_fit
FROM vecdb_index_info('t_index');
SELECT entry_level, entry_node IS NOT NULL AS has_entry, root_node IS NOT NULL AS has_root,
	abs(typical_norm - 1) < 0.01 AS norm
FROM vecdb_index_info('t_index');

-- dying and free nodes, and none at all
DELETE FROM t WHERE id BETWEEN 101 AND 200;
VACUUM t;
SELECT levels[1], dying_nodes, free_nodes >= 100 AS free, heap_tids FROM vecdb_index_info('t_index');
CREATE TABLE empty (v vector(3));
CREATE INDEX empty_index ON empty USING hnsw (v vector_l1_ops);
SELECT metric, codec, bits, live_nodes, levels, average_links, entry_node, entry_level, root_node, node_pages
FROM vecdb_index_info('empty_index');
CREATE TABLE wide (v vector(3072));
INSERT INTO wide SELECT a_vector(n, 3072) FROM generate_series(1, 5) n;
CREATE INDEX wide_index ON wide USING hnsw (v vector_ip_ops);
SELECT metric, vector_pages_per_node > 0 AS is_split, vector_pages = node_pages * nodes_per_page * vector_pages_per_node AS pages
FROM vecdb_index_info('wide_index');

-- recall: all is found where ef_search is the table's size; ties are right
SELECT queries, neighbours, ef, recall, recall_p5, recall_min, index_ms > 0 AS index_ms, exact_ms > 0 AS exact_ms
FROM vecdb_index_recall('t_index', 20, 10, 600);
SELECT queries, neighbours, recall > 0.5 AS recall, recall_min <= recall_p5 AND recall_p5 <= recall AS ordered
FROM vecdb_index_recall('t_index', k => 5);
SELECT ef FROM vecdb_index_recall('t_index', 1);
SET hnsw.ef_search = 77;
SELECT ef FROM vecdb_index_recall('t_index', 1);
SELECT ef FROM vecdb_index_recall('t_index', 1, ef_search => 33);
SHOW hnsw.ef_search;
RESET hnsw.ef_search;
SHOW enable_seqscan;
-- fewer rows than k, or none
SELECT queries, neighbours, recall, recall_min FROM vecdb_index_recall('wide_index', 10, 50);
SELECT queries, recall, index_ms FROM vecdb_index_recall('empty_index');
-- of two indexes, the one that is asked about; expressions; predicates
CREATE INDEX t_other ON t USING hnsw (v vector_cosine_ops) WITH (m = 4, ef_construction = 8, ef_search = 250);
SELECT ef, recall > 0.5 AS recall FROM vecdb_index_recall('t_other', 10);
CREATE INDEX "t Expression" ON t USING hnsw ((subvector(v, 1, 8)::vector(8)) vector_l2_ops) WHERE id % 2 = 0 AND v IS NOT NULL;
SELECT queries, recall FROM vecdb_index_recall('"t Expression"', 1000, 3, 600);
-- zero vectors have no neighbours under cosine
CREATE TABLE zero (v vector(3));
INSERT INTO zero VALUES ('[0,0,0]'), ('[1,2,3]'), ('[3,2,1]'), (NULL);
CREATE INDEX zero_index ON zero USING hnsw (v vector_cosine_ops);
SELECT queries, recall, recall_min FROM vecdb_index_recall('zero_index');
SELECT * FROM vecdb_index_recall('t_index', 0);
SELECT * FROM vecdb_index_recall('t_index', 10, 0);
SELECT * FROM vecdb_index_recall('t_index', 10, 10, 0);
SELECT queries FROM vecdb_index_recall(NULL);
SELECT * FROM vecdb_index_recall('t_pkey');
SET enable_indexscan = off;
SELECT queries, recall > 0 AS recall FROM vecdb_index_recall('t_index', 2);
RESET enable_indexscan;

-- prewarm
SELECT vecdb_index_prewarm('t_index') = pg_relation_size('t_index') / current_setting('block_size')::int AS all_pages;
SELECT vecdb_index_prewarm('empty_index');
SELECT vecdb_index_prewarm('t');

-- rights: row-level security hides rows from the answers and the samples
CREATE ROLE regress_hnsw_reader;
GRANT SELECT ON t TO regress_hnsw_reader;
ALTER TABLE t ENABLE ROW LEVEL SECURITY;
CREATE POLICY few ON t FOR SELECT USING (id <= 10);
SET ROLE regress_hnsw_reader;
SELECT queries, neighbours, recall FROM vecdb_index_recall('t_index', 100, 5, 600);
SELECT vecdb_index_prewarm('t_index') > 0 AS is_read;
SELECT live_nodes FROM vecdb_index_info('t_index');
SELECT vecdb_index_prewarm('zero_index');
SELECT queries FROM vecdb_index_recall('zero_index');
SELECT vecdb_hnsw_stats_server_reset();
SELECT count(*) FROM vecdb_hnsw_stats;
SELECT count(*) FROM vecdb_hnsw_stats_server;
RESET ROLE;
GRANT pg_stat_scan_tables TO regress_hnsw_reader;
SET ROLE regress_hnsw_reader;
SELECT heap_tids FROM vecdb_index_info('t_index');
RESET ROLE;
ALTER TABLE t DISABLE ROW LEVEL SECURITY;

-- what this backend counts
SELECT vecdb_hnsw_stats_reset();
SELECT scans, batches, nodes, pages, distances, estimates, results, rechecks, sweeps, memory_limited, inserts, tid_appends,
	since <= now() + interval '1 minute' AS since FROM vecdb_hnsw_stats;
SET enable_seqscan = off;
SELECT count(*) FROM (SELECT id FROM t ORDER BY v <=> a_vector(3, 16) LIMIT 5) s;
SELECT scans, batches, nodes > 5 AS nodes, pages >= nodes AS pages, distances >= nodes AS distances, estimates > nodes AS estimates,
	results >= 5 AS results, sweeps, memory_limited, inserts FROM vecdb_hnsw_stats;
RESET enable_seqscan;
SELECT vecdb_hnsw_stats_reset();
INSERT INTO zero VALUES ('[1,1,1]'), ('[1,2,3]');
SELECT scans, inserts, tid_appends FROM vecdb_hnsw_stats();
-- not preloaded
SELECT vecdb_hnsw_stats_server_reset();

REVOKE ALL ON t FROM regress_hnsw_reader;
DROP ROLE regress_hnsw_reader;
DROP TABLE t, empty, wide, zero;
DROP FUNCTION a_vector;
