"""What an id names in a bundle, and everything worth saying of it: text, place, outputs, readers, tests."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import takewhile

from evaluators.support import expressions_of
from evaluators.testing import promoted
from policy_dsl.bundle import Bundle
from policy_dsl.catalogue import Catalogue, Fact
from policy_dsl.diagnostics import Span
from policy_dsl.nodes import Constant, FactRead, OutputRead, RowRead
from policy_dsl.program import Alert, Direction, Output, Param, Permit, Program, Rule
from policy_dsl.types import DURATION, ItemSet
from policy_dsl.walking import walk
from policy_dsl.writing import write_range, write_value


@dataclass(frozen=True, slots=True)
class Subject:
    """A thing with a name: its `kind` in a word, where it is written, its text, and lists of what belongs to it."""

    id: str
    kind: str
    place: str | None
    text: str
    facts: tuple[tuple[str, tuple[str, ...]], ...]


def ids(bundle: Bundle, catalogue: Catalogue) -> list[str]:
    """Every id that can be explained."""
    program = bundle.written
    own = [*(r.id for r in program.rules), *(o.id for o in program.outputs), *(p.id for p in program.params)]
    return own + [f.path for e in catalogue.entities.values() for f in e.facts.values()]


def subject(id: str, bundle: Bundle, catalogue: Catalogue) -> Subject:
    """What `id` names. KeyError if it is none of `ids`."""
    program = bundle.written
    for rule in program.rules:
        if rule.id == id:
            return _rule(rule, bundle, catalogue)
    for output in program.outputs:
        if output.id == id:
            return _output(output, bundle)
    for param in bundle.program.params:
        if param.id == id:
            return _param(param, bundle)
    fact = catalogue.fact(id)
    if fact is None:
        raise KeyError(id)
    return _fact(fact, program)


# --- rules -----------------------------------------------------------------------------------------------------------


def _rule(rule: Rule, bundle: Bundle, catalogue: Catalogue) -> Subject:
    outputs = outputs_of(rule)
    readers = [r.id for r in bundle.written.rules if r.id != rule.id and _outputs_read(r) & set(outputs)]
    facts = (
        ("runs", (_mode(rule, bundle),)),
        ("acts on", tuple(outputs)),
        ("reads", tuple(sorted(facts_read(rule) | _outputs_read(rule)))),
        ("what it acts on is read by", tuple(sorted(readers))),
        ("tests in which it fires", tuple(_tests(rule.id, bundle, catalogue))),
    )
    return Subject(rule.id, "rule", place(rule.span, bundle), text(rule.span, bundle), _known(facts))


def outputs_of(rule: Rule) -> list[str]:
    """The outputs that a rule acts on, in the order of its effects."""
    return list(dict.fromkeys(e.output for e in rule.effects if not isinstance(e, Alert)))


def _mode(rule: Rule, bundle: Bundle) -> str:
    running = next((r for r in bundle.program.rules if r.id == rule.id), None)
    if running is None:
        return "not at all: its policy is off"
    return "observing: it binds nothing" if running.observing else "enforced"


def _tests(id: str, bundle: Bundle, catalogue: Catalogue) -> Iterator[str]:
    from api.tested import TestedProgram

    tests = TestedProgram(promoted(bundle.written), bundle.cases, catalogue)
    yield from (f"{case.policy}: {case.name}" for case in tests.firing(id))


def facts_read(rule: Rule) -> set[str]:
    """The paths of the facts that a rule reads: `account.drawdown`, `position.category`."""
    found = set()
    for node in (n for e in expressions_of(rule) for n in walk(e)):
        if isinstance(node, FactRead):
            found.add(f"{node.entity}.{node.field}")
        elif isinstance(node, RowRead):
            found.add(f"{node.row.entity}.{node.field}")
    return found


def _outputs_read(rule: Rule) -> set[str]:
    return {n.output for e in expressions_of(rule) for n in walk(e) if isinstance(n, OutputRead)}


# --- outputs, params, facts ------------------------------------------------------------------------------------------


def _output(output: Output, bundle: Bundle) -> Subject:
    rules = bundle.written.rules
    permitting = {r.id for r in rules for e in r.effects if isinstance(e, Permit) and e.output == output.id}
    acting = [r.id for r in rules if output.id in outputs_of(r)]
    loosest = "nothing" if isinstance(output.type, ItemSet) else write_value(output.starts, output.type)
    stricter = {Direction.DOWN: "lower", Direction.UP: "higher", None: "fewer items"}[output.direction]
    facts = (
        ("for each", () if output.entity is None else (output.entity,)),
        ("starts", (loosest,)),
        ("stricter is", (stricter,)),
        ("acted on by", tuple(f"{r} (permits)" if r in permitting else r for r in acting)),
        ("read by", tuple(r.id for r in rules if output.id in _outputs_read(r))),
    )
    return Subject(output.id, "output", place(output.span, bundle), declaration(output.span, bundle), _known(facts))


def _param(param: Param, bundle: Bundle) -> Subject:
    span = write_range(param.low, param.high, param.type)
    used = [
        rule.id
        for rule in bundle.written.rules
        if any(isinstance(n, Constant) and n.name == param.id for e in expressions_of(rule) for n in walk(e))
    ]
    facts = (
        ("value", (write_value(param.value, param.type),)),
        ("default", (write_value(param.default, param.type),)),
        ("may be", (span,) if span else ()),
        ("used by", tuple(used)),
    )
    return Subject(param.id, "param", place(param.span, bundle), text(param.span, bundle), _known(facts))


def _fact(fact: Fact, program: Program) -> Subject:
    span = write_range(fact.low, fact.high, fact.type)
    facts = (
        ("type", (str(fact.type),)),
        ("owner", (fact.owner,)),
        ("range", (span,) if span else ()),
        ("missing when older than", () if fact.max_age is None else (write_value(fact.max_age, DURATION),)),
        ("calm value, assumed in tests", () if fact.calm is None else (write_value(fact.calm, fact.type),)),
        ("read by", tuple(r.id for r in program.rules if fact.path in facts_read(r))),
    )
    return Subject(fact.path, "fact", None, fact.doc, _known(facts))


def _known(facts: tuple[tuple[str, tuple[str, ...]], ...]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    return tuple((name, values) for name, values in facts if values)


def place(span: Span | None, bundle: Bundle) -> str | None:
    """File and line: `rules/ess.rules:14`."""
    if span is None or span.path not in bundle.sources:
        return None
    return f"{span.path}:{bundle.sources[span.path].place(span.start).line}"


def text(span: Span | None, bundle: Bundle) -> str:
    """What the author wrote there."""
    if span is None or span.path not in bundle.sources:
        return ""
    return bundle.sources[span.path].text[span.start : span.end].rstrip()


def declaration(span: Span | None, bundle: Bundle) -> str:
    """The lines from the one that the span starts on, down to the next one that is empty or starts at the margin."""
    if span is None or span.path not in bundle.sources:
        return ""
    source = bundle.sources[span.path]
    first, *rest = source.text[source.line_starts[source.place(span.start).line - 1] :].split("\n")
    below = takewhile(lambda line: line[:1].isspace() and line.strip(), rest)
    return "\n".join([first, *below])
