"""A committee as it is stored: its members, its session, and who asks.

The protocol of the session is pure; here its state is read from rows, stepped, and written back,
with the events that its effects stand for. Everything that changes a session holds the committee's
lock, so that two happenings at once are two happenings one after the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from blacklist.standing import BarredAct, Standing, standing_of
from evaluation.events import ReadingBegan, ReadingStopped, ReportSetAside
from evaluation.rules.committee_composition import MemberKind
from evaluation.rules.report_contents import SetAsideGround
from evaluation.rules.session_protocol import (
    Effect,
    Happening,
    Phase,
    Seat,
    Session,
    WorkFacts,
    step,
    work_refusals,
)
from evaluation.tables import (
    CommitteeRow,
    MemberRow,
    ReportRow,
    SeatRow,
    SetAsideReportRow,
    SheetRow,
    SiteRow,
)
from kernel.access import Actor, Role
from kernel.errors import NotFound, Refused
from kernel.identifiers import CommitteeId, LotId
from kernel.store.clocks import unshifted_clock
from kernel.store.database import lock_exclusive, lock_shared
from kernel.store.transaction import Transaction
from trading import handover
from trading.handover import InterestedParty, LotBrief

AFRESH: Final = {"populate_existing": True}

CAPACITY_OF: Final = {
    MemberKind.EXPERT: Role.EXPERT,
    MemberKind.REPRESENTATIVE: Role.OWNER_REPRESENTATIVE,
}
"""In which capacity a member of each kind acts on the platform."""


@dataclass(slots=True)
class CommitteeFile:
    """A committee with everyone who ever sat in it, in the order of their numbers."""

    row: CommitteeRow
    everyone: Sequence[MemberRow]

    @property
    def id(self) -> CommitteeId:
        """The committee's id."""
        return CommitteeId(self.row.id)

    @property
    def lot_id(self) -> LotId:
        """The lot it evaluates."""
        return LotId(self.row.lot_id)

    @property
    def members(self) -> list[MemberRow]:
        """Whose vote, sheet and signature count: everyone who has not left."""
        return [one for one in self.everyone if one.left_at is None]

    @property
    def member_ids(self) -> list[UUID]:
        """The ids of those, in the order of their numbers."""
        return [one.id for one in self.members]

    @property
    def places(self) -> list[MemberRow]:
        """Who fills a place, or left one that nobody has taken yet."""
        return [one for one in self.everyone if one.left_at is None or one.successor_id is None]

    def predecessors(self) -> dict[UUID, int]:
        """The number of the member whose place each successor took, by successor."""
        return {
            one.successor_id: one.number for one in self.everyone if one.successor_id is not None
        }

    def session(self) -> Session:
        """The session as the protocol knows it."""
        return Session(
            seats=tuple(Seat(one.id, one.site_id, one.seat_id) for one in self.places),
            leases={one.id: one.lease_until for one in self.places if one.lease_until is not None},
            phase=Phase(self.row.phase),
            seen_at=self.row.seen_at,
            interrupted_at=self.row.paused_at,
        )

    def member_of(self, tx: Transaction) -> MemberRow:
        """The acting person's membership; `NotFound` for anyone else, and for who has left."""
        for one in self.members:
            if one.person_id == tx.actor.person_id and (
                CAPACITY_OF[MemberKind(one.capacity)] is tx.actor.role
            ):
                return one
        raise NotFound("no such committee")

    def numbers(self, members: Sequence[UUID] | frozenset[UUID]) -> tuple[int, ...]:
        """The numbers of these members, lowest first."""
        return tuple(sorted(one.number for one in self.everyone if one.id in members))


# ── finding ───────────────────────────────────────────────────────────────────────────────────


async def find(tx: Transaction, committee_id: UUID) -> CommitteeFile:
    """The committee as it is stored now; `NotFound` where there is none."""
    row = await tx.session.get(CommitteeRow, committee_id, populate_existing=True)
    if row is None:
        raise NotFound("no such committee")
    members = await tx.session.scalars(
        select(MemberRow)
        .where(MemberRow.committee_id == committee_id)
        .order_by(col(MemberRow.number))
        .execution_options(**AFRESH)
    )
    return CommitteeFile(row, members.all())


