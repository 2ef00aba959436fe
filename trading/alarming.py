"""Rings when a duty was not done in its days: report, contract, filing, securities given back.

An alarm changes nothing and stops nobody; it tells those who owe the duty and those who supervise,
once. What is overdue follows from rows, so that nothing is lost when a process dies.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, and_, select
from sqlmodel import col

from kernel.access import PLATFORM, Role, by
from kernel.identifiers import LotId
from kernel.store.transaction import Store, Transaction, transaction
from kernel.working_days import beijing_day, end_of_day
from trading import lots, returning, settling_listings
from trading.complaining import award_is_void
from trading.events import DutyOverdue, OwnDutyOverdue
from trading.made_awards import award_in_force, is_in_force
from trading.tables import (
    AwardReportRow,
    AwardRow,
    ContractFilingRow,
    ContractRow,
    OverdueDutyRow,
    ProjectRow,
    SecurityAlarmRow,
)


class Duty(StrEnum):
    """What is to be done by a day that the law sets; the last three also where nothing was awarded.

    Whoever owes the decision of a purchase, or its notice, is reminded of it too, and told then.
    """

    AWARD_REPORT = "award_report"
    CONTRACT = "contract"
    CONTRACT_FILING = "contract_filing"
    SECURITY_RETURN = "security_return"
    DECISION = "decision"
    RESULT_NOTICE = "result_notice"


@dataclass(frozen=True, slots=True)
class Overdue:
    """A duty that is not done though its days are over."""

    lot_id: LotId
    duty: Duty
    due_at: datetime


async def ring(store: Store) -> int:
    """Ring for everything that fell overdue since; how many alarms rang."""
    async with transaction(store, actor=PLATFORM) as tx:
        due = await overdue(tx, quiet_only=True)
        returns = await returning.overdue_returns(tx, quiet_only=True)
    rung = 0
    for one in due:
        async with transaction(store, actor=PLATFORM) as tx:
            rung += await alarm(tx, one.lot_id, one.duty)
    for lot_id in dict.fromkeys(back.lot_id for back in returns):
        async with transaction(store, actor=PLATFORM) as tx:
            rung += await alarm_returns(tx, lot_id)
    return rung + await settling_listings.ring_for_listings(store)


@by(Role.PLATFORM)
async def alarm(tx: Transaction, lot_id: LotId, duty: Duty) -> bool:
    """Tell of one duty that is overdue; whether it still was, and nobody had told."""
    lot = await lots.lock(tx, lot_id)
    project = await tx.session.get_one(ProjectRow, lot.project_id)
    award = await award_in_force(tx, lot_id)
    found = [one for one in await overdue(tx, quiet_only=True, lot_id=lot_id) if one.duty is duty]

    if not found or award is None:
        return False

    due_at = found[0].due_at
    tx.session.add(
        OverdueDutyRow(
            lot_id=lot_id,
            award_number=award.number,
            duty=duty,
            due_at=due_at,
            alarmed_at=tx.now,
        )
    )

    tx.record(DutyOverdue(lot_id, duty=duty, due_at=due_at))
    for party in _owed_by(duty, project, award):
        tx.record(OwnDutyOverdue(lot_id, addressee_id=party, duty=duty, due_at=due_at))

    return True


@by(Role.PLATFORM)
async def alarm_returns(tx: Transaction, lot_id: LotId) -> int:
    """Tell once of each day by which securities of a lot should have gone back; how many."""
    lot = await lots.lock(tx, lot_id)
    project = await tx.session.get_one(ProjectRow, lot.project_id)
    found = await returning.overdue_returns(tx, quiet_only=True, lot_id=lot_id)

    for one in found:
        tx.session.add(SecurityAlarmRow(lot_id=lot_id, due_at=one.due_at, alarmed_at=tx.now))

    duty = Duty.SECURITY_RETURN
    for one in found:
        tx.record(DutyOverdue(lot_id, duty=duty, due_at=one.due_at))
        for party in _owners(project):
            tx.record(OwnDutyOverdue(lot_id, addressee_id=party, duty=duty, due_at=one.due_at))

    return len(found)


async def overdue(
    tx: Transaction, *, quiet_only: bool = False, lot_id: UUID | None = None
) -> list[Overdue]:
    """Every duty that is overdue now, or only those for which no alarm has rung yet."""
    today = beijing_day(tx.now)
    lot, number = col(AwardRow.lot_id), col(AwardRow.number)
    wanted: tuple[tuple[Duty, Any, Any, Any], ...] = (
        (Duty.AWARD_REPORT, AwardReportRow, AwardRow.report_due_on, today),
        (Duty.CONTRACT, ContractRow, AwardRow.contract_due_on, today),
        (Duty.CONTRACT_FILING, ContractFilingRow, ContractRow.file_due_at, tx.now),
    )
    found = []

    def done_for(done: Any) -> ColumnElement[bool]:
        """That a row says the duty is done; of a contract's filing there is one in a lot."""
        same = col(done.lot_id) == lot
        return same if done is ContractFilingRow else and_(same, col(done.award_number) == number)

    for duty, done, due, until in wanted:
        query = select(lot, col(due)).select_from(AwardRow)
        if duty is Duty.CONTRACT_FILING:
            query = query.join(ContractRow, col(ContractRow.lot_id) == lot)
        query = query.outerjoin(done, done_for(done))
        # A day is over when the next one has begun; an instant when it is reached.
        over = col(due) <= until if duty is Duty.CONTRACT_FILING else col(due) < until
        query = query.where(is_in_force(), over, col(done.lot_id).is_(None))
        if quiet_only:
            rung = and_(
                col(OverdueDutyRow.lot_id) == lot,
                col(OverdueDutyRow.award_number) == number,
                col(OverdueDutyRow.duty) == duty,
            )
            query = query.outerjoin(OverdueDutyRow, rung)
            query = query.where(col(OverdueDutyRow.lot_id).is_(None))
        if lot_id is not None:
            query = query.where(lot == lot_id)
        for id, at in await tx.session.execute(query):
            if duty is not Duty.AWARD_REPORT and await award_is_void(tx, id):
                continue
            due_at = at if isinstance(at, datetime) else end_of_day(at)
            found.append(Overdue(LotId(id), duty, due_at))
    return found


def _owed_by(duty: Duty, project: ProjectRow, award: AwardRow) -> list[UUID]:
    """Who is to do it: the tenderee and its agency, and for the contract the winner too."""
    if duty is Duty.CONTRACT:
        return [project.tenderee_id, award.winner_id]
    return _owners(project)


def _owners(project: ProjectRow) -> list[UUID]:
    """The tenderee, and its agency where it has one."""
    owing = [project.tenderee_id]
    return owing if project.agency_id is None else [*owing, project.agency_id]
