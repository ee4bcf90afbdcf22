"""Checks of whole tests: that they end, that their clock goes forward, and that nothing is given in two ways."""

from __future__ import annotations

from collections.abc import Sequence

from policy_dsl.case_times import Clock, number_of_snapshots
from policy_dsl.cases import MOST_SNAPSHOTS, Assignment, Moment, Timeline
from policy_dsl.context import Context
from policy_dsl.diagnostics import Label, Span
from policy_dsl.types import DURATION
from policy_dsl.writing import write_value

Variants = Sequence[Sequence[Moment]]
"""The moments of each variant of a test, in order of time."""

_LAST_TS = 253_402_300_799_999
"""The last millisecond of year 9999, after which times are no dates any more."""


def check_length(variants: Variants, cadence: int, span: Span, context: Context) -> bool:
    """Report a test that takes more snapshots, over all its variants, than anybody waits for."""
    if sum(number_of_snapshots(moments, cadence) for moments in variants) <= MOST_SNAPSHOTS:
        return True
    hint = "`every 1h` takes fewer"
    context.error("RF314", f"this takes more than {MOST_SNAPSHOTS:_} snapshots", span, hint)
    return False


def check_clock(variants: Variants, cadence: int, span: Span, context: Context) -> bool:
    """Report a clock that is set to a time before the last snapshot, and one that leaves the calendar."""
    before = len(context.findings.items)
    for moments in variants:
        _check_forward(moments, cadence, span, context)
    return len(context.findings.items) == before


def _check_forward(moments: Sequence[Moment], cadence: int, span: Span, context: Context) -> None:
    clock = Clock()
    before = 0
    for moment in moments:
        set_to = clock.after(moment)
        # The last snapshot before this moment: of an earlier moment, or of the cadence.
        last = max(before, (moment.at - 1) // cadence * cadence)
        if moment.at > 0 and set_to.time(moment.at) <= clock.time(last):
            said = next(a.span for a in reversed(moment.given) if a.sets_clock)
            hint = f"the snapshot before was taken at {write_value(last, DURATION)}"
            context.error("RF311", "a test goes forward in time, and this sets its clock back", said or span, hint)
            return
        clock, before = set_to, moment.at
    if clock.time(before) > _LAST_TS:
        context.error("RF314", "this goes past the year 9999", span)


def check_series(series: Sequence[Timeline], variants: Variants, cadence: int, context: Context) -> bool:
    """Report what a series gives and something else too; warn of a series that goes on after the test."""
    before = len(context.findings.items)
    by_fact: dict[Assignment, Assignment] = {}
    for one in series:
        fact = _fact(one.target)
        if fact in by_fact:
            _given_already(one.target, by_fact[fact], context)
        by_fact.setdefault(fact, one.target)
    given = (a for moments in variants for moment in moments for a in moment.given) if series else ()
    first: dict[Assignment, Assignment] = {}
    for a in given:
        first.setdefault(_fact(a), a)
    for fact, a in first.items():
        if fact in by_fact:
            _given_already(a, by_fact[fact], context)
    if len(context.findings.items) > before:
        return False
    end = max((moments[-1].at for moments in variants if moments), default=0)
    for one in series:
        if one.target.span is not None and one.ends[-1] > end // cadence + 1:
            _warn_unseen(one, end, cadence, one.target.span, context)
    return True


def _fact(given: Assignment) -> Assignment:
    """Which fact it is, whatever value it is given."""
    return Assignment(given.entity, given.key, given.field, None)


def _given_already(given: Assignment, series: Assignment, context: Context) -> None:
    hint = "a series gives its fact at every snapshot, so that nothing else does"
    labels = () if series.span is None else (Label(series.span, "the series"),)
    if given.span is not None:
        context.error("RF315", "a series gives this fact already", given.span, hint, *labels)


def _warn_unseen(series: Timeline, end: int, cadence: int, span: Span, context: Context) -> None:
    message = f"this series has {series.ends[-1]} values, and the test ends at {write_value(end, DURATION)}"
    last = write_value((series.ends[-1] - 1) * cadence, DURATION)
    context.findings.warning("RF504", message, span, f"its last value is that of {last}: `at {last}  expect ...`")
