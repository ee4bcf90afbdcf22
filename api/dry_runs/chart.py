"""The picture of a dry run: equity, drawdown, the risk mode and the rules that bound, over one axis of time.

Geometry only, in the units of an SVG view box; the template draws it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from api.dry_runs.result import DryRun, Episode, RuleCount
from api.dry_runs.sheets import by_weight, clock
from api.values import OutputTexts, duration
from policy_dsl.program import Direction, Program
from policy_dsl.types import Levels

WIDTH = 1200
LEFT = 210
RIGHT = 14
_PLOT = WIDTH - LEFT - RIGHT
_LANE = 19
_MOST_LANES = 28
_MOST_POINTS = 900
_APART = 0.8
"""Boxes nearer than this are one."""
_STEPS_MS = tuple(m * 60_000 for m in (1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720, 1440, 2880, 7200, 14400, 43200))
_MOST_TICKS = 13
_WHOLE = 100
"""Values from here on are labelled without a fraction."""
SHADES = 5
"""Shades from strictest (0) to loosest (4)."""

TINTED = ("shade0", "shade1")
"""Shades that also tint the curves above: the fund was held back."""


@dataclass(frozen=True, slots=True)
class Box:
    """A stretch of time in a lane; `kind` is its style, `title` what it says when pointed at."""

    x: float
    width: float
    kind: str
    title: str


@dataclass(frozen=True, slots=True)
class Lane:
    """A row of boxes with its name."""

    name: str
    y: float
    boxes: tuple[Box, ...]


@dataclass(frozen=True, slots=True)
class Plot:
    """A curve of a kind (`gain`, `loss`): its paths, and the labels (y, text) of its scale from `top` to `bottom`."""

    name: str
    kind: str
    top: float
    bottom: float
    line: str
    area: str
    labels: tuple[tuple[float, str], ...]


@dataclass(frozen=True, slots=True)
class Chart:
    """Everything to draw: `tints` colour the curves, `ticks` are (x, text), `legend` is (shade, level)."""

    height: float
    plots: tuple[Plot, ...]
    tints: tuple[Box, ...]
    modes: tuple[Lane, ...]
    lanes: tuple[Lane, ...]
    lanes_top: float
    ticks: tuple[tuple[float, str], ...]
    legend: tuple[tuple[str, str], ...]
    left_out: int


@dataclass(frozen=True, slots=True)
class Axis:
    """Time to x."""

    since: int
    until: int

    def x(self, ts: int) -> float:
        """Where a time lies, clamped into the plot."""
        share = (ts - self.since) / max(1, self.until - self.since)
        return round(LEFT + _PLOT * min(max(share, 0.0), 1.0), 2)

    def box(self, since: int, until: int, kind: str, title: str) -> Box:
        """The box of a stretch of time, never too thin to see."""
        x = self.x(since)
        return Box(x, max(1.2, round(self.x(until) - x, 2)), kind, title)

    def ticks(self) -> tuple[tuple[float, str], ...]:
        """Round times, at most a dozen or so: `21:00`, or `10-10` where a day begins."""
        step = next((s for s in _STEPS_MS if (self.until - self.since) / s <= _MOST_TICKS), _STEPS_MS[-1])
        first = -(-self.since // step) * step
        texts = ((ts, clock(ts)) for ts in range(first, self.until + 1, step))
        return tuple((self.x(ts), text[5:10] if text.endswith(" 00:00") else text[11:16]) for ts, text in texts)


@dataclass(frozen=True, slots=True)
class Curve:
    """Values of a fact over time, None where missing; `percent` says how its scale is labelled."""

    name: str
    times: Sequence[int]
    values: Sequence[float | None]
    percent: bool = False
    down: bool = False


def chart(run: DryRun, program: Program, texts: OutputTexts, outputs: Sequence[str], curves: Sequence[Curve]) -> Chart:
    """The picture of a run: `curves` on top, then `outputs` over time, then the rules that bound."""
    axis = Axis(run.since, run.until)
    y, plots = 8.0, []
    for curve in curves:
        height = 130.0 if not curve.down else 80.0
        plots.append(_plot(curve, axis, y, y + height))
        y += height + 18
    modes = []
    for output in outputs:
        modes.append(_mode_lane(run, program, texts, output, axis, y))
        y += 30
    bound = [r for r in by_weight(run.rules) if r.bound]
    lanes_top = y + 20
    lanes = tuple(_rule_lane(r, axis, lanes_top + 6 + i * _LANE) for i, r in enumerate(bound[:_MOST_LANES]))
    height = lanes_top + 10 + len(lanes) * _LANE + 26
    legend = _legend(program, outputs[0]) if outputs else ()
    left_out = max(0, len(bound) - _MOST_LANES)
    tints = tuple(box for box in modes[0].boxes if box.kind in TINTED) if modes else ()
    return Chart(height, tuple(plots), tints, tuple(modes), lanes, lanes_top, axis.ticks(), legend, left_out)


# --- lanes -----------------------------------------------------------------------------------------------------------


def shade(program: Program, output: str, value: object) -> str:
    """The style of a value: `shade0` the strictest to `shade4` the loosest; numbers only tell loosest from the rest."""
    found = program.output(output)
    if isinstance(found.type, Levels) and isinstance(value, int):
        rank = value / max(1, len(found.type.members) - 1)
        strictness = rank if found.direction is Direction.DOWN else 1 - rank
        return f"shade{round(strictness * (SHADES - 1))}"
    return f"shade{SHADES - 1}" if value == found.starts else "shade1"


def _mode_lane(run: DryRun, program: Program, texts: OutputTexts, output: str, axis: Axis, y: float) -> Lane:
    boxes = []
    for held in run.courses[output].held:
        text = texts.text(output, held.value)
        title = f"{text}, {clock(held.since)} to {clock(held.until)} ({duration(held.duration)})"
        boxes.append(axis.box(held.since, held.until, shade(program, output, held.value), title))
    return Lane(output, y, tuple(boxes))


def _rule_lane(count: RuleCount, axis: Axis, y: float) -> Lane:
    kinds = {True: "observing" if count.observing else "definite", False: "missing"}
    boxes: list[Box] = []
    for run in _seen_apart(count.episodes, axis):
        certain = any(e.definite for e in run)
        spent = duration(sum(e.duration for e in run))
        title = f"{count.rule}, {clock(run[0].since)} to {clock(run[-1].until)} ({spent})"
        title += "" if len(run) == 1 else f", {len(run)} episodes"
        title += "" if certain else ", because a fact was missing"
        boxes.append(axis.box(run[0].since, run[-1].until, kinds[certain], title))
    return Lane(count.rule, y, tuple(boxes))


def _seen_apart(episodes: Sequence[Episode], axis: Axis) -> Iterator[list[Episode]]:
    """Episodes, those together that the eye cannot tell apart."""
    run: list[Episode] = []
    for episode in episodes:
        if run and axis.x(episode.since) - axis.x(run[-1].until) >= _APART:
            yield run
            run = []
        run.append(episode)
    if run:
        yield run


def _legend(program: Program, output: str) -> tuple[tuple[str, str], ...]:
    kind = program.output(output).type
    if not isinstance(kind, Levels):
        return ()
    return tuple((shade(program, output, rank), name) for rank, name in enumerate(kind.members))


# --- curves ----------------------------------------------------------------------------------------------------------


def _plot(curve: Curve, axis: Axis, top: float, bottom: float) -> Plot:
    known = [v for v in curve.values if v is not None]
    low, high = (min(known), max(known)) if known else (0.0, 1.0)
    if curve.down:
        low = 0.0
    span = (high - low) or 1.0

    def place(value: float) -> float:
        share = (value - low) / span
        return round(top + (bottom - top) * (share if curve.down else 1 - share), 2)

    lines, areas = [], []
    base = top if curve.down else bottom
    for piece in _pieces(curve):
        points = [f"{axis.x(ts)},{place(value)}" for ts, value in piece]
        lines.append("M" + " L".join(points))
        first, last = axis.x(piece[0][0]), axis.x(piece[-1][0])
        areas.append(f"M{first},{base} L" + " L".join(points) + f" L{last},{base} Z")
    labels = tuple((place(v), _label(v, curve.percent)) for v in (low, low + span / 2, high))
    return Plot(curve.name, "loss" if curve.down else "gain", top, bottom, " ".join(lines), " ".join(areas), labels)


def _label(value: float, percent: bool) -> str:
    if percent:
        return f"{100 * value:.1f}%"
    return f"{value:,.0f}" if abs(value) >= _WHOLE else f"{value:.4g}"


def _pieces(curve: Curve) -> Iterator[list[tuple[int, float]]]:
    """The curve between missing values, thinned."""
    piece: list[tuple[int, float]] = []
    for ts, value in zip(curve.times, curve.values, strict=True):
        if value is not None:
            piece.append((ts, value))
        elif piece:
            yield _thinned(piece, len(curve.times))
            piece = []
    if piece:
        yield _thinned(piece, len(curve.times))


def _thinned(points: list[tuple[int, float]], total: int) -> list[tuple[int, float]]:
    """Of each bucket of neighbours the first, the lowest, the highest and the last, so that no spike is lost."""
    size = max(1, total // (_MOST_POINTS // 2))
    if size <= 2:  # noqa: PLR2004 -- a bucket of two is its own lowest and highest
        return points
    out: list[tuple[int, float]] = []
    for start in range(0, len(points), size):
        bucket = points[start : start + size]
        ends = {bucket[0], bucket[-1], min(bucket, key=lambda p: p[1]), max(bucket, key=lambda p: p[1])}
        out += sorted(ends)
    return out
