"""The life of a draw, without a network, a database or a clock in sight.

A draw is announced with its pool and exclusions fixed. Each party then commits to a nonce, and only
when every commitment stands in the witnessed log does anyone deal shares, confirm them or
countersign the exclusions; only after all that does anyone reveal. So no party can choose its nonce
knowing another's, and nobody can choose whom to exclude knowing the order.

Staying away is no veto. A nonce that its owner withholds is rebuilt from the others' shares, and a
share that its holder will not confirm stops nothing as long as `threshold` others confirmed theirs.
Where too few did, the draw is void, stays on record, and who failed sits out the next one.

Two functions say it all: `act_refusals` why an act is not this party's to do now, and `step` what
the draw is after it. `after_waiting` is what time alone brings about.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Final, assert_never

from kernel.errors import Refused
from kernel.refusals import Caution, Refusal
from kernel.statute import (
    BIDDING_LAW,
    COMMITTEE_PROVISIONS,
    CONDUCT_OPINIONS,
    Severity,
    under,
)

PARTIES_MIN: Final = 3
"""Tenderee, agency and supervisor at least: one honest party among them is enough."""

_TRACE: Final = CONDUCT_OPINIONS[14]


class DrawState(StrEnum):
    """Where a draw stands."""

    ANNOUNCED = "announced"
    """Announced, and not yet under witnesses' signatures."""

    COMMITTING = "committing"
    """Parties commit, deal shares and confirm them; the supervisor countersigns."""

    REVEALING = "revealing"
    RANKED = "ranked"
    CALLING = "calling"
    SEATED = "seated"
    VOID = "void"


class VoidReason(StrEnum):
    """Why a draw came to nothing."""

    NOT_WITNESSED = "not_witnessed"
    NOT_COMMITTED = "not_committed"
    NOT_DEALT = "not_dealt"
    TOO_FEW_CONFIRMATIONS = "too_few_confirmations"
    NOT_COUNTERSIGNED = "not_countersigned"
    NONCE_LOST = "nonce_lost"


@dataclass(frozen=True, slots=True)
class Draw:
    """Everything the protocol remembers of one draw.

    `confirmed` and `misdealt` hold (holder, dealer): a share that opened as committed, and one that
    was shown not to. An end of a period is the first instant that is too late.
    """

    parties: frozenset[str]
    supervisor: str
    threshold: int
    commit_by: datetime
    confirm_by: datetime
    reveal_by: datetime
    recover_by: datetime
    state: DrawState = DrawState.ANNOUNCED
    committed: frozenset[str] = frozenset()
    all_witnessed: bool = False
    dealt: frozenset[str] = frozenset()
    confirmed: frozenset[tuple[str, str]] = frozenset()
    misdealt: frozenset[tuple[str, str]] = frozenset()
    countersigned: bool = False
    revealed: frozenset[str] = frozenset()
    recovered: frozenset[str] = frozenset()
    open_seats: int = 0
    void_reason: VoidReason | None = None
    at_fault: frozenset[str] = field(default_factory=frozenset)

    def nonces_known(self) -> frozenset[str]:
        """The parties whose nonces are known, by themselves or rebuilt."""
        return self.revealed | self.recovered

    def short_dealers(self) -> frozenset[str]:
        """The dealers whose nonces too few others could rebuild."""
        counts = dict.fromkeys(self.parties, 0)
        for _, dealer in self.confirmed:
            counts[dealer] += 1
        return frozenset(dealer for dealer, count in counts.items() if count < self.threshold)


@dataclass(frozen=True, slots=True)
class AnnouncementWitnessed:
    """Enough witnesses cosigned a checkpoint that holds the announcement."""


@dataclass(frozen=True, slots=True)
class Commit:
    """A party commits to its nonce."""

    party: str


@dataclass(frozen=True, slots=True)
class CommitmentsWitnessed:
    """Enough witnesses cosigned a checkpoint that holds every commitment."""


@dataclass(frozen=True, slots=True)
class Deal:
    """A party deals a share of its nonce to each of the others, with commitments."""

    party: str


@dataclass(frozen=True, slots=True)
class Confirm:
    """A holder says that the share it was dealt opens as committed."""

    holder: str
    dealer: str


@dataclass(frozen=True, slots=True)
class ShowMisdealt:
    """A holder has shown, by opening it, that the share it was dealt is not the one committed."""

    holder: str
    dealer: str


@dataclass(frozen=True, slots=True)
class Countersign:
    """The supervisor countersigns the exclusions."""

    party: str


