"""How the law counts days: natural days, working days, and the day that is not counted.

The day on which a period starts is not counted, and a period whose last day is a statutory rest
day ends on the next day that is none (民法典 201 and 203; 财政部令第87号, article 85). Days are
those of the calendar in Beijing; instants are never subtracted from each other.

Which days are rest days is data. Every year the State Council moves working days about (调休), so a
year without its notice cannot be counted: `NoCalendar`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import chinese_calendar

from kernel.errors import NoCalendar

BEIJING: Final = ZoneInfo("Asia/Shanghai")
ONE_DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class YearNotice:
    """The State Council's notice for one year: weekdays off, and weekend days to be worked."""

    year: int
    weekdays_off: frozenset[date]
    weekends_worked: frozenset[date]
    document: str = ""

    def __post_init__(self) -> None:
        days = self.weekdays_off | self.weekends_worked
        if any(day.year != self.year for day in days):
            raise ValueError(f"the notice for {self.year} speaks of another year")
        if any(day.weekday() >= 5 for day in self.weekdays_off):
            raise ValueError("a weekend day is off without a notice")
        if any(day.weekday() < 5 for day in self.weekends_worked):
            raise ValueError("a weekday is worked without a notice")


@dataclass(frozen=True, slots=True)
class Calendar:
    """Which days are worked: the notices given here, and for other years those of a public table.

    The public table knows 2004 to 2026; a notice given here replaces it for its year.
    """

    notices: Mapping[int, YearNotice] = field(default_factory=dict, hash=False)

    def is_working_day(self, day: date) -> bool:
        """Whether the day is worked; `NoCalendar` for a year nobody has told us about."""
        notice = self.notices.get(day.year)
        if notice is not None:
            if day.weekday() >= 5:
                return day in notice.weekends_worked
            return day not in notice.weekdays_off
        try:
            return bool(chinese_calendar.is_workday(day))
        except NotImplementedError:
            # So the public table answers for a year whose notice it does not have.
            raise NoCalendar(day.year) from None

    def knows(self, year: int) -> bool:
        """Whether days of that year can be counted."""
        try:
            self.is_working_day(date(year, 1, 1))
        except NoCalendar:
            return False
        return True


STATE_CALENDAR: Final = Calendar()


def read_calendar(text: str) -> Calendar:
    """A calendar with the yearly notices written in a JSON list; `ValueError` for anything else.

    Each item: `{"year": 2027, "weekdays_off": ["2027-01-01"], "weekends_worked": [], "document":
    "国办发明电〔…〕"}`.
    """
    told = json.loads(text)
    if not isinstance(told, list):
        raise ValueError("a calendar is a list of yearly notices")
    notices = {}
    for item in told:
        try:
            notice = YearNotice(
                int(item["year"]),
                frozenset(map(date.fromisoformat, item["weekdays_off"])),
                frozenset(map(date.fromisoformat, item["weekends_worked"])),
                str(item.get("document", "")),
            )
        except (KeyError, TypeError, AttributeError):
            raise ValueError("a notice has a year, weekdays_off and weekends_worked") from None
        notices[notice.year] = notice
    return Calendar(notices)


def beijing_day(at: datetime) -> date:
    """The day that the calendar in Beijing shows at that instant."""
    return at.astimezone(BEIJING).date()


def start_of_day(day: date) -> datetime:
    """The instant at which that day begins in Beijing."""
    return datetime.combine(day, time(), BEIJING)


def end_of_day(day: date) -> datetime:
    """24:00 of that day in Beijing, which no longer belongs to it."""
    return start_of_day(day + ONE_DAY)


def next_working_day(day: date, *, calendar: Calendar = STATE_CALENDAR) -> date:
    """The day itself if it is worked, else the first worked one after it."""
    while not calendar.is_working_day(day):
        day += ONE_DAY
    return day


def last_day(start_on: date, days: int, *, calendar: Calendar = STATE_CALENDAR) -> date:
    """The last day of a period of natural days (日) that starts on `start_on`."""
    return next_working_day(start_on + timedelta(days=days), calendar=calendar)


def last_working_day(start_on: date, days: int, *, calendar: Calendar = STATE_CALENDAR) -> date:
    """The last day of a period of working days (工作日) that starts on `start_on`."""
    day = start_on
    for _ in range(days):
        day = next_working_day(day + ONE_DAY, calendar=calendar)
    return day


def earliest_deadline(issued_on: date, days: int, *, calendar: Calendar = STATE_CALENDAR) -> date:
    """The first day on which a deadline may lie that leaves others at least so many days.

    A period that would end on a rest day runs on, so the deadline waits for the next working day.
    """
    return last_day(issued_on, days, calendar=calendar)


def days_before(deadline: datetime, days: int) -> datetime:
    """The same time of day so many days earlier: the last instant that is still days before.

    Ten days before 9:30 on the 20th is 9:30 on the 10th, and 9:30 itself is in time.
    """
    here = deadline.astimezone(BEIJING)
    return datetime.combine(here.date() - timedelta(days=days), here.time(), BEIJING)


def end_of_publicity(
    started_at: datetime, days: int, *, calendar: Calendar = STATE_CALENDAR
) -> datetime:
    """24:00 of the last day of a publicity period; with no days, the instant it started."""
    if days == 0:
        return started_at
    return end_of_day(last_day(beijing_day(started_at), days, calendar=calendar))
