"""The public watches an opening live: nothing reloads, no price shows early, all show at once."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime

import pytest
from playwright.async_api import Browser, expect

from kernel.access import Role
from kernel.store.transaction import Store, transaction
from tests.opened_lots import (
    Hall,
    everything_opened,
    released,
    window_ended,
)
from tests.sealed_bids import ticking
from tests.tenders import Player, a_player
from tests.web.browser import (
    assert_holds_everywhere,
    chromium,
    focus_is_visible,
    open_page,
    served,
    tab_to,
)
from tests.web.tender_house import token_of
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
    listener = socket.create_server(("127.0.0.1", 0))
    origin = f"http://localhost:{listener.getsockname()[1]}"
    settings = store.settings.model_copy(update={"origin": origin})
    app = create_app(replace(store, settings=settings), settings)
    async with served(app, lifespan="on", listener=listener) as address:
        yield address


@pytest.fixture(autouse=True)
async def _log_goes_on(tick: Tick) -> AsyncIterator[None]:
    async with ticking(tick):
        yield


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


# ── what is said in the hall ──────────────────────────────────────────────────────────────────


@pytest.fixture
async def read_out(hall: Hall, clock_to: Callable[[datetime], Awaitable[None]]) -> Hall:
    """The hall when every price has been shown and the record is not signed yet."""
    await clock_to(await hall.window_ends_at())
    for entry in hall.entries:
        await released(hall, entry)
    await window_ended(hall)
    await everything_opened(hall)
    return hall


async def test_a_bidder_objects_and_the_host_answers_in_the_hall_by_the_keyboard_alone(
    store: Store, read_out: Hall, chromium: Browser
) -> None:
    """Bidding Regulation 44. WCAG 2.2, 2.1.1 and 2.4.7."""
    bidder, agency = read_out.entries[0].player, read_out.tender.cast.agency
    path = f"/openings/{read_out.lot_id}"
    async with (
        the_house(store) as address,
        open_page(chromium, address + path) as public,
        open_page(chromium, address + path, token=await token_of(store, bidder)) as objecting,
        open_page(chromium, address + path, token=await token_of(store, agency)) as answering,
    ):
        assert await public.locator("form[data-json]").count() == 0
        await tab_to(objecting, "#field-words")
        await objecting.keyboard.type("请说明第二家投标人的解密顺序。")
        await objecting.keyboard.press("Tab")
        assert await focus_is_visible(objecting)
        await objecting.keyboard.press("Enter")
        for page in (public, objecting, answering):
            await expect(page.locator("#board")).to_contain_text("第二家投标人的解密顺序")

        await tab_to(answering, "#board select")
        await answering.keyboard.press("End")
        await tab_to(answering, "#board textarea")
        await answering.keyboard.type("先投标人，")
        # Somebody else speaks meanwhile: what is being typed stays.
        await objecting.locator("#field-words").fill("另请说明时间。")
        await objecting.get_by_role("button", name="提出异议").click()
        await expect(answering.locator("#board")).to_contain_text("另请说明时间")
        await answering.keyboard.type("后保管人。")
        await answering.keyboard.press("Tab")
        assert await focus_is_visible(answering)
        await answering.keyboard.press("Enter")
        for page in (public, objecting):
            await expect(page.locator("#board")).to_contain_text("先投标人，后保管人。")
            await expect(page.locator("#board")).to_contain_text("不成立")
        await assert_holds_everywhere(answering)
        await assert_holds_everywhere(objecting)


async def test_each_part_is_told_its_next_step_and_nobody_anothers(
    store: Store,
    hall: Hall,
    chromium: Browser,
    clock_to: Callable[[datetime], Awaitable[None]],
) -> None:
    cast, bidder = hall.tender.cast, hall.entries[0].player
    other = await a_player(store, Role.AGENCY)
    await clock_to(hall.in_window)
    async with the_house(store) as address:

        async def told(who: Player) -> str:
            token = await token_of(store, who)
            async with open_page(
                chromium, f"{address}/openings/{hall.lot_id}", token=token
            ) as page:
                return await page.inner_text("main aside")

        assert "sunbid opening release" in await told(bidder)
        assert "sunbid" not in await told(cast.agency)
        for entry in hall.entries:
            await released(hall, entry)
        assert "sunbid" not in await told(bidder)
        await window_ended(hall)
        for who in (cast.agency, cast.supervisor):
            assert f"--as {who.actor.role}" in await told(who)
        await everything_opened(hall)
        assert "sunbid opening record" in await told(cast.agency)
        assert "sunbid" not in await told(cast.supervisor)
        assert "sunbid" not in await told(other)
