"""What is wrong with the answer to a search, and how many of the nearest rows
it has.

A distance is defined unless it is NULL (no vector) or NaN (a zero vector, by
cosine distance).  Rows without one are nobody's neighbours: an answer may have
them, after all others, or not.
"""

import dataclasses
import math

TOLERANCE = 1e-9


@dataclasses.dataclass
class Expectation:
    """What may be asked of the plan that was taken."""
    exact: bool         # nothing approximate in it
    ordered: bool       # distances have to ascend
    complete: bool      # no row may be missing


@dataclasses.dataclass
class Answer:
    """The rows of one group, in order; `moved` more were passed over."""
    rows: list          # (key, distance or None)
    moved: int = 0


def is_defined(distance):
    return distance is not None and not math.isnan(distance)


def parse(line):
    group, key, distance = line.rsplit('|', 2)
    return group, key, float(distance) if distance else None


def number_of(key):
    return int(key.split('/')[0])


class Judge:
    """Judges the answer of one group."""

    def __init__(self, query, expectation, everything, answer):
        self.query, self.expectation = query, expectation
        self.distances, self.answer = everything, answer
        self.limit, self.offset = query.number(query.limit), query.number(query.offset) or 0
        self.defined = sorted(d for d in everything.values() if is_defined(d))
        self.tolerance = TOLERANCE if query.rounded else 0
        # by what rows are judged is what the table says, not what the answer says
        self.rows = [(key, everything.get(key)) for key, _ in answer.rows]
        self.known = [d for _, d in self.rows if is_defined(d)]

    def last(self):
        """Returns the number of the last row that is wanted, offset included."""
        if self.limit is None:
            return len(self.defined)
        return min(self.offset + self.limit, len(self.defined))

    def wanted(self):
        return max(self.last() - self.offset, 0)

    def problems(self):
        yield from self.membership()
        yield from self.count()
        if self.expectation.ordered or self.expectation.exact:
            yield from self.order()
        if self.expectation.exact and self.answer.moved == 0:
            yield from self.exactness()

    def membership(self):
        seen = set()
        for key, distance in self.answer.rows:
            if key not in self.distances:
                yield f'row {key} does not belong there'
            elif key in seen:
                yield f'row {key} came twice'
            elif self.query.distance_shown and not same(distance, self.distances[key]):
                yield f'row {key} shows the distance {distance}, not {self.distances[key]}'
            seen.add(key)

    def count(self):
        undefined = len(self.rows) - len(self.known)
        wanted = self.wanted()
        if self.query.descending:
            # NULL and NaN may sort first, and then use the limit up
            wanted -= len(self.distances) - len(self.defined)
        have = len(self.known) + self.answer.moved
        if have < wanted and self.expectation.complete:
            yield f'short: {have} rows with a distance, {wanted} expected'
        total = len(self.rows) + self.answer.moved
        if self.limit is not None and len(self.rows) > self.limit and not self.query.ties:
            yield f'{total} rows, the limit is {self.limit}'
        if undefined and not self.query.descending:
            first = next(i for i, (_, d) in enumerate(self.rows) if not is_defined(d))
            if any(is_defined(d) for _, d in self.rows[first:]):
                yield 'a row without a distance comes before one with a distance'

    def order(self):
        last = None
        for key, distance in self.rows:
            if not is_defined(distance):
                continue
            if last is not None:
                if distance < last[1] - self.tolerance:
                    yield f'row {key} at {distance} comes after row {last[0]} at {last[1]}'
                elif self.query.by_id and distance == last[1] and number_of(key) < number_of(last[0]):
                    yield f'row {key} comes after row {last[0]} at the same distance'
            last = key, distance

    def exactness(self):
        if self.query.descending and len(self.defined) != len(self.distances):
            return
        end = self.last()
        if self.query.ties and not self.query.by_id and self.limit:
            if self.query.rounded:
                return
            while 0 < end < len(self.defined) and self.defined[end] == self.defined[end - 1]:
                end += 1
        want = self.defined[self.offset:end]
        if len(want) != len(self.known) or any(
                abs(a - b) > self.tolerance for a, b in zip(want, self.known)):
            yield f'not the nearest: distances {self.known[:20]}, expected {want[:20]}'

    def recall(self):
        """Returns (rows found, rows wanted) among the nearest."""
        wanted = self.wanted()
        if wanted == 0 or self.offset or self.query.descending or self.answer.moved:
            return 0, 0
        limit = self.defined[self.last() - 1] + TOLERANCE
        found = len({k for k, d in self.rows if is_defined(d) and d <= limit})
        return min(found, wanted), wanted


def same(a, b):
    if a is None or b is None:
        return a is b
    return a == b or (math.isnan(a) and math.isnan(b))


def groups_of(rows):
    """Returns the rows (group, key, distance) by group."""
    result = {}
    for group, key, distance in rows:
        result.setdefault(group, []).append((key, distance))
    return result


def judge(query, expectation, everything, answers):
    """Judges all groups; returns (problems, rows found, rows wanted).

    everything  lines of query.everything
    answers     Answer by group
    """
    problems, found, wanted = [], 0, 0
    matching = {group: dict(rows) for group, rows in groups_of(map(parse, everything)).items()}
    for group in answers.keys() | matching.keys():
        one = Judge(query, expectation, matching.get(group, {}), answers.get(group, Answer([])))
        problems += one.problems()
        f, w = one.recall()
        found, wanted = found + f, wanted + w
    return problems, found, wanted
