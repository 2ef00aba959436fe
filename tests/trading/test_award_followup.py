"""What follows report and award: Bidding Law 47; Bidding Regulation 56; Government Procurement
Regulation 43; Procurement Tender Measures 68, 69; Chongqing Bidding Regulation 44.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from kernel.statute import BIDDING_REGULATION
from kernel.working_days import BEIJING, STATE_CALENDAR, end_of_day
from trading.rules.award_followup import (
    Recheck,
    RecheckRequest,
    benchmark_after_recheck,
    benchmark_cautions,
    decision_cautions,
    procurement_days,
    recheck_refusals,
    recheck_request_refusals,
    report_cautions,
    report_due_at,
    report_refusals,
    silence_decides,
)
from trading.rules.lot_lifecycle import LotState
from trading.rules.procedures import Procedure, Switches, switches_of

MANDATORY = switches_of(Procedure.OPEN_TENDER_MANDATORY, on=date(2026, 3, 2))
VOLUNTARY = switches_of(Procedure.OPEN_TENDER_VOLUNTARY, on=date(2026, 3, 2))
PROCUREMENT = switches_of(Procedure.PROCUREMENT_OPEN_TENDER, on=date(2026, 3, 2))


@pytest.mark.accepts("AW-05")
def test_nobody_in_doubt_and_who_was_confirmed_may_be_told() -> None:
    assert recheck_refusals(None) == []
    assert recheck_refusals(Recheck("资产被冻结", True, True)) == []


@pytest.mark.refuses("AW-05")
@pytest.mark.parametrize(
    ("recheck", "code"),
    [
        (Recheck("资产被冻结", True, None), "recheck_open"),
        (Recheck("资产被冻结", False, True), "recheck_open"),
        (Recheck("资产被冻结", True, False), "recheck_failed"),
    ],
)
def test_the_original_committee_confirms_first(recheck: Recheck, code: str) -> None:
    assert [one.code for one in recheck_refusals(recheck)] == [code]


DOUBT = RecheckRequest(LotState.CLEARED_FOR_AWARD, "主要资产被法院查封。", "民事裁定书", True)


@pytest.mark.accepts("AW-05")
@pytest.mark.parametrize("switches", [MANDATORY, VOLUNTARY])
def test_a_candidate_is_examined_again_between_publication_and_notice(switches: Switches) -> None:
    for state in (LotState.CANDIDATES_PUBLISHED, LotState.CLEARED_FOR_AWARD):
        assert recheck_request_refusals(replace(DOUBT, state=state), switches) == []


@pytest.mark.refuses("AW-05")
@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"state": LotState.EVALUATED}, "not_before_notice"),
        ({"state": LotState.AWARDED}, "not_before_notice"),
        ({"recommended": False}, "not_a_candidate"),
        ({"out": True}, "out_already"),
        ({"open": True}, "recheck_open"),
        ({"words": " "}, "no_reason"),
        ({"document": ""}, "no_document"),
    ],
)
def test_nobody_else_is_examined_nor_at_another_time_or_without_a_reason(
    changes: dict[str, Any], code: str
) -> None:
    found = recheck_request_refusals(replace(DOUBT, **changes), MANDATORY)
    assert [(one.code, one.article) for one in found] == [(code, BIDDING_REGULATION[56])]


def test_procurement_knows_no_such_examination() -> None:
    (refusal,) = recheck_request_refusals(DOUBT, PROCUREMENT)
    assert refusal.code == "not_a_tender"


@pytest.mark.accepts("AW-09")
def test_a_mandatory_tender_is_reported_within_fifteen_days() -> None:
    awarded = datetime(2026, 3, 2, 10, tzinfo=BEIJING)
    due = report_due_at(awarded, MANDATORY, calendar=STATE_CALENDAR)
    assert due == end_of_day(date(2026, 3, 17))


@pytest.mark.refuses("AW-09")
def test_the_report_is_late_from_the_end_of_its_last_day_which_moves_over_holidays() -> None:
    due = report_due_at(
        datetime(2026, 9, 17, 10, tzinfo=BEIJING), MANDATORY, calendar=STATE_CALENDAR
    )
    assert due == end_of_day(date(2026, 10, 8))


def test_a_voluntary_tender_is_reported_to_nobody() -> None:
    awarded = datetime(2026, 3, 2, 10, tzinfo=BEIJING)
    assert report_due_at(awarded, VOLUNTARY, calendar=STATE_CALENDAR) is None


@pytest.mark.accepts("AW-09")
@pytest.mark.refuses("AW-09")
def test_a_report_is_handed_in_once_where_one_is_due_and_says_when_it_is_late() -> None:
    assert report_refusals(reported_before=False, switches=MANDATORY) == []
    for before, switches, code in (
        (True, MANDATORY, "reported_already"),
        (False, VOLUNTARY, "no_report_due"),
    ):
        (no,) = report_refusals(reported_before=before, switches=switches)
        assert no.code == code
    awarded = datetime(2026, 3, 2, 10, tzinfo=BEIJING)
    due = end_of_day(date(2026, 3, 17))
    for at, codes in ((due - timedelta(microseconds=1), []), (due, ["report_late"])):
        found = report_cautions(
            awarded_at=awarded, reported_at=at, switches=MANDATORY, calendar=STATE_CALENDAR
        )
        assert [one.code for one in found] == codes


@pytest.mark.accepts("AW-10", "NB-07")
def test_procurement_counts_working_days_from_each_step() -> None:
    told = procurement_days(
        evaluated_at=datetime(2026, 9, 29, 17, tzinfo=BEIJING),
        received_at=datetime(2026, 9, 30, 9, tzinfo=BEIJING),
        decided_at=datetime(2026, 10, 12, 9, tzinfo=BEIJING),
        switches=PROCUREMENT,
        calendar=STATE_CALENDAR,
    )
    assert told is not None
    assert told.handover == end_of_day(date(2026, 10, 8))
    assert told.decision == end_of_day(date(2026, 10, 13)), "the 10th is a worked Saturday"
    assert told.notice == end_of_day(date(2026, 10, 14))
    assert told.notice_ends == end_of_day(date(2026, 10, 15))


def test_where_nobody_decides_the_notice_is_due_after_the_last_day_for_it() -> None:
    noon = datetime(2026, 9, 30, 12, tzinfo=BEIJING)
    told = procurement_days(
        evaluated_at=noon,
        received_at=noon,
        decided_at=None,
        switches=PROCUREMENT,
        calendar=STATE_CALENDAR,
    )
    assert told is not None
    assert told.decision == end_of_day(date(2026, 10, 13))
    assert told.notice == end_of_day(date(2026, 10, 15))


@pytest.mark.accepts("AW-10", "NB-07")
@pytest.mark.refuses("AW-10", "NB-07")
def test_a_decision_after_its_days_says_that_the_law_had_decided() -> None:
    noon, due = datetime(2026, 9, 30, 12, tzinfo=BEIJING), end_of_day(date(2026, 10, 13))

    def codes(decided_at: datetime, switches: Switches = PROCUREMENT) -> list[str]:
        found = decision_cautions(
            received_at=noon, decided_at=decided_at, switches=switches, calendar=STATE_CALENDAR
        )
        return [one.code for one in found]

    assert codes(due - timedelta(seconds=1)) == []
    assert codes(due) == ["decided_late"]
    assert codes(due, MANDATORY) == []


def test_tendering_has_no_such_days() -> None:
    noon = datetime(2026, 3, 2, 12, tzinfo=BEIJING)
    told = procurement_days(
        evaluated_at=noon,
        received_at=noon,
        decided_at=noon,
        switches=MANDATORY,
        calendar=STATE_CALENDAR,
    )
    assert told is None


@pytest.mark.refuses("AW-10", "NB-07")
def test_silence_decides_for_the_first_from_the_very_end_of_the_last_day() -> None:
    due = end_of_day(date(2026, 10, 13))
    assert not silence_decides(now=due - timedelta(seconds=1), decision_due_at=due, decided=False)
    assert silence_decides(now=due, decision_due_at=due, decided=False)
    assert not silence_decides(now=due, decision_due_at=due, decided=True)


@pytest.mark.accepts("CO-10")
@pytest.mark.refuses("CO-10")
def test_a_recheck_leaves_the_benchmark_where_it_was() -> None:
    assert benchmark_after_recheck(Decimal(9800), Decimal(9700)) == Decimal(9800)
    for recalculated, expected in ((Decimal("9800.00"), []), (Decimal(9700), ["benchmark_moved"])):
        found = benchmark_cautions(Decimal(9800), recalculated, MANDATORY)
        assert [one.code for one in found] == expected
    assert benchmark_cautions(None, Decimal(9700), MANDATORY) == []
    assert benchmark_cautions(Decimal(9800), Decimal(9700), PROCUREMENT) == []
