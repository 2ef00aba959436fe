"""Securities go back, or are kept on a ground that the law names; what is overdue is found here.

The account's keeper records each return under the number under which it was paid: it need not know
whose it was. The tenderee alone decides to keep one, and signs for it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final
from uuid import UUID

from sqlalchemy import select
from sqlmodel import col

from kernel.access import Role, by
from kernel.crypto.digests import Malformed, text_of
from kernel.errors import NotFound, Refused
from kernel.identifiers import LotId
from kernel.money import yuan
from kernel.randomness import random_id
from kernel.refusals import Caution
from kernel.store.database import lock_exclusive
from kernel.store.parties import take_part, verified_statement
from kernel.store.transaction import Transaction
from trading import lots
from trading.drafting import clean_text
from trading.events import OwnSecurityForfeited, SecurityForfeited, SecurityReturned
from trading.handover import switches_for
from trading.payment_references import is_reference
from trading.petitions import words_in
from trading.rules.lot_lifecycle import was_opened
from trading.rules.procedures import Switches
from trading.rules.security_course import (
    Forfeiture,
    ForfeitureGround,
    GivingBack,
    ReturnCause,
    forfeiture_article,
    forfeiture_refusals,
    interest_of,
    return_cautions,
    return_refusals,
)
from trading.security_facts import (
    Standing,
    is_shown,
    lots_with_something_held,
    standings_of,
)
from trading.settling_listings import give_back_of_listing, is_for_a_listing
from trading.tables import (
    LotRow,
    SecurityAccountRow,
    SecurityAlarmRow,
    SecurityForfeitureRow,
    SecurityReturnRow,
)

SERIAL_MAX: Final = 64
RATE_MAX: Final = Decimal(24)
"""In percent a year; whatever is above it is a slip of the pen."""


@dataclass(frozen=True, slots=True)
class Payment:
    """How a security goes back: when, at which yearly rate in percent, and the bank's number."""

    returned_at: datetime
    annual_rate: Decimal
    serial: str


@dataclass(frozen=True, slots=True)
class GivenBack:
    """What went back, and what is doubtful about it."""

    principal: Decimal
    interest: Decimal
    with_guarantee: bool
    cautions: tuple[Caution, ...]


@dataclass(frozen=True, slots=True)
class Kept:
    """A security that is kept: how much, and by which article."""

    amount: Decimal
    article: str


@dataclass(frozen=True, slots=True)
class OverdueReturn:
    """That securities of a lot should have gone back by this moment and did not."""

    lot_id: LotId
    due_at: datetime


@by(Role.CENTRE_STAFF)
async def give_back(tx: Transaction, reference: str, payment: Payment) -> GivenBack:
    """Record that a security went back, all of it at once, with the interest of its days.

    Before its lot's bids lie open a number that must stay is answered like one that nobody has. The
    same desk gives back what was paid for a listing, once that has ended.
    """
    if await is_for_a_listing(tx, reference):
        back = await give_back_of_listing(
            tx,
            reference,
            returned_at=payment.returned_at,
            annual_rate=payment.annual_rate,
            serial=payment.serial,
        )
        return GivenBack(back.principal, Decimal("0.00"), False, back.cautions)
    account, lot, standing, switches = await _held(tx, reference)
    if standing.due is None and not is_shown(lot):
        raise NotFound("no such security")
    if not 0 <= payment.annual_rate <= RATE_MAX:
        raise Malformed(f"a yearly rate lies between 0 and {RATE_MAX} percent", code="rate")
    if payment.returned_at > tx.now:
        raise Malformed("a return is recorded after it was made", code="returned_at")
    giving = GivingBack(
        standing.facts,
        standing.due,
        payment.returned_at,
        payment.annual_rate,
        sealed=not is_shown(lot),
    )

    refusals = return_refusals(giving, switches)
    if refusals:
        raise Refused(refusals)
    cautions = return_cautions(giving)
    interest = yuan(interest_of(giving, switches, arrived=standing.unreturned))

    cause = ReturnCause.LOST if standing.due is None else standing.due.cause
    row = SecurityReturnRow(
        id=random_id(),
        account_id=account.id,
        cause=cause,
        principal=standing.facts.held,
        interest=interest,
        annual_rate=payment.annual_rate,
        with_guarantee=standing.facts.covered,
        serial=clean_text(payment.serial, at_most=SERIAL_MAX),
        due_at=None if standing.due is None else standing.due.due_at,
        late=bool(cautions),
        returned_at=payment.returned_at,
        recorded_by=tx.actor.person,
        recorded_at=tx.now,
    )
    tx.session.add(row)

    tx.record(
        SecurityReturned(
            account.lot_id,
            addressee_id=account.bidder_id,
            cause=cause,
            principal=row.principal,
            interest=row.interest,
            with_guarantee=row.with_guarantee,
            late=row.late,
        )
    )

    return GivenBack(row.principal, row.interest, row.with_guarantee, tuple(cautions))


