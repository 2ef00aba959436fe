"""A tenderee, or its agency, lists whom to invite; who was invited is asked of here.

The list stands beside the draft. Where the law wants the invited drawn, they are drawn in the act
that lists them, once: whoever could list again could draw until he likes the outcome. Until the
bids are opened nobody but the lot's owners learns who was invited or how many; each of the invited
hears of itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import delete, select
from sqlmodel import col

from kernel.access import Role, by
from kernel.crypto.digests import Malformed
from kernel.errors import NotFound, Refused
from kernel.identifiers import LotId, PartyId
from kernel.randomness import random_bytes
from kernel.refusals import Refusal
from kernel.store.parties import organisation_names, organisations_by_id
from kernel.store.transaction import Transaction
from trading import lots
from trading.drafting import clean_text, locked_own_lot, require_draft
from trading.events import BidderInvited, InviteesNamed
from trading.rules.invited_bidders import (
    NOBODY,
    Guest,
    Invited,
    Source,
    drawn_first,
    guest_refusals,
    invitation_refusals,
    invited_commitment,
    refusing_article,
    uninvited_refusals,
)
from trading.rules.lot_lifecycle import was_opened
from trading.rules.procedures import Offers, Switches
from trading.tables import InvitationRow, InviteeRow, LotRow, ProjectRow, SoleSupplierRow
from trading.talk_records import switches_then

LISTED_MAX: Final = 200
WITNESSES_MAX: Final = 20
NAME_MAX: Final = 60
RECORD_MAX: Final = 4000
SALT_SIZE: Final = 32


@dataclass(frozen=True, slots=True)
class InvitationList:
    """Whom to list, from where, and how many of them to draw; `count` is None to invite them all.

    `witnesses` are the purchaser's staff who see the draw, `record` what is written down of it.
    """

    source: Source
    listed: tuple[PartyId, ...]
    count: int | None = None
    witnesses: tuple[str, ...] = ()
    record: str = ""


@dataclass(frozen=True, slots=True)
class Listed:
    """One organisation of a list, and whether it is invited."""

    party_id: PartyId
    name: str
    invited: bool


@dataclass(frozen=True, slots=True)
class InvitationTold:
    """Who was listed for a lot and who is invited, with what anyone needs to draw again."""

    source: Source
    listed: tuple[Listed, ...]
    witnesses: tuple[str, ...]
    record: str
    salt: bytes
    seed: bytes | None
    named_at: datetime

    @property
    def invited(self) -> tuple[Listed, ...]:
        """Those who are invited."""
        return tuple(one for one in self.listed if one.invited)


@dataclass(frozen=True, slots=True)
class OwnInvitation:
    """A lot to which the acting bidder is invited."""

    lot_id: LotId
    lot_name: str
    project_name: str
    tenderee: str
    invited_at: datetime
    bids_due_at: datetime | None
    state: str


@by(Role.TENDEREE, Role.AGENCY)
async def name_invited(tx: Transaction, lot_id: UUID, said: InvitationList) -> tuple[PartyId, ...]:
    """List whom to invite to a draft, in place of those listed before; who is invited.

    Where the law wants them drawn this draws them, and the list stands from then on.
    """
    lot, project = await locked_own_lot(tx, lot_id)
    switches = await switches_then(tx, lot)
    standing = await tx.session.get(InvitationRow, lot.id)
    guests = await _guests(tx, project, said.listed)
    witnesses = tuple(clean_text(one, at_most=NAME_MAX) for one in said.witnesses)
    record = clean_text(said.record, at_most=RECORD_MAX) if said.record.strip() else ""
    if len(said.listed) > LISTED_MAX or len(witnesses) > WITNESSES_MAX:
        raise Malformed(f"a list names at most {LISTED_MAX}, before {WITNESSES_MAX}")

    require_draft(lot)
    refusals = guest_refusals(guests, switches)
    if refusals:
        raise Refused(refusals)
    demands = switches.invitation
    assert demands is not None
    if switches.offers is Offers.AGREED:
        sole = await tx.session.get(SoleSupplierRow, lot.id)
        if sole is None or said.listed != (sole.supplier_id,):
            reason = "单一来源采购只邀请公告载明的唯一供应商"
            raise Refused([Refusal("not_the_only_supplier", refusing_article(switches), reason)])
    if standing is not None and standing.seed is not None:
        reason = "被邀请的供应商已经随机抽取产生，不得重新抽取"
        raise Refused([Refusal("already_drawn", refusing_article(switches), reason)])
    count = len(said.listed)
    if demands.drawn and said.count is not None:
        count = min(said.count, count)
    proposed = Invited(
        count,
        said.source,
        len(said.listed),
        demands.drawn,
        len(set(witnesses)),
        record,
        (tx.now,) * count,
    )
    if said.listed:
        refusals = invitation_refusals(proposed, switches)
    if refusals:
        raise Refused(refusals)

    seed = random_bytes(SALT_SIZE) if demands.drawn else None
    chosen = said.listed[:count] if seed is None else drawn_first(said.listed, seed, count=count)
    await tx.session.execute(delete(InviteeRow).where(col(InviteeRow.lot_id) == lot.id))
    if standing is not None and not said.listed:
        await tx.session.delete(standing)
    if said.listed:
        await tx.session.merge(
            InvitationRow(
                lot_id=lot.id,
                source=said.source,
                record=record,
                witnesses=list(witnesses),
                salt=random_bytes(SALT_SIZE),
                seed=seed,
                named_by=tx.actor.person,
                named_at=tx.now,
            )
        )
        await tx.session.flush()
        tx.session.add_all(
            InviteeRow(lot_id=lot.id, party_id=party, place=place, invited=party in chosen)
            for place, party in enumerate(said.listed, 1)
        )

    for party_id in filter(None, (project.tenderee_id, project.agency_id)):
        tx.record(
            InviteesNamed(
                lot.id,
                addressee_id=party_id,
                source=said.source,
                listed=said.listed,
                invited=tuple(chosen),
                seed=seed,
            )
        )

    return tuple(PartyId(one) for one in chosen)


@by(Role.TENDEREE, Role.AGENCY, Role.SUPERVISOR)
async def invitation(tx: Transaction, lot_id: UUID) -> InvitationTold | None:
    """Who was listed and invited: for the lot's owners at any time, for supervisors once the bids
    are opened, and before that as if there were no such lot. None where nobody was listed.
    """
    lot = await tx.session.get(LotRow, lot_id)
    if tx.actor.role is Role.SUPERVISOR:
        if lot is None or not was_opened(lot.path):
            raise NotFound("no such lot, or its bids are still sealed")
    else:
        await lots.owned(tx, lot_id)
    row = await tx.session.get(InvitationRow, lot_id)
    if row is None:
        return None
    rows = await _rows(tx, lot_id)
    names = await organisation_names(tx.session, [one.party_id for one in rows])
    return InvitationTold(
        Source(row.source),
        tuple(Listed(PartyId(one.party_id), names[one.party_id], one.invited) for one in rows),
        tuple(row.witnesses),
        row.record,
        row.salt,
        row.seed,
        row.named_at,
    )


@by(Role.BIDDER)
async def own_invitations(tx: Transaction) -> list[OwnInvitation]:
    """The published lots to which the acting bidder is invited, the newest first."""
    rows = (
        await tx.session.execute(
            select(LotRow, ProjectRow)
            .join(InviteeRow, col(InviteeRow.lot_id) == col(LotRow.id))
            .join(ProjectRow, col(ProjectRow.id) == col(LotRow.project_id))
            .where(
                col(InviteeRow.party_id) == tx.actor.party,
                col(InviteeRow.invited),
                col(LotRow.published_at).is_not(None),
            )
            .order_by(col(LotRow.published_at).desc())
            .limit(100)
        )
    ).all()
    names = await organisation_names(tx.session, {project.tenderee_id for _, project in rows})
    return [
        OwnInvitation(
            LotId(lot.id),
            lot.name,
            project.name,
            names[project.tenderee_id],
            lot.published_at,
            lot.bids_due_at,
            lot.state,
        )
        for lot, project in rows
        if lot.published_at is not None
    ]


# ── for the neighbours in this package ────────────────────────────────────────────────────────


async def proposed_invitation(tx: Transaction, lot_id: UUID) -> tuple[Invited, bytes | None]:
    """The invited of a draft as they would be told now, and what stands for them in the notice."""
    row = await tx.session.get(InvitationRow, lot_id)
    if row is None:
        return NOBODY, None
    rows = await _rows(tx, lot_id)
    invited = [one.party_id for one in rows if one.invited]
    facts = Invited(
        len(invited),
        Source(row.source),
        len(rows),
        row.seed is not None,
        len(set(row.witnesses)),
        row.record,
        (tx.now,) * len(invited),
    )
    return facts, invited_commitment(row.salt, invited)


async def send_invitations(tx: Transaction, lot_id: UUID) -> None:
    """Tell each of the invited, all in the transaction that publishes the lot."""
    for one in await _rows(tx, lot_id):
        if one.invited:
            tx.record(BidderInvited(lot_id, addressee_id=one.party_id))


async def is_by_invitation(tx: Transaction, lot_id: UUID) -> bool:
    """Whether only who was invited may see the lot's documents and bid."""
    return await tx.session.get(InvitationRow, lot_id) is not None


