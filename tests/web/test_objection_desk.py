"""Objections over HTTP: Bidding Regulation 22, 44, 54; Bidding Law 22."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from fastapi import FastAPI
from playwright.async_api import Browser, expect

from kernel.settings import Settings
from kernel.store.transaction import Store
from kernel.working_days import beijing_day
from tests.awards import (
    Evaluated,
    an_evaluated_lot,
    awarded,
    candidates_published,
    objected,
    standstill_ended,
)
from tests.prequalifications import Called
from tests.questions import clarify
from tests.sealed_bids import Tender, a_bidder, a_tender
from tests.tenders import NOW, Player, a_plan, cancelled
from tests.web.award_house import open_award_house
from tests.web.browser import (
    assert_holds_everywhere,
    chromium,
    open_page,
)
from tests.web.looks import assert_looks_as_kept
from tests.web.markup import faults_of, tree_of
from tests.web.tender_house import client_of, page, signed_in, token_of
from trading.rules.procedures import Procedure, SecurityForm
from web.app import create_app
from web.client import Problem

__all__ = ["chromium"]

PRICES = ("118600000.00", "121300000.00", "119950000.00")
WORDS = "评标办法中的业绩加分与项目规模不相称，请修改。"


@pytest.fixture
async def house(store: Store, settings: Settings) -> FastAPI:
    return create_app(store, settings)


async def test_an_objection_that_stands_holds_the_lot_until_the_documents_are_changed(
    store: Store, tender: Tender, house: FastAPI
) -> None:
    bidder = await a_bidder(store)
    lot = f"/api/v1/lots/{tender.lot_id}"
    objector = await client_of(house, bidder)
    said = {
        "lot": str(tender.lot_id),
        "about": "documents",
        "request": "请修改业绩加分条件。",
        "grounds": WORDS,
        "evidence": [],
    }

    raised = await objector.post_statement(f"{lot}/objections", "objection", said)

    assert (raised["waits"], raised["about"]) == (True, "documents")
    told = await (await client_of(house)).get(f"/api/v1/lots/{tender.lot_id}")
    assert (told["suspended"], told["suspended_for"]) == (
        True,
        ["对招标文件的异议，答复前暂停"],
    )
    answer = {
        "lot": said["lot"],
        "objection": raised["id"],
        "outcome": "upheld",
        "remedy": "nothing",
        "words": "异议成立，将修改业绩加分条件。",
    }
    agency = await client_of(house, tender.cast.agency)
    path = f"{lot}/objections/{raised['id']}/answer"
    with pytest.raises(Problem) as problem:
        await agency.post_statement(path, "answer", answer)
    assert [one["code"] for one in problem.value.refusals] == ["remedy_missing"]
    answer["remedy"] = "change"
    done = await agency.post_statement(path, "answer", answer)
    assert (done["cautions"], done["remedy"]) == ([], "change")
    with pytest.raises(Problem) as problem:
        await agency.post_statement(path, "answer", answer)
    assert [one["code"] for one in problem.value.refusals] == ["answered"]
    told = await (await client_of(house)).get(f"/api/v1/lots/{tender.lot_id}")
    assert told["suspended_for"] == ["对招标文件的异议成立，修改文件前暂停"]
    assert 'href="/desk/lots/' in await page(house, "/objections", tender.cast.agency)
    await clarify(agency, tender.lot_id, answers=[{"question": "业绩？", "answer": "见文件。"}])
    assert (await objector.get(f"/api/v1/lots/{tender.lot_id}"))["suspended"] is True

    await clarify(agency, tender.lot_id, changes=[{"place": "schedule", "text": "600日历天"}])

    assert (await objector.get(f"/api/v1/lots/{tender.lot_id}"))["suspended"] is False
    [seen] = (await objector.get(f"{lot}/objections"))["objections"]
    assert (seen["outcome"], seen["remedy"], seen["awaited"]) == ("upheld", "change", False)
    assert seen["remedied_at"] is not None


async def test_a_prequalification_is_objected_to_answered_and_complained_of_over_http(
    store: Store, called_lot: Called, house: FastAPI
) -> None:
    bidder, agency = await a_bidder(store), called_lot.cast.agency
    lot, shown = str(called_lot.lot_id), f"/prequalifications/{called_lot.lot_id}"
    path = f"/api/v1/lots/{lot}"
    assert f"/objections#object-{lot}-prequalification" in await page(house, shown, bidder)
    desk = await page(house, "/objections", bidder)
    assert f'id="object-{lot}-prequalification"' in desk
    # What is told of a lot leads to its notice; before there is one, to the call for applications.
    await page(house, f"/notices/{lot}", bidder, status=303)
    objector = await client_of(house, bidder)
    [objectable] = (await objector.get("/api/v1/objectable-lots"))["lots"]
    assert objectable["lot_id"] == lot
    about = {"about": "prequalification", "request": "请删除注册地条件。", "grounds": WORDS}
    checked = await objector.post(f"{path}/objection-checks", {**about, "evidence": []})
    assert checked == {"refusals": []}

    raised = await objector.post_statement(
        f"{path}/objections", "objection", {**about, "lot": lot, "evidence": []}
    )

    told = await (await client_of(house)).get(f"{path}/prequalification")
    assert told["suspended_for"] == ["对资格预审文件的异议，答复前暂停"]
    owner = await client_of(house, agency)
    [listed] = (await owner.get(f"{path}/objections"))["objections"]
    assert (listed["objector"], listed["grounds"]) == (None, WORDS)
    assert (await owner.get("/api/v1/objections"))["objections"] == [listed]
    held = [
        await page(house, shown),
        await page(house, f"/desk/lots/{lot}/prequalification", agency),
    ]
    for html in (*held, await page(house, "/objections", agency)):
        assert "资格预审文件" in html
        assert bidder.organisation not in html
        assert faults_of(tree_of(html)) == []
    answer = {
        "lot": lot,
        "objection": raised["id"],
        "outcome": "partly",
        "remedy": "nothing",
        "words": "已删除，见第1号修改。",
    }
    await owner.post_statement(f"{path}/objections/{raised['id']}/answer", "answer", answer)
    assert (await objector.get(f"{path}/prequalification"))["suspended_for"] == []
    # Whoever is not content goes on to the supervisor, from a form that names the prequalification.
    form = f"/complaints/new?lot={lot}&about=prequalification&objection={raised['id']}"
    html = await page(house, form, bidder)
    assert '<option value="prequalification" selected>' in html
    assert '<option value="result"' not in html
    assert faults_of(tree_of(html)) == []
    asked = {**about, "known_on": beijing_day(NOW).isoformat(), "contact": "江城市解放路3号"}
    evidence = [{"title": "资格预审文件第三章", "text": "注册地条件"}]
    found = await objector.post(f"{path}/complaint-checks", {**asked, "evidence": evidence})
    assert found["refusals"] == []
    assert (await (await client_of(house)).get(f"{path}/complaints"))["complaints"] == []


async def test_who_objects_before_the_close_is_told_to_nobody(
    store: Store, tender: Tender, house: FastAPI
) -> None:
    bidder, other = await a_bidder(store), await a_bidder(store)
    cast = tender.cast
    await objected(
        store,
        bidder,
        tender.lot_id,
        "documents",
        now=NOW + timedelta(days=1),
        grounds=WORDS,
    )
    seen: dict[str, list[dict[str, Any]]] = {}
    readers = {
        "objector": bidder,
        "agency": cast.agency,
        "supervisor": cast.supervisor,
        "other": other,
        "public": None,
    }
    for name, who in readers.items():
        client = await client_of(house, who)
        answer = await client.get(f"/api/v1/lots/{tender.lot_id}/objections")
        seen[name] = answer["objections"]
    assert [one["objector"] for one in seen["objector"]] == [bidder.organisation]
    assert {name: told[0]["objector"] for name, told in seen.items() if name != "objector"} == {
        "agency": None,
        "supervisor": None,
        "other": None,
        "public": None,
    }
    words = {name: told[0]["grounds"] for name, told in seen.items()}
    assert words == {
        "objector": WORDS,
        "agency": WORDS,
        "supervisor": WORDS,
        "other": None,
        "public": None,
    }
    for who in (cast.agency, cast.supervisor):
        assert bidder.organisation not in await page(house, "/objections", who)


async def test_after_the_close_those_concerned_read_who_objected(
    store: Store, evaluated: Evaluated, house: FastAPI
) -> None:
    published = await candidates_published(evaluated)
    objector = evaluated.ranked[1].player
    lot_id = evaluated.hall.lot_id
    await objected(store, objector, lot_id, "result", now=published.until - timedelta(hours=1))
    for who, told in (
        (evaluated.agency, objector.organisation),
        (evaluated.ranked[0].player, objector.organisation),
        (await a_bidder(store), None),
        (None, None),
    ):
        client = await client_of(house, who)
        [one] = (await client.get(f"/api/v1/lots/{lot_id}/objections"))["objections"]
        assert (one["objector"], one["grounds"] is None) == (told, told is None)


async def test_the_desk_shows_each_reader_what_is_at_hand(
    store: Store, tender: Tender, house: FastAPI
) -> None:
    bidder = await a_bidder(store)
    desk = await page(house, "/objections", bidder)
    assert "签名并提出" in desk
    assert str(tender.lot_id) in desk
    await objected(store, bidder, tender.lot_id, "documents", now=NOW + timedelta(days=1))
    for who, needle in (
        (tender.cast.agency, "签名并答复"),
        (tender.cast.tenderee, "签名并答复"),
        (tender.cast.supervisor, "全部异议"),
        (bidder, "待答复"),
        (None, "第22条"),
    ):
        shown = await page(house, "/objections", who)
        assert needle in shown
        assert faults_of(tree_of(shown)) == []
    assert "签名并答复" not in await page(house, "/objections", tender.cast.supervisor)


PROCUREMENT: dict[str, Any] = {
    "procedure": Procedure.PROCUREMENT_OPEN_TENDER,
    "security_forms": (SecurityForm.BANK_GUARANTEE,),
    "plan": a_plan(
        bids_due_at="2026-03-30T01:00:00Z",
        documents_until="2026-03-16T01:00:00Z",
    ),
}


async def test_in_procurement_documents_and_result_are_challenged_from_the_page(
    store: Store, settings: Settings, house: FastAPI, clock_to: Callable[..., Awaitable[None]]
) -> None:
    evaluated = await an_evaluated_lot(store, **PROCUREMENT)
    lot_id, loser = evaluated.hall.lot_id, evaluated.ranked[1].player

    async def objectable(who: Player) -> set[str]:
        shown = await page(house, "/objections", who)
        assert faults_of(tree_of(shown)) == []
        return set(re.findall(rf'id="object-{lot_id}-(\w+)"', shown))

    await clock_to(datetime(2026, 3, 24, tzinfo=UTC))  # a week after the documents were known
    assert await objectable(loser) == {"documents"}
    await clock_to(evaluated.reported_at)
    assert await objectable(loser) == set()
    published = await candidates_published(evaluated)
    await standstill_ended(evaluated, published.until)
    assert await objectable(loser) == set()
    award = await awarded(evaluated, evaluated.ranked[0], now=published.until)
    assert award.rank == 1
    await clock_to(published.until + timedelta(days=3))
    assert await objectable(loser) == {"result"}
    assert await objectable(await a_bidder(store)) == set()

    desk = await page(house, "/objections", loser)
    assert "采购人自收到之日起7个工作日内答复" in desk
    assert "提出质疑" in desk
    assert "《中华人民共和国政府采购法》第52条" in desk
    assert "三日内答复" not in desk
    assert "within 7 working days" in await page(house, "/en/objections", loser)
    assert "采购人自收到质疑之日起7个工作日内答复" in await page(house, f"/awards/{lot_id}")
    for path in (f"/awards/{lot_id}", f"/notices/{lot_id}"):
        shown = await page(house, path, loser)
        assert f'href="/objections#object-{lot_id}-result"' in shown
        assert "#object-" not in await page(house, path)
    await clock_to(published.until + timedelta(days=14))
    assert await objectable(loser) == set()


async def test_a_bidder_is_led_from_the_notice_to_its_objection(
    store: Store, tender: Tender, house: FastAPI
) -> None:
    bidder, lot = await a_bidder(store), tender.lot_id
    here = f'href="/objections#object-{lot}-documents"'
    assert here in await page(house, f"/notices/{lot}", bidder)
    assert here in await page(house, f"/awards/{lot}", bidder)
    assert f'id="object-{lot}-documents"' in await page(house, "/objections", bidder)
    for who in (None, tender.cast.agency, tender.cast.supervisor):
        assert "#object-" not in await page(house, f"/notices/{lot}", who)

    await objected(store, bidder, lot, "documents", now=NOW + timedelta(days=1))

    for path in (f"/notices/{lot}", f"/awards/{lot}"):
        for who in (bidder, tender.cast.agency, tender.cast.supervisor):
            assert 'href="/objections"' in await page(house, path, who)
    assert f'href="/awards/{lot}#objections"' in await page(house, f"/notices/{lot}")
    assert f'href="/awards/{lot}#objections"' in await page(house, f"/openings/{lot}")
    assert 'id="objections"' in await page(house, f"/awards/{lot}")


async def test_what_no_rule_would_take_is_not_offered(
    store: Store, tender: Tender, house: FastAPI, clock_to: Callable[..., Awaitable[None]]
) -> None:
    bidder = await a_bidder(store)
    await cancelled(store, tender.cast, tender.lot, now=NOW + timedelta(days=1))
    assert "object-" not in await page(house, "/objections", bidder)
    other = await a_tender(store)
    await clock_to(other.due_at - timedelta(days=10) + timedelta(microseconds=1))
    assert "object-" not in await page(house, "/objections", bidder)


@pytest.mark.browser
async def test_an_objection_is_signed_and_answered_in_the_browser(
    store: Store, tender: Tender, settings: Settings, chromium: Browser
) -> None:
    bidder = await a_bidder(store)
    async with open_award_house(store, settings) as address:
        async with signed_in(store, chromium, address, bidder) as shown:
            await shown.goto(f"{address}/objections")
            await shown.get_by_text("提出异议", exact=True).click()
            await shown.get_by_label("请求").fill("请修改业绩加分条件。")
            await shown.get_by_label("事实和理由").fill(WORDS)
            await shown.get_by_label("文件（可不附）").set_input_files(
                {"name": "第三章.png", "mimeType": "image/png", "buffer": b"a picture"}
            )
            await expect(shown.get_by_text("已上传，SHA-256")).to_be_visible()
            await expect(shown.get_by_label("材料名称")).to_have_value("第三章.png")
            await expect(shown.get_by_text("已核对：目前没有会被拒绝的情形。")).to_be_visible()
            await shown.get_by_role("button", name="签名并提出").click()
            await expect(shown.get_by_text("待答复")).to_be_visible()
        async with signed_in(store, chromium, address, tender.cast.agency) as shown:
            await shown.goto(f"{address}/objections")
            await expect(shown.get_by_text(WORDS)).to_be_visible()
            brought = shown.get_by_role("link", name="第三章.png")
            answer = "async (link) => (await fetch(link.href)).text()"
            assert await brought.evaluate(answer) == "a picture"
            await shown.get_by_label("答复内容").fill("将修改业绩加分条件。")
            await shown.get_by_label("异议是否成立").select_option("upheld")
            await shown.get_by_label("如何改正").select_option("change")
            await shown.get_by_role("button", name="签名并答复").click()
            await expect(shown.get_by_text("已答复")).to_be_visible()
            await expect(shown.get_by_role("link", name="去办理")).to_be_visible()


@pytest.mark.browser
async def test_the_desk_fits_every_width_and_axe_finds_nothing(
    store: Store, tender: Tender, settings: Settings, chromium: Browser
) -> None:
    bidder, other = await a_bidder(store), await a_bidder(store)
    await objected(store, bidder, tender.lot_id, "documents", now=NOW + timedelta(days=1))
    async with open_award_house(store, settings) as address:
        for who in (tender.cast.agency, other, None):
            token = "" if who is None else await token_of(store, who)
            async with open_page(chromium, f"{address}/objections", token=token) as shown:
                await assert_holds_everywhere(shown)
                if who is other:
                    await shown.get_by_text("提出异议", exact=True).click()
                    await assert_looks_as_kept(shown, "objection-form")
