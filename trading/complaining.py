"""A complaint (投诉) goes to the supervisor, who may suspend the lot, and orders or declares void.

Whoever bids or is otherwise concerned complains, where the law demands it after an objection that
was answered or is overdue. The supervisor who takes a complaint up decides it; the decision is
signed and stands among the lot's notices. Who complains is told to nobody before the close, not
even to supervisors, because only who means to bid complains of the documents: until then the
platform vouches that the complainant is verified, has signed, and has objected before.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, and_, exists, func, select
from sqlalchemy.orm import Mapped, aliased
from sqlmodel import col

from kernel.access import PLATFORM, Role, by
from kernel.crypto.digests import Malformed, count_of, text_of
from kernel.errors import NotFound, Refused
from kernel.identifiers import ComplaintId, LotId
from kernel.randomness import random_id
from kernel.refusals import Caution, Refusal
from kernel.statute import Regime
from kernel.store.parties import (
    Organisation,
    Statement,
    organisation,
    require_verified,
    take_part,
    verification_refusals,
    verified_statement,
)
from kernel.store.tables import OrganisationRow, PersonRow
from kernel.store.transaction import Store, Transaction, transaction
from kernel.working_days import beijing_day
from trading import lots, objecting
from trading.drafting import clean_text
from trading.events import (
    AwardVoided,
    ComplaintDecided,
    ComplaintFiled,
    ComplaintOrderGiven,
    ComplaintRefused,
    ComplaintTakenUp,
    ComplaintWithdrawn,
    LotCancelled,
)
from trading.handover import switches_for
from trading.made_awards import award_in_force
from trading.petitions import (
    Petition,
    day_in,
    petition_in,
    require_kept,
    words_in,
    yes_or_no,
)
from trading.prequalification_rounds import lot_phase
from trading.rules.complaint_course import (
    MOVES,
    ComplaintAct,
    ComplaintCourse,
    ComplaintStage,
    Consequence,
    consequence,
    consequence_refusals,
    course_refusals,
    lateness_cautions,
    reason_refusals,
)
from trading.rules.complaint_window import (
    OF_PREQUALIFICATION,
    ComplaintAbout,
    ComplaintFacts,
    PriorObjection,
    Verdict,
    acceptance_due_at,
    complaint_cautions,
    complaint_refusals,
    complaint_until,
    decision_cautions,
    decision_due_at,
    decision_refusals,
    suspension_until,
)
from trading.rules.lot_lifecycle import (
    LotState,
    move_refusals,
    resumption_refusals,
    suspension_refusals,
    was_closed,
)
from trading.rules.objection_window import Interest
from trading.rules.prequalification import brake_refusals
from trading.rules.tender_ending import return_due_at
from trading.tables import (
    CandidatesRow,
    ComplaintAnswerRow,
    ComplaintBrakeRow,
    ComplaintDecisionRow,
    ComplaintRow,
    ComplaintWithdrawalRow,
    LotRow,
    ObjectionAnswerRow,
    ObjectionRow,
    ObjectionWithdrawalRow,
    OpeningObjectionRow,
    PrequalificationReviewRow,
)
from trading.tendering import keep_notice

CONTACT_MAX: Final = 200
EXCLUDED_DAYS_MAX: Final = 366
INVESTIGATORS_MAX: Final = 20
ABOUT_NAMES: Final[Mapping[ComplaintAbout, str]] = {
    ComplaintAbout.PREQUALIFICATION: "资格预审文件",
    ComplaintAbout.QUALIFICATION: "资格预审结果",
    ComplaintAbout.DOCUMENTS: "招标文件",
    ComplaintAbout.OPENING: "开标",
    ComplaintAbout.RESULT: "评标结果",
    ComplaintAbout.CONDUCT: "其他招标投标活动",
}


@dataclass(frozen=True, slots=True)
class Filed:
    """A complaint as it was taken in, and what speaks against taking it up."""

    id: ComplaintId
    about: ComplaintAbout
    acceptance_due_at: datetime
    cautions: tuple[Caution, ...]


@dataclass(frozen=True, slots=True)
class Checked:
    """What a complaint would meet if it were filed now; `until` is the last moment for it."""

    refusals: tuple[Refusal, ...]
    cautions: tuple[Caution, ...]
    until: datetime | None
    acceptance_due_at: datetime


@dataclass(frozen=True, slots=True)
class Handled:
    """What a supervisor did about a complaint, with what to mind about it."""

    id: ComplaintId
    cautions: tuple[Caution, ...]
    decision_due_at: datetime | None = None
    consequence: Consequence = Consequence.NOTHING
    notice_number: int | None = None


@dataclass(frozen=True, slots=True)
class _Said:
    """What a complaint says, before anything is judged."""

    about: ComplaintAbout
    known_on: date
    petition: Petition
    contact: str
    interest: str
    objection_id: UUID | None
    elsewhere: bool


@dataclass(frozen=True, slots=True)
class _Prior:
    """The objection that came first."""

    id: UUID
    about: str
    facts: PriorObjection


# ── who complains ─────────────────────────────────────────────────────────────────────────────


@by(Role.BIDDER)
async def file_complaint(tx: Transaction, lot_id: LotId, raw: bytes) -> Filed:
    """Complain to the supervisor.

    The same statement again is the same complaint. `Refused` with every ground on which it is not
    taken in; what only makes it doubtful comes back as a caution.
    """
    lot = objecting.require_public(await lots.hold(tx, lot_id))
    own = await require_verified(tx)
    statement = await verified_statement(tx, raw, "complaint", lot=lot_id, project=lot.project_id)
    said = _complaint_in(statement.payload)
    _require_prequalified(lot, said.about)
    known = await tx.session.scalar(
        select(ComplaintRow).where(col(ComplaintRow.digest) == statement.digest)
    )
    if known is not None:
        return _filed(known, ())
    await require_kept(tx, lot_id, said.petition)
    regime = (await switches_for(tx, lot)).regime
    facts, prior = await _facts(tx, lot, said, own)

    refusals = complaint_refusals(facts, regime, calendar=tx.settings.calendar)
    if refusals:
        raise Refused(refusals)
    cautions = complaint_cautions(facts)

    await take_part(tx, lot_id)
    row = ComplaintRow(
        id=random_id(),
        lot_id=lot_id,
        about=said.about,
        complainant_id=own.id,
        person_id=tx.actor.person,
        objection_id=None if prior is None else prior.id,
        known_on=facts.known_on,
        request=said.petition.request,
        grounds=said.petition.grounds,
        evidence=said.petition.evidence_kept(),
        interest=said.interest,
        contact=said.contact,
        cautions=[one.as_json() for one in cautions],
        digest=statement.digest,
        statement=raw,
        filed_at=tx.now,
        acceptance_due_at=acceptance_due_at(tx.now, calendar=tx.settings.calendar),
    )
    tx.session.add(row)

    tx.record(
        ComplaintFiled(
            lot_id,
            complaint_id=row.id,
            about=said.about,
            statement_digest=row.digest,
            acceptance_due_at=row.acceptance_due_at,
        )
    )

    return _filed(row, tuple(cautions))


@by(Role.BIDDER)
async def check_complaint(tx: Transaction, lot_id: LotId, said: Mapping[str, Any]) -> Checked:
    """Everything that a complaint would meet if it were filed now; nothing is kept of it.

    `said` has the members of the statement that would be signed.
    """
    lot = objecting.require_public(await lots.hold(tx, lot_id))
    own = await organisation(tx, tx.actor.party)
    regime = (await switches_for(tx, lot)).regime
    told = _complaint_in(said)
    _require_prequalified(lot, told.about)
    await require_kept(tx, lot_id, told.petition)
    facts, _ = await _facts(tx, lot, told, own)
    calendar = tx.settings.calendar

    refusals = verification_refusals(verified=own.verified)
    refusals += complaint_refusals(facts, regime, calendar=calendar)
    uncounted = any(one.code == "calendar_missing" for one in refusals)
    return Checked(
        tuple(refusals),
        tuple(complaint_cautions(facts)),
        None if uncounted else complaint_until(facts, regime, calendar=calendar),
        acceptance_due_at(tx.now, calendar=calendar),
    )


@by(Role.BIDDER)
async def withdraw_complaint(
    tx: Transaction, lot_id: LotId, complaint_id: ComplaintId, raw: bytes
) -> None:
    """Take an own complaint back before it is decided; what it held goes on.

    For everybody but whoever filed it there is no such complaint.
    """
    row = await _complaint(tx, lot_id, complaint_id)
    if row.complainant_id != tx.actor.party:
        raise NotFound("no such complaint")
    lot = await lots.lock(tx, lot_id)
    statement = await _about(tx, lot, row, raw, "complaint-withdrawal")
    reason = words_in(statement.payload["reason"])
    regime = (await switches_for(tx, lot)).regime
    course = await course_of(tx, row)

    refusals = course_refusals(course, ComplaintAct.WITHDRAW, acting=tx.actor.party, regime=regime)
    if refusals:
        raise Refused(refusals)

    await take_part(tx, lot_id)
    tx.session.add(
        ComplaintWithdrawalRow(
            complaint_id=row.id,
            reason=reason,
            digest=statement.digest,
            statement=raw,
            withdrawn_by=tx.actor.person,
            withdrawn_at=tx.now,
        )
    )

    tx.record(
        ComplaintWithdrawn(
            lot_id, complaint_id=row.id, about=row.about, statement_digest=statement.digest
        )
    )
    _let_go_on(tx, lot, row, f"对{_about_name(row)}的投诉已撤回")


# ── who decides ───────────────────────────────────────────────────────────────────────────────


@by(Role.SUPERVISOR)
async def answer_complaint(
    tx: Transaction, lot_id: LotId, complaint_id: ComplaintId, raw: bytes
) -> Handled:
    """Take a complaint up, or refuse to with reasons; a late answer is taken with a caution."""
    row = await _complaint(tx, lot_id, complaint_id)
    lot = await lots.lock(tx, lot_id)
    statement = await _about(tx, lot, row, raw, "complaint-answer")
    taken_up = yes_or_no(statement.payload["taken_up"])
    reason = words_in(statement.payload["reason"])
    regime = (await switches_for(tx, lot)).regime
    course = await course_of(tx, row)

    refusals = course_refusals(course, ComplaintAct.ANSWER, acting=tx.actor.party, regime=regime)
    refusals += reason_refusals(reason, needed=not taken_up, regime=regime)
    if refusals:
        raise Refused(refusals)
    cautions = lateness_cautions(course, ComplaintAct.ANSWER, at=tx.now, regime=regime)
    # In procurement the days run from the day on which the complaint was received.
    begun_at = row.filed_at if regime is Regime.PROCUREMENT else tx.now
    due_at = decision_due_at(begun_at, calendar=tx.settings.calendar) if taken_up else None

    await take_part(tx, lot_id)
    tx.session.add(
        ComplaintAnswerRow(
            complaint_id=row.id,
            taken_up=taken_up,
            reason=reason,
            digest=statement.digest,
            statement=raw,
            handler_id=tx.actor.party,
            answered_by=tx.actor.person,
            answered_at=tx.now,
            late=bool(cautions),
            decision_due_at=due_at,
        )
    )

    if due_at is None:
        tx.record(
            ComplaintRefused(
                lot_id,
                complaint_id=row.id,
                about=row.about,
                handler_id=tx.actor.party,
                statement_digest=statement.digest,
            )
        )
    else:
        tx.record(
            ComplaintTakenUp(
                lot_id,
                complaint_id=row.id,
                about=row.about,
                handler_id=tx.actor.party,
                statement_digest=statement.digest,
                decision_due_at=due_at,
            )
        )

    return Handled(complaint_id, tuple(cautions), decision_due_at=due_at)


@by(Role.SUPERVISOR)
async def brake_lot(tx: Transaction, lot_id: LotId, complaint_id: ComplaintId, raw: bytes) -> None:
    """Order over a complaint that its lot stands still, or that it goes on.

    A brake that a decision left, because the deadline had passed meanwhile, is released the same
    way once the deadline was moved.
    """
    row = await _complaint(tx, lot_id, complaint_id)
    lot = await lots.lock(tx, lot_id)
    statement = await _about(tx, lot, row, raw, "complaint-brake")
    suspends = yes_or_no(statement.payload["suspended"])
    reason = words_in(statement.payload["reason"])
    regime = (await switches_for(tx, lot)).regime
    course = await course_of(tx, row)
    held = str(row.id) in lot.brakes

    refusals = course_refusals(course, ComplaintAct.BRAKE, acting=tx.actor.party, regime=regime)
    if held and not suspends:
        refusals = [one for one in refusals if one.code == "other_handler"]
    refusals += reason_refusals(reason, needed=True, regime=regime)
    if suspends and (held or not lot.suspended):
        refusals += suspension_refusals(
            LotState(lot.state), suspended=held, called=lot.prequalified
        )
    if suspends and lot.state == LotState.DRAFT:
        refusals += brake_refusals(await lot_phase(tx, lot))
    if not suspends and (not held or len(lot.brakes) == 1):
        refusals += resumption_refusals(lots.standstill_of(tx, lot, held=held))
    if refusals:
        raise Refused(refusals)

    await take_part(tx, lot_id)
    number = await tx.session.scalar(
        select(func.count())
        .select_from(ComplaintBrakeRow)
        .where(col(ComplaintBrakeRow.complaint_id) == row.id)
    )
    tx.session.add(
        ComplaintBrakeRow(
            complaint_id=row.id,
            number=(number or 0) + 1,
            suspended=suspends,
            reason=reason,
            digest=statement.digest,
            statement=raw,
            ordered_by=tx.actor.person,
            ordered_at=tx.now,
            until=suspension_until(tx.now, regime) if suspends else None,
        )
    )

    tx.record(ComplaintOrderGiven(lot_id, row.id, suspends, statement.digest))
    if suspends:
        lots.suspend(tx, lot, cause=row.id, reason="行政监督部门因投诉责令暂停")
    else:
        lots.resume(tx, lot, cause=row.id, reason="行政监督部门责令恢复")


@by(Role.SUPERVISOR)
async def decide_complaint(
    tx: Transaction, lot_id: LotId, complaint_id: ComplaintId, raw: bytes
) -> Handled:
    """Decide a complaint: dismiss it, order a correction, or declare the tender void.

    What follows for the lot follows in the same transaction, and the decision is published among
    the lot's notices. Where other brakes hold a lot that is to go back to its committee, they are
    seen to first; a void tender waits for nothing.
    """
    row = await _complaint(tx, lot_id, complaint_id)
    lot = await lots.lock(tx, lot_id)
    statement = await _about(tx, lot, row, raw, "complaint-decision")
    told = _decision_in(statement.payload)
    switches = await switches_for(tx, lot)
    regime = switches.regime
    course = await course_of(tx, row)
    state = LotState(lot.state)
    follows = consequence(told.verdict, state)

    refusals = course_refusals(course, ComplaintAct.DECIDE, acting=tx.actor.party, regime=regime)
    refusals += decision_refusals(
        told.verdict, facts=told.facts, basis=told.basis, evidence=told.evidence, regime=regime
    )
    refusals += consequence_refusals(told.verdict, state, order=told.order, regime=regime)
    others = follows is Consequence.RETURNED and lot.brakes.keys() - {str(row.id)}
    if follows in MOVES:
        refusals += move_refusals(state, MOVES[follows], suspended=bool(others))
    if refusals:
        raise Refused(refusals)
    cautions = decision_cautions(investigators=told.investigators, remedy=told.remedy)
    late = lateness_cautions(
        await _course_with(tx, row, course, told.excluded_days, regime),
        ComplaintAct.DECIDE,
        at=tx.now,
        regime=regime,
    )

    await take_part(tx, lot_id)
    notice = await keep_notice(tx, lot, statement, kind="complaint_decision", title="投诉处理决定")
    tx.session.add(
        ComplaintDecisionRow(
            complaint_id=row.id,
            verdict=told.verdict,
            facts=told.facts,
            basis=told.basis,
            evidence=told.evidence,
            ordered=told.order,
            remedy=told.remedy,
            consequence=follows,
            notice_number=notice,
            digest=statement.digest,
            statement=raw,
            decided_by=tx.actor.person,
            decided_at=tx.now,
            late=bool(late),
            cautions=[one.as_json() for one in (*cautions, *late)],
        )
    )

    tx.record(
        ComplaintDecided(
            lot_id,
            complaint_id=row.id,
            about=row.about,
            verdict=told.verdict,
            consequence=follows,
            notice_number=notice,
            statement_digest=statement.digest,
            late=bool(late),
        )
    )
    # What was paid for a void tender goes back as for one that its tenderee ends.
    return_by = return_due_at(tx.now, switches, calendar=tx.settings.calendar)
    _carry_out(tx, lot, row, follows, statement, return_by=return_by)

    return Handled(complaint_id, (*cautions, *late), consequence=follows, notice_number=notice)


async def end_spent_suspensions(store: Store) -> int:
    """Let every lot go on whose suspension the law itself has ended by now; how many.

    One whose deadline passed meanwhile waits until that is moved.
    """
    async with store.sessions() as session:
        now = await store.clock(session)
        spent = (await session.execute(_spent(now))).all()
    ended = 0
    for complaint_id, lot_id in spent:
        async with transaction(store, actor=PLATFORM) as tx:
            lot = await lots.lock(tx, lot_id)
            if str(complaint_id) not in lot.brakes:
                continue
            if resumption_refusals(lots.standstill_of(tx, lot, held=True)):
                continue
            lots.resume(tx, lot, cause=complaint_id, reason="责令暂停期限届满")
            ended += 1
    return ended


# ── for the neighbours in this house ──────────────────────────────────────────────────────────


async def course_of(tx: Transaction, row: ComplaintRow) -> ComplaintCourse:
    """How far a complaint is, and in whose hands."""
    answer = await tx.session.get(ComplaintAnswerRow, row.id)
    decision = await tx.session.get(ComplaintDecisionRow, row.id)
    taken_back = await tx.session.get(ComplaintWithdrawalRow, row.id)
    return ComplaintCourse(
        stage_of(answer, decision, taken_back),
        None if answer is None else answer.handler_id,
        row.acceptance_due_at,
        None if answer is None else answer.decision_due_at,
    )


def stage_of(
    answer: ComplaintAnswerRow | None,
    decision: ComplaintDecisionRow | None,
    taken_back: ComplaintWithdrawalRow | None,
) -> ComplaintStage:
    """Where a complaint with these rows is in its course."""
    if taken_back is not None:
        return ComplaintStage.WITHDRAWN
    if decision is not None:
        return ComplaintStage.DECIDED
    if answer is None:
        return ComplaintStage.FILED
    return ComplaintStage.TAKEN_UP if answer.taken_up else ComplaintStage.REFUSED


async def holding(tx: Transaction, lot: LotRow) -> int:
    """How many complaints hold the lot by a suspension that was ordered over them."""
    ids = await tx.session.scalars(
        select(col(ComplaintRow.id)).where(col(ComplaintRow.lot_id) == lot.id)
    )
    return sum(str(id) in lot.brakes for id in ids)


async def award_is_void(tx: Transaction, lot_id: UUID) -> bool:
    """Whether a decision declared the lot's award in force void; one before it is none of it."""
    award = await award_in_force(tx, lot_id)
    if award is None:
        return False
    found = await tx.session.scalar(
        select(col(ComplaintDecisionRow.complaint_id))
        .join(ComplaintRow, col(ComplaintRow.id) == col(ComplaintDecisionRow.complaint_id))
        .where(
            col(ComplaintRow.lot_id) == lot_id,
            col(ComplaintDecisionRow.consequence) == Consequence.AWARD_VOID,
            col(ComplaintDecisionRow.decided_at) >= award.awarded_at,
        )
        .limit(1)
    )
    return found is not None


