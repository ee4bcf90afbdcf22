"""Policies that bind nothing, in words: from what a fund's service tells of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def not_binding_line(found: Sequence[Mapping[str, Any]]) -> str:
    """How many policies do not bind, and of each its mode and what set it: `1 policy does not bind: ess (off, by ada)`.

    Empty where all of them bind.
    """
    if not found:
        return ""
    named = ", ".join(f"{one['policy']} ({one['mode']}, by {set_by(one)})" for one in found)
    many = "1 policy does" if len(found) == 1 else f"{len(found)} policies do"
    return f"{many} not bind: {named}"


def set_by(found: Mapping[str, Any]) -> str:
    """What set a mode: a variable or a file; of a person the reason, too."""
    return str(found["by"]) if found["reason"] is None else f"{found['by']}: {found['reason']}"
