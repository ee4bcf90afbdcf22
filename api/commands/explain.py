"""`ringfence explain`: what an id, an error code or a state means, and why."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from api.bundles import RulesOption, catalogue, opened, rules_path
from api.engines import CadenceOption
from api.terminal import console, show_json, show_page

if TYPE_CHECKING:
    from api.subjects import Subject
    from api.switched import Switched
    from evaluators.telling import Teller, Told
    from policy_dsl.bundle import Bundle

_CODE = re.compile(r"RF\d{3}", re.IGNORECASE)

JsonOption = Annotated[bool, typer.Option("--json", help="Print it as JSON.")]


def explain(
    id: Annotated[
        str | None, typer.Argument(metavar="ID|RFnnn", help="A rule, output, param or fact, or the code of a finding.")
    ] = None,
    *,
    state: Annotated[
        Path | None, typer.Option("--state", metavar="FILE", help="Say why this state is decided as it is.")
    ] = None,
    rules: RulesOption = None,
    output: Annotated[
        str | None, typer.Option("--output", metavar="NAME", help="With --state: this output only.")
    ] = None,
    calm: Annotated[bool, typer.Option("--calm", help="With --state: facts left out hold their calm value.")] = False,
    at: Annotated[
        str | None, typer.Option("--at", metavar="TIME", help="With a timeline: say why at this moment (UTC) only.")
    ] = None,
    cadence: CadenceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Explain a rule, an output, a param, a fact or an error code; or why a state is decided as it is.

    With --state, ENABLE_<MODULE> and <MODULE>_MODE in the environment count as in `ringfence serve`, which is told.
    """
    if (id is None) == (state is None):
        raise typer.BadParameter("name one thing to explain, or give a state with --state")
    if id is not None and _CODE.fullmatch(id):
        _explain_code(id.upper(), as_json=as_json)
    elif id is not None:
        _explain_id(id, opened(rules_path(rules)), as_json=as_json)
    elif state is not None:
        _explain_state(state, rules_path(rules), output, (at, cadence), calm=calm, as_json=as_json)


def _explain_code(code: str, *, as_json: bool) -> None:
    from policy_dsl.codes_index import page, title

    text = page(code)
    if text is None:
        raise typer.BadParameter(f"there is no page on `{code}`")
    if as_json:
        show_json({"code": code, "title": title(code), "page": text})
    else:
        show_page(text)


def _explain_id(word: str, bundle: Bundle, *, as_json: bool) -> None:
    from api.names import resolved
    from api.subjects import ids, subject

    facts = catalogue()
    everything = ids(bundle, facts)
    # A short name that the rules use themselves is theirs, though a fact may end in it too.
    own = [id for id in everything if facts.fact(id) is None and word in (id, id.rpartition(".")[2])]
    found = subject(resolved(word, own or everything, "rule, output, param or fact"), bundle, facts)
    if as_json:
        lists = {name.replace(" ", "_"): list(values) for name, values in found.facts}
        show_json({"id": found.id, "kind": found.kind, "at": found.place, "text": found.text, **lists})
    else:
        _show(found)


def _show(found: Subject) -> None:
    screen = console()
    where = f", {found.place}" if found.place else ""
    screen.print(f"{found.kind} {found.id}{where}", style="bold")
    screen.print(f"\n{found.text}\n")
    for name, values in found.facts:
        if len(values) == 1:
            screen.print(f"{name}: {values[0]}")
        else:
            screen.print(f"{name}:")
            for value in values:
                screen.print(f"  {value}")


def _explain_state(
    path: Path, rules: Path, output: str | None, when: tuple[str | None, str | None], *, calm: bool, as_json: bool
) -> None:
    from api.moments import moment
    from api.names import resolved
    from api.states import max_gap_of, read_states
    from api.switched import opened_as_switched
    from evaluators.telling import Teller
    from evaluators.timestamps import format_time

    bundle, switched = opened_as_switched(rules, os.environ)
    outputs = [o.id for o in bundle.program.outputs]
    shown = outputs if output is None else [resolved(output, outputs, "output", "--output")]
    snapshots = switched.states(read_states(path, catalogue(), calm=calm))
    at = moment(when[0], "--at")
    if at is not None and all(snapshot.ts != at for snapshot in snapshots):
        raise typer.BadParameter(f"the timeline has no state at {format_time(at)}", param_hint="--at")
    if switched.line() and not as_json:
        console().print(switched.line(), soft_wrap=True)
    teller = Teller(bundle.program, max_gap=max_gap_of(bundle, when[1], snapshots))
    for snapshot in snapshots:
        if at in (None, snapshot.ts):
            _explain_decision(teller, teller.tell(snapshot), bundle, shown, switched, as_json=as_json)
        else:
            teller.follow(snapshot)


def _explain_decision(
    teller: Teller, told: Told, bundle: Bundle, shown: list[str], switched: Switched, *, as_json: bool
) -> None:
    """The reasons of a decision for the outputs shown, what they keep, and what would decide otherwise."""
    from api import why
    from api.states import kept_document, kept_line
    from api.values import OutputTexts
    from evaluators.timestamps import format_time

    facts, program, decision = catalogue(), bundle.program, told.decision
    texts, taken = OutputTexts(program), switched.taken()
    kept = [k for k in told.kept if k.output in shown]
    every = len(shown) == len(program.outputs)
    reasons = [r for r in told.reasons if every or set(r.binds) & set(shown)]
    asked = why.questions(program, decision, shown)
    others = why.changes(teller.told, facts, told.snapshot, teller.evaluator.decide, asked)
    if as_json:
        head = {"book": decision.book, "ts": format_time(decision.ts), "switched": switched.documents()}
        because = [why.reason_document(r, bundle, taken) for r in reasons]
        otherwise = [why.change_document(*other, texts, facts) for other in others]
        show_json(
            head | {"reasons": because, "kept": [kept_document(k, program) for k in kept], "otherwise": otherwise}
        )
        return
    screen = console()
    screen.print(f"{decision.book} at {format_time(decision.ts)}", style="bold")
    for reason in reasons:
        screen.print("\n".join(why.reason_lines(reason, bundle, taken)) + "\n")
    for one in kept:
        screen.print(f"{kept_line(one, program)}\n")
    screen.print("The smallest change of facts that would decide otherwise:", style="bold")
    for id, key, change in others:
        stays = next((k for k in kept if (k.output, k.key) == (id, key)), None) if change is None else None
        line = why.change_line(id, key, change, texts, facts) if stays is None else why.stays_line(stays, program)
        screen.print(f"  {line}")
