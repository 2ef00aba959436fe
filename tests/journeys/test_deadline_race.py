"""Bidding Law 28; Regulation 36; Electronic Bidding Measures 27: no bid in time is lost at the end.

Submitters race the closer on a real Postgres. Whatever the order, what the closing lists is exactly
what receipts were given for.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from kernel.crypto.digests import parse_instant, sha256
from kernel.crypto.receipts import verify_proof
from kernel.errors import Refused
from kernel.identifiers import LotId
from kernel.store import founding
from kernel.store.database import APP, connect
from kernel.store.transaction import Store
from tests.conftest import Database
from tests.deadline_story import crowded, play_story
from tests.sealed_bids import (
    SealedFile,
    Tender,
    Tick,
    a_bidder,
    a_sealed_bid,
    a_submission,
    a_tender,
    ticking,
    uploaded,
)
from tests.tenders import Player, a_published_lot
from trading import closing, reception
from trading.bidding import Answer, submit
from trading.counted_bids import counted_bids
from trading.reception import Reception
from trading.rules.lot_lifecycle import LotState
from trading.sound_bids import bid_faults
from trading.tables import LotRow

BIDDERS = 40
COPIES = 6
"""How often each bidder's first submission is sent at once: 240 are under way together."""
SUBMISSIONS = 6
RUSH = timedelta(seconds=4)
RETRIED = 0.2
SEEDS = range(5)
TOGETHER = 5


@pytest.fixture
async def engine(database: Database) -> AsyncIterator[AsyncEngine]:
    """A line of its own to watch the others' locks with."""
    engine = connect(database.url(APP), pool_size=1)
    yield engine
    await engine.dispose()


@dataclass(frozen=True, slots=True)
class Sent:
    """One submission and what came of it."""

    raw: bytes
    withdraws: bool
    received_at: datetime
    answer: Answer | None
    refused: Refused | None = None


async def rush(
    store: Store,
    counter: Reception,
    tender: Tender,
    who: Player,
    files: tuple[SealedFile, SealedFile],
    dice: random.Random,
    start: asyncio.Barrier,
) -> list[Sent]:
    """Submit, replace and withdraw, on and on past the deadline; all begin at the same moment."""
    sent: list[Sent] = []
    previous: bytes | None = None
    await start.wait()
    for seq in range(1, SUBMISSIONS + 1):
        withdraws = bool(sent) and not sent[-1].withdraws and dice.random() < 0.2
        chosen = () if withdraws else files
        raw = a_submission(tender, who, chosen, seq=seq, replaces=previous)
        received_at = await counter.clock.stamp()

        async def once(raw: bytes = raw, received_at: datetime = received_at) -> Answer:
            return await submit(
                store,
                counter,
                who.actor,
                tender.lot_id,
                raw,
                key=sha256(raw).hex(),
                received_at=received_at,
            )

        copies = COPIES if seq == 1 else 3 if dice.random() < RETRIED else 1
        try:
            answer, *others = await asyncio.gather(*(once() for _ in range(copies)))
            assert all(other.judgement == answer.judgement for other in others)
            sent.append(Sent(raw, withdraws, received_at, answer))
        except Refused as refused:
            sent.append(Sent(raw, withdraws, received_at, None, refused))
            await asyncio.sleep(RUSH.total_seconds() / SUBMISSIONS)
        previous = sha256(raw)
    return sent


async def alone(
    store: Store,
    counter: Reception,
    tender: Tender,
    who: Player,
    files: tuple[SealedFile, SealedFile],
) -> list[Sent]:
    """One submission with nobody beside it."""
    raw, received_at = a_submission(tender, who, files), await counter.clock.stamp()
    key = sha256(raw).hex()
    try:
        answer = await submit(
            store, counter, who.actor, tender.lot_id, raw, key=key, received_at=received_at
        )
    except Refused as refused:
        return [Sent(raw, False, received_at, None, refused)]
    return [Sent(raw, False, received_at, answer)]


async def close_when_due(store: Store, tender: Tender) -> None:
    while True:
        await closing.close_lot(store, LotId(tender.lot_id))
        async with store.sessions() as session:
            lot = await session.get_one(LotRow, tender.lot_id)
        if lot.state not in (LotState.OPEN, LotState.CLOSING):
            return
        await asyncio.sleep(0.05)


