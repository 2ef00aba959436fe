"""What the platform itself records: its log's keys, its demo clock, and the parties it knows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar
from uuid import UUID

from kernel.events import Audience, Event

PLATFORM_ITSELF = UUID(int=0)
"""The subject of entries that concern no lot and no party."""


@dataclass(frozen=True, slots=True)
class FillerKeyCommitted(Event):
    """The key of a coming run of fillers was fixed, by its commitment."""

    audience: ClassVar[Audience] = Audience.PUBLIC
    number: int
    commitment: bytes


@dataclass(frozen=True, slots=True)
class FillerKeyDisclosed(Event):
    """The key of an ended run of fillers, so that each leaf opens as one entry or one filler."""

    audience: ClassVar[Audience] = Audience.PUBLIC
    number: int
    key: bytes
    first_index: int
    end_index: int


@dataclass(frozen=True, slots=True)
class ClockJumped(Event):
    """A demo database's clock was moved forward."""

    audience: ClassVar[Audience] = Audience.PUBLIC
    from_at: datetime
    to_at: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class PlatformFounded(Event):
    """This database became a platform, a demo or a real one, for ever."""

    audience: ClassVar[Audience] = Audience.PUBLIC
    demo: bool
    log_vkey: str
    start: datetime
