"""Prequalification: Bidding Regulation 17, 18, 19, 21, 22; Government Procurement Regulation 21."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.identifiers import PartyId
from kernel.statute import BIDDING_REGULATION, PROCUREMENT_REGULATION, Regime
from kernel.working_days import BEIJING, STATE_CALENDAR
from trading.rules.prequalification import (
    ApplicationTimes,
    Condition,
    Finding,
    application_refusals,
    clarification_refusals,
    objection_refusals,
    outcome_refusals,
    passed,
    review_refusals,
    unqualified_article,
)
from trading.rules.procedures import Procedure, switches_of

TENDERING = switches_of(Procedure.OPEN_TENDER_MANDATORY, on=date(2026, 3, 2))
VOLUNTARY = switches_of(Procedure.OPEN_TENDER_VOLUNTARY, on=date(2026, 3, 2))
PROCUREMENT = switches_of(Procedure.PROCUREMENT_OPEN_TENDER, on=date(2026, 3, 2))
SECOND = timedelta(seconds=1)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=BEIJING)


TIMES = ApplicationTimes(
    published_at=at("2026-03-02T09:00:00"),
    documents_until=at("2026-03-11T17:00:00"),
    applications_due_at=at("2026-03-16T09:30:00"),
)


@pytest.mark.accepts("NO-06")
def test_applications_are_due_five_days_after_the_documents_are_no_longer_on_offer() -> None:
    assert application_refusals(TIMES, TENDERING, calendar=STATE_CALENDAR) == []


@pytest.mark.refuses("NO-06")
def test_four_days_are_refused_for_what_must_be_tendered_and_free_for_others() -> None:
    short = replace(TIMES, applications_due_at=at("2026-03-15T23:59:59"))
    found = application_refusals(short, TENDERING, calendar=STATE_CALENDAR)
    assert [(one.code, one.article) for one in found] == [
        ("applications_too_short", BIDDING_REGULATION[17])
    ]
    assert application_refusals(short, VOLUNTARY, calendar=STATE_CALENDAR) == []


@pytest.mark.accepts("NO-07")
def test_procurement_counts_five_working_days_from_the_notice() -> None:
    enough = replace(TIMES, applications_due_at=at("2026-03-09T09:00:00"))
    assert application_refusals(enough, PROCUREMENT, calendar=STATE_CALENDAR) == []


@pytest.mark.refuses("NO-07")
def test_a_day_earlier_is_refused_there() -> None:
    short = replace(TIMES, applications_due_at=at("2026-03-08T23:59:59"))
    found = application_refusals(short, PROCUREMENT, calendar=STATE_CALENDAR)
    assert [one.article for one in found] == [PROCUREMENT_REGULATION[21]]


@pytest.mark.refuses("NO-10")
def test_a_change_two_days_before_moves_the_deadline() -> None:
    found = clarification_refusals(
        published_at=at("2026-03-10T09:00:00"),
        applications_due_at=at("2026-03-12T09:00:00"),
        calendar=STATE_CALENDAR,
    )
    assert [(one.code, one.facts) for one in found] == [
        ("deadline_must_move", {"earliest": "2026-03-13"})
    ]


@pytest.mark.accepts("NO-10")
def test_a_change_three_days_before_does_not() -> None:
    found = clarification_refusals(
        published_at=at("2026-03-10T09:00:00"),
        applications_due_at=at("2026-03-13T09:00:00"),
        calendar=STATE_CALENDAR,
    )
    assert found == []


@pytest.mark.accepts("NO-11")
def test_an_objection_exactly_two_days_before_is_in_time() -> None:
    due = at("2026-03-16T09:30:00")
    raised = at("2026-03-14T09:30:00")
    assert objection_refusals(raised_at=raised, applications_due_at=due) == []


@pytest.mark.refuses("NO-11")
def test_a_second_later_is_late() -> None:
    due = at("2026-03-16T09:30:00")
    found = objection_refusals(
        raised_at=at("2026-03-14T09:30:00") + SECOND, applications_due_at=due
    )
    assert [one.code for one in found] == ["objection_late"]


CONDITIONS = (Condition("grade", "资质"), Condition("works", "业绩"))


def test_who_meets_every_condition_passes_and_silence_is_no_pass() -> None:
    one, two, three = (PartyId(UUID(int=n)) for n in (1, 2, 3))
    found = passed(
        {
            one: [Finding("grade", True), Finding("works", True)],
            two: [Finding("grade", True), Finding("works", False, "少一项")],
            three: [Finding("grade", True)],
        },
        CONDITIONS,
    )
    assert found == {one}


@pytest.mark.refuses("NO-08")
@pytest.mark.parametrize("qualified", [0, 1, 2])
def test_fewer_than_three_who_pass_are_not_enough(qualified: int) -> None:
    assert [one.code for one in outcome_refusals(qualified)] == ["too_few_qualified"]


@pytest.mark.accepts("NO-08")
@given(st.integers(3, 1000))
def test_three_are(qualified: int) -> None:
    assert outcome_refusals(qualified) == []


@pytest.mark.refuses("NO-08")
def test_nobody_is_judged_by_what_was_not_published_or_without_a_reason() -> None:
    findings = [Finding("face", False, "不熟悉"), Finding("grade", False)]
    assert [one.code for one in review_refusals(findings, CONDITIONS)] == [
        *("unknown_condition", "no_reason"),
    ]
    assert review_refusals([Finding("grade", False, "二级")], CONDITIONS) == []


def test_each_family_keeps_out_who_did_not_pass_by_its_own_article() -> None:
    assert unqualified_article(Regime.TENDERING) == BIDDING_REGULATION[19]
    assert unqualified_article(Regime.PROCUREMENT) == PROCUREMENT_REGULATION[21]
