"""What a person types to name a rule, an output or a fact, and what it means."""

from __future__ import annotations

from collections.abc import Iterable

import typer

from policy_dsl.diagnostics import did_you_mean


def resolved(word: str, ids: Iterable[str], what: str, option: str | None = None) -> str:
    """The id that `word` names: itself, or the only one that ends in `.word`.

    Raises BadParameter, naming the nearest id, where there is none or more than one.
    """
    known = list(ids)
    if word in known:
        return word
    ending = [id for id in known if id.rpartition(".")[2] == word]
    if len(ending) == 1:
        return ending[0]
    if ending:
        raise typer.BadParameter(f"`{word}` could be {' or '.join(f'`{id}`' for id in ending)}", param_hint=option)
    hint = did_you_mean(word, known) or did_you_mean(word, {id.rpartition(".")[2] for id in known})
    raise typer.BadParameter(f"no {what} is called `{word}`" + (f"; {hint}" if hint else ""), param_hint=option)
