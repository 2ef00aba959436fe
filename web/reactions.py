"""The wiring of the house, in one table: when this happens, do that.

Each reaction keeps its own place in the journal; the place and the effect move in one transaction,
so a reaction happens once however often the process dies. One that fails stops there and says so;
it never skips.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final

import structlog
from sqlalchemy import text

from kernel.access import PLATFORM
from kernel.store.journal import Entry, read_after
from kernel.store.transaction import Store, Transaction, transaction

log = structlog.get_logger()

Reaction = Callable[[Transaction, Entry], Awaitable[None]]

REACTIONS: Final[Mapping[str, Sequence[Reaction]]] = {}

PATIENCE_S: Final = 0.25
PAGE: Final = 100


async def follow(store: Store) -> None:
    """React to every entry in order, for ever."""
    names = {reaction.__name__ for several in REACTIONS.values() for reaction in several}
    while True:
        for name in sorted(names):
            try:
                while await react_once(store, name):
                    pass
            except Exception:
                log.exception("a reaction failed and waits", reaction=name)
        await asyncio.sleep(PATIENCE_S)


async def react_once(store: Store, name: str) -> bool:
    """Take the next page of the journal for one reaction; whether there was anything."""
    async with transaction(store, actor=PLATFORM) as tx:
        await tx.session.execute(
            text("INSERT INTO kernel.follower (name) VALUES (:name) ON CONFLICT DO NOTHING"),
            {"name": name},
        )
        row = await tx.session.execute(
            text("SELECT position FROM kernel.follower WHERE name = :name FOR UPDATE"),
            {"name": name},
        )
        page = await read_after(tx.session, row.scalar_one(), limit=PAGE)
        place = 0
        for entry in page:
            place = entry.number
            wanted = [r for r in REACTIONS.get(entry.kind, ()) if r.__name__ == name]
            for reaction in wanted:
                await reaction(tx, entry)
            if wanted:
                break
        if page:
            await tx.session.execute(
                text("UPDATE kernel.follower SET position = :place WHERE name = :name"),
                {"name": name, "place": place},
            )
    return bool(page)
