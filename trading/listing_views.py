"""What anybody may read of listings, and what those concerned read besides.

Until a listing has ended its bidders are numbers, to the seller, the centre and supervisors too.
How many registered, and who of them paid, is told to nobody.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import func, select
from sqlmodel import col

from kernel.access import Role, by
from kernel.crypto.digests import b64, b64u, instant_text
from kernel.errors import NotFound
from kernel.events import Audience
from kernel.identifiers import ListingId, PartyId
from kernel.money import yuan_text
from kernel.store import journal, views
from kernel.store.parties import organisation_names
from kernel.store.tables import CredentialRow
from kernel.store.transaction import Transaction
from kernel.working_days import beijing_day
from trading.entrusting import agency_of
from trading.listing import (
    BUYER,
    SELLER,
    deal_of,
    numbers_of,
    state_of,
    terms_of,
    undone,
)
from trading.listing_securities import listing_standings
from trading.rules.listing_interruption import OrderKind
from trading.rules.listing_protocol import (
    ENDS,
    AfterDays,
    Asset,
    ListingTerms,
    Phase,
    Undone,
    days_after,
    next_price,
    reserve_may_be_shown,
)
from trading.rules.listing_security import (
    ListingReturnDue,
    ListingSecurityFacts,
    ListingSecurityState,
)
from trading.tables import (
    ListingAdmissionRow,
    ListingBidderRow,
    ListingDealRow,
    ListingGoingOnRow,
    ListingKeepingRow,
    ListingOrderRow,
    ListingQuoteRow,
    ListingReserveRow,
    ListingRow,
)


@dataclass(frozen=True, slots=True)
class ListingLine:
    """One listing as a list shows it."""

    id: ListingId
    code: str
    title: str
    asset: Asset
    phase: Phase
    seller: str
    starts_at: datetime
    ends_at: datetime
    starting_price: Decimal
    highest: Decimal | None
    winner: str | None
    suspended: bool
    undone: Undone | None
    own: bool


@dataclass(frozen=True, slots=True)
class QuoteTold:
    """A price as everybody sees it; `name` is empty until the deal."""

    number: int
    bidder_number: int
    name: str
    price: Decimal
    received_at: datetime
    phase: Phase


@dataclass(frozen=True, slots=True)
class OwnSecurity:
    """A bidder's own security; `returned` is how much went back when, and whether late."""

    reference: str
    state: ListingSecurityState
    facts: ListingSecurityFacts
    due: ListingReturnDue | None
    returned: tuple[tuple[Decimal, datetime, bool], ...]
    kept_because: str


@dataclass(frozen=True, slots=True)
class Own:
    """What a bidder sees of itself: its number, whether it is admitted, and where it stands.

    `security` is None for one who registered before numbers to pay under were given.
    """

    number: int
    admitted: bool
    leads: bool
    quoted: bool
    goes_on: bool
    won: bool
    security: OwnSecurity | None


@dataclass(frozen=True, slots=True)
class OrderTold:
    """An order that suspended, resumed or ended a listing, as everybody reads it."""

    kind: OrderKind
    ground: str
    basis: str
    reason: str
    by_supervisor: bool
    ordered_at: datetime


@dataclass(frozen=True, slots=True)
class Earlier:
    """A listing of the same thing, before this one or after it."""

    id: ListingId
    code: str


