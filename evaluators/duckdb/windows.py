"""The part of a statement that computes window functions: over the few columns they read, step by step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from evaluators.duckdb.frames import Column, InForce, Windowed
from evaluators.duckdb.stages import Stage
from evaluators.identifiers import quote

Parts = list[tuple[str, str]]
"""Sub-queries by name, each after those that it reads."""


@dataclass(frozen=True, slots=True)
class Windows:
    """The windows of one stage: the columns they read, and those they are.

    Whatever else the rows have is joined to them afterwards by `row`, the number that names a row: sorting many columns
    is what costs.
    """

    row: str
    inputs: tuple[Column, ...]
    columns: tuple[Column, ...]

    @classmethod
    def of(cls, stage: Stage) -> Windows:
        """The windows of `stage`."""
        reads = {c for window in stage.windows for c in _reads(window)}
        inputs = tuple(sorted((c for c in reads if c not in stage.windows), key=lambda c: c.name))
        taken = {c.name.casefold() for c in (*inputs, *stage.windows)}
        row = "row"
        while row in taken:
            row += "~"
        return cls(row, inputs, tuple(stage.windows))

    def parts(self, table: str) -> Parts:
        """The sub-queries; the last one has all the windows, and `row`."""
        listed = [f"rowid AS {quote(self.row)}", *(quote(c.name) for c in self.inputs)]
        out = [("windows_0", f"SELECT {_listed(listed)}\n  FROM {table}")]
        for step in sorted({c.step for c in self.columns}):
            own = [c for c in self.columns if c.step == step]
            plain = [f"{c.origin.expression.text} AS {quote(c.name)}" for c in own if isinstance(c.origin, Windowed)]
            if plain:
                out.append((f"windows_{step}", f"SELECT *,\n    {_listed(plain)}\n  FROM {out[-1][0]}"))
            for number, column in enumerate((c for c in own if isinstance(c.origin, InForce)), start=1):
                out += self._in_force(column, f"held_{step}_{number}", out[-1][0])
        return out

    def _in_force(self, column: Column, name: str, source: str) -> Parts:
        """`column` beside all of `source`.

        Every row that holds a value becomes one for each row at which it is in force, as far as the next one that
        holds something does not hold a better value for longer.
        """
        origin = column.origin
        assert isinstance(origin, InForce)
        row, time, value, end = quote(self.row), *(quote(c.name) for c in (origin.time, origin.value, origin.end))
        shared = [quote(c.name) for c in origin.same]
        same, alike = ", ".join(shared), " AND ".join(f"a.{c} = b.{c}" for c in shared)
        over = f"OVER (PARTITION BY {same} ORDER BY {time})"
        better = f"lead({value}) {over} {origin.stricter} {value} AND lead({end}) {over} >= {end}"
        return [
            (f"{name}_rows", f"SELECT {row}, {same}, {time}, {value}, {end}, row_number() {over} AS n FROM {source}"),
            (
                f"{name}_from",
                f"""SELECT {same}, {value}, {end}, n, CASE WHEN {better} THEN lead(n) {over} END AS n_after
  FROM {name}_rows WHERE {end} > {time}""",
            ),
            (
                f"{name}_to",
                f"""SELECT a.*, least(b.n + 1, a.n_after) AS n_end
  FROM {name}_from a ASOF JOIN {name}_rows b ON {alike} AND a.{end} > b.{time}""",
            ),
            (
                f"{name}_each",
                f"""SELECT {same}, n, {origin.best.format(value)} AS best
  FROM (SELECT {same}, {value}, unnest(range(n, n_end)) AS n FROM {name}_to)
  GROUP BY {same}, n""",
            ),
            (
                name,
                f"""SELECT w.*, b.best AS {quote(column.name)}
  FROM {source} w JOIN {name}_rows a USING ({row})
  LEFT JOIN {name}_each b ON {alike} AND a.n = b.n""",
            ),
        ]


def _reads(column: Column) -> tuple[Column, ...]:
    assert isinstance(column.origin, Windowed | InForce)
    return column.origin.reads


def _listed(parts: Sequence[str]) -> str:
    return ",\n    ".join(parts)
