"""Until when the documents may be asked about, and what a question gives away: Bidding Law 22;
Bidding Regulation 22; Procurement Tender Measures 27, 28; Government Procurement Law 51;
Government Procurement Regulation 52.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta

import pytest

from kernel.working_days import BEIJING, STATE_CALENDAR, end_of_day
from trading.rules.lot_lifecycle import LotState
from trading.rules.procedures import Procedure, switches_of
from trading.rules.question_window import (
    Question,
    answer_due_at,
    question_refusals,
    question_until,
)

TENDERING = switches_of(Procedure.OPEN_TENDER_MANDATORY, on=date(2026, 3, 2))
PROCUREMENT = switches_of(Procedure.PROCUREMENT_OPEN_TENDER, on=date(2026, 3, 2))
DUE_AT = datetime(2026, 3, 23, 9, 30, tzinfo=BEIJING)
LAST = datetime(2026, 3, 13, 9, 30, tzinfo=BEIJING)
MOMENT = timedelta(microseconds=1)

FAIR = Question(
    asked_at=LAST,
    words="招标文件第三章3.2.1条的业绩年限从何时起算？",
    asker_name="江城市政工程有限公司",
    asker_uscc="91420100000000001X",
    lot_state=LotState.OPEN,
    bids_due_at=DUE_AT,
)


@pytest.mark.accepts("NO-11")
def test_a_question_ten_days_before_the_deadline_is_in_time() -> None:
    assert question_until(DUE_AT, TENDERING) == LAST
    assert question_refusals(FAIR, TENDERING) == []


@pytest.mark.refuses("NO-11")
def test_a_question_a_moment_later_is_late() -> None:
    (refusal,) = question_refusals(replace(FAIR, asked_at=LAST + MOMENT), TENDERING)
    assert refusal.code == "question_late"
    assert str(refusal.article).endswith("第22条")
    assert "2026-03-13 09:30:00" in refusal.reason


def test_in_procurement_one_may_ask_until_the_deadline_itself() -> None:
    assert question_until(DUE_AT, PROCUREMENT) == DUE_AT
    assert question_refusals(replace(FAIR, asked_at=DUE_AT - MOMENT), PROCUREMENT) == []
    (late,) = question_refusals(replace(FAIR, asked_at=DUE_AT), PROCUREMENT)
    assert (late.code, str(late.article).endswith("第27条")) == ("question_late", True)


def test_a_moved_deadline_gives_more_time_to_ask() -> None:
    moved = replace(FAIR, asked_at=LAST + timedelta(days=2), bids_due_at=DUE_AT + timedelta(days=2))
    assert question_refusals(moved, TENDERING) == []


@pytest.mark.parametrize("state", sorted(set(LotState) - {LotState.OPEN}))
def test_a_lot_that_is_not_open_is_not_asked_about(state: LotState) -> None:
    for switches in (TENDERING, PROCUREMENT):
        asked = question_refusals(replace(FAIR, lot_state=state), switches)
        assert [one.code for one in asked] == ["not_open"]


@pytest.mark.parametrize(
    "words",
    [
        "江城市政工程有限公司想知道业绩年限从何时起算",
        "江城市政 工程\n有限公司问业绩年限",
        "本单位（9142-0100-0000-0000-1x）问业绩年限".translate(
            {ord(sign): ord(sign) + 0xFEE0 for sign in "0123456789x"}
        ),
        "91420100000000001x 问业绩年限",
    ],
)
def test_a_question_that_says_who_asks_is_turned_away(words: str) -> None:
    for switches, article in ((TENDERING, "第22条"), (PROCUREMENT, "第28条")):
        (refusal,) = question_refusals(replace(FAIR, words=words), switches)
        assert refusal.code == "names_asker"
        assert str(refusal.article).endswith(article)


def test_all_grounds_are_given_at_once() -> None:
    bad = replace(FAIR, asked_at=DUE_AT, words=f"{FAIR.asker_name}问")
    assert {one.code for one in question_refusals(bad, TENDERING)} == {
        "question_late",
        "names_asker",
    }


@pytest.mark.accepts("CO-07")
def test_a_suppliers_question_is_answered_in_three_working_days() -> None:
    asked_at = datetime(2026, 9, 24, 17, tzinfo=BEIJING)
    due_at = answer_due_at(asked_at, PROCUREMENT, calendar=STATE_CALENDAR)
    assert due_at == end_of_day(date(2026, 9, 30)), "the 25th is a holiday"
    assert answer_due_at(asked_at, TENDERING, calendar=STATE_CALENDAR) is None
