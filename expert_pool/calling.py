"""Calling the drawn experts, from the top of each list downwards, until every seat is accepted.

An expert learns when, where and for how long, and neither for whom nor with whom. Nobody but the
draw learns who was called.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import or_
from sqlmodel import col, select

from expert_pool import draw_commitments, draws, pool_facts
from expert_pool.draws import DrawFile
from expert_pool.enrolling import own_row
from expert_pool.events import CallEnded, DrawCompleted, ExpertCalled
from expert_pool.rules.calling_order import Answer, CallOutcome, Walk, answer_refusals, walk
from expert_pool.rules.draw_protocol import AcceptSeat, DrawState, VacateSeat, step
from expert_pool.tables import CallRow, DrawLabelRow, DrawRow, ExpertRow
from kernel.access import Role, by
from kernel.crypto import fair_draw
from kernel.crypto.digests import Malformed, instant_text, parse_instant, text_of
from kernel.errors import NotFound, Outrun, Refused
from kernel.identifiers import DrawId, EntryId, ExpertId, PartyId, PersonId
from kernel.randomness import random_bytes, random_id
from kernel.refusals import Refusal
from kernel.statute import BIDDING_REGULATION, CONDUCT_OPINIONS, under
from kernel.store import outbox
from kernel.store.outbox import Channel, Message, Recipient
from kernel.store.parties import take_part, verified_statement
from kernel.store.transaction import Transaction

ANSWER_WITHIN: Final = timedelta(minutes=15)
"""How long after its delivery a call waits for an answer before silence may be noted."""

REASON_MAX: Final = 500

CALL_TOPIC: Final = "call"
CALL_CHANNELS: Final = (Channel.INBOX, Channel.SMS)
"""How a called expert is told; what does not arrive as a text is followed by a voice call."""


@dataclass(frozen=True, slots=True)
class OwnCall:
    """A call as the called expert sees it, and what was recorded in his name."""

    id: UUID
    outcome: str
    """A `CallOutcome`, or `void` where the whole draw came to nothing."""

    region_code: str
    specialism: str
    called_at: datetime
    answer_by: datetime
    answered_at: datetime | None
    reason: str
    window_from: datetime
    window_until: datetime


@dataclass(frozen=True, slots=True)
class PendingCall:
    """A call that waits for its answer, as the centre's staff see it: a place, and nobody's."""

    id: UUID
    stratum: str
    place: int
    called_at: datetime
    delivered_at: datetime | None
    answer_by: datetime | None


@by(Role.EXPERT)
async def own_calls(tx: Transaction) -> list[OwnCall]:
    """The acting expert's own calls; reading one is the proof that it was delivered."""
    expert = await own_row(tx, left_too=True)
    rows = await tx.session.execute(
        select(CallRow, DrawRow)
        .join(DrawRow, col(DrawRow.id) == col(CallRow.draw_id))
        .where(
            CallRow.expert_id == expert.id,
            or_(
                col(CallRow.outcome).in_((CallOutcome.CALLED, CallOutcome.ACCEPTED)),
                col(CallRow.left_number).is_not(None),
            ),
        )
        .order_by(col(CallRow.called_at).desc())
    )
    calls = []
    for call, row in rows:
        file = await draws.find(tx, row.id)
        if call.delivered_at is None:
            call.delivered_at = tx.now
            tx.session.add(call)
        stratum = next(one for one in file.told["strata"] if one["name"] == call.stratum)
        calls.append(
            OwnCall(
                call.id,
                "void" if row.state == DrawState.VOID else call.outcome,
                stratum["region"],
                stratum["specialism"],
                call.called_at,
                call.delivered_at + ANSWER_WITHIN,
                call.answered_at,
                call.reason,
                parse_instant(file.told["window_from"]),
                parse_instant(file.told["window_until"]),
            )
        )
    return calls


