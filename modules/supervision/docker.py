"""Services as containers of Docker, through its SDK where that is installed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from threading import local
from typing import Any, Protocol

from modules.supervision.backend import BackendError

PATIENCE = 20
"""Seconds that Docker gets for an answer."""

TO_END = 5
"""Seconds that a container gets to end by itself before it is killed."""

RUNNING = "running"


class Container(Protocol):
    """What is used of a container of the SDK."""

    status: str

    def restart(self, *, timeout: int) -> None:
        """End it, within so many seconds, and start it again."""
        ...


class Containers(Protocol):
    """What is used of the containers of a client of the SDK."""

    def get(self, name: str) -> Container:
        """The container of a name or id, as it is now."""
        ...


@dataclass(frozen=True, slots=True)
class Docker:
    """Containers by name of service. `faults` are the errors that the client raises."""

    names_of: Mapping[str, str]
    containers: Containers
    faults: tuple[type[Exception], ...] = (OSError,)

    @classmethod
    def of_this_machine(cls, names_of: Mapping[str, str]) -> Docker:
        """The containers of the daemon that the environment names (`DOCKER_HOST`), the local one by default.

        Raises BackendError without the SDK (`pip install docker`), and where no daemon answers.
        """
        try:
            sdk: Any = import_module("docker")
        except ImportError as error:
            raise BackendError("Docker's SDK is not installed: `pip install docker`") from error
        faults = (sdk.errors.DockerException, OSError)
        try:
            return cls(names_of, sdk.from_env(timeout=PATIENCE).containers, faults)
        except faults as error:
            raise BackendError(f"no daemon of Docker answers: {error}") from error

    def names(self) -> Sequence[str]:
        """The services that it runs, sorted."""
        return sorted(self.names_of)

    def is_alive(self, name: str) -> bool:
        """Whether its container runs; one that starts over and over again does not."""
        return self._container(name).status == RUNNING

    def restart(self, name: str) -> None:
        """Restart its container."""
        container = self._container(name)
        try:
            container.restart(timeout=TO_END)
        except self.faults as error:
            raise BackendError(f"the container `{self.names_of[name]}` does not restart: {error}") from error

    def _container(self, name: str) -> Container:
        container = self.names_of.get(name)
        if container is None:
            raise BackendError(f"no service is called `{name}`")
        try:
            return self.containers.get(container)
        except self.faults as error:
            raise BackendError(f"Docker does not tell of the container `{container}`: {error}") from error


@dataclass(frozen=True, slots=True)
class LateDocker:
    """The containers of this machine, through a client for each thread that asks, made when it does.

    So a daemon that does not answer is no reason not to begin.
    """

    names_of: Mapping[str, str]
    _own: local = field(default_factory=local)

    def names(self) -> Sequence[str]:
        """The services that it runs, sorted."""
        return sorted(self.names_of)

    def is_alive(self, name: str) -> bool:
        """As `Docker` says."""
        return self._docker().is_alive(name)

    def restart(self, name: str) -> None:
        """As `Docker` does."""
        self._docker().restart(name)

    def _docker(self) -> Docker:
        found: Docker | None = getattr(self._own, "docker", None)
        if found is None:
            found = self._own.docker = Docker.of_this_machine(self.names_of)
        return found
