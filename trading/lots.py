"""The only hand that moves a lot.

An act that needs the lot to stand still takes `hold`, an act that changes it takes `lock`. Both are
advisory locks rather than row locks, because bidders who share a row lock would starve the closing
for as long as they keep coming; and both read the row after the lock is theirs, in a statement of
its own, so that what they see is what is true while they hold it.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import select
from sqlmodel import col

from kernel.access import Role
from kernel.errors import NotFound, NotPermitted, Refused
from kernel.identifiers import EntryId
from kernel.store.database import lock_exclusive, lock_shared
from kernel.store.tables import JournalRow
from kernel.store.transaction import Transaction
from trading.events import LotMoved, LotResumed, LotSuspended
from trading.rules import lot_lifecycle
from trading.rules.lot_lifecycle import LotMove, LotState, Standstill
from trading.rules.timetable import Timetable, next_due
from trading.tables import LotRow, ProjectRow


def lock_name(lot_id: UUID) -> str:
    """The name under which a lot is held or locked."""
    return f"lot:{lot_id}"


async def hold(tx: Transaction, lot_id: UUID) -> LotRow:
    """The lot, held still: others may hold it too, but nobody can change it while we do."""

    async def held() -> LotRow:
        await lock_shared(tx.session, lock_name(lot_id))
        return await _fresh(tx, lot_id)

    return await tx.once(lock_name(lot_id), held)


async def lock(tx: Transaction, lot_id: UUID) -> LotRow:
    """The lot, for us alone until this transaction ends."""
    await lock_exclusive(tx.session, lock_name(lot_id))
    lot = tx.kept[lock_name(lot_id)] = await _fresh(tx, lot_id)
    return lot


async def _fresh(tx: Transaction, lot_id: UUID) -> LotRow:
    lot = await tx.session.get(LotRow, lot_id, populate_existing=True)
    if lot is None:
        raise NotFound("no such lot")
    return lot


async def project_of(tx: Transaction, lot: LotRow) -> ProjectRow:
    """The project that the lot belongs to."""
    return await tx.once(
        (ProjectRow, lot.project_id), lambda: tx.session.get_one(ProjectRow, lot.project_id)
    )


def owns(tx: Transaction, project: ProjectRow) -> bool:
    """Whether the actor acts for the project's tenderee or its agency, in that capacity."""
    owners = {Role.TENDEREE: project.tenderee_id, Role.AGENCY: project.agency_id}
    return tx.actor.party_id is not None and owners.get(tx.actor.role) == tx.actor.party_id


async def owned(tx: Transaction, lot_id: UUID) -> tuple[LotRow, ProjectRow]:
    """The lot and its project, for those whose it is.

    For everybody else a draft does not exist, and a published lot is somebody else's.
    """
    found = (
        await tx.session.execute(
            select(LotRow, ProjectRow)
            .join(ProjectRow, col(ProjectRow.id) == col(LotRow.project_id))
            .where(col(LotRow.id) == lot_id)
        )
    ).first()
    if found is None:
        raise NotFound("no such lot")
    lot, project = found
    if owns(tx, project):
        return lot, project
    if lot.published_at is None:
        raise NotFound("no such lot")
    raise NotPermitted("the lot is another tenderee's")


async def owners_of(tx: Transaction, lot: LotRow) -> list[UUID]:
    """The tenderee of a lot, and its agency where it has one."""
    project = await tx.session.get_one(ProjectRow, lot.project_id)
    return [project.tenderee_id, *([] if project.agency_id is None else [project.agency_id])]


def move(tx: Transaction, lot: LotRow, step: LotMove) -> None:
    """Take one lawful step and record it; `Refused` where the law knows no such step.

    The lot must be locked. `due_at` becomes the next moment at which time alone moves it on. What
    becomes of a lot that was never published is nobody's business and not recorded here.
    """
    came_from = LotState(lot.state)
    went_to = lot_lifecycle.after(came_from, step, suspended=lot.suspended)
    lot.state = went_to
    lot.path = [*lot.path, went_to]
    set_due(tx, lot)
    if lot.published_at is not None:
        tx.record(
            LotMoved(lot.id, came_from=came_from, went_to=went_to, move=step, due_at=lot.due_at)
        )


