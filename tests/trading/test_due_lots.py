"""What time alone does: Bidding Law 28, 34; Bidding Regulation 44, 54; and the demo's clock."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError
from sqlmodel import col

from kernel.access import PLATFORM, PUBLIC
from kernel.errors import NotPermitted, Refused
from kernel.identifiers import LotId
from kernel.randomness import random_id
from kernel.refusals import Refusal
from kernel.statute import BIDDING_LAW
from kernel.store.clocks import hand_clock
from kernel.store.database import OWNER, connect
from kernel.store.journal import read_view
from kernel.store.tables import ClockJumpRow
from kernel.store.transaction import Store, transaction
from kernel.store.views import PUBLIC_FEED
from tests.conftest import Database
from tests.tenders import NOW, Cast, PublishedLot, a_cast, a_published_lot
from trading import due_lots, lots
from trading.rules.lot_lifecycle import LAWFUL_MOVES, LotMove, LotState
from trading.rules.timetable import Timetable, next_due
from trading.tables import LotRow

Tick = Callable[[], Awaitable[None]]
MOMENT = timedelta(microseconds=1)


@pytest.fixture
async def cast(store: Store) -> Cast:
    return await a_cast(store)


@pytest.fixture
async def lot(store: Store, cast: Cast) -> PublishedLot:
    return await a_published_lot(store, cast)


def at(store: Store, instant: datetime, **settings: Any) -> Store:
    """The same store with the clock held in hand."""
    told = store.settings.model_copy(update=settings)
    return replace(store, clock=hand_clock(instant), settings=told)


async def state_of(store: Store, lot: PublishedLot) -> str:
    async with store.sessions() as session:
        return (await session.get_one(LotRow, lot.lot_id)).state


async def jump(store: Store, cast: Cast, to: datetime) -> datetime:
    async with transaction(store, actor=cast.staff.actor) as tx:
        return await due_lots.jump_clock(tx, to, reason="演示快进")


# ── waking ────────────────────────────────────────────────────────────────────────────────────


async def test_a_lot_is_closed_at_its_deadline_and_not_a_moment_before(
    store: Store, lot: PublishedLot
) -> None:
    assert await due_lots.wake(at(store, lot.bids_due_at - MOMENT)) == 0
    assert await state_of(store, lot) == "open"

    assert await due_lots.wake(at(store, lot.bids_due_at)) == 1
    # Nobody bid, so the lot fails at once.
    assert await state_of(store, lot) == "failed"
    assert await due_lots.wake(at(store, lot.bids_due_at + timedelta(days=1))) == 0


async def test_a_deadline_lets_bids_in_flight_settle_first(store: Store, cast: Cast) -> None:
    settling = at(store, NOW, closer_settle_s=2.0)
    lot = await a_published_lot(settling, cast)
    settled = lot.bids_due_at + timedelta(seconds=2)

    assert await due_lots.wake(at(settling, settled - MOMENT)) == 0
    assert await due_lots.wake(at(settling, settled)) == 1


async def test_a_suspended_lot_is_not_woken(store: Store, lot: PublishedLot) -> None:
    async with transaction(store, actor=PLATFORM, now=NOW) as tx:
        row = await lots.lock(tx, lot.lot_id)
        lots.suspend(tx, row, cause=random_id(), reason="异议尚未答复")

    assert await due_lots.wake(at(store, lot.bids_due_at + timedelta(days=9))) == 0
    assert await state_of(store, lot) == "open"


async def test_several_who_wake_at_once_do_each_act_once(
    store: Store, cast: Cast, lot: PublishedLot
) -> None:
    other = await a_published_lot(store, cast)
    due = at(store, lot.bids_due_at)

    woken = await asyncio.gather(*(due_lots.wake(due) for _ in range(4)))

    assert sum(woken) >= 2
    for one in (lot, other):
        async with store.sessions() as session:
            moves = await session.scalar(
                text(
                    "SELECT count(*) FROM kernel.journal"
                    " WHERE kind = 'LotClosed' AND subject_id = :lot"
                ),
                {"lot": one.lot_id},
            )
        assert moves == 1
        assert await state_of(store, one) == "failed"


@pytest.mark.parametrize(
    "fault", [Refused([Refusal("no", BIDDING_LAW[5], "不行")]), KeyError("price"), OverflowError()]
)
async def test_an_act_that_fails_keeps_no_other_from_its_own(
    store: Store,
    cast: Cast,
    lot: PublishedLot,
    monkeypatch: pytest.MonkeyPatch,
    fault: Exception,
) -> None:
    other = await a_published_lot(store, cast)
    lawful = due_lots.ACTS[LotState.OPEN]

    async def fails_for_one(given: Store, lot_id: LotId) -> object:
        if lot_id == lot.lot_id:
            raise fault
        return await lawful(given, lot_id)

    acts = {**due_lots.ACTS, LotState.OPEN: fails_for_one}
    monkeypatch.setattr(due_lots, "ACTS", acts)

    assert await due_lots.wake(at(store, lot.bids_due_at)) == 1
    assert (await state_of(store, lot), await state_of(store, other)) == ("open", "failed")


def test_every_state_that_time_ends_has_its_act() -> None:
    waiting = {state for state in LotState if next_due(state, _timetable()) is not None}
    assert waiting == set(due_lots.ACTS)
    assert {here for here, _ in LAWFUL_MOVES} >= waiting


# ── the demo's clock ──────────────────────────────────────────────────────────────────────────


async def test_the_clock_jumps_to_where_it_is_told_and_says_so(
    store: Store, cast: Cast, tick: Tick
) -> None:
    to = NOW + timedelta(days=5)

    assert await jump(store, cast, to) == to
    await tick()

    async with transaction(store, actor=PUBLIC) as tx:
        told = await due_lots.platform_time(tx)
    assert timedelta(0) <= told.now - to < timedelta(minutes=1)
    assert told.demo
    async with store.sessions() as session:
        entry = (await read_view(session, PUBLIC_FEED, after=0))[-1]
    assert (entry.kind, entry.facts["to_at"]) == ("ClockJumped", "2026-03-07T01:00:00Z")


async def test_the_clock_never_jumps_past_a_deadline_nor_over_the_settling(
    store: Store, cast: Cast
) -> None:
    settling = replace(
        store, settings=store.settings.model_copy(update={"closer_settle_s": 3600.0})
    )
    lot = await a_published_lot(settling, cast)
    beyond = lot.bids_due_at + timedelta(days=30)

    assert await jump(settling, cast, beyond) == lot.bids_due_at
    assert not await due_lots.is_settled(settling)
    # Bids in flight settle in the world's time: nothing may skip it.
    assert await jump(settling, cast, beyond) < lot.bids_due_at + timedelta(minutes=1)
    assert await due_lots.wake(settling) == 0
    assert await state_of(settling, lot) == "open"


async def test_when_all_that_was_due_is_done_the_clock_jumps_on(
    store: Store, cast: Cast, lot: PublishedLot
) -> None:
    beyond = lot.bids_due_at + timedelta(days=30)
    assert await jump(store, cast, beyond) == lot.bids_due_at

    assert await due_lots.wake(store) == 1
    assert await due_lots.is_settled(store)

    assert await jump(store, cast, beyond) == beyond


async def test_an_instant_already_past_is_no_jump(store: Store, cast: Cast) -> None:
    reached = await jump(store, cast, NOW - timedelta(days=400))

    assert reached >= NOW
    async with store.sessions() as session:
        assert len((await session.scalars(select(col(ClockJumpRow.id)))).all()) == 1


async def test_only_the_centre_moves_the_clock(store: Store, cast: Cast) -> None:
    for player in (cast.supervisor, cast.agency):
        async with transaction(store, actor=player.actor) as tx:
            with pytest.raises(NotPermitted):
                await due_lots.jump_clock(tx, NOW + timedelta(days=1), reason="x")


async def test_the_clock_of_a_database_that_is_no_demo_cannot_be_moved(
    store: Store, cast: Cast, database: Database
) -> None:
    engine = connect(database.url(OWNER), pool_size=1)
    async with engine.begin() as connection:
        await connection.execute(text("ALTER TABLE kernel.platform DISABLE TRIGGER no_rewrite"))
        await connection.execute(text("UPDATE kernel.platform SET demo = false"))
        await connection.execute(text("ALTER TABLE kernel.platform ENABLE TRIGGER no_rewrite"))
    await engine.dispose()

    with pytest.raises(NotPermitted):
        await jump(store, cast, NOW + timedelta(days=1))
    async with store.sessions() as session:
        with pytest.raises(DBAPIError, match="only a demo"):
            await session.execute(
                text(
                    "INSERT INTO kernel.clock_jump (offset_by, reason, jumped_at)"
                    " VALUES (interval '1 day', 'x', now())"
                )
            )


def test_a_moment_that_comes_is_a_lawful_move() -> None:
    for state in due_lots.ACTS:
        due = next_due(state, _timetable())
        assert due is not None
        assert (state, due.move) in LAWFUL_MOVES
    assert (LotState.OPEN, LotMove.BEGIN_CLOSING) in LAWFUL_MOVES


def _timetable() -> Timetable:
    return Timetable(
        published_at=NOW,
        documents_from=NOW,
        documents_until=NOW + timedelta(days=7),
        bids_due_at=NOW + timedelta(days=21),
        release_window=timedelta(minutes=30),
        publicity_days=3,
        validity_days=90,
        candidates_until=NOW + timedelta(days=40),
    )
