"""What the effects of all rules ask of one output, brought to the frame of its rows.

A rule for each row reaches a fund-wide output through an aggregate over its rows; a fund-wide rule reaches an output
for each row through its columns carried to the rows.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from evaluators.duckdb.expressions import condition
from evaluators.duckdb.fragments import TRUE, Case, Fragment, compose
from evaluators.duckdb.frames import Frame
from evaluators.duckdb.judging import Judge, frame_of
from evaluators.duckdb.kept import possible_values, strictest_of
from evaluators.duckdb.masks import LOW, Trigger, acts
from evaluators.duckdb.reads import constant
from evaluators.duckdb.scene import Scene
from evaluators.exact import FACTOR_ONE, strict_end
from policy_dsl.nodes import Constant
from policy_dsl.program import Direction, Forbid, How, Output, Permit, Rule, Tighten
from policy_dsl.types import Flag, Levels, Quantity, Value

NULL = Fragment("NULL", nullable=True)


@dataclass(frozen=True, slots=True)
class Grant:
    """A permit at work: where it acts, and its arguments (NULL where it does not)."""

    trigger: Trigger
    arguments: tuple[Fragment, ...]


@dataclass(slots=True)
class Demands:
    """All that is asked of one output.

    `bounds` are figures and where they are asked; `asked` are columns of bounds, NULL where none is asked, and
    `possible` the values that these can have, None for any; `shifts` 0 and `factors` 1e9 where the effect does not act,
    factors in canonical order.
    """

    output: Output
    frame: Frame
    bounds: list[tuple[Value, Trigger]] = field(default_factory=list)
    asked: list[Fragment] = field(default_factory=list)
    possible: set[Value] | None = field(default_factory=set)
    shifts: list[Fragment] = field(default_factory=list)
    factors: list[Fragment] = field(default_factory=list)
    permits: dict[str, list[Grant]] = field(default_factory=dict)
    forbids: dict[str, list[Trigger]] = field(default_factory=dict)

    @property
    def strictest(self) -> Value:
        """The strict end of the output's range."""
        strictest = strict_end(self.output) if isinstance(self.output.type, Quantity) else self.output.strictest
        if strictest is None:
            raise TypeError(f"`{self.output.id}` has no strict end")
        return strictest


def demands_on(output: Output, rules: list[Rule], judge: Judge) -> Demands:
    """What `rules`, by id, ask of `output`."""
    frame = judge.frames.fund if output.entity is None else judge.frames.of(output.entity)
    demands = Demands(output, frame)
    for rule in rules:
        for effect in rule.effects:
            if isinstance(effect, Tighten | Forbid | Permit) and effect.output == output.id:
                _Reach(judge, demands, rule, effect).add()
    return demands


