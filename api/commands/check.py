"""`ringfence check`: every finding of a bundle in one run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from api.bundles import RulesArgument, checked, rules_path
from api.exits import FINDINGS
from api.terminal import count_of, show_diagnostics, show_json

if TYPE_CHECKING:
    from policy_dsl.bundle import Report


def check(
    rules: RulesArgument = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False,
) -> None:
    """Check rules: syntax, names, types, units, polarity, versions; every finding in one run."""
    report = checked(rules_path(rules))
    if as_json:
        show_json(_document(report))
    else:
        show_diagnostics(report.diagnostics, report.sources)
        typer.echo(_summary(report))
    if report.bundle is None:
        raise typer.Exit(FINDINGS)


def _document(report: Report) -> dict[str, Any]:
    bundle = report.bundle
    return {
        "bundle": None if bundle is None else bundle.hash,
        "policies": [] if bundle is None else [{"name": p.name, "version": p.version} for p in bundle.policies],
        "diagnostics": [d.as_json(report.sources) for d in report.diagnostics],
    }


def _summary(report: Report) -> str:
    errors = sum(d.is_error for d in report.diagnostics)
    others = len(report.diagnostics) - errors
    found = f"{count_of(errors, 'error') if errors else 'no errors'}, {count_of(others, 'other finding')}"
    if report.bundle is None:
        return f"{count_of(len(report.sources), 'file')}: {found}"
    program = report.bundle.program
    size = f"{count_of(len(report.bundle.policies), 'policy', 'policies')}, {count_of(len(program.rules), 'rule')}"
    size += f", {count_of(len(program.outputs), 'output')}, {count_of(len(report.bundle.cases), 'test')}"
    return f"{size}: {found}\nbundle {program.hash}"
