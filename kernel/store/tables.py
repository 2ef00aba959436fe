"""What the kernel stores: the clock, the parties, the journal, the log and the documents' index."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Computed,
    Identity,
    Index,
    Interval,
    LargeBinary,
    UniqueConstraint,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, TEXT
from sqlmodel import Field

from kernel.store.database import APP, LOG, Instant, Row

APPEND_ONLY = {"append_only": True}
LOG_ONLY = {"append_only": True, "writer": LOG}


class PlatformRow(Row, table=True):
    """The one row that says what this database is, for ever."""

    __tablename__ = "platform"
    __table_args__ = (
        CheckConstraint("only_one", name="only_one"),
        {"schema": "kernel", "info": APPEND_ONLY},
    )
    only_one: bool = Field(default=True, primary_key=True)
    demo: bool
    log_origin: str
    platform_key: bytes
    log_vkey: str
    founded_at: datetime = Field(sa_type=Instant)


class ClockJumpRow(Row, table=True):
    """A demo database's clock was moved forward."""

    __tablename__ = "clock_jump"
    __table_args__ = ({"schema": "kernel", "info": APPEND_ONLY},)
    id: int | None = Field(
        default=None, sa_column=Column(BigInteger, Identity(always=True), primary_key=True)
    )
    offset_by: timedelta = Field(sa_type=Interval)
    reason: str
    jumped_at: datetime = Field(sa_type=Instant)


class OrganisationRow(Row, table=True):
    """An organisation as it registered, and who verified it.

    The signed registration holds an identity number, so only the digest of its bytes is kept.
    """

    __tablename__ = "organisation"
    __table_args__ = ({"schema": "kernel"},)
    id: UUID = Field(primary_key=True)
    uscc: str = Field(unique=True)
    name: str
    region_code: str
    responsible_person: str
    roles: list[str] = Field(sa_type=ARRAY(TEXT))
    registered_at: datetime = Field(sa_type=Instant)
    registration_digest: bytes
    verified_at: datetime | None = Field(default=None, sa_type=Instant)
    verified_by: UUID | None = None


class PersonRow(Row, table=True):
    """A person who can act; `identity_hash` finds one person behind two accounts."""

    __tablename__ = "person"
    __table_args__ = ({"schema": "kernel"},)
    id: UUID = Field(primary_key=True)
    name: str
    identity_hash: bytes = Field(unique=True)
    registered_at: datetime = Field(sa_type=Instant)


class MembershipRow(Row, table=True):
    """A person may act for an organisation in one capacity."""

    __tablename__ = "membership"
    __table_args__ = (
        UniqueConstraint("person_id", "party_id", "role"),
        {"schema": "kernel"},
    )
    id: UUID = Field(primary_key=True)
    person_id: UUID = Field(foreign_key="kernel.person.id", index=True)
    party_id: UUID = Field(foreign_key="kernel.organisation.id", index=True)
    role: str
    since: datetime = Field(sa_type=Instant)
    ended_at: datetime | None = Field(default=None, sa_type=Instant)


class CredentialRow(Row, table=True):
    """A public key that speaks for a person: a P-256 key or a passkey."""

    __tablename__ = "credential"
    __table_args__ = ({"schema": "kernel"},)
    keyid: str = Field(primary_key=True)
    person_id: UUID = Field(foreign_key="kernel.person.id", index=True)
    kind: str
    public_key: bytes
    sign_count: int = 0
    backed_up: bool = False
    added_at: datetime = Field(sa_type=Instant)
    revoked_at: datetime | None = Field(default=None, sa_type=Instant)


class ChallengeRow(Row, table=True):
    """A challenge, good once, for a short time and one purpose; some are for one person only."""

    __tablename__ = "challenge"
    __table_args__ = ({"schema": "kernel"},)
    nonce: bytes = Field(primary_key=True)
    purpose: str
    person_id: UUID | None = None
    keyid: str | None = None
    expires_at: datetime = Field(sa_type=Instant)


