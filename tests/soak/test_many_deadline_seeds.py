"""Bidding Law 28: the story of the deadline, from many seeds.

A seed that fails is named with everything that happened; it is then kept among the seeds of
`tests/journeys/test_deadline_race.py`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from kernel.store.database import APP, connect
from kernel.store.transaction import Store
from tests.conftest import Database
from tests.deadline_story import crowded, play_story
from tests.sealed_bids import a_bidder, a_tender
from tests.tenders import a_published_lot

FIRST, LAST, TOGETHER = 1_000, 1_400, 20


@pytest.fixture
async def engine(database: Database) -> AsyncIterator[AsyncEngine]:
    engine = connect(database.url(APP), pool_size=1)
    yield engine
    await engine.dispose()


@pytest.mark.soak
@pytest.mark.timeout(600)
@pytest.mark.parametrize("first_seed", range(FIRST, LAST, TOGETHER))
async def test_no_seed_loses_a_bid_or_makes_one_up(
    store: Store,
    database: Database,
    engine: AsyncEngine,
    first_seed: int,
    sound: Callable[[], Awaitable[None]],
) -> None:
    first = await a_tender(store)
    bidders = [await a_bidder(store) for _ in range(4)]
    async with crowded(store, database.url(APP)) as crowd:
        for seed in range(first_seed, first_seed + TOGETHER):
            lot = await a_published_lot(store, first.cast, first.lot.project_id)
            await play_story(crowd, engine, replace(first, lot=lot), bidders, seed)
    await sound()
