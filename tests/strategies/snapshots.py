"""Random states for a program: its own figures and their neighbours, and every way of knowing nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from hypothesis import strategies as st

from evaluators.snapshot import Fields, Snapshot
from policy_dsl.catalogue import Fact, Rows
from policy_dsl.program import Program
from policy_dsl.quantities import INT64_MAX, INT64_MIN
from policy_dsl.types import Flag, Levels, Quantity, Reference, Value
from tests.strategies.choices import chance, choose
from tests.strategies.programs import EXCUSE_UNTIL, literals, paths_read
from tests.strategies.vocabulary import CATALOGUE, DANGLING, EXITS, FIGURES, KEYS, TEXTS

Pools = Mapping[str, list[Value]]
"""For each fact path, the values worth trying, all in range; a fact that the program does not read has one."""

KEY_LISTS = {entity: [keys[:n] for n in range(len(keys) + 1)] + [keys[::-1]] for entity, keys in KEYS.items()}


@st.composite
def snapshots(draw: st.DrawFn, program: Program) -> Snapshot:
    """One state. Every value is in range or missing, as whoever takes snapshots promises."""
    pools = pools_of(program)
    missing_one_in = choose(draw, (0, 10, 3))
    facts = {
        f.path: value(draw, f, pools, missing_one_in) for e in CATALOGUE.of_kind(Rows.ONE) for f in e.facts.values()
    }
    absent = {choose(draw, sorted(facts))} if missing_one_in else set()
    rows = {entity: collection(draw, entity, pools, missing_one_in) for entity in KEYS}
    unsaid = choose(draw, (None, None, *rows)) if missing_one_in else None
    return Snapshot(
        choose(draw, ("main", "test")),
        EXCUSE_UNTIL + choose(draw, (-1, 0, 1)),
        {path: v for path, v in facts.items() if path not in absent},
        {entity: found for entity, found in rows.items() if entity != unsaid},
    )


@st.composite
def with_an_exit(draw: st.DrawFn, snapshot: Snapshot) -> Snapshot:
    """The state, in which one request at least reduces or closes risk."""
    requests = dict(snapshot.collection("request") or {})
    key = choose(draw, list(requests) or KEYS["request"])
    requests[key] = {**requests.get(key, {}), "effect": choose(draw, EXITS)}
    return replace(snapshot, rows={**snapshot.rows, "request": requests})


def collection(draw: st.DrawFn, entity: str, pools: Pools, missing_one_in: int) -> dict[str, Fields] | None:
    """The rows of an entity; None where the whole collection is missing."""
    if missing_one_in and chance(draw, 10):
        return None
    keys = choose(draw, KEY_LISTS[entity])
    facts = CATALOGUE.entities[entity].facts.values()
    rows: dict[str, Fields] = {}
    for key in keys:
        fields = {f.name: value(draw, f, pools, missing_one_in) for f in facts}
        # A field that is not there and one that is None are the same: missing.
        rows[key] = {name: v for name, v in fields.items() if v is not None or name == "symbol"}
    return rows


def value(draw: st.DrawFn, fact: Fact, pools: Pools, missing_one_in: int) -> Value | None:
    """A value of the fact, missing about once in so many times (0: never)."""
    pool = pools[fact.path]
    if len(pool) == 1:
        return pool[0]
    missing = [None] * max(1, len(pool) // missing_one_in) if missing_one_in else []
    return choose(draw, [*pool, *missing])


def pools_of(program: Program) -> Pools:
    """The values worth trying for each fact."""
    written: dict[str, list[Value]] = {}
    for constant in literals(program):
        written.setdefault(str(constant.type), []).append(constant.value)
    facts = [f for e in CATALOGUE.entities.values() for f in e.facts.values()]
    read = paths_read(program)
    # A fact that nobody reads decides nothing: one value of it is enough.
    return {f.path: _pool(f, written.get(str(f.type), []))[: None if f.path in read else 1] for f in facts}


def _pool(fact: Fact, written: list[Value]) -> list[Value]:
    kind = fact.type
    if isinstance(kind, Levels):
        return list(range(len(kind.members)))
    if isinstance(kind, Flag):
        return [False, True]
    if isinstance(kind, Reference):
        return [*KEYS[kind.entity], DANGLING]
    if not isinstance(kind, Quantity):
        return list(dict.fromkeys([*written, *TEXTS]))
    figures = [v for v in written if isinstance(v, int)]
    near = [v + step for v in figures for step in (-1, 0, 1)]
    ends = [v for v in (fact.low, fact.high, fact.calm) if isinstance(v, int)]
    wide = [v for v in (INT64_MIN, INT64_MAX, -FIGURES[kind.unit][-1]) if fact.in_range(v)]
    tried = [0, *near, *near, *ends, *FIGURES[kind.unit], *wide]
    return [v for v in tried if fact.in_range(v)]
