"""The written report on a tender and its award, to the supervising department in fifteen days.

The platform writes it from what it holds: notices, bids as they were read out, report, candidates,
award. Its publisher adds words of its own and signs (招标投标法 47).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import select
from sqlmodel import col

from kernel.access import Role, by
from kernel.crypto.digests import b64u, instant_text, text_of
from kernel.errors import BrokenSeal, NotFound, Refused
from kernel.identifiers import LotId
from kernel.money import yuan_text
from kernel.refusals import Caution
from kernel.store.parties import organisation_names, take_part, verified_statement
from kernel.store.transaction import Transaction
from trading import agency_letters, lots
from trading.awarding import report_in_force
from trading.contract_cases import Case, Side, case_of, locked_case, said_by
from trading.drafting import clean_text
from trading.events import AwardReported
from trading.made_awards import awards_of, notice_number
from trading.rules.agency_scope import AgencyAct
from trading.rules.award_followup import report_cautions, report_refusals
from trading.rules.contract_course import Step, step_refusals
from trading.tables import AwardReportRow, CandidatesRow, LotRow, NoticeRow, OpenedBidRow

WORDS_MAX: Final = 5000


@dataclass(frozen=True, slots=True)
class TakenIn:
    """A report as it reached the supervising department."""

    reported_at: datetime
    cautions: tuple[Caution, ...]


@dataclass(frozen=True, slots=True)
class AwardReport:
    """A report as supervisors and its own side read it."""

    content: dict[str, Any]
    words: str
    reported_at: datetime
    late: bool
    statement: bytes


@by(Role.TENDEREE, Role.AGENCY)
async def award_report_paper(tx: Transaction, lot_id: LotId) -> dict[str, Any]:
    """The report as the platform writes it, for its publisher to add words and sign."""
    lot = await lots.hold(tx, lot_id)
    await lots.owned(tx, lot_id)
    case = await case_of(tx, lot)
    await _require_due(tx, case)
    return await _paper(tx, case)


@by(Role.TENDEREE, Role.AGENCY)
async def report_award(tx: Transaction, lot_id: LotId, raw: bytes) -> TakenIn:
    """Hand the report in; a late one is taken with a caution."""
    case = await locked_case(tx, lot_id)
    _, project = await lots.owned(tx, lot_id)
    await agency_letters.require_scope(tx, project, AgencyAct.RESULT, lot_id)
    statement = await verified_statement(
        tx, raw, "award-report", lot=lot_id, project=case.lot.project_id
    )
    words = text_of(statement.payload["words"])
    if words.strip():
        clean_text(words, at_most=WORDS_MAX)
    await _require_due(tx, case)
    assert case.award is not None
    due = {**await _paper(tx, case), "words": words}
    if {name: said for name, said in statement.payload.items() if name != "signed_at"} != due:
        raise BrokenSeal("what was signed is not the report that the record makes")
    cautions = report_cautions(
        awarded_at=case.award.awarded_at,
        reported_at=tx.now,
        switches=case.switches,
        calendar=tx.settings.calendar,
    )

    await take_part(tx, lot_id)
    tx.session.add(
        AwardReportRow(
            lot_id=lot_id,
            award_number=case.award.number,
            digest=statement.digest,
            statement=raw,
            reported_by=tx.actor.person,
            reported_at=tx.now,
            late=bool(cautions),
        )
    )

    tx.record(AwardReported(lot_id, statement_digest=statement.digest, late=bool(cautions)))

    return TakenIn(tx.now, tuple(cautions))


@by(Role.TENDEREE, Role.AGENCY, Role.SUPERVISOR)
async def award_report(tx: Transaction, lot_id: LotId) -> AwardReport:
    """The newest report, for those it went to and those it came from."""
    lot = await tx.session.get(LotRow, lot_id)
    if lot is None:
        raise NotFound("no such lot")
    if tx.actor.role is not Role.SUPERVISOR:
        await lots.owned(tx, lot_id)
    row = await tx.session.scalar(
        select(AwardReportRow)
        .where(col(AwardReportRow.lot_id) == lot_id)
        .order_by(col(AwardReportRow.award_number).desc())
        .limit(1)
    )
    if row is None:
        raise NotFound("no report of this award yet")
    said: dict[str, Any] = said_by(row.statement)
    return AwardReport(said["content"], said["words"], row.reported_at, row.late, row.statement)


async def _require_due(tx: Transaction, case: Case) -> None:
    refusals = (
        [] if case.award is not None else step_refusals(Step.OFFER, case.course, case.switches)
    )
    before = None
    if case.award is not None:
        before = await tx.session.get(AwardReportRow, (case.lot.id, case.award.number))
    refusals += report_refusals(reported_before=before is not None, switches=case.switches)
    if refusals:
        raise Refused(refusals)


async def _paper(tx: Transaction, case: Case) -> dict[str, Any]:
    assert case.award is not None
    award, lot, project = case.award, case.lot, case.project
    report = await report_in_force(tx, lot.id)
    published = await tx.session.get_one(CandidatesRow, (lot.id, award.round))
    assert report is not None
    assert lot.published_at is not None
    assert lot.bids_due_at is not None
    notices = await tx.session.scalars(
        select(NoticeRow).where(col(NoticeRow.lot_id) == lot.id).order_by(col(NoticeRow.number))
    )
    bids = (
        await tx.session.scalars(
            select(OpenedBidRow)
            .where(col(OpenedBidRow.lot_id) == lot.id)
            .order_by(col(OpenedBidRow.bid_id))
        )
    ).all()
    names = await organisation_names(
        tx.session, {one.bidder_id for one in bids} | {case.party_at(side) for side in Side}
    )
    return {
        "v": "ebid-award-report/1",
        "project": str(project.id),
        "lot": str(lot.id),
        "award": b64u(award.digest),
        "content": {
            "project_code": project.code,
            "project_name": project.name,
            "lot_number": lot.number,
            "lot_name": lot.name,
            "procedure": project.procedure,
            "tenderee": names[project.tenderee_id],
            "published_at": instant_text(lot.published_at),
            "bids_due_at": instant_text(lot.bids_due_at),
            "notices": [
                {"number": one.number, "title": one.title, "sha256": b64u(one.digest)}
                for one in notices
            ],
            "bids": [
                {
                    "bidder": names[one.bidder_id],
                    "price": None if one.price is None else yuan_text(one.price),
                    "outcome": one.outcome,
                }
                for one in bids
            ],
            "report": b64u(report.row.report_digest),
            "candidates": b64u(published.digest),
            "award_notice": notice_number(project.code, lot.number, award),
            "annulled": await _annulled(tx, case),
            "winner": names[award.winner_id],
            "price": yuan_text(award.price),
            "awarded_at": instant_text(award.awarded_at),
        },
        "words": "",
    }


async def _annulled(tx: Transaction, case: Case) -> list[dict[str, Any]]:
    """The awards that fell away before this one, each with its ground and signed annulment."""
    return [
        {
            "award_notice": notice_number(case.project.code, case.lot.number, one.row),
            "ground": one.annulment.ground,
            "article": one.annulment.article,
            "annulment": b64u(one.annulment.digest),
        }
        for one in await awards_of(tx, case.lot.id)
        if one.annulment is not None
    ]
