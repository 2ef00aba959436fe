"""Live news over real sockets: who may listen, how one resumes, and when a line is cut.

RFC 6455; what is sealed before the deadline is heard by nobody but its author (招标投标法 22).
"""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
from sqlalchemy import text
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from evaluation import attending
from kernel.access import Role
from kernel.clock import monotonic_s
from kernel.events import Audience
from kernel.randomness import random_id
from kernel.settings import Settings
from kernel.store.parties import take_part
from kernel.store.sequencer import sequence_once
from kernel.store.signing_in import sign_out_everywhere
from kernel.store.transaction import Store, transaction
from kernel.store.trusted_authorities import trusted_authorities
from kernel.store.views import PUBLIC_FEED, SUPERVISORS_FEED, own_acts
from kernel.store.views import room as room_view
from tests.committees_at_work import WorkRoom
from tests.conftest import START
from tests.log_story import Sealed, Slipped, Tick, Unsealed, Uttered, enter, utter
from tests.tenders import Player, a_player
from tests.web.browser import served
from tests.web.tender_house import token_of
from web import live
from web.app import create_app
from web.request_scope import COOKIE


class House:
    """A running house: its address, and lines to it."""

    def __init__(self, store: Store, address: str) -> None:
        self.store = store
        self.address = address
        self._tokens: dict[str, str] = {}

    async def headers(self, who: Player | None) -> dict[str, str]:
        if who is None:
            return {}
        if who.name not in self._tokens:
            self._tokens[who.name] = await token_of(self.store, who)
        return {"Authorization": f"Bearer {self._tokens[who.name]}"}

    async def socket(
        self,
        view: str,
        after: int = 0,
        *,
        who: Player | None = None,
        headers: dict[str, str] | None = None,
        **more: Any,
    ) -> ClientConnection:
        query = urlencode({"view": view, "after": after})
        return await connect(
            f"ws{self.address.removeprefix('http')}/live?{query}",
            additional_headers={**await self.headers(who), **(headers or {})},
            proxy=None,
            **more,
        )

    async def polled(self, view: str, after: int = 0, *, who: Player | None = None) -> Any:
        async with httpx.AsyncClient(base_url=self.address, verify=trusted_authorities()) as client:
            return await client.get(
                f"/api/v1/views/{view}/entries",
                params={"after": after},
                headers=await self.headers(who),
            )

    async def refuses(self, view: str, **how: Any) -> int:
        """The status with which this socket is turned away."""
        with pytest.raises(InvalidStatus) as refused:
            await self.socket(view, **how)
        return refused.value.response.status_code


@asynccontextmanager
async def a_served_house(store: Store, settings: Settings) -> AsyncIterator[House]:
    """The live rooms over this store, on a port of their own."""
    listener = socket.create_server(("127.0.0.1", 0))
    # What is sent and not taken must not hide in large buffers.
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 32_768)
    origin = f"http://localhost:{listener.getsockname()[1]}"
    app = create_app(store, settings.model_copy(update={"origin": origin}))
    async with served(app, lifespan="on", listener=listener) as address:
        yield House(store, address)


@pytest.fixture
async def house(store: Store, settings: Settings) -> AsyncIterator[House]:
    async with a_served_house(store, settings) as running:
        yield running


async def told(line: ClientConnection, count: int) -> list[dict[str, Any]]:
    async with asyncio.timeout(20):
        return [json.loads(await line.recv()) for _ in range(count)]


async def cut(line: ClientConnection) -> None:
    """End a line as a pulled plug does, without a word."""
    line.transport.abort()
    await line.wait_closed()


async def closed_with(line: ClientConnection) -> int:
    with pytest.raises(ConnectionClosed):
        async with asyncio.timeout(20):
            while True:
                await line.recv()
    return line.close_code or 0


# ── who may listen ──


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://elsewhere.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Cookie": f"{COOKIE}=anything"},
        {"Origin": "https://elsewhere.example", "Cookie": f"{COOKIE}=anything"},
    ],
)
async def test_a_socket_from_another_site_is_turned_away(
    house: House, headers: dict[str, str]
) -> None:
    assert await house.refuses(PUBLIC_FEED, headers=headers) == 403


