"""Tables as comma-separated values that every spreadsheet opens: UTF-8 with its mark.

Words that a spreadsheet would take for a formula are quoted with an apostrophe, as the OWASP advice
on CSV injection has it; figures are plain. The first row names the columns in Chinese, the second
by their stable ids.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Final

from web.pages import iso

CSV: Final = "text/csv; charset=utf-8"
MARK: Final = "\ufeff"
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")

Cell = str | int | Decimal | datetime | date | None


def sheet(columns: Mapping[str, str], rows: Iterable[Sequence[Cell]]) -> bytes:
    """The rows under their columns, which are names in Chinese by stable ids."""
    text = io.StringIO(newline="")
    write = csv.writer(text)
    write.writerow(columns.values())
    write.writerow(columns)
    for row in rows:
        write.writerow([_plain(cell) for cell in row])
    return (MARK + text.getvalue()).encode()


def _plain(cell: Cell) -> str:
    match cell:
        case None:
            return ""
        case datetime():
            return iso(cell)
        case date():
            return cell.isoformat()
        case Decimal():
            return f"{cell:f}"
        case int():
            return str(cell)
        case str():
            return f"'{cell}" if cell.startswith(_FORMULA) else cell
