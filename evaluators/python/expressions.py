"""Typed expressions as Python: values become names or literals, conditions become texts to put behind an `if`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from evaluators.event_window import Dependence
from evaluators.python import aggregates
from evaluators.python.arithmetic import Computation, absolute, arithmetic, guarded, negation, pick
from evaluators.python.comparisons import OPPOSITES, SIGNS, compared, member
from evaluators.python.lasting import written
from evaluators.python.literals import literal
from evaluators.python.nodes import Condition as Node
from evaluators.python.nodes import Unexcused
from evaluators.python.operands import Operand, constant
from evaluators.python.scribe import RowSlot, Scribe
from evaluators.python.truths import (
    ALWAYS,
    NEVER,
    Clause,
    Condition,
    both,
    conjunction,
    disjunction,
    either,
    is_known,
    is_none,
    leaf,
    plain,
)
from policy_dsl.nodes import (
    Absolute,
    Aggregate,
    All,
    AnyOf,
    Arithmetic,
    Compare,
    Constant,
    Expression,
    FactRead,
    Includes,
    IsTrue,
    Known,
    Lookback,
    Mean,
    Negate,
    Not,
    Now,
    OneOf,
    OutputRead,
    Pick,
    Recall,
    Row,
    RowKey,
    RowRead,
    Throughout,
    Within,
)
from policy_dsl.operators import Fold
from policy_dsl.program import Output
from policy_dsl.quantities import INT64_MAX, INT64_MIN
from policy_dsl.recall import variables_read

Scene = Mapping[str, RowSlot]
"""The row that each variable in reach stands for."""

Join = Callable[[Iterable[Condition]], Condition]
"""Kleene `and` or `or`."""

DEEPEST = 20
"""Parentheses in one another beyond which a condition is put into locals; Python's parser allows 200."""


