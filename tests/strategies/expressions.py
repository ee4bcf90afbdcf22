"""Random typed expressions, with the polarity that section 4 of the language asks of reads of other outputs.

`sense` says how an expression may depend on outputs: +1 it may only become more true (a number: grow) as they tighten,
-1 only less true, 0 it reads none of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from hypothesis import strategies as st

from policy_dsl.catalogue import Rows
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
    Negate,
    Not,
    OneOf,
    OutputRead,
    Pick,
    Row,
    RowKey,
    RowRead,
)
from policy_dsl.operators import Comparator, Extreme, Fold, Operator
from policy_dsl.program import Direction, Output, Param
from policy_dsl.quantities import Unit
from policy_dsl.types import COUNT, FLAG, TEXT, TRUTH, Flag, ItemSet, Levels, Quantity, Reference, Type
from tests.strategies import vocabulary
from tests.strategies.choices import chance, choose
from tests.strategies.vocabulary import ARITHMETIC, ENTITIES, EVENTS, FIGURES, KEYS

T = TypeVar("T")

ORDERINGS = (Comparator.LESS, Comparator.AT_MOST, Comparator.GREATER, Comparator.AT_LEAST)
EQUALITIES = (Comparator.EQUAL, Comparator.DIFFERENT)
COMPARED_UNITS = tuple(FIGURES)
LEVEL_FACTS = tuple(
    f
    for e in vocabulary.CATALOGUE.entities.values()
    if e.rows is not Rows.EVENT
    for f in e.facts.values()
    if isinstance(f.type, Levels)
)


@dataclass(frozen=True)
class Writer:
    """An author at work: where choices come from, and what may be read at this place.

    `variables` maps each variable in reach to its entity, `readable` are the outputs computed before the ones that
    the expression helps to decide, `asks_known` allows `is known`. Inside the value of a fold the name of the entity
    means the row that runs, so that none of its rows (`running`) can be named by key.
    """

    draw: st.DrawFn
    variables: Mapping[str, str]
    readable: tuple[Output, ...] = ()
    params: tuple[Param, ...] = ()
    asks_known: bool = True
    running: frozenset[str] = frozenset()

    def pick(self, options: Sequence[T]) -> T:
        """One of the options; the first is the simplest."""
        return choose(self.draw, options)

    def chance(self, one_in: int) -> bool:
        """True about once in that many times."""
        return chance(self.draw, one_in)

    def binding(self, variable: str, entity: str) -> Writer:
        """The author inside a construct that binds one more variable."""
        return replace(self, variables={**self.variables, variable: entity})

    # --- rows --------------------------------------------------------------------------------------------------------

    def row(self, entity: str) -> Row:
        """A row of `entity`: a bound one, one that a bound row refers to, or one named by key."""
        bound = [Row(entity, variable) for variable, of in self.variables.items() if of == entity]
        if entity == "symbol":
            referring = [v for v, of in self.variables.items() if of in ("position", "request", *EVENTS)]
            bound += [
                Row("symbol", key=RowRead(Row(self.variables[v], v), "symbol", Reference("symbol"))) for v in referring
            ]
        keys = () if entity in self.running else KEYS.get(entity, ())[:2]
        named = [Row(entity, key=Constant(key, Reference(entity))) for key in keys]
        return self.pick(bound + named)

    def read(self, kind: Type) -> Expression | None:
        """A fact of that type, None if the catalogue has none."""
        singles: list[Expression] = [FactRead(f.entity, f.name, kind) for f in vocabulary.single_facts(kind)]
        events = [e for e in EVENTS if e in self.variables.values()]
        keyed = [(e, f.name) for e in (*ENTITIES, *events) for f in vocabulary.facts_of(e, kind)]
        near = [(e, n) for e, n in keyed if e in self.variables.values()]
        if not singles and not keyed:
            return None
        if (near or keyed) and (not singles or self.chance(3 if not near else 2)):
            entity, name = self.pick(near or keyed)
            return RowRead(self.row(entity), name, kind)
        return self.pick(singles)

    # --- numbers -----------------------------------------------------------------------------------------------------

    def literal(self, unit: Unit) -> Constant:
        """A figure of that unit, or a param that holds one."""
        params = [Constant(p.value, p.type, p.id) for p in self.params if p.type == Quantity(unit)]
        if params and self.chance(2):
            return self.pick(params)
        return Constant(self.pick(FIGURES[unit]), Quantity(unit))

    def number(self, unit: Unit, depth: int) -> Expression:
        """A number of that unit, made of facts and figures."""
        kind = Quantity(unit)
        simple: list[Callable[[], Expression]] = [lambda: self.read(kind) or self.literal(unit)] * 2
        simple.append(lambda: self.literal(unit))
        if depth <= 0:
            return self.pick(simple)()
        compound = [lambda: self.arithmetic(unit, depth), lambda: self.picked(unit, depth)]
        if unit is not Unit.TIME:
            compound += [
                lambda: Negate(self.number(unit, depth - 1), kind),
                lambda: Absolute(self.number(unit, depth - 1), kind),
                lambda: self.folded(unit, depth),
            ]
        return self.pick(simple + compound)()

    def arithmetic(self, unit: Unit, depth: int) -> Expression:
        """A sum, difference, product or quotient."""
        operator, left, right = self.pick(ARITHMETIC[unit])
        up, down = vocabulary.arithmetic_scale(operator, left, right, unit)
        operands = (self.number(left, depth - 1), self.number(right, depth - 1))
        return Arithmetic(operator, *operands, Quantity(unit), up, down)

    def picked(self, unit: Unit, depth: int) -> Expression:
        """`min(...)` or `max(...)`."""
        operands = tuple(self.number(unit, depth - 1) for _ in range(self.pick((2, 3))))
        return Pick(self.pick(tuple(Extreme)), operands, Quantity(unit))

    def folded(self, unit: Unit, depth: int) -> Expression:
        """A number folded over the rows of an entity; for counts, their number."""
        if unit is Unit.COUNT:
            return self.counted(0, depth)
        of_unit = [f for entity in ENTITIES for f in vocabulary.facts_of(entity, Quantity(unit))]
        if not of_unit:
            return self.literal(unit)
        fact = self.pick(of_unit)
        variable = f"{fact.entity[0]}{len(self.variables)}"
        inside = self.binding(variable, fact.entity)
        where = inside.condition(0, depth - 1) if self.chance(2) else None
        # A row that is called by its entity is hidden there by the row that runs.
        seen = {v: "" if v == fact.entity else of for v, of in inside.variables.items()}
        beside = replace(inside, variables=seen, running=self.running | {fact.entity})
        value: Expression = RowRead(Row(fact.entity, variable), fact.name, fact.type)
        if self.chance(3):
            value = Arithmetic(
                self.pick((Operator.ADD, Operator.SUBTRACT)), value, beside.number(unit, depth - 1), fact.type
            )
        fold = self.pick((Fold.SUM, Fold.HIGHEST, Fold.LOWEST, Fold.AVERAGE))
        return Aggregate(fold, fact.entity, variable, where, value, fact.type)

    def counted(self, sense: int, depth: int) -> Expression:
        """`count(ENTITY where C)`."""
        entity = self.pick(ENTITIES)
        variable = f"{entity[0]}{len(self.variables)}"
        where = self.binding(variable, entity).condition(sense, depth - 1) if not self.chance(4) else None
        return Aggregate(Fold.COUNT, entity, variable, where, None, COUNT)

    # --- conditions --------------------------------------------------------------------------------------------------

    def condition(self, sense: int, depth: int) -> Expression:
        """A condition that depends on outputs as `sense` says."""
        leaves: list[Callable[[], Expression]] = [
            lambda: self.compared_numbers(depth),
            self.compared_levels,
            self.level_in_set,
            self.flag,
            self.compared_text,
        ]
        if self.asks_known:
            leaves.append(lambda: Known(self.number(self.pick(COMPARED_UNITS), 0), self.chance(2)))
        if sense and self.readable:
            leaves += [lambda: self.of_output(sense)] * 3
        if depth <= 0:
            return self.pick(leaves)()
        joints: list[Callable[[], Expression]] = [
            lambda: All(self.several(sense, depth)),
            lambda: AnyOf(self.several(sense, depth)),
            lambda: Not(self.condition(-sense, depth - 1)),
            lambda: self.quantified(sense, depth),
            lambda: self.compared_count(sense, depth),
        ]
        return self.pick(leaves + joints)()

    def several(self, sense: int, depth: int) -> tuple[Expression, ...]:
        """Two or three conditions."""
        return tuple(self.condition(sense, depth - 1) for _ in range(self.pick((2, 3))))

    def compared_numbers(self, depth: int) -> Expression:
        """Two numbers of one unit compared, usually a fact with a figure."""
        unit = self.pick(COMPARED_UNITS)
        right = self.literal(unit) if not self.chance(4) else self.number(unit, depth - 1)
        return Compare(self.pick(ORDERINGS + EQUALITIES), self.number(unit, depth - 1), right)

    def compared_levels(self) -> Expression:
        """A levels fact compared with a level; in order only where the levels have one."""
        left, kind = self.levels_fact()
        comparators = ORDERINGS + EQUALITIES if kind.ordered else EQUALITIES
        return Compare(self.pick(comparators), left, Constant(self.pick(range(len(kind.members))), kind))

    def level_in_set(self) -> Expression:
        """`fact in {A, B}`."""
        left, kind = self.levels_fact()
        ranks = {self.pick(range(len(kind.members))) for _ in range(2)}
        return OneOf(left, tuple(sorted(ranks)), self.chance(2))

    def levels_fact(self) -> tuple[Expression, Levels]:
        """A fact that holds a level, and its type."""
        kind = self.pick(tuple(dict.fromkeys(f.type for f in LEVEL_FACTS if isinstance(f.type, Levels))))
        found = self.read(kind)
        if found is None:
            raise AssertionError(f"the catalogue has no fact of {kind}")
        return found, kind

    def flag(self) -> Expression:
        """A flag fact standing alone, or compared."""
        found = self.read(FLAG)
        if found is None:
            raise AssertionError("the catalogue has no flag")
        if self.chance(3):
            return Compare(self.pick(EQUALITIES), found, Constant(self.pick((False, True)), FLAG))
        return IsTrue(found)

    def compared_text(self) -> Expression:
        """Text with text, or a reference with a key or with another reference."""
        variables = [v for v, of in self.variables.items() if of in ("position", "request", *EVENTS)]
        if variables and self.chance(2):
            return self.compared_references(self.pick(variables))
        word = Constant(self.pick(vocabulary.TEXTS), TEXT)
        return Compare(self.pick(EQUALITIES), self.read(TEXT) or word, word)

    def compared_references(self, variable: str) -> Expression:
        """The symbol of a row with a key, a symbol at hand, or the symbol of another row."""
        kind = Reference("symbol")
        left = RowRead(Row(self.variables[variable], variable), "symbol", kind)
        rights: list[Expression] = [Constant(key, kind) for key in KEYS["symbol"]]
        rights += [RowKey(v, kind) for v, of in self.variables.items() if of == "symbol"]
        rights += [
            RowRead(Row(of, v), "symbol", kind)
            for v, of in self.variables.items()
            if of in ("position", "request", *EVENTS) and v != variable
        ]
        if self.chance(4):
            return OneOf(left, tuple(KEYS["symbol"]), self.chance(2))
        return Compare(self.pick(EQUALITIES), left, self.pick(rights))

    def quantified(self, sense: int, depth: int) -> Expression:
        """`any(ENTITY where C)` or `all(...)`, with and without a condition that picks rows."""
        entity = self.pick(ENTITIES)
        variable = f"{entity[0]}{len(self.variables)}"
        inside = self.binding(variable, entity)
        fold = self.pick((Fold.ANY, Fold.ALL))
        picks = sense if fold is Fold.ANY else -sense
        where = inside.condition(picks, depth - 1) if self.chance(2) else None
        return Aggregate(fold, entity, variable, where, inside.condition(sense, depth - 1), TRUTH)

    def compared_count(self, sense: int, depth: int) -> Expression:
        """The number of rows compared with a count; more rows may only push the comparison the right way."""
        if sense and self.chance(2):
            return Compare(self.pick(ORDERINGS[:2]), self.counted(-sense, depth), self.literal(Unit.COUNT))
        return Compare(self.pick(ORDERINGS[2:]), self.counted(sense, depth), self.literal(Unit.COUNT))

    # --- outputs -----------------------------------------------------------------------------------------------------

    def output_read(self, output: Output) -> OutputRead:
        """The output's value, on some row where it has one a row."""
        return OutputRead(output.id, None if output.entity is None else self.row(output.entity), output.type)

    def of_output(self, sense: int) -> Expression:
        """A condition on an earlier output that becomes more true (+1) or less (-1) as the output tightens."""
        output = self.pick(self.readable)
        read = self.output_read(output)
        if isinstance(output.type, ItemSet):
            # A set tightens by losing items.
            return Includes(read, self.pick(output.type.items), negated=sense > 0)
        if isinstance(output.type, Flag):
            rises = (output.direction is Direction.UP) is (sense > 0)
            return IsTrue(read) if rises else Not(IsTrue(read))
        rises = (output.direction is Direction.UP) is (sense > 0)
        bound = self.value_of(output)
        if self.chance(3) and output.strictest is not None:
            strict = Constant(output.strictest, output.type)
            return Compare(Comparator.EQUAL if sense > 0 else Comparator.DIFFERENT, read, strict)
        return Compare(self.pick(ORDERINGS[2:] if rises else ORDERINGS[:2]), read, bound)

    def value_of(self, output: Output) -> Constant:
        """A value that the output could hold."""
        if isinstance(output.type, Quantity):
            return self.literal(output.type.unit)
        if isinstance(output.type, Levels):
            return Constant(self.pick(range(len(output.type.members))), output.type)
        return Constant(self.pick((False, True)), output.type)
