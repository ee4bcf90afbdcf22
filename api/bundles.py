"""Where the rules are, what a check of them finds, and the bundle in them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

import api
from policy_dsl.cache import cache_key, cached
from policy_dsl.diagnostics import Diagnostic, PolicyError, Severity, Source
from policy_dsl.files import read_files

if TYPE_CHECKING:
    from policy_dsl.bundle import Bundle, Report
    from policy_dsl.catalogue import Catalogue

_HELP = "A directory of rule files, or one file; ./rules, else those that come with ringfence."

RulesArgument = Annotated[
    Path | None, typer.Argument(metavar="RULES", envvar="RINGFENCE_RULES", show_envvar=True, help=_HELP)
]
"""The rules that a command works on, as its argument."""

RulesOption = Annotated[Path | None, typer.Option("--rules", metavar="DIR", envvar="RINGFENCE_RULES", help=_HELP)]
"""The rules that a command works with, as an option."""

_ROOT = Path(api.__file__).resolve().parents[1]
_SECONDS_A_DAY = 86_400
_CHECKING = (_ROOT / "policy_dsl", _ROOT / "modules" / "facts")
"""The code that a check depends on: the language, and the facts that rules may name."""


@dataclass(frozen=True, slots=True)
class Checked:
    """What a check of a bundle finds.

    `bundle` is its hash, None if anything is an error; `counts` say how much of what is in it (policies, rules,
    outputs, tests), `versions` holds the version of each policy.
    """

    bundle: str | None
    counts: Mapping[str, int]
    versions: Mapping[str, str]
    diagnostics: tuple[Diagnostic, ...]
    sources: Mapping[str, Source]


def rules_path(given: Path | None) -> Path:
    """The rules to use: those given, else `rules` in the working directory, else those that come with ringfence."""
    if given is not None:
        return given
    here = Path("rules")
    return here if here.is_dir() else near(packaged_rules())


def packaged_rules() -> Path:
    """The rules that come with ringfence, beside its packages in a checkout and in site-packages alike."""
    return _ROOT / "rules"


def near(path: Path) -> Path:
    """The path from the working directory, where it leads down; people read that more easily."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def catalogue() -> Catalogue:
    """Every fact that rules may name."""
    from modules.facts import default_catalogue

    return default_catalogue()


def prefix_of(path: Path) -> str:
    """What stands before file names in diagnostics about the rules at `path`."""
    directory = path.parent if path.is_file() else path
    return "" if directory == Path() else f"{directory}/"


def checked(path: Path) -> Checked:
    """What a check of the rules at `path` finds; the answer to a question asked before is remembered.

    Raises PolicyError (RF110) if there is nothing to read.
    """
    contents, prefix = read_files(path), prefix_of(path)
    plain, diagnostics = cached(_key("findings", contents, prefix), lambda: _findings(contents, prefix))
    sources, diagnostics = _sources(contents, prefix), (*diagnostics, *_alone(path, diagnostics))
    return Checked(plain["bundle"], plain["counts"], plain["versions"], diagnostics, sources)


def opened(path: Path) -> Bundle:
    """The bundle at `path`, ready to run. Raises PolicyError with every error."""
    try:
        return bundle_of(read_files(path), prefix_of(path))
    except PolicyError as error:
        raise PolicyError((*error.diagnostics, *_alone(path, error.diagnostics)), error.sources) from error


def bundle_of(contents: Mapping[str, bytes], prefix: str) -> Bundle:
    """The bundle made of rule files given by name, remembered too. Raises PolicyError with every error."""

    def made() -> tuple[Bundle | None, tuple[Diagnostic, ...]]:
        report = _report(contents, prefix)
        return report.bundle, report.diagnostics

    bundle: Bundle | None
    bundle, diagnostics = cached(_key("bundle", contents, prefix), made)
    if bundle is None:
        raise PolicyError((d for d in diagnostics if d.is_error), _sources(contents, prefix))
    return bundle


def _alone(path: Path, found: Iterable[Diagnostic]) -> Iterator[Diagnostic]:
    """A note where names are not found by a file that was read without the files beside it."""
    unknown = any(diagnostic.code == "RF201" for diagnostic in found)
    if unknown and path.is_file() and len(list(path.parent.glob("*.rules"))) > 1:
        message = f"`{path}` was read alone, without the policies beside it"
        yield Diagnostic("RF201", message, None, f"name its directory: `{path.parent}`", severity=Severity.NOTE)


def _key(what: str, contents: Mapping[str, bytes], prefix: str) -> str:
    return cache_key(contents, _CHECKING, what, prefix, str(_today()))


def _today() -> int:
    """When this day began, UTC (ms): a check reports exceptions that had expired by then."""
    return int(datetime.now(UTC).timestamp()) // _SECONDS_A_DAY * _SECONDS_A_DAY * 1000


def _findings(contents: Mapping[str, bytes], prefix: str) -> tuple[dict[str, Any], tuple[Diagnostic, ...]]:
    report = _report(contents, prefix)
    bundle = report.bundle
    plain: dict[str, Any] = {"bundle": None, "counts": {"file": len(contents)}, "versions": {}}
    if bundle is not None:
        sizes = (len(bundle.policies), len(bundle.program.rules), len(bundle.program.outputs), len(bundle.cases))
        plain["bundle"] = bundle.hash
        plain["counts"] = dict(zip(("policy", "rule", "output", "test"), sizes, strict=True))
        plain["versions"] = {p.name: p.version for p in bundle.policies}
    return plain, report.diagnostics


def _report(contents: Mapping[str, bytes], prefix: str) -> Report:
    from policy_dsl.bundle import check_files

    return check_files(contents, catalogue(), prefix=prefix, today=_today())


def _sources(contents: Mapping[str, bytes], prefix: str) -> dict[str, Source]:
    return {prefix + n: Source(prefix + n, d.decode("utf-8-sig", errors="replace")) for n, d in contents.items()}
