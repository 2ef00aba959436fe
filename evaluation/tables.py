"""What evaluation stores: sites and seats, committees, sheets, votes, reports.

A score sheet exists three times: as a draft that only its owner can read, as a commitment that
everyone in the room can see, and as the sheet itself once all have committed.
"""

from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, Numeric, UniqueConstraint
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field

from kernel.store.database import Instant, Row

APPEND_ONLY = {"append_only": True}
SCORE = Numeric(12, 4)


class SiteRow(Row, table=True):
    """A place where committee members sit, and who runs it."""

    __tablename__ = "site"
    __table_args__ = ({"schema": "evaluation"},)
    id: UUID = Field(primary_key=True)
    name: str
    region_code: str
    keeper_id: UUID = Field(foreign_key="kernel.organisation.id", index=True)
    registered_at: datetime = Field(sa_type=Instant)


class SeatRow(Row, table=True):
    """A workstation at a site, known by its own P-256 key."""

    __tablename__ = "seat"
    __table_args__ = (
        UniqueConstraint("site_id", "number"),
        {"schema": "evaluation"},
    )
    id: UUID = Field(primary_key=True)
    site_id: UUID = Field(foreign_key="evaluation.site.id", index=True)
    number: int
    keyid: str = Field(unique=True)
    public_key: bytes
    registered_at: datetime = Field(sa_type=Instant)


class CommitteeRow(Row, table=True):
    """A committee of a lot and the phase of its session.

    With a `review_round` it reviews the applications of that round of the lot's prequalification;
    without one it evaluates the bids.
    """

    __tablename__ = "committee"
    __table_args__ = (
        UniqueConstraint("lot_id", "review_round", postgresql_nulls_not_distinct=True),
        {"schema": "evaluation"},
    )
    id: UUID = Field(primary_key=True)
    lot_id: UUID
    review_round: int | None = None
    host_site_id: UUID = Field(foreign_key="evaluation.site.id")
    tenderee_id: UUID = Field(foreign_key="kernel.organisation.id", index=True)
    agency_id: UUID | None = Field(default=None, foreign_key="kernel.organisation.id", index=True)
    phase: str
    placement: dict[str, Any] = Field(sa_type=JSONB)
    """Region code to site id: where the experts of each region sit."""

    window_from: datetime = Field(sa_type=Instant)
    window_until: datetime = Field(sa_type=Instant)
    convened_at: datetime = Field(sa_type=Instant)
    seen_at: datetime | None = Field(default=None, sa_type=Instant)
    """The latest instant the session was told, in unshifted time."""

    paused_at: datetime | None = Field(default=None, sa_type=Instant)
    """When a fault broke the work off, in unshifted time."""

    closed_at: datetime | None = Field(default=None, sa_type=Instant)


class MemberRow(Row, table=True):
    """A member of a committee: in the room a number and a seat, never a name.

    `salt` hides the name in the report's commitment to it. Whoever left is kept; the one who came
    instead is the `successor_id`, and has a number of its own.
    """

    __tablename__ = "member"
    __table_args__ = (
        UniqueConstraint("committee_id", "number"),
        UniqueConstraint("committee_id", "person_id"),
        {"schema": "evaluation"},
    )
    id: UUID = Field(primary_key=True)
    committee_id: UUID = Field(foreign_key="evaluation.committee.id", index=True)
    person_id: UUID = Field(foreign_key="kernel.person.id", index=True)
    expert_id: UUID | None = None
    """The pool's expert; None for the tenderee's representative."""

    number: int
    capacity: str
    employer_uscc: str
    region_code: str
    site_id: UUID = Field(foreign_key="evaluation.site.id")
    seat_id: UUID = Field(foreign_key="evaluation.seat.id", index=True)
    salt: bytes
    seated_at: datetime = Field(sa_type=Instant)
    """When the seat was given out: with the convening, or later for a successor."""

    succeeded_entry: UUID | None = None
    """The entry of the log by which a successor took its place; None for a founding member."""

    admitted_at: datetime | None = Field(default=None, sa_type=Instant)
    admitted_by: UUID | None = None
    signed_in_at: datetime | None = Field(default=None, sa_type=Instant)
    declaration: bytes | None = None
    """The signed statement by which the member last sat down."""

    lease_until: datetime | None = Field(default=None, sa_type=Instant)
    """In unshifted time: a lease is no legal period."""

    absent_since: datetime | None = Field(default=None, sa_type=Instant)
    """When the last lease ended, in unshifted time; None before the first and while one runs."""

    lease_counter: int = 0
    left_at: datetime | None = Field(default=None, sa_type=Instant)
    left_reason: str = ""
    successor_id: UUID | None = Field(default=None, foreign_key="evaluation.member.id")


class DraftScoreRow(Row, table=True):
    """One cell of a member's own sheet while it is being filled in."""

    __tablename__ = "draft_score"
    __table_args__ = ({"schema": "evaluation"},)
    member_id: UUID = Field(primary_key=True, foreign_key="evaluation.member.id")
    bid_id: UUID = Field(primary_key=True)
    item: str = Field(primary_key=True)
    score: Decimal | None = Field(default=None, sa_type=SCORE)
    version: int
    edit_id: UUID
    saved_at: datetime = Field(sa_type=Instant)


