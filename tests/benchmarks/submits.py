"""Submits against pgbench: the same durable Postgres, in turns.

A submit is measured from its signed statement to its verified receipt: intent, judgement, journal,
sequence, leaf, checkpoint, receipt. Sealing and uploading happen beforehand. What is compared are
two users of one Postgres, so there is no HTTP on either side: `trading.bidding` is called in the
process that also keeps the log, on a short tick. The peer is pgbench's TPC-B-like transaction, five
statements, with eight clients.
"""

from __future__ import annotations

import asyncio
import os
import re
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from importlib import import_module
from pathlib import Path
from uuid import UUID

from sqlalchemy import make_url, text

from kernel.clock import monotonic_s
from kernel.crypto.receipts import verify_proof
from kernel.settings import Settings
from kernel.store import founding
from kernel.store.clocks import hand_clock
from kernel.store.database import APP, LOG, OWNER, connect, session_factory
from kernel.store.documents import Documents
from kernel.store.embedded_postgres import EmbeddedPostgres
from kernel.store.sequencer import sequence_once
from kernel.store.transaction import Store
from kernel.store.transparency_log import integrate_once, publish_once
from tests.sealed_bids import (
    IN_TIME,
    Tender,
    a_bidder,
    a_sealed_bid,
    a_submission,
    a_tender,
    submitted,
    uploaded,
)
from tests.tenders import Player
from trading import reception

SUBMITS = 48
TICK_S = 0.05
PGBENCH_S = 3
SCALE = 8
PATIENCE_S = 60.0

Pair = Callable[[], Awaitable[tuple[float, float]]]


@dataclass(frozen=True, slots=True)
class _Ready:
    """A bidder whose envelopes are uploaded and whose statement is signed."""

    bidder: Player
    statement: bytes


@asynccontextmanager
async def submits(pairs: int) -> AsyncIterator[Pair]:
    """A measurement of submits/s and of pgbench's transactions/s, to be taken `pairs` times."""
    import_tables()
    with tempfile.TemporaryDirectory(prefix="sunbid-bench-") as folder:
        server = EmbeddedPostgres(Path(folder) / "postgres")
        await server.start()
        try:
            async with founded(server, Path(folder)) as (store, settings):
                tender = await a_tender(store)
                waiting = [await _ready(store, tender) for _ in range(pairs * SUBMITS)]
                await server.create_database("pgbench")
                await _pgbench(server, "-i", "-q", "-s", str(SCALE))
                vkey = founding.read_keys(settings).log_signer.vkey

                async def pair() -> tuple[float, float]:
                    batch = [waiting.pop() for _ in range(SUBMITS)]
                    own = await _submits_a_second(store, tender, batch, vkey)
                    return own, await _transactions_a_second(server)

                async with _log_kept(server, settings):
                    yield pair
        finally:
            server.stop()


def import_tables() -> None:
    """Make every row class known, for the tables to be made from."""
    for package in ("kernel.store", "blacklist", "expert_pool", "trading", "evaluation"):
        import_module(f"{package}.tables")


@asynccontextmanager
async def founded(server: EmbeddedPostgres, folder: Path) -> AsyncIterator[tuple[Store, Settings]]:
    """A store over a platform that was just founded on this server."""
    settings = Settings(data=folder, testing=True, log_origin="demo.sunbid.bench/log")
    owner = connect(server.url(role=OWNER), pool_size=1)
    try:
        await founding.make_tables(owner)
        keys = founding.make_keys(settings)
        await founding.found(owner, settings, keys, demo=True, start=IN_TIME)
    finally:
        await owner.dispose()
    engine = connect(server.url(role=APP))
    documents = Documents("", folder=folder / "documents")
    try:
        yield (
            Store(session_factory(engine), documents, settings, clock=hand_clock(IN_TIME)),
            settings,
        )
    finally:
        await engine.dispose()


async def _ready(store: Store, tender: Tender) -> _Ready:
    bidder = await a_bidder(store)
    files = a_sealed_bid(tender, bidder)
    await uploaded(store, bidder, tender.lot_id, files)
    return _Ready(bidder, a_submission(tender, bidder, files))


@asynccontextmanager
async def _log_kept(server: EmbeddedPostgres, settings: Settings) -> AsyncIterator[None]:
    engine = connect(server.url(role=LOG), pool_size=1)
    signer = founding.read_keys(settings).log_signer

    async def keep() -> None:
        async with engine.connect() as connection:
            while True:
                while await sequence_once(connection):
                    pass
                await integrate_once(connection, epoch_length=timedelta(days=1))
                await publish_once(connection, signer)
                await asyncio.sleep(TICK_S)

    keeping = asyncio.create_task(keep())
    try:
        yield
    finally:
        keeping.cancel()
        with suppress(asyncio.CancelledError):
            await keeping
        await engine.dispose()


async def _submits_a_second(
    store: Store, tender: Tender, batch: Sequence[_Ready], vkey: str
) -> float:
    """All of the batch at once, as in the last minute before a deadline."""
    async with reception.opened(store, patience_s=PATIENCE_S) as counter:
        before = await _bids(store, tender.lot_id)
        began = monotonic_s()
        answers = await asyncio.gather(
            *(submitted(store, counter, one.bidder, tender, one.statement) for one in batch)
        )
        took = monotonic_s() - began
    for answer in answers:
        assert answer.receipt is not None
        verify_proof(answer.receipt, log_vkey=vkey, witness_vkeys=())
    assert await _bids(store, tender.lot_id) - before == len(batch)
    return len(batch) / took


async def _bids(store: Store, lot_id: UUID) -> int:
    async with store.sessions() as session:
        counted = await session.execute(
            text("SELECT count(*) FROM trading.bid WHERE lot_id = :lot"), {"lot": lot_id}
        )
        return int(counted.scalar_one())


async def _transactions_a_second(server: EmbeddedPostgres) -> float:
    said = await _pgbench(server, "-n", "-c", "8", "-j", "2", "-T", str(PGBENCH_S))
    done = re.search(r"actually processed: (\d+)", said)
    rate = re.search(r"tps = ([0-9.]+)", said)
    assert done is not None
    assert rate is not None
    assert int(done[1]) > 0
    assert "failed transactions: 0 " in said
    return float(rate[1])


async def _pgbench(server: EmbeddedPostgres, *arguments: str) -> str:
    url = make_url(server.url(role=OWNER, database="pgbench"))
    beside = server.bin_dir / "pgbench"
    program = str(beside) if beside.exists() else "pgbench"
    process = await asyncio.create_subprocess_exec(
        program,
        *arguments,
        env={
            "PATH": os.environ.get("PATH", ""),
            "PGHOST": str(url.query["host"]),
            "PGPORT": str(url.query["port"]),
            "PGUSER": str(url.username),
            "PGDATABASE": str(url.database),
        },
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    told = said.decode(errors="replace")
    if process.returncode:
        raise RuntimeError(f"pgbench failed: {told[-300:]}")
    return told
