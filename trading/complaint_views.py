"""What may be seen of complaints: by whoever complains, by supervisors, by those concerned, by all.

That there is a complaint is told to others once it is taken up. Its words are for those concerned;
who complains is told to them after the close and never before, not even to supervisors. Decisions
are public.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, and_, or_, select
from sqlmodel import col

from kernel.access import Role, by
from kernel.errors import NotFound
from kernel.identifiers import ComplaintId, LotId
from kernel.statute import Regime
from kernel.store.parties import organisation_names
from kernel.store.transaction import Transaction
from trading import lots, objecting
from trading.complaining import award_is_void, stage_of
from trading.counted_bids import counted_bids
from trading.handover import switches_for
from trading.rules.complaint_course import ComplaintStage, Consequence, answering_article
from trading.rules.complaint_window import OF_PREQUALIFICATION, ComplaintAbout, Verdict
from trading.rules.lot_lifecycle import LotState, may_suspend, was_closed
from trading.rules.procedures import Procedure
from trading.tables import (
    ComplaintAnswerRow,
    ComplaintBrakeRow,
    ComplaintDecisionRow,
    ComplaintRow,
    ComplaintWithdrawalRow,
    LotRow,
    ProjectRow,
)

ANYONE: Final = tuple(Role)
LIST_MAX: Final = 100


@dataclass(frozen=True, slots=True)
class Order:
    """An order over a complaint that the lot stands still, or goes on."""

    suspended: bool
    reason: str
    ordered_at: datetime
    until: datetime | None


@dataclass(frozen=True, slots=True)
class Decided:
    """The decision on a complaint, as it is published."""

    verdict: Verdict
    consequence: Consequence
    facts: str
    basis: str
    evidence: str
    order: str
    remedy: str
    decided_at: datetime
    late: bool
    notice_number: int
    cautions: tuple[dict[str, Any], ...]


@dataclass(frozen=True, slots=True)
class ComplaintTold:
    """A complaint as this reader may see it; what he may not see is None.

    `overdue` says that the supervisor's own limit has passed, `handles` that the acting body is the
    one that took it up, `may_answer` and the like what the actor can do about it now.
    """

    id: ComplaintId
    lot_id: LotId
    lot_name: str
    project_name: str
    lot_state: LotState
    about: ComplaintAbout
    stage: ComplaintStage
    procedure: Procedure
    procurement: bool
    article: str
    filed_at: datetime
    acceptance_due_at: datetime
    answered_at: datetime | None
    answered_late: bool
    decision_due_at: datetime | None
    withdrawn_at: datetime | None
    handler: str | None
    overdue: bool
    holds_lot: bool
    closed: bool
    complainant: str | None
    request: str | None
    grounds: str | None
    evidence: tuple[dict[str, str], ...] | None
    contact: str | None
    known_on: date | None
    objection_id: UUID | None
    reason: str | None
    cautions: tuple[dict[str, Any], ...] | None
    orders: tuple[Order, ...]
    decision: Decided | None
    own: bool
    may_answer: bool
    may_suspend: bool
    may_resume: bool
    may_decide: bool
    may_withdraw: bool

    @property
    def next_due_at(self) -> datetime | None:
        """By when the supervisor must do something next; None where nothing is due."""
        if self.stage is ComplaintStage.FILED:
            return self.acceptance_due_at
        return self.decision_due_at if self.stage is ComplaintStage.TAKEN_UP else None


@dataclass(frozen=True, slots=True)
class ComplainedLot:
    """A lot as the form of a complaint names it, and what of it there is to complain of."""

    lot_id: LotId
    name: str
    project_name: str
    procedure: Procedure
    closed: bool
    abouts: tuple[ComplaintAbout, ...]


@by(*ANYONE)
async def complaints_about(tx: Transaction, lot_id: LotId) -> tuple[ComplaintTold, ...]:
    """The complaints about one lot, each as far as this reader may see it."""
    return await _told(tx, col(ComplaintRow.lot_id) == lot_id)


@by(*ANYONE)
async def complaint(tx: Transaction, complaint_id: UUID) -> ComplaintTold:
    """One complaint; `NotFound` for whoever may not know that it exists."""
    found = await _told(tx, col(ComplaintRow.id) == complaint_id)
    if not found:
        raise NotFound("no such complaint")
    return found[0]


@by(*ANYONE)
async def complaints_at_hand(tx: Transaction) -> tuple[ComplaintTold, ...]:
    """The complaints that concern the actor; for the public, those that were decided."""
    return await _told(tx, _at_hand(tx))


@by(Role.SUPERVISOR)
async def overdue_complaints(tx: Transaction) -> tuple[ComplaintTold, ...]:
    """The alarms of those who decide: complaints neither answered nor decided in their days."""
    late = or_(
        and_(
            col(ComplaintAnswerRow.complaint_id).is_(None),
            col(ComplaintRow.acceptance_due_at) <= tx.now,
        ),
        and_(
            col(ComplaintDecisionRow.complaint_id).is_(None),
            col(ComplaintAnswerRow.decision_due_at) <= tx.now,
        ),
    )
    return await _told(tx, and_(col(ComplaintWithdrawalRow.complaint_id).is_(None), late))


@by(*ANYONE)
async def complainable(tx: Transaction, lot_id: LotId) -> ComplainedLot:
    """A lot with what of it one may complain of; `NotFound` for one that nobody knows of."""
    lot = objecting.require_public(await tx.session.get(LotRow, lot_id))
    project = await tx.session.get_one(ProjectRow, lot.project_id)
    published = lot.published_at is not None
    return ComplainedLot(
        lot_id,
        lot.name,
        project.name,
        Procedure(project.procedure),
        was_closed(lot.path),
        tuple(
            about
            for about in ComplaintAbout
            if about is ComplaintAbout.CONDUCT
            or (lot.prequalified if about in OF_PREQUALIFICATION else published)
        ),
    )


@by(*ANYONE)
async def void_award(tx: Transaction, lot_id: LotId) -> bool:
    """Whether the lot's award was declared void."""
    return await award_is_void(tx, lot_id)


