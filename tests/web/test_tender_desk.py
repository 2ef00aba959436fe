"""The tender desk over HTTP: Bidding Law 15, 16, 23, 24; Bidding Regulation 16, 21, 26; E-Bidding
Measures 14, 27, 40.
"""

from __future__ import annotations

import json
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import httpx
import pytest
from fastapi import FastAPI
from playwright.async_api import Browser, FilePayload, expect
from sqlalchemy import select
from sqlmodel import col

from kernel.access import Role
from kernel.crypto.digests import canonical, instant_text, parse_instant, sha256
from kernel.crypto.signing import PrivateKey
from kernel.settings import Settings
from kernel.store.tables import JournalRow
from kernel.store.transaction import Store, transaction
from tests.tender_files import completed
from tests.tenders import (
    NOW,
    SCHEME,
    SHEET_FIELDS,
    Cast,
    Player,
    a_cast,
    a_draft,
    a_plan,
    a_player,
    a_project,
    a_published_lot,
    key_statement,
)
from tests.web.browser import (
    assert_holds_everywhere,
    chromium,
    open_page,
)
from tests.web.tender_house import (
    client_of,
    open_tender_house,
    page,
    signed_in,
    submitted,
    token_of,
)
from tests.web.whole_house import forms_of
from trading import due_lots
from trading.rules.procedures import OFFERED, Procedure
from trading.tables import LotRow
from web.app import create_app
from web.client import Client, Problem

__all__ = ["chromium"]


@pytest.fixture
async def cast(store: Store) -> Cast:
    return await a_cast(store)


@pytest.fixture
async def house(store: Store, settings: Settings) -> FastAPI:
    return create_app(store, settings)


def a_lot(**changes: Any) -> dict[str, Any]:
    """A lot's terms as a program sends them."""
    terms = {
        "name": "施工总承包一标段",
        "region": "420100",
        "estimate": "130000000.00",
        "ceiling_price": "128460000.00",
        "bid_security": "800000.00",
        "security_forms": ["bank_guarantee", "insurance"],
        "scheme": SCHEME,
        "sheet_fields": list(SHEET_FIELDS),
        "notice": {
            "content": "新建污水处理设施",
            "scale": "日处理10万吨",
            "place": "江城市滨江新区",
            "schedule": "总工期540日历天",
            "qualifications": "市政公用工程施工总承包一级及以上资质",
            "consortium": "不接受联合体投标",
            "documents_how": "登录本平台免费下载",
            "submission_how": "通过本平台加密递交",
            "platform_how": "在本机加密后上传",
            "evaluation_method": "综合评估法",
        },
        "plan": a_plan(),
    }
    return {**terms, **changes}


async def refused(client: Client, method: str, path: str, body: object = None) -> Problem:
    with pytest.raises(Problem) as problem:
        await getattr(client, method)(path, body)
    return problem.value


async def put_file(app: FastAPI, who: Player, path: str, content: bytes) -> httpx.Response:
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        return await client.put(
            path,
            content=content,
            headers={
                "Authorization": f"Bearer {await token_of(app.state.store, who)}",
                "Content-Type": "application/pdf",
            },
        )


async def sign_and_publish(client: Client, lot_id: str) -> Any:
    papers = await client.get(f"/api/v1/lots/{lot_id}/publication")
    return await client.post(
        f"/api/v1/lots/{lot_id}/publication",
        {
            "timetable": json.loads(client.statement("timetable", papers["timetable"])),
            "opening_policy": json.loads(
                client.statement("opening-policy", papers["opening_policy"])
            ),
            "notice": json.loads(client.statement("notice", papers["notice"])),
        },
    )


# ── a tender from the first form to the notice ────────────────────────────────────────────────


