"""Keys come from where nobody else can read them, and show nowhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from modules.venues import NotPermitted
from modules.venues.credentials import FILE, KEY, SECRET, credentials


def test_keys_from_the_environment_do_not_show() -> None:
    found = credentials({KEY: "my-key", SECRET: "my-secret"})
    assert found is not None
    assert found.secret.get_secret_value() == "my-secret"
    assert "my-" not in repr(found) + str(found)


def test_no_keys_are_none() -> None:
    assert credentials({}) is None


@pytest.mark.parametrize("environment", [{KEY: "k"}, {SECRET: "s"}, {KEY: "", SECRET: "s"}])
def test_half_a_pair_is_refused(environment: dict[str, str]) -> None:
    with pytest.raises(NotPermitted, match="belong together"):
        credentials(environment)


def secrets(path: Path, text: str, mode: int = 0o600) -> dict[str, str]:
    path.write_text(text)
    path.chmod(mode)
    return {FILE: str(path)}


def test_keys_from_a_file(tmp_path: Path) -> None:
    found = credentials(secrets(tmp_path / "s.toml", 'key = "k"\nsecret = "s"\n'))
    assert found is not None
    assert (found.key.get_secret_value(), found.secret.get_secret_value()) == ("k", "s")


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o666, 0o620])
def test_a_file_that_others_may_read_is_refused(tmp_path: Path, mode: int) -> None:
    with pytest.raises(NotPermitted, match="chmod 600"):
        credentials(secrets(tmp_path / "s.toml", 'key = "k"\nsecret = "s"\n', mode))


@pytest.mark.parametrize("text", ["", 'key = "k"', 'key = 1\nsecret = "s"', 'secret-text-"', 'key = ""\nsecret = "s"'])
def test_a_file_without_both_is_refused_and_not_quoted(tmp_path: Path, text: str) -> None:
    with pytest.raises(NotPermitted) as error:
        credentials(secrets(tmp_path / "s.toml", text))
    assert "secret-text" not in str(error.value)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NotPermitted, match="cannot be read"):
        credentials({FILE: str(tmp_path / "none")})
