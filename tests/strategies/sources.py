"""Rule text for generated programs, so that parser, checker and evaluators can be tried on one meaning.

Rows are called by names of their own (`each`, `row1`, ...); inside the value of a fold the row that runs is called by
its entity, as the language asks. A figure of the unit `number` is always a param, since bare figures read as counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from hypothesis import strategies as st

from policy_dsl import literals, nodes
from policy_dsl import program as p
from policy_dsl.operators import Fold
from policy_dsl.quantities import Unit
from policy_dsl.types import Flag, ItemSet, Levels, Quantity, Type, Value
from tests.strategies.programs import POLICIES, programs

Texts = dict[str, str]
"""Rule files by name."""


@st.composite
def sources(draw: st.DrawFn, *, temporal: bool = False) -> tuple[p.Program, Texts]:
    """A program and the rule files that say the same."""
    program = draw(programs(temporal=temporal))
    return program, files(program)


def files(program: p.Program) -> Texts:
    """The rule files of a generated program, one a policy; the first declares params, levels and outputs."""
    numbers: dict[int, str] = {}
    rules = {policy: [_rule(r, numbers) for r in program.rules if r.policy == policy] for policy in POLICIES}
    declared = [*_levels(program), *map(_param, program.params), *_outputs(program, numbers)]
    declared += [f"param {name} : number = {literals.write(value, Unit.NUMBER)}" for value, name in numbers.items()]
    head = {POLICIES[0]: declared}
    return {
        f"{policy}.rules": "\n\n".join(
            [f'policy {policy} version 1.0.0 "generated"', *head.get(policy, []), *rules[policy]]
        )
        for policy in POLICIES
    }


def _levels(program: p.Program) -> list[str]:
    kinds = {o.type for o in program.outputs if isinstance(o.type, Levels) and o.id != "verdict"}
    return [f"levels {k.name} = {' < '.join(k.members)}" for k in sorted(kinds, key=lambda k: k.name)]


def _param(param: p.Param) -> str:
    return f"param {_own(param.id)} : {param.type} = {_figure(param.value, param.type)}"


def _outputs(program: p.Program, numbers: dict[int, str]) -> list[str]:
    return [_output(output) + _keeps(output, numbers) for output in program.outputs if output.id != "verdict"]


def _keeps(output: p.Output, numbers: dict[int, str]) -> str:
    """That an output relaxes and latches."""
    relaxes = "" if output.relaxes_after is None else f" relaxes after {_duration(output.relaxes_after)}"
    if output.latches_until is None:
        return relaxes
    writer = _Writer(numbers)
    if output.entity is not None:
        writer = writer.naming(output.entity, output.entity)
    return f"{relaxes} latches until {writer.text(output.latches_until)}"


def _output(output: p.Output) -> str:
    scope = "" if output.entity is None else f" for each {output.entity}"
    head = f"output {_own(output.id)}{scope}: {output.type}"
    if isinstance(output.type, ItemSet) or output.starts is None or output.direction is None:
        return head
    ends = (
        "" if output.low is None else f" in {_figure(output.low, output.type)} to {_figure(output.high, output.type)}"
    )
    return f"{head}{ends} starts {_figure(output.starts, output.type)} tightens {output.direction.value}"


def _own(id: str) -> str:
    return id.partition(".")[2]


def _figure(value: Value | None, kind: Type) -> str:
    """A value as rules write it."""
    if isinstance(kind, Quantity):
        return literals.write(int(value or 0), kind.unit)
    if isinstance(kind, Levels):
        return kind.members[int(value or 0)]
    if isinstance(kind, Flag):
        return "yes" if value else "no"
    return f'"{value}"'


def _duration(milliseconds: int) -> str:
    return literals.write(milliseconds, Unit.DURATION)


def _rule(rule: p.Rule, numbers: dict[int, str]) -> str:
    scope, writer = rule.scope, _Writer(numbers)
    lines = [f"rule {_own(rule.id)}{' observing' if rule.observing else ''}"]
    if scope is not None:
        writer = writer.naming(scope.variable, "each")
        lines.append(f"for each {scope.entity} as each{' including exits' if scope.including_exits else ''}")
    guard = rule.guard
    if scope is not None and scope.entity == "request" and not scope.including_exits:
        assert isinstance(guard, nodes.All)
        guard = guard.operands[1]
    if guard != nodes.TRUE:
        lines.append(f"when {writer.text(guard)}")
    if rule.excuse is not None and rule.excuse_until is not None:
        until = literals.write_time(rule.excuse_until)
        lines.append(f'except until {until} when {writer.text(rule.excuse)} because "{rule.ticket}"')
    lines += [_effect(effect, writer) for effect in rule.effects]
    because = "".join(b if isinstance(b, str) else "{" + b.text + "}" for b in rule.because)
    return "\n  ".join([*lines, *([f'because "{because}"'] if because else [])])


def _effect(effect: p.Effect, writer: _Writer) -> str:
    match effect:
        case p.Tighten(how=p.How.SCALE):
            return f"scale {effect.output} by {writer.text(effect.value)}"
        case p.Tighten(output="verdict", value=nodes.Constant()):
            return f"tighten verdict to DENY{_held(effect, writer)}"
        case p.Tighten():
            value = writer.text(effect.value)
            return f"tighten {effect.output} {effect.how.value} {value}{_held(effect, writer)}"
        case p.Forbid():
            return f"forbid {effect.item} in {effect.output}"
        case p.Permit():
            arguments = f"({', '.join(writer.text(a) for a in effect.arguments)})" if effect.arguments else ""
            return f"permit {effect.item}{arguments} in {effect.output}"
        case p.Alert():
            return f"alert {effect.level.value}"


def _held(effect: p.Tighten, writer: _Writer) -> str:
    """For how long, or until when, a bound is held."""
    if effect.hold is not None:
        return f" for {_duration(effect.hold)}"
    return "" if effect.until is None else f" until {writer.text(effect.until)}"


@dataclass(frozen=True)
class _Writer:
    """Writes expressions. `names` gives the rows in scope their names, `numbers` collects params for bare figures."""

    numbers: dict[int, str]
    names: Mapping[str, str] = field(default_factory=dict)
    running: Mapping[str, str] = field(default_factory=dict)
    """Inside the value of a fold: the variable that each entity's own name stands for."""

    def naming(self, variable: str, name: str) -> _Writer:
        return replace(self, names={**self.names, variable: name})

    def name(self, variable: str, entity: str) -> str:
        return entity if self.running.get(entity) == variable else self.names[variable]

    def text(self, node: nodes.Expression) -> str:
        """The expression as rules write it, with parentheses wherever they could matter."""
        match node:
            case nodes.Constant():
                return self.constant(node)
            case nodes.FactRead():
                return f"{node.entity}.{node.field}"
            case nodes.RowRead():
                return f"{self.row(node.row)}.{node.field}"
            case nodes.RowKey():
                return self.names[node.variable]
            case nodes.OutputRead():
                return node.output + ("" if node.row is None else f"[{self.key(node.row)}]")
            case nodes.Arithmetic():
                return f"({self.text(node.left)} {node.operator.value} {self.text(node.right)})"
            case nodes.Negate():
                return f"(-({self.text(node.operand)}))"
            case nodes.Absolute():
                return f"abs({self.text(node.operand)})"
            case nodes.Pick():
                return f"{node.extreme.value}({', '.join(map(self.text, node.operands))})"
            case nodes.Compare():
                return f"({self.text(node.left)} {node.comparator.value} {self.text(node.right)})"
            case nodes.OneOf():
                listed = ", ".join(_figure(v, node.operand.type) for v in node.values)
                return f"({self.text(node.operand)} {'not in' if node.negated else 'in'} {{{listed}}})"
            case nodes.Known():
                return f"({self.text(node.operand)} is {'unknown' if node.negated else 'known'})"
            case nodes.Includes():
                return f"({self.text(node.operand)} {'excludes' if node.negated else 'includes'} {node.item})"
            case nodes.IsTrue():
                return self.text(node.operand)
            case nodes.All():
                return f"({' and '.join(map(self.text, node.operands))})"
            case nodes.AnyOf():
                return f"({' or '.join(map(self.text, node.operands))})"
            case nodes.Not():
                return f"(not {self.text(node.operand)})"
            case nodes.Aggregate() | nodes.EventFold():
                return self.aggregate(node)
            case nodes.Throughout():
                return f"(({self.text(node.operand)}) throughout {_duration(node.duration)})"
            case nodes.Within():
                return f"(({self.text(node.operand)}) within {_duration(node.duration)})"
            case nodes.Window():
                return f"{node.fold.value}({self.text(node.operand)} over {_duration(node.duration)})"
            case nodes.Previous():
                return f"previous({self.text(node.operand)})"
            case _:
                raise AssertionError(f"{type(node).__name__} is not generated")

    def constant(self, node: nodes.Constant) -> str:
        if node.name is not None:
            return node.name
        if node.type == Quantity(Unit.NUMBER):
            name = self.numbers.setdefault(int(node.value), f"figure{len(self.numbers)}")
            return f"{POLICIES[0]}.{name}"
        return _figure(node.value, node.type)

    def row(self, row: nodes.Row) -> str:
        """A row whose fact is read."""
        if row.variable is not None:
            return self.name(row.variable, row.entity)
        if isinstance(row.key, nodes.RowRead):
            return self.text(row.key)
        return f"{row.entity}[{self.key(row)}]"

    def key(self, row: nodes.Row) -> str:
        """What stands in the brackets after an output or an entity."""
        if row.variable is not None:
            return self.names[row.variable]
        return self.text(row.key) if row.key is not None else ""

    def aggregate(self, node: nodes.Aggregate | nodes.EventFold) -> str:
        name = f"row{len(self.names)}"
        inner = self.naming(node.variable, name)
        where = None if node.where is None else inner.text(node.where)
        entity = node.entity if isinstance(node, nodes.Aggregate) else node.event
        over = f" over {_duration(node.duration)}" if isinstance(node, nodes.EventFold) else ""
        body = entity
        if node.fold in (Fold.ANY, Fold.ALL) and node.value is not None:
            claim = inner.text(node.value)
            joined = f"({where} and {claim})" if node.fold is Fold.ANY else f"((not {where}) or {claim})"
            where = claim if where is None else joined
        elif node.value is not None:
            body = replace(inner, running={**self.running, entity: node.variable}).text(node.value)
        return f"{node.fold.value}({body} as {name}{'' if where is None else f' where {where}'}{over})"
