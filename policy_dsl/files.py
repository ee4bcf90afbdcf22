"""Reads the files of a bundle: bytes by name, nothing judged yet."""

from __future__ import annotations

from pathlib import Path

from policy_dsl.diagnostics import Diagnostic, PolicyError

CONFIGURATION_FILE = "ringfence.toml"

MAX_FILE_BYTES = 64 * 1024 * 1024


def read_files(path: Path) -> dict[str, bytes]:
    """The files of a bundle by name: `*.rules` and `ringfence.toml` of a directory, or one rule file alone.

    Raises PolicyError if there is nothing to read.
    """
    if path.is_file():
        return {path.name: _read(path)}
    if not path.is_dir():
        raise PolicyError([Diagnostic("RF110", f"there is no directory or rule file `{path}`")])
    found = {f.name: _read(f) for f in sorted(path.glob("*.rules")) if f.is_file()}
    if not found:
        raise PolicyError([Diagnostic("RF110", f"`{path}` holds no rule files", help="rule files end in `.rules`")])
    configuration = path / CONFIGURATION_FILE
    if configuration.is_file():
        found[CONFIGURATION_FILE] = _read(configuration)
    return found


def _read(path: Path) -> bytes:
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise PolicyError([Diagnostic("RF110", f"`{path}` is larger than {MAX_FILE_BYTES >> 20} MiB")])
        return path.read_bytes()
    except OSError as error:
        reason = (error.strerror or "unreadable").lower()
        raise PolicyError([Diagnostic("RF110", f"`{path}` cannot be read: {reason}")]) from error
