"""The server that stands for an exchange."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.modules.venues.binance_server import Exchange, serving


@pytest.fixture
def exchange() -> Iterator[Exchange]:
    with serving() as made:
        yield made
