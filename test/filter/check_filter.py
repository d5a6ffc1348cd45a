#!/usr/bin/env python3
"""Compare the server's filters with an independent evaluator.

The evaluator below follows the truth table in src/filter/README.md and nothing
else.  Random documents and filters go to the server through psql, which takes
its connection from the PG* environment variables; the server's answer must be
the evaluator's for every pair of a document and a filter, by each of these
ways: a filter per row, a literal in the query, the complement by "$not", and
after a round trip through text, jsonb and the binary format; and by an index:
one that was there before the documents, one built afterwards, one with half of
the documents in its pending list, in a generic plan, for two conditions at once,
with ranges that give up, and with bitmaps that become lossy.  What contains
parts of documents (@>) must be the same with an index and without.  Then filters
are broken at one random place, and the error must name that place.

The last line is "N passed, N failed"; the exit code is 1 if anything failed.
"""
import argparse
import copy
import json
import os
import random
import subprocess
import sys
import tempfile
from decimal import Decimal


# --- JSON values: None, bool, Num, str, list, dict -------------------------

class Num:
    """A number that remembers how it was written."""

    def __init__(self, text):
        self.text = text
        self.value = Decimal(text)

    def __deepcopy__(self, memo):
        return self


class Pairs(list):
    """An object as a list of pairs, which may repeat a key."""


def dump(value, rng):
    """JSON text; random between escaped and plain characters, and in spaces."""
    if isinstance(value, Num):
        return value.text
    if value is None or isinstance(value, (bool, str)):
        return json.dumps(value, ensure_ascii=rng.random() < 0.5)
    space = rng.choice(['', ' ', '\n '])
    if isinstance(value, list) and not isinstance(value, Pairs):
        return '[' + (',' + space).join(dump(v, rng) for v in value) + ']'
    pairs = value if isinstance(value, Pairs) else list(value.items())
    return '{' + (',' + space).join(
        dump(k, rng) + ':' + space + dump(v, rng) for k, v in pairs) + '}'


# --- the evaluator ----------------------------------------------------------

MISSING = object()


def kind(value):
    if value is None:
        return 'null'
    if isinstance(value, bool):
        return 'boolean'
    return {Num: 'number', str: 'string', list: 'array', dict: 'object'}[type(value)]


def equal(a, b):
    if kind(a) != kind(b):
        return False
    if isinstance(a, Num):
        return a.value == b.value
    if isinstance(a, list):
        return len(a) == len(b) and all(equal(x, y) for x, y in zip(a, b))
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(equal(a[k], b[k]) for k in a)
    return a == b


def compare(a, b):
    """-1, 0 or 1 for two values of one ordered kind, otherwise None."""
    if kind(a) != kind(b):
        return None
    if kind(a) == 'number':
        a, b = a.value, b.value
    elif kind(a) == 'string':
        a, b = a.encode(), b.encode()
    elif kind(a) != 'boolean':
        return None
    return (a > b) - (a < b)


def find(document, path):
    for name in path.split('.'):
        if not isinstance(document, dict) or name not in document:
            return MISSING
        document = document[name]
    return document


def is_one_of(value, candidates):
    return any(equal(value, c) for c in candidates)


def holds(operator, operand, value):
    """One operator against what the path has found, perhaps MISSING."""
    if operator == '$not':
        return not all(holds(o, v, value) for o, v in operand.items())
    if operator == '$ne':
        return not holds('$eq', operand, value)
    if operator == '$nin':
        return not holds('$in', operand, value)
    if operator == '$exists':
        return (value is not MISSING) == operand
    if value is MISSING:
        return False
    if operator == '$eq':
        return equal(value, operand)
    if operator == '$in':
        return is_one_of(value, operand)
    if operator.startswith('$contains'):
        if not isinstance(value, list):
            return False
        if operator == '$contains':
            return is_one_of(operand, value)
        if operator == '$containsAny':
            return any(is_one_of(o, value) for o in operand)
        if operator == '$containsAll':
            return all(is_one_of(o, value) for o in operand)
    order = compare(value, operand)
    if order is None:
        return False
    return {'$gt': order > 0, '$gte': order >= 0,
            '$lt': order < 0, '$lte': order <= 0}[operator]


