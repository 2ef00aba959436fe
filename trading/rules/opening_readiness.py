"""Whether a lot is ready to be opened, as its owners look it over the day before.

What is looked at is public, or the owners' own: times, custodians, questions that wait. Whether
anybody bids is no part of it, and no check comes out otherwise because somebody did.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from kernel.statute import BIDDING_LAW, under
from kernel.working_days import Calendar, beijing_day

LOOKED_OVER_BEFORE: Final = timedelta(hours=24)


class Check(StrEnum):
    """What is looked at before an opening."""

    TIME_TO_COME = "time_to_come"
    WORKING_DAY = "working_day"
    GOES_ON = "goes_on"
    ANSWERED = "answered"
    CUSTODIANS_SPARE = "custodians_spare"


@dataclass(frozen=True, slots=True)
class Prepared:
    """A published lot as it stands: custodians there are and how many of them it takes."""

    bids_due_at: datetime
    suspended: bool
    unanswered: int
    custodians: int
    custodians_needed: int


@dataclass(frozen=True, slots=True)
class Looked:
    """One check and whether it is in order."""

    check: Check
    well: bool


@under(BIDDING_LAW[34])
def readiness(prepared: Prepared, *, now: datetime, calendar: Calendar) -> tuple[Looked, ...]:
    """Every check in its order: the opening is at the very deadline, so nothing can wait for it.

    One custodian more than it takes is the least that lets an opening do without one of them.
    """
    found = {
        Check.TIME_TO_COME: now < prepared.bids_due_at,
        Check.WORKING_DAY: calendar.is_working_day(beijing_day(prepared.bids_due_at)),
        Check.GOES_ON: not prepared.suspended,
        Check.ANSWERED: prepared.unanswered == 0,
        Check.CUSTODIANS_SPARE: prepared.custodians > prepared.custodians_needed,
    }
    return tuple(Looked(check, well) for check, well in found.items())


def is_near(prepared: Prepared, *, now: datetime) -> bool:
    """Whether the day before the opening has come."""
    return now >= prepared.bids_due_at - LOOKED_OVER_BEFORE
