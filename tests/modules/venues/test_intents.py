"""The log of intents made smaller: what may still be asked for is there, whatever happened meanwhile."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modules.disk import Disk
from modules.venues.intents import WHOLE_MS, Execution, Intents, NamedAfter, Sent, Ticket
from modules.venues.journal import Journal, JournalError
from modules.venues.venue import Kind, NewOrder, OrderState, Status

START = 1_760_000_000_000
OLD, NEW = START, START + 3 * WHOLE_MS


def ticket(name: str, at: int, after: NamedAfter = NamedAfter.CALLER) -> Ticket:
    return Ticket(name, "BTCUSDT", "LONG", 2.0, 100.0, at, "LONG", stop=95.0, model="xgboost", named_after=after)


def state(client_id: str, filled: float, at: int) -> OrderState:
    average, status = (100.0, Status.FILLED) if filled else (None, Status.CANCELLED)
    return OrderState(client_id, "BTCUSDT", "LONG", 2.0, filled, average, status, Kind.IOC, 101.0, False, at, at)


def worked(log: Intents, asked: Ticket, filled: float = 2.0, *, ends: bool = True, settles: bool = True) -> None:
    """A request with one order, as the desk writes it down."""
    client_id = f"rf-{asked.request}-0"
    log.begin(asked)
    log.intend(asked.request, NewOrder(client_id, "BTCUSDT", "LONG", 2.0, Kind.IOC, 101.0), asked.at)
    if settles:
        log.settle(asked.request, state(client_id, filled, asked.at))
    if ends:
        average, outcome = (100.0, "FILLED") if filled else (None, "CANCELLED")
        log.end(Execution(asked.request, "BTCUSDT", "LONG", 2.0, filled, average, outcome), asked.at)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A log in which most is long over, something is not, and something is of today."""
    log = Intents(tmp_path / "intents.jsonl")
    for number in range(20):
        worked(log, ticket(f"moment-{number}", OLD + number, NamedAfter.MOMENT), filled=number % 2 * 2.0)
    worked(log, ticket("caller", OLD))
    worked(log, ticket("position", OLD + 5, NamedAfter.POSITION))
    worked(log, ticket("uncounted", OLD, NamedAfter.MOMENT))
    worked(log, ticket("unsettled", OLD, NamedAfter.MOMENT), ends=False, settles=False)
    worked(log, ticket("unended", OLD, NamedAfter.MOMENT), ends=False)
    worked(log, ticket("today", NEW, NamedAfter.MOMENT))
    log.close()
    return tmp_path / "intents.jsonl"


COUNTED = frozenset({f"rf-moment-{number}-0" for number in range(20)} | {"rf-caller-0", "rf-position-0", "rf-today-0"})


def told(log: Intents) -> list[str]:
    """The requests of the fills that the log tells of."""
    return [asked.request for asked, _ in log.news()]


def opened(path: Path, held: dict[str, int] | None = None) -> Intents:
    log = Intents(path)
    log.compact(COUNTED, held or {})
    return log


def test_what_is_over_goes_and_what_may_be_asked_for_stays(path: Path) -> None:
    before = path.stat().st_size
    log = opened(path)
    assert set(log.worked) == {"caller", "uncounted", "unsettled", "unended", "today"}
    assert path.stat().st_size < before / 2
    log.close()
    again = Intents(path)
    assert again.worked == log.worked
    again.close()


def test_a_request_that_a_caller_named_is_told_and_not_done_again(path: Path) -> None:
    log = opened(path)
    known = log.worked["caller"]
    assert known.end == Execution("caller", "BTCUSDT", "LONG", 2.0, 2.0, 100.0, "FILLED")
    assert known.ticket == ticket("caller", OLD)
    assert known.orders == []
    log.close()


@pytest.mark.parametrize(
    ("held", "stays"),
    [({}, False), ({"BTCUSDT": OLD}, True), ({"BTCUSDT": OLD + 6}, False), ({"ETHUSDT": OLD}, False)],
)
def test_what_was_done_to_a_position_is_known_while_it_is_held(path: Path, held: dict[str, int], stays: bool) -> None:
    log = opened(path, held)
    assert ("position" in log.worked) is stays
    log.close()


def test_fills_that_the_ledger_has_not_counted_are_told(path: Path) -> None:
    log = opened(path)
    assert told(log) == ["uncounted", "unended", "today"]
    log.close()
    log = Intents(path)
    assert told(log) == ["uncounted", "unended", "today"]
    log.close()


def test_what_nobody_knows_of_stays_to_be_asked_for(path: Path) -> None:
    log = opened(path)
    ((request, sent),) = log.unsettled()
    assert (request, sent) == (
        "unsettled",
        Sent(NewOrder("rf-unsettled-0", "BTCUSDT", "LONG", 2.0, Kind.IOC, 101.0), OLD),
    )
    assert log.ticket_of("rf-unsettled-0") == ticket("unsettled", OLD, NamedAfter.MOMENT)
    log.settle("unsettled", state("rf-unsettled-0", 2.0, NEW))
    log.close()
    log = Intents(path)
    assert log.unsettled() == []
    log.close()