def matches(document, filt):
    for key, value in filt.items():
        if key == '$and':
            ok = all(matches(document, f) for f in value)
        elif key == '$or':
            ok = any(matches(document, f) for f in value)
        elif key == '$not':
            ok = not matches(document, value)
        else:
            found = find(document, key)
            if isinstance(value, dict):
                ok = all(holds(o, v, found) for o, v in value.items())
            else:
                ok = holds('$eq', value, found)
        if not ok:
            return False
    return True


# --- random documents and filters -------------------------------------------

NUMBERS = [Num(t) for t in (
    '0', '-0', '0.0', '1', '1.0', '1e0', '10e-1', '2', '-1', '3', '0.1', '0.10',
    '0.1000000000000000055511151231257827', '1e400', '1.0e400', '10e399', '1e399',
    '-1e400', '1e-400', '9007199254740992', '9007199254740993', '1e131071',
    '123456789012345678901234567890.5', '1E+2', '100', '99.99',
    # at the limits of what an index key holds, and their neighbours
    '-1.5', '-1.00000001', '-1.0001', '-0.1', '-1e-400', '9999', '10000', '-9999', '-10000', '1e128', '-1e128',
    '1e124', '1e-128', '1e-124', '1' * 48, '1' * 48 + '.1', '1' * 48 + '.2', '-' + '1' * 48, '-' + '1' * 48 + '.1',
    '-' + '1' * 48 + '.2', '1.' + '0' * 60 + '1', '1.' + '0' * 60 + '2', '-1.' + '0' * 60 + '1')]
STRINGS = [
    '', 'a', 'A', 'b', 'ab', 'B', '1', '1.0', 'null', 'true', '\u00e9', 'e\u0301',
    '\U0001f600', '\uffff', '\ufb01', '\U00010000', '\u65e5\u672c', ' ', 'a ',
    '$gt', 'a.b', '"\\\n\t/\'', '\u0001', '\u007f', '2015-01-31', '2015-02-01',
    # around the length of string that an index key holds
    'x' * 47, 'x' * 48, 'x' * 49, 'x' * 47 + 'y', 'x' * 48 + '\u0001', 'x' * 47 + '\u00e9', 'x' * 46 + '\u00e9z',
    'x' * 5000, 'x' * 5000 + 'y', 'x' * 200000]
NAMES = ['a', 'b', 'c', 'd', '0', 'k 1', 'a$', '\u00e9', '\U0001f600', 'n' * 125, 'n' * 128, 'n' * 129 + 'm']
ODD_KEYS = ['a.b', '', '$gt', '$eq', 'A', 'x' * 300]
SCALAR_OPERATORS = ['$eq', '$ne', '$contains']
ORDER_OPERATORS = ['$gt', '$gte', '$lt', '$lte']
LIST_OPERATORS = ['$in', '$nin', '$containsAny', '$containsAll']


def clip(key):
    """A key as error messages show it: 64 bytes, whole characters."""
    if len(key.encode()) <= 64:
        return key
    return key.encode()[:64].decode(errors='ignore') + '...'


