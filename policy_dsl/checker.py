"""Checks a bundle of rule files and makes its typed program.

Passes run one after another over every file; what one finds is recorded, and the next goes on with the rest, so that
all errors show in one run.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from policy_dsl import declarations as d
from policy_dsl import program as p
from policy_dsl import syntax as s
from policy_dsl.case_steps import typed_test
from policy_dsl.cases import Case, Invariant, typed_invariant
from policy_dsl.catalogue import Catalogue
from policy_dsl.configuration import Configuration, Mode, configured_params
from policy_dsl.context import Context
from policy_dsl.diagnostics import Findings, Label, Source, Span
from policy_dsl.guarantees import check_arguments, check_latch, check_rule
from policy_dsl.literals import write_time
from policy_dsl.names import RESERVED, Names
from policy_dsl.ordering import ordered
from policy_dsl.rules import typed_rule

T = TypeVar("T")
D = TypeVar("D", bound=s.Declaration)

_VERSION_PARTS = 3


@dataclass(frozen=True, slots=True)
class Checked:
    """What came of a check: the program (None after an error), the tests and invariants that could be typed."""

    program: p.Program | None
    cases: tuple[Case, ...]
    invariants: tuple[Invariant, ...]
    names: Names


def check(
    files: Sequence[s.File],
    sources: Mapping[str, Source],
    catalogue: Catalogue,
    configuration: Configuration,
    findings: Findings,
    *,
    bundle_hash: str,
    today: int | None = None,
) -> Checked:
    """Check `files` together. `today` (ms) reports exceptions that have expired; None reports none."""
    names = Names(catalogue)
    named = [(f, f.policy) for f in sorted(files, key=lambda f: f.path) if f.policy is not None]
    for file, policy in named:
        _declare_policy(policy, names, findings)
        names.broken |= {*file.unread, *(f"{policy.name.text}.{name}" for name in file.unread)}

    def each(kind: type[D], do: Callable[[D, s.File, Context], None]) -> None:
        for file, policy in named:
            context = Context(names, findings, policy.name.text)
            for declaration in file.declarations:
                if isinstance(declaration, kind):
                    do(declaration, file, context)

    rules: list[p.Rule] = []
    cases: list[Case] = []
    invariants: list[Invariant] = []
    _declare_all(each, names, configuration, findings)
    seen: dict[str, Span] = {}
    each(s.RuleDecl, lambda n, f, c: _add_rule(n, sources[f.path], c, rules, seen))
    seen_tests: dict[tuple[str, str], Span] = {}
    each(s.TestDecl, lambda n, f, c: _add_test(n, sources[f.path], c, cases, seen_tests))
    each(s.AlwaysDecl, lambda n, _f, c: _add(invariants, typed_invariant(n, c)))
    for rule in rules:
        check_rule(rule, names, findings)
        _report_expired(rule, today, findings)
    for output in names.outputs.values():
        check_latch(output, names, findings)
    check_arguments(sorted(rules, key=lambda r: r.id), names, findings)
    outputs = ordered(names.outputs, rules, findings)
    program = None
    if outputs is not None and not any(i.is_error for i in findings.items):
        program = _program(bundle_hash, names, outputs, rules, configuration)
        _report_unused(names, findings)
    return Checked(program, tuple(cases), tuple(invariants), names)


def _declare_all(each: Callable[..., None], names: Names, configuration: Configuration, findings: Findings) -> None:
    each(s.LevelsDecl, lambda n, _f, c: d.declare_levels(n, c))
    each(s.ParamDecl, lambda n, _f, c: d.declare_param(n, c))
    configured_params(configuration, names, findings)
    each(s.OutputDecl, lambda n, _f, c: d.declare_output(n, c))
    each(s.OutputDecl, _add_latch)


def _add_latch(node: s.OutputDecl, _file: s.File, context: Context) -> None:
    output = context.names.outputs.get(f"{context.policy}.{node.name.text}")
    if output is not None and node.latches is not None:
        context.names.outputs[output.id] = replace(output, latches_until=d.latch(node, output, context))


def _add(items: list[T], item: T | None) -> None:
    if item is not None:
        items.append(item)


def _declare_policy(policy: s.Policy, names: Names, findings: Findings) -> None:
    name = policy.name.text
    first = names.policies.get(name)
    if first is not None:
        findings.error("RF306", f"policy `{name}` has two files", policy.name.span, None, Label(first, "the first one"))
        return
    if name in RESERVED or name in names.catalogue.entities:
        findings.error("RF307", f"a policy cannot be called `{name}`: it means something else", policy.name.span)
    parts = policy.version.split(".")
    if len(parts) != _VERSION_PARTS:
        hint = f"`{'.'.join([*parts, '0', '0'][:3])}`"
        findings.error("RF308", "a version is MAJOR.MINOR.PATCH", policy.span, hint)
    names.policies[name] = policy.name.span


def _add_rule(node: s.RuleDecl, source: Source, context: Context, rules: list[p.Rule], seen: dict[str, Span]) -> None:
    full = f"{context.policy}.{node.name.text}"
    if full in seen:
        context.error(
            "RF301", f"rule `{full}` is declared already", node.name.span, None, Label(seen[full], "declared here")
        )
        return
    seen[full] = node.name.span
    made = typed_rule(node, source, context)
    if made is not None:
        rules.append(made)


def _add_test(
    node: s.TestDecl, source: Source, context: Context, cases: list[Case], seen: dict[tuple[str, str], Span]
) -> None:
    """Add a test under its name, by which reports and `-k` find it."""
    name = (context.policy, node.name.text)
    if name in seen:
        message = f"policy `{context.policy}` has a test of this name already"
        context.error("RF301", message, node.name.span, None, Label(seen[name], "declared here"))
        return
    seen[name] = node.name.span
    _add(cases, typed_test(node, source, context))


def _program(
    bundle_hash: str, names: Names, outputs: tuple[p.Output, ...], rules: list[p.Rule], configuration: Configuration
) -> p.Program:
    """The program under the configured modes: rules of a policy that is off are gone, of one in observe observe."""
    kept = []
    for rule in rules:
        mode = configuration.mode(rule.policy)
        if mode is Mode.OBSERVE and not rule.observing:
            kept.append(replace(rule, observing=True))
        elif mode is not Mode.OFF:
            kept.append(rule)
    params = tuple(names.params[i] for i in sorted(names.params))
    return p.Program(bundle_hash, params, outputs, tuple(sorted(kept, key=lambda r: r.id)))


def _report_expired(rule: p.Rule, today: int | None, findings: Findings) -> None:
    if rule.excuse_until is not None and today is not None and rule.excuse_until <= today:
        message = f"the exception of `{rule.id}` expired on {write_time(rule.excuse_until)} ({rule.ticket})"
        findings.warning("RF502", message, rule.span, "remove it, or renew it with a new date")


def _report_unused(names: Names, findings: Findings) -> None:
    for full in sorted(set(names.params) - names.used_params):
        findings.warning("RF503", f"param `{full}` is used nowhere", names.params[full].span)
