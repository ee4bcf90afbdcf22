"""State as tables: which columns a catalogue makes, shared by recordings and the store.

Table `snapshot` has one row a snapshot: `ts`, a column per fact of the single-row entities named by path
(`account.drawdown`), and per keyed entity `known.<entity>` (is the collection known). Every keyed or event entity has
a table of its name: `ts`, `key`, a column per field; the key of an event is its place in the snapshot's list. All
tables also have `book`. Quantities are BIGINT quanta, levels VARCHAR names, flags BOOLEAN, text and references
VARCHAR; NULL is missing.
"""

from __future__ import annotations

from dataclasses import dataclass

from evaluators.identifiers import literal, quote
from policy_dsl.catalogue import Catalogue, Entity, Fact, Rows
from policy_dsl.types import Flag, Levels, Quantity

SNAPSHOT = "snapshot"
KNOWN = "known."
REQUEST = "request"


@dataclass(frozen=True, slots=True)
class Column:
    """A column after `book`, `ts` and `key`; `fact` is None for `known.<entity>`."""

    name: str
    fact: Fact | None

    @property
    def sql_type(self) -> str:
        """The DuckDB type that holds the column."""
        if self.fact is None or isinstance(self.fact.type, Flag):
            return "BOOLEAN"
        return "BIGINT" if isinstance(self.fact.type, Quantity) else "VARCHAR"

    @property
    def meaning(self) -> str:
        """What the stored values count, such as `ratio`, `flag` or `levels side`."""
        if self.fact is None:
            return str(Flag())
        return f"levels {self.fact.type}" if isinstance(self.fact.type, Levels) else str(self.fact.type)

    @property
    def levels(self) -> tuple[str, ...]:
        """The names of the levels that the column may hold, lowest first; empty for any other column."""
        return self.fact.type.members if self.fact is not None and isinstance(self.fact.type, Levels) else ()

    @property
    def low(self) -> int | None:
        """The least quantum in range."""
        return self.fact.low if self.fact is not None else None

    @property
    def high(self) -> int | None:
        """The greatest quantum in range."""
        return self.fact.high if self.fact is not None else None

    def in_range(self, expression: str) -> str:
        """SQL for `expression` where it lies in the declared range, NULL elsewhere."""
        if self.levels:
            return f"CASE WHEN {expression} IN ({', '.join(map(literal, self.levels))}) THEN {expression} END"
        bounds = [f"{expression} >= {self.low}"] if self.low is not None else []
        bounds += [f"{expression} <= {self.high}"] if self.high is not None else []
        return f"CASE WHEN {' AND '.join(bounds)} THEN {expression} END" if bounds else expression


@dataclass(frozen=True, slots=True)
class Table:
    """A table of state; `entity` is None for `snapshot`."""

    name: str
    entity: Entity | None
    columns: tuple[Column, ...]

    @property
    def order(self) -> str:
        """The columns that order the rows of one book."""
        return "ts" if self.entity is None else "ts, key"

    @property
    def may_be_unknown(self) -> bool:
        """Whether a snapshot may not know these rows; requests are the input itself, events are what was heard of."""
        return self.entity is not None and self.entity.rows is Rows.KEYED and self.name != REQUEST

    @property
    def leading(self) -> tuple[tuple[str, str], ...]:
        """The columns before the facts, with their DuckDB types."""
        key = () if self.entity is None else (("key", "VARCHAR"),)
        return (("book", "VARCHAR"), ("ts", "TIMESTAMP"), *key)

    def column(self, name: str) -> Column | None:
        """The column called `name`, if there is one."""
        return next((c for c in self.columns if c.name == name), None)

    def create(self) -> str:
        """The statement that makes the table, empty."""
        leading = [f"{name} {kind} NOT NULL" for name, kind in self.leading]
        columns = [f"{quote(c.name)} {c.sql_type}" for c in self.columns]
        return f"CREATE TABLE {quote(self.name)} ({', '.join(leading + columns)})"


def tables_of(catalogue: Catalogue) -> tuple[Table, ...]:
    """The tables of a catalogue: `snapshot` first, then the keyed and event entities by name.

    Raises ValueError where two names differ in case only, or a fact is called `book`, `ts` or `key`.
    """
    entities = tuple(catalogue.entities[name] for name in sorted(catalogue.entities))
    single = [Column(f.path, f) for e in entities if e.rows is Rows.ONE for f in e.facts.values()]
    known = [Column(KNOWN + e.name, None) for e in entities if e.rows is Rows.KEYED]
    many = [e for e in entities if e.rows is not Rows.ONE]
    tables = [Table(SNAPSHOT, None, tuple(single + known))]
    tables += [Table(e.name, e, tuple(Column(f.name, f) for f in e.facts.values())) for e in many]
    for table in tables:
        _refuse_clashes([name for name, _ in table.leading] + [c.name for c in table.columns], table.name)
    _refuse_clashes([t.name for t in tables], "the catalogue")
    return tuple(tables)


def _refuse_clashes(names: list[str], where: str) -> None:
    seen: dict[str, str] = {}
    for name in names:
        other = seen.setdefault(name.casefold(), name)
        if other is not name:
            raise ValueError(f"`{name}` and `{other}` cannot both be names in {where}")