async def uninvited_grounds(tx: Transaction, lot: LotRow, switches: Switches) -> list[Refusal]:
    """Why the acting party may neither see the documents of this lot nor bid for it."""
    if not await is_by_invitation(tx, lot.id):
        return []
    row = await tx.session.get(InviteeRow, (lot.id, tx.actor.party))
    return uninvited_refusals(invited=row is not None and row.invited, switches=switches)


async def is_kept_from(tx: Transaction, lot: LotRow) -> bool:
    """Whether the documents of this published lot are none of the actor's business: they are for
    its owners, for the invited and for supervisors, and never for anybody else.
    """
    if not await is_by_invitation(tx, lot.id) or tx.actor.role is Role.SUPERVISOR:
        return False
    project = await tx.session.get_one(ProjectRow, lot.project_id)
    if lots.owns(tx, project):
        return False
    if tx.actor.role is not Role.BIDDER:
        return True
    return bool(await uninvited_grounds(tx, lot, await switches_then(tx, lot)))


# ── what the above is made of ─────────────────────────────────────────────────────────────────


async def _rows(tx: Transaction, lot_id: UUID) -> Sequence[InviteeRow]:
    rows = await tx.session.scalars(
        select(InviteeRow).where(col(InviteeRow.lot_id) == lot_id).order_by(col(InviteeRow.place))
    )
    return rows.all()


async def _guests(
    tx: Transaction, project: ProjectRow, listed: Sequence[PartyId]
) -> tuple[Guest, ...]:
    parties = await organisations_by_id(tx, set(listed))
    own = {project.tenderee_id, project.agency_id}
    return tuple(
        Guest(
            party,
            parties[party].name if party in parties else "所列单位",
            is_bidder=party in parties and Role.BIDDER in parties[party].roles,
            is_verified=party in parties and parties[party].verified,
            is_own_side=party in own,
        )
        for party in listed
    )
