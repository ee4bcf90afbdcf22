"""Reads the steps of tests: who gives what when, how often a snapshot is taken, and what is expected."""

from __future__ import annotations

from itertools import accumulate

from policy_dsl import expressions
from policy_dsl import syntax as s
from policy_dsl import syntax_expressions as x
from policy_dsl import syntax_steps as t
from policy_dsl.case_checks import check_clock, check_length, check_series
from policy_dsl.case_expectations import expectation
from policy_dsl.case_tables import typed_table
from policy_dsl.case_values import assignment
from policy_dsl.cases import DEFAULT_CADENCE, MOST_SNAPSHOTS, Assignment, Case, Expectation, Moment, Timeline
from policy_dsl.catalogue import Rows
from policy_dsl.context import Context
from policy_dsl.diagnostics import Label, Source, Span


def typed_test(node: s.TestDecl, source: Source, context: Context) -> Case | None:
    """The typed test; None after a finding. All steps are looked at, so that all errors show."""
    reader = _Reader(context, source)
    for step in node.steps:
        reader.step(step)
    variants = reader.variants()
    fits = check_length(variants, reader.cadence, node.name.span, context)
    if reader.failed or not fits:
        return None
    if not reader.expects:
        hint = "add `expect ...`, or a table with an output"
        context.error("RF310", "the test expects nothing", node.name.span, hint)
        return None
    series = tuple(reader.series)
    in_order = check_clock(variants, reader.cadence, node.name.span, context)
    if not check_series(series, variants, reader.cadence, context) or not in_order:
        return None
    timed = reader.timed or bool(series)
    return Case(context.policy, node.name.text, variants, series, reader.cadence, timed, node.span)


class _Reader:
    """Reads the steps of one test, in order."""

    def __init__(self, context: Context, source: Source) -> None:
        self.context, self.source = context, source
        self.now, self.cadence = 0, DEFAULT_CADENCE
        self.cadence_said: Span | None = None
        self.timed = self.moved = self.failed = self.expects = False
        self.changes: dict[int, tuple[list[Assignment], list[Expectation]]] = {}
        self.series: list[Timeline] = []
        self.rows: list[Moment] = []

    def variants(self) -> tuple[tuple[Moment, ...], ...]:
        """What is given and expected when: once, or once for each row of the tables.

        What a row says comes on top of what the steps say at the time of its table. Where no step says when, what is
        expected is so at the end of the longest series.
        """
        rows = self.rows
        if self.series and not self.moved:
            end = max(series.ends[-1] - 1 for series in self.series) * self.cadence
            given, expected = self.changes.pop(0, ([], []))
            self.changes = {0: (given, [])}
            self.changes.setdefault(end, ([], []))[1].extend(expected)
            rows = [Moment(end, row.given, row.expected) for row in rows]
        moments = tuple(Moment(at, tuple(g), tuple(e)) for at, (g, e) in sorted(self.changes.items()))
        return tuple(_merged(moments, row) for row in rows) or (moments,)

    def step(self, step: t.Step) -> None:
        """Read one step."""
        match step:
            case t.At():
                self._move(step)
            case t.Every():
                self._keep_time(step.cadence)
            case t.Given():
                for assign in step.assigns:
                    self._give(assignment(assign.path, assign.value, self.context))
            case t.Expect():
                self._expect(expectation(step.condition, self.context))
            case t.Series():
                self._read_series(step)
            case t.Table():
                self._read_table(step)

    def _here(self) -> tuple[list[Assignment], list[Expectation]]:
        return self.changes.setdefault(self.now, ([], []))

    def _give(self, made: Assignment | None) -> None:
        self.failed |= made is None
        if made is not None:
            self._here()[0].append(made)

    def _expect(self, made: Expectation | None) -> None:
        self.failed |= made is None
        self.expects = True
        if made is not None:
            self._here()[1].append(made)

    def _move(self, step: t.At) -> None:
        at = expressions.constant_duration(step.time, self.context, 0)
        if at is None:
            self.failed = True
            return
        if at < self.now:
            self.context.error("RF311", "a test goes forward in time", step.span)
            self.failed = True
        self.now, self.timed, self.moved = at, True, True
        self._here()

    def _keep_time(self, node: x.Quantity) -> None:
        """How often a snapshot is taken, which a test says once: of all its time."""
        self.timed = True
        cadence = expressions.constant_duration(node, self.context)
        if cadence is None:
            self.failed = True
        elif self.cadence_said is None:
            self.cadence, self.cadence_said = cadence, node.span
        elif cadence != self.cadence:
            hint = "one cadence is that of the whole test, and of all its series"
            label = Label(self.cadence_said, "the first")
            self.context.error("RF316", "a test has one cadence, and this is a second", node.span, hint, label)
            self.failed = True

    def _read_series(self, step: t.Series) -> None:
        if step.cadence is not None:
            self._keep_time(step.cadence)
        target = self._target(step)
        values = [assignment(step.path, run.value, self.context) for run in step.runs if target is not None]
        known = [value for value in values if value is not None]
        if target is None or len(known) < len(values) or not self._is_short(step):
            self.failed = True
            return
        ends = tuple(accumulate(run.times for run in step.runs))
        self.series.append(Timeline(target, tuple(value.value for value in known), ends))

    def _target(self, step: t.Series) -> Assignment | None:
        """The fact that a series is of: neither a whole row nor one of an event, nor the clock."""
        target = assignment(step.path, t.Missing(), self.context)
        if target is None:
            return None
        path = step.path
        if target.field is None:
            self.context.error("RF202", f"name one fact of `{path.head}`", path.span)
        elif self.context.names.catalogue.entities[target.entity].rows is Rows.EVENT:
            hint = f"give it where it happens: `at 5m  given {path.head}[...].{target.field} = ...`"
            self.context.error("RF209", "an event happens once, and has no series", path.span, hint)
        elif (target.entity, target.field) == ("clock", "now"):
            hint = "`every` says how far apart snapshots are"
            self.context.error("RF311", "the clock of a test goes by itself", path.span, hint)
        else:
            return target
        return None

    def _is_short(self, step: t.Series) -> bool:
        """Whether each run lasts, and all together not for too long."""
        for run in step.runs:
            if run.times == 0:
                self.context.error("RF303", "this lasts for no snapshot", run.span, "leave it out")
                return False
        if sum(run.times for run in step.runs) > MOST_SNAPSHOTS:
            hint = "fewer values, further apart: `every 1h`"
            self.context.error("RF314", f"this takes more than {MOST_SNAPSHOTS:_} snapshots", step.span, hint)
            return False
        return True

    def _read_table(self, step: t.Table) -> None:
        rows = typed_table(step, self.now, self.source, self.context)
        if rows is None:
            self.failed = True
            return
        self._here()
        self.expects |= any(row.expected for row in rows)
        self.rows += rows


def _merged(moments: tuple[Moment, ...], row: Moment) -> tuple[Moment, ...]:
    """The moments of a test, with those of a row on top of the ones at its time."""
    return tuple(Moment(m.at, m.given + row.given, m.expected + row.expected) if m.at == row.at else m for m in moments)
