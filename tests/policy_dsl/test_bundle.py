"""Bundles: named by their content alone, read from wherever they lie, all or nothing."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modules.facts import CATALOGUE as FACTS
from policy_dsl.bundle import bundle_hash, check_files, load, load_text
from policy_dsl.catalogue import Catalogue
from policy_dsl.diagnostics import PolicyError
from policy_dsl.program import Program
from tests.conftest import ROOT
from tests.policy_dsl.bundles import CATALOGUE

TEXTS = {
    "a.rules": "policy a version 1.0.0\nparam limit = 3%\noutput mode: A < B\n  starts B\n",
    "b.rules": "policy b version 1.0.0\nrule r\n  when account.drawdown > a.limit\n  tighten a.mode to A\n",
    "c.rules": 'policy c version 1.0.0\ntest "t"\n  given account.drawdown = 4%\n  expect a.mode is A\n'
    'always "i"\n  then a.mode is A or a.mode is B\n',
}
CONTENTS = {name: text.encode() for name, text in TEXTS.items()}


def lay(folder: Path) -> Path:
    """The files above in a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in CONTENTS.items():
        (folder / name).write_bytes(data)
    return folder


def placeless(made: Program) -> Program:
    """The program without the places in files."""
    return replace(
        made,
        params=tuple(replace(x, span=None) for x in made.params),
        outputs=tuple(replace(x, span=None) for x in made.outputs),
        rules=tuple(replace(x, span=None) for x in made.rules),
    )


@given(st.permutations(sorted(CONTENTS)))
def test_the_order_of_files_changes_nothing(names: list[str]) -> None:
    report = check_files({name: CONTENTS[name] for name in names}, CATALOGUE)
    usual = check_files(CONTENTS, CATALOGUE)
    assert report.bundle is not None
    assert report.bundle == usual.bundle
    assert report.diagnostics == usual.diagnostics


def test_where_a_bundle_lies_does_not_change_its_name(tmp_path: Path) -> None:
    here, there = load(lay(tmp_path / "here"), CATALOGUE), load(lay(tmp_path / "deep" / "there"), CATALOGUE)
    assert here.hash == there.hash == load_text(TEXTS, CATALOGUE).hash
    assert [(r.id, r.because) for r in here.program.rules] == [(r.id, r.because) for r in there.program.rules]
    assert placeless(here.program).outputs == placeless(there.program).outputs


def test_other_files_in_the_folder_do_not_count(tmp_path: Path) -> None:
    folder = lay(tmp_path / "rules")
    name = load(folder, CATALOGUE).hash
    (folder / "notes.md").write_text("about the rules", encoding="utf-8")
    (folder / "more").mkdir()
    (folder / "more" / "d.rules").write_text("policy d version 1.0.0\n", encoding="utf-8")
    assert load(folder, CATALOGUE).hash == name


CHANGES = {
    "a figure": {**CONTENTS, "a.rules": CONTENTS["a.rules"].replace(b"3%", b"4%")},
    "a comment": {**CONTENTS, "a.rules": CONTENTS["a.rules"] + b"# why\n"},
    "a name of a file": {("d.rules" if n == "c.rules" else n): data for n, data in CONTENTS.items()},
    "a file more": {**CONTENTS, "d.rules": b"policy d version 1.0.0\n"},
    "a file less": {n: data for n, data in CONTENTS.items() if n != "c.rules"},
    "a configuration": {**CONTENTS, "ringfence.toml": b""},
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_changes_the_content_changes_the_name(change: str) -> None:
    assert bundle_hash(CHANGES[change], CATALOGUE) != bundle_hash(CONTENTS, CATALOGUE)


def test_another_catalogue_makes_another_bundle() -> None:
    fewer = {n: e for n, e in CATALOGUE.entities.items() if n != "trade"}
    assert bundle_hash(CONTENTS, Catalogue(fewer, CATALOGUE.levels)) != bundle_hash(CONTENTS, CATALOGUE)


def test_one_file_alone_is_a_bundle(tmp_path: Path) -> None:
    made = load(lay(tmp_path) / "a.rules", CATALOGUE)
    assert [i.name for i in made.policies] == ["a"]
    assert set(made.sources) == {"a.rules"}


def test_tests_and_invariants_belong_to_the_bundle() -> None:
    made = load_text(TEXTS, CATALOGUE)
    assert [c.name for c in made.cases] == ["t"]
    assert [i.name for i in made.invariants] == ["i"]


def test_findings_name_the_file_as_it_was_asked_for(tmp_path: Path) -> None:
    folder = lay(tmp_path)
    (folder / "a.rules").write_bytes(CONTENTS["a.rules"].replace(b"3%", b"3 percent"))
    with pytest.raises(PolicyError) as refused:
        load(folder, CATALOGUE)
    paths = {d.span.path for d in refused.value.diagnostics if d.span}
    assert paths == {f"{folder}/a.rules"}
    assert paths <= set(refused.value.sources)


def test_an_error_in_one_file_refuses_the_bundle() -> None:
    report = check_files({**CONTENTS, "d.rules": b"policy d"}, CATALOGUE)
    assert report.bundle is None
    assert len(report.files) == 4


def test_warnings_refuse_nothing() -> None:
    made = load_text({"a.rules": "policy a version 1.0.0\nparam limit = 3%\n"}, CATALOGUE)
    assert [d.code for d in made.diagnostics] == ["RF503"]


def test_what_uses_a_declaration_that_cannot_be_read_is_not_wrong_for_that() -> None:
    text = """policy a version 1.0.0
param limit = 3 percent
levels stress = LOW < < HIGH
output mode: A < < B
rule r
  when account.drawdown > limit
  tighten mode to A
output other: stress
  starts LOW
"""
    contents = {**CONTENTS, "a.rules": text.encode(), "ringfence.toml": b'[params]\n"a.limit" = "4%"\n'}
    assert [d.code for d in check_files(contents, CATALOGUE).diagnostics] == ["RF101"] * 3


def test_the_rules_of_the_repository_are_a_bundle(tmp_path: Path) -> None:
    if not any((ROOT / "rules").glob("*.rules")):
        pytest.skip("no rule files yet")
    copy = Path(shutil.copytree(ROOT / "rules", tmp_path / "copy"))
    assert load(copy, FACTS).hash == load(ROOT / "rules", FACTS).hash
