"""Reminds people of what is about to begin, to end or to fall due, each once.

What is due follows from rows, so that nothing is lost when a process dies. Who is reminded knows
the time already: a reminder tells a party of its own doings, or everybody of a published moment.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Final
from uuid import UUID

from sqlalchemy import select
from sqlmodel import col

from kernel.access import PLATFORM, Role, by
from kernel.identifiers import LotId
from kernel.store.transaction import Store, Transaction, transaction
from kernel.working_days import beijing_day, end_of_day
from trading import drafting, lots
from trading.alarming import Duty
from trading.complaining import award_is_void
from trading.counted_bids import counted_bids
from trading.decision_days import undecided
from trading.events import (
    AnswerFallingDue,
    ContractFallingDue,
    DecisionFallingDue,
    DutyOverdue,
    OpeningNear,
    OwnDutyOverdue,
    PublicityEnding,
    ReleaseWindowEnding,
    SharesAwaited,
    SilenceDecided,
)
from trading.made_awards import award_in_force, is_in_force
from trading.objecting import still_open
from trading.opening import waits_for_shares
from trading.rules.lot_lifecycle import LotState
from trading.rules.reminder_times import AHEAD, Reminder, stage_due
from trading.tables import (
    AwardRow,
    ContractRow,
    CustodianRow,
    LotRow,
    ObjectionRow,
    OpeningRow,
    ReleaseRow,
    ReminderRow,
    ShareRow,
)


@dataclass(frozen=True, slots=True)
class Moment:
    """A moment of which people are reminded; `subject_id` is the lot, or what of it falls due."""

    lot_id: LotId
    reminder: Reminder
    subject_id: UUID
    due_at: datetime


async def remind(store: Store) -> int:
    """Remind of everything whose time has come; of how many moments."""
    async with transaction(store, actor=PLATFORM) as tx:
        due = await _due(tx)
    told = 0
    for one in due:
        async with transaction(store, actor=PLATFORM) as tx:
            told += await remind_of(tx, one)
    return told


@by(Role.PLATFORM)
async def remind_of(tx: Transaction, moment: Moment) -> bool:
    """Remind of one moment; whether it still lies ahead, and nobody was reminded before."""
    lot = await lots.lock(tx, moment.lot_id)
    stage = stage_due(moment.reminder, moment.due_at, now=tx.now)

    if moment not in await _due(tx, lot_id=moment.lot_id) or stage is None:
        return False

    tx.session.add(
        ReminderRow(
            subject_id=moment.subject_id,
            kind=moment.reminder,
            due_at=moment.due_at,
            ahead_s=round(stage.total_seconds()),
            lot_id=lot.id,
            reminded_at=tx.now,
        )
    )

    await _TELLING[moment.reminder](tx, lot, moment)

    return True


# ── what is due ───────────────────────────────────────────────────────────────────────────────


async def _due(tx: Transaction, *, lot_id: LotId | None = None) -> list[Moment]:
    """Every moment whose stage has come and of which nobody was reminded at that stage."""
    moments = [
        *await _lots_due(tx, lot_id),
        *await _openings_due(tx, lot_id),
        *await _answers_due(tx, lot_id),
        *await _decisions_due(tx, lot_id),
        *await _contracts_due(tx, lot_id),
    ]
    stages = {one: stage_due(one.reminder, one.due_at, now=tx.now) for one in moments}
    rows = await tx.session.scalars(
        select(ReminderRow).where(
            col(ReminderRow.subject_id).in_([one.subject_id for one in moments])
        )
    )
    told = {(row.subject_id, row.kind, row.due_at, row.ahead_s) for row in rows}
    return [
        one
        for one, stage in stages.items()
        if stage is not None
        and (one.subject_id, one.reminder, one.due_at, stage.total_seconds()) not in told
    ]


def _horizon(tx: Transaction, reminder: Reminder) -> datetime:
    return tx.now + max(AHEAD[reminder])


async def _lots_due(tx: Transaction, lot_id: LotId | None) -> list[Moment]:
    """Deadlines and ends of publicity; while a lot is suspended none of them comes."""
    found = []
    for reminder, state, at in (
        (Reminder.OPENING, LotState.OPEN, LotRow.bids_due_at),
        (Reminder.PUBLICITY, LotState.CANDIDATES_PUBLISHED, LotRow.candidates_until),
    ):
        query = select(col(LotRow.id), col(at)).where(
            col(LotRow.state) == state,
            col(LotRow.suspended).is_(False),
            col(at) > tx.now,
            col(at) <= _horizon(tx, reminder),
        )
        if lot_id is not None:
            query = query.where(col(LotRow.id) == lot_id)
        for id, due_at in await tx.session.execute(query):
            assert due_at is not None
            found.append(Moment(LotId(id), reminder, id, due_at))
    return found


async def _openings_due(tx: Transaction, lot_id: LotId | None) -> list[Moment]:
    query = (
        select(OpeningRow)
        .join(LotRow, col(LotRow.id) == col(OpeningRow.lot_id))
        .where(
            col(LotRow.state) == LotState.OPENING,
            col(LotRow.suspended).is_(False),
            col(OpeningRow.opened_at).is_(None),
            col(OpeningRow.window_until) <= _horizon(tx, Reminder.RELEASE),
        )
    )
    if lot_id is not None:
        query = query.where(col(OpeningRow.lot_id) == lot_id)
    found = []
    for opening in await tx.session.scalars(query):
        id = LotId(opening.lot_id)
        if opening.window_closed_at is None:
            found.append(Moment(id, Reminder.RELEASE, id, opening.window_until))
            if opening.window_until > tx.now:
                found.append(Moment(id, Reminder.SHARES, id, opening.window_until))
        elif await waits_for_shares(tx, id):
            found.append(Moment(id, Reminder.SHARES, id, opening.window_closed_at))
    return found


async def _answers_due(tx: Transaction, lot_id: LotId | None) -> list[Moment]:
    query = select(ObjectionRow).where(
        still_open(),
        col(ObjectionRow.answer_due_at) > tx.now,
        col(ObjectionRow.answer_due_at) <= _horizon(tx, Reminder.ANSWER),
    )
    if lot_id is not None:
        query = query.where(col(ObjectionRow.lot_id) == lot_id)
    return [
        Moment(LotId(row.lot_id), Reminder.ANSWER, row.id, row.answer_due_at)
        for row in await tx.session.scalars(query)
    ]


async def _decisions_due(tx: Transaction, lot_id: LotId | None) -> list[Moment]:
    """A purchaser's decision, and the notice of a result that its silence left to the law."""
    found = []
    for one in await undecided(tx, lot_id=lot_id):
        id = one.lot_id
        found.append(Moment(id, Reminder.DECISION, id, one.decision_due_at))
        if one.silent:
            found.append(Moment(id, Reminder.RESULT, id, one.notice_due_at))
    return found


