/* vecdb--1.0.sql: sections in the order of the layers in src/README.md */

-- complain if script is sourced in psql, rather than via CREATE EXTENSION
\echo Use "CREATE EXTENSION vecdb" to load this file. \quit

--
-- src/vector: the type vector
--

CREATE TYPE vector;

CREATE FUNCTION vector_in(cstring, oid, integer) RETURNS vector
	AS 'MODULE_PATHNAME', 'vdb_vector_in'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION vector_in(cstring, oid, integer) IS 'I/O';

CREATE FUNCTION vector_out(vector) RETURNS cstring
	AS 'MODULE_PATHNAME', 'vdb_vector_out'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION vector_out(vector) IS 'I/O';

CREATE FUNCTION vector_typmod_in(cstring[]) RETURNS integer
	AS 'MODULE_PATHNAME', 'vdb_vector_typmod_in'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION vector_typmod_in(cstring[]) IS 'I/O typmod';

CREATE FUNCTION vector_recv(internal, oid, integer) RETURNS vector
	AS 'MODULE_PATHNAME', 'vdb_vector_recv'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION vector_recv(internal, oid, integer) IS 'I/O';

CREATE FUNCTION vector_send(vector) RETURNS bytea
	AS 'MODULE_PATHNAME', 'vdb_vector_send'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION vector_send(vector) IS 'I/O';

CREATE TYPE vector (
	INPUT = vector_in,
	OUTPUT = vector_out,
	TYPMOD_IN = vector_typmod_in,
	RECEIVE = vector_recv,
	SEND = vector_send,
	STORAGE = external
);
COMMENT ON TYPE vector IS 'vector of single-precision numbers, ''[1,2,3]''';

CREATE FUNCTION vector_dims(vector) RETURNS integer
	AS 'MODULE_PATHNAME', 'vdb_vector_dims'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION vector_dims(vector) IS 'number of dimensions';

CREATE FUNCTION vector_norm(vector) RETURNS double precision
	AS 'MODULE_PATHNAME', 'vdb_vector_norm'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION vector_norm(vector) IS 'Euclidean norm';

CREATE FUNCTION l2_normalize(vector) RETURNS vector
	AS 'MODULE_PATHNAME', 'vdb_l2_normalize'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION l2_normalize(vector) IS 'divide by the Euclidean norm';

CREATE FUNCTION binary_quantize(vector) RETURNS bit
	AS 'MODULE_PATHNAME', 'vdb_binary_quantize'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION binary_quantize(vector) IS 'one bit for each element, 1 where it is positive';

CREATE FUNCTION subvector(vector, integer, integer) RETURNS vector
	AS 'MODULE_PATHNAME', 'vdb_subvector'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION subvector(vector, integer, integer) IS 'part of a vector: start (from 1), count';

CREATE FUNCTION vector_get(vector, integer) RETURNS real
	AS 'MODULE_PATHNAME', 'vdb_vector_get'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION vector_get(vector, integer) IS 'element at a position (from 1), NULL outside';

CREATE FUNCTION vector_add(vector, vector) RETURNS vector
	AS 'MODULE_PATHNAME', 'vdb_vector_add'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION vector_add(vector, vector) IS 'implementation of + operator';

CREATE FUNCTION vector_sub(vector, vector) RETURNS vector
	AS 'MODULE_PATHNAME', 'vdb_vector_sub'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION vector_sub(vector, vector) IS 'implementation of - operator';

CREATE FUNCTION vector_mul(vector, vector) RETURNS vector
	AS 'MODULE_PATHNAME', 'vdb_vector_mul'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION vector_mul(vector, vector) IS 'implementation of * operator';

CREATE FUNCTION vector_concat(vector, vector) RETURNS vector
	AS 'MODULE_PATHNAME', 'vdb_vector_concat'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION vector_concat(vector, vector) IS 'implementation of || operator';

CREATE OPERATOR + (
	LEFTARG = vector, RIGHTARG = vector, FUNCTION = vector_add,
	COMMUTATOR = +
);
COMMENT ON OPERATOR + (vector, vector) IS 'add';

CREATE OPERATOR - (
	LEFTARG = vector, RIGHTARG = vector, FUNCTION = vector_sub
);
COMMENT ON OPERATOR - (vector, vector) IS 'subtract';

CREATE OPERATOR * (
	LEFTARG = vector, RIGHTARG = vector, FUNCTION = vector_mul,
	COMMUTATOR = *
);
COMMENT ON OPERATOR * (vector, vector) IS 'multiply element by element';

CREATE OPERATOR || (
	LEFTARG = vector, RIGHTARG = vector, FUNCTION = vector_concat
);
COMMENT ON OPERATOR || (vector, vector) IS 'concatenate';

--
-- src/distance: distance functions and operators
--

CREATE FUNCTION vector_distance_support(internal) RETURNS internal
	AS 'MODULE_PATHNAME', 'vdb_vector_distance_support'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION vector_distance_support(internal) IS 'planner support: cost of a distance by its dimensions and storage';

CREATE FUNCTION l2_distance(vector, vector) RETURNS double precision
	AS 'MODULE_PATHNAME', 'vdb_l2_distance'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
	SUPPORT vector_distance_support;
COMMENT ON FUNCTION l2_distance(vector, vector) IS 'Euclidean distance';

CREATE FUNCTION inner_product(vector, vector) RETURNS double precision
	AS 'MODULE_PATHNAME', 'vdb_inner_product'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
	SUPPORT vector_distance_support;
COMMENT ON FUNCTION inner_product(vector, vector) IS 'inner product';

CREATE FUNCTION cosine_distance(vector, vector) RETURNS double precision
	AS 'MODULE_PATHNAME', 'vdb_cosine_distance'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
	SUPPORT vector_distance_support;
COMMENT ON FUNCTION cosine_distance(vector, vector) IS 'cosine distance: 1 - cosine';

CREATE FUNCTION l1_distance(vector, vector) RETURNS double precision
	AS 'MODULE_PATHNAME', 'vdb_l1_distance'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
	SUPPORT vector_distance_support;
COMMENT ON FUNCTION l1_distance(vector, vector) IS 'taxicab distance';

CREATE FUNCTION vector_l2_squared_distance(vector, vector) RETURNS double precision
	AS 'MODULE_PATHNAME', 'vdb_vector_l2_squared_distance'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
	SUPPORT vector_distance_support;
COMMENT ON FUNCTION vector_l2_squared_distance(vector, vector) IS 'squared Euclidean distance';

CREATE FUNCTION vector_negative_inner_product(vector, vector) RETURNS double precision
	AS 'MODULE_PATHNAME', 'vdb_vector_negative_inner_product'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
	SUPPORT vector_distance_support;
COMMENT ON FUNCTION vector_negative_inner_product(vector, vector) IS 'negative inner product';

CREATE FUNCTION vector_spherical_distance(vector, vector) RETURNS double precision
	AS 'MODULE_PATHNAME', 'vdb_vector_spherical_distance'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
	SUPPORT vector_distance_support;
COMMENT ON FUNCTION vector_spherical_distance(vector, vector) IS 'angle between unit vectors divided by pi';

CREATE OPERATOR <-> (
	LEFTARG = vector, RIGHTARG = vector, FUNCTION = l2_distance,
	COMMUTATOR = <->
);
COMMENT ON OPERATOR <-> (vector, vector) IS 'Euclidean distance';

CREATE OPERATOR <#> (
	LEFTARG = vector, RIGHTARG = vector, FUNCTION = vector_negative_inner_product,
	COMMUTATOR = <#>
);
COMMENT ON OPERATOR <#> (vector, vector) IS 'negative inner product';

CREATE OPERATOR <=> (
	LEFTARG = vector, RIGHTARG = vector, FUNCTION = cosine_distance,
	COMMUTATOR = <=>
);
COMMENT ON OPERATOR <=> (vector, vector) IS 'cosine distance';

CREATE OPERATOR <+> (
	LEFTARG = vector, RIGHTARG = vector, FUNCTION = l1_distance,
	COMMUTATOR = <+>
);
COMMENT ON OPERATOR <+> (vector, vector) IS 'taxicab distance';

--
-- src/vector: comparison, aggregates, casts
--

CREATE FUNCTION vector_lt(vector, vector) RETURNS boolean
	AS 'MODULE_PATHNAME', 'vdb_vector_lt'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION vector_lt(vector, vector) IS 'implementation of < operator';

CREATE FUNCTION vector_le(vector, vector) RETURNS boolean
	AS 'MODULE_PATHNAME', 'vdb_vector_le'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION vector_le(vector, vector) IS 'implementation of <= operator';

CREATE FUNCTION vector_eq(vector, vector) RETURNS boolean
	AS 'MODULE_PATHNAME', 'vdb_vector_eq'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION vector_eq(vector, vector) IS 'implementation of = operator';

CREATE FUNCTION vector_ne(vector, vector) RETURNS boolean
	AS 'MODULE_PATHNAME', 'vdb_vector_ne'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION vector_ne(vector, vector) IS 'implementation of <> operator';

CREATE FUNCTION vector_ge(vector, vector) RETURNS boolean
	AS 'MODULE_PATHNAME', 'vdb_vector_ge'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION vector_ge(vector, vector) IS 'implementation of >= operator';

CREATE FUNCTION vector_gt(vector, vector) RETURNS boolean
	AS 'MODULE_PATHNAME', 'vdb_vector_gt'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION vector_gt(vector, vector) IS 'implementation of > operator';

CREATE FUNCTION vector_cmp(vector, vector) RETURNS integer
	AS 'MODULE_PATHNAME', 'vdb_vector_cmp'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION vector_cmp(vector, vector) IS 'less-equal-greater';

CREATE FUNCTION vector_hash(vector) RETURNS integer
	AS 'MODULE_PATHNAME', 'vdb_vector_hash'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION vector_hash(vector) IS 'hash';

CREATE FUNCTION vector_hash_extended(vector, bigint) RETURNS bigint
	AS 'MODULE_PATHNAME', 'vdb_vector_hash_extended'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION vector_hash_extended(vector, bigint) IS '64-bit hash with a seed';

CREATE OPERATOR < (
	LEFTARG = vector, RIGHTARG = vector, FUNCTION = vector_lt,
	COMMUTATOR = >, NEGATOR = >=,
	RESTRICT = scalarltsel, JOIN = scalarltjoinsel
);
COMMENT ON OPERATOR < (vector, vector) IS 'less than';

CREATE OPERATOR <= (
	LEFTARG = vector, RIGHTARG = vector, FUNCTION = vector_le,
	COMMUTATOR = >=, NEGATOR = >,
	RESTRICT = scalarlesel, JOIN = scalarlejoinsel
);
COMMENT ON OPERATOR <= (vector, vector) IS 'less than or equal';

CREATE OPERATOR = (
	LEFTARG = vector, RIGHTARG = vector, FUNCTION = vector_eq,
	COMMUTATOR = =, NEGATOR = <>,
	RESTRICT = eqsel, JOIN = eqjoinsel,
	HASHES, MERGES
);
COMMENT ON OPERATOR = (vector, vector) IS 'equal';

CREATE OPERATOR <> (
	LEFTARG = vector, RIGHTARG = vector, FUNCTION = vector_ne,
	COMMUTATOR = <>, NEGATOR = =,
	RESTRICT = neqsel, JOIN = neqjoinsel
);
COMMENT ON OPERATOR <> (vector, vector) IS 'not equal';

