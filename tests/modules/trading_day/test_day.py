"""A fund lives through a short day: what goes wrong is met as the rules say, and always in the same way."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
import structlog

from evaluators.explanation import reasons
from evaluators.snapshot import Snapshot
from evaluators.store import Store
from evaluators.telling import Teller
from modules.facts import CATALOGUE
from modules.judge import packaged_bundle
from modules.trading_day.arms import Arm, rules_of
from modules.trading_day.batches import AT_ONCE, BatchedStore
from modules.trading_day.brief import binding
from modules.trading_day.day import Plan, Run, live, looks_of, plan
from modules.trading_day.days import Wanted, lived_days
from modules.trading_day.growth import Growth
from modules.trading_day.lived import Lived, LivedDay, Stage
from modules.trading_day.shared import SharedModules
from modules.trading_day.timeline import repairs, timeline
from policy_dsl.bundle import Bundle
from tests.modules.trading_day.made_days import MIDNIGHT, TROUBLES, at, day

MINUTES = 45


@pytest.fixture(scope="module", autouse=True)
def quiet() -> None:
    """Without what a fund logs of an outage."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return packaged_bundle()


@pytest.fixture(scope="module")
def short() -> Plan:
    return plan(9, MIDNIGHT, TROUBLES)


@pytest.fixture(scope="module")
def lived(short: Plan, bundle: Bundle) -> Lived:
    return live(short, Arm.ALL, bundle, minutes=MINUTES)


def test_the_fund_looks_closer_where_something_is_wrong(short: Plan) -> None:
    looks = sorted(looks_of(short, MINUTES, every=3))
    within = [t for t in looks if TROUBLES.storm.holds(t)]
    assert len(within) == 12
    assert {b - a for a, b in pairwise(within)} == {10_000}
    assert {at(minute) for minute in range(0, MINUTES, 3)} <= set(looks)
    assert {at(minute) for minute in range(30, 40)} <= set(looks)
    assert sum(at(5) < t <= at(6) + 5_000 for t in looks) == 13
    assert max(looks) < at(MINUTES)


def test_an_outage_stops_new_risk_at_once_and_is_over_when_it_is_over(lived: Lived) -> None:
    within = [m for m in lived.moments if TROUBLES.outage.holds(m.ts)]
    after = next(m for m in lived.moments if m.ts >= TROUBLES.outage.end)
    assert within
    assert all(m.is_halted and m.risk_mode == "SAFE" for m in within)
    assert "ess.halted" in within[0].sure
    assert "ess.drawdown" in within[0].bound
    assert "ess.drawdown" not in within[0].sure
    assert not after.is_halted


def test_a_storm_of_errors_latches_the_stop(lived: Lived) -> None:
    latched = next(m for m in lived.moments if "ess.errors" in m.sure)
    assert TROUBLES.storm.holds(latched.ts)
    until = min([*lived.resets, at(MINUTES)])
    assert all(m.is_halted for m in lived.moments if latched.ts <= m.ts < until)
    assert lived.resets
    assert lived.resets[0] >= latched.ts + 15 * 60_000 - 60_000


def test_a_crash_of_minutes_is_seen_within_minutes(lived: Lived) -> None:
    """The market loses 15 % in five minutes after it has risen for days."""
    seen = next(m for m in lived.moments if "hfos.fast_crash" in m.sure)
    assert 0 < seen.ts - TROUBLES.crash.start <= 5 * 60_000
    assert all(m.risk_mode == "SAFE" for m in lived.moments if m.ts >= seen.ts)


def test_nothing_is_allowed_during_a_stop_and_something_is_before(lived: Lived) -> None:
    halted = {m.ts for m in lived.moments if m.is_halted}
    assert {a.verdict for a in lived.asked if a.at in halted} == {"DENY"}
    assert any(a.filled > 0 for a in lived.asked)
    assert all(a.denied_by for a in lived.asked if a.verdict == "DENY")


def test_a_denial_is_sure_where_it_rests_on_what_is_known(lived: Lived) -> None:
    denied = [a for a in lived.asked if a.verdict == "DENY"]
    assert all(set(a.sure) <= set(a.denied_by) for a in denied)
    within = [a for a in denied if TROUBLES.outage.holds(a.at)]
    assert within
    assert all(len(a.sure) < len(a.denied_by) for a in within)
    assert all(a.sure == () for a in lived.asked if a.verdict == "ALLOW")


def test_positions_are_followed_on_the_way_to_an_add(lived: Lived, bundle: Bundle) -> None:
    assert set(lived.stages) == set(Stage)
    assert lived.stages[Stage.FAR] <= lived.stages[Stage.WINNER]
    assert lived.stages[Stage.STRONG] <= lived.stages[Stage.FAR]
    assert lived.stages[Stage.ALLOWED] <= lived.stages[Stage.ASKED] <= lived.stages[Stage.GRANTED]
    others = replace(bundle.program, outputs=tuple(o for o in bundle.program.outputs if not o.id.startswith("pal.")))
    assert Growth(replace(bundle, program=others)).stages() == {}


