"""The file of watched services: what it may say, and what is refused with its file, table and key."""

from __future__ import annotations

from pathlib import Path

import pytest

from modules.supervision.heartbeats import Answer, TouchedFile
from modules.supervision.watch_file import WatchedService, read_watch_file
from policy_dsl.diagnostics import PolicyError
from tests.conftest import ROOT

ENVIRONMENT = {"HOME": "/home/ada", "PATH": "/bin", "TOKEN": "t", "RINGFENCE_VENUE_SECRET": "s", "OTHER": "o"}

WHOLE = """
[services.feed]
command = ["python", "feed.py"]
cwd = "work"
log = "/var/log/feed.log"
env = { DEPTH = "20", HOME = "/" }
pass_env = ["TOKEN"]
heartbeat = { file = "feed.beat", within = "3s", gone_after = "1m" }
reconnect = ["./reconnect.sh", "feed"]

[services.store]
unit = "postgresql@15-main.service"
affects_trading = false

[services.cache]
container = "redis"
heartbeat = { url = "http://[::1]:9000/health?full=1" }
"""


def read(folder: Path, text: str) -> tuple[WatchedService, ...]:
    path = folder / "services.toml"
    path.write_text(text, encoding="utf-8")
    return read_watch_file(path, ENVIRONMENT, {"venue"})


def refused(folder: Path, text: str) -> list[str]:
    with pytest.raises(PolicyError) as caught:
        read(folder, text)
    assert {d.code for d in caught.value.diagnostics} == {"RF854"}
    messages = [d.message.replace(f"{folder}/", "") for d in caught.value.diagnostics]
    assert all(message.startswith("`services.toml`") for message in messages)
    hints = [d.help for d in caught.value.diagnostics if d.help is not None]
    return [message.removeprefix("`services.toml`").removeprefix(": ") for message in messages] + hints


def test_all_that_a_table_may_say(tmp_path: Path) -> None:
    cache, feed, store = read(tmp_path, WHOLE)
    assert feed.command is not None
    assert feed.command.argv == ("python", "feed.py")
    assert feed.command.cwd == tmp_path / "work"
    assert feed.command.log == Path("/var/log/feed.log")
    # What the fund is told is not for everybody: the usual, what is named, and what stands here.
    assert feed.command.environment == {"HOME": "/", "PATH": "/bin", "TOKEN": "t", "DEPTH": "20"}
    assert feed.heartbeat == TouchedFile(tmp_path / "feed.beat", 3.0)
    assert (feed.affects_trading, feed.gone_after) == (True, 60.0)
    assert {item: found.argv for item, found in feed.repairs.items()} == {"RECONNECT": ("./reconnect.sh", "feed")}
    assert (store.unit, store.affects_trading, store.heartbeat) == ("postgresql@15-main.service", False, None)
    assert (cache.container, cache.heartbeat) == ("redis", Answer("http://[::1]:9000/health?full=1", 15.0))


def test_the_example_of_the_manual_is_right(tmp_path: Path) -> None:
    example = (ROOT / "docs" / "serving.md").read_text(encoding="utf-8").partition("```toml\n")[2].partition("```")[0]
    path = tmp_path / "services.toml"
    path.write_text(example, encoding="utf-8")
    cache, feed, prices = read_watch_file(path, {"FEED_TOKEN": "t"}, {"venue"})
    assert (cache.container, prices.unit) == ("redis", "postgresql.service")
    assert feed.heartbeat == TouchedFile(tmp_path / "feed" / "beat", 15.0)


def test_what_counts_as_another_command(tmp_path: Path) -> None:
    mark = read(tmp_path, WHOLE)[1].fingerprint
    assert read(tmp_path, WHOLE.replace("feed.beat", "beat"))[1].fingerprint == mark
    assert read(tmp_path, WHOLE.replace('"20"', '"10"'))[1].fingerprint != mark
    assert read(tmp_path, WHOLE.replace("work", "other"))[1].fingerprint != mark


