"""Who is at an opening, what absence means, and that every bid that came in time is opened.

Evaluators stay away from the opening. A bidder that is absent accepts what happened there. No bid
that arrived before the deadline is left out: each is read out, or there is a reason on record.
"""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

from kernel.refusals import Caution, Refusal
from kernel.statute import BIDDING_LAW, PROCUREMENT_TENDER_MEASURES, Regime, Severity, under


@under(BIDDING_LAW[36], rule="OP-07")
def unopened_refusals(counted: Collection[UUID], outcomes: Collection[UUID]) -> list[Refusal]:
    """Why an opening may not end: a bid that counts has no outcome, or one that does not has."""
    missing, strange = set(counted) - set(outcomes), set(outcomes) - set(counted)
    refusals = []
    if missing:
        reason = f"尚有{len(missing)}份截止前收到的投标文件没有开标结果"
        facts = {"bids": str(len(missing))}
        refusals.append(Refusal("bids_unopened", BIDDING_LAW[36], reason, facts))
    if strange:
        reason = f"有{len(strange)}份不计入的投标文件被开启"
        refusals.append(Refusal("bids_uncounted", BIDDING_LAW[36], reason))
    return refusals


@under(
    PROCUREMENT_TENDER_MEASURES[39],
    PROCUREMENT_TENDER_MEASURES[40],
    PROCUREMENT_TENDER_MEASURES[42],
    rule="OP-06",
    severity=Severity.WARN,
)
def attendance_cautions(*, evaluators: int, recorded: bool, regime: Regime) -> list[Caution]:
    """Evaluators at an opening, and an opening that was not recorded in sound and picture."""
    if regime is not Regime.PROCUREMENT:
        return []
    cautions = []
    if evaluators:
        reason = "评标委员会成员不得参加开标活动"
        cautions.append(Caution("evaluators_present", PROCUREMENT_TENDER_MEASURES[40], reason))
    if not recorded:
        reason = "开标过程应当全程录音录像，并随采购文件归档"
        cautions.append(Caution("not_recorded", PROCUREMENT_TENDER_MEASURES[39], reason))
    return cautions


@under(PROCUREMENT_TENDER_MEASURES[41], rule="OP-06", severity=Severity.WARN)
def accepts_result(*, present: bool, objected: bool) -> bool:
    """Whether a bidder counts as having accepted the opening: absent, or present and silent."""
    return not present or not objected
