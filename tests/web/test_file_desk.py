"""The file desk over HTTP: Bidding Law 19, 24; Bidding Regulation 15, 26, 32; Conduct Opinions 1;
E-Bidding Measures 19. The codes of lots and deals lead back to what they stand for.
"""

from __future__ import annotations

import json
from typing import Any
from uuid import uuid4

import httpx
import pytest
from fastapi import FastAPI
from playwright.async_api import Browser, expect

from kernel.access import Role
from kernel.crypto.digests import b64u, canonical, sha256
from kernel.identifiers import is_unified_deal_code
from kernel.settings import Settings
from kernel.store.transaction import Store
from tests.tender_files import FLAWED
from tests.tenders import (
    Cast,
    a_cast,
    a_draft,
    a_player,
    a_published_lot,
    lot_terms,
)
from tests.web.browser import assert_holds_everywhere, chromium, open_page
from tests.web.looks import assert_looks_as_kept
from tests.web.markup import faults_of, tree_of
from tests.web.tender_house import client_of, open_tender_house, page, submitted, token_of
from tests.web.test_tender_desk import a_lot, sign_and_publish
from web.app import create_app
from web.client import Client, Problem

__all__ = ["chromium"]

BRAND = "更换部件应当采用原设备三江品牌。"


async def refused(client: Client, method: str, path: str, *body: object) -> Problem:
    with pytest.raises(Problem) as problem:
        await getattr(client, method)(path, *body)
    return problem.value


@pytest.fixture
async def cast(store: Store) -> Cast:
    return await a_cast(store)


@pytest.fixture
async def house(store: Store, settings: Settings) -> FastAPI:
    return create_app(store, settings)


async def with_brand(client: Client, lot_id: object) -> str:
    """Write a block that names a brand; the key of what is found in it."""
    await client.put(
        f"/api/v1/lots/{lot_id}/tender-file/blocks/6.9",
        {"kind": "contract", "number": "6.9", "title": "部件", "text": BRAND},
    )
    (found,) = (await client.get(f"/api/v1/lots/{lot_id}/checkup"))["violations"]
    return str(found["key"])


# ── the check-up ──────────────────────────────────────────────────────────────────────────────


async def test_the_check_up_finds_all_forty_violations_of_a_flawed_file_over_http(
    house: FastAPI, store: Store, cast: Cast
) -> None:
    told = json.loads((FLAWED / "works.json").read_text("utf-8"))
    _, lot_id = await a_draft(store, cast)
    agency = await client_of(house, cast.agency)
    words = {key: word for key, word in lot_terms().notice.items() if key != "place"}
    plan = {key: f"{value}+08:00" for key, value in told["times"].items()}
    terms = a_lot(
        estimate="5000000.00",
        ceiling_price="4980000.00",
        bid_security=told["bid_security"],
        security_forms=told["security_forms"],
        notice=words,
        plan=plan | {"validity_days": told["validity_days"]},
    )
    await agency.put(f"/api/v1/lots/{lot_id}/draft", terms)

    answer = await agency.put(f"/api/v1/lots/{lot_id}/tender-file", {"file": told["file"]})

    found = [{key: one[key] for key in ("rule", "code", "place")} for one in answer["violations"]]
    assert len(found) == 40
    assert found == told["seeded"]
    assert answer["may_be_published"] is False
    assert all(one["article"].startswith("《") for one in answer["violations"])
    checkup = await agency.get(f"/api/v1/lots/{lot_id}/checkup")
    assert checkup["violations"] == answer["violations"]

    shown = await page(house, f"/desk/lots/{lot_id}/checkup", cast.agency)
    assert faults_of(tree_of(shown)) == []
    for one in answer["violations"]:
        assert f'href="/desk/lots/{lot_id}/file/blocks/{one["place"]}"' in shown
        assert f"/rules#{one['rule']}" in shown
        assert one["words"] in shown
    with pytest.raises(Problem) as problem:
        await sign_and_publish(agency, str(lot_id))
    assert problem.value.status == 409
    stopping = {one["code"] for one in answer["violations"] if one["stops"]}
    assert problem.value.codes == stopping
    assert stopping >= {"bidding_too_short", "brand", "bill_empty"}


