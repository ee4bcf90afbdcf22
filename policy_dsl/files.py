"""Reads the files of a bundle: bytes by name, and their text; nothing else judged yet."""

from __future__ import annotations

from pathlib import Path

from policy_dsl.diagnostics import Diagnostic, Findings, PolicyError, Source, Span

CONFIGURATION_FILE = "ringfence.toml"

MAX_FILE_BYTES = 64 * 1024 * 1024


def read_files(path: Path) -> dict[str, bytes]:
    """The files of a bundle by name: `*.rules` and `ringfence.toml` of a directory, or one rule file alone.

    Raises PolicyError if there is nothing to read.
    """
    if path.is_file():
        if path.name == CONFIGURATION_FILE:
            message = f"`{path}` is the configuration of a bundle, not a file of rules"
            raise PolicyError([Diagnostic("RF110", message, help="name its directory")])
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


def decoded(path: str, data: bytes, findings: Findings) -> Source:
    """The text of a file, without a byte order mark. What is no UTF-8 is reported (RF108), and stands as U+FFFD."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        text = data.decode("utf-8", errors="replace")
        at = len(data[: error.start].decode("utf-8", errors="replace"))
        findings.error("RF108", f"byte {error.start} is not UTF-8", Span(path, at, at + 1), "save the file as UTF-8")
    return Source(path, text)


def words_of(error: OSError) -> str:
    """What the system says of a file that it does not give, in the middle of a sentence."""
    return (error.strerror or "no access").lower()
