"""A voluntary tender over HTTP, from its draft to an award the law leaves to the tenderee.

No bid period and no publicity are prescribed for it, and the winner may be any candidate.
Bidding Law 24, 40; Bidding Regulation 16, 54, 55. Everybody acts by programs of their own, and
sends what it signs spoilt in every way before it sends it right, of which nothing may come.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from fastapi import FastAPI
from sqlmodel import select

from kernel.access import Role
from kernel.crypto.digests import b64u, canonical, instant_text, parse_instant
from kernel.crypto.signing import PrivateKey
from kernel.identifiers import DrawId, LotId
from kernel.settings import Settings
from kernel.store.parties import payload_type
from kernel.store.tables import PlatformRow
from kernel.store.transaction import Store
from tests.draw_cast import CIVIL, COST, EAST, HOST, SOUTH, DrawHouse, a_pool
from tests.kept_stores import WITNESSES, witnessed
from tests.sealed_bids import ticking
from tests.tender_files import completed
from tests.tenders import Cast, Player, a_cast, a_player, a_uscc
from tests.web.careless_senders import SIGNED_ON_THE_WAY, CarelessSenders
from tests.web.draw_hall import DrawByWire
from tests.web.tender_house import client_of
from trading import due_lots
from web import opening_work
from web.client import Client, Problem
from web.custodian_work import Custodian, Trust
from web.rehearsal.act_publication import a_lot, a_plan
from web.sealing_bids import Bidder, deliver, read_package, seal_bid
from web.seat_work import SeatWork
from web.verifying.evaluation_record import verify

PRICES = ("121000000.00", "118000000.00", "124500000.00")
STRATA = (
    {"name": "临江施工", "specialism": CIVIL, "region": HOST, "seats": 2},
    {"name": "东湖施工", "specialism": CIVIL, "region": EAST, "seats": 1},
    {"name": "南溪造价", "specialism": COST, "region": SOUTH, "seats": 1},
)
SHARES = (1, 1, 1, 2)

Tick = Callable[[], Awaitable[None]]
ClockTo = Callable[[datetime], Awaitable[None]]


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """Witnesses sign every checkpoint, and leases are patient."""
    return witnessed(settings).model_copy(update={"lease_s": 600.0})


@dataclass(slots=True)
class Journey:
    """Everybody on the way, with a line each, and the hands of clock and log."""

    app: FastAPI
    careless: CarelessSenders
    store: Store
    tick: Tick
    clock_to: ClockTo
    cast: Cast
    folder: Path
    lot: str = ""
    keys: list[PrivateKey] = field(default_factory=list)
    lines: dict[UUID, Client] = field(default_factory=dict)

    async def line(self, who: Player) -> Client:
        """This player's program."""
        self.careless.known(who)
        if who.person not in self.lines:
            self.lines[who.person] = await client_of(self.app, who)
        return self.lines[who.person]

    async def act(self, who: Player, path: str, kind: str, payload: dict[str, Any]) -> Any:
        """A signed act."""
        return await (await self.line(who)).post_statement(path, kind, payload)

    async def at(self, instant: datetime) -> None:
        """Let it be that time, and everything be done that is due."""
        await self.clock_to(instant)
        while await due_lots.wake(self.store):
            pass
        await self.tick()

    async def state(self) -> str:
        told = await (await self.line(self.cast.staff)).get(f"/api/v1/lots/{self.lot}/award")
        return str(told["state"])


@pytest.fixture
async def journey(
    app: FastAPI, store: Store, tick: Tick, clock_to: ClockTo, tmp_path: Path
) -> AsyncIterator[Journey]:
    careless = CarelessSenders(app, store)
    house: Any = careless
    made = Journey(house, careless, store, tick, clock_to, await a_cast(store), tmp_path)
    try:
        yield made
    finally:
        for client in made.lines.values():
            await client.aclose()


