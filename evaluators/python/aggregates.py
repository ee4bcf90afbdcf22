"""Folds over the rows of an entity, as loops."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from evaluators.event_window import Dependence
from evaluators.python.lasting import fold_lasts
from evaluators.python.literals import literal
from evaluators.python.nodes import shape
from evaluators.python.operands import Operand
from evaluators.python.scribe import RowSlot
from evaluators.python.truths import ALWAYS, TRUE, Condition, conjunction, either, is_none
from policy_dsl.events import matched_key
from policy_dsl.nodes import Aggregate, Expression, OutputRead, Recall, RowKey, RowRead
from policy_dsl.operators import Fold
from policy_dsl.standing import is_hidden
from policy_dsl.walking import walk

if TYPE_CHECKING:
    from evaluators.python.expressions import Expressions, Scene


def aggregate(expressions: Expressions, node: Aggregate, scene: Scene) -> Operand:
    """The operand of a fold; its loop stands outside of all others whose rows it does not read."""
    depth = max((scene[variable].depth for variable in _variables(node) if variable in scene), default=0)
    # A row stands for itself only while its loop runs, and the values of a loop are forgotten after it.
    key = shape(node, {variable: slot.row for variable, slot in scene.items()})
    return expressions.scribe.computed(key, depth, lambda name: _Folding(expressions, node, scene, name).write())


def _variables(node: Expression) -> set[str]:
    """The row variables that an expression reads, its own among them."""
    read = {n.row.variable for n in walk(node) if isinstance(n, RowRead | OutputRead) and n.row is not None}
    keys = {n.variable for n in walk(node) if isinstance(n, RowKey)}
    recalled = {variable for n in walk(node) if isinstance(n, Recall) for variable in n.variables}
    return {variable for variable in read | keys | recalled if variable is not None}


class _Folding:
    """One fold being written into the local `name`."""

    def __init__(self, expressions: Expressions, node: Aggregate, scene: Scene, name: str) -> None:
        self.expressions, self.scribe = expressions, expressions.scribe
        self.node, self.name = node, name
        self.rows = expressions.collection(node.entity)
        self.matched = matched_key(node.where, node.variable)
        self.outer = scene

    def write(self) -> Operand:
        """Write the loop. The result is nullable: a missing collection has no fold."""
        keyed = None if self.matched is None else self.matched[1]
        dependences = fold_lasts(self.node, keyed)
        if dependences is None or not self._loops:
            self._fold()
        else:
            self._look_up(dependences, "None" if keyed is None else self.outer[keyed].key.text)
        counts = self.node.fold is Fold.COUNT or (self.node.value is None and not self._quantifies)
        return Operand(self.name, nullable=True, low=0) if counts else Operand(self.name, nullable=True)

    def _look_up(self, dependences: frozenset[Dependence], key: str) -> None:
        """Write the loop under a look for what it found before."""
        found = self.expressions.findings(dependences)
        self.scribe.write(f"{self.name} = {found}.get({key}, known)")
        with self.scribe.block(f"if {self.name} is known:  # not yet"):
            self._fold()
            self.scribe.write(f"{found}[{key}] = {self.name}")

    @property
    def _quantifies(self) -> bool:
        return self.node.fold is Fold.ANY or self.node.fold is Fold.ALL

    @property
    def _loops(self) -> bool:
        """Whether it goes through the rows; the number of all of them is known without."""
        return self.node.where is not None or self._quantifies or self.node.value is not None

    def _fold(self) -> None:
        fold = self.node.fold
        key, row = self.scribe.name("k"), self.scribe.name("w")
        depth = self.scribe.depth + 1
        self.slot = RowSlot(self.node.entity, row, Operand(key, depth=depth), depth)
        self.scene = {**self.outer, self.node.variable: self.slot}
        if self._quantifies:
            self._quantify(fold is Fold.ANY)
        elif not self._loops:
            self._size()
        elif fold is Fold.COUNT or self.node.value is None:
            self._total(None)
        elif fold is Fold.SUM or fold is Fold.AVERAGE:
            self._total(self.node.value)
        else:
            self._extreme(self.node.value, ">" if fold is Fold.HIGHEST else "<")

    @contextmanager
    def _loop(self, starts: str) -> Iterator[None]:
        """The loop, its result starting as unknown where the collection is missing."""
        # Requests are the input itself: none at all is an empty collection of them, not a missing one.
        certain = starts == "None" or self.node.entity == "request"
        unknown = "" if certain else f"None if {self.rows} is None else "
        self.scribe.write(f"{self.name} = {unknown}{starts}")
        with self.scribe.loop(f"{self._candidates()}.items()", self.slot, f"{self.slot.key.text}, {self.slot.row}"):
            yield

    def _candidates(self) -> str:
        """The rows that the condition may pick: of one that wants a field to be a key, those where it is or may be.

        The others are definitely not picked, so no fold sees a difference; a look for the events of each symbol does
        not go through the events of all symbols.
        """
        if self.matched is None:
            return f"({self.rows} or NOTHING)"
        name, variable = self.matched
        if is_hidden(self.node.entity):
            return f"events_of({self.rows}, {literal(name)}, {self.scene[variable].key.text})"
        key = ("sorted", self.node.entity, name)
        sorted_rows = self.scribe.hoisted(key, f"sorted_by({self.rows}, {literal(name)})")
        return f"rows_of({self.rows}, {sorted_rows}, {self.scene[variable].key.text})"

    def _picks(self) -> Condition:
        where = self.node.where
        return TRUE if where is None else self.expressions.condition(where, self.scene)

    def _quantify(self, any_row: bool) -> None:
        """`any` looks for a row that satisfies, `all` for one that contradicts; a doubtful one leaves it unknown."""
        value = self.node.value
        with self._loop(str(not any_row)):
            claim = TRUE if value is None else self.expressions.condition(value, self.scene)
            if not any_row and value is not None:
                claim = self.expressions.condition(value, self.scene, negated=True)
            elif not any_row:
                claim = Condition(ALWAYS.opposite(), ALWAYS.opposite())
            found = conjunction([self._picks(), claim])
            with self.scribe.when(found.possible):
                settled = (f"{self.name} = {any_row}", "break")
                if found.two_valued:
                    self.scribe.write(*settled)
                else:
                    self.scribe.write(f"if {found.certain.text}:", *(f"    {line}" for line in settled))
                    self.scribe.write(f"{self.name} = None")

    def _size(self) -> None:
        """How many rows there are."""
        unknown = "" if self.node.entity == "request" else f"None if {self.rows} is None else "
        self.scribe.write(f"{self.name} = {unknown}len({self.rows} or NOTHING)")

    def _total(self, value: Expression | None) -> None:
        """A count (no value), sum or average."""
        averages = self.node.fold is Fold.AVERAGE and value is not None
        size = self.scribe.name("n") if averages else ""
        if averages:
            self.scribe.write(f"{size} = 0")
        with self._loop("0"), self._picked(value) as operand:
            self.scribe.write(f"{self.name} += {operand.text if operand is not None else 1}")
            if averages:
                self.scribe.write(f"{size} += 1")
        name = self.name
        if averages:
            known = f"{size} and {name} is not None"
            self.scribe.write(f"{name} = divide_half_even({name}, {size}) if {known} else None")
        elif value is not None:
            self.scribe.write(f"if {name} is not None and not INT64_MIN <= {name} <= INT64_MAX:", f"    {name} = None")

    def _extreme(self, value: Expression, sign: str) -> None:
        """The highest or lowest value; of no row, unknown."""
        with self._loop("None"), self._picked(value) as operand:
            if operand is not None:
                better = f"if {self.name} is None or {operand.text} {sign} {self.name}:"
                self.scribe.write(better, f"    {self.name} = {operand.text}")

    @contextmanager
    def _picked(self, value: Expression | None) -> Iterator[Operand | None]:
        """The lines for a picked row; a doubtful pick, or an unknown value, ends the loop with nothing known."""
        operand = None if value is None else self.expressions.value(value, self.scene)
        picks = self._picks()
        with self.scribe.when(picks.possible):
            doubts = [] if picks.two_valued else [picks.certain.opposite()]
            if operand is not None and operand.nullable:
                doubts.append(is_none(operand.text))
            if doubts:
                self.scribe.write(f"if {either(doubts).text}:", f"    {self.name} = None", "    break")
            yield operand
