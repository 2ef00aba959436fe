"""Where the securities of a listing stand, worked out anew each time from what was stored.

Bidder, seller, centre, supervisor and the alarm ask here, so that no two are told different things;
what each may see of it is decided by whoever asks. Until the end that is each bidder its own.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final
from uuid import UUID

from sqlalchemy import exists, select
from sqlmodel import col

from kernel.access import Role, by
from kernel.errors import NotPermitted, Refused
from kernel.identifiers import ListingId
from kernel.refusals import Refusal
from kernel.store.parties import organisation_names
from kernel.store.transaction import Transaction
from kernel.working_days import beijing_day
from trading.entrusting import agency_of
from trading.listing import BUYER, SELLER, held_still, terms_of
from trading.rules.listing_interruption import OrderKind
from trading.rules.listing_protocol import ENDS, TERMS, Phase, days_after
from trading.rules.listing_security import (
    ListingReturnDue,
    ListingSecurityFacts,
    ListingSecurityState,
    keeping_refusals,
    listing_return_due,
    listing_security_state,
)
from trading.tables import (
    BankLineRow,
    ListingAccountRow,
    ListingBidderRow,
    ListingDealRow,
    ListingKeepingRow,
    ListingOrderRow,
    ListingQuoteRow,
    ListingReturnRow,
    ListingRow,
)

SIDES: Final = (SELLER, BUYER)


@dataclass(frozen=True, slots=True)
class ListingStanding:
    """One bidder's security in one listing, with all that shows it."""

    account: ListingAccountRow
    bidder_number: int
    facts: ListingSecurityFacts
    due: ListingReturnDue | None
    state: ListingSecurityState
    arrivals: tuple[BankLineRow, ...]
    returns: tuple[ListingReturnRow, ...]
    keeping: ListingKeepingRow | None


@dataclass(frozen=True, slots=True)
class ListingSecurityTold:
    """A security as those read it who may; `bidder` is empty where it stays a number."""

    reference: str
    bidder_number: int
    bidder: str
    standing: ListingStanding
    overdue: bool
    may_be_kept: bool


async def listing_standings(
    tx: Transaction, row: ListingRow, *, only: UUID | None = None
) -> tuple[ListingStanding, ...]:
    """The standings of all who registered, by their numbers, or of one of them alone."""
    query = (
        select(ListingAccountRow, col(ListingBidderRow.number))
        .join(
            ListingBidderRow,
            (col(ListingBidderRow.listing_id) == col(ListingAccountRow.listing_id))
            & (col(ListingBidderRow.bidder_id) == col(ListingAccountRow.bidder_id)),
        )
        .where(col(ListingAccountRow.listing_id) == row.id)
        .order_by(col(ListingBidderRow.number))
    )
    if only is not None:
        query = query.where(col(ListingAccountRow.bidder_id) == only)
    accounts = (await tx.session.execute(query)).all()
    lines: dict[str, list[BankLineRow]] = defaultdict(list)
    for line in await tx.session.scalars(
        select(BankLineRow)
        .where(col(BankLineRow.reference).in_([one.reference for one, _ in accounts]))
        .order_by(col(BankLineRow.received_at), col(BankLineRow.serial))
    ):
        lines[line.reference].append(line)
    returns: dict[UUID, list[ListingReturnRow]] = defaultdict(list)
    for back in await tx.session.scalars(
        select(ListingReturnRow)
        .where(col(ListingReturnRow.listing_id) == row.id)
        .order_by(col(ListingReturnRow.recorded_at))
    ):
        returns[back.bidder_id].append(back)
    keeping = await tx.session.get(ListingKeepingRow, row.id)
    signed = set(
        await tx.session.scalars(
            select(col(ListingDealRow.side)).where(col(ListingDealRow.listing_id) == row.id)
        )
    )
    void_at = await tx.session.scalar(
        select(col(ListingOrderRow.ordered_at)).where(
            col(ListingOrderRow.listing_id) == row.id, col(ListingOrderRow.kind) == OrderKind.VOID
        )
    )
    return tuple(
        _standing(
            tx,
            row,
            account,
            number,
            lines[account.reference],
            returns[account.bidder_id],
            keeping if account.bidder_id == row.winner_id else None,
            signed,
            void_at,
        )
        for account, number in accounts
    )


