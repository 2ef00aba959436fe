"""The course of a bid security.

Bidding Regulation 26, 31, 35, 51, 57, 74; Electronic Bidding Measures 31; Procurement Tender
Measures 23, 29, 38, 63; Government Procurement Regulation 33.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.statute import BIDDING_REGULATION, PROCUREMENT_TENDER_MEASURES
from kernel.working_days import BEIJING, STATE_CALENDAR
from trading.rules.lot_lifecycle import LotState
from trading.rules.procedures import Procedure, SecurityForm, Switches, switches_of
from trading.rules.security_course import (
    Forfeiture,
    ForfeitureGround,
    GivingBack,
    GuaranteeFacts,
    ReturnCause,
    ReturnDue,
    SecurityFacts,
    SecurityState,
    admission_cautions,
    forfeiture_refusals,
    guarantee_refusals,
    interest_of,
    reference_refusals,
    return_cautions,
    return_due,
    return_refusals,
    state_of,
)

TENDERING = switches_of(Procedure.OPEN_TENDER_MANDATORY, on=date(2026, 3, 2))
PROCUREMENT = switches_of(Procedure.PROCUREMENT_OPEN_TENDER, on=date(2026, 3, 2))
INSTANT = timedelta(microseconds=1)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=BEIJING)


DUE_AT = at("2026-03-23T09:30:00")
ASKED = Decimal("800000.00")
NOTHING = SecurityFacts(asked=ASKED, bids_due_at=DUE_AT)
PAID = replace(NOTHING, paid=ASKED, paid_in_time=ASKED)
BID = replace(PAID, closed=True, has_bid=True)
AWARDED = replace(BID, awarded_at=at("2026-04-20T10:00:00"))
SIGNED = replace(AWARDED, contract_at=at("2026-05-06T16:00:00"))


def due(facts: SecurityFacts, switches: Switches = TENDERING) -> ReturnDue | None:
    return return_due(facts, switches, calendar=STATE_CALENDAR)


def became(facts: SecurityFacts, switches: Switches = TENDERING) -> SecurityState:
    return state_of(facts, due=due(facts, switches))


def test_a_security_goes_from_due_over_paid_and_held_to_returned() -> None:
    course = {
        SecurityState.NOT_ASKED: replace(NOTHING, asked=Decimal(0)),
        SecurityState.DUE: NOTHING,
        SecurityState.SHORT: replace(PAID, paid=Decimal(1), paid_in_time=Decimal(1)),
        SecurityState.PAID: PAID,
        SecurityState.GUARANTEED: replace(NOTHING, guaranteed=True),
        SecurityState.MISSING: replace(NOTHING, closed=True, has_bid=True),
        SecurityState.LATE: replace(BID, paid_in_time=Decimal(0)),
        SecurityState.HELD: BID,
        SecurityState.TO_RETURN: SIGNED,
        SecurityState.RETURNED: replace(SIGNED, given_back=ASKED),
        SecurityState.FORFEITED: replace(BID, forfeited=True),
    }
    assert {became(facts) for facts in course.values()} == set(SecurityState)
    assert {state: became(facts) for state, facts in course.items()} == {
        state: state for state in SecurityState
    }


@pytest.mark.accepts("BI-04")
def test_a_withdrawal_before_the_deadline_brings_it_back_within_five_days() -> None:
    """Regulation 35 counts days, 87号令 38 working days; Saturday the 14th moves to Monday."""
    withdrawn = replace(PAID, withdrawn_at=at("2026-03-09T15:00:00"))
    found = due(withdrawn)
    assert found is not None
    assert (found.cause, found.due_at) == (ReturnCause.WITHDRAWN, at("2026-03-17T00:00:00"))
    assert found.article == BIDDING_REGULATION[35]
    working = due(withdrawn, PROCUREMENT)
    assert working is not None
    assert working.due_at == at("2026-03-17T00:00:00")
    assert working.article == PROCUREMENT_TENDER_MEASURES[38]


@pytest.mark.accepts("AW-12")
def test_in_tendering_it_goes_back_within_five_days_of_the_contract_and_not_of_the_award() -> None:
    assert due(AWARDED) is None
    found = due(SIGNED)
    assert found is not None
    assert (found.cause, found.due_at) == (ReturnCause.CONTRACT, at("2026-05-12T00:00:00"))


@pytest.mark.accepts("AW-13")
def test_in_procurement_losers_wait_for_the_notice_and_the_winner_for_the_contract() -> None:
    lost = due(AWARDED, PROCUREMENT)
    assert lost is not None
    assert (lost.cause, lost.due_at) == (ReturnCause.LOST, at("2026-04-28T00:00:00"))
    assert due(replace(AWARDED, won=True), PROCUREMENT) is None
    won = due(replace(SIGNED, won=True), PROCUREMENT)
    assert won is not None
    assert won.cause is ReturnCause.CONTRACT


def test_what_happened_to_the_bid_alone_comes_before_what_ended_the_lot() -> None:
    ended = replace(BID, ended_at=at("2026-03-24T09:00:00"))
    causes = {
        ReturnCause.ENDED: ended,
        ReturnCause.DEEMED_WITHDRAWN: replace(ended, deemed_withdrawn_at=DUE_AT),
        ReturnCause.NO_BID: replace(ended, has_bid=False),
        ReturnCause.EXTENSION_REFUSED: replace(ended, extension_refused_at=DUE_AT),
        ReturnCause.LEFT_TALKS: replace(ended, left_talks_at=DUE_AT),
        ReturnCause.WITHDRAWN: replace(ended, withdrawn_at=DUE_AT - timedelta(days=1)),
    }
    for cause, facts in causes.items():
        found = due(facts)
        assert found is not None
        assert found.cause is cause
    by_law = due(ended, PROCUREMENT)
    assert by_law is not None
    assert (by_law.ours, by_law.article) == (False, PROCUREMENT_TENDER_MEASURES[29])
    by_us = due(ended)
    assert by_us is not None
    assert (by_us.ours, by_us.article) == (True, BIDDING_REGULATION[31])


@given(
    st.sampled_from([NOTHING, replace(SIGNED, given_back=ASKED), replace(SIGNED, forfeited=True)])
)
def test_nothing_is_due_where_nothing_is_held(facts: SecurityFacts) -> None:
    assert due(facts) is None


# ── admission ─────────────────────────────────────────────────────────────────────────────────


def test_a_payment_at_the_very_deadline_is_late_and_only_the_committee_is_told() -> None:
    assert admission_cautions(BID, TENDERING) == []
    assert admission_cautions(replace(BID, asked=Decimal(0)), TENDERING) == []
    late = replace(BID, paid_in_time=Decimal(0))
    short = replace(BID, paid_in_time=ASKED - Decimal("0.01"))
    missing = replace(late, paid=Decimal(0))
    codes = ["security_late", "security_short", "security_missing"]
    for facts, code in zip((late, short, missing), codes, strict=True):
        (caution,) = admission_cautions(facts, TENDERING)
        assert (caution.code, caution.article) == (code, BIDDING_REGULATION[51, 6])
        (caution,) = admission_cautions(facts, PROCUREMENT)
        assert caution.article == PROCUREMENT_TENDER_MEASURES[63, 1]


GUARANTEE = GuaranteeFacts(
    form=SecurityForm.BANK_GUARANTEE,
    amount=ASKED,
    valid_until=date(2026, 6, 21),
    filed_at=DUE_AT - INSTANT,
    asked=ASKED,
    forms=frozenset({SecurityForm.BANK_GUARANTEE, SecurityForm.TRANSFER}),
    bids_due_at=DUE_AT,
    validity_ends_on=date(2026, 6, 21),
)


@pytest.mark.accepts("NO-14", "NO-15")
def test_a_guarantee_that_lasts_as_long_as_the_bid_is_taken_to_the_last_instant() -> None:
    assert guarantee_refusals(GUARANTEE, TENDERING) == []
    assert guarantee_refusals(GUARANTEE, PROCUREMENT) == []
    assert guarantee_refusals(replace(GUARANTEE, filed_at=DUE_AT, extends=True), TENDERING) == []


@pytest.mark.refuses("NO-14", "NO-15")
@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"form": SecurityForm.INSURANCE}, "form_not_allowed"),
        ({"form": SecurityForm.TRANSFER}, "form_not_allowed"),
        ({"amount": ASKED - Decimal("0.01")}, "amount_short"),
        ({"valid_until": date(2026, 6, 20)}, "expires_early"),
        ({"filed_at": DUE_AT}, "security_late"),
        ({"asked": Decimal(0)}, "no_security_asked"),
    ],
)
def test_a_guarantee_that_falls_short_of_the_notice_is_not_taken(
    change: dict[str, object], code: str
) -> None:
    facts = replace(GUARANTEE, **change)  # type: ignore[arg-type]  # one member at a time
    assert [one.code for one in guarantee_refusals(facts, TENDERING)] == [code]


def reference(**changes: object) -> list[str]:
    facts: dict[str, object] = {
        "asked": ASKED,
        "forms": frozenset({SecurityForm.TRANSFER}),
        "now": DUE_AT - INSTANT,
        "bids_due_at": DUE_AT,
        "lot_state": LotState.OPEN,
        "switches": TENDERING,
        **changes,
    }
    return [one.code for one in reference_refusals(**facts)]  # type: ignore[arg-type]  # as above


def test_a_number_to_pay_under_is_given_while_money_is_asked_and_would_come_in_time() -> None:
    assert reference() == []
    assert reference(now=DUE_AT) == ["security_late"]
    assert reference(asked=Decimal(0)) == ["no_security_asked"]
    assert reference(forms=GUARANTEE.forms - {SecurityForm.TRANSFER}) == ["form_not_allowed"]
    assert reference(lot_state=LotState.CANCELLED) == ["not_open"]


# ── giving back, and keeping ──────────────────────────────────────────────────────────────────


def giving(facts: SecurityFacts, switches: Switches = TENDERING, **changes: object) -> GivingBack:
    found = GivingBack(facts, due(facts, switches), at("2026-05-11T23:59:59"), Decimal("0.05"))
    return replace(found, **changes)  # type: ignore[arg-type]  # one member at a time


@pytest.mark.accepts("NO-21")
@pytest.mark.parametrize(
    "facts",
    [
        SIGNED,
        replace(BID, ended_at=DUE_AT),
        AWARDED,
        replace(PAID, withdrawn_at=DUE_AT - timedelta(days=1)),
    ],
    ids=["contract", "ended", "lost", "withdrawn"],
)
def test_what_is_due_or_lost_goes_back(facts: SecurityFacts) -> None:
    assert return_refusals(giving(facts), TENDERING) == []


@pytest.mark.refuses("AW-12", "NO-21", "BI-04")
def test_it_stays_as_long_as_the_bid_binds_and_goes_back_with_interest() -> None:
    """Regulation 26 and 87号令 23: as long as the bid; 57 and 31: with the bank's interest."""
    for facts in (BID, PAID, replace(AWARDED, won=True)):
        assert [one.code for one in return_refusals(giving(facts), TENDERING)] == ["still_needed"]
    sealed = giving(AWARDED, sealed=True)
    assert [one.code for one in return_refusals(sealed, TENDERING)] == ["still_needed"]
    gone = giving(replace(SIGNED, given_back=ASKED))
    assert [one.code for one in return_refusals(gone, TENDERING)] == ["nothing_held"]
    for facts, article in ((SIGNED, 57), (replace(BID, ended_at=DUE_AT), 31)):
        (refusal,) = return_refusals(giving(facts, annual_rate=Decimal(0)), TENDERING)
        assert (refusal.code, refusal.article) == ("no_interest", BIDDING_REGULATION[article])
    withdrawn = replace(PAID, withdrawn_at=DUE_AT - timedelta(days=1))
    assert return_refusals(giving(withdrawn, annual_rate=Decimal(0)), TENDERING) == []
    assert return_refusals(giving(BID), PROCUREMENT)[0].article == PROCUREMENT_TENDER_MEASURES[23]


