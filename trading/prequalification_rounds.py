"""Where a lot's prequalification stands: its newest round, who applied, and who passed.

For the neighbours in this house: who applied may be told to nobody before the deadline, and who
passed to nobody but the tenderee's side and itself before the bids are opened.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from kernel.crypto.sealing import PolicyKeys
from kernel.identifiers import PartyId
from kernel.store.transaction import Transaction
from trading.rules.prequalification import Phase, phase_of
from trading.tables import (
    ApplicationReleaseRow,
    ApplicationRow,
    LotRow,
    PrequalificationAddendumRow,
    PrequalificationReviewRow,
    PrequalificationRow,
    QualificationRow,
)


async def newest_round(session: AsyncSession, lot_id: UUID) -> PrequalificationRow | None:
    """The lot's newest call for applications; None where there was none."""
    return await session.scalar(
        select(PrequalificationRow)
        .where(col(PrequalificationRow.lot_id) == lot_id)
        .order_by(col(PrequalificationRow.round).desc())
        .limit(1)
    )


@dataclass(frozen=True, slots=True)
class RoundTimes:
    """The times of a round that are in force: its notice's, or its newest addendum's."""

    applications_due_at: datetime
    window_until: datetime


async def times_of(session: AsyncSession, found: PrequalificationRow) -> RoundTimes:
    """By when applications are due, and released."""
    newest = (await addenda_of(session, found))[-1:]
    in_force = newest[0] if newest else found
    return RoundTimes(in_force.applications_due_at, in_force.window_until)


async def addenda_of(
    session: AsyncSession, found: PrequalificationRow
) -> Sequence[PrequalificationAddendumRow]:
    """The addenda to a round's documents, as they came."""
    rows = await session.scalars(
        select(PrequalificationAddendumRow)
        .where(
            col(PrequalificationAddendumRow.lot_id) == found.lot_id,
            col(PrequalificationAddendumRow.round) == found.round,
        )
        .order_by(col(PrequalificationAddendumRow.number))
    )
    return rows.all()


async def phase_now(tx: Transaction, found: PrequalificationRow) -> Phase:
    """Where a round is at this instant; while its lot stands still it stays where it was."""
    lot = await tx.session.get_one(LotRow, found.lot_id)
    review = await tx.session.get(PrequalificationReviewRow, (found.lot_id, found.round))
    times = await times_of(tx.session, found)
    return phase_of(
        lot.suspended_at or tx.now,
        applications_due_at=times.applications_due_at,
        window_until=times.window_until,
        enough=None if review is None else review.enough,
    )


async def lot_phase(tx: Transaction, lot: LotRow) -> Phase | None:
    """Where the lot's prequalification is; None for a lot that has none."""
    found = await newest_round(tx.session, lot.id)
    return None if found is None else await phase_now(tx, found)


def policy_of(found: PrequalificationRow) -> PolicyKeys:
    """To whom applications are sealed: to the applicant alone, under the signed notice."""
    return PolicyKeys(found.digest, officials=None)


async def standing_applications(
    session: AsyncSession, found: PrequalificationRow
) -> tuple[ApplicationRow, ...]:
    """The last application of each applicant that was not withdrawn, as they came."""
    newest = (
        select(ApplicationRow)
        .where(col(ApplicationRow.lot_id) == found.lot_id, col(ApplicationRow.round) == found.round)
        .ext(distinct_on(col(ApplicationRow.applicant_id)))
        .order_by(col(ApplicationRow.applicant_id), col(ApplicationRow.seq).desc())
    )
    standing = [one for one in await session.scalars(newest) if not one.withdrawn]
    return tuple(sorted(standing, key=lambda one: (one.received_at, one.id)))


async def releases(session: AsyncSession, found: PrequalificationRow) -> Mapping[UUID, bytes]:
    """The released secret of each opened application, by its id."""
    rows = await session.execute(
        select(col(ApplicationReleaseRow.application_id), col(ApplicationReleaseRow.secret))
        .join(ApplicationRow, col(ApplicationRow.id) == col(ApplicationReleaseRow.application_id))
        .where(col(ApplicationRow.lot_id) == found.lot_id, col(ApplicationRow.round) == found.round)
    )
    return {id: secret for id, secret in rows}


async def qualification(tx: Transaction, lot: LotRow, party_id: UUID) -> QualificationRow | None:
    """How this applicant came out of the lot's newest round; None where it did not apply."""
    found = await newest_round(tx.session, lot.id)
    if found is None:
        return None
    return await tx.session.get(QualificationRow, (lot.id, found.round, party_id))


async def may_bid(tx: Transaction, lot: LotRow, party_id: UUID) -> bool:
    """Whether the lot's prequalification keeps this party from bidding: not where it passed."""
    if not lot.prequalified:
        return True
    own = await qualification(tx, lot, party_id)
    return own is not None and own.passed


async def qualified_members(
    tx: Transaction, lot: LotRow
) -> Mapping[PartyId, tuple[PartyId, ...]] | None:
    """The members with whom each applicant passed; None for a lot without prequalification."""
    if not lot.prequalified:
        return None
    found = await newest_round(tx.session, lot.id)
    if found is None:
        return {}
    rows = await tx.session.scalars(
        select(QualificationRow).where(
            col(QualificationRow.lot_id) == lot.id,
            col(QualificationRow.round) == found.round,
            col(QualificationRow.passed),
        )
    )
    return {
        PartyId(row.applicant_id): tuple(PartyId(UUID(one)) for one in row.members) for row in rows
    }
