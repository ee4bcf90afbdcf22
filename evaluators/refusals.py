"""Refusals of state: one finding, raised."""

from __future__ import annotations

from policy_dsl.diagnostics import Diagnostic, PolicyError


def refusal(code: str, message: str, help: str | None = None) -> PolicyError:
    """A PolicyError of one finding without a span."""
    return PolicyError([Diagnostic(code, message, None, help)])
