"""The log over a real database: positions, leaves, receipts, and what nobody can undo unseen."""

from __future__ import annotations

import itertools
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from kernel.access import PLATFORM, Actor, Role
from kernel.crypto import merkle
from kernel.crypto.receipts import verify_proof
from kernel.events import Audience, Event
from kernel.identifiers import EntryId, PartyId
from kernel.randomness import random_id
from kernel.settings import Settings
from kernel.store import founding
from kernel.store.database import OWNER, connect
from kernel.store.journal import read_view
from kernel.store.sequencer import sequence_once
from kernel.store.sound_log import log_faults
from kernel.store.transaction import Store, transaction
from kernel.store.transparency_log import (
    integrate_once,
    padded,
    proof_of,
    publish_once,
    receipt_of,
    tree_now,
)
from kernel.store.views import PUBLIC_FEED, own_acts, room
from tests.conftest import Database

Tick = Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Announced(Event):
    audience: ClassVar[Audience] = Audience.PUBLIC
    seals: ClassVar[bool] = True
    name: str


@dataclass(frozen=True, slots=True)
class Handed(Event):
    audience: ClassVar[Audience] = Audience.SEALED_UNTIL_CLOSE
    receipted: ClassVar[bool] = True
    name: str


@dataclass(frozen=True, slots=True)
class Shut(Event):
    audience: ClassVar[Audience] = Audience.PUBLIC
    discloses: ClassVar[bool] = True
    barrier: ClassVar[bool] = True


def somebody() -> Actor:
    return Actor(Role.BIDDER, party_id=PartyId(random_id()))


async def record(store: Store, event: Event, actor: Actor = PLATFORM) -> EntryId:
    async with transaction(store, actor=actor) as tx:
        return tx.record(event)


async def numbers(store: Store, view: str) -> list[tuple[int, str]]:
    async with store.sessions() as session:
        return [(e.number, e.kind) for e in await read_view(session, view, after=0)]


async def test_a_receipt_proves_that_its_record_stands_in_the_log(
    store: Store, tick: Tick, settings: Settings
) -> None:
    lot, bidder = random_id(), somebody()
    entry = await record(store, Handed(lot, "b"), bidder)
    await tick()

    async with store.sessions() as session:
        receipt = await receipt_of(session, entry)
        assert receipt is not None
        vkey = founding.read_keys(settings).log_signer.vkey
        assert b'"Handed"' in verify_proof(receipt, log_vkey=vkey, witness_vkeys=()).record


async def test_a_receipt_is_the_same_bytes_ever_after(store: Store, tick: Tick) -> None:
    entry = await record(store, Handed(random_id(), "b"), somebody())
    await tick()
    async with store.sessions() as session:
        first = await receipt_of(session, entry)
    for _ in range(3):
        await record(store, Announced(random_id(), "more"))
        await tick()
    async with store.sessions() as session:
        assert await receipt_of(session, entry) == first


async def test_a_sealed_entry_is_seen_by_its_party_alone_until_the_subject_is_disclosed(
    store: Store, tick: Tick
) -> None:
    lot, one, other = random_id(), somebody(), somebody()
    await record(store, Announced(lot, "lot"))
    await record(store, Handed(lot, "one"), one)
    await record(store, Handed(lot, "other"), other)
    await tick()

    assert await numbers(store, own_acts(one.party)) == [(1, "Handed")]
    assert await numbers(store, room(lot, Audience.SUPERVISORS)) == [(1, "Announced")]
    assert await numbers(store, room(lot, Audience.PUBLIC)) == [(1, "Announced")]

    await record(store, Shut(lot))
    await tick()
    assert await numbers(store, room(lot, Audience.SUPERVISORS)) == [
        (1, "Announced"),
        (2, "Shut"),
        (3, "Handed"),
        (4, "Handed"),
    ]
    assert await numbers(store, room(lot, Audience.PUBLIC)) == [(1, "Announced"), (2, "Shut")]


async def test_a_sealed_entry_recorded_after_the_disclosure_is_shown_at_once(
    store: Store, tick: Tick
) -> None:
    lot = random_id()
    await record(store, Announced(lot, "lot"))
    await record(store, Shut(lot))
    await record(store, Handed(lot, "late"), somebody())
    await tick()
    assert await numbers(store, room(lot, Audience.SUPERVISORS)) == [
        (1, "Announced"),
        (2, "Shut"),
        (3, "Handed"),
    ]


async def test_the_tree_grows_by_the_same_size_whether_much_or_nothing_happened(
    store: Store, tick: Tick
) -> None:
    await tick()
    sizes = []
    for count in (0, 1, 5, 0):
        for _ in range(count):
            await record(store, Handed(random_id(), "b"), somebody())
        await tick()
        async with store.sessions() as session:
            sizes.append((await tree_now(session)).size)
    steps = [after - before for before, after in itertools.pairwise(sizes)]
    assert steps == [8, 8, 8]


@pytest.mark.parametrize(
    ("entries", "leaves"), [(0, 8), (1, 8), (8, 8), (9, 64), (64, 64), (65, 512), (513, 4096)]
)
def test_a_batch_is_padded_to_the_next_power_of_eight(entries: int, leaves: int) -> None:
    assert padded(entries) == leaves


