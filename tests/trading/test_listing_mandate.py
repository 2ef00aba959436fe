"""What an agency may do in a listing: Civil Code 165, 509; Bidding Regulation 13."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from trading.rules.listing_mandate import (
    LISTING_ACT_NAMES,
    ListingAct,
    Mandate,
    entrusted_reserve_refusals,
    mandate_letter_refusals,
    mandate_refusals,
    own_agency_refusals,
    relisting_refusals,
)

LAST_DAY = date(2026, 4, 30)
WHOLE = Mandate(frozenset(ListingAct), LAST_DAY)


def codes(mandate: Mandate | None, *, on: date = LAST_DAY) -> list[str]:
    return [one.code for one in mandate_refusals(mandate, ListingAct.DEAL, on=on)]


@pytest.mark.accepts("PL-07")
def test_a_letter_is_good_for_its_acts_to_the_end_of_its_last_day() -> None:
    assert codes(WHOLE) == []
    assert codes(replace(WHOLE, until=None), on=date(2030, 1, 1)) == []


@pytest.mark.refuses("PL-07")
def test_an_agency_does_nothing_without_beyond_or_after_its_letter() -> None:
    assert codes(None) == ["agency_not_authorised"]
    assert codes(replace(WHOLE, ended=True)) == ["authorisation_ended"]
    other = replace(WHOLE, acts=frozenset({ListingAct.ANNOUNCE}))
    assert codes(other, on=date(2026, 5, 1)) == ["authorisation_expired", "authorisation_other_act"]


def test_a_letter_that_entrusts_nothing_to_nobody_is_no_letter() -> None:
    empty = Mandate(frozenset(), LAST_DAY)
    found = mandate_letter_refusals(
        empty, today=date(2026, 5, 1), to_an_agency=False, to_itself=False
    )
    assert [one.code for one in found] == ["letter_without_acts", "letter_outdated", "no_agency"]
    assert not mandate_letter_refusals(WHOLE, today=LAST_DAY, to_an_agency=True, to_itself=False)
    (itself,) = mandate_letter_refusals(WHOLE, today=LAST_DAY, to_an_agency=True, to_itself=True)
    assert itself.code == "no_agency"


@pytest.mark.refuses("LA-03", "SC-09")
@pytest.mark.accepts("LA-03", "SC-09")
def test_an_agency_sets_no_reserve_and_does_not_bid() -> None:
    (no,) = entrusted_reserve_refusals(by_agency=True, has_reserve=True)
    assert no.code == "reserve_by_agency"
    assert entrusted_reserve_refusals(by_agency=True, has_reserve=False) == []
    assert entrusted_reserve_refusals(by_agency=False, has_reserve=True) == []
    (bids,) = own_agency_refusals(entrusted=True)
    assert bids.code == "agency_bids"
    assert own_agency_refusals(entrusted=False) == []


@pytest.mark.accepts("LA-07")
@pytest.mark.refuses("LA-07")
def test_what_found_no_buyer_is_listed_again_once_by_its_seller() -> None:
    assert relisting_refusals(own=True, without_deal=True, again_already=False) == []
    found = relisting_refusals(own=False, without_deal=False, again_already=True)
    assert [one.code for one in found] == ["not_the_seller", "not_free", "relisted_already"]


def test_every_act_has_words() -> None:
    assert set(LISTING_ACT_NAMES) == set(ListingAct)
