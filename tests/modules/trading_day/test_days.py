"""Days on several processes."""

from __future__ import annotations

import signal
import subprocess
import sys

from modules.trading_day.days import interrupts_wait

ASKS = "import signal; print(signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, []))"


def hears_interrupts_late() -> bool:
    """Whether a process that begins now holds interrupts back."""
    asked = subprocess.run([sys.executable, "-c", ASKS], check=True, capture_output=True, text=True)
    return asked.stdout.strip() == "True"


def test_a_process_hears_no_interrupt_amid_its_imports() -> None:
    with interrupts_wait():
        assert hears_interrupts_late()
    assert not hears_interrupts_late()


def test_an_interrupt_that_waited_is_heard() -> None:
    heard: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _frame: heard.append(number))
    try:
        with interrupts_wait():
            signal.raise_signal(signal.SIGINT)
            assert heard == []
        assert heard == [signal.SIGINT]
    finally:
        signal.signal(signal.SIGINT, before)
