"""
Everything the platform raises on purpose:

* PlatformError
  + NotFound            no such thing, or none that this actor may know of
  + NotPermitted        the actor's role does not allow the act
    - NotSignedIn       the sign-in does not hold: unknown, used up, expired or ended
  + Refused             the law does not allow the act; carries one refusal for each ground
  + Outrun              someone else changed the same thing first; load it again
  + BrokenSeal          a ciphertext, signature or proof does not verify
  + TooMuch             more, or faster, than this actor may ask for at present
  + NoCalendar          days were to be counted in a year whose calendar is not known yet

None of them knows HTTP; the web turns them into responses in one place. Anything else that is
raised is a defect and may crash the request.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from kernel.refusals import Refusal


class PlatformError(Exception):
    """Base of every error raised on purpose."""


class NotFound(PlatformError):
    """No such thing, or none that this actor may know of."""


class NotPermitted(PlatformError):
    """The actor's role does not allow the act."""


class NotSignedIn(NotPermitted):
    """The sign-in does not hold: unknown, used up, expired or ended."""


class Refused(PlatformError):
    """The law does not allow the act."""

    def __init__(self, refusals: Sequence[Refusal]) -> None:
        super().__init__("; ".join(f"{one.reason} ({one.article})" for one in refusals))
        self.refusals = tuple(refusals)


class Outrun(PlatformError):
    """Someone else changed the same thing first; load it again."""


class BrokenSeal(PlatformError):
    """A ciphertext, signature or proof does not verify."""


class TooMuch(PlatformError):
    """More, or faster, than this actor may ask for at present; `retry_after` says when to ask."""

    def __init__(self, message: str, *, retry_after: timedelta | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class NoCalendar(PlatformError):
    """Days were to be counted in a year whose calendar is not known yet."""

    def __init__(self, year: int) -> None:
        super().__init__(f"{year}年的节假日安排尚未载入（SUNBID_CALENDAR），不能计算期限")
        self.year = year
