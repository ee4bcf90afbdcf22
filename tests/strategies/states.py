"""Random snapshots of a whole catalogue: every type, every way of being missing, the ends of every range."""

from __future__ import annotations

from hypothesis import strategies as st

from evaluators.snapshot import Fields, Snapshot
from evaluators.timestamps import FIRST_TS, LAST_TS
from policy_dsl.catalogue import Catalogue, Entity, Fact, Rows
from policy_dsl.quantities import INT64_MAX, INT64_MIN, Unit
from policy_dsl.types import Flag, Levels, Quantity, Value

TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)
KEYS = TEXTS.filter(bool)
BOOKS = st.sampled_from(("main", "b-2", "007", "x.y_z"))
TIMES = st.integers(FIRST_TS, LAST_TS)


def values(fact: Fact) -> st.SearchStrategy[Value | None]:
    """A value of the fact in its range, or nothing."""
    kind = fact.type
    if isinstance(kind, Levels):
        return st.none() | st.integers(0, len(kind.members) - 1)
    if isinstance(kind, Flag):
        return st.none() | st.booleans()
    if not isinstance(kind, Quantity):
        return st.none() | TEXTS
    low = INT64_MIN if fact.low is None else fact.low
    high = INT64_MAX if fact.high is None else fact.high
    span = (FIRST_TS, LAST_TS) if kind.unit is Unit.TIME else (-(10**13), 10**13)
    near = st.integers(max(low, span[0]), min(high, span[1]))
    return st.none() | near | st.integers(low, high) | st.sampled_from((low, high))


def fields(entity: Entity) -> st.SearchStrategy[Fields]:
    """A row: some facts left out, some None."""
    return st.fixed_dictionaries({}, optional={f.name: values(f) for f in entity.facts.values()})


def snapshots(catalogue: Catalogue) -> st.SearchStrategy[Snapshot]:
    """A snapshot at any time; collections may be missing, None or empty."""
    facts = {f.path: values(f) for e in catalogue.of_kind(Rows.ONE) for f in e.facts.values()}
    rows = {e.name: st.none() | st.dictionaries(KEYS, fields(e), max_size=3) for e in catalogue.of_kind(Rows.KEYED)}
    events = {e.name: st.lists(fields(e), max_size=3).map(tuple) for e in catalogue.of_kind(Rows.EVENT)}
    return st.builds(
        Snapshot,
        BOOKS,
        TIMES,
        st.fixed_dictionaries({}, optional=facts),
        st.fixed_dictionaries({}, optional=rows),
        st.fixed_dictionaries({}, optional=events),
    )
