"""The journal: every event on the platform, in the order in which it became true.

It is the outbox and the audit trail at once, so there is one place to look. A transaction inserts
its events and, beside them, their ids among the unsequenced; `sequencer.py` alone gives positions.
Nobody else reads by time, by id or by transaction: readers follow positions, and people follow the
numbers of a view.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from kernel.access import Actor
from kernel.crypto.digests import b64u, canonical, instant_text, labelled
from kernel.events import Event, facts_of
from kernel.identifiers import EntryId
from kernel.randomness import random_bytes

BELL = "journal"

_INSERT = text(
    "INSERT INTO kernel.journal (id, kind, subject_id, audience, after_close, seals, discloses,"
    " barrier, receipted, party_id, recorded_at, record, salt, operator, operator_salt) VALUES"
    " (:id, :kind, :subject_id, :audience, :after_close, :seals, :discloses, :barrier, :receipted,"
    " :party_id, :recorded_at, :record, :salt, :operator, :operator_salt)"
)
_QUEUE = text("INSERT INTO kernel.unsequenced (entry_id) VALUES (:id)")
_VIEW = text(
    "SELECT v.number, j.id, j.kind, j.subject_id, j.recorded_at, j.record"
    " FROM kernel.view_entry v JOIN kernel.journal j ON j.id = v.entry_id"
    " WHERE v.view = :view AND v.number > :after ORDER BY v.number LIMIT :limit"
)
_LAST = text("SELECT max(number) FROM kernel.view_entry WHERE view = :view")
_AFTER = text(
    "SELECT s.position, j.id, j.kind, j.subject_id, j.recorded_at, j.record"
    " FROM kernel.sequence s JOIN kernel.journal j ON j.id = s.entry_id"
    " WHERE s.position > :after ORDER BY s.position LIMIT :limit"
)
_ABOUT = text(
    "SELECT s.position, j.id, j.kind, j.subject_id, j.recorded_at, j.record"
    " FROM kernel.sequence s JOIN kernel.journal j ON j.id = s.entry_id"
    " WHERE j.subject_id = :subject ORDER BY s.position"
)

_FORGET = text(
    "UPDATE kernel.journal SET operator = ''::bytea, operator_salt = ''::bytea"
    " WHERE operator <> ''::bytea AND convert_from(operator, 'UTF8')::jsonb ->> 'person' = :person"
)


@dataclass(frozen=True, slots=True)
class Entry:
    """One event as it stands in the journal; `number` counts in the place it was read from."""

    number: int
    id: EntryId
    kind: str
    subject_id: UUID
    recorded_at: datetime
    record: bytes

    @property
    def facts(self) -> dict[str, Any]:
        """The event's own fields."""
        facts: dict[str, Any] = json.loads(self.record)["facts"]
        return facts


def operator_of(actor: Actor) -> bytes:
    """Who acted and from where, as it is kept: for supervisors, and never for the public."""
    return canonical(
        {
            "person": _text(actor.person_id),
            "party": _text(actor.party_id),
            "address": actor.address,
        }
    )


def record_of(
    entry_id: EntryId, event: Event, *, role: str, operator: bytes, at: datetime
) -> bytes:
    """The bytes the log commits to: what happened, to what, when, and in what capacity.

    Every act is recorded with its operator and network address (电子招标投标办法 49), but a
    record may be shown to the public, so it holds only a salted commitment to those.
    """
    return canonical(
        {
            "v": "sunbid-entry/1",
            "id": str(entry_id),
            "kind": type(event).__name__,
            "subject": str(event.subject_id),
            "at": instant_text(at),
            "role": role,
            "operator": b64u(operator),
            "facts": facts_of(event),
        }
    )


