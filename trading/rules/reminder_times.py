"""When people are reminded of what is about to happen or to fall due, before it is too late.

No statute asks for a reminder. The times are this platform's: long enough to act in, and each told
once, so that nobody learns to overlook them.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Final


class Reminder(StrEnum):
    """What people are reminded of."""

    OPENING = "opening"
    """The bids' deadline, at which the opening begins."""

    RELEASE = "release"
    """The end of the time in which bidders decrypt."""

    SHARES = "shares"
    """The same instant for custodians, who give their shares from then on."""

    PUBLICITY = "publicity"
    """The end of the candidates' publicity, and with it of objections to the result."""

    ANSWER = "answer"
    """The last moment for the answer to an objection."""

    DECISION = "decision"
    """The end of the days in which a purchaser decides; then the law has decided for it."""

    RESULT = "result"
    """The end of the days for the notice of a result that the law decided."""

    CONTRACT = "contract"
    """The end of the last day for signing the contract."""


AHEAD: Final[Mapping[Reminder, tuple[timedelta, ...]]] = MappingProxyType(
    {
        Reminder.OPENING: (timedelta(minutes=30),),
        Reminder.RELEASE: (timedelta(minutes=10), timedelta(minutes=3)),
        Reminder.SHARES: (timedelta(minutes=10), timedelta(0)),
        Reminder.PUBLICITY: (timedelta(days=1),),
        Reminder.ANSWER: (timedelta(days=1),),
        Reminder.DECISION: (timedelta(days=1), timedelta(0)),
        Reminder.RESULT: (timedelta(days=1), timedelta(0)),
        Reminder.CONTRACT: (timedelta(days=7), timedelta(days=1)),
    }
)
"""How long ahead people are reminded; not at all is when what they wait for has come."""


def stage_due(reminder: Reminder, due_at: datetime, *, now: datetime) -> timedelta | None:
    """The reminder that is due now: the latest of those whose time has come.

    None while the moment is far, and again once it is past, but for a stage that is told at the
    moment itself. What was passed over while nobody looked is not told late.
    """
    left = due_at - now
    if left <= timedelta(0):
        return timedelta(0) if timedelta(0) in AHEAD[reminder] else None
    return min((ahead for ahead in AHEAD[reminder] if left <= ahead), default=None)
