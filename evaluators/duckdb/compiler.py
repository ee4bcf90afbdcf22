"""From a typed program to the columns that decide it, and the relations that a run leaves behind."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from evaluators.duckdb.demands import demands_on
from evaluators.duckdb.finals import final
from evaluators.duckdb.fragments import Fragment, compose
from evaluators.duckdb.frames import Column, Frame, Frames
from evaluators.duckdb.judging import Judge
from evaluators.duckdb.masks import Masks, Place
from evaluators.duckdb.reads import key_of
from evaluators.duckdb.scene import OutputColumns
from evaluators.identifiers import literal
from policy_dsl.program import Output, Program
from policy_dsl.standing import is_hidden, spelt_out
from policy_dsl.types import Levels


@dataclass(frozen=True, slots=True)
class OutputPlace:
    """Where a result holds an output: the relation, and its column.

    A set has instead a BOOLEAN column an item, and a BIGINT column an argument (NULL where the item is not held).
    """

    output: Output
    relation: str
    column: str | None = None
    items: Mapping[str, str] = field(default_factory=dict)
    arguments: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RulePlace:
    """Where a result holds a rule's firings: the relation, the columns of the two masks, and the bit in both."""

    rule: str
    relation: str
    fired: str
    definite: str
    bit: int


@dataclass(slots=True)
class Relation:
    """A relation that a run makes: the columns of a frame, by the names they have there."""

    name: str
    frame: Frame
    columns: dict[str, Fragment] = field(default_factory=dict)

    def add(self, name: str, fragment: Fragment) -> str:
        """Add a column called `name` if that is free (SQL does not tell upper from lower case); gives its name."""
        taken = {column.casefold() for column in self.columns}
        free, number = name, 2
        while free.casefold() in taken:
            free, number = f"{name}~{number}", number + 1
        self.columns[free] = fragment
        return free


@dataclass(frozen=True, slots=True)
class Design:
    """A compiled program: its frames, the relations to make, and where in them everything is.

    `whole` has, for each column that holds some bits of a mask, the column that holds them all.
    """

    frames: Frames
    relations: tuple[Relation, ...]
    outputs: Mapping[str, OutputPlace]
    rules: Mapping[str, RulePlace]
    whole: Mapping[Column, Column]


def design(program: Program, name: str, max_gap: int) -> Design:
    """Compile `program` into relations called `name`, and `name_<entity>` for what has rows of its own."""
    spelt = spelt_out(program)
    judge = Judge.of(spelt, max_gap)
    rules = sorted(spelt.rules, key=lambda rule: rule.id)
    for output in spelt.outputs:
        judge.outputs[output.id] = final(demands_on(output, rules, judge))
    for rule in rules:
        if not is_hidden(rule.id):
            judge.finish(rule)
    judge.masks.finish()
    scoped = {rule.scope.entity for rule in program.rules if rule.scope is not None}
    owned = {output.entity for output in program.outputs if output.entity is not None}
    relations = {"": _relation(judge.frames, name, None)}
    for entity in sorted(scoped | owned):
        relations[entity] = _relation(judge.frames, f"{name}_{entity}", entity)
    outputs = {o.id: _place(o, judge.outputs[o.id], relations[o.entity or ""]) for o in program.outputs}
    places = {id: place for relation in relations.values() for id, place in _masks(relation, judge.masks)}
    return Design(judge.frames, tuple(relations.values()), outputs, places, judge.masks.whole)


def _relation(frames: Frames, name: str, entity: str | None) -> Relation:
    frame = frames.fund if entity is None else frames.of(entity)
    relation = Relation(name, frame)
    for column in frames.moment(frame):
        relation.add(column.name, column.read)
    if entity is not None:
        key = key_of(frame).read
        relation.add("key", compose("coalesce({}, '')", key) if frame.stand_ins else key)
    return relation


def _place(output: Output, columns: OutputColumns, relation: Relation) -> OutputPlace:
    """Add the columns of an output."""
    if columns.value is not None:
        read = columns.value.read
        shown = _named(read, output.type) if isinstance(output.type, Levels) else read
        return OutputPlace(output, relation.name, relation.add(output.id, shown))
    items = {item: relation.add(f"{output.id}.{item}", c.read) for item, c in columns.items.items()}
    arguments = {
        item: tuple(relation.add(f"{output.id}.{item}.{i}", c.read) for i, c in enumerate(found, start=1))
        for item, found in columns.arguments.items()
    }
    return OutputPlace(output, relation.name, items=items, arguments=arguments)


def _named(place: Fragment, kind: Levels) -> Fragment:
    """The name of a level, as an ENUM whose values are in the order of the levels."""
    names = Fragment(", ".join(literal(member) for member in kind.members))
    return compose("([{}]::ENUM({})[])[{}]", names, names, place)


def _masks(relation: Relation, masks: Masks) -> Iterator[tuple[str, RulePlace]]:
    """Add the masks of a relation's rules, and say where each rule is."""
    frame = relation.frame
    words = masks.results(frame)
    fired = [relation.add(f"fired_{i}", word) for i, (word, _) in enumerate(words)]
    definite = [relation.add(f"definite_{i}", word) for i, (_, word) in enumerate(words)]
    for id, place in masks.places.items():
        if place.frame is frame:
            yield id, _rule_place(id, relation.name, fired, definite, place)


def _rule_place(id: str, relation: str, fired: list[str], definite: list[str], place: Place) -> RulePlace:
    return RulePlace(id, relation, fired[place.word], definite[place.word], place.bit)