async def _contracts_due(tx: Transaction, lot_id: LotId | None) -> list[Moment]:
    query = (
        select(col(AwardRow.lot_id), col(AwardRow.contract_due_on))
        .outerjoin(ContractRow, col(ContractRow.lot_id) == col(AwardRow.lot_id))
        .where(
            is_in_force(),
            col(ContractRow.lot_id).is_(None),
            col(AwardRow.contract_due_on) >= beijing_day(tx.now),
            col(AwardRow.contract_due_on) <= beijing_day(_horizon(tx, Reminder.CONTRACT)),
        )
    )
    if lot_id is not None:
        query = query.where(col(AwardRow.lot_id) == lot_id)
    return [
        Moment(LotId(id), Reminder.CONTRACT, id, end_of_day(due_on))
        for id, due_on in await tx.session.execute(query)
        if not await award_is_void(tx, id)
    ]


# ── whom it is told ───────────────────────────────────────────────────────────────────────────


async def _tell_of_opening(tx: Transaction, lot: LotRow, moment: Moment) -> None:
    tx.record(OpeningNear(lot.id, due_at=moment.due_at))


async def _tell_of_release(tx: Transaction, lot: LotRow, moment: Moment) -> None:
    """Those whose bids are not all released: each for itself."""
    released = set(
        await tx.session.scalars(
            select(col(ReleaseRow.head)).where(col(ReleaseRow.lot_id) == lot.id)
        )
    )
    for bid in await counted_bids(tx.session, lot.id):
        if any(envelope.head not in released for envelope in bid.envelopes):
            tx.record(ReleaseWindowEnding(lot.id, addressee_id=bid.bidder_id, due_at=moment.due_at))


