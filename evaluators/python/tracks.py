"""What a snapshot leaves to later ones: the values of the operands of tracks, written behind a judgement."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING

from evaluators.python.operands import Operand
from evaluators.python.scribe import RowSlot
from policy_dsl.recall import Track

if TYPE_CHECKING:
    from evaluators.python.expressions import Expressions, Scene


def write_tracks(expressions: Expressions, tracks: tuple[Track, ...]) -> Iterator[str]:
    """The value of each track: of the fund, or a local dictionary by key, None where a collection is missing."""
    for track in tracks:
        yield _by_key(expressions, track) if track.variables else _values(expressions, track, {})


def _values(expressions: Expressions, track: Track, scene: Scene) -> str:
    """The operand, in a tuple with what else is kept of it."""
    value = expressions.value(track.operand, scene).text
    return value if track.also is None else f"({value}, {expressions.value(track.also, scene).text})"


def _by_key(expressions: Expressions, track: Track) -> str:
    """The name of the dictionary of values by key, or by tuple of keys, filled by a loop over the rows."""
    scribe, name = expressions.scribe, expressions.scribe.name("d")
    collections = {entity: expressions.collection(entity) for _, entity in track.variables}
    missing = [f"{rows} is None" for entity, rows in collections.items() if entity != "request"]
    scribe.write(f"{name} = None if {' or '.join(missing)} else {{}}" if missing else f"{name} = {{}}")
    with ExitStack() as loops:
        scene: dict[str, RowSlot] = {}
        for variable, entity in track.variables:
            key, row, depth = scribe.name("k"), scribe.name("w"), scribe.depth + 1
            slot = scene[variable] = RowSlot(entity, row, Operand(key, depth=depth), depth)
            names = f"{slot.key.text}, {slot.row}"
            loops.enter_context(scribe.loop(f"({collections[entity]} or NOTHING).items()", slot, names))
        keys = [slot.key.text for slot in scene.values()]
        listed = keys[0] if len(keys) == 1 else f"({', '.join(keys)})"
        value = _values(expressions, track, scene)
        # Rows of one collection may be there while another of the track is missing.
        guard = f"if {name} is not None: " if len(collections) > 1 and missing else ""
        scribe.write(f"{guard}{name}[{listed}] = {value}")
    return name
