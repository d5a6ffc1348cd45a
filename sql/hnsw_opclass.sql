-- Operator classes of the access method hnsw, and what they cannot index

SELECT amname, amtype, amhandler FROM pg_am WHERE amname = 'hnsw';
SELECT opcname, opcintype::regtype, opcdefault, opckeytype FROM pg_opclass
	WHERE opcmethod = (SELECT oid FROM pg_am WHERE amname = 'hnsw') ORDER BY opcname;
SELECT f.opfname, amopopr::regoperator, amoppurpose, amopstrategy, s.opfname AS sort_family
	FROM pg_amop JOIN pg_opfamily f ON f.oid = amopfamily JOIN pg_opfamily s ON s.oid = amopsortfamily
	WHERE amopmethod = (SELECT oid FROM pg_am WHERE amname = 'hnsw') ORDER BY 1;
SELECT opfname, amproc, amprocnum FROM pg_amproc JOIN pg_opfamily f ON f.oid = amprocfamily
	WHERE opfmethod = (SELECT oid FROM pg_am WHERE amname = 'hnsw') ORDER BY 1;
SELECT opcname, amvalidate(oid) FROM pg_opclass
	WHERE opcmethod = (SELECT oid FROM pg_am WHERE amname = 'hnsw') ORDER BY opcname;

-- what the access method says of itself
SELECT p, pg_indexam_has_property(oid, p)
	FROM pg_am, unnest('{can_order,can_unique,can_multi_col,can_exclude,can_include}'::text[]) p
	WHERE amname = 'hnsw';
CREATE TABLE t (id int, v vector(3), w vector, n int);
CREATE INDEX t_idx ON t USING hnsw (v);
SELECT p, pg_index_has_property('t_idx', p)
	FROM unnest('{clusterable,index_scan,bitmap_scan,backward_scan}'::text[]) p;
SELECT p, pg_index_column_has_property('t_idx', 1, p)
	FROM unnest('{asc,orderable,distance_orderable,returnable,search_array,search_nulls}'::text[]) p;
\d+ t
\d t_idx
DROP INDEX t_idx;
CREATE INDEX ON t USING hnsw (v vector_ip_ops) WITH (m = 8, ef_search = 100);
CREATE INDEX ON t USING hnsw (v vector_cosine_ops) WHERE n > 3;
CREATE INDEX ON t USING hnsw (v vector_l1_ops);
CREATE INDEX ON t USING hnsw ((w::vector(3)));
SELECT indexdef FROM pg_indexes WHERE tablename = 't' ORDER BY 1;

-- what cannot be indexed
CREATE INDEX ON t USING hnsw (w);
CREATE INDEX ON t USING hnsw (v, w);
CREATE UNIQUE INDEX ON t USING hnsw (v);
CREATE INDEX ON t USING hnsw (v) INCLUDE (id);
CREATE INDEX ON t USING hnsw (v DESC);
CREATE INDEX ON t USING hnsw (v NULLS FIRST);
CREATE INDEX ON t USING hnsw (n);
CREATE INDEX ON t USING hnsw (n vector_l2_ops);
CREATE INDEX ON t USING hnsw (v vector_ops);
CREATE INDEX ON t USING hnsw ((ARRAY[1, 2]::real[]));
ALTER TABLE t ADD EXCLUDE USING hnsw (v WITH =);
CLUSTER t USING t_v_idx;
-- 16,000 is the limit of the type, too; a type modifier beyond it cannot be had
CREATE TABLE wide (v vector(16001));
CREATE TABLE wide (v vector(16000));
CREATE INDEX ON wide USING hnsw (v);
INSERT INTO wide SELECT array_fill(i, '{16000}')::vector FROM generate_series(1, 3) i;
SET enable_seqscan = off;
SELECT vector_get(v, 1) FROM wide ORDER BY v <-> (SELECT array_fill(2.9, '{16000}')::vector) LIMIT 3;
DROP TABLE wide;
-- 1 is the other one
CREATE TABLE narrow (v vector(1));
INSERT INTO narrow VALUES ('[1]'), ('[2]'), ('[3]');
CREATE INDEX ON narrow USING hnsw (v);
SELECT v FROM narrow ORDER BY v <-> '[2.9]';
DROP TABLE narrow;
-- values of another dimension than the index's
INSERT INTO t (w) VALUES ('[1,2]');
INSERT INTO t (w) VALUES ('[1,2,3]');
SELECT w FROM t ORDER BY w::vector(3) <-> '[1,2]';

-- NULLs are nobody's neighbours, and the order is ascending with NULLs last
TRUNCATE t;
INSERT INTO t SELECT i, CASE WHEN i % 4 > 0 THEN ARRAY[i, 1, 1]::vector END, NULL, i FROM generate_series(1, 8) i;
CREATE INDEX ON t USING hnsw (v);
EXPLAIN (COSTS OFF) SELECT id FROM t ORDER BY v <-> '[3.1,1,1]';
SELECT id FROM t ORDER BY v <-> '[3.1,1,1]';
SELECT id FROM t ORDER BY v <#> '[3.1,1,1]';
SELECT id FROM t ORDER BY v <+> '[3.1,1,1]';
-- not the index's order: a sort, which has the NULLs
EXPLAIN (COSTS OFF) SELECT id FROM t ORDER BY v <-> '[3.1,1,1]' DESC;
SELECT id, v IS NULL AS is_null FROM t ORDER BY v <-> '[3.1,1,1]' DESC, id;
EXPLAIN (COSTS OFF) SELECT id FROM t ORDER BY v <-> '[3.1,1,1]' NULLS FIRST LIMIT 3;
SELECT id FROM t ORDER BY v <-> '[3.1,1,1]' NULLS FIRST, id LIMIT 3;
-- no index condition: neither NULL nor equality is searched
EXPLAIN (COSTS OFF) SELECT id FROM t WHERE v IS NULL ORDER BY v <-> '[3.1,1,1]' LIMIT 1;
EXPLAIN (COSTS OFF) SELECT id FROM t WHERE v = '[1,1,1]' ORDER BY v <-> '[3.1,1,1]' LIMIT 1;
-- zero vectors have no direction
INSERT INTO t VALUES (9, '[0,0,0]', NULL, 9);
SELECT id FROM t WHERE n > 3 ORDER BY v <=> '[3,1,1]';
SELECT id FROM t ORDER BY v <#> '[3,1,1]';
RESET enable_seqscan;

