--
-- sparsevec: order, equality, hash, the operator classes of btree and hash
--

-- the order is that of the dense vectors
CREATE TABLE v (id int GENERATED ALWAYS AS IDENTITY, s sparsevec);
INSERT INTO v (s) VALUES ('{}/1'), ('{}/2'), ('{}/3'), ('{1:1}/1'), ('{1:1}/2'), ('{1:-1}/1'), ('{1:-1}/3'),
	('{2:1}/2'), ('{2:-1}/2'), ('{2:1}/3'), ('{3:-1}/3'), ('{3:1}/3'), ('{1:1,3:-2}/3'), ('{1:1,2:2}/2'), ('{1:1,2:-2}/2'),
	('{1:2}/2'), ('{2:1,3:1}/3'), ('{2:1,3:-1}/3');
SELECT a.s, b.s, sparsevec_cmp(a.s, b.s), vector_cmp(a.s::vector, b.s::vector) FROM v a, v b
	WHERE sparsevec_cmp(a.s, b.s) <> vector_cmp(a.s::vector, b.s::vector)
		OR (a.s < b.s, a.s <= b.s, a.s = b.s, a.s <> b.s, a.s >= b.s, a.s > b.s)
			<> (a.s::vector < b.s::vector, a.s::vector <= b.s::vector, a.s::vector = b.s::vector,
				a.s::vector <> b.s::vector, a.s::vector >= b.s::vector, a.s::vector > b.s::vector);
SELECT string_agg(s::text, ' ' ORDER BY s) FROM v;

-- btree
CREATE INDEX v_btree ON v (s);
SET enable_seqscan = off;
EXPLAIN (COSTS OFF) SELECT id FROM v WHERE s = '{2:1}/3';
SELECT id FROM v WHERE s = '{2:1}/3';
SELECT id FROM v WHERE s > '{1:1,2:1}/2' ORDER BY s;
DROP INDEX v_btree;

-- hash
CREATE INDEX v_hash ON v USING hash (s);
EXPLAIN (COSTS OFF) SELECT id FROM v WHERE s = '{2:1}/3';
SELECT id FROM v WHERE s = '{2:1}/3';
RESET enable_seqscan;
SELECT count(DISTINCT sparsevec_hash(s)) = count(*) AS hashes_differ,
	bool_and(sparsevec_hash(s) = sparsevec_hash(s::text::sparsevec)) AS equal_hashes,
	bool_and((sparsevec_hash_extended(s, 0) & 4294967295) = (sparsevec_hash(s)::bigint & 4294967295)) AS low_half
	FROM v;
SET enable_sort = off;
SELECT count(*) FROM (SELECT DISTINCT s FROM (SELECT s FROM v UNION ALL SELECT s FROM v) twice) d;
SET enable_mergejoin = off;
SET enable_nestloop = off;
EXPLAIN (COSTS OFF) SELECT count(*) FROM v a JOIN v b USING (s);
SELECT count(*) FROM v a JOIN v b USING (s);
DROP TABLE v;
