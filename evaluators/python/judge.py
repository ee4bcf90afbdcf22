"""The function that judges a snapshot: facts into masks, and what no mask tells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby

from evaluators.python.closure import context
from evaluators.python.expressions import Expressions, Scene
from evaluators.python.finals import start_of, write_final
from evaluators.python.guards import Bits, Item
from evaluators.python.ladders import Rung, climb
from evaluators.python.lasting import lasting_steps
from evaluators.python.literals import comment, literal
from evaluators.python.masks import Masks, copy, key_of
from evaluators.python.operands import Operand
from evaluators.python.plan import Act, Figure, OutputPlan, Plan, RulePlan
from evaluators.python.reaching import Reached, acting, operand_of, reached, truth_of
from evaluators.python.schedule import Block, Step, schedule
from evaluators.python.scribe import INDENT, Module, RowSlot, Scribe
from evaluators.python.tracks import sparse, write_tracks
from evaluators.python.truths import ALWAYS, Clause, both, is_known, is_none, mark
from policy_dsl.nodes import FactRead, OutputRead, Recall, RowKey, RowRead
from policy_dsl.program import Permit
from policy_dsl.standing import is_hidden

MISSING = 1
"""The bit, in the first mask of a row, of the stand-in for a missing collection."""


class Judge:
    """Writes the function `judge(facts, rows, ts, past)`, and finds the masks that all settled values rest on."""

    def __init__(self, plan: Plan, module: Module) -> None:
        self.plan = plan
        self.scribe = Scribe(module)
        numbered = {id: (output.number, output.output) for id, output in plan.outputs.items()}
        self.expressions = Expressions(self.scribe, numbered)
        self.numbers = {place: number for number, place in enumerate(plan.places)}
        self.fund = Masks("m", 0, self._open_fund)
        self.rows = {place: Masks(f"r{number}_", 1, self._open_row) for place, number in self.numbers.items()}
        self.slots: dict[str, RowSlot] = {}
        self.kept: dict[str, list[str]] = {place: [] for place in plan.places}
        self.handed: dict[str, str] = {}
        self.contexts: dict[str, list[tuple[str, int]]] = {}
        self.sparse = sparse(plan.tracks)
        self._truths: dict[tuple[str | None, str, str], Bits] = {}
        self._rungs: dict[str, list[Rung]] = {}

    def write(self) -> list[str]:
        """The lines of the function."""
        blocks = schedule(self.plan)
        left = [block.place for block in blocks]
        for block in blocks:
            left.pop(0)
            if block.place is None:
                self._steps(block.steps, {})
            else:
                self._row_block(block, block.place, again=block.place in left)
        self._finish()
        body = [*self._header(), *self.scribe.frames[0].lines]
        return ["def judge(facts, rows, ts, past=(), known=()):", *(INDENT + line for line in body)]

    # --- places ------------------------------------------------------------------------------------------------------

    def _open_fund(self, word: str) -> None:
        self.scribe.frames[0].lines.append(f"{word} = 0")

    def _open_row(self, word: str) -> None:
        self.scribe.frames[1].lines.append(f"{word} = 0")

    def _row_block(self, block: Block, place: str, again: bool) -> None:
        """A loop over the rows of a place; what a later loop over them needs is kept in a list."""
        number, scribe = self.numbers[place], self.scribe
        names, header = f"k{number}_, w{number}_", f"p{number}"
        if place in self.slots:
            names, header = (
                f"({names}), ({''.join(f'{n}, ' for n in self.kept[place])})",
                f"zip(p{number}, {self.handed[place]})",
            )
        else:
            self._enter(place)
        if again:
            handed = self.handed[place] = scribe.name("e")
            scribe.write(f"{handed} = []")
        slot = RowSlot(place, f"w{number}_", Operand(f"k{number}_", place != "request", depth=1), 1, own=True)
        first = place not in self.slots
        self.slots[place] = slot
        with scribe.loop(header, slot, names):
            if first:
                word, _ = self.rows[place].take(1)
                self.kept[place].append(word)
                if place != "request":
                    scribe.write(f"if {slot.key.text} is None:", f"    {word} = {MISSING}")
                block = self._lasting(block, place, slot)
            self._steps(block.steps, {place: slot})
            kept = [*self.rows[place].names, *(n for n in self.kept[place] if n not in self.rows[place].names)]
            self.kept[place] = kept
            if again:
                scribe.write(f"{self.handed[place]}.append(({''.join(f'{name}, ' for name in kept)}))")

    def _lasting(self, block: Block, place: str, slot: RowSlot) -> Block:
        """Write the steps that last, under a look for what they came to before; the steps that are left."""
        lasting = lasting_steps(block.steps)
        # A request comes once: what was found for it is never asked for again.
        if not lasting or place == "request":
            return block
        scribe, name, key = self.scribe, self.scribe.name("l"), slot.key.text
        plans = [step.subject for step in lasting if isinstance(step.subject, OutputPlan)]
        # On most rows, and until events come, none of these asks for anything: that is looked up as one flag.
        hidden = [plan for plan in plans if plan.output.id in self.sparse]
        findings = self.expressions.findings(frozenset().union(*lasting.values()))
        found = scribe.hoisted(("findings", place), findings)
        before = len(self.kept[place])
        scribe.write(f"{name} = {found}.get({key})")
        with scribe.block(f"if {name} is None:  # not yet", lazy=True):
            self._steps(list(lasting), {place: slot}, store=False)
            told = [*self.rows[place].names, *self.kept[place][before:]]
            if hidden:
                asks = " or ".join(f"o{plan.number} != {start_of(plan.output)}" for plan in hidden)
                scribe.write(f"{name}_ = {key} is not None and ({asks})")
                told.append(f"{name}_")
            names = "".join(f"{local}, " for local in dict.fromkeys(told))
            scribe.write(f"{found}[{key}] = ({names})")
        scribe.write("else:", f"    {names.rstrip(' ')} = {name}")
        shown = [plan for plan in plans if plan not in hidden]
        if shown:
            with scribe.when(is_known(key) if slot.key.nullable else ALWAYS):
                scribe.write(*(self._stored(plan, key) for plan in shown))
        if hidden:
            scribe.write(f"if {name}_:", *(f"    {self._stored(plan, key)}" for plan in hidden))
        return Block(place, tuple(step for step in block.steps if step not in lasting))

    def _enter(self, place: str) -> None:
        """The rows of a place in order, and room for the values of its outputs."""
        number, collection = self.numbers[place], self.expressions.collection(place)
        absent = "" if place == "request" else f" if {collection} is not None else ABSENT"
        self.scribe.write(f"p{number} = sorted({collection}.items()) if {collection} else (){absent}")
        own = [f"v{output.number}" for output in self._outputs_at(place)]
        self.scribe.write(*(f"{name} = {{}}" for name in own))

    def _outputs_at(self, place: str | None) -> list[OutputPlan]:
        return [output for output in self.plan.outputs.values() if output.output.entity == place]

    def _shown_at(self, place: str | None) -> list[OutputPlan]:
        """The outputs at a place that an author declared."""
        return [output for output in self._outputs_at(place) if not is_hidden(output.output.id)]

    def _scene(self, rule: RulePlan) -> Scene:
        if rule.place is None or rule.variable is None:
            return {}
        return {rule.variable: self.slots[rule.place]}

    # --- steps -------------------------------------------------------------------------------------------------------

    def _steps(self, steps: Sequence[Step], own: Scene, *, store: bool = True) -> None:
        """Write steps; outputs of a row that stand together in one block, their values kept by key if `store`."""
        for is_output, run in groupby(steps, lambda step: isinstance(step.subject, OutputPlan) and bool(own)):
            if not is_output:
                for step in run:
                    self._step(step)
                continue
            self._climb()
            plans = [step.subject for step in run if isinstance(step.subject, OutputPlan)]
            self._outputs(plans, next(iter(own.values())), store=store)
        self._climb()

    def _step(self, step: Step) -> None:
        label = "" if step.rule is None else comment("rule", step.rule.rule.id)
        if isinstance(step.subject, Item):
            self._item(step.subject, label)
            return
        self._climb()
        if label:
            self.scribe.write(label)
        match step.subject:
            case Figure() if step.rule is not None:
                self._figure(step.subject, step.rule)
            case Act():
                self._gather(step.subject)
            case OutputPlan():
                self._output(step.subject)
            case str():
                self._rows_end(step.subject)

    def _masks(self, place: str | None) -> Masks:
        return self.fund if place is None else self.rows[place]

    def _climb(self) -> None:
        """Write the tests of single names that were put off so that they stand together."""
        for name, rungs in self._rungs.items():
            self.scribe.write(*climb(name, rungs))
        self._rungs.clear()

    def _item(self, item: Item, label: str) -> None:
        """A part of a guard into a mask; one that was asked before shares its place."""
        scene = {} if item.place is None or item.variable is None else {item.variable: self.slots[item.place]}
        condition = self.expressions.condition(item.expression, scene)
        key = (item.place, condition.possible.text, condition.certain.text)
        if key in self._truths:
            copy(self._truths[key], to=item.bits)
            return
        word, possible, certain = self._masks(item.place).place(item.bits, condition.two_valued)
        self._truths[key] = item.bits
        if condition.test is not None and condition.nulls:
            rung = Rung(label, condition.test, condition.cut, word, possible, possible | certain)
            self._rungs.setdefault(condition.nulls[0], []).append(rung)
        else:
            self.scribe.write(label, *mark(condition, word, possible, certain))

    def _figure(self, figure: Figure, rule: RulePlan) -> None:
        """A value where its rule may act, and a bit for it being unknown there."""
        scene = self._scene(rule)
        acts = truth_of(rule.guard, self.expressions, scene).possible
        if _is_simple(figure):
            operand = self.expressions.value(figure.expression, scene)
            if operand.nullable:
                word, bit, _ = self._masks(rule.place).place(figure.doubt, two_valued=True)
                self.scribe.write(f"if {both([is_none(operand.text), acts]).text}:", f"    {word} += {bit}")
            return
        depth = 0 if rule.place is None else 1
        if acts == ALWAYS and isinstance(figure.expression, Recall) and figure.expression.known:
            figure.operand = replace(self.expressions.value(figure.expression, scene), depth=depth)
            if rule.place is not None:
                self.kept[rule.place].append(figure.operand.text)
            return
        name = self.scribe.name("y")
        self.scribe.write(f"{name} = None")
        with self.scribe.when(acts, lazy=True):
            operand = self.expressions.value(figure.expression, scene)
            self.scribe.write(f"{name} = {operand.text}")
            if operand.nullable:
                word, bit, _ = self._masks(rule.place).place(figure.doubt, two_valued=True)
                self.scribe.write(f"if {name} is None:", f"    {word} += {bit}")
        figure.operand = Operand(name, operand.nullable, depth, operand.low, operand.high)
        if rule.place is not None:
            self.kept[rule.place].append(name)

    def _gather(self, act: Act) -> None:
        """What an effect does to a fund-wide output from the row at hand: a bit, or its figures into a list."""
        scene = self._scene(act.rule)
        condition = acting(act, self.expressions, scene, scene)
        clauses = [condition.possible]
        if isinstance(act.effect, Permit):
            clauses = [condition.certain]
            key = next(iter(scene.values())).key
            clauses += [is_known(key.text)] if key.nullable else []
        if act.settled:
            word, bit, _ = self.fund.place(act.seen, two_valued=True)
            self.scribe.write(f"if {both(clauses).text}:", f"    {word} |= {bit}")
            return
        act.gathered = self.scribe.name("a")
        self.scribe.frames[0].lines.append(f"{act.gathered} = []")
        figures = [operand_of(figure, self.expressions, scene) for figure in act.figures]
        gathered = figures[0].text
        if isinstance(act.effect, Permit):
            clauses += [is_known(figure.text) for figure in figures if figure.nullable]
            gathered = f"({''.join(f'{figure.text}, ' for figure in figures)})"
        self.scribe.write(f"if {both(clauses).text}:", f"    {act.gathered}.append({gathered})")

    def _output(self, plan: OutputPlan) -> None:
        """The value of an output of the fund that is needed at every snapshot."""
        self.scribe.write(comment("output", plan.output.id))
        write_final(self.scribe, plan.output, f"o{plan.number}", [self._reached(act, {}) for act in plan.acts])

    def _outputs(self, plans: list[OutputPlan], slot: RowSlot, *, store: bool) -> None:
        """The values of outputs of the row at hand that are needed at every snapshot; of a stand-in there are none."""
        scribe, key = self.scribe, slot.key
        if key.nullable:
            scribe.write(f"{' = '.join(f'o{plan.number}' for plan in plans)} = None")
        own = {slot.entity: replace(slot, key=replace(key, nullable=False))}
        with scribe.when(is_known(key.text) if key.nullable else ALWAYS, lazy=True):
            for plan in plans:
                scribe.write(comment("output", plan.output.id))
                write_final(scribe, plan.output, f"o{plan.number}", [self._reached(act, own) for act in plan.acts])
                if store:
                    scribe.write(self._stored(plan, key.text))
        self.kept[slot.entity] += [f"o{plan.number}" for plan in plans]

    def _stored(self, plan: OutputPlan, key: str) -> str:
        """Keep the value of an output of the row at hand by key."""
        name, line = f"o{plan.number}", f"v{plan.number}[{key}] = o{plan.number}"
        return f"if {name} != {start_of(plan.output)}: {line}" if plan.output.id in self.sparse else line

    def _reached(self, act: Act, own: Scene) -> Reached:
        """An act as its output sees it; `own` has the row of the output."""
        scene: Scene = {}
        if not act.gathers:
            scene = {variable: own.get(slot.entity, slot) for variable, slot in self._scene(act.rule).items()}
        return reached(act, self.expressions, scene, own)

    # --- what follows from masks -------------------------------------------------------------------------------------

    def _rows_end(self, place: str) -> None:
        """Look up what follows from the masks of the row at hand and those of the fund that it depends on."""
        number, slot = self.numbers[place], self.slots[place]
        masks: dict[str, int] = {}
        for bits in context(self.plan, place).bits:
            if bits.word:
                masks[bits.word] = masks.get(bits.word, 0) | bits.mask
        self.contexts[place] = list(masks.items())
        shared = [f"h{number}_{word}" for word in masks]
        self.scribe.frames[0].lines += [f"{h} = {w} & {m}" for h, (w, m) in zip(shared, masks.items(), strict=True)]
        key = key_of([*self.rows[place].names, *shared])
        arguments = ", ".join([*self.rows[place].names, *shared])
        self.scribe.write(
            f"found = ROWS_{number}.get({key})",
            "if found is None:",
            f"    found = keep(ROWS_{number}, {key}, settle_{number}({arguments}))",
            "values, fired, named = found",
        )
        settled = [f"v{output.number}[{slot.key.text}]" for output in self.settled_at(place)]
        if settled:
            targets = f"{', '.join(settled)}{',' if len(settled) == 1 else ''} = values"
            with self.scribe.when(is_known(slot.key.text) if slot.key.nullable else both([])):
                self.scribe.write(targets)
        name = slot.key.text
        self.scribe.write("if fired:", f"    marks += named.get({name}) or name_firings(found, {name})")

    def settled_at(self, place: str | None) -> list[OutputPlan]:
        """The outputs at a place whose values are found by mask only."""
        return [output for output in self._outputs_at(place) if not output.demanded]

    def _finish(self) -> None:
        """The whole answer: what follows from the masks of the fund, and over it what was computed."""
        key, scribe = key_of(self.fund.names), self.scribe
        scribe.write(f"found = FUND.get({key})", "if found is None:")
        scribe.write(f"    found = keep(FUND, {key}, settle({', '.join(self.fund.names)}))")
        computed = [(o, f"o{o.number}") for o in self._shown_at(None) if not o.settled]
        by_key = [(o, f"v{o.number}") for place in self.plan.places for o in self._shown_at(place)]
        idle = [(o, self.expressions.collection(o.output.entity or "")) for o in self.plan.idle]
        scribe.write("answer, fired = found" if self.plan.places else "answer, _ = found")
        # What is remembered has no rows; where none has come, and nothing was computed, it stands as it is.
        rows_came = Clause(" or ".join(dict.fromkeys(name for _, name in [*by_key, *idle])))
        starts = [(o, f"dict.fromkeys(sorted({rows} or ()), {start_of(o.output)})") for o, rows in idle]
        with scribe.when(ALWAYS if computed else rows_came):
            values = [f"outputs[{literal(o.output.id)}] = {value}" for o, value in [*computed, *by_key, *starts]]
            if values:
                scribe.write("outputs = answer[0].copy()", *values, "answer = outputs, answer[1]")
        if self.plan.places:
            scribe.frames[0].lines.insert(0, "marks = []")
            scribe.write("if marks:", "    answer = answer[0], merged(fired, marks)")
        if self.plan.tracks:
            told = write_tracks(self.expressions, self.plan.tracks)
            scribe.write("return (", *(f"{INDENT}{line}," for line in ("*answer", *told)), ")")
        else:
            scribe.write("return answer")

    def _header(self) -> list[str]:
        """Reads of facts and collections."""
        lines = self.scribe.reads("facts", {path: operand.text for path, operand in self.scribe.facts.items()})
        return [*lines, *(f"{name} = rows.get({literal(entity)})" for entity, name in self.scribe.collections.items())]


def _is_simple(figure: Figure) -> bool:
    """Whether reading it is all there is to computing it."""
    node = figure.expression
    if isinstance(node, RowRead | OutputRead):
        return node.row is None or node.row.variable is not None
    return isinstance(node, FactRead | RowKey)
