"""What supervisors see: Bidding Law 7, 22; Bidding Regulation 54; E-Bidding Measures 45."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest
from fastapi import FastAPI
from playwright.async_api import Browser, expect

from kernel.access import Role
from kernel.settings import Settings
from kernel.store.transaction import Store
from tests.awards import Evaluated, candidates_published, objected
from tests.opened_lots import a_hall, an_entry, released, window_ended
from tests.sealed_bids import Tender
from tests.tenders import a_player
from tests.web.award_house import open_award_house
from tests.web.browser import (
    assert_axe_clean,
    assert_no_overflow,
    assert_targets_are_large_enough,
    chromium,
)
from tests.web.markup import faults_of, tree_of
from tests.web.tender_house import client_of, page, signed_in
from web.app import create_app

__all__ = ["chromium"]

PRICES = ("118600000.00", "121300000.00", "119950000.00")
Tick = Callable[[], Awaitable[None]]


@pytest.fixture
async def house(store: Store, settings: Settings) -> FastAPI:
    return create_app(store, settings)


async def test_before_the_close_a_supervisor_sees_no_more_than_the_public(
    store: Store, tender: Tender, house: FastAPI, tick: Tick
) -> None:
    entries = [await an_entry(store, tender, price) for price in PRICES]
    await tick()
    supervisor = tender.cast.supervisor
    shown = await page(house, "/supervision", supervisor)
    told = await (await client_of(house, supervisor)).get("/api/v1/supervision")
    assert told["lots"][0]["opening"] is None
    everything = shown + json.dumps(told, ensure_ascii=False)
    for entry in entries:
        assert entry.player.organisation not in everything
        assert str(entry.player.party) not in everything
    assert "收到投标" not in shown
    assert "投标中" in shown


async def test_the_room_follows_an_opening(
    store: Store, tender: Tender, house: FastAPI, tick: Tick
) -> None:
    hall = await a_hall(store, tender, [await an_entry(store, tender, one) for one in PRICES])
    await released(hall, hall.entries[0])
    supervisor = tender.cast.supervisor
    client = await client_of(house, supervisor)
    [lot] = (await client.get("/api/v1/supervision"))["lots"]
    assert lot["opening"] == {
        "bidders": 3,
        "released": 1,
        "window_closed": False,
        "custodians": 0,
        "opened": 0,
        "recorded": False,
    }
    await window_ended(hall)
    [lot] = (await client.get("/api/v1/supervision"))["lots"]
    assert lot["opening"]["window_closed"] is True
    await tick()
    shown = await page(house, "/supervision", supervisor)
    assert "解密时间结束" in shown
    assert faults_of(tree_of(shown)) == []


async def test_brakes_and_overdue_answers_are_counted(
    store: Store, evaluated: Evaluated, house: FastAPI, clock_to: Callable[..., Awaitable[None]]
) -> None:
    published = await candidates_published(evaluated)
    supervisor = evaluated.hall.tender.cast.supervisor
    raised = await objected(
        store,
        evaluated.ranked[1].player,
        evaluated.hall.lot_id,
        "result",
        now=published.until - timedelta(hours=1),
    )
    await clock_to(raised.answer_due_at - timedelta(hours=1))
    client = await client_of(house, supervisor)
    [lot] = (await client.get("/api/v1/supervision"))["lots"]
    assert (lot["suspended"], lot["open_objections"], lot["overdue_objections"]) == (True, 1, 0)
    await clock_to(raised.answer_due_at)
    [lot] = (await client.get("/api/v1/supervision"))["lots"]
    assert lot["overdue_objections"] == 1
    assert "1 件逾期未答复" in await page(house, "/supervision", supervisor)


async def test_the_room_is_for_supervisors_only(store: Store, house: FastAPI) -> None:
    for role in (Role.CENTRE_STAFF, Role.BIDDER, Role.TENDEREE):
        who = await a_player(store, role)
        await page(house, "/supervision", who, status=403)
    await page(house, "/supervision", status=401)
    await page(house, "/supervision/board", status=401)


@pytest.mark.browser
async def test_the_room_is_watched_live(
    store: Store, tender: Tender, settings: Settings, chromium: Browser, tick: Tick
) -> None:
    hall = await a_hall(store, tender, [await an_entry(store, tender, one) for one in PRICES])
    await tick()
    async with (
        open_award_house(store, settings) as address,
        signed_in(store, chromium, address, tender.cast.supervisor) as shown,
    ):
        for width in (320, 1440):
            await shown.set_viewport_size({"width": width, "height": 900})
            await shown.goto(f"{address}/supervision")
            await assert_no_overflow(shown)
            await assert_targets_are_large_enough(shown)
            await assert_axe_clean(shown)
        await expect(shown.get_by_text("已解密 0 / 3")).to_be_visible()
        await released(hall, hall.entries[0])
        await tick()
        await expect(shown.get_by_text("已解密 1 / 3")).to_be_visible()
