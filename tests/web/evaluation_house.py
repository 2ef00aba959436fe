"""The whole platform over a committee at work, and clients of everybody who belongs to it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from fastapi import FastAPI

from kernel.store.database import OWNER
from tests.committees_at_work import KeptCommittees, Sitter, WorkRoom
from tests.kept_stores import clock_turned
from tests.tenders import Player
from tests.web.tender_house import client_of
from web.app import create_app
from web.client import Client
from web.seat_work import SeatWork


@dataclass(slots=True)
class EvaluationHouse:
    """An app whose clock stands where the committee's does."""

    app: FastAPI
    room: WorkRoom
    _clients: dict[object, Client] = field(default_factory=dict)

    async def as_(self, who: Player | None) -> Client:
        """A client signed in as this player, or as nobody."""
        key = None if who is None else (who.person, who.actor.role)
        if key not in self._clients:
            self._clients[key] = await client_of(self.app, who)
        return self._clients[key]

    def path(self, rest: str = "") -> str:
        """A path of the committee."""
        path = f"/api/v1/committees/{self.room.committee_id}"
        return f"{path}/{rest}" if rest else path


@asynccontextmanager
async def evaluation_house(
    room: WorkRoom, kept: KeptCommittees, database: str, *, origin: str = "http://localhost"
) -> AsyncIterator[EvaluationHouse]:
    """The platform over this room, with its lifespan running, at the room's own time."""
    async with kept.lines.lent(OWNER, database, pool_size=1) as owner:
        await clock_turned(owner, room.now)
    settings = room.store.settings.model_copy(update={"origin": origin})
    app = create_app(replace(room.store, settings=settings), settings)
    async with app.router.lifespan_context(app):
        house = EvaluationHouse(app, room)
        try:
            yield house
        finally:
            for client in house._clients.values():
                await client.aclose()


@asynccontextmanager
async def seat_programs(house: EvaluationHouse, folder: Path) -> AsyncIterator[list[SeatWork]]:
    """A seat's own program for each member, in the order of their numbers."""
    works = [
        SeatWork(
            await house.as_(sitter.player),
            sitter.seat_key,
            folder / str(sitter.number),
            str(house.room.committee_id),
            str(sitter.seat_id),
        )
        for sitter in house.room.sitters
    ]
    try:
        yield works
    finally:
        for work in works:
            await work.close()


async def all_sit(house: EvaluationHouse, seats: list[SeatWork]) -> None:
    """Everybody is let in and signs in, for longer than any test takes."""
    for sitter, work in zip(house.room.sitters, seats, strict=True):
        keeper = await house.as_(house.room.keepers[sitter.site_id])
        await keeper.post(
            f"/api/v1/sites/{sitter.site_id}/admissions",
            {"committee": str(house.room.committee_id), "seat": str(sitter.seat_id)},
        )
        await work.sign_in()
    await house.room.stay()


async def fill_in(house: EvaluationHouse, sitter: Sitter, work: SeatWork) -> None:
    """One member marks everything, in a way of its own."""
    own = await work.client.get(house.path("marks"))
    for place, bid in enumerate(own["bids"]):
        for item in own["scheme"]["items"]:
            fact = item["kind"] == "objective"
            work.mark(bid, item["id"], "12" if fact else f"{20 + place % 3}.{sitter.number}1")
    await work.all_sent()
