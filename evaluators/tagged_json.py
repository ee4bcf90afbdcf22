"""Plain values as JSON, and back exactly: what JSON does not tell apart, or does not have, carries a tag."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

from evaluators.decision import Firing


def text_of(value: object) -> str:
    """The JSON of None, booleans, whole numbers, text and firings, and of tuples, lists, deques, sets and mappings.

    Raises TypeError for anything else: what cannot be read back must not be written.
    """
    return json.dumps(_written(value), separators=(",", ":"))


def value_of(text: str) -> Any:
    """The value that `text_of` made the text of. Raises ValueError for any other text."""
    return _read(json.loads(text))


def _written(value: object) -> Any:
    if value is None or isinstance(value, bool | int | str):
        return value
    match value:
        case tuple():
            return ["tuple", *map(_written, value)]
        case list():
            return ["list", *map(_written, value)]
        case deque():
            return ["deque", *map(_written, value)]
        case set() | frozenset():
            return ["set", *sorted(map(_written, value), key=json.dumps)]
        case Mapping():
            return ["map", *([_written(k), _written(v)] for k, v in value.items())]
        case Firing():
            return ["firing", value.rule, value.key, value.definite]
    raise TypeError(f"{type(value).__name__} cannot be written as tagged JSON")


_CONTAINERS: Mapping[str, Callable[[Any], Any]] = {"tuple": tuple, "list": list, "deque": deque, "set": set}


def _read(value: Any) -> Any:
    if not isinstance(value, list | dict | float):
        return value
    match value:
        case [str() as tag, *items] if tag in _CONTAINERS:
            return _CONTAINERS[tag](map(_read, items))
        case ["map", *pairs]:
            return {_read(key): _read(item) for key, item in pairs}
        case ["firing", str() as rule, str() as key, bool() as definite]:
            return Firing(rule, key, definite)
    raise ValueError("no tagged JSON")
