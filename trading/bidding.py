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
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, TypeVar
from uuid import UUID

import structlog
from sqlalchemy import or_, select
from sqlalchemy.dialects.postgresql import distinct_on, insert
from sqlalchemy.exc import DBAPIError, InterfaceError
from sqlmodel import col

from kernel.access import Actor, Role, by
from kernel.crypto.digests import Malformed, sha256
from kernel.errors import NotFound, Refused
from kernel.failpoints import failpoint
from kernel.identifiers import EntryId
from kernel.randomness import random_bytes, random_id
from kernel.refusals import Refusal
from kernel.statute import Regime
from kernel.store.parties import require_about, verified_statement
from kernel.store.tables import JournalRow
from kernel.store.transaction import NotDurable, Store, Transaction, transaction
from kernel.store.transparency_log import receipt_of
from trading import lots, uploading
from trading.judging import (
    Judgement,
    Outcome,
    arrival_of,
    bound,
    failure_refusal,
    judge_intent,
    platform_failure,
    refused_event,
    switches_for,
)
from trading.reception import Reception
from trading.rules.bid_admission import (
    BidArrival,
    WithdrawalArrival,
    admission_refusals,
    closed_too_early,
    withdrawal_refusals,
)
from trading.rules.submission_statement import Submission, submission_in
from trading.tables import (
    BidEnvelopeRow,
    BidRow,
    IntentRow,
    JudgementRow,
    LotRow,
    UploadPartRow,
)

log = structlog.get_logger()

Result = TypeVar("Result")

INTAKE_BOUND_S: Final = 1.2
"""How long the transaction that writes an intent may work before it is given up."""

TRIES: Final = 3
TRANSIENT: Final = frozenset({"40001", "40P01", "55P03", "57014", "25P03", "08003", "08006"})
"""SQLSTATEs after which the same may be tried again: serialization, deadlock, lock, time, idle,
a line that broke."""


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


# ── submitting ───────────────────────────────────────────────────────────────────────────────────


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
    except (DBAPIError, OSError) as fault:
        if isinstance(fault, DBAPIError) and not _is_transient(fault):
            raise
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
        log.warning("an intent was not judged at once", error=type(fault).__name__)
    await failpoint("submit.judged")
    receipt = None
    if judgement is not None:
        if judgement.refusals:
            raise Refused(judgement.refusals)
        receipt = await reception.receipts.wait(judgement.entry_id, patience_s=reception.patience_s)
    async with store.sessions() as session:
        intent = await session.get_one(IntentRow, intent_id)
    return Answer(intent_id, intent.statement_digest, intent.received_at, judgement, receipt)


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
    await tx.session.connection()
    async with asyncio.timeout(INTAKE_BOUND_S):
        await bound(tx, lock="600ms", statement="800ms", idle="1s")
        yield


async def _tried_again(act: Callable[[], Awaitable[Result]]) -> Result:
    """The act's result; what failed only because others were in the way is tried again."""
    for _ in range(TRIES - 1):
        try:
            return await act()
        except DBAPIError as fault:
            if not _is_transient(fault):
                raise
        except OSError:
            # Time was up, or there was no line.
            continue
    return await act()


def _is_transient(fault: DBAPIError) -> bool:
    """Whether others were in the way, or the line broke, so that the same may be tried again."""
    state = getattr(fault.orig, "sqlstate", None)
    lost = isinstance(fault, InterfaceError) or fault.connection_invalidated
    return lost or state in TRANSIENT


# ── receiving ────────────────────────────────────────────────────────────────────────────────────


@by(Role.BIDDER)
async def receive(tx: Transaction, lot_id: UUID, raw: bytes, *, key: str) -> UUID:
    """Write down that a submission arrived in time, with the instant of its last byte; its id.

    `tx.now` is that instant. `Malformed` or `BrokenSeal` where the bytes are no submission of this
    person's; `Refused`, on record, where they came too late.
    """
    known = await _known(tx, key, raw)
    if known is not None:
        return known
    statement = await verified_statement(tx, raw, "submission", lot=lot_id, bidder=tx.actor.party)
    submission = submission_in(statement.payload)
    lot, regime = await _published(tx, lot_id)
    require_about(statement.payload, project=lot.project_id)

    arrival = arrival_of(tx, lot, submission)
    too_early = closed_too_early(arrival)
    refusals = _at_the_door(arrival, submission, regime)
    if too_early or refusals:
        # While we waited for the lot, the same submission may have been written by another request.
        known = await _known(tx, key, raw)
        if known is not None:
            return known
    if too_early:
        raise Refused([_failed_by_platform(tx, lot, statement.digest)])
    if refusals:
        told = await _with_byte_counts(tx, lot_id, submission, raw, refusals)
        tx.record_attempt(refused_event(tx.now, lot, tx.actor.party, statement.digest, raw, told))
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


async def _published(tx: Transaction, lot_id: UUID) -> tuple[LotRow, Regime]:
    lot = await lots.hold(tx, lot_id)
    if lot.published_at is None or lot.bids_due_at is None:
        raise NotFound("no such lot")
    project = await lots.project_of(tx, lot)
    return lot, switches_for(project, lot).regime


def _at_the_door(arrival: BidArrival, submission: Submission, regime: Regime) -> list[Refusal]:
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
        for sent in found[:1]:
            sizes = await tx.session.scalars(
                select(col(UploadPartRow.size)).where(
                    col(UploadPartRow.lot_id) == lot_id,
                    col(UploadPartRow.bidder_id) == tx.actor.party,
                    col(UploadPartRow.digest).in_(sent.upload.part_digests),
                )
            )
            arrived += len(sent.header) + sum(sizes)
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


# ── what a bidder may see of its own ─────────────────────────────────────────────────────────────


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


@by(Role.BIDDER)
async def own_receipt(tx: Transaction, entry_id: UUID, *, witnessed: bool = False) -> str | None:
    """The receipt of a submission or withdrawal of the acting bidder's, as it was first written.

    None while it is on its way; `NotFound` for every entry that is not its own. Whoever acts for
    the same organisation in another capacity gets none: that it bids is sealed from them too.
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
