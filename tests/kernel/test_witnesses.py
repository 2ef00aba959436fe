"""Asking witnesses over a real network: who signs, who does not, and what receipts gain by it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from kernel.crypto.notes import WitnessSigner, open_checkpoint, write_offer
from kernel.crypto.receipts import verify_proof
from kernel.randomness import random_bytes, random_id
from kernel.settings import Settings
from kernel.store import founding
from kernel.store.database import LOG, connect
from kernel.store.transaction import Store
from kernel.store.transparency_log import latest_note, receipt_of
from kernel.store.witnesses import ask_all
from tests.conftest import START, Database
from tests.log_story import (
    Bystander,
    Slipped,
    Tick,
    bystanders,
    enter,
    served_plainly,
    somebody,
    utter,
)
from web.witnessing import Signed


@pytest.fixture
def log_vkey(store: Store, settings: Settings) -> str:
    return founding.read_keys(settings).log_signer.vkey


@pytest.fixture
async def lines(database: Database) -> AsyncIterator[AsyncEngine]:
    engine = connect(database.url(LOG), pool_size=4)
    yield engine
    await engine.dispose()


async def signed_by(line: AsyncEngine) -> set[str]:
    async with line.connect() as connection:
        rows = await connection.execute(text("SELECT witness FROM kernel.log_cosignature"))
        return {row[0] for row in rows}


async def test_a_quorum_gives_every_receipt_a_companion_that_verifies(
    store: Store, lines: AsyncEngine, tick: Tick, log_vkey: str, tmp_path: Path
) -> None:
    entry = await enter(store, Slipped(random_id(), START, START), somebody())
    await tick()
    async with bystanders(3, log_vkey=log_vkey, folder=tmp_path) as all_three:
        keys = [one.signer.vkey for one in all_three]
        await ask_all(lines, [all_three[0].told], quorum=2)
        async with store.sessions() as session:
            assert await receipt_of(session, entry, witnessed=True) is None
        # Two answer at the same moment: together they complete the quorum.
        await ask_all(lines, [one.told for one in all_three[1:]], quorum=2)
        async with store.sessions() as session:
            plain, companion = [
                await receipt_of(session, entry, witnessed=seen) for seen in (False, True)
            ]
        assert plain is not None
        assert companion is not None
        assert plain != companion
        proven = verify_proof(companion, log_vkey=log_vkey, witness_vkeys=keys)
        assert len(proven.checkpoint.cosignatures) >= 2

        await utter(store)
        await tick()
        await ask_all(lines, [one.told for one in all_three], quorum=2)
        async with store.sessions() as session:
            assert await receipt_of(session, entry, witnessed=True) == companion
            note = await latest_note(session, quorum=3)
        assert note is not None
        assert len(open_checkpoint(note, log_vkey, keys).cosignatures) == 3


async def test_witnesses_who_answer_at_once_never_miss_each_other(
    store: Store, lines: AsyncEngine, tick: Tick, log_vkey: str, tmp_path: Path
) -> None:
    async with bystanders(3, log_vkey=log_vkey, folder=tmp_path) as all_three:
        for _ in range(6):
            entry = await enter(store, Slipped(random_id(), START, START), somebody())
            await tick()
            await ask_all(lines, [one.told for one in all_three], quorum=3)
            async with store.sessions() as session:
                assert await receipt_of(session, entry, witnessed=True) is not None


async def test_a_witness_that_does_not_answer_keeps_nobody_from_signing(
    store: Store, lines: AsyncEngine, tick: Tick, log_vkey: str, tmp_path: Path
) -> None:
    await tick()
    gone = (WitnessSigner("gone.test/w", random_bytes(32)).vkey, "http://127.0.0.1:9")
    async with bystanders(1, log_vkey=log_vkey, folder=tmp_path) as (present,):
        await ask_all(lines, [gone, present.told], quorum=2)
    assert await signed_by(lines) == {present.signer.name}


async def test_a_witness_whose_answer_was_lost_is_asked_again_from_where_it_stands(
    store: Store, lines: AsyncEngine, tick: Tick, log_vkey: str, tmp_path: Path
) -> None:
    await tick()
    async with bystanders(1, log_vkey=log_vkey, folder=tmp_path) as (witness,):
        async with store.sessions() as session:
            note = await latest_note(session)
        assert note is not None
        async with httpx.AsyncClient() as client:
            lost = await client.post(
                f"{witness.address}/add-checkpoint", content=write_offer(0, [], note)
            )
        assert lost.status_code == 200
        await utter(store, 20)
        await tick()
        await ask_all(lines, [witness.told], quorum=1)
    assert await signed_by(lines) == {witness.signer.name}


async def test_a_database_that_was_rolled_back_finds_no_witness(
    store: Store,
    lines: AsyncEngine,
    tick: Tick,
    log_vkey: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    await tick()
    async with bystanders(1, log_vkey=log_vkey, folder=tmp_path) as (witness,):
        witness.memory.keep(Signed(10_000, random_bytes(32)))
        await ask_all(lines, [witness.told], quorum=1)
    assert await signed_by(lines) == set()
    assert "a witness did not sign" in capsys.readouterr().out


async def test_a_forked_database_finds_no_witness(
    store: Store, lines: AsyncEngine, tick: Tick, log_vkey: str, tmp_path: Path
) -> None:
    await tick()
    async with bystanders(1, log_vkey=log_vkey, folder=tmp_path) as (witness,):
        for size in (3, 8):
            witness.memory.keep(Signed(size, random_bytes(32)))
            await ask_all(lines, [witness.told], quorum=1)
    assert await signed_by(lines) == set()


@pytest.mark.parametrize("answer", ["", "nonsense", "— other.test/w AAAAAAAAAAAA\n"])
async def test_an_answer_that_is_no_signature_is_not_kept(
    store: Store, lines: AsyncEngine, tick: Tick, answer: str
) -> None:
    await tick()

    async def liar(_: Request) -> PlainTextResponse:
        return PlainTextResponse(answer)

    app = Starlette(routes=[Route("/add-checkpoint", liar, methods=["POST"])])
    vkey = WitnessSigner("liar.test/w", random_bytes(32)).vkey
    async with served_plainly(app) as address:
        await ask_all(lines, [(vkey, address)], quorum=1)
    assert await signed_by(lines) == set()


async def test_a_signature_by_another_key_is_not_kept(
    store: Store, lines: AsyncEngine, tick: Tick, log_vkey: str, tmp_path: Path
) -> None:
    await tick()
    namesake = WitnessSigner("witness0.test/w", random_bytes(32))
    async with bystanders(1, log_vkey=log_vkey, folder=tmp_path) as (witness,):
        assert isinstance(witness, Bystander)
        await ask_all(lines, [(namesake.vkey, witness.address)], quorum=1)
    assert await signed_by(lines) == set()


async def test_asking_again_what_is_signed_asks_nobody(
    store: Store, lines: AsyncEngine, tick: Tick, log_vkey: str, tmp_path: Path
) -> None:
    await tick()
    async with bystanders(1, log_vkey=log_vkey, folder=tmp_path) as (witness,):
        await ask_all(lines, [witness.told], quorum=1)
    # It is gone now, and nobody notices, because there is nothing to ask.
    await asyncio.wait_for(ask_all(lines, [witness.told], quorum=1), 5)
    assert await signed_by(lines) == {witness.signer.name}
