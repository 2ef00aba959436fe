"""What happens in an evaluation, in the past tense, with the circle that may know.

In the room a member is a number at a site. No event before the award names one, and none carries
a score before everyone has committed to a sheet (招标投标法 37, 38; 12号令 8).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar
from uuid import UUID

from kernel.events import Audience, Event


@dataclass(frozen=True, slots=True)
class SiteRegistered(Event):
    """A trading centre offers an evaluation site; the subject is the site."""

    audience: ClassVar[Audience] = Audience.PUBLIC
    name: str
    region_code: str
    keeper_id: UUID


@dataclass(frozen=True, slots=True)
class SeatRegistered(Event):
    """A site has a workstation, known by its own key; the subject is the site."""

    audience: ClassVar[Audience] = Audience.PUBLIC
    seat_id: UUID
    number: int
    keyid: str


@dataclass(frozen=True, slots=True)
class CommitteeConvened(Event):
    """A committee was formed for a lot; who sits in it stays secret."""

    audience: ClassVar[Audience] = Audience.COMMITTEE
    committee_id: UUID
    members: int
    experts: int
    sites: int
    window_from: datetime
    window_until: datetime


@dataclass(frozen=True, slots=True)
class MemberAdmitted(Event):
    """A site's staff compared the identity of the member expected at a seat; by its number."""

    audience: ClassVar[Audience] = Audience.COMMITTEE
    committee_id: UUID
    number: int
    site: str
    seat: int


@dataclass(frozen=True, slots=True)
class MemberSignedIn(Event):
    """A member sat down at its assigned seat and declared to have nothing to withdraw for."""

    audience: ClassVar[Audience] = Audience.COMMITTEE
    committee_id: UUID
    number: int
    site: str
    seat: int


@dataclass(frozen=True, slots=True)
class MemberWithdrew(Event):
    """A member withdrew; what it has concluded counts for nothing."""

    audience: ClassVar[Audience] = Audience.COMMITTEE
    committee_id: UUID
    number: int
    reason: str


@dataclass(frozen=True, slots=True)
class MemberRemoved(Event):
    """A member is to be replaced though it did not withdraw; what it has concluded is void.

    The ground is told and no more: who is barred, and why somebody stayed away, would name it.
    """

    audience: ClassVar[Audience] = Audience.COMMITTEE
    committee_id: UUID
    number: int
    ground: str


@dataclass(frozen=True, slots=True)
class MemberSucceeded(Event):
    """The next in the draw took the place of a member who left, and starts afresh.

    It stands in a later log batch than every sheet shown before, which a successor alone may follow
    with a first commitment.
    """

    audience: ClassVar[Audience] = Audience.COMMITTEE
    barrier: ClassVar[bool] = True
    committee_id: UUID
    left: int
    number: int
    site: str
    seat: int


@dataclass(frozen=True, slots=True)
class MoreTimeAsked(Event):
    """A member holds that the evaluation cannot be done properly by the end of its window."""

    audience: ClassVar[Audience] = Audience.COMMITTEE
    committee_id: UUID
    number: int


@dataclass(frozen=True, slots=True)
class WindowExtended(Event):
    """The evaluation may go on for longer; `asked` members of so many had asked for it."""

    audience: ClassVar[Audience] = Audience.COMMITTEE
    committee_id: UUID
    ground: str
    window_until: datetime
    asked: int
    members: int


@dataclass(frozen=True, slots=True)
class ReadingBegan(Event):
    """The committee is complete: the bids may be read."""

    audience: ClassVar[Audience] = Audience.COMMITTEE
    committee_id: UUID


@dataclass(frozen=True, slots=True)
class ReadingStopped(Event):
    """A member's line was lost or left: nobody reads until it is back."""

    audience: ClassVar[Audience] = Audience.COMMITTEE
    committee_id: UUID
    absent: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class RejectionProposed(Event):
    """A member proposed to reject a bid."""

    audience: ClassVar[Audience] = Audience.COMMITTEE
    committee_id: UUID
    rejection_id: UUID
    bid_id: UUID
    ground: str
    page: str


@dataclass(frozen=True, slots=True)
class RejectionDecided(Event):
    """The committee voted on a rejection; the majority of all members decides."""

    audience: ClassVar[Audience] = Audience.COMMITTEE
    committee_id: UUID
    rejection_id: UUID
    bid_id: UUID
    ground: str
    page: str
    carried: bool
    in_favour: int
    members: int


@dataclass(frozen=True, slots=True)
class ScoresCommitted(Event):
    """A member committed to a sheet that nobody else has seen."""

    audience: ClassVar[Audience] = Audience.COMMITTEE
    committee_id: UUID
    number: int
    round: int
    commitment: bytes
    reason: str


@dataclass(frozen=True, slots=True)
class ScoresRevealed(Event):
    """A member's sheet was revealed, after everyone had committed.

    It stands in a later log batch than every commitment, so that the order can be proven.
    """

    audience: ClassVar[Audience] = Audience.COMMITTEE
    barrier: ClassVar[bool] = True
    committee_id: UUID
    number: int
    round: int
    commitment: bytes


@dataclass(frozen=True, slots=True)
class ReportCompiled(Event):
    """The report was computed from the sheets and the votes; a newer one makes signatures void."""

    audience: ClassVar[Audience] = Audience.COMMITTEE
    committee_id: UUID
    report_digest: bytes


@dataclass(frozen=True, slots=True)
class ReportSigned(Event):
    """A member signed the report, perhaps with a written dissent."""

    audience: ClassVar[Audience] = Audience.COMMITTEE
    committee_id: UUID
    number: int
    dissented: bool
    refused: bool


@dataclass(frozen=True, slots=True)
class ReportSetAside(Event):
    """A report came to nothing and is kept as it was; the committee goes on from before it."""

    audience: ClassVar[Audience] = Audience.COMMITTEE
    committee_id: UUID
    report_digest: bytes
    version: int
    ground: str


@dataclass(frozen=True, slots=True)
class ReportHandedBack(Event):
    """The signed report moved the lot; it stands in the log behind everything it rests on."""

    audience: ClassVar[Audience] = Audience.PUBLIC
    barrier: ClassVar[bool] = True
    committee_id: UUID
    report_digest: bytes
    candidates: int
    rejected: int


@dataclass(frozen=True, slots=True)
class OpinionGiven(Event):
    """A member of a review committee said what it finds of the applications; not what it says."""

    audience: ClassVar[Audience] = Audience.COMMITTEE
    committee_id: UUID
    number: int
    statement_digest: bytes


@dataclass(frozen=True, slots=True)
class ReviewHandedBack(Event):
    """The signed report on the applications ended their review; it tells nobody who passed."""

    audience: ClassVar[Audience] = Audience.PUBLIC
    barrier: ClassVar[bool] = True
    committee_id: UUID
    report_digest: bytes
