"""Projects are placed in the trading catalogue when they are entered: Bidding Law 3, 4, 66; Bidding
Regulation 9; Mandatory Tender Provisions 2, 5.
"""

from __future__ import annotations

from typing import Any

import pytest
from fastapi import FastAPI

from kernel.access import Role
from kernel.settings import Settings
from kernel.store.transaction import Store
from tests.tender_files import completed
from tests.tenders import Cast, a_cast, a_player
from tests.web.markup import faults_of, tree_of
from tests.web.tender_house import client_of, page, submitted
from tests.web.test_tender_desk import a_lot, a_project_form
from web.app import create_app
from web.client import Client, Problem


@pytest.fixture
async def cast(store: Store) -> Cast:
    return await a_cast(store)


@pytest.fixture
async def house(store: Store, settings: Settings) -> FastAPI:
    return create_app(store, settings)


def a_free_project(cast: Cast, **changes: Any) -> dict[str, Any]:
    """A voluntary tender of works with state money, just below the amount."""
    return {
        "code": "ZY-2026-01",
        "name": "厂区道路改造一期",
        "procedure": "open_tender_voluntary",
        "category": "works",
        "region": "420100",
        "funding_source": "国有企业自有资金",
        "tenderee": str(cast.tenderee.party),
        "estimate": "3999999.99",
        **changes,
    }


async def grounds(client: Client, project: dict[str, Any]) -> dict[str, Any]:
    with pytest.raises(Problem) as problem:
        await client.post("/api/v1/projects", project)
    assert problem.value.status == 409
    return {one["code"]: one for one in problem.value.refusals}


async def test_a_split_project_is_refused_with_the_sum_and_the_article(
    house: FastAPI, cast: Cast
) -> None:
    tenderee = await client_of(house, cast.tenderee)
    first = await tenderee.post("/api/v1/projects", a_free_project(cast))
    assert first["catalogue"]["must_tender"] is False
    assert first["catalogue"]["line"] == "A-W"

    second = a_free_project(cast, code="ZY-2026-02", name="厂区道路改造二期", estimate="0.01")
    found = await grounds(tenderee, second)
    assert set(found) == {"split"}
    assert found["split"]["article"] == "《中华人民共和国招标投标法》第4条"
    assert found["split"]["facts"]["together"] == "4000000.00"
    assert "厂区道路改造一期（ZY-2026-01）" in found["split"]["reason"]

    # Another investment project is another whole; of one that is named, the parts are added too.
    await tenderee.post("/api/v1/projects", second | {"investment_code": "2026-420100-01"})
    third = a_free_project(cast, code="ZY-2026-03", investment_code="2026-420100-01")
    assert set(await grounds(tenderee, third)) == {"split"}
    goods = a_free_project(cast, code="ZY-2026-04", category="goods", estimate="1999999.99")
    codes = (await tenderee.post("/api/v1/projects", goods))["codes"]
    assert codes["tender_project"].endswith("001")


async def test_a_project_inside_the_catalogue_is_not_entered_as_a_free_one(
    house: FastAPI, cast: Cast
) -> None:
    tenderee = await client_of(house, cast.tenderee)
    found = await grounds(tenderee, a_free_project(cast, estimate="4000000.00"))
    assert set(found) == {"must_be_tendered"}
    assert found["must_be_tendered"]["article"] == "《必须招标的工程项目规定》第5条"
    assert "限额4000000.00元" in found["must_be_tendered"]["reason"].replace(",", "")
    assert set(await grounds(tenderee, a_free_project(cast, estimate=None))) == {
        "estimate_unstated"
    }
    exempt = a_free_project(cast, estimate="4000000.00", exemption="disaster_relief")
    assert set(await grounds(tenderee, exempt)) == {"no_exemption_document"}

    for lawful in (
        {"code": "A-001", "procedure": "open_tender_mandatory", "estimate": None},
        {"code": "A-002", "estimate": None, "state_funded": False},
        {"code": "A-003", "exemption": "disaster_relief", "exemption_document": "应急函1号"},
    ):
        project = a_free_project(cast, **{"estimate": "4000000.00", **lawful})
        assert (await tenderee.post("/api/v1/projects", project))["id"]


async def test_the_form_refuses_with_the_article_and_the_page_explains_the_judgement(
    house: FastAPI, cast: Cast
) -> None:
    form = {**a_project_form(cast), "procedure": "open_tender_voluntary", "agency": ""}
    answer = await submitted(
        house, "/desk/projects/new", cast.tenderee, form | {"estimate": "4000000.00"}
    )
    assert answer.status_code == 409
    assert "《必须招标的工程项目规定》第5条" in answer.text
    assert "错误：" in answer.text
    assert f'value="{form["name"]}"' in answer.text, "what was typed is still there"
    assert 'value="4000000.00"' in answer.text
    assert faults_of(tree_of(answer.text)) == []
    answer = await submitted(
        house, "/desk/projects/new", cast.tenderee, form | {"estimate": "3,999,999.99"}
    )
    shown = await page(house, answer.headers["location"], cast.tenderee)
    assert faults_of(tree_of(shown)) == []
    words = tree_of(shown).text
    for told in ("不属于依法必须招标的范围", "目录条目“工程施工”", "未达到限额", "招标项目编号"):
        assert told in words, told


async def test_an_agency_learns_nothing_of_what_others_draft_and_the_tenderee_judges_it_all(
    house: FastAPI, store: Store, cast: Cast
) -> None:
    tenderee = await client_of(house, cast.tenderee)
    await tenderee.post("/api/v1/projects", a_free_project(cast))
    other = await a_player(store, Role.AGENCY)
    agency = await client_of(house, other)

    entered = await agency.post(
        "/api/v1/projects",
        a_free_project(cast, code="ZY-2026-05", estimate="100000.00", agency=str(other.party)),
    )
    assert entered["catalogue"]["siblings"] == []

    said = {"project": entered["id"], "agency": str(other.party)}
    with pytest.raises(Problem) as problem:
        await tenderee.post_statement(
            f"/api/v1/projects/{entered['id']}/authorisation", "authorisation", said
        )
    assert problem.value.codes == {"split"}


async def test_a_lot_above_what_its_project_stated_is_not_published(
    house: FastAPI, cast: Cast
) -> None:
    tenderee = await client_of(house, cast.tenderee)
    project = (await tenderee.post("/api/v1/projects", a_free_project(cast)))["id"]
    path = f"/api/v1/projects/{project}/lots"
    terms = a_lot(estimate="2000000.00", ceiling_price=None, bid_security="0")
    lots = [(await tenderee.post(path, terms))["id"] for _ in range(2)]
    await completed(tenderee, lots[0])
    papers = await tenderee.get(f"/api/v1/lots/{lots[0]}/publication")
    assert "split" in {one["code"] for one in papers["refusals"]}
    (found,) = (
        one
        for one in (await tenderee.get(f"/api/v1/lots/{lots[0]}/checkup"))["violations"]
        if one["code"] == "split"
    )
    assert (found["rule"], found["severity"]) == ("SC-04", "block")
    await tenderee.delete(f"/api/v1/lots/{lots[1]}/draft")
    papers = await tenderee.get(f"/api/v1/lots/{lots[0]}/publication")
    assert "split" not in {one["code"] for one in papers["refusals"]}
