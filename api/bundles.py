"""Where the rules are, and the bundle in them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

import api

if TYPE_CHECKING:
    from policy_dsl.bundle import Bundle, Report
    from policy_dsl.catalogue import Catalogue

RulesArgument = Annotated[
    Path | None,
    typer.Argument(
        metavar="[RULES]",
        envvar="RINGFENCE_RULES",
        show_envvar=True,
        help="A directory of rule files, or one file; ./rules, else those that come with ringfence.",
    ),
]
"""The rules that a command works on, as its argument."""

RulesOption = Annotated[
    Path | None,
    typer.Option(
        "--rules",
        metavar="DIR",
        envvar="RINGFENCE_RULES",
        help="A directory of rule files, or one file; ./rules, else those that come with ringfence.",
    ),
]
"""The rules that a command works with, as an option."""


def rules_path(given: Path | None) -> Path:
    """The rules to use: those given, else `rules` in the working directory, else those that come with ringfence."""
    if given is not None:
        return given
    here = Path("rules")
    return here if here.is_dir() else packaged_rules()


def packaged_rules() -> Path:
    """The rules that come with ringfence, beside its packages in a checkout and in site-packages alike."""
    return Path(api.__file__).resolve().parents[1] / "rules"


def catalogue() -> Catalogue:
    """Every fact that rules may name."""
    from modules.facts import default_catalogue

    return default_catalogue()


def checked(path: Path) -> Report:
    """What a check of the rules at `path` finds. Raises PolicyError (RF110) if there is nothing to read."""
    from policy_dsl.bundle import check_files, read_files

    prefix = "" if path.is_file() else f"{path}/"
    return check_files(read_files(path), catalogue(), prefix=prefix)


def opened(path: Path) -> Bundle:
    """The bundle at `path`, ready to run. Raises PolicyError with every error."""
    from policy_dsl.bundle import load

    return load(path, catalogue())
