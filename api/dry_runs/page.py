"""The report of a dry run: one HTML page that needs nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import cast

from api.dry_runs.chart import Curve, chart
from api.dry_runs.examples import Witness, examples
from api.dry_runs.recorded import Extract
from api.dry_runs.sheets import clock
from api.dry_runs.view import View
from api.values import duration, percent
from evaluators.decision import OutputValue
from policy_dsl.types import Value

DRAWDOWN = "account.drawdown"
EQUITY = "account.equity"
_MOST_ROWS = 3_000
"""Rows of a table in the page: it must open quickly after a year of minutes too."""


@dataclass(frozen=True, slots=True)
class Tile:
    """A figure to see first, what it is, and a word more."""

    figure: str
    label: str
    note: str


def page(view: View, witness: Witness, price: Curve | None = None) -> str:
    """The report as HTML: picture, tables, an example of each rule that bound, and how to get every figure again."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    run = view.run
    curves = [*([] if price is None else [price]), *_curves(witness.extract)]
    environment = Environment(
        loader=PackageLoader("api.dry_runs"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    said = examples(run, witness)
    return environment.get_template("report.html.j2").render(
        run=run,
        first=clock(run.since),
        last=clock(run.until),
        span=duration(run.until - run.since),
        cadence=duration(run.cadence),
        tiles=list(_tiles(view, curves)),
        chart=chart(run, view.bundle.program, view.texts, view.outputs, curves),
        sheets=view.sheets(detail=True),
        examples=[
            (rule, clock(e.ts), e) for rule, e in sorted(said.items(), key=lambda found: (found[1].ts, found[0]))
        ],
        policies=view.bundle.policies,
        command=view.command,
        hover=_hover(curves),
        most_rows=_MOST_ROWS,
    )


def _curves(extract: Extract) -> list[Curve]:
    times = extract.times()
    found = (
        Curve("equity", times, extract.series(EQUITY)),
        Curve("drawdown", times, extract.series(DRAWDOWN), percent=True, down=True),
    )
    return [curve for curve in found if any(value is not None for value in curve.values)]


def _tiles(view: View, curves: Sequence[Curve]) -> Iterator[Tile]:
    run = view.run
    for output in view.outputs[:1]:
        held = run.courses[output].held
        strictest = _strictest(view, output)
        time = sum(h.duration for h in held if h.value == strictest)
        yield Tile(duration(time), f"at {view.texts.text(output, strictest)}", f"the strictest {output} reached")
    drawdown = [v for c in curves if c.name == "drawdown" for v in c.values if v is not None]
    if drawdown:
        yield Tile(
            f"{100 * max(drawdown):.1f}%",
            "deepest drawdown",
            "of what was recorded, not of what rules would have made of it",
        )
    total = sum(run.verdicts.counts.values())
    if total:
        denied = run.verdicts.counts.get("DENY", 0)
        yield Tile(percent(denied, total), "requests denied", f"{denied:,} of {total:,}")
    bound = sum(1 for r in run.rules if r.bound and not r.observing)
    yield Tile(f"{bound}", "rules bound", f"of {len(run.rules)}")
    missing = sum(1 for u in run.unknowns if u.missing)
    yield Tile(f"{missing}", "facts missing at times", f"of {len(run.unknowns)} that the rules read")
    if run.comparison is not None:
        share = percent(run.comparison.snapshots, run.snapshots)
        yield Tile(share, "decided otherwise", f"against {run.comparison.against}")


def _strictest(view: View, output: str) -> OutputValue:
    """The strictest value that a fund-wide output reached."""
    declared = view.bundle.program.output(output)
    values = [cast(Value, h.value) for h in view.run.courses[output].held]
    return reduce(declared.stricter, values)


def _hover(curves: Sequence[Curve]) -> dict[str, object]:
    """The curves for the pointer: times (ms) and values, thinned by leaving out."""
    if not curves:
        return {"times": [], "curves": []}
    step = max(1, len(curves[0].times) // 2000)
    listed = [{"name": c.name, "percent": c.percent, "values": c.values[::step]} for c in curves]
    return {"times": list(curves[0].times[::step]), "curves": listed}
