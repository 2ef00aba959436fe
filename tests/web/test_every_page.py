"""Every page of the house is opened once in a browser, by somebody who may, on a narrow screen.

A page that is not in the list fails. WCAG 2.2, 1.4.10 (no page is wider than 320 px), 2.4.2 and
2.4.6 (each says what it is).
"""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

import pytest
from fastapi import FastAPI
from playwright.async_api import Browser, Page, expect

from kernel.access import PUBLIC, Role
from kernel.store.parties import organisation
from kernel.store.transaction import Store, transaction
from tests.committees_at_work import KeptCommittees, WorkRoom
from tests.listings import ListedLand, listed_land
from tests.tenders import (
    NOW,
    Player,
    PublishedLot,
    a_draft,
    a_player,
    a_published_lot,
    lot_terms,
    nominations,
)
from tests.web.browser import (
    assert_holds_everywhere,
    assert_no_overflow,
    chromium,
    open_page,
    served,
)
from tests.web.evaluation_house import evaluation_house
from tests.web.every_route import routes_of
from tests.web.tender_house import token_of
from trading import drafting

__all__ = ["chromium"]

pytestmark = pytest.mark.browser

NO_PAGES = ("GET /api/", "GET /log/", "GET /healthz", "GET /readyz", "GET /metrics")
SEEN_ELSEWHERE = {
    "GET /openings/{lot_id}/board": "a part of the hall, which loads it",
    "GET /draws/{draw_id}/board": "a part of the draw's page, which loads it",
    "GET /evaluation/{committee_id}/board": "a part of the room, which loads it",
    "GET /awards/{lot_id}/board": "a part of the award's page, which loads it",
    "GET /listings/{listing_id}/board": "a part of the listing's page, which loads it",
    "GET /contracts/{lot_id}/board": "a part of the contract's page, which loads it",
    "GET /supervision/board": "a part of the supervision room, which loads it",
    "GET /robots.txt": "for gatherers, and no page: tests/web/test_signposts.py",
    "GET /sitemap.xml": "for gatherers, and no page: tests/web/test_signposts.py",
    "GET /sitemaps/{number}.xml": "for gatherers, and no page: tests/web/test_signposts.py",
    "GET /stats/{topic}.csv": "a table and no page: tests/web/test_open_data.py",
    "GET /data/awards.csv": "a table and no page: tests/web/test_open_data.py",
    "GET /data/terminations.csv": "a table and no page: tests/web/test_open_data.py",
    "GET /notices.atom": "a feed and no page: tests/web/test_news_stand.py",
    "GET /notices.json": "a feed and no page: tests/web/test_news_stand.py",
    "GET /notices.csv": "a table and no page: tests/web/test_news_stand.py",
    "GET /openings.ics": "a calendar and no page: tests/web/test_news_stand.py",
    "GET /openings/{lot_id}.ics": "a calendar and no page: tests/web/test_news_stand.py",
    "GET /notices/{lot_id}/diff/{old}..{new}": "of two versions: tests/web/test_notice_archive.py",
    "GET /notices/{lot_id}/termination": "of a lot that ended: tests/web/test_notice_archive.py",
    "GET /prequalifications/{lot_id}": "once called for: tests/web/test_prequalification_desk.py",
    "GET /codes/{code}": "leads on to what the code stands for: tests/web/test_file_desk.py",
    "GET /complaints/{complaint_id}": "once one is filed: tests/web/test_complaint_desk.py",
    "GET /notices/{lot_id}/documents": "while they are on offer: tests/web/test_public_hall.py",
    "GET /reviews/{committee_id}": "in a review: tests/evaluation/test_qualifying.py",
    "GET /evaluation/{committee_id}/talks": "in talks: tests/journeys/test_negotiation.py",
    "GET /talks/{lot_id}": "in talks: tests/journeys/test_negotiation.py",
    "GET /lots/{lot_id}/price-agreement": "for one supplier: tests/web/test_sole_supplier_desk.py",
    "GET /awards/{lot_id}/notice": "there is one after the award: tests/web/test_award_hall.py",
}


WATCHED = """
window.breaches = [];
addEventListener('securitypolicyviolation', (breach) => {
  window.breaches.push(`${breach.violatedDirective} ${breach.blockedURI}`);
});
"""
STATUS = "performance.getEntriesByType('navigation')[0].responseStatus"


