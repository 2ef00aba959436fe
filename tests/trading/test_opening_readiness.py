"""Looking an opening over the day before: Bidding Law 34."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from kernel.working_days import STATE_CALENDAR
from trading.rules.opening_readiness import Check, Prepared, is_near, readiness

DUE = datetime(2026, 3, 23, 1, 30, tzinfo=UTC)
"""A Monday."""

READY = Prepared(DUE, suspended=False, unanswered=0, custodians=4, custodians_needed=3)
BEFORE = DUE - timedelta(days=3)


def amiss(prepared: Prepared, now: datetime = BEFORE) -> set[Check]:
    looked = readiness(prepared, now=now, calendar=STATE_CALENDAR)
    assert [one.check for one in looked] == list(Check)
    return {one.check for one in looked if not one.well}


def test_a_lot_that_is_prepared_has_nothing_amiss() -> None:
    assert amiss(READY) == set()


@pytest.mark.parametrize(
    ("prepared", "check"),
    [
        (replace(READY, bids_due_at=DUE - timedelta(days=1)), Check.WORKING_DAY),
        (replace(READY, suspended=True), Check.GOES_ON),
        (replace(READY, unanswered=1), Check.ANSWERED),
        (replace(READY, custodians=3), Check.CUSTODIANS_SPARE),
    ],
)
def test_each_thing_amiss_is_named_alone(prepared: Prepared, check: Check) -> None:
    assert amiss(prepared) == {check}


def test_at_the_very_deadline_it_is_too_late_to_prepare() -> None:
    assert amiss(READY, DUE) == {Check.TIME_TO_COME}
    assert not is_near(READY, now=DUE - timedelta(hours=24, seconds=1))
    assert is_near(READY, now=DUE - timedelta(hours=24))
