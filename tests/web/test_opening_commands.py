"""A lot is opened from the command lines of those concerned: Electronic Bidding Measures 29-32."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from kernel.access import PLATFORM
from kernel.crypto.signing import PrivateKey
from kernel.settings import Settings
from kernel.store import founding
from kernel.store.database import LOG, connect
from kernel.store.transaction import Store, transaction
from kernel.store.witnesses import ask_all
from tests.conftest import Database
from tests.log_story import Tick, bystanders
from tests.opened_lots import Hall, an_entry
from tests.sealed_bids import Tender
from tests.tenders import Player
from tests.web.browser import served
from trading import due_lots, opening_views
from web import client as client_module
from web.app import create_app
from web.command_line import main

PRICES = ("128460000.00", "125300500.00", "127900000.00")


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_module, "FIRST_PAUSE_S", 0.01)


@dataclass
class Terminals:
    """Where everybody types: the platform's address, and a folder with everybody's keys."""

    address: str
    lot: str
    folder: Path

    async def type(self, *words: str, who: Player) -> Result:
        """What a command does, typed by this person."""
        key = self.pem(who.key, f"{who.person}.pem")
        said = [*words[:2], self.lot, *words[2:], "--url", self.address, "--key", key]
        said += ["--organisation", str(who.party)]
        return await asyncio.to_thread(CliRunner().invoke, main, said)

    def pem(self, key: PrivateKey, name: str) -> str:
        """A key's file."""
        (self.folder / name).write_bytes(key.to_pem())
        return str(self.folder / name)


async def test_a_lot_is_opened_from_the_command_lines_of_those_concerned(
    store: Store,
    tender: Tender,
    tick: Tick,
    clock_to: Callable[[datetime], Awaitable[None]],
    database: Database,
    settings: Settings,
    tmp_path: Path,
) -> None:
    entries = [await an_entry(store, tender, price) for price in PRICES[:2]]
    entries.append(await an_entry(store, tender, PRICES[2], escrow=True))
    hall = Hall(store, tender, entries)
    await clock_to(tender.due_at + timedelta(seconds=3))
    assert await due_lots.wake(store) == 1
    listener = socket.create_server(("127.0.0.1", 0))
    own = settings.model_copy(update={"origin": f"http://localhost:{listener.getsockname()[1]}"})
    app = create_app(replace(store, settings=own), own)
    log = founding.read_keys(settings).log_signer.vkey
    custodians = [(one, one.lot_keys[tender.lot_id]) for one in tender.cast.custodians[1:]]

    async with served(app, lifespan="on", listener=listener) as address:
        typed = Terminals(address, str(tender.lot_id), tmp_path)
        opening_key = typed.pem(entries[0].key, "opening.pem")
        wrong = await typed.type(
            "opening", "release", "--opening-key", opening_key, who=entries[1].player
        )
        assert wrong.exit_code == 2, wrong.output
        for entry in entries[:2]:
            opening_key = typed.pem(entry.key, "opening.pem")
            done = await typed.type(
                "opening", "release", "--opening-key", opening_key, "--json", who=entry.player
            )
            assert done.exit_code == 0, done.output
            assert "2 envelopes released" in done.stderr
            assert json.loads(done.stdout) == {"released": 2}
        early = await typed.type("opening", "agree", "--as", "agency", who=tender.cast.agency)
        assert early.exit_code == 5, early.output
        stranger = await typed.type("opening", "agree", "--as", "agency", who=entries[0].player)
        assert stranger.exit_code == 4, stranger.output

        await clock_to(await hall.window_ends_at() + timedelta(seconds=1))
        await due_lots.wake(store)
        late = await typed.type(
            "opening",
            "release",
            "--opening-key",
            typed.pem(entries[2].key, "opening.pem"),
            who=entries[2].player,
        )
        assert late.exit_code == 8, late.output
        for role, who in (("agency", tender.cast.agency), ("supervisor", tender.cast.supervisor)):
            done = await typed.type("opening", "agree", "--as", role, who=who)
            assert done.exit_code == 0, done.output

        await tick()
        async with bystanders(2, log_vkey=log, folder=tmp_path, now=store_clock(store)) as both:
            trusted = ["--log", log, "--demo-clock"]
            trusted += [word for one in both for word in ("--witness", one.signer.vkey)]
            who, key = custodians[0]
            give = ["custody", "give", "--custody-key", typed.pem(key, "custody.pem"), *trusted]
            unseen = await typed.type(*give, who=who)
            assert unseen.exit_code == 3, unseen.output
            engine = connect(database.url(LOG), pool_size=2)
            await ask_all(engine, [one.told for one in both], quorum=2)
            await engine.dispose()
            for who, key in custodians:
                typed.pem(key, "custody.pem")
                done = await typed.type(*give, "--json", who=who)
                assert done.exit_code == 0, done.output
                told = json.loads(done.stdout)
                assert told["given"] > 0
                assert told["undealt"] == []
            seen = json.loads((tmp_path / "custody.seen.json").read_text())
            assert seen == {str(tender.lot_id): 1}

        await due_lots.wake(store)
        signed = await typed.type(
            "opening",
            "record",
            "--as",
            "agency",
            "--out",
            str(tmp_path / "record.json"),
            who=tender.cast.agency,
        )
        assert signed.exit_code == 0, signed.output
    async with transaction(store, actor=PLATFORM) as tx:
        shown = await opening_views.hall(tx, hall.lot_id)
    assert shown.recorded_at is not None
    assert sorted(bid.outcome for bid in shown.bids) == ["opened", "opened", "opened_by_custodians"]
    told = json.loads((tmp_path / "record.json").read_bytes())
    assert {bid["announced"]["price"] for bid in told["bids"]} == set(PRICES)


def store_clock(store: Store) -> Callable[[], Awaitable[datetime]]:
    """The platform's clock, for witnesses of a demo."""

    async def now() -> datetime:
        async with store.sessions() as session:
            return await store.clock(session)

    return now


async def test_a_custodian_registers_a_key_that_is_made_here(
    store: Store, tender: Tender, settings: Settings, tmp_path: Path
) -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    own = settings.model_copy(update={"origin": f"http://localhost:{listener.getsockname()[1]}"})
    app = create_app(replace(store, settings=own), own)
    async with served(app, lifespan="on", listener=listener) as address:
        typed = Terminals(address, str(tender.lot_id), tmp_path)
        words = ["custody", "register", "--custody-key", str(tmp_path / "new.pem")]
        stranger = await typed.type(*words, who=tender.cast.agency)
        assert stranger.exit_code == 4, stranger.output
        assert not (tmp_path / "new.pem").exists()
        late = await typed.type(*words, who=tender.cast.custodians[0])
        assert late.exit_code == 5, late.output
        assert (tmp_path / "new.pem").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("words", [["custody", "give"], ["opening", "release"]], ids=" ".join)
def test_a_platform_out_of_reach_is_the_network_s_fault(words: list[str], tmp_path: Path) -> None:
    (tmp_path / "key.pem").write_bytes(PrivateKey.generate().to_pem())
    key = str(tmp_path / "key.pem")
    said = [*words, "x", "--url", "http://127.0.0.1:9", "--key", key, "--organisation", "y"]
    extra = {
        "give": ["--custody-key", key, "--log", "x", "--witness", "y"],
        "release": ["--opening-key", key],
    }
    done = CliRunner().invoke(main, [*said, *extra[words[1]]])
    assert done.exit_code == 7, done.output