async def test_a_barrier_stands_behind_everything_before_it(store: Store, tick: Tick) -> None:
    lot = random_id()
    before = [await record(store, Handed(lot, str(n)), somebody()) for n in range(6)]
    shut = await record(store, Shut(lot))
    await tick()
    async with store.sessions() as session:
        rows = await session.execute(text("SELECT entry_id, index FROM kernel.log_place"))
        places = {entry: index for entry, index in rows}
    assert max(places[entry] for entry in before) < places[shut]


async def test_the_stored_nodes_give_the_root_of_all_leaves(store: Store, tick: Tick) -> None:
    for round_number in range(5):
        for _ in range(round_number * 3):
            await record(store, Handed(random_id(), "x"), somebody())
        await tick()
    async with store.sessions() as session:
        rows = await session.execute(text("SELECT hash FROM kernel.log_leaf ORDER BY index"))
        tree = await tree_now(session)
        assert merkle.root([row[0] for row in rows]) == tree.root


async def test_a_process_that_dies_before_signing_signs_the_committed_tree_later(
    store: Store, log_line: AsyncEngine, settings: Settings
) -> None:
    await record(store, Handed(random_id(), "x"), somebody())
    async with log_line.connect() as connection:
        await sequence_once(connection)
        tree = await integrate_once(connection, epoch_length=timedelta(days=1))
    signer = founding.read_keys(settings).log_signer
    async with log_line.connect() as connection:
        note = await publish_once(connection, signer)
        assert note == await publish_once(connection, signer)
    assert note.split("\n")[1] == str(tree.size)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE kernel.journal SET kind = 'x'",
        "DELETE FROM kernel.journal",
        "TRUNCATE kernel.journal CASCADE",
        "UPDATE kernel.log_leaf SET data = ''",
        "DELETE FROM kernel.receipt",
        "INSERT INTO kernel.log_leaf (index, data) VALUES (999, '')",
        "SELECT key FROM kernel.filler_epoch",
    ],
)
async def test_the_application_cannot_rewrite_what_was_recorded(
    store: Store, tick: Tick, statement: str
) -> None:
    await tick()
    async with store.sessions() as session:
        with pytest.raises(DBAPIError, match=r"permission denied|append-only"):
            await session.execute(text(statement))


async def test_even_the_owner_is_stopped_by_the_triggers(
    store: Store, tick: Tick, database: Database
) -> None:
    await tick()
    engine = connect(database.url(OWNER), pool_size=1)
    async with engine.connect() as connection:
        for statement in ("DELETE FROM kernel.journal", "UPDATE kernel.log_leaf SET data = ''"):
            with pytest.raises(DBAPIError, match="append-only"):
                await connection.execute(text(statement))
            await connection.rollback()
    await engine.dispose()


async def test_the_public_feed_has_no_gap_however_much_is_sealed(store: Store, tick: Tick) -> None:
    lot = random_id()
    for n in range(4):
        await record(store, Handed(lot, "x"), somebody())
        await record(store, Announced(UUID(int=n + 1), "y"))
    await tick()
    seen = [number for number, _ in await numbers(store, PUBLIC_FEED)]
    assert seen == list(range(1, len(seen) + 1))


async def test_a_proof_made_now_verifies(store: Store, tick: Tick, settings: Settings) -> None:
    entry = await record(store, Announced(random_id(), "a"))
    await tick()
    await tick()
    async with store.sessions() as session:
        proof = await proof_of(session, entry)
    assert proof is not None
    vkey = founding.read_keys(settings).log_signer.vkey
    assert verify_proof(proof, log_vkey=vkey, witness_vkeys=()).index >= 0


async def test_a_sound_log_has_no_faults_and_every_tampering_is_found(
    store: Store, tick: Tick, database: Database
) -> None:
    for n in range(12):
        await record(store, Handed(random_id(), str(n)), somebody())
        await tick()
    owner = connect(database.url(OWNER), pool_size=1)
    async with owner.connect() as connection:
        assert await log_faults(connection) == []
        await connection.rollback()
        for tampering in TAMPERINGS:
            for table in ("journal", "log_leaf", "log_node", "log_batch", "receipt", "view_entry"):
                await connection.execute(text(f"ALTER TABLE kernel.{table} DISABLE TRIGGER USER"))
            await connection.execute(text(tampering))
            assert await log_faults(connection) != [], tampering
            await connection.rollback()
    await owner.dispose()


TAMPERINGS = (
    "UPDATE kernel.journal SET record = record || ' ' WHERE kind = 'Handed'",
    "UPDATE kernel.journal SET kind = 'Taken' WHERE kind = 'Handed'",
    "UPDATE kernel.journal SET operator = operator || ' ' WHERE kind = 'Handed'",
    "UPDATE kernel.log_leaf SET data = sha256(data) WHERE index = 3",
    "DELETE FROM kernel.log_leaf WHERE index = 5",
    "UPDATE kernel.log_node SET hash = sha256(hash) WHERE level = 1 AND index = 1",
    "UPDATE kernel.log_batch SET root = sha256(root)",
    "UPDATE kernel.receipt SET proof = replace(proof, 'index', 'Index')",
    "UPDATE kernel.view_entry SET number = number + 100 WHERE view LIKE 'party/%'",
)
