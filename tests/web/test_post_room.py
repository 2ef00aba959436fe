"""The post room over HTTP: inbox, unread mark, addresses, choices, deliveries (UX 12.2)."""

from __future__ import annotations

import socket
from datetime import timedelta

import httpx
import pytest
from fastapi import FastAPI
from playwright.async_api import Browser, expect

from kernel.access import PLATFORM, Role
from kernel.consents import Purpose, text_digest
from kernel.crypto.digests import b64u
from kernel.identifiers import EntryId
from kernel.randomness import random_id
from kernel.settings import Settings
from kernel.store import contacting, outbox
from kernel.store.outbox import Channel, Message, Recipient
from kernel.store.transaction import Store, transaction
from tests.awards import objected
from tests.log_story import Tick
from tests.post_office import contact_row, reachable, told
from tests.sealed_bids import Tender, a_bidder
from tests.tenders import NOW, Player, a_player
from tests.web.browser import assert_holds_everywhere, chromium, open_page, served
from tests.web.markup import faults_of, tree_of
from tests.web.tender_house import HTML, client_of, page, token_of
from web.app import create_app
from web.carriers import carriers_of
from web.client import Problem
from web.delivering import deliver_once

__all__ = ["chromium"]

FACTS = {"kind": "LotSuspended", "project": "A420100", "number": 1, "lot": "水厂扩建一标段"}


async def posted(
    store: Store, to: Recipient, *, topic: str = "suspension", must: bool = True
) -> None:
    message = Message(topic, random_id(), must, (Channel.INBOX, Channel.EMAIL, Channel.SMS), FACTS)
    async with transaction(store, actor=PLATFORM) as tx:
        await outbox.post(tx, EntryId(random_id()), message, [to])


async def sent_form(app: FastAPI, who: Player, data: dict[str, str]) -> httpx.Response:
    transport = httpx.ASGITransport(app=app)
    headers = {**HTML, "Authorization": f"Bearer {await token_of(app.state.store, who)}"}
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as visitor:
        return await visitor.post("/inbox", data=data, headers=headers)


def unread_mark(shown: str) -> list[str]:
    return [one.text for one in tree_of(shown).all("b") if one.get("class") == "unread num"]


async def test_the_frame_says_what_is_unread_and_only_to_whom_it_waits_for(
    app: FastAPI, store: Store
) -> None:
    bidder, other = await a_bidder(store), await a_bidder(store)
    for _ in range(2):
        await posted(store, Recipient(bidder.party, Role.BIDDER))
    assert unread_mark(await page(app, "/notices", bidder)) == ["2"]
    assert unread_mark(await page(app, "/notices", other)) == []
    public = await page(app, "/notices")
    assert unread_mark(public) == []
    assert 'href="/inbox"' not in public


async def test_what_is_read_by_one_person_is_unread_by_a_colleague(
    app: FastAPI, store: Store
) -> None:
    bidder = await a_bidder(store)
    colleague = await a_player(store, Role.BIDDER, party=bidder.party)
    for _ in range(2):
        await posted(store, Recipient(bidder.party, Role.BIDDER))
    client = await client_of(app, bidder)
    first, _ = (await client.get("/api/v1/notifications"))["notifications"]
    assert (first["topic"], first["read"], first["facts"]["lot"]) == (
        "suspension",
        False,
        FACTS["lot"],
    )
    answer = await sent_form(app, bidder, {"notification": first["id"]})
    assert (answer.status_code, answer.headers["location"]) == (303, "/inbox")
    assert unread_mark(await page(app, "/inbox", bidder)) == ["1"]
    assert (await sent_form(app, bidder, {})).status_code == 303
    assert unread_mark(await page(app, "/inbox", bidder)) == []
    assert unread_mark(await page(app, "/inbox", colleague)) == ["2"]
    told_to = await client.get("/api/v1/notifications?unread=true")
    assert (told_to["notifications"], told_to["unread"]) == ([], 0)


