"""What the environment switches, for a state that a command is given: as it is in a fund that runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from api.bundles import bundle_of, prefix_of
from modules.runtime.switches import Switches, enable_variable, flags_of, mode_variable, switches_of
from policy_dsl.files import read_files

if TYPE_CHECKING:
    from evaluators.snapshot import Snapshot
    from policy_dsl.bundle import Bundle


@dataclass(frozen=True, slots=True)
class Switched:
    """What is switched: modules that are `off`, each with what switched it, and how the `environment` sets others."""

    off: Mapping[str, str] = field(default_factory=dict)
    environment: Switches = field(default_factory=Switches)

    def states(self, snapshots: Sequence[Snapshot]) -> tuple[Snapshot, ...]:
        """The states without the facts of the modules that are off."""
        if not self.off:
            return tuple(snapshots)
        from modules.runtime.switched_off import without

        return tuple(without(snapshot, self.off) for snapshot in snapshots)

    def taken(self) -> Mapping[str, str]:
        """By path of a fact that a switch took away, which module is off and what switched it."""
        if not self.off:
            return {}
        from modules.runtime.switched_off import taken_by

        return {path: f"{module} is switched off by {self.off[module]}" for path, module in taken_by(self.off).items()}

    def documents(self) -> list[dict[str, Any]]:
        """Every switch that counts, as plain JSON; none in ordinary times."""
        flags = [{"by": by, "module": module, "on": False} for module, by in self.off.items()]
        flags += [
            {"by": enable_variable(module), "module": module, "on": True}
            for module, on in self.environment.flags.items()
            if on
        ]
        modes = [
            {"by": mode_variable(module), "module": module, "mode": mode.value}
            for module, mode in self.environment.modes.items()
        ]
        return [*flags, *modes]

    def line(self) -> str:
        """Every switch that counts, in a line; empty in ordinary times."""
        told = [
            f"{one['module']} is {'on' if one['on'] else 'off'} ({one['by']})"
            if "on" in one
            else f"the policy of {one['module']} is in mode {one['mode']} ({one['by']})"
            for one in self.documents()
        ]
        return f"switched: {', '.join(told)}" if told else ""


def opened_as_switched(path: Path, environment: Mapping[str, str]) -> tuple[Bundle, Switched]:
    """The bundle at `path` in the modes that the environment sets, and what is switched.

    Raises PolicyError: RF850 for what the environment or the rules' own file says and nobody knows, and every error of
    the rules in those modes.
    """
    said = switches_of(environment)
    bundle = bundle_of(said.configured(read_files(path)), prefix_of(path))
    own = flags_of(bundle.configuration)
    off = {
        module: enable_variable(module) if module in said.flags else bundle.configuration.path
        for module, on in said.over(own).flags.items()
        if not on
    }
    # What is on in any case is switched on by nobody.
    flags = {module: on for module, on in said.flags.items() if on and not own.is_on(module)}
    return bundle, Switched(off, Switches(flags, said.modes))
