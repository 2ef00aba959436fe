"""A bidder objects (异议, in procurement 质疑), the tenderee answers, and meanwhile the lot waits.

Objections to the documents and to the result come here, and to those of a prequalification while
the lot is a draft; those to the opening are raised on the spot and answered there, and from here
they only find their way into the hall. Who objects to documents is told to nobody before the close,
because only who means to bid objects.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, and_, func, select
from sqlmodel import col

from kernel.access import Role, by
from kernel.crypto.digests import Malformed, text_of
from kernel.errors import NoCalendar, NotFound, Refused
from kernel.identifiers import LotId, ObjectionId
from kernel.randomness import random_id
from kernel.refusals import Caution, Refusal
from kernel.statute import PROCUREMENT_REGULATION, Article
from kernel.store.parties import (
    Statement,
    organisation,
    require_verified,
    take_part,
    verification_refusals,
    verified_statement,
)
from kernel.store.transaction import Transaction
from kernel.working_days import beijing_day
from trading import agency_letters, lots, opening, remedying
from trading.counted_bids import counted_bids
from trading.events import (
    ObjectionAnswered,
    ObjectionRaised,
    ObjectionWithdrawn,
    OwnObjectionAnswered,
)
from trading.handover import switches_for
from trading.made_awards import award_in_force
from trading.petitions import Petition, petition_in, require_kept, words_in
from trading.prequalification_rounds import newest_round, qualification
from trading.rules.agency_scope import AgencyAct
from trading.rules.lot_lifecycle import LotState, suspension_refusals, was_closed
from trading.rules.objection_outcome import ObjectionOutcome, Remedy, Reply, outcome_refusals
from trading.rules.objection_window import (
    KIND_NAMES,
    OF_PREQUALIFICATION,
    Interest,
    ObjectionFacts,
    ObjectionKind,
    answer_cautions,
    answer_due_at,
    answer_refusals,
    must_wait,
    objection_article,
    objection_refusals,
    objection_until,
    result_known_on,
    withdrawal_refusals,
)
from trading.rules.procedures import Period, Switches
from trading.rules.split_award import party_in
from trading.tables import (
    CandidatesRow,
    LotRow,
    ObjectionAnswerRow,
    ObjectionRow,
    ObjectionWithdrawalRow,
    OpeningRow,
    PrequalificationReviewRow,
    RankedBidRow,
)

BEFORE_CANDIDATES: Final = frozenset({LotState.IN_EVALUATION, LotState.EVALUATED})


@dataclass(frozen=True, slots=True)
class Raised:
    """An objection as it was taken in; `waits` says that the lot stands still until the answer."""

    id: ObjectionId
    about: ObjectionKind
    answer_due_at: datetime
    waits: bool


@dataclass(frozen=True, slots=True)
class Objectable:
    """What may be objected to now, until when and by which article, and how soon it is answered.

    In procurement it is a challenge (质疑).
    """

    about: ObjectionKind
    until: datetime
    article: Article
    answer_period: Period
    challenge: bool


@dataclass(frozen=True, slots=True)
class Answered:
    """An answer as it was taken in, whether it came late, and whether what follows is awaited."""

    id: ObjectionId
    cautions: tuple[Caution, ...]
    remedy: Remedy


@by(Role.BIDDER)
async def raise_objection(tx: Transaction, lot_id: LotId, raw: bytes) -> Raised:
    """Object to the documents, the opening or the result, or to a prequalification.

    The same statement again is the same objection. `Refused` outside the window, and for whoever
    is not concerned or not verified: an objection stops a lot, so somebody must stand behind it.
    """
    lot = await lots.lock(tx, lot_id)
    require_public(lot)
    await require_verified(tx)
    statement = await verified_statement(tx, raw, "objection", lot=lot_id, project=lot.project_id)
    about, petition, interest_words = _objection_in(statement.payload)
    _require_there(lot, about)
    known = await tx.session.scalar(
        select(ObjectionRow).where(col(ObjectionRow.digest) == statement.digest)
    )
    if known is not None:
        return _raised(known)
    await require_kept(tx, lot_id, petition)
    switches = await switches_for(tx, lot)

    refusals = await _grounds(tx, lot, about, interest_words, switches)
    if refusals:
        raise Refused(refusals)
    if about is ObjectionKind.OPENING:
        on_the_spot = await opening.object_on_the_spot(tx, lot_id, petition.in_words())
        return Raised(ObjectionId(on_the_spot), about, tx.now, waits=False)

    await take_part(tx, lot_id)
    row = ObjectionRow(
        id=random_id(),
        lot_id=lot_id,
        about=about,
        objector_id=tx.actor.party,
        person_id=tx.actor.person,
        request=petition.request,
        grounds=petition.grounds,
        evidence=petition.evidence_kept(),
        interest=interest_words,
        digest=statement.digest,
        statement=raw,
        waits=must_wait(about, switches),
        raised_at=tx.now,
        answer_due_at=answer_due_at(about, tx.now, switches, calendar=tx.settings.calendar),
    )
    tx.session.add(row)

    tx.record(
        ObjectionRaised(
            lot_id,
            objection_id=row.id,
            about=about,
            statement_digest=row.digest,
            waits=row.waits,
            answer_due_at=row.answer_due_at,
        )
    )
    if row.waits:
        lots.suspend(tx, lot, cause=row.id, reason=f"对{KIND_NAMES[about]}的异议，答复前暂停")

    return _raised(row)


@by(Role.TENDEREE, Role.AGENCY)
async def answer_objection(
    tx: Transaction, lot_id: LotId, objection_id: ObjectionId, raw: bytes
) -> Answered:
    """Answer an objection: whether it stands, and what follows; then the lot goes on, or it waits
    until that is done.

    A late answer is taken with a caution, since silence would harm more.
    """
    objection = await tx.session.get(ObjectionRow, objection_id)
    if objection is None or objection.lot_id != lot_id:
        raise NotFound("no such objection")
    lot = await lots.lock(tx, lot_id)
    _, project = await lots.owned(tx, lot_id)
    await agency_letters.require_scope(tx, project, AgencyAct.ANSWER, lot_id)
    statement = await verified_statement(
        tx, raw, "answer", lot=lot_id, project=lot.project_id, objection=objection_id
    )
    words, outcome, remedy, candidate_id = _answer_in(statement)
    about = ObjectionKind(objection.about)
    before = await tx.session.get(ObjectionAnswerRow, objection_id)
    taken_back = await tx.session.get(ObjectionWithdrawalRow, objection_id)
    switches = await switches_for(tx, lot)

    refusals = answer_refusals(
        about,
        answered_already=before is not None,
        answer=words,
        withdrawn=taken_back is not None,
    )
    reply = Reply(
        about,
        outcome,
        remedy,
        LotState(lot.state),
        candidate_named=candidate_id is not None,
        recommended=await _is_recommended(tx, lot, candidate_id),
    )
    refusals += outcome_refusals(reply, switches)
    if refusals:
        raise Refused(refusals)
    cautions = answer_cautions(
        about, answered_at=tx.now, due_at=objection.answer_due_at, switches=switches
    )

    await take_part(tx, lot_id)
    tx.session.add(
        ObjectionAnswerRow(
            objection_id=objection_id,
            words=words,
            digest=statement.digest,
            statement=raw,
            answered_by=tx.actor.person,
            answered_at=tx.now,
            late=bool(cautions),
            outcome=outcome,
            remedy=remedy,
            candidate_id=candidate_id,
        )
    )

    tx.record(
        ObjectionAnswered(
            lot_id,
            objection_id=objection_id,
            about=about,
            statement_digest=statement.digest,
            late=bool(cautions),
            outcome=outcome,
            remedy=remedy,
        )
    )
    if was_closed(lot.path):
        tx.record(
            OwnObjectionAnswered(
                lot_id,
                addressee_id=objection.objector_id,
                objection_id=objection_id,
                about=about,
                outcome=outcome,
                remedy=remedy,
            )
        )
    if remedy is not Remedy.NOTHING:
        remedying.hold_until_done(tx, lot, objection, outcome, remedy)
    elif objection.waits:
        lots.resume(tx, lot, cause=objection_id, reason=f"对{KIND_NAMES[about]}的异议已答复")

    return Answered(objection_id, tuple(cautions), remedy)


@by(Role.BIDDER)
async def withdraw_objection(
    tx: Transaction, lot_id: LotId, objection_id: ObjectionId, raw: bytes
) -> None:
    """Take an own objection back before it is answered; the lot goes on where nothing else holds.

    For everybody but whoever raised it there is no such objection.
    """
    objection = await tx.session.get(ObjectionRow, objection_id)
    if objection is None or objection.lot_id != lot_id or objection.objector_id != tx.actor.party:
        raise NotFound("no such objection")
    lot = await lots.lock(tx, lot_id)
    statement = await verified_statement(
        tx,
        raw,
        "objection-withdrawal",
        lot=lot_id,
        project=lot.project_id,
        objection=objection_id,
    )
    reason = words_in(statement.payload["reason"])
    about = ObjectionKind(objection.about)
    answered = await tx.session.get(ObjectionAnswerRow, objection_id)
    before = await tx.session.get(ObjectionWithdrawalRow, objection_id)

    refusals = withdrawal_refusals(
        about,
        await switches_for(tx, lot),
        answered=answered is not None,
        withdrawn=before is not None,
    )
    if refusals:
        raise Refused(refusals)

    await take_part(tx, lot_id)
    tx.session.add(
        ObjectionWithdrawalRow(
            objection_id=objection_id,
            reason=reason,
            digest=statement.digest,
            statement=raw,
            withdrawn_by=tx.actor.person,
            withdrawn_at=tx.now,
        )
    )

    tx.record(
        ObjectionWithdrawn(
            lot_id, objection_id=objection_id, about=about, statement_digest=statement.digest
        )
    )
    if objection.waits:
        lots.resume(tx, lot, cause=objection_id, reason=f"对{KIND_NAMES[about]}的异议已撤回")


@by(Role.BIDDER)
async def check_objection(
    tx: Transaction, lot_id: LotId, said: dict[str, Any]
) -> tuple[Refusal, ...]:
    """Every refusal that an objection would meet now; nothing is kept of it.

    `said` has the members of the statement that would be signed.
    """
    lot = require_public(await tx.session.get(LotRow, lot_id))
    own = await organisation(tx, tx.actor.party)
    about, petition, interest_words = _objection_in(said, blank=True)
    _require_there(lot, about)
    await require_kept(tx, lot_id, petition)
    switches = await switches_for(tx, lot)

    refusals = verification_refusals(verified=own.verified)
    refusals += await _grounds(tx, lot, about, interest_words, switches)
    refusals += _no_brake(lot, about, switches)
    return tuple(refusals)


async def objectable(tx: Transaction, lot: LotRow) -> tuple[Objectable, ...]:
    """To what the acting bidder may object now, by the same rules that judge it when it does.

    The opening is none of it: that is objected to on the spot, in its hall.
    """
    switches = await switches_for(tx, lot)
    found = []
    for about in ObjectionKind:
        if about is ObjectionKind.OPENING or not _is_there(lot, about):
            continue
        facts = await facts_of(tx, lot, about, "", switches)
        until = objection_until(facts, switches, calendar=tx.settings.calendar)
        refusals = await _grounds(tx, lot, about, "", switches)
        refusals += _no_brake(lot, about, switches)
        if until is not None and not refusals:
            article = objection_article(about, switches)
            challenge = switches.challenge_period is not None
            found.append(Objectable(about, until, article, switches.answer_period, challenge))
    return tuple(found)


async def unanswered(tx: Transaction, lot_id: UUID, about: ObjectionKind) -> int:
    """How many objections of a kind wait for their answer."""
    count = await tx.session.scalar(
        select(func.count())
        .select_from(ObjectionRow)
        .where(col(ObjectionRow.lot_id) == lot_id, col(ObjectionRow.about) == about, still_open())
    )
    return count or 0


def require_public(lot: LotRow | None) -> LotRow:
    """The lot, if it is known to everybody; `NotFound` for a draft for which nobody was called."""
    if lot is None or (lot.published_at is None and not lot.prequalified):
        raise NotFound("no such lot")
    return lot


def still_open() -> ColumnElement[bool]:
    """Whether an objection was neither answered nor taken back."""
    answered = select(col(ObjectionAnswerRow.objection_id))
    taken_back = select(col(ObjectionWithdrawalRow.objection_id))
    return and_(
        col(ObjectionRow.id).not_in(answered),
        col(ObjectionRow.id).not_in(taken_back),
    )


# ── what the acts above are made of ───────────────────────────────────────────────────────────


def _raised(row: ObjectionRow) -> Raised:
    return Raised(ObjectionId(row.id), ObjectionKind(row.about), row.answer_due_at, row.waits)


def _objection_in(
    told: Mapping[str, Any], *, blank: bool = False
) -> tuple[ObjectionKind, Petition, str]:
    if told["about"] not in list(ObjectionKind):
        raise Malformed(f"an objection is about one of: {', '.join(ObjectionKind)}")
    return (
        ObjectionKind(text_of(told["about"])),
        petition_in(told, blank=blank),
        words_in(told.get("interest", "")),
    )


def _is_there(lot: LotRow, about: ObjectionKind) -> bool:
    """Whether the lot has what is objected to."""
    if about in OF_PREQUALIFICATION:
        return lot.prequalified
    return lot.published_at is not None and lot.bids_due_at is not None


def _require_there(lot: LotRow, about: ObjectionKind) -> None:
    if not _is_there(lot, about):
        raise NotFound("the lot has nothing of that kind")


def _no_brake(lot: LotRow, about: ObjectionKind, switches: Switches) -> list[Refusal]:
    """Why an objection of this kind cannot stop the lot, where it must."""
    if lot.suspended or not must_wait(about, switches):
        return []
    return suspension_refusals(LotState(lot.state), suspended=False, called=lot.prequalified)


def _answer_in(statement: Statement) -> tuple[str, ObjectionOutcome, Remedy, UUID | None]:
    told = statement.payload
    if told["outcome"] not in list(ObjectionOutcome):
        raise Malformed(f"an outcome is one of: {', '.join(ObjectionOutcome)}", code="outcome")
    if told["remedy"] not in list(Remedy):
        raise Malformed(f"a remedy is one of: {', '.join(Remedy)}", code="remedy")
    named = told.get("candidate")
    return (
        # An empty answer is refused by its article, not for its form.
        words_in(told["words"]),
        ObjectionOutcome(text_of(told["outcome"])),
        Remedy(text_of(told["remedy"])),
        None if named is None else party_in(named),
    )


async def _is_recommended(tx: Transaction, lot: LotRow, candidate_id: UUID | None) -> bool:
    """Whether the report in force recommends this candidate."""
    if candidate_id is None:
        return False
    newest = await tx.session.scalar(
        select(func.max(col(RankedBidRow.round))).where(col(RankedBidRow.lot_id) == lot.id)
    )
    found = await tx.session.scalar(
        select(col(RankedBidRow.bid_id)).where(
            col(RankedBidRow.lot_id) == lot.id,
            col(RankedBidRow.round) == newest,
            col(RankedBidRow.bidder_id) == candidate_id,
            col(RankedBidRow.candidate),
        )
    )
    return found is not None


async def _grounds(
    tx: Transaction, lot: LotRow, about: ObjectionKind, interest_words: str, switches: Switches
) -> list[Refusal]:
    facts = await facts_of(tx, lot, about, interest_words, switches)
    refusals = objection_refusals(facts, switches, calendar=tx.settings.calendar)
    return refusals + _too_early_to_challenge(facts, switches)


async def facts_of(
    tx: Transaction, lot: LotRow, about: ObjectionKind, interest_words: str, switches: Switches
) -> ObjectionFacts:
    """An objection of the acting bidder's as it would be raised now, for the rules to judge."""
    hall = published = None
    if about is ObjectionKind.OPENING:
        hall = await tx.session.get(OpeningRow, lot.id)
    # Candidates of a report that went back to its committee are published no longer.
    if about is ObjectionKind.RESULT and lot.state not in BEFORE_CANDIDATES:
        published = await tx.session.scalar(
            select(CandidatesRow)
            .where(col(CandidatesRow.lot_id) == lot.id)
            .order_by(col(CandidatesRow.round).desc())
            .limit(1)
        )
    return ObjectionFacts(
        kind=about,
        raised_at=tx.now,
        interest=await _interest_in(tx, lot, about, interest_words),
        bids_due_at=lot.bids_due_at,
        applications_due_at=lot.applications_due_at,
        opening_begun_at=None if hall is None else hall.begun_at,
        opening_recorded_at=None if hall is None else hall.recorded_at,
        candidates_from=None if published is None else published.published_at,
        candidates_until=None if published is None else published.until,
        known_on=await _known_on(tx, lot, about, switches),
    )


