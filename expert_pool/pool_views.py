"""What may be seen of the pool itself: to its keeper who applied, to an expert his own application.

Ties are not here: whom an expert is tied to is read by a draw and by nobody else.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

from sqlmodel import col, select

from expert_pool.tables import ExpertRow
from kernel.access import Role, by
from kernel.errors import NotFound
from kernel.identifiers import ExpertId, PartyId
from kernel.store.tables import PersonRow
from kernel.store.transaction import Transaction

LATELY_MAX: Final = 20


@dataclass(frozen=True, slots=True)
class ApplicationTold:
    """What an expert said of himself, when, and when the pool's keeper found it true."""

    expert_id: ExpertId
    pool_id: PartyId
    name: str
    region_code: str
    employer: str
    employer_uscc: str
    specialisms: tuple[str, ...]
    title: str
    years: int
    born_on: date
    healthy: bool | None
    enrolled_at: datetime
    verified_at: datetime | None
    left_at: datetime | None


@by(Role.CENTRE_STAFF)
async def applicants(tx: Transaction) -> tuple[ApplicationTold, ...]:
    """Who waits to be verified in the acting centre's own pool, the longest first."""
    rows = await tx.session.execute(
        select(ExpertRow, PersonRow)
        .join(PersonRow, col(PersonRow.id) == col(ExpertRow.person_id))
        .where(
            col(ExpertRow.pool_id) == tx.actor.party,
            col(ExpertRow.verified_at).is_(None),
            col(ExpertRow.left_at).is_(None),
        )
        .order_by(col(ExpertRow.enrolled_at), col(ExpertRow.id))
    )
    return tuple(_told(row, person) for row, person in rows)


@by(Role.CENTRE_STAFF)
async def lately_verified(tx: Transaction) -> tuple[ApplicationTold, ...]:
    """Who was verified last in the acting centre's own pool, the newest first."""
    rows = await tx.session.execute(
        select(ExpertRow, PersonRow)
        .join(PersonRow, col(PersonRow.id) == col(ExpertRow.person_id))
        .where(
            col(ExpertRow.pool_id) == tx.actor.party,
            col(ExpertRow.verified_at).is_not(None),
            col(ExpertRow.left_at).is_(None),
        )
        .order_by(col(ExpertRow.verified_at).desc(), col(ExpertRow.id))
        .limit(LATELY_MAX)
    )
    return tuple(_told(row, person) for row, person in rows)


@by(Role.EXPERT)
async def own_application(tx: Transaction) -> ApplicationTold:
    """The acting expert's own application, even after he left; `NotFound` where there is none."""
    found = await tx.session.execute(
        select(ExpertRow, PersonRow)
        .join(PersonRow, col(PersonRow.id) == col(ExpertRow.person_id))
        .where(col(ExpertRow.person_id) == tx.actor.person)
    )
    row = found.one_or_none()
    if row is None:
        raise NotFound("you are in no pool")
    return _told(*row)


def _told(row: ExpertRow, person: PersonRow) -> ApplicationTold:
    return ApplicationTold(
        ExpertId(row.id),
        PartyId(row.pool_id),
        person.name,
        row.region_code,
        row.employer,
        row.employer_uscc,
        tuple(row.specialisms),
        row.title,
        row.years,
        row.born_on,
        row.healthy,
        row.enrolled_at,
        row.verified_at,
        row.left_at,
    )
