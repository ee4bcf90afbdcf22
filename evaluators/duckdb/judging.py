"""Rules at their frames: guards, excuses, values of effects, and the bits that say which rules fired."""

from __future__ import annotations

from dataclasses import dataclass, field

from evaluators.duckdb.expressions import condition, value
from evaluators.duckdb.fragments import FALSE, Fragment, compose, either, every
from evaluators.duckdb.frames import Column, Frame, Frames
from evaluators.duckdb.masks import Masks, Trigger
from evaluators.duckdb.reads import key_of
from evaluators.duckdb.scene import OutputColumns, Scene
from policy_dsl.nodes import TRUE as ALWAYS
from policy_dsl.nodes import Constant, Expression
from policy_dsl.program import Permit, Program, Rule, Tighten
from policy_dsl.standing import is_hidden

REQUEST = "request"


@dataclass(slots=True)
class Judge:
    """Compiles each rule once, when the first of its outputs needs it."""

    frames: Frames
    masks: Masks
    outputs: dict[str, OutputColumns] = field(default_factory=dict)
    fired: dict[str, Column] = field(default_factory=dict)

    @classmethod
    def of(cls, program: Program, max_gap: int) -> Judge:
        """A judge of the rules of `program`, none of them compiled yet."""
        rules = sorted((rule for rule in program.rules if not is_hidden(rule.id)), key=lambda rule: rule.id)
        scopes = {rule.scope.entity for rule in rules if rule.scope is not None}
        frames = Frames(frozenset(scopes - {REQUEST}), max_gap)
        return cls(frames, Masks.of((rule, frame_of(rule, frames)) for rule in rules))

    def scene(self, rule: Rule) -> Scene:
        """Where the rule is judged: at the snapshot, or at each row."""
        variables = {} if rule.scope is None else {rule.scope.variable: 0}
        return Scene(self.frames, frame_of(rule, self.frames), variables, self.outputs)

    def firing(self, rule: Rule) -> Trigger:
        """Where the rule's guard is not definitely false: its bit, in the rule's frame.

        For a rule that only permits, and has no argument that could be unknown: where it grants. A hidden rule has no
        bit, for nobody asks whether it fired.
        """
        if is_hidden(rule.id):
            return Trigger() if rule.guard == ALWAYS and rule.excuse is None else Trigger(flag=self._acting(rule))
        mask = self.fired.get(rule.id)
        if mask is None:
            if only_permits(rule):
                mask = self.masks.permits(rule, self.certain(rule) if rule.effects else FALSE)
            else:
                scene = self.scene(rule)
                denied = either([self.excused(rule), condition(rule.guard, scene, contrary=True)])
                mask = self.masks.fires(rule, denied, condition(rule.guard, scene))
            self.fired[rule.id] = mask
        return Trigger(mask, self.masks.places[rule.id].bit)

    def _acting(self, rule: Rule) -> Fragment:
        """Where a rule acts, as a column of its frame."""
        denied = either([self.excused(rule), condition(rule.guard, self.scene(rule), contrary=True)])
        acts = compose("({} IS NOT TRUE)", denied) if denied.nullable else compose("(NOT {})", denied)
        return frame_of(rule, self.frames).compute(acts.known(), "acts").read

    def granting(self, rule: Rule, permit: Permit) -> Trigger:
        """Where a permit of the rule grants, before `where`: in the rule's frame."""
        if not varying(rule):
            found = self.firing(rule)
            if only_permits(rule):
                return found
            if found.mask is not None and not found.mask.frame.stand_ins:
                return Trigger(self.masks.certain(found.mask), found.bit)
        known = [compose("({} IS NOT NULL)", a).known() for a in self.arguments(rule, permit) if a.nullable]
        granted = compose("coalesce({}, FALSE)", every([self.certain(rule), *known])).known()
        return Trigger(flag=frame_of(rule, self.frames).compute(granted, "granted").read)

    def certain(self, rule: Rule) -> Fragment:
        """Where a permit of the rule acts as far as its guard goes: definitely true, not excused, on a real row."""
        scene = self.scene(rule)
        parts = [condition(rule.guard, scene)]
        excused = self.excused(rule)
        if excused.text != FALSE.text:
            parts.append(compose("({} IS NOT TRUE)", excused).known())
        if scene.frame.stand_ins:
            parts.append(compose("({} IS NOT NULL)", key_of(scene.frame).read).known())
        return every(parts)

    def excused(self, rule: Rule) -> Fragment:
        """Where an exception lifts the rule."""
        if rule.excuse is None or rule.excuse_until is None:
            return FALSE
        scene = self.scene(rule)
        _, ts = self.frames.moment(scene.frame)
        in_time = compose(f"(epoch_ms({{}}) < {rule.excuse_until})", ts.read)
        return every([in_time, condition(rule.excuse, scene)])

    def arguments(self, rule: Rule, permit: Permit) -> list[Fragment]:
        """The arguments of a permit, in the rule's frame."""
        return [self.held(rule, argument) for argument in permit.arguments]

    def held(self, rule: Rule, expression: Expression) -> Fragment:
        """The value of an effect, as a column of the rule's frame."""
        scene = self.scene(rule)
        return scene.frame.hold(value(expression, scene), f"value for {rule.id}")

    def finish(self, rule: Rule) -> None:
        """Whatever of the rule's bits rests on values, which may read outputs that the guard comes before."""
        if only_permits(rule) and varying(rule):
            self._finish_permits(rule)
            return
        self.firing(rule)
        values = [self.held(rule, e.value) for e in rule.effects if isinstance(e, Tighten)]
        values += [a for e in rule.effects if isinstance(e, Permit) for a in self.arguments(rule, e)]
        self.masks.doubt(rule, either([compose("({} IS NULL)", v).known() for v in values if v.nullable]))

    def _finish_permits(self, rule: Rule) -> None:
        grants = [e for e in rule.effects if isinstance(e, Permit)]
        known = [
            every([compose("({} IS NOT NULL)", a).known() for a in self.arguments(rule, e) if a.nullable])
            for e in grants
        ]
        certain = self.certain(rule)
        self.masks.permits(rule, every([certain, *known]), every([certain, either(known)]))


def frame_of(rule: Rule, frames: Frames) -> Frame:
    """The frame that a rule is judged at."""
    return frames.fund if rule.scope is None else frames.of(rule.scope.entity)


def only_permits(rule: Rule) -> bool:
    """Whether the rule has no effect but permits."""
    return all(isinstance(effect, Permit) for effect in rule.effects)


def varying(rule: Rule) -> bool:
    """Whether an argument of a permit of the rule is more than a figure, and so might be unknown."""
    permits = [effect for effect in rule.effects if isinstance(effect, Permit)]
    return any(not isinstance(argument, Constant) for permit in permits for argument in permit.arguments)
