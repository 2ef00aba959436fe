"""A submission is judged: whether it is sealed as the policy asks, whole, and from one who may bid.

Once for each intent, by whoever comes first: the request that brought it, a repetition of it, or
the closing. A refusal is an outcome like any other; it is written down with every ground and given
again to whoever repeats the submission.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from sqlalchemy import exists, select, text
from sqlmodel import col

from blacklist.standing import BarredAct, standing_of, standing_refusals
from kernel import statute
from kernel.access import Actor, Role, by
from kernel.crypto import sealing
from kernel.crypto.digests import list_of, sha256, strict_json, text_of
from kernel.crypto.statement_kinds import read_statement
from kernel.errors import NotFound, Refused
from kernel.failpoints import failpoint
from kernel.identifiers import EntryId, PartyId, PersonId
from kernel.randomness import random_id
from kernel.refusals import Caution, Refusal
from kernel.statute import E_BIDDING_MEASURES, Article, Instrument
from kernel.store.database import lock_exclusive
from kernel.store.parties import organisation, take_part
from kernel.store.tables import JournalRow, PlatformRow
from kernel.store.transaction import Store, Transaction, transaction
from kernel.working_days import beijing_day
from trading import inviting, lots, uploading
from trading.bidder_ties import ties_of
from trading.events import BidRefused, BidSubmitted, BidWithdrawn, SubmissionFailedByPlatform
from trading.prequalification_rounds import may_bid
from trading.rules.bid_admission import (
    BidArrival,
    WithdrawalArrival,
    admission_cautions,
    admission_refusals,
    withdrawal_refusals,
)
from trading.rules.bidder_independence import ties_to_platform, ties_to_project
from trading.rules.lot_lifecycle import LotState, was_closed
from trading.rules.opening_policy import policy_keys
from trading.rules.procedures import Procedure, Switches, switches_of
from trading.rules.submission_statement import (
    ENVELOPES_MAX,
    NamedEnvelope,
    Submission,
    replacement_refusals,
    submission_in,
)
from trading.tables import (
    BidEnvelopeRow,
    BidRow,
    IntentRow,
    JudgementRow,
    LotRow,
    OpeningPolicyRow,
    ProjectRow,
)

PLATFORM_BUILD: Final = "sunbid 0.1.0"
"""Which build of the platform took a submission in, as its receipt states."""

OPERATORS: Final = frozenset({Role.CENTRE_STAFF, Role.SITE_ADMINISTRATOR})
"""The capacities of an organisation that runs the platform, and so may not bid on it."""

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
class Judgement:
    """What became of an intent, and the journal's entry that says so."""

    intent_id: UUID
    outcome: Outcome
    entry_id: EntryId
    refusals: tuple[Refusal, ...] = ()
    cautions: tuple[dict[str, Any], ...] = ()


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
        await bound(tx, lock="5s", statement="10s", idle="30s")
        return await judge(tx, intent_id)


async def bound(tx: Transaction, *, lock: str, statement: str, idle: str) -> None:
    """Let this transaction wait for a lock, work on one statement, or do nothing, only so long."""
    await tx.session.execute(
        text(
            "SELECT set_config('lock_timeout', :lock, true),"
            " set_config('statement_timeout', :statement, true),"
            " set_config('idle_in_transaction_session_timeout', :idle, true)"
        ),
        {"lock": lock, "statement": statement, "idle": idle},
    )


# ── judging ──────────────────────────────────────────────────────────────────────────────────────


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
    refusals += replacement_refusals(
        submission,
        last_sequence=0 if last is None else last.seq,
        last_submission=None if last is None else last.statement_digest,
    )
    if not refusals:
        try:
            await take_part(tx, lot.id)
        except Refused as conflict:
            refusals += conflict.refusals
    if refusals:
        entry_id = tx.record(
            refused_event(
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
            sent.upload.id
            for envelope in submission.envelopes
            for sent in await uploading.uploads_of(
                tx, intent.lot_id, intent.bidder_id, envelope.head
            )
            if sent.whole is None
        ]
    for upload_id in upload_ids:
        await uploading.assemble(store, upload_id)


@dataclass(slots=True)
class _Inspected:
    """What was found out about a submission's envelopes without opening any."""

    bid_id: UUID = field(default_factory=random_id)
    rows: list[BidEnvelopeRow] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)


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
    envelope: NamedEnvelope,
    keys: sealing.PolicyKeys,
    found: _Inspected,
) -> None:
    candidates = await uploading.uploads_of(tx, lot.id, tx.actor.party, envelope.head)
    if not candidates:
        found.missing.append(f"{envelope.kind}（文件头及全部内容）")
        return
    best: tuple[int, ...] | None = None
    for sent in candidates:
        upload, whole = sent.upload, sent.whole
        missing = await uploading.missing_parts(tx, upload)
        if missing or whole is None:
            best = missing if best is None or len(missing) < len(best) else best
            continue
        found.faults += sealing.structural_faults(
            sent.header,
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
                head=envelope.head,
                header=sent.header,
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
        arrival_of(tx, lot, submission),
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
        bidder_prequalified=await may_bid(tx, lot, own.id),
        documents_obtained=await _took_documents(tx, lot.id),
    )


async def _grounds(tx: Transaction, lot: LotRow, arrival: BidArrival) -> list[Refusal]:
    project = await lots.project_of(tx, lot)
    switches = switches_for(project, lot)
    standing = await standing_of(
        tx,
        act=BarredAct.SUBMISSION,
        on=tx.now,
        party_id=tx.actor.party,
        person_id=tx.actor.person,
        regime=switches.regime,
        mandatory=switches.mandatory,
    )
    [own] = await ties_of(tx, [tx.actor.party], on=beijing_day(tx.now))
    owner = await organisation(tx, project.tenderee_id)
    return [
        *admission_refusals(arrival, regime=switches.regime),
        *ties_to_project(own, tenderee_uscc=owner.uscc, regime=switches.regime),
        *ties_to_platform(own, operator_uscc=tx.settings.site_uscc),
        *await inviting.uninvited_grounds(tx, lot, switches),
        *standing_refusals(standing),
    ]


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


# ── what is written down ─────────────────────────────────────────────────────────────────────────


async def _taken_in(
    tx: Transaction,
    lot: LotRow,
    intent: IntentRow,
    submission: Submission,
    last: BidRow | None,
    inspected: _Inspected,
) -> BidSubmitted | BidWithdrawn:
    """The record that the receipt proves."""
    project = await lots.project_of(tx, lot)
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


def refused_event(
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


# ── what they are made of ────────────────────────────────────────────────────────────────────────


def arrival_of(tx: Transaction, lot: LotRow, submission: Submission) -> BidArrival:
    assert lot.bids_due_at is not None
    return BidArrival(
        received_at=tx.now,
        lot_state=LotState(lot.state),
        lot_closed=was_closed(lot.path),
        suspended=lot.suspended,
        bids_due_at=lot.bids_due_at,
        sequence=submission.seq,
    )


def _state_at_arrival(lot: LotRow) -> LotState:
    """An intent was written while the lot was open; the closing that came since changes nothing."""
    return LotState.OPEN if lot.state == LotState.CLOSING else LotState(lot.state)


def switches_for(project: ProjectRow, lot: LotRow) -> Switches:
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
