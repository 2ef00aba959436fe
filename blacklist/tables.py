"""What is stored of decisions: the decision itself, the bars it orders, and its lifting.

All of it is append-only. A bar that ends early is not shortened: a lift is added beside it, so that
who was barred on any past day can be told for ever.
"""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, Index
from sqlmodel import Field

from kernel.store.database import Instant, Row

APPEND_ONLY = {"append_only": True}


class DecisionRow(Row, table=True):
    """A decision of an authority about one organisation or one person, as a supervisor signed it.

    `recorded_at` says since when the platform knew it, which is what makes a bar late for a draw
    that was announced before.
    """

    __tablename__ = "decision"
    __table_args__ = (
        CheckConstraint("(organisation_id IS NULL) <> (person_id IS NULL)", name="one_subject"),
        Index(None, "organisation_id"),
        Index(None, "person_id"),
        Index(None, "authority", "document_number"),
        {"schema": "blacklist", "info": APPEND_ONLY},
    )
    id: UUID = Field(primary_key=True)
    organisation_id: UUID | None = Field(default=None, foreign_key="kernel.organisation.id")
    person_id: UUID | None = Field(default=None, foreign_key="kernel.person.id")
    authority: str
    document_number: str
    article: str
    misconduct: str
    reason: str
    decided_on: date
    statement: bytes
    recorded_by: UUID = Field(foreign_key="kernel.person.id")
    recorded_at: datetime = Field(sa_type=Instant)


class BarRow(Row, table=True):
    """One act that a decision forbids, from one day to another; no end means for ever."""

    __tablename__ = "bar"
    __table_args__ = (
        CheckConstraint("ends_on IS NULL OR ends_on >= starts_on", name="runs_forward"),
        {"schema": "blacklist", "info": APPEND_ONLY},
    )
    decision_id: UUID = Field(primary_key=True, foreign_key="blacklist.decision.id")
    act: str = Field(primary_key=True)
    starts_on: date
    ends_on: date | None = None


class LiftRow(Row, table=True):
    """The lifting of a decision's bars, with the document that orders it."""

    __tablename__ = "lift"
    __table_args__ = ({"schema": "blacklist", "info": APPEND_ONLY},)
    decision_id: UUID = Field(primary_key=True, foreign_key="blacklist.decision.id")
    authority: str
    document_number: str
    reason: str
    statement: bytes
    lifted_by: UUID = Field(foreign_key="kernel.person.id")
    lifted_at: datetime = Field(sa_type=Instant)
