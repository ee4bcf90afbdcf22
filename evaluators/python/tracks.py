"""What a snapshot leaves to later ones: the values of the operands of tracks, written behind a judgement."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING

from evaluators.python.finals import start_of
from evaluators.python.operands import Operand
from evaluators.python.scribe import RowSlot
from policy_dsl.nodes import OutputRead, Since
from policy_dsl.recall import Track
from policy_dsl.standing import is_hidden
from policy_dsl.walking import walk

if TYPE_CHECKING:
    from evaluators.python.expressions import Expressions, Scene


def write_tracks(expressions: Expressions, tracks: tuple[Track, ...]) -> Iterator[str]:
    """The value of each track: of the fund, or a local dictionary by key, None where a collection is missing.

    Of what an output keeps for rows, values that leave no trace may be left out.
    """
    for track in tracks:
        if not track.variables:
            yield _values(expressions, track, {})
        else:
            yield _traces(expressions, track) or _by_key(expressions, track)


def sparse(tracks: tuple[Track, ...]) -> frozenset[str]:
    """The outputs of rows whose values are kept by key only where they are not the output's start.

    They are hidden ones: read on their own row, and by tracks on which a start leaves no trace. (What `Since` keeps is
    ended by the release of a row, whatever is asked for the row then.)
    """
    asked = frozenset(id for track in tracks for id in _sources(track))
    return asked - {id for track in tracks if not _sources(track) for id in _read(track)}


def _sources(track: Track) -> tuple[str, ...]:
    """The outputs that hold the values of a track of what an output keeps for rows; nothing for another track."""
    if track.output is None or isinstance(track.source, Since):
        return ()
    parts = (track.operand,) if track.also is None else (track.operand, track.also)
    own = [part.output for part in parts if isinstance(part, OutputRead) and part.row is not None and part.row.variable]
    return tuple(own) if len(own) == len(parts) and all(is_hidden(id) for id in own) else ()


def _read(track: Track) -> Iterator[str]:
    for part in (track.operand, track.also):
        if part is not None:
            yield from (node.output for node in walk(part) if isinstance(node, OutputRead))


def _traces(expressions: Expressions, track: Track) -> str:
    """The values by key that leave a trace, as they were kept; empty for a track whose values must be worked out."""
    sources = _sources(track)
    if not sources:
        return ""
    (number, _), *ends = (expressions.outputs[id] for id in sources)
    if not ends:
        return f"v{number}"
    ((other, end),) = ends
    name = expressions.scribe.name("d")
    pair = f"(value, v{other}.get(key, {start_of(end)}))"
    expressions.scribe.write(
        f"{name} = {{key: {pair} for key, value in v{number}.items()}} if v{number} else v{number}"
    )
    return name


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
