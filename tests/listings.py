"""Listings for tests: announced, with bidders who registered and were admitted.

Everything is valid by default and changed by keyword. Announced on 2 March, listed from the 22nd to
1 April 15:00 in Beijing, from ten million yuan in steps of a hundred thousand.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count
from typing import Any
from uuid import UUID

from kernel.access import Role
from kernel.crypto.digests import b64u, instant_text
from kernel.identifiers import ListingId
from kernel.store.clocks import hand_clock
from kernel.store.transaction import Store, transaction
from tests.deposits import line, statement_taken
from tests.tenders import NOW, Player, a_player, signed
from trading import (
    due_listings,
    entrusting,
    interrupting,
    listing,
    listing_views,
    settling_listings,
)
from trading.listing import Registration, Taken, commitment_to
from trading.listing_views import Seen
from trading.rules.listing_interruption import OrderKind

REGISTER_UNTIL = datetime(2026, 3, 30, 8, 0, tzinfo=UTC)
STARTS_AT = datetime(2026, 3, 22, 1, 0, tzinfo=UTC)
ENDS_AT = datetime(2026, 4, 1, 7, 0, tzinfo=UTC)
MS = timedelta(milliseconds=1)
SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
PHASE = timedelta(minutes=4)
"""How long the asking lasts, and each round of the timed bidding."""

NONCE = bytes(range(32))

_serials = count(1)


@dataclass(frozen=True, slots=True)
class ListedLand:
    """A listing, its seller, the centre's hand, and bidders who may name prices."""

    store: Store
    id: ListingId
    code: str
    seller: Player
    staff: Player
    bidders: tuple[Player, ...]

    async def quote(self, who: Player, price: str, now: datetime, **changes: Any) -> Taken:
        """A price named at this instant."""
        payload = {"listing": str(self.id), "price": price, **changes}
        async with transaction(self.store, actor=who.actor, now=now) as tx:
            return await listing.quote(tx, self.id, said(who, "listing-quote", now, payload))

    async def go_on(self, who: Player, now: datetime) -> None:
        raw = said(who, "listing-going-on", now, {"listing": str(self.id)})
        async with transaction(self.store, actor=who.actor, now=now) as tx:
            await listing.go_on(tx, self.id, raw)

    async def sign_deal(self, who: Player, now: datetime, **changes: Any) -> bool:
        deal = (await self.seen(now)).deal
        assert deal is not None
        raw = said(who, "listing-deal", now, {**deal, **changes})
        async with transaction(self.store, actor=who.actor, now=now) as tx:
            return await listing.sign_deal(tx, self.id, raw)

    async def order(self, who: Player, kind: OrderKind, now: datetime, **changes: Any) -> None:
        """A listing suspended, resumed or ended, by default for force majeure."""
        payload = {"listing": str(self.id), "reason": "平台所在地停电。", **changes}
        if kind is not OrderKind.RESUME:
            payload = {"ground": "force_majeure", **payload}
        name = {
            OrderKind.SUSPEND: "suspension",
            OrderKind.RESUME: "resumption",
            OrderKind.TERMINATE: "termination",
        }[kind]
        raw = said(who, f"listing-{name}", now, payload)
        async with transaction(self.store, actor=who.actor, now=now) as tx:
            await interrupting.interrupt(tx, self.id, kind, raw)

    async def keep(self, who: Player, now: datetime) -> settling_listings.SecurityKept:
        """The seller keeps the deposit of a winner who did not sign."""
        payload = {"listing": str(self.id), "reason": "经催告仍未签署成交确认书。"}
        raw = said(who, "listing-forfeiture", now, payload)
        async with transaction(self.store, actor=who.actor, now=now) as tx:
            return await settling_listings.keep_security(tx, self.id, raw)

    async def wake(self, now: datetime) -> int:
        """Do what is due at this instant."""
        return await due_listings.wake(replace(self.store, clock=hand_clock(now)))

    async def seen(self, now: datetime, who: Player | None = None) -> Seen:
        async with transaction(self.store, actor=(who or self.staff).actor, now=now) as tx:
            return await listing_views.listing(tx, self.id)