CREATE OPERATOR >= (
	LEFTARG = vector, RIGHTARG = vector, FUNCTION = vector_ge,
	COMMUTATOR = <=, NEGATOR = <,
	RESTRICT = scalargesel, JOIN = scalargejoinsel
);
COMMENT ON OPERATOR >= (vector, vector) IS 'greater than or equal';

CREATE OPERATOR > (
	LEFTARG = vector, RIGHTARG = vector, FUNCTION = vector_gt,
	COMMUTATOR = <, NEGATOR = <=,
	RESTRICT = scalargtsel, JOIN = scalargtjoinsel
);
COMMENT ON OPERATOR > (vector, vector) IS 'greater than';

CREATE OPERATOR CLASS vector_ops
	DEFAULT FOR TYPE vector USING btree AS
	OPERATOR 1 <,
	OPERATOR 2 <=,
	OPERATOR 3 =,
	OPERATOR 4 >=,
	OPERATOR 5 >,
	FUNCTION 1 vector_cmp(vector, vector);

CREATE OPERATOR CLASS vector_ops
	DEFAULT FOR TYPE vector USING hash AS
	OPERATOR 1 =,
	FUNCTION 1 vector_hash(vector),
	FUNCTION 2 vector_hash_extended(vector, bigint);

CREATE FUNCTION vector_accum(double precision[], vector) RETURNS double precision[]
	AS 'MODULE_PATHNAME', 'vdb_vector_accum'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION vector_accum(double precision[], vector) IS 'aggregate transition function of avg';

CREATE FUNCTION vector_sum_accum(double precision[], vector) RETURNS double precision[]
	AS 'MODULE_PATHNAME', 'vdb_vector_sum_accum'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION vector_sum_accum(double precision[], vector) IS 'aggregate transition function of sum';

CREATE FUNCTION vector_combine(double precision[], double precision[]) RETURNS double precision[]
	AS 'MODULE_PATHNAME', 'vdb_vector_combine'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION vector_combine(double precision[], double precision[]) IS 'aggregate combine function';

CREATE FUNCTION vector_avg(double precision[]) RETURNS vector
	AS 'MODULE_PATHNAME', 'vdb_vector_avg'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION vector_avg(double precision[]) IS 'aggregate final function of avg';

CREATE FUNCTION vector_sum(double precision[]) RETURNS vector
	AS 'MODULE_PATHNAME', 'vdb_vector_sum'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION vector_sum(double precision[]) IS 'aggregate final function of sum';

CREATE AGGREGATE avg(vector) (
	SFUNC = vector_accum,
	STYPE = double precision[],
	FINALFUNC = vector_avg,
	COMBINEFUNC = vector_combine,
	INITCOND = '{0}',
	PARALLEL = SAFE
);
COMMENT ON AGGREGATE avg(vector) IS 'the average of all vectors';

CREATE AGGREGATE sum(vector) (
	SFUNC = vector_sum_accum,
	STYPE = double precision[],
	FINALFUNC = vector_sum,
	COMBINEFUNC = vector_combine,
	INITCOND = '{0}',
	PARALLEL = SAFE
);
COMMENT ON AGGREGATE sum(vector) IS 'the sum of all vectors';

CREATE FUNCTION vector(vector, integer, boolean) RETURNS vector
	AS 'MODULE_PATHNAME', 'vdb_dense_to_itself'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION vector(vector, integer, boolean) IS 'check the number of dimensions';

CREATE FUNCTION array_to_vector(integer[], integer, boolean) RETURNS vector
	AS 'MODULE_PATHNAME', 'vdb_array_to_vector'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION array_to_vector(integer[], integer, boolean) IS 'convert integer[] to vector';

CREATE FUNCTION array_to_vector(real[], integer, boolean) RETURNS vector
	AS 'MODULE_PATHNAME', 'vdb_array_to_vector'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION array_to_vector(real[], integer, boolean) IS 'convert real[] to vector';

CREATE FUNCTION array_to_vector(double precision[], integer, boolean) RETURNS vector
	AS 'MODULE_PATHNAME', 'vdb_array_to_vector'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION array_to_vector(double precision[], integer, boolean) IS 'convert double precision[] to vector';

CREATE FUNCTION array_to_vector(numeric[], integer, boolean) RETURNS vector
	AS 'MODULE_PATHNAME', 'vdb_array_to_vector'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION array_to_vector(numeric[], integer, boolean) IS 'convert numeric[] to vector';

CREATE FUNCTION vector_to_float4(vector, integer, boolean) RETURNS real[]
	AS 'MODULE_PATHNAME', 'vdb_vector_to_float4'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION vector_to_float4(vector, integer, boolean) IS 'convert vector to real[]';

CREATE FUNCTION vector_to_json(vector) RETURNS json
	AS 'MODULE_PATHNAME', 'vdb_vector_to_json'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION vector_to_json(vector) IS 'convert vector to a JSON array of numbers';

CREATE CAST (vector AS vector)
	WITH FUNCTION vector(vector, integer, boolean) AS IMPLICIT;

CREATE CAST (vector AS real[])
	WITH FUNCTION vector_to_float4(vector, integer, boolean) AS IMPLICIT;

CREATE CAST (integer[] AS vector)
	WITH FUNCTION array_to_vector(integer[], integer, boolean) AS ASSIGNMENT;

CREATE CAST (real[] AS vector)
	WITH FUNCTION array_to_vector(real[], integer, boolean) AS ASSIGNMENT;

CREATE CAST (double precision[] AS vector)
	WITH FUNCTION array_to_vector(double precision[], integer, boolean) AS ASSIGNMENT;

CREATE CAST (numeric[] AS vector)
	WITH FUNCTION array_to_vector(numeric[], integer, boolean) AS ASSIGNMENT;

-- to_json(), row_to_json() and PostgREST use it, too: an array, not a string
CREATE CAST (vector AS json)
	WITH FUNCTION vector_to_json(vector);

--
-- src/bit: distances of bit strings
--

CREATE FUNCTION hamming_distance(bit, bit) RETURNS double precision
	AS 'MODULE_PATHNAME', 'vdb_hamming_distance'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
	COST 5;
COMMENT ON FUNCTION hamming_distance(bit, bit) IS 'Hamming distance: number of different bits';

CREATE FUNCTION jaccard_distance(bit, bit) RETURNS double precision
	AS 'MODULE_PATHNAME', 'vdb_jaccard_distance'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
	COST 5;
COMMENT ON FUNCTION jaccard_distance(bit, bit) IS 'Jaccard distance: 1 - bits in both / bits in either';

CREATE OPERATOR <~> (
	LEFTARG = bit, RIGHTARG = bit, FUNCTION = hamming_distance,
	COMMUTATOR = <~>
);
COMMENT ON OPERATOR <~> (bit, bit) IS 'Hamming distance';

CREATE OPERATOR <%> (
	LEFTARG = bit, RIGHTARG = bit, FUNCTION = jaccard_distance,
	COMMUTATOR = <%>
);
COMMENT ON OPERATOR <%> (bit, bit) IS 'Jaccard distance';

--
-- src/sparse: the type sparsevec
--

CREATE TYPE sparsevec;

CREATE FUNCTION sparsevec_in(cstring, oid, integer) RETURNS sparsevec
	AS 'MODULE_PATHNAME', 'vdb_sparse_in'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION sparsevec_in(cstring, oid, integer) IS 'I/O';

CREATE FUNCTION sparsevec_out(sparsevec) RETURNS cstring
	AS 'MODULE_PATHNAME', 'vdb_sparse_out'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION sparsevec_out(sparsevec) IS 'I/O';

CREATE FUNCTION sparsevec_typmod_in(cstring[]) RETURNS integer
	AS 'MODULE_PATHNAME', 'vdb_sparse_typmod_in'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION sparsevec_typmod_in(cstring[]) IS 'I/O typmod';

CREATE FUNCTION sparsevec_recv(internal, oid, integer) RETURNS sparsevec
	AS 'MODULE_PATHNAME', 'vdb_sparse_recv'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION sparsevec_recv(internal, oid, integer) IS 'I/O';

CREATE FUNCTION sparsevec_send(sparsevec) RETURNS bytea
	AS 'MODULE_PATHNAME', 'vdb_sparse_send'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION sparsevec_send(sparsevec) IS 'I/O';

CREATE TYPE sparsevec (
	INPUT = sparsevec_in,
	OUTPUT = sparsevec_out,
	TYPMOD_IN = sparsevec_typmod_in,
	RECEIVE = sparsevec_recv,
	SEND = sparsevec_send,
	STORAGE = external
);
COMMENT ON TYPE sparsevec IS 'sparse vector of single-precision numbers, ''{1:1.5,3:2}/5''';

CREATE FUNCTION l2_distance(sparsevec, sparsevec) RETURNS double precision
	AS 'MODULE_PATHNAME', 'vdb_sparse_l2_distance'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
	COST 100;
COMMENT ON FUNCTION l2_distance(sparsevec, sparsevec) IS 'Euclidean distance';

CREATE FUNCTION inner_product(sparsevec, sparsevec) RETURNS double precision
	AS 'MODULE_PATHNAME', 'vdb_sparse_inner_product'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
	COST 100;
COMMENT ON FUNCTION inner_product(sparsevec, sparsevec) IS 'inner product';

CREATE FUNCTION cosine_distance(sparsevec, sparsevec) RETURNS double precision
	AS 'MODULE_PATHNAME', 'vdb_sparse_cosine_distance'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
	COST 100;
COMMENT ON FUNCTION cosine_distance(sparsevec, sparsevec) IS 'cosine distance: 1 - cosine';

CREATE FUNCTION l1_distance(sparsevec, sparsevec) RETURNS double precision
	AS 'MODULE_PATHNAME', 'vdb_sparse_l1_distance'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
	COST 100;
COMMENT ON FUNCTION l1_distance(sparsevec, sparsevec) IS 'taxicab distance';

CREATE FUNCTION sparsevec_l2_squared_distance(sparsevec, sparsevec) RETURNS double precision
	AS 'MODULE_PATHNAME', 'vdb_sparse_l2_squared_distance'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
	COST 100;
COMMENT ON FUNCTION sparsevec_l2_squared_distance(sparsevec, sparsevec) IS 'squared Euclidean distance';

CREATE FUNCTION sparsevec_negative_inner_product(sparsevec, sparsevec) RETURNS double precision
	AS 'MODULE_PATHNAME', 'vdb_sparse_negative_inner_product'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
	COST 100;
COMMENT ON FUNCTION sparsevec_negative_inner_product(sparsevec, sparsevec) IS 'negative inner product';

CREATE FUNCTION l2_norm(sparsevec) RETURNS double precision
	AS 'MODULE_PATHNAME', 'vdb_sparse_l2_norm'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION l2_norm(sparsevec) IS 'Euclidean norm';

CREATE FUNCTION l2_normalize(sparsevec) RETURNS sparsevec
	AS 'MODULE_PATHNAME', 'vdb_sparse_l2_normalize'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION l2_normalize(sparsevec) IS 'divide by the Euclidean norm';

CREATE OPERATOR <-> (
	LEFTARG = sparsevec, RIGHTARG = sparsevec, FUNCTION = l2_distance,
	COMMUTATOR = <->
);
COMMENT ON OPERATOR <-> (sparsevec, sparsevec) IS 'Euclidean distance';

