"""What the status board says, and that it stands without a database: 招标投标法 22."""

from __future__ import annotations

import httpx
from fastapi import FastAPI

from kernel.settings import Settings
from kernel.store.transaction import Store
from tests.tenders import a_cast, a_published_lot
from tests.web.tender_house import page
from web.app import create_app


async def told(app: FastAPI) -> dict[str, object]:
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as visitor:
        found: dict[str, object] = (await visitor.get("/api/v1/status")).json()
    return found


async def test_the_board_tells_what_works_and_of_nobody(store: Store, settings: Settings) -> None:
    app = create_app(store, settings)
    before = await told(app)
    await a_published_lot(store, await a_cast(store))
    assert await told(app) == before
    assert {one["part"]: one["works"] for one in before["parts"]} == {  # type: ignore[attr-defined]  # JSON
        "pages": True,
        "database": True,
        "log": False,
    }
    assert str(before["founded_at"]).startswith("2026-03-02T01:00:0"), "on the platform's own clock"
    assert "没有公布过故障" in await page(app, "/status")
    assert "None was published" in await page(app, "/en/status")
