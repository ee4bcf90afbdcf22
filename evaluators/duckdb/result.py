"""What a run leaves behind: relations of decisions, and where in them everything is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import duckdb

from evaluators.duckdb.compiler import Design, OutputPlace, RulePlace
from policy_dsl.program import Program


@dataclass(frozen=True, slots=True)
class Decided:
    """The relations of one run of a program: `name`, and `name_<entity>` for each entity with rows of its own.

    `name` has one row a snapshot: `book`, `ts`, the fund-wide outputs, and the masks `fired_<n>` and `definite_<n>` of
    fund-wide rules. `name_<entity>` has one row a snapshot and `key`; where a collection is missing for which rules
    speak, one row of key '' holds their firings, its outputs NULL.
    """

    name: str
    program: Program
    entities: tuple[str, ...]
    outputs: Mapping[str, OutputPlace]
    rules: Mapping[str, RulePlace]

    @classmethod
    def of(cls, program: Program, design: Design, name: str) -> Decided:
        """What a run of `design` leaves behind."""
        entities = tuple(r.frame.entities[0] for r in design.relations if r.frame.entities)
        return cls(name, program, entities, design.outputs, design.rules)

    def relation(self, entity: str | None) -> str:
        """The relation of the fund-wide decisions, or of those for each row of `entity`."""
        return self.name if entity is None else f"{self.name}_{entity}"


@dataclass(frozen=True, slots=True)
class Result:
    """The decisions of a run, on the connection that holds them.

    `enforced` is what binds. `whole` is what would be decided if the observing rules bound too; None if there are
    none.
    """

    connection: duckdb.DuckDBPyConnection
    enforced: Decided
    whole: Decided | None = None
