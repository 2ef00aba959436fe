"""The platform as a program uses it, over a real socket where it matters: repeats and resumes.

RFC 9110, 9.2.2 (what may be repeated); RFC 6455 (sockets and their close codes).
"""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
import uvicorn

from kernel.access import Actor, Role
from kernel.crypto import sealing
from kernel.crypto.signing import PrivateKey
from kernel.identifiers import PartyId, PersonId
from kernel.randomness import random_bytes
from kernel.settings import Settings
from kernel.store.parties import take_part
from kernel.store.registering import Registered, revoke_credential
from kernel.store.transaction import Store, transaction
from kernel.store.views import own_acts
from tests.newcomers import acting, registered
from tests.sealed_bids import a_bidder, a_tender
from tests.sign_ins import token_for
from tests.web.bid_house import bid_house
from tests.web.tender_house import client_of, token_of
from web import client as client_module
from web.app import create_app
from web.client import Client, Problem, Unreachable

Tick = Callable[[], Awaitable[None]]


@pytest.fixture(autouse=True)
def _no_long_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_module, "FIRST_PAUSE_S", 0.01)
    monkeypatch.setattr(client_module, "PAUSE_MAX_S", 0.05)


# ── requests ──────────────────────────────────────────────────────────────────────────────────


@dataclass
class BadLine(httpx.AsyncBaseTransport):
    """A line to the platform that does what it is told before each request goes out or comes in."""

    inner: httpx.AsyncBaseTransport
    before: list[Exception | int | None] = field(default_factory=list)
    after: list[Exception | None] = field(default_factory=list)
    passed: list[str] = field(default_factory=list)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        trouble = self.before.pop(0) if self.before else None
        if isinstance(trouble, Exception):
            raise trouble
        if trouble is not None:
            return httpx.Response(trouble, headers={"Retry-After": "0"}, content=b"")
        self.passed.append(f"{request.method} {request.url.path}")
        response = await self.inner.handle_async_request(request)
        lost = self.after.pop(0) if self.after else None
        if lost is not None:
            raise lost
        return response


@pytest.fixture
def line(store: Store, settings: Settings) -> BadLine:
    return BadLine(httpx.ASGITransport(app=create_app(store, settings)))


@pytest.fixture
async def bidder(store: Store, line: BadLine) -> AsyncIterator[Client]:
    """A signed-in bidder's client over a line that may turn bad."""
    key = PrivateKey.generate()
    who = await registered(store, key)
    async with Client("http://localhost", key, transport=line) as client:
        await client.sign_in("bidder", str(who.organisation_id))
        line.passed.clear()
        yield client


ME = "/api/v1/sessions/current"


async def test_reading_is_repeated_until_the_line_is_back(bidder: Client, line: BadLine) -> None:
    line.before = [httpx.ConnectError("down"), 503, 502, 429]
    assert (await bidder.get(ME))["role"] == "bidder"
    assert line.passed == [f"GET {ME}"]


async def test_a_line_that_stays_down_is_unreachable(bidder: Client, line: BadLine) -> None:
    line.before = [httpx.ConnectError("down")] * 20
    with pytest.raises(Unreachable):
        await bidder.get(ME)


async def test_a_platform_that_stays_busy_is_a_problem(bidder: Client, line: BadLine) -> None:
    line.before = [503] * 20
    with pytest.raises(Problem) as busy:
        await bidder.get(ME)
    assert (busy.value.status, busy.value.code) == (503, "http")


async def test_an_act_whose_answer_was_lost_is_not_sent_twice(
    bidder: Client, line: BadLine
) -> None:
    line.after = [httpx.ReadError("cut")]
    with pytest.raises(Unreachable):
        await bidder.post("/api/v1/passkeys/registration-options")
    assert len(line.passed) == 1


async def test_an_act_that_never_left_is_sent_again(bidder: Client, line: BadLine) -> None:
    line.before = [httpx.ConnectError("down"), httpx.ConnectTimeout("down")]
    assert (await bidder.post("/api/v1/passkeys/registration-options"))["challenge"]
    assert len(line.passed) == 1


async def test_an_act_that_was_told_to_wait_is_sent_again(bidder: Client, line: BadLine) -> None:
    line.before = [429, 429]
    assert (await bidder.post("/api/v1/passkeys/registration-options"))["challenge"]
    assert len(line.passed) == 1


async def test_an_act_with_a_key_is_repeated_and_done_once(bidder: Client, line: BadLine) -> None:
    line.after = [httpx.ReadError("cut"), httpx.ReadTimeout("slow")]
    path = "/api/v1/passkeys/registration-options"
    told = await bidder.post(path, idempotency_key="k-1")
    assert await bidder.post(path, idempotency_key="k-1") == told
    assert len(line.passed) == 4
    with pytest.raises(Problem) as reused:
        await bidder.post(
            "/api/v1/passkeys/registrations", {"credential": {}}, idempotency_key="k-1"
        )
    assert reused.value.code == "key_reused"