@dataclass(slots=True)
class House:
    """A lot under evaluation, another open for bids, a third in preparation, and a listing."""

    app: FastAPI
    address: str
    room: WorkRoom
    open_lot: PublishedLot
    draft_id: str
    bidder: Player
    land: ListedLand
    uscc: str

    def pages(self) -> dict[str, tuple[Player | None, str]]:
        """Who looks at each page, and its path."""
        room, cast = self.room, self.room.hall.tender.cast
        lot, project = room.lot_id, room.hall.tender.lot.project_id
        agency, expert = cast.agency, room.drawn[0].player
        return {
            "GET /": (None, "/"),
            "GET /sign-in": (None, "/sign-in"),
            "GET /register": (None, "/register"),
            "GET /join": (None, f"/join?organisation={agency.party}"),
            "GET /demo/sign-in": (None, "/demo/sign-in"),
            "GET /account": (agency, "/account"),
            "GET /inbox": (agency, "/inbox"),
            "GET /me/consents": (agency, "/me/consents"),
            "GET /centre/erasures": (cast.staff, "/centre/erasures"),
            "GET /inbox/choices": (agency, "/inbox/choices"),
            "GET /lots/{lot_id}/deliveries": (agency, f"/lots/{lot}/deliveries"),
            "GET /lots/{lot_id}/halts": (room.supervisor, f"/lots/{lot}/halts"),
            "GET /demo/outbox": (None, "/demo/outbox"),
            "GET /transparency": (None, "/transparency"),
            "GET /notices": (None, "/notices"),
            "GET /notices/{lot_id}": (None, f"/notices/{lot}"),
            "GET /notices/{lot_id}/questions": (
                self.bidder,
                f"/notices/{self.open_lot.lot_id}/questions",
            ),
            "GET /projects/{project_id}": (None, f"/projects/{project}"),
            "GET /desk": (agency, "/desk"),
            "GET /desk/projects/new": (agency, "/desk/projects/new"),
            "GET /desk/projects/{project_id}": (agency, f"/desk/projects/{project}"),
            "GET /desk/projects/{project_id}/lots/new": (
                agency,
                f"/desk/projects/{project}/lots/new",
            ),
            "GET /desk/lots/{lot_id}": (agency, f"/desk/lots/{lot}"),
            "GET /desk/lots/{lot_id}/edit": (agency, f"/desk/lots/{self.draft_id}/edit"),
            "GET /desk/lots/{lot_id}/award-method": (
                agency,
                f"/desk/lots/{self.draft_id}/award-method",
            ),
            "GET /desk/lots/{lot_id}/sole-supplier": (
                agency,
                f"/desk/lots/{self.draft_id}/sole-supplier",
            ),
            "GET /desk/lots/{lot_id}/invited": (agency, f"/desk/lots/{self.draft_id}/invited"),
            "GET /desk/lots/{lot_id}/file": (agency, f"/desk/lots/{self.draft_id}/file"),
            "GET /desk/lots/{lot_id}/file/figures": (
                agency,
                f"/desk/lots/{self.draft_id}/file/figures",
            ),
            "GET /desk/lots/{lot_id}/file/blocks/new": (
                agency,
                f"/desk/lots/{self.draft_id}/file/blocks/new",
            ),
            "GET /desk/lots/{lot_id}/file/blocks/{number}": (
                agency,
                f"/desk/lots/{self.draft_id}/file/blocks/3.2",
            ),
            "GET /desk/lots/{lot_id}/readiness": (
                agency,
                f"/desk/lots/{self.open_lot.lot_id}/readiness",
            ),
            "GET /desk/lots/{lot_id}/trial": (agency, f"/desk/lots/{self.draft_id}/trial"),
            "GET /desk/lots/{lot_id}/checkup": (agency, f"/desk/lots/{self.draft_id}/checkup"),
            "GET /prequalifications": (None, "/prequalifications"),
            "GET /desk/lots/{lot_id}/prequalification": (
                agency,
                f"/desk/lots/{self.draft_id}/prequalification",
            ),
            "GET /bids": (self.bidder, "/bids"),
            "GET /lots/{lot_id}/bid": (self.bidder, f"/lots/{self.open_lot.lot_id}/bid"),
            "GET /lots/{lot_id}/security": (self.bidder, f"/lots/{self.open_lot.lot_id}/security"),
            "GET /lots/{lot_id}/securities": (agency, f"/lots/{lot}/securities"),
            "GET /account-desk": (cast.staff, "/account-desk"),
            "GET /lots/{lot_id}/validity": (agency, f"/lots/{lot}/validity"),
            "GET /openings": (None, "/openings"),
            "GET /openings/{lot_id}": (None, f"/openings/{lot}"),
            "GET /custodian": (cast.custodians[0], "/custodian"),
            "GET /experts": (expert, "/experts"),
            "GET /draws/{draw_id}": (None, f"/draws/{room.draw.draw_id}"),
            "GET /centre": (cast.staff, "/centre"),
            "GET /centre/library": (cast.staff, "/centre/library"),
            "GET /library": (self.bidder, "/library"),
            "GET /lots/{lot_id}/archive": (room.supervisor, f"/lots/{lot}/archive"),
            "GET /sites": (room.keepers[room.sites[0]], "/sites"),
            "GET /evaluation": (expert, "/evaluation"),
            "GET /evaluation/{committee_id}": (expert, f"/evaluation/{room.committee_id}"),
            "GET /evaluation/{committee_id}/rechecks": (
                expert,
                f"/evaluation/{room.committee_id}/rechecks",
            ),
            "GET /evaluation/{committee_id}/consortia": (
                expert,
                f"/evaluation/{room.committee_id}/consortia",
            ),
            "GET /awards": (None, "/awards"),
            "GET /awards/{lot_id}": (None, f"/awards/{lot}"),
            "GET /listings": (None, "/listings"),
            "GET /listings/new": (self.land.seller, "/listings/new"),
            "GET /listings/letters": (self.land.seller, "/listings/letters"),
            "GET /listings/{listing_id}": (None, f"/listings/{self.land.id}"),
            "GET /contracts": (None, "/contracts"),
            "GET /contracts/{lot_id}": (None, f"/contracts/{lot}"),
            "GET /settlements": (None, "/settlements"),
            "GET /verify": (None, "/verify"),
            "GET /objections": (self.bidder, "/objections"),
            "GET /complaints": (self.bidder, "/complaints"),
            "GET /complaints/new": (
                self.bidder,
                f"/complaints/new?lot={self.open_lot.lot_id}&about=documents",
            ),
            "GET /supervision": (room.supervisor, "/supervision"),
            "GET /bars": (None, "/bars"),
            "GET /catalogue": (None, "/catalogue"),
            "GET /help": (None, "/help"),
            "GET /help/{role}": (None, "/help/bidder"),
            "GET /status": (None, "/status"),
            "GET /terminations": (None, "/terminations"),
            "GET /orgs/{uscc}": (None, f"/orgs/{self.uscc}"),
            "GET /stats": (None, "/stats"),
            "GET /data": (None, "/data"),
            "GET /rules": (None, "/rules"),
            "GET /_ui": (None, "/_ui"),
            "GET /problems/{code}": (None, "/problems/refused"),
        }


