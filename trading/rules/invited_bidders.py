"""Who is invited to bid, how many at least, and how they are found (邀请招标)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from kernel.refusals import Refusal
from kernel.statute import BIDDING_LAW, PROCUREMENT_TENDER_MEASURES, under
from trading.rules.procedures import Switches


class Source(StrEnum):
    """Where the names come from among which the invited are found."""

    NOTICE = "notice"
    """资格预审公告征集。"""

    LIST = "list"
    """从供应商库中选取。"""

    RECOMMENDATION = "recommendation"
    """采购人书面推荐。"""

    CHOSEN = "chosen"
    """招标人直接确定。"""


@dataclass(frozen=True, slots=True)
class Invited:
    """The invited as they are about to be told.

    `choice` is how many there were to draw from; `drawn` that they were drawn at random;
    `witnesses` how many of the purchaser's staff saw it; `sent_at` when each invitation goes out.
    """

    count: int
    source: Source
    choice: int
    drawn: bool
    witnesses: int
    record: str
    sent_at: tuple[datetime, ...]


@under(BIDDING_LAW[17], PROCUREMENT_TENDER_MEASURES[14], rule=("SC-07", "SC-08"))
def invitation_refusals(invited: Invited, switches: Switches) -> list[Refusal]:
    """Every ground on which these may not be invited like this; none where anybody may bid."""
    demands = switches.invitation
    if demands is None:
        return []
    article = demands.article
    refusals = []
    if invited.count < demands.invited_min:
        reason = f"应当向{demands.invited_min}个以上具备能力的单位发出投标邀请书"
        facts = {"invited": str(invited.count)}
        refusals.append(Refusal("too_few_invited", article, reason, facts))
    if not demands.drawn:
        return refusals
    if not invited.drawn or invited.source is Source.CHOSEN:
        refusals.append(Refusal("not_drawn", article, "应当从符合条件的名单中随机抽取被邀请人"))
    listed = invited.source in (Source.LIST, Source.RECOMMENDATION)
    if listed and invited.choice < demands.choice_factor * invited.count:
        reason = f"备选的供应商不得少于拟随机抽取数量的{demands.choice_factor}倍"
        facts = {"choice": str(invited.choice), "invited": str(invited.count)}
        refusals.append(Refusal("choice_too_small", article, reason, facts))
    if invited.witnesses < demands.witnesses_min:
        reason = f"随机抽取时应当有不少于{demands.witnesses_min}名采购人工作人员在场"
        refusals.append(Refusal("too_few_witnesses", article, reason))
    if not invited.record.strip():
        refusals.append(Refusal("no_record", article, "随机抽取过程应当形成书面记录并存档"))
    if len(set(invited.sent_at)) > 1:
        refusals.append(Refusal("not_together", article, "应当向所有被邀请人同时发出投标邀请书"))
    return refusals


@under(BIDDING_LAW[17], PROCUREMENT_TENDER_MEASURES[14], rule=("SC-07", "SC-08"))
def uninvited_refusals(*, invited: bool, switches: Switches) -> list[Refusal]:
    """Who was not invited may not bid where the others were."""
    if invited or switches.invitation is None:
        return []
    reason = "本标段采用邀请招标，未收到投标邀请书的单位不能投标"
    return [Refusal("not_invited", switches.invitation.article, reason)]
