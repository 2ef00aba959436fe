"""Where gatherers may go and what there is to find: RFC 9309, the sitemap protocol 0.9."""

from __future__ import annotations

from urllib.robotparser import RobotFileParser
from xml.etree.ElementTree import fromstring

import httpx
from fastapi import FastAPI

from kernel.settings import Settings
from kernel.store.transaction import Store
from tests.tenders import a_cast, a_draft, a_published_lot
from tests.web.route_matrix import ANYONE, ROUTES
from web.app import create_app
from web.routes.signposts import PLACES, PRIVATE

PLACE = "{http://www.sitemaps.org/schemas/sitemap/0.9}loc"


async def test_gatherers_find_every_published_lot_and_no_draft(
    store: Store, settings: Settings
) -> None:
    cast = await a_cast(store)
    lot = await a_published_lot(store, cast)
    await a_draft(store, cast)
    transport = httpx.ASGITransport(app=create_app(store, settings))
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as visitor:
        index = fromstring((await visitor.get("/sitemap.xml")).content)
        (sheet,) = (one.text or "" for one in index.iter(PLACE))
        found = [
            (one.text or "").removeprefix(settings.origin)
            for one in fromstring(
                (await visitor.get(sheet.removeprefix(settings.origin))).content
            ).iter(PLACE)
        ]
        assert (await visitor.get("/sitemaps/2.xml")).status_code == 404
        robots = await visitor.get("/robots.txt")
    assert found == [*PLACES, f"/notices/{lot.lot_id}"]
    rules = RobotFileParser()
    rules.parse(robots.text.splitlines())
    assert all(rules.can_fetch("any", path) for path in (*found, "/notices.atom", "/openings.ics"))
    assert not any(rules.can_fetch("any", f"{path}") for path in PRIVATE)


def test_what_is_signposted_is_there_for_everybody(app: FastAPI) -> None:
    assert all(ROUTES[f"GET {path}"] == ANYONE for path in PLACES)
