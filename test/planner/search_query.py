"""Random filtered searches for check_search.py.

A Query's texts contain marks such as «3» for its values: `render` puts
literals there, `render_parameters` $1, $2, ...  Its rows are (group, key,
distance): the group is what a LIMIT counts in (one, but for LATERAL), the key
names a row.  `everything` returns all rows that match, without ORDER BY and
LIMIT; what is right follows from it.
"""

import dataclasses
import json
import re


@dataclasses.dataclass
class Value:
    type: str
    draw: object            # function that returns SQL text of a literal
    text: str


@dataclasses.dataclass
class Query:
    text: str               # select ... order by ... limit ...
    everything: str
    values: list
    limit: int | None       # number of the value that is the limit, None: no limit
    offset: int | None
    ties: bool = False
    by_id: bool = False     # rows with equal distances are ordered by id
    descending: bool = False    # ORDER BY ... DESC: rows without a distance may be first
    rounded: bool = False   # the order is that of a value rounded once more
    lateral: bool = False
    single: bool = True     # one table: the node may know the limit
    distance_shown: bool = True
    for_update: bool = False

    def render(self, text):
        return re.sub('«([0-9]+)»', lambda m: self.values[int(m[1])].text, text)

    def render_parameters(self, text):
        return re.sub('«([0-9]+)»', lambda m: f'${int(m[1]) + 1}', text)

    def redraw(self):
        for value in self.values:
            value.text = value.draw()

    def number(self, which):
        """The value of a LIMIT or OFFSET as a number; None: there is none."""
        if which is None or 'NULL' in self.values[which].text:
            return None
        return int(self.values[which].text.split(':')[0])


def literal(text):
    return "'" + text.replace("'", "''") + "'"


