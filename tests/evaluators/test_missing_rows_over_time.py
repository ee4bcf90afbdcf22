"""A look back at the rows of a missing collection is unknown, so it tightens, whatever is known of the stand-in."""

from __future__ import annotations

from pathlib import Path

import pytest

from evaluators.back_ends import BACK_ENDS
from evaluators.snapshot import Snapshot
from modules.facts import CATALOGUE
from policy_dsl.bundle import load

RULES = """policy a version 1.0.0
  "Looks back at rows."

output stop: STOP < GO
  starts GO

rule known for each position
  when position.notional is known throughout 30s
  tighten stop to STOP
  because "known all along"

rule with_losses for each position
  when (position.notional > 5 USD and account.drawdown > 5%) throughout 30s
  tighten stop to STOP
  because "large while the fund lost"

rule missing for each position
  when position.notional is unknown within 30s
  tighten stop to STOP
  because "missing of late"
"""


@pytest.mark.parametrize("name", BACK_ENDS)
def test_a_look_back_at_missing_rows_is_unknown(name: str, tmp_path: Path) -> None:
    (tmp_path / "a.rules").write_text(RULES)
    program = load(tmp_path, CATALOGUE).program
    row = {"p": {"notional": 5}}
    line = [
        Snapshot("main", 1_000, {"account.drawdown": 0}, {"position": row}),
        Snapshot("main", 31_000, {"account.drawdown": 0}),
    ]
    last = BACK_ENDS[name](program)(line)[-1]
    assert [(f.rule, f.key, f.definite) for f in last.firings] == [
        ("a.known", "", False), ("a.missing", "", False), ("a.with_losses", "", False)
    ]  # fmt: skip
