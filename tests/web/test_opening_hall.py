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
from tests.opened_lots import PRICES, Entry, an_entry
from tests.sealed_bids import IN_TIME, Tender, a_bidder
from tests.tenders import NOW, Player, cancelled
from tests.web.every_route import routes_of
from tests.web.tender_house import client_of, token_of

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
