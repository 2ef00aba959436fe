"""The only hand that moves a lot.

An act that needs the lot to stand still takes `hold`, an act that changes it takes `lock`. Both are
advisory locks rather than row locks, because bidders who share a row lock would starve the closing
for as long as they keep coming; and both read the row after the lock is theirs, in a statement of
its own, so that what they see is what is true while they hold it.
"""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import select
from sqlmodel import col

from kernel.access import Role
from kernel.errors import NotFound, NotPermitted
from kernel.identifiers import EntryId
from kernel.store.database import lock_exclusive, lock_shared
from kernel.store.tables import JournalRow
from kernel.store.transaction import Transaction
from trading.events import LotMoved, LotResumed, LotSuspended
from trading.rules import lot_lifecycle, timetable
from trading.rules.lot_lifecycle import LotMove, LotState
from trading.tables import LotRow, ProjectRow


def lock_name(lot_id: UUID) -> str:
    """The name under which a lot is held or locked."""
    return f"lot:{lot_id}"


async def hold(tx: Transaction, lot_id: UUID) -> LotRow:
    """The lot, held still: others may hold it too, but nobody can change it while we do."""
    await lock_shared(tx.session, lock_name(lot_id))
    return await _fresh(tx, lot_id)


async def lock(tx: Transaction, lot_id: UUID) -> LotRow:
    """The lot, for us alone until this transaction ends."""
    await lock_exclusive(tx.session, lock_name(lot_id))
    return await _fresh(tx, lot_id)


async def _fresh(tx: Transaction, lot_id: UUID) -> LotRow:
    lot = await tx.session.get(LotRow, lot_id, populate_existing=True)
    if lot is None:
        raise NotFound("no such lot")
    return lot


def owns(tx: Transaction, project: ProjectRow) -> bool:
    """Whether the actor acts for the project's tenderee or its agency, in that capacity."""
    owners = {Role.TENDEREE: project.tenderee_id, Role.AGENCY: project.agency_id}
    return tx.actor.party_id is not None and owners.get(tx.actor.role) == tx.actor.party_id


async def owned(tx: Transaction, lot_id: UUID) -> tuple[LotRow, ProjectRow]:
    """The lot and its project, for those whose it is.

    For everybody else a draft does not exist, and a published lot is somebody else's.
    """
    lot = await tx.session.get(LotRow, lot_id)
    project = None if lot is None else await tx.session.get(ProjectRow, lot.project_id)
    if lot is None or project is None:
        raise NotFound("no such lot")
    if owns(tx, project):
        return lot, project
    if LotState(lot.state) is LotState.DRAFT:
        raise NotFound("no such lot")
    raise NotPermitted("the lot is another tenderee's")


def move(tx: Transaction, lot: LotRow, step: LotMove) -> None:
    """Take one lawful step and record it; `Refused` where the law knows no such step.

    The lot must be locked. `due_at` becomes the next moment at which time alone moves it on.
    """
    came_from = LotState(lot.state)
    went_to = lot_lifecycle.after(came_from, step, suspended=lot.suspended)
    lot.state = went_to
    lot.due_at = next_due_at(lot)
    tx.record(
        LotMoved(lot.id, came_from=came_from, went_to=went_to, move=step, due_at=lot.due_at)
    )


def suspend(tx: Transaction, lot: LotRow, *, cause: UUID, reason: str) -> None:
    """Pull the brake for one cause: an objection, a complaint, an order. The lot must be locked.

    Several causes may hold the same lot; it goes on when the last of them is gone.
    """
    if str(cause) in lot.brakes:
        return
    lot.brakes = {**lot.brakes, str(cause): reason}
    if not lot.suspended:
        lot.suspended = True
        tx.record(LotSuspended(lot.id, cause=cause, reason=reason))


def resume(tx: Transaction, lot: LotRow, *, cause: UUID, reason: str) -> None:
    """Release the brake of one cause; the lot goes on where no other holds it."""
    if str(cause) not in lot.brakes:
        return
    lot.brakes = {key: value for key, value in lot.brakes.items() if key != str(cause)}
    if not lot.brakes:
        lot.suspended = False
        tx.record(LotResumed(lot.id, cause=cause, reason=reason))


async def entry_of(tx: Transaction, lot_id: UUID, kind: str) -> EntryId:
    """The journal's newest entry of this kind about the lot; `NotFound` where there is none."""
    entry_id = await tx.session.scalar(
        select(col(JournalRow.id))
        .where(col(JournalRow.subject_id) == lot_id, col(JournalRow.kind) == kind)
        .order_by(col(JournalRow.recorded_at).desc())
        .limit(1)
    )
    if entry_id is None:
        raise NotFound(f"no {kind} of this lot")
    return EntryId(entry_id)
