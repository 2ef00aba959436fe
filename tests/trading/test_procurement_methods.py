"""Procurement without a tender: Government Procurement Law 30, 31, 32, 38, 40; Government
Procurement Regulation 36; and, from memory, Non-tender Procurement Measures 7, 12,
Competitive Consultation Measures 3.
"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.identifiers import PartyId
from kernel.statute import PROCUREMENT_LAW, Provenance
from trading.rules.procedures import Procedure
from trading.rules.procurement_methods import (
    CASES,
    GROUND_NAMES,
    MethodClaim,
    MethodGround,
    Offer,
    case_cautions,
    case_refusals,
    group_cautions,
    lowest_that_meets,
    second_price_refusals,
    supplier_cautions,
)

READ = [one for one in CASES if CASES[one][0].provenance is not Provenance.MEMORY]


@pytest.mark.accepts("NB-09")
@pytest.mark.parametrize("procedure", CASES)
def test_each_method_has_its_cases(procedure: Procedure) -> None:
    for ground in CASES[procedure][1] - {MethodGround.ADDITION}:
        assert case_refusals(procedure, MethodClaim(ground, "说明")) == []


@pytest.mark.refuses("NB-09")
@pytest.mark.parametrize("procedure", READ)
def test_no_other_case_and_none_without_a_paper(procedure: Procedure) -> None:
    article, grounds = CASES[procedure]
    for ground in (None, *(set(MethodGround) - grounds)):
        found = case_refusals(procedure, MethodClaim(ground, "说明"))
        assert [(one.code, one.article) for one in found] == [("no_case", article)]
    silent = case_refusals(procedure, MethodClaim(min(grounds - {MethodGround.ADDITION}), " "))
    assert [one.code for one in silent] == ["no_document"]


@pytest.mark.accepts("NB-12")
@pytest.mark.parametrize("procedure", CASES)
def test_a_case_with_its_paper_is_not_warned_of(procedure: Procedure) -> None:
    for ground in CASES[procedure][1]:
        assert case_cautions(procedure, MethodClaim(ground, "说明")) == []


@pytest.mark.refuses("NB-12")
def test_a_consultation_without_its_case_is_warned_of_and_never_refused() -> None:
    consultation = Procedure.COMPETITIVE_CONSULTATION
    for ground, document in ((None, "说明"), (MethodGround.URGENT, "说明")):
        claim = MethodClaim(ground, document)
        assert [one.code for one in case_cautions(consultation, claim)] == ["no_case"]
        assert case_refusals(consultation, claim) == []
    silent = MethodClaim(MethodGround.COMPLEX, " ")
    assert [one.code for one in case_cautions(consultation, silent)] == ["no_case"]


@pytest.mark.refuses("NB-09")
def test_an_inquiry_is_for_goods_alone() -> None:
    claim = MethodClaim(MethodGround.STANDARD_GOODS, "说明", of_goods=False)
    found = case_refusals(Procedure.REQUEST_FOR_QUOTATIONS, claim)
    assert [one.code for one in found] == ["not_goods"]
    urgent = MethodClaim(MethodGround.URGENT, "说明", of_goods=False)
    assert case_refusals(Procedure.COMPETITIVE_NEGOTIATION, urgent) == []


def test_an_addition_is_a_tenth_of_the_first_contract_at_most() -> None:
    claim = MethodClaim(MethodGround.ADDITION, "原合同", Decimal(100), Decimal(1000))
    assert case_refusals(Procedure.SINGLE_SOURCE, claim) == []
    more = replace(claim, amount=Decimal("100.01"))
    assert [one.code for one in case_refusals(Procedure.SINGLE_SOURCE, more)] == [
        "addition_too_large"
    ]


def test_an_addition_without_its_first_contract_is_too_large() -> None:
    claim = MethodClaim(MethodGround.ADDITION, "原合同", Decimal(100))
    assert [one.code for one in case_refusals(Procedure.SINGLE_SOURCE, claim)] == [
        "addition_too_large"
    ]


def test_a_tender_needs_no_case_and_every_case_has_a_name() -> None:
    assert case_refusals(Procedure.PROCUREMENT_OPEN_TENDER, MethodClaim(None, "")) == []
    assert set(GROUND_NAMES) == set(MethodGround)


@pytest.mark.refuses("NB-01")
@pytest.mark.parametrize(
    ("members", "experts", "at_threshold"),
    [(2, 2, False), (4, 4, False), (3, 1, False), (3, 3, True)],
)
def test_a_group_too_small_or_without_experts_is_warned_of(
    members: int, experts: int, at_threshold: bool
) -> None:
    found = group_cautions(members=members, experts=experts, at_threshold=at_threshold)
    assert [one.code for one in found] == ["group_unfit"]


@pytest.mark.accepts("NB-01")
def test_three_with_two_experts_are_enough_below_the_threshold_and_five_at_it() -> None:
    assert group_cautions(members=3, experts=2, at_threshold=False) == []
    assert group_cautions(members=5, experts=4, at_threshold=True) == []


@pytest.mark.refuses("NB-02")
def test_two_suppliers_are_warned_of() -> None:
    assert [one.code for one in supplier_cautions(2, Procedure.REQUEST_FOR_QUOTATIONS)] == [
        "too_few_suppliers"
    ]


@pytest.mark.accepts("NB-02")
def test_three_are_not_nor_is_the_only_one() -> None:
    assert supplier_cautions(3, Procedure.COMPETITIVE_NEGOTIATION) == []
    assert supplier_cautions(1, Procedure.SINGLE_SOURCE) == []


@pytest.mark.accepts("NB-04", "NB-05")
@given(st.lists(st.tuples(st.integers(1, 50), st.booleans()), max_size=12))
def test_the_lowest_that_meets_the_demand_wins(told: list[tuple[int, bool]]) -> None:
    offers = [
        Offer(PartyId(UUID(int=n + 1)), Decimal(price), meets, n)
        for n, (price, meets) in enumerate(told)
    ]
    found = lowest_that_meets(offers)
    fit = [one for one in offers if one.meets]
    if found is None:
        assert not fit
    else:
        assert found.price == min(one.price for one in fit)
        assert found.number == min(one.number for one in fit if one.price == found.price)


@pytest.mark.refuses("NB-04")
def test_a_lower_price_that_does_not_meet_it_does_not() -> None:
    cheap = Offer(PartyId(UUID(int=1)), Decimal(1), False, 0)
    fit = Offer(PartyId(UUID(int=2)), Decimal(2), True, 1)
    assert lowest_that_meets([cheap, fit]) == fit
    assert lowest_that_meets([cheap]) is None


@pytest.mark.refuses("NB-05")
def test_an_inquiry_takes_one_price() -> None:
    assert [one.code for one in second_price_refusals(named_before=True)] == ["price_named"]
    assert second_price_refusals(named_before=False) == []
    (last,) = second_price_refusals(named_before=True, article=PROCUREMENT_LAW[38])
    assert (last.code, last.article) == ("price_named", PROCUREMENT_LAW[38])
