"""Many writers, slow commits, a sequencer that dies: every entry once, causes before effects."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import ClassVar

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from kernel.access import PLATFORM
from kernel.events import Audience, Event
from kernel.failpoints import FailpointHit, arm
from kernel.randomness import random_id
from kernel.store.database import LOG, connect
from kernel.store.journal import read_after
from kernel.store.sequencer import lead, sequence_once
from kernel.store.transaction import Store, transaction
from tests.conftest import Database

WRITERS = 8
CHAINS = 6


@dataclass(frozen=True, slots=True)
class Told(Event):
    audience: ClassVar[Audience] = Audience.PUBLIC
    writer: int
    link: int
    cause: str


async def _write_chain(store: Store, writer: int, dice: random.Random) -> list[str]:
    written: list[str] = []
    for link in range(CHAINS):
        async with transaction(store, actor=PLATFORM) as tx:
            cause = written[-1] if written else ""
            written.append(str(tx.record(Told(random_id(), writer, link, cause))))
            await tx.write_journal()
            # Some commit long after their number was drawn: others overtake them.
            await asyncio.sleep(dice.choice((0, 0, 0.002, 0.03)))
    return written


async def _sequence_until(engine: AsyncEngine, done: asyncio.Event, dice: random.Random) -> int:
    deaths = 0
    while True:
        finished = done.is_set()
        # The first to reach a step dies for certain; later ones as the dice fall.
        doomed = not deaths or dice.random() < 0.4
        arm(
            dice.choice(("sequencer.before_delete=raise", "sequencer.after_commit=raise"))
            if doomed
            else ""
        )
        try:
            async with engine.connect() as connection:
                taken = await sequence_once(connection)
        except FailpointHit:
            deaths += 1
            continue
        finally:
            arm("")
        if finished and not taken:
            return deaths
        await asyncio.sleep(0.001)


@pytest.mark.parametrize("seed", range(5))
async def test_a_reader_sees_every_entry_exactly_once_with_causes_before_effects(
    store: Store,
    log_line: AsyncEngine,
    tick: Callable[[], Awaitable[None]],
    sound: Callable[[], Awaitable[None]],
    seed: int,
) -> None:
    dice = random.Random(seed)
    done = asyncio.Event()
    sequencing = asyncio.create_task(_sequence_until(log_line, done, dice))
    chains = await asyncio.gather(
        *(_write_chain(store, n, random.Random(seed * 100 + n)) for n in range(WRITERS))
    )
    done.set()
    deaths = await sequencing

    async with store.sessions() as session:
        entries, after = [], 0
        while page := await read_after(session, after, limit=7):
            entries += page
            after = page[-1].number
    told = [entry for entry in entries if entry.kind == "Told"]
    places = {str(entry.id): entry.number for entry in told}
    assert sorted(places) == sorted(entry for chain in chains for entry in chain)
    assert len(told) == len(places)
    assert [entry.number for entry in entries] == list(range(1, len(entries) + 1))
    for entry in told:
        if entry.facts["cause"]:
            assert places[entry.facts["cause"]] < entry.number
    assert deaths > 0
    await tick()
    await sound()


async def test_only_one_process_leads_and_another_takes_over_when_its_line_ends(
    store: Store, database: Database
) -> None:
    first, second = (connect(database.url(LOG), pool_size=1) for _ in range(2))
    async with second.connect() as waiting:
        async with first.connect() as leading:
            assert await lead(leading)
            assert not await lead(waiting)
            await leading.invalidate()
        await first.dispose()
        for _ in range(100):
            if await lead(waiting):
                break
            await asyncio.sleep(0.02)
        else:
            pytest.fail("nobody took over")
    await second.dispose()
