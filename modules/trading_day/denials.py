"""What the balancer denied, and what of it was needless: the plan's false positives in each sense that it may have."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from modules.trading_day.arms import Arm
from modules.trading_day.limits import Looks
from modules.trading_day.lived import Asked, Days, LivedDay, Replayed
from modules.trading_day.measures import Estimate, mean, over_days, rate_of_days
from modules.trading_day.replay import is_denied_by_pba_alone
from modules.trading_day.verdicts import Kpi, Unit, Verdict, at_most

MOST = 0.05
"""The share of false positives that the plan allows at most."""

TARGET = "under 5%"


@dataclass(frozen=True, slots=True)
class Denier:
    """A rule of the balancer: how many proposals it denied, with which others or not.

    Of those `alone` were denied by no other policy, and `only` by no other rule. `harmless` is how many of `alone` were
    by the replay, `known` of how many of them that is known.
    """

    rule: str
    looks_at: Looks
    denied: int
    alone: int
    only: int
    harmless: int
    known: int


def deniers(days: Days) -> tuple[Denier, ...]:
    """The rules of the balancer that denied anything, those first that denied most with no other policy."""
    found = []
    for rule, looks in days[0].limits.items():
        pairs = [(a, r) for day in days for a, r in _paired(day) if rule in a.denied_by]
        alone = [(a, r) for a, r in pairs if r.alone]
        told = [r.is_harmless for _, r in alone if r.is_harmless is not None]
        only = sum(a.denied_by == (rule,) for a, _ in alone)
        if pairs:
            found.append(Denier(rule, looks, len(pairs), len(alone), only, sum(told), len(told)))
    return tuple(sorted(found, key=lambda d: (-d.alone, d.rule)))


def _paired(day: LivedDay) -> Iterable[tuple[Asked, Replayed]]:
    return zip(day.runs[Arm.ALL].asked, day.replayed, strict=True)


def false_positives(days: Days) -> Iterable[Kpi]:
    """Of what was allowed or denied by PBA alone: others deny for reasons that say nothing of the balancer."""
    judged = [[r for r in day.replayed if r.alone or r.verdict == "ALLOW"] for day in days]
    told = [[r for r in day if r.is_harmless is not None] for day in judged]
    yield Kpi(
        2, "false positives of PBA: harmless, and denied by it alone", TARGET,
        at_most(all_of := _denied(told, _is_harmless, "harmless proposals"), MOST), estimates=(("", all_of),),
        note="by replay of each proposal; docs/simulated-day.md says what is harmless",
    )  # fmt: skip
    roomy = [[r for r in day if not r.for_room] for day in told]
    by_judgement = _denied(roomy, _is_harmless, "harmless proposals that there was room for")
    full = sum(r.for_room for day in judged for r in day)
    yield Kpi(
        2, "false positives of PBA where the whole book had room", TARGET, at_most(by_judgement, MOST),
        estimates=(("", by_judgement),), note=f"{full} of {_count(judged)} that PBA alone denied had no room",
    )  # fmt: skip
    yield _false_alarms(days)
    harmful = _denied(told, lambda r: r.is_harmless is False, "harmful proposals")
    yield Kpi(
        2, "harmful, and denied by PBA alone", "", Verdict.NO_TARGET, estimates=(("", harmful),),
        note="a limit tells harm from none as far as this is more than of the harmless",
    )  # fmt: skip
    denied = rate_of_days(
        [(sum(r.alone and r.is_harmless is True for r in d), sum(r.alone for r in d)) for d in told],
        "proposals that PBA alone denied",
    )
    unknown = sum(r.alone and r.is_harmless is None for day in judged for r in day)
    yield Kpi(
        2, "of what PBA alone denied, harmless", "", Verdict.NO_TARGET, estimates=(("", denied),),
        note=f"{unknown} more were open at midnight, or more than the book held",
    )  # fmt: skip
    for name, alone in (("what PBA alone denied", True), ("what was allowed", False)):
        r = over_days([mean([p.r_multiple for p in d if p.alone is alone and p.r_multiple is not None]) for d in told])
        yield Kpi(2, f"mean R of {name}, by replay", "", Verdict.NO_TARGET, Unit.R, (("", r),))


def _false_alarms(days: Days) -> Kpi:
    """Denied, although no limit is known to be passed by the book that the proposal would leave."""
    by_day = []
    for day in days:
        asked = day.runs[Arm.ALL].asked
        unsure = sum(is_denied_by_pba_alone(a) and not a.sure for a in asked)
        by_day.append((unsure, unsure + sum(a.verdict == "ALLOW" for a in asked)))
    found = rate_of_days(by_day, "proposals with which no limit is known to be passed")
    return Kpi(
        2, "false alarms of PBA: denied by it alone, and no limit known to be passed", TARGET, at_most(found, MOST),
        estimates=(("", found),),
    )  # fmt: skip


def _denied(told: Iterable[Iterable[Replayed]], counts: Callable[[Replayed], bool], of: str) -> Estimate:
    """The share, of what counts, that PBA alone denied."""
    days = [[r for r in day if counts(r)] for day in told]
    return rate_of_days([(sum(r.alone for r in day), len(day)) for day in days], of)


def _is_harmless(replayed: Replayed) -> bool:
    return replayed.is_harmless is True


def _count(judged: Iterable[Iterable[Replayed]]) -> int:
    return sum(r.alone for day in judged for r in day)
