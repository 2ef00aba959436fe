"""The centre's desk: E-Bidding Measures 14; Bidding Law 37; Opinions on Conduct 14."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

import pytest
from fastapi import FastAPI
from playwright.async_api import Browser, expect

from kernel.access import Role
from kernel.crypto.signing import PrivateKey
from kernel.settings import Settings
from kernel.store.tables import OrganisationRow
from kernel.store.transaction import Store
from tests.draw_cast import DrawHouse, Tick, a_draw_house, an_expert
from tests.newcomers import registered
from tests.tenders import Player, a_player
from tests.web.browser import assert_holds_everywhere, chromium, open_page
from tests.web.markup import faults_of, tree_of
from tests.web.tender_house import client_of, page, token_of
from tests.web.whole_house import button_of, forms_of, names_in, open_whole_house

__all__ = ["chromium"]

ClockTo = Callable[[datetime], Awaitable[None]]


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """No witnesses, so that a checkpoint alone makes an entry witnessed."""
    return settings.model_copy(update={"witness_quorum": 0})


@pytest.fixture
async def staff(store: Store) -> Player:
    return await a_player(store, Role.CENTRE_STAFF, organisation="江城市公共资源交易中心")


async def test_an_organisation_that_waits_is_verified_from_the_desk(
    app: FastAPI, store: Store, staff: Player
) -> None:
    waiting = await registered(store, PrivateKey.generate())
    shown = await page(app, "/centre", staff)
    assert faults_of(tree_of(shown)) == []
    assert '<a href="/centre/library" class="num">0</a>' in shown
    for words in (
        "江城建设工程有限公司",
        "91350100M000100Y43",
        "投标人",
        "湖北省（420100）",
        "王伟",
    ):
        assert words in shown
    action = f"/api/v1/organisations/{waiting.organisation_id}/verification"
    assert names_in(forms_of(shown)[action]) == {"basis"}
    await (await client_of(app, staff)).post(action, {"basis": "营业执照原件"})
    shown = await page(app, "/centre", staff)
    assert action not in shown
    assert "江城建设工程有限公司" in shown[shown.index("最近核验的单位") :]


async def test_an_expert_that_waits_is_verified_by_the_keeper_of_his_pool_alone(
    app: FastAPI, store: Store, staff: Player
) -> None:
    expert = await an_expert(store, staff, verified=False, person="周工")
    action = f"/api/v1/experts/{expert.expert_id}/verification"
    other = await a_player(store, Role.CENTRE_STAFF)
    assert "周工" not in await page(app, "/centre", other)
    assert (await (await client_of(app, other)).get("/api/v1/experts/waiting")) == {"experts": []}
    shown = await page(app, "/centre", staff)
    assert "周工" in shown
    client = await client_of(app, staff)
    (told,) = (await client.get("/api/v1/experts/waiting"))["experts"]
    assert (told["id"], told["name"]) == (str(expert.expert_id), "周工")
    assert action in forms_of(shown)
    await client.post(action, {})
    assert action not in await page(app, "/centre", staff)


async def test_the_desk_is_for_the_centres_staff_alone(app: FastAPI, store: Store) -> None:
    await registered(store, PrivateKey.generate())
    for role in (Role.SUPERVISOR, Role.TENDEREE, Role.EXPERT, Role.SITE_ADMINISTRATOR):
        await page(app, "/centre", await a_player(store, role), status=403)
    await page(app, "/centre", status=401)


async def test_silence_is_noted_once_the_time_to_answer_is_over_and_names_nobody(
    app: FastAPI, store: Store, tick: Tick, clock_to: ClockTo
) -> None:
    house: DrawHouse = await a_draw_house(store, tick)
    await house.ranked()
    (call, expert), *_ = await house.waiting()
    action = f"/api/v1/calls/{call.id}/no-answer"
    shown = await page(app, "/centre", house.pool)
    assert "disabled" in button_of(forms_of(shown)[action]).attributes
    await (await client_of(app, expert.player)).get("/api/v1/calls/mine")
    async with store.sessions() as session:
        now = await store.clock(session)
    await clock_to(now + timedelta(minutes=16))
    shown = await page(app, "/centre", house.pool)
    assert faults_of(tree_of(shown)) == []
    button = button_of(forms_of(shown)[action])
    assert "disabled" not in button.attributes
    assert "第 1 位" in button.get("aria-label") or "第 2 位" in button.get("aria-label")
    calls = shown[shown.index('id="calls"') : shown.index("最近核验的单位")]
    told = await (await client_of(app, house.pool)).get("/api/v1/calls/waiting")
    assert str(call.id) in [one["id"] for one in told["draws"][0]["calls"]]
    for one in house.experts:
        for silent in (calls, str(told)):
            assert one.player.name not in silent
            assert str(one.expert_id) not in silent
    assert action in await page(app, f"/draws/{house.draw_id}", house.pool)
    for who in (house.parties["supervisor"], house.parties["agency"]):
        assert action not in await page(app, f"/draws/{house.draw_id}", who)
    await (await client_of(app, house.pool)).post(action, {})
    assert action not in await page(app, "/centre", house.pool)


@pytest.mark.browser
async def test_an_organisation_and_an_expert_are_verified_in_the_browser(
    store: Store, settings: Settings, staff: Player, chromium: Browser
) -> None:
    waiting = await registered(store, PrivateKey.generate())
    await an_expert(store, staff, verified=False, person="周工")
    async with (
        open_whole_house(store, settings) as address,
        open_page(
            chromium, f"{address}/centre", token=await token_of(store, staff), expected="422"
        ) as shown,
    ):
        await assert_holds_everywhere(shown)
        row = shown.locator(f"#organisation-{waiting.organisation_id}")
        await row.get_by_label("核验依据").fill("   ")
        await row.get_by_role("button").click()
        await expect(row.get_by_role("alert")).to_contain_text("basis")
        await row.get_by_label("核验依据").fill("营业执照原件")
        await row.get_by_role("button").click()
        await expect(shown.get_by_text("没有待核验的单位")).to_be_visible()
        await shown.get_by_label("已核对身份").check()
        await shown.get_by_role("button", name="核验通过：周工").click()
        await expect(shown.get_by_text("没有待核验的专家")).to_be_visible()
    async with store.sessions() as session:
        row_kept = await session.get_one(OrganisationRow, waiting.organisation_id)
    assert row_kept.verified_at is not None
