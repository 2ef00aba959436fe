"""Consents and requests to be forgotten, over HTTP and in a browser: Personal Information Law 28,
29, 47.
"""

from __future__ import annotations

import pytest
from fastapi import FastAPI
from playwright.async_api import Browser, expect
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from kernel.access import Role
from kernel.consents import Purpose, text_digest
from kernel.crypto.digests import b64u
from kernel.settings import Settings
from kernel.store.sound_consents import consent_faults
from kernel.store.transaction import Store
from tests.draw_cast import an_expert
from tests.post_office import contact_row
from tests.sealed_bids import a_bidder
from tests.tenders import a_player
from tests.web.browser import assert_holds_everywhere, chromium
from tests.web.tender_house import client_of, page, signed_in
from tests.web.whole_house import open_whole_house
from web.app import create_app
from web.client import Problem

__all__ = ["chromium"]

SHOWN = {"text": b64u(text_digest(Purpose.CALLS))}
MOBILE = {"kind": "mobile", "address": "13800005678"}


@pytest.fixture
async def app(store: Store, settings: Settings) -> FastAPI:
    return create_app(store, settings)


async def faults(store: Store) -> list[str]:
    engine = store.sessions.kw["bind"]
    assert isinstance(engine, AsyncEngine)
    async with engine.connect() as connection:
        return await consent_faults(connection)


async def test_a_number_is_kept_with_a_consent_of_its_own_and_goes_with_it(
    app: FastAPI, store: Store
) -> None:
    bidder, other = await a_bidder(store), await a_bidder(store)
    client = await client_of(app, bidder)
    with pytest.raises(Problem) as refused:
        await client.post("/api/v1/contacts", MOBILE)
    assert refused.value.codes == {"no_separate_consent"}
    assert "个人信息保护法》第29条" in refused.value.refusals[0]["article"]
    await client.post("/api/v1/contacts", {"kind": "email", "address": "wang@jiangcheng.example"})
    with pytest.raises(Problem) as refused:
        await client.post("/api/v1/consents/calls", {"text": "A" * 43})
    assert refused.value.status == 409

    await client.post("/api/v1/consents/calls", SHOWN)
    await client.post("/api/v1/consents/calls", SHOWN)
    calls = (await client.get("/api/v1/consents"))["consents"][1]
    assert (calls["purpose"], calls["stands"], len(calls["given"])) == ("calls", True, 1)
    await client.post("/api/v1/contacts", MOBILE)
    assert (await contact_row(store, bidder, "mobile")).sealed
    for who in (other, await a_player(store, Role.SUPERVISOR)):
        seen = await (await client_of(app, who)).get("/api/v1/consents")
        assert not any(one["given"] for one in seen["consents"])
    assert await faults(store) == []

    await client.delete("/api/v1/consents/calls")
    row = await contact_row(store, bidder, "mobile")
    assert (row.sealed, row.verified_at) == (b"", None)
    assert (await contact_row(store, bidder, "email")).sealed
    with pytest.raises(Problem) as refused:
        await client.post("/api/v1/contacts", {**MOBILE, "kind": "second_mobile"})
    assert refused.value.codes == {"consent_withdrawn"}
    with pytest.raises(Problem) as missing:
        await client.delete("/api/v1/consents/calls")
    assert missing.value.status == 404
    assert "已撤回" in await page(app, "/me/consents", bidder)
    assert await faults(store) == []
    async with store.sessions() as session, session.begin():
        await session.execute(text("UPDATE kernel.consent SET text_digest = '\\x00'"))
        await session.execute(text("UPDATE kernel.contact SET sealed = '\\x01'"))
    found = " ".join(await faults(store))
    assert "the journal does not know it" in found
    assert "kept without consent" in found