class SessionRow(Row, table=True):
    """A signed-in person's session; the token itself is never stored, only its hash.

    It ends with the credential it began with; a demo's role card begins one without any.
    """

    __tablename__ = "session"
    __table_args__ = ({"schema": "kernel"},)
    id: UUID = Field(primary_key=True)
    token_hash: bytes = Field(unique=True)
    person_id: UUID = Field(foreign_key="kernel.person.id", index=True)
    party_id: UUID = Field(foreign_key="kernel.organisation.id")
    role: str
    keyid: str | None = Field(default=None, foreign_key="kernel.credential.keyid", index=True)
    begun_at: datetime = Field(sa_type=Instant)
    seen_at: datetime = Field(sa_type=Instant)
    ended_at: datetime | None = Field(default=None, sa_type=Instant)


class CapacityRow(Row, table=True):
    """A person acted in this capacity for this subject: the ground for separating duties."""

    __tablename__ = "capacity"
    __table_args__ = ({"schema": "kernel", "info": APPEND_ONLY},)
    subject_id: UUID = Field(primary_key=True)
    person_id: UUID = Field(primary_key=True)
    role: str = Field(primary_key=True)
    party_id: UUID
    since: datetime = Field(sa_type=Instant)


class RequestRow(Row, table=True):
    """An answer that was given under an idempotency key, to be given again byte for byte."""

    __tablename__ = "request"
    __table_args__ = ({"schema": "kernel", "info": APPEND_ONLY},)
    person_id: UUID = Field(primary_key=True)
    key: str = Field(primary_key=True)
    body_digest: bytes
    status: int
    media_type: str
    answer: bytes
    answered_at: datetime = Field(sa_type=Instant)


class JournalRow(Row, table=True):
    """One event as it was recorded, with the salt that hides it in the log.

    Who acted and from where is committed to in the record and kept beside it; those two columns
    alone can be emptied, for good, and the record's place in the log stands as it was.
    """

    __tablename__ = "journal"
    __table_args__ = (
        Index(None, "subject_id"),
        {
            "schema": "kernel",
            "info": {
                "append_only": True,
                "forgets": True,
                "grants": {LOG: "INSERT", APP: "UPDATE (operator, operator_salt)"},
            },
        },
    )
    id: UUID = Field(primary_key=True)
    kind: str
    subject_id: UUID
    audience: str
    after_close: str
    seals: bool
    discloses: bool
    barrier: bool
    receipted: bool
    party_id: UUID | None = None
    recorded_at: datetime = Field(sa_type=Instant)
    record: bytes
    salt: bytes
    operator: bytes
    operator_salt: bytes


class UnsequencedRow(Row, table=True):
    """An entry that waits for its position; the only table the sequencer empties."""

    __tablename__ = "unsequenced"
    __table_args__ = ({"schema": "kernel", "info": {"grants": {LOG: "INSERT, DELETE"}}},)
    id: int | None = Field(
        default=None,
        sa_column=Column(BigInteger, Identity(always=True, cache=1), primary_key=True),
    )
    entry_id: UUID = Field(unique=True, foreign_key="kernel.journal.id")


class SequenceRow(Row, table=True):
    """The dense position of an entry; internal, never shown."""

    __tablename__ = "sequence"
    __table_args__ = ({"schema": "kernel", "info": LOG_ONLY},)
    position: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    entry_id: UUID = Field(unique=True, foreign_key="kernel.journal.id")


class ViewEntryRow(Row, table=True):
    """The number of an entry in one view, given when that view may know it."""

    __tablename__ = "view_entry"
    __table_args__ = (
        UniqueConstraint("view", "entry_id"),
        {"schema": "kernel", "info": LOG_ONLY},
    )
    view: str = Field(primary_key=True)
    number: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    entry_id: UUID = Field(foreign_key="kernel.journal.id")


class SealingRow(Row, table=True):
    """The time during which facts about a subject are sealed."""

    __tablename__ = "sealing"
    __table_args__ = ({"schema": "kernel", "info": {"writer": LOG}},)
    subject_id: UUID = Field(primary_key=True)
    began_at: datetime = Field(sa_type=Instant)
    ended_at: datetime | None = Field(default=None, sa_type=Instant)


