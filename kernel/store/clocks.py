"""Where the time comes from: the database primary, and nowhere else.

Application servers' own clocks decide nothing. A demo database, marked as one when it is made and
for ever, adds an offset that only jumps forward; `kernel.platform_now()` in the database knows it.
Settling times, leases, sessions and ticks use the unshifted time of the same clock. Rules never
look here: they are told the time.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

Clock = Callable[[AsyncSession | AsyncConnection], Awaitable[datetime]]


async def platform_clock(session: AsyncSession | AsyncConnection) -> datetime:
    """The platform's time now, always aware, always UTC; pages show it in Beijing time."""
    return _utc((await session.execute(text("SELECT kernel.platform_now()"))).scalar_one())


async def unshifted_clock(session: AsyncSession | AsyncConnection) -> datetime:
    """The primary's own time, which no demo offset moves."""
    return _utc((await session.execute(text("SELECT clock_timestamp()"))).scalar_one())


def hand_clock(at: datetime) -> Clock:
    """A clock that stands still at `at`: how a test holds the time in its hand."""

    async def held(_: AsyncSession | AsyncConnection) -> datetime:
        return at

    return held


def _utc(value: object) -> datetime:
    assert isinstance(value, datetime)
    return value.astimezone(UTC)
