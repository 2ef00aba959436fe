"""
Everything the platform raises on purpose:

* PlatformError
  + NotFound            no such thing, or none that this actor may know of
  + NotPermitted        the actor's role does not allow the act
  + Refused             the law does not allow the act; carries one refusal for each ground
  + Outrun              someone else changed the same thing first; load it again
  + BrokenSeal          a ciphertext, signature or proof does not verify

None of them knows HTTP; the web turns them into responses in one place. Anything else that is
raised is a defect and may crash the request.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kernel.refusals import Refusal


class PlatformError(Exception):
    """Base of every error raised on purpose."""


class NotFound(PlatformError):
    """No such thing, or none that this actor may know of."""


class NotPermitted(PlatformError):
    """The actor's role does not allow the act."""


class Refused(PlatformError):
    """The law does not allow the act."""

    def __init__(self, refusals: Sequence[Refusal]) -> None:
        super().__init__("; ".join(f"{one.reason} ({one.article})" for one in refusals))
        self.refusals = tuple(refusals)


class Outrun(PlatformError):
    """Someone else changed the same thing first; load it again."""


class BrokenSeal(PlatformError):
    """A ciphertext, signature or proof does not verify."""
