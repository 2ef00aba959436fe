"""What happens in the expert pool, in the past tense, with the circle that may know.

Nothing here names an expert to anyone but himself: a draw speaks of labels until the law lets the
names out (招标投标法 37).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar
from uuid import UUID

from kernel.events import Audience, Event


@dataclass(frozen=True, slots=True)
class ExpertEnrolled(Event):
    """An expert applied to a pool; the pool's keeper learns of it."""

    audience: ClassVar[Audience] = Audience.PARTY
    addressee_id: UUID
    region_code: str
    specialisms: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ExpertVerified(Event):
    """An expert's application was verified."""

    audience: ClassVar[Audience] = Audience.PARTY
    addressee_id: UUID


@dataclass(frozen=True, slots=True)
class ExpertLeft(Event):
    """An expert left his pool and is drawn no more."""

    audience: ClassVar[Audience] = Audience.PARTY
    addressee_id: UUID


@dataclass(frozen=True, slots=True)
class DrawAnnounced(Event):
    """A draw was announced: its strata, its pool by root, its exclusions by root, its parties."""

    audience: ClassVar[Audience] = Audience.PUBLIC
    barrier: ClassVar[bool] = True
    draw_id: UUID
    round: int
    announcement: bytes


@dataclass(frozen=True, slots=True)
class DrawCommitted(Event):
    """A party committed itself to its nonce before it knew any other."""

    audience: ClassVar[Audience] = Audience.PUBLIC
    barrier: ClassVar[bool] = True
    draw_id: UUID
    party: str
    commitment: bytes
    share_key: bytes
    statement_digest: bytes


@dataclass(frozen=True, slots=True)
class NonceSharesDealt(Event):
    """A party dealt shares of its nonce to the others, each with its commitment."""

    audience: ClassVar[Audience] = Audience.PUBLIC
    barrier: ClassVar[bool] = True
    draw_id: UUID
    party: str
    shares: tuple[dict[str, object], ...]
    statement_digest: bytes


@dataclass(frozen=True, slots=True)
class NonceShareConfirmed(Event):
    """A party confirmed that the share it was dealt opens and is the one committed to."""

    audience: ClassVar[Audience] = Audience.PUBLIC
    draw_id: UUID
    holder: str
    dealer: str


@dataclass(frozen=True, slots=True)
class NonceShareMisdealt(Event):
    """A party showed that the share it was dealt is not the one committed to."""

    audience: ClassVar[Audience] = Audience.PUBLIC
    draw_id: UUID
    holder: str
    dealer: str


@dataclass(frozen=True, slots=True)
class EligibilityCountersigned(Event):
    """A supervisor countersigned the exclusions, before any nonce was known."""

    audience: ClassVar[Audience] = Audience.PUBLIC
    barrier: ClassVar[bool] = True
    draw_id: UUID
    members_root: bytes
    statement_digest: bytes


@dataclass(frozen=True, slots=True)
class NonceRevealed(Event):
    """A party's nonce became known: by itself, or rebuilt from the others' shares."""

    audience: ClassVar[Audience] = Audience.PUBLIC
    barrier: ClassVar[bool] = True
    draw_id: UUID
    party: str
    nonce: bytes
    recovered: bool


@dataclass(frozen=True, slots=True)
class DrawRanked(Event):
    """The order of every stratum follows from the nonces; anyone can derive it again."""

    audience: ClassVar[Audience] = Audience.PUBLIC
    draw_id: UUID
    prk: bytes


@dataclass(frozen=True, slots=True)
class DrawVoided(Event):
    """A draw came to nothing, why, and by whose fault; it stays on record."""

    audience: ClassVar[Audience] = Audience.PUBLIC
    barrier: ClassVar[bool] = True
    draw_id: UUID
    reason: str
    at_fault: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ExpertCalled(Event):
    """An expert was called; he alone learns for when and where."""

    audience: ClassVar[Audience] = Audience.NOBODY
    draw_id: UUID
    stratum: str
    place: int
    label: bytes


@dataclass(frozen=True, slots=True)
class CallEnded(Event):
    """A call came to its outcome; by label, and never by name. `decision_id` is of a late bar."""

    audience: ClassVar[Audience] = Audience.NOBODY
    draw_id: UUID
    stratum: str
    place: int
    label: bytes
    outcome: str
    reason: str
    evidence: str
    decision_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class DrawCompleted(Event):
    """Every seat of the draw was accepted."""

    audience: ClassVar[Audience] = Audience.PUBLIC
    barrier: ClassVar[bool] = True
    draw_id: UUID
    seats: int
    passed: int
    calls_digest: bytes