# ── what the acts above are made of ───────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class _Decision:
    verdict: Verdict
    facts: str
    basis: str
    evidence: str
    order: str
    remedy: str
    investigators: int
    excluded_days: int


def _filed(row: ComplaintRow, cautions: tuple[Caution, ...]) -> Filed:
    return Filed(ComplaintId(row.id), ComplaintAbout(row.about), row.acceptance_due_at, cautions)


def _require_prequalified(lot: LotRow, about: ComplaintAbout) -> None:
    if about in OF_PREQUALIFICATION and not lot.prequalified:
        raise NotFound("no prequalification of this lot")


async def _complaint(tx: Transaction, lot_id: LotId, complaint_id: ComplaintId) -> ComplaintRow:
    row = await tx.session.get(ComplaintRow, complaint_id)
    if row is None or row.lot_id != lot_id:
        raise NotFound("no such complaint")
    return row


async def _about(
    tx: Transaction, lot: LotRow, row: ComplaintRow, raw: bytes, kind: str
) -> Statement:
    return await verified_statement(
        tx, raw, kind, lot=lot.id, project=lot.project_id, complaint=row.id
    )


def _complaint_in(told: Mapping[str, Any]) -> _Said:
    if told["about"] not in list(ComplaintAbout):
        raise Malformed(f"a complaint is about one of: {', '.join(ComplaintAbout)}")
    contact = text_of(told["contact"])
    return _Said(
        ComplaintAbout(text_of(told["about"])),
        day_in(told["known_on"]),
        petition_in(told, blank=True),
        clean_text(contact, at_most=CONTACT_MAX) if contact.strip() else "",
        words_in(told.get("interest", "")),
        _id(told["objection"]) if "objection" in told else None,
        yes_or_no(told.get("elsewhere", False)),
    )


