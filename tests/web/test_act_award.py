"""The rehearsal's award on a lot of the tests: Bidding Law 26, 45; Regulation 54, 55."""

from __future__ import annotations

import asyncio
import io
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from rich.console import Console

from kernel.crypto.digests import unb64u
from kernel.crypto.receipts import verify_proof
from kernel.crypto.signing import Envelope, verify
from kernel.settings import Settings
from kernel.store import founding
from kernel.store.transaction import Store
from tests.awards import Evaluated
from tests.sealed_bids import ticking
from tests.tenders import Player
from tests.web.browser import served
from tests.web.tender_house import token_of
from trading import due_lots
from web.app import create_app
from web.client import Client
from web.rehearsal import act_award
from web.rehearsal import stage as stages
from web.rehearsal.stage import Facts, Stage


@asynccontextmanager
async def waking(store: Store) -> AsyncIterator[None]:
    """What is due is done, again and again, until the block ends."""

    async def beat() -> None:
        while True:
            await due_lots.wake(store)
            await asyncio.sleep(0.05)

    task = asyncio.create_task(beat())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.mark.timeout(240)
async def test_the_award_meets_every_expectation_and_its_papers_verify(
    store: Store,
    evaluated: Evaluated,
    settings: Settings,
    tmp_path: Path,
    tick: Callable[[], Awaitable[None]],
    clock_to: Callable[..., Awaitable[None]],
) -> None:
    await clock_to(evaluated.reported_at)
    cast = evaluated.hall.tender.cast
    listener = socket.create_server(("127.0.0.1", 0))
    origin = f"http://localhost:{listener.getsockname()[1]}"
    told = settings.model_copy(update={"origin": origin, "witness_quorum": 0})
    vkey = founding.read_keys(settings).log_signer.vkey
    facts = Facts(log_vkey=vkey, lot1=str(evaluated.hall.lot_id))
    stage = Stage(told, tmp_path / "out", Console(file=io.StringIO()), facts=facts)
    parts = {
        "agency": cast.agency,
        "tenderee": cast.tenderee,
        "supervisor": cast.supervisor,
        "centre": cast.staff,
    }
    parts |= {f"bidder{n}": entry.player for n, entry in enumerate(evaluated.ranked, 1)}

    async def enter(name: str, who: Player) -> None:
        client = Client(origin, who.key)
        client.token = await token_of(store, who)
        stage.players[name] = stages.Player(
            name,
            str(who.actor.role),
            who.organisation,
            who.key,
            client,
            str(who.party),
            str(who.person),
        )

    async with (
        served(create_app(store, told), lifespan="on", listener=listener),
        ticking(tick),
        waking(store),
    ):
        for name, who in parts.items():
            await enter(name, who)
        stage.staff_client = stage["centre"]
        await act_award.play(stage)
        for player in stage.players.values():
            await player.client.aclose()

    assert sorted(stage.shown) == [46, 47, 48, 49, 50, 51]
    assert {one.id: one.detail for one in stage.shown.values() if not one.met} == {}
    folder = stage.out / "award"
    keys = json.loads((folder / "keys.json").read_text())
    signers = {keyid: unb64u(key) for keyid, key in keys["signers"].items()}
    for name in ("candidates", "award"):
        assert verify(Envelope.from_bytes((folder / f"{name}.dsse").read_bytes()), keys=signers)
        proof = (folder / f"{name}.tlog-proof").read_text()
        proven = verify_proof(proof, log_vkey=keys["log"], witness_vkeys=())
        assert json.loads(proven.record)["subject"] == facts.lot1