async def test_a_tender_is_drafted_signed_and_published_over_http(
    house: FastAPI, store: Store, cast: Cast
) -> None:
    tenderee, agency = await client_of(house, cast.tenderee), await client_of(house, cast.agency)
    project = await tenderee.post(
        "/api/v1/projects",
        {
            "code": "JC2026-GC-0417",
            "name": "滨江新区污水处理厂二期工程",
            "procedure": "open_tender_mandatory",
            "category": "works",
            "region": "420100",
            "funding_source": "财政资金",
            "tenderee": str(cast.tenderee.party),
            "agency": str(cast.agency.party),
            "contact": {
                "tenderee_address": "江城市滨江大道1号",
                "tenderee_contact": "王工 027-00000001",
                "agency_address": "江城市中山路2号",
                "agency_contact": "李工 027-00000002",
            },
        },
    )
    lot = await agency.post(f"/api/v1/projects/{project['id']}/lots", a_lot())
    lot_id = lot["id"]
    kept = await put_file(
        house, cast.agency, f"/api/v1/lots/{lot_id}/documents/招标文件.pdf", b"%PDF-1.7"
    )
    assert kept.json() == {"sha256": sha256(b"%PDF-1.7").hex()}
    await completed(agency, lot_id)
    await agency.post(
        f"/api/v1/lots/{lot_id}/custodians",
        {
            "custodians": [
                {
                    "person": str(one.person),
                    "organisation": str(one.party),
                    "escrow_shares": 2 if one is cast.custodians[-1] else 1,
                }
                for one in cast.custodians
            ]
        },
    )
    waiting = await agency.get(f"/api/v1/lots/{lot_id}/publication")
    assert {one["code"] for one in waiting["refusals"]} == {"custodian_key_missing"}
    assert all(one["article"].startswith("《") for one in waiting["refusals"])
    for custodian in cast.custodians:
        client = await client_of(house, custodian)
        (asked,) = (await client.get("/api/v1/custodian-assignments"))["assignments"]
        assert (asked["name"], asked["kid"]) == ("", None)
        key = PrivateKey.generate()
        told = await client.post_signed(
            f"/api/v1/lots/{asked['lot']}/custodian-keys",
            key_statement(custodian, asked["project"], asked["lot"], key),
        )
        assert told == {"kid": key.kid}

    done = await sign_and_publish(agency, lot_id)

    shown = await (await client_of(house)).get(f"/api/v1/lots/{lot_id}")
    assert shown["state"] == "open"
    assert shown["opening_policy"]["hash"] == done["opening_policy"]
    async with store.sessions() as session:
        kinds = set(await session.scalars(select(col(JournalRow.kind))))
    assert {"ProjectCreated", "LotDrafted", "CustodianNamed", "LotPublished"} <= kinds


async def test_nineteen_days_are_refused_with_the_article_and_twenty_are_published(
    house: FastAPI, store: Store, cast: Cast
) -> None:
    _, lot_id = await a_draft(store, cast)
    agency = await client_of(house, cast.agency)
    short = a_plan(bids_due_at="2026-03-21T08:00:00Z")
    await agency.put(f"/api/v1/lots/{lot_id}/draft", a_lot(plan=short))

    with pytest.raises(Problem) as problem:
        await sign_and_publish(agency, str(lot_id))

    assert problem.value.status == 409
    (ground,) = problem.value.refusals
    assert ground["code"] == "bidding_too_short"
    assert ground["article"] == "《中华人民共和国招标投标法》第24条"
    await agency.put(f"/api/v1/lots/{lot_id}/draft", a_lot())
    await sign_and_publish(agency, str(lot_id))


@pytest.mark.parametrize(
    ("scheme", "code"),
    [
        ({"name": "综合评估法"}, "scheme_malformed"),
        ({**SCHEME, "items": SCHEME["items"][:1]}, "sum_not_100"),
    ],
)
async def test_a_scheme_that_cannot_be_scored_by_keeps_a_lot_from_being_published(
    house: FastAPI, store: Store, cast: Cast, scheme: dict[str, Any], code: str
) -> None:
    _, lot_id = await a_draft(store, cast)
    agency = await client_of(house, cast.agency)
    await agency.put(f"/api/v1/lots/{lot_id}/draft", a_lot(scheme=scheme))

    papers = await agency.get(f"/api/v1/lots/{lot_id}/publication")
    assert {one["code"] for one in papers["refusals"]} == {code}
    with pytest.raises(Problem) as problem:
        await sign_and_publish(agency, str(lot_id))
    assert problem.value.codes == {code}


