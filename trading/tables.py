"""What trading stores: projects, their lots, and what was published of them.

A lot's terms may change while it is a draft and never afterwards; what is published later
(clarifications, amended timetables) stands beside them in rows that nobody can rewrite. Money is
exact yuan and fen.
"""

from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKeyConstraint,
    Index,
    LargeBinary,
    Numeric,
    UniqueConstraint,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, TEXT
from sqlalchemy.dialects.postgresql import UUID as PGUUID
from sqlmodel import Field

from kernel.store.database import EXTRA_STATEMENTS, Instant, Row

APPEND_ONLY = {"append_only": True}
MONEY = Numeric(18, 2)
SCORE = Numeric(12, 4)


class ProjectRow(Row, table=True):
    """A project to be tendered, whose it is, and who acts for the tenderee.

    An agency acts once `authorised_at` says that the tenderee has signed for it. `state_funded`
    says that state money controls or dominates the project, which is so unless somebody says it is
    not: the stricter law then names the winner. `estimate` is of its largest contract, `scope` what
    else decides whether it must be tendered, `judgement` how the trading catalogue judged it when
    it was entered. `platform_code` is the code the platform gave it (招标项目编号), its first 17
    characters the investment project's; a project older than these codes has none.
    """

    __tablename__ = "project"
    __table_args__ = ({"schema": "trading"},)
    id: UUID = Field(primary_key=True)
    code: str = Field(unique=True)
    name: str
    procedure: str
    category: str
    industry: str = "A99"
    region_code: str = Field(index=True)
    funding_source: str
    state_funded: bool = True
    tenderee_id: UUID = Field(foreign_key="kernel.organisation.id", index=True)
    agency_id: UUID | None = Field(default=None, foreign_key="kernel.organisation.id", index=True)
    authorised_at: datetime | None = Field(default=None, sa_type=Instant)
    contact: dict[str, Any] = Field(default_factory=dict, sa_type=JSONB)
    created_by: UUID = Field(foreign_key="kernel.person.id")
    created_at: datetime = Field(sa_type=Instant)
    estimate: Decimal | None = Field(default=None, sa_type=MONEY)
    investment_code: str = ""
    scope: dict[str, Any] = Field(default_factory=dict, sa_type=JSONB)
    judgement: dict[str, Any] = Field(default_factory=dict, sa_type=JSONB)
    platform_code: str | None = Field(default=None, unique=True)


class LotRow(Row, table=True):
    """One lot. `state` and `path`, the states it has been in, are written by `trading/lots.py`
    alone; the path lets the database check each step where one transaction takes several.

    From `timetable_version` to `validity_days` the row repeats the signed timetable in force;
    `release_until` and `candidates_until` are known once opening and publicity have begun. So
    `due_at`, the next moment at which time alone moves the lot, follows from the row. `brakes` are
    the reasons, by cause, for which the lot is suspended, `suspended_at` since when. Ceiling,
    security, sheet and scheme are those of the newest notice that states them. `notice` holds the
    notice's own words and `plan` the times the draft proposes: proposals until they are signed.
    `deal_code` is the unified code of the deal (统一交易标识码), given when the lot is published.
    `prequalified` says that only who passed a prequalification may bid (资格预审); its notice sets
    it, with `applications_due_at`, which an addendum may move. `award_method` is how the tenderee
    chooses among the candidates where it split that off (评定分离), else None.
    """

    __tablename__ = "lot"
    __table_args__ = (
        UniqueConstraint("project_id", "number"),
        Index(None, "due_at"),
        Index(None, "state"),
        CheckConstraint("number > 0", name="numbered_from_one"),
        {"schema": "trading"},
    )
    id: UUID = Field(primary_key=True)
    project_id: UUID = Field(foreign_key="trading.project.id")
    number: int
    name: str
    state: str
    path: list[str] = Field(default_factory=lambda: ["draft"], sa_type=ARRAY(TEXT))
    suspended: bool = False
    suspended_at: datetime | None = Field(default=None, sa_type=Instant)
    brakes: dict[str, str] = Field(default_factory=dict, sa_type=JSONB)
    due_at: datetime | None = Field(default=None, sa_type=Instant)
    region_code: str = Field(index=True)
    estimate: Decimal = Field(sa_type=MONEY)
    ceiling_price: Decimal | None = Field(default=None, sa_type=MONEY)
    bid_security: Decimal = Field(default=Decimal(0), sa_type=MONEY)
    security_forms: list[str] = Field(default_factory=list, sa_type=JSONB)
    scheme_digest: bytes | None = None
    sheet_fields: list[dict[str, Any]] = Field(default_factory=list, sa_type=JSONB)
    notice: dict[str, Any] = Field(default_factory=dict, sa_type=JSONB)
    plan: dict[str, Any] = Field(default_factory=dict, sa_type=JSONB)
    officials_threshold: int = 3
    escrow_threshold: int | None = 4
    policy_version: int = 0
    timetable_version: int = 0
    documents_from: datetime | None = Field(default=None, sa_type=Instant)
    documents_until: datetime | None = Field(default=None, sa_type=Instant)
    bids_due_at: datetime | None = Field(default=None, sa_type=Instant)
    release_window_s: int = 0
    publicity_days: int = 0
    validity_days: int = 0
    release_until: datetime | None = Field(default=None, sa_type=Instant)
    candidates_until: datetime | None = Field(default=None, sa_type=Instant)
    created_by: UUID = Field(foreign_key="kernel.person.id")
    created_at: datetime = Field(sa_type=Instant)
    published_at: datetime | None = Field(default=None, sa_type=Instant)
    deal_code: str | None = Field(default=None, unique=True)
    prequalified: bool = False
    applications_due_at: datetime | None = Field(default=None, sa_type=Instant)
    award_method: dict[str, Any] | None = Field(default=None, sa_type=JSONB(none_as_null=True))


class LawfulMoveRow(Row, table=True):
    """A step that a lot may take; the database's own copy of the table of lawful moves."""

    __tablename__ = "lawful_move"
    __table_args__ = ({"schema": "trading", "info": APPEND_ONLY},)
    came_from: str = Field(primary_key=True)
    went_to: str = Field(primary_key=True)


_LAWFUL_MOVES = """
INSERT INTO trading.lawful_move (came_from, went_to) VALUES
  ('draft', 'open'),
  ('open', 'closing'),
  ('closing', 'closed'),
  ('closed', 'failed'),
  ('closed', 'opening'),
  ('opening', 'opened'),
  ('opened', 'failed'),
  ('opened', 'in_evaluation'),
  ('in_evaluation', 'evaluated'),
  ('in_evaluation', 'failed'),
  ('evaluated', 'candidates_published'),
  ('evaluated', 'in_evaluation'),
  ('candidates_published', 'cleared_for_award'),
  ('candidates_published', 'in_evaluation'),
  ('cleared_for_award', 'awarded'),
  ('cleared_for_award', 'in_evaluation'),
  ('awarded', 'cleared_for_award'),
  ('draft', 'cancelled'),
  ('open', 'cancelled'),
  ('closed', 'cancelled'),
  ('opening', 'cancelled'),
  ('opened', 'cancelled'),
  ('in_evaluation', 'cancelled'),
  ('evaluated', 'cancelled'),
  ('candidates_published', 'cancelled'),
  ('cleared_for_award', 'cancelled')
"""

_CHECK_MOVE = """
CREATE FUNCTION trading.check_move() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  been int;
BEGIN
  IF TG_OP = 'INSERT' THEN
    IF NEW.state <> 'draft' OR NEW.path <> ARRAY['draft'] THEN
      RAISE EXCEPTION 'a lot begins as a draft' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
  END IF;
  IF NEW.state = OLD.state AND NEW.path = OLD.path THEN
    RETURN NEW;
  END IF;
  IF OLD.suspended AND NEW.suspended THEN
    RAISE EXCEPTION 'a suspended lot does not move' USING ERRCODE = 'restrict_violation';
  END IF;
  been := cardinality(OLD.path);
  IF NEW.path[1:been] <> OLD.path OR NEW.path[cardinality(NEW.path)] <> NEW.state THEN
    RAISE EXCEPTION 'a lot''s path only grows' USING ERRCODE = 'restrict_violation';
  END IF;
  FOR step IN been .. cardinality(NEW.path) - 1 LOOP
    IF NOT EXISTS (SELECT 1 FROM trading.lawful_move
                   WHERE came_from = NEW.path[step] AND went_to = NEW.path[step + 1]) THEN
      RAISE EXCEPTION 'no lawful move leads from % to %', NEW.path[step], NEW.path[step + 1]
        USING ERRCODE = 'restrict_violation';
    END IF;
  END LOOP;
  RETURN NEW;
END $$
"""

_FIX_TERMS = """
CREATE FUNCTION trading.fix_terms() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  said jsonb;
BEGIN
  IF OLD.published_at IS NULL THEN
    RETURN NEW;
  END IF;
  IF (NEW.project_id, NEW.number, NEW.name, NEW.region_code, NEW.estimate, NEW.notice,
      NEW.officials_threshold, NEW.escrow_threshold, NEW.published_at, NEW.prequalified)
     IS DISTINCT FROM
     (OLD.project_id, OLD.number, OLD.name, OLD.region_code, OLD.estimate, OLD.notice,
      OLD.officials_threshold, OLD.escrow_threshold, OLD.published_at, OLD.prequalified) THEN
    RAISE EXCEPTION 'the terms of a published lot stand' USING ERRCODE = 'restrict_violation';
  END IF;
  IF (NEW.ceiling_price, NEW.bid_security, NEW.security_forms, NEW.scheme_digest,
      NEW.sheet_fields) IS NOT DISTINCT FROM
     (OLD.ceiling_price, OLD.bid_security, OLD.security_forms, OLD.scheme_digest,
      OLD.sheet_fields) THEN
    RETURN NEW;
  END IF;
  SELECT body->'terms' INTO said FROM trading.notice
    WHERE lot_id = NEW.id AND OLD.state = 'open' ORDER BY number DESC LIMIT 1;
  said := coalesce(said, '{}');
  IF (NEW.ceiling_price, NEW.bid_security, NEW.security_forms, NEW.scheme_digest,
      NEW.sheet_fields) IS DISTINCT FROM
     (CASE WHEN said ? 'ceiling_price' THEN (said->>'ceiling_price')::numeric
           ELSE OLD.ceiling_price END,
      CASE WHEN said ? 'bid_security' THEN (said->>'bid_security')::numeric
           ELSE OLD.bid_security END,
      coalesce(said->'security_forms', OLD.security_forms),
      CASE WHEN said ? 'scheme'
           THEN decode(translate(said->>'scheme', '-_', '+/') || '=', 'base64')
           ELSE OLD.scheme_digest END,
      coalesce(said->'sheet_fields', OLD.sheet_fields)) THEN
    RAISE EXCEPTION 'the terms of a published lot stand, but for what its newest notice changes'
      USING ERRCODE = 'restrict_violation';
  END IF;
  RETURN NEW;
END $$
"""

# The second lock on the door: the first is `trading/lots.py`, and a test holds the two together.
EXTRA_STATEMENTS.extend(
    [
        _LAWFUL_MOVES,
        _CHECK_MOVE,
        "CREATE TRIGGER lawful_move BEFORE INSERT OR UPDATE ON trading.lot"
        " FOR EACH ROW EXECUTE FUNCTION trading.check_move()",
        _FIX_TERMS,
        "CREATE TRIGGER fixed_terms BEFORE UPDATE ON trading.lot"
        " FOR EACH ROW EXECUTE FUNCTION trading.fix_terms()",
    ]
)


class TenderDocumentRow(Row, table=True):
    """One file of the tender documents; `clarification` is the number that brought it, or 0."""

    __tablename__ = "tender_document"
    __table_args__ = ({"schema": "trading"},)
    lot_id: UUID = Field(primary_key=True, foreign_key="trading.lot.id")
    name: str = Field(primary_key=True)
    clarification: int = Field(default=0, primary_key=True)
    digest: bytes
    size: int = Field(sa_type=BigInteger)
    media_type: str
    added_at: datetime = Field(sa_type=Instant)


