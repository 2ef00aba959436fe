"""A listing stands still, goes on, ends early, and is listed again: Civil Code 509, 580."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest

from kernel.access import Role
from kernel.errors import NotPermitted, Refused
from kernel.store import outbox
from kernel.store.journal import read_view
from kernel.store.transaction import Store, transaction
from kernel.store.views import PUBLIC_FEED, SUPERVISORS_FEED
from tests.listings import (
    ENDS_AT,
    MINUTE,
    MS,
    NONCE,
    REGISTER_UNTIL,
    SECOND,
    STARTS_AT,
    announced,
    listed_land,
    listing_terms,
    paid,
    registered,
)
from tests.post_office import told
from tests.tenders import Player, a_player
from trading.rules.listing_interruption import OrderKind
from trading.rules.listing_protocol import Phase

Tick = Callable[[], Awaitable[None]]
STOPPED = REGISTER_UNTIL - MINUTE
WEEK = timedelta(days=7)


async def refused(act: Awaitable[object]) -> list[str]:
    with pytest.raises(Refused) as found:
        await act
    return [one.code for one in found.value.refusals]


async def topics_of(store: Store, who: Player) -> list[str]:
    async with transaction(store, actor=who.actor) as tx:
        return sorted(one.topic for one in (await outbox.inbox(tx)).notifications)


async def test_a_suspended_listing_takes_nothing_and_goes_on_with_the_time_that_was_left(
    store: Store, tick: Tick, sound: Tick
) -> None:
    supervisor = await a_player(store, Role.SUPERVISOR)
    land = await listed_land(store, bidders=2)
    one, two = land.bidders
    late = await a_player(store, Role.BIDDER)
    own = await registered(store, land.id, late, STOPPED - MINUTE)
    await land.quote(one, "10000000.00", STARTS_AT)
    decision = {
        "ground": "court",
        "authority": "江城市中级人民法院",
        "document": "（2026）江01执保9号",
    }
    await land.order(supervisor, OrderKind.SUSPEND, STOPPED, **decision)

    assert await land.wake(ENDS_AT + MINUTE) == 0
    assert await refused(land.quote(two, "10100000.00", STOPPED)) == ["listing_suspended"]
    await land.quote(two, "10100000.00", STOPPED - MS)
    stranger = await a_player(store, Role.BIDDER)
    assert await refused(registered(store, land.id, stranger, STOPPED)) == ["listing_suspended"]
    seen = await land.seen(ENDS_AT)
    assert (seen.running, seen.orders[0].basis) == (False, "江城市中级人民法院 （2026）江01执保9号")
    # It was registration's last minute: money that comes now is in time if the listing goes on.
    await paid(store, land.staff, own.reference, at=STOPPED + WEEK, now=STOPPED + WEEK)
    resumed = STOPPED + 2 * WEEK
    assert await refused(land.order(land.seller, OrderKind.RESUME, resumed)) == [
        "stopped_by_supervisor"
    ]
    await land.order(supervisor, OrderKind.RESUME, resumed)

    seen = await land.seen(resumed)
    assert (seen.terms.registers_until, seen.terms.ends_at) == (
        REGISTER_UNTIL + 2 * WEEK,
        ENDS_AT + 2 * WEEK,
    )
    await land.quote(late, "10200000.00", ENDS_AT + 2 * WEEK - MS)
    assert await land.wake(ENDS_AT + 2 * WEEK - MS) == 0
    assert await land.wake(ENDS_AT + 2 * WEEK) == 1
    await tick()
    await told(store)
    for who in (land.seller, one, two, late, supervisor):
        assert (await topics_of(store, who)).count("listing_order") == 2
    assert "listing_order" not in await topics_of(store, stranger)
    await sound()


async def test_a_listing_ended_early_names_nobody_keeps_its_reserve_and_may_come_again(
    store: Store, tick: Tick, sound: Tick
) -> None:
    land = await listed_land(store, bidders=2, reserve="10500000.00")
    one, two = land.bidders
    other = await a_player(store, Role.TENDEREE)
    await land.quote(one, "10000000.00", STARTS_AT)
    ended = STARTS_AT + MINUTE
    with pytest.raises(NotPermitted):
        await land.order(other, OrderKind.TERMINATE, ended)
    await land.order(land.seller, OrderKind.TERMINATE, ended, ground="claim", reason="权属有争议。")
    assert await refused(land.order(land.seller, OrderKind.SUSPEND, ended)) == ["listing_over"]

    assert await land.wake(ENDS_AT) == 0
    assert await refused(land.quote(two, "10100000.00", ended + SECOND)) == ["not_listed"]
    seen = await land.seen(ended, land.seller)
    assert (seen.phase, seen.winner, seen.reserve) == (Phase.TERMINATED, None, None)
    assert seen.orders[0].basis == "《中华人民共和国民法典》第580条"
    assert [quote.name for quote in seen.quotes] == [""]
    mine = (await land.seen(ended, two)).own
    assert mine is not None
    assert mine.security is not None
    assert mine.security.state == "to_return"
    await tick()
    await told(store)
    assert (await topics_of(store, two)).count("listing_order") == 1
    async with store.sessions() as session:
        public = await read_view(session, PUBLIC_FEED, after=0)
        supervised = {entry.kind for entry in await read_view(session, SUPERVISORS_FEED, after=0)}
    for who in land.bidders:
        assert not [entry.kind for entry in public if str(who.party) in entry.record.decode()]
    assert not [entry.kind for entry in public if NONCE.hex() in entry.record.decode()]
    assert "ListingBidderRegistered" in supervised

    again = listing_terms(relists=str(land.id))
    assert await refused(announced(store, other, again)) == ["not_the_seller"]
    made = await announced(store, land.seller, again)
    seen = await land.seen(ended)
    assert seen.relisted_by is not None
    assert (seen.relisted_by.id, seen.may_be_relisted) == (made.id, False)
    twice = listing_terms(relists=str(land.id))
    assert await refused(announced(store, land.seller, twice)) == ["relisted_already"]
    too_early = listing_terms(relists=str(made.id))
    assert await refused(announced(store, land.seller, too_early)) == ["not_free"]
    await sound()
