"""Folds over the rows of an entity: columns of the rows, aggregated a snapshot (or a row of the scene around)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from evaluators.duckdb import numbers
from evaluators.duckdb.fragments import FALSE, TRUE, Case, Fragment, compose, either, every
from evaluators.duckdb.frames import Frame
from evaluators.duckdb.scene import Scene, variables_read
from policy_dsl.nodes import Aggregate, Expression
from policy_dsl.operators import Fold

REQUEST = "request"
"""A collection that is never missing, for it is the question itself; nor are the events that were heard of."""

NULL = Fragment("NULL", nullable=True)

Value = Callable[[Expression, Scene], Fragment]


@dataclass(frozen=True, slots=True)
class _Fold:
    """A fold at work: the frame of its rows, the scene around them, and which rows it picks."""

    inner: Frame
    outer: Scene
    entity: str
    picked: Fragment

    def total(self, template: str, part: Fragment, name: str) -> Fragment:
        """An aggregate over the rows, in the frame around; NULL over no row."""
        return self.outer.frames.roll_up(self.inner, compose(template, part), name).read

    def unless_missing(self, case: Case, otherwise: Fragment) -> Fragment:
        """The branches of `case`, after one for a missing collection."""
        if self.entity == REQUEST or self.entity in self.outer.frames.events:
            return case.otherwise(otherwise)
        known = self.outer.frames.carry(self.outer.frames.known(self.entity), self.outer.frame, ())
        missing = compose("(NOT {})", known.read)
        return Case([(missing, NULL), *case.branches]).otherwise(otherwise)

    def any_unknown(self, values: list[Fragment]) -> Fragment:
        """Whether any row is unknown: whether it is picked, or a value where it is."""
        parts = [compose("({} IS NULL)", self.picked)] if self.picked.nullable else []
        parts += [every([self.picked, compose("({} IS NULL)", v).known()]) for v in values if v.nullable]
        found = either(parts)
        return FALSE if found.text == FALSE.text else self.total("bool_or({})", found, "any unknown")


def aggregate(node: Aggregate, scene: Scene, value: Value) -> Fragment:
    """The value of a fold, at the frame of `scene`."""
    reads = variables_read(node)
    outer, inner, indexes = scene.inside(node.entity, node.variable, reads)
    where = TRUE if node.where is None else inner.frame.hold(value(node.where, inner), "picked")
    folded = None if node.value is None else inner.frame.hold(value(node.value, inner), "value")
    fold = _Fold(inner.frame, outer, node.entity, where)
    if node.fold in (Fold.ANY, Fold.ALL):
        whole = _quantified(node.fold, fold, TRUE if folded is None else folded)
    elif node.fold is Fold.COUNT or folded is None:
        whole = _counted(fold)
    else:
        whole = _number(node.fold, fold, folded)
    made = Fragment(whole.text, whole.columns, whole.depth, nullable=True)
    column = outer.frame.compute(made, f"{node.fold.value} of {node.entity}")
    return scene.frames.carry(column, scene.frame, indexes).read


def _counted(fold: _Fold) -> Fragment:
    case = Case().when(fold.any_unknown([]).known(), NULL)
    return fold.unless_missing(case, compose("coalesce({}, 0)", _number_picked(fold)))


def _number_picked(fold: _Fold) -> Fragment:
    if fold.picked.text == TRUE.text:
        return fold.total("count({})", Fragment("*"), "count")
    return fold.total("count_if({})", fold.picked, "count")


def _number(kind: Fold, fold: _Fold, folded: Fragment) -> Fragment:
    case = Case().when(fold.any_unknown([folded]).known(), NULL)
    picked = Case().when(fold.picked, folded).otherwise(NULL)
    if kind in (Fold.HIGHEST, Fold.LOWEST):
        template = "max({})" if kind is Fold.HIGHEST else "min({})"
        return fold.unless_missing(case, fold.total(template, picked, kind.value))
    total = fold.total("sum({})", picked, "sum")
    if kind is Fold.SUM:
        return fold.unless_missing(case, compose("TRY_CAST(coalesce({}, 0) AS BIGINT)", total))
    frame = fold.outer.frame
    return fold.unless_missing(case, numbers.average(frame, total, _number_picked(fold)))


def _quantified(kind: Fold, fold: _Fold, claim: Fragment) -> Fragment:
    """ANY is the disjunction of `picked and claim`, ALL the conjunction of `not picked or claim`."""
    if kind is Fold.ANY:
        each, decided, template = every([fold.picked, claim]), TRUE, "bool_or({})"
    else:
        contrary = FALSE if fold.picked.text == TRUE.text else compose("(NOT {})", fold.picked)
        each, decided, template = either([contrary, claim]), FALSE, "bool_and({})"
    held = fold.inner.hold(each, kind.value)
    found = fold.total(template, held, kind.value)
    case = Case().when(found if kind is Fold.ANY else compose("(NOT {})", found), decided)
    if held.nullable:
        case.when(fold.total("bool_or({} IS NULL)", held, "any unknown"), NULL)
    return fold.unless_missing(case, FALSE if kind is Fold.ANY else TRUE)