async def test_a_session_that_ended_by_itself_is_begun_again(
    bidder: Client, line: BadLine, store: Store
) -> None:
    from sqlalchemy import text

    async with store.sessions() as session, session.begin():
        await session.execute(
            text("UPDATE kernel.session SET seen_at = seen_at - CAST('1 hour' AS interval)")
        )
    before = bidder.token
    assert (await bidder.get(ME))["role"] == "bidder"
    assert bidder.token != before


async def test_a_revoked_key_does_not_come_in_again(bidder: Client, store: Store) -> None:
    assert bidder.acts_as is not None
    assert bidder.key is not None
    actor = Actor(
        Role.BIDDER,
        PersonId(UUID(bidder.acts_as.person_id)),
        PartyId(UUID(bidder.acts_as.organisation_id)),
    )
    async with transaction(store, actor=actor) as tx:
        await revoke_credential(tx, bidder.key.keyid, reason="遗失")
    with pytest.raises(Problem) as dead:
        await bidder.get(ME)
    assert dead.value.status == 401


async def test_a_refusal_reaches_the_program_with_its_grounds(
    bidder: Client, store: Store, settings: Settings
) -> None:
    assert bidder.acts_as is not None
    with pytest.raises(Problem) as refused:
        await bidder.register(
            uscc="91350100M000100Y43",
            name="重复",
            region="420100",
            responsible_person="王伟",
            roles=["bidder"],
            person="李娜",
            identity_document="420103199001010011",
        )
    assert refused.value.status == 409
    assert refused.value.codes == {"organisation_known"}
    assert refused.value.refusals[0]["article"] == "《电子招标投标办法》第14条"
    assert "该单位已注册" in str(refused.value)


async def test_a_client_without_a_key_signs_nothing(line: BadLine) -> None:
    async with Client("http://localhost", transport=line) as client:
        with pytest.raises(ValueError, match="no key"):
            client.statement("objection", {})


async def test_bytes_and_parameters_come_as_they_are(bidder: Client) -> None:
    found = await bidder.read("/api/v1/organisations", limit=1, verified=None)
    assert found == b'{"organisations":[]}'
    with pytest.raises(Problem) as unknown:
        await bidder.get("/api/v1/organisations", page=2)
    assert (unknown.value.status, unknown.value.code) == (400, "unknown_parameter")


# ── uploads ───────────────────────────────────────────────────────────────────────────────────