CREATE OPERATOR <#> (
	LEFTARG = sparsevec, RIGHTARG = sparsevec, FUNCTION = sparsevec_negative_inner_product,
	COMMUTATOR = <#>
);
COMMENT ON OPERATOR <#> (sparsevec, sparsevec) IS 'negative inner product';

CREATE OPERATOR <=> (
	LEFTARG = sparsevec, RIGHTARG = sparsevec, FUNCTION = cosine_distance,
	COMMUTATOR = <=>
);
COMMENT ON OPERATOR <=> (sparsevec, sparsevec) IS 'cosine distance';

CREATE OPERATOR <+> (
	LEFTARG = sparsevec, RIGHTARG = sparsevec, FUNCTION = l1_distance,
	COMMUTATOR = <+>
);
COMMENT ON OPERATOR <+> (sparsevec, sparsevec) IS 'taxicab distance';

CREATE FUNCTION sparsevec_lt(sparsevec, sparsevec) RETURNS boolean
	AS 'MODULE_PATHNAME', 'vdb_sparse_lt'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION sparsevec_lt(sparsevec, sparsevec) IS 'implementation of < operator';

CREATE FUNCTION sparsevec_le(sparsevec, sparsevec) RETURNS boolean
	AS 'MODULE_PATHNAME', 'vdb_sparse_le'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION sparsevec_le(sparsevec, sparsevec) IS 'implementation of <= operator';

CREATE FUNCTION sparsevec_eq(sparsevec, sparsevec) RETURNS boolean
	AS 'MODULE_PATHNAME', 'vdb_sparse_eq'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION sparsevec_eq(sparsevec, sparsevec) IS 'implementation of = operator';

CREATE FUNCTION sparsevec_ne(sparsevec, sparsevec) RETURNS boolean
	AS 'MODULE_PATHNAME', 'vdb_sparse_ne'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION sparsevec_ne(sparsevec, sparsevec) IS 'implementation of <> operator';

CREATE FUNCTION sparsevec_ge(sparsevec, sparsevec) RETURNS boolean
	AS 'MODULE_PATHNAME', 'vdb_sparse_ge'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION sparsevec_ge(sparsevec, sparsevec) IS 'implementation of >= operator';

CREATE FUNCTION sparsevec_gt(sparsevec, sparsevec) RETURNS boolean
	AS 'MODULE_PATHNAME', 'vdb_sparse_gt'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION sparsevec_gt(sparsevec, sparsevec) IS 'implementation of > operator';

CREATE FUNCTION sparsevec_cmp(sparsevec, sparsevec) RETURNS integer
	AS 'MODULE_PATHNAME', 'vdb_sparse_cmp'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION sparsevec_cmp(sparsevec, sparsevec) IS 'less-equal-greater';

CREATE FUNCTION sparsevec_hash(sparsevec) RETURNS integer
	AS 'MODULE_PATHNAME', 'vdb_sparse_hash'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION sparsevec_hash(sparsevec) IS 'hash';

CREATE FUNCTION sparsevec_hash_extended(sparsevec, bigint) RETURNS bigint
	AS 'MODULE_PATHNAME', 'vdb_sparse_hash_extended'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION sparsevec_hash_extended(sparsevec, bigint) IS '64-bit hash with a seed';

CREATE OPERATOR < (
	LEFTARG = sparsevec, RIGHTARG = sparsevec, FUNCTION = sparsevec_lt,
	COMMUTATOR = >, NEGATOR = >=,
	RESTRICT = scalarltsel, JOIN = scalarltjoinsel
);
COMMENT ON OPERATOR < (sparsevec, sparsevec) IS 'less than';

CREATE OPERATOR <= (
	LEFTARG = sparsevec, RIGHTARG = sparsevec, FUNCTION = sparsevec_le,
	COMMUTATOR = >=, NEGATOR = >,
	RESTRICT = scalarlesel, JOIN = scalarlejoinsel
);
COMMENT ON OPERATOR <= (sparsevec, sparsevec) IS 'less than or equal';

CREATE OPERATOR = (
	LEFTARG = sparsevec, RIGHTARG = sparsevec, FUNCTION = sparsevec_eq,
	COMMUTATOR = =, NEGATOR = <>,
	RESTRICT = eqsel, JOIN = eqjoinsel,
	HASHES, MERGES
);
COMMENT ON OPERATOR = (sparsevec, sparsevec) IS 'equal';

CREATE OPERATOR <> (
	LEFTARG = sparsevec, RIGHTARG = sparsevec, FUNCTION = sparsevec_ne,
	COMMUTATOR = <>, NEGATOR = =,
	RESTRICT = neqsel, JOIN = neqjoinsel
);
COMMENT ON OPERATOR <> (sparsevec, sparsevec) IS 'not equal';

CREATE OPERATOR >= (
	LEFTARG = sparsevec, RIGHTARG = sparsevec, FUNCTION = sparsevec_ge,
	COMMUTATOR = <=, NEGATOR = <,
	RESTRICT = scalargesel, JOIN = scalargejoinsel
);
COMMENT ON OPERATOR >= (sparsevec, sparsevec) IS 'greater than or equal';

CREATE OPERATOR > (
	LEFTARG = sparsevec, RIGHTARG = sparsevec, FUNCTION = sparsevec_gt,
	COMMUTATOR = <, NEGATOR = <=,
	RESTRICT = scalargtsel, JOIN = scalargtjoinsel
);
COMMENT ON OPERATOR > (sparsevec, sparsevec) IS 'greater than';

CREATE OPERATOR CLASS sparsevec_ops
	DEFAULT FOR TYPE sparsevec USING btree AS
	OPERATOR 1 <,
	OPERATOR 2 <=,
	OPERATOR 3 =,
	OPERATOR 4 >=,
	OPERATOR 5 >,
	FUNCTION 1 sparsevec_cmp(sparsevec, sparsevec);

CREATE OPERATOR CLASS sparsevec_ops
	DEFAULT FOR TYPE sparsevec USING hash AS
	OPERATOR 1 =,
	FUNCTION 1 sparsevec_hash(sparsevec),
	FUNCTION 2 sparsevec_hash_extended(sparsevec, bigint);

CREATE FUNCTION sparsevec(sparsevec, integer, boolean) RETURNS sparsevec
	AS 'MODULE_PATHNAME', 'vdb_sparse_to_sparse'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION sparsevec(sparsevec, integer, boolean) IS 'check the number of dimensions';

CREATE FUNCTION vector_to_sparsevec(vector, integer, boolean) RETURNS sparsevec
	AS 'MODULE_PATHNAME', 'vdb_vector_to_sparse'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION vector_to_sparsevec(vector, integer, boolean) IS 'convert vector to sparsevec';

CREATE FUNCTION sparsevec_to_vector(sparsevec, integer, boolean) RETURNS vector
	AS 'MODULE_PATHNAME', 'vdb_sparse_to_vector'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION sparsevec_to_vector(sparsevec, integer, boolean) IS 'convert sparsevec to vector';

CREATE FUNCTION array_to_sparsevec(integer[], integer, boolean) RETURNS sparsevec
	AS 'MODULE_PATHNAME', 'vdb_array_to_sparse'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION array_to_sparsevec(integer[], integer, boolean) IS 'convert integer[] to sparsevec';

CREATE FUNCTION array_to_sparsevec(real[], integer, boolean) RETURNS sparsevec
	AS 'MODULE_PATHNAME', 'vdb_array_to_sparse'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION array_to_sparsevec(real[], integer, boolean) IS 'convert real[] to sparsevec';

CREATE FUNCTION array_to_sparsevec(double precision[], integer, boolean) RETURNS sparsevec
	AS 'MODULE_PATHNAME', 'vdb_array_to_sparse'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION array_to_sparsevec(double precision[], integer, boolean) IS 'convert double precision[] to sparsevec';

CREATE FUNCTION array_to_sparsevec(numeric[], integer, boolean) RETURNS sparsevec
	AS 'MODULE_PATHNAME', 'vdb_array_to_sparse'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION array_to_sparsevec(numeric[], integer, boolean) IS 'convert numeric[] to sparsevec';

CREATE CAST (sparsevec AS sparsevec)
	WITH FUNCTION sparsevec(sparsevec, integer, boolean) AS IMPLICIT;

CREATE CAST (sparsevec AS vector)
	WITH FUNCTION sparsevec_to_vector(sparsevec, integer, boolean) AS ASSIGNMENT;

CREATE CAST (vector AS sparsevec)
	WITH FUNCTION vector_to_sparsevec(vector, integer, boolean) AS IMPLICIT;

CREATE CAST (integer[] AS sparsevec)
	WITH FUNCTION array_to_sparsevec(integer[], integer, boolean) AS ASSIGNMENT;

CREATE CAST (real[] AS sparsevec)
	WITH FUNCTION array_to_sparsevec(real[], integer, boolean) AS ASSIGNMENT;

CREATE CAST (double precision[] AS sparsevec)
	WITH FUNCTION array_to_sparsevec(double precision[], integer, boolean) AS ASSIGNMENT;

CREATE CAST (numeric[] AS sparsevec)
	WITH FUNCTION array_to_sparsevec(numeric[], integer, boolean) AS ASSIGNMENT;

--
-- src/hnsw: the index access method
--

CREATE FUNCTION vecdb_hnsw_handler(internal) RETURNS index_am_handler
	AS 'MODULE_PATHNAME', 'vdb_hnsw_handler'
	LANGUAGE C VOLATILE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION vecdb_hnsw_handler(internal) IS 'hnsw index access method handler';

CREATE ACCESS METHOD hnsw TYPE INDEX HANDLER vecdb_hnsw_handler;
COMMENT ON ACCESS METHOD hnsw IS 'nearest neighbours of vectors by a graph';

-- support function 1 says how an element type is read and which distance is meant
CREATE FUNCTION vecdb_hnsw_vector_l2(internal) RETURNS internal
	AS 'MODULE_PATHNAME', 'vdb_hnsw_vector_l2'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION vecdb_hnsw_vector_l2(internal) IS 'hnsw support: vector, Euclidean distance';

CREATE FUNCTION vecdb_hnsw_vector_ip(internal) RETURNS internal
	AS 'MODULE_PATHNAME', 'vdb_hnsw_vector_ip'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION vecdb_hnsw_vector_ip(internal) IS 'hnsw support: vector, negative inner product';

CREATE FUNCTION vecdb_hnsw_vector_cosine(internal) RETURNS internal
	AS 'MODULE_PATHNAME', 'vdb_hnsw_vector_cosine'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION vecdb_hnsw_vector_cosine(internal) IS 'hnsw support: vector, cosine distance';

CREATE FUNCTION vecdb_hnsw_vector_l1(internal) RETURNS internal
	AS 'MODULE_PATHNAME', 'vdb_hnsw_vector_l1'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION vecdb_hnsw_vector_l1(internal) IS 'hnsw support: vector, taxicab distance';

CREATE OPERATOR CLASS vector_l2_ops
	DEFAULT FOR TYPE vector USING hnsw AS
	OPERATOR 1 <-> (vector, vector) FOR ORDER BY float_ops,
	FUNCTION 1 vecdb_hnsw_vector_l2(internal);

CREATE OPERATOR CLASS vector_ip_ops
	FOR TYPE vector USING hnsw AS
	OPERATOR 1 <#> (vector, vector) FOR ORDER BY float_ops,
	FUNCTION 1 vecdb_hnsw_vector_ip(internal);

