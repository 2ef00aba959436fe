"""The life of a remote evaluation session, without a socket, a database or a clock in sight.

Feed it what happened and it answers with what must be done. Members sit at two or more sites; each
seat holds a lease that it renews while its line stands, and is absent once the lease ends. One rule
shapes everything: bids may be read exactly while the whole committee is present. So a site that is
cut off stops the others too, and no part of a committee ever goes on alone.

A member whose lease has ended is identified anew before the work goes on, whatever made it end.
Instants here are unshifted time, since a lease is no legal period; the window in which members may
sign in is one, and is judged in the platform's time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Final
from uuid import UUID

from kernel.refusals import Refusal
from kernel.statute import (
    BIDDING_LAW,
    BIDDING_REGULATION,
    CONDUCT_OPINIONS,
    E_BIDDING_MEASURES,
    PROCUREMENT_REGULATION,
    REMOTE_EVALUATION_NOTICE,
    under,
)

LEASE: Final = timedelta(seconds=15)
SITES_MIN: Final = 2


class Phase(StrEnum):
    """Where a session stands."""

    CONVENING = "convening"
    WORKING = "working"
    PAUSED = "paused"
    CLOSED = "closed"


class Effect(StrEnum):
    """What the shell must do about what happened."""

    UNLOCK_BIDS = "unlock_bids"
    LOCK_BIDS = "lock_bids"
    TURN_AWAY = "turn_away"
    ARCHIVE = "archive"


@dataclass(frozen=True, slots=True)
class Seat:
    """Where one member sits for the whole session."""

    member: UUID
    site: UUID
    seat: UUID


@dataclass(frozen=True, slots=True)
class Session:
    """Everything the protocol remembers.

    `leases` are the ends of members' leases; `seen_at` is the latest instant it was told, and it
    never goes back. `interrupted_at` is when a fault broke the work off, and None where nothing or
    an ordered pause did.
    """

    seats: tuple[Seat, ...]
    leases: Mapping[UUID, datetime] = field(default_factory=dict)
    phase: Phase = Phase.CONVENING
    seen_at: datetime | None = None
    interrupted_at: datetime | None = None

    def present(self, *, at: datetime) -> frozenset[UUID]:
        """The members whose leases have not ended."""
        return frozenset(member for member, until in self.leases.items() if at < until)

    def absent(self, *, at: datetime) -> frozenset[UUID]:
        """The members who are missing."""
        return frozenset(one.member for one in self.seats) - self.present(at=at)

    def reading_allowed(self, *, at: datetime) -> bool:
        """Whether bids may be read: at work, and everyone is there at this very instant."""
        return self.phase is Phase.WORKING and not self.absent(at=at)


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A member was identified at a seat."""

    member: UUID
    seat: UUID
    at: datetime


@dataclass(frozen=True, slots=True)
class LeaseRenewed:
    """A seat's line stands, and the member is at it."""

    member: UUID
    seat: UUID
    at: datetime


@dataclass(frozen=True, slots=True)
class SeatLeft:
    """A member left the seat."""

    member: UUID
    at: datetime


@dataclass(frozen=True, slots=True)
class TimePassed:
    """Nothing happened but time."""

    at: datetime


@dataclass(frozen=True, slots=True)
class PauseOrdered:
    """The committee breaks off by its own decision; all are identified anew before it goes on."""

    at: datetime


@dataclass(frozen=True, slots=True)
class MemberReplaced:
    """A member stepped aside, and the next in the draw takes another seat."""

    member: UUID
    successor: Seat
    at: datetime


@dataclass(frozen=True, slots=True)
class ReportConcluded:
    """Every member has signed the report or refused to."""

    at: datetime


@dataclass(frozen=True, slots=True)
class Reopened:
    """The lot came back to its committee, which evaluates anew; all are identified anew."""

    at: datetime


Happening = (
    SignedIn
    | LeaseRenewed
    | SeatLeft
    | TimePassed
    | PauseOrdered
    | MemberReplaced
    | ReportConcluded
    | Reopened
)