async def test_what_is_answered_passes_and_stands_in_the_signed_notice(
    house: FastAPI, store: Store, cast: Cast
) -> None:
    _, lot_id = await a_draft(store, cast)
    agency = await client_of(house, cast.agency)
    key = await with_brand(agency, lot_id)
    with pytest.raises(Problem) as problem:
        await sign_and_publish(agency, str(lot_id))
    (ground,) = problem.value.refusals
    assert (ground["code"], ground["facts"]["place"]) == ("brand", "6.9")
    assert ground["article"] == "《中华人民共和国招标投标法实施条例》第32条第（五）项"

    path = f"/desk/lots/{lot_id}/checkup/answers"
    again = await submitted(house, path, cast.agency, {"key": key, "answer": "是"})
    assert again.status_code == 422
    assert "说明至少 10 字" in again.text
    answer = "既有电梯的更换部件，必须与原设备兼容"
    kept = await submitted(house, path, cast.agency, {"key": key, "answer": answer})
    assert kept.status_code == 303
    assert (await agency.get(f"/api/v1/lots/{lot_id}/checkup"))["may_be_published"] is True
    await sign_and_publish(agency, str(lot_id))

    notice = (await (await client_of(house)).get(f"/api/v1/lots/{lot_id}"))["notices"][0]["body"]
    (said,) = notice["answers"]
    assert (said["place"], said["answer"]) == ("6.9", answer)
    assert answer in await page(house, f"/notices/{lot_id}")


# ── writing ───────────────────────────────────────────────────────────────────────────────────


async def test_a_file_begins_from_the_standard_text_and_is_written_by_forms(
    house: FastAPI, store: Store, cast: Cast
) -> None:
    project_id, _ = await a_draft(store, cast)
    agency = await client_of(house, cast.agency)
    lot = (await agency.post(f"/api/v1/projects/{project_id}/lots", a_lot()))["id"]
    base = f"/desk/lots/{lot}/file"
    begun = await agency.get(f"/api/v1/lots/{lot}/tender-file")
    assert begun["revision"] == 0
    assert begun["file"]["terms"]["template"] == "works-tendering/2022"
    shown = await page(house, base, cast.agency)
    assert "江城市滨江新区" in shown
    assert "施工资质" in shown

    block = {"kind": "qualification", "number": "3.2", "title": "资质与人员", "revision": "0"}
    text = "投标人应当具有市政公用工程施工总承包一级资质。\r\n项目经理应当具有一级注册建造师资格。"
    done = await submitted(
        house, f"{base}/blocks/3.2", cast.agency, {**block, "text": text, "essential": "yes"}
    )
    assert done.headers["location"] == f"{base}#block-3.2"
    stale = await submitted(house, f"{base}/blocks/3.2", cast.agency, {**block, "text": "旧"})
    assert stale.status_code == 409
    assert ">旧</textarea>" in stale.text
    assert faults_of(tree_of(stale.text)) == []
    figures = {
        "bill": "1 | 管材 | 米 | 1200\n2 | 井盖 | 套 | 40",
        "template": "works-tendering/2022",
        "performance_security_percent": "10",
        **dict.fromkeys(("sign_within_days", "stages", "security_stage"), "1"),
        "reserve_estimates": "0",
        "reserve_secret": "yes",
    }
    done = await submitted(house, f"{base}/figures", cast.agency, figures)
    assert done.status_code == 303
    done = await submitted(house, f"{base}/blocks/2.5/removal", cast.agency, {})
    assert done.status_code == 303

    told = (await agency.get(f"/api/v1/lots/{lot}/tender-file"))["file"]
    blocks = {one["number"]: one for one in told["blocks"]}
    assert blocks["3.2"]["text"] == text.replace("\r\n", "\n")
    assert blocks["3.2"]["essential"] is True
    assert "2.5" not in blocks
    assert [one["quantity"] for one in told["bill"]] == ["1200", "40"]
    assert told["terms"]["performance_security_share"] == "0.1000"


