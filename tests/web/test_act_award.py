"""The rehearsal's award on a lot of the tests: Bidding Law 26, 45; Regulation 54, 55."""

from __future__ import annotations

import asyncio
import io
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from rich.console import Console

from kernel.crypto.digests import parse_instant
from kernel.settings import Settings
from kernel.store import founding
from kernel.store.transaction import Store
from kernel.working_days import beijing_day, end_of_day, last_day
from tests.awards import Evaluated
from tests.kept_stores import WITNESSES, witnessed
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
from web.verifying import award_papers
from web.verifying.draw_transcript import TrustedLog


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return witnessed(settings)


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
    told = settings.model_copy(update={"origin": origin})
    vkey = founding.read_keys(settings).log_signer.vkey
    witnesses = tuple(one.vkey for one in WITNESSES)
    facts = Facts(log_vkey=vkey, witness_vkeys=witnesses, lot1=str(evaluated.hall.lot_id))
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
    known = TrustedLog(vkey, witnesses, 2)
    verdict = award_papers.verify(folder, trusted=known)
    assert [check for check in verdict.checks if not check.passed] == []
    assert verdict.found["lot"] == facts.lot1


@pytest.mark.parametrize(
    ("published_at", "until"),
    [
        # Thursday: the third day is a Sunday, and the next working day is Monday.
        ("2026-03-26T04:31:49Z", "2026-03-30T16:00:00Z"),
        ("2026-03-23T08:00:00Z", "2026-03-26T16:00:00Z"),
        # Late in the evening of the world it is already the next day in Beijing.
        ("2026-03-23T16:30:00Z", "2026-03-27T16:00:00Z"),
        # 清明节: Wednesday's third day is Saturday the 4th, and Tuesday the 7th is worked again.
        ("2026-04-01T02:00:00Z", "2026-04-07T16:00:00Z"),
    ],
)
def test_three_days_are_counted_as_the_law_counts(published_at: str, until: str) -> None:
    """And the house counts the same: Regulation 54; each by its own arithmetic."""
    published = parse_instant(published_at)
    assert act_award.three_days_on(published) == parse_instant(until)
    assert end_of_day(last_day(beijing_day(published), 3)) == parse_instant(until)
