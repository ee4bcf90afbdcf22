"""Whether a fund's files are still where they were: what is written to a file that was taken away outlives nobody."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from api.service.venues import FILLS
from evaluators.refusals import refusal
from modules.disk import which_file
from modules.runtime.composition import CONTROLS, INTENTS, LEDGER, STORE
from modules.runtime.embedded_venue import ORDERS


def still_in_place(folder: Path) -> Callable[[], None]:
    """A check that the open files of the fund in `folder` are there yet, and are the same.

    It raises PolicyError (RF783) for the first that is not: what the system goes on writing to it is lost at the end.
    """
    files = [folder / name for name in (STORE, LEDGER, CONTROLS, INTENTS)]
    files += [path for name in (ORDERS, FILLS) if (path := folder / name).exists()]  # those of a venue on paper
    were = {path: which_file(path) for path in files}

    def check() -> None:
        for path, was in were.items():
            if which_file(path) != was:
                hint = "end the fund, put its folder back, and start it again; it decides nothing meanwhile"
                raise refusal("RF783", f"`{path}` was taken away or replaced while the fund runs", hint)

    return check
