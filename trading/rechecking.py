"""A candidate is examined again by the original committee before the notice goes out (条例 56).

Whoever tenders asks for it, with reasons and evidence, and the lot waits until the majority of the
committee has concluded. While it lasts everybody knows that a candidate is examined, and only those
concerned know whom and why; what was found is public. Evaluation brings the members' opinions in
through the door.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import and_, func, select
from sqlmodel import col

from kernel.access import Role, by
from kernel.crypto.digests import Malformed, b64u, text_of, unb64u
from kernel.errors import BrokenSeal, NotFound, Refused
from kernel.events import plain
from kernel.identifiers import BidId, LotId, PartyId
from kernel.randomness import random_id
from kernel.statute import BIDDING_REGULATION
from kernel.store.parties import Statement, take_part, verified_statement
from kernel.store.transaction import Transaction
from trading import agency_letters, lots, remedying
from trading.bound_bids import bound_bids
from trading.events import RecheckAsked, RecheckConcluded, RecheckOpinionGiven, RecheckReceived
from trading.made_awards import awards_of
from trading.petitions import Evidence, evidence_in, require_files_kept, words_in
from trading.rules.agency_scope import AgencyAct
from trading.rules.award_followup import (
    RECHECK_NAMES,
    RECHECKABLE,
    Recheck,
    RecheckGround,
    RecheckRequest,
    recheck_request_refusals,
)
from trading.rules.lot_lifecycle import LotState
from trading.rules.objection_outcome import Remedy
from trading.rules.split_award import party_in
from trading.tables import (
    EvidenceFileRow,
    LotRow,
    ProjectRow,
    RankedBidRow,
    RecheckConclusionRow,
    RecheckOpinionRow,
    RecheckRow,
    TakenReportRow,
)
from trading.talk_records import switches_then

MEMBERS: Final = (Role.EXPERT, Role.OWNER_REPRESENTATIVE)
WAITS: Final = "对中标候选人履约能力的审查确认，原评标委员会作出结论前暂停"
CONCLUDED: Final = "原评标委员会已对中标候选人作出审查结论"


@dataclass(frozen=True, slots=True)
class RecheckFile:
    """A candidate's examination as it is stored, with the bid by which it was recommended."""

    row: RecheckRow
    bid: RankedBidRow
    opinions: tuple[RecheckOpinionRow, ...]
    conclusion: RecheckConclusionRow | None

    @property
    def unfit(self) -> bool:
        """Whether the committee found that the candidate no longer meets the standards."""
        return self.conclusion is not None and not self.conclusion.confirmed

    def as_judged(self) -> Recheck:
        """The examination as the rules on the award know it; no other committee can conclude."""
        confirmed = None if self.conclusion is None else self.conclusion.confirmed
        ground = RECHECK_NAMES[RecheckGround(self.row.ground)]
        return Recheck(ground, by_original_committee=True, confirmed=confirmed)


@dataclass(frozen=True, slots=True)
class OpinionTold:
    """What one member found, by its number."""

    member: int
    fit: bool
    words: str


@dataclass(frozen=True, slots=True)
class RecheckTold:
    """An examination as this reader may see it; what he may not see is None.

    Whom it is about, and on which ground, is public with the conclusion; reasons, evidence and the
    members' opinions are read by those who tender, the supervisor, the candidate and the committee,
    and the opinions by nobody before the conclusion. `open` says that the committee is to conclude.
    """

    lot_id: LotId
    number: int
    article: str
    asked_at: datetime
    open: bool
    candidate_id: UUID | None
    candidate: str | None
    ground: RecheckGround | None
    words: str | None
    evidence: tuple[dict[str, str], ...] | None
    digest: bytes | None
    given: int
    opinions: tuple[OpinionTold, ...] | None
    concluded_at: datetime | None = None
    confirmed: bool | None = None
    members: int | None = None
    unfit: int | None = None
    entry_id: UUID | None = None

    def plain(self) -> dict[str, Any]:
        """The examination as JSON tells it."""
        told = plain(self)
        assert isinstance(told, dict)
        return told


