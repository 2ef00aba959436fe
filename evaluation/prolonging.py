"""More time for an evaluation: members ask for it, and whoever may prolong the window does so.

A member asks for more than one certain window, so that a request is spent once that window has been
prolonged. Whoever tenders follows more than a third of the members; the host site's keeper gives
time to go on while the work is broken off.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import or_
from sqlmodel import col, select

from evaluation import committees, site_keeping
from evaluation.committees import CommitteeFile
from evaluation.events import MoreTimeAsked, WindowExtended
from evaluation.rules.evaluation_window import (
    ExtensionGround,
    WindowFacts,
    extended,
    extension_refusals,
    keepers_ground,
    tenderees_ground,
)
from evaluation.rules.session_protocol import (
    InterruptionOutcome,
    Phase,
    interruption_outcome,
    overlap_refusals,
)
from evaluation.tables import CommitteeRow, MemberRow, SeatRow, TimeRequestRow
from kernel.access import Role, by
from kernel.crypto.digests import Malformed
from kernel.errors import Outrun, Refused
from kernel.identifiers import CommitteeId, LotId, SiteId
from kernel.store.clocks import unshifted_clock
from kernel.store.database import lock_exclusive
from kernel.store.parties import take_part
from kernel.store.tables import MembershipRow, PersonRow
from kernel.store.transaction import Transaction

REASON_MAX: Final = 500


@dataclass(frozen=True, slots=True)
class OwnCommittee:
    """A committee as the side that formed it may know it: its time, and which places are open.

    `may_extend` is the ground on which it may prolong the window now, if there is any.
    """

    committee_id: CommitteeId
    lot_id: LotId
    lot_name: str
    lot_state: str
    project_name: str
    window_from: datetime
    window_until: datetime
    members: int
    asked: int
    may_extend: ExtensionGround | None
    interruption: InterruptionOutcome | None
    experts_missing: int
    representatives_missing: int
    eligible: tuple[tuple[UUID, str], ...]
    """Whom the tenderee may name in the place of its own who left: its registered people."""


@dataclass(frozen=True, slots=True)
class HostedCommittee:
    """A committee that a site hosts, as its keeper may know it: its time, and whether it works."""

    committee_id: CommitteeId
    window_from: datetime
    window_until: datetime
    phase: Phase
    may_extend: ExtensionGround | None


@by(Role.EXPERT, Role.OWNER_REPRESENTATIVE)
async def ask_for_time(tx: Transaction, committee_id: CommitteeId, reason: str) -> int:
    """Say that the evaluation needs more time than its window gives; how many members say so.

    It needs no seat, since whoever lost the line after the window's end cannot sit down again.
    `Outrun` where one has asked already.
    """
    file = await committees.lock(tx, committee_id)
    member = file.member_of(tx)
    if not reason.strip() or len(reason) > REASON_MAX:
        raise Malformed(f"whoever asks for time says why, in at most {REASON_MAX} characters")
    if file.row.phase == Phase.CLOSED:
        raise Outrun("the evaluation has ended")
    before = await asking(tx, file)
    if member.id in before:
        raise Outrun("you have asked for more time already")

    tx.session.add(
        TimeRequestRow(
            member_id=member.id,
            window_until=file.row.window_until,
            reason=reason.strip(),
            asked_at=tx.now,
        )
    )

    tx.record(MoreTimeAsked(file.lot_id, file.id, member.number))

    return len(before) + 1


@by(Role.TENDEREE, Role.AGENCY, Role.SITE_ADMINISTRATOR)
async def extend_window(tx: Transaction, committee_id: CommitteeId, *, more: timedelta) -> datetime:
    """Prolong the window; until when it lasts then.

    The tenderee or its agency does so when more than a third of the members asked for it, or when
    the committee never was complete; the keeper of the host site while the work is broken off.
    """
    # Seats are given out for a window, so that nobody else gets them while this one grows.
    await lock_exclusive(tx.session, "seats")
    file = await committees.lock(tx, committee_id)
    facts = await _facts(tx, file)
    if tx.actor.role is Role.SITE_ADMINISTRATOR:
        await site_keeping.own_site(tx, file.row.host_site_id)
        ground = keepers_ground(facts)
    else:
        await committees.own_brief(tx, file.lot_id, file.row.review_round)
        ground = tenderees_ground(facts)
    if file.row.phase == Phase.CLOSED:
        raise Outrun("the evaluation has ended")

    until = extended(facts, more)
    refusals = extension_refusals(facts, ground=ground, more=more)
    refusals += overlap_refusals(await _seats_taken(tx, file, until=until))
    if refusals:
        raise Refused(refusals)
    assert ground is not None
    await take_part(tx, file.lot_id)

    file.row.window_until = until
    tx.session.add(file.row)

    tx.record(
        WindowExtended(
            file.lot_id, file.id, ground, until, asked=facts.asked, members=facts.members
        )
    )

    return until


@by(Role.TENDEREE, Role.AGENCY)
async def own_committees(tx: Transaction) -> list[OwnCommittee]:
    """The committees at work for the acting organisation's lots, the latest first; no names."""
    found = await tx.session.scalars(
        select(CommitteeRow.id)
        .where(
            or_(
                col(CommitteeRow.tenderee_id) == tx.actor.party,
                col(CommitteeRow.agency_id) == tx.actor.party,
            ),
            CommitteeRow.phase != Phase.CLOSED,
        )
        .order_by(col(CommitteeRow.window_from).desc(), col(CommitteeRow.id))
    )
    told = []
    for committee_id in found.all():
        file = await committees.find(tx, committee_id)
        brief = await committees.brief_of(tx, file)
        facts = await _facts(tx, file)
        vacated = [one for one in file.places if one.left_at is not None]
        unnamed = sum(one.expert_id is None for one in vacated)
        told.append(
            OwnCommittee(
                file.id,
                file.lot_id,
                brief.name,
                brief.state,
                brief.project_name,
                file.row.window_from,
                file.row.window_until,
                members=facts.members,
                asked=facts.asked,
                may_extend=tenderees_ground(facts),
                interruption=await interruption_of(tx, file),
                experts_missing=len(vacated) - unnamed,
                representatives_missing=unnamed,
                eligible=await _eligible(tx, file) if unnamed else (),
            )
        )
    return told


