"""Libraries over HTTP and on the pages: E-Bidding Measures 14; Bidding Law 15."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from playwright.async_api import Browser, expect

from kernel.access import Role
from kernel.settings import Settings
from kernel.store.transaction import Store, transaction
from tests.libraries import PAPER, a_verified_licence, entered, licence_said, performance_said
from tests.sealed_bids import Tender
from tests.tenders import a_player
from tests.web.browser import assert_holds_everywhere, chromium
from tests.web.careless_senders import BESIDE_A_TENDER, CarelessSenders
from tests.web.markup import faults_of, tree_of
from tests.web.tender_house import client_of, open_tender_house, page, signed_in
from trading import library
from web.app import create_app
from web.client import Problem

__all__ = ["chromium"]


@pytest.fixture
async def house(store: Store, settings: Settings) -> FastAPI:
    return create_app(store, settings)


async def test_an_entry_is_made_verified_and_withdrawn_over_http(
    store: Store, house: FastAPI, tender: Tender
) -> None:
    bidder, cast = await a_player(store, Role.BIDDER), tender.cast
    careless: Any = CarelessSenders(house, store)
    careless.known(bidder, cast.tenderee)
    own, centre = await client_of(careless, bidder), await client_of(house, cast.staff)
    async with transaction(store, actor=bidder.actor) as tx:
        await library.keep_entry_file(tx, PAPER)
    said = licence_said(bidder)
    made = await own.post_statement("/api/v1/library/licences", "licence", said)
    work = performance_said(bidder)
    await own.post_statement("/api/v1/library/performances", "performance", work)

    project = f"/api/v1/projects/{tender.lot.project_id}/authorisation"
    about = {"project": str(tender.lot.project_id), "agency": str(cast.agency.party)}
    tenderee = await client_of(careless, cast.tenderee)
    await tenderee.post_statement(project, "authorisation", about)
    ended = {**about, "reason": "委托合同解除"}
    await tenderee.post_statement(f"{project}/end", "authorisation-end", ended)
    assert (await tenderee.get(project))["letter"]["reason"] == "委托合同解除"
    assert set(careless.spoilt) == BESIDE_A_TENDER | {"authorisation"}

    waiting = (await centre.get("/api/v1/library-entries/waiting"))["entries"]
    assert [one["organisation_name"] for one in waiting] == [bidder.organisation] * 2
    verdict = {"holds": True, "basis": "全国建筑市场监管公共服务平台"}
    await centre.post(f"/api/v1/library/{made['id']}/verdict", verdict)
    told = {one["id"]: one for one in (await own.get("/api/v1/library"))["entries"]}
    assert told[made["id"]]["reference"] == made["reference"]
    await own.post(f"/api/v1/library/{made['id']}/withdrawal", {"reason": "已换发"})

    with pytest.raises(Problem) as refused:
        await centre.post(f"/api/v1/library/{made['id']}/verdict", verdict)
    assert refused.value.body["refusals"][0]["code"] == "not_waiting"
    spoilt = licence_said(bidder, number="D 1", valid_to="2020-01-01")
    with pytest.raises(Problem) as malformed:
        await own.post_statement("/api/v1/library/licences", "licence", spoilt)
    assert malformed.value.status == 422
    assert [one["pointer"] for one in malformed.value.body["errors"]] == ["#/number", "#/valid_to"]


async def test_each_page_shows_a_reader_what_is_his_and_nothing_of_others(
    store: Store, house: FastAPI, tender: Tender
) -> None:
    bidder, staff = await a_player(store, Role.BIDDER), tender.cast.staff
    other = await a_player(store, Role.BIDDER)
    licence = await a_verified_licence(store, bidder, staff, valid_to="2026-04-01")
    await entered(store, bidder, performance_said(bidder))
    shown = await page(house, "/library", bidder)
    for needle in ("还有 30 天到期", "市政公用工程施工总承包一级", "待核验", "东湖水务有限公司"):
        assert needle in shown
    assert "30 days left" in await page(house, "/en/library", bidder)
    queue = await page(house, "/centre/library", staff)
    assert "东湖污水处理厂一期工程" in queue
    for text in (shown, queue):
        assert faults_of(tree_of(text)) == []
    assert "还没有登记" in await page(house, "/library", other)
    for path, who in (("/library", staff), ("/centre/library", bidder), ("/library", None)):
        await page(house, path, who, status=401 if who is None else 403)
    for who, status in ((other, 404), (tender.cast.supervisor, 403)):
        await page(house, f"/api/v1/library/{licence.id}/file", who, status=status)


@pytest.mark.browser
async def test_a_licence_is_entered_and_a_letter_signed_in_the_browser(
    store: Store, tender: Tender, settings: Settings, chromium: Browser, tmp_path: Path
) -> None:
    bidder, tenderee = await a_player(store, Role.BIDDER), tender.cast.tenderee
    paper = tmp_path / "资质证书.pdf"
    paper.write_bytes(PAPER)
    await a_verified_licence(store, bidder, tender.cast.staff, valid_to="2026-04-01")
    async with open_tender_house(store, settings) as address:
        async with signed_in(store, chromium, address, bidder, expected="409") as shown:
            await shown.goto(f"{address}/library")
            await shown.get_by_text("登记证照", exact=True).click()
            form = shown.locator("#enter-licence")
            await form.get_by_label("种类").select_option("safety_permit")
            await form.get_by_label("证照名称").fill("安全生产许可证")
            await form.get_by_label("证照编号").fill("（鄂）JZ安许证字〔2024〕000123")
            await form.get_by_label("发证机关").fill("湖北省住房和城乡建设厅")
            await form.get_by_label("有效期自").fill("2024-05-01")
            await form.get_by_label("有效期至").fill("2026-03-01")
            await form.locator("input[type=file]").set_input_files(paper)
            await form.get_by_role("button", name="签名并登记").click()
            await expect(form.get_by_text("证照已于2026-03-01到期")).to_be_visible()
            await form.get_by_label("有效期至").fill("2027-04-30")
            await form.get_by_role("button", name="签名并登记").click()
            await expect(shown.get_by_role("table").get_by_text("待核验")).to_be_visible()
            await assert_holds_everywhere(shown)
        async with signed_in(store, chromium, address, tenderee) as shown:
            await shown.goto(f"{address}/desk/projects/{tender.lot.project_id}")
            await shown.get_by_text("签署新的授权委托书").click()
            await shown.get_by_label("答复异议").uncheck()
            await shown.get_by_label("有效至").fill("2026-12-31")
            await shown.get_by_role("button", name="签署委托书").click()
            await expect(shown.get_by_text("2026-12-31").first).to_be_visible()
            await expect(shown.get_by_text("终止委托")).to_be_visible()
