"""The invariants checker asks every floor, and finds a fault on each."""

from __future__ import annotations

from sqlalchemy import text

from kernel.store.database import OWNER, connect
from kernel.store.transaction import Store
from tests.conftest import Database
from tests.log_story import Tick
from tests.sealed_bids import (
    IN_TIME,
    a_bidder,
    a_sealed_bid,
    a_submission,
    a_tender,
    at,
    submitted,
    ticking,
    uploaded,
)
from trading import reception
from web.soundness import faults_of

TAMPERINGS = (
    ("kernel.journal", "UPDATE kernel.journal SET subject_id = id WHERE receipted"),
    ("kernel.sequence", "UPDATE kernel.sequence SET position = position + 1000"),
    ("kernel.log_leaf", "DELETE FROM kernel.log_leaf WHERE index = 0"),
    ("trading.bid", "UPDATE trading.bid SET received_at = received_at + interval '1 second'"),
    ("trading.bid", "UPDATE trading.bid SET seq = 7"),
)


async def test_a_tender_with_a_bid_is_sound_until_somebody_changes_it(
    store: Store, tick: Tick, database: Database
) -> None:
    tender, bidder = await a_tender(store), await a_bidder(store)
    files = a_sealed_bid(tender, bidder)
    await uploaded(store, bidder, tender.lot_id, files)
    then = at(store, IN_TIME)
    async with reception.opened(then) as counter, ticking(tick):
        raw = a_submission(tender, bidder, files)
        await submitted(then, counter, bidder, tender, raw)
    await tick()
    owner = connect(database.url(OWNER), pool_size=1)
    found = await faults_of(owner)
    assert found == []
    for table, tampering in TAMPERINGS:
        async with owner.begin() as connection:
            await connection.execute(text(f"ALTER TABLE {table} DISABLE TRIGGER USER"))
            changed = await connection.execute(text(tampering))
            assert changed.rowcount, tampering
        before, found = found, await faults_of(owner)
        assert set(found) - set(before), tampering
    await owner.dispose()
