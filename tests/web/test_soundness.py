"""The invariants checker asks every floor, and finds a fault on each."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from kernel.crypto.digests import sha256
from kernel.settings import Settings
from kernel.store.database import OWNER, connect
from kernel.store.transaction import Store, transaction
from tests.conftest import Database
from tests.log_story import Tick
from tests.sealed_bids import (
    IN_TIME,
    SealedFile,
    a_bidder,
    a_sealed_bid,
    a_submission,
    a_tender,
    at,
    submitted,
    ticking,
    uploaded,
)
from trading import reception, uploading
from web.soundness import faults_of

TAMPERINGS = (
    ("kernel.journal", "UPDATE kernel.journal SET subject_id = id WHERE receipted"),
    ("kernel.sequence", "UPDATE kernel.sequence SET position = position + 1000"),
    ("kernel.log_leaf", "DELETE FROM kernel.log_leaf WHERE index = 0"),
    ("trading.bid", "UPDATE trading.bid SET received_at = received_at + interval '1 second'"),
    ("trading.bid", "UPDATE trading.bid SET seq = 7"),
)


async def _submitted(store: Store, tick: Tick) -> tuple[SealedFile, SealedFile]:
    """A bid that was taken in, and its files."""
    tender, bidder = await a_tender(store), await a_bidder(store)
    files = a_sealed_bid(tender, bidder)
    await uploaded(store, bidder, tender.lot_id, files)
    then = at(store, IN_TIME)
    async with reception.opened(then) as counter, ticking(tick):
        raw = a_submission(tender, bidder, files)
        await submitted(then, counter, bidder, tender, raw)
    await tick()
    return files


@pytest.fixture
async def owner(database: Database) -> AsyncIterator[AsyncEngine]:
    engine = connect(database.url(OWNER), pool_size=1)
    yield engine
    await engine.dispose()


async def test_a_tender_with_a_bid_is_sound_until_somebody_changes_it(
    store: Store, tick: Tick, owner: AsyncEngine
) -> None:
    await _submitted(store, tick)
    found = await faults_of(owner, store.documents)
    assert found == []
    for table, tampering in TAMPERINGS:
        async with owner.begin() as connection:
            await connection.execute(text(f"ALTER TABLE {table} DISABLE TRIGGER USER"))
            changed = await connection.execute(text(tampering))
            assert changed.rowcount, tampering
        before, found = found, await faults_of(owner, store.documents)
        assert set(found) - set(before), tampering


def _deleted(path: Path) -> None:
    path.unlink()


def _flipped(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def _torn(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


@pytest.mark.parametrize("tampering", [_deleted, _flipped, _torn])
@pytest.mark.parametrize(
    "named",
    [
        "SELECT digest FROM trading.tender_document",
        "SELECT scheme_digest FROM trading.lot",
        "SELECT unnest(parts) FROM trading.bid_envelope WHERE envelope = 'sheet'",
        "SELECT unnest(parts) FROM trading.bid_envelope WHERE envelope = 'bid'",
    ],
)
async def test_a_file_that_is_gone_or_changed_is_found_though_every_row_is_sound(
    store: Store,
    tick: Tick,
    owner: AsyncEngine,
    settings: Settings,
    named: str,
    tampering: Callable[[Path], None],
) -> None:
    await _submitted(store, tick)
    async with owner.connect() as connection:
        digest = (await connection.execute(text(named))).scalars().first()
    assert digest is not None
    folder = settings.data / "documents" / ("sealed" if "bid_envelope" in named else "")
    tampering(folder / digest.hex()[:2] / digest.hex())
    (fault,) = await faults_of(owner, store.documents)
    assert ("missing" if tampering is _deleted else "damaged") in fault
    assert await faults_of(owner) == []


async def test_a_part_lies_in_the_sealed_drawer_and_nowhere_else(
    store: Store, tick: Tick, owner: AsyncEngine
) -> None:
    """Electronic Bidding Measures 27: what is sealed is not kept where anybody can ask for it."""
    _, bid = await _submitted(store, tick)
    (part,) = bid.parts
    await uploading.sealed_drawer(store.documents).discard(sha256(part))
    await store.documents.keep(part)
    (fault,) = await faults_of(owner, store.documents)
    assert "missing" in fault


@pytest.mark.parametrize(
    "tampering",
    [
        "payload_size = payload_size + 1",
        "payload_size = payload_size + 8388608",
        "payload_root = payload_sha256",
        "payload_sha256 = payload_root",
        "parts = ARRAY[parts[1], parts[1]]",
        "parts = (SELECT o.parts FROM trading.bid_envelope o WHERE o.envelope <> e.envelope)",
    ],
)
async def test_an_envelope_whose_parts_are_not_its_payload_is_found(
    store: Store, tick: Tick, owner: AsyncEngine, tampering: str
) -> None:
    await _submitted(store, tick)
    async with owner.begin() as connection:
        await connection.execute(text("ALTER TABLE trading.bid_envelope DISABLE TRIGGER USER"))
        await connection.execute(
            text(f"UPDATE trading.bid_envelope e SET {tampering} WHERE envelope = 'bid'")
        )
    assert len(await faults_of(owner, store.documents)) == 1


async def test_a_part_that_was_sent_and_lost_before_any_bid_is_found(
    store: Store, owner: AsyncEngine
) -> None:
    tender, bidder = await a_tender(store), await a_bidder(store)
    sheet, bid = a_sealed_bid(tender, bidder)
    await uploaded(store, bidder, tender.lot_id, (sheet, bid))
    assert await faults_of(owner, store.documents) == []
    await uploading.sealed_drawer(store.documents).discard(sha256(bid.parts[0]))
    (fault,) = await faults_of(owner, store.documents)
    assert fault == f"part {sha256(bid.parts[0]).hex()} was sent and is missing"


async def test_an_upload_that_was_given_up_and_swept_is_no_fault(
    store: Store, owner: AsyncEngine
) -> None:
    tender, bidder = await a_tender(store), await a_bidder(store)
    ids = await uploaded(store, bidder, tender.lot_id, a_sealed_bid(tender, bidder))
    async with transaction(at(store, IN_TIME), actor=bidder.actor) as tx:
        await uploading.discard_upload(tx, ids[0])
    assert await uploading.sweep(store) == 1
    assert await faults_of(owner, store.documents) == []
