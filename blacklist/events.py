"""What happened to somebody's standing, in the past tense, with the circle that may know.

Decisions about organisations are public (招标投标法实施条例 78). Natural persons are not displayed
without a law that says so, so theirs go to supervisors only.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import ClassVar
from uuid import UUID

from kernel.events import Audience, Event


@dataclass(frozen=True, slots=True)
class PartyBarred(Event):
    """An organisation was barred from acts by a recorded decision; the subject is the party."""

    audience: ClassVar[Audience] = Audience.PUBLIC
    decision_id: UUID
    authority: str
    document_number: str
    article: str
    acts: tuple[str, ...]
    starts_on: date
    ends_on: date | None
    statement_digest: bytes


@dataclass(frozen=True, slots=True)
class PersonBarred(Event):
    """A natural person was barred from acts by a recorded decision; the subject is the person."""

    audience: ClassVar[Audience] = Audience.SUPERVISORS
    decision_id: UUID
    authority: str
    document_number: str
    article: str
    acts: tuple[str, ...]
    starts_on: date
    ends_on: date | None
    statement_digest: bytes


@dataclass(frozen=True, slots=True)
class BarLifted(Event):
    """The bars of a decision about an organisation were lifted."""

    audience: ClassVar[Audience] = Audience.PUBLIC
    decision_id: UUID
    authority: str
    document_number: str
    reason: str
    statement_digest: bytes


@dataclass(frozen=True, slots=True)
class PersonBarLifted(Event):
    """The bars of a decision about a natural person were lifted."""

    audience: ClassVar[Audience] = Audience.SUPERVISORS
    decision_id: UUID
    authority: str
    document_number: str
    reason: str
    statement_digest: bytes