async def test_who_asks_to_be_forgotten_is_told_why_not_yet_and_is_forgotten_then(
    app: FastAPI, store: Store
) -> None:
    bidder = await a_bidder(store)
    client = await client_of(app, bidder)
    await client.post("/api/v1/consents/calls", SHOWN)
    await client.post("/api/v1/erasure-requests", {"words": "不再从业"})
    with pytest.raises(Problem) as twice:
        await client.post("/api/v1/erasure-requests", {})
    assert twice.value.status == 409
    own = await page(app, "/me/consents", bidder)
    assert "该人员仍代表单位办理业务" in own
    assert "待办理" in own

    staff = await a_player(store, Role.CENTRE_STAFF)
    keeper = await client_of(app, staff)
    (waiting,) = (await keeper.get("/api/v1/erasure-requests"))["requests"]
    assert (waiting["name"], waiting["words"]) == (bidder.name, "不再从业")
    assert [one["code"] for one in waiting["grounds"]] == ["still_acting"]
    listed = await page(app, "/centre/erasures", staff)
    assert "该人员仍代表单位办理业务" in listed
    await keeper.post(f"/api/v1/erasure-requests/{waiting['id']}/answer", {"answer": "请先退出。"})
    assert "请先退出。" in await page(app, "/me/consents", bidder)

    await client.post("/api/v1/erasure-requests", {"words": "已退出"})
    async with store.sessions() as session, session.begin():
        await session.execute(
            text("UPDATE kernel.membership SET ended_at = now() WHERE person_id = :person"),
            {"person": bidder.person},
        )
    (again,) = (await keeper.get("/api/v1/erasure-requests"))["requests"]
    assert again["grounds"] == []
    await keeper.post(f"/api/v1/people/{again['person']}/erasure", {"basis": "本人申请"})
    assert (await keeper.get("/api/v1/erasure-requests"))["requests"] == []
    async with store.sessions() as session:
        kept = await session.execute(text("SELECT words, answer FROM trading.erasure_request"))
        consents = await session.scalar(text("SELECT count(*) FROM kernel.consent"))
    assert [tuple(row) for row in kept] == [("", ""), ("", "")]
    assert consents == 0


async def test_an_expert_from_before_consents_were_kept_is_asked_before_anything_else(
    app: FastAPI, store: Store
) -> None:
    pool = await a_player(store, Role.CENTRE_STAFF)
    willing, other = [await an_expert(store, pool) for _ in range(2)]
    async with store.sessions() as session, session.begin():
        await session.execute(text("DELETE FROM kernel.consent"))
    clients = {one.expert_id: await client_of(app, one.player) for one in (willing, other)}
    for one in (willing, other):
        for path in ("/experts", "/account", "/notices"):
            told = await page(app, path, one.player, status=303)
            assert told == ""
        assert "请先答复：评标专家的健康声明" in await page(app, "/me/consents", one.player)
        assert "before consents were kept" in await page(app, "/en/me/consents", one.player)
    assert "专家" in await page(app, "/experts", pool)

    shown = {"text": b64u(text_digest(Purpose.EXPERT_HEALTH))}
    await clients[willing.expert_id].post("/api/v1/consents/expert_health", shown)
    assert "请先答复" not in await page(app, "/me/consents", willing.player)
    await page(app, "/experts", willing.player)
    with pytest.raises(Problem) as asked:
        await clients[willing.expert_id].delete("/api/v1/experts/mine/health")
    assert asked.value.status == 404
    await clients[other.expert_id].delete("/api/v1/experts/mine/health")
    await page(app, "/experts", other.player)
    async with store.sessions() as session:
        kept = await session.execute(
            text("SELECT id, healthy, left_at IS NULL FROM expert_pool.expert")
        )
    assert {row[0]: (row[1], row[2]) for row in kept} == {
        willing.expert_id: (True, True),
        other.expert_id: (None, False),
    }


@pytest.mark.browser
async def test_a_consent_is_given_and_withdrawn_in_the_browser(
    store: Store, settings: Settings, chromium: Browser
) -> None:
    bidder = await a_bidder(store)
    async with (
        open_whole_house(store, settings) as address,
        signed_in(store, chromium, address, bidder) as shown,
    ):
        await shown.goto(f"{address}/me/consents")
        await assert_holds_everywhere(shown)
        await shown.get_by_role("button", name="同意：以短信和语音电话联系您", exact=True).click()
        await expect(shown.get_by_text("已同意")).to_be_visible()
        await shown.get_by_role("button", name="撤回同意：以短信和语音电话联系您").click()
        await expect(shown.get_by_text("已撤回", exact=True)).to_be_visible()
