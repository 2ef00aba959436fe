"""What a purchaser owes once it has the report: its decision, and then the notice of the result.

Where it says nothing in its days the law decides for it, and the first in rank is the winner; what
is then still owed is the notice. All of it follows from rows, so nothing is lost when a process
dies.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import exists, func, select
from sqlmodel import col

from kernel.errors import NoCalendar
from kernel.identifiers import LotId
from kernel.store.transaction import Transaction
from kernel.working_days import beijing_day
from trading.rules.award_followup import procurement_days, silence_decides
from trading.rules.lot_lifecycle import LotState
from trading.rules.procedures import Procedure, switches_of
from trading.tables import AwardRow, LotRow, ProjectRow, TakenReportRow

WAITING: Final = frozenset(
    {LotState.EVALUATED, LotState.CANDIDATES_PUBLISHED, LotState.CLEARED_FOR_AWARD}
)


@dataclass(frozen=True, slots=True)
class Undecided:
    """A purchase whose report is there and whose winner has not been named.

    `silent` says that the days are over, and that the law has decided for the first in rank.
    """

    lot_id: LotId
    decision_due_at: datetime
    notice_due_at: datetime
    silent: bool


async def undecided(tx: Transaction, *, lot_id: UUID | None = None) -> list[Undecided]:
    """The purchases that wait for their purchaser, except those that are suspended.

    One whose days run into a year without a calendar is left out until that is loaded.
    """
    today = beijing_day(tx.now)
    switches = {one: switches_of(one, on=today) for one in Procedure}
    procedures = [one for one, its in switches.items() if its.decision_period is not None]
    newest = (
        select(func.max(col(TakenReportRow.round)))
        .where(col(TakenReportRow.lot_id) == col(LotRow.id))
        .correlate(LotRow)
        .scalar_subquery()
    )
    query = (
        select(col(LotRow.id), col(ProjectRow.procedure), col(TakenReportRow.taken_at))
        .join(ProjectRow, col(ProjectRow.id) == col(LotRow.project_id))
        .join(TakenReportRow, col(TakenReportRow.lot_id) == col(LotRow.id))
        .where(
            col(TakenReportRow.round) == newest,
            col(TakenReportRow.all_rejected).is_(False),
            col(LotRow.state).in_(WAITING),
            col(LotRow.suspended).is_(False),
            col(ProjectRow.procedure).in_(procedures),
            ~exists().where(col(AwardRow.lot_id) == col(LotRow.id)),
        )
    )
    if lot_id is not None:
        query = query.where(col(LotRow.id) == lot_id)
    found = []
    for id, procedure, taken_at in await tx.session.execute(query):
        try:
            days = procurement_days(
                evaluated_at=taken_at,
                received_at=taken_at,
                decided_at=None,
                switches=switches[Procedure(procedure)],
                calendar=tx.settings.calendar,
            )
        except NoCalendar:
            continue
        if days is not None:
            silent = silence_decides(now=tx.now, decision_due_at=days.decision, decided=False)
            found.append(Undecided(LotId(id), days.decision, days.notice, silent))
    return found