def _decision_in(told: Mapping[str, Any]) -> _Decision:
    if told["verdict"] not in list(Verdict):
        raise Malformed(f"a verdict is one of: {', '.join(Verdict)}")
    investigators = count_of(told["investigators"])
    excluded_days = count_of(told["excluded_days"])
    if investigators > INVESTIGATORS_MAX or excluded_days > EXCLUDED_DAYS_MAX:
        raise Malformed("more investigators or days than any investigation has")
    return _Decision(
        Verdict(text_of(told["verdict"])),
        words_in(told["facts"]),
        words_in(told["basis"]),
        words_in(told["evidence"]),
        words_in(told["order"]),
        words_in(told["remedy"]),
        investigators,
        excluded_days,
    )


def _id(told: object) -> UUID:
    try:
        return UUID(text_of(told))
    except ValueError:
        raise Malformed("an objection's id was expected") from None


async def _facts(
    tx: Transaction, lot: LotRow, said: _Said, own: Organisation
) -> tuple[ComplaintFacts, _Prior | None]:
    prior = await _prior_objection(tx, lot, said)
    today = beijing_day(tx.now)
    if said.known_on > today:
        raise Malformed("nobody knows today what happens tomorrow")
    ought = [said.known_on]
    if prior is not None:
        ought.append(beijing_day(prior.facts.raised_at))
    if said.about is ComplaintAbout.RESULT:
        published_at = await tx.session.scalar(
            select(func.max(col(CandidatesRow.published_at))).where(
                col(CandidatesRow.lot_id) == lot.id
            )
        )
        ought += [] if published_at is None else [beijing_day(published_at)]
    if said.about is ComplaintAbout.QUALIFICATION:
        told_at = await tx.session.scalar(
            select(func.max(col(PrequalificationReviewRow.reviewed_at))).where(
                col(PrequalificationReviewRow.lot_id) == lot.id
            )
        )
        ought += [] if told_at is None else [beijing_day(told_at)]
    facts = ComplaintFacts(
        about=said.about,
        filed_at=tx.now,
        known_on=min(ought),
        interest=await _interest(tx, lot, said),
        request=said.petition.request,
        facts=said.petition.grounds,
        evidence=len(said.petition.evidence),
        objection=None if prior is None else prior.facts,
        names_complete=bool(said.contact),
        signed_by_representative=await _is_represented(tx, own),
        elsewhere=said.elsewhere,
        decided_before=await _decided_before(tx, lot, said),
        within_challenge=prior is None or prior.about == said.about,
    )
    return facts, prior


