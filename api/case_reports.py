"""Results of the tests in rule files: as text with the source, as JSON, as JUnit XML."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Any
from xml.etree import ElementTree as ET

from evaluators.testing import CaseResult, Failure, Found
from policy_dsl.bundle import Bundle
from policy_dsl.cases import Case
from policy_dsl.diagnostics import Diagnostic, render
from policy_dsl.types import DURATION
from policy_dsl.writing import write_value


def name_of(result: CaseResult) -> str:
    """`policy: name`, which is what `-k` searches."""
    return f"{result.case.policy}: {result.case.name}"


def failure_text(result: CaseResult, bundle: Bundle) -> str:
    """Each expectation that did not hold, under its source, with the values there were."""
    parts = [f"FAILED {name_of(result)}"]
    for _, alike in groupby(result.failures, key=lambda f: (f.span, f.variant, f.at, f.found)):
        parts.append(_expectation(list(alike), result, bundle))
    return "\n".join(parts) + "\n"


def _expectation(alike: Sequence[Failure], result: CaseResult, bundle: Bundle) -> str:
    first, case = alike[0], result.case
    when = f" at {_time(first.at)}" if case.timed else ""
    row = f", with row {first.variant + 1} of the table" if _is_in_every_row(first, case) else ""
    where = "every evaluator" if len(alike) == len(result.evaluators) else " and ".join(f.evaluator for f in alike)
    found = "".join(f"\n  {_found(f, timed=case.timed)}" for f in first.found)
    excerpt = render(Diagnostic("", "", first.span), bundle.sources).partition("\n")[2]
    return f"this does not hold{when}{row}, in {where}:\n{excerpt}{found}"


def _is_in_every_row(failure: Failure, case: Case) -> bool:
    """Whether the expectation stands beside a table, so that its place does not say which row it failed with."""
    stating = [v for v in case.variants if any(e.span == failure.span for m in v for e in m.expected)]
    return len(stating) > 1


def _found(found: Found, *, timed: bool) -> str:
    text = f"`{found.name}` is {found.value}"
    if not timed or found.since is None:
        return text
    if found.before is None:
        return f"{text}, as from the start"
    return f"{text} since {_time(found.since)}, and was {found.before} before"


def _time(at: int) -> str:
    """A time after the start, as `at` would say it."""
    return write_value(at, DURATION) if at else "0m"


def document(results: Sequence[CaseResult], bundle: Bundle) -> dict[str, Any]:
    """The results as plain JSON."""
    return {
        "bundle": bundle.hash,
        "passed": sum(r.passed for r in results),
        "failed": sum(not r.passed for r in results),
        "tests": [
            {
                "policy": r.case.policy,
                "name": r.case.name,
                "at": _place(r.case.span, bundle),
                "passed": r.passed,
                "failures": [_failure(f, bundle) for f in r.failures],
            }
            for r in results
        ],
    }


def _failure(failure: Failure, bundle: Bundle) -> dict[str, Any]:
    return {
        "evaluator": failure.evaluator,
        "case": failure.variant,
        "after_seconds": failure.at / 1000,
        "at": _place(failure.span, bundle),
        "found": {f.name: f.value for f in failure.found},
        "since_seconds": {f.name: f.since / 1000 for f in failure.found if f.since is not None and f.before},
    }


def _place(span: Any, bundle: Bundle) -> str:
    source = bundle.sources[span.path]
    return f"{span.path}:{source.place(span.start).line}"


def junit_xml(results: Sequence[CaseResult], bundle: Bundle) -> str:
    """The results in the form that continuous integration reads: a suite, a case a test."""
    failed = sum(not r.passed for r in results)
    suite = ET.Element("testsuite", name="ringfence", tests=str(len(results)), failures=str(failed), errors="0")
    for result in results:
        place = bundle.sources[result.case.span.path].place(result.case.span.start)
        case = ET.SubElement(suite, "testcase", classname=result.case.policy, name=result.case.name)
        case.set("file", result.case.span.path)
        case.set("line", str(place.line))
        if not result.passed:
            told = failure_text(result, bundle)
            ET.SubElement(case, "failure", message=f"{len(result.failures)} expectations failed").text = told
    text: str = ET.tostring(suite, encoding="unicode")
    return f'<?xml version="1.0" encoding="utf-8"?>\n{text}\n'