async def a_project(journey: Journey, procedure: str) -> str:
    cast = journey.cast
    told = await (await journey.line(cast.agency)).post(
        "/api/v1/projects",
        {
            "code": f"VT-{procedure[-9:]}",
            "name": "产业园厂房改造工程",
            "procedure": procedure,
            "category": "works",
            "region": "310100",
            "funding_source": "企业自筹",
            "state_funded": procedure != "open_tender_voluntary",
            "tenderee": str(cast.tenderee.party),
            "agency": str(cast.agency.party),
            "contact": {
                "tenderee_address": "临江市滨江大道1号",
                "tenderee_contact": "赵工 000-00000001",
                "agency_address": "临江市中山路2号",
                "agency_contact": "李工 000-00000002",
            },
        },
    )
    project = str(told["id"])
    await journey.act(
        cast.tenderee,
        f"/api/v1/projects/{project}/authorisation",
        "authorisation",
        {"project": project, "agency": str(cast.agency.party)},
    )
    return project


async def a_draft(journey: Journey, project: str, plan: dict[str, Any]) -> str:
    """A lot with its documents, and the keys of four custodians."""
    agency = await journey.line(journey.cast.agency)
    terms = a_lot("厂房改造施工", plan)
    lot = str((await agency.post(f"/api/v1/projects/{project}/lots", terms))["id"])
    await agency.put_file(
        f"/api/v1/lots/{lot}/documents/招标文件.pdf", b"%PDF-1.7\n", media_type="application/pdf"
    )
    await completed(agency, lot)
    custodians = journey.cast.custodians
    await agency.post(
        f"/api/v1/lots/{lot}/custodians",
        {
            "custodians": [
                {
                    "person": str(one.person),
                    "organisation": str(one.party),
                    "escrow_shares": shares,
                }
                for one, shares in zip(custodians, SHARES, strict=True)
            ]
        },
    )
    journey.keys = [PrivateKey.generate() for _ in custodians]
    for one, key in zip(custodians, journey.keys, strict=True):
        await journey.act(
            one,
            f"/api/v1/lots/{lot}/custodian-keys",
            "custodian-key",
            {
                "project": project,
                "lot": lot,
                "kid": key.kid,
                "public_key": b64u(key.public_bytes),
            },
        )
    return lot


async def published(journey: Journey, lot: str) -> None:
    agency, key = await journey.line(journey.cast.agency), journey.cast.agency.key
    papers = await agency.get(f"/api/v1/lots/{lot}/publication")
    await agency.post(
        f"/api/v1/lots/{lot}/publication",
        {
            name: json.loads(
                key.sign(payload_type(name.replace("_", "-")), canonical(papers[name])).to_bytes()
            )
            for name in ("timetable", "opening_policy", "notice")
        },
    )


async def bid(journey: Journey, who: Player, price: str, now: datetime) -> PrivateKey:
    """A bid sealed on the bidder's machine and submitted; the key that releases it."""
    client, key = await journey.line(who), PrivateKey.generate()
    work = journey.folder / str(who.party)
    work.mkdir()
    (work / "技术方案.txt").write_text(f"方案 {price}")
    package = read_package(await client.read(f"/api/v1/lots/{journey.lot}/sealing-package"))
    await asyncio.to_thread(
        seal_bid,
        package,
        Bidder(str(who.party), who.key),
        sheet={"price": price, "duration_days": 300, "quality": "合格", "manager": "项目经理"},
        files=[work],
        folder=journey.folder / f"sealed-{who.party}",
        now=now,
        escrow=False,
        opening_key=key.public_bytes,
    )
    answer = await deliver(client, journey.folder / f"sealed-{who.party}")
    assert answer["outcome"] == "accepted"
    return key


