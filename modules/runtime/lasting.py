"""What a fund starts with stays: collections of garbage leave it alone while the fund is at work."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def lasting() -> Iterator[None]:
    """Leave out of collections whatever there is now, so that no snapshot waits for all of it to be looked through.

    Afterwards it is collected like anything else: extension modules complain of what is left when the process ends.
    """
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
