"""`ringfence check`: every finding of a bundle in one run."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from api.bundles import Checked, RulesArgument, checked, rules_path
from api.exits import FINDINGS
from api.terminal import count_of, show_diagnostics, show_json


def check(
    rules: RulesArgument = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False,
) -> None:
    """Check rules: syntax, names, types, units, polarity, versions; every finding in one run."""
    found = checked(rules_path(rules))
    if as_json:
        show_json(_document(found))
    else:
        show_diagnostics(found.diagnostics, found.sources)
        typer.echo(_summary(found))
    if found.bundle is None:
        raise typer.Exit(FINDINGS)


def _document(found: Checked) -> dict[str, Any]:
    return {
        "bundle": found.bundle,
        "policies": dict(found.versions),
        "diagnostics": [d.as_json(found.sources) for d in found.diagnostics],
    }


def _summary(found: Checked) -> str:
    errors = sum(d.is_error for d in found.diagnostics)
    others = len(found.diagnostics) - errors
    plurals = {"policy": "policies"}
    sizes = ", ".join(count_of(number, noun, plurals.get(noun)) for noun, number in found.counts.items())
    findings = [count_of(errors, "error") if errors else "no errors"]
    findings += [count_of(others, "warning or note", "warnings and notes")] if others else []
    return f"{sizes}: {', '.join(findings)}" + (f"\nbundle {found.bundle}" if found.bundle else "")