class LogLeafRow(Row, table=True):
    """One leaf of the transparency log: a salted commitment to an entry, or a filler."""

    __tablename__ = "log_leaf"
    __table_args__ = ({"schema": "kernel", "info": LOG_ONLY},)
    index: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    data: bytes
    hash: bytes = Field(
        sa_column=Column(
            LargeBinary,
            Computed("sha256('\\x00'::bytea || data)", persisted=True),
            nullable=False,
        )
    )


class LogPlaceRow(Row, table=True):
    """Where an entry stands in the log; kept apart so that leaves and fillers look alike."""

    __tablename__ = "log_place"
    __table_args__ = ({"schema": "kernel", "info": LOG_ONLY},)
    entry_id: UUID = Field(primary_key=True, foreign_key="kernel.journal.id")
    index: int = Field(sa_column=Column(BigInteger, unique=True, nullable=False))


class LogNodeRow(Row, table=True):
    """A perfect subtree's hash above the leaves."""

    __tablename__ = "log_node"
    __table_args__ = ({"schema": "kernel", "info": LOG_ONLY},)
    level: int = Field(primary_key=True)
    index: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    hash: bytes


class LogBatchRow(Row, table=True):
    """One integrated batch: the tree's size after it and the last position it holds."""

    __tablename__ = "log_batch"
    __table_args__ = ({"schema": "kernel", "info": LOG_ONLY},)
    size: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    root: bytes
    position: int = Field(sa_type=BigInteger)
    integrated_at: datetime = Field(sa_type=Instant)


class LogCheckpointRow(Row, table=True):
    """A checkpoint signed by the log, as text without cosignatures."""

    __tablename__ = "log_checkpoint"
    __table_args__ = ({"schema": "kernel", "info": LOG_ONLY},)
    size: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    note: str
    signed_at: datetime = Field(sa_type=Instant)


class LogCosignatureRow(Row, table=True):
    """A witness's signature line under a checkpoint, with the witness's own time."""

    __tablename__ = "log_cosignature"
    __table_args__ = ({"schema": "kernel", "info": LOG_ONLY},)
    size: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    witness: str = Field(primary_key=True)
    line: str
    witnessed_at: datetime = Field(sa_type=Instant)


class FillerEpochRow(Row, table=True):
    """The key from which fillers' salts are derived; committed first, disclosed afterwards."""

    __tablename__ = "filler_epoch"
    __table_args__ = ({"schema": "kernel", "info": {"writer": LOG, "secret": True}},)
    number: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    key: bytes
    began_at: datetime = Field(sa_type=Instant)
    first_index: int = Field(sa_type=BigInteger)
    end_index: int | None = Field(default=None, sa_type=BigInteger)
    disclosed_at: datetime | None = Field(default=None, sa_type=Instant)


class ReceiptRow(Row, table=True):
    """A receipt's final bytes, served the same ever after."""

    __tablename__ = "receipt"
    __table_args__ = ({"schema": "kernel", "info": LOG_ONLY},)
    entry_id: UUID = Field(primary_key=True, foreign_key="kernel.journal.id")
    proof: str
    witnessed: bool = Field(primary_key=True)


class FollowerRow(Row, table=True):
    """How far a reader of the journal has come."""

    __tablename__ = "follower"
    __table_args__ = ({"schema": "kernel"},)
    name: str = Field(primary_key=True)
    position: int = Field(default=0, sa_type=BigInteger)


class DocumentRow(Row, table=True):
    """A file kept by its digest."""

    __tablename__ = "document"
    __table_args__ = ({"schema": "kernel", "info": APPEND_ONLY},)
    digest: bytes = Field(primary_key=True)
    size: int = Field(sa_type=BigInteger)
    media_type: str
    kept_at: datetime = Field(sa_type=Instant)


class ContactRow(Row, table=True):
    """Where a person can be reached for one organisation: sealed, and empty once forgotten.

    The key of the sealed address follows from the platform's pepper and the row's own salt, so
    that emptying the row erases the address for good. `code_salt` makes the code that was sent
    there last, and `code_tries` counts what was answered to it.
    """

    __tablename__ = "contact"
    __table_args__ = (
        UniqueConstraint("person_id", "party_id", "kind"),
        Index(None, "party_id"),
        {"schema": "kernel", "info": {"secret": True}},
    )
    id: UUID = Field(primary_key=True)
    person_id: UUID = Field(foreign_key="kernel.person.id")
    party_id: UUID = Field(foreign_key="kernel.organisation.id")
    kind: str
    salt: bytes
    sealed: bytes
    kept_at: datetime = Field(sa_type=Instant)
    verified_at: datetime | None = Field(default=None, sa_type=Instant)
    code_salt: bytes
    code_tries: int = 0
    code_asked_at: datetime = Field(sa_type=Instant)
    codes_today: int = 0


