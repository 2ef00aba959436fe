"""The switches of each procedure and the figures of the law behind them.

Bidding Law 24, 37, 40, 46, 47; Bidding Regulation 16, 21, 22, 25, 26, 27, 35, 44, 53, 54, 55, 57;
Government Procurement Law 31, 35, 38, 39, 40, 52, 53; Government Procurement Regulation 21, 31, 33,
38, 43; Procurement Tender Measures 12, 14, 16, 23, 27, 38, 43, 47, 55, 68, 71. What the measures
for other methods say is known from memory and only warns.
"""

from __future__ import annotations

from dataclasses import fields
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.statute import Article, Provenance, Regime
from trading.rules.procedures import (
    PROCEDURE_NAMES,
    PROCEDURES,
    SWITCH_NAMES,
    TALKED,
    Offers,
    Period,
    PriceMethod,
    Procedure,
    SecurityForm,
    Switches,
    Winner,
    switches_of,
)

TODAY = date(2026, 3, 2)


def of(procedure: Procedure) -> Switches:
    return switches_of(procedure, on=TODAY)


MANDATORY = of(Procedure.OPEN_TENDER_MANDATORY)
VOLUNTARY = of(Procedure.OPEN_TENDER_VOLUNTARY)
PROCUREMENT = of(Procedure.PROCUREMENT_OPEN_TENDER)

WARNED_OF = {
    Procedure.COMPETITIVE_CONSULTATION: {
        *("bidding_period", "notice_period", "documents_period", "clarification_period"),
        *("committee", "quorum_article", "invitation"),
    },
    Procedure.COMPETITIVE_NEGOTIATION: {
        *("bidding_period", "documents_period", "clarification_period"),
    },
    Procedure.REQUEST_FOR_QUOTATIONS: {
        *("bidding_period", "documents_period", "clarification_period"),
    },
    Procedure.SINGLE_SOURCE: {"committee"},
}
"""The switches whose articles nobody here has read: they warn."""


def test_every_procedure_has_switches_and_a_name() -> None:
    assert set(PROCEDURES) == set(PROCEDURE_NAMES) == set(Procedure)


def test_a_procedure_has_no_switches_before_its_law() -> None:
    with pytest.raises(LookupError):
        switches_of(Procedure.PROCUREMENT_OPEN_TENDER, on=date(2017, 9, 30))
    assert switches_of(Procedure.PROCUREMENT_OPEN_TENDER, on=date(2017, 10, 1)) is PROCUREMENT


def test_only_the_mandatory_and_procurement_have_a_least_bidding_period() -> None:
    assert MANDATORY.bidding_period is not None
    assert MANDATORY.bidding_period.days == 20
    assert PROCUREMENT.bidding_period is not None
    assert PROCUREMENT.bidding_period.days == 20
    assert VOLUNTARY.bidding_period is None


def test_documents_are_offered_five_days_and_in_procurement_five_working_days() -> None:
    assert (MANDATORY.documents_period.days, MANDATORY.documents_period.working) == (5, False)
    assert (VOLUNTARY.documents_period.days, VOLUNTARY.documents_period.working) == (5, False)
    assert (PROCUREMENT.documents_period.days, PROCUREMENT.documents_period.working) == (5, True)


def test_the_first_must_win_where_the_law_says_so() -> None:
    assert MANDATORY.winner is Winner.RANK_ONE_IF_STATE_FUNDED
    assert VOLUNTARY.winner is Winner.ANY_CANDIDATE
    assert PROCUREMENT.winner is Winner.RANK_ONE


def test_procurement_knows_only_the_lowest_price_first() -> None:
    assert PROCUREMENT.price_methods == {PriceMethod.LOWEST_PRICE_FIRST}
    assert PriceMethod.BENCHMARK in MANDATORY.price_methods


def test_procurement_takes_no_cash() -> None:
    assert SecurityForm.CASH not in PROCUREMENT.security.forms
    assert SecurityForm.CASH in MANDATORY.security.forms


