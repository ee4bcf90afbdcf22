"""Outputs that hold on to values, spelt out: hidden outputs, and expressions that look back at them.

What an author writes at an output or an effect becomes plain rules:

- `relaxes after D`: the output is tightened to the strictest value, over the trailing D, of a hidden output that the
  rules act on instead.
- `latches until C`: it is tightened to the strictest value, since C, of a hidden output on which the same rules act
  only where they fire definitely.
- `tighten OUT to V for D`: the rule acts on a hidden output of its own, and OUT is tightened to the strictest value of
  that over the trailing D. `until T` takes one more hidden output, for the end.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from policy_dsl.nodes import (
    TRUE,
    All,
    Compare,
    Constant,
    Expression,
    Known,
    Now,
    OutputRead,
    Row,
    RowKey,
    Since,
    Strictest,
    Until,
)
from policy_dsl.operators import Comparator
from policy_dsl.program import Direction, Effect, How, Output, Program, Rule, Scope, Tighten
from policy_dsl.quantities import INT64_MIN
from policy_dsl.types import TIME, Reference

HIDDEN = "~"
"""How the names of hidden outputs and rules begin: no author can write it."""

RAW, SURE, LATCHED, HELD, END = (f"{HIDDEN}{word}." for word in ("raw", "sure", "latched", "hold", "end"))
"""Hidden outputs by what they stand for: what rules ask of an output, and what they ask for certain; the output once
latched; what an effect asks that holds, and until when. Behind it stands the output, or the rule and the place of the
effect in it."""


def is_hidden(id: str) -> bool:
    """Whether an output or a rule is of this module's making."""
    return id.startswith(HIDDEN)


def author_name(id: str) -> str:
    """What a hidden output is named after."""
    return id.split(".", 1)[1]


def spelt_out(program: Program) -> Program:
    """The program with nothing held on to but by expressions: the same decisions, once hidden parts are left out."""
    holding = {
        effect.output
        for rule in program.rules
        for effect in rule.effects
        if isinstance(effect, Tighten) and (effect.hold is not None or effect.until is not None)
    }
    standing = {o.id for o in program.outputs if o.relaxes_after is not None or o.latches_until is not None}
    if not holding and not standing:
        return program
    work = _Spelling({o.id: o for o in program.outputs}, holding, standing)
    rules = [made for rule in program.rules for made in work.rule(rule)]
    outputs = [made for output in program.outputs for made in work.output(output)]
    rules += work.rules
    return replace(program, outputs=tuple(outputs), rules=tuple(sorted(rules, key=lambda r: r.id)))


def certainly(condition: Expression) -> Expression:
    """Whether a condition is definitely true; never unknown."""
    return condition if condition == TRUE else All((Known(condition), condition))


def joined(*conditions: Expression | None) -> Expression | None:
    """The conjunction of those that are there; None if none is."""
    found = [c for c in conditions if c is not None and c != TRUE]
    if not found:
        return None
    return found[0] if len(found) == 1 else All(tuple(found))


def conjuncts(condition: Expression | None) -> tuple[Expression, ...]:
    """The conditions that must all hold: what `joined` puts together. None says nothing."""
    if condition is None:
        return ()
    return condition.operands if isinstance(condition, All) else (condition,)


