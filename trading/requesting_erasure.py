"""A person asks to be forgotten; the centre erases his data, or says why it must be kept yet.

The law keeps the records of a tender for years, so most requests wait; what stands against one is
told to whoever asks and to whoever decides, by the same rule that judges the erasure.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import select
from sqlmodel import col

from kernel.access import Role, by
from kernel.errors import NotFound, Outrun
from kernel.identifiers import PersonId
from kernel.randomness import random_id
from kernel.refusals import Refusal
from kernel.store.database import lock_exclusive
from kernel.store.registering import MEMBERS
from kernel.store.tables import PersonRow
from kernel.store.transaction import Transaction
from trading.drafting import clean_text
from trading.events import ErasureDeclined, ErasureRequested
from trading.forgetting import grounds_against
from trading.tables import ErasureRequestRow

WORDS_MAX: Final = 1000
LIST_MAX: Final = 200


@dataclass(frozen=True, slots=True)
class OwnRequest:
    """What the acting person asked, and what the centre answered."""

    words: str
    asked_at: datetime
    answer: str
    decided_at: datetime | None


@dataclass(frozen=True, slots=True)
class WaitingRequest:
    """A request that waits for the centre, and what stands against it today."""

    id: UUID
    person_id: PersonId
    name: str
    words: str
    asked_at: datetime
    grounds: tuple[Refusal, ...]


@by(*MEMBERS)
async def request_erasure(tx: Transaction, words: str) -> None:
    """Ask the centre to erase who one is; one request at a time."""
    await lock_exclusive(tx.session, f"erasure:{tx.actor.person}")
    said = clean_text(words, at_most=WORDS_MAX) if words.strip() else ""
    waiting = await tx.session.scalar(
        select(ErasureRequestRow).where(
            col(ErasureRequestRow.person_id) == tx.actor.person,
            col(ErasureRequestRow.decided_at).is_(None),
        )
    )

    if waiting is not None:
        raise Outrun("a request waits already")

    tx.session.add(
        ErasureRequestRow(id=random_id(), person_id=tx.actor.person, words=said, asked_at=tx.now)
    )

    tx.record(ErasureRequested(tx.actor.person))


@by(*MEMBERS)
async def own_requests(tx: Transaction) -> tuple[OwnRequest, ...]:
    """What the acting person asked, the newest first."""
    rows = await tx.session.scalars(
        select(ErasureRequestRow)
        .where(col(ErasureRequestRow.person_id) == tx.actor.person)
        .order_by(col(ErasureRequestRow.asked_at).desc())
        .limit(LIST_MAX)
    )
    return tuple(OwnRequest(row.words, row.asked_at, row.answer, row.decided_at) for row in rows)


@by(*MEMBERS)
async def own_grounds(tx: Transaction) -> tuple[Refusal, ...]:
    """Why the acting person's data is kept yet; that a lot is held is for supervisors to tell."""
    found = await grounds_against(tx, tx.actor.person)
    return tuple(one for one in found if one.code != "legal_hold")


@by(Role.CENTRE_STAFF)
async def waiting_requests(tx: Transaction) -> tuple[WaitingRequest, ...]:
    """The requests that wait, the oldest first, each with what stands against it today."""
    rows = (
        await tx.session.execute(
            select(ErasureRequestRow, col(PersonRow.name))
            .join(PersonRow, col(PersonRow.id) == col(ErasureRequestRow.person_id))
            .where(col(ErasureRequestRow.decided_at).is_(None))
            .order_by(col(ErasureRequestRow.asked_at))
            .limit(LIST_MAX)
        )
    ).all()
    return tuple(
        [
            WaitingRequest(
                row.id,
                PersonId(row.person_id),
                name,
                row.words,
                row.asked_at,
                tuple(await grounds_against(tx, PersonId(row.person_id))),
            )
            for row, name in rows
        ]
    )


@by(Role.CENTRE_STAFF)
async def decline_erasure(tx: Transaction, request_id: UUID, answer: str) -> None:
    """Tell a person why he cannot be forgotten yet."""
    row = await tx.session.get(ErasureRequestRow, request_id, with_for_update=True)
    if row is None or row.decided_at is not None:
        raise NotFound("no such request waits")
    said = clean_text(answer, at_most=WORDS_MAX)

    row.answer, row.decided_at, row.decided_by = said, tx.now, tx.actor.person

    tx.record(ErasureDeclined(row.person_id))