@pytest.fixture
async def house(
    room: WorkRoom, kept_committees: KeptCommittees, chromium: Browser
) -> AsyncIterator[House]:
    listener = socket.create_server(("127.0.0.1", 0))
    origin = f"http://localhost:{listener.getsockname()[1]}"
    async with (
        evaluation_house(room, kept_committees, room.database, origin=origin) as evaluation,
        served(evaluation.app, listener=listener) as address,
    ):
        await room.sit()
        store: Store = room.store
        cast = room.hall.tender.cast
        open_lot = await a_published_lot(store, cast)
        project_id, draft_id = await a_draft(store, cast, notice={})
        async with transaction(store, actor=cast.agency.actor, now=NOW) as tx:
            keyless = await drafting.draft_lot(tx, project_id, lot_terms())
            await drafting.name_custodians(tx, keyless, nominations(cast.custodians))
        bidder = await a_player(store, Role.BIDDER)
        land = await listed_land(store, bidders=0)
        await room.draw.tick()
        async with transaction(store, actor=PUBLIC) as tx:
            tenderee = await organisation(tx, cast.tenderee.party)
        yield House(
            evaluation.app, address, room, open_lot, str(draft_id), bidder, land, tenderee.uscc
        )


async def is_whole(page: Page) -> None:
    await expect(page.locator("h1")).to_have_count(1)
    await expect(page.locator("h1")).to_be_visible()
    assert await page.locator("html").get_attribute("lang") == "zh-CN"
    assert await page.title()
    await assert_no_overflow(page)


async def test_every_page_opens_on_a_narrow_screen_and_nothing_complains(
    house: House, chromium: Browser
) -> None:
    pages = house.pages()
    found = {
        name
        for name in routes_of(house.app)
        if name.startswith("GET /") and not name.startswith(NO_PAGES)
    }
    assert found == {*pages, *SEEN_ELSEWHERE}
    for who in {one.person: one for one, _ in pages.values() if one is not None}.values():
        own = [path for one, path in pages.values() if one is not None and one.person == who.person]
        await all_are_whole(house, chromium, own, token=await token_of(house.room.store, who))
    await all_are_whole(house, chromium, [path for one, path in pages.values() if one is None])


async def all_are_whole(
    house: House, chromium: Browser, paths: Sequence[str], *, token: str = ""
) -> None:
    """One person opens one page after the other, in one window."""
    async with open_page(
        chromium, house.address + paths[0], width=320, token=token, script=WATCHED
    ) as page:
        for path in paths:
            if path != paths[0]:
                await page.goto(house.address + path)
            assert page.url == house.address + path
            assert await page.evaluate(STATUS) == 200, path
            await is_whole(page)
            assert await page.evaluate("window.breaches") == [], path


@pytest.mark.parametrize("name", ["GET /custodian", "GET /account"])
async def test_a_desk_with_something_on_it_holds_at_every_width_and_axe_finds_nothing(
    house: House, chromium: Browser, name: str
) -> None:
    who, path = house.pages()[name]
    assert who is not None
    token = await token_of(house.room.store, who)
    async with open_page(chromium, house.address + path, token=token) as page:
        await expect(page.locator("main")).to_contain_text(
            who.name if name == "GET /account" else str(house.room.lot_id)
        )
        if name == "GET /custodian":
            for words in ("sunbid custody register", "没有您要做的事", "已登记公钥"):
                await expect(page.locator("main")).to_contain_text(words)
        for summary in await page.locator("main details > summary").all():
            await summary.evaluate("(one) => { one.parentElement.open = true; }")
        await assert_holds_everywhere(page)
