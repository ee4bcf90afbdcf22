"""The forms of the language that look back, by name: those that an author can write."""

from __future__ import annotations

from policy_dsl.nodes import EventFold, Expression, Previous, Throughout, Window, Within
from policy_dsl.operators import Fold, WindowFold

OVER_TIME = {Throughout, Within, Window, Previous, EventFold}
"""The nodes of such forms."""

FORMS = frozenset(
    {"throughout", "within", "previous"}
    | {f"{fold.value} of a window" for fold in WindowFold}
    | {f"{fold.value} of events" for fold in Fold if fold is not Fold.ALL}
)
"""The name of every form."""


def form(node: Expression) -> str:
    """The name of a form over time."""
    match node:
        case Window():
            return f"{node.fold.value} of a window"
        case EventFold():
            return f"{node.fold.value} of events"
    return type(node).__name__.lower()
