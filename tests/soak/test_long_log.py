"""A long log: thousands of entries by many writers, leaders that die, and every invariant after."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from datetime import timedelta
from itertools import cycle
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from kernel.access import PLATFORM, Actor
from kernel.crypto.receipts import verify_proof
from kernel.events import Event
from kernel.failpoints import FailpointHit, arm
from kernel.identifiers import EntryId
from kernel.randomness import random_id
from kernel.settings import Settings
from kernel.store import founding
from kernel.store.database import LOG, connect
from kernel.store.journal import read_after, read_view
from kernel.store.sequencer import sequence_once
from kernel.store.transaction import Store, transaction
from kernel.store.transparency_log import (
    disclose_fillers,
    integrate_once,
    publish_once,
    receipt_of,
    tree_now,
)
from kernel.store.views import PUBLIC_FEED
from kernel.store.witnesses import ask_all
from tests.conftest import START, Database
from tests.log_story import (
    Bystander,
    Sealed,
    Slipped,
    Unsealed,
    Uttered,
    bystanders,
    somebody,
    write_export,
)
from web.verifying.log_export import verify

WRITERS, TURNS, LOTS = 8, 250, 12
DEATHS = (
    "sequencer.before_delete=raise",
    "sequencer.after_commit=raise",
    "log.before_commit=raise",
    "log.after_integration=raise",
    "log.after_publication=raise",
)


class Story:
    """Writers who never stop, and a log that is kept by leaders who keep dying."""

    def __init__(self, store: Store, settings: Settings, seed: int) -> None:
        self.store = store
        self.signer = founding.read_keys(settings).log_signer
        self.deadly = cycle(random.Random(seed).sample(DEATHS, len(DEATHS)))
        self.turns = 0
        self.lots = [random_id() for _ in range(LOTS)]
        self.slips: list[EntryId] = []
        self.sizes: list[int] = []
        self.deaths = 0

    async def _enter(self, events: list[Event], actor: Actor) -> list[EntryId]:
        async with transaction(self.store, actor=actor) as tx:
            return [tx.record(event) for event in events]

    async def write(self, seed: int) -> int:
        dice, written = random.Random(seed), 0
        for _ in range(TURNS):
            lot = dice.choice(self.lots)
            if dice.random() < 0.4:
                self.slips += await self._enter([Slipped(lot, START, START)], somebody())
                written += 1
            else:
                words: list[Event] = [Uttered(lot, "x" * dice.randrange(900)) for _ in range(3)]
                await self._enter(words, PLATFORM)
                written += 3
            await asyncio.sleep(0)
        return written

    async def open_and_close_lots(self) -> int:
        for lot in self.lots:
            await self._enter([Sealed(lot)], PLATFORM)
        for lot in self.lots:
            await asyncio.sleep(0.2)
            await self._enter([Unsealed(lot)], PLATFORM)
        return 2 * LOTS

    async def tick(self, engine: AsyncEngine) -> None:
        """One leader's turn, every other one its last; the next one goes on from what is there."""
        self.turns += 1
        arm(next(self.deadly) if self.turns % 2 == 0 else "")
        try:
            async with engine.connect() as connection:
                while await sequence_once(connection):
                    pass
                await integrate_once(connection, epoch_length=timedelta(seconds=1))
                note = await publish_once(connection, self.signer)
                await disclose_fillers(connection)
                self.sizes.append(int(note.split("\n")[1]))
        except FailpointHit:
            self.deaths += 1
        finally:
            arm("")


@pytest.mark.soak
@pytest.mark.timeout(240)
@pytest.mark.parametrize("seed", [1, 2])
async def test_a_long_log_kept_by_leaders_who_die_is_sound_whole_and_witnessed(
    store: Store,
    database: Database,
    settings: Settings,
    sound: Callable[[], Awaitable[None]],
    tmp_path: Path,
    seed: int,
) -> None:
    story = Story(store, settings, seed)
    log = story.signer.vkey
    engine = connect(database.url(LOG), pool_size=4)
    async with bystanders(2, log_vkey=log, folder=tmp_path) as both:
        told = [one.told for one in both]
        writing = asyncio.gather(
            *(story.write(seed * 100 + number) for number in range(WRITERS)),
            story.open_and_close_lots(),
        )
        while not writing.done() or story.deaths < len(DEATHS):
            await story.tick(engine)
            await ask_all(engine, told, quorum=2)
        written = sum(await writing)
        # What the dying left undone is done by whoever comes next, and the last keys come out.
        for _ in range(3):
            await asyncio.sleep(1.0)
            await story.tick(engine)
            await story.tick(engine)
        while not story.sizes or story.sizes[-1] != await tree_size(engine):
            await story.tick(engine)
        await ask_all(engine, told, quorum=2)

        await sound()
        assert story.sizes == sorted(story.sizes)
        await all_are_there_once(store, written)
        await every_slip_has_its_receipts(story, both)
        async with engine.connect() as connection:
            named = settings.model_copy(
                update={"witnesses": tuple(" ".join(one) for one in told), "witness_quorum": 2}
            )
            size, _, _ = await write_export(connection, tmp_path / "export", named)
    await engine.dispose()
    found = await asyncio.to_thread(verify, tmp_path / "export")
    assert found.ok, [check for check in found.plain()["checks"] if not check["passed"]]
    assert size > written
    assert found.found["disclosed_fillers_until"] > 0


async def tree_size(engine: AsyncEngine) -> int:
    async with engine.connect() as connection:
        return (await tree_now(connection)).size


async def all_are_there_once(store: Store, written: int) -> None:
    async with store.sessions() as session:
        seen, after = [], 0
        while page := await read_after(session, after, limit=1000):
            seen += [entry.id for entry in page if entry.kind in OURS]
            after = page[-1].number
        assert len(seen) == len(set(seen)) == written
        numbers, after = [], 0
        while view := await read_view(session, PUBLIC_FEED, after=after, limit=1000):
            numbers += [entry.number for entry in view]
            after = view[-1].number
        assert numbers == list(range(1, len(numbers) + 1))


OURS = {"Uttered", "Slipped", "Sealed", "Unsealed"}


async def every_slip_has_its_receipts(story: Story, both: list[Bystander]) -> None:
    keys = [one.signer.vkey for one in both]
    assert len(story.slips) > 500
    async with story.store.sessions() as session:
        for entry in story.slips:
            for witnessed in (False, True):
                receipt = await receipt_of(session, entry, witnessed=witnessed)
                assert receipt is not None
                proven = verify_proof(receipt, log_vkey=story.signer.vkey, witness_vkeys=keys)
                assert len(proven.checkpoint.cosignatures) >= (2 if witnessed else 0)