def step(session: Session, happened: Happening) -> tuple[Session, list[Effect]]:
    """The session after what happened, and what must be done about it."""
    now = happened.at if session.seen_at is None else max(happened.at, session.seen_at)
    if session.phase is Phase.CLOSED and isinstance(happened, Reopened):
        return replace(session, leases={}, phase=Phase.CONVENING, seen_at=now), []
    if session.phase is Phase.CLOSED:
        turned_away = isinstance(happened, SignedIn | LeaseRenewed)
        return session, [Effect.TURN_AWAY] if turned_away else []
    effects: list[Effect] = []
    leases = {member: until for member, until in session.leases.items() if now < until}
    seats, ordered = session.seats, False
    match happened:
        case SignedIn(member, seat):
            if _sits(session, member, seat):
                leases[member] = now + LEASE
            else:
                effects.append(Effect.TURN_AWAY)
        case LeaseRenewed(member, seat):
            if _sits(session, member, seat) and member in leases:
                leases[member] = now + LEASE
            else:
                effects.append(Effect.TURN_AWAY)
        case SeatLeft(member):
            leases.pop(member, None)
        case PauseOrdered():
            leases, ordered = {}, True
        case MemberReplaced(member, successor):
            leases.pop(member, None)
            ordered = True
            seats = tuple(successor if one.member == member else one for one in seats)
        case ReportConcluded() if session.phase is not Phase.CONVENING:
            closed = replace(session, leases={}, phase=Phase.CLOSED, seen_at=now)
            locked = [Effect.LOCK_BIDS] if session.phase is Phase.WORKING else []
            return closed, [*locked, Effect.ARCHIVE]
        case TimePassed() | ReportConcluded() | Reopened():
            pass
    session = replace(session, seats=seats, leases=leases, seen_at=now)
    return _settled(session, effects, ordered=ordered, now=now)


def _settled(
    session: Session, effects: list[Effect], *, ordered: bool, now: datetime
) -> tuple[Session, list[Effect]]:
    """Work begins when the last one is there, and stops when the first one is not."""
    complete = not session.absent(at=now)
    if complete and session.phase is not Phase.WORKING:
        session = replace(session, phase=Phase.WORKING, interrupted_at=None)
        return session, [*effects, Effect.UNLOCK_BIDS]
    if not complete and session.phase is Phase.WORKING:
        since = None if ordered else now
        session = replace(session, phase=Phase.PAUSED, interrupted_at=since)
        return session, [*effects, Effect.LOCK_BIDS]
    if ordered:
        session = replace(session, interrupted_at=None)
    return session, effects


def _sits(session: Session, member: UUID, seat: UUID) -> bool:
    return any((one.member, one.seat) == (member, seat) for one in session.seats)


# --- who may sit down, and where


@dataclass(frozen=True, slots=True)
class SignInFacts:
    """A member at the door of a session; `at` and the window are the platform's time.

    `bars` are the grounds that the register gives against this person, each with its decision.
    """

    at: datetime
    window_from: datetime
    window_until: datetime
    assigned_site: UUID
    site: UUID
    assigned_seat: UUID | None
    seat: UUID
    identity_checked: bool
    conflict_denied: bool
    bars: tuple[Refusal, ...] = ()
    replaced: bool = False


@under(
    BIDDING_LAW[37],
    BIDDING_LAW[38],
    BIDDING_LAW[56],
    BIDDING_REGULATION[48],
    BIDDING_REGULATION[71],
    BIDDING_REGULATION[72],
    CONDUCT_OPINIONS[15],
    E_BIDDING_MEASURES[33],
    PROCUREMENT_REGULATION[75],
    rule=("EV-01", "RE-16"),
)
def sign_in_refusals(facts: SignInFacts) -> list[Refusal]:
    """Every ground on which this person may not sign in here and now.

    The window begins at its first instant and ends before its last. `conflict_denied` is the
    member's own declaration after the bidders' names were shown.
    """
    refusals = []
    if facts.site != facts.assigned_site:
        reason = "评标专家应当在指定的评标场所登录评标系统"
        refusals.append(Refusal("wrong_site", E_BIDDING_MEASURES[33], reason))
    elif facts.assigned_seat is not None and facts.seat != facts.assigned_seat:
        reason = "评标专家应当使用分配的评标工位"
        refusals.append(Refusal("wrong_seat", E_BIDDING_MEASURES[33], reason))
    if not facts.window_from <= facts.at < facts.window_until:
        reason = "不在评标时间内，不得登录评标系统"
        times = {
            "window_from": facts.window_from.isoformat(),
            "window_until": facts.window_until.isoformat(),
        }
        refusals.append(Refusal("outside_window", E_BIDDING_MEASURES[33], reason, times))
    if not facts.identity_checked:
        reason = "身份未经评标场所核验"
        refusals.append(Refusal("identity_unchecked", CONDUCT_OPINIONS[15], reason))
    if not facts.conflict_denied:
        reason = "未声明与投标人没有利害关系，应当回避"
        refusals.append(Refusal("conflict_not_denied", BIDDING_LAW[37], reason))
    refusals.extend(facts.bars)
    if facts.replaced:
        reason = "已被更换，不再是评标委员会成员"
        refusals.append(Refusal("replaced", BIDDING_REGULATION[48], reason))
    return refusals