class Generator:
    def __init__(self, rng):
        self.rng = rng
        self.documents = []
        self.recent = None

    def scalar(self):
        r = self.rng
        return r.choice([lambda: None, lambda: r.random() < 0.5,
                         lambda: r.choice(NUMBERS), lambda: r.choice(NUMBERS),
                         lambda: r.choice(STRINGS[:-3]), lambda: r.choice(STRINGS[:-3]),
                         lambda: r.choice(STRINGS)])()

    def value(self, depth):
        r = self.rng.random()
        if depth == 0 or r < 0.5:
            return self.scalar()
        if r < 0.75:
            return [self.value(depth - 1) for _ in range(self.rng.randrange(5))]
        return self.object(depth - 1)

    def object(self, depth):
        keys = [self.rng.choice(NAMES[:4] if self.rng.random() < 0.8 else NAMES + ODD_KEYS)
                for _ in range(self.rng.randrange(5))]
        return {k: self.value(depth) for k in keys}

    def chain(self, length):
        """Deeply nested: objects and arrays around a scalar."""
        value = self.scalar()
        for _ in range(length):
            value = [value] if self.rng.random() < 0.5 else {'a': value}
        return value

    def document(self):
        r = self.rng.random()
        if r < 0.04:
            return self.value(2)
        if r < 0.08:
            return {'a': self.chain(self.rng.randrange(300)), 'b': self.chain(5)}
        document = self.object(3)
        while len(document) < 3:
            document[self.rng.choice(NAMES[:4])] = self.value(3)
        return document

    def target(self):
        """A path, and a value that some document has there, if any has.

        Often the previous one, because several conditions on one path meet
        each other in an AND.
        """
        if self.recent is None or self.rng.random() < 0.6:
            self.recent = self.new_target()
        return self.recent

    def new_target(self):
        r = self.rng
        if r.random() < 0.7:
            here = r.choice(self.documents)
            names = []
            while isinstance(here, dict):
                usable = [k for k in here if k in NAMES]
                if not usable or (names and r.random() < 0.4):
                    break
                names.append(r.choice(usable))
                here = here[names[-1]]
            if names:
                return '.'.join(names), here
        return '.'.join(r.choice(NAMES) for _ in range(r.choice([1, 1, 2, 3]))), self.value(2)

    def operand(self, found):
        """An operand that has a chance to match what was found."""
        r = self.rng.random()
        if r < 0.5 and self.depth(found) < 20:
            return copy.deepcopy(found)
        if r < 0.8 and isinstance(found, list) and found and self.depth(found) < 20:
            return copy.deepcopy(self.rng.choice(found))
        return self.value(2)

    def depth(self, value):
        inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else []
        return 1 + max((self.depth(v) for v in inner), default=0)

    def operators(self, found, depth=0):
        r = self.rng
        result = {}
        for _ in range(r.choice([1, 1, 1, 2, 2, 3])):
            choice = r.random()
            if choice < 0.3:
                result[r.choice(SCALAR_OPERATORS)] = self.operand(found)
            elif choice < 0.6:
                operand = self.operand(found)
                if kind(operand) not in ('number', 'string', 'boolean'):
                    operand = r.choice([r.choice(NUMBERS), r.choice(STRINGS), True, False])
                result[r.choice(ORDER_OPERATORS)] = operand
            elif choice < 0.8:
                size = r.choice([0, 1, 2, 3, 5, 100])
                values = [self.operand(found) for _ in range(size)]
                if isinstance(found, list) and self.depth(found) < 20 and r.random() < 0.5:
                    values = copy.deepcopy(r.sample(found, r.randrange(len(found) + 1)))
                result[r.choice(LIST_OPERATORS)] = values
            elif choice < 0.88:
                result['$exists'] = r.random() < 0.7
            elif depth < 3:
                result['$not'] = self.operators(found, depth + 1)
        return result or {'$exists': True}

    def filter(self, depth):
        r = self.rng
        result = {}
        for _ in range(r.choice([0, 1, 1, 1, 1, 2, 2, 3]) if depth < 4 else 1):
            choice = r.random()
            if depth > 0 and choice < 0.25:
                result[r.choice(['$and', '$or', '$or'])] = [
                    self.filter(depth - 1) for _ in range(r.choice([1, 2, 2, 3]))]
            elif depth > 0 and choice < 0.35:
                result['$not'] = self.filter(depth - 1)
            else:
                path, found = self.target()
                operand = self.operand(found)
                if r.random() < 0.25 and not isinstance(operand, dict):
                    result[path] = operand
                else:
                    result[path] = self.operators(found)
        return result

    def part(self, value):
        """Something that the value, a document or a part of one, may contain."""
        r = self.rng
        if isinstance(value, dict):
            return {k: self.part(v) for k, v in value.items() if r.random() < 0.4}
        if isinstance(value, list):
            return [self.part(v) for v in value if r.random() < 0.4]
        return value if r.random() < 0.95 else self.scalar()

    # Faults: a copy of a filter that is wrong in one place, and that place.

    def spots(self, filt, place):
        """All objects of the filter that hold entries or operators."""
        yield 'filter', filt, place
        for key, value in filt.items():
            here = place + [key]
            if key in ('$and', '$or'):
                for i, f in enumerate(value):
                    yield from self.spots(f, here[:-1] + ['%s[%d]' % (key, i)])
            elif key == '$not':
                yield from self.spots(value, here)
            elif isinstance(value, dict):
                yield from self.operator_spots(value, here)

    def operator_spots(self, operators, place):
        yield 'operators', operators, place
        if '$not' in operators:
            yield from self.operator_spots(operators['$not'], place + ['$not'])

    FAULTS = {
        'filter': [('$foo', None), ('$gt', Num('1')), ('$and', []), ('$or', {}),
                   ('$and', [Num('1')]), ('$not', []), ('', Num('1')), ('a..b', None),
                   ('a.$gt', Num('1')), ('e', {}), ('e', {'gte': Num('1')}),
                   ('e', {'$not': {}}), ('e', {'$gt': None}), ('e', {'$in': 'x'})],
        'operators': [('$foo', None), ('gt', Num('1')), ('$gt', None), ('$gte', []),
                      ('$lt', {}), ('$lte', [Num('1')]), ('$in', Num('1')), ('$nin', {}),
                      ('$exists', Num('1')), ('$containsAny', None), ('$containsAll', 'x'),
                      ('$not', Num('1')), ('$not', {}), ('$and', [{}]), ('', None)]}
    # where the fault is below the key that was added
    BELOW = {('$and', 1): '[0]', ('e', 'gte'): '.gte', ('e', '$not'): '.$not',
             ('e', '$gt'): '.$gt', ('e', '$in'): '.$in'}

    def broken(self, filt):
        filt = copy.deepcopy(filt)
        what, spot, place = self.rng.choice(list(self.spots(filt, [])))
        if spot and self.rng.random() < 0.2:
            key = self.rng.choice(list(spot))
            pairs = Pairs(list(spot.items()) + [(key, True)])
            self.rng.shuffle(pairs)
            return self.replace(filt, spot, pairs), '.'.join(map(clip, place + [key]))
        key, value = self.rng.choice(self.FAULTS[what])
        spot[key] = copy.deepcopy(value)
        below = ''
        if what == 'filter' and key == '$and' and value:
            below = self.BELOW['$and', 1]
        elif key == 'e' and value:
            below = self.BELOW['e', next(iter(value))]
        return filt, '.'.join(map(clip, place + [key])) + below

    def replace(self, value, old, new):
        if value is old:
            return new
        if isinstance(value, dict):
            return {k: self.replace(v, old, new) for k, v in value.items()}
        if isinstance(value, list):
            return [self.replace(v, old, new) for v in value]
        return value