CREATE OPERATOR CLASS vector_cosine_ops
	FOR TYPE vector USING hnsw AS
	OPERATOR 1 <=> (vector, vector) FOR ORDER BY float_ops,
	FUNCTION 1 vecdb_hnsw_vector_cosine(internal);

CREATE OPERATOR CLASS vector_l1_ops
	FOR TYPE vector USING hnsw AS
	OPERATOR 1 <+> (vector, vector) FOR ORDER BY float_ops,
	FUNCTION 1 vecdb_hnsw_vector_l1(internal);

--
-- src/vector, src/distance, src/hnsw: the type halfvec, all of it
--

CREATE TYPE halfvec;

CREATE FUNCTION halfvec_in(cstring, oid, integer) RETURNS halfvec
	AS 'MODULE_PATHNAME', 'vdb_halfvec_in'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION halfvec_in(cstring, oid, integer) IS 'I/O';

CREATE FUNCTION halfvec_out(halfvec) RETURNS cstring
	AS 'MODULE_PATHNAME', 'vdb_halfvec_out'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION halfvec_out(halfvec) IS 'I/O';

CREATE FUNCTION halfvec_typmod_in(cstring[]) RETURNS integer
	AS 'MODULE_PATHNAME', 'vdb_halfvec_typmod_in'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION halfvec_typmod_in(cstring[]) IS 'I/O typmod';

CREATE FUNCTION halfvec_recv(internal, oid, integer) RETURNS halfvec
	AS 'MODULE_PATHNAME', 'vdb_halfvec_recv'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION halfvec_recv(internal, oid, integer) IS 'I/O';

CREATE FUNCTION halfvec_send(halfvec) RETURNS bytea
	AS 'MODULE_PATHNAME', 'vdb_halfvec_send'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION halfvec_send(halfvec) IS 'I/O';

CREATE TYPE halfvec (
	INPUT = halfvec_in,
	OUTPUT = halfvec_out,
	TYPMOD_IN = halfvec_typmod_in,
	RECEIVE = halfvec_recv,
	SEND = halfvec_send,
	STORAGE = external
);
COMMENT ON TYPE halfvec IS 'vector of half-precision numbers, ''[1,2,3]''';

CREATE FUNCTION vector_dims(halfvec) RETURNS integer
	AS 'MODULE_PATHNAME', 'vdb_vector_dims'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION vector_dims(halfvec) IS 'number of dimensions';

CREATE FUNCTION l2_norm(halfvec) RETURNS double precision
	AS 'MODULE_PATHNAME', 'vdb_halfvec_norm'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION l2_norm(halfvec) IS 'Euclidean norm';

CREATE FUNCTION l2_normalize(halfvec) RETURNS halfvec
	AS 'MODULE_PATHNAME', 'vdb_halfvec_l2_normalize'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION l2_normalize(halfvec) IS 'divide by the Euclidean norm';

CREATE FUNCTION binary_quantize(halfvec) RETURNS bit
	AS 'MODULE_PATHNAME', 'vdb_halfvec_binary_quantize'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION binary_quantize(halfvec) IS 'one bit for each element, 1 where it is positive';

CREATE FUNCTION subvector(halfvec, integer, integer) RETURNS halfvec
	AS 'MODULE_PATHNAME', 'vdb_halfvec_subvector'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION subvector(halfvec, integer, integer) IS 'part of a vector: start (from 1), count';

CREATE FUNCTION halfvec_get(halfvec, integer) RETURNS real
	AS 'MODULE_PATHNAME', 'vdb_halfvec_get'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION halfvec_get(halfvec, integer) IS 'element at a position (from 1), NULL outside';

CREATE FUNCTION halfvec_add(halfvec, halfvec) RETURNS halfvec
	AS 'MODULE_PATHNAME', 'vdb_halfvec_add'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION halfvec_add(halfvec, halfvec) IS 'implementation of + operator';

CREATE FUNCTION halfvec_sub(halfvec, halfvec) RETURNS halfvec
	AS 'MODULE_PATHNAME', 'vdb_halfvec_sub'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION halfvec_sub(halfvec, halfvec) IS 'implementation of - operator';

CREATE FUNCTION halfvec_mul(halfvec, halfvec) RETURNS halfvec
	AS 'MODULE_PATHNAME', 'vdb_halfvec_mul'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION halfvec_mul(halfvec, halfvec) IS 'implementation of * operator';

CREATE FUNCTION halfvec_concat(halfvec, halfvec) RETURNS halfvec
	AS 'MODULE_PATHNAME', 'vdb_halfvec_concat'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION halfvec_concat(halfvec, halfvec) IS 'implementation of || operator';

CREATE OPERATOR + (
	LEFTARG = halfvec, RIGHTARG = halfvec, FUNCTION = halfvec_add,
	COMMUTATOR = +
);
COMMENT ON OPERATOR + (halfvec, halfvec) IS 'add';

CREATE OPERATOR - (
	LEFTARG = halfvec, RIGHTARG = halfvec, FUNCTION = halfvec_sub
);
COMMENT ON OPERATOR - (halfvec, halfvec) IS 'subtract';

CREATE OPERATOR * (
	LEFTARG = halfvec, RIGHTARG = halfvec, FUNCTION = halfvec_mul,
	COMMUTATOR = *
);
COMMENT ON OPERATOR * (halfvec, halfvec) IS 'multiply element by element';

CREATE OPERATOR || (
	LEFTARG = halfvec, RIGHTARG = halfvec, FUNCTION = halfvec_concat
);
COMMENT ON OPERATOR || (halfvec, halfvec) IS 'concatenate';

CREATE FUNCTION halfvec_distance_support(internal) RETURNS internal
	AS 'MODULE_PATHNAME', 'vdb_halfvec_distance_support'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION halfvec_distance_support(internal) IS 'planner support: cost of a distance by its dimensions and storage';

CREATE FUNCTION l2_distance(halfvec, halfvec) RETURNS double precision
	AS 'MODULE_PATHNAME', 'vdb_halfvec_l2_distance'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
	SUPPORT halfvec_distance_support;
COMMENT ON FUNCTION l2_distance(halfvec, halfvec) IS 'Euclidean distance';

CREATE FUNCTION inner_product(halfvec, halfvec) RETURNS double precision
	AS 'MODULE_PATHNAME', 'vdb_halfvec_inner_product'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
	SUPPORT halfvec_distance_support;
COMMENT ON FUNCTION inner_product(halfvec, halfvec) IS 'inner product';

CREATE FUNCTION cosine_distance(halfvec, halfvec) RETURNS double precision
	AS 'MODULE_PATHNAME', 'vdb_halfvec_cosine_distance'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
	SUPPORT halfvec_distance_support;
COMMENT ON FUNCTION cosine_distance(halfvec, halfvec) IS 'cosine distance: 1 - cosine';

CREATE FUNCTION l1_distance(halfvec, halfvec) RETURNS double precision
	AS 'MODULE_PATHNAME', 'vdb_halfvec_l1_distance'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
	SUPPORT halfvec_distance_support;
COMMENT ON FUNCTION l1_distance(halfvec, halfvec) IS 'taxicab distance';

CREATE FUNCTION halfvec_l2_squared_distance(halfvec, halfvec) RETURNS double precision
	AS 'MODULE_PATHNAME', 'vdb_halfvec_l2_squared_distance'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
	SUPPORT halfvec_distance_support;
COMMENT ON FUNCTION halfvec_l2_squared_distance(halfvec, halfvec) IS 'squared Euclidean distance';

CREATE FUNCTION halfvec_negative_inner_product(halfvec, halfvec) RETURNS double precision
	AS 'MODULE_PATHNAME', 'vdb_halfvec_negative_inner_product'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
	SUPPORT halfvec_distance_support;
COMMENT ON FUNCTION halfvec_negative_inner_product(halfvec, halfvec) IS 'negative inner product';

CREATE FUNCTION halfvec_spherical_distance(halfvec, halfvec) RETURNS double precision
	AS 'MODULE_PATHNAME', 'vdb_halfvec_spherical_distance'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
	SUPPORT halfvec_distance_support;
COMMENT ON FUNCTION halfvec_spherical_distance(halfvec, halfvec) IS 'angle between unit vectors divided by pi';

CREATE OPERATOR <-> (
	LEFTARG = halfvec, RIGHTARG = halfvec, FUNCTION = l2_distance,
	COMMUTATOR = <->
);
COMMENT ON OPERATOR <-> (halfvec, halfvec) IS 'Euclidean distance';

CREATE OPERATOR <#> (
	LEFTARG = halfvec, RIGHTARG = halfvec, FUNCTION = halfvec_negative_inner_product,
	COMMUTATOR = <#>
);
COMMENT ON OPERATOR <#> (halfvec, halfvec) IS 'negative inner product';

CREATE OPERATOR <=> (
	LEFTARG = halfvec, RIGHTARG = halfvec, FUNCTION = cosine_distance,
	COMMUTATOR = <=>
);
COMMENT ON OPERATOR <=> (halfvec, halfvec) IS 'cosine distance';

CREATE OPERATOR <+> (
	LEFTARG = halfvec, RIGHTARG = halfvec, FUNCTION = l1_distance,
	COMMUTATOR = <+>
);
COMMENT ON OPERATOR <+> (halfvec, halfvec) IS 'taxicab distance';

CREATE FUNCTION halfvec_lt(halfvec, halfvec) RETURNS boolean
	AS 'MODULE_PATHNAME', 'vdb_halfvec_lt'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION halfvec_lt(halfvec, halfvec) IS 'implementation of < operator';

CREATE FUNCTION halfvec_le(halfvec, halfvec) RETURNS boolean
	AS 'MODULE_PATHNAME', 'vdb_halfvec_le'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION halfvec_le(halfvec, halfvec) IS 'implementation of <= operator';

CREATE FUNCTION halfvec_eq(halfvec, halfvec) RETURNS boolean
	AS 'MODULE_PATHNAME', 'vdb_halfvec_eq'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION halfvec_eq(halfvec, halfvec) IS 'implementation of = operator';

CREATE FUNCTION halfvec_ne(halfvec, halfvec) RETURNS boolean
	AS 'MODULE_PATHNAME', 'vdb_halfvec_ne'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION halfvec_ne(halfvec, halfvec) IS 'implementation of <> operator';

CREATE FUNCTION halfvec_ge(halfvec, halfvec) RETURNS boolean
	AS 'MODULE_PATHNAME', 'vdb_halfvec_ge'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION halfvec_ge(halfvec, halfvec) IS 'implementation of >= operator';

CREATE FUNCTION halfvec_gt(halfvec, halfvec) RETURNS boolean
	AS 'MODULE_PATHNAME', 'vdb_halfvec_gt'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION halfvec_gt(halfvec, halfvec) IS 'implementation of > operator';

CREATE FUNCTION halfvec_cmp(halfvec, halfvec) RETURNS integer
	AS 'MODULE_PATHNAME', 'vdb_halfvec_cmp'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION halfvec_cmp(halfvec, halfvec) IS 'less-equal-greater';

CREATE FUNCTION halfvec_hash(halfvec) RETURNS integer
	AS 'MODULE_PATHNAME', 'vdb_halfvec_hash'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION halfvec_hash(halfvec) IS 'hash';