class CustodianRow(Row, table=True):
    """A person named to keep a key of the lot, and how many escrow shares that key is dealt."""

    __tablename__ = "custodian"
    __table_args__ = (
        CheckConstraint("escrow_shares >= 0", name="shares_not_negative"),
        {"schema": "trading"},
    )
    lot_id: UUID = Field(primary_key=True, foreign_key="trading.lot.id")
    person_id: UUID = Field(primary_key=True, foreign_key="kernel.person.id", index=True)
    party_id: UUID = Field(foreign_key="kernel.organisation.id")
    place: int
    escrow_shares: int = 1
    named_at: datetime = Field(sa_type=Instant)


class CustodianKeyRow(Row, table=True):
    """A custodian's public key for one lot: 65 bytes, uncompressed P-256, as its holder signed it.

    The newest of a person's keys counts until the lot is published.
    """

    __tablename__ = "custodian_key"
    __table_args__ = (
        Index(None, "lot_id", "person_id"),
        {"schema": "trading", "info": APPEND_ONLY},
    )
    lot_id: UUID = Field(primary_key=True, foreign_key="trading.lot.id")
    kid: str = Field(primary_key=True)
    person_id: UUID = Field(foreign_key="kernel.person.id")
    public_key: bytes
    statement: bytes
    registered_at: datetime = Field(sa_type=Instant)


class TimetableRow(Row, table=True):
    """One version of a lot's signed timetable; `digest` is the SHA-256 of the signed bytes."""

    __tablename__ = "timetable"
    __table_args__ = (
        CheckConstraint("(version = 1) = (previous IS NULL)", name="versions_are_chained"),
        {"schema": "trading", "info": APPEND_ONLY},
    )
    lot_id: UUID = Field(primary_key=True, foreign_key="trading.lot.id")
    version: int = Field(primary_key=True)
    previous: bytes | None = None
    digest: bytes = Field(unique=True)
    statement: bytes
    documents_from: datetime = Field(sa_type=Instant)
    documents_until: datetime = Field(sa_type=Instant)
    bids_due_at: datetime = Field(sa_type=Instant)
    release_window_s: int
    publicity_days: int
    validity_days: int
    recorded_at: datetime = Field(sa_type=Instant)


class OpeningPolicyRow(Row, table=True):
    """One version of a lot's opening policy; `digest` is the SHA-256 of `document`, the bytes that
    every envelope names.
    """

    __tablename__ = "opening_policy"
    __table_args__ = ({"schema": "trading", "info": APPEND_ONLY},)
    lot_id: UUID = Field(primary_key=True, foreign_key="trading.lot.id")
    version: int = Field(primary_key=True)
    digest: bytes = Field(unique=True)
    document: bytes
    statement: bytes
    recorded_at: datetime = Field(sa_type=Instant)


class NoticeRow(Row, table=True):
    """What was published about a lot, in order: the tender notice first, then what followed."""

    __tablename__ = "notice"
    __table_args__ = ({"schema": "trading", "info": APPEND_ONLY},)
    lot_id: UUID = Field(primary_key=True, foreign_key="trading.lot.id")
    number: int = Field(primary_key=True)
    kind: str
    title: str
    body: dict[str, Any] = Field(default_factory=dict, sa_type=JSONB)
    digest: bytes = Field(unique=True)
    statement: bytes
    published_at: datetime = Field(sa_type=Instant)


class OpeningRow(Row, table=True):
    """One lot's opening: its window, and when each of its stages was reached."""

    __tablename__ = "opening"
    __table_args__ = ({"schema": "trading"},)
    lot_id: UUID = Field(primary_key=True, foreign_key="trading.lot.id")
    begun_at: datetime = Field(sa_type=Instant)
    window_until: datetime = Field(sa_type=Instant)
    window_closed_at: datetime | None = Field(default=None, sa_type=Instant)
    window_closed_entry: UUID | None = None
    opened_at: datetime | None = Field(default=None, sa_type=Instant)
    recorded_at: datetime | None = Field(default=None, sa_type=Instant)
    record: bytes | None = None
    record_statement: bytes | None = None


class ReleaseRow(Row, table=True):
    """A bidder's own secret for one envelope, released inside the window."""

    __tablename__ = "release"
    __table_args__ = ({"schema": "trading", "info": APPEND_ONLY},)
    lot_id: UUID = Field(foreign_key="trading.lot.id", index=True)
    head: bytes = Field(primary_key=True)
    bidder_id: UUID = Field(foreign_key="kernel.organisation.id")
    secret: bytes
    statement: bytes
    released_at: datetime = Field(sa_type=Instant)


class FallbackRow(Row, table=True):
    """One side's signature under the fallback: custodians may release escrow shares."""

    __tablename__ = "fallback"
    __table_args__ = ({"schema": "trading", "info": APPEND_ONLY},)
    lot_id: UUID = Field(primary_key=True, foreign_key="trading.lot.id")
    side: str = Field(primary_key=True)
    person_id: UUID = Field(foreign_key="kernel.person.id")
    statement: bytes
    agreed_at: datetime = Field(sa_type=Instant)


class ShareRow(Row, table=True):
    """A custodian's share of one component of one envelope, known by the digest of its bytes.

    Not by its x: that is the bidder's to choose, and one who deals the same x twice must not make
    the opening wait for ever.
    """

    __tablename__ = "share"
    __table_args__ = ({"schema": "trading", "info": APPEND_ONLY},)
    head: bytes = Field(primary_key=True)
    component: str = Field(primary_key=True)
    digest: bytes = Field(primary_key=True)
    lot_id: UUID = Field(foreign_key="trading.lot.id", index=True)
    kid: str
    share: bytes
    given_at: datetime = Field(sa_type=Instant)


class OpenedBidRow(Row, table=True):
    """What became of one counting bid at the opening.

    `members` are those who bid together by the agreement in it, nobody for one that bids alone.
    """

    __tablename__ = "opened_bid"
    __table_args__ = ({"schema": "trading", "info": APPEND_ONLY},)
    bid_id: UUID = Field(primary_key=True)
    lot_id: UUID = Field(foreign_key="trading.lot.id", index=True)
    bidder_id: UUID = Field(foreign_key="kernel.organisation.id")
    outcome: str
    reason: str
    article: str
    price: Decimal | None = Field(default=None, sa_type=MONEY)
    sheet: dict[str, Any] | None = Field(default=None, sa_type=JSONB(none_as_null=True))
    secrets: dict[str, Any] = Field(default_factory=dict, sa_type=JSONB)
    members: list[dict[str, Any]] = Field(
        default_factory=list, sa_type=JSONB, sa_column_kwargs={"server_default": "[]"}
    )


class OpeningObjectionRow(Row, table=True):
    """An objection raised on the spot, and its answer on the spot; `outcome` says whether it
    stands, which answers of former days did not.
    """

    __tablename__ = "opening_objection"
    __table_args__ = ({"schema": "trading"},)
    id: UUID = Field(primary_key=True)
    lot_id: UUID = Field(foreign_key="trading.lot.id", index=True)
    bidder_id: UUID = Field(foreign_key="kernel.organisation.id")
    words: str
    raised_at: datetime = Field(sa_type=Instant)
    answer: str | None = None
    answered_by: UUID | None = None
    answered_at: datetime | None = Field(default=None, sa_type=Instant)
    outcome: str | None = None


class UploadRow(Row, table=True):
    """A payload that a bidder said it would send: its size, and the digest of each of its parts.

    `part_digests` are plain SHA-256, in order; every part but the last has 8 MiB. `begun_at` is
    unshifted time, by which uploads that lead nowhere are found.
    """

    __tablename__ = "upload"
    __table_args__ = (
        Index(None, "lot_id", "bidder_id"),
        CheckConstraint("payload_size > 0", name="not_empty"),
        {"schema": "trading", "info": APPEND_ONLY},
    )
    id: UUID = Field(primary_key=True)
    lot_id: UUID = Field(foreign_key="trading.lot.id")
    bidder_id: UUID = Field(foreign_key="kernel.organisation.id")
    person_id: UUID = Field(foreign_key="kernel.person.id")
    envelope: str
    payload_size: int = Field(sa_type=BigInteger)
    part_digests: list[bytes] = Field(sa_type=ARRAY(LargeBinary))
    opened_at: datetime = Field(sa_type=Instant)
    begun_at: datetime = Field(sa_type=Instant)


class UploadPartRow(Row, table=True):
    """A part that a bidder sent for a lot; the same part serves all its uploads there.

    `leaf` is the RFC 6962 leaf hash. A part that a bid refers to cannot be taken away.
    """

    __tablename__ = "upload_part"
    __table_args__ = (Index(None, "digest"), {"schema": "trading"})
    lot_id: UUID = Field(primary_key=True, foreign_key="trading.lot.id")
    bidder_id: UUID = Field(primary_key=True, foreign_key="kernel.organisation.id")
    digest: bytes = Field(primary_key=True)
    size: int
    leaf: bytes
    kept_at: datetime = Field(sa_type=Instant)


class UploadHeaderRow(Row, table=True):
    """The header that belongs to an uploaded payload, and its digest."""

    __tablename__ = "upload_header"
    __table_args__ = ({"schema": "trading", "info": APPEND_ONLY},)
    upload_id: UUID = Field(primary_key=True, foreign_key="trading.upload.id")
    head: bytes = Field(index=True)
    header: bytes
    kept_at: datetime = Field(sa_type=Instant)


class UploadWholeRow(Row, table=True):
    """What the platform computed over a payload once all of its parts were there."""

    __tablename__ = "upload_whole"
    __table_args__ = ({"schema": "trading", "info": APPEND_ONLY},)
    upload_id: UUID = Field(primary_key=True, foreign_key="trading.upload.id")
    payload_root: bytes
    payload_sha256: bytes


class UploadDiscardedRow(Row, table=True):
    """An upload that led to no bid and was given up; `emptied` once its parts are off the disk."""

    __tablename__ = "upload_discarded"
    __table_args__ = ({"schema": "trading"},)
    upload_id: UUID = Field(primary_key=True, foreign_key="trading.upload.id")
    discarded_at: datetime = Field(sa_type=Instant)
    emptied: bool = False


class IntentRow(Row, table=True):
    """A submission as it arrived: the signed bytes, and the one instant that is ever read for it.

    `key` is the bidder's idempotency key. `nonce` hides the intent in the cut.
    """

    __tablename__ = "intent"
    __table_args__ = (
        UniqueConstraint("bidder_id", "key"),
        Index(None, "lot_id"),
        {"schema": "trading", "info": APPEND_ONLY},
    )
    id: UUID = Field(primary_key=True)
    lot_id: UUID = Field(foreign_key="trading.lot.id")
    bidder_id: UUID = Field(foreign_key="kernel.organisation.id")
    person_id: UUID = Field(foreign_key="kernel.person.id")
    key: str
    address: str
    statement_digest: bytes
    statement: bytes
    nonce: bytes
    received_at: datetime = Field(sa_type=Instant)


class JudgementRow(Row, table=True):
    """What became of an intent: taken in, refused on grounds, or failed by the platform."""

    __tablename__ = "judgement"
    __table_args__ = ({"schema": "trading", "info": APPEND_ONLY},)
    intent_id: UUID = Field(primary_key=True, foreign_key="trading.intent.id")
    outcome: str
    entry_id: UUID
    refusals: list[dict[str, Any]] = Field(default_factory=list, sa_type=JSONB)
    cautions: list[dict[str, Any]] = Field(default_factory=list, sa_type=JSONB)


class BidRow(Row, table=True):
    """An accepted submission; one without envelopes withdraws the bid. The last `seq` counts."""

    __tablename__ = "bid"
    __table_args__ = (
        UniqueConstraint("lot_id", "bidder_id", "seq"),
        CheckConstraint("seq > 0", name="numbered_from_one"),
        {"schema": "trading", "info": APPEND_ONLY},
    )
    id: UUID = Field(primary_key=True)
    lot_id: UUID = Field(foreign_key="trading.lot.id")
    bidder_id: UUID = Field(foreign_key="kernel.organisation.id")
    seq: int
    withdrawn: bool
    statement_digest: bytes = Field(unique=True)
    policy_digest: bytes
    received_at: datetime = Field(sa_type=Instant)
    entry_id: UUID = Field(unique=True)