@by(Role.EXPERT)
async def answer(tx: Transaction, call_id: UUID, raw: bytes) -> CallOutcome:
    """A called expert accepts or declines by a signed statement; then the next is called.

    A decision recorded meanwhile makes an acceptance void: then the call ends as barred late.
    """
    expert = await own_row(tx, left_too=True)
    call, file = await _held(tx, call_id)
    if call.expert_id != expert.id:
        raise NotFound("no such call")
    statement = await verified_statement(tx, raw, "draw-answer", call=call_id)
    outcome, reason = _answer_in(statement.payload)

    if call.outcome != CallOutcome.CALLED or file.row.state != DrawState.CALLING:
        raise Outrun("the call is answered already")
    refusals = answer_refusals(Answer(outcome, signed_by_expert=True))
    if outcome is CallOutcome.ACCEPTED:
        busy = await pool_facts.busy_otherwise(tx, file.row.lot_id, [expert.person_id])
        refusals += duty_refusals(busy_otherwise=bool(busy))
    if refusals:
        raise Refused(refusals)

    await draws.keep_statement(tx, file, statement, author="expert")
    call.answered_at, call.reason = tx.now, reason
    call.evidence = draw_commitments.statement_evidence(statement.digest)
    if outcome is CallOutcome.ACCEPTED and await _barred_since(tx, file, call, expert):
        outcome = CallOutcome.BARRED_LATE
    elif outcome is CallOutcome.ACCEPTED:
        await _seat(tx, file, call)
    else:
        await _end(tx, file, call, outcome)
    await call_on(tx, file)

    return outcome


@by(Role.CENTRE_STAFF)
async def note_no_answer(tx: Transaction, call_id: UUID) -> None:
    """Note that a called expert did not answer in time, though the call was delivered."""
    call, file = await _held(tx, call_id)

    if call.outcome != CallOutcome.CALLED or file.row.state != DrawState.CALLING:
        raise Outrun("the call is answered already")
    refusals = answer_refusals(
        Answer(CallOutcome.NO_ANSWER, delivered=call.delivered_at is not None)
    )
    refusals += patience_refusals(delivered_at=call.delivered_at, at=tx.now)
    if refusals:
        raise Refused(refusals)
    await take_part(tx, file.row.lot_id)

    assert call.delivered_at is not None
    call.answered_at = tx.now
    call.evidence = f"delivered:{instant_text(call.delivered_at)}"
    await _end(tx, file, call, CallOutcome.NO_ANSWER)
    await call_on(tx, file)


@by(Role.CENTRE_STAFF, Role.SUPERVISOR)
async def pending_calls(tx: Transaction, draw_id: DrawId) -> list[PendingCall]:
    """The calls that wait for an answer, by place and without anybody's name."""
    return [
        PendingCall(
            call.id,
            call.stratum,
            call.place,
            call.called_at,
            call.delivered_at,
            None if call.delivered_at is None else call.delivered_at + ANSWER_WITHIN,
        )
        for call in await draws.calls_of(tx, draw_id)
        if call.outcome == CallOutcome.CALLED
    ]


@under(BIDDING_REGULATION[46], rule=("EX-09", "EX-11"))
def duty_refusals(*, busy_otherwise: bool) -> list[Refusal]:
    """Why a called expert may not accept: he acts in the lot in a capacity no member may hold."""
    if not busy_otherwise:
        return []
    reason = "您在本标段已承担与评标不相容的职责，不能参加评标，请答复不能参加"
    return [Refusal("conflicting_capacity", BIDDING_REGULATION[46], reason)]


@under(CONDUCT_OPINIONS[14], rule="EX-14")
def patience_refusals(*, delivered_at: datetime | None, at: datetime) -> list[Refusal]:
    """Why silence may not be noted yet: the expert still has time to answer."""
    if delivered_at is None or at >= delivered_at + ANSWER_WITHIN:
        return []
    by_when = instant_text(delivered_at + ANSWER_WITHIN)
    reason = f"专家的答复期限 {by_when} 尚未届满，不得记为未应答"
    return [Refusal("too_early", CONDUCT_OPINIONS[14], reason, {"answer_by": by_when})]