async def find_of_lot(
    tx: Transaction, lot_id: UUID, review_round: int | None = None
) -> CommitteeFile | None:
    """The lot's committee over bids, or over the applications of a round; None if it has none."""
    row = await tx.session.scalar(
        select(CommitteeRow).where(
            CommitteeRow.lot_id == lot_id,
            col(CommitteeRow.review_round).is_not_distinct_from(review_round),
        )
    )
    return None if row is None else await find(tx, row.id)


async def sits_in(session: AsyncSession, actor: Actor, lot_id: UUID) -> bool:
    """Whether the actor sits in the committee over the lot's bids now, in the capacity in which it
    acts.

    Whoever has withdrawn or was replaced sits there no longer, and who reviewed applications before
    never did.
    """
    found = await session.scalar(
        select(MemberRow.id)
        .join(CommitteeRow, col(CommitteeRow.id) == col(MemberRow.committee_id))
        .where(
            col(CommitteeRow.lot_id) == lot_id,
            col(CommitteeRow.review_round).is_(None),
            col(MemberRow.person_id) == actor.person_id,
            col(MemberRow.capacity).in_(
                [kind for kind, role in CAPACITY_OF.items() if role is actor.role]
            ),
            col(MemberRow.left_at).is_(None),
        )
    )
    return found is not None


async def hold(tx: Transaction, committee_id: UUID) -> CommitteeFile:
    """The committee, standing still until this transaction ends; others may hold it too."""
    await lock_shared(tx.session, f"committee:{committee_id}")
    return await find(tx, committee_id)


async def lock(tx: Transaction, committee_id: UUID) -> CommitteeFile:
    """The committee, for this transaction alone until it ends."""
    await lock_exclusive(tx.session, f"committee:{committee_id}")
    return await find(tx, committee_id)


# ── the session ───────────────────────────────────────────────────────────────────────────────


async def step_on(tx: Transaction, file: CommitteeFile, happened: Happening) -> list[Effect]:
    """Let something happen to the session, keep what became of it, and record what that means."""
    session, effects = step(file.session(), happened)

    for one in file.places:
        until = session.leases.get(one.id)
        if until is not None:
            one.absent_since = None
        elif one.lease_until is not None:
            one.absent_since = min(one.lease_until, happened.at)
        one.lease_until = until
        tx.session.add(one)
    file.row.phase = session.phase
    file.row.seen_at = session.seen_at
    file.row.paused_at = session.interrupted_at
    if Effect.ARCHIVE in effects:
        file.row.closed_at = tx.now
    tx.session.add(file.row)

    if Effect.UNLOCK_BIDS in effects:
        tx.record(ReadingBegan(file.lot_id, file.id))
    if Effect.LOCK_BIDS in effects and session.phase is not Phase.CLOSED:
        absent = file.numbers(session.absent(at=happened.at))
        tx.record(ReadingStopped(file.lot_id, file.id, absent))
    return effects


async def at_work(tx: Transaction, file: CommitteeFile, *, alone: bool = False) -> MemberRow:
    """The acting member, who may work at this very instant; else `Refused` with every ground.

    `NotFound` for whoever is no member: the room does not exist for others.
    """
    member = file.member_of(tx)
    brief = await brief_of(tx, file)
    now = await unshifted_clock(tx.session)
    session = file.session()
    facts = WorkFacts(
        session,
        member.id,
        now,
        in_evaluation=brief.in_evaluation(),
        suspended=brief.suspended,
        absent=file.numbers(session.absent(at=now)),
    )
    refusals = work_refusals(facts, alone=alone)
    if refusals:
        raise Refused(refusals)
    return member


async def brief_of(tx: Transaction, file: CommitteeFile) -> LotBrief:
    """The committee's lot."""
    if file.row.review_round is None:
        return await handover.lot_brief(tx, file.lot_id)
    return await handover.review_brief(tx, file.lot_id, file.row.review_round)