class BidEnvelopeRow(Row, table=True):
    """One sealed envelope of a bid. Its payload lies in the sealed drawer, part by part."""

    __tablename__ = "bid_envelope"
    __table_args__ = ({"schema": "trading", "info": APPEND_ONLY},)
    bid_id: UUID = Field(primary_key=True, foreign_key="trading.bid.id")
    envelope: str = Field(primary_key=True)
    upload_id: UUID = Field(foreign_key="trading.upload.id", index=True)
    head: bytes
    header: bytes
    payload_root: bytes
    payload_size: int = Field(sa_type=BigInteger)
    payload_sha256: bytes
    parts: list[bytes] = Field(sa_type=ARRAY(LargeBinary))


class ClosingRow(Row, table=True):
    """A closing that has begun: the cut as it was committed to, and how long judging may take.

    `drain_until` is unshifted time.
    """

    __tablename__ = "closing"
    __table_args__ = ({"schema": "trading", "info": APPEND_ONLY},)
    lot_id: UUID = Field(primary_key=True, foreign_key="trading.lot.id")
    salt: bytes
    commitments: list[bytes] = Field(sa_type=ARRAY(LargeBinary))
    cut_digest: bytes
    begun_at: datetime = Field(sa_type=Instant)
    drain_until: datetime = Field(sa_type=Instant)


_CHECK_INTENT = """
CREATE FUNCTION trading.check_intent() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NOT EXISTS (SELECT 1 FROM trading.lot WHERE id = NEW.lot_id AND state = 'open'
                 AND NEW.received_at < bids_due_at) THEN
    RAISE EXCEPTION 'the lot takes no submission received at %', NEW.received_at
      USING ERRCODE = 'restrict_violation';
  END IF;
  RETURN NEW;
END $$
"""

_CHECK_BID = """
CREATE FUNCTION trading.check_bid() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NOT EXISTS (SELECT 1 FROM trading.lot WHERE id = NEW.lot_id
                 AND state IN ('open', 'closing')) THEN
    RAISE EXCEPTION 'the lot is closed and takes no bid' USING ERRCODE = 'restrict_violation';
  END IF;
  IF NOT EXISTS (SELECT 1 FROM trading.intent WHERE lot_id = NEW.lot_id
                 AND bidder_id = NEW.bidder_id AND statement_digest = NEW.statement_digest
                 AND received_at = NEW.received_at) THEN
    RAISE EXCEPTION 'a bid without its intent' USING ERRCODE = 'restrict_violation';
  END IF;
  RETURN NEW;
END $$
"""

_KEEP_SEALED_PARTS = """
CREATE FUNCTION trading.keep_sealed_parts() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'UPDATE' OR EXISTS (
      SELECT 1 FROM trading.bid b JOIN trading.bid_envelope e ON e.bid_id = b.id
      WHERE b.lot_id = OLD.lot_id AND b.bidder_id = OLD.bidder_id
        AND OLD.digest = ANY(e.parts)) OR EXISTS (
      SELECT 1 FROM trading.application a
      WHERE a.lot_id = OLD.lot_id AND a.applicant_id = OLD.bidder_id
        AND OLD.digest = ANY(a.parts)) THEN
    RAISE EXCEPTION 'a part that a bid refers to stays' USING ERRCODE = 'restrict_violation';
  END IF;
  RETURN OLD;
END $$
"""

# The second lock on what comes in: the first is `trading/bidding.py`, which holds the lot still.
EXTRA_STATEMENTS.extend(
    [
        _CHECK_INTENT,
        "CREATE TRIGGER in_time BEFORE INSERT ON trading.intent"
        " FOR EACH ROW EXECUTE FUNCTION trading.check_intent()",
        _CHECK_BID,
        "CREATE TRIGGER lawful_bid BEFORE INSERT ON trading.bid"
        " FOR EACH ROW EXECUTE FUNCTION trading.check_bid()",
        _KEEP_SEALED_PARTS,
        "CREATE TRIGGER sealed_parts BEFORE UPDATE OR DELETE ON trading.upload_part"
        " FOR EACH ROW EXECUTE FUNCTION trading.keep_sealed_parts()",
    ]
)


class TakenReportRow(Row, table=True):
    """A committee's report as it was taken over; `round` counts them where a lot goes back to its
    committee. The report's bytes are the document with this digest.
    """

    __tablename__ = "taken_report"
    __table_args__ = ({"schema": "trading", "info": APPEND_ONLY},)
    lot_id: UUID = Field(primary_key=True, foreign_key="trading.lot.id")
    round: int = Field(primary_key=True)
    report_digest: bytes
    all_rejected: bool
    taken_at: datetime = Field(sa_type=Instant)


class RankedBidRow(Row, table=True):
    """A bid's place in a committee's report, with its points, which may be split into parts."""

    __tablename__ = "ranked_bid"
    __table_args__ = (
        UniqueConstraint("lot_id", "round", "rank"),
        CheckConstraint("rank > 0", name="ranked_from_one"),
        {"schema": "trading", "info": APPEND_ONLY},
    )
    lot_id: UUID = Field(primary_key=True, foreign_key="trading.lot.id")
    round: int = Field(primary_key=True)
    bid_id: UUID = Field(primary_key=True, foreign_key="trading.opened_bid.bid_id")
    bidder_id: UUID = Field(foreign_key="kernel.organisation.id")
    name: str
    rank: int
    candidate: bool
    total: Decimal = Field(sa_type=SCORE)
    price: Decimal = Field(sa_type=MONEY)
    parts: list[dict[str, str]] = Field(default_factory=list, sa_type=JSONB)


class RejectedBidRow(Row, table=True):
    """A bid that the committee rejected: on which ground, by which article, shown on which page."""

    __tablename__ = "rejected_bid"
    __table_args__ = ({"schema": "trading", "info": APPEND_ONLY},)
    lot_id: UUID = Field(primary_key=True, foreign_key="trading.lot.id")
    round: int = Field(primary_key=True)
    bid_id: UUID = Field(primary_key=True, foreign_key="trading.opened_bid.bid_id")
    ground: str = Field(primary_key=True)
    bidder_id: UUID = Field(foreign_key="kernel.organisation.id")
    name: str
    article: str
    page: str


class CandidatesRow(Row, table=True):
    """The candidates of one report as they were published, and until when."""

    __tablename__ = "candidates"
    __table_args__ = ({"schema": "trading", "info": APPEND_ONLY},)
    lot_id: UUID = Field(primary_key=True, foreign_key="trading.lot.id")
    round: int = Field(primary_key=True)
    digest: bytes = Field(unique=True)
    statement: bytes
    published_by: UUID = Field(foreign_key="kernel.person.id")
    published_at: datetime = Field(sa_type=Instant)
    until: datetime = Field(sa_type=Instant)
    cautions: list[dict[str, Any]] = Field(default_factory=list, sa_type=JSONB)


class ObjectionRow(Row, table=True):
    """A signed objection to the documents or the result of a tender, or of its prequalification;
    `waits` where it brakes the lot until it is answered.
    """

    __tablename__ = "objection"
    __table_args__ = (
        Index(None, "lot_id"),
        {"schema": "trading", "info": APPEND_ONLY},
    )
    id: UUID = Field(primary_key=True)
    lot_id: UUID = Field(foreign_key="trading.lot.id")
    about: str
    objector_id: UUID = Field(foreign_key="kernel.organisation.id", index=True)
    person_id: UUID = Field(foreign_key="kernel.person.id")
    request: str
    grounds: str
    evidence: list[dict[str, str]] = Field(sa_type=JSONB)
    interest: str
    digest: bytes = Field(unique=True)
    statement: bytes
    waits: bool
    raised_at: datetime = Field(sa_type=Instant)
    answer_due_at: datetime = Field(sa_type=Instant)


class EvidenceFileRow(Row, table=True):
    """A file that an organisation keeps for an objection, a complaint or an answer in talks."""

    __tablename__ = "evidence_file"
    __table_args__ = ({"schema": "trading", "info": APPEND_ONLY},)
    lot_id: UUID = Field(primary_key=True, foreign_key="trading.lot.id")
    party_id: UUID = Field(primary_key=True, foreign_key="kernel.organisation.id")
    digest: bytes = Field(primary_key=True)
    name: str
    media_type: str
    size: int
    kept_by: UUID = Field(foreign_key="kernel.person.id")
    kept_at: datetime = Field(sa_type=Instant)


class ObjectionAnswerRow(Row, table=True):
    """The signed answer to an objection; there is one.

    `outcome` says whether the objection stands and `remedy` what follows, which answers of former
    days did not; `candidate_id` is whom the committee is to examine, where that follows.
    """

    __tablename__ = "objection_answer"
    __table_args__ = ({"schema": "trading", "info": APPEND_ONLY},)
    objection_id: UUID = Field(primary_key=True, foreign_key="trading.objection.id")
    words: str
    digest: bytes = Field(unique=True)
    statement: bytes
    answered_by: UUID = Field(foreign_key="kernel.person.id")
    answered_at: datetime = Field(sa_type=Instant)
    late: bool
    outcome: str | None = None
    remedy: str | None = None
    candidate_id: UUID | None = Field(default=None, foreign_key="kernel.organisation.id")


class ObjectionRemedyRow(Row, table=True):
    """That what follows from an objection that stands was done, by the signed act that did it."""

    __tablename__ = "objection_remedy"
    __table_args__ = ({"schema": "trading", "info": APPEND_ONLY},)
    objection_id: UUID = Field(
        primary_key=True, foreign_key="trading.objection_answer.objection_id"
    )
    digest: bytes
    statement: bytes
    carried_out_by: UUID = Field(foreign_key="kernel.person.id")
    carried_out_at: datetime = Field(sa_type=Instant)


class AwardRow(Row, table=True):
    """An award of a lot: whose, at what price, on whose signature, and what is due after it.

    A lot has one, and another with the next `number` where one fell away; none is ever deleted.
    `set_aside` names candidates ranked before the winner, each with its ground and document.
    `minutes` say who decided and why where the award was split from the evaluation, else None.
    """

    __tablename__ = "award"
    __table_args__ = (
        CheckConstraint("number > 0", name="numbered_from_one"),
        {"schema": "trading", "info": APPEND_ONLY},
    )
    lot_id: UUID = Field(primary_key=True, foreign_key="trading.lot.id")
    number: int = Field(primary_key=True)
    round: int
    bid_id: UUID = Field(unique=True, foreign_key="trading.opened_bid.bid_id")
    winner_id: UUID = Field(foreign_key="kernel.organisation.id", index=True)
    rank: int
    price: Decimal = Field(sa_type=MONEY)
    set_aside: list[dict[str, str]] = Field(default_factory=list, sa_type=JSONB)
    digest: bytes = Field(unique=True)
    statement: bytes
    awarded_by: UUID = Field(foreign_key="kernel.person.id")
    awarded_at: datetime = Field(sa_type=Instant)
    contract_due_on: date
    report_due_on: date | None = None
    minutes: dict[str, Any] | None = Field(default=None, sa_type=JSONB(none_as_null=True))
    cautions: list[dict[str, Any]] = Field(default_factory=list, sa_type=JSONB)


class AwardNoticeRow(Row, table=True):
    """What one bidder was told of an award, and the journal's entry that told it."""

    __tablename__ = "award_notice"
    __table_args__ = (
        ForeignKeyConstraint(
            ["lot_id", "award_number"], ["trading.award.lot_id", "trading.award.number"]
        ),
        {"schema": "trading", "info": APPEND_ONLY},
    )
    lot_id: UUID = Field(primary_key=True)
    award_number: int = Field(primary_key=True)
    bidder_id: UUID = Field(primary_key=True, foreign_key="kernel.organisation.id")
    won: bool
    entry_id: UUID = Field(unique=True)
    noticed_at: datetime = Field(sa_type=Instant)


class AwardRenunciationRow(Row, table=True):
    """That a winner gave its award up, in its own signed words."""

    __tablename__ = "award_renunciation"
    __table_args__ = (
        ForeignKeyConstraint(
            ["lot_id", "award_number"], ["trading.award.lot_id", "trading.award.number"]
        ),
        {"schema": "trading", "info": APPEND_ONLY},
    )
    lot_id: UUID = Field(primary_key=True)
    award_number: int = Field(primary_key=True)
    words: str
    digest: bytes = Field(unique=True)
    statement: bytes
    renounced_by: UUID = Field(foreign_key="kernel.person.id")
    renounced_at: datetime = Field(sa_type=Instant)


