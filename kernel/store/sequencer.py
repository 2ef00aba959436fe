"""The one reader of the unsequenced: gives every entry its position, and its number in each view.

It takes what is visible, in queue order, and removes it in the same transaction. An entry whose
transaction commits late is simply taken later: it gets a later position, nothing is skipped, and
a cause always stands before its effect. Leadership is an advisory lock held by the same connection
that sequences, so a leader that lost its connection cannot write.
"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from kernel.events import Audience
from kernel.failpoints import failpoint
from kernel.store.clocks import unshifted_clock
from kernel.store.database import lock_key
from kernel.store.views import views_of

BATCH = 5_000

_TAKE = text(
    "SELECT u.id AS queue_id, j.id, j.subject_id, j.audience, j.after_close, j.seals, j.discloses,"
    " j.party_id FROM kernel.unsequenced u JOIN kernel.journal j ON j.id = u.entry_id"
    " ORDER BY u.id LIMIT :batch"
)
_SEALED_OF = text(
    "SELECT j.id, j.after_close, j.party_id FROM kernel.journal j"
    " JOIN kernel.sequence s ON s.entry_id = j.id"
    " WHERE j.subject_id = :subject AND j.audience = 'sealed_until_close' ORDER BY s.position"
)


@dataclass(frozen=True, slots=True)
class _Taken:
    queue_id: int
    id: UUID
    subject_id: UUID
    audience: str
    after_close: str
    seals: bool
    discloses: bool
    party_id: UUID | None


async def lead(connection: AsyncConnection) -> bool:
    """Become the one sequencer, or learn that another process is; held until the line ends."""
    result = await connection.execute(
        text("SELECT pg_try_advisory_lock(:key)"), {"key": lock_key("sequencer")}
    )
    leads = bool(result.scalar_one())
    await connection.commit()
    return leads


async def sequence_once(connection: AsyncConnection) -> int:
    """Sequence what is visible now; how many entries that was."""
    async with connection.begin():
        rows = (await connection.execute(_TAKE, {"batch": BATCH})).mappings().all()
        taken = [_Taken(**row) for row in rows]
        if not taken:
            return 0
        batch = await _Batch.begin(connection)
        for entry in taken:
            await _show(batch, entry)
        await batch.write()
        await failpoint("sequencer.before_delete")
        await connection.execute(
            text("DELETE FROM kernel.unsequenced WHERE id = ANY(:ids)"),
            {"ids": [entry.queue_id for entry in taken]},
        )
    await failpoint("sequencer.after_commit")
    return len(taken)


class _Batch:
    """The positions and numbers given so far and not yet written."""

    def __init__(self, connection: AsyncConnection, position: int) -> None:
        self.connection = connection
        self._position = position
        self._sequence: list[dict[str, object]] = []
        self._last: dict[str, int] = {}
        self._views: list[dict[str, object]] = []

    @classmethod
    async def begin(cls, connection: AsyncConnection) -> _Batch:
        found = await connection.execute(
            text("SELECT coalesce(max(position), 0) FROM kernel.sequence")
        )
        return cls(connection, found.scalar_one())

    def place(self, entry_id: UUID) -> None:
        self._position += 1
        self._sequence.append({"position": self._position, "id": entry_id})

    async def give(self, view: str, entry_id: UUID) -> None:
        if view not in self._last:
            found = await self.connection.execute(
                text("SELECT coalesce(max(number), 0) FROM kernel.view_entry WHERE view = :view"),
                {"view": view},
            )
            self._last[view] = found.scalar_one()
        self._last[view] += 1
        self._views.append({"view": view, "number": self._last[view], "entry_id": entry_id})

    async def write(self) -> None:
        if self._sequence:
            await self.connection.execute(
                text("INSERT INTO kernel.sequence (position, entry_id) VALUES (:position, :id)"),
                self._sequence,
            )
        if self._views:
            await self.connection.execute(
                text(
                    "INSERT INTO kernel.view_entry (view, number, entry_id)"
                    " VALUES (:view, :number, :entry_id)"
                ),
                self._views,
            )
        self._sequence, self._views = [], []


async def _show(batch: _Batch, entry: _Taken) -> None:
    connection, audience = batch.connection, Audience(entry.audience)
    batch.place(entry.id)
    for view in views_of(entry.subject_id, audience, entry.party_id):
        await batch.give(view, entry.id)
    if entry.seals:
        await connection.execute(
            text(
                "INSERT INTO kernel.sealing (subject_id, began_at) VALUES (:subject, :at)"
                " ON CONFLICT DO NOTHING"
            ),
            {"subject": entry.subject_id, "at": await unshifted_clock(connection)},
        )
    if audience is Audience.SEALED_UNTIL_CLOSE and await _is_disclosed(connection, entry):
        for view in views_of(entry.subject_id, Audience(entry.after_close), None):
            await batch.give(view, entry.id)
    if entry.discloses:
        await _disclose(batch, entry)


async def _is_disclosed(connection: AsyncConnection, entry: _Taken) -> bool:
    found = await connection.execute(
        text("SELECT 1 FROM kernel.sealing WHERE subject_id = :subject AND ended_at IS NOT NULL"),
        {"subject": entry.subject_id},
    )
    return found.first() is not None


async def _disclose(batch: _Batch, entry: _Taken) -> None:
    """Number the subject's sealed entries so far, in order, for those who may know them now.

    What this batch holds behind the disclosing entry is not among them yet; it finds the subject
    disclosed when its turn comes.
    """
    changed = await batch.connection.execute(
        text(
            "UPDATE kernel.sealing SET ended_at = :at"
            " WHERE subject_id = :subject AND ended_at IS NULL"
        ),
        {"subject": entry.subject_id, "at": await unshifted_clock(batch.connection)},
    )
    if changed.rowcount == 0:
        return
    await batch.write()
    sealed = await batch.connection.execute(_SEALED_OF, {"subject": entry.subject_id})
    for row in sealed.mappings().all():
        for view in views_of(entry.subject_id, Audience(row["after_close"]), None):
            await batch.give(view, row["id"])
