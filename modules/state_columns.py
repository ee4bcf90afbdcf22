"""State of one book as columns: what feeds and books make, ready to be recorded or read as snapshots."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evaluators.recording import RecordingWriter, quanta_of
from evaluators.snapshot import Fields, Snapshot
from policy_dsl.catalogue import Catalogue, Fact, Rows
from policy_dsl.quantities import to_quanta
from policy_dsl.types import Flag, Levels, Quantity

Values = NDArray[Any] | Sequence[Any]
"""Measured values of one fact: floats or decimals in document units (NaN, None missing), masked integers that are
quanta already, ranks (-1 missing) or names of levels (None missing), booleans, text (None missing)."""

Masked = np.ma.MaskedArray[Any, Any]


@dataclass(slots=True)
class RowLog:
    """Rows of one keyed or event entity, in the order of their making: time in ms, key, and a value a field."""

    fields: tuple[str, ...]
    times: list[int] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    values: list[tuple[Any, ...]] = field(default_factory=list)

    def add(self, ts: int, key: str, *values: Any) -> None:
        """Append one row; `values` are in the order of `fields`."""
        self.times.append(ts)
        self.keys.append(key)
        self.values.append(values)

    def columns(self) -> EntityColumns:
        """The rows as columns."""
        listed = list(zip(*self.values, strict=True)) or [()] * len(self.fields)
        return EntityColumns(
            np.array(self.times, dtype=np.int64), self.keys, dict(zip(self.fields, listed, strict=True))
        )


@dataclass(frozen=True, slots=True)
class EntityColumns:
    """Rows of one entity: times in ms, keys, and fields by name, all of one length."""

    ts: NDArray[np.int64]
    keys: Sequence[str]
    fields: Mapping[str, Values]

    def joined(self, other: EntityColumns) -> EntityColumns:
        """The rows of both, with the fields of both; a field that one lacks is missing there."""
        absent_here, absent_there = [None] * len(self.keys), [None] * len(other.keys)
        fields = {
            name: [*self.fields.get(name, absent_here), *other.fields.get(name, absent_there)]
            for name in dict.fromkeys([*self.fields, *other.fields])
        }
        return EntityColumns(np.concatenate([self.ts, other.ts]), [*self.keys, *other.keys], fields)


@dataclass(frozen=True, slots=True)
class StateColumns:
    """Everything known of one book over time.

    `ts` are the times of the snapshots in ms, strictly increasing. `single` holds the facts of entities with one row
    by path, `entities` the rows of the others. `known` says of each snapshot whether a collection is known; one that
    is not mentioned is known at every snapshot if `entities` has it, and at none otherwise. `gaps` says of facts that
    are missing why they are, for a person.
    """

    book: str
    cadence_ms: int
    ts: NDArray[np.int64]
    single: Mapping[str, Values]
    entities: Mapping[str, EntityColumns]
    known: Mapping[str, NDArray[np.bool_]] = field(default_factory=dict)
    gaps: Mapping[str, str] = field(default_factory=dict)

    def write(self, writer: RecordingWriter, catalogue: Catalogue) -> None:
        """Append it all to a recording in the making."""
        columns: dict[str, Any] = {path: encode(values, _fact(catalogue, path)) for path, values in self.single.items()}
        writer.write("snapshot", self.book, columns | self._known(catalogue) | {"ts": self.ts})
        for name, rows in self.entities.items():
            fields = {f: encode(v, _fact(catalogue, f"{name}.{f}")) for f, v in rows.fields.items()}
            writer.write(name, self.book, {"ts": rows.ts, "key": list(rows.keys), **fields})

    def snapshots(self, catalogue: Catalogue) -> Iterator[Snapshot]:
        """The snapshots one by one, in order of time; values out of range are missing."""
        single = _in_range(self.single, catalogue, "")
        known = {name.removeprefix("known."): flags.tolist() for name, flags in self._known(catalogue).items()}
        rows = {name: _grouped(name, columns, catalogue) for name, columns in self.entities.items()}
        events = {e.name for e in catalogue.of_kind(Rows.EVENT)}
        for i, ts in enumerate(self.ts.tolist()):
            facts = {path: values[i] for path, values in single.items()}
            keyed = {n: rows.get(n, {}).get(ts, {}) if flags[i] else None for n, flags in known.items()}
            happened = {n: tuple(found[ts].values()) for n, found in rows.items() if n in events and ts in found}
            yield Snapshot(self.book, ts, facts, keyed, happened)

    def _known(self, catalogue: Catalogue) -> dict[str, NDArray[np.bool_]]:
        out = {}
        for entity in catalogue.of_kind(Rows.KEYED):
            default = np.full(len(self.ts), entity.name in self.entities or entity.name == "request")
            out[f"known.{entity.name}"] = self.known.get(entity.name, default)
        return out


def encode(values: Values, fact: Fact) -> Masked | list[str | None]:
    """Measured values in the language's own: quanta, ranks or booleans with a mask, or text with None."""
    kind = fact.type
    if isinstance(values, np.ma.MaskedArray):
        return values
    if isinstance(kind, Quantity):
        listed = list(values) if not isinstance(values, np.ndarray) else []
        if any(isinstance(v, Decimal) for v in listed):
            exact = [None if v is None else to_quanta(v, kind.unit) for v in listed]
            return np.ma.masked_array([v or 0 for v in exact], mask=[v is None for v in exact], dtype=np.int64)
        return quanta_of(np.asarray(values, dtype=np.float64), kind.unit)
    if isinstance(kind, Levels):
        return _ranks(values, kind)
    if isinstance(kind, Flag):
        absent = [v is None for v in values]
        return np.ma.masked_array([bool(v) for v in values], mask=absent, dtype=np.bool_)
    return [None if v is None else str(v) for v in values]


def _ranks(values: Values, levels: Levels) -> Masked:
    if isinstance(values, np.ndarray) and values.dtype.kind == "i":
        ranks = values.astype(np.int64)
    else:
        place = {name: rank for rank, name in enumerate(levels.members)} | {None: -1}
        ranks = np.array([place.get(v, v) for v in values], dtype=np.int64)
    return np.ma.masked_array(ranks, mask=ranks < 0)


def _fact(catalogue: Catalogue, path: str) -> Fact:
    found = catalogue.fact(path)
    if found is None:
        raise ValueError(f"the catalogue has no fact `{path}`")
    return found


def _in_range(columns: Mapping[str, Values], catalogue: Catalogue, prefix: str) -> dict[str, list[Any]]:
    out = {}
    for name, values in columns.items():
        fact = _fact(catalogue, prefix + name)
        made = encode(values, fact)
        listed = made if isinstance(made, list) else made.tolist()
        out[name] = [v if v is not None and fact.in_range(v) else None for v in listed]
    return out


def _grouped(name: str, rows: EntityColumns, catalogue: Catalogue) -> dict[int, dict[str, Fields]]:
    """The rows by time and key."""
    columns = _in_range(rows.fields, catalogue, f"{name}.")
    names = list(columns)
    fields = list(zip(*columns.values(), strict=True)) or [()] * len(rows.keys)
    out: dict[int, dict[str, Fields]] = {}
    for ts, key, values in zip(rows.ts.tolist(), rows.keys, fields, strict=True):
        out.setdefault(ts, {})[key] = dict(zip(names, values, strict=True))
    return out