@pytest.mark.refuses("AW-13")
def test_in_procurement_nothing_runs_in_time_and_a_fifth_more_after_it() -> None:
    in_time = giving(AWARDED, PROCUREMENT, annual_rate=Decimal(0))
    in_time = replace(in_time, returned_at=at("2026-04-27T23:59:59"))
    assert return_refusals(in_time, PROCUREMENT) == []
    assert interest_of(in_time, PROCUREMENT, arrived=[(DUE_AT, ASKED)]) == 0
    late = replace(in_time, returned_at=at("2026-04-28T00:00:00"))
    assert [one.code for one in return_refusals(late, PROCUREMENT)] == ["no_interest"]
    paid = replace(late, annual_rate=Decimal("3.6"))
    assert return_refusals(paid, PROCUREMENT) == []
    # 800000 x 3.6% x 1.2 / 360 a day
    assert interest_of(paid, PROCUREMENT, arrived=[]) == Decimal("96.00")


@pytest.mark.refuses("BI-04")
def test_a_return_after_its_last_day_is_recorded_as_late() -> None:
    assert return_cautions(giving(SIGNED, returned_at=at("2026-05-12T00:00:00") - INSTANT)) == []
    (caution,) = return_cautions(giving(SIGNED, returned_at=at("2026-05-12T00:00:00")))
    assert (caution.code, caution.article) == ("returned_late", BIDDING_REGULATION[57])
    assert return_cautions(giving(AWARDED)) == []


