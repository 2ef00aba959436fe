"""An agency lists, stops and deals for a seller as far as its letter goes: Civil Code 165."""

from __future__ import annotations

from collections.abc import Awaitable
from uuid import UUID

import pytest

from kernel.access import Role
from kernel.errors import NotFound, NotPermitted, Refused
from kernel.store.transaction import Store, transaction
from tests.listings import (
    ENDS_AT,
    MINUTE,
    STARTS_AT,
    ListedLand,
    announced,
    entrusted,
    listing_terms,
    paid,
    registered,
    said,
)
from tests.tenders import NOW, Player, a_player
from trading import entrusting
from trading.rules.listing_interruption import OrderKind


async def refused(act: Awaitable[object]) -> list[str]:
    with pytest.raises(Refused) as found:
        await act
    return [one.code for one in found.value.refusals]


async def ended(store: Store, seller: Player, letter: UUID) -> None:
    payload = {"letter": str(letter), "reason": "改由本单位办理。"}
    raw = said(seller, "listing-authorisation-end", NOW, payload)
    async with transaction(store, actor=seller.actor, now=NOW) as tx:
        await entrusting.end_entrustment(tx, letter, raw)


async def test_an_agency_acts_for_a_seller_within_its_letter_and_no_longer(store: Store) -> None:
    seller = await a_player(store, Role.TENDEREE, organisation="江城市国有资产经营公司")
    agency = await a_player(store, Role.AGENCY)
    staff = await a_player(store, Role.CENTRE_STAFF)
    buyer = await a_player(store, Role.BIDDER)
    terms = listing_terms(asset="property", seller=str(seller.party))
    assert await refused(announced(store, agency, terms)) == ["agency_not_authorised"]
    letter = await entrusted(
        store, seller, agency, terms["code"], acts=["announce", "deal"], until="2026-04-01"
    )
    assert await refused(announced(store, agency, listing_terms(seller=str(seller.party)))) == [
        "agency_not_authorised"
    ]
    made = await announced(store, agency, terms)
    land = ListedLand(store, made.id, terms["code"], agency, staff, (buyer,))
    seen = await land.seen(NOW, agency)
    assert (seen.seller, seen.agency) == ("江城市国有资产经营公司", agency.organisation)
    assert (seen.acts, seen.sells) == (True, False)

    # It does not bid, and what its letter does not say, it does not do.
    itself = await a_player(store, Role.BIDDER, party=agency.party)
    assert await refused(registered(store, land.id, itself)) == ["agency_bids"]
    assert await refused(land.order(agency, OrderKind.SUSPEND, STARTS_AT)) == [
        "authorisation_other_act"
    ]
    with pytest.raises(NotPermitted):
        await land.keep(agency, ENDS_AT)
    number = await registered(store, land.id, buyer)
    await paid(store, staff, number.reference)
    await land.quote(buyer, "10000000.00", STARTS_AT)
    await land.wake(ENDS_AT)

    # Its last day is over at midnight; a new letter carries on, until that is ended.
    assert await refused(land.sign_deal(agency, ENDS_AT + 600 * MINUTE)) == [
        "authorisation_expired"
    ]
    second = await entrusted(store, seller, agency, terms["code"], now=ENDS_AT, acts=["deal"])
    assert second != letter
    assert not await land.sign_deal(agency, ENDS_AT + 600 * MINUTE)
    assert await land.sign_deal(buyer, ENDS_AT + 600 * MINUTE)
    stranger = await a_player(store, Role.TENDEREE)
    with pytest.raises(NotFound):
        await ended(store, stranger, second)
    await ended(store, seller, second)
    await ended(store, seller, second)
    assert await refused(land.order(agency, OrderKind.SUSPEND, ENDS_AT)) == ["authorisation_ended"]
    async with transaction(store, actor=agency.actor) as tx:
        found = await entrusting.letters(tx)
    assert [(one.counts, one.mandate.ended) for one in found] == [(True, True), (False, False)]
    assert [one.id for one in found] == [second, letter]


async def test_a_letter_goes_to_an_agency_and_a_reserve_stays_with_its_seller(
    store: Store,
) -> None:
    seller, agency = await a_player(store, Role.TENDEREE), await a_player(store, Role.AGENCY)
    assert await refused(entrusted(store, seller, seller, "JC-1", acts=[])) == [
        "letter_without_acts",
        "no_agency",
    ]
    terms = listing_terms(reserve="10500000.00", seller=str(seller.party))
    await entrusted(store, seller, agency, terms["code"])
    assert await refused(announced(store, agency, terms, reserve="10500000.00")) == [
        "reserve_by_agency"
    ]
