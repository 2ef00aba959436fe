"""A seller entrusts a listing to an agency by a signed letter, and ends that again.

A letter is for one listing, named by its code, and may come before the listing does. Of one code
the seller's newest letter counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import func, or_, select
from sqlmodel import col

from kernel.access import Role, by
from kernel.crypto.digests import Malformed, instant_text, list_of, text_of
from kernel.errors import NotFound, NotPermitted, Refused
from kernel.identifiers import PartyId
from kernel.randomness import random_id
from kernel.refusals import Refusal
from kernel.store.database import lock_exclusive
from kernel.store.parties import (
    organisation,
    organisation_names,
    require_verified,
    verified_statement,
)
from kernel.store.registering import id_of
from kernel.store.tables import OrganisationRow
from kernel.store.transaction import Transaction
from kernel.working_days import beijing_day
from trading.drafting import clean_text
from trading.events import ListingEntrusted, ListingEntrustmentEnded
from trading.rules.listing_mandate import (
    ListingAct,
    Mandate,
    mandate_letter_refusals,
    mandate_refusals,
)
from trading.tables import ListingLetterEndRow, ListingLetterRow, ListingRow

CODE_MAX: Final = 60
REASON_MAX: Final = 500
AGENCIES_MAX: Final = 500


@dataclass(frozen=True, slots=True)
class ListingLetter:
    """A letter as its two sides see it; `counts` says that no newer one is for the same code."""

    id: UUID
    code: str
    seller_id: UUID
    seller: str
    agency: str
    mandate: Mandate
    signed_at: datetime
    ended_at: datetime | None
    reason: str
    counts: bool

    def plain(self) -> dict[str, Any]:
        """The letter as JSON tells it."""
        until = self.mandate.until
        return {
            "id": str(self.id),
            "code": self.code,
            "seller": {"id": str(self.seller_id), "name": self.seller},
            "agency": self.agency,
            "acts": sorted(str(one) for one in self.mandate.acts),
            "until": None if until is None else until.isoformat(),
            "signed_at": instant_text(self.signed_at),
            "ended_at": None if self.ended_at is None else instant_text(self.ended_at),
            "reason": self.reason,
            "counts": self.counts,
        }


@by(Role.TENDEREE)
async def entrust(tx: Transaction, raw: bytes) -> UUID:
    """Sign what an agency may do for the listing of a code, until when; its id.

    The same letter again is the same letter. One that leaves out acts entrusts all of them.
    """
    await require_verified(tx)
    statement = await verified_statement(tx, raw, "listing-authorisation")
    told = statement.payload
    code = clean_text(told["code"], at_most=CODE_MAX)
    await lock_exclusive(tx.session, _letters_of(tx.actor.party, code))
    known = await tx.session.scalar(
        select(col(ListingLetterRow.id)).where(col(ListingLetterRow.digest) == statement.digest)
    )
    if known is not None:
        return known
    mandate = _mandate_in(told)
    agency = await organisation(tx, id_of(told["agency"]))

    refusals = mandate_letter_refusals(
        mandate,
        today=beijing_day(tx.now),
        to_an_agency=Role.AGENCY in agency.roles and agency.verified,
        to_itself=agency.id == tx.actor.party,
    )
    if refusals:
        raise Refused(refusals)

    last = await tx.session.scalar(
        select(func.max(ListingLetterRow.number)).where(
            col(ListingLetterRow.seller_id) == tx.actor.party, col(ListingLetterRow.code) == code
        )
    )
    letter = ListingLetterRow(
        id=random_id(),
        seller_id=tx.actor.party,
        code=code,
        number=(last or 0) + 1,
        agency_id=agency.id,
        acts=sorted(mandate.acts),
        last_day=mandate.until,
        digest=statement.digest,
        statement=raw,
        signed_by=tx.actor.person,
        signed_at=tx.now,
    )
    tx.session.add(letter)

    tx.record(
        ListingEntrusted(
            letter.id,
            addressee_id=letter.agency_id,
            seller_id=letter.seller_id,
            code=code,
            statement_digest=statement.digest,
        )
    )

    return letter.id


@by(Role.TENDEREE)
async def end_entrustment(tx: Transaction, letter_id: UUID, raw: bytes) -> None:
    """End a letter of one's own; ending it twice is ending it."""
    letter = await tx.session.get(ListingLetterRow, letter_id)
    if letter is None or letter.seller_id != tx.actor.party:
        raise NotFound("no such letter")
    await lock_exclusive(tx.session, _letters_of(letter.seller_id, letter.code))
    statement = await verified_statement(tx, raw, "listing-authorisation-end", letter=letter_id)
    reason = clean_text(statement.payload["reason"], at_most=REASON_MAX)
    if await tx.session.get(ListingLetterEndRow, letter_id) is not None:
        return

    tx.session.add(
        ListingLetterEndRow(
            letter_id=letter_id,
            reason=reason,
            digest=statement.digest,
            statement=raw,
            ended_by=tx.actor.person,
            ended_at=tx.now,
        )
    )

    tx.record(
        ListingEntrustmentEnded(
            letter_id,
            addressee_id=letter.agency_id,
            seller_id=letter.seller_id,
            code=letter.code,
            statement_digest=statement.digest,
        )
    )


