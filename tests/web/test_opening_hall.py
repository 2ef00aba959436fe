"""The opening hall over HTTP: Bidding Law 22; Bidding Regulation 31, 44; E-Bidding Measures 30."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from datetime import timedelta

import httpx
from fastapi import FastAPI

from kernel.crypto.digests import unb64
from kernel.store.transaction import Store
from tests.awards import answered, objected
from tests.opened_lots import PRICES, Entry, Hall, a_hall, an_entry, released
from tests.sealed_bids import IN_TIME, Tender, a_bidder
from tests.tenders import NOW, Player, cancelled
from tests.web.every_route import routes_of
from tests.web.markup import faults_of, tree_of
from tests.web.tender_house import client_of, page, token_of

Tick = Callable[[], Awaitable[None]]
LISTS = ("/", "/notices", "/openings", "/objections", "/awards", "/supervision")
CANCELLED_AT = IN_TIME + timedelta(hours=1)


async def everything_seen(app: FastAPI, tender: Tender, who: Player | None) -> dict[str, str]:
    """Every page and answer about a lot that this reader is given, by its path."""
    told = {}
    headers = (
        {} if who is None else {"Authorization": f"Bearer {await token_of(app.state.store, who)}"}
    )
    about = [
        context.path.replace("{lot_id}", str(tender.lot_id))
        for name, context in routes_of(app).items()
        if name.startswith("GET /") and context.path and context.path.count("{") == 1
        if "{lot_id}" in context.path
    ]
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as visitor:
        for path in (*LISTS, *about):
            accept = "application/json" if path.startswith("/api/") else "text/html"
            answer = await visitor.get(path, headers={**headers, "Accept": accept})
            assert answer.status_code < 500, (path, answer.text)
            told[path] = answer.text
    return told


# ── a lot that ended before its close ─────────────────────────────────────────────────────────


async def test_who_bid_for_a_lot_that_was_cancelled_before_its_close_is_told_to_nobody_ever(
    store: Store, tender: Tender, app: FastAPI, tick: Tick
) -> None:
    entries = [await an_entry(store, tender, price) for price in PRICES]
    objector = await a_bidder(store)
    then = NOW + timedelta(days=2)
    raised = await objected(store, objector, tender.lot_id, "documents", now=then)
    await answered(store, tender.cast.agency, tender.lot_id, raised, now=then)
    await cancelled(store, tender.cast, tender.lot, now=CANCELLED_AT)
    await tick()

    cast = tender.cast
    hidden = [entry.player for entry in entries] + [objector]
    readers = {
        "public": None,
        "another bidder": await a_bidder(store),
        "the tenderee": cast.tenderee,
        "the agency": cast.agency,
        "the supervisor": cast.supervisor,
        "the centre": cast.staff,
        "a custodian": cast.custodians[0],
    }
    for reader, who in readers.items():
        seen = await everything_seen(app, tender, who)
        hall = json.loads(seen[f"/api/v1/lots/{tender.lot_id}/opening"])
        assert (hall["state"], hall["bids"], hall["step"]) == ("cancelled", [], 0), reader
        for path, text in seen.items():
            for one in hidden:
                assert one.organisation not in text, (reader, path)
                assert str(one.party) not in text, (reader, path)


async def test_a_bidder_of_a_cancelled_lot_sees_itself_alone_and_has_no_part_in_its_hall(
    store: Store, tender: Tender, app: FastAPI
) -> None:
    entries = [await an_entry(store, tender, price) for price in PRICES]
    await cancelled(store, tender.cast, tender.lot, now=CANCELLED_AT)

    seen = await everything_seen(app, tender, entries[0].player)

    assert "当场提出异议" not in seen[f"/openings/{tender.lot_id}"]
    for path, text in seen.items():
        for other in entries[1:]:
            assert other.player.organisation not in text, path
            assert str(other.player.party) not in text, path


async def test_the_log_shows_what_was_sealed_of_a_cancelled_lot_to_supervisors_alone(
    store: Store, tender: Tender, app: FastAPI, tick: Tick
) -> None:
    entries: list[Entry] = [await an_entry(store, tender, price) for price in PRICES]
    await tick()
    await cancelled(store, tender.cast, tender.lot, now=CANCELLED_AT)
    await tick()

    async def kinds(who: Player | None) -> list[str]:
        client = await client_of(app, who)
        told = await client.get("/api/v1/log/entries")
        records = [unb64(one["record"]) for one in told["entries"]]
        if who is None:
            for entry in entries:
                assert not any(str(entry.player.party).encode() in record for record in records)
        return [json.loads(record)["kind"] for record in records]

    assert "LotCancelled" in await kinds(None)
    assert not {"BidSubmitted", "DocumentsTaken"} & set(await kinds(None))
    assert not {"BidSubmitted", "DocumentsTaken"} & set(await kinds(tender.cast.agency))
    assert (await kinds(tender.cast.supervisor)).count("BidSubmitted") == len(PRICES)


# ── what the hall says of an end, and of a brake ──────────────────────────────────────────────


async def test_the_hall_of_a_lot_cancelled_before_its_close_says_why_and_awaits_nothing(
    store: Store, tender: Tender, app: FastAPI, tick: Tick
) -> None:
    await an_entry(store, tender, PRICES[0])
    await cancelled(store, tender.cast, tender.lot, now=CANCELLED_AT, reason="项目用地规划调整")
    await tick()
    shown = await page(app, f"/openings/{tender.lot_id}")
    assert faults_of(tree_of(shown)) == []
    words = tree_of(shown).text
    for told in ("本标段已终止招标", "项目用地规划调整", "第31条", "没有开标", "终止招标"):
        assert told in words, told
    for promise in ("等待解密", "同时公布", "开标前任何人不得查看", "唱标表", "待定"):
        assert promise not in words, promise
    assert "Tender ended" in await page(app, f"/en/openings/{tender.lot_id}")


async def test_the_hall_of_a_lot_that_failed_says_why_and_awaits_no_price(
    store: Store, tender: Tender, app: FastAPI, tick: Tick
) -> None:
    entries = [await an_entry(store, tender, price) for price in PRICES[:2]]
    hall = await a_hall(store, tender, entries)
    await tick()
    told = await (await client_of(app)).get(f"/api/v1/lots/{hall.lot_id}/opening")
    [ending] = told["endings"]
    assert ending["article"] == "《中华人民共和国招标投标法实施条例》第44条"
    shown = await page(app, f"/openings/{hall.lot_id}")
    assert faults_of(tree_of(shown)) == []
    words = tree_of(shown).text
    for said in ("本标段流标", ending["reason"], ending["article"], "没有报价可以公布", "未解密"):
        assert said in words, said
    for promise in ("等待解密", "同时公布", "解密剩余时间", "待定"):
        assert promise not in words, promise
    for entry in entries:
        assert entry.player.organisation in words
    assert "流标" in words.split("现场记录")[1]


async def test_a_lot_cancelled_while_bids_are_being_released_shows_no_price_and_takes_no_part(
    store: Store, hall: Hall, app: FastAPI, tick: Tick
) -> None:
    await released(hall, hall.entries[0])
    await cancelled(store, hall.tender.cast, hall.tender.lot, now=hall.in_window)
    await tick()
    shown = await page(app, f"/openings/{hall.lot_id}", hall.entries[1].player)
    words = tree_of(shown).text
    for said in ("本标段已终止招标", "没有报价可以公布", hall.entries[1].player.organisation):
        assert said in words, said
    for promise in ("sunbid opening release", "解密剩余时间", "当场提出异议", "同时公布"):
        assert promise not in words, promise
    told = await (await client_of(app)).get(f"/api/v1/lots/{hall.lot_id}/opening")
    assert (told["step"], len(told["bids"])) == (2, 3)


async def test_the_live_log_of_a_hall_tells_of_brakes_too(
    store: Store, tender: Tender, app: FastAPI, tick: Tick
) -> None:
    raised = await objected(
        store, await a_bidder(store), tender.lot_id, "documents", now=NOW + timedelta(days=2)
    )
    await tick()
    words = tree_of(await page(app, f"/openings/{tender.lot_id}")).text
    assert "标段已暂停" in words
    assert "暂停招标投标活动" in words.split("现场记录")[1]
    await answered(store, tender.cast.agency, tender.lot_id, raised, now=NOW + timedelta(days=2))
    await tick()
    words = tree_of(await page(app, f"/openings/{tender.lot_id}")).text
    assert "标段已暂停" not in words
    assert "恢复招标投标活动" in words.split("现场记录")[1]


async def test_the_transparency_window_calls_entries_by_their_names(
    store: Store, tender: Tender, app: FastAPI, tick: Tick
) -> None:
    await tick()
    shown = await page(app, "/transparency")
    assert "发布招标（采购）公告" in shown
    assert "LotPublished" not in shown
    assert "Notice published" in await page(app, "/en/transparency")
