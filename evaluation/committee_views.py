"""What the tenderee's side may know of a committee: that it sits, and how many places are empty.

Nobody's name or number is here, and nothing of what goes on in the room.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from evaluation import committees
from evaluation.rules.session_protocol import Phase
from kernel.access import Role, by
from kernel.identifiers import CommitteeId, LotId
from kernel.store.transaction import Transaction


@dataclass(frozen=True, slots=True)
class CommitteeOutline:
    """A committee as whoever convened it may see it."""

    committee_id: CommitteeId
    phase: Phase
    window_from: datetime
    window_until: datetime
    members: int
    vacant_experts: int
    """Places of drawn experts who left and were not followed yet."""

    vacant_representatives: int


@by(Role.TENDEREE, Role.AGENCY)
async def own_committee(
    tx: Transaction, lot_id: LotId, review_round: int | None = None
) -> CommitteeOutline | None:
    """A committee of an own lot, or None while it has none; `NotFound` for others' lots."""
    await committees.own_brief(tx, lot_id, review_round)
    file = await committees.find_of_lot(tx, lot_id, review_round)
    if file is None:
        return None
    vacated = [one for one in file.places if one.left_at is not None]
    return CommitteeOutline(
        file.id,
        Phase(file.row.phase),
        file.row.window_from,
        file.row.window_until,
        members=len(file.places),
        vacant_experts=sum(one.expert_id is not None for one in vacated),
        vacant_representatives=sum(one.expert_id is None for one in vacated),
    )
