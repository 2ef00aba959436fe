"""A witness signs what extends the tree it signed last, and nothing else (C2SP tlog-witness)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from kernel.clock import machine_clock
from kernel.crypto import merkle
from kernel.crypto.digests import b64, instant_text
from kernel.crypto.notes import (
    Checkpoint,
    LogSigner,
    WitnessSigner,
    read_cosignatures,
    write_offer,
)
from kernel.errors import BrokenSeal
from kernel.randomness import random_bytes
from tests.log_story import served_plainly
from web.witnessing import Memory, Now, Signed, create_witness, demo_clock, own_clock

ORIGIN = "demo.sunbid.test/log"


@dataclass
class Log:
    """A log of random leaves, with all its proofs."""

    signer: LogSigner = field(default_factory=lambda: LogSigner(ORIGIN, random_bytes(32)))
    hashes: list[bytes] = field(
        default_factory=lambda: [merkle.leaf_hash(random_bytes(32)) for _ in range(40)]
    )

    def at(self, size: int) -> Checkpoint:
        return Checkpoint(self.signer.name, size, merkle.root(self.hashes[:size]))

    def offer(self, old: int, size: int) -> str:
        def node(level: int, index: int) -> bytes:
            return merkle.root(self.hashes[index << level : (index + 1) << level])

        proof = merkle.consistency_proof(node, old, size) if 0 < old <= size else []
        return write_offer(old, proof, self.signer.sign(self.at(size)))

    def forked_at(self, size: int) -> Log:
        """The same log signing another history from there on."""
        other = [merkle.leaf_hash(random_bytes(32)) for _ in range(40 - size)]
        return Log(self.signer, [*self.hashes[:size], *other])


@dataclass
class Place:
    """Where a witness runs; it can be started again over the same disk."""

    folder: Path
    log: Log
    signer: WitnessSigner = field(
        default_factory=lambda: WitnessSigner("witness.test/w", random_bytes(32))
    )
    now: Now = own_clock

    @property
    def memory(self) -> Memory:
        return Memory(self.folder / "kept" / "witness.state")

    def started(self) -> httpx.AsyncClient:
        app = create_witness(
            self.signer, log_vkey=self.log.signer.vkey, memory=self.memory, now=self.now
        )
        transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
        return httpx.AsyncClient(transport=transport, base_url="http://witness")

    async def ask(self, body: str | bytes) -> httpx.Response:
        """Ask a witness that was started a moment ago: every question survives a restart."""
        async with self.started() as client:
            return await client.post("/add-checkpoint", content=body)

    def signs(self, answer: httpx.Response, checkpoint: Checkpoint) -> bool:
        assert answer.status_code == 200, answer.text
        (one,) = read_cosignatures(
            answer.content, checkpoint=checkpoint, witness_vkeys=(self.signer.vkey,)
        )
        return abs(one.at_unix - machine_clock().timestamp()) < 60


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path, Log())


async def test_a_growing_tree_is_signed_and_so_is_the_same_one_again(place: Place) -> None:
    for old, size in ((0, 1), (1, 5), (5, 8), (8, 8), (8, 40)):
        answer = await place.ask(place.log.offer(old, size))
        assert place.signs(answer, place.log.at(size))
    assert place.memory.last().size == 40


async def test_every_step_from_every_size_is_signed_with_its_proof_and_with_no_other(
    place: Place,
) -> None:
    for old in range(1, 12):
        for size in range(old, 12):
            kept = Signed(old, merkle.root(place.log.hashes[:old]))
            place.memory.keep(kept)
            wrong = place.log.forked_at(old - 1).offer(old, size)
            assert (await place.ask(wrong)).status_code == (409 if size == old else 422)
            assert place.memory.last() == kept
            assert place.signs(await place.ask(place.log.offer(old, size)), place.log.at(size))


async def test_a_split_view_is_refused(place: Place) -> None:
    await place.ask(place.log.offer(0, 5))
    other = place.log.forked_at(3)
    same_size = await place.ask(other.offer(5, 5))
    assert (same_size.status_code, same_size.text) == (409, "5\n")
    assert (await place.ask(other.offer(5, 9))).status_code == 422
    assert place.memory.last() == Signed(
        5, place.log.at(5).root, at_unix=place.memory.last().at_unix
    )


async def test_a_log_that_was_rolled_back_is_refused(place: Place) -> None:
    await place.ask(place.log.offer(0, 9))
    told = await place.ask(place.log.offer(4, 6))
    assert (told.status_code, told.text) == (409, "9\n")
    assert told.headers["content-type"].startswith("text/x.tlog.size")
    assert (await place.ask(place.log.offer(9, 6))).status_code == 400
    grown_again = place.log.forked_at(6)
    assert (await place.ask(grown_again.offer(9, 12))).status_code == 422


async def test_a_forged_signature_and_another_log_are_refused(place: Place) -> None:
    forged = Log(LogSigner(ORIGIN, random_bytes(32)), place.log.hashes)
    assert (await place.ask(forged.offer(0, 4))).status_code == 403
    another = Log(LogSigner("another.test/log", random_bytes(32)), place.log.hashes)
    assert (await place.ask(another.offer(0, 4))).status_code == 403
    body = place.log.offer(0, 4)
    assert (await place.ask(body.replace("\n4\n", "\n5\n"))).status_code == 403
    assert place.memory.last().size == 0


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff\xfe",
        b"old 0\n",
        b"old -1\n\nx",
        b"old 00\n\nx",
        b"new 0\n\nx",
        b"old 0\nAAAA\n\nx\n1\nAAAA\n",
        b"old 0\n" + b"\n".join([b64(bytes(32)).encode()] * 70) + b"\n\nx",
    ],
)
async def test_what_is_no_offer_is_malformed(place: Place, body: bytes) -> None:
    assert (await place.ask(body)).status_code == 400


async def test_a_body_without_end_is_not_read_to_its_end(place: Place) -> None:
    sent = 0

    async def very_long() -> AsyncIterator[bytes]:
        nonlocal sent
        for _ in range(10_000):
            sent += 4096
            yield b"x" * 4096

    async with place.started() as client:
        answer = await client.post("/add-checkpoint", content=very_long())
    assert answer.status_code == 413
    assert sent < 128 * 1024


async def test_two_trees_offered_at_once_are_not_both_signed(place: Place) -> None:
    other = place.log.forked_at(0)
    async with place.started() as client:
        answers = await asyncio.gather(
            *(
                client.post("/add-checkpoint", content=one.offer(0, 7))
                for one in (place.log, other) * 4
            )
        )
    assert sorted(answer.status_code for answer in answers)[:2] == [200, 409]
    assert [answer.status_code for answer in answers].count(200) == 1


async def test_a_witness_with_a_damaged_memory_signs_nothing(place: Place) -> None:
    await place.ask(place.log.offer(0, 4))
    (place.folder / "kept" / "witness.state").write_text("{")
    assert (await place.ask(place.log.offer(4, 8))).status_code == 500
    assert (await place.ask(place.log.offer(0, 8))).status_code == 500


async def test_a_witness_says_who_it_is_and_what_it_signed_last(place: Place) -> None:
    await place.ask(place.log.offer(0, 4))
    async with place.started() as client:
        told = (await client.get("/")).text.splitlines()
    assert told == [place.signer.vkey, ORIGIN, "4", b64(place.log.at(4).root)]


async def test_a_witness_whose_clock_ran_backwards_signs_nothing(place: Place) -> None:
    times = [datetime(2026, 3, 2, hour, tzinfo=UTC) for hour in (9, 8, 9)]

    async def clock() -> datetime:
        return times.pop(0)

    place.now = clock
    answers = [await place.ask(place.log.offer(*step)) for step in ((0, 2), (2, 4), (2, 4))]
    assert [answer.status_code for answer in answers] == [200, 503, 200]


@dataclass
class Platform:
    """What a platform tells of its clock."""

    offset: timedelta = timedelta(days=3)
    demo: bool = True

    def app(self) -> Starlette:
        async def clock(_: Request) -> JSONResponse:
            now = machine_clock() + self.offset
            return JSONResponse({"now": instant_text(now), "demo": self.demo})

        return Starlette(routes=[Route("/api/v1/clock", clock)])


async def test_a_demo_clock_runs_ahead_and_only_forward(place: Place) -> None:
    platform = Platform()
    async with served_plainly(platform.app()) as address:
        clock = demo_clock(address)
        first = await clock()
        assert timedelta(days=2) < first - machine_clock() < timedelta(days=4)
        platform.offset = timedelta(days=5)
        assert await clock() - first > timedelta(days=1)
        platform.offset = timedelta(days=4)
        with pytest.raises(BrokenSeal, match="backwards"):
            await clock()


async def test_a_demo_clock_set_back_while_the_witness_was_away_is_noticed(place: Place) -> None:
    platform = Platform()
    async with served_plainly(platform.app()) as address:
        place.now = demo_clock(address)
        assert (await place.ask(place.log.offer(0, 2))).status_code == 200
        platform.offset = timedelta(days=1)
        place.now = demo_clock(address)
        assert (await place.ask(place.log.offer(2, 4))).status_code == 503


async def test_a_platform_that_is_no_demo_or_does_not_answer_gives_no_time(place: Place) -> None:
    platform = Platform(demo=False)
    async with served_plainly(platform.app()) as address:
        place.now = demo_clock(address)
        assert (await place.ask(place.log.offer(0, 2))).status_code == 503
    assert (await place.ask(place.log.offer(0, 2))).status_code == 503
    assert place.memory.last().size == 0
