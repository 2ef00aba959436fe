"""The course of a contract: Bidding Law 46; Bidding Regulation 57; Government Procurement Law 46,
47.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta

import pytest

from kernel.statute import BIDDING_LAW, PROCUREMENT_LAW
from kernel.working_days import BEIJING, STATE_CALENDAR
from trading.rules.contract_course import Course, Step, filing_cautions, step_refusals
from trading.rules.contract_terms import publication_dates
from trading.rules.procedures import Procedure, switches_of

TENDERING = switches_of(Procedure.OPEN_TENDER_MANDATORY, on=date(2026, 3, 2))
PROCUREMENT = switches_of(Procedure.PROCUREMENT_OPEN_TENDER, on=date(2026, 3, 2))
AWARDED = Course(awarded=True)
OFFERED = replace(AWARDED, offered=True)
CONCLUDED = replace(OFFERED, concluded=True)
FILED = replace(CONCLUDED, filed=True)
SETTLED = replace(FILED, settled=True)
LAWFUL = {
    (Step.OFFER, AWARDED),
    (Step.OFFER, OFFERED),
    (Step.CONCLUDE, OFFERED),
    *((Step.FILE, course) for course in (CONCLUDED, replace(SETTLED, filed=False))),
    *((step, CONCLUDED) for step in (Step.CHANGE, Step.REPORT, Step.SETTLE)),
    *((step, FILED) for step in (Step.CHANGE, Step.REPORT, Step.SETTLE)),
}
EVERY_COURSE = (
    Course(awarded=False),
    *(AWARDED, OFFERED, CONCLUDED, FILED, SETTLED),
    replace(SETTLED, filed=False),
)


@pytest.mark.accepts("AW-11")
@pytest.mark.refuses("AW-11")
@pytest.mark.parametrize("step", list(Step))
@pytest.mark.parametrize("course", EVERY_COURSE)
def test_each_step_is_taken_in_its_turn_and_not_before_or_twice(step: Step, course: Course) -> None:
    lawful = (step, course) in LAWFUL
    assert (step_refusals(step, course, TENDERING) == []) is lawful
    assert (step_refusals(step, course, PROCUREMENT) == []) is lawful


def test_a_step_too_many_is_refused_by_the_law_of_its_procedure() -> None:
    (tendering,) = step_refusals(Step.OFFER, CONCLUDED, TENDERING)
    (procured,) = step_refusals(Step.OFFER, CONCLUDED, PROCUREMENT)
    assert (tendering.code, tendering.article) == ("concluded_already", BIDDING_LAW[46])
    assert (procured.code, procured.article) == ("concluded_already", PROCUREMENT_LAW[46])
    (twice,) = step_refusals(Step.FILE, FILED, PROCUREMENT)
    assert (twice.code, twice.article) == ("filed_already", PROCUREMENT_LAW[47])


@pytest.mark.accepts("AW-15")
@pytest.mark.refuses("AW-15")
def test_procurement_files_within_seven_working_days_to_the_last_instant() -> None:
    signed_at = datetime(2026, 4, 1, 9, tzinfo=BEIJING)
    dates = publication_dates(signed_at, PROCUREMENT, calendar=STATE_CALENDAR)
    assert dates is not None
    just = dates.filed - timedelta(microseconds=1)
    assert filing_cautions(just, dates) == []
    (late,) = filing_cautions(dates.filed, dates)
    assert (late.code, late.article) == ("filed_late", PROCUREMENT_LAW[47])


def test_where_no_law_sets_a_day_no_filing_is_late() -> None:
    assert filing_cautions(datetime(2036, 4, 1, tzinfo=BEIJING), None) == []
