"""Expectations of tests that do not hold: what was found instead, and since when."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from evaluators.decision import Decision
from evaluators.expressions import evaluate
from evaluators.snapshot import Snapshot
from evaluators.staging import Staged
from policy_dsl.diagnostics import Span
from policy_dsl.nodes import Aggregate, Expression, FactRead, OutputRead, RowRead
from policy_dsl.types import ItemSet
from policy_dsl.walking import children
from policy_dsl.writing import write_expression, write_value


@dataclass(frozen=True, slots=True)
class Found:
    """A value that an expectation read, in words.

    Of an output: `since` when it had that value (ms after the start) and what it was `before`, None if it never was
    anything else.
    """

    name: str
    value: str
    since: int | None = None
    before: str | None = None


@dataclass(frozen=True, slots=True)
class Failure:
    """An expectation that did not hold, `at` ms after the start."""

    evaluator: str
    variant: int
    at: int
    span: Span
    found: tuple[Found, ...]


class Judged:
    """What one evaluator decided of the snapshots of some tests: book after book, each in order of time."""

    def __init__(self, evaluator: str, scenes: Sequence[Staged], decisions: Sequence[Decision]) -> None:
        self.evaluator, self.scenes, self.decisions = evaluator, scenes, decisions
        # Where each value was last asked for, and where it began: so that no snapshot is looked at twice.
        self._began: dict[tuple[str, Expression], tuple[int, int]] = {}

    def failures(self, index: int) -> Iterator[tuple[int, Failure]]:
        """The expectations of a snapshot that do not hold, each with its number among them."""
        scene, decision = self.scenes[index], self.decisions[index]
        for number, expectation in enumerate(scene.expected):
            if evaluate(expectation.condition, scene.snapshot, {}, decision.outputs) is not True:
                found = tuple(self._found(node, index) for node in dict.fromkeys(_reads(expectation.condition)))
                yield number, Failure(self.evaluator, scene.variant, scene.at, expectation.span, found)

    def _found(self, node: Expression, index: int) -> Found:
        name, value = write_expression(node), self._text(node, index)
        if not isinstance(node, OutputRead):
            return Found(name, value)
        first = self._beginning(node, index, value)
        before = self._text(node, first - 1) if self._is_one_book(first) else None
        return Found(name, value, self.scenes[first].at, before)

    def _beginning(self, node: Expression, index: int, value: str) -> int:
        """The snapshot since which the node has had the value that it has at `index`."""
        key = (self.scenes[index].snapshot.book, node)
        asked, began = self._began.get(key, (-1, -1))
        if asked == index:
            return began
        first = index
        while first > asked + 1 and self._is_one_book(first) and self._text(node, first - 1) == value:
            first -= 1
        if first == asked + 1 and self._is_one_book(first) and self._text(node, asked) == value:
            first = began
        self._began[key] = (index, first)
        return first

    def _is_one_book(self, index: int) -> bool:
        """Whether the snapshot before `index` is of the same book."""
        return index > 0 and self.scenes[index - 1].snapshot.book == self.scenes[index].snapshot.book

    def _text(self, node: Expression, index: int) -> str:
        snapshot, outputs = self.scenes[index].snapshot, self.decisions[index].outputs
        if isinstance(node, OutputRead) and isinstance(node.type, ItemSet):
            return ", ".join(_items(outputs[node.output], node, snapshot)) or "nothing"
        return write_value(evaluate(node, snapshot, {}, outputs), node.type)


def _reads(node: Expression) -> Iterator[Expression]:
    """The outputs, facts and folds in a condition; what a fold reads of each of its rows is not shown."""
    if isinstance(node, OutputRead | RowRead | FactRead | Aggregate):
        yield node
    if not isinstance(node, Aggregate):
        for part in children(node):
            yield from _reads(part)


def _items(value: object, node: OutputRead, snapshot: Snapshot) -> list[str]:
    if node.row is not None and node.row.key is not None and isinstance(value, Mapping):
        value = value.get(evaluate(node.row.key, snapshot, {}, {}), ())
    return [item for item, _ in value] if isinstance(value, tuple) else []