@under(BIDDING_LAW[38], E_BIDDING_MEASURES[33], REMOTE_EVALUATION_NOTICE[4], rule="RE-04")
def seating_refusals(seats: Sequence[Seat], *, host_site: UUID) -> list[Refusal]:
    """Why these seats make no remote session: seats or members twice, too few sites, no host."""
    refusals = []
    if len({one.member for one in seats}) != len(seats):
        reason = "同一成员分配了两个工位"
        refusals.append(Refusal("member_twice", E_BIDDING_MEASURES[33], reason))
    if len({one.seat for one in seats}) != len(seats):
        reason = "同一工位分配给了两名成员"
        refusals.append(Refusal("seat_twice", E_BIDDING_MEASURES[33], reason))
    sites = {one.site for one in seats}
    if len(sites) < SITES_MIN:
        reason = f"远程异地评标应当由主场和副场共同进行，至少{SITES_MIN}个场所"
        refusals.append(Refusal("too_few_sites", REMOTE_EVALUATION_NOTICE[4], reason))
    if host_site not in sites:
        reason = "招标人选择的交易场所（主场）没有评标工位"
        refusals.append(Refusal("no_host", REMOTE_EVALUATION_NOTICE[4], reason))
    return refusals


# --- who may work, and when


@dataclass(frozen=True, slots=True)
class WorkFacts:
    """A member who wants to work at `at`: where the session stands, and what stops the lot.

    `absent` are the numbers of the members who are missing.
    """

    session: Session
    member: UUID
    at: datetime
    in_evaluation: bool
    suspended: bool
    absent: tuple[int, ...]


@under(
    BIDDING_LAW[38],
    BIDDING_REGULATION[62],
    E_BIDDING_MEASURES[32],
    E_BIDDING_MEASURES[33],
    rule=("EV-01", "RE-10"),
)
def work_refusals(facts: WorkFacts, *, alone: bool = False) -> list[Refusal]:
    """Every ground on which this member may not read, vote, score or sign now.

    `alone` is for what a member does for itself and shows to nobody, such as filling in its own
    sheet: the others need not be there for it.
    """
    refusals = []
    if not facts.in_evaluation:
        reason = "开标记录未移交评标，或者评标已经结束"
        refusals.append(Refusal("not_in_evaluation", E_BIDDING_MEASURES[32], reason))
    if facts.suspended:
        reason = "行政监督部门已责令暂停招标投标活动"
        refusals.append(Refusal("suspended", BIDDING_REGULATION[62], reason))
    if facts.session.phase is Phase.CLOSED:
        reason = "评标委员会已完成评标"
        refusals.append(Refusal("session_closed", BIDDING_LAW[38], reason))
    elif facts.member in facts.session.absent(at=facts.at):
        reason = "未在评标工位签到，或者工位连接已中断，请重新签到"
        refusals.append(Refusal("not_at_seat", E_BIDDING_MEASURES[33], reason))
    elif not alone and not facts.session.reading_allowed(at=facts.at):
        numbers = "、".join(map(str, facts.absent))
        reason = f"评标委员会成员未全部在位（缺 {numbers} 号），暂停评审"
        refusals.append(
            Refusal("committee_incomplete", BIDDING_LAW[38], reason, {"absent": numbers})
        )
    return refusals


