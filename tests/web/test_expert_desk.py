"""The expert's desk over HTTP: enrolling, drawing, calling, and what nobody may learn.

Bidding Law 22, 37; Bidding Regulation 45, 46; Committee Provisions 8; Opinions on Conduct 14.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
from fastapi import FastAPI
from playwright.async_api import Browser, Route, expect
from sqlalchemy import text

from expert_pool import drawing, pool_views
from kernel.access import Role
from kernel.consents import Purpose, text_digest
from kernel.crypto.digests import b64u, instant_text, unb64
from kernel.identifiers import LotId
from kernel.randomness import random_id
from kernel.settings import Settings
from kernel.store import consenting
from kernel.store.transaction import Store, transaction
from kernel.store.views import PUBLIC_FEED, SUPERVISORS_FEED, own_acts
from tests.draw_cast import STRATA, DrawHouse, Tick, a_pool, an_expert
from tests.opened_lots import Hall, a_hall, an_entry, everything_opened, released, window_ended
from tests.sealed_bids import Tender
from tests.tenders import Player, a_player, a_uscc
from tests.web.browser import (
    assert_holds_everywhere,
    chromium,
    open_page,
)
from tests.web.draw_hall import DrawByWire, heard_client, open_hall
from tests.web.markup import faults_of, tree_of
from tests.web.tender_house import client_of, page, signed_in, token_of
from tests.web.whole_house import chosen, forms_of, names_in
from web.app import create_app
from web.client import Problem
from web.verifying.draw_transcript import verify

__all__ = ["chromium"]

ClockTo = Callable[[datetime], Awaitable[None]]
JSON_STRATA = [
    {"name": one.name, "specialism": one.specialism, "region": one.region_code, "seats": one.seats}
    for one in STRATA
]


HEALTH_SHOWN = {"text": b64u(text_digest(Purpose.EXPERT_HEALTH))}


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """No witnesses, so that a checkpoint alone makes an entry witnessed."""
    return settings.model_copy(update={"witness_quorum": 0})


@pytest.fixture
async def app(store: Store, settings: Settings) -> FastAPI:
    return create_app(store, settings)


@pytest.fixture
def house(draw_house: DrawHouse) -> DrawHouse:
    return draw_house


def an_application(pool: Player, **changes: Any) -> dict[str, Any]:
    return {
        "pool": str(pool.party),
        "region": "310100",
        "employer": "临江大学",
        "employer_uscc": a_uscc(),
        "specialisms": ["A0801"],
        "title": "senior",
        "years": 12,
        "born_on": "1975-05-17",
        "healthy": True,
        "ties": [{"uscc": a_uscc(), "kind": "employment", "ended_on": "2024-01-31"}],
        **changes,
    }


async def without_the_first(route: Route) -> None:
    """The exclusions as a liar would tell them."""
    answer = await route.fetch()
    told = await answer.json()
    await route.fulfill(response=answer, json={"exclusions": told["exclusions"][1:]})


async def status(awaited: Awaitable[Any]) -> tuple[int, set[str]]:
    """With which status and codes an act is turned away; 200 where it is not."""
    try:
        await awaited
    except Problem as problem:
        return problem.status, set(problem.codes)
    return 200, set()


# ── enrolling ─────────────────────────────────────────────────────────────────────────────────


async def test_an_expert_enrols_is_verified_declares_and_leaves(store: Store, app: FastAPI) -> None:
    pool = await a_player(store, Role.CENTRE_STAFF)
    player = await a_player(store, Role.EXPERT, party=pool.party)
    expert, keeper = await client_of(app, player), await client_of(app, pool)

    await expert.post("/api/v1/consents/expert_health", HEALTH_SHOWN)
    assert await expert.get("/api/v1/experts/mine") == {"application": None}
    told = await expert.post("/api/v1/experts", an_application(pool))
    assert told["cautions"] == []
    await keeper.post(f"/api/v1/experts/{told['expert_id']}/verification")
    own = (await expert.get("/api/v1/experts/mine"))["application"]
    assert own["expert_id"] == told["expert_id"]
    assert own["verified_at"] is not None
    tie = {"uscc": a_uscc(), "kind": "kinship"}
    await expert.post("/api/v1/experts/mine/ties", {"ties": [tie]})
    await expert.delete("/api/v1/experts/mine")

    assert (await status(expert.delete("/api/v1/experts/mine")))[0] == 404


async def test_a_poor_application_is_refused_with_every_article(store: Store, app: FastAPI) -> None:
    pool = await a_player(store, Role.CENTRE_STAFF)
    expert = await client_of(app, await a_player(store, Role.EXPERT, party=pool.party))
    with pytest.raises(Problem) as problem:
        await expert.post("/api/v1/experts", an_application(pool, years=7, title="intermediate"))
    assert problem.value.status == 409
    assert problem.value.codes == {"too_few_years", "title_too_low"}
    assert all("招标投标法" in one["article"] for one in problem.value.refusals)


@pytest.mark.parametrize(
    "changes",
    [
        {"employer_uscc": "91310100MAZ0000000"},
        {"region": "31"},
        {"title": "professor"},
        {"years": -1},
        {"born_on": "yesterday"},
        {"more": 1},
        {"ties": [{"uscc": "x" * 18, "kind": "employment"}]},
    ],
)
async def test_a_malformed_application_is_told_politely(
    store: Store, app: FastAPI, changes: dict[str, Any]
) -> None:
    pool = await a_player(store, Role.CENTRE_STAFF)
    expert = await client_of(app, await a_player(store, Role.EXPERT, party=pool.party))
    assert (await status(expert.post("/api/v1/experts", an_application(pool, **changes))))[0] == 422


# ── convening ─────────────────────────────────────────────────────────────────────────────────


async def a_closed_hall(
    store: Store, tender: Tender, tick: Tick, clock_to: ClockTo
) -> tuple[Hall, DrawHouse]:
    """A lot of three bidders that was really closed, and a pool to draw from."""
    hall = await a_hall(
        store,
        tender,
        [await an_entry(store, tender, f"1200000{n:02d}.00") for n in range(3)],
    )
    await clock_to(tender.due_at + timedelta(minutes=1))
    await tick()
    cast = tender.cast
    house = DrawHouse(
        store,
        tick,
        cast.staff,
        {"tenderee": cast.tenderee, "agency": cast.agency, "supervisor": cast.supervisor},
        await a_pool(store, cast.staff),
        a_uscc(),
        LotId(tender.lot_id),
        UUID(int=0),
    )
    return hall, house


def a_request(house: DrawHouse, tender: Tender, **changes: Any) -> dict[str, Any]:
    sits_at = tender.due_at + timedelta(hours=3)
    return {
        "strata": JSON_STRATA,
        "parties": [
            {"name": name, "organisation": str(one.party)} for name, one in house.parties.items()
        ],
        "window": {
            "from": instant_text(sits_at),
            "until": instant_text(sits_at + timedelta(hours=8)),
        },
        "representatives": 1,
        **changes,
    }


async def test_a_committee_is_drawn_for_a_closed_lot_from_request_to_transcript(
    store: Store, app: FastAPI, tender: Tender, tick: Tick, clock_to: ClockTo
) -> None:
    hall, house = await a_closed_hall(store, tender, tick, clock_to)
    bidder = hall.entries[0].player if hall.entries else None
    agency = await client_of(app, house.parties["agency"])
    path = f"/api/v1/lots/{tender.lot_id}/draws"

    told = await agency.post(path, a_request(house, tender))
    house.draw_id = told["draw_id"]
    await tick()
    wire = DrawByWire(house, app)
    await wire.play()
    await wire.seat_everybody()

    lines = (await agency.get(path))["draws"]
    assert [(one["round"], one["state"]) for one in lines] == [(1, "seated")]
    verdict = verify(await wire.transcript())
    assert [check.detail for check in verdict.checks if not check.passed] == []
    assert (verdict.found["lot"], verdict.found["seated"]) == (str(tender.lot_id), 4)
    assert (await status(agency.post(path, a_request(house, tender))))[1] == {"draw_under_way"}
    assert bidder is None or bidder.party not in {one.party for one in house.parties.values()}


async def test_an_engineer_of_a_bidder_is_left_out_of_a_draw(
    store: Store, app: FastAPI, tender: Tender, tick: Tick, clock_to: ClockTo
) -> None:
    entries = [await an_entry(store, tender, f"1200000{n:02d}.00") for n in range(3)]
    await a_hall(store, tender, entries)
    await clock_to(tender.due_at + timedelta(minutes=1))
    await tick()
    async with store.sessions() as session:
        codes = await session.execute(
            text("SELECT uscc FROM kernel.organisation WHERE id = :id"),
            {"id": entries[1].player.party},
        )
        uscc = codes.scalar_one()
    cast = tender.cast
    parties = {"tenderee": cast.tenderee, "agency": cast.agency, "supervisor": cast.supervisor}
    house = DrawHouse(store, tick, cast.staff, parties, [], uscc, LotId(tender.lot_id), UUID(int=0))
    await a_pool(store, cast.staff)
    await an_expert(store, cast.staff, employer_uscc=uscc)
    agency = await client_of(app, cast.agency)
    told = await agency.post(f"/api/v1/lots/{tender.lot_id}/draws", a_request(house, tender))
    supervisor = await client_of(app, cast.supervisor)
    listed = await supervisor.get(f"/api/v1/draws/{told['draw_id']}/exclusions")
    grounds = [one["grounds"] for one in listed["exclusions"] if one["grounds"]]
    assert grounds == [["employed"]]


async def test_only_a_lots_own_tenderee_or_agency_asks_for_its_draw(
    store: Store, app: FastAPI, tender: Tender, tick: Tick, clock_to: ClockTo
) -> None:
    path = f"/api/v1/lots/{tender.lot_id}/draws"
    house = DrawHouse(
        store,
        tick,
        tender.cast.staff,
        {"tenderee": tender.cast.tenderee, "agency": tender.cast.agency},
        [],
        a_uscc(),
        LotId(tender.lot_id),
        UUID(int=0),
    )
    own = await client_of(app, tender.cast.agency)
    asked = a_request(house, tender)
    assert await status(own.post(path, asked)) == (409, {"not_closed"})

    _, house = await a_closed_hall(store, tender, tick, clock_to)
    other = await client_of(app, await a_player(store, Role.AGENCY))
    asked = a_request(house, tender)
    assert (await status(other.post(path, asked)))[0] == 404
    stranger = await a_player(store, Role.TENDEREE)
    parties = [*asked["parties"][1:], {"name": "tenderee", "organisation": str(stranger.party)}]
    assert (await status(own.post(path, {**asked, "parties": parties})))[0] == 400
    renamed = [{**asked["parties"][0], "name": "bidder-1"}, *asked["parties"][1:]]
    assert (await status(own.post(path, {**asked, "parties": renamed})))[0] == 400


async def test_a_draw_after_the_prices_are_known_says_so_for_ever(
    store: Store, app: FastAPI, tender: Tender, tick: Tick, clock_to: ClockTo
) -> None:
    entries = [await an_entry(store, tender, f"1200000{n:02d}.00") for n in range(3)]
    hall = await a_hall(store, tender, entries)
    for entry in entries:
        await released(hall, entry)
    await window_ended(hall)
    await everything_opened(hall)
    await clock_to(tender.due_at + timedelta(hours=1))
    await tick()
    cast = tender.cast
    parties = {"tenderee": cast.tenderee, "agency": cast.agency, "supervisor": cast.supervisor}
    house = DrawHouse(
        store, tick, cast.staff, parties, [], a_uscc(), LotId(tender.lot_id), UUID(int=0)
    )
    await a_pool(store, cast.staff)
    agency = await client_of(app, cast.agency)
    told = await agency.post(f"/api/v1/lots/{tender.lot_id}/draws", a_request(house, tender))
    found = await agency.get(f"/api/v1/draws/{told['draw_id']}")
    announced = json.loads(unb64(found["announcement"]))
    assert "announced_after_opening" in announced["cautions"]


# ── names appear nowhere ──────────────────────────────────────────────────────────────────────


async def test_names_appear_in_no_answer_no_view_and_no_record_before_sign_in(
    app: FastAPI, house: DrawHouse
) -> None:
    heard: list[bytes] = []
    await house.announce()
    wire = DrawByWire(house, app, heard)
    await wire.play()
    first, second, *_ = await house.waiting()
    assert await wire.answer(first[1], "declined", "已有安排") == "declined"
    assert await wire.answer(second[1], "declined", "身体不适") == "declined"
    for name, player in {**house.parties, "staff": house.pool, "public": None}.items():
        client = await heard_client(app, player, heard)
        await client.get(wire.path)
        await status(client.get(f"{wire.path}/calls"))
        await status(client.get(f"{wire.path}/exclusions"))
        await client.read(f"/draws/{house.draw_id}")
        await client.read("/experts")
        assert name
    await wire.seat_everybody()
    await wire.transcript()
    for _, expert in await house.waiting():
        await heard_client(app, expert.player, heard)
    async with house.store.sessions() as session:
        views = [PUBLIC_FEED, SUPERVISORS_FEED, f"{house.lot_id}/public"]
        views += [own_acts(one.party) for one in (*house.parties.values(), house.pool)]
        rows = await session.execute(
            text(
                "SELECT j.record FROM kernel.journal j JOIN kernel.view_entry v"
                " ON v.entry_id = j.id WHERE v.view = ANY(:views)"
                " AND j.kind NOT IN ('ExpertEnrolled', 'ExpertVerified')"
            ),
            {"views": views},
        )
        heard += [bytes(row[0]) for row in rows]

    everything = b"\n".join(heard)
    assert len(heard) > 60
    for one in house.experts:
        for secret in (one.player.name, str(one.expert_id), str(one.player.person)):
            assert secret.encode() not in everything
            assert json.dumps(secret).strip('"').encode() not in everything
        assert one.player.key.keyid.encode() not in everything


async def test_a_called_expert_is_told_neither_the_lot_nor_the_draw(
    app: FastAPI, house: DrawHouse
) -> None:
    await house.ranked()
    (_, expert), *_ = await house.waiting()
    client = await client_of(app, expert.player)
    raw = await client.read("/api/v1/calls/mine")
    shown = (await page(app, "/experts", expert.player)).encode()
    for secret in (house.lot_id, house.draw_id):
        assert str(secret).encode() not in raw + shown
    assert json.loads(raw)["calls"][0]["outcome"] == "called"


# ── calls over HTTP ───────────────────────────────────────────────────────────────────────────


async def test_staff_see_places_and_note_silence_in_due_time(
    app: FastAPI, house: DrawHouse, clock_to: ClockTo
) -> None:
    await house.ranked()
    (call, expert), *_ = await house.waiting()
    staff = await client_of(app, house.pool)
    silence = f"/api/v1/calls/{call.id}/no-answer"
    assert await status(staff.post(silence)) == (409, {"not_delivered"})
    await (await client_of(app, expert.player)).get("/api/v1/calls/mine")
    assert await status(staff.post(silence)) == (409, {"too_early"})
    pending = (await staff.get(f"/api/v1/draws/{house.draw_id}/calls"))["calls"]
    mine = next(one for one in pending if one["call"] == str(call.id))
    assert mine["delivered_at"] is not None
    async with house.store.sessions() as session:
        now = await house.store.clock(session)
    await clock_to(now + timedelta(minutes=16))
    await staff.post(silence)
    assert await status(staff.post(silence)) == (409, {"outrun"})


async def test_a_recovered_share_and_a_misdealing_that_are_none_are_refused(
    app: FastAPI, house: DrawHouse
) -> None:
    await house.announce()
    await house.commit()
    await house.deal()
    agency, path = await client_of(app, house.parties["agency"]), f"/api/v1/draws/{house.draw_id}"
    share = {"dealer": "tenderee", "share": "AAAA"}
    assert (await status(agency.post(f"{path}/recovered-shares", share)))[1] == {"not_now"}
    key = house.programs["agency"].share_key.to_pem().decode()
    for asked, code in (
        ({"dealer": "tenderee", "share_key": key}, 400),
        ({"dealer": "tenderee", "share_key": "no key"}, 422),
        ({"dealer": "nobody", "share_key": key}, 404),
    ):
        assert (await status(agency.post(f"{path}/misdealings", asked)))[0] == code
    assert await status(agency.post(f"{path}/void")) == (409, {"not_void"})


async def test_the_desk_tells_strangers_nothing_and_garbage_politely(
    app: FastAPI, house: DrawHouse
) -> None:
    await house.announce()
    path = f"/api/v1/draws/{house.draw_id}"
    stranger = await client_of(app, await a_player(house.store, Role.BIDDER))
    for route in ("commitments", "shares", "reveals"):
        assert (await status(stranger.post_signed(f"{path}/{route}", b"{}")))[0] in (404, 422)
    agency = await client_of(app, house.parties["agency"])
    for raw in (b"", b"{}", b"\xff", b"[1]"):
        assert (await status(agency.post_signed(f"{path}/commitments", raw)))[0] in (400, 422)
    assert (await status(agency.post(f"{path}/confirmations", {"dealer": "Ä"})))[0] == 422
    assert (await status(agency.get(f"{path}/transcript")))[0] == 404
    assert (await status(agency.get(f"/api/v1/draws/{random_id()}")))[0] == 404
    assert (await status(agency.get("/api/v1/draws/not-an-id")))[0] == 404
    public = await client_of(app)
    assert (await status(public.get(f"{path}/exclusions")))[0] == 401


async def test_two_reveals_at_once_rank_once(app: FastAPI, house: DrawHouse) -> None:
    await house.ready()
    await house.reveal("tenderee", "agency")
    supervisor = await client_of(app, house.parties["supervisor"])
    payload = house.programs["supervisor"].reveal(await house.proofs())
    path = f"/api/v1/draws/{house.draw_id}/reveals"
    found = await asyncio.gather(
        *(status(supervisor.post_statement(path, "draw-reveal", payload)) for _ in range(4))
    )
    assert sorted(code for code, _ in found) == [200, 409, 409, 409]
    assert len(await house.waiting()) == 4


# ── pages ─────────────────────────────────────────────────────────────────────────────────────


async def test_the_draw_page_shows_each_state_without_names(app: FastAPI, house: DrawHouse) -> None:
    await house.announce()
    path = f"/draws/{house.draw_id}"
    assert "提交承诺" in await page(app, path)
    await house.commit()
    await house.deal()
    await house.confirm()
    await house.countersign()
    assert "公开随机数" in await page(app, path)
    await house.reveal()
    assert "等待答复的通知" in await page(app, path, house.pool)
    assert "等待答复的通知" not in await page(app, path)
    await house.seat_everybody()
    shown = await page(app, path)
    assert "下载抽取记录" in shown
    assert "draw-transcript.json" in shown
    assert "Check it yourself" in await page(app, f"/en{path}")
    assert await page(app, f"{path}/board")
    assert path in await page(app, "/experts")


async def test_a_void_draw_says_why_and_by_whose_fault(app: FastAPI, house: DrawHouse) -> None:
    await house.announce()
    await house.commit("agency", "supervisor")
    house.late = timedelta(minutes=21)
    await house.do(house.pool, drawing.void, house.draw_id)
    shown = await page(app, f"/draws/{house.draw_id}")
    assert "本次抽取无效" in shown
    assert "招标人" in shown


async def test_an_expert_in_no_pool_has_no_calls(app: FastAPI, store: Store) -> None:
    expert = await a_player(store, Role.EXPERT)
    assert "目前没有评标通知" in await page(app, "/experts", expert)
    raw = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=raw, base_url="http://localhost") as visitor:
        answer = await visitor.get("/experts", headers={"Accept": "text/html"})
    assert answer.status_code == 200


@pytest.mark.browser
async def test_an_expert_answers_in_the_browser_with_a_key_that_stays_there(
    store: Store, house: DrawHouse, chromium: Browser
) -> None:
    await house.ranked()
    (call, expert), *_ = await house.waiting()
    async with open_hall(store) as address:
        context = await chromium.new_context(locale="zh-CN")
        try:
            shown = await context.new_page()
            await shown.goto(f"{address}/demo/sign-in?to=/experts")
            card = shown.locator("form[data-demo-card]").filter(
                has=shown.locator(f'input[value="{expert.player.person}"]')
            )
            await card.get_by_role("button").click()
            await shown.wait_for_url(f"{address}/experts")
            await shown.get_by_role("button", name="不能参加").click()
            await shown.get_by_text("请填写不能参加的理由").wait_for()
            await shown.get_by_label("不能参加的理由").fill("已有安排")
            await shown.get_by_role("button", name="不能参加").click()
            await shown.get_by_text("已答复不能参加").wait_for()
        finally:
            await context.close()
    answered = {one.id: one for one in await house.calls()}[call.id]
    assert (answered.outcome, answered.reason) == ("declined", "已有安排")


async def test_an_experts_desk_shows_how_far_his_application_is(app: FastAPI, store: Store) -> None:
    pool = await a_player(store, Role.CENTRE_STAFF, organisation="江城市公共资源交易中心")
    newcomer = await a_player(store, Role.EXPERT)
    shown = await page(app, "/experts", newcomer)
    assert faults_of(tree_of(shown)) == []
    form = forms_of(shown)["/api/v1/experts"]
    assert chosen(form, "pool") == str(pool.party)
    wanted = set(an_application(pool)) - {"ties"}
    assert wanted <= names_in(form)
    client = await client_of(app, newcomer)
    await client.post("/api/v1/consents/expert_health", HEALTH_SHOWN)
    await client.post("/api/v1/experts", an_application(pool))
    shown = await page(app, "/experts", newcomer)
    assert "等待核验，暂不参加抽取" in shown
    assert {"/api/v1/experts/mine/ties", "/api/v1/experts/mine"} <= set(forms_of(shown))
    assert faults_of(tree_of(shown)) == []
    keeper = await client_of(app, pool)
    async with transaction(store, actor=pool.actor) as tx:
        (told,) = await pool_views.applicants(tx)
    await keeper.post(f"/api/v1/experts/{told.expert_id}/verification")
    assert "已核验，可以被抽取" in await page(app, "/experts", newcomer)
    await (await client_of(app, newcomer)).delete("/api/v1/experts/mine")
    shown = await page(app, "/experts", newcomer)
    assert "已退出" in shown
    assert "/api/v1/experts" not in forms_of(shown)
    assert "/api/v1/experts" not in forms_of(await page(app, "/experts"))


async def test_a_party_is_told_its_turn_and_its_command_and_nobody_else_is(
    app: FastAPI, house: DrawHouse
) -> None:
    await house.announce()
    path, command = f"/draws/{house.draw_id}", f"sunbid draw contribute {house.draw_id}"
    agency = house.parties["agency"]
    shown = await page(app, path, agency)
    assert command in shown
    assert f"--organisation {agency.party}" in shown
    assert "--as agency" in shown
    assert "提交随机数的承诺，最迟" in shown
    await house.commit("agency")
    assert "您已提交承诺" in await page(app, path, agency)
    for stranger in (None, house.pool, await a_player(house.store, Role.BIDDER)):
        assert command not in await page(app, path, stranger)
    await house.commit("tenderee", "supervisor")
    assert "分发随机数的份额" in await page(app, path, agency)
    await house.deal()
    assert "核对并确认其他各方" in await page(app, path, agency)
    await house.confirm()
    assert "您这一步已完成" in await page(app, path, agency)
    await house.countersign()
    assert "公开随机数，最迟" in await page(app, path, agency)
    await house.reveal()
    assert command not in await page(app, path, agency)


async def test_a_draw_that_came_to_nothing_is_put_on_record_from_its_page(
    app: FastAPI, house: DrawHouse, clock_to: ClockTo
) -> None:
    await house.announce()
    path, action = f"/draws/{house.draw_id}", f"/api/v1/draws/{house.draw_id}/void"
    agency = house.parties["agency"]
    assert action not in forms_of(await page(app, path, agency))
    async with house.store.sessions() as session:
        now = await house.store.clock(session)
    await clock_to(now + timedelta(minutes=21))
    assert action not in forms_of(await page(app, path))
    shown = await page(app, path, agency)
    assert "永远留在记录里" in shown
    assert action in forms_of(shown)
    await (await client_of(app, agency)).post(action, {})
    shown = await page(app, path, agency)
    assert action not in forms_of(shown)
    assert f"/desk/lots/{house.lot_id}" in shown


async def test_only_the_supervisor_of_a_draw_sees_whom_it_leaves_out(
    app: FastAPI, store: Store, house: DrawHouse
) -> None:
    tied = await an_expert(store, house.pool, employer_uscc=house.bidder_uscc)
    await house.announce()
    path = f"/draws/{house.draw_id}"
    supervisor = house.parties["supervisor"]
    assert "会签回避名单" not in await page(app, path, supervisor)
    await house.commit()
    shown = await page(app, path, supervisor)
    assert faults_of(tree_of(shown)) == []
    assert f"sunbid draw countersign {house.draw_id}" in shown
    listed = shown[shown.index('id="countersign"') :]
    assert "现任职于应回避单位" in listed
    assert tied.player.name not in shown
    other = await a_player(store, Role.SUPERVISOR)
    for who in (None, other, house.parties["agency"]):
        assert "被回避的专家" not in await page(app, path, who)


@pytest.mark.browser
async def test_a_supervisor_countersigns_in_the_browser_what_it_has_derived_again(
    store: Store, house: DrawHouse, chromium: Browser
) -> None:
    await an_expert(store, house.pool, employer_uscc=house.bidder_uscc)
    await house.announce()
    await house.commit()
    supervisor = house.parties["supervisor"]
    async with (
        open_hall(store) as address,
        signed_in(store, chromium, address, supervisor) as shown,
    ):
        await shown.goto(f"{address}/draws/{house.draw_id}")
        await assert_holds_everywhere(shown)
        spoilt = "**/exclusions"
        await shown.route(spoilt, without_the_first)
        await shown.get_by_role("button", name="核对并签名会签").click()
        await expect(shown.get_by_role("alert").first).to_contain_text("这不是公告的回避名单")
        assert not (await house.view()).countersigned
        await shown.unroute(spoilt)
        await shown.get_by_role("button", name="核对并签名会签").click()
        await expect(shown.get_by_role("heading", name="会签回避名单")).to_have_count(0)
    assert (await house.view()).countersigned


@pytest.mark.browser
async def test_an_expert_applies_declares_and_leaves_in_the_browser(
    store: Store, chromium: Browser
) -> None:
    await a_player(store, Role.CENTRE_STAFF, organisation="江城市公共资源交易中心")
    newcomer = await a_player(store, Role.EXPERT)
    async with transaction(store, actor=newcomer.actor) as tx:
        await consenting.give_consent(tx, Purpose.EXPERT_HEALTH, text_digest(Purpose.EXPERT_HEALTH))
    async with (
        open_hall(store) as address,
        open_page(
            chromium,
            f"{address}/experts",
            token=await token_of(store, newcomer),
            expected="409",
        ) as shown,
    ):
        await assert_holds_everywhere(shown)
        await shown.get_by_label("常驻地行政区划代码").fill("310100")
        await shown.get_by_label("工作单位", exact=True).fill("临江大学")
        await shown.get_by_label("工作单位的统一社会信用代码").fill(a_uscc())
        await shown.get_by_label("评标专业代码").fill("A0801，A0601")
        await shown.get_by_label("从事相关领域工作年限").fill("7")
        await shown.get_by_label("出生日期").fill("1975-05-17")
        await shown.get_by_label("本人身体健康").check()
        await shown.get_by_label("单位的统一社会信用代码 1").fill(a_uscc())
        await shown.get_by_label("关系 1").select_option("kinship")
        await shown.get_by_role("button", name="提交申请").click()
        told = shown.locator("form[action='/api/v1/experts']").get_by_role("alert")
        await expect(told).to_contain_text("招标投标法》第37条")
        await shown.get_by_label("从事相关领域工作年限").fill("12")
        await shown.get_by_role("button", name="提交申请").click()
        await expect(shown.get_by_text("等待核验，暂不参加抽取")).to_be_visible()
        await assert_holds_everywhere(shown)
        await shown.get_by_text("补充申报").click()
        await shown.get_by_label("单位的统一社会信用代码 1").fill(a_uscc())
        async with shown.expect_navigation():
            await shown.get_by_role("button", name="申报", exact=True).click()
        await shown.locator("summary", has_text="退出").click()
        await shown.get_by_label("输入“退出专家库”以确认").fill("退出专家库")
        await shown.get_by_role("button", name="退出专家库").click()
        await expect(shown.get_by_text("已退出")).to_be_visible()
    async with store.sessions() as session:
        ties = await session.execute(text("SELECT kind FROM expert_pool.expert_tie ORDER BY kind"))
    assert [row[0] for row in ties] == ["employment", "kinship"]


@pytest.mark.browser
async def test_the_public_follows_a_draw_without_reloading(
    store: Store, house: DrawHouse, chromium: Browser
) -> None:
    await house.announce()
    async with (
        open_hall(store) as address,
        open_page(chromium, f"{address}/draws/{house.draw_id}") as shown,
    ):
        await shown.evaluate("window.unreloaded = true")
        await house.commit()
        await expect(shown.locator("#board tbody tr").first).to_contain_text("已完成")
        await house.deal()
        await house.confirm()
        await house.tick()
        await expect(shown.locator("#board")).to_contain_text("2 / 2")
        assert await shown.evaluate("window.unreloaded") is True


@pytest.mark.browser
async def test_the_pages_are_readable_for_everyone(
    store: Store, house: DrawHouse, chromium: Browser
) -> None:
    await house.announce()
    await house.commit()
    async with open_hall(store) as address:
        for path in (f"/draws/{house.draw_id}", "/experts"):
            async with open_page(chromium, f"{address}{path}") as shown:
                await assert_holds_everywhere(shown)
