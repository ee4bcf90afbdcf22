"""JSON text to plain values without losing anything: exact decimals, repeated keys noticed, places named."""

from __future__ import annotations

import json
import re
from collections import Counter
from decimal import Decimal, DecimalException
from typing import Any

from policy_dsl.diagnostics import Findings, Span

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_LONGEST_INTEGER = 400


class JsonObject(dict[str, Any]):
    """An object of a document, and the keys that its text gave more than once."""

    __slots__ = ("repeated",)

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        super().__init__(pairs)
        counts = Counter(key for key, _ in pairs) if len(self) < len(pairs) else Counter()
        self.repeated = [key for key, count in counts.items() if count > 1]


def parse_json(text: str, place: Span, findings: Findings) -> Any:
    """The value of a JSON text that stands at `place`; None, and a finding, if it is none (RF702).

    Numbers with a point or an exponent become Decimal; NaN, Infinity and what is too large for either become floats.
    """
    try:
        return json.loads(
            text, parse_float=_decimal, parse_int=_integer, object_pairs_hook=JsonObject, parse_constant=float
        )
    except json.JSONDecodeError as error:
        at = place.start + error.pos
        message = f"not JSON: {error.msg[:1].lower()}{error.msg[1:]}"
        findings.error("RF702", message, Span(place.path, at, at + 1))
    except RecursionError:
        findings.error("RF702", "not a document: it is nested too deeply", place)
    return None


def below(path: str, key: str | int) -> str:
    """The JSON path of a member or element: `$.position.p1`, `$.symbol["BTC/USDT"]`, `$.trade[3]`."""
    if isinstance(key, int):
        return f"{path}[{key}]"
    return f"{path}.{key}" if _PLAIN.fullmatch(key) else f"{path}[{json.dumps(key, ensure_ascii=False)}]"


def _decimal(text: str) -> Decimal | float:
    try:
        return Decimal(text)
    except DecimalException:
        return float("inf")


def _integer(text: str) -> int | float:
    return int(text) if len(text) <= _LONGEST_INTEGER else float("inf")
