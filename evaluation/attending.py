"""Members at their seats: called, declared, signed in by two keys, and present while a lease lasts.

A member signs in at the assigned seat alone: the person's own key signs the declaration, and the
seat's key signs that this very declaration was made there. From then on the seat renews a lease of
a few seconds. Reading depends on every lease at the very instant of each look, so nothing has to
happen for the bids to be closed; that the work was broken off is put on record within a second.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlmodel import col, select

from blacklist.standing import standing_refusals
from evaluation import committees, replacing
from evaluation.committees import CAPACITY_OF, CommitteeFile
from evaluation.events import MemberSignedIn, MemberWithdrew
from evaluation.replacing import REASON_MAX
from evaluation.rules.committee_composition import MemberKind
from evaluation.rules.session_protocol import (
    Effect,
    LeaseRenewed,
    Phase,
    SeatLeft,
    SignedIn,
    SignInFacts,
    TimePassed,
    sign_in_refusals,
)
from evaluation.tables import CommitteeRow, MemberRow, SeatRow
from expert_pool.drawing import CallOutcome
from kernel.access import PLATFORM, Role, by
from kernel.crypto.digests import Malformed, sha256, text_of, unb64u
from kernel.crypto.statement_kinds import read_statement
from kernel.errors import BrokenSeal, NotFound, Outrun, Refused
from kernel.identifiers import CommitteeId, SeatId
from kernel.refusals import Refusal
from kernel.statute import E_BIDDING_MEASURES
from kernel.store.clocks import unshifted_clock
from kernel.store.parties import (
    only_signer,
    relying_party,
    require_about,
    take_part,
    verified_statement,
)
from kernel.store.transaction import Store, Transaction, transaction
from trading.handover import InterestedParty


@dataclass(frozen=True, slots=True)
class Summons:
    """Where and when a member is expected; it tells neither for which lot nor with whom."""

    committee_id: CommitteeId
    site: str
    region_code: str
    seat: int
    seat_id: SeatId
    window_from: datetime
    window_until: datetime
    signed_in: bool
    closed: bool


@by(Role.EXPERT, Role.OWNER_REPRESENTATIVE)
async def summonses(tx: Transaction) -> list[Summons]:
    """The committees in which the acting person sits, the latest first."""
    rows = await tx.session.execute(
        select(MemberRow, CommitteeRow)
        .join(CommitteeRow, col(CommitteeRow.id) == col(MemberRow.committee_id))
        .where(
            col(MemberRow.person_id) == tx.actor.person,
            col(MemberRow.capacity).in_(
                [kind for kind, role in CAPACITY_OF.items() if role is tx.actor.role]
            ),
            col(MemberRow.left_at).is_(None),
        )
        .order_by(col(CommitteeRow.window_from).desc())
    )
    found = [(member, committee) for member, committee in rows]
    places = await committees.seats_and_sites(tx, [member for member, _ in found])
    return [
        Summons(
            CommitteeId(committee.id),
            places[member.id][1].name,
            places[member.id][1].region_code,
            places[member.id][0].number,
            SeatId(member.seat_id),
            committee.window_from,
            committee.window_until,
            member.signed_in_at is not None,
            committee.closed_at is not None,
        )
        for member, committee in found
    ]


@by(Role.EXPERT, Role.OWNER_REPRESENTATIVE)
async def parties_concerned(
    tx: Transaction, committee_id: CommitteeId
) -> tuple[InterestedParty, ...]:
    """Tenderee, agency and bidders or applicants, to whom a member must have no ties; in the window
    alone.
    """
    file = await committees.hold(tx, committee_id)
    file.member_of(tx)
    if not file.row.window_from <= tx.now < file.row.window_until:
        raise Refused([_outside_window()])
    return await committees.interested(tx, file)


@by(Role.EXPERT, Role.OWNER_REPRESENTATIVE)
async def sign_in(
    tx: Transaction, committee_id: CommitteeId, declaration: bytes, presence: bytes
) -> None:
    """Sit down: `declaration` is signed by the member, `presence` by the seat.

    The same again identifies a member anew whose lease has ended. `Refused` with every ground;
    `BrokenSeal` where either signature is not what it must be.
    """
    file = await committees.lock(tx, committee_id)
    member = await _member_even_if_gone(tx, file)
    statement = await verified_statement(tx, declaration, "evaluation-sign-in", committee=file.id)
    said = statement.payload
    seat = await _seat_that_signed(tx, presence, committee_id=file.id, declared=declaration)
    require_about(said, seat=seat.id)
    if said["discipline"] is not True:
        raise Malformed("the members' duties are accepted by signing in")
    if member.declaration is not None and (
        read_statement(member.declaration, "evaluation-sign-in")[1] == statement.payload
    ):
        raise Outrun("this declaration was used already; sign in anew")
    brief = await committees.brief_of(tx, file)
    standing = await committees.standing_here(tx, brief, member)

    refusals = sign_in_refusals(
        SignInFacts(
            at=tx.now,
            window_from=file.row.window_from,
            window_until=file.row.window_until,
            assigned_site=member.site_id,
            site=seat.site_id,
            assigned_seat=member.seat_id,
            seat=seat.id,
            identity_checked=member.admitted_at is not None,
            conflict_denied=said["no_conflict"] is True,
            bars=tuple(standing_refusals(standing)),
            replaced=member.left_at is not None,
        )
    )
    if not brief.in_evaluation():
        refusals.append(_not_handed_over())
    if refusals:
        raise Refused(refusals)

    await take_part(tx, file.lot_id)
    first = member.signed_in_at is None
    member.declaration = declaration
    member.signed_in_at = member.signed_in_at or tx.now
    tx.session.add(member)
    if first:
        places = await committees.seats_and_sites(tx, [member])
        taken, site = places[member.id]
        tx.record(MemberSignedIn(file.lot_id, file.id, member.number, site.name, taken.number))
    happened = SignedIn(member.id, member.seat_id, await unshifted_clock(tx.session))
    if Effect.TURN_AWAY in await committees.step_on(tx, file, happened):
        raise Refused([_line_lost()])


@by(Role.EXPERT, Role.OWNER_REPRESENTATIVE)
async def renew(tx: Transaction, committee_id: CommitteeId, raw: bytes) -> datetime:
    """The seat says that its line stands and the member is at it; until when the lease lasts now.

    `Refused` where the lease has ended: then the member is identified anew.
    """
    file = await committees.lock(tx, committee_id)
    member = file.member_of(tx)
    seat = await tx.session.get_one(SeatRow, member.seat_id)
    envelope, said = read_statement(raw, "seat-lease")
    require_about(said, committee=file.id, seat=seat.id)
    only_signer(envelope, {seat.keyid: seat.public_key}, relying_party=relying_party(tx.settings))
    counter = said["counter"]
    if not isinstance(counter, int) or isinstance(counter, bool) or not 0 < counter < 2**31:
        raise Malformed("leases are counted from 1")
    if counter <= member.lease_counter:
        raise Outrun("a later lease was renewed already")

    member.lease_counter = counter
    happened = LeaseRenewed(member.id, member.seat_id, await unshifted_clock(tx.session))
    if Effect.TURN_AWAY in await committees.step_on(tx, file, happened):
        raise Refused([_line_lost()])

    assert member.lease_until is not None
    return member.lease_until


@by(Role.EXPERT, Role.OWNER_REPRESENTATIVE)
async def leave_seat(tx: Transaction, committee_id: CommitteeId) -> None:
    """Give up the lease at once: the member got up, and the others stop reading."""
    file = await committees.lock(tx, committee_id)
    member = file.member_of(tx)

    await committees.step_on(tx, file, SeatLeft(member.id, await unshifted_clock(tx.session)))


@by(Role.EXPERT, Role.OWNER_REPRESENTATIVE)
async def withdraw(tx: Transaction, committee_id: CommitteeId, reason: str) -> None:
    """Step aside for good; for a drawn expert the next in the same list is called.

    The marks of whoever leaves count for nothing, and whoever comes starts afresh; a report that
    rests on them is set aside.
    """
    file = await committees.lock(tx, committee_id)
    member = file.member_of(tx)
    if not reason.strip() or len(reason) > REASON_MAX:
        raise Malformed(f"whoever withdraws says why, in at most {REASON_MAX} characters")
    if file.row.phase == Phase.CLOSED:
        raise Outrun("the evaluation has ended")

    await replacing.let_go(tx, file, member, outcome=CallOutcome.RECUSED, reason=reason.strip())

    tx.record(MemberWithdrew(file.lot_id, file.id, member.number, reason.strip()))


async def note_absences(store: Store) -> int:
    """Put on record where work broke off because a lease ended; how many sessions were looked at.

    Nobody depends on it for secrecy: every look at a bid asks for the leases itself.
    """
    async with store.sessions() as session:
        now = await unshifted_clock(session)
        found = list(
            await session.scalars(
                select(CommitteeRow.id)
                .join(MemberRow, col(MemberRow.committee_id) == col(CommitteeRow.id))
                .where(
                    CommitteeRow.phase == Phase.WORKING,
                    col(MemberRow.left_at).is_(None),
                    col(MemberRow.lease_until).is_(None) | (col(MemberRow.lease_until) <= now),
                )
                .distinct()
            )
        )
    for committee_id in found:
        async with transaction(store, actor=PLATFORM) as tx:
            file = await committees.lock(tx, committee_id)
            await committees.step_on(tx, file, TimePassed(await unshifted_clock(tx.session)))
    return len(found)


def _outside_window() -> Refusal:
    reason = "不在评标时间内，不得查看投标人名单"
    return Refusal("outside_window", E_BIDDING_MEASURES[33], reason)


def _not_handed_over() -> Refusal:
    reason = "开标记录未移交评标，评标尚未开始"
    return Refusal("not_in_evaluation", E_BIDDING_MEASURES[32], reason)


def _line_lost() -> Refusal:
    reason = "工位连接已中断，请重新核验身份后签到"
    return Refusal("not_at_seat", E_BIDDING_MEASURES[33], reason)


async def _member_even_if_gone(tx: Transaction, file: CommitteeFile) -> MemberRow:
    """The acting person's membership, even of one who has left, so that it can be told why not."""
    for one in file.everyone:
        if one.person_id == tx.actor.person and (
            CAPACITY_OF[MemberKind(one.capacity)] is tx.actor.role
        ):
            return one
    raise NotFound("no such committee")


async def _seat_that_signed(
    tx: Transaction, raw: bytes, *, committee_id: UUID, declared: bytes
) -> SeatRow:
    """The registered seat whose key says that the declaration was made at it."""
    envelope, said = read_statement(raw, "seat-presence")
    require_about(said, committee=committee_id)
    try:
        seat_id = UUID(text_of(said["seat"]))
    except ValueError:
        raise Malformed("a seat is named by its id") from None
    seat = await tx.session.get(SeatRow, seat_id)
    if seat is None:
        raise NotFound("no such seat")
    only_signer(envelope, {seat.keyid: seat.public_key}, relying_party=relying_party(tx.settings))
    if unb64u(said["declaration"], 32) != sha256(declared):
        raise BrokenSeal("the seat vouches for another declaration")
    return seat