@dataclass(frozen=True, slots=True)
class Reveal:
    """A party reveals its nonce."""

    party: str


@dataclass(frozen=True, slots=True)
class Recover:
    """A vanished party's nonce was rebuilt from `shares` good shares."""

    party: str
    shares: int


@dataclass(frozen=True, slots=True)
class BeginCalling:
    """Calling begins, for so many seats."""

    seats: int


@dataclass(frozen=True, slots=True)
class AcceptSeat:
    """A called expert accepted."""


@dataclass(frozen=True, slots=True)
class VacateSeat:
    """Someone who had accepted will not sit after all; the next in the list is called."""


DrawAct = (
    AnnouncementWitnessed
    | Commit
    | CommitmentsWitnessed
    | Deal
    | Confirm
    | ShowMisdealt
    | Countersign
    | Reveal
    | Recover
    | BeginCalling
    | AcceptSeat
    | VacateSeat
)

S = DrawState

_WHEN: Final[Mapping[type[DrawAct], frozenset[DrawState]]] = {
    AnnouncementWitnessed: frozenset({S.ANNOUNCED}),
    Commit: frozenset({S.COMMITTING}),
    CommitmentsWitnessed: frozenset({S.COMMITTING}),
    Deal: frozenset({S.COMMITTING}),
    Confirm: frozenset({S.COMMITTING}),
    ShowMisdealt: frozenset({S.COMMITTING}),
    Countersign: frozenset({S.COMMITTING}),
    Reveal: frozenset({S.REVEALING}),
    Recover: frozenset({S.REVEALING}),
    BeginCalling: frozenset({S.RANKED}),
    AcceptSeat: frozenset({S.CALLING}),
    VacateSeat: frozenset({S.CALLING, S.SEATED}),
}

STATE_NAMES: Final[Mapping[DrawState, str]] = {
    S.ANNOUNCED: "已公告",
    S.COMMITTING: "提交承诺",
    S.REVEALING: "公开随机数",
    S.RANKED: "已排序",
    S.CALLING: "通知专家",
    S.SEATED: "已满员",
    S.VOID: "无效",
}


@under(CONDUCT_OPINIONS[14], rule="EX-14")
def act_refusals(draw: Draw, act: DrawAct, *, at: datetime) -> list[Refusal]:
    """Every ground on which this act may not be done now, or not by this party."""
    refusals = []
    if draw.state not in _WHEN[type(act)]:
        reason = f"抽取处于“{STATE_NAMES[draw.state]}”阶段，不得进行此项操作"
        refusals.append(_refusal("not_now", reason))
    strangers = sorted({one for one in _actors(act) if one not in draw.parties})
    if strangers:
        refusals.append(_refusal("not_a_party", f"{'、'.join(strangers)} 不是本次抽取的参与方"))
    if draw.state is S.REVEALING:
        return refusals + _revealing_refusals(draw, act, at)
    return refusals + _committing_refusals(draw, act, at)


def step(draw: Draw, act: DrawAct, *, at: datetime) -> Draw:  # noqa: C901  (a case for each act)
    """The draw after the act, or `Refused` with every ground against it."""
    refusals = act_refusals(draw, act, at=at)
    if refusals:
        raise Refused(refusals)
    match act:
        case AnnouncementWitnessed():
            return replace(draw, state=S.COMMITTING)
        case Commit(party):
            return replace(draw, committed=draw.committed | {party})
        case CommitmentsWitnessed():
            return replace(draw, all_witnessed=True)
        case Deal(party):
            return _reveal_when_ready(replace(draw, dealt=draw.dealt | {party}))
        case Confirm(holder, dealer):
            pairs = draw.confirmed | {(holder, dealer)}
            return _reveal_when_ready(replace(draw, confirmed=pairs))
        case ShowMisdealt(holder, dealer):
            return replace(draw, misdealt=draw.misdealt | {(holder, dealer)})
        case Countersign():
            return _reveal_when_ready(replace(draw, countersigned=True))
        case Reveal(party):
            return _ranked_when_known(replace(draw, revealed=draw.revealed | {party}))
        case Recover(party):
            return _ranked_when_known(replace(draw, recovered=draw.recovered | {party}))
        case BeginCalling(seats):
            return replace(draw, state=S.CALLING, open_seats=seats)
        case AcceptSeat():
            left = draw.open_seats - 1
            return replace(draw, open_seats=left, state=S.CALLING if left else S.SEATED)
        case VacateSeat():
            return replace(draw, open_seats=draw.open_seats + 1, state=S.CALLING)
        case _:
            assert_never(act)