@by(Role.SITE_ADMINISTRATOR)
async def hosted_committees(tx: Transaction, site_id: SiteId) -> list[HostedCommittee]:
    """The committees that an own site hosts and whose window has begun; no lot and no names."""
    site = await site_keeping.own_site(tx, site_id)
    found = await tx.session.scalars(
        select(CommitteeRow.id)
        .where(
            CommitteeRow.host_site_id == site.id,
            CommitteeRow.phase != Phase.CLOSED,
            col(CommitteeRow.window_from) <= tx.now,
        )
        .order_by(col(CommitteeRow.window_from), col(CommitteeRow.id))
    )
    told = []
    for committee_id in found.all():
        file = await committees.find(tx, committee_id)
        facts = await _facts(tx, file)
        told.append(
            HostedCommittee(
                file.id,
                file.row.window_from,
                file.row.window_until,
                facts.phase,
                keepers_ground(facts),
            )
        )
    return told


# ── for the neighbours in this package ────────────────────────────────────────────────────────


async def asking(tx: Transaction, file: CommitteeFile) -> frozenset[UUID]:
    """The current members who asked for more time than the present window gives."""
    rows = await tx.session.scalars(
        select(TimeRequestRow.member_id).where(
            col(TimeRequestRow.member_id).in_(file.member_ids),
            TimeRequestRow.window_until == file.row.window_until,
        )
    )
    return frozenset(rows)


async def interruption_of(tx: Transaction, file: CommitteeFile) -> InterruptionOutcome | None:
    """What follows from the fault that lasts now; None while nothing is broken off.

    Before the work begins a fault lasts since the window began, and is none before that.
    """
    match Phase(file.row.phase):
        case Phase.CONVENING if tx.now >= file.row.window_from:
            lasted = tx.now - file.row.window_from
            return interruption_outcome(began=False, lasted=lasted, cured=False)
        case Phase.PAUSED if file.row.paused_at is not None:
            lasted = await unshifted_clock(tx.session) - file.row.paused_at
            return interruption_outcome(began=True, lasted=lasted, cured=False)
    return None


# ── what the above is made of ─────────────────────────────────────────────────────────────────


async def _facts(tx: Transaction, file: CommitteeFile) -> WindowFacts:
    phase = Phase(file.row.phase)
    absent = file.session().absent(at=await unshifted_clock(tx.session))
    if phase is Phase.WORKING and absent:
        # A lease has ended and nobody has put it on record yet.
        phase = Phase.PAUSED
    return WindowFacts(
        at=tx.now,
        window_from=file.row.window_from,
        window_until=file.row.window_until,
        phase=phase,
        members=len(file.members),
        asked=len(await asking(tx, file)),
    )


async def _eligible(tx: Transaction, file: CommitteeFile) -> tuple[tuple[UUID, str], ...]:
    rows = await tx.session.execute(
        select(PersonRow.id, PersonRow.name)
        .join(MembershipRow, col(MembershipRow.person_id) == col(PersonRow.id))
        .where(
            col(MembershipRow.party_id) == file.row.tenderee_id,
            col(MembershipRow.role) == Role.OWNER_REPRESENTATIVE,
            col(MembershipRow.ended_at).is_(None),
            col(PersonRow.id).not_in([one.person_id for one in file.everyone]),
        )
        .order_by(col(PersonRow.name), col(PersonRow.id))
    )
    return tuple((id, name) for id, name in rows)


async def _seats_taken(tx: Transaction, file: CommitteeFile, *, until: datetime) -> list[int]:
    """The committee's own seats that another one needs before the window would end."""
    rows = await tx.session.scalars(
        select(SeatRow.number)
        .join(MemberRow, col(MemberRow.seat_id) == col(SeatRow.id))
        .join(CommitteeRow, col(CommitteeRow.id) == col(MemberRow.committee_id))
        .where(
            col(SeatRow.id).in_([one.seat_id for one in file.members]),
            col(MemberRow.left_at).is_(None),
            col(CommitteeRow.id) != file.id,
            col(CommitteeRow.closed_at).is_(None),
            col(CommitteeRow.window_from) < until,
            col(CommitteeRow.window_until) > file.row.window_from,
        )
        .order_by(col(SeatRow.number))
    )
    return list(rows)
