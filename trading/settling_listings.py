"""Payments for a listing are matched and let their bidders in; securities go back, or are kept.

A bidder is let in by the bank's word and nobody's hand: whose payment it is follows from its random
number, so that nobody at the centre learns who registered or paid. What goes back is recorded under
that number too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final
from uuid import UUID

from sqlalchemy import select
from sqlmodel import col

from kernel.access import PLATFORM, Role, by
from kernel.crypto.digests import Malformed
from kernel.errors import NotFound, NotPermitted, Refused
from kernel.identifiers import ListingId, PartyId
from kernel.money import yuan
from kernel.randomness import random_id
from kernel.refusals import Caution
from kernel.store.parties import take_part, verified_statement
from kernel.store.transaction import Store, Transaction, transaction
from trading.bank_statements import StatementLine
from trading.drafting import clean_text
from trading.events import (
    ListingBidderAdmitted,
    ListingSecuritiesOverdue,
    ListingSecurityArrived,
    ListingSecurityKept,
    ListingSecurityReturned,
    OwnListingSecurityKept,
)
from trading.listing import locked, numbers_of, terms_of
from trading.listing_securities import (
    ListingStanding,
    listing_standings,
    listings_holding_money,
)
from trading.rules.listing_protocol import ENDS, admission_refusals
from trading.rules.listing_security import (
    DEPOSIT,
    keeping_refusals,
    kept_of,
    listing_return_cautions,
    listing_return_refusals,
)
from trading.tables import (
    BankLineRow,
    ListingAccountRow,
    ListingAdmissionRow,
    ListingAlarmRow,
    ListingKeepingRow,
    ListingReturnRow,
    ListingRow,
)

REASON_MAX: Final = 2000
SERIAL_MAX: Final = 64


@dataclass(frozen=True, slots=True)
class SecurityBack:
    """What went back of a listing's security, and what is doubtful about it."""

    principal: Decimal
    cautions: tuple[Caution, ...]


@dataclass(frozen=True, slots=True)
class SecurityKept:
    """How much of a winner's security its seller keeps, and by which article."""

    amount: Decimal
    article: str


# ── payments come in ──────────────────────────────────────────────────────────────────────────


async def match_payments(tx: Transaction, lines: Sequence[StatementLine]) -> None:
    """Tell each payer of a listing, and nobody else, that its payment is here; let in who may be.

    Called within the transaction that takes a bank's statement in.
    """
    rows = await tx.session.execute(
        select(ListingAccountRow, ListingRow)
        .join(ListingRow, col(ListingRow.id) == col(ListingAccountRow.listing_id))
        .where(col(ListingAccountRow.reference).in_([one.reference for one in lines]))
        .order_by(col(ListingAccountRow.listing_id), col(ListingAccountRow.bidder_id))
    )
    accounts = {account.reference: (account, row) for account, row in rows.all()}
    for line in lines:
        if line.reference in accounts:
            account, row = accounts[line.reference]
            tx.record(
                ListingSecurityArrived(
                    row.id,
                    addressee_id=account.bidder_id,
                    amount=line.amount,
                    received_at=line.received_at,
                    in_time=line.received_at < terms_of(row).registers_until,
                )
            )
    for row in {row.id: row for _, row in accounts.values()}.values():
        await admit_the_paid(tx, row)


async def admit_the_paid(tx: Transaction, row: ListingRow) -> None:
    """Let in everybody whose security is here whole and in time, and who was not let in yet."""
    if row.phase in ENDS:
        return
    admitted = set(
        await tx.session.scalars(
            select(col(ListingAdmissionRow.bidder_id)).where(
                col(ListingAdmissionRow.listing_id) == row.id
            )
        )
    )
    numbers = await numbers_of(tx, row.id)
    terms = terms_of(row)
    for account, lines in await _payments(tx, row):
        in_time = [one for one in lines if one.received_at < terms.registers_until]
        if account.bidder_id in admitted or not in_time:
            continue
        paid = sum((one.amount for one in in_time), Decimal(0))
        last = in_time[-1]
        if admission_refusals(terms, paid=paid, arrived_at=last.received_at, now=tx.now):
            continue
        tx.session.add(
            ListingAdmissionRow(
                listing_id=row.id,
                bidder_id=account.bidder_id,
                paid=paid,
                arrived_at=last.received_at,
                reference=last.serial,
                admitted_by=tx.actor.person,
                admitted_at=tx.now,
            )
        )
        tx.record(
            ListingBidderAdmitted(
                row.id,
                addressee_id=account.bidder_id,
                bidder_number=numbers[PartyId(account.bidder_id)],
                paid=paid,
                arrived_at=last.received_at,
            )
        )


async def _payments(
    tx: Transaction, row: ListingRow
) -> list[tuple[ListingAccountRow, list[BankLineRow]]]:
    found = await tx.session.execute(
        select(ListingAccountRow, BankLineRow)
        .join(BankLineRow, col(BankLineRow.reference) == col(ListingAccountRow.reference))
        .where(col(ListingAccountRow.listing_id) == row.id)
        .order_by(
            col(ListingAccountRow.bidder_id),
            col(BankLineRow.received_at),
            col(BankLineRow.serial),
        )
    )
    paid: dict[UUID, tuple[ListingAccountRow, list[BankLineRow]]] = {}
    for account, line in found.all():
        paid.setdefault(account.bidder_id, (account, []))[1].append(line)
    return list(paid.values())


# ── and go out ────────────────────────────────────────────────────────────────────────────────


async def is_for_a_listing(tx: Transaction, reference: str) -> bool:
    """Whether somebody pays under this number for a listing."""
    return await _account(tx, reference) is not None


