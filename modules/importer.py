"""Recorded files into a recording: each file is known by its content, everything is checked before anything is kept.

Besides the recording, its directory then holds `recorded.jsonl`: what the predecessor's own policy decided, where the
files tell. Refusals: RF809 where files do not go together, and those of the feeds and of recordings.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from evaluators.recording import RecordingWriter
from evaluators.refusals import refusal
from evaluators.timestamps import format_time
from modules.facts import CATALOGUE
from modules.feeds import (
    Content,
    SymbolRecord,
    content_of,
    read_candles,
    read_observations,
    read_signals,
    read_symbol_records,
    read_trades,
)
from modules.feeds.candles import Candles
from modules.fund_state import OnProgress, Surroundings, fund_state, quiet
from modules.operations import operations
from modules.recorded_state import Verdict, observation_state, signal_state, trade_state
from modules.state_columns import StateColumns

RECORDED = "recorded.jsonl"


@dataclass(frozen=True, slots=True)
class BookSummary:
    """What was imported of one book: snapshots, rows by entity, why facts are missing, and when (ms) resets show."""

    snapshots: int
    rows: Mapping[str, int]
    gaps: Mapping[str, str]
    resets: Sequence[int] = ()


@dataclass(frozen=True, slots=True)
class ImportSummary:
    """What an import made: the recording, its books by name, and how many recorded verdicts lie beside it."""

    path: Path
    books: Mapping[str, BookSummary]
    verdicts: int


def import_files(
    paths: Sequence[str | Path],
    to: str | Path,
    *,
    resets: Sequence[int] = (),
    overwrite: bool = False,
    on_progress: OnProgress = quiet,
) -> ImportSummary:
    """Import files into a new recording at `to`, which appears whole or not at all.

    Candles become a paper fund, an hour or minute a snapshot; signals and policy observations become requests and
    states; trades become events. The declared cadence is that of the candles, which must all have one, else that of
    recorded events. `resets` are times (ms) at which a person re-armed the emergency stop, which candles do not tell:
    the next snapshot of each paper fund that was there then shows it. `on_progress` is told of files read, bars lived
    through and books written.

    Raises PolicyError: RF801 to RF808 for the files, RF809 for files that do not go together and for a reset when there
    was no paper fund, RF742 to RF748 for the recording.
    """
    files = [Path(p) for p in paths]
    if not files:
        raise refusal("RF809", "no file was given to import", "name at least one file")
    states, verdicts = _states(files, resets, on_progress)
    _refuse_stray_resets(resets, states)
    writer = RecordingWriter(
        to, CATALOGUE, cadence_ms=_cadence(states), overwrite=overwrite, source=", ".join(f.name for f in files)
    )
    with writer:
        for i, state in enumerate(states):
            on_progress(i, len(states), f"writing {state.book}")
            state.write(writer, CATALOGUE)
        on_progress(len(states), len(states), "closing the recording")
    _keep_verdicts(Path(to), verdicts)
    return ImportSummary(Path(to), {s.book: _summary(s) for s in states}, len(verdicts))


def read_verdicts(recording: str | Path) -> tuple[Verdict, ...]:
    """What was decided when the files of a recording were made, in their order; none if they do not tell."""
    path = Path(recording) / RECORDED
    if not path.exists():
        return ()
    return tuple(Verdict(**json.loads(line)) for line in path.read_text(encoding="utf-8").splitlines())


def _states(
    files: Sequence[Path], resets: Sequence[int], on_progress: OnProgress
) -> tuple[list[StateColumns], list[Verdict]]:
    by_content: dict[Content, list[Path]] = {}
    for path in files:
        by_content.setdefault(content_of(path), []).append(path)
    records = _records(by_content)
    states: list[StateColumns] = []
    verdicts: list[Verdict] = []
    done = 0
    for content, paths in by_content.items():
        for path in paths:
            on_progress(done, len(files), f"reading {path.name}")
            found, said = _read(content, path, records, resets, on_progress)
            states += found
            verdicts += said
            done += 1
    _refuse_clashes(states)
    return states, verdicts


def _read(
    content: Content,
    path: Path,
    records: Mapping[str, SymbolRecord] | None,
    resets: Sequence[int],
    on_progress: OnProgress,
) -> tuple[Iterable[StateColumns], Iterable[Verdict]]:
    match content:
        case Content.CANDLES:
            return [_paper_fund(c, resets, on_progress) for c in read_candles(path)], ()
        case Content.TRADES:
            return map(trade_state, read_trades(path)), ()
        case Content.SIGNALS:
            state, said = signal_state(read_signals(path), records)
            return [state], said
        case Content.OBSERVATIONS:
            state, said = observation_state(read_observations(path))
            return [state], said
        case Content.SYMBOL_RECORDS:
            return (), ()


def _paper_fund(candles: Candles, resets: Sequence[int], on_progress: OnProgress) -> StateColumns:
    here = [at for at in resets if candles.opened[0] <= at <= candles.closed[-1]]
    ran = operations(candles.closed, resets=here)
    return fund_state(candles, around=Surroundings(machinery=ran), on_progress=on_progress)


def _records(by_content: Mapping[Content, list[Path]]) -> Mapping[str, SymbolRecord] | None:
    paths = by_content.get(Content.SYMBOL_RECORDS, [])
    if not paths:
        return None
    if Content.SIGNALS not in by_content:
        message = f"`{paths[0].name}` holds symbol records, which mean nothing without signals"
        raise refusal("RF809", message, "import them together with the signals they belong to")
    return {symbol: record for path in paths for symbol, record in read_symbol_records(path).items()}


def _refuse_clashes(states: Sequence[StateColumns]) -> None:
    seen: set[str] = set()
    for state in states:
        if state.book in seen:
            message = f"two of the files hold a book `{state.book}`"
            raise refusal("RF809", message, "import them into recordings of their own")
        seen.add(state.book)


def _refuse_stray_resets(resets: Sequence[int], states: Sequence[StateColumns]) -> None:
    funds = [s for s in states if _is_paper_fund(s)]
    spans = [(s.book, int(s.ts[0]) - s.cadence_ms, int(s.ts[-1])) for s in funds]
    for at in sorted(resets):
        if not any(since <= at <= until for _, since, until in spans):
            message = f"the reset of {format_time(at)} is of no paper fund"
            listed = "; ".join(f"`{b}` is there from {format_time(s)} to {format_time(u)}" for b, s, u in spans)
            raise refusal("RF809", message, listed or "only candles become a paper fund, and no file holds any")


def _is_paper_fund(state: StateColumns) -> bool:
    return "position" in state.entities


def _cadence(states: Sequence[StateColumns]) -> int:
    """The cadence of the candles, if there are any: they alone are regular."""
    of_candles = sorted({s.cadence_ms for s in states if _is_paper_fund(s)})
    if len(of_candles) > 1:
        listed = " and ".join(f"{ms // 1000} s" for ms in of_candles)
        message = f"candles of {listed} cannot share a recording, which has one cadence"
        raise refusal("RF809", message, "import them into recordings of their own")
    return of_candles[0] if of_candles else max(s.cadence_ms for s in states)


def _keep_verdicts(recording: Path, verdicts: Sequence[Verdict]) -> None:
    if not verdicts:
        return
    partial = recording / f".{RECORDED}.partial"
    partial.write_text("".join(json.dumps(asdict(v)) + "\n" for v in verdicts), encoding="utf-8")
    partial.rename(recording / RECORDED)


def _summary(state: StateColumns) -> BookSummary:
    rows = {name: len(columns.keys) for name, columns in sorted(state.entities.items())}
    pressed = state.single.get("operator.reset_requested", ())
    resets = [at for at, is_pressed in zip(state.ts.tolist(), pressed, strict=False) if is_pressed]
    return BookSummary(len(state.ts), rows, state.gaps, resets)
