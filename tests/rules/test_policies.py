"""The default policies: their outputs, their tests, calm times, and how they stand to each other."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from evaluators.testing import CaseResult, judges, run_cases
from modules.facts import CATALOGUE
from modules.judge import RULES
from policy_dsl.bundle import Bundle
from policy_dsl.case_times import number_of_snapshots
from policy_dsl.cases import Case
from policy_dsl.diagnostics import Findings, PolicyError, Severity, Source
from policy_dsl.formatter import format_source
from policy_dsl.literals import write
from policy_dsl.nodes import Compare, Constant
from policy_dsl.program import Output, Param, Rule, items_of
from policy_dsl.quantities import Unit
from policy_dsl.types import Flag, Levels, Quantity
from policy_dsl.walking import walk
from tests.rules.decisions import ASKING, WINNER, configured, decide, default_bundle, outputs, state

OUTPUTS = """
aelm.max_participation: ratio in 0% to 10% starts 5%, down
aelm.max_slippage for each request: ratio in 0% to 5% starts 1%, down
aelm.order_type for each request: LIMIT < IOC < MARKET starts MARKET, down
ess.actions: set of CANCEL_ORDERS, FLATTEN
ess.state: HALTED < ARMED starts ARMED, down, latches
healing.actions for each service: set of RESTART, RECONNECT, CLEAR_CACHE
healing.stance: DEFENSIVE < NORMAL starts NORMAL, down, relaxes after 10m
hfos.risk_mode: SAFE < DEFENSIVE < CAUTIOUS < NORMAL < AGGRESSIVE starts AGGRESSIVE, down, relaxes after 30m
locks.entries for each symbol: LOCKED < OPEN starts OPEN, down
locks.fund_entries: LOCKED < OPEN starts OPEN, down
locks.longs for each symbol: LOCKED < OPEN starts OPEN, down
locks.recovery: WAITING < DONE starts DONE, down, latches
locks.shorts for each symbol: LOCKED < OPEN starts OPEN, down
math.max_leverage for each request: leverage in 1x to 50x starts 20x, down
math.max_notional for each request: money in 0 USD to 10_000_000_000 USD starts 10_000_000_000 USD, down
msc.min_votes: count in 1 to 4 starts 1, up
msc.posture: DEFENSIVE < NORMAL < AGGRESSIVE starts AGGRESSIVE, down, relaxes after 40m
orchestrator.allow_trades: flag starts yes, down, relaxes after 10m
orchestrator.entry_mode: DEFENSIVE < NORMAL < AGGRESSIVE starts AGGRESSIVE, down
orchestrator.exit_mode: DEFENSIVE_TRAIL < FAST_TP < TREND_FOLLOW starts TREND_FOLLOW, down
orchestrator.max_positions: count in 0 to 20 starts 8, down
orchestrator.max_risk: ratio in 0% to 5% starts 1%, down
orchestrator.min_confidence: ratio in 0% to 100% starts 50%, up
orchestrator.risk_profile: NO_NEW_TRADES < REDUCED < NORMAL starts NORMAL, down
pal.actions for each position: set of ADD_SIZE, TIGHTEN_STOP, EXTEND_HOLD, TAKE_PARTIAL, TREND_EXIT
pal.amplification: OFF < ON starts ON, down
pal.max_scale for each position: ratio in 0% to 50% starts 50%, down
pal.trend for each position: WEAK < STRONG starts STRONG, down, relaxes after 15m
pba.actions for each position: set of REDUCE, CLOSE, CUT_LEVERAGE
pba.max_exposure: ratio in 0% to 100% starts 80%, down
pba.max_leverage: leverage in 1x to 50x starts 20x, down
pba.posture: SHRINK < HOLD < GROW starts GROW, down, relaxes after 15m
ranker.max_rank: count in 0 to 20 starts 20, down
retraining.actions for each model: set of RETRAIN, CANARY, DEPLOY, WITHDRAW, ROLLBACK
retraining.priority for each model: NONE < LOW < MEDIUM < HIGH < URGENT starts NONE, up
supervisor.trust for each model: BLOCKED < REDUCED < FULL starts FULL, down, relaxes after 1h
universe.entries for each symbol: CLOSED < OPEN starts OPEN, down, relaxes after 30m
universe.max_symbols: count in 1 to 500 starts 200, down
universe.min_tier: BLACKLIST < CONDITIONAL < EXPANSION < CORE starts CONDITIONAL, up
verdict for each request: DENY < ALLOW starts ALLOW, down
"""

FIGURES_OF_THE_PLAN = {
    "ess.max_drawdown": "5%",
    "ess.max_error_rate": "10/min",
    "ess.max_losing_streak": "5",
    "hfos.crash_confidence": "70%",
    "hfos.crash_exposure": "50%",
    "hfos.defensive_drawdown": "3%",
    "pal.add_size": "25%",
    "pal.min_r": "1.5R",
    "pal.most_added": "50%",
    "pba.sector_limit": "40%",
    "pba.total_limit": "80%",
}

# Each is at most the next one: the nearer step bites first, and a part is never allowed more than the whole.
LADDERS = (
    ("hfos.calm_drawdown", "hfos.defensive_drawdown", "ess.max_drawdown"),
    ("hfos.crash_drawdown", "ess.max_drawdown"),
    ("hfos.defensive_drawdown", "locks.drawdown_limit", "ess.max_drawdown"),
    ("orchestrator.pause", "orchestrator.settle", "hfos.calm_hold"),
    ("orchestrator.daily_loss_limit", "ess.max_drawdown"),
    ("orchestrator.streak_limit", "ess.max_losing_streak"),
    ("healing.least_failures", "ess.max_error_rate"),
    ("orchestrator.base_confidence", "hfos.crash_confidence"),
    ("hfos.crash_leverage", "hfos.defensive_leverage", "pba.leverage_limit"),
    ("pba.book_leverage_limit", "pba.leverage_limit"),
    ("hfos.crash_positions", "hfos.defensive_positions", "orchestrator.open_positions_limit"),
    ("pba.correlated_count", "orchestrator.open_positions_limit"),
    ("hfos.crash_exposure", "pba.total_limit"),
    ("pba.min_liquidation_distance", "pretrade.min_liquidation_distance"),
    ("pba.symbol_limit", "pba.sector_limit", "pba.correlated_limit", "pba.total_limit"),
    ("orchestrator.base_risk", "pba.risk_limit"),
    ("pal.add_size", "pal.most_added"),
    ("pal.careful_added", "pal.most_added"),
    ("pal.partial_r", "pal.partial_peak"),
    ("pal.partial_share", "pal.still_whole"),
    ("hfos.defensive_symbols", "universe.most_symbols"),
)


def described(output: Output) -> str:
    """The declaration of an output in one line, with how it lets go: what it latches until is told elsewhere."""
    kind = output.type
    head = output.id + (f" for each {output.entity}" if output.entity else "")
    if items_of(output):
        return f"{head}: set of {', '.join(items_of(output))}"
    assert output.direction is not None
    assert output.starts is not None
    tail = f", {output.direction.value}"
    if output.relaxes_after is not None:
        tail += f", relaxes after {write(output.relaxes_after, Unit.DURATION)}"
    if output.latches_until is not None:
        tail += ", latches"
    if isinstance(kind, Levels):
        return f"{head}: {' < '.join(kind.members)} starts {kind.members[int(output.starts)]}{tail}"
    if isinstance(kind, Flag):
        return f"{head}: flag starts {'yes' if output.starts else 'no'}{tail}"
    assert isinstance(kind, Quantity)
    assert output.low is not None
    assert output.high is not None
    low, high, starts = (write(int(v), kind.unit) for v in (output.low, output.high, output.starts))
    return f"{head}: {kind.unit.value} in {low} to {high} starts {starts}{tail}"


def params() -> dict[str, Param]:
    return {p.id: p for p in default_bundle().written.params}


def as_written(param: Param) -> str:
    assert isinstance(param.type, Quantity)
    return write(int(param.value), param.type.unit)


# --- the files --------------------------------------------------------------------------------------------------------


def test_the_files_have_neither_errors_nor_warnings() -> None:
    assert [d for d in default_bundle().diagnostics if d.severity is not Severity.NOTE] == []


@pytest.mark.parametrize("path", sorted(RULES.glob("*.rules")), ids=lambda p: p.stem)
def test_a_file_is_in_the_one_layout_and_holds_the_policy_of_its_name(path: object) -> None:
    file = next(p for p in RULES.glob("*.rules") if p == path)
    text = file.read_text(encoding="utf-8")
    assert format_source(Source(file.name, text), Findings()) == text
    assert text.startswith(f"policy {file.stem} version ")


def test_every_output_is_what_programs_expect() -> None:
    expected = OUTPUTS.strip().splitlines()
    assert sorted(described(o) for o in default_bundle().program.outputs) == expected


def test_the_tests_in_the_files_hold_as_they_are_decided() -> None:
    assert _failed(default_bundle(), "python", "duckdb") == []


FEW = 20
"""By definition a snapshot takes long to decide; tests of more of them, and most rows, are for `make test-long`."""


def test_the_short_tests_in_the_files_hold_by_definition_in_every_third_row() -> None:
    bundle = default_bundle()
    short = [replace(c, variants=c.variants[::3]) for c in bundle.cases if _longest(c) <= FEW]
    assert any(c.timed for c in short)
    assert _failed(replace(bundle, cases=tuple(short)), "interpreter") == []


@pytest.mark.slow
def test_the_tests_in_the_files_hold_by_definition() -> None:
    assert _failed(default_bundle(), "interpreter") == []


def _longest(case: Case) -> int:
    """The snapshots of the longest row."""
    return max(number_of_snapshots(variant, case.cadence) for variant in case.variants)


def _failed(bundle: Bundle, *evaluators: str) -> list[str]:
    """The tests of a bundle that fail in these evaluators; there are some, and each is run."""
    results = list(run_cases(bundle, CATALOGUE, judges(evaluators)))
    assert len(results) == len(bundle.cases) > 0
    return [_told(r) for r in results if not r.passed]


def _told(result: CaseResult) -> str:
    where = ", ".join(sorted({f"{f.evaluator} row {f.variant}" for f in result.failures}))
    return f"{result.case.policy}: {result.case.name} ({where})"


# --- figures ----------------------------------------------------------------------------------------------------------


def test_the_plans_figures_stand_as_they_are() -> None:
    assert {name: as_written(params()[name]) for name in FIGURES_OF_THE_PLAN} == FIGURES_OF_THE_PLAN


def test_every_figure_has_a_range() -> None:
    assert [p.id for p in params().values() if p.low is None or p.high is None] == []


@pytest.mark.parametrize("ladder", LADDERS, ids=" <= ".join)
def test_limits_do_not_contradict_each_other(ladder: tuple[str, ...]) -> None:
    values = [int(params()[name].value) for name in ladder]
    assert values == sorted(values)


def test_a_limit_is_compared_by_its_name() -> None:
    assert [f"{rule.id}: {value}" for rule in default_bundle().program.rules for value in _bare_limits(rule)] == []


def _bare_limits(rule: Rule) -> Iterator[object]:
    """Figures without a name that facts are compared with; nothing is a limit that needs none."""
    for node in walk(rule.guard):
        if isinstance(node, Compare) and isinstance(node.left.type, Quantity):
            found = (n for side in (node.left, node.right) for n in walk(side) if isinstance(n, Constant))
            yield from (n.value for n in found if isinstance(n.type, Quantity) and n.name is None and n.value != 0)


# --- calm times -------------------------------------------------------------------------------------------------------

# What fires in calm times, and all that it does: the mode is NORMAL, entries are not bold, and nobody has chosen that
# positions may be closed at a stop.
CALM_FIRINGS = {
    "aelm.not_urgent",
    "aelm.slippage_of_new_risk",
    "ess.flatten_by_choice",
    "hfos.ordinary_times",
    "msc.ordinary_market",
    "orchestrator.no_trend",
}
CALM_VALUES = {"hfos.risk_mode": "NORMAL", "msc.posture": "NORMAL", "orchestrator.entry_mode": "NORMAL"}


def test_in_calm_times_nothing_binds_but_ordinary_caution() -> None:
    snapshot = state(ASKING)
    assert {f.rule for f in decide(snapshot).firings} == CALM_FIRINGS
    program = default_bundle().program
    found = decide(snapshot).outputs
    moved = {o.id for o in program.outputs if o.entity is None and o.direction and found[o.id] != o.starts}
    assert moved == set(CALM_VALUES)
    shown_as = outputs(ASKING)
    assert {name: shown_as[name] for name in CALM_VALUES} == CALM_VALUES
    assert shown_as["verdict"] == {"r1": "ALLOW"}


def test_calm_positions_are_left_alone() -> None:
    found = outputs({"position": {"p1": {}}, "symbol": {"BTCUSDT": {}}, "sector": {"L1": {}}, "service": {"feed": {}}})
    assert found["pal.actions"] == found["pba.actions"] == {"p1": {}}
    assert found["healing.actions"] == {"feed": {}}


# --- what is granted, with its figures --------------------------------------------------------------------------------


def test_an_add_is_a_quarter_of_the_original_size() -> None:
    assert outputs(WINNER)["pal.actions"] == {"p1": {"ADD_SIZE": [0.25], "EXTEND_HOLD": [], "TREND_EXIT": [1.0]}}


def test_a_partial_profit_is_half_of_the_position() -> None:
    document = {"position": {"p1": {"r_multiple": 2.5, "peak_r": 3.0}}, "symbol": {"BTCUSDT": {}}}
    assert outputs(document)["pal.actions"] == {"p1": {"TAKE_PARTIAL": [0.5]}}


@pytest.mark.parametrize(
    "document",
    [
        {"account": {"gross_exposure": 0.81}},
        {"account": {"risk": 0.16}},
        {"sector": {"L1": {"exposure_share": 0.41}}},
        {"account": {"gross_exposure": 0.51}, "market": {"turbulence": 0.995, "breadth": 0.05}},
    ],
    ids=["book", "risk", "sector", "crash"],
)
def test_what_is_too_large_is_trimmed_by_a_quarter_at_a_time(document: dict[str, object]) -> None:
    found = outputs({"position": {"p1": {}}, "symbol": {"BTCUSDT": {}}} | document)
    assert found["pba.actions"] == {"p1": {"REDUCE": [0.25]}}


# --- how policies stand to each other ---------------------------------------------------------------------------------


def test_everything_but_the_trust_in_models_is_enforced_out_of_the_box() -> None:
    made = default_bundle()
    assert {r.policy for r in made.program.rules if r.observing} == {"supervisor"}
    assert made.program.enforced().rules == tuple(r for r in made.written.rules if r.policy != "supervisor")


def test_a_watched_balancer_says_what_it_would_do_and_binds_nothing() -> None:
    program = configured('[modes]\npba = "observe"').program
    asking = {**ASKING, "request": {"r1": {"sector_share_after": 0.41}}}
    decision = decide(state(asking), program)
    assert decision.outputs["verdict"] == {"r1": 1}
    assert decision.would_be["verdict"] == {"r1": 0}
    assert [f.rule for f in decision.observed] == ["pba.sector_concentration"]


def test_the_emergency_stop_needs_no_other_policy() -> None:
    others = [p.name for p in default_bundle().policies if p.name != "ess"]
    program = configured("[modes]\n" + "\n".join(f'{name} = "off"' for name in others)).program
    found = outputs({**ASKING, "account": {"drawdown": 0.06}}, program=program)
    assert found["ess.state"] == "HALTED"
    assert found["verdict"] == {"r1": "DENY"}


def test_no_deployment_may_add_more_than_the_plan_allows() -> None:
    with pytest.raises(PolicyError, match=r"60% is outside 5% to 50%"):
        configured('[params]\n"pal.most_added" = "60%"')
