"""The program at a seat: its marks, its lease and its sheets, over lines that break.

Bidding Law 38 (members score alone); Bidding Regulation 49; Electronic Bidding Measures 33 (they
sit at their seats).
"""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import httpx
import pytest

from kernel.crypto.digests import b64u, canonical
from kernel.store.transaction import transaction
from tests.committees_at_work import KeptCommittees, WorkRoom
from tests.kept_stores import Sound
from tests.web.browser import served
from tests.web.evaluation_house import (
    EvaluationHouse,
    all_sit,
    evaluation_house,
    fill_in,
    seat_programs,
)
from trading import lots
from trading.tables import LotRow
from web import client as client_module
from web import seat_work
from web.client import Client, Problem, Unreachable
from web.custodian_work import Unconvinced
from web.rehearsal.cut_line import CutLine
from web.seat_work import SeatWork

ITEM = "construction"


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_module, "FIRST_PAUSE_S", 0.01)
    monkeypatch.setattr(client_module, "PAUSE_MAX_S", 0.05)
    monkeypatch.setattr(seat_work, "RETRY_S", 0.02)


@pytest.fixture
async def house(room: WorkRoom, kept_committees: KeptCommittees) -> AsyncIterator[EvaluationHouse]:
    async with evaluation_house(room, kept_committees, room.database) as house:
        yield house


@pytest.fixture
async def seats(house: EvaluationHouse, tmp_path: Path) -> AsyncIterator[list[SeatWork]]:
    async with seat_programs(house, tmp_path) as works:
        yield works


Trouble = Callable[[httpx.Request], str | int | None]
"""What befalls a request: `out` or `back` where it is lost on the way there or back, `held` where
nothing ever comes, or the status with which a server before the platform answers it."""


@dataclass
class PoorLine(httpx.AsyncBaseTransport):
    """A line to the platform on which requests and answers get lost."""

    inner: httpx.AsyncBaseTransport
    trouble: Trouble = lambda request: None
    asked: list[str] = field(default_factory=list)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(f"{request.method} {request.url.path.rsplit('/', 1)[-1]}")
        befalls = self.trouble(request)
        if befalls == "out":
            raise httpx.WriteError("lost on the way there")
        if befalls == "held":
            await asyncio.Event().wait()
        if isinstance(befalls, int):
            return httpx.Response(befalls, content=b"")
        response = await self.inner.handle_async_request(request)
        if befalls == "back":
            await response.aread()
            raise httpx.ReadError("lost on the way back")
        return response


@contextmanager
def poor_line(house: EvaluationHouse, work: SeatWork) -> Iterator[PoorLine]:
    """Between this seat and the platform lies a line that does as it is told."""
    line = PoorLine(httpx.ASGITransport(app=house.app))
    before = work.client
    work.client = Client("http://localhost", before.key, transport=line)
    work.client.token = before.token
    yield line
    work.client = before


async def a_bid(house: EvaluationHouse, work: SeatWork) -> str:
    return str((await work.client.get(house.path("bids")))["bids"][0]["bid_id"])


async def cells_of(house: EvaluationHouse, work: SeatWork) -> dict[tuple[str, str], Any]:
    """The member's cells as the platform has them: score and version by bid and item."""
    cells = (await work.client.get(house.path("marks")))["cells"]
    return {
        (cell["bid"], cell["item"]): (Decimal(cell["score"]), cell["version"]) for cell in cells
    }


