"""Securities of a listing: Civil Code 509, 586, 587; and, from memory, Land Grant Provisions 21."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from kernel.working_days import BEIJING, STATE_CALENDAR
from trading.rules.listing_security import (
    LISTING_CAUSE_NAMES,
    ListingReturnCause,
    ListingReturnDue,
    ListingSecurityFacts,
    keeping_refusals,
    kept_of,
    listing_return_cautions,
    listing_return_due,
    listing_return_refusals,
    listing_security_state,
)

ENDED = datetime(2026, 4, 1, 15, 4, tzinfo=BEIJING)
BACK_BY = datetime(2026, 4, 10, tzinfo=BEIJING)
"""The end of the fifth working day: 6 April is a holiday."""

SIGN_BY = datetime(2026, 4, 17, tzinfo=BEIJING)
MS = timedelta(milliseconds=1)
PAID = ListingSecurityFacts(asked=Decimal(200), paid=Decimal(200), paid_in_time=Decimal(200))
LOST = replace(PAID, ended_at=ENDED, sold=True, signing_due_at=SIGN_BY)
WON = replace(LOST, won=True, seller_signed=True)


def due(facts: ListingSecurityFacts, now: datetime = ENDED) -> ListingReturnDue | None:
    return listing_return_due(facts, now=now, calendar=STATE_CALENDAR)


def state(facts: ListingSecurityFacts, now: datetime = ENDED) -> str:
    return listing_security_state(facts, due=due(facts, now))


@pytest.mark.accepts("LA-09")
@pytest.mark.parametrize(
    ("facts", "cause"),
    [
        (LOST, ListingReturnCause.LOST),
        (replace(LOST, sold=False), ListingReturnCause.UNSOLD),
        (replace(LOST, sold=False, terminated=True), ListingReturnCause.TERMINATED),
    ],
)
def test_whoever_did_not_win_has_its_security_back_within_five_working_days(
    facts: ListingSecurityFacts, cause: ListingReturnCause
) -> None:
    told = due(facts)
    assert told == ListingReturnDue(cause, BACK_BY)
    assert state(facts) == "to_return"
    assert listing_return_refusals(facts, told) == []
    assert listing_return_cautions(told, returned_at=BACK_BY - MS) == []
    (late,) = listing_return_cautions(told, returned_at=BACK_BY)
    assert late.code == "returned_late"
    assert state(replace(facts, given_back=facts.paid)) == "returned"


@pytest.mark.refuses("LA-09")
def test_nothing_goes_back_before_the_end_nor_twice_nor_from_the_winner() -> None:
    assert due(PAID) is None
    gone = replace(LOST, given_back=Decimal(200))
    for facts, expected in ((gone, "nothing_held"), (WON, "still_needed")):
        (no,) = listing_return_refusals(facts, due(facts))
        assert no.code == expected


@pytest.mark.parametrize(
    ("paid", "in_time", "expected"),
    [(0, 0, "due"), (199, 199, "short"), (200, 199, "late"), (200, 200, "paid")],
)
def test_a_security_is_whole_and_in_time_or_it_is_not(
    paid: int, in_time: int, expected: str
) -> None:
    facts = replace(PAID, paid=Decimal(paid), paid_in_time=Decimal(in_time))
    assert state(facts) == expected
    assert state(replace(facts, asked=Decimal(0))) in ("not_asked", "paid")


def test_the_winners_is_held_and_paid_towards_the_price_once_both_have_signed() -> None:
    assert state(WON) == "held"
    dealt = replace(WON, buyer_signed=True)
    assert (state(dealt), due(dealt), dealt.held) == ("applied", None, Decimal(0))


def test_a_winner_who_signed_has_it_back_where_the_seller_did_not_in_time() -> None:
    waiting = replace(WON, buyer_signed=True, seller_signed=False)
    assert due(waiting, SIGN_BY - MS) is None
    told = due(waiting, SIGN_BY)
    assert told is not None
    assert told.cause is ListingReturnCause.SELLER_SILENT


def test_a_deposit_is_kept_only_of_a_winner_who_let_the_time_to_sign_go_by() -> None:
    assert keeping_refusals(WON, now=SIGN_BY) == []
    for facts, now, expected in (
        (WON, SIGN_BY - MS, ["signing_open"]),
        (replace(WON, signing_due_at=None), SIGN_BY, ["signing_open"]),
        (replace(WON, seller_signed=False), SIGN_BY, ["seller_has_not_signed"]),
        (replace(WON, buyer_signed=True), SIGN_BY, ["signed_already"]),
        (LOST, SIGN_BY, ["not_the_winner"]),
    ):
        assert [one.code for one in keeping_refusals(facts, now=now)] == expected


def test_what_comes_when_all_is_over_has_its_days_from_then() -> None:
    told = due(replace(LOST, paid_at=ENDED + timedelta(days=1)))
    assert told is not None
    assert told.due_at == BACK_BY + timedelta(days=1)


def test_a_winner_whose_result_is_void_has_it_back_and_cannot_lose_it_twice() -> None:
    void = replace(WON, buyer_signed=True, void_at=SIGN_BY)
    told = due(void, SIGN_BY)
    assert told is not None
    assert (told.cause, void.held) == (ListingReturnCause.VOID, Decimal(200))
    assert "void" in [one.code for one in keeping_refusals(void, now=SIGN_BY)]


def test_no_more_is_kept_than_a_fifth_of_the_price_and_the_rest_goes_back() -> None:
    assert kept_of(Decimal(200), price=Decimal(1000)) == Decimal(200)
    assert kept_of(Decimal("200.01"), price=Decimal(1000)) == Decimal(200)
    assert kept_of(Decimal(200), price=Decimal("999.99")) == Decimal("200.00")
    kept = replace(WON, paid=Decimal(300), kept=Decimal(200), kept_at=SIGN_BY)
    told = due(kept, SIGN_BY)
    assert told is not None
    assert (told.cause, kept.held) == (ListingReturnCause.REST, Decimal(100))
    assert state(replace(kept, given_back=Decimal(100)), SIGN_BY) == "forfeited"


def test_where_no_calendar_reaches_it_is_rung_for_after_a_week() -> None:
    far = replace(LOST, ended_at=datetime(2031, 1, 2, 9, 0, tzinfo=BEIJING))
    told = due(far)
    assert told is not None
    assert (told.due_at, told.ours) == (datetime(2031, 1, 10, tzinfo=BEIJING), True)


def test_every_cause_has_words() -> None:
    assert set(LISTING_CAUSE_NAMES) == set(ListingReturnCause)
