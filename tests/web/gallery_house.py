"""A small house with the gallery in it: no database, and a demonstration's clock held in hand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
from fastapi import APIRouter, FastAPI
from fastapi.staticfiles import StaticFiles

from kernel.crypto.digests import instant_text
from kernel.errors import Refused
from kernel.refusals import Refusal
from kernel.settings import Settings
from kernel.statute import BIDDING_LAW, BIDDING_REGULATION
from web import frame, problems, security_headers, visitor_choices
from web.frame import Jump, Moment
from web.pages import STATIC
from web.routes import component_gallery

NOW = datetime(2026, 11, 22, 1, 15, 33, tzinfo=UTC)
"""Sunday 2026-11-22 09:15:33 in Beijing."""

OFFSET = timedelta(days=20, hours=3)
DEMONSTRATION = Moment(
    NOW, demo=True, offset=OFFSET, jump=Jump(NOW - timedelta(minutes=3), "投标截止")
)
PAGE = {"Accept": "text/html"}


def gallery_house(
    moment: Moment = DEMONSTRATION,
    *,
    settings: Settings | None = None,
    more: APIRouter | None = None,
) -> FastAPI:
    """An app with the gallery, the frame's middleware and two routes that fail."""
    app = FastAPI()
    app.state.settings = settings or Settings(testing=True, data=Path())
    app.include_router(component_gallery.router)
    if more is not None:
        app.include_router(more)

    @app.get("/refused")
    async def refused() -> None:
        raise Refused(
            [
                Refusal("late", BIDDING_REGULATION[36], "投标文件逾期送达"),
                Refusal("barred", BIDDING_LAW[26], "投标人处于禁止投标期内"),
            ]
        )

    @app.get("/defect")
    async def defect() -> None:
        raise RuntimeError("a defect")

    @app.get("/api/v1/clock")
    async def clock() -> dict[str, object]:
        return {
            "now": instant_text(moment.now),
            "offset_s": moment.offset.total_seconds(),
            "demo": moment.demo,
        }

    async def look() -> Moment:
        return moment

    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    problems.answer_with_problems(app)
    frame.put_around(app, look=look)
    visitor_choices.offer(app)
    security_headers.guard(app)
    return app


def visiting(app: FastAPI) -> httpx.AsyncClient:
    """A reader of pages, who follows no redirect; defects come back as answers."""
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://localhost:8000", headers=PAGE)