def after_waiting(draw: Draw, *, at: datetime) -> Draw:
    """What time alone has made of the draw: void where a period ended and something is missing."""
    if draw.state is S.ANNOUNCED and at >= draw.commit_by:
        return _void(draw, VoidReason.NOT_WITNESSED)
    if draw.state is S.COMMITTING:
        absent = draw.parties - draw.committed
        if absent and at >= draw.commit_by:
            return _void(draw, VoidReason.NOT_COMMITTED, absent)
        if at >= draw.confirm_by:
            return _void_for_want_of_readiness(draw)
    if draw.state is S.REVEALING and at >= draw.recover_by:
        return _void(draw, VoidReason.NONCE_LOST, draw.parties - draw.nonces_known())
    return draw


@under(CONDUCT_OPINIONS[14], rule="EX-14")
def parties_refusals(
    parties: Sequence[str], threshold: int, *, sitting_out: Collection[str] = ()
) -> list[Refusal]:
    """Why a draw may not be held by these parties with this threshold.

    Every party deals to all the others, so the threshold is at most their number; with fewer than
    two, one holder alone would know another's nonce beforehand.
    """
    refusals = []
    if len(set(parties)) != len(parties) or any(not name or "\0" in name for name in parties):
        refusals.append(_refusal("parties_unclear", "参与方名称缺失或者重复"))
    if len(set(parties)) < PARTIES_MIN:
        reason = f"抽取至少应有{PARTIES_MIN}方共同提供随机数，现有{len(set(parties))}方"
        refusals.append(_refusal("too_few_parties", reason))
    elif not 2 <= threshold < len(set(parties)):
        reason = f"份额门限应当在2到{len(set(parties)) - 1}之间，现为{threshold}"
        refusals.append(_refusal("threshold_unfit", reason))
    back = sorted(set(parties) & set(sitting_out))
    if back:
        reason = f"{'、'.join(back)} 在上一次抽取中未尽义务，不得参加重新抽取"
        refusals.append(_refusal("sits_out", reason))
    return refusals


@under(BIDDING_LAW[37], CONDUCT_OPINIONS[14], rule=("EX-07", "EX-14"))
def announcement_refusals(
    *, close_witnessed: bool, under_way: bool, review: bool = False
) -> list[Refusal]:
    """Why a draw may not be announced for a lot now.

    Before the closing is witnessed nobody may know the bidders whom experts must avoid; for a
    `review` of applications that is the call which says until when they are taken.
    """
    refusals = []
    if not close_witnessed:
        what = "资格预审公告" if review else "截标记录"
        reason = f"{what}尚未经见证，不得抽取评标专家"
        refusals.append(Refusal("close_not_witnessed", BIDDING_LAW[37], reason))
    if under_way:
        refusals.append(_refusal("draw_under_way", "本标段已有未作废的抽取，不得重复抽取"))
    return refusals


@under(COMMITTEE_PROVISIONS[8], rule="EX-07", severity=Severity.WARN)
def announcement_cautions(*, bid_opened: bool) -> list[Caution]:
    """What is doubtful in announcing a draw now: once a bid is open, strata could be cut to fit it.

    The members are normally fixed before the opening (一般应于开标前确定). That is no bar, or an
    agency that is late would cost every bidder the lot; but the record says it for ever.
    """
    if not bid_opened:
        return []
    reason = "评标委员会成员一般应于开标前确定，本次抽取在投标文件解密后公告"
    return [Caution("announced_after_opening", COMMITTEE_PROVISIONS[8], reason)]


def _committing_refusals(draw: Draw, act: DrawAct, at: datetime) -> list[Refusal]:
    match act:
        case Commit(party):
            return [
                *_once(party in draw.committed, "committed_already", "承诺已提交，不得更改"),
                *_in_time(at, draw.commit_by, "commit_late", "已过提交承诺的期限"),
            ]
        case CommitmentsWitnessed():
            return _commitments_complete(draw, witnessed=False)
        case Deal(party):
            return [
                *_commitments_complete(draw),
                *_once(party in draw.dealt, "dealt_already", "份额已分发，不得更改"),
                *_in_time(at, draw.confirm_by, "deal_late", "已过分发份额的期限"),
            ]
        case Confirm(holder, dealer) | ShowMisdealt(holder, dealer):
            return [
                *_share_refusals(draw, holder, dealer),
                *_in_time(at, draw.confirm_by, "confirm_late", "已过确认份额的期限"),
            ]
        case Countersign(party):
            return [
                *_countersign_refusals(draw, party),
                *_in_time(at, draw.confirm_by, "countersign_late", "已过会签的期限"),
            ]
        case BeginCalling(seats) if seats < 1:
            return [_refusal("no_seats", "没有需要抽取的席位")]
        case _:
            return []


