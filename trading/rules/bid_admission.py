"""Whether a sealed bid may be taken in, or a withdrawal; and which of a bidder's bids counts.

What may be known of a bid before the opening is its outside: when its last byte came, whether it is
sealed as the lot's policy asks, who signed it, whether all its parts are there. That is all these
rules look at. A bid that is not sealed is refused with a prompt (电子招标投标办法 26); one that is
late is refused with both times.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime

from kernel.refusals import Caution, Refusal
from kernel.statute import (
    BIDDING_LAW,
    BIDDING_REGULATION,
    CONDUCT_OPINIONS,
    E_BIDDING_MEASURES,
    PROCUREMENT_LAW,
    PROCUREMENT_REGULATION,
    PROCUREMENT_TENDER_MEASURES,
    SIGNATURE_LAW,
    Article,
    Regime,
    Severity,
    under,
)
from kernel.working_days import BEIJING
from trading.rules.lot_lifecycle import STATE_NAMES, LotState, submission_refusals


@dataclass(frozen=True, slots=True)
class CitedBar:
    """A bar as a refusal cites it: whose decision, its number, the article, and the term."""

    authority: str
    document_number: str
    article: str
    starts_on: date
    ends_on: date | None

    def __str__(self) -> str:
        until = "长期有效" if self.ends_on is None else f"至{self.ends_on:%Y-%m-%d}"
        return (
            f"{self.authority}{self.document_number}（依据{self.article}），"
            f"自{self.starts_on:%Y-%m-%d}起{until}"
        )

    def as_facts(self) -> dict[str, str]:
        """The same for programs."""
        return {
            "authority": self.authority,
            "document_number": self.document_number,
            "article": self.article,
            "starts_on": self.starts_on.isoformat(),
            "ends_on": "" if self.ends_on is None else self.ends_on.isoformat(),
        }


@dataclass(frozen=True, slots=True)
class BidArrival:
    """A bid as it stands at the door.

    `lot_state` is what it was when the lot was looked at, and `lot_closed` whether it had been
    closed by then, which its state does not tell of a cancelled one. `sealing_faults` says, in
    words, how the envelopes differ from what the policy asks; `missing_parts` names the parts that
    never came whole. `last_sequence` is the bidder's newest sequence number taken in before, 0 for
    none.
    """

    received_at: datetime
    lot_state: LotState
    suspended: bool
    bids_due_at: datetime
    sequence: int
    lot_closed: bool = False
    last_sequence: int = 0
    sealing_faults: tuple[str, ...] = ()
    missing_parts: tuple[str, ...] = ()
    signature_valid: bool = True
    for_this_lot: bool = True
    for_this_bidder: bool = True
    bidder_verified: bool = True
    bidder_prequalified: bool = True
    bidder_is_operator: bool = False
    bidder_bar: CitedBar | None = None
    documents_obtained: bool = True


@dataclass(frozen=True, slots=True)
class WithdrawalArrival:
    """A withdrawal (撤回) as it stands at the door; `has_standing_bid` says there is one to take
    back.
    """

    received_at: datetime
    lot_state: LotState
    bids_due_at: datetime
    sequence: int
    last_sequence: int
    has_standing_bid: bool
    signature_valid: bool = True


@dataclass(frozen=True, slots=True)
class Submitted:
    """One submission that was taken in: a bid, or a withdrawal of what stood before it."""

    sequence: int
    is_withdrawal: bool


@under(
    BIDDING_LAW[28],
    BIDDING_REGULATION[22],
    BIDDING_REGULATION[36],
    E_BIDDING_MEASURES[26],
    E_BIDDING_MEASURES[27],
    rule=("BI-01", "BI-02"),
)
def admission_refusals(arrival: BidArrival, *, regime: Regime = Regime.TENDERING) -> list[Refusal]:
    """Every ground on which this bid must be turned away; an empty list admits it."""
    return [
        *lateness_refusals(
            arrival.received_at,
            lot_state=arrival.lot_state,
            bids_due_at=arrival.bids_due_at,
            regime=regime,
        ),
        *sealing_refusals(arrival),
        *bidder_refusals(arrival, regime=regime),
        *_sequence_refusals(arrival.sequence, arrival.last_sequence),
        *submission_refusals(suspended=arrival.suspended),
    ]


@under(
    BIDDING_LAW[28],
    BIDDING_LAW[34],
    BIDDING_REGULATION[36],
    E_BIDDING_MEASURES[27],
    PROCUREMENT_TENDER_MEASURES[33],
    SIGNATURE_LAW[11],
    rule=("BI-02", "BI-13"),
)
def lateness_refusals(
    received_at: datetime,
    *,
    lot_state: LotState,
    bids_due_at: datetime,
    regime: Regime = Regime.TENDERING,
) -> list[Refusal]:
    """A bid is late when its last byte arrives at or after the deadline, and refused.

    The law asks for delivery *before* the deadline (截止时间前), and the opening starts at that
    very instant. A bid that came in time but found the lot no longer open is refused as well: see
    `closed_too_early`.
    """
    article = (
        PROCUREMENT_TENDER_MEASURES[33] if regime is Regime.PROCUREMENT else BIDDING_REGULATION[36]
    )
    if received_at >= bids_due_at:
        reason = (
            f"投标文件于{_clock(received_at)}送达，"
            f"投标截止时间为{_clock(bids_due_at)}，逾期送达，拒收"
        )
        facts = {"received_at": received_at.isoformat(), "bids_due_at": bids_due_at.isoformat()}
        return [Refusal("late", article, reason, facts)]
    if lot_state is not LotState.OPEN:
        reason = f"标段处于“{STATE_NAMES[lot_state]}”状态，不接收投标文件"
        return [Refusal("lot_not_open", article, reason, {"state": str(lot_state)})]
    return []


def closed_too_early(arrival: BidArrival) -> bool:
    """Whether the platform is at fault: the bid came in time, and the closing had already begun.

    However far the lot has gone since: also where it has failed, perhaps for want of this very bid.
    A lot that its tenderee cancelled before the closing turns a bid away by the tenderee's act, and
    not by our fault.
    """
    if arrival.received_at >= arrival.bids_due_at:
        return False
    if arrival.lot_state is LotState.CANCELLED:
        return arrival.lot_closed
    return arrival.lot_state not in (LotState.DRAFT, LotState.OPEN)


@under(
    E_BIDDING_MEASURES[26],
    E_BIDDING_MEASURES[27],
    E_BIDDING_MEASURES[40],
    BIDDING_REGULATION[36],
    rule=("BI-01", "BI-02"),
)
def sealing_refusals(arrival: BidArrival) -> list[Refusal]:
    """Not sealed as the policy asks, sealed for another lot or bidder, unsigned, or not whole."""
    refusals = [
        Refusal("not_sealed", E_BIDDING_MEASURES[26], f"投标文件未按要求加密，拒收：{fault}")
        for fault in arrival.sealing_faults
    ]
    if not arrival.for_this_lot:
        reason = "投标文件是为其他标段加密的，拒收"
        refusals.append(Refusal("wrong_lot", E_BIDDING_MEASURES[26], reason))
    if not arrival.for_this_bidder:
        reason = "投标文件是以其他投标人名义加密的，拒收"
        refusals.append(Refusal("wrong_bidder", E_BIDDING_MEASURES[26], reason))
    if not arrival.signature_valid:
        reason = "投标文件未经投标人有效电子签名，拒收"
        refusals.append(Refusal("signature_invalid", E_BIDDING_MEASURES[40], reason))
    if arrival.missing_parts:
        named = "、".join(arrival.missing_parts)
        reason = f"投标文件未传输完成，缺少：{named}；截止时间前未完成传输的，视为撤回"
        facts = {"missing": ",".join(arrival.missing_parts)}
        refusals.append(Refusal("incomplete", E_BIDDING_MEASURES[27], reason, facts))
    return refusals


@under(
    BIDDING_LAW[26],
    BIDDING_REGULATION[36],
    E_BIDDING_MEASURES[14],
    E_BIDDING_MEASURES[23],
    PROCUREMENT_LAW[22],
    PROCUREMENT_REGULATION[21],
    rule=("BI-08", "NO-08", "PL-07"),
)
def bidder_refusals(arrival: BidArrival, *, regime: Regime = Regime.TENDERING) -> list[Refusal]:
    """Who may not bid here: the unverified, the operator, the barred, those who failed before."""
    refusals = []
    if not arrival.bidder_verified:
        reason = "单位注册信息尚未经交易中心核验，不能投标"
        refusals.append(Refusal("organisation_unverified", E_BIDDING_MEASURES[14], reason))
    if arrival.bidder_is_operator:
        reason = "交易平台运营机构及与其有控股或者管理关系的单位，不得在本平台投标"
        refusals.append(Refusal("operator_bids", E_BIDDING_MEASURES[23], reason))
    if arrival.bidder_bar is not None:
        article = _standing_article(regime)
        reason = f"投标人处于禁止投标期内：{arrival.bidder_bar}"
        refusals.append(Refusal("barred", article, reason, arrival.bidder_bar.as_facts()))
    if not arrival.bidder_prequalified:
        reason = "未通过资格预审的申请人提交的投标文件，拒收"
        procurement = regime is Regime.PROCUREMENT
        article = PROCUREMENT_REGULATION[21] if procurement else BIDDING_REGULATION[36]
        refusals.append(Refusal("not_prequalified", article, reason))
    return refusals


@under(CONDUCT_OPINIONS[3], rule="SC-12", severity=Severity.WARN)
def admission_cautions(arrival: BidArrival) -> list[Caution]:
    """A bidder who never took the documents is warned; registering for them is no condition."""
    if arrival.documents_obtained:
        return []
    reason = "未见贵单位下载招标文件的记录，请确认投标文件依据最新招标文件编制"
    return [Caution("documents_not_obtained", CONDUCT_OPINIONS[3], reason)]


@under(
    BIDDING_REGULATION[35],
    E_BIDDING_MEASURES[27],
    E_BIDDING_MEASURES[40],
    rule=("BI-04", "BI-05"),
)
def withdrawal_refusals(arrival: WithdrawalArrival) -> list[Refusal]:
    """Every ground on which a bid cannot be withdrawn; a suspended lot is none.

    After the deadline a bid can only be revoked (撤销), which may cost its security.
    """
    refusals = []
    if arrival.received_at >= arrival.bids_due_at:
        reason = (
            f"撤回通知于{_clock(arrival.received_at)}送达，"
            f"投标截止时间为{_clock(arrival.bids_due_at)}，截止后不得撤回"
        )
        facts = {
            "received_at": arrival.received_at.isoformat(),
            "bids_due_at": arrival.bids_due_at.isoformat(),
        }
        refusals.append(Refusal("late", BIDDING_REGULATION[35], reason, facts))
    elif arrival.lot_state is not LotState.OPEN:
        reason = f"标段处于“{STATE_NAMES[arrival.lot_state]}”状态，不能撤回"
        facts = {"state": str(arrival.lot_state)}
        refusals.append(Refusal("lot_not_open", BIDDING_REGULATION[35], reason, facts))
    if not arrival.has_standing_bid:
        reason = "没有可以撤回的投标文件"
        refusals.append(Refusal("nothing_to_withdraw", BIDDING_REGULATION[35], reason))
    if not arrival.signature_valid:
        reason = "撤回通知未经投标人有效电子签名"
        refusals.append(Refusal("signature_invalid", E_BIDDING_MEASURES[40], reason))
    return refusals + _sequence_refusals(arrival.sequence, arrival.last_sequence)


def standing_submission(submissions: Iterable[Submitted]) -> Submitted | None:
    """Which of one bidder's submissions counts: the last, unless that one withdraws."""
    last = max(submissions, key=lambda one: one.sequence, default=None)
    return None if last is None or last.is_withdrawal else last


def _sequence_refusals(sequence: int, last_sequence: int) -> list[Refusal]:
    if sequence > last_sequence:
        return []
    reason = f"序号{sequence}不大于已收到的序号{last_sequence}，不能替换在后的投标文件"
    facts = {"sequence": str(sequence), "last_sequence": str(last_sequence)}
    return [Refusal("outdated_sequence", E_BIDDING_MEASURES[27], reason, facts)]


def _standing_article(regime: Regime) -> Article:
    return PROCUREMENT_LAW[22] if regime is Regime.PROCUREMENT else BIDDING_LAW[26]


def _clock(at: datetime) -> str:
    """The time in Beijing to the microsecond, since that is what decides."""
    return f"{at.astimezone(BEIJING):%Y-%m-%d %H:%M:%S.%f}"