@pytest.mark.parametrize(
    ("path", "form", "field", "words"),
    [
        ("blocks/new", {"number": "3.x", "title": "标题"}, "number", "编号写作"),
        ("blocks/new", {"number": "3.1", "title": "标题"}, "number", "编号 3.1 已经有一块"),
        ("blocks/3.1", {"number": "3.1", "title": ""}, "title", "请填写标题"),
        ("figures", {"bill": "1 | 管材"}, "bill", "第 1 行应当写作"),
        ("figures", {"bill": "1 | 管材 | 米 | 零"}, "bill", "数量为大于零的数"),
    ],
)
async def test_a_faulty_form_of_the_file_comes_back_with_what_was_typed(
    house: FastAPI,
    store: Store,
    cast: Cast,
    path: str,
    form: dict[str, Any],
    field: str,
    words: str,
) -> None:
    _, lot_id = await a_draft(store, cast)
    counts = dict.fromkeys(("sign_within_days", "stages", "security_stage"), "1")
    sent = {"kind": "qualification", "text": "正文原样", "reserve_estimates": "0", **counts, **form}
    answer = await submitted(house, f"/desk/lots/{lot_id}/file/{path}", cast.agency, sent)
    assert answer.status_code == 422
    assert f'href="#field-{field}"' in answer.text
    assert words in answer.text
    assert faults_of(tree_of(answer.text)) == []


async def test_a_draft_file_does_not_exist_for_anyone_but_its_owners(
    house: FastAPI, store: Store, cast: Cast
) -> None:
    _, lot_id = await a_draft(store, cast)
    other = await a_player(store, Role.AGENCY)
    for stranger in (other, cast.supervisor, cast.staff, None):
        client = await client_of(house, stranger)
        for path in ("tender-file", "checkup"):
            told = []
            for lot in (lot_id, uuid4()):
                problem = await refused(client, "get", f"/api/v1/lots/{lot}/{path}")
                told.append((problem.status, problem.body["detail"].replace(str(lot), "")))
            assert told[0] == told[1]
            assert told[0][0] in (401, 403, 404)
    owner = await client_of(house, cast.tenderee)
    assert (await owner.get(f"/api/v1/lots/{lot_id}/tender-file"))["revision"] == 1


async def test_a_malformed_file_is_turned_away_and_leaves_the_old_one(
    house: FastAPI, store: Store, cast: Cast
) -> None:
    _, lot_id = await a_draft(store, cast)
    agency = await client_of(house, cast.agency)
    path = f"/api/v1/lots/{lot_id}/tender-file"
    before = await agency.get(path)
    twice = [before["file"]["blocks"][0]] * 2
    for file in ({}, {"v": "ebid-tender-file/2", "blocks": []}, before["file"] | {"blocks": twice}):
        assert (await refused(agency, "put", path, {"file": file})).status == 422
    for key in ("gone@9.9:无", ""):
        body = {"key": key, "answer": "短"}
        answers = f"/api/v1/lots/{lot_id}/checkup/answers"
        assert (await refused(agency, "post", answers, body)).status == 422
    assert (await refused(agency, "delete", f"{path}/blocks/9.9")).status == 404
    assert await agency.get(path) == before


# ── after publication ─────────────────────────────────────────────────────────────────────────


async def test_a_published_file_is_shown_block_by_block_under_its_signed_digest(
    house: FastAPI, store: Store, cast: Cast
) -> None:
    lot = await a_published_lot(store, cast)
    anyone = await client_of(house)
    told = await anyone.get(f"/api/v1/lots/{lot.lot_id}")
    file = (await anyone.get(f"/api/v1/lots/{lot.lot_id}/tender-file"))["file"]

    (signed,) = (
        one for one in told["notices"][0]["body"]["documents"] if one["name"] == "tender-file.json"
    )
    assert signed["sha256"] == b64u(sha256(canonical(file)))
    shown = await page(house, f"/notices/{lot.lot_id}")
    for block in file["blocks"]:
        assert block["title"] in shown
        assert f'id="block-{block["number"]}"' in shown
    agency = await client_of(house, cast.agency)
    problem = await refused(
        agency,
        "put",
        f"/api/v1/lots/{lot.lot_id}/tender-file",
        {"file": file},
    )
    assert problem.codes == {"already_published"}