@dataclass(frozen=True, slots=True)
class RecheckBefore:
    """An examination as it lies before the committee: the bid, and who has given an opinion."""

    told: RecheckTold
    bid_id: BidId
    given_by: frozenset[UUID]
    opinions: tuple[tuple[UUID, bool], ...]


@dataclass(frozen=True, slots=True)
class MemberOpinion:
    """An opinion that a member signed, as evaluation brings it."""

    number: int
    member_id: UUID
    member: int
    fit: bool
    words: str
    digest: bytes
    statement: bytes


@dataclass(frozen=True, slots=True)
class EvidenceRead:
    """A file of the evidence, for a member of the committee."""

    name: str
    content: bytes


@by(Role.TENDEREE, Role.AGENCY)
async def ask_recheck(tx: Transaction, lot_id: LotId, raw: bytes) -> RecheckTold:
    """Ask the original committee to examine a candidate again; the lot waits until it has.

    `Refused` with every ground on which there is nothing to examine.
    """
    lot = await lots.lock(tx, lot_id)
    _, project = await lots.owned(tx, lot_id)
    await agency_letters.require_scope(tx, project, AgencyAct.RESULT, lot_id)
    statement = await verified_statement(
        tx, raw, "candidate-recheck", lot=lot_id, project=lot.project_id
    )
    ground, words, evidence = _said_in(statement.payload)
    candidate_id = party_in(statement.payload["candidate"])
    report = await _report_named(tx, lot_id, statement)
    await require_files_kept(tx, lot_id, evidence)
    before = await rechecks_of(tx, lot_id)

    request = RecheckRequest(
        LotState(lot.state),
        words,
        "；".join(one.title for one in evidence),
        recommended=await _recommended(tx, report, candidate_id) is not None,
        out=candidate_id in await _out(tx, lot, report.round, before),
        open=any(one.row.candidate_id == candidate_id and _open(lot, one) for one in before),
    )
    refusals = recheck_request_refusals(request, await switches_then(tx, lot))
    if refusals:
        raise Refused(refusals)

    await take_part(tx, lot_id)
    row = RecheckRow(
        lot_id=lot_id,
        number=len(before) + 1,
        brake=random_id(),
        round=report.round,
        candidate_id=candidate_id,
        ground=ground,
        words=words,
        evidence=[one.kept() for one in evidence],
        digest=statement.digest,
        statement=raw,
        asked_by=tx.actor.person,
        asked_for=tx.actor.party,
        asked_at=tx.now,
    )
    tx.session.add(row)
    await tx.session.flush()

    asked: dict[str, Any] = {
        "number": row.number,
        "ground": str(ground),
        "statement_digest": row.digest,
    }
    tx.record(RecheckAsked(lot_id, candidate_id=candidate_id, **asked))
    for party in [*await lots.owners_of(tx, lot), candidate_id]:
        tx.record(RecheckReceived(lot_id, addressee_id=party, **asked))
    lots.suspend(tx, lot, cause=row.brake, reason=WAITS)
    await remedying.carried_out(tx, lot, statement, Remedy.EXAMINE, candidate=candidate_id)

    return _told(lot, await _file(tx, lot_id, row.number), concerned=True)


@by(*Role)
async def rechecks_told(tx: Transaction, lot_id: LotId) -> tuple[RecheckTold, ...]:
    """The examinations of a published lot's candidates, each as far as this reader may see it."""
    lot = await tx.session.get(LotRow, lot_id)
    if lot is None or lot.published_at is None:
        raise NotFound("no such lot")
    project = await tx.session.get_one(ProjectRow, lot.project_id)
    handling = lots.owns(tx, project) or tx.actor.role is Role.SUPERVISOR
    bidder = tx.actor.party_id if tx.actor.role is Role.BIDDER else None
    return tuple(
        _told(lot, one, concerned=handling or one.row.candidate_id == bidder)
        for one in await rechecks_of(tx, lot_id)
    )


# ── for the committee, through the door ───────────────────────────────────────────────────────


@by(*MEMBERS)
async def rechecks_before(tx: Transaction, lot_id: LotId) -> tuple[RecheckBefore, ...]:
    """The examinations that lie or lay before the lot's committee, with what they rest on."""
    lot = await lots.hold(tx, lot_id)
    return tuple(
        RecheckBefore(
            _told(lot, one, concerned=True),
            BidId(one.bid.bid_id),
            frozenset(each.member_id for each in one.opinions),
            tuple((each.member_id, each.fit) for each in one.opinions),
        )
        for one in await rechecks_of(tx, lot_id)
    )


