"""Securities over HTTP and on the pages: Bidding Law 22; Bidding Regulation 26, 35, 57."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from playwright.async_api import Browser, expect

from kernel.settings import Settings
from kernel.store.transaction import Store
from tests.deposits import (
    ASKED,
    PAPER,
    a_file,
    a_lot_that_takes_money,
    line,
    reference_of,
    statement_taken,
)
from tests.sealed_bids import Tender, a_bidder
from tests.web.award_house import open_award_house
from tests.web.browser import assert_holds_everywhere, chromium
from tests.web.markup import faults_of, tree_of
from tests.web.tender_house import client_of, page, signed_in, token_of
from web.app import create_app
from web.client import Problem
from web.rehearsal.onlookers import Seen, seen_of_page, tells_of_something

__all__ = ["chromium"]


@pytest.fixture
async def house(store: Store, settings: Settings) -> FastAPI:
    return create_app(store, settings)


@asynccontextmanager
async def line_to(house: FastAPI, token: str) -> AsyncIterator[httpx.AsyncClient]:
    headers = {"Authorization": f"Bearer {token}"}
    transport = httpx.ASGITransport(app=house)
    async with httpx.AsyncClient(
        transport=transport, base_url="http://localhost", headers=headers
    ) as client:
        yield client


async def test_what_a_statement_brings_changes_nothing_that_others_see(
    store: Store, tender: Tender, house: FastAPI
) -> None:
    cast = tender.cast
    lot = await a_lot_that_takes_money(store, cast)
    bidder, other = await a_bidder(store), await a_bidder(store)
    reference = await reference_of(store, bidder, lot.lot_id)
    readers = [
        *((f"/notices/{lot.lot_id}", who) for who in (None, cast.agency, cast.supervisor, other)),
        (f"/lots/{lot.lot_id}/security", other),
        ("/supervision", cast.supervisor),
    ]

    async def seen() -> list[Seen]:
        return [seen_of_page(await page(house, path, who)) for path, who in readers]

    before = await seen()
    desk = await page(house, "/account-desk", cast.staff)
    await statement_taken(store, cast.staff, line("S1", reference), line("S2", "货款"))

    assert not any(map(tells_of_something, before, await seen()))
    parts = [
        seen_of_page(html.split("最近导入")[0])
        for html in (desk, await page(house, "/account-desk", cast.staff))
    ]
    assert not tells_of_something(*parts)
    assert "2 行" in await page(house, "/account-desk", cast.staff)
    for path in ("/account-desk", f"/lots/{lot.lot_id}/security"):
        reader = cast.staff if path == "/account-desk" else bidder
        html = await page(house, path, reader)
        assert faults_of(tree_of(html)) == []
        await page(house, f"/en{path}", reader)
    own = await (await client_of(house, bidder)).get(f"/api/v1/lots/{lot.lot_id}/security")
    assert (own["state"], own["held"], own["due"]) == ("paid", "800000.00", None)
    for who in (cast.tenderee, cast.supervisor, cast.staff):
        with pytest.raises(Problem) as refused:
            await (await client_of(house, who)).get(f"/api/v1/lots/{lot.lot_id}/securities")
        assert refused.value.body["refusals"][0]["code"] == "still_sealed"


async def test_a_statement_is_answered_by_its_lines_and_a_faulty_one_by_their_numbers(
    store: Store, tender: Tender, house: FastAPI
) -> None:
    staff = tender.cast.staff
    good = a_file([line("S1", "X"), line("S2", "Y")])
    async with line_to(house, await token_of(store, staff)) as client:
        faulty = await client.post("/api/v1/bank-statements", content=good + b"S3,x,1,Z\n")
        assert faulty.status_code == 422
        (error,) = faulty.json()["errors"]
        assert (error["pointer"], error["code"]) == ("line 4", "received_at")
        answers = [await client.post("/api/v1/bank-statements", content=good) for _ in range(2)]
        assert [one.status_code for one in answers] == [201, 201]
        assert answers[0].json() == answers[1].json()
        assert answers[0].json()["lines"] == 2
        account = (await client.get("/api/v1/security-account")).json()
        assert [one["lines"] for one in account["statements"]] == [2]
        asked = {"returned_at": "2026-03-04T01:00:00Z", "annual_rate": "0.05", "serial": "T1"}
        unknown = await client.post("/api/v1/securities/X/return", json=asked)
        assert unknown.status_code == 404


@pytest.mark.browser
async def test_a_bidder_pays_and_is_guaranteed_for_and_the_centre_takes_a_statement_in_the_browser(
    store: Store, tender: Tender, settings: Settings, chromium: Browser, tmp_path: Path
) -> None:
    bidder = await a_bidder(store)
    lot = await a_lot_that_takes_money(store, tender.cast)
    paper, statement = tmp_path / "保函.pdf", tmp_path / "流水.csv"
    paper.write_bytes(PAPER)
    async with open_award_house(store, settings) as address:
        async with signed_in(store, chromium, address, bidder) as shown:
            await shown.goto(f"{address}/lots/{lot.lot_id}/security")
            await shown.get_by_role("button", name="取得缴款码").click()
            reference = await shown.locator("[data-reference]").inner_text()
            await shown.get_by_label("出具机构").fill("江城银行滨江支行")
            await shown.get_by_label("保函编号").fill("BH2026-0001")
            await shown.get_by_label("有效至").fill("2026-06-30")
            await shown.get_by_label("保函文件").set_input_files(paper)
            await shown.get_by_role("button", name="签名并提交保函").click()
            await expect(shown.get_by_role("heading", name="已提交的保函")).to_be_visible()
            await assert_holds_everywhere(shown)
        async with signed_in(store, chromium, address, tender.cast.staff, expected="422") as shown:
            await shown.goto(f"{address}/account-desk")
            statement.write_bytes(a_file([line("S1", reference, ASKED), "S2,x"]))
            await shown.get_by_label("CSV 文件").set_input_files(statement)
            await shown.get_by_role("button", name="导入").click()
            await expect(shown.get_by_text("应当有4列，实有2列")).to_be_visible()
            statement.write_bytes(a_file([line("S1", reference, ASKED)]))
            await shown.get_by_label("CSV 文件").set_input_files(statement)
            await shown.get_by_role("button", name="导入").click()
            await expect(shown.get_by_text("1 行")).to_be_visible()
            await assert_holds_everywhere(shown)
