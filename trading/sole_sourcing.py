"""A purchaser says in a draft to which one supplier it is put, and why (单一来源采购).

The supplier is the only one invited. Its name, the grounds and the opinions stand in the signed
notice, so that whoever could deliver too may object while the notice stands.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from kernel.access import Role, by
from kernel.crypto.digests import Malformed
from kernel.errors import Refused
from kernel.identifiers import PartyId
from kernel.refusals import Refusal
from kernel.store.parties import organisation, organisations_by_id
from kernel.store.transaction import Transaction
from trading import inviting, lots
from trading.drafting import clean_text, locked_own_lot, require_draft
from trading.events import SoleSupplierNamed
from trading.handover import switches_for
from trading.inviting import InvitationList
from trading.rules.invited_bidders import Source
from trading.rules.procedures import Offers
from trading.rules.single_source import (
    NAME_MAX,
    OPINIONS_MAX,
    WORDS_MAX,
    ExpertOpinion,
    SoleSupplier,
)
from trading.tables import LotRow, SoleSupplierRow


@dataclass(frozen=True, slots=True)
class SoleSupplierTold:
    """The only supplier of a lot as its owners named it."""

    supplier_id: PartyId
    name: str
    grounds: str
    opinions: tuple[ExpertOpinion, ...]
    named_at: datetime


@by(Role.TENDEREE, Role.AGENCY)
async def name_sole_supplier(tx: Transaction, lot_id: UUID, said: SoleSupplier) -> None:
    """Say to which one supplier a draft is put, with grounds and opinions; it alone is invited."""
    lot, project = await locked_own_lot(tx, lot_id)
    switches = await switches_for(tx, lot)
    await organisation(tx, PartyId(said.supplier_id))
    if len(said.opinions) > OPINIONS_MAX:
        raise Malformed(f"at most {OPINIONS_MAX} opinions")
    opinions = [_cleaned(one) for one in said.opinions]
    grounds = clean_text(said.grounds, at_most=WORDS_MAX) if said.grounds.strip() else ""

    require_draft(lot)
    if switches.offers is not Offers.AGREED:
        reason = "本采购方式不指定唯一供应商"
        raise Refused([Refusal("no_sole_supplier_here", switches.principle, reason)])

    await tx.session.merge(
        SoleSupplierRow(
            lot_id=lot.id,
            supplier_id=said.supplier_id,
            grounds=grounds,
            opinions=[one.plain() for one in opinions],
            named_by=tx.actor.person,
            named_at=tx.now,
        )
    )
    await tx.session.flush()
    await inviting.name_invited(
        tx, lot_id, InvitationList(Source.CHOSEN, (PartyId(said.supplier_id),))
    )

    for party_id in filter(None, (project.tenderee_id, project.agency_id)):
        tx.record(SoleSupplierNamed(lot.id, addressee_id=party_id, supplier_id=said.supplier_id))


@by(Role.TENDEREE, Role.AGENCY)
async def sole_supplier(tx: Transaction, lot_id: UUID) -> SoleSupplierTold | None:
    """To which one supplier an own lot is put; None where that was not said."""
    await lots.owned(tx, lot_id)
    row = await tx.session.get(SoleSupplierRow, lot_id)
    if row is None:
        return None
    parties = await organisations_by_id(tx, [row.supplier_id])
    return SoleSupplierTold(
        PartyId(row.supplier_id),
        parties[PartyId(row.supplier_id)].name,
        row.grounds,
        tuple(ExpertOpinion(**one) for one in row.opinions),
        row.named_at,
    )


# ── for the neighbours in this package ────────────────────────────────────────────────────────


async def proposed_supplier(
    tx: Transaction, lot_id: UUID
) -> tuple[SoleSupplier | None, dict[str, Any] | None]:
    """The only supplier of a draft, for the rules and as the notice states it."""
    row = await tx.session.get(SoleSupplierRow, lot_id)
    if row is None:
        return None, None
    opinions = tuple(ExpertOpinion(**one) for one in row.opinions)
    parties = await organisations_by_id(tx, [row.supplier_id])
    supplier = parties[PartyId(row.supplier_id)]
    told = {
        "supplier": {"id": str(supplier.id), "name": supplier.name, "uscc": supplier.uscc},
        "grounds": row.grounds,
        "opinions": [one.plain() for one in opinions],
    }
    return SoleSupplier(row.supplier_id, row.grounds, opinions), told


async def supplier_of(tx: Transaction, lot: LotRow) -> PartyId | None:
    """Which one supplier a published lot is put to; None where it is for more than one."""
    row = await tx.session.get(SoleSupplierRow, lot.id)
    return None if row is None or lot.published_at is None else PartyId(row.supplier_id)


def _cleaned(one: ExpertOpinion) -> ExpertOpinion:
    return ExpertOpinion(
        clean_text(one.name, at_most=NAME_MAX),
        clean_text(one.employer, at_most=NAME_MAX),
        clean_text(one.title, at_most=NAME_MAX),
        clean_text(one.words, at_most=WORDS_MAX),
    )