async def test_a_socket_from_our_own_page_and_one_from_a_program_are_let_in(house: House) -> None:
    await (await house.socket(PUBLIC_FEED, headers={"Origin": house.address})).close()
    await (await house.socket(PUBLIC_FEED)).close()


async def test_a_token_that_does_not_hold_opens_no_socket(house: House) -> None:
    assert await house.refuses(PUBLIC_FEED, headers={"Authorization": "Bearer nothing"}) == 403


async def test_a_view_is_heard_and_polled_by_its_own_circle_only(
    house: House, store: Store
) -> None:
    lot = random_id()
    bidder, rival = [await a_player(store, Role.BIDDER) for _ in range(2)]
    supervisor, expert = [await a_player(store, one) for one in (Role.SUPERVISOR, Role.EXPERT)]
    for who in (bidder, expert):
        async with transaction(store, actor=who.actor) as tx:
            await take_part(tx, lot)
    everyone: dict[str, Player | None] = {
        "public": None,
        "bidder": bidder,
        "rival": rival,
        "supervisor": supervisor,
    }
    everyone |= {"expert": expert}
    allowed = {
        PUBLIC_FEED: set(everyone),
        room_view(lot, Audience.PUBLIC): set(everyone),
        SUPERVISORS_FEED: {"supervisor"},
        room_view(lot, Audience.SUPERVISORS): {"supervisor"},
        room_view(lot, Audience.PARTICIPANTS): {"bidder", "expert"},
        room_view(lot, Audience.COMMITTEE): set(),
        room_view(lot, Audience.SEALED_UNTIL_CLOSE): set(),
        room_view(lot, Audience.NOBODY): set(),
        room_view(lot, Audience.PARTY): set(),
        own_acts(bidder.party): {"bidder"},
        own_acts(expert.party): set(),
        "nothing": set(),
        f"{lot}": set(),
        "party/": set(),
        "../public": set(),
    }
    for view, circle in allowed.items():
        for name, listener in everyone.items():
            answer = await house.polled(view, who=listener)
            assert (answer.status_code == 200) == (name in circle), (view, name)
            if name in circle:
                await cut(await house.socket(view, who=listener))
            else:
                assert await house.refuses(view, who=listener) == 403, (view, name)


async def test_the_committees_room_is_heard_by_those_who_sit_in_it_in_that_capacity(
    room: WorkRoom,
) -> None:
    view = room_view(room.lot_id, Audience.COMMITTEE)
    spared = next(
        one.player
        for one in room.draw.experts
        if one.player.person not in {sitter.player.person for sitter in room.sitters}
    )
    async with a_served_house(room.store, room.store.settings) as house:
        for sitter in room.sitters:
            assert (await house.polled(view, who=sitter.player)).status_code == 200
        for other in (room.agency, room.supervisor, *room.keepers.values(), spared, None):
            assert (await house.polled(view, who=other)).status_code == 404
            assert await house.refuses(view, who=other) == 403


async def test_a_member_who_withdraws_hears_nothing_more_of_the_committee(
    room: WorkRoom,
) -> None:
    """Bidding Regulation 48: whoever steps aside takes no part in what follows."""
    await room.sit()
    leaver, stayer = room.drawn[:2]
    view = room_view(room.lot_id, Audience.COMMITTEE)
    async with a_served_house(room.store, room.store.settings) as house:
        await room.draw.tick()
        heard = (await house.polled(view, who=leaver.player)).json()["entries"]
        assert {"MemberAdmitted", "MemberSignedIn", "ReadingBegan"} <= {
            one["kind"] for one in heard
        }
        last = heard[-1]["seq"]
        lines = [await house.socket(view, last, who=one.player) for one in (leaver, stayer)]
        bid = (await room.bids(stayer))[0]
        await room.propose(bid.bid_id, by=room.sitters.index(stayer))
        await room.draw.tick()
        for line in lines:
            assert [one["kind"] for one in await told(line, 1)] == ["RejectionProposed"]

        await room.do(leaver.player, attending.withdraw, room.committee_id, "曾任投标人顾问")
        began = monotonic_s()
        assert (await house.polled(view, who=leaver.player)).status_code == 404
        assert await house.refuses(view, who=leaver.player) == 403
        assert await closed_with(lines[0]) == live.NOT_YOURS
        assert monotonic_s() - began < 5
        await room.draw.tick()
        assert [one["kind"] for one in await told(lines[1], 2)] == [
            "ReadingStopped",
            "MemberWithdrew",
        ]
        await lines[1].close()


