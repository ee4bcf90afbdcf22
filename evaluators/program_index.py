"""What a program says by name, worked out once for each program: decisions come by the thousand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from evaluators.identity_key import One
from policy_dsl.program import Output, Permit, Program, Rule
from policy_dsl.types import Type

Item = tuple[str, str]
"""An output that is a set, and one of its items."""


@dataclass(frozen=True, slots=True)
class Index:
    """Outputs and rules by id. Of each item that rules permit, which rules do, and what its arguments count."""

    outputs: Mapping[str, Output]
    rules: Mapping[str, Rule]
    permitting: Mapping[Item, frozenset[str]]
    arguments: Mapping[Item, tuple[Type, ...]]


def index_of(program: Program) -> Index:
    """The index of a program."""
    return _index(One(program))


@lru_cache(maxsize=64)
def _index(one: One[Program]) -> Index:
    permitting: dict[Item, set[str]] = {}
    arguments: dict[Item, tuple[Type, ...]] = {}
    for rule in one.value.rules:
        for effect in rule.effects:
            if isinstance(effect, Permit):
                item = (effect.output, effect.item)
                permitting.setdefault(item, set()).add(rule.id)
                # Every permit of one item has arguments of the same types.
                arguments.setdefault(item, tuple(a.type for a in effect.arguments))
    return Index(
        {output.id: output for output in one.value.outputs},
        {rule.id: rule for rule in one.value.rules},
        {item: frozenset(rules) for item, rules in permitting.items()},
        arguments,
    )