def test_a_large_procurement_has_seven_members() -> None:
    committee = PROCUREMENT.committee
    assert committee.members_for(Decimal("9999999.99")) == 5
    assert committee.members_for(Decimal(10_000_000)) == 7
    assert MANDATORY.committee.members_for(Decimal(10**9)) == 5


def test_only_the_mandatory_tender_publishes_candidates_for_three_days() -> None:
    assert MANDATORY.publicity_days() == 3
    assert VOLUNTARY.publicity_days() == 0
    assert PROCUREMENT.publicity_days() == 0


@pytest.mark.parametrize("procedure", Procedure)
def test_every_figure_is_from_its_own_regime_and_was_read_or_only_warns(
    procedure: Procedure,
) -> None:
    switches = of(procedure)
    unread = set()
    for field in fields(switches):
        value = getattr(switches, field.name)
        article = value if isinstance(value, Article) else getattr(value, "article", None)
        if article is not None:
            assert article.instrument.regime is switches.regime, field.name
            if article.provenance is Provenance.MEMORY:
                unread.add(field.name)
    assert unread == WARNED_OF.get(procedure, set())


def test_every_switch_has_a_name_in_both_languages() -> None:
    assert set(SWITCH_NAMES) == {field.name for field in fields(Switches)}
    assert all(chinese and english for chinese, english in SWITCH_NAMES.values())


def test_only_who_is_invited_may_bid_where_the_method_says_so() -> None:
    invited = {one for one in Procedure if of(one).invitation is not None}
    assert invited == {
        Procedure.INVITED_TENDER_MANDATORY,
        Procedure.INVITED_TENDER_VOLUNTARY,
        Procedure.PROCUREMENT_INVITED_TENDER,
        Procedure.REQUEST_FOR_QUOTATIONS,
        Procedure.COMPETITIVE_NEGOTIATION,
        Procedure.COMPETITIVE_CONSULTATION,
        Procedure.SINGLE_SOURCE,
    }
    drawn = of(Procedure.PROCUREMENT_INVITED_TENDER).invitation
    assert drawn is not None
    assert (drawn.invited_min, drawn.choice_factor, drawn.witnesses_min) == (3, 2, 2)


def test_an_inquiry_takes_one_price_and_a_single_source_one_supplier() -> None:
    assert of(Procedure.REQUEST_FOR_QUOTATIONS).offers is Offers.FIXED_ONCE
    assert of(Procedure.SINGLE_SOURCE).bidders_min == 1
    assert {one for one in Procedure if of(one).offers is Offers.FINAL_AFTER_TALKS} == TALKED
    assert {one for one in Procedure if of(one).lowest_price_wins} == {
        Procedure.REQUEST_FOR_QUOTATIONS,
        Procedure.SINGLE_SOURCE,
        Procedure.COMPETITIVE_NEGOTIATION,
    }
    assert {of(one).offers for one in Procedure} == set(Offers)


def test_each_family_has_a_principle_of_its_own() -> None:
    for one in Procedure:
        assert of(one).principle.instrument.regime is of(one).regime


def test_a_period_says_which_days_it_counts() -> None:
    natural = Period(5, MANDATORY.documents_period.article)
    working = Period(5, MANDATORY.documents_period.article, working=True)
    assert (str(natural), str(working)) == ("5日", "5个工作日")
    assert natural.ends_on(date(2026, 9, 28)) == date(2026, 10, 8)
    assert working.ends_on(date(2026, 9, 28)) == date(2026, 10, 10)


def test_the_security_of_twelve_million_is_at_most_240_000() -> None:
    assert MANDATORY.security.most_for(Decimal(12_000_000)) == Decimal("240000.00")


@given(st.integers(0, 10**14))
def test_the_most_of_a_security_is_the_last_fen_below_the_cap(fen: int) -> None:
    estimate = Decimal(fen) / 100
    most = MANDATORY.security.most_for(estimate)
    assert most <= estimate * MANDATORY.security.share < most + Decimal("0.01")


def test_both_regimes_are_served() -> None:
    assert {of(one).regime for one in Procedure} == {Regime.TENDERING, Regime.PROCUREMENT}
