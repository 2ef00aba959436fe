"""Acts of a listing: Civil Code 509; and, from memory, Land Grant Provisions 10, 18, 19, 20, 22."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import text, update
from sqlalchemy.exc import DBAPIError
from sqlmodel import col

from kernel.access import PUBLIC, Role
from kernel.crypto.digests import Malformed
from kernel.errors import NotFound, NotPermitted, Refused
from kernel.store.clocks import hand_clock
from kernel.store.database import READ, connect
from kernel.store.journal import Entry, read_view
from kernel.store.transaction import Store, transaction
from kernel.store.views import PUBLIC_FEED, SUPERVISORS_FEED, own_acts
from tests.conftest import Database
from tests.decisions import barred
from tests.listings import (
    ENDS_AT,
    MINUTE,
    MS,
    PHASE,
    REGISTER_UNTIL,
    SECOND,
    STARTS_AT,
    ListedLand,
    announced,
    listed_land,
    listing_terms,
    paid,
    registered,
    said,
)
from tests.tenders import Player, a_player
from trading import deposit_views, due_lots, listing, listing_securities, listing_views
from trading.rules.listing_protocol import Phase
from trading.tables import ListingRow

Tick = Callable[[], Awaitable[None]]


def codes(refused: pytest.ExceptionInfo[Refused]) -> list[str]:
    return [one.code for one in refused.value.refusals]


async def refused(act: Awaitable[Any]) -> list[str]:
    with pytest.raises(Refused) as found:
        await act
    return codes(found)


async def entries(store: Store, view: str) -> list[Entry]:
    async with store.sessions() as session:
        return await read_view(session, view, after=0)


async def to_bidding(land: ListedLand) -> datetime:
    """Two name prices, the second goes on against the first; when the bidding begins."""
    one, two, *_ = land.bidders
    await land.quote(one, "10000000.00", STARTS_AT)
    await land.quote(two, "10100000.00", ENDS_AT - MS)
    await land.wake(ENDS_AT)
    await land.go_on(one, ENDS_AT + MINUTE)
    await land.wake(ENDS_AT + PHASE)
    return ENDS_AT + PHASE


# ── the whole way ─────────────────────────────────────────────────────────────────────────────


async def test_the_last_price_of_the_timed_bidding_wins_above_the_reserve_and_is_dealt(
    store: Store, tick: Tick, sound: Tick
) -> None:
    land = await listed_land(store, reserve="10150000.00")
    one, two, three = land.bidders
    began = await to_bidding(land)
    taken = await land.quote(one, "10200000.00", began + PHASE - MS)
    assert taken.phase_ends_at == began + PHASE - MS + PHASE
    assert await refused(land.quote(three, "10300000.00", began + PHASE)) == ["gave_up"]
    assert await land.wake(taken.phase_ends_at - MS) == 0
    assert await land.wake(taken.phase_ends_at) == 1

    ended = taken.phase_ends_at
    seen = await land.seen(ended)
    assert (seen.phase, seen.winner, seen.price) == (Phase.SOLD, one.organisation, taken.price)
    assert (seen.reserve, seen.reserve_commitment) != (None, None)
    assert {quote.name for quote in seen.quotes} == {one.organisation, two.organisation}
    assert not await land.sign_deal(land.seller, ended)
    assert await land.sign_deal(one, ended)
    assert await land.sign_deal(one, ended), "saying it twice is saying it"
    async with transaction(store, actor=PUBLIC, now=ended) as tx:
        made = await listing_views.confirmation(tx, land.id)
    assert set(made.statements) == {"seller", "buyer"}
    assert set(made.signers) == {land.seller.key.keyid, one.key.keyid}
    await tick()
    kinds = [entry.kind for entry in await entries(store, PUBLIC_FEED)]
    assert kinds.count("ListingQuoted") == 3
    assert kinds[-3:] == ["ListingEnded", "ListingDealSigned", "ListingDealSigned"]
    await sound()


async def test_a_price_below_the_reserve_makes_no_deal_and_names_nobody(
    store: Store, tick: Tick
) -> None:
    land = await listed_land(store, reserve="10000001.00", bidders=1)
    await land.quote(land.bidders[0], "10000000.00", STARTS_AT)
    await land.wake(ENDS_AT)

    seen = await land.seen(ENDS_AT)
    assert (seen.phase, seen.winner, seen.deal) == (Phase.UNSOLD, None, None)
    assert seen.reserve == Decimal("10000001.00")
    assert [quote.name for quote in seen.quotes] == [""]
    await tick()
    (ended,) = [one for one in await entries(store, PUBLIC_FEED) if one.kind == "ListingEnded"]
    assert ended.facts["bidders"] == []
    raw = said(land.seller, "listing-deal", ENDS_AT, _any_deal(land))
    async with transaction(store, actor=land.seller.actor, now=ENDS_AT) as tx:
        assert await refused(listing.sign_deal(tx, land.id, raw)) == ["no_deal"]


def _any_deal(land: ListedLand) -> dict[str, Any]:
    return {
        "listing": str(land.id),
        "code": land.code,
        "seller": str(land.seller.party),
        "winner": str(land.bidders[0].party),
        "number": 1000,
        "price": "10000000.00",
    }


async def test_where_nobody_goes_on_the_highest_wins_when_the_asking_ends(store: Store) -> None:
    land = await listed_land(store, bidders=2)
    one, two = land.bidders
    await land.quote(one, "10000000.00", STARTS_AT)
    await land.quote(two, "10100000.00", ENDS_AT - MS)
    assert await land.wake(ENDS_AT) == 1
    assert await refused(land.quote(one, "10200000.00", ENDS_AT + MINUTE)) == ["not_listed"]
    assert await land.wake(ENDS_AT + PHASE) == 1
    assert (await land.seen(ENDS_AT + PHASE)).winner == two.organisation


# ── racing prices ─────────────────────────────────────────────────────────────────────────────


async def test_of_many_who_name_one_price_at_once_exactly_one_is_taken(
    store: Store, tick: Tick
) -> None:
    land = await listed_land(store, bidders=8)
    racers = [who for who in land.bidders for _ in range(3)]
    now = STARTS_AT + MINUTE

    async def race(number: int, who: Player) -> str:
        try:
            # Each of a bidder's own statements differs, or it would be the same price again.
            signed_at = (now + number * MS).isoformat().replace("+00:00", "Z")
            await land.quote(who, "10000000.00", now, signed_at=signed_at)
        except Refused as no:
            return ",".join(one.code for one in no.refusals)
        return "taken"

    told = await asyncio.gather(*(race(number, who) for number, who in enumerate(racers)))

    assert sorted(told) == ["taken", *["too_low"] * (len(racers) - 1)]
    seen = await land.seen(now)
    assert [quote.price for quote in seen.quotes] == [Decimal("10000000.00")]
    await tick()
    async with store.sessions() as session:
        kept = await session.scalar(
            text("SELECT count(*) FROM kernel.journal WHERE kind = 'ListingQuoteRefused'")
        )
    assert kept == len(racers) - 1


async def test_prices_that_race_the_end_are_in_or_out_by_when_they_arrived(store: Store) -> None:
    land = await listed_land(store, bidders=6)
    patient = replace(store, settings=store.settings.model_copy(update={"closer_settle_s": 2.0}))
    land = replace(land, store=patient)
    # The first price opens the listing, so that its end waits for what is on its way.
    await land.quote(land.bidders[0], "10000000.00", STARTS_AT)

    async def race(number: int) -> tuple[int, str]:
        arrived = ENDS_AT + (number - 3) * MS
        try:
            await land.quote(land.bidders[number], f"1{number + 1}000000.00", arrived)
        except Refused as no:
            return number, ",".join(one.code for one in no.refusals)
        return number, "taken"

    told = dict(await asyncio.gather(*(race(number) for number in range(6))))

    late = {number: told[number] for number in (3, 4, 5)}
    assert all(answer.startswith("late") for answer in late.values()), late
    assert {told[number] for number in (0, 1, 2)} <= {"taken", "too_low"}
    assert "taken" in {told[number] for number in (0, 1, 2)}
    prices = [quote.price for quote in reversed((await land.seen(ENDS_AT)).quotes)]
    assert prices == sorted(set(prices))
    assert all(quote.received_at < ENDS_AT for quote in (await land.seen(ENDS_AT)).quotes)


async def test_a_phase_ends_only_when_what_was_on_its_way_is_in(store: Store) -> None:
    settling = replace(store, settings=store.settings.model_copy(update={"closer_settle_s": 2.0}))
    land = replace(await listed_land(store, bidders=2), store=settling)
    one, two = land.bidders
    await land.quote(one, "10000000.00", STARTS_AT)

    assert await land.wake(ENDS_AT + timedelta(seconds=1)) == 0
    # It arrived in time and was let in a second after the end.
    await land.quote(two, "10100000.00", ENDS_AT - MS)
    assert await refused(land.quote(one, "10200000.00", ENDS_AT)) == ["late"]
    assert await land.wake(ENDS_AT + timedelta(seconds=2)) == 1
    assert (await land.seen(ENDS_AT + timedelta(seconds=2))).phase is Phase.ASKING


async def test_no_price_is_taken_after_the_end_by_the_act_nor_by_the_database(
    store: Store,
) -> None:
    land = await listed_land(store, bidders=1)
    who = land.bidders[0]
    await land.quote(who, "10000000.00", STARTS_AT)
    await land.wake(ENDS_AT)
    assert await refused(land.quote(who, "10100000.00", ENDS_AT - MS)) == ["not_listed"]
    async with store.sessions() as session:
        with pytest.raises(DBAPIError, match="takes no price now"):
            await session.execute(
                text(
                    "INSERT INTO trading.listing_quote SELECT listing_id, 2, bidder_id, person_id,"
                    " price + 100000, received_at, phase, 'x', statement FROM trading.listing_quote"
                )
            )


async def test_the_database_takes_no_price_below_a_step_and_no_change_of_terms(
    store: Store,
) -> None:
    land = await listed_land(store, bidders=1)
    await land.quote(land.bidders[0], "10000000.00", STARTS_AT)
    async with store.sessions() as session:
        with pytest.raises(DBAPIError, match="above the last by a step"):
            await session.execute(
                text(
                    "INSERT INTO trading.listing_quote SELECT listing_id, 2, bidder_id, person_id,"
                    " price + 1, received_at, phase, 'x', statement FROM trading.listing_quote"
                )
            )
        await session.rollback()
        with pytest.raises(DBAPIError, match="terms of a listing stand"):
            await session.execute(
                update(ListingRow).where(col(ListingRow.id) == land.id).values(step=1)
            )


async def test_the_same_statement_again_is_the_same_price(store: Store) -> None:
    land = await listed_land(store, bidders=1)
    who, payload = land.bidders[0], {"listing": str(land.id), "price": "10000000.00"}
    raw = said(who, "listing-quote", STARTS_AT, payload)
    taken = []
    for now in (STARTS_AT, STARTS_AT + MINUTE):
        async with transaction(store, actor=who.actor, now=now) as tx:
            taken.append(await listing.quote(tx, land.id, raw))
    assert taken[0] == taken[1]
    assert len((await land.seen(STARTS_AT)).quotes) == 1


async def test_a_phase_that_was_opened_late_lasts_as_long_as_was_published(store: Store) -> None:
    land = await listed_land(store, bidders=2)
    one, two = land.bidders
    await land.quote(one, "10000000.00", STARTS_AT)
    await land.quote(two, "10100000.00", ENDS_AT - MS)
    late = ENDS_AT + timedelta(minutes=30)
    await land.wake(late)
    assert (await land.seen(late)).phase_ends_at == late + PHASE
    await land.go_on(one, late + PHASE - MS)


# ── who may bid ───────────────────────────────────────────────────────────────────────────────


async def test_only_who_registered_in_time_and_whose_security_arrived_names_prices(
    store: Store,
) -> None:
    land = await listed_land(store, bidders=0)
    who = await a_player(store, Role.BIDDER)
    assert await refused(land.quote(who, "10000000.00", STARTS_AT)) == ["not_admitted"]
    own = await registered(store, land.id, who, REGISTER_UNTIL - MS)
    assert await registered(store, land.id, who, REGISTER_UNTIL) == own
    late = await a_player(store, Role.BIDDER)
    assert await refused(registered(store, land.id, late, REGISTER_UNTIL)) == ["registration_over"]
    assert await refused(land.quote(who, "10000000.00", REGISTER_UNTIL)) == ["not_admitted"]
    later = REGISTER_UNTIL + MINUTE
    for amount, at, state in (
        ("1999999.99", REGISTER_UNTIL - SECOND, "short"),
        ("0.01", REGISTER_UNTIL, "late"),
    ):
        await paid(store, land.staff, own.reference, amount=amount, at=at, now=later)
        security = (await land.seen(later, who)).own.security  # type: ignore[union-attr]  # its own
        assert security is not None
        assert security.state == state
        assert await refused(land.quote(who, "10000000.00", later)) == ["not_admitted"]
    await paid(
        store, land.staff, own.reference, amount="0.01", at=REGISTER_UNTIL - SECOND, now=later
    )
    await land.quote(who, "10000000.00", REGISTER_UNTIL + 2 * MINUTE)


async def test_whoever_is_barred_neither_registers_nor_bids_nor_wins(store: Store) -> None:
    supervisor = await a_player(store, Role.SUPERVISOR)
    land = await listed_land(store, bidders=2)
    one, two = land.bidders
    stranger = await a_player(store, Role.BIDDER)
    await land.quote(one, "10000000.00", STARTS_AT)
    for who in (stranger, one):
        await barred(
            store,
            supervisor,
            {"organisation": str(who.party)},
            document_number=f"江发改罚〔2026〕{who.party}号",
        )
    assert await refused(registered(store, land.id, stranger)) == ["barred"]
    assert await refused(land.quote(one, "10100000.00", STARTS_AT + MINUTE)) == ["barred"]
    await land.wake(ENDS_AT)
    seen = await land.seen(ENDS_AT)
    assert (seen.phase, seen.winner) == (Phase.UNSOLD, None)
    assert "禁止" in seen.why
    assert two.organisation not in seen.why


async def test_the_seller_cannot_bid_for_what_it_lists(store: Store) -> None:
    land = await listed_land(store, bidders=0)
    same = await a_player(store, Role.BIDDER, party=land.seller.party)
    assert await refused(registered(store, land.id, same)) == ["conflicting_capacity"]


# ── what nobody may learn too early ───────────────────────────────────────────────────────────


async def test_until_the_deal_a_bidder_is_a_number_to_everybody_and_registering_is_secret(
    store: Store, tick: Tick
) -> None:
    supervisor = await a_player(store, Role.SUPERVISOR)
    land = await listed_land(store, reserve="10500000.00")
    one, two, three = land.bidders
    await land.quote(one, "10000000.00", STARTS_AT)
    await land.quote(two, "10100000.00", ENDS_AT - MS)
    await land.wake(ENDS_AT)
    await land.go_on(one, ENDS_AT + MINUTE)
    await tick()

    names = [who.organisation for who in land.bidders] + [str(who.party) for who in land.bidders]
    centre = own_acts(land.staff.party)
    for view in (PUBLIC_FEED, SUPERVISORS_FEED, own_acts(land.seller.party), centre):
        told = await entries(store, view)
        assert not [entry.kind for entry in told if any(n in entry.record.decode() for n in names)]
        hidden = {"ListingBidderRegistered", "ListingBidderAdmitted", "ListingGoesOn"}
        assert not (hidden | {"ListingSecurityArrived"}) & {entry.kind for entry in told}
    for reader in (land.seller, supervisor, two):
        seen = await land.seen(ENDS_AT + MINUTE, reader)
        shown = repr(seen)
        assert not [n for n in names if n in shown]
        assert (seen.reserve, seen.reserve_nonce) == (None, None)
        assert "10500000" not in shown
        assert await securities_told(land, reader) in ("still_sealed", "not for them")
    assert await securities_told(land, land.staff) == "still_sealed"
    async with transaction(store, actor=land.staff.actor, now=ENDS_AT) as tx:
        desk = await deposit_views.account_desk(tx)
    assert (desk.outgoing, desk.strays) == ((), ())
    mine = {entry.kind for entry in await entries(store, own_acts(three.party))}
    assert {"ListingBidderRegistered", "ListingBidderAdmitted"} <= mine
    await land.wake(ENDS_AT + PHASE)
    await land.quote(one, "10500000.00", ENDS_AT + PHASE)
    await land.wake(ENDS_AT + 2 * PHASE)
    await tick()
    told_after = {entry.kind for entry in await entries(store, SUPERVISORS_FEED)}
    assert {"ListingBidderRegistered", "ListingGoesOn", "ListingEnded"} <= told_after


async def securities_told(land: ListedLand, who: Player, now: datetime = ENDS_AT) -> str:
    """What whoever asks for the securities of a listing is answered: how many, or why none."""
    async with transaction(land.store, actor=who.actor, now=now) as tx:
        try:
            return str(len(await listing_securities.listing_securities(tx, land.id)))
        except NotPermitted:
            return "not for them"
        except Refused as no:
            return no.refusals[0].code


async def test_no_other_role_of_the_database_reads_a_reserve(
    store: Store, database: Database
) -> None:
    await listed_land(store, reserve="10500000.00", bidders=0)
    engine = connect(database.url(READ), pool_size=1)
    async with engine.connect() as connection:
        with pytest.raises(DBAPIError, match="permission denied"):
            await connection.execute(text("SELECT reserve FROM trading.listing_reserve"))
    await engine.dispose()


# ── announcing ────────────────────────────────────────────────────────────────────────────────


async def test_a_reserve_that_is_not_the_one_committed_to_is_no_reserve(store: Store) -> None:
    seller = await a_player(store, Role.TENDEREE)
    terms = listing_terms(reserve="10500000.00")
    for reserve in ("10600000.00", None):
        with pytest.raises(Malformed):
            await announced(store, seller, terms, reserve=reserve)


async def test_terms_that_cannot_stand_are_refused_with_every_ground(store: Store) -> None:
    seller = await a_player(store, Role.TENDEREE)
    odd = listing_terms(
        reserve="9000000.00", asset="property", step="0", register_until="2026-04-01T07:00:01Z"
    )
    assert await refused(announced(store, seller, odd, reserve="9000000.00")) == [
        *("registration_out_of_order", "no_price", "reserve_not_for_property"),
    ]
    once = listing_terms()
    await announced(store, seller, once)
    other = {**once, "title": "另一标的"}
    assert await refused(announced(store, seller, other)) == ["code_taken"]


async def test_what_the_provisions_on_land_ask_is_published_as_a_caution(store: Store) -> None:
    seller = await a_player(store, Role.TENDEREE)
    made = await announced(store, seller, listing_terms(security="1999999.99"))
    assert [one.code for one in made.cautions] == ["security_too_low"]
    assert await announced(store, seller, listing_terms(asset="property", security="0")) is not None


async def test_both_sides_sign_the_same_deal_and_nobody_else(store: Store) -> None:
    land = await listed_land(store, bidders=2)
    one, two = land.bidders
    await land.quote(one, "10000000.00", STARTS_AT)
    await land.wake(ENDS_AT)
    with pytest.raises(Malformed):
        await land.sign_deal(one, ENDS_AT, price="9999999.00")
    assert await refused(land.sign_deal(two, ENDS_AT)) == ["not_of_the_deal"]
    async with transaction(store, actor=PUBLIC, now=ENDS_AT) as tx:
        with pytest.raises(NotFound):
            await listing_views.confirmation(tx, land.id)


async def test_a_demos_clock_stops_where_a_listing_is_due(store: Store) -> None:
    land = await listed_land(store, bidders=0)
    async with transaction(store, actor=land.staff.actor) as tx:
        assert await due_lots.jump_clock(tx, ENDS_AT, reason="演示快进") == STARTS_AT
    assert not await due_lots.is_settled(store)
    assert await land.wake(STARTS_AT) == 1
    at_start = replace(store, clock=hand_clock(STARTS_AT))
    assert await due_lots.is_settled(at_start)
