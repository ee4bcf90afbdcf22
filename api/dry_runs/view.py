"""A dry run with what it takes to show it: the bundle, the outputs shown over time, the command that made it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from api.dry_runs.result import DryRun
from api.dry_runs.sheets import Sheet, sheets
from api.values import OutputTexts
from policy_dsl.bundle import Bundle


@dataclass(frozen=True)
class View:
    """`outputs` are the fund-wide outputs shown over time; `command` makes the same figures again."""

    run: DryRun
    bundle: Bundle
    outputs: tuple[str, ...]
    command: str

    @cached_property
    def texts(self) -> OutputTexts:
        """Values in words."""
        return OutputTexts(self.bundle.program)

    def sheets(self, *, detail: bool) -> tuple[Sheet, ...]:
        """Every table that has rows, those of detail only if asked for."""
        found = sheets(self.run, self.texts, self.outputs)
        return tuple(sheet for sheet in found if sheet.rows and (detail or not sheet.detail))
