"""The watched services of a fund that runs: started with it, looked at beside it, repaired as its rules permit."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import structlog

from evaluators.refusals import refusal
from modules.inputs import Failure, Service
from modules.supervision.backend import Backend, BackendError
from modules.supervision.commands import run
from modules.supervision.docker import LateDocker
from modules.supervision.identity import Identity, end
from modules.supervision.keeper import GRACE, Keeper
from modules.supervision.mixed import Mixed
from modules.supervision.past import SERVICES, Past, Started
from modules.supervision.patrol import EVERY, Patrol
from modules.supervision.processes import PATIENCE, Processes
from modules.supervision.systemd import Systemd
from modules.supervision.watch import Watch
from modules.supervision.watch_file import CODE, WatchedService

log = structlog.get_logger()

TO_SETTLE = 10.0
"""Seconds that services get to come up before the first snapshot, which finds fault with those that are not."""

TO_BE_LET_GO = 10.0
"""Seconds that the keeper of an earlier fund gets to end what it is ending."""


@dataclass(slots=True)
class Services:
    """The services of `named`; their past is in the folder of the fund, or in memory. Open until it is closed.

    `grace` is how long (seconds) their processes outlive a fund that died and does not come back, `every` the time
    (seconds) between two looks.

    Raises JournalError for a past that is damaged or in use, PolicyError (RF854) for what this machine does not have.
    """

    named: Sequence[WatchedService]
    folder: Path | None
    grace: float = GRACE
    every: float = EVERY
    past: Past = field(init=False)
    processes: Processes = field(init=False)
    patrol: Patrol = field(init=False)
    watch: Watch = field(init=False)
    _keeper: Keeper | None = None
    _has_started: bool = False

    def __post_init__(self) -> None:
        by_name = {one.name: one for one in self.named}
        _check_machine(self.named)
        path = None if self.folder is None else self.folder / SERVICES
        self.past = Past(path, TO_BE_LET_GO)
        commands = {one.name: one.command for one in self.named if one.command is not None}
        self.processes = Processes(commands, self._record)
        self.patrol = Patrol(
            self._backend(),
            {one.name: one.heartbeat for one in self.named if one.heartbeat is not None},
            {one.name: one.gone_after for one in self.named if one.gone_after is not None},
            every=self.every,
        )
        self.watch = Watch(
            self.patrol,
            {name: partial(self.patrol.works, name) for name in by_name},
            {(one.name, item): self._repair(one, item) for one in self.named for item in one.repairs},
            lambda name: by_name[name].affects_trading,
            self.patrol.silence,
            self.patrol.is_busy,
            self._count,
            self.past.restarted,
        )
        self.patrol.failed = self.watch.failed

    @property
    def failures(self) -> Iterable[Failure]:
        """What failed within five minutes of the newest look."""
        return self.watch.failures

    def look(self, ts: int) -> Mapping[str, Service]:
        """How every service did at the newest look at it; `ts` is now."""
        return self.watch.look(ts)

    def repair(self, actions: Mapping[str, Iterable[str]], ts: int, known: int | None) -> None:
        """Begin what the rules permit by what was known at `known`, and return at once."""
        self.watch.repair(actions, ts, known)

    # --- beginning and end -----------------------------------------------------------------------------------------

    def start(self) -> None:
        """Start what does not run, take over what does, end what nobody names any more; then look.

        Raises OSError where that cannot be kept on disk.
        """
        self._has_started = True
        if self.past.keeper is not None:
            end([self.past.keeper], 0.0)
        self._end_unnamed()
        if self.processes.commands and self.past.path is not None:
            self._keeper = Keeper(self.past.path, self.past.keep, self.grace)
            self._keeper.start()
        for one in self.named:
            if one.command is not None:
                self._begin(one, self.past.running.get(one.name))
        self.patrol.start()
        self.patrol.settle(TO_SETTLE)

    def rest(self) -> None:
        """Look no more, and repair no more: the fund is about to end."""
        self.patrol.rest()

    def close(self) -> None:
        """End the processes, and let go of the file."""
        try:
            if self._has_started:
                self.patrol.close()
                there = self.processes.close()
                # Who ends the fund may have ended them at the same moment: they did not die while it looked.
                gone = [n for n in self.processes.commands if not self.processes.is_alive(n)]
                self.past.end(n for n in gone if n in there or self.patrol.was_there(n))
            if self._keeper is not None:
                self._keeper.close()
        finally:
            self.past.close()

    def _end_unnamed(self) -> None:
        """End the processes of an earlier fund that nobody names any more."""
        others = {n: one.identity for n, one in self.past.running.items() if n not in self.processes.commands}
        left = end(others.values(), PATIENCE)
        for name in sorted(others):
            if others[name] in left:
                log.warning("a process of an earlier fund does not end", service=name, pid=others[name].pid)
        self.past.end(name for name, identity in sorted(others.items()) if identity not in left)

    def _begin(self, one: WatchedService, started: Started | None) -> None:
        """Start a process, or take over the one that an earlier fund started.

        One that came to its end while nobody had ended it is down, and for the rules to restart: it would otherwise
        be started anew with each start of the fund, whatever the rules say.
        """
        if started is not None and started.identity.is_of_here():
            self.processes.adopt(one.name, started.identity)
            if started.command == one.fingerprint:
                how = "taken over" if started.identity.is_there() else "found dead"
                log.info("a service of an earlier fund", service=one.name, found=how, pid=started.identity.pid)
                return
        try:
            self.processes.restart(one.name)
        except BackendError as error:
            log.warning("a service does not start", service=one.name, error=str(error))
            self.patrol.faults[one.name] = str(error)

    def _count(self, name: str, ts: int) -> None:
        try:
            self.past.restart(name, ts)
        except OSError as error:
            self.patrol.faults[name] = f"a restart could not be kept on disk: {error}"
            raise

    def _record(self, name: str, identity: Identity) -> None:
        (fingerprint,) = (one.fingerprint for one in self.named if one.name == name)
        self.past.start(name, identity, fingerprint)

    def _repair(self, one: WatchedService, item: str) -> partial[None]:
        return partial(self.patrol.begin, one.name, item, partial(run, one.repairs[item], self.patrol.ending))

    def _backend(self) -> Mixed:
        units = Systemd({one.name: one.unit for one in self.named if one.unit is not None})
        containers = LateDocker({one.name: one.container for one in self.named if one.container is not None})
        backends: tuple[Backend, ...] = (self.processes, units, containers)
        return Mixed({name: backend for backend in backends for name in backend.names()})


def _check_machine(named: Iterable[WatchedService]) -> None:
    for one in named:
        if one.unit is not None and shutil.which("systemctl") is None:
            raise refusal(CODE, f"`{one.name}` is a unit of systemd, and there is no `systemctl` here")
        if one.container is not None and find_spec("docker") is None:
            hint = "`pip install docker`"
            raise refusal(CODE, f"`{one.name}` is a container, and Docker's SDK is not installed", hint)
