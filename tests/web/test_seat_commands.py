"""A committee works from the command lines of its seats: Electronic Bidding Measures 33."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from kernel.crypto.signing import PrivateKey
from tests.committees_at_work import KeptCommittees, Sitter, WorkRoom
from tests.tenders import Player
from tests.web.browser import served
from tests.web.evaluation_house import (
    EvaluationHouse,
    all_sit,
    evaluation_house,
    fill_in,
    seat_programs,
)
from web.command_line import main


@dataclass
class Terminals:
    """The machines at the seats: the platform's address, and a folder for each."""

    house: EvaluationHouse
    address: str
    folder: Path

    @property
    def room(self) -> WorkRoom:
        return self.house.room

    async def type(self, who: Player, *words: str) -> Result:
        """What a command does, typed by this person."""
        key = self.folder / f"{who.person}.pem"
        key.write_bytes(who.key.to_pem())
        said = ["seat", *words, "--url", self.address, "--key", str(key)]
        said += ["--organisation", str(who.party)]
        return await asyncio.to_thread(CliRunner().invoke, main, said)

    async def at_seat(self, sitter: Sitter, *words: str) -> Result:
        """What a member types at its own seat."""
        place = self.folder / f"seat-{sitter.number}"
        place.mkdir(exist_ok=True)
        (place / "seat.pem").write_bytes(sitter.seat_key.to_pem())
        role = str(sitter.player.actor.role)
        more = ["--as", role, "--seat-key", str(place / "seat.pem"), "--folder", str(place)]
        return await self.type(sitter.player, *words, *more)


@pytest.fixture
async def terminals(
    room: WorkRoom, kept_committees: KeptCommittees, tmp_path: Path
) -> AsyncIterator[Terminals]:
    listener = socket.create_server(("127.0.0.1", 0))
    origin = f"http://localhost:{listener.getsockname()[1]}"
    async with (
        evaluation_house(room, kept_committees, room.database, origin=origin) as house,
        served(house.app, listener=listener) as address,
    ):
        yield Terminals(house, address, tmp_path)


async def test_a_committee_marks_commits_shows_and_signs_from_its_seats(
    terminals: Terminals,
) -> None:
    room, house = terminals.room, terminals.house
    async with seat_programs(house, terminals.folder / "marks") as works:
        await all_sit(house, works)
        for sitter, work in zip(room.sitters, works, strict=True):
            await fill_in(house, sitter, work)
    await room.stay()
    for step in ("commit", "reveal"):
        for sitter in room.sitters:
            done = await terminals.at_seat(sitter, step, "--json")
            assert done.exit_code == 0, done.output
    await (await house.as_(room.sitters[0].player)).post(house.path("report"), {})
    said = {}
    for sitter in room.sitters:
        dissent = ["--dissent", "对第二名的评分有不同意见"] if sitter.number == 2 else []
        done = await terminals.at_seat(sitter, "sign", *dissent, "--json")
        assert done.exit_code == 0, done.output
        said = json.loads(done.stdout)
    assert said["adopted"]


async def test_a_member_sits_down_and_gets_up_at_its_own_seat_alone(terminals: Terminals) -> None:
    room = terminals.room
    for sitter in room.sitters:
        await room.admit(sitter)
    one, other = room.sitters[:2]
    done = await terminals.at_seat(one, "sit", "--once", "--json")
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["line_kept"]
    elsewhere = Sitter(
        one.player, other.seat_key, other.seat_id, other.site_id, one.member_id, one.number
    )
    refused = await terminals.at_seat(elsewhere, "sit", "--once")
    assert refused.exit_code == 5, refused.output


async def test_nobody_sits_in_another_capacity_or_at_a_seat_without_a_key(
    terminals: Terminals,
) -> None:
    sitter = terminals.room.sitters[0]
    wrong = await terminals.type(sitter.player, "sit", "--as", "supervisor")
    assert wrong.exit_code == 2
    bare = await terminals.type(
        sitter.player, "reveal", "--as", str(sitter.player.actor.role), "--seat-key", "none.pem"
    )
    assert bare.exit_code == 3, bare.output


async def test_a_machine_is_made_a_seat_of_its_site_by_the_sites_keeper(
    terminals: Terminals, tmp_path: Path
) -> None:
    site, keeper = next(iter(terminals.room.keepers.items()))
    path = tmp_path / "new-seat.pem"
    words = ["register", str(site), "17", "--seat-key", str(path), "--json"]
    done = await terminals.type(keeper, *words)
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["seat_id"]
    assert path.stat().st_mode & 0o077 == 0
    PrivateKey.from_pem(path.read_bytes())
    taken = await terminals.type(keeper, *words)
    assert taken.exit_code == 5, taken.output
