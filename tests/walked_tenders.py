"""A tender walked over HTTP from its draft to the award, by everybody's own programs.

What differs from one procedure to the next is given by the journey that walks it: the project's
facts, the lot's terms, who is drawn, and how the committee marks.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlmodel import select

from kernel.access import Role
from kernel.crypto.digests import b64u, canonical, instant_text, parse_instant
from kernel.crypto.signing import PrivateKey
from kernel.crypto.statement_kinds import payload_type
from kernel.identifiers import DrawId, LotId
from kernel.settings import Settings
from kernel.store.tables import PlatformRow
from kernel.store.transaction import Store
from tests.draw_cast import CIVIL, COST, EAST, HOST, SOUTH, DrawHouse, a_pool
from tests.kept_stores import WITNESSES, witnessed
from tests.tender_files import completed
from tests.tenders import Cast, Player, a_cast, a_player, a_uscc
from tests.web.draw_hall import DrawByWire
from tests.web.tender_house import client_of
from trading import due_lots
from web import opening_work
from web.client import Client, Problem
from web.custodian_work import Custodian, Trust
from web.sealing_bids import Bidder, deliver, read_package, seal_bid
from web.seat_work import SeatWork

STRATA = (
    {"name": "临江施工", "specialism": CIVIL, "region": HOST, "seats": 2},
    {"name": "东湖施工", "specialism": CIVIL, "region": EAST, "seats": 1},
    {"name": "南溪造价", "specialism": COST, "region": SOUTH, "seats": 1},
)
SHARES = (1, 1, 1, 2)

Tick = Callable[[], Awaitable[None]]
ClockTo = Callable[[datetime], Awaitable[None]]


@dataclass(slots=True)
class Journey:
    """Everybody on the way, with a line each, and the hands of clock and log."""

    app: Any
    store: Store
    tick: Tick
    clock_to: ClockTo
    cast: Cast
    folder: Path
    known: Callable[..., None] = lambda *_: None
    """Hears of everybody who signs on the way."""

    lot: str = ""
    keys: list[PrivateKey] = field(default_factory=list)
    lines: dict[UUID, Client] = field(default_factory=dict)

    async def line(self, who: Player) -> Client:
        """This player's program."""
        self.known(who)
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

    async def close(self) -> None:
        """Hang up all lines."""
        for client in self.lines.values():
            await client.aclose()

    async def state(self) -> str:
        """Where the lot stands, as its page tells everybody."""
        told = await (await self.line(self.cast.staff)).get(f"/api/v1/lots/{self.lot}/award")
        return str(told["state"])

    async def standing(self) -> tuple[str, bool]:
        """Where the lot stands for everybody, and whether it stands still."""
        told = await (await self.line(self.cast.staff)).get(f"/api/v1/lots/{self.lot}")
        return told["state"], told["suspended"]


def patient(settings: Settings) -> Settings:
    """Witnesses sign every checkpoint, and leases outlast a whole walk."""
    return witnessed(settings).model_copy(update={"lease_s": 600.0})


@asynccontextmanager
async def walking(
    app: Any,
    store: Store,
    tick: Tick,
    clock_to: ClockTo,
    folder: Path,
    known: Callable[..., None] = lambda *_: None,
) -> AsyncIterator[Journey]:
    """A journey through the house with a cast of its own; its lines are hung up at the end."""
    made = Journey(app, store, tick, clock_to, await a_cast(store), folder, known)
    try:
        yield made
    finally:
        await made.close()


async def a_project(journey: Journey, procedure: str, **changes: Any) -> str:
    """A project that the agency enters and the tenderee authorises."""
    cast = journey.cast
    told = await (await journey.line(cast.agency)).post(
        "/api/v1/projects",
        {
            "code": f"VT-{procedure[-9:]}".replace("_", "-"),
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
            **changes,
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


async def a_draft(journey: Journey, project: str, terms: dict[str, Any]) -> str:
    """A lot with its documents, and the keys of four custodians."""
    agency = await journey.line(journey.cast.agency)
    lot = str((await agency.post(f"/api/v1/projects/{project}/lots", terms))["id"])
    await agency.put_file(
        f"/api/v1/lots/{lot}/documents/招标文件.pdf", b"%PDF-1.7\n", media_type="application/pdf"
    )
    with suppress(Problem):
        await completed(agency, lot)
    await keys_kept(journey, project, lot)
    return lot


async def keys_kept(journey: Journey, project: str, lot: str) -> None:
    """The four custodians of a draft are named, and register their keys."""
    agency, custodians = await journey.line(journey.cast.agency), journey.cast.custodians
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


def replanned(draft: dict[str, Any], plan: dict[str, Any]) -> dict[str, Any]:
    """A draft's terms with times of its own."""
    kept = ("name", "region", "estimate", "ceiling_price", "bid_security", "security_forms")
    also = ("scheme", "sheet_fields", "notice", "officials_threshold", "escrow_threshold")
    return {**{name: draft[name] for name in (*kept, *also)}, "plan": plan}


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


async def bid(journey: Journey, who: Player, price: str, now: datetime, **sheet: Any) -> PrivateKey:
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
        sheet={
            "price": price,
            "duration_days": 300,
            "quality": "合格",
            "manager": "项目经理",
            **sheet,
        },
        files=[work],
        folder=journey.folder / f"sealed-{who.party}",
        now=now,
        escrow=False,
        opening_key=key.public_bytes,
    )
    answer = await deliver(client, journey.folder / f"sealed-{who.party}")
    assert answer["outcome"] == "accepted"
    return key


async def drawn(
    journey: Journey,
    due_at: datetime,
    *,
    strata: Sequence[dict[str, Any]] = STRATA,
    each: int = 3,
) -> DrawHouse:
    """A committee's experts, drawn over the wire by three parties."""
    cast = journey.cast
    house = DrawHouse(
        journey.store,
        journey.tick,
        cast.staff,
        {"tenderee": cast.tenderee, "agency": cast.agency, "supervisor": cast.supervisor},
        await a_pool(journey.store, cast.staff, each=each),
        a_uscc(),
        LotId(UUID(journey.lot)),
        UUID(int=0),
    )
    told = await (await journey.line(cast.agency)).post(
        f"/api/v1/lots/{journey.lot}/draws",
        {
            "strata": list(strata),
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
    journey.known(*house.parties.values(), *(one.player for one in house.experts))
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


async def evaluated(
    journey: Journey,
    house: DrawHouse,
    work_through: Callable[[Sequence[SeatWork], str], Awaitable[None]],
    *,
    members: int = 5,
) -> bytes:
    """The members at two sites: seats registered, everybody in, marks, report; its record."""
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
            journey.known(key)
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
    assert len(works) == members
    await journey.at(parse_instant(works[0][2]["window"]["from"]) + timedelta(minutes=1))
    try:
        for work, site, call in works:
            await doors.post(
                f"/api/v1/sites/{site}/admissions",
                {"committee": committee, "seat": call["seat_id"]},
            )
            await work.sign_in()
        await work_through([work for work, *_ in works], committee)
    finally:
        for work, *_ in works:
            await work.close()
    await journey.tick()
    return await agency.read(f"/api/v1/lots/{journey.lot}/evaluation-record")


async def all_signed(works: Sequence[SeatWork], committee: str) -> None:
    """Everybody commits to a sheet and shows it; the report is computed and signed by all."""
    for work in works:
        await work.all_sent()
        await work.commit()
    for work in works:
        await work.reveal()
    await works[0].client.post(f"/api/v1/committees/{committee}/report", {})
    for work in works:
        await work.sign_report()