async def drawn(journey: Journey, due_at: datetime) -> DrawHouse:
    """A committee's experts, drawn over the wire by three parties."""
    cast = journey.cast
    house = DrawHouse(
        journey.store,
        journey.tick,
        cast.staff,
        {"tenderee": cast.tenderee, "agency": cast.agency, "supervisor": cast.supervisor},
        await a_pool(journey.store, cast.staff, each=3),
        a_uscc(),
        LotId(UUID(journey.lot)),
        UUID(int=0),
    )
    told = await (await journey.line(cast.agency)).post(
        f"/api/v1/lots/{journey.lot}/draws",
        {
            "strata": list(STRATA),
            "parties": [
                {"name": name, "organisation": str(one.party)}
                for name, one in house.parties.items()
            ],
            "window": {
                "from": instant_text(due_at + timedelta(hours=3)),
                "until": instant_text(due_at + timedelta(hours=11)),
            },
            "representatives": 1,
        },
    )
    house.draw_id = DrawId(UUID(told["draw_id"]))
    journey.careless.known(*house.parties.values(), *(one.player for one in house.experts))
    await journey.tick()
    wire = DrawByWire(house, journey.app)
    await wire.play()
    await wire.seat_everybody()
    return house


async def opened(journey: Journey, window_until: datetime) -> None:
    """Three custodians give their shares; the agency signs the record and hands over."""
    agency = await journey.line(journey.cast.agency)
    await journey.at(window_until + timedelta(seconds=1))
    for one, key in list(zip(journey.cast.custodians, journey.keys, strict=True))[:3]:
        asked = await (await journey.line(one)).get(f"/api/v1/lots/{journey.lot}/share-request")
        custodian = Custodian(
            key=key, trust=await trust(journey), now=lambda: window_until + timedelta(seconds=2)
        )
        path = f"/api/v1/lots/{journey.lot}/shares"
        await journey.act(one, path, "shares", custodian.answer(asked))
    await journey.at(window_until + timedelta(minutes=1))
    await opening_work.sign_record(agency, journey.lot, journey.cast.agency.key)
    await agency.post(f"/api/v1/lots/{journey.lot}/handover")
    assert await journey.state() == "in_evaluation"


async def trust(journey: Journey) -> Trust:
    """The log and the witnesses that everybody's program knows."""
    async with journey.store.sessions() as session:
        vkey = (await session.scalars(select(PlatformRow.log_vkey))).one()
    return Trust(vkey, tuple(one.vkey for one in WITNESSES), 2)


async def evaluated(journey: Journey, house: DrawHouse) -> bytes:
    """Five members at two sites: seats registered, everybody in, marks, report; its record."""
    keeper = await a_player(journey.store, Role.SITE_ADMINISTRATOR)
    representative = await a_player(
        journey.store, Role.OWNER_REPRESENTATIVE, party=journey.cast.tenderee.party
    )
    doors = await journey.line(keeper)
    seats: dict[str, tuple[PrivateKey, str]] = {}
    sites = []
    for region in (HOST, EAST):
        told = await doors.post("/api/v1/sites", {"name": f"{region}评标室", "region": region})
        sites.append(str(told["site_id"]))
        for number in (1, 2, 3):
            key = PrivateKey.generate()
            journey.careless.known(key)
            work = SeatWork(doors, key, journey.folder / f"{region}-{number}")
            raw = work.seat_statement(sites[-1], number)
            seat = await doors.post_signed(f"/api/v1/sites/{sites[-1]}/seats", raw)
            seats[str(seat["seat_id"])] = key, sites[-1]
    agency = await journey.line(journey.cast.agency)
    committee = (
        await agency.post(
            f"/api/v1/lots/{journey.lot}/committee",
            {
                "host_site": sites[0],
                "placement": {HOST: sites[0], EAST: sites[1], SOUTH: sites[1]},
                "representatives": [str(representative.person)],
            },
        )
    )["committee_id"]
    works = []
    for who in [*(one.player for one in house.experts), representative]:
        client = await journey.line(who)
        for call in (await client.get("/api/v1/committees/mine"))["committees"]:
            key, site = seats[call["seat_id"]]
            home = journey.folder / f"seat-{call['seat_id']}"
            works.append((SeatWork(client, key, home, committee, call["seat_id"]), site, call))
    assert len(works) == 5
    await journey.at(parse_instant(works[0][2]["window"]["from"]) + timedelta(minutes=1))
    try:
        for work, site, call in works:
            await doors.post(
                f"/api/v1/sites/{site}/admissions",
                {"committee": committee, "seat": call["seat_id"]},
            )
            await work.sign_in()
        # Whoever is quick has reported before any line renews itself.
        await works[0][0].renew()
        await _worked([work for work, *_ in works], committee)
    finally:
        for work, *_ in works:
            await work.close()
    await journey.tick()
    return await agency.read(f"/api/v1/lots/{journey.lot}/evaluation-record")