async def _interest_in(
    tx: Transaction, lot: LotRow, about: ObjectionKind, interest_words: str
) -> Interest:
    if about in (ObjectionKind.PREQUALIFICATION, ObjectionKind.DOCUMENTS):
        return Interest.POTENTIAL_BIDDER
    if about is ObjectionKind.QUALIFICATION:
        return await interest_of_applicant(tx, lot, "")
    return await interest_in(tx, lot, interest_words)


async def interest_of_applicant(tx: Transaction, lot: LotRow, interest_words: str) -> Interest:
    """How the acting organisation is concerned with who passed: as one of those who were judged,
    or by what it says itself.
    """
    if await qualification(tx, lot, tx.actor.party) is not None:
        return Interest.APPLICANT
    return Interest.INTERESTED_PARTY if interest_words else Interest.NONE


async def interest_in(tx: Transaction, lot: LotRow, interest_words: str) -> Interest:
    """How the acting organisation is concerned with what came after the bids: as one of those who
    bid, once they are known, or by what it says itself.
    """
    bidders: Sequence[UUID] = ()
    if was_closed(lot.path):
        bidders = [bid.bidder_id for bid in await counted_bids(tx.session, lot.id)]
    if tx.actor.party in bidders:
        return Interest.BIDDER
    return Interest.INTERESTED_PARTY if interest_words else Interest.NONE


