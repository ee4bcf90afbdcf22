"""What callers of the service may send: read strictly, so that a misspelt field is an error and never a missing one."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from api.service.joint import MOST_REQUESTS
from modules import inputs
from modules.ai_hedgefund_os import SystemRiskMode


def _printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError("it holds a character that does not print")
    return text


Name = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_printable)]
LEAST, MOST = 1e-12, 1e12
"""What a figure of a request lies between: beyond, what is worked out of it is no number any more, for nobody who is
judged with it."""

Positive = Annotated[float, Field(ge=LEAST, le=MOST, allow_inf_nan=False, strict=True)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Asked(_Strict):
    """One request to trade. `side` is that of the order: LONG buys, SHORT sells; money is quote currency."""

    symbol: Name
    side: Literal["LONG", "SHORT"]
    notional: Positive | None = None
    leverage: Positive | None = None
    model: Name | None = None
    confidence: Annotated[float, Field(ge=0, le=1, strict=True)] | None = None
    votes: Annotated[int, Field(ge=0, le=1000, strict=True)] | None = None
    urgency: Literal["LOW", "NORMAL", "HIGH"] | None = None
    price: Positive | None = None
    stop: Positive | None = None
    target: Positive | None = None
    reduce_only: Annotated[bool, Field(strict=True)] = False
    client_id: Name | None = None

    def request(self, at: int) -> inputs.Request:
        """The request as modules see it, made at `at` (ms since 1970 UTC)."""
        return inputs.Request(at=at, **self.model_dump())


class Batch(_Strict):
    """Requests by id, judged jointly: each in the light of those before it, exits first."""

    requests: Annotated[dict[Name, Asked], Field(min_length=1, max_length=MOST_REQUESTS)]


class Hand(_Strict):
    """A person who asks for something, and why."""

    person: Name
    reason: Name


class HandOnMode(Hand):
    """A person who holds the risk mode down, to `mode` or less."""

    mode: SystemRiskMode
