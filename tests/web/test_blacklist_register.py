"""The register over HTTP: Bidding Law 53, 61; Bidding Regulation 67, 78."""

from __future__ import annotations

import re

import pytest
from fastapi import FastAPI
from playwright.async_api import Browser, expect

from blacklist.rules.bar_terms import Misconduct
from kernel.access import Role
from kernel.settings import Settings
from kernel.store.transaction import Store
from tests.decisions import a_bar, barred
from tests.tenders import Player, a_player
from tests.web.browser import assert_holds_everywhere, chromium, open_page
from tests.web.tender_house import client_of, open_tender_house, page, signed_in, token_of
from web.app import create_app
from web.client import Problem

__all__ = ["chromium"]


@pytest.fixture
async def house(store: Store, settings: Settings) -> FastAPI:
    return create_app(store, settings)


@pytest.fixture
async def supervisor(store: Store) -> Player:
    return await a_player(store, Role.SUPERVISOR, organisation="江城市发展和改革委员会")


@pytest.fixture
async def bidder(store: Store) -> Player:
    return await a_player(store, Role.BIDDER, organisation="串标建设有限公司")


async def test_a_supervisor_bars_and_lifts_and_everyone_can_read_it(
    house: FastAPI, supervisor: Player, bidder: Player
) -> None:
    client, public = await client_of(house, supervisor), await client_of(house)
    subject = {"organisation": str(bidder.party)}

    told = await client.post_statement("/api/v1/decisions", "bar", a_bar(subject))

    (shown,) = (await public.get("/api/v1/decisions"))["decisions"]
    assert (shown["id"], shown["in_force"]) == (told["id"], True)
    assert shown["acts"] == ["award", "registration", "submission"]
    assert "串标建设有限公司" in await page(house, "/bars")
    assert "江发改罚〔2026〕7号" in await page(house, "/en/bars")

    await client.post_statement(
        f"/api/v1/decisions/{told['id']}/lift",
        "lift",
        {
            "decision": told["id"],
            "authority": "江城市人民政府",
            "document_number": "江政复决〔2026〕3号",
            "reason": "行政复议撤销",
        },
    )
    assert (await public.get("/api/v1/decisions"))["decisions"] == []
    assert "串标建设有限公司" not in await page(house, "/bars")
    assert "串标建设有限公司" in await page(house, "/bars", supervisor)


async def test_a_decision_the_law_does_not_know_is_refused_with_its_article(
    house: FastAPI, supervisor: Player, bidder: Player
) -> None:
    client = await client_of(house, supervisor)
    said = a_bar({"organisation": str(bidder.party)}, ends_on=None)

    with pytest.raises(Problem) as problem:
        await client.post_statement("/api/v1/decisions", "bar", said)

    assert problem.value.status == 409
    assert problem.value.codes == {"no_end"}
    assert problem.value.refusals[0]["article"] == "《中华人民共和国招标投标法》第53条"


async def test_nobody_but_a_supervisor_records_a_decision(house: FastAPI, bidder: Player) -> None:
    said = a_bar({"organisation": str(bidder.party)})
    with pytest.raises(Problem) as problem:
        await (await client_of(house, bidder)).post_statement("/api/v1/decisions", "bar", said)
    assert problem.value.status == 403
    assert "记录处理决定" not in await page(house, "/bars", bidder)


async def test_what_a_decision_says_is_marked_as_chinese_on_the_english_page(
    house: FastAPI, store: Store, supervisor: Player, bidder: Player
) -> None:
    await barred(store, supervisor, {"organisation": str(bidder.party)})
    shown = await page(house, "/en/bars")
    terms = shown.split('<dl class="kv">')[1].split("</dl>")[0]
    bare = re.sub(r'<span lang="zh-CN">.*?</span>', "", terms)
    assert not re.search("[\u4e00-\u9fff]", bare)
    assert re.search(r'<select[^>]* lang="zh-CN"', await page(house, "/en/bars", supervisor))


@pytest.mark.browser
async def test_the_register_holds_at_every_width_and_axe_finds_nothing(
    store: Store,
    settings: Settings,
    supervisor: Player,
    bidder: Player,
    chromium: Browser,
) -> None:
    await barred(store, supervisor, {"organisation": str(bidder.party)})
    token = await token_of(store, supervisor)
    async with open_tender_house(store, settings) as address:
        for who in ("", token):
            async with open_page(chromium, f"{address}/bars", token=who) as shown:
                await assert_holds_everywhere(shown)


@pytest.mark.browser
async def test_a_supervisor_signs_a_decision_in_the_browser(
    store: Store,
    settings: Settings,
    supervisor: Player,
    bidder: Player,
    chromium: Browser,
) -> None:
    async with (
        open_tender_house(store, settings) as address,
        signed_in(store, chromium, address, supervisor) as shown,
    ):
        await shown.goto(f"{address}/bars")
        form = shown.locator("form[data-sign=bar]")
        await form.get_by_label("单位").select_option(str(bidder.party))
        await form.get_by_label("作出决定的机关").fill("江城市发展和改革委员会")
        await form.get_by_label("决定书文号").fill("江发改罚〔2026〕7号")
        await form.get_by_label("所依据的条文").fill("《中华人民共和国招标投标法》第五十三条")
        await form.get_by_label("违法事实").fill("与他人串通投标")
        await form.get_by_label("投标", exact=True).check()
        for label, day in (
            ("决定日期", "2026-03-02"),
            ("禁止期起", "2026-03-02"),
            ("禁止期止", "2027-09-01"),
        ):
            await form.get_by_label(label).fill(day)
        await form.get_by_role("button").click()
        await expect(shown.locator("main")).to_contain_text("江发改罚〔2026〕7号")
        await expect(shown.get_by_role("heading", name="串标建设有限公司")).to_be_visible()


@pytest.mark.browser
async def test_a_decision_about_a_person_is_signed_in_the_browser_and_not_told_to_the_public(
    store: Store, settings: Settings, supervisor: Player, chromium: Browser
) -> None:
    expert = await a_player(store, Role.EXPERT, person="受罚专家")
    async with (
        open_tender_house(store, settings) as address,
        signed_in(store, chromium, address, supervisor) as shown,
    ):
        await shown.goto(f"{address}/bars")
        form = shown.locator("form[data-sign=bar]")
        await form.get_by_label("个人的平台编号").fill(str(expert.person))
        await form.get_by_label("作出决定的机关").fill("江城市发展和改革委员会")
        await form.get_by_label("决定书文号").fill("江发改罚〔2026〕8号")
        await form.get_by_label("所依据的条文").fill("《招标投标法实施条例》第七十一条")
        await form.get_by_label("事由").select_option(str(Misconduct.EXPERT_MISCONDUCT))
        await form.get_by_label("违法事实").fill("不按规定的评标标准和方法评标")
        await form.get_by_label("被抽取为评标专家").check()
        for label, day in (
            ("决定日期", "2026-03-02"),
            ("禁止期起", "2026-03-02"),
            ("禁止期止", "2027-03-01"),
        ):
            await form.get_by_label(label).fill(day)
        await form.get_by_role("button").click()
        await expect(shown.get_by_role("heading", name="受罚专家")).to_be_visible()
        async with open_page(chromium, f"{address}/bars") as public:
            await expect(public.locator("main")).not_to_contain_text("受罚专家")
