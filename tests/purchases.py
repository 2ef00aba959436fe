"""What purchases without a tender begin from in tests: three days, a budget, the lowest price."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

from tests.draw_cast import CIVIL, EAST, HOST
from web.rehearsal.act_publication import a_lot, a_plan

LOWEST: Final[dict[str, Any]] = {
    "v": "ebid-score-scheme/1",
    "method": "lowest_price",
    "items": [],
    "price": {"points": "0"},
    "round": {"stage": "total", "places": 2, "how": "half_up"},
    "ties": ["earlier_bid"],
}
"""Nothing is scored: of those that meet the demand the lowest price wins, the earlier of two."""

STRATA: Final = (
    {"name": "临江专家", "specialism": CIVIL, "region": HOST, "seats": 1},
    {"name": "东湖专家", "specialism": CIVIL, "region": EAST, "seats": 1},
)
"""Whom to draw for a group of three, beside the purchaser's representative."""

BEGUN: Final = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)


def a_purchase(name: str) -> dict[str, Any]:
    """The terms of a lot that is bought in three days, for 600,000 yuan at most."""
    plan = a_plan(BEGUN, bidding_days=3, documents_days=3) | {"publicity_days": 0}
    return a_lot(
        name,
        plan,
        estimate="600000.00",
        ceiling_price="600000.00",
        bid_security="0.00",
        scheme=LOWEST,
    )