async def append(
    session: AsyncSession | AsyncConnection,
    events: Sequence[tuple[EntryId, Event]],
    *,
    actor: Actor,
    at: datetime,
) -> None:
    """Write the events and queue them for the sequencer; the transaction's last act.

    The queue number is taken last of all, after every lock, so that an entry can never be numbered
    before one that its transaction waited for.
    """
    operator = operator_of(actor)
    operator_salts = [random_bytes(32) for _ in events]
    rows = [
        {
            "id": entry_id,
            "kind": type(event).__name__,
            "subject_id": event.subject_id,
            "audience": str(event.audience),
            "after_close": str(event.after_close),
            "seals": event.seals,
            "discloses": event.discloses,
            "barrier": event.barrier,
            "receipted": event.receipted,
            "party_id": getattr(event, "addressee_id", None) or actor.party_id,
            "recorded_at": at,
            "record": record_of(
                entry_id,
                event,
                role=str(actor.role),
                operator=labelled("ebid/1/operator", operator_salt, operator),
                at=at,
            ),
            "salt": random_bytes(32),
            "operator": operator,
            "operator_salt": operator_salt,
        }
        for (entry_id, event), operator_salt in zip(events, operator_salts, strict=True)
    ]
    await session.execute(_INSERT, rows)
    await session.execute(_QUEUE, [{"id": row["id"]} for row in rows])


async def read_view(
    session: AsyncSession, view: str, *, after: int, limit: int = 200
) -> list[Entry]:
    """The next entries of a view after the number last seen, without gaps."""
    rows = await session.execute(_VIEW, {"view": view, "after": after, "limit": limit})
    return [_entry(*row) for row in rows]


async def last_number(session: AsyncSession, view: str) -> int:
    """The number of the newest entry of a view; 0 where it has none."""
    return int(await session.scalar(_LAST, {"view": view}) or 0)


async def read_after(session: AsyncSession, position: int, *, limit: int = 200) -> list[Entry]:
    """The next entries after a position; for the platform's own followers only."""
    rows = await session.execute(_AFTER, {"after": position, "limit": limit})
    return [_entry(*row) for row in rows]


async def last_place(session: AsyncSession) -> int:
    """The position of the newest entry in the sequence; 0 where there is none."""
    found = await session.execute(text("SELECT coalesce(max(position), 0) FROM kernel.sequence"))
    place: int = found.scalar_one()
    return place


async def entries_about(session: AsyncSession, subject_id: UUID) -> list[Entry]:
    """Every sequenced entry about one subject, in order; for the platform's own looking back."""
    rows = await session.execute(_ABOUT, {"subject": subject_id})
    return [_entry(*row) for row in rows]


async def records_by_id(
    line: AsyncSession | AsyncConnection, ids: Sequence[UUID]
) -> dict[UUID, bytes]:
    """The records of these entries; unknown ids are left out."""
    rows = await line.execute(
        text("SELECT id, record FROM kernel.journal WHERE id = ANY(:ids)"), {"ids": list(ids)}
    )
    return {row.id: row.record for row in rows}


async def records_of_kinds(
    line: AsyncSession | AsyncConnection, kinds: Sequence[str]
) -> dict[UUID, bytes]:
    """The records of every entry of these kinds, sequenced or not, by entry."""
    rows = await line.execute(
        text("SELECT id, record FROM kernel.journal WHERE kind = ANY(:kinds)"),
        {"kinds": list(kinds)},
    )
    return {row.id: row.record for row in rows}


async def newest_record(
    line: AsyncSession | AsyncConnection, subject_id: UUID, kind: str
) -> bytes | None:
    """The record of the newest entry of a kind about a subject, or None."""
    rows = await line.execute(
        text(
            "SELECT j.record FROM kernel.journal j LEFT JOIN kernel.sequence s ON s.entry_id = j.id"
            " WHERE j.subject_id = :subject AND j.kind = :kind"
            # What has no position yet comes after everything that has one.
            " ORDER BY s.position DESC NULLS FIRST, j.recorded_at DESC LIMIT 1"
        ),
        {"subject": subject_id, "kind": kind},
    )
    row = rows.first()
    return None if row is None else bytes(row[0])


async def forget_operator(session: AsyncSession, person_id: UUID) -> int:
    """Empty who acted and from where beside every entry of this person; how many those were.

    The record, its salt and its leaf stand as they were: they held a salted commitment to it.
    """
    done = await session.execute(_FORGET, {"person": str(person_id)})
    return int(getattr(done, "rowcount", 0))


def _entry(
    number: int, id: UUID, kind: str, subject_id: UUID, recorded_at: datetime, record: bytes
) -> Entry:
    return Entry(number, EntryId(id), kind, subject_id, recorded_at.astimezone(UTC), record)


def _text(value: UUID | None) -> str | None:
    return None if value is None else str(value)
