"""The forms of the language that look back, by name: those that an author can write."""

from __future__ import annotations

from policy_dsl import program as p

OVER_TIME = {p.Throughout, p.Within, p.Window, p.Previous, p.EventFold}
"""The nodes of such forms."""

FORMS = frozenset(
    {"throughout", "within", "previous"}
    | {f"{fold.value} of a window" for fold in p.WindowFold}
    | {f"{fold.value} of events" for fold in p.Fold if fold is not p.Fold.ALL}
)
"""The name of every form."""


def form(node: p.Expression) -> str:
    """The name of a form over time."""
    match node:
        case p.Window():
            return f"{node.fold.value} of a window"
        case p.EventFold():
            return f"{node.fold.value} of events"
    return type(node).__name__.lower()
