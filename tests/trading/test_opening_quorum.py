"""Three bidders or no opening: Bidding Law 28; Bidding Regulation 44; Electronic Bidding Measures
31; Procurement Tender Measures 43.
"""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.statute import BIDDING_REGULATION, PROCUREMENT_TENDER_MEASURES
from trading.rules.opening_quorum import evaluation_refusals, opening_refusals
from trading.rules.procedures import Procedure, switches_of

ALL = [switches_of(one, on=date(2026, 3, 2)) for one in Procedure]
MANDATORY, VOLUNTARY, PROCUREMENT = ALL


@pytest.mark.parametrize("count", [0, 1, 2])
def test_fewer_than_three_bidders_are_not_opened(count: int) -> None:
    for switches in ALL:
        found = opening_refusals(count, switches)
        assert [(one.code, one.facts) for one in found] == [
            ("too_few_bidders", {"bidders": str(count)})
        ]


def test_each_regime_cites_its_own_article() -> None:
    assert opening_refusals(2, MANDATORY)[0].article == BIDDING_REGULATION[44]
    assert opening_refusals(2, VOLUNTARY)[0].article == BIDDING_REGULATION[44]
    assert opening_refusals(2, PROCUREMENT)[0].article == PROCUREMENT_TENDER_MEASURES[43]


@given(st.integers(3, 10_000))
def test_three_bidders_or_more_are_opened(count: int) -> None:
    for switches in ALL:
        assert opening_refusals(count, switches) == []


@given(st.integers(3, 40), st.integers(0, 40))
def test_those_deemed_withdrawn_no_longer_count(count: int, withdrawn: int) -> None:
    withdrawn = min(count, withdrawn)
    refused = bool(evaluation_refusals(count, withdrawn, MANDATORY))
    assert refused is (count - withdrawn < 3)
