"""The closing of a lot: what had arrived is cut off, judged to the end, and published.

Three steps, each of which may be repeated by whoever comes after a crash:

1. Under the lot's exclusive lock the lot stops taking submissions, and everything that had arrived
   is committed to: *the cut*. Its digest goes to the log and its witnesses at once.
2. Without the lock the submissions of the cut that are not judged yet are judged, up to a published
   bound. What the platform cannot finish by then is its own fault, with evidence, not the bidder's.
3. Under the lock again the lot is closed: the bids that count are published in one list, and with
   three bidders or more the opening begins at that moment, otherwise the lot fails.

Shared by every bidder, exclusive to the closing: that lock is why no receipt can ever exist for a
bid that the list does not know.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Final
from uuid import UUID

import structlog
from sqlalchemy import select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from kernel.access import PLATFORM, Role, by
from kernel.errors import Outrun, PlatformError
from kernel.failpoints import failpoint
from kernel.identifiers import LotId
from kernel.randomness import random_bytes
from kernel.store.clocks import unshifted_clock
from kernel.store.parties import organisation_names
from kernel.store.transaction import Store, Transaction, transaction
from kernel.store.transparency_log import padded
from kernel.working_days import beijing_day
from trading import lots, uploading
from trading.counted_bids import CountedBid, counted_bids
from trading.events import LotClosed, LotClosing, LotFailed
from trading.judging import (
    Outcome,
    failure_refusal,
    judge_intent,
    kept_refusal,
    platform_failure,
)
from trading.rules.closing_cut import cut_digest, intent_commitment
from trading.rules.lot_lifecycle import LotMove, LotState
from trading.rules.opening_quorum import opening_refusals
from trading.rules.procedures import Procedure, switches_of
from trading.tables import (
    ClosingRow,
    IntentRow,
    JudgementRow,
    LotRow,
    OpeningPolicyRow,
    TimetableRow,
)

log = structlog.get_logger()

JUDGED_AT_ONCE: Final = 4
DRAIN_NAP_S: Final = 0.2
PROMPT: Final = timedelta(minutes=1)
"""A closing that comes this soon after the deadline is prompt: the opening counts from there."""


async def close_lot(store: Store, lot_id: LotId) -> None:
    """Do what is left to do of a lot's closing; nothing where it is not due or long over."""
    async with transaction(store, actor=PLATFORM) as tx:
        closing = await begin_closing(tx, lot_id)
    await failpoint("closing.cut")
    if not closing:
        return
    await drain(store, lot_id)
    await failpoint("closing.drained")
    async with transaction(store, actor=PLATFORM) as tx:
        await finish_closing(tx, lot_id)
    await failpoint("closing.closed")
    await uploading.sweep(store)


@by(Role.PLATFORM)
async def begin_closing(tx: Transaction, lot_id: LotId) -> bool:
    """Cut off what had arrived; whether the lot is being closed now."""
    lot = await lots.lock(tx, lot_id)
    await failpoint("closing.locked")
    settle = timedelta(seconds=tx.settings.closer_settle_s)
    intents = await tx.session.scalars(select(IntentRow).where(col(IntentRow.lot_id) == lot_id))

    if LotState(lot.state) is LotState.CLOSING:
        return True
    if LotState(lot.state) is not LotState.OPEN or lot.suspended:
        return False
    if lot.bids_due_at is None or tx.now < lot.bids_due_at + settle:
        return False

    salt = random_bytes(32)
    commitments = padded_commitments(
        [
            intent_commitment(row.nonce, row.statement_digest, row.received_at)
            for row in intents.all()
        ]
    )
    now = await unshifted_clock(tx.session)
    closing = ClosingRow(
        lot_id=lot_id,
        salt=salt,
        commitments=commitments,
        cut_digest=cut_digest(salt, commitments),
        begun_at=tx.now,
        drain_until=now + timedelta(seconds=tx.settings.drain_bound_s),
    )
    tx.session.add(closing)
    timetable = await tx.session.get_one(TimetableRow, (lot_id, lot.timetable_version))

    tx.record(
        LotClosing(
            lot_id,
            cut_digest=closing.cut_digest,
            deadline=lot.bids_due_at,
            timetable_version=timetable.version,
            timetable_digest=timetable.digest,
        )
    )
    lots.move(tx, lot, LotMove.BEGIN_CLOSING)

    return True


async def drain(store: Store, lot_id: LotId) -> None:
    """Judge what the cut holds and nobody has judged, until nothing is left or time is up."""
    async with store.sessions() as session:
        closing = await session.get_one(ClosingRow, lot_id)
    gate = asyncio.Semaphore(JUDGED_AT_ONCE)

    async def judge_one(intent_id: UUID, *, patience_s: float) -> None:
        async with gate:
            try:
                async with asyncio.timeout(patience_s):
                    await judge_intent(store, intent_id)
            except (PlatformError, DBAPIError, PoolTimeout, OSError) as fault:
                log.warning("an intent was not judged yet", error=type(fault).__name__)

    while True:
        async with store.sessions() as session:
            left = await unjudged(session, lot_id)
            now = await unshifted_clock(session)
        patience_s = (closing.drain_until - now).total_seconds()
        if not left or patience_s <= 0:
            return
        await asyncio.gather(*(judge_one(row.id, patience_s=patience_s) for row in left))
        async with store.sessions() as session:
            if not await unjudged(session, lot_id):
                return
        await asyncio.sleep(DRAIN_NAP_S)