# --- the server ---------------------------------------------------------------

SETUP = r'''
\set ON_ERROR_STOP 1
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS vecdb;
CREATE TEMP TABLE doc (i int, d jsonb);
CREATE TEMP TABLE raw (j int, f text);
CREATE TEMP TABLE broken (j int, f text);
CREATE FUNCTION pg_temp.rejection(filter text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    PERFORM filter::vecdb_filter;
    RETURN 'accepted';
EXCEPTION WHEN OTHERS THEN
    RETURN SQLSTATE || ' ' || SQLERRM;
END $$;
'''

QUERIES = r'''
CREATE TEMP TABLE filter AS SELECT j, f::vecdb_filter AS row,
    ('{"$not": ' || f || '}')::vecdb_filter AS complement FROM raw;
CREATE TEMP TABLE copied AS SELECT j, row::text::vecdb_filter AS by_text,
    row::jsonb::vecdb_filter AS by_jsonb FROM filter;
CREATE TEMP TABLE by_binary (j int, f vecdb_filter);
\copy (SELECT j, row FROM filter) TO '{file}' (FORMAT binary)
\copy by_binary FROM '{file}' (FORMAT binary)
COPY (SELECT 'row', j, string_agg((d @~ row)::int::text, '' ORDER BY i)
    FROM (SELECT * FROM doc, filter ORDER BY i, j OFFSET 0) s GROUP BY j) TO STDOUT;
COPY (SELECT 'not', j, string_agg((NOT d @~ complement)::int::text, '' ORDER BY i)
    FROM doc, filter GROUP BY j) TO STDOUT;
COPY (SELECT 'text', j, string_agg(vecdb_match(d, by_text)::int::text, '' ORDER BY i)
    FROM doc, copied GROUP BY j) TO STDOUT;
COPY (SELECT 'jsonb', j, string_agg(vecdb_match(d, by_jsonb)::int::text, '' ORDER BY i)
    FROM doc, copied GROUP BY j) TO STDOUT;
COPY (SELECT 'binary', j, string_agg(vecdb_match(d, f)::int::text, '' ORDER BY i)
    FROM doc, by_binary GROUP BY j) TO STDOUT;
COPY (SELECT 'same', j, (row::text = by_text::text AND row::text = by_jsonb::text
        AND row::text = b.f::text)::int
    FROM filter JOIN copied USING (j) JOIN by_binary b USING (j)) TO STDOUT;
COPY (SELECT 'broken', j, pg_temp.rejection(f) FROM broken) TO STDOUT;
'''