async def test_an_upload_goes_on_where_the_line_was_cut(store: Store, settings: Settings) -> None:
    tender, bidder = await a_tender(store), await a_bidder(store)
    payload = random_bytes(sealing.payload_size_of(30 << 20))
    count = -(-len(payload) // client_module.PART)
    heard: list[tuple[int, int]] = []
    async with bid_house(store, settings) as app:
        line = BadLine(httpx.ASGITransport(app=app))
        client = Client("http://localhost", bidder.key, transport=line)
        client.token = await token_of(store, bidder)
        lot = str(tender.lot_id)

        # The announcement and one part get through, then the line is dead for good.
        line.before = [None, None, None, *[httpx.ConnectError("down")] * 100]
        with pytest.raises(Unreachable):
            await client.upload(lot, "bid", payload)

        line.before, line.passed = [], []
        line.after = [None, None, httpx.ReadError("an answer is lost")]
        upload = await client.upload(lot, "bid", payload, told=lambda *of: heard.append(of))
        sent = [one for one in line.passed if one.startswith("PUT")]
        state = await client.get(f"/api/v1/uploads/{upload}")
        # What had arrived is not sent again; the part whose answer was lost is.
        assert len(sent) == count - heard[0][0] + 1
        assert state["missing"] == []
        assert heard[-1] == (count, count)

        line.passed = []
        assert await client.upload(lot, "bid", payload) == upload
        assert not [one for one in line.passed if one.startswith("PUT")]


async def test_a_file_that_changes_while_it_is_uploaded_is_noticed(
    store: Store, settings: Settings, tmp_path: Path
) -> None:
    tender, bidder = await a_tender(store), await a_bidder(store)
    file = tmp_path / "bid.ebid"
    file.write_bytes(random_bytes(sealing.payload_size_of(10 << 20)))
    async with bid_house(store, settings) as app:
        client = await client_of(app, bidder)

        def change(*_: int) -> None:
            with file.open("r+b") as changing:
                changing.write(b"changed")

        with pytest.raises(ValueError, match="changed"):
            await client.upload(str(tender.lot_id), "bid", file, told=change)


# ── views ─────────────────────────────────────────────────────────────────────────────────────


@dataclass
class Proxy:
    """A wire between client and server that can be cut."""

    target: int
    port: int = 0
    cuts: list[asyncio.StreamWriter] = field(default_factory=list)
    begun: int = 0

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.begun += 1
        inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", self.target)
        self.cuts += [writer, inner_writer]

        async def pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
            with suppress(ConnectionError):
                while data := await source.read(65536):
                    sink.write(data)
                    await sink.drain()
            sink.close()

        await asyncio.gather(pump(reader, inner_writer), pump(inner_reader, writer))

    def cut(self) -> None:
        for writer in self.cuts:
            writer.transport.abort()
        self.cuts.clear()


@dataclass
class House:
    """A running server, a wire to it, and somebody who is signed in."""

    store: Store
    who: Registered
    wire: Proxy
    token: str
    key: PrivateKey

    def client(self) -> Client:
        client = Client(f"http://127.0.0.1:{self.wire.port}", self.key)
        client.token = self.token
        return client

    async def act(self, times: int = 1) -> None:
        """Let the bidder do something that only its own organisation may know."""
        for _ in range(times):
            async with transaction(self.store, actor=acting(self.who)) as tx:
                await take_part(tx, uuid4())


@pytest.fixture
async def house(store: Store, settings: Settings) -> AsyncIterator[House]:
    listening = socket.create_server(("127.0.0.1", 0))
    port = listening.getsockname()[1]
    settings = settings.model_copy(update={"origin": f"http://localhost:{port}"})
    store = replace(store, settings=settings)
    server = uvicorn.Server(
        uvicorn.Config(
            create_app(store, settings),
            log_level="warning",
            timeout_graceful_shutdown=1,
            ws="websockets-sansio",
        )
    )
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    wire = Proxy(port)
    proxy = await asyncio.start_server(wire.carry, "127.0.0.1", 0)
    wire.port = proxy.sockets[0].getsockname()[1]
    key = PrivateKey.generate()
    who = await registered(store, key)
    token = await token_for(store, who, Role.BIDDER)
    yield House(store, who, wire, token, key)
    server.should_exit = True
    wire.cut()
    proxy.close()
    await serving


async def take(entries: AsyncIterator[dict[str, Any]], count: int) -> list[dict[str, Any]]:
    return [await asyncio.wait_for(anext(entries), 20) for _ in range(count)]


async def test_a_watcher_whose_line_is_cut_resumes_with_no_gap_and_no_double(
    house: House, tick: Tick
) -> None:
    await house.act(3)
    await tick()
    view = own_acts(house.who.organisation_id)
    async with house.client() as client, contextlib.aclosing(client.watch(view)) as entries:  # type: ignore[type-var]  # an async generator behind its general name
        # Two stand there already: that the person joined, and that the session began.
        seen = await take(entries, 5)
        house.wire.cut()
        await house.act(2)
        await tick()
        seen += await take(entries, 2)
        house.wire.cut()
        await house.act(1)
        await tick()
        seen += await take(entries, 1)
    assert [entry["seq"] for entry in seen] == list(range(1, 9))
    assert house.wire.begun >= 3
    assert {entry["kind"] for entry in seen} == {"PersonJoined", "SignedIn", "CapacityTaken"}


async def test_a_watcher_begins_after_the_number_it_knows(house: House, tick: Tick) -> None:
    await house.act(2)
    await tick()
    view = own_acts(house.who.organisation_id)
    async with house.client() as client:
        (entry,) = await take(client.watch(view, after=3), 1)
    assert entry["seq"] == 4


@pytest.mark.parametrize(
    "view",
    ["supervisors", f"party/{uuid4()}", "nonsense"],
    ids=["supervisors", "party", "nonsense"],
)
async def test_a_view_that_is_not_ones_own_cannot_be_watched(house: House, view: str) -> None:
    async with house.client() as client:
        with pytest.raises(Problem) as refused:
            await take(client.watch(view), 1)
    assert refused.value.status == 403


async def test_a_revoked_session_stops_hearing_within_five_seconds(
    house: House, tick: Tick
) -> None:
    key = PrivateKey.generate()
    who = await registered(
        house.store,
        key,
        uscc="91330106673959654P",
        identity_document="AAAAAA9",
    )
    async with Client(f"http://localhost:{house.wire.target}", key) as client:
        await client.sign_in("bidder", str(who.organisation_id))
        await tick()
        entries = client.watch(own_acts(who.organisation_id))
        await take(entries, 2)
        async with transaction(house.store, actor=acting(who)) as tx:
            await revoke_credential(tx, key.keyid, reason="遗失")
        began = asyncio.get_running_loop().time()
        with pytest.raises(Problem) as dead:
            while True:
                await asyncio.wait_for(anext(entries), 10)
        assert dead.value.status == 401
        assert asyncio.get_running_loop().time() - began < 6
