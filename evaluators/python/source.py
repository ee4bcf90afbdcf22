"""The generated module of a program: constants, the functions that settle, the function that judges."""

from __future__ import annotations

from dataclasses import dataclass

from evaluators.event_window import Dependence
from evaluators.python.judge import Judge
from evaluators.python.plan import plan_of
from evaluators.python.scribe import Module
from evaluators.python.settle import settle_fund, settle_rows
from policy_dsl.program import Program
from policy_dsl.recall import Track

LEGEND = """\
# Generated from rules. Unknown is None; numbers are quanta, levels ranks.
#   f fact     x field of a row     t, y computed value     c, p, k, w collection, its rows in order, key, row
#   m, r       masks: what of the rules' conditions may hold, and what holds for certain, of the fund and of a row
#   o, v       value of an output, values by key            a     figures gathered from rows
# `past` has what earlier snapshots leave, one entry a track; behind the firings `judge` gives what this one leaves.
# `known` has what was found of events and stands until others come or leave: l and t by the key of the row.
# `judge` turns facts into masks; `settle` says what follows from masks, once for each that is new."""


@dataclass(frozen=True, slots=True)
class Source:
    """The text of a module, and what else it takes to run it.

    `places` is the number of entities with rules or outputs of their own; `dependences` what each of its findings
    depends on.
    """

    text: str
    places: int
    dependences: tuple[tuple[Dependence, ...], ...]


def source_of(program: Program, tracks: tuple[Track, ...] = ()) -> Source:
    """The module of a program."""
    plan, module = plan_of(program, tracks), Module()
    judge = Judge(plan, module)
    judging = judge.write()
    settling = [settle_fund(plan, module, judge)]
    settling += [settle_rows(plan, module, judge, place) for place in plan.places]
    parts = [[LEGEND], module.lines, *settling, judging]
    text = "\n\n\n".join("\n".join(part) for part in parts if part) + "\n"
    return Source(text, len(plan.places), tuple(judge.expressions.dependences))
