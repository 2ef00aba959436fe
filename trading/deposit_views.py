"""What others than the bidder itself see of securities: the account's keeper, owners, supervisors.

Before a lot's bids lie open there is nothing to see of it. The keeper alone has to give back what
belongs to a bid that was withdrawn before the close, within five days (条例 35): it is told the
number, the amount and the day, and neither the lot nor the bidder. Who paid and did not bid stays a
number for ever.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Final
from uuid import UUID

from sqlalchemy import exists, select
from sqlmodel import col

from kernel.access import Role, by
from kernel.errors import NotFound, Refused
from kernel.identifiers import LotId
from kernel.refusals import Caution, Refusal
from kernel.statute import LAND_GRANT_PROVISIONS
from kernel.store.parties import organisation_names
from kernel.store.transaction import Transaction
from trading import lots
from trading.depositing import guarantee_drawer
from trading.handover import switches_for
from trading.listing_securities import listing_standings, listings_holding_money, names_shown
from trading.rules.listing_security import ListingReturnCause
from trading.rules.lot_lifecycle import LotState
from trading.rules.procedures import Procedure
from trading.rules.question_window import secrecy_article
from trading.rules.security_course import ReturnCause, SecurityState
from trading.security_facts import (
    Standing,
    is_shown,
    lots_with_something_held,
    standings_of,
)
from trading.tables import (
    BankLineRow,
    BankStatementRow,
    ListingAccountRow,
    ListingRow,
    LotRow,
    ProjectRow,
    SecurityAccountRow,
)

STATEMENTS_MAX: Final = 50
STRAYS_MAX: Final = 200


@dataclass(frozen=True, slots=True)
class GuaranteeTold:
    """A guarantee as those read it who may."""

    form: str
    guarantor: str
    number: str
    amount: Decimal
    valid_until: date
    filed_at: datetime


@dataclass(frozen=True, slots=True)
class SecurityTold:
    """One bidder's security as those see it who may; `reference` is empty where it never asked."""

    bidder_id: UUID
    bidder: str
    reference: str
    state: SecurityState
    paid: Decimal
    held: Decimal
    guarantee: GuaranteeTold | None
    cause: ReturnCause | None
    due_at: datetime | None
    article: str
    ours: bool
    overdue: bool
    returned: Decimal
    interest: Decimal
    returned_at: datetime | None
    forfeited_for: str
    forfeited_under: str
    cautions: tuple[Caution, ...]
    may_be_kept: bool


@dataclass(frozen=True, slots=True)
class LotSecurities:
    """The securities of one lot, with what its notice asked for."""

    lot_id: LotId
    lot_name: str
    project_name: str
    procedure: Procedure
    state: LotState
    asked: Decimal
    forms: tuple[str, ...]
    owned: bool
    securities: tuple[SecurityTold, ...]


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A security that has to go back; lot and bidder are named only where they may be.

    Of a listing `lot_name` holds code and title, and there is no interest on it.
    """

    reference: str
    lot_id: LotId | None
    lot_name: str
    bidder: str
    held: Decimal
    with_guarantee: bool
    cause: ReturnCause | ListingReturnCause
    due_at: datetime
    article: str
    ours: bool
    overdue: bool
    interest: bool = True


@dataclass(frozen=True, slots=True)
class StatementTold:
    """A statement that was taken in."""

    digest: bytes
    lines: int
    taken_at: datetime


@dataclass(frozen=True, slots=True)
class Stray:
    """A payment that belongs to no bidder of any lot."""

    serial: str
    received_at: datetime
    amount: Decimal
    reference: str


@dataclass(frozen=True, slots=True)
class AccountDesk:
    """What the account's keeper has to do, and what it did last."""

    outgoing: tuple[Outgoing, ...]
    statements: tuple[StatementTold, ...]
    strays: tuple[Stray, ...]


@by(Role.TENDEREE, Role.AGENCY, Role.SUPERVISOR, Role.CENTRE_STAFF)
async def lot_securities(tx: Transaction, lot_id: LotId) -> LotSecurities:
    """The securities of those who bid, once the bids lie open."""
    lot, project, owned = await _readable(tx, lot_id)
    found = await standings_of(tx, lot, await switches_for(tx, lot))
    standings = [one for one in found if one.facts.has_bid]
    names = await organisation_names(tx.session, {one.bidder_id for one in standings})
    return LotSecurities(
        lot_id,
        lot.name,
        project.name,
        Procedure(project.procedure),
        LotState(lot.state),
        lot.bid_security,
        tuple(lot.security_forms),
        owned,
        tuple(
            sorted(
                (_told(one, names[one.bidder_id], tx.now) for one in standings),
                key=lambda told: told.bidder,
            )
        ),
    )


@by(Role.TENDEREE, Role.AGENCY, Role.SUPERVISOR, Role.CENTRE_STAFF)
async def guarantee_paper(tx: Transaction, lot_id: LotId, reference: str) -> bytes:
    """The paper of a bidder's guarantee, once the bids lie open."""
    lot, _, _ = await _readable(tx, lot_id)
    for one in await standings_of(tx, lot, await switches_for(tx, lot)):
        if one.account is None or one.account.reference != reference or not one.facts.has_bid:
            continue
        if one.guarantee is not None:
            return await guarantee_drawer(tx.documents).read(one.guarantee.document)
    raise NotFound("no such guarantee")


