"""Bidders who submit over HTTP while the platform's processes are killed under them.

The real programs run as they run in production, with the embedded Postgres under them. A process
may be armed to kill itself, by SIGKILL, at a named step of a submission; Postgres is killed from
outside. Bidders do what their client does: they try again with the same key until they are told.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import text

from kernel.access import Role
from kernel.crypto.digests import sha256
from kernel.crypto.receipts import verify_proof
from kernel.settings import Settings
from kernel.store import founding
from kernel.store.transaction import Store
from kernel.store.trusted_authorities import trusted_authorities
from tests.sealed_bids import SealedFile, Tender, a_bidder, a_sealed_bid, a_submission, a_tender
from tests.tenders import NOW, Player
from web import premises
from web.client import Client, Problem, Unreachable
from web.premises import Premises
from web.soundness import faults_of

READY_S = 120.0
NAP_S = 0.2
WAITING_MAX = 6
SERVE, BACKGROUND = "serve", "background"


@dataclass(slots=True)
class Kept:
    """A receipt as a bidder keeps it, and the bytes it is for."""

    who: Player
    raw: bytes
    entry_id: str
    receipt: str


@dataclass(slots=True)
class Programs:
    """The platform's two programs, started and killed by hand."""

    place: Premises
    running: dict[str, asyncio.subprocess.Process] = field(default_factory=dict)

    async def start(self, program: str, *, failpoints: str = "") -> None:
        """Start a program, armed to kill itself or not."""
        told = {
            **os.environ,
            **self.place.lines.environment(),
            **self.place.told(),
            "SUNBID_TESTING": "1",
            "SUNBID_FAILPOINTS": failpoints,
        }
        self.running[program] = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "web",
            program,
            env=told,
            stderr=asyncio.subprocess.DEVNULL,
        )
        if program == SERVE:
            await self._ready(armed=bool(failpoints))

    async def _ready(self, *, armed: bool) -> None:
        """Wait until the server answers, or, if it was armed, has already killed itself.

        Bidders try again the moment its port is open, so it may die before it is ever asked how
        it is.
        """
        server = self.running[SERVE]
        async with (
            asyncio.timeout(READY_S),
            httpx.AsyncClient(timeout=2, verify=trusted_authorities()) as client,
        ):
            while server.returncode is None:
                with contextlib.suppress(httpx.HTTPError):
                    answer = await client.get(f"{self.place.settings.origin}/healthz")
                    if answer.is_success:
                        return
                await asyncio.sleep(NAP_S)
        assert armed, f"the server ended with {server.returncode} before it was ready"

    async def dead(self, program: str) -> int:
        """Wait until a program has died by itself; how."""
        return await self.running.pop(program).wait()

    async def kill(self, program: str) -> None:
        """Kill a program as a crash would."""
        process = self.running.pop(program)
        process.send_signal(signal.SIGKILL)
        await process.wait()

    async def end(self) -> None:
        for program in list(self.running):
            with contextlib.suppress(ProcessLookupError):
                await self.kill(program)


@dataclass(slots=True)
class Bidding:
    """One bidder's own program: its client, its sealed files, what it has sent and been given."""

    tender: Tender
    who: Player
    client: Client
    files: Any
    kept: list[Kept] = field(default_factory=list)

    async def prepare(self) -> None:
        """Sign in and upload everything."""
        await self.client.sign_in(Role.BIDDER, str(self.who.party))
        for file in self.files:
            upload = await self.client.upload(str(self.tender.lot_id), file.kind, file.payload)
            await self.client.put_header(upload, file.header)

    async def submit(self, until: asyncio.Event) -> None:
        """Submit and replace, again and again, until told to stop."""
        while not until.is_set():
            last = self.kept[-1] if self.kept else None
            raw = a_submission(
                self.tender,
                self.who,
                self.files,
                seq=len(self.kept) + 1,
                replaces=None if last is None else sha256(last.raw),
            )
            told = await self.told(raw)
            self.kept.append(Kept(self.who, raw, told["entry_id"], told["receipt"]))

    async def told(self, raw: bytes) -> dict[str, Any]:
        """The answer with the receipt, however often the platform dies meanwhile."""
        path = f"/api/v1/lots/{self.tender.lot_id}/bids"
        while True:
            try:
                answer: dict[str, Any] = await self.client.post_signed(
                    path, raw, idempotency_key=sha256(raw).hex()
                )
            except Unreachable:
                await asyncio.sleep(NAP_S)
                continue
            except Problem as problem:
                if problem.status not in (409, 500, 503) or problem.refusals:
                    raise
                await asyncio.sleep(NAP_S)
                continue
            if "receipt" in answer:
                return answer
            await asyncio.sleep(NAP_S)


