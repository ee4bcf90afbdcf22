"""The order of the work that each snapshot needs: steps gathered into blocks, one loop over rows a block."""

from __future__ import annotations

import enum
import heapq
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from evaluators.python.closure import context
from evaluators.python.guards import Bits, Guard, Item, items, settled_reads
from evaluators.python.plan import Act, Figure, OutputPlan, Plan, RulePlan, items_of


class Kind(enum.IntEnum):
    """What a step writes."""

    ITEM = 0
    """A part of a guard, into a mask."""
    FIGURE = 1
    """A value or argument of an effect, and whether it is unknown."""
    GATHER = 2
    """What an effect of a row does to a fund-wide output."""
    OUTPUT = 3
    """The value of an output that is needed at every snapshot."""
    ROWS = 4
    """What follows from the masks of an entity's rows."""


@dataclass(eq=False, slots=True)
class Step:
    """Some lines to write at `place` (an entity's rows, None for the fund), once all it `waits` for are written.

    `then` may follow in the same block; `later` needs the values of all rows, so it follows in another.
    """

    kind: Kind
    place: str | None
    subject: Item | Figure | Act | OutputPlan | str
    rule: RulePlan | None
    order: tuple[int, int]
    waits: int = 0
    then: list[Step] = field(default_factory=list)
    later: list[Step] = field(default_factory=list)

    def __lt__(self, other: Step) -> bool:
        return self.order < other.order


@dataclass(frozen=True, slots=True)
class Block:
    """Steps at one place, in order."""

    place: str | None
    steps: tuple[Step, ...]


def schedule(plan: Plan) -> list[Block]:
    """All steps of a plan, each after what it needs."""
    return _blocks(_Graph(plan).steps)


