"""What a bundle declares: the tables in which names are looked up."""

from __future__ import annotations

from dataclasses import dataclass, field

from policy_dsl.catalogue import Catalogue, Rows
from policy_dsl.diagnostics import Span
from policy_dsl.program import Direction, Output, Param
from policy_dsl.types import Levels

VERDICT = "verdict"
VERDICT_LEVELS = Levels(VERDICT, ("DENY", "ALLOW"))
VERDICT_OUTPUT = Output(VERDICT, "fund", "request", VERDICT_LEVELS, 1, Direction.DOWN)
"""The built-in output: whether a request may go."""

EXIT_EFFECTS = ("REDUCE", "CLOSE")
"""The request effects that rules leave alone unless they say `including exits`."""

RESERVED = frozenset(
    {
        *("and", "or", "not", "is", "in", "of", "yes", "no", "known", "unknown", "missing"),
        *(
            "min",
            "max",
            "abs",
            "previous",
            "count",
            "sum",
            "highest",
            "lowest",
            "average",
            "change",
            "any",
            "all",
            "latest",
        ),
        *("where", "over", "includes", "excludes", "throughout", "within", "verdict", "alerts", "fund"),
    }
)
"""Words that cannot be declared: a reader could not tell the name from the keyword."""


@dataclass(slots=True)
class Names:
    """Every declared name of a bundle. Params and outputs are keyed by id (`policy.name`)."""

    catalogue: Catalogue
    policies: dict[str, Span] = field(default_factory=dict)
    levels: dict[str, Levels] = field(default_factory=dict)
    params: dict[str, Param] = field(default_factory=dict)
    outputs: dict[str, Output] = field(default_factory=dict)
    broken: set[str] = field(default_factory=set)
    """Ids declared with an error: what uses them is not reported again."""
    used_params: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        """Shared levels come from the catalogue; the verdict is there where there are requests."""
        self.levels |= self.catalogue.levels
        request = self.catalogue.entities.get("request")
        if request is not None and request.rows is Rows.KEYED:
            self.outputs[VERDICT] = VERDICT_OUTPUT