async def test_a_late_clarification_moves_the_deadline_over_http(
    house: FastAPI, store: Store, cast: Cast
) -> None:
    lot = await a_published_lot(store, cast)
    staff = await client_of(house, cast.staff)
    await staff.post("/demo/clock", {"to": instant_text(NOW + timedelta(days=7, hours=2))})
    agency = await client_of(house, cast.agency)
    path = f"/api/v1/lots/{lot.lot_id}/clarifications"
    said = {
        "project": str(lot.project_id),
        "lot": str(lot.lot_id),
        "number": 2,
        "title": "第1号澄清",
        "text": "工程量清单第12项数量更正。",
        "may_affect_bids": True,
    }
    clarification = json.loads(agency.statement("clarification", said))

    problem = await refused(agency, "post", path, {"clarification": clarification})
    assert problem.codes == {"deadline_must_move"}

    times = (await agency.get(f"/api/v1/lots/{lot.lot_id}"))["timetable"]
    moved = {
        **{key: times[key] for key in times if key not in ("hash", "recorded_at")},
        "project": str(lot.project_id),
        "lot": str(lot.lot_id),
        "version": 2,
        "previous": times["hash"],
        "bids_due_at": "2026-03-25T01:30:00Z",
    }
    body = {
        "clarification": clarification,
        "timetable": json.loads(agency.statement("timetable", moved)),
    }
    assert await agency.post(path, body) == {"number": 2, "cautions": []}
    shown = await page(house, f"/notices/{lot.lot_id}")
    assert "第1号澄清" in shown
    assert "2026-03-25 09:30" in shown


# ── who may, and what may be sent ─────────────────────────────────────────────────────────────


async def test_a_draft_is_told_to_its_owners_alone(
    house: FastAPI, store: Store, cast: Cast
) -> None:
    _, lot_id = await a_draft(store, cast)
    other = await a_player(store, Role.AGENCY)
    for who in (cast.tenderee, cast.agency):
        told = await (await client_of(house, who)).get(f"/api/v1/lots/{lot_id}/draft")
        assert len(told["custodians"]) == 4
        assert "施工总承包一标段" in await page(house, "/desk", who)
    for stranger in (other, cast.supervisor, cast.staff, cast.custodians[0], None):
        client = await client_of(house, stranger)
        for path in (f"/api/v1/lots/{lot_id}/draft", f"/api/v1/lots/{lot_id}/publication"):
            with pytest.raises(Problem) as problem:
                await client.get(path)
            assert problem.value.status in (401, 403, 404)
    assert "施工总承包一标段" not in await page(house, "/desk", other)


@pytest.mark.parametrize(
    "changes",
    [
        {"estimate": "1.234"},
        {"estimate": 130000000},
        {"estimate": "-1"},
        {"name": ""},
        {"name": "a\x00b"},
        {"name": "x" * 201},
        {"region": "4201"},
        {"region": "999999"},
        {"scheme": {"weight": 0.5}},
        {"scheme": {"text": "\x00"}},
        {"notice": {"colour": "red"}},
        {"sheet_fields": [{"key": "price", "label": "价", "kind": "float"}]},
        {"sheet_fields": [{"key": "Price!", "label": "价", "kind": "money"}]},
        {"plan": {"bids_due_at": "2026-03-23 09:30"}},
        {"plan": {"release_window_s": -1}},
        {"security_forms": ["gold"]},
        {"unknown": 1},
    ],
)
async def test_a_lot_in_the_wrong_shape_is_turned_away_and_leaves_nothing(
    house: FastAPI, store: Store, cast: Cast, changes: dict[str, Any]
) -> None:
    project_id = await a_project(store, cast)
    agency = await client_of(house, cast.agency)

    problem = await refused(agency, "post", f"/api/v1/projects/{project_id}/lots", a_lot(**changes))

    assert problem.status == 422
    async with store.sessions() as session:
        assert (await session.scalars(select(LotRow))).first() is None