class _Graph:
    """The steps of a plan and what each waits for."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.steps: list[Step] = []
        self.items: dict[Item, Step] = {}
        self.figures: dict[Figure, Step] = {}
        self.gathers: dict[Bits, Step] = {}
        self.outputs: dict[str, Step] = {}
        self.last = len(plan.rules)
        for rule in plan.rules:
            self._steps_of(rule)
        for output in plan.outputs.values():
            if output.demanded:
                order = (self.last, Kind.OUTPUT)
                self.outputs[output.output.id] = self._step(Kind.OUTPUT, output.output.entity, output, None, order)
        self._wire()
        for place in plan.places:
            self._finish(place)

    def _step(
        self,
        kind: Kind,
        place: str | None,
        subject: Item | Figure | Act | OutputPlan | str,
        rule: RulePlan | None,
        order: tuple[int, int],
    ) -> Step:
        step = Step(kind, place, subject, rule, order)
        self.steps.append(step)
        return step

    def _steps_of(self, rule: RulePlan) -> None:
        for item in items_of(rule):
            if item not in self.items:
                self.items[item] = self._step(Kind.ITEM, item.place, item, rule, (rule.rank, Kind.ITEM))
        for figure in rule.figures:
            if not figure.settled:
                self.figures[figure] = self._step(Kind.FIGURE, rule.place, figure, rule, (rule.rank, Kind.FIGURE))
        for act in rule.acts:
            if act.gathers:
                self.gathers[act.seen] = self._step(Kind.GATHER, rule.place, act, rule, (rule.rank, Kind.GATHER))

    def _wire(self) -> None:
        """What every step but the last on rows waits for."""
        for item, step in self.items.items():
            self._after_reads(step, item.reads.near, item.reads.far)
        for rule in self.plan.rules:
            for figure in rule.figures:
                if not figure.settled:
                    self._after_guards(self.figures[figure], (rule.guard,))
                    self._after_reads(self.figures[figure], figure.reads.near, figure.reads.far)
            for act in rule.acts:
                if act.gathers:
                    self._after_act(self.gathers[act.seen], act)
        for output in self.plan.outputs.values():
            if output.demanded:
                for act in output.acts:
                    self._after_demand(self.outputs[output.output.id], act)

    def _after_demand(self, step: Step, act: Act) -> None:
        if act.gathers:
            self._after([self.gathers[act.seen]], step)
            for figure in act.figures:
                self._after_reads(step, figure.reads.near if figure.settled else (), ())
        else:
            self._after_act(step, act)

    def _after_act(self, step: Step, act: Act) -> None:
        self._after_guards(step, act.guards)
        for figure in act.figures:
            if figure.settled:
                self._after_reads(step, figure.reads.near, ())
            else:
                self._after([self.figures[figure]], step)

    def _after_guards(self, step: Step, guards: tuple[Guard, ...]) -> None:
        for guard in guards:
            self._after([self.items[item] for item in items(guard)], step)
            self._after_reads(step, settled_reads(guard), ())

    def _after_reads(self, step: Step, near: Iterable[str], far: Iterable[str]) -> None:
        self._after([self.outputs[id] for id in sorted(near)], step)
        self._after_rows([self.outputs[id] for id in sorted(far)], step)

    def _after(self, before: Iterable[Step], step: Step) -> None:
        for other in before:
            other.then.append(step)
            step.waits += 1

    def _after_rows(self, before: Iterable[Step], step: Step) -> None:
        for other in before:
            other.later.append(step)
            step.waits += 1

    def _finish(self, place: str) -> None:
        """The last step on the rows of `place`: after all bits that its settled values rest on."""
        bits = set(context(self.plan, place).bits)
        before = [step for item, step in self.items.items() if item.place == place or item.bits in bits]
        before += [step for step in self.figures.values() if step.place == place]
        end = self._step(Kind.ROWS, place, place, None, (self.last, Kind.ROWS))
        self._after(before, end)
        self._after_rows([step for seen, step in self.gathers.items() if seen in bits], end)


def _blocks(steps: list[Step]) -> list[Block]:
    """The fund once anything of it is ready, else a place that can be finished, else the one with most steps ready."""
    left = Counter(step.place for step in steps)
    ready: dict[str | None, list[Step]] = defaultdict(list)
    for step in steps:
        if not step.waits:
            ready[step.place].append(step)
    blocks: list[Block] = []
    while any(ready.values()):
        place = _next_place(ready, left)
        done = _drain(place, ready)
        left[place] -= len(done)
        blocks.append(Block(place, tuple(done)))
    if left.total():
        raise ValueError("the outputs of the program are not in an order in which each reads only earlier ones")
    return blocks


def _next_place(ready: dict[str | None, list[Step]], left: Counter[str | None]) -> str | None:
    places = [place for place, steps in ready.items() if steps]
    if None in places:
        return None
    drained = {place: _reach(place, ready[place]) for place in places}
    return min(places, key=lambda place: (drained[place] < left[place], -drained[place], place))


def _reach(place: str | None, ready: list[Step]) -> int:
    """How many steps a block at `place` would hold now."""
    waits: Counter[Step] = Counter()
    pending, count = list(ready), 0
    while pending:
        step = pending.pop()
        count += 1
        for other in step.then:
            waits[other] += 1
            if other.place == place and waits[other] == other.waits:
                pending.append(other)
    return count


def _drain(place: str | None, ready: dict[str | None, list[Step]]) -> list[Step]:
    """Take all steps that a block at `place` can hold, and release those that waited for them."""
    queue, done, closing = ready.pop(place), [], []
    heapq.heapify(queue)
    while queue:
        taken = [heapq.heappop(queue)]
        # Outputs of a row stand together, so that it is asked only once whether there is a row.
        while taken[0].kind is Kind.OUTPUT and queue and queue[0].kind is Kind.OUTPUT:
            taken.append(heapq.heappop(queue))
        done += taken
        for step in taken:
            closing += step.later
            for other in step.then:
                other.waits -= 1
                if not other.waits:
                    if other.place == place:
                        heapq.heappush(queue, other)
                    else:
                        ready[other.place].append(other)
    for other in closing:
        other.waits -= 1
        if not other.waits:
            ready[other.place].append(other)
    return done