async def _worked(works: list[SeatWork], committee: str) -> None:
    path = f"/api/v1/committees/{committee}"
    for number, work in enumerate(works):
        bids = (await work.client.get(f"{path}/bids"))["bids"]
        for place, one in enumerate(sorted(bids, key=lambda bid: bid["price"])):
            work.mark(one["bid_id"], "construction", f"{13 + place * 0.5 + number * 0.1:.1f}")
            work.mark(one["bid_id"], "safety", f"{8.5 + number * 0.1:.1f}")
            work.mark(one["bid_id"], "records", "12")
        await work.all_sent()
        await work.commit()
    for work in works:
        await work.reveal()
    await works[0].client.post(f"{path}/report", {})
    for work in works:
        await work.sign_report()


async def test_a_voluntary_tender_is_published_opened_evaluated_and_awarded_to_the_second(
    journey: Journey, sound: Callable[[], Awaitable[None]]
) -> None:
    now = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
    plan = a_plan(now, bidding_days=9, documents_days=7)
    bound = await a_draft(journey, await a_project(journey, "open_tender_mandatory"), plan)
    with pytest.raises(Problem) as refused:
        await published(journey, bound)
    assert any("第24条" in one["article"] for one in refused.value.refusals)

    journey.lot = await a_draft(journey, await a_project(journey, "open_tender_voluntary"), plan)
    await published(journey, journey.lot)
    bidders = [await a_player(journey.store, Role.BIDDER) for _ in PRICES]
    async with ticking(journey.tick):
        keys = [
            await bid(journey, who, price, now) for who, price in zip(bidders, PRICES, strict=True)
        ]

    due_at = parse_instant(plan["bids_due_at"])
    await journey.at(due_at + timedelta(seconds=3))
    house = await drawn(journey, due_at)
    for who, key in zip(bidders, keys, strict=True):
        await opening_work.release(await journey.line(who), journey.lot, key)
    await opened(journey, due_at + timedelta(seconds=plan["release_window_s"]))
    record = await evaluated(journey, house)
    assert verify(record).ok
    assert await journey.state() == "evaluated"

    agency, tenderee = await journey.line(journey.cast.agency), journey.cast.tenderee
    path = f"/api/v1/lots/{journey.lot}"
    notice = await agency.get(f"{path}/candidates/draft")
    done = await agency.post_statement(f"{path}/candidates", "candidates", notice)
    await journey.at(parse_instant(done["until"]) + timedelta(seconds=1))
    assert await journey.state() == "cleared_for_award"
    second = notice["candidates"][1]
    await journey.act(
        tenderee,
        f"{path}/award",
        "award",
        {"lot": journey.lot, "winner": second["bidder"], "report": notice["report"]},
    )
    stranger = await client_of(journey.app)
    told = await stranger.get(f"{path}/award")
    assert (told["state"], told["award"]["winner_id"]) == ("awarded", second["bidder"])
    page = (await stranger.read(f"/awards/{journey.lot}")).decode()
    for one in notice["ranking"]:
        assert one["name"] in page
        assert one["total"] in page
    await stranger.aclose()
    await journey.tick()
    await sound()
    assert set(journey.careless.spoilt) == SIGNED_ON_THE_WAY
