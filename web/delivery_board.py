"""What became of the notifications about a lot, for those who sent them and those who supervise.

Which bidders were told would tell who takes part. So nothing about bidders is shown before the lot
was closed, not even a number; then to its owners and the centre only about those whose bids count,
for who merely took the documents stays unknown to them for ever. A supervisor sees all of them once
the sealed time is over (招标投标法 22; 电子招标投标办法 21).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from kernel.access import Role, by
from kernel.errors import NotFound
from kernel.store import outbox
from kernel.store.outbox import DeliverySeen, Notification
from kernel.store.parties import organisation_names
from kernel.store.transaction import Transaction
from web.posting import Facts, bidders_that_count, facts_of_first

PRIVATE_TOPICS: Final = frozenset({"receipt", "security"})
"""What passes between one bidder and the platform, and is no message of the lot's owners."""

SUPERVISORS_TOPICS: Final = frozenset({"overdue"})
"""What supervisors alone are told."""


@dataclass(frozen=True, slots=True)
class Told:
    """One organisation that was told, and how far each way out of the house has come."""

    topic: str
    must: bool
    organisation: str
    role: Role
    posted_at: datetime
    read: bool
    deliveries: tuple[DeliverySeen, ...]


@dataclass(frozen=True, slots=True)
class Board:
    """The notifications about one lot; `bidders_shown` says whether bidders are among them yet."""

    lot_id: UUID
    lot_name: str
    bidders_shown: bool
    told: tuple[Told, ...]


@by(Role.TENDEREE, Role.AGENCY, Role.SUPERVISOR, Role.CENTRE_STAFF)
async def delivery_board(tx: Transaction, lot_id: UUID) -> Board:
    """What became of the notifications about a lot, as far as this reader may know."""
    lot = await facts_of_first(tx, lot_id, "LotPublished")
    if lot is None or not _concerns(tx, lot):
        raise NotFound("no such lot")
    count = await bidders_that_count(tx, lot_id)
    cancelled = await facts_of_first(tx, lot_id, "LotCancelled") is not None
    all_told = await outbox.told_about(tx.session, lot_id)
    seen = visible(
        all_told, reader=tx.actor.role, bidders=count, unsealed=cancelled or count is not None
    )
    names = await organisation_names(tx.session, {one.party_id for one in seen})
    told = tuple(
        Told(
            one.topic,
            one.must,
            names[one.party_id],
            one.role,
            one.posted_at,
            one.read,
            one.deliveries,
        )
        for one in seen
    )
    shown = count is not None or (cancelled and tx.actor.role is Role.SUPERVISOR)
    return Board(lot_id, str(lot["name"]), shown, told)


def visible(
    told: Sequence[Notification],
    *,
    reader: Role,
    bidders: Collection[UUID] | None,
    unsealed: bool,
) -> tuple[Notification, ...]:
    """Those a reader may know of: `bidders` are those of a closed lot, None before its close."""
    if reader is Role.SUPERVISOR and unsealed:
        return tuple(told)
    known = frozenset(bidders or ())
    return tuple(
        one
        for one in told
        if (one.role is not Role.BIDDER and one.topic not in SUPERVISORS_TOPICS)
        or (one.party_id in known and one.topic not in PRIVATE_TOPICS)
    )


def _concerns(tx: Transaction, lot: Facts) -> bool:
    match tx.actor.role:
        case Role.TENDEREE:
            return bool(lot["tenderee_id"] == str(tx.actor.party))
        case Role.AGENCY:
            return bool(lot["agency_id"] == str(tx.actor.party))
        case _:
            return True
