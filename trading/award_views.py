"""What may be seen of results: candidates and award for everyone, objections for those concerned.

Before the candidates are published nothing of the report is here, for nobody. Who objects is told
to those concerned with the lot, and never before its close, not even to supervisors: where a lot
was cancelled before it, never.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, and_, or_, select
from sqlmodel import col

from kernel.access import Role, by
from kernel.crypto.digests import strict_json
from kernel.crypto.signing import Envelope
from kernel.errors import NotFound
from kernel.events import plain
from kernel.identifiers import LotId, ObjectionId
from kernel.statute import BIDDING_LAW
from kernel.store.parties import organisation_names
from kernel.store.transaction import Transaction
from kernel.working_days import beijing_day
from trading import lots, objecting
from trading.awarding import Report, points_text, report_in_force
from trading.bound_bids import bound_bids
from trading.counted_bids import counted_bids
from trading.decision_days import Undecided, undecided
from trading.handover import READABLE_OUTCOMES, switches_for
from trading.made_awards import MadeAward, awards_of, is_in_force, notice_number
from trading.objecting import Objectable
from trading.rules.award_annulment import AnnulmentGround
from trading.rules.lot_lifecycle import LotState, was_closed
from trading.rules.objection_outcome import ObjectionOutcome, Remedy, remedies_for, remedy_article
from trading.rules.objection_window import (
    OF_PREQUALIFICATION,
    ObjectionKind,
    objection_article,
)
from trading.rules.price_talks import prices_are_read_out
from trading.rules.procedures import Offers, Procedure, switches_of
from trading.rules.winner_choice import names_first
from trading.tables import (
    AwardNoticeRow,
    AwardRow,
    CandidatesRow,
    ContractRow,
    LotRow,
    ObjectionAnswerRow,
    ObjectionRemedyRow,
    ObjectionRow,
    ObjectionWithdrawalRow,
    OpenedBidRow,
    OpeningRow,
    ProjectRow,
    RankedBidRow,
)

ANYONE: Final = tuple(Role)
LIST_MAX: Final = 100
CHALLENGED_WITHIN: Final = timedelta(days=60)
"""Longer than any challenge takes, so that lots of former years need not be asked."""

PAPERS: Final = ("certificates", "manager_certificates", "performances")
"""What a notice tells of a candidate from its library, in the order of `PlacedBid`."""

TOLD: Final = frozenset(
    {LotState.CANDIDATES_PUBLISHED, LotState.CLEARED_FOR_AWARD, LotState.AWARDED}
)
"""The states in which a lot's result is public."""