@dataclass(slots=True)
class Uploading:
    """A bidder who uploads sealed files for as long as it goes on, and takes old ones back."""

    tender: Tender
    who: Player
    client: Client
    whole: list[str] = field(default_factory=list)
    """The uploads that were told to be complete, and were not taken back."""

    async def go_on(self, until: asyncio.Event) -> None:
        """Upload one file after the other until told to stop."""
        while not until.is_set():
            file = a_sealed_bid(self.tender, self.who)[1]
            while not await self._uploaded(file):
                await asyncio.sleep(NAP_S)

    async def _uploaded(self, file: SealedFile) -> bool:
        """Whether the file arrived whole; if not, it is sent again as a client would."""
        lot = str(self.tender.lot_id)
        with contextlib.suppress(Unreachable):
            try:
                upload = await self.client.upload(lot, file.kind, file.payload)
                await self.client.put_header(upload, file.header)
                if upload not in self.whole:
                    self.whole.append(upload)
                while len(self.whole) > WAITING_MAX:
                    await self.client.delete(f"/api/v1/uploads/{self.whole[0]}")
                    self.whole.pop(0)
                return True
            except Problem as problem:
                if problem.status == 404 and len(self.whole) > WAITING_MAX:
                    # Taken back before, though the answer was lost.
                    self.whole.pop(0)
                    return True
                if problem.status not in (500, 503):
                    raise
        return False


@asynccontextmanager
async def a_platform(tmp_path: Path) -> AsyncIterator[Premises]:
    """An installation of its own, with a demo's clock, that survives its server's death."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = Settings(
        data=tmp_path / "installation",
        port=port,
        origin=f"http://localhost:{port}",
        log_origin="demo.sunbid.test/log",
        log_tick_s=0.1,
        testing=True,
    )
    async with premises.opened(settings, demo=True, start=NOW) as place:
        yield place


async def play(
    place: Premises, deaths: Sequence[tuple[str, str]], *, bidders: int, kill_postgres: int
) -> int:
    """Play the story; how many receipts were given. Every one of them must hold in the end.

    `deaths` names programs and the failpoints at which they kill themselves, one after another.
    """
    store = premises.store_over(place.lines.engine("app"), place.settings)
    tender = await a_tender(store)
    stories = []
    programs = Programs(place)
    until = asyncio.Event()
    try:
        await programs.start(SERVE)
        await programs.start(BACKGROUND)
        for _ in range(bidders):
            who = await a_bidder(store)
            client = Client(place.settings.origin, who.key, patience_s=10)
            stories.append(Bidding(tender, who, client, a_sealed_bid(tender, who)))
            await stories[-1].prepare()
        who = await a_bidder(store)
        client = Client(place.settings.origin, who.key, patience_s=10)
        await client.sign_in(Role.BIDDER, str(who.party))
        submitting = [asyncio.create_task(story.submit(until)) for story in stories]
        uploading = Uploading(tender, who, client)
        submitting.append(asyncio.create_task(uploading.go_on(until)))
        for program, failpoints in deaths:
            await programs.kill(program)
            await programs.start(program, failpoints=failpoints)
            async with asyncio.timeout(READY_S):
                assert await programs.dead(program) == -signal.SIGKILL
            await programs.start(program)
        for _ in range(kill_postgres):
            assert place.server is not None
            given = sum(len(story.kept) for story in stories)
            async with asyncio.timeout(READY_S):
                while sum(len(story.kept) for story in stories) < given + bidders:
                    await asyncio.sleep(NAP_S)
            place.server.kill()
            await place.server.start()
        await asyncio.sleep(0)
        until.set()
        async with asyncio.timeout(2 * READY_S):
            await asyncio.gather(*submitting)
        for upload in uploading.whole:
            assert (await client.get(f"/api/v1/uploads/{upload}"))["missing"] == []
        assert uploading.whole
        await client.aclose()
        await _check(place, store, stories)
    finally:
        for story in stories:
            await story.client.aclose()
        await programs.end()
        engine = store.sessions.kw["bind"]
        await engine.dispose()
    return sum(len(story.kept) for story in stories)


async def _check(place: Premises, store: Store, stories: Sequence[Bidding]) -> None:
    """Every receipt holds, is given again byte for byte, and stands for a bid that is there."""
    log_vkey = founding.read_keys(place.settings).log_signer.vkey
    for story in stories:
        for kept in story.kept:
            proven = verify_proof(kept.receipt, log_vkey=log_vkey, witness_vkeys=())
            assert kept.entry_id.encode() in proven.record
        for kept in (story.kept[0], story.kept[-1]):
            again = await story.client.read(f"/api/v1/receipts/{kept.entry_id}")
            assert again.decode() == kept.receipt
            assert (await story.told(kept.raw))["receipt"] == kept.receipt
    async with store.sessions() as session:
        stored = await session.scalars(text("SELECT statement_digest FROM trading.bid"))
        assert set(stored) == {sha256(kept.raw) for story in stories for kept in story.kept}
    owner = place.lines.engine("owner", pool_size=1)
    try:
        assert await faults_of(owner, store.documents) == []
    finally:
        await owner.dispose()
