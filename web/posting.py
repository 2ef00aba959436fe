"""Posts what `notifications.py` says: for each entry of the journal, to everybody it concerns.

The journal is written in the transaction of the act, and what follows from an entry is posted in
the transaction in which the reaction moves its place: so nothing is lost between the two, and
nothing is told twice. Nobody is told before the entry's own audience may know: what is public goes
to each circle, what is for one party goes to that party alone.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType
from typing import Any, Final
from uuid import UUID

from sqlalchemy import text

from kernel.access import Role
from kernel.identifiers import PartyId
from kernel.store import outbox
from kernel.store.journal import Entry
from kernel.store.outbox import Message, Recipient
from kernel.store.transaction import Transaction
from web.notifications import TOPICS, Circle

NAME_MAX: Final = 120

_FIRST: Final = text(
    "SELECT record FROM kernel.journal WHERE subject_id = :subject AND kind = :kind"
    " ORDER BY recorded_at LIMIT 1"
)
_TAKING_PART: Final = text(
    "SELECT DISTINCT party_id FROM kernel.capacity WHERE subject_id = :subject AND role = :role"
)
_ACTING: Final = text(
    "SELECT DISTINCT m.party_id FROM kernel.membership m"
    " JOIN kernel.organisation o ON o.id = m.party_id"
    " WHERE m.role = :role AND m.ended_at IS NULL AND o.verified_at IS NOT NULL"
)

Facts = Mapping[str, Any]
Finder = Callable[[Transaction, Entry, Facts], Awaitable[list[Recipient]]]


async def post_notifications(tx: Transaction, entry: Entry) -> None:
    """Tell everybody whom this entry concerns."""
    lot = (
        await facts_of_first(tx, entry.subject_id, "LotPublished")
        or await facts_of_first(tx, entry.subject_id, "PrequalificationAnnounced")
        or await _listing(tx, entry.subject_id)
    )
    if lot is None:
        return
    about = (
        {"listing": f"{lot['listing']} {lot['title']}"[:NAME_MAX]}
        if "listing" in lot
        else {
            "project": lot["project_code"],
            "number": lot["number"],
            "lot": str(lot["name"])[:NAME_MAX],
        }
    )
    for topic in TOPICS:
        if not topic.is_told_by(entry.kind, entry.facts):
            continue
        for circle, channels in topic.to.items():
            message = Message(
                topic.key,
                entry.subject_id,
                topic.must,
                channels,
                {
                    "kind": entry.kind,
                    **about,
                    **({"due_at": entry.facts["due_at"]} if "due_at" in entry.facts else {}),
                },
            )
            recipients = await CIRCLES[circle](tx, entry, lot)
            await outbox.post(tx, entry.id, message, recipients)


async def _listing(tx: Transaction, subject_id: UUID) -> Facts | None:
    """A listing, or a letter for one that need not exist, with its seller as the owner."""
    for kind in ("ListingAnnounced", "ListingEntrusted"):
        found = await facts_of_first(tx, subject_id, kind)
        if found is not None:
            owners = {"tenderee_id": found["seller_id"], "agency_id": found.get("agency_id")}
            if kind == "ListingEntrusted":
                owners["agency_id"] = found["addressee_id"]
            return {"listing": found["code"], "title": found.get("title", ""), **owners}
    return None


async def bidders_that_count(tx: Transaction, lot_id: UUID) -> frozenset[UUID] | None:
    """The bidders of a closed lot, whom everybody knows; None while nobody may."""
    closed = await facts_of_first(tx, lot_id, "LotClosed")
    return None if closed is None else frozenset(UUID(bid["bidder"]) for bid in closed["bids"])


async def facts_of_first(tx: Transaction, subject_id: UUID, kind: str) -> Facts | None:
    """The facts of the first entry of a kind about a subject; None where there is none."""
    record = await tx.session.scalar(_FIRST, {"subject": subject_id, "kind": kind})
    if record is None:
        return None
    facts: Facts = json.loads(record)["facts"]
    return facts


async def _bidders(tx: Transaction, entry: Entry, lot: Facts) -> list[Recipient]:
    count = await bidders_that_count(tx, entry.subject_id)
    if count is None:
        rows = await tx.session.scalars(
            _TAKING_PART, {"subject": entry.subject_id, "role": Role.BIDDER}
        )
        count = frozenset(rows)
    return [Recipient(PartyId(one), Role.BIDDER) for one in sorted(count)]


async def _one_party(tx: Transaction, entry: Entry, lot: Facts) -> list[Recipient]:
    party = entry.facts.get("addressee_id") or entry.facts["bidder_id"]
    own = {lot["tenderee_id"]: Role.TENDEREE, lot["agency_id"]: Role.AGENCY}
    return [Recipient(PartyId(UUID(party)), own.get(party, Role.BIDDER))]


async def _custodian(tx: Transaction, entry: Entry, lot: Facts) -> list[Recipient]:
    return [Recipient(PartyId(UUID(entry.facts["addressee_id"])), Role.CUSTODIAN)]


async def _owners(tx: Transaction, entry: Entry, lot: Facts) -> list[Recipient]:
    return [
        Recipient(PartyId(UUID(lot[member])), role)
        for member, role in (("tenderee_id", Role.TENDEREE), ("agency_id", Role.AGENCY))
        if lot[member] is not None
    ]


def _everybody_acting_as(role: Role) -> Finder:
    async def found(tx: Transaction, entry: Entry, lot: Facts) -> list[Recipient]:
        rows = await tx.session.scalars(_ACTING, {"role": role})
        return [Recipient(PartyId(one), role) for one in sorted(rows)]

    return found


CIRCLES: Final[Mapping[Circle, Finder]] = MappingProxyType(
    {
        Circle.BIDDERS: _bidders,
        Circle.ONE_PARTY: _one_party,
        Circle.OWNERS: _owners,
        Circle.SUPERVISORS: _everybody_acting_as(Role.SUPERVISOR),
        Circle.CUSTODIAN: _custodian,
        Circle.CENTRE: _everybody_acting_as(Role.CENTRE_STAFF),
    }
)
"""How each circle is found; a called expert is found by the call."""