async def test_an_inbox_is_of_one_capacity_and_what_is_personal_of_one_person(
    app: FastAPI, store: Store
) -> None:
    keeper = await a_player(store, Role.CENTRE_STAFF)
    expert, another = [await a_player(store, Role.EXPERT, party=keeper.party) for _ in range(2)]
    await posted(store, Recipient(keeper.party, Role.EXPERT, expert.person), topic="call")
    await posted(store, Recipient(keeper.party, Role.CENTRE_STAFF))
    seen = {
        who.name: (await (await client_of(app, who)).get("/api/v1/notifications"))["total"]
        for who in (keeper, expert, another)
    }
    assert seen == {keeper.name: 1, expert.name: 1, another.name: 0}
    own = await (await client_of(app, expert)).get("/api/v1/notifications")
    path = f"/api/v1/notifications/{own['notifications'][0]['id']}/reading"
    for who in (keeper, another):
        with pytest.raises(Problem) as problem:
            await (await client_of(app, who)).post(path)
        assert problem.value.status == 404


async def test_an_address_is_given_verified_and_erased_over_http(
    app: FastAPI, store: Store
) -> None:
    bidder = await a_bidder(store)
    client = await client_of(app, bidder)
    with pytest.raises(Problem) as problem:
        await client.post("/api/v1/contacts", {"kind": "mobile", "address": "12345"})
    assert problem.value.status == 422
    assert problem.value.body["errors"][0]["pointer"] == "#/address"
    await client.post("/api/v1/consents/calls", {"text": b64u(text_digest(Purpose.CALLS))})
    await client.post("/api/v1/contacts", {"kind": "mobile", "address": "13800005678"})
    code = contacting.code_of(store.settings, await contact_row(store, bidder, "mobile"))
    wrong = f"{(int(code) + 1) % 1_000_000:06d}"
    with pytest.raises(Problem) as problem:
        await client.post("/api/v1/contacts/mobile/verification", {"code": wrong})
    assert problem.value.body["code"] == "wrong_code"
    assert (await contact_row(store, bidder, "mobile")).code_tries == 1
    await client.post("/api/v1/contacts/mobile/verification", {"code": code})
    (kept,) = (await client.get("/api/v1/contacts"))["contacts"]
    assert (kept["kind"], kept["shown"], bool(kept["verified_at"])) == (
        "mobile",
        "138****5678",
        True,
    )
    assert "13800005678" not in await page(app, "/inbox/choices", bidder)
    await client.delete("/api/v1/contacts/mobile")
    assert (await client.get("/api/v1/contacts"))["contacts"] == []


async def test_what_must_arrive_is_no_choice(app: FastAPI, store: Store) -> None:
    client = await client_of(app, await a_bidder(store))
    await client.post("/api/v1/notification-choices", {"muted": ["objection/sms"]})
    assert (await client.get("/api/v1/notification-choices"))["muted"] == ["objection/sms"]
    for wrong in ("suspension/sms", "objection/inbox", "nothing", ""):
        with pytest.raises(Problem) as problem:
            await client.post("/api/v1/notification-choices", {"muted": [wrong]})
        assert problem.value.body["errors"][0]["pointer"] == "#/muted"
    await client.post("/api/v1/notification-choices", {"muted": []})
    assert (await client.get("/api/v1/notification-choices"))["muted"] == []


async def test_before_the_close_the_deliveries_of_a_lot_name_no_bidder_and_count_none(
    app: FastAPI, store: Store, tender: Tender, tick: Tick
) -> None:
    """Bidding Law 22: the answer is the same, byte for byte, whoever takes part."""
    path = f"/api/v1/lots/{tender.lot_id}/deliveries"
    first = await a_bidder(store)
    await objected(store, first, tender.lot_id, "documents", now=NOW + timedelta(days=1))
    await tick()
    await told(store)
    client = await client_of(app, tender.cast.agency)
    seen = await client.get(path)
    assert {one["role"] for one in seen["told"]} >= {"tenderee", "agency", "supervisor"}
    assert "bidder" not in {one["role"] for one in seen["told"]}
    shown = await page(app, path.removeprefix("/api/v1"), tender.cast.agency)
    assert "投标人一栏在截标后显示" in shown
    assert first.organisation not in shown
    for stranger in (await a_player(store, Role.TENDEREE), await a_player(store, Role.AGENCY)):
        with pytest.raises(Problem) as problem:
            await (await client_of(app, stranger)).get(path)
        assert problem.value.status == 404


