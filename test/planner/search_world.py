"""Random tables for check_search.py.

A world is a table `t` (plain, partitioned, or with children), and two small
ones: `s` for joins and `q` with query vectors.  Everything in it is a function
of numbers, made by SQL, so that a world's script is short and makes the same
rows again.

  id    1, 2, ...           unique
  v     vector or halfvec   some NULL, some zero, duplicates, ties
  a     0 .. 49, or NULL    indexed, or not
  b     0 .. 19             never indexed
  c     'c0' .. 'c9'
  g     the cluster that the vector is near: correlated with it
  f     nearly unique, 0 to 1
  m     jsonb of these, or NULL
  w     changed by updates that may be HOT
"""

FUNCTIONS = '''
CREATE FUNCTION h(n integer, salt integer) RETURNS float8 LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$ SELECT (hashint4extended(n, salt) >> 11 & 1048575) / 1048576.0 $$;
CREATE FUNCTION near(n integer, dimension integer, clusters integer) RETURNS vector
    LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT array_agg((2 * h(n % clusters * 1009 + i, 7) - 1 + (h(n * 1013 + i, 8) - 0.5) * 0.8)::real)::vector
      FROM generate_series(1, dimension) i $$;
CREATE FUNCTION grid(n integer, dimension integer, clusters integer) RETURNS vector
    LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT array_agg((floor(3 * h(n * 1013 + i, 9)) - 1)::real)::vector
      FROM generate_series(1, dimension) i $$;
CREATE FUNCTION same(n integer, dimension integer, clusters integer) RETURNS vector
    LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT near(n % (clusters * 3), dimension, clusters) $$;
CREATE FUNCTION zero(dimension integer) RETURNS vector LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$ SELECT array_fill(0, ARRAY[dimension])::vector $$;
'''

# and the operator classes, but for the name of the type before them
OPERATORS = {'<->': 'l2_ops', '<=>': 'cosine_ops', '<#>': 'ip_ops', '<+>': 'l1_ops'}
TYPES = ['vector', 'vector', 'halfvec']


