"""UX 12.2: when people are reminded, and that each stage is told once."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as some

from kernel.working_days import BEIJING
from trading.rules.reminder_times import AHEAD, Reminder, stage_due

DUE_AT = datetime(2026, 3, 23, 9, 30, tzinfo=BEIJING)
INSTANT = timedelta(microseconds=1)


def test_everything_has_its_stages_the_farthest_first() -> None:
    assert AHEAD.keys() == set(Reminder)
    for stages in AHEAD.values():
        assert sorted(stages, reverse=True) == list(stages)


@pytest.mark.parametrize("reminder", Reminder)
def test_a_stage_is_due_at_its_very_instant_and_not_before(reminder: Reminder) -> None:
    for ahead in AHEAD[reminder]:
        assert stage_due(reminder, DUE_AT, now=DUE_AT - ahead) == ahead
        assert stage_due(reminder, DUE_AT, now=DUE_AT - ahead - INSTANT) != ahead


def test_only_shares_and_a_purchasers_duties_are_told_when_their_moment_has_come() -> None:
    told = {one: stage_due(one, DUE_AT, now=DUE_AT) for one in Reminder}
    assert {one for one, stage in told.items() if stage is not None} == {
        *(Reminder.SHARES, Reminder.DECISION, Reminder.RESULT)
    }


@given(
    some.sampled_from(Reminder),
    some.lists(some.timedeltas(timedelta(days=-1), timedelta(days=9)), min_size=1, max_size=20),
)
def test_whoever_looks_at_any_time_finds_no_stage_twice_out_of_order(
    reminder: Reminder, looks: list[timedelta]
) -> None:
    """However rarely the clock is looked at, stages only come nearer."""
    found = [
        stage
        for left in sorted(looks, reverse=True)
        if (stage := stage_due(reminder, DUE_AT, now=DUE_AT - left)) is not None
    ]
    assert found == sorted(found, reverse=True)
    assert set(found) <= set(AHEAD[reminder])
