"""Writes values and typed expressions as a person reads them: in reasons, explanations and reports."""

from __future__ import annotations

from policy_dsl import nodes
from policy_dsl.literals import write, write_brief
from policy_dsl.operators import Fold
from policy_dsl.types import DURATION, Flag, Levels, Quantity, Type, Value

UNKNOWN = "unknown"


def write_value(value: Value | None, kind: Type) -> str:
    """A value of a type, as a rule file would write it; `unknown` for None."""
    if value is None:
        return UNKNOWN
    if isinstance(kind, Quantity):
        return write(int(value), kind.unit)
    if isinstance(kind, Levels):
        return kind.members[int(value)]
    if isinstance(kind, Flag):
        return "yes" if value else "no"
    return str(value).lower() if isinstance(value, bool) else str(value)


def write_range(low: int | None, high: int | None, kind: Type) -> str:
    """A range of numbers: `0% to 100%`, `at least 0%`, `at most 5m`; empty where neither end is declared."""
    ends = [None if end is None else write_value(end, kind) for end in (low, high)]
    if ends[0] is None or ends[1] is None:
        return f"at least {ends[0]}" if ends[0] is not None else f"at most {ends[1]}" if ends[1] is not None else ""
    return f"{ends[0]} to {ends[1]}"


def write_briefly(value: Value | None, kind: Type) -> str:
    """A value as `write_value` writes it, numbers rounded to what a sentence needs."""
    if isinstance(kind, Quantity) and value is not None:
        return write_brief(int(value), kind.unit)
    return write_value(value, kind)


def write_expression(node: nodes.Expression, *, outer: bool = True) -> str:
    """A typed expression in the words of the language, with names resolved and params by name."""
    if isinstance(node, nodes.Lookback):
        return write_expression(node.source, outer=outer)
    text = _written(node)
    compound = isinstance(
        node, nodes.All | nodes.AnyOf | nodes.Not | nodes.Arithmetic | nodes.Throughout | nodes.Within
    )
    return text if outer or not compound else f"({text})"


def _inner(node: nodes.Expression) -> str:
    return write_expression(node, outer=False)


def _written(node: nodes.Expression) -> str:
    match node:
        case nodes.Constant():
            if node.name is not None:
                return node.name
            return f'"{node.value}"' if isinstance(node.value, str) else write_value(node.value, node.type)
        case nodes.FactRead():
            return f"{node.entity}.{node.field}"
        case nodes.RowRead():
            return f"{_row(node.row)}.{node.field}"
        case nodes.RowKey():
            return node.variable
        case nodes.OutputRead():
            named = node.row is not None and node.row.variable is None
            return f"{node.output}[{_inner(node.row.key)}]" if named and node.row and node.row.key else node.output
        case nodes.Arithmetic():
            return f"{_inner(node.left)} {node.operator.value} {_inner(node.right)}"
        case nodes.Negate():
            return f"-{_inner(node.operand)}"
        case nodes.Absolute():
            return f"abs({_written(node.operand)})"
        case nodes.Pick():
            return f"{node.extreme.value}({', '.join(map(_written, node.operands))})"
        case nodes.Lookback():
            return _written(node.source)
        case nodes.Previous():
            return f"previous({_written(node.operand)})"
        case nodes.Window():
            return f"{node.fold.value}({_written(node.operand)} over {_duration(node.duration)})"
        case nodes.Aggregate() | nodes.EventFold():
            return _fold(node)
        case _:
            return _truth(node)


def _truth(node: nodes.Expression) -> str:
    match node:
        case nodes.Compare():
            return f"{_inner(node.left)} {node.comparator.value} {_inner(node.right)}"
        case nodes.OneOf():
            values = ", ".join(write_value(v, node.operand.type) for v in node.values)
            return f"{_inner(node.operand)} {'not in' if node.negated else 'in'} {{{values}}}"
        case nodes.Known():
            return f"{_inner(node.operand)} is {'unknown' if node.negated else 'known'}"
        case nodes.Includes():
            return f"{_inner(node.operand)} {'excludes' if node.negated else 'includes'} {node.item}"
        case nodes.IsTrue():
            return _inner(node.operand)
        case nodes.All():
            return " and ".join(map(_inner, node.operands)) or "always"
        case nodes.AnyOf():
            return " or ".join(map(_inner, node.operands)) or "never"
        case nodes.Not():
            return f"not {_inner(node.operand)}"
        case nodes.Throughout():
            return f"{_inner(node.operand)} throughout {_duration(node.duration)}"
        case nodes.Within():
            return f"{_inner(node.operand)} within {_duration(node.duration)}"
        case _:
            raise TypeError(f"no way to write {type(node).__name__}")


def _row(row: nodes.Row) -> str:
    if row.variable is not None:
        return row.variable
    if isinstance(row.key, nodes.RowRead):
        return _written(row.key)
    return f"{row.entity}[{_written(row.key)}]" if row.key is not None else row.entity


def _fold(node: nodes.Aggregate | nodes.EventFold) -> str:
    entity = node.entity if isinstance(node, nodes.Aggregate) else node.event
    quantified = node.fold in (Fold.ANY, Fold.ALL)
    body = entity if node.value is None or quantified else _written(node.value)
    if node.variable != entity:
        body += f" as {node.variable}"
    where = node.value if quantified else node.where
    if where is not None:
        body += f" where {_written(where)}"
    if isinstance(node, nodes.EventFold):
        body += f" over {_duration(node.duration)}"
    return f"{node.fold.value}({body})"


def _duration(ms: int) -> str:
    return write_value(ms, DURATION)
