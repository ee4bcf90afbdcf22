"""The final value of a set output as statements: what is permitted and not forbidden."""

from __future__ import annotations

from evaluators.python.literals import literal
from evaluators.python.reaching import Reached
from evaluators.python.scribe import Scribe
from evaluators.python.truths import Clause, both, either, is_known
from policy_dsl.program import Forbid, Output, Permit, items_of


def write_grants(scribe: Scribe, output: Output, name: str, effects: list[Reached]) -> None:
    """Lines that set `name` to the grants of a set output that these effects reach, in canonical order."""
    scribe.write(f"{name} = ()")
    for item in items_of(output):
        permits = [e for e in effects if isinstance(e.effect, Permit) and e.effect.item == item]
        forbids = [e.possible for e in effects if isinstance(e.effect, Forbid) and e.effect.item == item]
        if permits:
            with scribe.when(either(forbids).opposite()):
                _grant(scribe, name, item, permits)


def _grant(scribe: Scribe, name: str, item: str, permits: list[Reached]) -> None:
    """One item: granted where any permit is certain, with the smallest of each argument."""
    if not any(permit.figures or permit.gathered for permit in permits):
        granted = either(permit.certain for permit in permits)
        with scribe.when(granted):
            scribe.write(f"{name} += (({literal(item)}, ()),)")
        return
    if len(permits) == 1 and not permits[0].gathered:
        with scribe.when(_given(permits[0])):
            scribe.write(f"{name} += (({literal(item)}, {_arguments(permits[0])}),)")
        return
    given = scribe.name("g")
    scribe.write(f"{given} = []")
    for permit in permits:
        if permit.gathered:
            scribe.write(f"{given} += {permit.gathered}")
        else:
            with scribe.when(_given(permit)):
                scribe.write(f"{given}.append({_arguments(permit)})")
    scribe.write(f"if {given}:", f"    {name} += (({literal(item)}, least({given})),)")


def _given(permit: Reached) -> Clause:
    """Where a permit grants: it is certain, and its arguments are known."""
    return both([permit.certain, *(is_known(figure.text) for figure in permit.figures if figure.nullable)])


def _arguments(permit: Reached) -> str:
    return "(" + "".join(f"{figure.text}, " for figure in permit.figures).rstrip() + ")"
