"""Containers behind a client that stands for Docker's SDK: what runs, what restarts, and what goes wrong."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

from modules.supervision import BackendError, Docker
from modules.supervision.docker import LateDocker


class ApiError(Exception):
    """Stands for what the SDK raises."""


@dataclass
class FakeContainer:
    status: str = "running"
    error: Exception | None = None
    restarts: list[int] = field(default_factory=list)

    def restart(self, *, timeout: int) -> None:
        if self.error is not None:
            raise self.error
        self.restarts.append(timeout)
        self.status = "running"


@dataclass
class FakeContainers:
    there: dict[str, FakeContainer]
    error: Exception | None = None

    def get(self, name: str) -> FakeContainer:
        if self.error is not None:
            raise self.error
        if name not in self.there:
            raise ApiError(f"404: no such container: {name}")
        return self.there[name]


def made(**containers: FakeContainer) -> tuple[Docker, FakeContainers]:
    fake = FakeContainers(containers)
    return Docker({"execution": "quantum_execution", "feed": "quantum_feed"}, fake, (ApiError, OSError)), fake


def test_services_go_by_their_own_names() -> None:
    assert made()[0].names() == ["execution", "feed"]


@pytest.mark.parametrize("status", ["exited", "restarting", "paused", "dead", "created", ""])
def test_only_a_container_that_runs_is_alive(status: str) -> None:
    docker, fake = made(quantum_execution=FakeContainer(status))
    assert not docker.is_alive("execution")
    docker.restart("execution")
    assert docker.is_alive("execution")
    assert len(fake.there["quantum_execution"].restarts) == 1


@pytest.mark.parametrize("error", [ApiError("500"), ConnectionError("refused"), TimeoutError("late")])
def test_what_docker_cannot_do_is_said_with_the_name_of_the_container(error: Exception) -> None:
    docker, fake = made(quantum_execution=FakeContainer(error=error))
    with pytest.raises(BackendError, match="`quantum_execution` does not restart"):
        docker.restart("execution")
    fake.error = error
    with pytest.raises(BackendError, match="quantum_execution"):
        docker.is_alive("execution")


def test_a_container_that_is_gone_and_a_service_that_nobody_knows_are_errors() -> None:
    docker, _ = made()
    with pytest.raises(BackendError, match="no such container"):
        docker.is_alive("feed")
    with pytest.raises(BackendError, match="no service is called `nobody`"):
        docker.restart("nobody")


def test_without_the_sdk_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "docker", None)
    with pytest.raises(BackendError, match="pip install docker"):
        Docker.of_this_machine({})


def test_a_daemon_that_does_not_answer_is_an_error_at_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, Any] = {}

    def from_env(**given: Any) -> Any:
        asked.update(given)
        if "broken" in asked:
            raise ApiError("no socket")
        return SimpleNamespace(containers=FakeContainers({"c": FakeContainer()}))

    sdk = SimpleNamespace(from_env=from_env, errors=SimpleNamespace(DockerException=ApiError))
    monkeypatch.setitem(sys.modules, "docker", sdk)
    assert Docker.of_this_machine({"s": "c"}).is_alive("s")
    assert asked["timeout"] > 0
    asked["broken"] = True
    with pytest.raises(BackendError, match="no daemon of Docker answers: no socket"):
        Docker.of_this_machine({"s": "c"})


def test_a_daemon_that_does_not_answer_yet_is_asked_again_and_each_thread_has_its_own_client(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clients: list[FakeContainers] = []
    errors: list[Exception] = [ApiError("no socket")]

    def from_env(**_: Any) -> Any:
        if errors:
            raise errors.pop()
        clients.append(FakeContainers({"c": FakeContainer()}))
        return SimpleNamespace(containers=clients[-1])

    sdk = SimpleNamespace(from_env=from_env, errors=SimpleNamespace(DockerException=ApiError))
    monkeypatch.setitem(sys.modules, "docker", sdk)
    late = LateDocker({"s": "c"})
    assert late.names() == ["s"]
    with pytest.raises(BackendError, match="no daemon of Docker answers"):
        late.is_alive("s")
    assert late.is_alive("s")
    with ThreadPoolExecutor(1) as pool:
        pool.submit(late.restart, "s").result()
    assert [len(client.there["c"].restarts) for client in clients] == [0, 1]
