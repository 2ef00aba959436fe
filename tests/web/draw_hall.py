"""The platform under an address of its own, and clients of everybody who has a part in a draw."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import httpx
import uvicorn
from fastapi import FastAPI

from kernel.store.transaction import Store
from tests.draw_cast import DrawHouse, Expert
from tests.tenders import Player
from tests.web.tender_house import client_of
from web.app import create_app
from web.client import Client
from web.draw_work import DrawParty, announcement_of, countersignature


@asynccontextmanager
async def open_hall(store: Store) -> AsyncIterator[str]:
    """The desk under a port of its own, which it knows to be its origin; its address."""
    listening = socket.create_server(("127.0.0.1", 0))
    address = f"http://localhost:{listening.getsockname()[1]}"
    settings = store.settings.model_copy(update={"origin": address})
    app = create_app(replace(store, settings=settings), settings)
    config = uvicorn.Config(
        app, log_level="error", ws="websockets-sansio", timeout_graceful_shutdown=1
    )
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    while not server.started and not serving.done():
        await asyncio.sleep(0.01)
    try:
        yield address
    finally:
        server.should_exit = True
        await serving
        listening.close()


class Heard(httpx.ASGITransport):
    """A line to the house on which every answer is kept, for whoever looks for a leak."""

    def __init__(self, app: FastAPI, heard: list[bytes]) -> None:
        super().__init__(app=app)
        self._heard = heard

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """The answer, its head and body noted."""
        answer = await super().handle_async_request(request)
        body = await answer.aread()
        self._heard.append(repr(answer.headers.raw).encode() + body)
        return httpx.Response(answer.status_code, headers=answer.headers, content=body)


async def heard_client(app: FastAPI, who: Player | None, heard: list[bytes]) -> Client:
    """A client whose every answer is noted."""
    token = None if who is None else (await client_of(app, who)).token
    key = None if who is None else who.key
    client = Client("http://localhost", key, transport=Heard(app, heard))
    client.token = token
    return client


class DrawByWire:
    """A draw played over HTTP by every party's own program, from its announcement on."""

    def __init__(self, house: DrawHouse, app: FastAPI, heard: list[bytes] | None = None) -> None:
        self.house, self.app = house, app
        self.heard = [] if heard is None else heard
        self.clients: dict[str, Client] = {}
        self.programs: dict[str, DrawParty] = {}

    @property
    def path(self) -> str:
        """Where the draw is."""
        return f"/api/v1/draws/{self.house.draw_id}"

    async def client(self, name: str) -> Client:
        """A party's line."""
        if name not in self.clients:
            who = self.house.parties[name]
            self.clients[name] = await heard_client(self.app, who, self.heard)
        return self.clients[name]

    async def state(self, name: str) -> dict[str, Any]:
        """The draw as the platform tells this party."""
        told: dict[str, Any] = await (await self.client(name)).get(self.path)
        return told

    async def play(self) -> None:
        """Commit, deal, confirm, countersign, reveal."""
        names = list(self.house.parties)
        trust = await self.house.trust()
        for name in names:
            told = await self.state(name)
            program = self.programs[name] = DrawParty(name, announcement_of(told), trust)
            await (await self.client(name)).post_statement(
                f"{self.path}/commitments", "draw-commit", program.commit(told["proofs"])
            )
        await self.house.tick()
        for name in names:
            payload = self.programs[name].deal((await self.state(name))["proofs"])
            await (await self.client(name)).post_statement(
                f"{self.path}/shares", "draw-shares", payload
            )
        for name in names:
            shares = (await self.state(name))["shares"]
            for dealer in names:
                if dealer != name:
                    self.programs[name].open_share(shares, dealer)
                    await (await self.client(name)).post(
                        f"{self.path}/confirmations", {"dealer": dealer}
                    )
        supervisor = await self.client("supervisor")
        listed = (await supervisor.get(f"{self.path}/exclusions"))["exclusions"]
        told = await self.state("supervisor")
        await supervisor.post_statement(
            f"{self.path}/countersignature",
            "draw-eligibility",
            countersignature(announcement_of(told), listed, party="supervisor"),
        )
        await self.house.tick()
        for name in names:
            payload = self.programs[name].reveal((await self.state(name))["proofs"])
            await (await self.client(name)).post_statement(
                f"{self.path}/reveals", "draw-reveal", payload
            )
        await self.house.tick()

    async def answer(self, expert: Expert, answer: str = "accepted", reason: str = "") -> str:
        """One called expert's answer, by his own program."""
        client = await heard_client(self.app, expert.player, self.heard)
        (call,) = [
            one
            for one in (await client.get("/api/v1/calls/mine"))["calls"]
            if one["outcome"] == "called"
        ]
        told = await client.post_statement(
            f"/api/v1/calls/{call['call']}/answer",
            "draw-answer",
            {"call": call["call"], "answer": answer, "reason": reason},
        )
        return str(told["outcome"])

    async def seat_everybody(self) -> None:
        """Everybody who is called accepts."""
        while waiting := await self.house.waiting():
            for _, expert in waiting:
                await self.answer(expert)
        await self.house.tick()

    async def transcript(self) -> bytes:
        """The transcript's file."""
        return await (await self.client("agency")).read(f"{self.path}/transcript")


def changed(content: bytes, **parts: Any) -> bytes:
    """The transcript with some of its parts exchanged."""
    return json.dumps({**json.loads(content), **parts}).encode()
