"""The way of one rule: what each stage makes of it, from its text to a decision."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from importlib.resources import files

from lark import Lark

from api.subjects import outputs_of, place, text
from api.tested import TestedProgram
from api.trees import tree
from api.values import OutputTexts
from evaluators.duckdb import DuckdbEvaluator
from evaluators.python import PythonEvaluator
from evaluators.snapshot import Snapshot
from evaluators.support import expressions_of
from evaluators.testing import promoted
from policy_dsl.bundle import Bundle
from policy_dsl.catalogue import Catalogue
from policy_dsl.diagnostics import Findings
from policy_dsl.lexer import RuleLexer
from policy_dsl.nodes import FactRead, OutputRead, RowRead
from policy_dsl.parser import parse
from policy_dsl.program import Program, Rule
from policy_dsl.syntax import RuleDecl
from policy_dsl.walking import walk
from policy_dsl.writing import write_value


@dataclass(frozen=True, slots=True)
class Stage:
    """What one stage makes of the rule: its name, what it is, the code that does it, and its result as text."""

    name: str
    what: str
    by: str
    text: str


def stages(rule: Rule, bundle: Bundle, catalogue: Catalogue) -> Iterator[Stage]:
    """Every stage of a rule, in order."""
    alone = slice_of(rule, promoted(bundle.written))
    where = place(rule.span, bundle)
    yield Stage("text", f"what the author wrote, in {where}", "rules/", text(rule.span, bundle))
    yield Stage("tokens", "words, numbers and names", "policy_dsl/grammar.lark", _tokens(text(rule.span, bundle)))
    yield Stage("syntax tree", "what the author said", "policy_dsl/syntax.py", tree(_declaration(rule, bundle)))
    yield Stage("typed rule", "what it means: units, exact figures", "policy_dsl/program.py", tree(rule))
    yield Stage("Python", "the rule alone, one snapshot at a time", "evaluators/python", PythonEvaluator(alone).source)
    yield Stage("SQL", "the rule alone, whole recordings", "evaluators/duckdb", DuckdbEvaluator(alone).sql)
    yield _decision(rule, bundle, catalogue)


def slice_of(rule: Rule, program: Program) -> Program:
    """The program of one rule alone, with the outputs that it acts on or reads; what they hold on to is not its own."""
    read = {n.output for e in expressions_of(rule) for n in walk(e) if isinstance(n, OutputRead)}
    wanted = read.union(outputs_of(rule))
    outputs = tuple(replace(o, relaxes_after=None, latches_until=None) for o in program.outputs if o.id in wanted)
    return replace(program, outputs=outputs, rules=(rule,), params=())


def _tokens(written: str) -> str:
    grammar = files("policy_dsl").joinpath("grammar.lark").read_text(encoding="utf-8")
    parser = Lark(grammar, parser="lalr", lexer=RuleLexer, start=["start"], maybe_placeholders=True)
    found = parser.parse_interactive(written, start="start").iter_parse()
    return "\n".join(_wrapped(f"{token.type}({token.value})" for token in found))


def _wrapped(words: Iterable[str], width: int = 110) -> Iterator[str]:
    line = ""
    for word in words:
        if line and len(line) + len(word) >= width:
            yield line
            line = ""
        line += (" " if line else "") + word
    yield line


def _declaration(rule: Rule, bundle: Bundle) -> RuleDecl | None:
    """The syntax tree of a rule, from its file."""
    if rule.span is None:
        return None
    file = parse(bundle.sources[rule.span.path], Findings())
    rules = (d for d in file.declarations if isinstance(d, RuleDecl))
    return next((d for d in rules if d.name.text == rule.id.rpartition(".")[2]), None)


# --- decision --------------------------------------------------------------------------------------------------------


def _decision(rule: Rule, bundle: Bundle, catalogue: Catalogue) -> Stage:
    program = promoted(bundle.written)
    what, by = "the whole bundle on the first test state in which it fires", "evaluators/telling.py"
    found = TestedProgram(program, bundle.cases, catalogue).first_firing(rule.id)
    if found is None:
        return Stage("decision", what, by, "no test makes this rule fire")
    case, told = found
    texts = OutputTexts(program)
    acting = set(outputs_of(rule))
    lines = [f'test "{case.name}"', *_seen(rule, told.snapshot)]
    lines += [f"{s.name} = {s.text}" for s in texts.shown(told.decision) if s.output in acting]
    for reason in told.reasons:
        on = f"[{reason.key}]" if reason.key else ""
        if acting & set(reason.binds) or reason.rule == rule.id:
            lines.append(f"{reason.rule}{on} binds {', '.join(reason.binds) or 'nothing'}: {reason.because}")
    return Stage("decision", what, by, "\n".join(lines))


def _seen(rule: Rule, state: Snapshot) -> Iterator[str]:
    """The facts that the rule reads, as the state has them."""
    nodes = {n: None for e in expressions_of(rule) for n in walk(e) if isinstance(n, FactRead | RowRead)}
    shown = set()
    for node in nodes:
        if isinstance(node, FactRead):
            path = f"{node.entity}.{node.field}"
            lines = [f"{path} = {write_value(state.facts.get(path), node.type)}"]
        else:
            rows = state.collection(node.row.entity) or {}
            lines = [
                f'{node.row.entity}["{k}"].{node.field} = {write_value(r.get(node.field), node.type)}'
                for k, r in rows.items()
            ]
        for line in lines:
            if line not in shown:
                shown.add(line)
                yield line
