"""The fact catalogue: what modules supply and rules may name, read from pydantic models.

A fact model is a pydantic model whose fields are annotated with a type of the language and made by `fact`::

    class AccountFacts(FactModel, entity="account", rows=Rows.ONE):
        drawdown: Annotated[float | None, RATIO] = fact(
            "(peak equity - equity) / peak equity", owner="book", low=0, high=1, max_age="5m", calm=0)

Numbers in `fact` are in document units (ratios as fractions, durations in seconds); the catalogue holds quanta.
"""

from __future__ import annotations

import enum
import hashlib
import json
import re
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field
from pydantic.fields import FieldInfo

from policy_dsl.quantities import Unit, to_quanta
from policy_dsl.types import TIME, Flag, Levels, Quantity, Reference, Text, Type, Value


class Rows(enum.Enum):
    """How many rows of an entity a snapshot holds."""

    ONE = "one"
    """One row a snapshot: `account.drawdown`."""
    KEYED = "keyed"
    """One row a key: `position["p1"].notional`, `for each position`."""
    EVENT = "event"
    """Things that happened, each with a time: `count(trade where ... over 1h)`."""


@dataclass(frozen=True, slots=True)
class Fact:
    """One field of an entity.

    `low` and `high` are inclusive quanta; a value outside them is missing. `max_age` is in milliseconds; an older
    value is missing. `calm` is what a test assumes when it says nothing.
    """

    entity: str
    name: str
    type: Type
    doc: str
    owner: str
    low: int | None = None
    high: int | None = None
    max_age: int | None = None
    calm: Value | None = None

    @property
    def path(self) -> str:
        """The name as rules write it: `account.drawdown`."""
        return sys.intern(f"{self.entity}.{self.name}")

    def in_range(self, value: Value | None) -> bool:
        """Whether a known value lies in the declared range (levels in theirs)."""
        if isinstance(self.type, Levels):
            return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < len(self.type.members)
        if isinstance(self.type, Quantity):
            if isinstance(value, bool) or not isinstance(value, int):
                return False
            return (self.low is None or value >= self.low) and (self.high is None or value <= self.high)
        return isinstance(value, bool) if isinstance(self.type, Flag) else isinstance(value, str)


@dataclass(frozen=True, slots=True)
class Entity:
    """A kind of row and its facts, in declared order; `time` is the fact that holds the time of an event, if any."""

    name: str
    rows: Rows
    facts: Mapping[str, Fact]
    doc: str = ""
    time: str | None = None

    def __getstate__(self) -> tuple[object, ...]:
        return (self.name, self.rows, dict(self.facts), self.doc, self.time)

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        for field, value in zip(("name", "rows", "facts", "doc", "time"), state, strict=True):
            object.__setattr__(self, field, value)


@dataclass(frozen=True)
class Catalogue:
    """Every entity and every shared enumeration of levels, by name."""

    entities: Mapping[str, Entity]
    levels: Mapping[str, Levels]

    def fact(self, path: str) -> Fact | None:
        """The fact called `entity.name`, if there is one."""
        entity, _, name = path.partition(".")
        found = self.entities.get(entity)
        return found.facts.get(name) if found is not None else None

    def of_kind(self, rows: Rows) -> tuple[Entity, ...]:
        """The entities with that many rows, by name."""
        return tuple(e for _, e in sorted(self.entities.items()) if e.rows is rows)

    @property
    def hash(self) -> str:
        """SHA-256 over everything that can change a decision."""
        rows = [
            [e.name, e.rows.value, e.time, [[f.name, str(f.type), *_plain(f)] for f in e.facts.values()]]
            for _, e in sorted(self.entities.items())
        ]
        levels = [[n, *v.members, v.ordered] for n, v in sorted(self.levels.items())]
        return hashlib.sha256(json.dumps([rows, levels]).encode()).hexdigest()


def _plain(fact: Fact) -> list[object]:
    members = list(fact.type.members) if isinstance(fact.type, Levels) else []
    return [members, fact.low, fact.high, fact.max_age, fact.calm]


