"""A listing that is suspended or ended early: Civil Code 509, 533, 563, 580."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from kernel.working_days import BEIJING
from trading.rules.listing_interruption import (
    DECIDED,
    GROUND_ARTICLES,
    GROUND_NAMES,
    Ground,
    Order,
    OrderKind,
    Pause,
    moved,
    order_refusals,
    standstill_refusals,
    terms_after,
    void_refusals,
)
from trading.rules.listing_protocol import ENDS, ListingTerms, Phase

AT = datetime(2026, 3, 25, 9, 0, tzinfo=BEIJING)
MS = timedelta(milliseconds=1)
HOUR = timedelta(hours=1)
COURT = Order(OrderKind.TERMINATE, Ground.COURT, "江城市中级人民法院", "（2026）江01执保9号")


def codes(order: Order, *, phase: Phase = Phase.LISTED, paused: bool = False, by: str = "") -> str:
    found = order_refusals(
        order, phase=phase, paused=paused, paused_by_supervisor=by == "supervisor"
    )
    return " ".join(one.code for one in found)


@pytest.mark.accepts("LA-07", "LA-08")
@pytest.mark.parametrize("ground", sorted(set(Ground) - DECIDED))
@pytest.mark.parametrize("kind", [OrderKind.SUSPEND, OrderKind.TERMINATE])
def test_a_seller_stops_a_listing_on_each_ground_that_has_an_article(
    kind: OrderKind, ground: Ground
) -> None:
    assert codes(Order(kind, ground)) == ""
    assert Order(kind, ground).basis == str(GROUND_ARTICLES[ground])


def test_a_decision_is_named_with_its_authority_and_number_whoever_brings_it() -> None:
    for order in (COURT, replace(COURT, by_supervisor=True)):
        assert codes(order) == ""
        assert order.basis == "江城市中级人民法院 （2026）江01执保9号"
        for unnamed in (replace(order, authority=""), replace(order, document="")):
            assert codes(unnamed) == "decision_unnamed"
    assert codes(replace(COURT, ground=Ground.CLAIM)) == "decision_out_of_place"


@pytest.mark.refuses("LA-08")
def test_a_supervisor_has_no_ground_but_a_decision() -> None:
    order = Order(OrderKind.TERMINATE, Ground.CHANGED, by_supervisor=True)
    assert codes(order) == "ground_not_theirs"


@pytest.mark.refuses("LA-07")
def test_what_a_supervisor_stopped_no_seller_lets_go_on() -> None:
    resume = Order(OrderKind.RESUME)
    assert codes(resume) == "not_suspended"
    assert codes(resume, paused=True) == ""
    assert codes(resume, paused=True, by="supervisor") == "stopped_by_supervisor"
    assert codes(replace(resume, by_supervisor=True), paused=True, by="supervisor") == ""
    again = Order(OrderKind.SUSPEND, Ground.CLAIM)
    assert codes(again, paused=True) == "suspended_already"
    assert codes(replace(again, kind=OrderKind.TERMINATE), paused=True) == ""


@pytest.mark.parametrize("phase", sorted(ENDS))
def test_a_listing_that_is_over_is_neither_stopped_nor_ended(phase: Phase) -> None:
    for kind in set(OrderKind) - {OrderKind.VOID}:
        assert codes(Order(kind, Ground.FORCE_MAJEURE), phase=phase) == "listing_over"


@pytest.mark.accepts("LA-11")
@pytest.mark.refuses("LA-11")
def test_a_result_is_void_by_a_decision_that_a_supervisor_records_and_only_while_it_stands() -> (
    None
):
    """Civil Code 509."""
    order = replace(COURT, kind=OrderKind.VOID, by_supervisor=True)
    assert void_refusals(order, phase=Phase.SOLD, undone=False) == []
    for odd, phase, undone, expected in (
        (order, Phase.UNSOLD, False, "no_deal"),
        (order, Phase.SOLD, True, "no_deal"),
        (replace(order, by_supervisor=False), Phase.SOLD, False, "ground_not_theirs"),
        (replace(order, ground=Ground.CLAIM), Phase.SOLD, False, "ground_not_theirs"),
        (replace(order, document=""), Phase.SOLD, False, "decision_unnamed"),
    ):
        found = void_refusals(odd, phase=phase, undone=undone)
        assert [one.code for one in found] == [expected]


def test_nothing_is_taken_from_the_instant_it_stops_to_the_one_at_which_it_goes_on() -> None:
    pause = Pause(AT, AT + HOUR)
    for at, taken in (
        (AT - MS, True),
        (AT, False),
        (AT + HOUR - MS, False),
        (AT + HOUR, True),
    ):
        assert (standstill_refusals([pause], acted_at=at) == []) is taken
    (no,) = standstill_refusals([Pause(AT)], acted_at=AT + timedelta(days=90))
    assert no.code == "listing_suspended"


def test_every_moment_to_come_moves_by_as_long_as_it_stood_and_none_that_was_gone() -> None:
    terms = ListingTerms(
        published_at=AT - timedelta(days=20),
        starts_at=AT,
        ends_at=AT + timedelta(days=10),
        starting_price=Decimal(100),
        step=Decimal(1),
        security=Decimal(20),
        register_until=AT + timedelta(days=5),
    )
    pauses = [Pause(AT, AT + HOUR), Pause(AT + timedelta(days=6), AT + timedelta(days=7))]
    after = terms_after(terms, pauses)
    assert after.starts_at == terms.starts_at
    assert after.registers_until == AT + timedelta(days=5) + HOUR
    assert after.ends_at == terms.ends_at + HOUR + timedelta(days=1)
    assert moved(AT + MS, pauses) == AT + MS + HOUR
    # While it stands still nobody knows yet by how much.
    assert terms_after(terms, [Pause(AT)]).ends_at == terms.ends_at


def test_every_ground_has_words_and_an_article_or_a_decision() -> None:
    assert set(GROUND_NAMES) == set(Ground)
    assert set(GROUND_ARTICLES) == set(Ground) - DECIDED