# ── what the views above are made of ──────────────────────────────────────────────────────────


def _at_hand(tx: Transaction) -> ColumnElement[bool]:
    match tx.actor.role:
        case Role.SUPERVISOR:
            return col(ComplaintRow.id).is_not(None)
        case Role.BIDDER:
            return or_(
                col(ComplaintRow.complainant_id) == tx.actor.party,
                col(ComplaintDecisionRow.complaint_id).is_not(None),
            )
        case Role.TENDEREE:
            return col(ProjectRow.tenderee_id) == tx.actor.party
        case Role.AGENCY:
            return col(ProjectRow.agency_id) == tx.actor.party
        case _:
            return col(ComplaintDecisionRow.complaint_id).is_not(None)


async def _told(tx: Transaction, condition: ColumnElement[bool]) -> tuple[ComplaintTold, ...]:
    rows = (
        await tx.session.execute(
            select(
                ComplaintRow,
                ComplaintAnswerRow,
                ComplaintDecisionRow,
                ComplaintWithdrawalRow,
                LotRow,
                ProjectRow,
            )
            .join(LotRow, col(LotRow.id) == col(ComplaintRow.lot_id))
            .join(ProjectRow, col(ProjectRow.id) == col(LotRow.project_id))
            .outerjoin(
                ComplaintAnswerRow, col(ComplaintAnswerRow.complaint_id) == col(ComplaintRow.id)
            )
            .outerjoin(
                ComplaintDecisionRow, col(ComplaintDecisionRow.complaint_id) == col(ComplaintRow.id)
            )
            .outerjoin(
                ComplaintWithdrawalRow,
                col(ComplaintWithdrawalRow.complaint_id) == col(ComplaintRow.id),
            )
            .where(condition, _may_know(tx))
            .order_by(col(ComplaintRow.filed_at).desc())
            .limit(LIST_MAX)
        )
    ).all()
    names = await organisation_names(
        tx.session,
        {row.complainant_id for row, *_ in rows}
        | {answer.handler_id for _, answer, *_ in rows if answer is not None},
    )
    orders = await _orders(tx, [row.id for row, *_ in rows])
    return tuple([await _as_seen(tx, row, names, orders.get(row[0].id, ())) for row in rows])


def _may_know(tx: Transaction) -> ColumnElement[bool]:
    """A complaint that nobody took up is between its complainant and the supervisors."""
    if tx.actor.role is Role.SUPERVISOR:
        return and_(True)
    taken_up = col(ComplaintAnswerRow.taken_up).is_(True)
    if tx.actor.role is Role.BIDDER:
        return or_(col(ComplaintRow.complainant_id) == tx.actor.party, taken_up)
    return taken_up