class AwardAnnulmentRow(Row, table=True):
    """That an award fell away: on which ground and article, with what evidence, on whose signature.

    `found_by` is the authority that found an illegal act; `due_on` by which day the documents asked
    for the performance security.
    """

    __tablename__ = "award_annulment"
    __table_args__ = (
        ForeignKeyConstraint(
            ["lot_id", "award_number"], ["trading.award.lot_id", "trading.award.number"]
        ),
        {"schema": "trading", "info": APPEND_ONLY},
    )
    lot_id: UUID = Field(primary_key=True)
    award_number: int = Field(primary_key=True)
    ground: str
    article: str
    words: str
    evidence: list[dict[str, str]] = Field(sa_type=JSONB)
    found_by: str
    due_on: date | None = None
    digest: bytes = Field(unique=True)
    statement: bytes
    annulled_by: UUID = Field(foreign_key="kernel.person.id")
    annulled_at: datetime = Field(sa_type=Instant)
    entry_id: UUID = Field(unique=True)


class AwardVoteRow(Row, table=True):
    """How a member of the award committee voted, on its own signature; nobody changes a vote.

    `award_number` is that of the award for which the committee votes.
    """

    __tablename__ = "award_vote"
    __table_args__ = ({"schema": "trading", "info": APPEND_ONLY},)
    lot_id: UUID = Field(primary_key=True, foreign_key="trading.lot.id")
    round: int = Field(primary_key=True)
    award_number: int = Field(primary_key=True)
    person_id: UUID = Field(primary_key=True, foreign_key="kernel.person.id")
    member: str
    bidder_id: UUID = Field(foreign_key="kernel.organisation.id")
    digest: bytes = Field(unique=True)
    statement: bytes
    cast_at: datetime = Field(sa_type=Instant)


class RecheckRow(Row, table=True):
    """That a candidate is to be examined again by its committee: why, and with what evidence.

    `round` is that of the report that recommended it.
    """

    __tablename__ = "recheck"
    __table_args__ = ({"schema": "trading", "info": APPEND_ONLY},)
    lot_id: UUID = Field(primary_key=True, foreign_key="trading.lot.id")
    number: int = Field(primary_key=True)
    brake: UUID = Field(unique=True)
    """The cause by which the lot stands still until the committee has concluded."""

    round: int
    candidate_id: UUID = Field(foreign_key="kernel.organisation.id")
    ground: str
    words: str
    evidence: list[dict[str, str]] = Field(sa_type=JSONB)
    digest: bytes = Field(unique=True)
    statement: bytes
    asked_by: UUID = Field(foreign_key="kernel.person.id")
    asked_for: UUID = Field(foreign_key="kernel.organisation.id")
    asked_at: datetime = Field(sa_type=Instant)


class RecheckOpinionRow(Row, table=True):
    """What a member of the original committee found, on its own signature."""

    __tablename__ = "recheck_opinion"
    __table_args__ = (
        ForeignKeyConstraint(
            ["lot_id", "number"], ["trading.recheck.lot_id", "trading.recheck.number"]
        ),
        {"schema": "trading", "info": APPEND_ONLY},
    )
    lot_id: UUID = Field(primary_key=True)
    number: int = Field(primary_key=True)
    member_id: UUID = Field(primary_key=True)
    member: int
    """By which number the member is known; its name is secret until the award."""

    fit: bool
    words: str
    digest: bytes = Field(unique=True)
    statement: bytes
    given_at: datetime = Field(sa_type=Instant)


class RecheckConclusionRow(Row, table=True):
    """What the majority of the original committee found of a candidate."""

    __tablename__ = "recheck_conclusion"
    __table_args__ = (
        ForeignKeyConstraint(
            ["lot_id", "number"], ["trading.recheck.lot_id", "trading.recheck.number"]
        ),
        {"schema": "trading", "info": APPEND_ONLY},
    )
    lot_id: UUID = Field(primary_key=True)
    number: int = Field(primary_key=True)
    confirmed: bool
    members: int
    """How many sit in the committee, of whom more than half found the candidate unfit or not."""

    concluded_at: datetime = Field(sa_type=Instant)
    entry_id: UUID = Field(unique=True)


# ── listings (挂牌竞价) ─────────────────────────────────────────────────────────────────────────


class ListingRow(Row, table=True):
    """A listing: its published terms, which nobody can rewrite, and where it stands.

    `statement` is the seller's signature under all terms, `reserve_commitment` what binds a reserve
    that is still secret. `due_at` is the next moment at which time alone moves it; `winner_id`,
    `price` and `why` are known once it has ended. Money is yuan, `asking_s` and `countdown_s` are
    seconds. `pauses` are the times for which it stood still, `paused_at` since when it does now;
    `relists` is the listing without a deal that it takes up again.
    """

    __tablename__ = "listing"
    __table_args__ = (
        Index(None, "due_at"),
        CheckConstraint("starting_price > 0 AND step > 0", name="prices_are_positive"),
        {"schema": "trading"},
    )
    id: UUID = Field(primary_key=True)
    code: str = Field(unique=True)
    title: str
    asset: str
    region_code: str
    words: str
    seller_id: UUID = Field(foreign_key="kernel.organisation.id", index=True)
    announced_by: UUID = Field(foreign_key="kernel.person.id")
    published_at: datetime = Field(sa_type=Instant)
    register_until: datetime = Field(sa_type=Instant)
    starts_at: datetime = Field(sa_type=Instant)
    ends_at: datetime = Field(sa_type=Instant)
    starting_price: Decimal = Field(sa_type=MONEY)
    step: Decimal = Field(sa_type=MONEY)
    security: Decimal = Field(sa_type=MONEY)
    asking_s: int
    countdown_s: int
    reserve_commitment: bytes | None = None
    cautions: list[dict[str, Any]] = Field(default_factory=list, sa_type=JSONB)
    digest: bytes = Field(unique=True)
    statement: bytes
    phase: str
    phase_ends_at: datetime | None = Field(default=None, sa_type=Instant)
    due_at: datetime | None = Field(default=None, sa_type=Instant)
    ended_at: datetime | None = Field(default=None, sa_type=Instant)
    winner_id: UUID | None = Field(default=None, foreign_key="kernel.organisation.id", index=True)
    price: Decimal | None = Field(default=None, sa_type=MONEY)
    why: str = ""
    relists: UUID | None = Field(default=None, foreign_key="trading.listing.id", unique=True)
    pauses: list[dict[str, Any]] = Field(
        default_factory=list, sa_type=JSONB, sa_column_kwargs={"server_default": "[]"}
    )
    paused_at: datetime | None = Field(default=None, sa_type=Instant)


class ListingReserveRow(Row, table=True):
    """A listing's reserve and the nonce that hides it in its commitment; shown once it has ended.

    Only the application can read this table, and it does so at the end of the listing alone.
    """

    __tablename__ = "listing_reserve"
    __table_args__ = ({"schema": "trading", "info": {"append_only": True, "secret": True}},)
    listing_id: UUID = Field(primary_key=True, foreign_key="trading.listing.id")
    reserve: Decimal = Field(sa_type=MONEY)
    nonce: bytes
    statement: bytes


class ListingBidderRow(Row, table=True):
    """A registered bidder and the number (竞买号) under which it bids, drawn by lot."""

    __tablename__ = "listing_bidder"
    __table_args__ = (
        UniqueConstraint("listing_id", "number"),
        {"schema": "trading", "info": APPEND_ONLY},
    )
    listing_id: UUID = Field(primary_key=True, foreign_key="trading.listing.id")
    bidder_id: UUID = Field(primary_key=True, foreign_key="kernel.organisation.id", index=True)
    number: int
    person_id: UUID = Field(foreign_key="kernel.person.id")
    digest: bytes = Field(unique=True)
    statement: bytes
    registered_at: datetime = Field(sa_type=Instant)


class ListingAccountRow(Row, table=True):
    """The number under which a registered bidder pays its security; it says nothing of either.

    Nobody but that bidder is shown it before the listing has ended.
    """

    __tablename__ = "listing_account"
    __table_args__ = ({"schema": "trading", "info": APPEND_ONLY},)
    listing_id: UUID = Field(primary_key=True, foreign_key="trading.listing.id")
    bidder_id: UUID = Field(primary_key=True, foreign_key="kernel.organisation.id")
    reference: str = Field(unique=True)
    given_to: UUID = Field(foreign_key="kernel.person.id")
    given_at: datetime = Field(sa_type=Instant)


class ListingAdmissionRow(Row, table=True):
    """A bidder's security arrived whole and in time, so that it may name prices.

    `reference` is the bank's number of the last payment of it, `admitted_by` in whose act it came.
    """

    __tablename__ = "listing_admission"
    __table_args__ = ({"schema": "trading", "info": APPEND_ONLY},)
    listing_id: UUID = Field(primary_key=True, foreign_key="trading.listing.id")
    bidder_id: UUID = Field(primary_key=True, foreign_key="kernel.organisation.id")
    paid: Decimal = Field(sa_type=MONEY)
    arrived_at: datetime = Field(sa_type=Instant)
    reference: str
    admitted_by: UUID = Field(foreign_key="kernel.person.id")
    admitted_at: datetime = Field(sa_type=Instant)


class ListingQuoteRow(Row, table=True):
    """A price that was taken, in the order in which it was taken, as its bidder signed it."""

    __tablename__ = "listing_quote"
    __table_args__ = (
        UniqueConstraint("listing_id", "price"),
        {"schema": "trading", "info": APPEND_ONLY},
    )
    listing_id: UUID = Field(primary_key=True, foreign_key="trading.listing.id")
    number: int = Field(primary_key=True)
    bidder_id: UUID = Field(foreign_key="kernel.organisation.id")
    person_id: UUID = Field(foreign_key="kernel.person.id")
    price: Decimal = Field(sa_type=MONEY)
    received_at: datetime = Field(sa_type=Instant)
    phase: str
    digest: bytes = Field(unique=True)
    statement: bytes


class ListingGoingOnRow(Row, table=True):
    """A bidder's signed word that it goes on when it was asked."""

    __tablename__ = "listing_going_on"
    __table_args__ = ({"schema": "trading", "info": APPEND_ONLY},)
    listing_id: UUID = Field(primary_key=True, foreign_key="trading.listing.id")
    bidder_id: UUID = Field(primary_key=True, foreign_key="kernel.organisation.id")
    digest: bytes = Field(unique=True)
    statement: bytes
    said_at: datetime = Field(sa_type=Instant)


class ListingDealRow(Row, table=True):
    """One side's signature under the deal's confirmation: the seller's, or the buyer's."""

    __tablename__ = "listing_deal"
    __table_args__ = ({"schema": "trading", "info": APPEND_ONLY},)
    listing_id: UUID = Field(primary_key=True, foreign_key="trading.listing.id")
    side: str = Field(primary_key=True)
    person_id: UUID = Field(foreign_key="kernel.person.id")
    digest: bytes = Field(unique=True)
    statement: bytes
    signed_at: datetime = Field(sa_type=Instant)


class ListingReturnRow(Row, table=True):
    """That a security of a listing went back: why, how much, and by when it was due."""

    __tablename__ = "listing_return"
    __table_args__ = (
        Index(None, "listing_id", "bidder_id"),
        CheckConstraint("principal > 0", name="something_went_back"),
        {"schema": "trading", "info": APPEND_ONLY},
    )
    id: UUID = Field(primary_key=True)
    listing_id: UUID = Field(foreign_key="trading.listing.id")
    bidder_id: UUID = Field(foreign_key="kernel.organisation.id")
    cause: str
    principal: Decimal = Field(sa_type=MONEY)
    serial: str
    due_at: datetime | None = Field(default=None, sa_type=Instant)
    late: bool
    returned_at: datetime = Field(sa_type=Instant)
    recorded_by: UUID = Field(foreign_key="kernel.person.id")
    recorded_at: datetime = Field(sa_type=Instant)


class ListingKeepingRow(Row, table=True):
    """A seller keeps the security of a winner who did not sign the deal, which fell through."""

    __tablename__ = "listing_keeping"
    __table_args__ = (
        CheckConstraint("amount >= 0", name="amount_makes_sense"),
        {"schema": "trading", "info": APPEND_ONLY},
    )
    listing_id: UUID = Field(primary_key=True, foreign_key="trading.listing.id")
    bidder_id: UUID = Field(foreign_key="kernel.organisation.id")
    article: str
    reason: str
    amount: Decimal = Field(sa_type=MONEY)
    digest: bytes = Field(unique=True)
    statement: bytes
    decided_by: UUID = Field(foreign_key="kernel.person.id")
    decided_at: datetime = Field(sa_type=Instant)