A_NAME = "is no name: a letter or digit, then letters, digits and _ . @ : -"
WORDS = 'it is to be a list of words, as in ["python", "feed.py"]'
TEXT = 'it is to be text, as in "..."'
ONE = "a service is one of `command`, `unit` and `container`"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "[services]: it is missing"),
        ("services = 1", "[services]: it is to be a table"),
        ("[services]", "[services]: it names no service"),
        ("[service.f]\nunit = 'a'", "[service]: there is no such key"),
        (
            "[services.venue]\nunit = 'a'",
            "[services.venue]: the fund itself has a service `venue`: choose another name",
        ),
        ("[services.'a b']\nunit = 'a'", f"[services.a b]: `a b` {A_NAME}"),
        ("[services.a]\nunit = 'x'\n[services.b]\nunit = 'x'", "`a` and `b` are one unit, `x`"),
        ("[services.a", "is no TOML: Expected ']' at the end of a table declaration (at end of document)"),
    ],
)
def test_what_is_wrong_in_the_file_is_said(tmp_path: Path, text: str, said: str) -> None:
    assert said in [message.strip() for message in refused(tmp_path, text)]


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ("commnd = ['a']", " `commnd`: there is no such key"),
        ("command = 'a'", f" `command`: {WORDS}"),
        ("command = []", " `command`: it names no program"),
        ("command = ['-a']", " `command`: it names no program"),
        ("command = ['a', 1]", f" `command.1`: {TEXT}"),
        ('command = ["a\\u0000"]', " `command.0`: it holds a zero byte"),
        ("unit = '--now'", f" `unit`: `--now` {A_NAME}"),
        ("unit = 'a'\ncontainer = 'b'", f": {ONE}"),
        ("affects_trading = true", f": {ONE}"),
        ("unit = 'a'\naffects_trading = 1", " `affects_trading`: it is to be true or false"),
        ("unit = 'a'\ncwd = '/'", ": `cwd` is for commands, and it has none"),
        ("command = ['a']\nlog = ''", " `log`: it is empty"),
        ("command = ['a']\npass_env = ['NOPE']", " `pass_env`: `NOPE` is not set"),
        ("command = ['a']\nenv = { A = 1 }", f" `env.A`: {TEXT}"),
        ("command = ['a']\nenv = { 'A=' = '1' }", " `env.A=`: `A=` is no name of a variable of the environment"),
    ],
)
def test_what_is_wrong_in_a_table_is_said_with_the_table_and_the_key(tmp_path: Path, keys: str, said: str) -> None:
    assert f"[services.f]{said}" in refused(tmp_path, f"[services.f]\n{keys}")


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ("5", ": it is to be a table"),
        ("{}", ": a heartbeat is one of `file` and `url`"),
        ("{ file = 'a', url = 'http://localhost/' }", ": a heartbeat is one of `file` and `url`"),
        ("{ fil = 'a' }", " `fil`: there is no such key"),
        (
            "{ file = 'a', within = 15 }",
            ' `within`: `15` is no duration: write one with its unit, in quotes, as in "15s"',
        ),
        ("{ file = 'a', within = ['15s'] }", f" `within`: {TEXT}"),
        ("{ file = 'a', within = '0s' }", " `within`: `0s` is no duration such as 5s"),
        ("{ file = 'a', within = '5%' }", " `within`: `5%` is no duration such as 5s"),
        ("{ file = 'a', gone_after = '5s' }", ": `gone_after` (5s) is shorter than `within` (15s)"),
    ],
)
def test_what_is_wrong_in_a_heartbeat_is_said(tmp_path: Path, table: str, said: str) -> None:
    assert f"[services.f.heartbeat]{said}" in refused(tmp_path, f"[services.f]\nunit = 'a'\nheartbeat = {table}")


@pytest.mark.parametrize(
    "url",
    ["https://127.0.0.1/", "http://example.com/", "http://127.0.0.1:99999/", "http://127.0.0.1:0/", "http://a@localhost/",
     "http://127.0.0.1.example.com/", "http://localhost/a b", "http://[::1", "/health", ""],
)  # fmt: skip
def test_only_pages_of_this_machine_are_asked(tmp_path: Path, url: str) -> None:
    (said,) = refused(tmp_path, f"[services.f]\nunit = 'a'\nheartbeat = {{ url = '{url}' }}")
    assert said == (
        f"[services.f.heartbeat] `url`: `{url}` is no page of this machine, such as http://127.0.0.1:9000/health"
    )


def test_all_that_is_wrong_is_said_at_once(tmp_path: Path) -> None:
    found = refused(tmp_path, "[services.a]\nunits = 'x'\n[services.b]\nunit = 'y'\nheartbeat = { every = '1s' }\n")
    assert "[services.a] `units`: there is no such key" in found
    assert "did you mean `unit`?" in found
    assert "[services.b.heartbeat] `every`: there is no such key" in found


def test_a_file_that_cannot_be_read_or_that_everybody_can_write_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "services.toml"
    with pytest.raises(PolicyError, match="cannot be read: no such file or directory"):
        read_watch_file(path, {}, ())
    with pytest.raises(PolicyError, match="cannot be read: is a directory"):
        read_watch_file(tmp_path, {}, ())
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(PolicyError, match="is no TOML"):
        read_watch_file(path, {}, ())
    path.write_text(WHOLE, encoding="utf-8")
    path.chmod(0o666)
    with pytest.raises(PolicyError, match="can be written by everybody, and names commands: chmod o-w"):
        read_watch_file(path, ENVIRONMENT, ())


def test_what_a_service_is_told_is_not_printed(tmp_path: Path) -> None:
    text = '[services.feed]\ncommand = ["feed"]\npass_env = ["RINGFENCE_VENUE_SECRET"]\nenv = { PASS = "w0rd" }'
    (service,) = read(tmp_path, text)
    assert service.command is not None
    assert service.command.environment == {
        "HOME": "/home/ada",
        "PATH": "/bin",
        "RINGFENCE_VENUE_SECRET": "s",
        "PASS": "w0rd",
    }
    assert "environment" not in repr(service)
    assert "w0rd" not in repr(service)
