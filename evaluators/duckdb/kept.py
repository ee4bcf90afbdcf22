"""What outputs hold on to: the strictest value of a window, since a release, or while it is in force.

Most outputs can have but a few values. Then it is enough to know of each when it was last there, which a running
maximum tells; the window of any other is looked through.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from evaluators.duckdb.fragments import Case, Fragment, compose
from evaluators.duckdb.frames import Column
from evaluators.duckdb.history import NULL, History
from evaluators.duckdb.reads import constant
from evaluators.duckdb.scene import OutputColumns, Scene
from policy_dsl.nodes import Expression, OutputRead, Since, Strictest, Until
from policy_dsl.program import Direction, Output
from policy_dsl.types import Flag, Value

Compile = Callable[[Expression, Scene], Fragment]

Keeps = Strictest | Since | Until

MANY = 8
"""More values than so many are not told apart one by one."""


def possible_values(node: Expression, outputs: Mapping[str, OutputColumns]) -> tuple[Value, ...] | None:
    """The values that `node` can have where it is known, as far as it hands on those of an output; else None."""
    if isinstance(node, Keeps):
        node = node.operand
    return outputs[node.output].possible if isinstance(node, OutputRead) else None


def kept(node: Keeps, scene: Scene, value: Compile) -> Fragment:
    """The value that the output of `node` keeps, in the frame of its rows, which is that of `scene`."""
    output = scene.outputs[node.operand.output]
    history = History(scene.frames, scene.frame)
    few = output.possible is not None and len(output.possible) <= MANY
    match node:
        case Strictest():
            make = _few_in_window if few else _in_window
            found = make(node.duration, output, history)
        case Since():
            released = scene.frame.hold(value(node.release, scene), "released")
            release = history.latest_time(released, "last release")
            found = _few_since(release, output, history) if few else _since(release, output, history)
        case Until():
            end = _column(scene.outputs[node.end.output])
            found = _few_until(end, output, history) if few else _held(end, output, history)
    return scene.frame.hold(found.known(), f"kept of {output.output.id}")


def _column(output: OutputColumns) -> Column:
    if output.value is None:
        raise TypeError(f"the set `{output.output.id}` keeps nothing")
    return output.value


def strictest_of(output: Output) -> str:
    """The template of the aggregate that finds the strictest of several values of `output`."""
    down = output.direction is Direction.DOWN
    if isinstance(output.type, Flag):
        return "bool_and({})" if down else "bool_or({})"
    return "min({})" if down else "max({})"


# --- few values ------------------------------------------------------------------------------------------------------


def _steps(output: OutputColumns) -> list[tuple[Fragment, Fragment, str]]:
    """Of each value but the loosest: the value, whether the row at hand has it, and a name."""
    kind, read = output.output.type, _column(output).read
    values = [constant(value, kind) for value in (output.possible or ())[:-1]]
    return [(value, compose("{} = {}", read, value), f"{output.output.id} {value.text}") for value in values]


def _loosest(output: OutputColumns) -> Fragment:
    return constant((output.possible or ())[-1], output.output.type)


def _few_in_window(duration: int, output: OutputColumns, history: History) -> Fragment:
    case = Case()
    for value, has_it, name in _steps(output):
        case.when(history.within(history.latest_time(has_it, f"last {name}"), duration), value)
    return case.otherwise(_loosest(output))


def _few_since(release: Fragment, output: OutputColumns, history: History) -> Fragment:
    case = Case()
    for value, has_it, name in _steps(output):
        last = history.latest_time(has_it, f"last {name}")
        case.when(compose("({} >= coalesce({}, {}))", last, release, last), value)
    return case.otherwise(_loosest(output))


def _few_until(end: Column, output: OutputColumns, history: History) -> Fragment:
    case = Case()
    for value, has_it, name in _steps(output):
        last = history.so_far("max({})", Case().when(has_it, end.read).otherwise(NULL), f"end of {name}")
        case.when(compose("({} > {})", last, history.time), value)
    return case.otherwise(_loosest(output))


# --- any values ------------------------------------------------------------------------------------------------------


def _in_window(duration: int, output: OutputColumns, history: History) -> Fragment:
    value = _column(output).read
    return history.trailing(strictest_of(output.output), value, duration, f"strictest of {output.output.id}")


def _since(release: Fragment, output: OutputColumns, history: History) -> Fragment:
    value = _column(output).read
    return history.so_far(strictest_of(output.output), value, f"strictest of {output.output.id}", [release])


def _held(end: Column, output: OutputColumns, history: History) -> Fragment:
    held = history.in_force(strictest_of(output.output), _column(output), end, f"held of {output.output.id}")
    return compose("coalesce({}, {})", held, constant(_start(output), output.output.type))


def _start(output: OutputColumns) -> Value:
    if output.output.starts is None:
        raise TypeError(f"the set `{output.output.id}` keeps nothing")
    return output.output.starts
