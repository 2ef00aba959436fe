"""Replacing a member who stays away or is barred, and what follows whenever a member is lost.

Who leaves, takes the conclusions along: the votes and marks count no more, a report that rests on
them is set aside, and for an expert the next in the same list is called. In the room it is told
that a number leaves and on which ground; a reason or a decision could name somebody.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Final
from uuid import UUID

from sqlalchemy import func
from sqlmodel import col, select

from blacklist.standing import Standing, standing_refusals
from evaluation import committees, site_keeping
from evaluation.committees import CommitteeFile
from evaluation.events import MemberRemoved
from evaluation.rules.replacement import (
    Absence,
    ReplacementFacts,
    ReplacementGround,
    replacement_refusals,
)
from evaluation.rules.report_contents import SetAsideGround
from evaluation.rules.session_protocol import Phase, SeatLeft
from evaluation.tables import CommitteeRow, MemberRow
from expert_pool import drawing
from expert_pool.drawing import CallOutcome
from kernel.access import Role, by
from kernel.crypto.digests import Malformed
from kernel.errors import NotFound, Outrun, Refused
from kernel.identifiers import DecisionId, ExpertId, PersonId, SeatId, SiteId
from kernel.store.clocks import unshifted_clock
from kernel.store.parties import take_part
from kernel.store.tables import JournalRow
from kernel.store.transaction import Transaction

REASON_MAX: Final = 500


@by(Role.SITE_ADMINISTRATOR)
async def remove_member(
    tx: Transaction,
    site_id: SiteId,
    committee_id: UUID,
    seat_id: SeatId,
    *,
    ground: ReplacementGround,
    reason: str,
) -> None:
    """Note that the member expected at a seat of one's own site is absent, or barred.

    The next in the draw is called, or the tenderee names another of its people. `Refused` while the
    grace for an absence runs, and where nothing bars the member.
    """
    site = await site_keeping.own_site(tx, site_id)
    file = await committees.lock(tx, committee_id)
    member = site_keeping.expected_at(file, site.id, seat_id)
    if not reason.strip() or len(reason) > REASON_MAX:
        raise Malformed(f"what happened is told in at most {REASON_MAX} characters")
    if file.row.phase == Phase.CLOSED:
        raise Outrun("the evaluation has ended")
    brief = await committees.brief_of(tx, file)
    standing = await committees.standing_here(tx, brief, member)

    refusals = replacement_refusals(
        ReplacementFacts(
            ground,
            await _absence(tx, file, member),
            bars=tuple(standing_refusals(standing)),
            in_evaluation=brief.in_evaluation(),
            suspended=brief.suspended,
        )
    )
    refusals += site_keeping.staff_refusals(
        sat_in_it=any(one.person_id == tx.actor.person for one in file.everyone)
    )
    if refusals:
        raise Refused(refusals)

    await take_part(tx, file.lot_id)
    tx.record(MemberRemoved(file.lot_id, file.id, member.number, ground))
    if ground is ReplacementGround.BARRED:
        await _let_barred_go(tx, file, member, standing)
    else:
        await let_go(tx, file, member, outcome=CallOutcome.ABSENT, reason=reason.strip())


@by(Role.PLATFORM)
async def remove_barred(tx: Transaction, person_id: PersonId) -> int:
    """Have a person replaced wherever it sits in an evaluation that a decision forbids; how many.

    A decision that begins later is noted at the member's site, or turns it away when it signs in.
    """
    found = await tx.session.scalars(
        select(CommitteeRow.id)
        .join(MemberRow, col(MemberRow.committee_id) == col(CommitteeRow.id))
        .where(
            col(MemberRow.person_id) == person_id,
            col(MemberRow.left_at).is_(None),
            CommitteeRow.phase != Phase.CLOSED,
        )
        .order_by(col(CommitteeRow.id))
    )
    count = 0
    for committee_id in found.all():
        file = await committees.lock(tx, committee_id)
        brief = await committees.brief_of(tx, file)
        for member in file.members:
            if member.person_id != person_id or not brief.in_evaluation():
                continue
            standing = await committees.standing_here(tx, brief, member)
            if standing.barred:
                ground = ReplacementGround.BARRED
                tx.record(MemberRemoved(file.lot_id, file.id, member.number, ground))
                await _let_barred_go(tx, file, member, standing)
                count += 1
    return count


# ── for the neighbours in this package ────────────────────────────────────────────────────────


async def let_go(
    tx: Transaction,
    file: CommitteeFile,
    member: MemberRow,
    *,
    outcome: CallOutcome,
    reason: str,
    decision_id: DecisionId | None = None,
) -> None:
    """The member sits here no more: seat, report and place in the draw are given up."""
    await committees.step_on(tx, file, SeatLeft(member.id, await unshifted_clock(tx.session)))
    member.left_at, member.left_reason = tx.now, reason
    tx.session.add(member)
    await tx.session.flush()
    await committees.set_report_aside(tx, file, SetAsideGround.MEMBER_LEFT)
    if member.expert_id is not None:
        # Where the lists ran out the draw is void and calls nobody; whoever must leave still may.
        with suppress(NotFound):
            await drawing.replace(
                tx,
                file.lot_id,
                ExpertId(member.expert_id),
                outcome=outcome,
                reason=reason,
                decision_id=decision_id,
                review_round=file.row.review_round,
            )


# ── what the above is made of ─────────────────────────────────────────────────────────────────


async def _let_barred_go(
    tx: Transaction, file: CommitteeFile, member: MemberRow, standing: Standing
) -> None:
    decision = standing.decisions[0]
    await let_go(
        tx,
        file,
        member,
        outcome=CallOutcome.BARRED_LATE,
        reason=f"{decision}",
        decision_id=decision.id,
    )


async def _absence(tx: Transaction, file: CommitteeFile, member: MemberRow) -> Absence:
    """Leases are kept in unshifted time, what is expected of a member in the platform's."""
    now = await unshifted_clock(tx.session)
    lease, ended = member.lease_until, member.absent_since
    if lease is not None and lease <= now:
        ended = lease
    begun = await tx.session.scalar(
        select(func.max(col(JournalRow.recorded_at))).where(
            col(JournalRow.subject_id) == file.lot_id,
            col(JournalRow.kind).in_(("LotMoved", "LotResumed")),
        )
    )
    return Absence(
        at=tx.now,
        expected_since=max(file.row.window_from, member.seated_at, begun or member.seated_at),
        present=lease is not None and now < lease,
        missing=None if ended is None else now - ended,
    )