@pytest.mark.parametrize("name", [".env", "a%00b", "%E2%80%AEfdp.exe", "x" * 130])
async def test_a_file_with_a_tricky_name_is_turned_away(
    house: FastAPI, store: Store, cast: Cast, name: str
) -> None:
    _, lot_id = await a_draft(store, cast)
    answer = await put_file(house, cast.agency, f"/api/v1/lots/{lot_id}/documents/{name}", b"x")
    assert answer.status_code in (400, 404, 422), answer.text


async def test_a_file_that_is_too_large_is_turned_away(
    house: FastAPI, store: Store, cast: Cast
) -> None:
    _, lot_id = await a_draft(store, cast)
    answer = await put_file(
        house, cast.agency, f"/api/v1/lots/{lot_id}/documents/a.pdf", bytes((8 << 20) + 1)
    )
    assert answer.status_code == 413


async def test_unknown_lots_and_projects_are_not_found(house: FastAPI, cast: Cast) -> None:
    agency = await client_of(house, cast.agency)
    nowhere = uuid4()
    for method, path, body in (
        ("get", f"/api/v1/lots/{nowhere}/draft", None),
        ("put", f"/api/v1/lots/{nowhere}/draft", a_lot()),
        ("delete", f"/api/v1/lots/{nowhere}/draft", None),
        ("post", f"/api/v1/projects/{nowhere}/lots", a_lot()),
        ("get", f"/api/v1/lots/{nowhere}/publication", None),
        ("post", f"/api/v1/lots/{nowhere}/custodians", {"custodians": []}),
    ):
        with pytest.raises(Problem) as problem:
            if body is None:
                await getattr(agency, method)(path)
            else:
                await getattr(agency, method)(path, body)
        assert problem.value.status == 404, path


async def test_publishing_with_the_same_key_twice_gives_one_answer(
    house: FastAPI, store: Store, cast: Cast
) -> None:
    project_id = await a_project(store, cast)
    agency = await client_of(house, cast.agency)
    path = f"/api/v1/projects/{project_id}/lots"

    first = await agency.post(path, a_lot(), idempotency_key="draft-1")
    again = await agency.post(path, a_lot(), idempotency_key="draft-1")

    assert first == again
    async with store.sessions() as session:
        assert len((await session.scalars(select(LotRow))).all()) == 1


# ── forms ─────────────────────────────────────────────────────────────────────────────────────


def a_project_form(cast: Cast, **changes: object) -> dict[str, object]:
    return {
        "code": "JC2026-GC-0999",
        "name": "滨江大道改造",
        "agency": str(cast.agency.party),
        "procedure": "open_tender_mandatory",
        "category": "works",
        "region": "420100",
        "funding_source": "财政资金",
        "tenderee_address": "江城市滨江大道1号",
        "first_contract": "",
        **changes,
    }


async def test_only_procedures_that_can_be_walked_to_their_end_are_begun(
    house: FastAPI, cast: Cast
) -> None:
    form = await page(house, "/desk/projects/new", cast.tenderee)
    for procedure in Procedure:
        assert (f'value="{procedure}"' in form) is (procedure in OFFERED)
        if procedure not in OFFERED:
            filled = a_project_form(cast, procedure=str(procedure))
            answer = await submitted(house, "/desk/projects/new", cast.tenderee, filled)
            assert answer.status_code == 422, procedure


