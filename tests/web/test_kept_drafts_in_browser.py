"""A long form is not lost: it is kept in the browser, and a session says before it ends.

WCAG 2.2, 2.2.1 (whoever is timed is warned and can stay) and 3.3.7 (nothing is asked twice).
"""

from __future__ import annotations

from datetime import timedelta

import pytest
from playwright.async_api import Browser, Page, expect
from sqlalchemy.ext.asyncio import AsyncEngine

from kernel.settings import Settings
from kernel.store.transaction import Store
from tests.sealed_bids import Tender, a_bidder
from tests.tenders import Player
from tests.web.award_house import open_award_house
from tests.web.browser import assert_holds_everywhere, chromium
from tests.web.tender_house import client_of, signed_in, token_of
from web.app import create_app
from web.client import Problem

__all__ = ["chromium"]

KEPT = "Object.keys(localStorage).filter((place) => place.startsWith('sunbid.draft/'))"


async def last_used(owner: AsyncEngine, who: Player, *, ago: timedelta) -> None:
    """The player's sessions, as if nothing had been done in them for so long."""
    async with owner.begin() as line:
        await line.exec_driver_sql(
            "UPDATE kernel.session SET seen_at = clock_timestamp() - $1::interval"
            " WHERE person_id = $2 AND ended_at IS NULL",
            (ago, who.person),
        )


async def written(shown: Page, address: str) -> None:
    async with shown.expect_response("**/time-left"):
        await shown.goto(f"{address}/objections")
    await shown.get_by_text("提出异议", exact=True).click()
    await shown.get_by_label("请求").fill("请修改业绩加分条件。")
    await shown.get_by_label("事实和理由").fill("与项目规模不相称。")
    await shown.get_by_role("button", name="再加一项证据").click()
    await shown.get_by_label("材料名称").nth(1).fill("第三章")
    await shown.get_by_label("事实和理由").focus()
    await expect(shown.get_by_text("只保存在本机浏览器")).to_be_visible()


@pytest.mark.browser
async def test_what_was_typed_outlasts_a_session_that_said_it_would_end(
    store: Store, tender: Tender, settings: Settings, chromium: Browser, owner_line: AsyncEngine
) -> None:
    bidder = await a_bidder(store)
    async with (
        open_award_house(store, settings) as address,
        signed_in(store, chromium, address, bidder, expected="401") as shown,
    ):
        await shown.clock.install()
        await written(shown, address)
        warning = shown.get_by_role("alert").filter(has_text="登录将在两分钟内失效")
        await last_used(owner_line, bidder, ago=timedelta(minutes=28, seconds=30))
        await shown.clock.fast_forward("28:30")
        await expect(warning).to_contain_text("已填写的内容保存在本机浏览器")
        await assert_holds_everywhere(shown)
        await shown.get_by_role("button", name="继续使用").click()
        await expect(warning).to_be_hidden()

        await last_used(owner_line, bidder, ago=timedelta(minutes=31))
        await shown.clock.fast_forward("28:30")
        again = shown.get_by_role("link", name="重新登录")
        await expect(again).to_have_attribute("href", "/sign-in?to=%2Fobjections")

        token = await token_of(store, bidder)
        await shown.set_extra_http_headers({"Authorization": f"Bearer {token}"})
        await shown.goto(f"{address}/objections")
        await expect(shown.get_by_text("填写的内容。")).to_be_visible()
        await expect(shown.get_by_label("请求")).to_have_value("请修改业绩加分条件。")
        await expect(shown.get_by_label("材料名称").nth(1)).to_have_value("第三章")
        await expect(shown.get_by_text("已核对：目前没有会被拒绝的情形。")).to_be_visible()
        await shown.get_by_role("button", name="签名并提出").click()
        await expect(shown.get_by_text("待答复")).to_be_visible()
        assert await shown.evaluate(KEPT) == []

        # Whoever signs in next finds nothing of what another typed and did not send.
        await written(shown, address)
        assert len(await shown.evaluate(KEPT)) == 1
        token = await token_of(store, tender.cast.agency)
        await shown.set_extra_http_headers({"Authorization": f"Bearer {token}"})
        await shown.goto(f"{address}/desk")
        assert await shown.evaluate(KEPT) == []

        # Nor does whoever signs out leave anything behind.
        token = await token_of(store, bidder)
        await shown.set_extra_http_headers({"Authorization": f"Bearer {token}"})
        await written(shown, address)
        await shown.goto(f"{address}/account")
        assert len(await shown.evaluate(KEPT)) == 1
        await shown.get_by_role("button", name="退出登录").click()
        assert await shown.evaluate(KEPT) == []


async def test_asking_how_long_a_session_lasts_does_not_prolong_it(
    store: Store, tender: Tender, settings: Settings, owner_line: AsyncEngine
) -> None:
    agency = tender.cast.agency
    client = await client_of(create_app(store, settings), agency)
    path = "/api/v1/sessions/current/time-left"
    await last_used(owner_line, agency, ago=timedelta(minutes=20))
    for _ in range(2):
        told = await client.get(path)
        assert 590 <= told["seconds"] <= 600
        assert told["prolongable"] is True
    await client.get("/api/v1/sessions/current")
    assert (await client.get(path))["seconds"] > 1700
    await last_used(owner_line, agency, ago=timedelta(minutes=31))
    with pytest.raises(Problem) as ended:
        await client.get(path)
    assert ended.value.status == 401
