"""The report is computed, signed, and moves the lot.

Bidding Regulation 53; Committee Provisions 27, 42, 43; Government Procurement Tender Measures 61.
"""

from __future__ import annotations

from tests.committees_at_work import WorkRoom
from trading.rules.lot_lifecycle import LotState


async def test_the_last_signature_moves_the_lot(room: WorkRoom) -> None:
    await room.reported()
    assert (await room.hall.lot()).state == LotState.EVALUATED
