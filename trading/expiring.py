"""Tells the holder of a licence that it is about to end, sixty, thirty and seven days before.

What is due follows from rows, so that nothing is lost when a process dies; each is told once.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import select
from sqlmodel import col

from kernel.access import PLATFORM, Role, by
from kernel.identifiers import LibraryEntryId
from kernel.store import outbox
from kernel.store.database import lock_exclusive
from kernel.store.outbox import Channel, Message
from kernel.store.transaction import Store, Transaction, transaction
from kernel.working_days import beijing_day
from trading.events import LicenceExpiring
from trading.library import entry_of, holders, states_of
from trading.rules.library_entries import ANNOUNCED_BEFORE, EntryState, stage_due
from trading.tables import ExpiryAnnouncementRow, LibraryEntryRow

EXPIRY_TOPIC: Final = "licence_expiring"
TOLD_BY: Final = (Channel.INBOX, Channel.EMAIL, Channel.SMS)


async def announce(store: Store) -> int:
    """Tell of every licence whose day has come; how many were told of."""
    async with transaction(store, actor=PLATFORM) as tx:
        due = await _due(tx, beijing_day(tx.now))
    told = 0
    for entry_id in due:
        async with transaction(store, actor=PLATFORM) as tx:
            told += await announce_one(tx, entry_id)
    return told


@by(Role.PLATFORM)
async def announce_one(tx: Transaction, entry_id: LibraryEntryId) -> bool:
    """Tell the holder of one licence, unless that was told before."""
    await lock_exclusive(tx.session, "library")
    today = beijing_day(tx.now)
    row = await tx.session.get_one(LibraryEntryRow, entry_id)
    state = (await states_of(tx, [row]))[row.id]
    stage = stage_due(entry_of(row), today=today)

    if state is not EntryState.VERIFIED or stage is None or row.erased_at is not None:
        return False
    if (row.id, stage) in await _told(tx, [row.id]):
        return False

    tx.session.add(ExpiryAnnouncementRow(entry_id=row.id, days=stage, announced_at=tx.now))

    told = tx.record(LicenceExpiring(row.id, addressee_id=row.party_id, days=stage))
    facts = {"kind": "LicenceExpiring"}
    message = Message(EXPIRY_TOPIC, row.id, must=False, channels=TOLD_BY, facts=facts)
    await outbox.post(tx, told, message, await holders(tx, row.party_id))

    return True


async def _due(tx: Transaction, today: date) -> list[LibraryEntryId]:
    """Verified licences that end soon and whose holder was not told of this stage yet."""
    rows = list(
        await tx.session.scalars(
            select(LibraryEntryRow).where(
                col(LibraryEntryRow.ends_on) >= today,
                col(LibraryEntryRow.ends_on) <= today + timedelta(days=max(ANNOUNCED_BEFORE)),
                col(LibraryEntryRow.kind) != "performance",
                col(LibraryEntryRow.erased_at).is_(None),
            )
        )
    )
    states = await states_of(tx, rows)
    told = await _told(tx, [row.id for row in rows])
    return [
        LibraryEntryId(row.id)
        for row in rows
        if states[row.id] is EntryState.VERIFIED
        and (row.id, stage_due(entry_of(row), today=today)) not in told
    ]


async def _told(tx: Transaction, entry_ids: list[UUID]) -> set[tuple[UUID, int | None]]:
    rows = await tx.session.execute(
        select(col(ExpiryAnnouncementRow.entry_id), col(ExpiryAnnouncementRow.days)).where(
            col(ExpiryAnnouncementRow.entry_id).in_(entry_ids)
        )
    )
    return {(id, days) for id, days in rows}
