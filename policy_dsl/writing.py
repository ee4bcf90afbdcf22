"""Writes values and typed expressions as a person reads them: in reasons, explanations and reports."""

from __future__ import annotations

from policy_dsl import program as p
from policy_dsl.literals import write, write_brief
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


def write_briefly(value: Value | None, kind: Type) -> str:
    """A value as `write_value` writes it, numbers rounded to what a sentence needs."""
    if isinstance(kind, Quantity) and value is not None:
        return write_brief(int(value), kind.unit)
    return write_value(value, kind)


def write_expression(node: p.Expression, *, outer: bool = True) -> str:
    """A typed expression in the words of the language, with names resolved and params by name."""
    if isinstance(node, p.Lookback):
        return write_expression(node.source, outer=outer)
    text = _written(node)
    compound = isinstance(node, p.All | p.AnyOf | p.Not | p.Arithmetic | p.Throughout | p.Within)
    return text if outer or not compound else f"({text})"


def _inner(node: p.Expression) -> str:
    return write_expression(node, outer=False)


def _written(node: p.Expression) -> str:
    match node:
        case p.Constant():
            if node.name is not None:
                return node.name
            return f'"{node.value}"' if isinstance(node.value, str) else write_value(node.value, node.type)
        case p.FactRead():
            return f"{node.entity}.{node.field}"
        case p.RowRead():
            return f"{_row(node.row)}.{node.field}"
        case p.RowKey():
            return node.variable
        case p.OutputRead():
            named = node.row is not None and node.row.variable is None
            return f"{node.output}[{_inner(node.row.key)}]" if named and node.row and node.row.key else node.output
        case p.Arithmetic():
            return f"{_inner(node.left)} {node.operator.value} {_inner(node.right)}"
        case p.Negate():
            return f"-{_inner(node.operand)}"
        case p.Absolute():
            return f"abs({_written(node.operand)})"
        case p.Pick():
            return f"{node.extreme.value}({', '.join(map(_written, node.operands))})"
        case p.Lookback():
            return _written(node.source)
        case p.Previous():
            return f"previous({_written(node.operand)})"
        case p.Window():
            return f"{node.fold.value}({_written(node.operand)} over {_duration(node.duration)})"
        case p.Aggregate() | p.EventFold():
            return _fold(node)
        case _:
            return _truth(node)


def _truth(node: p.Expression) -> str:
    match node:
        case p.Compare():
            return f"{_inner(node.left)} {node.comparator.value} {_inner(node.right)}"
        case p.OneOf():
            values = ", ".join(write_value(v, node.operand.type) for v in node.values)
            return f"{_inner(node.operand)} {'not in' if node.negated else 'in'} {{{values}}}"
        case p.Known():
            return f"{_inner(node.operand)} is {'unknown' if node.negated else 'known'}"
        case p.Includes():
            return f"{_inner(node.operand)} {'excludes' if node.negated else 'includes'} {node.item}"
        case p.IsTrue():
            return _inner(node.operand)
        case p.All():
            return " and ".join(map(_inner, node.operands)) or "always"
        case p.AnyOf():
            return " or ".join(map(_inner, node.operands)) or "never"
        case p.Not():
            return f"not {_inner(node.operand)}"
        case p.Throughout():
            return f"{_inner(node.operand)} throughout {_duration(node.duration)}"
        case p.Within():
            return f"{_inner(node.operand)} within {_duration(node.duration)}"
        case _:
            raise TypeError(f"no way to write {type(node).__name__}")


def _row(row: p.Row) -> str:
    if row.variable is not None:
        return row.variable
    if isinstance(row.key, p.RowRead):
        return _written(row.key)
    return f"{row.entity}[{_written(row.key)}]" if row.key is not None else row.entity


def _fold(node: p.Aggregate | p.EventFold) -> str:
    entity = node.entity if isinstance(node, p.Aggregate) else node.event
    quantified = node.fold in (p.Fold.ANY, p.Fold.ALL)
    body = entity if node.value is None or quantified else _written(node.value)
    if node.variable != entity:
        body += f" as {node.variable}"
    where = node.value if quantified else node.where
    if where is not None:
        body += f" where {_written(where)}"
    if isinstance(node, p.EventFold):
        body += f" over {_duration(node.duration)}"
    return f"{node.fold.value}({body})"


def _duration(ms: int) -> str:
    return write_value(ms, DURATION)