LITERAL = '''COPY (SELECT 'literal', %d, string_agg((d @~ '%s')::int::text, '' ORDER BY i) FROM doc) TO STDOUT;
'''

# Half of what is in later_d is in its pending list, and spread has more pages
# than a bitmap of 64 kB can hold one by one.
INDEXES = r"""
CREATE TEMP TABLE before (i int, d jsonb);
CREATE INDEX before_d ON before USING gin (d jsonb_filter_ops) WITH (fastupdate = off);
INSERT INTO before SELECT * FROM doc ORDER BY random();
CREATE TEMP TABLE after AS SELECT * FROM doc;
CREATE INDEX after_d ON after USING gin (d jsonb_filter_ops);
CREATE TEMP TABLE later AS SELECT * FROM doc WHERE i % 2 = 0;
CREATE INDEX later_d ON later USING gin (d jsonb_filter_ops) WITH (fastupdate = on);
INSERT INTO later SELECT * FROM doc WHERE i % 2 = 1;
CREATE TEMP TABLE spread (i int, d jsonb, filler text);
ALTER TABLE spread ALTER filler SET STORAGE PLAIN;
INSERT INTO spread SELECT i, d, repeat('x', 7000) FROM doc, generate_series(1, 15);
CREATE INDEX spread_d ON spread USING gin (d jsonb_filter_ops) WITH (fastupdate = off);

CREATE FUNCTION pg_temp.bits(found int[]) RETURNS text LANGUAGE sql AS $$
    SELECT string_agg((i = ANY (found))::int::text, '' ORDER BY i) FROM doc $$;
CREATE FUNCTION pg_temp.must_scan(index text, query text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    line text;
BEGIN
    FOR line IN EXECUTE 'EXPLAIN ' || query LOOP
        IF line LIKE '%Bitmap Index Scan on ' || index || ' %' THEN
            RETURN;
        END IF;
    END LOOP;
    RAISE EXCEPTION 'no index scan: %', query;
END $$;

SET enable_seqscan = off;
SET jit = off;
SET plan_cache_mode = force_generic_plan;
PREPARE generic (int, vecdb_filter) AS
    SELECT 'generic', $1, pg_temp.bits(ARRAY(SELECT i FROM after WHERE d @~ $2));
DO $$
BEGIN
    PERFORM pg_temp.must_scan(t || '_d', format('SELECT FROM %I WHERE d @~ %L', t, '{"a": 1}'))
        FROM unnest('{before,after,later,spread}'::text[]) t;
    PERFORM pg_temp.must_scan('later_d', format('SELECT FROM later WHERE d @> %L', '{"a": 1}'));
    PERFORM pg_temp.must_scan('after_d', 'EXECUTE generic(1, ''{"a": 1}'')');
END $$;
\pset format unaligned
\pset tuples_only on
\pset fieldsep '\t'
"""

