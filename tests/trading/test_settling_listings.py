"""What becomes of securities when a listing has ended: Civil Code 586, 587; Land Grant Provisions
21, from memory.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from decimal import Decimal

import pytest

from kernel.access import Role
from kernel.errors import NotFound, NotPermitted, Refused
from kernel.store import outbox
from kernel.store.transaction import Store, transaction
from tests.deposits import given_back
from tests.listings import ENDS_AT, MINUTE, MS, STARTS_AT, ListedLand, listed_land, registered
from tests.post_office import told
from tests.sealed_bids import at
from tests.tenders import Player, a_player
from trading import alarming, deposit_views, listing_securities, listing_views
from trading.listing_securities import ListingSecurityTold
from trading.rules.listing_security import ListingReturnCause

Tick = Callable[[], Awaitable[None]]


async def securities(land: ListedLand, who: Player) -> dict[int, ListingSecurityTold]:
    async with transaction(land.store, actor=who.actor, now=ENDS_AT) as tx:
        found = await listing_securities.listing_securities(tx, land.id)
    return {one.bidder_number: one for one in found}


async def test_losers_have_it_back_in_time_and_the_winner_who_will_not_sign_loses_a_fifth(
    store: Store, tick: Tick, sound: Tick
) -> None:
    supervisor = await a_player(store, Role.SUPERVISOR)
    # More than a fifth of the price, so that a part of it is no deposit.
    land = await listed_land(store, bidders=3, security="2000000.00", starting_price="8000000.00")
    one, two, silent = land.bidders
    reference = (await own(land, two)).reference
    with pytest.raises(NotFound):
        await given_back(store, land.staff, reference, now=STARTS_AT, rate="0")
    await land.quote(two, "8000000.00", STARTS_AT)
    await land.quote(one, "8100000.00", ENDS_AT - MS)
    await land.wake(ENDS_AT)
    await land.wake(ENDS_AT + 4 * MINUTE)
    ended = ENDS_AT + 4 * MINUTE

    async with transaction(store, actor=land.staff.actor, now=ended) as tx:
        desk = await deposit_views.account_desk(tx)
    going = {line.reference: line for line in desk.outgoing}
    assert set(going) == {reference, (await own(land, silent)).reference}
    assert going[reference].bidder == two.organisation
    assert going[reference].lot_name.startswith(land.code)
    # Who paid and named no price stays a number, but to those who supervise.
    hidden = going[(await own(land, silent)).reference]
    assert hidden.bidder.startswith("竞买号")
    for who, name in ((land.seller, ""), (supervisor, silent.organisation)):
        number = (await land.seen(ended, silent)).own
        assert number is not None
        assert (await securities(land, who))[number.number].bidder == name
    stranger = await a_player(store, Role.TENDEREE)
    with pytest.raises(NotPermitted):
        await securities(land, stranger)
    back = await given_back(store, land.staff, reference, now=ended + MINUTE, rate="0")
    assert (back.principal, back.interest) == (Decimal("2000000.00"), Decimal("0.00"))
    with pytest.raises(Refused) as twice:
        await given_back(store, land.staff, reference, now=ended + MINUTE, rate="0")
    assert [no.code for no in twice.value.refusals] == ["nothing_held"]

    # The alarm rings once for the one that is still there.
    due_at = hidden.due_at
    assert await alarming.ring(at(store, due_at - MS)) == 0
    assert await alarming.ring(at(store, due_at)) == 1
    assert await alarming.ring(at(store, due_at + MINUTE)) == 0

    # The seller signs, the winner does not.
    await land.sign_deal(land.seller, ended + MINUTE)
    signing_ends = (await own(land, one)).facts.signing_due_at
    assert signing_ends is not None
    with pytest.raises(Refused) as early:
        await land.keep(land.seller, signing_ends - MS)
    assert [no.code for no in early.value.refusals] == ["signing_open"]
    kept = await land.keep(land.seller, signing_ends)
    assert (kept.amount, kept.article) == (Decimal("1620000.00"), "《中华人民共和国民法典》第587条")
    assert await land.keep(land.seller, signing_ends + MINUTE) == kept
    with pytest.raises(Refused) as too_late:
        await land.sign_deal(one, signing_ends + MINUTE)
    assert [no.code for no in too_late.value.refusals] == ["fell_through"]
    seen = await land.seen(signing_ends, land.seller)
    assert (seen.undone, seen.may_be_relisted) == ("fell_through", True)
    async with transaction(store, actor=land.staff.actor, now=signing_ends) as tx:
        rest = {line.cause: line.held for line in (await deposit_views.account_desk(tx)).outgoing}
    assert rest[ListingReturnCause.REST] == Decimal("380000.00")
    await tick()
    await told(store)
    async with transaction(store, actor=one.actor) as tx:
        heard = {note.topic for note in (await outbox.inbox(tx)).notifications}
    assert {"listing_asking", "listing_result"} <= heard
    assert {"listing_security", "listing_security_kept"} <= heard
    async with transaction(store, actor=supervisor.actor) as tx:
        heard = {note.topic for note in (await outbox.inbox(tx)).notifications}
    assert "listing_overdue" in heard
    await sound()


async def own(land: ListedLand, who: Player) -> listing_views.OwnSecurity:
    seen = (await land.seen(ENDS_AT + timedelta(hours=1), who)).own
    assert seen is not None
    assert seen.security is not None
    return seen.security


async def test_where_no_security_is_asked_for_whoever_registers_names_prices(store: Store) -> None:
    land = await listed_land(store, bidders=0, asset="property", security="0")
    who = await a_player(store, Role.BIDDER)
    await registered(store, land.id, who)
    await land.quote(who, "10000000.00", STARTS_AT)
    await land.wake(ENDS_AT)
    assert (await own(land, who)).state == "not_asked"
