"""What a supervisor sees of all lots at once: where each stands, what brakes it, how far it is.

A supervisor sees nothing before a lot's close that the public does not: no name, no number, no
presence (招标投标法 22). What is overdue comes from times that stand in the rows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final
from uuid import UUID

from sqlalchemy import and_, case, func, select
from sqlmodel import col

from kernel.access import Role, by
from kernel.identifiers import LotId
from kernel.store.transaction import Transaction
from kernel.working_days import beijing_day
from trading.alarming import Duty, overdue
from trading.decision_days import undecided
from trading.made_awards import is_in_force
from trading.objecting import still_open
from trading.returning import overdue_returns
from trading.rules.lot_lifecycle import ENDS, LotState, was_closed
from trading.tables import (
    AwardReportRow,
    AwardRow,
    BidRow,
    CustodianKeyRow,
    LotRow,
    ObjectionRow,
    OpenedBidRow,
    OpeningRow,
    ProjectRow,
    ReleaseRow,
    ShareRow,
)

LOTS_MAX: Final = 200
UNOPENED: Final = frozenset({LotState.CLOSED, LotState.FAILED, LotState.CANCELLED})
"""The states of closed lots in which there is no opening to show."""


@dataclass(frozen=True, slots=True)
class OpeningProgress:
    """How far an opening is: bidders who released, of all; custodians who gave; bids read out."""

    bidders: int
    released: int
    window_closed: bool
    custodians: int
    opened: int
    recorded: bool


@dataclass(frozen=True, slots=True)
class OverseenLot:
    """One lot as it stands; `opening` is None where none has begun, and where the tender ended."""

    lot_id: LotId
    name: str
    project_name: str
    project_code: str
    region_code: str
    state: LotState
    suspended: bool
    brakes: tuple[str, ...]
    due_at: datetime | None
    bids_due_at: datetime | None
    candidates_until: datetime | None
    opening: OpeningProgress | None
    open_objections: int
    overdue_objections: int
    report_due_on: date | None
    overdue_duties: tuple[Duty, ...]

    @property
    def live(self) -> bool:
        """Whether something is under way in a hall or a room now."""
        return self.state in (LotState.CLOSING, LotState.OPENING, LotState.IN_EVALUATION)


@dataclass(frozen=True, slots=True)
class Oversight:
    """Every lot a supervisor oversees, those under way first, and how many stand where."""

    lots: tuple[OverseenLot, ...]
    by_state: dict[str, int]

    @property
    def live(self) -> tuple[OverseenLot, ...]:
        """Lots in which something is under way."""
        return tuple(lot for lot in self.lots if lot.live)

    @property
    def braked(self) -> tuple[OverseenLot, ...]:
        """Lots that stand still."""
        return tuple(lot for lot in self.lots if lot.suspended)

    @property
    def overdue(self) -> tuple[OverseenLot, ...]:
        """Lots in which an objection was not answered, or a duty not done, in its days."""
        return tuple(lot for lot in self.lots if lot.overdue_objections or lot.overdue_duties)


@by(Role.SUPERVISOR)
async def oversight(tx: Transaction) -> Oversight:
    """Every published lot as it stands now."""
    rows = (
        await tx.session.execute(
            select(LotRow, ProjectRow, AwardRow)
            .join(ProjectRow, col(ProjectRow.id) == col(LotRow.project_id))
            .outerjoin(AwardRow, and_(col(AwardRow.lot_id) == col(LotRow.id), is_in_force()))
            .where(col(LotRow.published_at).is_not(None))
            .order_by(
                case((col(LotRow.state).in_(ENDS), 1), else_=0), col(LotRow.published_at).desc()
            )
            .limit(LOTS_MAX)
        )
    ).all()
    ids = [lot.id for lot, *_ in rows]
    waiting = await _waiting_objections(tx, ids)
    closed = [lot for lot, *_ in rows if was_closed(lot.path)]
    reported = await _reported(tx, ids)
    duties = await _overdue_duties(tx)
    progress = await _openings(tx, [lot.id for lot in closed if lot.state not in UNOPENED])

    found = tuple(
        OverseenLot(
            LotId(lot.id),
            lot.name,
            project.name,
            project.code,
            lot.region_code,
            LotState(lot.state),
            lot.suspended,
            tuple(lot.brakes.values()),
            lot.due_at,
            lot.bids_due_at,
            lot.candidates_until,
            progress.get(lot.id),
            len(waiting.get(lot.id, ())),
            sum(due_at <= tx.now for due_at in waiting.get(lot.id, ())),
            _report_due(award, reported, tx.now),
            tuple(duties.get(lot.id, ())),
        )
        for lot, project, award in rows
    )
    ordered = sorted(found, key=lambda lot: (not lot.live, not lot.suspended, lot.state in ENDS))
    return Oversight(tuple(ordered), dict(Counter(str(lot.state) for lot in found)))


def _report_due(
    award: AwardRow | None, reported: Collection[tuple[UUID, int]], now: datetime
) -> date | None:
    """The day by which the written report on the award is due, while that day lies ahead."""
    if award is None or (award.lot_id, award.number) in reported or award.report_due_on is None:
        return None
    return award.report_due_on if award.report_due_on >= beijing_day(now) else None


async def _reported(tx: Transaction, lot_ids: Sequence[UUID]) -> set[tuple[UUID, int]]:
    """Those awards that were reported in writing, by lot and number."""
    found = await tx.session.execute(
        select(col(AwardReportRow.lot_id), col(AwardReportRow.award_number)).where(
            col(AwardReportRow.lot_id).in_(lot_ids)
        )
    )
    return {(lot, number) for lot, number in found.all()}


async def _overdue_duties(tx: Transaction) -> dict[UUID, list[Duty]]:
    """What was to be done for each lot and is overdue."""
    found: dict[UUID, list[Duty]] = {}
    for one in await overdue(tx):
        found.setdefault(one.lot_id, []).append(one.duty)
    for waiting in await undecided(tx):
        if waiting.silent:
            duty = Duty.DECISION if tx.now < waiting.notice_due_at else Duty.RESULT_NOTICE
            found.setdefault(waiting.lot_id, []).append(duty)
    for lot_id in {one.lot_id for one in await overdue_returns(tx)}:
        found.setdefault(lot_id, []).append(Duty.SECURITY_RETURN)
    return found


async def _waiting_objections(
    tx: Transaction, lot_ids: Sequence[UUID]
) -> dict[UUID, list[datetime]]:
    rows = await tx.session.execute(
        select(col(ObjectionRow.lot_id), col(ObjectionRow.answer_due_at)).where(
            col(ObjectionRow.lot_id).in_(lot_ids), still_open()
        )
    )
    found: dict[UUID, list[datetime]] = {}
    for lot_id, due_at in rows:
        found.setdefault(lot_id, []).append(due_at)
    return found


async def _openings(tx: Transaction, lot_ids: Sequence[UUID]) -> dict[UUID, OpeningProgress]:
    openings = await tx.session.scalars(
        select(OpeningRow).where(col(OpeningRow.lot_id).in_(lot_ids))
    )
    rows = {row.lot_id: row for row in openings}
    released = await _counts(tx, ReleaseRow.lot_id, ReleaseRow.bidder_id, lot_ids)
    opened = await _counts(tx, OpenedBidRow.lot_id, OpenedBidRow.bid_id, lot_ids)
    bidders = await _bidders(tx, lot_ids)
    givers = await tx.session.execute(
        select(col(ShareRow.lot_id), func.count(func.distinct(col(CustodianKeyRow.person_id))))
        .join(
            CustodianKeyRow,
            (col(CustodianKeyRow.lot_id) == col(ShareRow.lot_id))
            & (col(CustodianKeyRow.kid) == col(ShareRow.kid)),
        )
        .where(col(ShareRow.lot_id).in_(lot_ids))
        .group_by(col(ShareRow.lot_id))
    )
    custodians = {lot_id: count for lot_id, count in givers}
    found = {}
    for lot_id in lot_ids:
        row = rows.get(lot_id)  # an opening's row is made by its first act
        found[lot_id] = OpeningProgress(
            bidders.get(lot_id, 0),
            released.get(lot_id, 0),
            row is not None and row.window_closed_at is not None,
            custodians.get(lot_id, 0),
            opened.get(lot_id, 0),
            row is not None and row.recorded_at is not None,
        )
    return found


async def _counts(
    tx: Transaction, lot_id: UUID, counted: UUID, lot_ids: Sequence[UUID]
) -> dict[UUID, int]:
    rows = await tx.session.execute(
        select(col(lot_id), func.count(func.distinct(col(counted))))
        .where(col(lot_id).in_(lot_ids))
        .group_by(col(lot_id))
    )
    return {id: count for id, count in rows}


async def _bidders(tx: Transaction, lot_ids: Sequence[UUID]) -> dict[UUID, int]:
    newest = (
        select(
            col(BidRow.lot_id).label("lot_id"),
            col(BidRow.withdrawn).label("withdrawn"),
            func.row_number()
            .over(
                partition_by=(col(BidRow.lot_id), col(BidRow.bidder_id)),
                order_by=col(BidRow.seq).desc(),
            )
            .label("place"),
        )
        .where(col(BidRow.lot_id).in_(lot_ids))
        .subquery()
    )
    rows = await tx.session.execute(
        select(newest.c.lot_id, func.count())
        .where(newest.c.place == 1, newest.c.withdrawn.is_(False))
        .group_by(newest.c.lot_id)
    )
    return {lot_id: count for lot_id, count in rows}