@by(*MEMBERS)
async def note_opinion(tx: Transaction, lot_id: LotId, opinion: MemberOpinion) -> None:
    """Keep what a member found; the committee's own rules have let it."""
    await lots.lock(tx, lot_id)
    tx.session.add(
        RecheckOpinionRow(
            lot_id=lot_id,
            number=opinion.number,
            member_id=opinion.member_id,
            member=opinion.member,
            fit=opinion.fit,
            words=opinion.words,
            digest=opinion.digest,
            statement=opinion.statement,
            given_at=tx.now,
        )
    )
    await tx.session.flush()

    tx.record(
        RecheckOpinionGiven(
            lot_id,
            number=opinion.number,
            member=opinion.member,
            statement_digest=opinion.digest,
        )
    )


@by(*MEMBERS)
async def conclude_recheck(
    tx: Transaction, lot_id: LotId, number: int, *, confirmed: bool, members: int
) -> None:
    """Take over what the majority of so many members found; the lot goes on."""
    lot = await lots.lock(tx, lot_id)
    known = await _file(tx, lot_id, number)
    report = await tx.session.get_one(TakenReportRow, (lot_id, known.row.round))

    entry_id = tx.record(
        RecheckConcluded(
            lot_id,
            number=number,
            candidate_id=known.row.candidate_id,
            candidate=known.bid.name,
            ground=known.row.ground,
            confirmed=confirmed,
            members=members,
            unfit=sum(not one.fit for one in known.opinions),
            report_digest=report.report_digest,
            request_digest=known.row.digest,
            opinions=tuple(
                {"member": one.member, "fit": one.fit, "signed": one.digest}
                for one in known.opinions
            ),
        )
    )
    tx.session.add(
        RecheckConclusionRow(
            lot_id=lot_id,
            number=number,
            confirmed=confirmed,
            members=members,
            concluded_at=tx.now,
            entry_id=entry_id,
        )
    )

    lots.resume(tx, lot, cause=known.row.brake, reason=CONCLUDED)


@by(*MEMBERS)
async def recheck_evidence(
    tx: Transaction, lot_id: LotId, number: int, digest: bytes
) -> EvidenceRead:
    """A file of the evidence that lies before the committee."""
    known = await _file(tx, lot_id, number)
    if not any(one.get("file") == b64u(digest) for one in known.row.evidence):
        raise NotFound("no such file")
    kept = await tx.session.get_one(EvidenceFileRow, (lot_id, known.row.asked_for, digest))
    return EvidenceRead(kept.name, await tx.documents.read(digest))


# ── for the neighbours in this package ────────────────────────────────────────────────────────


async def rechecks_of(
    tx: Transaction, lot_id: UUID, *, round: int | None = None
) -> tuple[RecheckFile, ...]:
    """The examinations of a lot's candidates in order, of all reports or of one."""
    found = await tx.session.execute(
        select(RecheckRow, RankedBidRow, RecheckConclusionRow)
        .join(
            RankedBidRow,
            and_(
                col(RankedBidRow.lot_id) == col(RecheckRow.lot_id),
                col(RankedBidRow.round) == col(RecheckRow.round),
                col(RankedBidRow.bidder_id) == col(RecheckRow.candidate_id),
            ),
        )
        .outerjoin(
            RecheckConclusionRow,
            and_(
                col(RecheckConclusionRow.lot_id) == col(RecheckRow.lot_id),
                col(RecheckConclusionRow.number) == col(RecheckRow.number),
            ),
        )
        .where(col(RecheckRow.lot_id) == lot_id)
        .order_by(col(RecheckRow.number))
    )
    given = await tx.session.scalars(
        select(RecheckOpinionRow)
        .where(col(RecheckOpinionRow.lot_id) == lot_id)
        .order_by(col(RecheckOpinionRow.member))
    )
    opinions: dict[int, list[RecheckOpinionRow]] = {}
    for one in given:
        opinions.setdefault(one.number, []).append(one)
    return tuple(
        RecheckFile(row, bid, tuple(opinions.get(row.number, ())), conclusion)
        for row, bid, conclusion in found.all()
        if round is None or row.round == round
    )


