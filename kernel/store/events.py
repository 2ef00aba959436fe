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


@dataclass(frozen=True, slots=True)
class OrganisationRegistered(Event):
    """An organisation asked to be let in; until it is verified only supervisors see that."""

    audience: ClassVar[Audience] = Audience.SUPERVISORS
    uscc: str
    name: str
    region_code: str
    roles: tuple[str, ...]
    registration_digest: bytes


@dataclass(frozen=True, slots=True)
class OrganisationVerified(Event):
    """The centre checked what an organisation had said about itself."""

    audience: ClassVar[Audience] = Audience.PUBLIC
    uscc: str
    name: str
    region_code: str
    roles: tuple[str, ...]
    basis: str


@dataclass(frozen=True, slots=True)
class PersonJoined(Event):
    """A person may act for an organisation, the subject, in these capacities."""

    audience: ClassVar[Audience] = Audience.PARTY
    person_id: UUID
    roles: tuple[str, ...]
    addressee_id: UUID


@dataclass(frozen=True, slots=True)
class PersonLeft(Event):
    """A person may no longer act for an organisation, the subject, in this capacity."""

    audience: ClassVar[Audience] = Audience.PARTY
    person_id: UUID
    role: str
    addressee_id: UUID


@dataclass(frozen=True, slots=True)
class CredentialAdded(Event):
    """A further public key speaks for a person, the subject."""

    audience: ClassVar[Audience] = Audience.PARTY
    keyid: str
    kind: str


@dataclass(frozen=True, slots=True)
class CredentialRevoked(Event):
    """A public key no longer speaks for a person, the subject, and its sessions have ended."""

    audience: ClassVar[Audience] = Audience.PARTY
    keyid: str
    reason: str


@dataclass(frozen=True, slots=True)
class PersonForgotten(Event):
    """A person's name, number, addresses and doings were erased; the subject is nobody any more.

    `entries` counts the entries of the journal that no longer say who made them.
    """

    audience: ClassVar[Audience] = Audience.SUPERVISORS
    entries: int
    basis: str


@dataclass(frozen=True, slots=True)
class SignedIn(Event):
    """A person began to act for an organisation, the subject, in one capacity but an expert's.

    Only that organisation may know: presence before a closing would tell who takes part.
    """

    audience: ClassVar[Audience] = Audience.PARTY
    person_id: UUID
    role: str
    keyid: str


@dataclass(frozen=True, slots=True)
class SignedOut(Event):
    """A person ended a session with an organisation, the subject."""

    audience: ClassVar[Audience] = Audience.PARTY
    person_id: UUID
    role: str


@dataclass(frozen=True, slots=True)
class ExpertSignedIn(Event):
    """An expert began to act; the subject is the pool's keeper, and not even it may know.

    Around a call, who signs in would tell who was called (招标投标法 37).
    """

    audience: ClassVar[Audience] = Audience.NOBODY
    person_id: UUID
    keyid: str


@dataclass(frozen=True, slots=True)
class ExpertSignedOut(Event):
    """An expert ended a session; nobody may know."""

    audience: ClassVar[Audience] = Audience.NOBODY
    person_id: UUID


@dataclass(frozen=True, slots=True)
class ExpertCapacityTaken(Event):
    """An expert acted for the first time for a subject; nobody may know that he sits there."""

    audience: ClassVar[Audience] = Audience.NOBODY
    person_id: UUID


@dataclass(frozen=True, slots=True)
class SiteCapacityTaken(Event):
    """A site's administrator acted for the first time for a subject; nobody may know.

    A site's staff know by name who sits there, and are not told for which lot (招标投标法 37).
    """

    audience: ClassVar[Audience] = Audience.NOBODY
    person_id: UUID


@dataclass(frozen=True, slots=True)
class CapacityTaken(Event):
    """A person acted for the first time in this capacity for a subject; the ground for refusing
    every capacity that may not be combined with it."""

    audience: ClassVar[Audience] = Audience.PARTY
    person_id: UUID
    role: str


@dataclass(frozen=True, slots=True)
class ContactVerified(Event):
    """A person, the subject, showed that a kind of address is his; nobody may know.

    Around a call, what an expert does with his addresses would tell that he was called.
    """

    audience: ClassVar[Audience] = Audience.NOBODY
    kind: str


@dataclass(frozen=True, slots=True)
class ConsentGiven(Event):
    """A person, the subject, consented to a use of sensitive data; nobody may know."""

    audience: ClassVar[Audience] = Audience.NOBODY
    purpose: str
    text_digest: bytes


@dataclass(frozen=True, slots=True)
class ConsentWithdrawn(Event):
    """A person, the subject, withdrew such a consent; nobody may know."""

    audience: ClassVar[Audience] = Audience.NOBODY
    purpose: str


@dataclass(frozen=True, slots=True)
class ContactForgotten(Event):
    """A kind of address of a person, the subject, was erased; nobody may know."""

    audience: ClassVar[Audience] = Audience.NOBODY
    kind: str
