"""Files that commands write: whole or not at all."""

from __future__ import annotations

import tempfile
from pathlib import Path

import typer

from policy_dsl.files import words_of


def write_whole(path: Path, text: str) -> None:
    """Put `text` at `path`, in place of what was there; an interruption leaves what was there.

    Raises BadParameter where the place cannot be written.
    """
    made: Path | None = None
    try:
        with tempfile.NamedTemporaryFile(
            "w", encoding="utf-8", dir=path.parent, prefix=f".{path.name}.", delete=False
        ) as file:
            made = Path(file.name)
            file.write(text)
        made.chmod(0o644)
        made.replace(path)
    except OSError as error:
        raise typer.BadParameter(f"`{path}` cannot be written: {words_of(error)}") from error
    finally:
        if made is not None:
            made.unlink(missing_ok=True)
