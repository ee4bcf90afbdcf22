"""What is switched by hand, while something else is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Event

from modules.runtime.controls import Controls
from modules.runtime.switchboard import Switchboard
from modules.runtime.switches import Switches
from policy_dsl.configuration import Mode

PATIENCE = 60.0
"""Seconds that a test waits for what is sure to come, however busy the machine is."""


@contextmanager
def changing(board: Switchboard, module: str) -> Iterator[list[Switches]]:
    """Within the block a mode of a module is worked out; gives what was to be in force, then and later."""
    begun, goes_on = Event(), Event()
    asked: list[Switches] = []

    def prepare(now: Switches) -> Callable[[], None]:
        asked.append(now)
        begun.set()
        assert goes_on.wait(PATIENCE)
        return lambda: None

    board.prepare = prepare
    with ThreadPoolExecutor(1) as pool:
        change = pool.submit(board.set_mode, 1, module, "observe", "ada", "look")
        assert begun.wait(PATIENCE)
        try:
            yield asked
        finally:
            goes_on.set()
        assert change.result(PATIENCE) is Mode.OBSERVE


def test_a_module_is_switched_while_a_mode_takes_its_time_to_be_in_force() -> None:
    board = Switchboard(Controls())
    with changing(board, "pba"):
        board.switch(2, "pil", "bob", "noise", on=False)
        assert not board.is_on("pil")
    assert board.switches.modes == {"pba": Mode.OBSERVE}
    assert not board.is_on("pil")
    assert [call.what for call in board.controls.calls] == ["disable pil", "set_mode pba observe"]


def test_modes_change_one_after_the_other_and_none_is_lost() -> None:
    board = Switchboard(Controls())
    with ThreadPoolExecutor(1) as pool:
        with changing(board, "pba") as asked:
            later = pool.submit(board.set_mode, 2, "pal", "off", "bob", "calm")
        later.result(PATIENCE)
    assert [found.modes for found in asked] == [
        {"pba": Mode.OBSERVE},
        {"pba": Mode.OBSERVE, "pal": Mode.OFF},
    ]
    assert board.switches.modes == {"pba": Mode.OBSERVE, "pal": Mode.OFF}