CREATE FUNCTION halfvec_hash_extended(halfvec, bigint) RETURNS bigint
	AS 'MODULE_PATHNAME', 'vdb_halfvec_hash_extended'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION halfvec_hash_extended(halfvec, bigint) IS '64-bit hash with a seed';

CREATE OPERATOR < (
	LEFTARG = halfvec, RIGHTARG = halfvec, FUNCTION = halfvec_lt,
	COMMUTATOR = >, NEGATOR = >=,
	RESTRICT = scalarltsel, JOIN = scalarltjoinsel
);
COMMENT ON OPERATOR < (halfvec, halfvec) IS 'less than';

CREATE OPERATOR <= (
	LEFTARG = halfvec, RIGHTARG = halfvec, FUNCTION = halfvec_le,
	COMMUTATOR = >=, NEGATOR = >,
	RESTRICT = scalarlesel, JOIN = scalarlejoinsel
);
COMMENT ON OPERATOR <= (halfvec, halfvec) IS 'less than or equal';

CREATE OPERATOR = (
	LEFTARG = halfvec, RIGHTARG = halfvec, FUNCTION = halfvec_eq,
	COMMUTATOR = =, NEGATOR = <>,
	RESTRICT = eqsel, JOIN = eqjoinsel,
	HASHES, MERGES
);
COMMENT ON OPERATOR = (halfvec, halfvec) IS 'equal';

CREATE OPERATOR <> (
	LEFTARG = halfvec, RIGHTARG = halfvec, FUNCTION = halfvec_ne,
	COMMUTATOR = <>, NEGATOR = =,
	RESTRICT = neqsel, JOIN = neqjoinsel
);
COMMENT ON OPERATOR <> (halfvec, halfvec) IS 'not equal';

CREATE OPERATOR >= (
	LEFTARG = halfvec, RIGHTARG = halfvec, FUNCTION = halfvec_ge,
	COMMUTATOR = <=, NEGATOR = <,
	RESTRICT = scalargesel, JOIN = scalargejoinsel
);
COMMENT ON OPERATOR >= (halfvec, halfvec) IS 'greater than or equal';

CREATE OPERATOR > (
	LEFTARG = halfvec, RIGHTARG = halfvec, FUNCTION = halfvec_gt,
	COMMUTATOR = <, NEGATOR = <=,
	RESTRICT = scalargtsel, JOIN = scalargtjoinsel
);
COMMENT ON OPERATOR > (halfvec, halfvec) IS 'greater than';

CREATE OPERATOR CLASS halfvec_ops
	DEFAULT FOR TYPE halfvec USING btree AS
	OPERATOR 1 <,
	OPERATOR 2 <=,
	OPERATOR 3 =,
	OPERATOR 4 >=,
	OPERATOR 5 >,
	FUNCTION 1 halfvec_cmp(halfvec, halfvec);

CREATE OPERATOR CLASS halfvec_ops
	DEFAULT FOR TYPE halfvec USING hash AS
	OPERATOR 1 =,
	FUNCTION 1 halfvec_hash(halfvec),
	FUNCTION 2 halfvec_hash_extended(halfvec, bigint);

CREATE FUNCTION halfvec_accum(double precision[], halfvec) RETURNS double precision[]
	AS 'MODULE_PATHNAME', 'vdb_halfvec_accum'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION halfvec_accum(double precision[], halfvec) IS 'aggregate transition function of avg';

CREATE FUNCTION halfvec_sum_accum(double precision[], halfvec) RETURNS double precision[]
	AS 'MODULE_PATHNAME', 'vdb_halfvec_sum_accum'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION halfvec_sum_accum(double precision[], halfvec) IS 'aggregate transition function of sum';

CREATE FUNCTION halfvec_combine(double precision[], double precision[]) RETURNS double precision[]
	AS 'MODULE_PATHNAME', 'vdb_halfvec_combine'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION halfvec_combine(double precision[], double precision[]) IS 'aggregate combine function';

CREATE FUNCTION halfvec_avg(double precision[]) RETURNS halfvec
	AS 'MODULE_PATHNAME', 'vdb_halfvec_avg'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION halfvec_avg(double precision[]) IS 'aggregate final function of avg';

CREATE FUNCTION halfvec_sum(double precision[]) RETURNS halfvec
	AS 'MODULE_PATHNAME', 'vdb_halfvec_sum'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION halfvec_sum(double precision[]) IS 'aggregate final function of sum';

CREATE AGGREGATE avg(halfvec) (
	SFUNC = halfvec_accum,
	STYPE = double precision[],
	FINALFUNC = halfvec_avg,
	COMBINEFUNC = halfvec_combine,
	INITCOND = '{0}',
	PARALLEL = SAFE
);
COMMENT ON AGGREGATE avg(halfvec) IS 'the average of all vectors';

CREATE AGGREGATE sum(halfvec) (
	SFUNC = halfvec_sum_accum,
	STYPE = double precision[],
	FINALFUNC = halfvec_sum,
	COMBINEFUNC = halfvec_combine,
	INITCOND = '{0}',
	PARALLEL = SAFE
);
COMMENT ON AGGREGATE sum(halfvec) IS 'the sum of all vectors';

CREATE FUNCTION halfvec(halfvec, integer, boolean) RETURNS halfvec
	AS 'MODULE_PATHNAME', 'vdb_dense_to_itself'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION halfvec(halfvec, integer, boolean) IS 'check the number of dimensions';

CREATE FUNCTION halfvec_to_vector(halfvec, integer, boolean) RETURNS vector
	AS 'MODULE_PATHNAME', 'vdb_halfvec_to_vector'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION halfvec_to_vector(halfvec, integer, boolean) IS 'convert halfvec to vector';

CREATE FUNCTION vector_to_halfvec(vector, integer, boolean) RETURNS halfvec
	AS 'MODULE_PATHNAME', 'vdb_vector_to_halfvec'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION vector_to_halfvec(vector, integer, boolean) IS 'convert vector to halfvec';

CREATE FUNCTION array_to_halfvec(integer[], integer, boolean) RETURNS halfvec
	AS 'MODULE_PATHNAME', 'vdb_array_to_halfvec'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION array_to_halfvec(integer[], integer, boolean) IS 'convert integer[] to halfvec';

CREATE FUNCTION array_to_halfvec(real[], integer, boolean) RETURNS halfvec
	AS 'MODULE_PATHNAME', 'vdb_array_to_halfvec'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION array_to_halfvec(real[], integer, boolean) IS 'convert real[] to halfvec';

CREATE FUNCTION array_to_halfvec(double precision[], integer, boolean) RETURNS halfvec
	AS 'MODULE_PATHNAME', 'vdb_array_to_halfvec'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION array_to_halfvec(double precision[], integer, boolean) IS 'convert double precision[] to halfvec';

CREATE FUNCTION array_to_halfvec(numeric[], integer, boolean) RETURNS halfvec
	AS 'MODULE_PATHNAME', 'vdb_array_to_halfvec'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION array_to_halfvec(numeric[], integer, boolean) IS 'convert numeric[] to halfvec';

CREATE FUNCTION halfvec_to_float4(halfvec, integer, boolean) RETURNS real[]
	AS 'MODULE_PATHNAME', 'vdb_halfvec_to_float4'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION halfvec_to_float4(halfvec, integer, boolean) IS 'convert halfvec to real[]';

CREATE FUNCTION halfvec_to_json(halfvec) RETURNS json
	AS 'MODULE_PATHNAME', 'vdb_halfvec_to_json'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION halfvec_to_json(halfvec) IS 'convert halfvec to a JSON array of numbers';

CREATE CAST (halfvec AS halfvec)
	WITH FUNCTION halfvec(halfvec, integer, boolean) AS IMPLICIT;

CREATE CAST (halfvec AS vector)
	WITH FUNCTION halfvec_to_vector(halfvec, integer, boolean) AS ASSIGNMENT;

CREATE CAST (vector AS halfvec)
	WITH FUNCTION vector_to_halfvec(vector, integer, boolean) AS IMPLICIT;

CREATE CAST (halfvec AS real[])
	WITH FUNCTION halfvec_to_float4(halfvec, integer, boolean) AS ASSIGNMENT;

CREATE CAST (integer[] AS halfvec)
	WITH FUNCTION array_to_halfvec(integer[], integer, boolean) AS ASSIGNMENT;

CREATE CAST (real[] AS halfvec)
	WITH FUNCTION array_to_halfvec(real[], integer, boolean) AS ASSIGNMENT;

CREATE CAST (double precision[] AS halfvec)
	WITH FUNCTION array_to_halfvec(double precision[], integer, boolean) AS ASSIGNMENT;

CREATE CAST (numeric[] AS halfvec)
	WITH FUNCTION array_to_halfvec(numeric[], integer, boolean) AS ASSIGNMENT;

-- to_json(), row_to_json() and PostgREST use it, too: an array, not a string
CREATE CAST (halfvec AS json)
	WITH FUNCTION halfvec_to_json(halfvec);

CREATE FUNCTION vecdb_hnsw_halfvec_l2(internal) RETURNS internal
	AS 'MODULE_PATHNAME', 'vdb_hnsw_halfvec_l2'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION vecdb_hnsw_halfvec_l2(internal) IS 'hnsw support: halfvec, Euclidean distance';

CREATE FUNCTION vecdb_hnsw_halfvec_ip(internal) RETURNS internal
	AS 'MODULE_PATHNAME', 'vdb_hnsw_halfvec_ip'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION vecdb_hnsw_halfvec_ip(internal) IS 'hnsw support: halfvec, negative inner product';

CREATE FUNCTION vecdb_hnsw_halfvec_cosine(internal) RETURNS internal
	AS 'MODULE_PATHNAME', 'vdb_hnsw_halfvec_cosine'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION vecdb_hnsw_halfvec_cosine(internal) IS 'hnsw support: halfvec, cosine distance';

CREATE FUNCTION vecdb_hnsw_halfvec_l1(internal) RETURNS internal
	AS 'MODULE_PATHNAME', 'vdb_hnsw_halfvec_l1'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION vecdb_hnsw_halfvec_l1(internal) IS 'hnsw support: halfvec, taxicab distance';

CREATE OPERATOR CLASS halfvec_l2_ops
	FOR TYPE halfvec USING hnsw AS
	OPERATOR 1 <-> (halfvec, halfvec) FOR ORDER BY float_ops,
	FUNCTION 1 vecdb_hnsw_halfvec_l2(internal);

CREATE OPERATOR CLASS halfvec_ip_ops
	FOR TYPE halfvec USING hnsw AS
	OPERATOR 1 <#> (halfvec, halfvec) FOR ORDER BY float_ops,
	FUNCTION 1 vecdb_hnsw_halfvec_ip(internal);

CREATE OPERATOR CLASS halfvec_cosine_ops
	FOR TYPE halfvec USING hnsw AS
	OPERATOR 1 <=> (halfvec, halfvec) FOR ORDER BY float_ops,
	FUNCTION 1 vecdb_hnsw_halfvec_cosine(internal);

CREATE OPERATOR CLASS halfvec_l1_ops
	FOR TYPE halfvec USING hnsw AS
	OPERATOR 1 <+> (halfvec, halfvec) FOR ORDER BY float_ops,
	FUNCTION 1 vecdb_hnsw_halfvec_l1(internal);

--
-- src/sparse: casts between halfvec and sparsevec
--