def set_due(tx: Transaction, lot: LotRow) -> None:
    """Write down when time alone next moves the lot; called whenever its times or state change."""
    timetable = timetable_of(tx, lot)
    due = timetable and next_due(LotState(lot.state), timetable, suspended=lot.suspended)
    lot.due_at = due.at if due else None


def timetable_of(tx: Transaction, lot: LotRow) -> Timetable | None:
    """The timetable in force, as the rules know it; None for a lot that was never published."""
    if (
        lot.published_at is None
        or lot.documents_from is None
        or lot.documents_until is None
        or lot.bids_due_at is None
    ):
        return None
    return Timetable(
        published_at=lot.published_at,
        documents_from=lot.documents_from,
        documents_until=lot.documents_until,
        bids_due_at=lot.bids_due_at,
        release_window=timedelta(seconds=lot.release_window_s),
        publicity_days=lot.publicity_days,
        validity_days=lot.validity_days,
        closer_delay=timedelta(seconds=tx.settings.closer_settle_s),
        release_until=lot.release_until,
        candidates_until=lot.candidates_until,
    )


def suspend(tx: Transaction, lot: LotRow, *, cause: UUID, reason: str) -> None:
    """Pull the brake for one cause: an objection, a complaint, an order. The lot must be locked.

    Several causes may hold the same lot; it goes on when the last of them is gone. Of a cause that
    holds it already the newest reason is told.
    """
    if not lot.suspended:
        refusals = lot_lifecycle.suspension_refusals(
            LotState(lot.state), suspended=False, called=lot.prequalified
        )
        if refusals:
            raise Refused(refusals)
        lot.suspended, lot.suspended_at = True, tx.now
        set_due(tx, lot)
        tx.record(LotSuspended(lot.id, cause=cause, reason=reason))
    lot.brakes = {**lot.brakes, str(cause): reason}


def resume(tx: Transaction, lot: LotRow, *, cause: UUID, reason: str) -> None:
    """Release the brake of one cause; the lot goes on where no other holds it.

    `Refused` while a deadline that passed meanwhile has not been moved.
    """
    if str(cause) not in lot.brakes:
        return
    others = {key: value for key, value in lot.brakes.items() if key != str(cause)}
    if not others:
        refusals = lot_lifecycle.resumption_refusals(standstill_of(tx, lot, held=True))
        if refusals:
            raise Refused(refusals)
        lot.suspended, lot.suspended_at = False, None
        set_due(tx, lot)
        tx.record(LotResumed(lot.id, cause=cause, reason=reason))
    lot.brakes = others


def standstill_of(tx: Transaction, lot: LotRow, *, held: bool) -> Standstill:
    """The lot as the rules judge whether its last brake lets it go; `held` says that it has one."""
    return Standstill(
        LotState(lot.state),
        suspended=held,
        now=tx.now,
        bids_due_at=lot.bids_due_at,
        called=lot.prequalified,
        applications_due_at=lot.applications_due_at,
        suspended_at=lot.suspended_at,
    )


def unbrake(tx: Transaction, lot: LotRow, *, cause: UUID, reason: str) -> None:
    """Release every brake of a lot that is about to end: nothing is left to wait for."""
    if not lot.suspended:
        return
    lot.suspended, lot.suspended_at = False, None
    lot.brakes = {}
    set_due(tx, lot)
    tx.record(LotResumed(lot.id, cause=cause, reason=reason))


async def entry_of(
    tx: Transaction, lot_id: UUID, kind: str, *, at: datetime | None = None
) -> EntryId:
    """The journal's newest entry of this kind about the lot, or the one that was recorded then.

    `NotFound` where there is none.
    """
    query = select(col(JournalRow.id)).where(
        col(JournalRow.subject_id) == lot_id, col(JournalRow.kind) == kind
    )
    if at is not None:
        query = query.where(col(JournalRow.recorded_at) == at)
    entry_id = await tx.session.scalar(query.order_by(col(JournalRow.recorded_at).desc()).limit(1))
    if entry_id is None:
        raise NotFound(f"no {kind} of this lot")
    return EntryId(entry_id)