class ScoreEditRow(Row, table=True):
    """Every edit of a cell ever merged, so that none is lost and none is done twice."""

    __tablename__ = "score_edit"
    __table_args__ = ({"schema": "evaluation", "info": APPEND_ONLY},)
    edit_id: UUID = Field(primary_key=True)
    member_id: UUID = Field(foreign_key="evaluation.member.id", index=True)
    bid_id: UUID
    item: str
    score: Decimal | None = Field(default=None, sa_type=SCORE)
    base_version: int
    edited_at: datetime = Field(sa_type=Instant)


class SheetRow(Row, table=True):
    """A member's committed sheet, and the sheet itself once it is revealed.

    `round` counts the sheets of one member: a change after the commitment is a new round with its
    reason, and the old one stays.
    """

    __tablename__ = "sheet"
    __table_args__ = (
        UniqueConstraint("member_id", "round"),
        {"schema": "evaluation"},
    )
    id: UUID = Field(primary_key=True)
    member_id: UUID = Field(foreign_key="evaluation.member.id", index=True)
    round: int
    commitment: bytes
    statement: bytes
    keyid: str
    public_key: bytes
    committed_at: datetime = Field(sa_type=Instant)
    committed_entry: UUID
    reason: str = ""
    ground: str | None = None
    nonce: bytes | None = None
    scores: dict[str, Any] | None = Field(default=None, sa_type=JSONB)
    revealed_at: datetime | None = Field(default=None, sa_type=Instant)
    revealed_entry: UUID | None = None


class RejectionRow(Row, table=True):
    """A proposal to reject a bid, on a ground, with the page that shows it.

    `version` is that of the report it was made for: what an earlier report rested on may be put to
    the vote anew, and the newest vote stands.
    """

    __tablename__ = "rejection"
    __table_args__ = (
        UniqueConstraint("committee_id", "bid_id", "ground", "version"),
        {"schema": "evaluation"},
    )
    id: UUID = Field(primary_key=True)
    committee_id: UUID = Field(foreign_key="evaluation.committee.id", index=True)
    bid_id: UUID
    ground: str
    version: int
    page: str
    words: str
    below_cost: bool = False
    asked: bool = False
    proposed_by: UUID = Field(foreign_key="evaluation.member.id")
    proposed_at: datetime = Field(sa_type=Instant)
    decided_at: datetime | None = Field(default=None, sa_type=Instant)
    carried: bool | None = None


class VoteRow(Row, table=True):
    """One member's vote on a rejection."""

    __tablename__ = "vote"
    __table_args__ = ({"schema": "evaluation", "info": APPEND_ONLY},)
    rejection_id: UUID = Field(primary_key=True, foreign_key="evaluation.rejection.id")
    member_id: UUID = Field(primary_key=True, foreign_key="evaluation.member.id")
    in_favour: bool
    voted_at: datetime = Field(sa_type=Instant)


class OpinionRow(Row, table=True):
    """What a member of a review committee found of every application, signed; the newest counts.

    `findings` repeats what the statement says.
    """

    __tablename__ = "opinion"
    __table_args__ = (
        CheckConstraint("number > 0", name="numbered_from_one"),
        {"schema": "evaluation", "info": APPEND_ONLY},
    )
    member_id: UUID = Field(primary_key=True, foreign_key="evaluation.member.id")
    number: int = Field(primary_key=True)
    findings: list[dict[str, Any]] = Field(sa_type=JSONB)
    digest: bytes = Field(unique=True)
    keyid: str
    public_key: bytes
    statement: bytes
    given_at: datetime = Field(sa_type=Instant)


class ReportRow(Row, table=True):
    """The committee's report, as its members sign it."""

    __tablename__ = "report"
    __table_args__ = ({"schema": "evaluation"},)
    committee_id: UUID = Field(primary_key=True, foreign_key="evaluation.committee.id")
    document: bytes
    digest: bytes
    compiled_at: datetime = Field(sa_type=Instant)
    handed_back_at: datetime | None = Field(default=None, sa_type=Instant)
    handed_back_entry: UUID | None = None


class SetAsideReportRow(Row, table=True):
    """A report that came to nothing, kept as it was compiled; its signatures stay beside it."""

    __tablename__ = "set_aside_report"
    __table_args__ = ({"schema": "evaluation", "info": APPEND_ONLY},)
    committee_id: UUID = Field(primary_key=True, foreign_key="evaluation.committee.id")
    version: int = Field(primary_key=True)
    document: bytes
    digest: bytes
    ground: str
    compiled_at: datetime = Field(sa_type=Instant)
    set_aside_at: datetime = Field(sa_type=Instant)


class TimeRequestRow(Row, table=True):
    """A member says that the evaluation cannot be done properly by the end of its window."""

    __tablename__ = "time_request"
    __table_args__ = ({"schema": "evaluation", "info": APPEND_ONLY},)
    member_id: UUID = Field(primary_key=True, foreign_key="evaluation.member.id")
    window_until: datetime = Field(primary_key=True, sa_type=Instant)
    reason: str
    asked_at: datetime = Field(sa_type=Instant)


class SignatureRow(Row, table=True):
    """A member's signature under the report, with the written dissent if there is one."""

    __tablename__ = "signature"
    __table_args__ = ({"schema": "evaluation", "info": APPEND_ONLY},)
    committee_id: UUID = Field(primary_key=True, foreign_key="evaluation.committee.id")
    member_id: UUID = Field(primary_key=True, foreign_key="evaluation.member.id")
    report_digest: bytes = Field(primary_key=True)
    keyid: str
    public_key: bytes
    statement: bytes
    dissent: str = ""
    refused: bool = False
    signed_at: datetime = Field(sa_type=Instant)
