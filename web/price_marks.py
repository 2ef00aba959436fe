"""Where the marks of a price strip stand: one row for each bid, on one shared scale."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from kernel.money import half_up

MARGIN: Final = Decimal(6)
"""Per cent of the strip left free at both ends, so that the outermost marks are whole."""


@dataclass(frozen=True, slots=True)
class PriceMark:
    """One bid's price: whose, how much, and how far along the strip in per cent."""

    name: str
    price: Decimal
    at: Decimal
    over: bool
    won: bool


@dataclass(frozen=True, slots=True)
class PriceStrip:
    """Everything a price strip shows, lowest price first."""

    marks: tuple[PriceMark, ...]
    lowest: Decimal
    highest: Decimal
    median: Decimal
    median_at: Decimal
    ceiling: Decimal | None
    ceiling_at: Decimal | None


def price_marks(
    prices: Sequence[tuple[str, Decimal]], *, ceiling: Decimal | None = None, winner: str = ""
) -> PriceStrip:
    """The strip for these bidders' prices; `ValueError` where there are none.

    The scale runs from the lowest figure to the highest, the ceiling among them: dots compare
    positions, so it need not begin at zero.
    """
    if not prices:
        raise ValueError("a strip needs a price")
    ladder = sorted(prices, key=lambda bid: bid[1])
    figures = [price for _, price in ladder]
    shown = [*figures, ceiling] if ceiling is not None else figures
    low, high = min(shown), max(shown)

    def place(price: Decimal) -> Decimal:
        share = (price - low) / (high - low) if high > low else Decimal("0.5")
        return half_up(MARGIN + share * (100 - 2 * MARGIN), 2)

    middle = len(figures) // 2
    odd = len(figures) % 2 == 1
    median = figures[middle] if odd else half_up((figures[middle - 1] + figures[middle]) / 2)
    marks = tuple(
        PriceMark(
            name,
            price,
            place(price),
            over=ceiling is not None and price > ceiling,
            won=bool(winner) and name == winner,
        )
        for name, price in ladder
    )
    return PriceStrip(
        marks,
        lowest=figures[0],
        highest=figures[-1],
        median=median,
        median_at=place(median),
        ceiling=ceiling,
        ceiling_at=None if ceiling is None else place(ceiling),
    )