async def test_hundreds_of_submits_race_the_closers_and_every_receipt_counts(
    store: Store,
    tick: Tick,
    clock_to: Callable[[datetime], Awaitable[None]],
    sound: Callable[[], Awaitable[None]],
) -> None:
    refused = await race_the_closers(store, tick, clock_to, count=BIDDERS)
    assert "late" in refused
    await sound()


async def race_the_closers(
    store: Store, tick: Tick, clock_to: Callable[[datetime], Awaitable[None]], *, count: int
) -> set[str]:
    """So many bidders submit at once and go on past the deadline, against two closers.

    One bidder is in time for certain and one late, however slow the machine is. The codes of all
    refusals, each of which is held against the instant of what it refused: `late`, and where the
    platform was overloaded, however rarely that is, `platform_failure` for what came in time.
    """
    store = replace(store, settings=store.settings.model_copy(update={"closer_settle_s": 2.0}))
    tender = await a_tender(store)
    bidders = [await a_bidder(store) for _ in range(count + 2)]
    files = [a_sealed_bid(tender, who) for who in bidders]
    for who, sealed in zip(bidders, files, strict=True):
        await uploaded(store, who, tender.lot_id, sealed)
    start = asyncio.Barrier(count)
    async with reception.opened(store, patience_s=0) as counter, ticking(tick, nap_s=0.3):
        early = await alone(store, counter, tender, bidders[-2], files[-2])
        await clock_to(tender.due_at - RUSH)
        racing, _ = await asyncio.gather(
            asyncio.gather(
                *(
                    rush(store, counter, tender, who, sealed, random.Random(number), start)
                    for number, (who, sealed) in enumerate(
                        zip(bidders[:count], files[:count], strict=True)
                    )
                )
            ),
            asyncio.gather(close_when_due(store, tender), close_when_due(store, tender)),
        )
        late = await alone(store, counter, tender, bidders[-1], files[-1])
        assert early[0].answer
        assert late[0].refused
        assert any(one.answer for story in racing for one in story)
        stories = [*racing, early, late]
        receipts = await asyncio.gather(
            *(receipt_of(counter, one) for story in stories for one in story if one.answer)
        )
    taken = [one for story in stories for one in story if one.answer]
    refused = [one for story in stories for one in story if one.refused]
    log_vkey = founding.read_keys(store.settings).log_signer.vkey
    for one, receipt in zip(taken, receipts, strict=True):
        record = json.loads(verify_proof(receipt, log_vkey=log_vkey, witness_vkeys=()).record)
        assert parse_instant(record["facts"]["received_at"]) == one.received_at < tender.due_at
    codes: set[str] = set()
    for one in refused:
        assert one.refused is not None
        told = {refusal.code for refusal in one.refused.refusals}
        assert told == {"late" if one.received_at >= tender.due_at else "platform_failure"}
        codes |= told
    async with store.sessions() as session:
        counted = await counted_bids(session, tender.lot_id)
        stored = await session.scalars(text("SELECT statement_digest FROM trading.bid"))
        assert set(stored) == {sha256(one.raw) for one in taken}
        assert await bid_faults(await session.connection()) == []
    last = {
        who.party: [one for one in story if one.answer][-1]
        for who, story in zip(bidders, stories, strict=True)
        if any(one.answer for one in story)
    }
    assert {bid.bidder_id for bid in counted} == {
        party for party, one in last.items() if not one.withdraws
    }
    return codes


async def receipt_of(counter: Reception, one: Sent) -> str:
    assert one.answer is not None
    assert one.answer.judgement is not None
    found = await counter.receipts.wait(one.answer.judgement.entry_id, patience_s=60)
    assert found is not None
    return found


@pytest.mark.parametrize("first_seed", SEEDS[::TOGETHER])
async def test_the_story_of_every_seed_ends_with_nothing_lost_and_nothing_made_up(
    store: Store,
    database: Database,
    engine: AsyncEngine,
    first_seed: int,
    sound: Callable[[], Awaitable[None]],
) -> None:
    first = await a_tender(store)
    bidders = [await a_bidder(store) for _ in range(3)]
    async with crowded(store, database.url(APP)) as crowd:
        for seed in range(first_seed, first_seed + TOGETHER):
            lot = await a_published_lot(store, first.cast, first.lot.project_id)
            await play_story(crowd, engine, replace(first, lot=lot), bidders, seed)
    await sound()