@by(Role.PLATFORM)
async def finish_closing(tx: Transaction, lot_id: LotId) -> None:
    """Close the lot with the list of the bids that count; its opening begins then, or it fails.

    `Outrun` while submissions of the cut are still being judged and the bound is not reached.
    """
    lot = await lots.lock(tx, lot_id)
    if LotState(lot.state) is not LotState.CLOSING:
        return
    closing = await tx.session.get_one(ClosingRow, lot_id)
    left = await unjudged(tx.session, lot_id)

    if left and await unshifted_clock(tx.session) < closing.drain_until:
        raise Outrun("submissions that came in time are still being judged")

    for intent in left:
        _give_up(tx, lot, intent)
    bids = await counted_bids(tx.session, lot_id)

    lots.move(tx, lot, LotMove.CLOSE)
    await tx.session.flush()
    tx.record(await _closed(tx, lot, closing, bids))
    await failpoint("closing.listed")
    await _open_or_fail(tx, lot, len(bids))


async def unjudged(session: AsyncSession, lot_id: UUID) -> Sequence[IntentRow]:
    """The lot's intents that nobody has judged, in the order in which they arrived."""
    rows = await session.scalars(
        select(IntentRow)
        .outerjoin(JudgementRow, col(JudgementRow.intent_id) == col(IntentRow.id))
        .where(col(IntentRow.lot_id) == lot_id, col(JudgementRow.intent_id).is_(None))
        .order_by(col(IntentRow.received_at), col(IntentRow.id))
    )
    return rows.all()


# ── the cut ───────────────────────────────────────────────────────────────────────────────────


def padded_commitments(commitments: Sequence[bytes]) -> list[bytes]:
    """The commitments in the order of their bytes, filled up with random ones to 8, 64, 512, …"""
    fillers = padded(len(commitments)) - len(commitments)
    return sorted([*commitments, *(random_bytes(32) for _ in range(fillers))])


# ── what they are made of ─────────────────────────────────────────────────────────────────────


def _give_up(tx: Transaction, lot: LotRow, intent: IntentRow) -> None:
    reason = f"截标后{tx.settings.drain_bound_s:g}秒内未能完成核验"
    entry_id = tx.record(
        platform_failure(lot, intent.bidder_id, intent.statement_digest, intent.received_at, reason)
    )
    tx.session.add(
        JudgementRow(
            intent_id=intent.id,
            outcome=Outcome.FAILED_BY_PLATFORM,
            entry_id=entry_id,
            refusals=[kept_refusal(failure_refusal(intent.received_at, lot))],
        )
    )


async def _closed(
    tx: Transaction, lot: LotRow, closing: ClosingRow, bids: Sequence[CountedBid]
) -> LotClosed:
    names = await organisation_names(tx.session, [bid.bidder_id for bid in bids])
    timetable = await tx.session.get_one(TimetableRow, (lot.id, lot.timetable_version))
    policy = await tx.session.get_one(OpeningPolicyRow, (lot.id, lot.policy_version))
    return LotClosed(
        lot.id,
        bids=tuple(
            {
                "bidder": bid.bidder_id,
                "name": names[bid.bidder_id],
                "seq": bid.seq,
                "envelopes": [
                    {
                        "envelope": envelope.kind,
                        "head": envelope.head,
                        "payload_root": envelope.payload_root,
                        "payload_size": envelope.payload_size,
                    }
                    for envelope in bid.envelopes
                ],
            }
            for bid in bids
        ),
        cut_digest=closing.cut_digest,
        cut_salt=closing.salt,
        cut_commitments=tuple(closing.commitments),
        policy_digest=policy.digest,
        timetable_version=timetable.version,
        timetable_digest=timetable.digest,
    )


async def _open_or_fail(tx: Transaction, lot: LotRow, bidder_count: int) -> None:
    project = await lots.project_of(tx, lot)
    assert lot.published_at is not None
    assert lot.bids_due_at is not None
    switches = switches_of(Procedure(project.procedure), on=beijing_day(lot.published_at))
    refusals = opening_refusals(bidder_count, switches)
    for refusal in refusals:
        tx.record(LotFailed(lot.id, refusal.code, refusal.reason, str(refusal.article)))
    if refusals:
        lots.move(tx, lot, LotMove.FAIL_FOR_TOO_FEW_BIDDERS)
        return
    # A closing that an outage delayed must not eat the time in which bidders release.
    prompt = tx.now - lot.bids_due_at <= PROMPT
    begins_at = lot.bids_due_at if prompt else tx.now
    lot.release_until = begins_at + timedelta(seconds=lot.release_window_s)
    lots.move(tx, lot, LotMove.BEGIN_OPENING)