async def brakes_of(tx: Transaction, lot_id: UUID) -> frozenset[str]:
    """The brakes of examinations: whoever ends the lot has no need to wait for what is found of a
    candidate that can win nothing any more.
    """
    return frozenset(str(one.row.brake) for one in await rechecks_of(tx, lot_id))


def found_unfit(files: Sequence[RecheckFile]) -> frozenset[PartyId]:
    """The candidates whom the committee found unfit."""
    return frozenset(PartyId(one.row.candidate_id) for one in files if one.unfit)


# ── what the acts above are made of ───────────────────────────────────────────────────────────


def _said_in(told: Mapping[str, Any]) -> tuple[RecheckGround, str, tuple[Evidence, ...]]:
    if told["ground"] not in list(RecheckGround):
        raise Malformed(f"a ground is one of: {', '.join(RecheckGround)}", code="ground")
    ground = RecheckGround(text_of(told["ground"]))
    return ground, words_in(told["words"]), evidence_in(told["evidence"])


async def _report_named(tx: Transaction, lot_id: LotId, statement: Statement) -> TakenReportRow:
    """The report in force, which the statement names; `BrokenSeal` where it names another."""
    newest = select(func.max(col(TakenReportRow.round))).where(col(TakenReportRow.lot_id) == lot_id)
    report = await tx.session.scalar(
        select(TakenReportRow).where(
            col(TakenReportRow.lot_id) == lot_id,
            col(TakenReportRow.round) == newest.scalar_subquery(),
        )
    )
    if report is None or unb64u(statement.payload["report"], 32) != report.report_digest:
        raise BrokenSeal("the statement rests on another report")
    return report


async def _recommended(
    tx: Transaction, report: TakenReportRow, party_id: PartyId
) -> RankedBidRow | None:
    return await tx.session.scalar(
        select(RankedBidRow).where(
            col(RankedBidRow.lot_id) == report.lot_id,
            col(RankedBidRow.round) == report.round,
            col(RankedBidRow.bidder_id) == party_id,
            col(RankedBidRow.candidate),
        )
    )


async def _out(
    tx: Transaction, lot: LotRow, round: int, before: Sequence[RecheckFile]
) -> frozenset[UUID]:
    """Who may not win whatever is found: its award fell, its bid lapsed, or it was found unfit."""
    fallen = {one.row.winner_id for one in await awards_of(tx, lot.id) if one.annulment is not None}
    left = (await bound_bids(tx, lot)).left
    return frozenset(
        {*fallen, *left, *found_unfit([one for one in before if one.row.round == round])}
    )


async def _file(tx: Transaction, lot_id: LotId, number: int) -> RecheckFile:
    for one in await rechecks_of(tx, lot_id):
        if one.row.number == number:
            return one
    raise NotFound("no such examination")


def _open(lot: LotRow, one: RecheckFile) -> bool:
    return one.conclusion is None and lot.state in RECHECKABLE


def _told(lot: LotRow, one: RecheckFile, *, concerned: bool) -> RecheckTold:
    row, conclusion = one.row, one.conclusion
    named = concerned or conclusion is not None
    opinions = tuple(OpinionTold(each.member, each.fit, each.words) for each in one.opinions)
    return RecheckTold(
        LotId(row.lot_id),
        row.number,
        str(BIDDING_REGULATION[56]),
        row.asked_at,
        _open(lot, one),
        row.candidate_id if named else None,
        one.bid.name if named else None,
        RecheckGround(row.ground) if named else None,
        row.words if concerned else None,
        tuple(row.evidence) if concerned else None,
        row.digest if concerned else None,
        len(one.opinions) if concerned else 0,
        opinions if concerned and conclusion is not None else None,
        *(
            ()
            if conclusion is None
            else (
                conclusion.concluded_at,
                conclusion.confirmed,
                conclusion.members,
                sum(not each.fit for each in one.opinions),
                conclusion.entry_id,
            )
        ),
    )