async def until(so: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not so():
            await asyncio.sleep(0.01)


# ── the queue ─────────────────────────────────────────────────────────────────────────────────


async def test_marks_that_wait_are_kept_through_a_restart_and_arrive_once(
    house: EvaluationHouse, seats: list[SeatWork], tmp_path: Path
) -> None:
    await all_sit(house, seats)
    work, bids = seats[0], (await seats[0].client.get(house.path("bids")))["bids"]
    await work.close()
    for score in ("20", "21", "22"):
        work.mark(bids[0]["bid_id"], "construction", score)
    again = SeatWork(work.client, work.seat_key, work.folder, work.committee_id, work.seat_id)
    assert [one.score for one in again.queue] == ["20", "21", "22"]
    assert (work.folder / "edits.json").stat().st_mode & 0o077 == 0
    while again.queue:
        assert await again.send_next()
    (cell,) = (await again.client.get(house.path("marks")))["cells"]
    assert (cell["score"], cell["version"]) == ("22", 3)


async def test_a_mark_out_of_its_band_is_turned_down_and_stops_nothing(
    house: EvaluationHouse, seats: list[SeatWork]
) -> None:
    await all_sit(house, seats)
    work, bids = seats[0], (await seats[0].client.get(house.path("bids")))["bids"]
    for score in ("20", "99", "21"):
        work.mark(bids[0]["bid_id"], "construction", score)
    await work.all_sent()
    assert [problem.codes for _, problem in work.turned_down] == [{"out_of_band"}]
    assert work.conflicts == []
    (cell,) = (await work.client.get(house.path("marks")))["cells"]
    assert (cell["score"], cell["version"]) == ("21", 2)


async def test_a_mark_upon_an_old_version_is_shown_as_a_conflict(
    house: EvaluationHouse, seats: list[SeatWork]
) -> None:
    await all_sit(house, seats)
    work, bid = seats[0], (await seats[0].client.get(house.path("bids")))["bids"][0]["bid_id"]
    await work.client.put(
        house.path(f"bids/{bid}/marks/construction"),
        {"edit_id": str(uuid4()), "score": "20", "base_version": 0},
    )
    work.mark(bid, "construction", "24")
    await work.all_sent()
    ((edit, cell),) = work.conflicts
    assert (edit.score, cell["score"], cell["version"]) == ("24", "20", 1)
    work.mark(bid, "construction", "24")
    await work.all_sent()
    assert len(work.conflicts) == 1


async def test_marks_wait_while_the_member_is_not_at_its_seat(
    house: EvaluationHouse, seats: list[SeatWork]
) -> None:
    await all_sit(house, seats)
    work, bid = seats[0], (await seats[0].client.get(house.path("bids")))["bids"][0]["bid_id"]
    await house.room.lose_line(house.room.sitters[0])
    work.mark(bid, "construction", "24")
    for _ in range(3):
        assert not await work.send_next()
    await asyncio.sleep(0)
    assert len(work.queue) == 1
    await work.sign_in()
    await work.all_sent()
    assert (await work.client.get(house.path("marks")))["cells"][0]["score"] == "24"


async def test_a_mark_whose_answer_was_lost_is_sent_again_and_counts_once(
    house: EvaluationHouse, seats: list[SeatWork]
) -> None:
    await all_sit(house, seats)
    work = seats[0]
    bid = await a_bid(house, work)
    await work.close()
    with poor_line(house, work) as line:
        line.trouble = lambda request: "back" if request.method == "PUT" else None
        work.mark(bid, ITEM, "20")
        assert not await work.send_next()
        assert await cells_of(house, work) == {(bid, ITEM): (20, 1)}
        line.trouble = lambda request: None
        assert await work.send_next()
    assert await cells_of(house, work) == {(bid, ITEM): (20, 1)}
    assert (list(work.queue), work.conflicts, work.turned_down) == ([], [], [])


@pytest.mark.parametrize("seed", range(3))
async def test_however_often_the_line_breaks_no_mark_is_lost_and_none_counts_twice(
    house: EvaluationHouse, seats: list[SeatWork], sound_room: Sound, seed: int
) -> None:
    """Also where the program dies in between: what it had not heard of is sent by the next one."""
    await all_sit(house, seats)
    chance, work = random.Random(seed), seats[0]
    own = await work.client.get(house.path("marks"))
    items = [item["id"] for item in own["scheme"]["items"]]
    cells = [(bid, item) for bid in own["bids"][:2] for item in items[:2]]
    await work.close()
    meant: dict[tuple[str, str], tuple[Decimal, int]] = {}
    with poor_line(house, work) as line:
        line.trouble = lambda _: chance.choice(("out", "back", 502, 503, None, None))
        for turn in range(40):
            if turn < 25:
                bid, item = cell = chance.choice(cells)
                score = Decimal(chance.choice((12, 15)))
                meant[cell] = (score, meant.get(cell, (score, 0))[1] + 1)
                work.mark(bid, item, str(score))
            for _ in range(chance.randrange(3)):
                if work.queue:
                    await work.send_next()
            if chance.random() < 0.2:
                work = SeatWork(
                    work.client, work.seat_key, work.folder, work.committee_id, work.seat_id
                )
        while work.queue:
            await work.send_next()
        line.trouble = lambda _: None
        assert await cells_of(house, work) == meant
    assert (work.conflicts, work.turned_down) == ([], [])
    await sound_room()


async def test_while_the_authority_has_stopped_the_lot_marks_wait_and_are_not_turned_down(
    house: EvaluationHouse, seats: list[SeatWork]
) -> None:
    """Bidding Regulation 62."""
    await all_sit(house, seats)
    work = seats[0]
    bid = await a_bid(house, work)
    await work.close()
    work.mark(bid, ITEM, "20")
    await brake(house.room, on=True)
    assert not await work.send_next()
    assert (len(work.queue), work.turned_down) == (1, [])
    await brake(house.room, on=False)
    assert await work.send_next()
    assert await cells_of(house, work) == {(bid, ITEM): (20, 1)}


async def brake(room: WorkRoom, *, on: bool) -> None:
    async with transaction(room.store, actor=room.supervisor.actor, now=room.now) as tx:
        await lots.lock(tx, room.lot_id)
        lot = await tx.session.get_one(LotRow, room.lot_id)
        lot.suspended = on
        tx.session.add(lot)


async def test_what_was_made_upon_a_conflict_is_a_conflict_and_what_is_chosen_then_counts(
    house: EvaluationHouse, seats: list[SeatWork]
) -> None:
    await all_sit(house, seats)
    work = seats[0]
    bid = await a_bid(house, work)
    await work.close()
    await work.client.put(
        house.path(f"bids/{bid}/marks/{ITEM}"),
        {"edit_id": str(uuid4()), "score": "20", "base_version": 0},
    )
    work.mark(bid, ITEM, "24")
    work.mark(bid, "records", "12")
    work.mark(bid, ITEM, "23")
    while work.queue:
        assert await work.send_next()
    assert [edit.score for edit, _ in work.conflicts] == ["24", "23"]
    assert {cell["score"] for _, cell in work.conflicts} == {"20"}
    for score in ("23", "22"):
        work.mark(bid, ITEM, score)
    while work.queue:
        assert await work.send_next()
    assert len(work.conflicts) == 2
    assert (await cells_of(house, work))[bid, ITEM] == (22, 3)


# ── the lease ─────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Renewals follow each other quickly."""
    monkeypatch.setattr(seat_work, "RENEW_S", 0.05)
    monkeypatch.setattr(seat_work, "ANSWER_S", 30.0)


@pytest.mark.usefixtures("often")
async def test_a_renewal_that_fails_for_a_moment_is_tried_again_and_costs_no_seat(
    house: EvaluationHouse, seats: list[SeatWork], monkeypatch: pytest.MonkeyPatch
) -> None:
    await all_sit(house, seats)
    work = seats[0]
    monkeypatch.setattr(seat_work, "ANSWER_S", 1.0)
    with poor_line(house, work) as line:
        for befalls in (503, 502, "out", "back", "held"):
            await through_renewals(line, befalls, times=2)
            await through_renewals(line, None, times=3)
            assert work.present
        await work.close()
        await work.renew()


async def through_renewals(line: PoorLine, befalls: str | int | None, *, times: int) -> None:
    """This befalls so many renewals one after the other."""
    line.trouble = lambda _: befalls
    tried = line.asked.count("POST leases")
    await until(lambda: line.asked.count("POST leases") >= tried + times)


@pytest.mark.usefixtures("often")
async def test_a_lease_that_ended_needs_the_member_to_be_identified_anew(
    house: EvaluationHouse, seats: list[SeatWork]
) -> None:
    await all_sit(house, seats)
    work = seats[0]
    bid = await a_bid(house, work)
    # Nobody renews for it while its line is lost.
    with poor_line(house, work) as line:
        line.trouble = lambda _: 503
        await until(lambda: "POST leases" in line.asked)
        await house.room.lose_line(house.room.sitters[0])
    await until(lambda: not work.present)
    work.mark(bid, ITEM, "20")
    with pytest.raises(Problem) as refused:
        await work.renew()
    assert refused.value.codes == {"not_at_seat"}
    assert len(work.queue) == 1
    await work.sign_in()
    await work.all_sent()
    assert work.present
    assert await cells_of(house, work) == {(bid, ITEM): (20, 1)}


@pytest.mark.usefixtures("often")
async def test_a_no_to_an_old_lease_does_not_end_the_one_after_it(
    house: EvaluationHouse, seats: list[SeatWork]
) -> None:
    """The answer to a renewal may arrive when the member has been identified anew already."""
    await all_sit(house, seats)
    work, arrived, go_on = seats[0], asyncio.Event(), asyncio.Event()

    class LateAnswers(PoorLine):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            response = await super().handle_async_request(request)
            if request.url.path.endswith("leases") and response.status_code == 409:
                arrived.set()
                await go_on.wait()
            return response

    line = LateAnswers(httpx.ASGITransport(app=house.app), lambda _: 503)
    before = work.client
    work.client = Client("http://localhost", before.key, transport=line)
    work.client.token = before.token
    # Nobody renews while the lease is made to end.
    await until(lambda: "POST leases" in line.asked)
    await house.room.lose_line(house.room.sitters[0])
    line.trouble = lambda _: None
    async with asyncio.timeout(30):
        await arrived.wait()
    await work.sign_in()
    go_on.set()
    counted = work._counter
    await until(lambda: work._counter >= counted + 2)
    assert work.present


async def test_a_program_that_was_started_again_counts_its_leases_on(
    house: EvaluationHouse, seats: list[SeatWork]
) -> None:
    await all_sit(house, seats)
    work = seats[0]
    for _ in range(3):
        await work.renew()
    await work.close()
    again = SeatWork(work.client, work.seat_key, work.folder, work.committee_id, work.seat_id)
    try:
        await again.sign_in()
        await again.renew()
        assert again.present
    finally:
        await again.close()


# ── sheets ────────────────────────────────────────────────────────────────────────────────────


async def test_a_sheet_and_its_nonce_lie_in_a_file_of_ones_own_and_went_nowhere(
    house: EvaluationHouse, seats: list[SeatWork]
) -> None:
    await all_sit(house, seats)
    work, bodies = seats[0], list[bytes]()
    await fill_in(house, house.room.sitters[0], work)
    with poor_line(house, work) as line:

        def overheard(request: httpx.Request) -> None:
            bodies.append(request.content)

        line.trouble = overheard
        await work.commit()
    (kept,) = work.folder.glob("sheet-*.json")
    told = json.loads(kept.read_text())
    assert kept.stat().st_mode & 0o777 == 0o600
    assert len(told["sheet"]["marks"]) == len(await cells_of(house, work))
    assert bodies
    assert not [body for body in bodies if told["nonce"].encode() in body]


async def test_a_commitment_whose_answer_was_lost_can_still_be_shown(
    house: EvaluationHouse, seats: list[SeatWork]
) -> None:
    """Whoever then commits again writes nothing over the sheet that counts."""
    await all_sit(house, seats)
    for sitter, work in zip(house.room.sitters, seats, strict=True):
        await fill_in(house, sitter, work)
    first = seats[0]
    with poor_line(house, first) as line:
        line.trouble = lambda one: "out" if one.url.path.endswith("commitments") else None
        with pytest.raises(Unreachable):
            await first.commit()
        line.trouble = lambda one: "back" if one.url.path.endswith("commitments") else None
        with pytest.raises(Unreachable):
            await first.commit()
    with pytest.raises(Problem) as refused:
        await first.commit()
    assert "no_reason" in refused.value.codes
    assert len(list(first.folder.glob("sheet-*.json"))) == 3
    for work in seats[1:]:
        await work.commit()
    await first.reveal()
    own = await first.client.get(house.path("marks"))
    assert [(one["round"], one["revealed"]) for one in own["rounds"]] == [(1, True)]


async def test_a_sheet_holds_the_marks_that_were_still_on_their_way(
    house: EvaluationHouse, seats: list[SeatWork]
) -> None:
    await all_sit(house, seats)
    work = seats[0]
    await fill_in(house, house.room.sitters[0], work)
    bid = await a_bid(house, work)
    work.mark(bid, ITEM, "19.5")
    await work.commit()
    (kept,) = work.folder.glob("sheet-*.json")
    marks = json.loads(kept.read_text())["sheet"]["marks"]
    assert {"bid": bid, "item": ITEM, "score": "19.5"} in marks


async def test_nothing_is_shown_that_this_seat_did_not_commit_to(
    house: EvaluationHouse, seats: list[SeatWork]
) -> None:
    await all_sit(house, seats)
    work = seats[0]
    await fill_in(house, house.room.sitters[0], work)
    await work.commit()
    for kept in work.folder.glob("sheet-*.json"):
        kept.unlink()
    with pytest.raises(Unconvinced, match="not ours"):
        await work.reveal()


async def test_a_seat_signs_no_report_that_does_not_follow_from_its_sheets(
    house: EvaluationHouse, seats: list[SeatWork]
) -> None:
    await all_sit(house, seats)
    for sitter, work in zip(house.room.sitters, seats, strict=True):
        await fill_in(house, sitter, work)
        await work.commit()
    for work in seats:
        await work.reveal()
    await seats[0].client.post(house.path("report"), {})
    content = json.loads(await seats[0].client.read(house.path("report")))
    own = await seats[0].client.get(house.path("marks"))
    content["result"]["lines"][0]["total"] = "99.99"
    with pytest.raises(Unconvinced):
        seats[0]._check(canonical(content), own)
    (kept,) = seats[0].folder.glob("sheet-*.json")
    told = json.loads(kept.read_text())
    told["nonce"] = b64u(bytes(32))
    kept.write_text(json.dumps(told))
    with pytest.raises(Unconvinced):
        await seats[0].sign_report()


# ── a line that is cut ────────────────────────────────────────────────────────────────────────


async def test_a_seat_whose_line_is_cut_sends_everything_once_the_line_is_back(
    house: EvaluationHouse, seats: list[SeatWork]
) -> None:
    await all_sit(house, seats)
    work, before = seats[0], seats[0].client
    bid = await a_bid(house, work)
    async with served(house.app) as address:
        line = CutLine(urlsplit(address).port or 80)
        await line.restore()
        through = httpx.AsyncHTTPTransport(uds=str(line.path))
        async with Client("http://localhost", before.key, transport=through) as client:
            work.client, client.token = client, before.token
            work.mark(bid, ITEM, "20")
            await work.all_sent()
            await line.cut()
            assert not line.path.exists()
            with pytest.raises(Unreachable):
                await client.get(house.path())
            for score in ("21", "22"):
                work.mark(bid, ITEM, score)
            work.mark(bid, "records", "12")
            with suppress(Unreachable):
                await work.renew()
            assert len(work.queue) == 3
            await line.restore()
            await work.all_sent()
            assert await cells_of(house, work) == {(bid, ITEM): (22, 3), (bid, "records"): (12, 1)}
            await work.close()
            await line.end()
    work.client = before
    assert work.conflicts == []
