"""`ringfence.toml`: modes, values of params inside their ranges, flags; what a deployment may set and what not."""

from __future__ import annotations

import pytest

from policy_dsl.bundle import Bundle, check_files
from policy_dsl.configuration import Configuration, Mode, read_configuration
from policy_dsl.diagnostics import Findings, Source
from tests.policy_dsl.bundles import CATALOGUE

RULES = """policy p version 1.0.0
param limit = 5% in 1% to 10%
param hold = 30m
param times = 3 in 1 to 9
param factor = 0.5
param on = yes
param least: tier = CORE
param note = "x"
output size: ratio in 0% to 10%
  starts limit
  tightens down
  relaxes after hold
rule r
  when account.drawdown > limit and account.losing_streak > times and operator.stop_requested is on
  scale size by factor
rule s for each symbol
  when symbol.tier is least and operator.note is note
  alert INFO
"""
OTHER = "policy q version 1.0.0\nrule r alert INFO\nrule s observing alert INFO\n"


def read(text: str) -> tuple[Configuration, list[str]]:
    """The configuration in a text, and the codes of what is wrong."""
    findings = Findings()
    made = read_configuration(Source("ringfence.toml", text), findings)
    return made, [d.code for d in findings.items]


def configured(toml: str) -> Bundle:
    """The bundle of the rules above under a configuration without errors."""
    contents = {"p.rules": RULES.encode(), "q.rules": OTHER.encode(), "ringfence.toml": toml.encode()}
    report = check_files(contents, CATALOGUE)
    assert report.bundle is not None, report.diagnostics
    return report.bundle


def refused(toml: str) -> list[str]:
    """The codes of the errors under a configuration."""
    contents = {"p.rules": RULES.encode(), "ringfence.toml": toml.encode()}
    return [d.code for d in check_files(contents, CATALOGUE).diagnostics if d.is_error]


def test_an_empty_configuration_sets_nothing() -> None:
    made, wrong = read("")
    assert (made.modes, made.params, made.flags, made.max_gap, wrong) == ({}, {}, {}, None, [])
    assert made.mode("p") is Mode.ENFORCE


def test_all_of_it() -> None:
    made, wrong = read(
        """
[bundle]
max_gap = "3m"
[modes]
p = "observe"
[params]
"p.limit" = "4%"
p.times = 5
p.on = false
[flags]
pba = false
"""
    )
    assert wrong == []
    assert (made.modes, made.max_gap, made.flags) == ({"p": Mode.OBSERVE}, 180_000, {"pba": False})
    assert made.params == {"p.limit": "4%", "p.times": "5", "p.on": False}


VALUES = [
    ("p.limit", '"4%"', 40_000_000),
    ("p.limit", '"400bps"', 40_000_000),
    ("p.limit", '"10%"', 100_000_000),
    ("p.limit", '"1%"', 10_000_000),
    ("p.hold", '"1h"', 3_600_000),
    ("p.times", "5", 5),
    ("p.times", '"5"', 5),
    ("p.factor", '"0.25"', 250_000_000),
    ("p.on", "false", False),
    ("p.on", '"no"', False),
    ("p.least", '"BLACKLIST"', 0),
    ("p.note", '"y"', "y"),
]


@pytest.mark.parametrize(("name", "text", "value"), VALUES)
def test_a_param_takes_its_configured_value(name: str, text: str, value: object) -> None:
    made = configured(f'[params]\n"{name}" = {text}\n')
    (param,) = (x for x in made.program.params if x.id == name)
    assert param.value == value
    (written,) = (x for x in made.written.params if x.id == name)
    assert written.value == written.default == param.default


def test_a_configured_value_is_in_force_everywhere() -> None:
    made = configured('[params]\n"p.limit" = "4%"\n"p.hold" = "1h"\n')
    output = made.program.output("p.size")
    assert (output.starts, output.relaxes_after) == (40_000_000, 3_600_000)
    assert (made.written.output("p.size").starts, made.written.output("p.size").relaxes_after) == (
        50_000_000,
        1_800_000,
    )


REFUSED = [
    ('"p.limit" = "11%"', "RF604"),
    ('"p.limit" = "0.99%"', "RF604"),
    ('"p.limit" = "-4%"', "RF604"),
    ('"p.limit" = "5"', "RF604"),
    ('"p.limit" = "5 USD"', "RF604"),
    ('"p.limit" = 0.04', "RF604"),
    ('"p.limit" = true', "RF604"),
    ('"p.limit" = ""', "RF604"),
    ('"p.limits" = "4%"', "RF604"),
    ('"limit" = "4%"', "RF604"),
    ('"p.times" = "2.5"', "RF604"),
    ('"p.times" = 99', "RF604"),
    ('"p.on" = "perhaps"', "RF604"),
    ('"p.least" = "core"', "RF604"),
    ('"p.hold" = "0m"', "RF303"),
]


@pytest.mark.parametrize(("line", "code"), REFUSED)
def test_a_value_that_does_not_fit_is_refused(line: str, code: str) -> None:
    assert refused(f"[params]\n{line}\n") == [code]


def test_a_policy_that_is_off_has_no_rules() -> None:
    made = configured('[modes]\nq = "off"\n')
    assert {r.policy for r in made.program.rules} == {"p"}
    assert {r.policy for r in made.written.rules} == {"p", "q"}


def test_a_policy_that_observes_binds_nothing() -> None:
    made = configured('[modes]\nq = "observe"\np = "enforce"\n')
    assert {r.id for r in made.program.rules if r.observing} == {"q.r", "q.s"}
    assert {r.id for r in made.written.rules if r.observing} == {"q.s"}


def test_outputs_and_params_of_a_policy_that_is_off_remain() -> None:
    made = configured('[modes]\np = "off"\n')
    assert made.program.output("p.size").starts == 50_000_000
    assert {x.id for x in made.program.params} == {x.id for x in made.written.params}


def test_the_name_of_a_bundle_covers_its_configuration() -> None:
    assert configured("").hash != configured('[params]\n"p.limit" = "4%"\n').hash


def test_a_setting_is_found_where_it_stands_and_not_in_a_comment() -> None:
    text = '[modes]\n# a week of pba = "observe" first\npba = "observe"\n'
    made = read_configuration(Source("ringfence.toml", text), Findings())
    assert made.place("modes.pba").start == text.rindex("pba")


@pytest.mark.parametrize("sign", ["\u2028", "\u202e", "\u200b", "\x85", "\ufeff"])
def test_a_character_that_hides_what_a_reader_sees_is_refused(sign: str) -> None:
    assert refused(f'# {sign}[modes]\n[params]\n"p.limit" = "4%"\n') == ["RF102"]


def test_words_of_any_language_and_line_ends_of_any_system_may_stand_in_a_comment() -> None:
    words = "\u0645\u06cc\u200c\u0634\u0648\u062f \U0001f469\u200d\U0001f4bb\t5\u00a0%"
    assert refused(f'# {words}\r\n[modes]\r\np = "off"\r\n') == []
