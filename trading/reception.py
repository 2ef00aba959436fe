"""The counter at which bids arrive: when the last byte came, and when the receipt is there.

The instant that counts is the first that the database's clock shows after a submission's last byte
(电子签名法 11). It is read on a connection that runs nothing else, and one reading serves everybody
who waited for it, so neither a crowd nor a slow query can eat a bidder's time. What follows has a
pool of its own for the same reason.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlmodel import col

from kernel.store.database import beside, session_factory
from kernel.store.tables import ReceiptRow
from kernel.store.transaction import Store

INTAKE_POOL: Final = 5
RECEIPT_NAP_S: Final = 0.05
PATIENCE_S: Final = 1.5
"""How long a submission waits for its receipt before it is answered with a promise."""


class ArrivalClock:
    """Says when a submission arrived: the first reading that began after its last byte."""

    def __init__(self, read: Callable[[], Awaitable[datetime]]) -> None:
        self._read = read
        self._waiting: list[asyncio.Future[datetime]] = []
        self._reader: asyncio.Task[None] | None = None

    async def stamp(self) -> datetime:
        """The arrival's instant; call it when the last byte is there, and before anything else."""
        arrived: asyncio.Future[datetime] = asyncio.get_running_loop().create_future()
        self._waiting.append(arrived)
        if self._reader is None:
            self._reader = asyncio.create_task(self._serve())
        return await arrived

    async def _serve(self) -> None:
        try:
            while self._waiting:
                together, self._waiting = self._waiting, []
                try:
                    now = await self._read()
                except Exception as fault:
                    _each(together, lambda one, fault=fault: one.set_exception(fault))  # type: ignore[misc]  # mypy cannot infer a lambda's default
                else:
                    _each(together, lambda one, now=now: one.set_result(now))  # type: ignore[misc]  # mypy cannot infer a lambda's default
        finally:
            self._reader = None


def _each(
    waiting: list[asyncio.Future[datetime]], answer: Callable[[asyncio.Future[datetime]], None]
) -> None:
    for one in waiting:
        if not one.done():
            answer(one)


class ReceiptWatch:
    """Waits for receipts, for everybody at once: one question to the database at a time."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._waiting: dict[UUID, set[asyncio.Future[str]]] = {}
        self._watcher: asyncio.Task[None] | None = None

    async def wait(self, entry_id: UUID, *, patience_s: float) -> str | None:
        """The receipt of an entry, or None where it is not there in time."""
        arrived: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(entry_id, set()).add(arrived)
        if self._watcher is None:
            self._watcher = asyncio.create_task(self._watch())
        try:
            async with asyncio.timeout(patience_s):
                return await arrived
        except TimeoutError:
            return None
        finally:
            others = self._waiting.get(entry_id, set())
            others.discard(arrived)
            if not others:
                self._waiting.pop(entry_id, None)

    async def _watch(self) -> None:
        try:
            while self._waiting:
                # A lost line is no news; whoever waits loses patience by himself.
                with suppress(DBAPIError, PoolTimeout, OSError):
                    await self._look()
                await asyncio.sleep(RECEIPT_NAP_S)
        finally:
            self._watcher = None

    async def _look(self) -> None:
        async with self._store.sessions() as session:
            rows = await session.execute(
                select(col(ReceiptRow.entry_id), col(ReceiptRow.proof)).where(
                    col(ReceiptRow.entry_id).in_(list(self._waiting)),
                    col(ReceiptRow.witnessed).is_(False),
                )
            )
            found = rows.all()
        for entry_id, proof in found:
            for arrived in self._waiting.pop(entry_id, set()):
                if not arrived.done():
                    arrived.set_result(proof)


@dataclass(frozen=True, slots=True)
class Reception:
    """The counter of one process: its clock, its own way to the database, its receipts."""

    clock: ArrivalClock
    intake: Store
    receipts: ReceiptWatch
    patience_s: float = PATIENCE_S


@asynccontextmanager
async def opened(store: Store, *, patience_s: float = PATIENCE_S) -> AsyncIterator[Reception]:
    """A counter beside this store, with connections of its own, until the block ends."""
    engine = store.sessions.kw["bind"]
    assert isinstance(engine, AsyncEngine)
    clock_engine, intake_engine = beside(engine, pool_size=1), beside(engine, pool_size=INTAKE_POOL)

    async def read() -> datetime:
        async with clock_engine.connect() as connection:
            return await store.clock(connection)

    try:
        yield Reception(
            ArrivalClock(read),
            replace(store, sessions=session_factory(intake_engine)),
            ReceiptWatch(store),
            patience_s,
        )
    finally:
        await clock_engine.dispose()
        await intake_engine.dispose()
