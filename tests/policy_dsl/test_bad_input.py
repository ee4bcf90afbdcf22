"""Input that no author means: diagnostics come of it, in bounded time, and never an exception."""

from __future__ import annotations

from pathlib import Path

import pytest

from policy_dsl.bundle import Report, check_files, load, load_text
from policy_dsl.diagnostics import PolicyError, render
from policy_dsl.files import MAX_FILE_BYTES, read_files
from tests.catalogue_for_tests import small_catalogue

CATALOGUE = small_catalogue()
HEAD = b"policy p version 1.0.0\n"
WHEN = HEAD + b"rule r\n  when "
EFFECT = b"\n  alert INFO\n"


def said(contents: dict[str, bytes]) -> list[str]:
    """The codes of what is found, every finding written out on the way."""
    report: Report = check_files(contents, CATALOGUE, today=0)
    errors = [d.code for d in report.diagnostics if d.is_error]
    assert (report.bundle is None) == bool(errors)
    for found in report.diagnostics:
        assert render(found, report.sources)
        assert found.as_json(report.sources)["code"] == found.code
    return errors


REFUSED = {
    "no text at all": (b"", "RF106"),
    "blanks": (b" \r\n\t\f\n", "RF106"),
    "comments alone": (b"# nothing\n" * 1000, "RF106"),
    "bytes that are not UTF-8": (b"\xff\xfe\xfa" * 1000, "RF108"),
    "a character cut in half": (HEAD + b'test "\xc3" expect yes', "RF108"),
    "half of a surrogate pair": (HEAD + b"rule \xed\xa0\x80", "RF108"),
    "UTF-16": ("policy p version 1.0.0".encode("utf-16"), "RF108"),
    "a second byte order mark": (b"\xef\xbb\xbf\xef\xbb\xbf" + HEAD, "RF102"),
    "NUL": (HEAD + b"\0" * 1000, "RF102"),
    "NUL between words": (b"policy p\0version 1.0.0", "RF102"),
    "emoji": (HEAD + "rule 😀 alert INFO".encode(), "RF102"),
    "text that runs backwards": (HEAD + "param \u202egnp = 3%".encode(), "RF102"),
    "a rule behind the end of a comment's line": (HEAD + b"# so\rrule r alert INFO\n", "RF102"),
    "a comment that runs backwards": (HEAD + "# \u202eoga".encode(), "RF102"),
    "a text that runs backwards": (HEAD + 'test "\u2066a" expect yes'.encode(), "RF102"),
    "a letter of no width in a text": (HEAD + 'test "BTC\u200bUSDT" expect yes'.encode(), "RF102"),
    "an escape for terminals": (HEAD + b"# \x1b[2J", "RF102"),
    "line separators of Unicode": (HEAD + "rule a\u2028alert INFO".encode(), "RF102"),
    "brackets 10 000 deep": (WHEN + b"(" * 10_000 + b"yes" + b")" * 10_000 + EFFECT, "RF104"),
    "brackets never closed": (WHEN + b"([{" * 10_000, "RF104"),
    "10 000 times not": (WHEN + b"not " * 10_000 + b"yes" + EFFECT, "RF104"),
    "10 000 minus signs": (WHEN + b"-" * 10_000 + b"5 > 3" + EFFECT, "RF104"),
    "10 000 sums": (WHEN + b"1" + b"+1" * 10_000 + b" > 3" + EFFECT, "RF104"),
    "5 000 times throughout": (WHEN + b"yes" + b" throughout 5m" * 5_000 + EFFECT, "RF104"),
    "keys 10 000 deep": (WHEN + b"a[" * 10_000 + b'"x"' + b"]" * 10_000 + EFFECT, "RF104"),
    "not, in a reason": (HEAD + b'rule r alert INFO because "{' + b"not " * 10_000 + b'yes}"', "RF104"),
    "not, in a table": (HEAD + b'test "a"\n  | ' + b"not " * 10_000 + b"yes |\n  | yes |\n", "RF104"),
    "a word of 1 MB": (WHEN + b"a" * 1_000_000 + EFFECT, "RF201"),
    "a level of 1 MB": (WHEN + b"A" * 1_000_000 + EFFECT, "RF203"),
    "a number of 1 MB": (WHEN + b"9" * 1_000_000 + b" > 3" + EFFECT, "RF105"),
    "a number of 5 000 digits": (WHEN + b"9" * 5_000 + b" > 3" + EFFECT, "RF105"),
    "5 MB of text that is not closed": (HEAD + b'test "' + b"x" * 5_000_000, "RF103"),
    "backslashes": (HEAD + b'test "' + b"\\" * 200_000, "RF103"),
    "quotes with backslashes": (HEAD + b'test "' + b'\\"' * 200_000, "RF103"),
    "quotes": (HEAD + b'"' * 100_001, "RF101"),
    "bars": (HEAD + b'test "a" expect yes ' + b"|" * 20_000, "RF312"),
    "bars in quotes": (HEAD + b'test "a" | ' + b'"\\"' * 100_000 + b"|", "RF312"),
    "holes never closed": (HEAD + b'rule r alert INFO because "' + b"{" * 10_001 + b'"', "RF101"),
    "200 000 halves of rules": (b"rule\n" * 200_000, "RF101"),
    "blanks before a foreign sign": (HEAD + b"rule r alert INFO" + b" " * 100_000 + b"@", "RF102"),
    "blanks before a foreign sign in a table": (HEAD + b'test "a"\n  | a | ' + b" " * 1_000 + b"@ |\n", "RF102"),
    "signs of comments before a foreign sign": (HEAD + b"rule r alert INFO " + b"# " * 10_000 + b"\n@", "RF102"),
    "100 000 foreign signs": (HEAD + b"rule r alert INFO @\n" * 100_000, "RF102"),
    "2 000 rules of one name": (HEAD + b"rule r alert INFO\n" * 2_000, "RF301"),
    "a set of 10 000 items": (HEAD + b"output x: set of A" + b"".join(b", A%d" % i for i in range(10_000)), "RF305"),
    "a repetition of 10 000 digits": (HEAD + b'test "a" series a = 3% x' + b"9" * 10_000 + b" expect yes", "RF101"),
    "a billion snapshots": (HEAD + b'test "a" series account.drawdown = 3% x999999999 expect yes', "RF314"),
    "a time out of sight": (HEAD + b'test "a" at 9999999999999999999d expect yes', "RF105"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_it_is_refused(name: str) -> None:
    data, code = REFUSED[name]
    assert code in said({"p.rules": data})


ACCEPTED = {
    "a byte order mark": b"\xef\xbb\xbf" + HEAD,
    "line ends of Windows": (WHEN + b"operator.stop_requested" + EFFECT).replace(b"\n", b"\r\n"),
    "line ends of long ago": (WHEN + b"operator.stop_requested" + EFFECT).replace(b"\n", b"\r"),
    "a comment of 5 MB": HEAD + b"# " + b"x" * 5_000_000,
    "1 MB of blanks": HEAD + b" " * 1_000_000 + EFFECT.replace(b"\n", b"").replace(b"  alert", b"rule r alert"),
    "a name of 1 MB": HEAD + b'test "' + b"x" * 1_000_000 + b'" expect operator.stop_requested is no',
    "2 000 conjuncts": WHEN + b"operator.stop_requested" + b" and operator.stop_requested" * 2_000 + EFFECT,
    "10 000 levels": HEAD + b"levels x = A" + b"".join(b" < A%d" % i for i in range(10_000)),
    "brackets 10 000 deep around a hole": HEAD
    + b'rule r alert INFO because "{'
    + b"(" * 10_000
    + b"account.drawdown"
    + b")" * 10_000
    + b'}"',
}


@pytest.mark.parametrize("name", ACCEPTED)
def test_it_is_accepted(name: str) -> None:
    assert said({"p.rules": ACCEPTED[name]}) == []


def test_a_long_line_is_shown_around_the_error() -> None:
    report = check_files({"p.rules": HEAD + b"rule r when " + b"yes and " * 5_000 + b"@" + EFFECT}, CATALOGUE)
    (found,) = report.diagnostics
    shown = render(found, report.sources)
    assert "@" in shown
    assert len(shown) < 1_000


def test_a_file_with_very_many_errors_says_that_it_stops() -> None:
    report = check_files({"p.rules": b"rule\n" * 100_000}, CATALOGUE)
    assert "this file has 500 syntax errors or more, and is read no further" in {d.message for d in report.diagnostics}


TOML = {
    "no TOML": b"[modes",
    "a number of 5 000 digits": b"[params]\nx = " + b"9" * 5_000,
    "brackets 100 000 deep": b"x = " + b"[" * 100_000,
    "a table for a word": b"[modes.p]\nx = 1",
    "a list for a table": b"params = [1, 2]",
    "a list for a word": b'[modes]\np = ["off"]',
    "bytes that are not UTF-8": b"\xff\xfe",
    "NUL": b"\0",
    "keys of every kind": b'[params]\n"" = "1"\n" " = "x"\n"p.x" = "y"\n\'q\' = true',
    "a gap that is none": b"[bundle]\nmax_gap = -1",
    "a gap of a table": b"[bundle.max_gap]\nx = 1",
    "dates": b"[params]\np.x = 1979-05-27T07:32:00Z",
    "infinity": b"[params]\np.x = inf",
}


@pytest.mark.parametrize("name", TOML)
def test_a_configuration_is_refused(name: str) -> None:
    assert said({"p.rules": HEAD, "ringfence.toml": TOML[name]})


def test_a_directory_that_is_not_there_is_an_error() -> None:
    with pytest.raises(PolicyError) as refused:
        load(Path("/nowhere/rules"), CATALOGUE)
    assert [d.code for d in refused.value.diagnostics] == ["RF110"]


def test_a_directory_without_rules_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("policy", encoding="utf-8")
    (tmp_path / "folder.rules").mkdir()
    with pytest.raises(PolicyError) as refused:
        load(tmp_path, CATALOGUE)
    assert [d.code for d in refused.value.diagnostics] == ["RF110"]


def test_a_file_that_is_too_large_is_an_error(tmp_path: Path) -> None:
    with (tmp_path / "large.rules").open("wb") as file:
        file.truncate(MAX_FILE_BYTES + 1)
    with pytest.raises(PolicyError) as refused:
        read_files(tmp_path)
    assert [d.code for d in refused.value.diagnostics] == ["RF110"]


def test_a_file_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "loop.rules").symlink_to(tmp_path / "loop.rules")
    with pytest.raises(PolicyError) as refused:
        read_files(tmp_path / "loop.rules")
    assert [d.code for d in refused.value.diagnostics] == ["RF110"]


def test_every_error_of_a_bundle_is_raised_at_once() -> None:
    with pytest.raises(PolicyError) as refused:
        load_text({"a.rules": "policy a version 1\nrule r when x alert INFO", "b.rules": "policy"}, CATALOGUE)
    assert {d.code for d in refused.value.diagnostics} == {"RF101", "RF201", "RF308"}
