"""Profit Amplification: what may be done with a position that wins, as the rules of `pal` see it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from evaluators.document_values import write_value
from evaluators.snapshot import Fields, Snapshot
from evaluators.staging import calm_snapshot
from modules.assembly import Supplied, assemble
from modules.facts import CATALOGUE
from modules.handed_over import HandedOver
from modules.inputs import Inputs
from modules.judge import Answer, Judge
from modules.position_intelligence import Classification, PositionIntelligenceLayer
from modules.supply import Supply

NO_ACTION = "NO_ACTION"
"""The answer where nothing is permitted."""

ORDER = ("TIGHTEN_STOP", "TAKE_PARTIAL", "ADD_SIZE", "TREND_EXIT", "EXTEND_HOLD")
"""Which of several permitted actions is named: what protects a profit before what adds to it, and what asks for more
proof before what asks for less. All that is permitted is in `Evaluation.permitted`."""

NO_FUND = "no state of the fund came along: judged as in ordinary times"

OF_POSITION = ("unrealized", "scaled", "notional", "original_notional")
"""The figures of a position that count as they are handed over; R, its peak and the category are PIL's."""

OF_BOOK = ("leverage", "liquidation_distance", "liquidation_probability_7d")
"""Figures of a position that rest on the whole book: as handed over, and in ordinary times where nothing is told of
the fund either."""

OF_SYMBOL = ("trend_t", "trend_t_short", "trend_strength", "variance_ratio", "volatility")
"""What may be handed over about the position's symbol, by the names in the catalogue."""

ANYBODY = tuple(sorted({f.owner for e in CATALOGUE.entities.values() for f in e.facts.values()}))


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What the rules permit for one position: the action that is named, and all that are, with their arguments.

    `because` is what each rule of the policy says that binds here, by id; `missing` what is not known of it, or why
    nothing was asked of the rules.
    """

    action: str
    permitted: Mapping[str, tuple[float, ...]]
    classification: Classification
    because: Mapping[str, str]
    missing: tuple[str, ...]


class ProfitAmplificationLayer:
    """Supplies that it runs, and no more: what may be done with a winner is for the rules, on facts of PIL and market.

    Switched off it supplies nothing, and amplification is OFF from the next snapshot on. It runs with every snapshot,
    so that the first one of a fund knows it too; what may be added is asked for every `adds_every` seconds.

    A position that is handed over is judged on what is handed over with it, and on nothing else: what is not there is
    missing, and adds need proof. Of the fund it is told nothing unless a snapshot comes along; without one the answer
    is that of ordinary times, the calm values of the catalogue. What looks back sees this one moment: in a fund at work
    its decisions say what is granted.
    """

    name: ClassVar[str] = "pal"
    policy: ClassVar[str | None] = "pal"
    port: ClassVar[int | None] = 8010
    interval: ClassVar[float] = 0
    owners: ClassVar[tuple[str, ...]] = ("PAL",)
    adds_every: ClassVar[float] = 60

    def __init__(self, pil: PositionIntelligenceLayer | None = None, judge: Judge | None = None) -> None:
        self._pil = pil or PositionIntelligenceLayer()
        self._judge = judge

    def compute(self, inputs: Inputs) -> Supply:
        """`fund.amplifier_on`: yes, for it runs."""
        del inputs
        return Supply({"fund.amplifier_on": True})

    def evaluate_position(self, position: Mapping[str, Any], fund: Snapshot | None = None) -> str:
        """The name of the action for a position, `NO_ACTION` where there is none."""
        return self.evaluate(position, fund).action

    def evaluate(self, position: Mapping[str, Any], fund: Snapshot | None = None) -> Evaluation:
        """What may be done with a position, `fund` being the snapshot of the fund that holds it.

        The words for a position are those of `HandedOver`; of its symbol it may bring the facts in `OF_SYMBOL`. Where
        the snapshot knows a fact of the symbol, that counts and not what was brought.
        """
        classification = self._pil.classify_position(position)
        key = classification.symbol or "position"
        snapshot, missing = _scene(key, position, classification, fund)
        if self._judge is None:
            self._judge = Judge()
        answer = self._judge.answer_to(snapshot)
        permitted = _permitted(answer, key)
        told = tuple(dict.fromkeys((*classification.reasons, *missing)))
        because = {rule: why for rule, why in answer.because.items() if rule.startswith(f"{self.policy}.")}
        return Evaluation(choose(permitted), permitted, classification, because, told)


def choose(permitted: Iterable[str]) -> str:
    """The action that is named of those permitted, by `ORDER`; `NO_ACTION` for none."""
    there = set(permitted)
    return next((action for action in ORDER if action in there), NO_ACTION)


def _permitted(answer: Answer, key: str) -> dict[str, tuple[float, ...]]:
    granted = answer.of("pal.actions", key) or {}
    return {action: tuple(granted[action]) for action in ORDER if action in granted}


def _scene(
    key: str, position: Mapping[str, Any], found: Classification, fund: Snapshot | None
) -> tuple[Snapshot, tuple[str, ...]]:
    """The fund with this position alone in it, and why facts of the position are missing."""
    told = HandedOver(position)
    ordinary = {name: _calm(f"position.{name}") for name in OF_BOOK} if fund is None else {}
    row: dict[str, Any] = (
        ordinary
        | {
            "symbol": told.symbol,
            "side": told.side,
            "r_multiple": found.r_multiple,
            "peak_r": found.peak_r,
            "drawdown_from_peak": found.drawdown_from_peak,
            "category": found.category if found.is_known else None,
        }
        | {name: told.figures[name] for name in (*OF_POSITION, *OF_BOOK) if name in told.figures}
    )
    of_symbol = {name: position[name] for name in OF_SYMBOL if position.get(name) is not None}
    rows = {"position": {key: row}, "symbol": {told.symbol: of_symbol} if told.symbol is not None else {}}
    scene = fund if fund is not None else calm_snapshot(CATALOGUE)
    made = assemble(scene.book, scene.ts, [Supplied("the caller", ANYBODY, scene.ts, Supply(rows=rows))])
    symbols = {name: _over(fields, scene, name) for name, fields in (made.snapshot.collection("symbol") or {}).items()}
    others = scene.collection("symbol") or {}
    whole = {
        **scene.rows,
        "position": made.snapshot.collection("position"),
        "symbol": {**others, **symbols},
        "request": {},
    }
    own = [why for path, why in sorted(made.reasons.items()) if path.startswith(("position[", "symbol["))]
    return replace(scene, rows=whole, events={}, past=None), tuple(own if fund is not None else [*own, NO_FUND])


def _calm(path: str) -> Any:
    """The calm value of a fact, in document units."""
    fact = CATALOGUE.fact(path)
    return None if fact is None or fact.calm is None else write_value(fact.type, fact.calm)


def _over(brought: Fields, scene: Snapshot, symbol: str) -> Fields:
    """The facts of a symbol: the snapshot's where it knows them, else what was brought."""
    known = (scene.collection("symbol") or {}).get(symbol, {})
    return {**brought, **{name: value for name, value in known.items() if value is not None}}
