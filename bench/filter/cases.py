"""The filters of the benchmark.

A case has a condition for each system, and for each query the values of its
parameters and the rows that match.  In both conditions $1 is the vector and $2 the
limit; the case's own parameters begin at $3.  pgvector's are what a careful user of
it would write: containment for jsonb_path_ops, expressions for btree indexes.
"""

import dataclasses
import json

import numpy as np

from .metadata import PIVOTS, PLAIN, scores


@dataclasses.dataclass
class Ways:
    """How one query's filter reads in both systems, and what matches."""
    ours: dict              # the filter
    theirs: tuple           # text of the parameters from $3 on
    mask: np.ndarray        # of the rows


@dataclasses.dataclass
class Case:
    name: str
    share: str              # of the rows, roughly, as text
    kind: str               # random, correlated, anti, ...
    theirs: str             # pgvector's condition
    types: tuple            # types of its parameters
    make: object            # function: number of a query -> Ways
    plain: str | None = None    # the condition of both where it is no filter on metadata


def equality(meta, field, value):
    """A field that has a value; containment in pgvector."""
    text = f"{field}-{value}"
    return Ways({field: text}, (json.dumps({field: text}),), meta.columns[field] == value)


def generated_cases(meta, queries):
    """Returns the cases of generated data; `queries` are the query vectors."""
    rows, columns = meta.rows, meta.columns
    order = {p: np.argsort(scores(np.asarray(queries), meta.pivots(p), meta.dataset.metric), axis=1)
             for p in PIVOTS}
    contains, one = "metadata @> $3", ("jsonb",)
    size = {p: np.bincount(columns[f"r{p}"], minlength=p) for p in PIVOTS}

    def near(p):
        return lambda i: equality(meta, f"r{p}", order[p][i][0])

    def far(p):
        # the farthest region that is about as large as they are on average
        def make(i):
            usable = [r for r in order[p][i][::-1] if size[p][r] >= rows / p / 4]
            return equality(meta, f"r{p}", usable[0])
        return make

    def far_half(i):
        regions = order[10][i][5:]
        names = [f"r10-{r}" for r in regions]
        return Ways({"r10": {"$in": names}}, ("{" + ",".join(names) + "}",),
                    np.isin(columns["r10"], regions))

    def but_nearest(i):
        value = order[10][i][0]
        return Ways({"r10": {"$ne": f"r10-{value}"}}, (f"r10-{value}",), columns["r10"] != value)

    def but_one(i):
        value = i % 10
        return Ways({"c10": {"$ne": f"c10-{value}"}}, (f"c10-{value}",), columns["c10"] != value)

    def random(parts):
        return lambda i: equality(meta, f"c{parts}", (7 * i) % parts)

    def between(share):
        def make(i):
            width = max(int(rows * share), 1)
            low = (i * 7919) % max(rows - width, 1)
            return Ways({"u": {"$gte": low, "$lt": low + width}}, (str(low), str(low + width)),
                        (columns["u"] >= low) & (columns["u"] < low + width))
        return make

    def both(first, second):
        def make(i):
            a, b = first(i), second(i)
            return Ways({"$and": [a.ours, b.ours]}, a.theirs + b.theirs, a.mask & b.mask)
        return make

    def either(i):
        a, b = random(100)(i), random(1000)(i)
        return Ways({"$or": [a.ours, b.ours]}, a.theirs + b.theirs, a.mask | b.mask)

    def everything(i):
        return Ways({"all": "x"}, ('{"all": "x"}',), np.ones(rows, dtype=bool))

    def single(i):
        value = (i * 7919) % rows
        return Ways({"u": value}, (str(value),), columns["u"] == value)

    number = "(metadata->>'u')::integer"
    in_range = f"{number} >= $3 AND {number} < $4"
    cases = [Case("all", "100 %", "random", contains, one, everything)]
    for parts, share in ((2, "50 %"), (10, "10 %"), (100, "1 %"), (1000, "0.1 %"), (10000, "0.01 %")):
        cases.append(Case(f"equal {share}", share, "random", contains, one, random(parts)))
    cases.append(Case("single row", "1 row", "random", f"{number} = $3", ("integer",), single))
    for p, share in zip(PIVOTS, ("10 %", "1 %", "0.1 %")):
        cases.append(Case(f"near {share}", share, "correlated", contains, one, near(p)))
        cases.append(Case(f"far {share}", share, "anti-correlated", contains, one, far(p)))
    cases += [
        Case("far half", "50 %", "anti-correlated", "metadata->>'r10' = ANY ($3)", ("text[]",), far_half),
        Case("not nearest", "90 %", "negation", "metadata->>'r10' <> $3", ("text",), but_nearest),
        Case("not one", "90 %", "negation", "metadata->>'c10' <> $3", ("text",), but_one)]
    for share, text in ((0.1, "10 %"), (0.01, "1 %"), (0.001, "0.1 %")):
        cases.append(Case(f"range {text}", text, "range", in_range, ("integer", "integer"), between(share)))
    two = f"{contains} AND metadata @> $4"
    cases += [
        Case("10 % and 50 %", "5 %", "conjunction", two, ("jsonb", "jsonb"), both(random(10), random(2))),
        Case("10 % and near 10 %", "1 %", "conjunction", two, ("jsonb", "jsonb"), both(random(10), near(10))),
        Case("10 % and range 1 %", "0.1 %", "conjunction",
             f"{contains} AND {number} >= $4 AND {number} < $5", ("jsonb", "integer", "integer"),
             both(random(10), between(0.01))),
        Case("1 % or 0.1 %", "1.1 %", "disjunction", "(metadata @> $3 OR metadata @> $4)",
             ("jsonb", "jsonb"), either)]
    return cases + plain_cases(meta)