async def _interest(tx: Transaction, lot: LotRow, said: _Said) -> Interest:
    if said.about is ComplaintAbout.QUALIFICATION:
        return await objecting.interest_of_applicant(tx, lot, said.interest)
    documents = (ComplaintAbout.PREQUALIFICATION, ComplaintAbout.DOCUMENTS)
    if said.about in documents or not was_closed(lot.path):
        return Interest.POTENTIAL_BIDDER
    return await objecting.interest_in(tx, lot, said.interest)


async def _is_represented(tx: Transaction, own: Organisation) -> bool:
    """Whether whoever signs is the person who answers for the organisation."""
    person = await tx.session.get_one(PersonRow, tx.actor.person)
    organisation_row = await tx.session.get_one(OrganisationRow, own.id)
    return person.name == organisation_row.responsible_person


async def _decided_before(tx: Transaction, lot: LotRow, said: _Said) -> bool:
    found = await tx.session.scalar(
        select(col(ComplaintRow.id))
        .join(ComplaintDecisionRow, col(ComplaintDecisionRow.complaint_id) == col(ComplaintRow.id))
        .where(
            col(ComplaintRow.lot_id) == lot.id,
            col(ComplaintRow.about) == said.about,
            col(ComplaintRow.complainant_id) == tx.actor.party,
        )
        .limit(1)
    )
    return found is not None