@under(E_BIDDING_MEASURES[33], rule="RE-04")
def placing_refusals(*, wanted: int, free: int, site: str) -> list[Refusal]:
    """Why so many members cannot sit at a site: it has too few free workstations."""
    if wanted <= free:
        return []
    reason = f"{site}在评标时间内仅有{free}个空闲工位，需要{wanted}个"
    return [Refusal("too_few_seats", E_BIDDING_MEASURES[33], reason, {"site": site})]


@under(E_BIDDING_MEASURES[33], rule="RE-04")
def overlap_refusals(seats: Sequence[int]) -> list[Refusal]:
    """Why members cannot keep their seats for longer: these are given to another committee."""
    if not seats:
        return []
    numbers = "、".join(map(str, seats))
    reason = f"{numbers}号工位在延长的时间内已安排其他评标，不得延长至该时间"
    return [Refusal("seats_taken", E_BIDDING_MEASURES[33], reason, {"seats": numbers})]


# --- interruptions


class InterruptionOutcome(StrEnum):
    """What follows from a fault."""

    WAIT = "wait"
    GO_ON = "go_on"
    TENDEREE_DECIDES = "tenderee_decides"
    """The tenderee decides whether to wait on or to postpone."""

    NEW_COMMITTEE = "new_committee"
    """Everything is sealed and kept secret, a new committee is drawn, and it evaluates from the
    beginning."""


@dataclass(frozen=True, slots=True)
class InterruptionLimits:
    """How long a fault may last before and during the work.

    The defaults are those of a prefecture that publishes its rules (Lijiang in Yunnan, articles 20
    and 21 of its measures); no national figure is known, and a province may set its own.
    """

    before_start: timedelta = timedelta(hours=2)
    during: timedelta = timedelta(hours=4)


@under(BIDDING_LAW[38], BIDDING_REGULATION[48], rule=("RE-10", "RE-11"))
def interruption_outcome(
    *,
    began: bool,
    lasted: timedelta,
    cured: bool,
    postponed: bool = False,
    limits: InterruptionLimits | None = None,
) -> InterruptionOutcome:
    """What follows from a fault that has lasted so long.

    Before the work begins, a fault of more than two hours leaves the choice to the tenderee; during
    it, what is cured within four hours goes on, and what is not starts again with new people. A
    limit itself is still within it.
    """
    limits = limits or InterruptionLimits()
    if postponed:
        return InterruptionOutcome.NEW_COMMITTEE
    within = lasted <= (limits.during if began else limits.before_start)
    if within:
        return InterruptionOutcome.GO_ON if cured else InterruptionOutcome.WAIT
    return InterruptionOutcome.NEW_COMMITTEE if began else InterruptionOutcome.TENDEREE_DECIDES


# --- queued edits


@dataclass(frozen=True, slots=True)
class Cell:
    """One mark on a member's own sheet while it is filled in, and which edits made it so.

    Versions count from 0, the empty cell; every merged edit makes the next.
    """

    version: int = 0
    score: Decimal | None = None
    applied: frozenset[UUID] = frozenset()


@dataclass(frozen=True, slots=True)
class ScoreEdit:
    """An edit as a seat queued it: made upon `base_version`, and known by an id of its own."""

    edit_id: UUID
    base_version: int
    score: Decimal | None


@dataclass(frozen=True, slots=True)
class Merged:
    """The cell with the edit in it; `repeated` where it had been merged before."""

    cell: Cell
    repeated: bool = False


@dataclass(frozen=True, slots=True)
class Conflict:
    """The cell was changed since the edit was made; nothing is lost, and the member chooses."""

    cell: Cell
    edit: ScoreEdit


def merge_edit(cell: Cell, edit: ScoreEdit) -> Merged | Conflict:
    """Merge an edit onto the very version it was made upon; else show both.

    The same edit sent again changes nothing, so that a line that broke after the answer was sent
    neither loses an edit nor doubles one.
    """
    if edit.edit_id in cell.applied:
        return Merged(cell, repeated=True)
    if edit.base_version != cell.version:
        return Conflict(cell, edit)
    applied = cell.applied | {edit.edit_id}
    return Merged(Cell(cell.version + 1, edit.score, applied))
