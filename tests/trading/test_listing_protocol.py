"""Listings: Civil Code 509; and, from memory, Land Grant Provisions 4, 8, 10, 18, 21, 22; Land
Supply Notice 4.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.identifiers import PartyId
from kernel.working_days import BEIJING, STATE_CALENDAR, end_of_day
from trading.rules.listing_protocol import (
    ENDS,
    Asset,
    Listing,
    ListingTerms,
    Phase,
    admission_refusals,
    days_after,
    deal_refusals,
    goes_on,
    going_on_refusals,
    listing_cautions,
    next_price,
    opened_late,
    openness_cautions,
    outcome,
    passed,
    quote_refusals,
    quoted,
    registration_refusals,
    reserve_may_be_shown,
    reserve_refusals,
    standing_of_quotes,
    terms_refusals,
)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=BEIJING)


TERMS = ListingTerms(
    published_at=at("2026-03-02T09:00:00"),
    starts_at=at("2026-03-22T09:00:00"),
    ends_at=at("2026-04-01T15:00:00"),
    starting_price=Decimal(10_000_000),
    step=Decimal(100_000),
    security=Decimal(2_000_000),
)
ONE, TWO, THREE = (PartyId(UUID(int=n)) for n in (1, 2, 3))
MS = timedelta(milliseconds=1)
LISTED = passed(Listing(Phase.ANNOUNCED), TERMS, now=TERMS.starts_at)


def codes(listing: Listing, bidder: PartyId, price: int, when: datetime) -> list[str]:
    found = quote_refusals(
        listing, TERMS, bidder=bidder, price=Decimal(price), received_at=when, admitted=True
    )
    return [one.code for one in found]


def bid(listing: Listing, bidder: PartyId, price: int, when: datetime) -> Listing:
    assert codes(listing, bidder, price, when) == []
    return quoted(listing, TERMS, bidder=bidder, price=Decimal(price), received_at=when)


TWO_BID = bid(bid(LISTED, ONE, 10_000_000, TERMS.starts_at), TWO, 10_100_000, TERMS.ends_at - MS)


@pytest.mark.accepts("LA-07")
def test_the_first_quote_is_the_starting_price_and_the_next_a_step_above() -> None:
    assert next_price(LISTED, TERMS) == Decimal(10_000_000)
    assert next_price(TWO_BID, TERMS) == Decimal(10_200_000)
    assert TWO_BID.highest is not None
    assert TWO_BID.highest.bidder == TWO


@pytest.mark.refuses("LA-07")
@pytest.mark.parametrize(
    ("price", "when", "found"),
    [
        (10_100_000, TERMS.ends_at - MS, ["too_low"]),
        (10_250_000, TERMS.ends_at - MS, ["off_step"]),
        (10_200_000, TERMS.ends_at, ["late"]),
        (10_100_000, TERMS.ends_at + MS, ["late", "too_low"]),
    ],
)
def test_a_quote_too_low_off_the_step_or_late_is_refused(
    price: int, when: datetime, found: list[str]
) -> None:
    assert codes(TWO_BID, ONE, price, when) == found


def test_nobody_quotes_before_the_start_after_the_end_or_without_security() -> None:
    announced = Listing(Phase.ANNOUNCED)
    assert codes(announced, ONE, 10_000_000, TERMS.starts_at - MS) == ["not_listed"]
    found = quote_refusals(
        LISTED,
        TERMS,
        bidder=ONE,
        price=Decimal(10_000_000),
        received_at=TERMS.starts_at,
        admitted=False,
    )
    assert [one.code for one in found] == ["not_admitted"]


@pytest.mark.accepts("LA-08")
def test_a_single_bidder_at_the_reserve_wins_without_being_asked() -> None:
    alone = bid(LISTED, ONE, 10_000_000, TERMS.starts_at)
    ended = passed(alone, TERMS, now=TERMS.ends_at)
    assert ended.phase is Phase.SOLD
    told = outcome(ended, reserve=Decimal(10_000_000))
    assert told is not None
    assert (told.winner, told.price) == (ONE, Decimal(10_000_000))


@pytest.mark.refuses("LA-08")
def test_below_the_reserve_and_without_a_quote_nothing_is_sold() -> None:
    alone = passed(bid(LISTED, ONE, 10_000_000, TERMS.starts_at), TERMS, now=TERMS.ends_at)
    told = outcome(alone, reserve=Decimal("10000000.01"))
    assert told is not None
    assert (told.winner, told.why) == (None, "最高报价低于底价")
    nobody = passed(LISTED, TERMS, now=TERMS.ends_at)
    assert nobody.phase is Phase.UNSOLD
    assert outcome(LISTED, reserve=None) is None


@pytest.mark.accepts("LA-08")
def test_who_goes_on_bids_and_each_quote_begins_the_countdown_anew() -> None:
    asking = passed(TWO_BID, TERMS, now=TERMS.ends_at)
    assert asking.phase is Phase.ASKING
    assert going_on_refusals(asking, bidder=ONE, said_at=TERMS.ends_at) == []
    asking = goes_on(asking, bidder=ONE)
    begun = TERMS.ends_at + TERMS.asking
    bidding = passed(asking, TERMS, now=begun)
    assert bidding.phase is Phase.BIDDING
    assert bidding.goes_on == {ONE, TWO}
    last_second = begun + TERMS.countdown - MS
    bidding = bid(bidding, ONE, 10_200_000, last_second)
    assert bidding.phase_ends_at == last_second + TERMS.countdown
    bidding = bid(bidding, TWO, 10_300_000, last_second + MS)
    ended = passed(bidding, TERMS, now=last_second + MS + TERMS.countdown)
    assert ended.phase is Phase.SOLD
    told = outcome(ended, reserve=None)
    assert told is not None
    assert (told.winner, told.price) == (TWO, Decimal(10_300_000))


@pytest.mark.refuses("LA-08")
def test_who_did_not_say_so_does_not_go_on() -> None:
    asking = passed(TWO_BID, TERMS, now=TERMS.ends_at)
    third = going_on_refusals(asking, bidder=THREE, said_at=TERMS.ends_at)
    assert [one.code for one in third] == ["never_quoted"]
    late = going_on_refusals(asking, bidder=ONE, said_at=TERMS.ends_at + TERMS.asking)
    assert [one.code for one in late] == ["not_asking"]
    bidding = passed(goes_on(asking, bidder=ONE), TERMS, now=TERMS.ends_at + TERMS.asking)
    assert codes(bidding, THREE, 10_200_000, TERMS.ends_at + TERMS.asking) == ["gave_up"]


def test_where_only_the_leader_goes_on_it_has_won() -> None:
    asking = goes_on(passed(TWO_BID, TERMS, now=TERMS.ends_at), bidder=TWO)
    assert passed(asking, TERMS, now=TERMS.ends_at + TERMS.asking).phase is Phase.SOLD


def test_of_equal_prices_the_first_leads() -> None:
    level = replace(
        LISTED,
        quotes=tuple(
            quoted(
                LISTED, TERMS, bidder=who, price=Decimal(10_000_000), received_at=TERMS.starts_at
            ).quotes[0].__class__(number, who, Decimal(10_000_000), TERMS.starts_at)
            for number, who in ((1, TWO), (2, ONE))
        ),
    )  # fmt: skip
    assert level.highest is not None
    assert level.highest.bidder == TWO
    assert [one.bidder for one in standing_of_quotes(level.quotes)] == [TWO, ONE]


@given(
    st.lists(
        st.tuples(
            st.sampled_from([ONE, TWO, THREE]), st.integers(0, 12), st.integers(0, 15 * 24 * 60)
        ),
        max_size=25,
    )
)
def test_whatever_happens_prices_rise_and_the_highest_wins(
    said: list[tuple[PartyId, int, int]],
) -> None:
    listing = Listing(Phase.ANNOUNCED)
    for bidder, steps, minute in sorted(said, key=lambda one: one[2]):
        now = TERMS.starts_at + timedelta(minutes=minute - 60)
        listing = passed(listing, TERMS, now=now)
        if listing.phase is Phase.ASKING and not going_on_refusals(
            listing, bidder=bidder, said_at=now
        ):
            listing = goes_on(listing, bidder=bidder)
        price = next_price(listing, TERMS) + steps * TERMS.step
        if not quote_refusals(
            listing, TERMS, bidder=bidder, price=price, received_at=now, admitted=True
        ):
            listing = quoted(listing, TERMS, bidder=bidder, price=price, received_at=now)
    prices = [one.price for one in listing.quotes]
    assert prices == sorted(set(prices))
    listing = passed(listing, TERMS, now=TERMS.ends_at + timedelta(days=60))
    assert listing.phase in ENDS
    told = outcome(listing, reserve=None)
    assert told is not None
    assert told.price == (max(prices) if prices else None)


@pytest.mark.refuses("LA-02", "LA-12")
def test_what_the_provisions_on_land_ask_is_warned_of() -> None:
    hasty = replace(
        TERMS,
        starts_at=at("2026-03-21T09:00:00"),
        ends_at=at("2026-03-30T15:00:00"),
        security=Decimal("1999999.99"),
    )
    assert [one.code for one in listing_cautions(hasty)] == [
        *("notice_too_short", "listing_too_short", "security_too_low"),
    ]


@pytest.mark.accepts("LA-02", "LA-12")
def test_twenty_days_ten_days_and_a_fifth_are_enough() -> None:
    assert listing_cautions(TERMS) == []


@pytest.mark.refuses("LA-07")
def test_terms_that_make_no_sense_are_refused() -> None:
    odd = replace(
        TERMS,
        ends_at=TERMS.starts_at,
        step=Decimal(0),
        security=Decimal(-1),
        countdown=timedelta(0),
    )
    assert [one.code for one in terms_refusals(odd)] == [
        *("times_out_of_order", "no_price", "security_negative", "no_countdown"),
    ]
    assert terms_refusals(TERMS) == []


@pytest.mark.accepts("LA-09", "LA-10")
def test_securities_go_back_in_five_working_days_and_results_are_public_in_ten() -> None:
    told = days_after(date(2026, 9, 30), calendar=STATE_CALENDAR)
    assert told is not None
    assert told.returned == end_of_day(date(2026, 10, 13))
    assert told.published == told.contract == end_of_day(date(2026, 10, 20))


@pytest.mark.refuses("LA-09", "LA-10")
def test_a_year_without_a_calendar_has_no_such_days() -> None:
    assert days_after(date(2031, 1, 1), calendar=STATE_CALENDAR) is None


@pytest.mark.refuses("LA-03")
@pytest.mark.accepts("LA-03")
def test_the_reserve_is_secret_until_the_listing_has_ended() -> None:
    assert not reserve_may_be_shown(TWO_BID)
    assert reserve_may_be_shown(passed(LISTED, TERMS, now=TERMS.ends_at))


@pytest.mark.refuses("LA-01")
def test_land_for_business_or_wanted_by_two_goes_openly() -> None:
    for business, interested in ((True, 1), (False, 2)):
        found = openness_cautions(for_business=business, interested=interested, listed=False)
        assert [one.code for one in found] == ["must_be_open"]


@pytest.mark.accepts("LA-01")
def test_what_is_listed_or_wanted_by_one_for_no_business_is_not_warned_of() -> None:
    assert openness_cautions(for_business=True, interested=2, listed=True) == []
    assert openness_cautions(for_business=False, interested=1, listed=False) == []


@pytest.mark.accepts("LA-03")
def test_a_reserve_stands_above_the_starting_price() -> None:
    above = Decimal("10000000.01")
    assert reserve_refusals(Asset.LAND, TERMS, reserve=above) == []
    for asset in Asset:
        assert reserve_refusals(asset, TERMS, reserve=None) == []


@pytest.mark.refuses("LA-03")
def test_property_has_no_reserve_and_land_none_at_its_starting_price() -> None:
    at_start = reserve_refusals(Asset.LAND, TERMS, reserve=TERMS.starting_price)
    property_ = reserve_refusals(Asset.PROPERTY, TERMS, reserve=Decimal(20_000_000))
    assert [one.code for one in (*at_start, *property_)] == [
        *("reserve_too_low", "reserve_not_for_property"),
    ]


UNTIL = at("2026-03-30T16:00:00")
WITH_REGISTRATION = replace(TERMS, register_until=UNTIL)


@pytest.mark.refuses("LA-07")
def test_registration_ends_at_its_very_instant_and_with_the_phase_of_the_listing() -> None:
    for listing, when in ((LISTED, UNTIL), (replace(LISTED, phase=Phase.ASKING), UNTIL - MS)):
        found = registration_refusals(listing, WITH_REGISTRATION, asked_at=when)
        assert [one.code for one in found] == ["registration_over"]
    assert registration_refusals(LISTED, WITH_REGISTRATION, asked_at=UNTIL - MS) == []
    assert registration_refusals(LISTED, TERMS, asked_at=TERMS.ends_at - MS) == []
    for until in (TERMS.published_at, TERMS.ends_at + MS):
        found = terms_refusals(replace(TERMS, register_until=until))
        assert [one.code for one in found] == ["registration_out_of_order"]


@pytest.mark.accepts("LA-12")
def test_a_security_that_is_whole_and_in_time_admits() -> None:
    found = admission_refusals(
        WITH_REGISTRATION, paid=TERMS.security, arrived_at=UNTIL - MS, now=UNTIL
    )
    assert found == []


@pytest.mark.refuses("LA-12")
def test_a_security_that_is_short_late_or_yet_to_come_admits_nobody() -> None:
    found = admission_refusals(
        WITH_REGISTRATION, paid=TERMS.security - Decimal("0.01"), arrived_at=UNTIL, now=UNTIL - MS
    )
    assert [one.code for one in found] == ["security_short", "security_late", "security_to_come"]


@pytest.mark.refuses("LA-08")
def test_a_leader_who_was_barred_wins_nothing_and_nobody_wins_instead() -> None:
    ended = replace(TWO_BID, phase=Phase.SOLD)
    told = outcome(ended, reserve=None, leader_barred=True)
    assert told is not None
    assert told.winner is None


def test_a_deal_is_between_the_seller_and_the_winner() -> None:
    sold = replace(TWO_BID, phase=Phase.SOLD)
    for signer, expected in ((TWO, []), (THREE, []), (ONE, ["not_of_the_deal"])):
        found = deal_refusals(sold, winner=TWO, signer=signer, seller=THREE)
        assert [one.code for one in found] == expected
    found = deal_refusals(TWO_BID, winner=None, signer=TWO, seller=THREE)
    assert [one.code for one in found] == ["no_deal"]


def test_a_countdown_that_was_shown_is_never_shortened() -> None:
    bidding = replace(TWO_BID, phase=Phase.BIDDING, goes_on=frozenset({ONE, TWO}))
    later = bid(bidding, ONE, 10_200_000, TERMS.ends_at - 2 * MS)
    assert later.phase_ends_at == TERMS.ends_at - 2 * MS + TERMS.countdown
    earlier = quoted(
        later,
        TERMS,
        bidder=TWO,
        price=Decimal(10_300_000),
        received_at=TERMS.ends_at - timedelta(seconds=1),
    )
    assert earlier.phase_ends_at == later.phase_ends_at


def test_a_phase_opened_late_lasts_its_time_and_the_listing_itself_does_not() -> None:
    late = timedelta(minutes=30)
    asking = passed(TWO_BID, TERMS, now=TERMS.ends_at)
    moved = opened_late(asking, by=late)
    assert moved.phase_ends_at == TERMS.ends_at + late + TERMS.asking
    assert opened_late(LISTED, by=late) == LISTED
