"""A potential bidder asks about the tender documents, and nobody learns who asked.

The strictest reading of who may know is kept here. The tenderee's desk, the agency working at it,
reads what is asked, because somebody must answer; it does not read who asked, nor when. Nobody else
reads a question at all before its answer is published to everyone. Once the lot was closed the
tenderee alone may read who asked; where the lot ended before its close, never: whoever asked may
well bid when it is tendered again (招标投标法 22).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import Select, select
from sqlmodel import col

from kernel.access import Role, by
from kernel.crypto.digests import Malformed
from kernel.errors import NoCalendar, NotFound, Refused
from kernel.identifiers import LotId
from kernel.randomness import random_id
from kernel.refusals import Refusal
from kernel.statute import BIDDING_LAW
from kernel.store.parties import (
    organisation_names,
    require_verified,
    take_part,
    verified_statement,
)
from kernel.store.transaction import Transaction
from trading import inviting, lots
from trading.drafting import clean_text
from trading.events import QuestionAsked
from trading.handover import switches_for
from trading.rules.lot_lifecycle import LotState, was_closed
from trading.rules.question_window import (
    Question,
    answer_due_at,
    question_refusals,
    question_until,
)
from trading.tables import LotRow, ProjectRow, QuestionAnswerRow, QuestionRow

WORDS_MAX: Final = 2000


@dataclass(frozen=True, slots=True)
class Asked:
    """A question as it was taken in, for whoever asked."""

    id: UUID
    asked_at: datetime


@dataclass(frozen=True, slots=True)
class OwnQuestion:
    """One of the acting bidder's own questions; `notice` is the one that answered it.

    Whoever answers is not told when it was asked, so that only its asker reads by when it is due.
    """

    id: UUID
    words: str
    asked_at: datetime
    notice: int | None
    answer_due_at: datetime | None
    overdue: bool


@dataclass(frozen=True, slots=True)
class DeskQuestion:
    """A question as the tenderee's desk reads it; `asker` is for the tenderee after the close."""

    id: UUID
    words: str
    notice: int | None
    asker: str | None


@dataclass(frozen=True, slots=True)
class Board:
    """A lot's question board as one reader sees it; what was answered stands in the notices.

    `desk` is for those whose lot it is, None for everybody else.
    """

    until: datetime
    takes_questions: bool
    takes_answers: bool
    own: tuple[OwnQuestion, ...]
    desk: tuple[DeskQuestion, ...] | None


@by(Role.BIDDER)
async def ask_question(tx: Transaction, lot_id: LotId, raw: bytes) -> Asked:
    """Ask about the documents of an open lot. The same statement again is the same question."""
    lot = _published(await lots.hold(tx, lot_id))
    own = await require_verified(tx)
    statement = await verified_statement(tx, raw, "question", lot=lot_id, project=lot.project_id)
    words = clean_text(statement.payload["words"], at_most=WORDS_MAX)
    known = await tx.session.scalar(
        select(QuestionRow).where(col(QuestionRow.digest) == statement.digest)
    )
    if known is not None:
        return Asked(known.id, known.asked_at)
    switches = await switches_for(tx, lot)

    assert lot.bids_due_at is not None
    refusals = question_refusals(
        Question(
            asked_at=tx.now,
            words=words,
            asker_name=own.name,
            asker_uscc=own.uscc,
            lot_state=LotState(lot.state),
            bids_due_at=lot.bids_due_at,
        ),
        switches,
    )
    refusals += await inviting.uninvited_grounds(tx, lot, switches)
    if refusals:
        raise Refused(refusals)

    await take_part(tx, lot_id)
    row = QuestionRow(
        id=random_id(),
        lot_id=lot_id,
        asker_id=tx.actor.party,
        person_id=tx.actor.person,
        words=words,
        digest=statement.digest,
        statement=raw,
        asked_at=tx.now,
    )
    tx.session.add(row)

    tx.record(QuestionAsked(lot_id, question_id=row.id, statement_digest=row.digest))

    return Asked(row.id, row.asked_at)