async def test_codes_lead_to_what_is_published_and_a_false_check_character_to_nothing(
    house: FastAPI, store: Store, cast: Cast
) -> None:
    lot = await a_published_lot(store, cast)
    other = await a_published_lot(store, cast)
    anyone = await client_of(house)
    told = await anyone.get(f"/api/v1/lots/{lot.lot_id}")
    deal, lot_code = told["codes"]["deal"], told["codes"]["lot"]
    assert is_unified_deal_code(deal)
    assert "20260302-000001" in deal
    second = (await anyone.get(f"/api/v1/lots/{other.lot_id}"))["codes"]["deal"]
    assert "20260302-000002" in second
    assert deal in await page(house, f"/notices/{lot.lot_id}")

    for code, kind, place in (
        (deal, "deal", f"/notices/{lot.lot_id}"),
        (lot_code, "lot", f"/notices/{lot.lot_id}"),
        (lot_code[:20], "tender_project", f"/projects/{lot.project_id}"),
        (lot_code[:17], "project", f"/projects/{lot.project_id}"),
    ):
        found = await anyone.get(f"/api/v1/codes/{code}")
        assert (found["kind"], found["project"]) == (kind, str(lot.project_id))
        led = await led_to(house, f"/codes/{code}")
        assert led == place
    wrong = deal[:-1] + ("A" if deal[-1] != "A" else "B")
    assert (await refused(anyone, "get", f"/api/v1/codes/{wrong}")).status == 422
    assert (await refused(anyone, "get", "/api/v1/codes/none")).status == 422

    project_id, _ = await a_draft(store, cast)
    agency = await client_of(house, cast.agency)
    (own,) = (
        one
        for one in (await agency.get("/api/v1/own-projects"))["projects"]
        if one["id"] == str(project_id)
    )
    hidden = own["codes"]["tender_project"]
    assert (await refused(anyone, "get", f"/api/v1/codes/{hidden}")).status == 404


async def led_to(house: FastAPI, path: str) -> str:
    """Where a visitor without a session is led from there."""
    transport = httpx.ASGITransport(app=house)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as visitor:
        return (await visitor.get(path)).headers["location"]


# ── in a browser ──────────────────────────────────────────────────────────────────────────────


@pytest.mark.browser
async def test_file_and_check_up_hold_at_every_width_and_axe_finds_nothing(
    store: Store, settings: Settings, cast: Cast, chromium: Browser
) -> None:
    lot = await a_published_lot(store, cast)
    _, draft_id = await a_draft(store, cast, lot.project_id, notice={})
    token = await token_of(store, cast.agency)
    async with open_tender_house(store, settings) as address:
        await with_flaws(create_app(store, settings), cast, draft_id)
        for path in (
            f"/desk/lots/{draft_id}/checkup",
            f"/desk/lots/{draft_id}/file",
            f"/desk/lots/{draft_id}/file/blocks/6.21",
            f"/desk/lots/{draft_id}/file/figures",
            f"/notices/{lot.lot_id}",
        ):
            async with open_page(chromium, address + path, token=token) as shown:
                await expect(shown.locator("h1")).to_be_visible()
                for summary in await shown.locator("main details > summary").all():
                    await summary.evaluate("(one) => { one.parentElement.open = true; }")
                await assert_holds_everywhere(shown)
                if path.endswith("/checkup"):
                    await assert_looks_as_kept(shown, "check-up")


async def with_flaws(house: FastAPI, cast: Cast, lot_id: object) -> None:
    told = json.loads((FLAWED / "works.json").read_text("utf-8"))
    agency = await client_of(house, cast.agency)
    await agency.put(f"/api/v1/lots/{lot_id}/tender-file", {"file": told["file"]})
