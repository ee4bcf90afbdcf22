"""A parsed document to a snapshot; every problem is reported, with its JSON path."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from evaluators.document_json import JsonObject, below
from evaluators.document_places import Places
from evaluators.document_values import read_value, shown, storable
from evaluators.snapshot import Fields, Snapshot
from evaluators.timelines import BOOK_FORM, is_book
from evaluators.timestamps import parse_time
from policy_dsl.catalogue import Catalogue, Entity, Fact, Rows
from policy_dsl.diagnostics import Findings, did_you_mean
from policy_dsl.types import Value

_TIME_FORM = "times are ISO 8601 in UTC, such as 2025-10-10T21:00:00Z"


@dataclass(frozen=True, slots=True)
class DocumentReader:
    """Reads documents against a catalogue; `places` says where they stand, if they stand in a file.

    With `calm`, what is left out holds its calm value, and collections are empty. Findings: RF703 a key given
    twice, RF704 wrong shape, RF705
    unknown entity, RF706 unknown fact, RF709 bad time, RF710 no book or time, RF711 bad name of a book or row, and
    those of `read_value`.
    """

    catalogue: Catalogue
    calm: bool
    findings: Findings
    places: Places = field(default_factory=Places)

    def snapshot(self, document: Any) -> Snapshot | None:
        """The snapshot that the document describes; None if it has no usable book and time."""
        if not isinstance(document, dict):
            help = 'a document is an object such as {"book": "main", "ts": "2025-10-10T21:00:00Z"}'
            self._error("RF704", "$", f"the document is {shown(document)}, not an object", help)
            return None
        self._repeated(document, "$")
        book, ts = self._book(document), self._ts(document)
        entities = self.catalogue.entities
        for name in document:
            if name not in entities and name not in ("book", "ts"):
                help = did_you_mean(name, entities) or f"entities are {', '.join(sorted(entities))}"
                self._unknown("RF705", below("$", name), f"there is no entity `{name}`", help)
        given = {name: document[name] for name in entities if name in document}
        facts = {k: v for e in self.catalogue.of_kind(Rows.ONE) for k, v in self._single(e, given).items()}
        rows = {
            e.name: self._rows(e, given) for e in self.catalogue.of_kind(Rows.KEYED) if e.name in given or self.calm
        }
        events = {e.name: self._events(e, given) for e in self.catalogue.of_kind(Rows.EVENT) if e.name in given}
        return None if book is None or ts is None else Snapshot(book, ts, facts, rows, events)

    def _book(self, document: dict[str, Any]) -> str | None:
        book = document.get("book")
        if book is None:
            self._error("RF710", "$", "`$.book` is missing", 'name the book, such as "book": "main"')
        elif not isinstance(book, str) or not is_book(book):
            self._error("RF711", "$.book", f"`$.book` is {shown(book)}, which is no name of a book", BOOK_FORM)
        else:
            return book
        return None

    def _ts(self, document: dict[str, Any]) -> int | None:
        text = document.get("ts")
        if text is None:
            self._error("RF710", "$", "`$.ts` is missing", _TIME_FORM)
        elif not isinstance(text, str):
            self._error("RF709", "$.ts", f"`$.ts` is {shown(text)}, not a time", _TIME_FORM)
        else:
            try:
                return parse_time(text)
            except ValueError as error:
                self._error("RF709", "$.ts", f"`$.ts`: {error}", _TIME_FORM)
        return None

    def _single(self, entity: Entity, given: dict[str, Any]) -> dict[str, Value | None]:
        fields = given.get(entity.name, {})
        if fields is None:
            return {fact.path: None for fact in entity.facts.values()}
        fields = self._fields(entity, fields, below("$", entity.name))
        return {entity.facts[name].path: value for name, value in fields.items()}

    def _rows(self, entity: Entity, given: dict[str, Any]) -> dict[str, Fields] | None:
        path = below("$", entity.name)
        rows = given.get(entity.name, {})
        if rows is None:
            return None
        if not isinstance(rows, dict):
            self._error(
                "RF704", path, f"`{path}` is {shown(rows)}, not an object", f"rows of {entity.name} are given by key"
            )
            return None
        out: dict[str, Fields] = {}
        self._repeated(rows, path)
        for key, fields in rows.items():
            if not key or not storable(key):
                self._unknown("RF711", below(path, key), "a key is text that is not empty", None)
            out[key] = self._fields(entity, fields, below(path, key))
        return out

    def _events(self, entity: Entity, given: dict[str, Any]) -> tuple[Fields, ...]:
        path, listed = below("$", entity.name), given[entity.name]
        if listed is None:
            return ()
        if not isinstance(listed, list | tuple):
            self._error(
                "RF704", path, f"`{path}` is {shown(listed)}, not a list", f"{entity.name} is a list of objects"
            )
            return ()
        return tuple(self._fields(entity, fields, below(path, i)) for i, fields in enumerate(listed))

    def _fields(self, entity: Entity, fields: Any, path: str) -> dict[str, Value | None]:
        if not isinstance(fields, dict):
            self._error("RF704", path, f"`{path}` is {shown(fields)}, not an object", f"such as {_example(entity)}")
            return {}
        self._repeated(fields, path)
        for name in fields:
            if name not in entity.facts:
                help = did_you_mean(name, entity.facts) or f"facts of {entity.name} are {_listed(entity.facts)}"
                self._unknown("RF706", below(path, name), f"{entity.name} has no fact `{name}`", help)
        return {name: v for name, fact in entity.facts.items() for v in self._value(fact, fields, below(path, name))}

    def _value(self, fact: Fact, fields: dict[str, Any], path: str) -> Iterable[Value | None]:
        """The value of a fact that is given, or its calm value if asked for; nothing where it is left out."""
        if fact.name in fields:
            return (read_value(fact, fields[fact.name], path, self.places, self.findings),)
        return (fact.calm,) if self.calm and fact.calm is not None else ()

    def _repeated(self, found: dict[str, Any], path: str) -> None:
        for key in found.repeated if isinstance(found, JsonObject) else ():
            self._unknown("RF703", below(path, key), "the key is given more than once", "keep one of them")

    def _unknown(self, code: str, path: str, message: str, help: str | None) -> None:
        self.findings.error(code, f"`{path}`: {message}", self.places.key(path), help)

    def _error(self, code: str, path: str, message: str, help: str | None) -> None:
        self.findings.error(code, message, self.places.value(path), help)


def _example(entity: Entity) -> str:
    return f'{{"{next(iter(entity.facts), "fact")}": ...}}'


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names)