async def _known_on(
    tx: Transaction, lot: LotRow, about: ObjectionKind, switches: Switches
) -> date | None:
    """The day from which a supplier ought to have known; None where no such day counts yet."""
    if switches.challenge_period is None:
        return None
    if about in OF_PREQUALIFICATION:
        return await _known_of_prequalification_on(tx, lot, about)
    if about is ObjectionKind.DOCUMENTS:
        return None if lot.documents_until is None else beijing_day(lot.documents_until)
    award = await award_in_force(tx, lot.id)
    if award is None:
        return None
    published_on = beijing_day(award.awarded_at)
    try:
        return result_known_on(published_on, calendar=tx.settings.calendar)
    except NoCalendar:
        return published_on  # what follows needs the same calendar, and says that it is missing


async def _known_of_prequalification_on(
    tx: Transaction, lot: LotRow, about: ObjectionKind
) -> date | None:
    """The last day of its documents' offer, or the day on which its review ended."""
    found = await newest_round(tx.session, lot.id)
    if found is None:
        return None
    if about is ObjectionKind.PREQUALIFICATION:
        return beijing_day(found.documents_until)
    review = await tx.session.get(PrequalificationReviewRow, (lot.id, found.round))
    return None if review is None else beijing_day(review.reviewed_at)


_TOO_EARLY: Final = {
    ObjectionKind.QUALIFICATION: "资格审查尚未结束，不能对资格预审结果提出质疑",
    ObjectionKind.RESULT: "中标结果尚未公告，不能对评审结果提出质疑",
}


def _too_early_to_challenge(facts: ObjectionFacts, switches: Switches) -> list[Refusal]:
    """In procurement a result is challenged once it is there (条例 53)."""
    if switches.challenge_period is None or facts.kind not in _TOO_EARLY:
        return []
    if facts.known_on is not None:
        return []
    reason = _TOO_EARLY[facts.kind]
    return [Refusal("objection_early", PROCUREMENT_REGULATION[53], reason)]
