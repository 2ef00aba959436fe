"""WCAG 2.2 AA: a bidder's own pages, before a bid and after it, on a phone and on a desk."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles
from playwright.async_api import Browser, Page

from kernel.settings import Settings
from kernel.store.transaction import Store
from tests.sealed_bids import Tender, a_bidder, a_sealed_bid, a_submission, a_tender
from tests.tenders import Player
from tests.web.bid_house import bid_house
from tests.web.browser import (
    assert_axe_clean,
    assert_no_overflow,
    assert_targets_are_large_enough,
    chromium,
    served,
)
from tests.web.tender_house import client_of, token_of
from web.pages import STATIC

pytestmark = pytest.mark.browser
__all__ = ["chromium"]

WIDTHS = (320, 1440)


@asynccontextmanager
async def seen_by(browser: Browser, app: FastAPI, who: Player, width: int) -> AsyncIterator[Page]:
    """A window of that width in which this bidder is signed in."""
    token = await token_of(app.state.store, who)
    context = await browser.new_context(
        viewport={"width": width, "height": 900},
        locale="zh-CN",
        extra_http_headers={"Authorization": f"Bearer {token}"},
    )
    try:
        yield await context.new_page()
    finally:
        await context.close()


async def test_the_bid_desk_is_for_everyone(
    store: Store, settings: Settings, chromium: Browser
) -> None:
    tender: Tender = await a_tender(store)
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
    for width in WIDTHS:
        async with seen_by(browser, app, bidder, width) as page:
            for path in (f"/lots/{tender.lot_id}/bid", "/bids"):
                answer = await page.goto(address + path)
                assert answer is not None
                assert answer.ok
                await assert_axe_clean(page)
                await assert_no_overflow(page)
                await assert_targets_are_large_enough(page)