@dataclass(frozen=True, slots=True)
class Seen:
    """A listing as its page shows it to one reader."""

    id: ListingId
    code: str
    title: str
    asset: Asset
    region_code: str
    words: str
    seller_id: UUID
    seller: str
    terms: ListingTerms
    cautions: tuple[dict[str, Any], ...]
    digest: bytes
    phase: Phase
    phase_ends_at: datetime | None
    settling: bool
    quotes: tuple[QuoteTold, ...]
    least: Decimal
    ended_at: datetime | None
    winner_id: UUID | None
    winner: str | None
    winner_number: int | None
    price: Decimal | None
    why: str
    reserve_commitment: bytes | None
    reserve: Decimal | None
    reserve_nonce: bytes | None
    after: AfterDays | None
    signed: dict[str, datetime]
    own: Own | None
    sells: bool
    acts: bool
    deal: dict[str, object] | None
    last_number: int
    agency: str
    paused_at: datetime | None
    orders: tuple[OrderTold, ...]
    undone: Undone | None
    relists: Earlier | None
    relisted_by: Earlier | None

    @property
    def running(self) -> bool:
        """Whether a price can be named now."""
        runs = self.phase in (Phase.LISTED, Phase.BIDDING) and not self.settling
        return runs and self.paused_at is None

    @property
    def may_be_relisted(self) -> bool:
        """Whether it ended without a deal and nobody has listed it again."""
        free = self.phase in (Phase.UNSOLD, Phase.TERMINATED) or self.undone is not None
        return free and self.relisted_by is None

    @property
    def step(self) -> int:
        """Where it is on its way: announced, listed, asked, bidding, ended."""
        return min(list(Phase).index(self.phase), 4)

    def plain(self) -> dict[str, Any]:
        """The same as programs read it."""
        terms = self.terms
        told: dict[str, Any] = {
            "id": str(self.id),
            "code": self.code,
            "title": self.title,
            "asset": str(self.asset),
            "region": self.region_code,
            "words": self.words,
            "seller": {"id": str(self.seller_id), "name": self.seller},
            "agency": self.agency or None,
            "relists": None if self.relists is None else str(self.relists.id),
            "relisted_by": None if self.relisted_by is None else str(self.relisted_by.id),
            "suspended_at": _instant(self.paused_at),
            "orders": [
                {
                    "kind": str(one.kind),
                    "ground": one.ground or None,
                    "basis": one.basis or None,
                    "reason": one.reason,
                    "by_supervisor": one.by_supervisor,
                    "ordered_at": instant_text(one.ordered_at),
                }
                for one in self.orders
            ],
            "published_at": instant_text(terms.published_at),
            "register_until": instant_text(terms.registers_until),
            "starts_at": instant_text(terms.starts_at),
            "ends_at": instant_text(terms.ends_at),
            "starting_price": yuan_text(terms.starting_price),
            "step": yuan_text(terms.step),
            "security": yuan_text(terms.security),
            "asking_s": int(terms.asking.total_seconds()),
            "countdown_s": int(terms.countdown.total_seconds()),
            "reserve_commitment": _b64u(self.reserve_commitment),
            "statement_digest": b64u(self.digest),
            "cautions": list(self.cautions),
            "phase": str(self.phase),
            "phase_ends_at": _instant(self.phase_ends_at),
            "least": None if self.phase in ENDS else yuan_text(self.least),
            "quotes": [
                {
                    "number": one.number,
                    "bidder_number": one.bidder_number,
                    "price": yuan_text(one.price),
                    "received_at": instant_text(one.received_at),
                    "phase": str(one.phase),
                }
                for one in self.quotes
            ],
            "result": None,
            "own": None,
        }
        if self.phase in ENDS:
            told["result"] = {
                "ended_at": _instant(self.ended_at),
                "sold": self.phase is Phase.SOLD,
                "why": self.why,
                "winner": self.winner,
                "bidder_number": self.winner_number,
                "price": None if self.price is None else yuan_text(self.price),
                "reserve": None if self.reserve is None else yuan_text(self.reserve),
                "reserve_nonce": _b64u(self.reserve_nonce),
                "confirmed_by": {side: instant_text(at) for side, at in self.signed.items()},
                "undone": None if self.undone is None else str(self.undone),
                "securities_back_by": None if self.after is None else _instant(self.after.returned),
                "contract_by": None
                if self.after is None or self.phase is not Phase.SOLD
                else _instant(self.after.contract),
            }
        if self.own is not None:
            told["own"] = {
                "bidder_number": self.own.number,
                "admitted": self.own.admitted,
                "leads": self.own.leads,
                "goes_on": self.own.goes_on,
                "won": self.own.won,
                "security": _security(self.own.security),
            }
        return told


@dataclass(frozen=True, slots=True)
class Confirmation:
    """The deal's confirmation (成交确认书): what both sides signed, and the keys that check it."""

    deal: dict[str, object]
    statements: dict[str, str]
    signers: dict[str, str]