async def own_brief(tx: Transaction, lot_id: LotId, review_round: int | None) -> LotBrief:
    """The same for the side that forms the committee; `NotFound` for every other."""
    if review_round is None:
        return await handover.own_lot_brief(tx, lot_id)
    return await handover.own_review_brief(tx, lot_id, review_round)


async def interested(tx: Transaction, file: CommitteeFile) -> tuple[InterestedParty, ...]:
    """To whom no member may have ties."""
    if file.row.review_round is None:
        return await handover.interested(tx, file.lot_id)
    return await handover.interested_in_review(tx, file.lot_id, file.row.review_round)


async def standing_here(tx: Transaction, brief: LotBrief, member: MemberRow) -> Standing:
    """Whether a decision in force keeps the member out of this lot's evaluation."""
    return await standing_of(
        tx,
        act=BarredAct.SIGN_IN,
        on=tx.now,
        person_id=member.person_id,
        regime=brief.regime,
        mandatory=brief.mandatory,
    )


# ── what members did ──────────────────────────────────────────────────────────────────────────


async def sheets_of(tx: Transaction, members: Sequence[UUID]) -> dict[UUID, list[SheetRow]]:
    """Every sheet these members committed to, by member, the first round first."""
    rows = await tx.session.scalars(
        select(SheetRow)
        .where(col(SheetRow.member_id).in_(members))
        .order_by(col(SheetRow.round))
        .execution_options(**AFRESH)
    )
    sheets: dict[UUID, list[SheetRow]] = {member: [] for member in members}
    for row in rows:
        sheets[row.member_id].append(row)
    return sheets


def all_committed(sheets: dict[UUID, list[SheetRow]]) -> bool:
    """Whether every member has committed to a sheet."""
    return all(sheets.values())


def all_revealed(sheets: dict[UUID, list[SheetRow]]) -> bool:
    """Whether every sheet anyone committed to has been revealed, and everyone has one."""
    return all_committed(sheets) and all(
        row.revealed_at is not None for rows in sheets.values() for row in rows
    )


# ── reports that came to nothing ──────────────────────────────────────────────────────────────


async def set_aside_reports(tx: Transaction, file: CommitteeFile) -> Sequence[SetAsideReportRow]:
    """The committee's reports that came to nothing, the first one first."""
    rows = await tx.session.scalars(
        select(SetAsideReportRow)
        .where(SetAsideReportRow.committee_id == file.id)
        .order_by(col(SetAsideReportRow.version))
    )
    return rows.all()


async def report_version(tx: Transaction, file: CommitteeFile) -> int:
    """Which report the committee is working towards, or has before it; they count from one."""
    return 1 + len(await set_aside_reports(tx, file))


async def set_report_aside(tx: Transaction, file: CommitteeFile, ground: SetAsideGround) -> None:
    """Keep the present report as one that came to nothing, if there is one, and record that.

    Sheets and votes stand, marks may be changed with a reason, and the next report is another
    version, so that no signature under this one can be taken for one under that.
    """
    report = await tx.session.get(ReportRow, file.id)
    if report is None:
        return
    version = await report_version(tx, file)
    tx.session.add(
        SetAsideReportRow(
            committee_id=file.id,
            version=version,
            document=report.document,
            digest=report.digest,
            ground=ground,
            compiled_at=report.compiled_at,
            set_aside_at=tx.now,
        )
    )
    await tx.session.delete(report)
    tx.record(ReportSetAside(file.lot_id, file.id, report.digest, version, ground))


# ── where they sit ────────────────────────────────────────────────────────────────────────────


async def seats_and_sites(
    tx: Transaction, members: Sequence[MemberRow]
) -> dict[UUID, tuple[SeatRow, SiteRow]]:
    """Seat and site of each of these members, by member."""
    rows = await tx.session.execute(
        select(SeatRow, SiteRow)
        .join(SiteRow, col(SiteRow.id) == col(SeatRow.site_id))
        .where(col(SeatRow.id).in_([one.seat_id for one in members]))
    )
    by_seat = {seat.id: (seat, site) for seat, site in rows}
    return {one.id: by_seat[one.seat_id] for one in members}
