"""What the committee's report must contain, and when it counts as signed (评标报告).

A member who disagrees writes why, and the report carries it. A member who neither signs nor writes
why agrees: nobody can stop a report by silence. A signature holds for one text of the report only.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final
from uuid import UUID

from evaluation.rules.ranking import CANDIDATES_MAX
from kernel.refusals import Refusal
from kernel.statute import (
    BIDDING_LAW,
    BIDDING_REGULATION,
    COMMITTEE_PROVISIONS,
    E_BIDDING_MEASURES,
    PROCUREMENT_TENDER_MEASURES,
    Regime,
    under,
)

DISSENT_MAX: Final = 10_000


class ReportPart(StrEnum):
    """The ten things that a report contains."""

    BASIC_DATA = "basic_data"
    MEMBERS = "members"
    OPENING_RECORD = "opening_record"
    CONFORMING_BIDS = "conforming_bids"
    REJECTIONS = "rejections"
    STANDARDS = "standards"
    COMPARISON = "comparison"
    """Evaluated prices or scores, side by side."""

    RANKING = "ranking"
    CANDIDATES = "candidates"
    CLARIFICATIONS = "clarifications"


REPORT_PART_NAMES: Final[Mapping[ReportPart, str]] = MappingProxyType(
    {
        ReportPart.BASIC_DATA: "基本情况和数据表",
        ReportPart.MEMBERS: "评标委员会成员名单",
        ReportPart.OPENING_RECORD: "开标记录",
        ReportPart.CONFORMING_BIDS: "符合要求的投标一览表",
        ReportPart.REJECTIONS: "否决投标的情况说明",
        ReportPart.STANDARDS: "评标标准、评标方法或者评标因素一览表",
        ReportPart.COMPARISON: "经评审的价格或者评分比较一览表",
        ReportPart.RANKING: "经评审的投标人排序",
        ReportPart.CANDIDATES: "推荐的中标候选人名单与签订合同前要处理的事宜",
        ReportPart.CLARIFICATIONS: "澄清、说明、补正事项纪要",
    }
)


class Position(StrEnum):
    """Where a member stands on the report."""

    PENDING = "pending"
    AGREES = "agrees"
    DISSENTS = "dissents"
    DEEMED_TO_AGREE = "deemed_to_agree"
    """Refused to sign without written reasons."""


class SetAsideGround(StrEnum):
    """Why a report came to nothing, before it was handed back or after."""

    NOT_ADOPTED = "not_adopted"
    """Every member has answered it, and no majority stands behind it."""

    MEMBER_LEFT = "member_left"
    """A member whose conclusions it rests on is being replaced."""

    RETURNED = "returned"
    """The lot was sent back to the committee, which reports anew."""


@dataclass(frozen=True, slots=True)
class ReportSignature:
    """A member's answer to a report: signed, perhaps with a dissent, or refused."""

    member: UUID
    report_digest: bytes
    dissent: str = ""
    refused: bool = False


@dataclass(frozen=True, slots=True)
class SigningState:
    """How far the signing of one report has come; every member has a position."""

    positions: Mapping[UUID, Position]

    def is_complete(self) -> bool:
        """Whether every member has answered."""
        return Position.PENDING not in self.positions.values()

    def is_adopted(self) -> bool:
        """Whether it is complete and a majority of all members stands behind it.

        A complete report that is not adopted is none: the committee decides by majority, so it has
        to find another.
        """
        agreeing = sum(
            one in (Position.AGREES, Position.DEEMED_TO_AGREE) for one in self.positions.values()
        )
        return self.is_complete() and agreeing * 2 > len(self.positions)


@under(
    BIDDING_REGULATION[53],
    COMMITTEE_PROVISIONS[42],
    E_BIDDING_MEASURES[34],
    rule=("EV-17", "EV-18"),
)
def report_refusals(
    parts: Collection[ReportPart], candidates: Sequence[str], *, regime: Regime
) -> list[Refusal]:
    """What a report lacks; a part about which there is nothing to tell says so and is there.

    Where all bids were rejected there are no candidates, and the report says that instead.
    """
    article = E_BIDDING_MEASURES[34] if regime is Regime.PROCUREMENT else COMMITTEE_PROVISIONS[42]
    refusals = [
        Refusal(
            "part_missing",
            article,
            f"评标报告缺少“{REPORT_PART_NAMES[part]}”",
            {"part": part},
        )
        for part in ReportPart
        if part not in parts
    ]
    if len(candidates) > CANDIDATES_MAX or len(set(candidates)) != len(candidates):
        reason = f"中标候选人不得超过{CANDIDATES_MAX}个，并应当标明排序"
        refusals.append(Refusal("candidates_unfit", BIDDING_REGULATION[53], reason))
    return refusals


@under(
    BIDDING_LAW[38],
    BIDDING_REGULATION[53],
    COMMITTEE_PROVISIONS[43],
    PROCUREMENT_TENDER_MEASURES[61],
    rule="EV-16",
)
def signature_refusals(
    signature: ReportSignature,
    earlier: Collection[ReportSignature],
    *,
    committee_members: Collection[UUID],
    report_digest: bytes,
    regime: Regime,
) -> list[Refusal]:
    """Why this answer may not be taken: not a member's, of another text, or a second one.

    A refusal to sign that gives written reasons is a dissent and must be given as one.
    """
    article = (
        PROCUREMENT_TENDER_MEASURES[61] if regime is Regime.PROCUREMENT else BIDDING_REGULATION[53]
    )
    refusals = []
    if signature.member not in committee_members:
        reason = "不是评标委员会成员，不得签署评标报告"
        refusals.append(Refusal("not_a_member", BIDDING_LAW[38], reason))
    if signature.report_digest != report_digest:
        reason = "评标报告已变更，请重新阅读后签署"
        refusals.append(Refusal("another_report", article, reason))
    if any(
        one.member == signature.member and one.report_digest == report_digest for one in earlier
    ):
        refusals.append(Refusal("signed_already", article, "已对评标报告表态，不得重复"))
    if signature.refused and signature.dissent.strip():
        reason = "书面说明不同意见的，应当以不同意见签署评标报告"
        refusals.append(Refusal("dissent_is_signed", article, reason))
    if len(signature.dissent) > DISSENT_MAX:
        reason = f"不同意见不得超过{DISSENT_MAX}字"
        refusals.append(Refusal("dissent_too_long", article, reason))
    return refusals


@under(BIDDING_REGULATION[53], COMMITTEE_PROVISIONS[43], PROCUREMENT_TENDER_MEASURES[61])
def signing_state(
    signatures: Collection[ReportSignature],
    *,
    committee_members: Collection[UUID],
    report_digest: bytes,
) -> SigningState:
    """Every member's position on this text of the report; answers to another text do not count."""
    positions = dict.fromkeys(committee_members, Position.PENDING)
    for one in signatures:
        if one.report_digest == report_digest and one.member in positions:
            positions[one.member] = _position(one)
    return SigningState(MappingProxyType(positions))


def _position(signature: ReportSignature) -> Position:
    if signature.dissent.strip():
        return Position.DISSENTS
    return Position.DEEMED_TO_AGREE if signature.refused else Position.AGREES