class ListingAlarmRow(Row, table=True):
    """That securities of a listing were not back by this moment, and when the alarm rang; once."""

    __tablename__ = "listing_alarm"
    __table_args__ = ({"schema": "trading", "info": APPEND_ONLY},)
    listing_id: UUID = Field(primary_key=True, foreign_key="trading.listing.id")
    due_at: datetime = Field(primary_key=True, sa_type=Instant)
    alarmed_at: datetime = Field(sa_type=Instant)


class ListingOrderRow(Row, table=True):
    """An order that suspended, resumed or ended a listing, on what ground and by whose decision."""

    __tablename__ = "listing_order"
    __table_args__ = ({"schema": "trading", "info": APPEND_ONLY},)
    listing_id: UUID = Field(primary_key=True, foreign_key="trading.listing.id")
    number: int = Field(primary_key=True)
    kind: str
    ground: str
    basis: str
    reason: str
    by_supervisor: bool
    party_id: UUID = Field(foreign_key="kernel.organisation.id")
    person_id: UUID = Field(foreign_key="kernel.person.id")
    digest: bytes = Field(unique=True)
    statement: bytes
    ordered_at: datetime = Field(sa_type=Instant)


class ListingLetterRow(Row, table=True):
    """A seller's letter of authorisation to an agency for the listing of a code; the newest counts.

    Without a `last_day` it is good until it is ended.
    """

    __tablename__ = "listing_letter"
    __table_args__ = (
        UniqueConstraint("seller_id", "code", "number"),
        Index(None, "agency_id"),
        {"schema": "trading", "info": APPEND_ONLY},
    )
    id: UUID = Field(primary_key=True)
    seller_id: UUID = Field(foreign_key="kernel.organisation.id")
    code: str
    number: int
    agency_id: UUID = Field(foreign_key="kernel.organisation.id")
    acts: list[str] = Field(sa_type=ARRAY(TEXT))
    last_day: date | None = None
    digest: bytes = Field(unique=True)
    statement: bytes
    signed_by: UUID = Field(foreign_key="kernel.person.id")
    signed_at: datetime = Field(sa_type=Instant)


class ListingLetterEndRow(Row, table=True):
    """A seller ended an agency's letter for a listing before its time."""

    __tablename__ = "listing_letter_end"
    __table_args__ = ({"schema": "trading", "info": APPEND_ONLY},)
    letter_id: UUID = Field(primary_key=True, foreign_key="trading.listing_letter.id")
    reason: str
    digest: bytes = Field(unique=True)
    statement: bytes
    ended_by: UUID = Field(foreign_key="kernel.person.id")
    ended_at: datetime = Field(sa_type=Instant)


_CHECK_LISTING = """
CREATE FUNCTION trading.check_listing() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF (NEW.id, NEW.code, NEW.title, NEW.asset, NEW.region_code, NEW.words, NEW.seller_id,
      NEW.published_at, NEW.register_until, NEW.starts_at, NEW.ends_at, NEW.starting_price,
      NEW.step, NEW.security, NEW.asking_s, NEW.countdown_s, NEW.reserve_commitment, NEW.digest,
      NEW.statement, NEW.relists) IS DISTINCT FROM
     (OLD.id, OLD.code, OLD.title, OLD.asset, OLD.region_code, OLD.words, OLD.seller_id,
      OLD.published_at, OLD.register_until, OLD.starts_at, OLD.ends_at, OLD.starting_price,
      OLD.step, OLD.security, OLD.asking_s, OLD.countdown_s, OLD.reserve_commitment, OLD.digest,
      OLD.statement, OLD.relists) THEN
    RAISE EXCEPTION 'the terms of a listing stand' USING ERRCODE = 'restrict_violation';
  END IF;
  IF OLD.phase IN ('sold', 'unsold', 'terminated') THEN
    RAISE EXCEPTION 'a listing that has ended stands' USING ERRCODE = 'restrict_violation';
  END IF;
  RETURN NEW;
END $$
"""

_CHECK_QUOTE = """
CREATE FUNCTION trading.check_quote() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  listed trading.listing;
  last trading.listing_quote;
BEGIN
  SELECT * INTO listed FROM trading.listing WHERE id = NEW.listing_id;
  SELECT * INTO last FROM trading.listing_quote WHERE listing_id = NEW.listing_id
    ORDER BY number DESC LIMIT 1;
  IF listed.phase NOT IN ('listed', 'bidding') THEN
    RAISE EXCEPTION 'the listing takes no price now' USING ERRCODE = 'restrict_violation';
  END IF;
  IF NEW.number <> coalesce(last.number, 0) + 1
     OR NEW.price < coalesce(last.price + listed.step, listed.starting_price) THEN
    RAISE EXCEPTION 'a price is above the last by a step' USING ERRCODE = 'restrict_violation';
  END IF;
  RETURN NEW;
END $$
"""

# The second lock on the door of a listing: the first is `trading/listing.py`.
EXTRA_STATEMENTS.extend(
    [
        _CHECK_LISTING,
        "CREATE TRIGGER fixed_listing BEFORE UPDATE ON trading.listing"
        " FOR EACH ROW EXECUTE FUNCTION trading.check_listing()",
        _CHECK_QUOTE,
        "CREATE TRIGGER rising_price BEFORE INSERT ON trading.listing_quote"
        " FOR EACH ROW EXECUTE FUNCTION trading.check_quote()",
    ]
)


class InvitationRow(Row, table=True):
    """How the invited of a lot were found; it stands beside the draft and may be replaced with it,
    unless they were drawn.

    `salt` is what hides them in the signed notice, `seed` what drew them, None where nobody was.
    """

    __tablename__ = "invitation"
    __table_args__ = ({"schema": "trading"},)
    lot_id: UUID = Field(primary_key=True, foreign_key="trading.lot.id")
    source: str
    record: str
    witnesses: list[str] = Field(default_factory=list, sa_type=JSONB)
    salt: bytes
    seed: bytes | None = None
    named_by: UUID = Field(foreign_key="kernel.person.id")
    named_at: datetime = Field(sa_type=Instant)


class InviteeRow(Row, table=True):
    """An organisation that was listed for a lot, its place in the list, and whether it is invited.

    Until the bids are opened it is told to the lot's owners and to itself alone.
    """

    __tablename__ = "invitee"
    __table_args__ = (
        UniqueConstraint("lot_id", "place"),
        CheckConstraint("place > 0", name="placed_from_one"),
        {"schema": "trading"},
    )
    lot_id: UUID = Field(primary_key=True, foreign_key="trading.invitation.lot_id")
    party_id: UUID = Field(primary_key=True, foreign_key="kernel.organisation.id", index=True)
    place: int
    invited: bool


class SoleSupplierRow(Row, table=True):
    """The one supplier a lot is put to, with the grounds and opinions that its notice states."""

    __tablename__ = "sole_supplier"
    __table_args__ = ({"schema": "trading"},)
    lot_id: UUID = Field(primary_key=True, foreign_key="trading.lot.id")
    supplier_id: UUID = Field(foreign_key="kernel.organisation.id", index=True)
    grounds: str
    opinions: list[dict[str, str]] = Field(default_factory=list, sa_type=JSONB)
    named_by: UUID = Field(foreign_key="kernel.person.id")
    named_at: datetime = Field(sa_type=Instant)


class PriceAgreementRow(Row, table=True):
    """A price agreed with the only supplier, as its record says it; the newest of a lot counts.

    It stands once everybody it names has signed it, and the supplier.
    """

    __tablename__ = "price_agreement"
    __table_args__ = (
        CheckConstraint("number > 0", name="numbered_from_one"),
        {"schema": "trading", "info": APPEND_ONLY},
    )
    lot_id: UUID = Field(primary_key=True, foreign_key="trading.lot.id")
    number: int = Field(primary_key=True)
    digest: bytes = Field(unique=True)
    body: dict[str, Any] = Field(sa_type=JSONB)
    price: Decimal = Field(sa_type=MONEY)
    members: list[str] = Field(sa_type=JSONB)
    offered_by: UUID = Field(foreign_key="kernel.person.id")
    offered_at: datetime = Field(sa_type=Instant)
    cautions: list[dict[str, Any]] = Field(default_factory=list, sa_type=JSONB)


class PriceSignatureRow(Row, table=True):
    """One signature under a price agreement: a member's of the group, or the supplier's."""

    __tablename__ = "price_signature"
    __table_args__ = (
        ForeignKeyConstraint(
            ["lot_id", "number"],
            ["trading.price_agreement.lot_id", "trading.price_agreement.number"],
        ),
        {"schema": "trading", "info": APPEND_ONLY},
    )
    lot_id: UUID = Field(primary_key=True)
    number: int = Field(primary_key=True)
    person_id: UUID = Field(primary_key=True, foreign_key="kernel.person.id")
    party_id: UUID = Field(foreign_key="kernel.organisation.id")
    for_supplier: bool
    statement: bytes
    signed_at: datetime = Field(sa_type=Instant)


class QuestionRow(Row, table=True):
    """A question about the tender documents. Who asked is for the platform's own records.

    Before the close it is told to nobody, afterwards to the tenderee alone.
    """

    __tablename__ = "question"
    __table_args__ = ({"schema": "trading", "info": APPEND_ONLY},)
    id: UUID = Field(primary_key=True)
    lot_id: UUID = Field(foreign_key="trading.lot.id", index=True)
    asker_id: UUID = Field(foreign_key="kernel.organisation.id")
    person_id: UUID = Field(foreign_key="kernel.person.id")
    words: str
    digest: bytes = Field(unique=True)
    statement: bytes
    asked_at: datetime = Field(sa_type=Instant)


class QuestionAnswerRow(Row, table=True):
    """Which published answer a question got: the notice, and the answer's place in it from 0.

    It stands beside the notice and not in it, for how many asked the same is nobody's to know.
    """

    __tablename__ = "question_answer"
    __table_args__ = ({"schema": "trading", "info": APPEND_ONLY},)
    question_id: UUID = Field(primary_key=True, foreign_key="trading.question.id")
    lot_id: UUID = Field(foreign_key="trading.lot.id", index=True)
    notice: int
    place: int


class AwardReportRow(Row, table=True):
    """The written report on a tender and its award, as the supervising department got it."""

    __tablename__ = "award_report"
    __table_args__ = (
        ForeignKeyConstraint(
            ["lot_id", "award_number"], ["trading.award.lot_id", "trading.award.number"]
        ),
        {"schema": "trading", "info": APPEND_ONLY},
    )
    lot_id: UUID = Field(primary_key=True)
    award_number: int = Field(primary_key=True)
    digest: bytes = Field(unique=True)
    statement: bytes
    reported_by: UUID = Field(foreign_key="kernel.person.id")
    reported_at: datetime = Field(sa_type=Instant)
    late: bool


class ContractOfferRow(Row, table=True):
    """A contract as the tenderee signed it; the newest version waits for the winner's signature.

    `digest` is the SHA-256 of the signed words, which both sides sign alike.
    """

    __tablename__ = "contract_offer"
    __table_args__ = (
        ForeignKeyConstraint(
            ["lot_id", "award_number"], ["trading.award.lot_id", "trading.award.number"]
        ),
        {"schema": "trading", "info": APPEND_ONLY},
    )
    lot_id: UUID = Field(primary_key=True)
    version: int = Field(primary_key=True)
    award_number: int
    digest: bytes = Field(unique=True)
    statement: bytes
    offered_by: UUID = Field(foreign_key="kernel.person.id")
    offered_at: datetime = Field(sa_type=Instant)


class ContractRow(Row, table=True):
    """A contract that both sides have signed: `statement` carries both signatures.

    `public_due_at` and `file_due_at` are there where a law sets such a day.
    """

    __tablename__ = "contract"
    __table_args__ = (
        ForeignKeyConstraint(
            ["lot_id", "award_number"], ["trading.award.lot_id", "trading.award.number"]
        ),
        {"schema": "trading", "info": APPEND_ONLY},
    )
    lot_id: UUID = Field(primary_key=True)
    award_number: int
    number: str = Field(unique=True)
    version: int
    digest: bytes = Field(unique=True)
    statement: bytes
    price: Decimal = Field(sa_type=MONEY)
    performance_security: Decimal = Field(sa_type=MONEY)
    signed_by: UUID = Field(foreign_key="kernel.person.id")
    signed_at: datetime = Field(sa_type=Instant)
    entry_id: UUID = Field(unique=True)
    public_due_at: datetime | None = Field(default=None, sa_type=Instant)
    file_due_at: datetime | None = Field(default=None, sa_type=Instant)
    cautions: list[dict[str, Any]] = Field(default_factory=list, sa_type=JSONB)