def test_a_log_is_made_smaller_again_and_again(path: Path) -> None:
    for turn in range(1, 4):
        log = opened(path)
        for number in range(20):
            at = NEW + turn * 3 * WHOLE_MS + number
            worked(log, ticket(f"later-{turn}-{number}", at, NamedAfter.MOMENT), filled=0.0)
        log.close()
    log = opened(path)
    # What a caller has named is the one thing that stays for good.
    assert {name for name in log.worked if not name.startswith("later-3")} == {
        "caller", "uncounted", "unsettled", "unended",
    }  # fmt: skip
    log.close()


def test_a_log_of_which_most_is_needed_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "intents.jsonl"
    log = Intents(path)
    worked(log, ticket("moment", OLD, NamedAfter.MOMENT), filled=0.0)
    worked(log, ticket("today", NEW))
    worked(log, ticket("more", NEW))
    log.close()
    before = path.read_bytes()
    log = opened(path)
    log.close()
    assert path.read_bytes() == before


def test_a_log_that_was_written_to_is_left_as_it_is(path: Path) -> None:
    log = Intents(path)
    worked(log, ticket("now", NEW))
    before = path.read_bytes()
    log.compact(COUNTED, {})
    assert path.read_bytes() == before
    log.close()


def test_tickets_of_before_are_named_by_callers(tmp_path: Path) -> None:
    path = tmp_path / "intents.jsonl"
    fields = {name: value for name, value in asdict(ticket("old", OLD)).items() if name != "named_after"}
    journal = Journal(path)
    journal.append({"is": "request", "ticket": fields})
    journal.close()
    log = Intents(path)
    assert log.worked["old"].ticket.named_after is NamedAfter.CALLER
    log.close()


class Gone(BaseException):
    """The process is gone."""


class Dying(Disk):
    """A disk whose machine loses its power before the step named, or in the midst of it."""

    def __init__(self, moment: str) -> None:
        self.moment = moment

    def write(self, path: Path, content: bytes) -> None:
        if self.moment == "within the draft":
            path.write_bytes(content[: len(content) // 2])
            raise Gone
        super().write(path, content)

    def rename(self, old: Path, new: Path) -> None:
        if self.moment == "before the exchange":
            raise Gone
        super().rename(old, new)
        if self.moment == "after the exchange":
            raise Gone

    def sync(self, folder: Path) -> None:
        if self.moment == "before it is on the disk":
            raise Gone
        super().sync(folder)


@pytest.mark.parametrize(
    "moment", ["within the draft", "before the exchange", "after the exchange", "before it is on the disk"]
)
def test_a_crash_while_a_journal_is_rewritten_leaves_the_old_or_the_new_one(tmp_path: Path, moment: str) -> None:
    path = tmp_path / "j"
    journal = Journal(path)
    for number in range(9):
        journal.append({"n": number})
    journal.close()
    dying = Journal(path, Dying(moment))
    with pytest.raises(Gone):
        dying.rewrite([{"n": "all"}])
    dying.close()
    again = Journal(path)
    is_new = moment in {"after the exchange", "before it is on the disk"}
    assert len(again.records) == (1 if is_new else 9)
    again.append({"n": "next"})
    again.rewrite([{"n": "last"}])
    again.append({"n": "after"})
    again.close()
    again = Journal(path)
    assert again.records == ({"n": "last"}, {"n": "after"})
    again.close()


def test_a_journal_that_was_rewritten_is_held_by_its_process_alone(tmp_path: Path) -> None:
    path = tmp_path / "j"
    journal = Journal(path)
    journal.append({"n": 1})
    journal.rewrite([{"n": 2}])
    with pytest.raises(JournalError, match="another process"):
        Journal(path)
    journal.close()
    again = Journal(path)
    assert again.records == ({"n": 2},)
    again.close()


REQUESTS = st.lists(
    st.tuples(
        st.sampled_from(NamedAfter), st.integers(0, 3 * WHOLE_MS), st.booleans(), st.booleans(),
        st.sampled_from([0.0, 2.0]),
    ),
    max_size=30,
)  # fmt: skip


@given(REQUESTS, st.sets(st.integers(0, 29)), st.one_of(st.none(), st.integers(0, 3 * WHOLE_MS)))
def test_nothing_is_forgotten_that_may_come_again_or_was_not_counted(
    tmp_path_factory: pytest.TempPathFactory,
    requests: list[tuple[NamedAfter, int, bool, bool, float]],
    counted: set[int],
    opened_at: int | None,
) -> None:
    path = tmp_path_factory.mktemp("log") / "intents.jsonl"
    log = Intents(path)
    for number, (after, at, ends, settles, filled) in enumerate(requests):
        worked(log, ticket(str(number), START + at, after), filled, ends=ends and settles, settles=settles)
    log.close()
    whole = Intents(path)
    held = {} if opened_at is None else {"BTCUSDT": START + opened_at}
    names = {f"rf-{number}-0" for number in counted}
    log_news = [(t.request, s) for t, s in whole.news()]
    whole.close()
    small = Intents(path)
    small.compact(names, held)
    assert small.unsettled() == whole.unsettled()
    news = [(t.request, s) for t, s in small.news()]
    assert [n for n in news if n[1].order.client_id not in names] == [
        n for n in log_news if n[1].order.client_id not in names
    ]
    assert set(news) <= set(log_news)
    for name, work in whole.worked.items():
        may_come = work.ticket.named_after is NamedAfter.CALLER or work.end is None
        assert name in small.worked or not may_come
        if name in small.worked:
            known = small.worked[name]
            assert known.ticket == work.ticket
            assert (known.end and known.end.filled) == (work.end and work.end.filled)
    small.close()