-- operator classes that are not sound
CREATE OPERATOR CLASS search_ops FOR TYPE vector USING hnsw AS
	OPERATOR 1 = , FUNCTION 1 vecdb_hnsw_vector_l2(internal);
CREATE OPERATOR CLASS second_ops FOR TYPE vector USING hnsw AS
	OPERATOR 2 <-> FOR ORDER BY float_ops;
CREATE OPERATOR CLASS second_ops FOR TYPE vector USING hnsw AS
	FUNCTION 2 vecdb_hnsw_vector_l2(internal);
CREATE OPERATOR CLASS mixed_ops FOR TYPE vector USING hnsw AS
	OPERATOR 1 <=> FOR ORDER BY float_ops, FUNCTION 1 vecdb_hnsw_vector_l2(internal);
CREATE OPERATOR CLASS no_function_ops FOR TYPE vector USING hnsw AS
	OPERATOR 1 <-> FOR ORDER BY float_ops;
CREATE OPERATOR CLASS no_operator_ops FOR TYPE vector USING hnsw AS
	FUNCTION 1 vecdb_hnsw_vector_l2(internal);
CREATE OPERATOR CLASS empty_ops FOR TYPE vector USING hnsw AS STORAGE vector;
CREATE OPERATOR CLASS foreign_ops FOR TYPE vector USING hnsw AS
	OPERATOR 1 <-> FOR ORDER BY float_ops, FUNCTION 1 vector_distance_support(internal);
CREATE OPERATOR CLASS signature_ops FOR TYPE vector USING hnsw AS
	OPERATOR 1 <-> FOR ORDER BY float_ops, FUNCTION 1 vector_l2_squared_distance(vector, vector);
CREATE OPERATOR CLASS point_ops FOR TYPE point USING hnsw AS
	OPERATOR 1 <-> FOR ORDER BY float_ops, FUNCTION 1 vecdb_hnsw_vector_l2(internal);
CREATE FUNCTION int_distance(vector, vector) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 1';
CREATE OPERATOR <~~> (LEFTARG = vector, RIGHTARG = vector, FUNCTION = int_distance);
CREATE OPERATOR CLASS sort_ops FOR TYPE vector USING hnsw AS
	OPERATOR 1 <~~> FOR ORDER BY integer_ops, FUNCTION 1 vecdb_hnsw_vector_l2(internal);
CREATE OPERATOR CLASS renamed_ops FOR TYPE vector USING hnsw AS
	OPERATOR 1 <-> FOR ORDER BY float_ops, FUNCTION 1 vecdb_hnsw_vector_l2(internal);
ALTER OPERATOR FAMILY renamed_ops USING hnsw ADD FUNCTION 1 (point, vector) vecdb_hnsw_vector_l2(internal);
SELECT opcname, amvalidate(oid) FROM pg_opclass
	WHERE opcmethod = (SELECT oid FROM pg_am WHERE amname = 'hnsw') AND opcname !~ '^(vector|halfvec)_' ORDER BY opcname;
-- nor can an index be made with those without a use
CREATE INDEX ON t USING hnsw (v no_function_ops);
CREATE INDEX ON t USING hnsw (v foreign_ops);
CREATE INDEX ON t USING hnsw (v signature_ops);
CREATE TABLE p (p point);
CREATE INDEX ON p USING hnsw (p point_ops);
-- support functions are for nobody else
DO $$
BEGIN
	PERFORM vecdb_hnsw_vector_l2(NULL);
EXCEPTION
	-- minor versions of PostgreSQL say it in different words
	WHEN undefined_function OR feature_not_supported THEN RAISE NOTICE 'refused';
END $$;
-- members of an operator class go with it
ALTER OPERATOR FAMILY renamed_ops USING hnsw DROP OPERATOR 1 (vector, vector);
DROP OPERATOR FAMILY search_ops USING hnsw;
DROP OPERATOR FAMILY mixed_ops USING hnsw;
DROP OPERATOR FAMILY no_function_ops USING hnsw;
DROP OPERATOR FAMILY no_operator_ops USING hnsw;
DROP OPERATOR FAMILY empty_ops USING hnsw;
DROP OPERATOR FAMILY foreign_ops USING hnsw;
DROP OPERATOR FAMILY signature_ops USING hnsw;
DROP OPERATOR FAMILY point_ops USING hnsw;
DROP OPERATOR FAMILY sort_ops USING hnsw;
DROP OPERATOR FAMILY renamed_ops USING hnsw;
DROP OPERATOR <~~> (vector, vector);
DROP FUNCTION int_distance;
DROP TABLE t, p;