class Filters:
    """Draws conditions on the rows of t, under the alias given."""

    def __init__(self, rng, world, query_vector, operator, values):
        self.rng, self.world, self.values = rng, world, values
        self.query_vector, self.operator = query_vector, operator

    def value(self, kind, draw):
        """Returns the mark of a new value."""
        self.values.append(Value(kind, draw, draw()))
        return f'«{len(self.values) - 1}»'

    def integer(self, most):
        return self.value('integer', lambda: str(self.rng.randrange(most + 1)))

    def share(self):
        """A number that makes f < it select anything between nothing and all."""
        return self.value('float8', lambda: self.rng.choice(
            ['0.0', '0.001', '0.01', '0.03', '0.1', '0.3', '0.5', '0.9', '1.0']) + '::float8')

    def document(self, make, kind):
        return self.value(kind, lambda: literal(json.dumps(make())) + '::' + kind)

    def object(self):
        r = self.rng
        made = r.choice([
            lambda: {'a': r.randrange(50)}, lambda: {'c': f'c{r.randrange(10)}'},
            lambda: {'g': r.randrange(self.world.clusters + 1)}, lambda: {'o': {'x': r.randrange(20)}},
            lambda: {'tags': [f'u{r.randrange(7)}']}, lambda: {'c': 'c0', 'g': r.randrange(3)},
            lambda: {}, lambda: {'rare': 3 * r.randrange(20)}])
        return self.document(made, 'jsonb')

    def filter_object(self):
        r = self.rng
        leaves = [
            lambda: {'a': {'$gte': r.randrange(50)}},
            lambda: {'f': {'$lt': r.choice([0, .001, .01, .1, .5, 1])}},
            lambda: {'f': {'$gte': (x := round(r.random(), 2)), '$lt': x + r.choice([.002, .02, .2])}},
            lambda: {'c': {'$in': ['c0', f'c{r.randrange(10)}']}}, lambda: {'c': f'c{r.randrange(10)}'},
            lambda: {'c': {'$ne': 'c0'}}, lambda: {'rare': {'$exists': r.random() < 0.5}},
            lambda: {'g': r.randrange(self.world.clusters)}, lambda: {'o.x': {'$lt': r.randrange(20)}},
            lambda: {'tags': {'$contains': f'u{r.randrange(7)}'}},
            lambda: {'tags': {'$containsAny': ['u0', f'u{r.randrange(7)}']}},
            lambda: {'a': {'$nin': [1, 2, 3]}}, lambda: {'rare': {'$eq': 3 * r.randrange(20)}},
            lambda: {}, lambda: {'nothing': 1}]
        one, two = r.choice(leaves), r.choice(leaves)
        made = r.choice([one, one, one, lambda: {'$or': [one(), two()]},
                         lambda: {'$and': [one(), two()]}, lambda: {'$not': one()}])
        return self.document(made, 'vecdb_filter')

    def leaf(self, t):
        r, i = self.rng, self.integer
        ways = [
            (3, lambda: f'{t}.a = {i(50)}'), (1, lambda: f'{t}.a <> {i(50)}'),
            (1, lambda: f'{t}.a IN ({i(50)}, {i(50)}, {i(50)})'),
            (1, lambda: f"{t}.a = ANY ({self.value('integer[]', lambda: self.integers(50))})"),
            (2, lambda: f'{t}.a BETWEEN {i(50)} AND {i(50)}'), (1, lambda: f'{t}.a IS NULL'),
            (2, lambda: f'{t}.b < {i(20)}'), (1, lambda: f'{t}.b = {i(20)}'),
            (2, lambda: f"{t}.c = {self.value('text', lambda: literal(f'c{r.randrange(10)}'))}"),
            (1, lambda: f"{t}.c LIKE 'c%'"), (1, lambda: f"{t}.c <> 'c0'"),
            (2, lambda: f'{t}.g = {i(self.world.clusters)}'), (1, lambda: f'{t}.g <> {i(self.world.clusters)}'),
            (3, lambda: f'{t}.f < {self.share()}'), (1, lambda: f'{t}.f >= {self.share()}'),
            (4, lambda: f'{t}.m @> {self.object()}'),
            (6, lambda: f'{t}.m @~ {self.filter_object()}'),
            (1, lambda: f"{t}.m ->> 'c' = {self.value('text', lambda: literal(f'c{r.randrange(10)}'))}"),
            (1, lambda: f"({t}.m ->> 'a')::integer >= {i(50)}"),
            (1, lambda: f"{t}.m @? '$.tags[*] ? (@ == \"u1\")'"),
            (1, lambda: f"jsonb_path_match({t}.m, '$.f < 0.2')"), (1, lambda: f"{t}.m ? 'rare'"),
            (2, lambda: f'{t}.id = {i(self.world.rows + 1)}'),
            (1, lambda: f"{t}.id = ANY ({self.value('integer[]', lambda: self.integers(self.world.rows))})"),
            (1, lambda: f'{t}.id % 2 = {i(1)}'), (1, lambda: f'{t}.w > 0'),
            (1, lambda: f'({t}.v {self.operator} {self.query_vector}) < {self.near()}'),
            (1, lambda: f'{t}.v IS NOT NULL'), (1, lambda: f'{t}.v IS NULL'),
            (1, lambda: f'EXISTS (SELECT FROM s WHERE s.k = {t}.a)'),
            (1, lambda: f"NOT EXISTS (SELECT FROM s WHERE s.k = {t}.a AND s.cat = 'x1')"),
            (1, lambda: f"{t}.a IN (SELECT k FROM s WHERE cat = 'x{r.randrange(4)}')"),
            (1, lambda: f'{t}.a = (SELECT max(k) - {i(20)} FROM s)'),
            (1, lambda: f'{t}.m @> (SELECT jsonb_build_object(\'a\', k) FROM s WHERE k = {i(9)} * 4)'),
            (1, lambda: f'(SELECT count(*) FROM s) > {i(20)}'), (1, lambda: f'{i(3)} > 0'),
            (1, lambda: 'false')]
        return r.choices([w[1] for w in ways], [w[0] for w in ways])[0]()

    def near(self):
        return self.value('float8', lambda: self.rng.choice(
            ['-1', '0', '0.1', '0.5', '1', '3', '10', '100']) + '::float8')

    def integers(self, most):
        return "'{" + ','.join(str(self.rng.randrange(most + 1)) for _ in range(self.rng.choice([0, 1, 5, 40]))) + "}'"

    def condition(self, t, depth=2):
        r = self.rng.random()
        if depth == 0 or r < 0.5:
            return self.leaf(t)
        if r < 0.75:
            return f'{self.condition(t, depth - 1)} AND {self.condition(t, depth - 1)}'
        if r < 0.93:
            return f'({self.condition(t, depth - 1)} OR {self.condition(t, depth - 1)})'
        return f'NOT ({self.condition(t, depth - 1)})'