async def _prior_objection(tx: Transaction, lot: LotRow, said: _Said) -> _Prior | None:
    """The acting organisation's objection that this complaint follows: the one it names, or the
    newest to the same thing.
    """
    if said.about is ComplaintAbout.OPENING:
        row = await tx.session.scalar(
            select(OpeningObjectionRow)
            .where(
                col(OpeningObjectionRow.lot_id) == lot.id,
                col(OpeningObjectionRow.bidder_id) == tx.actor.party,
                _named(col(OpeningObjectionRow.id), said.objection_id),
            )
            .order_by(col(OpeningObjectionRow.raised_at).desc())
            .limit(1)
        )
        if row is None:
            return None
        # It was to be answered on the spot, so its answer was due as it was raised.
        facts = PriorObjection(row.raised_at, row.answered_at, row.raised_at)
        return _Prior(row.id, str(ComplaintAbout.OPENING), facts)
    found = (
        await tx.session.execute(
            select(ObjectionRow, ObjectionAnswerRow)
            .outerjoin(
                ObjectionAnswerRow, col(ObjectionAnswerRow.objection_id) == col(ObjectionRow.id)
            )
            .outerjoin(
                ObjectionWithdrawalRow,
                col(ObjectionWithdrawalRow.objection_id) == col(ObjectionRow.id),
            )
            .where(
                col(ObjectionRow.lot_id) == lot.id,
                col(ObjectionRow.objector_id) == tx.actor.party,
                col(ObjectionWithdrawalRow.objection_id).is_(None),
                _named(col(ObjectionRow.id), said.objection_id)
                if said.objection_id is not None
                else col(ObjectionRow.about) == said.about,
            )
            .order_by(col(ObjectionRow.raised_at).desc())
            .limit(1)
        )
    ).first()
    if found is None:
        return None
    objection, answer = found
    return _Prior(
        objection.id,
        objection.about,
        PriorObjection(
            objection.raised_at,
            None if answer is None else answer.answered_at,
            objection.answer_due_at,
        ),
    )


