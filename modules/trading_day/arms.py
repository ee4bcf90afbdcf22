"""The runs that a day is lived in: the same market, signals and mishaps, under rules that differ in one thing."""

from __future__ import annotations

from enum import StrEnum
from pathlib import PurePosixPath

from modules.facts import CATALOGUE
from modules.runtime.switchboard import in_modes
from modules.runtime.switches import Switches
from policy_dsl.bundle import Bundle, check_files
from policy_dsl.configuration import Mode
from policy_dsl.diagnostics import PolicyError
from policy_dsl.files import CONFIGURATION_FILE


class Arm(StrEnum):
    """One of the runs of a day."""

    ALL = "all policies"
    NO_PAL = "without PAL"
    NO_PBA = "without PBA"
    NONE = "no policies"


def rules_of(arm: Arm, bundle: Bundle) -> Bundle:
    """The rules of a run. Raises PolicyError with what a check of them in those modes finds."""
    match arm:
        case Arm.ALL:
            return bundle
        case Arm.NO_PAL:
            return in_modes(bundle, Switches(modes={"pal": Mode.OFF}))
        case Arm.NO_PBA:
            return in_modes(bundle, Switches(modes={"pba": Mode.OFF}))
        case Arm.NONE:
            return _nothing_binds(bundle)


def _nothing_binds(bundle: Bundle) -> Bundle:
    """The same outputs, none of which any rule tightens: every request is allowed."""
    prefix = str(PurePosixPath(next(iter(bundle.sources))).parent / "_")[:-1]
    contents = {path.removeprefix(prefix): source.text.encode() for path, source in bundle.sources.items()}
    lines = ["[modes]", *(f'{policy.name} = "{Mode.OFF.value}"' for policy in bundle.policies)]
    contents[CONFIGURATION_FILE] = "\n".join(lines).encode()
    report = check_files(contents, CATALOGUE, prefix=prefix)
    if report.bundle is None:
        raise PolicyError((d for d in report.diagnostics if d.is_error), report.sources)
    return report.bundle
