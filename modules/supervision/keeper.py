"""Ends the processes of a fund that died and did not come back: they are not to go on with nobody to watch them.

It is a process of its own, which waits for the end of the fund's. A fund that comes back within `GRACE` seconds takes
its services over, and has a keeper of its own.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Lock, Thread
from time import sleep

import structlog

from modules.supervision.identity import Identity, end
from modules.supervision.past import Past
from modules.supervision.processes import PATIENCE
from modules.venues.journal import JournalInUseError

log = structlog.get_logger()

GRACE = 60.0
"""Seconds that a fund has to come back: a start takes some, and whoever starts it again may wait a while."""

WAITING = ("/bin/sh", "-c", 'read -r _; exec "$@" </dev/null', "sh")
"""Becomes the keeper once the other end of standard input is gone: until then it takes next to no memory."""

AGAIN = 1.0
"""Seconds until a keeper that was ended has a successor."""

ROOT = Path(__file__).resolve().parents[2]


@dataclass(slots=True)
class Keeper:
    """The keeper of the services whose past is at `path`, and its successors; `record` is told of each.

    `grace` is how long (seconds) the fund has to come back.
    """

    path: Path
    record: Callable[[Identity], None]
    grace: float = GRACE
    _closing: Event = field(default_factory=Event)
    _child: subprocess.Popen[bytes] | None = None
    _thread: Thread | None = None
    _lock: Lock = field(default_factory=Lock)

    def start(self) -> None:
        """Begin to keep; returns at once. Raises OSError where no process can be had."""
        self._child = self._begun()
        self._thread = Thread(target=self._succeed, name="keeper", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End it: the services were ended in order."""
        with self._lock:
            self._closing.set()
            if self._child is not None:
                self._child.kill()
        if self._thread is not None:
            self._thread.join()

    def _begun(self) -> subprocess.Popen[bytes]:
        told = {key: value for key, value in os.environ.items() if not key.startswith("RINGFENCE_VENUE")}
        told["PYTHONPATH"] = os.pathsep.join([str(ROOT), *filter(None, [told.get("PYTHONPATH")])])
        child = subprocess.Popen(  # noqa: S603 -- our own interpreter and module, no shell
            (
                *WAITING,
                sys.executable,
                "-P",
                "-m",
                "modules.supervision.keeper",
                str(self.path.absolute()),
                str(self.grace),
            ),
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=told,
            cwd="/",
            start_new_session=True,
        )
        identity = Identity.of(child.pid)
        if identity is not None:
            self.record(identity)
        return child

    def _succeed(self) -> None:
        """Wait for its end, and give it a successor until this one is closed."""
        while self._child is not None:
            with self._child as child:
                child.wait()
            if self._closing.wait(AGAIN):
                return
            log.warning("the keeper of the services was ended, and has a successor")
            with self._lock:
                if self._closing.is_set():
                    return
                try:
                    self._child = self._begun()
                except OSError as error:
                    log.warning("the services have no keeper", error=str(error))
                    return


def keep(path: Path, grace: float) -> None:
    """Wait for a fund to be back, and end the processes in the past at `path` once none is."""
    while True:
        sleep(grace)
        try:
            past = Past(path)
        except JournalInUseError:
            continue  # it is back, and ends this one once it has a keeper of its own
        there = {name: one.identity for name, one in past.running.items() if one.identity.is_there()}
        left = end(there.values(), PATIENCE)
        past.end(name for name, one in there.items() if one not in left)
        past.close()
        return


if __name__ == "__main__":
    keep(Path(sys.argv[1]), float(sys.argv[2]))
