"""The keys of a venue: from the environment, or from a file that nobody else can read; never shown."""

from __future__ import annotations

import os
import stat
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import SecretStr

from modules.venues.venue import NotPermitted

KEY, SECRET, FILE = "RINGFENCE_VENUE_KEY", "RINGFENCE_VENUE_SECRET", "RINGFENCE_VENUE_SECRETS"


@dataclass(frozen=True, slots=True)
class Credentials:
    """A key and its secret; neither shows in repr, str or a log."""

    key: SecretStr
    secret: SecretStr


def credentials(environment: Mapping[str, str]) -> Credentials | None:
    """The keys that an environment names: itself, or in the TOML file (`key`, `secret`) that it names.

    None where it names none. Raises NotPermitted for half a pair, or a file that others may read.
    """
    if FILE in environment:
        return _of_file(Path(environment[FILE]))
    key, secret = environment.get(KEY, ""), environment.get(SECRET, "")
    if not key and not secret:
        return None
    if not key or not secret:
        raise NotPermitted(f"`{KEY}` and `{SECRET}` belong together, and one of them is not set")
    return Credentials(SecretStr(key), SecretStr(secret))


def _of_file(path: Path) -> Credentials:
    try:
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            if stat.S_IMODE(status.st_mode) & 0o077 or status.st_uid != os.geteuid():
                raise NotPermitted(f"`{path}` must belong to its reader alone: chmod 600")
            found = tomllib.load(file)
    except OSError as error:
        raise NotPermitted(f"`{path}` cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError):
        # The message of the parser would quote the file.
        raise NotPermitted(f"`{path}` is no TOML") from None
    key, secret = found.get("key"), found.get("secret")
    if not isinstance(key, str) or not isinstance(secret, str) or not key or not secret:
        raise NotPermitted(f"`{path}` must hold `key` and `secret`")
    return Credentials(SecretStr(key), SecretStr(secret))
