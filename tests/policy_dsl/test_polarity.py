"""Which way conditions and values move as outputs tighten, and as facts go missing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policy_dsl import nodes
from policy_dsl import program as p
from policy_dsl.polarity import Move, falls_when_missing, move, rises_when_missing, together
from tests.policy_dsl.bundles import codes, program

# `down` tightens to A, `up` to C, `size` to 0 %, `floor` to 100 %, `off` to no, `on` to yes.
OUTPUTS = """
output down: A < B < C
  starts C
output up: A < B < C
  starts A
output size: ratio in 0% to 100%
  starts 100%
output floor: ratio in 0% to 100%
  starts 0%
output off: flag
  starts yes
output on: flag
  starts no
output actions for each position: set of ADD, HOLD
output open: ratio
  starts 100%
  tightens down
output each for each position: A < B
  starts B
"""
STILL, RISES, FALLS, MIXED = Move.STILL, Move.RISES, Move.FALLS, Move.MIXED


def typed(condition: str) -> tuple[nodes.Expression, p.Program]:
    """The condition of an invariant, which may read outputs as it likes, and the program it belongs to."""
    made = program(f"{OUTPUTS}\nrule r for each position\n  when {condition}\n  alert INFO\n")
    return made.rules[0].guard, made


CONDITIONS = [
    # ordered levels
    ("down <= B", RISES),
    ("down < B", RISES),
    ("B >= down", RISES),
    ("down >= B", FALLS),
    ("down is A", RISES),
    ("down is B", MIXED),
    ("down is C", FALLS),
    ("down is not C", RISES),
    ("down is not A", FALLS),
    ("down in {A, B}", RISES),
    ("down in {B, C}", FALLS),
    ("down in {A, C}", MIXED),
    ("down in {A, B, C}", STILL),
    ("down not in {C}", RISES),
    ("up >= B", RISES),
    ("up <= B", FALLS),
    ("up is C", RISES),
    ("up is A", FALLS),
    ("up in {B, C}", RISES),
    # numbers
    ("size < 50%", RISES),
    ("size > 50%", FALLS),
    ("size is 0%", RISES),
    ("size is 100%", FALLS),
    ("size is 50%", MIXED),
    ("size in {0%}", RISES),
    ("size in {0%, 50%}", MIXED),
    ("floor > 50%", RISES),
    ("floor is 100%", RISES),
    ("size < floor", RISES),
    ("size > floor", FALLS),
    ("size is floor", MIXED),
    ("size < account.drawdown", RISES),
    ("size is account.drawdown", MIXED),
    # flags
    ("off", FALLS),
    ("not off", RISES),
    ("off is no", RISES),
    ("on", RISES),
    ("on is yes", RISES),
    ("off and on", MIXED),
    ("on or not off", RISES),
    # sets and rows
    ("actions includes ADD", FALLS),
    ("actions excludes ADD", RISES),
    ('actions["p1"] excludes ADD', RISES),
    ("each is A", RISES),
    ("each is known", STILL),
    ("size + floor is known", MIXED),
    # facts alone
    ("account.drawdown > 5%", STILL),
    ("position.notional is known", STILL),
    ("account.drawdown is known and down is A", RISES),
    ("not (down is A)", FALLS),
    ("down is A and size > 5%", MIXED),
    # arithmetic
    ("size + account.drawdown < 50%", RISES),
    ("account.drawdown - size > 50%", RISES),
    ("size - floor < 50%", RISES),
    ("2 * size < 50%", RISES),
    ("size * -2 < 50%", FALLS),
    ("size * account.drawdown < 50%", MIXED),
    ("size / 2 < 50%", RISES),
    ("5% / size > 50%", MIXED),
    ("-size > -50%", RISES),
    ("abs(size) < 50%", MIXED),
    ("min(size, 50%) < 20%", RISES),
    ("max(size, 50% - floor) < 20%", RISES),
    # a result that may overflow
    ("open + 5% < 50%", MIXED),
    ("previous(open) + 5% < 50%", MIXED),
    ("open + account.drawdown < 50%", MIXED),
    ("open - abs(account.net_exposure) < 50%", MIXED),
    ("min(open, 50%) + account.drawdown < 50%", MIXED),
    ("open * 50% < 50%", RISES),
    ("highest(open over 1h) < 50%", RISES),
    ("1000 * (size + account.drawdown * account.net_exposure) < 50%", RISES),
    ("-open > -50%", MIXED),
    ("9_000_000_000 * size < 50%", RISES),
    ("10_000_000_000 * size < 50%", MIXED),
    ("10_000_000_000 * min(size, 50%) < 50%", MIXED),
    ("9_000_000_000 * size + 50% < 50%", RISES),
    ("9_000_000_000 * size + 9_000_000_000 * (size - floor) < 50%", MIXED),
    ("10 * (size / 0.000000001) < 50%", MIXED),
    ("sum(position.r_multiple) + 1R < 50R", STILL),
    ("open < 50%", RISES),
    # rows and events
    ("any(position where each is A)", RISES),
    ("all(position where each is A)", RISES),
    ("any(position where actions includes ADD)", FALLS),
    ("count(position where each is A) > 3", RISES),
    ("count(position where each is A) < 3", FALLS),
    ("sum(position.notional where each is A) > 3 USD", MIXED),
    ("sum(position.notional where position.notional > 3 USD) > 3 USD", STILL),
    ("count(trade where down is A over 1h) > 3", RISES),
    ("any(trade where down is A over 1h)", RISES),
    ("sum(trade.r_multiple where down is A over 1h) > 3R", MIXED),
    ("latest(trade.r_multiple where down is A over 1h) > 3R", MIXED),
    # time
    ("down is A throughout 5m", RISES),
    ("down is A within 5m", RISES),
    ("down is C within 5m", FALLS),
    ("lowest(size over 1h) < 50%", RISES),
    ("average(size over 1h) < 50%", RISES),
    ("previous(size) < 50%", RISES),
    ("previous(down) is A", RISES),
    ("previous(down) is B", MIXED),
    ("previous(down) is C", FALLS),
    ("previous(down) in {A, B}", RISES),
    ("previous(previous(down)) not in {C}", RISES),
    ("previous(on)", RISES),
    ("not previous(off)", RISES),
    ("previous(actions includes ADD)", FALLS),
    ("previous(each) is A", RISES),
    ("lowest(size over 1h) is 0%", RISES),
    ("highest(size over 1h) is 100%", FALLS),
    ("average(size over 1h) is 50%", MIXED),
    ("highest(size over 1h) in {0%}", RISES),
    ("previous(down) is known", STILL),
    ("highest(size over 1h) is unknown", STILL),
    ("change(size over 1h) is known", MIXED),
    ("(down is A within 5m) is known", MIXED),
    ("not (down is A throughout 5m)", FALLS),
    ("account.drawdown > 5% throughout 5m", STILL),
    ("not (account.drawdown > 5% throughout 5m)", STILL),
    ("highest(size - floor over 1h) < 50%", RISES),
    ("highest(size over 1h) - lowest(size over 1h) < 50%", MIXED),
    ("change(size over 1h) < 0%", MIXED),
    ("change(account.drawdown over 1h) < 0%", STILL),
]


@pytest.mark.parametrize(("condition", "expected"), CONDITIONS, ids=[c for c, _ in CONDITIONS])
def test_conditions_move_with_outputs(condition: str, expected: Move) -> None:
    node, made = typed(condition)
    assert move(node, made.output) is expected


TIGHTENS = [c for c, m in CONDITIONS if m in {STILL, RISES}]
LOOSENS = [c for c, m in CONDITIONS if m in {STILL, FALLS}]


def test_a_tightening_rule_may_only_fire_more() -> None:
    head = f"{OUTPUTS}\noutput target: A < B\n  starts B\n"
    rules = "".join(
        f"rule r{i} for each position\n  when {c}\n  tighten target to A\n" for i, (c, _) in enumerate(CONDITIONS)
    )
    assert codes(head + rules).count("RF401") == len(CONDITIONS) - len(TIGHTENS)


def test_a_permit_may_only_be_granted_less() -> None:
    head = f"{OUTPUTS}\noutput granted for each position: set of GO\n"
    rules = "".join(f"rule r{i} for each position\n  when {c}\n  permit GO\n" for i, (c, _) in enumerate(CONDITIONS))
    assert codes(head + rules).count("RF401") == len(CONDITIONS) - len(LOOSENS)


_moves = st.sampled_from(Move)


@given(st.lists(_moves))
def test_together_is_the_same_in_any_order(moves: list[Move]) -> None:
    assert together(moves) is together(reversed(moves))


@given(st.lists(_moves))
def test_what_turns_each_part_round_turns_the_whole(moves: list[Move]) -> None:
    assert together(-m for m in moves) is -together(moves)


# --- missing facts ---------------------------------------------------------------------------------------------------

MISSING = [
    ("account.drawdown > 5%", False, False),
    ("account.drawdown is known", True, False),
    ("account.drawdown is unknown", False, True),
    ("not (account.drawdown is known)", False, True),
    ("account.drawdown is known and account.drawdown > 5%", True, False),
    ("account.drawdown is unknown or account.drawdown > 5%", False, True),
    ("account.drawdown is known throughout 5m", True, False),
    ("account.drawdown is known within 5m", True, False),
    ("not (account.drawdown is known throughout 5m)", False, True),
    ("account.drawdown is unknown throughout 5m", False, True),
    ("previous(account.drawdown is known)", True, False),
    ("previous(account.drawdown) is known", True, False),
    ("previous(down) is known", False, False),
    ("previous(each) is unknown", False, True),
    ("highest(size over 1h) is known", False, False),
    ("account.drawdown > 5% throughout 5m", False, False),
    ("highest(count(position where position.side is known) over 1h) > 3", True, False),
    ("lowest(count(position where position.side is known) over 1h) < 3", False, True),
    ("average(count(position where position.side is known) over 1h) > 3", True, False),
    ("change(count(position where position.side is known) over 1h) > 3", True, True),
    ("previous(count(position where position.side is known)) > 3", True, False),
    ("count(trade where trade.r_multiple is known over 1h) > 3", True, False),
    ("count(trade where trade.r_multiple is known over 1h) < 3", False, True),
    ("any(trade where trade.r_multiple is unknown over 1h)", False, True),
    ("sum(trade.r_multiple where trade.r_multiple is known over 1h) > 3R", True, True),
    ("count(trade where trade.r_multiple > 1R over 1h) > 3", False, False),
    ("any(position where position.side is known)", True, False),
    ("count(position where position.side is known) > 3", True, False),
    ("count(position where position.side is known) < 3", False, True),
    ("3 - count(position where position.side is known) < 3", True, False),
    ("count(position where position.side is known) is 3", True, True),
    ("sum(position.notional where position.side is known) > 3 USD", True, True),
    ("down is known", False, False),
    ("each is known", True, False),
    ("account.drawdown + account.net_exposure is known", True, False),
]


@pytest.mark.parametrize(("condition", "falls", "rises"), MISSING, ids=[c for c, _, _ in MISSING])
def test_conditions_move_as_facts_go_missing(condition: str, falls: bool, rises: bool) -> None:
    node, _ = typed(condition)
    assert (falls_when_missing(node), rises_when_missing(node)) == (falls, rises)