async def _orders(tx: Transaction, ids: Sequence[UUID]) -> dict[UUID, tuple[Order, ...]]:
    rows = await tx.session.scalars(
        select(ComplaintBrakeRow)
        .where(col(ComplaintBrakeRow.complaint_id).in_(ids))
        .order_by(col(ComplaintBrakeRow.number))
    )
    found: dict[UUID, tuple[Order, ...]] = {}
    for row in rows:
        order = Order(row.suspended, row.reason, row.ordered_at, row.until)
        found[row.complaint_id] = (*found.get(row.complaint_id, ()), order)
    return found


async def _as_seen(
    tx: Transaction, rows: Any, names: dict[UUID, str], orders: tuple[Order, ...]
) -> ComplaintTold:
    row, answer, decision, withdrawal, lot, project = rows
    supervises = tx.actor.role is Role.SUPERVISOR
    own = tx.actor.role is Role.BIDDER and row.complainant_id == tx.actor.party_id
    handling = own or supervises or lots.owns(tx, project)
    # Who applied, and who failed, is nobody else's business, not even the bidders'.
    bids = await _bid_for(tx, lot)
    concerned = handling or (bids and row.about != ComplaintAbout.QUALIFICATION)
    closed = was_closed(lot.path)
    named = own or (closed and (handling or (bids and row.about not in OF_PREQUALIFICATION)))
    stage = stage_of(answer, decision, withdrawal)
    procurement = (await switches_for(tx, lot)).regime is Regime.PROCUREMENT
    held = str(row.id) in lot.brakes
    handles = supervises and answer is not None and answer.handler_id == tx.actor.party_id
    taken_up = stage is ComplaintStage.TAKEN_UP
    due_at = row.acceptance_due_at if stage is ComplaintStage.FILED else None
    if taken_up:
        due_at = answer.decision_due_at
    return ComplaintTold(
        id=ComplaintId(row.id),
        lot_id=LotId(lot.id),
        lot_name=lot.name,
        project_name=project.name,
        lot_state=LotState(lot.state),
        about=ComplaintAbout(row.about),
        stage=stage,
        procedure=Procedure(project.procedure),
        procurement=procurement,
        article=str(answering_article(Regime.PROCUREMENT if procurement else Regime.TENDERING)),
        filed_at=row.filed_at,
        acceptance_due_at=row.acceptance_due_at,
        answered_at=None if answer is None else answer.answered_at,
        answered_late=answer is not None and answer.late,
        decision_due_at=None if answer is None else answer.decision_due_at,
        withdrawn_at=None if withdrawal is None else withdrawal.withdrawn_at,
        handler=None if answer is None else names[answer.handler_id],
        overdue=due_at is not None and due_at <= tx.now,
        holds_lot=held,
        closed=closed,
        complainant=names[row.complainant_id] if named else None,
        request=row.request if concerned else None,
        grounds=row.grounds if concerned else None,
        evidence=tuple(row.evidence) if concerned else None,
        contact=row.contact if own or (supervises and closed) else None,
        known_on=row.known_on if own or supervises else None,
        objection_id=row.objection_id if concerned else None,
        reason=answer.reason if answer is not None and (own or supervises) else None,
        cautions=tuple(row.cautions) if own or supervises else None,
        orders=orders if concerned else (),
        decision=None if decision is None else _decided(decision, supervises=supervises),
        own=own,
        may_answer=supervises and stage is ComplaintStage.FILED,
        may_suspend=handles
        and taken_up
        and not held
        and (
            lot.suspended
            or may_suspend(LotState(lot.state), suspended=False, called=lot.prequalified)
        ),
        may_resume=handles and held,
        may_decide=handles and taken_up,
        may_withdraw=own and stage in (ComplaintStage.FILED, ComplaintStage.TAKEN_UP),
    )


def _decided(row: ComplaintDecisionRow, *, supervises: bool) -> Decided:
    return Decided(
        Verdict(row.verdict),
        Consequence(row.consequence),
        row.facts,
        row.basis,
        row.evidence,
        row.ordered,
        row.remedy,
        row.decided_at,
        row.late,
        row.notice_number,
        tuple(row.cautions) if supervises else (),
    )


async def _bid_for(tx: Transaction, lot: LotRow) -> bool:
    """Whether the actor's organisation is one of the lot's bidders, once they are known."""
    if tx.actor.role is not Role.BIDDER or not was_closed(lot.path):
        return False
    bids = await counted_bids(tx.session, lot.id)
    return any(bid.bidder_id == tx.actor.party_id for bid in bids)
