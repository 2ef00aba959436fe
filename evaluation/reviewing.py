"""Reading the bids together, and rejecting one on a ground that the law names.

Bids are read while the whole committee is at its seats, and at no other instant. Votes on a
rejection are blind until it is decided: neither who voted nor how is told before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from sqlmodel import col, select

from evaluation import committees
from evaluation.committees import CommitteeFile
from evaluation.events import RejectionDecided, RejectionProposed
from evaluation.rules.rejection_grounds import (
    MotionOutcome,
    RejectionGround,
    RejectionMotion,
    motion_refusals,
    outcome,
    vote_refusals,
)
from evaluation.tables import RejectionRow, ReportRow, VoteRow
from kernel.access import Role, by
from kernel.crypto.digests import Malformed
from kernel.errors import NotFound, Outrun, Refused
from kernel.identifiers import BidId, CommitteeId
from kernel.randomness import random_id
from kernel.refusals import Refusal
from kernel.statute import BIDDING_REGULATION
from kernel.store.transaction import Transaction
from trading import handover
from trading.handover import BidderShown, BidSecurity, EntryReferred, OpenedBid

WORDS_MAX: Final = 2000
PAGE_MAX: Final = 100


@dataclass(frozen=True, slots=True)
class Proposal:
    """What a member says for rejecting a bid; `page` is where the bid shows it."""

    bid_id: BidId
    ground: RejectionGround
    page: str
    words: str
    below_cost: bool = False
    asked: bool = False


@by(Role.EXPERT, Role.OWNER_REPRESENTATIVE)
async def bids(tx: Transaction, committee_id: CommitteeId) -> tuple[OpenedBid, ...]:
    """The bids before the committee; `Refused` unless all members are at their seats."""
    file = await committees.hold(tx, committee_id)
    await committees.at_work(tx, file)
    return await handover.opened_bids(tx, file.lot_id)


@by(Role.EXPERT, Role.OWNER_REPRESENTATIVE)
async def library(
    tx: Transaction, committee_id: CommitteeId
) -> dict[BidId, tuple[EntryReferred, ...]]:
    """The licences and performances each bid refers to; `Refused` unless all are at their seats."""
    file = await committees.hold(tx, committee_id)
    await committees.at_work(tx, file)
    return await handover.library_of_bids(tx, file.lot_id)


@by(Role.EXPERT, Role.OWNER_REPRESENTATIVE)
async def read_library(
    tx: Transaction, committee_id: CommitteeId, bid_id: BidId, reference: str
) -> tuple[str, bytes]:
    """The paper behind one of them, its name and bytes; `Refused` unless all are at their seats."""
    file = await committees.hold(tx, committee_id)
    await committees.at_work(tx, file)
    return await handover.library_file(tx, file.lot_id, bid_id, reference)


@by(Role.EXPERT, Role.OWNER_REPRESENTATIVE)
async def securities(tx: Transaction, committee_id: CommitteeId) -> tuple[BidSecurity, ...]:
    """The securities of the bids before the committee, which alone judges what follows from them.

    `Refused` unless all members are at their seats.
    """
    file = await committees.hold(tx, committee_id)
    await committees.at_work(tx, file)
    return await handover.bid_securities(tx, file.lot_id)


@by(Role.EXPERT, Role.OWNER_REPRESENTATIVE)
async def consortia(tx: Transaction, committee_id: CommitteeId) -> tuple[BidderShown, ...]:
    """Who bids by each bid, and what is found of consortia; `Refused` unless all are seated."""
    file = await committees.hold(tx, committee_id)
    await committees.at_work(tx, file)
    return await handover.consortia_shown(tx, file.lot_id)


@by(Role.EXPERT, Role.OWNER_REPRESENTATIVE)
async def files(tx: Transaction, committee_id: CommitteeId, bid_id: BidId) -> list[tuple[str, int]]:
    """The files of a bid, as (name, size in bytes); `Refused` unless all are at their seats."""
    file = await committees.hold(tx, committee_id)
    await committees.at_work(tx, file)
    return await handover.bid_files(tx, file.lot_id, bid_id)


@by(Role.EXPERT, Role.OWNER_REPRESENTATIVE)
async def read(tx: Transaction, committee_id: CommitteeId, bid_id: BidId, name: str) -> bytes:
    """One file of a bid; `Refused` unless all members are at their seats."""
    file = await committees.hold(tx, committee_id)
    await committees.at_work(tx, file)
    return await handover.bid_file(tx, file.lot_id, bid_id, name)


@by(Role.EXPERT, Role.OWNER_REPRESENTATIVE)
async def propose_rejection(tx: Transaction, committee_id: CommitteeId, said: Proposal) -> UUID:
    """Propose to reject a bid; the committee then votes.

    What a report rested on that came to nothing may be put to the vote anew, for the next one; the
    newest vote stands. `Outrun` where the same was proposed already.
    """
    file = await committees.lock(tx, committee_id)
    member = await committees.at_work(tx, file)
    brief = await committees.brief_of(tx, file)
    if len(said.words) > WORDS_MAX or len(said.page) > PAGE_MAX:
        raise Malformed(f"reasons have at most {WORDS_MAX} characters, a page {PAGE_MAX}")
    if said.bid_id not in await handover.bids_to_evaluate(tx, file.lot_id):
        raise NotFound("no such opened bid")
    version = await committees.report_version(tx, file)
    earlier = [
        one
        for one in await rejections_of(tx, file)
        if (one.bid_id, one.ground) == (said.bid_id, said.ground)
    ]
    votes = await votes_of(tx, earlier)
    for one in earlier:
        decided = outcome(motion_of(file, one, votes), file.member_ids)
        if one.version == version or decided is MotionOutcome.OPEN:
            raise Outrun("this was proposed already")

    refusals = motion_refusals(
        RejectionMotion(
            str(said.bid_id),
            said.ground,
            said.page,
            said.words,
            below_cost=said.below_cost,
            asked=said.asked,
        ),
        regime=brief.regime,
    )
    refusals += await _report_refusals(tx, file)
    if refusals:
        raise Refused(refusals)

    rejection_id = random_id()
    tx.session.add(
        RejectionRow(
            id=rejection_id,
            committee_id=file.id,
            bid_id=said.bid_id,
            ground=said.ground,
            version=version,
            page=said.page.strip(),
            words=said.words.strip(),
            below_cost=said.below_cost,
            asked=said.asked,
            proposed_by=member.id,
            proposed_at=tx.now,
        )
    )

    tx.record(
        RejectionProposed(
            file.lot_id, file.id, rejection_id, said.bid_id, said.ground, said.page.strip()
        )
    )

    return rejection_id


@by(Role.EXPERT, Role.OWNER_REPRESENTATIVE)
async def vote(
    tx: Transaction, committee_id: CommitteeId, rejection_id: UUID, *, in_favour: bool
) -> MotionOutcome:
    """Vote on a rejection; the majority of the whole committee decides (招标投标法实施条例 53)."""
    file = await committees.lock(tx, committee_id)
    member = await committees.at_work(tx, file)
    brief = await committees.brief_of(tx, file)
    row = next((one for one in await rejections_of(tx, file) if one.id == rejection_id), None)
    if row is None:
        raise NotFound("no such proposal")
    motion = motion_of(file, row, await votes_of(tx, [row]))

    refusals = vote_refusals(
        motion, member.id, committee_members=file.member_ids, regime=brief.regime
    )
    refusals += await _report_refusals(tx, file)
    if refusals:
        raise Refused(refusals)

    cast = VoteRow(rejection_id=row.id, member_id=member.id, in_favour=in_favour, voted_at=tx.now)
    tx.session.add(cast)
    await tx.session.flush()
    motion = motion_of(file, row, await votes_of(tx, [row]))
    decided = outcome(motion, file.member_ids)
    if decided is not MotionOutcome.OPEN:
        row.decided_at, row.carried = tx.now, decided is MotionOutcome.CARRIED
        tx.session.add(row)
        tx.record(
            RejectionDecided(
                file.lot_id,
                file.id,
                row.id,
                BidId(row.bid_id),
                row.ground,
                row.page,
                carried=row.carried,
                in_favour=len(motion.in_favour),
                members=len(file.members),
            )
        )

    return decided


# ── for the neighbours in this package ────────────────────────────────────────────────────────


async def rejections_of(tx: Transaction, file: CommitteeFile) -> Sequence[RejectionRow]:
    """Every proposal to reject a bid that stands, in the order in which they were made.

    One that was made anew for a later report takes the place of the one before.
    """
    rows = await tx.session.scalars(
        select(RejectionRow)
        .where(RejectionRow.committee_id == file.id)
        .order_by(col(RejectionRow.proposed_at), col(RejectionRow.id))
    )
    found = rows.all()
    newest: dict[tuple[UUID, str], int] = {}
    for one in found:
        key = one.bid_id, one.ground
        newest[key] = max(one.version, newest.get(key, 0))
    return [one for one in found if one.version == newest[one.bid_id, one.ground]]


async def votes_of(tx: Transaction, rejections: Sequence[RejectionRow]) -> Sequence[VoteRow]:
    """Every vote on these proposals."""
    rows = await tx.session.scalars(
        select(VoteRow).where(col(VoteRow.rejection_id).in_([one.id for one in rejections]))
    )
    return rows.all()


async def motions_of(tx: Transaction, file: CommitteeFile) -> list[RejectionMotion]:
    """Every proposal with the votes of those who sit in the committee now."""
    rows = await rejections_of(tx, file)
    votes = await votes_of(tx, rows)
    return [motion_of(file, row, votes) for row in rows]


def motion_of(file: CommitteeFile, row: RejectionRow, votes: Sequence[VoteRow]) -> RejectionMotion:
    """The proposal as the rules know it; the vote of a member who left counts no more."""
    whole = set(file.member_ids)
    mine = [one for one in votes if one.rejection_id == row.id and one.member_id in whole]
    return RejectionMotion(
        bid=str(row.bid_id),
        ground=RejectionGround(row.ground),
        page=row.page,
        words=row.words,
        in_favour=frozenset(one.member_id for one in mine if one.in_favour),
        against=frozenset(one.member_id for one in mine if not one.in_favour),
        below_cost=row.below_cost,
        asked=row.asked,
    )


async def _report_refusals(tx: Transaction, file: CommitteeFile) -> list[Refusal]:
    if await tx.session.get(ReportRow, file.id) is None:
        return []
    reason = "评标报告已汇总，不得再提出或者表决否决投标"
    return [Refusal("report_compiled", BIDDING_REGULATION[53], reason)]
