"""A bidder submits, replaces or withdraws a sealed bid, and gets a receipt.

It happens in two steps, so that nothing the platform does afterwards can make a bid late. First the
submission is *received*: the instant of its last byte is compared with the deadline and, while the
lot is held still, written down as an intent. Then it is *judged*: whether it is sealed as the
policy asks, whole, and from somebody who may bid. No clock is read but that once; judging may end
after the deadline. The closing first stops new intents, then waits until those it cut are judged.

The platform keeps ciphertext only. It cannot read a bid before the opening, and neither can anyone
who takes the database.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, TypeVar
from uuid import UUID

import structlog
from sqlalchemy import exists, or_, select, text
from sqlalchemy.dialects.postgresql import distinct_on, insert
from sqlalchemy.exc import DBAPIError
from sqlmodel import col

from blacklist.standing import BarredAct, standing_of, standing_refusals
from kernel import statute
from kernel.access import Actor, Role, by
from kernel.crypto import sealing
from kernel.crypto.digests import (
    Malformed,
    count_of,
    list_of,
    members,
    parse_instant,
    sha256,
    strict_json,
    text_of,
    unb64u,
)
from kernel.errors import NotFound, Refused
from kernel.failpoints import failpoint
from kernel.identifiers import EntryId, PartyId, PersonId
from kernel.randomness import random_bytes, random_id
from kernel.refusals import Caution, Refusal
from kernel.statute import E_BIDDING_MEASURES, Article, Instrument
from kernel.store.database import lock_exclusive
from kernel.store.parties import organisation, read_statement, take_part, verified_statement
from kernel.store.tables import JournalRow, PlatformRow
from kernel.store.transaction import NotDurable, Store, Transaction, transaction
from kernel.store.transparency_log import receipt_of
from kernel.working_days import beijing_day
from trading import lots, uploading
from trading.events import (
    BidRefused,
    BidSubmitted,
    BidWithdrawn,
    SubmissionFailedByPlatform,
)
from trading.reception import Reception
from trading.rules.bid_admission import (
    BidArrival,
    WithdrawalArrival,
    admission_cautions,
    admission_refusals,
    closed_too_early,
    withdrawal_refusals,
)
from trading.rules.lot_lifecycle import LotState
from trading.rules.opening_policy import policy_keys
from trading.rules.procedures import Procedure, Switches, switches_of
from trading.tables import (
    BidEnvelopeRow,
    BidRow,
    IntentRow,
    JudgementRow,
    LotRow,
    OpeningPolicyRow,
    ProjectRow,
    UploadPartRow,
    UploadWholeRow,
)

log = structlog.get_logger()

Result = TypeVar("Result")

PLATFORM_BUILD: Final = "sunbid 0.1.0"
ENVELOPES_MAX: Final = 4
KEY_MAX: Final = 128

INTAKE_BOUND_S: Final = 1.2
"""How long the transaction that writes an intent may work before it is given up."""

TRIES: Final = 3
TRANSIENT: Final = frozenset({"40001", "40P01", "55P03", "57014"})
"""SQLSTATEs after which the same may simply be tried again: serialization, deadlock, lock, time."""

OPERATORS: Final = frozenset({Role.CENTRE_STAFF, Role.SITE_ADMINISTRATOR})

FAULT_WORDS: Final = {
    "wrong_magic": "不是加密的投标文件，请先用投标加密工具加密",
    "truncated_header": "加密文件头不完整",
    "header_too_large": "加密文件头过大",
    "wrong_meta": "加密文件头内容不符合格式",
    "wrong_keys": "加密文件头内容不符合格式",
    "malformed": "加密文件头内容不符合格式",
    "wrong_envelope": "加密文件的类别与所递交的不一致",
    "wrong_policy_hash": "加密所依据的开标规则不是本标段现行的开标规则",
    "wrong_components": "密钥组成与开标规则不一致",
    "bidder_key_missing": "未加密给投标人自己的密钥",
    "escrow_not_allowed": "开标规则不允许托管份额",
    "kid_not_in_policy": "加密给了开标规则以外的密钥保管人",
    "threshold_mismatch": "密钥份额与开标规则的保管人或者门槛不一致",
    "implausible_size": "加密内容的大小不符合格式",
    "wrong_payload": "所传内容与递交声明中的摘要或者大小不一致",
    "wrong_policy": "递交声明所依据的开标规则不是本标段现行的开标规则",
    "wrong_envelopes": "递交的文件类别与开标规则要求的不一致",
}


class Outcome(StrEnum):
    """What became of a submission."""

    ACCEPTED = "accepted"
    WITHDRAWN = "withdrawn"
    REFUSED = "refused"
    FAILED_BY_PLATFORM = "failed_by_platform"


@dataclass(frozen=True, slots=True)
class Envelope:
    """One envelope as a submission names it."""

    kind: str
    head: bytes
    payload_size: int
    payload_root: bytes


@dataclass(frozen=True, slots=True)
class Submission:
    """What a bidder signed: which envelopes make up its bid now, or none to withdraw it.

    `replaces` is the digest of the submission before, None for the first.
    """

    project_id: str
    lot_id: str
    bidder_id: str
    seq: int
    policy: bytes
    envelopes: tuple[Envelope, ...]
    replaces: bytes | None

    @property
    def withdraws(self) -> bool:
        """Whether it takes the bid back."""
        return not self.envelopes


@dataclass(frozen=True, slots=True)
class Judgement:
    """What became of an intent, and the journal's entry that says so."""

    intent_id: UUID
    outcome: Outcome
    entry_id: EntryId
    refusals: tuple[Refusal, ...] = ()
    cautions: tuple[dict[str, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """What a bidder is told: when the submission came, and the receipt where it is there already.

    Without a judgement or a receipt the answer is a promise that they will come.
    """

    intent_id: UUID
    submission: bytes
    received_at: datetime
    judgement: Judgement | None
    receipt: str | None


@dataclass(frozen=True, slots=True)
class OwnBid:
    """One of the acting bidder's own accepted submissions."""

    seq: int
    withdrawn: bool
    received_at: datetime
    entry_id: EntryId
    submission: bytes
    envelopes: tuple[tuple[str, int], ...]
    receipt: str | None
    witnessed: bool


# ── submitting ────────────────────────────────────────────────────────────────────────────────


async def submit(
    store: Store,
    reception: Reception,
    actor: Actor,
    lot_id: UUID,
    raw: bytes,
    *,
    key: str,
    received_at: datetime,
) -> Answer:
    """Receive a submission, judge it, and wait a moment for its receipt.

    The same key, or the same signed bytes, give the same receipt however often they are sent.
    `Refused` with every ground where the bid is turned away, `NotDurable` where nothing may be
    promised.
    """
    await failpoint("submit.arrived")
    try:
        intent_id = await _tried_again(
            lambda: _received(
                reception.intake, actor, lot_id, raw, key=key, received_at=received_at
            )
        )
    except TimeoutError:
        raise NotDurable("the submission could not be written down in time") from None
    await failpoint("submit.received")
    return await answer_of(store, reception, intent_id)


async def answer_of(store: Store, reception: Reception, intent_id: UUID) -> Answer:
    """What became of an intent, judged now if nobody has; its receipt if that comes in time."""
    judgement: Judgement | None = None
    try:
        judgement = await _tried_again(lambda: judge_intent(store, intent_id))
    except (DBAPIError, OSError) as fault:
        # The intent is written: whoever asks again, or the closing, will have it judged.
        log.warning("an intent was not judged at once", intent=str(intent_id), error=str(fault))
    await failpoint("submit.judged")
    receipt = None
    if judgement is not None:
        if judgement.refusals:
            raise Refused(judgement.refusals)
        receipt = await reception.receipts.wait(judgement.entry_id, patience_s=reception.patience_s)
    async with store.sessions() as session:
        intent = await session.get_one(IntentRow, intent_id)
    return Answer(intent_id, intent.statement_digest, intent.received_at, judgement, receipt)


async def judge_intent(store: Store, intent_id: UUID) -> Judgement:
    """Judge an intent once; whoever comes second is given the first's judgement."""
    async with store.sessions() as session:
        intent = await session.get_one(IntentRow, intent_id)
        known = await session.get(JudgementRow, intent_id)
    if known is not None:
        return _judgement(known)
    actor = Actor(
        Role.BIDDER,
        PersonId(intent.person_id),
        PartyId(intent.bidder_id),
        address=intent.address,
    )
    await _read_through(store, actor, intent)
    await failpoint("judge.read_through")
    async with transaction(store, actor=actor, now=intent.received_at) as tx:
        await tx.session.execute(text("SET LOCAL lock_timeout = '5s'"))
        await tx.session.execute(text("SET LOCAL statement_timeout = '10s'"))
        return await judge(tx, intent_id)


async def _received(
    intake: Store, actor: Actor, lot_id: UUID, raw: bytes, *, key: str, received_at: datetime
) -> UUID:
    async with transaction(intake, actor=actor, now=received_at) as tx, _bounded(tx):
        return await receive(tx, lot_id, raw, key=key)


@asynccontextmanager
async def _bounded(tx: Transaction) -> AsyncIterator[None]:
    """Give the intake up when it takes too long, but for waiting to begin and for the commit.

    The closing starts two seconds after the deadline: what was received before it is then written
    or will never be.
    """
    connection = await tx.session.connection()
    async with asyncio.timeout(INTAKE_BOUND_S):
        for name, bound in (
            ("lock_timeout", "600ms"),
            ("statement_timeout", "800ms"),
            ("idle_in_transaction_session_timeout", "1s"),
        ):
            await connection.execute(text(f"SET LOCAL {name} = '{bound}'"))
        yield


async def _tried_again(act: Callable[[], Awaitable[Result]]) -> Result:
    """The act's result; what failed only because others were in the way is tried again."""
    for _ in range(TRIES - 1):
        try:
            return await act()
        except DBAPIError as fault:
            if getattr(fault.orig, "sqlstate", None) not in TRANSIENT:
                raise
        except TimeoutError:
            continue
    return await act()


# ── receiving ─────────────────────────────────────────────────────────────────────────────────


@by(Role.BIDDER)
async def receive(tx: Transaction, lot_id: UUID, raw: bytes, *, key: str) -> UUID:
    """Write down that a submission arrived in time, with the instant of its last byte; its id.

    `tx.now` is that instant. `Malformed` or `BrokenSeal` where the bytes are no submission of this
    person's; `Refused`, on record, where they came too late.
    """
    known = await _known(tx, key, raw)
    if known is not None:
        return known
    statement = await verified_statement(tx, raw, "submission")
    submission = submission_in(statement.payload)
    if submission.lot_id != str(lot_id):
        raise Malformed("the submission is for another lot", code="wrong_lot")
    if submission.bidder_id != str(tx.actor.party):
        raise Malformed("the submission is another bidder's", code="wrong_bidder")
    lot, regime = await _published(tx, lot_id)

    arrival = _arrival(tx, lot, submission)
    if closed_too_early(arrival):
        raise Refused([_failed_by_platform(tx, lot, statement.digest)])
    refusals = _at_the_door(arrival, submission, regime)
    if refusals:
        told = await _with_byte_counts(tx, lot_id, submission, raw, refusals)
        tx.record_attempt(_refused(tx.now, lot, tx.actor.party, statement.digest, raw, told))
        raise Refused(told)

    await failpoint("receive.judged")
    intent_id = await tx.session.scalar(
        insert(IntentRow)
        .values(
            id=random_id(),
            lot_id=lot_id,
            bidder_id=tx.actor.party,
            person_id=tx.actor.person,
            key=key,
            address=tx.actor.address,
            statement_digest=statement.digest,
            statement=raw,
            nonce=random_bytes(32),
            received_at=tx.now,
        )
        .on_conflict_do_nothing()
        .returning(col(IntentRow.id))
    )
    await failpoint("receive.written")
    if intent_id is None:
        # Another request with this key was a moment faster, and is committed by now.
        intent_id = await _known(tx, key, raw)
        assert intent_id is not None
    return intent_id


async def _known(tx: Transaction, key: str, raw: bytes) -> UUID | None:
    """The intent these bytes, or this key, became before; `Malformed` for a key used otherwise."""
    digest = sha256(raw)
    before = (
        await tx.session.execute(
            select(col(IntentRow.id), col(IntentRow.statement_digest)).where(
                col(IntentRow.bidder_id) == tx.actor.party, col(IntentRow.key) == key
            )
        )
    ).first()
    if before is not None:
        if before[1] != digest:
            raise Malformed("this key belongs to another submission", code="key_reused")
        return UUID(str(before[0]))
    taken_in = col(JudgementRow.outcome).in_([Outcome.ACCEPTED, Outcome.WITHDRAWN])
    return await tx.session.scalar(
        select(col(IntentRow.id))
        .outerjoin(JudgementRow, col(JudgementRow.intent_id) == col(IntentRow.id))
        .where(
            col(IntentRow.bidder_id) == tx.actor.party,
            col(IntentRow.statement_digest) == digest,
            or_(taken_in, col(JudgementRow.intent_id).is_(None)),
        )
        .order_by(col(IntentRow.received_at))
        .limit(1)
    )


async def _published(tx: Transaction, lot_id: UUID) -> tuple[LotRow, statute.Regime]:
    lot = await lots.hold(tx, lot_id)
    if lot.published_at is None or lot.bids_due_at is None:
        raise NotFound("no such lot")
    project = await tx.session.get_one(ProjectRow, lot.project_id)
    return lot, _switches(project, lot).regime


def _at_the_door(
    arrival: BidArrival, submission: Submission, regime: statute.Regime
) -> list[Refusal]:
    """What can be said against a submission before anything of it is looked at.

    It is late, or the lot takes nothing now; whatever else there is comes when it is judged.
    """
    if submission.withdraws:
        return withdrawal_refusals(
            WithdrawalArrival(
                received_at=arrival.received_at,
                lot_state=arrival.lot_state,
                bids_due_at=arrival.bids_due_at,
                sequence=submission.seq,
                last_sequence=0,
                has_standing_bid=True,
            )
        )
    return admission_refusals(arrival, regime=regime)


async def _with_byte_counts(
    tx: Transaction, lot_id: UUID, submission: Submission, raw: bytes, refusals: Sequence[Refusal]
) -> list[Refusal]:
    """The refusals, each with how many bytes of the bid had come by then."""
    arrived = 0
    for envelope in submission.envelopes:
        found = await uploading.uploads_of(tx, lot_id, tx.actor.party, envelope.head)
        for upload, header in found[:1]:
            sizes = await tx.session.scalars(
                select(col(UploadPartRow.size)).where(
                    col(UploadPartRow.lot_id) == lot_id,
                    col(UploadPartRow.bidder_id) == tx.actor.party,
                    col(UploadPartRow.digest).in_(upload.part_digests),
                )
            )
            arrived += len(header.header) + sum(sizes)
    counts = {
        "statement_bytes": str(len(raw)),
        "envelope_bytes_received": str(arrived),
        "payload_bytes_announced": str(sum(one.payload_size for one in submission.envelopes)),
    }
    return [replace(one, facts={**one.facts, **counts}) for one in refusals]


def _failed_by_platform(tx: Transaction, lot: LotRow, digest: bytes) -> Refusal:
    tx.record_attempt(
        platform_failure(lot, tx.actor.party, digest, tx.now, "截标先于本次递交的登记开始")
    )
    return failure_refusal(tx.now, lot)


def platform_failure(
    lot: LotRow, bidder_id: UUID, digest: bytes, received_at: datetime, reason: str
) -> SubmissionFailedByPlatform:
    """The evidence that a submission in time was not taken in, and that it was our fault."""
    assert lot.bids_due_at is not None
    return SubmissionFailedByPlatform(
        lot.id,
        addressee_id=bidder_id,
        submission=digest,
        received_at=received_at,
        deadline=lot.bids_due_at,
        lot_state=lot.state,
        reason=reason,
    )


def failure_refusal(received_at: datetime, lot: LotRow) -> Refusal:
    """What a bidder is told whose submission the platform failed."""
    return Refusal(
        "platform_failure",
        E_BIDDING_MEASURES[31],
        "投标文件在截止时间前送达，但因平台原因未能受理；已记录为平台责任，并作为凭证保存",
        {
            "received_at": received_at.isoformat(),
            "bids_due_at": "" if lot.bids_due_at is None else lot.bids_due_at.isoformat(),
        },
    )


# ── judging ───────────────────────────────────────────────────────────────────────────────────


@dataclass(slots=True)
class _Inspected:
    """What was found out about a submission's envelopes without opening any."""

    bid_id: UUID = field(default_factory=random_id)
    rows: list[BidEnvelopeRow] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)


@by(Role.BIDDER)
async def judge(tx: Transaction, intent_id: UUID) -> Judgement:
    """Take in what an intent names, or turn it away with every ground; once for each intent.

    A refusal is an outcome like any other: it is written down, and the same key is given it again.
    """
    intent = await tx.session.get_one(IntentRow, intent_id)
    lot = await lots.hold(tx, intent.lot_id)
    await lock_exclusive(tx.session, uploading.bidder_lock(intent.lot_id, intent.bidder_id))
    await failpoint("judge.locked")
    known = await tx.session.get(JudgementRow, intent_id)
    if known is not None:
        return _judgement(known)
    same = await tx.session.scalar(
        select(BidRow).where(col(BidRow.statement_digest) == intent.statement_digest)
    )
    if same is not None:
        outcome = Outcome.WITHDRAWN if same.withdrawn else Outcome.ACCEPTED
        return _keep_judgement(tx, Judgement(intent_id, outcome, EntryId(same.entry_id)))
    submission = submission_in(read_statement(intent.statement, "submission")[1])
    last = await _last_bid(tx, lot.id, intent.bidder_id)

    if submission.withdraws:
        inspected, cautions = _Inspected(), list[Caution]()
        refusals = _withdrawal_grounds(tx, lot, submission, last)
    else:
        inspected = await _inspected(tx, lot, submission)
        arrival = await _whole_arrival(tx, lot, submission, last, inspected)
        refusals = await _grounds(tx, lot, arrival)
        cautions = admission_cautions(arrival)
    refusals += _replacement_grounds(submission, last)
    if not refusals:
        try:
            await take_part(tx, lot.id)
        except Refused as conflict:
            refusals += conflict.refusals
    if refusals:
        entry_id = tx.record(
            _refused(
                tx.now,
                lot,
                intent.bidder_id,
                intent.statement_digest,
                intent.statement,
                refusals,
            )
        )
        return _keep_judgement(tx, Judgement(intent_id, Outcome.REFUSED, entry_id, tuple(refusals)))

    event = await _taken_in(tx, lot, intent, submission, last, inspected)
    entry_id = tx.record(event)
    bid = BidRow(
        id=inspected.bid_id,
        lot_id=lot.id,
        bidder_id=intent.bidder_id,
        seq=submission.seq,
        withdrawn=submission.withdraws,
        statement_digest=intent.statement_digest,
        policy_digest=submission.policy,
        received_at=intent.received_at,
        entry_id=entry_id,
    )
    tx.session.add(bid)
    await tx.session.flush()
    tx.session.add_all(inspected.rows)
    await tx.session.flush()
    await failpoint("judge.kept")

    return _keep_judgement(
        tx,
        Judgement(
            intent_id,
            Outcome.WITHDRAWN if submission.withdraws else Outcome.ACCEPTED,
            entry_id,
            cautions=tuple(caution.as_json() for caution in cautions),
        ),
    )


async def _read_through(store: Store, actor: Actor, intent: IntentRow) -> None:
    """Let the platform compute over the payloads what it will compare, before anything is held."""
    submission = submission_in(read_statement(intent.statement, "submission")[1])
    async with transaction(store, actor=actor, now=intent.received_at) as tx:
        upload_ids = [
            upload.id
            for envelope in submission.envelopes
            for upload, _ in await uploading.uploads_of(
                tx, intent.lot_id, intent.bidder_id, envelope.head
            )
        ]
    for upload_id in upload_ids:
        await uploading.assemble(store, upload_id)


async def _inspected(tx: Transaction, lot: LotRow, submission: Submission) -> _Inspected:
    """Every envelope compared with what was published, what was signed and what arrived."""
    found = _Inspected()
    policy = await _policy_in_force(tx, lot)
    keys = policy_keys(policy.document)
    if submission.policy != policy.digest:
        found.faults.append("wrong_policy")
    if sorted(one.kind for one in submission.envelopes) != sorted(_envelopes_asked(policy)):
        found.faults.append("wrong_envelopes")
    for envelope in submission.envelopes:
        await _inspect(tx, lot, envelope, keys, found)
    return found


async def _inspect(
    tx: Transaction,
    lot: LotRow,
    envelope: Envelope,
    keys: sealing.PolicyKeys,
    found: _Inspected,
) -> None:
    candidates = await uploading.uploads_of(tx, lot.id, tx.actor.party, envelope.head)
    if not candidates:
        found.missing.append(f"{envelope.kind}（文件头及全部内容）")
        return
    best: tuple[int, ...] | None = None
    for upload, header in candidates:
        whole = await tx.session.get(UploadWholeRow, upload.id)
        missing = await uploading.missing_parts(tx, upload)
        if missing or whole is None:
            best = missing if best is None or len(missing) < len(best) else best
            continue
        found.faults += sealing.structural_faults(
            header.header,
            policy=keys,
            project=str(lot.project_id),
            lot=str(lot.id),
            bidder=str(tx.actor.party),
            envelope=envelope.kind,
            payload_size=upload.payload_size,
        )
        if (whole.payload_root, upload.payload_size) != (
            envelope.payload_root,
            envelope.payload_size,
        ):
            found.faults.append("wrong_payload")
        found.rows.append(
            BidEnvelopeRow(
                bid_id=found.bid_id,
                envelope=envelope.kind,
                upload_id=upload.id,
                head=header.head,
                header=header.header,
                payload_root=whole.payload_root,
                payload_size=upload.payload_size,
                payload_sha256=whole.payload_sha256,
                parts=list(upload.part_digests),
            )
        )
        return
    found.missing += [f"{envelope.kind} 第{number}块" for number in best or ()]


async def _whole_arrival(
    tx: Transaction,
    lot: LotRow,
    submission: Submission,
    last: BidRow | None,
    found: _Inspected,
) -> BidArrival:
    faults = list(dict.fromkeys(found.faults))
    own = await organisation(tx, tx.actor.party)
    return replace(
        _arrival(tx, lot, submission),
        lot_state=_state_at_arrival(lot),
        suspended=False,
        last_sequence=0 if last is None else last.seq,
        sealing_faults=tuple(
            FAULT_WORDS.get(fault, fault)
            for fault in faults
            if fault not in ("wrong_lot", "wrong_project", "wrong_bidder")
        ),
        missing_parts=tuple(found.missing),
        for_this_lot=not {"wrong_lot", "wrong_project"} & set(faults),
        for_this_bidder="wrong_bidder" not in faults,
        bidder_verified=own.verified,
        bidder_is_operator=bool(own.roles & OPERATORS),
        documents_obtained=await _took_documents(tx, lot.id),
    )


async def _grounds(tx: Transaction, lot: LotRow, arrival: BidArrival) -> list[Refusal]:
    project = await tx.session.get_one(ProjectRow, lot.project_id)
    switches = _switches(project, lot)
    standing = await standing_of(
        tx,
        act=BarredAct.SUBMISSION,
        on=tx.now,
        party_id=tx.actor.party,
        person_id=tx.actor.person,
        regime=switches.regime,
        mandatory=switches.mandatory,
    )
    return [*admission_refusals(arrival, regime=switches.regime), *standing_refusals(standing)]


def _withdrawal_grounds(
    tx: Transaction, lot: LotRow, submission: Submission, last: BidRow | None
) -> list[Refusal]:
    assert lot.bids_due_at is not None
    return withdrawal_refusals(
        WithdrawalArrival(
            received_at=tx.now,
            lot_state=_state_at_arrival(lot),
            bids_due_at=lot.bids_due_at,
            sequence=submission.seq,
            last_sequence=0 if last is None else last.seq,
            has_standing_bid=last is not None and not last.withdrawn,
        )
    )


def _replacement_grounds(submission: Submission, last: BidRow | None) -> list[Refusal]:
    """A submission follows the one before it, so that none can be slipped in between."""
    refusals = []
    following = 1 if last is None else last.seq + 1
    if submission.seq > following:
        reason = f"本单位在本标段的下一次递交序号应为{following}，不是{submission.seq}，拒收"
        facts = {"sequence": str(submission.seq), "following": str(following)}
        refusals.append(Refusal("wrong_sequence", E_BIDDING_MEASURES[40], reason, facts))
    if submission.replaces != (None if last is None else last.statement_digest):
        reason = "递交声明所替换的不是本单位在本标段的上一次递交，拒收；请重新载入后再签名"
        refusals.append(Refusal("wrong_previous", E_BIDDING_MEASURES[40], reason))
    return refusals


async def _taken_in(
    tx: Transaction,
    lot: LotRow,
    intent: IntentRow,
    submission: Submission,
    last: BidRow | None,
    inspected: _Inspected,
) -> BidSubmitted | BidWithdrawn:
    """The record that the receipt proves."""
    project = await tx.session.get_one(ProjectRow, lot.project_id)
    platform = await tx.session.get_one(PlatformRow, True)
    assert lot.bids_due_at is not None
    previous = None if last is None else last.entry_id
    if submission.withdraws:
        return BidWithdrawn(
            lot.id,
            project_id=lot.project_id,
            bidder_id=intent.bidder_id,
            seq=submission.seq,
            submission=intent.statement_digest,
            received_at=intent.received_at,
            deadline=lot.bids_due_at,
            timetable_version=lot.timetable_version,
            nonce=intent.nonce,
            previous=previous,
            platform_build=PLATFORM_BUILD,
            demo=platform.demo,
        )
    return BidSubmitted(
        lot.id,
        project_id=lot.project_id,
        tender_title_digest=sha256(f"{project.name} {lot.name}".encode()),
        bidder_id=intent.bidder_id,
        seq=submission.seq,
        submission=intent.statement_digest,
        envelopes=tuple(
            {
                "envelope": row.envelope,
                "head": row.head,
                "payload_size": row.payload_size,
                "payload_root": row.payload_root,
                "payload_sha256": row.payload_sha256,
            }
            for row in inspected.rows
        ),
        policy=submission.policy,
        received_at=intent.received_at,
        deadline=lot.bids_due_at,
        timetable_version=lot.timetable_version,
        nonce=intent.nonce,
        previous=previous,
        platform_build=PLATFORM_BUILD,
        demo=platform.demo,
    )


def _refused(
    received_at: datetime,
    lot: LotRow,
    bidder_id: UUID,
    digest: bytes,
    raw: bytes,
    refusals: Sequence[Refusal],
) -> BidRefused:
    assert lot.bids_due_at is not None
    return BidRefused(
        lot.id,
        bidder_id=bidder_id,
        submission=digest,
        bytes_received=len(raw),
        received_at=received_at,
        deadline=lot.bids_due_at,
        grounds=tuple(refusal.as_json() for refusal in refusals),
    )


def _keep_judgement(tx: Transaction, judgement: Judgement) -> Judgement:
    tx.session.add(
        JudgementRow(
            intent_id=judgement.intent_id,
            outcome=judgement.outcome,
            entry_id=judgement.entry_id,
            refusals=[kept_refusal(one) for one in judgement.refusals],
            cautions=list(judgement.cautions),
        )
    )
    return judgement


def _judgement(row: JudgementRow) -> Judgement:
    return Judgement(
        row.intent_id,
        Outcome(row.outcome),
        EntryId(row.entry_id),
        tuple(_restored(one) for one in row.refusals),
        tuple(row.cautions),
    )


# ── what a bidder may see of its own ──────────────────────────────────────────────────────────


@by(Role.BIDDER)
async def own_bids(tx: Transaction, lot_id: UUID) -> list[OwnBid]:
    """The acting bidder's own accepted submissions to a lot, in order; nobody else's ever."""
    lot = await tx.session.get(LotRow, lot_id)
    if lot is None or lot.published_at is None:
        raise NotFound("no such lot")
    bids = await tx.session.scalars(
        select(BidRow)
        .where(col(BidRow.lot_id) == lot_id, col(BidRow.bidder_id) == tx.actor.party)
        .order_by(col(BidRow.seq))
    )
    return [await _own_bid(tx, bid) for bid in bids]


@by(Role.BIDDER)
async def lots_bid_for(tx: Transaction) -> list[tuple[LotRow, OwnBid]]:
    """The lots to which the acting bidder has submitted, each with its newest submission."""
    rows = await tx.session.execute(
        select(LotRow, BidRow)
        .join(BidRow, col(BidRow.lot_id) == col(LotRow.id))
        .where(col(BidRow.bidder_id) == tx.actor.party)
        .ext(distinct_on(col(LotRow.id)))
        .order_by(col(LotRow.id), col(BidRow.seq).desc())
    )
    found = [(lot, await _own_bid(tx, bid)) for lot, bid in rows.all()]
    return sorted(found, key=lambda one: one[1].received_at, reverse=True)


@by(*(set(Role) - {Role.PUBLIC, Role.PLATFORM}))
async def own_receipt(tx: Transaction, entry_id: UUID, *, witnessed: bool = False) -> str | None:
    """The receipt of an act of the acting organisation's, as it was first written.

    None while it is on its way; `NotFound` for every entry that is not its own.
    """
    entry = await tx.session.get(JournalRow, entry_id)
    if entry is None or not entry.receipted or entry.party_id != tx.actor.party:
        raise NotFound("no such receipt")
    return await receipt_of(tx.session, entry_id, witnessed=witnessed)


@by(Role.BIDDER)
async def own_intent(tx: Transaction, lot_id: UUID, intent_id: UUID) -> UUID:
    """The id, if the acting bidder sent this submission for this lot; `NotFound` otherwise."""
    intent = await tx.session.get(IntentRow, intent_id)
    if intent is None or (intent.lot_id, intent.bidder_id) != (lot_id, tx.actor.party):
        raise NotFound("no such submission")
    return intent.id


async def _own_bid(tx: Transaction, bid: BidRow) -> OwnBid:
    rows = await tx.session.execute(
        select(col(BidEnvelopeRow.envelope), col(BidEnvelopeRow.payload_size))
        .where(col(BidEnvelopeRow.bid_id) == bid.id)
        .order_by(col(BidEnvelopeRow.envelope).desc())
    )
    return OwnBid(
        bid.seq,
        bid.withdrawn,
        bid.received_at,
        EntryId(bid.entry_id),
        bid.statement_digest,
        tuple((kind, size) for kind, size in rows),
        await receipt_of(tx.session, bid.entry_id),
        await receipt_of(tx.session, bid.entry_id, witnessed=True) is not None,
    )


# ── what they are made of ─────────────────────────────────────────────────────────────────────


def submission_in(payload: dict[str, Any]) -> Submission:
    """The submission that a payload states, or `Malformed`."""
    found = members(
        payload,
        ("v", "project", "lot", "bidder", "seq", "policy", "envelopes", "replaces", "signed_at"),
    )
    parse_instant(found["signed_at"])
    envelopes = []
    for item in list_of(found["envelopes"], at_most=ENVELOPES_MAX):
        one = members(item, ("envelope", "head", "payload_size", "payload_root"))
        envelopes.append(
            Envelope(
                text_of(one["envelope"]),
                unb64u(one["head"], 32),
                count_of(one["payload_size"]),
                unb64u(one["payload_root"], 32),
            )
        )
    if len({one.kind for one in envelopes}) != len(envelopes):
        raise Malformed("an envelope is named twice", code="envelope_twice")
    seq = count_of(found["seq"])
    if not 0 < seq < 1 << 31:
        raise Malformed("submissions are numbered from 1", code="sequence")
    return Submission(
        text_of(found["project"]),
        text_of(found["lot"]),
        text_of(found["bidder"]),
        seq,
        unb64u(found["policy"], 32),
        tuple(envelopes),
        None if found["replaces"] is None else unb64u(found["replaces"], 32),
    )


def kept_refusal(refusal: Refusal) -> dict[str, Any]:
    """The refusal with its article taken apart, so that it can be given again as it was."""
    article = refusal.article
    return {
        "code": refusal.code,
        "instrument": article.instrument.name,
        "number": article.number,
        "item": article.item,
        "reason": refusal.reason,
        "facts": dict(refusal.facts),
    }


def _restored(kept: dict[str, Any]) -> Refusal:
    article = Article(_INSTRUMENTS[kept["instrument"]], kept["number"], kept["item"])
    return Refusal(kept["code"], article, kept["reason"], kept["facts"])


_INSTRUMENTS: Final = {
    value.name: value for value in vars(statute).values() if isinstance(value, Instrument)
}


def _arrival(tx: Transaction, lot: LotRow, submission: Submission) -> BidArrival:
    assert lot.bids_due_at is not None
    return BidArrival(
        received_at=tx.now,
        lot_state=LotState(lot.state),
        suspended=lot.suspended,
        bids_due_at=lot.bids_due_at,
        sequence=submission.seq,
    )


def _state_at_arrival(lot: LotRow) -> LotState:
    """An intent was written while the lot was open; the closing that came since changes nothing."""
    return LotState.OPEN if lot.state == LotState.CLOSING else LotState(lot.state)


def _switches(project: ProjectRow, lot: LotRow) -> Switches:
    assert lot.published_at is not None
    return switches_of(Procedure(project.procedure), on=beijing_day(lot.published_at))


async def _policy_in_force(tx: Transaction, lot: LotRow) -> OpeningPolicyRow:
    """The policy that was in force when the submission arrived."""
    row = await tx.session.scalar(
        select(OpeningPolicyRow)
        .where(col(OpeningPolicyRow.lot_id) == lot.id, col(OpeningPolicyRow.recorded_at) <= tx.now)
        .order_by(col(OpeningPolicyRow.version).desc())
        .limit(1)
    )
    if row is None:
        raise NotFound("no opening policy")
    return row


def _envelopes_asked(policy: OpeningPolicyRow) -> list[str]:
    document = strict_json(policy.document)
    assert isinstance(document, dict)
    return [text_of(kind) for kind in list_of(document["envelopes"], at_most=ENVELOPES_MAX)]


async def _last_bid(tx: Transaction, lot_id: UUID, bidder_id: UUID) -> BidRow | None:
    return await tx.session.scalar(
        select(BidRow)
        .where(col(BidRow.lot_id) == lot_id, col(BidRow.bidder_id) == bidder_id)
        .order_by(col(BidRow.seq).desc())
        .limit(1)
    )


async def _took_documents(tx: Transaction, lot_id: UUID) -> bool:
    return bool(
        await tx.session.scalar(
            select(
                exists().where(
                    col(JournalRow.subject_id) == lot_id,
                    col(JournalRow.kind) == "DocumentsTaken",
                    col(JournalRow.party_id) == tx.actor.party,
                )
            )
        )
    )
