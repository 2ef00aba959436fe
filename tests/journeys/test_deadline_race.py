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
from tests.deadline_story import play_story
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
SUBMISSIONS = 6
RUSH = timedelta(seconds=4)
RETRIED = 0.2
SEEDS = range(20)
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
) -> list[Sent]:
    """Submit, replace and withdraw, on and on past the deadline; some do it twice at once."""
    sent: list[Sent] = []
    previous: bytes | None = None
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

        try:
            answer = await once()
            if dice.random() < RETRIED:
                for again in await asyncio.gather(once(), once()):
                    assert again.judgement == answer.judgement
            sent.append(Sent(raw, withdraws, received_at, answer))
        except Refused as refused:
            sent.append(Sent(raw, withdraws, received_at, None, refused))
            await asyncio.sleep(RUSH.total_seconds() / SUBMISSIONS)
        previous = sha256(raw)
    return sent


async def close_when_due(store: Store, tender: Tender) -> None:
    while True:
        await closing.close_lot(store, LotId(tender.lot_id))
        async with store.sessions() as session:
            lot = await session.get_one(LotRow, tender.lot_id)
        if lot.state not in (LotState.OPEN, LotState.CLOSING):
            return
        await asyncio.sleep(0.05)


async def test_hundreds_of_submits_race_the_closers_and_every_receipt_counts(
    store: Store, tick: Tick, clock_to: Callable[[datetime], Awaitable[None]]
) -> None:
    store = replace(store, settings=store.settings.model_copy(update={"closer_settle_s": 2.0}))
    tender = await a_tender(store)
    bidders = [await a_bidder(store) for _ in range(BIDDERS)]
    files = [a_sealed_bid(tender, who) for who in bidders]
    for who, sealed in zip(bidders, files, strict=True):
        await uploaded(store, who, tender.lot_id, sealed)
    async with reception.opened(store, patience_s=0) as counter, ticking(tick, nap_s=0.3):
        await clock_to(tender.due_at - RUSH)
        stories, _ = await asyncio.gather(
            asyncio.gather(
                *(
                    rush(store, counter, tender, who, sealed, random.Random(number))
                    for number, (who, sealed) in enumerate(zip(bidders, files, strict=True))
                )
            ),
            asyncio.gather(close_when_due(store, tender), close_when_due(store, tender)),
        )
        receipts = await asyncio.gather(
            *(receipt_of(counter, one) for story in stories for one in story if one.answer)
        )
    taken = [one for story in stories for one in story if one.answer]
    refused = [one for story in stories for one in story if one.refused]
    assert taken
    assert refused
    log_vkey = founding.read_keys(store.settings).log_signer.vkey
    for one, receipt in zip(taken, receipts, strict=True):
        record = json.loads(verify_proof(receipt, log_vkey=log_vkey, witness_vkeys=()).record)
        assert parse_instant(record["facts"]["received_at"]) == one.received_at < tender.due_at
    for one in refused:
        assert one.refused is not None
        assert {refusal.code for refusal in one.refused.refusals} == {"late"}
        assert one.received_at >= tender.due_at
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


async def receipt_of(counter: Reception, one: Sent) -> str:
    assert one.answer is not None
    assert one.answer.judgement is not None
    found = await counter.receipts.wait(one.answer.judgement.entry_id, patience_s=60)
    assert found is not None
    return found


@pytest.mark.parametrize("first_seed", SEEDS[::TOGETHER])
async def test_the_story_of_every_seed_ends_with_nothing_lost_and_nothing_made_up(
    store: Store, engine: AsyncEngine, first_seed: int
) -> None:
    first = await a_tender(store)
    bidders = [await a_bidder(store) for _ in range(3)]
    for seed in range(first_seed, first_seed + TOGETHER):
        lot = await a_published_lot(store, first.cast, first.lot.project_id)
        await play_story(store, engine, replace(first, lot=lot), bidders, seed)
