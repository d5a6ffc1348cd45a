#!/usr/bin/env python3
"""Compare filtered searches with exact answers, on random tables.

Random tables (search_world.py), random filters, limits and forms of queries
(search_query.py), under random settings, run directly, prepared, and by
cursors.  What is right follows from all matching rows with their distances,
read without any index (search_judge.py):

- min(limit, matching rows with a distance) rows, unless the settings say otherwise;
- every one belongs there, none comes twice, and the distance shown is right;
- plans without anything approximate, the node's strategy "exact" among them, return
  the nearest;
- distances ascend where the plan promises it;
- over all queries recall is high.

    check_search.py --seed 7 --rounds 100 --queries 60
    check_search.py --seed 7 --only 12/31       one query of one round, with its plan

The connection comes from the PG* environment variables, as a superuser; the
database must have nothing in it that matters.  --save DIRECTORY keeps a script
of each query that failed.  The last line is "N passed, N failed".
"""

import argparse
import json
import random
import sys
import time
from pathlib import Path

from psql_session import Crash, Session, StatementError
from search_judge import Answer, Expectation, groups_of, judge, parse
from search_query import Queries
from search_world import FUNCTIONS, World

NODE = 'VecdbScan'
STRATEGIES = ['auto', 'vector', 'exact', 'graph']
EXACTLY = ['SET enable_indexscan = off', 'SET enable_bitmapscan = off', 'SET enable_indexonlyscan = off']
LOW_RECALL = 0.9
ENOUGH = 30             # queries, below which a recall says nothing


class Server:
    """What this server has."""

    def __init__(self, session):
        session.run("SELECT '[1]'::vector")
        names = session.run("SELECT name FROM pg_settings")
        self.has_node = 'vecdb.enable_scan' in names
        self.has_strategy = 'vecdb.filter_strategy' in names
        self.parallel = next(n for n in ('debug_parallel_query', 'force_parallel_mode') if n in names)
        self.has_filter_ops = session.run(
            "SELECT 1 FROM pg_opclass WHERE opcname = 'jsonb_filter_ops'") == ['1']


def draw_settings(rng, server):
    """Returns settings of one query, by name."""
    settings = {}

    def maybe(share, name, *values):
        if rng.random() < share:
            settings[name] = rng.choice(values)
    maybe(0.5, 'enable_seqscan', 'off')
    maybe(0.2, 'enable_sort', 'off')
    maybe(0.2, 'work_mem', "'64kB'")
    maybe(0.4, 'hnsw.ef_search', '1', '4', '10', '100', '400', '1000')
    maybe(0.08, 'hnsw.iterative_scan', 'strict_order')
    maybe(0.05, 'random_page_cost', '1')
    maybe(0.05, 'cursor_tuple_fraction', '1', '0.001')
    for name in ('bitmapscan', 'indexscan', 'incremental_sort', 'nestloop', 'hashjoin', 'mergejoin',
                 'material', 'memoize', 'hashagg'):
        maybe(0.06, f'enable_{name}', 'off')
    if rng.random() < 0.12:
        settings |= {server.parallel: rng.choice(['on', 'regress']), 'parallel_setup_cost': '0',
                     'parallel_tuple_cost': '0', 'min_parallel_table_scan_size': '0',
                     'max_parallel_workers_per_gather': rng.choice('123')}
    if rng.random() < 0.02:
        settings |= {'jit': 'on', 'jit_above_cost': '0'}
    if server.has_strategy:
        maybe(0.75, 'vecdb.filter_strategy', *STRATEGIES)
    if server.has_node:
        maybe(0.04, 'vecdb.enable_scan', 'off')
    return settings


def nodes_of(plan):
    yield plan
    for child in plan.get('Plans', []):
        yield from nodes_of(child)


JOINS = ('Nested Loop', 'Hash Join', 'Merge Join', 'Append', 'Merge Append')