CREATE FUNCTION halfvec_to_sparsevec(halfvec, integer, boolean) RETURNS sparsevec
	AS 'MODULE_PATHNAME', 'vdb_halfvec_to_sparse'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION halfvec_to_sparsevec(halfvec, integer, boolean) IS 'convert halfvec to sparsevec';

CREATE FUNCTION sparsevec_to_halfvec(sparsevec, integer, boolean) RETURNS halfvec
	AS 'MODULE_PATHNAME', 'vdb_sparse_to_halfvec'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION sparsevec_to_halfvec(sparsevec, integer, boolean) IS 'convert sparsevec to halfvec';

CREATE CAST (sparsevec AS halfvec)
	WITH FUNCTION sparsevec_to_halfvec(sparsevec, integer, boolean) AS ASSIGNMENT;

CREATE CAST (halfvec AS sparsevec)
	WITH FUNCTION halfvec_to_sparsevec(halfvec, integer, boolean) AS IMPLICIT;

--
-- src/hnsw: operator classes of sparsevec and bit
--

CREATE FUNCTION vecdb_hnsw_sparse_l2(internal) RETURNS internal
	AS 'MODULE_PATHNAME', 'vdb_hnsw_sparse_l2'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION vecdb_hnsw_sparse_l2(internal) IS 'hnsw support: sparsevec, Euclidean distance';

CREATE FUNCTION vecdb_hnsw_sparse_ip(internal) RETURNS internal
	AS 'MODULE_PATHNAME', 'vdb_hnsw_sparse_ip'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION vecdb_hnsw_sparse_ip(internal) IS 'hnsw support: sparsevec, negative inner product';

CREATE FUNCTION vecdb_hnsw_sparse_cosine(internal) RETURNS internal
	AS 'MODULE_PATHNAME', 'vdb_hnsw_sparse_cosine'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION vecdb_hnsw_sparse_cosine(internal) IS 'hnsw support: sparsevec, cosine distance';

CREATE FUNCTION vecdb_hnsw_sparse_l1(internal) RETURNS internal
	AS 'MODULE_PATHNAME', 'vdb_hnsw_sparse_l1'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION vecdb_hnsw_sparse_l1(internal) IS 'hnsw support: sparsevec, taxicab distance';

CREATE FUNCTION vecdb_hnsw_bit_hamming(internal) RETURNS internal
	AS 'MODULE_PATHNAME', 'vdb_hnsw_bit_hamming'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION vecdb_hnsw_bit_hamming(internal) IS 'hnsw support: bit, Hamming distance';

CREATE FUNCTION vecdb_hnsw_bit_jaccard(internal) RETURNS internal
	AS 'MODULE_PATHNAME', 'vdb_hnsw_bit_jaccard'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION vecdb_hnsw_bit_jaccard(internal) IS 'hnsw support: bit, Jaccard distance';

CREATE OPERATOR CLASS sparsevec_l2_ops
	FOR TYPE sparsevec USING hnsw AS
	OPERATOR 1 <-> (sparsevec, sparsevec) FOR ORDER BY float_ops,
	FUNCTION 1 vecdb_hnsw_sparse_l2(internal);

CREATE OPERATOR CLASS sparsevec_ip_ops
	FOR TYPE sparsevec USING hnsw AS
	OPERATOR 1 <#> (sparsevec, sparsevec) FOR ORDER BY float_ops,
	FUNCTION 1 vecdb_hnsw_sparse_ip(internal);

CREATE OPERATOR CLASS sparsevec_cosine_ops
	FOR TYPE sparsevec USING hnsw AS
	OPERATOR 1 <=> (sparsevec, sparsevec) FOR ORDER BY float_ops,
	FUNCTION 1 vecdb_hnsw_sparse_cosine(internal);

CREATE OPERATOR CLASS sparsevec_l1_ops
	FOR TYPE sparsevec USING hnsw AS
	OPERATOR 1 <+> (sparsevec, sparsevec) FOR ORDER BY float_ops,
	FUNCTION 1 vecdb_hnsw_sparse_l1(internal);

CREATE OPERATOR CLASS bit_hamming_ops
	FOR TYPE bit USING hnsw AS
	OPERATOR 1 <~> (bit, bit) FOR ORDER BY float_ops,
	FUNCTION 1 vecdb_hnsw_bit_hamming(internal);

CREATE OPERATOR CLASS bit_jaccard_ops
	FOR TYPE bit USING hnsw AS
	OPERATOR 1 <%> (bit, bit) FOR ORDER BY float_ops,
	FUNCTION 1 vecdb_hnsw_bit_jaccard(internal);

--
-- src/hnsw: what can be seen of an index
--

-- The caller must own the index, or be allowed to maintain it.
CREATE FUNCTION vecdb_index_check(index regclass, heap_all_indexed boolean DEFAULT false,
	slots boolean DEFAULT true, verbose boolean DEFAULT false,
	OUT block bigint, OUT node bigint, OUT problem text) RETURNS SETOF record
	AS 'MODULE_PATHNAME', 'vdb_hnsw_index_check'
	LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED;
COMMENT ON FUNCTION vecdb_index_check(regclass, boolean, boolean, boolean) IS
	'what is wrong with an hnsw index: no row if it is sound';

-- The caller must own the index, be allowed to maintain it, or be a member of
-- pg_stat_scan_tables.
CREATE FUNCTION vecdb_index_info(index regclass,
	OUT format_version integer, OUT type text, OUT dimensions integer, OUT metric text,
	OUT m integer, OUT ef_construction integer, OUT slots integer, OUT codec text,
	OUT bits integer, OUT code_dimensions integer, OUT nodes_per_page integer,
	OUT vector_pages_per_node integer, OUT node_bytes integer,
	OUT live_nodes bigint, OUT dying_nodes bigint, OUT free_nodes bigint,
	OUT levels bigint[], OUT heap_tids bigint, OUT links bigint,
	OUT average_links double precision, OUT stale_links bigint, OUT anchors bigint,
	OUT max_anchors integer,
	OUT node_pages bigint, OUT vector_pages bigint, OUT posting_pages bigint,
	OUT unused_pages bigint, OUT damaged_pages bigint, OUT size bigint,
	OUT header_bytes bigint, OUT vector_bytes bigint, OUT link_bytes bigint,
	OUT code_bytes bigint, OUT tid_bytes bigint, OUT free_bytes bigint,
	OUT entry_node bigint, OUT entry_level integer, OUT root_node bigint,
	OUT typical_norm double precision) RETURNS record
	AS 'MODULE_PATHNAME', 'vdb_hnsw_index_info'
	LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED;
COMMENT ON FUNCTION vecdb_index_info(regclass) IS 'what an hnsw index is made of';

-- The caller must be allowed to read the table.
CREATE FUNCTION vecdb_index_prewarm(index regclass) RETURNS bigint
	AS 'MODULE_PATHNAME', 'vdb_hnsw_index_prewarm'
	LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED;
COMMENT ON FUNCTION vecdb_index_prewarm(regclass) IS
	'read an hnsw index into shared buffers; number of pages read';

-- Runs searches with the caller's rights.
CREATE FUNCTION vecdb_index_recall(index regclass, samples integer DEFAULT 100,
	k integer DEFAULT 10, ef_search integer DEFAULT NULL,
	OUT queries integer, OUT neighbours integer, OUT ef integer,
	OUT recall double precision, OUT recall_p5 double precision,
	OUT recall_min double precision, OUT index_ms double precision,
	OUT exact_ms double precision) RETURNS record
	AS 'MODULE_PATHNAME', 'vdb_hnsw_index_recall'
	LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION vecdb_index_recall(regclass, integer, integer, integer) IS
	'how many of the nearest neighbours of sampled rows an hnsw index finds';

CREATE FUNCTION vecdb_hnsw_stats(OUT scans bigint, OUT batches bigint, OUT nodes bigint,
	OUT pages bigint, OUT distances bigint, OUT estimates bigint, OUT results bigint,
	OUT rechecks bigint, OUT sweeps bigint, OUT memory_limited bigint,
	OUT inserts bigint, OUT tid_appends bigint, OUT since timestamptz) RETURNS record
	AS 'MODULE_PATHNAME', 'vdb_hnsw_stats_backend'
	LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED;
COMMENT ON FUNCTION vecdb_hnsw_stats() IS 'what this backend has done with hnsw indexes';

-- no row unless the library is in shared_preload_libraries
CREATE FUNCTION vecdb_hnsw_stats_server(OUT scans bigint, OUT batches bigint, OUT nodes bigint,
	OUT pages bigint, OUT distances bigint, OUT estimates bigint, OUT results bigint,
	OUT rechecks bigint, OUT sweeps bigint, OUT memory_limited bigint,
	OUT inserts bigint, OUT tid_appends bigint, OUT since timestamptz) RETURNS SETOF record
	AS 'MODULE_PATHNAME', 'vdb_hnsw_stats_server'
	LANGUAGE C VOLATILE STRICT PARALLEL SAFE ROWS 1;
COMMENT ON FUNCTION vecdb_hnsw_stats_server() IS
	'what all backends have done with hnsw indexes, by the end of their transactions';

CREATE VIEW vecdb_hnsw_stats AS SELECT * FROM vecdb_hnsw_stats();
COMMENT ON VIEW vecdb_hnsw_stats IS
	'what searches and inserts of this session have done to hnsw indexes';
CREATE VIEW vecdb_hnsw_stats_server AS SELECT * FROM vecdb_hnsw_stats_server();
COMMENT ON VIEW vecdb_hnsw_stats_server IS
	'the same for all sessions of the server; empty unless the library is preloaded';
GRANT SELECT ON vecdb_hnsw_stats, vecdb_hnsw_stats_server TO PUBLIC;

CREATE FUNCTION vecdb_hnsw_stats_reset() RETURNS void
	AS 'MODULE_PATHNAME', 'vdb_hnsw_stats_reset'
	LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED;
COMMENT ON FUNCTION vecdb_hnsw_stats_reset() IS 'set the counts of this backend to zero';

CREATE FUNCTION vecdb_hnsw_stats_server_reset() RETURNS void
	AS 'MODULE_PATHNAME', 'vdb_hnsw_stats_server_reset'
	LANGUAGE C VOLATILE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION vecdb_hnsw_stats_server_reset() IS 'set the counts of the server to zero';
REVOKE ALL ON FUNCTION vecdb_hnsw_stats_server_reset() FROM PUBLIC;

--
-- src/filter: the type vecdb_filter and the operator @~
--

CREATE TYPE vecdb_filter;

CREATE FUNCTION vecdb_filter_in(cstring) RETURNS vecdb_filter
	AS 'MODULE_PATHNAME', 'vdb_filter_in'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION vecdb_filter_in(cstring) IS 'I/O';

CREATE FUNCTION vecdb_filter_out(vecdb_filter) RETURNS cstring
	AS 'MODULE_PATHNAME', 'vdb_filter_out'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION vecdb_filter_out(vecdb_filter) IS 'I/O';

CREATE FUNCTION vecdb_filter_recv(internal) RETURNS vecdb_filter
	AS 'MODULE_PATHNAME', 'vdb_filter_recv'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION vecdb_filter_recv(internal) IS 'I/O';

CREATE FUNCTION vecdb_filter_send(vecdb_filter) RETURNS bytea
	AS 'MODULE_PATHNAME', 'vdb_filter_send'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION vecdb_filter_send(vecdb_filter) IS 'I/O';