class Expressions:
    """Writes expressions into a function.

    `outputs` maps the id of an output to its number: its value is the local `o<number>`, or for the row at hand so
    too; `v<number>` holds the values of a per-row output by key.
    """

    def __init__(self, scribe: Scribe, outputs: Mapping[str, tuple[int, Output]]) -> None:
        self.scribe = scribe
        self.outputs = outputs
        self.dependences: list[tuple[Dependence, ...]] = []

    def findings(self, dependences: Iterable[Dependence]) -> str:
        """The text of what was found before, by key, of something that depends on these events alone."""
        self.dependences.append(written(dependences))
        return f"known[{len(self.dependences) - 1}]"

    # --- values ------------------------------------------------------------------------------------------------------

    def value(self, node: Expression, scene: Scene) -> Operand:
        """The operand of an expression of any type, the lines that compute it written."""
        match node:
            case Constant():
                return constant(node.value)
            case FactRead():
                return self._fact(f"{node.entity}.{node.field}")
            case RowRead():
                return self._field(node.row, node.field, scene)
            case RowKey():
                return scene[node.variable].key
            case OutputRead():
                return self._output(node, scene)
            case Arithmetic() | Negate() | Absolute() | Pick():
                return self._number(node, scene)
            case Aggregate() if node.fold is not Fold.LATEST:
                return aggregates.aggregate(self, node, scene)
            case Now():
                return Operand("ts", low=INT64_MIN, high=INT64_MAX)
            case Recall():
                return self._recall(node, scene)
            case Mean():
                return self._mean(node, scene)
            case Lookback() if not isinstance(node.source, Throughout | Within):
                return self.value(node.value, scene)
            case _:
                return self._flag(node, scene)

    def _fact(self, path: str) -> Operand:
        facts = self.scribe.facts
        if path not in facts:
            facts[path] = Operand(self.scribe.name("f"), nullable=True)
        return facts[path]

    def _field(self, row: Row, field: str, scene: Scene) -> Operand:
        if row.variable is not None:
            slot = scene[row.variable]
            if field not in slot.fields:
                slot.fields[field] = Operand(self.scribe.name("x"), nullable=True, depth=slot.depth)
            return slot.fields[field]
        found = self._found(row.entity, self._key(row, scene))

        def write(name: str) -> Operand:
            self.scribe.write(f"{name} = {found.text}.get({literal(field)})")
            return Operand(name, nullable=True)

        return self.scribe.computed(("field", found.text, field), found.depth, write)

    def _key(self, row: Row, scene: Scene) -> Operand:
        return constant(None) if row.key is None else self.value(row.key, scene)

    def _found(self, entity: str, key: Operand) -> Operand:
        """The row of that key, empty where there is none."""
        collection = self.collection(entity)

        def write(name: str) -> Operand:
            self.scribe.write(f"{name} = ({collection} or NOTHING).get({key.text}, NOTHING)")
            return Operand(name)

        return self.scribe.computed(("row", entity, key.text), key.depth, write)

    def collection(self, entity: str) -> str:
        """The local that holds the rows of an entity by key, None where the collection is missing."""
        found = self.scribe.collections
        if entity not in found:
            found[entity] = self.scribe.name("c")
        return found[entity]

    def _output(self, node: OutputRead, scene: Scene) -> Operand:
        number, output = self.outputs[node.output]
        low = INT64_MIN if output.low is None else output.low
        high = INT64_MAX if output.high is None else output.high
        if node.row is None:
            return Operand(f"o{number}", low=low, high=high)
        slot = None if node.row.variable is None else scene[node.row.variable]
        if slot is not None and slot.own:
            # None for the stand-in of a missing collection.
            return Operand(f"o{number}", nullable=slot.key.nullable, depth=slot.depth, low=low, high=high)
        key = self._key(node.row, scene) if slot is None else slot.key

        def write(name: str) -> Operand:
            self.scribe.write(f"{name} = v{number}.get({key.text})")
            return Operand(name, nullable=True, low=low, high=high)

        return self.scribe.computed(("output", number, key.text), key.depth, write)

    def _recall(self, node: Recall, scene: Scene) -> Operand:
        """What is recalled of a track: of rows, by the key or the tuple of keys; of a stand-in nothing is known."""
        keys = [scene[variable].key for variable in node.variables]
        depth = max((key.depth for key in keys), default=0)
        entry = f"past[{node.track}]"
        listed = keys[0].text if len(keys) == 1 else f"({', '.join(key.text for key in keys)})"
        doubts = [is_none(key.text) for key in keys if key.nullable]
        if keys and node.known:
            # Of a stand-in an output keeps nothing: its value has no row to go to.
            # Mostly nothing is kept for any row.
            get = self.scribe.hoisted(("get", entry), f"{entry}.get if {entry} else None")
            otherwise = self.scribe.hoisted(("otherwise", entry), f"{entry}.otherwise")
            entry, doubts = f"{otherwise} if {get} is None else {get}({listed}, {otherwise})", []
        elif keys:
            entry = f"{entry}[{listed}]"
        entry = f"None if {either(doubts).text} else {entry}" if doubts else entry

        def write(name: str) -> Operand:
            self.scribe.write(f"{name} = {entry}")
            return Operand(name, nullable=not node.known)

        return self.scribe.computed(("recall", entry), depth, write)

    def _mean(self, node: Mean, scene: Scene) -> Operand:
        recalled, now = self.value(node.recalled, scene), self.value(node.operand, scene)

        def write(name: str) -> Operand:
            self.scribe.write(f"{name} = mean({recalled.text}, {now.text})")
            return Operand(name, nullable=True)

        return self.scribe.computed(("mean", recalled.text, now.text), max(recalled.depth, now.depth), write)

    def _number(self, node: Arithmetic | Negate | Absolute | Pick, scene: Scene) -> Operand:
        parts = node.operands if isinstance(node, Pick) else _operands(node)
        operands = tuple(self.value(part, scene) for part in parts)
        depth = max(operand.depth for operand in operands)
        key = (type(node).__name__, _variant(node), tuple(operand.text for operand in operands))

        def write(name: str) -> Operand:
            made = _computation(node, name, operands)
            self.scribe.write(*guarded(name, operands, made))
            nullable = made.fails or any(operand.nullable for operand in operands)
            return Operand(name, nullable, low=made.low, high=made.high)

        return self.scribe.computed(key, depth, write)

    def _flag(self, node: Expression, scene: Scene) -> Operand:
        """A condition as a value: True, False or None."""
        condition = self.condition(node, scene)
        possible, certain = condition.possible.text, condition.certain.text

        def write(name: str) -> Operand:
            unknown = "" if condition.two_valued else f"None if {possible} else "
            self.scribe.write(f"{name} = True if {certain} else {unknown}False")
            return Operand(name, nullable=not condition.two_valued)

        return self.scribe.computed(("flag", possible, certain), condition.depth, write)

    # --- conditions --------------------------------------------------------------------------------------------------

    def condition(self, node: Node, scene: Scene, negated: bool = False) -> Condition:
        """The condition of a truth, or of its negation."""
        match node:
            case All(operands=(Known(operand=known, negated=False), same)) if known == same:
                # What is known and true is certain: one test instead of three.
                found = self.condition(same, scene)
                return plain(found.certain.opposite() if negated else found.certain, found.depth)
            case All() | AnyOf():
                # De Morgan: a negated conjunction is the disjunction of the negations.
                join = conjunction if isinstance(node, All) is not negated else disjunction
                parts = [self.condition(part, scene, negated) for part in node.operands]
                return self._shallow(join(self._hoisted(parts, join)))
            case Not():
                return self.condition(node.operand, scene, not negated)
            case Compare():
                left, right = self.value(node.left, scene), self.value(node.right, scene)
                return compared(left, OPPOSITES[SIGNS[node.comparator]] if negated else SIGNS[node.comparator], right)
            case OneOf():
                return member(self.value(node.operand, scene), node, node.negated is not negated)
            case Known():
                return self._known(node.operand, scene, node.negated is not negated)
            case Lookback():
                return self._looked_back(node, scene, negated)
            case Unexcused():
                lifted = both([Clause(f"ts < {literal(node.until)}"), self.condition(node.operand, scene).certain])
                return plain(lifted if negated else lifted.opposite(), self.condition(node.operand, scene).depth)
            case _:
                return self._test(node, scene, negated)

    def _looked_back(self, node: Lookback, scene: Scene, negated: bool) -> Condition:
        """What joins recall and now; on the stand-in of a missing collection unknown, whatever its fields come to."""
        found = self.condition(node.value, scene, negated)
        if not isinstance(node.source, Throughout | Within):
            return found
        keys = [scene[variable].key for variable in sorted(variables_read(node.source.operand))]
        absent = [key for key in keys if key.nullable]
        if not absent:
            return found
        possible = either([*(is_none(key.text) for key in absent), found.possible])
        certain = both([*(is_known(key.text) for key in absent), found.certain])
        return Condition(possible, certain, None, None, max(found.depth, *(key.depth for key in absent)))

    def _test(self, node: Expression, scene: Scene, negated: bool) -> Condition:
        """A truth that is itself a value: a flag, a grant, an aggregate."""
        if isinstance(node, Includes):
            operand = self.value(node.operand, scene)
            test = Clause(f"includes({operand.text}, {literal(node.item)})")
            negated = node.negated is not negated
        else:
            operand = self.value(node.operand if isinstance(node, IsTrue) else node, scene)
            test = Clause(operand.text)
        return leaf(test.opposite() if negated else test, (operand,))

    def _known(self, node: Expression, scene: Scene, negated: bool) -> Condition:
        """Whether something is known; a condition is where it or its negation is certain."""
        looked_back = isinstance(node, Lookback) and isinstance(node.source, Throughout | Within)
        if isinstance(node, Lookback) and not looked_back:
            return self._known(node.value, scene, negated)
        if looked_back or _is_condition(node):
            holds, fails = self.condition(node, scene), self.condition(node, scene, negated=True)
            known = self._shallow(plain(either([holds.certain, fails.certain]), holds.depth)).certain
            return plain(known.opposite() if negated else known, holds.depth)
        operand = self.value(node, scene)
        if not operand.nullable:
            return plain(NEVER if negated else ALWAYS)
        return plain((is_none if negated else is_known)(operand.text), operand.depth)

    def _hoisted(self, parts: list[Condition], join: Join) -> list[Condition]:
        """The parts, those that are the same for every row joined and put into locals outside of the loop."""
        outer = [part for part in parts if part.depth == 0]
        if not outer or len(outer) == len(parts) or (len(outer) == 1 and outer[0].nulls is not None):
            return parts
        return [self._local(join(outer)), *(part for part in parts if part.depth > 0)]

    def _shallow(self, condition: Condition) -> Condition:
        """The condition, by way of locals where its parentheses nest too deeply for the parser."""
        return condition if condition.nesting <= DEEPEST else self._local(condition)

    def _local(self, condition: Condition) -> Condition:
        """The condition by way of locals, set where all its names are."""

        def local(clause: Clause) -> Clause:
            def write(name: str) -> Operand:
                self.scribe.write(f"{name} = {clause.text}")
                return Operand(name)

            return Clause(self.scribe.computed(("clause", clause.text), condition.depth, write).text)

        certain = local(condition.certain)
        possible = certain if condition.two_valued else local(condition.possible)
        names = () if condition.two_valued else None
        return Condition(possible, certain, names, names, condition.depth)


def _is_condition(node: Expression) -> bool:
    return isinstance(node, Compare | OneOf | Known | Includes | IsTrue | All | AnyOf | Not)


def _operands(node: Arithmetic | Negate | Absolute) -> tuple[Expression, ...]:
    return (node.left, node.right) if isinstance(node, Arithmetic) else (node.operand,)


def _variant(node: Arithmetic | Negate | Absolute | Pick) -> object:
    if isinstance(node, Arithmetic):
        return (node.operator, node.scale_up, node.scale_down)
    return node.extreme if isinstance(node, Pick) else None


def _computation(node: Arithmetic | Negate | Absolute | Pick, name: str, operands: tuple[Operand, ...]) -> Computation:
    match node:
        case Arithmetic():
            return arithmetic(node, name, operands[0], operands[1])
        case Negate():
            return negation(name, operands[0])
        case Absolute():
            return absolute(name, operands[0])
        case Pick():
            return pick(name, node.extreme, operands)
