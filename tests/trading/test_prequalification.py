"""Prequalification: Bidding Law 37; Bidding Regulation 15, 16, 17, 18, 19, 21, 22, 37, 43, 62;
Electronic Bidding Measures 23, 30, 31, 40; Government Procurement Law 36; Government Procurement
Regulation 21; Procurement Tender Measures 16, 27.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.identifiers import PartyId
from kernel.statute import (
    BIDDING_REGULATION,
    E_BIDDING_MEASURES,
    PROCUREMENT_LAW,
    PROCUREMENT_REGULATION,
    PROCUREMENT_TENDER_MEASURES,
    Regime,
)
from kernel.working_days import BEIJING, STATE_CALENDAR
from trading.rules.prequalification import (
    PHASE_NAMES,
    WORDS,
    Addendum,
    ApplicationArrival,
    ApplicationTimes,
    Condition,
    Finding,
    NoticeFacts,
    Phase,
    Reviewer,
    access_refusals,
    addendum_refusals,
    announcement_refusals,
    application_refusals,
    arrival_refusals,
    brake_refusals,
    clarification_refusals,
    committee_due,
    committee_refusals,
    lateness_refusals,
    objection_refusals,
    outcome_refusals,
    passed,
    phase_of,
    publication_refusals,
    release_refusals,
    review_refusals,
    reviewer_refusals,
    stage_refusals,
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


def an_addendum(**changes: Any) -> Addendum:
    due_at = at("2026-03-13T09:00:00")
    plain = Addendum(
        published_at=at("2026-03-10T09:00:00"),
        phase=Phase.APPLYING,
        says="申请文件第三章增加一项业绩证明的格式。",
        may_affect=True,
        due_at=due_at,
        new_due_at=due_at,
    )
    return replace(plain, **changes)


@pytest.mark.accepts("NO-10")
@pytest.mark.parametrize(
    "changes",
    [
        {},
        # What affects nothing may come a minute before, and the deadline may move for it or not.
        {"published_at": at("2026-03-13T08:59:00"), "may_affect": False},
        {"published_at": at("2026-03-12T09:00:00"), "new_due_at": at("2026-03-16T09:00:00")},
    ],
)
def test_an_addendum_in_time_is_published(changes: dict[str, Any]) -> None:
    assert (
        addendum_refusals(an_addendum(**changes), Regime.TENDERING, calendar=STATE_CALENDAR) == []
    )


@pytest.mark.refuses("NO-10")
@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"published_at": at("2026-03-11T09:00:00")}, "deadline_must_move"),
        ({"new_due_at": at("2026-03-12T09:00:00"), "may_affect": False}, "deadline_moved_earlier"),
        ({"says": " "}, "addendum_empty"),
        ({"phase": Phase.RELEASING}, "wrong_stage"),
        # Only while everything waits does the deadline pass and are applications still taken.
        ({"published_at": at("2026-03-13T09:00:00"), "may_affect": False}, "deadline_in_the_past"),
    ],
)
def test_an_addendum_that_takes_time_away_is_not(changes: dict[str, Any], code: str) -> None:
    for regime, article in (
        (Regime.TENDERING, BIDDING_REGULATION[21]),
        (Regime.PROCUREMENT, PROCUREMENT_TENDER_MEASURES[27]),
    ):
        found = addendum_refusals(an_addendum(**changes), regime, calendar=STATE_CALENDAR)
        assert [one.code for one in found] == [code]
        assert code == "wrong_stage" or found[0].article == article


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


@pytest.mark.parametrize("phase", [None, *Phase])
def test_a_supervisor_stops_it_at_every_time_but_while_applicants_open_theirs(
    phase: Phase | None,
) -> None:
    found = [one.code for one in brake_refusals(phase)]
    assert found == (["releasing"] if phase is Phase.RELEASING else [])


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


# ── the call ──────────────────────────────────────────────────────────────────────────────────

CALL = NoticeFacts(
    words={key: "已载明" for key in WORDS},
    conditions=(Condition("C1", "资质"), Condition("C2", "业绩")),
    has_documents=True,
    times=TIMES,
    release_window=timedelta(minutes=30),
    round_before=None,
)


def told(call: NoticeFacts, procedure: Procedure = Procedure.OPEN_TENDER_MANDATORY) -> list[str]:
    switches = switches_of(procedure, on=date(2026, 3, 2))
    return [one.code for one in announcement_refusals(call, switches, calendar=STATE_CALENDAR)]


@pytest.mark.accepts("NO-02", "NO-04", "NO-05")
def test_a_whole_call_may_be_published_and_another_after_a_round_that_failed() -> None:
    assert told(CALL) == told(replace(CALL, round_before=Phase.FAILED)) == []
    assert told(CALL, Procedure.OPEN_TENDER_VOLUNTARY) == []
    assert told(CALL, Procedure.PROCUREMENT_OPEN_TENDER) == []


@pytest.mark.parametrize("phase", sorted(set(Phase) - {Phase.FAILED}))
def test_no_second_call_while_one_stands(phase: Phase) -> None:
    assert told(replace(CALL, round_before=phase)) == ["prequalification_stands"]


@pytest.mark.refuses("NO-02")
@pytest.mark.parametrize("key", sorted(WORDS))
def test_a_call_that_leaves_something_out_is_refused_by_its_article(key: str) -> None:
    call = replace(CALL, words={**CALL.words, key: " "})
    (one,) = announcement_refusals(call, TENDERING, calendar=STATE_CALENDAR)
    due = BIDDING_REGULATION[37] if key == "consortium" else BIDDING_REGULATION[15]
    assert (one.code, one.article) == ("notice_incomplete", due)


@pytest.mark.refuses("NO-04", "NO-05")
def test_documents_are_on_offer_for_five_days_and_in_procurement_for_five_working_days() -> None:
    """From 2 March the fifth day is Saturday the 7th, so the offer lasts to Monday the 9th."""
    due = replace(TIMES, applications_due_at=at("2026-03-30T09:30:00"))
    for until, codes in (
        ("2026-03-09T00:00:00", ["documents_too_short"]),
        ("2026-03-09T00:00:01", []),
    ):
        call = replace(CALL, times=replace(due, documents_until=at(until)))
        assert told(call) == told(call, Procedure.PROCUREMENT_OPEN_TENDER) == codes
    short = replace(CALL, times=replace(due, documents_until=at("2026-03-06T17:00:00")))
    found = announcement_refusals(short, PROCUREMENT, calendar=STATE_CALENDAR)
    assert [one.article for one in found] == [PROCUREMENT_TENDER_MEASURES[16]]


def test_other_methods_and_times_out_of_order_are_refused() -> None:
    assert told(CALL, Procedure.COMPETITIVE_NEGOTIATION) == ["no_prequalification"]
    assert told(CALL, Procedure.INVITED_TENDER_MANDATORY) == ["no_prequalification"]
    late = replace(TIMES, documents_until=TIMES.applications_due_at + SECOND)
    assert "times_out_of_order" in told(replace(CALL, times=late))
    assert told(replace(CALL, release_window=timedelta(0))) == ["no_release_window"]
    twice = (Condition("C1", "资质"), Condition("C1", "业绩"))
    assert told(replace(CALL, conditions=twice)) == ["no_conditions"]


@given(st.integers(-5000, 5000), st.sampled_from([None, True, False]))
def test_time_alone_takes_it_to_its_review_and_the_review_ends_it(
    minutes: int, enough: bool | None
) -> None:
    due, until = TIMES.applications_due_at, TIMES.applications_due_at + timedelta(minutes=30)
    now = due + timedelta(minutes=minutes)
    phase = phase_of(now, applications_due_at=due, window_until=until, enough=enough)
    assert (phase in (Phase.QUALIFIED, Phase.FAILED)) is (enough is not None)
    if enough is None:
        assert (phase is Phase.APPLYING) is (now < due)
        assert (phase is Phase.REVIEWING) is (now >= until)
    assert phase in PHASE_NAMES


# ── applications ──────────────────────────────────────────────────────────────────────────────

ARRIVAL = ApplicationArrival(
    received_at=TIMES.applications_due_at - timedelta(microseconds=1),
    applications_due_at=TIMES.applications_due_at,
    sequence=1,
    last_sequence=0,
)


@pytest.mark.accepts("NO-08", "BI-08")
def test_an_application_in_time_sealed_and_whole_is_taken_in() -> None:
    assert arrival_refusals(ARRIVAL, Regime.TENDERING) == []
    back = replace(ARRIVAL, sequence=2, last_sequence=1, withdraws=True, has_standing=True)
    assert arrival_refusals(back, Regime.PROCUREMENT) == []
    # Whoever takes an application back need not wait for anything.
    assert arrival_refusals(replace(back, suspended=True), Regime.TENDERING) == []


@pytest.mark.refuses("NO-08", "BI-08")
@pytest.mark.parametrize(
    ("flaw", "code", "article"),
    [
        ({"received_at": TIMES.applications_due_at}, "late", BIDDING_REGULATION[43]),
        ({"sealing_faults": ("未加密",)}, "not_sealed", BIDDING_REGULATION[43]),
        ({"missing_parts": ("第0块",)}, "incomplete", BIDDING_REGULATION[43]),
        ({"suspended": True}, "lot_suspended", BIDDING_REGULATION[22]),
        ({"sequence": 2}, "wrong_sequence", E_BIDDING_MEASURES[40]),
        ({"applicant_is_operator": True}, "operator_bids", E_BIDDING_MEASURES[23]),
        ({"withdraws": True}, "nothing_to_withdraw", BIDDING_REGULATION[43]),
    ],
)
def test_each_flaw_of_an_application_is_refused_on_its_own_ground(
    flaw: dict[str, object], code: str, article: object
) -> None:
    arrival = replace(ARRIVAL, **flaw)  # type: ignore[arg-type]  # facts by name
    (one,) = arrival_refusals(arrival, Regime.TENDERING)
    assert (one.code, one.article) == (code, article)


def test_procurement_turns_it_away_by_its_own_regulation() -> None:
    (one,) = lateness_refusals(
        TIMES.applications_due_at,
        applications_due_at=TIMES.applications_due_at,
        regime=Regime.PROCUREMENT,
    )
    assert one.article == PROCUREMENT_REGULATION[21]


@pytest.mark.parametrize("phase", Phase)
@pytest.mark.parametrize("fits", [True, False])
def test_an_application_is_opened_inside_the_window_and_by_its_own_secret(
    phase: Phase, fits: bool
) -> None:
    found = release_refusals(TIMES.applications_due_at, phase=phase, secret_fits=fits)
    assert (found == []) is (phase is Phase.RELEASING and fits)
    if phase in (Phase.REVIEWING, Phase.QUALIFIED, Phase.FAILED):
        assert [one.article for one in found] == [E_BIDDING_MEASURES[31]]
    elif found:
        assert [one.article for one in found] == [E_BIDDING_MEASURES[30]]


# ── the review and what follows ───────────────────────────────────────────────────────────────


def sitting(experts: int, others: int) -> list[Reviewer]:
    return [
        *(Reviewer(f"专家{n}", True) for n in range(experts)),
        *(Reviewer(f"代表{n}", False) for n in range(others)),
    ]


def test_state_money_is_reviewed_by_a_drawn_committee_and_by_nobody_else() -> None:
    """Bidding Law 37 says how that is made: see the composition of committees."""
    for experts, others in ((4, 1), (5, 0), (3, 2), (0, 0)):
        found = reviewer_refusals(sitting(experts, others), TENDERING, state_funded=True)
        assert [(one.code, one.article) for one in found] == [
            ("committee_reviews", BIDDING_REGULATION[18])
        ]
    assert committee_refusals(TENDERING, state_funded=True) == []
    for switches, state_funded in ((TENDERING, False), (VOLUNTARY, True), (PROCUREMENT, True)):
        assert not committee_due(switches, state_funded=state_funded)
        assert reviewer_refusals(sitting(0, 1), switches, state_funded=state_funded) == []
        found = committee_refusals(switches, state_funded=state_funded)
        assert [one.code for one in found] == ["no_committee_due"]
    assert [one.code for one in reviewer_refusals([], VOLUNTARY, state_funded=False)] == [
        "no_reviewers"
    ]


def test_a_whole_review_leaves_no_condition_out() -> None:
    conditions = [Condition("C1", "资质"), Condition("C2", "业绩")]
    found = review_refusals([Finding("C1", met=True)], conditions, whole=True)
    assert [one.code for one in found] == ["condition_left_out"]
    assert "业绩" in found[0].reason
    assert review_refusals([Finding("C1", met=True)], conditions) == []


@pytest.mark.parametrize("phase", [None, *Phase])
def test_a_lot_goes_out_to_bids_only_when_enough_have_passed(phase: Phase | None) -> None:
    for regime in (Regime.TENDERING, Regime.PROCUREMENT):
        found = publication_refusals(phase, regime)
        assert (found == []) is (phase in (None, Phase.QUALIFIED))
        assert all(one.article == unqualified_article(regime) for one in found)


def test_who_did_not_pass_gets_no_documents_and_a_stage_is_one() -> None:
    assert access_refusals(qualified=True, regime=Regime.TENDERING) == []
    (one,) = access_refusals(qualified=False, regime=Regime.TENDERING)
    assert one.article == BIDDING_REGULATION[19]
    assert stage_refusals(Phase.REVIEWING, Phase.REVIEWING) == []
    assert [one.code for one in stage_refusals(Phase.APPLYING, Phase.REVIEWING)] == ["wrong_stage"]


def test_two_who_passed_are_too_few_by_either_law() -> None:
    assert outcome_refusals(3, Regime.PROCUREMENT) == []
    (one,) = outcome_refusals(2, Regime.PROCUREMENT)
    assert one.article == PROCUREMENT_LAW[36]
