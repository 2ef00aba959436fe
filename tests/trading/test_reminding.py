"""UX 12.2: what is near is told to those who can still act, each stage once, and to nobody else."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlmodel import col

from kernel.access import Role
from kernel.store import outbox
from kernel.store.tables import JournalRow, NotificationRow
from kernel.store.transaction import Store, transaction
from kernel.working_days import end_of_day
from tests.awards import Evaluated, awarded, candidates_published, objected, standstill_ended
from tests.opened_lots import Hall, everything_opened, released, window_ended
from tests.post_office import told
from tests.sealed_bids import Tender, a_bidder, at
from tests.tenders import NOW, Player
from trading import reminding, tendering
from trading.events import (
    AnswerFallingDue,
    ContractFallingDue,
    OpeningNear,
    PublicityEnding,
    ReleaseWindowEnding,
    SharesAwaited,
)

MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)
INSTANT = timedelta(microseconds=1)


async def reminded(store: Store, now: datetime) -> Counter[str]:
    """How many entries of each kind a reminder at this moment leaves; a second one leaves none."""

    async def so_far() -> Counter[str]:
        async with store.sessions() as session:
            return Counter(
                await session.scalars(
                    select(col(JournalRow.kind)).where(
                        col(JournalRow.kind).in_(
                            one.__name__
                            for one in (
                                *(OpeningNear, ReleaseWindowEnding, SharesAwaited),
                                *(PublicityEnding, AnswerFallingDue, ContractFallingDue),
                            )
                        )
                    )
                )
            )

    before = await so_far()
    await reminding.remind(at(store, now))
    after = await so_far()
    assert await reminding.remind(at(store, now)) == 0
    return after - before


async def topics_of(store: Store, who: Player) -> set[str]:
    async with transaction(store, actor=who.actor) as tx:
        return {one.topic for one in (await outbox.inbox(tx)).notifications}


async def test_an_opening_is_near_to_all_and_nobody_learns_who_will_be_there(
    store: Store, tender: Tender, tick: Callable[[], Awaitable[None]]
) -> None:
    taker, outsider = await a_bidder(store), await a_bidder(store)
    near = tender.due_at - 30 * MINUTE
    async with transaction(store, actor=taker.actor, now=NOW) as tx:
        await tendering.take_documents(tx, tender.lot_id)
    assert await reminded(store, near - INSTANT) == {}
    assert await reminded(store, near) == {"OpeningNear": 1}
    assert await reminded(store, tender.due_at) == {}
    await tick()
    await told(store)
    assert "opening_near" in await topics_of(store, taker)
    assert "opening_near" not in await topics_of(store, outsider)
    assert "opening_near" in await topics_of(store, tender.cast.tenderee)


async def test_who_has_not_decrypted_and_who_keeps_a_key_is_told_and_who_has_done_it_is_not(
    store: Store, hall: Hall, tick: Callable[[], Awaitable[None]]
) -> None:
    done, *late = hall.entries
    await released(hall, done)
    ends_at = await hall.window_ends_at()
    first = await reminded(store, ends_at - 10 * MINUTE)
    assert first["ReleaseWindowEnding"] == len(late)
    assert first["SharesAwaited"] > 0
    await tick()
    await told(store)
    assert ["release_ending" in await topics_of(store, one.player) for one in hall.entries] == [
        False,
        True,
        True,
    ]
    async with store.sessions() as session:
        roles = await session.scalars(
            select(col(NotificationRow.role)).where(col(NotificationRow.topic) == "shares_awaited")
        )
        assert set(roles) == {Role.CUSTODIAN}

    await released(hall, late[0])
    assert await reminded(store, ends_at - 3 * MINUTE) == {"ReleaseWindowEnding": 1}
    await released(hall, late[1])
    await window_ended(hall)
    assert await reminded(store, ends_at) == {"SharesAwaited": first["SharesAwaited"]}
    await everything_opened(hall)
    assert await reminded(store, ends_at + MINUTE) == {}


async def test_an_answer_that_falls_due_is_told_to_the_tenderee_and_its_agency(
    store: Store, evaluated: Evaluated
) -> None:
    published = await candidates_published(evaluated)
    second = evaluated.ranked[1].player
    lot_id = evaluated.hall.lot_id
    raised = await objected(
        store, second, lot_id, "result", now=evaluated.reported_at + timedelta(hours=2)
    )
    assert published.until > raised.answer_due_at - DAY
    assert await reminded(store, raised.answer_due_at - DAY - INSTANT) == {}
    # The objection brakes the lot, so that nobody is told of an end of the publicity.
    assert await reminded(store, raised.answer_due_at - DAY) == {"AnswerFallingDue": 2}


async def test_the_end_of_publicity_is_told_to_all_and_a_contract_that_falls_due_to_both_sides(
    store: Store, evaluated: Evaluated
) -> None:
    published = await candidates_published(evaluated)
    assert await reminded(store, published.until - DAY - INSTANT) == {}
    assert await reminded(store, published.until - DAY) == {"PublicityEnding": 1}
    await standstill_ended(evaluated, published.until)
    award = await awarded(evaluated, evaluated.ranked[0], now=published.until)
    due_at = end_of_day(award.contract_due_on)
    assert await reminded(store, due_at - 7 * DAY - INSTANT) == {}
    for ahead in (7 * DAY, DAY):
        assert await reminded(store, due_at - ahead) == {"ContractFallingDue": 3}
    assert await reminded(store, due_at) == {}