async def test_a_project_and_a_lot_are_entered_by_forms(
    house: FastAPI, store: Store, cast: Cast
) -> None:
    wrong = a_project_form(cast, region="999999", industry="A77")
    refused_form = await submitted(house, "/desk/projects/new", cast.tenderee, wrong)
    assert refused_form.status_code == 422
    assert "region" in refused_form.text
    assert "A99" in refused_form.text
    filled = a_project_form(cast, industry="A02")
    answer = await submitted(house, "/desk/projects/new", cast.tenderee, filled)
    assert answer.status_code == 303
    project = answer.headers["location"]
    told = await page(house, project, cast.tenderee)
    assert "滨江大道改造" in told
    assert "A02420100" in told
    assert "市政" in told

    form = {
        "name": "一标段",
        "region": "420100",
        "estimate": "1,000,000.00",
        "bid_security": "20000.00",
        "security_forms": ["bank_guarantee", "insurance"],
        "bids_due_at": "2026-03-24T09:30",
        "documents_until": "2026-03-10T17:00",
        "release_window_min": "45",
        "publicity_days": "3",
        "validity_days": "90",
        "content": "道路改造",
        "sheet_fields": "price | 投标总价（元） | money",
        "scheme": '{"name": "综合评估法"}',
    }
    answer = await submitted(house, f"{project}/lots/new", cast.tenderee, form)
    assert answer.status_code == 303, answer.text
    async with store.sessions() as session:
        row = (await session.scalars(select(LotRow))).one()
    assert row.plan["bids_due_at"] == "2026-03-24T01:30:00Z"
    assert row.plan["release_window_s"] == 2700
    shown = await page(house, answer.headers["location"], cast.tenderee)
    assert "招标公告未载明" in shown
    assert "《中华人民共和国招标投标法》第16条" in shown
    edited = await page(house, f"/desk/lots/{row.id}/edit", cast.tenderee)
    assert "2026-03-24T09:30" in edited


async def test_a_faulty_form_comes_back_with_what_was_typed(
    house: FastAPI, store: Store, cast: Cast
) -> None:
    answer = await submitted(
        house, "/desk/projects/new", cast.tenderee, a_project_form(cast, region="42")
    )
    assert answer.status_code == 422
    assert "滨江大道改造" in answer.text
    assert "行政区划代码为 6 位数字" in answer.text

    project_id = await a_project(store, cast)
    form = {"name": "一标段", "region": "420100", "estimate": "一亿", "scheme": "{oops"}
    answer = await submitted(house, f"/desk/projects/{project_id}/lots/new", cast.agency, form)
    assert answer.status_code == 422
    assert "一亿" in answer.text
    assert 'href="#field-estimate"' in answer.text
    assert 'href="#field-scheme"' in answer.text


async def test_files_and_custodians_are_set_by_forms(
    house: FastAPI, store: Store, cast: Cast
) -> None:
    _, lot_id = await a_draft(store, cast)
    files = [("files", ("清单.xml", b"<bill/>", "application/xml"))]
    answer = await submitted(house, f"/desk/lots/{lot_id}/documents", cast.agency, {}, files=files)
    assert answer.status_code == 303
    assert "清单.xml" in await page(house, f"/desk/lots/{lot_id}", cast.agency)
    answer = await submitted(
        house, f"/desk/lots/{lot_id}/documents/removal", cast.agency, {"name": "清单.xml"}
    )
    assert "清单.xml" not in await page(house, f"/desk/lots/{lot_id}", cast.agency)

    chosen = [f"{one.person}/{one.party}" for one in cast.custodians]
    answer = await submitted(
        house, f"/desk/lots/{lot_id}/custodians", cast.agency, {"custodian": chosen}
    )
    assert answer.status_code == 303
    answer = await submitted(
        house, f"/desk/lots/{lot_id}/custodians", cast.agency, {"custodian": chosen[:1]}
    )
    assert answer.status_code == 409
    assert "《电子招标投标办法》第27条" in answer.text
    answer = await submitted(
        house, f"/desk/lots/{lot_id}/custodians", cast.agency, {"custodian": ["x/y"]}
    )
    assert answer.status_code == 422


async def test_a_draft_is_given_up_from_its_page(house: FastAPI, store: Store, cast: Cast) -> None:
    project_id, lot_id = await a_draft(store, cast)
    action = f"/api/v1/lots/{lot_id}/draft"
    form = forms_of(await page(house, f"/desk/lots/{lot_id}", cast.agency))[action]
    assert form.get("data-verb") == "DELETE"
    assert form.get("data-then") == f"/desk/projects/{project_id}"
    await (await client_of(house, cast.agency)).delete(action)
    assert action not in await page(house, f"/desk/projects/{project_id}", cast.agency)


# ── in a browser ──────────────────────────────────────────────────────────────────────────────


