"""What anybody may read of listings, and what those concerned read besides.

Until a listing has ended its bidders are numbers, to the seller and to supervisors too; the centre,
which confirms securities, alone sees who registered. How many registered is told to nobody else.
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
from kernel.identifiers import ListingId
from kernel.money import yuan_text
from kernel.store import journal, views
from kernel.store.parties import organisation_names
from kernel.store.tables import CredentialRow
from kernel.store.transaction import Transaction
from kernel.working_days import beijing_day
from trading.listing import BUYER, SELLER, deal_of, state_of, terms_of
from trading.rules.listing_protocol import (
    ENDS,
    AfterDays,
    Asset,
    ListingTerms,
    Phase,
    days_after,
    next_price,
    reserve_may_be_shown,
)
from trading.tables import (
    ListingAdmissionRow,
    ListingBidderRow,
    ListingDealRow,
    ListingGoingOnRow,
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
class Own:
    """What a bidder sees of itself: its number, whether it is admitted, and where it stands."""

    number: int
    admitted: bool
    leads: bool
    quoted: bool
    goes_on: bool
    won: bool


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
    deal: dict[str, object] | None
    last_number: int

    @property
    def running(self) -> bool:
        """Whether a price can be named now."""
        return self.phase in (Phase.LISTED, Phase.BIDDING) and not self.settling

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
                "securities_back_by": None if self.after is None else _instant(self.after.returned),
                "contract_by": None if self.after is None else _instant(self.after.contract),
            }
        if self.own is not None:
            told["own"] = {
                "bidder_number": self.own.number,
                "admitted": self.own.admitted,
                "leads": self.own.leads,
                "goes_on": self.own.goes_on,
                "won": self.own.won,
            }
        return told


@dataclass(frozen=True, slots=True)
class Registered:
    """A registered bidder as the centre sees it, and its security once that is confirmed."""

    number: int
    name: str
    registered_at: datetime
    paid: Decimal | None
    arrived_at: datetime | None


@dataclass(frozen=True, slots=True)
class Confirmation:
    """The deal's confirmation (成交确认书): what both sides signed, and the keys that check it."""

    deal: dict[str, object]
    statements: dict[str, str]
    signers: dict[str, str]


@by(*Role)
async def listings(tx: Transaction) -> tuple[ListingLine, ...]:
    """Every listing, those that end next first, and what has ended behind them."""
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
            select(ListingRow, highest.c.price)
            .outerjoin(highest, highest.c.listing_id == col(ListingRow.id))
            .order_by(
                col(ListingRow.ended_at).desc().nulls_first(),
                col(ListingRow.ends_at),
                col(ListingRow.id),
            )
            .limit(200)
        )
    ).all()
    ids = {row.seller_id for row, _ in rows} | {row.winner_id for row, _ in rows if row.winner_id}
    names = await organisation_names(tx.session, ids)
    return tuple(
        ListingLine(
            ListingId(row.id),
            row.code,
            row.title,
            Asset(row.asset),
            Phase(row.phase),
            names[row.seller_id],
            row.starts_at,
            row.ends_at,
            row.starting_price,
            price,
            None if row.winner_id is None else names[row.winner_id],
        )
        for row, price in rows
    )


@by(*Role)
async def listing(tx: Transaction, listing_id: ListingId) -> Seen:
    """One listing as the reader may see it."""
    number = await journal.last_number(tx.session, views.room(listing_id, Audience.PUBLIC))
    row = await _row(tx, listing_id)
    state, terms = await state_of(tx, row), terms_of(row)
    numbers = await _numbers(tx, listing_id)
    sold = row.phase == Phase.SOLD
    concerned = {row.seller_id} | (set(state.bidders()) if sold else set())
    names = await organisation_names(tx.session, concerned)
    reserve = None
    if reserve_may_be_shown(state):
        reserve = await tx.session.get(ListingReserveRow, listing_id)
    quotes = await _quotes(tx, listing_id)
    winner_number = None if row.winner_id is None else numbers[row.winner_id]
    signed = await _signed(tx, listing_id)
    after = None
    if sold and row.ended_at is not None:
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
                numbers[one.bidder_id],
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
        sells=tx.actor.role is Role.TENDEREE and tx.actor.party_id == row.seller_id,
        deal=None if winner_number is None else deal_of(row, number=winner_number),
        last_number=number,
    )


@by(Role.CENTRE_STAFF)
async def registered(tx: Transaction, listing_id: ListingId) -> tuple[Registered, ...]:
    """Who registered, for the centre that confirms their securities; in the order of numbers."""
    await _row(tx, listing_id)
    rows = (
        await tx.session.execute(
            select(ListingBidderRow, ListingAdmissionRow)
            .outerjoin(
                ListingAdmissionRow,
                (col(ListingAdmissionRow.listing_id) == col(ListingBidderRow.listing_id))
                & (col(ListingAdmissionRow.bidder_id) == col(ListingBidderRow.bidder_id)),
            )
            .where(col(ListingBidderRow.listing_id) == listing_id)
            .order_by(col(ListingBidderRow.number))
        )
    ).all()
    names = await organisation_names(tx.session, {one.bidder_id for one, _ in rows})
    return tuple(
        Registered(
            one.number,
            names[one.bidder_id],
            one.registered_at,
            None if admission is None else admission.paid,
            None if admission is None else admission.arrived_at,
        )
        for one, admission in rows
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
    numbers = await _numbers(tx, listing_id)
    return Confirmation(
        deal_of(row, number=numbers[row.winner_id]),
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
    )


async def _quotes(tx: Transaction, listing_id: UUID) -> Sequence[ListingQuoteRow]:
    found = await tx.session.scalars(
        select(ListingQuoteRow)
        .where(col(ListingQuoteRow.listing_id) == listing_id)
        .order_by(col(ListingQuoteRow.number))
    )
    return found.all()


async def _numbers(tx: Transaction, listing_id: UUID) -> dict[UUID, int]:
    rows = await tx.session.execute(
        select(col(ListingBidderRow.bidder_id), col(ListingBidderRow.number)).where(
            col(ListingBidderRow.listing_id) == listing_id
        )
    )
    return {bidder: number for bidder, number in rows}


async def _signed(tx: Transaction, listing_id: UUID) -> dict[str, datetime]:
    rows = await tx.session.execute(
        select(col(ListingDealRow.side), col(ListingDealRow.signed_at)).where(
            col(ListingDealRow.listing_id) == listing_id
        )
    )
    return {side: at for side, at in rows}


def _b64u(value: bytes | None) -> str | None:
    return None if value is None else b64u(value)


def _instant(at: datetime | None) -> str | None:
    return None if at is None else instant_text(at)
