"""WCAG 2.2 AA: a bidder's own pages, before a bid and after it, on a phone and on a desk."""

from __future__ import annotations

import pytest
from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles
from playwright.async_api import Browser, expect

from kernel.settings import Settings
from kernel.store.transaction import Store
from tests.sealed_bids import Tender, a_bidder, a_sealed_bid, a_submission
from tests.tenders import Player
from tests.web.bid_house import bid_house
from tests.web.browser import assert_holds_everywhere, chromium, open_page, served, tab_to
from tests.web.tender_house import client_of, token_of
from web.pages import STATIC
from web.sealing_bids import read_package

pytestmark = pytest.mark.browser
__all__ = ["chromium"]


async def test_the_bid_desk_is_for_everyone(
    store: Store, tender: Tender, settings: Settings, chromium: Browser
) -> None:
    bidder = await a_bidder(store)
    async with bid_house(store, settings) as app:
        app.mount("/static", StaticFiles(directory=STATIC), name="static")
        client = await client_of(app, bidder)
        async with served(app) as address:
            await every_page_is_good(chromium, app, address, tender, bidder)
            files = a_sealed_bid(tender, bidder)
            for file in files:
                upload = await client.upload(str(tender.lot_id), file.kind, file.payload)
                await client.put_header(upload, file.header)
            await every_page_is_good(chromium, app, address, tender, bidder)
            raw = a_submission(tender, bidder, files)
            await client.post_signed(f"/api/v1/lots/{tender.lot_id}/bids", raw)
            await every_page_is_good(chromium, app, address, tender, bidder)


async def every_page_is_good(
    browser: Browser, app: FastAPI, address: str, tender: Tender, bidder: Player
) -> None:
    token = await token_of(app.state.store, bidder)
    for path in (f"/lots/{tender.lot_id}/bid", "/bids"):
        async with open_page(browser, address + path, token=token) as page:
            await expect(page.locator("h1")).to_be_visible()
            await assert_holds_everywhere(page)


async def test_the_sealing_package_is_fetched_by_the_keyboard_alone(
    store: Store, tender: Tender, settings: Settings, chromium: Browser
) -> None:
    """WCAG 2.2, 2.1.1 and 2.4.7: what a bidder does here is to take the package and the words."""
    bidder = await a_bidder(store)
    async with bid_house(store, settings) as app:
        app.mount("/static", StaticFiles(directory=STATIC), name="static")
        token = await token_of(store, bidder)
        async with (
            served(app) as address,
            open_page(chromium, f"{address}/lots/{tender.lot_id}/bid", token=token) as page,
        ):
            await tab_to(page, "main a[download]")
            async with page.expect_download() as download:
                await page.keyboard.press("Enter")
            path = await (await download.value).path()
            assert read_package(path.read_bytes()).lot_id == str(tender.lot_id)
            await tab_to(page, "main pre")
            assert "sunbid seal package.json" in await page.evaluate(
                "document.activeElement.textContent"
            )
