"""Documents in files are read with every problem at its place."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from evaluators.documents import (
    read_documents,
)
from policy_dsl.diagnostics import Findings, PolicyError, render
from tests.catalogue_for_tests import small_catalogue

CATALOGUE = small_catalogue()
TS = "2025-10-10T21:00:00Z"
AT = 1_760_130_000_000


def line(ts: str, **entities: Any) -> str:
    return json.dumps({"book": "main", "ts": ts, **entities})


def refused(path: Path, text: str | bytes) -> PolicyError:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(PolicyError) as caught:
        read_documents(path, CATALOGUE)
    return caught.value


def shown(error: PolicyError) -> list[str]:
    return [render(d, error.sources) for d in error.diagnostics]


def test_a_timeline_is_one_document_a_line(tmp_path: Path) -> None:
    file = tmp_path / "day.jsonl"
    first = line(TS, operator={"note": "a\u2028b"})
    other = json.dumps({"book": "other", "ts": "2025-10-10T20:00:00Z"})
    file.write_text(
        "\ufeff" + "\n".join([first, "", first, other, line("2025-10-10T21:01:00Z")]) + "\n", encoding="utf-8"
    )
    found = read_documents(file, CATALOGUE)
    assert [(s.book, s.ts) for s in found] == [("main", AT), ("other", AT - 3_600_000), ("main", AT + 60_000)]


def test_a_time_that_does_not_increase_is_refused_with_its_line(tmp_path: Path) -> None:
    lines = [line(TS), line(TS, account={"drawdown": 0}), line("2025-10-10T20:59:00Z"), line("2025-10-10T21:01:00Z")]
    error = refused(tmp_path / "day.jsonl", "\n".join(lines))
    assert [(d.code, d.message) for d in error.diagnostics] == [
        ("RF712", f"line 2: book `main`: the snapshot of {TS} is there already, with other content"),
        ("RF712", f"line 3: book `main`: the snapshot of 2025-10-10T20:59:00Z comes after the one of {TS}"),
    ]
    assert ":2:1" in shown(error)[0]


def test_a_problem_is_underlined_where_it_stands(tmp_path: Path) -> None:
    text = (
        '{\n  "book": "main",\n  "ts": "2025-10-10T21:00:00Z",\n  "account": {"drawdown": 0.1, "drawdown": 0.2},\n'
        '  "position": {"p1": {"symbol": "A", "side": "LOMG"}}, "trade": [{}, {"exit": 1}],\n  "symbl": {}\n}\n'
    )
    file = tmp_path / "state.json"
    expected = f"""
error[RF705]: `$.symbl`: there is no entity `symbl`
  {file}:6:3
6 |   "symbl": {{}}
  |   ^^^^^^^
  help: did you mean `symbol`?
error[RF703]: `$.account.drawdown`: the key is given more than once
  {file}:4:32
4 |   "account": {{"drawdown": 0.1, "drawdown": 0.2}},
  |                                ^^^^^^^^^^
  help: keep one of them
error[RF707]: `$.position.p1.side` is `"LOMG"`, which is not a level of side
  {file}:5:46
5 |   "position": {{"p1": {{"symbol": "A", "side": "LOMG"}}}}, "trade": [{{}}, {{"exit": 1}}],
  |                                              ^^^^^^
  help: did you mean `LONG`?
error[RF706]: `$.trade[1].exit`: trade has no fact `exit`
  {file}:5:71
5 |   "position": {{"p1": {{"symbol": "A", "side": "LOMG"}}}}, "trade": [{{}}, {{"exit": 1}}],
  |                                                                       ^^^^^^
  help: facts of trade are symbol, r_multiple, closed_at
"""
    assert "\n".join(shown(refused(file, text))) == expected.strip()


@pytest.mark.parametrize(
    ("text", "code", "message"),
    [
        ("{", "RF702", "not JSON: expecting property name enclosed in double quotes"),
        ("", "RF702", "not JSON: expecting value"),
        ("[" * 100_000, "RF702", "not a document: it is nested too deeply"),
        (b"\xff\xfe", "RF701", "`{path}` is not UTF-8 text"),
    ],
)
def test_a_file_that_is_no_document_is_refused(tmp_path: Path, text: str | bytes, code: str, message: str) -> None:
    file = tmp_path / "state.json"
    [diagnostic] = refused(file, text).diagnostics
    assert (diagnostic.code, diagnostic.message) == (code, message.format(path=file))


def test_a_syntax_error_is_shown_at_its_place(tmp_path: Path) -> None:
    error = refused(tmp_path / "day.jsonl", line(TS) + '\n{"book": x}\n')
    assert shown(error)[0].splitlines()[1:] == [f"  {tmp_path}/day.jsonl:2:10", '2 | {"book": x}', "  |          ^"]


@pytest.mark.parametrize("number", ["9" * 5000, "1e999999999999999999999", "-" + "9" * 500, "1" + "0" * 5000 + ".5"])
def test_absurd_numbers_are_missing(tmp_path: Path, number: str) -> None:
    file = tmp_path / "state.json"
    file.write_text(f'{{"book": "main", "ts": "{TS}", "account": {{"equity": {number}}}}}')
    findings = Findings()
    [snapshot] = read_documents(file, CATALOGUE, findings=findings)
    assert snapshot.facts["account.equity"] is None
    assert [d.code for d in findings.items] == ["RF720"]


@pytest.mark.parametrize("name", ["absent.json", "folder"])
def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(PolicyError) as caught:
        read_documents(tmp_path / name, CATALOGUE)
    assert [d.code for d in caught.value.diagnostics] == ["RF701"]


def test_an_empty_timeline_is_refused(tmp_path: Path) -> None:
    assert [d.code for d in refused(tmp_path / "day.jsonl", "\n \n").diagnostics] == ["RF713"]


def test_reading_stops_after_two_hundred_problems(tmp_path: Path) -> None:
    found = refused(tmp_path / "day.jsonl", "\n".join(["[]"] * 1000)).diagnostics
    assert len(found) == 202
    assert (found[-1].code, found[-1].message) == ("RF714", "reading stopped before line 202: too many problems")
