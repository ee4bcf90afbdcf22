"""The fund's own record in each symbol, as `symbol_performance.json` keeps it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from modules.feeds.faults import Faults
from modules.feeds.lines import Fields, parse, read_text


@dataclass(frozen=True, slots=True)
class SymbolRecord:
    """Closed trades of one symbol: how many, how many in profit, the sum of their R, and the time it was known (ms)."""

    symbol: str
    trades: int
    wins: int
    total_r: Decimal
    known_at: int


def read_symbol_records(path: Path) -> Mapping[str, SymbolRecord]:
    """The records of a JSON file by symbol.

    Raises PolicyError with RF801 to RF805.
    """
    faults = Faults(path)
    try:
        document = parse(read_text(path, faults))
    except json.JSONDecodeError as error:
        raise faults.unreadable(f"it is not JSON at line {error.lineno}") from error
    except ValueError as error:
        raise faults.unreadable(str(error)) from error
    if not isinstance(document, dict):
        raise faults.fatal("RF804", f"`{path.name}` is not a JSON object of symbols", "give one record a symbol")
    records = {}
    for index, (symbol, row) in enumerate(document.items()):
        if not isinstance(row, dict):
            faults.add("RF804", f"the record of `{symbol}` is not a JSON object", "mend or remove it")
            continue
        fields = Fields(row, index, faults)
        record = SymbolRecord(
            symbol, fields.whole("trade_count"), fields.whole("wins"), fields.number("total_R"),
            fields.time("last_updated"),
        )  # fmt: skip
        if not 0 <= record.wins <= record.trades:
            faults.add("RF805", f"the record of `{symbol}` has {record.wins} wins in {record.trades} trades")
        records[symbol] = record
    faults.stop_if_any()
    return records