def test_each_payment_earns_for_its_own_days() -> None:
    two = [(at("2026-03-20T10:00:00"), Decimal(600000)), (DUE_AT, Decimal(200000))]
    back = giving(SIGNED, returned_at=at("2026-05-11T10:00:00"), annual_rate=Decimal("0.36"))
    # 600000 for 52 days and 200000 for 49, at 0.001% a day
    assert interest_of(back, TENDERING, arrived=two) == Decimal("410.00")


REVOKED = Forfeiture(ForfeitureGround.REVOKED, BID, revoked=True, reason="未在规定时间内解密")
REFUSED = Forfeiture(
    ForfeitureGround.AWARD_REFUSED, replace(AWARDED, won=True), revoked=False, reason="拒签合同"
)


@pytest.mark.accepts("BI-05", "AW-16")
def test_it_may_be_kept_of_who_revoked_and_of_a_winner_who_does_not_sign() -> None:
    assert forfeiture_refusals(REVOKED, TENDERING) == []
    assert forfeiture_refusals(REVOKED, PROCUREMENT) == []
    assert forfeiture_refusals(REFUSED, TENDERING) == []


@pytest.mark.refuses("BI-05", "AW-16")
def test_it_may_not_be_kept_on_a_ground_that_the_record_does_not_show() -> None:
    """Regulation 35 and 74; 87号令 23."""

    def codes(forfeiture: Forfeiture, switches: Switches = TENDERING) -> list[str]:
        return [one.code for one in forfeiture_refusals(forfeiture, switches)]

    assert codes(replace(REVOKED, revoked=False)) == ["not_revoked"]
    assert codes(replace(REVOKED, reason=" ")) == ["no_reason"]
    assert codes(replace(REVOKED, facts=NOTHING)) == ["nothing_held"]
    assert codes(replace(REFUSED, facts=AWARDED)) == ["not_the_winner"]
    signed = replace(SIGNED, won=True)
    assert codes(replace(REFUSED, facts=signed)) == ["concluded_already"]
    assert codes(REFUSED, PROCUREMENT) == ["ground_unknown"]


def test_whoever_lost_the_award_by_not_signing_gets_nothing_back_and_others_do() -> None:
    """Regulation 74, AW-16; procurement keeps nothing on this ground."""
    lost = replace(AWARDED, award_refused=True)
    assert due(lost) is None
    assert due(replace(SIGNED, award_refused=True)) is None
    assert due(replace(lost, ended_at=at("2026-05-02T10:00:00"))) is None
    back = due(SIGNED)
    assert back is not None
    assert back.cause is ReturnCause.CONTRACT
    giving = GivingBack(lost, None, at("2026-05-02T10:00:00"), Decimal(1))
    assert [one.code for one in return_refusals(giving, TENDERING)] == ["award_refused"]
    found = due(lost, PROCUREMENT)
    assert found is not None
    assert found.cause is ReturnCause.LOST
    assert forfeiture_refusals(replace(REFUSED, facts=lost), TENDERING) == []
    # The next winner's contract changes nothing for the one that lost the award.
    later = replace(SIGNED, award_refused=True)
    assert forfeiture_refusals(replace(REFUSED, facts=later), TENDERING) == []
