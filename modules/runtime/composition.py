"""A whole fund put together: store, ledger, controls, orders, modules and rules, in one folder that outlives a process.

What a folder holds is what a fund knows after a restart: its snapshots and decisions, so its latches; how positions
began; what people asked for; and what it means to order. One process has a folder open at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic

import structlog

from evaluators.snapshot import Snapshot
from evaluators.store import Store
from evaluators.timelines import DEFAULT_MAX_GAP
from modules.facts import CATALOGUE
from modules.feeds.candles import Candles
from modules.feeds.history import HourlyHistory
from modules.inputs import Inputs, ModelRecord, Request
from modules.judge import Answer
from modules.learning.learning import Learning
from modules.learning.training import Training
from modules.runtime.actions import Actions
from modules.runtime.asked_before import asked_before
from modules.runtime.controls import Controls
from modules.runtime.fund import Fund
from modules.runtime.ledger import Ledger
from modules.runtime.roster import roster
from modules.runtime.runner import DEFAULT_PATIENCE, Runner
from modules.runtime.switchboard import Switchboard, in_modes
from modules.runtime.switches import Switches, flags_of
from modules.runtime.venue_world import LONGEST, VenueWorld, budget
from modules.smart_execution import Decide, SmartExecution
from modules.venues import desk
from modules.venues.allowance import Allowance, allowing
from modules.venues.journal import JournalError
from modules.venues.venue import Venue
from policy_dsl.bundle import Bundle

log = structlog.get_logger()

STORE, LEDGER, CONTROLS, INTENTS = "fund.duckdb", "ledger.jsonl", "controls.jsonl", "intents.jsonl"
"""The files of a fund in its folder."""

MODELS = "models"
"""The folder of its prediction models, in its own."""


@dataclass(frozen=True, slots=True)
class Composed:
    """A fund and its parts. `close` it, and what was acknowledged is in its folder."""

    fund: Fund
    controls: Controls
    ledger: Ledger
    actions: Actions
    execution: SmartExecution
    runner: Runner
    store: Store
    switchboard: Switchboard
    learning: Learning | None
    _open: ExitStack = field(repr=False)

    def close(self) -> None:
        """Let go of every file and thread. The venue is whoever's who made it."""
        self._open.close()

    def recover(self) -> None:
        """Ask the venue again about orders of which nobody knows what became; the next snapshot tells the ledger."""
        _recover(self.execution)


def compose(  # noqa: PLR0913 -- the parts of a fund, each by its name
    venue: Venue,
    folder: Path | None,
    bundle: Bundle,
    *,
    switches: Switches | None = None,
    candles: Callable[[int], Candles | None] | None = None,
    models: Callable[[int], Mapping[str, ModelRecord]] = lambda _: {},
    learns: bool = False,
    book: str = "main",
    patience: float | None = DEFAULT_PATIENCE,
    behind: float | None = None,
    max_gap: int = DEFAULT_MAX_GAP,
    orders: desk.Patience | None = None,
) -> Composed:
    """The fund of `book` at `venue` under `bundle`, as it was when its folder was last used; None: kept in memory.

    Without `candles` the hours come from the venue. `switches` are those of the environment, which stand over the flags
    and modes of the bundle. `patience` (seconds; None: any time) is for modules and `orders` for orders; modules whose
    interval is longer than `behind` seconds run beside the snapshots. `max_gap` (ms) is the longest distance of two
    snapshots that is no gap. One that `learns` has prediction models of its own in its folder, trained and exchanged as
    the rules permit; `models` are those of somebody else. Orders that an earlier process left behind are settled first.

    Raises PolicyError for a folder in use or damaged, and for switches or modes that do not suit the rules;
    JournalError for a damaged journal; NotPermitted for a live venue without a folder.
    """
    with ExitStack() as opened:
        store = _store(opened, folder, book)
        controls = Controls(_path(folder, CONTROLS))
        opened.callback(controls.close)
        ledger = _ledger(opened, folder, store.latest(book), max_gap)
        board = _board(controls, switches or Switches(), bundle)

        def decide(key: str, request: Request) -> Answer:
            newest = store.latest(book)
            ts = execution.clock() if newest is None else max(execution.clock(), newest.ts + 1)
            return fund.step(ts, {key: request}).answer

        def told() -> Answer | None:
            return None if fund.last is None else fund.last.answer

        execution = _execution(opened, venue, folder, decide, orders, controls)
        runner = Runner(roster(execution, controls, told), is_on=board.is_on, patience=patience, behind=behind)
        opened.callback(runner.close)
        if candles is None:
            candles = HourlyHistory(venue, always=lambda: tuple(ledger.lots), behind=behind is not None)
            opened.callback(candles.close)
        learning = _learning(opened, folder, candles) if learns else None
        models = models if learning is None else learning.records
        actions = Actions(venue, execution, ledger, lambda: fund.bundle, max_gap)
        world = VenueWorld(
            venue, ledger, controls, book, candles, actions.ended, models, _obeyed(actions, learning), actions.refused,
            actions.wanted, execution.intents.ticket_of, actions.unsure, asked_before(store, book), budget(max_gap),
        )  # fmt: skip
        made = in_modes(bundle, board.switches)
        fund = Fund(store, made, runner, world, max_gap, book, outcomes=actions.outcomes)
        board.prepare = lambda now: fund.prepared(in_modes(bundle, now))
        _catch_up(execution, ledger)
        return Composed(fund, controls, ledger, actions, execution, runner, store, board, learning, opened.pop_all())


