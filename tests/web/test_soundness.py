"""The invariants checker asks every floor, and finds a fault on each."""

from __future__ import annotations

from collections.abc import AsyncIterator
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
from tests.opened_lots import Hall
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
from web.soundness import faults_in_rows, faults_of

TAMPERINGS = {
    "UPDATE kernel.journal SET subject_id = id WHERE receipted": "says something else than its row",
    "UPDATE kernel.sequence SET position = position + 1000": "positions are not dense",
    "UPDATE kernel.view_entry SET view = replace(view, 'party/', 'public/')": (
        "is numbered in view public/"
    ),
    "DELETE FROM kernel.log_leaf WHERE index = 0": "leaf 0 is missing",
    "DELETE FROM kernel.receipt": "has no receipt",
    "UPDATE kernel.receipt SET proof = replace(proof, 'index', 'place')": "does not verify",
    "UPDATE kernel.log_checkpoint SET size = size + 1": "not of the tree that is kept",
    "UPDATE kernel.request SET status = 500": "is no answer",
    "UPDATE trading.bid SET received_at = received_at + interval '1 second'": "instants differ",
    "UPDATE trading.bid SET seq = 7": "number 7, but the 1.",
    "UPDATE trading.bid SET statement_digest = sha256('x')": "say different things",
    "UPDATE trading.bid SET policy_digest = sha256('x')": "say different things",
    "UPDATE trading.bid SET withdrawn = true": "say different things",
    "UPDATE trading.bid SET entry_id = id": "tells of a submission that is not kept",
    "DELETE FROM trading.judgement": "never judged",
    "UPDATE trading.judgement SET entry_id = intent_id": "tells the judgement of",
    "UPDATE trading.judgement SET outcome = 'refused'": "tells the judgement of",
    "UPDATE trading.intent SET received_at = received_at + interval '1 second'": (
        "received otherwise"
    ),
    "UPDATE trading.intent SET statement = 'x'": "is not what was signed",
    "UPDATE trading.bid_envelope SET head = sha256('x')": "say different things",
    "UPDATE trading.bid_envelope SET header = 'x'": "not the one that its head names",
    "UPDATE trading.bid_envelope SET payload_size = payload_size + 1": "say different things",
    "UPDATE trading.bid_envelope SET payload_root = sha256('x')": "say different things",
    "UPDATE trading.bid_envelope SET payload_sha256 = sha256('x')": "say different things",
    "DELETE FROM trading.bid_envelope WHERE envelope = 'sheet'": "say different things",
    "DELETE FROM trading.bid_envelope; DELETE FROM trading.judgement; DELETE FROM trading.bid": (
        "tells of a submission that is not kept"
    ),
    "UPDATE trading.lot SET state = 'closing', path = path || CAST('closing' AS text)": (
        "recorded steps lead"
    ),
    "UPDATE trading.lot SET state = 'cancelled'": "recorded steps lead",
}
"""What somebody with the owner's hands might do, and what is then said of it."""

AT_THE_CLOSE = {
    "UPDATE trading.intent SET received_at = received_at - interval '1 second'": "not what was cut",
    "UPDATE trading.closing SET commitments = commitments[2:]": "not the one that was logged",
    "UPDATE trading.closing SET salt = sha256('x')": "not the one that was logged",
    "DELETE FROM trading.judgement": "were never judged",
    "UPDATE trading.bid SET withdrawn = true WHERE bidder_id IN (SELECT bidder_id FROM trading.bid"
    " LIMIT 1)": "lists other bids than those that count",
    "INSERT INTO trading.release (lot_id, head, bidder_id, secret, statement, released_at)"
    " SELECT lot_id, sha256('x'), bidder_id, 'x', 'x', now() FROM trading.bid LIMIT 1;"
    " UPDATE trading.lot SET state = 'closed'": "lies open before its opening",
}


async def found_after(owner: AsyncEngine, tampering: str) -> list[str]:
    """What the checker says after this was done, in a transaction that is then undone."""
    async with owner.connect() as connection:
        for (table,) in await connection.execute(
            text(
                "SELECT quote_ident(schemaname) || '.' || quote_ident(tablename) FROM pg_tables"
                " WHERE schemaname IN ('kernel', 'trading', 'expert_pool')"
            )
        ):
            if table in tampering:
                await connection.execute(text(f"ALTER TABLE {table} DISABLE TRIGGER USER"))
        for statement in tampering.split(";"):
            changed = await connection.execute(text(statement))
            assert changed.rowcount, statement
        return await faults_in_rows(connection)


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
    async with owner.begin() as connection:
        await connection.execute(
            text(
                "INSERT INTO kernel.request SELECT id, 'key', sha256('x'), 201, 'text/plain', 'x',"
                " now() FROM kernel.person LIMIT 1"
            )
        )
    assert await faults_of(owner, store.documents) == []
    for tampering, said in TAMPERINGS.items():
        found = await found_after(owner, tampering)
        assert any(said in fault for fault in found), (tampering, found)


async def test_a_closed_lot_is_sound_until_somebody_changes_it(
    hall: Hall, owner: AsyncEngine
) -> None:
    assert await faults_of(owner, hall.store.documents) == []
    for tampering, said in AT_THE_CLOSE.items():
        found = await found_after(owner, tampering)
        assert any(said in fault for fault in found), (tampering, found)


def _deleted(path: Path) -> None:
    path.unlink()


def _flipped(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def _torn(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


async def test_a_file_that_is_gone_or_changed_is_found_though_every_row_is_sound(
    store: Store, tick: Tick, owner: AsyncEngine, settings: Settings
) -> None:
    await _submitted(store, tick)
    for named in (
        "SELECT digest FROM trading.tender_document",
        "SELECT scheme_digest FROM trading.lot",
        "SELECT unnest(parts) FROM trading.bid_envelope WHERE envelope = 'sheet'",
        "SELECT unnest(parts) FROM trading.bid_envelope WHERE envelope = 'bid'",
    ):
        async with owner.connect() as connection:
            digest = (await connection.execute(text(named))).scalars().first()
        assert digest is not None
        folder = settings.data / "documents" / ("sealed" if "bid_envelope" in named else "")
        path = folder / digest.hex()[:2] / digest.hex()
        content = path.read_bytes()
        for tampering in (_deleted, _flipped, _torn):
            tampering(path)
            (fault,) = await faults_of(owner, store.documents)
            assert ("missing" if tampering is _deleted else "damaged") in fault, named
            path.write_bytes(content)
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
    found = set(await faults_of(owner, store.documents)) - set(await faults_of(owner))
    assert len(found) == 1, "the files tell, whatever the rows say"


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