async def test_nothing_recorded_after_a_member_left_is_sent_before_its_line_is_cut(
    room: WorkRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "CHECK_S", 60.0)
    leaver = room.drawn[0]
    view = room_view(room.lot_id, Audience.COMMITTEE)
    async with a_served_house(room.store, room.store.settings) as house:
        heard = (await house.polled(view, who=leaver.player)).json()["entries"]
        line = await house.socket(view, heard[-1]["seq"], who=leaver.player)
        await room.do(leaver.player, attending.withdraw, room.committee_id, "曾任投标人顾问")
        await room.draw.tick()
        with pytest.raises(ConnectionClosed):
            async with asyncio.timeout(20):
                pytest.fail(f"heard {await line.recv()!r}")
        assert line.close_code == live.NOT_YOURS


# ── what is heard ──


async def test_a_listener_resumes_after_a_number_without_gap_or_double(
    house: House, store: Store, tick: Tick
) -> None:
    await utter(store, 3)
    await tick()
    line = await house.socket(PUBLIC_FEED)
    heard = await told(line, 4)
    await line.close()
    await utter(store, 4)
    await tick()
    again = await house.socket(PUBLIC_FEED, heard[-1]["seq"])
    later = await told(again, 4)
    await utter(store, 2)
    await tick()
    later += await told(again, 2)
    await again.close()
    numbers = [entry["seq"] for entry in heard + later]
    assert numbers == list(range(1, len(numbers) + 1))
    assert {"v", "view", "seq", "at", "kind", "subject", "data"} == set(later[0])
    polled: list[dict[str, Any]] = []
    while page := (await house.polled(PUBLIC_FEED, len(polled))).json()["entries"]:
        polled += page
    assert polled[: len(numbers)] == heard + later


async def test_many_lines_cut_at_random_places_hear_the_same_story(
    house: House, store: Store, tick: Tick
) -> None:
    lot = random_id()
    view = room_view(lot, Audience.PUBLIC)

    async def listen(patience: int) -> list[str]:
        words: list[str] = []
        while len(words) < 30:
            line = await house.socket(view, len(words))
            for entry in await told(line, min(patience, 30 - len(words))):
                assert entry["seq"] == len(words) + 1
                words.append(entry["data"]["words"])
            await cut(line)
        return words

    listening = [asyncio.create_task(listen(patience)) for patience in (1, 4, 7, 30)]
    for number in range(30):
        await enter(store, Uttered(lot, str(number)))
        if number % 6 == 5:
            await tick()
    stories = await asyncio.gather(*listening)
    assert stories == [[str(number) for number in range(30)]] * 4


async def test_news_comes_with_the_bell_and_not_only_with_the_poll(
    house: House, store: Store, log_line: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "BELL_PATIENCE_S", 60.0)
    line = await house.socket(PUBLIC_FEED)
    await utter(store)
    async with log_line.connect() as connection:
        while await sequence_once(connection):
            pass
        for _ in range(100):
            async with connection.begin():
                await connection.execute(text("NOTIFY journal"))
            try:
                async with asyncio.timeout(0.2):
                    await line.recv()
                    break
            except TimeoutError:
                continue
        else:
            pytest.fail("the bell was not heard")
    await line.close()


