"""Contracts, securities and settlements: Bidding Law 46, 48; Bidding Regulation 57, 58, 59, 74;
Government Procurement Law 46, 47, 49, 50; Government Procurement Regulation 48, 50, 54; Procurement
Tender Measures 38, 71; SME Payment Regulation 9, 13; Opinions on Conduct 7.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.statute import BIDDING_REGULATION, PROCUREMENT_LAW
from kernel.working_days import BEIJING, STATE_CALENDAR, end_of_day
from trading.rules.contract_terms import (
    CHANGE_NAMES,
    Change,
    ChangeReason,
    ContractDraft,
    ContractTerms,
    Settlement,
    change_refusals,
    contract_cautions,
    contract_due_at,
    contract_refusals,
    payment_cautions,
    publication_dates,
    return_dates,
    security_refusals,
    settlement_cautions,
    subcontract_cautions,
)
from trading.rules.procedures import Procedure, SecurityForm, switches_of

TENDERING = switches_of(Procedure.OPEN_TENDER_MANDATORY, on=date(2026, 3, 2))
PROCUREMENT = switches_of(Procedure.PROCUREMENT_OPEN_TENDER, on=date(2026, 3, 2))


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=BEIJING)


AWARDED = ContractTerms("临江新区污水管网一标", Decimal("10000000.00"), "合格", "180日")
DRAFT = ContractDraft(
    terms=AWARDED,
    awarded=AWARDED,
    performance_security=Decimal("1000000.00"),
    security_forms=frozenset({SecurityForm.BANK_GUARANTEE}),
    awarded_at=at("2026-06-01T09:00:00"),
    signed_at=at("2026-07-01T23:59:59"),
)
SECOND = timedelta(seconds=1)


def codes(draft: ContractDraft, switches: object = TENDERING) -> list[str]:
    assert isinstance(switches, type(TENDERING))
    return [one.code for one in contract_refusals(draft, switches)]


@pytest.mark.accepts("AW-11", "AW-14")
def test_a_contract_that_says_what_was_awarded_is_signed() -> None:
    assert codes(DRAFT) == codes(DRAFT, PROCUREMENT) == []


@pytest.mark.refuses("AW-11")
@pytest.mark.parametrize(
    ("term", "value"),
    [
        ("subject", "二标"),
        ("price", Decimal("10000000.01")),
        ("quality", "优良"),
        ("period", "181日"),
    ],
)
def test_no_main_term_may_differ_from_bid_and_documents(term: str, value: object) -> None:
    other = replace(DRAFT, terms=replace(AWARDED, **{term: value}))  # type: ignore[arg-type]  # one member by name
    found = contract_refusals(other, TENDERING)
    assert [(one.code, one.facts["term"]) for one in found] == [("contract_differs", term)]
    assert found[0].article == BIDDING_REGULATION[57]
    assert contract_refusals(other, PROCUREMENT)[0].article == PROCUREMENT_LAW[46]


@pytest.mark.accepts("AW-11")
def test_thirty_days_after_the_notice_end_at_midnight_of_the_thirtieth() -> None:
    assert contract_due_at(DRAFT.awarded_at, TENDERING, calendar=STATE_CALENDAR) == end_of_day(
        date(2026, 7, 1)
    )
    assert contract_cautions(DRAFT, TENDERING, calendar=STATE_CALENDAR) == []


@pytest.mark.refuses("AW-11")
def test_a_second_later_is_warned_of() -> None:
    late = replace(DRAFT, signed_at=DRAFT.signed_at + SECOND)
    found = contract_cautions(late, TENDERING, calendar=STATE_CALENDAR)
    assert [one.code for one in found] == ["contract_late"]


@pytest.mark.refuses("AW-14")
def test_a_fen_above_a_tenth_is_too_much_security() -> None:
    more = replace(DRAFT, performance_security=Decimal("1000000.01"))
    assert codes(more) == ["performance_security_too_high"]
    assert codes(replace(DRAFT, performance_security=Decimal("-0.01"))) == ["security_negative"]


@given(st.integers(1, 10**13), st.integers(0, 10**13))
def test_a_security_is_too_high_exactly_above_a_tenth(price: int, security: int) -> None:
    terms = replace(AWARDED, price=Decimal(price) / 100)
    draft = replace(DRAFT, terms=terms, awarded=terms, performance_security=Decimal(security) / 100)
    assert bool(security_refusals(draft, TENDERING)) is (security * 10 > price)


@pytest.mark.refuses("AW-14")
def test_procurement_takes_no_cash_and_everybody_takes_guarantees() -> None:
    cash = replace(DRAFT, security_forms=frozenset({SecurityForm.CASH}))
    assert codes(cash, PROCUREMENT) == ["security_in_cash", "guarantee_refused"]
    assert codes(cash) == ["guarantee_refused"]


@pytest.mark.refuses("CO-07")
def test_a_procurement_contract_waits_for_open_challenges() -> None:
    challenged = replace(DRAFT, open_challenges=1)
    assert codes(challenged, PROCUREMENT) == ["challenge_open"]
    assert codes(challenged) == []


@pytest.mark.accepts("AW-12", "AW-13")
def test_securities_go_back_from_the_contract_or_in_procurement_from_the_notice() -> None:
    signed = at("2026-06-15T10:00:00")
    told = return_dates(
        awarded_at=DRAFT.awarded_at, signed_at=signed, switches=TENDERING, calendar=STATE_CALENDAR
    )
    assert (told.losers, told.winner) == (end_of_day(date(2026, 6, 22)),) * 2, "20 June is Saturday"
    told = return_dates(
        awarded_at=DRAFT.awarded_at, signed_at=signed, switches=PROCUREMENT, calendar=STATE_CALENDAR
    )
    assert told.losers == end_of_day(date(2026, 6, 8))
    assert told.winner == end_of_day(date(2026, 6, 23)), "19 June is the Dragon Boat holiday"


@pytest.mark.refuses("AW-12", "AW-13")
def test_a_return_is_late_from_the_end_of_its_last_day() -> None:
    signed = at("2026-06-01T10:00:00")
    told = return_dates(
        awarded_at=signed, signed_at=signed, switches=TENDERING, calendar=STATE_CALENDAR
    )
    assert at("2026-06-08T23:59:59") < told.winner <= at("2026-06-09T00:00:00")


@pytest.mark.accepts("AW-15")
def test_procurement_publishes_in_two_working_days_and_files_in_seven() -> None:
    told = publication_dates(at("2026-09-29T10:00:00"), PROCUREMENT, calendar=STATE_CALENDAR)
    assert told is not None
    assert told.public == end_of_day(date(2026, 10, 8)), "the National Day is not worked"
    assert told.filed == end_of_day(date(2026, 10, 14))
    assert publication_dates(at("2026-09-29T10:00:00"), TENDERING, calendar=STATE_CALENDAR) is None


ADDED = Change(
    ChangeReason.ADDITIONAL_PURCHASE, "追加管材", Decimal("400000.00"), AWARDED.price,
    Decimal("600000.00"),
)  # fmt: skip


@pytest.mark.accepts("AW-15")
def test_supplements_of_a_tenth_together_are_allowed() -> None:
    assert change_refusals(ADDED, PROCUREMENT) == []


@pytest.mark.refuses("AW-15")
def test_a_fen_more_is_not_but_only_in_procurement() -> None:
    more = replace(ADDED, amount=Decimal("400000.01"))
    assert [one.code for one in change_refusals(more, PROCUREMENT)] == ["supplement_too_large"]
    assert change_refusals(more, TENDERING) == []


@pytest.mark.parametrize("reason", ChangeReason)
def test_every_change_says_why_and_has_a_name(reason: ChangeReason) -> None:
    silent = replace(ADDED, reason=reason, words=" ", amount=Decimal(0))
    assert [one.code for one in change_refusals(silent, TENDERING)] == ["no_reason"]
    assert CHANGE_NAMES[reason]


def test_a_correction_costs_nothing() -> None:
    costly = replace(ADDED, reason=ChangeReason.CORRECTION, amount=Decimal("0.01"))
    assert [one.code for one in change_refusals(costly, TENDERING)] == ["correction_costs"]


@pytest.mark.refuses("AW-17")
def test_signs_of_a_forbidden_transfer_are_warned_of() -> None:
    found = subcontract_cautions(main_part=True, agreed=False, again=True)
    assert [one.code for one in found] == ["main_part", "not_agreed", "sub_subcontract"]


@pytest.mark.accepts("AW-17")
def test_an_agreed_subcontract_of_a_minor_part_is_not() -> None:
    assert subcontract_cautions(main_part=False, agreed=True, again=False) == []


@pytest.mark.refuses("AW-18")
@pytest.mark.parametrize(
    ("pays_on", "code"),
    [(date(2026, 4, 2), "payment_late"), (date(2026, 5, 7), "payment_too_late")],
)
def test_late_payments_to_small_enterprises_are_warned_of(pays_on: date, code: str) -> None:
    found = payment_cautions(
        delivered_on=date(2026, 3, 2),
        pays_on=pays_on,
        small_enterprise=True,
        calendar=STATE_CALENDAR,
    )
    assert [one.code for one in found] == [code]


@pytest.mark.accepts("AW-18")
def test_a_payment_on_the_thirtieth_day_is_in_time_and_large_firms_are_not_meant() -> None:
    for small, pays_on in ((True, date(2026, 4, 1)), (False, date(2026, 12, 1))):
        found = payment_cautions(
            delivered_on=date(2026, 3, 2),
            pays_on=pays_on,
            small_enterprise=small,
            calendar=STATE_CALENDAR,
        )
        assert found == []


def test_a_settlement_tells_its_difference_and_share() -> None:
    told = Settlement(Decimal("10000000.00"), Decimal("10512345.67"))
    assert told.difference == Decimal("512345.67")
    assert told.share == Decimal("0.0512")
    assert Settlement(Decimal(100), Decimal(80)).share == Decimal("-0.2000")
    with pytest.raises(ValueError, match="price"):
        _ = Settlement(Decimal(0), Decimal(1)).share


@pytest.mark.refuses("AW-19")
def test_an_unexplained_difference_is_warned_of() -> None:
    told = Settlement(Decimal(100), Decimal(101))
    assert [one.code for one in settlement_cautions(told, explained="")] == [
        "difference_unexplained"
    ]


@pytest.mark.accepts("AW-19")
def test_no_difference_or_an_explained_one_is_not() -> None:
    assert settlement_cautions(Settlement(Decimal(100), Decimal(100)), explained="") == []
    assert settlement_cautions(Settlement(Decimal(100), Decimal(101)), explained="设计变更") == []