BY_INDEX = """COPY (SELECT '%s', %d, pg_temp.bits(ARRAY(SELECT i FROM %s WHERE %s))) TO STDOUT;
"""


def ask_by_index(filters, parts):
    """Queries that need the tables of INDEXES."""
    quoted = ["'%s'" % f.replace("'", "''") for f in filters]
    for j, f in enumerate(quoted):
        for table in ('before', 'after', 'later'):
            yield BY_INDEX % (table, j, table, 'd @~ ' + f)
        yield BY_INDEX % ('both', j, 'after', 'd @~ %s AND d @~ %s' % (f, quoted[j - 1]))
        yield 'EXECUTE generic(%d, %s);\n' % (j, f)
    for limit in (0, 1):
        yield 'SET vecdb.index_range_limit = %d;\n' % limit
        for j, f in enumerate(quoted):
            yield BY_INDEX % ('limit %d' % limit, j, 'later', 'd @~ ' + f)
    yield 'RESET vecdb.index_range_limit; SET work_mem = 64;\n'
    for j, f in enumerate(quoted):
        # all of its rows, or the document counts as not found
        yield BY_INDEX % ('lossy', j, 'spread', 'd @~ %s GROUP BY i HAVING count(*) = 15' % f)
    for j, part in enumerate(parts):
        part = part.replace("'", "''")
        yield BY_INDEX % ('contain', j, 'doc', "d @> '%s'" % part)
        yield BY_INDEX % ('contain by index', j, 'later', "d @> '%s'" % part)


def copy_escape(text):
    for old, new in (('\\', '\\\\'), ('\n', '\\n'), ('\t', '\\t'), ('\r', '\\r')):
        text = text.replace(old, new)
    return text


def copy_unescape(text):
    out, chars = [], iter(text)
    for c in chars:
        if c == '\\':
            c = next(chars)
            c = {'n': '\n', 't': '\t', 'r': '\r', 'b': '\b', 'f': '\f', 'v': '\v'}.get(c, c)
        out.append(c)
    return ''.join(out)


def copy_in(table, rows):
    return 'COPY %s FROM STDIN;\n%s\\.\n' % (
        table, ''.join('%d\t%s\n' % (i, copy_escape(t)) for i, t in enumerate(rows)))


def ask_server(documents, filters, broken, parts):
    """{way: {filter's number: answer}}"""
    with tempfile.TemporaryDirectory() as folder:
        script = SETUP + copy_in('doc', documents) + copy_in('raw', filters) + \
            copy_in('broken', broken) + \
            QUERIES.replace('{file}', os.path.join(folder, 'filters')) + \
            ''.join(LITERAL % (j, f.replace("'", "''")) for j, f in enumerate(filters)) + \
            INDEXES + ''.join(ask_by_index(filters, parts))
        done = subprocess.run(['psql', '-X', '-q', '-f', '-'], input=script.encode(),
                              capture_output=True, check=False,
                              env=dict(os.environ, PGCLIENTENCODING='UTF8'))
    if done.returncode != 0:
        sys.stderr.write(done.stderr.decode(errors='replace')[:4000])
        raise RuntimeError('psql failed')
    answers = {}
    for line in done.stdout.decode().split('\n'):
        if line:
            way, number, answer = line.split('\t')
            answers.setdefault(way, {})[int(number)] = copy_unescape(answer)
    return answers


