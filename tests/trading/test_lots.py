"""Bidding Law 5; Bidding Regulation 22, 62; and the second lock on the lot's door."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError
from sqlmodel import col

from kernel.access import PLATFORM
from kernel.errors import NotFound, Refused
from kernel.events import Audience
from kernel.randomness import random_id
from kernel.store.database import OWNER, connect
from kernel.store.journal import read_view
from kernel.store.transaction import Store, transaction
from kernel.store.views import room
from tests.conftest import Database
from tests.tenders import NOW, Cast, PublishedLot, a_cast, a_published_lot
from trading import lots
from trading.rules.lot_lifecycle import LAWFUL_MOVES, LotMove, LotState
from trading.tables import LawfulMoveRow, LotRow

CAUSE, OTHER = random_id(), random_id()


@pytest.fixture
async def cast(store: Store) -> Cast:
    return await a_cast(store)


@pytest.fixture
async def lot(store: Store, cast: Cast) -> PublishedLot:
    return await a_published_lot(store, cast)


async def row_of(store: Store, lot: PublishedLot) -> LotRow:
    async with store.sessions() as session:
        return await session.get_one(LotRow, lot.lot_id)


async def test_the_database_knows_exactly_the_moves_that_the_rule_knows(store: Store) -> None:
    async with store.sessions() as session:
        rows = await session.execute(
            select(col(LawfulMoveRow.came_from), col(LawfulMoveRow.went_to))
        )
    kept = {(came_from, went_to) for came_from, went_to in rows}

    assert kept == {(str(here), str(there)) for (here, _), (there, _) in LAWFUL_MOVES.items()}


async def test_no_hand_can_take_a_lot_where_no_move_leads(
    database: Database, lot: PublishedLot
) -> None:
    lawful = {(str(here), str(there)) for (here, _), (there, _) in LAWFUL_MOVES.items()}
    # The owner of the tables writes here, so that it is the trigger that answers.
    engine = connect(database.url(OWNER), pool_size=1)
    async with engine.connect() as connection:
        for here, there in itertools.permutations(LotState, 2):
            await connection.execute(text("ALTER TABLE trading.lot DISABLE TRIGGER lawful_move"))
            await connection.execute(
                text("UPDATE trading.lot SET state = CAST(:s AS text), path = ARRAY[:s]"),
                {"s": str(here)},
            )
            await connection.execute(text("ALTER TABLE trading.lot ENABLE TRIGGER lawful_move"))
            step = text("UPDATE trading.lot SET state = CAST(:s AS text), path = path || :s")
            if (str(here), str(there)) in lawful:
                await connection.execute(step, {"s": str(there)})
            else:
                with pytest.raises(DBAPIError, match="no lawful move leads"):
                    await connection.execute(step, {"s": str(there)})
            await connection.rollback()
    await engine.dispose()


async def test_a_lot_begins_as_a_draft(store: Store, lot: PublishedLot) -> None:
    async with store.sessions() as session:
        with pytest.raises(DBAPIError, match="begins as a draft"):
            session.add(
                LotRow(
                    id=random_id(),
                    project_id=lot.project_id,
                    number=9,
                    name="x",
                    state="open",
                    region_code="420100",
                    estimate=Decimal(1),
                    created_by=random_id(),
                    created_at=NOW,
                )
            )
            await session.flush()


async def test_a_move_is_recorded_with_the_moment_that_comes_next(
    store: Store, lot: PublishedLot, tick: Callable[[], Awaitable[None]]
) -> None:
    async with transaction(store, actor=PLATFORM, now=NOW) as tx:
        row = await lots.lock(tx, lot.lot_id)
        lots.move(tx, row, LotMove.BEGIN_CLOSING)
        lots.move(tx, row, LotMove.CLOSE)
    await tick()

    assert (await row_of(store, lot)).state == "closed"
    async with store.sessions() as session:
        seen = await read_view(session, room(lot.lot_id, Audience.PUBLIC), after=0)
    steps = [(e.facts["came_from"], e.facts["went_to"]) for e in seen if e.kind == "LotMoved"]
    assert steps == [("draft", "open"), ("open", "closing"), ("closing", "closed")]


async def test_an_unlawful_move_changes_nothing(store: Store, lot: PublishedLot) -> None:
    async with transaction(store, actor=PLATFORM, now=NOW) as tx:
        row = await lots.lock(tx, lot.lot_id)
        with pytest.raises(Refused):
            lots.move(tx, row, LotMove.AWARD)

    assert (await row_of(store, lot)).state == "open"


async def test_a_braked_lot_keeps_its_place_until_the_last_cause_is_gone(
    store: Store, lot: PublishedLot
) -> None:
    async with transaction(store, actor=PLATFORM, now=NOW) as tx:
        row = await lots.lock(tx, lot.lot_id)
        lots.suspend(tx, row, cause=CAUSE, reason="对招标文件的异议尚未答复")
        lots.suspend(tx, row, cause=OTHER, reason="另一项异议尚未答复")
        lots.suspend(tx, row, cause=OTHER, reason="另一项异议尚未答复")
        with pytest.raises(Refused, match="标段已暂停"):
            lots.move(tx, row, LotMove.CANCEL)
    row = await row_of(store, lot)
    assert (row.suspended, row.due_at, len(row.brakes)) == (True, None, 2)

    async with transaction(store, actor=PLATFORM, now=NOW) as tx:
        row = await lots.lock(tx, lot.lot_id)
        lots.resume(tx, row, cause=CAUSE, reason="已答复")
        assert row.suspended
        lots.resume(tx, row, cause=OTHER, reason="已答复")
    row = await row_of(store, lot)
    assert (row.suspended, row.due_at, row.brakes) == (False, lot.bids_due_at, {})


async def test_the_database_too_holds_a_braked_lot(store: Store, lot: PublishedLot) -> None:
    async with transaction(store, actor=PLATFORM, now=NOW) as tx:
        row = await lots.lock(tx, lot.lot_id)
        lots.suspend(tx, row, cause=CAUSE, reason="x")

    async with store.sessions() as session:
        with pytest.raises(DBAPIError, match="a suspended lot does not move"):
            await session.execute(
                text("UPDATE trading.lot SET state = 'cancelled', path = path || 'cancelled'::text")
            )


async def test_the_states_a_lot_has_been_in_cannot_be_rewritten(
    store: Store, lot: PublishedLot
) -> None:
    assert (await row_of(store, lot)).path == ["draft", "open"]
    for change in (
        "path = ARRAY['open']",
        "path = path || 'closing'::text",
        "state = 'closing'",
        "state = 'closing', path = ARRAY['open', 'closing']",
    ):
        async with store.sessions() as session:
            with pytest.raises(DBAPIError, match="path only grows"):
                await session.execute(text(f"UPDATE trading.lot SET {change}"))


async def test_a_lot_whose_deadline_passed_while_braked_is_not_simply_resumed(
    store: Store, lot: PublishedLot
) -> None:
    async with transaction(store, actor=PLATFORM, now=NOW) as tx:
        lots.suspend(tx, await lots.lock(tx, lot.lot_id), cause=CAUSE, reason="x")
    late = lot.bids_due_at + timedelta(hours=1)

    async with transaction(store, actor=PLATFORM, now=late) as tx:
        row = await lots.lock(tx, lot.lot_id)
        with pytest.raises(Refused) as refused:
            lots.resume(tx, row, cause=CAUSE, reason="x")

    assert [one.code for one in refused.value.refusals] == ["deadline_passed_meanwhile"]
    assert (await row_of(store, lot)).suspended


async def test_whoever_moves_a_lot_waits_for_those_who_hold_it(
    store: Store, lot: PublishedLot
) -> None:
    order: list[str] = []
    held = asyncio.Event()

    async def bidder(name: str) -> None:
        async with transaction(store, actor=PLATFORM, now=NOW) as tx:
            await lots.hold(tx, lot.lot_id)
            order.append(f"{name} holds")
            if order.count("a holds") and order.count("b holds"):
                held.set()
            await asyncio.wait_for(held.wait(), 10)
            order.append(f"{name} lets go")

    async def closer() -> datetime | None:
        await asyncio.wait_for(held.wait(), 10)
        async with transaction(store, actor=PLATFORM, now=NOW) as tx:
            row = await lots.lock(tx, lot.lot_id)
            order.append("locked")
            return row.bids_due_at

    await asyncio.gather(bidder("a"), bidder("b"), closer())

    assert set(order[:2]) == {"a holds", "b holds"}
    assert order[-1] == "locked"


async def test_what_a_locker_reads_is_what_the_one_before_committed(
    store: Store, lot: PublishedLot
) -> None:
    locked, waiting = asyncio.Event(), asyncio.Event()

    async def first() -> None:
        async with transaction(store, actor=PLATFORM, now=NOW) as tx:
            row = await lots.lock(tx, lot.lot_id)
            locked.set()
            await asyncio.wait_for(waiting.wait(), 10)
            lots.move(tx, row, LotMove.BEGIN_CLOSING)

    async def second() -> str:
        async with transaction(store, actor=PLATFORM, now=NOW) as tx:
            await asyncio.wait_for(locked.wait(), 10)
            await tx.session.get_one(LotRow, lot.lot_id)  # read while the other still works on it
            waiting.set()
            return (await lots.hold(tx, lot.lot_id)).state

    _, seen = await asyncio.gather(first(), second())

    assert seen == "closing"


async def test_an_unknown_lot_is_not_found(store: Store) -> None:
    async with transaction(store, actor=PLATFORM, now=NOW) as tx:
        with pytest.raises(NotFound):
            await lots.hold(tx, random_id())