class ContractFilingRow(Row, table=True):
    """That a contract's copy was filed, with whom and under which number."""

    __tablename__ = "contract_filing"
    __table_args__ = ({"schema": "trading", "info": APPEND_ONLY},)
    lot_id: UUID = Field(primary_key=True, foreign_key="trading.contract.lot_id")
    authority: str
    reference: str
    digest: bytes = Field(unique=True)
    statement: bytes
    filed_by: UUID = Field(foreign_key="kernel.person.id")
    filed_at: datetime = Field(sa_type=Instant)
    late: bool


class ContractChangeOfferRow(Row, table=True):
    """A change of a contract as one side signed it; the newest of its number waits for the other.

    `amount` is what it adds to the price, negative where it takes away; `period` the new period,
    empty where that stays.
    """

    __tablename__ = "contract_change_offer"
    __table_args__ = (
        Index(None, "lot_id", "number"),
        CheckConstraint("number > 0", name="numbered_from_one"),
        {"schema": "trading", "info": APPEND_ONLY},
    )
    digest: bytes = Field(primary_key=True)
    lot_id: UUID = Field(foreign_key="trading.contract.lot_id")
    number: int
    side: str
    reason: str
    words: str
    amount: Decimal = Field(sa_type=MONEY)
    period: str
    statement: bytes
    offered_by: UUID = Field(foreign_key="kernel.person.id")
    offered_at: datetime = Field(sa_type=Instant)


class ContractChangeRow(Row, table=True):
    """A change that both sides have signed: `statement` carries both signatures."""

    __tablename__ = "contract_change"
    __table_args__ = ({"schema": "trading", "info": APPEND_ONLY},)
    lot_id: UUID = Field(primary_key=True, foreign_key="trading.contract.lot_id")
    number: int = Field(primary_key=True)
    digest: bytes = Field(unique=True, foreign_key="trading.contract_change_offer.digest")
    statement: bytes
    agreed_by: UUID = Field(foreign_key="kernel.person.id")
    agreed_at: datetime = Field(sa_type=Instant)


class PerformanceReportRow(Row, table=True):
    """What one side reported of a contract's performance, by its kind."""

    __tablename__ = "performance_report"
    __table_args__ = (
        Index(None, "lot_id"),
        {"schema": "trading", "info": APPEND_ONLY},
    )
    digest: bytes = Field(primary_key=True)
    lot_id: UUID = Field(foreign_key="trading.contract.lot_id")
    side: str
    kind: str
    words: str
    amount: Decimal | None = Field(default=None, sa_type=MONEY)
    share: int | None = None
    on: date
    due_on: date | None = None
    late: bool
    statement: bytes
    reported_by: UUID = Field(foreign_key="kernel.person.id")
    reported_at: datetime = Field(sa_type=Instant)
    cautions: list[dict[str, Any]] = Field(default_factory=list, sa_type=JSONB)


class SettlementRow(Row, table=True):
    """What a finished contract cost by its audit, beside what was awarded and last agreed."""

    __tablename__ = "settlement"
    __table_args__ = (
        CheckConstraint("awarded > 0 AND settled >= 0", name="amounts_make_sense"),
        {"schema": "trading", "info": APPEND_ONLY},
    )
    lot_id: UUID = Field(primary_key=True, foreign_key="trading.contract.lot_id")
    awarded: Decimal = Field(sa_type=MONEY)
    agreed: Decimal = Field(sa_type=MONEY)
    settled: Decimal = Field(sa_type=MONEY)
    auditor: str
    document: str
    completed_on: date
    audited_on: date
    words: str
    digest: bytes = Field(unique=True)
    statement: bytes
    settled_by: UUID = Field(foreign_key="kernel.person.id")
    settled_at: datetime = Field(sa_type=Instant)
    entry_id: UUID = Field(unique=True)
    cautions: list[dict[str, Any]] = Field(default_factory=list, sa_type=JSONB)


class OverdueDutyRow(Row, table=True):
    """A duty that was not done in its days, and when the alarm rang; it rings once."""

    __tablename__ = "overdue_duty"
    __table_args__ = (
        ForeignKeyConstraint(
            ["lot_id", "award_number"], ["trading.award.lot_id", "trading.award.number"]
        ),
        {"schema": "trading", "info": APPEND_ONLY},
    )
    lot_id: UUID = Field(primary_key=True)
    award_number: int = Field(primary_key=True)
    duty: str = Field(primary_key=True)
    due_at: datetime = Field(sa_type=Instant)
    alarmed_at: datetime = Field(sa_type=Instant)


class ReminderRow(Row, table=True):
    """People were reminded of a moment so long ahead; of one moment, each stage once.

    `subject_id` is the lot, or what of it falls due.
    """

    __tablename__ = "reminder"
    __table_args__ = ({"schema": "trading", "info": APPEND_ONLY},)
    subject_id: UUID = Field(primary_key=True)
    kind: str = Field(primary_key=True)
    due_at: datetime = Field(primary_key=True, sa_type=Instant)
    ahead_s: int = Field(primary_key=True)
    lot_id: UUID = Field(foreign_key="trading.lot.id", index=True)
    reminded_at: datetime = Field(sa_type=Instant)


class TenderFileRow(Row, table=True):
    """A lot's tender file while it is drafted: the document, and what is answered to findings.

    A lot has none until somebody first changes the standard text. `revision` counts the changes.
    What is published is the file of that name among the tender documents.
    """

    __tablename__ = "tender_file"
    __table_args__ = ({"schema": "trading"},)
    lot_id: UUID = Field(primary_key=True, foreign_key="trading.lot.id")
    document: dict[str, Any] = Field(default_factory=dict, sa_type=JSONB)
    answers: dict[str, str] = Field(default_factory=dict, sa_type=JSONB)
    revision: int = 1
    edited_by: UUID = Field(foreign_key="kernel.person.id")
    edited_at: datetime = Field(sa_type=Instant)


class DealCountRow(Row, table=True):
    """How many deals of a kind were given a code on a day: the last serial of each."""

    __tablename__ = "deal_count"
    __table_args__ = (CheckConstraint("last > 0", name="serials_from_one"), {"schema": "trading"})
    stem: str = Field(primary_key=True)
    last: int


# ── objections taken back, complaints, and lots that are tendered again ───────────────────────


class ObjectionWithdrawalRow(Row, table=True):
    """The signed withdrawal of an objection by whoever raised it."""

    __tablename__ = "objection_withdrawal"
    __table_args__ = ({"schema": "trading", "info": APPEND_ONLY},)
    objection_id: UUID = Field(primary_key=True, foreign_key="trading.objection.id")
    reason: str
    digest: bytes = Field(unique=True)
    statement: bytes
    withdrawn_by: UUID = Field(foreign_key="kernel.person.id")
    withdrawn_at: datetime = Field(sa_type=Instant)


class ComplaintRow(Row, table=True):
    """A signed complaint about a lot.

    `objection_id` is the objection that came first, one to the documents or the result, or one that
    was raised on the spot; `known_on` the day from which its days count.
    """

    __tablename__ = "complaint"
    __table_args__ = (
        Index(None, "lot_id"),
        {"schema": "trading", "info": APPEND_ONLY},
    )
    id: UUID = Field(primary_key=True)
    lot_id: UUID = Field(foreign_key="trading.lot.id")
    about: str
    complainant_id: UUID = Field(foreign_key="kernel.organisation.id", index=True)
    person_id: UUID = Field(foreign_key="kernel.person.id")
    objection_id: UUID | None = None
    known_on: date
    request: str
    grounds: str
    evidence: list[dict[str, str]] = Field(sa_type=JSONB)
    interest: str
    contact: str
    cautions: list[dict[str, Any]] = Field(sa_type=JSONB)
    digest: bytes = Field(unique=True)
    statement: bytes
    filed_at: datetime = Field(sa_type=Instant)
    acceptance_due_at: datetime = Field(sa_type=Instant)


class ComplaintAnswerRow(Row, table=True):
    """Whether a supervisor took a complaint up, why not, and by when it is then decided."""

    __tablename__ = "complaint_answer"
    __table_args__ = ({"schema": "trading", "info": APPEND_ONLY},)
    complaint_id: UUID = Field(primary_key=True, foreign_key="trading.complaint.id")
    taken_up: bool
    reason: str
    digest: bytes = Field(unique=True)
    statement: bytes
    handler_id: UUID = Field(foreign_key="kernel.organisation.id")
    answered_by: UUID = Field(foreign_key="kernel.person.id")
    answered_at: datetime = Field(sa_type=Instant)
    late: bool
    decision_due_at: datetime | None = Field(default=None, sa_type=Instant)


class ComplaintBrakeRow(Row, table=True):
    """An order over a complaint that the lot stands still, or that it goes on.

    The highest number counts. `until` is when the law itself ends the suspension.
    """

    __tablename__ = "complaint_brake"
    __table_args__ = (
        CheckConstraint("number > 0", name="numbered_from_one"),
        {"schema": "trading", "info": APPEND_ONLY},
    )
    complaint_id: UUID = Field(primary_key=True, foreign_key="trading.complaint.id")
    number: int = Field(primary_key=True)
    suspended: bool
    reason: str
    digest: bytes = Field(unique=True)
    statement: bytes
    ordered_by: UUID = Field(foreign_key="kernel.person.id")
    ordered_at: datetime = Field(sa_type=Instant)
    until: datetime | None = Field(default=None, sa_type=Instant)


class LotHaltRow(Row, table=True):
    """A supervisor's order, or the centre's word on a fault, that halts a lot or lets it go on.

    `authority` and `document` name the order and stay empty where a fault is the ground.
    """

    __tablename__ = "lot_halt"
    __table_args__ = (
        UniqueConstraint("lot_id", "number"),
        CheckConstraint("number > 0", name="numbered_from_one"),
        {"schema": "trading", "info": APPEND_ONLY},
    )
    id: UUID = Field(primary_key=True)
    lot_id: UUID = Field(foreign_key="trading.lot.id")
    number: int
    ground: str
    suspended: bool
    authority: str
    document: str
    words: str
    party_id: UUID = Field(foreign_key="kernel.organisation.id")
    person_id: UUID = Field(foreign_key="kernel.person.id")
    digest: bytes = Field(unique=True)
    statement: bytes
    ordered_at: datetime = Field(sa_type=Instant)


class ComplaintDecisionRow(Row, table=True):
    """The signed decision on a complaint, what it did to the lot, and the notice that tells it."""

    __tablename__ = "complaint_decision"
    __table_args__ = ({"schema": "trading", "info": APPEND_ONLY},)
    complaint_id: UUID = Field(primary_key=True, foreign_key="trading.complaint.id")
    verdict: str
    facts: str
    basis: str
    evidence: str
    ordered: str
    remedy: str
    consequence: str
    notice_number: int
    digest: bytes = Field(unique=True)
    statement: bytes
    decided_by: UUID = Field(foreign_key="kernel.person.id")
    decided_at: datetime = Field(sa_type=Instant)
    late: bool
    cautions: list[dict[str, Any]] = Field(sa_type=JSONB)


class ComplaintWithdrawalRow(Row, table=True):
    """The signed withdrawal of a complaint by whoever filed it."""

    __tablename__ = "complaint_withdrawal"
    __table_args__ = ({"schema": "trading", "info": APPEND_ONLY},)
    complaint_id: UUID = Field(primary_key=True, foreign_key="trading.complaint.id")
    reason: str
    digest: bytes = Field(unique=True)
    statement: bytes
    withdrawn_by: UUID = Field(foreign_key="kernel.person.id")
    withdrawn_at: datetime = Field(sa_type=Instant)


