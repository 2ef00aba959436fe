"""The grounds on which a bid is rejected, and how a committee decides that one applies (否决投标).

A bid is rejected on a ground that the law names and on no other, with the page that shows it, by
the majority of the whole committee: whoever does not vote does not help to reject. A price that
looks too low is asked about first.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final
from uuid import UUID

from kernel.refusals import Refusal
from kernel.statute import (
    BIDDING_LAW,
    BIDDING_REGULATION,
    COMMITTEE_PROVISIONS,
    CONDUCT_OPINIONS,
    PROCUREMENT_LAW,
    PROCUREMENT_TENDER_MEASURES,
    Article,
    Regime,
    under,
)

VALID_BIDS_MIN: Final = 3


class RejectionGround(StrEnum):
    """The seven grounds of the tendering law and the six of government procurement."""

    UNSIGNED = "unsigned"
    NO_CONSORTIUM_AGREEMENT = "no_consortium_agreement"
    UNQUALIFIED = "unqualified"
    SEVERAL_BIDS = "several_bids"
    PRICE_OUT_OF_BOUNDS = "price_out_of_bounds"
    """Below cost, or above the ceiling price."""

    NOT_RESPONSIVE = "not_responsive"
    UNLAWFUL_CONDUCT = "unlawful_conduct"

    PROCUREMENT_NO_SECURITY = "procurement_no_security"
    PROCUREMENT_UNSIGNED = "procurement_unsigned"
    PROCUREMENT_UNQUALIFIED = "procurement_unqualified"
    PROCUREMENT_OVER_BUDGET = "procurement_over_budget"
    PROCUREMENT_CONDITIONS = "procurement_conditions"
    PROCUREMENT_OTHER = "procurement_other"
    """Invalid for another reason that the law or the documents name."""

    PROCUREMENT_PRICE_TOO_LOW = "procurement_price_too_low"
    """The bidder could not show that its price is reasonable."""


G = RejectionGround
REG, GP = BIDDING_REGULATION, PROCUREMENT_TENDER_MEASURES

GROUNDS: Final[Mapping[RejectionGround, tuple[Article, str]]] = MappingProxyType(
    {
        G.UNSIGNED: (REG[51, 1], "投标文件未经投标单位盖章和单位负责人签字"),
        G.NO_CONSORTIUM_AGREEMENT: (REG[51, 2], "投标联合体没有提交共同投标协议"),
        G.UNQUALIFIED: (REG[51, 3], "投标人不符合国家或者招标文件规定的资格条件"),
        G.SEVERAL_BIDS: (REG[51, 4], "同一投标人提交两个以上不同的投标文件或者投标报价"),
        G.PRICE_OUT_OF_BOUNDS: (REG[51, 5], "投标报价低于成本或者高于最高投标限价"),
        G.NOT_RESPONSIVE: (REG[51, 6], "投标文件没有对招标文件的实质性要求和条件作出响应"),
        G.UNLAWFUL_CONDUCT: (REG[51, 7], "投标人有串通投标、弄虚作假、行贿等违法行为"),
        G.PROCUREMENT_NO_SECURITY: (GP[63, 1], "未按照招标文件的规定提交投标保证金"),
        G.PROCUREMENT_UNSIGNED: (GP[63, 2], "投标文件未按招标文件要求签署、盖章"),
        G.PROCUREMENT_UNQUALIFIED: (GP[63, 3], "不具备招标文件中规定的资格要求"),
        G.PROCUREMENT_OVER_BUDGET: (GP[63, 4], "报价超过预算金额或者最高限价"),
        G.PROCUREMENT_CONDITIONS: (GP[63, 5], "投标文件含有采购人不能接受的附加条件"),
        G.PROCUREMENT_OTHER: (GP[63, 6], "法律、法规和招标文件规定的其他无效情形"),
        G.PROCUREMENT_PRICE_TOO_LOW: (GP[60], "投标人不能证明其报价合理性"),
    }
)
"""The article of each ground, and what it says."""


class SignatureReading(StrEnum):
    """How the documents read 盖章和签字: rejected where both are missing, or where either is."""

    BOTH_MISSING = "both_missing"
    EITHER_MISSING = "either_missing"


class MotionOutcome(StrEnum):
    """What became of a proposal to reject a bid."""

    OPEN = "open"
    CARRIED = "carried"
    LOST = "lost"


@dataclass(frozen=True, slots=True)
class RejectionMotion:
    """A member's proposal to reject a bid, and the votes on it so far.

    `page` is where the bid shows it. `asked` says that the bidder was asked for reasons in writing
    and that its answer, or its silence after the time set, is on record; `below_cost` that the
    price is held to be too low.
    """

    bid: str
    ground: RejectionGround
    page: str
    words: str
    in_favour: frozenset[UUID] = frozenset()
    against: frozenset[UUID] = frozenset()
    below_cost: bool = False
    asked: bool = False


class AfterRejections(StrEnum):
    """What follows once all motions are decided."""

    GO_ON = "go_on"
    JUDGE_COMPETITION = "judge_competition"
    """The committee judges whether competition is clearly lacking, and may reject all bids."""

    STOP = "stop"
    """Procurement ends: fewer than three suppliers are left."""


def grounds_of(regime: Regime) -> tuple[RejectionGround, ...]:
    """The grounds that the family of law knows, in its own order."""
    procurement = regime is Regime.PROCUREMENT
    return tuple(
        ground
        for ground, (article, _) in GROUNDS.items()
        if (article.instrument is GP) == procurement
    )


def is_unsigned(
    *,
    sealed: bool,
    signed: bool,
    reading: SignatureReading = SignatureReading.BOTH_MISSING,
) -> bool:
    """Whether the first ground holds: without seal and signature, as the documents read it."""
    if reading is SignatureReading.BOTH_MISSING:
        return not sealed and not signed
    return not (sealed and signed)


@under(
    BIDDING_LAW[42],
    BIDDING_REGULATION[51],
    COMMITTEE_PROVISIONS[21],
    CONDUCT_OPINIONS[13],
    PROCUREMENT_TENDER_MEASURES[60],
    PROCUREMENT_TENDER_MEASURES[63],
    rule=("EV-05", "EV-06", "EV-07"),
)
def motion_refusals(motion: RejectionMotion, *, regime: Regime) -> list[Refusal]:
    """Why a bid may not be proposed for rejection like this."""
    article, _ = GROUNDS[motion.ground]
    refusals = []
    if motion.ground not in grounds_of(regime):
        own = GP[63] if regime is Regime.PROCUREMENT else REG[51]
        refusals.append(Refusal("ground_unknown", own, "否决理由不属于法律规定的情形"))
    if not any(character.isdigit() for character in motion.page):
        reason = "否决投标应当指明投标文件的页码"
        refusals.append(Refusal("no_page", article, reason))
    if not motion.words.strip():
        reason = "否决投标应当说明理由"
        refusals.append(Refusal("no_words", article, reason))
    too_low = motion.ground is G.PROCUREMENT_PRICE_TOO_LOW or (
        motion.ground is G.PRICE_OUT_OF_BOUNDS and motion.below_cost
    )
    if too_low and not motion.asked:
        first = GP[60] if regime is Regime.PROCUREMENT else CONDUCT_OPINIONS[13]
        reason = "报价过低的，应当先要求投标人书面说明并提供证明材料，不得直接否决"
        refusals.append(Refusal("not_asked", first, reason))
    return refusals


@under(
    BIDDING_LAW[38],
    BIDDING_REGULATION[53],
    PROCUREMENT_TENDER_MEASURES[61],
    rule="EV-16",
)
def vote_refusals(
    motion: RejectionMotion,
    member: UUID,
    *,
    committee_members: Collection[UUID],
    regime: Regime,
) -> list[Refusal]:
    """Why this person may not vote on this motion now."""
    article = GP[61] if regime is Regime.PROCUREMENT else REG[53]
    refusals = []
    if member not in committee_members:
        refusals.append(Refusal("not_a_member", BIDDING_LAW[38], "不是评标委员会成员，不得表决"))
    if member in motion.in_favour | motion.against:
        refusals.append(Refusal("voted_already", article, "已对此项表决，不得重复"))
    if outcome(motion, committee_members) is not MotionOutcome.OPEN:
        refusals.append(Refusal("decided_already", article, "此项表决已有结果"))
    return refusals


def outcome(motion: RejectionMotion, committee_members: Collection[UUID]) -> MotionOutcome:
    """What the votes so far decide on a motion."""
    return majority(motion.in_favour, motion.against, committee_members)


def majority(
    in_favour: frozenset[UUID], against: frozenset[UUID], committee_members: Collection[UUID]
) -> MotionOutcome:
    """What the whole committee decides by its majority, and not only those who voted.

    Lost is what can no longer reach that majority. Votes of others than members count for nothing.
    """
    whole = set(committee_members)
    yes = len(in_favour & whole - against)
    no = len(against & whole)
    if yes * 2 > len(whole):
        return MotionOutcome.CARRIED
    if (len(whole) - no) * 2 <= len(whole):
        return MotionOutcome.LOST
    return MotionOutcome.OPEN


def rejected_bids(
    motions: Collection[RejectionMotion], committee_members: Collection[UUID]
) -> frozenset[str]:
    """The bids on which at least one motion was carried."""
    return frozenset(
        motion.bid
        for motion in motions
        if outcome(motion, committee_members) is MotionOutcome.CARRIED
    )


def after_rejections(valid_bids: int, *, regime: Regime) -> AfterRejections:
    """What follows with so many bids left.

    Below three, procurement stops; a tendering committee must judge the competition, and may go on.
    """
    if valid_bids >= VALID_BIDS_MIN:
        return AfterRejections.GO_ON
    if regime is Regime.PROCUREMENT:
        return AfterRejections.STOP
    return AfterRejections.JUDGE_COMPETITION


@under(
    BIDDING_LAW[42],
    COMMITTEE_PROVISIONS[27],
    CONDUCT_OPINIONS[13],
    PROCUREMENT_LAW[36],
    PROCUREMENT_LAW[40],
    PROCUREMENT_TENDER_MEASURES[43],
    rule=("EV-10", "EV-11"),
)
def continuation_refusals(
    valid_bids: int,
    *,
    regime: Regime,
    argued: str,
    rejects_all: bool = False,
    inquiry: bool = False,
) -> list[Refusal]:
    """Why the committee may not go on, or may not reject all bids, with so many left.

    Below three valid bids the committee argues in writing whether competition is clearly lacking,
    whichever way it decides; with none left there is nothing to go on with. An inquiry asks three
    suppliers (采购法 40): its own measures say that it ends below three, and from memory alone.
    """
    refusals = []
    following = after_rejections(valid_bids, regime=regime)
    if following is AfterRejections.STOP and not rejects_all:
        article, reason = PROCUREMENT_LAW[36], f"合格投标人不足{VALID_BIDS_MIN}家，应当废标"
        if inquiry:
            article = PROCUREMENT_LAW[40]
            reason = f"符合要求的供应商不足{VALID_BIDS_MIN}家，应当终止询价采购活动"
        refusals.append(Refusal("too_few_valid", article, reason))
    if following is AfterRejections.JUDGE_COMPETITION:
        if not argued.strip():
            reason = "有效投标不足三个，应当论证是否明显缺乏竞争，并记录在评标报告中"
            refusals.append(Refusal("not_argued", CONDUCT_OPINIONS[13], reason))
        if valid_bids == 0 and not rejects_all:
            reason = "没有有效投标，应当否决所有投标"
            refusals.append(Refusal("none_valid", BIDDING_LAW[42], reason))
    if following is AfterRejections.GO_ON and rejects_all:
        article = GP[43] if regime is Regime.PROCUREMENT else COMMITTEE_PROVISIONS[27]
        reason = "有效投标不少于三个，不得以缺乏竞争为由否决所有投标"
        if inquiry:
            article = PROCUREMENT_LAW[40]
            reason = "符合要求的供应商不少于三家，不得以缺乏竞争为由终止询价采购活动"
        refusals.append(Refusal("enough_valid", article, reason))
    return refusals