def kind_of(plan, lateral):
    """Returns what a plan (of EXPLAIN's JSON) searches by: the node, an ordered
    index scan, or neither; "+join" where a LIMIT is beyond a join, since its input
    does not know it then."""
    kinds, joins = set(), 0
    for node in nodes_of(plan):
        joins += node['Node Type'] in JOINS
        if node['Node Type'] == 'Custom Scan' and node.get('Custom Plan Provider') == NODE:
            kinds.add('node')
        elif node['Node Type'] == 'Index Scan' and 'Order By' in node:
            kinds.add('index')
    return ('+'.join(sorted(kinds)) or 'sort') + ('+join' if kinds and joins > lateral else '')


def expect(query, kind, settings):
    """What may be asked of a plan."""
    strict = settings.get('hnsw.iterative_scan') == 'strict_order'
    # a plan that may be another when it is executed promises no more than an index scan
    exact = kind == 'sort' or (kind == 'node' and settings.get('vecdb.filter_strategy') == 'exact')
    changing = settings.get('plan_cache_mode') == 'auto'
    exact = exact and not changing
    known = query.single and query.number(query.limit) is not None
    return Expectation(exact=exact, ordered=exact or (kind == 'node' and known and not changing),
                       complete=not (strict and ('index' in kind or changing)))


