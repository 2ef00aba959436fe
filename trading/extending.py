"""All who bid are asked to stay bound longer; each says yes or no, and no bid changes.

The tenderee or its agency asks and signs for it; everybody is told by what must arrive. Who refuses
leaves at once with its security, who says nothing when the time it promised is over; neither can
win any more.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import select
from sqlmodel import col

from kernel.access import Role, by
from kernel.crypto.digests import Malformed, count_of, parse_instant
from kernel.errors import NotFound, Refused
from kernel.identifiers import LotId
from kernel.refusals import Caution
from kernel.store.parties import organisation_names, take_part, verified_statement
from kernel.store.transaction import Transaction
from trading import agency_letters, lots
from trading.bound_bids import BoundBids, bound_bids
from trading.counted_bids import counted_bids
from trading.events import ValidityExtensionAnswered, ValidityExtensionAsked
from trading.handover import switches_for
from trading.petitions import words_in
from trading.rules.agency_scope import AgencyAct
from trading.rules.award_gates import validity_until
from trading.rules.lot_lifecycle import ENDS, LotState, was_closed
from trading.rules.procedures import Procedure
from trading.rules.validity_extension import (
    DAYS_MAX,
    Reply,
    Request,
    reply_of,
    reply_refusals,
    request_cautions,
    request_refusals,
)
from trading.tables import LotRow, ProjectRow, ValidityAnswerRow, ValidityRequestRow

READERS_OF_ANSWERS: Final = (Role.TENDEREE, Role.AGENCY, Role.SUPERVISOR)


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as it was made: its number, until when bids are to bind, and what is doubtful."""

    number: int
    valid_until: datetime
    cautions: tuple[Caution, ...]


@dataclass(frozen=True, slots=True)
class AnswerTold:
    """What one bidder made of a request; `left_at` is when its bid stopped binding it."""

    bidder: str
    reply: Reply
    answered_at: datetime | None
    left_at: datetime | None


@dataclass(frozen=True, slots=True)
class RequestTold:
    """One request; `answers` for those who may read them, `own` for a bidder that was asked."""

    number: int
    validity_days: int
    valid_until: datetime
    answer_by: datetime
    reason: str
    asked_at: datetime
    answers: tuple[AnswerTold, ...] | None
    own: AnswerTold | None
    may_answer: bool


@dataclass(frozen=True, slots=True)
class ValidityCourse:
    """A lot's validity and what was asked about it, as far as this reader may see it.

    `valid_until` is what the timetable says, or for a bidder what it promised itself; `asked_days`
    are those that were asked for last.
    """

    lot_id: LotId
    lot_name: str
    project_name: str
    procedure: Procedure
    valid_until: datetime
    validity_days: int
    asked_days: int
    requests: tuple[RequestTold, ...]
    may_ask: bool


@by(Role.TENDEREE, Role.AGENCY)
async def ask_extension(tx: Transaction, lot_id: LotId, raw: bytes) -> Asked:
    """Ask all who bid to stay bound longer; the same statement again is the same request."""
    lot = await lots.lock(tx, lot_id)
    _, project = await lots.owned(tx, lot_id)
    await agency_letters.require_scope(tx, project, AgencyAct.RESULT, lot_id)
    statement = await verified_statement(
        tx, raw, "validity-extension", lot=lot_id, project=lot.project_id
    )
    known = await tx.session.scalar(
        select(ValidityRequestRow).where(col(ValidityRequestRow.digest) == statement.digest)
    )
    if known is not None:
        return Asked(known.number, _until(lot, known.validity_days), ())
    said = statement.payload
    bound = await bound_bids(tx, lot)
    number = len(bound.requests) + 1
    if count_of(said["number"]) != number:
        raise Malformed(f"the next request is number {number}", code="wrong_number")
    request = _request_in(tx, lot, bound, said)

    switches = await switches_for(tx, lot)
    refusals = request_refusals(request, switches)
    if refusals:
        raise Refused(refusals)
    cautions = request_cautions(request)

    await take_part(tx, lot_id)
    tx.session.add(
        ValidityRequestRow(
            lot_id=lot_id,
            number=number,
            validity_days=request.proposed_days,
            answer_by=request.answer_by,
            reason=request.reason,
            digest=statement.digest,
            statement=raw,
            asked_by=tx.actor.person,
            asked_at=tx.now,
            cautions=[one.as_json() for one in cautions],
        )
    )

    until = _until(lot, request.proposed_days)
    tx.record(
        ValidityExtensionAsked(
            lot_id,
            number=number,
            validity_days=request.proposed_days,
            valid_until=until,
            answer_by=request.answer_by,
            statement_digest=statement.digest,
        )
    )

    return Asked(number, until, tuple(cautions))


