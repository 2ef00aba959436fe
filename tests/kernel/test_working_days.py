"""How days are counted: Civil Code 201, 203; the figures of Bidding Law 24, 46; Regulation 21, 22,
54; and working days of government procurement.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.errors import NoCalendar
from kernel.working_days import (
    BEIJING,
    STATE_CALENDAR,
    Calendar,
    YearNotice,
    beijing_day,
    days_before,
    earliest_deadline,
    end_of_day,
    end_of_publicity,
    last_day,
    last_working_day,
    next_working_day,
    read_calendar,
    start_of_day,
)

days_we_know = st.dates(min_value=date(2004, 1, 1), max_value=date(2026, 10, 1))


def in_beijing(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=BEIJING)


def test_twenty_days_that_end_on_a_sunday_end_on_monday() -> None:
    assert date(2026, 3, 22).isoweekday() == 7
    assert earliest_deadline(date(2026, 3, 2), 20) == date(2026, 3, 23)


def test_twenty_days_that_end_on_a_weekday_end_there() -> None:
    assert earliest_deadline(date(2026, 3, 3), 20) == date(2026, 3, 23)
    assert earliest_deadline(date(2026, 3, 4), 20) == date(2026, 3, 24)


def test_exactly_ten_days_before_the_deadline_is_still_ten_days() -> None:
    last = days_before(in_beijing("2026-04-20T09:30:00"), 10)
    assert last == in_beijing("2026-04-10T09:30:00")
    assert in_beijing("2026-04-10T09:31:00") > last


def test_a_clarification_fourteen_days_before_moves_the_deadline_to_the_21st() -> None:
    assert earliest_deadline(date(2026, 4, 6), 15) == date(2026, 4, 21)


def test_publicity_is_counted_from_the_day_after_it_starts() -> None:
    assert last_day(date(2026, 5, 6), 3) == date(2026, 5, 9), "a Saturday that is worked"
    assert end_of_publicity(in_beijing("2026-05-08T10:00:00"), 3) == in_beijing(
        "2026-05-12T00:00:00"
    )


def test_publicity_never_ends_on_a_rest_day() -> None:
    assert end_of_publicity(in_beijing("2026-09-28T10:00:00"), 3) == in_beijing(
        "2026-10-09T00:00:00"
    )


def test_publicity_of_no_days_ends_as_it_starts() -> None:
    at = in_beijing("2026-05-08T10:00:00")
    assert end_of_publicity(at, 0) == at


def test_thirty_days_from_the_award_notice_are_the_first_of_july() -> None:
    assert last_day(date(2026, 6, 1), 30) == date(2026, 7, 1)


def test_five_working_days_over_the_national_day_come_from_the_calendar() -> None:
    assert last_working_day(date(2026, 9, 28), 5) == date(2026, 10, 10), "a Saturday that is worked"


def test_the_calendar_knows_worked_weekends_and_weekdays_off() -> None:
    assert not STATE_CALENDAR.is_working_day(date(2026, 10, 1))
    assert not STATE_CALENDAR.is_working_day(date(2026, 10, 7))
    assert STATE_CALENDAR.is_working_day(date(2026, 9, 20))
    assert STATE_CALENDAR.is_working_day(date(2026, 10, 10))


def test_days_are_those_of_beijing() -> None:
    assert beijing_day(datetime(2026, 3, 1, 16, 0, tzinfo=UTC)) == date(2026, 3, 2)
    assert beijing_day(datetime(2026, 3, 1, 15, 59, 59, tzinfo=UTC)) == date(2026, 3, 1)
    assert start_of_day(date(2026, 3, 2)) == datetime(2026, 3, 1, 16, 0, tzinfo=UTC)
    assert end_of_day(date(2026, 3, 2)) == datetime(2026, 3, 2, 16, 0, tzinfo=UTC)


@pytest.mark.parametrize("year", [2003, 2027])
def test_a_year_without_its_notice_is_not_counted(year: int) -> None:
    assert not STATE_CALENDAR.knows(year)
    with pytest.raises(NoCalendar, match=f"{year}年"):
        last_day(date(year, 3, 1), 3)
    with pytest.raises(NoCalendar):
        last_working_day(date(year, 3, 1), 3)


def test_a_period_that_runs_into_a_year_without_its_notice_is_not_counted() -> None:
    with pytest.raises(NoCalendar, match="2027年"):
        last_day(date(2026, 12, 20), 20)
    assert last_day(date(2026, 12, 20), 10) == date(2026, 12, 30)


NEXT_YEAR = """[{"year": 2027, "weekdays_off": ["2027-01-01"], "weekends_worked": ["2027-01-03"],
                 "document": "示例"}]"""


def test_a_notice_given_as_data_opens_its_year() -> None:
    calendar = read_calendar(NEXT_YEAR)
    assert calendar.knows(2027)
    assert not calendar.is_working_day(date(2027, 1, 1))
    assert not calendar.is_working_day(date(2027, 1, 2))
    assert calendar.is_working_day(date(2027, 1, 3))
    assert calendar.is_working_day(date(2027, 1, 4))
    assert last_working_day(date(2026, 12, 31), 1, calendar=calendar) == date(2027, 1, 3)
    assert calendar.is_working_day(date(2026, 10, 10)), "other years stay as they are"


def test_a_notice_given_as_data_replaces_the_public_table() -> None:
    notice = YearNotice(2026, frozenset(), frozenset())
    assert Calendar({2026: notice}).is_working_day(date(2026, 10, 1))


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        "[1]",
        '[{"year": 2027}]',
        '[{"year": 2027, "weekdays_off": ["2027-13-01"], "weekends_worked": []}]',
        '[{"year": 2027, "weekdays_off": ["2026-01-01"], "weekends_worked": []}]',
        '[{"year": 2027, "weekdays_off": ["2027-01-02"], "weekends_worked": []}]',
        '[{"year": 2027, "weekdays_off": [], "weekends_worked": ["2027-01-01"]}]',
        "not json",
    ],
)
def test_a_calendar_that_makes_no_sense_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  # each text is wrong in its own way
        read_calendar(text)


@given(days_we_know, st.integers(1, 60))
def test_a_period_has_its_days_and_ends_on_a_worked_day(start: date, days: int) -> None:
    end = last_day(start, days)
    assert end >= start + timedelta(days=days)
    assert STATE_CALENDAR.is_working_day(end)
    between = (start + timedelta(days=days + extra) for extra in range((end - start).days - days))
    assert not any(STATE_CALENDAR.is_working_day(day) for day in between)


@given(days_we_know, st.integers(0, 30))
def test_working_days_are_exactly_counted(start: date, days: int) -> None:
    end = last_working_day(start, days)
    span = (start + timedelta(days=number + 1) for number in range((end - start).days))
    assert sum(map(STATE_CALENDAR.is_working_day, span)) == days


@given(days_we_know)
def test_the_next_working_day_is_worked_and_nothing_before_it(day: date) -> None:
    found = next_working_day(day)
    assert STATE_CALENDAR.is_working_day(found)
    assert found - day < timedelta(days=12)


@given(st.dates(date(2004, 1, 1), date(2026, 12, 1)), st.times(), st.integers(0, 40))
def test_days_before_keeps_the_time_of_day(day: date, at: time, days: int) -> None:
    deadline = datetime.combine(day, at, UTC)
    before = days_before(deadline, days)
    assert before.astimezone(BEIJING).time() == deadline.astimezone(BEIJING).time()
    assert beijing_day(deadline) - beijing_day(before) == timedelta(days=days)