async def _tell_of_shares(tx: Transaction, lot: LotRow, moment: Moment) -> None:
    """The organisations of custodians who have given nothing yet."""
    kids = await drafting.newest_kids(tx, [lot.id])
    gave = set(
        await tx.session.scalars(select(col(ShareRow.kid)).where(col(ShareRow.lot_id) == lot.id))
    )
    custodians = await tx.session.scalars(
        select(CustodianRow)
        .where(col(CustodianRow.lot_id) == lot.id)
        .order_by(col(CustodianRow.place))
    )
    waited_for = [
        one.party_id for one in custodians if kids.get((lot.id, one.person_id), "") not in gave
    ]
    for party in dict.fromkeys(waited_for):
        tx.record(SharesAwaited(lot.id, addressee_id=party, due_at=moment.due_at))


async def _tell_of_publicity(tx: Transaction, lot: LotRow, moment: Moment) -> None:
    tx.record(PublicityEnding(lot.id, due_at=moment.due_at))


async def _tell_of_answer(tx: Transaction, lot: LotRow, moment: Moment) -> None:
    for party in await lots.owners_of(tx, lot):
        tx.record(
            AnswerFallingDue(
                lot.id,
                addressee_id=party,
                objection_id=moment.subject_id,
                due_at=moment.due_at,
            )
        )


async def _tell_of_decision(tx: Transaction, lot: LotRow, moment: Moment) -> None:
    """The lot's own side before the moment; then everybody, of whom the law made the winner."""
    if moment.due_at <= tx.now:
        tx.record(SilenceDecided(lot.id, due_at=moment.due_at))
    await _tell_of_duty(tx, lot, moment, Duty.DECISION)


async def _tell_of_result(tx: Transaction, lot: LotRow, moment: Moment) -> None:
    await _tell_of_duty(tx, lot, moment, Duty.RESULT_NOTICE)


async def _tell_of_duty(tx: Transaction, lot: LotRow, moment: Moment, duty: Duty) -> None:
    """That a duty of a purchaser falls due, or is overdue: then supervisors hear it too."""
    over, due_at = moment.due_at <= tx.now, moment.due_at
    if over:
        tx.record(DutyOverdue(lot.id, duty=duty, due_at=due_at))
    for party in await lots.owners_of(tx, lot):
        if over:
            tx.record(OwnDutyOverdue(lot.id, addressee_id=party, duty=duty, due_at=due_at))
        else:
            tx.record(DecisionFallingDue(lot.id, addressee_id=party, duty=duty, due_at=due_at))


async def _tell_of_contract(tx: Transaction, lot: LotRow, moment: Moment) -> None:
    award = await award_in_force(tx, lot.id)
    assert award is not None
    for party in [*await lots.owners_of(tx, lot), award.winner_id]:
        tx.record(ContractFallingDue(lot.id, addressee_id=party, due_at=moment.due_at))


Telling = Callable[[Transaction, LotRow, Moment], Awaitable[None]]

_TELLING: Final[Mapping[Reminder, Telling]] = MappingProxyType(
    {
        Reminder.OPENING: _tell_of_opening,
        Reminder.RELEASE: _tell_of_release,
        Reminder.SHARES: _tell_of_shares,
        Reminder.PUBLICITY: _tell_of_publicity,
        Reminder.ANSWER: _tell_of_answer,
        Reminder.DECISION: _tell_of_decision,
        Reminder.RESULT: _tell_of_result,
        Reminder.CONTRACT: _tell_of_contract,
    }
)