def _standing(
    tx: Transaction,
    row: ListingRow,
    account: ListingAccountRow,
    number: int,
    arrivals: Sequence[BankLineRow],
    returns: Sequence[ListingReturnRow],
    keeping: ListingKeepingRow | None,
    signed: set[str],
    void_at: datetime | None,
) -> ListingStanding:
    until = terms_of(row).registers_until
    days = None
    if row.ended_at is not None:
        days = days_after(beijing_day(row.ended_at), calendar=tx.settings.calendar)
    facts = ListingSecurityFacts(
        asked=row.security,
        paid=_sum(arrivals),
        paid_in_time=_sum([one for one in arrivals if one.received_at < until]),
        given_back=sum((one.principal for one in returns), Decimal(0)),
        kept=Decimal(0) if keeping is None else keeping.amount,
        kept_at=None if keeping is None else keeping.decided_at,
        paid_at=arrivals[-1].received_at if arrivals else None,
        void_at=void_at if row.winner_id == account.bidder_id else None,
        ended_at=row.ended_at,
        sold=row.phase == Phase.SOLD,
        terminated=row.phase == Phase.TERMINATED,
        won=row.winner_id == account.bidder_id,
        seller_signed=SELLER in signed,
        buyer_signed=BUYER in signed,
        signing_due_at=None if days is None else days.contract,
    )
    due = listing_return_due(facts, now=tx.now, calendar=tx.settings.calendar)
    return ListingStanding(
        account,
        number,
        facts,
        due,
        listing_security_state(facts, due=due),
        tuple(arrivals),
        tuple(returns),
        keeping,
    )


def _sum(lines: Sequence[BankLineRow]) -> Decimal:
    return sum((one.amount for one in lines), Decimal(0))


@by(Role.TENDEREE, Role.AGENCY, Role.CENTRE_STAFF, Role.SUPERVISOR)
async def listing_securities(
    tx: Transaction, listing_id: ListingId
) -> tuple[ListingSecurityTold, ...]:
    """The securities of an ended listing; of one that runs nobody is told anything.

    Who named a price in a listing that was sold has a name; everybody else stays a number, except
    to those who supervise.
    """
    row = await held_still(tx, listing_id)
    if tx.actor.role is Role.TENDEREE and tx.actor.party != row.seller_id:
        raise NotPermitted("this is the seller's to see")
    if tx.actor.role is Role.AGENCY and tx.actor.party != await agency_of(
        tx, row.seller_id, row.code
    ):
        raise NotPermitted("this is the seller's to see")
    if row.phase not in ENDS:
        reason = "挂牌结束前不得泄露竞买保证金缴纳情况"
        raise Refused([Refusal("still_sealed", TERMS, reason)])
    standings = await listing_standings(tx, row)
    names = await names_shown(tx, row, standings)
    return tuple(
        ListingSecurityTold(
            one.account.reference,
            one.bidder_number,
            names.get(one.account.bidder_id, ""),
            one,
            one.due is not None and one.due.due_at <= tx.now,
            not keeping_refusals(one.facts, now=tx.now),
        )
        for one in standings
    )


async def names_shown(
    tx: Transaction, row: ListingRow, standings: Sequence[ListingStanding]
) -> dict[UUID, str]:
    """The names by which the reader may know bidders of an ended listing."""
    shown = {one.account.bidder_id for one in standings}
    if tx.actor.role is not Role.SUPERVISOR:
        quoted = await tx.session.scalars(
            select(col(ListingQuoteRow.bidder_id)).where(col(ListingQuoteRow.listing_id) == row.id)
        )
        shown &= set(quoted) if row.phase == Phase.SOLD else set()
    return await organisation_names(tx.session, shown)


async def listings_holding_money(tx: Transaction) -> Sequence[ListingRow]:
    """The ended listings into whose accounts something came; what became of it is asked there."""
    came = exists().where(
        col(ListingAccountRow.listing_id) == col(ListingRow.id),
        col(BankLineRow.reference) == col(ListingAccountRow.reference),
    )
    found = await tx.session.scalars(
        select(ListingRow).where(col(ListingRow.ended_at).is_not(None), came)
    )
    return found.all()