async def test_what_is_sealed_is_heard_by_its_author_alone_until_the_close(
    house: House, store: Store, tick: Tick
) -> None:
    lot = random_id()
    bidder, supervisor = [await a_player(store, one) for one in (Role.BIDDER, Role.SUPERVISOR)]
    await enter(store, Sealed(lot))
    await enter(store, Slipped(lot, START, START), bidder.actor)
    await tick()
    own = await house.socket(own_acts(bidder.party), who=bidder)
    assert [one["kind"] for one in await told(own, 1)] == ["Slipped"]
    await own.close()
    watching = await house.socket(room_view(lot, Audience.SUPERVISORS), who=supervisor)
    assert [one["kind"] for one in await told(watching, 1)] == ["Sealed"]
    await enter(store, Unsealed(lot))
    await tick()
    assert [(one["seq"], one["kind"]) for one in await told(watching, 2)] == [
        (2, "Unsealed"),
        (3, "Slipped"),
    ]
    await watching.close()


async def test_what_a_client_says_is_ignored(house: House, store: Store, tick: Tick) -> None:
    line = await house.socket(PUBLIC_FEED)
    for words in ("{}", b"\x00", "x" * 1000):
        await line.send(words)
    await utter(store)
    await tick()
    assert await told(line, 1)
    await line.close()


@pytest.mark.parametrize("after", ["-1", "x", "99999999999999999999999"])
async def test_a_number_that_is_none_is_turned_away(house: House, after: str) -> None:
    answer = await house.polled(PUBLIC_FEED, after)  # type: ignore[arg-type]  # that is the point
    assert answer.status_code == 400
    with pytest.raises((InvalidStatus, ConnectionClosed)):
        line = await house.socket(PUBLIC_FEED, after)  # type: ignore[arg-type]  # so here
        await told(line, 1)


# ── when a line is cut ──


async def test_a_reader_too_slow_is_dropped_and_disturbs_nobody(
    house: House, store: Store, tick: Tick, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "SEND_PATIENCE_S", 0.3)
    monkeypatch.setattr(live, "CLOSE_PATIENCE_S", 0.1)
    lot = random_id()
    for number in range(60):
        await enter(store, Uttered(lot, str(number) * 4_000))
    await tick()
    before = len(asyncio.all_tasks())
    host, port = house.address.removeprefix("http://").split(":")
    raw = socket.create_connection((host, int(port)))
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    slow = await house.socket(room_view(lot, Audience.PUBLIC), sock=raw, max_queue=1)
    quick = await house.socket(room_view(lot, Audience.PUBLIC))
    assert len(await told(quick, 60)) == 60
    await quick.close()
    async with asyncio.timeout(40):
        # The slow one's tasks are gone although it never read a word.
        while len(asyncio.all_tasks()) > before + 4:
            await asyncio.sleep(0.02)
    await cut(slow)


async def test_the_socket_of_a_session_that_was_ended_dies_within_five_seconds(
    house: House, store: Store
) -> None:
    bidder = await a_player(store, Role.BIDDER)
    line = await house.socket(own_acts(bidder.party), who=bidder)
    async with transaction(store, actor=bidder.actor) as tx:
        await sign_out_everywhere(tx)
    began = monotonic_s()
    assert await closed_with(line) == live.NOT_SIGNED_IN
    assert monotonic_s() - began < 5


async def test_a_socket_whose_news_breaks_off_is_closed_and_not_left_silent(
    house: House, store: Store, tick: Tick, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = await house.socket(PUBLIC_FEED)

    def broken(*_: object) -> dict[str, Any]:
        raise OSError("the database is gone")

    monkeypatch.setattr(live, "message", broken)
    await utter(store)
    await tick()
    assert await closed_with(line) == live.TRY_AGAIN


async def test_a_client_that_vanishes_leaves_nothing_behind(
    house: House, store: Store, tick: Tick
) -> None:
    before = len(asyncio.all_tasks())
    lines = [await house.socket(PUBLIC_FEED) for _ in range(5)]
    for line in lines:
        await cut(line)
    await utter(store, 3)
    await tick()
    async with asyncio.timeout(10):
        while len(asyncio.all_tasks()) > before + 4:
            await asyncio.sleep(0.02)
