"""Who is still in the talks, and whose last price may be read (Government Procurement Law 38)."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, TypeVar
from uuid import UUID

import pytest

from kernel.store.database import Row
from trading.rules.price_talks import TalkPhase, lie_open
from trading.rules.procedures import Procedure, switches_of
from trading.tables import (
    LastPriceCallRow,
    LastPriceOpeningRow,
    LotRow,
    TalkLeaveRow,
    TalkRow,
)
from trading.talk_records import TalkFile, call_of

Kept = TypeVar("Kept", bound=Row)

AT = datetime(2026, 3, 9, 2, 0, tzinfo=UTC)
LOT, NAMED, SILENT, LEFT, REJECTED = (UUID(int=number) for number in range(1, 6))


def a_row(table: type[Kept], **facts: Any) -> Kept:
    """A row of which nothing else is looked at."""
    return table(**{"lot_id": LOT, **facts})


def an_opening(bidder: UUID, price: str) -> LastPriceOpeningRow:
    return a_row(LastPriceOpeningRow, bidder_id=bidder, price=Decimal(price))


def a_talk(bidder: UUID, turn: int) -> TalkRow:
    return a_row(TalkRow, bidder_id=bidder, turn=turn)


CALL = a_row(
    LastPriceCallRow,
    asked=[str(NAMED), str(SILENT), str(LEFT)],
    due_at=AT,
    window_until=AT + timedelta(minutes=30),
)

FILE = TalkFile(
    lot=a_row(LotRow),
    switches=switches_of(Procedure.COMPETITIVE_NEGOTIATION, on=date(2026, 3, 1)),
    allows_two=False,
    phase=TalkPhase.OPEN,
    bids={one: one for one in (NAMED, SILENT, LEFT, REJECTED)},
    first_prices={},
    talks=(a_talk(NAMED, 1), a_talk(NAMED, 2), a_talk(SILENT, 1)),
    answers={},
    changes=(),
    left={LEFT: a_row(TalkLeaveRow, bidder_id=LEFT, left_at=AT)},
    call=CALL,
    handed_in={},
    opened={NAMED: an_opening(NAMED, "9.00"), LEFT: an_opening(LEFT, "8.00")},
)


@pytest.mark.parametrize("phase", TalkPhase)
def test_no_last_price_can_be_read_before_all_lie_open(phase: TalkPhase) -> None:
    file = replace(FILE, phase=phase)
    assert file.last_price(NAMED) == (Decimal("9.00") if lie_open(phase) else None)
    assert file.last_price(SILENT) is file.last_price(REJECTED) is None
    assert file.last_price(LEFT) is None


def test_who_left_is_gone_at_once_and_who_stays_silent_when_the_window_is_over() -> None:
    assert FILE.gone == {LEFT, SILENT}
    assert replace(FILE, phase=TalkPhase.OPENING).gone == {LEFT}
    assert replace(FILE, phase=TalkPhase.TALKING, call=None).asked == frozenset()


def test_a_supplier_whose_bid_was_rejected_is_not_asked_and_not_gone() -> None:
    assert REJECTED not in FILE.asked | FILE.gone
    assert call_of(CALL).asked == FILE.asked


def test_turns_are_counted_for_those_who_are_left() -> None:
    remaining = frozenset({NAMED, SILENT, REJECTED})
    assert FILE.talked(remaining) == {NAMED: 2, SILENT: 1, REJECTED: 0}