class FactModel(BaseModel):
    """Base of the pydantic models that declare facts; subclasses name their entity, events the fact with their time."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=True)

    entity: ClassVar[str] = ""
    rows: ClassVar[Rows] = Rows.ONE
    time: ClassVar[str | None] = None

    def __init_subclass__(cls, entity: str = "", rows: Rows = Rows.ONE, time: str | None = None, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.entity, cls.rows, cls.time = entity, rows, time


_AGE = re.compile(r"(\d+)(ms|s|m|h|d)")
_AGE_MS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}


def fact(
    doc: str,
    *,
    owner: str,
    low: float | int | None = None,
    high: float | int | None = None,
    max_age: str | None = None,
    calm: float | int | bool | str | None = None,
) -> Any:
    """Declare a field of a `FactModel`; figures are in document units, `max_age` reads like `5m`.

    Raises ValueError for an age that is not of that form.
    """
    age = None
    if max_age is not None:
        match = _AGE.fullmatch(max_age)
        if match is None:
            raise ValueError(f"a maximum age reads like 90s or 5m, not {max_age!r}")
        age = int(match[1]) * _AGE_MS[match[2]]
    extra: dict[str, Any] = {"owner": owner, "low": low, "high": high, "max_age": age, "calm": calm}
    return Field(default=None, description=doc, json_schema_extra={"ringfence": extra})


def catalogue_of(models: Iterable[type[FactModel]]) -> Catalogue:
    """The catalogue of several fact models; models of one entity add up.

    Raises ValueError where a field lacks a type, a calm value is out of range, or a name is declared twice.
    """
    facts: dict[str, dict[str, Fact]] = {}
    rows: dict[str, Rows] = {}
    docs: dict[str, str] = {}
    times: dict[str, str] = {}
    levels: dict[str, Levels] = {}
    for model in models:
        own = facts.setdefault(model.entity, {})
        if rows.setdefault(model.entity, model.rows) is not model.rows:
            raise ValueError(f"{model.__name__}: `{model.entity}` is declared with two kinds of rows")
        docs.setdefault(model.entity, (model.__doc__ or "").strip().split("\n")[0])
        if model.time is not None:
            times[model.entity] = model.time
        for name, field in model.model_fields.items():
            if name in own:
                raise ValueError(f"`{model.entity}.{name}` is declared twice")
            own[name] = _fact_of(model, name, field)
            kind = own[name].type
            if isinstance(kind, Levels) and levels.setdefault(kind.name, kind) != kind:
                raise ValueError(f"levels `{kind.name}` are declared twice with different members")
    for name, time in times.items():
        if rows[name] is not Rows.EVENT or time not in facts[name] or facts[name][time].type != TIME:
            raise ValueError(f"`{name}.{time}` is not the time of an event")
    entities = {n: Entity(n, rows[n], MappingProxyType(f), docs[n], times.get(n)) for n, f in facts.items()}
    return Catalogue(MappingProxyType(entities), MappingProxyType(levels))


def _fact_of(model: type[FactModel], name: str, field: FieldInfo) -> Fact:
    kinds = [m for m in field.metadata if isinstance(m, Quantity | Levels | Flag | Text | Reference)]
    if len(kinds) != 1 or not isinstance(field.json_schema_extra, dict):
        raise ValueError(f"{model.__name__}.{name} needs one type of the language and `fact(...)`")
    kind = kinds[0]
    extra: Any = field.json_schema_extra["ringfence"]

    def quanta(value: Any) -> int | None:
        return to_quanta(value, kind.unit) if value is not None and isinstance(kind, Quantity) else None

    calm = extra["calm"]
    if isinstance(kind, Levels) and calm is not None:
        calm = kind.rank(calm)
    elif isinstance(kind, Quantity):
        calm = quanta(calm)
    low, high = quanta(extra["low"]), quanta(extra["high"])
    if low is None and isinstance(kind, Quantity) and kind.unit in (Unit.COUNT, Unit.DURATION, Unit.RATE):
        low = 0
    made = Fact(model.entity, name, kind, field.description or "", extra["owner"], low, high, extra["max_age"], calm)
    if calm is not None and not made.in_range(calm):
        raise ValueError(f"{made.path}: the calm value is outside the declared range")
    return made
