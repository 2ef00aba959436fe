"""Extending the bids' validity.

Bidding Regulation 25; Procurement Tender Measures 23; Civil Code 478; and, warning only, Committee
Provisions 40.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.statute import BIDDING_REGULATION, CIVIL_CODE, PROCUREMENT_TENDER_MEASURES
from kernel.working_days import BEIJING
from trading.rules.lot_lifecycle import ENDS, LotState
from trading.rules.procedures import Procedure, Switches, switches_of
from trading.rules.validity_extension import (
    Reply,
    Request,
    lapse_reason,
    left_at,
    reply_of,
    reply_refusals,
    request_cautions,
    request_refusals,
)

TENDERING = switches_of(Procedure.OPEN_TENDER_MANDATORY, on=date(2026, 3, 2))
PROCUREMENT = switches_of(Procedure.PROCUREMENT_OPEN_TENDER, on=date(2026, 3, 2))
INSTANT = timedelta(microseconds=1)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=BEIJING)


ENDS_AT = at("2026-06-22T00:00:00")
"""Ninety days from the deadline of 23 March: the end of 21 June."""

REQUEST = Request(
    now=at("2026-06-01T10:00:00"),
    state=LotState.CANDIDATES_PUBLISHED,
    closed=True,
    bids_due_at=at("2026-03-23T09:30:00"),
    validity_days=90,
    proposed_days=91,
    answer_by=ENDS_AT,
    reason="投诉处理尚未结束",
)


def codes(request: Request, switches: Switches = TENDERING) -> list[str]:
    return [one.code for one in request_refusals(request, switches)]


@pytest.mark.accepts("NO-13")
def test_one_day_more_may_be_asked_for_with_answers_to_the_very_end_of_the_old_time() -> None:
    assert codes(REQUEST) == []
    assert codes(REQUEST, PROCUREMENT) == []
    assert request_cautions(replace(REQUEST, now=ENDS_AT - INSTANT)) == []


@pytest.mark.refuses("NO-13")
@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"closed": False}, "not_closed"),
        ({"proposed_days": 90}, "not_longer"),
        ({"reason": " "}, "no_reason"),
        ({"answer_by": REQUEST.now}, "answer_by_past"),
        ({"answer_by": ENDS_AT + INSTANT}, "answers_too_late"),
        ({"still_waits": True}, "asked_already"),
        *(({"state": state}, "lot_ended") for state in sorted(ENDS)),
    ],
)
def test_bidders_may_not_be_asked_like_this(change: dict[str, object], code: str) -> None:
    assert codes(replace(REQUEST, **change)) == [code]  # type: ignore[arg-type]  # one at a time


def test_each_family_of_law_refuses_by_its_own_article() -> None:
    (refusal,) = request_refusals(replace(REQUEST, proposed_days=1), TENDERING)
    assert refusal.article == BIDDING_REGULATION[25]
    (refusal,) = request_refusals(replace(REQUEST, proposed_days=1), PROCUREMENT)
    assert refusal.article == PROCUREMENT_TENDER_MEASURES[23]


def test_a_request_after_the_end_is_warned_of_and_not_refused() -> None:
    late = replace(REQUEST, now=ENDS_AT, answer_by=ENDS_AT + timedelta(days=5))
    assert codes(late) == []
    assert [one.code for one in request_cautions(late)] == ["validity_expired"]


def test_an_answer_is_given_once_and_before_its_time_is_over() -> None:
    def refused(
        now: datetime, *, answered: bool = False, state: LotState = REQUEST.state
    ) -> object:
        return [
            (one.code, one.article)
            for one in reply_refusals(
                now=now, answer_by=ENDS_AT, answered=answered, state=state, switches=TENDERING
            )
        ]

    assert refused(ENDS_AT - INSTANT) == []
    assert refused(ENDS_AT) == [("answered_late", CIVIL_CODE[478])]
    twice = refused(REQUEST.now, answered=True)
    assert twice == [("answered_already", BIDDING_REGULATION[25])]
    ended = refused(REQUEST.now, state=LotState.AWARDED)
    assert ended == [("lot_ended", BIDDING_REGULATION[25])]


@given(st.timedeltas(-timedelta(days=9), timedelta(days=9)), st.booleans())
def test_silence_binds_to_what_was_promised_or_could_still_be_answered(
    after: timedelta, asked_late: bool
) -> None:
    now = ENDS_AT + after
    answer_by = ENDS_AT + timedelta(days=5 if asked_late else -5)
    end = max(answer_by, ENDS_AT)
    silent = left_at(refused_at=None, unanswered_until=answer_by, promised_until=ENDS_AT, now=now)
    assert silent == (end if now >= end else None)
    agreed = left_at(refused_at=None, unanswered_until=None, promised_until=ENDS_AT, now=now)
    assert agreed is None
    refused = left_at(
        refused_at=REQUEST.now, unanswered_until=answer_by, promised_until=ENDS_AT, now=now
    )
    assert refused == REQUEST.now


def test_silence_is_told_apart_from_a_refusal() -> None:
    assert reply_of(None, now=ENDS_AT - INSTANT, answer_by=ENDS_AT) is Reply.WAITING
    assert reply_of(None, now=ENDS_AT, answer_by=ENDS_AT) is Reply.SILENT
    assert reply_of(True, now=ENDS_AT, answer_by=ENDS_AT) is Reply.AGREED
    assert reply_of(False, now=ENDS_AT, answer_by=ENDS_AT) is Reply.REFUSED
    assert lapse_reason(PROCUREMENT) != lapse_reason(TENDERING)
