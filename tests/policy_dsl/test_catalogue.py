"""The fact catalogue: what models declare, in quanta, and what they may not."""

from __future__ import annotations

import pickle
from typing import Annotated, Any

import pytest

from policy_dsl.catalogue import Catalogue, FactModel, Rows, catalogue_of, fact
from policy_dsl.types import COUNT, DURATION, FLAG, MONEY, RATE, RATIO, TEXT, TIME, Levels, Reference
from tests.catalogue_for_tests import MODELS, SIDE, TIER, VOLATILITY
from tests.policy_dsl.bundles import CATALOGUE

MOOD = Levels("mood", ("CALM", "TENSE"))


class Sample(FactModel, entity="sample"):
    """A sample of facts.

    With more to say.
    """

    share: Annotated[float | None, RATIO] = fact("a share", owner="x", low=0, high=1, max_age="5m", calm=0.25)
    price: Annotated[float | None, MONEY] = fact("a price", owner="x")
    age: Annotated[float | None, DURATION] = fact("an age", owner="x", calm=1.5)
    failures: Annotated[float | None, RATE] = fact("failures", owner="x", max_age="90s")
    number: Annotated[int | None, COUNT] = fact("a number", owner="x", low=-5)
    mood: Annotated[str | None, MOOD] = fact("a mood", owner="x", calm="TENSE")
    on: Annotated[bool | None, FLAG] = fact("on or off", owner="x", calm=False)
    of: Annotated[str | None, Reference("sample")] = fact("another", owner="x")


SAMPLE = catalogue_of([Sample])


def test_figures_are_quanta_and_ages_milliseconds() -> None:
    share = SAMPLE.entities["sample"].facts["share"]
    assert (share.low, share.high, share.max_age, share.calm) == (0, 10**9, 300_000, 250_000_000)
    assert (share.path, share.doc, share.owner) == ("sample.share", "a share", "x")
    assert SAMPLE.entities["sample"].facts["age"].calm == 1_500
    assert SAMPLE.entities["sample"].facts["failures"].max_age == 90_000


def test_what_cannot_be_negative_starts_at_nothing() -> None:
    facts = SAMPLE.entities["sample"].facts
    assert [facts[n].low for n in ("age", "failures", "number", "price")] == [0, 0, -5, None]


def test_a_level_is_calm_by_rank_and_a_flag_by_itself() -> None:
    facts = SAMPLE.entities["sample"].facts
    assert (facts["mood"].calm, facts["on"].calm, facts["of"].calm) == (1, False, None)


def test_the_first_line_of_a_model_describes_its_entity() -> None:
    assert SAMPLE.entities["sample"].doc == "A sample of facts."


def test_a_fact_is_found_by_its_path() -> None:
    assert SAMPLE.fact("sample.share") is SAMPLE.entities["sample"].facts["share"]
    assert [SAMPLE.fact(path) for path in ("sample.nothing", "nothing.share", "sample", "")] == [None] * 4


def test_entities_are_found_by_how_many_rows_they_have() -> None:
    assert [e.name for e in CATALOGUE.of_kind(Rows.KEYED)] == ["position", "request", "symbol"]
    assert [e.name for e in CATALOGUE.of_kind(Rows.EVENT)] == ["trade"]


def test_levels_are_shared_by_name() -> None:
    assert {VOLATILITY, TIER, SIDE} <= set(CATALOGUE.levels.values())


IN_RANGE: list[tuple[str, Any, bool]] = [
    ("share", 0, True),
    ("share", 10**9, True),
    ("share", 10**9 + 1, False),
    ("share", -1, False),
    ("share", True, False),
    ("share", "0", False),
    ("share", None, False),
    ("price", -(10**15), True),
    ("mood", 1, True),
    ("mood", 2, False),
    ("mood", -1, False),
    ("mood", True, False),
    ("mood", "CALM", False),
    ("on", True, True),
    ("on", 1, False),
    ("of", "x", True),
    ("of", 1, False),
]


@pytest.mark.parametrize(("name", "value", "there"), IN_RANGE)
def test_values_in_range(name: str, value: Any, there: bool) -> None:
    assert SAMPLE.entities["sample"].facts[name].in_range(value) is there


def test_models_of_one_entity_add_up() -> None:
    class More(FactModel, entity="sample"):
        """More of it."""

        more: Annotated[str | None, TEXT] = fact("more", owner="y")

    both = catalogue_of([Sample, More]).entities["sample"]
    assert list(both.facts) == [*SAMPLE.entities["sample"].facts, "more"]
    assert both.doc == "A sample of facts."


def model(
    annotation: Any, default: Any = None, *, entity: str = "sample", rows: Rows = Rows.ONE, name: str = "x"
) -> type[FactModel]:
    """A model with one field."""
    body = {"__annotations__": {name: annotation}, name: default, "__doc__": "One.", "__module__": __name__}
    return type("Made", (FactModel,), body, entity=entity, rows=rows)


REFUSED: dict[str, list[type[FactModel]]] = {
    "no type of the language": [model(float | None, fact("x", owner="x"))],
    "two types": [model(Annotated[float | None, RATIO, MONEY], fact("x", owner="x"))],
    "not made by `fact`": [model(Annotated[float | None, RATIO])],
    "a calm value outside the range": [model(Annotated[float | None, RATIO], fact("x", owner="x", high=1, calm=2))],
    "a name twice": [Sample, model(Annotated[str | None, TEXT], fact("x", owner="x"), name="share")],
    "one entity with two kinds of rows": [
        Sample,
        model(Annotated[str | None, TEXT], fact("x", owner="x"), rows=Rows.KEYED),
    ],
    "levels twice with other members": [
        Sample,
        model(Annotated[str | None, Levels("mood", ("CALM", "ANGRY"))], fact("x", owner="x"), entity="other"),
    ],
    "a calm level that is none": [model(Annotated[str | None, MOOD], fact("x", owner="x", calm="ANGRY"))],
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_a_catalogue(name: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        catalogue_of(REFUSED[name])


@pytest.mark.parametrize("age", ["5", "5 m", "m", "1.5h", "-5m", "5w"])
def test_an_age_has_a_unit(age: str) -> None:
    with pytest.raises(ValueError, match="a maximum age reads like 90s or 5m"):
        fact("x", owner="x", max_age=age)


def test_the_hash_names_what_can_change_a_decision() -> None:
    def made(**figures: Any) -> str:
        return catalogue_of([model(Annotated[float | None, RATIO], fact("x", owner="x", **figures))]).hash

    assert made() == made()
    assert len({made(), made(low=0), made(high=1), made(max_age="5m"), made(calm=0)}) == 5
    assert made() != catalogue_of([model(Annotated[float | None, MONEY], fact("x", owner="x"))]).hash
    assert made() == catalogue_of([model(Annotated[float | None, RATIO], fact("another text", owner="y"))]).hash


def test_the_order_of_models_does_not_change_the_hash() -> None:
    assert catalogue_of(reversed(MODELS)).hash == catalogue_of(MODELS).hash


def test_a_catalogue_can_be_sent_to_another_process() -> None:
    entities = {n: pickle.loads(pickle.dumps(e)) for n, e in CATALOGUE.entities.items()}  # noqa: S301 -- made right here
    assert Catalogue(entities, dict(CATALOGUE.levels)).hash == CATALOGUE.hash


def test_types_say_what_they_are() -> None:
    shown = [str(t) for t in (RATIO, COUNT, TIME, FLAG, TEXT, MOOD, Reference("symbol"))]
    assert shown == ["ratio", "count", "time", "flag", "text", "mood", "symbol reference"]
    assert MOOD.rank("TENSE") == 1
