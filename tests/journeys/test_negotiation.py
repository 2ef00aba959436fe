"""A negotiation over HTTP, from its draft to the lowest last price (竞争性谈判).

Government Procurement Law 30, 38; Government Procurement Regulation 43. Nothing that a supplier
asks for is announced or told to another; the group talks with each separately, the purchaser's
representative confirms a change of the demand for all, one supplier leaves, and the last prices are
sealed until their deadline, and told to the group all at once.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from fastapi import FastAPI

from kernel.access import Role
from kernel.crypto.digests import b64u, instant_text, parse_instant
from kernel.settings import Settings
from kernel.store.transaction import Store
from tests.draw_cast import CIVIL, EAST, HOST
from tests.kept_stores import witnessed
from tests.sealed_bids import ticking
from tests.tenders import Player, a_cast, a_player
from tests.walked_tenders import (
    ClockTo,
    Journey,
    Tick,
    a_draft,
    a_project,
    all_signed,
    bid,
    drawn,
    evaluated,
    opened,
    published,
)
from tests.web.careless_senders import SIGNED_IN_TALKS, CarelessSenders
from tests.web.tender_house import client_of
from trading.rules.price_talks import SETTLING, price_commitment
from web import opening_work
from web.client import Client, Problem
from web.rehearsal.act_publication import a_lot, a_plan
from web.seat_work import SeatWork
from web.verifying.evaluation_record import verify

FIRST = ("500000.00", "480000.00", "530000.00", "520000.00")
LAST = ("473000.00", "476000.00", "469000.00")
"""The third asked for most at first and for least at last; the fourth leaves the talks."""

STRATA = (
    {"name": "临江专家", "specialism": CIVIL, "region": HOST, "seats": 1},
    {"name": "东湖专家", "specialism": CIVIL, "region": EAST, "seats": 1},
)
LOWEST: dict[str, Any] = {
    "v": "ebid-score-scheme/1",
    "method": "lowest_price",
    "items": [],
    "price": {"points": "0"},
    "round": {"stage": "total", "places": 2, "how": "half_up"},
    "ties": ["earlier_bid"],
}
PROJECT: dict[str, Any] = {
    "name": "应急指挥系统采购",
    "category": "goods",
    "funding_source": "财政资金",
    "method_ground": "urgent",
    "method_document": "紧急需要说明（2026）5号",
}


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """Witnesses sign every checkpoint, and leases are patient."""
    return witnessed(settings).model_copy(update={"lease_s": 600.0})


@pytest.fixture
async def journey(
    app: FastAPI, store: Store, tick: Tick, clock_to: ClockTo, tmp_path: Path
) -> AsyncIterator[Journey]:
    made = Journey(app, store, tick, clock_to, await a_cast(store), tmp_path)
    try:
        yield made
    finally:
        await made.close()


def figures(*prices: str) -> set[str]:
    """How each price would look in a page or in JSON."""
    return {text for one in prices for text in (one[:-3], f"{Decimal(one[:-3]):,}")}


def none_of(content: bytes | str, prices: set[str]) -> bool:
    text = content if isinstance(content, str) else content.decode()
    return not any(price in text for price in prices)


@dataclass(slots=True)
class Talks:
    """What the suppliers do while the group is at work."""

    journey: Journey
    suppliers: Sequence[Player]
    careless: CarelessSenders
    lines: dict[UUID, Client] = field(default_factory=dict)
    salts: dict[UUID, bytes] = field(default_factory=dict)

    @property
    def path(self) -> str:
        return f"/api/v1/lots/{self.journey.lot}"

    async def act(self, who: Player, path: str, kind: str, said: dict[str, Any]) -> Any:
        """A signed act of a careless supplier."""
        if who.person not in self.lines:
            self.careless.known(who)
            self.lines[who.person] = await client_of(self.careless, who)  # type: ignore[arg-type]  # an app around an app
        return await self.lines[who.person].post_statement(path, kind, said)

    async def close(self) -> None:
        for client in self.lines.values():
            await client.aclose()

    async def told(self, who: Player) -> dict[str, Any]:
        return dict(await (await self.journey.line(who)).get(f"{self.path}/talks"))

    async def page(self, who: Player) -> str:
        line = await self.journey.line(who)
        return (await line.read(f"/talks/{self.journey.lot}")).decode()

    async def group_page(self, group: Client, path: str) -> str:
        return (await group.read(f"/evaluation/{path.rsplit('/', maxsplit=1)[-1]}/talks")).decode()

    async def answer_all(self, who: Player, words: str) -> None:
        for talk in (await self.told(who))["talks"]:
            if talk["answer"] is None:
                await self.act(
                    who,
                    f"{self.path}/talks/{talk['id']}/answer",
                    "talk-answer",
                    {"lot": self.journey.lot, "talk": talk["id"], "words": words},
                )

    async def hand_in(self, who: Player, price: str, *, seq: int = 1, changes: int = 1) -> Any:
        salt = self.salts[who.person] = bytes([seq]) * 31 + who.person.bytes[:1]
        found = price_commitment(UUID(self.journey.lot), who.party, salt, Decimal(price))
        said = {"lot": self.journey.lot, "seq": seq, "changes": changes}
        return await self.act(
            who, f"{self.path}/last-prices", "last-price", {**said, "commitment": b64u(found)}
        )

    async def open(self, who: Player, price: str, *, seq: int = 1) -> None:
        said = {"lot": self.journey.lot, "seq": seq, "price": price}
        await self.act(
            who,
            f"{self.path}/last-prices/opening",
            "last-price-opening",
            {**said, "salt": b64u(self.salts[who.person])},
        )

    async def work_through(self, works: Sequence[SeatWork], committee: str) -> None:
        """The talks from the first words to the signed report."""
        path = f"/api/v1/committees/{committee}"
        group, representative = works[0].client, works[-1].client
        seen = await group.get(f"{path}/talks")
        assert (seen["phase"], len(seen["suppliers"])) == ("talking", len(FIRST))
        ids = {one["first_price"]: one["bid_id"] for one in seen["suppliers"]}
        due_at = await self._talk(path, group, representative, [ids[one] for one in FIRST])

        await self._price(path, group, due_at)
        with pytest.raises(Problem) as refused:
            await works[0].commit()
        assert refused.value.codes == {"last_prices_due"}
        await self._open(path, group, due_at)
        await all_signed(works, committee)

    async def _talk(self, path: str, group: Any, representative: Any, bids: list[str]) -> datetime:
        due_at = await self.journey_now() + timedelta(minutes=20)
        with pytest.raises(Problem) as refused:
            await group.post(f"{path}/last-price-call", {"due_at": instant_text(due_at)})
        assert refused.value.codes == {"not_talked_with"}
        for number, one in enumerate(bids):
            await group.post(f"{path}/talks", {"bid": one, "words": f"请说明方案{number}的交货期"})
        with pytest.raises(Problem) as refused:
            await group.post(f"{path}/demand-changes", {"words": "交货期改为30日"})
        assert refused.value.status in (403, 404)
        await representative.post(f"{path}/demand-changes", {"words": "交货期改为30日"})
        for number, who in enumerate(self.suppliers):
            told = await self.told(who)
            assert [one["words"] for one in told["talks"]] == [f"请说明方案{number}的交货期"]
            assert [one["words"] for one in told["changes"]] == ["交货期改为30日"]
            others = {*FIRST} - {FIRST[number]}
            assert none_of(str(told), figures(*others))
            await self.answer_all(who, f"30日内交货，方案{number}")
        assert "确认并通知全部供应商" in await self.group_page(representative, path)
        assert "确认并通知全部供应商" not in await self.group_page(group, path)
        leaving = self.suppliers[3]
        await self.act(leaving, f"{self.path}/talks/leave", "talk-leave", {"lot": self.journey.lot})
        with pytest.raises(Problem) as refused:
            await self.hand_in(self.suppliers[0], LAST[0])
        assert refused.value.status == 404
        told = await group.post(f"{path}/last-price-call", {"due_at": instant_text(due_at)})
        assert told["cautions"] == []
        with pytest.raises(Problem) as refused:
            await group.post(f"{path}/last-price-call", {"due_at": instant_text(due_at)})
        assert refused.value.codes == {"price_named"}
        return due_at

    async def _price(self, path: str, group: Any, due_at: datetime) -> None:
        first, second, third, left = self.suppliers
        await self.hand_in(first, "999999.00")
        await self.hand_in(first, LAST[0], seq=2)
        await self.hand_in(second, LAST[1])
        with pytest.raises(Problem) as refused:
            await self.hand_in(left, "1.00")
        assert refused.value.status == 404
        with pytest.raises(Problem) as refused:
            await self.open(second, LAST[1])
        assert refused.value.codes == {"too_early"}
        seen = await group.get(f"{path}/talks")
        assert {one["handed_in"] for one in seen["suppliers"]} == {None}
        assert none_of(str(seen) + await self.group_page(group, path), figures(*LAST))
        assert "密封并签名提交" in await self.page(third)
        assert "本单位已退出" in await self.page(left)
        await self.hand_in(third, LAST[2])
        await self.journey.at(due_at)
        with pytest.raises(Problem) as refused:
            await self.hand_in(second, "1.00", seq=2)
        assert refused.value.codes == {"late"}
        self.salts[second.person] = bytes([1]) * 31 + second.person.bytes[:1]

    async def _open(self, path: str, group: Any, due_at: datetime) -> None:
        first, second, third, _ = self.suppliers
        await self.open(first, LAST[0], seq=2)
        with pytest.raises(Problem) as refused:
            await self.open(second, "460000.00")
        assert refused.value.codes == {"another_price"}
        await self.open(second, LAST[1])
        await self.journey.at(due_at + SETTLING)
        seen = await group.get(f"{path}/talks")
        assert seen["phase"] == "opening"
        assert none_of(str(seen) + await self.group_page(group, path), figures(*LAST))
        shown = await self.page(third)
        assert "签名并公开最后报价" in shown
        assert none_of(shown, figures(*LAST, *FIRST[:2]))
        await self.open(third, LAST[2])
        seen = await group.get(f"{path}/talks")
        assert seen["phase"] == "open"
        assert not none_of(await self.group_page(group, path), figures(LAST[2]))
        asked = {one["last_price"] for one in seen["suppliers"]}
        assert asked == {*LAST, None}

    async def journey_now(self) -> datetime:
        told = await (await self.journey.line(self.journey.cast.staff)).get("/api/v1/clock")
        return parse_instant(told["now"])


async def test_a_negotiation_goes_to_the_lowest_last_price(
    journey: Journey, sound: Callable[[], Awaitable[None]]
) -> None:
    now = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
    plan = a_plan(now, bidding_days=3, documents_days=3) | {"publicity_days": 0}
    terms = a_lot(
        "应急指挥系统1套",
        plan,
        estimate="600000.00",
        ceiling_price="600000.00",
        bid_security="0.00",
        scheme=LOWEST,
    )
    with pytest.raises(Problem) as refused:
        await a_project(
            journey, "competitive_negotiation", **PROJECT | {"method_ground": "standard_goods"}
        )
    assert refused.value.codes == {"no_case"}
    project = await a_project(journey, "competitive_negotiation", **PROJECT)
    journey.lot = await a_draft(journey, project, terms)
    await published(journey, journey.lot)
    suppliers = [await a_player(journey.store, Role.BIDDER) for _ in FIRST]
    async with ticking(journey.tick):
        keys = [
            await bid(journey, who, price, now) for who, price in zip(suppliers, FIRST, strict=True)
        ]

    due_at = parse_instant(plan["bids_due_at"])
    await journey.at(due_at + timedelta(seconds=3))
    house = await drawn(journey, due_at, strata=STRATA, each=2)
    for who, key in zip(suppliers, keys, strict=True):
        await opening_work.release(await journey.line(who), journey.lot, key)
    await opened(journey, due_at + timedelta(seconds=plan["release_window_s"]))
    stranger, path = await client_of(journey.app), f"/api/v1/lots/{journey.lot}"
    for place in (f"{path}/opening", f"{path}/opening-record", f"/openings/{journey.lot}"):
        assert none_of(await stranger.read(place), figures(*FIRST))
    with pytest.raises(Problem):
        await (await journey.line(suppliers[0])).get(f"{path}/bids")

    talks = Talks(journey, suppliers, CarelessSenders(journey.app, journey.store))
    record = await evaluated(journey, house, talks.work_through, members=3)
    assert set(talks.careless.spoilt) == SIGNED_IN_TALKS
    await talks.close()
    checked = verify(record)
    assert [one for one in checked.checks if not one.passed] == []
    assert await journey.state() == "evaluated"

    agency, tenderee = await journey.line(journey.cast.agency), journey.cast.tenderee
    notice = await agency.get(f"{path}/candidates/draft")
    order = [str(suppliers[place].party) for place in (2, 0, 1)]
    assert [one["bidder"] for one in notice["candidates"]] == order
    done = await agency.post_statement(f"{path}/candidates", "candidates", notice)
    await journey.at(parse_instant(done["until"]) + timedelta(seconds=1))
    told = await stranger.read(f"{path}/award") + await stranger.read(f"/awards/{journey.lot}")
    assert none_of(told, figures(*FIRST, *LAST))
    award = {"lot": journey.lot, "winner": order[0], "report": notice["report"]}
    await journey.act(tenderee, f"{path}/award", "award", award)

    told = await stranger.get(f"{path}/award")
    assert (told["state"], told["award"]["price"]) == ("awarded", LAST[2])
    page = await stranger.read(f"/awards/{journey.lot}")
    assert none_of(page, {*figures(*FIRST, *LAST[:2]), "300日历天"})
    assert not none_of(page, figures(LAST[2]))
    with pytest.raises(Problem) as refused:
        await stranger.read(f"{path}/evaluation-record")
    assert refused.value.status == 404
    await stranger.aclose()
    won = await (await journey.line(suppliers[2])).read(f"/awards/{journey.lot}/notice")
    assert "谈判（磋商）" in won.decode()
    lost = await (await journey.line(suppliers[0])).read(f"/awards/{journey.lot}/notice")
    assert none_of(lost, figures(*FIRST, *LAST[:2]))
    await (await journey.line(tenderee)).read(f"/contracts/{journey.lot}")
    await journey.tick()
    await sound()