@by(*Role)
async def listings(tx: Transaction) -> tuple[ListingLine, ...]:
    """Every listing, those that end next first, and what has ended behind them.

    A bidder is shown besides for which it registered itself.
    """
    own = tx.actor.party_id if tx.actor.role is Role.BIDDER else None
    highest = (
        select(
            col(ListingQuoteRow.listing_id).label("listing_id"),
            func.max(col(ListingQuoteRow.price)).label("price"),
        )
        .group_by(col(ListingQuoteRow.listing_id))
        .subquery()
    )
    rows = (
        await tx.session.execute(
            select(
                ListingRow,
                highest.c.price,
                col(ListingKeepingRow.listing_id),
                col(ListingOrderRow.listing_id),
                col(ListingBidderRow.number),
            )
            .outerjoin(highest, highest.c.listing_id == col(ListingRow.id))
            .outerjoin(ListingKeepingRow, col(ListingKeepingRow.listing_id) == col(ListingRow.id))
            .outerjoin(
                ListingOrderRow,
                (col(ListingOrderRow.listing_id) == col(ListingRow.id))
                & (col(ListingOrderRow.kind) == OrderKind.VOID),
            )
            .outerjoin(
                ListingBidderRow,
                (col(ListingBidderRow.listing_id) == col(ListingRow.id))
                & (col(ListingBidderRow.bidder_id) == own),
            )
            .order_by(
                col(ListingRow.ended_at).desc().nulls_first(),
                col(ListingRow.ends_at),
                col(ListingRow.id),
            )
            .limit(200)
        )
    ).all()
    ids = {row.seller_id for row, *_ in rows}
    ids |= {row.winner_id for row, *_ in rows if row.winner_id}
    names = await organisation_names(tx.session, ids)
    return tuple(
        ListingLine(
            ListingId(row.id),
            row.code,
            row.title,
            Asset(row.asset),
            Phase(row.phase),
            names[row.seller_id],
            terms_of(row).starts_at,
            terms_of(row).ends_at,
            row.starting_price,
            price,
            None if row.winner_id is None else names[row.winner_id],
            row.paused_at is not None and row.phase not in ENDS,
            Undone.VOID if void else Undone.FELL_THROUGH if kept else None,
            number is not None,
        )
        for row, price, kept, void, number in rows
    )


@by(*Role)
async def listing(tx: Transaction, listing_id: ListingId) -> Seen:
    """One listing as the reader may see it."""
    number = await journal.last_number(tx.session, views.room(listing_id, Audience.PUBLIC))
    row = await _row(tx, listing_id)
    agency = await agency_of(tx, row.seller_id, row.code)
    party = tx.actor.party_id
    sells = tx.actor.role is Role.TENDEREE and party == row.seller_id
    acts = sells or (tx.actor.role is Role.AGENCY and agency is not None and party == agency)
    state, terms = await state_of(tx, row), terms_of(row)
    numbers = await numbers_of(tx, listing_id)
    sold = row.phase == Phase.SOLD
    concerned = {row.seller_id} | (set(state.bidders()) if sold else set())
    concerned |= set() if agency is None else {agency}
    names = await organisation_names(tx.session, concerned)
    reserve = None
    if reserve_may_be_shown(state):
        reserve = await tx.session.get(ListingReserveRow, listing_id)
    quotes = await _quotes(tx, listing_id)
    winner_number = None if row.winner_id is None else numbers[PartyId(row.winner_id)]
    signed = await _signed(tx, listing_id)
    after = None
    if row.ended_at is not None:
        after = days_after(beijing_day(row.ended_at), calendar=tx.settings.calendar)
    return Seen(
        id=listing_id,
        code=row.code,
        title=row.title,
        asset=Asset(row.asset),
        region_code=row.region_code,
        words=row.words,
        seller_id=row.seller_id,
        seller=names[row.seller_id],
        terms=terms,
        cautions=tuple(row.cautions),
        digest=row.digest,
        phase=Phase(row.phase),
        phase_ends_at=row.phase_ends_at,
        settling=row.phase_ends_at is not None and tx.now >= row.phase_ends_at,
        quotes=tuple(
            QuoteTold(
                one.number,
                numbers[PartyId(one.bidder_id)],
                names[one.bidder_id] if sold else "",
                one.price,
                one.received_at,
                Phase(one.phase),
            )
            for one in reversed(quotes)
        ),
        least=next_price(state, terms),
        ended_at=row.ended_at,
        winner_id=row.winner_id,
        winner=None if row.winner_id is None else names[row.winner_id],
        winner_number=winner_number,
        price=row.price,
        why=row.why,
        reserve_commitment=row.reserve_commitment,
        reserve=None if reserve is None else reserve.reserve,
        reserve_nonce=None if reserve is None else reserve.nonce,
        after=after,
        signed=signed,
        own=await _own(tx, row, quotes),
        sells=sells,
        acts=acts,
        deal=None if winner_number is None else deal_of(row, number=winner_number),
        last_number=number,
        agency="" if agency is None else names[agency],
        paused_at=row.paused_at,
        orders=await _orders(tx, listing_id),
        undone=await undone(tx, row),
        relists=await _earlier(tx, col(ListingRow.id) == row.relists),
        relisted_by=await _earlier(tx, col(ListingRow.relists) == row.id),
    )


