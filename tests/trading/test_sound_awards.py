"""Bidding Law 40, 45; Bidding Regulation 22, 54: what is stored of awards agrees with itself."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from kernel.randomness import random_bytes, random_id
from kernel.store.transaction import Store
from tests.awards import (
    Evaluated,
    answered,
    awarded,
    candidates_published,
    objected,
    standstill_ended,
)
from tests.sealed_bids import a_bidder
from trading.sound_awards import award_faults
from trading.tables import AwardNoticeRow, ObjectionRow, TakenReportRow

PRICES = ("118600000.00", "121300000.00", "119950000.00")


async def faults(store: Store) -> list[str]:
    engine = store.sessions.kw["bind"]
    assert isinstance(engine, AsyncEngine)
    async with engine.connect() as connection:
        return await award_faults(connection)


async def added(store: Store, row: Any) -> None:
    async with store.sessions() as session, session.begin():
        session.add(row)


async def test_a_lot_on_its_way_to_the_award_is_sound_at_every_step(
    store: Store, evaluated: Evaluated
) -> None:
    lot_id = evaluated.hall.lot_id
    assert await faults(store) == []
    published = await candidates_published(evaluated)
    then = published.until - timedelta(hours=9)
    raised = await objected(store, evaluated.ranked[1].player, lot_id, "result", now=then)
    assert await faults(store) == []
    await answered(store, evaluated.agency, lot_id, raised, now=then)
    await standstill_ended(evaluated, published.until)
    await awarded(evaluated, evaluated.ranked[0], now=published.until)
    assert await faults(store) == []


async def test_a_notice_too_many_is_found(store: Store, evaluated: Evaluated) -> None:
    published = await candidates_published(evaluated)
    await standstill_ended(evaluated, published.until)
    await awarded(evaluated, evaluated.ranked[0], now=published.until)
    await added(
        store,
        AwardNoticeRow(
            lot_id=evaluated.hall.lot_id,
            award_number=1,
            bidder_id=(await a_bidder(store)).party,
            won=True,
            entry_id=random_id(),
            noticed_at=published.until + timedelta(seconds=1),
        ),
    )
    found = " ".join(await faults(store))
    assert "not exactly the bidders" in found
    assert "different moments" in found
    assert "tells the award" in found


async def test_an_objection_that_holds_nothing_and_a_causeless_brake_are_found(
    store: Store,
    evaluated: Evaluated,
) -> None:
    objector = evaluated.ranked[1].player
    await added(
        store,
        ObjectionRow(
            id=random_id(),
            lot_id=evaluated.hall.lot_id,
            about="result",
            objector_id=objector.party,
            person_id=objector.person,
            request="…",
            grounds="…",
            evidence=[],
            interest="",
            digest=random_bytes(32),
            statement=b"",
            waits=True,
            raised_at=evaluated.reported_at,
            answer_due_at=evaluated.reported_at,
        ),
    )
    async with store.sessions() as session, session.begin():
        await session.execute(text("UPDATE trading.lot SET suspended = true"))
    found = " ".join(await faults(store))
    assert "waits and does not hold" in found
    assert "suspended without a cause" in found


async def test_a_report_that_judges_other_bids_is_found(store: Store, evaluated: Evaluated) -> None:
    await added(
        store,
        TakenReportRow(
            lot_id=evaluated.hall.lot_id,
            round=2,
            report_digest=random_bytes(32),
            all_rejected=False,
            taken_at=evaluated.reported_at,
        ),
    )
    assert "judges other bids" in " ".join(await faults(store))