def plain_cases(meta):
    """Conditions that no index serves."""
    def make(name, parts):
        return lambda i: Ways({}, (str((7 * i) % parts),), meta.columns[name] == (7 * i) % parts)
    return [Case(f"no index, {share}", share, "no index", f"{name} = $3", ("bigint",),
                 make(name, parts), f"{name} = $3")
            for (name, parts), share in zip(PLAIN.items(), ("10 %", "0.1 %"))]


def package_cases(meta, queries):
    """Returns the cases of the packages dataset."""
    columns, sections = meta.columns, meta.sections
    counts = np.bincount(columns["section"], minlength=len(sections))
    order = np.argsort(scores(np.asarray(queries), meta.centres(), meta.dataset.metric), axis=1)
    size = "(metadata->>'installed_size')::integer"
    contains = "metadata @> $3"

    def section(s):
        return Ways({"section": sections[s]}, (json.dumps({"section": sections[s]}),),
                    columns["section"] == s)

    def of_share(share):
        """The sections that are about so large, in turns."""
        away = np.abs(np.log(counts / meta.rows / share))
        wanted = [s for s in np.argsort(away) if away[s] < np.log(2)] or [np.argmin(away)]
        return lambda i: section(wanted[i % len(wanted)])

    def near(i):
        return section(next(s for s in order[i] if counts[s] >= meta.rows / 800))

    def far(i):
        return section(next(s for s in order[i][::-1] if counts[s] >= meta.rows / 80))

    def above(share):
        low = int(np.quantile(columns["installed_size"], 1 - share))
        return lambda i: Ways({"installed_size": {"$gt": low}}, (str(low),),
                              columns["has_size"] & (columns["installed_size"] > low))

    def below(i):
        return Ways({"installed_size": {"$lt": 100}}, ("100",),
                    columns["has_size"] & (columns["installed_size"] < 100))

    def both(i):
        a, b = of_share(0.08)(i), above(0.1)(i)
        return Ways(a.ours | b.ours, a.theirs + b.theirs, a.mask & b.mask)

    def optional(i):
        return Ways({"priority": "optional"}, ('{"priority": "optional"}',), columns["priority"] == "optional")

    def but_near(i):
        s = order[i][0]
        return Ways({"section": {"$ne": sections[s]}}, (sections[s],), columns["section"] != s)

    def single(i):
        name = str(columns["package"][(i * 7919) % meta.rows])
        return Ways({"package": name}, (json.dumps({"package": name}),), columns["package"] == name)

    cases = [
        Case("priority optional", "99 %", "random", contains, ("jsonb",), optional),
        Case("size below 100", "33 %", "range", f"{size} < $3", ("integer",), below),
        Case("size, top 10 %", "10 %", "range", f"{size} > $3", ("integer",), above(0.1)),
        Case("size, top 1 %", "1 %", "range", f"{size} > $3", ("integer",), above(0.01)),
        Case("section 10 %", "10 %", "sections", contains, ("jsonb",), of_share(0.1)),
        Case("section 1.5 %", "1.5 %", "sections", contains, ("jsonb",), of_share(0.015)),
        Case("section 0.1 %", "0.1 %", "sections", contains, ("jsonb",), of_share(0.001)),
        Case("nearest section", "5 %", "correlated", contains, ("jsonb",), near),
        Case("farthest section", "5 %", "anti-correlated", contains, ("jsonb",), far),
        Case("not the nearest section", "95 %", "negation", "metadata->>'section' <> $3", ("text",), but_near),
        Case("section and size", "1 %", "conjunction", f"{contains} AND {size} > $4", ("jsonb", "integer"), both),
        Case("one package", "1 row", "random", contains, ("jsonb",), single)]
    return cases + plain_cases(meta)


def cases_of(meta, queries):
    if hasattr(meta, "sections"):
        return package_cases(meta, queries)
    return generated_cases(meta, queries)
