"""A listing is announced, bidders register and name rising prices, and the highest wins.

Who bids is a drawn number until the deal. What bidders do one after another is judged under the
listing's own lock, so that of two who name one price at one moment exactly one is taken: the one
whom the database let in first. When a price arrived is the first database time after its last
byte, so that waiting for that lock makes nobody late; a phase is ended only when what was on its
way by then is in.

The platform keeps a reserve that is secret, because the outcome must be known the moment the
listing ends. Its commitment is published with the listing, so that neither the seller nor we can
change it afterwards.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.exc import DBAPIError
from sqlmodel import col

from blacklist.standing import BarredAct, standing_of, standing_refusals
from kernel.access import Actor, Role, by
from kernel.crypto.digests import (
    Malformed,
    b64u,
    canonical,
    count_of,
    parse_instant,
    sha256,
    text_of,
    unb64u,
)
from kernel.errors import NotFound, NotPermitted, Refused
from kernel.identifiers import ListingId, PartyId
from kernel.money import parse_yuan, yuan_text
from kernel.randomness import random_bytes, random_id
from kernel.refusals import Caution, Refusal
from kernel.regions import is_region_code
from kernel.statute import CIVIL_CODE
from kernel.store.database import lock_exclusive, lock_shared
from kernel.store.parties import (
    Organisation,
    organisation_names,
    require_verified,
    take_part,
    verified_statement,
)
from kernel.store.registering import id_of
from kernel.store.transaction import NotDurable, Store, Transaction, transaction
from trading.drafting import clean_text
from trading.entrusting import mandate_grounds, require_seller, was_entrusted
from trading.events import (
    ListingAnnounced,
    ListingBidderRegistered,
    ListingDealSigned,
    ListingEnded,
    ListingGoesOn,
    ListingMoved,
    ListingQuoted,
    ListingQuoteRefused,
)
from trading.judging import bound
from trading.payment_references import new_reference
from trading.rules.listing_interruption import (
    OrderKind,
    Pause,
    standstill_refusals,
    terms_after,
)
from trading.rules.listing_mandate import (
    ListingAct,
    entrusted_reserve_refusals,
    own_agency_refusals,
    relisting_refusals,
)
from trading.rules.listing_protocol import (
    ENDS,
    Asset,
    Listing,
    ListingTerms,
    Phase,
    Quote,
    Undone,
    deal_refusals,
    going_on_refusals,
    listing_cautions,
    opened_late,
    outcome,
    passed,
    quote_refusals,
    quoted,
    registration_refusals,
    reserve_refusals,
    terms_refusals,
    undone_refusals,
)
from trading.tables import (
    ListingAccountRow,
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

WORDS_MAX: Final = 5000
NUMBERS: Final = range(1000, 10_000)
"""The numbers (竞买号) that bidders draw."""

TAKING_BOUND_S: Final = 1.5
"""How long taking a price may work before it is given up: less than a phase waits at its end."""

LATE_MAX: Final = timedelta(seconds=10)
"""A phase that is ended later than this after its time was ended late by our fault."""

SELLER, BUYER = "seller", "buyer"


@dataclass(frozen=True, slots=True)
class Announced:
    """A listing as it was taken in, and what the law would rather have otherwise."""

    id: ListingId
    cautions: tuple[Caution, ...]


@dataclass(frozen=True, slots=True)
class Registration:
    """The number under which a bidder bids, and the one under which it pays its security."""

    number: int
    reference: str


@dataclass(frozen=True, slots=True)
class Taken:
    """A price as it was taken: its place, when it arrived, and until when the phase lasts now."""

    number: int
    bidder_number: int
    price: Decimal
    received_at: datetime
    phase: Phase
    phase_ends_at: datetime


# ── announcing ────────────────────────────────────────────────────────────────────────────────


@by(Role.TENDEREE, Role.AGENCY)
async def may_announce(tx: Transaction) -> Organisation:
    """The acting seller or agency; `Refused` while the centre has not verified it."""
    return await require_verified(tx)


@by(Role.TENDEREE, Role.AGENCY)
async def announce(tx: Transaction, raw: bytes, reserve_raw: bytes | None) -> Announced:
    """Announce a listing by its signed terms, and its reserve by a statement of its own.

    An agency names the seller whose letter lets it. The same terms again are the same listing.
    `Malformed` where a reserve is not the one that the terms commit to.
    """
    await require_verified(tx)
    statement = await verified_statement(tx, raw, "listing")
    told = statement.payload
    known = await tx.session.scalar(
        select(ListingRow).where(col(ListingRow.digest) == statement.digest)
    )
    if known is not None:
        return Announced(ListingId(known.id), tuple(listing_cautions(terms_of(known))))
    row = ListingRow(
        id=random_id(),
        code=clean_text(told["code"], at_most=60),
        title=clean_text(told["title"], at_most=200),
        asset=_asset_in(told["asset"]),
        region_code=_region_in(told["region"]),
        words=clean_text(told["words"], at_most=WORDS_MAX),
        seller_id=_seller_in(tx, told),
        announced_by=tx.actor.person,
        published_at=tx.now,
        register_until=parse_instant(told["register_until"]),
        starts_at=parse_instant(told["starts_at"]),
        ends_at=parse_instant(told["ends_at"]),
        starting_price=_amount_in(told["starting_price"]),
        step=_amount_in(told["step"]),
        security=_amount_in(told["security"]),
        asking_s=_seconds_in(told["asking_s"]),
        countdown_s=_seconds_in(told["countdown_s"]),
        reserve_commitment=_commitment_in(told["reserve_commitment"]),
        digest=statement.digest,
        statement=raw,
        phase=Phase.ANNOUNCED,
        relists=None if told.get("relists") is None else id_of(told["relists"]),
    )
    by_agency = tx.actor.role is Role.AGENCY
    reserve = await _reserve_in(tx, row, reserve_raw)
    terms = terms_of(row)

    refusals = terms_refusals(terms)
    refusals += reserve_refusals(
        Asset(row.asset), terms, reserve=None if reserve is None else reserve.reserve
    )
    refusals += entrusted_reserve_refusals(by_agency=by_agency, has_reserve=reserve is not None)
    if by_agency:
        refusals += await mandate_grounds(tx, row.seller_id, row.code, ListingAct.ANNOUNCE)
        refusals += await _barred(tx, BarredAct.AGENCY, tx.actor.party)
    refusals += await _code_taken(tx, row.code)
    refusals += await _not_to_be_relisted(tx, row)
    if refusals:
        raise Refused(refusals)
    cautions = listing_cautions(terms) if row.asset == Asset.LAND else []

    await take_part(tx, row.id)
    row.cautions = [one.as_json() for one in cautions]
    row.due_at = row.starts_at
    tx.session.add(row)
    await tx.session.flush()
    if reserve is not None:
        tx.session.add(reserve)

    tx.record(
        ListingAnnounced(
            row.id,
            code=row.code,
            title=row.title,
            seller_id=row.seller_id,
            register_until=row.register_until,
            starts_at=row.starts_at,
            ends_at=row.ends_at,
            starting_price=row.starting_price,
            step=row.step,
            security=row.security,
            reserve_commitment=row.reserve_commitment,
            statement_digest=row.digest,
            agency_id=tx.actor.party if by_agency else None,
            relists=row.relists,
        )
    )

    return Announced(ListingId(row.id), tuple(cautions))


def commitment_to(code: str, reserve: Decimal, nonce: bytes) -> bytes:
    """What binds a reserve and hides it: the SHA-256 of its canonical JSON with the nonce."""
    opened = {"code": code, "nonce": b64u(nonce), "reserve": yuan_text(reserve)}
    return sha256(canonical(opened))


# ── who bids ──────────────────────────────────────────────────────────────────────────────────


@by(Role.BIDDER)
async def register(tx: Transaction, listing_id: ListingId, raw: bytes) -> Registration:
    """Register as a bidder; the numbers under which it bids and pays. Once registered it stays so.

    Where no security is asked for, whoever registers may name prices. Who registered before numbers
    to pay under were given gets one by registering again.
    """
    row = await locked(tx, listing_id)
    await require_verified(tx)
    statement = await verified_statement(tx, raw, "listing-registration", listing=listing_id)
    known = await tx.session.get(ListingBidderRow, (listing_id, tx.actor.party))
    account = await tx.session.get(ListingAccountRow, (listing_id, tx.actor.party))
    if known is not None and account is not None:
        return Registration(known.number, account.reference)

    refusals = registration_refusals(await state_of(tx, row), terms_of(row), asked_at=tx.now)
    refusals += standstill_refusals(pauses_of(row), acted_at=tx.now)
    refusals += await _barred(tx, BarredAct.SUBMISSION, tx.actor.party)
    refusals += own_agency_refusals(entrusted=await was_entrusted(tx, row.seller_id, row.code))
    if refusals:
        raise Refused(refusals)

    await take_part(tx, listing_id)
    number = _drawn(set((await numbers_of(tx, listing_id)).values()))
    account = ListingAccountRow(
        listing_id=listing_id,
        bidder_id=tx.actor.party,
        reference=new_reference(random_bytes(8)),
        given_to=tx.actor.person,
        given_at=tx.now,
    )
    tx.session.add(account)
    if known is not None:
        return Registration(known.number, account.reference)
    tx.session.add(
        ListingBidderRow(
            listing_id=listing_id,
            bidder_id=tx.actor.party,
            number=number,
            person_id=tx.actor.person,
            digest=statement.digest,
            statement=raw,
            registered_at=tx.now,
        )
    )
    if row.security == 0:
        tx.session.add(
            ListingAdmissionRow(
                listing_id=listing_id,
                bidder_id=tx.actor.party,
                paid=row.security,
                arrived_at=tx.now,
                reference="",
                admitted_by=tx.actor.person,
                admitted_at=tx.now,
            )
        )

    tx.record(
        ListingBidderRegistered(listing_id, bidder_number=number, statement_digest=statement.digest)
    )

    return Registration(number, account.reference)


# ── prices ────────────────────────────────────────────────────────────────────────────────────


async def take_quote(
    intake: Store, actor: Actor, listing_id: ListingId, raw: bytes, *, received_at: datetime
) -> Taken:
    """Take a price that arrived at this instant, or give up soon enough to try again.

    `NotDurable` where it could not be taken in time; nothing of it is then kept.
    """
    try:
        async with transaction(intake, actor=actor, now=received_at) as tx:
            await tx.session.connection()
            async with asyncio.timeout(TAKING_BOUND_S):
                await bound(tx, lock="1s", statement="1s", idle="1s")
                return await quote(tx, listing_id, raw)
    except (DBAPIError, TimeoutError) as fault:
        if isinstance(fault, DBAPIError) and getattr(fault.orig, "sqlstate", "") not in BUSY:
            raise
        raise NotDurable("the price could not be taken in time") from None


BUSY: Final = frozenset({"55P03", "57014", "40001", "40P01", "25P03"})
"""SQLSTATEs that say that others were in the way for too long."""


@by(Role.BIDDER)
async def quote(tx: Transaction, listing_id: ListingId, raw: bytes) -> Taken:
    """Name a price, at least one step above the highest. `tx.now` is when it arrived.

    The same statement again is the same price. A price that is not taken leaves a record of why.
    """
    row = await locked(tx, listing_id)
    statement = await verified_statement(tx, raw, "listing-quote", listing=listing_id)
    price = _amount_in(statement.payload["price"])
    bidder = await tx.session.get(ListingBidderRow, (listing_id, tx.actor.party))
    number = 0 if bidder is None else bidder.number
    known = await tx.session.scalar(
        select(ListingQuoteRow).where(col(ListingQuoteRow.digest) == statement.digest)
    )
    if known is not None:
        return _taken(row, known, number)
    listing, terms = await state_of(tx, row), terms_of(row)
    if listing.phase is Phase.ANNOUNCED:
        listing = passed(listing, terms, now=min(tx.now, terms.starts_at))
    admission = await tx.session.get(ListingAdmissionRow, (listing_id, tx.actor.party))

    refusals = quote_refusals(
        listing,
        terms,
        bidder=tx.actor.party,
        price=price,
        received_at=tx.now,
        admitted=admission is not None,
    )
    refusals += standstill_refusals(pauses_of(row), acted_at=tx.now)
    refusals += await _barred(tx, BarredAct.SUBMISSION, tx.actor.party)
    if refusals:
        tx.record_attempt(
            ListingQuoteRefused(
                listing_id,
                bidder_id=tx.actor.party,
                price=price,
                received_at=tx.now,
                statement_digest=statement.digest,
                grounds=tuple(one.as_json() for one in refusals),
            )
        )
        raise Refused(refusals)

    await take_part(tx, listing_id)
    if listing.phase != row.phase:
        await _move(tx, row, listing)
    after = quoted(listing, terms, bidder=tx.actor.party, price=price, received_at=tx.now)
    _stand(tx, row, after)
    await tx.session.flush()
    taken = ListingQuoteRow(
        listing_id=listing_id,
        number=after.quotes[-1].number,
        bidder_id=tx.actor.party,
        person_id=tx.actor.person,
        price=price,
        received_at=tx.now,
        phase=listing.phase,
        digest=statement.digest,
        statement=raw,
    )
    tx.session.add(taken)

    assert row.phase_ends_at is not None
    tx.record(
        ListingQuoted(
            listing_id,
            number=taken.number,
            bidder_number=number,
            price=price,
            received_at=tx.now,
            phase_ends_at=row.phase_ends_at,
            statement_digest=statement.digest,
        )
    )

    return _taken(row, taken, number)


@by(Role.BIDDER)
async def go_on(tx: Transaction, listing_id: ListingId, raw: bytes) -> None:
    """Say that one goes on, when everybody who quoted is asked; saying it twice is saying it."""
    row = await locked(tx, listing_id)
    statement = await verified_statement(tx, raw, "listing-going-on", listing=listing_id)
    if await tx.session.get(ListingGoingOnRow, (listing_id, tx.actor.party)) is not None:
        return

    refusals = going_on_refusals(await state_of(tx, row), bidder=tx.actor.party, said_at=tx.now)
    refusals += standstill_refusals(pauses_of(row), acted_at=tx.now)
    refusals += await _barred(tx, BarredAct.SUBMISSION, tx.actor.party)
    if refusals:
        raise Refused(refusals)

    bidder = await tx.session.get_one(ListingBidderRow, (listing_id, tx.actor.party))
    await take_part(tx, listing_id)
    tx.session.add(
        ListingGoingOnRow(
            listing_id=listing_id,
            bidder_id=tx.actor.party,
            digest=statement.digest,
            statement=raw,
            said_at=tx.now,
        )
    )

    tx.record(
        ListingGoesOn(listing_id, bidder_number=bidder.number, statement_digest=statement.digest)
    )


# ── what time does ────────────────────────────────────────────────────────────────────────────


@by(Role.PLATFORM)
async def move_on(tx: Transaction, listing_id: ListingId) -> bool:
    """Take the step that is due now, if one is; whether it was taken.

    One step at a time, because everybody is to have the time that was published for each.
    """
    row = await locked(tx, listing_id)
    if row.due_at is None or row.due_at > tx.now or row.paused_at is not None:
        return False
    before, terms = await state_of(tx, row), terms_of(row)
    ended_at = before.phase_ends_at or terms.starts_at
    after = passed(before, terms, now=ended_at)
    if tx.now - row.due_at > LATE_MAX:
        after = opened_late(after, by=tx.now - ended_at)

    if after.phase in ENDS:
        await _end(tx, row, after)
        return True
    await _move(tx, row, after)
    return True


async def _move(tx: Transaction, row: ListingRow, after: Listing) -> None:
    numbers = await numbers_of(tx, row.id)
    going_on = after.goes_on if after.phase is Phase.BIDDING else frozenset()
    came_from = row.phase
    _stand(tx, row, after)

    assert row.phase_ends_at is not None
    tx.record(
        ListingMoved(
            row.id,
            came_from=came_from,
            went_to=after.phase,
            phase_ends_at=row.phase_ends_at,
            goes_on=tuple(sorted(numbers[one] for one in going_on)),
        )
    )


async def _end(tx: Transaction, row: ListingRow, listing: Listing) -> None:
    """Judge the end under the reserve, and tell everybody at once."""
    kept = await tx.session.get(ListingReserveRow, row.id)
    leader = listing.highest
    barred = leader is not None and bool(await _barred(tx, BarredAct.AWARD, leader.bidder))
    told = outcome(listing, reserve=None if kept is None else kept.reserve, leader_barred=barred)
    assert told is not None
    sold = told.winner is not None
    numbers = await numbers_of(tx, row.id)
    names = await organisation_names(tx.session, listing.bidders() if sold else ())

    row.phase = Phase.SOLD if sold else Phase.UNSOLD
    row.ended_at, row.due_at = tx.now, None
    row.winner_id, row.price, row.why = told.winner, told.price, told.why

    tx.record(
        ListingEnded(
            row.id,
            sold=sold,
            why=told.why,
            winner_id=told.winner,
            winner=None if told.winner is None else names[told.winner],
            bidder_number=None if told.winner is None else numbers[told.winner],
            price=told.price,
            reserve=None if kept is None else kept.reserve,
            reserve_nonce=None if kept is None else kept.nonce,
            quotes=len(listing.quotes),
            bidders=tuple(
                {"number": numbers[PartyId(id)], "id": id, "name": name}
                for id, name in sorted(names.items(), key=lambda one: numbers[PartyId(one[0])])
            ),
        )
    )


# ── the deal ──────────────────────────────────────────────────────────────────────────────────


@by(Role.TENDEREE, Role.AGENCY, Role.BIDDER)
async def sign_deal(tx: Transaction, listing_id: ListingId, raw: bytes) -> bool:
    """Sign the deal's confirmation (成交确认书); whether both sides have signed it now.

    Both sign the same: what was listed, who sells, who won under which number, at what price.
    `Malformed` where it says anything else. A winner who was barred meanwhile makes no deal, nor
    does one whose security the seller kept, nor one whose result was declared void.
    """
    row = await locked(tx, listing_id)
    statement = await verified_statement(tx, raw, "listing-deal", listing=listing_id)
    winner = None if row.winner_id is None else PartyId(row.winner_id)
    seller, by_agency = PartyId(row.seller_id), tx.actor.role is Role.AGENCY
    signer = seller if by_agency else tx.actor.party
    refusals = deal_refusals(await state_of(tx, row), winner=winner, signer=signer, seller=seller)
    refusals += undone_refusals(await undone(tx, row))
    if refusals or winner is None:
        raise Refused(refusals)
    side = SELLER if signer == seller else BUYER
    if (side == BUYER) is not (tx.actor.role is Role.BIDDER):
        raise NotPermitted("this side of the deal signs in its own capacity")
    if side == SELLER:
        await require_seller(tx, row, ListingAct.DEAL)
    refusals = await _barred(tx, BarredAct.AWARD, winner)
    if refusals:
        raise Refused(refusals)
    agreed = deal_of(row, number=(await numbers_of(tx, listing_id))[winner])
    if {name: statement.payload[name] for name in agreed} != agreed:
        raise Malformed("the confirmation does not say what was dealt", code="wrong_deal")
    signed = await _sides(tx, listing_id)
    if side in signed:
        return len(signed) == 2

    await take_part(tx, listing_id)
    tx.session.add(
        ListingDealRow(
            listing_id=listing_id,
            side=side,
            person_id=tx.actor.person,
            digest=statement.digest,
            statement=raw,
            signed_at=tx.now,
        )
    )

    complete = bool(signed)
    tx.record(
        ListingDealSigned(
            listing_id, side=side, complete=complete, statement_digest=statement.digest
        )
    )

    return complete


def deal_of(row: ListingRow, *, number: int) -> dict[str, object]:
    """What both sides of a deal sign."""
    assert row.price is not None
    return {
        "listing": str(row.id),
        "code": row.code,
        "seller": str(row.seller_id),
        "winner": str(row.winner_id),
        "number": number,
        "price": yuan_text(row.price),
    }


# ── what the acts above are made of ───────────────────────────────────────────────────────────


def pauses_of(row: ListingRow) -> list[Pause]:
    """The times for which the listing stood still, the last of them perhaps until now."""
    return pauses_in(row.pauses, row.paused_at)


def pauses_in(told: Sequence[Mapping[str, Any]], paused_at: datetime | None) -> list[Pause]:
    """The same as its row holds them."""
    gone = [Pause(parse_instant(one["since"]), parse_instant(one["until"])) for one in told]
    return gone if paused_at is None else [*gone, Pause(paused_at)]


def terms_of(row: ListingRow) -> ListingTerms:
    """The published terms, as the rules know them, with their moments where pauses moved them."""
    published = ListingTerms(
        published_at=row.published_at,
        starts_at=row.starts_at,
        ends_at=row.ends_at,
        starting_price=row.starting_price,
        step=row.step,
        security=row.security,
        asking=timedelta(seconds=row.asking_s),
        countdown=timedelta(seconds=row.countdown_s),
        register_until=row.register_until,
    )
    return terms_after(published, pauses_of(row))


async def undone(tx: Transaction, row: ListingRow) -> Undone | None:
    """How the deal came to nothing: declared void, or not signed by its winner in time."""
    void = await tx.session.scalar(
        select(col(ListingOrderRow.number)).where(
            col(ListingOrderRow.listing_id) == row.id, col(ListingOrderRow.kind) == OrderKind.VOID
        )
    )
    if void is not None:
        return Undone.VOID
    kept = await tx.session.get(ListingKeepingRow, row.id)
    return None if kept is None else Undone.FELL_THROUGH


async def held_still(tx: Transaction, listing_id: UUID) -> ListingRow:
    """The listing, which nobody moves while this transaction lasts."""
    await lock_shared(tx.session, f"listing:{listing_id}")
    return await _row_of(tx, listing_id)


async def state_of(tx: Transaction, row: ListingRow) -> Listing:
    """The listing as its rows say it stands.

    Whoever led when the bidding began bids on without having said so.
    """
    quotes = (
        await tx.session.scalars(
            select(ListingQuoteRow)
            .where(col(ListingQuoteRow.listing_id) == row.id)
            .order_by(col(ListingQuoteRow.number))
        )
    ).all()
    going = await tx.session.scalars(
        select(col(ListingGoingOnRow.bidder_id)).where(col(ListingGoingOnRow.listing_id) == row.id)
    )
    goes_on = {PartyId(one) for one in going}
    listed = [one for one in quotes if one.phase == Phase.LISTED]
    if row.phase == Phase.BIDDING and listed:
        goes_on.add(PartyId(listed[-1].bidder_id))
    return Listing(
        Phase(row.phase),
        tuple(
            Quote(one.number, PartyId(one.bidder_id), one.price, one.received_at) for one in quotes
        ),
        frozenset(goes_on),
        row.phase_ends_at,
    )


def _stand(tx: Transaction, row: ListingRow, listing: Listing) -> None:
    """Write down where the listing stands, and when time alone next moves it.

    A phase ends for nobody before what was on its way at its end is in.
    """
    row.phase = listing.phase
    row.phase_ends_at = listing.phase_ends_at
    row.due_at = None
    if listing.phase not in ENDS and listing.phase_ends_at is not None and row.paused_at is None:
        row.due_at = listing.phase_ends_at + timedelta(seconds=tx.settings.closer_settle_s)


async def locked(tx: Transaction, listing_id: UUID) -> ListingRow:
    """The listing, for this transaction alone until it ends."""
    await lock_exclusive(tx.session, f"listing:{listing_id}")
    return await _row_of(tx, listing_id)


async def _row_of(tx: Transaction, listing_id: UUID) -> ListingRow:
    row = await tx.session.get(ListingRow, listing_id, populate_existing=True)
    if row is None:
        raise NotFound("no such listing")
    return row


async def numbers_of(tx: Transaction, listing_id: UUID) -> dict[PartyId, int]:
    """The numbers that bidders drew."""
    rows = await tx.session.execute(
        select(col(ListingBidderRow.bidder_id), col(ListingBidderRow.number)).where(
            col(ListingBidderRow.listing_id) == listing_id
        )
    )
    return {PartyId(bidder): number for bidder, number in rows}


async def _sides(tx: Transaction, listing_id: UUID) -> set[str]:
    found = await tx.session.scalars(
        select(col(ListingDealRow.side)).where(col(ListingDealRow.listing_id) == listing_id)
    )
    return set(found)


async def _barred(tx: Transaction, act: BarredAct, party: PartyId) -> list[Refusal]:
    return standing_refusals(await standing_of(tx, act=act, on=tx.now, party_id=party))


def _taken(row: ListingRow, one: ListingQuoteRow, bidder_number: int) -> Taken:
    assert row.phase_ends_at is not None
    return Taken(
        one.number,
        bidder_number,
        one.price,
        one.received_at,
        Phase(row.phase),
        row.phase_ends_at,
    )


def _drawn(taken: set[int]) -> int:
    while True:
        number = NUMBERS[int.from_bytes(random_bytes(8), "big") % len(NUMBERS)]
        if number not in taken:
            return number


async def _code_taken(tx: Transaction, code: str) -> list[Refusal]:
    taken = await tx.session.scalar(select(col(ListingRow.id)).where(col(ListingRow.code) == code))
    if taken is None:
        return []
    return [Refusal("code_taken", CIVIL_CODE[509], "该挂牌编号已经使用", {"code": code})]


async def _not_to_be_relisted(tx: Transaction, row: ListingRow) -> list[Refusal]:
    """Why the listing that this one takes up again cannot be taken up; nothing where it is new."""
    if row.relists is None:
        return []
    earlier = await locked(tx, row.relists)
    again = await tx.session.scalar(
        select(col(ListingRow.id)).where(col(ListingRow.relists) == row.relists)
    )
    free = earlier.phase in ENDS and (
        earlier.phase != Phase.SOLD or await undone(tx, earlier) is not None
    )
    return relisting_refusals(
        own=earlier.seller_id == row.seller_id, without_deal=free, again_already=again is not None
    )


def _seller_in(tx: Transaction, told: Mapping[str, Any]) -> UUID:
    """Whose the listing is: the acting seller's, or the one's whom its agency names."""
    named = None if told.get("seller") is None else id_of(told["seller"])
    if tx.actor.role is Role.AGENCY:
        if named is None:
            raise Malformed("an agency names whose listing it is", code="seller")
        return named
    if named not in (None, tx.actor.party):
        raise Malformed("a seller lists what is its own", code="seller")
    return tx.actor.party


async def _reserve_in(
    tx: Transaction, row: ListingRow, raw: bytes | None
) -> ListingReserveRow | None:
    if (raw is None) is not (row.reserve_commitment is None):
        raise Malformed("a reserve and its commitment come together", code="reserve")
    if raw is None:
        return None
    told = (await verified_statement(tx, raw, "listing-reserve")).payload
    reserve, nonce = _amount_in(told["reserve"]), unb64u(told["nonce"], 32)
    if told["code"] != row.code or commitment_to(row.code, reserve, nonce) != (
        row.reserve_commitment
    ):
        raise Malformed("this is not the reserve that was committed to", code="reserve")
    return ListingReserveRow(listing_id=row.id, reserve=reserve, nonce=nonce, statement=raw)


def _commitment_in(value: object) -> bytes | None:
    return None if value is None else unb64u(value, 32)


def _asset_in(value: object) -> Asset:
    if value not in list(Asset):
        raise Malformed("land or property is listed")
    return Asset(text_of(value))


def _region_in(value: object) -> str:
    code = text_of(value)
    if not is_region_code(code):
        raise Malformed("no such region")
    return code


def _amount_in(value: object) -> Decimal:
    try:
        return parse_yuan(text_of(value))
    except ValueError as error:
        raise Malformed(str(error), code="amount") from None


def _seconds_in(value: object) -> int:
    seconds = count_of(value)
    if seconds > 86_400:
        raise Malformed("a countdown lasts a day at most")
    return seconds