@by(Role.CENTRE_STAFF)
async def give_back_of_listing(
    tx: Transaction,
    reference: str,
    *,
    returned_at: datetime,
    annual_rate: Decimal,
    serial: str,
) -> SecurityBack:
    """Record that a security of a listing went back, all that is there, without interest.

    Before the listing has ended its number is answered like one that nobody has.
    """
    account = await _account(tx, reference)
    if account is None:
        raise NotFound("no such security")
    row = await locked(tx, account.listing_id)
    if row.phase not in ENDS:
        raise NotFound("no such security")
    (one,) = await listing_standings(tx, row, only=account.bidder_id)
    if annual_rate != 0:
        raise Malformed("a listing's security bears no interest", code="rate")
    if returned_at > tx.now:
        raise Malformed("a return is recorded after it was made", code="returned_at")

    refusals = listing_return_refusals(one.facts, one.due)
    if refusals or one.due is None:
        raise Refused(refusals)
    cautions = listing_return_cautions(one.due, returned_at=returned_at)

    kept = ListingReturnRow(
        id=random_id(),
        listing_id=row.id,
        bidder_id=account.bidder_id,
        cause=one.due.cause,
        principal=one.facts.held,
        serial=clean_text(serial, at_most=SERIAL_MAX),
        due_at=one.due.due_at,
        late=bool(cautions),
        returned_at=returned_at,
        recorded_by=tx.actor.person,
        recorded_at=tx.now,
    )
    tx.session.add(kept)

    tx.record(
        ListingSecurityReturned(
            row.id,
            addressee_id=account.bidder_id,
            cause=kept.cause,
            principal=kept.principal,
            late=kept.late,
        )
    )

    return SecurityBack(kept.principal, tuple(cautions))


@by(Role.TENDEREE)
async def keep_security(tx: Transaction, listing_id: ListingId, raw: bytes) -> SecurityKept:
    """Keep the security of a winner who did not sign the deal in time; saying it twice is once.

    The listing stays as it ended and its deal has fallen through: it may be listed again. Where no
    security was asked for, that is all of it.
    """
    row = await locked(tx, listing_id)
    if tx.actor.party != row.seller_id:
        raise NotPermitted("this is the seller's to decide")
    statement = await verified_statement(tx, raw, "listing-forfeiture", listing=listing_id)
    reason = clean_text(statement.payload["reason"], at_most=REASON_MAX)
    known = await tx.session.get(ListingKeepingRow, listing_id)
    if known is not None:
        return SecurityKept(known.amount, known.article)
    one = await _of_the_winner(tx, row)

    refusals = keeping_refusals(one.facts, now=tx.now)
    if refusals:
        raise Refused(refusals)

    await take_part(tx, listing_id)
    assert row.price is not None
    kept = ListingKeepingRow(
        listing_id=listing_id,
        bidder_id=one.account.bidder_id,
        article=str(DEPOSIT),
        reason=reason,
        amount=yuan(kept_of(one.facts.held, price=row.price)),
        digest=statement.digest,
        statement=raw,
        decided_by=tx.actor.person,
        decided_at=tx.now,
    )
    tx.session.add(kept)

    tx.record(
        ListingSecurityKept(
            listing_id,
            bidder_number=one.bidder_number,
            article=kept.article,
            amount=kept.amount,
            statement_digest=kept.digest,
        )
    )
    tx.record(
        OwnListingSecurityKept(
            listing_id,
            addressee_id=kept.bidder_id,
            article=kept.article,
            amount=kept.amount,
            statement_digest=kept.digest,
        )
    )

    return SecurityKept(kept.amount, kept.article)


# ── what is overdue ───────────────────────────────────────────────────────────────────────────


async def ring_for_listings(store: Store) -> int:
    """Ring for every day by which securities of a listing should be back and are not; how many."""
    async with transaction(store, actor=PLATFORM) as tx:
        held = [ListingId(row.id) for row in await listings_holding_money(tx)]
    rung = 0
    for listing_id in held:
        async with transaction(store, actor=PLATFORM) as tx:
            rung += await alarm_of_listing(tx, listing_id)
    return rung


@by(Role.PLATFORM)
async def alarm_of_listing(tx: Transaction, listing_id: ListingId) -> int:
    """Tell those who supervise, once of each day, that securities of a listing are overdue."""
    row = await locked(tx, listing_id)
    overdue = {
        one.due.due_at
        for one in await listing_standings(tx, row)
        if one.due is not None and one.due.due_at <= tx.now
    }
    told = set(
        await tx.session.scalars(
            select(col(ListingAlarmRow.due_at)).where(col(ListingAlarmRow.listing_id) == listing_id)
        )
    )

    fresh = sorted(overdue - told)
    for due_at in fresh:
        tx.session.add(ListingAlarmRow(listing_id=listing_id, due_at=due_at, alarmed_at=tx.now))

    for due_at in fresh:
        tx.record(ListingSecuritiesOverdue(listing_id, due_at=due_at))

    return len(fresh)


async def _account(tx: Transaction, reference: str) -> ListingAccountRow | None:
    found: ListingAccountRow | None = await tx.session.scalar(
        select(ListingAccountRow).where(col(ListingAccountRow.reference) == reference)
    )
    return found


async def _of_the_winner(tx: Transaction, row: ListingRow) -> ListingStanding:
    standings = await listing_standings(tx, row, only=row.winner_id or row.seller_id)
    if row.winner_id is None or not standings:
        raise NotFound("nobody won and paid")
    return standings[0]