@by(*Role)
async def board(tx: Transaction, lot_id: LotId) -> Board:
    """The question board of a published lot, as far as whoever looks may read it."""
    # Nothing is held for those who only look: they would keep the closing waiting.
    lot = _published(await tx.session.get(LotRow, lot_id))
    assert lot.bids_due_at is not None
    project = await tx.session.get_one(ProjectRow, lot.project_id)
    until = question_until(lot.bids_due_at, await switches_for(tx, lot))
    open_still = LotState(lot.state) is LotState.OPEN

    return Board(
        until,
        takes_questions=open_still and tx.now <= until,
        takes_answers=open_still,
        own=await _own_questions(tx, lot) if tx.actor.role is Role.BIDDER else (),
        desk=await _desk_questions(tx, lot) if lots.owns(tx, project) else None,
    )


async def _own_questions(tx: Transaction, lot: LotRow) -> tuple[OwnQuestion, ...]:
    """The acting bidder's own questions about a lot, the newest first; nobody else's ever."""
    rows = await tx.session.execute(
        _with_answers()
        .where(col(QuestionRow.lot_id) == lot.id, col(QuestionRow.asker_id) == tx.actor.party)
        .order_by(col(QuestionRow.asked_at).desc(), col(QuestionRow.id))
    )
    switches, calendar = await switches_for(tx, lot), tx.settings.calendar
    found = []
    for row, answer in rows:
        try:
            due_at = answer_due_at(row.asked_at, switches, calendar=calendar)
        except NoCalendar:
            due_at = None
        overdue = answer is None and due_at is not None and due_at <= tx.now
        notice = _notice_of(answer)
        found.append(OwnQuestion(row.id, row.words, row.asked_at, notice, due_at, overdue))
    return tuple(found)


async def _desk_questions(tx: Transaction, lot: LotRow) -> tuple[DeskQuestion, ...]:
    """What was asked about an own lot, in an order that says nothing, those unanswered first."""
    rows = (
        await tx.session.execute(
            _with_answers()
            .where(col(QuestionRow.lot_id) == lot.id)
            # Ids are drawn, so that their order tells neither when nor in what turn one asked.
            .order_by(col(QuestionAnswerRow.notice).desc().nulls_first(), col(QuestionRow.id))
        )
    ).all()
    names: dict[UUID, str] = {}
    if was_closed(lot.path) and tx.actor.role is Role.TENDEREE:
        names = await organisation_names(tx.session, [row.asker_id for row, _ in rows])
    return tuple(
        DeskQuestion(row.id, row.words, _notice_of(answer), names.get(row.asker_id))
        for row, answer in rows
    )


def _notice_of(answer: QuestionAnswerRow | None) -> int | None:
    return None if answer is None else answer.notice


def _with_answers() -> Select[QuestionRow, QuestionAnswerRow]:
    return select(QuestionRow, QuestionAnswerRow).outerjoin(
        QuestionAnswerRow, col(QuestionAnswerRow.question_id) == col(QuestionRow.id)
    )


async def keep_answers(
    tx: Transaction, lot: LotRow, *, notice: int, groups: Sequence[Sequence[UUID]]
) -> None:
    """Note which published answer each of these questions got; the lot must be locked.

    `NotFound` for what is no question about this lot, `Refused` for one that has its answer.
    """
    ids = [one for group in groups for one in group]
    if len(set(ids)) < len(ids):
        raise Malformed("a question stands in two groups", code="question_twice")
    rows = await tx.session.execute(
        select(col(QuestionRow.id), col(QuestionAnswerRow.question_id))
        .outerjoin(QuestionAnswerRow, col(QuestionAnswerRow.question_id) == col(QuestionRow.id))
        .where(col(QuestionRow.lot_id) == lot.id, col(QuestionRow.id).in_(ids))
    )
    found = {question: answered for question, answered in rows}
    if found.keys() != set(ids):
        raise NotFound("no such question about this lot")
    if any(found.values()):
        reason = "所列问题中有的已经答复，答复应当一次发布给所有潜在投标人"
        raise Refused([Refusal("answered", BIDDING_LAW[23], reason)])
    tx.session.add_all(
        QuestionAnswerRow(question_id=one, lot_id=lot.id, notice=notice, place=place)
        for place, group in enumerate(groups)
        for one in group
    )


def _published(lot: LotRow | None) -> LotRow:
    if lot is None or lot.published_at is None or lot.bids_due_at is None:
        raise NotFound("no such lot")
    return lot
