"""Versions side by side, and how a tender ended: Bidding Law 23; Bidding Regulation 21, 31;
Procurement Tender Measures 27, 29.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from fastapi import FastAPI
from playwright.async_api import Browser, expect

from kernel.crypto.digests import b64u, canonical, instant_text, sha256
from kernel.settings import Settings
from kernel.store.transaction import Store, transaction
from tests.questions import clarify
from tests.sealed_bids import Tender, a_bidder, a_sealed_bid, a_submission, submitted, uploaded
from tests.tenders import NOW, SCHEME, SHEET_FIELDS, a_cast, a_project, a_published_lot, cancelled
from tests.web.browser import assert_holds_everywhere, chromium, open_page
from tests.web.looks import assert_looks_as_kept
from tests.web.tender_house import client_of, open_tender_house, page
from trading import drafting
from trading.reception import Reception
from trading.rules.procedures import Procedure
from web.app import create_app
from web.client import Client, Problem

__all__ = ["chromium"]

WEIGHED_ANEW: dict[str, Any] = {**SCHEME, "trim_from": 7}
TERMS = {
    "ceiling_price": "127000000.00",
    "sheet_fields": [*SHEET_FIELDS, {"key": "warranty", "label": "保修期（年）", "kind": "count"}],
    "scheme": b64u(sha256(canonical(WEIGHED_ANEW))),
}
SCHEDULE = {"place": "schedule", "text": "总工期600日历天，其中土建420日历天"}
MOVED = "2026-03-25T01:30:00Z"


@pytest.fixture
async def house(store: Store, settings: Settings) -> FastAPI:
    return create_app(store, settings)


async def changed(
    store: Store,
    agency: Client,
    tender: Tender,
    *,
    name: str = "招标文件.pdf",
    content: bytes = b"%PDF-1.7 tender, second edition",
    **changes: Any,
) -> int:
    """The agency changes the schedule, and gives out a file: the only one there was, or another."""
    async with transaction(store, actor=tender.cast.agency.actor, now=NOW) as tx:
        await drafting.keep_clarification_file(tx, tender.lot_id, content)
    file = {"name": name, "sha256": b64u(sha256(content)), "size": len(content)}
    if name == "招标文件.pdf":
        changes["changes"] = [SCHEDULE]
    return await clarify(agency, tender.lot_id, documents=[file], **changes)


async def test_a_change_is_told_by_place_file_and_time(
    store: Store, tender: Tender, house: FastAPI
) -> None:
    agency = await client_of(house, tender.cast.agency)
    await changed(store, agency, tender, due_at=MOVED)
    public = await client_of(house)
    lot = f"/api/v1/lots/{tender.lot_id}"

    told = await public.get(f"{lot}/versions/1..2")
    (words,) = told["words"]
    assert (words["place"], words["old"], words["new"]) == (
        "schedule",
        "总工期540日历天",
        SCHEDULE["text"],
    )
    assert [one["edit"] for one in words["segments"]][:3] == ["kept", "deleted", "inserted"]
    (file,) = told["documents"]
    assert (file["name"], file["old"] is None) == ("招标文件.pdf", False)
    assert [(one["what"], one["days"]) for one in told["times"]] == [("bids_due_at", 2)]
    versions = (await public.get(f"{lot}/versions"))["versions"]
    assert [one["version"] for one in versions] == [1, 2]
    assert versions[1]["words"]["schedule"] == SCHEDULE["text"]

    shown = await page(house, f"/notices/{tender.lot_id}/diff/1..2")
    assert "<del>" in shown
    assert "顺延 2 日" in shown
    notice = await page(house, f"/notices/{tender.lot_id}")
    assert "招标文件已有第 2 版" in notice
    assert SCHEDULE["text"] in notice


async def test_a_tender_file_of_blocks_is_compared_from_inside(
    store: Store, tender: Tender, house: FastAPI
) -> None:
    agency = await client_of(house, tender.cast.agency)
    for quantity in ("3000", "3200"):
        told = {
            "v": "ebid-tender-file/1",
            "blocks": [],
            "bill": [{"number": "12", "name": "挖土方", "unit": "m³", "quantity": quantity}],
        }
        await changed(store, agency, tender, name="清单.json", content=canonical(told))
    public = await client_of(house)
    (inside,) = (await public.get(f"/api/v1/lots/{tender.lot_id}/versions/2..3"))["contents"]
    assert [(one["number"], one["old"], one["new"]) for one in inside["parts"]] == [
        ("12", "3000 m³", "3200 m³")
    ]
    assert "挖土方" in await page(house, f"/notices/{tender.lot_id}/diff/2..3")


@pytest.mark.parametrize("span", ["1..3", "2..1", "2..2"])
async def test_versions_that_are_not_there_are_not_found(
    store: Store, tender: Tender, house: FastAPI, span: str
) -> None:
    await changed(store, await client_of(house, tender.cast.agency), tender)
    public = await client_of(house)
    with pytest.raises(Problem) as problem:
        await public.get(f"/api/v1/lots/{tender.lot_id}/versions/{span}")
    assert problem.value.status == 404
    await page(house, f"/notices/{tender.lot_id}/diff/{span}", status=404)


async def test_a_change_that_affects_bids_is_refused_as_harmless_and_moves_a_near_deadline(
    store: Store, tender: Tender, house: FastAPI
) -> None:
    staff = await client_of(house, tender.cast.staff)
    await staff.post("/demo/clock", {"to": instant_text(NOW + timedelta(days=7, hours=2))})
    agency = await client_of(house, tender.cast.agency)
    with pytest.raises(Problem) as refused:
        await changed(store, agency, tender, may_affect_bids=False)
    assert refused.value.codes == {"effect_denied"}
    with pytest.raises(Problem) as refused:
        await changed(store, agency, tender)
    assert refused.value.codes == {"deadline_must_move"}
    assert "须顺延至 2026-03-24" in await page(
        house, f"/desk/lots/{tender.lot_id}", tender.cast.agency
    )
    assert await changed(store, agency, tender, due_at=MOVED) == 2


async def test_a_procurement_changes_neither_its_object_nor_who_qualifies(
    store: Store, settings: Settings
) -> None:
    cast = await a_cast(store)
    project = await a_project(store, cast, procedure=Procedure.PROCUREMENT_OPEN_TENDER)
    lot = await a_published_lot(store, cast, project)
    agency = await client_of(create_app(store, settings), cast.agency)
    with pytest.raises(Problem) as refused:
        await clarify(
            agency, lot.lot_id, changes=[{"place": "qualifications", "text": "二级及以上资质"}]
        )
    assert refused.value.codes == {"object_changed"}


async def test_a_bidder_is_told_that_its_bid_follows_an_old_version(
    app: FastAPI, store: Store, tender: Tender
) -> None:
    bidder, other = await a_bidder(store), await a_bidder(store)
    files = a_sealed_bid(tender, bidder)
    await uploaded(store, bidder, tender.lot_id, files)
    counter: Reception = replace(app.state.reception, patience_s=0)
    await submitted(store, counter, bidder, tender, a_submission(tender, bidder, files), at=NOW)
    mine = f"/api/v1/lots/{tender.lot_id}/bids/mine"
    client, agency = await client_of(app, bidder), await client_of(app, tender.cast.agency)

    async def bound() -> object:
        return (await client.get(mine))["bound"]

    assert await bound() == {"made_under": 1, "current": 1, "is_old": False}
    await clarify(agency, tender.lot_id, may_affect_bids=False)
    assert await bound() == {"made_under": 1, "current": 2, "is_old": False}
    assert "投标无须替换" in await page(app, f"/lots/{tender.lot_id}/bid", bidder)
    with pytest.raises(Problem) as refused:
        await clarify(
            agency,
            tender.lot_id,
            terms={"scheme": b64u(sha256(canonical({"v": "none"})))},
            scheme={"v": "none"},
        )
    assert refused.value.codes == {"scheme_malformed"}
    await changed(store, agency, tender, due_at=MOVED, terms=TERMS, scheme=WEIGHED_ANEW)
    assert await bound() == {"made_under": 1, "current": 3, "is_old": True}
    told = await client.get(f"/api/v1/lots/{tender.lot_id}/versions/1..3")
    assert [one["term"] for one in told["terms"]] == list(TERMS)
    assert (told["terms"][0]["old"], told["terms"][0]["new"]) == ("128460000.00", "127000000.00")
    trimmed = "7名成员起，每项去掉一个最高分和一个最低分"
    assert told["terms"][2]["scheme"] == [{"part": "去掉最高分和最低分", "old": "", "new": trimmed}]
    assert trimmed in await page(app, f"/notices/{tender.lot_id}/diff/1..3")
    assert "保修期（年）（整数）" in await page(app, f"/notices/{tender.lot_id}/diff/1..3")
    sealing = await client.get(f"/api/v1/lots/{tender.lot_id}/sealing-package")
    assert sealing["sheet_fields"] == TERMS["sheet_fields"]
    desk = await page(app, f"/lots/{tender.lot_id}/bid", bidder)
    assert "招标文件已更新为第 3 版，您的投标文件按第 1 版编制" in desk
    assert f"/notices/{tender.lot_id}/diff/1..3" in desk
    assert "128460000.00 → 127000000.00" in desk
    assert (await (await client_of(app, other)).get(mine))["bound"] is None
    await cancelled(store, tender.cast, tender.lot, now=NOW + timedelta(hours=1))
    assert "您的投标文件不再开启" in await page(app, f"/lots/{tender.lot_id}/bid", bidder)


async def test_a_lot_that_was_not_ended_has_no_notice_of_it(tender: Tender, house: FastAPI) -> None:
    await page(house, f"/notices/{tender.lot_id}/termination", status=404)


@pytest.mark.browser
async def test_a_difference_and_an_ending_hold_at_every_width(
    store: Store, settings: Settings, tender: Tender, house: FastAPI, chromium: Browser
) -> None:
    agency = await client_of(house, tender.cast.agency)
    await changed(store, agency, tender, due_at=MOVED)
    await clarify(
        agency,
        tender.lot_id,
        may_affect_bids=False,
        answers=[{"question": "是否组织踏勘？", "answer": "不组织。"}],
    )
    await cancelled(store, tender.cast, tender.lot, now=NOW + timedelta(days=2))
    async with open_tender_house(store, settings) as address:
        path = f"{address}/notices/{tender.lot_id}"
        async with open_page(chromium, f"{path}/diff/1..3") as shown:
            await expect(shown.locator(".vs del")).to_contain_text("540")
            await expect(shown.locator(".vs ins").first).to_contain_text("600")
            await assert_holds_everywhere(shown)
            await assert_looks_as_kept(shown, "version-difference")
            await shown.goto(f"{path}/termination")
            await expect(shown.locator("#returns + ul")).to_contain_text("银行同期存款利息")
            await assert_holds_everywhere(shown)
            await shown.goto(path)
            await expect(shown.locator("main")).to_contain_text("招标已终止")
