"""A candidate examined again by the committee that recommended it: what was found, and by whom.

The original committee decides by the majority of all its members, as it does where it rejects a
bid. Where nobody reaches that majority any more, the candidate stays the one it recommended.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from evaluation.rules.rejection_grounds import MotionOutcome, majority
from kernel.refusals import Refusal
from kernel.statute import BIDDING_REGULATION, under


class Finding(StrEnum):
    """What the committee has found of a candidate so far."""

    OPEN = "open"
    CONFIRMED = "confirmed"
    UNFIT = "unfit"


_FINDINGS = {
    MotionOutcome.OPEN: Finding.OPEN,
    MotionOutcome.CARRIED: Finding.UNFIT,
    MotionOutcome.LOST: Finding.CONFIRMED,
}


@dataclass(frozen=True, slots=True)
class Opinion:
    """What one member found: whether the candidate still meets the standards."""

    member: UUID
    fit: bool


@under(BIDDING_REGULATION[56], rule="AW-05")
def finding(opinions: Collection[Opinion], committee_members: Collection[UUID]) -> Finding:
    """What the majority of all members has found; open while it can still turn either way."""
    unfit = frozenset(one.member for one in opinions if not one.fit)
    fit = frozenset(one.member for one in opinions if one.fit)
    return _FINDINGS[majority(unfit, fit, committee_members)]


@under(BIDDING_REGULATION[56], rule="AW-05")
def opinion_refusals(
    *, open: bool, given: bool, words: str, bars: Collection[Refusal] = ()
) -> list[Refusal]:
    """Why a member's opinion is not taken: nothing is open, it gave one, or says no reason."""
    article = BIDDING_REGULATION[56]
    refusals = list(bars)
    if not open:
        reason = "审查确认已经结束，不再提交意见"
        refusals.append(Refusal("recheck_over", article, reason))
    if given:
        reason = "已经提交审查意见，不得更改"
        refusals.append(Refusal("given_already", article, reason))
    if not words.strip():
        reason = "应当按照招标文件规定的标准和方法说明审查意见的理由"
        refusals.append(Refusal("no_reason", article, reason))
    return refusals
