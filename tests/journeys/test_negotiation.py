"""A negotiation over HTTP, from its draft to the lowest last price (竞争性谈判).

Government Procurement Law 30, 38; Government Procurement Regulation 43. Nothing that a supplier
asks for is announced or told to another; the group talks with each separately, the purchaser's
representative confirms a change of the demand for all, one supplier leaves, and the last prices are
sealed until their deadline, and told to the group all at once.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from fastapi import FastAPI
from sqlalchemy import text

from kernel.access import PLATFORM, Role
from kernel.crypto.digests import Malformed, b64u, instant_text, parse_instant, sha256, unb64
from kernel.identifiers import LotId
from kernel.settings import Settings
from kernel.store.database import OWNER
from kernel.store.transaction import Store, transaction
from tests.conftest import Database
from tests.kept_stores import Lines
from tests.purchases import BEGUN, STRATA, a_purchase
from tests.sealed_bids import ticking
from tests.tenders import Player, a_player
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
    patient,
    published,
    trust,
    walking,
)
from tests.web.careless_senders import SIGNED_IN_TALKS, CarelessSenders
from tests.web.tender_house import client_of
from trading import handover, lots
from trading.rules.price_talks import SETTLING, price_commitment
from trading.sound_talks import talk_faults
from web import opening_work, talk_work
from web.client import Client, Problem
from web.seat_work import SeatWork
from web.verifying import opening_record
from web.verifying.archive_package import read_package
from web.verifying.archive_package import verify as verify_archive
from web.verifying.evaluation_record import verify

FIRST = ("500000.00", "530000.00", "480000.00")
LAST = ("473000.00", "469000.00")
"""The second asked for most at first and for least at last; the third leaves the talks."""

TAMPERINGS = {
    "UPDATE trading.last_price_opening SET price = price - 1": "is not the one committed to",
    "UPDATE trading.last_price_opening SET opened_at = opened_at - interval '1 hour'": "the window",
    "UPDATE trading.last_price SET handed_in_at = handed_in_at + interval '1 hour'": "deadline",
    "UPDATE trading.last_price SET commitment = sha256('x')": "tells a last price",
    "DELETE FROM trading.last_price WHERE seq = 2": "is not the last price that was handed in",
    "UPDATE trading.last_price_call SET asked = '[]'": "by one who was asked",
    "UPDATE trading.last_price_call SET called_at = called_at - interval '1 day'": "talked about",
    "UPDATE trading.talk SET turn = 2": "have a gap",
    "UPDATE trading.ranked_bid SET price = price + 1": "another price than the last one",
}
"""What is changed behind everybody's back, and what is then found."""

PROJECT: dict[str, Any] = {
    "name": "应急指挥系统采购",
    "category": "goods",
    "funding_source": "财政资金",
    "method_ground": "no_bids",
    "method_document": "两次招标均无供应商投标的说明（2026）5号",
}


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return patient(settings)


@pytest.fixture
def careless(app: FastAPI, store: Store) -> CarelessSenders:
    return CarelessSenders(app, store)