@pytest.mark.browser
async def test_the_desk_holds_at_every_width_and_axe_finds_nothing(
    store: Store, settings: Settings, cast: Cast, chromium: Browser
) -> None:
    lot = await a_published_lot(store, cast)
    _, draft_id = await a_draft(store, cast, lot.project_id, notice={})
    token = await token_of(store, cast.agency)
    async with open_tender_house(store, settings) as address:
        for path in (
            "/desk",
            "/desk/projects/new",
            f"/desk/projects/{lot.project_id}",
            f"/desk/lots/{draft_id}",
            f"/desk/lots/{draft_id}/edit",
            f"/desk/lots/{lot.lot_id}",
        ):
            async with open_page(chromium, address + path, token=token) as shown:
                await expect(shown.locator("h1")).to_be_visible()
                assert shown.url == address + path
                await assert_holds_everywhere(shown)


@pytest.mark.browser
async def test_a_lot_is_signed_and_published_in_the_browser(
    store: Store, settings: Settings, cast: Cast, chromium: Browser
) -> None:
    _, lot_id = await a_draft(store, cast)
    async with (
        open_tender_house(store, settings) as address,
        signed_in(store, chromium, address, cast.agency) as shown,
    ):
        await shown.goto(f"{address}/desk/lots/{lot_id}")
        await shown.get_by_role("button", name="签名并发布").click()
        await shown.wait_for_url(f"{address}/notices/{lot_id}")
        await expect(shown.get_by_role("heading", level=1)).to_contain_text("施工总承包")
    async with store.sessions() as session:
        assert (await session.get_one(LotRow, lot_id)).state == "open"


@pytest.mark.browser
async def test_a_clarification_is_refused_and_then_moves_the_deadline_in_the_browser(
    store: Store, settings: Settings, cast: Cast, chromium: Browser
) -> None:
    lot = await a_published_lot(store, cast)
    async with transaction(store, actor=cast.staff.actor) as tx:
        await due_lots.jump_clock(tx, NOW + timedelta(days=7, hours=2), reason="演示快进")
    async with (
        open_tender_house(store, settings) as address,
        signed_in(store, chromium, address, cast.agency, expected="409") as shown,
    ):
        await shown.goto(f"{address}/desk/lots/{lot.lot_id}")
        form = shown.locator("form[data-clarify]")
        await form.get_by_label("标题").fill("第1号澄清")
        await form.get_by_label("内容", exact=True).fill("工程量清单第12项数量更正。")
        await form.get_by_label("附件").set_input_files(
            FilePayload(name="更正.txt", mimeType="text/plain", buffer=b"3200")
        )
        await form.get_by_role("button", name="签名并发布澄清").click()
        await expect(form.get_by_role("alert")).to_contain_text("实施条例》第21条")

        await form.locator("summary", has_text="评标办法").click()
        await form.get_by_label("最高投标限价").fill("127000000")
        await form.get_by_label("保证保险").uncheck()
        sheet, scheme = form.get_by_label("开标一览表"), form.get_by_label("评标办法（JSON）")
        await sheet.fill(f"{await sheet.input_value()}\nwarranty | 保修期（年） | count")
        told = {**json.loads(await scheme.input_value()), "trim_from": 7}
        await scheme.fill(json.dumps(told, ensure_ascii=False))
        await form.get_by_label("顺延投标截止").fill("2026-03-25T09:30")
        await form.get_by_role("button", name="签名并发布澄清").click()
        await shown.wait_for_url(f"{address}/notices/{lot.lot_id}#published")
        await expect(shown.locator("main")).to_contain_text("更正.txt")
        await shown.goto(f"{address}/notices/{lot.lot_id}/diff/1..2")
        await expect(shown.locator("#term-scheme ins").first).to_contain_text("7名成员起")
        await assert_holds_everywhere(shown)
    async with store.sessions() as session:
        row = await session.get_one(LotRow, lot.lot_id)
    assert row.bids_due_at == parse_instant("2026-03-25T01:30:00Z")
    assert (row.ceiling_price, row.security_forms) == (Decimal(127000000), ["bank_guarantee"])
    assert row.sheet_fields[-1] == {"key": "warranty", "label": "保修期（年）", "kind": "count"}
    assert row.scheme_digest == sha256(canonical(told))