def test_a_killed_service_is_back_within_half_a_minute(lived: Lived) -> None:
    (recovery,) = lived.recoveries
    assert recovery.back is not None
    assert 0 < recovery.back - recovery.at < 30_000


def test_everything_is_written_down_and_no_module_fails(lived: Lived) -> None:
    assert lived.stored == len(lived.moments)
    assert len(lived.curve) == MINUTES
    assert {f for m in lived.moments for f in m.faults} == set()
    assert any(m.positions for m in lived.moments)
    assert all(m.classified == m.positions for m in lived.moments)


def test_the_same_day_again_is_the_same_and_what_runs_share_changes_nothing(short: Plan, bundle: Bundle) -> None:
    alone = replace(short, shared=SharedModules())
    runs = [live(made, Arm.ALL, bundle, minutes=4) for made in (short, short, alone)]
    assert runs[0] == runs[1] == runs[2]


def test_without_policies_every_proposal_is_allowed_and_the_others_are_the_same(short: Plan, bundle: Bundle) -> None:
    free = live(short, Arm.NONE, rules_of(Arm.NONE, bundle), minutes=4)
    bound = live(short, Arm.ALL, bundle, minutes=4)
    assert {a.verdict for a in free.asked} == {"ALLOW"}
    assert {m.bound for m in free.moments} == {()}
    assert free.asked[0].signal == bound.asked[0].signal


@pytest.mark.parametrize(("arm", "policy"), [(Arm.NO_PAL, "pal"), (Arm.NO_PBA, "pba")])
def test_a_run_without_a_policy_lacks_its_rules_and_no_others(arm: Arm, policy: str, bundle: Bundle) -> None:
    all_rules, without = ({r.id for r in b.program.enforced().rules} for b in (bundle, rules_of(arm, bundle)))
    assert {rule.partition(".")[0] for rule in all_rules - without} == {policy}
    assert without < all_rules


def test_the_rules_that_bind_are_those_that_a_full_account_gives(short: Plan, bundle: Bundle) -> None:
    teller, compared = Teller(bundle.program, max_gap=180_000), 0
    for snapshot in _stored_by(short, bundle):
        told = teller.tell(snapshot)
        full = reasons(teller.told, told.snapshot, told.decision)
        brief = binding(teller.told, told.snapshot, told.decision)
        assert [(r.rule, r.key, r.definite, r.binds, r.alerts) for r in brief] == [
            (r.rule, r.key, r.definite, r.binds, r.alerts) for r in full
        ]
        compared += len(full)
    assert compared > 50


def _stored_by(made: Plan, bundle: Bundle) -> list[Snapshot]:
    """What a run has stored of twelve minutes with an outage in them."""
    with Run(made, Arm.ALL, bundle) as run:
        run.lived(12, 1, lambda: None)
        return list(run.store.snapshots("main"))


def test_a_store_that_writes_many_at_once_keeps_what_any_other_does() -> None:
    told = [Snapshot("main", MIDNIGHT + i, {"account.equity": i}) for i in range(AT_ONCE + 5)]
    with BatchedStore() as batched, Store(":memory:", CATALOGUE) as plain:
        assert batched.latest("main") is None
        for snapshot in told:
            batched.write([snapshot])
            assert batched.latest("main") is snapshot
        plain.write(told)
        assert batched.stored() == len(told)
        with BatchedStore(keep=False) as forgetful:
            forgetful.write(told)
            assert (forgetful.latest("main"), forgetful.stored()) == (told[-1], 0)
        assert list(batched.snapshots("main")) == list(plain.snapshots("main"))


def test_a_timeline_has_the_mishaps_in_order_and_the_repairs(lived: Lived) -> None:
    made: LivedDay = day(lived)
    found = timeline(made)
    assert [s.what for s in found] == ["quiet", "outage", "quiet", "storm", "quiet", "crash", "after the crash"]
    assert found[0].spell.start == MIDNIGHT
    assert all(a.spell.end == b.spell.start for a, b in pairwise(found))
    assert (found[1].strictest, found[1].halted, found[1].allowed) == ("SAFE", 2, 0)
    assert found[1].rules[0].startswith("ess.")
    assert found[1].unknown > 10
    assert [r.service for r in repairs(made)] == ["signals"]


def test_days_are_lived_one_by_one_and_counted_by_their_minutes() -> None:
    counted: list[tuple[int, int]] = []
    wanted = Wanted(2, seed=5, first=1, arms=(Arm.ALL,), processes=1)
    first, second = lived_days(wanted, lambda done, of: counted.append((done, of)))
    assert counted == [(1, 2), (2, 2)]
    assert first != second


@pytest.mark.slow
def test_days_are_the_same_on_one_process_and_on_two() -> None:
    wanted = Wanted(2, seed=5, first=1, arms=(Arm.ALL,))
    counted: list[tuple[int, int]] = []
    two = lived_days(replace(wanted, processes=2), lambda done, of: counted.append((done, of)))
    assert two == lived_days(replace(wanted, processes=1))
    assert counted[-1] == (wanted.whole, wanted.whole)
