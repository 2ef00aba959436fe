"""What those outside may know of a committee: that it sits, and afterwards who sat.

Before the award nobody's name or number is here, and never anything of what goes on in the room.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from evaluation import committees, reporting
from evaluation.rules.session_protocol import Phase
from kernel.access import Role, by
from kernel.identifiers import CommitteeId, LotId
from kernel.statute import Regime
from kernel.store.transaction import Transaction
from trading import handover


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


@dataclass(frozen=True, slots=True)
class AnnouncedMember:
    """Somebody who evaluated a purchase, as the notice of its result names it."""

    number: int
    name: str
    expert: bool


@by(*Role)
async def announced_members(tx: Transaction, lot_id: LotId) -> tuple[AnnouncedMember, ...]:
    """Who evaluated, for everybody, once a purchase was awarded; else nobody is named.

    The notice of a purchase's result lists its experts (87号令 69); of a tender's committee only
    those concerned hear names, in the room.
    """
    brief = await handover.lot_brief(tx, lot_id)
    file = await committees.find_of_lot(tx, lot_id)
    if file is None or brief.regime is not Regime.PROCUREMENT or not brief.awarded():
        return ()
    names = await reporting.names_of(tx, file.members)
    return tuple(
        AnnouncedMember(one.number, names[one.person_id], one.expert_id is not None)
        for one in file.members
    )


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
