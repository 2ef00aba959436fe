"""When a complaint is in time and by when it is decided: Bidding Regulation 60, 61, 62; Government
Procurement Law 55, 56, 57; Government Procurement Regulation 55, 57, 58; and, from memory,
Complaint Measures 7, 12, 15, 19.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.statute import BIDDING_REGULATION, PROCUREMENT_LAW, Regime
from kernel.working_days import BEIJING, STATE_CALENDAR, end_of_day
from trading.rules.complaint_window import (
    OBJECTION_FIRST,
    ComplaintAbout,
    ComplaintFacts,
    PriorObjection,
    Verdict,
    acceptance_due_at,
    complaint_cautions,
    complaint_refusals,
    complaint_until,
    decision_cautions,
    decision_due_at,
    decision_refusals,
    suspension_until,
)
from trading.rules.objection_window import Interest

TENDERING, PROCUREMENT = Regime.TENDERING, Regime.PROCUREMENT
SECOND = timedelta(seconds=1)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=BEIJING)


ANSWERED = PriorObjection(
    raised_at=at("2026-03-03T10:00:00"),
    answered_at=at("2026-03-05T10:00:00"),
    answer_due_at=at("2026-03-07T00:00:00"),
)
IN_TIME = ComplaintFacts(
    about=ComplaintAbout.CONDUCT,
    filed_at=at("2026-03-12T23:59:59"),
    known_on=date(2026, 3, 2),
    interest=Interest.BIDDER,
    request="责令改正",
    facts="招标文件限定品牌",
    evidence=1,
)


def codes(complaint: ComplaintFacts, regime: Regime = TENDERING) -> list[str]:
    return [one.code for one in complaint_refusals(complaint, regime, calendar=STATE_CALENDAR)]


@pytest.mark.accepts("CO-01")
def test_a_complaint_on_the_tenth_day_is_in_time() -> None:
    assert codes(IN_TIME) == []


@pytest.mark.refuses("CO-01")
def test_a_complaint_a_second_later_is_late() -> None:
    late = replace(IN_TIME, filed_at=IN_TIME.filed_at + SECOND)
    found = complaint_refusals(late, TENDERING, calendar=STATE_CALENDAR)
    assert [(one.code, one.article) for one in found] == [
        ("complaint_late", BIDDING_REGULATION[60])
    ]
    assert found[0].facts == {"until": at("2026-03-13T00:00:00").isoformat()}


def test_a_tenth_day_that_is_a_rest_day_moves() -> None:
    known = replace(IN_TIME, known_on=date(2026, 9, 21))
    until = complaint_until(known, TENDERING, calendar=STATE_CALENDAR)
    assert until == end_of_day(date(2026, 10, 8))


@pytest.mark.refuses("CO-01")
@pytest.mark.parametrize("about", sorted(OBJECTION_FIRST))
def test_documents_opening_and_result_want_an_objection_first(about: ComplaintAbout) -> None:
    assert codes(replace(IN_TIME, about=about)) == ["objection_first"]
    assert codes(replace(IN_TIME, about=about, objection=ANSWERED)) == []


@pytest.mark.accepts("CO-01")
def test_the_days_of_the_objection_are_not_counted() -> None:
    with_objection = replace(IN_TIME, about=ComplaintAbout.RESULT, objection=ANSWERED)
    until = complaint_until(with_objection, TENDERING, calendar=STATE_CALENDAR)
    assert until == end_of_day(date(2026, 3, 16)), "the 14th is a Saturday"
    assert codes(replace(with_objection, filed_at=until - SECOND)) == []
    assert codes(replace(with_objection, filed_at=until)) == ["complaint_late"]


def test_an_answer_that_is_still_due_is_waited_for() -> None:
    waiting = replace(ANSWERED, answered_at=None)
    complaint = replace(IN_TIME, about=ComplaintAbout.RESULT, objection=waiting)
    early = replace(complaint, filed_at=waiting.answer_due_at - SECOND)
    assert codes(early) == ["answer_awaited"]
    assert codes(replace(complaint, filed_at=waiting.answer_due_at)) == []


@pytest.mark.refuses("CO-01")
def test_every_lack_is_told_at_once() -> None:
    bare = replace(IN_TIME, interest=Interest.NONE, request=" ", facts="", evidence=0)
    assert codes(bare) == ["no_interest", "no_request", "no_facts", "no_evidence"]


@pytest.mark.refuses("CO-07")
def test_in_procurement_the_challenge_comes_first_and_bounds_the_matter() -> None:
    assert codes(IN_TIME, PROCUREMENT) == ["objection_first"]
    beyond = replace(IN_TIME, objection=ANSWERED, within_challenge=False)
    assert codes(beyond, PROCUREMENT) == ["beyond_challenge"]


@pytest.mark.accepts("CO-07")
def test_in_procurement_fifteen_working_days_run_from_when_the_answer_was_due() -> None:
    challenged = PriorObjection(
        raised_at=at("2026-09-14T10:00:00"),
        answered_at=at("2026-09-18T10:00:00"),
        answer_due_at=at("2026-09-24T00:00:00"),
    )
    complaint = replace(IN_TIME, objection=challenged)
    until = complaint_until(complaint, PROCUREMENT, calendar=STATE_CALENDAR)
    assert until == end_of_day(date(2026, 10, 21)), "the National Day moves it"
    assert codes(replace(complaint, filed_at=until - SECOND), PROCUREMENT) == []
    late = complaint_refusals(
        replace(complaint, filed_at=until), PROCUREMENT, calendar=STATE_CALENDAR
    )
    assert [(one.code, one.article) for one in late] == [("complaint_late", PROCUREMENT_LAW[55])]


def test_a_year_without_a_calendar_is_said_and_not_guessed() -> None:
    found = codes(replace(IN_TIME, known_on=date(2031, 1, 1), filed_at=at("2031-01-02T00:00:00")))
    assert found == ["calendar_missing"]


@pytest.mark.refuses("CO-03", "CO-04")
def test_what_only_the_complaint_measures_say_is_warned_of() -> None:
    doubtful = replace(
        IN_TIME,
        names_complete=False,
        signed_by_representative=False,
        elsewhere=True,
        decided_before=True,
    )
    assert codes(doubtful) == []
    assert [one.code for one in complaint_cautions(doubtful)] == [
        *("names_incomplete", "not_signed", "elsewhere", "decided_before"),
    ]


@pytest.mark.accepts("CO-03", "CO-04")
def test_a_complete_complaint_is_not_warned_of() -> None:
    assert complaint_cautions(IN_TIME) == []


@pytest.mark.accepts("CO-02")
def test_the_supervisor_has_three_working_days_and_then_thirty() -> None:
    filed = at("2026-03-05T10:00:00")
    assert acceptance_due_at(filed, calendar=STATE_CALENDAR) == end_of_day(date(2026, 3, 10))
    due = decision_due_at(filed, calendar=STATE_CALENDAR)
    later = decision_due_at(filed, excluded_days=5, calendar=STATE_CALENDAR)
    assert due == end_of_day(date(2026, 4, 17)), "Qingming is a holiday"
    assert later == end_of_day(date(2026, 4, 24))


@given(st.dates(date(2026, 1, 1), date(2026, 8, 1)), st.integers(0, 20))
def test_excluded_days_never_bring_a_decision_forward(day: date, excluded: int) -> None:
    begun = end_of_day(day) - SECOND
    plain = decision_due_at(begun, calendar=STATE_CALENDAR)
    assert decision_due_at(begun, excluded_days=excluded, calendar=STATE_CALENDAR) >= plain


@pytest.mark.refuses("CO-02", "CO-06")
def test_a_decision_states_facts_and_basis_and_proves_a_falsehood() -> None:
    for regime in (TENDERING, PROCUREMENT):
        found = decision_refusals(Verdict.FALSE, facts="", basis="", evidence="", regime=regime)
        assert [one.code for one in found] == ["no_facts", "no_basis", "falsehood_not_shown"]


@pytest.mark.accepts("CO-02", "CO-06")
@pytest.mark.parametrize("verdict", Verdict)
def test_a_complete_decision_of_every_kind_is_accepted(verdict: Verdict) -> None:
    found = decision_refusals(
        verdict, facts="查明", basis="条例第六十一条", evidence="笔录", regime=TENDERING
    )
    assert found == []


def test_a_withdrawal_needs_no_facts() -> None:
    bare = decision_refusals(Verdict.WITHDRAWN, facts="", basis="", evidence="", regime=TENDERING)
    assert bare == []


@pytest.mark.refuses("CO-05")
def test_one_investigator_and_no_remedy_are_warned_of() -> None:
    found = decision_cautions(investigators=1, remedy=" ")
    assert [one.code for one in found] == ["too_few_investigators", "no_remedy"]


@pytest.mark.accepts("CO-05")
def test_two_investigators_and_a_remedy_are_not() -> None:
    assert decision_cautions(investigators=2, remedy="六十日内申请行政复议") == []


def test_a_suspension_in_procurement_ends_after_thirty_days() -> None:
    ordered = at("2026-03-02T15:00:00")
    assert suspension_until(ordered, PROCUREMENT) == end_of_day(date(2026, 4, 1))
    assert suspension_until(ordered, TENDERING) is None
