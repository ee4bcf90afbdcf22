"""Rules as they were: a directory, or a revision of the git repository that holds the rules."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from api.bundles import bundle_of, opened
from policy_dsl.files import CONFIGURATION_FILE

if TYPE_CHECKING:
    from policy_dsl.bundle import Bundle


def rules_at(word: str, rules: Path) -> Bundle:
    """The bundle in the directory `word`, or, if there is none, in `rules` as of the git revision `word`.

    Raises BadParameter if it is neither, PolicyError with every error of the rules.
    """
    if Path(word).exists():
        return opened(Path(word))
    directory = (rules if rules.is_dir() else rules.parent).resolve()
    listed = _git(directory, "ls-tree", "--name-only", word, "./")
    if listed is None:
        raise typer.BadParameter(f"`{word}` is neither a directory nor a git revision of `{directory}`")
    wanted = [n for n in listed.decode().splitlines() if n.endswith(".rules") or n == CONFIGURATION_FILE]
    found = {name: _git(directory, "show", f"{word}:./{name}") for name in wanted}
    contents = {name: data for name, data in found.items() if data is not None}
    if not any(name.endswith(".rules") for name in contents):
        raise typer.BadParameter(f"`{word}` holds no rule files in `{directory}`")
    return bundle_of(contents, f"{word}:")


def _git(directory: Path, *arguments: str) -> bytes | None:
    """What git prints, None where it refuses or is not there."""
    try:
        command = ["git", "-C", str(directory), *arguments]
        done = subprocess.run(command, check=True, capture_output=True)  # noqa: S603 -- a list, so no shell reads it
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout
