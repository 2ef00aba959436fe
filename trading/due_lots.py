"""Wakes each lot whose next moment has come; the scheduler calls nothing else.

When a lot is due stands in its row, so nothing is lost when a process dies: whoever wakes next
finds it. A lot is claimed by a lock of the claiming connection, not of the row, since the act
itself works in transactions of its own, which a row lock held here would keep out for ever.

A demo's clock jumps only from here, because it may never jump past what is due.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import structlog
from sqlalchemy import ColumnElement, and_, case, func, select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from kernel.access import Role, by
from kernel.errors import NotPermitted, PlatformError, Refused
from kernel.identifiers import LotId
from kernel.store.clocks import platform_clock, unshifted_clock
from kernel.store.database import lock_exclusive, lock_key
from kernel.store.events import PLATFORM_ITSELF, ClockJumped
from kernel.store.tables import ClockJumpRow, PlatformRow
from kernel.store.transaction import Store, Transaction
from trading import awarding, closing, complaining, opening
from trading.rules.lot_lifecycle import LotState
from trading.tables import ListingRow, LotRow

log = structlog.get_logger()

DueAct = Callable[[Store, LotId], Awaitable[object]]


ACTS: Final[Mapping[LotState, DueAct]] = {
    LotState.OPEN: closing.close_lot,
    LotState.CLOSING: closing.close_lot,
    LotState.CLOSED: closing.close_lot,
    LotState.OPENING: opening.proceed,
    LotState.CANDIDATES_PUBLISHED: awarding.end_standstill,
}
"""What time alone does to a lot, by the state it is in when its moment comes."""


@dataclass(frozen=True, slots=True)
class PlatformTime:
    """The platform's time as visitors see it; a demo's runs `offset` ahead of the world's."""

    now: datetime
    offset: timedelta
    demo: bool


def _kind(error: PlatformError) -> str:
    """What kind of error it is, with the codes of its grounds; never its words."""
    codes = [one.code for one in error.refusals] if isinstance(error, Refused) else []
    return " ".join([type(error).__name__, *codes])


async def wake(store: Store) -> int:
    """Do every act that is due now, and end what may suspend no longer; how many lots were woken.

    A lot whose act fails stays due and does not keep the others from theirs.
    """
    async with store.sessions() as session:
        due = await _due(session, await store.clock(session))
    woken = 0
    for lot_id in due:
        async with _claimed(store, lot_id) as state:
            if state is None:
                continue
            try:
                await ACTS[state](store, lot_id)
            except PlatformError as error:
                log.warning("a due act could not be done", lot=str(lot_id), error=_kind(error))
            except Exception as error:
                # A defect of ours in one lot. What it says may hold what is still sealed.
                log.error("a due act broke", lot=str(lot_id), error=type(error).__name__)
            else:
                woken += 1
    return woken + await complaining.end_spent_suspensions(store)


async def _due(session: AsyncSession, now: datetime) -> list[LotId]:
    ids = await session.scalars(
        select(col(LotRow.id)).where(_is_due(now)).order_by(col(LotRow.due_at), col(LotRow.id))
    )
    return [LotId(id) for id in ids]


def _is_due(now: datetime) -> ColumnElement[bool]:
    return and_(
        col(LotRow.suspended).is_(False),
        col(LotRow.state).in_(list(ACTS)),
        col(LotRow.due_at) <= now,
    )


@asynccontextmanager
async def _claimed(store: Store, lot_id: LotId) -> AsyncIterator[LotState | None]:
    """The lot's state, if it is still due and nobody else is waking it; the claim ends with us.

    The claiming transaction sits idle while the act works, so it is excused from the bound on idle
    transactions.
    """
    async with store.sessions() as session, session.begin():
        await session.execute(text("SET LOCAL idle_in_transaction_session_timeout = 0"))
        ours = await session.scalar(
            select(func.pg_try_advisory_xact_lock(lock_key(f"due:{lot_id}")))
        )
        state = None
        if ours:
            now = await store.clock(session)
            state = await session.scalar(
                select(col(LotRow.state)).where(col(LotRow.id) == lot_id, _is_due(now))
            )
        yield None if state is None else LotState(state)


async def next_due_at(session: AsyncSession) -> datetime | None:
    """The next moment at which time alone moves any lot or listing; None where none waits for time.

    For a lot open for bids that is its deadline and not the closing a little later, because bids in
    flight settle in the world's time, over which no demo clock may jump. So do prices in a listing.
    """
    of_lots = await session.scalar(
        select(
            func.min(
                case(
                    (col(LotRow.state) == LotState.OPEN, col(LotRow.bids_due_at)),
                    else_=col(LotRow.due_at),
                )
            )
        ).where(col(LotRow.suspended).is_(False), col(LotRow.due_at).is_not(None))
    )
    of_listings = await session.scalar(
        select(
            func.min(func.coalesce(col(ListingRow.phase_ends_at), col(ListingRow.due_at)))
        ).where(col(ListingRow.due_at).is_not(None))
    )
    moments = [one for one in (of_lots, of_listings) if one is not None]
    return min(moments).astimezone(UTC) if moments else None


async def is_settled(store: Store) -> bool:
    """Whether everything that was due by now is done."""
    async with store.sessions() as session:
        moment = await next_due_at(session)
        return moment is None or moment > await store.clock(session)


@by(*Role)
async def platform_time(tx: Transaction) -> PlatformTime:
    """The time that decides, how far it is from the world's, and whether this is a demo."""
    now = await platform_clock(tx.session)
    platform = await tx.session.get_one(PlatformRow, True)
    return PlatformTime(now, now - await unshifted_clock(tx.session), platform.demo)


@by(Role.CENTRE_STAFF)
async def jump_clock(tx: Transaction, to: datetime, *, reason: str) -> datetime:
    """Move a demo's clock forward, never past the next due act; the time it shows then.

    An instant already past is no jump. While something is due the clock does not jump at all: it
    happens first. Only a demo database has such a clock, and it is one for ever.
    """
    await lock_exclusive(tx.session, "clock")
    platform = await tx.session.get_one(PlatformRow, True)
    if not platform.demo:
        raise NotPermitted("only a demo's clock can be moved")
    now = await platform_clock(tx.session)
    unshifted = await unshifted_clock(tx.session)
    due_at = await next_due_at(tx.session)

    stop = to if due_at is None else min(to, due_at)
    if stop <= now:
        return now

    tx.session.add(ClockJumpRow(offset_by=stop - unshifted, reason=reason, jumped_at=unshifted))

    tx.record(ClockJumped(PLATFORM_ITSELF, from_at=now, to_at=stop, reason=reason))

    return stop
