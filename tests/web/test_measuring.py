"""Health, readiness, and metrics that tell nobody of a sealed act (招标投标法 22)."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID, uuid4

import httpx
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
from tests.web.route_matrix import ANYONE, ROUTES
from tests.web.tender_house import HTML, token_of
from trading import reception
from web import measuring

ANY_PART = re.compile(r"\{[a-z_:]+\}")


@asynccontextmanager
async def visiting(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        yield client


async def metrics(app: FastAPI) -> str:
    async with visiting(app) as client:
        answer = await client.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain")
    return answer.text


async def test_nothing_a_bidder_does_moves_a_metric(app: FastAPI, store: Store, tick: Tick) -> None:
    tender, bidder = await a_tender(store), await a_bidder(store)
    before = await metrics(app)
    files = a_sealed_bid(tender, bidder)
    await uploaded(store, bidder, tender.lot_id, files)
    then = at(store, IN_TIME)
    async with reception.opened(then) as counter, ticking(tick):
        raw = a_submission(tender, bidder, files)
        answer = await submitted(then, counter, bidder, tender, raw)
    assert answer.receipt is not None
    assert answer.judgement is not None
    token = await token_of(store, bidder)
    async with visiting(app) as client:
        client.headers["Authorization"] = f"Bearer {token}"
        for path in bidders_way(tender.lot_id, answer.judgement.entry_id):
            for prefix in ("", "/en") if not path.startswith(("/api", "/log")) else ("",):
                got = await client.get(prefix + path, headers=HTML)
                assert got.status_code in (200, 404, 409), prefix + path
    async with visiting(app) as stranger:
        for path in bidders_way(tender.lot_id, answer.judgement.entry_id):
            await stranger.get(path)
        for sealed in ("bids", "uploads"):
            await stranger.post(f"/api/v1/lots/{tender.lot_id}/{sealed}")
    assert await metrics(app) == before


def bidders_way(lot: UUID, entry: UUID) -> tuple[str, ...]:
    """Where somebody who bids goes, from the first look to the check of the receipt."""
    return (
        *("/", "/notices", f"/notices/{lot}", f"/notices/{lot}/documents"),
        *(f"/api/v1/lots/{lot}{end}" for end in ("", "/documents", "/timetable", "/bids/mine")),
        *(f"/api/v1/lots/{lot}/uploads", f"/api/v1/lots/{lot}/sealing-package"),
        *("/bids", f"/lots/{lot}/bid", f"/api/v1/receipts/{entry}"),
        *("/transparency", "/log/checkpoint", "/log/tile/0/000", f"/api/v1/log/proofs/{entry}"),
        *("/openings", f"/openings/{lot}", f"/openings/{lot}/board", f"/api/v1/lots/{lot}/opening"),
        *(f"/awards/{lot}", f"/awards/{lot}/board", f"/awards/{lot}/notice"),
        *("/sign-in", "/register", "/account", "/api/v1/sessions/current", "/api/v1/clock"),
    )


def test_counted_is_only_what_is_open_to_everybody_and_about_no_lot() -> None:
    for path in measuring.COUNTED:
        assert ROUTES[f"GET {path}"] == ANYONE
        assert "{" not in path


async def test_no_other_route_is_counted_whatever_its_path_begins_with(app: FastAPI) -> None:
    others = [name.removeprefix("GET ") for name in ROUTES if name.startswith("GET ")]
    before = await metrics(app)
    async with visiting(app) as client:
        for path in set(others) - measuring.COUNTED:
            await client.get(ANY_PART.sub(str(uuid4()), path))
        for path in measuring.COUNTED:
            await client.get(f"{path}/{uuid4()}")
            await client.get(f"{path}{uuid4()}")
            await client.post(path)
    assert await metrics(app) == before


async def test_what_is_counted_is_counted_without_saying_what(app: FastAPI) -> None:
    for path in sorted(measuring.COUNTED):
        before = await metrics(app)
        async with visiting(app) as client:
            await client.get(path)
        after = await metrics(app)
        assert after != before, path
        assert names_in(after) == names_in(before)
    before = await metrics(app)
    async with visiting(app) as client:
        await client.get("/en/rules")
    assert await metrics(app) != before
    labels = {
        line.partition("{")[2].partition("=")[0] for line in after.splitlines() if "{" in line
    }
    assert labels <= {"status", "le"}


def names_in(told: str) -> list[str]:
    """The lines of the metrics without their values."""
    return [line.rpartition(" ")[0] for line in told.splitlines()]


async def test_a_process_lives_and_is_ready_while_its_database_is_a_platform(
    app: FastAPI,
) -> None:
    async with visiting(app) as client:
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
