"""Which award of a lot is in force, and those that fell away before it.

A lot has several awards where a winner failed after its notice. They are numbered in their order,
and at most the newest is in force.
"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import ColumnElement, and_, exists, select
from sqlmodel import col

from kernel.store.transaction import Transaction
from trading.rules.paper_numbers import PaperKind, PaperNumber
from trading.tables import AwardAnnulmentRow, AwardRenunciationRow, AwardRow, ContractRow


@dataclass(frozen=True, slots=True)
class MadeAward:
    """An award as it was made, what its winner said to give it up, and how it fell away."""

    row: AwardRow
    renunciation: AwardRenunciationRow | None
    annulment: AwardAnnulmentRow | None


async def awards_of(tx: Transaction, lot_id: UUID) -> tuple[MadeAward, ...]:
    """Every award of a lot in the order in which they were made."""
    found = await tx.session.execute(
        select(AwardRow, AwardRenunciationRow, AwardAnnulmentRow)
        .outerjoin(
            AwardRenunciationRow,
            and_(
                col(AwardRenunciationRow.lot_id) == col(AwardRow.lot_id),
                col(AwardRenunciationRow.award_number) == col(AwardRow.number),
            ),
        )
        .outerjoin(AwardAnnulmentRow, _annuls())
        .where(col(AwardRow.lot_id) == lot_id)
        .order_by(col(AwardRow.number))
    )
    return tuple(MadeAward(*one) for one in found.all())


async def award_in_force(tx: Transaction, lot_id: UUID) -> AwardRow | None:
    """The lot's award, unless there is none yet or the last one fell away."""
    return await tx.session.scalar(
        select(AwardRow).where(col(AwardRow.lot_id) == lot_id, is_in_force())
    )


def notice_number(project_code: str, lot_number: int, award: AwardRow) -> str:
    """The number of an award's notice, by which it is known and checked."""
    return str(PaperNumber(project_code, lot_number, PaperKind.AWARD_NOTICE, award.number))


def is_in_force() -> ColumnElement[bool]:
    """That a row of the awards is one that did not fall away; true of one in a lot at most."""
    return ~exists().where(_annuls())


def awarded_by_contract() -> ColumnElement[bool]:
    """That a row of the awards is the one that a row of the contracts was concluded over."""
    return and_(
        col(AwardRow.lot_id) == col(ContractRow.lot_id),
        col(AwardRow.number) == col(ContractRow.award_number),
    )


def _annuls() -> ColumnElement[bool]:
    return and_(
        col(AwardAnnulmentRow.lot_id) == col(AwardRow.lot_id),
        col(AwardAnnulmentRow.award_number) == col(AwardRow.number),
    )
