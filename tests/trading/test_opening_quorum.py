"""Three bidders or no opening: Bidding Law 28; Bidding Regulation 44; Electronic Bidding Measures
31; Procurement Tender Measures 43; and Competitive Consultation Measures 21, which only warns.
"""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.statute import BIDDING_REGULATION, PROCUREMENT_TENDER_MEASURES
from trading.rules.opening_quorum import (
    evaluation_refusals,
    opening_cautions,
    opening_refusals,
)
from trading.rules.procedures import Procedure, Switches, switches_of


def of(procedure: Procedure) -> Switches:
    return switches_of(procedure, on=date(2026, 3, 2))


MANDATORY = of(Procedure.OPEN_TENDER_MANDATORY)
VOLUNTARY = of(Procedure.OPEN_TENDER_VOLUNTARY)
PROCUREMENT = of(Procedure.PROCUREMENT_OPEN_TENDER)
QUOTATIONS = of(Procedure.REQUEST_FOR_QUOTATIONS)
CONSULTATION = of(Procedure.COMPETITIVE_CONSULTATION)
SINGLE_SOURCE = of(Procedure.SINGLE_SOURCE)
ALL = [MANDATORY, VOLUNTARY, PROCUREMENT, QUOTATIONS]


@pytest.mark.refuses("BI-12")
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


def test_a_number_known_from_memory_warns_and_lets_the_opening_go_on() -> None:
    assert opening_refusals(2, CONSULTATION) == []
    assert [one.code for one in opening_cautions(2, CONSULTATION)] == ["too_few_bidders"]
    assert opening_cautions(3, CONSULTATION) == []
    assert opening_cautions(2, MANDATORY) == []


@pytest.mark.parametrize("switches", [CONSULTATION, SINGLE_SOURCE])
def test_nobody_at_all_is_never_opened(switches: Switches) -> None:
    assert len(opening_refusals(0, switches)) == 1
    assert len(evaluation_refusals(1, 1, switches)) == 1
    assert opening_refusals(1, switches) == evaluation_refusals(1, 0, switches) == []


@pytest.mark.accepts("BI-12")
@given(st.integers(3, 10_000))
def test_three_bidders_or_more_are_opened(count: int) -> None:
    for switches in ALL:
        assert opening_refusals(count, switches) == []


@given(st.integers(3, 40), st.integers(0, 40))
def test_those_deemed_withdrawn_no_longer_count(count: int, withdrawn: int) -> None:
    withdrawn = min(count, withdrawn)
    refused = bool(evaluation_refusals(count, withdrawn, MANDATORY))
    assert refused is (count - withdrawn < 3)