def _named(id: Mapped[UUID], wanted: UUID | None) -> ColumnElement[bool]:
    return and_(True) if wanted is None else id == wanted


async def _course_with(
    tx: Transaction,
    row: ComplaintRow,
    course: ComplaintCourse,
    excluded_days: int,
    regime: Regime,
) -> ComplaintCourse:
    """The course with the days of tests and experts left out of its limit."""
    answer = await tx.session.get(ComplaintAnswerRow, row.id)
    if answer is None or not excluded_days:
        return course
    begun_at = row.filed_at if regime is Regime.PROCUREMENT else answer.answered_at
    due_at = decision_due_at(begun_at, excluded_days=excluded_days, calendar=tx.settings.calendar)
    return ComplaintCourse(course.stage, course.handler, course.acceptance_due_at, due_at)


def _carry_out(
    tx: Transaction,
    lot: LotRow,
    row: ComplaintRow,
    follows: Consequence,
    statement: Statement,
    *,
    return_by: datetime | None,
) -> None:
    reason = f"对{_about_name(row)}的投诉已作出处理决定"
    match follows:
        case Consequence.CANCELLED:
            lots.unbrake(tx, lot, cause=row.id, reason=reason)
            lots.move(tx, lot, MOVES[follows])
            tx.record(
                LotCancelled(
                    lot.id,
                    reason="行政监督部门认定招标无效，应当重新招标",
                    promises=(),
                    return_due_at=return_by,
                    statement_digest=statement.digest,
                )
            )
        case Consequence.RETURNED:
            _let_go_on(tx, lot, row, reason)
            lots.move(tx, lot, MOVES[follows])
        case Consequence.AWARD_VOID:
            _let_go_on(tx, lot, row, reason)
            tx.record(AwardVoided(lot.id, complaint_id=row.id, statement_digest=statement.digest))
        case Consequence.NOTHING:
            _let_go_on(tx, lot, row, reason)


