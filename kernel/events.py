"""What all events have in common: a subject, and the people who may know.

An event is a fact in the past tense. Who may know it is written on its class, next to the fact
itself, so that secrecy is decided where the fact is named and nowhere else.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import Enum, StrEnum
from typing import ClassVar
from uuid import UUID

from kernel.crypto.digests import b64u, instant_text


class Audience(StrEnum):
    """Who may know that an event happened."""

    PUBLIC = "public"
    PARTICIPANTS = "participants"
    COMMITTEE = "committee"
    SUPERVISORS = "supervisors"
    SEALED_UNTIL_CLOSE = "sealed_until_close"
    PARTY = "party"
    NOBODY = "nobody"


@dataclass(frozen=True, slots=True)
class Event:
    """A fact, named in the past tense, recorded in the transaction that made it true.

    `after_close` is who may know a sealed fact once its subject has been disclosed. `seals` marks
    the event that begins a subject's sealed time, `discloses` the one that ends it. `barrier`
    marks an event that must stand in a later log batch than everything before it, because the
    order between the two is part of a proof. `receipted` marks one whose author gets a receipt:
    a proof, kept byte for byte, that it stands in the log.
    """

    audience: ClassVar[Audience]
    after_close: ClassVar[Audience] = Audience.SUPERVISORS
    seals: ClassVar[bool] = False
    discloses: ClassVar[bool] = False
    barrier: ClassVar[bool] = False
    receipted: ClassVar[bool] = False

    subject_id: UUID


def plain(value: object) -> object:
    """The value as JSON can carry it: decimals and instants as text, bytes as base64url."""
    match value:
        case None | bool() | int() | str() if not isinstance(value, Enum):
            return value
        case Enum():
            return plain(value.value)
        case Decimal():
            return format(value, "f")
        case datetime():
            return instant_text(value)
        case date():
            return value.isoformat()
        case UUID():
            return str(value)
        case bytes():
            return b64u(value)
        case dict():
            return {str(key): plain(item) for key, item in value.items()}
        case list() | tuple() | set() | frozenset():
            items = [plain(item) for item in value]
            return sorted(items, key=str) if isinstance(value, set | frozenset) else items
        case _ if dataclasses.is_dataclass(value) and not isinstance(value, type):
            fields = dataclasses.fields(value)
            return {field.name: plain(getattr(value, field.name)) for field in fields}
    raise TypeError(f"{type(value).__name__} cannot be recorded")


def facts_of(event: Event) -> dict[str, object]:
    """The event's fields as they are recorded, without its subject."""
    facts = plain(event)
    assert isinstance(facts, dict)
    facts.pop("subject_id")
    return facts
