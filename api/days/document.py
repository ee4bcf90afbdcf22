"""Simulated days as JSON."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from evaluators.timestamps import format_time
from modules.trading_day.arms import Arm
from modules.trading_day.days import Wanted
from modules.trading_day.denials import deniers
from modules.trading_day.kpis import kpis
from modules.trading_day.lived import Days, Lived
from modules.trading_day.measures import Estimate, drawdown
from modules.trading_day.timeline import Stretch, repairs, timeline
from modules.trading_day.verdicts import Kpi


def document(wanted: Wanted, days: Days) -> dict[str, Any]:
    """What was lived, day by day, and the plan's figures. Ratios are fractions, times ISO 8601, durations seconds."""
    return {
        "seed": wanted.seed,
        "days": len(days),
        "minutes": wanted.minutes,
        "kpis": [_kpi(kpi) for kpi in kpis(days)],
        "pba_denials": [asdict(denier) for denier in deniers(days)],
        "lived": [
            {
                "day": format_time(day.runs[Arm.ALL].midnight),
                "seed": day.runs[Arm.ALL].seed,
                "timeline": [_stretch(stretch) for stretch in timeline(day)],
                "repairs": [{"at": format_time(r.at), "service": r.service, "seconds": r.took} for r in repairs(day)],
                "runs": {arm.value: _run(run) for arm, run in day.runs.items()},
            }
            for day in days
        ],
    }


def _kpi(kpi: Kpi) -> dict[str, Any]:
    return {
        "phase": kpi.phase,
        "name": kpi.name,
        "target": kpi.target,
        "verdict": kpi.verdict.value,
        "unit": kpi.unit.value,
        "estimates": [{"label": label, **_estimate(found)} for label, found in kpi.estimates],
        "note": kpi.note,
    }


def _estimate(found: Estimate) -> dict[str, Any]:
    return {
        "value": found.value, "low": found.low, "high": found.high, "n": found.n, "of": found.of,
        "method": found.method,
    }  # fmt: skip


def _stretch(stretch: Stretch) -> dict[str, Any]:
    return {
        "what": stretch.what,
        "from": format_time(stretch.spell.start),
        "to": format_time(stretch.spell.end),
        "strictest": stretch.strictest,
        "halted_minutes": stretch.halted,
        "asked": stretch.asked,
        "allowed": stretch.allowed,
        "new_rules": list(stretch.rules),
        "new_rules_by_what_is_unknown": stretch.unknown,
        "denied_by": dict(stretch.deniers),
        "change": stretch.change,
        "change_without_policies": stretch.change_without,
    }


def _run(run: Lived) -> dict[str, Any]:
    return {
        "snapshots": len(run.moments),
        "asked": len(run.asked),
        "allowed": sum(a.verdict == "ALLOW" for a in run.asked),
        "trades": len(run.trades),
        "added_to": sum(t.added for t in run.trades),
        "positions_that_were": {str(stage): count for stage, count in run.stages.items()},
        "open_at_the_end": run.still_open,
        "liquidations": len(run.liquidations),
        "resets": [format_time(at) for at in run.resets],
        "drawdown": drawdown(run.curve),
        "profit": run.curve[-1] / run.curve[0] - 1 if run.curve else 0.0,
    }
