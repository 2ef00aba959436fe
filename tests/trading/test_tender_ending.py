"""How a tender ends before its time: Bidding Regulation 23, 31; Procurement Tender Measures 29;
Electronic Bidding Measures 52; Ningbo Resource Trading Regulation 25.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal

import pytest

from kernel.working_days import BEIJING, STATE_CALENDAR, end_of_day
from trading.rules.lot_lifecycle import UNBRAKED, LotState
from trading.rules.procedures import Procedure, switches_of
from trading.rules.tender_ending import (
    Termination,
    halts_for_fault,
    order_refusals,
    retender_refusals,
    return_due_at,
    termination_refusals,
)

TENDERING = switches_of(Procedure.OPEN_TENDER_MANDATORY, on=date(2026, 3, 2))
VOLUNTARY = switches_of(Procedure.OPEN_TENDER_VOLUNTARY, on=date(2026, 3, 2))
PROCUREMENT = switches_of(Procedure.PROCUREMENT_OPEN_TENDER, on=date(2026, 3, 2))

FAIR = Termination("项目取消", Decimal(500), Decimal(20_000), True, True, told_finance=True)


@pytest.mark.accepts("NO-21")
def test_a_tender_that_gives_back_what_was_paid_may_be_ended() -> None:
    assert termination_refusals(FAIR, TENDERING) == termination_refusals(FAIR, PROCUREMENT) == []
    nothing = Termination("项目取消", Decimal(0), Decimal(0), False, False)
    assert termination_refusals(nothing, TENDERING) == []


@pytest.mark.refuses("NO-21")
@pytest.mark.parametrize(
    ("spoilt", "code"),
    [
        (replace(FAIR, reason=" "), "no_reason"),
        (replace(FAIR, promises_return=False), "no_return"),
        (replace(FAIR, promises_interest=False), "no_interest"),
    ],
)
def test_what_was_paid_goes_back_with_interest(spoilt: Termination, code: str) -> None:
    for switches in (TENDERING, PROCUREMENT):
        assert [one.code for one in termination_refusals(spoilt, switches)] == [code]


@pytest.mark.refuses("NO-21")
def test_procurement_tells_the_finance_department() -> None:
    silent = replace(FAIR, told_finance=False)
    assert [one.code for one in termination_refusals(silent, PROCUREMENT)] == ["finance_not_told"]
    assert termination_refusals(silent, TENDERING) == []


def test_procurement_returns_in_five_working_days() -> None:
    ended = datetime(2026, 9, 28, 10, tzinfo=BEIJING)
    assert return_due_at(ended, PROCUREMENT, calendar=STATE_CALENDAR) == end_of_day(
        date(2026, 10, 10)
    ), "a Saturday that is worked"
    assert return_due_at(ended, TENDERING, calendar=STATE_CALENDAR) is None


@pytest.mark.refuses("NO-12")
def test_unlawful_papers_are_mended_before_the_lot_is_tendered_again() -> None:
    found = retender_refusals(voided_for="限定品牌", changed=False, switches=TENDERING)
    assert [one.code for one in found] == ["papers_not_mended"]


@pytest.mark.accepts("NO-12")
def test_mended_papers_and_papers_nobody_called_unlawful_may_be_used() -> None:
    assert retender_refusals(voided_for="限定品牌", changed=True, switches=TENDERING) == []
    assert retender_refusals(voided_for="", changed=False, switches=TENDERING) == []
    for elsewhere in (VOLUNTARY, PROCUREMENT):
        assert retender_refusals(voided_for="限定品牌", changed=False, switches=elsewhere) == []


@pytest.mark.refuses("PL-15")
def test_an_order_says_who_what_and_by_which_paper() -> None:
    found = order_refusals(ordered_by="", document=" ", words="")
    assert [one.facts["member"] for one in found] == ["ordered_by", "document", "words"]


@pytest.mark.accepts("PL-15")
def test_a_complete_order_is_taken_in() -> None:
    assert order_refusals(ordered_by="江城市发改委", document="〔2026〕1号", words="暂停") == []


@pytest.mark.refuses("PL-16")
@pytest.mark.parametrize("state", sorted(set(LotState) - UNBRAKED))
def test_a_fault_that_lasts_halts_a_lot_that_is_under_way(state: LotState) -> None:
    assert halts_for_fault(state, cured=False, fallback=False)


@pytest.mark.accepts("PL-16")
@pytest.mark.parametrize("state", LotState)
def test_a_fault_that_is_cured_or_stood_in_for_halts_nothing(state: LotState) -> None:
    assert not halts_for_fault(state, cured=True, fallback=False)
    assert not halts_for_fault(state, cured=False, fallback=True)
    if state in UNBRAKED:
        assert not halts_for_fault(state, cured=False, fallback=False)