@dataclass(frozen=True, slots=True)
class _Reach:
    """One effect on its way from its rule's frame to its output's."""

    judge: Judge
    demands: Demands
    rule: Rule
    effect: Tighten | Forbid | Permit

    @property
    def rolls_up(self) -> bool:
        """Whether rows decide a fund-wide output."""
        return self.rule.scope is not None and self.demands.output.entity is None

    @property
    def frame(self) -> Frame:
        """Where the effect is worked out row by row: at the output's rows, or before rolling up at the rule's."""
        return frame_of(self.rule, self.judge.frames) if self.rolls_up else self.demands.frame

    def add(self) -> None:
        """Add what the effect asks."""
        match self.effect:
            case Tighten():
                self._tighten(self.effect, self._narrowed(self._near(self.judge.firing(self.rule))))
            case Forbid():
                trigger = self._narrowed(self._near(self.judge.firing(self.rule)))
                self.demands.forbids.setdefault(self.effect.item, []).append(self._rolled(trigger))
            case Permit():
                self._permit(self.effect, self._narrowed(self._near(self.judge.granting(self.rule, self.effect))))

    # --- from the rule's frame to the rows ---------------------------------------------------------------------------

    def _near(self, trigger: Trigger) -> Trigger:
        """The trigger of the rule, in `frame`."""
        if trigger.mask is not None:
            mask = self.judge.frames.carry(trigger.mask, self.frame, self._mapping)
            return Trigger(mask, trigger.bit)
        return Trigger(flag=self._brought(trigger.flag))

    def _brought(self, fragment: Fragment) -> Fragment:
        """A column of the rule's frame, or a figure, in `frame`."""
        if not fragment.columns:
            return fragment
        (column,) = fragment.columns
        return self.judge.frames.carry(column, self.frame, self._mapping).read

    @property
    def _mapping(self) -> tuple[int, ...]:
        return () if self.rule.scope is None else (0,)

    def _narrowed(self, trigger: Trigger) -> Trigger:
        """The trigger with the effect's `where`, which speaks of the output's rows."""
        if self.effect.where is None:
            return trigger
        variables = {} if self.rule.scope is None else {self.rule.scope.variable: 0}
        if self.rule.scope is None and self.demands.output.entity is not None:
            variables = {self.demands.output.entity: 0}
        scene = Scene(self.judge.frames, self.frame, variables, self.judge.outputs)
        truth = condition(self.effect.where, scene)
        if truth.nullable:
            truth = compose("({} IS TRUE)" if isinstance(self.effect, Permit) else "({} IS NOT FALSE)", truth).known()
        return Trigger(trigger.mask, trigger.bit, trigger.flag, truth)

    # --- from rows to the fund ---------------------------------------------------------------------------------------

    def _rolled(self, trigger: Trigger) -> Trigger:
        """The trigger at the output's rows: where it acts on any row."""
        if not self.rolls_up:
            return trigger
        frames, fund = self.judge.frames, self.demands.frame
        if trigger.mask is not None and trigger.where is TRUE:
            bits = frames.roll_up(trigger.mask.frame, compose(f"bit_or({{}} & {LOW})", trigger.mask.read), "any fired")
            return Trigger(fund.compute(compose("coalesce({}, 0)", bits.read).known(), "any fired"), trigger.bit)
        column = self.frame.compute(acts([trigger]), "acts")
        held = frames.roll_up(self.frame, compose("bool_or({})", column.read), "acts")
        return Trigger(flag=fund.compute(compose("coalesce({}, FALSE)", held.read).known(), "acts on any").read)

    def _best(self, fragment: Fragment, template: str, name: str) -> Fragment:
        """A value at the output's rows: the best over the rule's rows, NULL of none."""
        if not self.rolls_up:
            return fragment
        column = self.frame.compute(fragment, name)
        return self.judge.frames.roll_up(self.frame, compose(template, column.read), name).read

    # --- effects -----------------------------------------------------------------------------------------------------

    def _permit(self, effect: Permit, trigger: Trigger) -> None:
        acting = acts([trigger])
        arguments = [self._brought(argument) for argument in self.judge.arguments(self.rule, effect)]
        given = [self._best(Case().when(acting, a).otherwise(NULL), "min({})", "argument") for a in arguments]
        self.demands.permits.setdefault(effect.item, []).append(Grant(self._rolled(trigger), tuple(given)))

    def _tighten(self, effect: Tighten, trigger: Trigger) -> None:
        if effect.how is How.TO and isinstance(effect.value, Constant):
            self.demands.bounds.append((effect.value.value, self._rolled(trigger)))
        elif effect.how is How.TO:
            self._tighten_to(effect, trigger)
        else:
            self._move(effect, trigger)

    def _tighten_to(self, effect: Tighten, trigger: Trigger) -> None:
        """A bound that is computed; the strict end where it is unknown."""
        kind = self.demands.output.type
        bound = self._brought(self.judge.held(self.rule, effect.value))
        self._note(possible_values(effect.value, self.judge.outputs))
        if bound.nullable:
            self._note((self.demands.strictest,))
            bound = compose("coalesce({}, {})", bound, constant(self.demands.strictest, kind)).known()
        asked = Case().when(acts([trigger]), bound).otherwise(NULL)
        best = self._best(asked, strictest_of(self.demands.output), f"bound for {self.demands.output.id}")
        self.demands.asked.append(best)

    def _note(self, values: Iterable[Value] | None) -> None:
        """Note which values a bound can have; None for any value."""
        kind = self.demands.output.type
        if values is None and isinstance(kind, Levels | Flag):
            values = range(len(kind.members)) if isinstance(kind, Levels) else (False, True)
        if values is None or self.demands.possible is None:
            self.demands.possible = None
        else:
            self.demands.possible |= set(values)

    def _move(self, effect: Tighten, trigger: Trigger) -> None:
        """A shift or a factor; where it is unknown, the output goes to its strict end."""
        amount = self._brought(self.judge.held(self.rule, effect.value))
        acting = acts([trigger])
        neutral, template, default = self._usable(effect.how, amount)
        if isinstance(effect.value, Constant):
            trigger = self._rolled(trigger)
            value = Case().when(acts([trigger]), neutral).otherwise(Fragment(default))
        else:
            value = self._best(Case().when(acting, neutral).otherwise(Fragment(default)), template, effect.how.value)
            if self.rolls_up:
                value = compose(f"coalesce({{}}, {default})", value).known()
            if amount.nullable:
                unknown = compose("({} AND {} IS NULL)", acting, amount).known()
                flag = self.frame.compute(unknown, "unknown").read
                self.demands.bounds.append((self.demands.strictest, self._rolled(Trigger(flag=flag))))
        value = Fragment(value.text, value.columns, value.depth)
        (self.demands.shifts if effect.how is How.BY else self.demands.factors).append(value)

    def _usable(self, how: How, amount: Fragment) -> tuple[Fragment, str, str]:
        """A shift or factor in its range, how the strictest of several is found, and the one that does nothing.

        SQL's `greatest` and `least` pass over NULL, so an unknown amount counts as one end of the range here.
        """
        if how is How.BY:
            return compose("greatest({}, 0::BIGINT)", amount).known(), "max({})", "0::BIGINT"
        one = f"{FACTOR_ONE}::BIGINT"
        if self.demands.output.direction is Direction.DOWN:
            return compose(f"least(greatest({{}}, 0::BIGINT), {one})", amount).known(), "min({})", one
        return compose(f"greatest({{}}, {one})", amount).known(), "max({})", one
