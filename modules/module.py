"""What makes a module: a name, a rhythm, and facts computed from the state of the fund."""

from __future__ import annotations

from typing import ClassVar, Protocol, runtime_checkable

from modules.inputs import Inputs
from modules.supply import Supply


@runtime_checkable
class Module(Protocol):
    """One of the fund's modules. It computes facts and decides nothing.

    `name` is how it is switched: `universe_os` by `ENABLE_UNIVERSE_OS` and `UNIVERSE_OS_MODE`. `policy` is the policy
    in the rules whose mode follows the module's, if it has one. `port` is where it answers when it runs alone, None
    where it is internal. `interval` is the time between two runs in seconds, 0 for every snapshot. `owners` are the
    owners in the catalogue whose facts it may supply.
    """

    name: ClassVar[str]
    policy: ClassVar[str | None]
    port: ClassVar[int | None]
    interval: ClassVar[float]
    owners: ClassVar[tuple[str, ...]]

    def compute(self, inputs: Inputs) -> Supply:
        """The facts at `inputs.ts`, from `inputs` alone: the same inputs give the same facts, in the same order.

        What cannot be known is left out, with the reason. An exception costs the module's facts, never the fund.
        """
        ...