-- stored as jsonb is
CREATE TYPE vecdb_filter (
	INPUT = vecdb_filter_in,
	OUTPUT = vecdb_filter_out,
	RECEIVE = vecdb_filter_recv,
	SEND = vecdb_filter_send,
	INTERNALLENGTH = VARIABLE,
	ALIGNMENT = int4,
	STORAGE = extended
);
COMMENT ON TYPE vecdb_filter IS
	'condition on metadata, written as a JSON object: {"year": {"$gte": 2015}, "lang": "en"}';

CREATE FUNCTION vecdb_filter(jsonb) RETURNS vecdb_filter
	AS 'MODULE_PATHNAME', 'vdb_jsonb_to_filter'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION vecdb_filter(jsonb) IS 'convert jsonb to vecdb_filter';

CREATE FUNCTION vecdb_filter(json) RETURNS vecdb_filter
	AS 'MODULE_PATHNAME', 'vdb_json_to_filter'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION vecdb_filter(json) IS 'convert json to vecdb_filter';

CREATE CAST (text AS vecdb_filter) WITH INOUT AS ASSIGNMENT;
COMMENT ON CAST (text AS vecdb_filter) IS 'parse and check a filter';

-- implicit: clients send a parameter that is JSON as jsonb or json
CREATE CAST (jsonb AS vecdb_filter)
	WITH FUNCTION vecdb_filter(jsonb) AS IMPLICIT;
COMMENT ON CAST (jsonb AS vecdb_filter) IS 'check a filter';

CREATE CAST (json AS vecdb_filter)
	WITH FUNCTION vecdb_filter(json) AS IMPLICIT;
COMMENT ON CAST (json AS vecdb_filter) IS 'parse and check a filter';

CREATE CAST (vecdb_filter AS jsonb) WITHOUT FUNCTION AS ASSIGNMENT;
COMMENT ON CAST (vecdb_filter AS jsonb) IS 'the filter as a JSON document';

-- the filter is valid when it gets here and no document is an error
CREATE FUNCTION vecdb_match(metadata jsonb, filter vecdb_filter) RETURNS boolean
	AS 'MODULE_PATHNAME', 'vdb_filter_match'
	LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE COST 10;
COMMENT ON FUNCTION vecdb_match(jsonb, vecdb_filter) IS
	'does the metadata document match the filter?';

CREATE FUNCTION vecdb_filtersel(internal, oid, internal, integer) RETURNS double precision
	AS 'MODULE_PATHNAME', 'vdb_filter_selectivity'
	LANGUAGE C STABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION vecdb_filtersel(internal, oid, internal, integer) IS
	'restriction selectivity of @~: counts in an index of jsonb_filter_ops, or tries the documents that ANALYZE has sampled';

CREATE OPERATOR @~ (
	LEFTARG = jsonb,
	RIGHTARG = vecdb_filter,
	FUNCTION = vecdb_match,
	RESTRICT = vecdb_filtersel,
	JOIN = matchingjoinsel
);
COMMENT ON OPERATOR @~ (jsonb, vecdb_filter) IS
	'does the metadata document match the filter?';

CREATE FUNCTION vecdb_index_extract_value(jsonb, internal) RETURNS internal
	AS 'MODULE_PATHNAME', 'vdb_index_extract_value'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION vecdb_index_extract_value(jsonb, internal) IS
	'gin support: the keys of a document';

CREATE FUNCTION vecdb_index_extract_query(jsonb, internal, smallint, internal, internal, internal, internal)
	RETURNS internal
	AS 'MODULE_PATHNAME', 'vdb_index_extract_query'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION vecdb_index_extract_query(jsonb, internal, smallint, internal, internal, internal, internal) IS
	'gin support: the keys of a filter';

CREATE FUNCTION vecdb_index_consistent(internal, smallint, jsonb, integer, internal, internal, internal, internal)
	RETURNS boolean
	AS 'MODULE_PATHNAME', 'vdb_index_consistent'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION vecdb_index_consistent(internal, smallint, jsonb, integer, internal, internal, internal, internal) IS
	'gin support: a row by its keys';

CREATE FUNCTION vecdb_index_triconsistent(internal, smallint, jsonb, integer, internal, internal, internal)
	RETURNS "char"
	AS 'MODULE_PATHNAME', 'vdb_index_triconsistent'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION vecdb_index_triconsistent(internal, smallint, jsonb, integer, internal, internal, internal) IS
	'gin support: a row of which some keys are unknown';

CREATE FUNCTION vecdb_index_compare_partial(bytea, bytea, smallint, internal) RETURNS integer
	AS 'MODULE_PATHNAME', 'vdb_index_compare_partial'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION vecdb_index_compare_partial(bytea, bytea, smallint, internal) IS
	'gin support: is a key within a range?';

-- keys are bytea, whose own order is theirs
CREATE OPERATOR CLASS jsonb_filter_ops
	FOR TYPE jsonb USING gin AS
	OPERATOR 1 @~ (jsonb, vecdb_filter),
	OPERATOR 2 @> (jsonb, jsonb),
	FUNCTION 2 vecdb_index_extract_value(jsonb, internal),
	FUNCTION 3 vecdb_index_extract_query(jsonb, internal, smallint, internal, internal, internal, internal),
	FUNCTION 4 vecdb_index_consistent(internal, smallint, jsonb, integer, internal, internal, internal, internal),
	FUNCTION 5 vecdb_index_compare_partial(bytea, bytea, smallint, internal),
	FUNCTION 6 vecdb_index_triconsistent(internal, smallint, jsonb, integer, internal, internal, internal),
	STORAGE bytea;

--
-- src/collection: collections in schema vecdb
--

-- A collection is an ordinary table in the schema vecdb_data, which is no part
-- of the extension: it belongs to the role that created it and is dumped,
-- secured and replicated like any other.  vecdb.collections says which table
-- holds which collection.  Everything here runs with the caller's rights.

-- What is parsed here and now (defaults, checks, RETURN) is looked up with the
-- target schema on the search path, where others may have put functions and
-- operators of the same names: it names its schema, or has arguments that match
-- a function of pg_catalog exactly.

CREATE SCHEMA vecdb;
COMMENT ON SCHEMA vecdb IS 'vecdb: collections of points';
GRANT USAGE ON SCHEMA vecdb TO PUBLIC;

CREATE SEQUENCE vecdb.collection_id AS bigint;
COMMENT ON SEQUENCE vecdb.collection_id IS 'numbers of collection tables';

CREATE TABLE vecdb.collections (
	id bigint PRIMARY KEY DEFAULT pg_catalog.nextval('vecdb.collection_id'::pg_catalog.regclass),
	name text COLLATE "C" NOT NULL UNIQUE
		CHECK (name ~ '^[A-Za-z0-9_-]{1,63}$'),
	dimension integer NOT NULL CHECK (dimension BETWEEN 1 AND 16000),
	distance text COLLATE "C" NOT NULL
		CHECK (distance IN ('cosine', 'euclidean', 'dot'))
);
COMMENT ON TABLE vecdb.collections IS
	'collection "name" is the table vecdb_data.c_<id>';

SELECT pg_catalog.pg_extension_config_dump('vecdb.collections', '');
SELECT pg_catalog.pg_extension_config_dump('vecdb.collection_id', '');

-- Whoever may create tables in vecdb_data may register them; the trigger below
-- keeps everybody to his own.  The extension's owner restores dumps.
GRANT SELECT, INSERT, DELETE ON vecdb.collections TO PUBLIC;
GRANT USAGE ON SEQUENCE vecdb.collection_id TO PUBLIC;
GRANT SELECT, UPDATE ON SEQUENCE vecdb.collection_id TO @extowner@;

CREATE TYPE vecdb.collection_info AS (
	name text,
	dimension integer,
	distance text,
	count bigint
);
COMMENT ON TYPE vecdb.collection_info IS 'a collection and its number of points';

CREATE TYPE vecdb.point AS (
	id text,
	vector vector,
	metadata jsonb
);
COMMENT ON TYPE vecdb.point IS 'a point of a collection';

CREATE TYPE vecdb.search_result AS (
	id text,
	score double precision,
	metadata jsonb,
	vector vector
);
COMMENT ON TYPE vecdb.search_result IS 'a point found by a search';

CREATE TYPE vecdb.search_report AS (
	strategy text,
	reason text,
	advice text,
	bitmap_rows bigint,
	nodes bigint,
	heap_fetches bigint,
	distances bigint
);
COMMENT ON TYPE vecdb.search_report IS 'how a search found its points; a number is null where nobody counted';

-- Tables only: reading a view would run its owner's functions with the rights
-- of whoever asks for the list of collections.
CREATE FUNCTION vecdb.collection_table(id bigint) RETURNS regclass
	LANGUAGE sql STABLE STRICT PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
AS $$
	SELECT c.oid::regclass FROM pg_class c
		WHERE c.oid = to_regclass('vecdb_data.c_' || id) AND c.relkind IN ('r', 'p')
$$;
COMMENT ON FUNCTION vecdb.collection_table(bigint) IS
	'table of a collection, NULL if it was dropped by hand';

CREATE FUNCTION vecdb.check_registration() RETURNS trigger
	LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	id CONSTANT bigint := CASE TG_OP WHEN 'INSERT' THEN NEW.id ELSE OLD.id END;
	name CONSTANT text := CASE TG_OP WHEN 'INSERT' THEN NEW.name ELSE OLD.name END;
	rel CONSTANT regclass := vecdb.collection_table(id);
	is_owner boolean;
BEGIN
	SELECT pg_has_role(current_user, c.relowner, 'USAGE') INTO is_owner
		FROM pg_class c WHERE c.oid = rel;
	-- An entry whose table is gone is rubbish that anybody may remove.
	IF NOT is_owner OR (rel IS NULL AND TG_OP = 'INSERT') THEN
		RAISE EXCEPTION USING
			ERRCODE = 'insufficient_privilege',
			MESSAGE = format('must be owner of collection "%s"', name);
	END IF;
	RETURN CASE TG_OP WHEN 'INSERT' THEN NEW ELSE OLD END;
END
$$;
COMMENT ON FUNCTION vecdb.check_registration() IS
	'trigger: only the owner of a table may register or deregister it';

CREATE TRIGGER check_registration
	BEFORE INSERT OR DELETE ON vecdb.collections
	FOR EACH ROW EXECUTE FUNCTION vecdb.check_registration();

CREATE FUNCTION vecdb.find_collection(collection text, privilege text,
	OUT id bigint, OUT dimension integer, OUT distance text, OUT tab text)
	AS 'MODULE_PATHNAME', 'vdb_find_collection_sql'
	LANGUAGE C STABLE PARALLEL UNSAFE COST 100
	SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION vecdb.find_collection(text, text) IS
	'number, properties and table of a collection that the caller may use in the given way';

CREATE FUNCTION vecdb.create_data_schema() RETURNS void
	LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF to_regnamespace('vecdb_data') IS NULL THEN
		BEGIN
			CREATE SCHEMA vecdb_data;
			COMMENT ON SCHEMA vecdb_data IS 'tables of vecdb collections';
			-- Rights on a collection are rights on its table.
			GRANT USAGE ON SCHEMA vecdb_data TO PUBLIC;
		EXCEPTION
			WHEN duplicate_schema OR unique_violation THEN
				NULL;	-- created by another session at the same moment
			WHEN insufficient_privilege THEN
				RAISE EXCEPTION USING
					ERRCODE = 'insufficient_privilege',
					MESSAGE = 'permission denied to create collections',
					DETAIL = format('The role "%s" may not create the schema vecdb_data.', current_user),
					HINT = 'Let the owner of the database create the first collection, then GRANT CREATE ON SCHEMA vecdb_data.';
		END;
	END IF;
	IF NOT has_schema_privilege('vecdb_data', 'CREATE') THEN
		RAISE EXCEPTION USING
			ERRCODE = 'insufficient_privilege',
			MESSAGE = 'permission denied to create collections',
			DETAIL = format('The role "%s" may not create tables in the schema vecdb_data.', current_user),
			HINT = 'The owner of the schema can allow it: GRANT CREATE ON SCHEMA vecdb_data TO ...';
	END IF;