def _let_go_on(tx: Transaction, lot: LotRow, row: ComplaintRow, reason: str) -> None:
    """Release the complaint's brake, unless the deadline passed meanwhile and must first move."""
    if str(row.id) not in lot.brakes:
        return
    if len(lot.brakes) > 1 or not resumption_refusals(lots.standstill_of(tx, lot, held=True)):
        lots.resume(tx, lot, cause=row.id, reason=reason)


def _about_name(row: ComplaintRow) -> str:
    return ABOUT_NAMES[ComplaintAbout(row.about)]


def _spent(now: datetime) -> Any:
    """Complaints whose newest order suspends a lot and has ended, with their lots."""
    later = aliased(ComplaintBrakeRow)
    return (
        select(col(ComplaintRow.id), col(ComplaintRow.lot_id))
        .join(ComplaintBrakeRow, col(ComplaintBrakeRow.complaint_id) == col(ComplaintRow.id))
        .join(LotRow, col(LotRow.id) == col(ComplaintRow.lot_id))
        .where(
            col(LotRow.suspended),
            col(ComplaintBrakeRow.until) <= now,
            ~exists().where(
                col(later.complaint_id) == col(ComplaintBrakeRow.complaint_id),
                col(later.number) > col(ComplaintBrakeRow.number),
            ),
        )
    )
