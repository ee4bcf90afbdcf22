"""Expressions that look back, from running values: when something last was so, held against the start of the window.

Of `C throughout D` a running maximum tells until when C was last false, of `C within D` when it was last true. So no
window needs to be looked through but for the highest, the lowest and the average of it.
"""

from __future__ import annotations

from collections.abc import Callable

from evaluators.duckdb import numbers
from evaluators.duckdb.fragments import FALSE, TRUE, Case, Fragment, compose, either, listed
from evaluators.duckdb.history import LONGEST, NULL, History
from evaluators.duckdb.scene import Scene, variables_read
from policy_dsl.nodes import Expression, Previous, Throughout, Window, Within
from policy_dsl.operators import Operator, WindowFold

LooksBack = Throughout | Within | Window | Previous

Value = Callable[[Expression, Scene], Fragment]


def look_back(node: LooksBack, scene: Scene, value: Value) -> Fragment:
    """The value of `node`, in the frame of `scene`: worked out in that of the rows that its operand reads."""
    around, indexes = scene.around(variables_read(node.operand))
    operand = around.frame.hold(value(node.operand, around), "looked back at")
    history = History(around.frames, around.frame)
    found = history.unless_stand_in(_value(node, history, operand))
    made = Fragment(found.text, found.columns, found.depth, nullable=True)
    return scene.frames.carry(around.frame.compute(made, _name(node)), scene.frame, indexes).read


def _name(node: LooksBack) -> str:
    return node.fold.value if isinstance(node, Window) else type(node).__name__.lower()


def _value(node: LooksBack, history: History, operand: Fragment) -> Fragment:
    match node:
        case Throughout():
            return _throughout(node.duration, history, operand)
        case Within():
            return _within(node.duration, history, operand)
        case Previous():
            return _previous(history, operand)
        case Window(fold=WindowFold.CHANGE):
            return _change(node.duration, history, operand)
        case Window(fold=WindowFold.AVERAGE):
            total = history.trailing("sum({})", operand, node.duration, "sum")
            count = history.trailing("count({})", operand, node.duration, "number of values")
            average = numbers.average(history.frame, total, count)
            return _unless_unknown(node.duration, history, operand, average)
        case Window():
            template = "max({})" if node.fold is WindowFold.HIGHEST else "min({})"
            best = history.trailing(template, operand, node.duration, node.fold.value)
            return _unless_unknown(node.duration, history, operand, best)


def _throughout(duration: int, history: History, operand: Fragment) -> Fragment:
    """False where a snapshot that says no stood in the window; unknown where one did that says nothing."""
    denied = compose("{} IS FALSE", operand).known()
    last_denied = history.latest(Case().when(denied, history.until).otherwise(NULL), "false until")
    # The window begins with the book, after a gap, or after a snapshot that lacks the row.
    breaks = [
        compose("{} IS NULL", history.time_before).known(),
        compose(f"{{}} - {{}} > {min(history.frames.max_gap, LONGEST)}", history.time, history.time_before),
    ]
    if history.frame.entities:
        breaks.append(history.apart)
    unknown = Case()
    if operand.nullable:
        unknown.when(compose("{} IS NULL", operand).known(), history.until)
    unknown.when(either(breaks), history.time)
    last_unknown = history.latest(unknown.otherwise(NULL), "unknown until")
    case = Case().when(history.within(last_denied, duration), FALSE)
    return case.when(history.within(last_unknown, duration), NULL).otherwise(TRUE)


def _within(duration: int, history: History, operand: Fragment) -> Fragment:
    case = Case().when(history.within(history.latest_time(operand, "last true"), duration), TRUE)
    for doubt in _doubts(history, operand):
        case.when(history.within(doubt, duration), NULL)
    return case.otherwise(FALSE)


def _unless_unknown(duration: int, history: History, operand: Fragment, value: Fragment) -> Fragment:
    case = Case()
    for doubt in _doubts(history, operand):
        case.when(history.within(doubt, duration), NULL)
    return case.otherwise(value)


def _doubts(history: History, operand: Fragment) -> list[Fragment]:
    """When a value was last unknown that speaks of a window: where it is, or the row is gone after it was there."""
    doubts = history.collection_gone()
    marks = [Case().when(history.apart, history.time_before).otherwise(NULL)] if history.frame.entities else []
    if operand.nullable:
        marks.insert(0, Case().when(compose("{} IS NULL", operand).known(), history.time).otherwise(NULL))
    if marks:
        mark = marks[0] if len(marks) == 1 else compose("greatest({})", listed(", ", marks))
        doubts.append(history.latest(mark, "last unknown"))
    return doubts


def _previous(history: History, operand: Fragment) -> Fragment:
    before = history.before(operand, "previous")
    return Case().when(history.apart, NULL).otherwise(before) if history.frame.entities else before


def _change(duration: int, history: History, operand: Fragment) -> Fragment:
    """The value now less the one of the snapshot that stood at the start of the window."""
    then = history.ago(operand, duration, "value then")
    time = history.ago(history.time, duration, "time then")
    reach = min(duration, LONGEST) + min(history.frames.max_gap, LONGEST)
    case = Case().when(compose(f"({{}} < {{}} - {reach})", time, history.time), NULL)
    if history.frame.entities:
        stood = history.within(history.ago(history.until, duration, "until then"), duration)
        case.when(compose("(NOT {})", stood), NULL)
    return case.otherwise(numbers.summed(operand, then, Operator.SUBTRACT))
