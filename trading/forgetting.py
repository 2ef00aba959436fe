"""Personal data goes when nothing keeps it any more: names, numbers, addresses, doings, papers.

What the log holds are salted commitments. With the text and its salt gone a commitment tells
nothing, and every proof that rests on it stands as before. Public keys stay, for signatures given
once must be checkable for ever; whose they were, nobody knows any more.
"""

from __future__ import annotations

from datetime import date
from typing import Final
from uuid import UUID

from sqlalchemy import delete, func, select
from sqlmodel import col

from kernel.access import Role, by
from kernel.errors import NotFound, Refused
from kernel.identifiers import LibraryEntryId, PersonId
from kernel.randomness import random_bytes
from kernel.refusals import Refusal
from kernel.statute import Regime
from kernel.store import journal
from kernel.store.database import lock_exclusive
from kernel.store.events import PersonForgotten
from kernel.store.tables import (
    CapacityRow,
    ConsentRow,
    ContactRow,
    CredentialRow,
    MembershipRow,
    PersonRow,
    SessionRow,
)
from kernel.store.transaction import Transaction
from kernel.working_days import beijing_day
from trading import holding
from trading.archiving import ended_on_day
from trading.drafting import clean_text
from trading.events import LibraryEntryErased
from trading.handover import switches_for
from trading.library import HOLDERS, own_drawer, states_of
from trading.rules.library_entries import EntryState
from trading.rules.record_keeping import (
    Held,
    RecordClass,
    erasure_refusals,
    kept_until,
    person_refusals,
    term_of,
)
from trading.tables import (
    ErasureRequestRow,
    LibraryEntryRow,
    LibraryVerdictRow,
    LibraryWithdrawalRow,
    LotRow,
)

BASIS_MAX: Final = 200
NEVER: Final = date.max
"""The last day of what is kept until its lot has ended, and nobody knows when that will be."""


@by(Role.CENTRE_STAFF)
async def forget_person(tx: Transaction, person_id: PersonId, *, basis: str) -> int:
    """Erase who a person was, once nothing keeps it; how many entries no longer say who acted.

    The name, the hash of the identity number, the addresses where the person could be reached, the
    consents, and beside each entry of the journal who acted and from where.
    """
    await lock_exclusive(tx.session, "registering")
    person = await tx.session.get(PersonRow, person_id, with_for_update=True)
    if person is None or not person.name:
        raise NotFound("no such person")
    said = clean_text(basis, at_most=BASIS_MAX)

    refusals = await grounds_against(tx, person_id)
    if refusals:
        raise Refused(refusals)

    person.name, person.identity_hash = "", random_bytes(32)
    for contact in await tx.session.scalars(
        select(ContactRow).where(col(ContactRow.person_id) == person_id)
    ):
        contact.salt = contact.sealed = contact.code_salt = b""
        contact.verified_at = None
    for credential in await tx.session.scalars(
        select(CredentialRow).where(
            col(CredentialRow.person_id) == person_id, col(CredentialRow.revoked_at).is_(None)
        )
    ):
        credential.revoked_at = tx.now
    for session in await tx.session.scalars(
        select(SessionRow).where(
            col(SessionRow.person_id) == person_id, col(SessionRow.ended_at).is_(None)
        )
    ):
        session.ended_at = tx.now
    await tx.session.execute(delete(ConsentRow).where(col(ConsentRow.person_id) == person_id))
    for request in await tx.session.scalars(
        select(ErasureRequestRow).where(col(ErasureRequestRow.person_id) == person_id)
    ):
        request.words = request.answer = ""
        request.decided_at = request.decided_at or tx.now
    await tx.session.flush()
    entries = await journal.forget_operator(tx.session, person_id)

    tx.record(PersonForgotten(person_id, entries=entries, basis=said))

    return entries