class ConsentRow(Row, table=True):
    """That a person consented to one use of sensitive data, in which words, and until when."""

    __tablename__ = "consent"
    __table_args__ = (
        Index(None, "person_id"),
        {"schema": "kernel"},
    )
    id: UUID = Field(primary_key=True)
    person_id: UUID = Field(foreign_key="kernel.person.id")
    purpose: str
    version: int
    text_digest: bytes
    given_at: datetime = Field(sa_type=Instant)
    withdrawn_at: datetime | None = Field(default=None, sa_type=Instant)


class NotificationRow(Row, table=True):
    """What somebody must be told, kept for good; it goes to whoever acts there in that capacity.

    Its id follows from the entry it tells of and from whom it is for, so that the same thing is
    told to the same people once however often it is posted.
    """

    __tablename__ = "notification"
    __table_args__ = (
        Index(None, "party_id", "role"),
        Index(None, "subject_id"),
        {"schema": "kernel", "info": {"append_only": True, "secret": True}},
    )
    id: UUID = Field(primary_key=True)
    entry_id: UUID
    topic: str
    subject_id: UUID
    facts: dict[str, Any] = Field(sa_type=JSONB)
    must: bool
    party_id: UUID = Field(foreign_key="kernel.organisation.id")
    role: str
    person_id: UUID | None = Field(default=None, foreign_key="kernel.person.id")
    posted_at: datetime = Field(sa_type=Instant)


class NotificationReadRow(Row, table=True):
    """A person has read what his organisation was told."""

    __tablename__ = "notification_read"
    __table_args__ = ({"schema": "kernel", "info": {"append_only": True, "secret": True}},)
    notification_id: UUID = Field(primary_key=True, foreign_key="kernel.notification.id")
    person_id: UUID = Field(primary_key=True, foreign_key="kernel.person.id")
    read_at: datetime = Field(sa_type=Instant)


class DeliveryRow(Row, table=True):
    """One way out of the house for one notification, or for a code to a contact that gave itself.

    `due_at` is when it is tried next, by the unshifted clock; nothing is due once it is settled.
    """

    __tablename__ = "delivery"
    __table_args__ = (
        Index(None, "due_at"),
        Index(None, "notification_id"),
        {"schema": "kernel", "info": {"secret": True}},
    )
    id: UUID = Field(primary_key=True)
    notification_id: UUID | None = Field(default=None, foreign_key="kernel.notification.id")
    contact_id: UUID = Field(foreign_key="kernel.contact.id")
    channel: str
    fallback: bool = False
    state: str = "waiting"
    tries: int = 0
    due_at: datetime | None = Field(default=None, sa_type=Instant)
    settled_at: datetime | None = Field(default=None, sa_type=Instant)


class DeliveryAttemptRow(Row, table=True):
    """One try at a delivery, and what the other side answered, by a code that names nobody."""

    __tablename__ = "delivery_attempt"
    __table_args__ = ({"schema": "kernel", "info": {"append_only": True, "secret": True}},)
    delivery_id: UUID = Field(primary_key=True, foreign_key="kernel.delivery.id")
    number: int = Field(primary_key=True)
    outcome: str
    answer: str
    tried_at: datetime = Field(sa_type=Instant)


class MutedRow(Row, table=True):
    """A person does not want to hear of a topic by a channel; what must arrive comes still."""

    __tablename__ = "muted"
    __table_args__ = ({"schema": "kernel"},)
    person_id: UUID = Field(primary_key=True, foreign_key="kernel.person.id")
    party_id: UUID = Field(primary_key=True, foreign_key="kernel.organisation.id")
    topic: str = Field(primary_key=True)
    channel: str = Field(primary_key=True)


JsonObject = dict[str, Any]
JSON = JSONB