END
$$;
COMMENT ON FUNCTION vecdb.create_data_schema() IS
	'create the schema of the collection tables, if need be, and check the right to use it';

CREATE FUNCTION vecdb.check_new_collection(name text, dimension integer, distance text) RETURNS void
	LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF name IS NULL OR name !~ '^[A-Za-z0-9_-]{1,63}$' THEN
		RAISE EXCEPTION USING
			ERRCODE = 'invalid_parameter_value',
			MESSAGE = CASE WHEN name IS NULL THEN 'name: must not be null'
				ELSE format('name: invalid collection name "%s"', left(name, 100)) END,
			HINT = 'A name has 1 to 63 characters out of A-Z, a-z, 0-9, "_" and "-".';
	END IF;
	IF dimension IS NULL OR dimension NOT BETWEEN 1 AND 16000 THEN
		RAISE EXCEPTION USING
			ERRCODE = 'invalid_parameter_value',
			MESSAGE = format('dimension: must be a whole number from 1 to 16000, not %s',
				coalesce(dimension::text, 'null'));
	END IF;
	IF distance IS NULL OR distance NOT IN ('cosine', 'euclidean', 'dot') THEN
		RAISE EXCEPTION USING
			ERRCODE = 'invalid_parameter_value',
			MESSAGE = CASE WHEN distance IS NULL THEN 'distance: must not be null'
				ELSE format('distance: unknown distance "%s"', left(distance, 100)) END,
			HINT = 'The distances are cosine, euclidean and dot.';
	END IF;
END
$$;
COMMENT ON FUNCTION vecdb.check_new_collection(text, integer, text) IS
	'check the arguments of create_collection';

CREATE FUNCTION vecdb.create_collection(name text, dimension integer, distance text DEFAULT 'cosine')
	RETURNS vecdb.collection_info
	LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	new_id bigint;
	tab text;
BEGIN
	PERFORM vecdb.check_new_collection(name, dimension, distance);
	PERFORM vecdb.create_data_schema();

	-- A table that was dropped by hand leaves its name free.
	DELETE FROM vecdb.collections c
		WHERE c.name = create_collection.name AND vecdb.collection_table(c.id) IS NULL;
	IF EXISTS (SELECT FROM vecdb.collections c WHERE c.name = create_collection.name) THEN
		RAISE unique_violation;
	END IF;

	-- A number may be in use after a restore without the sequence.
	LOOP
		new_id := nextval('vecdb.collection_id');
		EXIT WHEN to_regclass('vecdb_data.c_' || new_id) IS NULL;
	END LOOP;

	-- toast_tuple_target: as long as a row fits a page its vector stays in it,
	-- since fetching it out of line costs more than computing its distance.
	-- Wider rows leave a table that looks too small for parallel workers.
	tab := 'vecdb_data.c_' || new_id;
	EXECUTE 'CREATE TABLE ' || tab || ' ('
		'id text COLLATE "C" PRIMARY KEY CHECK (octet_length(id) BETWEEN 1 AND 1024), '
		'embedding @extschema@.vector(' || dimension || ') NOT NULL, '
		'metadata jsonb NOT NULL DEFAULT ''{}'' CHECK (jsonb_typeof(metadata) = ''object'')'
		') WITH (toast_tuple_target = 8160'
		|| CASE WHEN dimension > 2000 THEN ', parallel_workers = 4)' ELSE ')' END;
	EXECUTE format('COMMENT ON TABLE %s IS %L', tab, format('vecdb collection "%s"', name));
	EXECUTE 'CREATE INDEX ON ' || tab || ' USING hnsw (embedding @extschema@.vector_'
		|| CASE distance WHEN 'cosine' THEN 'cosine' WHEN 'dot' THEN 'ip' ELSE 'l2' END || '_ops)';
	EXECUTE 'CREATE INDEX ON ' || tab || ' USING gin (metadata @extschema@.jsonb_filter_ops) WITH (fastupdate = off)';

	-- A unique violation here is another session's collection of that name.
	INSERT INTO vecdb.collections (id, name, dimension, distance)
		VALUES (new_id, create_collection.name, create_collection.dimension, create_collection.distance);
	RETURN (name, dimension, distance, 0::bigint);
EXCEPTION
	WHEN unique_violation THEN
		RAISE EXCEPTION USING
			ERRCODE = 'duplicate_table',
			MESSAGE = format('collection "%s" already exists', name);
END
$$;
COMMENT ON FUNCTION vecdb.create_collection(text, integer, text) IS
	'create an empty collection of vectors of the given dimension; distance is cosine, euclidean or dot';

CREATE FUNCTION vecdb.drop_collection(name text) RETURNS void
	LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	coll record;
	dependents text;
BEGIN
	coll := vecdb.find_collection(name, 'SELECT, INSERT, UPDATE, DELETE');
	BEGIN
		EXECUTE 'DROP TABLE ' || coll.tab;
	EXCEPTION
		WHEN undefined_table THEN	-- dropped by another session just now
			PERFORM vecdb.find_collection(name, 'SELECT, INSERT, UPDATE, DELETE');
			RAISE;
		WHEN insufficient_privilege THEN
			RAISE EXCEPTION USING
				ERRCODE = 'insufficient_privilege',
				MESSAGE = format('must be owner of collection "%s"', name);
		WHEN object_in_use THEN
			RAISE EXCEPTION USING
				ERRCODE = 'object_in_use',
				MESSAGE = format('collection "%s" is in use by an active query of this session', name);
		WHEN dependent_objects_still_exist THEN
			GET STACKED DIAGNOSTICS dependents = PG_EXCEPTION_DETAIL;
			RAISE EXCEPTION USING
				ERRCODE = 'dependent_objects_still_exist',
				MESSAGE = format('cannot drop collection "%s" because other objects depend on its table', name),
				DETAIL = replace(dependents, coll.tab, 'of the collection'),
				HINT = 'Drop those first.';
	END;
	DELETE FROM vecdb.collections c WHERE c.id = coll.id;
END
$$;
COMMENT ON FUNCTION vecdb.drop_collection(text) IS
	'drop a collection with all its points';

CREATE FUNCTION vecdb.get_collection(name text) RETURNS vecdb.collection_info
	LANGUAGE plpgsql STABLE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	coll record;
BEGIN
	coll := vecdb.find_collection(name, 'SELECT');
	RETURN (name, coll.dimension, coll.distance, vecdb.count(name, '{}'));
END
$$;
COMMENT ON FUNCTION vecdb.get_collection(text) IS
	'one collection with its number of points';

CREATE FUNCTION vecdb.list_collections() RETURNS SETOF vecdb.collection_info
	LANGUAGE plpgsql STABLE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	coll record;
	n bigint;
BEGIN
	FOR coll IN
		SELECT c.id, c.name, c.dimension, c.distance
		FROM vecdb.collections c
		WHERE has_table_privilege(vecdb.collection_table(c.id), 'SELECT')
		ORDER BY c.name
	LOOP
		BEGIN
			EXECUTE 'SELECT count(*) FROM vecdb_data.c_' || coll.id INTO n;
		EXCEPTION
			WHEN undefined_table THEN
				CONTINUE WHEN vecdb.collection_table(coll.id) IS NULL;	-- dropped just now
				RAISE;
		END;
		RETURN NEXT (coll.name, coll.dimension, coll.distance, n)::vecdb.collection_info;
	END LOOP;
END
$$;
COMMENT ON FUNCTION vecdb.list_collections() IS
	'the collections that the caller may read, with their number of points';

CREATE FUNCTION vecdb.parse_points(points json, dimension integer)
	RETURNS TABLE (id text, embedding vector, metadata jsonb)
	AS 'MODULE_PATHNAME', 'vdb_parse_points'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
	COST 1000 ROWS 100;
COMMENT ON FUNCTION vecdb.parse_points(json, integer) IS
	'check a list of points, or {"points": list}, and turn it into rows, sorted by id';

CREATE FUNCTION vecdb.upsert(collection text, points json) RETURNS bigint
	AS 'MODULE_PATHNAME', 'vdb_upsert'
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000
	SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION vecdb.upsert(text, json) IS
	'insert points or replace those with the same id, all or none; returns their number';

CREATE FUNCTION vecdb.search(collection text, vector vector, top_k integer DEFAULT 10,
	filter vecdb_filter DEFAULT '{}', include_metadata boolean DEFAULT true,
	include_vector boolean DEFAULT false, "offset" integer DEFAULT 0,
	score_threshold double precision DEFAULT NULL)
	RETURNS SETOF vecdb.search_result
	AS 'MODULE_PATHNAME', 'vdb_search'
	LANGUAGE C STABLE PARALLEL UNSAFE COST 1000 ROWS 10
	SET search_path = pg_catalog, pg_temp
	SET vecdb.expected_rows = 0;
COMMENT ON FUNCTION vecdb.search(text, vector, integer, vecdb_filter, boolean, boolean, integer, double precision) IS
	'the points nearest to a vector, best first; score is the cosine similarity, the inner product or the Euclidean distance';

CREATE FUNCTION vecdb.last_search() RETURNS vecdb.search_report
	AS 'MODULE_PATHNAME', 'vdb_last_search'
	LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION vecdb.last_search() IS
	'how the last search of this session found its points, and which index would make it faster';

CREATE FUNCTION vecdb.search_request(body json, OUT vector vector, OUT top_k integer,
	OUT filter vecdb_filter, OUT include_metadata boolean, OUT include_vector boolean,
	OUT "offset" integer, OUT score_threshold double precision, OUT explain boolean)
	AS 'MODULE_PATHNAME', 'vdb_search_request'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION vecdb.search_request(json) IS
	'check the JSON body of a search and turn it into the arguments of vecdb.search()';

CREATE FUNCTION vecdb.get_point(collection text, id text) RETURNS SETOF vecdb.point
	AS 'MODULE_PATHNAME', 'vdb_get_point'
	LANGUAGE C STABLE PARALLEL UNSAFE COST 100 ROWS 1
	SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION vecdb.get_point(text, text) IS
	'the point with an id; no row if there is none';

CREATE FUNCTION vecdb.delete_points(collection text, ids text[] DEFAULT NULL, filter vecdb_filter DEFAULT NULL)
	RETURNS bigint
	AS 'MODULE_PATHNAME', 'vdb_delete_points'
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000
	SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION vecdb.delete_points(text, text[], vecdb_filter) IS
	'delete the points with these ids, or those that match a filter, {} for all; returns how many there were';

CREATE FUNCTION vecdb.count(collection text, filter vecdb_filter) RETURNS bigint
	AS 'MODULE_PATHNAME', 'vdb_count'
	LANGUAGE C STABLE PARALLEL UNSAFE COST 1000
	SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION vecdb.count(text, vecdb_filter) IS
	'the number of points that match a filter, {} for all; exact';