@by(Role.TENDEREE, Role.AGENCY)
async def letters(tx: Transaction) -> tuple[ListingLetter, ...]:
    """The letters that the acting organisation signed or was given, the newest first."""
    own = or_(
        col(ListingLetterRow.seller_id) == tx.actor.party,
        col(ListingLetterRow.agency_id) == tx.actor.party,
    )
    rows = (
        await tx.session.execute(
            select(ListingLetterRow, ListingLetterEndRow)
            .outerjoin(
                ListingLetterEndRow,
                col(ListingLetterEndRow.letter_id) == col(ListingLetterRow.id),
            )
            .where(own)
            .order_by(col(ListingLetterRow.signed_at).desc(), col(ListingLetterRow.id))
            .limit(200)
        )
    ).all()
    ids = {one.seller_id for one, _ in rows} | {one.agency_id for one, _ in rows}
    names = await organisation_names(tx.session, ids)
    newest: dict[tuple[UUID, str], int] = {}
    for one, _ in rows:
        key = (one.seller_id, one.code)
        newest[key] = max(one.number, newest.get(key, 0))
    return tuple(
        ListingLetter(
            one.id,
            one.code,
            one.seller_id,
            names[one.seller_id],
            names[one.agency_id],
            _mandate_of(one, end),
            one.signed_at,
            None if end is None else end.ended_at,
            "" if end is None else end.reason,
            newest[one.seller_id, one.code] == one.number,
        )
        for one, end in rows
    )


@by(Role.TENDEREE, Role.AGENCY)
async def agencies(tx: Transaction) -> tuple[tuple[UUID, str], ...]:
    """The verified agencies that a seller may entrust, by name; for an agency there are none."""
    if tx.actor.role is Role.AGENCY:
        return ()
    rows = await tx.session.execute(
        select(col(OrganisationRow.id), col(OrganisationRow.name))
        .where(
            col(OrganisationRow.roles).contains([str(Role.AGENCY)]),
            col(OrganisationRow.verified_at).is_not(None),
            col(OrganisationRow.id) != tx.actor.party,
        )
        .order_by(col(OrganisationRow.name))
        .limit(AGENCIES_MAX)
    )
    return tuple((id, name) for id, name in rows)


async def agency_of(tx: Transaction, seller_id: UUID, code: str) -> PartyId | None:
    """The agency that the seller's newest letter for this code names, while it is good."""
    letter = await _newest(tx, seller_id, code)
    if letter is None or await tx.session.get(ListingLetterEndRow, letter.id) is not None:
        return None
    if letter.last_day is not None and beijing_day(tx.now) > letter.last_day:
        return None
    return PartyId(letter.agency_id)


async def was_entrusted(tx: Transaction, seller_id: UUID, code: str) -> bool:
    """Whether the acting organisation was ever given a letter for this code."""
    found = await tx.session.scalar(
        select(col(ListingLetterRow.id))
        .where(
            col(ListingLetterRow.seller_id) == seller_id,
            col(ListingLetterRow.code) == code,
            col(ListingLetterRow.agency_id) == tx.actor.party,
        )
        .limit(1)
    )
    return found is not None


async def mandate_grounds(
    tx: Transaction, seller_id: UUID, code: str, act: ListingAct
) -> list[Refusal]:
    """Why the acting agency may not do this for the seller's listing of that code."""
    letter = await _newest(tx, seller_id, code)
    mandate = None
    if letter is not None and letter.agency_id == tx.actor.party:
        mandate = _mandate_of(letter, await tx.session.get(ListingLetterEndRow, letter.id))
    return mandate_refusals(mandate, act, on=beijing_day(tx.now))


async def require_seller(tx: Transaction, row: ListingRow, act: ListingAct) -> None:
    """Let pass the seller itself, and the agency whose letter says so; nobody else."""
    if tx.actor.role is Role.AGENCY:
        refusals = await mandate_grounds(tx, row.seller_id, row.code, act)
        if refusals:
            raise Refused(refusals)
    elif tx.actor.party != row.seller_id:
        raise NotPermitted("this is the seller's to do")


def _letters_of(seller_id: UUID, code: str) -> str:
    return f"listing-letters:{seller_id}/{code}"


def _mandate_in(told: Mapping[str, Any]) -> Mandate:
    asked = told.get("acts", list(ListingAct))
    try:
        acts = {ListingAct(text_of(one)) for one in list_of(asked, at_most=len(ListingAct))}
        until = None if told.get("until") is None else date.fromisoformat(text_of(told["until"]))
    except ValueError:
        raise Malformed("acts and a day were expected", code="letter") from None
    return Mandate(frozenset(acts), until)


def _mandate_of(letter: ListingLetterRow, end: ListingLetterEndRow | None) -> Mandate:
    acts = frozenset(ListingAct(one) for one in letter.acts)
    return Mandate(acts, letter.last_day, ended=end is not None)


async def _newest(tx: Transaction, seller_id: UUID, code: str) -> ListingLetterRow | None:
    found: ListingLetterRow | None = await tx.session.scalar(
        select(ListingLetterRow)
        .where(col(ListingLetterRow.seller_id) == seller_id, col(ListingLetterRow.code) == code)
        .order_by(col(ListingLetterRow.number).desc())
        .limit(1)
    )
    return found
