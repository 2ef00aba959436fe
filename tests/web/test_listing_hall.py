"""The listing hall as people use it: UX G-31 to G-39; Civil Code 509."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from playwright.async_api import Browser, expect

from kernel.access import Role
from kernel.settings import Settings
from kernel.store.clocks import hand_clock
from kernel.store.transaction import Store
from tests.listings import MINUTE, STARTS_AT, listed_land
from tests.sealed_bids import ticking
from tests.tenders import a_player
from tests.web.browser import assert_holds_everywhere, chromium, open_page
from tests.web.tender_house import signed_in
from tests.web.whole_house import open_whole_house

__all__ = ["chromium"]

Tick = Callable[[], Awaitable[None]]
AT = STARTS_AT + MINUTE


@asynccontextmanager
async def hall_at(store: Store, settings: Settings) -> AsyncIterator[str]:
    """The whole house with its clock standing still while land is listed."""
    held = replace(store, clock=hand_clock(AT))
    async with open_whole_house(held, settings) as address:
        yield address


@pytest.mark.browser
async def test_a_price_signed_in_one_browser_rises_before_the_eyes_of_everybody(
    store: Store, settings: Settings, chromium: Browser, tick: Tick
) -> None:
    land = await listed_land(store, bidders=2)
    one, two = land.bidders
    await land.quote(two, "10000000.00", STARTS_AT)
    async with (
        hall_at(store, settings) as address,
        ticking(tick),
        open_page(chromium, f"{address}/listings/{land.id}") as watching,
        signed_in(store, chromium, address, one, expected="409") as bidding,
    ):
        await expect(watching.locator("[data-live-state]")).to_have_text("连接正常")
        await expect(watching.locator(".kpi").first).to_contain_text("10,000,000.00")
        await bidding.goto(f"{address}/listings/{land.id}")
        price = bidding.get_by_label("报价（元）")
        await expect(price).to_have_value("10100000.00")
        await price.fill("10050000.00")
        await bidding.get_by_role("button", name="签名并报价").click()
        await expect(bidding.locator("[data-says]")).to_contain_text("不得低于10100000.00元")
        await price.fill("10300000.00")
        await bidding.get_by_role("button", name="签名并报价").click()

        await expect(watching.locator(".kpi").first).to_contain_text("10,300,000.00")
        await expect(bidding.locator("#board")).to_contain_text("您领先")
        assert one.organisation not in await watching.content()
        await assert_holds_everywhere(bidding)
        page = f"{address}/listings/{land.id}"
        async with open_page(chromium, page, javascript=False) as plain:
            await expect(plain.locator(".kpi").first).to_contain_text("10,300,000.00")


@pytest.mark.browser
async def test_a_seller_announces_land_with_a_reserve_that_the_page_does_not_tell(
    store: Store, settings: Settings, chromium: Browser
) -> None:
    seller = await a_player(store, Role.TENDEREE)
    async with (
        hall_at(store, settings) as address,
        signed_in(store, chromium, address, seller) as page,
    ):
        await page.goto(f"{address}/listings/new")
        for name, words in {
            "code": "JC-G-2026-900",
            "title": "东湖片区C-02地块国有建设用地使用权",
            "region": "420100",
            "words": "住宅用地，面积12000平方米，出让年限70年。",
            "starting_price": "50000000",
            "step": "500000",
            "security": "10000000",
            "reserve": "56000000",
            "register_until": "2026-04-20T17:00",
            "starts_at": "2026-04-15T09:00",
            "ends_at": "2026-04-25T15:00",
        }.items():
            await page.locator(f"#field-{name}").fill(words)
        await page.get_by_role("button", name="签名并公告").click()
        await page.wait_for_url("**/listings/*-*")
        await expect(page.locator("main")).to_contain_text("设有底价，挂牌结束前保密")
        assert "56000000" not in await page.content()
        assert "56,000,000" not in await page.content()

        # On a ground of its own it stops the listing, which everybody sees with its article.
        await page.get_by_text("中止挂牌", exact=True).click()
        await page.locator("#suspension-ground").select_option("force_majeure")
        await page.locator("#suspension-reason").fill("台风登陆，平台所在地停电。")
        await page.get_by_role("button", name="签名并中止").click()
        await expect(page.locator(".note").first).to_contain_text("《中华人民共和国民法典》第563条")
        await expect(page.locator("main")).to_contain_text("台风登陆，平台所在地停电。")