@by(*Role)
async def confirmation(tx: Transaction, listing_id: ListingId) -> Confirmation:
    """The deal's confirmation once both sides have signed it; `NotFound` until then."""
    row = await _row(tx, listing_id)
    deals = (
        await tx.session.scalars(
            select(ListingDealRow).where(col(ListingDealRow.listing_id) == listing_id)
        )
    ).all()
    if {one.side for one in deals} != {SELLER, BUYER} or row.winner_id is None:
        raise NotFound("no such confirmation")
    keys = await tx.session.scalars(
        select(CredentialRow).where(
            col(CredentialRow.person_id).in_({one.person_id for one in deals})
        )
    )
    numbers = await numbers_of(tx, listing_id)
    return Confirmation(
        deal_of(row, number=numbers[PartyId(row.winner_id)]),
        {one.side: b64(one.statement) for one in deals},
        {one.keyid: b64u(one.public_key) for one in keys},
    )


async def _row(tx: Transaction, listing_id: UUID) -> ListingRow:
    row = await tx.session.get(ListingRow, listing_id)
    if row is None:
        raise NotFound("no such listing")
    return row


async def _own(tx: Transaction, row: ListingRow, quotes: Sequence[ListingQuoteRow]) -> Own | None:
    if tx.actor.role is not Role.BIDDER:
        return None
    key = (row.id, tx.actor.party)
    bidder = await tx.session.get(ListingBidderRow, key)
    if bidder is None:
        return None
    mine = [one for one in quotes if one.bidder_id == bidder.bidder_id]
    return Own(
        bidder.number,
        admitted=await tx.session.get(ListingAdmissionRow, key) is not None,
        leads=bool(quotes) and quotes[-1].bidder_id == bidder.bidder_id,
        quoted=bool(mine),
        goes_on=await tx.session.get(ListingGoingOnRow, key) is not None,
        won=row.winner_id == bidder.bidder_id,
        security=await _own_security(tx, row),
    )


async def _own_security(tx: Transaction, row: ListingRow) -> OwnSecurity | None:
    for one in await listing_standings(tx, row, only=tx.actor.party):
        return OwnSecurity(
            one.account.reference,
            one.state,
            one.facts,
            one.due,
            tuple((back.principal, back.returned_at, back.late) for back in one.returns),
            "" if one.keeping is None else one.keeping.reason,
        )
    return None


async def _orders(tx: Transaction, listing_id: UUID) -> tuple[OrderTold, ...]:
    rows = await tx.session.scalars(
        select(ListingOrderRow)
        .where(col(ListingOrderRow.listing_id) == listing_id)
        .order_by(col(ListingOrderRow.number).desc())
    )
    return tuple(
        OrderTold(
            OrderKind(one.kind),
            one.ground,
            one.basis,
            one.reason,
            one.by_supervisor,
            one.ordered_at,
        )
        for one in rows
    )


async def _earlier(tx: Transaction, which: Any) -> Earlier | None:
    found = (
        await tx.session.execute(select(col(ListingRow.id), col(ListingRow.code)).where(which))
    ).first()
    return None if found is None else Earlier(ListingId(found[0]), found[1])


async def _quotes(tx: Transaction, listing_id: UUID) -> Sequence[ListingQuoteRow]:
    found = await tx.session.scalars(
        select(ListingQuoteRow)
        .where(col(ListingQuoteRow.listing_id) == listing_id)
        .order_by(col(ListingQuoteRow.number))
    )
    return found.all()


async def _signed(tx: Transaction, listing_id: UUID) -> dict[str, datetime]:
    rows = await tx.session.execute(
        select(col(ListingDealRow.side), col(ListingDealRow.signed_at)).where(
            col(ListingDealRow.listing_id) == listing_id
        )
    )
    return {side: at for side, at in rows}


def _security(one: OwnSecurity | None) -> dict[str, Any] | None:
    """A bidder's own security, as programs read it."""
    if one is None:
        return None
    due = one.due
    return {
        "state": str(one.state),
        "reference": one.reference,
        "asked": yuan_text(one.facts.asked),
        "paid": yuan_text(one.facts.paid),
        "held": yuan_text(one.facts.held),
        "kept": yuan_text(one.facts.kept),
        "due": None if due is None else {"cause": str(due.cause), "by": _instant(due.due_at)},
        "returns": [
            {"principal": yuan_text(principal), "returned_at": instant_text(at), "late": late}
            for principal, at, late in one.returned
        ],
    }


def _b64u(value: bytes | None) -> str | None:
    return None if value is None else b64u(value)


def _instant(at: datetime | None) -> str | None:
    return None if at is None else instant_text(at)