class Queries:
    """Draws queries on a world."""

    def __init__(self, rng, world):
        self.rng, self.world = rng, world

    def draw(self):
        r, values = self.rng, []
        operator = self.world.operator if r.random() < 0.95 else r.choice(['<->', '<=>', '<#>', '<+>'])
        lateral = r.random() < 0.12
        vector = 'q.v' if lateral else self.query_vector(values)
        filters = Filters(r, self.world, vector, operator, values)
        where = filters.condition('t') if r.random() < 0.95 else 'true'
        if lateral and r.random() < 0.3:
            where = f'({where}) AND ' + r.choice(['t.a >= q.a', 't.b = q.id', "t.m @> jsonb_build_object('a', q.a)"])
        source, key, single = self.source(filters, lateral)
        distance = f't.v {operator} {vector}'
        order, flags = self.order(operator, vector)
        limit, offset, text = self.limit(values)
        query = Query('', '', values, limit, offset, lateral=lateral, single=single, **flags)
        query.ties = text.endswith('TIES')
        shown = distance
        if r.random() < 0.2 and order != 'd':
            query.distance_shown, shown = False, 'NULL::float8'
        inner = f'SELECT {key} AS key, {shown} AS d FROM {source} WHERE {where} ORDER BY {order}{text}'
        if not lateral:
            query.for_update = not query.ties and r.random() < 0.08
            if query.for_update:
                inner += r.choice([' FOR UPDATE OF t', ' FOR SHARE OF t', ' FOR UPDATE OF t SKIP LOCKED'])
            query.text = self.wrap(inner, query)
            query.everything = f"SELECT '', {key}, {distance} FROM {source} WHERE {where}"
        else:
            join = r.choice([', LATERAL ({}) x', ' LEFT JOIN LATERAL ({}) x ON true',
                             ' CROSS JOIN LATERAL ({}) x'])
            query.text = 'SELECT q.id, x.key, x.d FROM q' + join.format(inner)
            query.everything = f'SELECT q.id, {key}, {distance} FROM q, {source} WHERE {where}'
        return query

    def wrap(self, inner, query):
        way = self.rng.random()
        if query.for_update or way < 0.7:
            return inner.replace('SELECT ', "SELECT '', ", 1)
        if way < 0.8:
            return f"WITH x AS MATERIALIZED ({inner}) SELECT '', key, d FROM x"
        if way < 0.9:
            return f"SELECT '', key, d FROM ({inner}) x"
        return f"SELECT '', key, d FROM ({inner} OFFSET 0) x" if query.limit is None and query.offset is None \
            else f"SELECT '', x.* FROM ({inner}) x"

    def query_vector(self, values):
        r = self.rng
        number = lambda: r.choice([100000 + r.randrange(1000), r.randrange(1, self.world.rows + 2)])
        draw = lambda: (self.world.zero() if r.random() < 0.02 else self.world.vector(number()))
        way = r.random()
        if way < 0.12:
            return f'(SELECT v FROM q WHERE id = {r.randrange(1, 8)})'
        if way < 0.14:
            return f'NULL::{self.world.type}'
        values.append(Value(self.world.type, draw, draw()))
        return '«0»'

    def source(self, filters, lateral):
        """Returns (FROM, key of a row, whether it is one table)."""
        r = self.rng
        if lateral or r.random() < 0.82:
            if self.world.kind == 'plain' and r.random() < 0.1:
                return 'ONLY t', 't.id::text', True
            return 't', 't.id::text', self.world.kind == 'plain'
        key = "t.id || '/' || coalesce(s.k::text, '-')"
        return r.choice([
            ('t JOIN s ON s.k = t.a', key, False), ('t LEFT JOIN s ON s.k = t.a', key, False),
            (f't JOIN s ON s.l = t.b AND s.k < {filters.integer(60)}', key, False),
            ("(SELECT * FROM t WHERE b < 15 OFFSET 0) t", 't.id::text', False),
            ('(SELECT * FROM t WHERE b < 15) t', 't.id::text', self.world.kind == 'plain')])

    def order(self, operator, vector):
        r = self.rng
        flags = {}
        way = r.random()
        distance = r.choice([f't.v {operator} {vector}'] * 4 + [f'{vector} {operator} t.v'])
        if way < 0.45:
            return distance, flags
        if way < 0.55:
            return 'd', flags
        if way < 0.70:
            return f'{distance}, t.id', {'by_id': True}
        nulls = r.choice([' NULLS LAST', ' NULLS LAST', ''])
        if way < 0.85 and operator == '<=>':
            return f'1 - ({distance}) DESC{nulls}', {'descending': True, 'rounded': True}
        if way < 0.85 and operator == '<#>':
            return r.choice(['({}) * -1 DESC', '-({}) DESC', '(-1) * ({}) DESC']).format(distance) + nulls, {
                'descending': True}
        if way < 0.93:
            return f'{distance} ASC NULLS LAST', flags
        return f'({distance})', flags

    def limit(self, values):
        """Returns (value of the limit, value of the offset, text)."""
        r = self.rng
        way = r.random()

        def add(draw):
            values.append(Value('bigint', draw, draw()))
            return len(values) - 1
        count = lambda: str(r.choice([0, 1, 1, 3, 10, 10, 10, 10, 20, 50, 200, 5000]))
        if way < 0.08:
            return None, None, ''
        if way < 0.12:
            return add(lambda: 'NULL::bigint'), None, f' LIMIT «{len(values) - 1}»'
        limit = add(count)
        if way < 0.22:
            # a parameter in WITH TIES has to be in parentheses
            return limit, None, f' FETCH FIRST («{limit}») ROWS WITH TIES'
        if way < 0.4:
            offset = add(lambda: str(r.choice([0, 1, 5, 30, 500])))
            return limit, offset, f' LIMIT «{limit}» OFFSET «{offset}»'
        return limit, None, f' LIMIT «{limit}»'
