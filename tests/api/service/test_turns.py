"""Turns: one at a time, and who comes first waits for nobody but him who is at work."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Event
from time import monotonic, sleep

from api.service.turns import Turns


def test_a_hand_goes_before_all_who_wait_and_before_who_comes_again_and_again() -> None:
    turns, order, over = Turns(), list[str](), Event()

    def busy() -> None:
        while not over.is_set():
            with turns:
                order.append("busy")
                sleep(0.001)

    def hand() -> None:
        with turns.turn(first=True):
            order.append("hand")

    with ThreadPoolExecutor(4) as pool:
        turns.acquire()
        waiting = [pool.submit(busy) for _ in range(3)]
        asked = pool.submit(hand)
        until = monotonic() + 10
        while not turns._first:
            assert monotonic() < until, "the hand has not come"
            sleep(0.001)
        turns.release()
        asked.result(10)
        over.set()
        for done in waiting:
            done.result(10)
    assert order[0] == "hand"


def test_a_turn_that_is_not_to_be_had_in_time_is_given_up_and_holds_nobody_up() -> None:
    turns = Turns()
    with turns:
        assert not turns.acquire(0.01)
        assert not turns.acquire(0.01, first=True)
    assert turns.acquire(1)
    turns.release()
