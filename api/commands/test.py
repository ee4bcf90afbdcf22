"""`ringfence test`: the tests in the rule files, in every evaluator."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from api.bundles import RulesArgument, catalogue, opened, rules_path
from api.exits import FINDINGS
from api.terminal import count_of, progress, show_json

if TYPE_CHECKING:
    from evaluators.testing import CaseResult
    from policy_dsl.bundle import Bundle

MatchOption = Annotated[
    str | None, typer.Option("-k", "--match", metavar="NAME", help="Only tests whose `policy: name` holds this text.")
]
JUnitOption = Annotated[Path | None, typer.Option("--junit", metavar="FILE", help="Write the results as JUnit XML.")]


def run_tests(
    rules: RulesArgument = None,
    *,
    match: MatchOption = None,
    junit: JUnitOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the results as JSON.")] = False,
) -> None:
    """Run the tests in the rule files in every evaluator; a failure shows the expectation and the values there were."""
    from api.case_reports import document, failure_text, junit_xml
    from api.writing import write_whole

    bundle = opened(rules_path(rules))
    results = _run(bundle, match)
    if match is not None and not results:
        raise typer.BadParameter(f"no test has `{match}` in its name", param_hint="-k")
    if junit is not None:
        write_whole(junit, junit_xml(results, bundle))
    failed = [r for r in results if not r.passed]
    if as_json:
        show_json(document(results, bundle))
    else:
        for result in failed:
            typer.echo(failure_text(result, bundle))
        counts = f"{len(results) - len(failed)} passed, {len(failed)} failed"
        typer.echo(f"{count_of(len(results), 'test')} in three evaluators: {counts}")
    if failed:
        raise typer.Exit(FINDINGS)


def _run(bundle: Bundle, match: str | None) -> list[CaseResult]:
    from evaluators.testing import run_cases

    results = []
    with progress("testing", len(bundle.cases)) as told:
        for result in run_cases(bundle, catalogue(), match=match):
            results.append(result)
            told(1)
    return results