class Round:
    """The queries on one table."""

    def __init__(self, session, server, seed, number, most_rows, tally):
        self.session, self.server, self.tally = session, server, tally
        self.name = f'{seed}/{number}'
        self.world = World(random.Random(f'{seed}/{number}'), server.has_filter_ops, most_rows)

    def make(self):
        run = self.session.run
        run('DROP TABLE IF EXISTS t, s, q CASCADE')
        for statement in self.world.statements:
            run(statement)

    def query(self, number):
        """Runs one query; returns nothing, the tally knows."""
        rng = random.Random(f'{self.name}/{number}')
        settings = draw_settings(rng, self.server)
        self.session.log = []
        where = f'{self.name}/{number}'
        try:
            problems = self.run_query(rng, self.draw(rng), settings)
        except StatementError as error:
            problems = [f'error: {error}']
        except Crash as error:
            self.session.connect()
            problems = [f'CRASH: {error}']
        log = list(self.session.log)
        try:
            self.session.run('ROLLBACK')
            self.session.run('RESET ALL')
            self.session.run('DEALLOCATE ALL')
        except (Crash, StatementError) as error:
            problems = [*problems, f'and then: {error}']
            self.session.connect()
        self.tally.add(where, self.world, log, problems)

    def draw(self, rng):
        """Draws a query, one that finds something if there is luck."""
        for _ in range(5):
            query = Queries(rng, self.world).draw()
            count = self.session.run(f'SELECT count(*) FROM ({query.render(query.everything)}) x')
            if count != ['0'] or rng.random() < 0.1:
                break
        self.session.log = []
        return query

    def run_query(self, rng, query, settings):
        run = self.session.run
        way = rng.random()
        transaction = way > 0.6 or query.for_update
        if transaction:
            run('BEGIN' + rng.choice(['', '', ' ISOLATION LEVEL REPEATABLE READ', ' ISOLATION LEVEL SERIALIZABLE']))
            if way > 0.8:
                self.change(rng)
        if way < 0.3:
            return self.prepared(rng, query, settings)
        everything = self.everything(query)
        self.set_all(settings)
        statement = query.render(query.text)
        if transaction and not query.lateral and way < 0.75:
            kind = self.plan(f'DECLARE c CURSOR FOR {statement}', query)
            answers, problems = self.cursor(rng, query, statement)
        else:
            kind = self.plan(statement, query)
            answers, problems = self.answers(run(statement)), []
        problems += self.judge(query, kind, settings, everything, answers)
        if rng.random() < 0.1:
            # every format prints all there is
            run(f'EXPLAIN (ANALYZE, VERBOSE, BUFFERS, FORMAT {rng.choice(["text", "json", "xml", "yaml"])}) '
                + statement)
        return problems

    def change(self, rng):
        """Changes rows in the transaction of the query."""
        for turn in range(1, rng.choice([2, 3])):
            self.session.run(rng.choice([
                'DELETE FROM t WHERE id % 4 = 1', 'UPDATE t SET w = w + 1 WHERE id % 3 = 0',
                'UPDATE t SET a = 7 WHERE id % 9 = 0', f"UPDATE t SET v = {self.world.vector('id + 7')} WHERE id % 5 = 2",
                f"INSERT INTO t (id, v, a, b, c, g, f) SELECT {turn}0000 + n, {self.world.vector('n')}, n % 50, n % 20, 'c1', "
                f"n % {self.world.clusters}, n / 40.0 FROM generate_series(1, 40) n",
                'SAVEPOINT one;\nDELETE FROM t WHERE b < 10;\nROLLBACK TO one']))

    def everything(self, query):
        for setting in EXACTLY + (['SET vecdb.enable_scan = off'] if self.server.has_node else []):
            self.session.run(setting)
        lines = self.session.run(query.render(query.everything))
        self.session.run('RESET ALL')
        return lines

    def set_all(self, settings):
        for name, value in settings.items():
            self.session.run(f'SET {name} = {value}')

    def plan(self, statement, query):
        """Returns what the plan searches by."""
        plan = json.loads('\n'.join(self.session.run(f'EXPLAIN (FORMAT JSON) {statement}')))
        return kind_of(plan[0]['Plan'], query.lateral)

    def answers(self, lines):
        return {group: Answer([row for row in rows if row[0] != ''])
                for group, rows in groups_of(map(parse, lines)).items()}

    def prepared(self, rng, query, settings):
        run, problems = self.session.run, []
        mode = rng.choice(['force_generic_plan', 'force_generic_plan', 'force_custom_plan', 'auto'])
        types = ', '.join(v.type for v in query.values)
        run(f'PREPARE p {f"({types})" if types else ""} AS {query.render_parameters(query.text)}')
        for execution in range(rng.choice([1, 2, 3])):
            if execution:
                query.redraw()
            everything = self.everything(query)
            used = settings | {'plan_cache_mode': mode}
            self.set_all(used)
            arguments = ', '.join(v.text for v in query.values)
            statement = f'EXECUTE p{f"({arguments})" if arguments else ""}'
            kind = self.plan(statement, query)
            problems += self.judge(query, kind, used, everything, self.answers(run(statement)))
        return problems

    def cursor(self, rng, query, statement):
        """Runs a query by a cursor; returns (answers, problems)."""
        run = self.session.run
        scroll = not query.for_update and rng.random() < 0.4
        run(f"DECLARE c {rng.choice(['SCROLL ', '']) if scroll else 'NO SCROLL '}CURSOR "
            f"{'WITH HOLD ' if scroll and rng.random() < 0.2 else ''}FOR {statement}")
        scroll = scroll and 'c SCROLL' in self.session.log[-1]
        rows, moved, problems = [], 0, []
        fetch = lambda what: [row[1:] for row in map(parse, run(f'FETCH {what} FROM c'))]
        for _ in range(rng.choice([1, 2, 3])):
            if not scroll and rng.random() < 0.3:
                step = rng.choice([1, 3, 20])
                run(f'MOVE {step} FROM c')
                moved += step
            else:
                rows += fetch(rng.choice([1, 2, 7, 30]))
        if scroll:
            back = fetch(f'BACKWARD {rng.choice([1, 5])}')
            if back and back[0][0] not in (row[0] for row in rows):
                problems.append('a row fetched backwards is another one')
            run('MOVE ABSOLUTE 0 FROM c')
            again = fetch('ALL')
            # by their keys: a distance may be NaN
            if [row[0] for row in again[:len(rows)]] != [row[0] for row in rows]:
                problems.append('a cursor shows other rows the second time')
            rows = again
        else:
            rows += fetch('ALL')
        run('CLOSE c')
        return {'': Answer(rows, moved)}, problems

    def judge(self, query, kind, settings, everything, answers):
        expectation = expect(query, kind, settings)
        problems, found, wanted = judge(query, expectation, everything, answers)
        self.tally.count(kind, settings, found, wanted)
        return problems