def _store(opened: ExitStack, folder: Path | None, book: str) -> Store:
    """The store of a fund.

    Raises JournalError where it has snapshots and a file is gone that was there before the first of them: a fund that
    began it anew would have forgotten a stop, a hand, the peak of its equity, or what it has ordered.
    """
    store = opened.enter_context(Store(_path(folder, STORE) or ":memory:", CATALOGUE))
    if folder is None:
        return store
    gone = [str(folder / name) for name in (CONTROLS, LEDGER, INTENTS) if not (folder / name).exists()]
    if store.latest(book) is not None and gone:
        raise JournalError(f"`{gone[0]}` is gone, and `{STORE}` beside it has snapshots of the fund")
    if store.latest(book) is None and not gone and any((folder / name).stat().st_size for name in (LEDGER, INTENTS)):
        log.warning("the store is empty: what was latched, and what lasted for how long, counts from now", book=book)
    return store


def _ledger(opened: ExitStack, folder: Path | None, newest: Snapshot | None, max_gap: int) -> Ledger:
    """The ledger of a fund. Raises JournalError where it is empty and the newest snapshot knows the account.

    The ledger is written before the snapshot is stored, so that it is one snapshot ahead at most, unless the disk was
    full, or what the store had not yet taken over from its `.wal` has gone.
    """
    ledger = Ledger(_path(folder, LEDGER))
    opened.callback(ledger.close)
    if newest is None or folder is None:
        return ledger
    if ledger.own_balance is None and newest.facts.get("account.equity") is not None:
        raise JournalError(f"`{ledger.path}` is empty, and `{STORE}` beside it knows the fund's account")
    if ledger.seen_at - newest.ts > max_gap:
        behind = (ledger.seen_at - newest.ts) // 1000
        log.warning("the store is behind the ledger: snapshots failed, or are gone", book=newest.book, seconds=behind)
    return ledger


def _execution(
    opened: ExitStack,
    venue: Venue,
    folder: Path | None,
    decide: Decide,
    orders: desk.Patience | None,
    controls: Controls,
) -> SmartExecution:
    """The way of orders to the venue, on which new risk ends once somebody asks for the stop."""
    intents, stop = _path(folder, INTENTS), controls.stop_requested
    made = SmartExecution(venue, decide=decide, intents=intents, patience=orders, stop_requested=stop)
    opened.callback(made.intents.close)
    return made


def _catch_up(execution: SmartExecution, ledger: Ledger) -> None:
    """Make the log of intents and the ledger smaller, and settle the orders of an earlier process.

    The log first: the ledger forgets only names of which the log tells no longer. What the disk does not take goes on
    as it is.
    """
    try:
        execution.intents.compact(ledger.told, {symbol: lot.opened for symbol, lot in ledger.lots.items()})
        ledger.compact(execution.intents.client_ids)
    except OSError as error:
        log.warning("a log was not made smaller", error=str(error))
    _recover(execution)


def _recover(execution: SmartExecution) -> None:
    """Settle orders of which nobody knows what became, as far as the venue tells in the time of one snapshot's."""
    with allowing(Allowance(monotonic() + LONGEST)):
        execution.recover()


def _board(controls: Controls, switches: Switches, bundle: Bundle) -> Switchboard:
    """The switches of the environment over those of the bundle, and of people over both."""
    return Switchboard(
        controls, switches.over(flags_of(bundle.configuration)), policies=[policy.name for policy in bundle.policies]
    )


def _learning(opened: ExitStack, folder: Path | None, candles: Callable[[int], Candles | None]) -> Learning | None:
    """The fund's own models in its folder; None for a fund without one."""
    if folder is None:
        return None
    made = Learning.opened(folder / MODELS, candles)
    opened.callback(made.close)
    return made


def _obeyed(actions: Actions, learning: Learning | None) -> Callable[[Answer, Inputs], None]:
    """Does what was decided: first at the venue, then to the models."""
    if learning is None:
        return actions.obey
    training = Training(learning)

    def obey(answer: Answer, inputs: Inputs) -> None:
        try:
            actions.obey(answer, inputs)
        finally:
            training.obey(answer, inputs)

    return obey


def _path(folder: Path | None, name: str) -> Path | None:
    """Where a file of the fund is; None where it is kept in memory. The folder is made."""
    if folder is None:
        return None
    folder.mkdir(parents=True, exist_ok=True)
    return folder / name
