"""Who may object to what, until when, and what must wait.

Bidding Regulation 22, 44, 54, 60; Government Procurement Law 52, 53; Government Procurement
Regulation 53.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.statute import BIDDING_REGULATION, CIVIL_CODE, PROCUREMENT_LAW
from kernel.working_days import BEIJING, STATE_CALENDAR
from trading.rules.objection_window import (
    KIND_NAMES,
    Interest,
    ObjectionFacts,
    ObjectionKind,
    answer_cautions,
    answer_due_at,
    answer_refusals,
    documents_objection_until,
    must_wait,
    objection_article,
    objection_refusals,
    objection_until,
    result_known_on,
    withdrawal_refusals,
)
from trading.rules.procedures import Procedure, Switches, switches_of

MANDATORY = switches_of(Procedure.OPEN_TENDER_MANDATORY, on=date(2026, 3, 2))
VOLUNTARY = switches_of(Procedure.OPEN_TENDER_VOLUNTARY, on=date(2026, 3, 2))
PROCUREMENT = switches_of(Procedure.PROCUREMENT_OPEN_TENDER, on=date(2026, 3, 2))
INSTANT = timedelta(microseconds=1)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=BEIJING)


DUE = at("2026-04-20T09:30:00")
TO_DOCUMENTS = ObjectionFacts(
    kind=ObjectionKind.DOCUMENTS,
    raised_at=at("2026-04-10T09:30:00"),
    interest=Interest.POTENTIAL_BIDDER,
    bids_due_at=DUE,
)
TO_OPENING = ObjectionFacts(
    kind=ObjectionKind.OPENING,
    raised_at=at("2026-04-20T10:00:00"),
    interest=Interest.BIDDER,
    bids_due_at=DUE,
    opening_begun_at=at("2026-04-20T09:30:02"),
)
TO_RESULT = ObjectionFacts(
    kind=ObjectionKind.RESULT,
    raised_at=at("2026-05-11T23:59:59"),
    interest=Interest.BIDDER,
    bids_due_at=DUE,
    candidates_from=at("2026-05-08T10:00:00"),
    candidates_until=at("2026-05-12T00:00:00"),
)


def codes(facts: ObjectionFacts, switches: Switches = MANDATORY) -> list[str]:
    return [one.code for one in objection_refusals(facts, switches, calendar=STATE_CALENDAR)]


@pytest.mark.accepts("OP-05", "AW-03", "CO-08")
@pytest.mark.parametrize("facts", [TO_DOCUMENTS, TO_OPENING, TO_RESULT])
@pytest.mark.parametrize("switches", [MANDATORY, VOLUNTARY])
def test_an_objection_in_its_window_is_accepted(facts: ObjectionFacts, switches: Switches) -> None:
    assert codes(facts, switches) == []


def test_a_minute_less_than_ten_days_is_late() -> None:
    late = replace(TO_DOCUMENTS, raised_at=at("2026-04-10T09:31:00"))
    found = objection_refusals(late, MANDATORY, calendar=STATE_CALENDAR)
    assert [(one.code, one.article) for one in found] == [
        ("objection_late", BIDDING_REGULATION[22])
    ]
    assert "2026-04-10 09:30:00" in found[0].reason


@given(st.timedeltas(timedelta(days=-30), timedelta(days=30)))
def test_documents_are_objected_to_exactly_until_ten_days_before(off: timedelta) -> None:
    until = documents_objection_until(DUE, MANDATORY)
    assert until == at("2026-04-10T09:30:00")
    raised = replace(TO_DOCUMENTS, raised_at=at("2026-04-10T09:30:00") + off)
    assert (codes(raised) == []) is (off <= timedelta(0))


@pytest.mark.refuses("OP-05")
def test_the_opening_is_objected_to_while_it_lasts() -> None:
    assert codes(replace(TO_OPENING, opening_begun_at=None)) == ["objection_early"]
    assert codes(replace(TO_OPENING, raised_at=DUE)) == ["objection_early"]
    recorded = replace(TO_OPENING, opening_recorded_at=at("2026-04-20T11:00:00"))
    assert codes(replace(recorded, raised_at=at("2026-04-20T11:00:00") - INSTANT)) == []
    assert codes(replace(recorded, raised_at=at("2026-04-20T11:00:00"))) == ["objection_late"]


@pytest.mark.refuses("AW-03")
def test_the_result_is_objected_to_until_twelve_at_night() -> None:
    assert codes(replace(TO_RESULT, raised_at=at("2026-05-12T00:00:00"))) == ["objection_late"]
    assert codes(replace(TO_RESULT, raised_at=at("2026-05-12T00:00:00") - INSTANT)) == []
    assert codes(replace(TO_RESULT, raised_at=at("2026-05-08T10:00:00") - INSTANT)) == [
        "objection_early"
    ]
    assert codes(replace(TO_RESULT, candidates_from=None, candidates_until=None)) == [
        "objection_early"
    ]


@pytest.mark.parametrize(
    ("facts", "may"),
    [
        (TO_DOCUMENTS, {Interest.BIDDER, Interest.POTENTIAL_BIDDER, Interest.INTERESTED_PARTY}),
        (TO_OPENING, {Interest.BIDDER}),
        (TO_RESULT, {Interest.BIDDER, Interest.INTERESTED_PARTY}),
    ],
)
@pytest.mark.parametrize("interest", Interest)
def test_only_those_concerned_may_object(
    facts: ObjectionFacts, may: set[Interest], interest: Interest
) -> None:
    refused = codes(replace(facts, interest=interest)) == ["no_interest"]
    assert refused is (interest not in may)


@pytest.mark.accepts("CO-08")
@pytest.mark.refuses("CO-08")
def test_a_procurement_is_challenged_within_seven_working_days_of_knowing() -> None:
    known = replace(TO_RESULT, known_on=date(2026, 9, 28), raised_at=at("2026-10-13T23:59:59"))
    assert codes(known, PROCUREMENT) == []
    found = objection_refusals(
        replace(known, raised_at=at("2026-10-14T00:00:00")), PROCUREMENT, calendar=STATE_CALENDAR
    )
    assert [(one.code, one.article) for one in found] == [("objection_late", PROCUREMENT_LAW[52])]


def test_a_challenge_in_a_year_without_a_calendar_is_refused_clearly() -> None:
    known = replace(TO_RESULT, known_on=date(2026, 12, 30))
    found = objection_refusals(known, PROCUREMENT, calendar=STATE_CALENDAR)
    assert [(one.code, one.article) for one in found] == [("calendar_missing", CIVIL_CODE[203])]


def test_procurement_has_no_ten_day_window() -> None:
    assert documents_objection_until(DUE, PROCUREMENT) is None
    unknown = replace(TO_DOCUMENTS, raised_at=DUE)
    assert codes(unknown, PROCUREMENT) == []
    assert codes(replace(unknown, interest=Interest.NONE), PROCUREMENT) == ["no_interest"]


@pytest.mark.parametrize(
    ("facts", "switches", "until"),
    [
        (TO_DOCUMENTS, MANDATORY, at("2026-04-10T09:30:00")),
        (TO_OPENING, MANDATORY, None),
        (TO_RESULT, MANDATORY, at("2026-05-12T00:00:00")),
        (TO_DOCUMENTS, PROCUREMENT, None),
        (replace(TO_DOCUMENTS, known_on=date(2026, 4, 10)), PROCUREMENT, at("2026-04-22T00:00:00")),
        (replace(TO_RESULT, known_on=date(2026, 5, 15)), PROCUREMENT, at("2026-05-27T00:00:00")),
        (replace(TO_RESULT, known_on=date(2031, 5, 15)), PROCUREMENT, None),
        (replace(TO_OPENING, known_on=date(2026, 4, 10)), PROCUREMENT, None),
    ],
)
def test_until_when_one_may_object_is_what_the_refusals_go_by(
    facts: ObjectionFacts, switches: Switches, until: datetime | None
) -> None:
    assert objection_until(facts, switches, calendar=STATE_CALENDAR) == until
    if until is not None:
        late = replace(facts, raised_at=until + INSTANT)
        assert codes(late, switches) == ["objection_late"]
        assert codes(replace(facts, raised_at=until - INSTANT), switches) == []


def test_each_procedure_lets_one_object_by_its_own_article() -> None:
    assert objection_article(ObjectionKind.RESULT, MANDATORY) == BIDDING_REGULATION[54]
    assert objection_article(ObjectionKind.RESULT, PROCUREMENT) == PROCUREMENT_LAW[52]
    assert objection_article(ObjectionKind.OPENING, PROCUREMENT) == BIDDING_REGULATION[44]


def test_an_answer_is_due_in_three_days() -> None:
    raised = at("2026-05-11T15:00:00")
    assert answer_due_at(ObjectionKind.RESULT, raised, MANDATORY, calendar=STATE_CALENDAR) == at(
        "2026-05-15T00:00:00"
    )
    assert (
        answer_due_at(ObjectionKind.OPENING, raised, MANDATORY, calendar=STATE_CALENDAR) == raised
    )
    assert answer_due_at(
        ObjectionKind.RESULT, at("2026-09-28T09:00:00"), PROCUREMENT, calendar=STATE_CALENDAR
    ) == at("2026-10-14T00:00:00")


def test_a_late_answer_is_warned_of_and_taken() -> None:
    due = at("2026-05-15T00:00:00")
    for answered_at, warned in ((due - INSTANT, []), (due, ["answered_late"])):
        found = answer_cautions(
            ObjectionKind.RESULT, answered_at=answered_at, due_at=due, switches=MANDATORY
        )
        assert [one.code for one in found] == warned
    assert (
        answer_cautions(ObjectionKind.OPENING, answered_at=due, due_at=due, switches=MANDATORY)
        == []
    )


def test_an_answer_says_something_and_is_given_once() -> None:
    assert answer_refusals(ObjectionKind.RESULT, answered_already=False, answer="维持") == []
    found = answer_refusals(ObjectionKind.RESULT, answered_already=True, answer=" ")
    assert [one.code for one in found] == ["answered", "answer_empty"]


def test_documents_and_result_brake_the_lot_and_the_opening_does_not() -> None:
    assert must_wait(ObjectionKind.DOCUMENTS, MANDATORY)
    assert must_wait(ObjectionKind.RESULT, VOLUNTARY)
    assert not must_wait(ObjectionKind.OPENING, MANDATORY)
    assert not must_wait(ObjectionKind.RESULT, PROCUREMENT)


def test_every_kind_is_named() -> None:
    assert set(KIND_NAMES) == set(ObjectionKind)


def test_the_result_of_a_procurement_is_known_when_its_notice_ends() -> None:
    friday, before_may = date(2026, 3, 20), date(2026, 4, 30)
    assert result_known_on(friday, calendar=STATE_CALENDAR) == date(2026, 3, 23)
    assert result_known_on(before_may, calendar=STATE_CALENDAR) == date(2026, 5, 6)


@pytest.mark.parametrize("switches", [MANDATORY, PROCUREMENT])
@pytest.mark.parametrize("kind", [ObjectionKind.DOCUMENTS, ObjectionKind.RESULT])
def test_an_objection_is_taken_back_until_it_is_answered(
    kind: ObjectionKind, switches: Switches
) -> None:
    def codes_of(*, answered: bool, withdrawn: bool) -> list[str]:
        found = withdrawal_refusals(kind, switches, answered=answered, withdrawn=withdrawn)
        return [one.code for one in found]

    assert codes_of(answered=False, withdrawn=False) == []
    assert codes_of(answered=True, withdrawn=False) == ["answered"]
    assert codes_of(answered=False, withdrawn=True) == ["withdrawn"]
    [ground] = answer_refusals(kind, answered_already=False, answer="…", withdrawn=True)
    assert ground.code == "withdrawn"


TO_PREQUALIFICATION = ObjectionFacts(
    kind=ObjectionKind.PREQUALIFICATION,
    raised_at=at("2026-03-14T09:30:00"),
    interest=Interest.POTENTIAL_BIDDER,
    applications_due_at=at("2026-03-16T09:30:00"),
)
TO_QUALIFICATION = ObjectionFacts(
    kind=ObjectionKind.QUALIFICATION,
    raised_at=at("2026-03-20T17:00:00"),
    interest=Interest.APPLICANT,
    known_on=date(2026, 3, 20),
)


@pytest.mark.accepts("NO-11")
@pytest.mark.refuses("NO-11")
def test_prequalification_documents_are_objected_to_until_two_days_before() -> None:
    for switches in (MANDATORY, VOLUNTARY):
        assert codes(TO_PREQUALIFICATION, switches) == []
        assert must_wait(ObjectionKind.PREQUALIFICATION, switches)
    late = replace(TO_PREQUALIFICATION, raised_at=TO_PREQUALIFICATION.raised_at + INSTANT)
    assert codes(late) == ["objection_late"]
    assert codes(replace(TO_PREQUALIFICATION, interest=Interest.NONE)) == ["no_interest"]
    until = objection_until(TO_PREQUALIFICATION, MANDATORY, calendar=STATE_CALENDAR)
    assert until == TO_PREQUALIFICATION.raised_at
    # A procurement counts from the day on which the supplier ought to have known them.
    assert codes(replace(late, known_on=date(2026, 3, 5)), PROCUREMENT) == []
    assert not must_wait(ObjectionKind.PREQUALIFICATION, PROCUREMENT)


@pytest.mark.accepts("CO-08")
@pytest.mark.refuses("CO-08")
def test_who_passed_is_challenged_in_seven_working_days_and_only_in_a_procurement() -> None:
    until = objection_until(TO_QUALIFICATION, PROCUREMENT, calendar=STATE_CALENDAR)
    assert until == at("2026-04-01T00:00:00")
    assert codes(replace(TO_QUALIFICATION, raised_at=until - INSTANT), PROCUREMENT) == []
    assert codes(replace(TO_QUALIFICATION, raised_at=until), PROCUREMENT) == ["objection_late"]
    stranger = replace(TO_QUALIFICATION, interest=Interest.INTERESTED_PARTY)
    assert codes(stranger, PROCUREMENT) == ["no_interest"]
    for switches in (MANDATORY, VOLUNTARY):
        found = objection_refusals(TO_QUALIFICATION, switches, calendar=STATE_CALENDAR)
        assert [(one.code, one.article) for one in found] == [
            ("complain_at_once", BIDDING_REGULATION[60])
        ]
        assert objection_until(TO_QUALIFICATION, switches, calendar=STATE_CALENDAR) is None
        assert not must_wait(ObjectionKind.QUALIFICATION, switches)
