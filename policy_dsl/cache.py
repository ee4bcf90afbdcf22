"""Checked bundles kept between runs, by content hash: of the rule files, and of the code that checks them.

What is read back can only be data of the language's own classes: the unpickler knows no others, so a cache file cannot
run code. A file that is damaged, or lies where somebody else may write, counts as absent.
"""

from __future__ import annotations

import enum
import hashlib
import io
import os
import pickle
import stat
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import is_dataclass
from pathlib import Path
from typing import Any

_MODULES = frozenset(
    f"policy_dsl.{name}"
    for name in (
        "bundle", "cases", "configuration", "diagnostics", "nodes", "operators", "program", "quantities", "syntax",
        "syntax_expressions", "syntax_steps", "types",
    )
)  # fmt: skip
_KEPT = 64
_DIGEST = 32


def cache_directory() -> Path | None:
    """Where checked bundles are kept: `RINGFENCE_CACHE`, else the user's cache.

    None where that is switched off (`RINGFENCE_CACHE=off`) or is not ours alone to write.
    """
    named = os.environ.get("RINGFENCE_CACHE")
    if named == "off":
        return None
    base = os.environ.get("XDG_CACHE_HOME")
    path = Path(named) if named else (Path(base) if base else Path.home() / ".cache") / "ringfence"
    try:
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
        found = path.stat()
    except OSError:
        return None
    ours = found.st_uid == os.getuid() and not found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    return path if ours else None


def cache_key(contents: Mapping[str, bytes], code: Iterable[Path], *more: str) -> str:
    """The key of a check: the files' contents, every source file below `code`, the Python version, and `more`."""
    digest = hashlib.sha256(repr((sys.version, more)).encode())
    for name in sorted(contents):
        digest.update(repr((name, hashlib.sha256(contents[name]).hexdigest())).encode())
    for directory in code:
        for path in sorted(p for p in directory.rglob("*") if p.suffix in (".py", ".lark")):
            digest.update(repr((str(path.relative_to(directory)), path.stat().st_size)).encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()


def cached(key: str, make: Callable[[], Any]) -> Any:
    """What is kept under `key`, else what `make` makes, which is kept then.

    `make` returns values of the language's classes (a bundle, diagnostics), or plain data of them.
    """
    directory = cache_directory()
    if directory is None:
        return make()
    path = directory / f"{key}.checked"
    found = _read(path)
    if found is None:
        found = (make(),)
        _write(path, found)
    return found[0]


def _read(path: Path) -> tuple[Any] | None:
    try:
        data = path.read_bytes()
    except OSError:
        return None
    digest, payload = data[:_DIGEST], data[_DIGEST:]
    if hashlib.sha256(payload).digest() != digest:
        return None
    try:
        value = _Unpickler(io.BytesIO(payload)).load()
    except (pickle.UnpicklingError, AttributeError, ImportError, EOFError, IndexError, TypeError, ValueError):
        return None
    return value if isinstance(value, tuple) else None


def _write(path: Path, value: tuple[Any]) -> None:
    payload = pickle.dumps(value, protocol=5)
    try:
        with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
            file.write(hashlib.sha256(payload).digest() + payload)
        Path(file.name).replace(path)
        _prune(path.parent)
    except OSError:
        return  # a full or read-only disk costs speed, nothing else


def _prune(directory: Path) -> None:
    """Drop the oldest files beyond what is worth keeping."""
    files = sorted(directory.glob("*.checked"), key=lambda p: p.stat().st_mtime)
    for path in files[:-_KEPT]:
        path.unlink(missing_ok=True)


class _Unpickler(pickle.Unpickler):
    """Reads data of the language's own classes, and no code."""

    def find_class(self, module: str, name: str) -> Any:
        if module in _MODULES:
            found = super().find_class(module, name)
            if isinstance(found, type) and (is_dataclass(found) or issubclass(found, enum.Enum | tuple)):
                return found
        raise pickle.UnpicklingError(f"{module}.{name} has no place in a checked bundle")