async def test_metrics_and_logs_tell_of_no_notification(
    app: FastAPI, store: Store, http: httpx.AsyncClient, capsys: pytest.CaptureFixture[str]
) -> None:
    bidder = await a_bidder(store)
    await reachable(store, bidder, mobile="13800005678")
    await posted(store, Recipient(bidder.party, Role.BIDDER))
    carriers = carriers_of(store.settings, demo=True)
    while await deliver_once(store, carriers):
        pass
    metrics = (await http.get("/metrics")).text
    assert "notification_" not in metrics.replace("/api/v1/notifications", "")
    assert "delivery" not in metrics
    assert capsys.readouterr().out == ""


async def test_a_demonstration_shows_what_it_would_have_sent(
    app: FastAPI, store: Store, http: httpx.AsyncClient
) -> None:
    """UX F-04."""
    bidder = await a_bidder(store)
    await reachable(store, bidder, email="wang@jiangcheng.example")
    await posted(store, Recipient(bidder.party, Role.BIDDER))
    client = await client_of(app, bidder)
    await client.post("/api/v1/consents/calls", {"text": b64u(text_digest(Purpose.CALLS))})
    await client.post("/api/v1/contacts", {"kind": "mobile", "address": "13800005678"})
    carriers = carriers_of(store.settings, demo=True)
    while await deliver_once(store, carriers):
        pass
    shown = (await http.get("/demo/outbox", headers=HTML)).text
    code = contacting.code_of(store.settings, await contact_row(store, bidder, "mobile"))
    for words in ("wang@jiangcheng.example", "暂停、恢复、终止或者流标", f"验证码 {code}"):
        assert words in shown
    assert faults_of(tree_of(shown)) == []


@pytest.mark.browser
async def test_inbox_choices_and_deliveries_hold_at_every_width_and_axe_finds_nothing(
    store: Store, settings: Settings, tender: Tender, tick: Tick, chromium: Browser
) -> None:
    bidder, agency = await a_bidder(store), tender.cast.agency
    await reachable(store, agency, email="wang@jiangcheng.example", mobile="13800005678")
    await objected(store, bidder, tender.lot_id, "documents", now=NOW + timedelta(days=1))
    await tick()
    await told(store)
    carriers = carriers_of(store.settings, demo=True)
    while await deliver_once(store, carriers):
        pass
    listener = socket.create_server(("127.0.0.1", 0))
    origin = f"http://localhost:{listener.getsockname()[1]}"
    house = create_app(store, settings.model_copy(update={"origin": origin}))
    async with served(house, lifespan="on", listener=listener) as address:
        token = await token_of(store, agency)
        for path, words in (
            ("/inbox", "未读"),
            ("/inbox/choices", "138****5678"),
            (f"/lots/{tender.lot_id}/deliveries", "已送达"),
        ):
            async with open_page(chromium, address + path, token=token) as shown:
                await expect(shown.locator("main")).to_contain_text(words)
                await assert_holds_everywhere(shown)
        async with open_page(chromium, f"{address}/inbox/choices", token=token) as shown:
            box = shown.locator("input[value='objection/sms']")
            await box.check()
            # The page loads itself again once the choice is kept.
            async with (
                shown.expect_response("**/api/v1/notification-choices") as answer,
                shown.expect_event("load"),
            ):
                await shown.get_by_role("button", name="保存").click()
            assert (await answer.value).status == 204
            await expect(box).to_be_checked()
