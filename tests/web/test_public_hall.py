"""The public hall over HTTP: Bidding Regulation 15, 16; E-Bidding Measures 17, 21, 22."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import timedelta
from uuid import uuid4

import httpx
import pytest
from fastapi import FastAPI
from playwright.async_api import Browser, expect

from kernel.access import Role
from kernel.crypto.digests import b64u, instant_text, parse_instant, sha256
from kernel.crypto.signing import Envelope
from kernel.settings import Settings
from kernel.store.transaction import Store
from tests.tenders import NOW, Cast, PublishedLot, a_cast, a_draft, a_player, a_published_lot
from tests.web.browser import (
    assert_holds_everywhere,
    chromium,
    open_page,
)
from tests.web.tender_house import client_of, open_tender_house, page, token_of
from trading.rules.procedures import SecurityForm
from web.app import create_app
from web.client import Problem

__all__ = ["chromium"]


@pytest.fixture
async def cast(store: Store) -> Cast:
    return await a_cast(store)


@pytest.fixture
async def house(store: Store, settings: Settings) -> FastAPI:
    return create_app(store, settings)


@pytest.fixture
async def lot(store: Store, cast: Cast) -> PublishedLot:
    return await a_published_lot(store, cast)


@pytest.fixture
async def raw(house: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app=house)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        yield client


# ── what anybody may read ─────────────────────────────────────────────────────────────────────


async def test_a_published_lot_is_told_with_its_papers_and_their_hashes(
    house: FastAPI, lot: PublishedLot
) -> None:
    public = await client_of(house)

    told = await public.get(f"/api/v1/lots/{lot.lot_id}")

    assert (told["state"], told["ceiling_price"]) == ("open", "128460000.00")
    assert told["timetable"]["bids_due_at"] == instant_text(lot.bids_due_at)
    assert [paper["kind"] for paper in told["notices"]] == ["tender"]
    assert told["sheet_fields"][0]["key"] == "price"
    assert told["documents"][-1]["sha256"] == sha256(b"%PDF-1.7 tender").hex()


async def test_every_signed_paper_can_be_had_byte_for_byte(
    house: FastAPI, lot: PublishedLot
) -> None:
    public = await client_of(house)
    told = await public.get(f"/api/v1/lots/{lot.lot_id}")

    for path, raw, digest in (
        ("opening-policy", lot.papers.opening_policy, told["opening_policy"]["hash"]),
        ("timetable", lot.papers.timetable, told["timetable"]["hash"]),
        ("notices/1", lot.papers.notice, told["notices"][0]["hash"]),
    ):
        found = await public.read(f"/api/v1/lots/{lot.lot_id}/{path}")
        assert found == raw
        assert digest == b64u(sha256(Envelope.from_bytes(found).payload))


async def test_every_form_of_security_is_named_on_the_notice_and_offered_to_who_drafts(
    house: FastAPI, store: Store, cast: Cast
) -> None:
    lot = await a_published_lot(store, cast, security_forms=tuple(SecurityForm))
    for path, words, comma in (
        (f"/notices/{lot.lot_id}", "保证金形式", "、"),
        (f"/en/notices/{lot.lot_id}", "Forms of security", ", "),
    ):
        told = re.search(rf"<dt>{words}</dt><dd>(.*?)</dd>", await page(house, path))
        assert told is not None
        assert len(set(told[1].split(comma))) == len(SecurityForm)
    project_id, _ = await a_draft(store, cast)
    form = await page(house, f"/desk/projects/{project_id}/lots/new", cast.agency)
    offered = re.findall(r'value="(\w+)" name="security_forms"', form)
    assert offered == [str(one) for one in SecurityForm]


async def test_a_draft_is_nowhere(house: FastAPI, store: Store, cast: Cast) -> None:
    project_id, lot_id = await a_draft(store, cast)
    for who in (None, cast.supervisor, cast.staff, cast.custodians[0]):
        client = await client_of(house, who)
        for path in (
            f"/api/v1/lots/{lot_id}",
            f"/api/v1/lots/{lot_id}/timetable",
            f"/api/v1/lots/{lot_id}/opening-policy",
            f"/api/v1/lots/{lot_id}/notices/1",
            f"/api/v1/projects/{project_id}",
        ):
            with pytest.raises(Problem) as problem:
                await client.get(path)
            assert problem.value.status == 404
        assert (await client.get("/api/v1/lots"))["total"] == 0
        assert "施工总承包一标段" not in await page(house, "/", who)
        await page(house, f"/notices/{lot_id}", who, status=404)


async def test_an_unknown_lot_and_a_draft_give_the_same_answer(
    raw: httpx.AsyncClient, store: Store, cast: Cast
) -> None:
    _, lot_id = await a_draft(store, cast)

    draft = (await raw.get(f"/api/v1/lots/{lot_id}")).json()
    unknown = (await raw.get(f"/api/v1/lots/{uuid4()}")).json()

    for told in (draft, unknown):
        told.pop("trace", None)
        told.pop("trace_id", None)
        told.pop("instance", None)
    assert draft == unknown


async def test_the_list_is_found_by_words_stage_and_region(
    house: FastAPI, store: Store, cast: Cast, lot: PublishedLot
) -> None:
    await a_published_lot(store, cast, name="监理二标段", region_code="310000")
    public = await client_of(house)

    async def names(**asked: object) -> set[str]:
        found = await public.get("/api/v1/lots", **asked)
        return {one["name"] for one in found["lots"]}

    both = {"施工总承包一标段", "监理二标段"}
    assert await names() == both
    assert await names(q="监理") == {"监理二标段"}
    assert await names(q="污水 二标段") == {"监理二标段"}
    assert await names(q="水务发展") == both
    assert await names(q="100%_") == set()
    assert await names(stage="open") == both
    assert await names(stage="awarded") == set()
    assert await names(region="42") == {"施工总承包一标段"}
    counts = await public.get("/api/v1/lots", q="监理")
    assert (counts["by_stage"]["open"], counts["by_province"]) == (1, {"31": 1})


async def test_a_stage_nobody_knows_is_not_found_and_a_strange_filter_is_refused(
    raw: httpx.AsyncClient,
) -> None:
    assert (await raw.get("/api/v1/lots?stage=dreaming")).status_code == 404
    assert (await raw.get("/api/v1/lots?colour=red")).status_code == 400
    assert (await raw.get("/api/v1/lots?page=0")).status_code == 400
    assert (await raw.get("/api/v1/lots?region=4x")).status_code == 400


async def test_the_notice_page_shows_times_keys_and_hashes(
    house: FastAPI, cast: Cast, lot: PublishedLot
) -> None:
    shown = await page(house, f"/notices/{lot.lot_id}")

    assert "滨江新区污水处理厂二期工程 · 施工总承包一标段" in shown
    assert "2026-03-23 09:30" in shown
    assert "128,460,000.00" in shown
    for custodian in cast.custodians:
        assert custodian.name in shown
    assert lot.policy_hash.hex() in shown
    assert "投标中" in shown


@pytest.mark.parametrize("path", ["/", "/notices", "/en/notices", "/notices?q=%E6%B1%A1%E6%B0%B4"])
async def test_the_lists_show_what_is_open(house: FastAPI, lot: PublishedLot, path: str) -> None:
    assert "施工总承包一标段" in await page(house, path)


# ── the documents ─────────────────────────────────────────────────────────────────────────────


async def test_a_bidder_takes_the_documents_and_the_public_does_not(
    house: FastAPI, store: Store, cast: Cast, lot: PublishedLot
) -> None:
    bidder = await a_player(store, Role.BIDDER)
    client = await client_of(house, bidder)

    taken = await client.get(f"/api/v1/lots/{lot.lot_id}/documents")
    content = await client.read(taken["documents"][0]["href"])

    assert sha256(content).hex() == taken["documents"][0]["sha256"]
    assert "招标文件.pdf" in await page(house, f"/notices/{lot.lot_id}/documents", bidder)
    for who, status in ((None, 403), (cast.supervisor, 403), (cast.agency, 403)):
        with pytest.raises(Problem) as problem:
            await (await client_of(house, who)).get(f"/api/v1/lots/{lot.lot_id}/documents")
        assert problem.value.status in (status, 401)


async def test_a_file_that_is_not_there_is_not_found(
    house: FastAPI, cast: Cast, lot: PublishedLot
) -> None:
    client = await client_of(house, cast.agency)
    for name in ("other.pdf", "..%2F..%2Fetc%2Fpasswd", "%00"):
        with pytest.raises(Problem) as problem:
            await client.read(f"/api/v1/lots/{lot.lot_id}/documents/{name}")
        assert problem.value.status in (400, 404, 422)


# ── the clock ─────────────────────────────────────────────────────────────────────────────────


async def test_the_demo_clock_jumps_for_the_centre_and_stops_at_what_is_due(
    house: FastAPI, store: Store, cast: Cast, lot: PublishedLot
) -> None:
    staff = await client_of(house, cast.staff)
    before = await staff.get("/api/v1/clock")
    assert (before["demo"], before["settled"]) == (True, True)

    near = instant_text(NOW + timedelta(days=3))
    assert (await staff.post("/demo/clock", {"to": near}))["now"] == near
    beyond = instant_text(lot.bids_due_at + timedelta(days=9))
    told = await staff.post("/demo/clock", {"to": beyond})
    assert parse_instant(told["now"]) == lot.bids_due_at

    # The lot's closing is due now, so the clock stands until it has happened.
    again = await staff.post("/demo/clock", {"to": beyond})
    assert parse_instant(again["now"]) - lot.bids_due_at < timedelta(minutes=1)
    assert (await staff.get("/api/v1/clock"))["settled"] is False
    assert "演示" in await page(house, "/")


async def test_nobody_else_moves_the_clock_and_it_never_runs_back(
    house: FastAPI, cast: Cast
) -> None:
    for who in (None, cast.agency, cast.supervisor):
        with pytest.raises(Problem) as problem:
            await (await client_of(house, who)).post(
                "/demo/clock", {"to": instant_text(NOW + timedelta(days=1))}
            )
        assert problem.value.status in (401, 403)
    staff = await client_of(house, cast.staff)
    told = await staff.post("/demo/clock", {"to": instant_text(NOW - timedelta(days=1))})
    assert parse_instant(told["now"]) >= NOW
    for wrong in ({"to": "tomorrow"}, {"to": "2026-03-05T09:00:00"}, {}):
        with pytest.raises(Problem) as problem:
            await staff.post("/demo/clock", wrong)
        assert problem.value.status == 422


# ── in a browser ──────────────────────────────────────────────────────────────────────────────


@pytest.mark.browser
async def test_the_pages_hold_at_every_width_and_axe_finds_nothing(
    store: Store, settings: Settings, lot: PublishedLot, chromium: Browser
) -> None:
    async with open_tender_house(store, settings) as address:
        for path in ("/", "/notices", f"/notices/{lot.lot_id}", f"/projects/{lot.project_id}"):
            async with open_page(chromium, address + path) as shown:
                await assert_holds_everywhere(shown)
        bidder = await token_of(store, await a_player(store, Role.BIDDER))
        path = f"/notices/{lot.lot_id}/documents"
        async with open_page(chromium, address + path, token=bidder) as shown:
            await expect(shown.locator("main")).to_contain_text("招标文件.pdf")
            await assert_holds_everywhere(shown)


@pytest.mark.browser
async def test_the_list_is_searched_without_scripts(
    store: Store, settings: Settings, lot: PublishedLot, chromium: Browser
) -> None:
    async with (
        open_tender_house(store, settings) as address,
        open_page(chromium, f"{address}/notices", javascript=False) as shown,
    ):
        await shown.fill("input[name=q]", "污水")
        await shown.click("summary")
        await shown.select_option("select[name=stage]", "open")
        await shown.click("main button")
        assert re.search("stage=open", shown.url)
        assert await shown.locator("ol.res > li").count() == 1
