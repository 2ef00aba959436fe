"""A draw is made from the command lines of its parties: Opinions on Conduct 14.

A nonce is kept before anything about it is told, and is given away only when it may.
"""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from expert_pool.rules.draw_protocol import DrawState
from expert_pool.tables import DrawPartyRow
from kernel.access import Role
from kernel.crypto.digests import unb64u
from kernel.crypto.signing import PrivateKey
from kernel.settings import Settings
from kernel.store import founding
from kernel.store.transaction import Store
from tests.draw_cast import DrawHouse, Tick, a_draw_house
from tests.tenders import Player, a_player
from tests.web.browser import served
from web.app import create_app
from web.command_line import main
from web.draw_commands import keep

ClockTo = Callable[[datetime], Awaitable[None]]


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """No witnesses, so that a checkpoint alone makes an entry witnessed."""
    return settings.model_copy(update={"witness_quorum": 0})


@dataclass
class Terminals:
    """Where the parties type: the platform's address, and a folder with everybody's files."""

    house: DrawHouse
    address: str
    log: str
    folder: Path

    async def type(self, who: Player, *words: str) -> Result:
        """What a command does, typed by this person."""
        key = self.folder / f"{who.person}.pem"
        key.write_bytes(who.key.to_pem())
        said = ["draw", *words, "--url", self.address, "--key", str(key)]
        said += ["--organisation", str(who.party)]
        return await asyncio.to_thread(CliRunner().invoke, main, said)

    async def contribute(self, name: str, *more: str, who: Player | None = None) -> Result:
        """One turn of a party's program."""
        words = ["contribute", str(self.house.draw_id), "--as", name, "--once", "--demo-clock"]
        words += ["--log", self.log, "--quorum", "0", "--secret", str(self.secret(name)), *more]
        return await self.type(who or self.house.parties[name], *words)

    def secret(self, name: str) -> Path:
        """Where a party keeps its nonce."""
        return self.folder / f"{name}.secret.json"

    async def everybody(self) -> str:
        """One turn of every party, and what they said."""
        said = ""
        for name in self.house.parties:
            done = await self.contribute(name)
            assert done.exit_code == 0, done.output
            said += done.stderr
        await self.house.tick()
        return said


@pytest.fixture
async def terminals(
    store: Store, tick: Tick, settings: Settings, tmp_path: Path
) -> AsyncIterator[Terminals]:
    house = await a_draw_house(store, tick)
    listener = socket.create_server(("127.0.0.1", 0))
    own = settings.model_copy(update={"origin": f"http://localhost:{listener.getsockname()[1]}"})
    app = create_app(replace(store, settings=own), own)
    log = founding.read_keys(settings).log_signer.vkey
    async with served(app, lifespan="on", listener=listener) as address:
        yield Terminals(house, address, log, tmp_path)


async def test_experts_are_drawn_and_answer_from_command_lines(terminals: Terminals) -> None:
    await terminals.house.announce()
    house = terminals.house
    said = await terminals.everybody()
    assert said.count("committed to a nonce") == 3
    assert terminals.secret("agency").stat().st_mode & 0o777 == 0o600
    said = await terminals.everybody()
    assert said.count("dealt shares") == 3
    await terminals.everybody()
    done = await terminals.type(house.parties["supervisor"], "countersign", str(house.draw_id))
    assert done.exit_code == 0, done.output
    assert "0 of 12 experts are left out" in done.stderr
    await house.tick()
    said = await terminals.everybody()
    assert said.count("revealed the nonce") == 3
    assert (await house.view()).state is DrawState.CALLING
    async with house.store.sessions() as session:
        row = await session.get_one(DrawPartyRow, (house.draw_id, "agency"))
    kept = json.loads(terminals.secret("agency").read_text())
    assert row.nonce == unb64u(kept["nonce"], 32)
    assert "experts are being called" in (await terminals.contribute("agency")).stderr

    (call, expert), (other_call, other), *_ = await house.waiting()
    words = ["answer", str(call.id)]
    done = await terminals.type(expert.player, *words, "--decline", "--reason", "出差")
    assert "declined" in done.stderr
    done = await terminals.type(other.player, "answer", str(other_call.id), "--accept")
    assert "accepted" in done.stderr


async def test_nothing_is_given_to_a_draw_under_another_log_or_with_another_secret(
    terminals: Terminals,
) -> None:
    await terminals.house.announce()
    wrong = await terminals.contribute("agency", "--log", "demo.other/log+00000000+AAAA")
    assert wrong.exit_code == 6, wrong.output
    assert not terminals.secret("agency").exists()
    witnessed = await terminals.contribute("agency", "--quorum", "1")
    assert witnessed.exit_code == 6, witnessed.output
    await terminals.contribute("agency")
    mine = terminals.secret("agency").read_text()
    terminals.secret("tenderee").write_text(mine)
    other = await terminals.contribute("tenderee")
    assert other.exit_code == 2, other.output
    terminals.secret("tenderee").write_text("{}")
    assert (await terminals.contribute("tenderee")).exit_code == 2
    committed = {one.name for one in (await terminals.house.view()).parties if one.committed}
    assert committed == {"agency"}


async def test_a_stranger_and_a_wrong_capacity_are_told_so(terminals: Terminals) -> None:
    await terminals.house.announce()
    stranger = await a_player(terminals.house.store, Role.AGENCY)
    told = await terminals.contribute("agency", who=stranger)
    assert told.exit_code == 2, told.output
    assert "without your organisation" in told.stderr
    agency = terminals.house.parties["agency"]
    told = await terminals.type(agency, "countersign", str(terminals.house.draw_id))
    assert told.exit_code == 4, told.output


async def test_a_vanished_partys_nonce_is_rebuilt_by_the_others_once_its_time_is_over(
    terminals: Terminals, clock_to: ClockTo
) -> None:
    house = terminals.house
    await house.ready()
    await house.reveal("agency", "supervisor")
    for name in ("agency", "supervisor"):
        keep(terminals.secret(name), house.programs[name])
    waiting = await terminals.contribute("agency")
    assert "nonces of tenderee" in waiting.stderr
    async with house.store.sessions() as session:
        now = await house.store.clock(session)
    await clock_to(now + timedelta(minutes=61))
    for name in ("agency", "supervisor"):
        await terminals.contribute(name)
    view = await house.view()
    assert view.state is DrawState.CALLING
    assert {one.name for one in view.parties if one.recovered} == {"tenderee"}


async def test_a_draw_that_is_void_ends_the_program_and_names_whose_fault_it_was(
    terminals: Terminals, clock_to: ClockTo
) -> None:
    await terminals.house.announce()
    await terminals.contribute("agency")
    async with terminals.house.store.sessions() as session:
        now = await terminals.house.store.clock(session)
    await clock_to(now + timedelta(minutes=21))
    ended = await terminals.contribute("agency")
    assert ended.exit_code == 5, ended.output
    assert "supervisor, tenderee" in ended.stderr


def test_a_demo_clock_is_followed_for_a_demo_log_alone(tmp_path: Path) -> None:
    key = tmp_path / "key.pem"
    key.write_bytes(PrivateKey.generate().to_pem())
    said = ["draw", "contribute", "x", "--as", "agency", "--log", "real", "--demo-clock"]
    said += ["--url", "http://127.0.0.1:9", "--key", str(key), "--organisation", "y"]
    assert CliRunner().invoke(main, said).exit_code == 2
