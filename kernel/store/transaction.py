"""One request, one transaction, one instant.

Every activity takes a `Transaction` as its first argument. It holds all that an activity needs
from the outside: the session, the actor, the time (one instant for the whole request, so that no
two rules can disagree about it), the documents, and the events to be recorded. Activities never
commit; leaving the block does.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from kernel.access import Actor
from kernel.errors import PlatformError, Refused
from kernel.events import Event
from kernel.failpoints import failpoint
from kernel.identifiers import EntryId
from kernel.randomness import random_id
from kernel.settings import Settings
from kernel.store import journal
from kernel.store.clocks import Clock, platform_clock
from kernel.store.documents import Documents

_T = TypeVar("_T")


class NotDurable(PlatformError):
    """The server warned while committing, so nothing may be promised on the strength of it."""


@dataclass(frozen=True, slots=True)
class Store:
    """What a process needs in order to open transactions."""

    sessions: async_sessionmaker[AsyncSession]
    documents: Documents
    settings: Settings
    clock: Clock = platform_clock


@dataclass(slots=True)
class Transaction:
    """What an activity may use of the world."""

    session: AsyncSession
    actor: Actor
    now: datetime
    documents: Documents
    settings: Settings
    kept: dict[Any, Any] = field(default_factory=dict)
    """What was read and cannot change before this transaction ends, by what it is called."""
    _events: list[tuple[EntryId, Event]] = field(default_factory=list)
    _attempts: list[tuple[EntryId, Event]] = field(default_factory=list)

    async def once(self, name: Any, read: Callable[[], Awaitable[_T]]) -> _T:
        """What `read` finds, asked for until it is found; for what then stands still."""
        found: _T | None = self.kept.get(name)
        if found is not None:
            return found
        new = await read()
        self.kept[name] = new
        return new

    def record(self, event: Event) -> EntryId:
        """Enter the event in the journal, if and when this transaction commits; its entry's id."""
        entry_id = EntryId(random_id())
        self._events.append((entry_id, event))
        return entry_id

    def record_attempt(self, event: Event) -> EntryId:
        """Enter the event even though, and only if, the act is then refused.

        A refused act leaves nothing behind but, where the law or a later dispute needs it, the fact
        that it was tried.
        """
        entry_id = EntryId(random_id())
        self._attempts.append((entry_id, event))
        return entry_id

    async def write_journal(self) -> None:
        """Write what was recorded so far; called once, last, by `transaction`."""
        await self.session.flush()
        if self._events:
            await journal.append(self.session, self._events, actor=self.actor, at=self.now)
            self._events.clear()


@asynccontextmanager
async def transaction(
    store: Store, *, actor: Actor, now: datetime | None = None
) -> AsyncIterator[Transaction]:
    """Open a transaction; commit it with its events on a clean exit, undo it on any error.

    `now` overrides the clock for acts whose instant was taken before (a bid's `received_at`).
    `NotDurable` where the server warned during the commit, for instance because a synchronous
    standby did not confirm: the rows may be there, but no receipt may rest on them.
    """
    async with store.sessions() as session:
        instant = now if now is not None else await store.clock(session)
        tx = Transaction(session, actor, instant, store.documents, store.settings)
        try:
            yield tx
            await tx.write_journal()
        except Refused:
            await session.rollback()
            if tx._attempts:
                await journal.append(session, tx._attempts, actor=actor, at=instant)
                await session.commit()
            raise
        await failpoint("db.before_commit")
        async with _warnings_heard(session) as warnings:
            await session.commit()
    await failpoint("db.after_commit")
    if warnings:
        raise NotDurable("; ".join(warnings))


@asynccontextmanager
async def _warnings_heard(session: AsyncSession) -> AsyncIterator[list[str]]:
    heard: list[str] = []

    def hear(_: object, message: Any) -> None:
        if str(message.sqlstate).startswith("01"):
            heard.append(f"{message.sqlstate} {message.message}")

    connection = await session.connection()
    driver: Any = (await connection.get_raw_connection()).driver_connection
    driver.add_log_listener(hear)
    try:
        yield heard
    finally:
        driver.remove_log_listener(hear)
