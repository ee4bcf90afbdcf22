"""What a step tells to somebody who looks on: what changed, what binds, and what became of requests."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from api.values import OutputTexts
from evaluators.timestamps import format_time
from modules.runtime.fund import Step
from policy_dsl.quantities import Unit, from_quanta

VERDICT = "verdict"
EQUITY = "account.equity"


@dataclass(frozen=True, slots=True)
class Moment:
    """A step as it is told. `outputs` are those of the whole fund, in words; `because` is by rule that binds now.

    `refused` holds by request the rules that deny it, of those that were asked in the step; empty for one that may go.
    """

    ts: int
    equity: float | None
    outputs: Mapping[str, str]
    because: Mapping[str, str]
    refused: Mapping[str, tuple[str, ...]]
    missing: int

    @classmethod
    def of(cls, step: Step) -> Moment:
        """The step in words."""
        texts = OutputTexts(step.bundle.program)
        outputs = {s.output: s.text for s in texts.shown(step.told.decision) if s.key is None}
        asked = step.answer.outputs.get(VERDICT, {})
        binding = {r.rule: r.because for r in step.told.reasons if r.binds and r.key not in asked}
        denies: dict[str, list[str]] = {}
        for reason in step.told.reasons:
            if VERDICT in reason.binds and reason.key is not None:
                denies.setdefault(reason.key, []).append(reason.rule)
        equity = step.assembled.snapshot.facts.get(EQUITY)
        return cls(
            step.ts,
            float(from_quanta(equity, Unit.MONEY)) if isinstance(equity, int) else None,
            outputs,
            dict(sorted(binding.items())),
            {key: tuple(sorted(set(denies.get(key, ())))) for key in sorted(asked)},
            len(step.assembled.reasons),
        )

    def document(self, before: Moment | None) -> dict[str, Any]:
        """What is new since the moment before, as JSON."""
        return {
            "ts": format_time(self.ts),
            "equity": self.equity,
            "missing_facts": self.missing,
            "changed": {name: text for name, text in self.outputs.items() if _was(before, name) != text},
            "binds": {rule: why for rule, why in self.because.items() if before is None or rule not in before.because},
            "no_longer_binds": [] if before is None else [rule for rule in before.because if rule not in self.because],
            "requests": {
                key: {"verdict": "DENY" if rules else "ALLOW", "rules": list(rules)}
                for key, rules in self.refused.items()
            },
        }

    def lines(self, before: Moment | None) -> Iterator[str]:
        """What is new since the moment before, for people."""
        found = self.document(before)
        at = found["ts"]
        for name, text in found["changed"].items():
            was = _was(before, name)
            yield f"{at}  {name}: {text}" + ("" if was is None else f" (was {was})")
        for rule, why in found["binds"].items():
            yield f"{at}  binds: {rule}: {why}"
        for rule in found["no_longer_binds"]:
            yield f"{at}  no longer binds: {rule}"
        for key, rules in self.refused.items():
            yield f"{at}  {key}: " + (f"denied by {', '.join(rules)}" if rules else "allowed")


def _was(before: Moment | None, output: str) -> str | None:
    return None if before is None else before.outputs.get(output)
