"""A committee reviews the applications for a prequalification: read, judge alone, sign together.

It is drawn, seated and kept present as one that evaluates bids. Each member signs what it finds of
every application under every published condition; nobody sees another's opinion before all are in.
The report tells them all and what most of them found; the last signature brings it to trading, and
every applicant is told its result in the same transaction.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from sqlalchemy import func
from sqlmodel import col, select

from evaluation import committees, reporting
from evaluation.committees import CommitteeFile
from evaluation.events import OpinionGiven, ReviewHandedBack
from evaluation.rules.qualification_votes import (
    VERSION,
    Opinion,
    common_findings,
    opinion_refusals,
    opinions_in,
    readiness_refusals,
)
from evaluation.rules.report_contents import SigningState
from evaluation.rules.session_protocol import ReportConcluded
from evaluation.tables import OpinionRow, ReportRow
from kernel.access import Role, by
from kernel.crypto.digests import canonical, instant_text
from kernel.errors import NotFound, Refused
from kernel.identifiers import CommitteeId, PartyId
from kernel.store.clocks import unshifted_clock
from kernel.store.parties import live_keys, verified_statement
from kernel.store.transaction import Transaction
from trading import handover
from trading.handover import ApplicationShown, FindingMade, SignedReview

STATEMENT_MAX: Final = 8 << 20


@dataclass(frozen=True, slots=True)
class ReviewDesk:
    """What lies before a member: the conditions, the applications, its own newest opinions, and how
    many members have given theirs.
    """

    member_id: UUID
    conditions: tuple[tuple[str, str], ...]
    applications: tuple[ApplicationShown, ...]
    own: Mapping[tuple[UUID, str], Opinion]
    given: int
    members: int


@by(Role.EXPERT, Role.OWNER_REPRESENTATIVE)
async def desk(tx: Transaction, committee_id: CommitteeId) -> ReviewDesk:
    """The applications before the committee; `Refused` unless all are at their seats."""
    file, round = await _review(tx, committee_id)
    member = await committees.at_work(tx, file)
    opinions = await _opinions(tx, file)
    conditions = await handover.conditions_of(tx, file.lot_id, round)
    own = opinions.get(member.id, ())
    return ReviewDesk(
        member.id,
        tuple((one.id, one.name) for one in conditions),
        await handover.applications(tx, file.lot_id, round),
        {(one.applicant, one.condition): one for one in own},
        len(opinions),
        len(file.members),
    )


@by(Role.EXPERT, Role.OWNER_REPRESENTATIVE)
async def read(
    tx: Transaction, committee_id: CommitteeId, application_id: UUID, name: str
) -> bytes:
    """One file of an application; `Refused` unless all members are at their seats."""
    file, round = await _review(tx, committee_id)
    await committees.at_work(tx, file)
    return await handover.application_file(tx, file.lot_id, round, application_id, name)


@by(Role.EXPERT, Role.OWNER_REPRESENTATIVE)
async def read_paper(
    tx: Transaction, committee_id: CommitteeId, application_id: UUID, reference: str
) -> tuple[str, bytes]:
    """The paper behind an entry that an application refers to; `Refused` unless all are seated."""
    file, round = await _review(tx, committee_id)
    await committees.at_work(tx, file)
    return await handover.application_paper(tx, file.lot_id, round, application_id, reference)


@by(Role.EXPERT, Role.OWNER_REPRESENTATIVE)
async def give_opinions(tx: Transaction, committee_id: CommitteeId, raw: bytes) -> int:
    """Say what one finds of every application; how many members have done so.

    What is said anew takes the place of what was said before, until the report is being signed.
    """
    file, round = await _review(tx, committee_id, alone=True)
    member = await committees.at_work(tx, file)
    statement = await verified_statement(
        tx,
        raw,
        "application-findings",
        max_bytes=STATEMENT_MAX,
        committee=file.id,
        member=member.id,
    )
    given = opinions_in(statement.payload["findings"])
    conditions = await handover.conditions_of(tx, file.lot_id, round)
    applications = await handover.applications(tx, file.lot_id, round)
    before = await tx.session.scalar(
        select(func.count()).select_from(OpinionRow).where(OpinionRow.member_id == member.id)
    )

    refusals = opinion_refusals(
        given,
        applicants={one.party_id: one.name for one in applications},
        conditions={one.id: one.name for one in conditions},
    )
    refusals += readiness_refusals(silent=(), signed=await reporting.is_signed(tx, file))
    if refusals:
        raise Refused(refusals)

    keys = await live_keys(tx.session, tx.actor.person)
    tx.session.add(
        OpinionRow(
            member_id=member.id,
            number=(before or 0) + 1,
            findings=[one.told() for one in given],
            digest=statement.digest,
            keyid=statement.keyid,
            public_key=keys[statement.keyid],
            statement=raw,
            given_at=tx.now,
        )
    )
    await tx.session.flush()

    tx.record(OpinionGiven(file.lot_id, file.id, member.number, statement.digest))

    return len(await _opinions(tx, file))


@by(Role.EXPERT, Role.OWNER_REPRESENTATIVE)
async def compile_review(tx: Transaction, committee_id: CommitteeId) -> bytes:
    """Put the report together once every member has given its opinions; its digest."""
    file, round = await _review(tx, committee_id, alone=True)
    await committees.at_work(tx, file)
    opinions = await _opinions(tx, file)

    refusals = readiness_refusals(
        silent=[one.number for one in file.members if one.id not in opinions],
        signed=await reporting.is_signed(tx, file),
    )
    if refusals:
        raise Refused(refusals)
    found = common_findings(opinions, members=file.member_ids)
    brief = await committees.brief_of(tx, file)

    document = canonical(
        {
            "v": VERSION,
            "lot": str(file.lot_id),
            "name": brief.name,
            "project_name": brief.project_name,
            "round": round,
            "committee": str(file.id),
            "version": await committees.report_version(tx, file),
            "convened_at": instant_text(file.row.convened_at),
            "members": await reporting.members_told(tx, file),
            "conditions": [
                {"id": one.id, "name": one.name}
                for one in await handover.conditions_of(tx, file.lot_id, round)
            ],
            "applicants": [
                {"applicant": str(one.party_id), "name": one.name}
                for one in await handover.applications(tx, file.lot_id, round)
            ],
            "opinions": [
                {"member": str(id), "findings": [one.told() for one in opinions[id]]}
                for id in file.member_ids
            ],
            "findings": [one.told(among=len(file.members)) for one in found],
        }
    )
    return await reporting.keep_report(tx, file, document)


@by(Role.EXPERT, Role.OWNER_REPRESENTATIVE)
async def sign(tx: Transaction, committee_id: CommitteeId, raw: bytes) -> SigningState:
    """Sign the committee's report, dissent in writing, or refuse; the last answer hands it back.

    A report on bids goes its own way; one on applications tells every applicant its result in the
    same transaction, where a majority of all members stands behind it.
    """
    file = await committees.lock(tx, committee_id)
    if file.row.review_round is None:
        return await reporting.sign(tx, committee_id, raw)
    brief = await committees.brief_of(tx, file)
    report, state = await reporting.take_answer(tx, file, brief, raw)
    if state.is_adopted():
        await _hand_back(tx, file, file.row.review_round, report)

    return state


# ── what the above is made of ─────────────────────────────────────────────────────────────────


async def _review(
    tx: Transaction, committee_id: CommitteeId, *, alone: bool = False
) -> tuple[CommitteeFile, int]:
    """The committee and the round that it reviews; `NotFound` where it evaluates bids."""
    find = committees.lock if alone else committees.hold
    file = await find(tx, committee_id)
    if file.row.review_round is None:
        raise NotFound("no such review")
    return file, file.row.review_round


async def _opinions(tx: Transaction, file: CommitteeFile) -> dict[UUID, tuple[Opinion, ...]]:
    """The newest opinions of each present member who gave any."""
    rows = await tx.session.scalars(
        select(OpinionRow)
        .where(col(OpinionRow.member_id).in_(file.member_ids))
        .order_by(col(OpinionRow.number))
    )
    return {row.member_id: opinions_in(row.findings) for row in rows}


async def _hand_back(tx: Transaction, file: CommitteeFile, round: int, report: ReportRow) -> None:
    """Bring the report to trading and end the session: all or nothing."""
    found: dict[PartyId, list[FindingMade]] = {}
    for one in common_findings(await _opinions(tx, file), members=file.member_ids):
        finding = FindingMade(one.condition, one.met, one.reason)
        found.setdefault(PartyId(one.applicant), []).append(finding)
    await handover.take_review(
        tx, SignedReview(file.lot_id, round, report.digest, report.document, found)
    )
    await committees.step_on(tx, file, ReportConcluded(await unshifted_clock(tx.session)))
    report.handed_back_at = tx.now
    report.handed_back_entry = tx.record(ReviewHandedBack(file.lot_id, file.id, report.digest))
    tx.session.add(report)
