"""Results of the tests in rule files: as text with the source, as JSON, as JUnit XML."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Any
from xml.etree import ElementTree as ET

from api.values import duration
from evaluators.testing import CaseResult, Failure
from policy_dsl.bundle import Bundle
from policy_dsl.diagnostics import Diagnostic, render


def name_of(result: CaseResult) -> str:
    """`policy: name`, which is what `-k` searches."""
    return f"{result.case.policy}: {result.case.name}"


def failure_text(result: CaseResult, bundle: Bundle) -> str:
    """Each expectation that did not hold, under its source, with the values there were."""
    parts = [f"FAILED {name_of(result)}"]
    for _, alike in groupby(result.failures, key=lambda f: (f.span, f.variant, f.at, f.found)):
        parts.append(_expectation(list(alike), bundle))
    return "\n".join(parts) + "\n"


def _expectation(alike: Sequence[Failure], bundle: Bundle) -> str:
    first = alike[0]
    when = f" at {duration(first.at)}" if first.at else ""
    evaluators = "every evaluator" if len(alike) > 1 else first.evaluator
    found = "".join(f"\n  `{name}` is {value}" for name, value in first.found)
    excerpt = render(Diagnostic("", "", first.span), bundle.sources).partition("\n")[2]
    return f"this does not hold{when}, in {evaluators}:\n{excerpt}{found}"


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
        "found": dict(failure.found),
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