class RetenderRow(Row, table=True):
    """A lot that tenders again what another one came to nothing over."""

    __tablename__ = "retender"
    __table_args__ = ({"schema": "trading", "info": APPEND_ONLY},)
    lot_id: UUID = Field(primary_key=True, foreign_key="trading.lot.id")
    replaces_id: UUID = Field(foreign_key="trading.lot.id", index=True)
    begun_at: datetime = Field(sa_type=Instant)


class LibraryEntryRow(Row, table=True):
    """A licence or a performance that an organisation entered once, to be used again and again.

    What was said stands in `statement`, as it was signed; the other members repeat it. Once it is
    erased all of that is empty and the file is gone; the digest stays, so that what was said about
    the entry still hangs together.
    """

    __tablename__ = "library_entry"
    __table_args__ = (
        Index(None, "party_id"),
        Index(None, "kind", "number_key"),
        Index(None, "ends_on"),
        {"schema": "trading", "info": {"secret": True}},
    )
    id: UUID = Field(primary_key=True)
    party_id: UUID = Field(foreign_key="kernel.organisation.id")
    kind: str
    title: str
    number: str
    number_key: str
    issuer: str
    begins_on: date
    ends_on: date | None = None
    amount: Decimal | None = Field(default=None, sa_type=MONEY)
    file_name: str
    file_digest: bytes
    file_size: int
    media_type: str
    replaces: UUID | None = Field(default=None, foreign_key="trading.library_entry.id", index=True)
    digest: bytes = Field(unique=True)
    statement: bytes
    entered_by: UUID = Field(foreign_key="kernel.person.id")
    entered_at: datetime = Field(sa_type=Instant)
    erased_at: datetime | None = Field(default=None, sa_type=Instant)


class LibraryVerdictRow(Row, table=True):
    """The centre compared an entry with its papers: whether it holds, and on what basis."""

    __tablename__ = "library_verdict"
    __table_args__ = ({"schema": "trading", "info": APPEND_ONLY},)
    entry_id: UUID = Field(primary_key=True, foreign_key="trading.library_entry.id")
    holds: bool
    basis: str
    judged_by: UUID = Field(foreign_key="kernel.person.id")
    judged_at: datetime = Field(sa_type=Instant)


class LibraryWithdrawalRow(Row, table=True):
    """An organisation does not use an entry any more, and why."""

    __tablename__ = "library_withdrawal"
    __table_args__ = ({"schema": "trading", "info": APPEND_ONLY},)
    entry_id: UUID = Field(primary_key=True, foreign_key="trading.library_entry.id")
    reason: str
    withdrawn_by: UUID = Field(foreign_key="kernel.person.id")
    withdrawn_at: datetime = Field(sa_type=Instant)


class ExpiryAnnouncementRow(Row, table=True):
    """The holder of a licence was told that it ends within so many days."""

    __tablename__ = "expiry_announcement"
    __table_args__ = ({"schema": "trading", "info": APPEND_ONLY},)
    entry_id: UUID = Field(primary_key=True, foreign_key="trading.library_entry.id")
    days: int = Field(primary_key=True)
    announced_at: datetime = Field(sa_type=Instant)


class AuthorityLetterRow(Row, table=True):
    """A tenderee's letter of authorisation to an agency; of one project the newest counts.

    No lots: all of the project. Without a `last_day` it is good until it is ended.
    """

    __tablename__ = "authority_letter"
    __table_args__ = (
        UniqueConstraint("project_id", "number"),
        {"schema": "trading", "info": APPEND_ONLY},
    )
    digest: bytes = Field(primary_key=True)
    project_id: UUID = Field(foreign_key="trading.project.id")
    number: int
    agency_id: UUID = Field(foreign_key="kernel.organisation.id")
    lots: list[UUID] = Field(sa_type=ARRAY(PGUUID))
    acts: list[str] = Field(sa_type=ARRAY(TEXT))
    last_day: date | None = None
    statement: bytes
    signed_by: UUID = Field(foreign_key="kernel.person.id")
    signed_at: datetime = Field(sa_type=Instant)


class AuthorityEndRow(Row, table=True):
    """A tenderee ended an agency's authorisation before its time."""

    __tablename__ = "authority_end"
    __table_args__ = ({"schema": "trading", "info": APPEND_ONLY},)
    digest: bytes = Field(primary_key=True)
    letter: bytes = Field(foreign_key="trading.authority_letter.digest", unique=True)
    reason: str
    statement: bytes
    ended_by: UUID = Field(foreign_key="kernel.person.id")
    ended_at: datetime = Field(sa_type=Instant)


# ── bid securities ────────────────────────────────────────────────────────────────────────────


class SecurityAccountRow(Row, table=True):
    """The number under which one bidder pays its security for one lot; it says nothing of either.

    That there is a row tells that somebody means to bid, so nobody but that bidder is shown it
    before the lot is opened.
    """

    __tablename__ = "security_account"
    __table_args__ = (
        UniqueConstraint("lot_id", "bidder_id"),
        {"schema": "trading", "info": APPEND_ONLY},
    )
    id: UUID = Field(primary_key=True)
    lot_id: UUID = Field(foreign_key="trading.lot.id")
    bidder_id: UUID = Field(foreign_key="kernel.organisation.id")
    reference: str = Field(unique=True)
    given_to: UUID = Field(foreign_key="kernel.person.id")
    given_at: datetime = Field(sa_type=Instant)


class BankStatementRow(Row, table=True):
    """A bank's statement that was taken in, by the digest of its bytes."""

    __tablename__ = "bank_statement"
    __table_args__ = ({"schema": "trading", "info": APPEND_ONLY},)
    digest: bytes = Field(primary_key=True)
    line_count: int
    party_id: UUID = Field(foreign_key="kernel.organisation.id")
    taken_by: UUID = Field(foreign_key="kernel.person.id")
    taken_at: datetime = Field(sa_type=Instant)


class BankLineRow(Row, table=True):
    """One payment as the bank told it. Whose it is follows from its reference and stands nowhere
    else.
    """

    __tablename__ = "bank_line"
    __table_args__ = (
        Index(None, "reference"),
        CheckConstraint("amount > 0", name="something_paid"),
        {"schema": "trading", "info": APPEND_ONLY},
    )
    serial: str = Field(primary_key=True)
    statement_digest: bytes = Field(foreign_key="trading.bank_statement.digest")
    received_at: datetime = Field(sa_type=Instant)
    amount: Decimal = Field(sa_type=MONEY)
    reference: str
    taken_at: datetime = Field(sa_type=Instant)


class GuaranteeRow(Row, table=True):
    """A guarantee (保函) that its bidder signed for; `document` is the digest of the paper itself.

    The newest of an account counts.
    """

    __tablename__ = "guarantee"
    __table_args__ = (
        Index(None, "account_id"),
        {"schema": "trading", "info": APPEND_ONLY},
    )
    digest: bytes = Field(primary_key=True)
    account_id: UUID = Field(foreign_key="trading.security_account.id")
    form: str
    guarantor: str
    number: str
    amount: Decimal = Field(sa_type=MONEY)
    valid_until: date
    document: bytes
    statement: bytes
    filed_by: UUID = Field(foreign_key="kernel.person.id")
    filed_at: datetime = Field(sa_type=Instant)


class GuaranteeFileRow(Row, table=True):
    """The paper of a guarantee that a bidder sent and has not filed; filed or given up, it goes.

    Told to nobody, as little as an upload of a bid.
    """

    __tablename__ = "guarantee_file"
    __table_args__ = (Index(None, "sent_at"), Index(None, "digest"), {"schema": "trading"})
    lot_id: UUID = Field(primary_key=True, foreign_key="trading.lot.id")
    bidder_id: UUID = Field(primary_key=True, foreign_key="kernel.organisation.id")
    digest: bytes = Field(primary_key=True)
    size: int = Field(sa_type=BigInteger)
    sent_at: datetime = Field(sa_type=Instant)


class SecurityReturnRow(Row, table=True):
    """That a security went back: why, how much with what interest, and by when it was due.

    `serial` is the bank's number of the payment, or what shows that a guarantee was handed back.
    """

    __tablename__ = "security_return"
    __table_args__ = (
        Index(None, "account_id"),
        CheckConstraint("principal >= 0 AND interest >= 0", name="amounts_make_sense"),
        {"schema": "trading", "info": APPEND_ONLY},
    )
    id: UUID = Field(primary_key=True)
    account_id: UUID = Field(foreign_key="trading.security_account.id")
    cause: str
    principal: Decimal = Field(sa_type=MONEY)
    interest: Decimal = Field(sa_type=MONEY)
    annual_rate: Decimal = Field(sa_type=Numeric(7, 4))
    with_guarantee: bool
    serial: str
    due_at: datetime | None = Field(default=None, sa_type=Instant)
    late: bool
    returned_at: datetime = Field(sa_type=Instant)
    recorded_by: UUID = Field(foreign_key="kernel.person.id")
    recorded_at: datetime = Field(sa_type=Instant)


class SecurityForfeitureRow(Row, table=True):
    """The tenderee's signed decision to keep a security, on which ground and by which article."""

    __tablename__ = "security_forfeiture"
    __table_args__ = ({"schema": "trading", "info": APPEND_ONLY},)
    account_id: UUID = Field(primary_key=True, foreign_key="trading.security_account.id")
    ground: str
    article: str
    reason: str
    amount: Decimal = Field(sa_type=MONEY)
    digest: bytes = Field(unique=True)
    statement: bytes
    decided_by: UUID = Field(foreign_key="kernel.person.id")
    decided_at: datetime = Field(sa_type=Instant)


class SecurityAlarmRow(Row, table=True):
    """That securities of a lot did not go back by this moment, and when the alarm rang; once."""

    __tablename__ = "security_alarm"
    __table_args__ = ({"schema": "trading", "info": APPEND_ONLY},)
    lot_id: UUID = Field(primary_key=True, foreign_key="trading.lot.id")
    due_at: datetime = Field(primary_key=True, sa_type=Instant)
    alarmed_at: datetime = Field(sa_type=Instant)


# ── prequalification (资格预审) ───────────────────────────────────────────────────────────────


class PrequalificationRow(Row, table=True):
    """A call for applications; `round` counts them where too few passed and it is held again.

    `digest` is the SHA-256 of the signed notice's payload, which every application names as its
    policy. `documents` and `conditions` repeat what the notice says.
    """

    __tablename__ = "prequalification"
    __table_args__ = (
        CheckConstraint("round > 0", name="numbered_from_one"),
        CheckConstraint("applications_due_at < window_until", name="window_after_deadline"),
        {"schema": "trading", "info": APPEND_ONLY},
    )
    lot_id: UUID = Field(primary_key=True, foreign_key="trading.lot.id")
    round: int = Field(primary_key=True)
    digest: bytes = Field(unique=True)
    statement: bytes
    name: str
    documents: list[dict[str, Any]] = Field(sa_type=JSONB)
    conditions: list[dict[str, Any]] = Field(sa_type=JSONB)
    published_at: datetime = Field(sa_type=Instant)
    documents_until: datetime = Field(sa_type=Instant)
    applications_due_at: datetime = Field(sa_type=Instant)
    window_until: datetime = Field(sa_type=Instant)


class PrequalificationAddendumRow(Row, table=True):
    """A signed change or clarification of a round's documents, and the times in force after it.

    `documents` are the files that it adds; none is ever replaced.
    """

    __tablename__ = "prequalification_addendum"
    __table_args__ = (
        ForeignKeyConstraint(
            ["lot_id", "round"],
            ["trading.prequalification.lot_id", "trading.prequalification.round"],
        ),
        CheckConstraint("number > 0", name="numbered_from_one"),
        CheckConstraint("applications_due_at < window_until", name="window_after_deadline"),
        {"schema": "trading", "info": APPEND_ONLY},
    )
    lot_id: UUID = Field(primary_key=True)
    round: int = Field(primary_key=True)
    number: int = Field(primary_key=True)
    digest: bytes = Field(unique=True)
    statement: bytes
    title: str
    text: str
    may_affect: bool
    documents: list[dict[str, Any]] = Field(sa_type=JSONB)
    applications_due_at: datetime = Field(sa_type=Instant)
    window_until: datetime = Field(sa_type=Instant)
    published_by: UUID = Field(foreign_key="kernel.person.id")
    published_at: datetime = Field(sa_type=Instant)