def _revealing_refusals(draw: Draw, act: DrawAct, at: datetime) -> list[Refusal]:
    refusals = []
    if isinstance(act, Reveal | Recover):
        refusals += _once(act.party in draw.nonces_known(), "known_already", "随机数已公开")
    if isinstance(act, Recover):
        if at < draw.reveal_by:
            refusals.append(_refusal("too_early", "公开期限届满前不得代为恢复随机数"))
        if act.shares < draw.threshold:
            reason = f"恢复随机数需要{draw.threshold}份有效份额，现有{act.shares}份"
            refusals.append(_refusal("too_few_shares", reason))
    return refusals


def _reveal_when_ready(draw: Draw) -> Draw:
    ready = draw.dealt == draw.parties and draw.countersigned and not draw.short_dealers()
    return replace(draw, state=S.REVEALING) if ready else draw


def _ranked_when_known(draw: Draw) -> Draw:
    return replace(draw, state=S.RANKED) if draw.nonces_known() == draw.parties else draw


def _void(draw: Draw, reason: VoidReason, at_fault: Collection[str] = ()) -> Draw:
    return replace(draw, state=S.VOID, void_reason=reason, at_fault=frozenset(at_fault))


def _void_for_want_of_readiness(draw: Draw) -> Draw:
    if not draw.all_witnessed:
        return _void(draw, VoidReason.NOT_WITNESSED)
    if draw.dealt != draw.parties:
        return _void(draw, VoidReason.NOT_DEALT, draw.parties - draw.dealt)
    if draw.short_dealers():
        return _void(draw, VoidReason.TOO_FEW_CONFIRMATIONS, _who_let_confirmations_fail(draw))
    return _void(draw, VoidReason.NOT_COUNTERSIGNED, {draw.supervisor})


def _who_let_confirmations_fail(draw: Draw) -> set[str]:
    """The dealer who dealt so badly that too few could have confirmed, else who stayed silent."""
    failed: set[str] = set()
    for dealer in draw.short_dealers():
        others = draw.parties - {dealer}
        cheated = {holder for holder in others if (holder, dealer) in draw.misdealt}
        if len(others) - len(cheated) < draw.threshold:
            failed.add(dealer)
        else:
            failed |= {one for one in others - cheated if (one, dealer) not in draw.confirmed}
    return failed


def _actors(act: DrawAct) -> tuple[str, ...]:
    match act:
        case Commit(party) | Deal(party) | Countersign(party) | Reveal(party) | Recover(party):
            return (party,)
        case Confirm(holder, dealer) | ShowMisdealt(holder, dealer):
            return holder, dealer
        case _:
            return ()


def _commitments_complete(draw: Draw, *, witnessed: bool = True) -> list[Refusal]:
    missing = sorted(draw.parties - draw.committed)
    if missing:
        reason = f"{'、'.join(missing)} 尚未提交承诺，任何一方不得进行下一步"
        return [_refusal("not_all_committed", reason)]
    if witnessed and not draw.all_witnessed:
        return [_refusal("commitments_not_witnessed", "各方的承诺尚未经见证")]
    return []


def _share_refusals(draw: Draw, holder: str, dealer: str) -> list[Refusal]:
    refusals = []
    if holder == dealer:
        refusals.append(_refusal("own_share", "不得确认自己分发的份额"))
    elif dealer not in draw.dealt:
        refusals.append(_refusal("not_dealt", f"{dealer} 尚未分发份额"))
    said = (holder, dealer) in draw.confirmed | draw.misdealt
    return refusals + _once(said, "share_judged", "对此份额已作出确认或者否认")


def _countersign_refusals(draw: Draw, party: str) -> list[Refusal]:
    refusals = _commitments_complete(draw)
    if party != draw.supervisor:
        refusals.append(_refusal("not_the_supervisor", "回避名单应当由行政监督部门会签"))
    return refusals + _once(draw.countersigned, "countersigned_already", "回避名单已会签")


def _once(done: bool, code: str, reason: str) -> list[Refusal]:
    return [_refusal(code, reason)] if done else []


def _in_time(at: datetime, by: datetime, code: str, reason: str) -> list[Refusal]:
    return [_refusal(code, reason)] if at >= by else []


def _refusal(code: str, reason: str) -> Refusal:
    return Refusal(code, _TRACE, reason)