@by(Role.TENDEREE)
async def forfeit(tx: Transaction, lot_id: LotId, reference: str, raw: bytes) -> Kept:
    """Keep a security on a ground that the record shows; its bidder is told at once.

    For whoever does not own the lot, and before its bids lie open, there is no such security.
    """
    await lots.owned(tx, lot_id)
    account, lot, standing, switches = await _held(tx, reference)
    if account.lot_id != lot_id or not was_opened(lot.path) or not standing.facts.has_bid:
        raise NotFound("no such security")
    statement = await verified_statement(
        tx, raw, "security-forfeiture", lot=lot_id, project=lot.project_id
    )
    if statement.payload["reference"] != reference:
        raise Malformed("the statement is about another security", code="wrong_reference")
    if statement.payload["ground"] not in list(ForfeitureGround):
        raise Malformed(f"a ground is one of: {', '.join(ForfeitureGround)}", code="ground")
    forfeiture = Forfeiture(
        ForfeitureGround(text_of(statement.payload["ground"])),
        standing.facts,
        standing.revoked,
        words_in(statement.payload["reason"]),
    )

    refusals = forfeiture_refusals(forfeiture, switches)
    if refusals:
        raise Refused(refusals)

    await take_part(tx, lot_id)
    guarantee = standing.guarantee if standing.facts.covered else None
    amount = standing.facts.held if guarantee is None else guarantee.amount
    row = SecurityForfeitureRow(
        account_id=account.id,
        ground=forfeiture.ground,
        article=str(forfeiture_article(forfeiture.ground, switches)),
        reason=forfeiture.reason,
        amount=amount,
        digest=statement.digest,
        statement=raw,
        decided_by=tx.actor.person,
        decided_at=tx.now,
    )
    tx.session.add(row)

    tx.record(
        SecurityForfeited(
            lot_id,
            bidder_id=account.bidder_id,
            ground=row.ground,
            article=row.article,
            amount=amount,
            statement_digest=row.digest,
        )
    )
    tx.record(
        OwnSecurityForfeited(
            lot_id,
            addressee_id=account.bidder_id,
            ground=row.ground,
            article=row.article,
            amount=amount,
            statement_digest=row.digest,
        )
    )

    return Kept(amount, row.article)


async def overdue_returns(
    tx: Transaction, *, quiet_only: bool = False, lot_id: UUID | None = None
) -> list[OverdueReturn]:
    """Every moment by which securities of a lot should have gone back, and did not.

    Nothing is said of a lot of which nobody may know anything yet: an alarm over a bid that was
    withdrawn before the close would tell that there had been one.
    """
    found: list[OverdueReturn] = []
    query = select(LotRow).where(
        col(LotRow.id).in_(lots_with_something_held()), col(LotRow.bids_due_at) < tx.now
    )
    if lot_id is not None:
        query = query.where(col(LotRow.id) == lot_id)
    for lot in await tx.session.scalars(query):
        if not is_shown(lot):
            continue
        overdue = {
            one.due.due_at
            for one in await standings_of(tx, lot, await switches_for(tx, lot))
            if one.due is not None and one.due.due_at <= tx.now
        }
        found += [OverdueReturn(LotId(lot.id), due_at) for due_at in sorted(overdue)]
    if not quiet_only:
        return found
    rows = await tx.session.execute(
        select(col(SecurityAlarmRow.lot_id), col(SecurityAlarmRow.due_at)).where(
            col(SecurityAlarmRow.lot_id).in_({one.lot_id for one in found})
        )
    )
    rung = {(lot, due_at) for lot, due_at in rows.all()}
    return [one for one in found if (one.lot_id, one.due_at) not in rung]


async def _held(
    tx: Transaction, reference: str
) -> tuple[SecurityAccountRow, LotRow, Standing, Switches]:
    """A security by its number, for us alone until this transaction ends."""
    if not is_reference(reference):
        raise NotFound("no such security")
    account = await tx.session.scalar(
        select(SecurityAccountRow).where(col(SecurityAccountRow.reference) == reference)
    )
    if account is None:
        raise NotFound("no such security")
    lot = await lots.hold(tx, account.lot_id)
    await lock_exclusive(tx.session, f"security:{account.lot_id}/{account.bidder_id}")
    switches = await switches_for(tx, lot)
    (standing,) = await standings_of(tx, lot, switches, only=account.bidder_id)
    return account, lot, standing, switches