@pytest.fixture
async def journey(
    careless: CarelessSenders, store: Store, tick: Tick, clock_to: ClockTo, tmp_path: Path
) -> AsyncIterator[Journey]:
    async with walking(careless, store, tick, clock_to, tmp_path) as made:
        yield made


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
    salts: dict[UUID, bytes] = field(default_factory=dict)
    seals: list[bytes] = field(default_factory=list)

    @property
    def path(self) -> str:
        return f"/api/v1/lots/{self.journey.lot}"

    async def told(self, who: Player) -> dict[str, Any]:
        return dict(await (await self.journey.line(who)).get(f"{self.path}/talks"))

    async def page(self, who: Player) -> str:
        line = await self.journey.line(who)
        return (await line.read(f"/talks/{self.journey.lot}")).decode()

    async def group_page(self, group: Client, path: str) -> str:
        return (await group.read(f"/evaluation/{path.rsplit('/', maxsplit=1)[-1]}/talks")).decode()

    async def answer_all(self, who: Player, words: str, **files: Any) -> None:
        for talk in (await self.told(who))["talks"]:
            if talk["answer"] is None:
                await self.journey.act(
                    who,
                    f"{self.path}/talks/{talk['id']}/answer",
                    "talk-answer",
                    {"lot": self.journey.lot, "talk": talk["id"], "words": words, **files},
                )

    async def refiled(self, who: Player, words: str) -> dict[str, str]:
        """A file of its response that a supplier sends anew; how an answer names it."""
        line, name = await self.journey.line(who), "响应文件.txt"
        path = f"{self.path}/evidence/{name}"
        await line.put_file(path, words.encode(), media_type="text/plain")
        return {"name": name, "file": b64u(sha256(words.encode()))}

    async def hand_in(self, who: Player, price: str, *, seq: int = 1, changes: int = 1) -> Any:
        salt = self.salts[who.person] = bytes([seq]) * 31 + who.person.bytes[:1]
        found = price_commitment(UUID(self.journey.lot), who.party, salt, Decimal(price))
        said = {"lot": self.journey.lot, "seq": seq, "changes": changes}
        return await self.journey.act(
            who, f"{self.path}/last-prices", "last-price", {**said, "commitment": b64u(found)}
        )

    async def open(self, who: Player, price: str, *, seq: int = 1) -> None:
        said = {"lot": self.journey.lot, "seq": seq, "price": price}
        await self.journey.act(
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

        due_at = await self._price(path, group, due_at)
        with pytest.raises(Problem) as refused:
            await works[0].commit()
        assert refused.value.codes == {"last_prices_due"}
        await self._open(path, group, due_at)
        await all_signed(works, committee)

    async def _talk(self, path: str, group: Any, representative: Any, bids: list[str]) -> datetime:
        due_at = await self.journey_now() + timedelta(minutes=20)
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
            file = await self.refiled(who, f"改为30日交货的方案{number}")
            await self.answer_all(who, f"30日内交货，方案{number}", files=[file])
        content = await group.read(f"{path}/talks/files/{file['file']}")
        assert content.decode() == f"改为30日交货的方案{number}"
        for line in (group, await self.journey.line(self.suppliers[0])):
            with pytest.raises(Problem) as refused:
                await line.read(f"{path}/talks/files/{b64u(sha256(b'another'))}")
            assert refused.value.status in (403, 404)
        assert "响应文件.txt" in await self.group_page(group, path)
        assert "确认并通知全部供应商" in await self.group_page(representative, path)
        assert "确认并通知全部供应商" not in await self.group_page(group, path)
        leaving = self.suppliers[2]
        await self.journey.act(
            leaving, f"{self.path}/talks/leave", "talk-leave", {"lot": self.journey.lot}
        )
        told = await group.post(f"{path}/last-price-call", {"due_at": instant_text(due_at)})
        assert told["cautions"] == []
        with pytest.raises(Problem) as refused:
            await group.post(f"{path}/last-price-call", {"due_at": instant_text(due_at)})
        assert refused.value.codes == {"price_named"}
        return due_at

    async def _stand_still(self, *, suspended: bool) -> None:
        """The lot is suspended, or goes on; as an order or a decision has it."""
        async with transaction(self.journey.store, actor=PLATFORM) as tx:
            lot = await lots.lock(tx, UUID(self.journey.lot))
            act = lots.suspend if suspended else lots.resume
            act(tx, lot, cause=UUID(int=7), reason="核查")
        await self.journey.tick()

    async def _price(self, path: str, group: Any, due_at: datetime) -> datetime:
        first, second, left = self.suppliers
        await self.hand_in(first, "999999.00")
        await self._stand_still(suspended=True)
        with pytest.raises(Problem) as refused:
            await self.hand_in(second, "1.00")
        assert refused.value.codes == {"lot_suspended"}
        assert "最后报价的时间也停止计算" in await self.page(second)
        await self.journey.at(due_at + timedelta(minutes=1))
        with pytest.raises(Problem) as refused:
            await group.get(f"{path}/talks")
        assert refused.value.codes == {"suspended"}
        assert (await self.told(second))["phase"] == "pricing"
        await self._stand_still(suspended=False)
        moved = parse_instant((await self.told(first))["due_at"])
        assert moved > due_at + timedelta(minutes=1)
        due_at = moved
        await self.hand_in(first, LAST[0], seq=2)
        with pytest.raises(Problem) as refused:
            await self.hand_in(left, "1.00")
        assert refused.value.status == 404
        with pytest.raises(Problem) as refused:
            await self.open(first, LAST[0], seq=2)
        assert refused.value.codes == {"too_early"}
        seen = await group.get(f"{path}/talks")
        assert {one["handed_in"] for one in seen["suppliers"]} == {None}
        assert none_of(str(seen) + await self.group_page(group, path), figures(*LAST))
        assert "密封并签名提交" in await self.page(second)
        assert "本单位已退出" in await self.page(left)
        line = await self.journey.line(second)
        done = await talk_work.seal_last_price(
            line, self.journey.lot, Decimal(LAST[1]), keep=self.seals.append
        )
        assert done["seq"] == 1
        await self.journey.at(due_at)
        with pytest.raises(Problem) as refused:
            await self.hand_in(second, "1.00", seq=2)
        assert refused.value.codes == {"late"}
        return due_at

    async def _open(self, path: str, group: Any, due_at: datetime) -> None:
        first, second, _ = self.suppliers
        with pytest.raises(Problem) as refused:
            await self.open(second, "460000.00")
        assert refused.value.codes == {"another_price"}
        await self.open(first, LAST[0], seq=2)
        await self.journey.at(due_at + SETTLING)
        seen = await group.get(f"{path}/talks")
        assert seen["phase"] == "opening"
        assert none_of(str(seen) + await self.group_page(group, path), figures(*LAST))
        shown = await self.page(second)
        assert "签名并公开最后报价" in shown
        assert none_of(shown, figures(*LAST, FIRST[0], FIRST[2]))
        line, (seal,) = await self.journey.line(second), self.seals
        with pytest.raises(Malformed):
            await talk_work.open_last_price(line, str(second.party), seal)
        assert await talk_work.open_last_price(line, self.journey.lot, seal) == LAST[1]
        seen = await group.get(f"{path}/talks")
        assert seen["phase"] == "open"
        assert not none_of(await self.group_page(group, path), figures(LAST[1]))
        asked = {one["last_price"] for one in seen["suppliers"]}
        assert asked == {*LAST, None}

    async def journey_now(self) -> datetime:
        told = await (await self.journey.line(self.journey.cast.staff)).get("/api/v1/clock")
        return parse_instant(told["now"])


async def exported(journey: Journey, stranger: Client) -> Path:
    """The opening's record with its proofs, as anybody takes it away."""
    await journey.tick()
    told = await stranger.get(f"/api/v1/lots/{journey.lot}/opening-record")
    assert told["sheets"] == []
    folder = journey.folder / "opening"
    folder.mkdir()
    for name in ("record", "policy", "timetable"):
        (folder / f"{name}.dsse").write_bytes(unb64(told[name]))
    for name, proof in told["proofs"].items():
        (folder / f"{name}.tlog-proof").write_text(proof)
    known = await trust(journey)
    keys = {"log": known.log_vkey, "witnesses": list(known.witness_vkeys), "quorum": known.quorum}
    (folder / "keys.json").write_text(json.dumps({**keys, "signers": told["signers"]}))
    return folder


def spoilt(record: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The record with something else for a last price than its supplier sealed and opened."""
    prices = record["last_prices"]
    yield {key: value for key, value in record.items() if key != "last_prices"}
    yield {**record, "last_prices": prices[1:]}
    yield {**record, "last_prices": [*prices, prices[0]]}
    for name in ("statement", "opening"):
        other = {**prices[0], name: prices[1][name]}
        yield {**record, "last_prices": [other, *prices[1:]]}
    proofs = {**record["proofs"]}
    first, second = sorted(one for one in proofs if one.startswith("priced/"))[:2]
    proofs[first], proofs[second] = proofs[second], proofs[first]
    yield {**record, "proofs": proofs}
    yield {**record, "proofs": {k: v for k, v in proofs.items() if not k.endswith("ed/1")}}
    early = f"opened/{prices[0]['bid']}"
    yield {**record, "proofs": {**record["proofs"], early: record["proofs"]["called"]}}


async def test_a_negotiation_goes_to_the_lowest_last_price(
    journey: Journey,
    careless: CarelessSenders,
    sound: Callable[[], Awaitable[None]],
    database: Database,
    role_lines: Lines,
) -> None:
    terms = a_purchase("应急指挥系统1套")
    now, plan = BEGUN, terms["plan"]
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

    opening = opening_record.verify(await exported(journey, stranger))
    assert [one for one in opening.checks if not one.passed] == []
    assert (opening.found["opened"], opening.found["unannounced"]) == (3, 3)

    async with transaction(journey.store, actor=journey.cast.agency.actor) as tx:
        lot_id = LotId(UUID(journey.lot))
        assert await handover.group_cautions(tx, lot_id, members=3, experts=2) == []
        (unfit,) = await handover.group_cautions(tx, lot_id, members=3, experts=1)
        assert unfit.code == "group_unfit"

    careless.known(*suppliers)
    talks = Talks(journey, suppliers)
    record = await evaluated(journey, house, talks.work_through, members=3)
    assert set(careless.spoilt) == SIGNED_IN_TALKS
    checked = verify(record)
    assert [one for one in checked.checks if not one.passed] == []
    for one in spoilt(json.loads(record)):
        assert not verify(json.dumps(one).encode()).ok
    assert await journey.state() == "evaluated"

    agency, tenderee = await journey.line(journey.cast.agency), journey.cast.tenderee
    notice = await agency.get(f"{path}/candidates/draft")
    order = [str(suppliers[place].party) for place in (1, 0)]
    assert [one["bidder"] for one in notice["candidates"]] == order
    done = await agency.post_statement(f"{path}/candidates", "candidates", notice)
    await journey.at(parse_instant(done["until"]) + timedelta(seconds=1))
    told = await stranger.read(f"{path}/award") + await stranger.read(f"/awards/{journey.lot}")
    assert none_of(told, figures(*FIRST, *LAST))
    award = {"lot": journey.lot, "winner": order[0], "report": notice["report"]}
    await journey.act(tenderee, f"{path}/award", "award", award)

    told = await stranger.get(f"{path}/award")
    assert (told["state"], told["award"]["price"]) == ("awarded", LAST[1])
    page = await stranger.read(f"/awards/{journey.lot}")
    assert none_of(page, {*figures(*FIRST, LAST[0]), "300日历天"})
    assert not none_of(page, figures(LAST[1]))
    with pytest.raises(Problem) as refused:
        await stranger.read(f"{path}/evaluation-record")
    assert refused.value.status == 404
    await stranger.aclose()
    won = await (await journey.line(suppliers[1])).read(f"/awards/{journey.lot}/notice")
    assert "谈判（磋商）" in won.decode()
    lost = await (await journey.line(suppliers[0])).read(f"/awards/{journey.lot}/notice")
    assert none_of(lost, figures(*FIRST, LAST[0]))
    await (await journey.line(tenderee)).read(f"/contracts/{journey.lot}")
    await journey.tick()
    package = journey.folder / "archive.zip"
    keeper = await journey.line(journey.cast.supervisor)
    package.write_bytes(await keeper.read(f"{path}/archive"))
    kept = verify_archive(package)
    assert [one for one in kept.checks if not one.passed] == []
    talked = {one for one in read_package(package) if one.startswith("talks/")}
    for number, who in enumerate(suppliers):
        own = {
            f"talks/{who.party}/{one}.dsse" for one in ("last-price-1", "last-price-2", "opening")
        }
        assert len(own & talked) == (0 if number == 2 else 2)
        assert f"talks/{who.party}/turn-1.txt" in talked
    assert {"talks/change-1.txt", f"talks/{suppliers[2].party}/leaving.dsse"} <= talked
    assert len([one for one in talked if one.startswith("talks/answers/")]) == 3
    assert len([one for one in read_package(package) if one.startswith("files/")]) == 3
    await sound()
    async with (
        role_lines.lent(OWNER, database.name, pool_size=1) as owner,
        owner.connect() as connection,
    ):
        for tampering, fault in TAMPERINGS.items():
            table = tampering.split(" SET ")[0].split(" WHERE ")[0].split()[-1]
            await connection.execute(text(f"ALTER TABLE {table} DISABLE TRIGGER USER"))
            await connection.execute(text(tampering))
            assert any(fault in one for one in await talk_faults(connection)), tampering
            await connection.rollback()
