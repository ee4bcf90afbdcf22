"""The pages on the codes of findings: what each code means and what to write instead."""

from __future__ import annotations

import re
from importlib.resources import files

_CODE = re.compile(r"RF\d{3}", re.ASCII)


def page(code: str) -> str | None:
    """The page on a code as Markdown text; None if there is none, or if `code` is no code. Case does not matter."""
    wanted = code.upper()
    if _CODE.fullmatch(wanted) is None:
        return None
    found = files("policy_dsl").joinpath("codes", f"{wanted}.md")
    return found.read_text(encoding="utf-8") if found.is_file() else None


def codes() -> tuple[str, ...]:
    """Every code that has a page, sorted."""
    names = (entry.name for entry in files("policy_dsl").joinpath("codes").iterdir() if entry.name.endswith(".md"))
    stems = (name.removesuffix(".md") for name in names)
    return tuple(sorted(stem for stem in stems if _CODE.fullmatch(stem)))