@by(Role.BIDDER)
async def answer_extension(tx: Transaction, lot_id: LotId, number: int, raw: bytes) -> Reply:
    """Agree to stay bound longer, or refuse and leave; who was not asked finds no request."""
    lot = await lots.lock(tx, lot_id)
    bound = await bound_bids(tx, lot)
    request = next((one for one in bound.requests if one.number == number), None)
    bidders = {one.bidder_id for one in await counted_bids(tx.session, lot_id)}
    if request is None or not _was_asked(bound, request, tx.actor.party, bidders):
        raise NotFound("no such request")
    statement = await verified_statement(
        tx, raw, "validity-answer", lot=lot_id, project=lot.project_id
    )
    agreed = statement.payload["agreed"]
    if count_of(statement.payload["number"]) != number or not isinstance(agreed, bool):
        raise Malformed("an answer names its request and is true or false", code="answer")

    switches = await switches_for(tx, lot)
    refusals = reply_refusals(
        now=tx.now,
        answer_by=request.answer_by,
        answered=(number, tx.actor.party) in bound.answers,
        state=LotState(lot.state),
        switches=switches,
    )
    if refusals:
        raise Refused(refusals)

    await take_part(tx, lot_id)
    tx.session.add(
        ValidityAnswerRow(
            lot_id=lot_id,
            number=number,
            bidder_id=tx.actor.party,
            agreed=agreed,
            digest=statement.digest,
            statement=raw,
            answered_by=tx.actor.person,
            answered_at=tx.now,
        )
    )

    tx.record(
        ValidityExtensionAnswered(
            lot_id,
            bidder_id=tx.actor.party,
            number=number,
            agreed=agreed,
            statement_digest=statement.digest,
        )
    )

    return Reply.AGREED if agreed else Reply.REFUSED


@by(*Role)
async def validity_course(tx: Transaction, lot_id: LotId) -> ValidityCourse:
    """The requests of a published lot; answers for its owners and supervisors, and one's own."""
    lot = await lots.hold(tx, lot_id)
    if lot.published_at is None or lot.bids_due_at is None:
        raise NotFound("no such lot")
    project = await tx.session.get_one(ProjectRow, lot.project_id)
    bound = await bound_bids(tx, lot)
    bidders = [one.bidder_id for one in await counted_bids(tx.session, lot_id)]
    owner = lots.owns(tx, project)
    reads_all = owner or tx.actor.role is Role.SUPERVISOR
    names = await organisation_names(tx.session, bidders if reads_all and bound.requests else [])
    party = tx.actor.party_id if tx.actor.role is Role.BIDDER else None
    own_days = bound.first_days if party is None else bound.days_of(party)
    requests = []
    for request in bound.requests:
        asked = [one for one in bidders if _was_asked(bound, request, one, set(bidders))]
        answers = [_answer(tx, bound, request, one, names.get(one, "")) for one in asked]
        own = next((each for one, each in zip(asked, answers, strict=True) if one == party), None)
        open_now = tx.now < request.answer_by and lot.state not in ENDS
        requests.append(
            RequestTold(
                request.number,
                request.validity_days,
                _until(lot, request.validity_days),
                request.answer_by,
                request.reason,
                request.asked_at,
                tuple(sorted(answers, key=lambda one: one.bidder)) if reads_all else None,
                own,
                own is not None and own.reply is Reply.WAITING and open_now,
            )
        )
    return ValidityCourse(
        lot_id,
        lot.name,
        project.name,
        Procedure(project.procedure),
        _until(lot, own_days),
        own_days,
        bound.longest_days,
        tuple(requests),
        owner and was_closed(lot.path) and lot.state not in ENDS,
    )


# ── what the acts above are made of ───────────────────────────────────────────────────────────


def _until(lot: LotRow, days: int) -> datetime:
    assert lot.bids_due_at is not None
    return validity_until(lot.bids_due_at, days)


def _request_in(tx: Transaction, lot: LotRow, bound: BoundBids, said: dict[str, object]) -> Request:
    days = count_of(said["validity_days"])
    if days > DAYS_MAX:
        raise Malformed(f"a validity has at most {DAYS_MAX} days", code="validity_days")
    assert lot.bids_due_at is not None
    return Request(
        now=tx.now,
        state=LotState(lot.state),
        closed=was_closed(lot.path),
        bids_due_at=lot.bids_due_at,
        validity_days=bound.longest_days,
        proposed_days=days,
        answer_by=parse_instant(said["answer_by"]),
        reason=words_in(said["reason"]),
        still_waits=any(tx.now < one.answer_by for one in bound.requests),
    )


def _was_asked(
    bound: BoundBids, request: ValidityRequestRow, bidder: UUID, bidders: set[UUID]
) -> bool:
    """Whether this bidder was one of those asked: it bid, and had not left before."""
    gone = bound.left.get(bidder)
    return bidder in bidders and (gone is None or gone >= request.asked_at)


def _answer(
    tx: Transaction, bound: BoundBids, request: ValidityRequestRow, bidder: UUID, name: str
) -> AnswerTold:
    row = bound.answers.get((request.number, bidder))
    reply = reply_of(None if row is None else row.agreed, now=tx.now, answer_by=request.answer_by)
    return AnswerTold(name, reply, None if row is None else row.answered_at, bound.left.get(bidder))