# --- the comparison -----------------------------------------------------------

class Score:
    def __init__(self):
        self.passed = self.failed = self.true = 0

    def check(self, ok, message):
        if ok:
            self.passed += 1
            return
        self.failed += 1
        if self.failed <= 20:
            print('FAILED: ' + message)


def shorten(text):
    return text if len(text) <= 2000 else text[:2000] + '...'


def run_round(rng, ndocuments, nfilters, score):
    generator = Generator(rng)
    generator.documents = [generator.document() for _ in range(ndocuments)]
    filters = [generator.filter(rng.choice([0, 0, 1, 2, 3])) for _ in range(nfilters)]
    broken = [generator.broken(f) for f in filters]
    document_texts = [dump(d, rng) for d in generator.documents]
    filter_texts = [dump(f, rng) for f in filters]
    broken_texts = [dump(f, rng) for f, _ in broken]

    part_texts = [dump(generator.part(rng.choice(generator.documents)), rng) for _ in filters]

    answers = ask_server(document_texts, filter_texts, broken_texts, part_texts)
    ways = ['row', 'not', 'text', 'jsonb', 'binary', 'literal',
            'before', 'after', 'later', 'generic', 'limit 0', 'limit 1', 'lossy']
    right = [['01'[matches(d, filt)] for d in generator.documents] for filt in filters]
    for j, expected in enumerate(right):
        given = [answers[way].get(j, '') for way in ways]
        score.true += expected.count('1')
        # one test: a filter over all documents of the round, in every way
        wrong = ['%s should be %s: document %s' % (way, bit, shorten(document_texts[i]))
                 for i, bit in enumerate(expected)
                 for way, answer in zip(ways, given) if answer[i:i + 1] != bit]
        score.check(not wrong, '%d wrong answers: %s: filter %s' % (
            len(wrong), '; '.join(wrong[:3]), shorten(filter_texts[j])))
        score.check(answers['same'].get(j) == '1',
                    'output does not read back: %s' % shorten(filter_texts[j]))
        both = ''.join(min(pair) for pair in zip(expected, right[j - 1]))
        score.check(answers['both'].get(j) == both, 'wrong answer to two conditions: %s AND %s' % (
            shorten(filter_texts[j]), shorten(filter_texts[j - 1])))
        score.check(answers['contain'].get(j, '') == answers['contain by index'].get(j),
                    'the index finds other documents that contain %s' % shorten(part_texts[j]))
    for j, (_, place) in enumerate(broken):
        answer = answers['broken'].get(j, '')
        score.check(answer.startswith('22023 invalid filter: ') and
                    answer.endswith(' at "%s"' % place),
                    'error should be at "%s": %s: filter %s' % (place, answer, shorten(broken_texts[j])))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n', 1)[0])
    parser.add_argument('--seed', type=int, default=20261123)
    parser.add_argument('--rounds', type=int, default=6)
    parser.add_argument('--documents', type=int, default=100, help='per round')
    parser.add_argument('--filters', type=int, default=150, help='per round')
    args = parser.parse_args()
    sys.setrecursionlimit(10000)

    score = Score()
    for number in range(args.rounds):
        try:
            run_round(random.Random('%d/%d' % (args.seed, number)),
                      args.documents, args.filters, score)
        except (RuntimeError, OSError) as error:
            score.check(False, 'round %d: %s' % (number, error))
            print('%d passed, %d failed' % (score.passed, score.failed))
            return 1
    pairs = args.rounds * args.documents * args.filters
    print('seed %d: %d of %d pairs match' % (args.seed, score.true, pairs))
    # if hardly anything matched or differed, the comparison would show nothing
    if not 0.1 * pairs < score.true < 0.9 * pairs:
        score.check(False, 'the random filters are too one-sided')
    print('%d passed, %d failed' % (score.passed, score.failed))
    return 1 if score.failed else 0


if __name__ == '__main__':
    sys.exit(main())
