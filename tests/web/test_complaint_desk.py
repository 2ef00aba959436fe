"""Complaints over HTTP and on the pages: Bidding Regulation 60, 61, 62; Bidding Law 22."""

from __future__ import annotations

from datetime import timedelta

import pytest
from fastapi import FastAPI
from playwright.async_api import Browser, expect

from kernel.settings import Settings
from kernel.store.transaction import Store
from tests.complaints import braked, complained, decided, taken_up
from tests.sealed_bids import Tender, a_bidder
from tests.tenders import NOW
from tests.web.award_house import open_award_house
from tests.web.browser import assert_holds_everywhere, chromium
from tests.web.markup import faults_of, tree_of
from tests.web.tender_house import client_of, page, signed_in
from web.app import create_app

__all__ = ["chromium"]

DAY = timedelta(days=1)


@pytest.fixture
async def house(store: Store, settings: Settings) -> FastAPI:
    return create_app(store, settings)


async def test_the_form_of_a_complaint_is_checked_over_http_before_it_is_signed(
    store: Store, tender: Tender, house: FastAPI
) -> None:
    bidder = await client_of(house, await a_bidder(store))
    path = f"/api/v1/lots/{tender.lot_id}/complaint-checks"
    said = {"about": "documents", "known_on": "2026-03-02"}
    found = await bidder.post(path, said)
    assert [one["code"] for one in found["refusals"]] == [
        *("no_request", "no_facts", "no_evidence", "objection_first"),
    ]
    assert all("条" in one["article"] for one in found["refusals"])
    fuller = {
        **said,
        "about": "conduct",
        "request": "请责令改正",
        "grounds": "要求特定品牌",
        "evidence": [{"title": "招标文件第四章", "text": ""}],
        "contact": "027-00000009",
    }
    found = await bidder.post(path, fuller)
    assert (found["refusals"], found["cautions"]) == ([], [])
    assert found["until"] == "2026-03-12T16:00:00Z"
    checked = await bidder.post(
        f"/api/v1/lots/{tender.lot_id}/objection-checks",
        {"about": "result", "request": "", "grounds": ""},
    )
    assert [one["code"] for one in checked["refusals"]] == [
        *("no_interest", "objection_early"),
    ]


async def test_each_reader_sees_of_a_complaint_what_is_his(
    store: Store, tender: Tender, house: FastAPI
) -> None:
    bidder, lot_id, cast = await a_bidder(store), tender.lot_id, tender.cast
    filed = await complained(store, bidder, lot_id, "conduct", now=NOW)
    case = f"/complaints/{filed.id}"
    for who in (cast.agency, None):
        await page(house, case, who, status=404)
    await taken_up(store, cast.supervisor, lot_id, filed, now=NOW)
    await braked(store, cast.supervisor, lot_id, filed, now=NOW)
    needles = {
        "complainant": (bidder, bidder.organisation),
        "supervisor": (cast.supervisor, "签名并公布决定"),
        "agency": (cast.agency, "截标前保密"),
        "public": (None, "投诉的内容只告知有关各方"),
    }
    for name, (who, needle) in needles.items():
        for path in (case, "/complaints", f"/notices/{lot_id}", f"/awards/{lot_id}"):
            shown = await page(house, path, who)
            assert faults_of(tree_of(shown)) == [], (name, path)
            assert (bidder.organisation in shown) == (name == "complainant" and path == case)
        assert needle in await page(house, case, who)
    assert "行政监督部门因投诉责令暂停" in await page(house, f"/notices/{lot_id}")

    await decided(store, cast.supervisor, lot_id, filed, "dismissed", now=NOW)

    for path in (case, "/complaints", f"/notices/{lot_id}"):
        assert "驳回投诉" in await page(house, path)
    told = await (await client_of(house)).get(f"/api/v1/lots/{lot_id}")
    assert [one["kind"] for one in told["notices"]] == ["tender", "complaint_decision"]
    seen = await (await client_of(house)).get("/api/v1/complaints")
    assert [one["decision"]["verdict"] for one in seen["complaints"]] == ["dismissed"]
    assert "Dismissed" in await page(house, f"/en{case}")


@pytest.mark.browser
async def test_a_complaint_is_checked_signed_taken_up_and_decided_in_the_browser(
    store: Store, tender: Tender, settings: Settings, chromium: Browser
) -> None:
    bidder, supervisor = await a_bidder(store), tender.cast.supervisor
    async with open_award_house(store, settings) as address:
        async with signed_in(store, chromium, address, bidder) as shown:
            await shown.goto(f"{address}/complaints/new?lot={tender.lot_id}&about=documents")
            await shown.get_by_label("请求").fill("请责令删除特定品牌的要求。")
            await expect(shown.get_by_text("应当先提出异议")).to_be_visible()
            await assert_holds_everywhere(shown)
            await shown.get_by_label("投诉什么").select_option("conduct")
            await shown.get_by_label("事实和理由").fill("招标文件指定了特定品牌。")
            await shown.get_by_label("材料名称").fill("招标文件第四章")
            await shown.get_by_role("button", name="再加一项证据").click()
            await shown.get_by_label("地址和有效联系方式").fill("027-00000009")
            await expect(shown.get_by_text("已核对：目前没有会被拒绝的情形。")).to_be_visible()
            await shown.get_by_role("button", name="签名并投诉").click()
            await expect(shown.get_by_text("待受理")).to_be_visible()
            case = shown.url
        async with signed_in(store, chromium, address, supervisor) as shown:
            await shown.goto(case)
            await shown.get_by_role("button", name="签名并受理").click()
            await expect(shown.get_by_role("heading", name="作出处理决定")).to_be_visible()
            await assert_holds_everywhere(shown)
            await shown.get_by_label("投诉成立，责令改正").check()
            await shown.get_by_label("查明的事实").fill("招标文件指定了特定品牌。")
            await shown.get_by_label("依据的条款").fill("《招标投标法》第二十条")
            await shown.get_by_label("责令改正的内容").fill("删除特定品牌的要求。")
            await shown.get_by_role("button", name="签名并公布决定").click()
            await expect(shown.get_by_role("heading", name="处理决定")).to_be_visible()
