"""The question board over HTTP and in a browser: Bidding Law 22, 23; Bidding Regulation 22."""

from __future__ import annotations

from datetime import timedelta

import pytest
from fastapi import FastAPI
from playwright.async_api import Browser, expect

from kernel.crypto.digests import instant_text
from kernel.settings import Settings
from kernel.store.transaction import Store, transaction
from tests.questions import WORDS, ask, asked, clarify
from tests.sealed_bids import Tender, a_bidder
from tests.tenders import NOW
from tests.web.browser import assert_holds_everywhere, chromium, open_page
from tests.web.looks import assert_looks_as_kept
from tests.web.tender_house import client_of, open_tender_house, page, signed_in, token_of
from trading import due_lots
from web.app import create_app
from web.client import Problem

__all__ = ["chromium"]

SECOND = "是否组织现场踏勘？"


@pytest.fixture
async def house(store: Store, settings: Settings) -> FastAPI:
    return create_app(store, settings)


async def test_a_question_is_asked_grouped_and_answered_over_http(
    store: Store, tender: Tender, house: FastAPI
) -> None:
    first, second = await a_bidder(store), await a_bidder(store)
    path = f"/api/v1/lots/{tender.lot_id}/questions"
    ids = [await ask(await client_of(house, one), tender.lot_id) for one in (first, second)]
    agency, stranger = await client_of(house, tender.cast.agency), await client_of(house)

    told = await agency.get(path)
    assert [(one["words"], one["asker"]) for one in told["desk"]] == [(WORDS, None)] * 2
    assert told["until"] == instant_text(tender.due_at - timedelta(days=10))
    answer = {"question": "业绩年限从何时起算？", "answer": "自2023年3月1日起。"}
    number = await clarify(
        agency, tender.lot_id, may_affect_bids=False, answers=[answer], questions=[ids]
    )

    public = await stranger.get(path)
    assert "desk" not in public
    assert public["own"] == []
    assert [(one["notice"], one["answer"]) for one in public["answers"]] == [
        (number, answer["answer"])
    ]
    own = (await (await client_of(house, first)).get(path))["own"]
    assert [(one["id"], one["notice"]) for one in own] == [(ids[0], number)]
    for reader in (None, tender.cast.supervisor, second):
        shown = await page(house, f"/notices/{tender.lot_id}/questions", reader)
        assert answer["answer"] in shown
        assert first.organisation not in shown
    assert answer["answer"] in await page(house, f"/notices/{tender.lot_id}")


async def test_who_waits_for_an_answer_is_told_to_nobody_but_the_desk(
    store: Store, tender: Tender, house: FastAPI
) -> None:
    bidder = await a_bidder(store)
    await asked(store, bidder, tender.lot_id, now=NOW)
    board = f"/notices/{tender.lot_id}/questions"
    for reader in (None, tender.cast.supervisor, tender.cast.staff, await a_bidder(store)):
        shown = await page(house, board, reader)
        assert WORDS not in shown
        assert "待答复" not in shown
    for owner in (tender.cast.tenderee, tender.cast.agency):
        shown = await page(house, board, owner)
        assert WORDS in shown
        assert bidder.organisation not in shown
        assert "1 个问题待答复" in await page(house, f"/desk/lots/{tender.lot_id}", owner)
    own = await page(house, board, bidder)
    assert WORDS in own
    assert "待答复" in own


async def test_a_late_question_is_refused_with_its_article(
    store: Store, tender: Tender, house: FastAPI
) -> None:
    staff = await client_of(house, tender.cast.staff)
    late = tender.due_at - timedelta(days=10) + timedelta(minutes=1)
    await staff.post("/demo/clock", {"to": instant_text(late)})
    bidder = await a_bidder(store)
    with pytest.raises(Problem) as refused:
        await ask(await client_of(house, bidder), tender.lot_id)
    assert refused.value.status == 409
    assert refused.value.codes == {"question_late"}
    assert "实施条例》第22条" in refused.value.refusals[0]["article"]
    shown = await page(house, f"/notices/{tender.lot_id}/questions", bidder)
    assert 'data-sign="question"' not in shown
    assert "2026-03-13 09:30" in shown


async def test_a_draft_has_no_board(store: Store, tender: Tender, house: FastAPI) -> None:
    missing = tender.cast.agency.party
    await page(house, f"/notices/{missing}/questions", status=404)
    with pytest.raises(Problem) as refused:
        await ask(await client_of(house, await a_bidder(store)), missing)
    assert refused.value.status == 404


@pytest.mark.browser
async def test_questions_are_asked_and_answered_together_in_the_browser(
    store: Store, settings: Settings, tender: Tender, chromium: Browser
) -> None:
    bidder = await a_bidder(store)
    await asked(store, await a_bidder(store), tender.lot_id, now=NOW)
    async with transaction(store, actor=tender.cast.staff.actor) as tx:
        await due_lots.jump_clock(tx, NOW + timedelta(days=1), reason="演示快进")
    async with open_tender_house(store, settings) as address:
        board = f"{address}/notices/{tender.lot_id}/questions"
        async with signed_in(store, chromium, address, bidder) as shown:
            await shown.goto(board)
            await shown.get_by_label("问题").fill(SECOND)
            await shown.get_by_role("button", name="签名并提问").click()
            await expect(shown.locator("#own ~ .panel")).to_contain_text(SECOND)
        async with signed_in(store, chromium, address, tender.cast.agency) as shown:
            await shown.goto(board)
            first = shown.locator("fieldset", has_text=WORDS).first
            other = shown.locator("fieldset", has_text=SECOND).first
            joined = await first.get_attribute("data-question")
            assert joined is not None
            await other.get_by_label("怎样答复").select_option(joined)
            await first.get_by_label("公布的问题").fill("业绩年限和踏勘如何安排？")
            await first.get_by_label("答复（留空则暂不答复）").fill("自2023年起；不组织踏勘。")
            await assert_holds_everywhere(shown)
            form = shown.locator("form[data-clarify]")
            await form.get_by_label("标题").fill("第1号澄清")
            await form.get_by_label("内容", exact=True).fill("统一答复如下。")
            await form.get_by_text("修改公告内容").click()
            await form.get_by_label("实施时间").fill("总工期600日历天")
            await form.get_by_role("button", name="签名并发布澄清").click()
            await expect(shown.locator("#notice-2")).to_contain_text("不组织踏勘")
            await expect(shown.locator("main")).to_contain_text("没有待答复的问题")
        async with open_page(chromium, board, token=await token_of(store, bidder)) as shown:
            await expect(shown.locator("#own ~ .panel")).to_contain_text("第 2 号公告")
            await assert_looks_as_kept(shown, "question-board")
