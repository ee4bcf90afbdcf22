"""Reads of facts, rows and outputs as columns of the frame at hand."""

from __future__ import annotations

from evaluators.duckdb.fragments import Fragment, compose
from evaluators.duckdb.frames import Column, Frame, Raw, position_of
from evaluators.duckdb.scene import OutputColumns, Scene
from evaluators.identifiers import literal
from policy_dsl.nodes import Constant, FactRead, OutputRead, Row, RowKey, RowRead
from policy_dsl.types import Flag, Levels, Quantity, Truth, Type, Value


def bigint(value: int) -> str:
    """A literal; the cast binds tighter than a sign, and the lowest BIGINT has no positive counterpart."""
    return f"{value}::BIGINT" if value >= 0 else f"({value})::BIGINT"


def constant(value: Value, kind: Type) -> Fragment:
    """A known value: quanta as BIGINT, a level as its place (1 the first), a flag, text."""
    if isinstance(kind, Quantity):
        return Fragment(bigint(int(value)))
    if isinstance(kind, Levels):
        return Fragment(str(int(value) + 1))
    if isinstance(kind, Flag | Truth):
        return Fragment("TRUE" if value else "FALSE")
    return Fragment(literal(str(value)))


def operand(value: Value, kind: Type) -> Fragment:
    """A known value that is only compared: a number needs no type of its own there."""
    return Fragment(str(int(value))) if isinstance(kind, Quantity) else constant(value, kind)


def conversion(kind: Type) -> str:
    """The template that turns a column of the recording into a value of type `kind`."""
    return position_of(kind.members) if isinstance(kind, Levels) else "{}"


def fact(node: FactRead, scene: Scene) -> Fragment:
    """A fact of an entity with one row a snapshot."""
    path = f"{node.entity}.{node.field}"
    column = scene.frames.fund.raw(path, path, conversion(node.type))
    return scene.frames.carry(column, scene.frame, ()).read


def now(scene: Scene) -> Fragment:
    """The time of the snapshot."""
    return scene.frames.time(scene.frame).read


def row_key(node: RowKey, scene: Scene) -> Fragment:
    """The key of a bound row: NULL for the stand-in of a missing collection."""
    index = scene.variables[node.variable]
    return _bound(key_of(scene.frames.of(scene.frame.entities[index])), index, scene).read


def key_of(frame: Frame) -> Column:
    """The key column of the frame of one entity."""
    return frame.raw("key", "key", nullable=frame.stand_ins)


def row_field(node: RowRead, scene: Scene) -> Fragment:
    """A fact of a row."""
    name = f"{node.row.entity}.{node.field}"
    template = conversion(node.type)
    if node.row.variable is None:
        raw = Raw(node.field, template)
        key = _key(node.row, scene)
        return scene.frames.look_up(scene.frame, node.row.entity, key, raw, name).read
    index = scene.variables[node.row.variable]
    column = scene.frames.of(scene.frame.entities[index]).raw(node.field, name, template)
    return _bound(column, index, scene).read


def output_value(node: OutputRead, scene: Scene) -> Fragment:
    """The value of an output that is no set."""
    column = scene.outputs[node.output].value
    if column is None:
        raise TypeError(f"the set `{node.output}` has no single value")
    return _of_output(column, node.row, scene)


def output_item(node: OutputRead, item: str, scene: Scene) -> Fragment:
    """Whether a set output holds `item`."""
    return _of_output(scene.outputs[node.output].items[item], node.row, scene)


def output_known(node: OutputRead, scene: Scene) -> Fragment:
    """Whether an output has a value: unless its row does not exist."""
    columns = _columns(scene.outputs[node.output])
    read = _of_output(columns[0], node.row, scene)
    return compose("({} IS NOT NULL)", read).known() if read.nullable else Fragment("TRUE")


def _columns(output: OutputColumns) -> list[Column]:
    return [output.value] if output.value is not None else list(output.items.values())


def _of_output(column: Column, row: Row | None, scene: Scene) -> Fragment:
    if row is None:
        return scene.frames.carry(column, scene.frame, ()).read
    if row.variable is not None:
        return _bound(column, scene.variables[row.variable], scene).read
    return scene.frames.look_up(scene.frame, row.entity, _key(row, scene), column, column.name).read


def _bound(column: Column, index: int, scene: Scene) -> Column:
    return scene.frames.carry(column, scene.frame, (index,))


def _key(row: Row, scene: Scene) -> Fragment:
    """The key that names a row: text written in the rule, or a reference."""
    match row.key:
        case Constant():
            return constant(row.key.value, row.key.type)
        case FactRead():
            return fact(row.key, scene)
        case RowRead():
            return row_field(row.key, scene)
        case RowKey():
            return row_key(row.key, scene)
        case _:
            raise TypeError(f"a row is named by text or by a reference, not by {type(row.key).__name__}")
