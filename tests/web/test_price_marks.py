"""Marks on a price strip stand in the order of the prices, whole, and say what is over."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from web.price_marks import MARGIN, price_marks

PRICES = st.lists(st.decimals(1, 10**10, places=2), min_size=1, max_size=40)


@given(PRICES, st.none() | st.decimals(1, 10**10, places=2))
def test_every_mark_is_whole_and_in_order(prices: list[Decimal], ceiling: Decimal | None) -> None:
    strip = price_marks([(str(n), price) for n, price in enumerate(prices)], ceiling=ceiling)
    places = [mark.at for mark in strip.marks]
    assert places == sorted(places)
    assert all(MARGIN <= place <= 100 - MARGIN for place in places)
    assert strip.lowest <= strip.median <= strip.highest


@given(PRICES, st.decimals(1, 10**10, places=2))
def test_a_price_is_over_the_ceiling_only_above_it(prices: list[Decimal], ceiling: Decimal) -> None:
    strip = price_marks([("x", price) for price in prices], ceiling=ceiling)
    assert [mark.over for mark in strip.marks] == [mark.price > ceiling for mark in strip.marks]


def test_equal_prices_stand_in_the_middle() -> None:
    strip = price_marks([("甲", Decimal(5)), ("乙", Decimal(5))])
    assert [mark.at for mark in strip.marks] == [Decimal("50.00"), Decimal("50.00")]


def test_the_median_of_an_even_number_lies_between() -> None:
    strip = price_marks(
        [("甲", Decimal(1)), ("乙", Decimal(4)), ("丙", Decimal(2)), ("丁", Decimal(9))]
    )
    assert strip.median == Decimal(3)


def test_the_winner_is_marked_by_name() -> None:
    strip = price_marks([("甲", Decimal(2)), ("乙", Decimal(1))], winner="甲")
    assert [mark.name for mark in strip.marks if mark.won] == ["甲"]


def test_no_prices_make_no_strip() -> None:
    with pytest.raises(ValueError, match="price"):
        price_marks([])