class Tally:
    def __init__(self, save):
        self.passed = self.failed = 0
        self.save = Path(save) if save else None
        self.kinds, self.recall = {}, {}

    def add(self, where, world, log, problems):
        if not problems:
            self.passed += 1
            return
        self.failed += 1
        if self.failed <= 20:
            print(f'FAILED: {where}: {world.describe()}')
            for problem in problems[:3]:
                print(f'        {problem[:600]}')
            print(f'        {log[-1][:1000] if log else ""}')
        if self.save:
            self.save.mkdir(parents=True, exist_ok=True)
            text = ''.join(f'-- {p[:1000]}\n' for p in problems[:10])
            script = ';\n'.join([FUNCTIONS.strip().rstrip(';'), *world.statements, *log])
            (self.save / (where.replace('/', '-') + '.sql')).write_text(
                f'{text}CREATE EXTENSION IF NOT EXISTS vecdb;\n{script};\n')

    def count(self, kind, settings, found, wanted):
        self.kinds[kind] = self.kinds.get(kind, 0) + 1
        if 'hnsw.ef_search' in settings and int(settings['hnsw.ef_search']) < 40:
            return
        entry = self.recall.setdefault((kind, settings.get('vecdb.filter_strategy', 'default')), [0, 0])
        if wanted:
            entry[0] += found / wanted
            entry[1] += 1

    def check(self, ok, message):
        if ok:
            self.passed += 1
        else:
            self.failed += 1
            print(f'FAILED: {message}')

    def report(self, server):
        """Judges what only all queries together show."""
        executions = sum(self.kinds.values())
        print(', '.join(f'{kind}: {n}' for kind, n in sorted(self.kinds.items())), 'executions')
        for (kind, strategy), (recall, queries) in sorted(self.recall.items()):
            if queries:
                print(f'mean recall, {kind}, {strategy}: {recall / queries:.4f}, {queries} queries')
                if queries >= ENOUGH:
                    self.check(recall / queries >= LOW_RECALL, f'recall of {kind}, {strategy} is low')
        if server.has_node and executions >= 200:
            self.check(sum(n for k, n in self.kinds.items() if 'node' in k) > executions / 4, 'hardly a search used the node')


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__.split('\n', 1)[0])
    parser.add_argument('--seed', type=int, default=20261124)
    parser.add_argument('--rounds', type=int, default=16, help='tables (default %(default)s)')
    parser.add_argument('--queries', type=int, default=60, help='per table (default %(default)s)')
    parser.add_argument('--rows', type=int, default=3000, help='of the largest tables (default %(default)s)')
    parser.add_argument('--seconds', type=float, help='end after the round in which they are over')
    parser.add_argument('--only', metavar='ROUND[/QUERY]', help='of this seed')
    parser.add_argument('--save', metavar='DIRECTORY', help='for scripts of what failed')
    return parser.parse_args()


def main():
    args = parse_args()
    session = Session()
    for statement in ('CREATE EXTENSION IF NOT EXISTS vecdb',
                      'DROP FUNCTION IF EXISTS h, near, grid, same, zero', FUNCTIONS):
        session.run(statement)
    server, tally = Server(session), Tally(args.save)
    only = [int(n) for n in args.only.split('/')] if args.only else None
    start = time.monotonic()
    for number in [only[0]] if only else range(args.rounds):
        this = Round(session, server, args.seed, number, args.rows, tally)
        try:
            this.make()
        except (StatementError, Crash) as error:
            tally.add(this.name, this.world, session.log, [f'the table: {error}'])
            continue
        for query in (only or [])[1:] or range(args.queries):
            this.query(query)
        session = this.session
        if args.seconds and time.monotonic() - start > args.seconds:
            break
    if only and only[1:]:
        print(';\n'.join(session.log))
    tally.report(server)
    print(f'{tally.passed} passed, {tally.failed} failed')
    session.close()
    return 1 if tally.failed else 0


if __name__ == '__main__':
    sys.exit(main())