# ── for the neighbours in this package ────────────────────────────────────────────────────────


async def call_on(tx: Transaction, file: DrawFile) -> None:
    """Call down the lists until as many are called as there are seats, or they have run out.

    A called expert against whom a decision was recorded since the announcement is marked so with
    the decision, and the next is called.
    """
    await tx.session.flush()
    labels = {row.label: row for row in await draws.labels_of(tx, file.id)}
    calls = await draws.calls_of(tx, file.id)
    while True:
        walked = _walk(file, labels, calls)
        fresh = [
            _call(tx, file, number, labels[one.label], one.stratum, one.place, one.outcome)
            for number, one in enumerate(walked.steps[len(calls) :], len(calls) + 1)
        ]
        if not fresh:
            break
        tx.session.add_all(fresh)
        await tx.session.flush()
        calls += fresh
        for call in fresh:
            if call.outcome == CallOutcome.CALLED:
                expert = await tx.session.get_one(ExpertRow, call.expert_id)
                if not await _barred_since(tx, file, call, expert):
                    entry_id = tx.record(
                        ExpertCalled(file.row.lot_id, file.id, call.stratum, call.place, call.label)
                    )
                    await _tell(tx, entry_id, call, expert)


async def vacate(
    tx: Transaction,
    file: DrawFile,
    expert_id: ExpertId,
    *,
    outcome: CallOutcome,
    reason: str,
    decision_id: UUID | None = None,
) -> None:
    """Take back the seat of an expert who had accepted, and call the next in his list.

    A bar comes with its decision, and no other outcome with any.
    """
    barred = outcome is CallOutcome.BARRED_LATE
    if not barred and outcome not in (CallOutcome.RECUSED, CallOutcome.ABSENT):
        raise ValueError(f"nobody gives up a seat as {outcome}")
    if barred is (decision_id is None):
        raise ValueError("who is barred is barred by a decision")
    for call in await draws.calls_of(tx, file.id):
        if call.expert_id == expert_id and call.outcome == CallOutcome.ACCEPTED:
            break
    else:
        raise NotFound("that expert holds no seat")
    draw = step(await draws.protocol_of(tx, file), VacateSeat(), at=tx.now)
    draws.keep_state(tx, file, draw)
    call.reason = reason[:REASON_MAX]
    if barred:
        call.evidence = draw_commitments.decision_evidence(random_bytes(32), str(decision_id))
    await _end(tx, file, call, outcome, decision_id=decision_id)
    await call_on(tx, file)


async def is_exhausted(tx: Transaction, file: DrawFile) -> bool:
    """Whether a list has run out, nobody is left to answer, and seats are still open."""
    if file.row.state != DrawState.CALLING:
        return False
    calls = await draws.calls_of(tx, file.id)
    return not any(call.outcome == CallOutcome.CALLED for call in calls)


# ── what the above is made of ─────────────────────────────────────────────────────────────────


def _answer_in(said: dict[str, object]) -> tuple[CallOutcome, str]:
    reason = text_of(said.get("reason", "")).strip()[:REASON_MAX]
    match said["answer"]:
        case "accepted":
            return CallOutcome.ACCEPTED, reason
        case "declined" if reason:
            return CallOutcome.DECLINED, reason
        case "declined":
            raise Malformed("whoever declines says why")
        case _:
            raise Malformed("an answer is accepted or declined")


async def _held(tx: Transaction, call_id: UUID) -> tuple[CallRow, DrawFile]:
    """The call and its draw, both for this transaction alone."""
    found = await tx.session.get(CallRow, call_id)
    if found is None:
        raise NotFound("no such call")
    file = await draws.hold(tx, found.draw_id)
    return await tx.session.get_one(CallRow, call_id, populate_existing=True), file