class ApplicationRow(Row, table=True):
    """A sealed application as it was taken in; one without a payload withdraws. The last counts.

    Its payload lies in the sealed drawer, part by part.
    """

    __tablename__ = "application"
    __table_args__ = (
        UniqueConstraint("lot_id", "round", "applicant_id", "seq"),
        CheckConstraint("seq > 0", name="numbered_from_one"),
        ForeignKeyConstraint(
            ["lot_id", "round"],
            ["trading.prequalification.lot_id", "trading.prequalification.round"],
        ),
        {"schema": "trading", "info": APPEND_ONLY},
    )
    id: UUID = Field(primary_key=True)
    lot_id: UUID
    round: int
    applicant_id: UUID = Field(foreign_key="kernel.organisation.id")
    person_id: UUID = Field(foreign_key="kernel.person.id")
    seq: int
    withdrawn: bool
    upload_id: UUID | None = Field(default=None, foreign_key="trading.upload.id", index=True)
    head: bytes
    header: bytes
    payload_root: bytes
    payload_size: int = Field(sa_type=BigInteger)
    payload_sha256: bytes
    parts: list[bytes] = Field(sa_type=ARRAY(LargeBinary))
    digest: bytes = Field(unique=True)
    statement: bytes
    received_at: datetime = Field(sa_type=Instant)
    entry_id: UUID = Field(unique=True)


class ApplicationReleaseRow(Row, table=True):
    """An applicant's secret of its application, released inside the window."""

    __tablename__ = "application_release"
    __table_args__ = ({"schema": "trading", "info": APPEND_ONLY},)
    application_id: UUID = Field(primary_key=True, foreign_key="trading.application.id")
    secret: bytes
    statement: bytes
    released_at: datetime = Field(sa_type=Instant)


class PrequalificationReviewRow(Row, table=True):
    """The signed review of the applications, and whether enough of them passed.

    `by_committee` says that the `statement` is no statement of the tenderee's but the report that
    the members of a review committee signed.
    """

    __tablename__ = "prequalification_review"
    __table_args__ = (
        ForeignKeyConstraint(
            ["lot_id", "round"],
            ["trading.prequalification.lot_id", "trading.prequalification.round"],
        ),
        {"schema": "trading", "info": APPEND_ONLY},
    )
    lot_id: UUID = Field(primary_key=True)
    round: int = Field(primary_key=True)
    enough: bool
    by_committee: bool = False
    digest: bytes = Field(unique=True)
    statement: bytes
    reviewed_by: UUID = Field(foreign_key="kernel.person.id")
    reviewed_at: datetime = Field(sa_type=Instant)


class QualificationRow(Row, table=True):
    """How one applicant's application was judged, with the reasons it is told.

    `members` are the organisations of a consortium, the leading one first; alone it is the
    applicant itself.
    """

    __tablename__ = "qualification"
    __table_args__ = (
        ForeignKeyConstraint(
            ["lot_id", "round"],
            ["trading.prequalification.lot_id", "trading.prequalification.round"],
        ),
        {"schema": "trading", "info": APPEND_ONLY},
    )
    lot_id: UUID = Field(primary_key=True)
    round: int = Field(primary_key=True)
    applicant_id: UUID = Field(primary_key=True, foreign_key="kernel.organisation.id")
    application_id: UUID = Field(foreign_key="trading.application.id", unique=True)
    passed: bool
    reasons: list[dict[str, Any]] = Field(sa_type=JSONB)
    members: list[str] = Field(sa_type=JSONB)


_CHECK_APPLICATION = """
CREATE FUNCTION trading.check_application() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NOT EXISTS (SELECT 1 FROM trading.prequalification p WHERE p.lot_id = NEW.lot_id
                 AND p.round = NEW.round AND NEW.received_at < coalesce(
                   (SELECT a.applications_due_at FROM trading.prequalification_addendum a
                    WHERE a.lot_id = p.lot_id AND a.round = p.round
                    ORDER BY a.number DESC LIMIT 1), p.applications_due_at)) THEN
    RAISE EXCEPTION 'no application is taken in at %', NEW.received_at
      USING ERRCODE = 'restrict_violation';
  END IF;
  RETURN NEW;
END $$
"""

EXTRA_STATEMENTS.extend(
    [
        _CHECK_APPLICATION,
        "CREATE TRIGGER in_time BEFORE INSERT ON trading.application"
        " FOR EACH ROW EXECUTE FUNCTION trading.check_application()",
    ]
)


class LegalHoldRow(Row, table=True):
    """A supervisor ordered that nothing of a lot be erased, whatever term has run out."""

    __tablename__ = "legal_hold"
    __table_args__ = (Index(None, "lot_id"), {"schema": "trading", "info": APPEND_ONLY})
    id: UUID = Field(primary_key=True)
    lot_id: UUID = Field(foreign_key="trading.lot.id")
    authority: str
    document: str
    reason: str
    digest: bytes = Field(unique=True)
    statement: bytes
    set_by: UUID = Field(foreign_key="kernel.person.id")
    set_at: datetime = Field(sa_type=Instant)


class LegalHoldEndRow(Row, table=True):
    """A legal hold was lifted, and why."""

    __tablename__ = "legal_hold_end"
    __table_args__ = ({"schema": "trading", "info": APPEND_ONLY},)
    hold_id: UUID = Field(primary_key=True, foreign_key="trading.legal_hold.id")
    reason: str
    digest: bytes = Field(unique=True)
    statement: bytes
    lifted_by: UUID = Field(foreign_key="kernel.person.id")
    lifted_at: datetime = Field(sa_type=Instant)


class ValidityRequestRow(Row, table=True):
    """A signed request to all who bid to stay bound longer; the days count from the deadline."""

    __tablename__ = "validity_request"
    __table_args__ = (
        CheckConstraint("number > 0", name="numbered_from_one"),
        {"schema": "trading", "info": APPEND_ONLY},
    )
    lot_id: UUID = Field(primary_key=True, foreign_key="trading.lot.id")
    number: int = Field(primary_key=True)
    validity_days: int
    answer_by: datetime = Field(sa_type=Instant)
    reason: str
    digest: bytes = Field(unique=True)
    statement: bytes
    asked_by: UUID = Field(foreign_key="kernel.person.id")
    asked_at: datetime = Field(sa_type=Instant)
    cautions: list[dict[str, Any]] = Field(default_factory=list, sa_type=JSONB)


class ValidityAnswerRow(Row, table=True):
    """One bidder's signed yes or no to such a request; it has no room for anything else."""

    __tablename__ = "validity_answer"
    __table_args__ = ({"schema": "trading", "info": APPEND_ONLY},)
    lot_id: UUID = Field(primary_key=True, foreign_key="trading.lot.id")
    number: int = Field(primary_key=True)
    bidder_id: UUID = Field(primary_key=True, foreign_key="kernel.organisation.id")
    agreed: bool
    digest: bytes = Field(unique=True)
    statement: bytes
    answered_by: UUID = Field(foreign_key="kernel.person.id")
    answered_at: datetime = Field(sa_type=Instant)


class TalkRow(Row, table=True):
    """What a negotiating group put to one supplier, in which of its turns."""

    __tablename__ = "talk"
    __table_args__ = (
        UniqueConstraint("lot_id", "bidder_id", "turn"),
        CheckConstraint("turn > 0", name="turns_from_one"),
        {"schema": "trading", "info": APPEND_ONLY},
    )
    id: UUID = Field(primary_key=True)
    lot_id: UUID = Field(foreign_key="trading.lot.id")
    bidder_id: UUID = Field(foreign_key="kernel.organisation.id")
    turn: int
    words: str
    held_by: UUID = Field(foreign_key="kernel.person.id")
    held_at: datetime = Field(sa_type=Instant)


class TalkAnswerRow(Row, table=True):
    """What the supplier signed in reply, with the files of its response to a changed demand."""

    __tablename__ = "talk_answer"
    __table_args__ = ({"schema": "trading", "info": APPEND_ONLY},)
    talk_id: UUID = Field(primary_key=True, foreign_key="trading.talk.id")
    words: str
    files: list[dict[str, str]] = Field(
        default_factory=list, sa_type=JSONB, sa_column_kwargs={"server_default": "[]"}
    )
    digest: bytes = Field(unique=True)
    statement: bytes
    answered_by: UUID = Field(foreign_key="kernel.person.id")
    answered_at: datetime = Field(sa_type=Instant)


class DemandChangeRow(Row, table=True):
    """A change of the demand that the purchaser's representative confirmed and all were told."""

    __tablename__ = "demand_change"
    __table_args__ = (
        CheckConstraint("number > 0", name="numbered_from_one"),
        {"schema": "trading", "info": APPEND_ONLY},
    )
    lot_id: UUID = Field(primary_key=True, foreign_key="trading.lot.id")
    number: int = Field(primary_key=True)
    words: str
    confirmed_by: UUID = Field(foreign_key="kernel.person.id")
    confirmed_at: datetime = Field(sa_type=Instant)


class TalkLeaveRow(Row, table=True):
    """A supplier signed that it leaves the talks before its last price."""

    __tablename__ = "talk_leave"
    __table_args__ = ({"schema": "trading", "info": APPEND_ONLY},)
    lot_id: UUID = Field(primary_key=True, foreign_key="trading.lot.id")
    bidder_id: UUID = Field(primary_key=True, foreign_key="kernel.organisation.id")
    digest: bytes = Field(unique=True)
    statement: bytes
    left_at: datetime = Field(sa_type=Instant)


class LastPriceCallRow(Row, table=True):
    """Last prices were asked for, once in a lot: of whom, by when, and until when to open them."""

    __tablename__ = "last_price_call"
    __table_args__ = (
        CheckConstraint("called_at < due_at AND due_at < window_until", name="in_order"),
        {"schema": "trading", "info": APPEND_ONLY},
    )
    lot_id: UUID = Field(primary_key=True, foreign_key="trading.lot.id")
    asked: list[str] = Field(sa_type=JSONB)
    due_at: datetime = Field(sa_type=Instant)
    window_until: datetime = Field(sa_type=Instant)
    called_by: UUID = Field(foreign_key="kernel.person.id")
    called_at: datetime = Field(sa_type=Instant)
    cautions: list[dict[str, Any]] = Field(default_factory=list, sa_type=JSONB)
    entry_id: UUID = Field(unique=True)


class LastPriceRow(Row, table=True):
    """A supplier's signed commitment to its last price; until the deadline a newer one counts."""

    __tablename__ = "last_price"
    __table_args__ = (
        CheckConstraint("seq > 0", name="numbered_from_one"),
        {"schema": "trading", "info": APPEND_ONLY},
    )
    lot_id: UUID = Field(primary_key=True, foreign_key="trading.last_price_call.lot_id")
    bidder_id: UUID = Field(primary_key=True, foreign_key="kernel.organisation.id")
    seq: int = Field(primary_key=True)
    commitment: bytes
    digest: bytes = Field(unique=True)
    statement: bytes
    keyid: str
    public_key: bytes
    handed_in_at: datetime = Field(sa_type=Instant)
    entry_id: UUID = Field(unique=True)


class LastPriceOpeningRow(Row, table=True):
    """A supplier opened its last price after the deadline."""

    __tablename__ = "last_price_opening"
    __table_args__ = (
        CheckConstraint("price > 0", name="more_than_nothing"),
        {"schema": "trading", "info": APPEND_ONLY},
    )
    lot_id: UUID = Field(primary_key=True, foreign_key="trading.last_price_call.lot_id")
    bidder_id: UUID = Field(primary_key=True, foreign_key="kernel.organisation.id")
    seq: int
    price: Decimal = Field(sa_type=MONEY)
    salt: bytes
    digest: bytes = Field(unique=True)
    statement: bytes
    keyid: str
    public_key: bytes
    opened_at: datetime = Field(sa_type=Instant)


class ErasureRequestRow(Row, table=True):
    """That a person asked to be forgotten, and what was answered; no words stay once he is."""

    __tablename__ = "erasure_request"
    __table_args__ = (
        Index(None, "person_id"),
        {"schema": "trading"},
    )
    id: UUID = Field(primary_key=True)
    person_id: UUID = Field(foreign_key="kernel.person.id")
    words: str = ""
    asked_at: datetime = Field(sa_type=Instant)
    answer: str = ""
    decided_at: datetime | None = Field(default=None, sa_type=Instant)
    decided_by: UUID | None = Field(default=None, foreign_key="kernel.person.id")
