"""What can be done about a complaint when, by whom, and what follows for the lot.

Bidding Law 46; Bidding Regulation 44, 55, 61, 62; Government Procurement Law 46, 56.
"""

from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from kernel.statute import Regime
from trading.rules.complaint_course import (
    MOVES,
    ComplaintAct,
    ComplaintCourse,
    ComplaintStage,
    Consequence,
    consequence,
    consequence_refusals,
    course_refusals,
    lateness_cautions,
    reason_refusals,
    retender_refusals,
    void_award_refusals,
)
from trading.rules.complaint_window import Verdict
from trading.rules.lot_lifecycle import LAWFUL_MOVES, LotState

OURS, OTHERS = UUID(int=1), UUID(int=2)
DUE = datetime(2026, 4, 10, 16, 0, tzinfo=UTC)
COURSE = ComplaintCourse(ComplaintStage.FILED, None, DUE, None)
LAWFUL = {
    (ComplaintStage.FILED, ComplaintAct.ANSWER),
    (ComplaintStage.FILED, ComplaintAct.WITHDRAW),
    (ComplaintStage.TAKEN_UP, ComplaintAct.BRAKE),
    (ComplaintStage.TAKEN_UP, ComplaintAct.DECIDE),
    (ComplaintStage.TAKEN_UP, ComplaintAct.WITHDRAW),
}


@pytest.mark.parametrize(("stage", "act"), list(itertools.product(ComplaintStage, ComplaintAct)))
def test_each_act_has_its_place_in_the_course(stage: ComplaintStage, act: ComplaintAct) -> None:
    found = course_refusals(
        replace(COURSE, stage=stage, handler=OURS), act, acting=OURS, regime=Regime.TENDERING
    )
    assert [one.code for one in found] == (
        [] if (stage, act) in LAWFUL else ["complaint_elsewhere"]
    )


def test_the_body_that_took_it_up_decides_it_and_no_other() -> None:
    course = replace(COURSE, stage=ComplaintStage.TAKEN_UP, handler=OURS)
    for regime, article in ((Regime.TENDERING, "第61条"), (Regime.PROCUREMENT, "第56条")):
        [found] = course_refusals(course, ComplaintAct.DECIDE, acting=OTHERS, regime=regime)
        assert found.code == "other_handler"
        assert article in str(found.article)
    assert not course_refusals(
        course, ComplaintAct.WITHDRAW, acting=OTHERS, regime=Regime.TENDERING
    )


@pytest.mark.parametrize("act", [ComplaintAct.ANSWER, ComplaintAct.DECIDE])
def test_what_comes_at_its_limit_is_late(act: ComplaintAct) -> None:
    course = replace(COURSE, decision_due_at=DUE)
    just_in_time = DUE - timedelta(microseconds=1)
    assert not lateness_cautions(course, act, at=just_in_time, regime=Regime.TENDERING)
    [late] = lateness_cautions(course, act, at=DUE, regime=Regime.TENDERING)
    assert late.code == "supervisor_late"


def test_who_is_turned_away_is_told_why() -> None:
    assert [one.code for one in reason_refusals(" ", needed=True, regime=Regime.PROCUREMENT)] == [
        "no_reason"
    ]
    assert not reason_refusals("逾期", needed=True, regime=Regime.TENDERING)
    assert not reason_refusals("", needed=False, regime=Regime.TENDERING)


@pytest.mark.parametrize(("verdict", "state"), list(itertools.product(Verdict, LotState)))
def test_what_follows_is_a_lawful_move_of_the_lot(verdict: Verdict, state: LotState) -> None:
    follows = consequence(verdict, state)
    if state in (LotState.DRAFT, LotState.CLOSING):
        return  # a draft cannot be complained of, and nothing is decided in a closing
    assert follows not in MOVES or (state, MOVES[follows]) in LAWFUL_MOVES


def test_a_correction_sends_back_what_a_committee_judged_and_a_void_tender_ends() -> None:
    correct, void = Verdict.UPHELD_CORRECT, Verdict.UPHELD_VOID
    assert consequence(correct, LotState.CANDIDATES_PUBLISHED) is Consequence.RETURNED
    assert consequence(correct, LotState.OPEN) is Consequence.NOTHING
    assert consequence(void, LotState.OPEN) is Consequence.CANCELLED
    assert consequence(void, LotState.AWARDED) is Consequence.AWARD_VOID
    assert consequence(void, LotState.FAILED) is Consequence.NOTHING
    for state in LotState:
        assert consequence(Verdict.DISMISSED, state) is Consequence.NOTHING


def test_a_verdict_that_cannot_be_carried_out_is_refused() -> None:
    def codes(verdict: Verdict, state: LotState, order: str = "重新评审") -> list[str]:
        found = consequence_refusals(verdict, state, order=order, regime=Regime.TENDERING)
        return [one.code for one in found]

    assert codes(Verdict.WITHDRAWN, LotState.OPEN) == ["not_withdrawn"]
    assert codes(Verdict.UPHELD_CORRECT, LotState.OPEN, order=" ") == ["no_order"]
    assert codes(Verdict.UPHELD_CORRECT, LotState.CANCELLED) == ["nothing_to_correct"]
    assert codes(Verdict.DISMISSED, LotState.CLOSING) == ["closing"]
    assert codes(Verdict.UPHELD_VOID, LotState.CLEARED_FOR_AWARD, order="") == []


def test_only_what_came_to_nothing_is_tendered_again_and_once() -> None:
    def codes(state: LotState, **told: bool) -> list[str]:
        given = {"published": True, "award_void": False, "again": False, **told}
        return [one.code for one in retender_refusals(state, **given)]

    assert codes(LotState.CANCELLED) == codes(LotState.FAILED) == []
    assert codes(LotState.AWARDED) == ["not_ended"]
    assert codes(LotState.AWARDED, award_void=True) == []
    assert codes(LotState.CANCELLED, published=False) == ["not_ended"]
    assert codes(LotState.CANCELLED, again=True) == ["tendered_again"]


def test_no_contract_rests_on_a_void_award() -> None:
    assert void_award_refusals(void=False) == []
    assert [one.code for one in void_award_refusals(void=True)] == ["award_void"]
