"""An objection that stands is put right, and the lot that waited for it goes on.

The answer says what follows; this is where it is seen to be done. Documents are changed, tenders
ended, candidates examined and awards annulled by acts of their own, which tell here that they did
it; a result goes back to its committee by an act that stands here, because nothing else sends it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select
from sqlmodel import col

from kernel.access import Role, by
from kernel.errors import NotFound, Refused
from kernel.identifiers import LotId, ObjectionId
from kernel.store.parties import Statement, take_part, verified_statement
from kernel.store.transaction import Transaction
from trading import agency_letters, lots
from trading.events import ObjectionRemedied
from trading.petitions import words_in
from trading.rules.agency_scope import AgencyAct
from trading.rules.lot_lifecycle import LotMove, LotState, move_refusals
from trading.rules.objection_outcome import (
    REMEDY_NAMES,
    ObjectionOutcome,
    Remedy,
    return_refusals,
    wait_reason,
)
from trading.rules.objection_window import KIND_NAMES, ObjectionKind
from trading.tables import LotRow, ObjectionAnswerRow, ObjectionRemedyRow, ObjectionRow


@dataclass(frozen=True, slots=True)
class Awaited:
    """An objection that stands, and what is still to be done about it."""

    objection: ObjectionRow
    answer: ObjectionAnswerRow

    @property
    def about(self) -> ObjectionKind:
        """What was objected to."""
        return ObjectionKind(self.objection.about)

    @property
    def remedy(self) -> Remedy:
        """What follows from it."""
        return Remedy(self.answer.remedy or Remedy.NOTHING)


@by(Role.TENDEREE, Role.AGENCY)
async def return_result(
    tx: Transaction, lot_id: LotId, objection_id: ObjectionId, raw: bytes
) -> None:
    """Send the result back to its committee, as the answer to an objection says.

    Every objection that waits for the same is seen to by it; where anything else holds the lot,
    that comes first.
    """
    lot = await lots.lock(tx, lot_id)
    _, project = await lots.owned(tx, lot_id)
    await agency_letters.require_scope(tx, project, AgencyAct.RESULT, lot_id)
    objection = await tx.session.get(ObjectionRow, objection_id)
    answer = await tx.session.get(ObjectionAnswerRow, objection_id)
    if objection is None or objection.lot_id != lot_id or answer is None:
        raise NotFound("no such answer")
    statement = await verified_statement(
        tx, raw, "objection-return", lot=lot_id, project=lot.project_id, objection=objection_id
    )
    words = words_in(statement.payload["words"])
    alike = [one for one in await awaited(tx, lot_id) if one.remedy is Remedy.RETURN]
    others = lot.brakes.keys() - {str(one.objection.id) for one in alike}

    refusals = return_refusals(
        Remedy(answer.remedy or Remedy.NOTHING),
        carried_out=await tx.session.get(ObjectionRemedyRow, objection_id) is not None,
        words=words,
    )
    refusals += move_refusals(
        LotState(lot.state), LotMove.RETURN_TO_EVALUATION, suspended=bool(others)
    )
    if refusals:
        raise Refused(refusals)

    await take_part(tx, lot_id)
    await carried_out(tx, lot, statement, Remedy.RETURN)
    lots.move(tx, lot, LotMove.RETURN_TO_EVALUATION)


async def carried_out(
    tx: Transaction,
    lot: LotRow,
    statement: Statement,
    *remedies: Remedy,
    candidate: UUID | None = None,
) -> None:
    """Keep that a signed act did what objections that stand waited for, and let the lot go on.

    The lot must be locked. Where they ask for a candidate's examination, `candidate` says whose.
    """
    for one in await awaited(tx, lot.id):
        if one.remedy not in remedies or one.answer.candidate_id not in (None, candidate):
            continue
        tx.session.add(
            ObjectionRemedyRow(
                objection_id=one.objection.id,
                digest=statement.digest,
                statement=statement.envelope,
                carried_out_by=tx.actor.person,
                carried_out_at=tx.now,
            )
        )
        tx.record(
            ObjectionRemedied(
                lot.id,
                objection_id=one.objection.id,
                about=one.about,
                remedy=one.remedy,
                statement_digest=statement.digest,
            )
        )
        reason = f"对{KIND_NAMES[one.about]}的异议成立，已{REMEDY_NAMES[one.remedy]}"
        lots.resume(tx, lot, cause=one.objection.id, reason=reason)
    await tx.session.flush()


def hold_until_done(
    tx: Transaction, lot: LotRow, objection: ObjectionRow, outcome: ObjectionOutcome, remedy: Remedy
) -> None:
    """Let a lot stand still until what follows is done; one that is awarded has no brake, and its
    contract waits instead.
    """
    if lot.state == LotState.AWARDED:
        return
    reason = wait_reason(ObjectionKind(objection.about), outcome, remedy)
    lots.suspend(tx, lot, cause=objection.id, reason=reason)


async def awaited(tx: Transaction, lot_id: UUID) -> tuple[Awaited, ...]:
    """The objections to a lot that stand and are not put right yet, the first one first."""
    done = select(col(ObjectionRemedyRow.objection_id))
    rows = await tx.session.execute(
        select(ObjectionRow, ObjectionAnswerRow)
        .join(ObjectionAnswerRow, col(ObjectionAnswerRow.objection_id) == col(ObjectionRow.id))
        .where(
            col(ObjectionRow.lot_id) == lot_id,
            col(ObjectionAnswerRow.remedy) != Remedy.NOTHING,
            col(ObjectionRow.id).not_in(done),
        )
        .order_by(col(ObjectionRow.raised_at), col(ObjectionRow.id))
    )
    return tuple(Awaited(objection, answer) for objection, answer in rows.all())


async def remedies_awaited(tx: Transaction, lot_id: UUID) -> Mapping[ObjectionKind, Remedy]:
    """What is still to be put right in a lot, by what was objected to."""
    return {one.about: one.remedy for one in await awaited(tx, lot_id)}


async def brakes_of(tx: Transaction, lot_id: UUID) -> frozenset[str]:
    """The brakes of objections that stand: whoever ends the lot has no need to wait for them."""
    return frozenset(str(one.objection.id) for one in await awaited(tx, lot_id))
