"""`ringfence trace`: the way of one rule, from its text to a decision."""

from __future__ import annotations

from typing import Annotated

import typer

from api.bundles import RulesOption, catalogue, opened, rules_path
from api.terminal import show_json


def trace(
    rule: Annotated[str, typer.Argument(metavar="RULE", help="The id of a rule, such as `hfos.drawdown`.")],
    *,
    rules: RulesOption = None,
    stage: Annotated[
        list[str] | None, typer.Option("--stage", metavar="NAME", help="Show this stage only; may be repeated.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the stages as JSON.")] = False,
) -> None:
    """Show every stage of a rule: text, tokens, syntax tree, typed rule, Python, SQL, and a decision that it takes."""
    from api.names import resolved
    from api.stages import stages

    bundle = opened(rules_path(rules))
    id = resolved(rule, (r.id for r in bundle.written.rules), "rule")
    found = list(stages(next(r for r in bundle.written.rules if r.id == id), bundle, catalogue()))
    if stage is not None:
        names = {resolved(word, [s.name for s in found], "stage", "--stage") for word in stage}
        found = [s for s in found if s.name in names]
    if as_json:
        show_json([{"stage": s.name, "what": s.what, "by": s.by, "text": s.text} for s in found])
        return
    for s in found:
        typer.secho(f"== {s.name}: {s.what} ({s.by})", bold=True)
        typer.echo(f"{s.text}\n")