async def grounds_against(tx: Transaction, person_id: PersonId) -> list[Refusal]:
    """Every ground on which a person may not be forgotten today."""
    acts_for = await tx.session.scalar(
        select(func.count(func.distinct(col(MembershipRow.party_id)))).where(
            col(MembershipRow.person_id) == person_id, col(MembershipRow.ended_at).is_(None)
        )
    )
    lots = await _lots_of(tx, person_id)
    holds = await holding.holds_on(tx, [lot.id for lot in lots])
    return person_refusals(
        acts_for=acts_for or 0,
        until=await _last_day(tx, lots, RecordClass.IDENTITY),
        holds=sum(one.lifted_at is None for one in holds),
        on=beijing_day(tx.now),
    )


@by(*HOLDERS)
async def erase_entry(tx: Transaction, entry_id: LibraryEntryId) -> None:
    """Erase what an own library entry said, and its paper, once nothing keeps it.

    One that was never verified was never used and goes at once; a verified one was, and stays as
    long as the bids that may have referred to it.
    """
    await lock_exclusive(tx.session, "library")
    row = await tx.session.get(LibraryEntryRow, entry_id, with_for_update=True)
    if row is None or row.party_id != tx.actor.party or row.erased_at is not None:
        raise NotFound("no such entry")
    state = (await states_of(tx, [row]))[row.id]
    verdict = await tx.session.get(LibraryVerdictRow, row.id)
    withdrawal = await tx.session.get(LibraryWithdrawalRow, row.id)
    used = verdict is not None and verdict.holds

    refusals = []
    if used:
        lots = await _lots_bid_for(tx, row.party_id)
        holds = await holding.holds_on(tx, [lot.id for lot in lots])
        until = await _last_day(tx, lots, RecordClass.LIBRARY)
        if until is None or state is EntryState.VERIFIED:
            since = tx.now if withdrawal is None else withdrawal.withdrawn_at
            term = term_of(RecordClass.LIBRARY, Regime.TENDERING)
            until = kept_until(beijing_day(since), term)
        # That there is a hold keeps the entry; whose it is, and why, is the supervisors' to know.
        named = ("有关标段",) if any(one.lifted_at is None for one in holds) else ()
        held = Held(RecordClass.LIBRARY, until, named, purpose_over=True)
        refusals = erasure_refusals(held, on=beijing_day(tx.now), regime=Regime.TENDERING)
    if refusals:
        raise Refused(refusals)

    others = await tx.session.scalar(
        select(func.count())
        .select_from(LibraryEntryRow)
        .where(
            col(LibraryEntryRow.party_id) == row.party_id,
            col(LibraryEntryRow.file_digest) == row.file_digest,
            col(LibraryEntryRow.erased_at).is_(None),
            col(LibraryEntryRow.id) != row.id,
        )
    )
    row.title = row.number = row.number_key = row.issuer = row.file_name = ""
    row.statement, row.amount, row.erased_at = b"", None, tx.now
    if not others:
        await own_drawer(tx.documents, row.party_id).discard(row.file_digest)

    tx.record(LibraryEntryErased(row.id, addressee_id=row.party_id))


async def _lots_of(tx: Transaction, person_id: UUID) -> list[LotRow]:
    """The lots in which the person took part in any capacity."""
    return list(
        await tx.session.scalars(
            select(LotRow)
            .join(CapacityRow, col(CapacityRow.subject_id) == col(LotRow.id))
            .where(col(CapacityRow.person_id) == person_id)
            .distinct()
        )
    )


async def _lots_bid_for(tx: Transaction, party_id: UUID) -> list[LotRow]:
    """The lots in which the organisation took part as a bidder."""
    return list(
        await tx.session.scalars(
            select(LotRow)
            .join(CapacityRow, col(CapacityRow.subject_id) == col(LotRow.id))
            .where(
                col(CapacityRow.party_id) == party_id,
                col(CapacityRow.role) == str(Role.BIDDER),
            )
            .distinct()
        )
    )


async def _last_day(tx: Transaction, lots: list[LotRow], kind: RecordClass) -> date | None:
    """The last day on which records of these lots are kept; None where there is no lot."""
    days = []
    for lot in lots:
        ended_on = await ended_on_day(tx, lot)
        regime = (await switches_for(tx, lot)).regime
        days.append(NEVER if ended_on is None else kept_until(ended_on, term_of(kind, regime)))
    return max(days, default=None)
