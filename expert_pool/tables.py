"""What the expert pool stores: experts, what ties them to others, and draws with all their steps.

Everything of a draw speaks of labels. Who hides behind one, what ties an expert to whom, and who
answered what, is secret even from the roles that only read: those tables belong to the draw alone.
"""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, UniqueConstraint
from sqlalchemy.dialects.postgresql import ARRAY, TEXT
from sqlmodel import Field

from kernel.store.database import Instant, Row

SECRET = {"secret": True}
SECRET_FOR_EVER = {"append_only": True, "secret": True}


class ExpertRow(Row, table=True):
    """An expert of one pool, as verified."""

    __tablename__ = "expert"
    __table_args__ = ({"schema": "expert_pool"},)
    id: UUID = Field(primary_key=True)
    person_id: UUID = Field(foreign_key="kernel.person.id", unique=True)
    pool_id: UUID = Field(foreign_key="kernel.organisation.id", index=True)
    region_code: str = Field(index=True)
    employer: str
    employer_uscc: str
    specialisms: list[str] = Field(sa_type=ARRAY(TEXT))
    title: str
    years: int
    born_on: date
    healthy: bool | None = None
    enrolled_at: datetime = Field(sa_type=Instant)
    verified_at: datetime | None = Field(default=None, sa_type=Instant)
    verified_by: UUID | None = None
    left_at: datetime | None = Field(default=None, sa_type=Instant)


class ExpertTieRow(Row, table=True):
    """What ties an expert to an organisation: employment, office, kinship, interest."""

    __tablename__ = "expert_tie"
    __table_args__ = ({"schema": "expert_pool", "info": SECRET},)
    id: UUID = Field(primary_key=True)
    expert_id: UUID = Field(foreign_key="expert_pool.expert.id", index=True)
    uscc: str = Field(index=True)
    kind: str
    ended_on: date | None = None
    declared_at: datetime = Field(sa_type=Instant)


class DrawRow(Row, table=True):
    """One draw for one lot; a void draw stays, and the next round is another row.

    `review_round` is the round of a prequalification whose applications those drawn review, None
    where they evaluate the bids.
    """

    __tablename__ = "draw"
    __table_args__ = (
        UniqueConstraint("lot_id", "review_round", "round", postgresql_nulls_not_distinct=True),
        CheckConstraint("round > 0", name="rounds_count_from_one"),
        {"schema": "expert_pool"},
    )
    id: UUID = Field(primary_key=True)
    lot_id: UUID = Field(index=True)
    review_round: int | None = None
    round: int
    state: str
    announcement: bytes
    announced_entry: UUID
    announced_at: datetime = Field(sa_type=Instant)
    countersigned_entry: UUID | None = None
    prk: bytes | None = None
    completed_entry: UUID | None = None
    completed_at: datetime | None = Field(default=None, sa_type=Instant)
    void_reason: str = ""
    voided_entry: UUID | None = None


class DrawPartyRow(Row, table=True):
    """A party to a draw: who contributes a nonce, and the key to which others' shares are sealed.

    `at_fault` marks whose failure made the draw void; it sits out the next one.
    """

    __tablename__ = "draw_party"
    __table_args__ = (
        UniqueConstraint("draw_id", "party_id"),
        {"schema": "expert_pool"},
    )
    draw_id: UUID = Field(primary_key=True, foreign_key="expert_pool.draw.id")
    name: str = Field(primary_key=True)
    party_id: UUID = Field(foreign_key="kernel.organisation.id")
    commitment: bytes | None = None
    share_key: bytes | None = None
    committed_entry: UUID | None = None
    dealt_entry: UUID | None = None
    nonce: bytes | None = None
    recovered: bool = False
    revealed_entry: UUID | None = None
    at_fault: bool = False


class NonceShareRow(Row, table=True):
    """A share of one party's nonce, sealed to another party, with its commitment."""

    __tablename__ = "nonce_share"
    __table_args__ = ({"schema": "expert_pool"},)
    draw_id: UUID = Field(primary_key=True, foreign_key="expert_pool.draw.id")
    dealer: str = Field(primary_key=True)
    holder: str = Field(primary_key=True)
    ciphertext: bytes
    commitment: bytes
    confirmed_at: datetime | None = Field(default=None, sa_type=Instant)
    misdealt_at: datetime | None = Field(default=None, sa_type=Instant)
    share: bytes | None = None


class DrawLabelRow(Row, table=True):
    """Which expert hides behind a label of one draw, and what was decided of him beforehand.

    `grounds` are the reasons for which he is left out; empty where he is eligible. Both salts are
    fresh for each draw.
    """

    __tablename__ = "draw_label"
    __table_args__ = (
        UniqueConstraint("draw_id", "label"),
        {"schema": "expert_pool", "info": SECRET_FOR_EVER},
    )
    draw_id: UUID = Field(primary_key=True, foreign_key="expert_pool.draw.id")
    expert_id: UUID = Field(primary_key=True, foreign_key="expert_pool.expert.id")
    label: bytes
    salt: bytes
    strata: list[str] = Field(sa_type=ARRAY(TEXT))
    grounds: list[str] = Field(sa_type=ARRAY(TEXT))
    eligibility_salt: bytes


class DrawStatementRow(Row, table=True):
    """A signed statement of a draw, kept as it was signed; an expert's key tells who he is."""

    __tablename__ = "draw_statement"
    __table_args__ = ({"schema": "expert_pool", "info": SECRET_FOR_EVER},)
    digest: bytes = Field(primary_key=True)
    draw_id: UUID = Field(foreign_key="expert_pool.draw.id", index=True)
    kind: str
    author: str
    keyid: str
    public_key: bytes
    statement: bytes
    made_at: datetime = Field(sa_type=Instant)


class CallRow(Row, table=True):
    """An expert was called from his place in a ranking, or passed over with a reason.

    `number` counts all steps down the lists of a draw; `left_number` counts those who gave up a
    call or a seat. `evidence` is what proves the outcome without telling who it was.
    """

    __tablename__ = "call"
    __table_args__ = (
        UniqueConstraint("draw_id", "stratum", "place"),
        UniqueConstraint("draw_id", "number"),
        UniqueConstraint("draw_id", "left_number"),
        {"schema": "expert_pool", "info": SECRET},
    )
    id: UUID = Field(primary_key=True)
    draw_id: UUID = Field(foreign_key="expert_pool.draw.id", index=True)
    number: int
    stratum: str
    place: int
    label: bytes
    expert_id: UUID = Field(foreign_key="expert_pool.expert.id", index=True)
    outcome: str
    left_number: int | None = None
    reason: str = ""
    evidence: str = ""
    called_at: datetime = Field(sa_type=Instant)
    delivered_at: datetime | None = Field(default=None, sa_type=Instant)
    answered_at: datetime | None = Field(default=None, sa_type=Instant)
