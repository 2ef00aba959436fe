"""The public watches an opening live: nothing reloads, no price shows early, all show at once."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from playwright.async_api import Browser, expect

from kernel.store.transaction import Store, transaction
from tests.opened_lots import (
    Hall,
    a_hall,
    an_entry,
    everything_opened,
    released,
    window_ended,
)
from tests.sealed_bids import a_tender, ticking
from tests.web.browser import (
    assert_holds_everywhere,
    chromium,
    open_page,
    served,
)
from trading import opening
from web.app import create_app

__all__ = ["chromium"]

pytestmark = pytest.mark.browser

Tick = Callable[[], Awaitable[None]]
PRICES = ["128460000.00", "125300500.00", "127900000.00"]
SHOWN = ["128,460,000.00", "125,300,500.00", "127,900,000.00"]


@asynccontextmanager
async def the_house(store: Store) -> AsyncIterator[str]:
    """The whole platform under a port of its own; its address, which it knows to be its origin."""
    app = create_app(store, store.settings)
    async with served(app, lifespan="on") as address:
        app.state.settings = store.settings.model_copy(update={"origin": address})
        yield address


@pytest.fixture
async def hall(store: Store, tick: Tick) -> AsyncIterator[Hall]:
    tender = await a_tender(store)
    entries = [await an_entry(store, tender, price) for price in PRICES]
    async with ticking(tick):
        yield await a_hall(store, tender, entries)


async def test_the_public_watches_an_opening_live(
    store: Store, hall: Hall, chromium: Browser
) -> None:
    async with (
        the_house(store) as address,
        open_page(chromium, f"{address}/openings/{hall.lot_id}") as page,
    ):
        await expect(page.locator("h1")).to_contain_text("开标")
        await page.evaluate("window.unreloaded = true")
        for entry in hall.entries:
            await expect(page.locator("#board")).to_contain_text(entry.player.organisation)
            await released(hall, entry)
            await expect(page.locator("#board")).to_contain_text("已提交解密信息")
        body = await page.inner_text("body")
        assert not any(price in body for price in SHOWN)
        await window_ended(hall)
        await everything_opened(hall)
        for price in SHOWN:
            await expect(page.locator("#board")).to_contain_text(price, timeout=10_000)
        assert await page.evaluate("window.unreloaded") is True


async def test_the_hall_fits_every_screen_and_passes_axe(
    store: Store, hall: Hall, chromium: Browser
) -> None:
    for entry in hall.entries:
        await released(hall, entry)
    await window_ended(hall)
    await everything_opened(hall)
    async with transaction(
        store, actor=hall.entries[0].player.actor, now=await hall.window_ends_at()
    ) as tx:
        await opening.object_on_the_spot(tx, hall.lot_id, "请说明解密顺序。")
    async with the_house(store) as address:
        for path in (f"/openings/{hall.lot_id}", "/openings", "/transparency"):
            async with open_page(chromium, address + path) as page:
                await assert_holds_everywhere(page)


async def test_the_hall_is_complete_without_javascript(
    store: Store, hall: Hall, chromium: Browser
) -> None:
    for entry in hall.entries:
        await released(hall, entry)
    await window_ended(hall)
    await everything_opened(hall)
    async with (
        the_house(store) as address,
        open_page(chromium, f"{address}/openings/{hall.lot_id}", javascript=False) as page,
    ):
        body = await page.inner_text("body")
        assert all(price in body for price in SHOWN)