@dataclass(frozen=True, slots=True)
class PlacedBid:
    """One bid as the result shows it; `words` are what the notice says of a candidate, beside the
    certificates and performances that its bid refers to.

    `lapsed_at` is when it stopped binding its bidder. Before the award that is told to those who
    tender, the supervisor and its bidder; afterwards to everybody, of bids that lapsed before it.

    After talks the price is told to nobody but those who tender, the supervisor, and its supplier.
    """

    bidder_id: UUID
    name: str
    rank: int
    price: Decimal | None
    total: Decimal
    parts: tuple[tuple[str, Decimal], ...]
    candidate: bool
    words: dict[str, str]
    members: tuple[dict[str, Any], ...] = ()
    lapsed_at: datetime | None = None
    certificates: tuple[dict[str, Any], ...] = ()
    manager_certificates: tuple[dict[str, Any], ...] = ()
    performances: tuple[dict[str, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class FallenBid:
    """A bid that takes no place: rejected by the committee, or never opened."""

    bidder_id: UUID
    name: str
    price: Decimal | None
    ground: str
    article: str
    page: str
    members: tuple[dict[str, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class AwardTold:
    """An award as everyone may know it."""

    winner_id: UUID
    winner: str
    rank: int
    price: Decimal
    awarded_at: datetime
    contract_due_on: date
    report_due_on: date | None
    set_aside: tuple[dict[str, str], ...]
    cautions: tuple[dict[str, Any], ...]
    digest: bytes
    entry_id: UUID
    number: int
    notice_number: str
    concluded: bool
    minutes: MinutesTold | None = None
    members: tuple[dict[str, Any], ...] = ()
    """Those of a consortium that won, the leading one first."""

    renunciation: RenunciationTold | None = None
    """For those who tender, the supervisor and the winner, until the award is annulled."""


@dataclass(frozen=True, slots=True)
class RenunciationTold:
    """That a winner gave its award up, in its own words."""

    words: str
    renounced_at: datetime
    digest: bytes


class LastAward(StrEnum):
    """What has become of the newest award of a lot."""

    NONE = "none"
    IN_FORCE = "in_force"
    RENOUNCED = "renounced"
    ANNULLED = "annulled"


@dataclass(frozen=True, slots=True)
class FallenAward:
    """An award that fell away, and what made it fall; what this reader may not see is None.

    The files of the evidence are read by those who tender, the supervisor and the winner.
    """

    lot_id: LotId
    number: int
    notice_number: str
    winner_id: UUID
    winner: str
    rank: int
    price: Decimal
    awarded_at: datetime
    annulled_at: datetime
    ground: AnnulmentGround
    article: str
    words: str
    found_by: str
    due_on: date | None
    evidence: tuple[dict[str, str], ...] | None
    renunciation: RenunciationTold | None
    digest: bytes
    entry_id: UUID


@dataclass(frozen=True, slots=True)
class MinutesTold:
    """How the tenderee chose: who decided, each one's vote by the candidate's name, the reasons."""

    members: tuple[str, ...]
    votes: tuple[tuple[str, str], ...]
    reasons: str
    signed: tuple[str, ...] = ()
    """Those who signed their own votes."""


@dataclass(frozen=True, slots=True)
class Result:
    """The result of one lot as anyone may see it now; empty before candidates are published.

    `closed` says whether the lot was ever closed, `owned` whether the reader acts for its tenderee
    or agency, `tendered` whether it was a tender and not another method of procurement.
    `first_wins` says whether the law names the first in rank here; `winner_article` is what the
    choice stands on. `negotiated` says that the price was agreed with the only supplier, and no
    committee sat. `award_method` is how the tenderee chooses where it split that off.
    """

    lot_id: LotId
    number: int
    lot_name: str
    project_id: UUID
    project_code: str
    project_name: str
    tenderee: str
    agency: str
    state: LotState
    suspended: bool
    brakes: tuple[str, ...]
    closed: bool
    published_at: datetime | None
    bids_due_at: datetime | None
    opened_at: datetime | None
    recorded_at: datetime | None
    ceiling_price: Decimal | None
    owned: bool
    procedure: Procedure
    tendered: bool
    first_wins: bool
    winner_article: str
    award_method: dict[str, Any] | None
    negotiated: bool
    objections: tuple[ObjectionTold, ...]
    reported_at: datetime | None = None
    report_digest: bytes | None = None
    candidates_at: datetime | None = None
    candidates_until: datetime | None = None
    candidates_digest: bytes | None = None
    candidates_entry: UUID | None = None
    objection_channel: str = ""
    cautions: tuple[dict[str, Any], ...] = ()
    ranking: tuple[PlacedBid, ...] = ()
    rejected: tuple[FallenBid, ...] = ()
    unopened: tuple[FallenBid, ...] = ()
    award: AwardTold | None = None
    undecided: Undecided | None = None
    """By when the purchaser decides, and whether its silence has decided; else None."""

    fallen: tuple[FallenAward, ...] = ()
    """The awards before, which all fell away, the first one first."""

    scored: bool = False
    """Whether bids earned points, and were not ordered by their prices alone."""

    prices_told: bool = True
    """Whether everybody may know what each bidder asked for."""

    @property
    def candidates(self) -> tuple[PlacedBid, ...]:
        """Those recommended, the first in rank first."""
        return tuple(one for one in self.ranking if one.candidate)

    @property
    def told(self) -> bool:
        """Whether the result is public."""
        return bool(self.ranking)

    def plain(self) -> dict[str, Any]:
        """The result as JSON."""
        told = plain({name: getattr(self, name) for name in self.__slots__})
        assert isinstance(told, dict)
        return told


@dataclass(frozen=True, slots=True)
class ObjectionTold:
    """An objection as this reader may see it; what he may not see is None.

    `challenge` says that it is one in procurement (质疑). `may_complain` is told to whoever raised
    it: the answer is there or overdue, and the matter may go to the supervisor. `outcome` says
    whether it stands and `remedy` what follows; `awaited` that this is still to be done. For
    whoever answers, `remedies` are what can follow and `candidates` who can be examined.
    """

    id: ObjectionId
    lot_id: LotId
    lot_name: str
    procedure: Procedure
    about: ObjectionKind
    waits: bool
    raised_at: datetime
    answer_due_at: datetime
    answered_at: datetime | None
    late: bool
    objector: str | None
    request: str | None
    grounds: str | None
    evidence: tuple[dict[str, str], ...] | None
    answer: str | None
    may_answer: bool
    withdrawn_at: datetime | None = None
    withdrawal: str | None = None
    may_withdraw: bool = False
    may_complain: bool = False
    overdue: bool = False
    challenge: bool = False
    article: str = ""
    outcome: ObjectionOutcome | None = None
    remedy: Remedy | None = None
    remedy_article: str | None = None
    candidate: str | None = None
    remedied_at: datetime | None = None
    awaited: bool = False
    remedies: tuple[Remedy, ...] = ()
    candidates: tuple[CandidateTold, ...] = ()


@dataclass(frozen=True, slots=True)
class CandidateTold:
    """A candidate whose examination an answer may announce."""

    id: UUID
    name: str


@dataclass(frozen=True, slots=True)
class ObjectableLot:
    """A lot to which this bidder may object now, and to what of it."""

    lot_id: LotId
    lot_name: str
    project_name: str
    procedure: Procedure
    window: Objectable


@dataclass(frozen=True, slots=True)
class ResultLine:
    """One lot as the list of results shows it."""

    lot_id: LotId
    lot_name: str
    project_name: str
    project_code: str
    tenderee: str
    procedure: Procedure
    state: LotState
    suspended: bool
    candidates_until: datetime | None
    winner: str
    price: Decimal | None
    at: datetime


@dataclass(frozen=True, slots=True)
class OwnNotice:
    """What one bidder was told of an award: the award notice, or the result notice."""

    result: Result
    bidder: str
    won: bool
    noticed_at: datetime
    entry_id: UUID
    own_rank: int | None
    own_total: Decimal | None

    number: str
    """The number by which the award notice is known and checked."""

    place: int
    """Which of the lot's awards it tells of."""

    winner: str
    price: Decimal
    members: tuple[dict[str, Any], ...]
    contract_due_on: date
    digest: bytes
    fallen: FallenAward | None
    """What became of that award where it fell away."""


# ── results ───────────────────────────────────────────────────────────────────────────────────


@by(*ANYONE)
async def result(tx: Transaction, lot_id: LotId) -> Result:
    """The result of a published lot, as far as it is public; `NotFound` for a draft."""
    lot = await tx.session.get(LotRow, lot_id)
    if lot is None or lot.published_at is None:
        raise NotFound("no such lot")
    project = await tx.session.get_one(ProjectRow, lot.project_id)
    opening = await tx.session.get(OpeningRow, lot_id)
    names = await organisation_names(
        tx.session, [id for id in (project.tenderee_id, project.agency_id) if id is not None]
    )
    switches = await switches_for(tx, lot)
    first_wins = names_first(
        switches, state_funded=project.state_funded, split=lot.award_method is not None
    )
    bare: dict[str, Any] = {
        "lot_id": lot_id,
        "number": lot.number,
        "lot_name": lot.name,
        "project_id": project.id,
        "project_code": project.code,
        "project_name": project.name,
        "tenderee": names[project.tenderee_id],
        "agency": names[project.agency_id] if project.agency_id else "",
        "state": LotState(lot.state),
        "suspended": lot.suspended,
        "brakes": tuple(lot.brakes.values()),
        "closed": was_closed(lot.path),
        "published_at": lot.published_at,
        "bids_due_at": lot.bids_due_at,
        "opened_at": opening and opening.opened_at,
        "recorded_at": opening and opening.recorded_at,
        "ceiling_price": lot.ceiling_price,
        "owned": lots.owns(tx, project),
        "procedure": Procedure(project.procedure),
        "tendered": switches.offers is Offers.SEALED_ONCE,
        "prices_told": prices_are_read_out(switches),
        "first_wins": first_wins,
        "winner_article": str(switches.winner_article if first_wins else BIDDING_LAW[40]),
        "award_method": lot.award_method,
        "negotiated": switches.offers is Offers.AGREED,
        "objections": await objections_to(tx, lot_id),
    }
    made = await awards_of(tx, lot_id)
    bare["fallen"] = await _fallen(tx, lot, project, made)
    report = await report_in_force(tx, lot_id)
    bare["reported_at"] = report and report.row.taken_at
    bare["undecided"] = next(iter(await undecided(tx, lot_id=lot_id)), None)
    published = await tx.session.get(CandidatesRow, (lot_id, report.row.round if report else 0))
    if report is None or published is None or lot.state not in TOLD:
        return Result(**bare)
    notice = _said_in(published.statement)
    read_out = bare["prices_told"]
    knows_all = read_out or bare["owned"] or tx.actor.role is Role.SUPERVISOR
    own = tx.actor.party_id if tx.actor.role is Role.BIDDER else None
    opened = (
        await tx.session.scalars(select(OpenedBidRow).where(col(OpenedBidRow.lot_id) == lot_id))
    ).all()
    award = await _award(tx, project, lot, report, notice, made)
    decided_at = made[-1].row.awarded_at if made else None
    sees_lapses = bare["owned"] or tx.actor.role is Role.SUPERVISOR
    lapsed = {
        bidder: at
        for bidder, at in (await bound_bids(tx, lot)).left.items()
        if (decided_at is not None and at < decided_at)
        or (award is None and (sees_lapses or bidder == own))
    }
    return Result(
        **bare,
        report_digest=report.row.report_digest,
        candidates_at=published.published_at,
        candidates_until=published.until,
        candidates_digest=published.digest,
        candidates_entry=await lots.entry_of(tx, lot_id, "CandidatesPublished"),
        objection_channel=str(notice["objections"]),
        cautions=tuple(published.cautions),
        ranking=_ranking(report, notice, lapsed, knows=lambda bidder: bidder == own or knows_all),
        rejected=_rejected(report, notice, opened if read_out else ()),
        scored=any(one.parts for one in report.ranking),
        unopened=await _unopened(tx, opened),
        award=award,
    )


@by(Role.TENDEREE, Role.AGENCY)
async def last_award(tx: Transaction, lot_id: LotId) -> LastAward:
    """What has become of the newest award of an own lot."""
    await lots.owned(tx, lot_id)
    made = await awards_of(tx, lot_id)
    if not made:
        return LastAward.NONE
    if made[-1].annulment is not None:
        return LastAward.ANNULLED
    return LastAward.IN_FORCE if made[-1].renunciation is None else LastAward.RENOUNCED


@by(*ANYONE)
async def fallen_awards(tx: Transaction, lot_id: LotId) -> tuple[FallenAward, ...]:
    """The awards of a published lot that fell away, each as far as this reader may see it."""
    lot = await tx.session.get(LotRow, lot_id)
    if lot is None or lot.published_at is None:
        raise NotFound("no such lot")
    project = await tx.session.get_one(ProjectRow, lot.project_id)
    return await _fallen(tx, lot, project, await awards_of(tx, lot_id))


@by(*ANYONE)
async def results(tx: Transaction) -> list[ResultLine]:
    """The lots whose result is public, the newest first."""
    rows = await tx.session.execute(
        select(LotRow, ProjectRow, CandidatesRow, AwardRow)
        .join(ProjectRow, col(ProjectRow.id) == col(LotRow.project_id))
        .join(CandidatesRow, col(CandidatesRow.lot_id) == col(LotRow.id))
        .outerjoin(AwardRow, and_(col(AwardRow.lot_id) == col(LotRow.id), is_in_force()))
        .where(col(LotRow.state).in_(TOLD))
        .order_by(col(CandidatesRow.published_at).desc())
        .limit(LIST_MAX)
    )
    found = {lot.id: (lot, project, published, award) for lot, project, published, award in rows}
    names = await organisation_names(
        tx.session,
        {project.tenderee_id for _, project, _, _ in found.values()}
        | {award.winner_id for *_, award in found.values() if award is not None},
    )
    lines = [
        ResultLine(
            LotId(lot.id),
            lot.name,
            project.name,
            project.code,
            names[project.tenderee_id],
            Procedure(project.procedure),
            LotState(lot.state),
            lot.suspended,
            published.until,
            names[award.winner_id] if award is not None else "",
            award.price if award is not None else None,
            award.awarded_at if award is not None else published.published_at,
        )
        for lot, project, published, award in found.values()
    ]
    return sorted(lines, key=lambda line: line.at, reverse=True)


@by(Role.BIDDER)
async def own_notice(tx: Transaction, lot_id: LotId) -> OwnNotice:
    """What the acting bidder was told of the newest award; `NotFound` where it was told nothing."""
    notice = await tx.session.scalar(
        select(AwardNoticeRow)
        .where(
            col(AwardNoticeRow.lot_id) == lot_id, col(AwardNoticeRow.bidder_id) == tx.actor.party
        )
        .order_by(col(AwardNoticeRow.award_number).desc())
        .limit(1)
    )
    if notice is None:
        raise NotFound("no notice for you")
    seen = await result(tx, lot_id)
    award = await tx.session.get_one(AwardRow, (lot_id, notice.award_number))
    place = next((one for one in seen.ranking if one.bidder_id == tx.actor.party), None)
    won = next((one for one in seen.ranking if one.bidder_id == award.winner_id), None)
    names = await organisation_names(tx.session, [tx.actor.party, award.winner_id])
    return OwnNotice(
        seen,
        names[tx.actor.party],
        notice.won,
        notice.noticed_at,
        notice.entry_id,
        None if place is None else place.rank,
        None if place is None else place.total,
        notice_number(seen.project_code, seen.number, award),
        award.number,
        names[award.winner_id],
        award.price,
        () if won is None else won.members,
        award.contract_due_on,
        award.digest,
        next((one for one in seen.fallen if one.number == award.number), None),
    )


# ── objections ────────────────────────────────────────────────────────────────────────────────


@by(*ANYONE)
async def objections_to(tx: Transaction, lot_id: LotId) -> tuple[ObjectionTold, ...]:
    """The objections to one lot, each as far as this reader may see it."""
    objecting.require_public(await tx.session.get(LotRow, lot_id))
    return await _objections(tx, col(ObjectionRow.lot_id) == lot_id)


@by(Role.TENDEREE, Role.AGENCY, Role.BIDDER, Role.SUPERVISOR)
async def objections_at_hand(tx: Transaction) -> tuple[ObjectionTold, ...]:
    """The objections that concern the actor: to its own lots, its own, or all for a supervisor."""
    return await _objections(tx, _at_hand(tx))


@by(Role.TENDEREE, Role.AGENCY, Role.SUPERVISOR)
async def overdue_answers(tx: Transaction) -> tuple[ObjectionTold, ...]:
    """The alarms: objections that concern the actor and were not answered in their days, the
    longest overdue first.
    """
    overdue = and_(objecting.still_open(), col(ObjectionRow.answer_due_at) <= tx.now)
    found = await _objections(tx, and_(_at_hand(tx), overdue))
    return tuple(sorted(found, key=lambda one: one.answer_due_at))


@by(Role.BIDDER)
async def objectable_lots(tx: Transaction) -> tuple[ObjectableLot, ...]:
    """Where this bidder may object now: to documents, and to results that it is concerned with."""
    lately = tx.now - CHALLENGED_WITHIN
    challengeable = [
        one
        for one in Procedure
        if switches_of(one, on=beijing_day(tx.now)).challenge_period is not None
    ]
    challenged = or_(col(LotRow.documents_until) > lately, col(AwardRow.awarded_at) > lately)
    tendered = and_(
        col(LotRow.published_at).is_not(None),
        or_(
            col(LotRow.state).in_([LotState.OPEN, LotState.CANDIDATES_PUBLISHED]),
            and_(col(ProjectRow.procedure).in_(challengeable), challenged),
        ),
    )
    called = and_(col(LotRow.prequalified), col(LotRow.applications_due_at) > lately)
    rows = await tx.session.execute(
        select(LotRow, ProjectRow)
        .join(ProjectRow, col(ProjectRow.id) == col(LotRow.project_id))
        .outerjoin(AwardRow, and_(col(AwardRow.lot_id) == col(LotRow.id), is_in_force()))
        .where(or_(tendered, called))
        .order_by(col(LotRow.published_at).desc().nulls_first())
        .limit(LIST_MAX)
    )
    found = []
    for lot, project in rows.all():
        for one in await objecting.objectable(tx, lot):
            procedure = Procedure(project.procedure)
            found.append(ObjectableLot(LotId(lot.id), lot.name, project.name, procedure, one))
    return tuple(found)


@by(*ANYONE)
async def objectable(tx: Transaction, lot_id: LotId) -> tuple[Objectable, ...]:
    """To what of one lot the actor may object now; nothing for whoever is no bidder."""
    if tx.actor.role is not Role.BIDDER:
        return ()
    return await objecting.objectable(
        tx, objecting.require_public(await tx.session.get(LotRow, lot_id))
    )


# ── what the views above are made of ──────────────────────────────────────────────────────────


def _at_hand(tx: Transaction) -> ColumnElement[bool]:
    if tx.actor.role is Role.SUPERVISOR:
        return col(ObjectionRow.id).is_not(None)
    if tx.actor.role is Role.BIDDER:
        return col(ObjectionRow.objector_id) == tx.actor.party
    owner = ProjectRow.tenderee_id if tx.actor.role is Role.TENDEREE else ProjectRow.agency_id
    own_lots = (
        select(col(LotRow.id))
        .join(ProjectRow, col(ProjectRow.id) == col(LotRow.project_id))
        .where(col(owner) == tx.actor.party)
    )
    return col(ObjectionRow.lot_id).in_(own_lots)


async def _objections(tx: Transaction, condition: ColumnElement[bool]) -> tuple[ObjectionTold, ...]:
    rows = (
        await tx.session.execute(
            select(
                ObjectionRow,
                ObjectionAnswerRow,
                ObjectionRemedyRow,
                ObjectionWithdrawalRow,
                LotRow,
                ProjectRow,
            )
            .join(LotRow, col(LotRow.id) == col(ObjectionRow.lot_id))
            .join(ProjectRow, col(ProjectRow.id) == col(LotRow.project_id))
            .outerjoin(
                ObjectionAnswerRow, col(ObjectionAnswerRow.objection_id) == col(ObjectionRow.id)
            )
            .outerjoin(
                ObjectionRemedyRow, col(ObjectionRemedyRow.objection_id) == col(ObjectionRow.id)
            )
            .outerjoin(
                ObjectionWithdrawalRow,
                col(ObjectionWithdrawalRow.objection_id) == col(ObjectionRow.id),
            )
            .where(condition)
            .order_by(col(ObjectionRow.raised_at).desc())
            .limit(LIST_MAX)
        )
    ).all()
    examined = {answer.candidate_id for _, answer, *_ in rows if answer and answer.candidate_id}
    objectors = {row.objector_id for row, *_ in rows}
    names = await organisation_names(tx.session, objectors | examined)
    found = []
    for row, answer, done, withdrawal, lot, project in rows:
        waiting = answer is None and withdrawal is None
        overdue = waiting and row.answer_due_at <= tx.now
        switches = await switches_for(tx, lot)
        owner = lots.owns(tx, project)
        own = tx.actor.party_id is not None and row.objector_id == tx.actor.party_id
        handling = own or owner or tx.actor.role is Role.SUPERVISOR
        # Who applied, and who failed, is nobody else's business, not even the bidders'.
        bids = await _bid_for(tx, lot)
        concerned = handling or (bids and row.about != ObjectionKind.QUALIFICATION)
        knows = handling or (bids and row.about not in OF_PREQUALIFICATION)
        named = own or (knows and was_closed(lot.path))
        about, state = ObjectionKind(row.about), LotState(lot.state)
        remedy = None if answer is None or answer.remedy is None else Remedy(answer.remedy)
        remedies = remedies_for(about, state, switches) if owner and waiting else ()
        unmended = remedy not in (None, Remedy.NOTHING) and done is None
        found.append(
            ObjectionTold(
                id=ObjectionId(row.id),
                lot_id=LotId(lot.id),
                lot_name=lot.name,
                procedure=Procedure(project.procedure),
                about=ObjectionKind(row.about),
                waits=row.waits,
                raised_at=row.raised_at,
                answer_due_at=row.answer_due_at,
                answered_at=None if answer is None else answer.answered_at,
                late=answer is not None and answer.late,
                objector=names[row.objector_id] if named else None,
                request=row.request if concerned else None,
                grounds=row.grounds if concerned else None,
                evidence=tuple(row.evidence) if concerned else None,
                answer=answer.words if answer is not None and concerned else None,
                may_answer=owner and waiting,
                withdrawn_at=None if withdrawal is None else withdrawal.withdrawn_at,
                withdrawal=withdrawal.reason if withdrawal is not None and concerned else None,
                may_withdraw=own and waiting,
                may_complain=own and withdrawal is None and (answer is not None or overdue),
                overdue=overdue,
                challenge=switches.challenge_period is not None,
                article=str(objection_article(about, switches)),
                outcome=ObjectionOutcome(answer.outcome)
                if answer is not None and answer.outcome
                else None,
                remedy=remedy,
                remedy_article=remedy and str(remedy_article(remedy, about, switches)),
                candidate=names[answer.candidate_id]
                if answer is not None and answer.candidate_id is not None and concerned
                else None,
                remedied_at=None if done is None else done.carried_out_at,
                awaited=unmended and state not in (LotState.FAILED, LotState.CANCELLED),
                remedies=remedies,
                candidates=await _examinable(tx, lot) if Remedy.EXAMINE in remedies else (),
            )
        )
    return tuple(found)


def _outcome_of(answer: ObjectionAnswerRow) -> ObjectionOutcome | None:
    return None if answer.outcome is None else ObjectionOutcome(answer.outcome)


async def _examinable(tx: Transaction, lot: LotRow) -> tuple[CandidateTold, ...]:
    report = await report_in_force(tx, lot.id)
    candidates = () if report is None else report.candidates
    return tuple(CandidateTold(one.bidder_id, one.name) for one in candidates)


async def _bid_for(tx: Transaction, lot: LotRow) -> bool:
    """Whether the actor's organisation is one of the lot's bidders, once they are known."""
    if tx.actor.role is not Role.BIDDER or not was_closed(lot.path):
        return False
    bids = await counted_bids(tx.session, lot.id)
    return any(bid.bidder_id == tx.actor.party_id for bid in bids)


def _said_in(statement: bytes) -> dict[str, Any]:
    told = strict_json(Envelope.from_bytes(statement).payload)
    assert isinstance(told, dict)
    return told


def _ranking(
    report: Report,
    notice: dict[str, Any],
    lapsed: Mapping[UUID, datetime],
    *,
    knows: Callable[[UUID], bool],
) -> tuple[PlacedBid, ...]:
    fixed = {"bidder", "name", "rank", "price", "total", "members", *PAPERS}
    together = _together(notice["ranking"])
    words = {
        one["bidder"]: {key: str(one[key]) for key in one.keys() - fixed}
        for one in notice["candidates"]
    }
    papers = {one["bidder"]: one for one in notice["candidates"]}
    return tuple(
        PlacedBid(
            row.bidder_id,
            row.name,
            row.rank,
            row.price if knows(row.bidder_id) else None,
            Decimal(points_text(row.total)),
            _parts(row) if knows(row.bidder_id) else (),
            row.candidate,
            words.get(str(row.bidder_id), {}),
            together[str(row.bidder_id)],
            lapsed.get(row.bidder_id),
            *(tuple(papers.get(str(row.bidder_id), {}).get(one, ())) for one in PAPERS),
        )
        for row in report.ranking
    )


def _together(told: Iterable[Mapping[str, Any]]) -> dict[str, tuple[dict[str, Any], ...]]:
    """Who bids together by each bidder's bid, as the notice names them."""
    return {one["bidder"]: tuple(one.get("members", ())) for one in told}


def _parts(row: RankedBidRow) -> tuple[tuple[str, Decimal], ...]:
    return tuple((one["label"], Decimal(one["points"])) for one in row.parts)


def _rejected(
    report: Report, notice: dict[str, Any], opened: Sequence[OpenedBidRow]
) -> tuple[FallenBid, ...]:
    together = _together(notice["rejected"])
    prices = {row.bid_id: row.price for row in opened}
    return tuple(
        FallenBid(
            row.bidder_id,
            row.name,
            prices.get(row.bid_id),
            row.ground,
            row.article,
            row.page,
            together[str(row.bidder_id)],
        )
        for row in report.rejected
    )


async def _unopened(tx: Transaction, opened: Sequence[OpenedBidRow]) -> tuple[FallenBid, ...]:
    unread = [row for row in opened if row.outcome not in READABLE_OUTCOMES]
    names = await organisation_names(tx.session, [row.bidder_id for row in unread])
    return tuple(
        FallenBid(row.bidder_id, names[row.bidder_id], None, row.reason, row.article, "")
        for row in unread
    )


async def _award(
    tx: Transaction,
    project: ProjectRow,
    lot: LotRow,
    report: Report,
    notice: dict[str, Any],
    made: Sequence[MadeAward],
) -> AwardTold | None:
    if not made or made[-1].annulment is not None:
        return None
    row = made[-1].row
    names: dict[UUID, str] = {one.bidder_id: one.name for one in report.ranking}
    return AwardTold(
        row.winner_id,
        names[row.winner_id],
        row.rank,
        row.price,
        row.awarded_at,
        row.contract_due_on,
        row.report_due_on,
        tuple({**one, "name": names[UUID(one["bidder"])]} for one in row.set_aside),
        tuple(row.cautions),
        row.digest,
        await lots.entry_of(tx, lot.id, "AwardPublished"),
        row.number,
        notice_number(project.code, lot.number, row),
        await tx.session.get(ContractRow, lot.id) is not None,
        _minutes(row, names),
        _together(notice["ranking"])[str(row.winner_id)],
        _renunciation(made[-1]) if _is_concerned(tx, project, row) else None,
    )


async def _fallen(
    tx: Transaction, lot: LotRow, project: ProjectRow, made: Sequence[MadeAward]
) -> tuple[FallenAward, ...]:
    """Those that fell away, as everybody reads it; the files are for those concerned."""
    names = await organisation_names(tx.session, {one.row.winner_id for one in made})
    return tuple(
        FallenAward(
            LotId(lot.id),
            one.row.number,
            notice_number(project.code, lot.number, one.row),
            one.row.winner_id,
            names[one.row.winner_id],
            one.row.rank,
            one.row.price,
            one.row.awarded_at,
            one.annulment.annulled_at,
            AnnulmentGround(one.annulment.ground),
            one.annulment.article,
            one.annulment.words,
            one.annulment.found_by,
            one.annulment.due_on,
            tuple(one.annulment.evidence) if _is_concerned(tx, project, one.row) else None,
            _renunciation(one),
            one.annulment.digest,
            one.annulment.entry_id,
        )
        for one in made
        if one.annulment is not None
    )


def _is_concerned(tx: Transaction, project: ProjectRow, award: AwardRow) -> bool:
    """Whether the actor tenders, supervises, or is the winner of this award."""
    own = tx.actor.role is Role.BIDDER and tx.actor.party_id == award.winner_id
    return own or lots.owns(tx, project) or tx.actor.role is Role.SUPERVISOR


def _renunciation(one: MadeAward) -> RenunciationTold | None:
    row = one.renunciation
    return None if row is None else RenunciationTold(row.words, row.renounced_at, row.digest)


def _minutes(row: AwardRow, names: dict[UUID, str]) -> MinutesTold | None:
    if row.minutes is None:
        return None
    return MinutesTold(
        tuple(row.minutes["members"]),
        tuple((one["member"], names[UUID(one["bidder"])]) for one in row.minutes["votes"]),
        row.minutes["reasons"],
        tuple(one["member"] for one in row.minutes["votes"] if "signed" in one),
    )