def _walk(file: DrawFile, labels: dict[bytes, DrawLabelRow], calls: Sequence[CallRow]) -> Walk:
    assert file.row.prk is not None
    left = sorted(
        (call.left_number, call.label, CallOutcome(call.outcome))
        for call in calls
        if call.left_number is not None
    )
    return walk(
        {
            stratum: fair_draw.ranking(
                file.row.prk,
                stratum,
                [label for label, row in labels.items() if stratum in row.strata],
            )
            for stratum in file.seats
        },
        numbers=file.seats,
        grounds={label: row.grounds for label, row in labels.items()},
        left=[(label, outcome) for _, label, outcome in left],
    )


def _call(
    tx: Transaction,
    file: DrawFile,
    number: int,
    member: DrawLabelRow,
    stratum: str,
    place: int,
    outcome: CallOutcome,
) -> CallRow:
    return CallRow(
        id=random_id(),
        draw_id=file.id,
        number=number,
        stratum=stratum,
        place=place,
        label=member.label,
        expert_id=member.expert_id,
        outcome=outcome,
        called_at=tx.now,
    )


async def _tell(tx: Transaction, entry_id: EntryId, call: CallRow, expert: ExpertRow) -> None:
    """Tell the called expert that there is a call, and neither for whom nor with whom."""
    message = Message(CALL_TOPIC, call.id, must=True, channels=CALL_CHANNELS, facts={})
    to = Recipient(PartyId(expert.pool_id), Role.EXPERT, PersonId(expert.person_id))
    await outbox.post(tx, entry_id, message, [to])


async def _barred_since(tx: Transaction, file: DrawFile, call: CallRow, expert: ExpertRow) -> bool:
    """Whether a decision forbids it now; then the call has ended with that decision marked."""
    standing = await pool_facts.draw_standing(
        tx, expert, regime=file.regime, mandatory=file.told["mandatory"]
    )
    if not standing.barred:
        return False
    decision = standing.decisions[0].id
    call.evidence = draw_commitments.decision_evidence(random_bytes(32), str(decision))
    await _end(tx, file, call, CallOutcome.BARRED_LATE, decision_id=decision)
    return True


async def _seat(tx: Transaction, file: DrawFile, call: CallRow) -> None:
    draw = step(await draws.protocol_of(tx, file), AcceptSeat(), at=tx.now)
    call.outcome = CallOutcome.ACCEPTED
    tx.session.add(call)
    draws.keep_state(tx, file, draw)
    _record_end(tx, file, call, None)
    await tx.session.flush()
    if draw.state is DrawState.SEATED:
        await _complete(tx, file)


async def _end(
    tx: Transaction,
    file: DrawFile,
    call: CallRow,
    outcome: CallOutcome,
    *,
    decision_id: UUID | None = None,
) -> None:
    """The call is given back; the order in which calls are given back decides who is next."""
    calls = await draws.calls_of(tx, file.id)
    call.outcome = outcome
    call.left_number = 1 + sum(one.left_number is not None for one in calls)
    tx.session.add(call)
    _record_end(tx, file, call, decision_id)
    await tx.session.flush()


def _record_end(tx: Transaction, file: DrawFile, call: CallRow, decision_id: UUID | None) -> None:
    tx.record(
        CallEnded(
            file.row.lot_id,
            file.id,
            call.stratum,
            call.place,
            call.label,
            outcome=call.outcome,
            reason=call.reason,
            evidence=call.evidence,
            decision_id=decision_id,
        )
    )


async def _complete(tx: Transaction, file: DrawFile) -> None:
    told, left = await draws.calls_told(tx, file.id)
    file.row.completed_at = tx.now
    file.row.completed_entry = tx.record(
        DrawCompleted(
            file.row.lot_id,
            file.id,
            seats=sum(file.seats.values()),
            passed=len(told),
            calls_digest=draw_commitments.calls_digest(told, left),
        )
    )
    tx.session.add(file.row)
