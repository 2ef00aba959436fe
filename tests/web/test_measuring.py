"""Health, readiness, and metrics that tell nobody of a sealed act (招标投标法 22)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
from fastapi import FastAPI

from kernel.settings import Settings
from kernel.store.database import APP, OWNER, connect, session_factory
from kernel.store.documents import Documents
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
from tests.tenders import Player
from tests.web.bid_house import bid_house
from tests.web.tender_house import client_of
from trading import reception
from web import measuring


@asynccontextmanager
async def visiting(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        yield client


@pytest.fixture
async def house(store: Store, settings: Settings) -> AsyncIterator[FastAPI]:
    async with bid_house(store, settings) as app:
        app.include_router(measuring.router)
        measuring.measure(app)
        yield app


async def metrics(app: FastAPI) -> str:
    async with visiting(app) as client:
        answer = await client.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain")
    return answer.text


async def test_nothing_a_bidder_does_moves_a_metric(
    house: FastAPI, store: Store, tick: Tick
) -> None:
    tender, bidder = await a_tender(store), await a_bidder(store)
    before = await metrics(house)
    files = a_sealed_bid(tender, bidder)
    await uploaded(store, bidder, tender.lot_id, files)
    then = at(store, IN_TIME)
    async with reception.opened(then) as counter, ticking(tick):
        raw = a_submission(tender, bidder, files)
        answer = await submitted(then, counter, bidder, tender, raw)
    assert answer.receipt is not None
    await _over_http(house, bidder, str(tender.lot_id))
    assert await metrics(house) == before


async def _over_http(house: FastAPI, bidder: Player, lot_id: str) -> None:
    """What bidders alone ask for, as the places show it, and what is refused."""
    async with await client_of(house, bidder) as client:
        mine = await client.get(f"/api/v1/lots/{lot_id}/bids/mine")
        assert mine["bids"]
    async with visiting(house) as stranger:
        for method, path in (
            ("GET", f"/api/v1/lots/{lot_id}/bids/mine"),
            ("POST", f"/api/v1/lots/{lot_id}/bids"),
            ("POST", f"/api/v1/lots/{lot_id}/uploads"),
            ("GET", f"/api/v1/lots/{lot_id}/documents"),
        ):
            await stranger.request(method, path)


async def test_reading_what_is_open_to_all_is_counted_without_saying_what(house: FastAPI) -> None:
    before = await metrics(house)
    async with visiting(house) as client:
        await client.get("/notices")
        await client.get("/notices/nothing-of-the-kind")
    after = await metrics(house)
    assert after != before
    assert "nothing-of-the-kind" not in after
    labels = {
        line.partition("{")[2].partition("=")[0] for line in after.splitlines() if "{" in line
    }
    assert labels <= {"status", "le"}


async def test_a_process_lives_and_is_ready_while_its_database_is_a_platform(
    house: FastAPI,
) -> None:
    async with visiting(house) as client:
        assert (await client.get("/healthz")).text == "ok\n"
        assert (await client.get("/readyz")).status_code == 200


async def readiness(url: str, settings: Settings) -> tuple[int, int]:
    """How health and readiness answer over this database."""
    engine = connect(url, pool_size=1)
    app = FastAPI()
    app.state.store = Store(
        session_factory(engine), Documents("", folder=settings.data / "documents"), settings
    )
    app.include_router(measuring.router)
    async with visiting(app) as client:
        answers = (
            (await client.get("/healthz")).status_code,
            (await client.get("/readyz")).status_code,
        )
    await engine.dispose()
    return answers


async def test_without_its_database_a_process_lives_but_is_not_ready(
    database: Database, settings: Settings
) -> None:
    gone = "postgresql+asyncpg://nobody@127.0.0.1:9/nothing"
    assert await readiness(gone, settings) == (200, 503)


async def test_a_database_without_a_platform_is_not_ready(
    database: Database, settings: Settings
) -> None:
    assert await readiness(database.url(APP), settings) == (200, 503)
    assert await readiness(database.url(OWNER), settings) == (200, 503)
