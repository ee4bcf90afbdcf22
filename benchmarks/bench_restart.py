"""Meeting a stored book again: from its bookmark, against replaying all of its snapshots. Prints ratios of one run.

`--days N` stores the simulated day N times, one after the other; 5 without.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb

from evaluators.snapshot import Snapshot
from evaluators.store import Store
from evaluators.store_follower import StoreFollower
from modules.facts import default_catalogue
from modules.simulator import simulate
from policy_dsl.bundle import Bundle, load
from policy_dsl.quantities import MS_PER_DAY

RULES = Path(__file__).resolve().parent.parent / "rules"
STEP_MS = 60_000


def timeline(days: int) -> Iterator[Snapshot]:
    """The simulated day, over and over."""
    one_day = list(simulate(7).state.snapshots(default_catalogue()))
    for day in range(days):
        for snapshot in one_day:
            yield replace(snapshot, ts=snapshot.ts + day * MS_PER_DAY)


def met(path: Path, bundle: Bundle) -> tuple[float, float, int]:
    """Seconds to compile the rules, to meet the book, and how many snapshots were replayed for that."""
    counted: list[int] = []
    with Store(path, default_catalogue()) as store:
        start = time.perf_counter()
        follower = StoreFollower(
            store, bundle.program, max_gap=3 * STEP_MS, on_replay=lambda _, count: counted.append(count)
        )
        compiled = time.perf_counter()
        follower.resume(store.books[0])
        return compiled - start, time.perf_counter() - compiled, counted[-1]


def main() -> None:
    """Stores a book, lets a follower bookmark it, and meets it with and without the bookmark, in turns."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--days", type=int, default=5)
    days = parser.parse_args().days
    bundle = load(RULES, default_catalogue())
    with TemporaryDirectory() as directory:
        path = Path(directory) / "state.duckdb"
        with Store(path, default_catalogue()) as store:
            store.save_bundle(bundle.program.hash, {name: source.text for name, source in bundle.sources.items()})
            stored = store.append_many(timeline(days))
        whole, from_there = met(path, bundle), met(path, bundle)
        with duckdb.connect(str(path)) as connection:
            row = connection.execute("SELECT length(leaves) FROM log.bookmark").fetchone()
    print(f"{stored} snapshots stored, a bookmark of {row[0] if row else 0} letters; compiling took {whole[0]:.2f} s")
    print(f"all of them  {whole[1]:8.2f} s  {whole[2]:7} replayed")
    print(f"bookmark     {from_there[1]:8.2f} s  {from_there[2]:7} replayed  x{from_there[1] / whole[1]:.3f}")


if __name__ == "__main__":
    main()