def said(who: Player, kind: str, now: datetime, payload: dict[str, Any]) -> bytes:
    """A statement of this kind, dated and signed."""
    dated = {"v": f"ebid-{kind}/1", "signed_at": instant_text(now), **payload}
    return signed(who, kind, dated)


def listing_terms(*, reserve: str | None = None, **changes: Any) -> dict[str, Any]:
    """What a seller signs; with a reserve, its commitment is in it."""
    code = f"JC-G-2026-{next(_serials):03d}"
    commitment = None if reserve is None else commitment_to(code, Decimal(reserve), NONCE)
    terms = {
        "code": code,
        "title": "滨江新区B-07地块国有建设用地使用权",
        "asset": "land",
        "region": "420100",
        "words": "位于滨江新区云帆路以东，面积23456.7平方米，商业用地，出让年限40年。",
        "register_until": instant_text(REGISTER_UNTIL),
        "starts_at": instant_text(STARTS_AT),
        "ends_at": instant_text(ENDS_AT),
        "starting_price": "10000000.00",
        "step": "100000.00",
        "security": "2000000.00",
        "asking_s": 240,
        "countdown_s": 240,
        "reserve_commitment": None if commitment is None else b64u(commitment),
    }
    return {**terms, **changes}


def reserve_terms(terms: dict[str, Any], reserve: str) -> dict[str, Any]:
    """The reserve that these terms commit to, as its seller signs it."""
    return {"code": terms["code"], "reserve": reserve, "nonce": b64u(NONCE)}


async def announced(
    store: Store, seller: Player, terms: dict[str, Any], *, reserve: str | None = None
) -> listing.Announced:
    """The listing, announced on 2 March."""
    kept = None
    if reserve is not None:
        kept = said(seller, "listing-reserve", NOW, reserve_terms(terms, reserve))
    async with transaction(store, actor=seller.actor, now=NOW) as tx:
        return await listing.announce(tx, said(seller, "listing", NOW, terms), kept)


async def registered(
    store: Store, listing_id: ListingId, who: Player, now: datetime = NOW + MINUTE
) -> Registration:
    raw = said(who, "listing-registration", now, {"listing": str(listing_id)})
    async with transaction(store, actor=who.actor, now=now) as tx:
        return await listing.register(tx, listing_id, raw)


async def paid(
    store: Store,
    staff: Player,
    *references: str,
    amount: str = "2000000.00",
    at: datetime = NOW + MINUTE,
    now: datetime = NOW + 2 * MINUTE,
) -> None:
    """The bank told of one payment under each of these numbers."""
    lines = [line(f"G{next(_serials):06d}", one, Decimal(amount), at) for one in references]
    await statement_taken(store, staff, *lines, now=now)


async def entrusted(
    store: Store, seller: Player, agency: Player, code: str, *, now: datetime = NOW, **changes: Any
) -> UUID:
    """A letter by which the seller lets the agency act for the listing of this code."""
    payload = {"agency": str(agency.party), "code": code, **changes}
    async with transaction(store, actor=seller.actor, now=now) as tx:
        return await entrusting.entrust(tx, said(seller, "listing-authorisation", now, payload))


async def listed_land(
    store: Store, *, bidders: int = 3, reserve: str | None = None, **changes: Any
) -> ListedLand:
    """Land that is announced, with this many admitted bidders."""
    seller = await a_player(store, Role.TENDEREE, organisation="江城市自然资源和规划局")
    staff = await a_player(store, Role.CENTRE_STAFF, organisation="江城市公共资源交易中心")
    terms = listing_terms(reserve=reserve, **changes)
    made = await announced(store, seller, terms, reserve=reserve)
    found = []
    for number in range(bidders):
        who = await a_player(store, Role.BIDDER, organisation=f"江城置业{number + 1}有限公司")
        found.append(who)
    if found:
        given = [(await registered(store, made.id, who)).reference for who in found]
        await paid(store, staff, *given)
    return ListedLand(store, made.id, terms["code"], seller, staff, tuple(found))
