"""The pages on diagnostic codes: what each means, why it matters, an example, and what to write instead."""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files

_CODE = re.compile(r"RF[0-9]{3}")


@cache
def codes() -> tuple[str, ...]:
    """Every code that has a page, in order."""
    names = (entry.name.removesuffix(".md") for entry in files("policy_dsl").joinpath("codes").iterdir())
    return tuple(sorted(name for name in names if _CODE.fullmatch(name)))


def page(code: str) -> str | None:
    """The page on a code such as `RF204`, as Markdown; None if there is none."""
    if code not in codes():
        return None
    return files("policy_dsl").joinpath("codes", f"{code}.md").read_text(encoding="utf-8")


def title(code: str) -> str | None:
    """What a code says, in a few words: the heading of its page. None if there is none."""
    text = page(code)
    return None if text is None else text.partition("\n")[0].removeprefix(f"# {code}: ")
