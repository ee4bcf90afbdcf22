"""The default bundle, and what it decides of a state document: what every test of the policies starts from."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from evaluators.decision import Decision
from evaluators.documents import decision_document, snapshot_from_document
from evaluators.python import PythonEvaluator
from evaluators.snapshot import Snapshot
from modules.facts import CATALOGUE
from modules.judge import RULES, packaged_bundle
from policy_dsl.bundle import Bundle
from policy_dsl.diagnostics import PolicyError
from policy_dsl.files import CONFIGURATION_FILE, read_files
from policy_dsl.program import Program
from tests.conftest import checked_once

Document = dict[str, Any]


def default_bundle() -> Bundle:
    """The rules that come with the product, as they are configured there."""
    return packaged_bundle()


def configured(text: str) -> Bundle:
    """The default rules under another `ringfence.toml`. Raises PolicyError where that is refused."""
    report = checked_once(read_files(RULES) | {CONFIGURATION_FILE: text.encode()}, CATALOGUE)
    if report.bundle is None:
        raise PolicyError((d for d in report.diagnostics if d.is_error), report.sources)
    return report.bundle


def state(document: Document | None = None, *, calm: bool = True) -> Snapshot:
    """The snapshot of a document; what it leaves out is calm, or missing."""
    whole = {"book": "main", "ts": "2026-01-07T12:00:00Z"} | (document or {})
    return snapshot_from_document(whole, CATALOGUE, calm=calm)


@cache
def _evaluator(program: Program) -> PythonEvaluator:
    return PythonEvaluator(program)


def decide(snapshot: Snapshot, program: Program | None = None) -> Decision:
    """What the default rules, or those of `program`, decide; the compiled evaluator is the quick one."""
    return _evaluator(default_bundle().program if program is None else program).decide(snapshot)


def outputs(
    document: Document | None = None, *, calm: bool = True, program: Program | None = None
) -> Mapping[str, Any]:
    """The outputs that a state document leads to, by id, as documents show them."""
    used = default_bundle().program if program is None else program
    return shown(decide(state(document, calm=calm), used), used)


def shown(decision: Decision, program: Program) -> Mapping[str, Any]:
    """The outputs of a decision as documents show them: levels by name, ratios as fractions, sets by item."""
    found: Mapping[str, Any] = decision_document(decision, program)["outputs"]
    return found


WINNER: Document = {
    "position": {"p1": {"symbol": "BTCUSDT", "category": "WINNER", "r_multiple": 2.5, "peak_r": 2.5}},
    "symbol": {"BTCUSDT": {"trend_t": 3, "trend_t_short": 3, "variance_ratio": 1.2}},
}
"""A position that may grow."""

ASKING: Document = {"symbol": {"BTCUSDT": {}}, "model": {"xgboost": {}}, "request": {"r1": {"symbol": "BTCUSDT"}}}
"""One ordinary request, and nothing that speaks against it."""


def asking(**request: Any) -> Document:
    """One request with these facts, and nothing else that speaks against it."""
    return {**ASKING, "request": {"r1": {"symbol": "BTCUSDT"} | request}}