@dataclass(slots=True)
class _Spelling:
    """The outputs of a program, which of them effects hold and which relax or latch, and what has been added."""

    outputs: dict[str, Output]
    holding: set[str]
    standing: set[str]
    rules: list[Rule] = field(default_factory=list)
    hidden: dict[str, list[Output]] = field(default_factory=dict)

    def raw(self, output: str) -> str:
        """The output that rules act on in place of `output`."""
        return f"{RAW}{output}" if output in self.standing else output

    # --- rules -------------------------------------------------------------------------------------------------------

    def rule(self, rule: Rule) -> Iterator[Rule]:
        """The rule, its effects redirected, and a copy that acts where it fires definitely."""
        effects: list[Effect] = []
        sure: list[Effect] = []
        for number, effect in enumerate(rule.effects):
            if isinstance(effect, Tighten) and effect.output in self.holding | self.standing:
                effects += self._redirected(rule, effect, number)
                if self.outputs[effect.output].latches_until is not None:
                    sure.append(_surely(effect, f"{SURE}{effect.output}"))
            else:
                effects.append(effect)
        yield replace(rule, effects=tuple(effects))
        if sure:
            guard = joined(_present(rule), certainly(rule.guard)) or TRUE
            yield replace(rule, id=f"{SURE}{rule.id}", guard=guard, effects=tuple(sure), because=())

    def _redirected(self, rule: Rule, effect: Tighten, number: int) -> Iterator[Effect]:
        target = self.raw(effect.output)
        if effect.hold is None and effect.until is None:
            yield replace(effect, output=target)
            return
        name = f"{rule.id}.{number}"
        value = self._hide(rule, effect, f"{HELD}{name}")
        yield Tighten(value.id, How.TO, effect.value)
        read = _read(value)
        if effect.until is None:
            kept: Expression = Strictest(read, effect.hold or 0, value.type)
        else:
            end = replace(
                value,
                id=f"{END}{name}",
                type=TIME,
                starts=INT64_MIN,
                direction=Direction.UP,
                low=None,
                high=None,
            )
            self.hidden[effect.output].append(end)
            yield Tighten(end.id, How.TO, effect.until, Known(effect.until))
            yield replace(
                effect, output=target, where=joined(effect.where, Known(effect.until, negated=True)), until=None
            )
            fixed = effect.value.value if isinstance(effect.value, Constant) else None
            kept = Until(read, _read(end), value.type, fixed)
        self._keep(f"{HELD}{name}", value.entity, [Tighten(target, How.TO, kept, effect.where)], rule)

    def _hide(self, rule: Rule, effect: Tighten, id: str) -> Output:
        """A hidden output for what an effect asks: a row's own, where a rule for each row acts on its row."""
        output = self.outputs[effect.output]
        entity = None if rule.scope is None else output.entity
        made = replace(output, id=id, entity=entity, relaxes_after=None, latches_until=None)
        self.hidden.setdefault(effect.output, []).append(made)
        return made

    def _keep(self, id: str, entity: str | None, effects: Iterable[Effect], like: Rule | None = None) -> None:
        """A rule that always acts: it hands on what a hidden output has kept."""
        scope = None if entity is None else Scope(entity, entity)
        policy, observing = ("", False) if like is None else (like.policy, like.observing)
        self.rules.append(Rule(id, policy, scope, TRUE, tuple(effects), (), observing))

    # --- outputs -----------------------------------------------------------------------------------------------------

    def output(self, output: Output) -> Iterator[Output]:
        """The output after the hidden ones that it rests on."""
        yield from self.hidden.get(output.id, ())
        if output.id not in self.standing:
            yield output
            return
        plain = replace(output, relaxes_after=None, latches_until=None)
        source = replace(plain, id=self.raw(output.id))
        yield source
        if output.latches_until is not None:
            sure = replace(plain, id=f"{SURE}{output.id}")
            yield sure
            latched = plain if output.relaxes_after is None else replace(plain, id=f"{LATCHED}{output.id}")
            since = Since(_read(sure), output.latches_until, output.type)
            acts = [Tighten(latched.id, How.TO, value) for value in (_read(source), since)]
            self._keep(f"{HIDDEN}latch.{output.id}", output.entity, acts)
            source = latched
            if output.relaxes_after is not None:
                yield latched
        if output.relaxes_after is not None:
            strictest = Strictest(_read(source), output.relaxes_after, output.type)
            self._keep(f"{HIDDEN}relax.{output.id}", output.entity, [Tighten(output.id, How.TO, strictest)])
        yield plain


def _read(output: Output) -> OutputRead:
    row = None if output.entity is None else Row(output.entity, output.entity)
    return OutputRead(output.id, row, output.type)


def _surely(effect: Tighten, output: str) -> Tighten:
    """The effect where nothing unknown has a part in it, and while it binds."""
    parts = [] if isinstance(effect.value, Constant) else [Known(effect.value)]
    lies_ahead = None if effect.until is None else certainly(Compare(Comparator.GREATER, effect.until, Now()))
    where = joined(*parts, lies_ahead, None if effect.where is None else certainly(effect.where))
    return Tighten(output, effect.how, effect.value, where)


def _present(rule: Rule) -> Expression | None:
    """That the row is one, not the stand-in of a missing collection."""
    if rule.scope is None or rule.scope.entity == "request":
        return None
    return Known(RowKey(rule.scope.variable, Reference(rule.scope.entity)))
