"""Results over HTTP: Bidding Law 45; Bidding Regulation 54, 55; Notice Measures 6."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

import pytest
from fastapi import FastAPI
from playwright.async_api import Browser, expect

from kernel.access import Role
from kernel.crypto.digests import unb64, unb64u
from kernel.crypto.signing import Envelope, verify
from kernel.settings import Settings
from kernel.store.transaction import Store
from tests.awards import (
    PRICES,
    Evaluated,
    a_recorded_lot,
    an_evaluated_lot,
    awarded,
    candidates_published,
    objected,
    standstill_ended,
)
from tests.sealed_bids import Tender
from tests.tenders import a_player
from tests.web.award_house import open_award_house
from tests.web.browser import (
    assert_holds_everywhere,
    chromium,
    open_page,
)
from tests.web.looks import assert_looks_as_kept
from tests.web.markup import faults_of, tree_of
from tests.web.tender_house import client_of, page, signed_in, token_of
from trading.rules.procedures import Procedure
from web.app import create_app
from web.client import Client, Problem

__all__ = ["chromium"]


@pytest.fixture
async def house(store: Store, settings: Settings) -> FastAPI:
    return create_app(store, settings)


async def cleared(evaluated: Evaluated) -> datetime:
    published = await candidates_published(evaluated)
    await standstill_ended(evaluated, published.until)
    return published.until


async def refused(client: Client, method: str, *arguments: Any) -> Problem:
    with pytest.raises(Problem) as problem:
        await getattr(client, method)(*arguments)
    return problem.value


def trusted(told: dict[str, Any], name: str) -> dict[str, Any]:
    """What a signed statement of the answer says, once its signature was checked."""
    keys = {keyid: unb64u(key) for keyid, key in told["signers"].items()}
    envelope = Envelope.from_bytes(unb64(told["statements"][name]))
    assert verify(envelope, keys=keys)
    said: dict[str, Any] = json.loads(envelope.payload)
    return said


# ── over HTTP ─────────────────────────────────────────────────────────────────────────────────


async def test_the_way_from_the_record_to_the_award_over_http(
    evaluated: Evaluated, house: FastAPI, clock_to: Any
) -> None:
    lot = f"/api/v1/lots/{evaluated.hall.lot_id}"
    agency = await client_of(house, evaluated.agency)
    tenderee = await client_of(house, evaluated.tenderee)
    stranger = await client_of(house)
    assert (await stranger.get(f"{lot}/award"))["ranking"] == []

    await clock_to(evaluated.reported_at + timedelta(hours=1))
    draft = await agency.get(f"{lot}/candidates/draft")
    done = await agency.post_statement(f"{lot}/candidates", "candidates", draft)
    assert done["until"] == "2026-03-26T16:00:00Z"
    told = await stranger.get(f"{lot}/award")
    assert [one["rank"] for one in told["ranking"]] == [1, 2, 3]
    assert [one["name"] for one in told["rejected"]] == [evaluated.ranked[3].player.organisation]
    assert trusted(told, "candidates")["candidates"] == draft["candidates"]

    await clock_to(datetime.fromisoformat(done["until"]))
    await standstill_ended(evaluated, datetime.fromisoformat(done["until"]))
    second = {"lot": draft["lot"], "winner": draft["candidates"][1]["bidder"]}
    problem = await refused(tenderee, "post_statement", f"{lot}/award", "award", second)
    assert problem.status == 409
    assert [one["code"] for one in problem.refusals] == ["not_first"]
    assert "第55条" in problem.refusals[0]["article"]
    first = {**second, "winner": draft["candidates"][0]["bidder"], "report": draft["report"]}
    made = await tenderee.post_statement(f"{lot}/award", "award", first)
    assert (made["rank"], made["price"], made["told"]) == (1, PRICES[0], 4)
    told = await stranger.get(f"{lot}/award")
    assert told["award"]["winner"] == evaluated.ranked[0].player.organisation
    assert trusted(told, "award")["winner"] == first["winner"]


async def test_bids_are_handed_over_over_http(store: Store, house: FastAPI) -> None:
    hall = await a_recorded_lot(store, PRICES[:3])
    staff = await client_of(house, hall.tender.cast.staff)
    assert await staff.post(f"/api/v1/lots/{hall.lot_id}/handover") is None
    problem = await refused(staff, "post", f"/api/v1/lots/{hall.lot_id}/handover")
    assert (problem.status, [one["code"] for one in problem.refusals]) == (409, ["no_such_move"])


async def test_nothing_of_a_report_is_told_before_the_candidates_are_published(
    evaluated: Evaluated, house: FastAPI
) -> None:
    path = f"/awards/{evaluated.hall.lot_id}"
    supervisor = evaluated.hall.tender.cast.supervisor
    readers = [None, evaluated.ranked[0].player, supervisor]
    for reader in readers:
        shown = await page(house, path, reader)
        told = await (await client_of(house, reader)).get(
            f"/api/v1/lots/{evaluated.hall.lot_id}/award"
        )
        for entry in evaluated.ranked:
            assert entry.player.organisation not in shown
            assert f"{float(str(entry.sheet['price'])):,.2f}" not in shown
        assert (told["ranking"], told["award"], "statements" in told) == ([], None, False)


async def test_a_draft_has_no_result_and_an_open_lot_only_its_way(
    store: Store, tender: Tender, house: FastAPI
) -> None:
    shown = await page(house, f"/awards/{tender.lot_id}")
    assert "此前对任何人保密" in shown
    await page(house, "/awards/00000000-0000-4000-8000-000000000000", status=404)
    bidder = await a_player(store, Role.BIDDER)
    await page(house, f"/awards/{tender.lot_id}/notice", bidder, status=404)


# ── pages ─────────────────────────────────────────────────────────────────────────────────────


async def test_the_award_page_shows_prices_points_rejection_and_its_ground(
    evaluated: Evaluated, house: FastAPI
) -> None:
    now = await cleared(evaluated)
    await awarded(evaluated, evaluated.ranked[0], now=now)
    shown = await page(house, f"/awards/{evaluated.hall.lot_id}")
    assert faults_of(tree_of(shown)) == []
    words = tree_of(shown).text
    for entry in evaluated.ranked:
        assert entry.player.organisation in words
        assert f"{float(str(entry.sheet['price'])):,.2f}" in words
    for told in (
        "94.50",
        "中标人",
        "壹亿壹仟捌佰陆拾万元整",
        "不符合招标文件的实质性要求",
        "第51条第（六）项",
        "技术标第12页",
        "2026-04-27",
        "赵工（一级建造师，苏132060700123）",
    ):
        assert told in words, told
    for link in ("opening-record", "evaluation-record", "/transparency", "/api/v1/log/proofs/"):
        assert link in shown
    for path in ("/awards", f"/en/awards/{evaluated.hall.lot_id}"):
        assert evaluated.ranked[0].player.organisation in await page(house, path)
    [line] = (await (await client_of(house)).get("/api/v1/awards"))["awards"]
    assert line["lot_id"] == str(evaluated.hall.lot_id)


@pytest.mark.parametrize(
    ("terms", "said", "article"),
    [
        ({}, "应当确定排名第一的中标候选人为中标人", "《中华人民共和国招标投标法实施条例》第55条"),
        (
            {"state_funded": False, "procedure": Procedure.OPEN_TENDER_VOLUNTARY},
            "可以在推荐的中标候选人中确定中标人",
            "《中华人民共和国招标投标法》第40条",
        ),
    ],
    ids=["state money", "voluntary"],
)
async def test_the_form_for_an_award_says_whom_the_law_of_its_procedure_names(
    store: Store, house: FastAPI, terms: dict[str, Any], said: str, article: str
) -> None:
    evaluated = await an_evaluated_lot(store, PRICES[:3], rejected=0, **terms)
    await cleared(evaluated)
    shown = await page(house, f"/awards/{evaluated.hall.lot_id}", evaluated.tenderee)
    words = tree_of(shown).text
    assert f"{said}。 {article}" in words
    assert faults_of(tree_of(shown)) == []


async def test_each_bidder_reads_its_own_notice_and_nobody_elses(
    evaluated: Evaluated, house: FastAPI
) -> None:
    now = await cleared(evaluated)
    path = f"/awards/{evaluated.hall.lot_id}/notice"
    winner, loser, rejected = (evaluated.ranked[n].player for n in (0, 2, 3))
    await page(house, path, winner, status=404)
    await awarded(evaluated, evaluated.ranked[0], now=now)
    assert "确定你单位为中标人" in await page(house, path, winner)
    lost = await page(house, path, loser)
    assert "92.50" in lost
    assert winner.organisation in lost
    assert "未参加排名" in await page(house, path, rejected)
    told = f"/api/v1/lots/{evaluated.hall.lot_id}/award/notice"
    notice = await (await client_of(house, loser)).get(told)
    assert (notice["won"], notice["winner"]) == (False, winner.organisation)
    assert (notice["own_rank"], notice["own_total"]) == (3, "92.50")
    assert "result" not in notice
    await page(house, path, status=401)
    await page(house, path, evaluated.agency, status=403)


async def test_an_objection_shows_on_the_award_page_at_once(
    evaluated: Evaluated, house: FastAPI
) -> None:
    published = await candidates_published(evaluated)
    path = f"/awards/{evaluated.hall.lot_id}"
    objector = evaluated.ranked[1].player
    now = published.until - timedelta(hours=5)
    await objected(evaluated.store, objector, evaluated.hall.lot_id, "result", now=now)
    public = await page(house, path)
    assert "异议或者投诉处理中，招标投标活动暂停" in public
    assert "业绩证明材料" not in public
    assert "业绩证明材料" in await page(house, path, evaluated.ranked[0].player)
    assert "业绩证明材料" in await page(house, path, evaluated.agency)


# ── in a browser ──────────────────────────────────────────────────────────────────────────────


@pytest.mark.browser
async def test_candidates_and_award_are_signed_in_the_browser(
    store: Store, settings: Settings, evaluated: Evaluated, chromium: Browser, clock_to: Any
) -> None:
    lot_id = evaluated.hall.lot_id
    await clock_to(evaluated.reported_at + timedelta(hours=1))

    async with open_award_house(store, settings) as address:
        async with signed_in(store, chromium, address, evaluated.agency) as shown:
            await shown.goto(f"{address}/awards/{lot_id}")
            heads = shown.get_by_label("项目负责人及其证书名称、编号")
            await heads.first.fill("钱工（注册建造师）")
            await shown.get_by_role("button", name="签名并公示").click()
            await expect(shown.get_by_role("heading", level=1)).to_contain_text("中标候选人公示")
            await expect(shown.get_by_text("钱工（注册建造师）")).to_be_visible()
        reader = await client_of(create_app(store, settings))
        told = await reader.get(f"/api/v1/lots/{lot_id}/award")
        until = datetime.fromisoformat(told["candidates_until"])
        await clock_to(until)
        await standstill_ended(evaluated, until)
        tenderee = evaluated.tenderee
        async with signed_in(store, chromium, address, tenderee, expected="409") as shown:
            await shown.goto(f"{address}/awards/{lot_id}")
            await shown.get_by_role("radio").nth(1).check()
            await shown.get_by_role("button", name="签名并定标").click()
            said = shown.locator("form[data-sign-award] [data-says]")
            await expect(said).to_contain_text("第55条")
            await shown.get_by_role("radio").nth(0).check()
            await shown.get_by_role("button", name="签名并定标").click()
            await expect(shown.get_by_role("heading", level=1)).to_contain_text("中标结果")
            winner = evaluated.ranked[0].player.organisation
            await expect(shown.get_by_text(winner).first).to_be_visible()
        # The winner gives up, and the tenderee annuls what was given up.
        async with signed_in(store, chromium, address, evaluated.ranked[0].player) as shown:
            await shown.goto(f"{address}/awards/{lot_id}/notice")
            await shown.get_by_text("放弃中标", exact=True).click()
            await shown.get_by_label("理由").fill("资金困难，无力履约。")
            await shown.get_by_role("button", name="签名并放弃中标").click()
            await expect(shown.get_by_text("您已声明放弃中标")).to_be_visible()
        async with signed_in(store, chromium, address, tenderee) as shown:
            await shown.goto(f"{address}/awards/{lot_id}")
            await shown.get_by_label("事实和理由").fill("中标人签名声明放弃中标。")
            await shown.get_by_role("button", name="签名并取消中标资格").click()
            await expect(shown.get_by_text("已取消的中标资格")).to_be_visible()
            await expect(shown.get_by_role("radio")).to_have_count(2)


@pytest.mark.browser
async def test_the_award_pages_fit_every_width_and_axe_finds_nothing(
    store: Store, settings: Settings, evaluated: Evaluated, chromium: Browser
) -> None:
    lot_id = evaluated.hall.lot_id
    published = await candidates_published(evaluated)
    owner = await token_of(store, evaluated.tenderee)
    winner = await token_of(store, evaluated.ranked[0].player)
    async with open_award_house(store, settings) as address:

        async def look(path: str, token: str, name: str = "") -> None:
            async with open_page(chromium, address + path, token=token) as shown:
                if name:
                    await assert_looks_as_kept(shown, name)
                await assert_holds_everywhere(shown)

        await look(f"/awards/{lot_id}", "", "candidate-publicity")
        await standstill_ended(evaluated, published.until)
        await look(f"/awards/{lot_id}", owner)
        await awarded(evaluated, evaluated.ranked[0], now=published.until)
        await look(f"/awards/{lot_id}", "")
        await look(f"/awards/{lot_id}/notice", winner, "award-notice")
        await look("/awards", "")