class World:
    """Draws a world; `statements` make it."""

    def __init__(self, rng, has_filter_ops, most_rows):
        self.rng = rng
        self.type = rng.choice(TYPES)
        self.dimension = rng.choice([1, 2, 3, 8, 8, 16, 16, 32, 48, 64, 100])
        self.clusters = rng.choice([1, 5, 10, 20])
        self.maker = rng.choice(['near', 'near', 'near', 'grid', 'same'])
        self.rows = rng.choice([0, 1, 5, 30, 300, 1000, 1000, 1000, 2000, 2000, most_rows, most_rows])
        self.kind = rng.choice(['plain'] * 6 + ['partitioned', 'inherited'])
        # what orders use: sometimes one that no index serves
        self.operator = rng.choice(list(OPERATORS))
        self.has_filter_ops = has_filter_ops
        self.not_null = rng.random() < 0.2
        self.partial = False
        self.statements = [*self.tables(), *self.side_tables()]
        if rng.random() < 0.5:
            self.statements += [*self.fill(0, self.rows), *self.indexes(), *self.churn()]
        else:
            half = self.rows // 2
            self.statements += [*self.fill(0, half), *self.indexes(), *self.fill(half, self.rows),
                                *self.churn()]
        if rng.random() < 0.85:
            self.statements.append('ANALYZE t')

    def describe(self):
        return (f'{self.kind}, {self.rows} rows, {self.type}({self.dimension}), {self.maker}, '
                f'{self.operator}')

    def vector(self, number):
        """SQL of the vector that a number (or expression) stands for."""
        return f'{self.maker}({number}, {self.dimension}, {self.clusters})::{self.type}'

    def zero(self):
        return f'zero({self.dimension})::{self.type}'

    def tables(self):
        r = self.rng
        null = ' NOT NULL' if self.not_null else ''
        columns = (f'id integer, v {self.type}({self.dimension}){null}, a integer, b integer, c text, '
                   'g integer, f float8, m jsonb, w integer')
        option = ''
        if r.random() < 0.4:
            option = f" WITH (fillfactor = {r.choice([50, 90])}, toast_tuple_target = 128)"
        if self.kind == 'partitioned':
            yield f'CREATE TABLE t ({columns}) PARTITION BY RANGE (b)'
            for name, bounds in (('t1', 'FOR VALUES FROM (0) TO (3)'),
                                 ('t2', 'FOR VALUES FROM (3) TO (15)'), ('t3', 'DEFAULT')):
                yield f'CREATE TABLE {name} PARTITION OF t {bounds}{option}'
            self.parts = ['t1', 't2', 't3']
        else:
            yield f'CREATE TABLE t ({columns}){option}'
            self.parts = ['t']
            if self.kind == 'inherited':
                yield f'CREATE TABLE t1 () INHERITS (t){option}'
                yield f'CREATE TABLE t2 (extra integer) INHERITS (t){option}'
                self.parts += ['t1', 't2']
        storage = r.choice([None, 'EXTERNAL', 'EXTENDED', 'MAIN', 'PLAIN'])
        if storage:
            for part in self.parts:
                yield f'ALTER TABLE {part} ALTER v SET STORAGE {storage}'

    def side_tables(self):
        yield 'CREATE TABLE s (k integer, cat text, l integer)'
        yield ("INSERT INTO s SELECT n * 4, 'x' || n % 3, n % 4 + 1 FROM generate_series(0, 14) n")
        yield f'CREATE TABLE q (id integer PRIMARY KEY, v {self.type}({self.dimension}), a integer)'
        yield (f"INSERT INTO q SELECT n, CASE n WHEN 9 THEN NULL WHEN 8 THEN {self.zero()} "
               f"ELSE {self.vector('100000 + n')} END, n * 5 FROM generate_series(1, 9) n")

    def fill(self, first, last):
        """Inserts rows number first + 1 .. last."""
        odd = '' if self.not_null else 'WHEN n % 19 = 3 THEN NULL '
        document = ("CASE WHEN n % 29 <> 11 THEN jsonb_build_object('a', a, 'c', c, 'g', g, 'f', f, "
                    "'o', jsonb_build_object('x', b), 'tags', jsonb_build_array('u' || a % 5, 'u' || b % 7)) "
                    "|| CASE WHEN n % 3 = 0 THEN jsonb_build_object('rare', n % 60) ELSE '{}' END END")
        # children get rows in turns; a partitioned table sends them by itself
        targets = ['t'] if self.kind == 'partitioned' else self.parts
        for number, target in enumerate(targets):
            mine = f'n % {len(targets)} = {number}'
            yield (f"INSERT INTO {target} (id, v, a, b, c, g, f, m, w) SELECT n, "
                   f"CASE {odd}WHEN n % 31 = 4 THEN {self.zero()} ELSE {self.vector('n')} END, "
                   f"a, b, c, g, f, {document}, 0 FROM (SELECT n, "
                   "CASE WHEN n % 13 <> 5 THEN floor(50 * h(n, 1))::integer END AS a, "
                   "floor(20 * h(n, 2))::integer AS b, 'c' || floor(10 * h(n, 3) ^ 2) AS c, "
                   f"n % {self.clusters} AS g, h(n, 4) AS f "
                   f"FROM generate_series({first + 1}, {last}) n WHERE {mine} OFFSET 0) x")

    def hnsw(self, name, table, operator, where=''):
        m = self.rng.choice([4, 8, 16, 16])
        return (f'CREATE INDEX {name} ON {table} USING hnsw (v {self.type}_{OPERATORS[operator]}) '
                f'WITH (m = {m}, ef_construction = {self.rng.choice([2 * m, 64])}){where}')

    def indexes(self):
        r = self.rng
        operator = self.operator
        if r.random() < 0.05:
            operator = r.choice(list(OPERATORS))
        where = ''
        if r.random() < 0.12:
            where = ' WHERE ' + r.choice(['b < 12', 'v IS NOT NULL', "c <> 'c0'"])
            self.partial = True
        ways = [('a', '(a)', 0.7), ('c', '(c)', 0.4), ('f', '(f)', 0.4), ('ab', '(a, b)', 0.15),
                ('ch', 'USING hash (c)', 0.1), ('mc', "((m ->> 'c'))", 0.3), ('id', '(id)', 0.8),
                ('w', '(w)', 0.1), ('half', '(g) WHERE b < 10', 0.2)]
        gin = r.choice([None, '', 'jsonb_path_ops',
                        *(['jsonb_filter_ops'] * 4 if self.has_filter_ops else [])])
        if gin is not None:
            slow = r.choice(['on', 'off'])
            ways.append(('m', f'USING gin (m {gin}) WITH (fastupdate = {slow})', 1))
        # an index of a parent alone does not reach its children
        tables = ['t'] if self.kind == 'partitioned' else self.parts
        for table in tables:
            if r.random() < 0.95:
                yield self.hnsw(f'{table}_v', table, operator, where)
            if r.random() < 0.1:
                yield self.hnsw(f'{table}_v2', table, r.choice(list(OPERATORS)))
            for name, how, share in ways:
                if r.random() < share:
                    yield f'CREATE INDEX {table}_{name} ON {table} {how}'

    def churn(self):
        """Updates, deletions, aborted changes: dead entries, HOT chains, vacuum."""
        r = self.rng
        steps = [
            'UPDATE t SET w = w + 1 WHERE id % 5 = 0',
            'UPDATE t SET w = w + 1 WHERE id % 10 = 0',
            f"UPDATE t SET v = {self.vector('id + 50000')} WHERE id % 11 = 1",
            'UPDATE t SET a = (a + 7) % 50, m = m || jsonb_build_object(\'a\', (a + 7) % 50) WHERE id % 12 = 2',
            'DELETE FROM t WHERE id % 7 = 2', 'DELETE FROM t WHERE g = 2', 'DELETE FROM t WHERE id > 20',
            'BEGIN;\nUPDATE t SET w = 99;\nROLLBACK', 'BEGIN;\nDELETE FROM t WHERE b < 5;\nROLLBACK',
            f"BEGIN;\nINSERT INTO {self.parts[0]} (id, v, a, b, g) SELECT 70000 + n, {self.vector('n')}, 1, 1, 1 "
            "FROM generate_series(1, 50) n;\nROLLBACK",
            'VACUUM t', 'VACUUM t', 'VACUUM (INDEX_CLEANUP off) t']
        weights = [3, 3, 2, 2, 2, 1, 1, 1, 1, 1, 2, 2, 1]
        for _ in range(r.choice([0, 2, 3, 5, 8])):
            yield r.choices(steps, weights)[0]
