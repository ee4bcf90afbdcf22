"""What every test may use: Hypothesis profiles, golden files, and the recorded data beside the checkout.

`RINGFENCE_HYPOTHESIS` chooses the examples that a property gets: `quick` (the default) draws few, the same each time,
so that one commit has one verdict; `long` draws many, new ones in every run. `--update` rewrites golden files instead
of comparing with them.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
import structlog
from hypothesis import HealthCheck, settings

from evaluators.python.evaluator import _both
from policy_dsl.bundle import Report, bundle_hash, check_files
from policy_dsl.catalogue import Catalogue
from policy_dsl.program import Program

ROOT = Path(__file__).resolve().parent.parent

# How long an example takes says more about the machine than about the code, so no profile judges it.
for _profile, _examples in (("quick", 25), ("long", 1000)):
    settings.register_profile(
        _profile,
        max_examples=_examples,
        deadline=None,
        derandomize=_profile == "quick",
        print_blob=True,
        suppress_health_check=[HealthCheck.too_slow],
    )
settings.load_profile(os.environ.get("RINGFENCE_HYPOTHESIS", "quick"))


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--update`."""
    parser.addoption("--update", action="store_true", help="rewrite golden files with what the code makes now")


@dataclass(frozen=True, slots=True)
class Golden:
    """Texts kept in files of the repository."""

    update: bool

    def expected(self, path: Path, actual: str) -> str:
        """The text of the file at `path`, which `actual` is to equal; with `--update` the file is made to hold it."""
        if self.update:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(actual, encoding="utf-8")
        shown = path.relative_to(ROOT) if path.is_relative_to(ROOT) else path
        assert path.exists(), f"{shown} does not exist; `pytest --update` makes it"
        return path.read_text(encoding="utf-8")


@pytest.fixture(scope="session")
def golden(request: pytest.FixtureRequest) -> Golden:
    """The comparison with golden files, as `--update` says."""
    return Golden(update=bool(request.config.getoption("--update")))


@pytest.fixture(scope="module", autouse=True)
def _logging_as_it_comes() -> Iterator[None]:
    """What a module, or a command that it ran, made of logging is not for the next module to find."""
    yield
    structlog.reset_defaults()


REPORTS_KEPT = 16

_reports: dict[tuple[object, ...], Report] = {}


def checked_once(
    contents: Mapping[str, bytes], catalogue: Catalogue, *, prefix: str = "", today: int | None = None
) -> Report:
    """As `check_files`: what was found of the same files not long before in this process, which takes seconds."""
    key = (bundle_hash(contents, catalogue), prefix, today)
    if key not in _reports:
        if len(_reports) >= REPORTS_KEPT:
            del _reports[next(iter(_reports))]
        _reports[key] = check_files(contents, catalogue, prefix=prefix, today=today)
    return _reports[key]


MANY_RULES = 50

_compiled: deque[object] = deque(maxlen=8)


def compiled_once(program: Program) -> object:
    """As an evaluator compiles it; of many rules, which take long, the result is kept for the next evaluator."""
    found = _both(program)
    if len(program.rules) >= MANY_RULES and all(kept is not found for kept in _compiled):
        _compiled.append(found)
    return found


@pytest.fixture(scope="session", autouse=True)
def _the_same_rules_are_made_ready_once() -> Iterator[None]:
    """Funds of many tests work by the rules that come with ringfence, as they are or in the same other modes."""
    with pytest.MonkeyPatch.context() as patch:
        for module in ("modules.runtime.switchboard", "modules.trading_day.arms"):
            patch.setattr(f"{module}.check_files", checked_once)
        patch.setattr("evaluators.python.evaluator._both", compiled_once)
        yield


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of recorded market data beside the checkout; skips where it is not there."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"needs the recorded data in {folder}, which is not part of the repository")
    return folder