@by(Role.CENTRE_STAFF)
async def account_desk(tx: Transaction) -> AccountDesk:
    """What has to go back, what was taken in, and what belongs to nobody."""
    statements = await tx.session.scalars(
        select(BankStatementRow)
        .order_by(col(BankStatementRow.taken_at).desc(), col(BankStatementRow.digest))
        .limit(STATEMENTS_MAX)
    )
    return AccountDesk(
        await _outgoing(tx),
        tuple(StatementTold(one.digest, one.line_count, one.taken_at) for one in statements),
        await _strays(tx),
    )


async def _readable(tx: Transaction, lot_id: LotId) -> tuple[LotRow, ProjectRow, bool]:
    """A published lot, its project, and whether the reader owns it; `Refused` while sealed."""
    lot = await lots.hold(tx, lot_id)
    if lot.published_at is None:
        raise NotFound("no such lot")
    project = await tx.session.get_one(ProjectRow, lot.project_id)
    if tx.actor.role in (Role.TENDEREE, Role.AGENCY):
        await lots.owned(tx, lot_id)
    if not is_shown(lot):
        article = secrecy_article(await switches_for(tx, lot))
        reason = "开标前不得泄露投标保证金缴纳情况"
        raise Refused([Refusal("still_sealed", article, reason)])
    return lot, project, lots.owns(tx, project)


async def _outgoing(tx: Transaction) -> tuple[Outgoing, ...]:
    found: list[Outgoing] = []
    held = select(LotRow).where(col(LotRow.id).in_(lots_with_something_held()))
    for lot in await tx.session.scalars(held):
        switches = await switches_for(tx, lot)
        all_of_it = await standings_of(tx, lot, switches)
        standings = [one for one in all_of_it if one.due is not None]
        names = await organisation_names(tx.session, {one.bidder_id for one in standings})
        found += [_going(lot, one, names, tx.now) for one in standings]
    found += await _outgoing_of_listings(tx)
    return tuple(sorted(found, key=lambda one: (one.due_at, one.reference)))


async def _outgoing_of_listings(tx: Transaction) -> list[Outgoing]:
    found: list[Outgoing] = []
    for row in await listings_holding_money(tx):
        standings = await listing_standings(tx, row)
        names = await names_shown(tx, row, standings)
        found += [
            Outgoing(
                one.account.reference,
                None,
                f"{row.code} {row.title}",
                names.get(one.account.bidder_id, f"竞买号 {one.bidder_number}"),
                one.facts.held,
                False,
                one.due.cause,
                one.due.due_at,
                str(LAND_GRANT_PROVISIONS[21]),
                one.due.ours,
                one.due.due_at <= tx.now,
                interest=False,
            )
            for one in standings
            if one.due is not None
        ]
    return found


def _going(lot: LotRow, one: Standing, names: dict[UUID, str], now: datetime) -> Outgoing:
    assert one.due is not None
    assert one.account is not None
    shown = is_shown(lot)
    return Outgoing(
        one.account.reference,
        LotId(lot.id) if shown else None,
        lot.name if shown else "",
        names[one.bidder_id] if shown and one.facts.has_bid else "",
        one.facts.held,
        one.facts.covered,
        one.due.cause,
        one.due.due_at,
        str(one.due.article),
        one.due.ours,
        one.due.due_at <= now,
    )


async def _strays(tx: Transaction) -> tuple[Stray, ...]:
    """Payments under numbers that nobody was given, once nothing can be learnt from them.

    How many lines of a statement belong to nobody also tells how many belong to somebody. So one
    is shown when every lot is closed, and every listing has ended, that was open when its statement
    was taken in.
    """
    open_then = select(col(LotRow.id)).where(
        col(LotRow.published_at) <= col(BankLineRow.taken_at),
        col(LotRow.state).in_([LotState.OPEN, LotState.CLOSING]),
    )
    listed_then = select(col(ListingRow.id)).where(
        col(ListingRow.published_at) <= col(BankLineRow.taken_at),
        col(ListingRow.ended_at).is_(None),
    )
    known = select(col(SecurityAccountRow.id)).where(
        col(SecurityAccountRow.reference) == col(BankLineRow.reference)
    )
    bidder_of_a_listing = select(col(ListingAccountRow.bidder_id)).where(
        col(ListingAccountRow.reference) == col(BankLineRow.reference)
    )
    rows: Sequence[BankLineRow] = (
        await tx.session.scalars(
            select(BankLineRow)
            .where(
                ~exists(open_then),
                ~exists(listed_then),
                ~exists(known),
                ~exists(bidder_of_a_listing),
            )
            .order_by(col(BankLineRow.received_at).desc(), col(BankLineRow.serial))
            .limit(STRAYS_MAX)
        )
    ).all()
    return tuple(Stray(one.serial, one.received_at, one.amount, one.reference) for one in rows)


def _told(one: Standing, name: str, now: datetime) -> SecurityTold:
    paper = one.guarantee
    due = one.due
    return SecurityTold(
        one.bidder_id,
        name,
        "" if one.account is None else one.account.reference,
        one.state,
        one.facts.paid,
        one.facts.held,
        None
        if paper is None
        else GuaranteeTold(
            paper.form,
            paper.guarantor,
            paper.number,
            paper.amount,
            paper.valid_until,
            paper.filed_at,
        ),
        None if due is None else due.cause,
        None if due is None else due.due_at,
        "" if due is None else str(due.article),
        due is not None and due.ours,
        due is not None and due.due_at <= now,
        sum((back.principal for back in one.returns), Decimal(0)),
        sum((back.interest for back in one.returns), Decimal(0)),
        max((back.returned_at for back in one.returns), default=None),
        "" if one.forfeiture is None else one.forfeiture.ground,
        "" if one.forfeiture is None else one.forfeiture.article,
        one.cautions,
        one.facts.anything_held and (one.revoked or (one.facts.won and not one.facts.contract_at)),
    )
